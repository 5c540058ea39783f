/* The QUIC analyzer with the cryptography of OpenSSL: the client's first packet of RFC 9001 A.2, as it
 * is made there from its ClientHello, whole, changed and cut. */
#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "chassis/io/quic_crypto.h"
#include "ecs/tls_hello.h"
#include "srp/err.h"

static const uint8_t dcid[8] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};
/* RFC 9001 A.1: key, iv and header protection key of the client */
static const uint8_t rfc_key[16] = {0x1f, 0x36, 0x96, 0x13, 0xdd, 0x76, 0xd5, 0x46,
                                    0x77, 0x30, 0xef, 0xcb, 0xe3, 0xb1, 0xa2, 0x2d};
static const uint8_t rfc_iv[12] = {0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3,
                                   0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c};
static const uint8_t rfc_hp[16] = {0x9f, 0x50, 0x44, 0x9e, 0x04, 0xa0, 0xe8, 0x10,
                                   0x28, 0x3a, 0x1e, 0x99, 0x33, 0xad, 0xed, 0xd2};

/* A ClientHello with a name and nothing else. */
static size_t hello(uint8_t *b, const char *name)
{
	size_t n = strlen(name), at = 4;

	memset(b, 0, 128 + n);
	b[at] = b[at + 1] = 3;
	at += 2 + 32 + 1;
	b[at + 1] = 2; /* one cipher suite */
	b[at + 2] = 0x13;
	b[at + 3] = 1;
	at += 4;
	b[at] = 1; /* one compression method */
	at += 2;
	b[at + 1] = (uint8_t)(n + 9);
	at += 2;
	b[at + 3] = (uint8_t)(n + 5);
	b[at + 5] = (uint8_t)(n + 3);
	b[at + 8] = (uint8_t)n;
	memcpy(b + at + 9, name, n);
	at += 9 + n;
	b[0] = 1;
	b[3] = (uint8_t)(at - 4);
	return at;
}

/* Protects frames as a client does, by the keys that the RFC prints. */
static size_t protect(uint8_t *out, const uint8_t *frames, size_t n, uint8_t number)
{
	uint8_t iv[12], mask[16];
	size_t head = 0, len = n + 1 + 16;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int got;

	out[head++] = 0xc0;
	memcpy(out + head, "\0\0\0\1\x08", 5);
	head += 5;
	memcpy(out + head, dcid, 8);
	head += 8;
	out[head++] = 0; /* source connection id */
	out[head++] = 0; /* token */
	out[head++] = (uint8_t)(0x40 | len >> 8);
	out[head++] = (uint8_t)len;
	out[head++] = number;
	memcpy(iv, rfc_iv, 12);
	iv[11] ^= number;
	CU_ASSERT_FATAL(c != NULL);
	CU_ASSERT_EQUAL(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, rfc_key, iv), 1);
	CU_ASSERT_EQUAL(EVP_EncryptUpdate(c, NULL, &got, out, (int)head), 1);
	CU_ASSERT_EQUAL(EVP_EncryptUpdate(c, out + head, &got, frames, (int)n), 1);
	CU_ASSERT_EQUAL(EVP_EncryptFinal_ex(c, out + head + n, &got), 1);
	CU_ASSERT_EQUAL(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, out + head + n), 1);
	EVP_CIPHER_CTX_free(c);
	CU_ASSERT(chassis_quic_crypto.aes128_ecb(rfc_hp, out + head - 1 + 4, mask));
	out[0] ^= mask[0] & 0x0f;
	out[head - 1] ^= mask[1];
	return head + n + 16;
}

/* A CRYPTO frame, then padding up to @p size. */
static size_t crypto_frame(uint8_t *out, size_t at, const uint8_t *data, size_t n, size_t size)
{
	memset(out, 0, size);
	out[0] = 6;
	out[1] = (uint8_t)(0x40 | at >> 8);
	out[2] = (uint8_t)at;
	out[3] = (uint8_t)(0x40 | n >> 8);
	out[4] = (uint8_t)n;
	memcpy(out + 5, data, n);
	return size;
}

static int feed(struct ecs_quic *q, const uint8_t *b, size_t n, char *name)
{
	return ecs_quic_datagram(q, &chassis_quic_crypto, b, n, name);
}

