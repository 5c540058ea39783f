#include "config.h"
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chassis/io/conn.h"
#include "srp/err.h"

#define BODY_MAX 16000u

static const struct srp_frame_row rows[256] = {
	[1] = {.name = "small", .min = 2, .max = 64, .states = ~0u},
	[2] = {.name = "large", .min = 0, .max = BODY_MAX, .states = ~0u},
	[3] = {.name = "late", .min = 0, .max = 64, .states = 1u << 1},
};
static const struct srp_frame_table table = {.magic = 0x4331, .version = 1, .row = rows};

/* One end under test, and what its owner was told. */
struct end {
	struct chassis_conn *c;
	unsigned state, ups, downs, frames;
	int err;
	char why[256];
	uint8_t type, flags;
	uint32_t len;
	uint8_t body[BODY_MAX];
	int fd;
	int answer;          /* what rx returns */
	bool close_in_rx;
	size_t to_pull;      /* frames that tx still offers */
	size_t pulled;
};

static struct ev_loop *loop;

static void on_up(void *owner, struct chassis_conn *c)
{
	struct end *e = owner;

	CU_ASSERT_PTR_EQUAL(c, e->c);
	e->ups++;
}

static unsigned on_state(void *owner)
{
	return ((struct end *)owner)->state;
}

static int on_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct end *e = owner;

	e->frames++;
	e->type = h->type;
	e->flags = h->flags;
	e->len = h->len;
	memcpy(e->body, body, h->len);
	e->fd = fd;
	if (e->close_in_rx) {
		chassis_conn_close(e->c);
		e->c = NULL;
	}
	return e->answer;
}

static size_t on_tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	struct end *e = owner;

	if (!e->to_pull || cap < SRP_FRAME_HDR_LEN + 1000)
		return 0;
	srp_frame_put(&table, buf, 2, 0, 1000);
	memset(buf + SRP_FRAME_HDR_LEN, (int)(e->pulled & 0xff), 1000);
	e->to_pull--;
	e->pulled++;
	*more = e->to_pull > 0;
	return SRP_FRAME_HDR_LEN + 1000;
}

static void on_down(void *owner, int err, const char *why)
{
	struct end *e = owner;

	e->downs++;
	e->err = err;
	snprintf(e->why, sizeof(e->why), "%s", why);
	e->c = NULL;
}

static const struct chassis_conn_ops ops = {
	.up = on_up, .state = on_state, .rx = on_rx, .tx = on_tx, .down = on_down};

/* Turns the loop until nothing happens any more: the ends are local, so nothing is on its way. */
static void settle(void)
{
	for (int i = 0; i < 200; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct end *end_new(int fd)
{
	struct end *e = calloc(1, sizeof(*e));

	e->fd = -1;
	e->c = chassis_conn_new(loop, fd, NULL, false, &table, &ops, e);
	return e;
}

static void pair(int fd[2])
{
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

static void begin(void)
{
	loop = ev_loop_new(0);
}

static void end_free(struct end *e)
{
	chassis_conn_close(e->c);
	free(e);
}

static void both_ways(void)
{
	uint8_t body[BODY_MAX];
	int fd[2], before;
	struct end *a, *b;
	uint64_t rx, tx;

	begin();
	before = open_fds();
	pair(fd);
	a = end_new(fd[0]);
	b = end_new(fd[1]);
	memset(body, 7, sizeof(body));
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 1, body, 2, -1), 0);
	CU_ASSERT_EQUAL(a->ups, 0);
	settle();
	CU_ASSERT_EQUAL(a->ups, 1);
	CU_ASSERT_EQUAL(b->ups, 1);
	CU_ASSERT_EQUAL(b->frames, 1);
	CU_ASSERT_EQUAL(b->len, 2);
	CU_ASSERT_EQUAL(chassis_conn_send(b->c, 2, body, BODY_MAX, -1), 0);
	CU_ASSERT_EQUAL(chassis_conn_queued(b->c), BODY_MAX + SRP_FRAME_HDR_LEN);
	settle();
	CU_ASSERT_EQUAL(chassis_conn_queued(b->c), 0);
	CU_ASSERT_EQUAL(a->len, BODY_MAX);
	CU_ASSERT_EQUAL(memcmp(a->body, body, BODY_MAX), 0);
	chassis_conn_bytes(a->c, &rx, &tx);
	CU_ASSERT_EQUAL(rx, BODY_MAX + SRP_FRAME_HDR_LEN);
	CU_ASSERT_EQUAL(tx, 2 + SRP_FRAME_HDR_LEN);
	CU_ASSERT_EQUAL(chassis_conn_export(a->c, "x", body, 16), SRP_ESTATE);
	/* What the table does not permit is not sent. */
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 1, body, 1, -1), SRP_ERANGE);
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 1, body, 65, -1), SRP_ERANGE);
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 9, body, 2, -1), SRP_ETYPE);
	end_free(a);
	settle();
	CU_ASSERT_EQUAL(b->downs, 1);
	CU_ASSERT_EQUAL(b->err, SRP_ECLOSED);
	end_free(b);
	CU_ASSERT_EQUAL(open_fds(), before);
	ev_loop_destroy(loop);
}

