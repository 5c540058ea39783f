/* show_rules: `show active-charging ruledef|charging-action|rulebase|packet-filter|edr-format|
 * udr-format`: what is configured, object by object. */
#include <config.h>
#include "chassis/cli/show.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/grammar.h"

#define N(a) (sizeof(a) / sizeof(a[0]))
#define KEY_MAX 128

/* --- properties: text for people, for programs rows of object, property, value --------------- */

static const struct stats_col property_cols[] = {
	{"name", NULL, 0, true}, {"property", NULL, 0, true}, {"value", NULL, 0, true}};

struct teller {
	struct stats_doc *d;
	const char *name;
	unsigned base;              /* blanks before labels of the first level */
	char path[3][KEY_MAX];      /* keys of the labels above */
};

/* A label as a key: lower case, words joined by _. */
static void key_of(const char *label, char out[KEY_MAX])
{
	size_t n = 0;

	for (; *label && n + 1 < KEY_MAX; label++) {
		if (isalnum((unsigned char)*label))
			out[n++] = (char)tolower((unsigned char)*label);
		else if (n && out[n - 1] != '_')
			out[n++] = '_';
	}
	while (n && out[n - 1] == '_')
		n--;
	out[n] = '\0';
}

static void tell(void *arg, unsigned indent, const char *label, const char *value)
{
	struct teller *t = arg;
	char key[3 * KEY_MAX + 8];
	size_t n = 0;

	if (t->d->format == STATS_DOC_TEXT) {
		stats_doc_line(t->d, "%*s%s:%s%s", (int)(t->base + 2 * indent), "", label,
		               value[0] ? " " : "", value);
		return;
	}
	if (indent >= N(t->path))
		return;
	key_of(label, t->path[indent]);
	for (unsigned i = 0; i <= indent; i++)
		n += (size_t)snprintf(key + n, sizeof(key) - n, "%s%s", n ? "." : "", t->path[i]);
	if (value[0])
		stats_doc_row(t->d, (const struct stats_value[]){
			stats_string(t->name), stats_string(key), stats_string(value)});
}

static void properties(struct stats_doc *d, const struct stats_table *t)
{
	if (d->format == STATS_DOC_JSON)
		stats_doc_table(d, t);
}

static void properties_end(struct stats_doc *d)
{
	if (d->format == STATS_DOC_JSON)
		stats_doc_table_end(d);
}

/* --- charging-action ------------------------------------------------------------------------ */

bool chassis_show_charging_actions(const struct chassis_view *v, struct stats_doc *d,
                                   const char *name)
{
	static const struct stats_table t = {"charging_actions", NULL, STATS_TABLE_PLAIN,
	                                     property_cols, N(property_cols)};
	const struct ecs_service *s = v->config->service;
	const struct ecs_charging_action *a;
	struct teller to = {.d = d, .base = 5};
	size_t shown = 0;

	if (s)
		stats_doc_line(d, "Service Name: %s", ecs_service_name(s));
	properties(d, &t);
	for (size_t i = 0; s && (a = ecs_service_action(s, i)) != NULL; i++) {
		if (name && strcmp(a->name, name) != 0)
			continue;
		to.name = a->name;
		stats_doc_line(d, "%s", "");
		stats_doc_line(d, "   Charging Action Name: %s", a->name);
		ecs_charging_action_tell(a, tell, &to);
		shown++;
	}
	properties_end(d);
	stats_doc_line(d, "%s", "");
	stats_doc_item(d, "total", "Total charging action(s) found", stats_uint(shown));
	return shown || !name;
}

/* --- blocks of the configuration, as they are printed --------------------------------------- */

struct blocks {
	const char *keyword, *name; /* name NULL: all */
	bool inside;
	size_t n;
	char current[80];
	void (*open)(struct blocks *b);
	void (*line)(struct blocks *b, const char *text);
	void (*close)(struct blocks *b);
	struct stats_doc *d;
	const char *list;           /* of a rulebase: the first word of its lines */
	/* of a ruledef */
	char application[32];
	const char *only;           /* of this application; NULL: any */
	bool any;
	char *lines;
	size_t len;
	FILE *to;
};

static void on_text(void *arg, const char *text)
{
	struct blocks *b = arg;
	size_t n = strlen(b->keyword);

	if (strncmp(text, "  ", 2) != 0)
		return;
	text += 2;
	if (text[0] != ' ') {
		if (b->inside && strcmp(text, "#exit") == 0)
			b->close(b);
		b->inside = strncmp(text, b->keyword, n) == 0 && text[n] == ' ' &&
		            (!b->name || strcmp(text + n + 1, b->name) == 0);
		if (b->inside) {
			snprintf(b->current, sizeof(b->current), "%s", text + n + 1);
			b->open(b);
		}
	} else if (b->inside) {
		b->line(b, text + strspn(text, " "));
	}
}

