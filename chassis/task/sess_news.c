/* sess_news: tells demuxmgr which calls this instance holds, as they come and go, in batches; and all
 * of them again when demuxmgr was restarted. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdlib.h>

#include "srp/err.h"

#define NEWS_CAP  4000   /* body of one frame */
#define NEWS_ONE  48     /* longest call in it */
#define NEWS_MAX  80     /* calls in one frame */
#define WALK_TURN 2000   /* calls told per turn of the loop after a restart of demuxmgr */

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

/* @p last: these were all that the instance holds. */
static void flush(struct sessmgr *s, int which, bool last)
{
	uint8_t body[NEWS_CAP + 16];
	struct srp_mp_w w = srp_mp_w_init(body, sizeof(body));

	if (!s->news_n[which] && !last)
		return;
	srp_mp_w_array(&w, 1 + 3 * s->news_n[which]);
	srp_mp_w_uint(&w, last);
	srp_mp_w_raw(&w, s->news[which], srp_mp_w_len(&s->news_w[which]));
	/* Without a demuxmgr there is nobody to tell: its successor is told everything. */
	chassis_task_send(s->ctx, CHASSIS_TASK_DEMUXMGR, 0,
	                  which == UP ? CHASSIS_IPC_SESSION_UP : CHASSIS_IPC_SESSION_DOWN, &w, -1);
	begin(s, which);
}

static void add(struct sessmgr *s, int which, const struct ecs_session *c)
{
	struct srp_mp_w *w = &s->news_w[which];

	srp_mp_w_uint(w, c->spec.callid);
	put_addr(w, c->spec.has4, &c->spec.v4);
	put_addr(w, c->spec.has6, &c->spec.v6);
	if (++s->news_n[which] == NEWS_MAX)
		flush(s, which, false);
}

static void session_up(void *owner, const struct ecs_session *c)
{
	struct sessmgr *s = owner;

	/* The other list first: a call that goes and comes back must arrive in that order. */
	flush(s, DOWN, false);
	add(s, UP, c);
}

static void session_down(void *owner, const struct ecs_session *c, enum ecs_session_end why)
{
	struct sessmgr *s = owner;

	(void)why;
	flush(s, UP, false);
	add(s, DOWN, c);
}

const struct ecs_engine_ops sessmgr_engine_ops = {.session_up = session_up,
                                                  .session_down = session_down};

void sessmgr_news_flush(struct sessmgr *s)
{
	flush(s, UP, false);
	flush(s, DOWN, false);
	if (!s->walking)
		return;
	for (int i = 0; i < WALK_TURN; i++) {
		struct ecs_session *c = ecs_session_next(s->engine, s->walk);

		if (!c) {
			s->walking = false;
			flush(s, UP, true);
			return;
		}
		s->walk = c->spec.callid;
		add(s, UP, c);
	}
}

void sessmgr_news_walk(struct sessmgr *s)
{
	begin(s, UP);
	begin(s, DOWN);
	s->walking = true;
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
