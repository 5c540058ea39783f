/* slab: one shared memory area per task: what it counts and what others must see of it without asking.
 * Made by the supervisor before the fork; writable for its owner only (the others map it read only). */
#ifndef CHASSIS_TASK_SLAB_H
#define CHASSIS_TASK_SLAB_H

#include <stdint.h>

#include "chassis/cli/config.h"
#include "chassis/io/tls.h"
#include "ecs/engine.h"
#include "recovery/counters.h"
#include "srp/counters.h"
#include "srp/role.h"
#include "stats/segment.h"

/** Tasks, as `ps` and the log name them. AAAMGR and the standby modes come with session recovery. */
#define CHASSIS_TASKS(X) \
	X(SUPERVISOR, "chassisd") X(SCT, "sct") X(VPNMGR, "vpnmgr") X(DEMUXMGR, "demuxmgr") \
	X(SESSMGR, "sessmgr") X(AAAMGR, "aaamgr")
#define X(sym, text) CHASSIS_TASK_##sym,
enum chassis_task { CHASSIS_TASKS(X) CHASSIS_TASK__N };
#undef X

#define CHASSIS_KINDS_MAX 32

/** What the tasks count themselves: rows of chassis/task/counters.def. */
#define TASK_COUNTER STATS_FIELD
struct chassis_task_counters {
#include "chassis/task/counters.def"
};
#undef TASK_COUNTER
extern const struct stats_desc chassis_task_counter_desc[];
extern const size_t chassis_task_counter_count;

/** What vpnmgr keeps here survives its own death: its successor goes on from it. */
struct chassis_role_slab {
	uint32_t role;            /**< enum srp_role */
	uint32_t phase;           /**< enum srp_phase */
	uint32_t unfit;           /**< gave its role up: a session manager is lost */
	uint32_t term;            /**< number << 1 | chassis bit */
	uint32_t highest_term;    /**< highest number seen from anybody */
	uint32_t reserved_term;   /**< numbers up to this one are reserved in the state file */
	uint32_t route_modifier;
	uint32_t chassis_bit;
	uint32_t peer_role, peer_term, peer_mode, peer_priority, peer_route_modifier;
	uint8_t mac[6], peer_mac[6];
	uint64_t incarnation;     /**< of the chassis: drawn by the supervisor */
	uint64_t peer_incarnation;
	uint64_t last_hello_us, active_since_us;
	uint32_t last_reason;     /**< enum srp_switch_reason */
	uint32_t asked;           /**< that of the switchover under way */
	uint64_t alive_us;        /**< when vpnmgr's loop ran last */
};

struct chassis_slab {
	struct stats_slab head;   /**< sequence lock, owner, beat */
	uint32_t task, instance;  /**< instance: 1..N of a sessmgr, else 0 */
	uint32_t starts;          /**< how often this task was started */
	uint64_t sessions, flows, recoverable;
	/* instance link, written by sessmgr, read by vpnmgr and sct */
	uint32_t link;            /**< enum recovery_link */
	uint32_t complete;        /**< holds a complete state */
	uint32_t applied_role;    /**< the role it acts in now */
	uint64_t backlog_objects, backlog_bytes;
	uint64_t verified_us;     /**< last time the digests of both sides were equal */
	uint64_t peer_rx_us;      /**< last time the peer's instance delivered anything */
	uint64_t link_rx_bytes, link_tx_bytes;
	unsigned long long tls_refused[CHASSIS_TLS_REF__N];
	struct chassis_role_slab role;
	struct chassis_task_counters task_ctr;
	struct srp_counters srp;          /**< vpnmgr: control link and role; sessmgr: its beats */
	struct ecs_counters ecs;
	struct recovery_counters replica[SRP_REPLICA__N];
	struct recovery_kind_counters kind[SRP_REPLICA__N][CHASSIS_KINDS_MAX];
	struct ecs_rule_stats rule[ECS_STATS_MAX];
};

#endif
