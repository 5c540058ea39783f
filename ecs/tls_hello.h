/* tls_hello: the server name of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3). */
#ifndef ECS_TLS_HELLO_H
#define ECS_TLS_HELLO_H

#include <stddef.h>
#include <stdint.h>

#define ECS_TLS_HELLO_MAX 16384u /**< bytes of the stream in which it must end */
#define ECS_TLS_NAME_MAX  255u

/**
 * Reads the server name from the beginning of a stream; the hello may be cut into records.
 *
 * @param out  at least ECS_TLS_NAME_MAX + 1 bytes; written on 0 only; bytes outside printable ASCII
 *             are shown as '?'
 * @return 0; SRP_ENOENT: a ClientHello without a name; SRP_EAGAIN: more bytes are needed, at least
 *         up to @p need of the stream; SRP_EFORMAT: not a ClientHello
 */
int ecs_tls_server_name(const uint8_t *b, size_t len, char *out, size_t *need);

/** The same of the handshake message alone, without records (of QUIC). */
int ecs_tls_message_name(const uint8_t *b, size_t len, char *out, size_t *need);

#endif
