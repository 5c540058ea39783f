/* probe: a datagram each millisecond in both directions between two ends, numbered and stamped, to
 * see what a switchover costs.
 *
 *   probe listen ADDRESS PORT
 *   probe connect ADDRESS PORT FROM
 *
 * The listening end sends to whoever has sent to it. Commands on standard input:
 *   go     send
 *   stop   send no more
 *   read   answer with one line of JSON: of the time since the last `read`, how many were sent and
 *          received, how often one came twice or late, the longest gap between two arrivals, the
 *          longest gap between two sendings of this end, the longest time under way
 * Both ends share the machine's monotonic clock. End of file ends. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAGIC     0x70726f62u
#define PERIOD_NS 1000000
#define BURST_MAX 64 /**< sent at once when this process was late */

struct datagram {
	uint32_t magic, pad;
	uint64_t seq;
	int64_t sent_ns;
};

struct window {
	uint64_t sent, received, again;
	int64_t gap_ns, send_gap_ns, under_way_ns;
};

static struct window w;
static uint64_t next_seq, highest; /**< to send; received so far */
static uint8_t seen[1u << 20];     /**< by sequence, to find what comes twice */
static int64_t last_rx, last_tx;   /**< 0: none in this window */
static struct sockaddr_storage peer;
static socklen_t peer_len;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void transmit(int fd)
{
	struct datagram d = {.magic = MAGIC, .seq = next_seq, .sent_ns = now_ns()};

	if (peer_len == 0)
		return;
	if (sendto(fd, &d, sizeof(d), 0, (struct sockaddr *)&peer, peer_len) != (ssize_t)sizeof(d))
		return; /* no route for a moment: it was not sent, and is not counted as sent */
	next_seq++;
	w.sent++;
	if (last_tx != 0 && d.sent_ns - last_tx > w.send_gap_ns)
		w.send_gap_ns = d.sent_ns - last_tx;
	last_tx = d.sent_ns;
}

static void receive(int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct datagram d;

	while (recvfrom(fd, &d, sizeof(d), MSG_DONTWAIT, (struct sockaddr *)&from, &len) ==
	       (ssize_t)sizeof(d)) {
		int64_t now = now_ns();
		uint8_t *s = &seen[d.seq % sizeof(seen)];

		if (d.magic != MAGIC)
			continue;
		if (peer_len == 0) {
			peer = from;
			peer_len = len;
		}
		if (d.seq > highest) {
			for (uint64_t q = highest + 1; q < d.seq && d.seq - q < sizeof(seen); q++)
				seen[q % sizeof(seen)] = 0;
			highest = d.seq;
			*s = 0;
		}
		if (*s) {
			w.again++;
			continue;
		}
		*s = 1;
		w.received++;
		if (last_rx != 0 && now - last_rx > w.gap_ns)
			w.gap_ns = now - last_rx;
		if (now - d.sent_ns > w.under_way_ns)
			w.under_way_ns = now - d.sent_ns;
		last_rx = now;
		len = sizeof(from);
	}
}

static int open_socket(bool listening, const char *addr, const char *port, const char *from)
{
	struct addrinfo hint = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *to, *me;
	int fd, size = 4 << 20;

	if (getaddrinfo(addr, port, &hint, &to) != 0)
		die(addr);
	fd = socket(to->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (listening) {
		if (bind(fd, to->ai_addr, to->ai_addrlen) != 0)
			die(addr);
	} else {
		if (getaddrinfo(from, NULL, &hint, &me) != 0 ||
		    bind(fd, me->ai_addr, me->ai_addrlen) != 0)
			die(from);
		freeaddrinfo(me);
		memcpy(&peer, to->ai_addr, to->ai_addrlen);
		peer_len = to->ai_addrlen;
	}
	freeaddrinfo(to);
	return fd;
}

static void clock_set(int fd, bool on)
{
	struct itimerspec t = {.it_interval = {.tv_nsec = PERIOD_NS},
			       .it_value = {.tv_nsec = 1000}};

	if (!on)
		memset(&t, 0, sizeof(t));
	timerfd_settime(fd, 0, &t, NULL);
	last_tx = 0;
}

static void command(const char *line, int timer)
{
	if (strcmp(line, "go\n") == 0) {
		clock_set(timer, true);
	} else if (strcmp(line, "stop\n") == 0) {
		clock_set(timer, false);
	} else if (strcmp(line, "read\n") == 0) {
		printf("{\"sent\": %llu, \"received\": %llu, \"again\": %llu, \"gap_ms\": %.3f, "
		       "\"send_gap_ms\": %.3f, \"under_way_ms\": %.3f}\n",
		       (unsigned long long)w.sent, (unsigned long long)w.received,
		       (unsigned long long)w.again, (double)w.gap_ns / 1e6,
		       (double)w.send_gap_ns / 1e6, (double)w.under_way_ns / 1e6);
		fflush(stdout);
		w = (struct window){0};
		last_rx = last_tx = 0; /* what lies between two windows is no gap */
		return;
	}
	printf("done\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	bool listening = argc == 4 && strcmp(argv[1], "listen") == 0;
	struct sched_param rt = {.sched_priority = 10};
	struct pollfd pf[3];
	char line[64];
	int fd, timer;

	if (!listening && (argc != 5 || strcmp(argv[1], "connect") != 0)) {
		fprintf(stderr, "usage: probe listen ADDRESS PORT\n"
				"       probe connect ADDRESS PORT FROM\n");
		return EXIT_FAILURE;
	}
	next_seq = 1;
	fd = open_socket(listening, argv[2], argv[3], listening ? NULL : argv[4]);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer < 0)
		die("timer");
	/* Without the right to it the gaps are those of a busy machine as well. */
	(void)sched_setscheduler(0, SCHED_FIFO, &rt);
	setvbuf(stdin, NULL, _IONBF, 0);
	printf("ready\n");
	fflush(stdout);
	pf[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	pf[1] = (struct pollfd){.fd = fd, .events = POLLIN};
	pf[2] = (struct pollfd){.fd = timer, .events = POLLIN};
	for (;;) {
		uint64_t ticks = 0;

		if (poll(pf, 3, -1) < 0 && errno != EINTR)
			die("poll");
		receive(fd);
		if (read(timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
			for (uint64_t i = 0; i < ticks && i < BURST_MAX; i++)
				transmit(fd);
		if (pf[0].revents != 0) {
			if (fgets(line, sizeof(line), stdin) == NULL)
				return EXIT_SUCCESS;
			command(line, timer);
		}
	}
}
