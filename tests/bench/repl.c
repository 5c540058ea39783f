/* repl: measures the replication of flows between two processes over TLS: one builds sessions and flows
 * by packets, the other is the standby. Usage: repl DIR FLOWS [lz4]; DIR holds a.pem a.key b.pem b.key
 * ca.pem with the names chassis-a and chassis-b. Prints one JSON object. */
#include "config.h"

#include <arpa/inet.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chassis/io/conn.h"
#include "chassis/io/tls.h"
#include "chassis/registry.h"
#include "ecs/engine.h"
#include "recovery/counters.h"
#include "recovery/replica.h"
#include "srp/err.h"

#define PER_SESSION   250u
#define LATENCY_RATE  100u     /* changes per millisecond */
#define LATENCY_MS    3000u
#define STEADY_US     3000000u
#define IN_FLIGHT_MAX 60000u   /* changes not yet acknowledged, so that the run measures a rate */
#define KINDS_MAX     32

/* What the two processes share. */
struct shared {
	volatile int command;              /* 1: take over, 2: end */
	volatile int done;
	volatile uint64_t flows, takeover_us, cpu_us, rss;
	volatile uint64_t samples;
	uint32_t latency_us[LATENCY_RATE * LATENCY_MS];
	volatile uint64_t stamp[];         /* by flow number: when it was changed */
};

/* One side. */
struct end {
	struct ev_loop *loop;
	struct shared *sh;
	struct ecs_service *svc;
	struct ecs_engine *engine;
	struct recovery_sink sink;
	struct recovery_replica *replica;
	struct chassis_conn *conn;
	struct ecs_counters ecs;
	struct ecs_rule_stats rules[ECS_STATS_MAX];
	struct recovery_kind_counters kind[KINDS_MAX];
	struct recovery_counters totals;
	ev_timer due, turn;
	bool ready, active;
	int phase;
	uint64_t until, cpu0, acked0, t0, issued, sent_ms;
	uint32_t nflows;
	struct ecs_flow **flow;
};

static uint64_t now_us(void) { return chassis_now().us; }

