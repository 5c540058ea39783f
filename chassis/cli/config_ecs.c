#include <config.h>
#include "chassis/cli/config_impl.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "srp/err.h"

/** Opens, or with no removes, an object by name. */
typedef int open_fn(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);

static open_fn *const open_by_kind[ECS_OBJ__N] = {
	[ECS_OBJ_RULEDEF] = ecs_service_ruledef,
	[ECS_OBJ_GROUP] = ecs_service_group,
	[ECS_OBJ_RULEBASE] = ecs_service_rulebase,
	[ECS_OBJ_TRIGACT] = ecs_service_trigger_action,
	[ECS_OBJ_TRIGCOND] = ecs_service_trigger_condition,
	[ECS_OBJ_SCHEME] = ecs_service_scheme,
	[ECS_OBJ_SUBSCLASS] = ecs_service_subs_class,
	[ECS_OBJ_SUBSBASE] = ecs_service_subs_base,
	[ECS_OBJ_HOSTPOOL] = ecs_service_host_pool,
	[ECS_OBJ_PORTMAP] = ecs_service_port_map,
	[ECS_OBJ_IMSIPOOL] = ecs_service_imsi_pool,
	[ECS_OBJ_TIMEDEF] = ecs_service_timedef,
	[ECS_OBJ_XHEADER] = ecs_service_xheader,
};

static const char *const ops[ECS_OP__N] = {
#define X(sym, text) [ECS_OP_##sym] = text,
	ECS_OPS(X)
#undef X
};

static struct ecs_service *service(const struct cfg *c)
{
	return c->conf->service;
}

static bool no(const struct chassis_match *m)
{
	return chassis_match_has(m, "no");
}

/* The operator that was typed: the last keyword that is one. */
static enum ecs_op op_of(const struct chassis_match *m)
{
	for (size_t i = m->n; i > 0; i--)
		for (unsigned op = 0; op < ECS_OP__N && m->arg[i - 1].keyword; op++)
			if (strlen(ops[op]) == m->arg[i - 1].key_len &&
			    memcmp(ops[op], m->arg[i - 1].key, m->arg[i - 1].key_len) == 0)
				return (enum ecs_op)op;
	return ECS_OP__N;
}

int cfg_acs(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *name = chassis_match_text(m, "name");

	(void)arg;
	if (service(c)) {
		if (strcmp(ecs_service_name(service(c)), name) != 0)
			return cfg_refuse(c, "name", "expected %s: there is one service only",
			                  ecs_service_name(service(c)));
		return SRP_OK;
	}
	c->conf->service = ecs_service_new(name);
	if (!service(c))
		return cfg_refuse(c, "name", "expected a name that a service can have");
	ecs_service_trust(service(c), c->trusted);
	return SRP_OK;
}

int cfg_acs_remove(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	if (!service(c) || strcmp(ecs_service_name(service(c)), chassis_match_text(m, "name")) != 0)
		return cfg_refuse(c, "name", "expected the name of the service");
	ecs_service_free(service(c));
	c->conf->service = NULL;
	return SRP_OK;
}

int cfg_ecs_open(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	return cfg_told(c, open_by_kind[arg](service(c), chassis_match_text(m, "name"), no(m), &c->why),
	            "name");
}

int cfg_ecs_idle(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	static const struct {
		const char *words;
		size_t at;
	} rows[] = {
#define X(member, words, value, acts) {words, offsetof(struct ecs_timeouts, member)},
		ECS_TIMEOUTS(X)
#undef X
	};
	static const char *const said[] = {"flow-mapping", "tcp", "udp", "icmp", "alg-media",
	                                   "half-open"};
	char words[40] = "";

	(void)arg;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (chassis_match_has(m, said[i]))
			snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s",
			         words[0] ? " " : "", said[i]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].words, words) == 0) {
			char *t = (char *)ecs_service_timeouts(service(c)) + rows[i].at;
			const char *std = (const char *)&ecs_timeouts_default + rows[i].at;
			uint32_t v = 0;

			if (!no(m))
				memcpy(&v, std, sizeof(v));
			v = (uint32_t)chassis_match_num(m, "num", v);
			memcpy(t, &v, sizeof(v));
		}
	return SRP_OK;
}

