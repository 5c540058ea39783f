#include "config.h"

#include "suites.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include "chassis/io/netlink.h"
#include "chassis/io/tun.h"
#include "netns.h"
#include "srp/err.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define WAIT_MS 2000 /**< only a failing test waits so long */

static uint8_t buf[CHASSIS_TUN_PKT_MAX + 64];

static bool can_open(void)
{
	if (access("/dev/net/tun", R_OK | W_OK) == 0)
		return true;
	printf("\n    skipped: /dev/net/tun is needed ");
	return false;
}

/** Reads until a packet of @p version and @p proto comes; false when there is none. */
static bool read_packet(int fd, uint8_t version, uint8_t proto, struct chassis_tun_pkt *p)
{
	struct pollfd pf = {.fd = fd, .events = POLLIN};

	for (;;) {
		int rc = chassis_tun_read(fd, buf, p);

		if (rc == SRP_EAGAIN && poll(&pf, 1, WAIT_MS) == 1)
			continue;
		if (rc != 0)
			return false;
		if (p->ip[0] >> 4 == version && p->ip[version == 4 ? 9 : 6] == proto)
			return true;
	}
}

/** Source and destination change places; no checksum changes by that. */
static void turn_round(struct chassis_tun_pkt *p)
{
	size_t at = p->ip[0] >> 4 == 4 ? 12 : 8, n = p->ip[0] >> 4 == 4 ? 4 : 16;
	uint8_t tmp[16];

	memcpy(tmp, p->ip + at, n);
	memcpy(p->ip + at, p->ip + at + n, n);
	memcpy(p->ip + at + n, tmp, n);
}

static bool setup_pair(int *a, int *b)
{
	char why[160] = "";

	CU_ASSERT_FATAL(chassis_tun_open("h-acc", 1, a, why, sizeof(why)) == 0);
	CU_ASSERT_FATAL(chassis_tun_open("h-core", 1, b, why, sizeof(why)) == 0);
	return netns_run("ip addr add 10.9.0.1/24 dev h-acc") &&
	       chassis_sysctl("ipv4/conf/all/rp_filter", "0") == 0 &&
	       chassis_sysctl("ipv4/conf/h-core/rp_filter", "0") == 0;
}

static void test_open_limits(void)
{
	int home, fd, many[257];
	char why[160];

	if (!can_open() || (home = netns_enter()) < 0)
		return;
	CU_ASSERT(chassis_tun_open("h-0", 0, many, why, sizeof(why)) == SRP_ERANGE);
	CU_ASSERT(chassis_tun_open("h-0", 257, many, why, sizeof(why)) == SRP_ERANGE);
	CU_ASSERT(chassis_tun_open("", 1, many, why, sizeof(why)) == SRP_EINVAL);
	CU_ASSERT(chassis_tun_open("sixteen-letters-", 1, many, why, sizeof(why)) == SRP_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "1 to 15"));
	CU_ASSERT(chassis_tun_open("fifteen-letters", 32, many, why, sizeof(why)) == 0);
	CU_ASSERT(if_nametoindex("fifteen-letters") != 0);
	/* The name is taken, by a device of either kind. */
	CU_ASSERT(chassis_tun_open("fifteen-letters", 1, &fd, why, sizeof(why)) == SRP_EDUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "fifteen-letters exists already"));
	CU_ASSERT(chassis_tun_dummy("fifteen-letters", &fd, why, sizeof(why)) == SRP_EDUP);
	CU_ASSERT(chassis_tun_open("lo", 1, &fd, why, sizeof(why)) == SRP_EDUP);
	for (size_t i = 0; i < 32; i++)
		close(many[i]);
	CU_ASSERT(if_nametoindex("fifteen-letters") == 0);
	netns_leave(home);
}

