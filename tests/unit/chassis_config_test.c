/* Files of the configuration: blocks, limits, and what the rest of the program asks of one. */
#include "config.h"
#include "suites.h"

#include "chassis/cli/config_impl.h"
#include "config_kit.h"

static char *file(const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[512], *text;
	long n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	text = calloc(1, (size_t)n + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL_FATAL(fread(text, 1, (size_t)n, f), (size_t)n);
	fclose(f);
	return text;
}

/* --- what loads --------------------------------------------------------------------------------- */

/* As printed in the flow recovery chapter, blanks and all. */
static const char chapter[] =
	"configure \n"
	"   active-charging service s1 \n"
	"      trigger-action ta1 \n"
	"         flow-recovery \n"
	"      #exit \n"
	"      trigger-condition tc1 \n"
	"         rule-name = rule01 \n"
	"         delay = 600 \n"
	"      #exit \n"
	"      service-scheme ss1 \n"
	"          trigger flow-create \n"
	"             priority 1 trigger-condition tc1  trigger-action ta1 \n"
	"         #exit \n"
	"      #exit \n"
	"   end \n";

static void test_chapter(void)
{
	struct errors e;
	struct chassis_config *c = parse(chapter, &e);
	char text[1024];

	/* FR-009: it has a key of its own */
	CU_ASSERT_PTR_NULL(c);
	CU_ASSERT_STRING_EQUAL(e.first, "f:4: at 'flow-recovery': expected a feature key: "
	                                "Flow Recovery is disabled, its key is not installed "
	                                "(`license key-file`)");
	snprintf(text, sizeof(text), "configure\nlicense key-file /k\n%s", strchr(chapter, '\n') + 1);
	c = parse(text, &e);
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(ecs_service_name(c->service), "s1");
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_limit(c->service), 10);
	round_trip(c);
	chassis_config_free(c);
}

static void test_examples(void)
{
	static const char *const names[] = {"examples/pair-a.conf", "examples/pair-b.conf"};
	struct chassis_config *c[2];
	struct errors e;
	uint32_t delay = 0;
	int scheme;

	for (size_t i = 0; i < 2; i++) {
		char *text = file(names[i]);

		c[i] = parse(text, &e);
		if (!c[i])
			printf("\n%s: %s\n", names[i], e.first);
		CU_ASSERT_PTR_NOT_NULL_FATAL(c[i]);
		round_trip(c[i]);
		free(text);
	}
	CU_ASSERT_EQUAL(chassis_config_digest(c[0]), chassis_config_digest(c[1]));
	CU_ASSERT(c[0]->session_recovery && c[1]->session_recovery);
	CU_ASSERT_STRING_EQUAL(c[0]->license_file, "/etc/chassisd/features");
	CU_ASSERT_EQUAL(c[0]->srp.mode, CHASSIS_PRIMARY);
	CU_ASSERT_EQUAL(c[1]->srp.mode, CHASSIS_BACKUP);
	CU_ASSERT_EQUAL(c[0]->srp.hello_ms, 100);
	CU_ASSERT_EQUAL(c[0]->srp.dead_ms, 500);
	CU_ASSERT_EQUAL(c[0]->srp.rate, 12000);
	CU_ASSERT_STRING_EQUAL(c[0]->srp.peer_name, "b.pair.example");
	CU_ASSERT_STRING_EQUAL(c[0]->state_file, "/var/lib/chassisd/term");
	CU_ASSERT_EQUAL(c[0]->niface, 3);
	CU_ASSERT(c[0]->iface[0].addr[1].activate);
	CU_ASSERT_EQUAL(c[0]->iface[0].addr[1].len, 32);
	CU_ASSERT_EQUAL(c[0]->iface[1].side, CHASSIS_SIDE_CORE);
	CU_ASSERT_EQUAL(c[0]->pool[1].len, 24);
	CU_ASSERT_STRING_EQUAL(c[0]->pool[1].first_packet_apn, "internet");
	scheme = ecs_service_find_scheme(c[0]->service, "rb1", "internet");
	CU_ASSERT(scheme >= 0);
	CU_ASSERT(ecs_service_eligible(c[0]->service, scheme, "media", false, &delay));
	CU_ASSERT_EQUAL(delay, 2);
	chassis_config_free(c[0]);
	chassis_config_free(c[1]);
}

/* --- what does not load ------------------------------------------------------------------------- */

