/* tls: TLS 1.3 with both sides authenticated; the peer's certificate must chain to the configured CA
 * and carry the configured name. */
#ifndef CHASSIS_IO_TLS_H
#define CHASSIS_IO_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct chassis_tls;

/** Why a peer was refused; each has a counter (chassis/io/tls.def) and a text for the log. */
#define CHASSIS_TLS_REFUSALS(X)                                  \
	X(CHAIN, "certificate does not chain to the configured CA") \
	X(NAME, "certificate does not carry the configured name")   \
	X(NO_CERT, "no certificate")                             \
	X(VERSION, "no common TLS version")                      \
	X(EXPIRED, "certificate expired or not yet valid")       \
	X(GARBAGE, "not TLS")                                    \
	X(OTHER, "handshake failed")
#define X(sym, text) CHASSIS_TLS_REF_##sym,
enum chassis_tls_refusal { CHASSIS_TLS_REFUSALS(X) CHASSIS_TLS_REF__N };
#undef X

/**
 * Reads certificate, key and CA (PEM files).
 * @param why  receives what is wrong (cap bytes) when NULL is returned
 */
struct chassis_tls *chassis_tls_new(const char *cert, const char *key, const char *ca,
                                    const char *peer_name, char *why, size_t cap);
void chassis_tls_free(struct chassis_tls *t);
/** Seconds until the own certificate expires; negative: it has. *@p early: it is not valid yet. */
long long chassis_tls_expires(const struct chassis_tls *t, bool *early);
/** Text of a refusal; never NULL. */
const char *chassis_tls_refusal_text(enum chassis_tls_refusal r);
/** Counters of refusals, [CHASSIS_TLS_REF__N]; may point into a slab. */
void chassis_tls_counters(struct chassis_tls *t, unsigned long long *refusals);

#endif
