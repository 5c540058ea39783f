#include "config.h"

#include "suites.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "chassis/io/announce.h"
#include "chassis/io/netlink.h"
#include "netns.h"
#include "srp/err.h"

#define WAIT_MS 2000 /**< only a failing test waits so long */

static const uint8_t stranger[6] = {2, 0, 0, 0, 0, 0x66};
static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};

/** Two ends of a cable: we announce on one, the test speaks and listens on the other. */
struct bed {
	int home;
	struct ev_loop *loop;
	struct chassis_announce *a;
	int wire;
	uint8_t mac[6]; /**< of the announcing end */
	struct ecs_addr v4, v6;
	int conflicts, probed;
	bool free, free_in_call;
	struct ecs_addr conflict_addr;
	uint8_t conflict_mac[6];
};

static void on_conflict(void *owner, const struct ecs_addr *a, const uint8_t mac[6])
{
	struct bed *b = owner;

	b->conflicts++;
	b->conflict_addr = *a;
	memcpy(b->conflict_mac, mac, 6);
	if (b->free_in_call) {
		chassis_announce_free(b->a);
		b->a = NULL;
	}
}

static void on_probed(void *owner, bool is_free)
{
	struct bed *b = owner;

	b->probed++;
	b->free = is_free;
}

static const struct chassis_announce_ops ops = {on_conflict, on_probed};

static bool bed_up(struct bed *b)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct ecs_addr both[2];

	*b = (struct bed){.home = netns_enter()};
	if (b->home < 0)
		return false;
	CU_ASSERT_FATAL(netns_run("ip link add h-a type veth peer name h-b && "
				  "sysctl -qw net.ipv6.conf.h-a.addr_gen_mode=1 "
				  "net.ipv6.conf.h-b.disable_ipv6=1 && "
				  "ip link set h-a up && ip link set h-b up"));
	CU_ASSERT_FATAL(chassis_nl_mac("h-a", b->mac) == 0);
	b->wire = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	ll.sll_ifindex = (int)if_nametoindex("h-b");
	CU_ASSERT_FATAL(bind(b->wire, (struct sockaddr *)&ll, sizeof(ll)) == 0);
	b->loop = ev_loop_new(EVFLAG_AUTO);
	b->a = chassis_announce_new(b->loop, "h-a", &ops, b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->a);
	b->v4 = both[0] = netns_addr("192.0.2.1");
	b->v6 = both[1] = netns_addr("2001:db8::12:3456");
	CU_ASSERT(chassis_announce_set(b->a, both, 2) == 0);
	return true;
}

static void bed_down(struct bed *b)
{
	chassis_announce_free(b->a);
	ev_loop_destroy(b->loop);
	close(b->wire);
	netns_leave(b->home);
}

/** One frame that the announcing end has sent, ARP or neighbour discovery; 0: none. */
static size_t heard(struct bed *b, uint8_t *f, size_t cap, int wait_ms)
{
	struct pollfd pf = {.fd = b->wire, .events = POLLIN};
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);

	for (;;) {
		ssize_t n;

		ev_run(b->loop, EVRUN_NOWAIT);
		if (poll(&pf, 1, wait_ms > 0) != 1) {
			if (wait_ms-- <= 0)
				return 0;
			continue;
		}
		n = recvfrom(b->wire, f, cap, 0, (struct sockaddr *)&from, &len);
		if (n < 42 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (f[12] == 8 && f[13] == 6)
			return (size_t)n;
		if (f[12] == 0x86 && f[20] == 58 && (f[54] == 135 || f[54] == 136))
			return (size_t)n;
	}
}

/** Runs the loop until @p count has been counted up, or nothing comes any more. */
static void run_until(struct bed *b, const int *count, int at_least)
{
	for (int i = 0; i < WAIT_MS && *count < at_least; i++) {
		ev_run(b->loop, EVRUN_NOWAIT);
		if (*count < at_least)
			poll(NULL, 0, 1);
	}
}

static void speak(struct bed *b, const uint8_t *f, size_t len)
{
	CU_ASSERT(send(b->wire, f, len, 0) == (ssize_t)len);
}

