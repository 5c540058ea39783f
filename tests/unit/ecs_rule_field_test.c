/* Fields of ruledefs beyond addresses, ports and plain strings: pools and maps, names in URLs and
 * header fields, what sessions and analyzers say; and which lines of a rulebase a ruledef can serve. */
#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/names.h"
#include "ecs/response.h"
#include "ecs_rule_text.h"

static struct ecs_packet pkt;
static struct ecs_l7 l7;
static struct ecs_match_in in;

static void reset(void)
{
	pkt = (struct ecs_packet){.version = 4, .proto = 6, .sport = 40000, .dport = 443};
	pkt.src = ecs_rule_text_addr("10.0.0.1");
	pkt.dst = ecs_rule_text_addr("192.0.2.7");
	l7 = (struct ecs_l7){.final = true};
	in = (struct ecs_match_in){.pkt = &pkt, .l7 = &l7};
}

/* A service of one ruledef `r` with these lines, behind `top`, and what else is there. */
static struct ecs_service *service(const char *top, const char *lines)
{
	char text[4096];

	snprintf(text, sizeof(text),
	         "%sruledef r\n%s#exit\ncharging-action c\n#exit\nrulebase rb\n"
	         "action priority 1 ruledef r charging-action c\n#exit\n", top, lines);
	return ecs_rule_text(text, true);
}

static bool hits(const struct ecs_service *s)
{
	struct ecs_matcher *m = ecs_matcher_new(s);
	bool maybe, hit;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	hit = ecs_match(m, 0, &in, &maybe) == 0;
	CU_ASSERT_FALSE(maybe);
	/* once more with the scratch of the first */
	CU_ASSERT_EQUAL(ecs_match(m, 0, &in, &maybe) == 0, hit);
	ecs_matcher_free(m);
	return hit;
}

static bool rule(const char *lines)
{
	struct ecs_service *s = service("", lines);
	bool hit;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	hit = hits(s);
	ecs_service_free(s);
	return hit;
}

/* --- pools and maps --------------------------------------------------------------------------- */

static const char pools[] =
	"host-pool p\nip 192.0.2.7\nip 198.51.100.0/24\nip range 203.0.113.5 to 203.0.113.9\n"
	"ip range 203.0.113.7 to 203.0.113.20\nip 2001:db8::/32\n#exit\n"
	"port-map m\nport 443\nport range 8000 to 8010\nport range 8005 to 8020\n#exit\n";

static void test_pools(void)
{
	static const struct {
		const char *addr;
		bool in;
	} a[] = {
		{"192.0.2.7", true}, {"192.0.2.6", false}, {"192.0.2.8", false},
		{"198.51.99.255", false}, {"198.51.100.0", true}, {"198.51.100.255", true},
		{"198.51.101.0", false}, {"203.0.113.4", false}, {"203.0.113.5", true},
		{"203.0.113.20", true}, {"203.0.113.21", false}, {"2001:db8::", true},
		{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true}, {"2001:db9::", false},
		{"0.0.0.0", false}, {"255.255.255.255", false}, {"::", false},
	};
	struct ecs_service *is = service(pools, "ip server-ip-address range host-pool p\n");
	struct ecs_service *not = service(pools, "ip server-ip-address !range host-pool p\n");
	struct ecs_service *none = service("", "ip server-ip-address !range host-pool p\n");

	CU_ASSERT_FATAL(is && not && none);
	reset();
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
		pkt.dst = ecs_rule_text_addr(a[i].addr);
		CU_ASSERT_EQUAL(hits(is), a[i].in);
		CU_ASSERT_EQUAL(hits(not), !a[i].in);
		CU_ASSERT_FALSE(hits(none)); /* there is no such pool: neither form matches */
	}
	ecs_service_free(is);
	ecs_service_free(not);
	ecs_service_free(none);
}

static void test_maps(void)
{
	static const uint16_t yes[] = {443, 8000, 8010, 8020}, no[] = {1, 442, 444, 7999, 8021, 65535};
	struct ecs_service *s = service(pools, "tcp dst-port range port-map m\n");
	struct ecs_service *e = service(pools, "tcp either-port !range port-map m\n");

	CU_ASSERT_FATAL(s && e);
	reset();
	for (size_t i = 0; i < 4; i++) {
		pkt.dport = yes[i];
		CU_ASSERT_TRUE(hits(s));
		CU_ASSERT_FALSE(hits(e));
	}
	for (size_t i = 0; i < 6; i++) {
		pkt.dport = no[i];
		CU_ASSERT_FALSE(hits(s));
		CU_ASSERT_TRUE(hits(e));
	}
	pkt.sport = 8007;
	CU_ASSERT_FALSE(hits(e));
	ecs_service_free(s);
	ecs_service_free(e);
}