static void die(const char *what)
{
	fprintf(stderr, "repl: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static uint64_t rss(void)
{
	unsigned long total, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* --- the model ------------------------------------------------------------------------------------------- */

static struct ecs_service *service(void)
{
	struct ecs_service *s = ecs_service_new("bench");
	struct ecs_err e = {""};
	struct ecs_charging_action *ca;
	int rc = 0;

	rc |= ecs_service_ruledef(s, "all", false, &e);
	rc |= ecs_service_rule_line(s, "all", false, ECS_F_IP_ANY, false, ECS_OP_EQ, "TRUE", NULL, &e);
	ca = ecs_service_charging_action(s, "pay", false, &e);
	ca->content_id = 7;
	rc |= ecs_service_rulebase(s, "rb", false, &e);
	rc |= ecs_service_action_line(s, "rb", false, 1, false, "all", "pay", &e);
	rc |= ecs_service_trigger_action(s, "ta", false, &e);
	rc |= ecs_service_flow_recovery(s, "ta", true, &e);
	rc |= ecs_service_trigger_condition(s, "tc", false, &e);
	rc |= ecs_service_cond_rule_name(s, "tc", false, ECS_OP_EQ, "all", &e);
	rc |= ecs_service_scheme(s, "ss", false, &e);
	rc |= ecs_service_scheme_trigger(s, "ss", false, &e);
	rc |= ecs_service_scheme_priority(s, "ss", false, 1, "tc", "ta", &e);
	rc |= ecs_service_subs_class(s, "sc", false, &e);
	rc |= ecs_service_subs_line(s, "sc", false, ECS_SUBS_ANY, true, "TRUE", &e);
	rc |= ecs_service_subs_base(s, "default", false, &e);
	rc |= ecs_service_subs_bind(s, "default", false, 1, "sc", "ss", &e);
	rc |= ecs_service_flow_chkpt_per_call(s, 300, &e);
	rc |= ecs_service_commit(s, &e);
	if (rc)
		die(e.text);
	return s;
}

/* An IPv4 UDP packet of a subscriber to a server; every flow has another server, so that compression
 * finds no more than it would in the field. */
static size_t packet(uint8_t *p, uint32_t subscriber, uint16_t port)
{
	uint32_t server = (subscriber ^ (uint32_t)port << 16) * 2654435761u | 0x40000000u;
	const uint8_t head[28] = {0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0,
		(uint8_t)(subscriber >> 24), (uint8_t)(subscriber >> 16), (uint8_t)(subscriber >> 8),
		(uint8_t)subscriber, (uint8_t)(server >> 24), (uint8_t)(server >> 16), (uint8_t)(server >> 8),
		(uint8_t)server, (uint8_t)(port >> 8), (uint8_t)port, (uint8_t)(server >> 5), 53, 0, 20, 0, 0};

	memset(p, 0, 40);
	memcpy(p, head, sizeof(head));
	return 40;
}

static void build(struct end *e)
{
	uint8_t pkt[64];

	for (uint32_t i = 0; i < e->nflows; i += PER_SESSION) {
		struct ecs_session_spec spec = {.callid = 1 + i / PER_SESSION, .has4 = true, .qci = 9};
		uint32_t addr = 0x0a000001u + i / PER_SESSION;
		struct ecs_session *s;

		memcpy(spec.rulebase, "rb", 3);
		spec.v4 = (struct ecs_addr){.b = {[10] = 0xff, [11] = 0xff, [12] = (uint8_t)(addr >> 24),
			[13] = (uint8_t)(addr >> 16), [14] = (uint8_t)(addr >> 8), [15] = (uint8_t)addr}};
		if (ecs_session_create(e->engine, &spec, chassis_now(), &s) < 0)
			die("cannot create a session");
		for (uint32_t k = 0; k < PER_SESSION && i + k < e->nflows; k++)
			(void)ecs_engine_packet(e->engine, pkt, packet(pkt, addr, (uint16_t)(1024 + k)), ECS_UPLINK, 0,
			                        chassis_now());
	}
	if (ecs_engine_flows(e->engine) != e->nflows)
		die("not every packet made a flow");
}

static void collect(struct end *e)
{
	struct ecs_session *s = NULL;
	uint32_t n = 0;

	e->flow = calloc(e->nflows, sizeof(struct ecs_flow *));
	if (!e->flow)
		die("no memory");
	while ((s = ecs_session_next(e->engine, s ? s->spec.callid : 0)) != NULL)
		for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next)
			e->flow[n++] = (struct ecs_flow *)(void *)((char *)l - offsetof(struct ecs_flow, in_session));
}

/* The number of a flow, from its key alone, so that both sides agree on it. */
static uint32_t number(const struct ecs_flow *f)
{
	const uint8_t *a = f->key.subscriber.b + 12;
	uint32_t addr = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];

	return (addr - 0x0a000001u) * PER_SESSION + f->key.subscriber_port - 1024u;
}

/* --- the connection -------------------------------------------------------------------------------------- */

static struct end *side; /* the kinds' functions have no owner but the engine */

static int timed_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                       struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	int rc = ecs_kind_flow.apply(ctx, key, r, nfields, out);
	uint64_t at;
	uint32_t n;

	if (rc < 0)
		return rc;
	n = number((const struct ecs_flow *)(const void *)*out);
	at = side->sh->stamp[n];
	if (at && side->sh->samples < LATENCY_RATE * LATENCY_MS)
		side->sh->latency_us[side->sh->samples++] = (uint32_t)(now_us() - at);
	side->sh->stamp[n] = 0;
	return rc;
}

