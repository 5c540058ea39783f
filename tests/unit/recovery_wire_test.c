/* Bytes from a peer that lies, cuts, repeats, or floods. */
#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

/* A conversation in which every type of frame occurs, recorded in one direction. */
struct tape {
	uint8_t buf[1u << 20];
	size_t len;
};

static void record_one(struct kit *k, int from, struct tape *t, int keep)
{
	static uint8_t buf[KIT_BUF];
	bool more = true;

	while (more) {
		size_t n = kit_take(k, from, buf, &more);

		if (from == keep && t->len + n <= sizeof(t->buf)) {
			memcpy(t->buf + t->len, buf, n);
			t->len += n;
		}
		CU_ASSERT_EQUAL(kit_feed(k, !from, buf, n), SRP_OK);
	}
}

static void converse(struct kit *k, struct tape *t, int keep)
{
	t->len = 0;
	kit_init(k);
	kit_role(k, 1, SRP_ROLE_STANDBY, 0, true);
	toy_set_parent(&k->s[1].toy, 9, 9, k->now); /* something that the source does not have, */
	toy_set_parent(&k->s[1].toy, 1, 9,
		       k->now); /* and something that differs: digest, keys, extra */
	for (uint32_t i = 0; i < 4; i++) {
		toy_set_rule(&k->s[0].toy, i, i, k->now);
		toy_set_parent(&k->s[0].toy, i, i, k->now);
		toy_set_child(&k->s[0].toy, i, 1, i, i, k->now);
	}
	k->s[1].toy.full = 2; /* refusals in acknowledgements */
	kit_up(k);
	for (int i = 0; i < 12; i++) {
		record_one(k, 0, t, keep);
		record_one(k, 1, t, keep);
	}
	toy_del_child(&k->s[0].toy, 1, 1, k->now);
	toy_set_parent(&k->s[0].toy, 2, 5, k->now);
	recovery_replica_audit(k->s[0].r, k->now);
	recovery_replica_audit(k->s[1].r, k->now);
	for (int i = 0; i < 2; i++) {
		uint32_t id;

		k->s[i].nsay = 5;
		CU_ASSERT_EQUAL(recovery_replica_ask(k->s[i].r, (const uint8_t *)"what", 4, k->now, &id), SRP_OK);
	}
	for (int i = 0; i < 12; i++, k->now.us += 100000) {
		record_one(k, 0, t, keep);
		record_one(k, 1, t, keep);
	}
}

static struct srp_frame_hdr header(const uint8_t *p)
{
	return (struct srp_frame_hdr){
		.type = p[3], .flags = p[4],
		.len = (uint32_t)p[8] << 24 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 8 | p[11]};
}

static bool types[256];

/* A pair after such a conversation, connected anew: both have read a hello and may go on. */
static void again(struct kit *k)
{
	static struct tape none;
	static uint8_t buf[KIT_BUF];

	converse(k, &none, 2);
	kit_down(k);
	kit_up(k);
	for (int i = 0; i < 4; i++) {
		size_t n = kit_take(k, i % 2, buf, NULL);

		CU_ASSERT_EQUAL(kit_feed(k, !(i % 2), buf, n), SRP_OK);
	}
}

/* One frame, in an exact allocation, so that the sanitizer sees a byte too far. */
static int give(struct kit *k, int reader, struct srp_frame_hdr h, const uint8_t *body, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	memcpy(exact, body, len);
	h.len = (uint32_t)len;
	rc = recovery_replica_rx(k->s[reader].r, &h, exact, k->now);
	free(exact);
	kit_check(k);
	return rc;
}

static void each_frame(void (*fn)(struct kit *k, int reader, const uint8_t *frame, size_t len))
{
	static struct tape t;
	struct kit k = {0};

	memset(types, 0, sizeof(types));
	for (int keep = 0; keep < 2; keep++) {
		struct srp_frame_hdr h;

		converse(&k, &t, keep);
		kit_fini(&k);
		for (size_t pos = 0; pos < t.len; pos += SRP_FRAME_HDR_LEN + h.len) {
			h = header(t.buf + pos);
			if (types[h.type] && h.type != RECOVERY_FT_RECORDS)
				continue; /* one of each will do, records are all different */
			types[h.type] = true;
			k = (struct kit){0};
			again(&k);
			fn(&k, !keep, t.buf + pos, SRP_FRAME_HDR_LEN + h.len);
			kit_fini(&k);
		}
	}
	for (int i = RECOVERY_FT_HELLO; i <= RECOVERY_FT_ANSWER; i++) {
		CU_ASSERT(types[i]);
		if (!types[i])
			printf("no frame of type %d\n", i);
	}
}

