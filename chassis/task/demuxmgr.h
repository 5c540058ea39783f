/* demuxmgr: private to the files of demuxmgr: new sessions are in demux_add.c. */
#ifndef CHASSIS_TASK_DEMUXMGR_H
#define CHASSIS_TASK_DEMUXMGR_H

#include <ev.h>

#include "chassis/io/tun.h"
#include "chassis/task/calls.h"
#include "chassis/task/demux_wait.h"
#include "chassis/task/hash.h"
#include "chassis/task/task.h"

/* A request that a sessmgr has not answered yet. */
struct request {
	uint32_t id;
	uint32_t sct_id;       /* 0: nobody waits (first packet) */
	uint32_t callid;
	unsigned instance;
	unsigned waits_for;    /* answers still to come (deletion of all) */
	bool creates;
	bool in_doubt;         /* its session manager has died: the successor tells whether it was done */
	UT_hash_handle hh;
};

struct demuxmgr {
	struct chassis_task_ctx *ctx;
	struct chassis_calls *calls;
	struct chassis_steer *steer;
	struct request *requests;
	uint32_t next_id;
	enum srp_role role;
	bool told[CHASSIS_SESSMGRS_MAX + 1]; /* the instance has told all its calls */
	bool died[CHASSIS_SESSMGRS_MAX + 1]; /* what its successor does not tell of its calls is lost */
	uint32_t walk[CHASSIS_SESSMGRS_MAX + 1]; /* number of the walk in which it tells them */
	ev_timer aside;
	ev_timer look;       /* at what waits */
	struct demux_wait waiting;
	unsigned aside_left; /* that may be asked for in this turn */
};

/* demuxmgr.c */
/** Answers sct's request @p id; nothing where it is 0. */
void demuxmgr_done(struct demuxmgr *d, uint32_t id, int status, const char *text, uint64_t value);
/** Leads the packets of a call to its instance, or does so no more. */
void demuxmgr_steer(struct demuxmgr *d, const struct chassis_call *call, bool set);
/** NULL: too many, or no memory. */
struct request *demuxmgr_request_new(struct demuxmgr *d);
void demuxmgr_request_free(struct demuxmgr *d, struct request *q);

/* demux_add.c */
void demuxmgr_add_start(struct demuxmgr *d);
/** [imsi, username, apn, v4, v6, rulebase, idle] of sct's request @p id: it is answered, at once or later. */
void demuxmgr_add(struct demuxmgr *d, uint32_t id, struct srp_mp_r *r);
/** Makes a session for a subscriber that nobody knows; its instance, or 0 where none is made. */
unsigned demuxmgr_first_packet(struct demuxmgr *d, const struct ecs_addr *a);

#endif
