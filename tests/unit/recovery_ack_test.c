#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

/* R13: a refused record among accepted ones is not clean. */
static void refused_among_accepted(void)
{
	struct kit k = {0};
	struct recovery_kind_counters *row, *peer;

	kit_level(&k, 10);
	k.s[1].toy.full = 1u << 5;
	for (uint32_t i = 0; i < 10; i++)
		toy_set_child(&k.s[0].toy, i, 4 + i % 2, 1, 1, k.now);
	kit_exchange(&k);
	row = kit_row(&k, 0, TOY_CHILD, false);
	peer = kit_row(&k, 1, TOY_CHILD, false);
	CU_ASSERT_EQUAL(row->refused, 5);
	CU_ASSERT_EQUAL(peer->refused_full, 5);
	CU_ASSERT_EQUAL(peer->nacks, 5);
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 5);
	kit_after(&k, SRP_SEC(3)); /* known refused: left out on both sides, not tried again */
	CU_ASSERT_EQUAL(row->refused, 5);
	CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 0);
	CU_ASSERT(kit_status(&k, 0).verified.us + SRP_SEC(2) > k.now.us);
	CU_ASSERT_EQUAL(kit_status(&k, 0).digest, kit_status(&k, 1).digest);
	/* the object changes: tried again */
	toy_set_child(&k.s[0].toy, 1, 5, 2, 1, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->refused, 6);
	/* a rule changes: all are */
	k.s[1].toy.full = 0;
	toy_set_rule(&k.s[0].toy, 3, 3, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->again_nack, 5);
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* An object that is known to the peer, whose newer version is refused. */
static void refused_update(void)
{
	struct kit k = {0};

	kit_level(&k, 2);
	toy_del_rule(&k.s[1].toy, 7, k.now); /* the standby's operator takes a rule away */
	toy_set_child(&k.s[0].toy, 0, 0, 5, 7, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.child[0][0]->value, 1); /* as it was */
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_CHILD, false)->refused_rule, 1);
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 1);
	kit_after(&k, SRP_SEC(5)); /* the comparison brings the rule back, and then the child */
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* The peer has no such session: that goes first, and the child after it. */
static void refused_for_want_of_the_parent(void)
{
	struct kit k = {0};

	kit_level(&k, 2);
	toy_del_parent(&k.s[1].toy, 1, k.now); /* the standby's operator ends a call */
	toy_set_child(&k.s[0].toy, 1, 0, 5, 1, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_CHILD, false)->refused_session, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->again_nack, 1);
	CU_ASSERT_EQUAL(k.s[1].toy.child[1][0]->value, 5);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static size_t ack_frame(uint8_t *buf, uint64_t stream, uint64_t seq, const uint64_t *ref,
			uint32_t n)
{
	struct srp_mp_w w = srp_mp_w_init(buf + SRP_FRAME_HDR_LEN, 1024);

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, stream);
	srp_mp_w_uint(&w, seq);
	srp_mp_w_array(&w, n);
	for (uint32_t i = 0; i < n; i++)
		srp_mp_w_uint(&w, ref[i]);
	srp_frame_put(&recovery_frames, buf, RECOVERY_FT_ACK, 0, (uint32_t)srp_mp_w_len(&w));
	return SRP_FRAME_HDR_LEN + srp_mp_w_len(&w);
}

/* What a lying peer may acknowledge. Everything is refused before anything moves. */
static void lies(void)
{
	static uint8_t buf[KIT_BUF], ack[2048];
	struct kit k = {0};
	uint64_t s, q;

	kit_level(&k, 8);
	for (uint32_t i = 0; i < 8; i++)
		toy_set_parent(&k.s[0].toy, i, 50 + i, k.now);
	kit_take(&k, 0, buf, NULL);
	s = kit_status(&k, 0).stream;
	q = kit_status(&k, 0).acked_seq;
#define ACK(seq, rc_, ...) do {                                                             \
		const uint64_t r_[] = {__VA_ARGS__};                                        \
		size_t n_ = ack_frame(ack, s, seq, r_, sizeof(r_) / sizeof(r_[0]));         \
		CU_ASSERT_EQUAL(kit_feed(&k, 0, ack, n_), rc_);                             \
		CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 8);                             \
		kit_check(&k);                                                              \
	} while (0)
	ACK(q + 9, SRP_ERANGE, q + 1, 1, 12);               /* never sent */
	ACK(q + 8, SRP_ERANGE, q, 1, 12);                   /* acknowledged already */
	ACK(q + 8, SRP_ERANGE, q + 1, 9, 12);               /* beyond */
	ACK(q + 8, SRP_ERANGE, q + 1, UINT32_MAX, 12);
	ACK(q + 8, SRP_ERANGE, q + 3, 2, 12, q + 4, 1, 12); /* twice */
	ACK(q + 8, SRP_ERANGE, q + 3, 2, 12, q + 1, 1, 12); /* not in order */
	ACK(q + 8, SRP_ERANGE, q + 1, 0, 12);               /* none */
	ACK(q + 8, SRP_ERANGE, q + 1, 1, 0);                /* without a reason */
	ACK(q + 8, SRP_EFORMAT, q + 1, 1);
	ACK(q + 8, SRP_ERANGE, q + 1, 1, 256);
