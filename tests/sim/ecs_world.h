/* ecs_world: what the simulation of two real engines believes of them: sessions, flows, volumes, and what
 * the peer of the one in service has acknowledged. */
#ifndef TESTS_SIM_ECS_WORLD_H
#define TESTS_SIM_ECS_WORLD_H

#include "tests/sim/ecs_pair.h"

#define CALLS      24
#define FLOWS      160
#define NOTED      8192 /* of one snapshot */

struct call {
	uint32_t callid; /* 0: none */
	uint64_t low, high; /* bytes that must, and may at most, have been counted */
};

struct talk {
	bool used;
	int call;
	uint8_t proto, stage; /* TCP: 0 nothing, 1 SYN, 2 SYN-ACK, 3 ACK, 4 request sent */
	uint16_t sport;
	int host;             /* VIDEO, SLOW, WEB: what its request asks for; DNS */
	int rule;             /* that it has, as counted */
	bool recovered;       /* was acknowledged, and has been taken over */
	bool middle;          /* was not: it is met in mid-stream */
	bool unheard;         /* was so once: its request was never heard where it was known */
};

/* An object that the peer had acknowledged when its source went. */
struct note {
	const struct srp_ckpt_kind *kind;
	struct srp_ckpt_key key;
	uint32_t version, term;
	int rule;       /* flows */
	uint64_t bytes; /* volumes of sessions */
};

struct world {
	struct pair p;
	struct call call[CALLS];
	struct talk talk[FLOWS];
	struct note note[NOTED];
	size_t notes;
	bool told;            /* whether the one that went had said what it owed: */
	uint64_t owed, live[CALLS]; /* that, and the volumes of its sessions */
	uint32_t *dead;  /* call-ids whose deletion was acknowledged */
	size_t ndead, cap_dead, sure_dead;
	uint32_t next_call;
	uint16_t next_port;
	uint64_t packets, recovered, middle, pending; /* of packets */
	uint64_t fresh, notes_seen; /* flows taken over before they began; objects compared */
	uint64_t planned, unplanned, isolated, cuts;
	uint64_t lost, lost_at_most; /* octets, by deaths */
};

/* --- ecs_world.c: what the engines say -------------------------------------------------------- */

/** The one in service. */
static inline struct ecs_engine *world_active(const struct world *w)
{
	return w->p.c[w->p.active].e;
}

uint64_t world_bytes(const struct ecs_usage *u);
/** Volume of a session, as the engine would report it. */
uint64_t world_volume(const struct ecs_session *s);
/** Which of pair_rule[] it is; RULES: none. */
int world_rule(struct ecs_engine *e, uint16_t ref);
/** What was counted of a rule by the one in service. */
uint64_t world_rule_bytes(const struct world *w, int rule);
/** By its 5-tuple; NULL: it is not there. */
const struct ecs_flow *world_flow(const struct world *w, const struct talk *t);
struct ecs_addr world_address(int call);
/** Volumes that the one in service has charged and its peer not acknowledged. */
uint64_t world_owed(const struct world *w);

/* --- ecs_talk.c: sessions and packets --------------------------------------------------------- */

/** Random traffic for @p ms. Each packet is counted once, by a rule that it may have (invariant 6). */
void world_busy(struct world *w, uint32_t ms);

/* --- ecs_survive.c: what must survive --------------------------------------------------------- */

/** Notes what the one in service has had acknowledged, before it goes. */
void world_note(struct world *w);
/** What it would have said in a beat of what it owes, before it goes: true of a level peer. */
void world_note_owed(struct world *w);
/** No more was lost of volumes than it owed. */
void world_check_owed(struct world *w);
/** Invariants 2 and 3, at the one that has taken over. */
void world_check_survivors(struct world *w);
/** The model follows: what was not acknowledged is gone or met in mid-stream. @p exact: nothing may be. */
void world_adopt(struct world *w, bool exact);
/** At rest both hold the same by stored, recomputed, and our own hashes (invariant 5). */
void world_quiet(struct world *w);

#endif
