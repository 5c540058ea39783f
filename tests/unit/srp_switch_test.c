#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/err.h"
#include "srp/hello.h"
#include "srp/link_machine.h"

typedef int decode_fn(const uint8_t *body, size_t len);

static int d_prepare(const uint8_t *b, size_t n)
{
	struct srp_switch_prepare m;

	return srp_switch_prepare_decode(b, n, &m);
}
static int d_ready(const uint8_t *b, size_t n)
{
	struct srp_status m;

	return srp_switch_ready_decode(b, n, &m);
}
static int d_error(const uint8_t *b, size_t n)
{
	struct srp_status m;

	return srp_error_decode(b, n, &m);
}
static int d_abort(const uint8_t *b, size_t n)
{
	char text[SRP_MESSAGE_TEXT_MAX + 1];

	return srp_switch_abort_decode(b, n, text);
}
static int d_handover(const uint8_t *b, size_t n)
{
	uint32_t term;

	return srp_handover_decode(b, n, &term);
}
static int d_taken(const uint8_t *b, size_t n)
{
	uint32_t term;

	return srp_taken_decode(b, n, &term);
}
static int d_bye(const uint8_t *b, size_t n)
{
	uint32_t reason;

	return srp_bye_decode(b, n, &reason);
}
static int d_check(const uint8_t *b, size_t n)
{
	struct srp_config_check m;

	return srp_config_check_decode(b, n, &m);
}
static int d_result(const uint8_t *b, size_t n)
{
	struct srp_config_check m;

	return srp_config_result_decode(b, n, &m);
}

/* What holds for every message: cut it is refused, appended to it is taken, and its row permits
 * it. */
static void law(enum srp_control type, decode_fn *decode, uint8_t *b, int n)
{
	const struct srp_frame_row *row = &srp_control_frames.row[type];

	CU_ASSERT_TRUE_FATAL(n > 0 && (uint32_t)n >= row->min && (uint32_t)n <= row->max);
	CU_ASSERT_EQUAL(decode(b, (size_t)n), 0);
	for (int cut = 0; cut < n; cut++)
		CU_ASSERT_NOT_EQUAL(decode(b, (size_t)cut), 0);
	b[n] = 0xc3;
	CU_ASSERT_EQUAL(decode(b, (size_t)n + 1), SRP_EFORMAT);
	b[0]++; /* one more element */
	CU_ASSERT_EQUAL(decode(b, (size_t)n + 1), 0);
	b[n] = 0x91; /* which is cut */
	CU_ASSERT_NOT_EQUAL(decode(b, (size_t)n + 1), 0);
	b[0] -= 2; /* one less than needed */
	CU_ASSERT_NOT_EQUAL(decode(b, (size_t)n), 0);
	CU_ASSERT_NOT_EQUAL(decode((const uint8_t *)"\xdd\xff\xff\xff\xff", 5), 0);
	CU_ASSERT_NOT_EQUAL(decode((const uint8_t *)"\xc1", 1), 0);
}

static void test_prepare(void)
{
	struct srp_switch_prepare m = {5, 11, 11, 300000, true}, out = {.term = 77};
	uint8_t b[300];
	int n = srp_switch_prepare_encode(&m, b, sizeof(b));

	CU_ASSERT_EQUAL(srp_switch_prepare_decode(b, (size_t)n, &out), 0);
	CU_ASSERT_TRUE(out.id == 5 && out.term == 11 && out.reason == 11);
	CU_ASSERT_TRUE(out.timeout_ms == 300000 && out.force);
	law(SRP_CONTROL_SWITCH_PREPARE, d_prepare, b, n);
	m = (struct srp_switch_prepare){UINT32_MAX, UINT32_MAX, 255, SRP_INTERVAL_MS_MAX, false};
	law(SRP_CONTROL_SWITCH_PREPARE, d_prepare, b, srp_switch_prepare_encode(&m, b, sizeof(b)));
	m.reason = 256;
	CU_ASSERT_EQUAL(srp_switch_prepare_encode(&m, b, sizeof(b)), SRP_EINVAL);
	m.reason = 0;
	m.timeout_ms = SRP_INTERVAL_MS_MAX + 1;
	CU_ASSERT_EQUAL(srp_switch_prepare_encode(&m, b, sizeof(b)), SRP_EINVAL);
	m.timeout_ms = 0;
	m.term = 0;
	CU_ASSERT_EQUAL(srp_switch_prepare_encode(&m, b, sizeof(b)), SRP_EINVAL);
	out.term = 77;
	CU_ASSERT_EQUAL(srp_switch_prepare_decode("\x95\x05\x00\x01\x01\xc2", 6, &out), SRP_ERANGE);
	CU_ASSERT_EQUAL(srp_switch_prepare_decode("\x95\x05\x01\xcd\x01\x00\x01\xc2", 8, &out), SRP_ERANGE);
	CU_ASSERT_EQUAL(srp_switch_prepare_decode("\x95\x05\x01\x01\x01\x01", 6, &out), SRP_EFORMAT);
	CU_ASSERT_EQUAL(out.term, 77);
}

