/* dynamic: rules that a control plane gives a call at run time, and its bearers.
 *
 * A dynamic rule brings its own packet filters and what is charged; a predefined one is an `action
 * priority ... dynamic-only` (or static-and-dynamic) line of the call's rulebase that is activated.
 * Dynamic rules match by addresses, ports and protocol alone, in the order of their precedence, before
 * all lines of the rulebase or between them (`dynamic-rule order`); predefined ones match where their
 * line stands. */
#ifndef ECS_DYNAMIC_H
#define ECS_DYNAMIC_H

#include "ecs/sdf.h"

struct ecs_engine;
struct ecs_session;

#define ECS_DYN_RULES_MAX 64u      /**< of one call, dynamic and activated */
#define ECS_MBR_MAX       UINT32_MAX /**< kbit/s */

/** In the rule map it stands where the rulebase of other rules does; no rulebase can be called so. */
#define ECS_DYN_BASE "(dynamic rule)"

/** What passes of the traffic of a rule. */
#define ECS_FLOW_STATUSES(X) \
	X(ENABLED, "enabled") X(UPLINK, "enabled-uplink") X(DOWNLINK, "enabled-downlink") \
	X(DISABLED, "disabled")
#define X(sym, text) ECS_STATUS_##sym,
enum ecs_flow_status { ECS_FLOW_STATUSES(X) ECS_STATUS__N };
#undef X

/** What the control plane says of quality of service; 0: nothing. */
struct ecs_qos {
	uint8_t qci, arp;
	uint32_t mbr[2]; /**< kbit/s by enum ecs_dir; 0: no limit */
};

/** A rule as it is given; an activated one has no filters and no charging of its own. */
struct ecs_dyn_spec {
	char name[ECS_NAME_MAX + 1];
	bool predefined;
	uint32_t precedence;      /**< 1 to 4294967295, low first; of dynamic rules only */
	uint8_t status;           /**< enum ecs_flow_status */
	uint8_t bearer;           /**< the bearer that it is bound to; 0: that of its QoS */
	struct ecs_qos qos;
	uint32_t content_id, rating_group, service_id; /**< 0: none */
	struct ecs_sdfs filters;
};

/** Which members of a spec a change is about. */
#define ECS_DYN_PRECEDENCE 0x01u
#define ECS_DYN_STATUS     0x02u
#define ECS_DYN_BEARER     0x04u
#define ECS_DYN_QOS        0x08u /**< all of it */
#define ECS_DYN_CHARGING   0x10u /**< content-id, rating group, service identifier */
#define ECS_DYN_FILTERS    0x20u
#define ECS_DYN_ALL        0x3fu

struct ecs_dynrule {
	struct srp_ckpt_obj ckpt;    /**< kind DYNAMIC_RULE_INFO, 43; DYNAMIC_RULE_DEL_INFO 178 */
	struct srp_list in_session;  /**< ecs_session.dynrules, by precedence */
	struct ecs_session *session;
	uint64_t key;                /**< of its name: on the wire */
	uint64_t rule_digest, action_digest; /**< of filters, of charging */
	uint16_t ref;                /**< of a dynamic rule; ECS_REF_NONE: not looked up yet */
	uint16_t line;               /**< of a predefined one; ECS_LINE_NONE: there is none here */
	struct ecs_qos line_qos;     /**< of its charging-action */
	/** Its `tft packet-filter` lines that there are: more of the TFT of the bearer it is bound to. */
	const struct ecs_packet_filter *tft[ECS_TFT_MAX];
	uint8_t ntft;
	struct ecs_dyn_spec spec;
};

/** Counters of dynamic rules by name, in the task's slab. */
#define ECS_DYN_STATS_MAX 256u
struct ecs_dyn_stats {
	char name[ECS_NAME_MAX + 1]; /**< empty: free. The last is that of all for whom there is no room */
	struct ecs_rule_stats st;
};

/* --- the session interface: one, for several fronts ------------------------------------------- */

/**
 * Installs a dynamic rule or activates a predefined one, on the active. Flows that were recovered
 * keep their rule; others are matched anew by it at once, but for those that an analyzer decided.
 * @return 0; SRP_EROLE, SRP_ENOSESS, SRP_EDUP (there is one of that name), SRP_EFULL,
 *         SRP_EINVAL (name, no filters), SRP_ERANGE (precedence, status, bearer, QoS, ids),
 *         SRP_ENORULE (predefined: the rulebase has no such line to activate), SRP_ENOENT (no such
 *         bearer), SRP_ENOMEM
 */
int ecs_rule_install(struct ecs_engine *e, uint32_t callid, const struct ecs_dyn_spec *spec,
                     struct srp_time now);
/** Changes the members @p what (ECS_DYN_*) of an installed rule to those of @p spec; its flows stay
 *  with it while its filters mean them. SRP_ENOENT: there is no such rule. Else as above. */
int ecs_rule_modify(struct ecs_engine *e, uint32_t callid, const struct ecs_dyn_spec *spec,
                    unsigned what, struct srp_time now);
/** Removes or deactivates a rule. The checkpoints of its flows are deleted, and the flows go on by
 *  L3/L4 lines. SRP_ENOENT: there is none. */
int ecs_rule_remove(struct ecs_engine *e, uint32_t callid, const char *name, struct srp_time now);

