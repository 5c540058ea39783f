#include "config.h"
#include "chassis/task/peer.h"
#include "chassis/task/supervisor_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "chassis/cli/database.h"
#include "chassis/io/netlink.h"
#include "chassis/io/tun.h"
#include "srp/err.h"

#define BACKLOG          16
#define STATE_BYTES      4096
#define STEER_ENTRIES    (4u * 1024 * 1024) /* addresses; memory only for those that are there */
/* Rules and tables that are ours, whoever made them. */
#define OURS_FROM        4700
#define OURS_TO          4799

static int fail(char *why, size_t cap, int rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *why, size_t cap, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, cap, fmt, ap);
	va_end(ap);
	return rc;
}

/* --- the configuration --------------------------------------------------------------------- */

static void print_error(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static char *read_file(const char *file, size_t *len)
{
	FILE *f = fopen(file, "re");
	char *text = NULL;
	long n = 0;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && n <= SUP_CONFIG_MAX) {
		rewind(f);
		text = malloc((size_t)n + 1);
		*len = text ? fread(text, 1, (size_t)n, f) : 0;
	} else if (n > SUP_CONFIG_MAX) {
		errno = EFBIG;
	}
	fclose(f);
	return text;
}

struct chassis_config *chassis_config_read(const char *file, chassis_config_error_fn *err, void *arg)
{
	struct chassis_config *c;
	size_t len = 0;
	char *text = read_file(file, &len), why[PATH_MAX + 64];

	if (!text) {
		snprintf(why, sizeof(why), "%s: %s", file, strerror(errno));
		err(arg, why);
		return NULL;
	}
	c = chassis_config_parse(text, len, file, err, arg);
	if (c)
		chassis_database_load(c, err, arg);
	free(text);
	return c;
}

struct chassis_config *chassis_config_load(const char *file)
{
	return chassis_config_read(file, print_error, NULL);
}

/* --- memory -------------------------------------------------------------------------------- */

void sup_shared_init(struct chassis_shared *sh, const struct chassis_config *c)
{
	memset(sh, 0, sizeof(*sh));
	sh->config = c;
	sh->nsessmgr = c ? c->sessmgrs : 1;
	sh->nslabs = chassis_slot(CHASSIS_TASK_AAAMGR, (unsigned)sh->nsessmgr) + 1;
	sh->running = (struct chassis_running){
		.version = 1, .digest = c ? chassis_config_digest(c) : 0,
		.wall_ms = (uint64_t)time(NULL) * 1000};
	sh->running_fd = sh->listen_control = sh->operator_fd = sh->entered_fd = sh->service_dev_fd = sh->steer_map_fd =
		sh->state_fd = -1;
	for (size_t i = 0; i < CHASSIS_SESSMGRS_MAX; i++)
		sh->listen_instance[i] = sh->tun_acc[i] = sh->tun_core[i] = -1;
	for (size_t i = 0; i <= CHASSIS_SESSMGRS_MAX; i++)
		sh->beat_fd[i] = sh->store_fd[i] = sh->ledger_fd[i] = sh->record_fd[i] = -1;
	sh->record_journal_fd = -1;
	for (size_t i = 0; i < CHASSIS_RECORDS__N; i++)
		sh->record_dir[i] = -1;
	/* A chassis is another one after every start: whoever knew it must know that. */
	while (getrandom(&sh->incarnation, sizeof(sh->incarnation), 0) != sizeof(sh->incarnation) ||
	       !sh->incarnation)
		;
}

int sup_slabs_open(struct chassis_shared *sh)
{
	sh->slab = calloc(sh->nslabs, sizeof(struct chassis_slab *));
	if (!sh->slab)
		return SRP_ENOMEM;
	for (size_t i = 0; i < sh->nslabs; i++) {
		void *p = mmap(NULL, sizeof(struct chassis_slab), PROT_READ | PROT_WRITE,
		               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			sup_slabs_close(sh);
			return SRP_ENOMEM;
		}
		sh->slab[i] = p;
		stats_slab_init(&sh->slab[i]->head, sizeof(struct chassis_slab),
				CHASSIS_SLAB_LAYOUT, 0); /* nobody's yet */
	}
	sh->slab[chassis_slot(CHASSIS_TASK_VPNMGR, 0)]->role.incarnation = sh->incarnation;
	return SRP_OK;
}

