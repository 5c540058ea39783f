/* ecsreplay: puts the packets of a capture through an engine, and says which rule charged what. */
#include "config.h"

#include <getopt.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/capture.h"
#include "chassis/cli/config.h"
#include "chassis/cli/database.h"
#include "chassis/io/quic_crypto.h"
#include "chassis/packets.h"
#include "chassis/week.h"
#include "chassis/sides.h"
#include "ecs/app.h"
#include "ecs/engine.h"
#include "srp/err.h"

#define SESSIONS_MAX 1000000u
#define CONFIG_MAX (16u << 20)
#define USAGE "usage: ecsreplay -c CONFIG [--rulebase NAME] [--subscriber CIDR]... " \
              "[--flows | --rules | --packets] [--json] [-v] FILE\n"

/* A flow that has ended, as it is printed. */
struct ended {
	struct ecs_flow_key key;
	char rule[ECS_NAME_MAX + 1];
	uint64_t start_us, end_us, order;
	uint64_t pkts[2], bytes[2];
	uint32_t content_id;
	uint16_t app, app_master, flags;
};

struct replay {
	struct chassis_sides sides;
	const char *config, *rulebase, *file;
	enum { PRINT_FLOWS, PRINT_RULES, PRINT_PACKETS } print;
	bool json, verbose;
	struct stats_doc doc; /* of packets */
	struct chassis_packets rows;
	struct chassis_config *conf;
	struct ecs_engine *e;
	struct ecs_counters counters;
	struct ecs_rule_stats *stats;
	struct ended *ended;
	size_t nended, cap;
	uint32_t callid;
	struct srp_time now, start;
	uint64_t frames, no_ip, no_direction, no_session;
};

