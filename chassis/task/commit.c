/* commit: a task's part in a change of the configuration that runs. What is to run is read and built
 * beside the loop, which goes on by what runs; the supervisor, when all have built it, says from when
 * on it counts. */
#include "config.h"
#include "chassis/task/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/task/background.h"
#include "srp/err.h"

#define WHY 200

struct chassis_commit {
	struct chassis_task_ctx *ctx;
	struct chassis_background work;
	uint64_t attempt;             /* of the supervisor; 0: none is being prepared */
	struct chassis_running is;
	struct chassis_config *next;  /* built; NULL: not yet, or not at all */
	const struct chassis_config *first; /* parts of the task point into it: it stays */
	int fd, waits;                /* being read; to be read after it; -1: none */
	struct chassis_running_file built;
	int status;
	char why[WHY];
};

struct srp_mp_w chassis_running_put(uint64_t attempt, const struct chassis_running *r, uint8_t *buf,
                                    size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, attempt);
	srp_mp_w_uint(&w, r->version);
	srp_mp_w_uint(&w, r->digest);
	srp_mp_w_uint(&w, r->wall_ms);
	return w;
}

int chassis_running_get(const uint8_t *body, size_t len, uint64_t *attempt,
                        struct chassis_running *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t n = srp_mp_array(&r, 4);
	uint64_t number = srp_mp_uint(&r, UINT64_MAX);
	struct chassis_running v;

	v.version = srp_mp_uint(&r, UINT64_MAX);
	v.digest = srp_mp_uint(&r, UINT64_MAX);
	v.wall_ms = srp_mp_uint(&r, UINT64_MAX);
	if (srp_mp_finish(&r) < 0 || n != 4 || !v.version)
		return SRP_EFORMAT;
	*attempt = number;
	*out = v;
	return SRP_OK;
}

static void answer(struct chassis_commit *c, int status, const char *why)
{
	uint8_t buf[WHY + 64];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, c->attempt);
	srp_mp_w_int(&w, status);
	srp_mp_w_strn(&w, why, strnlen(why, WHY));
	(void)chassis_task_send(c->ctx, CHASSIS_TASK_SUPERVISOR, 0, CHASSIS_IPC_PREPARED, &w, -1);
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- beside the loop ------------------------------------------------------------------------ */

static void build(void *arg)
{
	struct chassis_commit *c = arg;

	c->status = chassis_running_read(c->fd, &c->built, c->why, sizeof(c->why));
}

static void built(void *arg);

static void begin(struct chassis_commit *c)
{
	int rc;

	c->fd = c->waits;
	c->waits = -1;
	c->built.config = NULL;
	c->why[0] = '\0';
	rc = chassis_background_start(&c->work, c->ctx->loop, build, built, c);
	if (rc == SRP_OK)
		return;
	shut(&c->fd);
	answer(c, rc, "it has no means to read it");
}

static void built(void *arg)
{
	struct chassis_commit *c = arg;
	struct chassis_task_ctx *ctx = c->ctx;
	int rc = c->status;

	shut(&c->fd);
	if (!c->attempt || c->waits >= 0 ||
	    (rc == SRP_OK && c->built.is.version != c->is.version)) {
		/* it was called off meanwhile */
		if (rc == SRP_OK)
			chassis_config_free(c->built.config);
		if (c->waits >= 0)
			begin(c);
		else if (c->attempt)
			answer(c, SRP_EMISMATCH, "it was given another version");
		return;
	}
	if (rc == SRP_OK && ctx->row->prepare) {
		rc = ctx->row->prepare(ctx, c->built.config);
		if (rc < 0) {
			chassis_config_free(c->built.config);
			snprintf(c->why, sizeof(c->why), "%s", srp_strerror(rc));
		}
	}
	if (rc == SRP_OK)
		c->next = c->built.config;
	answer(c, rc, rc < 0 ? c->why : "");
}

/* --- orders --------------------------------------------------------------------------------- */

static void forget(struct chassis_commit *c)
{
	if (c->next && c->ctx->row->prepare)
		(void)c->ctx->row->prepare(c->ctx, NULL);
	chassis_config_free(c->next);
	c->next = NULL;
	c->attempt = 0;
	shut(&c->waits);
}

static int prepare(struct chassis_commit *c, const uint8_t *body, size_t len, int fd)
{
	struct chassis_running r;
	uint64_t attempt = 0;
	int rc = chassis_running_get(body, len, &attempt, &r);

	if (rc < 0 || fd < 0 || !attempt) {
		shut(&fd);
		return rc < 0 ? rc : SRP_EFORMAT;
	}
	forget(c);
	c->attempt = attempt;
	c->is = r;
	if (c->ctx->row->config_use != CHASSIS_CONFIG_WHOLE) {
		shut(&fd);
		answer(c, SRP_OK, "");
		return SRP_OK;
	}
	c->waits = fd;
	if (!c->work.on)
		begin(c);
	return SRP_OK;
}

static int commit(struct chassis_commit *c)
{
	struct chassis_task_ctx *ctx = c->ctx;
	struct chassis_shared *sh = ctx->shared;
	const struct chassis_config *old = sh->config;
	bool whole = ctx->row->config_use == CHASSIS_CONFIG_WHOLE;

	if (!c->attempt || (whole && !c->next))
		return SRP_ESTATE; /* the supervisor must not say this: a successor knows better */
	if (whole)
		sh->config = c->next;
	sh->running = c->is;
	c->next = NULL;
	c->attempt = 0;
	if (ctx->row->reconfigured)
		ctx->row->reconfigured(ctx);
	if (whole && old != c->first)
		chassis_config_free((struct chassis_config *)(uintptr_t)old);
	chassis_log(LOG_INFO, "version %llu of the configuration runs",
	            (unsigned long long)sh->running.version);
	return SRP_OK;
}

int chassis_commit_rx(struct chassis_commit **commit_at, struct chassis_task_ctx *ctx,
                      const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct chassis_commit *c = *commit_at;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint64_t attempt;

	if (!c) {
		c = *commit_at = calloc(1, sizeof(*c));
		if (!c) {
			shut(&fd);
			return SRP_ENOMEM;
		}
		c->ctx = ctx;
		c->first = ctx->shared->config;
		c->fd = c->waits = -1;
	}
	if (h->type == CHASSIS_IPC_PREPARE)
		return prepare(c, body, h->len, fd);
	shut(&fd);
	if (srp_mp_array(&r, 1) != 1)
		return SRP_EFORMAT;
	attempt = srp_mp_uint(&r, UINT64_MAX);
	if (srp_mp_finish(&r) < 0 || !attempt)
		return SRP_EFORMAT;
	if (h->type == CHASSIS_IPC_COMMIT)
		return attempt == c->attempt ? commit(c) : SRP_ESTATE;
	if (attempt == c->attempt)
		forget(c);
	return SRP_OK;
}

int chassis_commit_begin(struct chassis_task_ctx *ctx)
{
	struct chassis_shared *sh = ctx->shared;
	struct chassis_running_file f;
	char why[WHY] = "";
	int rc;

	if (sh->running_fd < 0)
		return SRP_OK;
	rc = chassis_running_read(sh->running_fd, &f, why, sizeof(why));
	close(sh->running_fd);
	sh->running_fd = -1;
	if (rc < 0) {
		chassis_log(LOG_CRIT, "what runs cannot be read: %s", why);
		return rc;
	}
	sh->config = f.config;
	sh->running = f.is;
	return SRP_OK;
}
