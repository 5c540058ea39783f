#include "config.h"
#include "suites.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chassis/io/conn.h"
#include "chassis/io/tls.h"
#include "chassis/io/tls_session.h"
#include "srp/err.h"

#define DAY 86400L

/* A certificate with its key, as PEM files in a directory of its own. */
struct ident {
	EVP_PKEY *key;
	X509 *cert;
	char cert_file[128], key_file[128];
};

static char dir[64];
static struct ident ca, other_ca, a, b, wrong_name, foreign, expired, early;

static struct ident ident_new(const char *file, const char *name, const struct ident *issuer,
                              long from, long to)
{
	static long serial;
	struct ident id = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
	X509_NAME *n = X509_get_subject_name(id.cert);
	char san[128];
	X509_EXTENSION *ext;
	FILE *f;

	X509_set_version(id.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), from);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), to);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(id.cert, issuer ? X509_get_subject_name(issuer->cert) : n);
	X509_set_pubkey(id.cert, id.key);
	snprintf(san, sizeof(san), "DNS:%s", name);
	ext = issuer ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san)
	             : X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	X509_add_ext(id.cert, ext, -1);
	X509_EXTENSION_free(ext);
	X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256());
	snprintf(id.cert_file, sizeof(id.cert_file), "%s/%s.pem", dir, file);
	snprintf(id.key_file, sizeof(id.key_file), "%s/%s.key", dir, file);
	f = fopen(id.cert_file, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	PEM_write_X509(f, id.cert);
	fclose(f);
	f = fopen(id.key_file, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	PEM_write_PrivateKey(f, id.key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	return id;
}

static void ident_free(struct ident *id)
{
	unlink(id->cert_file);
	unlink(id->key_file);
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
}

static void begin(void)
{
	snprintf(dir, sizeof(dir), "tls-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	ca = ident_new("ca", "test CA", NULL, -DAY, DAY);
	other_ca = ident_new("other", "other CA", NULL, -DAY, DAY);
	a = ident_new("a", "a.example", &ca, -DAY, 10 * DAY);
	b = ident_new("b", "b.example", &ca, -DAY, 10 * DAY);
	wrong_name = ident_new("wrong", "c.example", &ca, -DAY, DAY);
	foreign = ident_new("foreign", "b.example", &other_ca, -DAY, DAY);
	expired = ident_new("expired", "b.example", &ca, -DAY, -1);
	early = ident_new("early", "b.example", &ca, DAY, 2 * DAY);
}

static void end(void)
{
	struct ident *all[] = {&ca, &other_ca, &a, &b, &wrong_name, &foreign, &expired, &early};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		ident_free(all[i]);
	rmdir(dir);
}

static struct chassis_tls *load(const struct ident *id, const struct ident *root, const char *peer)
{
	char why[256] = "";
	struct chassis_tls *t = chassis_tls_new(id->cert_file, id->key_file, root->cert_file, peer,
						why, sizeof(why));

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

/* Moves what one session has for the wire to the other; how much. */
static size_t carry(struct chassis_tls_session *from, struct chassis_tls_session *to)
{
	size_t len, room;
	const uint8_t *p = chassis_tls_session_out(from, &len);
	uint8_t *q = chassis_tls_session_in(to, &room);

	if (len > room)
		len = room;
	memcpy(q, p, len);
	chassis_tls_session_filled(to, len);
	chassis_tls_session_sent(from, len);
	return len;
}

/* One end of a handshake: what it came to, also after it was done (a refusal that comes later). */
struct side {
	struct chassis_tls_session *s;
	int rc;
	char why[256];
};

static void step(struct side *e)
{
	uint8_t byte;
	size_t got;

	if (e->rc == SRP_EAGAIN)
		e->rc = chassis_tls_session_handshake(e->s, e->why, sizeof(e->why));
	if (e->rc == SRP_OK) {
		int rc = chassis_tls_session_read(e->s, &byte, 1, &got, e->why, sizeof(e->why));

		if (rc < 0 && rc != SRP_EAGAIN)
			e->rc = rc;
	}
}

static void shake(struct side *client, struct side *server)
{
	client->rc = server->rc = SRP_EAGAIN;
	do {
		step(client);
		step(server);
	} while (carry(client->s, server->s) + carry(server->s, client->s));
	step(client);
	step(server);
}

static void good_pair(void)
{
	static uint8_t data[CHASSIS_TLS_RECORD + 1], back[CHASSIS_TLS_RECORD];
	uint8_t k1[32] = {0}, k2[32] = {1};
	struct chassis_tls *ta, *tb;
	struct side c = {0}, s = {0};
	size_t got, len;

	begin();
	ta = load(&a, &ca, "b.example");
	tb = load(&b, &ca, "a.example");
	c.s = chassis_tls_session_new(ta, false);
	s.s = chassis_tls_session_new(tb, true);
	CU_ASSERT_EQUAL(chassis_tls_session_export(c.s, "beat", k1, 32), SRP_ESTATE);
	CU_ASSERT_EQUAL(chassis_tls_session_write(c.s, data, 1), SRP_EIO);
	shake(&c, &s);
	CU_ASSERT_EQUAL(c.rc, SRP_OK);
	CU_ASSERT_EQUAL(s.rc, SRP_OK);
	CU_ASSERT_EQUAL(chassis_tls_session_export(c.s, "beat", k1, 32), 0);
	CU_ASSERT_EQUAL(chassis_tls_session_export(s.s, "beat", k2, 32), 0);
	CU_ASSERT_EQUAL(memcmp(k1, k2, 32), 0);
	CU_ASSERT_EQUAL(chassis_tls_session_export(s.s, "other", k2, 32), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(k1, k2, 32), 0);
	/* a whole record, and one byte more */
	memset(data, 3, sizeof(data));
	CU_ASSERT_EQUAL(chassis_tls_session_write(c.s, data, sizeof(data)), SRP_EIO);
	CU_ASSERT_EQUAL(chassis_tls_session_write(c.s, data, CHASSIS_TLS_RECORD), 0);
	CU_ASSERT(!chassis_tls_session_partial(s.s));
	carry(c.s, s.s);
	CU_ASSERT_EQUAL(
		chassis_tls_session_read(s.s, back, sizeof(back), &got, s.why, sizeof(s.why)), 0);
	CU_ASSERT_EQUAL(got, CHASSIS_TLS_RECORD);
	CU_ASSERT_EQUAL(memcmp(data, back, got), 0);
	/* the output is bounded: what is not sent refuses more */
	for (int i = 0; i < 100; i++)
		if (chassis_tls_session_write(c.s, data, CHASSIS_TLS_RECORD) == SRP_ENOSPC)
			break;
	CU_ASSERT_EQUAL(chassis_tls_session_write(c.s, data, 1), SRP_ENOSPC);
	chassis_tls_session_out(c.s, &len);
	CU_ASSERT(len > 64 * 1024 && len <= 128 * 1024);
	while (carry(c.s, s.s))
		while (chassis_tls_session_read(s.s, back, sizeof(back), &got, s.why,
						sizeof(s.why)) == 0)
			CU_ASSERT_EQUAL(got, CHASSIS_TLS_RECORD);
	chassis_tls_session_close(c.s);
	carry(c.s, s.s);
	CU_ASSERT_EQUAL(chassis_tls_session_read(s.s, back, 1, &got, s.why, sizeof(s.why)),
			SRP_EPEER);
	CU_ASSERT_STRING_EQUAL(s.why, "closed by the peer");
	chassis_tls_session_free(c.s);
	chassis_tls_session_free(s.s);
	chassis_tls_free(ta);
	chassis_tls_free(tb);
	end();
}

/* The client shows @p id; the server, which expects b.example, must refuse it for @p why. */
static void refused(const struct ident *id, enum chassis_tls_refusal why)
{
	struct chassis_tls *tc = load(id, &ca, "a.example"), *ts = load(&a, &ca, "b.example");
	unsigned long long count[CHASSIS_TLS_REF__N] = {0};
	struct side c = {0}, s = {0};

	chassis_tls_counters(ts, count);
	c.s = chassis_tls_session_new(tc, false);
	s.s = chassis_tls_session_new(ts, true);
	shake(&c, &s);
	CU_ASSERT_EQUAL(s.rc, SRP_EAUTH);
	CU_ASSERT_PTR_NOT_NULL(strstr(s.why, chassis_tls_refusal_text(why)));
	CU_ASSERT_EQUAL(c.rc, SRP_EPEER);
	for (int i = 0; i < CHASSIS_TLS_REF__N; i++)
		CU_ASSERT_EQUAL(count[i], i == (int)why);
	CU_ASSERT_EQUAL(chassis_tls_session_handshake(s.s, s.why, sizeof(s.why)), SRP_EAUTH);
	CU_ASSERT_EQUAL(count[why], 1);
	chassis_tls_session_free(c.s);
	chassis_tls_session_free(s.s);
	/* and the other way round: the client refuses a server */
	memset(count, 0, sizeof(count));
	c = s = (struct side){0};
	s.s = chassis_tls_session_new(tc, true);
	c.s = chassis_tls_session_new(ts, false);
	shake(&c, &s);
	CU_ASSERT_EQUAL(c.rc, SRP_EAUTH);
	CU_ASSERT_EQUAL(count[why], 1);
	CU_ASSERT_EQUAL(s.rc, SRP_EPEER);
	chassis_tls_session_free(c.s);
	chassis_tls_session_free(s.s);
	chassis_tls_free(tc);
	chassis_tls_free(ts);
}

static void refusals(void)
{
	begin();
	refused(&foreign, CHASSIS_TLS_REF_CHAIN);
	refused(&wrong_name, CHASSIS_TLS_REF_NAME);
	refused(&expired, CHASSIS_TLS_REF_EXPIRED);
	refused(&early, CHASSIS_TLS_REF_EXPIRED);
	end();
}

/* A client of bare OpenSSL: without a certificate, or of an older version. */
static void bare_client(int version, enum chassis_tls_refusal why)
{
	struct chassis_tls *ts = load(&a, &ca, "b.example");
	unsigned long long count[CHASSIS_TLS_REF__N] = {0};
	struct side s = {.rc = SRP_EAGAIN};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	size_t room, len;
	bool moved;

	chassis_tls_counters(ts, count);
	SSL_CTX_set_max_proto_version(ctx, version);
	ssl = SSL_new(ctx);
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	s.s = chassis_tls_session_new(ts, true);
	do {
		uint8_t *q;
		const uint8_t *p;
		int n;

		SSL_do_handshake(ssl);
		q = chassis_tls_session_in(s.s, &room);
		n = BIO_read(out, q, (int)room);
		chassis_tls_session_filled(s.s, n > 0 ? (size_t)n : 0);
		step(&s);
		p = chassis_tls_session_out(s.s, &len);
		BIO_write(in, p, (int)len);
		chassis_tls_session_sent(s.s, len);
		moved = n > 0 || len;
	} while (moved && s.rc == SRP_EAGAIN);
	CU_ASSERT_EQUAL(s.rc, SRP_EAUTH);
	CU_ASSERT_EQUAL(count[why], 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(s.why, chassis_tls_refusal_text(why)));
	ERR_clear_error();
	chassis_tls_session_free(s.s);
	chassis_tls_free(ts);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void bare_clients(void)
{
	begin();
	bare_client(TLS1_3_VERSION, CHASSIS_TLS_REF_NO_CERT);
	bare_client(TLS1_2_VERSION, CHASSIS_TLS_REF_VERSION);
	end();
}

static void garbage(void)
{
	static const char *const bytes[] = {
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"\x43\x31\x01\x01\x00\x00\x00\x00\x00\x00\x00\x02 plain frame of ours",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
	};
	static const size_t n[] = {36, 32, 16, 30};

	begin();
	for (size_t i = 0; i < 4; i++) {
		struct chassis_tls *ts = load(&a, &ca, "b.example");
		unsigned long long count[CHASSIS_TLS_REF__N] = {0};
		struct side s = {.rc = SRP_EAGAIN};
		size_t room;

		chassis_tls_counters(ts, count);
		s.s = chassis_tls_session_new(ts, true);
		memcpy(chassis_tls_session_in(s.s, &room), bytes[i], n[i]);
		chassis_tls_session_filled(s.s, n[i]);
		step(&s);
		CU_ASSERT_EQUAL(s.rc, SRP_EAUTH);
		CU_ASSERT_EQUAL(count[CHASSIS_TLS_REF_GARBAGE], 1);
		chassis_tls_session_free(s.s);
		chassis_tls_free(ts);
	}
	end();
}

/* A handshake that stops at any byte is neither done nor an error: the deadline ends it. */
static void half_handshake(void)
{
	struct chassis_tls *ta, *tb;
	struct side c = {0}, s = {0};
	uint8_t hello[4096];
	const uint8_t *p;
	size_t len, room;

	begin();
	ta = load(&a, &ca, "b.example");
	tb = load(&b, &ca, "a.example");
	c.s = chassis_tls_session_new(ta, false);
	c.rc = SRP_EAGAIN;
	step(&c);
	p = chassis_tls_session_out(c.s, &len);
	CU_ASSERT_FATAL(len > 50 && len < sizeof(hello));
	memcpy(hello, p, len);
	for (size_t cut = 0; cut < len; cut++) {
		s = (struct side){.s = chassis_tls_session_new(tb, true), .rc = SRP_EAGAIN};
		memcpy(chassis_tls_session_in(s.s, &room), hello, cut);
		chassis_tls_session_filled(s.s, cut);
		step(&s);
		CU_ASSERT_EQUAL(s.rc, SRP_EAGAIN);
		CU_ASSERT_EQUAL(chassis_tls_session_partial(s.s), cut > 0);
		chassis_tls_session_free(s.s);
	}
	chassis_tls_session_free(c.s);
	chassis_tls_free(ta);
	chassis_tls_free(tb);
	end();
}

/* A record whose bytes were changed on the way ends the session. */
static void tampered(void)
{
	struct chassis_tls *ta, *tb;
	struct side c = {0}, s = {0};
	uint8_t buf[64];
	size_t got, room;

	begin();
	ta = load(&a, &ca, "b.example");
	tb = load(&b, &ca, "a.example");
	c.s = chassis_tls_session_new(ta, false);
	s.s = chassis_tls_session_new(tb, true);
	shake(&c, &s);
	CU_ASSERT_EQUAL(chassis_tls_session_write(c.s, (const uint8_t *)"hello", 5), 0);
	carry(c.s, s.s);
	chassis_tls_session_in(s.s, &room)[-1] ^= 1;
	CU_ASSERT_EQUAL(chassis_tls_session_read(s.s, buf, sizeof(buf), &got, s.why, sizeof(s.why)),
	                SRP_EIO);
	CU_ASSERT_EQUAL(chassis_tls_session_read(s.s, buf, sizeof(buf), &got, s.why, sizeof(s.why)),
	                SRP_EIO);
	CU_ASSERT_EQUAL(chassis_tls_session_write(s.s, buf, 1), SRP_EIO);
	chassis_tls_session_free(c.s);
	chassis_tls_session_free(s.s);
	chassis_tls_free(ta);
	chassis_tls_free(tb);
	end();
}

static void bad_files(void)
{
	char why[256], missing[128];
	bool is_early;
	struct chassis_tls *t;

	begin();
	snprintf(missing, sizeof(missing), "%s/none.pem", dir);
	CU_ASSERT_PTR_NULL(
		chassis_tls_new(missing, a.key_file, ca.cert_file, "x", why, sizeof(why)));
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "No such file"));
	CU_ASSERT_PTR_NULL(
		chassis_tls_new(a.cert_file, missing, ca.cert_file, "x", why, sizeof(why)));
	CU_ASSERT_PTR_NULL(
		chassis_tls_new(a.cert_file, a.key_file, missing, "x", why, sizeof(why)));
	CU_ASSERT_PTR_NULL(
		chassis_tls_new(a.cert_file, a.cert_file, ca.cert_file, "x", why, sizeof(why)));
	CU_ASSERT_PTR_NULL(
		chassis_tls_new(a.cert_file, a.key_file, ca.cert_file, "", why, sizeof(why)));
	CU_ASSERT_PTR_NULL(
		chassis_tls_new(a.cert_file, b.key_file, ca.cert_file, "x", why, sizeof(why)));
	t = load(&a, &ca, "x");
	CU_ASSERT(chassis_tls_expires(t, &is_early) > 9 * DAY && !is_early);
	CU_ASSERT(chassis_tls_expires(t, &is_early) <= 10 * DAY);
	chassis_tls_free(t);
	t = load(&expired, &ca, "x");
	CU_ASSERT(chassis_tls_expires(t, &is_early) < 0 && !is_early);
	chassis_tls_free(t);
	t = load(&early, &ca, "x");
	CU_ASSERT(chassis_tls_expires(t, &is_early) > 0 && is_early);
	chassis_tls_free(t);
	end();
}

/* --- through conn, over sockets ------------------------------------------------------------ */

static const struct srp_frame_row rows[256] = {
	[2] = {.name = "data", .min = 0, .max = 16000, .states = ~0u},
};
static const struct srp_frame_table table = {.magic = 0x4331, .version = 1, .row = rows};

struct peer {
	struct chassis_conn *c;
	unsigned ups, downs, frames;
	int err;
	char why[256];
	size_t to_pull;
};

static void on_up(void *owner, struct chassis_conn *c)
{
	(void)c;
	((struct peer *)owner)->ups++;
}

static int on_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct peer *p = owner;

	CU_ASSERT_EQUAL(fd, -1);
	CU_ASSERT(h->len == 0 || body[h->len - 1] == 5);
	p->frames++;
	return 0;
}

static size_t on_tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	struct peer *p = owner;
	size_t n = 0;

	while (p->to_pull && cap - n >= SRP_FRAME_HDR_LEN + 300) {
		srp_frame_put(&table, buf + n, 2, 0, 300);
		memset(buf + n + SRP_FRAME_HDR_LEN, 5, 300);
		n += SRP_FRAME_HDR_LEN + 300;
		p->to_pull--;
	}
	*more = p->to_pull > 0;
	return n;
}

static void on_down(void *owner, int err, const char *why)
{
	struct peer *p = owner;

	p->downs++;
	p->err = err;
	p->c = NULL;
	snprintf(p->why, sizeof(p->why), "%s", why);
}

static const struct chassis_conn_ops ops = {.up = on_up, .rx = on_rx, .tx = on_tx, .down = on_down};

static void over_sockets(void)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct chassis_tls *ta, *tb;
	struct peer p = {0}, q = {0};
	uint8_t k1[16], k2[16] = {0};
	int fd[2];

	begin();
	ta = load(&a, &ca, "b.example");
	tb = load(&b, &ca, "a.example");
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	p.to_pull = 20000;
	p.c = chassis_conn_new(loop, fd[0], ta, false, &table, &ops, &p);
	q.c = chassis_conn_new(loop, fd[1], tb, true, &table, &ops, &q);
	CU_ASSERT_EQUAL(chassis_conn_send(q.c, 2, NULL, 0, -1), 0);
	CU_ASSERT_EQUAL(chassis_conn_send(q.c, 2, NULL, 0, fd[0]), SRP_ERANGE);
	while (!p.downs && !q.downs && (q.frames < 20000 || !p.frames))
		ev_run(loop, EVRUN_ONCE);
	CU_ASSERT_STRING_EQUAL(p.why, "");
	CU_ASSERT_STRING_EQUAL(q.why, "");
	CU_ASSERT_EQUAL(q.frames, 20000);
	CU_ASSERT_EQUAL(p.frames, 1);
	CU_ASSERT_EQUAL_FATAL(p.downs + q.downs, 0);
	CU_ASSERT_EQUAL(p.ups + q.ups, 2);
	CU_ASSERT_EQUAL(chassis_conn_export(p.c, "beat", k1, 16), 0);
	CU_ASSERT_EQUAL(chassis_conn_export(q.c, "beat", k2, 16), 0);
	CU_ASSERT_EQUAL(memcmp(k1, k2, 16), 0);
	/* Closed on purpose is another thing than an end of file. */
	chassis_conn_close(p.c);
	while (!q.downs)
		ev_run(loop, EVRUN_ONCE);
	CU_ASSERT_EQUAL(q.err, SRP_EPEER);
	/* A peer that vanishes in the handshake. */
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	q = (struct peer){0};
	q.c = chassis_conn_new(loop, fd[1], tb, true, &table, &ops, &q);
	CU_ASSERT_EQUAL(write(fd[0], "\x16\x03\x01", 3), 3);
	close(fd[0]);
	while (!q.downs)
		ev_run(loop, EVRUN_ONCE);
	CU_ASSERT_EQUAL(q.err, SRP_ECLOSED);
	CU_ASSERT_EQUAL(q.ups, 0);
	chassis_tls_free(ta);
	chassis_tls_free(tb);
	ev_loop_destroy(loop);
	end();
}