static void walk(const struct chassis_view *v, struct blocks *b)
{
	if (v->config->service)
		ecs_service_print(v->config->service, on_text, b);
}

static void nothing(struct blocks *b)
{
	(void)b;
}

/* --- ruledef -------------------------------------------------------------------------------- */

static const struct stats_col ruledef_cols[] = {
	{"name", NULL, 0, true}, {"application", NULL, 0, true}, {"multi_line_or", NULL, 0, true},
	{"lines", NULL, 0, true}};

static void ruledef_open(struct blocks *b)
{
	snprintf(b->application, sizeof(b->application), "charging");
	b->any = false;
	b->to = open_memstream(&b->lines, &b->len);
}

static void ruledef_line(struct blocks *b, const char *text)
{
	if (strncmp(text, "rule-application ", 17) == 0)
		snprintf(b->application, sizeof(b->application), "%.30s", text + 17);
	else if (strcmp(text, "multi-line-or all-lines") == 0)
		b->any = true;
	else if (b->to)
		fprintf(b->to, "%s\n", text);
}

static void ruledef_text(struct blocks *b)
{
	stats_doc_line(b->d, "%s", "");
	stats_doc_line(b->d, "    Ruledef Name: %s", b->current);
	for (char *p = b->lines, *next; *p; p = next) {
		next = strchr(p, '\n');
		*next++ = '\0';
		stats_doc_line(b->d, "       %s", p);
	}
	stats_doc_line(b->d, "    Rule Application Type: %s",
	               b->application[0] == 'c'   ? "Charging"
	               : b->application[0] == 'r' ? "Routing"
	                                          : "Post-Processing");
	stats_doc_line(b->d, "    Copy Packet to Log: Disabled");
	stats_doc_line(b->d, "    Multi-line OR All lines: %s", b->any ? "Enabled" : "Disabled");
}

static void ruledef_close(struct blocks *b)
{
	bool whole = b->to && fclose(b->to) == 0;

	b->to = NULL;
	if (whole && (!b->only || strcmp(b->only, b->application) == 0)) {
		b->n++;
		if (b->d->format == STATS_DOC_TEXT)
			ruledef_text(b);
		else
			stats_doc_row(b->d, (const struct stats_value[]){
				stats_string(b->current), stats_string(b->application),
				stats_bool(b->any), stats_string(b->lines)});
	}
	free(b->lines);
	b->lines = NULL;
}

bool chassis_show_ruledef(const struct chassis_view *v, struct stats_doc *d, const char *name,
                          const char *application)
{
	static const struct stats_table t = {"ruledefs", NULL, STATS_TABLE_PLAIN, ruledef_cols,
	                                     N(ruledef_cols)};
	struct blocks b = {.keyword = "ruledef", .name = name, .only = application, .d = d,
	                   .open = ruledef_open, .line = ruledef_line, .close = ruledef_close};

	if (v->config->service)
		stats_doc_line(d, "Service Name: %s", ecs_service_name(v->config->service));
	properties(d, &t);
	walk(v, &b);
	properties_end(d);
	stats_doc_line(d, "%s", "");
	stats_doc_item(d, "total", "Total Ruledef(s)", stats_uint(b.n));
	return b.n || !name;
}

/* --- objects that are shown by their lines -------------------------------------------------- */

static const struct stats_col line_cols[] = {
	{"name", NULL, 0, true}, {"line", NULL, 0, true}};

static void lines_open(struct blocks *b)
{
	b->n++;
	stats_doc_line(b->d, "%s %s", b->keyword, b->current);
}

static void lines_line(struct blocks *b, const char *text)
{
	if (b->d->format == STATS_DOC_TEXT)
		stats_doc_line(b->d, "  %s", text);
	else
		stats_doc_row(b->d, (const struct stats_value[]){stats_string(b->current),
		                                                 stats_string(text)});
}

bool chassis_show_lines(const struct chassis_view *v, struct stats_doc *d, const char *keyword,
                        const char *name)
{
	static const struct stats_table t = {"lines", NULL, STATS_TABLE_PLAIN, line_cols,
	                                     N(line_cols)};
	struct blocks b = {.keyword = keyword, .name = name, .d = d, .open = lines_open,
	                   .line = lines_line, .close = nothing};

	properties(d, &t);
	walk(v, &b);
	properties_end(d);
	stats_doc_item(d, "total", "Total", stats_uint(b.n));
	return b.n || !name;
}

