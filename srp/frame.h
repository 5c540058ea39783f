/* frame: how a message looks on a connection, to the peer and between tasks.
 *
 *     0       2         3      4       5          8          12
 *     | magic | version | type | flags | reserved | length   | body (msgpack) ...
 *       u16     u8        u8     u8      3 bytes 0  u32
 *
 * All big endian; length is of the body. A table row per type gives the limits and the states that
 * permit it; everything is refused here before a body is buffered. After a refusal the stream has no
 * boundary any more: the connection is closed. */
#ifndef SRP_FRAME_H
#define SRP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRP_FRAME_HDR_LEN  12u
#define SRP_FRAME_BODY_MAX (16384u - SRP_FRAME_HDR_LEN) /**< a frame fits one TLS record */

#define SRP_FRAME_F_LZ4 0x01u /**< the body is lz4; negotiated at connect */

/** One type of frame: a row of a .def table. */
struct srp_frame_row {
	const char *name;   /**< NULL: no such type */
	uint32_t min, max;  /**< of the body */
	uint32_t states;    /**< bit set: permitted in that state of the connection */
	uint8_t event;      /**< what it becomes in the machine that reads it */
};

/** A set of types, with the magic and version that its frames carry. */
struct srp_frame_table {
	uint16_t magic;
	uint8_t version;
	const struct srp_frame_row *row; /**< 256 rows by type */
};

struct srp_frame_hdr {
	uint8_t type;
	uint8_t flags;
	uint32_t len; /**< of the body, inside the row's limits */
};

/**
 * Decodes and checks one header.
 *
 * @param t      the types of this connection
 * @param buf    bytes from the peer; borrowed
 * @param len    how many; fewer than SRP_FRAME_HDR_LEN gives SRP_EAGAIN
 * @param state  the connection's state, 0 to 31
 * @param out    written on success only
 * @return 0, SRP_EAGAIN, or the refusal: SRP_EVERSION (magic, version or reserved), SRP_ETYPE,
 *         SRP_ERANGE (length), SRP_ESTATE
 */
int srp_frame_peek(const struct srp_frame_table *t, const uint8_t *buf, size_t len, unsigned state,
                   struct srp_frame_hdr *out);

/** Writes a header for @p len bytes of body at @p buf (SRP_FRAME_HDR_LEN bytes). */
void srp_frame_put(const struct srp_frame_table *t, uint8_t *buf, uint8_t type, uint8_t flags,
                   uint32_t len);

#endif
