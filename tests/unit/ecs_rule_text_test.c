#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/rule/agents.h"
#include "ecs_rule_text.h"

#define WORDS 24

enum mode {
	TOP,
	RULEDEF, HOSTS, PORTS, IMSIS, TIMES,
	GROUP,
	RULEBASE,
	CHARGING,
	TRIGACT,
	TRIGCOND,
	XHEADER,
	SCHEME,
	TRIGGER,
	CLASS,
	BASE,
	FILTER, POLICY, QOSGROUP,
	RECORD
};

struct reader {
	struct ecs_service *s;
	enum mode mode;
	char name[128];
	struct ecs_charging_action *action;
	struct ecs_packet_filter *filter;
	struct ecs_bandwidth_policy *policy;
	struct ecs_qos_group *qos_group;
	struct ecs_record_format *record;
	enum ecs_trigger trigger;
	char store[1024];
	char *w[WORDS];
	int n;
	struct ecs_err *e;
};

static const char *const field_words[] = {
#define ECS_FIELD(sym, words, type, layer, reads, help) words,
#include "ecs/rule/field.def"
#undef ECS_FIELD
};

static void split(struct reader *r, const char *line, size_t len)
{
	char *out = r->store;
	size_t i = 0;

	r->n = 0;
	while (i < len && r->n < WORDS) {
		if (line[i] == ' ') {
			i++;
			continue;
		}
		r->w[r->n++] = out;
		if (line[i] == '"') {
			for (i++; i < len && line[i] != '"'; i++) {
				if (line[i] == '\\')
					i++;
				*out++ = line[i];
			}
			i++;
		} else {
			while (i < len && line[i] != ' ')
				*out++ = line[i++];
		}
		*out++ = '\0';
	}
}

static bool word(const struct reader *r, int i, const char *t)
{
	return i < r->n && strcmp(r->w[i], t) == 0;
}

static uint32_t num(const struct reader *r, int i)
{
	return i < r->n ? (uint32_t)strtoul(r->w[i], NULL, 10) : 0;
}

static const char *arg(const struct reader *r, int i)
{
	return i < r->n ? r->w[i] : NULL;
}

static enum ecs_op op_of(const char *t)
{
	unsigned op = 0;

	while (op < ECS_OP__N && (!t || strcmp(ecs_op_name((enum ecs_op)op), t) != 0))
		op++;
	return (enum ecs_op)op;
}

static int open_mode(struct reader *r, enum mode mode, bool no, int rc)
{
	if (rc == 0 && !no) {
		r->mode = mode;
		snprintf(r->name, sizeof(r->name), "%s", r->w[1]);
	}
	return rc;
}

static int recover(struct reader *r, bool no)
{
	static const char *const words[] = {
#define ECS_RECOVER(sym, word, always, help) word,
#include "ecs/rule/recover.def"
#undef ECS_RECOVER
	};

	for (unsigned i = 0; i < ECS_RECOVER__N; i++)
		if (word(r, 1, words[i]))
			return ecs_service_recover(r->s, i, !no, r->e);
	return SRP_EINVAL;
}

