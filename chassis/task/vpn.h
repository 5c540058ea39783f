/* vpn: private to the files of vpnmgr: the control link, the role, who owns the service addresses. */
#ifndef CHASSIS_TASK_VPN_H
#define CHASSIS_TASK_VPN_H

#include <ev.h>

#include "chassis/task/beats.h"
#include "chassis/task/peer.h"
#include "chassis/task/switch.h"
#include "chassis/task/vpn_net.h"
#include "recovery/replica.h"
#include "srp/hello.h"
#include "srp/link_machine.h"
#include "srp/role_machine.h"

#define VPN_LOSSES 32 /* switchovers remembered for `show srp call-loss statistics` */

/** One switchover, as far as this chassis can know of it (R24). */
struct vpn_loss {
	uint32_t number;
	bool planned;
	enum srp_switch_reason reason;
	uint64_t start_wall_ms, duration_us;
	uint64_t sessions_before, sessions_after, flows_before, flows_after;
	uint64_t objects_at_most, record_bytes_at_most; /* not acknowledged when last heard of */
	uint64_t octets_at_most; /* of traffic, with what may have come to it since then */
	uint64_t octets_per_s;   /* at which that was counted */
	uint64_t figure_age_ms;  /* UINT32_MAX: nothing was ever heard */
	uint32_t term;
};

/* A step of a planned switchover that the instances are asked for. */
struct vpn_step {
	bool running;
	enum chassis_step step;
	bool waits[CHASSIS_SESSMGRS_MAX + 1];
};

/** What waits for an audit: commands, by enum. */
enum vpn_asked { VPN_ASKED_SWITCHOVER, VPN_ASKED_VALIDATE, VPN_ASKED_STOP, VPN_ASKED__N };

struct vpnmgr {
	struct chassis_task_ctx *ctx;
	const struct chassis_config *conf;
	struct vpn_net *net;
	struct chassis_peer *peer;
	struct chassis_beats *beats;
	struct srp_conn_machine conn;
	struct srp_role_machine role;
	struct srp_candidate told;   /* ourselves, as in the last hello sent */
	struct srp_hello hello;      /* the peer's last */
	bool hello_known;            /* on this connection */
	bool ended;                  /* the last connection was ended by the peer, and there is no other yet */
	struct srp_time control_rx;  /* last frame on it */
	struct srp_silence silence;
	struct srp_time stale_at;    /* when our own loop was last found to have stood still */
	bool suspect;                /* the predecessor's had, perhaps with the whole chassis */
	ev_timer hello_timer, dead_timer, phase_timer, take_timer, relay_timer, conn_timer;
	struct vpn_step step;
	bool lost[CHASSIS_SESSMGRS_MAX + 1]; /* died; its slab is not true until its successor is filled */
	uint32_t flush_ms;           /* the operator's timeout */
	bool force;
	uint32_t oper_id;            /* sct's request that waits for the switchover; 0 none */
	uint32_t validate_id;        /* ... for a validation */
	uint32_t asked[VPN_ASKED__N]; /* sct's requests that wait for an audit to find both sides equal; 0 none.
	                                 Of STOP: 1, and nobody is answered */
	uint32_t asked_timeout_s;
	struct srp_time audit_since;
	struct srp_time stop_by; /* an orderly end waits no longer than that */
	ev_timer audit_timer;
	uint32_t check_id;           /* of the CONFIG_CHECK under way */
	bool stopping;
	struct srp_time switch_start;
	enum srp_switch_reason taking; /* of the take-over that is not active yet */
	uint64_t flows_seen, sessions_seen; /* at the start of a switchover */
	uint64_t relay_ms;           /* goes with the next ROLE; 0 none */
	char config_error[96];
	uint64_t config_event_wall, hello_wall;
	char validate_status[96];
	struct srp_time validate_at;
	struct vpn_loss loss[VPN_LOSSES];
	uint32_t nlosses;
	struct srp_backlog backlog; /* of the peer, from its hellos and beats */
};

static inline unsigned vpn_instances(const struct vpnmgr *v)
{
	return (unsigned)v->ctx->shared->nsessmgr;
}

static inline const struct chassis_slab *vpn_instance_slab(const struct vpnmgr *v, unsigned i)
{
	return v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)];
}

