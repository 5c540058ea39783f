#include "config.h"
#include "ecs/dynamic.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"
#include "ecs/engine_impl.h"
#include "ecs/rule/filter.h"
#include "srp/err.h"
#include "srp/hash.h"

#define QCI_MAX        254u /* 255 is reserved (TS 29.212) */
#define ARP_MAX        15u
#define ID_MAX         2147483647u
#define FILTER_LAST    256u /* the place of packet filters without a priority */
#define NAME_KEY       0x64796e6e616d65u
#define DIGEST_KEY     0x64796e72756c65u

static struct ecs_dynrule *at(struct srp_list *l)
{
	return ECS_CONTAINER(l, struct ecs_dynrule, in_session);
}

/* --- a spec ----------------------------------------------------------------------------------- */

uint64_t ecs_dyn_key(const char *name)
{
	return srp_hash64(NAME_KEY, name, strlen(name));
}

static bool name_ok(const char *name)
{
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '"')
			return false;
	return name[0] != '\0';
}

static bool qos_ok(const struct ecs_qos *q)
{
	return q->qci <= QCI_MAX && q->arp <= ARP_MAX;
}

int ecs_dyn_check(const struct ecs_dyn_spec *spec)
{
	if (!name_ok(spec->name))
		return SRP_EINVAL;
	if (spec->status >= ECS_STATUS__N || !qos_ok(&spec->qos) || spec->content_id > ID_MAX ||
	    spec->rating_group > ID_MAX || spec->service_id > ID_MAX ||
	    (spec->bearer && (spec->bearer < ECS_BEARER_DEFAULT || spec->bearer > ECS_BEARER_LAST)))
		return SRP_ERANGE;
	if (spec->predefined)
		return spec->filters.n || spec->precedence || spec->content_id ||
		       spec->rating_group || spec->service_id ? SRP_EINVAL : 0;
	if (!spec->precedence)
		return SRP_ERANGE;
	return spec->filters.n ? 0 : SRP_EINVAL;
}

static void digests(struct ecs_dynrule *d)
{
	uint8_t b[ECS_SDFS_MAX * ECS_SDF_LEN];
	const uint32_t charging[] = {d->spec.content_id, d->spec.rating_group, d->spec.service_id};

	d->rule_digest = srp_hash64(DIGEST_KEY, b, ecs_sdfs_put(&d->spec.filters, b));
	d->action_digest = srp_hash64(DIGEST_KEY, charging, sizeof(charging));
}

/* --- refs and lines --------------------------------------------------------------------------- */

/* Where the counters of a name are: its own place, the first free one, or the last for all. */
static uint16_t stats_of(struct ecs_engine *e, const char *name)
{
	struct ecs_dyn_stats *v = e->conf.dyn_stats;
	uint16_t i;

	for (i = 0; i < ECS_DYN_STATS_MAX - 1; i++) {
		if (!v[i].name[0])
			memcpy(v[i].name, name, strlen(name) + 1);
		if (strcmp(v[i].name, name) == 0)
			return i;
	}
	memcpy(v[i].name, "(other dynamic rules)", sizeof("(other dynamic rules)"));
	return i;
}

/* Gives the ref what it stands for: the action is the same for all calls that have this ref. */
static bool equip(struct ecs_engine *e, struct ecs_ruleref *r, const struct ecs_dynrule *d)
{
	r->stats = stats_of(e, d->spec.name);
	if (r->action)
		return true;
	r->action = calloc(1, sizeof(*r->action));
	if (!r->action)
		return false;
	memcpy(r->action->name, d->spec.name, sizeof(r->action->name));
	r->action->content_id = d->spec.content_id;
	r->action->rating_group = d->spec.rating_group;
	r->action->service_id = d->spec.service_id;
	r->action->credit = d->spec.rating_group != 0;
	r->action->idle_timeout = -1;
	return true;
}

static void unref(struct ecs_engine *e, struct ecs_dynrule *d)
{
	struct ecs_ruleref *r = ecs_ruleref_get(e->refs, d->ref);

	if (r && r->users > 0)
		r->users--;
	d->ref = ECS_REF_NONE;
}

static void take_ref(struct ecs_engine *e, struct ecs_dynrule *d, struct ecs_ruleref *r)
{
	if (!equip(e, r, d))
		return;
	r->users++;
	d->ref = r->id;
}

uint16_t ecs_dyn_ref(struct ecs_engine *e, struct ecs_dynrule *d, struct srp_time now)
{
	const struct ecs_rule_name n = {.rulebase = ECS_DYN_BASE, .rule = d->spec.name,
	                                .rule_digest = d->rule_digest,
	                                .action_digest = d->action_digest};
	struct ecs_ruleref *r = ecs_ruleref_get(e->refs, d->ref);

	if (r && !r->gone)
		return d->ref;
	unref(e, d);
	r = ecs_ruleref_get(e->refs, ecs_ruleref_of_dynamic(e->refs, &n, now));
	if (r)
		take_ref(e, d, r);
	return d->ref;
}