void sup_slabs_close(struct chassis_shared *sh)
{
	for (size_t i = 0; sh->slab && i < sh->nslabs; i++)
		if (sh->slab[i])
			munmap(sh->slab[i], sizeof(struct chassis_slab));
	free(sh->slab);
	sh->slab = NULL;
}

/* Memory that outlives the tasks that use it. It cannot be made smaller under them: that would kill who
 * has mapped it. */
int sup_memory(const char *kind, unsigned instance, uint64_t bytes)
{
	char name[32];
	int fd, e;

	snprintf(name, sizeof(name), "%s:%u", kind, instance);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

int sup_memory_open(struct chassis_shared *sh, char *why, size_t cap)
{
	sh->entered_fd = sup_memory("entered", 0, CHASSIS_ENTERED_BYTES);
	if (sh->entered_fd < 0)
		return fail(why, cap, SRP_EIO, "memory of what is entered: %s", strerror(errno));
	if (sup_records_open(sh) < 0)
		return fail(why, cap, SRP_EIO, "memory of records: %s", strerror(errno));
	if (!sh->config || !sh->config->session_recovery)
		return SRP_OK;
	for (unsigned i = 1; i <= sh->nsessmgr; i++) {
		sh->store_fd[i] = sup_memory("store", i, CHASSIS_STORE_BYTES);
		sh->ledger_fd[i] = sup_memory("ledger", i, CHASSIS_LEDGER_BYTES);
		if (sh->store_fd[i] < 0 || sh->ledger_fd[i] < 0)
			return fail(why, cap, SRP_EIO, "memory of session recovery: %s",
				    strerror(errno));
	}
	return SRP_OK;
}

/* --- sockets ------------------------------------------------------------------------------- */

static int socket_bound(const struct ecs_addr *a, unsigned port, int type, int *out, char *why,
			size_t cap)
{
	struct sockaddr_storage sa;
	socklen_t len = chassis_sockaddr(a, (uint16_t)port, &sa);
	int on = 1, e, fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[64];

	if (fd < 0)
		return fail(why, cap, SRP_EIO, "socket: %s", strerror(errno));
	if (type == SOCK_STREAM) /* not for datagrams: there it would let two share a port */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* The address may be one that vpnmgr sets a moment later. */
	(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
		e = errno;
		close(fd);
		return fail(why, cap, e == EADDRINUSE ? SRP_EBUSY : SRP_EIO, "%s port %u on %s: %s",
			    type == SOCK_STREAM ? "TCP" : "UDP", port,
			    ecs_addr_text(a, text, sizeof(text)), strerror(e));
	}
	*out = fd;
	return SRP_OK;
}

static int open_srp(struct sup_opened *o, char *why, size_t cap)
{
	const struct chassis_srp_config *srp = &o->config->srp;
	struct chassis_shared *sh = &o->shared;
	int rc = SRP_OK;

	if (!srp->present || !srp->has_bind)
		return SRP_OK;
	sh->tls = chassis_tls_new(srp->cert, srp->key, srp->ca, srp->peer_name, why, cap);
	if (!sh->tls)
		return SRP_EIO;
	for (unsigned i = 0; i <= sh->nsessmgr && rc == SRP_OK; i++) {
		int *listener = i ? &sh->listen_instance[i - 1] : &sh->listen_control;

		rc = socket_bound(&srp->bind, srp->port + i, SOCK_STREAM, listener, why, cap);
		if (rc == SRP_OK)
			rc = socket_bound(&srp->bind, srp->port + i, SOCK_DGRAM, &sh->beat_fd[i],
					  why, cap);
	}
	return rc;
}

/* True when a process answers on it. */
static bool answered(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes = fd >= 0 &&
		   (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return yes;
}

static int open_operator(struct sup_opened *o, const char *path, char *why, size_t cap)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path) || strlen(path) >= sizeof(o->operator_path))
		return fail(why, cap, SRP_EIO, "%s: the path is too long", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return fail(why, cap, SRP_EIO, "%s exists and is not a socket", path);
		if (answered(&sa))
			return fail(why, cap, SRP_EBUSY, "another chassisd answers on %s", path);
		if (unlink(path) < 0)
			return fail(why, cap, SRP_EIO, "%s: %s", path, strerror(errno));
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(why, cap, SRP_EIO, "socket: %s", strerror(errno));
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (rc < 0 || listen(fd, BACKLOG) < 0) {
		rc = fail(why, cap, errno == EADDRINUSE ? SRP_EBUSY : SRP_EIO, "%s: %s", path,
			  strerror(errno));
		close(fd);
		return rc;
	}
	memcpy(o->operator_path, path, strlen(path) + 1);
	o->shared.operator_fd = fd;
	return SRP_OK;
}

