/* session: a call, its bearers, its flows and its volumes. */
#ifndef ECS_SESSION_H
#define ECS_SESSION_H

#include "ecs/call_debug.h"
#include "ecs/dynamic.h"
#include "ecs/flow.h"
#include "ecs/police.h"
#include "ecs/usage.h"

#define ECS_BEARERS_MAX    11
#define ECS_BEARER_DEFAULT 5u  /**< EPS bearer identities, this and up to the last */
#define ECS_BEARER_LAST    15u

/** Why packets of recovered flows are charged by the L3/L4 rule (DESIGN section 6). */
#define ECS_PENDING_HANDOFF    0x01u
#define ECS_PENDING_SWITCHOVER 0x02u

/** How a session ended; the text goes to logs and counters. */
#define ECS_SESSION_ENDS(X)                                                      \
	X(OPERATOR, "operator") X(IDLE, "idle timeout") X(PEER, "deleted by the peer") \
	X(REPLACED, "address taken by another session") X(DIVERGENT, "unknown to the active") \
	X(SHUTDOWN, "shutdown") X(ACTION, "flow action terminate-session")
#define X(sym, text) ECS_END_##sym,
enum ecs_session_end { ECS_SESSION_ENDS(X) ECS_SESSION_END__N };
#undef X

/** As it is written; never NULL. */
const char *ecs_rat_text(uint8_t rat);

struct ecs_bearer {
	struct srp_ckpt_obj ckpt;         /**< kind ACS_SESS_INFO, 33; DEL_ACS_SESS_INFO 187 */
	struct srp_ckpt_obj qos;          /**< kind PGW_UBR_MBR_INFO, 193; of @c update */
	struct ecs_session *session;
	uint8_t id; /**< EPS bearer identity, 5 to 15; 5 is the default bearer */
	uint8_t qci;                      /**< as it was made: see ecs_bearer_qos() */
	uint8_t arp;
	bool used;
	bool updated;                     /**< its QoS was changed since, to @c update */
	uint32_t mbr[2];                  /**< kbit/s by enum ecs_dir, 0 none; as it was made */
	struct ecs_qos update;
	struct ecs_sdfs *tft;          /**< on the heap; NULL: none */
};

/** The QoS of a bearer as it is now. */
static inline struct ecs_qos ecs_bearer_qos(const struct ecs_bearer *b)
{
	if (b->updated)
		return b->update;
	return (struct ecs_qos){.qci = b->qci, .arp = b->arp, .mbr = {b->mbr[0], b->mbr[1]}};
}

/** Identity and addresses of a call: what its control plane gives. */
struct ecs_session_spec {
	uint32_t callid;                  /**< bit 31: chassis that called it; 0: none yet */
	char imsi[16], username[64], apn[64];
	char rulebase[ECS_NAME_MAX + 1];
	bool has4, has6;
	struct ecs_addr v4, v6;           /**< v6: the /64 prefix */
	uint8_t qci, arp;                 /**< of the default bearer */
	uint32_t idle_timeout;            /**< of the session, seconds; 0 none */
};

/** How checkpoints of a call fare on their way to one destination. */
struct ecs_call_figure {
	uint32_t attempts, successes;
	uint32_t seq;       /**< low half of the sequence of what was handed on last */
	uint16_t waiting;   /**< handed on, and no answer yet */
	uint16_t epoch;     /**< of the transport: what waits of another one was lost */
	struct srp_time last_attempt, last_success;
};

struct ecs_call_more;
struct ecs_kin;
struct ecs_unsent;

#define ECS_REDIRECTED_MAX 4u /**< `first-request-only` actions that a session knows of */

