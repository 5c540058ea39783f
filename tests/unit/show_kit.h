/* show_kit: a chassis of two session managers for shows to look at, as its slabs tell. */
#ifndef TESTS_UNIT_SHOW_KIT_H
#define TESTS_UNIT_SHOW_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/show.h"
#include "chassis/registry.h"
#include "doc_out.h"
#include "json_check.h"
#include "suites.h"

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

static inline void bed_init(struct bed *b)
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

static inline void bed_free(struct bed *b)
{
	chassis_config_free(b->conf);
	free(b->slab);
}

/* Renders, compares with @p want where it is given; the JSON is valid and has @p json. */
static inline void expect(const struct chassis_view *v, void (*show)(const struct chassis_view *v, struct stats_doc *d),
                   const char *want, const char *json)
{
	for (int j = 0; j < 2; j++) {
		struct out o = {0};
		struct stats_doc d;

		stats_doc_begin(&d, j ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
		show(v, &d);
		stats_doc_end(&d);
			CU_ASSERT(!j || json_valid(o.text, o.n));
		if (j ? strstr(o.text, json) == NULL : strcmp(o.text, want) != 0)
			printf("\nexpected:\n%s\nis:\n%s\n", j ? json : want, o.text);
		CU_ASSERT(j ? strstr(o.text, json) != NULL : strcmp(o.text, want) == 0);
	}
}

#endif
