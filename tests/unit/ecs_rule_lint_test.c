#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "ecs_rule_text.h"

/* A service with nothing to find: an L7 rule with delay charging, a default rule at the end, both
 * eligible, and a scheme that is bound. */
static const char clean[] =
	"ruledef web\nhttp host = a.example\n#exit\n"
	"ruledef member\ntcp dst-port = 1\n#exit\n"
	"ruledef any\nip any-match = TRUE\n#exit\n"
	"group-of-ruledefs g\nadd-ruledef priority 1 ruledef member\n#exit\n"
	"charging-action c\ncontent-id 1\n#exit\n"
	"rulebase rb\naction priority 1 ruledef web charging-action c\n"
	"action priority 2 group-of-ruledefs g charging-action c\n"
	"action priority 9 ruledef any charging-action c\n"
	"flow control-handshaking charge-to-application all-packets\n#exit\n"
	"trigger-action ta\nflow-recovery\n#exit\n"
	"trigger-condition tc\nrule-name = web\nrule-name contains g\n#exit\n"
	"service-scheme ss\ntrigger flow-create\n"
	"priority 1 trigger-condition tc trigger-action ta\n#exit\n#exit\n"
	"subs-class sc\nrulebase = rb\n#exit\n"
	"subscriber-base default\npriority 1 subs-class sc bind service-scheme ss\n#exit\n";

struct findings {
	unsigned errors, warnings;
	char text[2048];
};

static void note(void *arg, bool warning, const char *text)
{
	struct findings *f = arg;
	size_t n = strlen(f->text);

	if (warning)
		f->warnings++;
	else
		f->errors++;
	snprintf(f->text + n, sizeof(f->text) - n, "%s\n", text);
}

