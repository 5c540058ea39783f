/* record_copy: records that are made and not yet in a file, as checkpoints. The peer chassis holds a copy
 * of each from before the owner writes it until it has: were this chassis lost in between, the peer
 * writes what it holds. A record is of a flow or session that has ended, most often: its copy belongs to
 * the engine, not to them. */
#ifndef ECS_RECORD_COPY_H
#define ECS_RECORD_COPY_H

#include "ecs/tally.h"

#define ECS_COPY_LINE_MAX  7680u         /**< characters; a longer record has no copy */
#define ECS_COPY_BYTES_MAX (24u << 20)   /**< of an engine's copies, as they lie in memory */

/** Gives a record to the owner, and has it copied where the owner says where it waits (its place). False:
 *  it could not be taken. */
bool ecs_record_give(struct ecs_engine *e, struct ecs_record *r, struct srp_time now);
/** The place up to which the peer holds a copy of each record, or has refused it. */
uint64_t ecs_records_confirmed(const struct ecs_engine *e);
/** All records before @p place are in files: their copies go. */
void ecs_records_written(struct ecs_engine *e, uint64_t place, struct srp_time now);
/** The role is lost: copies of own records go, told to nobody; @p fn is told first, of each, whether the
 *  peer holds it. NULL: nobody. */
void ecs_records_forget(struct ecs_engine *e, void (*fn)(void *arg, uint64_t place, bool peer_has),
                        void *arg, struct srp_time now);
/**
 * Deals with the copies of the peer's records.
 *
 * @param write  the peer was lost: they are given to the owner, counted; else the peer writes them itself
 * @param budget at most so many now
 * @return true: call again
 */
bool ecs_records_take_over(struct ecs_engine *e, bool write, size_t budget, struct srp_time now);
/** Copies of the peer's records that are held. */
size_t ecs_records_held(const struct ecs_engine *e);

extern const struct srp_ckpt_kind ecs_kind_record; /**< 219, deletion 220 */

#endif
