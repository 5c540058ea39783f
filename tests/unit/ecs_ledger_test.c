#include "config.h"
#include "suites.h"

#include "ecs/ledger.h"
#include "ecs_kit.h"

#define ALL SIZE_MAX

static char *region_new(size_t len)
{
	char *m = aligned_alloc(64, len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	return memset(m, 0, len);
}

/* A kit whose engine keeps its volumes in @p mem. */
static void begin(struct kit *k, uint8_t bit, bool active, void *mem, size_t len, bool fresh)
{
	struct ecs_engine_identity id = {.instance = 3, .ledger = mem, .ledger_len = len,
	                                 .ledger_fresh = fresh};

	kit_init(k, bit, false);
	id.counters = &k->ctr;
	id.rule_stats = k->stats;
	CU_ASSERT_EQUAL(ecs_engine_assume(k->e, &id), 0);
	ecs_engine_active(k->e, active, k->now);
}

static void charge(struct kit *k, struct ecs_session *s, enum ecs_usage_of of, uint64_t id,
                   enum ecs_dir dir, uint64_t pkts, uint64_t bytes)
{
	ecs_usage_charge(k->e, s, of == ECS_USAGE_SESSION ? 0 : 5, of, id, 0, dir, pkts, bytes,
	                 k->now);
}

static struct ecs_usage *usage(struct kit *k, uint32_t callid, enum ecs_usage_of of, uint64_t id)
{
	return ecs_usage_find(k->e, callid, of == ECS_USAGE_SESSION ? 0 : 5, of, id);
}

static uint64_t bytes(struct kit *k, uint32_t callid, enum ecs_usage_of of, uint64_t id)
{
	struct ecs_usage *u = usage(k, callid, of, id);

	return u ? u->own[k->e->conf.chassis_bit & 1].bytes[ECS_UPLINK] : 0;
}

static struct ecs_ledger_stats look(struct kit *k)
{
	struct ecs_ledger_stats st = {0};

	CU_ASSERT_TRUE(ecs_ledger_look(k->e, &st));
	return st;
}

static struct ecs_ledger_lost sweep(struct kit *k, size_t budget)
{
	struct ecs_ledger_lost lost;

	while (ecs_ledger_sweep(k->e, budget, k->now, &lost))
		;
	return lost;
}

/* --- what a successor finds ------------------------------------------------------------------- */

#define LEN 16384u

static void volumes_go_on_where_they_were(void)
{
	char *m = region_new(LEN);
	struct ecs_ledger_lost lost;
	struct kit a, b;
	struct ecs_session *s;
	struct srp_ckpt_obj *out;
	struct ecs_usage *u;

	begin(&a, 1, true, m, LEN, true);
	s = kit_session(&a, 7, 1, true);
	charge(&a, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 100);
	charge(&a, s, ECS_USAGE_RULE, 77, ECS_UPLINK, 1, 100);
	charge(&a, s, ECS_USAGE_RULE, 77, ECS_DOWNLINK, 2, 60);
	ecs_usage_turn(a.e, a.now);
	/* after the records of this second: more of it, and a volume that no record knows */
	charge(&a, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 3, 300);
	charge(&a, s, ECS_USAGE_CONTENT, 9, ECS_UPLINK, 3, 300);
	CU_ASSERT_EQUAL(look(&a).used, 3);
	begin(&b, 1, false, m, LEN, false);
	CU_ASSERT_EQUAL(b.e->conf.instance, 3);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_EQUAL(look(&b).adopted, 3);
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_SESSION, 0), 400);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_SESSION, 0), 400); /* no record lowers it */
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_CONTENT, 9), 300);
	u = usage(&b, 7, ECS_USAGE_RULE, 77);
	CU_ASSERT_EQUAL(u->own[1].pkts[ECS_DOWNLINK], 2);
	CU_ASSERT_EQUAL(u->own[0].pkts[ECS_DOWNLINK], 0);
	lost = sweep(&b, 2);
	CU_ASSERT_EQUAL(lost.volumes, 0);
	CU_ASSERT_EQUAL(look(&b).used, 3);
	/* what was in no record is told at the next turn */
	ecs_engine_active(b.e, true, b.now);
	b.rec.changed[212] = 0;
	ecs_usage_turn(b.e, b.now);
	CU_ASSERT_EQUAL(b.rec.changed[212], 2);
	charge(&b, ecs_session_find(b.e, 7), ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 50);
	kit_fini(&a);
	begin(&a, 1, false, m, LEN, false);
	CU_ASSERT_EQUAL(kit_sync(&b, &a), 0);
	CU_ASSERT_EQUAL(bytes(&a, 7, ECS_USAGE_SESSION, 0), 450);
	kit_fini(&b);
	kit_fini(&a);
	free(m);
}

