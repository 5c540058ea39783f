/* call_line: one copy of a call as `show subscriber debug-info` shows it: taken from a session, sent to
 * whom it was asked by (the peer chassis, sct), read again, where every byte may be a lie.
 * Format: PROTOCOL.md, QUESTION and ANSWER. */
#ifndef CHASSIS_TASK_CALL_LINE_H
#define CHASSIS_TASK_CALL_LINE_H

#include "ecs/engine.h"
#include "srp/ckpt.h"
#include "srp/time.h"

/** What a copy is. */
enum chassis_copy {
	CHASSIS_COPY_SESSION = 1, /**< a session, of this chassis or of its peer */
	CHASSIS_COPY_MIRROR       /**< the records that aaamgr holds of it */
};

/** Checkpoints of one sort; ages in ms, 0 never. */
struct chassis_call_ckpt {
	uint32_t attempts, successes;
	uint64_t attempt_ms, success_ms;
};

struct chassis_call_line {
	enum chassis_copy copy;
	uint32_t callid;
	char msid[16], username[64];
	bool recreated;
	uint8_t state, refused;   /**< state and events: numbers that may be unknown here */
	size_t nsteps;
	struct ecs_call_step step[ECS_CALL_TRACE_MAX];
	struct chassis_call_ckpt ckpt[SRP_REPLICA__N][ECS_CALL_CKPT__N];
	struct ecs_call_reorder reorder;
	struct ecs_call_reassembly reassembly;
	struct ecs_call_redirect redirect;
};

#define CHASSIS_CALL_LINE_MAX 1000u /**< bytes; less than an answer may have */

/** The call line of a session that is here. */
void chassis_call_line_of(const struct ecs_engine *e, const struct ecs_session *s, struct srp_time now,
                          struct chassis_call_line *out);
/** Writes it; returns its length, 0 where it does not fit. */
size_t chassis_call_line_put(const struct chassis_call_line *l, uint8_t *buf, size_t cap);
/** Reads one; 0, or what is wrong with it: then @p out is as it was. */
int chassis_call_line_get(const uint8_t *buf, size_t len, struct chassis_call_line *out);

/** The question for the call line of @p callid; returns its length, 0 where it does not fit. */
size_t chassis_call_question_put(uint32_t callid, uint8_t *buf, size_t cap);
/** The call-id that is asked for; 0: it is another question, or none. */
uint32_t chassis_call_question_get(const uint8_t *buf, size_t len);

#endif