int cfg_ecs_limit(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	uint32_t n = (uint32_t)chassis_match_num(m, "num", ECS_FLOW_CHKPT_DEFAULT);

	(void)arg;
	if (n != ECS_FLOW_CHKPT_DEFAULT && cfg_need_key(c, CHASSIS_LICENSE_FLOW_RECOVERY) != SRP_OK)
		return SRP_EINVAL;
	return cfg_told(c, ecs_service_flow_chkpt_per_call(service(c), n, &c->why), "num");
}

int cfg_ecs_lifetimes(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const uint32_t from[ECS_LIFETIMES] = {(uint32_t)chassis_match_num(m, "first", 0),
	                                      (uint32_t)chassis_match_num(m, "second", 0),
	                                      (uint32_t)chassis_match_num(m, "third", 0)};
	bool set = chassis_match_text(m, "first") != NULL;

	(void)arg;
	if (set && cfg_need_key(c, CHASSIS_LICENSE_FLOW_RECOVERY) != SRP_OK)
		return SRP_EINVAL;
	return cfg_told(c, ecs_service_lifetimes(service(c), set ? from : NULL, &c->why), NULL);
}

/* --- rules ---------------------------------------------------------------------------------- */

int cfg_ecs_rule_line(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct ecs_rule_words w = {
		.field = (enum ecs_field)arg,
		.op = op_of(m),
		.case_sensitive = chassis_match_has(m, "case-sensitive"),
		.key = chassis_match_text(m, "key"),
		.pool = chassis_match_arg(m, "pool") != NULL,
		.a = chassis_match_text(m, chassis_match_arg(m, "pool") ? "pool" : "a"),
		.b = chassis_match_text(m, "b"),
	};
	static const char *const words[] = {"TRUE", "FALSE", "ipv4", "ipv6"};

	for (size_t i = 0; !w.a && i < sizeof(words) / sizeof(words[0]); i++)
		if (chassis_match_has(m, words[i]))
			w.a = words[i];
	return cfg_told(c, ecs_service_rule_put(service(c), cfg_name(c), no(m), &w, &c->why), NULL);
}

int cfg_ecs_tethered(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const struct ecs_rule_words w = {
		.field = ECS_F_TETHERED,
		.op = ECS_OP_EQ,
		.a = chassis_match_has(m, "flow-tethered") ? "TRUE" : "FALSE",
	};

	(void)arg;
	return cfg_told(c, ecs_service_rule_put(service(c), cfg_name(c), no(m), &w, &c->why), NULL);
}

int cfg_ecs_application(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	enum ecs_application appl = chassis_match_has(m, "routing")           ? ECS_APPL_ROUTING
	                            : chassis_match_has(m, "post-processing") ? ECS_APPL_POST_PROCESSING
	                                                                      : ECS_APPL_CHARGING;

	(void)arg;
	return cfg_told(c, ecs_service_rule_application(service(c), cfg_name(c), appl, &c->why), NULL);
}

int cfg_ecs_pool_line(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	static int (*const put[])(struct ecs_service *s, const char *pool, bool no, const char *a,
	                          const char *b, struct ecs_err *e) = {
		ecs_service_host_line, ecs_service_port_line, ecs_service_imsi_line,
	};
	const char *a = chassis_match_text(m, "a"), *b = chassis_match_text(m, "b");

	if (!a)
		a = chassis_match_text(m, arg ? "num" : "prefix");
	return cfg_told(c, put[arg](service(c), cfg_name(c), no(m), a, b, &c->why), NULL);
}

