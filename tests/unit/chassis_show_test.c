#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chassis/cli/exec.h"
#include "chassis/cli/pipe.h"
#include "chassis/cli/show.h"
#include "chassis/registry.h"
#include "chassis/task/proc.h"
#include "json_check.h"
#include "recovery/replica.h"
#include "srp/err.h"
#include "srp/role.h"

struct out {
	char *text;
	size_t n, cap;
};

static void put(void *arg, const char *p, size_t n)
{
	struct out *o = arg;

	if (o->n + n + 1 > o->cap) {
		o->cap = (o->n + n) * 2 + 1024;
		o->text = realloc(o->text, o->cap);
		CU_ASSERT_PTR_NOT_NULL_FATAL(o->text);
	}
	memcpy(o->text + o->n, p, n);
	o->n += n;
	o->text[o->n] = '\0';
}

static const char conf_text[] =
	"configure\nsystem hostname h\ncontext c\ninterface e0\nside access\nexit\napn a\n"
	"active-charging rulebase rb1\nexit\nservice-redundancy-protocol\nend\n"
	"configure\nactive-charging service s1\nruledef rule01\nip any-match = TRUE\n#exit\n"
	"ruledef AUP-ALL_HTTP-1\nhttp host contains \"a b\"\n#exit\n"
	"charging-action ca\ncontent-id 7\nflow action discard uplink\n"
	"flow limit-for-bandwidth direction uplink peak-data-rate 512000\n#exit\n"
	"packet-filter pf\ndirection uplink\n#exit\n"
	"rulebase rb1\naction priority 1 ruledef AUP-ALL_HTTP-1 charging-action ca\n"
	"action priority 2 ruledef rule01 charging-action ca\n#exit\n"
	"trigger-action ta1\nflow-recovery\n#exit\ntrigger-action ta2\n#exit\n"
	"trigger-condition tc1\nrule-name = rule01\nrule-name contains AUP\ndelay = 600\n#exit\n"
	"trigger-condition tc2\nany-match = TRUE\n#exit\n"
	"service-scheme ss1\ntrigger flow-create\n"
	"priority 1 trigger-condition tc1 trigger-action ta1\n#exit\n#exit\nservice-scheme ss2\n#exit\nend\n";

/* A chassis of two session managers, as its slabs tell. */
struct bed {
	struct chassis_config *conf;
	struct chassis_slab *slab; /* vpnmgr, sessmgr 1, 2, supervisor, the standbys, aaamgr 1, 2 */
	struct chassis_view view;
};

static const struct chassis_slab *slab(void *arg, enum chassis_task task, unsigned instance)
{
	struct bed *b = arg;

	if (task == CHASSIS_TASK_VPNMGR)
		return &b->slab[0];
	if (task == CHASSIS_TASK_SUPERVISOR)
		return &b->slab[3];
	if (!instance)
		return task == CHASSIS_TASK_SESSMGR ? &b->slab[4]
		       : task == CHASSIS_TASK_AAAMGR ? &b->slab[5] : NULL;
	if (instance > 2)
		return NULL;
	return task == CHASSIS_TASK_SESSMGR  ? &b->slab[instance]
	       : task == CHASSIS_TASK_AAAMGR ? &b->slab[5 + instance] : NULL;
}

static void bed_init(struct bed *b)
{
	b->conf = chassis_config_parse_with(conf_text, strlen(conf_text), "t",
	                                    chassis_license_assume, NULL, NULL, NULL);
	b->slab = calloc(8, sizeof(*b->slab));
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->slab);
	b->view = (struct chassis_view){.config = b->conf, .slab = slab, .arg = b, .nsessmgr = 2,
	                                .kinds = chassis_kinds, .nkinds = chassis_nkinds,
	                                .now_us = 100000000};
}

static void bed_free(struct bed *b)
{
	chassis_config_free(b->conf);
	free(b->slab);
}

/* --- the chapter's table ------------------------------------------------------------------------- */

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

static const char sample[] =
	"SRP Session Checkpoint Sent Statistics \n"
	"====================================== \n"
	"Checkpoints Rate limited-------------------------------------------------------+ \n"
	"Bytes sent------------------------------------------------------------------+  | \n"
	"External_audit_in_progress-----------------------------------------+        |  | \n"
	"Recovery in progress--------------------------------------------+  |        |  | \n"
	"Write list congested-----------------------------------------+  |  |        |  | \n"
	"Invalid GR state------------------------------------------+  |  |  |        |  | \n"
	"Session not ready for recovery-------------------------+  |  |  |  |        |  | \n"
	"Encoding failure ignored----------------------------+  |  |  |  |  |        |  | \n"
	"Encoding failure---------------------------------+  |  |  |  |  |  |        |  | \n"
	"Ignored as Invalidate CRR sent----------------+  |  |  |  |  |  |  |        |  | \n"
	"Ignored as first FC never sent-------------+  |  |  |  |  |  |  |  |        |  | \n"
	"Checkpoint rate(last 30 min)------------+  |  |  |  |  |  |  |  |  |        |  | \n"
	"Checkpoint rate(now)-----------------+  |  |  |  |  |  |  |  |  |  |        |  | \n"
	"Encoding attempted---------------+   |  |  |  |  |  |  |  |  |  |  |        |  | \n"
	"Messages sent--------------+     |   |  |  |  |  |  |  |  |  |  |  |        |  | \n"
	"Checkpoint-type            |     |   |  |  |  |  |  |  |  |  |  |  |        |  | \n"
	" \n"
	"     UPDATE_CLPSTATS       0     0   0  0  0  0  0  0  0  0  0  0  3        0  0 \n"
	"     ACS_SESS_INFO      2060  2060   0  0  0  0  0  0  0  0  0  0  0   298130  0 \n"
	"     ACS_CALL_INFO      2060  2060   0  0  0  0  0  0  0  0  0  0  0   306240  0 \n"
	"     PGW_UBR_MBR_INFO   1000  1000   0  0  0  0  0  0  0  0  0  0  0   457000  0 \n"
	"     ACS_FLOW_INFO        30    50   0  0  0  0  0  0  0  0  0  0  0     8490 20 \n"
	"     DEL_ACS_FLOW_INFO    30    50   0  0  0  0  0  0  0  0  0  0  0     6060 20 \n"
	"     Full Checkpoint    1000  1000   0  0  0  0  0  0  0  0  0  0  0  4754470  0 \n"
	"================================================================================================== \n";

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
	CU_ASSERT_EQUAL(strncmp(at, sample, strlen(sample)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Number of Sessmgrs:                                    2\n"));
	/* nothing was deleted, so that row is not there; nor is one on the receiving side */
	CU_ASSERT_PTR_NULL(strstr(o.text, "INVALIDATE_CRR"));
	at = strstr(o.text, "SRP Session Checkpoint Received Statistics");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_PTR_NULL(strstr(at, "ACS_"));
	free(o.text);
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
		b.slab[i].kind[SRP_REPLICA_GR][recovery_row(1, false)].received = 7 * i;
	}
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	chassis_show_checkpoint(&b.view, &d, 2, true);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "  Sessmgrs in Standby-Connected state:                 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Current call recovery records:                       300\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "        2 Stby    Sync "));
	CU_ASSERT_PTR_NULL(strstr(o.text, "        1 Stby    Ready"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "     Full Checkpoint      14 "));
	free(o.text);
	bed_free(&b);
}

