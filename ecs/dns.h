/* dns: the name in the question of a DNS message (RFC 1035 4.1). */
#ifndef ECS_DNS_H
#define ECS_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "ecs/packet.h"

#define ECS_DNS_PORT     53u
#define ECS_DNS_NAME_MAX 255u
/** Bytes of a message in which the first question ends: header, name, type and class. */
#define ECS_DNS_HEAD_MAX (12u + ECS_DNS_NAME_MAX + 4u)

/**
 * Reads the first question's name as text without the last dot; the root is ".". Bytes that are not
 * printable, and dots within a label, are shown as '?'.
 *
 * @param len  bytes of the message that are there
 * @param out  at least ECS_DNS_NAME_MAX + 1 bytes; written on success only
 * @return 0; SRP_ENOENT: no question; SRP_ESHORT; SRP_EFORMAT
 */
int ecs_dns_question(const uint8_t *msg, size_t len, char *out);


struct ecs_dns_address {
	struct ecs_addr addr;
	uint32_t ttl; /**< seconds */
};

/**
 * Reads the addresses (A, AAAA) of an answer without error. They are of the name that was asked for,
 * which others may stand for (CNAME).
 *
 * @param name  of the question, at least ECS_DNS_NAME_MAX + 1 bytes
 * @return how many were written to @p out, at most @p max; 0: none, or it is no answer
 */
size_t ecs_dns_answer(const uint8_t *msg, size_t len, char *name, struct ecs_dns_address *out,
                      size_t max);

#endif