/* --- devices ------------------------------------------------------------------------------- */

static int busy_if_there(int rc)
{
	return rc == SRP_EDUP ? SRP_EBUSY : rc;
}

/* A device for each next hop that a charging-action names: what the session managers write there is
 * routed by it. */
static int open_hops(struct chassis_shared *sh, const char *suffix, char *why, size_t cap)
{
	const struct ecs_service *s = sh->config ? sh->config->service : NULL;
	static const struct ecs_addr none;

	for (size_t i = 0; s && i < ecs_service_actions(s); i++) {
		const struct ecs_charging_action *a = ecs_service_action(s, i);
		struct chassis_hop *h = &sh->hop[sh->nhop];
		int rc;

		if (memcmp(&a->nexthop, &none, sizeof(none)) == 0 || chassis_hop_of(sh, &a->nexthop))
			continue;
		if (sh->nhop == CHASSIS_HOPS_MAX) {
			chassis_log(LOG_ERR, "charging-action %s: more than %d next hops, packets go "
			            "by the routes", a->name, CHASSIS_HOPS_MAX);
			continue;
		}
		snprintf(h->dev, sizeof(h->dev), "hop%zu%.10s", sh->nhop + 1, suffix);
		rc = chassis_tun_open(h->dev, 1, &h->fd, why, cap);
		if (rc < 0)
			return busy_if_there(rc);
		h->addr = a->nexthop;
		sh->nhop++;
	}
	return SRP_OK;
}

static int open_devices(struct sup_opened *o, const char *suffix, char *why, size_t cap)
{
	struct chassis_shared *sh = &o->shared;
	int rc;

	if (strlen(suffix) > 10)
		return fail(why, cap, SRP_ERANGE, "suffix %s: at most 10 characters", suffix);
	snprintf(sh->dev_acc, sizeof(sh->dev_acc), "acc%.10s", suffix);
	snprintf(sh->dev_core, sizeof(sh->dev_core), "core%.10s", suffix);
	snprintf(sh->dev_service, sizeof(sh->dev_service), "svc%.10s", suffix);
	rc = chassis_tun_open(sh->dev_acc, sh->nsessmgr, sh->tun_acc, why, cap);
	if (rc < 0) {
		sh->tun_acc[0] = -1;
		return busy_if_there(rc);
	}
	rc = chassis_tun_open(sh->dev_core, sh->nsessmgr, sh->tun_core, why, cap);
	if (rc < 0) {
		sh->tun_core[0] = -1;
		return busy_if_there(rc);
	}
	rc = chassis_tun_dummy(sh->dev_service, &sh->service_dev_fd, why, cap);
	if (rc < 0) {
		sh->service_dev_fd = -1;
		return busy_if_there(rc);
	}
	return open_hops(sh, suffix, why, cap);
}

/* Without it the kernel spreads packets by hash, and each is handed on to its instance: slower,
 * right. */
static void open_steering(struct sup_opened *o)
{
	struct chassis_shared *sh = &o->shared;
	char why[160];

	o->steer = chassis_steer_new(STEER_ENTRIES, why, sizeof(why));
	if (!o->steer) {
		chassis_log(LOG_WARNING, "no steering, packets take a longer way: %s", why);
		return;
	}
	if (chassis_steer_attach(o->steer, sh->tun_acc[0], ECS_UPLINK) < 0 ||
	    chassis_steer_attach(o->steer, sh->tun_core[0], ECS_DOWNLINK) < 0)
		chassis_log(LOG_WARNING,
			    "no steering, packets take a longer way: the devices refuse it");
	sh->steer_map_fd = chassis_steer_map_fd(o->steer);
}