/* Of the mirror: sent as session managers say, received as their aaamgrs say, and nothing of the peer. */
static void test_sr_checkpoint(void)
{
	const size_t row = recovery_row(1, false);
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
	free(o.text);
	bed_free(&b);
}

/* --- the other shows ----------------------------------------------------------------------------- */

static void rulebases(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_rulebases(v, d, "rb1"));
}

static void charging_actions(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_charging_actions(v, d, NULL));
}

static void ruledef_bodies(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_ruledef(v, d, NULL, NULL));
}

static void filters(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_lines(v, d, "packet-filter", "pf"));
}

static void schemes(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_schemes(v, d, NULL));
}

static void actions(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_trigger_actions(v, d, NULL));
}

static void conditions(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_trigger_conditions(v, d, NULL));
}

static void checkpoint(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_checkpoint(v, d, 0, true);
}

static void sr_checkpoint(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_sr_checkpoint(v, d, 0);
}

static void ruledefs(const struct chassis_view *v, struct stats_doc *d)
{
	(void)chassis_show_ruledefs(v, d, 0, NULL);
}

static void tasks(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_tasks(v, d, CHASSIS_TASK__N, UINT32_MAX);
}

static void version(const struct chassis_view *v, struct stats_doc *d)
{
	static const struct chassis_running r = {.version = 7, .digest = 0xabc, .wall_ms = 1000};
	struct chassis_view w = *v;

	w.running = &r;
	chassis_show_version(&w, d);
}

/* Each show has the lines that are looked for, and is valid JSON with the keys that are. */
static void test_shows(void)
{
	static const struct {
		void (*show)(const struct chassis_view *v, struct stats_doc *d);
		const char *text[3], *json[2];
	} all[] = {
		{chassis_show_kinds, {"   211 DEL_ACS_FLOW_INFO", "   240 Full Checkpoint"},
		 {"{\"cmd_id\":1,\"name\":\"INVALIDATE_CRR\",\"deletes\":true"}},
		{checkpoint, {"Current pre-allocated calls:", "smgr inst"}, {"\"sent\":[", "\"instances\":["}},
		{sr_checkpoint, {"Session Recovery Checkpoint Sent Statistics \n"}, {"\"sent\":[", "\"received\":["}},
		{chassis_show_srp_statistics, {"Service Redundancy Protocol:\n"}, {"\"hello_tx\":0", "\"digests_equal\":0"}},
		{ruledefs, {"Ruledef Name        Packets-Down  Bytes-Down  Packets-Up   Bytes-Up       Hits Match-Bypassed\n",
		  "AUP-ALL_HTTP-1           5374442   319667816    13737843 1937516143    4516311              0\n",
		  "\nTotal Ruledef(s) : 2\n"}, {"\"bytes_down\":319667816", "\"total\":2"}},
		{rulebases, {"rb1                     2 ruledef           rule01             ca ",
		  "Rulebase Name: rb1\n  Dynamic Rule Order: always-first\n", "  TCP 2MSL Timeout: 2 (secs)\n"},
		 {"\"priority\":1,\"type\":\"ruledef\",\"rule\":\"AUP-ALL_HTTP-1\"",
		  "{\"name\":\"rb1\",\"property\":\"tcp_2msl_timeout\",\"value\":\"2 (secs)\"}"}},
		{charging_actions, {"   Charging Action Name: ca\n     Content ID: 7\n     Service ID: 0\n",
		  "     Limit For Uplink Bandwidth: Enabled\n       Peak Data Rate: 512000 bits/second\n",
		  "     Flow Action:\n       Redirect URL: Disabled\n"},
		 {"{\"name\":\"ca\",\"property\":\"flow_action.discard\",\"value\":\"Enabled (uplink)\"}",
		  "\"property\":\"limit_for_uplink_bandwidth.peak_data_rate\""}},
		{ruledef_bodies, {"    Ruledef Name: AUP-ALL_HTTP-1\n       http host contains \"a b\"\n    Rule Application Type: Charging\n",
		  "Total Ruledef(s):"}, {"\"name\":\"rule01\",\"application\":\"charging\",\"multi_line_or\":false"}},
		{filters, {"packet-filter pf\n  direction uplink\n"}, {"{\"name\":\"pf\",\"line\":\"direction uplink\"}"}},
		{schemes, {"ss1                flow-create         1 tc1                ta1\n", "\nss2 "},
		 {"\"trigger_condition\":\"tc1\""}},
		{actions, {"Trigger-Action Name:    ta1\nFlow recovery:          Enabled\n",
		  "Trigger-Action Name:    ta2\nFlow recovery:          Disabled\n"},
		 {"{\"name\":\"ta2\",\"flow_recovery\":\"Disabled\"}"}},
		{conditions, {"Trigger Action Delay:   600\n", "Rule-name/GOR:          = rule01, contains AUP\n",
		  "Any-match:              = TRUE\n"}, {"\"delay\":600"}},
		{tasks, {" 1/0 sessmgr          2       0     --  100%      --      --    --   --        0 A not started\n"},
		 {"\"facility\":\"sessmgr\",\"instance\":1"}},
		{chassis_show_crashes, {"Total Crashes: 0\n"}, {"\"crashes\":[]", "\"total\":0"}},
		{chassis_show_config, {"  system hostname h\n", "http host contains \"a b\"\n"}, {"\"configuration\":["}},
		{chassis_show_config_errors, {"Displaying Active-charging system errors\n", "warning(s) in this section!\n",
		  "Error   : No interface has side access"}, {"\"chassis\":[{\"kind\":\"Error"}},
		{version, {"Active Software:\n  Image Version:                  " PACKAGE_VERSION "\n"},
		 {"\"version\":\"" PACKAGE_VERSION "\""}},
	};
	struct bed b;

	bed_init(&b);
	for (unsigned i = 1; i <= 2; i++) {
		/* rule names are in the order of the configuration */
		b.slab[i].rule[1] = (struct ecs_rule_stats){5374442 / 2, 319667816 / 2, 13737842 / 2 + i - 1,
		                                            1937516142 / 2 + i - 1, 4516310 / 2 + i - 1, 0, 3, 4};
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (int json = 0; json < 2; json++) {
			struct out o = {0};
			struct stats_doc d;

			stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
			all[i].show(&b.view, &d);
			stats_doc_end(&d);
			CU_ASSERT_FATAL(o.n > 0);
			CU_ASSERT(!json || json_valid(o.text, o.n));
			for (size_t k = 0; k < (json ? 2u : 3u); k++) {
				const char *want = json ? all[i].json[k] : all[i].text[k];

				if (want && !strstr(o.text, want))
					printf("\n%zu: no <%s> in:\n%s\n", i, want, o.text);
				CU_ASSERT(!want || strstr(o.text, want));
			}
			free(o.text);
		}
	}
	bed_free(&b);
}