static void test_one_packet(void)
{
	uint8_t msg[256], frames[1162], pkt[1300];
	char name[ECS_TLS_NAME_MAX + 1] = "";
	struct ecs_quic q = {0};
	size_t n = hello(msg, "www.example.test"), len;

	len = protect(pkt, frames, crypto_frame(frames, 0, msg, n, sizeof(frames)), 2);
	CU_ASSERT_TRUE(ecs_quic_is_initial(pkt, len));
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "www.example.test");
	CU_ASSERT_EQUAL(memcmp(q.key, rfc_key, 16), 0); /* derived as the RFC has it */
	CU_ASSERT_EQUAL(memcmp(q.iv, rfc_iv, 12), 0);
	CU_ASSERT_EQUAL(memcmp(q.hp, rfc_hp, 16), 0);
	ecs_quic_fini(&q);
}

/* The hello in two datagrams, the second part first. */
static void test_two_packets(void)
{
	uint8_t msg[256], frames[1162], pkt[1300];
	char name[ECS_TLS_NAME_MAX + 1] = "";
	struct ecs_quic q = {0};
	size_t n = hello(msg, "split.example.test"), len;

	len = protect(pkt, frames, crypto_frame(frames, 30, msg + 30, n - 30, sizeof(frames)), 0);
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), SRP_EAGAIN);
	len = protect(pkt, frames, crypto_frame(frames, 0, msg, 29, sizeof(frames)), 1);
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), SRP_EAGAIN); /* one byte is missing */
	len = protect(pkt, frames, crypto_frame(frames, 20, msg + 20, 20, sizeof(frames)), 2);
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "split.example.test");
	ecs_quic_fini(&q);
}

/* Whatever is changed or cut, nothing is read of it. */
static void test_broken(void)
{
	uint8_t msg[256], frames[300], pkt[400], *copy;
	char name[ECS_TLS_NAME_MAX + 1] = "";
	size_t n = hello(msg, "www.example.test"), len;

	len = protect(pkt, frames, crypto_frame(frames, 0, msg, n, sizeof(frames)), 0);
	for (size_t i = 0; i < len; i++) {
		struct ecs_quic q = {0};

		pkt[i] ^= 0x11;
		CU_ASSERT_NOT_EQUAL(feed(&q, pkt, len, name), 0);
		pkt[i] ^= 0x11;
		ecs_quic_fini(&q);
		copy = malloc(i + 1);
		CU_ASSERT_FATAL(copy != NULL);
		memcpy(copy, pkt, i);
		CU_ASSERT_NOT_EQUAL(feed(&q, copy, i, name), 0);
		ecs_quic_fini(&q);
		free(copy);
	}
	CU_ASSERT_STRING_EQUAL(name, "");
}

/* Too many packets that cannot be opened; a stream beyond the limit; a frame that cannot be there. */
static void test_limits(void)
{
	uint8_t msg[256], frames[1162], pkt[1300];
	char name[ECS_TLS_NAME_MAX + 1] = "";
	struct ecs_quic q = {0};
	size_t n = hello(msg, "www.example.test"), len;

	len = protect(pkt, frames, crypto_frame(frames, 0, msg, n, sizeof(frames)), 0);
	pkt[len - 1] ^= 1;
	for (unsigned i = 1; i < ECS_QUIC_FAILS_MAX; i++)
		CU_ASSERT_EQUAL(feed(&q, pkt, len, name), SRP_EAGAIN);
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), SRP_EFORMAT);
	ecs_quic_fini(&q);
	len = protect(pkt, frames, crypto_frame(frames, ECS_QUIC_HELLO_MAX - n, msg, n, 600), 0);
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), SRP_EAGAIN);
	len = protect(pkt, frames, crypto_frame(frames, ECS_QUIC_HELLO_MAX - n + 1, msg, n, 600), 1);
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), SRP_EFORMAT);
	ecs_quic_fini(&q);
	memset(frames, 0, sizeof(frames));
	frames[0] = 8; /* STREAM */
	len = protect(pkt, frames, 600, 0);
	CU_ASSERT_EQUAL(feed(&q, pkt, len, name), SRP_EFORMAT);
	ecs_quic_fini(&q);
	memset(msg, 1, sizeof(msg)); /* islands: one more than are kept */
	for (unsigned i = 0; i <= ECS_QUIC_PIECES_MAX; i++) {
		len = protect(pkt, frames, crypto_frame(frames, 10 + 20 * i, msg, 10, 600),
		              (uint8_t)i);
		CU_ASSERT_EQUAL(feed(&q, pkt, len, name),
		                i < ECS_QUIC_PIECES_MAX ? SRP_EAGAIN : SRP_EFORMAT);
	}
	ecs_quic_fini(&q);
}

CU_TestInfo chassis_quic_tests[] = {
	{"name of one packet, keys of RFC 9001", test_one_packet},
	{"name over packets in any order", test_two_packets},
	{"changed and cut packets", test_broken},
	{"limits", test_limits},
	CU_TEST_INFO_NULL,
};