static void cut(struct kit *k, int reader, const uint8_t *f, size_t len)
{
	struct srp_frame_hdr h = header(f);

	for (size_t n = 0; n < len - SRP_FRAME_HDR_LEN; n++) {
		unsigned before = k->s[reader].ev[RECOVERY_EV_PROTOCOL];
		int rc = give(k, reader, h, f + SRP_FRAME_HDR_LEN, n);

		/* Frames of a conversation that is over are passed over, never taken. */
		if (rc)
			CU_ASSERT_EQUAL(k->s[reader].ev[RECOVERY_EV_PROTOCOL], before + 1);
	}
}

static void cut_at_every_byte(void)
{
	each_frame(cut);
}

static void twist(struct kit *k, int reader, const uint8_t *f, size_t len)
{
	static uint8_t copy[KIT_BUF];
	uint32_t x = (uint32_t)len;

	for (uint32_t i = 0; i < 400; i++) {
		memcpy(copy, f, len);
		for (uint32_t j = 0; j <= i % 3; j++) {
			x = x * 1664525 + 1013904223;
			copy[SRP_FRAME_HDR_LEN + (x >> 8) % (len - SRP_FRAME_HDR_LEN)] ^=
				(uint8_t)(x >> 24);
		}
		(void)give(k, reader, header(f), copy + SRP_FRAME_HDR_LEN, len - SRP_FRAME_HDR_LEN);
		(void)kit_take(k, reader, copy, NULL);
	}
}

static void twisted_bytes(void)
{
	each_frame(twist);
}

/* Limits of the rows, and states. */
static void rows(void)
{
	static uint8_t body[SRP_FRAME_BODY_MAX];
	struct kit k = {0};

	kit_level(&k, 1);
	for (unsigned type = 0; type < 256; type++) {
		const struct srp_frame_row *row = &recovery_frames.row[type];
		struct srp_frame_hdr h = {.type = (uint8_t)type};

		if (!row->name) {
			CU_ASSERT_EQUAL(give(&k, 0, h, body, 10), SRP_ETYPE);
			continue;
		}
		CU_ASSERT_EQUAL(give(&k, 0, h, body, row->min - 1), SRP_ERANGE);
		if (row->max < sizeof(body))
			CU_ASSERT_EQUAL(give(&k, 0, h, body, row->max + 1), SRP_ERANGE);
		h.flags = 0x80;
		CU_ASSERT_EQUAL(give(&k, 0, h, body, row->min), SRP_EVERSION);
	}
	kit_down(&k);
	kit_up(&k); /* before the first hello nothing else is read */
	CU_ASSERT_EQUAL(give(&k, 0, (struct srp_frame_hdr){.type = RECOVERY_FT_ACK}, body, 10),
			SRP_ESTATE);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_PROTOCOL] > 0, true);
	kit_fini(&k);
}

static size_t records(struct kit *k, uint8_t *body, uint32_t term, uint64_t first, uint32_t count)
{
	struct srp_mp_w w = srp_mp_w_init(body, 64);

	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, term);
	srp_mp_w_uint(&w, kit_status(k, 0).stream);
	srp_mp_w_uint(&w, first);
	srp_mp_w_uint(&w, count);
	return srp_mp_w_len(&w);
}

static size_t one(uint8_t *p, uint32_t n, const uint64_t *v)
{
	struct srp_mp_w w = srp_mp_w_init(p, 256);

	srp_mp_w_array(&w, n);
	for (uint32_t i = 0; i < n; i++)
		srp_mp_w_uint(&w, v[i]);
	return srp_mp_w_len(&w);
}

#define RECORD(...)                                                                                \
	(pos += one(b + pos, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__}))

