#include "config.h"
#include "suites.h"

#include "ecs/quota.h"
#include "ecs_kit.h"

static void charge(struct kit *k, struct ecs_session *s, uint8_t bearer, enum ecs_usage_of of,
                   uint64_t id, uint64_t pkts, uint64_t bytes)
{
	ecs_usage_charge(k->e, s, bearer, of, id, 0, ECS_UPLINK, pkts, bytes, k->now);
}

static struct ecs_usage *session_usage(struct kit *k, uint32_t callid)
{
	return ecs_usage_find(k->e, callid, 0, ECS_USAGE_SESSION, 0);
}

static uint64_t up(struct kit *k, uint32_t callid)
{
	struct ecs_usage *u = session_usage(k, callid);

	return u ? ecs_usage_sum(u).bytes[ECS_UPLINK] : 0;
}

static void test_charge_and_turn(void)
{
	struct ecs_session *s;
	struct ecs_usage *u;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 0, ECS_USAGE_SESSION, 0, 1, 100);
	charge(&a, s, 5, ECS_USAGE_RULE, 77, 1, 100);
	charge(&a, s, 6, ECS_USAGE_RULE, 77, 1, 60);
	charge(&a, s, 5, ECS_USAGE_CONTENT, 77, 1, 100);
	charge(&a, s, 5, ECS_USAGE_RULE, 77, 2, 50);
	ecs_usage_charge(a.e, s, 5, ECS_USAGE_RULE, 77, 3, ECS_DOWNLINK, 4, 40, a.now);
	CU_ASSERT_EQUAL(s->nusages, 4);
	CU_ASSERT_EQUAL(a.rec.changed[212], 0);
	u = ecs_usage_find(a.e, 7, 5, ECS_USAGE_RULE, 77);
	CU_ASSERT_PTR_NOT_NULL_FATAL(u);
	CU_ASSERT_EQUAL(u->own[0].bytes[ECS_UPLINK], 150);
	CU_ASSERT_EQUAL(u->own[0].pkts[ECS_UPLINK], 3);
	CU_ASSERT_EQUAL(u->own[0].bytes[ECS_DOWNLINK], 40);
	CU_ASSERT_EQUAL(u->own[1].bytes[ECS_UPLINK], 0);
	CU_ASSERT_EQUAL(u->stats, 3);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[212], 4); /* one each, however often it was charged */
	CU_ASSERT_EQUAL(u->ckpt.version, 1);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[212], 4);
	charge(&a, s, 5, ECS_USAGE_RULE, 77, 1, 1);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[212], 5);
	/* more volumes than are looked at before the index */
	for (uint64_t id = 1; id <= 50; id++)
		charge(&a, s, 5, ECS_USAGE_CONTENT, id, 1, id);
	for (uint64_t id = 1; id <= 50; id++)
		charge(&a, s, 5, ECS_USAGE_CONTENT, id, 1, id);
	CU_ASSERT_EQUAL(s->nusages, 54);
	CU_ASSERT_EQUAL(ecs_usage_find(a.e, 7, 5, ECS_USAGE_CONTENT, 33)->own[0].bytes[0], 66);
	ecs_session_delete(a.e, 7, ECS_END_OPERATOR, a.now);
	CU_ASSERT_PTR_NULL(ecs_usage_find(a.e, 7, 5, ECS_USAGE_CONTENT, 33));
	ecs_usage_turn(a.e, a.now); /* nothing freed is on a list */
	CU_ASSERT_EQUAL(a.rec.deleted[212], 54);
	kit_fini(&a);
}

/* The turn of a second in steps: each volume once, and what changes meanwhile is of the next. */
static void test_step(void)
{
	struct ecs_session *s;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	ecs_usage_step(a.e, a.now, 10);
	for (uint64_t id = 1; id <= 5; id++)
		charge(&a, s, 5, ECS_USAGE_CONTENT, id, 1, 1);
	CU_ASSERT_FALSE(ecs_usage_step(a.e, a.now, 10)); /* not due */
	CU_ASSERT_EQUAL(a.rec.changed[212], 0);
	a.now = srp_time_add(a.now, SRP_SEC(1));
	CU_ASSERT_TRUE(ecs_usage_step(a.e, a.now, 2));
	CU_ASSERT_EQUAL(a.rec.changed[212], 2);
	for (uint64_t id = 1; id <= 5; id++)
		charge(&a, s, 5, ECS_USAGE_CONTENT, id, 1, 1);
	CU_ASSERT_TRUE(ecs_usage_step(a.e, a.now, 2));
	CU_ASSERT_FALSE(ecs_usage_step(a.e, a.now, 2));
	CU_ASSERT_EQUAL(a.rec.changed[212], 5);
	CU_ASSERT_FALSE(ecs_usage_step(a.e, a.now, 2)); /* the rest is of the next second */
	CU_ASSERT_EQUAL(a.rec.changed[212], 5);
	a.now = srp_time_add(a.now, SRP_SEC(1));
	ecs_usage_step(a.e, a.now, 10);
	CU_ASSERT_EQUAL(a.rec.changed[212], 7);
	kit_fini(&a);
}

