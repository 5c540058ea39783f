/* sess_give: what a control plane gives a call at run time: rules, bearers, handoffs. The commands of
 * operators are one front of the session interface in ecs/dynamic.h; another would call the same. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "chassis/task/commands.h"
#include "ecs/dynamic.h"
#include "ecs/quota.h"
#include "srp/err.h"

static const char *const status_text[] = {
#define X(sym, text) [ECS_STATUS_##sym] = (text),
	ECS_FLOW_STATUSES(X)
#undef X
};

/* --- commands ------------------------------------------------------------------------------- */

static void read_qos(struct srp_mp_r *r, struct ecs_qos *q)
{
	q->qci = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	q->arp = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	q->mbr[ECS_UPLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	q->mbr[ECS_DOWNLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
}

/* Reads filters; without any where the text is empty. */
static int read_filters(struct srp_mp_r *r, struct ecs_sdfs *f, char *text, size_t cap)
{
	char said[CHASSIS_SDF_TEXT];

	srp_mp_str(r, said, sizeof(said));
	if (r->err)
		return SRP_EFORMAT;
	*f = (struct ecs_sdfs){0};
	return said[0] ? ecs_sdfs_parse(said, f, text, cap) : 0;
}

static int give_rule(struct sessmgr *s, uint32_t callid, struct srp_mp_r *r, char *text, size_t cap)
{
	enum chassis_give give = (enum chassis_give)srp_mp_uint(r, CHASSIS_GIVE__N - 1);
	struct ecs_dyn_spec spec = {.name = ""};
	struct srp_time now = chassis_now();
	unsigned changed;
	int rc;

	srp_mp_str(r, spec.name, sizeof(spec.name));
	changed = (unsigned)srp_mp_uint(r, ECS_DYN_ALL);
	spec.predefined = give == CHASSIS_GIVE_ACTIVATE;
	spec.precedence = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	spec.status = (uint8_t)srp_mp_uint(r, ECS_STATUS__N - 1);
	spec.bearer = (uint8_t)srp_mp_uint(r, 15);
	read_qos(r, &spec.qos);
	spec.content_id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	spec.rating_group = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	spec.service_id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	rc = read_filters(r, &spec.filters, text, cap);
	if (rc)
		return rc;
	switch (give) {
	case CHASSIS_GIVE_CHANGE:
		rc = ecs_rule_modify(s->engine, callid, &spec, changed, now);
		break;
	case CHASSIS_GIVE_REMOVE:
		rc = ecs_rule_remove(s->engine, callid, spec.name, now);
		break;
	default:
		rc = ecs_rule_install(s->engine, callid, &spec, now);
	}
	if (rc == SRP_EINVAL && give == CHASSIS_GIVE_ADD && !spec.filters.n)
		snprintf(text, cap, "expected filters: a dynamic rule has one at least");
	else if (rc == SRP_ENORULE)
		snprintf(text, cap, "the rulebase of the call has no line of %s that can be activated",
		         spec.name);
	else if (rc == SRP_EDUP)
		snprintf(text, cap, "the call has a rule %s already", spec.name);
	else if (rc == SRP_ENOENT)
		snprintf(text, cap, "the call has no such rule, or no such bearer");
	else if (rc == SRP_EFULL)
		snprintf(text, cap, "the call has %u rules already", ECS_DYN_RULES_MAX);
	return rc;
}

static int give_bearer(struct sessmgr *s, uint32_t callid, struct srp_mp_r *r, char *text,
                       size_t cap)
{
	enum chassis_give give = (enum chassis_give)srp_mp_uint(r, CHASSIS_GIVE__N - 1);
	struct ecs_bearer_spec spec = {.id = (uint8_t)srp_mp_uint(r, 15)};
	unsigned changed = (unsigned)srp_mp_uint(r, 0x1f);
	struct srp_time now = chassis_now();
	int rc;

	read_qos(r, &spec.qos);
	rc = read_filters(r, &spec.tft, text, cap);
	if (rc)
		return rc;
	spec.has_tft = changed & ECS_BEARER_TFT;
	if (give == CHASSIS_GIVE_REMOVE)
		rc = ecs_bearer_delete(s->engine, callid, spec.id, now);
	else if (give == CHASSIS_GIVE_CHANGE)
		rc = ecs_bearer_update(s->engine, callid, &spec, changed, now);
	else
		rc = ecs_bearer_make(s->engine, callid, &spec, now);
	if (rc == SRP_ENOENT)
		snprintf(text, cap, "the call has no bearer %u", spec.id);
	else if (rc == SRP_EDUP)
		snprintf(text, cap, "the call has a bearer %u already", spec.id);
	return rc;
}

static int give_quota(struct sessmgr *s, uint32_t callid, struct srp_mp_r *r, char *text,
                      size_t cap)
{
	uint32_t rating = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	uint64_t bytes = srp_mp_uint(r, ECS_QUOTA_MAX);
	char url[ECS_URL_MAX + 1] = "";
	struct ecs_err why = {""};

	srp_mp_str(r, url, sizeof(url));
	if (r->err)
		return SRP_EFORMAT;
	if (url[0] && ecs_url_check(url, &why) != 0) {
		snprintf(text, cap, "%s", why.text);
		return SRP_EINVAL;
	}
	return ecs_quota_grant(s->engine, callid, rating, bytes, url[0] ? url : NULL,
	                       chassis_now());
}

int sessmgr_give(struct sessmgr *s, enum chassis_command cmd, uint32_t callid, struct srp_mp_r *r,
                 char *text, size_t cap)
{
	if (cmd == CHASSIS_CMD_UNSETTLE)
		return ecs_session_unsettle(s->engine, callid, chassis_now());
	if (!srp_role_permit[s->role].new_sessions)
		return SRP_EROLE;
	if (!ecs_session_find(s->engine, callid))
		return SRP_ENOSESS;
	if (cmd == CHASSIS_CMD_RULE)
		return give_rule(s, callid, r, text, cap);
	if (cmd == CHASSIS_CMD_BEARER)
		return give_bearer(s, callid, r, text, cap);
	if (cmd == CHASSIS_CMD_QUOTA)
		return give_quota(s, callid, r, text, cap);
	return ecs_session_handoff(s->engine, callid, (uint8_t)srp_mp_uint(r, ECS_RAT__N - 1),
	                           chassis_now());
}

/* --- rows ----------------------------------------------------------------------------------- */

/* Filters of its own, or the names of those of a rule's charging-action. */
static void put_filters(struct srp_mp_w *w, const struct ecs_sdfs *f, const struct ecs_dynrule *d)
{
	char text[CHASSIS_SDF_TEXT] = "";
	size_t n = 0;

	if (f && f->n)
		ecs_sdfs_text(f, text, sizeof(text));
	for (unsigned i = 0; d && i < d->ntft; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%spacket-filter %s", i ? "; " : "",
		                      d->tft[i]->name);
	if (strlen(text) > SESSMGR_FILTERS_SHOWN)
		memcpy(text + SESSMGR_FILTERS_SHOWN - 4, " ...", sizeof(" ..."));
	srp_mp_w_str(w, text);
}

/* Local time of creation, which is known to the second after a recovery. */
static void put_created(struct srp_mp_w *w, uint64_t age_s)
{
	time_t at = time(NULL) - (time_t)age_s;
	char text[sizeof("2026-01-01 00:00:00") + 8] = "";
	struct tm tm;

	if (localtime_r(&at, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	srp_mp_w_str(w, text);
}

void sessmgr_given_row(struct srp_mp_w *w, const struct ecs_service *svc, const struct ecs_session *c,
                       uint64_t age_s, unsigned instance)
{
	const struct ecs_rulebase_conf *rb = ecs_service_rulebase_conf(svc, c->rulebase);
	char id[24];

	srp_mp_w_str(w, ecs_service_name(svc));
	srp_mp_w_str(w, rb ? rb->bandwidth_policy : "");
	put_created(w, age_s);
	srp_mp_w_uint(w, 1u + c->ndedicated);
	srp_mp_w_uint(w, c->nfiltered);
	srp_mp_w_uint(w, (unsigned)(c->ndynrules - c->nfiltered));
	snprintf(id, sizeof(id), "%u:%08x", instance, (unsigned)c->spec.callid);
	srp_mp_w_str(w, id);
}

/* Lines of a rule, as far as there is room. */
struct definition {
	char text[SESSMGR_FILTERS_SHOWN + 1];
	size_t n;
};

static void add_line(void *arg, const char *text)
{
	struct definition *t = arg;
	size_t left = sizeof(t->text) - t->n, n = strlen(text) + (t->n ? 2 : 0);

	if (t->n == sizeof(t->text) - 1)
		return;
	snprintf(t->text + t->n, left, "%s%s", t->n ? "; " : "", text);
	t->n += n < left ? n : left - 1;
	if (n >= left)
		memcpy(t->text + t->n - 4, " ...", sizeof(" ..."));
}

/* Where a rule's charging and definition are: in the line of the rulebase, or in itself. */
static void put_definition(struct srp_mp_w *w, const struct ecs_service *svc,
                           const struct ecs_dynrule *d)
{
	const struct ecs_line *l = d->spec.predefined ? ecs_service_line(svc, d->line) : NULL;
	struct definition t = {.n = 0};

	srp_mp_w_str(w, l && l->action ? l->action->name : "");
	if (l) {
		ecs_service_print_rule(svc, l->rule_name, l->group, add_line, &t);
		srp_mp_w_str(w, t.text);
	} else {
		put_filters(w, &d->spec.filters, NULL);
	}
}

void sessmgr_rule_row(struct srp_mp_w *w, const struct ecs_service *svc, const struct ecs_dynrule *d)
{
	const struct ecs_dyn_spec *s = &d->spec;
	const struct ecs_line *l = s->predefined ? ecs_service_line(svc, d->line) : NULL;
	const struct ecs_charging_action *a = l ? l->action : NULL;
	uint8_t bound = ecs_dyn_bearer(d->session, d);

	srp_mp_w_uint(w, d->session->spec.callid);
	srp_mp_w_str(w, s->name);
	srp_mp_w_str(w, s->predefined ? "predefined" : "dynamic");
	srp_mp_w_uint(w, l ? l->priority : s->precedence);
	srp_mp_w_str(w, status_text[s->status < ECS_STATUS__N ? s->status : 0]);
	srp_mp_w_uint(w, bound);
	srp_mp_w_bool(w, s->bearer != 0);
	srp_mp_w_uint(w, s->qos.qci);
	srp_mp_w_uint(w, s->qos.arp);
	srp_mp_w_uint(w, s->qos.mbr[ECS_UPLINK]);
	srp_mp_w_uint(w, s->qos.mbr[ECS_DOWNLINK]);
	srp_mp_w_uint(w, a ? a->content_id : s->content_id);
	srp_mp_w_uint(w, a ? a->rating_group : s->rating_group);
	srp_mp_w_uint(w, a ? a->service_id : s->service_id);
	srp_mp_w_bool(w, !s->predefined || d->line != ECS_LINE_NONE);
	put_filters(w, &s->filters, d);
	put_definition(w, svc, d);
}

/* What has become of packets at a limit, of both directions. */
static void put_limit_sum(struct srp_mp_w *w, const struct ecs_limiter *m)
{
	static const enum ecs_colour shown[] = {ECS_CONFORMED, ECS_VIOLATED};

	for (size_t i = 0; i < 2; i++) {
		const struct ecs_limit_volume *up = m ? &m->way[ECS_UPLINK].n[shown[i]] : NULL;
		const struct ecs_limit_volume *down = m ? &m->way[ECS_DOWNLINK].n[shown[i]] : NULL;

		srp_mp_w_uint(w, m ? up->pkts + down->pkts : 0);
		srp_mp_w_uint(w, m ? up->bytes + down->bytes : 0);
	}
}

void sessmgr_bearer_row(struct srp_mp_w *w, const struct ecs_engine *e, const struct ecs_bearer *b)
{
	struct ecs_qos q = ecs_bearer_qos(b);

	srp_mp_w_uint(w, b->session->spec.callid);
	srp_mp_w_uint(w, b->id);
	srp_mp_w_str(w, b->id == ECS_BEARER_DEFAULT ? "default" : "dedicated");
	srp_mp_w_str(w, ecs_rat_text(b->session->rat));
	srp_mp_w_uint(w, q.qci);
	srp_mp_w_uint(w, q.arp);
	srp_mp_w_uint(w, q.mbr[ECS_UPLINK]);
	srp_mp_w_uint(w, q.mbr[ECS_DOWNLINK]);
	srp_mp_w_bool(w, b->updated);
	put_filters(w, b->tft, NULL);
	put_limit_sum(w, ecs_limiter_find(e, b->session->spec.callid, ECS_LIMIT_BEARER, b->id));
}

/* Bytes that a bucket has now, none where it owes some; of one that is full its size. */
static uint64_t tokens(struct ecs_bucket b, const struct ecs_rate *r, struct srp_time now)
{
	if (r->burst)
		ecs_bucket_fill(&b, r, now);
	if (b.at.us == 0)
		return r->burst;
	return b.level > 0 ? (uint64_t)(b.level / ECS_BUCKET_BYTE) : 0;
}

void sessmgr_limit_row(struct srp_mp_w *w, const struct ecs_limit_stats *stats,
                       const struct ecs_limiter *m, struct srp_time now)
{
	char id[24];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)m->id);
	srp_mp_w_uint(w, m->session->spec.callid);
	srp_mp_w_str(w, ecs_limit_text((enum ecs_limit_of)m->of));
	srp_mp_w_str(w, m->named && stats[m->stats].of == m->of ? stats[m->stats].name : "");
	srp_mp_w_str(w, m->of == ECS_LIMIT_BEARER || m->of == ECS_LIMIT_POLICY ? id : "");
	for (unsigned d = ECS_UPLINK; d <= ECS_DOWNLINK; d++) {
		const struct ecs_limiter_way *way = &m->way[d];

		srp_mp_w_uint(w, way->peak_rate.bits);
		srp_mp_w_uint(w, way->committed_rate.bits);
		srp_mp_w_uint(w, tokens(way->peak, &way->peak_rate, now));
		for (unsigned c = 0; c < ECS_COLOUR__N; c++) {
			srp_mp_w_uint(w, way->n[c].pkts);
			srp_mp_w_uint(w, way->n[c].bytes);
		}
	}
}
