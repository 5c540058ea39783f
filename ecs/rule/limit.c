/* limit: `flow limit-for-bandwidth` of charging-actions, and limits over several rules:
 * bandwidth-policies and QoS groups. */
#include "config.h"
#include "ecs/rule/limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/rule/action_own.h"
#include "ecs/rule/service_impl.h"

#define LINE_LEN 512
#define ALL_DIRS 3u

static const char *const over_words[] = {
#define X(sym, text) [ECS_OVER_##sym] = text,
	ECS_OVER_ACTIONS(X)
#undef X
};

static const char *const dir_words[] = {[ECS_UPLINK] = "uplink", [ECS_DOWNLINK] = "downlink"};

static void tell_num(ecs_tell_fn *tell, void *arg, unsigned indent, const char *label, uint32_t v,
                     const char *unit)
{
	char text[40];

	snprintf(text, sizeof(text), "%" PRIu32 "%s%s", v, unit[0] ? " " : "", unit);
	tell(arg, indent | ECS_TELL_NUMBER, label, text);
}

/* --- a limit of one direction ----------------------------------------------------------------- */

#define RATE_MAX UINT32_MAX
#define LIMIT_DEFAULT                                                                         \
	(struct ecs_bandwidth){.on = true, .peak = 256000, .peak_burst = 3000,                \
	                       .violate = ECS_OVER_DISCARD}
#define COMMITTED_DEFAULT       144000u
#define COMMITTED_BURST_DEFAULT 3000u

static int take_over(struct ecs_words *w, uint8_t *out, struct ecs_err *e)
{
	size_t k = ECS_OVER_NONE + 1;

	while (k < ECS_OVER__N && !ecs_words_take(w, over_words[k]))
		k++;
	if (k == ECS_OVER__N)
		return ecs_refuse(e, SRP_EINVAL, "expected discard or lower-ip-precedence");
	*out = (uint8_t)k;
	return 0;
}

static int take_rate(struct ecs_words *w, struct ecs_bandwidth *b, struct ecs_err *e)
{
	if (ecs_words_take(w, "peak-data-rate"))
		return ecs_words_num(w, "peak-data-rate", 1, RATE_MAX, &b->peak, e);
	if (ecs_words_take(w, "peak-burst-size"))
		return ecs_words_num(w, "peak-burst-size", 1, RATE_MAX, &b->peak_burst, e);
	if (ecs_words_take(w, "committed-data-rate"))
		return ecs_words_num(w, "committed-data-rate", 1, RATE_MAX, &b->committed, e);
	if (ecs_words_take(w, "committed-burst-size"))
		return ecs_words_num(w, "committed-burst-size", 1, RATE_MAX, &b->committed_burst,
		                     e);
	if (ecs_words_take(w, "violate-action"))
		return take_over(w, &b->violate, e);
	if (ecs_words_take(w, "exceed-action"))
		return take_over(w, &b->exceed, e);
	return ecs_refuse(e, SRP_EINVAL, "expected a rate, a burst or an action");
}

static int take_limit(struct ecs_words *w, struct ecs_bandwidth *out, struct ecs_err *e)
{
	struct ecs_bandwidth b = LIMIT_DEFAULT;
	int rc = 0;

	while (rc == 0 && w->n)
		rc = take_rate(w, &b, e);
	if (rc)
		return rc;
	b.has_committed = b.committed || b.committed_burst || b.exceed;
	if (b.has_committed && !b.committed)
		b.committed = COMMITTED_DEFAULT;
	if (b.has_committed && !b.committed_burst)
		b.committed_burst = COMMITTED_BURST_DEFAULT;
	if (b.committed > b.peak)
		return ecs_refuse(e, SRP_ERANGE, "expected a committed rate up to the peak rate");
	*out = b;
	return 0;
}

