#include "config.h"
#include "chassis/packets.h"

#include "chassis/task/trace_row.h"

#define ROW_MAX 2048u
#define FIELDS  (0 CHASSIS_ROW_TRACE(ONE))
#define ONE(name, type, help) +1

int chassis_packets_begin(struct chassis_packets *k, struct ecs_engine *e, struct stats_doc *doc)
{
	const struct ecs_trace_ask all = {0};
	int rc = ecs_trace_ask(e, &all, true, ECS_TRACE_ROWS_MAX);

	if (rc < 0)
		return rc;
	*k = (struct chassis_packets){.doc = doc};
	chassis_show_rows_begin(&k->show, CHASSIS_LAYOUT_TRACE, true, doc);
	return 0;
}

static void print_one(struct chassis_packets *k, const struct ecs_trace_row *row)
{
	struct chassis_answer a;
	uint8_t buf[ROW_MAX];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;

	srp_mp_w_array(&w, FIELDS);
	srp_mp_w_uint(&w, 1);
	chassis_trace_row(&w, row->at.us, row);
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	if (chassis_answer_read(CHASSIS_QUERY_TRACE, &r, &a) == 0)
		chassis_show_rows_one(&k->show, k->doc, &a);
}

void chassis_packets_print(struct chassis_packets *k, const struct ecs_engine *e)
{
	const struct ecs_trace_row *row;

	while ((row = ecs_trace_next(e, k->seq, 0)) != NULL) {
		k->lost += row->seq - k->seq - 1;
		k->seq = row->seq;
		print_one(k, row);
	}
}

void chassis_packets_end(struct chassis_packets *k)
{
	chassis_show_rows_end(&k->show, k->doc);
}
