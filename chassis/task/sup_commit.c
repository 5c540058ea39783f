/* sup_commit: a change of the configuration that runs, over all tasks. The supervisor reads nothing of
 * it: it hands sct's sealed memory to every task that needs it, waits until each has built it, and says
 * from when on it counts; or calls it off, and says because of whom. Who is born after that has it. */
#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"

#define SEALS    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define TEXT_MAX 400

/* To sct, where it is still there: another one reads from its own memory what runs. */
static void done(struct chassis_supervisor *s, uint64_t version, int status, const char *text)
{
	struct sup_child *sct = s->slot[chassis_slot(CHASSIS_TASK_SCT, 0)].live;
	uint8_t buf[TEXT_MAX + 64];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, version);
	srp_mp_w_int(&w, status);
	srp_mp_w_strn(&w, text, strnlen(text, TEXT_MAX));
	if (sct && sct->line)
		(void)chassis_conn_send(sct->line, CHASSIS_IPC_CONFIG_DONE, w.start,
					srp_mp_w_len(&w), -1);
}

/* The sct that offers it has built it already; one that was born since has not. */
static bool takes_part(const struct chassis_supervisor *s, size_t slot)
{
	const struct sup_slot *x = &s->slot[slot];

	return x->live && !x->live->killed && !x->live->ordered &&
	       x->row->config_use != CHASSIS_CONFIG_NONE && x->live->pid != s->commit.from;
}

static void order(struct chassis_supervisor *s, struct sup_child *c, uint8_t type, uint64_t attempt)
{
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	char name[48];

	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, attempt);
	if (c->line && chassis_conn_send(c->line, type, w.start, srp_mp_w_len(&w), -1) == SRP_OK)
		return;
	/* It would go on by another configuration than all others: its successor has the right one. */
	chassis_log(LOG_ERR, "%s does not read its orders", sup_who(s, c->slot, name, sizeof(name)));
	sup_kill(c);
}

static void end(struct sup_commit *m)
{
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct sup_commit){.fd = -1};
}

static void call_off(struct chassis_supervisor *s, int status, const char *text)
{
	uint64_t version = s->commit.is.version, attempt = s->commit.attempt;

	chassis_log(LOG_ERR, "version %llu of the configuration is called off: %s",
	            (unsigned long long)version, text);
	for (size_t i = 1; i < s->shared->nslabs; i++)
		if (takes_part(s, i) && s->slot[i].live->asked == attempt) {
			s->slot[i].live->asked = 0;
			order(s, s->slot[i].live, CHASSIS_IPC_ABORT, attempt);
		}
	end(&s->commit);
	done(s, version, status, text);
}

static void commit(struct chassis_supervisor *s)
{
	struct sup_commit *m = &s->commit;
	uint64_t version = m->is.version, attempt = m->attempt;

	/* First for those who are born from here on. */
	if (s->shared->running_fd >= 0)
		close(s->shared->running_fd);
	s->shared->running_fd = m->fd;
	s->shared->running = m->is;
	m->fd = -1;
	for (size_t i = 1; i < s->shared->nslabs; i++)
		if (takes_part(s, i)) {
			s->slot[i].live->asked = 0;
			order(s, s->slot[i].live, CHASSIS_IPC_COMMIT, attempt);
		}
	end(m);
	chassis_log(LOG_NOTICE, "version %llu of the configuration runs", (unsigned long long)version);
	done(s, version, SRP_OK, "");
}

static void ask(struct chassis_supervisor *s, struct sup_child *c)
{
	uint8_t buf[64];
	struct srp_mp_w w = chassis_running_put(s->commit.attempt, &s->commit.is, buf, sizeof(buf));

	c->asked = s->commit.attempt;
	c->prepared = false;
	if (c->line)
		(void)chassis_conn_send(c->line, CHASSIS_IPC_PREPARE, w.start, srp_mp_w_len(&w),
					s->commit.fd); /* who did not get it will not answer */
}

