/* recovery_kit: two sides with a toy model each, joined by hand: a test says when bytes move. */
#ifndef TESTS_UNIT_RECOVERY_KIT_H
#define TESTS_UNIT_RECOVERY_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/counters.h"
#include "recovery/replica_impl.h"
#include "srp/err.h"
#include "tests/sim/toy.h"

#define KIT_EVENTS (RECOVERY_EV_AUDIT + 1)
#define KIT_BUF    65536u

struct kit_side {
	struct toy toy;
	struct recovery_sink sink;
	struct recovery_replica *r;
	struct recovery_kind_counters rows[2 * TOY_KINDS];
	struct recovery_counters totals;
	unsigned ev[KIT_EVENTS];
	char why[128];
	int rc; /* of the last frame that it read */
	/* questions: what it was asked, what it says, what it was told */
	uint8_t asked[RECOVERY_QUESTION_MAX], say[RECOVERY_ANSWER_MAX], told[RECOVERY_ANSWER_MAX];
	size_t nasked, nsay, ntold;
	unsigned answers;
	uint32_t answered; /* number of the last one */
};

struct kit {
	struct kit_side s[2];
	struct srp_time now;
	uint32_t inflight_max, rate, burst;
	bool lz4;
	enum srp_replica_id id;
	const struct srp_ckpt_kind *const *kinds; /* NULL: those of the toy */
};

static inline void kit_event(void *owner, enum recovery_event ev, const char *why)
{
	struct kit_side *e = owner;

	e->ev[ev]++;
	(void)snprintf(e->why, sizeof(e->why), "%s", why ? why : "");
}

static inline size_t kit_question(void *owner, const uint8_t *q, size_t len, uint8_t *answer, size_t cap,
                                  struct srp_time now)
{
	struct kit_side *e = owner;

	(void)now;
	CU_ASSERT_FATAL(len <= sizeof(e->asked) && e->nsay <= cap);
	memcpy(e->asked, q, len);
	e->nasked = len;
	memcpy(answer, e->say, e->nsay);
	return e->nsay;
}

static inline void kit_answer(void *owner, uint32_t id, const uint8_t *answer, size_t len,
                              struct srp_time now)
{
	struct kit_side *e = owner;

	(void)now;
	CU_ASSERT_FATAL(len <= sizeof(e->told));
	memcpy(e->told, answer, len);
	e->ntold = len;
	e->answered = id;
	e->answers++;
}

/* An empty model, and the replica of it. */
static inline void kit_replica(const struct kit *k, struct kit_side *e, const struct recovery_config *conf)
{
	recovery_sink_init(&e->sink);
	toy_init(&e->toy, &e->sink.sink);
	e->r = recovery_replica_new(conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->r);
	e->sink.replica[k->id] = e->r;
	memset(e->ev, 0, sizeof(e->ev));
}

static inline void kit_birth(struct kit *k, int i)
{
	static const struct recovery_ops ops = {
		.event = kit_event, .question = kit_question, .answer = kit_answer};
	struct kit_side *e = &k->s[i];
	struct recovery_config conf = {
		.id = k->id, .kinds = k->kinds ? k->kinds : toy_kinds, .nkinds = TOY_KINDS, .ckpt_owner = &e->toy,
		.ops = &ops, .ops_owner = e, .counters = e->rows, .totals = &e->totals,
		.random = 77 + (uint64_t)i + k->now.us, .rate = k->rate, .burst = k->burst,
		.inflight_max = k->inflight_max, .lz4 = k->lz4, .sink = &e->sink};

	kit_replica(k, e, &conf);
}

static inline void kit_death(struct kit *k, int i)
{
	recovery_replica_free(k->s[i].r);
	toy_fini(&k->s[i].toy);
	k->s[i].r = NULL;
}

static inline void kit_role(struct kit *k, int i, enum srp_role role, uint32_t term, bool complete)
{
	k->s[i].sink.term = term;
	recovery_replica_role(k->s[i].r, role, term, complete, k->now);
}

/* Side 0 active and complete, side 1 an empty standby; not connected. */
static inline void kit_init(struct kit *k)
{
	k->now = (struct srp_time){1000000};
	kit_birth(k, 0);
	kit_birth(k, 1);
	kit_role(k, 0, SRP_ROLE_ACTIVE, 2, true);
	kit_role(k, 1, SRP_ROLE_STANDBY, 0, false);
}

static inline void kit_fini(struct kit *k)
{
	kit_death(k, 0);
	kit_death(k, 1);
}

static inline void kit_up(struct kit *k)
{
	recovery_replica_up(k->s[0].r, k->now);
	recovery_replica_up(k->s[1].r, k->now);
}

