#include "config.h"
#include "chassis/task/task.h"

#define IPC_MAGIC   0x4349u /* "CI" */
#define IPC_VERSION 1

#define CHASSIS_IPC(sym, id, min_, max_, help) \
	_Static_assert((max_) <= SRP_FRAME_BODY_MAX && (min_) <= (max_), "limits of " #sym);
#include "chassis/task/ipc.def"
#undef CHASSIS_IPC

/* All are permitted at all times: who may send what is judged by the receiving task. */
static const struct srp_frame_row ipc_rows[256] = {
#define CHASSIS_IPC(sym, id, min_, max_, help) \
	[id] = {.name = #sym, .min = (min_), .max = (max_), .states = ~0u, .event = (id)},
#include "chassis/task/ipc.def"
#undef CHASSIS_IPC
};

const struct srp_frame_table chassis_ipc_frames = {
	.magic = IPC_MAGIC, .version = IPC_VERSION, .row = ipc_rows,
};