static void plan(struct end *e)
{
	struct srp_time due = recovery_replica_due(e->replica);
	uint64_t now = now_us();

	if (!due.us)
		return;
	e->due.repeat = due.us > now ? (double)(due.us - now) / 1e6 : 0.0001;
	ev_timer_again(e->loop, &e->due);
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct end *e = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	chassis_conn_kick(e->conn);
	plan(e);
}

static void up(void *owner, struct chassis_conn *c)
{
	struct end *e = owner;

	e->conn = c;
	e->t0 = now_us();
	recovery_replica_up(e->replica, chassis_now());
	chassis_conn_kick(c);
	plan(e);
}

static unsigned state(void *owner) { return recovery_replica_link(((struct end *)owner)->replica); }

static int rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct end *e = owner;
	int rc = recovery_replica_rx(e->replica, h, body, chassis_now());

	(void)fd;
	plan(e);
	chassis_conn_kick(e->conn);
	return rc;
}

static size_t tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	return recovery_replica_tx(((struct end *)owner)->replica, buf, cap, chassis_now(), more);
}

static void down(void *owner, int err, const char *why)
{
	struct end *e = owner;

	(void)err;
	if (!e->sh->done)
		die(why);
	ev_break(e->loop, EVBREAK_ALL);
}

static const struct chassis_conn_ops conn_ops = {.up = up, .state = state, .rx = rx, .tx = tx, .down = down};

static void event(void *owner, enum recovery_event ev, const char *why)
{
	struct end *e = owner;

	if (ev == RECOVERY_EV_READY)
		e->ready = true;
	if (ev == RECOVERY_EV_PROTOCOL)
		die(why ? why : "protocol");
}

static const struct recovery_ops rops = {.event = event};

static struct end *end_new(struct shared *sh, bool active, uint32_t nflows, bool lz4)
{
	static const struct srp_ckpt_kind *kinds[KINDS_MAX];
	static struct srp_ckpt_kind timed;
	struct end *e = calloc(1, sizeof(*e));
	struct ecs_engine_config ec = {0};
	struct recovery_config rc = {.id = SRP_REPLICA_GR, .kinds = kinds, .nkinds = chassis_nkinds,
	                             .ops = &rops, .lz4 = lz4, .random = now_us() | 1,
	                             .instance = 1};

	timed = ecs_kind_flow;
	timed.apply = timed_apply;
	for (size_t i = 0; i < chassis_nkinds; i++)
		kinds[i] = chassis_kinds[i] == &ecs_kind_flow && !active ? &timed : chassis_kinds[i];
	if (!e)
		die("no memory");
	side = e;
	e->loop = ev_loop_new(EVFLAG_AUTO);
	e->sh = sh;
	e->active = active;
	e->nflows = nflows;
	e->svc = service();
	recovery_sink_init(&e->sink);
	ec = (struct ecs_engine_config){.service = e->svc, .sink = &e->sink.sink, .counters = &e->ecs,
		.rule_stats = e->rules, .seed = 42, .chassis_bit = active ? 0 : 1, .instance = 1,
		.pending_timeout = 60, .sessions_expected = nflows / PER_SESSION + 1, .flows_expected = nflows};
	e->engine = ecs_engine_new(&ec, chassis_now());
	rc.ckpt_owner = e->engine;
	rc.ops_owner = e;
	rc.sink = &e->sink;
	rc.counters = e->kind;
	rc.totals = &e->totals;
	e->replica = recovery_replica_new(&rc);
	if (!e->engine || !e->replica)
		die("no memory");
	e->sink.replica[SRP_REPLICA_GR] = e->replica;
	e->sink.term = 2;
	ecs_engine_active(e->engine, active, chassis_now());
	recovery_replica_role(e->replica, active ? SRP_ROLE_ACTIVE : SRP_ROLE_STANDBY, active ? 2 : 0, active,
	                      chassis_now());
	ev_init(&e->due, on_due);
	e->due.data = e;
	return e;
}

