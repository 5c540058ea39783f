/* engine: one instance's sessions and flows; a packet in, a verdict out. Sans I/O.
 *
 * The way of a packet: parse -> session by the subscriber's address -> flow -> analyzers while they
 * have something to say -> match -> charge -> verdict. */
#ifndef ECS_ENGINE_H
#define ECS_ENGINE_H

#include "ecs/call_debug.h"
#include "ecs/session.h"

struct ecs_engine;
struct ecs_crypto;
struct ecs_kpi;
struct ecs_record;
struct ecs_edr_env;

/** What becomes of a packet. */
enum ecs_verdict {
	ECS_FORWARD,
	ECS_DROP,        /**< counted with its reason */
	ECS_NO_SESSION   /**< unknown subscriber: the caller asks demuxmgr, or drops and counts */
};

/** A packet that is to be forwarded: what actions say of it is done in place. */
struct ecs_raw {
	uint8_t *ip;       /**< from the IP header on; @p room bytes may be written */
	size_t len, room;
	uint16_t gso_size; /**< payload bytes of each segment of a super-packet, 0 for a plain packet */
	uint8_t own[12];   /**< the caller's: kept where the packet is held */
	bool partial;      /**< its transport checksum is that of the pseudo header alone; whoever sends
	                        it completes it */
	/* what becomes of it */
	bool confirm;      /**< it leaves only when what the sink was told until now (of kinds that are
	                        prompt) is with the peer, if there is one */
	bool remade;       /**< gso_size and partial are others now: l4 and hdr_len go with them */
	size_t l4, hdr_len;
	const struct ecs_addr *nexthop; /**< where it is sent instead of by the routes; NULL: nowhere
	                                     else; good until the next call */
};

struct ecs_rater;

/** A question for a rating server: an HTTP request. Borrowed; user_agent may be NULL. */
struct ecs_rate_ask {
	uint64_t id;
	const struct ecs_rater *group;
	const char *method, *host, *uri, *user_agent;
	const struct ecs_addr *subscriber;
	const char *imsi;
};

enum ecs_rated { ECS_RATED_ALLOW, ECS_RATED_DENY, ECS_RATED_FAILED };

/** Its answer. */
struct ecs_rating {
	enum ecs_rated said;
	const char *categories; /**< of ALLOW: names with commas between, @ref len characters; NULL: none */
	size_t len;
	const char *url;        /**< of DENY: where to redirect to, at most ECS_URL_MAX characters that may
	                             stand in a header field; NULL: nowhere */
};

/** Counters of an engine: one row each in ecs/counters.def. */
#include "stats/stats.h"
#define ECS_COUNTER STATS_FIELD
struct ecs_counters {
#include "ecs/counters.def"
};
#undef ECS_COUNTER
extern const struct stats_desc ecs_counter_desc[];
extern const size_t ecs_counter_count;

/** Tells the owner what others must know. None may re-enter the engine. */
struct ecs_engine_ops {
	/** A session is there (created, or applied from a checkpoint), or is gone. */
	void (*session_up)(void *owner, const struct ecs_session *s);
	void (*session_down)(void *owner, const struct ecs_session *s, enum ecs_session_end why);
	/** A flow is about to be freed; its session, rule, times and counts are still there. */
	void (*flow_down)(void *owner, const struct ecs_flow *f);
	/** A packet that the engine made itself (a redirect's answer, a reset) goes out: @p dir
	 *  DOWNLINK to the subscriber, UPLINK to the server. Whole, with its checksums; borrowed. At
	 *  most two for each packet that came in. NULL: there is nowhere to send to. */
	void (*send)(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir);
	/** Asks a rating server. 0: ecs_engine_rated() will be called, later; else it will not. NULL:
	 *  there is nobody to ask. */
	int (*rate)(void *owner, const struct ecs_rate_ask *q);
	/** A packet that was held is forwarded, as after ecs_engine_forward(). */
	void (*release)(void *owner, struct ecs_raw *r, enum ecs_dir dir);
	/** A record was made (tally.h). False: it could not be taken, and is lost. @p place, where the peer
	 *  is to hold a copy until it is in a file: where it waits, a number that rises; else it is left
	 *  (record_copy.h). NULL: none are made. */
	bool (*record)(void *owner, const struct ecs_record *r, uint64_t *place);
	/** Whether the last record of a flow (0: of the session) was made by a predecessor of this
	 *  process. Asked at the end of what was recovered. NULL: there was none. */
	bool (*recorded)(void *owner, uint32_t callid, uint32_t flow_id);
};

