/* ecs_edr_kit: an engine whose records are kept as they were handed over. For the tests of records. Include
 * after suites.h. */
#ifndef TESTS_UNIT_ECS_EDR_KIT_H
#define TESTS_UNIT_ECS_EDR_KIT_H

#include "ecs/tally.h"
#include "ecs_rig.h"

#define MADE_MAX 64

/* Whatever was handed over. */
struct made {
	enum ecs_record_stream stream;
	char format[64], header[512], line[2048];
	uint32_t flow_id;
	bool last;
};

static struct made made[MADE_MAX];
static unsigned nmade, nrefuse;
static uint32_t before_callid, before_flow = UINT32_MAX; /* of a record of a predecessor */

static inline bool on_record(void *owner, const struct ecs_record *r, uint64_t *place)
{
	struct made *m = &made[nmade];

	(void)owner, (void)place;
	if (nrefuse) {
		nrefuse--;
		return false;
	}
	CU_ASSERT_FATAL(nmade < MADE_MAX);
	nmade++;
	CU_ASSERT_EQUAL(strlen(r->line), r->line_len);
	CU_ASSERT_EQUAL(strlen(r->header), r->header_len);
	*m = (struct made){.stream = r->stream, .flow_id = r->flow_id, .last = r->last};
	snprintf(m->format, sizeof(m->format), "%s", r->format);
	snprintf(m->header, sizeof(m->header), "%s", r->header);
	snprintf(m->line, sizeof(m->line), "%s", r->line);
	return true;
}

static inline bool on_recorded(void *owner, uint32_t callid, uint32_t flow_id)
{
	(void)owner;
	return callid == before_callid && flow_id == before_flow;
}

static const struct ecs_engine_ops recording = {
	.session_up = on_up, .session_down = on_down, .record = on_record, .recorded = on_recorded};

#define VOLUMES(n)                                                    \
	" attribute sn-volume-amt ip bytes uplink priority " n "1\n"   \
	" attribute sn-volume-amt ip bytes downlink priority " n "2\n"

#define FORMATS                                                                               \
	"edr-format flow\n attribute sn-closure-reason priority 1\n"                          \
	" attribute sn-direction priority 2\n attribute sn-ruledef-name priority 3\n"         \
	VOLUMES("1") "#exit\n"                                                                \
	"edr-format web\n rule-variable http host priority 1\n"                               \
	" rule-variable http url priority 2\n rule-variable http request method priority 3\n" \
	" attribute sn-volume-amt tcp pkts uplink priority 4\n#exit\n"                        \
	"udr-format call\n attribute sn-content-id priority 1\n"                              \
	" attribute sn-rating-group priority 2\n" VOLUMES("1") "#exit\n"

#define ENDS " flow end-condition normal-end-signaling session-end timeout handoff hagr charging-edr flow\n"
#define LINES                                                          \
	" action priority 1 ruledef one charging-action one\n"          \
	" action priority 2 ruledef two charging-action two\n"          \
	" action priority 3 ruledef three charging-action three\n"      \
	" action priority 9 ruledef any charging-action any\n"
#define RULES                                                                                 \
	"ruledef one\n udp either-port = 7001\n#exit\nruledef two\n udp either-port = 7002\n#exit\n" \
	"ruledef three\n udp either-port = 7003\n#exit\nruledef any\n ip any-match = TRUE\n#exit\n" \
	"charging-action one\n content-id 10\n#exit\n"                                        \
	"charging-action two\n content-id 10\n cca charging credit rating-group 77\n#exit\n"  \
	"charging-action three\n content-id 30\n billing-action exclude-from-udrs\n#exit\n"   \
	"charging-action any\n service-identifier 4\n#exit\n"

static inline void start(struct rig *r, const char *base)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	struct ecs_edr_env env = {.wall_us = SRP_SEC(1700000000), .nas = "192.0.2.1"};
	char text[8192];

	snprintf(text, sizeof(text), "%s%srulebase rb\n%s%s#exit\n", FORMATS, RULES, LINES, base);
	setup(r, text, 0);
	r->e->conf.ops = &recording;
	env.at = r->now;
	ecs_engine_env(r->e, &env);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nmade = nrefuse = 0;
	before_flow = UINT32_MAX;
}

static inline struct conn udp(struct rig *r, uint16_t sport, uint16_t dport)
{
	return (struct conn){.r = r, .proto = 17, .sport = sport, .dport = dport};
}

/* Bytes of a UDP packet of @p n bytes. */
#define B(n) (28 + (n))

static inline void expect(unsigned i, enum ecs_record_stream stream, const char *line)
{
	CU_ASSERT_FATAL(i < nmade);
	CU_ASSERT_EQUAL(made[i].stream, stream);
	CU_ASSERT_STRING_EQUAL(made[i].line, line);
	if (strcmp(made[i].line, line) != 0)
		fprintf(stderr, "record %u: %s, expected %s\n", i, made[i].line, line);
}

/* The role goes and comes back. */
static inline void away(struct rig *r, bool planned)
{
	ecs_flow_slot(r->e, ECS_CONTAINER(r->s->flows.next, struct ecs_flow, in_session), true);
	ecs_engine_active(r->e, false, r->now);
	if (planned)
		ecs_engine_handed_over(r->e);
	while (ecs_engine_tick(r->e, r->now, 1))
		;
	ecs_engine_active(r->e, true, r->now);
	if (planned)
		return;
	ecs_records_recovered(r->e, true);
	while (ecs_engine_tick(r->e, r->now, 3))
		;
}

#endif
