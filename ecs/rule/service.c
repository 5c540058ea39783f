#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOW_CHKPT_MAX     300u
#define L4_FLOWS_MAX       2147483647u
#define LIFETIME_MAX       2592000u /* 30 days */
#define SYNC_MIN_S         4u
#define SYNC_MAX_S         60u

static const uint32_t lifetimes_default[ECS_LIFETIMES] = {0, 10, 60};

int ecs_refuse(struct ecs_err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

int ecs_rule_open(const struct ecs_service *s, struct ecs_err *e)
{
	if (s->frozen)
		return ecs_refuse(e, SRP_ESTATE, "the service is committed and cannot be changed");
	return 0;
}

int ecs_name_check(const char *name, const char *what, struct ecs_err *e)
{
	size_t n = name ? strlen(name) : 0;

	if (n < 1 || n > ECS_NAME_MAX)
		return ecs_refuse(e, SRP_EINVAL,
				  "expected a %s name of 1 to %d characters, not %zu", what,
				  ECS_NAME_MAX, n);
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("\"\\|?", name[i]) || name[0] == '#')
			return ecs_refuse(
				e, SRP_EINVAL,
				"expected a %s name of printable characters without blank, "
				"\" \\ | ? and a leading #",
				what);
	return 0;
}

int ecs_text_check(const char *text, const char *what, size_t max, struct ecs_err *e)
{
	size_t n = strlen(text);

	if (n < 1 || n > max)
		return ecs_refuse(e, SRP_ERANGE, "expected a %s of 1 to %zu characters", what, max);
	for (const char *t = text; *t; t++)
		if (*t < ' ' || *t > '~' || *t == '"' || *t == '\\')
			return ecs_refuse(e, SRP_EINVAL, "expected printable characters without "
			                                 "\" and \\");
	return 0;
}

void ecs_name_copy(char out[ECS_NAME_MAX + 1], const char *name)
{
	memset(out, 0, ECS_NAME_MAX + 1);
	memcpy(out, name, strnlen(name, ECS_NAME_MAX));
}

void *ecs_array_more(void *v, size_t n, size_t size)
{
	if (n & (n - 1)) /* room up to the next power of two */
		return v;
	return realloc(v, (n ? n * 2 : 1) * size);
}

const struct ecs_timeouts ecs_timeouts_default = {
#define X(member, words, value, acts) .member = (value),
	ECS_TIMEOUTS(X)
#undef X
	.other = 300,
};

/* --- tables of named objects ------------------------------------------------------------------ */

static size_t name_hash(const struct obj_table *t, const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return (h ^ (h >> 15)) & (t->nbuckets - 1);
}

struct obj *ecs_obj_find(const struct obj_table *t, const char *name)
{
	struct obj *o;

	if (!t->nbuckets || !name)
		return NULL;
	for (o = t->bucket[name_hash(t, name)]; o; o = o->hash_next)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

struct obj *ecs_obj_need(const struct obj_table *t, const char *name, struct ecs_err *e)
{
	struct obj *o = ecs_obj_find(t, name);

	if (!o)
		ecs_refuse(e, SRP_ENOENT, "no %s is named %.*s", t->what, ECS_NAME_MAX,
			   name ? name : "");
	return o;
}

int ecs_obj_edit(const struct ecs_service *s, const struct obj_table *t, const char *name,
                 struct obj **out, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	*out = rc ? NULL : ecs_obj_need(t, name, e);
	return rc || *out ? rc : SRP_ENOENT;
}

static int obj_grow(struct obj_table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 16;
	struct obj **v = realloc(t->v, cap * sizeof(*v));
	struct obj **bucket;

	if (!v)
		return SRP_ENOMEM;
	t->v = v;
	bucket = calloc(cap, sizeof(struct obj *));
	if (!bucket)
		return SRP_ENOMEM;
	free(t->bucket);
	t->bucket = bucket;
	t->nbuckets = t->cap = cap;
	for (size_t i = 0; i < t->n; i++) {
		size_t h = name_hash(t, v[i]->name);

		v[i]->hash_next = bucket[h];
		bucket[h] = v[i];
	}
	return 0;
}

static void obj_remove(struct obj_table *t, struct obj *o)
{
	struct obj **pp = &t->bucket[name_hash(t, o->name)];

	while (*pp != o)
		pp = &(*pp)->hash_next;
	*pp = o->hash_next;
	memmove(t->v + o->index, t->v + o->index + 1,
	        (t->n - o->index - 1) * sizeof(struct obj *));
	t->n--;
	for (size_t i = o->index; i < t->n; i++)
		t->v[i]->index = (uint32_t)i;
	if (t->fini)
		t->fini(o);
	free(o);
}

int ecs_obj_open(struct obj_table *t, const char *name, bool no, struct ecs_err *e,
		 struct obj **out)
{
	int rc = ecs_name_check(name, t->what, e);
	struct obj *o;
	size_t h;