struct ecs_dynrule *ecs_dyn_find(const struct ecs_session *s, const char *name)
{
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next)
		if (strcmp(at(l)->spec.name, name) == 0)
			return at(l);
	return NULL;
}

struct ecs_dynrule *ecs_dyn_of_ref(struct ecs_engine *e, const struct ecs_session *s, uint16_t ref)
{
	struct ecs_ruleref *r;
	struct ecs_dynrule *d;

	if (ref == ECS_REF_NONE || !s->nfiltered)
		return NULL;
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next)
		if (at(l)->ref == ref)
			return at(l);
	r = ecs_ruleref_get(e->refs, ref);
	d = r && r->dynamic ? ecs_dyn_find(s, r->rule) : NULL;
	if (!d || d->spec.predefined || d->rule_digest != r->rule_digest ||
	    d->action_digest != r->action_digest)
		return NULL;
	/* its record came before the rule map's: they are brought together at first use */
	unref(e, d);
	take_ref(e, d, r);
	return d->ref == ref ? d : NULL;
}

struct ecs_dynrule *ecs_dyn_of_line(const struct ecs_session *s, uint16_t line)
{
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next)
		if (at(l)->spec.predefined && at(l)->line == line)
			return at(l);
	return NULL;
}

static uint16_t line_of(const struct ecs_engine *e, const struct ecs_session *s, const char *name)
{
	uint16_t line = s->rulebase < 0 ? ECS_LINE_NONE
	                                : ecs_service_find_line(e->conf.service, s->rulebase, name);

	if (line == ECS_LINE_NONE ||
	    ecs_service_line(e->conf.service, line)->kind == ECS_LINE_STATIC)
		return ECS_LINE_NONE;
	return line;
}

bool ecs_dyn_line_on(const struct ecs_engine *e, const struct ecs_session *s, uint16_t line)
{
	uint8_t kind = ecs_service_line(e->conf.service, line)->kind;

	if (kind == ECS_LINE_STATIC || (kind == ECS_LINE_STATIC_DYNAMIC && !s->ndynrules))
		return true;
	return ecs_dyn_of_line(s, line) != NULL;
}

bool ecs_dyn_first(const struct ecs_engine *e, const struct ecs_session *s)
{
	const struct ecs_rulebase_conf *c = ecs_service_rulebase_conf(e->conf.service, s->rulebase);

	return !c || !c->first_if_tied;
}

static void resolve_one(struct ecs_engine *e, struct ecs_session *s, struct ecs_dynrule *d,
                        uint16_t first)
{
	const struct ecs_charging_action *a;

	d->line = line_of(e, s, d->spec.name);
	d->line_qos = (struct ecs_qos){0};
	d->ntft = 0;
	if (d->line == ECS_LINE_NONE)
		return;
	if (s->active)
		s->active[(d->line - first) / 64] |= (uint64_t)1 << ((d->line - first) % 64);
	a = ecs_service_line(e->conf.service, d->line)->action;
	if (!a)
		return;
	d->line_qos = (struct ecs_qos){.qci = a->qci, .arp = a->arp};
	for (size_t i = 0; i < a->ntft; i++) {
		const struct ecs_packet_filter *f =
			ecs_service_find_filter(e->conf.service, a->tft[i]);

		if (f)
			d->tft[d->ntft++] = f;
	}
	s->nrule_tfts = (uint16_t)(s->nrule_tfts + (d->ntft > 0));
}

void ecs_dyn_resolve(struct ecs_engine *e, struct ecs_session *s)
{
	uint32_t status = 0;
	uint16_t first;
	size_t n = 0;

	free(s->active);
	s->active = NULL;
	s->nrule_tfts = 0;
	first = s->rulebase < 0 ? 0 : ecs_service_first_line(e->conf.service, s->rulebase, &n);
	if (s->ndynrules > s->nfiltered && n)
		s->active = calloc((n + 63) / 64, sizeof(*s->active));
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next) {
		if (at(l)->spec.predefined)
			resolve_one(e, s, at(l), first);
		if (at(l)->spec.status != ECS_STATUS_ENABLED)
			status = ECS_STAGE_BIT(STATUS);
	}
	s->stages = (s->stages & ~ECS_STAGE_BIT(STATUS)) | status;
	ecs_police_session(s);
}

/* False where its flow status stops this direction. */
static bool passes(const struct ecs_dynrule *d, enum ecs_dir dir)
{
	switch ((enum ecs_flow_status)d->spec.status) {
	case ECS_STATUS_UPLINK:
		return dir == ECS_UPLINK;
	case ECS_STATUS_DOWNLINK:
		return dir == ECS_DOWNLINK;
	case ECS_STATUS_DISABLED:
		return false;
	default:
		return true;
	}
}