/* A grant is told at once, and has no turn of its replica to wait for; its use goes with the next turn. */
static void test_grant(void)
{
	const struct srp_ckpt_obj *o;
	struct srp_ckpt_obj *out = NULL;
	struct ecs_session *s;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	ecs_usage_step(a.e, a.now, 10);
	CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 77, 1000, NULL, a.now), 0);
	CU_ASSERT_EQUAL(a.rec.changed[218], 1);
	CU_ASSERT_PTR_NULL(ecs_kind_quota.paced);
	o = a.rec.last;
	CU_ASSERT_EQUAL(kit_send(&a, &b, o, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, o, &b, out));
	CU_ASSERT_EQUAL(ecs_usage_find(b.e, 7, 0, ECS_USAGE_QUOTA, 77)->own[0].bytes[ECS_QUOTA_GRANTED], 1000);
	ecs_usage_charge(a.e, s, 0, ECS_USAGE_QUOTA, 77, 0, (enum ecs_dir)ECS_QUOTA_USED, 1, 400, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[218], 1);
	a.now = srp_time_add(a.now, SRP_SEC(1));
	ecs_usage_step(a.e, a.now, 10);
	CU_ASSERT_EQUAL(a.rec.changed[218], 2);
	CU_ASSERT_EQUAL(a.rec.changed[212], 0);
	kit_fini(&a);
	kit_fini(&b);
}

/* The URL of the last grant is part of the record; what could not be entered here is refused. */
static void test_grant_url(void)
{
	static const char *const bad[] = {"ftp://a", "http://", "http://a b", "http://a\"", "x"};
	char url[ECS_URL_MAX + 2] = "http://";
	struct srp_ckpt_obj *out = NULL;
	struct ecs_session *s;
	struct ecs_usage *u, *v;
	struct ecs_quota q;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 77, 1000, bad[i], a.now), SRP_EINVAL);
	CU_ASSERT_PTR_NULL(ecs_usage_find(a.e, 7, 0, ECS_USAGE_QUOTA, 77));
	memset(url + 7, 'a', ECS_URL_MAX + 1 - 7);
	CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 77, 1000, url, a.now), SRP_EINVAL); /* one too long */
	url[ECS_URL_MAX] = '\0';
	CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 77, 1000, url, a.now), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, a.rec.last, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, a.rec.last, &b, out));
	u = ecs_usage_find(a.e, 7, 0, ECS_USAGE_QUOTA, 77);
	v = ecs_usage_find(b.e, 7, 0, ECS_USAGE_QUOTA, 77);
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	CU_ASSERT_TRUE(ecs_quota_of(v, &q));
	CU_ASSERT_STRING_EQUAL(q.url, url);
	CU_ASSERT_EQUAL(b.e->nurls, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) { /* of a peer that does not look */
		CU_ASSERT_EQUAL(ecs_quota_set_url(a.e, u, bad[i]), 0);
		CU_ASSERT_EQUAL(kit_send(&a, &b, &u->ckpt, &out), SRP_EINVAL);
	}
	CU_ASSERT_STRING_EQUAL(v->url, url);
	CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 77, 1000, NULL, a.now), 0); /* it is taken back */
	CU_ASSERT_EQUAL(kit_send(&a, &b, &u->ckpt, &out), 0);
	CU_ASSERT_PTR_NULL(v->url);
	CU_ASSERT_TRUE(kit_same(&a, &u->ckpt, &b, out));
	CU_ASSERT_EQUAL(b.e->nurls, 0);
	/* beyond the limit it is neither granted nor taken over */
	CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 77, 1000, "http://a", a.now), 0);
	b.e->nurls = a.e->nurls = ECS_QUOTA_URLS_MAX;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &u->ckpt, &out), SRP_EFULL);
	CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 78, 1000, "http://a", a.now), SRP_EFULL);
	CU_ASSERT_EQUAL(ecs_quota_grant(a.e, 7, 77, 1000, "http://b", a.now), 0); /* in place of another */
	CU_ASSERT_EQUAL(a.e->nurls, ECS_QUOTA_URLS_MAX);
	a.e->nurls = 1;
	ecs_session_delete(a.e, 7, ECS_END_OPERATOR, a.now);
	CU_ASSERT_EQUAL(a.e->nurls, 0);
	b.e->nurls = 0;
	kit_fini(&a);
	kit_fini(&b);
}