static void test_dummy_vanishes(void)
{
	int home, fd = -1;
	char why[160];

	if (!can_open() || (home = netns_enter()) < 0)
		return;
	CU_ASSERT_FATAL(chassis_tun_dummy("h-svc", &fd, why, sizeof(why)) == 0);
	CU_ASSERT(netns_run("ip addr add 192.0.2.9/32 dev h-svc"));
	CU_ASSERT(netns_run("ip route get 192.0.2.9 | grep -q local"));
	close(fd);
	CU_ASSERT(if_nametoindex("h-svc") == 0);
	CU_ASSERT(!netns_run("ip route get 192.0.2.9 | grep -q local"));
	netns_leave(home);
}

/** One UDP datagram, its checksum still to be made, from one device to the other. */
static void test_partial_checksum(void)
{
	int home, a, b, s;
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_port = htons(5000)}, to;
	struct chassis_tun_pkt p;
	struct pollfd pf = {.events = POLLIN};
	char got[64] = "";

	if (!can_open() || (home = netns_enter()) < 0)
		return;
	CU_ASSERT_FATAL(setup_pair(&a, &b));
	s = pf.fd = socket(AF_INET, SOCK_DGRAM, 0);
	inet_pton(AF_INET, "10.9.0.1", &me.sin_addr);
	to = me;
	inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
	CU_ASSERT_FATAL(bind(s, (struct sockaddr *)&me, sizeof(me)) == 0);
	CU_ASSERT(sendto(s, "hello there", 12, 0, (struct sockaddr *)&to, sizeof(to)) == 12);
	CU_ASSERT_FATAL(read_packet(a, 4, IPPROTO_UDP, &p));
	CU_ASSERT(p.len == 20 + 8 + 12);
	CU_ASSERT(p.gso_size == 0);
	CU_ASSERT(p.vnet[0] & 1); /* the checksum is left to us */
	turn_round(&p);
	CU_ASSERT(chassis_tun_write(b, &p) == 0);
	CU_ASSERT(poll(&pf, 1, WAIT_MS) == 1);
	CU_ASSERT(recv(s, got, sizeof(got), MSG_DONTWAIT) == 12);
	CU_ASSERT_STRING_EQUAL(got, "hello there");
	/* The same where there is no place for the header in front of the packet. */
	CU_ASSERT(p.headed);
	p.headed = false;
	memset(p.ip - sizeof(p.vnet), 0xff, sizeof(p.vnet));
	memset(got, 0, sizeof(got));
	CU_ASSERT(chassis_tun_write(b, &p) == 0);
	CU_ASSERT(poll(&pf, 1, WAIT_MS) == 1);
	CU_ASSERT(recv(s, got, sizeof(got), MSG_DONTWAIT) == 12);
	CU_ASSERT_STRING_EQUAL(got, "hello there");
	/* Nothing more to read; a packet of nonsense is refused. */
	CU_ASSERT(chassis_tun_read(b, buf, &p) == SRP_EAGAIN);
	p = (struct chassis_tun_pkt){.ip = buf, .len = 0};
	CU_ASSERT(chassis_tun_write(b, &p) == SRP_EIO);
	close(s);
	close(a);
	close(b);
	netns_leave(home);
}

/** Ten datagrams sent as one super-packet, and how much of them came back. */
static void test_udp_segments(void)
{
	enum { N = 10, SIZE = 1000 };
	int home, a, b, s, size = SIZE, got = 0;
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_port = htons(5000)}, to;
	struct chassis_tun_pkt p;
	struct pollfd pf = {.events = POLLIN};
	static uint8_t data[N * SIZE], back[2 * SIZE];

	if (!can_open() || (home = netns_enter()) < 0)
		return;
	CU_ASSERT_FATAL(setup_pair(&a, &b));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / SIZE);
	s = pf.fd = socket(AF_INET, SOCK_DGRAM, 0);
	inet_pton(AF_INET, "10.9.0.1", &me.sin_addr);
	to = me;
	inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
	CU_ASSERT_FATAL(bind(s, (struct sockaddr *)&me, sizeof(me)) == 0);
	if (setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) == 0) {
		CU_ASSERT(sendto(s, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)) ==
			  (ssize_t)sizeof(data));
		while (got < N && read_packet(a, 4, IPPROTO_UDP, &p)) {
			/* One super-packet where the kernel can, else its segments. */
			if (p.gso_size != 0)
				CU_ASSERT(p.gso_size == SIZE && p.len == 28 + sizeof(data));
			turn_round(&p);
			CU_ASSERT(chassis_tun_write(b, &p) == 0);
			while (got < N && poll(&pf, 1, 0) == 1) {
				CU_ASSERT(recv(s, back, sizeof(back), 0) == SIZE);
				CU_ASSERT(memcmp(back, data + got * SIZE, SIZE) == 0);
				got++;
			}
		}
		CU_ASSERT(got == N);
	} else {
		printf("\n    skipped: no UDP segmentation here ");
	}
	close(s);
	close(a);
	close(b);
	netns_leave(home);
}

