#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/app.h"
#include "ecs_rule_packet.h"

/* Whether a ruledef of this one line (or of lines) matches. */
static bool one(const char *line)
{
	struct ecs_service *s = make("ruledef r\n", line);
	bool hit;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	hit = match(s, NULL) == 1;
	ecs_service_free(s);
	return hit;
}

static void expect(const char *line, bool hit)
{
	if (one(line) != hit)
		fprintf(stderr, "%s: expected %s match\n", line, hit ? "a" : "no");
	CU_ASSERT_EQUAL(one(line), hit);
}

/* --- L3 and L4 -------------------------------------------------------------------------------- */

static const struct {
	const char *line;
	bool hit; /* of 10.0.0.5:40000 -> 192.0.2.1:80, TCP, uplink */
} tcp_lines[] = {
	{"ip any-match = TRUE", true},
	{"ip any-match = FALSE", false},
	{"ip any-match != FALSE", true},
	{"ip src-address = 10.0.0.5", true},
	{"ip src-address = 10.0.0.4", false},
	{"ip src-address != 10.0.0.4", true},
	{"ip src-address <= 10.0.0.5", true},
	{"ip src-address <= 10.0.0.4", false},
	{"ip src-address >= 10.0.0.5", true},
	{"ip src-address >= 10.0.0.6", false},
	{"ip src-address = 10.0.0.4/31", true},
	{"ip src-address = 10.0.0.6/31", false},
	{"ip src-address = 0.0.0.0/0", true},
	{"ip src-address = ::/0", false},
	{"ip src-address != ::/0", true},
	{"ip src-address <= ffff::", false},
	{"ip src-address >= ::", false},
	{"ip src-address range 10.0.0.5 to 10.0.0.6", true},
	{"ip src-address range 10.0.0.4 to 10.0.0.5", true},
	{"ip src-address range 10.0.0.6 to 10.0.0.7", false},
	{"ip src-address !range 10.0.0.5 to 10.0.0.6", false},
	{"ip src-address !range 10.0.0.6 to 10.0.0.7", true},
	{"ip dst-address = 192.0.2.1", true},
	{"ip server-ip-address = 192.0.2.1", true},
	{"ip subscriber-ip-address = 10.0.0.5", true},
	{"ip subscriber-ip-address = 192.0.2.1", false},
	{"ip protocol = tcp", true},
	{"ip protocol = 7", false},
	{"ip protocol != udp", true},
	{"ip protocol <= 6", true},
	{"ip protocol <= 5", false},
	{"ip protocol >= 6", true},
	{"ip protocol >= 7", false},
	{"ip version = ipv4", true},
	{"ip version != ipv4", false},
	{"ip version = ipv6", false},
	{"ip uplink = TRUE", true},
	{"ip downlink = TRUE", false},
	{"ip downlink = FALSE", true},
	{"tcp any-match = TRUE", true},
	{"tcp any-match = FALSE", false},
	{"tcp src-port = 40000", true},
	{"tcp dst-port = 80", true},
	{"tcp dst-port = 81", false},
	{"tcp dst-port != 81", true},
	{"tcp dst-port != 80", false},
	{"tcp dst-port <= 80", true},
	{"tcp dst-port <= 79", false},
	{"tcp dst-port >= 80", true},
	{"tcp dst-port >= 81", false},
	{"tcp dst-port range 80 to 81", true},
	{"tcp dst-port range 79 to 80", true},
	{"tcp dst-port range 81 to 82", false},
	{"tcp dst-port !range 81 to 82", true},
	{"tcp dst-port !range 80 to 82", false},
	{"tcp either-port = 80", true},
	{"tcp either-port = 40000", true},
	{"tcp either-port = 81", false},
	{"tcp either-port != 40000", false},
	{"tcp either-port != 81", true},
	{"tcp state = established", true},
	{"tcp state != established", false},
	{"tcp state != close", true},
	{"udp any-match = TRUE", false},
	{"udp any-match = FALSE", true},
	{"udp dst-port = 80", false},
	{"udp dst-port != 81", false}, /* there is no UDP port to differ */
	{"icmp any-match = TRUE", false},
	{"icmp any-match != TRUE", true},
	{"icmp type = 0", false},
	{"icmp type != 8", false},
	{"icmp code = 0", false},
};