/* Records that are whole, and wrong: each is refused by itself, those after it are applied. */
static void wrong_records(void)
{
	struct kit k = {0};
	uint8_t b[2048];
	size_t pos;
	uint64_t at;
	const struct srp_frame_hdr h = {.type = RECOVERY_FT_RECORDS};
	struct recovery_kind_counters *row;

	kit_level(&k, 2);
	at = kit_status(&k, 1).applied_seq;
	pos = records(&k, b, 2, at + 1, 9);
	RECORD(99, 1, 2, 3);                     /* unknown kind */
	RECORD(240);                             /* no key */
	RECORD(240, 1, 2, 7);                    /* no field */
	RECORD(240, 1, 2, 7, 5);                 /* one field less than it needs */
	RECORD(240, 1, 2, 7, 2000000, 1);        /* a value outside its limits */
	RECORD(240, 77, 2, 7, 1, 1);             /* a key outside its limits */
	RECORD(240, 1, 2, UINT64_MAX, 1, 1);     /* a version of more than 32 bits */
	RECORD(210, 31, 1, 2, 1, 1, 1, 1);       /* a session that is not there */
	RECORD(240, 1, 2, 9, 4711, 0, 1, 2, 3);  /* and one with more fields than are known */
	CU_ASSERT_EQUAL(give(&k, 1, h, b, pos), SRP_OK);
	CU_ASSERT_EQUAL(kit_status(&k, 1).applied_seq, at + 9);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[1]->value, 4711);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[1]->ckpt.version, 9);
	CU_ASSERT_EQUAL(k.s[1].totals.unknown_kind, 1);
	row = kit_row(&k, 1, TOY_PARENT, false);
	CU_ASSERT_EQUAL(row->decode_failed, 6);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_CHILD, false)->refused_session, 1);
	CU_ASSERT_EQUAL(k.s[1].r->nrefusals, 4); /* runs: kind, short x3, range x3, no session */
	CU_ASSERT_EQUAL(k.s[1].r->refusal[0].code, SRP_ETYPE);
	CU_ASSERT_EQUAL(k.s[1].r->refusal[1].code, SRP_ESHORT);
	CU_ASSERT_EQUAL(k.s[1].r->refusal[1].n, 3);
	/* not in sequence, of no stream: the connection cannot go on */
	pos = records(&k, b, 2, at + 9, 1);
	RECORD(240, 1, 2, 9, 1, 1);
	CU_ASSERT_EQUAL(give(&k, 1, h, b, pos), SRP_ERANGE);
	pos = records(&k, b, 2, at + 11, 1);
	RECORD(240, 1, 2, 9, 1, 1);
	CU_ASSERT_EQUAL(give(&k, 1, h, b, pos), SRP_ERANGE);
	pos = records(&k, b, 2, at + 10, 2); /* fewer than it says */
	RECORD(240, 1, 2, 9, 1, 1);
	CU_ASSERT_EQUAL(give(&k, 1, h, b, pos), SRP_ESHORT);
	kit_fini(&k);
}

/* An older term, in the very stream: refused whole, and named. */
static void stale_records(void)
{
	struct kit k = {0};
	uint8_t b[256];
	size_t pos;
	const struct srp_frame_hdr h = {.type = RECOVERY_FT_RECORDS};
	uint64_t at;

	kit_level(&k, 2);
	at = kit_status(&k, 1).applied_seq;
	pos = records(&k, b, 1, at + 1, 2);
	RECORD(240, 1, 2, 9, 4711, 1);
	RECORD(1, 1, 2, 9);
	CU_ASSERT_EQUAL(give(&k, 1, h, b, pos), SRP_OK);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[1]->value, 2);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_PARENT, false)->refused_stale, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_PARENT, true)->refused_stale, 1);
	CU_ASSERT_EQUAL(k.s[1].r->refusal[0].n, 2);
	CU_ASSERT_EQUAL(k.s[1].totals.stale_frames, 1);
	kit_fini(&k);
}

