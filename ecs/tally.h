/* tally: what is counted of a flow for its records, and when they are made: EDRs at the ends of flows
 * (`flow end-condition`), at hits of rules (`billing-action create-edrs`), after transactions; FDRs at
 * the end of flows; UDRs at the end of sessions. Sessions whose rulebase asks for nothing of it pay
 * for one test.
 *
 * After a recovery the count begins anew: EDRs tell of what came since, in direction Unknown, and what
 * was counted before by who is dead is in none (flow-recovery, Limitations). With `flow-recovery edr`,
 * and for FDRs always, the volumes of flows are checkpointed (usage FLOW), and so is what of them is in
 * EDRs already (RECORDED): records then tell of whole flows. */
#ifndef ECS_TALLY_H
#define ECS_TALLY_H

#include "ecs/edr.h"
#include "ecs/path.h"

#define ECS_SAIDS_MAX 262144u /**< flows of an engine whose analyzers' words are kept for records */
#define ECS_FLOW_USAGES_MAX 4096u /**< volumes of a call up to which those of its flows are kept, each
                                       for itself; what flows have beyond is kept together */
#define ECS_FLOW_REST UINT32_MAX  /**< in place of a flow's number: these together */

/** Of one flow, since the last record that told of it. */
struct ecs_tally {
	struct ecs_volume ip, tcp;
	uint64_t charged[2];
	struct srp_time first, last;  /**< packets; never: none since */
	uint32_t hit;                 /**< verdict at which an EDR was made last */
	struct ecs_said *said;        /**< NULL: nothing */
};

/** A record, as it is given to the owner; borrowed. */
struct ecs_record {
	enum ecs_record_stream stream;
	const char *format, *header, *line;
	size_t header_len, line_len;
	uint32_t callid, flow_id;     /**< flow_id 0: of a session */
	bool last;                    /**< nothing of this flow or session comes after it in this stream */
};
#define ECS_RECORD_NOWHERE UINT64_MAX /**< place of a record that nobody is told of */

/** What of a packet is known at once, and not any more when it is charged later. */
void ecs_tally_layers(struct ecs_engine *e, const struct ecs_way *w);
/** A packet was charged, under @p a (NULL: by no action). */
void ecs_tally_charge(struct ecs_engine *e, struct ecs_way *w, const struct ecs_charging_action *a);
/** Analyzers have seen a packet of a flow that is being analyzed; it is not charged yet. */
void ecs_tally_said(struct ecs_engine *e, struct ecs_way *w);
/** A flow of a session with records ends: its last records are made. */
void ecs_records_end(struct ecs_engine *e, struct ecs_flow *f, enum ecs_flow_end why,
                     struct srp_time now);
/** A session ends: its flows, what is left of flows that are not there any more, its UDRs. */
void ecs_records_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/** A handoff: EDRs of its flows, which are counted anew. */
void ecs_records_handoff(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/**
 * The session is about to have another rulebase, or its rulebase other records: those of its flows that it
 * has no more are made, as at the session's end, and their volumes let go of; the flows go on.
 *
 * @param to  the ECS_RECORDS_* that it will have
 */
void ecs_records_become(struct ecs_engine *e, struct ecs_session *s, uint8_t to, struct srp_time now);
/** UDRs of a session (udr.c). */
void ecs_records_udr(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);
/** Renders a record and gives it to the owner. */
void ecs_record_make(struct ecs_engine *e, enum ecs_record_stream stream, const char *format,
                     const struct ecs_edr_in *in, bool last, struct srp_time now);
/** The role was given to the peer, which goes on with the flow: its EDR of what was counted here. */
void ecs_records_hagr(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/**
 * Sessions were recovered, and nobody made EDRs of them before: what was counted before and is in none is
 * counted as lost, in turns. @p all: all that will come back is there; else of what ends until then.
 * With @p all, what a session was charged with and no rule was is charged by none.
 */
void ecs_records_recovered(struct ecs_engine *e, bool all);
/** A flow ends, or its volume goes; before its last EDR is made (lost.c). */
void ecs_lost_flow(struct ecs_engine *e, struct ecs_session *s, uint32_t id, struct srp_time now);
/** At most @p budget steps of that; true: call again. */
bool ecs_lost_turn(struct ecs_engine *e, struct srp_time now, size_t budget);
/** Frees what a flow has; what no record tells of is counted as lost. */
void ecs_tally_drop(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** The same, uncounted: the engine ends. */
void ecs_tally_free(struct ecs_engine *e, struct ecs_flow *f);

#endif
