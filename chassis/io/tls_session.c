#include "config.h"
#include "chassis/io/tls_session.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/io/tls_impl.h"
#include "srp/err.h"

#define IN_CAP  (96u * 1024)  /**< one read of 64 KiB behind a record that is not whole */
#define OUT_CAP (128u * 1024) /**< four records may be waiting when the next is made */
#define RECORD_ROOM (CHASSIS_TLS_RECORD + 512u) /**< a record with header, type, tag, padding */
/* AES-GCM is sound for 2^24.5 records under one key (RFC 8446, 5.5). */
#define RECORDS_PER_KEY (1u << 24)

struct chassis_tls_session {
	struct chassis_tls *tls;
	SSL *ssl;
	size_t in_off, in_len;   /**< waiting: in[in_off, in_len) */
	size_t out_off, out_len; /**< waiting: out[out_off, out_len) */
	uint32_t records;        /**< written under the present key */
	bool done, counted, broken;
	uint8_t head[5], nhead;  /**< of the record that is coming in */
	uint32_t body_left;      /**< of it */
	uint8_t in[IN_CAP], out[OUT_CAP];
};

/* --- the BIO: reads from in, writes to out ------------------------------------------------- */

static int bio_read(BIO *b, char *buf, int len)
{
	struct chassis_tls_session *s = BIO_get_data(b);
	size_t n = s->in_len - s->in_off;

	BIO_clear_retry_flags(b);
	if (!n) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (n > (size_t)len)
		n = (size_t)len;
	memcpy(buf, s->in + s->in_off, n);
	s->in_off += n;
	return (int)n;
}

static int bio_write(BIO *b, const char *buf, int len)
{
	struct chassis_tls_session *s = BIO_get_data(b);
	size_t n = OUT_CAP - s->out_len;

	BIO_clear_retry_flags(b);
	if (!n) {
		BIO_set_retry_write(b);
		return -1;
	}
	if (n > (size_t)len)
		n = (size_t)len;
	memcpy(s->out + s->out_len, buf, n);
	s->out_len += n;
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

BIO_METHOD *chassis_tls_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "buffers");

	if (m && BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
	    BIO_meth_set_ctrl(m, bio_ctrl) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* --- refusals ------------------------------------------------------------------------------ */

static enum chassis_tls_refusal by_verify(long v)
{
	switch (v) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return CHASSIS_TLS_REF_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return CHASSIS_TLS_REF_NAME;
	default:
		return CHASSIS_TLS_REF_CHAIN;
	}
}

static enum chassis_tls_refusal by_reason(int reason)
{
	switch (reason) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return CHASSIS_TLS_REF_NO_CERT;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return CHASSIS_TLS_REF_VERSION;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_BAD_PACKET_LENGTH:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_TOO_SMALL:
	case SSL_R_RECORD_LENGTH_MISMATCH:
	case SSL_R_LENGTH_MISMATCH:
	case SSL_R_LENGTH_TOO_SHORT:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_UNEXPECTED_RECORD:
	case SSL_R_UNKNOWN_PROTOCOL:
		return CHASSIS_TLS_REF_GARBAGE;
	default:
		return CHASSIS_TLS_REF_OTHER;
	}
}

/* Names and counts why the handshake failed. */
static int refuse(struct chassis_tls_session *s, char *why, size_t cap)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);
	long v = SSL_get_verify_result(s->ssl);
	const char *text = ERR_reason_error_string(e);
	bool alert = ERR_GET_LIB(e) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET;
	enum chassis_tls_refusal r;

	if (v != X509_V_OK) {
		r = by_verify(v);
		text = X509_verify_cert_error_string(v);
	} else {
		r = ERR_GET_LIB(e) == ERR_LIB_SSL ? by_reason(reason) : CHASSIS_TLS_REF_OTHER;
	}
	ERR_clear_error();
	if (!s->counted)
		s->tls->refusals[r]++;
	s->counted = true;
	s->broken = true;
	snprintf(why, cap, "%s%s (%s)", alert ? "the peer refused us: " : "",
	         chassis_tls_refusal_text(r), text ? text : "no reason given");
	return alert ? SRP_EPEER : SRP_EAUTH;
}

/* --- public -------------------------------------------------------------------------------- */

struct chassis_tls_session *chassis_tls_session_new(struct chassis_tls *t, bool server)
{
	struct chassis_tls_session *s = malloc(sizeof(*s)); /* its buffers need no zeroes */
	BIO *b;

	if (!s)
		return NULL;
	memset(s, 0, offsetof(struct chassis_tls_session, in));
	s->tls = t;
	s->ssl = SSL_new(t->ctx);
	b = BIO_new(t->bio);
	if (!s->ssl || !b || SSL_set1_host(s->ssl, t->peer_name) != 1) {
		BIO_free(b);
		SSL_free(s->ssl);
		free(s);
		return NULL;
	}
	/* The exact name, on both sides: a server must know its client as well. */
	SSL_set_hostflags(s->ssl, X509_CHECK_FLAG_NO_WILDCARDS);
	BIO_set_data(b, s);
	BIO_set_init(b, 1);
	SSL_set_bio(s->ssl, b, b);
	if (server)
		SSL_set_accept_state(s->ssl);
	else
		SSL_set_connect_state(s->ssl);
	return s;
}