/* vpnmgr.c */
bool vpn_peer_holds(const struct vpnmgr *v, unsigned instance);

/* vpn_link.c: the control connection. */
int vpn_link_start(struct vpnmgr *v);
/** Feeds the link machine. */
void vpn_link_event(struct vpnmgr *v, enum srp_conn_event ev);
/** Closes a connection that cannot go on. */
void vpn_link_refuse(struct vpnmgr *v, int status, const char *text);
int vpn_send(struct vpnmgr *v, uint8_t type, const uint8_t *body, int len);
/** Looks whether every instance is level, and tells the link machine. */
void vpn_link_level(struct vpnmgr *v);
/** The peer chassis is gone when the control connection and those of all instances have ended: each of
 *  them alone says nothing but that it has. To be called when one of them has. */
void vpn_gone_check(struct vpnmgr *v);
/** Ends a connection on which nothing came for a long time: the peer's vpnmgr may have a successor, and
 *  its supervisor holds the old stream open. @p every: seconds between hellos. */
void vpn_link_watch(struct vpnmgr *v, double every);

/* vpn_hello.c */
void vpn_hello(struct vpnmgr *v);
int vpn_hello_rx(struct vpnmgr *v, const uint8_t *body, size_t len);
/** Notes whether the peer's last hello told of an equal configuration. */
void vpn_config_note(struct vpnmgr *v);

/* vpn_message.c */
/** Does what a message says; SRP_ETYPE: there is none of that type. SRP_EPEER: it was the last. */
int vpn_message(struct vpnmgr *v, uint8_t type, const uint8_t *body, size_t len);
/** @return SRP_ENOENT while the peer is not connected */
int vpn_config_check(struct vpnmgr *v);

/* vpn_role.c: events and timers. */
void vpn_event(struct vpnmgr *v, enum srp_role_event ev, enum srp_switch_reason reason);
/** The same for a message that belongs to one attempt of a planned switchover; SRP_ESTALE: to another. */
int vpn_event_rx(struct vpnmgr *v, enum srp_role_event ev, uint32_t id, enum srp_switch_reason reason);
void vpn_role_start(struct vpnmgr *v);
/** A sign of life of the peer was heard: plans the next look at the dead timer. */
void vpn_dead_rearm(struct vpnmgr *v);

/* vpn_act.c: what actions do. */
void vpn_act(struct vpnmgr *v, const struct srp_role_step *st);
void vpn_tell_role(struct vpnmgr *v);
/** Asks every instance for an audit with its peer. */
void vpn_audit(struct vpnmgr *v);
/** The answer of an instance to a step. */
void vpn_switched(struct vpnmgr *v, unsigned instance, enum chassis_step step, int status,
                  const char *text);
/** An instance is gone while it was asked for a step. */
void vpn_step_lost(struct vpnmgr *v, unsigned instance);
/** TAKE waits until the instances have read what the peer delivered. */
void vpn_take_check(struct vpnmgr *v);
/** Packets that still come here are not handed on any more. */
void vpn_relay_off(struct vpnmgr *v);

/* vpn_state.c: terms. */
void vpn_state_load(struct vpnmgr *v);
void vpn_term_seen(struct vpnmgr *v, uint32_t number);
/** Takes the next term; it is in the slab afterwards. */
void vpn_term_take(struct vpnmgr *v);

/* vpnmgr.c */
/** An orderly end goes on: the role is given to the peer first if that is @p ready. */
void vpn_leave(struct vpnmgr *v, bool ready);

/* vpn_oper.c: what the operator asks. */
int vpn_query(struct vpnmgr *v, struct srp_mp_r *r);
int vpn_command(struct vpnmgr *v, struct srp_mp_r *r);
void vpn_reply(struct vpnmgr *v, uint32_t *id, int status, const char *text);
/** Whether a planned switchover may begin; else @p why says what is missing. */
bool vpn_ready(const struct vpnmgr *v, char *why, size_t cap);
/** Where nothing but a recent audit is missing, one is made, and what was asked waits for it. */
bool vpn_audit_first(struct vpnmgr *v, enum vpn_asked what, uint32_t id);
void vpn_loss_begin(struct vpnmgr *v);
void vpn_loss_end(struct vpnmgr *v, bool planned, enum srp_switch_reason reason);

#endif