static void test_ready(void)
{
	struct srp_status m = {9, SRP_EMISMATCH, "2 sessmgrs differ"}, out = {.id = 5};
	uint8_t b[300];
	int n = srp_switch_ready_encode(&m, b, sizeof(b));

	CU_ASSERT_EQUAL(srp_switch_ready_decode("\x93\x01\x00\xa1\x07", 5, &out), SRP_EFORMAT);
	CU_ASSERT_EQUAL(out.id, 5);
	CU_ASSERT_EQUAL(srp_switch_ready_decode(b, (size_t)n, &out), 0);
	CU_ASSERT_TRUE(out.id == 9 && out.status == SRP_EMISMATCH);
	CU_ASSERT_STRING_EQUAL(out.text, "2 sessmgrs differ");
	law(SRP_CONTROL_SWITCH_READY, d_ready, b, n);
	m = (struct srp_status){0, 0, ""};
	law(SRP_CONTROL_SWITCH_READY, d_ready, b, srp_switch_ready_encode(&m, b, sizeof(b)));
	m.id = UINT32_MAX;
	m.status = -255;
	memset(m.text, 'x', SRP_MESSAGE_TEXT_MAX);
	law(SRP_CONTROL_SWITCH_READY, d_ready, b, srp_switch_ready_encode(&m, b, sizeof(b)));
}

static void test_error(void)
{
	struct srp_status m = {0, SRP_EMISMATCH, "2 sessmgrs differ"}, out = {.status = 5};
	uint8_t b[300];
	int n = srp_error_encode(&m, b, sizeof(b));

	CU_ASSERT_EQUAL(srp_error_decode(b, (size_t)n, &out), 0);
	CU_ASSERT_EQUAL(out.status, SRP_EMISMATCH);
	CU_ASSERT_STRING_EQUAL(out.text, "2 sessmgrs differ");
	law(SRP_CONTROL_ERROR, d_error, b, n);
	memset(m.text, 'x', SRP_MESSAGE_TEXT_MAX);
	m.status = -255;
	law(SRP_CONTROL_ERROR, d_error, b, srp_error_encode(&m, b, sizeof(b)));
	/* what no peer would take is not sent: a positive code, one too low */
	m.status = 3;
	n = srp_error_encode(&m, b, sizeof(b));
	CU_ASSERT_TRUE(srp_error_decode(b, (size_t)n, &out) == 0 && out.status == -255);
	m.status = -256;
	n = srp_error_encode(&m, b, sizeof(b));
	CU_ASSERT_TRUE(srp_error_decode(b, (size_t)n, &out) == 0 && out.status == -255);
	CU_ASSERT_EQUAL(srp_error_decode("\x92\xcd\x01\x00\xa0", 5, &out), SRP_ERANGE);
	for (size_t cap = 0; cap < (size_t)n; cap++)
		CU_ASSERT_EQUAL(srp_error_encode(&m, b, cap), SRP_ENOSPC);
}

