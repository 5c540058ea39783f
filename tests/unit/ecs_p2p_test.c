/* FR-044: which flows of applications that share files are checkpointed. */
#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

/* The rule of each case is `video`, which is eligible. */
#define REST                                                                                \
	"ruledef any\n ip any-match = TRUE\n#exit\ncharging-action ca\n content-id 1\n#exit\n"
#define BASE(kind)                                                                          \
	"rulebase rb\n action priority 1 " kind " video charging-action ca\n"               \
	" action priority 9 ruledef any charging-action ca\n#exit\n"
#define RULE(lines) "ruledef video\n " lines "\n#exit\n" REST BASE("ruledef")
#define GROUP(one, other)                                                                   \
	"ruledef one\n " one "\n#exit\nruledef other\n " other "\n#exit\n"                  \
	"group-of-ruledefs video\n add-ruledef priority 1 ruledef one\n"                    \
	" add-ruledef priority 2 ruledef other\n#exit\n" REST BASE("group-of-ruledefs")

#define SAID 28 /* packets, after which nothing more is found out */

enum app { TORRENT, SHELL, FTP, APPS };

static const uint8_t torrent[68] = "\x13" "BitTorrent protocol";
static const char shell[] = "SSH-2.0-OpenSSH_9.2\r\n";
static const char *const ftp[] = {
	"220 ready\r\n", "USER ftp\r\n", "331 password\r\n", "PASS x\r\n", "230 in\r\n"};

static void talk(struct conn *c, enum app a)
{
	for (unsigned i = 0; i < SAID; i++) {
		enum ecs_dir dir = i % 2 ? ECS_UPLINK : ECS_DOWNLINK;

		if (a == TORRENT)
			say_n(c, dir, ACK, torrent, sizeof(torrent));
		else if (a == SHELL)
			say(c, dir, ACK, shell);
		else
			say(c, dir, ACK, i < 5 ? ftp[i] : dir == ECS_UPLINK ? "NOOP\r\n" : "200 ok\r\n");
	}
}

static const struct {
	const char *text;
	enum ecs_p2p barred;
	enum { NO, YES, OTHER_RULE } kept[APPS];
} cases[] = {
	{RULE("p2p protocol = bittorrent"), ECS_P2P_ALL, {NO, OTHER_RULE, OTHER_RULE}},
	{RULE("p2p protocol = ssh"), ECS_P2P_NOT, {OTHER_RULE, YES, OTHER_RULE}},
	{RULE("p2p behavioral = p2p"), ECS_P2P_ALL, {NO, OTHER_RULE, OTHER_RULE}},
	{RULE("p2p behavioral != p2p"), ECS_P2P_NOT, {OTHER_RULE, OTHER_RULE, YES}},
	{RULE("p2p behavioral != video"), ECS_P2P_SOME, {NO, OTHER_RULE, YES}},
	{RULE("p2p traffic-type = file-transfer"), ECS_P2P_SOME, {NO, OTHER_RULE, YES}},
	{RULE("p2p traffic-type = file-transfer\n p2p protocol = bittorrent"), ECS_P2P_ALL,
	 {NO, OTHER_RULE, OTHER_RULE}},
	{RULE("p2p protocol = bittorrent\n p2p protocol = edonkey\n multi-line-or all-lines"),
	 ECS_P2P_ALL, {NO, OTHER_RULE, OTHER_RULE}},
	{RULE("p2p protocol = bittorrent\n p2p protocol = ssh\n multi-line-or all-lines"),
	 ECS_P2P_SOME, {NO, YES, OTHER_RULE}},
	{RULE("tcp any-match = TRUE"), ECS_P2P_NOT, {YES, YES, YES}},
	{GROUP("p2p protocol = edonkey", "p2p protocol = ssh"), ECS_P2P_SOME,
	 {OTHER_RULE, YES, OTHER_RULE}},
	{GROUP("p2p protocol = ssh", "p2p behavioral = p2p"), ECS_P2P_SOME, {NO, YES, OTHER_RULE}},
	{GROUP("p2p behavioral = p2p", "p2p protocol = bittorrent"), ECS_P2P_ALL,
	 {NO, OTHER_RULE, OTHER_RULE}},
};

static void judge(size_t i, bool on)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s%s", on ? "flow-recovery p2p\n" : "", cases[i].text);
	for (unsigned a = 0; a < APPS; a++) {
		bool there = cases[i].kept[a] != OTHER_RULE, kept = there && (on || cases[i].kept[a]);
		struct rig r;
		struct conn c;

		begin_by(&r, text, NULL);
		CU_ASSERT_EQUAL(ecs_service_p2p_barred(r.svc, "video"),
		                on ? ECS_P2P_NOT : cases[i].barred);
		c = tcp(&r, 4000, 6881);
		handshake(&c);
		talk(&c, (enum app)a);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), there ? "video" : "any");
		CU_ASSERT_EQUAL((flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT) != 0, kept);
		CU_ASSERT_EQUAL(r.changed[ecs_kind_flow.id] != 0, kept);
		CU_ASSERT_EQUAL(r.c.p2p_not_recovered, there && !kept);
		end(&r);
	}
}

static void test_rules(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		judge(i, false);
}

static void test_switch(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		judge(i, true);
}

/* A member that needs no application has matched; when that is known, the checkpoint is taken back. */
static void test_found_later(void)
{
	static const char text[] =
		"ruledef first\n p2p protocol = edonkey\n#exit\n"
		"ruledef port\n tcp either-port = 6881\n#exit\n"
		"ruledef bt\n p2p protocol = bittorrent\n#exit\n"
		"group-of-ruledefs video\n add-ruledef priority 1 ruledef port\n"
		" add-ruledef priority 2 ruledef bt\n#exit\n" REST
		"rulebase rb\n action priority 1 ruledef first charging-action ca\n"
		" action priority 2 group-of-ruledefs video charging-action ca\n#exit\n";

	for (unsigned a = TORRENT; a <= SHELL; a++) {
		struct rig r;
		struct conn c;

		begin_by(&r, text, NULL);
		c = tcp(&r, 4000, 6881);
		handshake(&c);
		CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
		talk(&c, (enum app)a);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
		CU_ASSERT_EQUAL((flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT) != 0, a == SHELL);
		CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], a == TORRENT);
		CU_ASSERT_EQUAL(r.c.p2p_not_recovered, a == TORRENT);
		end(&r);
	}
}

CU_TestInfo ecs_p2p_tests[] = {
	{"rules and groups", test_rules},
	{"with flow-recovery p2p", test_switch},
	{"an application that is found later", test_found_later},
	CU_TEST_INFO_NULL};
