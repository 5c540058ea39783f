/* recovery_mirror: an instance with a toy model, its peer chassis (side 1 of a kit), and the store
 * that mirrors it, all joined by hand. */
#ifndef TESTS_UNIT_RECOVERY_MIRROR_H
#define TESTS_UNIT_RECOVERY_MIRROR_H

#include "recovery/fill.h"
#include "recovery/store_impl.h"
#include "recovery_kit.h"

#define MIRROR_CAP (6u << 20)

struct mirror {
	struct kit k;                /* side 0: the instance, with its GR replica; side 1: the peer */
	struct recovery_replica *sr; /* of the instance */
	struct recovery_kind_counters sr_rows[2 * TOY_KINDS];
	struct recovery_counters sr_totals;
	/* aaamgr */
	void *mem;
	struct recovery_store *store;
	struct recovery_sink sink;
	struct recovery_replica *r;
	struct recovery_kind_counters rows[2 * TOY_KINDS];
	struct recovery_counters totals;
	unsigned filled;
	int rc; /* of the last frame that either end of the mirror read */
};

static inline void mirror_event(void *owner, enum recovery_event ev, const char *why)
{
	struct mirror *m = owner;

	(void)why;
	if (ev == RECOVERY_EV_SYNC)
		recovery_store_hkey(m->store, recovery_replica_hkey(m->r));
	if (ev != RECOVERY_EV_FILLED)
		return;
	m->filled++;
	recovery_store_level(m->store, true);
}

/* The replica of the instance towards its store. */
static inline void mirror_source(struct mirror *m, uint64_t hkey)
{
	struct kit_side *e = &m->k.s[0];
	const struct recovery_config conf = {
		.id = SRP_REPLICA_SR, .kinds = toy_kinds, .nkinds = TOY_KINDS,
		.ckpt_owner = &e->toy, .counters = m->sr_rows, .totals = &m->sr_totals,
		.random = 5 + m->k.now.us, .sink = &e->sink, .hkey = hkey};

	m->sr = recovery_replica_new(&conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->sr);
	e->sink.replica[SRP_REPLICA_SR] = m->sr;
}

/* An empty store in the same memory. */
static inline void mirror_store(struct mirror *m)
{
	static const struct recovery_ops ops = {.event = mirror_event};
	struct recovery_config conf = {
		.id = SRP_REPLICA_SR, .nkinds = TOY_KINDS, .ops = &ops, .ops_owner = m,
		.counters = m->rows, .totals = &m->totals, .random = 6 + m->k.now.us,
		.sink = &m->sink, .sole_link = true};

	m->store = recovery_store_new(m->mem, MIRROR_CAP, toy_kinds, TOY_KINDS, 91);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->store);
	conf.kinds = recovery_store_kinds(m->store);
	conf.ckpt_owner = m->store;
	recovery_sink_init(&m->sink);
	m->r = recovery_replica_new(&conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->r);
	m->sink.replica[SRP_REPLICA_SR] = m->r;
	recovery_store_sink(m->store, &m->sink.sink);
	recovery_replica_role(m->r, SRP_ROLE_STANDBY, 0, false, m->k.now);
}

static inline void mirror_close(struct mirror *m)
{
	recovery_replica_free(m->r);
	recovery_store_free(m->store);
	m->r = NULL;
	m->store = NULL;
}

static inline void mirror_check(struct mirror *m)
{
	char why[256] = "";

	kit_check(&m->k);
	if (recovery_replica_check(m->r, why, sizeof(why)) ||
	    (m->sr && recovery_replica_check(m->sr, why, sizeof(why))))
		CU_FAIL(why);
	if (why[0])
		puts(why);
}

static inline size_t mirror_pass(struct mirror *m, struct recovery_replica *from,
                                 struct recovery_replica *to)
{
	static uint8_t buf[KIT_BUF];
	struct srp_frame_hdr h;
	size_t all = 0, n;
	bool more = true;

	while (more) {
		n = recovery_replica_tx(from, buf, sizeof(buf), m->k.now, &more);
		for (size_t pos = 0; pos < n; pos += SRP_FRAME_HDR_LEN + h.len) {
			m->rc = srp_frame_peek(&recovery_frames, buf + pos, n - pos,
			                       recovery_replica_link(to), &h);
			if (!m->rc)
				m->rc = recovery_replica_rx(
					to, &h, buf + pos + SRP_FRAME_HDR_LEN, m->k.now);
			CU_ASSERT_EQUAL_FATAL(m->rc, SRP_OK);
		}
		all += n;
	}
	mirror_check(m);
	return all;
}

static inline size_t mirror_exchange(struct mirror *m)
{
	size_t all = 0, n;

	do {
		n = mirror_pass(m, m->sr, m->r) + mirror_pass(m, m->r, m->sr);
		all += n;
	} while (n);
	return all;
}

/* Joined, and everything is said. @return bytes */
static inline size_t mirror_join(struct mirror *m)
{
	size_t all = 0;

	recovery_replica_up(m->sr, m->k.now);
	recovery_replica_up(m->r, m->k.now);
	for (int i = 0; i < 5; i++) {
		all += mirror_exchange(m);
		m->k.now.us += 20000;
	}
	CU_ASSERT_EQUAL(recovery_replica_link(m->sr), RECOVERY_LINK_READY);
	return all;
}

static inline void mirror_part(struct mirror *m)
{
	recovery_replica_down(m->sr, m->k.now);
	recovery_replica_down(m->r, m->k.now);
}

