/* sessmgr: private to the files of the session manager task. One instance's engine, its replica at the
 * peer, its TUN queues. */
#ifndef CHASSIS_TASK_SESSMGR_H
#define CHASSIS_TASK_SESSMGR_H

#include <ev.h>

#include "chassis/io/icap.h"
#include "chassis/io/tun.h"
#include "chassis/task/beats.h"
#include "chassis/task/peer.h"
#include "chassis/task/sess_held.h"
#include "chassis/task/switch.h"
#include "chassis/task/commands.h"
#include "chassis/task/record_ring.h"
#include "chassis/task/task.h"
#include "recovery/fill.h"
#include "recovery/replica.h"
#include "srp/role_machine.h"

/** Where a session manager that took a dead one's place is with its sessions. */
enum sessmgr_phase {
	SESSMGR_SERVES,
	SESSMGR_WAITS, /**< to hear its role, and what the store holds: reads no packets */
	SESSMGR_FILLS  /**< builds what the store holds, and forwards meanwhile */
};

/** The mirror of the instance at aaamgr, and the recovery from it. */
struct sessmgr_sr {
	struct recovery_replica *replica; /* NULL: session recovery is off, or not begun */
	struct chassis_conn *conn;
	bool go_on;               /* what aaamgr holds is a state that we had: only differences travel */
	bool voided;              /* aaamgr has been told that what it holds is true no more */
	struct srp_time closed;   /* the stream was lost then: not made again at once */
	unsigned turn;            /* of the loop, in which ... */
	size_t left;              /* ... so many bytes may still be encoded */
	ev_timer due, wait;
	/* the recovery */
	enum sessmgr_phase phase;
	bool elsewhere;           /* the peer holds our sessions, too */
	bool store_known;         /* aaamgr has said what it holds, or has had time enough */
	struct srp_time began;
	const char *why;          /* the store cannot be read */
	void *mem;                /* the store, mapped to be read */
	struct recovery_view *view;
	struct recovery_fill *fill;
	ev_prepare step;
	ev_idle awake;            /* keeps the loop from sleeping while step has work */
	bool refill;              /* all that this instance had comes from the peer, its flows too */
	bool walk_due;            /* demuxmgr is told of all when the peer has given what it has */
	bool sweep;               /* volumes that did not come back, or of no rule, are to be counted */
};

struct sessmgr_debug;

struct sessmgr {
	struct chassis_task_ctx *ctx;
	struct ecs_engine *engine;
	struct ecs_service *none; /* where no service is configured */
	struct srp_time audited;  /* the last audit that the clock has begun */
	struct recovery_sink sink;
	struct recovery_replica *gr;
	struct sessmgr_sr sr;
	uint64_t hkey;            /* of both replicas: hashes are computed once */
	struct chassis_peer *peer;
	struct chassis_beats *beats;
	enum srp_role role;
	uint32_t term;
	enum chassis_complete complete;
	bool frozen;              /* the queues are not read */
	bool stale;               /* stood still for a dead interval: waits for vpnmgr's word */
	bool flushing, ending;    /* a step is under way, to be answered */
	bool filled;              /* the source has said that it has sent all it holds */
	char name[24];            /* of the connection, for the log */
	struct srp_time relay_until;
	struct srp_time alive;    /* last run of the alive timer */
	struct srp_time peer_seen; /* the connection was last seen up, or the role was taken */
	uint64_t dead_us;
	ev_io tun[2];             /* by enum ecs_dir: acc, core */
	ev_timer tick, alive_timer, publish;
	ev_timer due;             /* the replica's own time */
	uint8_t *buf;             /* one packet */
	struct sess_held held;    /* packets that came before their session, which is to come */
	struct sess_held confirm; /* packets that leave when the peer knows what they rest on */
	uint64_t unknown_tokens;  /* of the limit of unknown subscribers */
	struct srp_time unknown_at;
	uint8_t *news[2];         /* SESSION_UP, SESSION_DOWN being collected */
	struct srp_mp_w news_w[2];
	uint32_t news_n[2];
	uint32_t walk;            /* call-id up to which demuxmgr was told after its restart */
	bool walking;
	bool walk_first;          /* the walk has not begun to tell */
	bool news_lost;           /* demuxmgr could not take all: it is told everything again */
	struct {                  /* `session delete all`, in steps */
		uint32_t id;      /* of demuxmgr's request */
		uint32_t after;   /* call-id of the last one that was ended */
		bool on;
	} end_all;
	struct {                  /* `clear active-charging flows all`, in steps */
		uint32_t id;      /* of sct's request */
		uint32_t after;
		size_t n;         /* flows ended so far */
		bool on;
	} clear_all;
	struct chassis_icap *icap;   /* rating servers; NULL until the first question */
	struct {                  /* records on their way to cdrmod */
		struct chassis_ring *ring; /* NULL: no files are configured */
		struct srp_time env_at;    /* the engine was told the time of day */
		bool full;                 /* said so */
		bool keys_stale;           /* what was ended before is to be read anew */
		struct srp_time stuck_at;  /* the peer has confirmed nothing since */
		bool taking, peer_lost;    /* the peer's records are dealt with; it was lost */
	} rec;
	struct srp_time times_at;    /* the engine was told the time of the week */
	uint64_t wall_ahead;         /* of the time of day before the time of rows of the trace, us */
	struct sessmgr_debug *debug; /* shows that wait for the other copy of a call; NULL: none yet */
};

