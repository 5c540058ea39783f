/* manual: prints a page of the manual. The prose of a page stands in chassis/man; a line @NAME@ of
 * it is replaced by what the program's own tables say, so that no syntax, range, default, counter
 * or frame is written down twice. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/config_impl.h"
#include "chassis/cli/exec.h"
#include "chassis/cli/program.h"
#include "chassis/cli/show.h"
#include "chassis/registry.h"
#include "chassis/task/task.h"
#include "ecs/kind.h"
#include "ecs/path.h"
#include "ecs/recoverable.h"
#include "recovery/replica.h"
#include "srp/role_machine.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void fatal(const char *what, const char *detail)
{
	fprintf(stderr, "manual: %s: %s\n", what, detail);
	exit(EXIT_FAILURE);
}

/* --- mdoc ------------------------------------------------------------------------------------ */

/* A line of text, or one word for a macro, where capitals and single signs have a meaning. */
static void put(const char *s, size_t n, bool word)
{
	if (n && (*s == '.' || *s == '\'' || (word && (isupper((unsigned char)*s) || n == 1))))
		fputs("\\&", stdout);
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\' || (s[i] == '"' && word))
			fputs(s[i] == '"' ? "\\(dq" : "\\e", stdout);
		else
			putchar(s[i]);
	}
}

/* Text of a table, which may want its stop. */
static void sentence(const char *s)
{
	size_t n = strlen(s);

	put(s, n, false);
	puts(n && strchr(".!?", s[n - 1]) ? "" : ".");
}

/* The words of a line, for a macro. */
static void words(const char *s)
{
	for (size_t n; *s && *s != '\n'; s += n + strspn(s + n, " ")) {
		n = strcspn(s, " \n");
		putchar(' ');
		put(s, n, true);
	}
}

/* --- commands -------------------------------------------------------------------------------- */

/* The pattern of a command as the head of an entry. */
static void syntax(const char *s)
{
	static const char sign[] = "[]{}|", *const macro[] = {"Oo", "Oc", "Bro", "Brc", "|"};
	bool keyword = false;

	fputs(".It", stdout);
	for (size_t n; *s; s += n + strspn(s + n, " ")) {
		const char *at = strchr(sign, *s);
		bool was = keyword;

		keyword = false;
		if (at) {
			n = s[1] == '*' || s[1] == '+' ? 2 : 1;
			printf(" %s%s", macro[at - sign], n == 2 ? " Ns No ..." : "");
		} else if (*s == '<' && s[1] != '=') {
			n = strcspn(s, ">") + 1;
			printf(" Ar %.*s", (int)strcspn(s + 1, "=:>"), s + 1);
		} else {
			n = strcspn(s, " []{}|");
			fputs(was ? " " : " Ic ", stdout);
			put(s, n, true);
			keyword = true;
		}
	}
	putchar('\n');
}

/* What its arguments may be, each once. */
static void arguments(const char *pattern)
{
	struct chassis_program p = {0};
	uint16_t first;
	char text[96];

	if (chassis_program_add(&p, pattern, 0, &first))
		fatal("pattern", pattern);
	for (size_t i = 0; i < p.n; i++) {
		const struct chassis_node *a = &p.node[i], *b = p.node;

		if (a->op != CHASSIS_NODE_ARG)
			continue;
		while (b < a && (!chassis_node_same(a, b) || strncmp(a->key, b->key, a->key_len)))
			b++;
		if (b < a)
			continue;
		chassis_node_describe(a, text, sizeof(text));
		printf(".Ar %.*s\nis %s.\n", (int)a->key_len, a->key, text);
	}
	chassis_program_free(&p);
}

/* What a configuration prints that says nothing: the defaults, as commands. */
static const char *default_text(void)
{
	static const char nothing[] = "configure\ncontext any\nservice-redundancy-protocol\n#exit\n"
				      "#exit\nactive-charging service any\nend\n";
	static char text[8192];
	struct chassis_config *c = chassis_config_parse(nothing, strlen(nothing), "", NULL, NULL);
	FILE *out = c ? fmemopen(text, sizeof(text), "w") : NULL;

	if (!out)
		fatal("defaults", "no configuration");
	chassis_config_print(c, out);
	fclose(out);
	chassis_config_free(c);
	return text;
}

