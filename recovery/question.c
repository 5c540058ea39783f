/* question: what the owner of one end asks the owner of the other, and the answer. Both are opaque here.
 * Nothing depends on an answer: who asks sets a time, and a question is forgotten with its connection. */
#include "config.h"
#include "recovery/replica_impl.h"

#include "srp/err.h"

#define FORGET_US SRP_SEC(5)            /* a question of this age gives its place to another one */
#define OUTQ_ROOM (RECOVERY_OUTQ_MAX / 2) /* above it the peer does not read: it gets no answers */

int recovery_replica_ask(struct recovery_replica *r, const uint8_t *question, size_t len,
                         struct srp_time now, uint32_t *id)
{
	uint8_t body[RECOVERY_QUESTION_MAX + 16];
	struct srp_mp_w w = srp_mp_w_init(body, sizeof(body));
	struct recovery_question *q = NULL;
	int rc;

	if (!len || len > RECOVERY_QUESTION_MAX)
		return SRP_ERANGE;
	if (r->link < RECOVERY_LINK_SYNC || !r->agreed)
		return SRP_ESTATE;
	for (size_t i = 0; i < RECOVERY_QUESTIONS; i++)
		if (!r->question[i].id || srp_time_since(r->question[i].at, now) >= FORGET_US)
			q = &r->question[i];
	if (!q)
		return SRP_EBUSY;
	if (!++r->question_id)
		r->question_id = 1;
	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, r->question_id);
	srp_mp_w_bin(&w, question, len);
	rc = w.err ? w.err : recovery_outq_put(r, RECOVERY_FT_QUESTION, body, srp_mp_w_len(&w));
	if (rc)
		return rc;
	*q = (struct recovery_question){r->question_id, now};
	*id = q->id;
	r->conf.totals->questions_out++;
	return SRP_OK;
}

void recovery_questions_forget(struct recovery_replica *r)
{
	for (size_t i = 0; i < RECOVERY_QUESTIONS; i++)
		r->question[i].id = 0;
}

/* An empty answer says that there is nothing to say. */
int recovery_rx_question(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	uint8_t answer[RECOVERY_ANSWER_MAX], body[RECOVERY_ANSWER_MAX + 16];
	struct srp_mp_w w = srp_mp_w_init(body, sizeof(body));
	const uint8_t *question;
	size_t len, n = 0;
	uint32_t id;

	if (srp_mp_array(m, 2) != 2)
		srp_mp_fail(m, SRP_EFORMAT);
	id = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	question = srp_mp_bin(m, 1, RECOVERY_QUESTION_MAX, &len);
	if (srp_mp_finish(m))
		return srp_mp_finish(m);
	r->conf.totals->questions_in++;
	if (r->outq_len - r->outq_pos > OUTQ_ROOM) {
		r->conf.totals->questions_refused++;
		return SRP_OK;
	}
	if (r->conf.ops && r->conf.ops->question)
		n = r->conf.ops->question(r->conf.ops_owner, question, len, answer, sizeof(answer), now);
	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, id);
	srp_mp_w_bin(&w, answer, n);
	if (w.err || recovery_outq_put(r, RECOVERY_FT_ANSWER, body, srp_mp_w_len(&w)))
		r->conf.totals->questions_refused++;
	return SRP_OK;
}

int recovery_rx_answer(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	const uint8_t *answer;
	uint32_t id;
	size_t len;

	if (srp_mp_array(m, 2) != 2)
		srp_mp_fail(m, SRP_EFORMAT);
	id = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	answer = srp_mp_bin(m, 0, RECOVERY_ANSWER_MAX, &len);
	if (srp_mp_finish(m))
		return srp_mp_finish(m);
	for (size_t i = 0; id && i < RECOVERY_QUESTIONS; i++) {
		if (r->question[i].id != id)
			continue;
		r->question[i].id = 0;
		r->conf.totals->answers_in++;
		if (r->conf.ops && r->conf.ops->answer)
			r->conf.ops->answer(r->conf.ops_owner, id, answer, len, now);
		return SRP_OK;
	}
	r->conf.totals->answers_void++;
	return SRP_OK;
}
