/* beat: a sign of life in one UDP datagram, for dead-intervals under a second. Big endian:
 *
 *      0 magic u32 "SRPB"    4 version u8 = 1   5 chassis bit u8   6 role u8   7 zero u8
 *      8 instance u16 (0 control, i sessmgr i)  10 zero u16       12 term u32
 *     16 sequence u64       24 incarnation u64
 *     32 backlog objects u64                   40 backlog bytes u64
 *     48 octets u64                            56 charged u64
 *     64 MAC, 16 bytes: HMAC-SHA256 over bytes 0 to 63, cut to its first 16
 *
 * The key comes from the TLS exporter of the sender's own connection (control, or of its
 * instance), label "EXPORTER-srp-beat", 32 bytes, so a new connection is a new key. A sequence
 * starts at the sender's monotonic microseconds and grows by at least 1, so that a restarted task
 * goes on above its predecessor. The MAC is made by the caller's function: no cryptography lives
 * here. Beats prove life and tell the backlog; they are no hello: they may overtake one. */
#ifndef SRP_BEAT_H
#define SRP_BEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srp/backlog.h"
#include "srp/role.h"

#define SRP_BEAT_LEN     80u
#define SRP_BEAT_MAC_LEN 16u
#define SRP_BEAT_VERSION 1u

struct srp_beat {
	uint8_t bit;              /**< chassis bit of the sender */
	enum srp_role role;
	uint16_t instance;        /**< 0: vpnmgr; i: sessmgr i */
	uint32_t term;
	uint64_t seq;
	uint64_t incarnation;
	struct srp_backlog_figure backlog; /**< of this instance; of all for 0 */
};

/** Writes the MAC of @p len bytes at @p msg; 0 or a negative code. */
typedef int srp_mac_fn(void *key, const uint8_t *msg, size_t len, uint8_t mac[SRP_BEAT_MAC_LEN]);

/** What was accepted last, one per sender (peer task) and key. */
struct srp_beat_window {
	uint64_t incarnation; /**< the peer's, from its hello */
	uint64_t last;        /**< sequence */
	uint16_t instance;
	uint8_t bit;          /**< the peer's chassis bit: a reflected own beat has the other */
};

/** Writes SRP_BEAT_LEN bytes. @return 0 or the code of @p mac */
int srp_beat_encode(const struct srp_beat *b, srp_mac_fn *mac, void *key,
                    uint8_t out[SRP_BEAT_LEN]);
/**
 * Decodes one datagram: length, magic, version, MAC (in constant time), fields; in this order.
 * @return 0; SRP_ERANGE (length or a field), SRP_EVERSION (magic, version, zero bytes), SRP_EAUTH
 */
int srp_beat_decode(const void *buf, size_t len, srp_mac_fn *mac, void *key, struct srp_beat *out);
/** A window for a new key: nothing accepted yet. */
void srp_beat_window_init(struct srp_beat_window *w, uint64_t incarnation, uint8_t bit,
                          uint16_t instance);
/**
 * Accepts a decoded beat once.
 * @return 0; SRP_ESTALE (not newer than the last: replayed or overtaken), SRP_EPEER (another incarnation,
 *         instance or chassis bit than expected)
 */
int srp_beat_accept(struct srp_beat_window *w, const struct srp_beat *b);

#endif