/* The days that were typed, in their order: Sunday where there are none. */
static void days_of(const struct chassis_match *m, uint32_t day[2])
{
	size_t n = 0;

	day[0] = day[1] = 0;
	for (size_t i = 0; i < m->n && n < 2; i++)
		for (unsigned d = 0; d < ECS_DAY__N && m->arg[i].keyword; d++) {
			const char *name = ecs_day_name(d);

			if (n < 2 && strlen(name) == m->arg[i].key_len &&
			    memcmp(name, m->arg[i].key, m->arg[i].key_len) == 0)
				day[n++] = d;
		}
}

static uint32_t seconds_of(const struct chassis_match *m, uint32_t day, const char *h,
                           const char *min, const char *s)
{
	return ((day * 24 + (uint32_t)chassis_match_num(m, h, 0)) * 60 +
	        (uint32_t)chassis_match_num(m, min, 0)) * 60 + (uint32_t)chassis_match_num(m, s, 0);
}

int cfg_ecs_timeslot(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct ecs_timeslot slot = {.days = arg != 0};
	uint32_t day[2];

	days_of(m, day);
	slot.from = seconds_of(m, day[0], "h", "m", "s");
	slot.to = seconds_of(m, day[1], "eh", "em", "es");
	return cfg_told(c, ecs_service_timeslot(service(c), cfg_name(c), no(m), &slot, &c->why),
	                NULL);
}

int cfg_ecs_recover(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	bool on = !no(m) && !chassis_match_has(m, "default");

	if (on && cfg_need_key(c, CHASSIS_LICENSE_FLOW_RECOVERY) != SRP_OK)
		return SRP_EINVAL;
	return cfg_told(c, ecs_service_recover(service(c), (enum ecs_recover)arg, on, &c->why), NULL);
}

int cfg_ecs_or(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	bool on = !no(m) && !chassis_match_has(m, "default");

	return cfg_told(c, arg ? ecs_service_subs_or(service(c), cfg_name(c), on, &c->why)
	                   : ecs_service_rule_or(service(c), cfg_name(c), on, &c->why), NULL);
}

int cfg_ecs_detect(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	int rc = SRP_OK;

	(void)arg;
	if (chassis_match_has(m, "all"))
		return cfg_told(c, ecs_service_detect(service(c), NULL, no(m), &c->why), NULL);
	for (size_t i = 0; rc == SRP_OK && i < m->n; i++)
		if (!m->arg[i].keyword)
			rc = cfg_told(c, ecs_service_detect(service(c), m->arg[i].text, no(m), &c->why),
			              NULL);
	return rc;
}

int cfg_ecs_detect_behavior(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	int rc = SRP_OK;

	(void)arg;
	if (chassis_match_has(m, "all"))
		return cfg_told(c, ecs_service_detect_behavior(service(c), 0, no(m), &c->why), NULL);
	for (uint8_t b = 1; rc == SRP_OK && b < ECS_BEHAVIOR__N; b++)
		if (chassis_match_has(m, ecs_enum_text(ECS_F_P2P_BEHAVIOR, b)))
			rc = cfg_told(c, ecs_service_detect_behavior(service(c), b, no(m), &c->why), NULL);
	return rc;
}

int cfg_ecs_group_application(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	enum ecs_application appl = chassis_match_has(m, "charging")          ? ECS_APPL_CHARGING
	                            : chassis_match_has(m, "post-processing") ? ECS_APPL_POST_PROCESSING
	                                                                      : ECS_APPL__N;

	(void)arg;
	return cfg_told(c, ecs_service_group_application(service(c), cfg_name(c), appl, &c->why), NULL);
}

int cfg_ecs_group_add(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c, ecs_service_group_add(service(c), cfg_name(c), no(m),
	                                     (uint32_t)chassis_match_num(m, "num", 0),
	                                     chassis_match_text(m, "name"), &c->why), "num");
}

static struct ecs_action_line line_of(const struct chassis_match *m)
{
	bool dynamic = chassis_match_has(m, "dynamic-only");