static inline void kit_down(struct kit *k)
{
	recovery_replica_down(k->s[0].r, k->now);
	recovery_replica_down(k->s[1].r, k->now);
}

static inline void kit_check(struct kit *k)
{
	char why[256] = "";

	for (int i = 0; i < 2; i++)
		if (k->s[i].r && recovery_replica_check(k->s[i].r, why, sizeof(why)))
			CU_FAIL(why);
	if (why[0])
		puts(why);
}

/* Gives whole frames to a side. @return the first refusal */
static inline int kit_feed(struct kit *k, int i, const uint8_t *buf, size_t len)
{
	struct srp_frame_hdr h;

	for (size_t pos = 0; pos < len; pos += SRP_FRAME_HDR_LEN + h.len) {
		int rc = srp_frame_peek(&recovery_frames, buf + pos, len - pos,
		                        recovery_replica_link(k->s[i].r), &h);

		if (rc)
			return rc;
		if (len - pos < SRP_FRAME_HDR_LEN + h.len)
			return SRP_ESHORT;
		rc = recovery_replica_rx(k->s[i].r, &h, buf + pos + SRP_FRAME_HDR_LEN, k->now);
		if (rc)
			return rc;
	}
	return SRP_OK;
}

/* What side @p i sends now, once. */
static inline size_t kit_take(struct kit *k, int i, uint8_t *buf, bool *more)
{
	size_t n = recovery_replica_tx(k->s[i].r, buf, KIT_BUF, k->now, more);

	kit_check(k);
	return n;
}

/* Everything that side @p i has to send goes over. @return bytes */
static inline size_t kit_send(struct kit *k, int i)
{
	static uint8_t buf[KIT_BUF];
	size_t n, all = 0;
	bool more = true;

	while (more) {
		n = kit_take(k, i, buf, &more);
		k->s[!i].rc = kit_feed(k, !i, buf, n);
		CU_ASSERT_EQUAL(k->s[!i].rc, SRP_OK);
		kit_check(k);
		all += n;
	}
	return all;
}

/* Both sides send until there is nothing more at this time. */
static inline void kit_exchange(struct kit *k)
{
	while (kit_send(k, 0) + kit_send(k, 1) > 0)
		continue;
}

static inline void kit_after(struct kit *k, uint64_t us)
{
	for (uint64_t end = k->now.us + us; k->now.us < end; k->now.us += 10000)
		kit_exchange(k);
	kit_exchange(k);
}

static inline void kit_connect(struct kit *k)
{
	kit_up(k);
	kit_exchange(k);
}

static inline struct recovery_kind_counters *kit_row(struct kit *k, int i, enum toy_kind kind,
						     bool del)
{
	return &k->s[i].rows[recovery_row(kind, del)];
}

static inline bool kit_same(struct kit *k)
{
	char why[256];

	if (toy_compare(&k->s[0].toy, &k->s[1].toy, why, sizeof(why))) {
		puts(why);
		return false;
	}
	return recovery_replica_digest(k->s[0].r, false, k->now) ==
	               recovery_replica_digest(k->s[1].r, false, k->now) &&
	       recovery_replica_digest(k->s[0].r, true, k->now) ==
	               recovery_replica_digest(k->s[1].r, true, k->now);
}

static inline struct recovery_status kit_status(struct kit *k, int i)
{
	struct recovery_status st;

	recovery_replica_status(k->s[i].r, &st);
	return st;
}

/* Rules, parents 0 to n-1 and a child of each, connected and level. */
static inline void kit_level(struct kit *k, uint32_t n)
{
	kit_init(k);
	kit_connect(k);
	recovery_replica_flush(k->s[0].r, true); /* past a limiter */
	for (uint32_t i = 0; i < TOY_RULES; i++)
		toy_set_rule(&k->s[0].toy, i, 1, k->now);
	for (uint32_t i = 0; i < n; i++)
		toy_set_parent(&k->s[0].toy, i, i + 1, k->now);
	kit_exchange(k);
	for (uint32_t i = 0; i < n; i++)
		toy_set_child(&k->s[0].toy, i, 0, i + 1, i % TOY_RULES, k->now);
	kit_exchange(k);
	kit_role(k, 1, SRP_ROLE_STANDBY, 0, true);
	kit_exchange(k);
	recovery_replica_flush(k->s[0].r, false);
	CU_ASSERT(kit_same(k));
	CU_ASSERT_EQUAL(recovery_replica_link(k->s[0].r), RECOVERY_LINK_READY);
	CU_ASSERT_EQUAL(recovery_replica_link(k->s[1].r), RECOVERY_LINK_READY);
}

#endif