/* Time that a step of either may take of each tick. */
#define SESSMGR_STEP_US SRP_MS(5)

/* sess_times.c: the local time of the week, told to the engine each second; @p first: now. */
void sessmgr_times_turn(struct sessmgr *s, struct srp_time now, bool first);

/* sess_tun.c: packets. */
int sessmgr_tun_start(struct sessmgr *s);
/** Looks whether the sessions of packets that wait for them have come. */
void sessmgr_tun_held(struct sessmgr *s);
void sessmgr_tun_reading(struct sessmgr *s, bool on);
/** Lets go the packets that waited for the peer to know what they rest on, where it does. */
void sessmgr_tun_confirmed(struct sessmgr *s);
/** Writes a packet of the engine's own: ecs_engine_ops.send. */
void sessmgr_tun_send(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir);
/** A packet that demuxmgr handed on: [dir, vnet, packet]. */
int sessmgr_foreign(struct sessmgr *s, struct srp_mp_r *r);

/** Writes a packet that the engine had held: ecs_engine_ops.release. */
void sessmgr_tun_release(void *owner, struct ecs_raw *r, enum ecs_dir dir);

/* sess_rate.c: rating servers. */
/** ecs_engine_ops.rate */
int sessmgr_rate(void *owner, const struct ecs_rate_ask *q);
void sessmgr_rate_configure(struct sessmgr *s);
void sessmgr_rate_publish(struct sessmgr *s);

/* sess_link.c: the replica at the peer. */
/** Makes the replica. */
int sessmgr_link_start(struct sessmgr *s);
/** Connects it: not before there is something to compare. */
int sessmgr_link_connect(struct sessmgr *s);
void sessmgr_link_kick(struct sessmgr *s);
/** Tells the replica role, term and completeness as they are now. */
void sessmgr_link_role(struct sessmgr *s);
/** Checks whether a step of a switchover is done, and answers it. */
void sessmgr_steps(struct sessmgr *s);
void sessmgr_step(struct sessmgr *s, enum chassis_step step);

/* sess_sr.c: the replica at aaamgr. */
int sessmgr_sr_start(struct sessmgr *s);
void sessmgr_sr_kick(struct sessmgr *s);
/** Before a packet goes out that has told something of its flow: the mirror has that first. What was written
 *  outlives this process, and else a successor would charge what follows by another rule. */