/* --- session recovery ---------------------------------------------------------------------------- */

/* Renders, compares with @p want where it is given; the JSON is valid and has @p json. */
static void expect(const struct chassis_view *v, void (*show)(const struct chassis_view *v, struct stats_doc *d),
                   const char *want, const char *json)
{
	for (int j = 0; j < 2; j++) {
		struct out o = {0};
		struct stats_doc d;

		stats_doc_begin(&d, j ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
		show(v, &d);
		stats_doc_end(&d);
		CU_ASSERT_PTR_NOT_NULL_FATAL(o.text);
		CU_ASSERT(!j || json_valid(o.text, o.n));
		if (j ? strstr(o.text, json) == NULL : strcmp(o.text, want) != 0)
			printf("\nexpected:\n%s\nis:\n%s\n", j ? json : want, o.text);
		CU_ASSERT(j ? strstr(o.text, json) != NULL : strcmp(o.text, want) == 0);
		free(o.text);
	}
}

static void status(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_session_recovery(v, d, false);
}

static void verbose(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_session_recovery(v, d, true);
}

/* The samples of the chapter, and the row of seven instances. */
static void test_recovery_status(void)
{
	struct chassis_sr_slab *sr;
	struct bed b;

	bed_init(&b);
	sr = &b.slab[3].sr;
	sr->enabled = 1;
	sr->state = CHASSIS_SR_SESSMGR;
	sr->updated_us = 98000001;
	expect(&b.view, status, "Session Recovery Status:\n"
	       "  Overall Status           : SESSMGR Not Ready For Recovery\n"
	       "  Last Status Update      : 1 second ago\n",
	       "\"overall_status\":\"SESSMGR Not Ready For Recovery\",\"last_update_s\":1");
	sr->state = CHASSIS_SR_READY;
	sr->updated_us = 92000000;
	sr->sessmgr_active = sr->aaamgr_active = 7;
	sr->sessmgr_standby = sr->aaamgr_standby = sr->demux_active = 1;
	expect(&b.view, verbose, "Session Recovery Status:\n"
	       "  Overall Status           : Ready For Recovery\n"
	       "  Last Status Update      : 8 seconds ago\n"
	       "\n"
	       "              ----sessmgr---  ----aaamgr----  demux\n"
	       "cpu state     active standby  active standby  active  status\n"
	       "---- -------  ------ -------  ------ -------  ------  -------------------------\n"
	       " 1/0 Active   7      1        7      1        1       Good\n",
	       "\"cpu\":\"1/0\",\"state\":\"Active\",\"sessmgr_active\":7");
	/* a time that has not come, and the one at which it is written */
	sr->updated_us = UINT64_MAX;
	sr->state = CHASSIS_SR__N;
	expect(&b.view, status, "Session Recovery Status:\n"
	       "  Overall Status           : Session Recovery Is Not Enabled\n"
	       "  Last Status Update      : 0 seconds ago\n", "\"ready\":false");
	bed_free(&b);
}

static void test_recovery_reasons(void)
{
	struct chassis_sr_slab *sr;
	struct bed b;

	bed_init(&b);
	sr = &b.slab[3].sr;
	sr->enabled = 1;
	sr->state = CHASSIS_SR_AAAMGR;
	sr->updated_us = b.view.now_us;
	memset(sr->why, 'w', sizeof(sr->why)); /* not terminated */
	snprintf(b.slab[4].not_ready, sizeof(b.slab[4].not_ready), "no memory for 20000 sessions");
	snprintf(b.slab[5].not_ready, sizeof(b.slab[5].not_ready), "no room");
	b.slab[1].recovering = 1;
	b.slab[2].applied_role = SRP_ROLE_ACTIVE;
	b.slab[2].sessions = 1;
	sr->quarantine[0] = 0x8000000a;
	sr->nquarantine = 1;
	expect(&b.view, verbose, "Session Recovery Status:\n"
	       "  Overall Status           : AAAMGR Not Ready For Recovery\n"
	       "  Last Status Update      : 0 seconds ago\n"
	       "\n"
	       "              ----sessmgr---  ----aaamgr----  demux\n"
	       "cpu state     active standby  active standby  active  status\n"
	       "---- -------  ------ -------  ------ -------  ------  -------------------------\n"
	       " 1/0 Active   0      0        0      0        0       AAAMGR Not Ready\n"
	       "\n"
	       "Not ready for recovery:\n"
	       "  wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\n"
	       "  standby sessmgr: no memory for 20000 sessions\n"
	       "  standby aaamgr: no room\n"
	       "  sessmgr:1: its sessions are being recovered\n"
	       "  sessmgr:2: aaamgr not level\n"
	       "\n"
	       "Calls put aside, since session managers died of them:\n"
	       "  8000000a\n",
	       "{\"reason\":\"standby aaamgr: no room\"}");
	/* the first reason is not told twice */
	snprintf(sr->why, sizeof(sr->why), "sessmgr:2: aaamgr not level");
	sr->nquarantine = 0;
	b.slab[1].recovering = 0;
	b.slab[4].not_ready[0] = b.slab[5].not_ready[0] = '\0';
	sr->state = CHASSIS_SR_SESSMGR;
	expect(&b.view, verbose, "Session Recovery Status:\n"
	       "  Overall Status           : SESSMGR Not Ready For Recovery\n"
	       "  Last Status Update      : 0 seconds ago\n"
	       "\n"
	       "              ----sessmgr---  ----aaamgr----  demux\n"
	       "cpu state     active standby  active standby  active  status\n"
	       "---- -------  ------ -------  ------ -------  ------  -------------------------\n"
	       " 1/0 Active   0      0        0      0        0       SESSMGR Not Ready\n"
	       "\n"
	       "Not ready for recovery:\n"
	       "  sessmgr:2: aaamgr not level\n",
	       "\"reasons\":[{\"reason\":\"sessmgr:2: aaamgr not level\"}]");
	/* level, or a standby chassis, where nothing is replicated: no reason */
	b.slab[2].sr_level = 1;
	sr->state = CHASSIS_SR_OFF;
	snprintf(sr->why, sizeof(sr->why), "not configured");
	expect(&b.view, verbose, "Session Recovery Status:\n"
	       "  Overall Status           : Session Recovery Is Not Enabled\n"
	       "  Last Status Update      : 0 seconds ago\n"
	       "\n"
	       "              ----sessmgr---  ----aaamgr----  demux\n"
	       "cpu state     active standby  active standby  active  status\n"
	       "---- -------  ------ -------  ------ -------  ------  -------------------------\n"
	       " 1/0 Active   0      0        0      0        0       Not Enabled\n"
	       "\n"
	       "Not ready for recovery:\n"
	       "  not configured\n", "\"reasons\":[{\"reason\":\"not configured\"}]");
	/* a heading needs something below it */
	sr->why[0] = '\0';
	expect(&b.view, verbose, "Session Recovery Status:\n"
	       "  Overall Status           : Session Recovery Is Not Enabled\n"
	       "  Last Status Update      : 0 seconds ago\n"
	       "\n"
	       "              ----sessmgr---  ----aaamgr----  demux\n"
	       "cpu state     active standby  active standby  active  status\n"
	       "---- -------  ------ -------  ------ -------  ------  -------------------------\n"
	       " 1/0 Active   0      0        0      0        0       Not Enabled\n",
	       "\"reasons\":[]");
	sr->nquarantine = UINT32_MAX;
	sr->state = CHASSIS_SR_READY;
	expect(&b.view, status, "Session Recovery Status:\n"
	       "  Overall Status           : Ready For Recovery\n"
	       "  Last Status Update      : 0 seconds ago\n", "\"ready\":true");
	bed_free(&b);
}

static bool a_process(void *arg, uint32_t pid, struct chassis_proc *out)
{
	(void)arg;
	*out = (struct chassis_proc){.cpu_ms = 1234, .age_ms = 10000, .resident = 1536 * 1024,
	                             .virtual = 8ull << 30, .files = 17};
	return pid != 99;
}

static void sessmgrs(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_tasks(v, d, CHASSIS_TASK_SESSMGR, UINT32_MAX);
}

static void standby(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_tasks(v, d, CHASSIS_TASK__N, 0);
}

#define TASKS_HEAD \
	"                   task         cputime        memory     files sessions\n" \
	" cpu facility      inst     pid   used  allc    used    held  used held     used S status\n" \
	"---- ------------- ---- ------- ------ ----- ------- ------- ----- ---- -------- - ------\n"

static void test_tasks(void)
{
	struct bed b;

	bed_init(&b);
	b.view.proc = a_process;
	for (unsigned i = 0; i < 5; i++) {
		b.slab[i].task = CHASSIS_TASK_SESSMGR;
		b.slab[i].head.owner = 100 + i;
		b.slab[i].starts = 1;
		b.slab[i].head.beat_us = b.view.now_us - 50000;
	}
	b.slab[0].task = CHASSIS_TASK_VPNMGR;
	b.slab[1].sessions = 12345;
	b.slab[1].stats_since_us = b.view.now_us - 7000000;
	b.slab[2].head.owner = 99; /* cannot be looked at */
	b.slab[2].head.beat_us = b.view.now_us - 2001000;
	b.slab[4].reserved_bytes = 100ull << 20;
	b.slab[4].reserved_fds = 24;
	expect(&b.view, sessmgrs, TASKS_HEAD
	       " 1/0 sessmgr          0     104  12.3%  100%    1.5M  100.0M    17   24       -- S warming\n"
	       " 1/0 sessmgr          1     101  12.3%  100%    1.5M      --    17   --    12345 A good\n"
	       " 1/0 sessmgr          2      99     --  100%      --      --    --   --        0 A stuck\n",
	       "\"sessions\":12345,\"flows\":0,\"recoverable_flows\":0,\"store_bytes\":0,\"store_sessions\":0,"
	       "\"store_flows\":0,\"recovering\":false,\"statistics_age_s\":7");
	b.slab[4].ready = 1;
	b.slab[5].head.owner = 0; /* a standby that does not run is no task */
	expect(&b.view, standby, TASKS_HEAD
	       " 1/0 chassisd         0     103  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 vpnmgr           0     100  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 sessmgr          0     104  12.3%  100%    1.5M  100.0M    17   24       -- S good\n",
	       "\"task\":\"sessmgr\",\"standby\":true,\"starts\":1,\"beat_age_ms\":50,\"cpu_ms\":1234,"
	       "\"process_age_ms\":10000,\"memory_bytes\":1572864");
	snprintf(b.slab[4].not_ready, sizeof(b.slab[4].not_ready), "no memory");
	expect(&b.view, standby, TASKS_HEAD
	       " 1/0 chassisd         0     103  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 vpnmgr           0     100  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 sessmgr          0     104  12.3%  100%    1.5M  100.0M    17   24       -- S not ready\n",
	       "\"not_ready\":\"no memory\"");
	b.slab[4].starts = 0; /* nor is a place that never had one, which is the supervisor's */
	expect(&b.view, standby, TASKS_HEAD
	       " 1/0 chassisd         0     103  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 vpnmgr           0     100  12.3%  100%    1.5M      --    17   --       -- A good\n",
	       "\"task\":\"vpnmgr\"");
	bed_free(&b);
}

static void test_proc(void)
{
	static const char line[] =
		"4711 (sess) mgr (1) S 1 -4 5 0 -1 4194304 10 20 30 40 150 50 1 2 -20 0 1 0 2000 8589934592 512 1";
	struct chassis_proc p;

	CU_ASSERT_FATAL(chassis_proc_stat(line, 100, 30000, &p));
	CU_ASSERT_EQUAL(p.cpu_ms, 2000);
	CU_ASSERT_EQUAL(p.age_ms, 10000);
	CU_ASSERT_EQUAL(p.virtual, 8589934592);
	CU_ASSERT_EQUAL(p.resident % 512, 0);
	CU_ASSERT(p.resident >= 512 * 1024);
	CU_ASSERT_FATAL(chassis_proc_stat(line, 100, 19999, &p));
	CU_ASSERT_EQUAL(p.age_ms, 0);
	CU_ASSERT(!chassis_proc_stat(line, 0, 30000, &p));
	for (size_t n = 0; n < strlen(line) - 6; n++) {
		char cut[sizeof(line)];

		memcpy(cut, line, n);
		cut[n] = '\0';
		CU_ASSERT(!chassis_proc_stat(cut, 100, 30000, &p));
	}
	/* this process, and one that cannot be */
	CU_ASSERT(chassis_proc_read((uint32_t)getpid(), &p));
	CU_ASSERT(p.resident > 0 && p.virtual > p.resident && p.files > 0);
	CU_ASSERT(!chassis_proc_read(UINT32_MAX, &p));
}

static void crashes(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_crashes(v, d);
}

static void crash_66(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_crash(v, d, 66));
}

