/* show: what show commands print from the configuration and from the slabs of the tasks, without
 * asking anybody. Each writes items and tables to a document. */
#ifndef CHASSIS_CLI_SHOW_H
#define CHASSIS_CLI_SHOW_H

#include "chassis/cli/answer.h"
#include "chassis/cli/config.h"
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
	const struct chassis_config *config;
	const struct chassis_config *running; /**< where @c config is what is configured; else NULL */
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
void chassis_show_ruledefs(const struct chassis_view *v, struct stats_doc *d, unsigned instance);
/** @p task: CHASSIS_TASK__N all; @p instance: UINT32_MAX all of it. */
void chassis_show_tasks(const struct chassis_view *v, struct stats_doc *d, enum chassis_task task,
                        uint32_t instance);
void chassis_show_session_recovery(const struct chassis_view *v, struct stats_doc *d, bool verbose);
void chassis_show_crashes(const struct chassis_view *v, struct stats_doc *d);
/** False: there was no such crash, or it is forgotten. */
bool chassis_show_crash(const struct chassis_view *v, struct stats_doc *d, uint64_t number);
void chassis_show_version(struct stats_doc *d);
/** Feature keys, of the day. */
void chassis_show_license(const struct chassis_view *v, struct stats_doc *d);
void chassis_show_config(const struct chassis_view *v, struct stats_doc *d);
void chassis_show_config_errors(const struct chassis_view *v, struct stats_doc *d);

/** @p name: NULL all. Return false when there is none of that name. */
bool chassis_show_rulebases(const struct chassis_view *v, struct stats_doc *d, const char *name);
bool chassis_show_schemes(const struct chassis_view *v, struct stats_doc *d, const char *name);
bool chassis_show_trigger_actions(const struct chassis_view *v, struct stats_doc *d,
				  const char *name);
bool chassis_show_trigger_conditions(const struct chassis_view *v, struct stats_doc *d,
                                     const char *name);

#endif
