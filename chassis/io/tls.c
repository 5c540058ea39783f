#include "config.h"
#include "chassis/io/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chassis/io/tls_impl.h"

/* AES-128 first: it is the fastest of them, and none of them is weak. */
#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CHAIN_BYTES_MAX (64 * 1024)
#define CHAIN_DEPTH_MAX 8

static const char *const refusal_text[CHASSIS_TLS_REF__N] = {
#define X(sym, text) [CHASSIS_TLS_REF_##sym] = text,
	CHASSIS_TLS_REFUSALS(X)
#undef X
};

/* A daemon cannot be asked: a key with a passphrase is an error, not a prompt on the terminal. */
static int no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

static void say(char *why, size_t cap, const char *what, const char *file)
{
	unsigned long e = ERR_peek_error();
	const char *r;

	/* The first entry names the cause (no such file, no start line), the last what was attempted. */
	r = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
	snprintf(why, cap, "%s %s: %s", what, file, r ? r : "unreadable");
	ERR_clear_error();
}

static int load(SSL_CTX *ctx, const char *cert, const char *key, const char *ca, char *why,
		size_t cap)
{
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
		say(why, cap, "certificate", cert);
		return -1;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
		say(why, cap, "key", key);
		return -1;
	}
	if (SSL_CTX_check_private_key(ctx) != 1) {
		snprintf(why, cap, "key %s is not the key of certificate %s", key, cert);
		ERR_clear_error();
		return -1;
	}
	if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
		say(why, cap, "CA", ca);
		return -1;
	}
	return 0;
}

static SSL_CTX *context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (!ctx)
		return NULL;
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, CIPHERS) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx,
			    SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH_MAX);
	SSL_CTX_set_max_cert_list(ctx, CHAIN_BYTES_MAX);
	return ctx;
}

struct chassis_tls *chassis_tls_new(const char *cert, const char *key, const char *ca,
                                    const char *peer_name, char *why, size_t cap)
{
	struct chassis_tls *t;

	if (!peer_name[0] || strlen(peer_name) >= sizeof(t->peer_name)) {
		snprintf(why, cap, "the name of the peer's certificate is %s",
		         peer_name[0] ? "too long" : "not configured");
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t || !(t->ctx = context()) || !(t->bio = chassis_tls_bio())) {
		snprintf(why, cap, "out of memory");
		chassis_tls_free(t);
		return NULL;
	}
	t->refusals = t->own_refusals;
	memcpy(t->peer_name, peer_name, strlen(peer_name) + 1);
	if (load(t->ctx, cert, key, ca, why, cap) < 0) {
		chassis_tls_free(t);
		return NULL;
	}
	return t;
}

void chassis_tls_free(struct chassis_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx); /* clears the key */
	BIO_meth_free(t->bio);
	free(t);
}

long long chassis_tls_expires(const struct chassis_tls *t, bool *early)
{
	const X509 *x = SSL_CTX_get0_certificate(t->ctx);
	int days = 0, secs = 0;

	*early = X509_cmp_current_time(X509_get0_notBefore(x)) > 0;
	if (ASN1_TIME_diff(&days, &secs, NULL, X509_get0_notAfter(x)) != 1)
		return -1;
	return (long long)days * 86400 + secs;
}

const char *chassis_tls_refusal_text(enum chassis_tls_refusal r)
{
	return r < CHASSIS_TLS_REF__N ? refusal_text[r] : "unknown";
}

void chassis_tls_counters(struct chassis_tls *t, unsigned long long *refusals)
{
	t->refusals = refusals;
}
