/* service: the active-charging service as configured, and as compiled for matching.
 *
 * It is built line by line (ecs_service_* setters, called by the configuration parser), then frozen
 * once by ecs_service_commit(); from then on it is read only and shared. References to names that do
 * not exist are accepted and reported by ecs_service_lint(). Source: flow-recovery.txt (all
 * configuration sections); ranges of reference ecs-facts section 2. */
#ifndef ECS_RULE_SERVICE_H
#define ECS_RULE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/packet.h"
#include "ecs/rule/action.h"
#include "ecs/rule/content.h"
#include "ecs/rule/xheader.h"
#include "ecs/rule/filter.h"
#include "ecs/rule/limit.h"
#include "ecs/rule/detect.h"
#include "ecs/rule/pools.h"
#include "ecs/rule/record.h"
#include "ecs/rule/rulebase.h"
#include "ecs/rule/scheme.h"
#include "ecs/rule/timedef.h"
#include "ecs/rule/who.h"

#define ECS_RULEDEFS_MAX    2048
#define ECS_GROUPS_MAX      128
#define ECS_GROUP_MEMBERS   128
#define ECS_RULE_LINES      32
#define ECS_ACTIONS_MAX     2048
#define ECS_LINES_MAX       2048 /**< `action priority` lines over all rulebases */
#define ECS_ROUTING_MAX     256  /**< ruledefs of application routing */
#define ECS_KEY_MAX         31   /**< characters of the name of a URL attribute or header field */
#define ECS_KEYS_MAX        4096 /**< different ones in a service */
#define ECS_COND_ENTRIES    15   /**< of one trigger-condition */
#define ECS_LINE_NONE       0xffffu

struct ecs_service;

/** Operators of a rule line. */
#define ECS_OPS(X)                                                                            \
	X(EQ, "=") X(NE, "!=") X(LE, "<=") X(GE, ">=") X(CONTAINS, "contains")                \
	X(NCONTAINS, "!contains") X(STARTS, "starts-with") X(NSTARTS, "!starts-with")         \
	X(ENDS, "ends-with") X(NENDS, "!ends-with") X(RANGE, "range") X(NRANGE, "!range")     \
	X(REGEX, "regex") X(PRESENT, "present") X(NPRESENT, "!present")
#define X(sym, text) ECS_OP_##sym,
enum ecs_op { ECS_OPS(X) ECS_OP__N };
#undef X

/** Fields that a ruledef line can name; the table with types, operators and layer is field.def. */
#define ECS_FIELD(sym, words, type, layer, reads, help) ECS_F_##sym,
enum ecs_field {
#include "ecs/rule/field.def"
	ECS_F__N
};
#undef ECS_FIELD

/** What the analyzers have found out about a flow; grows during its life. */
struct ecs_l7 {
	const char *http_host, *http_url, *http_user_agent; /**< NULL until seen; borrowed */
	const char *http_domain, *http_uri;                 /**< parts of the two before */
	const char *http_headers; /**< name, value, name, value ...: each ends with 0, and the list
	                               with an empty name; NULL: not asked for */
	const char *http_type;    /**< Content-Type of the response */
	const char *tls_sni, *quic_sni, *dns_query;
	uint16_t http_code;       /**< status of the response; 0 until seen */
	uint8_t http_method;      /**< enum ecs_http_method; 0 until seen, or another one */
	bool tls;                 /**< there was a ClientHello */
	bool rtsp;                /**< there was a request of RTSP */
	bool media;               /**< an RTSP session has set it up */
	uint16_t app, app_master; /**< nDPI ids; 0 unknown */
	uint8_t app_category;
	bool final;               /**< analyzers will say nothing more */
	uint8_t mute;             /**< ECS_WHO_*: who of them will say nothing more, before all are */
};

/** States of a TCP connection as `tcp state` names them; NONE for other protocols. */
#define ECS_TCP_STATES(X)                                                                  \
	X(NONE, "none") X(SYN_SENT, "syn-sent") X(SYN_RECEIVED, "syn-received")            \
	X(ESTABLISHED, "established") X(FIN_WAIT1, "fin-wait1") X(FIN_WAIT2, "fin-wait2")  \
	X(CLOSE_WAIT, "close-wait") X(CLOSING, "closing") X(LAST_ACK, "last-ack")          \
	X(TIME_WAIT, "time-wait") X(CLOSE, "close") X(LISTEN, "listen")
#define X(sym, text) ECS_TCP_ST_##sym,
enum ecs_tcp_state { ECS_TCP_STATES(X) ECS_TCP_ST__N };
#undef X