static void fatal(const char *what, const char *detail)
{
	fprintf(stderr, "ecsreplay: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	exit(EXIT_FAILURE);
}

/* --- packets ---------------------------------------------------------------------------------- */

static const char *rulebase_of(const struct replay *r)
{
	const char *first = ecs_service_rulebase_name(r->conf->service, 0);

	return r->rulebase ? r->rulebase : first ? first : "";
}

static bool make_session(struct replay *r, const struct ecs_addr *a)
{
	struct ecs_session_spec spec = {.callid = ++r->callid};

	if (r->callid > SESSIONS_MAX)
		return false;
	snprintf(spec.rulebase, sizeof(spec.rulebase), "%s", rulebase_of(r));
	if (ecs_addr_is4(a)) {
		spec.has4 = true;
		spec.v4 = *a;
	} else {
		spec.has6 = true;
		spec.v6 = *a;
	}
	return ecs_session_create(r->e, &spec, r->now, NULL) == 0;
}

static void ip_packet(struct replay *r, const uint8_t *b, size_t len)
{
	enum ecs_dir dir = ECS_UPLINK;
	struct ecs_packet p;
	int rc;

	/* only for its addresses; what is malformed is counted by the engine */
	if (ecs_packet_parse(b, len, dir, &p) == 0) {
		rc = chassis_sides_direction(&r->sides, &p, &dir);
		if (rc == SRP_ENOMEM)
			fatal("out of memory", NULL);
		if (rc) {
			r->no_direction++;
			return;
		}
		/* parsed again: whose flow an ICMP error speaks of depends on the direction */
		if (dir == ECS_DOWNLINK && ecs_packet_parse(b, len, dir, &p) != 0)
			return;
		if (!ecs_session_by_addr(r->e, ecs_packet_subscriber(&p)))
			(void)make_session(r, ecs_packet_subscriber(&p));
	}
	if (ecs_engine_packet(r->e, b, len, dir, 0, r->now) == ECS_NO_SESSION)
		r->no_session++;
}

static void frame(struct replay *r, int link, const struct pcap_pkthdr *h, const uint8_t *b)
{
	uint64_t us = (uint64_t)h->ts.tv_sec * 1000000u + (uint64_t)h->ts.tv_usec;
	size_t at = chassis_capture_ip(link, b, h->caplen);

	if (us > r->now.us) { /* packets may be out of order, time is not */
		r->now.us = us;
		ecs_engine_time(r->e, chassis_week_second(h->ts.tv_sec));
	}
	if (!r->start.us) {
		r->start = r->now;
		ecs_engine_active(r->e, true, r->now);
	}
	r->frames++;
	while (ecs_engine_tick(r->e, r->now, 10000))
		;
	if (at == SIZE_MAX)
		r->no_ip++;
	else
		ip_packet(r, b + at, h->caplen - at);
	if (r->print == PRINT_PACKETS)
		chassis_packets_print(&r->rows, r->e);
}

/* --- results ---------------------------------------------------------------------------------- */

static void flow_down(void *owner, const struct ecs_flow *f)
{
	struct replay *r = owner;
	const struct ecs_ruleref *ref = ecs_ruleref_get(ecs_engine_refs(r->e), f->ref);
	const struct ecs_line *line = NULL;
	struct ended *d;

	if (r->nended == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 1024;

		d = realloc(r->ended, cap * sizeof(*d));
		if (!d)
			fatal("out of memory", NULL);
		r->ended = d;
		r->cap = cap;
	}
	if (ref && ref->line != ECS_LINE_NONE)
		line = ecs_service_line(ecs_engine_service(r->e), ref->line);
	d = &r->ended[r->nended];
	*d = (struct ended){.key = f->key, .start_us = f->created.us, .end_us = f->last.us,
	                    .order = r->nended++, .app = f->app, .app_master = f->app_master,
	                    .flags = f->flags,
	                    .content_id = line && line->action ? line->action->content_id : 0};
	memcpy(d->pkts, f->pkts, sizeof(d->pkts));
	memcpy(d->bytes, f->bytes, sizeof(d->bytes));
	snprintf(d->rule, sizeof(d->rule), "%s", ref ? ref->rule : "(no rule)");
}

static int by_start(const void *a, const void *b)
{
	const struct ended *x = a, *y = b;

	if (x->start_us != y->start_us)
		return x->start_us < y->start_us ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", (unsigned)(unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static const char *protocol(uint8_t proto, char *buf, size_t cap)
{
	switch (proto) {
	case 1:
		return "icmp";
	case 6:
		return "tcp";
	case 17:
		return "udp";
	case 58:
		return "icmpv6";
	default:
		snprintf(buf, cap, "%u", proto);
		return buf;
	}
}

static const char *application(const struct ended *d)
{
	uint16_t id = d->app ? d->app : d->app_master;
	const char *n = id ? ecs_app_name(id) : NULL;

	return n ? n : "-";
}

static double seconds(const struct replay *r, uint64_t us)
{
	return (double)(us - r->start.us) / 1e6;
}

static void flow_text(const struct replay *r, const struct ended *d)
{
	char a[46], b[46], proto[8];

	printf("%11.6f %11.6f %-6s %s %u %s %u up %llu/%llu down %llu/%llu rule %s content-id %u "
	       "app %s%s\n",
	       seconds(r, d->start_us), seconds(r, d->end_us),
	       protocol(d->key.proto, proto, sizeof(proto)),
	       ecs_addr_text(&d->key.subscriber, a, sizeof(a)), d->key.subscriber_port,
	       ecs_addr_text(&d->key.server, b, sizeof(b)), d->key.server_port,
	       (unsigned long long)d->pkts[0], (unsigned long long)d->bytes[0],
	       (unsigned long long)d->pkts[1], (unsigned long long)d->bytes[1], d->rule,
	       d->content_id, application(d), d->flags & ECS_FLOW_F_MID ? " mid-stream" : "");
}

static void flow_json(const struct replay *r, const struct ended *d, bool first)
{
	char a[46], b[46], proto[8];

	printf("%s\n  {\"start\": %.6f, \"end\": %.6f, \"protocol\": \"%s\", "
	       "\"subscriber\": \"%s\", \"subscriber_port\": %u, \"server\": \"%s\", "
	       "\"server_port\": %u, "
	       "\"packets_up\": %llu, \"bytes_up\": %llu, \"packets_down\": %llu, "
	       "\"bytes_down\": %llu, \"content_id\": %u, \"mid_stream\": %s, \"app\": ",
	       first ? "" : ",", seconds(r, d->start_us), seconds(r, d->end_us),
	       protocol(d->key.proto, proto, sizeof(proto)),
	       ecs_addr_text(&d->key.subscriber, a, sizeof(a)), d->key.subscriber_port,
	       ecs_addr_text(&d->key.server, b, sizeof(b)), d->key.server_port,
	       (unsigned long long)d->pkts[0], (unsigned long long)d->bytes[0],
	       (unsigned long long)d->pkts[1], (unsigned long long)d->bytes[1], d->content_id,
	       d->flags & ECS_FLOW_F_MID ? "true" : "false");
	json_string(application(d));
	printf(", \"rule\": ");
	json_string(d->rule);
	putchar('}');
}

static void rule_line(const struct replay *r, const char *name, const struct ecs_rule_stats *s,
                      bool *first)
{
	if (!s->hits)
		return;
	if (!r->json) {
		printf("%-40s %10llu %10llu %14llu %10llu %14llu\n", name,
		       (unsigned long long)s->hits, (unsigned long long)s->pkts_up,
		       (unsigned long long)s->bytes_up,
		       (unsigned long long)s->pkts_down, (unsigned long long)s->bytes_down);
		return;
	}
	printf("%s\n  {\"hits\": %llu, \"packets_up\": %llu, \"bytes_up\": %llu, "
	       "\"packets_down\": %llu, \"bytes_down\": %llu, \"rule\": ",
	       *first ? "" : ",", (unsigned long long)s->hits, (unsigned long long)s->pkts_up,
	       (unsigned long long)s->bytes_up, (unsigned long long)s->pkts_down,
	       (unsigned long long)s->bytes_down);
	json_string(name);
	putchar('}');
	*first = false;
}

static void print_rules(const struct replay *r)
{
	const struct ecs_service *svc = r->conf->service;
	size_t n = ecs_service_stats_count(svc);
	bool first = true;

	if (!r->json)
		printf("%-40s %10s %10s %14s %10s %14s\n", "rule", "hits", "pkts up", "bytes up",
		       "pkts down", "bytes down");
	for (size_t i = 0; i < n; i++)
		rule_line(r, ecs_service_stats_name(svc, i), &r->stats[i], &first);
	rule_line(r, "(no rule)", &r->stats[n], &first);
}

static void count_text(const char *prefix, const struct stats_desc *d, uint64_t v, void *arg)
{
	(void)prefix;
	(void)arg;
	if (v)
		fprintf(stderr, "%-22s %12llu  %s\n", d->name, (unsigned long long)v, d->help);
}

static void print_counters(const struct replay *r)
{
	struct stats_group g = {"ecs", ecs_counter_desc, ecs_counter_count, &r->counters};

	fprintf(stderr, "%llu frames, %llu without IP, %llu of no subscriber, %llu without a "
	        "session, %zu sessions\n", (unsigned long long)r->frames,
	        (unsigned long long)r->no_ip,
	        (unsigned long long)r->no_direction, (unsigned long long)r->no_session,
	        ecs_engine_sessions(r->e));
	stats_walk(&g, count_text, NULL);
}

static void put(void *arg, const char *p, size_t n)
{
	(void)arg;
	fwrite(p, 1, n, stdout);
}

static void begin_packets(struct replay *r)
{
	stats_doc_begin(&r->doc, r->json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, NULL);
	stats_doc_item(&r->doc, "file", NULL, stats_string(r->file));
	if (chassis_packets_begin(&r->rows, r->e, &r->doc) != 0)
		fatal("out of memory", NULL);
}

static void end_packets(struct replay *r)
{
	chassis_packets_print(&r->rows, r->e); /* of flows that have ended with the capture */
	chassis_packets_end(&r->rows);
	stats_doc_item(&r->doc, "frames", NULL, stats_uint(r->frames));
	stats_doc_item(&r->doc, "no_ip", NULL, stats_uint(r->no_ip));
	stats_doc_item(&r->doc, "malformed", NULL, stats_uint(r->counters.drop_malformed));
	stats_doc_item(&r->doc, "sessions", NULL, stats_uint(ecs_engine_sessions(r->e)));
	stats_doc_end(&r->doc);
	if (r->verbose)
		print_counters(r);
}

static void print_results(struct replay *r)
{
	ecs_flows_clear(r->e, 0, r->now);
	if (r->print == PRINT_PACKETS) {
		end_packets(r);
		return;
	}
	if (r->nended)
		qsort(r->ended, r->nended, sizeof(r->ended[0]), by_start);
	if (r->json) {
		printf("{\"file\": ");
		json_string(r->file);
		printf(", \"frames\": %llu, \"no_ip\": %llu, \"malformed\": %llu, "
		       "\"sessions\": %zu, \"%s\": [", (unsigned long long)r->frames,
		       (unsigned long long)r->no_ip,
		       (unsigned long long)r->counters.drop_malformed, ecs_engine_sessions(r->e),
		       r->print == PRINT_RULES ? "rules" : "flows");
	}
	if (r->print == PRINT_RULES)
		print_rules(r);
	else
		for (size_t i = 0; i < r->nended; i++) {
			if (r->json)
				flow_json(r, &r->ended[i], i == 0);
			else
				flow_text(r, &r->ended[i]);
		}
	if (r->json)
		printf("\n]}\n");
	if (r->verbose)
		print_counters(r);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void config_error(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "ecsreplay: %s\n", text);
}

static void read_config(struct replay *r)
{
	FILE *f = fopen(r->config, "r");
	char *text = malloc(CONFIG_MAX);
	size_t n;

	if (!f || !text)
		fatal("cannot read the configuration", r->config);
	n = fread(text, 1, CONFIG_MAX, f);
	if (ferror(f) || n == CONFIG_MAX)
		fatal("cannot read the configuration, or it is too long", r->config);
	fclose(f);
	/* its feature keys lie on the chassis, and nothing that is replayed needs one */
	r->conf = chassis_config_parse_with(text, n, r->config, chassis_license_assume, NULL,
					    config_error, NULL);
	free(text);
	if (!r->conf)
		fatal("the configuration has errors", r->config);
	chassis_database_load(r->conf, config_error, NULL);
	if (!r->conf->service)
		fatal("the configuration has no active-charging service", r->config);
	if (ecs_service_find_rulebase(r->conf->service, rulebase_of(r)) < 0)
		fatal("no such rulebase", r->rulebase ? r->rulebase : "the configuration has none");
}

static void make_engine(struct replay *r)
{
	static const struct ecs_engine_ops ops = {.flow_down = flow_down};
	struct ecs_engine_config c = {.service = r->conf->service, .ops = &ops, .owner = r,
	                              .crypto = &chassis_quic_crypto,
	                              .counters = &r->counters, .seed = 1, .pending_timeout = 60};

	r->stats = calloc(ECS_STATS_MAX, sizeof(*r->stats));
	if (!r->stats || chassis_sides_init(&r->sides) != 0)
		fatal("out of memory", NULL);
	c.rule_stats = r->stats;
	r->e = ecs_engine_new(&c, r->now);
	if (!r->e)
		fatal("out of memory", NULL);
}

/* Reads the capture; false where it ended in an error. */
static bool run(struct replay *r)
{
	char err[PCAP_ERRBUF_SIZE] = "";
	struct pcap_pkthdr *h;
	const uint8_t *b;
	pcap_t *cap = pcap_open_offline(r->file, err);
	int rc, link;

	if (!cap)
		fatal("cannot read the capture", err);
	link = pcap_datalink(cap);
	if (!chassis_capture_known(link))
		fatal("unknown link type of the capture", pcap_datalink_val_to_name(link));
	while ((rc = pcap_next_ex(cap, &h, &b)) == 1)
		frame(r, link, h, b);
	if (rc != PCAP_ERROR_BREAK)
		fprintf(stderr, "ecsreplay: %s: %s\n", r->file, pcap_geterr(cap));
	pcap_close(cap);
	return rc == PCAP_ERROR_BREAK;
}

static bool options(struct replay *r, int argc, char **argv)
{
	enum { RULEBASE = 256, SUBSCRIBER, FLOWS, RULES, PACKETS, JSON, HELP };
	static const struct option longs[] = {
		{"rulebase", required_argument, NULL, RULEBASE},
		{"subscriber", required_argument, NULL, SUBSCRIBER},
		{"flows", no_argument, NULL, FLOWS}, {"rules", no_argument, NULL, RULES},
		{"packets", no_argument, NULL, PACKETS}, {"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:v", longs, NULL)) != -1) {
		if (c == 'c')
			r->config = optarg;
		else if (c == 'v')
			r->verbose = true;
		else if (c == RULEBASE)
			r->rulebase = optarg;
		else if (c == FLOWS || c == RULES || c == PACKETS)
			r->print = c == RULES ? PRINT_RULES : c == PACKETS ? PRINT_PACKETS : PRINT_FLOWS;
		else if (c == JSON)
			r->json = true;
		else if (c != SUBSCRIBER || chassis_sides_add(&r->sides, optarg) != 0)
			return false;
	}
	if (!r->config || optind + 1 != argc)
		return false;
	r->file = argv[optind];
	return true;
}

int main(int argc, char **argv)
{
	static struct replay r;
	bool ok;

	if (!options(&r, argc, argv)) {
		fputs(USAGE, stderr);
		return 2;
	}
	read_config(&r);
	make_engine(&r);
	if (r.print == PRINT_PACKETS)
		begin_packets(&r);
	ok = run(&r);
	print_results(&r);
	ecs_engine_free(r.e);
	chassis_sides_fini(&r.sides);
	chassis_config_free(r.conf);
	free(r.stats);
	free(r.ended);
	return ok && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