struct ecs_engine_config {
	const struct ecs_service *service;      /**< committed; kept */
	struct srp_ckpt_sink *sink;             /**< NULL: nothing is replicated */
	const struct ecs_engine_ops *ops;       /**< NULL: nobody listens */
	void *owner;
	struct ecs_counters *counters;          /**< in the task's slab */
	struct ecs_rule_stats *rule_stats;      /**< [ECS_STATS_MAX], in the task's slab */
	struct ecs_dyn_stats *dyn_stats;        /**< [ECS_DYN_STATS_MAX], there; NULL: the engine's own */
	struct ecs_limit_stats *limit_stats;    /**< [ECS_LIMIT_STATS_MAX], there; likewise */
	struct ecs_acted_stats *acted_stats;    /**< [ECS_ACTED_MAX], there (acted.h); likewise */
	struct ecs_kpi *kpi;                    /**< [ECS_KPI_MAX], there (kpi.h); NULL: none is kept */
	struct ecs_owed *owed;                  /**< there (usage.h); NULL: the engine's own */
	uint64_t seed;                          /**< of the hash tables */
	uint8_t chassis_bit;                    /**< 0 or 1: in call-ids, flow ids, volumes */
	uint8_t instance;
	uint32_t checkpoint_duration; /**< seconds of age before a session is checkpointed */
	uint32_t pending_timeout;               /**< seconds, 60 */
	size_t sessions_expected, flows_expected;
	void *ledger;      /**< region for volumes beyond the process (ledger.h); NULL: none */
	size_t ledger_len; /**< bytes of it, at least ECS_LEDGER_MIN; aligned to 64 */
	bool ledger_fresh; /**< it is all zero: no predecessor has left anything in it */
	uint32_t *handling; /**< the call-id of each packet's session is noted here; NULL: nowhere */
	uint8_t hops; /**< by which the TTL of packets is less than on their link */
	const struct ecs_crypto *crypto; /**< ecs/quic.h; NULL: QUIC is not read */
};

struct ecs_engine *ecs_engine_new(const struct ecs_engine_config *conf, struct srp_time now);
void ecs_engine_free(struct ecs_engine *e);

/**
 * Memory for so many sessions (with what one commonly has: bearers, three volumes) and flows, each
 * page of it touched, and tables that need not grow up to there. What analyzers need of memory at
 * their first use is made as well. Before or while the engine holds sessions; a second call adds
 * what is missing.
 * @return 0, or SRP_ENOMEM: what was got until then stays
 */
int ecs_engine_reserve(struct ecs_engine *e, size_t sessions, size_t flows);
/** Bytes that were touched by ecs_engine_reserve(). */
size_t ecs_engine_reserved(const struct ecs_engine *e);

/** Who a warmed engine becomes. */
struct ecs_engine_identity {
	uint8_t instance;
	struct ecs_counters *counters;     /**< in the slab that is the task's from now on */
	struct ecs_rule_stats *rule_stats; /**< likewise */
	struct ecs_dyn_stats *dyn_stats;   /**< likewise; NULL: as it was */
	struct ecs_limit_stats *limit_stats; /**< likewise; NULL: as it was */
	struct ecs_acted_stats *acted_stats; /**< likewise; NULL: as it was */
	struct ecs_kpi *kpi;               /**< likewise */
	struct ecs_owed *owed;             /**< likewise; NULL: the engine's own */
	uint32_t *handling;                /**< as in struct ecs_engine_config, like what follows */
	void *ledger;
	size_t ledger_len;
	bool ledger_fresh;
};

