#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/beat.h"
#include "srp/err.h"
#include "srp/hash.h"

/* A keyed code good enough to test with; the daemon brings HMAC-SHA256. */
static int mac(void *key, const uint8_t *msg, size_t len, uint8_t out[SRP_BEAT_MAC_LEN])
{
	const uint64_t *k = key;
	uint64_t h[2] = {srp_hash64(*k, msg, len), srp_hash64(*k + 1, msg, len)};

	memcpy(out, h, sizeof(h));
	return *k ? 0 : SRP_ESTATE;
}

static const struct srp_beat sample = {
	.bit = 1, .role = SRP_ROLE_ACTIVE, .instance = 0x0203, .term = 0x04050607,
	.seq = 0x08090a0b0c0d0e0f, .incarnation = 0x1011121314151617,
	.backlog = {0x18191a1b1c1d1e1f, 0x2021222324252627, 0x28292a2b2c2d2e2f, 0x3031323334353637}};

static void test_layout(void)
{
	static const uint8_t want[] = {'S', 'R', 'P', 'B', 1, 1, SRP_ROLE_ACTIVE, 0, 2, 3, 0, 0, 4, 5,
		6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
		29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
		51, 52, 53, 54, 55};
	uint8_t b[SRP_BEAT_LEN];
	uint64_t key = 7;
	struct srp_beat out;

	CU_ASSERT_EQUAL(srp_beat_encode(&sample, mac, &key, b), 0);
	CU_ASSERT_EQUAL(sizeof(want), SRP_BEAT_LEN - SRP_BEAT_MAC_LEN);
	CU_ASSERT_EQUAL(memcmp(b, want, sizeof(want)), 0);
	CU_ASSERT_EQUAL(srp_beat_decode(b, sizeof(b), mac, &key, &out), 0);
	CU_ASSERT_TRUE(out.bit == 1 && out.role == SRP_ROLE_ACTIVE && out.instance == 0x0203 &&
		out.term == sample.term && out.seq == sample.seq &&
		out.incarnation == sample.incarnation &&
		memcmp(&out.backlog, &sample.backlog, sizeof(out.backlog)) == 0);
}

static void test_refusals(void)
{
	uint8_t b[SRP_BEAT_LEN + 1] = {0};
	uint64_t key = 7, other = 9, none = 0;
	struct srp_beat out = {.seq = 5};

	CU_ASSERT_EQUAL(srp_beat_encode(&sample, mac, &none, b), SRP_ESTATE);
	CU_ASSERT_EQUAL(srp_beat_encode(&sample, mac, &key, b), 0);
	for (size_t len = 0; len <= sizeof(b); len++)
		if (len != SRP_BEAT_LEN)
			CU_ASSERT_EQUAL(srp_beat_decode(b, len, mac, &key, &out), SRP_ERANGE);
	CU_ASSERT_EQUAL(srp_beat_decode(b, SRP_BEAT_LEN, mac, &other, &out), SRP_EAUTH);
	CU_ASSERT_EQUAL(srp_beat_decode(b, SRP_BEAT_LEN, mac, &none, &out), SRP_EAUTH);
	for (size_t bit = 0; bit < SRP_BEAT_LEN * 8; bit++) { /* any bit changed is refused */
		int rc;

		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		rc = srp_beat_decode(b, SRP_BEAT_LEN, mac, &key, &out);
		CU_ASSERT_TRUE(rc == SRP_EAUTH || rc == SRP_EVERSION);
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CU_ASSERT_EQUAL(out.seq, 5);
}

static int recode(struct srp_beat m)
{
	uint8_t b[SRP_BEAT_LEN];
	uint64_t key = 7;
	struct srp_beat out;

	CU_ASSERT_EQUAL(srp_beat_encode(&m, mac, &key, b), 0);
	return srp_beat_decode(b, sizeof(b), mac, &key, &out);
}

static void test_fields(void)
{
	struct srp_beat m = sample;

	m.bit = 2;
	CU_ASSERT_EQUAL(recode(m), SRP_ERANGE);
	m.bit = 0;
	m.role = SRP_ROLE__N;
	CU_ASSERT_EQUAL(recode(m), SRP_ERANGE);
	m.role = (enum srp_role)(SRP_ROLE__N - 1);
	CU_ASSERT_EQUAL(recode(m), 0);
}

static void test_replay_window(void)
{
	struct srp_beat_window w;
	struct srp_beat m = sample;

	srp_beat_window_init(&w, sample.incarnation, 1, 0x0203);
	m.seq = 0;
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), SRP_ESTALE);
	m.seq = 1;
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), 0);
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), SRP_ESTALE);
	m.seq = 100; /* gaps are losses, and permitted */
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), 0);
	m.seq = 99;
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), SRP_ESTALE);
	m.seq = 101;
	m.incarnation++;
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), SRP_EPEER);
	m.incarnation--;
	m.bit = 0; /* our own, sent back to us */
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), SRP_EPEER);
	m.bit = 1;
	m.instance = 0;
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), SRP_EPEER);
	m.instance = 0x0203;
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), 0);
	m.seq = UINT64_MAX;
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), 0);
	CU_ASSERT_EQUAL(srp_beat_accept(&w, &m), SRP_ESTALE);
}

CU_TestInfo srp_beat_tests[] = {
	{"the layout byte by byte", test_layout},
	{"length, key and every single bit", test_refusals},
	{"fields outside their range", test_fields},
	{"a sequence is accepted once", test_replay_window},
	CU_TEST_INFO_NULL,
};
