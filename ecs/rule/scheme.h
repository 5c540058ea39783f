/* scheme: the triggers of a service-scheme, and what they do. Included by service.h. */
#ifndef ECS_RULE_SCHEME_H
#define ECS_RULE_SCHEME_H

struct ecs_service;

/** When the conditions of a scheme are looked at. Flow-create, bearer-creation and sess-setup act; the others
 *  are kept. */
#define ECS_TRIGGERS(X)                                                                       \
	X(FLOW_CREATE, "flow-create") X(BEARER_CREATION, "bearer-creation")                   \
	X(LOC_UPDATE, "loc-update") X(BEARER_BANDWIDTH, "monitor-bearer-bandwidth")           \
	X(NSH_RESPONSE, "nsh-response-received") X(SESS_SETUP, "sess-setup")
#define X(sym, text) ECS_TRIGGER_##sym,
enum ecs_trigger { ECS_TRIGGERS(X) ECS_TRIGGER__N };
#undef X
const char *ecs_trigger_words(enum ecs_trigger t);

/** The rule that a trigger of a scheme activates (activate-predef-rule): of its first priority whose condition
 *  holds, which only any-match does where there is no rule. NULL: none; only sess-setup and bearer-creation act. */
const char *ecs_service_trigger_rule(const struct ecs_service *s, int scheme, enum ecs_trigger t);

#endif