static const char crash_killed[] =
	"********************* CRASH #66 ***********************\n"
	"SW Version:           " PACKAGE_VERSION "\n"
	"Crash time (UTC):     2026-Nov-21+03:31:37\n"
	"Process:              sessmgr\n"
	"Instance:             2\n"
	"Card/Cpu:             1/0\n"
	"Pid:                  4711\n"
	"Fatal Signal:         SIGKILL\n"
	"Fault Address:        0x10\n"
	"Killed:               N\n"
	"Working on callid:    8000000a\n"
	"Core file:            not kept\n"
	"Backtrace:            none: SIGKILL leaves no time to take one\n";

static void test_crashes(void)
{
	struct chassis_sr_slab *sr;
	struct chassis_crash *c;
	struct stats_doc d;
	struct out o = {0};
	struct bed b;

	bed_init(&b);
	sr = &b.slab[3].sr;
	sr->ncrashes = 2;
	sr->crash[0] = (struct chassis_crash){.wall_ms = 1795231897000, .task = CHASSIS_TASK_SESSMGR, .instance = 2,
	                                      .pid = 4711, .signal = 11, .handling = 0x8000000a, .addr = 0x10,
	                                      .core = "not kept", .backtrace = "#0 0x1 f+1\n#1 0x2 g+2\n\n"};
	sr->crash[1] = (struct chassis_crash){.wall_ms = 1795231898000, .task = CHASSIS_TASK__N, .pid = 4712,
	                                      .status = 1, .killed = 1};
	expect(&b.view, crashes,
	       "#   Time                 Process   Inst Card/CPU/PID  Signal    Killed Callid   Core\n"
	       "-   ----                 -------   ---- ------------  ------    ------ ------   ----\n"
	       "1   2026-Nov-21+03:31:37 sessmgr      2 01/0/4711     SIGSEGV   N      8000000a not kept\n"
	       "2   2026-Nov-21+03:31:38 unknown      0 01/0/4712     exit 1    Y      -        -\n"
	       "\n"
	       "Total Crashes: 2\n",
	       "\"signal\":\"SIGSEGV\",\"killed_by_supervisor\":false,\"callid\":\"8000000a\"");
	/* the ring is full: number 65 has taken the place of number 1, 66 that of number 2 */
	sr->ncrashes = 66;
	c = &sr->crash[1];
	*c = sr->crash[0];
	memset(c->backtrace, 'b', sizeof(c->backtrace));
	c->backtrace[1] = '\n';
	expect(&b.view, crash_66,
	       "********************* CRASH #66 ***********************\n"
	       "SW Version:           " PACKAGE_VERSION "\n"
	       "Crash time (UTC):     2026-Nov-21+03:31:37\n"
	       "Process:              sessmgr\n"
	       "Instance:             2\n"
	       "Card/Cpu:             1/0\n"
	       "Pid:                  4711\n"
	       "Fatal Signal:         SIGSEGV\n"
	       "Fault Address:        0x10\n"
	       "Killed:               N\n"
	       "Working on callid:    8000000a\n"
	       "Core file:            not kept\n"
	       "Backtrace:\n"
	       "  b\n"
	       "  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	       "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
	       "\"backtrace\":[{\"frame\":\"b\"},");
	/* who can take none */
	c->backtrace[0] = '\0';
	c->signal = 9;
	expect(&b.view, crash_66, crash_killed, "\"no_backtrace\":\"none: SIGKILL leaves no time to take one\"");
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	CU_ASSERT(!chassis_show_crash(&b.view, &d, 0));
	CU_ASSERT(!chassis_show_crash(&b.view, &d, 2));
	CU_ASSERT(!chassis_show_crash(&b.view, &d, 67));
	CU_ASSERT(!chassis_show_crash(&b.view, &d, UINT64_MAX));
	CU_ASSERT_EQUAL(o.n, 0);
	CU_ASSERT(chassis_show_crash(&b.view, &d, 3));
	free(o.text);
	bed_free(&b);
}