enum ecs_stage_did ecs_stage_status(struct ecs_engine *e, struct ecs_way *w,
                                    const struct ecs_charging_action *a)
{
	const struct ecs_dynrule *d = w->dyn;

	(void)e;
	(void)a;
	if (!d && w->line != ECS_LINE_NONE && w->s->active)
		d = ecs_dyn_of_line(w->s, w->line);
	return d && !passes(d, w->p->dir) ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
}

/* --- matching --------------------------------------------------------------------------------- */

uint8_t ecs_dyn_bearer(const struct ecs_session *s, const struct ecs_dynrule *d)
{
	const struct ecs_qos *q = d->spec.qos.qci ? &d->spec.qos : &d->line_qos;

	if (d->spec.bearer)
		return d->spec.bearer;
	if (!q->qci)
		return 0;
	for (unsigned i = 0; s->ndedicated && i < ECS_BEARERS_MAX; i++) {
		const struct ecs_bearer *b = ecs_session_bearer_at(s, i);
		struct ecs_qos is = b ? ecs_bearer_qos(b) : (struct ecs_qos){0};

		if (b && is.qci == q->qci && (!q->arp || is.arp == q->arp))
			return b->id;
	}
	return ECS_BEARER_DEFAULT;
}

/* The packet filters of activated rules, on the bearers that these are bound to. */
static uint8_t rules_bearer(const struct ecs_session *s, const struct ecs_flow_key *k,
                            enum ecs_dir dir, int tos, unsigned best)
{
	uint8_t id = 0;

	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next) {
		const struct ecs_dynrule *d = at(l);
		uint8_t bound = d->spec.predefined && d->ntft ? ecs_dyn_bearer(s, d) : 0;

		for (unsigned n = 0; bound > ECS_BEARER_DEFAULT && n < d->ntft; n++) {
			const struct ecs_packet_filter *f = d->tft[n];
			unsigned order = f->priority < 0 ? FILTER_LAST : (unsigned)f->priority;

			if (order < best && ecs_filter_means(f, k, dir, tos)) {
				best = order;
				id = bound;
			}
		}
	}
	return id;
}

uint8_t ecs_tft_bearer(const struct ecs_session *s, const struct ecs_flow_key *k, enum ecs_dir dir,
                       int tos)
{
	unsigned best = FILTER_LAST + 1u;
	uint8_t id = 0, of_rule;

	for (unsigned i = 1; s->ntfts && i < ECS_BEARERS_MAX; i++) {
		const struct ecs_bearer *b = ecs_session_bearer_at(s, i);

		for (unsigned n = 0; b && b->tft && n < b->tft->n; n++)
			if (b->tft->v[n].precedence < best &&
			    ecs_sdf_match(&b->tft->v[n], k, dir)) {
				best = b->tft->v[n].precedence;
				id = b->id;
			}
	}
	of_rule = s->nrule_tfts ? rules_bearer(s, k, dir, tos, best) : 0;
	return of_rule ? of_rule : id;
}

struct ecs_dynrule *ecs_dyn_match(const struct ecs_session *s, const struct ecs_flow_key *k,
                                  enum ecs_dir dir, uint8_t tft)
{
	if (!s->nfiltered)
		return NULL;
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next) {
		struct ecs_dynrule *d = at(l);
		uint8_t bound;

		if (d->spec.predefined || !ecs_sdfs_match(&d->spec.filters, k, dir))
			continue;
		bound = dir == ECS_UPLINK && tft ? ecs_dyn_bearer(s, d) : 0;
		if (!bound || bound == tft)
			return d;
	}
	return NULL;
}

/* --- rules of a call -------------------------------------------------------------------------- */

/* By precedence; of equal ones, in the order of their names: the same on both sides. */
static void link_rule(struct ecs_session *s, struct ecs_dynrule *d)
{
	struct srp_list *l;

	for (l = s->dynrules.next; l != &s->dynrules; l = l->next) {
		const struct ecs_dyn_spec *x = &at(l)->spec;

		if (x->precedence > d->spec.precedence ||
		    (x->precedence == d->spec.precedence && strcmp(x->name, d->spec.name) > 0))
			break;
	}
	ecs_list_add_tail(l, &d->in_session);
	s->ndynrules++;
	s->nfiltered = (uint16_t)(s->nfiltered + !d->spec.predefined);
}

static void unlink_rule(struct ecs_dynrule *d)
{
	struct ecs_session *s = d->session;

	ecs_list_del(&d->in_session);
	s->ndynrules--;
	s->nfiltered = (uint16_t)(s->nfiltered - !d->spec.predefined);
}

