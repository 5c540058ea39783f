/* engine_impl: the inside of an engine, for the files of ecs/ only: the data plane (packet path,
 * tables, timers) and the checkpoint kinds, which build and drop the same objects without sending.
 *
 * Who tells the sink: the data plane when something changes on the active; never the functions that
 * kinds use to apply (ecs_session_build, ecs_flow_build, ..._drop with ECS_TELL_NOT). */
#ifndef ECS_ENGINE_IMPL_H
#define ECS_ENGINE_IMPL_H

#include <stddef.h>

#include "ecs/acted.h"
#include "ecs/chain.h"
#include "ecs/edr.h"
#include "ecs/engine.h"
#include "ecs/kpi.h"
#include "ecs/pool.h"
#include "ecs/recoverable.h"
#include "ecs/stream.h"
#include "ecs/trace.h"

#define ECS_WHEEL_TICK_MS 100u
#define ECS_CLP_EVERY_S   10u      /**< at most one UPDATE_CLPSTATS per session in that time, where
                                     no sync-timer is configured */
#define ECS_LINGER_MS     2000u    /**< `tcp 2msl-timeout`, default, and where there is no rulebase */

/** @p member of @p type at @p ptr gives the @p type. */
#define ECS_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* --- lists: heads and nodes are struct srp_list; a zeroed node is on no list ------------------ */

static inline void ecs_list_init(struct srp_list *head)
{
	head->prev = head->next = head;
}

static inline bool ecs_list_empty(const struct srp_list *head)
{
	return head->next == head;
}

static inline bool ecs_list_on(const struct srp_list *n)
{
	return n->next != NULL;
}

