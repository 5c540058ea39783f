/* A call line: what one end writes, the other reads, and nothing else. */
#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/show.h"
#include "chassis/registry.h"
#include "chassis/task/aaa_query.h"
#include "chassis/task/call_line.h"
#include "doc_out.h"
#include "json_check.h"
#include "recovery/replica.h"
#include "srp/err.h"
#include "srp/mp.h"

static struct chassis_call_line sample(void)
{
	struct chassis_call_line l = {.copy = CHASSIS_COPY_SESSION, .callid = 0x01ca11b1, .msid = "0000100003",
	                              .username = "user1", .state = ECS_CALL_CONNECTED};
	static const struct ecs_call_step trace[] = {
		{ECS_CALL_OPEN, ECS_CALL_EV_NEWCALL}, {ECS_CALL_NEWCALL_ARRIVED, ECS_CALL_EV_ANSWER_CALL},
		{ECS_CALL_LINE_CONNECTED, ECS_CALL_EV_LOWER_LAYER_UP}};

	l.nsteps = 3;
	memcpy(l.step, trace, sizeof(trace));
	l.ckpt[SRP_REPLICA_GR][ECS_CALL_FULL] = (struct chassis_call_ckpt){69, 68, 29800, 29800};
	l.ckpt[SRP_REPLICA_GR][ECS_CALL_MICRO] = (struct chassis_call_ckpt){206, 206, 20100, 20100};
	l.ckpt[SRP_REPLICA_SR][ECS_CALL_FULL] = (struct chassis_call_ckpt){1, 1, 31000, 31000};
	l.redirect.allowed = ECS_REDIRECTS_MAX;
	return l;
}

/* The longest that there can be. */
static struct chassis_call_line longest(void)
{
	struct chassis_call_line l;

	memset(&l, 0xff, sizeof(l));
	l.copy = CHASSIS_COPY_MIRROR;
	l.recreated = true;
	l.nsteps = ECS_CALL_TRACE_MAX;
	memset(l.msid, '9', sizeof(l.msid) - 1);
	memset(l.username, 'u', sizeof(l.username) - 1);
	l.msid[sizeof(l.msid) - 1] = l.username[sizeof(l.username) - 1] = '\0';
	return l;
}

static bool same(const struct chassis_call_line *a, const struct chassis_call_line *b)
{
	return a->copy == b->copy && a->callid == b->callid && !strcmp(a->msid, b->msid) &&
	       !strcmp(a->username, b->username) && a->recreated == b->recreated && a->state == b->state &&
	       a->refused == b->refused && a->nsteps == b->nsteps &&
	       !memcmp(a->step, b->step, a->nsteps * sizeof(a->step[0])) &&
	       !memcmp(a->ckpt, b->ckpt, sizeof(a->ckpt)) && !memcmp(&a->reorder, &b->reorder, sizeof(a->reorder)) &&
	       !memcmp(&a->reassembly, &b->reassembly, sizeof(a->reassembly)) &&
	       !memcmp(&a->redirect, &b->redirect, sizeof(a->redirect));
}

/* In an exact allocation, so that the sanitizer sees a byte too far. */
static int get(const uint8_t *buf, size_t len, struct chassis_call_line *out)
{
	uint8_t *exact = malloc(len ? len : 1);
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	memcpy(exact, buf, len);
	rc = chassis_call_line_get(exact, len, out);
	free(exact);
	return rc;
}

static void round_trip(void)
{
	const struct chassis_call_line all[] = {sample(), longest()};
	uint8_t buf[RECOVERY_ANSWER_MAX];

	for (size_t i = 0; i < 2; i++) {
		struct chassis_call_line l = {.callid = 77}, was = l;
		size_t len = chassis_call_line_put(&all[i], buf, sizeof(buf));

		CU_ASSERT_FATAL(len > 0 && len <= CHASSIS_CALL_LINE_MAX);
		CU_ASSERT_EQUAL(chassis_call_line_put(&all[i], buf, len - 1), 0);
		CU_ASSERT_EQUAL(chassis_call_line_put(&all[i], buf, len), len);
		for (size_t n = 0; n < len; n++) {
			CU_ASSERT(get(buf, n, &l) < 0);
			CU_ASSERT(same(&l, &was));
		}
		buf[len] = 0xc0;
		CU_ASSERT(get(buf, len + 1, &l) < 0);
		CU_ASSERT_EQUAL(get(buf, len, &l), SRP_OK);
		CU_ASSERT(same(&l, &all[i]));
	}
}

