/* show: what show commands print from the configuration and from the slabs of the tasks, without
 * asking anybody. Each writes items and tables to a document. */
#ifndef CHASSIS_CLI_SHOW_H
#define CHASSIS_CLI_SHOW_H

#include "chassis/cli/answer.h"
#include "chassis/cli/config.h"
#include "chassis/task/running.h"
#include "chassis/task/slab.h"
#include "stats/doc.h"

#define CHASSIS_CARD_CPU "1/0" /**< the one card and cpu of a chassis that is one machine */

/** What the kernel says of a process. */
struct chassis_proc {
	uint64_t cpu_ms;           /**< processor time since its start */
	uint64_t age_ms;           /**< since its start */
	uint64_t resident, virtual; /**< bytes */
	uint32_t files;            /**< open descriptors; UINT32_MAX: not known */
};

/** What a show may look at. */
struct chassis_view {
	const struct chassis_config *config; /**< that which runs */
	const struct chassis_config *acts;   /**< that of the start, where @c config is what is configured; else NULL */
	const struct chassis_running *running; /**< which it is; NULL: not known */
	/** A consistent copy of a task's slab, valid until the next call; NULL: there is none. */
	const struct chassis_slab *(*slab)(void *arg, enum chassis_task task, unsigned instance);
	/** False: there is no such process, or it cannot be looked at. NULL: none can. */
	bool (*proc)(void *arg, uint32_t pid, struct chassis_proc *out);
	void *arg;
	unsigned nsessmgr;
	const struct srp_ckpt_kind *const *kinds;
	size_t nkinds;
	uint64_t now_us;
};

struct chassis_call_line;

/** A call with both of its copies. */
struct chassis_call_show {
	unsigned number;           /**< of those that one answer shows, from 1 */
	unsigned instance;
	const struct chassis_call_line *primary, *peer; /**< peer: NULL, then @c why */
	const char *why;
	bool gr, sr;               /**< checkpoints go to a peer chassis; to a mirror */
};
void chassis_show_call(struct stats_doc *d, const struct chassis_call_show *c);

/** @p instance: 1..nsessmgr, 0 all. */
void chassis_show_checkpoint(const struct chassis_view *v, struct stats_doc *d, unsigned instance,
                             bool verbose);
/** The same of the mirror: what session managers sent, and what their aaamgrs received. */
void chassis_show_sr_checkpoint(const struct chassis_view *v, struct stats_doc *d, unsigned instance);
void chassis_show_kinds(const struct chassis_view *v, struct stats_doc *d);
void chassis_show_srp_statistics(const struct chassis_view *v, struct stats_doc *d);
/** The row that vpnmgr answered. */
void chassis_show_srp_info(struct stats_doc *d, const struct chassis_answer *a);
/** @p charging: ruledefs of that application alone, and no groups; @p name: NULL all; false: there is none
 *  of that name. */
bool chassis_show_ruledefs(const struct chassis_view *v, struct stats_doc *d, unsigned instance,
                           bool charging, const char *name);
/** @p task: CHASSIS_TASK__N all; @p instance: UINT32_MAX all of it. */
void chassis_show_tasks(const struct chassis_view *v, struct stats_doc *d, enum chassis_task task,
                        uint32_t instance);
void chassis_show_session_recovery(const struct chassis_view *v, struct stats_doc *d, bool verbose);
void chassis_show_crashes(const struct chassis_view *v, struct stats_doc *d);
/** False: there was no such crash, or it is forgotten. */
bool chassis_show_crash(const struct chassis_view *v, struct stats_doc *d, uint64_t number);
/** Also which configuration runs, and since when. */
void chassis_show_version(const struct chassis_view *v, struct stats_doc *d);
/** Feature keys, of the day. */
void chassis_show_license(const struct chassis_view *v, struct stats_doc *d);
/** Databases that run; what the services that use them have done. */
void chassis_show_databases(const struct chassis_view *v, struct stats_doc *d);
void chassis_show_content(const struct chassis_view *v, struct stats_doc *d);
void chassis_show_config(const struct chassis_view *v, struct stats_doc *d);
/** Records of flows and sessions, from the engine to the files. */
void chassis_show_records(const struct chassis_view *v, struct stats_doc *d);
/** Charging methods, and which of them are not provided. */
void chassis_show_methods(const struct chassis_view *v, struct stats_doc *d);
void chassis_show_config_errors(const struct chassis_view *v, struct stats_doc *d);

/** @p name: NULL all. Return false when there is none of that name. */
bool chassis_show_rulebases(const struct chassis_view *v, struct stats_doc *d, const char *name);
bool chassis_show_charging_actions(const struct chassis_view *v, struct stats_doc *d,
                                   const char *name);
/** @p application: ruledefs of it alone; NULL all. */
bool chassis_show_ruledef(const struct chassis_view *v, struct stats_doc *d, const char *name,
                          const char *application);
/** Objects of @p keyword (packet-filter, edr-format, udr-format) by their lines. */
bool chassis_show_lines(const struct chassis_view *v, struct stats_doc *d, const char *keyword,
                        const char *name);
/** Figures of a rule that is eligible for flow recovery. */
struct chassis_kpi {
	const char *name;          /**< of the service */
	uint64_t v[ECS_KPI__N];
};
/**
 * Those of all such rules, in their order, of one session manager or (0) summed over all.
 * @param out  to be freed with free()
 * @return 0 or SRP_ENOMEM
 */
int chassis_kpi_gather(const struct chassis_view *v, unsigned instance, struct chassis_kpi **out,
                       size_t *n);
/** @p instance: 1..nsessmgr, 0 all. 0 or SRP_ENOMEM. */
int chassis_show_flow_kpi(const struct chassis_view *v, struct stats_doc *d, unsigned instance);
bool chassis_show_service(const struct chassis_view *v, struct stats_doc *d, const char *name);

/** What is traced of packets, and where the rows are; @p instance: 1..nsessmgr, 0 all. */
void chassis_show_traces(const struct chassis_view *v, struct stats_doc *d, unsigned instance);

/** Packets at rate limits of one sort, over all calls; @p name NULL: all. */
bool chassis_show_limits(const struct chassis_view *v, struct stats_doc *d, enum ecs_limit_of of,
                         const char *name);
/** The keyword of their show. */
const char *chassis_limit_words(enum ecs_limit_of of);
bool chassis_show_schemes(const struct chassis_view *v, struct stats_doc *d, const char *name);
bool chassis_show_trigger_actions(const struct chassis_view *v, struct stats_doc *d,
				  const char *name);
bool chassis_show_trigger_conditions(const struct chassis_view *v, struct stats_doc *d,
                                     const char *name);

#endif