/** `direction uplink|downlink`, where it is next: a bit for each; 0: there is another word. */
static unsigned take_dirs(struct ecs_words *w)
{
	if (!w->n)
		return ALL_DIRS;
	if (!ecs_words_take(w, "direction"))
		return 0;
	for (unsigned d = ECS_UPLINK; d <= ECS_DOWNLINK; d++)
		if (ecs_words_take(w, dir_words[d]))
			return 1u << d;
	return 0;
}

/** Sets or clears the limits of the directions that are named; nothing changes where it refuses. */
static int set_limits(struct ecs_bandwidth limit[2], enum ecs_form form, struct ecs_words *w,
                      struct ecs_err *e)
{
	static const struct ecs_bandwidth off;
	bool set = form == ECS_FORM_SET;
	unsigned dirs = set && !w->n ? 0 : take_dirs(w);
	struct ecs_bandwidth to = off;
	int rc = 0;

	if (!dirs)
		return ecs_refuse(e, SRP_EINVAL, "expected direction uplink or downlink");
	if (set)
		rc = take_limit(w, &to, e);
	if (rc == 0)
		rc = ecs_words_end(w, e);
	for (unsigned d = ECS_UPLINK; rc == 0 && d <= ECS_DOWNLINK; d++)
		if (dirs & 1u << d)
			limit[d] = to;
	return rc;
}

static void print_limit(const struct ecs_bandwidth *b, const char *words, ecs_option_put_fn *put,
                        void *arg)
{
	char line[LINE_LEN], committed[128] = "";

	if (!b->on)
		return;
	if (b->has_committed)
		snprintf(committed, sizeof(committed),
		         " committed-data-rate %" PRIu32 " committed-burst-size %" PRIu32 "%s%s",
		         b->committed, b->committed_burst, b->exceed ? " exceed-action " : "",
		         over_words[b->exceed]);
	snprintf(line, sizeof(line),
	         "%s peak-data-rate %" PRIu32 " peak-burst-size %" PRIu32 " violate-action %s%s",
	         words, b->peak, b->peak_burst, over_words[b->violate], committed);
	put(arg, line);
}

static const char *over_label(uint8_t over)
{
	return over == ECS_OVER_LOWER ? "Lower-IP-Precedence"
	                              : over == ECS_OVER_DISCARD ? "Discard" : "None";
}

static void tell_limit(const struct ecs_bandwidth *b, const char *label, ecs_tell_fn *tell,
                       void *arg)
{
	tell(arg, 0, label, ecs_enabled_word(b->on));
	if (!b->on)
		return;
	tell_num(tell, arg, 1, "Peak Data Rate ", b->peak, "bits/second");
	tell_num(tell, arg, 1, "Peak Burst Size", b->peak_burst, "bytes");
	tell(arg, 1, "Violate Action ", over_label(b->violate));
	if (!b->has_committed)
		return;
	tell_num(tell, arg, 1, "Committed Data Rate", b->committed, "bits/second");
	tell_num(tell, arg, 1, "Committed Burst Size", b->committed_burst, "bytes");
	tell(arg, 1, "Exceed Action", over_label(b->exceed));
}

/* --- flow limit-for-bandwidth of a charging-action -------------------------------------------- */

int own_LIMIT_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	struct ecs_bandwidth limit[2] = {
		[ECS_UPLINK] = a->limit_up, [ECS_DOWNLINK] = a->limit_down};
	bool all = form != ECS_FORM_SET && !w.n, id = !all && ecs_words_take(&w, "id");
	uint32_t v = 0;
	int rc = 0;

	if (id && form == ECS_FORM_SET)
		rc = ecs_words_num(&w, "id", 1, RATE_MAX, &v, e);
	if (id && rc == 0)
		rc = ecs_words_end(&w, e);
	else if (!id)
		rc = set_limits(limit, form, &w, e);
	if (rc)
		return rc;
	if (id || all)
		a->bandwidth_id = v;
	a->limit_up = limit[ECS_UPLINK];
	a->limit_down = limit[ECS_DOWNLINK];
	return 0;
}