static void test_l3_l4_operators(void)
{
	packet(6);
	for (size_t i = 0; i < sizeof(tcp_lines) / sizeof(tcp_lines[0]); i++)
		expect(tcp_lines[i].line, tcp_lines[i].hit);
	/* the other direction: ends change their sides */
	pkt.dir = ECS_DOWNLINK;
	expect("ip server-ip-address = 10.0.0.5", true);
	expect("ip subscriber-ip-address = 192.0.2.1", true);
	expect("ip uplink = TRUE", false);
	expect("ip downlink = TRUE", true);
	in.tcp_state = ECS_TCP_ST_NONE; /* not known: no state to differ */
	expect("tcp state != established", false);
}

static void test_other_protocols(void)
{
	packet(17);
	expect("udp any-match = TRUE", true);
	expect("udp src-port = 40000", true);
	expect("udp dst-port range 1 to 65535", true);
	expect("udp either-port <= 80", true);
	expect("tcp dst-port = 80", false);
	expect("tcp state = established", false);
	packet(1);
	pkt.icmp_type = 255;
	expect("icmp any-match = TRUE", true);
	expect("icmp type = 255", true);
	expect("icmp type >= 255", true);
	expect("icmp type <= 254", false);
	expect("icmp code = 0", true);
	expect("icmp code != 0", false);
	expect("ip protocol = icmp", true);
	expect("udp dst-port = 80", false);
	packet(58);
	pkt.version = 6;
	pkt.src = ecs_rule_text_addr("2001:db8::5");
	pkt.dst = ecs_rule_text_addr("2001:db8:1::1");
	expect("icmp any-match = TRUE", true);
	expect("ip protocol = icmpv6", true);
	expect("ip version = ipv6", true);
	expect("ip src-address = 2001:db8::/64", true);
	expect("ip src-address = 2001:db8::/126", false);
	expect("ip src-address = 2001:db8::4/127", true);
	expect("ip src-address = 0.0.0.0/0", false);
	expect("ip src-address <= 2001:db8::5", true);
	expect("ip src-address >= 2001:db8::6", false);
	expect("ip src-address != 10.0.0.0/8", true);
	packet(132);
	expect("ip protocol = sctp", true);
	expect("tcp any-match = TRUE", false);
	expect("tcp any-match = FALSE", true);
}

/* A later fragment has no ports and no ICMP type; the first one has. */
static void test_fragments(void)
{
	packet(6);
	pkt.frag = ECS_FRAG_FIRST;
	expect("tcp dst-port = 80", true);
	pkt.frag = ECS_FRAG_LATER;
	pkt.sport = pkt.dport = 0;
	expect("tcp any-match = TRUE", true);
	expect("ip protocol = tcp", true);
	expect("tcp dst-port <= 80", false);
	expect("tcp dst-port != 80", false);
	expect("tcp either-port != 80", false);
	packet(1);
	pkt.frag = ECS_FRAG_LATER;
	expect("icmp any-match = TRUE", true);
	expect("icmp type = 0", false);
	expect("icmp code != 5", false);
}

/* --- strings ---------------------------------------------------------------------------------- */

static const struct {
	const char *line;
	bool hit; /* of www.Example.com */
} host_lines[] = {
	{"http host = WWW.example.COM", true},
	{"http host = www.example.co", false},
	{"http host = ww.example.com", false},
	{"http host != www.example.com", false},
	{"http host != www.example.org", true},
	{"http host contains EXAMPLE", true},
	{"http host contains exampel", false},
	{"http host !contains example", false},
	{"http host !contains exampel", true},
	{"http host starts-with WWW.", true},
	{"http host starts-with ww.", false},
	{"http host starts-with example", false},
	{"http host !starts-with www", false},
	{"http host !starts-with example", true},
	{"http host ends-with .com", true},
	{"http host ends-with .co", false},
	{"http host !ends-with .COM", false},
	{"http host !ends-with .org", true},
	{"http host case-sensitive = www.example.com", false},
	{"http host case-sensitive = www.Example.com", true},
	{"http host case-sensitive contains example", false},
	{"http host case-sensitive !contains example", true},
	{"http host case-sensitive starts-with www.E", true},
	{"http host case-sensitive ends-with .COM", false},
	{"http host contains .", true},
	{"http host contains .*", false}, /* no expression: these two characters */
	{"http host = www.Example.com.", false},
	{"http host contains \"\\\\\"", false},
	{"http host regex ^w+[.]e", true},
	{"http host regex ^e", false},
	{"http host regex ample", true},
	{"http host case-sensitive regex \"Ex.mple\\\\.com$\"", true},
	{"http host case-sensitive regex ex.mple", false},
	{"http host regex \"\\\\d\"", false},
	{"http host regex z*", true}, /* matches the empty string, so every string */
	{"http host present", true},
	{"http host !present", false},
	{"http user-agent present", false},
	{"http user-agent !present", true},
	{"http user-agent != x", false}, /* absent: nothing to differ */
	{"http user-agent !contains x", false},
	{"http any-match = TRUE", true},
	{"http any-match = FALSE", false},
	{"tls sni = www.example.com", false},
};

