/* quic_crypto: what the QUIC analyzer needs of cryptography (ecs/quic.h), through OpenSSL. */
#ifndef CHASSIS_IO_QUIC_CRYPTO_H
#define CHASSIS_IO_QUIC_CRYPTO_H

#include "ecs/quic.h"

extern const struct ecs_crypto chassis_quic_crypto;

/** Makes now what OpenSSL makes at its first use; for processes that give up rights afterwards. */
void chassis_quic_crypto_warm(void);

#endif
