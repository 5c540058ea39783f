/* sess_debug: `show subscriber debug-info`: the call line of a session of this instance, and the other copy
 * of it: that of the peer chassis, else that of the mirror. Both are asked at once, and nothing waits for
 * them but the answer to this one show. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdlib.h>
#include <string.h>

#include "chassis/task/call_line.h"
#include "srp/err.h"

#define ASKS      8u    /* shows that wait at the same time; those above get no other copy */
#define WAIT_S    1.0   /* for both copies together */
#define WALK_MAX  2000u /* sessions that are looked at for one query */

/* A show whose other copies are being waited for. */
struct sessmgr_ask {
	struct sessmgr *s;
	bool used;
	uint32_t id;              /* of sct's query */
	uint64_t cursor;          /* for its next page */
	uint32_t gr, sr;          /* numbers of the questions; 0: none under way */
	struct chassis_call_line primary, mirror;
	bool mirrored;            /* the mirror has answered */
	const char *why;          /* nobody else has: the reason */
	ev_timer timer;
};

struct sessmgr_debug {
	struct sessmgr_ask ask[ASKS];
};

/* --- the answer to sct ------------------------------------------------------------------------------------ */

static void put_line(struct srp_mp_w *w, const struct chassis_call_line *l)
{
	uint8_t buf[CHASSIS_CALL_LINE_MAX];

	srp_mp_w_bin(w, buf, l ? chassis_call_line_put(l, buf, sizeof(buf)) : 0);
}

/* [id, [instance, primary, why there is no other one, the other one]] */
static void row(struct sessmgr *s, uint32_t id, const struct chassis_call_line *primary,
                const struct chassis_call_line *peer, const char *why)
{
	uint8_t buf[2 * CHASSIS_CALL_LINE_MAX + 256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, id);
	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, s->ctx->instance);
	put_line(&w, primary);
	srp_mp_w_str(&w, peer ? "" : why);
	put_line(&w, peer);
	chassis_task_send(s->ctx, CHASSIS_TASK_SCT, 0, CHASSIS_IPC_ROW, &w, -1);
}

static void finish(struct sessmgr_ask *a, const struct chassis_call_line *peer)
{
	ev_timer_stop(a->s->ctx->loop, &a->timer);
	a->used = false;
	row(a->s, a->id, &a->primary, peer, a->why);
	sessmgr_query_done(a->s, a->id, SRP_OK, "", a->cursor);
}

/* Something was answered, or will not be: the peer chassis' copy is waited for first. */
static void judge(struct sessmgr_ask *a)
{
	if (a->gr)
		return;
	if (a->mirrored)
		finish(a, &a->mirror);
	else if (!a->sr)
		finish(a, NULL);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sessmgr_ask *a = w->data;

	(void)loop;
	(void)revents;
	if (a->gr)
		a->why = "the peer chassis did not answer within a second";
	else if (a->sr)
		a->why = "aaamgr did not answer within a second";
	a->gr = a->sr = 0;
	judge(a);
}

/* --- the other copies ------------------------------------------------------------------------------------- */

static struct sessmgr_ask *free_ask(struct sessmgr *s)
{
	if (!s->debug)
		s->debug = calloc(1, sizeof(*s->debug));
	for (size_t i = 0; s->debug && i < ASKS; i++)
		if (!s->debug->ask[i].used)
			return &s->debug->ask[i];
	return NULL;
}

/* The number of the question; 0: it could not be asked. */
static uint32_t ask(struct recovery_replica *r, uint32_t callid)
{
	uint8_t q[RECOVERY_QUESTION_MAX];
	size_t len = chassis_call_question_put(callid, q, sizeof(q));
	uint32_t id = 0;

	return r && recovery_replica_ask(r, q, len, chassis_now(), &id) == SRP_OK ? id : 0;
}

static void show(struct sessmgr *s, uint32_t id, uint64_t cursor, const struct ecs_session *c)
{
	struct sessmgr_ask *a = free_ask(s);
	struct chassis_call_line primary;

	chassis_call_line_of(s->engine, c, chassis_now(), &primary);
	if (!a) {
		row(s, id, &primary, NULL, "too many are asked for at the same time");
		sessmgr_query_done(s, id, SRP_OK, "", cursor);
		return;
	}
	*a = (struct sessmgr_ask){.s = s, .used = true, .id = id, .cursor = cursor, .primary = primary};
	a->why = s->gr ? "the peer chassis is not connected, and there is no mirror of the call"
	               : "there is neither a peer chassis nor a mirror of the call";
	a->gr = ask(s->gr, primary.callid);
	a->sr = ask(s->sr.replica, primary.callid);
	ev_timer_init(&a->timer, on_timer, WAIT_S, 0.);
	a->timer.data = a;
	ev_now_update(s->ctx->loop);
	ev_timer_start(s->ctx->loop, &a->timer);
	sessmgr_link_kick(s);
	sessmgr_sr_kick(s);
	judge(a);
}

