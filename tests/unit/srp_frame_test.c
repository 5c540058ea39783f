#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/err.h"
#include "srp/frame.h"
#include "srp/link_machine.h"

static const struct srp_frame_row rows[256] = {
	[0x00] = {"zero", 0, 0, 1u << 0, 1},
	[0x07] = {"seven", 4, 100, 1u << 1 | 1u << 31, 2},
	[0xff] = {"last", 1, SRP_FRAME_BODY_MAX, ~0u, 3},
};
static const struct srp_frame_table table = {.magic = 0x4142, .version = 9, .row = rows};

static void header(uint8_t *h, uint8_t type, uint32_t len)
{
	srp_frame_put(&table, h, type, SRP_FRAME_F_LZ4, len);
}

static void test_worked_example(void)
{
	static const uint8_t want[] = {0x41, 0x42, 9, 7, 1, 0, 0, 0, 0, 0, 0, 0x64};
	uint8_t h[SRP_FRAME_HDR_LEN];
	struct srp_frame_hdr out;

	header(h, 7, 100);
	CU_ASSERT_EQUAL(memcmp(h, want, sizeof(want)), 0);
	CU_ASSERT_EQUAL(srp_frame_peek(&table, h, sizeof(h), 1, &out), 0);
	CU_ASSERT_TRUE(out.type == 7 && out.flags == SRP_FRAME_F_LZ4 && out.len == 100);
}

static void test_limits(void)
{
	static const struct {
		uint8_t type;
		uint32_t len;
		unsigned state;
		int rc;
	} t[] = {
		{0x00, 0, 0, 0}, {0x00, 1, 0, SRP_ERANGE}, {0x07, 3, 1, SRP_ERANGE}, {0x07, 4, 1, 0},
		{0x07, 100, 1, 0}, {0x07, 101, 1, SRP_ERANGE}, {0x07, UINT32_MAX, 1, SRP_ERANGE},
		{0x07, 4, 0, SRP_ESTATE}, {0x07, 4, 31, 0}, {0x07, 4, 32, SRP_ESTATE},
		{0x07, 4, 33, SRP_ESTATE}, {0x08, 4, 1, SRP_ETYPE}, {0xff, SRP_FRAME_BODY_MAX, 5, 0},
		{0xff, SRP_FRAME_BODY_MAX + 1, 5, SRP_ERANGE}, {0xff, 0, 5, SRP_ERANGE},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t h[SRP_FRAME_HDR_LEN];
		struct srp_frame_hdr out = {.type = 0x55, .len = 77};

		header(h, t[i].type, t[i].len);
		CU_ASSERT_EQUAL(srp_frame_peek(&table, h, sizeof(h), t[i].state, &out), t[i].rc);
		CU_ASSERT_EQUAL(out.len, t[i].rc ? 77 : t[i].len);
		CU_ASSERT_EQUAL(out.type, t[i].rc ? 0x55 : t[i].type);
		for (size_t cut = 0; cut < sizeof(h); cut++)
			CU_ASSERT_EQUAL(srp_frame_peek(&table, h, cut, t[i].state, &out), SRP_EAGAIN);
	}
}

static void test_magic_version_reserved(void)
{
	for (size_t i = 0; i < 8; i++) {
		uint8_t h[SRP_FRAME_HDR_LEN];
		struct srp_frame_hdr out;

		header(h, 7, 10);
		if (i == 3 || i == 4)
			continue; /* type and flags */
		h[i] ^= 0x10;
		CU_ASSERT_EQUAL(srp_frame_peek(&table, h, sizeof(h), 1, &out), SRP_EVERSION);
	}
}

/* The real table: every type in every state. */
static void test_control_table(void)
{
	unsigned types = 0;

	for (unsigned type = 0; type < 256; type++)
		for (unsigned st = 0; st < SRP_CONN__N; st++) {
			const struct srp_frame_row *row = &srp_control_frames.row[type];
			uint8_t h[SRP_FRAME_HDR_LEN];
			struct srp_frame_hdr out;
			int rc;

			srp_frame_put(&srp_control_frames, h, (uint8_t)type, 0, row->min);
			rc = srp_frame_peek(&srp_control_frames, h, sizeof(h), st, &out);
			if (!row->name) {
				CU_ASSERT_EQUAL(rc, SRP_ETYPE);
				continue;
			}
			types++;
			/* nothing before a connection is up; before hello, hello and farewell */
			CU_ASSERT_EQUAL(rc == 0, st == SRP_CONN_SYNC || st == SRP_CONN_READY ||
				(st == SRP_CONN_HELLO && (type == SRP_CONTROL_HELLO ||
				 type == SRP_CONTROL_BYE || type == SRP_CONTROL_ERROR)));
			if (rc == 0)
				CU_ASSERT_TRUE(srp_conn_permits((enum srp_conn_state)st,
					(enum srp_conn_event)row->event, NULL));
		}
	CU_ASSERT_EQUAL(types, 10 * SRP_CONN__N);
}

CU_TestInfo srp_frame_tests[] = {
	{"a header byte by byte", test_worked_example},
	{"length, type and state at their limits", test_limits},
	{"magic, version and reserved bytes", test_magic_version_reserved},
	{"the control table permits what its machine takes", test_control_table},
	CU_TEST_INFO_NULL,
};
