/* pools: ranges under a name, for range lines of ruledefs: host-pools of addresses, port-maps, imsi-pools.
 * Included by service.h. */
#ifndef ECS_RULE_POOLS_H
#define ECS_RULE_POOLS_H

#include <stdbool.h>

#define ECS_POOLS_MAX  256 /**< of each kind: no figure is published */
#define ECS_POOL_LINES 256

struct ecs_service;
struct ecs_err;

/** Opens or removes a pool. Names are unique over all of them, ruledefs and groups. A line that names one
 *  that is not there matches nothing (lint reports it). */
int ecs_service_host_pool(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
int ecs_service_port_map(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
int ecs_service_imsi_pool(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** A line of one: an address or prefix, a port, an IMSI; or with @p b a range. One that is there already is no
 *  error; at most ECS_POOL_LINES. */
int ecs_service_host_line(struct ecs_service *s, const char *pool, bool no, const char *a,
                          const char *b, struct ecs_err *e);
int ecs_service_port_line(struct ecs_service *s, const char *map, bool no, const char *a,
                          const char *b, struct ecs_err *e);
int ecs_service_imsi_line(struct ecs_service *s, const char *pool, bool no, const char *a,
                          const char *b, struct ecs_err *e);

#endif