#define TCP_BYTES (4u << 20)

struct tcp_run {
	int out, in, listener;
	size_t sent, received;
	bool intact;
	unsigned supers;
};

static uint8_t tcp_byte(size_t i)
{
	return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

static void tcp_move(struct tcp_run *r)
{
	static uint8_t chunk[65536];
	ssize_t n;

	if (r->in < 0)
		r->in = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK);
	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = tcp_byte(r->sent + i);
	n = TCP_BYTES - r->sent < sizeof(chunk) ? (ssize_t)(TCP_BYTES - r->sent)
						: (ssize_t)sizeof(chunk);
	n = n == 0 ? 0 : send(r->out, chunk, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	r->sent += n > 0 ? (size_t)n : 0;
	while (r->in >= 0 && (n = recv(r->in, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < n; i++)
			r->intact = r->intact && chunk[i] == tcp_byte(r->received++);
}

/** Both ends of a TCP connection are ours: what leaves by h-acc comes back by h-core. */
static void test_tcp_super_packets(void)
{
	int home, a, b, idle = 0;
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_port = htons(5001)}, to;
	struct chassis_tun_pkt p;
	struct tcp_run r = {.in = -1, .intact = true};

	if (!can_open() || (home = netns_enter()) < 0)
		return;
	CU_ASSERT_FATAL(setup_pair(&a, &b));
	inet_pton(AF_INET, "10.9.0.1", &me.sin_addr);
	to = me;
	inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
	r.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r.out = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_FATAL(bind(r.listener, (struct sockaddr *)&me, sizeof(me)) == 0 &&
			listen(r.listener, 1) == 0);
	CU_ASSERT(connect(r.out, (struct sockaddr *)&to, sizeof(to)) == -1 && errno == EINPROGRESS);
	while (r.received < TCP_BYTES && idle < 20) {
		struct pollfd pf = {.fd = a, .events = POLLIN};

		tcp_move(&r);
		idle = poll(&pf, 1, 100) == 1 ? 0 : idle + 1;
		while (chassis_tun_read(a, buf, &p) == 0) {
			if (p.ip[0] >> 4 != 4)
				continue;
			r.supers += p.gso_size != 0 && p.len > 2u * p.gso_size;
			turn_round(&p);
			CU_ASSERT(chassis_tun_write(b, &p) == 0);
		}
	}
	CU_ASSERT(r.received == TCP_BYTES);
	CU_ASSERT(r.intact);
	CU_ASSERT(r.supers > 0);
	close(r.listener);
	close(r.out);
	if (r.in >= 0)
		close(r.in);
	close(a);
	close(b);
	netns_leave(home);
}

/** Sends a datagram and says which queue has it; -1: none. */
static int queue_of(const int *fds, size_t n, const char *from, const char *to)
{
	struct ecs_addr src = netns_addr(from), dst = netns_addr(to);
	bool v4 = ecs_addr_is4(&dst);
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(9)}, me = sa;
	struct chassis_tun_pkt p;
	int s = socket(AF_INET6, SOCK_DGRAM, 0), found = -1;

	memcpy(&me.sin6_addr, src.b, 16);
	memcpy(&sa.sin6_addr, dst.b, 16);
	CU_ASSERT_FATAL(bind(s, (struct sockaddr *)&me, sizeof(me)) == 0);
	CU_ASSERT_FATAL(sendto(s, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)) == 1);
	for (size_t i = 0; i < n; i++)
		while (chassis_tun_read(fds[i], buf, &p) == 0)
			if (p.ip[0] >> 4 == (v4 ? 4 : 6) && p.ip[v4 ? 9 : 6] == IPPROTO_UDP)
				found = (int)i;
	close(s);
	return found;
}