static void test_round_trip(void)
{
	struct srp_ckpt_obj *out = NULL;
	struct ecs_session *s;
	struct ecs_usage *u;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 5, ECS_USAGE_RULE, 0xdeadbeef, 3, 1500);
	u = ecs_usage_find(a.e, 7, 5, ECS_USAGE_RULE, 0xdeadbeef);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &u->ckpt, &out), SRP_ENOSESS);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &u->ckpt, &out), 0);
	CU_ASSERT_PTR_EQUAL(out, &ecs_usage_find(b.e, 7, 5, ECS_USAGE_RULE, 0xdeadbeef)->ckpt);
	CU_ASSERT_TRUE(kit_same(&a, &u->ckpt, &b, out));
	CU_ASSERT_PTR_EQUAL(ecs_kind_usage.parent(out), &ecs_session_find(b.e, 7)->full);
	CU_ASSERT_EQUAL(ecs_kind_usage.del_id, 0);
	/* what was charged after the turn is not in the record, so the hash is what it was */
	charge(&a, s, 5, ECS_USAGE_RULE, 0xdeadbeef, 1, 1);
	CU_ASSERT_TRUE(kit_same(&a, &u->ckpt, &b, out));
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_FALSE(kit_same(&a, &u->ckpt, &b, out));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &u->ckpt, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, &u->ckpt, &b, out));
	CU_ASSERT_EQUAL(ecs_session_find(b.e, 7)->nusages, 1);
	kit_fini(&a);
	kit_fini(&b);
}

static void test_size(void)
{
	struct ecs_session *s;
	struct ecs_usage *u;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 0x80001234, 1, false);
	ecs_usage_charge(a.e, s, 5, ECS_USAGE_RULE, 0xdeadbeef, 0, ECS_UPLINK, 40, 5000, a.now);
	ecs_usage_charge(a.e, s, 5, ECS_USAGE_RULE, 0xdeadbeef, 0, ECS_DOWNLINK, 60, 60000, a.now);
	u = ecs_usage_find(a.e, s->spec.callid, 5, ECS_USAGE_RULE, 0xdeadbeef);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_TRUE(kit_record_len(&a, &u->ckpt) < 30);
	u->own[1] = (struct ecs_volume){{ECS_VOLUME_MAX, ECS_VOLUME_MAX},
	                                {ECS_VOLUME_MAX, ECS_VOLUME_MAX}};
	u->told = u->own[1];
	u->id = UINT64_MAX;
	u->ckpt.term = u->ckpt.version = UINT32_MAX;
	CU_ASSERT_TRUE(kit_record_len(&a, &u->ckpt) <= ecs_kind_usage.max_len);
	u->id = 0xdeadbeef;
	kit_fini(&a);
}

static void test_torture(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_usage *u;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 5, ECS_USAGE_CONTENT, 100, 3, 150000);
	u = ecs_usage_find(a.e, 7, 5, ECS_USAGE_CONTENT, 100);
	u->own[1].bytes[0] = 900;
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	kit_torture(&a, &b, &u->ckpt);
	kit_torture(&a, &b, &u->ckpt);
	kit_fini(&a);
	kit_fini(&b);
}

static int apply_raw(struct kit *b, uint64_t callid, uint64_t what, uint64_t id, unsigned n,
                     uint64_t value)
{
	struct srp_ckpt_obj *out;
	uint8_t buf[128];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, n);
	for (unsigned i = 0; i < n; i++)
		srp_mp_w_uint(&w, value);
	srp_mp_w_nil(&w);
	return kit_apply(b, &ecs_kind_usage, &(struct srp_ckpt_key){{callid, what, id}}, buf,
	                 srp_mp_w_len(&w), 2, &out);
}