static void test_string_operators(void)
{
	packet(6);
	l7.http_host = "www.Example.com";
	for (size_t i = 0; i < sizeof(host_lines) / sizeof(host_lines[0]); i++)
		expect(host_lines[i].line, host_lines[i].hit);
	l7.http_host = NULL;
	expect("http any-match = FALSE", true);
	l7.http_url = "";
	expect("http url present", true);
	expect("http url regex z*", true);
	expect("http url != a", true);
	expect("http url contains a", false);
	l7.http_user_agent = "Mozilla/5.0 (X11; \"q\" \\ end";
	expect("http user-agent contains \"(X11; \\\"Q\\\" \\\\ e\"", true);
	l7.tls_sni = "a.example";
	expect("tls sni ends-with .example", true);
	l7.dns_query = "b.example";
	expect("dns query-name = B.EXAMPLE", true);
}

static void test_long_strings(void)
{
	char line[256], *url = malloc(70001);

	CU_ASSERT_PTR_NOT_NULL_FATAL(url);
	memset(url, 'a', 70000);
	url[70000] = '\0';
	url[69999] = 'b';
	packet(6);
	l7.http_url = url;
	expect("http url ends-with ab", true);
	expect("http url starts-with ab", false);
	memset(line, 0, sizeof(line));
	memcpy(line, "http url contains ", 18);
	memset(line + 18, 'A', 126);
	line[18 + 126] = 'b';
	expect(line, true);
	line[18 + 126] = 'c';
	expect(line, false);
	free(url);
}

static void test_applications(void)
{
	uint16_t tls = (uint16_t)ecs_app_by_name("TLS"),
		 netflix = (uint16_t)ecs_app_by_name("Netflix");

	packet(6);
	expect("p2p protocol = Netflix", false);
	l7.app = netflix;
	l7.app_master = tls;
	expect("p2p protocol = netflix", true);
	expect("p2p protocol = TLS", true);
	expect("p2p protocol = BitTorrent", false);
	l7.app = 0;
	expect("p2p protocol = Netflix", false);
	expect("p2p protocol = TLS", true);
}

/* --- what is not known yet -------------------------------------------------------------------- */

static void knowledge(const char *lines, bool hit, bool maybe)
{
	struct ecs_service *s = make("ruledef r\n", lines);
	bool m = !maybe;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(match(s, &m) == 1, hit);
	if (m != maybe)
		fprintf(stderr, "%s: maybe is %d\n", lines, m);
	CU_ASSERT_EQUAL(m, maybe);
	ecs_service_free(s);
}

static void test_maybe(void)
{
	packet(6);
	l7.final = false;
	knowledge("http host = a", false, true);
	knowledge("http host != a", false, true);
	knowledge("http host present", false, true);
	knowledge("http host !present", false, true);
	knowledge("http any-match = TRUE", false, true);
	knowledge("http any-match = FALSE", false, true);
	knowledge("p2p protocol = Netflix", false, true);
	knowledge("ip any-match = TRUE", true, false);
	knowledge("http host = a\nudp any-match = TRUE", false, false);
	knowledge("http host = a\ntcp dst-port = 81", false, false);
	knowledge("http host = a\ntcp dst-port = 80", false, true);
	knowledge("http host = a\ntcp dst-port = 80\nmulti-line-or all-lines", true, false);
	knowledge("http host = a\ntcp dst-port = 81\nmulti-line-or all-lines", false, true);
	l7.http_host = "b"; /* known now, and not a */
	knowledge("http host = a", false, false);
	knowledge("http host = b\nhttp user-agent = x", false, true);
	knowledge("http host = a\nhttp user-agent = x", false, false);
	knowledge("http host = b\nhttp user-agent = x\nmulti-line-or all-lines", true, false);
	l7.app = (uint16_t)ecs_app_by_name("TLS"); /* may still be refined */
	knowledge("p2p protocol = Netflix", false, true);
	knowledge("p2p protocol = TLS", true, false);
	l7.mute = ECS_WHO_HTTP; /* the request has said all that it has */
	knowledge("http user-agent = x", false, false);
	knowledge("http user-agent !present", true, false);
	knowledge("http x-header a = x", false, false);
	knowledge("http reply code = 404", false, true);
	knowledge("http content type !present", false, true);
	knowledge("tls sni = a", false, true);
	knowledge("p2p protocol = Netflix", false, true);
	l7.mute = ECS_WHO_ALL & ~ECS_WHO_TLS;
	knowledge("http reply code = 404", false, false);
	knowledge("dns query-name = a", false, false);
	knowledge("dns any-match = FALSE", true, false);
	knowledge("secure-http any-match = TRUE", false, true);
	knowledge("p2p app-identifier tls-sni = a", false, true);
	knowledge("p2p app-identifier quic-sni = a", false, false);
	l7.mute = 0;
	l7.final = true;
	knowledge("p2p protocol = Netflix", false, false);
	knowledge("http user-agent = x", false, false);
	knowledge("http user-agent !present", true, false);
	in.l7 = NULL; /* nothing is known, nor will be */
	knowledge("http host = b", false, false);
	knowledge("http host !present", false, false);
	knowledge("http any-match = FALSE", false, false);
	knowledge("p2p protocol = TLS", false, false);
}