/* Modes of objects of which the service gives nothing but their name. */
static const struct {
	const char *word;
	enum mode mode;
	int (*open)(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
} named[] = {
	{"ruledef", RULEDEF, ecs_service_ruledef},
	{"host-pool", HOSTS, ecs_service_host_pool},
	{"port-map", PORTS, ecs_service_port_map},
	{"imsi-pool", IMSIS, ecs_service_imsi_pool},
	{"timedef", TIMES, ecs_service_timedef},
	{"group-of-ruledefs", GROUP, ecs_service_group},
	{"rulebase", RULEBASE, ecs_service_rulebase},
	{"trigger-action", TRIGACT, ecs_service_trigger_action},
	{"trigger-condition", TRIGCOND, ecs_service_trigger_condition},
	{"service-scheme", SCHEME, ecs_service_scheme},
	{"subs-class", CLASS, ecs_service_subs_class},
	{"subscriber-base", BASE, ecs_service_subs_base},
	{"xheader-format", XHEADER, ecs_service_xheader},
};

static int idle_timeout(struct reader *r)
{
	struct ecs_timeouts *t = ecs_service_timeouts(r->s);

	if (word(r, 2, "half-open"))
		t->tcp_half_open = num(r, 3);
	else if (word(r, 1, "tcp"))
		t->tcp = num(r, 2);
	else if (word(r, 1, "udp"))
		t->udp = num(r, 2);
	else if (word(r, 1, "icmp"))
		t->icmp = num(r, 2);
	else if (word(r, 1, "alg-media"))
		t->alg_media = num(r, 2);
	else if (word(r, 2, "tcp"))
		t->mapping_tcp = num(r, 3);
	else if (word(r, 2, "udp"))
		t->mapping_udp = num(r, 3);
	else
		return SRP_EFORMAT;
	return 0;
}

static int at_top(struct reader *r, bool no)
{
	const char *x = arg(r, 1);

	if (word(r, 0, "active-charging"))
		return 0;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (word(r, 0, named[i].word))
			return open_mode(r, named[i].mode, no, named[i].open(r->s, x, no, r->e));
	if (word(r, 0, "p2p-detection") && word(r, 1, "protocol"))
		return ecs_service_detect(r->s, word(r, 2, "all") ? NULL : arg(r, 2), no, r->e);
	if (word(r, 0, "p2p-detection"))
		return ecs_service_detect_behavior(r->s, ecs_enum_value(ECS_F_P2P_BEHAVIOR, arg(r, 2)), no,
		                                   r->e);
	if (word(r, 0, "flow-recovery"))
		return recover(r, no);
	if (word(r, 0, "charging-action")) {
		r->action = ecs_service_charging_action(r->s, x, no, r->e);
		return open_mode(r, CHARGING, no,
				 r->action || r->e->text[0] == '\0' ? 0 : SRP_EINVAL);
	}
	if (word(r, 0, "packet-filter")) {
		r->filter = ecs_service_packet_filter(r->s, x, no, r->e);
		return open_mode(r, FILTER, no,
				 r->filter || r->e->text[0] == '\0' ? 0 : SRP_EINVAL);
	}
	if (word(r, 0, "bandwidth-policy")) {
		r->policy = ecs_service_bandwidth_policy(r->s, x, no, r->e);
		return open_mode(r, POLICY, no,
				 r->policy || r->e->text[0] == '\0' ? 0 : SRP_EINVAL);
	}
	if (word(r, 0, "qos-group-of-ruledefs")) {
		r->qos_group = ecs_service_qos_group(r->s, x, no, r->e);
		return open_mode(r, QOSGROUP, no,
				 r->qos_group || r->e->text[0] == '\0' ? 0 : SRP_EINVAL);
	}
	if (word(r, 0, "edr-format") || word(r, 0, "udr-format")) {
		r->record = ecs_service_record(r->s, r->w[0][0] == 'e' ? ECS_RECORD_EDR
		                                                       : ECS_RECORD_UDR,
		                               x, no, r->e);
		return open_mode(r, RECORD, no,
				 r->record || r->e->text[0] == '\0' ? 0 : SRP_EINVAL);
	}
	if (word(r, 0, "redirect"))
		return ecs_service_user_agent(r->s, no, r->w[2], r->e);
	if (word(r, 1, "l4-flows"))
		return ecs_service_l4_flows(r->s, no ? 0 : num(r, 2), r->e);
	if (word(r, 0, "check-point"))
		return ecs_service_sync_timer(r->s, word(r, 3, "icsr"), no ? 0 : num(r, 4), r->e);
	if (word(r, 0, "system-limit"))
		return ecs_service_flow_chkpt_per_call(r->s, num(r, 2), r->e);
	if (word(r, 0, "idle-timeout"))
		return idle_timeout(r);
	return SRP_EFORMAT;
}

static int in_ruledef(struct reader *r, bool no)
{
	struct ecs_rule_words w = {0};
	char words[96];
	unsigned f = 0;
	int i = 2;

	if (word(r, 0, "multi-line-or"))
		return ecs_service_rule_or(r->s, r->name, !no, r->e);
	if (word(r, 0, "rule-application"))
		return ecs_service_rule_application(r->s, r->name,
		                                    word(r, 1, "routing") ? ECS_APPL_ROUTING
		                                    : word(r, 1, "post-processing")
		                                            ? ECS_APPL_POST_PROCESSING
		                                            : ECS_APPL_CHARGING, r->e);
	if (r->n < 3)
		return SRP_EFORMAT;
	for (; i < 4; i++) { /* words of a field: two or three */
		snprintf(words, sizeof(words), "%s %s%s%s", r->w[0], r->w[1], i == 3 ? " " : "",
		         i == 3 ? r->w[2] : "");
		for (f = 0; f < ECS_F__N && strcmp(field_words[f], words) != 0; f++)
			;
		if (f < ECS_F__N)
			break;
	}
	w.field = (enum ecs_field)f;
	if (f == ECS_F_HTTP_ATTR || f == ECS_F_HTTP_XHEADER)
		w.key = arg(r, i++);
	w.case_sensitive = word(r, i, "case-sensitive");
	i += w.case_sensitive;
	w.op = op_of(arg(r, i++));
	w.pool = word(r, i, "host-pool") || word(r, i, "port-map") || word(r, i, "imsi-pool");
	i += w.pool;
	w.a = arg(r, i);
	w.b = word(r, i + 1, "to") ? arg(r, i + 2) : NULL;
	return ecs_service_rule_put(r->s, r->name, no, &w, r->e);
}

static int in_pool(struct reader *r, bool no)
{
	int i = word(r, 1, "range") ? 2 : 1;
	const char *b = i == 2 ? arg(r, 4) : NULL;

	if (r->mode == IMSIS)
		return ecs_service_imsi_line(r->s, r->name, no, arg(r, i), b, r->e);
	return r->mode == HOSTS ? ecs_service_host_line(r->s, r->name, no, arg(r, i), b, r->e)
	                        : ecs_service_port_line(r->s, r->name, no, arg(r, i), b, r->e);
}

static uint32_t day_of(const struct reader *r, int i)
{
	uint32_t d = 0;

	while (d < ECS_DAY__N && !word(r, i, ecs_day_name(d)))
		d++;
	return d;
}

/* start [day D] time H M S end [day D] time H M S */
static int in_timedef(struct reader *r, bool no)
{
	bool days = word(r, 1, "day");
	int at = days ? 4 : 2, end = days ? 11 : 7;
	struct ecs_timeslot t = {.days = days};

	t.from = num(r, at) * 3600 + num(r, at + 1) * 60 + num(r, at + 2);
	t.to = num(r, end) * 3600 + num(r, end + 1) * 60 + num(r, end + 2);
	if (days) {
		t.from += day_of(r, 2) * 86400;
		t.to += day_of(r, 9) * 86400;
	}
	return ecs_service_timeslot(r->s, r->name, no, &t, r->e);
}

/* The text behind a keyword, or NULL. */
static const char *behind(const struct reader *r, const char *key)
{
	for (int i = 0; i < r->n; i++)
		if (strcmp(r->w[i], key) == 0)
			return arg(r, i + 1);
	return NULL;
}

static int in_rulebase(struct reader *r, bool no)
{
	bool group = behind(r, "group-of-ruledefs") != NULL;
	struct ecs_action_line l = {
		.priority = num(r, 2),
		.kind = behind(r, "dynamic-only")         ? ECS_LINE_DYNAMIC_ONLY
		        : behind(r, "static-and-dynamic") ? ECS_LINE_STATIC_DYNAMIC
		                                          : ECS_LINE_STATIC,
		.adc = behind(r, "adc") != NULL,
		.mute = behind(r, "mute") != NULL,
		.group = group,
		.rule = behind(r, group ? "group-of-ruledefs" : "ruledef"),
		.action = behind(r, "charging-action"),
		.description = behind(r, "description"),
		.timedef = behind(r, "timedef"),
	};
	struct ecs_route_line route = {.priority = l.priority, .rule = l.rule,
	                               .advanced = word(r, 7, "advanced"),
	                               .description = l.description};

	if (behind(r, "monitoring-key"))
		l.monitoring_key = (uint32_t)strtoul(behind(r, "monitoring-key"), NULL, 10);
	for (unsigned a = 1; a < ECS_ANALYZER__N; a++)
		if (word(r, 6, ecs_analyzer_name((enum ecs_analyzer)a)))
			route.analyzer = (enum ecs_analyzer)a;
	if (word(r, 1, "priority") && word(r, 0, "action"))
		return ecs_service_rule_action(r->s, r->name, no, &l, r->e);
	if (word(r, 1, "priority") && word(r, 0, "post-processing"))
		return ecs_service_post_line(r->s, r->name, no, &l, r->e);
	if (word(r, 1, "priority") && word(r, 0, "route"))
		return ecs_service_route_line(r->s, r->name, no, &route, r->e);
	return ecs_service_rulebase_set(r->s, r->name, no ? ECS_FORM_NO : ECS_FORM_SET,
	                                (const char *const *)r->w, (size_t)r->n, r->e);
}

static int in_charging(struct reader *r, bool no)
{
	return ecs_charging_action_set(r->action, no ? ECS_FORM_NO : ECS_FORM_SET,
	                               (const char *const *)r->w, (size_t)r->n, r->e);
}

static int set_words(const struct reader *r, bool no,
                     int (*set)(struct ecs_service *s, const char *name, enum ecs_form form,
                                const char *const *w, size_t n, struct ecs_err *e))
{
	return set(r->s, r->name, no ? ECS_FORM_NO : ECS_FORM_SET, (const char *const *)r->w,
	           (size_t)r->n, r->e);
}

static int in_condition(struct reader *r, bool no)
{
	if (word(r, 0, "delay"))
		return ecs_service_cond_delay(r->s, r->name, no ? 0 : num(r, 2), r->e);
	if (word(r, 0, "any-match"))
		return ecs_service_cond_any(r->s, r->name, no, word(r, 1, "="), word(r, 2, "TRUE"),
		                            r->e);
	if (word(r, 0, "rule-name"))
		return ecs_service_cond_rule_name(r->s, r->name, no, op_of(arg(r, 1)), arg(r, 2),
		                                  r->e);
	return set_words(r, no, ecs_service_condition_set);
}

/* True when the words from i on are those of @p words; @p after is the first behind them. */
static bool words_at(const struct reader *r, int i, const char *words, int *after)
{
	char text[128] = "";
	size_t n = 0;

	for (*after = i; *after < r->n; (*after)++) {
		if (strcmp(text, words) == 0)
			return true;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "",
		                      r->w[*after]);
	}
	return false;
}