static void compressed(void)
{
	struct kit k = {.lz4 = true};
	uint8_t b[512];

	kit_level(&k, TOY_PARENTS);
	for (uint32_t i = 0; i < TOY_PARENTS; i++)
		for (uint32_t j = 1; j < TOY_CHILDREN; j++)
			toy_set_child(&k.s[0].toy, i, j, 5, 5, k.now);
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT(k.s[0].totals.lz4_frames_out > 0);
	CU_ASSERT(k.s[0].totals.bytes_out < kit_row(&k, 0, TOY_CHILD, false)->bytes_sent +
	                                    kit_row(&k, 0, TOY_PARENT, false)->bytes_sent);
	/* bombs, lies about the length, rubbish, the wrong type */
	struct srp_frame_hdr h = {.type = RECOVERY_FT_RECORDS, .flags = SRP_FRAME_F_LZ4};

	memset(b, 0xff, sizeof(b));
	CU_ASSERT_EQUAL(give(&k, 1, h, b, sizeof(b)), SRP_ERANGE);
	memcpy(b, "\0\0\x40\0", 4);
	CU_ASSERT_EQUAL(give(&k, 1, h, b, sizeof(b)), SRP_ERANGE); /* one frame is 16372 bytes */
	memcpy(b, "\0\0\x3f\xf4", 4);
	CU_ASSERT_EQUAL(give(&k, 1, h, b, sizeof(b)), SRP_EFORMAT);
	memcpy(b, "\0\0\0\1", 4);
	CU_ASSERT_EQUAL(give(&k, 1, h, b, sizeof(b)), SRP_ERANGE);
	h.type = RECOVERY_FT_DIGEST;
	CU_ASSERT_EQUAL(give(&k, 1, h, b, 64), SRP_EVERSION);
	kit_fini(&k);
}

/* Not offered by both: not sent, and refused. */
static void not_compressed(void)
{
	struct kit k = {.lz4 = true};
	const struct srp_frame_hdr h = {.type = RECOVERY_FT_RECORDS, .flags = SRP_FRAME_F_LZ4};

	kit_init(&k);
	k.s[1].r->conf.lz4 = false;
	kit_connect(&k);
	for (uint32_t i = 0; i < TOY_PARENTS; i++)
		toy_set_parent(&k.s[0].toy, i, 1, k.now);
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(k.s[0].totals.lz4_frames_out, 0);
	CU_ASSERT_EQUAL(give(&k, 1, h, (const uint8_t *)"\0\0\0\x20" "aaaaaaaa", 12), SRP_EVERSION);
	kit_fini(&k);
}

/* A peer that asks and does not read the answers: memory is bounded, the connection ends. */
static void flood(void)
{
	struct kit k = {0};
	uint8_t b[64];
	struct srp_mp_w w = srp_mp_w_init(b, sizeof(b));
	const struct srp_frame_hdr h = {.type = RECOVERY_FT_DIGEST};
	int rc = SRP_OK;
	uint32_t n;

	kit_level(&k, 1);
	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, 1);
	srp_mp_w_uint(&w, 0);
	srp_mp_w_array(&w, 0);
	for (n = 0; n < 1000000 && !rc; n++)
		rc = give(&k, 1, h, b, srp_mp_w_len(&w));
	CU_ASSERT_EQUAL(rc, SRP_EFULL);
	CU_ASSERT(k.s[1].r->outq_cap <= RECOVERY_OUTQ_MAX);
	kit_fini(&k);
}

/* A purge that was not asked for deletes nothing. */
static void purge_unasked(void)
{
	struct kit k = {0};
	uint8_t b[64];
	size_t n;

	kit_level(&k, 3);
	n = one(b, 3, (uint64_t[]){0, 240, 0});
	b[n - 1] = 0x91; /* [1] */
	b[n++] = 1;
	CU_ASSERT_EQUAL(give(&k, 1, (struct srp_frame_hdr){.type = RECOVERY_FT_PURGE}, b, n),
			SRP_OK);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.parent[1]);
	k.s[1].r->cmp_on = true; /* nor in a comparison, without a question */
	k.s[1].r->cmp_kind = TOY_PARENT;
	k.s[1].r->cmp_id = 0;
	CU_ASSERT_EQUAL(give(&k, 1, (struct srp_frame_hdr){.type = RECOVERY_FT_PURGE}, b, n),
			SRP_ERANGE);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.parent[1]);
	kit_fini(&k);
}

CU_TestInfo recovery_wire_tests[] = {
	{"every frame cut at every byte", cut_at_every_byte},
	{"twisted bytes", twisted_bytes},
	{"limits of the rows", rows},
	{"records that are wrong", wrong_records},
	{"records of an older term", stale_records},
	{"compressed", compressed},
	{"not compressed", not_compressed},
	{"a flood of questions", flood},
	{"a purge that was not asked for", purge_unasked},
	CU_TEST_INFO_NULL,
};
