/* show_ecs: `show active-charging ...` from the configuration and the counters of the session
 * managers. */
#include <config.h>
#include "chassis/cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/grammar.h"

#define N(a) (sizeof(a) / sizeof(a[0]))

/* --- ruledef statistics: columns as in the field, seven fields a row ------------------------ */

static const struct stats_col rule_cols[] = {
	{"name", "Ruledef Name", 18, true}, {"packets_down", "Packets-Down", 13, false},
	{"bytes_down", "Bytes-Down", 11, false}, {"packets_up", "Packets-Up", 11, false},
	{"bytes_up", "Bytes-Up", 10, false}, {"hits", "Hits", 10, false},
	{"match_bypassed", "Match-Bypassed", 14, false}, {"pending_packets", NULL, 0, false},
	{"pending_bytes", NULL, 0, false}};

static void add_rule(struct ecs_rule_stats *to, const struct ecs_rule_stats *from)
{
	to->pkts_down += from->pkts_down;
	to->bytes_down += from->bytes_down;
	to->pkts_up += from->pkts_up;
	to->bytes_up += from->bytes_up;
	to->hits += from->hits;
	to->match_bypassed += from->match_bypassed;
	to->pending_pkts += from->pending_pkts;
	to->pending_bytes += from->pending_bytes;
}

static void rule_row(struct stats_doc *d, const char *name, const struct ecs_rule_stats *s)
{
	stats_doc_row(d, (const struct stats_value[]){
		stats_string(name), stats_uint(s->pkts_down), stats_uint(s->bytes_down),
		stats_uint(s->pkts_up), stats_uint(s->bytes_up), stats_uint(s->hits),
		stats_uint(s->match_bypassed), stats_uint(s->pending_pkts),
		stats_uint(s->pending_bytes)});
}

/* What no rule matched is no ruledef: it stands behind the table, where a row is seven words. */
static void no_rule(struct stats_doc *d, const struct ecs_rule_stats *s)
{
	static const struct stats_table t = {"no_rule", NULL, STATS_TABLE_BARE, rule_cols,
					     N(rule_cols)};

	if (d->format == STATS_DOC_JSON) {
		stats_doc_table(d, &t);
		rule_row(d, "(no rule)", s);
		stats_doc_table_end(d);
	} else if (s->pkts_down + s->pkts_up) {
		stats_doc_line(
			d,
			"Forwarded by no rule: packets down %llu up %llu, bytes down %llu up %llu",
			(unsigned long long)s->pkts_down, (unsigned long long)s->pkts_up,
			(unsigned long long)s->bytes_down, (unsigned long long)s->bytes_up);
	}
}

/* The place of a name among those gathered so far; a new one at the end. */
static size_t place_of(struct ecs_dyn_stats *v, size_t *n, const char *name)
{
	size_t i = 0;

	while (i < *n && strcmp(v[i].name, name) != 0)
		i++;
	if (i == *n) {
		if (*n < ECS_DYN_STATS_MAX - 1)
			++*n;
		else
			i = *n - 1;
		snprintf(v[i].name, sizeof(v[i].name), "%s", name);
	}
	return i;
}

/* Rules that calls were given, by name, over all session managers; @p name NULL: all. @return how many */
static size_t dynamic_rules(const struct chassis_view *v, struct stats_doc *d, unsigned instance,
                            const char *name)
{
	static const struct stats_table t = {"dynamic_rules", NULL, STATS_TABLE_PLAIN, rule_cols,
	                                     N(rule_cols)};
	static struct ecs_dyn_stats sum[ECS_DYN_STATS_MAX]; /* one thread: too large for a stack */
	size_t n = 0;

	memset(sum, 0, sizeof(sum));
	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *slab = instance && i != instance
			? NULL : v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);

		for (size_t r = 0; slab && r < ECS_DYN_STATS_MAX; r++)
			if (slab->dyn[r].name[0] && (!name || strcmp(name, slab->dyn[r].name) == 0))
				add_rule(&sum[place_of(sum, &n, slab->dyn[r].name)].st, &slab->dyn[r].st);
	}
	if (!n && d->format != STATS_DOC_JSON)
		return 0;
	stats_doc_table(d, &t);
	for (size_t r = 0; r < n; r++)
		rule_row(d, sum[r].name, &sum[r].st);
	stats_doc_table_end(d);
	return n;
}

