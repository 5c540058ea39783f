/* tls_impl: what tls and tls_session share. */
#ifndef CHASSIS_IO_TLS_IMPL_H
#define CHASSIS_IO_TLS_IMPL_H

#include <openssl/ssl.h>

#include "chassis/io/tls.h"

struct chassis_tls {
	SSL_CTX *ctx;
	BIO_METHOD *bio;                 /**< of the sessions: their two buffers */
	char peer_name[256];
	unsigned long long *refusals;    /**< own_refusals, or in a slab */
	unsigned long long own_refusals[CHASSIS_TLS_REF__N];
};

/** The BIO method of sessions; NULL without memory. Free with BIO_meth_free. */
BIO_METHOD *chassis_tls_bio(void);

#endif