static void records_raise_what_is_kept(void)
{
	char *m = region_new(LEN);
	struct kit a, b, c;
	struct ecs_session *s;

	begin(&a, 0, true, m, LEN, true);
	kit_init(&b, 0, true);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 100);
	ecs_engine_active(a.e, false, a.now);
	/* the peer knows of more than this chassis does, as after a loss of the region */
	s = kit_session(&b, 7, 1, false);
	charge(&b, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 2, 700);
	charge(&b, s, ECS_USAGE_CONTENT, 5, ECS_UPLINK, 2, 700);
	ecs_usage_turn(b.e, b.now);
	CU_ASSERT_EQUAL(kit_sync(&b, &a), 0);
	CU_ASSERT_EQUAL(bytes(&a, 7, ECS_USAGE_SESSION, 0), 700);
	CU_ASSERT_EQUAL(look(&a).used, 1); /* what was not charged here takes no room */
	ecs_engine_active(a.e, true, a.now);
	charge(&a, ecs_session_find(a.e, 7), ECS_USAGE_CONTENT, 5, ECS_UPLINK, 1, 11);
	CU_ASSERT_EQUAL(look(&a).used, 2);
	begin(&c, 0, false, m, LEN, false);
	CU_ASSERT_EQUAL(kit_send(&b, &c, &s->full, &(struct srp_ckpt_obj *){NULL}), 0);
	CU_ASSERT_EQUAL(bytes(&c, 7, ECS_USAGE_SESSION, 0), 700);
	CU_ASSERT_EQUAL(bytes(&c, 7, ECS_USAGE_CONTENT, 5), 711);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
	free(m);
}