/** Stages of a packet after its verdict, in their order: rows of ecs/enforce.def. */
#define ECS_STAGE(sym, fn, when, recovered, counter, help) ECS_STAGE_##sym,
enum ecs_stage {
#include "ecs/enforce.def"
	ECS_STAGE__N
};
#undef ECS_STAGE
#define ECS_STAGE_BIT(sym) (UINT32_C(1) << ECS_STAGE_##sym)
/** Values of fields of type ENUM, from 1 on; 0 is not known. */
#define ECS_HTTP_METHODS(X)                                                                \
	X(CONNECT, "connect") X(DELETE, "delete") X(GET, "get") X(HEAD, "head")            \
	X(OPTIONS, "options") X(PATCH, "patch") X(POST, "post") X(PUT, "put") X(TRACE, "trace")
#define ECS_TRAFFICS(X)                                                                    \
	X(ADS, "ads") X(AUDIO, "audio") X(FILE, "file-transfer") X(IM, "im")               \
	X(S_AUDIO, "streaming-audio") X(S_VIDEO, "streaming-video") X(TUNNEL, "tunnel")    \
	X(UNCLASSIFIED, "unclassified") X(VIDEO, "video") X(VOIPOUT, "voipout")
#define ECS_BEHAVIORS(X)                                                                   \
	X(DOWNLOAD, "download") X(P2P, "p2p") X(UPLOAD, "upload") X(VIDEO, "video")        \
	X(VOIP, "voip")
#define X(sym, text) ECS_METHOD_##sym,
enum ecs_http_method { ECS_METHOD_NONE, ECS_HTTP_METHODS(X) ECS_METHOD__N };
#undef X
#define X(sym, text) ECS_TRAFFIC_##sym,
enum ecs_traffic { ECS_TRAFFIC_NONE, ECS_TRAFFICS(X) ECS_TRAFFIC__N };
#undef X
#define X(sym, text) ECS_BEHAVIOR_##sym,
enum ecs_behavior { ECS_BEHAVIOR_NONE, ECS_BEHAVIORS(X) ECS_BEHAVIOR__N };
#undef X
/** Radio access technology of a call; the value is that of GTP's RAT Type (TS 29.274, 8.17). */
#define ECS_RATS(X)                                                                \
	X(NONE, 0, "unknown") X(UTRAN, 1, "utran") X(GERAN, 2, "geran") X(WLAN, 3, "wlan") \
	X(GAN, 4, "gan") X(HSPA, 5, "hspa-evolution") X(EUTRAN, 6, "eutran")           \
	X(VIRTUAL, 7, "virtual") X(NBIOT, 8, "nb-iot")
#define X(sym, n, text) ECS_RAT_##sym = (n),
enum ecs_rat { ECS_RATS(X) ECS_RAT__N };
#undef X
/** The value of @p f that has this text, in any case; 0: there is none, or @p f is of another type. */
uint8_t ecs_enum_value(enum ecs_field f, const char *text);
/** Its text; NULL for 0 and what is none. */
const char *ecs_enum_text(enum ecs_field f, uint8_t value);

/** What a ruledef is for (`rule-application`): lines of its kind alone can name it. */
#define ECS_APPLICATIONS(X)                                                                \
	X(CHARGING, "charging") X(POST_PROCESSING, "post-processing") X(ROUTING, "routing")
#define X(sym, text) ECS_APPL_##sym,
enum ecs_application { ECS_APPLICATIONS(X) ECS_APPL__N };
#undef X

/** Whether a flow that a rule matches is of an application that shares files. */
enum ecs_p2p {
	ECS_P2P_NOT,  /**< if so, it is not by the application that the rule matches */
	ECS_P2P_SOME, /**< where its application is one: others match as well */
	ECS_P2P_ALL   /**< always */
};

/** One `action priority` line, compiled. Its index in the service is the flow's `line`. */
struct ecs_line {
	uint16_t priority;
	uint16_t rulebase;        /**< index */
	uint8_t kind;             /**< enum ecs_line_kind */
	bool adc, mute;           /**< of a dynamic-only line */
	bool post;                /**< of the list of post-processing */
	uint32_t monitoring_key;  /**< 0 none */
	bool group;               /**< the name is a group-of-ruledefs */
	bool l34;                 /**< decides by L3/L4 alone (of a group: all members) */
	bool bound;               /**< rule and action exist; else the line has no effect */
	const char *rule_name;    /**< what is checkpointed, shown and made eligible */
	uint16_t timedef;         /**< in force in its times alone: its index + 1; 0: at all times */
	uint16_t stats;           /**< index for per-rule counters, one per rule name of the service */
	const struct ecs_charging_action *action; /**< NULL where unknown */
	uint64_t rule_digest;     /**< of the lines or members */
	uint64_t action_digest;   /**< of the action's charging fields */
	uint32_t stages;          /**< ECS_STAGE_BIT: what its action does to packets */
	uint8_t p2p;              /**< enum ecs_p2p of the rule */
	uint64_t limit_id;        /**< hash of the name: of the limit that its action has */
	/* limits that it shares with other lines; NULL: none */
	const struct ecs_policy_group *policy;   /**< of its rulebase's bandwidth-policy */
	const struct ecs_qos_group *qos_group;
};

