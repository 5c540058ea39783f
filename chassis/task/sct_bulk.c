/* sct_bulk: bulk statistics: lines are collected at intervals, kept in memory, and written to files at
 * longer ones, whole or not at all: what could not be written waits for the next time. */
#include "config.h"
#include "chassis/task/sct.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "chassis/task/proc.h"
#include "srp/err.h"

#define LINE_BYTES 4096u /* a line of the longest format, with room for its values */

static const struct chassis_bulk *conf(const struct sct *s)
{
	return &s->ctx->shared->config->bulk;
}

static struct chassis_bulk_now moment(const struct sct *s)
{
	const struct chassis_slab *slab = s->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SUPERVISOR, 0)];
	static char address[INET6_ADDRSTRLEN + 1]; /* one thread */
	const struct chassis_srp_config *srp = &s->ctx->shared->config->srp;
	struct chassis_proc p;

	if (srp->has_bind)
		ecs_addr_text(&srp->bind, address, sizeof(address));
	return (struct chassis_bulk_now){
		.wall = time(NULL), .host = s->ctx->shared->config->hostname, .version = PACKAGE_VERSION,
		.address = srp->has_bind ? address : "",
		.uptime_s = chassis_proc_read(stats_slab_owner(&slab->head), &p) ? p.age_ms / 1000 : 0};
}

static void drop(struct sct_bulk *b, struct sct_bulk_file *f)
{
	if (b->step != SCT_BULK_IDLE && f == &b->file[b->at])
		b->taken = b->taken_records = 0; /* what follows is not what is being written */
	b->lost_records += f->records;
	b->lost_bytes += f->len;
	free(f->text);
	*f = (struct sct_bulk_file){0};
}

/* --- collecting ----------------------------------------------------------------------------- */

static bool room(struct sct_bulk_file *f, size_t n)
{
	size_t cap = f->cap ? f->cap : LINE_BYTES;
	char *p;

	if (f->len + n > SCT_BULK_MAX)
		return false;
	while (cap < f->len + n)
		cap *= 2;
	if (cap == f->cap)
		return true;
	p = realloc(f->text, cap);
	if (!p)
		return false;
	f->text = p;
	f->cap = cap;
	return true;
}

static void add_line(struct sct_bulk *b, struct sct_bulk_file *f, const char *format,
                     const struct chassis_bulk_now *now)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out) {
		chassis_bulk_fill(out, format, now);
		fputc('\n', out);
	}
	if (!out || fclose(out) != 0 || !room(f, len)) {
		b->lost_records++;
		b->lost_bytes += len;
	} else {
		memcpy(f->text + f->len, text, len);
		f->len += len;
		f->records++;
		b->collected_records++;
		b->collected_bytes += len;
	}
	free(text);
}

static int gather(struct sct *s)
{
	struct sct_bulk *b = &s->bulk;
	const struct chassis_bulk *c = conf(s);
	struct chassis_view v = sct_view(s);
	struct chassis_bulk_now now = moment(s);
	struct srp_time began = chassis_now();
	struct chassis_kpi *row;
	size_t n;
	int rc;

	if (chassis_license_lacks(&s->ctx->shared->config->license, CHASSIS_LICENSE_FLOW_RECOVERY))
		return SRP_ENOENT;
	rc = chassis_kpi_gather(&v, 0, &row, &n);
	if (rc)
		return rc;
	for (unsigned i = 0; i < CHASSIS_BULK_FILES; i++)
		for (unsigned k = 0; k < CHASSIS_BULK_SCHEMAS && c->file[i].schema[k].name[0]; k++)
			for (size_t r = 0; r < n; r++) {
				now.rule = row[r].name;
				now.figure = row[r].v;
				add_line(b, &b->file[i], c->file[i].schema[k].format, &now);
			}
	free(row);
	b->collect_ms = srp_time_since(began, chassis_now()) / 1000;
	return SRP_OK;
}

static void on_sample(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	(void)gather(w->data);
}

/* --- writing -------------------------------------------------------------------------------- */

static void next(struct sct *s);

static void failed(struct sct *s, const char *why)
{
	struct sct_bulk *b = &s->bulk;

	b->failures++;
	if (!b->why[0]) /* once, until it goes well again */
		chassis_log(LOG_ERR, "bulk statistics are not written: %s", why);
	snprintf(b->why, sizeof(b->why), "%s", why);
}