	return (struct ecs_action_line){
		.priority = (uint32_t)chassis_match_num(m, "num", 0),
		.kind = dynamic ? ECS_LINE_DYNAMIC_ONLY
		        : chassis_match_has(m, "static-and-dynamic") ? ECS_LINE_STATIC_DYNAMIC
		                                                     : ECS_LINE_STATIC,
		.adc = chassis_match_has(m, "adc"),
		.mute = chassis_match_has(m, "mute"),
		.group = chassis_match_has(m, "group-of-ruledefs"),
		.rule = chassis_match_text(m, "name"),
		.action = chassis_match_text(m, "action"),
		.monitoring_key = (uint32_t)chassis_match_num(m, "key", 0),
		.description = chassis_match_text(m, "text"),
		.timedef = chassis_match_text(m, "times"),
	};
}

int cfg_ecs_action_line(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const struct ecs_action_line l = line_of(m);

	(void)arg;
	return cfg_told(c, ecs_service_rule_action(service(c), cfg_name(c), no(m), &l, &c->why), "num");
}

int cfg_ecs_post_line(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const struct ecs_action_line l = line_of(m);

	(void)arg;
	return cfg_told(c, ecs_service_post_line(service(c), cfg_name(c), no(m), &l, &c->why), "num");
}

int cfg_ecs_route_line(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct ecs_route_line l = {
		.priority = (uint32_t)chassis_match_num(m, "num", 0),
		.rule = chassis_match_text(m, "name"),
		.advanced = chassis_match_has(m, "advanced"),
		.description = chassis_match_text(m, "text"),
	};

	(void)arg;
	for (unsigned a = 1; a < ECS_ANALYZER__N; a++)
		if (chassis_match_has(m, ecs_analyzer_name((enum ecs_analyzer)a)))
			l.analyzer = (enum ecs_analyzer)a;
	return cfg_told(c, ecs_service_route_line(service(c), cfg_name(c), no(m), &l, &c->why), "num");
}

int cfg_ecs_rulebase_set(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct cfg_words ws;

	(void)arg;
	cfg_words_of(m, &ws);
	return cfg_told(c, ecs_service_rulebase_set(service(c), cfg_name(c), ws.form, ws.w, ws.n,
	                                        &c->why), NULL);
}

/* --- xheader-format ------------------------------------------------------------------------- */

/* True when the last words of a line are those of a value. */
static bool says_value(const struct chassis_match *m, const char *words)
{
	const char *w = strrchr(words, ' ');

	return chassis_match_has(m, w ? w + 1 : words);
}

int cfg_ecs_xheader_insert(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	unsigned v = 0;

	(void)arg;
	while (!no(m) && v < ECS_XVALUE__N && !says_value(m, ecs_xvalue_words((enum ecs_xvalue)v)))
		v++;
	return cfg_told(c, ecs_service_xheader_insert(service(c), cfg_name(c), no(m),
	                                          chassis_match_text(m, "field"),
	                                          (enum ecs_xvalue)v, chassis_match_text(m, "text"),
	                                          &c->why), "field");
}

/* --- charging-action ------------------------------------------------------------------------ */

int cfg_ecs_charging(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->why.text[0] = '\0';
	c->charging = ecs_service_charging_action(service(c), chassis_match_text(m, "name"), no(m),
	                                          &c->why);
	if (!c->charging && (!no(m) || c->why.text[0]))
		return cfg_told(c, SRP_EINVAL, "name");
	return SRP_OK;
}

int cfg_ecs_charging_set(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct cfg_words ws;

	(void)arg;
	cfg_words_of(m, &ws);
	return cfg_told(c, ecs_charging_action_set(c->charging, ws.form, ws.w, ws.n, &c->why), NULL);
}

/* --- service scheme ------------------------------------------------------------------------- */

