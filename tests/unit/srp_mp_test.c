#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/mp.h"

static uint8_t buf[70000];

#define R(bytes) srp_mp_r_init(bytes, sizeof(bytes) - 1)

static void test_uint(void)
{
	static const uint64_t v[] = {0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX,
		(uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
		struct srp_mp_r r;
		size_t len;

		srp_mp_w_uint(&w, v[i]);
		len = srp_mp_w_len(&w);
		r = srp_mp_r_init(buf, len);
		CU_ASSERT_EQUAL(srp_mp_uint(&r, UINT64_MAX), v[i]);
		CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
		r = srp_mp_r_init(buf, len);
		CU_ASSERT_EQUAL(srp_mp_uint(&r, v[i]), v[i]);
		CU_ASSERT_EQUAL(r.err, 0);
		if (v[i]) {
			r = srp_mp_r_init(buf, len);
			CU_ASSERT_EQUAL(srp_mp_uint(&r, v[i] - 1), 0);
			CU_ASSERT_EQUAL(r.err, SRP_ERANGE);
		}
		for (size_t cut = 0; cut < len; cut++) {
			r = srp_mp_r_init(buf, cut);
			CU_ASSERT_EQUAL(srp_mp_uint(&r, UINT64_MAX), 0);
			CU_ASSERT_TRUE(r.err == SRP_ESHORT || r.err == SRP_EFORMAT);
		}
	}
}

static void test_int(void)
{
	static const int64_t v[] = {0, 1, 127, 128, 65536, INT64_MAX, -1, -32, -33, -128, -129,
		-32768, -32769, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN};
	struct srp_mp_r r;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

		srp_mp_w_int(&w, v[i]);
		r = srp_mp_r_init(buf, srp_mp_w_len(&w));
		CU_ASSERT_EQUAL(srp_mp_int(&r), v[i]);
		CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
		for (size_t cut = 0; cut < srp_mp_w_len(&w); cut++) {
			r = srp_mp_r_init(buf, cut);
			CU_ASSERT_EQUAL(srp_mp_int(&r), 0);
			CU_ASSERT_NOT_EQUAL(r.err, 0);
		}
	}
	r = R("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"); /* 2^63 does not fit */
	CU_ASSERT_EQUAL(srp_mp_int(&r), 0);
	CU_ASSERT_EQUAL(r.err, SRP_ERANGE);
	r = R("\xd0\x05"); /* a positive number in a signed form */
	CU_ASSERT_EQUAL(srp_mp_int(&r), 5);
	r = R("\xd1\xff\xfe");
	CU_ASSERT_EQUAL(srp_mp_int(&r), -2);
	r = R("\xff"); /* negative where an unsigned one is wanted */
	CU_ASSERT_EQUAL(srp_mp_uint(&r, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(r.err, SRP_EFORMAT);
}

static void test_bool_nil(void)
{
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;

	srp_mp_w_bool(&w, true);
	srp_mp_w_bool(&w, false);
	srp_mp_w_nil(&w);
	CU_ASSERT_EQUAL(srp_mp_w_len(&w), 3);
	r = srp_mp_r_init(buf, 3);
	CU_ASSERT_FALSE(srp_mp_nil(&r));
	CU_ASSERT_TRUE(srp_mp_bool(&r));
	CU_ASSERT_FALSE(srp_mp_bool(&r));
	CU_ASSERT_EQUAL(r.err, 0);
	CU_ASSERT_TRUE(srp_mp_nil(&r));
	CU_ASSERT_FALSE(srp_mp_nil(&r));
	CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
	r = R("\x01");
	CU_ASSERT_FALSE(srp_mp_bool(&r));
	CU_ASSERT_EQUAL(r.err, SRP_EFORMAT);
	r = R("");
	CU_ASSERT_FALSE(srp_mp_bool(&r));
	CU_ASSERT_NOT_EQUAL(r.err, 0);
}

static void test_bin_and_str(void)
{
	static const size_t len[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
	static uint8_t data[65536];

	memset(data, 'x', sizeof(data));
	for (size_t i = 0; i < 2 * sizeof(len) / sizeof(len[0]); i++) {
		size_t n = len[i / 2], got;
		struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
		struct srp_mp_r r;
		const uint8_t *p;

		if (i % 2)
			srp_mp_w_bin(&w, data, n);
		else
			srp_mp_w_strn(&w, (const char *)data, n);
		CU_ASSERT_EQUAL_FATAL(w.err, 0);
		r = srp_mp_r_init(buf, srp_mp_w_len(&w));
		p = srp_mp_bin(&r, n, n, &got);
		CU_ASSERT_TRUE_FATAL(p != NULL && got == n);
		CU_ASSERT_EQUAL(memcmp(p, data, n), 0);
		CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
		r = srp_mp_r_init(buf, srp_mp_w_len(&w));
		CU_ASSERT_PTR_NULL(srp_mp_bin(&r, n + 1, n + 1, &got));
		CU_ASSERT_TRUE(r.err == SRP_ERANGE && got == 0);
		if (n) {
			r = srp_mp_r_init(buf, srp_mp_w_len(&w));
			CU_ASSERT_PTR_NULL(srp_mp_bin(&r, 0, n - 1, &got));
			CU_ASSERT_EQUAL(r.err, SRP_ERANGE);
		}
		for (size_t cut = 0; cut < srp_mp_w_len(&w); cut += cut < 300 ? 1 : 997) {
			r = srp_mp_r_init(buf, cut);
			CU_ASSERT_PTR_NULL(srp_mp_bin(&r, 0, SIZE_MAX, &got));
			CU_ASSERT_NOT_EQUAL(r.err, 0);
		}
	}
}

static void test_str_copy(void)
{
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;
	char out[4] = "zzz";

	srp_mp_w_str(&w, "abc");
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	srp_mp_str(&r, out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "abc");
	CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	srp_mp_str(&r, out, 3); /* no room for the terminator */
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_EQUAL(r.err, SRP_ERANGE);
	r = R("\xa3" "a\0b");
	srp_mp_str(&r, out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_EQUAL(r.err, SRP_EFORMAT);
}

static void test_array(void)
{
	static const uint32_t n[] = {0, 1, 15, 16, 65535, 65536};
	struct srp_mp_r r;

	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
		size_t head;

		srp_mp_w_array(&w, n[i]);
		head = srp_mp_w_len(&w);
		memset(buf + head, 0, n[i]);
		r = srp_mp_r_init(buf, head + n[i]);
		CU_ASSERT_EQUAL(srp_mp_array(&r, n[i]), n[i]);
		CU_ASSERT_EQUAL(r.err, 0);
		if (n[i] == 0)
			continue;
		r = srp_mp_r_init(buf, head + n[i]);
		CU_ASSERT_EQUAL(srp_mp_array(&r, n[i] - 1), 0);
		CU_ASSERT_EQUAL(r.err, SRP_ERANGE);
		r = srp_mp_r_init(buf, head + n[i] - 1); /* a byte less than elements */
		CU_ASSERT_EQUAL(srp_mp_array(&r, UINT32_MAX), 0);
		CU_ASSERT_EQUAL(r.err, SRP_ESHORT);
		for (size_t cut = 0; cut < head; cut++) {
			r = srp_mp_r_init(buf, cut);
			CU_ASSERT_EQUAL(srp_mp_array(&r, UINT32_MAX), 0);
			CU_ASSERT_NOT_EQUAL(r.err, 0);
		}
	}
}

/* Five bytes that make an allocating unpacker ask for 128 GiB, and their relatives. */
static void test_lying_counts(void)
{
	static const char *const lie[] = {"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff",
		"\xc6\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xdd\x00\x00\x00\x01",
		"\xdf\x80\x00\x00\x00"};

	for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
		struct srp_mp_r r = srp_mp_r_init(lie[i], 5);
		size_t n;

		srp_mp_skip(&r);
		CU_ASSERT_EQUAL(r.err, SRP_ESHORT);
		CU_ASSERT_EQUAL(srp_mp_left(&r), 0);
		r = srp_mp_r_init(lie[i], 5);
		CU_ASSERT_EQUAL(srp_mp_array(&r, UINT32_MAX), 0);
		CU_ASSERT_NOT_EQUAL(r.err, 0);
		r = srp_mp_r_init(lie[i], 5);
		CU_ASSERT_PTR_NULL(srp_mp_bin(&r, 0, SIZE_MAX, &n));
		CU_ASSERT_NOT_EQUAL(r.err, 0);
	}
}

static void test_skip_every_type(void)
{
	static const struct {
		const char *b;
		size_t n;
		int err;
	} t[] = {
		{"\x00", 1, 0}, {"\x7f", 1, 0}, {"\xe0", 1, 0}, {"\xff", 1, 0}, {"\xc0", 1, 0},
		{"\xc2", 1, 0}, {"\xc3", 1, 0}, {"\x80", 1, 0}, {"\x81\x01\x02", 3, 0},
		{"\x90", 1, 0}, {"\x92\x01\x91\x02", 4, 0}, {"\xa0", 1, 0}, {"\xa2xy", 3, 0},
		{"\xc4\x01x", 3, 0}, {"\xc5\x00\x01x", 4, 0}, {"\xc6\x00\x00\x00\x01x", 6, 0},
		{"\xca\x00\x00\x00\x00", 5, 0}, {"\xcb\0\0\0\0\0\0\0\0", 9, 0},
		{"\xcc\x01", 2, 0}, {"\xcd\x01\x02", 3, 0}, {"\xce\0\0\0\0", 5, 0},
		{"\xcf\0\0\0\0\0\0\0\0", 9, 0}, {"\xd0\x01", 2, 0}, {"\xd1\x01\x02", 3, 0},
		{"\xd2\0\0\0\0", 5, 0}, {"\xd3\0\0\0\0\0\0\0\0", 9, 0}, {"\xd9\x01x", 3, 0},
		{"\xda\x00\x01x", 4, 0}, {"\xdb\x00\x00\x00\x01x", 6, 0}, {"\xdc\x00\x01\x05", 4, 0},
		{"\xdd\x00\x00\x00\x01\x05", 6, 0}, {"\xde\x00\x01\x05\x06", 5, 0},
		{"\xdf\x00\x00\x00\x01\x05\x06", 7, 0}, {"\xc1", 1, SRP_EFORMAT},
		{"\xc7\x01\x01x", 4, SRP_EFORMAT}, {"\xd4\x01x", 3, SRP_EFORMAT},
		{"\xd8\x01x", 3, SRP_EFORMAT},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct srp_mp_r r = srp_mp_r_init(t[i].b, t[i].n);

		srp_mp_skip(&r);
		CU_ASSERT_EQUAL(srp_mp_finish(&r), t[i].err);
		for (size_t cut = 0; cut < t[i].n && t[i].err == 0; cut++) {
			r = srp_mp_r_init(t[i].b, cut);
			srp_mp_skip(&r);
			CU_ASSERT_NOT_EQUAL(r.err, 0);
		}
	}
}

static void test_depth(void)
{
	uint8_t deep[SRP_MP_DEPTH_MAX + 2];
	struct srp_mp_r r;

	memset(deep, 0x91, sizeof(deep));
	deep[SRP_MP_DEPTH_MAX] = 0x05;
	r = srp_mp_r_init(deep, SRP_MP_DEPTH_MAX + 1);
	srp_mp_skip(&r);
	CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
	deep[SRP_MP_DEPTH_MAX] = 0x91;
	deep[SRP_MP_DEPTH_MAX + 1] = 0x05;
	r = srp_mp_r_init(deep, sizeof(deep));
	srp_mp_skip(&r);
	CU_ASSERT_EQUAL(r.err, SRP_EDEPTH);
	memset(buf, 0x91, sizeof(buf)); /* 70 000 deep: no recursion to run out of */
	r = srp_mp_r_init(buf, sizeof(buf));
	srp_mp_skip(&r);
	CU_ASSERT_EQUAL(r.err, SRP_EDEPTH);
}

static void test_first_failure_sticks(void)
{
	struct srp_mp_r r = R("\xc1\x01\x02");
	size_t n = 5;

	CU_ASSERT_EQUAL(srp_mp_uint(&r, 9), 0);
	CU_ASSERT_EQUAL(r.err, SRP_EFORMAT);
	CU_ASSERT_EQUAL(srp_mp_left(&r), 0);
	CU_ASSERT_EQUAL(srp_mp_uint(&r, 9), 0);
	CU_ASSERT_EQUAL(srp_mp_int(&r), 0);
	CU_ASSERT_EQUAL(srp_mp_array(&r, 9), 0);
	CU_ASSERT_FALSE(srp_mp_bool(&r));
	CU_ASSERT_FALSE(srp_mp_nil(&r));
	CU_ASSERT_PTR_NULL(srp_mp_bin(&r, 0, 9, &n));
	CU_ASSERT_EQUAL(n, 0);
	srp_mp_skip(&r);
	srp_mp_fail(&r, SRP_ERANGE);
	CU_ASSERT_EQUAL(srp_mp_finish(&r), SRP_EFORMAT);
	r = R("\x01\x02");
	CU_ASSERT_EQUAL(srp_mp_uint(&r, 9), 1);
	CU_ASSERT_EQUAL(srp_mp_finish(&r), SRP_EFORMAT); /* bytes left over */
}

static void test_writer_is_bounded(void)
{
	uint8_t small[8];

	for (size_t cap = 0; cap <= 6; cap++) {
		struct srp_mp_w w;

		memset(small, 0xee, sizeof(small));
		w = srp_mp_w_init(small, cap);
		srp_mp_w_array(&w, 2);
		srp_mp_w_str(&w, "ab");
		srp_mp_w_raw(&w, "\x01\x02", 2);
		CU_ASSERT_EQUAL(w.err, cap >= 6 ? 0 : SRP_ENOSPC);
		CU_ASSERT_TRUE(srp_mp_w_len(&w) <= cap);
		for (size_t i = cap; i < sizeof(small); i++)
			CU_ASSERT_EQUAL(small[i], 0xee);
		srp_mp_w_nil(&w);
		CU_ASSERT_EQUAL(w.err, cap > 6 ? 0 : SRP_ENOSPC);
	}
}

CU_TestInfo srp_mp_tests[] = {
	{"unsigned integers, at their limits and cut", test_uint},
	{"signed integers", test_int},
	{"true, false, nil", test_bool_nil},
	{"bytes and strings of every head, cut", test_bin_and_str},
	{"a string is copied whole or not at all", test_str_copy},
	{"arrays of every head, cut, too long", test_array},
	{"counts that lie", test_lying_counts},
	{"every type is stepped over, whole and cut", test_skip_every_type},
	{"nesting at the limit and beyond", test_depth},
	{"the first failure sticks", test_first_failure_sticks},
	{"a writer stays in its buffer", test_writer_is_bounded},
	CU_TEST_INFO_NULL,
};
