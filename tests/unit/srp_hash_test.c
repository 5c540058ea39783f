#include "config.h"
#include "suites.h"

#include "srp/hash.h"

/* From the vectors published with SipHash-2-4: key 00 01 .. 0f, message 00 01 .. of n bytes. */
static const struct {
	size_t n;
	uint64_t h;
} vector[] = {
	{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a},
	{3, 0x85676696d7fb7e2d}, {4, 0xcf2794e0277187b7}, {5, 0x18765564cd99a68d},
	{6, 0xcbc9466e58fee3ce}, {7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462},
	{9, 0x9e0082df0ba9e4b0}, {10, 0x7a5dbbc594ddb9f3}, {11, 0xf4b32f46226bada7},
	{12, 0x751e8fbc860ee5fb}, {13, 0x14ea5627c0843d90}, {14, 0xf723ca908e7af2ee},
	{15, 0xa129ca6149be45e5}, {16, 0x3f2acc7f57c29bdb}, {23, 0xa80c038ccd5ccec8},
	{31, 0x32d892fad841c342}, {32, 0x7127512f72f27cce}, {63, 0x958a324ceb064572},
};

static void test_published(void)
{
	uint8_t m[64];

	for (size_t i = 0; i < sizeof(m); i++)
		m[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vector) / sizeof(vector[0]); i++)
		CU_ASSERT_EQUAL(srp_siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, m, vector[i].n),
			vector[i].h);
	/* the key of srp_hash64: 1, then its complement */
	CU_ASSERT_EQUAL(srp_hash64(1, m, 0), 0x15f9c9e4409f3326);
	CU_ASSERT_EQUAL(srp_hash64(1, m, 8), 0xbb36103121464e18);
	CU_ASSERT_EQUAL(srp_hash64(1, m, 13), 0xa446c21bf49b23fb);
}

static void test_unaligned_and_keyed(void)
{
	uint8_t m[40] = {0};

	for (size_t off = 1; off < 8; off++) {
		m[off + 20] = 0x80;
		CU_ASSERT_NOT_EQUAL(srp_hash64(1, m + off, 21), srp_hash64(2, m + off, 21));
		CU_ASSERT_NOT_EQUAL(srp_hash64(1, m + off, 21), srp_hash64(1, m + off, 20));
		m[off + 20] = 0;
	}
	/* trailing zero bytes are not lost: the length is part of it */
	CU_ASSERT_NOT_EQUAL(srp_hash64(1, m, 3), srp_hash64(1, m, 4));
}

CU_TestInfo srp_hash_tests[] = {
	{"the published vectors", test_published},
	{"key, length and alignment", test_unaligned_and_keyed},
	CU_TEST_INFO_NULL,
};