void own_LIMIT_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[64];

	print_limit(&a->limit_up, "flow limit-for-bandwidth direction uplink", put, arg);
	print_limit(&a->limit_down, "flow limit-for-bandwidth direction downlink", put, arg);
	if (!a->bandwidth_id)
		return;
	snprintf(line, sizeof(line), "flow limit-for-bandwidth id %" PRIu32, a->bandwidth_id);
	put(arg, line);
}

void own_LIMIT_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;

	tell(arg, 0, "Limit For Flow Type", ecs_enabled_word(false));
	tell_num(tell, arg, 0, "Bandwidth ID", a->bandwidth_id, "");
	tell_limit(&a->limit_up, "Limit For Uplink Bandwidth", tell, arg);
	tell_limit(&a->limit_down, "Limit For Downlink Bandwidth", tell, arg);
}

/* --- rows of a bandwidth-policy and of a QoS group -------------------------------------------- */

#define ECS_POLICY(sym, ...)                                                                  \
	static ecs_option_set_fn policy_##sym##_set;                                          \
	static ecs_option_print_fn policy_##sym##_print;
#define ECS_QOS_GROUP(sym, ...)                                                               \
	static ecs_option_set_fn qos_##sym##_set;                                             \
	static ecs_option_print_fn qos_##sym##_print;
#include "ecs/rule/limit.def"

static const struct ecs_option policy_rows[] = {
#define ECS_POLICY(sym, words_, pattern, unset, help)                                             \
	{.words = words_, .type = ECS_OPTION_OWN, .set = policy_##sym##_set,                       \
	 .print = policy_##sym##_print},
#include "ecs/rule/limit.def"
};

static const struct ecs_option qos_rows[] = {
#define ECS_QOS_GROUP(sym, words_, pattern, unset, help)                                          \
	{.words = words_, .type = ECS_OPTION_OWN, .set = qos_##sym##_set,                          \
	 .print = qos_##sym##_print},
#include "ecs/rule/limit.def"
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

/** Makes room for one element at @p at of an array of @p *n; NULL: refused in @p e. */
static void *insert(void **v, size_t *n, size_t at, size_t size, size_t max, const char *what,
                    struct ecs_err *e, int *rc)
{
	char *p = *n < max ? ecs_array_more(*v, *n, size) : NULL;

	if (!p) {
		*rc = *n < max ? ecs_refuse(e, SRP_ENOMEM, "out of memory")
		               : ecs_refuse(e, SRP_EFULL, "expected at most %zu %s", max, what);
		return NULL;
	}
	*v = p;
	memmove(p + (at + 1) * size, p + at * size, (*n - at) * size);
	memset(p + at * size, 0, size);
	++*n;
	return p + at * size;
}

static void take_out(void *v, size_t *n, size_t at, size_t size)
{
	char *p = v;

	--*n;
	memmove(p + at * size, p + (at + 1) * size, (*n - at) * size);
}

/* --- bandwidth-policy ------------------------------------------------------------------------- */

static int policy_FLOW_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_bandwidth_policy *p = obj;
	uint32_t id = 0, group = 0;
	void *v = p->flow;
	size_t at = 0;
	int rc;

	if (form == ECS_FORM_DEFAULT && !w.n)
		return 0; /* it begins without */
	rc = ecs_words_num(&w, "id", 1, RATE_MAX, &id, e);
	if (rc == 0 && form == ECS_FORM_SET && !ecs_words_take(&w, "group-id"))
		rc = ecs_refuse(e, SRP_EINVAL, "expected group-id");
	if (rc == 0 && form == ECS_FORM_SET)
		rc = ecs_words_num(&w, "group-id", 1, RATE_MAX, &group, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	while (at < p->nflows && p->flow[at].id < id)
		at++;
	if (form != ECS_FORM_SET) {
		if (at < p->nflows && p->flow[at].id == id)
			take_out(p->flow, &p->nflows, at, sizeof(*p->flow));
		return 0;
	}
	if (at == p->nflows || p->flow[at].id != id) {
		if (!insert(&v, &p->nflows, at, sizeof(*p->flow), ECS_POLICY_LINES_MAX, "ids", e,
		            &rc))
			return rc;
		p->flow = v;
	}
	p->flow[at] = (struct ecs_policy_flow){id, group};
	return 0;
}

static void policy_FLOW_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_bandwidth_policy *p = obj;
	char line[96];

	for (size_t i = 0; i < p->nflows; i++) {
		snprintf(line, sizeof(line),
		         "flow limit-for-bandwidth id %" PRIu32 " group-id %" PRIu32,
		         p->flow[i].id, p->flow[i].group);
		put(arg, line);
	}
}

static int policy_GROUP_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_bandwidth_policy *p = obj;
	struct ecs_bandwidth limit[2] = {{0}, {0}};
	void *v = p->group;
	uint32_t id = 0;
	size_t at = 0;
	bool there;
	int rc;

	if (form == ECS_FORM_DEFAULT && !w.n)
		return 0;
	rc = ecs_words_num(&w, "group-id", 1, RATE_MAX, &id, e);
	if (rc)
		return rc;
	while (at < p->ngroups && p->group[at].id < id)
		at++;
	there = at < p->ngroups && p->group[at].id == id;
	if (there)
		memcpy(limit, p->group[at].limit, sizeof(limit));
	rc = set_limits(limit, form, &w, e);
	if (rc)
		return rc;
	if (!limit[0].on && !limit[1].on) {
		if (there)
			take_out(p->group, &p->ngroups, at, sizeof(*p->group));
		return 0;
	}
	if (!there) {
		if (!insert(&v, &p->ngroups, at, sizeof(*p->group), ECS_POLICY_LINES_MAX, "groups",
		            e, &rc))
			return rc;
		p->group = v;
	}
	p->group[at].id = id;
	memcpy(p->group[at].limit, limit, sizeof(limit));
	return 0;
}

static void policy_GROUP_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_bandwidth_policy *p = obj;
	char words[64];

	for (size_t i = 0; i < p->ngroups; i++)
		for (unsigned d = ECS_UPLINK; d <= ECS_DOWNLINK; d++) {
			snprintf(words, sizeof(words), "group-id %" PRIu32 " direction %s",
			         p->group[i].id, dir_words[d]);
			print_limit(&p->group[i].limit[d], words, put, arg);
		}
}