/* The line of the defaults @p text that row @p r prints; NULL: it prints none. */
static const char *value(const char *text, const struct chassis_row *r)
{
	size_t n = strcspn(r->pattern, "[{<");
	char key[128];

	snprintf(key, sizeof(key), "  %.*s", (int)n, r->pattern);
	text = n && r->mode <= CHASSIS_CLI_ACS && r->enter == r->mode ? strstr(text, key) : NULL;
	return text ? text + 2 : NULL;
}

static void config_row(const struct chassis_row *r, const char *deflt, const char *enters)
{
	syntax(r->pattern);
	sentence(r->help);
	arguments(r->pattern);
#define ECS_FIELD(sym, words, type, layer, reads, help)                                  \
	if (r->mode == CHASSIS_CLI_RULEDEF &&                                     \
	    strncmp(r->pattern, "[no] " words " ", sizeof(words) + 5) == 0)       \
		puts("Layer: " #layer ".");
#include "ecs/rule/field.def"
#undef ECS_FIELD
	if (deflt) {
		fputs("Default:\n.Ic", stdout);
		words(deflt);
		puts(" .");
	}
	if (r->enter != r->mode)
		printf("Opens the mode\n.Sy %s .\n", enters);
}

static void config(void)
{
	static const char *const mode[] = {
#define CHASSIS_CLI_MODE(sym, prompt) prompt,
#include "chassis/cli/modes.def"
#undef CHASSIS_CLI_MODE
	};
	size_t n;
	const struct chassis_row *rows = cfg_rows(&n);
	const char *text = default_text();

	for (unsigned m = 0; m < N(mode); m++) {
		printf(".Ss %s%s\n.Bl -tag -width Ds\n", *mode[m] ? "Mode " : "The file", mode[m]);
		for (size_t i = 0; i < n; i++)
			if (rows[i].mode == m && !cfg_row_refused(i))
				config_row(&rows[i], value(text, &rows[i]), mode[rows[i].enter]);
		puts(".El");
	}
}

static void not_provided(void)
{
	static const char help[] = "Not provided: ";
	size_t n;
	const struct chassis_row *rows = cfg_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (cfg_row_refused(i)) {
			syntax(rows[i].pattern);
			sentence(rows[i].help + sizeof(help) - 1);
		}
}

static void exec(void)
{
	for (size_t i = 0; i < CHASSIS_EXEC__N; i++) {
		syntax(chassis_exec_rows[i].pattern);
		sentence(chassis_exec_rows[i].help);
		arguments(chassis_exec_rows[i].pattern);
	}
}

/* --- counters and shows ---------------------------------------------------------------------- */

static void counters(const struct stats_desc *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf(".It Va %s Pq %s\n", d[i].name, d[i].unit);
		sentence(d[i].help);
	}
}

static void ecs_counters(void) { counters(ecs_counter_desc, ecs_counter_count); }
static void kind_counters(void) { counters(recovery_kind_desc, RECOVERY_KIND_COUNTERS); }
static void replica_counters(void) { counters(recovery_desc, RECOVERY_COUNTERS); }
static void srp_counters(void) { counters(srp_counter_desc, srp_counter_count); }
static void task_counters(void) { counters(chassis_task_counter_desc, chassis_task_counter_count); }

static void put_bytes(void *arg, const char *p, size_t n)
{
	fwrite(p, 1, n, arg);
}

static const struct chassis_slab *no_slab(void *arg, enum chassis_task task, unsigned instance)
{
	(void)arg, (void)task, (void)instance;
	return NULL;
}