static void test_frames(void)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"configure\n", "f:1: at end of line: expected `end`: a block (config) opened at line 1 is not closed"},
		{"configure\ncontext c\n\n", "f:3: at end of line: expected `end`: a block (config-ctx) opened at line 2 is not closed"},
		{"context c\n", "f:1: at 'context': expected configure, active-charging or no"},
		{"exit\n", "f:1: at 'exit': expected an open block"},
		{"configure\nend\n#exit\n", "f:3: at '#exit': expected an open block"},
		{"configure\nend\nend\n", "f:3: at 'end': expected an open block"},
		{"configure\n\"\nend\n", "f:2: at '\"': expected a closing quotation mark"},
	};
	struct errors e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct chassis_config *c = parse(bad[i].text, &e);

		if (c || strcmp(e.first, bad[i].error) != 0)
			printf("\n%s: %s\n", bad[i].text, e.first);
		CU_ASSERT_PTR_NULL(c);
		CU_ASSERT_STRING_EQUAL(e.first, bad[i].error);
	}
	chassis_config_free(parse("", &e));
	CU_ASSERT_EQUAL(e.n, 0);
	chassis_config_free(parse("# nothing\r\nconfigure\r\n# more\r\n\texit\r\n", &e));
	CU_ASSERT_EQUAL(e.n, 0);
}

/* All errors of a file are told, up to a number; the lines of a block that could not be opened are not
 * taken for commands of another mode. */
static void test_many_errors(void)
{
	static char text[100000];
	size_t n = 0;
	struct errors e;

	CU_ASSERT_PTR_NULL(parse("configure\nfoo\nbar\nactive-charging service x\nruledef " NAME63 "4\n"
	                         "ip any-match = TRUE\ntcp any-match = TRUE\n#exit\nbaz\nend\n", &e));
	CU_ASSERT_EQUAL(e.n, 4);
	CU_ASSERT(strncmp(e.last, "f:9: at 'baz': ", 15) == 0);
	n += (size_t)sprintf(text, "configure\n");
	for (int i = 0; i < 50; i++)
		n += (size_t)sprintf(text + n, "foo%d\n", i);
	sprintf(text + n, "end\n");
	CU_ASSERT_PTR_NULL(parse(text, &e));
	CU_ASSERT_EQUAL(e.n, CHASSIS_CONFIG_ERRORS_MAX);
}

/* --- limits of the whole ------------------------------------------------------------------------ */

static void test_2048_ruledefs(void)
{
	size_t cap = 200000, n = 0;
	char *text = malloc(cap);
	struct chassis_config *c;
	struct errors e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (int extra = 0; extra < 2; extra++) {
		n = (size_t)sprintf(text, "configure\nactive-charging service s\n");
		for (int i = 0; i < 2048 + extra; i++)
			n += (size_t)sprintf(text + n, "ruledef rule%d\n ip protocol = %d\n#exit\n", i, i & 255);
		sprintf(text + n, "end\n");
		c = parse(text, &e);
		CU_ASSERT(extra ? !c && e.n == 1 : c != NULL);
		if (extra)
			CU_ASSERT_STRING_EQUAL(e.first, "f:6147: at 'rule2048': expected at most 2048 ruledefs");
		chassis_config_free(c);
	}
	free(text);
}

static void test_many(void)
{
	static const struct {
		struct frame f;
		const char *line;
		int most;
		const char *error;
	} all[] = {
		{TC, "rule-name = r%d\n", 15, "expected at most 15"},
		{RULE, "ip protocol = %d\n", 32, "expected at most 32 lines in a ruledef"},
		{CTX, "interface eth%d\nexit\n", CHASSIS_IFACES_MAX, "expected at most 16 interfaces"},
		{CTX, "apn a%d\nexit\n", CHASSIS_APNS_MAX, "expected at most 64 APNs"},
		{CTX, "ip pool p%d 10.0.%1$d.0/24\n", CHASSIS_POOLS_MAX, "expected at most 64 pools"},
		{IF, "ip address 10.0.%d.1/24\n", CHASSIS_ADDRS_MAX, "expected at most 16 addresses"},
	};
	static char text[20000];
	struct errors e;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (int extra = 0; extra < 2; extra++) {
			size_t n = (size_t)sprintf(text, "%s", all[i].f.open);
			struct chassis_config *c;

			for (int k = 0; k < all[i].most + extra; k++) {
				char line[64], *mark;

				snprintf(line, sizeof(line), "%s", all[i].line);
				/* the number stands at one place, or at two */
				while ((mark = strchr(line, '%')) != NULL) {
					char rest[64];

					snprintf(rest, sizeof(rest), "%s", strchr(mark, 'd') + 1);
					snprintf(mark, sizeof(line) - (size_t)(mark - line), "%d%s", k, rest);
				}
				n += (size_t)sprintf(text + n, "%s", line);
			}
			sprintf(text + n, "%s", all[i].f.close);
			c = parse(text, &e);
			if (extra ? c != NULL : !c)
				printf("\n%s: %s\n", all[i].line, e.first);
			CU_ASSERT(extra ? !c && strstr(e.first, all[i].error) : c != NULL);
			chassis_config_free(c);
		}
	}
}