static void test_steering(void)
{
	int home, fds[4];
	char why[160] = "";
	struct chassis_steer *s, *other;
	struct ecs_addr v4 = netns_addr("10.9.0.7"), v6 = netns_addr("2001:db8:0:7::1");
	struct ecs_addr me = netns_addr("10.9.0.1");

	if (!can_open() || (home = netns_enter()) < 0)
		return;
	CU_ASSERT_FATAL(chassis_tun_open("h-core", 4, fds, why, sizeof(why)) == 0);
	CU_ASSERT_FATAL(netns_run("ip addr add 10.9.0.1/24 dev h-core && ip -6 addr add "
				  "2001:db8::1/32 nodad dev h-core"));
	s = chassis_steer_new(3, why, sizeof(why));
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT(chassis_steer_attach(s, fds[0], ECS_DOWNLINK) == 0);
	/* A miss goes to queue 0; a subscriber to its own, by address or /64. */
	CU_ASSERT(queue_of(fds, 4, "10.9.0.1", "10.9.0.7") == 0);
	CU_ASSERT(chassis_steer_set(s, &v4, 2) == 0 && chassis_steer_set(s, &v6, 3) == 0);
	CU_ASSERT(queue_of(fds, 4, "10.9.0.1", "10.9.0.7") == 2);
	CU_ASSERT(queue_of(fds, 4, "10.9.0.1", "10.9.0.8") == 0);
	CU_ASSERT(queue_of(fds, 4, "2001:db8::1", "2001:db8:0:7:ffff::2") == 3);
	CU_ASSERT(queue_of(fds, 4, "2001:db8::1", "2001:db8:0:8::1") == 0);
	/* Another process has the map alone. */
	other = chassis_steer_from_map(dup(chassis_steer_map_fd(s)));
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	CU_ASSERT(chassis_steer_set(other, &v4, 1) == 0);
	CU_ASSERT(queue_of(fds, 4, "10.9.0.1", "10.9.0.7") == 1);
	CU_ASSERT(chassis_steer_attach(other, fds[0], ECS_UPLINK) == SRP_ESTATE);
	CU_ASSERT(chassis_steer_del(other, &v4) == 0);
	CU_ASSERT(chassis_steer_del(other, &v4) == SRP_ENOENT);
	CU_ASSERT(queue_of(fds, 4, "10.9.0.1", "10.9.0.7") == 0);
	/* By the source; a program is replaced. */
	CU_ASSERT(chassis_steer_attach(s, fds[1], ECS_UPLINK) == 0);
	CU_ASSERT(chassis_steer_set(s, &me, 1) == 0);
	CU_ASSERT(queue_of(fds, 4, "10.9.0.1", "10.9.0.7") == 1);
	CU_ASSERT(queue_of(fds, 4, "2001:db8::1", "2001:db8:0:7::1") == 0);
	/* The limit, and one past it. */
	CU_ASSERT(chassis_steer_set(s, &v4, 1) == 0);
	v4.b[15]++;
	CU_ASSERT(chassis_steer_set(s, &v4, 1) == SRP_EFULL);
	chassis_steer_free(other);
	chassis_steer_free(s);
	/* The device keeps its program, and the program the map. */
	CU_ASSERT(queue_of(fds, 4, "10.9.0.1", "10.9.0.7") == 1);
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);
	netns_leave(home);
}

CU_TestInfo chassis_tun_tests[] = {
	{"limits of names and queues, a name that is taken", test_open_limits},
	{"the service device vanishes with its descriptor", test_dummy_vanishes},
	{"a checksum left to us arrives whole", test_partial_checksum},
	{"UDP segments through both devices", test_udp_segments},
	{"TCP super-packets through both devices", test_tcp_super_packets},
	{"steering by address and prefix, both directions", test_steering},
	CU_TEST_INFO_NULL,
};