static void the_sweep_frees_what_did_not_come_back(void)
{
	char *m = region_new(LEN);
	struct ecs_ledger_lost lost;
	struct kit a, b;
	struct ecs_session *s;

	begin(&a, 0, true, m, LEN, true);
	for (uint32_t id = 1; id <= 20; id++) {
		s = kit_session(&a, id, id, false);
		charge(&a, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 100 + id);
		charge(&a, s, ECS_USAGE_RULE, 77, ECS_UPLINK, 1, 100 + id);
	}
	begin(&b, 0, false, m, LEN, false);
	for (uint32_t id = 2; id <= 20; id += 2)
		CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_session_find(a.e, id)->full,
		                         &(struct srp_ckpt_obj *){NULL}), 0);
	ecs_engine_active(b.e, true, b.now);
	/* in the middle of it: new sessions, charges, ends */
	CU_ASSERT_TRUE(ecs_ledger_sweep(b.e, 7, b.now, &lost));
	s = kit_session(&b, 100, 100, false);
	charge(&b, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 1);
	CU_ASSERT_EQUAL(ecs_session_delete(b.e, 20, ECS_END_OPERATOR, b.now), 0);
	CU_ASSERT_TRUE(ecs_ledger_sweep(b.e, 0, b.now, &lost));
	s = kit_session(&b, 101, 101, false);
	charge(&b, s, ECS_USAGE_RULE, 5, ECS_UPLINK, 1, 2);
	lost = sweep(&b, 1);
	CU_ASSERT_EQUAL(lost.sessions, 10);
	CU_ASSERT_EQUAL(lost.volumes, 20);
	CU_ASSERT_EQUAL(lost.volume.pkts[ECS_UPLINK], 10);
	CU_ASSERT_EQUAL(lost.volume.bytes[ECS_UPLINK], 10 * 100 + 100); /* 1 + 3 + ... + 19 */
	CU_ASSERT_EQUAL(lost.volume.bytes[ECS_DOWNLINK], 0);
	CU_ASSERT_EQUAL(look(&b).used, 18 + 2);
	CU_ASSERT_FALSE(ecs_ledger_sweep(b.e, ALL, b.now, &lost));
	CU_ASSERT_EQUAL(lost.volumes, 20);
	/* and all of it is there again for others */
	for (uint32_t id = 200; ecs_engine_sessions(b.e) < 60; id++)
		charge(&b, kit_session(&b, id, id, false), ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 1);
	CU_ASSERT_EQUAL(look(&b).used, 20 + 49);
	CU_ASSERT_EQUAL(look(&b).broken, 0);
	kit_fini(&a);
	begin(&a, 0, false, m, LEN, false);
	CU_ASSERT_EQUAL(kit_sync(&b, &a), 0);
	CU_ASSERT_EQUAL(look(&a).adopted, 69);
	CU_ASSERT_EQUAL(bytes(&a, 101, ECS_USAGE_RULE, 5), 2);
	CU_ASSERT_EQUAL(bytes(&a, 18, ECS_USAGE_RULE, 77), 118);
	kit_fini(&a);
	kit_fini(&b);
	free(m);
}

/* --- whose they are --------------------------------------------------------------------------- */

static void a_call_id_given_again_inherits_nothing(void)
{
	char *m = region_new(LEN);
	struct ecs_session_spec spec = kit_spec(7, 1);
	struct ecs_ledger_lost lost;
	struct kit a, b;
	struct ecs_session *s;

	/* by creation: even the same subscriber is another session */
	begin(&a, 0, true, m, LEN, true);
	charge(&a, kit_session(&a, 7, 1, false), ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 100);
	begin(&b, 0, true, m, LEN, false);
	s = kit_session(&b, 7, 1, false);
	CU_ASSERT_EQUAL(s->nusages, 0);
	charge(&b, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 5);
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_SESSION, 0), 5);
	lost = sweep(&b, ALL);
	CU_ASSERT_EQUAL(lost.sessions, 1);
	CU_ASSERT_EQUAL(lost.volume.bytes[ECS_UPLINK], 100);
	kit_fini(&a);
	/* by a record of another subscriber */
	kit_init(&a, 1, true);
	snprintf(spec.imsi, sizeof(spec.imsi), "001010000000002");
	CU_ASSERT_EQUAL(ecs_session_create(a.e, &spec, a.now, &s), 0);
	kit_fini(&b);
	begin(&b, 0, false, m, LEN, false);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(ecs_session_find(b.e, 7)->nusages, 0);
	lost = sweep(&b, ALL);
	CU_ASSERT_EQUAL(lost.volumes, 1);
	CU_ASSERT_EQUAL(lost.volume.bytes[ECS_UPLINK], 5);
	CU_ASSERT_EQUAL(look(&b).used, 0);
	kit_fini(&a);
	kit_fini(&b);
	free(m);
}