static inline void ecs_list_add_tail(struct srp_list *head, struct srp_list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void ecs_list_add_head(struct srp_list *head, struct srp_list *n)
{
	ecs_list_add_tail(head->next, n);
}

/** Takes @p n off its list; nothing happens where it is on none. */
static inline void ecs_list_del(struct srp_list *n)
{
	if (!n->next)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = n->next = NULL;
}

/* --- the engine ------------------------------------------------------------------------------- */

/** Which timer a wheel node is: ecs_wheel_node.what. */
enum ecs_timer {
	ECS_TIMER_FLOW,    /**< ecs_flow.idle: idle, half-open and 2MSL */
	ECS_TIMER_DELAY,   /**< ecs_delay.node: delay of the first checkpoint */
	ECS_TIMER_SESSION, /**< ecs_session.idle */
	ECS_TIMER_READY,   /**< ecs_session.ready: checkpoint session duration */
	ECS_TIMER_REORDER, /**< ecs_analysis.wait: a missing segment */
	ECS_TIMER_PENDING, /**< ecs_session.pend: control-pending timeout */
	ECS_TIMER_SHIFT,   /**< ecs_shift.wait: for its flow */
	ECS_TIMER_SPLICE   /**< ecs_splice.wait: for the other server, or the rest of a header */
};

/** A running delay of a first checkpoint; ecs_flow.delay points at its node. */
struct ecs_delay {
	struct ecs_wheel_node node;
	struct srp_list in_engine;
	struct ecs_flow *flow;
};

struct ecs_frags;
struct ecs_names;
struct ecs_app;
struct ecs_redirects;
struct ecs_holds;
struct ecs_content;
struct ecs_ledger;
struct ecs_trace;

/** What an engine has many of: X(pool, type of its objects). */
#define ECS_POOLS(X)                                                                         \
	X(flow_pool, struct ecs_flow) X(session_pool, struct ecs_session)                    \
	X(usage_pool, struct ecs_usage) X(delay_pool, struct ecs_delay)                      \
	X(analysis_pool, struct ecs_analysis) X(more_pool, struct ecs_call_more)             \
	X(flow_more_pool, struct ecs_flow_more) X(dyn_pool, struct ecs_dynrule)              \
	X(limiter_pool, struct ecs_limiter) X(tally_pool, struct ecs_tally)                  \
	X(splice_pool, struct ecs_splice)

struct ecs_engine {
	struct ecs_engine_config conf;
	struct ecs_matcher *matcher;
	/* what the change to a service will need, taken before it; NULL: nothing */
	const struct ecs_service *next;
	struct ecs_matcher *next_matcher;
	struct ecs_move *next_move;
	struct ecs_ruleref_table *refs;
	struct ecs_kpi_index *kpi;     /**< of ecs_engine_config.kpi */
	struct ecs_dyn_stats *own_dyn; /**< where the owner gives none */
	struct ecs_limit_stats *own_limits; /**< likewise */
	struct ecs_acted_stats *own_acted;  /**< likewise */
	struct ecs_flow_table *flows;
	struct ecs_wheel *wheel;
	struct ecs_frags *frags;
	struct ecs_names *names;       /**< NULL until the first answer */
	struct ecs_redirects *redirects; /**< NULL until the first */
	struct ecs_holds *holds;       /**< NULL until the first */
	struct ecs_content *content;   /**< of the packet at hand; NULL until the first request */
	struct ecs_app *app;           /**< nDPI; NULL until a rulebase asks for it */
	struct ecs_ledger *ledger;     /**< NULL: volumes are on the heap alone */
	struct ecs_trace *trace;       /**< NULL: nothing was ever traced, nor is kept of it */
	struct ecs_chain by_callid, by_v4, by_v6;
	struct ecs_chain usages;       /**< by key */
	struct ecs_chain limiters;     /**< by key */
	struct ecs_chain shifts;       /**< by call-id and id */
	struct ecs_chain aliases;      /**< ecs_flow_more of flows with another server */
	struct srp_list all;           /**< sessions, oldest first */
	struct srp_list changed;       /**< ecs_usage.in_changed: since the last usage turn */
	struct srp_list turning;       /**< the same: of the turn that goes on */
	struct srp_list unfull;        /**< ecs_limiter.in_changed: not full, or not told yet */
	struct srp_list unfull_turning; /**< the same: of the turn that goes on */
	struct srp_list delays;        /**< ecs_delay.in_engine */
	struct srp_list starved; /**< ecs_session.starved: waiting for a slot of the instance */
	struct srp_list unsent;        /**< ecs_session.in_unsent: their turn is to come */
	struct srp_list unsent_soon;   /**< the same: before that of the second, if it can be */
	struct srp_list unsent_turning; /**< the same: of the turn that goes on */
	struct srp_list held;          /**< ecs_analysis.in_held */
	struct srp_list splices;       /**< ecs_splice.in_engine: those that keep packets back */
	size_t splice_bytes;           /**< of such packets */
	size_t nwatched;               /**< connections that may get another server (splice.h) */
	struct srp_list young;         /**< ecs_session.in_young: not ready for recovery yet */
#define X(pool, type) struct ecs_pool pool;
	ECS_POOLS(X)
#undef X
	struct ecs_streams streams;    /**< what flows being analyzed share */
	struct ecs_call_more *nobody;  /**< counted where there is no memory for a session's own */
	uint32_t commits;              /**< services so far: indexes of lines are of one of them */
	size_t nsessions, nanalyses, nmores;
	size_t nurls;                  /**< quotas with a URL */
	const struct ecs_charging_action *rebase; /**< of ECS_ENDS_RULEBASE, while its packet is here */
	struct ecs_session *found;     /**< by call-id, last: records of a session come together */
	uint32_t slots;                /**< flows with a checkpoint slot in this instance */
	uint16_t gen; /**< +1 at each takeover: objects of another gen are recovered */
	uint16_t no_rule;              /**< index of `(no rule)` in rule_stats */
	bool active;
	bool tracing;                  /**< the packets of somebody, into @ref trace */
	bool known_only; /**< flows are on their way here: none begins */
	bool purging; /**< a new standby is dropping flows that were never replicated */
	bool trimming; /**< a new active ends flows beyond its limit of calls */
	uint32_t walk_at; /**< call-id after which either walk goes on */
	struct srp_time active_since;
	struct srp_time next_usage[SRP_REPLICA__N]; /**< of the usage turn */
	struct srp_time next_limits;   /**< of the turn of limiters */
	struct ecs_owed own_owed;      /**< where nobody looks */
	uint64_t gone[2];              /**< owed by sessions that ended within a second, and before */
	struct srp_time next_gone;
	struct srp_time unsent_at;     /**< last turn of flows that are not checkpointed */
	struct srp_time unsent_soon_at; /**< likewise, of what is told sooner */
	bool unsent_then;              /**< what was told before the recovery is not forgotten yet */
	uint32_t unsent_walk;          /**< call-id after which forgetting goes on */
	unsigned usage_turn_of;        /**< bits of enum srp_replica_id: whose turn it was last */
	bool gave;                     /**< the role was given to the peer, in order */
	struct {                       /**< what is in no EDR is being counted (lost.c) */
		bool on, all;
		uint32_t at;           /**< call-id up to which it was */
	} lost;
	struct {                       /**< of records (record_copy.h) */
		struct ecs_chain by_key;
		struct srp_list own, held; /**< own: the oldest first; held: the peer's */
		struct srp_list *open; /**< the first of own that the peer has not answered; own: none */
		size_t bytes, nheld;
	} copies;
	struct {                       /* lines that are not always in force (times.c) */
		uint32_t week_s;       /**< what was told last */
		bool turning;          /**< flows of such lines are being given up to be matched anew */
		uint32_t at;           /**< call-id after which that walk goes on */
	} times;
	struct ecs_edr_env env;
	char *record_text;             /**< of the record that is made; NULL until the first */
	size_t nsaids;                 /**< flows with an ecs_said */
	bool hagr;                     /**< EDRs of the flows that the peer has now are being made */
	uint32_t hagr_at;              /**< call-id after which that walk goes on */
	bool warm;                     /**< ecs_engine_reserve() was called */
	size_t reserved;               /**< bytes it has touched */
};

/** Tells the sink of a change, on the active only. */
static inline void ecs_tell_changed(struct ecs_engine *e, struct srp_ckpt_obj *o,
                                    struct srp_time now)
{
	if (e->active && e->conf.sink)
		e->conf.sink->changed(e->conf.sink, o, now);
}

/** Tells the sink that an object is about to be freed. */
static inline void ecs_tell_deleted(struct ecs_engine *e, struct srp_ckpt_obj *o,
                                    enum ecs_tell tell, struct srp_time now)
{
	if (tell != ECS_TELL_NOT && e->conf.sink)
		e->conf.sink->deleted(e->conf.sink, o, tell == ECS_TELL, now);
}

/** After deleted(): the object lives on and may be told of again, as if it were new. */
static inline void ecs_obj_anew(struct srp_ckpt_obj *o)
{
	for (int i = 0; i < SRP_REPLICA__N; i++)
		o->link[i] = (struct srp_ckpt_link){0};
}

/** Copies of records (record_copy.c); 0 or SRP_ENOMEM. */
int ecs_copies_init(struct ecs_engine *e);
void ecs_copies_fini(struct ecs_engine *e);
/** The peer has answered one of them. */
void ecs_copies_answered(struct ecs_engine *e);

/** The walk over calls some of whose lines have come into force or left it; true: call again. */
bool ecs_times_turn(struct ecs_engine *e, size_t budget);
/** What is final of a call's flows is matched anew with the next packet: by L3/L4 lines, which is all that
 *  can be asked then; a flow keeps what it was found to be of. */
void ecs_session_stale(struct ecs_session *s);

/** What the scheme of a call says of an event: predefined rules are activated. On the active. */
void ecs_trigger(struct ecs_engine *e, struct ecs_session *s, enum ecs_trigger t,
                 struct srp_time now);

/** Makes now what the service's analyzers need at their first use (reserve.c). */
void ecs_engine_warm(struct ecs_engine *e);

/* --- sessions (session.c) --------------------------------------------------------------------- */

/**
 * Makes a session from a spec and links it everywhere; the sink is not told. Objects full, call,
 * clp and the default bearer have their kinds; rulebase and scheme are looked up; ops->session_up
 * is called. While standing by, `recovered` follows at takeover by generation. No timer but the
 * session's idle timeout is armed.
 *
 * @return 0; SRP_EINVAL (no call-id, no address), SRP_EDUP (call-id or address held), SRP_ENOMEM
 */
int ecs_session_build(struct ecs_engine *e, const struct ecs_session_spec *spec,
                      struct srp_time now, struct ecs_session **out);
/**
 * Takes over the fields of @p spec (same call-id) into a session that is there; addresses move.
 * @return 0; SRP_EINVAL, SRP_EDUP (an address is held by another session): nothing has changed
 */
int ecs_session_update(struct ecs_engine *e, struct ecs_session *s,
                       const struct ecs_session_spec *spec, struct srp_time now);
/** Ends a session with its flows, bearers and usages. @p tell is said for `full` (and `call`,
 *  bearers, flows and usages only leave the lists); with ECS_TELL_NOT the children are still told
 *  with ECS_TELL_LISTS, so that no list holds freed memory. */
void ecs_session_drop(struct ecs_engine *e, struct ecs_session *s, enum ecs_session_end why,
                      enum ecs_tell tell, struct srp_time now);
/** Tells the sink of full, call and the bearers in use, in this order. */
void ecs_session_tell(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/** Old enough: sets ready_for_recovery, tells as above, and of usages and flows with a slot. */
void ecs_session_make_ready(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/** Sets (and arms the pending timeout) or clears reasons; tells nobody. On a standby the timeout
 *  stands with the wheel, so it begins at takeover. */
void ecs_session_pending(struct ecs_engine *e, struct ecs_session *s, uint8_t set, uint8_t clear,
                         struct srp_time now);
/** A bearer by id, or NULL; with @p make it is made (kind and session set, not told), NULL if full
 *  or the id is outside 5..15. */
struct ecs_bearer *ecs_session_bearer(struct ecs_session *s, uint8_t id, bool make);

/** Authorises a session anew in the present service: looks up rulebase and scheme. */
void ecs_session_resolve(struct ecs_engine *e, struct ecs_session *s);
/** Its rulebase in a service; negative: none of that name. */
int ecs_session_rulebase(const struct ecs_session *s, const struct ecs_service *svc);
/** Notes a packet: idleness, and now and then UPDATE_CLPSTATS. */
void ecs_session_traffic(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/** The timers of a session have run out. */
void ecs_session_idle(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
void ecs_session_pending_timeout(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);

/* --- sessions by call-id and address (session_table.c) ---------------------------------------- */

/** The indexes of sessions; 0 or SRP_ENOMEM. */
int ecs_sessions_init(struct ecs_engine *e);
/** A session of this call-id will be looked up. */
void ecs_session_expect(const struct ecs_engine *e, uint32_t callid);
/** Whether a walk by ecs_session_next() that has come to @p at (0: it has not begun) is past @p callid. */
bool ecs_session_passed(const struct ecs_engine *e, uint32_t callid, uint32_t at);
/** Whether a session other than @p self (may be NULL) holds an address of @p spec. */
bool ecs_session_held(struct ecs_engine *e, const struct ecs_session_spec *spec,
                      const struct ecs_session *self);
/** Enters a session by its call-id, by its addresses, which nobody holds; and takes it out. */
void ecs_session_link(struct ecs_engine *e, struct ecs_session *s);
void ecs_session_unlink(struct ecs_engine *e, struct ecs_session *s);
void ecs_session_link_addrs(struct ecs_engine *e, struct ecs_session *s);
void ecs_session_unlink_addrs(struct ecs_engine *e, struct ecs_session *s);

/* --- flows (flow_table.c, flow.c) ------------------------------------------------------------- */

/** The flow of a session by its id, through the table's second index; NULL: none. */
struct ecs_flow *ecs_flow_find_id(const struct ecs_flow_table *t, uint32_t callid, uint32_t id);
/** The same, of a session that is at hand. */
struct ecs_flow *ecs_flow_of(const struct ecs_flow_table *t, const struct ecs_session *s,
                             uint32_t id);
/** The flow with this key, whose subscriber's address is one of the session's. */
struct ecs_flow *ecs_flow_held(const struct ecs_flow_table *t, const struct ecs_session *s,
                               const struct ecs_flow_key *k);
/** A flow of this key, of this id, will be inserted. */
void ecs_flow_expect_key(const struct ecs_flow_table *t, const struct ecs_flow_key *k);
/** What @ref ecs_flow_expect_key() asked for is there now: the flow itself is fetched meanwhile. */
void ecs_flow_await_key(const struct ecs_flow_table *t, const struct ecs_flow_key *k);
void ecs_flow_expect(const struct ecs_flow_table *t, uint32_t callid, uint32_t id);
/**
 * Makes a flow and links it in its session and both indexes; the sink is not told, nothing is
 * armed. Counted by neither flows_created nor flows_applied.
 *
 * @param id  0: the next of this session, with our chassis bit
 * @return 0; SRP_EDUP (key or id held), SRP_ENOMEM
 */
int ecs_flow_build(struct ecs_engine *e, struct ecs_session *s, const struct ecs_flow_key *key,
                   uint32_t id, struct srp_time now, struct ecs_flow **out);
/**
 * Unlinks and frees a flow: its analysis, delay, timer and ref count. With ECS_TELL it goes through
 * ecs_recoverable_end() (slot, waiting list, tombstone); else, where it holds a slot, the counts
 * are given back here, and with ECS_TELL_LISTS its object leaves the lists.
 */
void ecs_flow_drop(struct ecs_engine *e, struct ecs_flow *f, enum ecs_tell tell,
                   struct srp_time now);
/** Speaks for a block of flow ids, in ACS_CALL_INFO, before the first of them is used: a chassis
 *  that restarts gives none again of which the peer may know (R12). */
void ecs_flow_reserve(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/** A flow ends on the active: its records are made, then it is dropped, with ECS_TELL. */
void ecs_flow_over(struct ecs_engine *e, struct ecs_flow *f, enum ecs_flow_end why,
                   struct srp_time now);
/** Sets f->ref and moves the count of flows from the old ref to the new one; nothing else. */
void ecs_flow_ref(struct ecs_engine *e, struct ecs_flow *f, uint16_t ref);
/** Sets f->back, whose ref is kept while it is. */
void ecs_flow_back(struct ecs_engine *e, struct ecs_flow *f, uint16_t back);
/** The rule of L7 that a direction was found to mean: the one that it has, else the one that it had. */
uint16_t ecs_flow_means(const struct ecs_engine *e, uint16_t ref, uint16_t known);
/** Its session has another rulebase than the one that its rule is of (rebase.c): a recovered flow keeps its
 *  rule where the rulebase has that too, and loses it else; others are matched anew. */
void ecs_flow_rebased(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** Sets f->known and f->known_back, whose refs are kept while they are. */
void ecs_flow_known(struct ecs_engine *e, struct ecs_flow *f, uint16_t ref, uint16_t back);
/** Takes a slot (CHECKPOINT, s->slots, e->slots), or gives it back; no limit is looked at. */
void ecs_flow_slot(struct ecs_engine *e, struct ecs_flow *f, bool take);
/** Idle timeout by the action of the flow's rule, else by protocol; seconds, 0 none. */
uint32_t ecs_flow_timeout(struct ecs_engine *e, const struct ecs_flow *f);
/** Sets f->idle_timeout by the above, f->last to @p age_ms ago, and arms the idle node for what is
 *  left (at least one tick). For kinds, after ref, flags and tcp_state are set. */
void ecs_flow_arm(struct ecs_engine *e, struct ecs_flow *f, uint64_t age_ms, struct srp_time now);
/** Idle age in milliseconds: since its last packet; where it has seen none since takeover, the age
 *  that was applied plus the time as active. */
uint64_t ecs_flow_idle_ms(const struct ecs_engine *e, const struct ecs_flow *f,
                          struct srp_time now);
/** Starts (or starts anew) the delay of the first checkpoint; ecs_recoverable_delay() is called
 *  when it has run out, f->delay being NULL then. 0 or SRP_ENOMEM. */
int ecs_flow_delay(struct ecs_engine *e, struct ecs_flow *f, uint32_t seconds);
/** Stops a delay; nothing happens where none runs. */
void ecs_flow_undelay(struct ecs_engine *e, struct ecs_flow *f);

/** Both FINs of @p f were seen and one was acknowledged after that: where the rulebase has no 2MSL, the
 *  flow ends. */
void ecs_flow_closed(struct ecs_engine *e, struct ecs_flow *f);
/** The idle timer of @p f has run out: armed again for what is left, or the flow ends. */
void ecs_flow_expire(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** Arms the timer by state and last packet: at a change of state or of the idle timeout. */
void ecs_flow_rearm(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** The rule of @p f has been decided: @p ref, and @p back against its first direction. Sets the
 *  idle timeout; tells ecs_recoverable_rule() when ref is another. */
void ecs_flow_verdict(struct ecs_engine *e, struct ecs_flow *f, uint16_t ref, uint16_t back,
                      struct srp_time now);
/** Charges by the flow's verdict what was held of its handshake. */
void ecs_charge_release(struct ecs_engine *e, struct ecs_flow *f);
/** Ends the analysis of a flow; its application stays with the flow. */
void ecs_flow_unanalyze(struct ecs_engine *e, struct ecs_flow *f);
/** A flow of a former generation is touched for the first time: it is marked recovered. False: it has
 *  been dropped, as it was never replicated, so that the other chassis did not know it; or as it is
 *  beyond the limit of its call. */
bool ecs_flow_adopt(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** True when the peer cannot have it: it has no slot. */
static inline bool ecs_flow_local(const struct ecs_flow *f)
{
	return !(f->flags & ECS_FLOW_F_CHECKPOINT);
}

/* --- volumes (usage.c) ------------------------------------------------------------------------ */

/** The index of volumes; 0 or SRP_ENOMEM. */
int ecs_usages_init(struct ecs_engine *e);

/**
 * Adds to a volume of a session (own slot of this chassis), making the object at first use, and
 * puts it on e->changed. Called up to three times per packet: what was used last is found first.
 *
 * @param bearer  0 for ECS_USAGE_SESSION
 * @param id      RULE: name_hash of the ref, 0 for `(no rule)`; CONTENT: content-id; SESSION: 0
 * @param stats   RULE: index of the local rule name; else 0
 */
void ecs_usage_charge(struct ecs_engine *e, struct ecs_session *s, uint8_t bearer,
                      enum ecs_usage_of of, uint64_t id, uint16_t stats, enum ecs_dir dir,
                      uint64_t pkts, uint64_t bytes, struct srp_time now);
/** Tells the sink of one volume, as it is now. */
void ecs_usage_tell(struct ecs_engine *e, struct ecs_usage *u, struct srp_time now);
/** Tells the sink of every volume that has changed since the last turn. */
void ecs_usage_turn(struct ecs_engine *e, struct srp_time now);
/** The turn of each second, at most @p budget volumes of it; true: call again. */
bool ecs_usage_step(struct ecs_engine *e, struct srp_time now, size_t budget);
/** Whether volumes wait for the turn of this replica (`check-point accounting sync-timer`). */
bool ecs_usage_paced(const struct ecs_engine *e, enum srp_replica_id replica);
/** The volume with this key, or NULL. */
struct ecs_usage *ecs_usage_find(const struct ecs_engine *e, uint32_t callid, uint8_t bearer,
                                 enum ecs_usage_of of, uint64_t id);
/** The same, of a session that is at hand. */
struct ecs_usage *ecs_usage_of(const struct ecs_engine *e, const struct ecs_session *s,
                               uint8_t bearer, enum ecs_usage_of of, uint64_t id);
/** A packet will be charged to volumes of @p s: those charged last are fetched meanwhile. */
void ecs_usages_await(const struct ecs_engine *e, const struct ecs_session *s);
/** A volume of this key will be inserted. */
void ecs_usage_expect(const struct ecs_engine *e, uint32_t callid, uint8_t bearer,
                      enum ecs_usage_of of, uint64_t id);
/** Makes a volume of zero and links it; its key must not be there. NULL without memory. */
struct ecs_usage *ecs_usage_build(struct ecs_engine *e, struct ecs_session *s, uint8_t bearer,
                                  enum ecs_usage_of of, uint64_t id);
/** Writes this chassis' slot to the ledger, if it has a place: it was not charged but set. */
void ecs_usage_keep(struct ecs_engine *e, struct ecs_usage *u);
/** The subscriber's names have changed: the volumes of a session get other places in the ledger. */
void ecs_usage_replace(struct ecs_engine *e, struct ecs_session *s);
/** Frees a usage of e->usage_pool and takes it off both its lists; @p tell as for the others. Its
 *  place in the ledger is killed: the caller prunes. */
void ecs_usage_drop(struct ecs_engine *e, struct ecs_usage *u, enum ecs_tell tell,
                    struct srp_time now);

/* --- what the peer has not acknowledged of volumes (owed.c) ------------------------------------ */

/** Counts in @p owed from now on, NULL: for itself; of what another process owed the ledger knows. */
void ecs_owed_begin(struct ecs_engine *e, struct ecs_owed *owed);
/** The own slot of @p u is what a ledger had. */
void ecs_owed_found(struct ecs_engine *e, const struct ecs_usage *u);
/** The peer has what was told of @p u. */
void ecs_owed_acked(struct ecs_engine *e, const struct ecs_usage *u);
/** So it has, as it came in a record; @p before: the own slot until then. */
void ecs_owed_taken(struct ecs_engine *e, const struct ecs_usage *u, const struct ecs_volume *before);
/** @p u is about to be freed. */
void ecs_owed_ends(struct ecs_engine *e, const struct ecs_usage *u);
/** What ended a while ago is owed no more. */
void ecs_owed_turn(struct ecs_engine *e, struct srp_time now);

/* --- which flows are checkpointed (recoverable.c) --------------------------------------------- */

/** Fires delays of first checkpoints, at most @p budget, for a planned flush; true: call again. */
bool ecs_recoverable_flush(struct ecs_engine *e, struct srp_time now, size_t budget);
/** A session has ended: its slots go to calls that wait for one of the instance. */
void ecs_recoverable_freed(struct ecs_engine *e, struct srp_time now);
/** Whether a flow came with more than the call may have here: the peer's limit was another. */
bool ecs_recoverable_beyond(const struct ecs_engine *e, const struct ecs_flow *f);
/** Judges all flows of a session anew, after a commit: rules that are no longer eligible or gone
 *  give their slots back, flows whose rule is eligible now, or again, ask for one, those whose delay is
 *  over or was taken away are told, and what is beyond a lower limit gives its slot back. */
void ecs_recoverable_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);

/* --- rules (ruleref.c) ------------------------------------------------------------------------ */

/** A new service was committed: binds every ref anew (equal digests), or gives it its reason. */
void ecs_ruleref_rebind(struct ecs_ruleref_table *t, const struct ecs_service *svc);

#endif