static struct chassis_tls *tls(const char *dir, const char *me, const char *peer)
{
	char cert[512], key[512], ca[512], why[200];
	struct chassis_tls *t;

	snprintf(cert, sizeof(cert), "%s/%s.pem", dir, me);
	snprintf(key, sizeof(key), "%s/%s.key", dir, me);
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	t = chassis_tls_new(cert, key, ca, peer, why, sizeof(why));
	if (!t)
		die(why);
	return t;
}

/* --- the standby ------------------------------------------------------------------------------------------- */

static void standby_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct end *e = w->data;
	struct shared *sh = e->sh;
	uint64_t t;

	(void)revents;
	sh->flows = ecs_engine_flows(e->engine);
	sh->cpu_us = cpu_us();
	sh->rss = rss();
	if (sh->command == 1 && !sh->takeover_us) {
		t = now_us();
		recovery_replica_role(e->replica, SRP_ROLE_ACTIVE, 5, true, chassis_now());
		ecs_engine_active(e->engine, true, chassis_now());
		t = now_us() - t;
		sh->takeover_us = t ? t : 1;
	}
	if (sh->command == 2)
		ev_break(loop, EVBREAK_ALL);
}

static void standby(struct shared *sh, int listener, const char *dir, uint32_t nflows, bool lz4)
{
	struct end *e = end_new(sh, false, nflows, lz4);
	int fd = accept(listener, NULL, NULL);

	e->conn = chassis_conn_new(e->loop, fd, tls(dir, "b", "chassis-a"), true, &recovery_frames, &conn_ops, e);
	ev_timer_init(&e->turn, standby_turn, 0.001, 0.001);
	e->turn.data = e;
	ev_timer_start(e->loop, &e->turn);
	ev_run(e->loop, 0);
	exit(EXIT_SUCCESS);
}

/* --- the active --------------------------------------------------------------------------------------------- */

struct result {
	double resync_s, rate, cpu_sender, cpu_receiver, wire;
	uint32_t p50, p99;
	uint64_t memory_active, memory_standby, takeover_us;
};

static struct result res;

static uint64_t flow_acked(const struct end *e)
{
	for (size_t i = 0; i < chassis_nkinds; i++)
		if (chassis_kinds[i] == &ecs_kind_flow)
			return e->kind[recovery_row(i, false)].acked;
	return 0;
}

static void change(struct end *e, uint32_t n, bool stamp)
{
	if (stamp)
		e->sh->stamp[number(e->flow[n])] = now_us();
	e->sink.sink.changed(&e->sink.sink, &e->flow[n]->ckpt, chassis_now());
	e->issued++;
}

static uint32_t random_flow(struct end *e)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x % e->nflows);
}

static int cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void begin_steady(struct end *e)
{
	uint64_t rx_bytes, tx_bytes;

	res.resync_s = (double)(now_us() - e->t0) / 1e6;
	chassis_conn_bytes(e->conn, &rx_bytes, &tx_bytes);
	res.wire = (double)tx_bytes / e->nflows;
	collect(e);
	e->phase = 1;
	e->cpu0 = cpu_us();
	res.cpu_receiver = (double)e->sh->cpu_us;
	e->acked0 = flow_acked(e);
	e->until = now_us() + STEADY_US;
	e->t0 = now_us();
}

static void steady(struct end *e)
{
	uint64_t acked = flow_acked(e) - e->acked0;

	for (int i = 0; i < 8000 && e->issued < acked + IN_FLIGHT_MAX; i++)
		change(e, random_flow(e), false);
	chassis_conn_kick(e->conn);
	if (now_us() < e->until)
		return;
	acked = flow_acked(e) - e->acked0;
	res.rate = (double)acked * 1e6 / (double)(now_us() - e->t0);
	res.cpu_sender = (double)(cpu_us() - e->cpu0) / (double)acked;
	res.cpu_receiver = ((double)e->sh->cpu_us - res.cpu_receiver) / (double)acked;
	e->phase = 2;
	e->until = now_us() + 500000;
}