/**
 * Takes an identity over, in O(1): its memory stays warm.
 * @return 0; SRP_ESTATE: it is active or holds a session; SRP_ENOMEM: the ledger could not be
 *         opened, the rest is done and volumes are kept on the heap
 */
int ecs_engine_assume(struct ecs_engine *e, const struct ecs_engine_identity *id);

/**
 * Active: timers run, packets are charged. Standby: the wheel stands still. Taking over marks flows
 * and sessions recovered without a walk (by generation) and starts the wheel: O(1).
 */
void ecs_engine_active(struct ecs_engine *e, bool active, struct srp_time now);
/**
 * While it is on, only packets of flows that are there are dealt with. All others, of known subscribers
 * too, are answered with ECS_NO_SESSION, and change and count nothing: their flows may be on their way
 * here, and one that began anew would be charged by another rule, and keep the right one out.
 */
void ecs_engine_known_only(struct ecs_engine *e, bool on);

/** What records say that the engine cannot know: the time of day. Told at the start, and when it may have
 *  changed. */
void ecs_engine_env(struct ecs_engine *e, const struct ecs_edr_env *env);
/** The second of the week, since Sunday 0:00 by local time, of lines with a timedef: told at the start,
 *  before the first packet, and each second. */
void ecs_engine_time(struct ecs_engine *e, uint32_t week_s);
/**
 * The role was given to the peer in order, which goes on with the flows: EDRs are made of what was
 * counted here (`flow end-condition hagr`), by ecs_engine_tick(). After ecs_engine_active(false).
 */
void ecs_engine_handed_over(struct ecs_engine *e);
/**
 * Takes the memory that the change to @p svc will need: ecs_engine_reconfigure() to it cannot fail then.
 * NULL: the change will not come.
 * @return 0 or SRP_ENOMEM
 */
int ecs_engine_prepare(struct ecs_engine *e, const struct ecs_service *svc);
/** As in struct ecs_engine_config, for sessions and transactions from here on. */
void ecs_engine_tune(struct ecs_engine *e, uint32_t checkpoint_duration, uint32_t pending_timeout);
/**
 * A new service was committed: from here on it is matched by it; the old one may be freed after.
 * Sessions and rules find their names in it again; recovered flows keep their verdict while their rule is
 * bound (equal digests), others are matched anew where their rulebase says something else: by L3/L4 lines
 * and the rule of L7 that they were found to mean. Per-rule counters move with their rule names. Every
 * session is visited.
 *
 * @return 0 or SRP_ENOMEM: then nothing has changed
 */
int ecs_engine_reconfigure(struct ecs_engine *e, const struct ecs_service *svc,
                           struct srp_time now);

/**
 * One packet, as read from the device of its direction, judged and charged: actions that would
 * change it do not.
 *
 * @param gso_size  payload bytes of each segment of a super-packet, 0 for a plain packet: it is
 *                  charged as its segments
 */
enum ecs_verdict ecs_engine_packet(struct ecs_engine *e, const uint8_t *pkt, size_t len,
                                   enum ecs_dir dir, uint16_t gso_size, struct srp_time now);
/** The same for a packet that is to be forwarded: actions that change packets act. What @p r says of
 *  the packet is zeroed but for ip, len, room, gso_size and partial. */
enum ecs_verdict ecs_engine_forward(struct ecs_engine *e, struct ecs_raw *r, enum ecs_dir dir,
                                    struct srp_time now);

/** The answer to a question of ecs_engine_ops.rate. Its flow goes on, if it is still there. */
void ecs_engine_rated(struct ecs_engine *e, uint64_t id, const struct ecs_rating *r,
                      struct srp_time now);