/** Per-rule counters, in the task's slab: one per rule name, and one for `(no rule)` at the end. */
struct ecs_rule_stats {
	uint64_t pkts_down, bytes_down, pkts_up, bytes_up, hits, match_bypassed;
	uint64_t pending_pkts, pending_bytes; /**< of them, charged while control was pending */
};
#define ECS_STATS_MAX (ECS_RULEDEFS_MAX + ECS_GROUPS_MAX + 1)

/** `idle-timeout` of the service: member, words, default, whether it acts. Media flows of application
 *  gateways are flows like others here, and there is no address translation. */
#define ECS_TIMEOUTS(X)                                                                     \
	X(tcp, "tcp", 300, true) X(tcp_half_open, "tcp half-open", 200, true)               \
	X(udp, "udp", 300, true) X(icmp, "icmp", 300, true)                                 \
	X(alg_media, "alg-media", 120, false)                                               \
	X(mapping_tcp, "flow-mapping tcp", 300, false)                                      \
	X(mapping_udp, "flow-mapping udp", 0, false)
/** Seconds; 0 disabled. */
struct ecs_timeouts {
#define X(member, words, value, acts) uint32_t member;
	ECS_TIMEOUTS(X)
#undef X
	uint32_t other; /**< of other protocols: no command sets it */
};
extern const struct ecs_timeouts ecs_timeouts_default;

/* --- building --------------------------------------------------------------------------------- */

/** An empty service; NULL without memory. Free with ecs_service_free. */
struct ecs_service *ecs_service_new(const char *name);
void ecs_service_free(struct ecs_service *s);

/* Each setter returns 0 or a negative code: SRP_EFULL (a limit), SRP_EDUP, SRP_ENOENT (no form),
 * SRP_ERANGE, SRP_EINVAL; and writes what was expected into why (cap bytes) on failure. `no` true
 * removes. Objects are opened by name; opening creates them. */
struct ecs_err {
	char text[160];
};

/** How a command is given: itself, `no`, `default`. */
enum ecs_form { ECS_FORM_SET, ECS_FORM_NO, ECS_FORM_DEFAULT };