#undef ACK
	size_t n = ack_frame(ack, s + 1, q + 8, NULL, 0); /* of another stream: passed over */

	CU_ASSERT_EQUAL(kit_feed(&k, 0, ack, n), SRP_OK);
	CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 8);
	n = ack_frame(ack, s, q + 5, (uint64_t[]){q + 2, 2, 19}, 3); /* in the middle of a frame */
	CU_ASSERT_EQUAL(kit_feed(&k, 0, ack, n), SRP_OK);
	CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 3);
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 2);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->refused, 2);
	kit_check(&k);
	kit_fini(&k);
}

/* More refusals than one acknowledgement can name. */
static void many_refusals(void)
{
	struct kit k = {0};
	struct recovery_replica *r;

	kit_level(&k, 1);
	r = k.s[1].r;
	k.s[1].toy.full = 1u << 1;
	for (uint32_t round = 0; round < 3000; round++) {
		static uint8_t buf[KIT_BUF];
		size_t n;

		/* a refused one and an accepted one by turns: no runs */
		toy_set_child(&k.s[0].toy, 0, 1, round, 1, k.now);
		n = kit_take(&k, 0, buf, NULL);
		CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_OK);
		toy_set_parent(&k.s[0].toy, 0, round, k.now);
		n = kit_take(&k, 0, buf, NULL);
		CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_OK);
	}
	CU_ASSERT(r->outq_len > 0);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->refused, 3000);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_CHILD, false)->nacks, 3000);
	CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 0);
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 1);
	kit_fini(&k);
}

/* The ring of runs grows, and keeps its counts. */
static void many_runs(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};

	kit_level(&k, 1);
	for (uint32_t round = 0; round < 5000; round++) {
		toy_set_child(&k.s[0].toy, 0, 0, round, 1, k.now);
		(void)kit_take(&k, 0, buf, NULL);
		toy_set_parent(&k.s[0].toy, 0, round, k.now);
		(void)kit_take(&k, 0, buf, NULL);
	}
	CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 10000);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->inflight, 5000);
	kit_down(&k);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->returned, 5000);
	CU_ASSERT_EQUAL(kit_status(&k, 0).dirty, 2);
	kit_connect(&k);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* An answer that crossed the return of what it speaks of: passed over, refusals and all. */
static void answers_to_what_was_returned(void)
{
	static uint8_t buf[KIT_BUF], ack[2048];
	struct kit k = {0};
	uint64_t s, q;
	size_t n;

	kit_level(&k, 8);
	for (uint32_t i = 0; i < 8; i++)
		toy_set_parent(&k.s[0].toy, i, 50 + i, k.now);
	kit_take(&k, 0, buf, NULL);
	s = kit_status(&k, 0).stream;
	q = kit_status(&k, 0).acked_seq;
	recovery_return(k.s[0].r);
	CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 0);
	n = ack_frame(ack, s, q + 8, (uint64_t[]){q + 2, 2, 19, q + 7, 1, 12}, 6);
	CU_ASSERT_EQUAL(kit_feed(&k, 0, ack, n), SRP_OK);
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 0);
	CU_ASSERT_EQUAL(kit_status(&k, 0).dirty, 8);
	kit_check(&k);
	/* what goes again is answered; from then on it would be a lie */
	kit_take(&k, 0, buf, NULL);
	n = ack_frame(ack, s, q + 12, (uint64_t[]){q + 2, 2, 19, q + 10, 1, 12}, 6);
	CU_ASSERT_EQUAL(kit_feed(&k, 0, ack, n), SRP_OK);
	CU_ASSERT_EQUAL(kit_status(&k, 0).refused, 1);
	CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 4);
	n = ack_frame(ack, s, q + 16, (uint64_t[]){q + 2, 2, 19}, 3);
	CU_ASSERT_EQUAL(kit_feed(&k, 0, ack, n), SRP_ERANGE);
	kit_check(&k);
	kit_fini(&k);
}

CU_TestInfo recovery_ack_tests[] = {
	{"refused among accepted", refused_among_accepted},
	{"an update is refused", refused_update},
	{"refused for want of the parent", refused_for_want_of_the_parent},
	{"acknowledgements that lie", lies},
	{"more refusals than fit", many_refusals},
	{"more runs than fit", many_runs},
	{"answers to what was returned", answers_to_what_was_returned},
	CU_TEST_INFO_NULL,
};