static void test_imsis(void)
{
	static const char some[] = "imsi-pool i\nimsi 001010000000007\nimsi range 26201 to 26209\n"
				   "imsi range 001019999999990 to 001019999999999\n#exit\n";
	static const struct {
		const char *imsi;
		bool in;
	} a[] = {
		{"001010000000007", true}, {"001010000000006", false}, {"001010000000008", false},
		{"1010000000007", false}, {"26200", false}, {"26201", true}, {"26209", true},
		{"26210", false}, {"026205", false}, {"262050", false}, {"001019999999989", false},
		{"001019999999990", true}, {"001019999999999", true}, {"001020000000000", false},
	};
	static const char *const none[] = {NULL, "", "2620x", "1234567890123456"};
	struct ecs_service *is = service(some, "bearer 3gpp imsi range imsi-pool i\n");
	struct ecs_service *not = service(some, "bearer 3gpp imsi !range imsi-pool i\n");
	struct ecs_service *gone = service("", "bearer 3gpp imsi !range imsi-pool i\n");
	struct ecs_service *both = service(some, "bearer 3gpp imsi range imsi-pool i\nbearer 3gpp imsi "
	                                         "ends-with 5\n");

	CU_ASSERT_FATAL(is && not && gone && both);
	reset();
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
		in.imsi = a[i].imsi;
		CU_ASSERT_EQUAL(hits(is), a[i].in);
		CU_ASSERT_EQUAL(hits(not), !a[i].in);
		CU_ASSERT_FALSE(hits(gone));
		CU_ASSERT_FALSE(hits(both));
	}
	in.imsi = "26205";
	CU_ASSERT_TRUE(hits(both)); /* beside strings */
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		in.imsi = none[i];
		CU_ASSERT_FALSE(hits(is) || hits(not));
	}
	ecs_service_free(is);
	ecs_service_free(not);
	ecs_service_free(gone);
	ecs_service_free(both);
}

static void test_imsi_pool_lines(void)
{
	struct ecs_service *s = ecs_service_new("s1");
	struct ecs_err e;

	CU_ASSERT_EQUAL(ecs_service_imsi_pool(s, "i", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_host_pool(s, "i", false, &e), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_service_port_map(s, "i", false, &e), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "i", false, &e), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", false, "123456789012345", NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", false, "1234567890123456", NULL, &e), SRP_EFORMAT);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", false, "12a", NULL, &e), SRP_EFORMAT);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", false, "12", "12", &e), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", false, "12", "130", &e), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", false, "12", "13", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", true, "12", NULL, &e), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_service_imsi_line(s, "i", true, "12", "13", &e), 0);
	ecs_service_free(s);
}

/* What is not detected is never matched; of lines any of which is enough, the others are. */
static bool found(const char *detection, const char *lines)
{
	struct ecs_service *s = service(detection, lines);
	bool hit;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	hit = hits(s);
	ecs_service_free(s);
	return hit;
}