void chassis_tls_session_free(struct chassis_tls_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	free(s);
}

uint8_t *chassis_tls_session_in(struct chassis_tls_session *s, size_t *room)
{
	if (s->in_off) {
		memmove(s->in, s->in + s->in_off, s->in_len - s->in_off);
		s->in_len -= s->in_off;
		s->in_off = 0;
	}
	*room = IN_CAP - s->in_len;
	return s->in + s->in_len;
}

/* Follows the borders of records: OpenSSL does not tell whether it waits inside of one. */
static void follow(struct chassis_tls_session *s, const uint8_t *p, size_t n)
{
	while (n) {
		size_t take = s->body_left < n ? s->body_left : n;

		if (s->nhead < sizeof(s->head)) {
			s->head[s->nhead++] = *p++;
			n--;
			if (s->nhead < sizeof(s->head))
				continue;
			s->body_left = (uint32_t)s->head[3] << 8 | s->head[4];
		} else {
			s->body_left -= (uint32_t)take;
			p += take;
			n -= take;
		}
		if (!s->body_left)
			s->nhead = 0;
	}
}

void chassis_tls_session_filled(struct chassis_tls_session *s, size_t n)
{
	follow(s, s->in + s->in_len, n);
	s->in_len += n;
}

bool chassis_tls_session_partial(const struct chassis_tls_session *s)
{
	return s->nhead > 0;
}

const uint8_t *chassis_tls_session_out(const struct chassis_tls_session *s, size_t *len)
{
	*len = s->out_len - s->out_off;
	return s->out + s->out_off;
}

void chassis_tls_session_sent(struct chassis_tls_session *s, size_t n)
{
	s->out_off += n;
	if (s->out_off == s->out_len)
		s->out_off = s->out_len = 0;
}

int chassis_tls_session_handshake(struct chassis_tls_session *s, char *why, size_t cap)
{
	int rc;

	if (s->done)
		return SRP_OK;
	if (s->broken)
		return SRP_EAUTH;
	ERR_clear_error();
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1) {
		s->done = true;
		return SRP_OK;
	}
	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return SRP_EAGAIN;
	}
	return refuse(s, why, cap);
}

int chassis_tls_session_read(struct chassis_tls_session *s, uint8_t *buf, size_t len, size_t *got,
                             char *why, size_t cap)
{
	unsigned long e;
	const char *text;
	int rc;

	if (s->broken)
		return SRP_EIO;
	ERR_clear_error();
	rc = SSL_read_ex(s->ssl, buf, len, got);
	if (rc == 1)
		return SRP_OK;
	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return SRP_EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		snprintf(why, cap, "closed by the peer");
		return SRP_EPEER;
	}
	/* With TLS 1.3 a client learns here that the server has refused its certificate. */
	e = ERR_peek_error();
	text = ERR_reason_error_string(e);
	s->broken = true;
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) >= SSL_AD_REASON_OFFSET) {
		snprintf(why, cap, "the peer refused us: %s", text ? text : "alert");
		ERR_clear_error();
		return SRP_EPEER;
	}
	snprintf(why, cap, "TLS record refused: %s", text ? text : "no reason given");
	ERR_clear_error();
	return SRP_EIO;
}

int chassis_tls_session_write(struct chassis_tls_session *s, const uint8_t *buf, size_t len)
{
	size_t put;

	if (!s->done || s->broken || len > CHASSIS_TLS_RECORD)
		return SRP_EIO;
	if (OUT_CAP - s->out_len < 2 * RECORD_ROOM && s->out_off) {
		memmove(s->out, s->out + s->out_off, s->out_len - s->out_off);
		s->out_len -= s->out_off;
		s->out_off = 0;
	}
	if (OUT_CAP - s->out_len < 2 * RECORD_ROOM) /* a new key goes before the record */
		return SRP_ENOSPC;
	ERR_clear_error();
	if (++s->records >= RECORDS_PER_KEY &&
	    SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
		s->records = 0;
	if (SSL_write_ex(s->ssl, buf, len, &put) != 1 || put != len) {
		s->broken = true;
		ERR_clear_error();
		return SRP_EIO;
	}
	return SRP_OK;
}

void chassis_tls_session_close(struct chassis_tls_session *s)
{
	if (s->done && !s->broken) {
		(void)SSL_shutdown(s->ssl);
		ERR_clear_error();
	}
}

int chassis_tls_session_export(struct chassis_tls_session *s, const char *label, uint8_t *key,
                               size_t len)
{
	if (!s->done ||
	    SSL_export_keying_material(s->ssl, key, len, label, strlen(label), NULL, 0, 0) != 1)
		return SRP_ESTATE;
	return SRP_OK;
}
