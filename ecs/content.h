/* content: what services for HTTP requests say of them: URL blacklisting, content filtering by the
 * database of categories, and by rating servers. A request is looked at when its header is whole; the
 * packet that made it so is answered, dropped, or held until a server has spoken.
 *
 * None of it is done to recovered flows, whose requests are not read: their packets are allowed
 * (flow-recovery, Feature Interaction); but for `flow-recovery content-filtering`, with which a packet
 * that begins a request is read by itself (again.c). */
#ifndef ECS_CONTENT_H
#define ECS_CONTENT_H

#include "ecs/http.h"
#include "ecs/path.h"

#define ECS_CONTENT_REQUESTS 16u /**< in one packet; more are as one that cannot be rated */

/** What was found of the requests of a packet. */
struct ecs_content {
	const struct ecs_cf_action *blacklist; /**< NULL: none is on the blacklist */
	const struct ecs_cf_action *filter;    /**< by policy and database; NULL: nothing */
	bool unrated;                          /**< one of them cannot be asked of a server */
	size_t n;                              /**< questions for a server */
	struct {
		const char *method, *host, *uri, *user_agent;
	} ask[ECS_CONTENT_REQUESTS];
	char text[ECS_CONTENT_REQUESTS * 5120];
	size_t used;
};

/** Whether a rulebase has any of it; of what its sessions need of stages. */
bool ecs_content_of(const struct ecs_service *s, int rulebase, uint32_t *stages);
/** Looks at the requests of a packet, which are in @p h. */
void ecs_content_look(struct ecs_engine *e, struct ecs_way *w, const struct ecs_http *h);
/** Does to a packet with a request what a policy says. */
enum ecs_stage_did ecs_content_do(struct ecs_engine *e, struct ecs_way *w,
                                  const struct ecs_cf_action *a, const char *text);
/** What the policy of a session says of categories; NULL: nothing. */
const struct ecs_cf_action *ecs_content_policy(const struct ecs_engine *e,
                                               const struct ecs_session *s, const char *categories,
                                               size_t len);
/** A packet of a recovered flow passes a stage that is not done to it: counted if it is a request. */
void ecs_content_passed(struct ecs_engine *e, const struct ecs_way *w, enum ecs_stage stage);

/* --- hold.c: requests that a server is asked about -------------------------------------------- */

#define ECS_HOLDS_MAX        1024u              /**< flows that wait, of an engine */
#define ECS_HOLD_PACKETS     16u                /**< of one flow */
#define ECS_HOLD_FLOW_BYTES  (128u * 1024)
#define ECS_HOLD_BYTES       (32u * 1024 * 1024) /**< of an engine */

struct ecs_hold;
/** The flow is gone, or is recovered: what it held is dropped. */
void ecs_hold_drop(struct ecs_engine *e, struct ecs_flow_more *m);
/** The role is lost, or the engine ends. */
void ecs_holds_clear(struct ecs_engine *e);

/* --- tether.c --------------------------------------------------------------------------------- */

/** Looks at a packet of a flow for what tells of a device behind the subscriber's. */
void ecs_tether_look(struct ecs_engine *e, struct ecs_way *w);
/** Whether a rulebase asks for it. */
bool ecs_tether_of(const struct ecs_service *s, int rulebase);

#endif