static void test_named(void)
{
	struct out o = {0};
	struct stats_doc d;
	struct bed b;

	bed_init(&b);
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	CU_ASSERT(!chassis_show_rulebases(&b.view, &d, "rb2"));
	CU_ASSERT(!chassis_show_schemes(&b.view, &d, "tc1"));
	CU_ASSERT(chassis_show_trigger_actions(&b.view, &d, "ta2"));
	CU_ASSERT_PTR_NULL(strstr(o.text, "ta1"));
	free(o.text);
	bed_free(&b);
}

/* --- rows of tasks ------------------------------------------------------------------------------- */

#define ONE(name, type) +1
enum { FLOW_LEN = 0 CHASSIS_ROW_FLOW(ONE), SRP_LEN = 0 CHASSIS_ROW_SRP(ONE) };
#undef ONE

static size_t flow_row(uint8_t *buf, size_t cap, const char *rule, unsigned more)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

#define FIELD_u(name) srp_mp_w_uint(&w, strcmp(#name, "callid") == 0 ? 0x8000000a : 7);
#define FIELD_s(name) srp_mp_w_str(&w, strcmp(#name, "rule") == 0 ? rule : #name);
#define FIELD_b(name) srp_mp_w_bool(&w, true);
#define FIELD(name, type) FIELD_##type(name)
	srp_mp_w_array(&w, FLOW_LEN + more);
	CHASSIS_ROW_FLOW(FIELD)
	for (unsigned i = 0; i < more; i++)
		srp_mp_w_str(&w, "newer");
	CU_ASSERT_EQUAL_FATAL(w.err, 0);
	return srp_mp_w_len(&w);
}