static void test_refusals(void)
{
	struct kit_state st;
	struct kit b;

	kit_init(&b, 1, true);
	kit_session(&b, 7, 1, false);
	st = kit_state(&b);
	CU_ASSERT_EQUAL(apply_raw(&b, 8, 0, 0, 4, 1), SRP_ENOSESS);
	CU_ASSERT_EQUAL(apply_raw(&b, 0, 0, 0, 4, 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_raw(&b, (uint64_t)1 << 32 | 7, 0, 0, 4, 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 6, 9, 4, 1), SRP_ERANGE); /* of a flow: another kind */
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 3, 9, 4, 1), SRP_ERANGE); /* no rating group */
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 5, 9, 4, 1), SRP_ERANGE); /* quota of a bearer */
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5, 0, 4, 1), SRP_ERANGE); /* quota of nothing */
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 0, 1, 4, 1), SRP_ERANGE);        /* session, with an id */
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3, 0, 4, 1), SRP_ERANGE); /* session, with a bearer */
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 4 << 3 | 1, 9, 4, 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 16 << 3 | 1, 9, 4, 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, (uint64_t)5 << 32 | 1, 9, 4, 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 2, 0, 4, 1), SRP_ERANGE); /* content-id 0 */
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 2, (uint64_t)1 << 32, 4, 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 1, 9, 3, 1), SRP_EFORMAT);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 1, 9, 5, 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 1, 9, 4, ECS_VOLUME_MAX + 1), SRP_ERANGE);
	CU_ASSERT_TRUE(kit_unchanged(&b, &st));
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 1, 9, 4, ECS_VOLUME_MAX), 0);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 1, UINT64_MAX, 4, 1), 0);
	kit_fini(&b);
}

/* A peer cannot make us hold volumes without end. */
static void test_limit(void)
{
	unsigned ok = 0;
	struct kit b;

	kit_init(&b, 1, true);
	kit_session(&b, 7, 1, false);
	for (uint64_t id = 1; id <= ECS_CALL_USAGES_MAX; id++)
		ok += apply_raw(&b, 7, 5 << 3 | 2, id, 4, 1) == 0;
	CU_ASSERT_EQUAL(ok, ECS_CALL_USAGES_MAX);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 2, ECS_CALL_USAGES_MAX + 1, 4, 1), SRP_EFULL);
	CU_ASSERT_EQUAL(apply_raw(&b, 7, 5 << 3 | 2, ECS_CALL_USAGES_MAX, 4, 2), 0);
	kit_fini(&b);
}

/* --- the counter of two chassis --------------------------------------------------------------- */

/* Records may be repeated, and cross a takeover: what each side has charged is counted once. */
static void test_two_epochs(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 0, ECS_USAGE_SESSION, 0, 1, 1000);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(up(&b, 7), 1000);
	/* b takes over and charges; a's last record comes late, and twice */
	ecs_engine_active(b.e, true, b.now);
	t = ecs_session_find(b.e, 7);
	charge(&b, t, 0, ECS_USAGE_SESSION, 0, 1, 50);
	charge(&a, s, 0, ECS_USAGE_SESSION, 0, 1, 200);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &session_usage(&a, 7)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &session_usage(&a, 7)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(up(&b, 7), 1250);
	/* back again: a is told of b's part, and keeps its own */
	ecs_engine_active(a.e, false, a.now);
	ecs_usage_turn(b.e, b.now);
	CU_ASSERT_EQUAL(kit_send(&b, &a, &session_usage(&b, 7)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(up(&a, 7), 1250);
	CU_ASSERT_TRUE(kit_same(&a, &session_usage(&a, 7)->ckpt, &b, &session_usage(&b, 7)->ckpt));
	kit_fini(&a);
	kit_fini(&b);
}

/* What the peer does not know of our slot is kept, does not spoil the comparison, and is told at
 * the next takeover. */
static void test_own_is_not_lost(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_usage *ua, *ub;
	struct kit a, b;
	unsigned told;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 0, ECS_USAGE_SESSION, 0, 1, 1000);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	charge(&a, s, 0, ECS_USAGE_SESSION, 0, 1, 77); /* b never hears of it */
	ecs_engine_active(a.e, false, a.now);
	ecs_engine_active(b.e, true, b.now);
	ua = session_usage(&a, 7);
	ub = session_usage(&b, 7);
	charge(&b, ecs_session_find(b.e, 7), 0, ECS_USAGE_SESSION, 0, 1, 5);
	ecs_usage_turn(b.e, b.now);
	CU_ASSERT_EQUAL(kit_send(&b, &a, &ub->ckpt, &out), 0);
	CU_ASSERT_EQUAL(up(&a, 7), 1082);
	CU_ASSERT_TRUE(kit_same(&a, &ua->ckpt, &b, &ub->ckpt));
	ecs_engine_active(b.e, false, b.now);
	ecs_engine_active(a.e, true, a.now);
	told = a.rec.changed[212];
	ecs_engine_tick(a.e, a.now, 100);
	CU_ASSERT_EQUAL(a.rec.changed[212], told + 1);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ua->ckpt, &out), 0);
	CU_ASSERT_EQUAL(up(&b, 7), 1082);
	kit_fini(&a);
	kit_fini(&b);
}

