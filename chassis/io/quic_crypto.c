#include <config.h>
#include "chassis/io/quic_crypto.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define TAG 16

static bool hmac_sha256(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                        uint8_t out[32])
{
	unsigned n = 32;

	return key_len <= INT_MAX &&
	       HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &n) && n == 32;
}

static bool aes128_ecb(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;
	bool ok = c && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL) == 1 &&
	          EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
	          EVP_EncryptUpdate(c, out, &n, in, 16) == 1 && n == 16;

	EVP_CIPHER_CTX_free(c);
	return ok;
}

static bool aes128_gcm_open(const uint8_t key[16], const uint8_t iv[12], const uint8_t *aad,
                            size_t aad_len, const uint8_t *in, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *c;
	uint8_t tag[TAG];
	int n = 0, last = 0;
	bool ok;

	if (len < TAG || len > INT_MAX || aad_len > INT_MAX)
		return false;
	for (size_t i = 0; i < TAG; i++)
		tag[i] = in[len - TAG + i];
	c = EVP_CIPHER_CTX_new();
	ok = c && EVP_DecryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, iv) == 1 &&
	     EVP_DecryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1 &&
	     EVP_DecryptUpdate(c, out, &n, in, (int)(len - TAG)) == 1 &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
	     EVP_DecryptFinal_ex(c, out + n, &last) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

const struct ecs_crypto chassis_quic_crypto = {hmac_sha256, aes128_ecb, aes128_gcm_open};

void chassis_quic_crypto_warm(void)
{
	uint8_t key[16] = {0}, out[32], in[TAG] = {0};

	(void)hmac_sha256(key, sizeof(key), key, sizeof(key), out);
	(void)aes128_ecb(key, key, out);
	(void)aes128_gcm_open(key, key, key, sizeof(key), in, sizeof(in), out);
}