bool chassis_show_ruledefs(const struct chassis_view *v, struct stats_doc *d, unsigned instance,
                           bool charging, const char *name)
{
	static const struct stats_table t = {"ruledefs", NULL, STATS_TABLE_PLAIN, rule_cols,
	                                     N(rule_cols)};
	static struct ecs_rule_stats sum[ECS_STATS_MAX]; /* one thread: too large for a stack */
	const struct ecs_service *s = v->config->service;
	size_t n = s ? ecs_service_stats_count(s) : 0, shown = 0, dynamic;

	memset(sum, 0, sizeof(sum));
	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *slab = instance && i != instance
			? NULL : v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);

		for (size_t r = 0; slab && r <= n && r < ECS_STATS_MAX; r++)
			add_rule(&sum[r], &slab->rule[r]);
	}
	stats_doc_table(d, &t);
	for (size_t r = 0; r < n && r < ECS_STATS_MAX - 1; r++)
		if ((!charging || ecs_service_stats_charging(s, r)) &&
		    (!name || strcmp(name, ecs_service_stats_name(s, r)) == 0)) {
			rule_row(d, ecs_service_stats_name(s, r), &sum[r]);
			shown++;
		}
	stats_doc_table_end(d);
	dynamic = dynamic_rules(v, d, instance, name);
	stats_doc_line(d, "%s", "");
	if (!name)
		no_rule(d, &sum[n < ECS_STATS_MAX ? n : ECS_STATS_MAX - 1]);
	stats_doc_item(d, "total", "Total Ruledef(s) ", stats_uint(shown));
	return !name || shown + dynamic > 0;
}

/* --- the configuration, by the lines that it prints ----------------------------------------- */

/* A walk over the blocks of one kind: what the service prints is what it is. */
struct walk {
	struct stats_doc *d;
	const char *block;         /**< keyword that opens a block */
	const char *name;          /**< the one asked for, NULL all */
	bool inside, found;
	char current[80];
	/** A line inside a block; NULL: the block begins (open) or ends. */
	void (*line)(struct walk *w, const struct chassis_line *l);
	void (*open)(struct walk *w);
	void (*close)(struct walk *w);
	/* what the blocks of triggers gather */
	bool flow_recovery, trigger;
	char delay[16], any[24];
	char rules[1600];
	unsigned rows;
};

static void walk_line(void *arg, const char *text)
{
	static const char *const inner[] = {"trigger"}; /* opens a block in a block */
	struct walk *w = arg;
	struct chassis_line l;
	struct chassis_cli_err e;
	unsigned depth = 0;

	while (text[depth] == ' ')
		depth++;
	if (chassis_line_split(&l, text, strlen(text), &e) != 0 || !l.n)
		return;
	if (depth == 2 && strcmp(l.word[0], "#exit") == 0) {
		if (w->inside)
			w->close(w);
		w->inside = false;
	} else if (depth == 2) {
		w->inside = l.n == 2 && strcmp(l.word[0], w->block) == 0 &&
		            (!w->name || strcmp(l.word[1], w->name) == 0);
		if (!w->inside)
			return;
		w->found = true;
		snprintf(w->current, sizeof(w->current), "%s", l.word[1]);
		w->open(w);
	} else if (w->inside) {
		w->trigger |= strcmp(l.word[0], inner[0]) == 0;
		w->line(w, &l);
	}
}

static bool table(const struct chassis_view *v, struct walk *w, const struct stats_table *t)
{
	stats_doc_table(w->d, t);
	if (v->config->service)
		ecs_service_print(v->config->service, walk_line, w);
	stats_doc_table_end(w->d);
	return w->found || !w->name;
}

/* --- trigger-action ------------------------------------------------------------------------- */

static void action_open(struct walk *w)
{
	w->flow_recovery = false;
}

static void action_line(struct walk *w, const struct chassis_line *l)
{
	w->flow_recovery |= strcmp(l->word[0], "flow-recovery") == 0;
}

static void action_close(struct walk *w)
{
	stats_doc_row(w->d, (const struct stats_value[]){
		stats_string(w->current), stats_string(w->flow_recovery ? "Enabled" : "Disabled")});
}