int cfg_ecs_flow_recovery(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	bool on = !no(m) && !chassis_match_has(m, "default");

	(void)arg;
	if (on && cfg_need_key(c, CHASSIS_LICENSE_FLOW_RECOVERY) != SRP_OK)
		return SRP_EINVAL;
	return cfg_told(c, ecs_service_flow_recovery(service(c), cfg_name(c), on, &c->why), NULL);
}

int cfg_ecs_cond_rule(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c, ecs_service_cond_rule_name(service(c), cfg_name(c), no(m), op_of(m),
	                                          chassis_match_text(m, "name"), &c->why), "name");
}

int cfg_ecs_cond_delay(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c,
		    ecs_service_cond_delay(service(c), cfg_name(c),
					   (uint32_t)chassis_match_num(m, "num", 0), &c->why),
		    NULL);
}

int cfg_ecs_cond_any(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c, ecs_service_cond_any(service(c), cfg_name(c), no(m), op_of(m) == ECS_OP_EQ,
	                                    chassis_match_has(m, "TRUE"), &c->why), NULL);
}

int cfg_ecs_trigger(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	enum ecs_trigger t = ECS_TRIGGER_FLOW_CREATE;

	(void)arg;
	for (unsigned i = 0; i < ECS_TRIGGER__N; i++)
		if (chassis_match_has(m, ecs_trigger_words((enum ecs_trigger)i)))
			t = (enum ecs_trigger)i;
	c->trigger = t;
	return cfg_told(c, ecs_service_scheme_trigger_of(service(c), cfg_name(c), t, no(m),
	                                                 &c->why), NULL);
}

int cfg_ecs_trigact_set(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct cfg_words ws;

	(void)arg;
	cfg_words_of(m, &ws);
	return cfg_told(c, ecs_service_trigger_action_set(service(c), cfg_name(c), ws.form, ws.w,
	                                                  ws.n, &c->why), NULL);
}

int cfg_ecs_trigcond_set(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct cfg_words ws;

	(void)arg;
	cfg_words_of(m, &ws);
	return cfg_told(c, ecs_service_condition_set(service(c), cfg_name(c), ws.form, ws.w, ws.n,
	                                             &c->why), NULL);
}

/* The service takes a later line of the same priority for the earlier one; in one block it is a
 * slip. */
static int priority_once(struct cfg *c, const struct chassis_match *m)
{
	bool *used = &c->priority_used[chassis_match_num(m, "num", 0) & 127];

	/* an operator may correct himself */
	if (!no(m) && *used && !c->live)
		return cfg_refuse(c, "num", "expected a priority that the block does not have yet");
	*used = !no(m);
	return SRP_OK;
}

int cfg_ecs_scheme_priority(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	if (priority_once(c, m) != SRP_OK)
		return SRP_EINVAL;
	return cfg_told(c,
		    ecs_service_scheme_priority_of(service(c), cfg_name(c), c->trigger, no(m),
						(uint32_t)chassis_match_num(m, "num", 0),
						chassis_match_text(m, "condition"),
						chassis_match_text(m, "action"), &c->why),
		    "num");
}

int cfg_ecs_subs_line(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *value = arg == ECS_SUBS_ANY ? chassis_match_has(m, "TRUE") ? "TRUE" : "FALSE"
	                                        : chassis_match_text(m, "name");

	return cfg_told(c,
		    ecs_service_subs_line(service(c), cfg_name(c), no(m), (enum ecs_subs_field)arg,
					  op_of(m) == ECS_OP_EQ, value, &c->why),
		    NULL);
}

int cfg_ecs_subs_bind(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	if (priority_once(c, m) != SRP_OK)
		return SRP_EINVAL;
	return cfg_told(c, ecs_service_subs_bind(service(c), cfg_name(c), no(m),
	                                     (uint32_t)chassis_match_num(m, "num", 0),
	                                     chassis_match_text(m, "class"),
	                                     chassis_match_text(m, "scheme"), &c->why), "num");
}