/* The instance is active; its store is empty; nothing is connected. */
static inline void mirror_init(struct mirror *m)
{
	memset(m, 0, sizeof(*m));
	kit_init(&m->k);
	m->mem = aligned_alloc(4096, MIRROR_CAP);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->mem);
	memset(m->mem, 0xa5, MIRROR_CAP);
	mirror_source(m, recovery_replica_hkey(m->k.s[0].r));
	recovery_replica_role(m->sr, SRP_ROLE_ACTIVE, 2, true, m->k.now);
	mirror_store(m);
}

static inline void mirror_fini(struct mirror *m)
{
	recovery_replica_free(m->sr);
	mirror_close(m);
	kit_fini(&m->k);
	free(m->mem);
}

/* The instance's process dies, and another begins: empty, with the key of the view. It holds the
 * role, is not complete, and is connected with nobody. */
static inline void mirror_successor(struct mirror *m, uint64_t hkey)
{
	struct kit *k = &m->k;
	struct kit_side *e = &k->s[0];
	static const struct recovery_ops ops = {.event = kit_event};
	const struct recovery_config conf = {
		.id = k->id, .kinds = toy_kinds, .nkinds = TOY_KINDS, .ckpt_owner = &e->toy,
		.ops = &ops, .ops_owner = e, .counters = e->rows, .totals = &e->totals,
		.random = 177 + k->now.us, .sink = &e->sink, .hkey = hkey};

	recovery_replica_down(k->s[1].r, k->now);
	recovery_replica_down(m->r, k->now);
	recovery_replica_free(m->sr);
	kit_death(k, 0);
	kit_replica(k, e, &conf);
	mirror_source(m, hkey);
	kit_role(k, 0, SRP_ROLE_ACTIVE, 2, false);
	recovery_replica_role(m->sr, SRP_ROLE_ACTIVE, 2, true, k->now);
}

static inline struct recovery_view *mirror_view(struct mirror *m)
{
	const char *why = NULL;
	struct recovery_view *v =
		recovery_view_open(m->mem, MIRROR_CAP, toy_kinds, TOY_KINDS, &why);

	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	CU_ASSERT_PTR_NULL(why);
	return v;
}

static inline struct recovery_fill *mirror_fill(struct mirror *m, const struct recovery_view *v)
{
	const struct recovery_fill_config conf = {
		.view = v, .kinds = toy_kinds, .nkinds = TOY_KINDS,
		.ckpt_owner = &m->k.s[0].toy, .sink = &m->k.s[0].sink};
	struct recovery_fill *f = recovery_fill_new(&conf);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

/* A successor, filled whole. */
static inline struct recovery_fill_stats mirror_recover(struct mirror *m)
{
	struct recovery_view *v = mirror_view(m);
	struct recovery_fill_stats st;
	struct recovery_fill *f;

	mirror_successor(m, recovery_view_hkey(v));
	f = mirror_fill(m, v);
	while (recovery_fill_step(f, m->k.now, 10))
		continue;
	recovery_fill_stats(f, &st);
	recovery_fill_free(f);
	recovery_view_free(v);
	return st;
}

/* Rules, and parents 0 to n-1 with a figure; every second has @p children of its own. */
static inline void mirror_load(struct mirror *m, uint32_t n, uint32_t children)
{
	struct toy *t = &m->k.s[0].toy;

	for (uint32_t i = 0; i < TOY_RULES; i++)
		toy_set_rule(t, i, 3 + i, m->k.now);
	for (uint32_t i = 0; i < n; i++)
		toy_set_parent(t, i, 100 + i, m->k.now);
	for (uint32_t i = 0; i < n; i++) {
		toy_set_stat(t, i, 1000 * i, m->k.now);
		for (uint32_t j = 0; i % 2 == 0 && j < children; j++)
			toy_set_child(t, i, j, 10 * i + j, (i + j) % TOY_RULES, m->k.now);
	}
}

static inline uint64_t mirror_records(const struct mirror *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < 2 * TOY_KINDS; i++)
		n += m->rows[i].received;
	return n;
}

/* Both ends of the mirror have the same digest, stored and computed anew. */
static inline bool mirror_same(struct mirror *m)
{
	return recovery_replica_digest(m->sr, false, m->k.now) ==
	               recovery_replica_digest(m->r, false, m->k.now) &&
	       recovery_replica_digest(m->sr, true, m->k.now) ==
	               recovery_replica_digest(m->r, true, m->k.now);
}

static inline struct recovery_store_stats mirror_stats(const struct mirror *m)
{
	struct recovery_store_stats st;

	recovery_store_stats(m->store, &st);
	return st;
}

static inline uint64_t mirror_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

/* An instance with 10 sessions of which 5 have flows, mirrored. */
static inline void mirror_loaded(struct mirror *m)
{
	mirror_init(m);
	mirror_load(m, 10, 4);
	mirror_join(m);
}

/* The same, and a peer chassis that has it all, too. */
static inline void mirror_level(struct mirror *m)
{
	mirror_init(m);
	kit_connect(&m->k);
	mirror_load(m, 10, 4);
	mirror_join(m);
	kit_exchange(&m->k);
	kit_role(&m->k, 1, SRP_ROLE_STANDBY, 0, true);
	kit_exchange(&m->k);
}

static inline recovery_ref mirror_entry(struct mirror *m, enum toy_kind kind, uint64_t k0, uint64_t k1)
{
	const struct srp_ckpt_ctx ctx = {
		.owner = m->store, .kind = recovery_store_kinds(m->store)[kind]};
	const struct srp_ckpt_key key = {{k0, k1}};

	return recovery_ref_of(m->store, ctx.kind->find(&ctx, &key));
}

#endif