bool chassis_show_trigger_actions(const struct chassis_view *v, struct stats_doc *d,
				  const char *name)
{
	static const struct stats_col cols[] = {{"name", "Trigger-Action Name", 0, true},
	                                        {"flow_recovery", "Flow recovery", 0, true}};
	static const struct stats_table t = {"trigger_actions", NULL, STATS_TABLE_BLOCKS, cols,
					     N(cols)};
	struct walk w = {.d = d, .block = "trigger-action", .name = name, .open = action_open,
	                 .line = action_line, .close = action_close};

	stats_doc_layout(d, 24, false);
	return table(v, &w, &t);
}

/* --- trigger-condition ---------------------------------------------------------------------- */

static void condition_open(struct walk *w)
{
	snprintf(w->delay, sizeof(w->delay), "0");
	w->any[0] = w->rules[0] = '\0';
}

static void condition_line(struct walk *w, const struct chassis_line *l)
{
	size_t n = strlen(w->rules);

	if (l->n == 3 && strcmp(l->word[0], "delay") == 0)
		snprintf(w->delay, sizeof(w->delay), "%.10s", l->word[2]);
	if (l->n == 3 && strcmp(l->word[0], "any-match") == 0)
		snprintf(w->any, sizeof(w->any), "%.2s %.8s", l->word[1], l->word[2]);
	if (l->n == 3 && strcmp(l->word[0], "rule-name") == 0)
		snprintf(w->rules + n, sizeof(w->rules) - n, "%s%s %s", n ? ", " : "", l->word[1],
		         l->word[2]);
}

static void condition_close(struct walk *w)
{
	stats_doc_row(w->d, (const struct stats_value[]){
		stats_string(w->current), stats_uint(strtoull(w->delay, NULL, 10)),
		stats_string(w->any[0] ? w->any : "n/a"), stats_string(w->rules)});
}

bool chassis_show_trigger_conditions(const struct chassis_view *v, struct stats_doc *d,
                                     const char *name)
{
	static const struct stats_col cols[] = {{"name", "Trigger-Condition Name", 0, true},
						{"delay", "Trigger Action Delay", 0, true},
						{"any_match", "Any-match", 0, true},
						{"rules", "Rule-name/GOR", 0, true}};
	static const struct stats_table t = {"trigger_conditions", NULL, STATS_TABLE_BLOCKS, cols,
	                                     N(cols)};
	struct walk w = {.d = d, .block = "trigger-condition", .name = name, .open = condition_open,
	                 .line = condition_line, .close = condition_close};

	stats_doc_layout(d, 24, false);
	return table(v, &w, &t);
}

/* --- service-scheme ------------------------------------------------------------------------- */

static void scheme_open(struct walk *w)
{
	w->rows = 0;
	w->trigger = false;
}

static void scheme_row(struct walk *w, uint64_t priority, const char *condition, const char *action)
{
	stats_doc_row(w->d, (const struct stats_value[]){
		stats_string(w->current), stats_string(w->trigger ? "flow-create" : ""),
		stats_uint(priority), stats_string(condition), stats_string(action)});
	w->rows++;
}

static void scheme_line(struct walk *w, const struct chassis_line *l)
{
	if (l->n == 6 && strcmp(l->word[0], "priority") == 0)
		scheme_row(w, strtoull(l->word[1], NULL, 10), l->word[3], l->word[5]);
}

static void scheme_close(struct walk *w)
{
	if (!w->rows)
		scheme_row(w, 0, "", "");
}

bool chassis_show_schemes(const struct chassis_view *v, struct stats_doc *d, const char *name)
{
	static const struct stats_col cols[] = {
		{"name", "Service-Scheme", 18, true},
		{"trigger", "Trigger", 12, true},
		{"priority", "Priority", 8, false},
		{"trigger_condition", "Trigger-Condition", 18, true},
		{"trigger_action", "Trigger-Action", 18, true}};
	static const struct stats_table t = {"service_schemes", NULL, STATS_TABLE_PLAIN, cols,
					     N(cols)};
	struct walk w = {.d = d, .block = "service-scheme", .name = name, .open = scheme_open,
	                 .line = scheme_line, .close = scheme_close};

	return table(v, &w, &t);
}