static void a_name_that_changes_takes_its_volumes_along(void)
{
	char *m = region_new(LEN);
	struct kit a, b, peer;
	struct ecs_session_spec spec = kit_spec(7, 1);
	struct ecs_session *s;

	begin(&a, 0, true, m, LEN, true);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 100);
	charge(&a, s, ECS_USAGE_RULE, 1, ECS_UPLINK, 1, 100);
	snprintf(spec.username, sizeof(spec.username), "other@example.com");
	kit_init(&peer, 1, true);
	CU_ASSERT_EQUAL(ecs_session_create(peer.e, &spec, peer.now, &s), 0);
	CU_ASSERT_EQUAL(kit_sync(&peer, &a), 0);
	CU_ASSERT_EQUAL(look(&a).used, 2);
	charge(&a, ecs_session_find(a.e, 7), ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 1);
	begin(&b, 0, false, m, LEN, false);
	CU_ASSERT_EQUAL(kit_sync(&peer, &b), 0);
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_SESSION, 0), 101);
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_RULE, 1), 100);
	CU_ASSERT_EQUAL(sweep(&b, ALL).volumes, 0);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&peer);
	free(m);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void a_full_region_leaves_the_rest_to_the_heap(void)
{
	char *m = region_new(ECS_LEDGER_MIN);
	struct ecs_engine_identity id = {.ledger = m, .ledger_len = ECS_LEDGER_MIN - 1};
	struct ecs_session *s;
	struct kit a, b;
	size_t n;

	kit_init(&a, 0, false);
	id.counters = &a.ctr;
	id.rule_stats = a.stats;
	CU_ASSERT_EQUAL(ecs_engine_assume(a.e, &id), SRP_ENOMEM); /* one byte too short */
	CU_ASSERT_FALSE(ecs_ledger_look(a.e, &(struct ecs_ledger_stats){0}));
	CU_ASSERT_EQUAL(sweep(&a, ALL).volumes, 0);
	id.ledger = m + 8;
	id.ledger_len = ECS_LEDGER_MIN;
	CU_ASSERT_EQUAL(ecs_engine_assume(a.e, &id), SRP_ENOMEM); /* not aligned */
	kit_fini(&a);
	begin(&a, 0, true, m, ECS_LEDGER_MIN, true);
	n = look(&a).slots;
	CU_ASSERT_TRUE(n >= 64);
	s = kit_session(&a, 7, 1, false);
	for (size_t i = 1; i <= n; i++)
		charge(&a, s, ECS_USAGE_RULE, i, ECS_UPLINK, 1, i);
	CU_ASSERT_EQUAL(look(&a).used, n);
	CU_ASSERT_EQUAL(look(&a).full, 0);
	charge(&a, s, ECS_USAGE_RULE, n + 1, ECS_UPLINK, 1, 10);
	charge(&a, s, ECS_USAGE_RULE, n + 1, ECS_UPLINK, 1, 10);
	CU_ASSERT_EQUAL(look(&a).full, 1);
	CU_ASSERT_EQUAL(bytes(&a, 7, ECS_USAGE_RULE, n + 1), 20);
	begin(&b, 0, false, m, ECS_LEDGER_MIN, false);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &(struct srp_ckpt_obj *){NULL}), 0);
	CU_ASSERT_EQUAL(look(&b).adopted, n);
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_RULE, n), n);
	CU_ASSERT_EQUAL(bytes(&b, 7, ECS_USAGE_RULE, n + 1), 0);
	kit_fini(&b);
	/* room again, and what had none before does not ask again */
	CU_ASSERT_EQUAL(ecs_session_delete(a.e, 7, ECS_END_OPERATOR, a.now), 0);
	CU_ASSERT_EQUAL(look(&a).used, 0);
	s = kit_session(&a, 8, 1, false);
	for (size_t i = 1; i <= n; i++)
		charge(&a, s, ECS_USAGE_RULE, i, ECS_UPLINK, 1, i);
	CU_ASSERT_EQUAL(look(&a).used, n);
	CU_ASSERT_EQUAL(look(&a).full, 1);
	kit_fini(&a);
	free(m);
}

