/* trace_row: a row of the packet trace as an answer. */
#ifndef CHASSIS_TASK_TRACE_ROW_H
#define CHASSIS_TASK_TRACE_ROW_H

#include "ecs/trace.h"
#include "srp/mp.h"

/** Writes the fields of CHASSIS_ROW_TRACE (rows.h) behind the instance. @p wall: microseconds since 1970. */
void chassis_trace_row(struct srp_mp_w *w, uint64_t wall, const struct ecs_trace_row *r);

#endif