static struct findings lint(const char *change)
{
	struct ecs_service *s = ecs_rule_text(clean, false);
	struct findings f = {0};
	struct ecs_err e = {{0}};

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(ecs_rule_text_feed(s, change, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	ecs_service_lint(s, note, &f);
	ecs_service_free(s);
	return f;
}

/* What is changed, and the findings that it makes, no more and no less. */
static const struct {
	const char *change;
	unsigned errors, warnings;
	const char *text;
} cases[] = {
	{"", 0, 0, ""},
	{"ruledef x\nip any-match = TRUE\n#exit\n", 1, 0,
	 "Ruledef <x> is not used in any rulebase or group-of-ruledefs. It can be a dynamically "
	 "enabled ADC ruledef and could be ignored."},
	{"ruledef member\nno tcp dst-port = 1\n#exit\n", 0, 1,
	 "Ruledef <member> has no lines and matches nothing."},
	{"ruledef web\nhttp host = b.example\n#exit\n", 0, 1,
	 "Charging Ruledef <web> uses multiple \"host\" lines but does not have a \"multi-line-or "
	 "all-lines\"."},
	{"ruledef web\nhttp host = b.example\nmulti-line-or all-lines\n#exit\n", 0, 0, ""},
	{"ruledef web\nhttp host contains b.example\n#exit\n", 0, 0, ""},
	{"ruledef web\nhttp host = A.example\n#exit\n", 0, 0, ""},
	{"group-of-ruledefs g2\nadd-ruledef priority 1 ruledef member\n#exit\n", 1, 0,
	 "Group-of-ruledefs <g2> is not used in any rulebase."},
	{"group-of-ruledefs g\nno add-ruledef priority 1 ruledef member\n#exit\nno ruledef "
	 "member\n",
	 0, 1, "Group-of-ruledefs <g> has no ruledefs and matches nothing."},
	{"no ruledef member\n", 1, 0,
	 "Ruledef <member> of group-of-ruledefs <g> is not configured."},
	{"no ruledef any\n", 1, 0,
	 "Ruledef <any> of rulebase <rb>, action priority 9, is not configured."},
	{"rulebase rb\naction priority 3 group-of-ruledefs none charging-action c\n#exit\n", 1, 0,
	 "Group-of-ruledefs <none> of rulebase <rb>, action priority 3, is not configured."},
	{"rulebase rb\naction priority 9 ruledef any charging-action none\n#exit\n", 1, 0,
	 "Charging-action <none> of rulebase <rb>, action priority 9, is not configured."},
	{"ruledef no\nudp any-match = TRUE\n#exit\ncharging-action d\nflow action redirect-url "
	 "http://a\n#exit\nrulebase rb\naction priority 5 ruledef no charging-action d\n#exit\n", 0, 1,
	 "Charging-action <d> of rulebase <rb>, action priority 5, redirects, but ruledef <no> "
	 "matches no HTTP request."},
	{"ruledef no\ntls sni = a\n#exit\ncharging-action d\nflow action redirect-url "
	 "http://a\n#exit\nrulebase rb\naction priority 5 ruledef no charging-action d\n#exit\n", 0, 1,
	 "Charging-action <d> of rulebase <rb>, action priority 5, redirects, but ruledef <no> "
	 "matches no HTTP request."},
	{"ruledef no\ntls sni = a\nip any-match = TRUE\nmulti-line-or all-lines\n#exit\n"
	 "charging-action d\nflow action redirect-url http://a\n#exit\n"
	 "rulebase rb\naction priority 5 ruledef no charging-action d\n#exit\n", 0, 0, ""},
	{"ruledef no\nudp any-match = TRUE\n#exit\ncharging-action d\ncontent-id 3\nflow action redirect-ocs-url\n"
	 "#exit\nrulebase rb\naction priority 5 ruledef no charging-action d\n#exit\n", 0, 1,
	 "Charging-action <d> of rulebase <rb>, action priority 5, redirects, but ruledef <no> "
	 "matches no HTTP request."},
	{"charging-action c\nflow action rulebase-change gone\n#exit\n", 1, 0,
	 "Rulebase <gone> of charging-action <c> is not configured."},
	{"charging-action c\nflow action rulebase-change rb\n#exit\n", 0, 0, ""},
	{"charging-action c\nflow action redirect-url http://a\nflow action conditional user-agent end-token x\n"
	 "#exit\n", 0, 1,
	 "Charging-action <c> redirects by user-agent, and no redirect user-agent is configured."},
	{"charging-action c\nflow action redirect-url http://a\nflow action conditional user-agent end-token x\n"
	 "#exit\nredirect user-agent Opera\n", 0, 0, ""},
	{"charging-action c\nflow action redirect-ocs-url\nno content-id\n#exit\n", 0, 1,
	 "Charging-action <c> redirects to a URL of the charging server, and has neither a rating-group nor a "
	 "content-id."},
	{"ruledef tu\nudp any-match = TRUE\n#exit\n"
	 "charging-action to\nflow action rulebase-change rc\n#exit\n"
	 "charging-action fro\nflow action rulebase-change rb\n#exit\n"
	 "rulebase rb\naction priority 5 ruledef tu charging-action to\n#exit\n"
	 "rulebase rc\naction priority 5 ruledef tu charging-action fro\n#exit\n", 0, 1,
	 "Rulebases <rb> and <rc> change to each other: a session changes once a second at most."},
	{"ruledef tg\np2p protocol = bittorrent\n#exit\n"
	 "rulebase rb\naction priority 5 ruledef tg charging-action c\n#exit\n", 0, 1,
	 "Ruledef <tg> of rulebase <rb> is on an application that shares files: it is not recovered "
	 "without \"flow-recovery p2p\"."},
	{"ruledef tg\np2p traffic-type = file-transfer\n#exit\n"
	 "rulebase rb\naction priority 5 ruledef tg charging-action c\n#exit\n", 0, 1,
	 "Ruledef <tg> of rulebase <rb> matches applications that share files, among others: flows of "
	 "these are not recovered without \"flow-recovery p2p\"."},
	{"charging-action d\n#exit\n", 0, 1, "Charging-action <d> is not used in any rulebase."},
	{"ruledef z\nip version = ipv4\n#exit\n"
	 "rulebase rb\naction priority 10 ruledef z charging-action c\n#exit\n",
	 0, 1,
	 "Default rule (i.e. a ruledef with just the \"ip any-match = TRUE\" expression) is "
	 "specified "
	 "in the rulebase <rb>, but not at lowest priority action command."},
	{"ruledef any\nip version = ipv4\n#exit\nruledef z\nip any-match = TRUE\n#exit\n"
	 "rulebase rb\naction priority 10 ruledef z charging-action c\n#exit\n",
	 0, 0, ""},
	{"rulebase rb\nno flow control-handshaking\n#exit\n", 0, 1,
	 "Rule <web> of rulebase <rb> is eligible for flow recovery and looks at L7, but the "
	 "rulebase "
	 "has no delay charging"},
	{"rulebase rb\nflow control-handshaking charge-to-application mid-session-packets\n#exit\n",
	 0, 0, ""},
	{"rulebase rb\nflow control-handshaking charge-to-application initial-packets\n#exit\n", 0,
	 1, "has no delay charging of acknowledgements in mid-session (\"flow control-handshaking "
	 "charge-to-application all-packets\" or \"mid-session-packets\")."},
	/* an eligible rule that acknowledgements never leave */
	{"rulebase rb\nno flow control-handshaking\n#exit\nruledef web\nudp any-match = TRUE\n#exit\n",
	 0, 0, ""},
	{"rulebase rb\nno flow control-handshaking\n#exit\nruledef web\nno http host = a.example\n"
	 "tcp dst-port = 80\n#exit\ngroup-of-ruledefs g\nno add-ruledef priority 1 ruledef member\n"
	 "#exit\nno ruledef member\n", 0, 1, "Group-of-ruledefs <g> has no ruledefs"},
	{"rulebase rb\nno flow control-handshaking\n#exit\nruledef web\np2p protocol = bittorrent\n"
	 "#exit\n", 0, 1, "Ruledef <web> of rulebase <rb> is on an application that shares files"},
	{"rulebase rb\nno flow control-handshaking\n#exit\nruledef web\np2p protocol = bittorrent\n"
	 "#exit\nflow-recovery p2p\n", 0, 1, "Rule <web> of rulebase <rb> is eligible"},
	/* once, where two bindings lead there */
	{"rulebase rb\nno flow control-handshaking\n#exit\nservice-scheme s2\ntrigger flow-create\n"
	 "priority 1 trigger-condition tc trigger-action ta\n#exit\n#exit\n"
	 "subs-class s2\napn = x\n#exit\n"
	 "subscriber-base default\npriority 2 subs-class s2 bind service-scheme s2\n#exit\n", 0, 1,
	 "Rule <web> of rulebase <rb> is eligible for flow recovery and looks at L7, but the "
	 "rulebase has no delay charging (\"flow"},
	/* of a rulebase whose subscribers have no scheme it is not eligible */
	{"rulebase r2\naction priority 1 ruledef web charging-action c\n#exit\n", 0, 0, ""},
	/* members of another application */
	{"ruledef pp\nrule-application post-processing\nip version = ipv4\n#exit\n"
	 "rulebase rb\npost-processing priority 1 ruledef pp charging-action c\n#exit\n"
	 "group-of-ruledefs g\nadd-ruledef priority 2 ruledef pp\n#exit\n", 1, 0,
	 "Ruledef <pp> of group-of-ruledefs <g> is of another rule-application than the group's "
	 "first member."},
	/* names that are eligible in vain */
	{"trigger-condition tc\nrule-name = member\n#exit\n", 0, 1,
	 "Rule-name = <member> of trigger-condition <tc> matches only members of group-of-ruledefs: "
	 "the flows of a group are eligible by the name of the group."},
	{"trigger-condition tc\nrule-name contains m\n#exit\nruledef many\nip version = ipv4\n#exit\n"
	 "rulebase rb\naction priority 3 ruledef many charging-action c\n#exit\n", 0, 0, ""},
	{"ruledef els\nip version = ipv4\n#exit\n"
	 "rulebase r2\naction priority 3 ruledef els charging-action c\n#exit\n"
	 "trigger-condition tc\nrule-name = els\n#exit\n", 0, 1,
	 "Rule-name = <els> of trigger-condition <tc> matches no rule that an action priority names "
	 "in a rulebase of the subscribers it is bound to."},
	{"ruledef els\nip version = ipv4\n#exit\n"
	 "rulebase r2\naction priority 3 ruledef els charging-action c\n#exit\n"
	 "trigger-condition tc\nrule-name = els\n#exit\nsubs-class sc\nrulebase = r2\n"
	 "multi-line-or\n#exit\n", 0, 0, ""},
	{"ruledef pp\nrule-application post-processing\nip version = ipv4\n#exit\n"
	 "rulebase rb\npost-processing priority 1 ruledef pp charging-action c\n#exit\n"
	 "trigger-condition tc\nrule-name = pp\n#exit\n", 0, 1,
	 "Rule-name = <pp> of trigger-condition <tc> matches no rule that an action priority"},
	/* conditions and classes that never hold, bindings that are never looked at */
	{"trigger-condition tc\nany-match = FALSE\n#exit\n", 0, 1,
	 "\"any-match = FALSE\" of trigger-condition <tc> holds for no rule."},
	{"trigger-condition tc\nany-match != TRUE\n#exit\n", 0, 1,
	 "\"any-match != TRUE\" of trigger-condition <tc> holds for no rule."},
	{"trigger-condition tc\nany-match = TRUE\n#exit\n", 0, 0, ""},
	{"rulebase r2\n#exit\nsubs-class sc\nrulebase = r2\n#exit\n", 0, 1,
	 "Subs-class <sc> holds for no subscriber: its lines cannot be met together "
	 "(\"multi-line-or\" makes one of them enough)."},
	{"rulebase r2\n#exit\nsubs-class sc\nrulebase = r2\nmulti-line-or\n#exit\n", 0, 0, ""},
	{"subs-class sc\napn = x\napn != X\n#exit\n", 0, 1, "its lines cannot be met together"},
	{"subs-class sc\napn = x\napn = y\n#exit\n", 0, 1, "its lines cannot be met together"},
	{"subs-class sc\napn = x\napn != y\n#exit\n", 0, 0, ""},
	{"subs-class sc\napn = x\napn = X\n#exit\n", 0, 0, ""},
	{"subs-class sc\nno rulebase = rb\nany-match = FALSE\n#exit\n", 0, 1,
	 "Subs-class <sc> holds for no subscriber: none of its lines can be met."},
	{"subs-class sc\nno rulebase = rb\nv-apn = x\nany-match != TRUE\nmulti-line-or\n#exit\n", 0,
	 1, "Subs-class <sc> holds for no subscriber: none of its lines can be met."},
	{"subs-class sc\nno rulebase = rb\nrulebase != r2\nv-apn != x\n#exit\n", 0, 0, ""},
	{"subscriber-base default\npriority 7 subs-class sc bind service-scheme ss\n#exit\n", 0, 1,
	 "Subs-class <sc> of subscriber-base <default>, priority 7, is never looked at: <sc> of "
	 "subscriber-base <default>, priority 1, comes before it and holds for all its "
	 "subscribers."},
	{"subs-class all\nany-match = TRUE\n#exit\nsubscriber-base default\n"
	 "priority 7 subs-class all bind service-scheme ss\n#exit\nsubscriber-base two\n"
	 "priority 1 subs-class sc bind service-scheme ss\n#exit\n", 0, 1,
	 "Subs-class <sc> of subscriber-base <two>, priority 1, is never looked at"},
	{"subs-class s2\nrulebase = rb\napn = x\n#exit\nsubscriber-base default\n"
	 "priority 7 subs-class s2 bind service-scheme ss\n#exit\n", 0, 1,
	 "Subs-class <s2> of subscriber-base <default>, priority 7, is never looked at"},
	{"subs-class s2\nrulebase = rb\napn = x\nmulti-line-or\n#exit\nsubscriber-base default\n"
	 "priority 7 subs-class s2 bind service-scheme ss\n#exit\n", 0, 0, ""},
	{"subs-class s2\nrulebase = rb\napn = x\nmulti-line-or\n#exit\nsubscriber-base default\n"
	 "no priority 1\npriority 2 subs-class s2 bind service-scheme ss\n"
	 "priority 7 subs-class sc bind service-scheme ss\n#exit\n", 0, 1,
	 "Subs-class <sc> of subscriber-base <default>, priority 7, is never looked at"},
	/* lists */
	{"ruledef p\nrule-application post-processing\nip version = ipv4\n#exit\nrulebase rb\n"
	 "post-processing priority 3 ruledef p charging-action c\n#exit\n", 0, 0, ""},
	{"rulebase rb\npost-processing priority 3 ruledef none charging-action c\n#exit\n", 1, 0,
	 "Ruledef <none> of rulebase <rb>, post-processing priority 3, is not configured."},
	{"ruledef p\nrule-application post-processing\nip version = ipv4\n#exit\nrulebase rb\n"
	 "post-processing priority 3 ruledef p charging-action none\n#exit\n", 1, 0,
	 "Charging-action <none> of rulebase <rb>, post-processing priority 3, is not configured."},
	{"rulebase rb\npost-processing priority 3 ruledef any charging-action c\n#exit\n", 1, 0,
	 "Ruledef <any> of rulebase <rb>, post-processing priority 3, is of application charging, "
	 "which is not allowed there."},
	{"ruledef p\nrule-application routing\nip version = ipv4\n#exit\nrulebase rb\n"
	 "route priority 3 ruledef p analyzer http\n#exit\n", 0, 0, ""},
	{"ruledef p\nrule-application routing\nip version = ipv4\n#exit\nrulebase rb\n"
	 "route priority 3 ruledef p analyzer sip advanced\n#exit\n", 0, 1,
	 "Analyzer sip of rulebase <rb>, route priority 3, is not provided"},
	{"rulebase rb\nroute priority 3 ruledef none analyzer dns\n#exit\n", 1, 0,
	 "Ruledef <none> of rulebase <rb>, route priority 3, is not configured."},
	{"ruledef p\nrule-application routing\nip version = ipv4\n#exit\nrulebase rb\n"
	 "action priority 3 ruledef p charging-action c\n#exit\n", 2, 0,
	 "Ruledef <p> of rulebase <rb>, action priority 3, is of another rule-application."},
	/* formats, filters */
	{"charging-action c\nbilling-action create-edrs charging-edr e\n#exit\n", 1, 0,
	 "Edr-format <e> of charging-action <c> is not configured."},
	{"edr-format e\nattribute sn-end-time priority 1\n#exit\n"
	 "charging-action c\nbilling-action create-edrs reporting-edr e\n#exit\n", 0, 0, ""},
	{"edr-format e\n#exit\nrulebase rb\nflow end-condition timeout charging-edr e\n#exit\n", 0, 1,
	 "Edr-format <e> has no fields."},
	{"udr-format u\nattribute sn-end-time priority 1\n#exit\n", 0, 1, "Udr-format <u> is not used."},
	{"rulebase rb\nflow end-condition hagr reporting-edr e\n#exit\n", 1, 0,
	 "Edr-format <e> of rulebase <rb> is not configured."},
	{"rulebase rb\nedr transaction-complete dns charging-edr e\n#exit\n", 1, 0,
	 "Edr-format <e> of rulebase <rb> is not configured."},
	{"rulebase rb\nbilling-records udr udr-format u\n#exit\n", 1, 0,
	 "Udr-format <u> of rulebase <rb> is not configured."},
	{"charging-action c\ntft packet-filter f\n#exit\n", 1, 0,
	 "Packet-filter <f> of charging-action <c> is not configured."},
	{"packet-filter f\n#exit\ncharging-action c\ntft packet-filter f\n#exit\n", 0, 0, ""},
	{"packet-filter f\n#exit\n", 0, 1, "Packet-filter <f> is not used in any charging-action."},
	/* what a group is said to be */
	{"ruledef t\nip version = ipv4\n#exit\ngroup-of-ruledefs gg\ngroup-of-ruledefs-application post-processing\n"
	 "add-ruledef priority 1 ruledef t\n#exit\nrulebase rb\npost-processing priority 3 group-of-ruledefs gg "
	 "charging-action c\n#exit\n", 2, 0, "Ruledef <t> of group-of-ruledefs <gg> is of another rule-application than its "
	 "group-of-ruledefs-application says."},
	/* what is not detected */
	{"p2p-detection protocol ftp_control\nruledef t\np2p protocol = bittorrent\n#exit\nrulebase rb\n"
	 "action priority 3 ruledef t charging-action c\n#exit\n", 1, 0,
	 "Application <BitTorrent> of ruledef <t> is not detected: no \"p2p-detection protocol\" names it."},
	{"p2p-detection behavioral voip\nruledef t\np2p behavioral = p2p\n#exit\nrulebase rb\n"
	 "action priority 3 ruledef t charging-action c\n#exit\n", 1, 0,
	 "Behavior <p2p> of ruledef <t> is not detected: no \"p2p-detection behavioral\" names it."},
	{"p2p-detection protocol nosuchapp\n", 1, 0,
	 "Application <nosuchapp> of p2p-detection protocol is not known."},
	/* pools of IMSIs */
	{"imsi-pool i\nimsi 1\n#exit\n", 0, 1, "Imsi-pool <i> is not used in any ruledef."},
	{"ruledef t\nbearer 3gpp imsi range imsi-pool i\n#exit\nrulebase rb\naction priority 3 ruledef t charging-action "
	 "c\n#exit\n", 1, 0, "Imsi-pool <i> of ruledef <t> is not configured."},
	/* times that are not known, not used, or not said */
	{"ruledef t\nip version = ipv4\n#exit\nrulebase rb\naction priority 3 timedef night ruledef t "
	 "charging-action c\n#exit\n", 1, 0,
	 "Timedef <night> of rulebase <rb>, action priority 3, is not configured: the line is in force at all times."},
	{"timedef day\nstart time 8 0 0 end time 9 0 0\n#exit\n", 0, 1,
	 "Timedef <day> is not used in any rulebase."},
	{"timedef day\n#exit\nruledef t\nip version = ipv4\n#exit\nrulebase rb\naction priority 3 timedef day "
	 "ruledef t charging-action c\n#exit\n", 0, 1,
	 "Timedef <day> has no lines: what names it is in force at all times."},
	{"timedef day\nstart time 8 0 0 end time 9 0 0\n#exit\nruledef t\nip version = ipv4\n#exit\nrulebase rb\n"
	 "action priority 3 timedef day ruledef t charging-action c\n#exit\n", 0, 0, ""},
	/* triggers that do nothing */
	{"trigger-action ta\nstep-up\n#exit\n", 0, 1,
	 "\"step-up\" of trigger-action <ta> has no effect."},
	{"trigger-action ta\nactivate-predef-rule x\n#exit\n", 0, 1,
	 "\"activate-predef-rule x\" of trigger-action <ta> has no effect."},
	{"trigger-condition tc\nlocal-policy-rule = x\n#exit\n", 0, 1,
	 "\"local-policy-rule = x\" of trigger-condition <tc> has no effect."},
	{"trigger-condition tc\nmulti-line-or all-lines\n#exit\n", 0, 0, ""},
	/* one that activates a rule, which must be one to be activated */
	{"ruledef t\nip version = ipv4\n#exit\nrulebase rb\naction priority 3 dynamic-only ruledef t charging-action c\n"
	 "#exit\ntrigger-condition all\nany-match = TRUE\n#exit\ntrigger-action ta\nactivate-predef-rule t\n#exit\n"
	 "service-scheme ss\ntrigger sess-setup\npriority 1 trigger-condition all trigger-action ta\n#exit\n#exit\n", 0, 0, ""},
	{"ruledef t\nip version = ipv4\n#exit\nrulebase rb\naction priority 3 ruledef t charging-action c\n"
	 "#exit\ntrigger-condition all\nany-match = TRUE\n#exit\ntrigger-action ta\nactivate-predef-rule t\n#exit\n"
	 "service-scheme ss\ntrigger sess-setup\npriority 1 trigger-condition all trigger-action ta\n#exit\n#exit\n", 1, 0,
	 "Rule <t> of trigger-action <ta> is in no rulebase as one to be activated."},
	/* timeouts of what there is not */
	{"idle-timeout alg-media 5\n", 0, 1, "\"idle-timeout alg-media 5\" has no effect."},
	{"charging-action c\n flow idle-timeout flow-mapping 5\n#exit\n", 0, 1,
	 "\"flow idle-timeout flow-mapping 5\" of charging-action <c> has no effect."},
	{"idle-timeout flow-mapping udp 5\n", 0, 1,
	 "\"idle-timeout flow-mapping udp 5\" has no effect."},
	{"idle-timeout alg-media 120\nidle-timeout icmp 1\n", 0, 0, ""},
	{"service-scheme ss\ntrigger sess-setup\n#exit\n#exit\n", 0, 1,
	 "Trigger sess-setup of service-scheme <ss> has no effect."},
	{"trigger-condition tc\nrule-name = nobody\n#exit\n", 0, 1,
	 "Rule-name = <nobody> of trigger-condition <tc> matches no ruledef or group-of-ruledefs. "
	 "It "
	 "can be a dynamic rule."},
	{"trigger-condition tc\nrule-name ends-with nobody\n#exit\n", 0, 1,
	 "Rule-name ends-with <nobody> of trigger-condition <tc> matches no ruledef or "
	 "group-of-ruledefs.\n"},
	{"trigger-condition t2\nrule-name = web\n#exit\n", 1, 0,
	 "Trigger-condition <t2> is not used with a trigger-action that has flow-recovery."},
	{"trigger-action ta\nno flow-recovery\n#exit\n", 1, 1,
	 "Trigger-action <ta> of service-scheme <ss>, priority 1, does not have flow-recovery."},
	{"trigger-action t2\nflow-recovery\n#exit\n", 0, 1,
	 "Trigger-action <t2> is not used in any service-scheme."},
	{"service-scheme s2\ntrigger flow-create\n#exit\n#exit\n", 0, 1,
	 "Service-scheme <s2> is not bound in any subscriber-base."},
	{"service-scheme s2\n#exit\n"
	 "subscriber-base default\npriority 2 subs-class sc bind service-scheme s2\n#exit\n",
	 0, 2, "Service-scheme <s2> has no trigger flow-create."},
	{"service-scheme ss\ntrigger flow-create\n"
	 "priority 2 trigger-condition none trigger-action ta\n#exit\n#exit\n",
	 1, 0, "Trigger-condition <none> of service-scheme <ss>, priority 2, is not configured."},
	{"service-scheme ss\ntrigger flow-create\n"
	 "priority 2 trigger-condition tc trigger-action none\n#exit\n#exit\n",
	 1, 0, "Trigger-action <none> of service-scheme <ss>, priority 2, is not configured."},
	{"subs-class s2\nany-match = TRUE\n#exit\n", 0, 1,
	 "Subs-class <s2> is not used in any subscriber-base."},
	{"subs-class sc\nno rulebase = rb\n#exit\n", 0, 1,
	 "Subs-class <sc> has no lines and holds for no subscriber."},
	{"subs-class sc\nrulebase = none\n#exit\n", 1, 1,
	 "Rulebase <none> of subs-class <sc> is not configured."},
	{"subscriber-base default\npriority 2 subs-class none bind service-scheme ss\n#exit\n", 1,
	 0, "Subs-class <none> of subscriber-base <default>, priority 2, is not configured."},
	{"subscriber-base default\npriority 2 subs-class sc bind service-scheme none\n#exit\n", 1,
	 0, "Service-scheme <none> of subscriber-base <default>, priority 2, is not configured."},
};

static void test_findings(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct findings f = lint(cases[i].change);

		if (f.errors != cases[i].errors || f.warnings != cases[i].warnings ||
		    !strstr(f.text, cases[i].text))
			fprintf(stderr, "case %zu: %u errors, %u warnings:\n%s", i, f.errors,
				f.warnings, f.text);
		CU_ASSERT_EQUAL(f.errors, cases[i].errors);
		CU_ASSERT_EQUAL(f.warnings, cases[i].warnings);
		CU_ASSERT_PTR_NOT_NULL(strstr(f.text, cases[i].text));
	}
}

/* The chapter's sample beside a rulebase: it loads; that it is bound to nobody is said. */
static void test_sample_of_the_chapter(void)
{
	static const char sample[] =
		"active-charging service s1\n   trigger-action ta1\n      flow-recovery\n   #exit\n"
		"   trigger-condition tc1\n      rule-name = rule01\n      delay = 600\n   #exit\n"
		"   service-scheme ss1\n       trigger flow-create\n"
		"          priority 1 trigger-condition tc1  trigger-action ta1\n      #exit\n   "
		"#exit\n";
	struct ecs_service *s = ecs_rule_text(sample, true);
	struct findings f = {0};
	uint32_t delay = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	ecs_service_lint(s, note, &f);
	CU_ASSERT_EQUAL(f.errors, 0);
	CU_ASSERT_EQUAL(f.warnings, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "<ss1> is not bound"));
	CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "<rule01>"));
	CU_ASSERT_TRUE(ecs_service_eligible(s, 0, "rule01", true, &delay));
	CU_ASSERT_EQUAL(delay, 600);
	CU_ASSERT_EQUAL(ecs_service_find_scheme(s, "rb", "apn"), -1);
	ecs_service_free(s);
}

CU_TestInfo ecs_rule_lint_tests[] = {
	{"each finding, and no other", test_findings},
	{"the sample of the chapter", test_sample_of_the_chapter},
	CU_TEST_INFO_NULL,
};