static size_t arp(uint8_t *f, const uint8_t *mac, uint8_t op, const uint8_t *spa,
		  const uint8_t *tpa)
{
	static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0};

	memset(f, 0, 42);
	memcpy(f, broadcast, 6);
	memcpy(f + 6, mac, 6);
	memcpy(f + 12, head, sizeof(head));
	f[21] = op;
	memcpy(f + 22, mac, 6);
	memcpy(f + 28, spa, 4);
	memcpy(f + 38, tpa, 4);
	return 42;
}

/** A solicitation or advertisement; @p opt: the link-layer option's type, or 0. */
static size_t nd(uint8_t *f, const uint8_t *mac, uint8_t type, const char *src, const char *dst,
		 const struct ecs_addr *target, uint8_t opt)
{
	struct ecs_addr s = netns_addr(src), d = netns_addr(dst);

	memset(f, 0, 86);
	f[0] = f[1] = 0x33;
	memcpy(f + 2, d.b + 12, 4);
	memcpy(f + 6, mac, 6);
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[19] = opt != 0 ? 32 : 24;
	f[20] = 58;
	f[21] = 255;
	memcpy(f + 22, s.b, 16);
	memcpy(f + 38, d.b, 16);
	f[54] = type;
	memcpy(f + 62, target->b, 16);
	if (opt == 0)
		return 78;
	f[78] = opt;
	f[79] = 1;
	memcpy(f + 80, mac, 6);
	return 86;
}

