#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "srp/err.h"
#include "srp/hello.h"
#include "srp/link_machine.h"
#include "srp/mp.h"

/* The example of PROTOCOL.md. */
static struct srp_hello sample(void)
{
	return (struct srp_hello){
		.ver_min = 1, .ver_max = 1, .name = "west", .incarnation = 0x1122334455667788,
		.role = SRP_ROLE_STANDBY, .term = 10, .highest = 5, .mode = SRP_MODE_BACKUP,
		.priority = 125, .mac = {0x02, 0x08, 0x25, 0xb9, 0x89, 0xbe}, .bit = 1,
		.route_modifier = 16, .config_digest = 0x0102030405060708, .ninstances = 2,
		.instance = {{true, 3, 1000, {0}}, {false, 2, 0, {300, 12000, 100, 1000}}},
		.hello_ms = 10000, .dead_ms = 30000,
		.addr = {{.has4 = true, .v4 = {192, 0, 2, 1}}, {.has4 = true, .has6 = true,
			.v4 = {198, 51, 100, 1}, .v6 = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}},
		.caps = SRP_CAP_LZ4 | SRP_CAP_BEATS, .wall_us = 1700000000000000};
}

static const uint8_t example[] = {
	0xdc, 0x00, 0x14, 0x01, 0x01, 0xa4, 'w', 'e', 's', 't',
	0xcf, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x01, 0x00, 0x0a, 0x05, 0x00, 0x7d,
	0xc4, 0x06, 0x02, 0x08, 0x25, 0xb9, 0x89, 0xbe, 0x01, 0x10,
	0xcf, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xcd, 0x27, 0x10, 0xcd, 0x75, 0x30,
	0x03, 0xcf, 0x00, 0x06, 0x0a, 0x24, 0x18, 0x1e, 0x40, 0x00,
	0x92, 0x92, 0xc4, 0x04, 0xc0, 0x00, 0x02, 0x01, 0xc4, 0x00,
	0x92, 0xc4, 0x04, 0xc6, 0x33, 0x64, 0x01,
	0xc4, 0x10, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01,
	0x92, 0x97, 0xc3, 0x03, 0xcd, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x00,
	0x97, 0xc2, 0x02, 0x00, 0xcd, 0x01, 0x2c, 0xcd, 0x2e, 0xe0, 0x64, 0xcd, 0x03, 0xe8,
};

static bool same(const struct srp_hello *a, const struct srp_hello *b)
{
	uint8_t x[4096], y[4096];
	int n = srp_hello_encode(a, x, sizeof(x));

	return n > 0 && n == srp_hello_encode(b, y, sizeof(y)) && memcmp(x, y, (size_t)n) == 0;
}

static void test_worked_example(void)
{
	struct srp_hello h = sample(), out;
	uint8_t buf[512];

	CU_ASSERT_EQUAL_FATAL(srp_hello_encode(&h, buf, sizeof(buf)), (int)sizeof(example));
	CU_ASSERT_EQUAL(memcmp(buf, example, sizeof(example)), 0);
	CU_ASSERT_EQUAL_FATAL(srp_hello_decode(example, sizeof(example), &out), 0);
	CU_ASSERT_STRING_EQUAL(out.name, "west");
	CU_ASSERT_EQUAL(out.incarnation, h.incarnation);
	CU_ASSERT_EQUAL(out.role, SRP_ROLE_STANDBY);
	CU_ASSERT_TRUE(out.term == 10 && out.highest == 5 && out.priority == 125 && out.bit == 1);
	CU_ASSERT_EQUAL(memcmp(out.mac, h.mac, 6), 0);
	CU_ASSERT_EQUAL(out.config_digest, h.config_digest);
	CU_ASSERT_TRUE(out.hello_ms == 10000 && out.dead_ms == 30000 && out.caps == 3);
	CU_ASSERT_EQUAL(out.wall_us, h.wall_us);
	CU_ASSERT_TRUE(out.addr[0].has4 && !out.addr[0].has6 && out.addr[1].has6);
	CU_ASSERT_TRUE(out.ninstances == 2 && out.instance[0].complete && !out.instance[1].complete);
	CU_ASSERT_TRUE(out.instance[1].link == 2 && out.instance[1].backlog.bytes == 12000 &&
		out.instance[1].backlog.octets == 100 && out.instance[1].backlog.charged == 1000);
	CU_ASSERT_TRUE(same(&h, &out));
}

