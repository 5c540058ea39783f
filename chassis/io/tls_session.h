/* tls_session: one TLS connection as a machine without descriptors: bytes from the wire in, bytes for
 * the wire out. Both buffers are bounded; what does not fit waits. */
#ifndef CHASSIS_IO_TLS_SESSION_H
#define CHASSIS_IO_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chassis/io/tls.h"

#define CHASSIS_TLS_RECORD 16384u /**< plain bytes in one record */

struct chassis_tls_session;

/** A session that has not begun; NULL without memory. @p t must live longer. */
struct chassis_tls_session *chassis_tls_session_new(struct chassis_tls *t, bool server);
void chassis_tls_session_free(struct chassis_tls_session *s);

/** Where to put bytes from the wire; @p room may be 0. Then chassis_tls_session_filled. */
uint8_t *chassis_tls_session_in(struct chassis_tls_session *s, size_t *room);
void chassis_tls_session_filled(struct chassis_tls_session *s, size_t n);
/** True when the bytes from the wire end inside a record. */
bool chassis_tls_session_partial(const struct chassis_tls_session *s);
/** Bytes for the wire; borrowed until the next call. Then chassis_tls_session_sent. */
const uint8_t *chassis_tls_session_out(const struct chassis_tls_session *s, size_t *len);
void chassis_tls_session_sent(struct chassis_tls_session *s, size_t n);

/**
 * Goes on with the handshake. A refusal is counted once.
 *
 * @param why  receives the reason of a refusal
 * @return 0 done; SRP_EAGAIN: bytes are needed, or must be sent; SRP_EAUTH: we refuse the peer;
 *         SRP_EPEER: the peer refuses us
 */
int chassis_tls_session_handshake(struct chassis_tls_session *s, char *why, size_t cap);
/**
 * Reads plain bytes.
 * @return 0 with *got bytes; SRP_EAGAIN; SRP_EPEER: the peer closed, or sent an alert;
 *         SRP_EIO: what came is not this session's
 */
int chassis_tls_session_read(struct chassis_tls_session *s, uint8_t *buf, size_t len, size_t *got,
                             char *why, size_t cap);
/** Encrypts at most CHASSIS_TLS_RECORD bytes as one record; 0, SRP_ENOSPC (send first) or SRP_EIO. */
int chassis_tls_session_write(struct chassis_tls_session *s, const uint8_t *buf, size_t len);
/** Says to the peer that this side closes. */
void chassis_tls_session_close(struct chassis_tls_session *s);
/** RFC 5705 exporter; 0, or SRP_ESTATE before the handshake is done. */
int chassis_tls_session_export(struct chassis_tls_session *s, const char *label, uint8_t *key,
                               size_t len);

#endif
