/* sct_trace: the packet trace: whose packets, and the rows. */
#include "config.h"
#include "chassis/task/sct.h"

#include <inttypes.h>
#include <stdio.h>

#include "srp/err.h"

#define TIME_S 30u

void sct_trace(struct sct_op *op, const struct chassis_match *m)
{
	bool on = !chassis_match_has(m, "no"), call = chassis_match_has(m, "callid");
	const char *imsi = chassis_match_text(m, "imsi");
	const struct sct_command c = {CHASSIS_CMD_TRACE, call, TIME_S,
	                              on ? "Packet trace on" : "Packet trace off"};
	uint8_t buf[64];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_uint(&w, sct_callid(m));
	srp_mp_w_bool(&w, on);
	srp_mp_w_str(&w, imsi ? imsi : "");
	srp_mp_w_uint(&w, chassis_match_num(m, "size", 0));
	sct_job_command(op, &c, &w, 4);
}

void sct_trace_show(struct sct_op *op, const struct chassis_match *m)
{
	unsigned instance = (unsigned)chassis_match_num(m, "num", 0);
	struct chassis_view v = sct_view(op->sct);
	char text[64];

	if (instance > v.nsessmgr) {
		snprintf(text, sizeof(text), "expected an instance from 1 to %u", v.nsessmgr);
		sct_op_finish(op, SRP_ENOENT, text);
		return;
	}
	chassis_show_traces(&v, &op->doc, instance);
	snprintf(text, sizeof(text), "%" PRIu64, chassis_match_num(m, "after", 0));
	sct_job_rows_of(op, CHASSIS_LAYOUT_TRACE, sct_callid(m),
	                instance, text);
}
