/* fuzz_running: what a task reads of a configuration that is to run. The bytes are the memory itself; or
 * (first byte odd) text and string sets under a head that is right, as one who has taken over sct could
 * write it: two bytes of length, the text, the sets (second bit
 * set: the databases instead). What is taken has the digest that was said. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/config.h"
#include "chassis/task/running.h"
#include "srp/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_AT 4096u
#define MAGIC   0x32676e696e6e7572ull

struct head {
	uint64_t magic, version, digest, wall_ms, text_len, text_hash, sets_len, sets_hash, dbs_len, dbs_hash;
	uint32_t key[16];
	uint64_t hash;
};

static void read_it(const uint8_t *p, size_t n)
{
	struct chassis_running_file f = {{0}, NULL};
	char why[200] = "";
	int rc = chassis_running_parse(p, n, &f, why, sizeof(why));

	if ((rc == 0) != (f.config != NULL) || (rc < 0 && !why[0]))
		abort();
	if (rc == 0 && (!f.is.version || chassis_config_digest(f.config) != f.is.digest))
		abort();
	chassis_config_free(f.config);
}

/* The digest of what the text says, where it says something. */
static uint64_t digest(const char *text, size_t n)
{
	struct chassis_license keys = {{false}, {0}};
	char why[200];
	struct chassis_config *c = chassis_config_parse_running(
		text, n, &keys, (struct ecs_sets){NULL, 0}, why, sizeof(why));
	uint64_t d = c ? chassis_config_digest(c) : 0;

	chassis_config_free(c);
	return d;
}

static void under_a_head(const uint8_t *data, size_t size, bool dbs)
{
	size_t ntext = (size_t)data[0] << 8 | data[1], at, n, rest;
	struct head h = {.magic = MAGIC, .version = 2};
	uint8_t *p;

	data += 2;
	size -= 2;
	if (ntext > size)
		ntext = size;
	at = TEXT_AT + (ntext + 63) / 64 * 64;
	rest = size - ntext;
	n = at + (dbs ? rest : (rest + 63) / 64 * 64);
	p = calloc(1, n);
	if (!p)
		return;
	memcpy(p + TEXT_AT, data, ntext);
	memcpy(p + at, data + ntext, size - ntext);
	h.text_len = ntext;
	h.sets_len = dbs ? 0 : rest;
	h.dbs_len = dbs ? rest : 0;
	h.text_hash = srp_hash64(MAGIC, p + TEXT_AT, ntext);
	h.sets_hash = srp_hash64(MAGIC, p + at, h.sets_len);
	h.dbs_hash = srp_hash64(MAGIC, p + at, h.dbs_len);
	h.digest = digest((const char *)data, ntext);
	h.hash = srp_hash64(MAGIC, &h, sizeof(h));
	memcpy(p, &h, sizeof(h));
	read_it(p, n);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 3 && data[0] & 1)
		under_a_head(data + 1, size - 1, data[0] & 2);
	else
		read_it(data, size);
	return 0;
}