/* Any byte may be another: it is refused, or what is read has its limits. */
static void twisted(void)
{
	const struct chassis_call_line l = sample();
	uint8_t buf[RECOVERY_ANSWER_MAX];
	size_t len = chassis_call_line_put(&l, buf, sizeof(buf));

	for (size_t at = 0; at < len; at++)
		for (unsigned v = 0; v < 256; v++) {
			uint8_t was = buf[at];
			struct chassis_call_line out;

			buf[at] = (uint8_t)v;
			if (get(buf, len, &out) == SRP_OK) {
				CU_ASSERT(out.nsteps <= ECS_CALL_TRACE_MAX);
				CU_ASSERT(out.copy == CHASSIS_COPY_SESSION || out.copy == CHASSIS_COPY_MIRROR);
				CU_ASSERT(strlen(out.msid) < sizeof(out.msid));
			}
			buf[at] = was;
		}
}

/* Of a newer chassis: more elements, in the line and in its arrays; unknown states. */
static size_t newer(uint8_t *buf, size_t cap, uint32_t more, uint32_t steps, uint64_t copy, uint64_t what)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);
	const uint32_t counters[] = {9, 5, 6};

	srp_mp_w_array(&w, 16 + more);
	srp_mp_w_uint(&w, what);
	srp_mp_w_uint(&w, copy);
	srp_mp_w_uint(&w, 5);
	srp_mp_w_str(&w, "1");
	srp_mp_w_str(&w, "");
	srp_mp_w_bool(&w, false);
	srp_mp_w_uint(&w, 255);
	srp_mp_w_uint(&w, 0);
	srp_mp_w_array(&w, steps);
	for (uint32_t i = 0; i < steps; i++)
		srp_mp_w_uint(&w, 200);
	for (int i = 0; i < 7; i++) {
		uint32_t n = (i < 4 ? 4 : counters[i - 4]) + more;

		srp_mp_w_array(&w, n);
		for (uint32_t k = 0; k < n; k++)
			srp_mp_w_uint(&w, k);
	}
	for (uint32_t i = 0; i < more; i++)
		srp_mp_w_str(&w, "newer");
	CU_ASSERT_EQUAL_FATAL(w.err, 0);
	return srp_mp_w_len(&w);
}

static void versions(void)
{
	struct chassis_call_line l;
	uint8_t buf[1024];

	CU_ASSERT_EQUAL(get(buf, newer(buf, sizeof(buf), 3, 32, 1, 1), &l), SRP_OK);
	CU_ASSERT_EQUAL(l.nsteps, 16);
	CU_ASSERT_EQUAL(l.redirect.refused, 5);
	CU_ASSERT_STRING_EQUAL(ecs_call_state_name(l.state), "?");
	CU_ASSERT(get(buf, newer(buf, sizeof(buf), 0, 31, 1, 1), &l) < 0);
	CU_ASSERT(get(buf, newer(buf, sizeof(buf), 0, 34, 1, 1), &l) < 0);
	CU_ASSERT(get(buf, newer(buf, sizeof(buf), 0, 2, 0, 1), &l) < 0);
	CU_ASSERT(get(buf, newer(buf, sizeof(buf), 0, 2, 3, 1), &l) < 0);
	CU_ASSERT(get(buf, newer(buf, sizeof(buf), 0, 2, 1, 2), &l) < 0);
	CU_ASSERT(get(buf, newer(buf, sizeof(buf), 49, 2, 1, 1), &l) < 0);
}

