/* names: which name a subscriber was told an address for, by answers of DNS that it asked for
 * (`ip server-domain-name`). Each subscriber has its own: what one is told says nothing of others. Not
 * checkpointed: after a recovery names are learnt anew. */
#ifndef ECS_NAMES_H
#define ECS_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "ecs/packet.h"
#include "srp/time.h"

#define ECS_NAMES_MAX         65536u /**< addresses of all subscribers; the oldest go first */
#define ECS_NAMES_ANSWERS_MAX 32u    /**< of one message that are read */
#define ECS_NAMES_TTL_MIN_S   60u    /**< an address is used for longer than it may be cached */
#define ECS_NAMES_TTL_MAX_S   86400u

struct ecs_names;

struct ecs_names *ecs_names_new(uint64_t seed);
void ecs_names_free(struct ecs_names *n);
/**
 * Reads an answer: each address of it gets the name that was asked for.
 * @return how many addresses
 */
size_t ecs_names_answer(struct ecs_names *n, uint32_t callid, const uint8_t *msg, size_t len,
                        struct srp_time now);
/** The name of an address for a subscriber, borrowed until the next answer; NULL: none. */
const char *ecs_names_find(struct ecs_names *n, uint32_t callid, const struct ecs_addr *a,
                           struct srp_time now);
size_t ecs_names_count(const struct ecs_names *n);

#endif
