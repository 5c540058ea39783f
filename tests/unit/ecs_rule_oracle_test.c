#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/app.h"
#include "ecs_rule_oracle.h"
#include "ecs_rule_text.h"

#define SERVICES 300
#define PACKETS  40

static uint64_t seed;

static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

#define PICK(tab) ((tab)[rnd(sizeof(tab) / sizeof((tab)[0]))])

/* --- random lines ----------------------------------------------------------------------------- */

static const char *const addrs[] = {"10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.9", "2001:db8::1",
                                    "2001:db8::2", "2001:db9::1", "0.0.0.5", "::1"};
static const char *const ports[] = {"1", "53", "80", "81", "443", "5000", "65535"};
static const char *const texts[] = {"a",   "www.example.com", "example",  "EXAMPLE.com", ".com",
                                    "www", "video",           "WWW.vid",  "x.org",       "org",
                                    "m",   "example.com/a",   "/a?b=1+2", "(a)"};
static const char *const regexes[] = {"^www\\.", "\\.com$", "v.d", "(org|com)", "[0-9]+", "^x*",
                                      "exa+mple"};
static const char *const strings[] = {"www.example.com", "WWW.EXAMPLE.COM", "example.com/a",
                                      "video.example.org", "x.org", "a", "", "m.video/a?b=1+2",
                                      "xx(a)", "wwwvideo", "example.common"};
static const char *const apps[] = {"BitTorrent", "Netflix", "TLS", "DNS"};
static const char *const states[] = {"established", "syn-sent", "time-wait", "close"};
static const char *const str_fields[] = {"http host", "http url", "http user-agent", "tls sni",
                                         "dns query-name"};
static const char *const str_ops[] = {"=", "!=", "contains", "!contains", "starts-with",
                                      "!starts-with", "ends-with", "!ends-with", "regex",
                                      "present", "!present"};
static const char *const num_ops[] = {"=", "!=", "<=", ">="};
static const char *const bool_fields[] = {"ip any-match", "ip uplink", "ip downlink",
                                          "tcp any-match", "udp any-match", "icmp any-match",
                                          "http any-match"};
static const char *const addr_fields[] = {"ip src-address", "ip dst-address",
                                          "ip server-ip-address", "ip subscriber-ip-address"};
static const char *const port_fields[] = {"tcp src-port", "tcp dst-port", "tcp either-port",
                                          "udp src-port", "udp dst-port", "udp either-port"};
static const char *const num_fields[] = {"ip protocol", "icmp type", "icmp code"};
static const char *const nums[] = {"0", "1", "6", "8", "17", "58", "132", "255"};

static void random_addr(struct oline *l)
{
	static const char *const prefixes[] = {"10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0",
	                                       "2001:db8::/32", "::/0", "2001:db8::1/127"};
	static const char *const ranges[][2] = {{"10.0.0.1", "10.0.0.9"},
						{"0.0.0.0", "10.0.0.255"},
						{"2001:db8::", "2001:db8::ff"},
						{"::", "2001:db8::1"}};
	unsigned r;

	l->words = PICK(addr_fields);
	switch (rnd(3)) {
	case 0:
		l->op = PICK(num_ops);
		set(l->a, PICK(addrs));
		break;
	case 1:
		l->op = rnd(2) ? "=" : "!=";
		set(l->a, PICK(prefixes));
		break;
	default:
		l->op = rnd(2) ? "range" : "!range";
		r = rnd(4);
		set(l->a, ranges[r][0]);
		set(l->b, ranges[r][1]);
	}
}

static void random_port(struct oline *l)
{
	unsigned i = rnd(6), k = i + 1 + rnd(6 - i);

	l->words = PICK(port_fields);
	l->op = PICK(num_ops);
	set(l->a, ports[i]);
	if (rnd(3) == 0) {
		l->op = rnd(2) ? "range" : "!range";
		set(l->b, ports[k]);
	}
}

