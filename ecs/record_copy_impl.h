/* record_copy_impl: copies of records, for record_copy.c and its checkpoint kind. */
#ifndef ECS_RECORD_COPY_IMPL_H
#define ECS_RECORD_COPY_IMPL_H

#include "ecs/kind.h"
#include "ecs/record_copy.h"

struct ecs_record_copy {
	struct srp_ckpt_obj ckpt;
	struct srp_list in_engine;        /* own or held: in the order in which they came */
	struct ecs_record_copy *by_key;
	uint64_t place;                   /* in the queue of the chassis that made it */
	uint64_t header;                  /* hash of the header line */
	uint32_t callid, flow_id, len;
	uint8_t stream, bit;              /* bit: of the chassis that made it */
	bool last;
	bool answered, refused;           /* by the peer */
	char format[ECS_NAME_MAX + 1];
	char line[];
};

/** Makes a copy; SRP_EFULL, SRP_ENOMEM. */
int ecs_copy_make(const struct ecs_engine *e, const struct ecs_record_copy *like, const char *line,
                  struct ecs_record_copy **out);
/** Enters it; its key must not be there. */
void ecs_copy_enter(struct ecs_engine *e, struct ecs_record_copy *c);
/** Takes it out and frees it. */
void ecs_copy_free(struct ecs_engine *e, struct ecs_record_copy *c, enum ecs_tell tell,
                   struct srp_time now);
struct ecs_record_copy *ecs_copy_find(const struct ecs_engine *e, uint8_t bit, uint64_t place);

#endif