static void questions(void)
{
	static const uint8_t worked[] = {0x92, 0x01, 0xce, 0x80, 0x00, 0x00, 0x0a}; /* PROTOCOL.md */
	static const uint8_t more[] = {0x93, 0x01, 0x05, 0xa1, 'x'}, other[] = {0x92, 0x02, 0x05};
	uint8_t q[RECOVERY_QUESTION_MAX];
	size_t len = chassis_call_question_put(0x8000000a, q, sizeof(q));

	CU_ASSERT_EQUAL_FATAL(len, sizeof(worked));
	CU_ASSERT_EQUAL(memcmp(q, worked, len), 0);
	CU_ASSERT_EQUAL(chassis_call_question_get(q, len), 0x8000000a);
	for (size_t n = 0; n < len; n++)
		CU_ASSERT_EQUAL(chassis_call_question_get(q, n), 0);
	CU_ASSERT_EQUAL(chassis_call_question_put(1, q, 2), 0);
	CU_ASSERT_EQUAL(chassis_call_question_get(more, sizeof(more)), 5);
	CU_ASSERT_EQUAL(chassis_call_question_get(more, sizeof(more) - 1), 0);
	CU_ASSERT_EQUAL(chassis_call_question_get(other, sizeof(other)), 0);
}

/* --- the show -------------------------------------------------------------------------------- */

#define COUNTERS \
	"Data Reorder statistics\n" \
	"  Total timer expiry:          0          Total flush (tmr expiry):   0\n" \
	"  Total no buffers:            0          Total flush (no buffers):   0\n" \
	"  Total flush (queue full):    0          Total flush (out of range): 0\n" \
	"  Total flush (svc change):    0          Total out-of-seq pkt drop:  0\n" \
	"  Total out-of-seq arrived:    %s\n" \
	"IPv4 Reassembly Statistics:\n" \
	"  Success:                     0          In Progress:                %s\n" \
	"  Failure (timeout):           0          Failure (no buffers):       0\n" \
	"  Failure (other reasons):     0\n" \
	"Redirected Session Entries:\n" \
	"  Allowed:                     2000       Current:                    %s\n" \
	"  Added:                       0          Deleted:                    0\n" \
	"  Revoked for use by different subscriber: %s\n"

static void render(const struct chassis_call_show *c, enum stats_doc_format format, struct out *o)
{
	struct stats_doc d;

	o->n = 0;
	stats_doc_begin(&d, format, put, o);
	chassis_show_call(&d, c);
	stats_doc_end(&d);
	CU_ASSERT(format == STATS_DOC_TEXT || json_valid(o->text, o->n));
}

static void layout(void)
{
	struct chassis_call_line primary = sample(), mirror = {.copy = CHASSIS_COPY_MIRROR, .recreated = true};
	struct chassis_call_show c = {.number = 1, .instance = 7, .primary = &primary, .peer = &mirror, .gr = true};
	static struct out o;
	char want[8192];

	mirror.state = ECS_CALL_CONNECTED;
	mirror.redirect.allowed = ECS_REDIRECTS_MAX;
	mirror.ckpt[SRP_REPLICA_SR][ECS_CALL_MICRO] = (struct chassis_call_ckpt){3, 3, 12, 12};
	primary.reorder.arrived = 4294967295u;
	primary.reassembly.in_progress = 1;
	primary.redirect.current = 2;
	primary.redirect.revoked = 3;
	snprintf(want, sizeof(want),
	         "username: user1                callid: 01ca11b1                msid: 0000100003\n"
	         "Card/Cpu: 1/0\n"
	         "Sessmgr Instance: 7\n"
	         "Primary callline:\n"
	         "Redundancy Status: Original Session\n"
	         "  Checkpoints      Attempts      Success      Last-Attempt      Last-Success\n"
	         "  Full:            69           68           29800ms           29800ms\n"
	         "  Micro:           206          206          20100ms           20100ms\n"
	         "Current state: SMGR_STATE_CONNECTED\n"
	         "FSM Event trace:\n"
	         "  State                Event\n"
	         "  SMGR_STATE_OPEN      SMGR_EVT_NEWCALL\n"
	         "  SMGR_STATE_NEWCALL_ARRIVED SMGR_EVT_ANSWER_CALL\n"
	         "  SMGR_STATE_LINE_CONNECTED SMGR_EVT_LOWER_LAYER_UP\n"
	         COUNTERS
	         "Peer callline:\n"
	         "Redundancy Status: Recreated Session\n"
	         "  Checkpoints      Attempts      Success      Last-Attempt      Last-Success\n"
	         "  Full:            0            0            0ms               0ms\n"
	         "  Micro:           3            3            12ms              12ms\n"
	         "Current state: SMGR_STATE_CONNECTED\n"
	         "FSM Event trace:\n"
	         "  State                Event\n"
	         COUNTERS
	         "Copy held by: aaamgr\n", "4294967295", "1", "2", "3", "0", "0", "0", "0");
	render(&c, STATS_DOC_TEXT, &o);
	if (strcmp(o.text, want) != 0)
		printf("\nexpected:\n%s\nis:\n%s\n", want, o.text);
	CU_ASSERT_STRING_EQUAL(o.text, want);
	render(&c, STATS_DOC_JSON, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"full\":{\"attempts\":69,\"success\":68,\"last_attempt_ms\":29800"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "{\"state\":\"SMGR_STATE_OPEN\",\"event\":\"SMGR_EVT_NEWCALL\"}"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"held_by\":\"aaamgr\""));
}