/* Not readable as a frame inside good TLS: closed, with what it was. */
static void bad_frame_inside(void)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct chassis_tls *ta, *tb;
	static struct srp_frame_row loose[256];
	struct srp_frame_table sender = {.magic = 0x4331, .version = 1, .row = loose};
	struct peer p = {0}, q = {0};
	int fd[2];

	begin();
	loose[9] = (struct srp_frame_row){.name = "foreign", .max = 10, .states = ~0u};
	ta = load(&a, &ca, "b.example");
	tb = load(&b, &ca, "a.example");
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	p.c = chassis_conn_new(loop, fd[0], ta, false, &sender, &ops, &p);
	q.c = chassis_conn_new(loop, fd[1], tb, true, &table, &ops, &q);
	CU_ASSERT_EQUAL(chassis_conn_send(p.c, 9, NULL, 0, -1), 0);
	while (!q.downs)
		ev_run(loop, EVRUN_ONCE);
	CU_ASSERT_EQUAL(q.err, SRP_ETYPE);
	CU_ASSERT_PTR_NOT_NULL(strstr(q.why, "0x09"));
	while (!p.downs)
		ev_run(loop, EVRUN_ONCE);
	CU_ASSERT_EQUAL(p.err, SRP_EPEER);
	chassis_tls_free(ta);
	chassis_tls_free(tb);
	ev_loop_destroy(loop);
	end();
}

CU_TestInfo chassis_tls_tests[] = {
	{"good pair", good_pair},
	{"refused certificates", refusals},
	{"no certificate, old version", bare_clients},
	{"garbage", garbage},
	{"half a handshake", half_handshake},
	{"tampered record", tampered},
	{"bad files", bad_files},
	{"frames over sockets", over_sockets},
	{"bad frame inside", bad_frame_inside},
	CU_TEST_INFO_NULL,
};
