/* enforce: what is done to a packet after its verdict and before it is charged: the stages of
 * enforce.def. A packet whose rule, session and flow need none pays for one test. */
#ifndef ECS_ENFORCE_H
#define ECS_ENFORCE_H

#include "ecs/path.h"
#include "ecs/shift.h"

/** What a stage did. */
enum ecs_stage_did {
	ECS_STAGE_PASSED,  /**< nothing */
	ECS_STAGE_ACTED,   /**< changed the packet, or how it goes on: counted by the stage's counter */
	ECS_STAGE_STOPPED  /**< dropped or answered it: counted likewise, and as a hit of the rule only */
};

/**
 * One stage of one packet.
 *
 * @param w  w->raw: the packet, to be changed in place; NULL: it is judged, not forwarded. w->f may
 *           be NULL. To end flow or session: w->ends, which is done when the packet is done with.
 * @param a  charging-action of its line; NULL: it has none
 */
typedef enum ecs_stage_did ecs_stage_fn(struct ecs_engine *e, struct ecs_way *w,
                                        const struct ecs_charging_action *a);

#define ECS_STAGE(sym, fn, when, recovered, counter, help) ecs_stage_fn ecs_stage_##fn;
#include "ecs/enforce.def"
#undef ECS_STAGE

/** What few flows have, kept aside: ecs_flow.more. */
struct ecs_flow_more {
	uint32_t stages;              /**< ECS_STAGE_BIT: needed by every packet of the flow */
	struct ecs_flow *flow;
	/* random.c */
	struct srp_time drop_at;      /**< when packets are dropped next */
	uint32_t drops;               /**< times they were: what is drawn depends on it */
	uint16_t drop_left;           /**< of those being dropped */
	uint16_t drop_gen;            /**< of the engine then: another time as active begins anew */
	bool drop_armed;
	/* readdress.c */
	struct ecs_flow_more *alias_next; /**< chain of e->aliases */
	struct ecs_flow_key alias;    /**< as the key, with the server that it was sent to */
	bool aliased;                 /**< it is found by that, too */
	/* splices.c */
	struct ecs_splice *splice;    /**< of a connection that may get another server; NULL: none */
	/* post.c */
	uint16_t post;                /**< line of post-processing that looks at L7, if has_post */
	bool has_post;
	uint32_t post_commit;         /**< e->commits then */
	/* hold.c */
	struct ecs_hold *hold;        /**< of packets that wait for a verdict; NULL: none */
	bool blocked;                 /**< what the subscriber sends is dropped from here on */
	/* shift.c */
	struct ecs_shift *shift;      /**< bytes inserted into it (shift.h); NULL: none */
	/* parent.c */
	uint32_t parent;              /**< number of the flow that has set it up; 0: none */
	bool parent_kept;             /**< its checkpoint says so */
	struct srp_list in_children;  /**< of the session's, while it has a parent */
};

/** The stages that a packet needs; 0 for most. */
static inline uint32_t ecs_way_stages(const struct ecs_way *w, const struct ecs_line *l)
{
	uint32_t m = w->s->stages | (l ? l->stages : 0);

	if (w->f && w->f->more)
		m |= w->f->more->stages;
	return m;
}

/**
 * Runs the stages of @p stages on a packet.
 *
 * @return true: it goes no further, and has been counted
 */
bool ecs_enforce(struct ecs_engine *e, struct ecs_way *w, const struct ecs_charging_action *a,
                 uint32_t stages);
/** What a stage has asked for: ends the flow, or the session; what was kept back of the flow goes on.
 *  @return whether the flow has ended */
bool ecs_enforce_end(struct ecs_engine *e, struct ecs_way *w);

/** What the flow has aside, made at need; NULL without memory, or beyond ECS_FLOW_MORES_MAX. */
struct ecs_flow_more *ecs_flow_more(struct ecs_engine *e, struct ecs_flow *f);
/** Frees it: the flow ends, or was taken over. */
void ecs_flow_more_drop(struct ecs_engine *e, struct ecs_flow *f);

/** The same, where nothing is in it any more. */
void ecs_flow_more_trim(struct ecs_engine *e, struct ecs_flow *f);

#define ECS_FLOW_MORES_MAX 262144u /**< of an engine */

/* --- post.c ------------------------------------------------------------------------------------ */

/** Finds the line of post-processing of a packet of a flow that is being analyzed. */
void ecs_post_look(struct ecs_engine *e, struct ecs_way *w);

/** The same of a request of a recovered flow, with `flow-recovery redirect`: where a redirection is in
 *  question, the line is the one that matches with @p l7. */
void ecs_post_request(struct ecs_engine *e, struct ecs_way *w, const struct ecs_l7 *l7);

/* --- rebase.c ----------------------------------------------------------------------------------- */

/** Gives a session in service another rulebase, which is there, and tells: its flows are matched anew. */
void ecs_session_rebase(struct ecs_engine *e, struct ecs_session *s, const char *name,
                        struct srp_time now);

/* --- readdress.c ------------------------------------------------------------------------------ */

/** The flow of a packet of a server that its flow was readdressed to; @p k as it came. NULL: none. */
struct ecs_flow *ecs_alias_find(const struct ecs_engine *e, const struct ecs_flow_key *k);
/** 0 or SRP_ENOMEM. */
int ecs_aliases_init(struct ecs_engine *e);
/** The key of a flow as its server has it. */
const struct ecs_flow_key *ecs_alias_of(const struct ecs_flow *f);
/** Packets of this server are of the flow, too, from here on; port 0: the same. False: it is its server
 *  already, of the other family, or there is a flow between them (counted). */
bool ecs_alias_add(struct ecs_engine *e, struct ecs_flow *f, const struct ecs_addr *server,
                   uint16_t port);
/** Not any more. */
void ecs_alias_remove(struct ecs_engine *e, struct ecs_flow *f);
/** Whether there is such a server. */
static inline bool ecs_alias_is(const struct ecs_flow *f)
{
	return f->more && f->more->aliased;
}
/** The flow was taken over: it goes to the server that its subscriber named. */
void ecs_alias_drop(struct ecs_engine *e, struct ecs_flow *f);
/** Shows a packet of the other server as one of the server that the subscriber knows. */
void ecs_alias_show(struct ecs_way *w);

#endif