static void test_detection(void)
{
	static const char bt[] = "p2p protocol = bittorrent\n", ftp[] = "p2p-detection protocol ftp_control\n",
	                  both[] = "p2p-detection protocol ftp_control\np2p-detection protocol BITTORRENT\n",
	                  any[] = "p2p protocol = bittorrent\nip any-match = TRUE\nmulti-line-or all-lines\n",
	                  alone[] = "p2p protocol = bittorrent\nmulti-line-or all-lines\n",
	                  share[] = "p2p behavioral = p2p\n";
	struct ecs_service *a, *b, *c;

	reset();
	l7.app = 37; /* BitTorrent */
	CU_ASSERT_TRUE(found("", bt));
	CU_ASSERT_FALSE(found(ftp, bt));
	CU_ASSERT_TRUE(found(both, bt));
	CU_ASSERT_TRUE(found("p2p-detection protocol all\n", bt));
	CU_ASSERT_TRUE(found("p2p-detection protocol all\np2p-detection protocol ftp_control\n", bt));
	CU_ASSERT_TRUE(found("p2p-detection protocol ftp_control\nno p2p-detection protocol ftp_control\n", bt));
	CU_ASSERT_TRUE(found("p2p-detection protocol ftp_control\nno p2p-detection protocol all\n", bt));
	CU_ASSERT_FALSE(found("p2p-detection protocol nosuchapp\n", bt));
	CU_ASSERT_TRUE(found("p2p-detection behavioral voip\n", bt));
	CU_ASSERT_FALSE(found(ftp, "ip any-match = TRUE\np2p protocol = bittorrent\n"));
	CU_ASSERT_TRUE(found(ftp, any));
	CU_ASSERT_FALSE(found(ftp, alone));
	CU_ASSERT_TRUE(found("", share));
	CU_ASSERT_FALSE(found("p2p-detection behavioral voip\n", share));
	CU_ASSERT_TRUE(found("p2p-detection behavioral p2p\np2p-detection behavioral voip\n", share));
	CU_ASSERT_TRUE(found("p2p-detection behavioral voip\np2p-detection behavioral all\n", share));
	CU_ASSERT_TRUE(found("p2p-detection behavioral voip\nno p2p-detection behavioral all\n", share));
	/* nobody looks for what is not matched */
	a = service(ftp, bt);
	b = service("", bt);
	c = service("p2p-detection protocol bittorrent\n", bt);
	CU_ASSERT_FATAL(a && b && c);
	CU_ASSERT_FALSE(ecs_service_needs(a, 0).app);
	CU_ASSERT_TRUE(ecs_service_needs(b, 0).app);
	CU_ASSERT_NOT_EQUAL(ecs_service_rulebase_says(a, 0), ecs_service_rulebase_says(b, 0));
	CU_ASSERT_EQUAL(ecs_service_rulebase_says(c, 0), ecs_service_rulebase_says(b, 0));
	CU_ASSERT_NOT_EQUAL(ecs_service_digest(c), ecs_service_digest(b));
	ecs_service_free(a);
	ecs_service_free(b);
	ecs_service_free(c);
	/* a member of a group */
	a = ecs_rule_text("p2p-detection protocol ftp_control\nruledef bt\np2p protocol = bittorrent\n"
	                  "tcp any-match = TRUE\n#exit\ngroup-of-ruledefs g\nadd-ruledef priority 1 ruledef bt\n"
	                  "#exit\ncharging-action c\n#exit\nrulebase rb\n"
	                  "action priority 1 group-of-ruledefs g charging-action c\n#exit\n", true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_FALSE(hits(a));
	ecs_service_free(a);
}

static void test_detection_lines(void)
{
	struct ecs_service *s = ecs_service_new("s1");
	struct ecs_err e;
	char name[16];

	CU_ASSERT_EQUAL(ecs_service_detect(s, "two words", false, &e), SRP_EINVAL);
	CU_ASSERT_EQUAL(ecs_service_detect(s, "ftp_control", true, &e), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_service_detect_behavior(s, ECS_BEHAVIOR__N, false, &e), SRP_EINVAL);
	CU_ASSERT_EQUAL(ecs_service_detect_behavior(s, ECS_BEHAVIOR_VOIP, true, &e), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_service_detect(s, "ftp_control", false, &e), 0);
	for (int i = 1; i < ECS_DETECT_MAX; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		CU_ASSERT_EQUAL(ecs_service_detect(s, name, false, &e), 0);
	}
	CU_ASSERT_EQUAL(ecs_service_detect(s, "more", false, &e), SRP_EFULL);
	CU_ASSERT_EQUAL(ecs_service_detect(s, "FTP_control", false, &e), 0); /* is there */
	CU_ASSERT_EQUAL(ecs_service_detect(s, "x1", true, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_detect(s, "more", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_detect(s, NULL, false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_detect_behavior(s, 0, false, &e), SRP_ESTATE);
	ecs_service_free(s);
}

static void test_pool_model(void)
{
	struct ecs_service *s = ecs_service_new("s1");
	struct ecs_err e;
	char name[32];

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(ecs_service_host_pool(s, "p", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_port_map(s, "p", false, &e), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "p", false, &e), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_service_group(s, "p", false, &e), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_host_pool(s, "r", false, &e), SRP_EDUP);
	CU_ASSERT_NOT_EQUAL(ecs_service_host_line(s, "p", false, "10.0.0.2", "10.0.0.1", &e), 0);
	CU_ASSERT_NOT_EQUAL(ecs_service_host_line(s, "p", false, "10.0.0.2", "::1", &e), 0);
	CU_ASSERT_NOT_EQUAL(ecs_service_host_line(s, "p", false, "10.0.0.0/33", NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_host_line(s, "p", true, "10.0.0.1", NULL, &e), SRP_ENOENT);
	for (int i = 0; i < ECS_POOL_LINES; i++) {
		snprintf(name, sizeof(name), "10.1.%d.%d", i / 100, i % 100);
		CU_ASSERT_EQUAL(ecs_service_host_line(s, "p", false, name, NULL, &e), 0);
	}
	CU_ASSERT_EQUAL(ecs_service_host_line(s, "p", false, "10.2.0.0", NULL, &e), SRP_EFULL);
	CU_ASSERT_EQUAL(ecs_service_host_line(s, "p", false, name, NULL, &e), 0); /* is there */
	CU_ASSERT_EQUAL(ecs_service_host_line(s, "p", true, name, NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_host_line(s, "p", false, "10.2.0.0", NULL, &e), 0);
	for (int i = 1; i < ECS_POOLS_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		CU_ASSERT_EQUAL(ecs_service_host_pool(s, name, false, &e), 0);
	}
	CU_ASSERT_EQUAL(ecs_service_host_pool(s, "more", false, &e), SRP_EFULL);
	ecs_service_free(s);
}

/* Many ranges of ports at once, against a plain look at each. */
static void test_ranges(void)
{
	static char text[64 * 1024];
	static uint16_t lo[200], hi[200];
	struct ecs_service *s;
	struct ecs_matcher *m;
	size_t n = 0;
	bool maybe;

	srand(5);
	for (int i = 0; i < 200; i++) {
		lo[i] = (uint16_t)(1 + rand() % 65000);
		hi[i] = (uint16_t)(lo[i] + 1 + rand() % (i < 100 ? 40 : 500));
		if (hi[i] <= lo[i])
			hi[i] = 65535;
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "ruledef r%d\nudp dst-port range %u to %u\n#exit\n", i, lo[i],
		                      hi[i]);
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "charging-action c\n#exit\nrulebase rb\n");
	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "action priority %d ruledef r%d charging-action c\n", i + 1, i);
	s = ecs_rule_text(text, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	m = ecs_matcher_new(s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	reset();
	pkt.proto = 17;
	for (unsigned p = 0; p < 65536; p++) {
		uint16_t want = ECS_LINE_NONE;

		for (int i = 199; i >= 0; i--)
			if (p >= lo[i] && p <= hi[i])
				want = (uint16_t)i;
		pkt.dport = (uint16_t)p;
		if (ecs_match(m, 0, &in, &maybe) != want) {
			CU_FAIL("another rule than that of a plain look");
			break;
		}
	}
	ecs_matcher_free(m);
	ecs_service_free(s);
}

/* --- names ------------------------------------------------------------------------------------ */

static void test_attributes(void)
{
	reset();
	l7.http_host = "h";
	l7.http_url = "h/p?a=1&Bee=two&c&=x&a=3#a=4";
	CU_ASSERT_TRUE(rule("http attribute-in-url a = 1\n"));
	CU_ASSERT_FALSE(rule("http attribute-in-url a = 3\n")); /* the first counts */
	CU_ASSERT_TRUE(rule("http attribute-in-url bee = TWO\n"));
	CU_ASSERT_FALSE(rule("http attribute-in-url bee case-sensitive = TWO\n"));
	CU_ASSERT_TRUE(rule("http attribute-in-url bee starts-with t\n"));
	CU_ASSERT_TRUE(rule("http attribute-in-url bee regex ^t.o$\n"));
	CU_ASSERT_TRUE(rule("http attribute-in-url c present\n"));
	CU_ASSERT_FALSE(rule("http attribute-in-url d present\n"));
	CU_ASSERT_TRUE(rule("http attribute-in-url d !present\n"));
	CU_ASSERT_FALSE(rule("http attribute-in-url d != 1\n"));
	CU_ASSERT_TRUE(rule("http attribute-in-url a != 2\n"));
	CU_ASSERT_FALSE(rule("http x-header a = 1\n")); /* a name of another field */
	l7.http_url = "h/p";
	CU_ASSERT_FALSE(rule("http attribute-in-url a present\n"));
	l7.http_url = "h/p?";
	CU_ASSERT_FALSE(rule("http attribute-in-url a present\n"));
}

static void test_headers(void)
{
	reset();
	l7.http_headers = "Host\0h\0X-Test\0One two\0x-test\0three\0Empty\0\0";
	CU_ASSERT_TRUE(rule("http x-header x-test = \"one two\"\n"));
	CU_ASSERT_FALSE(rule("http x-header x-test = three\n"));
	CU_ASSERT_TRUE(rule("http x-header empty present\n"));
	CU_ASSERT_TRUE(rule("http x-header other !present\n"));
	CU_ASSERT_TRUE(rule("http x-header x-test contains \"e t\"\nhttp x-header host = h\n"));
	CU_ASSERT_FALSE(rule("http x-header x-test contains \"e t\"\nhttp x-header host = i\n"));
	l7.http_headers = NULL;
	CU_ASSERT_FALSE(rule("http x-header host present\n"));
}

static void test_http(void)
{
	reset();
	l7.http_host = "www.a.test";
	l7.http_domain = "a.test";
	l7.http_url = "www.a.test/p?q";
	l7.http_uri = "/p?q";
	l7.http_method = ECS_METHOD_POST;
	l7.http_code = 404;
	l7.http_type = "text/html";
	CU_ASSERT_TRUE(rule("http domain = A.test\n"));
	CU_ASSERT_TRUE(rule("http uri = /p?q\n"));
	CU_ASSERT_FALSE(rule("http uri = /p\n"));
	CU_ASSERT_TRUE(rule("http request method = post\n"));
	CU_ASSERT_FALSE(rule("http request method != post\n"));
	CU_ASSERT_TRUE(rule("http request method != get\n"));
	CU_ASSERT_TRUE(rule("http reply code = 404\n"));
	CU_ASSERT_TRUE(rule("http reply code >= 404\n"));
	CU_ASSERT_FALSE(rule("http reply code >= 405\n"));
	CU_ASSERT_TRUE(rule("http reply code <= 404\n"));
	CU_ASSERT_FALSE(rule("http reply code != 404\n"));
	CU_ASSERT_TRUE(rule("http content type starts-with text/\n"));
	CU_ASSERT_TRUE(rule("www host = www.a.test\n"));
	CU_ASSERT_TRUE(rule("www domain = a.test\n"));
	CU_ASSERT_TRUE(rule("www url ends-with ?q\n"));
	CU_ASSERT_TRUE(rule("www any-match = TRUE\n"));
	l7.http_code = 0;
	l7.http_method = 0;
	CU_ASSERT_FALSE(rule("http reply code != 404\n"));
	CU_ASSERT_FALSE(rule("http request method != get\n"));
}

static void test_session(void)
{
	reset();
	in.apn = "internet.test";
	in.imsi = "001010000000001";
	in.rat = ECS_RAT_EUTRAN;
	in.l34_only = true; /* none of them needs an analyzer */
	in.l7 = NULL;
	in.server_name = "www.cdn.test";
	CU_ASSERT_TRUE(rule("bearer 3gpp apn = Internet.test\n"));
	CU_ASSERT_FALSE(rule("bearer 3gpp apn case-sensitive = Internet.test\n"));
	CU_ASSERT_TRUE(rule("bearer 3gpp imsi starts-with 00101\n"));
	CU_ASSERT_FALSE(rule("bearer 3gpp imsi = 00101\n"));
	CU_ASSERT_TRUE(rule("bearer 3gpp rat-type = eutran\n"));
	CU_ASSERT_FALSE(rule("bearer 3gpp rat-type = wlan\n"));
	CU_ASSERT_TRUE(rule("bearer 3gpp rat-type != wlan\n"));
	CU_ASSERT_TRUE(rule("ip server-domain-name ends-with .cdn.test\n"));
	CU_ASSERT_FALSE(rule("ip server-domain-name = cdn.test\n"));
	CU_ASSERT_FALSE(rule("tethering-detection flow-tethered = TRUE\n"));
	CU_ASSERT_TRUE(rule("tethering-detection flow-tethered = FALSE\n"));
	in.tethered = true;
	CU_ASSERT_TRUE(rule("tethering-detection flow-tethered = TRUE\n"));
	in.rat = 0;
	in.apn = "";
	in.server_name = NULL;
	CU_ASSERT_FALSE(rule("bearer 3gpp rat-type != wlan\n"));
	CU_ASSERT_FALSE(rule("bearer 3gpp apn != x\n"));
	CU_ASSERT_TRUE(rule("bearer 3gpp apn !present\n"));
	CU_ASSERT_TRUE(rule("ip server-domain-name !present\n"));
}

static void test_apps(void)
{
	reset();
	l7.app = 37; /* BitTorrent */
	CU_ASSERT_TRUE(rule("p2p protocol = bittorrent\n"));
	CU_ASSERT_TRUE(rule("p2p behavioral = p2p\n"));
	CU_ASSERT_TRUE(rule("p2p behavioral != video\n"));
	CU_ASSERT_TRUE(rule("p2p traffic-type = file-transfer\n"));
	CU_ASSERT_FALSE(rule("p2p traffic-type = unclassified\n"));
	l7.app = 0;
	CU_ASSERT_TRUE(rule("p2p traffic-type = unclassified\n"));
	CU_ASSERT_FALSE(rule("p2p behavioral != video\n"));
	l7.tls_sni = "s.test";
	l7.quic_sni = "q.test";
	l7.tls = true;
	CU_ASSERT_TRUE(rule("p2p app-identifier tls-sni = s.test\n"));
	CU_ASSERT_TRUE(rule("p2p app-identifier quic-sni ends-with .test\n"));
	CU_ASSERT_FALSE(rule("p2p app-identifier quic-sni = s.test\n"));
	CU_ASSERT_TRUE(rule("secure-http any-match = TRUE\n"));
	CU_ASSERT_FALSE(rule("dns any-match = TRUE\n"));
	l7.dns_query = "x";
	CU_ASSERT_TRUE(rule("dns any-match = TRUE\n"));
}

/* FR-044: a P2P rule is told by its application; a group by its members. */
static void test_p2p_rules(void)
{
	static const char text[] =
		"ruledef bt\np2p protocol = bittorrent\n#exit\n"
		"ruledef ftp\np2p protocol = ftp_control\n#exit\n"
		"ruledef yt\np2p protocol = youtube\n#exit\n"
		"group-of-ruledefs g\nadd-ruledef priority 1 ruledef yt\n"
		"add-ruledef priority 2 ruledef bt\n#exit\n";
	struct ecs_service *s = ecs_rule_text(text, true), *on;
	char more[512];

	snprintf(more, sizeof(more), "flow-recovery p2p\n%s", text);
	on = ecs_rule_text(more, true);
	CU_ASSERT_FATAL(s && on);
	CU_ASSERT_EQUAL(ecs_service_p2p_barred(s, "bt"), ECS_P2P_ALL);
	CU_ASSERT_EQUAL(ecs_service_p2p_barred(s, "g"), ECS_P2P_SOME);
	CU_ASSERT_EQUAL(ecs_service_p2p_barred(s, "ftp"), ECS_P2P_NOT);
	CU_ASSERT_EQUAL(ecs_service_p2p_barred(s, "yt"), ECS_P2P_NOT);
	CU_ASSERT_EQUAL(ecs_service_p2p_barred(s, "unknown"), ECS_P2P_NOT);
	CU_ASSERT_EQUAL(ecs_service_p2p_barred(on, "bt"), ECS_P2P_NOT);
	CU_ASSERT_NOT_EQUAL(ecs_service_digest(s), ecs_service_digest(on));
	ecs_service_free(s);
	ecs_service_free(on);
}

/* What print writes is read again as the same; unknown forms are refused. */
static void test_text(void)
{
	static const char *const bad[] = {
		"http attribute-in-url a&b = x\n", "http reply code = 99\n", "http reply code = 600\n",
		"http request method = fetch\n", "bearer 3gpp rat-type = 6g\n",
		"p2p behavioral contains p2p\n", "tcp dst-port = port-map m\n",
		"http x-header 0123456789012345678901234567890x = a\n",
	};
	struct ecs_service *s = service(
		pools, "rule-application routing\nhttp x-header a case-sensitive = \"b c\"\n"
		       "http attribute-in-url q !present\ntcp src-port !range port-map m\n"
		       "bearer 3gpp imsi !range imsi-pool i\nip src-address range host-pool p\nhttp reply code >= 400\n"
		       "multi-line-or all-lines\n");
	struct ecs_service *t;
	char *a, *b;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	a = ecs_rule_text_print(s);
	t = ecs_rule_text(a, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	b = ecs_rule_text_print(t);
	CU_ASSERT_STRING_EQUAL(a, b);
	CU_ASSERT_EQUAL(ecs_service_digest(s), ecs_service_digest(t));
	reset();
	CU_ASSERT_FALSE(hits(s)); /* of routing: an action line has no effect */
	CU_ASSERT_FALSE(ecs_service_line(s, 0)->bound);
	free(a);
	free(b);
	ecs_service_free(s);
	ecs_service_free(t);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ecs_err e;

		s = ecs_service_new("s1");
		CU_ASSERT_FATAL(s && ecs_service_ruledef(s, "r", false, &e) == 0);
		{
			char text[256];

			snprintf(text, sizeof(text), "ruledef r\n%s", bad[i]);
			CU_ASSERT_NOT_EQUAL(ecs_rule_text_feed(s, text, &e), 0);
		}
		ecs_service_free(s);
	}
}

/* A pool that holds the same says the same, however it is written; another one does not. */
static void test_pool_digest(void)
{
	static const char line[] = "ip dst-address range host-pool p\n";
	struct ecs_service *a = service("host-pool p\nip 10.0.0.0/31\n#exit\n", line);
	struct ecs_service *b = service("host-pool p\nip 10.0.0.1\nip range 10.0.0.0 to 10.0.0.1\n#exit\n",
	                                line);
	struct ecs_service *c = service("host-pool p\nip 10.0.0.0/30\n#exit\n", line);

	CU_ASSERT_FATAL(a && b && c);
	CU_ASSERT_EQUAL(ecs_service_line(a, 0)->rule_digest, ecs_service_line(b, 0)->rule_digest);
	CU_ASSERT_NOT_EQUAL(ecs_service_line(a, 0)->rule_digest,
	                    ecs_service_line(c, 0)->rule_digest);
	ecs_service_free(a);
	ecs_service_free(b);
	ecs_service_free(c);
}

/* --- analyzers -------------------------------------------------------------------------------- */

static unsigned feed(struct ecs_response *r, const char *text, size_t chunk)
{
	size_t n = strlen(text);
	unsigned found = 0;

	for (size_t at = 0; at < n; at += chunk)
		found += ecs_response_feed(r, (const uint8_t *)text + at,
		                           n - at < chunk ? n - at : chunk);
	return found;
}

static void test_responses(void)
{
	static const char two[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
				  "Content-Type: text/html; charset=x\r\nContent-Length: 5\r\n\r\nhello"
				  "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
				  "HTTP/1.0 404 No\n\n";
	for (size_t chunk = 1; chunk < sizeof(two); chunk++) {
		struct ecs_response r = {0};

		CU_ASSERT_EQUAL(feed(&r, two, chunk), 3);
		CU_ASSERT_EQUAL(r.code, 404);
		CU_ASSERT_STRING_EQUAL(r.type, "");
		CU_ASSERT_EQUAL(r.state, ECS_RESPONSE_RESYNC);
		ecs_response_fini(&r);
	}
	for (size_t cut = 0; cut < 60; cut++) { /* garbage instead of a status line */
		struct ecs_response r = {0};

		CU_ASSERT_EQUAL(feed(&r, "HTP/1.1 200 OK\r\n\r\n", cut + 1), 0);
		CU_ASSERT_EQUAL(r.state, ECS_RESPONSE_OVER);
		ecs_response_fini(&r);
	}
	{
		struct ecs_response r = {.head = true};

		CU_ASSERT_EQUAL(feed(&r, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"
		                         "Content-Length: 100\r\n\r\n", 7), 1);
		CU_ASSERT_STRING_EQUAL(r.type, "a/b");
		CU_ASSERT_EQUAL(r.state, ECS_RESPONSE_START); /* of a HEAD: no body */
		CU_ASSERT_EQUAL(ecs_response_feed(&r, NULL, 0), 0);
		CU_ASSERT_EQUAL(r.state, ECS_RESPONSE_RESYNC);
		CU_ASSERT_EQUAL(feed(&r, "rest of a body", 14), 0);
		CU_ASSERT_EQUAL(feed(&r, "HTTP/1.1 500 x\r\n\r\n", 18), 1);
		CU_ASSERT_EQUAL(r.code, 500);
		ecs_response_fini(&r);
	}
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT    "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"

static void test_chunks(void)
{
	static const char *const good[] = {
		CHUNKED "0\r\n\r\n" NEXT,
		CHUNKED "4\r\nbody\r\n0\r\n\r\n" NEXT,
		CHUNKED "26;name=v\r\n" NEXT "\r\n00\r\nTrailer: x\r\nHTTP/1.1 500\r\n\r\n" NEXT,
		CHUNKED "4\nbody\r\n10 \r\n0123456789abcdef\r\n0;last\n\n" NEXT,
	};
	static const char *const bad[] = {
		CHUNKED "\r\n", CHUNKED "x\r\n", CHUNKED ";\r\n", CHUNKED "-1\r\n", CHUNKED "4x\r\n",
		CHUNKED "1000000000000000\r\n",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t cut = 1; cut <= strlen(good[i]); cut++) {
			struct ecs_response r = {0};

			CU_ASSERT_EQUAL(feed(&r, good[i], cut), 2);
			CU_ASSERT_EQUAL(r.code, 404);
			CU_ASSERT_EQUAL(r.state, ECS_RESPONSE_START);
			ecs_response_fini(&r);
		}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ecs_response r = {0};

		CU_ASSERT_EQUAL(feed(&r, bad[i], strlen(bad[i])), 1);
		CU_ASSERT_EQUAL(r.state, ECS_RESPONSE_RESYNC);
		ecs_response_fini(&r);
	}
}

/* The answer that www.a.test is b.test, which has two addresses. */
static const uint8_t answer[] =
	"\x12\x34\x81\x80\0\1\0\3\0\0\0\0\3www\1a\4test\0\0\1\0\1"
	"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\x08\1b\4test\0"
	"\xc0\x2a\0\1\0\1\0\0\x0e\x10\0\4\xc0\0\2\x07"
	"\xc0\x2a\0\x1c\0\1\0\0\0\1\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1";

static void test_names(void)
{
	struct ecs_names *n = ecs_names_new(3);
	const struct ecs_addr v4 = ecs_rule_text_addr("192.0.2.7");
	const struct ecs_addr v6 = ecs_rule_text_addr("2001:db8::1");
	const char *name;
	struct srp_time now = {SRP_SEC(100)};
	size_t len = sizeof(answer) - 1;
	uint8_t bad[sizeof(answer)];

	CU_ASSERT_PTR_NOT_NULL_FATAL(n);
	CU_ASSERT_EQUAL(ecs_names_answer(n, 1, answer, len, now), 2);
	name = ecs_names_find(n, 1, &v4, now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(name);
	CU_ASSERT_STRING_EQUAL(name, "www.a.test");
	CU_ASSERT_PTR_NOT_NULL(ecs_names_find(n, 1, &v6, now));
	CU_ASSERT_PTR_NULL(ecs_names_find(n, 2, &v4, now)); /* what one was told, another was not */
	now.us += SRP_SEC(ECS_NAMES_TTL_MIN_S) - 1;
	CU_ASSERT_PTR_NOT_NULL(ecs_names_find(n, 1, &v6, now)); /* of a second: used for a minute */
	now.us += 1;
	CU_ASSERT_PTR_NULL(ecs_names_find(n, 1, &v6, now));
	CU_ASSERT_PTR_NOT_NULL(ecs_names_find(n, 1, &v4, now));
	CU_ASSERT_EQUAL(ecs_names_count(n), 1);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);

		CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
		memcpy(copy, answer, cut);
		CU_ASSERT(ecs_names_answer(n, 7, copy, cut, now) < 2);
		free(copy);
	}
	memcpy(bad, answer, sizeof(bad));
	bad[2] = 1; /* a question */
	CU_ASSERT_EQUAL(ecs_names_answer(n, 8, bad, len, now), 0);
	bad[2] = 0x81;
	bad[3] = 0x83; /* no such name */
	CU_ASSERT_EQUAL(ecs_names_answer(n, 8, bad, len, now), 0);
	ecs_names_free(n);
}

static void test_names_limit(void)
{
	struct ecs_names *n = ecs_names_new(3);
	const struct ecs_addr v4 = ecs_rule_text_addr("192.0.2.7");
	struct srp_time now = {SRP_SEC(100)};

	CU_ASSERT_PTR_NOT_NULL_FATAL(n);
	for (uint32_t i = 1; i <= ECS_NAMES_MAX / 2 + 1; i++)
		ecs_names_answer(n, i, answer, sizeof(answer) - 1, now);
	CU_ASSERT_EQUAL(ecs_names_count(n), ECS_NAMES_MAX);
	CU_ASSERT_PTR_NULL(ecs_names_find(n, 1, &v4, now)); /* the oldest has gone */
	CU_ASSERT_PTR_NOT_NULL(ecs_names_find(n, 2, &v4, now));
	CU_ASSERT_PTR_NOT_NULL(ecs_names_find(n, ECS_NAMES_MAX / 2 + 1, &v4, now));
	ecs_names_free(n);
}

CU_TestInfo ecs_rule_field_tests[] = {
	{"host-pools", test_pools},
	{"port-maps", test_maps},
	{"imsi-pools", test_imsis},
	{"detection", test_detection},
	{"lines of detection", test_detection_lines},
	{"lines of imsi-pools", test_imsi_pool_lines},
	{"limits and names of pools", test_pool_model},
	{"ranges of ports against a plain look", test_ranges},
	{"attributes in URLs", test_attributes},
	{"header fields", test_headers},
	{"parts of requests and responses", test_http},
	{"what sessions and addresses say", test_session},
	{"kinds of applications", test_apps},
	{"P2P rules", test_p2p_rules},
	{"lines are printed and read again", test_text},
	{"digest of a pool", test_pool_digest},
	{"HTTP responses", test_responses}, {"chunks", test_chunks},
	{"names of addresses", test_names},
	{"limit of names", test_names_limit},
	CU_TEST_INFO_NULL,
};