size_t sessmgr_debug_question(void *owner, const uint8_t *question, size_t len, uint8_t *answer, size_t cap,
                              struct srp_time now)
{
	struct sessmgr *s = owner;
	uint32_t callid = chassis_call_question_get(question, len);
	const struct ecs_session *c = callid ? ecs_session_find(s->engine, callid) : NULL;
	struct chassis_call_line l;

	if (!c)
		return 0;
	chassis_call_line_of(s->engine, c, now, &l);
	return chassis_call_line_put(&l, answer, cap);
}

/* The show that waits for the answer to a question: to the peer chassis, or to the mirror. */
static struct sessmgr_ask *asker(struct sessmgr *s, bool gr, uint32_t id)
{
	for (size_t i = 0; s->debug && i < ASKS; i++) {
		struct sessmgr_ask *a = &s->debug->ask[i];

		if (a->used && id && (gr ? a->gr : a->sr) == id)
			return a;
	}
	return NULL;
}

/* Reads a copy of the call that was asked for, of the sort that the other end has. */
static bool read_copy(const struct sessmgr_ask *a, enum chassis_copy copy, const uint8_t *answer,
                      size_t len, struct chassis_call_line *out)
{
	if (!len)
		return false;
	if (chassis_call_line_get(answer, len, out) == SRP_OK && out->copy == copy &&
	    out->callid == a->primary.callid)
		return true;
	a->s->ctx->slab->task_ctr.answers_refused++;
	return false;
}

void sessmgr_debug_answer_gr(void *owner, uint32_t id, const uint8_t *answer, size_t len,
                             struct srp_time now)
{
	struct sessmgr_ask *a = asker(owner, true, id);
	struct chassis_call_line l;

	(void)now;
	if (!a)
		return;
	a->gr = 0;
	if (read_copy(a, CHASSIS_COPY_SESSION, answer, len, &l)) {
		finish(a, &l);
		return;
	}
	a->why = len ? "the answer of the peer chassis could not be read"
	             : "the peer chassis has no such call";
	judge(a);
}

void sessmgr_debug_answer_sr(void *owner, uint32_t id, const uint8_t *answer, size_t len,
                             struct srp_time now)
{
	struct sessmgr_ask *a = asker(owner, false, id);

	(void)now;
	if (!a)
		return;
	a->sr = 0;
	a->mirrored = read_copy(a, CHASSIS_COPY_MIRROR, answer, len, &a->mirror);
	judge(a);
}

/* --- queries ---------------------------------------------------------------------------------------------- */

/* "msid ..." or "username ..." */
static bool named(const struct ecs_session *c, const char *text)
{
	static const char msid[] = "msid ", username[] = "username ";

	if (strncmp(text, msid, sizeof(msid) - 1) == 0)
		return strcmp(c->spec.imsi, text + sizeof(msid) - 1) == 0;
	return strncmp(text, username, sizeof(username) - 1) == 0 &&
	       strcmp(c->spec.username, text + sizeof(username) - 1) == 0;
}

void sessmgr_debug_query(struct sessmgr *s, uint32_t id, uint64_t cursor, uint32_t callid, const char *text)
{
	uint32_t last = (uint32_t)cursor;
	struct ecs_session *c;

	if (callid) {
		c = ecs_session_find(s->engine, callid);
		if (!c && sessmgr_recover_callid(s, callid, chassis_now()))
			c = ecs_session_find(s->engine, callid);
		if (c)
			show(s, id, 0, c);
		else
			sessmgr_query_done(s, id, SRP_OK, "", 0);
		return;
	}
	for (uint32_t seen = 0; seen < WALK_MAX; seen++) {
		c = ecs_session_next(s->engine, last);
		if (!c) {
			sessmgr_query_done(s, id, SRP_OK, "", 0);
			return;
		}
		last = c->spec.callid;
		if (named(c, text)) {
			show(s, id, last, c);
			return;
		}
	}
	sessmgr_query_done(s, id, SRP_OK, "", last);
}