static void test_cut_and_changed(void)
{
	uint8_t buf[sizeof(example) + 1];
	struct srp_hello out;

	memset(&out, 0x5a, sizeof(out));
	for (size_t cut = 0; cut < sizeof(example); cut++)
		CU_ASSERT_NOT_EQUAL(srp_hello_decode(example, cut, &out), 0);
	memcpy(buf, example, sizeof(example));
	buf[sizeof(example)] = 0; /* a byte behind the array */
	CU_ASSERT_EQUAL(srp_hello_decode(buf, sizeof(buf), &out), SRP_EFORMAT);
	CU_ASSERT_EQUAL(srp_hello_decode("\xdd\xff\xff\xff\xff", 5, &out), SRP_ERANGE);
	for (size_t i = 0; i < sizeof(out); i++)
		CU_ASSERT_EQUAL(((uint8_t *)&out)[i], 0x5a);
	for (size_t i = 0; i < sizeof(example); i++) /* whatever is accepted can be sent on */
		for (unsigned v = 0; v < 256; v++) {
			struct srp_hello h;

			buf[i] = (uint8_t)v;
			if (srp_hello_decode(buf, sizeof(example), &h) == 0)
				CU_ASSERT_TRUE(same(&h, &h));
			buf[i] = example[i];
		}
}