/* Three frames in two pieces, cut at every byte. */
static void cut_everywhere(void)
{
	uint8_t s[3 * SRP_FRAME_HDR_LEN + 2 + 0 + 64];
	size_t n = 0;

	srp_frame_put(&table, s, 1, 5, 2);
	s[12] = 1, s[13] = 2;
	n = 14;
	srp_frame_put(&table, s + n, 2, 0, 0);
	n += 12;
	srp_frame_put(&table, s + n, 1, 0, 64);
	memset(s + n + 12, 9, 64);
	n += 12 + 64;
	CU_ASSERT_EQUAL_FATAL(n, sizeof(s));
	begin();
	for (size_t cut = 0; cut <= n; cut++) {
		int fd[2];
		struct end *e;

		pair(fd);
		e = end_new(fd[0]);
		CU_ASSERT_EQUAL(write(fd[1], s, cut), (ssize_t)cut);
		settle();
		CU_ASSERT_EQUAL(e->frames, (cut >= 14) + (cut >= 26) + (cut == n));
		if (cut == 14)
			CU_ASSERT_EQUAL(e->flags, 5);
		CU_ASSERT_EQUAL(write(fd[1], s + cut, n - cut), (ssize_t)(n - cut));
		settle();
		CU_ASSERT_EQUAL(e->frames, 3);
		CU_ASSERT_EQUAL(e->len, 64);
		CU_ASSERT_EQUAL(e->downs, 0);
		/* and the file ended there */
		close(fd[1]);
		settle();
		CU_ASSERT_EQUAL(e->downs, 1);
		CU_ASSERT_EQUAL(e->err, SRP_ECLOSED);
		end_free(e);
	}
	ev_loop_destroy(loop);
}

static void refusal(const uint8_t *bytes, size_t n, unsigned state, int err)
{
	int fd[2];
	struct end *e;

	pair(fd);
	e = end_new(fd[0]);
	e->state = state;
	CU_ASSERT_EQUAL(write(fd[1], bytes, n), (ssize_t)n);
	settle();
	CU_ASSERT_EQUAL(e->downs, 1);
	CU_ASSERT_EQUAL(e->err, err);
	CU_ASSERT(strlen(e->why) > 0);
	CU_ASSERT_EQUAL(e->frames, 0);
	close(fd[1]);
	end_free(e);
}

static void refused_headers(void)
{
	uint8_t h[SRP_FRAME_HDR_LEN];

	begin();
	srp_frame_put(&table, h, 1, 0, 65);
	refusal(h, sizeof(h), 0, SRP_ERANGE);
	srp_frame_put(&table, h, 2, 0, UINT32_MAX);
	refusal(h, sizeof(h), 0, SRP_ERANGE);
	srp_frame_put(&table, h, 1, 0, 1);
	refusal(h, sizeof(h), 0, SRP_ERANGE);
	srp_frame_put(&table, h, 7, 0, 2);
	refusal(h, sizeof(h), 0, SRP_ETYPE);
	srp_frame_put(&table, h, 3, 0, 2);
	refusal(h, sizeof(h), 0, SRP_ESTATE);
	srp_frame_put(&table, h, 1, 0, 2);
	h[0] ^= 1;
	refusal(h, sizeof(h), 0, SRP_EVERSION);
	/* it says that a descriptor comes along, and none does */
	srp_frame_put(&table, h, 2, 0x80, 0);
	refusal(h, sizeof(h), 0, SRP_EFORMAT);
	ev_loop_destroy(loop);
}

