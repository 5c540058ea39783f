/* detect: which applications are detected: `p2p-detection`. Included by service.h.
 *
 * While nothing is said, all are that rules ask for. With names, a line of a ruledef that asks for another
 * one never matches. */
#ifndef ECS_RULE_DETECT_H
#define ECS_RULE_DETECT_H

#include <stdbool.h>
#include <stdint.h>

#define ECS_DETECT_MAX 512 /**< names */

struct ecs_service;
struct ecs_err;

/**
 * `p2p-detection protocol`: an application by its name, NULL all; one that is not known is kept, and lint
 * reports it. With @p no it is taken back, with NULL all of them.
 * @return 0; SRP_EINVAL, SRP_EFULL; SRP_ENOENT: taken back, and was not there
 */
int ecs_service_detect(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** `p2p-detection behavioral`: an enum ecs_behavior, 0 all; else as above. */
int ecs_service_detect_behavior(struct ecs_service *s, uint8_t behavior, bool no, struct ecs_err *e);

#endif