	if (rc)
		return rc;
	if (no) {
		o = ecs_obj_need(t, name, e);
		if (!o)
			return SRP_ENOENT;
		obj_remove(t, o);
		*out = NULL;
		return 0;
	}
	*out = ecs_obj_find(t, name);
	if (*out)
		return 0;
	if (t->n >= t->max)
		return ecs_refuse(e, SRP_EFULL, "expected at most %zu %s%s", t->max, t->what,
				  t->what[strlen(t->what) - 1] == 's' ? "" : "s");
	if (t->n == t->cap && obj_grow(t))
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	o = calloc(1, t->size);
	if (!o)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	ecs_name_copy(o->name, name);
	o->index = (uint32_t)t->n;
	t->v[t->n++] = o;
	h = name_hash(t, name);
	o->hash_next = t->bucket[h];
	t->bucket[h] = o;
	*out = o;
	return 0;
}

static void obj_table_fini(struct obj_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->fini)
			t->fini(t->v[i]);
		free(t->v[i]);
	}
	free(t->v);
	free(t->bucket);
}

/* --- what an object owns ---------------------------------------------------------------------- */

static void ruledef_fini(struct obj *o)
{
	struct ruledef *r = (struct ruledef *)(void *)o;

	for (size_t i = 0; i < r->n; i++) {
		free(r->lines[i].key);
		free(r->lines[i].a);
		free(r->lines[i].b);
	}
	free(r->lines);
}

static void group_fini(struct obj *o)
{
	free(((struct group *)(void *)o)->members);
}

static void rulebase_fini(struct obj *o)
{
	struct rulebase *rb = (struct rulebase *)(void *)o;

	ecs_rulebase_free_lists(rb);
	free(rb->lines);
}

static void scheme_fini(struct obj *o)
{
	struct scheme *ss = (struct scheme *)(void *)o;

	free(ss->prio);
	for (unsigned t = 0; t < ECS_TRIGGER__N; t++)
		free(ss->other[t].prio);
}

static void base_fini(struct obj *o)
{
	free(((struct subs_base *)(void *)o)->prio);
}

/* --- the service ------------------------------------------------------------------------------ */

#define TABLE(type, word, limit, f)                                                          \
	(struct obj_table){.size = sizeof(struct type), .what = word, .max = limit, .fini = f}

struct ecs_service *ecs_service_new(const char *name)
{
	struct ecs_service *s;

	if (ecs_name_check(name, "service", NULL))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	ecs_name_copy(s->name, name);
	s->ruledefs = TABLE(ruledef, "ruledef", ECS_RULEDEFS_MAX, ruledef_fini);
	s->groups = TABLE(group, "group-of-ruledefs", ECS_GROUPS_MAX, group_fini);
	s->rulebases = TABLE(rulebase, "rulebase", RULEBASES_MAX, rulebase_fini);
	s->actions = TABLE(action, "charging-action", ECS_ACTIONS_MAX, NULL);
	s->trigger_actions = TABLE(trigger_action, "trigger-action", SMALL_MAX, NULL);
	s->conditions = TABLE(trigger_condition, "trigger-condition", SMALL_MAX, NULL);
	s->policies = TABLE(bandwidth_policy, "bandwidth-policy", ECS_POLICIES_MAX, ecs_policy_fini);
	s->qos_groups = TABLE(qos_group, "qos-group-of-ruledefs", ECS_QOS_GROUPS_MAX,
	                      ecs_qos_group_fini);
	s->filters = TABLE(packet_filter, "packet-filter", ECS_FILTERS_MAX, NULL);
	s->records[ECS_RECORD_EDR] = TABLE(record_format, "edr-format", ECS_RECORDS_MAX, NULL);
	s->records[ECS_RECORD_UDR] = TABLE(record_format, "udr-format", ECS_RECORDS_MAX, NULL);
	s->xheaders = TABLE(xheader, "xheader-format", ECS_XHEADERS_MAX, NULL);
	s->cf_policies = TABLE(cf_policy, "content-filtering policy", ECS_CF_POLICIES_MAX, ecs_cf_policy_fini);
	s->raters = TABLE(rater, "content-filtering server-group", ECS_RATERS_MAX, NULL);
	s->schemes = TABLE(scheme, "service-scheme", SCHEMES_MAX, scheme_fini);
	s->classes = TABLE(subs_class, "subs-class", RULEBASES_MAX, NULL);
	s->bases = TABLE(subs_base, "subscriber-base", RULEBASES_MAX, base_fini);
	s->host_pools = TABLE(pool, "host-pool", ECS_POOLS_MAX, ecs_hosts_fini);
	s->port_maps = TABLE(pool, "port-map", ECS_POOLS_MAX, ecs_hosts_fini);
	s->imsi_pools = TABLE(pool, "imsi-pool", ECS_POOLS_MAX, ecs_hosts_fini);
	s->timedefs = TABLE(timedef, "timedef", ECS_TIMEDEFS_MAX, ecs_timedef_fini);
	s->timeouts = ecs_timeouts_default;
	s->flow_chkpt = ECS_FLOW_CHKPT_DEFAULT;
	memcpy(s->lifetimes, lifetimes_default, sizeof(s->lifetimes));
	return s;
}