static int in_record(struct reader *r, bool no)
{
	struct ecs_record_field f = {0};
	const char *time = behind(r, "format");
	int i = 2;

	if (word(r, 0, "delimiter")) {
		r->record->tab = word(r, 1, "tab");
		return 0;
	}
	if (word(r, 0, "event-label")) {
		f.what = ECS_RECORD_LABEL;
		snprintf(f.label, sizeof(f.label), "%s", r->w[1]);
	} else if (word(r, 0, "attribute")) {
		while (f.id < ECS_ATTR__N &&
		       !words_at(r, 1, ecs_attribute_words((enum ecs_attribute)f.id), &i))
			f.id++;
	} else {
		f.what = ECS_RECORD_VARIABLE;
		while (f.id < ECS_VAR__N &&
		       !words_at(r, 1, ecs_variable_words((enum ecs_variable)f.id), &i))
			f.id++;
	}
	while (time && f.time < ECS_TIME_FORMAT__N &&
	       strcmp(time, ecs_time_words((enum ecs_time_format)f.time)) != 0)
		f.time++;
	f.local = behind(r, "localtime") != NULL;
	if (behind(r, "priority"))
		f.priority = (uint16_t)strtoul(behind(r, "priority"), NULL, 10);
	return ecs_record_field(r->record, no, &f, r->e);
}

