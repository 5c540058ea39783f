/* slab: one shared memory area per task: what it counts and what others must see of it without asking.
 * Made by the supervisor before the fork; writable for its owner only (the others map it read only). */
#ifndef CHASSIS_TASK_SLAB_H
#define CHASSIS_TASK_SLAB_H

#include <stdint.h>

#include "chassis/cli/config.h"
#include "chassis/io/tls.h"
#include "ecs/acted.h"
#include "ecs/engine.h"
#include "ecs/kpi.h"
#include "ecs/trace.h"
#include "ecs/usage.h"
#include "recovery/counters.h"
#include "srp/counters.h"
#include "srp/role.h"
#include "stats/segment.h"

/** Tasks, as `ps` and the log name them. Sessmgrs and aaamgrs are numbered from 1; 0 is their standby. */
#define CHASSIS_TASKS(X) \
	X(SUPERVISOR, "chassisd") X(SCT, "sct") X(VPNMGR, "vpnmgr") X(DEMUXMGR, "demuxmgr") \
	X(SESSMGR, "sessmgr") X(AAAMGR, "aaamgr") X(CDRMOD, "cdrmod")
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
	uint32_t unfit;           /**< gave its role up: a task cannot be kept alive */
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

#define CHASSIS_QUARANTINE 16 /**< call-ids that killed their session manager twice */
#define CHASSIS_CRASHES    64 /**< remembered for `show crash list` */
#define CHASSIS_FRAMES_MAX 24 /**< return addresses of a backtrace */

/** Why this chassis could not recover the sessions of a session manager that died now. The text is that
 *  of `show session recovery status`. */
#define CHASSIS_SR_STATES(X) \
	X(OFF, "Session Recovery Is Not Enabled") \
	X(READY, "Ready For Recovery") \
	X(SESSMGR, "SESSMGR Not Ready For Recovery") \
	X(AAAMGR, "AAAMGR Not Ready For Recovery") \
	X(DEMUX, "DEMUX Not Ready For Recovery") \
	X(VPNMGR, "VPNMGR Not Ready For Recovery")
#define X(sym, text) CHASSIS_SR_##sym,
enum chassis_sr_state { CHASSIS_SR_STATES(X) CHASSIS_SR__N };
#undef X

/** What has become of the feature-key file since it was read. */
enum chassis_keys { CHASSIS_KEYS_READ, CHASSIS_KEYS_CHANGED, CHASSIS_KEYS_GONE };

/** What a dying task writes from its signal handler. */
struct chassis_crash_note {
	uint32_t set;             /**< written before the frames: taking them may fault again */
	int32_t signal;
	uint64_t addr;            /**< of the fault */
	uint32_t nframes;         /**< written last */
	uint64_t frame[CHASSIS_FRAMES_MAX];
};

/** A death that was not ordered. */
struct chassis_crash {
	uint64_t wall_ms;
	uint32_t task, instance, pid;
	int32_t signal, status;   /**< signal 0: it has ended with the status */
	uint32_t handling;        /**< call-id that it worked on, 0 none */
	uint32_t killed;          /**< by the supervisor, for giving no beat */
	uint64_t addr;
	char backtrace[1024];     /**< one frame a line */
	char core[192];           /**< path of the core file, or why there is none */
};

/** What the supervisor knows of session recovery and deaths. */
struct chassis_sr_slab {
	uint32_t enabled, state;  /**< state: enum chassis_sr_state */
	uint64_t updated_us, changed_us;
	char why[96];             /**< the first reason, where it is not ready */
	uint32_t sessmgr_active, sessmgr_standby, aaamgr_active, aaamgr_standby, demux_active;
	uint32_t quarantine[CHASSIS_QUARANTINE];
	uint32_t nquarantine;     /**< ever; the ring holds the last CHASSIS_QUARANTINE */
	uint32_t keys;            /**< enum chassis_keys: of the feature-key file of the start */
	uint32_t giving_up;       /**< a crash loop: the role is handed over although not all is well */
	uint32_t ncrashes;        /**< ever; the ring holds the last CHASSIS_CRASHES */
	struct chassis_crash crash[CHASSIS_CRASHES];
};

struct chassis_slab {
	struct stats_slab head;   /**< sequence lock, owner, beat */
	uint32_t task, instance;  /**< instance: 1..N of a sessmgr or aaamgr, 0: the standby; else 0 */
	/* session recovery */
	uint32_t ready;           /**< a standby: warmed, may take an instance's place */
	uint32_t recovering;      /**< a sessmgr: its sessions are being read from the store */
	uint32_t sr_link;         /**< a sessmgr: enum recovery_link of its replica at aaamgr */
	uint32_t sr_level;        /**< a sessmgr: aaamgr has had all of it once, and follows */
	uint32_t handling;        /**< call-id of the packet or record that is worked on; 0 none */
	uint64_t reserved_bytes;  /**< memory held by a standby for whom it may become */
	uint32_t reserved_fds;
	char not_ready[96];       /**< a standby: what it could not have; others: why they ended, or wait */
	uint64_t store_bytes, store_flows, store_sessions; /**< an aaamgr: in use */
	uint64_t stats_since_us;  /**< statistics of this manager count from here */
	struct chassis_crash_note crash_note;
	struct chassis_sr_slab sr; /**< the supervisor's */
	uint32_t starts;          /**< how often this task was started */
	uint64_t sessions_before; /**< a sessmgr: that the one before it had when it died */
	uint64_t sessions, flows, recoverable;
	/* records, written by a sessmgr: its queue; by cdrmod: what is open, and why it cannot go on */
	uint64_t records_held, records_waiting, records_open;
	uint64_t records_copies;  /**< a sessmgr: of its peer's records */
	char records_why[128];
	struct ecs_trace_kept trace;      /**< a sessmgr: whose packets it traces, and where its trace is */
	/* instance link, written by sessmgr, read by vpnmgr and sct */
	uint32_t link;            /**< enum recovery_link */
	uint32_t complete;        /**< holds a complete state */
	uint32_t applied_role;    /**< the role it acts in now */
	uint64_t backlog_objects, backlog_bytes;
	struct ecs_owed owed;     /**< as it is now: others may read it at any time */
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
	struct ecs_kpi kpi[ECS_KPI_MAX];  /**< of the flows of eligible rules */
	struct ecs_limit_stats limit[ECS_LIMIT_STATS_MAX]; /**< of rate limits, by what has them */
	struct ecs_acted_stats acted[ECS_ACTED_MAX]; /**< of what charging-actions did, in their order */
	struct ecs_dyn_stats dyn[ECS_DYN_STATS_MAX]; /**< of rules that calls were given, by name */
	struct ecs_rule_stats rule[ECS_STATS_MAX];
	uint64_t rule_of[ECS_STATS_MAX]; /**< of whose name each is: a digest; 0: nobody's */
};

#endif