static void what_ends_gives_its_place_back(void)
{
	char *m = region_new(ECS_LEDGER_MIN);
	struct srp_ckpt_key key = {{7, 5u << 3 | ECS_USAGE_RULE, 3}};
	struct srp_ckpt_ctx ctx;
	struct ecs_session *s;
	struct kit a;

	begin(&a, 0, true, m, ECS_LEDGER_MIN, true);
	for (uint32_t i = 1; i < 500; i++) {
		s = kit_session(&a, i, 1, false);
		for (uint64_t id = 1; id < 4; id++)
			charge(&a, s, ECS_USAGE_RULE, id, ECS_UPLINK, 1, 1);
		if (i == 7) {
			ctx = kit_ctx(&a, false);
			CU_ASSERT_EQUAL(ecs_kind_usage.remove(&ctx, &key), 0);
			CU_ASSERT_EQUAL(look(&a).used, 2);
		}
		CU_ASSERT_EQUAL(ecs_session_delete(a.e, i, ECS_END_IDLE, a.now), 0);
	}
	CU_ASSERT_EQUAL(look(&a).used, 0);
	CU_ASSERT_EQUAL(look(&a).full, 0);
	CU_ASSERT_EQUAL(look(&a).broken, 0);
	kit_fini(&a);
	free(m);
}

/* --- what a wild predecessor leaves ----------------------------------------------------------- */

#define CALLS 6u

static void fill(struct kit *a)
{
	for (uint32_t id = 1; id <= CALLS; id++) {
		struct ecs_session *s = kit_session(a, id, id, false);

		charge(a, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 1000 + id);
		charge(a, s, ECS_USAGE_RULE, 77, ECS_UPLINK, 1, 2000 + id);
		charge(a, s, ECS_USAGE_CONTENT, 9, ECS_UPLINK, 1, 3000 + id);
	}
}

/* The successor lives with what is in @p m: true where each volume is what it was or missing. */
static bool live(struct kit *a, char *m, size_t len)
{
	static const enum ecs_usage_of of[] = {ECS_USAGE_SESSION, ECS_USAGE_RULE,
	                                       ECS_USAGE_CONTENT};
	static const uint64_t ids[] = {0, 77, 9};
	bool right = true;
	struct kit b;

	begin(&b, 0, false, m, len, false);
	for (uint32_t id = 1; id <= CALLS; id++)
		CU_ASSERT_EQUAL(kit_send(a, &b, &ecs_session_find(a->e, id)->full,
		                         &(struct srp_ckpt_obj *){NULL}), 0);
	for (uint32_t id = 1; id <= CALLS; id++)
		for (unsigned i = 0; i < 3; i++) {
			uint64_t v = bytes(&b, id, of[i], ids[i]);

			right &= v == 0 || v == (i + 1) * 1000 + id;
		}
	ecs_engine_active(b.e, true, b.now);
	for (uint32_t id = 1; id <= CALLS; id++)
		charge(&b, ecs_session_find(b.e, id), ECS_USAGE_RULE, 99, ECS_UPLINK, 1, 1);
	sweep(&b, 5);
	for (uint32_t id = 1; id <= CALLS; id++)
		CU_ASSERT_EQUAL(ecs_session_delete(b.e, id, ECS_END_IDLE, b.now), 0);
	CU_ASSERT_EQUAL(look(&b).used, 0);
	kit_fini(&b);
	return right;
}

static void each_broken_byte_is_survived(void)
{
	char *m = region_new(ECS_LEDGER_MIN), *copy = region_new(ECS_LEDGER_MIN);
	size_t bytes_used;
	bool right = true;
	struct kit a;

	begin(&a, 0, true, m, ECS_LEDGER_MIN, true);
	fill(&a);
	bytes_used = (size_t)(a.e->ledger->slots - m) + (3 * CALLS + 1) * ECS_LEDGER_SLOT;
	for (size_t i = 0; i < bytes_used; i++) {
		size_t in = i < (size_t)(a.e->ledger->slots - m)
		                    ? 0
		                    : (i - (size_t)(a.e->ledger->slots - m)) % ECS_LEDGER_SLOT;

		if (in >= ECS_LEDGER_VOLUME && in < ECS_LEDGER_SLOT && i % 8 < 7)
			continue; /* a count is as good as another; one too high is not */
		memcpy(copy, m, ECS_LEDGER_MIN);
		copy[i] = (char)(copy[i] ^ (in >= ECS_LEDGER_VOLUME ? 0x7f : 0xff));
		right &= live(&a, copy, ECS_LEDGER_MIN);
		memcpy(copy, m, ECS_LEDGER_MIN);
		copy[i] = (char)(copy[i] ^ 0x01);
		if (in < ECS_LEDGER_VOLUME)
			right &= live(&a, copy, ECS_LEDGER_MIN);
	}
	CU_ASSERT_TRUE(right);
	kit_fini(&a);
	free(copy);
	free(m);
}