/* --- what the rest of the program asks ---------------------------------------------------------- */

static void test_defaults(void)
{
	struct errors e;
	struct chassis_config *c = parse("configure\ncontext x\nservice-redundancy-protocol\nend\n", &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(c->hostname, "chassis");
	CU_ASSERT_EQUAL(c->sessmgrs, 2);
	CU_ASSERT_EQUAL(c->severity, 6);
	CU_ASSERT(!c->session_recovery && !c->license_file[0] && !c->crash_cores);
	CU_ASSERT_EQUAL(c->reserve_sessions, 20000);
	CU_ASSERT_EQUAL(c->reserve_flows, 60000);
	CU_ASSERT(c->srp.present);
	CU_ASSERT_STRING_EQUAL(c->srp.context, "x");
	CU_ASSERT_EQUAL(c->srp.mode, CHASSIS_BACKUP);
	CU_ASSERT_EQUAL(c->srp.priority, 125);
	CU_ASSERT_EQUAL(c->srp.hello_ms, 10000);
	CU_ASSERT_EQUAL(c->srp.dead_ms, 30000);
	CU_ASSERT_EQUAL(c->srp.session_duration, 60);
	CU_ASSERT_EQUAL(c->srp.relay_ms, 3000);
	CU_ASSERT_EQUAL(c->srp.route_modifier, 16);
	CU_ASSERT_EQUAL(c->srp.rate, 0);
	CU_ASSERT(!c->srp.lz4);
	CU_ASSERT_PTR_NULL(c->service);
	chassis_config_free(c);
}

static void test_pools(void)
{
	static const struct {
		const char *addr, *pool;
	} cases[] = {
		{"10.64.0.0", "a"}, {"10.64.255.255", "a"}, {"10.65.0.0", NULL}, {"10.63.255.255", NULL},
		{"10.70.0.128", "b"}, {"10.70.0.127", NULL}, {"2001:db8:64::1", "c"},
		{"2001:db8:65::1", NULL}, {"10.80.0.1", "d"}, {"10.80.0.2", NULL},
	};
	struct errors e;
	struct chassis_config *c = parse("configure\ncontext x\nip pool a 10.64.0.0/16\n"
	                                 "ip pool b 10.70.0.128/25\nipv6 pool c 2001:db8:64::/48\n"
	                                 "ip pool d 10.80.0.1/32\napn n\nend\n", &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ecs_addr a;
		const struct chassis_pool *p;

		CU_ASSERT_EQUAL(chassis_addr_parse(cases[i].addr, &a, NULL, NULL), 0);
		p = chassis_config_pool(c, &a);
		CU_ASSERT(cases[i].pool ? p && strcmp(p->name, cases[i].pool) == 0 : !p);
	}
	CU_ASSERT_PTR_NOT_NULL(chassis_config_apn(c, "n"));
	CU_ASSERT_PTR_NULL(chassis_config_apn(c, "m"));
	chassis_config_free(c);
}

/* What session recovery needs is said before any context and service, wherever it was given. */
static void test_session_recovery_first(void)
{
	struct errors e;
	struct chassis_config *c = parse("configure\nactive-charging service s\nexit\ncontext local\n"
					 "interface i\nend\nconfigure\nlicense key-file /k\n"
					 "require session recovery\nend\n", &e);
	char *text;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT(c->session_recovery);
	CU_ASSERT_STRING_EQUAL(c->license_file, "/k");
	text = printed(c);
	CU_ASSERT(strncmp(text, "configure\n  license key-file \"/k\"\n  require session recovery\n",
			  60) == 0);
	free(text);
	chassis_config_free(c);
	c = parse("configure\nlicense key-file /k\nrequire session recovery\n"
		  "no require session recovery\nend\n", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT(!c->session_recovery);
	text = printed(c);
	CU_ASSERT_PTR_NULL(strstr(text, "require"));
	free(text);
	chassis_config_free(c);
}

/* What may differ does not change the digest; what must not does. */
static void test_digest(void)
{
	static const char base[] = "configure\ntask facility sessmgr max 2\ncontext x\ninterface e\n"
		"ip address 10.0.0.1/24\nexit\nservice-redundancy-protocol\npriority 5\nexit\nend\n";
	static const struct {
		const char *from, *to;
		bool equal;
	} cases[] = {
		{"priority 5", "priority 6", true}, {"10.0.0.1/24", "10.0.0.2/24", true},
		{"interface e", "interface f", true}, {"configure", "configure\nsystem hostname z", true},
		{"priority 5", "tls key /k", true}, {"priority 5", "bind address 10.0.0.1", true},
		{"configure", "configure\nlicense key-file /k\nrequire session recovery", true},
		{"configure", "configure\nsession-recovery reserve sessions 5 flows 5", true},
		{"configure", "configure\ncrash enable directory /c", true},
		{"max 2", "max 3", false}, {"10.0.0.1/24", "10.0.0.1/24 srp-activate", false},
		{"priority 5", "dead-interval 31", false}, {"priority 5", "checkpoint rate-limit 5", false},
		{"context x", "context x\nip pool p 10.0.0.0/8", false},
		{"exit\nend\n", "exit\nexit\nactive-charging service s\nend\n", false},
	};
	struct errors e;
	struct chassis_config *c = parse(base, &e), *d;
	uint64_t digest;
	char text[1024];

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	digest = chassis_config_digest(c);
	CU_ASSERT_NOT_EQUAL(digest, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = strstr(base, cases[i].from);

		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base, cases[i].to,
		         at + strlen(cases[i].from));
		d = parse(text, &e);
		if (!d)
			printf("\n%s: %s\n", cases[i].to, e.first);
		CU_ASSERT_PTR_NOT_NULL_FATAL(d);
		CU_ASSERT_EQUAL(chassis_config_digest(d) == digest, cases[i].equal);
		chassis_config_free(d);
	}
	chassis_config_free(c);
}

/* An example that is cut at any line, or has any byte changed, gives a configuration or errors. */
static void test_cut(void)
{
	char *text = file("examples/pair-a.conf");
	size_t len = strlen(text), loaded = 0;
	struct errors e = {0};

	for (size_t n = 0; n < len; n += 97) {
		struct chassis_config *c = chassis_config_parse(text, n, "f", on_error, &e);

		loaded += c != NULL;
		chassis_config_free(c);
	}
	/* comments alone are an empty configuration */
	CU_ASSERT(loaded > 0 && loaded * 97 < (size_t)(strstr(text, "\nconfigure") - text) + 2 * 97);
	for (size_t n = 0; n < len; n += 61) {
		char old = text[n];

		text[n] = (char)(old ^ 0x85);
		chassis_config_free(chassis_config_parse(text, len, "f", on_error, &e));
		text[n] = old;
	}
	free(text);
}

/* A schema's format at its limit is kept as it is, one character more is refused. */
static void test_long_format(void)
{
	static const char open[] = "configure\nlicense key-file /k\nbulkstats mode\nfile 1\nflow-kpi schema x format ";
	char text[sizeof(open) + CHASSIS_BULK_FORMAT + 8], *again;
	struct chassis_config *c;
	struct errors e;

	for (size_t n = CHASSIS_BULK_FORMAT; n <= CHASSIS_BULK_FORMAT + 1; n++) {
		size_t at = strlen(open);

		memcpy(text, open, at);
		memset(text + at, 'x', n);
		memcpy(text + at + n, "\nend\n", 6);
		c = parse(text, &e);
		CU_ASSERT_EQUAL(c != NULL, n == CHASSIS_BULK_FORMAT);
		if (!c)
			continue;
		CU_ASSERT_EQUAL(strlen(c->bulk.file[0].schema[0].format), n);
		again = printed(c);
		chassis_config_free(c);
		c = parse(again, &e);
		CU_ASSERT_PTR_NOT_NULL(c);
		CU_ASSERT_EQUAL(c ? strlen(c->bulk.file[0].schema[0].format) : 0, n);
		chassis_config_free(c);
		free(again);
	}
	CU_ASSERT_PTR_NOT_NULL(strstr(e.first, "expected text of 1 to 3599 characters"));
}

CU_TestInfo chassis_config_tests[] = {
	{"format of a schema", test_long_format},
	{"sample of the chapter", test_chapter},
	{"examples", test_examples},
	{"blocks", test_frames},
	{"many errors", test_many_errors},
	{"2048 ruledefs and one more", test_2048_ruledefs},
	{"limits", test_many},
	{"defaults", test_defaults},
	{"pools", test_pools},
	{"session recovery stands first", test_session_recovery_first},
	{"digest", test_digest},
	{"cut and changed files", test_cut},
	CU_TEST_INFO_NULL,
};