static void descriptors(void)
{
	int fd[2], p[2], before;
	struct end *a, *b;
	char byte = 0;

	begin();
	before = open_fds();
	pair(fd);
	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	a = end_new(fd[0]);
	b = end_new(fd[1]);
	chassis_conn_accept_fds(b->c, true);
	/* Between frames without: it must reach its own frame. */
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 2, "one", 3, -1), 0);
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 1, "two", 3, p[1]), 0);
	settle();
	CU_ASSERT_EQUAL(b->frames, 2);
	CU_ASSERT_EQUAL(b->type, 1);
	CU_ASSERT_EQUAL(b->flags, 0);
	CU_ASSERT_FATAL(b->fd >= 0);
	CU_ASSERT_EQUAL(write(b->fd, "z", 1), 1);
	CU_ASSERT_EQUAL(read(p[0], &byte, 1), 1);
	CU_ASSERT_EQUAL(byte, 'z');
	close(b->fd);
	b->fd = -1;
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 1, "three", 5, -1), 0);
	settle();
	CU_ASSERT_EQUAL(b->frames, 3);
	CU_ASSERT_EQUAL(b->fd, -1);
	/* The other end has not asked for any. */
	CU_ASSERT_EQUAL(chassis_conn_send(b->c, 1, "four", 4, p[1]), 0);
	settle();
	CU_ASSERT_EQUAL(a->downs, 1);
	CU_ASSERT_EQUAL(a->err, SRP_EFORMAT);
	CU_ASSERT_EQUAL(a->frames, 0);
	close(p[0]);
	close(p[1]);
	end_free(a);
	end_free(b);
	CU_ASSERT_EQUAL(open_fds(), before);
	ev_loop_destroy(loop);
}

static void queue_limit(void)
{
	static const size_t max = 4u * 1024 * 1024;
	uint8_t body[BODY_MAX] = {0};
	struct end *a;
	size_t queued = 0;
	int fd[2], rc;

	begin();
	pair(fd);
	a = end_new(fd[0]);
	while ((rc = chassis_conn_send(a->c, 2, body, BODY_MAX, -1)) == 0 && queued <= max)
		queued += BODY_MAX + SRP_FRAME_HDR_LEN;
	CU_ASSERT_EQUAL(rc, SRP_ENOSPC);
	CU_ASSERT_EQUAL(chassis_conn_queued(a->c), queued);
	CU_ASSERT(queued > max - BODY_MAX - SRP_FRAME_HDR_LEN);
	/* exactly what is left fits, one byte more does not */
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 2, body, max - queued - SRP_FRAME_HDR_LEN + 1, -1),
	                SRP_ENOSPC);
	CU_ASSERT_EQUAL(chassis_conn_send(a->c, 2, body, max - queued - SRP_FRAME_HDR_LEN, -1), 0);
	CU_ASSERT_EQUAL(chassis_conn_queued(a->c), max);
	/* The reader is gone: what waits goes with the connection. */
	close(fd[1]);
	settle();
	CU_ASSERT_EQUAL(a->downs, 1);
	CU_ASSERT_EQUAL(a->err, SRP_ECLOSED);
	end_free(a);
	ev_loop_destroy(loop);
}

/* The owner is asked only while the socket takes bytes: what is not read stays an object. */
static void pulled(void)
{
	struct end *a, *b;
	size_t a_pulled;
	int fd[2];

	begin();
	pair(fd);
	a = end_new(fd[0]);
	a->to_pull = 100000;
	settle();
	CU_ASSERT(a->pulled > 0);
	CU_ASSERT(a->pulled < 2000);
	CU_ASSERT(chassis_conn_queued(a->c) <= 96u * 1024);
	a->to_pull = 5000;
	b = end_new(fd[1]);
	while (a->to_pull)
		ev_run(loop, EVRUN_ONCE);
	settle();
	CU_ASSERT_EQUAL(b->frames, a->pulled);
	CU_ASSERT_EQUAL(b->body[999], (uint8_t)(a->pulled - 1));
	/* Idle, it is asked again only when kicked. */
	a->to_pull = 1;
	settle();
	CU_ASSERT_EQUAL(a->to_pull, 1);
	chassis_conn_kick(a->c);
	settle();
	CU_ASSERT_EQUAL(a->to_pull, 0);
	CU_ASSERT_EQUAL(b->frames, a->pulled);
	a_pulled = b->frames;
	/* Flushed, it is asked at once: all is in the socket, though no loop has turned. */
	a->to_pull = 3;
	chassis_conn_flush(a->c);
	CU_ASSERT_EQUAL(a->to_pull, 0);
	CU_ASSERT_EQUAL(chassis_conn_queued(a->c), 0);
	end_free(a);
	settle();
	CU_ASSERT_EQUAL(b->frames, a_pulled + 3);
	end_free(b);
	ev_loop_destroy(loop);
}