void ecs_service_free(struct ecs_service *s)
{
	if (!s)
		return;
	ecs_compiled_drop(s);
	obj_table_fini(&s->ruledefs);
	obj_table_fini(&s->groups);
	obj_table_fini(&s->rulebases);
	obj_table_fini(&s->actions);
	obj_table_fini(&s->trigger_actions);
	obj_table_fini(&s->conditions);
	obj_table_fini(&s->schemes);
	obj_table_fini(&s->classes);
	obj_table_fini(&s->bases);
	obj_table_fini(&s->xheaders);
	obj_table_fini(&s->filters);
	obj_table_fini(&s->cf_policies);
	obj_table_fini(&s->raters);
	ecs_detect_free(s);
	for (unsigned i = 0; i < ECS_DB__N; i++)
		ecs_db_unref(s->db[i].db);
	obj_table_fini(&s->policies);
	obj_table_fini(&s->qos_groups);
	for (unsigned i = 0; i < ECS_RECORD_KIND__N; i++)
		obj_table_fini(&s->records[i]);
	obj_table_fini(&s->host_pools);
	obj_table_fini(&s->port_maps);
	obj_table_fini(&s->imsi_pools);
	obj_table_fini(&s->timedefs);
	free(s);
}

const char *ecs_service_name(const struct ecs_service *s)
{
	return s->name;
}

uint64_t ecs_service_digest(const struct ecs_service *s)
{
	return s->digest;
}

struct ecs_timeouts *ecs_service_timeouts(struct ecs_service *s)
{
	return &s->timeouts;
}

const struct ecs_timeouts *ecs_service_idle(const struct ecs_service *s)
{
	return &s->timeouts;
}

int ecs_service_flow_chkpt_per_call(struct ecs_service *s, uint32_t n, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (n < 1 || n > FLOW_CHKPT_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a number of flows from 1 to %u",
				  FLOW_CHKPT_MAX);
	s->flow_chkpt = n;
	return 0;
}

uint32_t ecs_service_flow_chkpt_limit(const struct ecs_service *s)
{
	return s->flow_chkpt;
}

int ecs_service_lifetimes(struct ecs_service *s, const uint32_t *from, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (!from)
		from = lifetimes_default;
	for (size_t i = 0; i < ECS_LIFETIMES; i++) {
		if (from[i] > LIFETIME_MAX)
			return ecs_refuse(e, SRP_ERANGE, "expected seconds from 0 to %u", LIFETIME_MAX);
		if (i && from[i] <= from[i - 1])
			return ecs_refuse(e, SRP_EINVAL,
			                  "expected more than %u seconds: each bucket begins later than "
			                  "the one before", from[i - 1]);
	}
	memcpy(s->lifetimes, from, sizeof(s->lifetimes));
	return 0;
}

bool ecs_service_lifetimes_default(const struct ecs_service *s)
{
	return memcmp(s->lifetimes, lifetimes_default, sizeof(s->lifetimes)) == 0;
}

const uint32_t *ecs_service_lifetimes_from(const struct ecs_service *s)
{
	return s->lifetimes;
}

int ecs_service_l4_flows(struct ecs_service *s, uint32_t n, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (n > L4_FLOWS_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a number of flows from 1 to %u",
				  L4_FLOWS_MAX);
	s->l4_flows = n;
	return 0;
}

uint32_t ecs_service_l4_flows_limit(const struct ecs_service *s)
{
	return s->l4_flows;
}

int ecs_service_sync_timer(struct ecs_service *s, bool icsr, uint32_t seconds, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (seconds && (seconds < SYNC_MIN_S || seconds > SYNC_MAX_S))
		return ecs_refuse(e, SRP_ERANGE, "expected a sync-timer from %u to %u seconds",
				  SYNC_MIN_S, SYNC_MAX_S);
	if (icsr)
		s->sync_icsr_s = seconds;
	else
		s->sync_sr_s = seconds;
	return 0;
}

uint32_t ecs_service_sync_time(const struct ecs_service *s, bool icsr)
{
	return icsr ? s->sync_icsr_s : s->sync_sr_s;
}

int ecs_service_recover(struct ecs_service *s, enum ecs_recover what, bool on, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc == 0)
		s->recover = on ? s->recover | 1u << what : s->recover & ~(1u << what);
	return rc;
}

bool ecs_service_keeps(const struct ecs_service *s, enum ecs_recover what)
{
	return s->recover >> what & 1;
}