void sessmgr_sr_commit(struct sessmgr *s);
/** Tells it the role as it is now; without the right to one, aaamgr is told to forget what it holds. */
void sessmgr_sr_role(struct sessmgr *s);
/** Makes the stream to aaamgr, where there should be one and is none. */
void sessmgr_sr_link(struct sessmgr *s);
/** The line to aaamgr is there, or is gone. */
void sessmgr_sr_peer(struct sessmgr *s, bool up);
void sessmgr_sr_publish(struct sessmgr *s);
void sessmgr_sr_stop(struct sessmgr *s);

/* sess_recover.c: from the store of aaamgr, in the place of a dead session manager. */
/** Waits for role and store. */
void sessmgr_recover_start(struct sessmgr *s);
/** Goes on where what was waited for may have come. */
void sessmgr_recover_advance(struct sessmgr *s);
/** Where the store is waited for: says that who should tell of it does not, or is gone. */
void sessmgr_recover_ask(struct sessmgr *s);
/** SR_STORE: [what the store is]. */
int sessmgr_recover_store(struct sessmgr *s, struct srp_mp_r *r);
/** Builds the session of an address, or of a call-id, out of its turn; true: it is there now. */
bool sessmgr_recover_addr(struct sessmgr *s, const struct ecs_addr *a, struct srp_time now);
bool sessmgr_recover_callid(struct sessmgr *s, uint32_t callid, struct srp_time now);
/** Notes in the slab which call is worked on; true where session managers have died of it: it is not
 *  touched again. For a fill and for the replica at the peer. */
bool sessmgr_skip(void *owner, uint64_t session);
/** The instance has all that it will get back: what is missing is counted, in steps. */
void sessmgr_recover_sweep(struct sessmgr *s);

/* sess_query.c: what sct asks. */
int sessmgr_query(struct sessmgr *s, struct srp_mp_r *r);
int sessmgr_command(struct sessmgr *s, struct srp_mp_r *r);
/** Ends the answer to a query or a command. */
void sessmgr_query_done(struct sessmgr *s, uint32_t id, int status, const char *text, uint64_t cursor);
/** Goes on with clearing the flows of all sessions, where that is under way. */
void sessmgr_clear_some(struct sessmgr *s);

/* sess_give.c: what a control plane gives a call. */
#define SESSMGR_FILTERS_SHOWN 240u /**< characters of the filters of one rule or bearer, and of a URL */
/** Runs one of these commands, with its arguments behind the call-id; @p text: why it was refused. */
int sessmgr_give(struct sessmgr *s, enum chassis_command cmd, uint32_t callid, struct srp_mp_r *r,
                 char *text, size_t cap);
/** What its service and its control plane give a session: the end of its row. */
void sessmgr_given_row(struct srp_mp_w *w, const struct ecs_service *svc, const struct ecs_session *c,
                       uint64_t age_s, unsigned instance);
/** Writes a row but for its instance. */
void sessmgr_rule_row(struct srp_mp_w *w, const struct ecs_service *svc, const struct ecs_dynrule *d);
void sessmgr_bearer_row(struct srp_mp_w *w, const struct ecs_engine *e, const struct ecs_bearer *b);
/** A rate limit of a call, @p stats: the slab's, for its name. */
void sessmgr_limit_row(struct srp_mp_w *w, const struct ecs_limit_stats *stats,
                       const struct ecs_limiter *m, struct srp_time now);

/* sess_trace.c: the packet trace. */
/** Runs the command, with its arguments behind the call-id; @p text: why it was refused. */
int sessmgr_trace(struct sessmgr *s, uint32_t callid, struct srp_mp_r *r, char *text, size_t cap);
/** Goes on with what a predecessor was asked for. */
void sessmgr_trace_start(struct sessmgr *s);
/** Writes a row but for its instance. */
void sessmgr_trace_row(struct sessmgr *s, struct srp_mp_w *w, const struct ecs_trace_row *r);

/* sess_debug.c: a call and its other copy. */
/** Answers a query for call lines: of @p callid, else of the next session behind @p cursor with "msid ..."
 *  or "username ..."; at once, or when the other copy is there, or will not be. */
