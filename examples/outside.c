/* outside: counts IP bytes per server as they pass an interface, apart from any chassis: what the
 * chassis has charged is compared with it.
 *
 *   outside DEVICE NAME=ADDRESS[,ADDRESS...] NAME/l7=ADDRESS...
 *
 * Bytes are those of the IP total length. Uplink is towards a server, downlink from it. Of a server
 * with `/l7` a flow is known only when its first payload has passed: what came before (the
 * handshake) is counted under `start`, as a chassis charges it by another rule. All other IP
 * packets that are not of the link itself count as `other`.
 *
 * Commands on standard input: `read` answers with one line of JSON; end of file ends. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NAMES_MAX   64
#define ADDRS_MAX   256
#define SNAP        192 /**< bytes of a packet that are looked at */
/* Each block lasts RETIRE_MS at most: all of them are how long this process may have to wait. */
#define RING_BLOCK  (1u << 17)
#define RING_BLOCKS 512u
#define RETIRE_MS   5
#define FLOWS       (1u << 18) /**< started flows remembered; a power of two */

enum { START, OTHER, FIRST_NAME };

struct name {
	const char *text;
	bool l7;
	uint64_t packets[2], bytes[2]; /**< [0] up, [1] down */
};

struct server {
	uint8_t addr[16];
	unsigned name;
};

struct key {
	uint8_t client[16], server[16];
	uint16_t cport, sport;
};

struct view {
	uint8_t src[16], dst[16];
	uint8_t proto, tcp_flags;
	uint16_t sport, dport;
	uint32_t total, payload; /**< IP bytes; bytes above the TCP header */
};

static struct name names[NAMES_MAX] = {{.text = "start"}, {.text = "other"}};
static unsigned n_names = FIRST_NAME;
static struct server servers[ADDRS_MAX];
static unsigned n_servers;
static struct key *flows;
static bool *used;
static unsigned n_flows;
static uint64_t lost;