static void test_answer(void)
{
	struct chassis_answer a;
	uint8_t buf[2048];
	size_t len = flow_row(buf, sizeof(buf), "r1", 2);
	struct srp_mp_r r = srp_mp_r_init(buf, len);

	CU_ASSERT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
	CU_ASSERT_EQUAL(srp_mp_left(&r), 0);
	CU_ASSERT_EQUAL(a.n, FLOW_LEN);
	CU_ASSERT_STRING_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "rule").s, "r1");
	CU_ASSERT_STRING_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "callid").s, "8000000a");
	CU_ASSERT_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "recovered").u, 1);
	CU_ASSERT_STRING_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "nothing").s, "");
	for (size_t n = 0; n < len; n++) {
		r = srp_mp_r_init(buf, n);
		CU_ASSERT_NOT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
	}
	/* an older task sends fewer fields */
	buf[0] = 0x91;
	buf[1] = 3;
	r = srp_mp_r_init(buf, 2);
	CU_ASSERT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
	CU_ASSERT_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "instance").u, 3);
	CU_ASSERT_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "bytes_up").u, 0);
}

static void test_rows(void)
{
	struct chassis_show_rows s;
	struct chassis_answer a;
	uint8_t buf[2048];

	for (unsigned layout = 0; layout < CHASSIS_LAYOUT__N; layout++) {
		for (int n = 0; n < 4; n++) {
			bool json = n & 1, licensed = n & 2;
			struct out o = {0};
			struct stats_doc d;
			struct srp_mp_r r = srp_mp_r_init(
				buf, flow_row(buf, sizeof(buf), "a\"b\n", 0));
			bool flows = chassis_layout_query(layout) == CHASSIS_QUERY_FLOW;

			stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
			chassis_show_rows_begin(&s, layout, licensed, &d);
			CU_ASSERT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
			for (int i = 0; flows && i < 2; i++)
				chassis_show_rows_one(&s, &d, &a);
			chassis_show_rows_end(&s, &d);
			stats_doc_end(&d);
			CU_ASSERT(!json || json_valid(o.text, o.n));
			/* FR-136: no flag without the key */
			if (flows && !licensed) {
				CU_ASSERT_PTR_NULL(strcasestr(o.text, "recovered"));
				CU_ASSERT_PTR_NOT_NULL(strcasestr(o.text, "callid"));
			} else if (flows && json) {
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"callid\":\"8000000a\""));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"rule\":\"a\\\"b\\u000a\""));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"idle_timeout_s\":7"));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"total\":2"));
			} else if (flows) {
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Recovered Flow: (Y) - Yes (N) - No\n"));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Total flows: 2\n"));
			}
			free(o.text);
		}
	}
}

