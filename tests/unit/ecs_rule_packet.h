/* ecs_rule_packet: one packet, as tests change it, against rules as text. */
#ifndef TESTS_UNIT_ECS_RULE_PACKET_H
#define TESTS_UNIT_ECS_RULE_PACKET_H

#include <stdio.h>

#include "ecs_rule_text.h"

static struct ecs_packet pkt;
static struct ecs_l7 l7;
static struct ecs_match_in in;

static inline void packet(uint8_t proto)
{
	pkt = (struct ecs_packet){
		.dir = ECS_UPLINK,
		.version = 4,
		.proto = proto,
		.sport = 40000,
		.dport = 80,
	};
	pkt.src = ecs_rule_text_addr("10.0.0.5");
	pkt.dst = ecs_rule_text_addr("192.0.2.1");
	l7 = (struct ecs_l7){.final = true};
	in = (struct ecs_match_in){.pkt = &pkt, .l7 = &l7, .tcp_state = ECS_TCP_ST_ESTABLISHED};
}

/* Priority of the line of rulebase 0 that matches; 0: none. */
static inline int match(const struct ecs_service *s, bool *maybe)
{
	struct ecs_matcher *m = ecs_matcher_new(s);
	uint16_t line;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	line = ecs_match(m, 0, &in, maybe);
	ecs_matcher_free(m);
	return line == ECS_LINE_NONE ? 0 : ecs_service_line(s, line)->priority;
}

static inline struct ecs_service *make(const char *fmt, const char *line)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s\n#exit\ncharging-action c\n#exit\n"
	         "rulebase rb\naction priority 1 ruledef r charging-action c\n#exit\n", fmt, line);
	return ecs_rule_text(text, true);
}

#endif