/* --- rulebase ------------------------------------------------------------------------------- */

/* What stands behind a keyword of a line; "" where there is none. */
static const char *behind(const struct chassis_line *l, const char *key)
{
	for (size_t i = 3; i + 1 < l->n; i++)
		if (strcmp(l->word[i], key) == 0)
			return l->word[i + 1];
	return "";
}

static void list_line(struct blocks *b, const char *text)
{
	struct chassis_cli_err e;
	struct chassis_line l;
	char kind[48] = "";
	size_t n = 0, i;
	bool group;

	if (chassis_line_split(&l, text, strlen(text), &e) != 0 || l.n < 7 ||
	    strcmp(l.word[0], b->list) != 0 || strcmp(l.word[1], "priority") != 0)
		return;
	for (i = 3; i < l.n && strcmp(l.word[i], "ruledef") != 0 &&
	            strcmp(l.word[i], "group-of-ruledefs") != 0; i++)
		n += (size_t)snprintf(kind + n, sizeof(kind) - n, "%s%s", n ? " " : "", l.word[i]);
	if (i + 1 >= l.n)
		return;
	group = l.word[i][0] == 'g';
	stats_doc_row(b->d, (const struct stats_value[]){
		stats_string(b->current), stats_uint(strtoull(l.word[2], NULL, 10)),
		stats_string(group ? "group-of-ruledefs" : "ruledef"), stats_string(l.word[i + 1]),
		stats_string(strcmp(b->list, "route") == 0 ? behind(&l, "analyzer")
		                                        : behind(&l, "charging-action")),
		stats_string(kind), stats_string(behind(&l, "monitoring-key")),
		stats_string(behind(&l, "description"))});
	b->n++;
}

static void show_list(const struct chassis_view *v, struct stats_doc *d, const char *name,
                      const char *which, const struct stats_table *t)
{
	struct blocks b = {.keyword = "rulebase", .name = name, .list = which, .d = d,
	                   .open = nothing, .line = list_line, .close = nothing};

	stats_doc_table(d, t);
	walk(v, &b);
	stats_doc_table_end(d);
}

bool chassis_show_rulebases(const struct chassis_view *v, struct stats_doc *d, const char *name)
{
	static const struct stats_col cols[] = {
		{"rulebase", "Rulebase", 16, true}, {"priority", "Priority", 8, false},
		{"type", "Type", 17, true}, {"rule", "Name", 18, true},
		{"charging_action", "Charging-action", 18, true}, {"kind", "Kind", 12, true},
		{"monitoring_key", "Monitoring-key", 14, true},
		{"description", "Description", 11, true}};
	static const struct stats_col routes[] = {
		{"rulebase", "Rulebase", 16, true}, {"priority", "Priority", 8, false},
		{"type", "Type", 17, true}, {"rule", "Name", 18, true},
		{"analyzer", "Analyzer", 18, true}, {"kind", NULL, 0, true},
		{"monitoring_key", NULL, 0, true}, {"description", "Description", 11, true}};
	static const struct stats_table charging = {"rulebases", NULL, STATS_TABLE_PLAIN, cols,
	                                            N(cols)},
		post = {"post_processing", NULL, STATS_TABLE_PLAIN, cols, N(cols)},
		routing = {"routes", NULL, STATS_TABLE_PLAIN, routes, N(routes)},
		options = {"options", NULL, STATS_TABLE_PLAIN, property_cols, N(property_cols)};
	const struct ecs_service *s = v->config->service;
	struct teller to = {.d = d, .base = 2};
	size_t shown = 0;

	stats_doc_line(d, "Charging Rule Priorities:");
	show_list(v, d, name, "action", &charging);
	stats_doc_line(d, "%s", "");
	stats_doc_line(d, "Post-processing Rule Priorities:");
	show_list(v, d, name, "post-processing", &post);
	stats_doc_line(d, "%s", "");
	stats_doc_line(d, "Routing Rule Priorities:");
	show_list(v, d, name, "route", &routing);
	properties(d, &options);
	for (int i = 0; s && (to.name = ecs_service_rulebase_name(s, i)) != NULL; i++) {
		if (name && strcmp(to.name, name) != 0)
			continue;
		stats_doc_line(d, "%s", "");
		stats_doc_line(d, "Rulebase Name: %s", to.name);
		ecs_service_rulebase_tell(s, i, tell, &to);
		shown++;
	}
	properties_end(d);
	return shown || !name;
}