static void die(const char *what)
{
	fprintf(stderr, "outside: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* --- what is counted where ----------------------------------------------------------------------
 */

static void parse_spec(char *spec)
{
	char *list = strchr(spec, '='), *save = NULL, *l7;

	if (list == NULL || n_names == NAMES_MAX) {
		fprintf(stderr, "outside: at '%s': NAME=ADDRESS[,ADDRESS...] expected\n", spec);
		exit(EXIT_FAILURE);
	}
	*list++ = 0;
	l7 = strstr(spec, "/l7");
	if (l7 != NULL)
		*l7 = 0;
	names[n_names] = (struct name){.text = spec, .l7 = l7 != NULL};
	for (char *a = strtok_r(list, ",", &save); a != NULL; a = strtok_r(NULL, ",", &save)) {
		struct server *s = &servers[n_servers];

		if (n_servers == ADDRS_MAX)
			die("too many addresses");
		s->name = n_names;
		if (inet_pton(AF_INET6, a, s->addr) == 1) {
			n_servers++;
			continue;
		}
		memcpy(s->addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
		if (inet_pton(AF_INET, a, s->addr + 12) != 1) {
			fprintf(stderr, "outside: '%s' is no address\n", a);
			exit(EXIT_FAILURE);
		}
		n_servers++;
	}
	n_names++;
}

static const struct server *server_of(const uint8_t *addr)
{
	for (unsigned i = 0; i < n_servers; i++)
		if (memcmp(servers[i].addr, addr, 16) == 0)
			return &servers[i];
	return NULL;
}

/* --- started flows ------------------------------------------------------------------------------
 */

static unsigned slot_of(const struct key *k)
{
	const uint8_t *p = (const uint8_t *)k;
	uint64_t h = 1469598103934665603u;
	unsigned i;

	for (size_t n = 0; n < sizeof(*k); n++)
		h = (h ^ p[n]) * 1099511628211u;
	for (i = (unsigned)(h >> 20) & (FLOWS - 1); used[i]; i = (i + 1) & (FLOWS - 1))
		if (memcmp(&flows[i], k, sizeof(*k)) == 0)
			break;
	return i;
}

/** True when the flow's payload has begun, with this packet or before. */
static bool started(const struct view *v, bool up)
{
	struct key k;
	unsigned i;

	memset(&k, 0, sizeof(k));
	memcpy(k.client, up ? v->src : v->dst, 16);
	memcpy(k.server, up ? v->dst : v->src, 16);
	k.cport = up ? v->sport : v->dport;
	k.sport = up ? v->dport : v->sport;
	i = slot_of(&k);
	if (v->tcp_flags &
	    2) { /* SYN: never part of what was recognised; a port that is used again */
		return false;
	}
	if (used[i])
		return true;
	if (v->payload == 0)
		return false;
	if (n_flows >= FLOWS / 2)
		die("too many flows");
	used[i] = true;
	flows[i] = k;
	n_flows++;
	return true;
}

/* --- packets ------------------------------------------------------------------------------------
 */

/** Reads the headers; false for what is not forwarded by anybody: link-local, multicast, not IP. */
static bool look(const uint8_t *p, size_t len, struct view *v)
{
	size_t hdr;

	memset(v, 0, sizeof(*v));
	if (len >= 20 && p[0] >> 4 == 4) {
		hdr = (size_t)(p[0] & 15) * 4;
		v->total = (uint32_t)p[2] << 8 | p[3];
		v->proto = p[9];
		memcpy(v->src, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
		memcpy(v->dst, v->src, 12);
		memcpy(v->src + 12, p + 12, 4);
		memcpy(v->dst + 12, p + 16, 4);
		if (p[16] >= 224)
			return false;
		if ((p[6] & 0x1f) != 0 || p[7] != 0)
			return true; /* a later fragment has no ports */
	} else if (len >= 40 && p[0] >> 4 == 6) {
		hdr = 40;
		v->total = ((uint32_t)p[4] << 8 | p[5]) + 40;
		v->proto = p[6];
		memcpy(v->src, p + 8, 16);
		memcpy(v->dst, p + 24, 16);
		if (p[24] == 0xff || p[8] == 0xfe || p[24] == 0xfe || (p[6] == 58 && p[7] == 255))
			return false;
	} else {
		return false;
	}
	if (v->proto == IPPROTO_TCP && len >= hdr + 20) {
		v->sport = (uint16_t)(p[hdr] << 8 | p[hdr + 1]);
		v->dport = (uint16_t)(p[hdr + 2] << 8 | p[hdr + 3]);
		v->tcp_flags = p[hdr + 13];
		v->payload = v->total - (uint32_t)hdr - (uint32_t)(p[hdr + 12] >> 4) * 4;
	}
	return true;
}

static void count(const uint8_t *p, size_t len)
{
	const struct server *s;
	struct view v;
	bool up = true;
	struct name *n;

	if (!look(p, len, &v))
		return;
	s = server_of(v.dst);
	if (s == NULL) {
		s = server_of(v.src);
		up = s == NULL;
	}
	n = s == NULL ? &names[OTHER] : &names[s->name];
	if (n->l7 && v.proto == IPPROTO_TCP && !started(&v, up))
		n = &names[START];
	n->packets[!up]++;
	n->bytes[!up] += v.total;
}

/* --- the ring -----------------------------------------------------------------------------------
 */

static uint8_t *ring;
static unsigned ring_at;

static int open_ring(const char *dev)
{
	/* The kernel cuts what it copies: headers are enough. */
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SNAP)};
	struct sock_fprog prog = {.len = 1, .filter = code};
	struct tpacket_req3 req = {
		.tp_block_size = RING_BLOCK,
		.tp_block_nr = RING_BLOCKS,
		.tp_frame_size = 2048,
		.tp_frame_nr = RING_BLOCK / 2048 * RING_BLOCKS,
		.tp_retire_blk_tov = RETIRE_MS,
	};
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int version = TPACKET_V3, fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ll.sll_ifindex = (int)if_nametoindex(dev);
	if (fd < 0 || ll.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) != 0)
		die(dev);
	ring = mmap(NULL, (size_t)RING_BLOCK * RING_BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (ring == MAP_FAILED || bind(fd, (struct sockaddr *)&ll, sizeof(ll)) != 0)
		die(dev);
	return fd;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/** Counts all blocks that the kernel has handed over. */
static void drain(void)
{
	for (;;) {
		struct tpacket_block_desc *b = (void *)(ring + (size_t)ring_at * RING_BLOCK);
		struct tpacket3_hdr *h;

		if (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return;
		h = (void *)((uint8_t *)b + b->hdr.bh1.offset_to_first_pkt);
		for (uint32_t i = 0; i < b->hdr.bh1.num_pkts; i++) {
			count((uint8_t *)h + h->tp_net, h->tp_snaplen);
			h = (void *)((uint8_t *)h + h->tp_next_offset);
		}
		__atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		ring_at = (ring_at + 1) % RING_BLOCKS;
	}
}

/** What has passed until now is in a block that may not be full yet: it retires in some milliseconds. */
static void catch_up(int fd)
{
	struct tpacket_stats_v3 st = {0};
	socklen_t len = sizeof(st);
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	int64_t end = now_ms() + 25;

	for (int64_t left = 25; left > 0; left = end - now_ms()) {
		poll(&pf, 1, (int)left);
		drain();
	}
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		lost += st.tp_drops;
}

static void report(void)
{
	printf("{\"lost\": %llu, \"flows\": %u, \"count\": {", (unsigned long long)lost, n_flows);
	for (unsigned i = 0; i < n_names; i++) {
		const struct name *n = &names[i];

		printf("%s\"%s\": {\"packets_up\": %llu, \"bytes_up\": %llu, \"packets_down\": "
		       "%llu, "
		       "\"bytes_down\": %llu}",
		       i == 0 ? "" : ", ", n->text, (unsigned long long)n->packets[0],
		       (unsigned long long)n->bytes[0], (unsigned long long)n->packets[1],
		       (unsigned long long)n->bytes[1]);
	}
	printf("}}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct pollfd pf[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
	char line[64];

	if (argc < 3) {
		fprintf(stderr, "usage: outside DEVICE NAME[/l7]=ADDRESS[,ADDRESS...]...\n");
		return EXIT_FAILURE;
	}
	for (int i = 2; i < argc; i++)
		parse_spec(argv[i]);
	flows = calloc(FLOWS, sizeof(*flows));
	used = calloc(FLOWS, sizeof(*used));
	if (flows == NULL || used == NULL)
		die("memory");
	pf[1].fd = open_ring(argv[1]);
	(void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 5});
	setvbuf(stdin, NULL, _IONBF, 0);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		if (poll(pf, 2, -1) < 0 && errno != EINTR)
			die("poll");
		drain();
		if (pf[0].revents == 0)
			continue;
		if (fgets(line, sizeof(line), stdin) == NULL)
			return EXIT_SUCCESS;
		if (strcmp(line, "read\n") == 0) {
			catch_up(pf[1].fd);
			report();
		}
	}
}
