/* `show srp checkpoint statistics`, and that of the mirror. */
#include "config.h"
#include "suites.h"

#include "chapter_table.h"
#include "recovery/replica.h"
#include "show_kit.h"
#include "srp/role.h"

/* What the chapter's sample has, under the field's names and ids. */
static const struct srp_ckpt_kind clp = {.id = 4, .name = "UPDATE_CLPSTATS"};
static const struct srp_ckpt_kind sess = {.id = 33, .name = "ACS_SESS_INFO"};
static const struct srp_ckpt_kind call = {.id = 179, .name = "ACS_CALL_INFO"};
static const struct srp_ckpt_kind pgw = {.id = 193, .name = "PGW_UBR_MBR_INFO"};
static const struct srp_ckpt_kind flow = {.id = 210, .del_id = 211, .name = "ACS_FLOW_INFO",
                                          .del_name = "DEL_ACS_FLOW_INFO"};
static const struct srp_ckpt_kind full = {.id = 240, .del_id = 1, .name = "Full Checkpoint",
                                          .del_name = "INVALIDATE_CRR"};
static const struct srp_ckpt_kind idle = {.id = 2, .name = "UPDATE_IDLESECS"};
static const struct srp_ckpt_kind *const sample_kinds[] = {&full, &flow, &clp, &sess, &idle, &call, &pgw};

static struct recovery_kind_counters *counters(struct bed *b, unsigned instance, size_t kind, bool del)
{
	return &b->slab[instance].kind[SRP_REPLICA_GR][recovery_row(kind, del)];
}

static void sent(struct bed *b, size_t kind, bool del, uint64_t messages, uint64_t limited, uint64_t bytes)
{
	for (unsigned i = 1; i <= 2; i++) {
		struct recovery_kind_counters *c = counters(b, i, kind, del);

		/* the table is the sum over instances */
		c->sent = messages / 2;
		c->rate_limited = limited / 2;
		c->attempted = c->sent + c->rate_limited;
		c->bytes_sent = bytes / 2;
	}
}

static void test_sample(void)
{
	struct out o = {0};
	struct stats_doc d;
	struct bed b;
	char *at;

	bed_init(&b);
	b.view.kinds = sample_kinds;
	b.view.nkinds = sizeof(sample_kinds) / sizeof(sample_kinds[0]);
	counters(&b, 1, 2, false)->gate_audit = 1;
	counters(&b, 2, 2, false)->gate_audit = 2;
	sent(&b, 3, false, 2060, 0, 298130);
	sent(&b, 5, false, 2060, 0, 306240);
	sent(&b, 6, false, 1000, 0, 457000);
	sent(&b, 1, false, 30, 20, 8490);
	sent(&b, 1, true, 30, 20, 6060);
	sent(&b, 0, false, 1000, 0, 4754470);
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	chassis_show_checkpoint(&b.view, &d, 0, false);
	stats_doc_end(&d);
	at = strstr(o.text, "SRP Session Checkpoint Sent Statistics");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_EQUAL(strncmp(at, chapter_table, strlen(chapter_table)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Number of Sessmgrs:                                    2\n"));
	/* nothing was deleted, so that row is not there; nor is one on the receiving side */
	CU_ASSERT_PTR_NULL(strstr(o.text, "INVALIDATE_CRR"));
	at = strstr(o.text, "SRP Session Checkpoint Received Statistics");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_PTR_NULL(strstr(at, "ACS_"));
	bed_free(&b);
}

static void test_instance(void)
{
	struct out o = {0};
	struct stats_doc d;
	struct bed b;

	bed_init(&b);
	for (unsigned i = 1; i <= 2; i++) {
		b.slab[i].applied_role = SRP_ROLE_STANDBY;
		b.slab[i].link = i == 1 ? RECOVERY_LINK_READY : RECOVERY_LINK_SYNC;
		b.slab[i].sessions = 100 * i;
		b.slab[i].kind[SRP_REPLICA_GR][recovery_row(2, false)].received = 7 * i;
	}
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	chassis_show_checkpoint(&b.view, &d, 2, true);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "  Sessmgrs in Standby-Connected state:                 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Current call recovery records:                       300\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "        2 Stby    Sync "));
	CU_ASSERT_PTR_NULL(strstr(o.text, "        1 Stby    Ready"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "     Full Checkpoint      14 "));
	bed_free(&b);
}

/* Of the mirror: sent as session managers say, received as their aaamgrs say, and nothing of the peer. */
static void test_sr_checkpoint(void)
{
	const size_t row = recovery_row(2, false);
	struct out o = {0};
	struct stats_doc d;
	struct bed b;
	char *at;

	bed_init(&b);
	for (unsigned i = 1; i <= 2; i++) {
		b.slab[i].kind[SRP_REPLICA_GR][row].sent = 100;
		b.slab[i].kind[SRP_REPLICA_GR][row].received = 200;
		b.slab[i].kind[SRP_REPLICA_SR][row].sent = 11 * i;
		b.slab[i].kind[SRP_REPLICA_SR][row].received = 1000;
		b.slab[5 + i].kind[SRP_REPLICA_SR][row].sent = 1000;
		b.slab[5 + i].kind[SRP_REPLICA_SR][row].received = 7 * i;
	}
	for (unsigned instance = 0; instance <= 2; instance++) {
		static const char *const sent_rows[] = {"Full Checkpoint      33 ", "Full Checkpoint      11 ",
		                                        "Full Checkpoint      22 "};
		static const char *const received_rows[] = {
			"Full Checkpoint      21 ", "Full Checkpoint       7 ", "Full Checkpoint      14 "};

		o.n = 0;
		stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
		chassis_show_sr_checkpoint(&b.view, &d, instance);
		stats_doc_end(&d);
		CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Session Recovery Checkpoint Sent Statistics"));
		at = strstr(o.text, "Session Recovery Checkpoint Received Statistics");
		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		CU_ASSERT_PTR_NOT_NULL(strstr(at, received_rows[instance]));
		*at = '\0';
		CU_ASSERT_PTR_NOT_NULL(strstr(o.text, sent_rows[instance]));
	}
	bed_free(&b);
}

CU_TestInfo chassis_show_checkpoint_tests[] = {
	{"sent checkpoints as in the chapter", test_sample},
	{"one instance, verbose", test_instance},
	{"checkpoints to the mirror", test_sr_checkpoint},
	CU_TEST_INFO_NULL,
};
