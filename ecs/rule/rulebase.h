/* rulebase: what a rulebase says beside its lists of rules. The members are those of rulebase.def.
 * Included by service.h. */
#ifndef ECS_RULE_RULEBASE_H
#define ECS_RULE_RULEBASE_H

#include <stdbool.h>
#include <stdint.h>

#include "ecs/rule/content.h"

/** Packets without payload that are charged to the application:
 *  `flow control-handshaking charge-to-application`. */
#define ECS_HS_ALL_PACKETS 0x1u
#define ECS_HS_INITIAL     0x2u
#define ECS_HS_MID_SESSION 0x4u
#define ECS_HS_TEAR_DOWN   0x8u
#define ECS_HS_ALL         0xfu

/** `flow end-condition`: ends of a flow that give an EDR. */
#define ECS_FLOW_ENDS(X)                                                                           \
	X(CONTENT_FILTERING, "content-filtering") X(OVERFLOW, "flow-overflow")                \
	X(HAGR, "hagr") X(HANDOFF, "handoff") X(NORMAL, "normal-end-signaling")               \
	X(SESSION, "session-end") X(TIMEOUT, "timeout") X(BLACKLISTING, "url-blacklisting")
#define X(sym, text) ECS_FLOW_END_##sym,
enum ecs_flow_end { ECS_FLOW_ENDS(X) ECS_FLOW_END__N };
#undef X

/** Formats of a record; empty: none. */
struct ecs_edr_pair {
	char charging[ECS_NAME_MAX + 1];
	char reporting[ECS_NAME_MAX + 1];
};

struct ecs_rulebase_conf {
#define ECS_BASE_NUM(sym, member, ...) uint32_t member;
#define ECS_BASE_FLAG(sym, member, ...) bool member;
#define ECS_BASE_OWN(sym, members, ...) members
#include "ecs/rule/rulebase.def"
#undef ECS_BASE_NUM
#undef ECS_BASE_FLAG
#undef ECS_BASE_OWN
};

/** When a line of `action priority` can match. */
#define ECS_LINE_KINDS(X)                                                                     \
	X(STATIC, "") X(DYNAMIC_ONLY, "dynamic-only") X(STATIC_DYNAMIC, "static-and-dynamic")
#define X(sym, text) ECS_LINE_##sym,
enum ecs_line_kind { ECS_LINE_KINDS(X) ECS_LINE_KIND__N };
#undef X

#define ECS_MONITORING_MAX 4000000000u

/** A line of `action priority`, as it is entered. */
struct ecs_action_line {
	uint32_t priority;        /**< 1 to 65535 */
	enum ecs_line_kind kind;
	bool adc, mute;           /**< of dynamic-only: reported when it is detected, or not */
	bool group;               /**< rule names a group-of-ruledefs */
	const char *rule, *action;
	uint32_t monitoring_key;  /**< 1 to ECS_MONITORING_MAX; 0 none */
	const char *description;  /**< up to 63 characters; NULL none */
	const char *timedef;      /**< NULL: at all times */
};

/** Analyzers of `route priority`. */
#define ECS_ANALYZERS(X)                                                                      \
	X(NONE, "") X(DNS, "dns") X(FILE_TRANSFER, "file-transfer")                           \
	X(FTP_CONTROL, "ftp-control") X(FTP_DATA, "ftp-data") X(H323, "h323")                 \
	X(HTTP, "http") X(IMAP, "imap") X(MIPV6, "mipv6") X(MMS, "mms") X(POP3, "pop3")       \
	X(PPTP, "pptp") X(RADIUS, "radius") X(RTCP, "rtcp") X(RTP, "rtp") X(RTSP, "rtsp")     \
	X(SDP, "sdp") X(SECURE_HTTP, "secure-http") X(SIP, "sip") X(SMTP, "smtp")             \
	X(TFTP, "tftp") X(WSP_CL, "wsp-connection-less") X(WSP_CO, "wsp-connection-oriented")
#define X(sym, text) ECS_ANALYZER_##sym,
enum ecs_analyzer { ECS_ANALYZERS(X) ECS_ANALYZER__N };
#undef X

const char *ecs_analyzer_name(enum ecs_analyzer a);

/** A line of `route priority`. */
struct ecs_route_line {
	uint32_t priority;        /**< 1 to 65535 */
	const char *rule;         /**< a ruledef of rule-application routing */
	enum ecs_analyzer analyzer;
	bool advanced;            /**< `sip advanced` */
	const char *description;
};

#endif