static void random_string(struct oline *l)
{
	l->words = PICK(str_fields);
	l->op = PICK(str_ops);
	if (strstr(l->op, "present"))
		return;
	l->cs = rnd(3) == 0;
	set(l->a, strcmp(l->op, "regex") == 0 ? PICK(regexes) : PICK(texts));
}

static void random_line(struct oline *l)
{
	memset(l, 0, sizeof(*l));
	switch (rnd(12)) {
	case 0:
		random_addr(l);
		break;
	case 1:
		random_port(l);
		break;
	case 2:
		l->words = PICK(num_fields);
		l->op = PICK(num_ops);
		set(l->a, PICK(nums));
		break;
	case 3:
		l->words = "tcp state";
		l->op = rnd(2) ? "=" : "!=";
		set(l->a, PICK(states));
		break;
	case 4:
		l->words = "ip version";
		l->op = rnd(2) ? "=" : "!=";
		set(l->a, rnd(2) ? "ipv4" : "ipv6");
		break;
	case 5:
		l->words = PICK(bool_fields);
		l->op = rnd(4) ? "=" : "!=";
		set(l->a, rnd(4) ? "TRUE" : "FALSE");
		break;
	case 6:
		l->words = "p2p protocol";
		l->op = "=";
		set(l->a, PICK(apps));
		break;
	default:
		random_string(l);
	}
}

/* --- a random service, in both forms ---------------------------------------------------------- */

static void quote(char *out, const char *t)
{
	*out++ = '"';
	for (; *t; t++) {
		if (*t == '\\' || *t == '"')
			*out++ = '\\';
		*out++ = *t;
	}
	*out++ = '"';
	*out = '\0';
}

static char *text_of_rule(char *p, const struct orule *r, int i)
{
	p += sprintf(p, "ruledef r%d\n", i);
	for (int k = 0; k < r->n; k++) {
		const struct oline *l = &r->l[k];
		char q[140] = "";

		if (l->a[0])
			quote(q, l->a);
		p += sprintf(p, "%s%s %s %s%s%s\n", l->words, l->cs ? " case-sensitive" : "", l->op,
		             q, l->b[0] ? " to " : "", l->b);
	}
	return p + sprintf(p, "%s#exit\n", r->any ? "multi-line-or all-lines\n" : "");
}

static void random_rules(struct oracle *o)
{
	for (int i = 0; i < RULES; i++) {
		o->rule[i].n = (int)(rnd(16) ? 1 + rnd(rnd(2) ? 2 : LINES_MAX) : 0);
		o->rule[i].any = rnd(3) == 0;
		for (int k = 0; k < o->rule[i].n; k++)
			random_line(&o->rule[i].l[k]);
	}
	for (int i = 0; i < GROUPS; i++) {
		o->group[i].n = (int)rnd(7);
		for (int k = 0; k < o->group[i].n; k++)
			o->group[i].member[k] = (int)(k * 4 + (int)rnd(4) + (rnd(10) ? 0 : RULES));
	}
}

/* Each rule and group at most once in a rulebase, in random order. */
static void random_lines(struct oracle *o, int rb)
{
	bool used[2][RULES + 2] = {{false}};
	int n = (int)rnd(17);

	o->nlines[rb] = 0;
	for (int i = 0; i < n; i++) {
		struct oaction *l = &o->line[rb][o->nlines[rb]];

		l->group = rnd(4) == 0;
		l->rule = (int)rnd(l->group ? GROUPS + 1 : RULES + 1);
		l->known_action = rnd(12) != 0;
		if (used[l->group][l->rule])
			continue;
		used[l->group][l->rule] = true;
		o->nlines[rb]++;
	}
}

static struct ecs_service *random_service(struct oracle *o)
{
	static char text[128 * 1024];
	char *p = text;