/* Both destinations; a chassis alone has the mirror's in the first rows. Nobody has another copy; the
 * second of an answer. */
static void layout_alone(void)
{
	struct chassis_call_line primary = sample(), mirror = {.copy = CHASSIS_COPY_MIRROR};
	struct chassis_call_show c = {.number = 1, .instance = 7, .primary = &primary, .peer = &mirror, .gr = true,
	                              .sr = true};
	static struct out o;

	render(&c, STATS_DOC_TEXT, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "  Full (aaamgr):   1            1            31000ms           31000ms\n"));
	c.gr = false;
	render(&c, STATS_DOC_TEXT, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "  Full:            1            1            31000ms           31000ms\n"));
	CU_ASSERT_PTR_NULL(strstr(o.text, "Full (aaamgr)"));
	c.peer = NULL;
	c.why = "the peer chassis has no such call";
	c.number = 2;
	render(&c, STATS_DOC_TEXT, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Peer callline:\nRedundancy Status: None (the peer chassis has no such call)\n"));
	render(&c, STATS_DOC_JSON, &o);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "{\"call_2\":{\"username\":"));
}

/* --- the mirror ------------------------------------------------------------------------------- */

/* A store that holds nothing, and questions that are none. */
static void no_mirror(void)
{
	static const uint8_t junk[] = {0xff};
	struct recovery_store *store;
	uint8_t q[RECOVERY_QUESTION_MAX], a[RECOVERY_ANSWER_MAX];
	size_t len = chassis_call_question_put(5, q, sizeof(q));
	void *mem = aligned_alloc(4096, RECOVERY_STORE_CAP_MIN);

	CU_ASSERT_PTR_NOT_NULL_FATAL(mem);
	store = recovery_store_new(mem, RECOVERY_STORE_CAP_MIN, chassis_kinds, chassis_nkinds, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	CU_ASSERT_EQUAL(chassis_aaa_answer(NULL, q, len, a, sizeof(a), (struct srp_time){1}), 0);
	CU_ASSERT_EQUAL(chassis_aaa_answer(store, q, len, a, sizeof(a), (struct srp_time){1}), 0);
	CU_ASSERT_EQUAL(chassis_aaa_answer(store, junk, 1, a, sizeof(a), (struct srp_time){1}), 0);
	recovery_store_free(store);
	free(mem);
}

CU_TestInfo chassis_call_line_tests[] = {
	{"written and read, cut at every byte", round_trip},
	{"every byte another", twisted},
	{"newer and wrong ones", versions},
	{"questions", questions},
	{"show subscriber debug-info as in the chapter", layout},
	{"a call whose other copy is elsewhere, or nowhere", layout_alone},
	{"a mirror that has nothing", no_mirror},
	CU_TEST_INFO_NULL,
};
