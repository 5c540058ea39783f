/* pps: numbered datagrams at a steady rate from many subscribers, and who counts what came of them.
 *
 *   pps send FIRST SESSIONS FLOWS SERVER PORT LENGTH   from FIRST, FIRST + 1, ...; FLOWS flows of each, to
 *                                                      PORT, PORT + 1, ...; datagrams of LENGTH bytes
 *   pps receive ADDRESS PORT FLOWS
 *   pps copy DEVICE DEVICE     makes two TUN devices, and writes to each what is read from the other, with
 *                              the header and offloads of the chassis; does nothing else
 *
 * The addresses of the subscribers need a local route, no device. Datagram n belongs to flow n * STRIDE
 * modulo all flows, so that each flow has its turn, and neighbours are far from each other. Commands on
 * standard input, each answered by one line:
 *   go RATE      (send) datagrams a second from now on; 0: as fast as it goes
 *   count N      (send) N more at the rate, then stop
 *   stop         (send)
 *   read         JSON. send: next, the number that comes next. receive: received and again, since the last
 *                `read`; missing, of the numbers between the lowest and the highest that came; dropped, by
 *                this socket; gaps, the longest between two arrivals, [end, length] in ns of the realtime
 *                clock as the kernel stamped them
 * End of file ends. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC      0x7070736du
#define STRIDE     7919u        /**< a prime; the number of flows is no multiple of it */
#define BATCH      32
#define LENGTH_MAX 1400
#define LATE_NS    50000000     /**< who is later than this does not catch up */
#define SOURCE     20000        /**< port of the subscribers */
#define FLOWS_MAX  16
#define NUMBERS    (1u << 28)   /**< that can be told apart */
#define GAPS       512

struct datagram {
	uint32_t magic, pad;
	uint64_t number;
};

static void die(const char *what)
{
	fprintf(stderr, "pps: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_socket(uint32_t addr, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port),
				.sin_addr.s_addr = addr};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = 128 << 20, on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0)
		die("SO_TIMESTAMPNS");
	return fd;
}

/** A line of standard input; false at its end. */
static bool command(char *line, size_t len)
{
	if (fgets(line, (int)len, stdin) == NULL)
		return false;
	line[strcspn(line, "\n")] = 0;
	return true;
}

static void done(void)
{
	printf("done\n");
	fflush(stdout);
}

/* --- sending ---------------------------------------------------------------------------------------- */

struct sender {
	int fd;
	uint32_t first, sessions, flows, server; /**< addresses in host order */
	uint16_t port;
	size_t length;
	uint64_t next, until;      /**< until: the number to stop at */
	bool going;
	int64_t period_ns, due_ns; /**< 0: as fast as it goes */
};

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void fill(const struct sender *s, uint64_t number, struct msghdr *m, uint8_t *body,
		 struct iovec *v, struct sockaddr_in *to, union control *c)
{
	uint32_t flow = (uint32_t)(number * STRIDE % ((uint64_t)s->sessions * s->flows));
	struct datagram d = {.magic = MAGIC, .number = number};
	struct in_pktinfo from = {
		.ipi_spec_dst.s_addr = htonl(s->first + flow % s->sessions)};
	struct cmsghdr *h;

	memcpy(body, &d, sizeof(d));
	*v = (struct iovec){.iov_base = body, .iov_len = s->length};
	*to = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)(s->port + flow / s->sessions)),
				   .sin_addr.s_addr = htonl(s->server)};
	memset(c, 0, sizeof(*c));
	*m = (struct msghdr){.msg_name = to, .msg_namelen = sizeof(*to), .msg_iov = v,
			     .msg_iovlen = 1, .msg_control = c->buf,
			     .msg_controllen = sizeof(c->buf)};
	h = CMSG_FIRSTHDR(m);
	h->cmsg_level = IPPROTO_IP;
	h->cmsg_type = IP_PKTINFO;
	h->cmsg_len = CMSG_LEN(sizeof(from));
	memcpy(CMSG_DATA(h), &from, sizeof(from));
}

