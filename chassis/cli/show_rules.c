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

/* --- properties: text for people, for programs an object with a member for each --------------- */

struct teller {
	struct stats_doc *d;
	unsigned base;              /* blanks before labels of the first level */
	char path[3][KEY_MAX];      /* keys of the labels above */
};

/* A label as a key: lower case, words joined by _, without what stands in brackets. */
static void key_of(const char *label, char out[KEY_MAX])
{
	size_t n = 0;

	for (; *label && *label != '(' && n + 1 < KEY_MAX; label++) {
		if (isalnum((unsigned char)*label))
			out[n++] = (char)tolower((unsigned char)*label);
		else if (n && out[n - 1] != '_')
			out[n++] = '_';
	}
	while (n && out[n - 1] == '_')
		n--;
	out[n] = '\0';
}

/* True of a number alone where it is said to be one, and of one with a unit: "300 (secs)". */
static bool number(const char *value, bool said, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)value[0]))
		return false;
	*out = strtoull(value, &end, 10);
	if (!*end)
		return said;
	return strcmp(end, " (secs)") == 0 || strcmp(end, " (msecs)") == 0 ||
	       strcmp(end, " bits/second") == 0 || strcmp(end, " bytes") == 0;
}

static void tell(void *arg, unsigned how, const char *label, const char *value)
{
	struct teller *t = arg;
	char key[3 * KEY_MAX + 8];
	unsigned indent = how & ~ECS_TELL_NUMBER;
	uint64_t n;
	size_t len = 0;

	if (t->d->format == STATS_DOC_TEXT) {
		stats_doc_line(t->d, "%*s%s:%s%s", (int)(t->base + 2 * indent), "", label,
		               value[0] ? " " : "", value);
		return;
	}
	if (indent >= N(t->path))
		return;
	key_of(label, t->path[indent]);
	for (unsigned i = 0; i <= indent; i++)
		len += (size_t)snprintf(key + len, sizeof(key) - len, "%s%s", len ? "_" : "", t->path[i]);
	if (number(value, how & ECS_TELL_NUMBER, &n))
		stats_doc_item(t->d, key, NULL, stats_uint(n));
	else if (value[0])
		stats_doc_item(t->d, key, NULL, stats_string(value));
}

/* How many there are stands behind a blank line. */
static void total(struct stats_doc *d, const char *label, size_t n)
{
	stats_doc_line(d, "%s", "");
	stats_doc_item(d, "total", label, stats_uint(n));
}

static void service_name(const struct chassis_view *v, struct stats_doc *d)
{
	if (v->config->service)
		stats_doc_item(d, "service", "Service Name", stats_string(ecs_service_name(v->config->service)));
}

/* --- charging-action ------------------------------------------------------------------------ */

