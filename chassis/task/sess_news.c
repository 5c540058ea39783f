/* sess_news: tells demuxmgr which calls this instance holds, as they come and go, in batches; and all
 * of them again when demuxmgr was restarted. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdlib.h>

#include "chassis/task/calls.h"
#include "srp/err.h"

#define NEWS_CAP  4000   /* body of one frame */
#define NEWS_ONE  50     /* longest call in it */
#define NEWS_MAX  80     /* calls in one frame */
#define WALK_TURN 2000   /* calls told per turn of the loop when all are told again */
#define NEWS_QUEUED (2048u * 1024) /* bytes that may wait for demuxmgr */
#define WALK_LOW  65536u /* bytes to demuxmgr that may wait when the walk goes on */

enum { UP, DOWN };

static void put_addr(struct srp_mp_w *w, bool has, const struct ecs_addr *a)
{
	if (has)
		srp_mp_w_bin(w, a->b, sizeof(a->b));
	else
		srp_mp_w_nil(w);
}

static void begin(struct sessmgr *s, int which)
{
	s->news_w[which] = srp_mp_w_init(s->news[which], NEWS_CAP);
	s->news_n[which] = 0;
}

/* @p walk: CHASSIS_NEWS_FIRST and CHASSIS_NEWS_LAST, of a walk. Where demuxmgr does not take it,
 * it is told all again later: else an address would be in use for ever, or free though it is used. */
static void flush(struct sessmgr *s, int which, unsigned walk)
{
	uint8_t body[NEWS_CAP + 16];
	struct srp_mp_w w = srp_mp_w_init(body, sizeof(body));
	int rc;

	if (!s->news_n[which] && !walk)
		return;
	srp_mp_w_array(&w, 1 + CHASSIS_NEWS_FIELDS * s->news_n[which]);
	srp_mp_w_uint(&w, walk);
	srp_mp_w_raw(&w, s->news[which], srp_mp_w_len(&s->news_w[which]));
	/* Some room is kept for the answers to its requests, which are told once. */
	rc = chassis_task_queued(s->ctx, CHASSIS_TASK_DEMUXMGR, 0) > NEWS_QUEUED
		? SRP_ENOSPC
		: chassis_task_send(s->ctx, CHASSIS_TASK_DEMUXMGR, 0,
	                            which == UP ? CHASSIS_IPC_SESSION_UP : CHASSIS_IPC_SESSION_DOWN,
	                            &w, -1);
	/* Without a demuxmgr there is nobody to tell: its successor is told everything. */
	if (rc < 0 && rc != SRP_ENOENT && !s->news_lost) {
		s->news_lost = true;
		s->ctx->slab->task_ctr.news_lost++;
	}
	begin(s, which);
}

static void add(struct sessmgr *s, int which, const struct ecs_session *c)
{
	struct srp_mp_w *w = &s->news_w[which];

	srp_mp_w_uint(w, c->spec.callid);
	put_addr(w, c->spec.has4, &c->spec.v4);
	put_addr(w, c->spec.has6, &c->spec.v6);
	srp_mp_w_uint(w, c->created.us);
	if (++s->news_n[which] == NEWS_MAX)
		flush(s, which, 0);
}

static void session_up(void *owner, const struct ecs_session *c)
{
	struct sessmgr *s = owner;

	if (s->sr.phase != SESSMGR_SERVES)
		return; /* all are told when all are there */
	/* The other list first: a call that goes and comes back must arrive in that order. */
	flush(s, DOWN, 0);
	add(s, UP, c);
}

static void session_down(void *owner, const struct ecs_session *c, enum ecs_session_end why)
{
	struct sessmgr *s = owner;

	(void)why;
	if (s->sr.phase != SESSMGR_SERVES)
		return;
	flush(s, UP, 0);
	add(s, DOWN, c);
}

const struct ecs_engine_ops sessmgr_engine_ops = {.session_up = session_up,
                                                  .session_down = session_down,
                                                  .send = sessmgr_tun_send,
                                                  .rate = sessmgr_rate,
                                                  .release = sessmgr_tun_release,
                                                  .record = sessmgr_record,
                                                  .recorded = sessmgr_recorded};

static bool demuxmgr_behind(const struct sessmgr *s)
{
	return chassis_task_queued(s->ctx, CHASSIS_TASK_DEMUXMGR, 0) > WALK_LOW;
}

void sessmgr_news_flush(struct sessmgr *s)
{
	if (s->news_lost && !s->sr.walk_due && !demuxmgr_behind(s))
		sessmgr_news_walk(s);
	if (s->walk_first)
		flush(s, UP, CHASSIS_NEWS_FIRST);
	s->walk_first = false;
	flush(s, UP, 0);
	flush(s, DOWN, 0);
	if (!s->walking || s->news_lost || demuxmgr_behind(s))
		return;
	for (int i = 0; i < WALK_TURN; i++) {
		struct ecs_session *c = ecs_session_next(s->engine, s->walk);

		if (!c) {
			s->walking = false;
			flush(s, UP, CHASSIS_NEWS_LAST);
			return;
		}
		s->walk = c->spec.callid;
		add(s, UP, c);
	}
}

void sessmgr_news_walk(struct sessmgr *s)
{
	if (s->sr.phase != SESSMGR_SERVES)
		return;
	begin(s, UP);
	begin(s, DOWN);
	s->news_lost = false;
	s->walk_first = s->walking = true;
	s->walk = 0;
}

int sessmgr_news_start(struct sessmgr *s)
{
	_Static_assert(NEWS_MAX * NEWS_ONE <= NEWS_CAP, "a full batch fits");
	for (int i = 0; i < 2; i++) {
		s->news[i] = malloc(NEWS_CAP);
		if (!s->news[i])
			return SRP_ENOMEM;
		begin(s, i);
	}
	return SRP_OK;
}