	random_rules(o);
	for (int i = 0; i < RULES; i++)
		p = text_of_rule(p, &o->rule[i], i);
	for (int i = 0; i < GROUPS; i++) {
		p += sprintf(p, "group-of-ruledefs g%d\n", i);
		for (int k = o->group[i].n - 1; k >= 0; k--)
			p += sprintf(p, "add-ruledef priority %d ruledef r%d\n", k + 1,
			             o->group[i].member[k]);
		p += sprintf(p, "#exit\n");
	}
	p += sprintf(p, "charging-action ca\n#exit\n");
	for (int rb = 0; rb < RULEBASES; rb++) {
		random_lines(o, rb);
		p += sprintf(p, "rulebase rb%d\n", rb);
		for (int i = o->nlines[rb] - 1; i >= 0; i--)
			p += sprintf(p, "action priority %d %s %c%d charging-action %s\n",
				     10 + i * 3,
				     o->line[rb][i].group ? "group-of-ruledefs" : "ruledef",
				     o->line[rb][i].group ? 'g' : 'r', o->line[rb][i].rule,
				     o->line[rb][i].known_action ? "ca" : "none");
		p += sprintf(p, "#exit\n");
	}
	return ecs_rule_text(text, true);
}

/* --- random packets --------------------------------------------------------------------------- */

static void random_packet(struct ecs_packet *p)
{
	static const uint8_t protos[] = {6, 6, 6, 17, 17, 1, 58, 132, 0};
	static const uint16_t numbers[] = {0, 1, 53, 80, 81, 443, 5000, 65535};
	static const uint8_t small[] = {0, 1, 6, 8, 17, 132, 255};

	memset(p, 0, sizeof(*p));
	p->dir = rnd(2) ? ECS_UPLINK : ECS_DOWNLINK;
	p->version = rnd(2) ? 4 : 6;
	do
		p->src = ecs_rule_text_addr(PICK(addrs));
	while (ecs_addr_is4(&p->src) != (p->version == 4));
	do
		p->dst = ecs_rule_text_addr(PICK(addrs));
	while (ecs_addr_is4(&p->dst) != (p->version == 4));
	p->proto = PICK(protos);
	p->frag = rnd(8) ? ECS_FRAG_NONE : rnd(2) ? ECS_FRAG_FIRST : ECS_FRAG_LATER;
	p->sport = PICK(numbers);
	p->dport = PICK(numbers);
	p->icmp_type = PICK(small);
	p->icmp_code = PICK(small);
}

static const char *maybe_string(void)
{
	return rnd(2) ? PICK(strings) : NULL;
}

static void random_l7(struct ecs_l7 *l7)
{
	memset(l7, 0, sizeof(*l7));
	l7->final = rnd(2);
	if (rnd(6) == 0)
		return;
	l7->http_host = maybe_string();
	l7->http_url = maybe_string();
	l7->http_user_agent = maybe_string();
	l7->tls_sni = maybe_string();
	l7->dns_query = maybe_string();
	if (rnd(2))
		l7->app = (uint16_t)ecs_app_by_name(PICK(apps));
	if (rnd(2))
		l7->app_master = (uint16_t)ecs_app_by_name(PICK(apps));
}

struct tally {
	unsigned tries, hits, none, maybes, wrong;
};

static void compare(const struct oracle *o, const struct ecs_service *s, struct ecs_matcher *m,
                    struct tally *t)
{
	struct ecs_packet pkt;
	struct ecs_l7 l7;
	struct ecs_match_in in = {.pkt = &pkt};
	int rb = (int)rnd(RULEBASES), want;
	bool maybe_want, maybe = rnd(2);
	const struct ecs_line *l;
	uint16_t got;

	random_packet(&pkt);
	random_l7(&l7);
	in.l7 = rnd(8) ? &l7 : NULL;
	in.tcp_state = (uint8_t)rnd(ECS_TCP_ST__N);
	in.l34_only = rnd(6) == 0;
	want = o_match(o, rb, &in, &maybe_want);
	got = ecs_match(m, rb, &in, &maybe);
	l = ecs_service_line(s, got);
	t->tries++;
	t->hits += want >= 0;
	t->none += want < 0;
	t->maybes += maybe_want;
	if (maybe != maybe_want || (l == NULL) != (want < 0) ||
	    (l && (l->rulebase != rb || l->priority != 10 + want * 3)))
		t->wrong++;
}