/* --- the persisted term -------------------------------------------------------------------- */

static int open_state(struct sup_opened *o, char *why, size_t cap)
{
	const char *path = o->config->state_file;
	int fd, e;

	if (!path[0]) {
		if (o->config->srp.present)
			chassis_log(
				LOG_WARNING,
				"no state file is configured: the term does not survive a restart");
		return SRP_OK;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		chassis_log(LOG_WARNING, "state file %s: %s: the term does not survive a restart",
			    path, strerror(errno));
		return SRP_OK;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return fail(why, cap, SRP_EBUSY, "state file %s is in use by another chassisd",
			    path);
	}
	/* Room is taken now, so that a full disk does not forbid a switchover later. */
	e = posix_fallocate(fd, 0, STATE_BYTES);
	if (e)
		chassis_log(LOG_WARNING, "state file %s: %s: the term may not survive a restart",
			    path, strerror(e));
	(void)fchmod(fd, 0600);
	o->shared.state_fd = fd;
	return SRP_OK;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void sweep(void)
{
	struct chassis_nl *n = chassis_nl_open();

	if (!n || chassis_nl_sweep(n, OURS_FROM, OURS_TO, OURS_FROM, OURS_TO) < 0)
		chassis_log(LOG_WARNING,
			    "rules and routes of an earlier life could not be removed");
	chassis_nl_close(n);
}

int sup_open(struct sup_opened *o, const char *operator_path, const char *suffix, char *why,
	     size_t cap)
{
	int rc;

	sup_shared_init(&o->shared, o->config);
	rc = sup_slabs_open(&o->shared);
	if (rc < 0)
		snprintf(why, cap, "out of memory");
	if (rc == SRP_OK)
		rc = sup_memory_open(&o->shared, why, cap);
	if (rc == SRP_OK)
		rc = open_operator(o, operator_path, why, cap);
	if (rc == SRP_OK)
		rc = open_state(o, why, cap);
	if (rc == SRP_OK)
		rc = open_srp(o, why, cap);
	if (rc == SRP_OK)
		rc = open_devices(o, suffix, why, cap);
	if (rc < 0) {
		sup_close(o);
		return rc == SRP_EBUSY ? rc : SRP_EIO;
	}
	/* Only now is it certain that what lies there belongs to nobody any more. */
	sweep();
	o->swept = true;
	open_steering(o);
	return SRP_OK;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void sup_close(struct sup_opened *o)
{
	struct chassis_shared *sh = &o->shared;

	if (o->swept)
		sweep();
	o->swept = false;
	chassis_steer_free(o->steer);
	o->steer = NULL;
	sh->steer_map_fd = -1; /* it was the steering's */
	for (size_t i = 0; i < CHASSIS_SESSMGRS_MAX; i++) {
		shut(&sh->listen_instance[i]);
		shut(&sh->tun_acc[i]);
		shut(&sh->tun_core[i]);
	}
	for (size_t i = 0; i < sh->nhop; i++)
		shut(&sh->hop[i].fd);
	sh->nhop = 0;
	for (size_t i = 0; i <= CHASSIS_SESSMGRS_MAX; i++) {
		shut(&sh->beat_fd[i]);
		shut(&sh->store_fd[i]);
		shut(&sh->ledger_fd[i]);
		shut(&sh->record_fd[i]);
	}
	for (size_t i = 0; i < CHASSIS_RECORDS__N; i++)
		shut(&sh->record_dir[i]);
	shut(&sh->record_journal_fd);
	shut(&sh->listen_control);
	shut(&sh->service_dev_fd);
	shut(&sh->state_fd);
	if (o->operator_path[0])
		(void)unlink(o->operator_path);
	o->operator_path[0] = '\0';
	shut(&sh->operator_fd);
	shut(&sh->entered_fd);
	shut(&sh->running_fd);
	chassis_tls_free(sh->tls);
	sh->tls = NULL;
	sup_slabs_close(sh);
}