int ecs_dyn_put(struct ecs_engine *e, struct ecs_session *s, const struct ecs_dyn_spec *spec,
                struct ecs_dynrule **out)
{
	struct ecs_dynrule *d = ecs_dyn_find(s, spec->name);
	uint64_t rule, action;

	if (!d && s->ndynrules >= ECS_DYN_RULES_MAX)
		return SRP_EFULL;
	if (d) {
		unlink_rule(d);
	} else {
		d = ecs_pool_get(&e->dyn_pool);
		if (!d)
			return SRP_ENOMEM;
		d->ckpt.kind = &ecs_kind_dynrule;
		d->session = s;
		d->ref = ECS_REF_NONE;
		d->key = ecs_dyn_key(spec->name);
	}
	rule = d->rule_digest;
	action = d->action_digest;
	d->spec = *spec;
	digests(d);
	if (rule != d->rule_digest || action != d->action_digest || spec->predefined)
		unref(e, d);
	d->line = ECS_LINE_NONE;
	link_rule(s, d);
	ecs_dyn_resolve(e, s);
	*out = d;
	return 0;
}

void ecs_dyn_drop(struct ecs_engine *e, struct ecs_dynrule *d, enum ecs_tell tell,
                  struct srp_time now)
{
	ecs_tell_deleted(e, &d->ckpt, tell, now);
	unref(e, d);
	unlink_rule(d);
	ecs_dyn_resolve(e, d->session);
	ecs_pool_put(&e->dyn_pool, d);
}

/* --- the session interface -------------------------------------------------------------------- */

static int call_of(struct ecs_engine *e, uint32_t callid, struct ecs_session **out)
{
	if (!e->active)
		return SRP_EROLE;
	*out = ecs_session_find(e, callid);
	return *out ? 0 : SRP_ENOSESS;
}

static int fits(struct ecs_engine *e, struct ecs_session *s, const struct ecs_dyn_spec *spec)
{
	int rc = ecs_dyn_check(spec);

	if (rc)
		return rc;
	if (spec->predefined && line_of(e, s, spec->name) == ECS_LINE_NONE)
		return SRP_ENORULE;
	return spec->bearer && !ecs_session_bearer(s, spec->bearer, false) ? SRP_ENOENT : 0;
}

static int put_told(struct ecs_engine *e, struct ecs_session *s, const struct ecs_dyn_spec *spec,
                    struct srp_time now)
{
	struct ecs_dynrule *d;
	int rc = ecs_dyn_put(e, s, spec, &d);

	if (rc)
		return rc;
	if (!spec->predefined)
		(void)ecs_dyn_ref(e, d, now);
	ecs_tell_changed(e, &d->ckpt, now);
	ecs_dyn_rejudge(e, s, now);
	return 0;
}

int ecs_rule_install(struct ecs_engine *e, uint32_t callid, const struct ecs_dyn_spec *spec,
                     struct srp_time now)
{
	struct ecs_session *s;
	int rc = call_of(e, callid, &s);

	if (rc == 0)
		rc = fits(e, s, spec);
	if (rc)
		return rc;
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next)
		if (at(l)->key == ecs_dyn_key(spec->name))
			return SRP_EDUP;
	return put_told(e, s, spec, now);
}

int ecs_rule_modify(struct ecs_engine *e, uint32_t callid, const struct ecs_dyn_spec *spec,
                    unsigned what, struct srp_time now)
{
	struct ecs_dyn_spec is;
	struct ecs_dynrule *d;
	struct ecs_session *s;
	int rc = call_of(e, callid, &s);

	if (rc)
		return rc;
	d = ecs_dyn_find(s, spec->name);
	if (!d)
		return SRP_ENOENT;
	is = d->spec;
	if (what & ECS_DYN_PRECEDENCE)
		is.precedence = spec->precedence;
	if (what & ECS_DYN_STATUS)
		is.status = spec->status;
	if (what & ECS_DYN_BEARER)
		is.bearer = spec->bearer;
	if (what & ECS_DYN_QOS)
		is.qos = spec->qos;
	if (what & ECS_DYN_CHARGING) {
		is.content_id = spec->content_id;
		is.rating_group = spec->rating_group;
		is.service_id = spec->service_id;
	}
	if (what & ECS_DYN_FILTERS)
		is.filters = spec->filters;
	rc = fits(e, s, &is);
	return rc ? rc : put_told(e, s, &is, now);
}

int ecs_rule_remove(struct ecs_engine *e, uint32_t callid, const char *name, struct srp_time now)
{
	struct ecs_dynrule *d;
	struct ecs_session *s;
	int rc = call_of(e, callid, &s);

	if (rc)
		return rc;
	d = ecs_dyn_find(s, name);
	if (!d)
		return SRP_ENOENT;
	ecs_dyn_drop(e, d, ECS_TELL, now);
	ecs_dyn_rejudge(e, s, now);
	return 0;
}
