/* What a match costs: strings that are scanned. */
#include "config.h"
#include "suites.h"

#include <dlfcn.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs_rule_packet.h"

/* Counts what the matcher scans: the program's symbol stands before the library's. */
static unsigned scans;

hs_error_t HS_CDECL hs_scan(const hs_database_t *db, const char *data, unsigned int length,
                            unsigned int flags, hs_scratch_t *scratch, match_event_handler onEvent,
                            void *context)
{
	static hs_error_t (*real)(const hs_database_t *, const char *, unsigned, unsigned,
	                          hs_scratch_t *, match_event_handler, void *);

	if (!real) {
		void *f = dlsym(RTLD_NEXT, "hs_scan");

		memcpy(&real, &f, sizeof(real));
	}
	scans++;
	return real(db, data, length, flags, scratch, onEvent, context);
}

/* Scans of one call with rules of n hosts and n names, and the priority that it found. */
static unsigned scans_of(int n, int *priority)
{
	char *text = malloc((size_t)n * 400 + 200), *p = text;
	struct ecs_service *s;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (int i = 0; i < n; i++)
		p += sprintf(p, "ruledef h%d\nhttp host contains .h%d.example\n#exit\n"
		             "ruledef t%d\ntls sni contains t%d.example\n#exit\n", i, i, i, i);
	p += sprintf(p, "charging-action c\n#exit\nrulebase rb\n");
	for (int i = 0; i < n; i++)
		p += sprintf(p, "action priority %d ruledef h%d charging-action c\n"
		             "action priority %d ruledef t%d charging-action c\n",
		             i + 1, i, 10000 + i, i);
	s = ecs_rule_text(text, true);
	free(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	scans = 0;
	*priority = match(s, NULL);
	ecs_service_free(s);
	return scans;
}

static void test_scans_do_not_grow(void)
{
	char host[64];
	int priority;

	packet(6);
	for (int n = 1; n <= 1000; n *= 10) {
		snprintf(host, sizeof(host), "www.h%d.example", n - 1);
		l7.http_host = host;
		l7.tls_sni = NULL;
		CU_ASSERT_EQUAL(scans_of(n, &priority), 1);
		CU_ASSERT_EQUAL(priority, n);
		l7.tls_sni = "not.here";
		CU_ASSERT_EQUAL(scans_of(n, &priority), 2);
		CU_ASSERT_EQUAL(priority, n);
		l7.http_url = "nobody asks for it";
		CU_ASSERT_EQUAL(scans_of(n, &priority), 2);
		in.l34_only = true;
		CU_ASSERT_EQUAL(scans_of(n, &priority), 0);
		CU_ASSERT_EQUAL(priority, 0);
		in.l34_only = false;
		l7.http_url = NULL;
	}
}

/* An L3/L4 rule in front decides before anything is scanned. */
static void test_l34_in_front(void)
{
	struct ecs_service *s = ecs_rule_text(
		"ruledef web\ntcp dst-port = 80\n#exit\nruledef h\nhttp host regex a\n#exit\n"
		"charging-action c\n#exit\n"
		"rulebase rb\naction priority 1 ruledef web charging-action c\n"
		"action priority 2 ruledef h charging-action c\n#exit\n", true);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	packet(6);
	l7.http_host = "a";
	scans = 0;
	CU_ASSERT_EQUAL(match(s, NULL), 1);
	CU_ASSERT_EQUAL(scans, 0);
	pkt.dport = 81;
	CU_ASSERT_EQUAL(match(s, NULL), 2);
	CU_ASSERT_EQUAL(scans, 1);
	ecs_service_free(s);
}

/* Results of one string do not stay for the next. */
static void test_hits_are_of_one_call(void)
{
	struct ecs_service *s = make("ruledef r\n", "http host = a\nhttp host starts-with a");
	struct ecs_matcher *m;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	m = ecs_matcher_new(s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	packet(6);
	for (int i = 0; i < 3; i++) {
		l7.http_host = "a";
		CU_ASSERT_EQUAL(ecs_match(m, 0, &in, NULL), 0);
		l7.http_host = "ab";
		CU_ASSERT_EQUAL(ecs_match(m, 0, &in, NULL), ECS_LINE_NONE);
		l7.http_host = NULL;
		CU_ASSERT_EQUAL(ecs_match(m, 0, &in, NULL), ECS_LINE_NONE);
	}
	ecs_matcher_free(m);
	ecs_service_free(s);
}

CU_TestInfo ecs_rule_scan_tests[] = {
	{"scans do not grow with the rules", test_scans_do_not_grow},
	{"an L3/L4 rule in front needs no scan", test_l34_in_front},
	{"hits are of one call", test_hits_are_of_one_call},
	CU_TEST_INFO_NULL,
};