/* Only lines above the result count for maybe. */
static void test_maybe_is_of_higher_lines(void)
{
	static const char text[] =
		"ruledef l7\ntls sni = a\n#exit\nruledef any\nip any-match = TRUE\n#exit\n"
		"charging-action c\n#exit\n"
		"rulebase above\naction priority 1 ruledef l7 charging-action c\n"
		"action priority 2 ruledef any charging-action c\n#exit\n"
		"rulebase below\naction priority 2 ruledef l7 charging-action c\n"
		"action priority 1 ruledef any charging-action c\n#exit\n";
	struct ecs_service *s = ecs_rule_text(text, true);
	struct ecs_matcher *m;
	bool maybe = false;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	m = ecs_matcher_new(s);
	packet(6);
	l7.final = false;
	CU_ASSERT_EQUAL(ecs_service_line(s, ecs_match(m, 0, &in, &maybe))->priority, 2);
	CU_ASSERT_TRUE(maybe);
	CU_ASSERT_EQUAL(ecs_service_line(s, ecs_match(m, 1, &in, &maybe))->priority, 1);
	CU_ASSERT_FALSE(maybe);
	in.l34_only = true;
	CU_ASSERT_EQUAL(ecs_service_line(s, ecs_match(m, 0, &in, &maybe))->priority, 2);
	CU_ASSERT_FALSE(maybe);
	CU_ASSERT_EQUAL(ecs_match(m, 2, &in, &maybe), ECS_LINE_NONE); /* no such rulebase */
	CU_ASSERT_EQUAL(ecs_match(m, -1, &in, NULL), ECS_LINE_NONE);
	ecs_matcher_free(m);
	ecs_service_free(s);
}

/* --- rules, groups, rulebases ----------------------------------------------------------------- */

static void test_and_or(void)
{
	packet(6);
	expect("tcp dst-port = 80\nip version = ipv4", true);
	expect("tcp dst-port = 80\nip version = ipv6", false);
	expect("tcp dst-port = 81\nip version = ipv4\nmulti-line-or all-lines", true);
	expect("tcp dst-port = 81\nip version = ipv6\nmulti-line-or all-lines", false);
	expect("tcp dst-port = 81\nip version = ipv4\nmulti-line-or all-lines\n"
	       "no multi-line-or all-lines", false);
	expect("multi-line-or all-lines", false); /* no lines: nothing */
	expect("tcp dst-port = 81\nno tcp dst-port = 81", false);
	l7.http_host = "a";
	expect("http host = a\nhttp host = b", false);
	expect("http host = a\nhttp host = b\nmulti-line-or all-lines", true);
	expect("http host = b\ntls sni = a\nmulti-line-or all-lines", false);
	expect("http host = b\nip any-match = TRUE\nmulti-line-or all-lines", true);
}

#define ACTIONS "charging-action c1\ncontent-id 1\n#exit\ncharging-action c2\n#exit\n"