static int in_class(struct reader *r, bool no)
{
	enum ecs_subs_field f = word(r, 0, "apn")        ? ECS_SUBS_APN
	                        : word(r, 0, "v-apn")    ? ECS_SUBS_VAPN
	                        : word(r, 0, "rulebase") ? ECS_SUBS_RULEBASE
	                                                 : ECS_SUBS_ANY;

	if (word(r, 0, "multi-line-or"))
		return ecs_service_subs_or(r->s, r->name, !no, r->e);
	return ecs_service_subs_line(r->s, r->name, no, f, word(r, 1, "="), arg(r, 2), r->e);
}

static int in_xheader(struct reader *r, bool no)
{
	unsigned v = 0;
	char words[64] = "";

	for (int i = 2; i < r->n && i < 6 && !(i == 3 && word(r, 2, "string-constant")); i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", i > 2 ? " " : "",
		         r->w[i]);
	while (v < ECS_XVALUE__N && strcmp(ecs_xvalue_words((enum ecs_xvalue)v), words) != 0)
		v++;
	return ecs_service_xheader_insert(r->s, r->name, no, r->w[1], (enum ecs_xvalue)v, arg(r, 3),
	                                  r->e);
}

static int one_line(struct reader *r)
{
	bool no = word(r, 0, "no");

	if (no)
		memmove(r->w, r->w + 1, sizeof(r->w[0]) * (size_t)--r->n);
	if (word(r, 0, "#exit")) {
		r->mode = r->mode == TRIGGER ? SCHEME : TOP;
		return 0;
	}
	switch (r->mode) {
	case TOP:
		return at_top(r, no);
	case RULEDEF:
		return in_ruledef(r, no);
	case HOSTS:
	case PORTS:
	case IMSIS:
		return in_pool(r, no);
	case TIMES:
		return in_timedef(r, no);
	case GROUP:
		if (word(r, 0, "group-of-ruledefs-application"))
			return ecs_service_group_application(r->s, r->name,
			                                     no                      ? ECS_APPL__N
			                                     : word(r, 1, "charging") ? ECS_APPL_CHARGING
			                                                             : ECS_APPL_POST_PROCESSING,
			                                     r->e);
		return ecs_service_group_add(r->s, r->name, no, num(r, 2), arg(r, 4), r->e);
	case RULEBASE:
		return in_rulebase(r, no);
	case CHARGING:
		return in_charging(r, no);
	case XHEADER:
		return in_xheader(r, no);
	case TRIGACT:
		return word(r, 0, "flow-recovery")
		               ? ecs_service_flow_recovery(r->s, r->name, !no, r->e)
		               : set_words(r, no, ecs_service_trigger_action_set);
	case TRIGCOND:
		return in_condition(r, no);
	case SCHEME:
		r->mode = no ? SCHEME : TRIGGER;
		for (r->trigger = ECS_TRIGGER_FLOW_CREATE; r->trigger < ECS_TRIGGER__N; r->trigger++)
			if (word(r, 1, ecs_trigger_words(r->trigger)))
				break;
		return ecs_service_scheme_trigger_of(r->s, r->name, r->trigger, no, r->e);
	case TRIGGER:
		return ecs_service_scheme_priority_of(r->s, r->name, r->trigger, no, num(r, 1),
		                                      arg(r, 3), arg(r, 5), r->e);
	case FILTER:
		return ecs_packet_filter_set(r->filter, no ? ECS_FORM_NO : ECS_FORM_SET,
		                             (const char *const *)r->w, (size_t)r->n, r->e);
	case POLICY:
		return ecs_bandwidth_policy_set(r->policy, no ? ECS_FORM_NO : ECS_FORM_SET,
		                                (const char *const *)r->w, (size_t)r->n, r->e);
	case QOSGROUP:
		return ecs_qos_group_set(r->qos_group, no ? ECS_FORM_NO : ECS_FORM_SET,
		                         (const char *const *)r->w, (size_t)r->n, r->e);
	case RECORD:
		return in_record(r, no);
	case CLASS:
		return in_class(r, no);
	case BASE:
		return ecs_service_subs_bind(r->s, r->name, no, num(r, 1), arg(r, 3), arg(r, 6),
		                             r->e);
	}
	return SRP_EFORMAT;
}