/* A chassis that lost its memory gets its slot back, and never less than it has. */
static void test_restart(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b, a2;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 0, ECS_USAGE_SESSION, 0, 10, 1000);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	kit_init(&a2, 0, false);
	CU_ASSERT_EQUAL(kit_sync(&b, &a2), 0);
	CU_ASSERT_EQUAL(up(&a2, 7), 1000);
	CU_ASSERT_EQUAL(session_usage(&a2, 7)->own[0].bytes[ECS_UPLINK], 1000);
	ecs_engine_active(a2.e, true, a2.now);
	charge(&a2, ecs_session_find(a2.e, 7), 0, ECS_USAGE_SESSION, 0, 1, 1);
	/* an older value of ours */
	CU_ASSERT_EQUAL(kit_send(&b, &a2, &session_usage(&b, 7)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(up(&a2, 7), 1001);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&a2);
}

/* From our own aaamgr nothing ever goes down; from the peer its own slot is as it says. */
static void test_sources(void)
{
	struct srp_ckpt_obj *out;
	struct srp_ckpt_ctx ctx;
	struct srp_ckpt_key key;
	struct ecs_session *s;
	struct ecs_usage *u;
	uint8_t buf[KIT_RECORD];
	struct srp_mp_r r;
	size_t len;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 0, ECS_USAGE_SESSION, 0, 1, 1000);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	u = session_usage(&b, 7);
	u->own[0].bytes[ECS_UPLINK] = 5000; /* a damaged copy of the peer's slot */
	ecs_kind_usage.key(&u->ckpt, &key);
	len = kit_encode(&a, &session_usage(&a, 7)->ckpt, false, buf);
	ctx = kit_ctx(&b, false);
	ctx.replica = SRP_REPLICA_SR;
	r = srp_mp_r_init(buf, len);
	CU_ASSERT_EQUAL(ecs_kind_usage.apply(&ctx, &key, &r, 2, &out), 0);
	CU_ASSERT_EQUAL(up(&b, 7), 5000);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &session_usage(&a, 7)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(up(&b, 7), 1000); /* mended */
	kit_fini(&a);
	kit_fini(&b);
}

/* In any order and number of deliveries of the newest records both sides end with the same sums. */
static void test_orders(void)
{
	struct srp_ckpt_obj *out;
	uint32_t rnd = 12345;

	for (int round = 0; round < 200; round++) {
		uint64_t sum = 0;
		struct kit a, b;

		kit_init(&a, 0, true);
		kit_init(&b, 1, false);
		kit_session(&a, 7, 1, false);
		charge(&a, ecs_session_find(a.e, 7), 0, ECS_USAGE_SESSION, 0, 1, 1);
		sum++;
		ecs_usage_turn(a.e, a.now);
		CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
		for (int i = 0; i < 12; i++) {
			struct kit *k;

			rnd = rnd * 1664525u + 1013904223u;
			k = rnd >> 31 ? &a : &b;
			if (rnd & 0x40000000u) {
				ecs_engine_active(k->e, true, k->now);
				charge(k, ecs_session_find(k->e, 7), 0, ECS_USAGE_SESSION, 0, 1,
				       rnd & 0xff);
				sum += rnd & 0xff;
				ecs_usage_turn(k->e, k->now);
				ecs_engine_active(k->e, false, k->now);
			} else {
				kit_send(k, k == &a ? &b : &a, &session_usage(k, 7)->ckpt, &out);
			}
		}
		ecs_usage_turn(a.e, a.now); /* each speaks its turn before its record */
		kit_send(&a, &b, &session_usage(&a, 7)->ckpt, &out);
		ecs_usage_turn(b.e, b.now);
		kit_send(&b, &a, &session_usage(&b, 7)->ckpt, &out);
		CU_ASSERT_EQUAL(up(&a, 7), sum);
		CU_ASSERT_EQUAL(up(&b, 7), sum);
		kit_fini(&a);
		kit_fini(&b);
	}
}

CU_TestInfo ecs_kind_usage_tests[] = {
	{"charging and the turn", test_charge_and_turn},
	{"a turn in steps", test_step},
	{"a grant is told at once", test_grant},
	{"the URL of a grant", test_grant_url},
	{"a record makes the volume", test_round_trip},
	{"sizes", test_size},
	{"cut and twisted records are refused whole", test_torture},
	{"refusals", test_refusals},
	{"limit against the peer", test_limit},
	{"two chassis, one sum", test_two_epochs},
	{"what the peer lacks of ours is not lost", test_own_is_not_lost},
	{"a restart gets its slot back", test_restart},
	{"who may lower what", test_sources},
	{"any order of deliveries", test_orders},
	CU_TEST_INFO_NULL,
};
