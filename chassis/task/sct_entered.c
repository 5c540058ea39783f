/* sct_entered: what operators entered, in memory that the supervisor holds open: a dead sct's successor
 * goes on with it. A head and the text behind it, as `show configuration` prints it. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/hash.h"

#define MAGIC     0x0065746e65726564ull
#define TEXT_AT   4096
#define TEXT_MAX  (CHASSIS_ENTERED_BYTES - TEXT_AT)
#define TRIES_MAX 2 /* who dies of it twice is not to try again */

_Static_assert(CHASSIS_LICENSE__N <= 16, "room for the keys");

struct head {
	uint64_t magic, len, digest;  /* of the text */
	uint64_t generation, saved;
	uint32_t tries;               /* begun, not finished */
	uint32_t key[16];             /* of each feature: 0 none, 1 without end, else its last day */
};

static bool put(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at) == (ssize_t)n;
}

void sct_entered_keep(struct sct *s)
{
	sct_entered_write(s, s->configured, s->generation);
}

void sct_entered_write(struct sct *s, const struct chassis_config *c, uint64_t generation)
{
	const struct chassis_license *l = &c->license;
	struct head h = {.magic = MAGIC, .generation = generation, .saved = s->saved};
	int fd = s->ctx->shared->entered_fd;
	uint64_t none = 0;
	size_t len = 0;
	char *text;

	if (fd < 0)
		return;
	for (size_t f = 0; f < CHASSIS_LICENSE__N; f++)
		h.key[f] = !l->key[f] ? 0 : l->expires[f] ? l->expires[f] : 1;
	text = sct_config_text(c, &len);
	h.len = len;
	/* the head is gone while the text is not whole */
	if (text && len <= TEXT_MAX && put(fd, &none, sizeof(none), 0) &&
	    put(fd, text, len, TEXT_AT)) {
		h.digest = srp_hash64(MAGIC, text, len);
		(void)put(fd, &h, sizeof(h), 0);
	} else {
		chassis_log(LOG_WARNING, "what was entered would be lost with this task");
	}
	free(text);
}

static int keys(void *arg, const char *path, struct chassis_license *out, char *why, size_t cap)
{
	const struct head *h = arg;

	(void)path;
	(void)why;
	(void)cap;
	for (size_t f = 0; f < CHASSIS_LICENSE__N; f++) {
		out->key[f] = h->key[f] != 0;
		out->expires[f] = h->key[f] > 1 ? h->key[f] : 0;
	}
	return 0;
}

static struct chassis_config *parse(int fd, struct head *h)
{
	struct chassis_config *c = NULL;
	char *text = malloc(h->len);

	if (text && pread(fd, text, h->len, TEXT_AT) == (ssize_t)h->len &&
	    srp_hash64(MAGIC, text, h->len) == h->digest)
		c = chassis_config_parse_with(text, h->len, "entered", keys, h, NULL, NULL);
	free(text);
	return c;
}

void sct_entered_take(struct sct *s)
{
	int fd = s->ctx->shared->entered_fd;
	struct chassis_config *c = NULL;
	struct head h;

	if (fd < 0 || pread(fd, &h, sizeof(h), 0) != sizeof(h) || h.magic != MAGIC || !h.len ||
	    h.len > TEXT_MAX)
		return;
	if (h.tries++ < TRIES_MAX && put(fd, &h, sizeof(h), 0))
		c = parse(fd, &h);
	if (!c) {
		chassis_log(LOG_ERR, "what operators entered could not be taken over: it is lost");
		return;
	}
	h.tries = 0;
	(void)put(fd, &h, sizeof(h), 0);
	if (c->service)
		ecs_service_db_share(c->service, s->ctx->shared->config->service);
	s->configured = s->entered = c;
	s->generation = h.generation;
	s->saved = h.saved;
	chassis_log(LOG_NOTICE, "what operators entered is taken over");
}