/* What a show prints on a chassis that has counted nothing. */
static void show(void (*fn)(const struct chassis_view *v, struct stats_doc *d))
{
	const struct chassis_view v = {
		.slab = no_slab, .nsessmgr = 2, .kinds = chassis_kinds, .nkinds = chassis_nkinds};
	struct stats_doc d;

	stats_doc_begin(&d, STATS_DOC_TEXT, put_bytes, stdout);
	fn(&v, &d);
	stats_doc_end(&d);
}

static void statistics(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_checkpoint(v, d, 0, false);
}

static void ladder(void) { show(statistics); }
static void kinds(void) { show(chassis_show_kinds); }

static void tls_refusals(void)
{
#define X(sym, text) puts(".It\n" text);
	CHASSIS_TLS_REFUSALS(X)
#undef X
}

/* --- the chassis ----------------------------------------------------------------------------- */

static void tasks(void)
{
	static const struct chassis_task_row *const rows[] = {
		&chassis_task_sct, &chassis_task_vpnmgr, &chassis_task_demuxmgr,
		&chassis_task_sessmgr, &chassis_task_aaamgr};
	static const char *const capability[64] = {[12] = " NET_ADMIN", [13] = " NET_RAW",
	                                           [23] = " SYS_NICE", [39] = " BPF"};

	for (size_t i = 0; i < N(rows); i++) {
		printf(".It Sy %s\nUser: %s.\nCapabilities:", rows[i]->name,
		       rows[i]->own_uid ? "nobody" : "that of the supervisor");
		for (unsigned c = 0; c < 64; c++)
			if (rows[i]->capabilities >> c & 1)
				fputs(capability[c] ? capability[c] : " (another)", stdout);
		puts(rows[i]->capabilities ? "." : " none.");
	}
}

static void roles(void)
{
	puts(".It Sy role Ta Sy forwards Ta Sy timers Ta Sy accepts Ta Sy sends Ta Sy refill"
	     " Ta Sy sessions Ta Sy announces");
	for (unsigned r = 0; r < SRP_ROLE__N; r++) {
		const struct srp_role_permit *p = &srp_role_permit[r];
		const bool may[] = {p->forwards, p->owns_timers, p->accepts, p->sends,
		                    p->answers_refill, p->new_sessions, p->announces};

		printf(".It %s", srp_role_name((enum srp_role)r));
		for (size_t i = 0; i < N(may); i++)
			printf(" Ta %s", !may[i] ? "no" : i == 2 && p->final_flush_only
				? "flush" : "yes");
		putchar('\n');
	}
}

static void reasons(void)
{
	for (unsigned i = 0; i < SRP_SWITCH__N; i++)
		printf(".It %u\n%s\n", i, srp_switch_reason_name(i));
}

static void frame(const char *name, unsigned id, unsigned min, unsigned max, const char *help)
{
	printf(".It Sy %s Pq 0x%02x , %u to %u bytes\n", name, id, min, max);
	sentence(help);
}

static void control(void)
{
#define SRP_CONTROL(sym, id, min, max, states, event, help) frame(#sym, id, min, max, help);
#include "srp/control.def"
#undef SRP_CONTROL
}