/* The first task whose answer is missing, or NULL. */
static const struct sup_child *missing(struct chassis_supervisor *s)
{
	for (size_t i = 1; i < s->shared->nslabs; i++)
		if (takes_part(s, i) && !s->slot[i].live->prepared)
			return s->slot[i].live;
	return NULL;
}

void sup_commit_advance(struct chassis_supervisor *s, struct srp_time now)
{
	const struct sup_child *c;
	char name[48], text[128];

	if (!s->commit.attempt)
		return;
	if (s->stage != SUP_RUN) {
		call_off(s, SRP_EBUSY, "the chassis ends");
		return;
	}
	c = missing(s);
	if (!c) {
		commit(s);
		return;
	}
	if (now.us < s->commit.deadline.us)
		return;
	snprintf(text, sizeof(text), "%s did not answer in %d seconds",
	         sup_who(s, c->slot, name, sizeof(name)), SUP_COMMIT_MS / 1000);
	call_off(s, SRP_ETIMEOUT, text);
}

void sup_commit_born(struct sup_child *c)
{
	struct chassis_supervisor *s = c->sup;

	if (s->commit.attempt && takes_part(s, c->slot))
		ask(s, c);
}

static int refuse(struct chassis_supervisor *s, uint64_t version, int status, const char *text, int fd)
{
	close(fd);
	done(s, version, status, text);
	return SRP_OK;
}

int sup_config_new(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct chassis_supervisor *s = c->sup;
	struct chassis_running r;
	uint64_t none;
	int rc = chassis_running_get(body, h->len, &none, &r);

	if (rc < 0 || fd < 0) {
		if (fd >= 0)
			close(fd);
		return rc < 0 ? rc : SRP_EFORMAT;
	}
	if (s->slot[c->slot].live != c || s->commit.attempt || s->stage != SUP_RUN)
		return refuse(s, r.version, SRP_EBUSY, "the chassis is busy with another change, or ends",
			      fd);
	if (r.version != s->shared->running.version + 1)
		return refuse(s, r.version, SRP_ESTALE, "another version runs by now", fd);
	if ((fcntl(fd, F_GET_SEALS) & SEALS) != SEALS)
		return refuse(s, r.version, SRP_EFORMAT, "it could be changed under who reads it", fd);
	s->commit = (struct sup_commit){.attempt = ++s->attempts, .is = r, .from = c->pid, .fd = chassis_fd_high(fd),
	                                .deadline = chassis_now()};
	s->commit.deadline.us += SRP_MS(SUP_COMMIT_MS);
	for (size_t i = 1; i < s->shared->nslabs; i++)
		if (takes_part(s, i))
			ask(s, s->slot[i].live);
	sup_commit_advance(s, chassis_now());
	return SRP_OK;
}

int sup_prepared(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct chassis_supervisor *s = c->sup;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 3);
	uint64_t attempt = srp_mp_uint(&r, UINT64_MAX);
	int64_t status = srp_mp_int(&r);
	char why[TEXT_MAX - 100], name[48], text[TEXT_MAX];
	int rc;

	srp_mp_str(&r, why, sizeof(why));
	rc = srp_mp_finish(&r);
	if (rc < 0 || n != 3)
		return rc < 0 ? rc : SRP_EFORMAT;
	if (!attempt || s->commit.attempt != attempt || c->asked != attempt ||
	    s->slot[c->slot].live != c)
		return SRP_OK; /* of one that was called off */
	if (status >= 0) {
		c->prepared = true;
		sup_commit_advance(s, chassis_now());
		return SRP_OK;
	}
	snprintf(text, sizeof(text), "%s refuses: %s", sup_who(s, c->slot, name, sizeof(name)), why);
	call_off(s, SRP_EBUSY, text);
	return SRP_OK;
}

void sup_commit_fini(struct chassis_supervisor *s)
{
	end(&s->commit);
}
