/* ecs_limits: rules with rate limits, and packets of a subscriber under them. Include after suites.h. */
#ifndef TESTS_UNIT_ECS_LIMITS_H
#define TESTS_UNIT_ECS_LIMITS_H

#include "ecs_rig.h"

static const char limited[] =
	"ruledef own\n udp either-port = 7001\n#exit\n"
	"ruledef itc1\n udp either-port = 7002\n#exit\n"
	"ruledef itc2\n udp either-port = 7003\n#exit\n"
	"ruledef qg1\n udp either-port = 7004\n#exit\n"
	"ruledef qg2\n udp either-port = 7005\n#exit\n"
	"ruledef color\n udp either-port = 7006\n#exit\n"
	"ruledef both\n udp either-port = 7007\n#exit\n"
	"ruledef pre\n udp either-port = 7008\n#exit\n"
	"ruledef any\n ip any-match = TRUE\n#exit\n"
	"group-of-ruledefs gq\n add-ruledef priority 1 ruledef qg2\n#exit\n"
	"bandwidth-policy bp\n flow limit-for-bandwidth id 1 group-id 9\n"
	" flow limit-for-bandwidth id 2 group-id 9\n"
	" group-id 9 direction uplink peak-data-rate 80000 peak-burst-size 3000\n#exit\n"
	"qos-group-of-ruledefs qos\n add-ruledef qg1\n add-group-of-ruledef gq\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 3000\n#exit\n"
	"charging-action count\n content-id 1\n#exit\n"
	"charging-action own\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 3000\n"
	" flow limit-for-bandwidth direction downlink peak-data-rate 160000 peak-burst-size 6000\n#exit\n"
	"charging-action id1\n flow limit-for-bandwidth id 1\n#exit\n"
	"charging-action id2\n flow limit-for-bandwidth id 2\n#exit\n"
	"charging-action color\n ip tos ef\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 4000 "
	"violate-action discard committed-data-rate 8000 committed-burst-size 2000 "
	"exceed-action lower-ip-precedence\n#exit\n"
	"charging-action both\n flow limit-for-bandwidth id 1\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 5000\n#exit\n"
	"rulebase rb\n bandwidth default-policy bp\n"
	" action priority 1 ruledef own charging-action own\n"
	" action priority 2 ruledef itc1 charging-action id1\n"
	" action priority 3 ruledef itc2 charging-action id2\n"
	" action priority 4 ruledef qg1 charging-action count\n"
	" action priority 5 group-of-ruledefs gq charging-action count\n"
	" action priority 6 ruledef color charging-action color\n"
	" action priority 7 ruledef both charging-action both\n"
	" action priority 8 dynamic-only ruledef pre charging-action count\n"
	" action priority 9 ruledef any charging-action count\n"
	" flow limit-across-applications 6\n flow limit-across-applications tcp 2\n"
	" flow limit-across-applications non-tcp 5\n#exit\n";

static inline void start(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, limited, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

/* A packet of 1000 bytes; true: it passed. */
static inline bool pass(struct rig *r, enum ecs_dir dir, uint16_t port)
{
	static uint8_t data[972];
	struct conn c = {.r = r, .proto = 17, .sport = (uint16_t)(port + 10000), .dport = port};

	return say_n(&c, dir, 0, data, sizeof(data)) == ECS_FORWARD;
}

/* How many of @p n packets pass. */
static inline unsigned burst(struct rig *r, enum ecs_dir dir, uint16_t port, unsigned n)
{
	unsigned ok = 0;

	while (n--)
		ok += pass(r, dir, port);
	return ok;
}

static inline const struct ecs_limiter *limiter(struct rig *r, enum ecs_limit_of of)
{
	for (struct srp_list *l = r->s->limiters.next; l != &r->s->limiters; l = l->next) {
		struct ecs_limiter *m = ECS_CONTAINER(l, struct ecs_limiter, in_session);

		if (m->of == of)
			return m;
	}
	return NULL;
}

#endif
