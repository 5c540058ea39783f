/* calls: what demuxmgr knows of every call of the chassis: who holds it and under which addresses.
 * Rebuilt from the sessmgrs after a restart; fed by applied checkpoints on the standby. */
#ifndef CHASSIS_TASK_CALLS_H
#define CHASSIS_TASK_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chassis/cli/config.h"
#include "ecs/session.h"
#include "srp/mp.h"

#define CHASSIS_CALL_BIT 0x80000000u /**< of a call-id: the chassis that called it so (R21) */

struct chassis_calls;

/** One call. */
struct chassis_call {
	uint32_t callid;
	unsigned instance;  /**< 1..N */
	bool has4, has6;
	struct ecs_addr v4, v6;
	uint64_t created_us;
	uint32_t told;      /**< when its instance told it last, for chassis_calls_sweep */
};

/** @p start: where call-ids begin; drawn at random so that a restarted chassis does not repeat. */
struct chassis_calls *chassis_calls_new(unsigned chassis_bit, uint32_t start);
void chassis_calls_free(struct chassis_calls *c);
/**
 * Adds a call, or moves it where it is known under another instance or address.
 * @return 0; SRP_EDUP when another call holds one of the addresses (@p holder: its call-id);
 *         SRP_ENOMEM
 */
int chassis_calls_add(struct chassis_calls *c, const struct chassis_call *call, uint32_t *holder);
/** Forgets a call, also one that was put aside; SRP_ENOENT when it is not known, or known under
 *  another instance. */
int chassis_calls_remove(struct chassis_calls *c, uint32_t callid, unsigned instance);
/** Forgets all calls of an instance; @p fn is told each before it goes. Returns how many. */
size_t chassis_calls_drop(struct chassis_calls *c, unsigned instance,
                          void (*fn)(void *arg, const struct chassis_call *call), void *arg);
/** The same for those of an instance that it last told at another time than @p told. */
size_t chassis_calls_sweep(struct chassis_calls *c, unsigned instance, uint32_t told,
                           void (*fn)(void *arg, const struct chassis_call *call), void *arg);
/** Notes that the instance tells a call at @p told; nothing where the call is not known. */
void chassis_calls_touch(struct chassis_calls *c, uint32_t callid, uint32_t told);
/**
 * Keeps a call of which an address is another's: an instance has it still, and it is found neither by
 * address nor by call-id. One that is known already is moved.
 * @return 0 or SRP_ENOMEM
 */
int chassis_calls_put_aside(struct chassis_calls *c, const struct chassis_call *call);
/** Calls @p fn for each call that is aside; it must not change them. */
void chassis_calls_aside(const struct chassis_calls *c,
                         void (*fn)(void *arg, const struct chassis_call *call), void *arg);
const struct chassis_call *chassis_calls_find(const struct chassis_calls *c, uint32_t callid);
/** By IPv4 address, or by the /64 that holds an IPv6 address. */
const struct chassis_call *chassis_calls_by_addr(const struct chassis_calls *c,
                                                 const struct ecs_addr *a);
/** A call-id of this chassis that no call has. */
uint32_t chassis_calls_id(struct chassis_calls *c);
/** How many calls an instance holds. */
size_t chassis_calls_of(const struct chassis_calls *c, unsigned instance);
size_t chassis_calls_count(const struct chassis_calls *c);
/** The instance among @p n with the fewest calls for which @p usable says true; 0: none. */
unsigned chassis_calls_place(const struct chassis_calls *c, unsigned n,
                             bool (*usable)(void *arg, unsigned instance), void *arg);
/** A free address of a pool, next after the last one given; 0 or SRP_EFULL. */
int chassis_calls_address(struct chassis_calls *c, const struct chassis_pool *pool,
                          struct ecs_addr *out);

/** The first 64 bits of an IPv6 address, as sessions and steering know it; IPv4 as it is. */
struct ecs_addr chassis_addr_prefix(const struct ecs_addr *a);

/* Sessions that come and go, as a sessmgr tells them: [walk, call..., call...], each call of the
 * elements callid, v4|nil, v6|nil, created. All are told again in a walk: FIRST, ..., LAST. */
#define CHASSIS_NEWS_LAST   1u /**< these were all: what was not told since FIRST is not there */
#define CHASSIS_NEWS_FIRST  2u /**< a walk begins */
#define CHASSIS_NEWS_FIELDS 4u

/* The specification of a session between tasks: 11 elements of a msgpack array. */
#define CHASSIS_SPEC_FIELDS 11
void chassis_spec_put(struct srp_mp_w *w, const struct ecs_session_spec *s);
/** Reads and checks; the reader's sticky error tells what was wrong. */
void chassis_spec_get(struct srp_mp_r *r, struct ecs_session_spec *out);

#endif