/* Ends the file that is being written, and goes on with the one behind it. */
static void over(struct sct *s)
{
	struct sct_bulk *b = &s->bulk;

	free(b->text);
	b->text = NULL;
	b->step = SCT_BULK_IDLE;
	b->transfer_ms = srp_time_since(b->began, chassis_now()) / 1000;
	b->at++;
	next(s);
}

static void work(void *arg)
{
	struct sct_bulk *b = &((struct sct *)arg)->bulk;
	size_t at = 0;

	b->status = 0;
	while (at < b->len && !b->status) {
		ssize_t n = write(b->fd, b->text + at, b->len - at);

		if (n < 0 && errno != EINTR)
			b->status = errno;
		else if (n > 0)
			at += (size_t)n;
	}
	if (!b->status && fsync(b->fd) < 0)
		b->status = errno;
	if (close(b->fd) < 0 && !b->status)
		b->status = errno;
}

static int tell(struct sct *s, enum chassis_ipc type, const char *name)
{
	uint8_t buf[CHASSIS_BULK_REMOTE + 16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, name ? 1 : 0);
	if (name)
		srp_mp_w_str(&w, name);
	return chassis_task_send(s->ctx, CHASSIS_TASK_SUPERVISOR, 0, (uint8_t)type, &w, -1);
}

static void written(void *arg)
{
	struct sct *s = arg;
	struct sct_bulk *b = &s->bulk;

	if (b->status)
		failed(s, strerror(b->status));
	b->step = SCT_BULK_NAMING;
	if (tell(s, CHASSIS_IPC_BULK_NAME, b->status ? "" : b->name) < 0)
		over(s);
}

/* The whole of a file, as it will be. 0 or SRP_ENOMEM */
static int render(struct sct *s)
{
	struct sct_bulk *b = &s->bulk;
	const struct chassis_bulk_file *c = &conf(s)->file[b->at];
	const struct sct_bulk_file *f = &b->file[b->at];
	const struct chassis_bulk_now now = moment(s);
	FILE *out = open_memstream(&b->text, &b->len);

	if (!out)
		return SRP_ENOMEM;
	if (c->header[0]) {
		chassis_bulk_fill(out, c->header, &now);
		fputc('\n', out);
	}
	fwrite(f->text, 1, f->len, out);
	if (c->footer[0]) {
		chassis_bulk_fill(out, c->footer, &now);
		fputc('\n', out);
	}
	b->taken = f->len;
	b->taken_records = f->records;
	chassis_bulk_name(c, b->at + 1, &now, b->name);
	if (fclose(out) == 0)
		return SRP_OK;
	free(b->text);
	b->text = NULL;
	return SRP_ENOMEM;
}

/* Begins the next file that has something to be written, if there is one. */
static void next(struct sct *s)
{
	struct sct_bulk *b = &s->bulk;

	while (b->at < CHASSIS_BULK_FILES && !b->file[b->at].len)
		b->at++;
	if (b->at == CHASSIS_BULK_FILES)
		return;
	b->step = SCT_BULK_OPENING;
	b->began = chassis_now();
	if (tell(s, CHASSIS_IPC_BULK, NULL) < 0) {
		b->step = SCT_BULK_IDLE;
		failed(s, "the supervisor does not answer");
	}
}

static void transfer(struct sct *s)
{
	if (s->bulk.step != SCT_BULK_IDLE)
		return;
	s->bulk.at = 0;
	next(s);
}

static void on_transfer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	transfer(w->data);
}

static void opened(struct sct *s, int64_t status, const char *why, int fd)
{
	struct sct_bulk *b = &s->bulk;

	if (status < 0 || fd < 0) {
		if (fd >= 0)
			close(fd);
		failed(s, why[0] ? why : "no descriptor came");
		b->step = SCT_BULK_IDLE; /* the others go to the same directory */
		return;
	}
	b->fd = fd;
	b->status = ENOMEM;
	if (b->file[b->at].len && render(s) == SRP_OK) {
		b->step = SCT_BULK_WRITING;
		if (chassis_background_start(&b->work, s->ctx->loop, work, written, s) == SRP_OK)
			return;
	}
	close(fd);
	if (b->file[b->at].len) /* else it was forgotten meanwhile */
		failed(s, srp_strerror(SRP_ENOMEM));
	b->step = SCT_BULK_NAMING;
	if (tell(s, CHASSIS_IPC_BULK_NAME, "") < 0)
		over(s);
}