bool chassis_show_charging_actions(const struct chassis_view *v, struct stats_doc *d,
                                   const char *name)
{
	const struct ecs_service *s = v->config->service;
	const struct ecs_charging_action *a;
	struct teller to = {.d = d, .base = 5};
	size_t shown = 0;

	service_name(v, d);
	stats_doc_list(d, "charging_actions");
	for (size_t i = 0; s && (a = ecs_service_action(s, i)) != NULL; i++) {
		if (name && strcmp(a->name, name) != 0)
			continue;
		stats_doc_open(d, NULL, "");
		stats_doc_item(d, "name", "   Charging Action Name", stats_string(a->name));
		ecs_charging_action_tell(a, tell, &to);
		stats_doc_close(d);
		shown++;
	}
	stats_doc_list_end(d);
	total(d, "Total charging action(s) found", shown);
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

/* The next of the lines, which end with a newline; NULL behind the last. */
static char *next_line(char **at)
{
	char *p = *at, *end = *p ? strchr(p, '\n') : NULL;

	if (!end)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return p;
}

static void ruledef_show(struct blocks *b)
{
	struct stats_doc *d = b->d;
	char *at = b->lines, *line;

	stats_doc_open(d, NULL, "");
	stats_doc_item(d, "name", "    Ruledef Name", stats_string(b->current));
	stats_doc_list(d, "lines");
	while ((line = next_line(&at)) != NULL) {
		stats_doc_line(d, "       %s", line);
		stats_doc_item(d, NULL, NULL, stats_string(line));
	}
	stats_doc_list_end(d);
	stats_doc_item_as(d, "application", "    Rule Application Type", stats_string(b->application),
	                  b->application[0] == 'c'   ? "Charging"
	                  : b->application[0] == 'r' ? "Routing"
	                                             : "Post-Processing");
	stats_doc_line(d, "    Copy Packet to Log: Disabled");
	stats_doc_item_as(d, "multi_line_or", "    Multi-line OR All lines", stats_bool(b->any),
	                  b->any ? "Enabled" : "Disabled");
	stats_doc_close(d);
}

static void ruledef_close(struct blocks *b)
{
	bool whole = b->to && fclose(b->to) == 0;

	b->to = NULL;
	if (whole && (!b->only || strcmp(b->only, b->application) == 0)) {
		b->n++;
		ruledef_show(b);
	}
	free(b->lines);
	b->lines = NULL;
}

bool chassis_show_ruledef(const struct chassis_view *v, struct stats_doc *d, const char *name,
                          const char *application)
{
	struct blocks b = {.keyword = "ruledef", .name = name, .only = application, .d = d,
	                   .open = ruledef_open, .line = ruledef_line, .close = ruledef_close};

	service_name(v, d);
	stats_doc_list(d, "ruledefs");
	walk(v, &b);
	stats_doc_list_end(d);
	total(d, "Total Ruledef(s)", b.n);
	return b.n || !name;
}

/* --- objects that are shown by their lines -------------------------------------------------- */

static void lines_open(struct blocks *b)
{
	if (b->n++)
		stats_doc_line(b->d, "%s", "");
	stats_doc_open(b->d, NULL, NULL);
	stats_doc_line(b->d, "%s %s", b->keyword, b->current);
	stats_doc_item(b->d, "name", NULL, stats_string(b->current));
	stats_doc_list(b->d, "lines");
}

static void lines_line(struct blocks *b, const char *text)
{
	stats_doc_line(b->d, "  %s", text);
	stats_doc_item(b->d, NULL, NULL, stats_string(text));
}

static void lines_close(struct blocks *b)
{
	stats_doc_list_end(b->d);
	stats_doc_close(b->d);
}

bool chassis_show_lines(const struct chassis_view *v, struct stats_doc *d, const char *keyword,
                        const char *name)
{
	struct blocks b = {.keyword = keyword, .name = name, .d = d, .open = lines_open,
	                   .line = lines_line, .close = lines_close};
	char label[64];

	stats_doc_item(d, "kind", NULL, stats_string(keyword));
	stats_doc_list(d, "objects");
	walk(v, &b);
	stats_doc_list_end(d);
	snprintf(label, sizeof(label), "Total %s(s)", keyword);
	total(d, label, b.n);
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
	const char *key;
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
	key = behind(&l, "monitoring-key");
	stats_doc_row(b->d, (const struct stats_value[]){
		stats_string(b->current), stats_uint(strtoull(l.word[2], NULL, 10)),
		stats_string(group ? "group-of-ruledefs" : "ruledef"), stats_string(l.word[i + 1]),
		stats_string(strcmp(b->list, "route") == 0 ? behind(&l, "analyzer")
		                                        : behind(&l, "charging-action")),
		stats_string(kind),
		b->d->format == STATS_DOC_JSON ? stats_uint(strtoull(key, NULL, 10)) : stats_string(key),
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
		{"monitoring_key", "Monitoring-key", 14, false},
		{"description", "Description", 11, true}};
	static const struct stats_col routes[] = {
		{"rulebase", "Rulebase", 16, true}, {"priority", "Priority", 8, false},
		{"type", "Type", 17, true}, {"rule", "Name", 18, true},
		{"analyzer", "Analyzer", 18, true}, {"kind", NULL, 0, true},
		{"monitoring_key", NULL, 0, true}, {"description", "Description", 11, true}};
	static const struct stats_table charging = {"rulebases", NULL, STATS_TABLE_PLAIN, cols,
	                                            N(cols)},
		post = {"post_processing", NULL, STATS_TABLE_PLAIN, cols, N(cols)},
		routing = {"routes", NULL, STATS_TABLE_PLAIN, routes, N(routes)};
	const struct ecs_service *s = v->config->service;
	struct teller to = {.d = d, .base = 2};
	const char *rulebase;
	size_t shown = 0;

	stats_doc_line(d, "Charging Rule Priorities:");
	show_list(v, d, name, "action", &charging);
	stats_doc_line(d, "%s", "");
	stats_doc_line(d, "Post-processing Rule Priorities:");
	show_list(v, d, name, "post-processing", &post);
	stats_doc_line(d, "%s", "");
	stats_doc_line(d, "Routing Rule Priorities:");
	show_list(v, d, name, "route", &routing);
	stats_doc_list(d, "options");
	for (int i = 0; s && (rulebase = ecs_service_rulebase_name(s, i)) != NULL; i++) {
		if (name && strcmp(rulebase, name) != 0)
			continue;
		stats_doc_open(d, NULL, "");
		stats_doc_item(d, "rulebase", "Rulebase Name", stats_string(rulebase));
		ecs_service_rulebase_tell(s, i, tell, &to);
		stats_doc_close(d);
		shown++;
	}
	stats_doc_list_end(d);
	total(d, "Total rulebase(s) found", shown);
	return shown || !name;
}
