/* kind: what the checkpoint kinds of ecs/ share. */
#ifndef ECS_KIND_H
#define ECS_KIND_H

#include "ecs/engine_impl.h"

#define ECS_SESSIONS_MAX 1048576u /**< that a peer can make one instance hold */
#define ECS_CALL_FLOWS_MAX 300u   /**< flows with a slot, of one call: the limit's own upper limit \
	                           */
#define ECS_CALL_USAGES_MAX 8192u /**< volumes of one call */
/** Of flow ids that a peer can name: so many are left of 31 bits that ours cannot run out. */
#define ECS_FLOW_COUNTER_MAX 0x7e000000u
/** Longest head of a record: array, kind, keys, term, version. */
#define ECS_KIND_HEAD_MAX(nkey) (3u + 2u + 9u * (nkey) + 5u + 5u)
#define ECS_KIND_AGE_MAX_MS ((uint64_t)1 << 40) /**< 34 years: the longest age that is read */

/** @p from as an age in milliseconds; 0 in canonical form. */
uint64_t ecs_kind_age(const struct srp_ckpt_ctx *ctx, struct srp_time from);
/** The time @p ms ago; never "never". */
struct srp_time ecs_kind_ago(struct srp_time now, uint64_t ms);
/** Reads an age. */
uint64_t ecs_kind_read_age(struct srp_mp_r *r);
/** Reads a name of at most cap-1 bytes: no control characters; empty only where @p empty. */
void ecs_kind_read_name(struct srp_mp_r *r, char *out, size_t cap, bool empty);
/** The session of a key whose first part is a call-id; SRP_ERANGE or SRP_ENOSESS. */
int ecs_kind_session(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                     struct ecs_session **out);
/** The bearer of a key of call-id and bearer; NULL: it is not there. */
struct ecs_bearer *ecs_kind_bearer_of(const struct srp_ckpt_ctx *ctx,
                                      const struct srp_ckpt_key *key);
/** As srp_ckpt_kind.gate, of what belongs to a session: SRP_GATE_NOT_READY while that is too
 *  young. */
enum srp_gate ecs_kind_gate(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx);
/** As srp_ckpt_kind.passed, of the same: counted with the micro checkpoints of its call. */
void ecs_kind_passed(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
                     const struct srp_ckpt_pass *p);
/** Judges whether all that a session's records name resolves here, and sets or clears the reason
 *  `switchover`. @p f: only this flow has changed; NULL: look at all. */
void ecs_kind_judge(struct ecs_engine *e, struct ecs_session *s, const struct ecs_flow *f,
                    struct srp_time now);
/** Idle age of a session in milliseconds; 0 in canonical form. Since its last packet; where none
 * came since takeover, what was applied plus the time as active; on a standby what was applied
 * (R18). */
uint64_t ecs_kind_idle(const struct srp_ckpt_ctx *ctx, const struct ecs_session *s);
/** Takes over ages: of the life from @p now back, of idleness onto the wheel. */
void ecs_kind_set_ages(struct ecs_engine *e, struct ecs_session *s, struct srp_time now,
                       uint64_t age_ms, uint64_t idle);
/** Visits the object at offset @p member of each session that is ready for recovery. */
void ecs_kind_walk(const struct srp_ckpt_ctx *ctx, size_t member, srp_ckpt_walk_fn *fn, void *arg);
/** A list of sessions: offsets of its head in a session, of the link in an element, of the object in
 *  an element; and which objects of it are told of, NULL: all. */
struct ecs_kind_list {
	size_t list, link, member;
	bool (*told)(const struct srp_ckpt_obj *o);
};
/** The same of the elements of a list of those sessions. */
void ecs_kind_walk_list(const struct srp_ckpt_ctx *ctx, const struct ecs_kind_list *of,
                        srp_ckpt_walk_fn *fn, void *arg);
/** The same of their bearers: @p member is the offset of the object in a bearer, @p told as above. */
void ecs_kind_walk_bearers(const struct srp_ckpt_ctx *ctx, size_t member,
                           bool (*told)(const struct srp_ckpt_obj *o), srp_ckpt_walk_fn *fn,
                           void *arg);
#define ECS_KIND_KEY_MAX 29u /**< a 5-tuple as it travels */
/** A 5-tuple as one byte string: protocol, ports, server; the subscriber's address is its session's (IPv6:
 *  the lower half follows). @return its length */
size_t ecs_kind_key_bytes(const struct ecs_flow_key *k, uint8_t out[ECS_KIND_KEY_MAX]);
void ecs_kind_write_key(const struct ecs_flow_key *k, struct srp_mp_w *w);
/** Reads one of a flow of @p s. */
void ecs_kind_read_key(struct srp_mp_r *r, const struct ecs_session *s, struct ecs_flow_key *k);
/** True when the flow's subscriber address is one of the session's. */
bool ecs_kind_owns(const struct ecs_session *s, const struct ecs_addr *a);

#endif
