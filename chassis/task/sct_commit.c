/* sct_commit: what was entered begins to act. A thread compiles it and writes what is to run, while
 * operators are answered; then the supervisor has every task build it, and says whether it runs. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "chassis/task/base.h"
#include "srp/err.h"

#define TIME_S 120 /* to compile, and for all tasks to answer; both are bounded below */

/* --- beside the loop ------------------------------------------------------------------------ */

static char *running_text(const struct chassis_config *running, const struct chassis_config *next,
                          size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (!out)
		return NULL;
	chassis_config_print_running(running, next, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool equal(const char *a, size_t na, const char *b, size_t nb)
{
	return na == nb && memcmp(a, b, na) == 0;
}

/* A next hop is named that has no device yet. */
static bool hop_waits(const struct chassis_shared *sh, const struct ecs_service *s)
{
	static const struct ecs_addr none;

	for (size_t i = 0; s && i < ecs_service_actions(s); i++) {
		const struct ecs_addr *a = &ecs_service_action(s, i)->nexthop;

		if (memcmp(a, &none, sizeof(none)) != 0 && !chassis_hop_of(sh, a))
			return true;
	}
	return false;
}

static int write_out(struct sct_commit *m, const char *text, size_t len)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	m->is.wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	m->is.digest = chassis_config_digest_running(m->running, m->next);
	m->fd = chassis_running_write(&m->is, text, len, m->next->service, &m->next->license);
	if (m->fd < 0) {
		snprintf(m->why, sizeof(m->why), "%s", srp_strerror(m->fd));
		return m->fd;
	}
	return chassis_running_read(m->fd, &m->built, m->why, sizeof(m->why));
}

static void compile(void *arg)
{
	struct sct_commit *m = arg;
	size_t now_len = 0, to_len = 0, all_len = 0;
	char *now, *to = NULL, *all = NULL;
	int rc = chassis_config_commit(m->next, m->why, sizeof(m->why));

	now = sct_config_text(m->running, &now_len);
	if (rc == SRP_OK) {
		to = running_text(m->running, m->next, &to_len);
		all = sct_config_text(m->next, &all_len);
	}
	if (rc == SRP_OK && (!now || !to || !all)) {
		rc = SRP_ENOMEM;
		snprintf(m->why, sizeof(m->why), "%s", srp_strerror(rc));
	}
	if (rc == SRP_OK) {
		m->acts = !equal(now, now_len, to, to_len) ||
		          !ecs_service_db_same(m->running->service, m->next->service);
		m->waits = !equal(all, all_len, to, to_len) ||
		           hop_waits(m->sct->ctx->shared, m->next->service);
	}
	if (rc == SRP_OK && m->acts)
		rc = write_out(m, to, to_len);
	free(now);
	free(to);
	free(all);
	m->status = rc;
}

/* --- the answer ----------------------------------------------------------------------------- */

static void tell(struct sct_commit *m, int status, const char *text)
{
	struct sct_op *op = &m->sct->op[m->op];

	if (op->conn && op->serial == m->serial && op->job.kind == SCT_JOB_WAIT)
		sct_op_finish(op, status, text);
}

static void end(struct sct_commit *m)
{
	if (m->fd >= 0)
		close(m->fd);
	chassis_config_free(m->next);
	chassis_config_free(m->built.config);
	m->on = false;
	m->next = m->built.config = NULL;
	m->fd = -1;
	m->is.version = 0;
}

static void refused(struct sct_commit *m, int status, const char *why)
{
	char text[600];

	snprintf(text, sizeof(text), "%s; nothing entered since `configure` was taken", why);
	tell(m, status, text);
	end(m);
}

/* What runs is m->built, what is configured m->next. */
static void took(struct sct_commit *m, bool acted)
{
	struct sct *s = m->sct;
	const struct chassis_config *old = s->ctx->shared->config;
	char text[160];

	sct_config_changed(s, m->next);
	m->next = NULL;
	if (acted) {
		s->ctx->shared->config = m->built.config;
		s->ctx->shared->running = m->is;
		if (s->running)
			chassis_config_free((struct chassis_config *)(uintptr_t)old);
		s->running = m->built.config;
		m->built.config = NULL;
		sct_bulk_configured(s);
	}
	if (!acted)
		snprintf(text, sizeof(text), "This change takes effect after `save configuration` and "
			 "`reload`.");
	else
		snprintf(text, sizeof(text), "Version %llu of the configuration runs.%s",
			 (unsigned long long)m->is.version, !m->waits ? "" :
			 " Some of what is configured takes effect after `save configuration` and "
			 "`reload`.");
	tell(m, SRP_OK, text);
	end(m);
}

static void compiled(void *arg)
{
	struct sct_commit *m = arg;
	struct sct *s = m->sct;
	uint8_t buf[64];
	struct srp_mp_w w = chassis_running_put(0, &m->is, buf, sizeof(buf));
	int rc = m->status;

	if (rc < 0) {
		refused(m, rc, m->why);
		return;
	}
	if (!m->acts) {
		took(m, false);
		return;
	}
	/* Should this task die before the answer, its successor knows what was entered. */
	sct_entered_write(s, m->next, s->generation + 1);
	rc = chassis_task_send(s->ctx, CHASSIS_TASK_SUPERVISOR, 0, CHASSIS_IPC_CONFIG_NEW, &w, m->fd);
	if (rc < 0) {
		sct_entered_keep(s);
		refused(m, rc, srp_strerror(rc));
	}
}

int sct_commit_done(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct sct_commit *m = &s->commit;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 3);
	uint64_t version = srp_mp_uint(&r, UINT64_MAX);
	int64_t status = srp_mp_int(&r);
	char why[420];

	srp_mp_str(&r, why, sizeof(why));
	if (srp_mp_finish(&r) < 0 || n != 3 || status < INT32_MIN || status > INT32_MAX)
		return SRP_EFORMAT;
	if (!m->on || m->work.on || !m->is.version || version != m->is.version) {
		/* of a predecessor of this task */
		if (status >= 0)
			chassis_log(LOG_WARNING, "version %llu runs, which an earlier sct had sent",
			            (unsigned long long)version);
		return SRP_OK;
	}
	if (status < 0) {
		sct_entered_keep(s);
		refused(m, (int)status, why);
	} else {
		took(m, true);
	}
	return SRP_OK;
}

/* --- the beginning -------------------------------------------------------------------------- */

int sct_commit_begin(struct sct_op *op, struct chassis_config *next)
{
	struct sct *s = op->sct;
	struct sct_commit *m = &s->commit;
	int rc = SRP_EBUSY;

	if (!m->on) {
		*m = (struct sct_commit){
			.sct = s, .on = true, .fd = -1, .op = (unsigned)(op - s->op),
			.serial = op->serial, .running = s->ctx->shared->config, .next = next,
			.is.version = s->ctx->shared->running.version + 1};
		rc = chassis_background_start(&m->work, s->ctx->loop, compile, compiled, m);
		if (rc == SRP_OK) {
			sct_job_wait(op, TIME_S);
			return rc;
		}
		m->on = false;
	}
	chassis_config_free(next);
	return rc;
}