int ecs_rule_text_feed(struct ecs_service *s, const char *text, struct ecs_err *e)
{
	struct reader r = {.s = s, .e = e};

	while (*text) {
		size_t len = strcspn(text, "\n");
		int rc;

		e->text[0] = '\0';
		split(&r, text, len);
		rc = r.n ? one_line(&r) : 0;
		if (rc)
			return rc;
		text += len + (text[len] == '\n');
	}
	return 0;
}

struct ecs_service *ecs_rule_text(const char *text, bool commit)
{
	struct ecs_service *s = ecs_service_new("s1");
	struct ecs_err e = {{0}};
	int rc = s ? ecs_rule_text_feed(s, text, &e) : SRP_ENOMEM;

	if (rc == 0 && commit)
		rc = ecs_service_commit(s, &e);
	if (rc == 0)
		return s;
	fprintf(stderr, "refused (%d): %s\n", rc, e.text);
	ecs_service_free(s);
	return NULL;
}

struct sink {
	char *p;
	size_t n;
};

static void put(void *a, const char *line)
{
	struct sink *k = a;
	size_t len = strlen(line);

	k->p = realloc(k->p, k->n + len + 2);
	if (!k->p)
		abort();
	memcpy(k->p + k->n, line, len);
	k->p[k->n + len] = '\n';
	k->p[k->n + len + 1] = '\0';
	k->n += len + 1;
}