static void test_abort_text(void)
{
	char text[SRP_MESSAGE_TEXT_MAX + 1] = "untouched", longest[300];
	uint8_t b[300];
	int n = srp_switch_abort_encode("flush\ttimed\x7f\xc3\xa4ut\x1b", b, sizeof(b));

	CU_ASSERT_EQUAL(srp_switch_abort_decode("\x91\xa1\x07", 3, text), SRP_EFORMAT);
	CU_ASSERT_STRING_EQUAL(text, "untouched");
	CU_ASSERT_EQUAL(srp_switch_abort_decode(b, (size_t)n, text), 0);
	CU_ASSERT_STRING_EQUAL(text, "flush?timed???ut?");
	law(SRP_CONTROL_SWITCH_ABORT, d_abort, b, n);
	memset(longest, 'y', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	n = srp_switch_abort_encode(longest, b, sizeof(b));
	CU_ASSERT_EQUAL(srp_switch_abort_decode(b, (size_t)n, text), 0);
	CU_ASSERT_EQUAL(strlen(text), SRP_MESSAGE_TEXT_MAX);
	law(SRP_CONTROL_SWITCH_ABORT, d_abort, b, n);
	n = srp_switch_abort_encode(longest, b, sizeof(b));
	b[n] = 'y';
	b[2]++; /* a text of 201 bytes */
	CU_ASSERT_EQUAL(srp_switch_abort_decode(b, (size_t)n + 1, text), SRP_ERANGE);
}

static void test_numbers(void)
{
	uint8_t b[300];
	uint32_t v = 7;

	CU_ASSERT_EQUAL(srp_handover_encode(0, b, sizeof(b)), SRP_EINVAL);
	CU_ASSERT_EQUAL(srp_taken_encode(0, b, sizeof(b)), SRP_EINVAL);
	CU_ASSERT_EQUAL(srp_bye_encode(256, b, sizeof(b)), SRP_EINVAL);
	CU_ASSERT_EQUAL(srp_handover_decode("\x91\x00", 2, &v), SRP_ERANGE);
	CU_ASSERT_EQUAL(srp_taken_decode("\x91\x00", 2, &v), SRP_ERANGE);
	CU_ASSERT_EQUAL(srp_taken_decode("\x91\xcf\0\0\0\1\0\0\0\0", 10, &v), SRP_ERANGE);
	CU_ASSERT_EQUAL(srp_bye_decode("\x91\xcd\x01\x00", 4, &v), SRP_ERANGE);
	CU_ASSERT_EQUAL(v, 7);
	CU_ASSERT_EQUAL(srp_taken_decode(b, (size_t)srp_taken_encode(13, b, sizeof(b)), &v), 0);
	CU_ASSERT_EQUAL(v, 13);
	CU_ASSERT_EQUAL(srp_handover_decode(b, (size_t)srp_handover_encode(UINT32_MAX, b, sizeof(b)),
		&v), 0);
	CU_ASSERT_EQUAL(v, UINT32_MAX);
	CU_ASSERT_EQUAL(srp_bye_decode(b, (size_t)srp_bye_encode(0, b, sizeof(b)), &v), 0);
	CU_ASSERT_EQUAL(v, 0);
	law(SRP_CONTROL_HANDOVER, d_handover, b, srp_handover_encode(1, b, sizeof(b)));
	law(SRP_CONTROL_TAKEN, d_taken, b, srp_taken_encode(UINT32_MAX, b, sizeof(b)));
	law(SRP_CONTROL_BYE, d_bye, b, srp_bye_encode(255, b, sizeof(b)));
}

static void test_config(void)
{
	struct srp_config_check m = {.id = 9, .digest = UINT64_MAX, .st = {0, SRP_EBUSY, "audit runs"}}, out;
	uint8_t b[300];
	int n = srp_config_check_encode(&m, b, sizeof(b));

	CU_ASSERT_EQUAL(srp_config_check_decode(b, (size_t)n, &out), 0);
	CU_ASSERT_TRUE(out.id == 9 && out.digest == UINT64_MAX && out.st.status == 0);
	CU_ASSERT_STRING_EQUAL(out.st.text, "");
	law(SRP_CONTROL_CONFIG_CHECK, d_check, b, n);
	n = srp_config_result_encode(&m, b, sizeof(b));
	CU_ASSERT_EQUAL(srp_config_result_decode(b, (size_t)n, &out), 0);
	CU_ASSERT_TRUE(out.id == 9 && out.digest == UINT64_MAX && out.st.status == SRP_EBUSY);
	CU_ASSERT_STRING_EQUAL(out.st.text, "audit runs");
	law(SRP_CONTROL_CONFIG_RESULT, d_result, b, n);
	m = (struct srp_config_check){.st = {.status = 0}};
	law(SRP_CONTROL_CONFIG_CHECK, d_check, b, srp_config_check_encode(&m, b, sizeof(b)));
	law(SRP_CONTROL_CONFIG_RESULT, d_result, b, srp_config_result_encode(&m, b, sizeof(b)));
}

CU_TestInfo srp_switch_tests[] = {
	{"SWITCH_PREPARE", test_prepare},
	{"SWITCH_READY", test_ready},
	{"ERROR", test_error},
	{"SWITCH_ABORT: texts are printable and bounded", test_abort_text},
	{"HANDOVER, TAKEN, BYE", test_numbers},
	{"CONFIG_CHECK and CONFIG_RESULT", test_config},
	CU_TEST_INFO_NULL,
};
