/* call: what is kept of each call aside from serving it: its machine's steps, the fate of its
 * checkpoints, and figures that few calls need. For the files of ecs/ only. */
#ifndef ECS_CALL_H
#define ECS_CALL_H

#include "ecs/engine_impl.h"
#include "ecs/frag.h"

/** Figures that most calls never need: made at the first of them. */
struct ecs_call_more {
	struct ecs_call_reorder reorder;
	struct ecs_call_reassembly reassembly;
	struct ecs_call_redirect redirect; /**< but allowed */
};

/** An event of the machine of @p s; one that is refused is counted by the engine, too. */
void ecs_call_step(struct ecs_engine *e, struct ecs_session *s, enum ecs_call_event ev);
/** The figures of @p s to count in; never NULL: without memory, those of nobody. */
struct ecs_call_more *ecs_call_count(struct ecs_engine *e, struct ecs_session *s);
/** Takes over what was counted of a stream of @p s. */
void ecs_call_reordered(struct ecs_engine *e, struct ecs_session *s);
/** Counts what became of a fragmented datagram of a call: an ecs_frag_fn on @p engine. */
void ecs_call_fragments(void *engine, uint32_t callid, enum ecs_frag_news news);
/** Frees what call.c keeps of a session that ends. */
void ecs_call_forget(struct ecs_engine *e, struct ecs_session *s);
/** What the transport did with a record: of the Full Checkpoint, or another of the call. */
void ecs_call_passed(struct ecs_session *s, enum ecs_call_ckpt_of of,
                     const struct srp_ckpt_pass *p);
/** The same for a deletion, by the call-id in its key. */
void ecs_call_passed_key(enum ecs_call_ckpt_of of, const struct srp_ckpt_key *key,
                         const struct srp_ckpt_pass *p);
/** Makes a bearer that @p s does not have, with the events of a dedicated one; the sink is not
 *  told. NULL: the identity is outside 5 to 15, or there is no memory. */
struct ecs_bearer *ecs_session_add_bearer(struct ecs_engine *e, struct ecs_session *s, uint8_t id);
/** Ends a bearer of @p s. */
void ecs_session_end_bearer(struct ecs_engine *e, struct ecs_session *s, struct ecs_bearer *b,
                            enum ecs_tell tell, struct srp_time now);
/** The TFT of a bearer; without filters it has none. 0 or SRP_ENOMEM. */
int ecs_bearer_set_tft(struct ecs_bearer *b, const struct ecs_sdfs *tft);
void ecs_bearer_untft(struct ecs_bearer *b);

#endif
