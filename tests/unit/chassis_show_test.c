/* Shows of the configuration and of what the slabs count, as text and as JSON. */
#include "config.h"
#include "suites.h"

#include "show_kit.h"

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
	(void)chassis_show_ruledefs(v, d, 0, false, NULL);
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

/* Lines that are looked for in the text, and keys in the JSON. */
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
	  "\"tcp_2msl_timeout\":2,"}},
	{charging_actions, {"   Charging Action Name: ca\n     Content ID: 7\n     Service ID: 0\n     EDRs: Disabled\n"
	  "     EGCDRs: Disabled\n         Rf: Disabled\n       UDRs: Enabled\n"
	  "     Flow Idle Timeout: 300 (secs)\n     Limit For Flow Type: Disabled\n     Bandwidth ID: 0\n"
	  "     Limit For Uplink Bandwidth: Enabled\n       Peak Data Rate : 512000 bits/second\n"
	  "       Peak Burst Size: 3000 bytes\n       Violate Action : Discard\n",
	  "     Limit For Downlink Bandwidth: Disabled\n     Credit Control: Disabled\n"
	  "     Flow Mapping Idle Timeout: Not Configured\n     QoS Class Identifier: Not Configured\n",
	  "       Discard: Enabled (uplink)\n       Terminate-Flow: Disabled\n       Terminate-Session: Disabled\n"
	  "       Rulebase Change: Disabled\n"},
	 {"{\"name\":\"ca\",\"content_id\":7,\"service_id\":0,\"edrs\":\"Disabled\"",
	  "\"limit_for_uplink_bandwidth\":\"Enabled\",\"limit_for_uplink_bandwidth_peak_data_rate\":512000,"}},
	{ruledef_bodies, {"    Ruledef Name: AUP-ALL_HTTP-1\n       http host contains \"a b\"\n    Rule Application Type: Charging\n",
	  "Total Ruledef(s):"}, {"{\"name\":\"rule01\",\"lines\":[\"ip any-match = TRUE\"],\"application\":\"charging\",\"multi_line_or\":false}"}},
	{filters, {"packet-filter pf\n  direction uplink\n"}, {"{\"kind\":\"packet-filter\",\"objects\":[{\"name\":\"pf\",\"lines\":[\"direction uplink\"]}],\"total\":1}"}},
	{schemes, {"ss1                flow-create         1 tc1                ta1\n", "\nss2 ",
	  "\nTotal service-scheme(s) found: 2\n"},
	 {"\"trigger_condition\":\"tc1\""}},
	{actions, {"Trigger-Action Name:    ta1\nFlow recovery:          Enabled\n",
	  "Trigger-Action Name:    ta2\nFlow recovery:          Disabled\n"},
	 {"{\"name\":\"ta2\",\"flow_recovery\":false}", "\"total\":2}"}},
	{conditions, {"Trigger Action Delay:   600\n", "Rule-name/GOR:          = rule01, contains AUP\n",
	  "Any-match:              = TRUE\n"}, {"\"delay\":600",
	  "\"rules\":[{\"operator\":\"=\",\"name\":\"rule01\"},\n{\"operator\":\"contains\",\"name\":\"AUP\"}]"}},
	{tasks, {" 1/0 sessmgr          2       0     --  100%      --      --    --   --        0 A not started\n"},
	 {"\"facility\":\"sessmgr\",\"instance\":1"}},
	{chassis_show_crashes, {"Total Crashes: 0\n"}, {"\"crashes\":[]", "\"total\":0"}},
	{chassis_show_config, {"  system hostname h\n", "http host contains \"a b\"\n"}, {"\"configuration\":["}},
	{chassis_show_config_errors, {"Displaying Active-charging system errors\n", "warning(s) in this section!\n",
	  "Error   : No interface has side access"}, {"\"chassis\":[{\"kind\":\"error\""}},
	{version, {"Active Software:\n  Image Version:                  " PACKAGE_VERSION "\n"},
	 {"\"version\":\"" PACKAGE_VERSION "\""}},
};

/* Each show has the lines that are looked for, and is valid JSON with the keys that are. */
static void test_shows(void)
{
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
		}
	}
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
	bed_free(&b);
}

CU_TestInfo chassis_show_tests[] = {
	{"shows as text and as JSON", test_shows},
	{"shows by name", test_named},
	CU_TEST_INFO_NULL,
};