static void frames(void)
{
#define RECOVERY_FRAME(sym, type, min, max, states, handler) \
	printf(".It %s Ta %u Ta %u to %u\n", #sym, type, min, (unsigned)(max));
#include "recovery/frame.def"
#undef RECOVERY_FRAME
}

static void ipc(void)
{
#define CHASSIS_IPC(sym, id, min, max, help) frame(#sym, id, min, max, help);
#include "chassis/task/ipc.def"
#undef CHASSIS_IPC
}

static void sr_states(void)
{
#define X(sym, text) puts(".It\n" text);
	CHASSIS_SR_STATES(X)
#undef X
}

static void call_states(void)
{
	for (unsigned i = 0; i < ECS_CALL__N; i++)
		printf(".It\n%s\n", ecs_call_state_name(i));
}

static void call_events(void)
{
	for (unsigned i = 0; i < ECS_CALL_EV__N; i++) {
		printf(".It %s\n", ecs_call_event_name(i));
		sentence(ecs_call_event_help(i));
	}
}

static void call_reorders(void)
{
#define X(name, label, help) puts(".It " label " Pq " #name "\n" help ".");
	ECS_CALL_REORDERS(X)
#undef X
}

static void limits(void)
{
#define LIMIT(value, what) printf(".It %lu\n%s\n", (unsigned long)(value), what);
	LIMIT(CHASSIS_SESSMGRS_MAX, "session managers")
	LIMIT(CHASSIS_IFACES_MAX, "interfaces")
	LIMIT(CHASSIS_ADDRS_MAX, "addresses of an interface")
	LIMIT(CHASSIS_POOLS_MAX, "pools")
	LIMIT(CHASSIS_APNS_MAX, "APNs")
	LIMIT(CHASSIS_LINE_MAX, "bytes of a line")
	LIMIT(ECS_NAME_MAX, "characters of a name")
	LIMIT(ECS_RULEDEFS_MAX, "ruledefs")
	LIMIT(ECS_RULE_LINES, "lines of a ruledef")
	LIMIT(ECS_GROUPS_MAX, "groups of ruledefs")
	LIMIT(ECS_GROUP_MEMBERS, "members of a group")
	LIMIT(ECS_ACTIONS_MAX, "charging-actions")
	LIMIT(ECS_LINES_MAX, "action lines of all rulebases together")
	LIMIT(ECS_TIMEDEFS_MAX, "timedefs")
	LIMIT(ECS_TIMESLOTS, "lines of a timedef")
	LIMIT(ECS_POLICIES_MAX, "bandwidth-policies")
	LIMIT(ECS_POLICY_LINES_MAX, "ids of a bandwidth-policy, and groups of it")
	LIMIT(ECS_QOS_GROUPS_MAX, "QoS groups of ruledefs")
	LIMIT(ECS_QOS_MEMBERS_MAX, "members of a QoS group")
	LIMIT(ECS_LIMITERS_MAX, "rate limits of a session; beyond them packets are not limited")
	LIMIT(ECS_COND_ENTRIES, "rule-name lines of a trigger-condition")
	LIMIT(ECS_SESSIONS_MAX, "sessions of a session manager that the peer can make it hold")
	LIMIT(ECS_SESSION_FLOWS_MAX, "flows of a session")
	LIMIT(ECS_FLOW_CHKPT_PER_SESSMGR, "checkpointed flows of a session manager")
	LIMIT(ECS_KPI_MAX, "rules that have figures of flow recovery, of which 256 are dynamic ones")
	LIMIT(ECS_TRACE_ROWS_MAX, "rows of the packet trace of a session manager")
	LIMIT(ECS_TRACE_ASKS_MAX, "calls and subscribers whose packets are traced at the same time, unless all are")
	LIMIT(CHASSIS_BULK_FILES, "files of bulk statistics")
	LIMIT(CHASSIS_BULK_SCHEMAS, "schemas of such a file")
	LIMIT(CHASSIS_BULK_FORMAT, "characters of a format")
}

static void kpi(void)
{
	for (unsigned i = 0; i < ECS_KPI__N; i++) {
		printf(".It Va %s Pq %s\n", ecs_kpi_rows[i].variable, ecs_kpi_rows[i].label);
		sentence(ecs_kpi_rows[i].help);
		printf("In JSON\n.Li %s .\n", ecs_kpi_rows[i].key);
	}
}

/* Columns of the packet trace, and what stands in two of them. */
static void trace(void)
{
#define COL(name, type, help) puts(".It Va " #name), sentence(help);
	CHASSIS_ROW_TRACE(COL)
#undef COL
}

static void trace_fates(void)
{
#define ECS_TRACE_FATE(sym, text, help) puts(".It Li " text), sentence(help);
#include "ecs/trace.def"
}

static void trace_by(void)
{
#define ECS_TRACE_BY(sym, text, help) if (text[0]) { puts(".It Li " text); sentence(help); }
#include "ecs/trace.def"
#define ECS_STAGE(sym, fn, when, recovered, counter, help) puts(".It Li " #fn), sentence(help);
#include "ecs/enforce.def"
#undef ECS_STAGE
}

static void bulk(void)
{
	const char *help;

	for (unsigned i = 0; i < CHASSIS_BULK__N; i++) {
		printf(".It Va %s\n", chassis_bulk_variable((enum chassis_bulk_variable)i, &help));
		sentence(help);
	}
}

static void features(void)
{
	for (size_t i = 0; i < CHASSIS_LICENSE__N; i++)
		printf(".It Li %s\n%s, part number %s; %s.\n", chassis_features[i].word,
		       chassis_features[i].name, chassis_features[i].part,
		       chassis_features[i].needs_key ? "needs its key" : "needs no key here");
}

/* --- requirements ---------------------------------------------------------------------------- */

static void requirements(void)
{
	static const struct {
		const char *series, *statement, *where, *test;
		unsigned number;
	} row[] = {
#define REQUIREMENT(series, number, statement, where, test) \
	{#series, statement, where, test, number},
#include "chassis/requirements.def"
#undef REQUIREMENT
	};

	for (size_t i = 0; i < N(row); i++) {
		printf(".It %s-%0*u\n", row[i].series, strcmp(row[i].series, "FR") == 0 ? 3 : 2,
		       row[i].number);
		sentence(row[i].statement);
		printf(".br\nIn: %s.\n.br\nTest: %s.\n", row[i].where, row[i].test);
	}
}

/* --- the page -------------------------------------------------------------------------------- */

static const struct {
	const char *marker;
	void (*print)(void);
} tables[] = {
	{"BULK", bulk}, {"CALL_EVENTS", call_events}, {"CALL_REORDERS", call_reorders},
	{"CALL_STATES", call_states}, {"CONFIG", config}, {"CONTROL", control},
	{"ECS_COUNTERS", ecs_counters}, {"EXEC", exec}, {"FEATURES", features},
	{"FRAMES", frames}, {"IPC", ipc}, {"KINDS", kinds}, {"KPI", kpi}, {"KIND_COUNTERS", kind_counters},
	{"LADDER", ladder}, {"LIMITS", limits}, {"NOT_PROVIDED", not_provided}, {"REASONS", reasons},
	{"REPLICA_COUNTERS", replica_counters}, {"REQUIREMENTS", requirements}, {"ROLES", roles},
	{"SRP_COUNTERS", srp_counters}, {"SR_STATES", sr_states}, {"TASKS", tasks},
	{"TASK_COUNTERS", task_counters}, {"TLS_REFUSALS", tls_refusals},
	{"TRACE", trace}, {"TRACE_BY", trace_by}, {"TRACE_FATES", trace_fates},
};

static void table(const char *marker)
{
	for (size_t i = 0; i < N(tables); i++)
		if (strcmp(tables[i].marker, marker) == 0) {
			tables[i].print();
			return;
		}
	fatal("unknown marker", marker);
}

/* Copies a page with its tables in their places; @FILE=path@ is a file of the source, as it is. */
static void copy(const char *srcdir, const char *name, bool page)
{
	char line[1024], path[2048];
	FILE *f = fopen(name, "re");

	if (!f)
		fatal("cannot read", name);
	while (fgets(line, sizeof(line), f)) {
		size_t n = strcspn(line, "\n");

		if (!page) {
			put(line, strlen(line), false);
		} else if (n < 3 || line[0] != '@' || line[n - 1] != '@') {
			fputs(line, stdout);
		} else {
			line[n - 1] = '\0';
			if (strncmp(line, "@FILE=", 6) != 0) {
				table(line + 1);
				continue;
			}
			snprintf(path, sizeof(path), "%s/%s", srcdir, line + 6);
			copy(srcdir, path, false);
		}
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		fatal("usage", "manual SRCDIR PAGE");
	copy(argv[1], argv[2], true);
	return ferror(stdout) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
