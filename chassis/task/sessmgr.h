/* sessmgr: private to the files of the session manager task. One instance's engine, its replica at the
 * peer, its TUN queues. */
#ifndef CHASSIS_TASK_SESSMGR_H
#define CHASSIS_TASK_SESSMGR_H

#include <ev.h>

#include "chassis/io/tun.h"
#include "chassis/task/beats.h"
#include "chassis/task/peer.h"
#include "chassis/task/switch.h"
#include "chassis/task/task.h"
#include "recovery/replica.h"

struct sessmgr {
	struct chassis_task_ctx *ctx;
	struct ecs_engine *engine;
	struct recovery_sink sink;
	struct recovery_replica *gr;
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
};

/* Time that a step of either may take of each tick. */
#define SESSMGR_STEP_US SRP_MS(5)

/* sess_tun.c: packets. */
int sessmgr_tun_start(struct sessmgr *s);
void sessmgr_tun_reading(struct sessmgr *s, bool on);
/** A packet that demuxmgr handed on: [dir, vnet, packet]. */
int sessmgr_foreign(struct sessmgr *s, struct srp_mp_r *r);

/* sess_link.c: the replica at the peer. */
int sessmgr_link_start(struct sessmgr *s);
void sessmgr_link_kick(struct sessmgr *s);
/** Tells the replica role, term and completeness as they are now. */
void sessmgr_link_role(struct sessmgr *s);
/** Checks whether a step of a switchover is done, and answers it. */
void sessmgr_steps(struct sessmgr *s);
void sessmgr_step(struct sessmgr *s, enum chassis_step step);

/* sess_query.c: what sct asks. */
int sessmgr_query(struct sessmgr *s, struct srp_mp_r *r);
int sessmgr_command(struct sessmgr *s, struct srp_mp_r *r);
/** Goes on with clearing the flows of all sessions, where that is under way. */
void sessmgr_clear_some(struct sessmgr *s);

/* sess_news.c: what demuxmgr must know. */
extern const struct ecs_engine_ops sessmgr_engine_ops;
int sessmgr_news_start(struct sessmgr *s);
void sessmgr_news_flush(struct sessmgr *s);
void sessmgr_news_walk(struct sessmgr *s);

/* sessmgr.c */
void sessmgr_publish(struct sessmgr *s);
void sessmgr_tell_vpnmgr(struct sessmgr *s);
void sessmgr_set_complete(struct sessmgr *s, enum chassis_complete c);

#endif