/* One wake-up reads a bounded number of frames, and none is lost for it. */
static void read_budget(void)
{
	uint8_t s[1000 * SRP_FRAME_HDR_LEN];
	struct end *e;
	int fd[2];

	begin();
	pair(fd);
	for (size_t i = 0; i < 1000; i++)
		srp_frame_put(&table, s + i * SRP_FRAME_HDR_LEN, 2, 0, 0);
	CU_ASSERT_EQUAL(write(fd[1], s, sizeof(s)), (ssize_t)sizeof(s));
	close(fd[1]);
	e = end_new(fd[0]);
	ev_run(loop, EVRUN_ONCE);
	ev_run(loop, EVRUN_ONCE);
	CU_ASSERT(e->frames > 0);
	CU_ASSERT(e->frames <= 512);
	settle();
	CU_ASSERT_EQUAL(e->frames, 1000);
	CU_ASSERT_EQUAL(e->downs, 1);
	CU_ASSERT_EQUAL(e->err, SRP_ECLOSED);
	end_free(e);
	ev_loop_destroy(loop);
}

static void closed_inside(void)
{
	uint8_t s[2 * SRP_FRAME_HDR_LEN];
	struct end *e;
	int fd[2];

	begin();
	srp_frame_put(&table, s, 2, 0, 0);
	srp_frame_put(&table, s + SRP_FRAME_HDR_LEN, 2, 0, 0);
	pair(fd);
	e = end_new(fd[0]);
	e->close_in_rx = true;
	CU_ASSERT_EQUAL(write(fd[1], s, sizeof(s)), (ssize_t)sizeof(s));
	settle();
	CU_ASSERT_EQUAL(e->frames, 1); /* no call after it has closed */
	CU_ASSERT_EQUAL(e->downs, 0);
	close(fd[1]);
	end_free(e);
	/* and the owner that refuses a frame is told why it ended */
	pair(fd);
	e = end_new(fd[0]);
	e->answer = SRP_EFULL;
	CU_ASSERT_EQUAL(write(fd[1], s, sizeof(s)), (ssize_t)sizeof(s));
	settle();
	CU_ASSERT_EQUAL(e->frames, 1);
	CU_ASSERT_EQUAL(e->downs, 1);
	CU_ASSERT_EQUAL(e->err, SRP_EFULL);
	close(fd[1]);
	end_free(e);
	ev_loop_destroy(loop);
}

/* The peer's last words are read although writing to it fails already. */
static void last_words(void)
{
	uint8_t s[SRP_FRAME_HDR_LEN];
	struct end *e;
	int fd[2];

	begin();
	srp_frame_put(&table, s, 2, 0, 0);
	pair(fd);
	e = end_new(fd[0]);
	CU_ASSERT_EQUAL(write(fd[1], s, sizeof(s)), (ssize_t)sizeof(s));
	close(fd[1]);
	CU_ASSERT_EQUAL(chassis_conn_send(e->c, 2, NULL, 0, -1), 0);
	settle();
	CU_ASSERT_EQUAL(e->frames, 1);
	CU_ASSERT_EQUAL(e->downs, 1);
	CU_ASSERT_EQUAL(e->err, SRP_ECLOSED);
	end_free(e);
	ev_loop_destroy(loop);
}

CU_TestInfo chassis_conn_tests[] = {
	{"frames both ways", both_ways},
	{"cut at every byte", cut_everywhere},
	{"refused headers", refused_headers},
	{"descriptors", descriptors},
	{"queue limit", queue_limit},
	{"pulled writes", pulled},
	{"read budget", read_budget},
	{"closed inside a callback", closed_inside},
	{"last words", last_words},
	CU_TEST_INFO_NULL,
};