char *ecs_rule_text_print(const struct ecs_service *s)
{
	struct sink k = {NULL, 0};

	ecs_service_print(s, put, &k);
	return k.p;
}

struct ecs_addr ecs_rule_text_addr(const char *t)
{
	struct ecs_addr a = {{0}};

	CU_ASSERT_EQUAL(ecs_addr_parse(t, &a), 0);
	return a;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_values_become_canonical(void)
{
	struct ecs_service *s = ecs_rule_text("ruledef r\n"
	                                      "ip src-address = 10.1.2.3/8\n"
	                                      "ip src-address = ::ffff:10.9.0.1\n"
	                                      "ip src-address = ::ffff:10.9.0.1/104\n"
	                                      "ip src-address = 2001:DB8:0:0::1/128\n"
	                                      "ip protocol = 6\n"
	                                      "ip protocol = SCTP\n"
	                                      "tcp dst-port = 0080\n"
	                                      "tcp any-match = true\n"
	                                      "p2p protocol = bittorrent\n"
	                                      "#exit\n",
	                                      false);
	char *text;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	text = ecs_rule_text_print(s);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ip src-address = 10.0.0.0/8\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ip src-address = 10.9.0.1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ip src-address = 2001:db8::1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ip protocol = tcp\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ip protocol = sctp\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "tcp dst-port = 80\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "tcp any-match = TRUE\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "p2p protocol = BitTorrent\n"));
	free(text);
	ecs_service_free(s);
}

CU_TestInfo ecs_rule_text_tests[] = {
	{"values become canonical", test_values_become_canonical},
	CU_TEST_INFO_NULL,
};