static void named(struct sct *s, int64_t status, const char *why)
{
	struct sct_bulk *b = &s->bulk;
	struct sct_bulk_file *f = &b->file[b->at];

	if (status < 0) {
		failed(s, why);
	} else if (!b->status) {
		/* lines may have come since; the file may have been forgotten */
		size_t n = b->taken < f->len ? b->taken : f->len;
		uint64_t r = b->taken_records < f->records ? b->taken_records : f->records;

		if (n)
			memmove(f->text, f->text + n, f->len - n);
		f->len -= n;
		f->records -= r;
		b->sent_records += b->taken_records;
		b->sent_bytes += b->taken;
		b->last = time(NULL);
		b->why[0] = '\0';
	}
	over(s);
}

int sct_bulk_rx(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 2);
	int64_t status = srp_mp_int(&r);
	char why[420];
	bool open = h->type == CHASSIS_IPC_BULK_OPEN;

	srp_mp_str(&r, why, sizeof(why));
	/* what was asked by an earlier sct is not ours */
	if (srp_mp_finish(&r) == SRP_OK && n == 2 && open && s->bulk.step == SCT_BULK_OPENING) {
		opened(s, status, why, fd);
		return SRP_OK;
	}
	if (fd >= 0)
		close(fd);
	if (r.err || n != 2)
		return SRP_EFORMAT;
	if (!open && s->bulk.step == SCT_BULK_NAMING)
		named(s, status, why);
	return SRP_OK;
}

/* --- the configuration ---------------------------------------------------------------------- */

static void arm(struct sct *s, ev_timer *t, uint32_t *has, uint32_t minutes,
                void (*on)(struct ev_loop *loop, ev_timer *w, int revents))
{
	if (*has == minutes)
		return;
	if (*has)
		ev_timer_stop(s->ctx->loop, t);
	*has = minutes;
	if (!minutes)
		return;
	ev_timer_init(t, on, minutes * 60., minutes * 60.);
	t->data = s;
	ev_timer_start(s->ctx->loop, t);
}

void sct_bulk_configured(struct sct *s)
{
	const struct chassis_config *config = s->ctx->shared->config;
	bool on = config && config->bulk.collect;
	struct sct_bulk *b = &s->bulk;

	arm(s, &b->sample, &b->sample_min, on ? config->bulk.sample_min : 0, on_sample);
	arm(s, &b->transfer, &b->transfer_min, on ? config->bulk.transfer_min : 0, on_transfer);
	for (unsigned i = 0; config && i < CHASSIS_BULK_FILES; i++)
		if (!config->bulk.file[i].used && b->file[i].len)
			drop(b, &b->file[i]);
}

/* --- commands ------------------------------------------------------------------------------- */

void sct_bulk_force(struct sct_op *op, const struct chassis_match *m)
{
	struct sct *s = op->sct;
	const char *why = chassis_license_lacks(&s->ctx->shared->config->license,
	                                        CHASSIS_LICENSE_FLOW_RECOVERY);
	char text[96];
	int rc;

	if (why) {
		snprintf(text, sizeof(text), "%s is not licensed: %s",
		         chassis_features[CHASSIS_LICENSE_FLOW_RECOVERY].name, why);
		sct_op_finish(op, SRP_ENOENT, text);
	} else if (!conf(s)->collect) {
		sct_op_finish(op, SRP_ESTATE, "bulk statistics are not collected (`bulkstats collection`)");
	} else if (chassis_match_has(m, "gather")) {
		rc = gather(s);
		sct_op_finish(op, rc, rc ? NULL : "Bulk statistics collected");
	} else {
		transfer(s);
		sct_op_finish(op, SRP_OK, "Transfer begun");
	}
}

void sct_bulk_clear(struct sct_op *op, const struct chassis_match *m)
{
	struct sct_bulk *b = &op->sct->bulk;

	if (chassis_match_has(m, "data")) {
		for (unsigned i = 0; i < CHASSIS_BULK_FILES; i++)
			drop(b, &b->file[i]);
	} else {
		b->collected_records = b->collected_bytes = b->sent_records = b->sent_bytes = 0;
		b->lost_records = b->lost_bytes = b->failures = 0;
	}
	sct_op_finish(op, SRP_OK, NULL);
}