/** Sends what is due, at most a batch; a number that could not be sent is tried again. */
static void transmit(struct sender *s, unsigned n)
{
	static uint8_t body[BATCH][LENGTH_MAX];
	static struct mmsghdr m[BATCH];
	static struct sockaddr_in to[BATCH];
	static struct iovec v[BATCH];
	static union control c[BATCH];
	int sent;

	for (unsigned i = 0; i < n; i++)
		fill(s, s->next + i, &m[i].msg_hdr, body[i], &v[i], &to[i], &c[i]);
	sent = sendmmsg(s->fd, m, n, 0);
	if (sent < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
		die("sendmmsg");
	if (sent > 0) {
		s->next += (uint64_t)sent;
		s->due_ns += sent * s->period_ns;
	}
}

/** How many are due now; *wait_ms: until the next one. */
static unsigned due(struct sender *s, int *wait_ms)
{
	int64_t now = now_ns(CLOCK_MONOTONIC), n = BATCH;

	*wait_ms = -1;
	if (!s->going)
		return 0;
	*wait_ms = 0;
	if (s->period_ns > 0) {
		if (now - s->due_ns > LATE_NS)
			s->due_ns = now - LATE_NS;
		n = now < s->due_ns ? 0 : (now - s->due_ns) / s->period_ns + 1;
		if (n == 0)
			*wait_ms = 1;
	}
	if (n > BATCH)
		n = BATCH;
	if ((uint64_t)n > s->until - s->next)
		n = (int64_t)(s->until - s->next);
	if (s->next == s->until)
		s->going = false;
	return (unsigned)n;
}

static void sender_command(struct sender *s, const char *line)
{
	unsigned long long n;

	if (sscanf(line, "go %llu", &n) == 1) {
		s->period_ns = n > 0 ? 1000000000 / (int64_t)n : 0;
		s->due_ns = now_ns(CLOCK_MONOTONIC);
		s->until = UINT64_MAX;
		s->going = true;
	} else if (sscanf(line, "count %llu", &n) == 1) {
		s->due_ns = now_ns(CLOCK_MONOTONIC);
		s->until = s->next + n;
		s->going = true;
	} else if (strcmp(line, "stop") == 0) {
		s->going = false;
	} else if (strcmp(line, "read") == 0) {
		printf("{\"next\": %llu, \"going\": %s}\n", (unsigned long long)s->next,
		       s->going ? "true" : "false");
		fflush(stdout);
		return;
	}
	done();
}

static int send_all(char **argv)
{
	struct pollfd pf = {.fd = STDIN_FILENO, .events = POLLIN};
	struct in_addr first, server;
	struct sender s = {0};
	char line[64];
	int wait_ms;

	if (inet_pton(AF_INET, argv[2], &first) != 1 || inet_pton(AF_INET, argv[5], &server) != 1)
		die("address");
	s.first = ntohl(first.s_addr);
	s.server = ntohl(server.s_addr);
	s.sessions = (uint32_t)strtoul(argv[3], NULL, 10);
	s.flows = (uint32_t)strtoul(argv[4], NULL, 10);
	s.port = (uint16_t)strtoul(argv[6], NULL, 10);
	s.length = strtoul(argv[7], NULL, 10);
	if (s.sessions == 0 || s.flows == 0 || s.flows > FLOWS_MAX ||
	    s.sessions * s.flows % STRIDE == 0 || s.length < sizeof(struct datagram) ||
	    s.length > LENGTH_MAX)
		die("numbers");
	s.fd = open_socket(INADDR_ANY, SOURCE);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		unsigned n = due(&s, &wait_ms);

		if (n > 0)
			transmit(&s, n);
		if (poll(&pf, 1, n > 0 ? 0 : wait_ms) > 0) {
			if (!command(line, sizeof(line)))
				return EXIT_SUCCESS;
			sender_command(&s, line);
		}
	}
}

/* --- receiving -------------------------------------------------------------------------------------- */

struct gap {
	int64_t end_ns, length_ns;
};

static struct {
	uint8_t *seen;             /**< a bit for each number */
	uint64_t received, again, lowest, highest, distinct;
	int64_t last_ns;
	struct gap gap[GAPS];      /**< the longest first */
	unsigned ngaps;
} rx;

static void gap_add(int64_t end_ns, int64_t length_ns)
{
	unsigned at = rx.ngaps;

	while (at > 0 && rx.gap[at - 1].length_ns < length_ns)
		at--;
	if (at == GAPS)
		return;
	if (rx.ngaps < GAPS)
		rx.ngaps++;
	memmove(&rx.gap[at + 1], &rx.gap[at], (rx.ngaps - at - 1) * sizeof(rx.gap[0]));
	rx.gap[at] = (struct gap){end_ns, length_ns};
}

static void arrived(const struct datagram *d, int64_t at_ns)
{
	uint8_t bit = (uint8_t)(1u << (d->number & 7));
	uint8_t *byte = &rx.seen[d->number % NUMBERS / 8];

	rx.received++;
	if (*byte & bit) {
		rx.again++;
		return;
	}
	*byte |= bit;
	if (rx.distinct++ == 0)
		rx.lowest = rx.highest = d->number;
	if (d->number < rx.lowest)
		rx.lowest = d->number;
	if (d->number > rx.highest)
		rx.highest = d->number;
	if (rx.last_ns != 0 && at_ns > rx.last_ns)
		gap_add(at_ns, at_ns - rx.last_ns);
	if (at_ns > rx.last_ns)
		rx.last_ns = at_ns;
}

static int64_t stamp(struct msghdr *m)
{
	struct timespec t;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(h), sizeof(t));
			return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
		}
	return now_ns(CLOCK_REALTIME);
}

