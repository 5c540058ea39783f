/* redirect: `flow action redirect-url`, and `redirect-ocs-url`, whose URL the charging server has named
 * (quota.h); both may be conditional, which looks at the User-Agent of a request. The HTTP request that
 * such a rule decides on is not forwarded: the subscriber gets a 302 answer that ends the connection, the server a reset. What
 * else comes of that connection is answered here; an entry says so until the flow ends.
 *
 * All that an answer needs is in the packet that it answers, so that a flow which another chassis
 * or process redirected before, and whose rule came by checkpoint, is redirected here as well.
 * Other packets of the rule (handshakes, what is no HTTP) are forwarded.
 *
 * `first-request-only`: only the first request of a session under a charging-action is redirected; those
 * on its later connections are let through, dropped, or end their flow. That there was a first one
 * is part of the record of the call; so is that an end-token has ended a conditional redirection. */
#ifndef ECS_REDIRECT_H
#define ECS_REDIRECT_H

#include "ecs/path.h"

/**
 * A packet of a flow that is redirected, or whose action @p a says so.
 *
 * @return true: it was answered, or is to be dropped; false: it goes on its way
 */
bool ecs_redirect(struct ecs_engine *e, struct ecs_way *w,
                  const struct ecs_charging_action *a);
/** Answers the request of @p w with @p body, which is a whole response; then as ecs_redirect(). @p a:
 *  the action that says so; NULL: none. */
void ecs_redirect_answer(struct ecs_engine *e, const struct ecs_way *w,
                         const struct ecs_charging_action *a, const char *body, size_t len);
/** The action of a line, where that redirects; else NULL. */
const struct ecs_charging_action *ecs_redirect_of(const struct ecs_engine *e, uint16_t line);
/** Whether a request is let through, as it is not the first under @p a and that allows the others. */
bool ecs_redirect_lets(struct ecs_engine *e, const struct ecs_way *w,
                       const struct ecs_charging_action *a);
/** Whether the payload of a packet begins with a request line. */
bool ecs_request_begins(const struct ecs_packet *p);
/** Whether the header of a request is still being read: a rule by it can come before the one that the
 *  packet has now. */
bool ecs_request_partial(const struct ecs_way *w);
/** A flow ends: its entry, if it has one, is deleted. */
void ecs_redirect_end(struct ecs_engine *e, struct ecs_flow *f);
/** Addresses have gone from @p s: entries of flows that have lost theirs (@p all: of every flow)
 *  are revoked. */
void ecs_redirect_revoke(struct ecs_engine *e, struct ecs_session *s, bool all);
/** The role is lost: all entries are deleted. */
void ecs_redirect_clear(struct ecs_engine *e);

#endif