/** What a bearer is to be. */
struct ecs_bearer_spec {
	uint8_t id;
	struct ecs_qos qos;
	bool has_tft;
	struct ecs_sdfs tft;
};
/**
 * Makes a dedicated bearer (EPS bearer identity 6 to 15) of a call; ecs_bearer_update() changes one.
 * @return 0; SRP_EROLE, SRP_ENOSESS, SRP_ERANGE (identity, QoS), SRP_EDUP (it is there), SRP_ENOMEM
 */
int ecs_bearer_make(struct ecs_engine *e, uint32_t callid, const struct ecs_bearer_spec *spec,
                    struct srp_time now);
#define ECS_BEARER_QCI  0x1u
#define ECS_BEARER_ARP  0x2u
#define ECS_BEARER_UP   0x4u /**< the MBR of a direction */
#define ECS_BEARER_DOWN 0x8u
#define ECS_BEARER_TFT  0x10u
/** Changes @p what of a bearer, the default one as well (but for a TFT). SRP_ENOENT: no such
 *  bearer. */
int ecs_bearer_update(struct ecs_engine *e, uint32_t callid, const struct ecs_bearer_spec *spec,
                      unsigned what, struct srp_time now);
/** Radio access technology of a call: a handoff. Where it becomes WLAN, flows that a bearer carried
 *  which is gone, or goes with this, are charged by L3/L4 lines of the default bearer from here on,
 *  recovered or not (flow-recovery, Limitations). */
int ecs_session_handoff(struct ecs_engine *e, uint32_t callid, uint8_t rat, struct srp_time now);
/** Marks a call as one whose records are not whole, as a failed audit would; for tests of what
 *  follows. Its control plane settles it (ecs_session_control). On active and standby. */
int ecs_session_unsettle(struct ecs_engine *e, uint32_t callid, struct srp_time now);

/* --- for the data plane and the kinds --------------------------------------------------------- */

/** A rule of a call by its name, or NULL. */
struct ecs_dynrule *ecs_dyn_find(const struct ecs_session *s, const char *name);
/** The dynamic rule of this ref; NULL: the call has it not, or it is no dynamic rule's. */
struct ecs_dynrule *ecs_dyn_of_ref(struct ecs_engine *e, const struct ecs_session *s, uint16_t ref);
/** The rule of the call that activates this line; NULL: none. */
struct ecs_dynrule *ecs_dyn_of_line(const struct ecs_session *s, uint16_t line);
/** The first dynamic rule by precedence that means a packet; @p tft: the bearer that its TFT gives it,
 *  0 none: uplink it can only match rules of that bearer, or of none. */
struct ecs_dynrule *ecs_dyn_match(const struct ecs_session *s, const struct ecs_flow_key *k,
                                  enum ecs_dir dir, uint8_t tft);
/** The ref of a dynamic rule, made at first use; ECS_REF_NONE without room. */
uint16_t ecs_dyn_ref(struct ecs_engine *e, struct ecs_dynrule *d, struct srp_time now);
/** The bearer that a rule is bound to, by its identity or QoS; 0: it is bound to none. */
uint8_t ecs_dyn_bearer(const struct ecs_session *s, const struct ecs_dynrule *d);
/** False: a line that matches only where it is activated, and is not. */
bool ecs_dyn_line_on(const struct ecs_engine *e, const struct ecs_session *s, uint16_t line);
/** `dynamic-rule order always-first`: dynamic rules come before all lines of the rulebase. */
bool ecs_dyn_first(const struct ecs_engine *e, const struct ecs_session *s);
/** The dedicated bearer whose TFT means a packet, by the precedence of filters; 0: none. To a TFT go
 *  the packet filters of the activated rules that are bound to its bearer. @param tos as for
 *  ecs_filter_means(). */
uint8_t ecs_tft_bearer(const struct ecs_session *s, const struct ecs_flow_key *k, enum ecs_dir dir,
                       int tos);

/** A rule of a call is made and linked, or changed, as a record says; the sink is not told. 0,
 *  SRP_EFULL, SRP_ENOMEM. */
int ecs_dyn_put(struct ecs_engine *e, struct ecs_session *s, const struct ecs_dyn_spec *spec,
                struct ecs_dynrule **out);
/** Unlinks and frees a rule; @p tell is said for it. */
void ecs_dyn_drop(struct ecs_engine *e, struct ecs_dynrule *d, enum ecs_tell tell,
                  struct srp_time now);
/** 0, or why a spec is none. */
int ecs_dyn_check(const struct ecs_dyn_spec *spec);
/** The rules of a call have changed: flows that have lost theirs go on by L3/L4 lines, others are
 *  matched anew. */
void ecs_dyn_rejudge(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/** Its rules, or its rulebase, are others now: predefined rules find their lines. */
void ecs_dyn_resolve(struct ecs_engine *e, struct ecs_session *s);
/** From here on the flow is charged by L3/L4 lines, recovered or not; its checkpoint is deleted. With
 *  @p even_open not set one that has no final verdict yet is matched on as ever. */
void ecs_flow_release(struct ecs_engine *e, struct ecs_flow *f, bool even_open,
                      struct srp_time now);
/** The key of a rule's name. */
uint64_t ecs_dyn_key(const char *name);

extern const struct srp_ckpt_kind ecs_kind_dynrule; /**< 43 / 178 */
extern const struct srp_ckpt_kind ecs_kind_qos;     /**< 193 / 213 */

#endif
