/* Compiled string sets handed from one service to another. */
#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "ecs_rule_text.h"

#define RULES(regex)                                                                         \
	"ruledef page\nhttp url regex " regex "\n#exit\n"                                    \
	"ruledef host\nhttp host contains shop\n#exit\n"                                     \
	"charging-action c\ncontent-id 1\n#exit\n"                                           \
	"rulebase rb\n"                                                                      \
	"action priority 1 ruledef page charging-action c\n"                                 \
	"action priority 2 ruledef host charging-action c\n#exit\n"

struct bytes {
	uint8_t p[65536];
	size_t n, refuse_at;
};

static int put(void *arg, const void *p, size_t n)
{
	struct bytes *b = arg;

	if (b->n + n > sizeof(b->p) || (b->refuse_at && b->n + n > b->refuse_at))
		return SRP_ENOSPC;
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

static void save(const char *text, struct bytes *b)
{
	struct ecs_service *s = ecs_rule_text(text, true);

	b->n = b->refuse_at = 0;
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL_FATAL(ecs_service_sets_save(s, put, b), 0);
	CU_ASSERT_FATAL(b->n > 0);
	ecs_service_free(s);
}

/* Priority of the line that matches a URL of a host; 0: none. */
static int match(const struct ecs_service *s, const char *host, const char *url)
{
	struct ecs_packet pkt = {.version = 4, .proto = 6, .dport = 80};
	struct ecs_l7 l7 = {.http_host = host, .http_url = url, .final = true};
	const struct ecs_match_in in = {.pkt = &pkt, .l7 = &l7,
	                                .tcp_state = ECS_TCP_ST_ESTABLISHED};
	struct ecs_matcher *m = ecs_matcher_new(s);
	uint16_t line;
	bool maybe;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	line = ecs_match(m, 0, &in, &maybe);
	ecs_matcher_free(m);
	return line == ECS_LINE_NONE ? 0 : ecs_service_line(s, line)->priority;
}

static struct ecs_service *with(const char *text, const uint8_t *p, size_t n)
{
	struct ecs_service *s = ecs_rule_text(text, false);
	struct ecs_err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit_with(s, (struct ecs_sets){p, n}, &e), 0);
	return s;
}

static void works(const struct ecs_service *s, const char *good, const char *bad)
{
	CU_ASSERT_EQUAL(match(s, "a.test", good), 1);
	CU_ASSERT_EQUAL(match(s, "a.test", bad), 0);
	CU_ASSERT_EQUAL(match(s, "my.shop.test", bad), 2);
}

static void handed_on(void)
{
	static struct bytes b;
	struct ecs_service *own, *given;

	save(RULES("aa[0-9]+"), &b);
	own = ecs_rule_text(RULES("aa[0-9]+"), true);
	given = with(RULES("aa[0-9]+"), b.p, b.n);
	works(own, "/aa7", "/bb7");
	works(given, "/aa7", "/bb7");
	CU_ASSERT_EQUAL(ecs_service_digest(own), ecs_service_digest(given));
	ecs_service_free(own);
	ecs_service_free(given);
}

/* What is given is used, and not compiled again: under the key of one service lies the set of another. */
static void not_compiled_again(void)
{
	static struct bytes a, b;
	struct ecs_service *s;

	save(RULES("aa[0-9]+"), &a);
	save(RULES("bb[0-9]+"), &b);
	CU_ASSERT_EQUAL_FATAL(a.n, b.n);
	/* the host's set is the same in both; that of the URL differs in its key */
	for (size_t at = 0; at + 8 <= a.n;) {
		uint64_t len;

		memcpy(b.p + at, a.p + at, 8);
		memcpy(&len, a.p + at + 8, 8);
		at += 16 + (len + 7) / 8 * 8;
	}
	s = with(RULES("aa[0-9]+"), b.p, b.n);
	works(s, "/bb7", "/aa7");
	ecs_service_free(s);
}

/* Cut anywhere, or damaged, it is compiled as ever: never used. */
static void damaged(void)
{
	static struct bytes b;
	struct ecs_service *s;

	save(RULES("aa[0-9]+"), &b);
	for (size_t cut = 0; cut < b.n; cut += cut < 64 ? 1 : b.n / 24) {
		uint8_t *p = malloc(cut ? cut : 1);

		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		memcpy(p, b.p, cut);
		s = with(RULES("aa[0-9]+"), p, cut);
		works(s, "/aa7", "/bb7");
		ecs_service_free(s);
		free(p);
	}
	for (size_t at = 0; at < b.n; at += at < 64 ? 1 : b.n / 24) {
		b.p[at] ^= 0x40;
		s = with(RULES("aa[0-9]+"), b.p, b.n);
		works(s, "/aa7", "/bb7");
		ecs_service_free(s);
		b.p[at] ^= 0x40;
	}
	memset(b.p, 0xff, 16); /* longer than anything */
	s = with(RULES("aa[0-9]+"), b.p, b.n);
	works(s, "/aa7", "/bb7");
	ecs_service_free(s);
}

static void refusals(void)
{
	static struct bytes b;
	struct ecs_service *s = ecs_rule_text(RULES("aa"), false);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(ecs_service_sets_save(s, put, &b), SRP_ESTATE);
	ecs_service_free(s);
	s = ecs_rule_text(RULES("aa"), true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	b.refuse_at = 20;
	CU_ASSERT_EQUAL(ecs_service_sets_save(s, put, &b), SRP_ENOSPC);
	ecs_service_free(s);
	s = ecs_rule_text("ruledef p\nip any-match = TRUE\n#exit\n", true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	b.n = b.refuse_at = 0;
	CU_ASSERT_EQUAL(ecs_service_sets_save(s, put, &b), 0);
	CU_ASSERT_EQUAL(b.n, 0);
	ecs_service_free(s);
}

/* Lines that were tried before are not tried again; what is no expression fails at the commit. */
static void trusted(void)
{
	struct ecs_err e;

	for (int trust = 0; trust < 2; trust++) {
		struct ecs_service *s = ecs_service_new("s1");

		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		ecs_service_trust(s, trust);
		CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r", false, &e), 0);
		CU_ASSERT_EQUAL(ecs_service_rule_line(s, "r", false, ECS_F_HTTP_URL, false,
						      ECS_OP_REGEX, "a(", NULL, &e) == 0,
				trust);
		CU_ASSERT_EQUAL(ecs_service_commit(s, &e), trust ? SRP_EINVAL : 0);
		ecs_service_free(s);
	}
}

CU_TestInfo ecs_sets_tests[] = {
	{"string sets are handed on", handed_on},
	{"what is given is not compiled again", not_compiled_again},
	{"cut or damaged sets are not used", damaged},
	{"what is not compiled has no sets", refusals},
	{"lines that are trusted", trusted},
	CU_TEST_INFO_NULL,
};
