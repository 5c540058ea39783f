/* shift: bytes inserted into a TCP connection, from the subscriber to the server. What is known of them
 * is replicated for itself (ACS_SHIFT_INFO, 221), whether the flow is checkpointed or not: the connection
 * goes on after a recovery as any other, and both ends count on what was inserted. */
#ifndef ECS_SHIFT_H
#define ECS_SHIFT_H

#include "ecs/engine_impl.h"
#include "ecs/path.h"
#include "srp/mp.h"

#define ECS_SHIFT_PIECES    4u    /**< insertions that the server has not acknowledged yet */
#define ECS_SHIFT_BYTES     512u  /**< of one of them */
#define ECS_CALL_SHIFTS_MAX 1024u /**< connections of one call */

struct ecs_shift_piece {
	uint32_t at; /**< sequence number of the subscriber's byte before which they go */
	uint16_t len;
	uint8_t *bytes;
};

struct ecs_shift {
	struct srp_ckpt_obj ckpt;     /**< first */
	struct ecs_session *session;
	struct ecs_flow *flow;        /**< NULL: it is not here (any more, or yet) */
	struct ecs_flow_key key;
	uint32_t id;                  /**< that the flow had at the first insertion */
	uint32_t base;                /**< bytes of insertions that the server has acknowledged */
	unsigned n;
	struct ecs_shift_piece piece[ECS_SHIFT_PIECES]; /**< by place */
	bool fresh;                   /**< something was inserted that the peer may not know of yet */
	struct srp_list in_session;
	struct ecs_shift *by_id;      /**< chain of the engine's index */
	struct ecs_wheel_node wait;   /**< for its flow */
};

/** A shift as a record says it. */
struct ecs_shift_image {
	uint32_t base;
	size_t n;
	struct {
		uint32_t at;
		const uint8_t *bytes;
		size_t len;
	} piece[ECS_SHIFT_PIECES];
};

/* --- shift.c ---------------------------------------------------------------------------------- */

/** A sequence number of the subscriber, as the server counts. */
uint32_t ecs_shift_seq(const struct ecs_flow *f, uint32_t seq);
/** Shows what a packet of the server acknowledges as the subscriber counts. */
void ecs_shift_show(struct ecs_engine *e, struct ecs_way *w);
/**
 * Inserts bytes before the byte of the subscriber with number @p at: into the packet that has it, now
 * and whenever it is sent again. The sink is told.
 * @return 0, SRP_EFULL, SRP_ENOMEM
 */
int ecs_shift_add(struct ecs_engine *e, struct ecs_flow *f, uint32_t at, const uint8_t *bytes,
                  size_t n, struct srp_time now);

/** What is checkpointed of it: [base, at, bytes...]. */
void ecs_shift_encode(const struct ecs_shift *t, struct srp_mp_w *w);
#define ECS_SHIFT_WIRE (1 + 1 + 5 + ECS_SHIFT_PIECES * (1 + 5 + 3 + ECS_SHIFT_BYTES))
void ecs_shift_read(struct srp_mp_r *r, struct ecs_shift_image *out);
/** Takes it over in place of what is there. 0, or SRP_ENOMEM: nothing has changed. */
int ecs_shift_set(struct ecs_shift *t, const struct ecs_shift_image *m);
/** Frees what was inserted. */
void ecs_shift_clear(struct ecs_shift *t);

/* --- shifts.c: those of a session -------------------------------------------------------------- */

/** 0 or SRP_ENOMEM. */
int ecs_shifts_init(struct ecs_engine *e);
/** One for a connection, without a flow, of which nobody was told; NULL: too many, or no memory. */
struct ecs_shift *ecs_shift_build(struct ecs_engine *e, struct ecs_session *s,
                                  const struct ecs_flow_key *k, uint32_t id);
/** Of a connection whose flow is not here; NULL: nothing was inserted into it. */
struct ecs_shift *ecs_shift_waits(const struct ecs_session *s, const struct ecs_flow_key *k);
/** Gives it to its flow. 0, or SRP_ENOMEM: the flow's packets may not go on. */
int ecs_shift_attach(struct ecs_engine *e, struct ecs_shift *t, struct ecs_flow *f);
/** Its flow is dropped and may come back. */
void ecs_shift_detach(struct ecs_engine *e, struct ecs_flow *f);
void ecs_shift_drop(struct ecs_engine *e, struct ecs_shift *t, enum ecs_tell tell, struct srp_time now);
/** The connection of @p f is over. */
void ecs_shift_end(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** It has waited for its flow for as long as a flow of TCP lives without a packet. */
void ecs_shift_expire(struct ecs_engine *e, struct ecs_shift *t, struct srp_time now);

extern const struct srp_ckpt_kind ecs_kind_shift; /**< 221, deletion 222 */

#endif