/** The checksum of a message of neighbour discovery holds. */
static bool sum_holds(const uint8_t *f, size_t n)
{
	uint32_t sum = 58u + f[19];

	for (size_t i = 22; i < n; i += 2)
		sum += (uint32_t)f[i] << 8 | (i + 1 < n ? f[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void test_announcement(void)
{
	struct bed b;
	uint8_t f[256];

	if (!bed_up(&b))
		return;
	chassis_announce_active(b.a, true);
	/* The request form, the reply form, the advertisement; then all again, by the schedule. */
	for (int round = 0; round < 3; round++) {
		CU_ASSERT(heard(&b, f, sizeof(f), WAIT_MS) == 42);
		CU_ASSERT(memcmp(f, broadcast, 6) == 0 && memcmp(f + 6, b.mac, 6) == 0);
		CU_ASSERT(f[21] == 1 && memcmp(f + 22, b.mac, 6) == 0);
		CU_ASSERT(memcmp(f + 28, b.v4.b + 12, 4) == 0 &&
			  memcmp(f + 38, b.v4.b + 12, 4) == 0);
		CU_ASSERT(heard(&b, f, sizeof(f), WAIT_MS) == 42);
		CU_ASSERT(f[21] == 2 && memcmp(f + 28, f + 38, 4) == 0);
		CU_ASSERT(heard(&b, f, sizeof(f), WAIT_MS) == 86);
		CU_ASSERT(memcmp(f, "\x33\x33\0\0\0\1", 6) == 0);
		CU_ASSERT(f[54] == 136 && f[58] == 0xa0); /* router, override, not solicited */
		CU_ASSERT(memcmp(f + 22, b.v6.b, 16) == 0 && memcmp(f + 62, b.v6.b, 16) == 0);
		CU_ASSERT(f[78] == 2 && memcmp(f + 80, b.mac, 6) == 0);
		CU_ASSERT(sum_holds(f, 86));
	}
	bed_down(&b);
}

static void test_answers(void)
{
	struct bed b;
	uint8_t f[256], q[128];
	size_t n;

	if (!bed_up(&b))
		return;
	n = nd(q, stranger, 135, "2001:db8::99", "ff02::1:ff12:3456", &b.v6, 1);
	/* The standby does not answer; the group is not joined. */
	CU_ASSERT(!netns_run("ip maddr show dev h-a | grep -q 33:33:ff:12:34:56"));
	speak(&b, q, n);
	CU_ASSERT(heard(&b, f, sizeof(f), 20) == 0);
	chassis_announce_active(b.a, true);
	CU_ASSERT(netns_run("ip maddr show dev h-a | grep -q 33:33:ff:12:34:56"));
	for (int i = 0; i < 3; i++)
		CU_ASSERT(heard(&b, f, sizeof(f), WAIT_MS) != 0);
	/* Every cut of it, a hop limit of 254, a code, another target: silence. Then the whole. */
	for (size_t cut = 14; cut < n - 8; cut++)
		speak(&b, q, cut);
	q[21] = 254;
	speak(&b, q, n);
	q[21] = 255;
	q[55] = 1;
	speak(&b, q, n);
	q[55] = 0;
	q[77] ^= 1;
	speak(&b, q, n);
	q[77] ^= 1;
	q[19] = 33;
	speak(&b, q, n);
	q[19] = 32;
	speak(&b, q, n);
	do { /* announcements come between */
		CU_ASSERT_FATAL(heard(&b, f, sizeof(f), WAIT_MS) != 0);
	} while (f[12] == 8 || memcmp(f, "\x33\x33\0\0\0\1", 6) == 0);
	CU_ASSERT(memcmp(f, stranger, 6) == 0);
	CU_ASSERT(f[54] == 136 && f[58] == 0xe0); /* solicited */
	CU_ASSERT(memcmp(f + 38, q + 22, 16) == 0 && memcmp(f + 62, b.v6.b, 16) == 0);
	CU_ASSERT(sum_holds(f, 86));
	CU_ASSERT(b.conflicts == 0);
	/* Duplicate detection of another host is answered to all. */
	while (heard(&b, f, sizeof(f), 0) != 0)
		CU_ASSERT(memcmp(f, stranger, 6) != 0); /* the others were not answered */
	n = nd(q, stranger, 135, "::", "ff02::1:ff12:3456", &b.v6, 0);
	speak(&b, q, n);
	do {
		CU_ASSERT_FATAL(heard(&b, f, sizeof(f), WAIT_MS) != 0);
	} while (f[12] == 8);
	CU_ASSERT(memcmp(f, "\x33\x33\0\0\0\1", 6) == 0 && f[58] == 0xa0);
	chassis_announce_active(b.a, false);
	CU_ASSERT(!netns_run("ip maddr show dev h-a | grep -q 33:33:ff:12:34:56"));
	bed_down(&b);
}

static void test_conflict(void)
{
	struct bed b;
	uint8_t f[256], q[128];
	size_t n;
	int announced = 0;

	if (!bed_up(&b))
		return;
	n = arp(q, stranger, 2, b.v4.b + 12, b.v4.b + 12);
	speak(&b, q, n); /* the owner speaks while we are standby */
	CU_ASSERT(heard(&b, f, sizeof(f), 20) == 0);
	CU_ASSERT(b.conflicts == 0);
	chassis_announce_active(b.a, true);
	while (heard(&b, f, sizeof(f), 0) != 0)
		;
	for (size_t cut = 14; cut < n; cut++)
		speak(&b, q, cut);
	q[17] = 1; /* not Ethernet and IPv4 */
	speak(&b, q, n);
	arp(q, stranger, 1, (const uint8_t *)"\0\0\0\0", b.v4.b + 12); /* a probe claims nothing */
	speak(&b, q, n);
	n = arp(q, b.mac, 1, b.v4.b + 12, b.v4.b + 12); /* ourselves, reflected */
	speak(&b, q, n);
	ev_run(b.loop, EVRUN_NOWAIT);
	CU_ASSERT(b.conflicts == 0);
	n = arp(q, stranger, 1, b.v4.b + 12, b.v4.b + 12);
	speak(&b, q, n);
	run_until(&b, &b.conflicts, 1);
	CU_ASSERT(b.conflicts == 1);
	CU_ASSERT(memcmp(&b.conflict_addr, &b.v4, 16) == 0);
	CU_ASSERT(memcmp(b.conflict_mac, stranger, 6) == 0);
	while (heard(&b, f, sizeof(f), 0) != 0)
		announced++;
	CU_ASSERT(announced >= 3); /* announced again, at once */
	speak(&b, q, n);           /* the second within a second is not reported again */
	ev_run(b.loop, EVRUN_NOWAIT);
	CU_ASSERT(b.conflicts == 1);
	/* IPv6: by the option, and without one by the frame. */
	n = nd(q, stranger, 136, "2001:db8::12:3456", "ff02::1", &b.v6, 2);
	speak(&b, q, n);
	run_until(&b, &b.conflicts, 2);
	CU_ASSERT(b.conflicts == 2);
	CU_ASSERT(memcmp(&b.conflict_addr, &b.v6, 16) == 0);
	bed_down(&b);
}

static void test_free_in_call(void)
{
	struct bed b;
	uint8_t q[128];
	size_t n;

	if (!bed_up(&b))
		return;
	b.free_in_call = true;
	chassis_announce_active(b.a, true);
	n = arp(q, stranger, 1, b.v4.b + 12, b.v4.b + 12);
	speak(&b, q, n);
	speak(&b, q, n);
	run_until(&b, &b.conflicts, 1);
	CU_ASSERT(b.conflicts == 1);
	CU_ASSERT_PTR_NULL(b.a);
	bed_down(&b);
}

static void test_probe(void)
{
	struct bed b;
	uint8_t f[256], q[128];
	size_t n;
	int arps = 0, solicitations = 0;

	if (!bed_up(&b))
		return;
	chassis_announce_probe(b.a, 30);
	for (int i = 0; i < WAIT_MS && b.probed == 0; i++) {
		n = heard(&b, f, sizeof(f), 1);
		if (n == 42) {
			CU_ASSERT(f[21] == 1 && memcmp(f + 28, "\0\0\0\0", 4) == 0);
			CU_ASSERT(memcmp(f + 38, b.v4.b + 12, 4) == 0);
			arps++;
		} else if (n == 78) {
			CU_ASSERT(f[54] == 135 && sum_holds(f, 78));
			CU_ASSERT(memcmp(f, "\x33\x33\xff\x12\x34\x56", 6) == 0);
			CU_ASSERT(memcmp(f + 62, b.v6.b, 16) == 0);
			solicitations++;
		}
	}
	CU_ASSERT(b.probed == 1 && b.free);
	CU_ASSERT(arps >= 2 && solicitations >= 2);
	/* Somebody answers: for one family is enough. */
	chassis_announce_probe(b.a, 60000);
	n = arp(q, stranger, 2, b.v4.b + 12, b.v4.b + 12);
	speak(&b, q, n);
	run_until(&b, &b.probed, 2);
	CU_ASSERT(b.probed == 2 && !b.free);
	chassis_announce_probe(b.a, 60000);
	n = nd(q, stranger, 136, "2001:db8::12:3456", "ff02::1", &b.v6, 0);
	speak(&b, q, n);
	run_until(&b, &b.probed, 3);
	CU_ASSERT(b.probed == 3 && !b.free);
	CU_ASSERT(b.conflicts == 0);
	bed_down(&b);
}

static void test_limits(void)
{
	struct bed b;
	static struct ecs_addr many[1025];

	if (!bed_up(&b))
		return;
	for (size_t i = 0; i < 1025; i++) {
		many[i] = b.v6;
		many[i].b[14] = (uint8_t)(i >> 8);
		many[i].b[15] = (uint8_t)i;
	}
	CU_ASSERT(chassis_announce_set(b.a, many, 1025) == SRP_ERANGE);
	CU_ASSERT(chassis_announce_set(b.a, many, 1024) == 0);
	CU_ASSERT(chassis_announce_set(b.a, NULL, 0) == 0);
	CU_ASSERT_PTR_NULL(chassis_announce_new(b.loop, "h-none", &ops, &b));
	CU_ASSERT_PTR_NULL(chassis_announce_new(b.loop, "lo", &ops, &b));
	CU_ASSERT_PTR_NULL(chassis_announce_new(b.loop, "a-name-that-is-too-long", &ops, &b));
	bed_down(&b);
}

CU_TestInfo chassis_announce_tests[] = {
	{"announcements, repeated", test_announcement},
	{"answers to solicitations while active only", test_answers},
	{"another owner is reported and answered", test_conflict},
	{"freed in its own callback", test_free_in_call},
	{"the probe: nobody there, somebody there", test_probe},
	{"limits", test_limits},
	CU_TEST_INFO_NULL,
};
