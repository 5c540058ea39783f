#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "chassis/task/title.h"
#include "srp/err.h"

#define OPEN_TRIES   20 /* a chassis that was killed this moment holds ports and devices a while */
#define OPEN_WAIT_MS 100
#define CERT_WARN_S  (30 * 86400LL)
#define CERT_EVERY_S 86400.

struct life {
	struct chassis_supervisor *sup;
	struct sup_opened opened;
	ev_signal term, intr, hup;
	ev_timer cert;
	bool reload;
	int told; /* where the process that the operator started waits to hear; -1: it is this one
		   */
};

static void tell_starter(struct life *l, unsigned char status)
{
	if (l->told < 0)
		return;
	(void)!write(l->told, &status, 1);
	close(l->told);
	l->told = -1;
}

static void on_ready(void *arg)
{
	struct life *l = arg;

	chassis_log(LOG_NOTICE, "chassis %s is up with %zu session managers",
	            l->opened.config->hostname, l->opened.shared.nsessmgr);
	tell_starter(l, EXIT_SUCCESS);
}

static void on_end(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct life *l = w->data;

	(void)loop;
	(void)revents;
	chassis_log(LOG_NOTICE, "%s: the chassis ends", strsignal(w->signum));
	chassis_supervisor_stop(l->sup);
}

static void on_hup(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	chassis_log(LOG_NOTICE,
		    "reading the configuration again is not supported: restart instead");
}

static void judge_cert(const struct life *l)
{
	const struct chassis_tls *t = l->opened.shared.tls;
	const char *file = l->opened.config->srp.cert;
	bool early;
	long long left;

	if (!t)
		return;
	left = chassis_tls_expires(t, &early);
	if (early)
		chassis_log(LOG_ERR, "certificate %s is not valid yet: is the clock right?", file);
	else if (left < 0)
		chassis_log(LOG_ERR, "certificate %s has expired: the peer will refuse it", file);
	else if (left < CERT_WARN_S)
		chassis_log(LOG_WARNING, "certificate %s expires in %lld days", file, left / 86400);
}

static void on_cert(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	judge_cert(w->data);
}

/* Leaves the terminal. The process that was started waits until all tasks are up, and ends with
 * what came of it. */
static int daemonize(struct life *l)
{
	unsigned char status = EXIT_FAILURE;
	bool keep_stderr = strcmp(l->opened.config->logging, "syslog") != 0;
	int p[2], null;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return SRP_EIO;
	pid = fork();
	if (pid < 0) {
		close(p[0]);
		close(p[1]);
		return SRP_EIO;
	}
	if (pid > 0) {
		close(p[1]);
		if (read(p[0], &status, 1) != 1)
			status = EXIT_FAILURE;
		_exit(status);
	}
	close(p[0]);
	l->told = p[1];
	(void)setsid();
	(void)!chdir("/");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (!keep_stderr)
			dup2(null, STDERR_FILENO);
		if (null > 2)
			close(null);
	}
	return SRP_OK;
}

static void watchers(struct life *l, struct ev_loop *loop, bool on)
{
	ev_signal *sig[] = {&l->term, &l->intr, &l->hup};
	static const int num[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < 3; i++) {
		if (!on) {
			ev_signal_stop(loop, sig[i]);
			continue;
		}
		ev_signal_init(sig[i], i < 2 ? on_end : on_hup, num[i]);
		sig[i]->data = l;
		ev_signal_start(loop, sig[i]);
	}
	if (!on) {
		ev_timer_stop(loop, &l->cert);
		return;
	}
	ev_timer_init(&l->cert, on_cert, CERT_EVERY_S, CERT_EVERY_S);
	l->cert.data = l;
	ev_timer_start(loop, &l->cert);
}

static int live(struct life *l)
{
	static const struct chassis_task_row *const rows[CHASSIS_TASK__N] = {
		[CHASSIS_TASK_SCT] = &chassis_task_sct,
		[CHASSIS_TASK_VPNMGR] = &chassis_task_vpnmgr,
		[CHASSIS_TASK_DEMUXMGR] = &chassis_task_demuxmgr,
		[CHASSIS_TASK_SESSMGR] = &chassis_task_sessmgr,
		[CHASSIS_TASK_AAAMGR] = &chassis_task_aaamgr,
		[CHASSIS_TASK_CDRMOD] = &chassis_task_cdrmod,
	};
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	int status = EXIT_FAILURE;

	stats_slab_adopt(&l->opened.shared.slab[0]->head, (uint32_t)getpid(), chassis_now().us);
	signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (!loop)
		return status;
	l->sup = chassis_supervisor_new(loop, &l->opened.shared, rows);
	if (l->sup) {
		l->sup->on_ready = on_ready;
		l->sup->on_ready_arg = l;
		watchers(l, loop, true);
		judge_cert(l);
		(void)chassis_supervisor_start(l->sup); /* what fails ends in the loop, too */
		ev_run(loop, 0);
		status = l->sup->status;
		l->reload = l->sup->reload && status == EXIT_SUCCESS;
		watchers(l, loop, false);
		chassis_supervisor_free(l->sup);
	}
	ev_loop_destroy(loop);
	return status;
}

static int open_patiently(struct sup_opened *o, const char *operator_path, const char *suffix)
{
	const struct timespec wait = {0, OPEN_WAIT_MS * 1000000L};
	char why[256] = "";
	int rc;

	for (int i = 0;; i++) {
		rc = sup_open(o, operator_path, suffix, why, sizeof(why));
		if (rc != SRP_EBUSY || i == OPEN_TRIES)
			break;
		nanosleep(&wait, NULL);
	}
	if (rc < 0)
		chassis_log(LOG_ERR, "%s", why);
	return rc;
}

int chassis_supervisor_run(const char *config_file, const char *operator_path, const char *suffix,
                           bool foreground)
{
	struct life *l = calloc(1, sizeof(*l));
	int status = EXIT_FAILURE;
	bool opened = false, again = false;

	if (!l)
		return status;
	sup_program_note();
	sup_descriptors_raise();
	l->told = -1;
	l->opened.config = chassis_config_load(config_file);
	if (!l->opened.config)
		goto out;
	chassis_log_init("stderr", l->opened.config->severity, "chassisd", 0);
	if (open_patiently(&l->opened, operator_path, suffix) < 0)
		goto out;
	opened = true;
	l->opened.shared.config_file = config_file;
	if (!foreground && daemonize(l) < 0) {
		chassis_log(LOG_ERR, "cannot go to the background: %s", strerror(errno));
		goto out;
	}
	chassis_log_init(l->opened.config->logging, l->opened.config->severity, "chassisd", 0);
	chassis_title_set("supervisor", 0);
	sup_crash_dir(l->opened.config);
	status = live(l);
	chassis_log(LOG_NOTICE, "the chassis has ended");
	again = l->reload;
out:
	if (opened)
		sup_close(&l->opened);
	if (again) {
		sup_program_again(config_file, operator_path, suffix);
		status = EXIT_FAILURE;
	}
	tell_starter(l, (unsigned char)status);
	chassis_config_free(l->opened.config);
	free(l);
	return status;
}