/* Labels and order that scripts read. */
static void test_srp_info(void)
{
	static const char *const lines[] = {
		"Service Redundancy Protocol:\n", "Context:                          context\n",
		"Local Address:                    local_address\n", "Chassis State:                    chassis_state\n",
		"Chassis Mode: ", "Chassis Priority:                 7\n", "Local Tiebreaker: ", "Route-Modifier: ",
		"Peer Remote Address: ", "Peer State: ", "Peer Mode: ", "Peer Priority: ", "Peer Tiebreaker: ",
		"Peer Route-Modifier: ", "Last Hello Message received: ", "(7 seconds ago)\n",
		"Peer Configuration Validation: ", "Last Peer Configuration Error: ",
		"Last Peer Configuration Event: ", "Last Validate Switchover Status:  validate_status\n",
		"Connection State: ",
	};
	struct chassis_answer a;
	uint8_t buf[2048];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;

#undef FIELD_u
#undef FIELD_s
#define FIELD_u(name) srp_mp_w_uint(&w, 7);
#define FIELD_s(name) srp_mp_w_str(&w, #name);
	srp_mp_w_array(&w, SRP_LEN);
	CHASSIS_ROW_SRP(FIELD)
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	CU_ASSERT_EQUAL_FATAL(chassis_answer_read(CHASSIS_QUERY_SRP, &r, &a), SRP_OK);
	for (int json = 0; json < 2; json++) {
		struct out o = {0};
		struct stats_doc d;
		const char *at;

		stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
		chassis_show_srp_info(&d, &a);
		stats_doc_end(&d);
		at = o.text;
		for (size_t i = 0; !json && i < sizeof(lines) / sizeof(lines[0]); i++) {
			at = at ? strstr(at, lines[i]) : NULL;
			if (!at)
				printf("\nno <%s> in its place in:\n%s\n", lines[i], o.text);
			CU_ASSERT_PTR_NOT_NULL(at);
		}
		CU_ASSERT(!json || json_valid(o.text, o.n));
		CU_ASSERT(!json || strstr(o.text, "\"chassis_state\":\"chassis_state\""));
		free(o.text);
	}
}

/* --- commands and pipes -------------------------------------------------------------------------- */

static void test_exec(void)
{
	static const struct {
		const char *line;
		size_t row;
	} good[] = {
		{"show srp info", CHASSIS_EXEC_SRP_INFO}, {"sh srp ch stat", CHASSIS_EXEC_SRP_CHECKPOINT},
		{"show srp checkpoint statistics sessmgr all", CHASSIS_EXEC_SRP_CHECKPOINT},
		{"show srp checkpoint statistics sessmgr instance 32 verbose", CHASSIS_EXEC_SRP_CHECKPOINT},
		{"show srp checkpoint info", CHASSIS_EXEC_SRP_KINDS}, {"sh act fl all", CHASSIS_EXEC_FLOWS},
		{"show active-charging flows full callid 80000001", CHASSIS_EXEC_FLOWS},
		{"show active-charging ruledef statistics all charging", CHASSIS_EXEC_RULEDEF_STATS},
		{"show active-charging ruledef statistics name r instance 2", CHASSIS_EXEC_RULEDEF_STATS},
		{"show active-charging flow-kpi", CHASSIS_EXEC_FLOW_KPI},
		{"show active-charging flow-kpi all", CHASSIS_EXEC_FLOW_KPI},
		{"show active-charging flow-kpi instance 32", CHASSIS_EXEC_FLOW_KPI},
		{"show active-charging flows", CHASSIS_EXEC_FLOWS},
		{"show active-charging service all", CHASSIS_EXEC_SERVICE},
		{"show bulkstat", CHASSIS_EXEC_BULK}, {"show bulkstats data", CHASSIS_EXEC_BULK},
		{"show bulkstats schemas", CHASSIS_EXEC_BULK},
		{"show bulkstats variables flow-kpi", CHASSIS_EXEC_BULK_VARIABLES},
		{"show bulkstats variables", CHASSIS_EXEC_BULK_VARIABLES},
		{"bulkstats force gather", CHASSIS_EXEC_BULK_FORCE},
		{"clear bulkstats data", CHASSIS_EXEC_BULK_CLEAR},
		{"show active-charging trigger-action all", CHASSIS_EXEC_TRIGGER_ACTION},
		{"show configuration errors section active-charging verbose", CHASSIS_EXEC_CONFIG_ERRORS},
		{"show configuration", CHASSIS_EXEC_CONFIGURATION},
		{"session add imsi 001 username \"a b\" ip-address auto ipv6-address auto", CHASSIS_EXEC_SESSION_ADD},
		{"srp initiate-switchover timeout 0 force -noconfirm", CHASSIS_EXEC_SWITCHOVER},
		{"srp initiate-audit manual-with-sync", CHASSIS_EXEC_AUDIT}, {"no timestamps", CHASSIS_EXEC_TIMESTAMPS},
		{"terminal length 0", CHASSIS_EXEC_TERMINAL}, {"exit", CHASSIS_EXEC_EXIT},
		{"show subscribers all", CHASSIS_EXEC_SUBSCRIBERS}, {"show sub all", CHASSIS_EXEC_SUBSCRIBERS},
		{"show subscriber debug-info callid 01ca11b1", CHASSIS_EXEC_DEBUG_INFO},
		{"show subscribers debug-info msid 001010000000001", CHASSIS_EXEC_DEBUG_INFO},
		{"show sub debug username \"a b\"", CHASSIS_EXEC_DEBUG_INFO},
		{"show active-charging bearers", CHASSIS_EXEC_BEARERS},
		{"show active-charging bearers callid 01ca11b1", CHASSIS_EXEC_BEARERS},
		{"session bearer create callid 1 id 6 qci 1", CHASSIS_EXEC_BEARER_CREATE},
		{"session bearer create callid 1 id 15 qci 9 arp 15", CHASSIS_EXEC_BEARER_CREATE},
		{"session bearer delete callid 1 id 15", CHASSIS_EXEC_BEARER_DELETE},
		{"show session recovery checkpoint statistics", CHASSIS_EXEC_SR_CHECKPOINT},
		{"show session recovery checkpoint statistics sessmgr instance 32", CHASSIS_EXEC_SR_CHECKPOINT},
		{"show session recovery status", CHASSIS_EXEC_SESSION_RECOVERY},
		{"show session recovery status verbose", CHASSIS_EXEC_SESSION_RECOVERY},
		{"show task resources facility aaamgr instance 0", CHASSIS_EXEC_TASKS},
		{"show task resources", CHASSIS_EXEC_TASKS}, {"show crash list", CHASSIS_EXEC_CRASH_LIST},
		{"show crash number 1", CHASSIS_EXEC_CRASH},
	};
	static const char *const bad[] = {
		"show subscriber", "show subscriber all", "show subscribers debug-info",
		"show subscriber debug-info callid 0", "show subscriber debug-info callid 123456789",
		"session bearer create callid 1 id 5 qci 1", "session bearer create callid 1 id 16 qci 1",
		"session bearer create callid 1 id 6 qci 0", "session bearer create callid 1 id 6 qci 255",
		"session bearer create callid 1 id 6 qci 1 arp 16", "session bearer create callid 1 id 6",
		"session bearer delete callid 1 id 5", "session bearer delete callid 1", "show crash number 0", "show task resources facility nobody", "show task resources instance 33"};
	char why[160] = "";
	struct chassis_grammar *g = chassis_exec_grammar(why, sizeof(why));
	struct chassis_line l;
	struct chassis_match m;
	struct chassis_cli_err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(chassis_line_split(&l, good[i].line, strlen(good[i].line), &e), SRP_OK);
		if (chassis_grammar_match(g, 0, &l, &m, NULL, &e) != SRP_OK || m.row != good[i].row)
			printf("\n%s: at '%s' %s\n", good[i].line, e.word, e.text);
		CU_ASSERT_EQUAL(chassis_grammar_match(g, 0, &l, &m, NULL, &e), SRP_OK);
		CU_ASSERT_EQUAL(m.row, good[i].row);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(chassis_line_split(&l, bad[i], strlen(bad[i]), &e), SRP_OK);
		CU_ASSERT_NOT_EQUAL(chassis_grammar_match(g, 0, &l, &m, NULL, &e), SRP_OK);
	}
	CU_ASSERT_EQUAL(chassis_exec_where(CHASSIS_EXEC_SWITCHOVER), CHASSIS_EXEC_ASK);
	CU_ASSERT_EQUAL(chassis_exec_where(CHASSIS_EXEC_SESSION_LOAD), CHASSIS_EXEC_FILE);
	chassis_grammar_free(g);
}