static void receive(int fd)
{
	static struct datagram d[BATCH];
	static struct mmsghdr m[BATCH];
	static struct iovec v[BATCH];
	static char c[BATCH][128];
	int n;

	do {
		for (unsigned i = 0; i < BATCH; i++) {
			v[i] = (struct iovec){.iov_base = &d[i], .iov_len = sizeof(d[i])};
			m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1,
						       .msg_control = c[i],
						       .msg_controllen = sizeof(c[i])};
		}
		n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			if (m[i].msg_len == sizeof(d[i]) && d[i].magic == MAGIC)
				arrived(&d[i], stamp(&m[i].msg_hdr));
	} while (n == BATCH);
}

static unsigned long long dropped(const int *fd, unsigned n)
{
	unsigned long long sum = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t info[SK_MEMINFO_VARS] = {0};
		socklen_t len = sizeof(info);

		if (getsockopt(fd[i], SOL_SOCKET, SO_MEMINFO, info, &len) == 0)
			sum += info[SK_MEMINFO_DROPS];
	}
	return sum;
}

static void report(const int *fd, unsigned n)
{
	uint64_t span = rx.distinct > 0 ? rx.highest - rx.lowest + 1 : 0;

	printf("{\"received\": %llu, \"again\": %llu, \"missing\": %llu, \"lowest\": %llu, "
	       "\"highest\": %llu, \"dropped\": %llu, \"gaps\": [",
	       (unsigned long long)rx.received, (unsigned long long)rx.again,
	       (unsigned long long)(span - rx.distinct), (unsigned long long)rx.lowest,
	       (unsigned long long)rx.highest, dropped(fd, n));
	for (unsigned i = 0; i < rx.ngaps; i++)
		printf("%s[%lld, %lld]", i > 0 ? ", " : "", (long long)rx.gap[i].end_ns,
		       (long long)rx.gap[i].length_ns);
	printf("]}\n");
	fflush(stdout);
	rx.received = rx.again = rx.distinct = 0;
	rx.ngaps = 0;
	rx.last_ns = 0; /* what lies between two windows is no gap */
}

static int receive_all(char **argv)
{
	struct pollfd pf[FLOWS_MAX + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	unsigned n = (unsigned)strtoul(argv[4], NULL, 10);
	int fd[FLOWS_MAX];
	struct in_addr own;
	char line[64];

	if (n == 0 || n > FLOWS_MAX || inet_pton(AF_INET, argv[2], &own) != 1)
		die("arguments");
	rx.seen = calloc(NUMBERS / 8, 1);
	if (rx.seen == NULL)
		die("memory");
	for (unsigned i = 0; i < n; i++) {
		fd[i] = open_socket(own.s_addr, (uint16_t)(strtoul(argv[3], NULL, 10) + i));
		pf[i + 1] = (struct pollfd){.fd = fd[i], .events = POLLIN};
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		if (poll(pf, n + 1, -1) < 0 && errno != EINTR)
			die("poll");
		for (unsigned i = 0; i < n; i++)
			receive(fd[i]);
		if (pf[0].revents == 0)
			continue;
		if (!command(line, sizeof(line)))
			return EXIT_SUCCESS;
		if (strcmp(line, "read") == 0)
			report(fd, n);
		else
			done();
	}
}

/* --- the bare way from device to device ------------------------------------------------------------- */

static int open_tun(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0 ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0)
		die(name);
	return fd;
}

static int copy_all(char **argv)
{
	static uint8_t frame[1 << 17];
	int fd[2] = {open_tun(argv[2]), open_tun(argv[3])};
	struct pollfd pf[3] = {{.fd = fd[0], .events = POLLIN}, {.fd = fd[1], .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN}};

	printf("ready\n");
	fflush(stdout);
	while (pf[2].revents == 0) {
		if (poll(pf, 3, -1) < 0 && errno != EINTR)
			die("poll");
		for (unsigned i = 0; i < 2; i++)
			for (unsigned k = 0; k < BATCH; k++) {
				ssize_t n = read(fd[i], frame, sizeof(frame));

				if (n < 0)
					break;
				if (write(fd[!i], frame, (size_t)n) < 0 && errno != EAGAIN && errno != EIO)
					die("write");
			}
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	setvbuf(stdin, NULL, _IONBF, 0);
	if (argc == 8 && strcmp(argv[1], "send") == 0)
		return send_all(argv);
	if (argc == 5 && strcmp(argv[1], "receive") == 0)
		return receive_all(argv);
	if (argc == 4 && strcmp(argv[1], "copy") == 0)
		return copy_all(argv);
	fprintf(stderr, "usage: pps send FIRST SESSIONS FLOWS SERVER PORT LENGTH\n"
			"       pps receive ADDRESS PORT FLOWS\n"
			"       pps copy DEVICE DEVICE\n");
	return EXIT_FAILURE;
}