static void test_agrees_with_the_oracle(void)
{
	static struct oracle o;
	struct tally t = {0};

	for (unsigned i = 0; i < SERVICES; i++) {
		struct ecs_service *s;
		struct ecs_matcher *m;

		seed = 88172645463325252u + i;
		s = random_service(&o);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		m = ecs_matcher_new(s);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		for (unsigned k = 0; k < PACKETS; k++)
			compare(&o, s, m, &t);
		if (t.wrong) {
			fprintf(stderr, "service %u: %u of %u differ\n", i, t.wrong, t.tries);
			ecs_matcher_free(m);
			ecs_service_free(s);
			break;
		}
		ecs_matcher_free(m);
		ecs_service_free(s);
	}
	CU_ASSERT_EQUAL(t.wrong, 0);
	CU_ASSERT_EQUAL(t.tries, SERVICES * PACKETS);
	/* the comparison says something only where each outcome is common */
	CU_ASSERT(t.hits > t.tries / 10);
	CU_ASSERT(t.none > t.tries / 10);
	CU_ASSERT(t.maybes > t.tries / 10);
}

/* Many rules that share a line: each is found by what it has alone. */
static void test_shared_lines(void)
{
	static char text[64 * 1024];
	struct ecs_packet pkt = {.dir = ECS_UPLINK, .version = 4, .proto = 6, .dport = 80};
	struct ecs_l7 l7 = {.final = true};
	struct ecs_match_in in = {.pkt = &pkt, .l7 = &l7, .tcp_state = ECS_TCP_ST_ESTABLISHED};
	struct ecs_service *s;
	struct ecs_matcher *m;
	char *p = text, url[160];
	bool maybe;

	for (int i = 0; i < 60; i++) /* a range alone, a shared port, a shared host, and the URL */
		p += sprintf(p, "ruledef r%d\nip dst-address range 10.0.0.%d to 10.0.0.255\n"
			     "tcp dst-port = 80\nhttp host = www.x.org\n%s#exit\n", i, i,
			     i % 2 ? "" : "http url contains /common/\n");
	p += sprintf(p, "charging-action ca\n#exit\nrulebase rb\n");
	for (int i = 0; i < 60; i++)
		p += sprintf(p, "action priority %d ruledef r%d charging-action ca\n", 100 - i, i);
	sprintf(p, "#exit\n");
	s = ecs_rule_text(text, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	m = ecs_matcher_new(s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	pkt.src = ecs_rule_text_addr("10.9.9.9");
	for (int i = 0; i < 60; i++) {
		const struct ecs_line *l;

		snprintf(url, sizeof(url), "10.0.0.%d", i);
		pkt.dst = ecs_rule_text_addr(url);
		snprintf(url, sizeof(url), "www.x.org/%s/%0120d", i % 3 ? "common" : "other", i);
		l7.http_url = url;
		l7.http_host = "WWW.X.org";
		l = ecs_service_line(s, ecs_match(m, 0, &in, &maybe));
		/* of the rules up to i the last; those of even numbers only where the URL has it */
		if (i == 0)
			CU_ASSERT_PTR_NULL(l);
		if (i > 0) {
			CU_ASSERT_PTR_NOT_NULL_FATAL(l);
			CU_ASSERT_EQUAL(l->priority, 100 - (i % 2 || i % 3 ? i : i - 1));
		}
		l7.http_host = "y.org";
		CU_ASSERT_EQUAL(ecs_match(m, 0, &in, &maybe), ECS_LINE_NONE);
	}
	ecs_matcher_free(m);
	ecs_service_free(s);
}

CU_TestInfo ecs_rule_oracle_tests[] = {
	{"rules that share lines", test_shared_lines},
	{"the matcher agrees with a slow one", test_agrees_with_the_oracle},
	CU_TEST_INFO_NULL,
};
