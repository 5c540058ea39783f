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

#define RULE_COLS(title)                                                                      \
	{"name", title, 18, true}, {"packets_down", "Packets-Down", 13, false},               \
	{"bytes_down", "Bytes-Down", 11, false}, {"packets_up", "Packets-Up", 11, false},     \
	{"bytes_up", "Bytes-Up", 10, false}, {"hits", "Hits", 10, false},                     \
	{"match_bypassed", "Match-Bypassed", 14, false}, {"pending_packets", NULL, 0, false}, \
	{"pending_bytes", NULL, 0, false}
static const struct stats_col rule_cols[] = {RULE_COLS("Ruledef Name")},
	dynamic_cols[] = {RULE_COLS("Dynamic Rule Name")};

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
	static const struct stats_table t = {"dynamic_rules", NULL, STATS_TABLE_PLAIN, dynamic_cols,
	                                     N(dynamic_cols)};
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
	stats_doc_line(d, "%s", "");
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

#define CONDITIONS_MAX 16 /* one more than a trigger-condition has */

/* A walk over the blocks of one kind: what the service prints is what it is. */
struct walk {
	struct stats_doc *d;
	const char *block;         /**< keyword that opens a block */
	const char *name;          /**< the one asked for, NULL all */
	bool inside;
	size_t found;
	char current[80];
	/** A line inside a block; NULL: the block begins (open) or ends. */
	void (*line)(struct walk *w, const struct chassis_line *l);
	void (*open)(struct walk *w);
	void (*close)(struct walk *w);
	/* what the blocks of triggers gather */
	bool flow_recovery, trigger;
	uint64_t delay;
	char any[24];
	struct {
		char op[16], name[64];
	} rule[CONDITIONS_MAX];
	unsigned nrules;
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
		w->found++;
		snprintf(w->current, sizeof(w->current), "%s", l.word[1]);
		w->open(w);
	} else if (w->inside) {
		w->trigger |= strcmp(l.word[0], inner[0]) == 0;
		w->line(w, &l);
	}
}

/* How many there are stands behind a blank line. */
static bool walked(const struct chassis_view *v, struct walk *w, const char *label)
{
	struct stats_doc *d = w->d;

	if (v->config->service)
		ecs_service_print(v->config->service, walk_line, w);
	if (d->table)
		stats_doc_table_end(d);
	else
		stats_doc_list_end(d);
	stats_doc_layout(d, 0, false);
	stats_doc_line(d, "%s", "");
	stats_doc_item(d, "total", label, stats_uint(w->found));
	return w->found || !w->name;
}

/* Opens the object of a block, with a blank line between those of text. */
static void object(struct walk *w, const char *label)
{
	stats_doc_open(w->d, NULL, w->found > 1 ? "" : NULL);
	stats_doc_item(w->d, "name", label, stats_string(w->current));
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
	object(w, "Trigger-Action Name");
	stats_doc_item_as(w->d, "flow_recovery", "Flow recovery", stats_bool(w->flow_recovery),
	                  w->flow_recovery ? "Enabled" : "Disabled");
	stats_doc_close(w->d);
}

bool chassis_show_trigger_actions(const struct chassis_view *v, struct stats_doc *d,
				  const char *name)
{
	struct walk w = {.d = d, .block = "trigger-action", .name = name, .open = action_open,
	                 .line = action_line, .close = action_close};

	stats_doc_layout(d, 24, false);
	stats_doc_list(d, "trigger_actions");
	return walked(v, &w, "Total trigger-action(s) found");
}

/* --- trigger-condition ---------------------------------------------------------------------- */

static void condition_open(struct walk *w)
{
	w->delay = 0;
	w->nrules = 0;
	w->any[0] = '\0';
}

static void condition_line(struct walk *w, const struct chassis_line *l)
{
	if (l->n != 3)
		return;
	if (strcmp(l->word[0], "delay") == 0)
		w->delay = strtoull(l->word[2], NULL, 10);
	if (strcmp(l->word[0], "any-match") == 0)
		snprintf(w->any, sizeof(w->any), "%.2s %.8s", l->word[1], l->word[2]);
	if (strcmp(l->word[0], "rule-name") == 0 && w->nrules < CONDITIONS_MAX) {
		snprintf(w->rule[w->nrules].op, sizeof(w->rule[0].op), "%.15s", l->word[1]);
		snprintf(w->rule[w->nrules].name, sizeof(w->rule[0].name), "%.63s", l->word[2]);
		w->nrules++;
	}
}

static void condition_close(struct walk *w)
{
	char text[CONDITIONS_MAX * 84] = "n/a";
	size_t n = 0;

	for (unsigned i = 0; i < w->nrules; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s", n ? ", " : "", w->rule[i].op,
		                      w->rule[i].name);
	object(w, "Trigger-Condition Name");
	stats_doc_item(w->d, "delay", "Trigger Action Delay", stats_uint(w->delay));
	stats_doc_item_as(w->d, "any_match", "Any-match", stats_string(w->any), w->any[0] ? w->any : "n/a");
	stats_doc_line(w->d, "%-24s%s", "Rule-name/GOR:", text);
	stats_doc_list(w->d, "rules");
	for (unsigned i = 0; i < w->nrules; i++) {
		stats_doc_open(w->d, NULL, NULL);
		stats_doc_item(w->d, "operator", NULL, stats_string(w->rule[i].op));
		stats_doc_item(w->d, "name", NULL, stats_string(w->rule[i].name));
		stats_doc_close(w->d);
	}
	stats_doc_list_end(w->d);
	stats_doc_close(w->d);
}

bool chassis_show_trigger_conditions(const struct chassis_view *v, struct stats_doc *d,
                                     const char *name)
{
	struct walk w = {.d = d, .block = "trigger-condition", .name = name, .open = condition_open,
	                 .line = condition_line, .close = condition_close};

	stats_doc_layout(d, 24, false);
	stats_doc_list(d, "trigger_conditions");
	return walked(v, &w, "Total trigger-condition(s) found");
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

	stats_doc_table(d, &t);
	return walked(v, &w, "Total service-scheme(s) found");
}