struct ecs_session {
	struct srp_ckpt_obj full; /**< Full Checkpoint, 240; its deletion INVALIDATE_CRR, 1 */
	struct srp_ckpt_obj call;         /**< ACS_CALL_INFO, 179; DEL_ACS_CALL_INFO 188 */
	struct srp_ckpt_obj clp;          /**< UPDATE_CLPSTATS, 4 */
	struct ecs_call_figure figure[SRP_REPLICA__N][ECS_CALL_CKPT__N]; /**< next to the key */
	struct ecs_session_spec spec;
	/* what every packet touches, next to the addresses of the spec */
	struct ecs_session *by_v4, *by_v6, *by_callid; /**< hash chains */
	struct srp_list usages;           /**< ecs_usage.in_session */
	uint32_t place;                   /**< in the ledger, of a volume: others are beside it */
	struct srp_time last, created;    /**< last: packet */
	struct srp_time clp_told;         /**< when UPDATE_CLPSTATS was told last */
	struct ecs_needs needs;           /**< of its rulebase */
	int rulebase;                     /**< index in the service, -1 unknown */
	uint8_t pending;                  /**< ECS_PENDING_* */
	uint8_t handshaking;              /**< ECS_HS_* of its rulebase */
	uint8_t records;                  /**< ECS_RECORDS_* of its rulebase */
	bool post_l7;                     /**< its lines of post-processing look at L7 */
	bool content;                     /**< services look at its requests (content.h) */
	uint8_t again;                    /**< what is done to requests of its recovered flows: ECS_AGAIN_* */
	bool tether;                      /**< its flows are looked at for tethering */
	bool ready_for_recovery;          /**< old enough to be checkpointed */
	bool consistent;                  /**< all that its records name resolves here */
	bool original;                    /**< set up here; see ecs_session_recovered() */
	uint16_t gen;                     /**< of the engine, when made or applied: see recovered */
	uint16_t full_gen;                /**< of the engine: that @ref full_then is of */
	bool full_then;                   /**< it was recovered with all the slots that it may have */
	uint8_t l7_eligible;              /**< of its rulebase, by recoverable.c: 0 not asked yet */
	uint32_t stages;                  /**< ECS_STAGE_BIT: needed by each of its packets */
	uint32_t splice_bytes;            /**< kept back of its flows (splice.h) */
	uint16_t redirects;               /**< entries of its redirected flows (redirect.h) */
	bool splices;                     /**< a line of its rulebase has `url-readdress` */
	uint32_t redirected[ECS_REDIRECTED_MAX]; /**< under which `first-request-only` actions a first
	                                       request was redirected, the last of them first; 0: none */
	struct ecs_bearer first;          /**< the default bearer */
	struct ecs_bearer *dedicated;     /**< [ECS_BEARERS_MAX - 1] on the heap; NULL: none ever */
	struct srp_list all;              /**< of the engine */
	struct srp_list in_young;         /**< of the engine, until ready_for_recovery */
	struct srp_list flows;            /**< ecs_flow.in_session */
	struct srp_list waiting;          /**< ecs_flow.waiting, oldest first */
	struct srp_list starved;          /**< of the engine: waits for a slot of the instance */
	struct ecs_wheel_node idle;
	struct ecs_wheel_node ready; /**< checkpoint session duration: age before the first one */
	struct ecs_wheel_node pend;       /**< control-pending timeout */
	uint32_t nflows, slots;           /**< flows; flows with a checkpoint slot */
	uint32_t ntcp;                    /**< flows of TCP */
	uint32_t nlimiters;
	uint32_t nanalyses;               /**< flows that are being analyzed */
	uint32_t nusages;
	uint64_t peer_has;                /**< octets of the own slot of its volume, as acknowledged */
	struct srp_list limiters;         /**< ecs_limiter.in_session: rate limits */
	struct srp_list dynrules;         /**< ecs_dynrule.in_session, by precedence */
	uint64_t *active;                 /**< bits of the lines that are activated; NULL: none */
	uint16_t ndynrules, nfiltered;    /**< of all kinds; that are not predefined */
	uint16_t ntfts;                   /**< bearers that have a TFT */
	uint16_t nrule_tfts;              /**< rules whose charging-action has packet filters */
	uint16_t ndedicated;              /**< dedicated bearers */
	uint8_t rat;                      /**< enum ecs_rat */
	uint32_t next_flow;               /**< counter of flow ids */
	uint32_t flow_ids;                /**< ids up to here are spoken for: what the peer knows */
	int scheme;                       /**< index, -1 none */
	struct srp_time pending_since;
	struct ecs_call_machine machine;
	struct ecs_call_more *more;       /**< counted aside; NULL: nothing was */
	struct ecs_unsent *unsent;        /**< flows that are not checkpointed (unsent.h); NULL: none */
	struct srp_list in_unsent;        /**< of the engine: they may be others */
	uint32_t ndelays;                 /**< flows in the delay of their first checkpoint */
	struct srp_time rebased;          /**< when it changed its rulebase itself; 0: never */
	struct srp_list shifts;           /**< ecs_shift.in_session */
	uint32_t nshifts, nloose;         /**< all; those whose flow is not here */
	struct ecs_kin *kin;              /**< flows that others have set up (parent.h); NULL: none ever */
};

/** Bearer @p i of ECS_BEARERS_MAX places; NULL: there is none at that place. */
static inline struct ecs_bearer *ecs_session_bearer_at(const struct ecs_session *s, size_t i)
{
	struct ecs_bearer *b;

	if (i == 0)
		b = (struct ecs_bearer *)((uintptr_t)s + offsetof(struct ecs_session, first));
	else
		b = s->dedicated ? &s->dedicated[i - 1] : NULL;
	return b && b->used ? b : NULL;
}

extern const struct srp_ckpt_kind ecs_kind_full;   /**< 240 / 1 */
extern const struct srp_ckpt_kind ecs_kind_call;   /**< 179 / 188 */
extern const struct srp_ckpt_kind ecs_kind_bearer; /**< 33 / 187 */
extern const struct srp_ckpt_kind ecs_kind_clp;    /**< 4 */

#endif