static void latency(struct end *e)
{
	uint64_t ms = (now_us() - e->t0) / 1000;

	for (; e->sent_ms < ms && e->sent_ms < LATENCY_MS; e->sent_ms++)
		for (unsigned i = 0; i < LATENCY_RATE; i++)
			change(e, random_flow(e), true);
	chassis_conn_kick(e->conn);
	if (ms < LATENCY_MS + 200)
		return;
	qsort(e->sh->latency_us, e->sh->samples, sizeof(uint32_t), cmp);
	if (e->sh->samples) {
		res.p50 = e->sh->latency_us[e->sh->samples / 2];
		res.p99 = e->sh->latency_us[e->sh->samples * 99 / 100];
	}
	e->phase = 4;
	res.memory_standby = e->sh->rss - res.memory_standby;
	e->sh->done = 1;
	e->sh->command = 1;
}

static void active_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct end *e = w->data;

	(void)revents;
	switch (e->phase) {
	case 0:
		if (e->ready && e->sh->flows == e->nflows)
			begin_steady(e);
		break;
	case 1:
		steady(e);
		break;
	case 2: /* let the last of the load drain */
		if (now_us() > e->until) {
			e->phase = 3;
			e->t0 = now_us();
		}
		break;
	case 3:
		latency(e);
		break;
	case 4:
		if (e->sh->takeover_us) {
			res.takeover_us = e->sh->takeover_us;
			e->sh->command = 2;
			ev_break(loop, EVBREAK_ALL);
		}
	}
}

static void print(uint32_t nflows)
{
	printf("{\"flows\": %u, \"flow_ckpt_per_s\": %.0f, \"cpu_us_sender\": %.3f, \"cpu_us_receiver\": %.3f, "
	       "\"wire_bytes_per_flow\": %.1f, \"latency_us_p50\": %u, \"latency_us_p99\": %u, "
	       "\"resync_s_per_1m\": %.3f, \"takeover_ms\": %.3f, \"bytes_per_flow_active\": %.0f, "
	       "\"bytes_per_flow_standby\": %.0f}\n",
	       nflows, res.rate, res.cpu_sender, res.cpu_receiver, res.wire, res.p50, res.p99,
	       res.resync_s * 1e6 / nflows, (double)res.takeover_us / 1000., (double)res.memory_active / nflows,
	       (double)res.memory_standby / nflows);
}

int main(int argc, char **argv)
{
	uint32_t nflows = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	bool lz4 = argc > 3 && strcmp(argv[3], "lz4") == 0;
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t alen = sizeof(a);
	size_t len = sizeof(struct shared) + nflows * sizeof(uint64_t);
	struct shared *sh;
	struct end *e;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child;

	if (!nflows || nflows > 10000000)
		die("usage: repl DIR FLOWS [lz4]");
	sh = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (sh == MAP_FAILED || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &alen) < 0)
		die("cannot listen");
	memset((void *)(uintptr_t)sh, 0, len);
	child = fork();
	if (child == 0)
		standby(sh, fd, argv[1], nflows, lz4);
	close(fd);
	e = end_new(sh, true, nflows, lz4);
	res.memory_active = rss();
	build(e);
	res.memory_active = rss() - res.memory_active;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("cannot connect");
	while (!sh->rss) /* the standby sets it each millisecond once it runs */
		usleep(1000);
	res.memory_standby = sh->rss;
	e->conn = chassis_conn_new(e->loop, fd, tls(argv[1], "a", "chassis-b"), false, &recovery_frames,
	                           &conn_ops, e);
	ev_timer_init(&e->turn, active_turn, 0.0005, 0.0005);
	e->turn.data = e;
	ev_timer_start(e->loop, &e->turn);
	ev_run(e->loop, 0);
	print(nflows);
	waitpid(child, NULL, 0);
	return EXIT_SUCCESS;
}