/* Every link of a chain to every slot: circles, chains that run into each other. */
static void chains_that_go_in_circles_are_cut(void)
{
	char *m = region_new(ECS_LEDGER_MIN), *copy = region_new(ECS_LEDGER_MIN);
	size_t slots;
	bool right = true;
	struct kit a;

	begin(&a, 0, true, m, ECS_LEDGER_MIN, true);
	fill(&a);
	slots = (size_t)(a.e->ledger->slots - m);
	for (size_t i = 0; i < 3 * CALLS; i++)
		for (uint32_t to = 0; to <= 3 * CALLS + 1; to++) {
			memcpy(copy, m, ECS_LEDGER_MIN);
			memcpy(copy + slots + i * ECS_LEDGER_SLOT + 20, &to, sizeof(to));
			right &= live(&a, copy, ECS_LEDGER_MIN);
		}
	CU_ASSERT_TRUE(right);
	kit_fini(&a);
	free(copy);
	free(m);
}

static void a_head_that_cannot_be_read_is_written_anew(void)
{
	char *m = region_new(2 * ECS_LEDGER_MIN);
	struct ecs_session *s;
	struct kit a, b;

	begin(&a, 0, true, m, 2 * ECS_LEDGER_MIN, true);
	fill(&a);
	begin(&b, 0, true, m, ECS_LEDGER_MIN, false); /* of another size */
	CU_ASSERT_TRUE(look(&b).formatted);
	CU_ASSERT_EQUAL(sweep(&b, ALL).volumes, 0);
	s = kit_session(&b, 3, 1, false);
	CU_ASSERT_EQUAL(s->nusages, 0);
	charge(&b, s, ECS_USAGE_SESSION, 0, ECS_UPLINK, 1, 1);
	CU_ASSERT_EQUAL(look(&b).used, 1);
	kit_fini(&b);
	begin(&b, 0, false, m, ECS_LEDGER_MIN, false);
	CU_ASSERT_FALSE(look(&b).formatted);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_session_find(a.e, 3)->full,
	                         &(struct srp_ckpt_obj *){NULL}), 0);
	CU_ASSERT_EQUAL(bytes(&b, 3, ECS_USAGE_SESSION, 0), 1);
	kit_fini(&b);
	for (size_t i = 0; i < ECS_LEDGER_MIN; i++)
		m[i] = (char)(i * 7919 >> 3);
	CU_ASSERT_TRUE(live(&a, m, ECS_LEDGER_MIN));
	kit_fini(&a);
	free(m);
}

CU_TestInfo ecs_ledger_tests[] = {
	{"volumes go on where they were", volumes_go_on_where_they_were},
	{"records raise what is kept", records_raise_what_is_kept},
	{"the sweep frees what did not come back", the_sweep_frees_what_did_not_come_back},
	{"a call-id given again inherits nothing", a_call_id_given_again_inherits_nothing},
	{"a name that changes takes its volumes along",
	 a_name_that_changes_takes_its_volumes_along},
	{"a full region leaves the rest to the heap", a_full_region_leaves_the_rest_to_the_heap},
	{"what ends gives its place back", what_ends_gives_its_place_back},
	{"each broken byte is survived", each_broken_byte_is_survived},
	{"chains that go in circles are cut", chains_that_go_in_circles_are_cut},
	{"a head that cannot be read is written anew", a_head_that_cannot_be_read_is_written_anew},
	CU_TEST_INFO_NULL,
};