void sessmgr_debug_query(struct sessmgr *s, uint32_t id, uint64_t cursor, uint32_t callid, const char *text);
/** Of struct recovery_ops: of both replicas; of that at the peer; of that at aaamgr. */
size_t sessmgr_debug_question(void *owner, const uint8_t *question, size_t len, uint8_t *answer, size_t cap,
                              struct srp_time now);
void sessmgr_debug_answer_gr(void *owner, uint32_t id, const uint8_t *answer, size_t len,
                             struct srp_time now);
void sessmgr_debug_answer_sr(void *owner, uint32_t id, const uint8_t *answer, size_t len,
                             struct srp_time now);

/* sess_news.c: what demuxmgr must know. */
extern const struct ecs_engine_ops sessmgr_engine_ops;
int sessmgr_news_start(struct sessmgr *s);
void sessmgr_news_flush(struct sessmgr *s);
void sessmgr_news_walk(struct sessmgr *s);

/* rule_slab.c */
/** Says whose the per-rule counters of a slab are. */
void sessmgr_rules_note(struct chassis_slab *slab, const struct ecs_service *svc);
/** Orders them for @p svc, where who had this slab before had another service. */
void sessmgr_rules_align(struct chassis_slab *slab, const struct ecs_service *svc);

/* sess_record.c */
bool sessmgr_record(void *owner, const struct ecs_record *r, uint64_t *place);
bool sessmgr_recorded(void *owner, uint32_t callid, uint32_t flow_id);
/** Opens the queue of the instance; nothing where there are no files of records. */
void sessmgr_records_start(struct sessmgr *s);
/** Lets go what the peer has confirmed, and copies of what is in files; at each tick. */
void sessmgr_records_turn(struct sessmgr *s);
/** The role will be @p role, for this reason: before the engine knows. */
void sessmgr_records_leave(struct sessmgr *s, enum srp_role role, enum srp_switch_reason why,
                           struct srp_time now);
/** The role is another than @p before: copies of a lost peer's records are written. */
void sessmgr_records_take(struct sessmgr *s, enum srp_role before, enum srp_switch_reason why);
/** The process ends: nothing is held any more. */
void sessmgr_records_stop(struct sessmgr *s);

/* sess_role.c: its role, and whether it is complete. */
/** True while this task must hear its role again before it does anything: it has stood still for a dead
 *  interval, and may have been succeeded (R4). Noticed here; the alive timer would have run else. */
bool sessmgr_stood_still(struct sessmgr *s, struct srp_time now);
/** ROLE: [role, term, reason, somebody else holds our state, relay ms]. */
int sessmgr_role_rx(struct sessmgr *s, struct srp_mp_r *r);
void sessmgr_set_complete(struct sessmgr *s, enum chassis_complete c);
/** An active that waits to be filled by a peer that went, or that does not hold more than it: it must not
 *  refuse new sessions for ever. */
void sessmgr_judge(struct sessmgr *s, struct srp_time now);
/** True while the peer is asked for the sessions that this instance had, and is to have again. */
bool sessmgr_pulls(const struct sessmgr *s);
/** While the flows come packets must not begin them anew. */
void sessmgr_known_only(struct sessmgr *s);

/* sess_add.c: what demuxmgr orders. */
/** SESSION_NEW, SESSION_END. */
int sessmgr_add(struct sessmgr *s, struct srp_mp_r *r);
int sessmgr_end(struct sessmgr *s, struct srp_mp_r *r);
/** Ends some of the sessions that `session delete all` found: a hundred thousand at once would stop
 *  packets and beats. */
void sessmgr_end_some(struct sessmgr *s);

/* sessmgr.c */
void sessmgr_publish(struct sessmgr *s);
void sessmgr_tell_vpnmgr(struct sessmgr *s);
/** Makes the replicas, where they are not there yet; 0 or a negative code. */
int sessmgr_replicas(struct sessmgr *s);
/** Serves from now on: with its replicas, which are connected. 0 or a negative code. */
int sessmgr_serve(struct sessmgr *s);

#endif
