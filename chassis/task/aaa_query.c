/* aaa_query: the copy of a call that aaamgr holds, as a call line: what it would be rebuilt with. */
#include "config.h"
#include "chassis/task/aaa_query.h"

#include "chassis/task/call_line.h"

/* Records held: as many as were received and are not replaced. */
static struct chassis_call_ckpt held(uint32_t n, struct srp_time last, struct srp_time now)
{
	uint64_t age = n ? ecs_call_age_ms(last, now) : 0;

	return (struct chassis_call_ckpt){n, n, age, age};
}

size_t chassis_aaa_answer(const struct recovery_store *store, const uint8_t *question, size_t len,
                          uint8_t *answer, size_t cap, struct srp_time now)
{
	uint32_t callid = chassis_call_question_get(question, len);
	struct chassis_call_line l = {.copy = CHASSIS_COPY_MIRROR, .callid = callid, .recreated = true};
	struct recovery_store_session st;
	struct ecs_call_machine m = {0};

	if (!callid || !store || !recovery_store_session(store, callid, &st) || !st.roots)
		return 0;
	ecs_call_recreated(&m);
	(void)ecs_call_event(&m, ECS_CALL_EV_LOWER_LAYER_UP);
	l.state = m.state;
	l.nsteps = ecs_call_trace(&m, l.step, ECS_CALL_TRACE_MAX);
	l.ckpt[SRP_REPLICA_SR][ECS_CALL_FULL] = held(st.roots, st.root_last, now);
	l.ckpt[SRP_REPLICA_SR][ECS_CALL_MICRO] = held(st.others, st.last, now);
	l.redirect.allowed = ECS_REDIRECTS_MAX;
	return chassis_call_line_put(&l, answer, cap);
}