static void test_largest_fits_its_row(void)
{
	struct srp_hello h = sample(), out;
	uint8_t buf[SRP_FRAME_BODY_MAX];
	int n;

	memset(h.name, 'n', SRP_HELLO_NAME_MAX);
	h.ninstances = SRP_HELLO_INSTANCES_MAX;
	for (unsigned i = 0; i < h.ninstances; i++)
		h.instance[i] = (struct srp_hello_instance){true, 255, UINT64_MAX,
			{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	h.ver_max = UINT16_MAX;
	h.term = UINT32_MAX;
	h.highest = SRP_TERM_NUMBER_MAX;
	h.route_modifier = h.caps = UINT32_MAX;
	h.hello_ms = h.dead_ms = SRP_INTERVAL_MS_MAX;
	h.wall_us = h.config_digest = h.incarnation = UINT64_MAX;
	n = srp_hello_encode(&h, buf, sizeof(buf));
	CU_ASSERT_TRUE(n > 0 && (uint32_t)n <= srp_control_frames.row[SRP_CONTROL_HELLO].max);
	CU_ASSERT_EQUAL(srp_hello_decode(buf, (size_t)n, &out), 0);
	CU_ASSERT_TRUE(same(&h, &out));
	for (int cap = 0; cap < n; cap++)
		CU_ASSERT_EQUAL(srp_hello_encode(&h, buf, (size_t)cap), SRP_ENOSPC);
}

#define REFUSED(change) \
	do { \
		struct srp_hello h = sample(); \
		uint8_t buf[512]; \
		change; \
		CU_ASSERT_EQUAL(srp_hello_encode(&h, buf, sizeof(buf)), SRP_EINVAL); \
	} while (0)
#define ACCEPTED(change) \
	do { \
		struct srp_hello h = sample(), out; \
		uint8_t buf[4096]; \
		int n; \
		change; \
		n = srp_hello_encode(&h, buf, sizeof(buf)); \
		CU_ASSERT_TRUE(n > 0 && srp_hello_decode(buf, (size_t)n, &out) == 0 && same(&h, &out)); \
	} while (0)

static void test_limits(void)
{
	REFUSED(h.ver_min = 0);
	REFUSED(h.ver_min = 2);
	REFUSED(h.ver_max = UINT16_MAX + 1);
	ACCEPTED(h.ver_max = UINT16_MAX);
	REFUSED(h.incarnation = 0);
	REFUSED(h.role = SRP_ROLE__N);
	REFUSED(h.handed = true);
	ACCEPTED((h.handed = true, h.role = SRP_ROLE_PENDING_STANDBY));
	ACCEPTED((h.unfit = h.stale = true));
	REFUSED(h.highest = SRP_TERM_NUMBER_MAX + 1);
	REFUSED(h.highest = 4);
	REFUSED(h.priority = 0);
	ACCEPTED(h.priority = 255);
	REFUSED(h.mode = (enum srp_mode)2);
	REFUSED(h.bit = 2);
	REFUSED(h.hello_ms = 0);
	REFUSED(h.hello_ms = SRP_INTERVAL_MS_MAX + 1);
	REFUSED(h.dead_ms = 0);
	REFUSED(h.dead_ms = SRP_INTERVAL_MS_MAX + 1);
	ACCEPTED(h.dead_ms = 1);
	REFUSED(h.ninstances = 0);
	REFUSED(h.ninstances = SRP_HELLO_INSTANCES_MAX + 1);
	ACCEPTED(h.ninstances = SRP_HELLO_INSTANCES_MAX);
	REFUSED(strcpy(h.name, "a\x1b[2J"));
	REFUSED(strcpy(h.name, "\x7f"));
	REFUSED(strcpy(h.name, "\xc3\xa4"));
	ACCEPTED(h.name[0] = '\0');
}

/* Rewrites the example with one field changed as raw bytes: the decoder's own checks. */
static int decode_with(size_t at, size_t cut, const char *bytes, size_t n)
{
	uint8_t buf[1024];
	struct srp_hello out;

	memcpy(buf, example, at);
	memcpy(buf + at, bytes, n);
	memcpy(buf + at + n, example + at + cut, sizeof(example) - at - cut);
	return srp_hello_decode(buf, sizeof(example) - cut + n, &out);
}

static void test_decoder_limits(void)
{
	CU_ASSERT_EQUAL(decode_with(3, 1, "\x01", 1), 0);
	CU_ASSERT_EQUAL(decode_with(3, 1, "\x00", 1), SRP_ERANGE);          /* version 0 */
	CU_ASSERT_EQUAL(decode_with(4, 1, "\xce\0\1\0\0", 5), SRP_ERANGE);  /* version 65536 */
	CU_ASSERT_EQUAL(decode_with(5, 5, "\xa2\x1b[", 3), SRP_EFORMAT);    /* escape in a name */
	CU_ASSERT_EQUAL(decode_with(10, 9, "\x00", 1), SRP_ERANGE);         /* incarnation 0 */
	CU_ASSERT_EQUAL(decode_with(19, 1, "\x05", 1), SRP_ERANGE);         /* role */
	CU_ASSERT_EQUAL(decode_with(20, 1, "\x01", 1), SRP_ERANGE);         /* handed, but Standby */
	CU_ASSERT_EQUAL(decode_with(20, 1, "\xcd\xff\xf8", 3), 0);          /* flags not known here */
	CU_ASSERT_EQUAL(decode_with(21, 1, "\x0c", 1), SRP_ERANGE);         /* term above highest */
	CU_ASSERT_EQUAL(decode_with(23, 1, "\x02", 1), SRP_ERANGE);         /* mode */
	CU_ASSERT_EQUAL(decode_with(24, 1, "\x00", 1), SRP_ERANGE);         /* priority */
	CU_ASSERT_EQUAL(decode_with(25, 8, "\xc4\x05\0\0\0\0\0", 7), SRP_ERANGE); /* MAC of 5 */
	CU_ASSERT_EQUAL(decode_with(33, 1, "\x02", 1), SRP_ERANGE);         /* chassis bit */
	CU_ASSERT_EQUAL(decode_with(62, 6, "\xc4\x03\1\2\3", 5), SRP_ERANGE); /* IPv4 of 3 bytes */
	CU_ASSERT_EQUAL(decode_with(60, 1, "\x91", 1), SRP_ESHORT);         /* a side is missing */
	CU_ASSERT_EQUAL(decode_with(95, 1, "\x90", 1), SRP_EFORMAT);        /* no instance, bytes left */
	CU_ASSERT_EQUAL(decode_with(95, 25, "\x90", 1), SRP_ERANGE);        /* no instance */
	CU_ASSERT_EQUAL(decode_with(96, 1, "\x96", 1), SRP_ESHORT);        /* an instance too short */
	CU_ASSERT_EQUAL(decode_with(95, 1, "\xdc\0\x21", 3), SRP_ERANGE);   /* 33 instances */
}

/* A newer peer appends, at each level; all of it is skipped, within bounds. */
static void test_newer_peer(void)
{
	struct srp_hello h = sample(), out;
	uint8_t buf[1024];
	size_t n = sizeof(example);

	memcpy(buf, example, n);
	buf[2] = 0x16;
	memcpy(buf + n, "\x93\x01\xa1x\xc0\xc3", 6);
	CU_ASSERT_EQUAL(srp_hello_decode(buf, n + 6, &out), 0);
	CU_ASSERT_TRUE(same(&h, &out));
	for (size_t cut = n; cut < n + 6; cut++)
		CU_ASSERT_NOT_EQUAL(srp_hello_decode(buf, cut, &out), 0);
	buf[2] = 0x13; /* one less than we need */
	CU_ASSERT_EQUAL(srp_hello_decode(buf, n, &out), SRP_ESHORT);
	CU_ASSERT_EQUAL(decode_with(96, 1, "\x98", 1), SRP_ESHORT); /* takes the next instance for a field */
	CU_ASSERT_EQUAL(decode_with(96, 10, "\x99\xc3\x03\xcd\x03\xe8\x00\x00\x00\x00\x91\xc0\x05", 13), 0);
	CU_ASSERT_EQUAL(decode_with(60, 1, "\x93", 1), SRP_ESHORT); /* a third side: no instances left */
	buf[2] = 65; /* more fields than anybody will ever append */
	memset(buf + n, 0, 100);
	CU_ASSERT_EQUAL(srp_hello_decode(buf, n + 45, &out), SRP_ERANGE);
	buf[2] = 64;
	CU_ASSERT_EQUAL(srp_hello_decode(buf, n + 44, &out), 0);
}

static void test_agree(void)
{
	struct srp_hello a = sample(), b = sample();
	uint32_t v = 99;

	CU_ASSERT_EQUAL(srp_hello_agree(&a, &b, &v), SRP_EDUP);
	b.bit = 0;
	CU_ASSERT_EQUAL(srp_hello_agree(&a, &b, &v), SRP_EDUP); /* connected to itself */
	b.incarnation++;
	b.ninstances = 3;
	CU_ASSERT_EQUAL(srp_hello_agree(&a, &b, &v), SRP_EMISMATCH);
	b.ninstances = 2;
	b.ver_min = b.ver_max = 2;
	CU_ASSERT_EQUAL(srp_hello_agree(&a, &b, &v), SRP_EVERSION);
	CU_ASSERT_EQUAL(v, 99);
	b.ver_min = 1;
	b.ver_max = 7;
	CU_ASSERT_EQUAL(srp_hello_agree(&a, &b, &v), 0);
	CU_ASSERT_EQUAL(v, 1);
	a.ver_max = 5;
	CU_ASSERT_EQUAL(srp_hello_agree(&b, &a, &v), 0);
	CU_ASSERT_EQUAL(v, 5);
}

static void test_candidate(void)
{
	struct srp_hello h = sample();
	struct srp_candidate c;

	h.unfit = true;
	c = srp_hello_candidate(&h);
	CU_ASSERT_TRUE(c.role == SRP_ROLE_STANDBY && c.unfit && !c.stale && !c.handed);
	CU_ASSERT_TRUE(c.complete == 1 && c.term == 10 && c.mode == SRP_MODE_BACKUP);
	CU_ASSERT_TRUE(c.priority == 125 && c.route_modifier == 16 && c.bit == 1);
	CU_ASSERT_EQUAL(memcmp(c.mac, h.mac, 6), 0);
}

CU_TestInfo srp_hello_tests[] = {
	{"a hello byte by byte", test_worked_example},
	{"cut at every byte, and with every byte changed", test_cut_and_changed},
	{"the largest hello fits its frame", test_largest_fits_its_row},
	{"limits, and one past them", test_limits},
	{"the decoder's own limits", test_decoder_limits},
	{"what a newer peer appends is skipped", test_newer_peer},
	{"who can work together", test_agree},
	{"the candidate of a hello", test_candidate},
	CU_TEST_INFO_NULL,
};