const struct ecs_policy_group *ecs_policy_find(const struct ecs_bandwidth_policy *p, uint32_t id)
{
	uint32_t group = 0;

	for (size_t i = 0; p && i < p->nflows; i++)
		if (p->flow[i].id == id)
			group = p->flow[i].group;
	for (size_t i = 0; group && i < p->ngroups; i++)
		if (p->group[i].id == group)
			return &p->group[i];
	return NULL;
}

/* --- qos-group-of-ruledefs -------------------------------------------------------------------- */

static int set_member(struct ecs_qos_group *g, enum ecs_form form, struct ecs_words *w, bool group,
                      struct ecs_err *e)
{
	const char *what = group ? "group-of-ruledefs" : "ruledef";
	char name[ECS_NAME_MAX + 1] = "";
	void *v = g->member;
	size_t at = 0;
	bool there;
	int rc;

	if (form == ECS_FORM_DEFAULT && !w->n)
		return 0;
	rc = ecs_words_name(w, what, name, e);
	if (rc == 0)
		rc = ecs_words_end(w, e);
	if (rc)
		return rc;
	while (at < g->n && strcmp(g->member[at].name, name) < 0)
		at++;
	there = at < g->n && strcmp(g->member[at].name, name) == 0;
	if (there && form != ECS_FORM_SET && g->member[at].group == group)
		take_out(g->member, &g->n, at, sizeof(*g->member));
	if (form != ECS_FORM_SET)
		return 0;
	if (!there) {
		if (!insert(&v, &g->n, at, sizeof(*g->member), ECS_QOS_MEMBERS_MAX, "members", e,
		            &rc))
			return rc;
		g->member = v;
	}
	ecs_name_copy(g->member[at].name, name);
	g->member[at].group = group;
	return 0;
}