size_t ecs_engine_holds(const struct ecs_engine *e); /**< flows that wait for one */

/** Runs timers, usage turns and pending timeouts, at most @p budget steps; true: call again. */
bool ecs_engine_tick(struct ecs_engine *e, struct srp_time now, size_t budget);

/** Makes everything that is held back by age or delay ready for a planned switchover's flush. */
void ecs_engine_flush(struct ecs_engine *e, struct srp_time now);
/** The same again when no packet is read any more; and what was held of handshakes, to be charged by
 *  the verdict to come, is charged by the rule that its flow has: the next verdict is the peer's. */
void ecs_engine_freeze(struct ecs_engine *e, struct srp_time now);

/* --- sessions: one interface, several fronts -------------------------------------------------- */

/** @return 0; SRP_EDUP (call-id or address held), SRP_ENORULE (no such rulebase), SRP_EINVAL,
 *          SRP_ENOMEM. @p spec.callid must be set. */
int ecs_session_create(struct ecs_engine *e, const struct ecs_session_spec *spec,
                       struct srp_time now, struct ecs_session **out);
int ecs_session_delete(struct ecs_engine *e, uint32_t callid, enum ecs_session_end why,
                       struct srp_time now);
/** Begins and ends a control transaction (handoff): sets and clears ECS_PENDING_HANDOFF. */
int ecs_session_control(struct ecs_engine *e, uint32_t callid, bool begin, struct srp_time now);
/**
 * Makes a dedicated bearer (EPS bearer identity 6 to 15) of a call, and checkpoints it.
 * @return 0; SRP_EROLE (not active), SRP_ENOSESS, SRP_ERANGE (the identity, or a QCI of 0),
 *         SRP_EDUP (the call has it), SRP_ENOMEM
 */
int ecs_bearer_create(struct ecs_engine *e, uint32_t callid, uint8_t ebi, uint8_t qci, uint8_t arp,
                      struct srp_time now);
/** Ends a dedicated bearer; SRP_ENOENT where there is none, SRP_ERANGE for the default bearer, else
 *  as above. Its volumes stay with the call. */
int ecs_bearer_delete(struct ecs_engine *e, uint32_t callid, uint8_t ebi, struct srp_time now);
struct ecs_session *ecs_session_find(struct ecs_engine *e, uint32_t callid);
struct ecs_session *ecs_session_by_addr(struct ecs_engine *e, const struct ecs_addr *a);
/** Ends flows of a session, or of all with callid 0; returns how many. */
size_t ecs_flows_clear(struct ecs_engine *e, uint32_t callid, struct srp_time now);

/** The next session after @p callid in a stable order (0: the first), NULL at the end. For
 *  shows. */
struct ecs_session *ecs_session_next(struct ecs_engine *e, uint32_t callid);

size_t ecs_engine_sessions(const struct ecs_engine *e);
size_t ecs_engine_flows(const struct ecs_engine *e);
size_t ecs_engine_recoverable(const struct ecs_engine *e); /**< flows with a checkpoint slot */
size_t ecs_engine_redirects(const struct ecs_engine *e); /**< entries, of ECS_REDIRECTS_MAX */
struct ecs_ruleref_table *ecs_engine_refs(struct ecs_engine *e);
const struct ecs_service *ecs_engine_service(const struct ecs_engine *e);
bool ecs_flow_recovered(const struct ecs_engine *e, const struct ecs_flow *f);
/** `Recreated Session`: it was built from checkpoints (the peer's or the mirror's), or it was held
 *  through a time as standby, or this chassis is the standby. `Original Session` is one that was set
 *  up here and has been served here ever since. */
bool ecs_session_recovered(const struct ecs_engine *e, const struct ecs_session *s);
/** What `show subscriber debug-info` says of a call line; constant time. */
void ecs_session_debug(const struct ecs_engine *e, const struct ecs_session *s,
                       struct ecs_session_debug *out, struct srp_time now);

#endif