static void test_pipe(void)
{
	static const struct {
		const char *line;
		size_t command;
		const char *passes, *not;
		bool json, more;
	} good[] = {
		{"show a", 6, "x", NULL, false, false},
		{"show a | grep b", 7, "abc", "acd", false, false},
		{"show a|grep -i B", 6, "abc", "acd", false, false},
		{"show a | grep -v b", 7, "acd", "abc", false, false},
		{"show a | grep -E -v \"x|y\"", 7, "abc", "axc", false, false},
		{"show a | grep -Ev \"x|y\"", 7, "abc", "ayc", false, false},
		{"show a | grep x|y", 0, NULL, NULL, false, false},
		{"show a | grep Chassis State", 7, "Chassis State: x", "Chassis", false, false},
		{"show a | grep a | grep -v b | more", 7, "ac", "ab", false, true},
		{"show a | json", 7, "x", NULL, true, false},
		{"show \"a|b\" | json", 11, "x", NULL, true, false},
	};
	static const struct {
		const char *line, *text;
	} bad[] = {
		{"a |", "expected grep, more or json"}, {"a | sort", "expected grep, more or json"},
		{"a | grep", "expected a pattern"}, {"a | grep -x b", "expected -i, -v or -E"},
		{"a | grep - b", "expected -i, -v or -E"},
		{"a | grep \"[\"", "expected a regular expression"}, {"a | json now", "expected end of line"},
		{"a | grep \"b", "expected a closing quotation mark"},
		{"a|grep b|grep b|grep b|grep b|grep b", "expected at most four filters"},
		{"a || more", "expected grep, more or json"},
	};
	struct chassis_pipe p;
	struct chassis_cli_err e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int rc = chassis_pipe_parse(&p, good[i].line, &e);

		if (!good[i].command) {
			CU_ASSERT_EQUAL(rc, SRP_EINVAL);
			continue;
		}
		CU_ASSERT_EQUAL_FATAL(rc, SRP_OK);
		CU_ASSERT_EQUAL(p.command, good[i].command);
		CU_ASSERT_EQUAL(p.json, good[i].json);
		CU_ASSERT_EQUAL(p.more, good[i].more);
		CU_ASSERT(chassis_pipe_passes(&p, good[i].passes));
		CU_ASSERT(!good[i].not || !chassis_pipe_passes(&p, good[i].not));
		chassis_pipe_free(&p);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(chassis_pipe_parse(&p, bad[i].line, &e), SRP_EINVAL);
		CU_ASSERT_STRING_EQUAL(e.text, bad[i].text);
	}
}

CU_TestInfo chassis_show_tests[] = {
	{"sent checkpoints as in the chapter", test_sample},
	{"one instance, verbose", test_instance},
	{"checkpoints to the mirror", test_sr_checkpoint},
	{"shows as text and as JSON", test_shows},
	{"shows by name", test_named},
	{"session recovery status as in the chapter", test_recovery_status},
	{"why session recovery is not ready", test_recovery_reasons},
	{"task resources", test_tasks},
	{"what the kernel says of a process", test_proc},
	{"crashes", test_crashes},
	{"rows of tasks, cut and newer", test_answer},
	{"layouts of rows", test_rows},
	{"show srp info", test_srp_info},
	{"commands", test_exec},
	{"pipes", test_pipe},
	CU_TEST_INFO_NULL,
};