static void print_members(const struct ecs_qos_group *g, bool group, const char *words,
                          ecs_option_put_fn *put, void *arg)
{
	char line[ECS_NAME_MAX + 32];

	for (size_t i = 0; i < g->n; i++) {
		if (g->member[i].group != group)
			continue;
		snprintf(line, sizeof(line), "%s %s", words, g->member[i].name);
		put(arg, line);
	}
}

static int qos_RULEDEF_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	return set_member(obj, form, &w, false, e);
}

static void qos_RULEDEF_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	print_members(obj, false, "add-ruledef", put, arg);
}

static int qos_GROUP_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	return set_member(obj, form, &w, true, e);
}

static void qos_GROUP_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	print_members(obj, true, "add-group-of-ruledef", put, arg);
}

static int qos_LIMIT_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	return set_limits(((struct ecs_qos_group *)obj)->limit, form, &w, e);
}

static void qos_LIMIT_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_qos_group *g = obj;

	print_limit(&g->limit[ECS_UPLINK], "flow limit-for-bandwidth direction uplink", put, arg);
	print_limit(&g->limit[ECS_DOWNLINK], "flow limit-for-bandwidth direction downlink", put,
	            arg);
}

/* --- the objects ------------------------------------------------------------------------------ */

void ecs_policy_fini(struct obj *o)
{
	struct bandwidth_policy *p = (struct bandwidth_policy *)(void *)o;

	free(p->pub.group);
	free(p->pub.flow);
}

void ecs_qos_group_fini(struct obj *o)
{
	free(((struct qos_group *)(void *)o)->pub.member);
}

struct ecs_bandwidth_policy *ecs_service_bandwidth_policy(struct ecs_service *s, const char *name,
                                                          bool no, struct ecs_err *e)
{
	struct bandwidth_policy *p;
	struct obj *o;

	if (e)
		e->text[0] = '\0';
	if (ecs_rule_open(s, e) || ecs_obj_open(&s->policies, name, no, e, &o) || !o)
		return NULL;
	p = (struct bandwidth_policy *)(void *)o;
	ecs_name_copy(p->pub.name, name);
	return &p->pub;
}

int ecs_bandwidth_policy_set(struct ecs_bandwidth_policy *p, enum ecs_form form,
                             const char *const *w, size_t n, struct ecs_err *e)
{
	return ecs_options_set(policy_rows, N(policy_rows), p, form, w, n, e);
}

void ecs_policy_print(const struct ecs_bandwidth_policy *p,
                      void (*put)(void *arg, const char *line), void *arg)
{
	ecs_options_print(policy_rows, N(policy_rows), p, false, put, arg);
}

struct ecs_qos_group *ecs_service_qos_group(struct ecs_service *s, const char *name, bool no,
                                            struct ecs_err *e)
{
	struct qos_group *g;
	struct obj *o;

	if (e)
		e->text[0] = '\0';
	if (ecs_rule_open(s, e) || ecs_obj_open(&s->qos_groups, name, no, e, &o) || !o)
		return NULL;
	g = (struct qos_group *)(void *)o;
	ecs_name_copy(g->pub.name, name);
	return &g->pub;
}

int ecs_qos_group_set(struct ecs_qos_group *g, enum ecs_form form, const char *const *w, size_t n,
                      struct ecs_err *e)
{
	return ecs_options_set(qos_rows, N(qos_rows), g, form, w, n, e);
}

void ecs_qos_group_print(const struct ecs_qos_group *g,
                         void (*put)(void *arg, const char *line), void *arg)
{
	ecs_options_print(qos_rows, N(qos_rows), g, false, put, arg);
}
