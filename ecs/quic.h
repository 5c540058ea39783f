/* quic: the ClientHello in the Initial packets of a QUIC client (RFC 9000, 9001, 9369), which are
 * protected by keys that anybody can derive. The cryptography itself comes from outside. */
#ifndef ECS_QUIC_H
#define ECS_QUIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the analyzer needs of cryptography; each returns false where it failed. */
struct ecs_crypto {
	bool (*hmac_sha256)(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
	                    uint8_t out[32]);
	/** One block. */
	bool (*aes128_ecb)(const uint8_t key[16], const uint8_t in[16], uint8_t out[16]);
	/** @p in ends with the tag of 16 bytes; @p out gets len - 16 bytes. */
	bool (*aes128_gcm_open)(const uint8_t key[16], const uint8_t iv[12], const uint8_t *aad,
	                        size_t aad_len, const uint8_t *in, size_t len, uint8_t *out);
};

#define ECS_QUIC_HELLO_MAX  8192u /**< bytes of the stream in which the ClientHello must end */
#define ECS_QUIC_PIECES_MAX 16u   /**< gaps, more or less, while it is not whole */
#define ECS_QUIC_DATAGRAM   1500u /**< longer ones are not read */
#define ECS_QUIC_FAILS_MAX  4u    /**< packets that cannot be opened, before it is given up */

struct ecs_quic_piece {
	uint32_t from, to;
};

/** Zeroed: nothing seen. */
struct ecs_quic {
	uint32_t version;
	bool keyed;
	uint8_t key[16], iv[12], hp[16];
	uint8_t fails, npieces;
	struct ecs_quic_piece piece[ECS_QUIC_PIECES_MAX]; /**< what is there, in order, apart */
	uint8_t *hello;        /**< bytes of the stream of the handshake */
	size_t cap;
};

void ecs_quic_fini(struct ecs_quic *q);
/** Whether a datagram begins as the first of a QUIC client does, in a version that is known. */
bool ecs_quic_is_initial(const uint8_t *data, size_t len);
/**
 * Reads one datagram of the client.
 *
 * @param name  at least ECS_TLS_NAME_MAX + 1 bytes; written on 0 only
 * @return 0; SRP_ENOENT: the ClientHello has no name; SRP_EAGAIN: it goes on in another datagram;
 *         SRP_EFORMAT: none of it can be read
 */
int ecs_quic_datagram(struct ecs_quic *q, const struct ecs_crypto *crypto, const uint8_t *data,
                      size_t len, char *name);

#endif