static void test_groups(void)
{
	static const char text[] =
		"ruledef port80\ntcp dst-port = 80\n#exit\n"
		"ruledef host\nhttp host = a\n#exit\n"
		"ruledef any\nip any-match = TRUE\n#exit\n"
		"group-of-ruledefs g\nadd-ruledef priority 5 ruledef host\n"
		"add-ruledef priority 2 ruledef unknown\n"
		"add-ruledef priority 3 ruledef port80\n#exit\n"
		"group-of-ruledefs l34\nadd-ruledef priority 1 ruledef port80\n"
		"add-ruledef priority 2 ruledef unknown\n#exit\n"
		"group-of-ruledefs none\nadd-ruledef priority 1 ruledef unknown\n#exit\n"
		ACTIONS
		"rulebase rb\n"
		"action priority 10 group-of-ruledefs none charging-action c1\n"
		"action priority 20 group-of-ruledefs g charging-action c1\n"
		"action priority 30 ruledef port80 charging-action c2\n"
		"action priority 40 group-of-ruledefs l34 charging-action c2\n"
		"action priority 50 ruledef any charging-action c2\n#exit\n";
	struct ecs_service *s = ecs_rule_text(text, true);
	const struct ecs_line *l;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	packet(6);
	CU_ASSERT_EQUAL(match(s, NULL), 20); /* the group, by a member that is no rule of its own */
	in.l34_only = true;                  /* one of its members looks at L7 */
	CU_ASSERT_EQUAL(match(s, NULL), 30);
	in.l34_only = false;
	pkt.dport = 81;
	CU_ASSERT_EQUAL(match(s, NULL), 50);
	l7.http_host = "A";
	CU_ASSERT_EQUAL(match(s, NULL), 20);
	l = ecs_service_line(s, ecs_service_find_line(s, 0, "g"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	CU_ASSERT_TRUE(l->group && l->bound && !l->l34);
	CU_ASSERT_STRING_EQUAL(l->rule_name, "g");
	CU_ASSERT_STRING_EQUAL(l->action->name, "c1");
	CU_ASSERT_STRING_EQUAL(ecs_service_stats_name(s, l->stats), "g");
	l = ecs_service_line(s, ecs_service_find_line(s, 0, "l34"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	CU_ASSERT_TRUE(l->l34);
	l = ecs_service_line(s, ecs_service_find_line(s, 0, "none"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	CU_ASSERT_TRUE(l->bound && !l->l34);
	CU_ASSERT_EQUAL(ecs_service_find_line(s, 0, "host"), ECS_LINE_NONE);
	CU_ASSERT_EQUAL(ecs_service_find_line(s, 1, "g"), ECS_LINE_NONE);
	ecs_service_free(s);
}

static void test_unknown_references(void)
{
	static const char text[] =
		"ruledef any\nip any-match = TRUE\n#exit\nruledef r\nip any-match = TRUE\n#exit\n"
		ACTIONS
		"rulebase rb\n"
		"action priority 1 ruledef missing charging-action c1\n"
		"action priority 2 group-of-ruledefs missing charging-action c1\n"
		"action priority 3 ruledef any charging-action missing\n"
		"action priority 4 group-of-ruledefs any charging-action c1\n"
		"action priority 65535 ruledef r charging-action c1\n#exit\n";
	struct ecs_service *s = ecs_rule_text(text, true);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	packet(6);
	CU_ASSERT_EQUAL(match(s, NULL), 65535);
	in.l34_only = true;
	CU_ASSERT_EQUAL(match(s, NULL), 65535);
	CU_ASSERT_EQUAL(ecs_service_lines(s), 5);
	for (uint16_t i = 0; i < 4; i++)
		CU_ASSERT_FALSE(ecs_service_line(s, i)->bound);
	CU_ASSERT_PTR_NULL(ecs_service_line(s, 2)->action);
	CU_ASSERT_STRING_EQUAL(ecs_service_line(s, 0)->rule_name, "missing");
	CU_ASSERT_EQUAL(ecs_service_line(s, 0)->stats, ecs_service_stats_count(s));
	CU_ASSERT_STRING_EQUAL(ecs_service_stats_name(s, ecs_service_stats_count(s)), "(no rule)");
	CU_ASSERT_EQUAL(ecs_service_find_line(s, 0, "missing"), ECS_LINE_NONE);
	CU_ASSERT_EQUAL(ecs_service_find_line(s, 0, "any"), ECS_LINE_NONE);
	CU_ASSERT_PTR_NULL(ecs_service_line(s, 5));
	CU_ASSERT_PTR_NULL(ecs_service_line(s, ECS_LINE_NONE));
	ecs_service_free(s);
}

static void test_rulebases(void)
{
	static const char text[] =
		"ruledef any\nip any-match = TRUE\n#exit\nruledef tcp\ntcp any-match = "
		"TRUE\n#exit\n" ACTIONS "rulebase empty\n#exit\n"
		"rulebase one\naction priority 9 ruledef any charging-action c1\n#exit\n"
		"rulebase two\naction priority 7 ruledef any charging-action c2\n"
		"action priority 3 ruledef tcp charging-action c1\n"
		"flow control-handshaking charge-to-application all-packets\n#exit\n";
	struct ecs_service *s = ecs_rule_text(text, true);
	struct ecs_matcher *m;
	const struct ecs_line *l;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	m = ecs_matcher_new(s);
	packet(6);
	CU_ASSERT_EQUAL(ecs_match(m, ecs_service_find_rulebase(s, "empty"), &in, NULL),
			ECS_LINE_NONE);
	l = ecs_service_line(s, ecs_match(m, ecs_service_find_rulebase(s, "one"), &in, NULL));
	CU_ASSERT_EQUAL(l->priority, 9);
	CU_ASSERT_EQUAL(l->rulebase, ecs_service_find_rulebase(s, "one"));
	CU_ASSERT_EQUAL(l->action->content_id, 1);
	l = ecs_service_line(s, ecs_match(m, ecs_service_find_rulebase(s, "two"), &in, NULL));
	CU_ASSERT_EQUAL(l->priority, 3);
	pkt.proto = 17;
	l = ecs_service_line(s, ecs_match(m, ecs_service_find_rulebase(s, "two"), &in, NULL));
	CU_ASSERT_EQUAL(l->priority, 7);
	CU_ASSERT_EQUAL(ecs_service_find_rulebase(s, "three"), -1);
	CU_ASSERT_STRING_EQUAL(ecs_service_rulebase_name(s, 1), "one");
	CU_ASSERT_PTR_NULL(ecs_service_rulebase_name(s, 3));
	CU_ASSERT_PTR_NULL(ecs_service_rulebase_name(s, -1));
	CU_ASSERT_EQUAL(ecs_service_handshaking_of(s, 2), ECS_HS_ALL_PACKETS);
	CU_ASSERT_EQUAL(ecs_service_handshaking_of(s, 1), 0);
	CU_ASSERT_EQUAL(ecs_service_handshaking_of(s, 3), 0);
	ecs_matcher_free(m);
	ecs_service_free(s);
}

static void test_needs(void)
{
	static const struct {
		const char *line;
		int http, tls, dns, app;
	} tab[] = {
		{"ip any-match = TRUE", 0, 0, 0, 0},     {"http any-match = TRUE", 1, 0, 0, 0},
		{"http host = a", 1, 0, 0, 0},           {"http url present", 1, 0, 0, 0},
		{"http user-agent != a", 1, 0, 0, 0},    {"tls sni = a", 0, 1, 0, 0},
		{"dns query-name = a\ntls sni = b", 0, 1, 1, 0}, {"p2p protocol = DNS", 0, 0, 0, 1},
	};

	for (size_t i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		struct ecs_service *s = make("ruledef r\n", tab[i].line);
		struct ecs_needs n;

		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		n = ecs_service_needs(s, 0);
		CU_ASSERT_EQUAL(n.http, tab[i].http);
		CU_ASSERT_EQUAL(n.tls, tab[i].tls);
		CU_ASSERT_EQUAL(n.dns, tab[i].dns);
		CU_ASSERT_EQUAL(n.app, tab[i].app);
		n = ecs_service_needs(s, 1);
		CU_ASSERT_FALSE(n.http || n.tls || n.dns || n.app);
		ecs_service_free(s);
	}
	/* a rule that no bound line names asks for nothing */
	{
		struct ecs_service *s = make("ruledef x\ntls sni = a\n#exit\nruledef r\n",
		                             "ip any-match = TRUE");

		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		CU_ASSERT_FALSE(ecs_service_needs(s, 0).tls);
		ecs_service_free(s);
	}
}

CU_TestInfo ecs_rule_match_tests[] = {
	{"L3 and L4 operators", test_l3_l4_operators},
	{"other protocols", test_other_protocols},
	{"fragments", test_fragments},
	{"string operators", test_string_operators},
	{"long strings", test_long_strings},
	{"applications", test_applications},
	{"what could still match", test_maybe},
	{"maybe is of higher lines only", test_maybe_is_of_higher_lines},
	{"and, or", test_and_or},
	{"groups", test_groups},
	{"unknown references", test_unknown_references},
	{"rulebases", test_rulebases},
	{"what analyzers are needed", test_needs},
	CU_TEST_INFO_NULL,
};