int ecs_service_ruledef(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/**
 * Adds (or with @p no removes) one line of a ruledef; a line that is there already is no error.
 * Operators are checked by type, values are kept in canonical form (a prefix without host bits).
 * Strings: 1 to 127 characters, in any case unless @p case_sensitive; a regular expression (in
 * Hyperscan's syntax, bounded repeats up to 1024 characters) is searched anywhere. A negated operator needs the field to be there: `http
 * host != x` does not match a flow without host; only `!present` matches an absent field, once
 * analyzers are final.
 *
 * @param a  value text, NULL for (!)present
 * @param b  the end of a range, or NULL
 */
int ecs_service_rule_line(struct ecs_service *s, const char *ruledef, bool no, enum ecs_field f,
                          bool case_sensitive, enum ecs_op op, const char *a, const char *b,
                          struct ecs_err *e);
/** The words of a line that are more than a field, an operator and two values. */
struct ecs_rule_words {
	enum ecs_field field;
	enum ecs_op op;
	bool case_sensitive;
	const char *key;  /**< name of KEYSTR fields: 1 to 31 printable characters; else NULL */
	const char *a, *b;
	bool pool;        /**< of range and !range: @ref a is the name of a pool */
};
/** As ecs_service_rule_line(), for all forms of lines. */
int ecs_service_rule_put(struct ecs_service *s, const char *ruledef, bool no,
                         const struct ecs_rule_words *w, struct ecs_err *e);
/** `rule-application`; the default is charging. SRP_EFULL beyond ECS_ROUTING_MAX of routing. */
int ecs_service_rule_application(struct ecs_service *s, const char *ruledef,
                                 enum ecs_application appl, struct ecs_err *e);
/** The switches of recover.def: `flow-recovery <word>`. */
enum ecs_recover {
#define ECS_RECOVER(sym, word, always, help) ECS_RECOVER_##sym,
#include "ecs/rule/recover.def"
#undef ECS_RECOVER
	ECS_RECOVER__N
};

int ecs_service_recover(struct ecs_service *s, enum ecs_recover what, bool on, struct ecs_err *e);
bool ecs_service_keeps(const struct ecs_service *s, enum ecs_recover what);
int ecs_service_rule_or(struct ecs_service *s, const char *ruledef, bool on, struct ecs_err *e);
/** Names of ruledefs and groups are unique over both: else SRP_EDUP. */
int ecs_service_group(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** `group-of-ruledefs-application`: charging, post-processing, or ECS_APPL__N, the default: that of its first
 *  member. Ruledefs of another are no members, whatever says it. */
int ecs_service_group_application(struct ecs_service *s, const char *group, enum ecs_application appl,
                                  struct ecs_err *e);
/** A member that is entered again moves to the new priority; a priority that another member holds
 *  gives SRP_EDUP with its name. Removing: by priority, @p ruledef NULL or the member's name. */
int ecs_service_group_add(struct ecs_service *s, const char *group, bool no, uint32_t priority,
                          const char *ruledef, struct ecs_err *e);
int ecs_service_rulebase(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** Priorities as of group members: a rule entered again replaces its old line, a priority that
 *  another rule holds gives SRP_EDUP with its name. Removing: by priority, @p rule NULL or the
 *  line's rule. */
int ecs_service_action_line(struct ecs_service *s, const char *rulebase, bool no, uint32_t priority,
                            bool group, const char *rule, const char *action, struct ecs_err *e);
/** The same with all that such a line can say; @p l->action NULL when it is removed. */
int ecs_service_rule_action(struct ecs_service *s, const char *rulebase, bool no,
                            const struct ecs_action_line *l, struct ecs_err *e);
/** `post-processing priority`: as ecs_service_rule_action(), in a list of its own. */
int ecs_service_post_line(struct ecs_service *s, const char *rulebase, bool no,
                          const struct ecs_action_line *l, struct ecs_err *e);
/** `route priority`: to an analyzer; a list of its own. */
int ecs_service_route_line(struct ecs_service *s, const char *rulebase, bool no,
                           const struct ecs_route_line *l, struct ecs_err *e);
/** Runs one command of rulebase.def; as ecs_charging_action_set(). */
int ecs_service_rulebase_set(struct ecs_service *s, const char *rulebase, enum ecs_form form,
                             const char *const *w, size_t n, struct ecs_err *e);
/**
 * `flow control-handshaking charge-to-application`: which packets without application data are
 * charged to the application. @p what: ECS_HS_* or 0 for none (the default).
 */
int ecs_service_handshaking(struct ecs_service *s, const char *rulebase, unsigned what,
                            struct ecs_err *e);
/**
 * Opens (or with @p no removes) a charging-action; members can be set in place. Not to be kept after
 * ecs_service_commit().
 *
 * @return the action; NULL after a refusal (its reason in @p e) and after a removal (e->text empty)
 */
struct ecs_charging_action *ecs_service_charging_action(struct ecs_service *s, const char *name,
                                                        bool no, struct ecs_err *e);
/**
 * Runs one command of a charging-action (action.def).
 *
 * @param w  its words, keywords in full, values without quotes; without `no` and `default`
 * @return 0; SRP_ENOENT (no such command), SRP_ERANGE, SRP_EINVAL, SRP_EFULL: nothing has changed
 */
int ecs_charging_action_set(struct ecs_charging_action *a, enum ecs_form form,
                            const char *const *w, size_t n, struct ecs_err *e);
/** The same with the words in one line, blanks between them, none inside. */
int ecs_charging_action_line(struct ecs_charging_action *a, const char *line, struct ecs_err *e);
#define ECS_TELL_NUMBER 0x100u /**< with the depth: the value is a number, and no name that looks like one */
/** Says what an action is, label by label; @p indent: how deep a label stands under another. A number with its
 *  unit behind it needs no ECS_TELL_NUMBER. */
typedef void ecs_tell_fn(void *arg, unsigned indent, const char *label, const char *value);
void ecs_charging_action_tell(const struct ecs_charging_action *a, ecs_tell_fn *tell, void *arg);
/** Open (or with @p no remove) a bandwidth-policy, a qos-group-of-ruledefs, and run one command of
 *  them (limit.def); as ecs_service_charging_action(), ecs_charging_action_set(). */
struct ecs_bandwidth_policy *ecs_service_bandwidth_policy(struct ecs_service *s, const char *name,
                                                          bool no, struct ecs_err *e);
int ecs_bandwidth_policy_set(struct ecs_bandwidth_policy *p, enum ecs_form form,
                             const char *const *w, size_t n, struct ecs_err *e);
struct ecs_qos_group *ecs_service_qos_group(struct ecs_service *s, const char *name, bool no,
                                            struct ecs_err *e);
int ecs_qos_group_set(struct ecs_qos_group *g, enum ecs_form form, const char *const *w, size_t n,
                      struct ecs_err *e);
/** Opens (or with @p no removes) a packet-filter; as ecs_service_charging_action(). */
struct ecs_packet_filter *ecs_service_packet_filter(struct ecs_service *s, const char *name,
                                                    bool no, struct ecs_err *e);
/** Runs one command of filter.def; as ecs_charging_action_set(). */
int ecs_packet_filter_set(struct ecs_packet_filter *f, enum ecs_form form, const char *const *w,
                          size_t n, struct ecs_err *e);
/** Opens (or removes) a format of records, whose fields ecs_record_field() sets, its delimiter in
 *  place. */
struct ecs_record_format *ecs_service_record(struct ecs_service *s, enum ecs_record_kind kind,
                                             const char *name, bool no, struct ecs_err *e);
/** `system-limit l4-flows`: 1 to 2147483647 flows of a session manager; 0: no limit, the default. */
int ecs_service_l4_flows(struct ecs_service *s, uint32_t n, struct ecs_err *e);
/** 0, SRP_ERANGE or SRP_EFORMAT: http:// or https://, none that ends a line or a quoted word. */
int ecs_url_check(const char *url, struct ecs_err *e);
/** `check-point accounting sync-timer`: 4 to 60 seconds for each; 0 unsets it. */
int ecs_service_sync_timer(struct ecs_service *s, bool icsr, uint32_t seconds, struct ecs_err *e);
/** To be set in place before the commit; each 0 to 86400, which the commit checks. */
struct ecs_timeouts *ecs_service_timeouts(struct ecs_service *s);
#define ECS_LIFETIMES 3 /**< lifetime buckets of the KPI of flows */
/** `flow-kpi lifetime-buckets`: where each bucket begins, 0 to 2592000 seconds, each later than the one
 *  before; NULL: the default, 0, 10 and 60. */
int ecs_service_lifetimes(struct ecs_service *s, const uint32_t *from, struct ecs_err *e);
const uint32_t *ecs_service_lifetimes_from(const struct ecs_service *s);
/** True where they are the default. */
bool ecs_service_lifetimes_default(const struct ecs_service *s);
#define ECS_FLOW_CHKPT_DEFAULT 10u /**< flows of a call */
/** 1 to 300, default 10 (flow-recovery.txt, Configuring Flow Checkpoint Limit). */
int ecs_service_flow_chkpt_per_call(struct ecs_service *s, uint32_t n, struct ecs_err *e);
uint32_t ecs_service_flow_chkpt_limit(const struct ecs_service *s);

int ecs_service_trigger_action(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
int ecs_service_flow_recovery(struct ecs_service *s, const char *action, bool on, struct ecs_err *e);
int ecs_service_trigger_condition(struct ecs_service *s, const char *name, bool no,
                                  struct ecs_err *e);
/** @p op: EQ, CONTAINS, STARTS or ENDS. */
int ecs_service_cond_rule_name(struct ecs_service *s, const char *cond, bool no, enum ecs_op op,
                               const char *name, struct ecs_err *e);
/** 1 to 600 seconds; 0 removes. */
int ecs_service_cond_delay(struct ecs_service *s, const char *cond, uint32_t seconds,
                           struct ecs_err *e);
int ecs_service_cond_any(struct ecs_service *s, const char *cond, bool no, bool equal, bool value,
                         struct ecs_err *e);
/** Run one command of trigger.def; as ecs_charging_action_set(). */
int ecs_service_trigger_action_set(struct ecs_service *s, const char *name, enum ecs_form form,
                                   const char *const *w, size_t n, struct ecs_err *e);
int ecs_service_condition_set(struct ecs_service *s, const char *name, enum ecs_form form,
                              const char *const *w, size_t n, struct ecs_err *e);
int ecs_service_scheme(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** A trigger of a scheme; @p no removes it with its priorities. */
int ecs_service_scheme_trigger_of(struct ecs_service *s, const char *scheme, enum ecs_trigger t,
                                  bool no, struct ecs_err *e);
int ecs_service_scheme_priority_of(struct ecs_service *s, const char *scheme, enum ecs_trigger t,
                                   bool no, uint32_t priority, const char *cond,
                                   const char *action, struct ecs_err *e);
/** `trigger flow-create` of a scheme; @p no removes it with its priorities. */
int ecs_service_scheme_trigger(struct ecs_service *s, const char *scheme, bool no,
                               struct ecs_err *e);
/** A priority entered again is replaced; removing needs the priority only. SRP_ENOENT before
 *  `trigger flow-create`. */
int ecs_service_scheme_priority(struct ecs_service *s, const char *scheme, bool no,
                                uint32_t priority, const char *cond, const char *action,
                                struct ecs_err *e);
int ecs_service_subs_class(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
enum ecs_subs_field { ECS_SUBS_ANY, ECS_SUBS_RULEBASE, ECS_SUBS_APN, ECS_SUBS_VAPN };
int ecs_service_subs_line(struct ecs_service *s, const char *cls, bool no, enum ecs_subs_field f,
                          bool equal, const char *value, struct ecs_err *e);
int ecs_service_subs_or(struct ecs_service *s, const char *cls, bool on, struct ecs_err *e);
int ecs_service_subs_base(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** A priority entered again is replaced; removing needs the priority only. */
int ecs_service_subs_bind(struct ecs_service *s, const char *base, bool no, uint32_t priority,
                          const char *cls, const char *scheme, struct ecs_err *e);

/** `xheader-format NAME`. */
int ecs_service_xheader(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** `insert FIELD ...` of a format: the name of a header field, and its value; @p text of a constant.
 *  A field entered again is replaced. */
int ecs_service_xheader_insert(struct ecs_service *s, const char *format, bool no,
                               const char *field, enum ecs_xvalue v, const char *text,
                               struct ecs_err *e);
/** A format, or NULL. */
const struct ecs_xformat *ecs_service_xformat(const struct ecs_service *s, const char *name);
/** The words of a value. */
const char *ecs_xvalue_words(enum ecs_xvalue v);

/**
 * Resolves references, compiles the string conditions into sets, computes digests, freezes.
 * @return 0, or SRP_ENOMEM / SRP_EINVAL (a regular expression that does not compile) with @p e
 */
int ecs_service_commit(struct ecs_service *s, struct ecs_err *e);

/** String sets that were compiled for an equal service, as ecs_service_sets_save() wrote them:
 *  borrowed, not trusted to be whole. */
struct ecs_sets {
	const uint8_t *p;
	size_t len;
};
/** The lines to come were printed by a service that had checked them: their regular expressions are
 *  not tried one by one; the commit compiles them all the same, or finds them in its sets. */
void ecs_service_trust(struct ecs_service *s, bool on);
/** As ecs_service_commit(); what is in @p sets is not compiled once more. What is not there, or is
 *  damaged, is compiled. */
int ecs_service_commit_with(struct ecs_service *s, struct ecs_sets sets, struct ecs_err *e);
/** Hands the compiled sets to @p put, piece by piece; 0, or the first result of @p put that is not, or
 *  SRP_ESTATE before the commit, SRP_ENOMEM. */
int ecs_service_sets_save(const struct ecs_service *s,
                          int (*put)(void *arg, const void *p, size_t n), void *arg);

/** Calls @p fn once per finding of `show configuration errors`; @p warning false: an error. */
void ecs_service_lint(const struct ecs_service *s,
                      void (*fn)(void *arg, bool warning, const char *text), void *arg);

/* --- reading ---------------------------------------------------------------------------------- */

const char *ecs_service_name(const struct ecs_service *s);
/** Digest of everything that the two chassis must have in common. */
uint64_t ecs_service_digest(const struct ecs_service *s);
uint32_t ecs_service_l4_flows_limit(const struct ecs_service *s);
/** Seconds between two accounting checkpoints to that replica; 0: each second while there is news. */
uint32_t ecs_service_sync_time(const struct ecs_service *s, bool icsr);
/** By name; NULL: there is none. */
const struct ecs_packet_filter *ecs_service_find_filter(const struct ecs_service *s,
                                                        const char *name);
const struct ecs_record_format *ecs_service_find_record(const struct ecs_service *s,
                                                        enum ecs_record_kind kind,
                                                        const char *name);
/** The idle timeouts, to read. */
const struct ecs_timeouts *ecs_service_idle(const struct ecs_service *s);
/** Seconds for which a flow of @p proto can be silent under a rulebase before it ends, whichever of its rules,
 *  or none, it has; of what never ends by silence an hour. @p rulebase -1: there is none. */
uint32_t ecs_service_idle_longest(const struct ecs_service *s, int rulebase, uint8_t proto);
/** The longest of all rulebases and protocols. */
uint32_t ecs_service_idle_most(const struct ecs_service *s);
/** What flows of a rulebase give, and what that needs to be read of them. */
#define ECS_RECORDS_EDR   0x01u /**< event data records */
#define ECS_RECORDS_FDR   0x02u /**< a record of each flow */
#define ECS_RECORDS_WHOLE 0x04u /**< EDRs of recovered flows tell of the whole flow */
#define ECS_RECORDS_HTTP  0x08u
#define ECS_RECORDS_REPLY 0x10u
#define ECS_RECORDS_DNS   0x20u
#define ECS_RECORDS_TLS   0x40u
#define ECS_RECORDS_APP   0x80u
#define ECS_RECORDS_L7    0xf8u
#define ECS_RECORDS_KEPT  (ECS_RECORDS_FDR | ECS_RECORDS_WHOLE) /**< volumes of flows are checkpointed */
/** ECS_RECORDS_* of a rulebase, by its index; 0 for most. */
uint8_t ecs_service_records(const struct ecs_service *s, int rulebase);
/** What a rulebase says beside its lists; NULL: there is none of this index. */
const struct ecs_rulebase_conf *ecs_service_rulebase_conf(const struct ecs_service *s,
                                                          int rulebase);
/** Says what a rulebase is beside its lists; as ecs_charging_action_tell(). */
void ecs_service_rulebase_tell(const struct ecs_service *s, int rulebase, ecs_tell_fn *tell,
                               void *arg);
/** ECS_HS_* of a rulebase, by its index. */
unsigned ecs_service_handshaking_of(const struct ecs_service *s, int rulebase);
/** Charging-actions in the order of entry; NULL beyond the last. */
size_t ecs_service_actions(const struct ecs_service *s);
const struct ecs_charging_action *ecs_service_action(const struct ecs_service *s, size_t i);
/** Whether the charging-action of a line of a rulebase, not one of post-processing, has this stage. Dynamic rules
 *  have none of their own. */
bool ecs_service_does(const struct ecs_service *s, int rulebase, enum ecs_stage what);
size_t ecs_service_lines(const struct ecs_service *s);
const struct ecs_line *ecs_service_line(const struct ecs_service *s, uint16_t line);
/** Index of a rulebase, or -1. */
int ecs_service_find_rulebase(const struct ecs_service *s, const char *name);
const char *ecs_service_rulebase_name(const struct ecs_service *s, int rulebase);
/** The line of @p rulebase whose rule has this name, or ECS_LINE_NONE. */
uint16_t ecs_service_find_line(const struct ecs_service *s, int rulebase, const char *rule);
/** Rule names with counters: index 0..n-1; index n is `(no rule)`. */
size_t ecs_service_stats_count(const struct ecs_service *s);
const char *ecs_service_stats_name(const struct ecs_service *s, size_t i);
/** True where the name is that of a ruledef of application charging: not of another, nor of a group. */
bool ecs_service_stats_charging(const struct ecs_service *s, size_t i);
/** Writes the service as configuration lines through @p put; it parses back to itself. */
void ecs_service_print(const struct ecs_service *s, void (*put)(void *arg, const char *line),
                       void *arg);

/** Writes the lines of the ruledef @p name, or with @p group of the group-of-ruledefs; nothing where there is none. */
void ecs_service_print_rule(const struct ecs_service *s, const char *name, bool group,
                            void (*put)(void *arg, const char *line), void *arg);

/** Calls @p fn with the values of the `apn =` lines of all subs-classes. */
void ecs_service_subs_apns(const struct ecs_service *s,
                           void (*fn)(void *arg, const char *subs_class, const char *apn), void *arg);
/** An operator as it is written; never NULL. */
const char *ecs_op_name(enum ecs_op op);

/* --- matching --------------------------------------------------------------------------------- */

/** What one packet or flow is matched by; filled by the engine. */
struct ecs_match_in {
	const struct ecs_packet *pkt;
	const struct ecs_l7 *l7;   /**< NULL: nothing is known nor will be: no L7 line matches */
	uint8_t tcp_state;         /**< enum ecs_tcp_state of the flow */
	uint8_t rat;               /**< enum ecs_rat of the session */
	bool tethered;             /**< what was found out about the flow */
	const char *imsi, *apn;    /**< of the session; NULL or empty: it has none */
	const char *server_name;   /**< that DNS gave for the server's address; NULL: none */
	bool l34_only;             /**< only lines that decide by L3/L4 (control pending, recovered) */
	bool policy;               /**< rules come from outside: static-and-dynamic is dynamic-only */
	/** Dynamic-only lines that are active, a bit for each line of the rulebase, in its order (line
	 *  less ecs_service_first_line()); NULL: none is. */
	const uint64_t *active;
	uint32_t before;           /**< only lines of a priority below it; 0: all */
};

/** Scratch of one thread for the compiled sets. */
struct ecs_matcher;
struct ecs_matcher *ecs_matcher_new(const struct ecs_service *s);
void ecs_matcher_free(struct ecs_matcher *m);

/**
 * The first line by priority that matches.
 *
 * @param maybe  set true when an L7 line of higher priority than the result could still match once
 *               an analyzer has said more (the verdict must not be cached as final)
 * @return a line, or ECS_LINE_NONE: the built-in `(no rule)`
 */
uint16_t ecs_match(struct ecs_matcher *m, int rulebase, const struct ecs_match_in *in, bool *maybe);

/** What the lines of post-processing of a rulebase look at. */
enum ecs_post_looks { ECS_POST_NOTHING, ECS_POST_L34, ECS_POST_L7 };
enum ecs_post_looks ecs_service_post_looks(const struct ecs_service *s, int rulebase);
/** The same among the lines of post-processing, of which all can match; ecs_service_line() gives them
 *  too. */
uint16_t ecs_match_post(struct ecs_matcher *m, int rulebase, const struct ecs_match_in *in);
/** The analyzer of the first route that matches; ECS_ANALYZER_NONE. L7 lines do not count: routes are
 *  looked at before analyzers are. */
enum ecs_analyzer ecs_match_route(struct ecs_matcher *m, int rulebase,
                                  const struct ecs_packet *pkt);
/** Whether a rulebase has a route to this analyzer at all. */
bool ecs_service_routes_to(const struct ecs_service *s, int rulebase, enum ecs_analyzer a);
/** Whether it has routes. */
bool ecs_service_routes(const struct ecs_service *s, int rulebase);
/** The first of the lines of a rulebase, and how many it has. */
uint16_t ecs_service_first_line(const struct ecs_service *s, int rulebase, size_t *n);

/** A digest of what the lines of a rulebase match, and in which order: another one after a commit that has
 *  changed that. 0 where there is no rulebase. */
uint64_t ecs_service_rulebase_says(const struct ecs_service *s, int rulebase);

/** Which L7 fields the rulebase asks for at all: no analyzer runs for what nobody reads. */
struct ecs_needs {
	bool http;    /**< requests */
	bool headers; /**< their header fields */
	bool every;   /**< requests: each of several that came at once */
	bool reply;   /**< responses */
	bool tls, quic, dns, app;
	bool names;   /**< addresses in answers of DNS */
	bool rtsp;    /**< requests of RTSP, and what they set up */
};
struct ecs_needs ecs_service_needs(const struct ecs_service *s, int rulebase);

/** Whether it asks for what analyzers find. */
static inline bool ecs_needs_analysis(const struct ecs_needs *n)
{
	return n->http || n->tls || n->quic || n->dns || n->app || n->rtsp;
}

/* --- service scheme --------------------------------------------------------------------------- */

/** Index of the scheme that applies to a subscriber, or -1: the first binding, by priority, whose
 *  class holds and whose scheme exists; subscriber-base `default` first, then others by name. */
int ecs_service_find_scheme(const struct ecs_service *s, const char *rulebase, const char *apn);
/**
 * The names of rules that are eligible for flow recovery under a scheme that is bound: rules for
 * charging in their order, then names given with `=` that are of no rule here (dynamic rules) by the
 * alphabet. Nothing before the commit.
 *
 * @param names  receives the first @p cap of them, kept until the service goes
 * @return how many there are
 */
size_t ecs_service_eligible_names(const struct ecs_service *s, const char **names, size_t cap);
/** Whether a scheme has `trigger flow-create`: flows that begin under it are looked at, now and later. */
bool ecs_service_triggers(const struct ecs_service *s, int scheme);
/** Whether any trigger-action has flow-recovery. */
bool ecs_service_recovers(const struct ecs_service *s);
/** Of which flows of a rule no checkpoints are made as their applications share files; with
 *  `flow-recovery p2p` NOT of all rules. */
enum ecs_p2p ecs_service_p2p_barred(const struct ecs_service *s, const char *rule_name);
/**
 * Whether flows of @p rule_name are checkpointed under @p scheme: the first priority of its trigger
 * flow-create whose condition holds (any-match, or any rule-name entry) and whose action has
 * flow-recovery. Nothing before the commit.
 *
 * @param dynamic  a dynamic rule: only `=` entries count, any-match does not
 * @param delay    seconds that hold back the first checkpoint, 0 none; written when eligible
 */
bool ecs_service_eligible(const struct ecs_service *s, int scheme, const char *rule_name,
                          bool dynamic, uint32_t *delay);

#endif
