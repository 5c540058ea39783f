#include "config.h"
#include "suites.h"

#include "ecs_rig.h"
#include "ecs/call.h"
#include "ecs/dynamic.h"
#include "ecs/rule/filter.h"

/* An active engine with one session, under the rules and these lines in addition. */
static void begin_with(struct rig *r, const char *more)
{
	char text[12000];

	snprintf(text, sizeof(text), "%s%s", rules, more);
	begin_by(r, text, NULL);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* Flows of the rule `video`, one of port 80 and one of 8080, under these routes. */
static unsigned found(const char *routes)
{
	char text[512];
	struct conn a, b;
	unsigned bits;
	struct rig r;

	snprintf(text, sizeof(text), "ruledef p80\n rule-application routing\n tcp either-port = 80\n#exit\n"
	         "ruledef r-any\n rule-application routing\n ip any-match = TRUE\n#exit\n"
	         "ruledef p443\n rule-application routing\n tcp either-port = 443\n#exit\nrulebase rb\n%s#exit\n", routes);
	begin_with(&r, text);
	a = tcp(&r, 1, 80);
	handshake(&a);
	say(&a, ECS_UPLINK, ACK, GET("video.example"));
	b = tcp(&r, 2, 8080);
	handshake(&b);
	say(&b, ECS_UPLINK, ACK, GET("video.example"));
	bits = (strcmp(rule_of(&a), "video") == 0 ? 1u : 0) |
	       (strcmp(rule_of(&b), "video") == 0 ? 2u : 0);
	CU_ASSERT_EQUAL(r.c.http_requests, (bits & 1) + (bits >> 1));
	end(&r);
	return bits;
}

static void routes_choose_flows(void)
{
	CU_ASSERT_EQUAL(found(""), 3); /* no route to it: all flows */
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p80 analyzer http\n"), 1);
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p443 analyzer http\n"), 0);
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p443 analyzer secure-http\n"), 3);
	/* the first that matches */
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p80 analyzer sip\n"
	                      " route priority 2 ruledef r-any analyzer http\n"), 2);
	CU_ASSERT_EQUAL(found(" route priority 2 ruledef p80 analyzer sip\n"
	                      " route priority 1 ruledef r-any analyzer http\n"), 3);
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef nowhere analyzer http\n"), 0);
}

/* --- tcp packets-out-of-order ----------------------------------------------------------------- */

/* A request whose middle does not come; whether the analyzer has given it up after a time. */
static bool given_up(const char *line, unsigned ms)
{
	struct conn c;
	struct rig r;
	bool is;

	begin_with(&r, line);
	c = tcp(&r, 1, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, "GET / HT");
	c.up += 10;
	say(&c, ECS_UPLINK, ACK, "Host: v");
	wait_ms(&r, ms);
	say(&c, ECS_UPLINK, ACK, "ideo");
	is = ecs_call_count(r.e, r.s)->reorder.timer_expiry;
	end(&r);
	return is;
}

/* Where the SYN went by unseen, its answer says where the opener's bytes begin. */
static void an_answer_says_where_bytes_begin(void)
{
	static const char first[] = "GET / HT", rest[] = "TP/1.1\r\nHost: video\r\n\r\n";
	struct conn c;
	struct rig r;
	uint32_t at;

	begin_with(&r, "");
	c = tcp(&r, 1, 80);
	c.up++;
	say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
	say(&c, ECS_UPLINK, ACK, NULL);
	at = c.up;
	c.up = at + (uint32_t)strlen(first);
	say(&c, ECS_UPLINK, ACK, rest);
	CU_ASSERT_EQUAL(r.e->conf.counters->http_requests, 0);
	c.up = at;
	say(&c, ECS_UPLINK, ACK, first);
	CU_ASSERT_EQUAL(r.e->conf.counters->http_requests, 1);
	end(&r);
}

static void missing_segments_are_waited_for(void)
{
	static const char soon[] = "rulebase rb\n tcp packets-out-of-order timeout 100\n#exit\n",
	                  late[] = "rulebase rb\n tcp packets-out-of-order timeout 30000\n#exit\n";

	CU_ASSERT_FALSE(given_up("", 4999));
	CU_ASSERT_TRUE(given_up("", 5100));
	CU_ASSERT_FALSE(given_up(soon, 99));
	CU_ASSERT_TRUE(given_up(soon, 200));
	CU_ASSERT_FALSE(given_up(late, 29999));
	CU_ASSERT_TRUE(given_up(late, 30100));
}

/* --- matching of lists ------------------------------------------------------------------------ */

static uint16_t line_of_packet(struct ecs_matcher *m, const uint64_t *active, bool policy)
{
	static const struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 1, .dport = 2};
	struct ecs_match_in in = {.l34_only = true, .active = active, .policy = policy};
	struct ecs_packet p;
	uint8_t b[PK_CAP];
	bool maybe;

	CU_ASSERT_EQUAL(ecs_packet_parse(b, pk_build(&k, b), ECS_UPLINK, &p), 0);
	in.pkt = &p;
	return ecs_match(m, 0, &in, &maybe);
}

static void lines_that_need_activation(void)
{
	struct ecs_service *s = ecs_rule_text(
		"ruledef a\nip any-match = TRUE\n#exit\nruledef b\nip any-match = TRUE\n#exit\n"
		"ruledef c\nip any-match = TRUE\n#exit\ncharging-action ca\n#exit\nrulebase rb\n"
		"action priority 1 dynamic-only ruledef a charging-action ca\n"
		"action priority 2 static-and-dynamic ruledef b charging-action ca\n"
		"action priority 3 ruledef c charging-action ca\n#exit\n", true);
	const uint64_t first = 1, second = 2;
	struct ecs_matcher *m = ecs_matcher_new(s);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(line_of_packet(m, NULL, false), 1);
	CU_ASSERT_EQUAL(line_of_packet(m, NULL, true), 2);
	CU_ASSERT_EQUAL(line_of_packet(m, &first, false), 0);
	CU_ASSERT_EQUAL(line_of_packet(m, &first, true), 0);
	CU_ASSERT_EQUAL(line_of_packet(m, &second, true), 1);
	CU_ASSERT_EQUAL(ecs_service_line(s, 0)->kind, ECS_LINE_DYNAMIC_ONLY);
	ecs_matcher_free(m);
	ecs_service_free(s);
}

static void lists_do_not_mix(void)
{
	static const struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 1, .dport = 2};
	struct ecs_service *s = ecs_rule_text(
		"ruledef a\nudp any-match = TRUE\n#exit\n"
		"ruledef p\nrule-application post-processing\nudp any-match = TRUE\n#exit\n"
		"ruledef q\nrule-application post-processing\ntcp any-match = TRUE\n#exit\n"
		"ruledef r\nrule-application routing\nudp dst-port = 2\n#exit\n"
		"charging-action ca\n#exit\nrulebase other\n#exit\nrulebase rb\n"
		"action priority 1 ruledef a charging-action ca\n"
		"post-processing priority 1 ruledef q charging-action ca\n"
		"post-processing priority 2 ruledef p charging-action ca\n"
		"route priority 1 ruledef r analyzer sip\n#exit\n", true);
	struct ecs_matcher *m = ecs_matcher_new(s);
	struct ecs_match_in in = {.l34_only = true};
	struct ecs_packet p;
	uint8_t b[PK_CAP];
	uint16_t line;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(ecs_packet_parse(b, pk_build(&k, b), ECS_UPLINK, &p), 0);
	in.pkt = &p;
	CU_ASSERT_EQUAL(ecs_service_lines(s), 1);
	CU_ASSERT_EQUAL(ecs_match(m, 1, &in, NULL), 0);
	line = ecs_match_post(m, 1, &in);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ecs_service_line(s, line));
	CU_ASSERT_STRING_EQUAL(ecs_service_line(s, line)->rule_name, "p");
	CU_ASSERT_TRUE(ecs_service_line(s, line)->post);
	CU_ASSERT_EQUAL(ecs_match_route(m, 1, &p), ECS_ANALYZER_SIP);
	CU_ASSERT_EQUAL(ecs_match_post(m, 0, &in), ECS_LINE_NONE);
	CU_ASSERT_EQUAL(ecs_match_route(m, 0, &p), ECS_ANALYZER_NONE);
	CU_ASSERT_EQUAL(ecs_match_post(m, 2, &in), ECS_LINE_NONE);
	CU_ASSERT_PTR_NULL(ecs_service_line(s, 4));
	CU_ASSERT_TRUE(ecs_service_routes_to(s, 1, ECS_ANALYZER_SIP));
	CU_ASSERT_FALSE(ecs_service_routes(s, 0));
	ecs_matcher_free(m);
	ecs_service_free(s);
}

/* A group is of the application of its first member, or of that which it says. */
static void groups_have_an_application(void)
{
	static const char *const said[] = {"", "group-of-ruledefs-application charging\n",
	                                   "group-of-ruledefs-application post-processing\n",
	                                   "group-of-ruledefs-application charging\nno group-of-ruledefs-application\n"};
	static const struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 1, .dport = 2};
	static const bool charges[] = {false, true, false, false};
	struct ecs_match_in in = {.l34_only = true};
	struct ecs_service *s;
	struct ecs_matcher *m;
	struct ecs_packet p;
	uint8_t b[PK_CAP];
	char text[1024];
	struct ecs_err e;

	CU_ASSERT_EQUAL(ecs_packet_parse(b, pk_build(&k, b), ECS_UPLINK, &p), 0);
	in.pkt = &p;
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text),
		         "ruledef p\nrule-application post-processing\nudp any-match = TRUE\n#exit\n"
		         "ruledef a\nudp any-match = TRUE\n#exit\ncharging-action ca\n#exit\n"
		         "group-of-ruledefs g\n%sadd-ruledef priority 1 ruledef p\nadd-ruledef priority 2 ruledef a\n"
		         "#exit\nrulebase rb\naction priority 1 group-of-ruledefs g charging-action ca\n"
		         "post-processing priority 1 group-of-ruledefs g charging-action ca\n#exit\n", said[i]);
		s = ecs_rule_text(text, true);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		m = ecs_matcher_new(s);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_EQUAL(ecs_match(m, 0, &in, NULL) == 0, charges[i]);
		CU_ASSERT_EQUAL(ecs_match_post(m, 0, &in) == ECS_LINE_NONE, charges[i]);
		CU_ASSERT_EQUAL(ecs_service_group_application(s, "g", ECS_APPL_CHARGING, &e), SRP_ESTATE);
		ecs_matcher_free(m);
		ecs_service_free(s);
	}
	s = ecs_service_new("s1");
	CU_ASSERT_EQUAL(ecs_service_group_application(s, "g", ECS_APPL_CHARGING, &e), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_service_group(s, "g", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_group_application(s, "g", ECS_APPL_ROUTING, &e), SRP_EINVAL);
	ecs_service_free(s);
}

/* --- packet filters --------------------------------------------------------------------------- */

static void filter_line(struct ecs_packet_filter *f, const char *text)
{
	char store[128];
	const char *w[12];
	struct ecs_err e;
	size_t n = 0;

	snprintf(store, sizeof(store), "%s", text);
	for (char *p = strtok(store, " "); p; p = strtok(NULL, " "))
		w[n++] = p;
	CU_ASSERT_EQUAL(ecs_packet_filter_set(f, ECS_FORM_SET, w, n, &e), 0);
}

static bool passes(const char *lines, enum ecs_dir dir, const char *far, uint8_t proto,
                   uint16_t near_port, uint16_t far_port)
{
	bool six = strchr(far, ':') != NULL, match;
	const char *ue = six ? UE6 : UE;
	struct ecs_flow_key k = {.subscriber = addr(ue), .server = addr(far), .proto = proto,
	                         .subscriber_port = near_port, .server_port = far_port};
	struct ecs_service *s = ecs_service_new("s");
	struct ecs_err e;
	struct ecs_packet_filter *f = ecs_service_packet_filter(s, "f", false, &e);
	char line[128];

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (*lines) {
		size_t n = strcspn(lines, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)n, lines);
		filter_line(f, line);
		lines += n + (lines[n] == '\n');
	}
	match = ecs_filter_means(f, &k, dir, 0);
	/* what is not known is not what a filter asks for */
	CU_ASSERT_EQUAL(ecs_filter_means(f, &k, dir, -1), match && !f->has_tos);
	ecs_service_free(s);
	return match;
}

static void packet_filters(void)
{
	CU_ASSERT_TRUE(passes("", ECS_UPLINK, SERVER, 17, 1, 2));
	CU_ASSERT_TRUE(passes("direction uplink", ECS_UPLINK, SERVER, 17, 1, 2));
	CU_ASSERT_FALSE(passes("direction uplink", ECS_DOWNLINK, SERVER, 17, 1, 2));
	CU_ASSERT_FALSE(passes("direction downlink", ECS_UPLINK, SERVER, 17, 1, 2));
	for (unsigned d = ECS_UPLINK; d <= ECS_DOWNLINK; d++) {
		enum ecs_dir dir = (enum ecs_dir)d;

		CU_ASSERT_TRUE(passes("ip local-port = 1", dir, SERVER, 17, 1, 2));
		CU_ASSERT_FALSE(passes("ip local-port = 2", dir, SERVER, 17, 1, 2));
		CU_ASSERT_TRUE(passes("ip remote-port range 2 to 3", dir, SERVER, 6, 1, 3));
		CU_ASSERT_FALSE(passes("ip remote-port range 2 to 3", dir, SERVER, 6, 1, 4));
		CU_ASSERT_FALSE(passes("ip remote-port range 2 to 3", dir, SERVER, 1, 1, 3));
		CU_ASSERT_TRUE(passes("ip protocol = 6", dir, SERVER, 6, 1, 3));
		CU_ASSERT_FALSE(passes("ip protocol = 6", dir, SERVER, 17, 1, 3));
		CU_ASSERT_TRUE(passes("ip remote-address = 192.0.2.0/24", dir, "192.0.2.255", 6, 1, 3));
		CU_ASSERT_FALSE(passes("ip remote-address = 192.0.2.0/24", dir, "192.0.3.0", 6, 1, 3));
		CU_ASSERT_FALSE(passes("ip remote-address = 192.0.2.0/24", dir, SERVER6, 6, 1, 3));
		CU_ASSERT_TRUE(passes("ip remote-address = 2001:db8::/32", dir, SERVER6, 6, 1, 3));
		CU_ASSERT_FALSE(passes("ip remote-address = 2001:db9::/32", dir, SERVER6, 6, 1, 3));
		CU_ASSERT_TRUE(passes("ip tos-traffic-class = 0 mask = 255", dir, SERVER, 6, 1, 3));
		CU_ASSERT_FALSE(passes("ip tos-traffic-class = 1 mask = 1", dir, SERVER, 6, 1, 3));
		CU_ASSERT_TRUE(passes("ip tos-traffic-class = 1 mask = 2", dir, SERVER, 6, 1, 3));
	}
}

static unsigned bearer_of(struct conn *c, enum ecs_dir dir)
{
	CU_ASSERT_EQUAL(say(c, dir, 0, "x"), ECS_FORWARD);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow_of(c));
	return flow_of(c)->bearer;
}

static struct conn udp(struct rig *r, uint16_t sport, uint16_t dport)
{
	return (struct conn){.r = r, .proto = 17, .sport = sport, .dport = dport};
}

static void filters_of_activated_rules(void)
{
	static const struct ecs_bearer_spec b6 = {.id = 6, .qos.qci = 1}, b7 = {.id = 7, .qos.qci = 2};
	static const struct ecs_dyn_spec voice = {.name = "voice", .predefined = true},
	                                 other = {.name = "other", .predefined = true};
	struct ecs_service *next;
	struct conn a, b, c, d;
	struct rig r;
	char text[12000];

	snprintf(text, sizeof(text), "%s",
	         "packet-filter media\n ip protocol = 17\n ip remote-port = 7000\n#exit\n"
	         "packet-filter first\n ip remote-port = 7001\n priority 1\n#exit\n"
	         "packet-filter second\n ip remote-port range 7001 to 7002\n priority 2\n#exit\n"
	         "ruledef voice\n udp dst-port = 9\n#exit\nruledef other\n udp dst-port = 9\n#exit\n"
	         "charging-action ca-voice\n qos-class-identifier 1\n tft packet-filter media\n"
	         " tft packet-filter absent\n tft packet-filter second\n#exit\n"
	         "charging-action ca-other\n qos-class-identifier 2\n tft packet-filter first\n#exit\n"
	         "rulebase rb\n action priority 91 dynamic-only ruledef voice charging-action ca-voice\n"
	         " action priority 92 dynamic-only ruledef other charging-action ca-other\n#exit\n");
	begin_with(&r, text);
	CU_ASSERT_EQUAL(ecs_bearer_make(r.e, 1, &b6, r.now), 0);
	CU_ASSERT_EQUAL(ecs_bearer_make(r.e, 1, &b7, r.now), 0);
	a = udp(&r, 1, 7000);
	b = udp(&r, 2, 7001);
	c = udp(&r, 3, 7002);
	d = udp(&r, 4, 7003);
	CU_ASSERT_EQUAL(bearer_of(&a, ECS_UPLINK), 5);
	CU_ASSERT_EQUAL(ecs_rule_install(r.e, 1, &voice, r.now), 0);
	CU_ASSERT_EQUAL(bearer_of(&a, ECS_UPLINK), 6);
	CU_ASSERT_EQUAL(bearer_of(&b, ECS_UPLINK), 6);
	CU_ASSERT_EQUAL(bearer_of(&c, ECS_DOWNLINK), 6);
	CU_ASSERT_EQUAL(bearer_of(&d, ECS_UPLINK), 5);
	CU_ASSERT_EQUAL(ecs_rule_install(r.e, 1, &other, r.now), 0);
	CU_ASSERT_EQUAL(bearer_of(&b, ECS_UPLINK), 7); /* its filter comes first */
	CU_ASSERT_EQUAL(bearer_of(&a, ECS_UPLINK), 6);
	CU_ASSERT_EQUAL(ecs_rule_remove(r.e, 1, "voice", r.now), 0);
	CU_ASSERT_EQUAL(bearer_of(&a, ECS_UPLINK), 5);
	CU_ASSERT_EQUAL(bearer_of(&b, ECS_UPLINK), 7);
	/* a commit takes the filter away, and its service */
	next = service(rules);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, next, r.now), 0);
	ecs_service_free(r.svc);
	r.svc = next;
	CU_ASSERT_EQUAL(bearer_of(&b, ECS_UPLINK), 5);
	end(&r);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void limit_of_flows(void)
{
	struct conn a, b;
	struct rig r;

	begin_with(&r, "system-limit l4-flows 1\n");
	a = tcp(&r, 1, 80);
	handshake(&a);
	b = tcp(&r, 2, 80);
	CU_ASSERT_EQUAL(say(&b, ECS_UPLINK, SYN, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_l4_flows, 1);
	CU_ASSERT_EQUAL(r.c.drop_no_memory, 0);
	CU_ASSERT_EQUAL(say(&a, ECS_UPLINK, ACK, "x"), ECS_FORWARD); /* those that are there go on */
	say(&a, ECS_UPLINK, RST, NULL);
	CU_ASSERT_EQUAL(say(&b, ECS_UPLINK, SYN, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	end(&r);
}

/* --- tcp 2msl-timeout ------------------------------------------------------------------------- */

static void closing(struct rig *r, struct conn *c, const char *line)
{
	char text[128];

	snprintf(text, sizeof(text), "rulebase rb\n %s\n#exit\n", line);
	begin_with(r, text);
	*c = tcp(r, 4000, 80);
	handshake(c);
	say(c, ECS_UPLINK, FIN | ACK, NULL);
	say(c, ECS_DOWNLINK, FIN | ACK, NULL);
}

static void closed_connections_linger(void)
{
	struct conn c;
	struct rig r;

	closing(&r, &c, "tcp 2msl-timeout 20");
	say(&c, ECS_UPLINK, ACK, NULL);
	wait_ms(&r, 19500);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 1);
	end(&r);
	/* none: it ends when the second FIN is acknowledged, not before */
	closing(&r, &c, "no tcp 2msl-timeout");
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	say(&c, ECS_UPLINK, ACK, NULL);
	wait_ms(&r, 200);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 1);
	CU_ASSERT_EQUAL(r.c.flows_created, 1);
	end(&r);
	/* nobody acknowledges */
	closing(&r, &c, "no tcp 2msl-timeout");
	wait_ms(&r, 2500);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	end(&r);
}

/* --- check-point accounting sync-timer -------------------------------------------------------- */

/* Seconds of a minute of steady traffic in which volumes are told of, and whose turn it was. */
static void turns(const char *lines, unsigned gr, unsigned sr)
{
	unsigned told_gr = 0, told_sr = 0;
	struct conn c;
	struct rig r;

	begin_with(&r, lines);
	c = (struct conn){.r = &r, .proto = 17, .sport = 9, .dport = 9};
	say(&c, ECS_UPLINK, 0, "x");
	wait_ms(&r, 200); /* the first turn */
	for (unsigned i = 0; i < 120; i++) {
		unsigned before = r.changed[ecs_kind_usage.id];

		say(&c, ECS_UPLINK, 0, "x");
		wait_ms(&r, 500);
		if (r.changed[ecs_kind_usage.id] == before)
			continue;
		told_gr += !ecs_usage_paced(r.e, SRP_REPLICA_GR);
		told_sr += !ecs_usage_paced(r.e, SRP_REPLICA_SR);
	}
	if (told_gr < gr || told_gr > gr + 1 || told_sr < sr || told_sr > sr + 1)
		fprintf(stderr, "%s: gr %u, sr %u\n", lines, told_gr, told_sr);
	CU_ASSERT_TRUE(told_gr >= gr && told_gr <= gr + 1);
	CU_ASSERT_TRUE(told_sr >= sr && told_sr <= sr + 1);
	/* a planned switchover waits for nobody's turn */
	ecs_engine_flush(r.e, r.now);
	CU_ASSERT_FALSE(ecs_usage_paced(r.e, SRP_REPLICA_GR));
	CU_ASSERT_FALSE(ecs_usage_paced(r.e, SRP_REPLICA_SR));
	end(&r);
}

static void accounting_is_told_in_turns(void)
{
	turns("", 59, 59);
	turns("check-point accounting sync-timer icsr 10\n", 5, 59);
	turns("check-point accounting sync-timer sr 6\n", 59, 9);
	turns("check-point accounting sync-timer icsr 60\ncheck-point accounting sync-timer sr 4\n",
	      0, 14);
	turns("check-point accounting sync-timer icsr 12\ncheck-point accounting sync-timer sr 12\n",
	      4, 4);
}

/* The longest for which flows can be silent: by TCP, UDP, ICMP, another protocol under a rulebase. */
static bool silent(const struct ecs_service *s, const char *rb, uint32_t tcp_s, uint32_t udp_s,
                   uint32_t icmp_s, uint32_t other_s)
{
	int i = ecs_service_find_rulebase(s, rb);

	return ecs_service_idle_longest(s, i, 6) == tcp_s && ecs_service_idle_longest(s, i, 17) == udp_s &&
	       ecs_service_idle_longest(s, i, 1) == icmp_s && ecs_service_idle_longest(s, i, 58) == icmp_s &&
	       ecs_service_idle_longest(s, i, 50) == other_s;
}

static void flows_can_be_silent(void)
{
	static const char text[] =
		"ruledef web\n http host = a.test\n#exit\nruledef voice\n udp either-port = 7\n#exit\n"
		"ruledef ping\n icmp any-match = TRUE\n#exit\nruledef any\n ip any-match = TRUE\n#exit\n"
		"ruledef posted\n rule-application post-processing\n ip any-match = TRUE\n#exit\n"
		"group-of-ruledefs both\n add-ruledef priority 1 ruledef voice\n"
		" add-ruledef priority 2 ruledef ping\n#exit\n"
		"charging-action short\n flow idle-timeout 1\n#exit\ncharging-action plain\n#exit\n"
		"charging-action long\n flow idle-timeout 700\n#exit\n"
		"charging-action day\n flow idle-timeout 86400\n#exit\n"
		"charging-action never\n flow idle-timeout 0\n#exit\n"
		"rulebase none\n action priority 1 ruledef gone charging-action long\n"
		" action priority 2 ruledef voice charging-action gone\n"
		" post-processing priority 1 ruledef posted charging-action day\n#exit\n"
		"rulebase less\n action priority 1 ruledef any charging-action short\n"
		" action priority 2 ruledef web charging-action plain\n#exit\n"
		"rulebase one\n action priority 1 ruledef voice charging-action long\n#exit\n"
		"rulebase ends\n action priority 1 ruledef voice charging-action never\n"
		" action priority 2 ruledef any charging-action long\n#exit\n"
		"rulebase group\n action priority 1 group-of-ruledefs both charging-action long\n#exit\n"
		"rulebase l7\n action priority 1 ruledef web charging-action long\n"
		" action priority 2 dynamic-only ruledef voice charging-action day\n#exit\n";
	struct ecs_service *s = ecs_rule_text(text, false);
	struct ecs_err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	ecs_service_timeouts(s)->tcp = 600;
	ecs_service_timeouts(s)->udp = 5;
	ecs_service_timeouts(s)->icmp = 0;
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(s, &e), 0);
	CU_ASSERT_TRUE(silent(s, "nowhere", 600, 5, 3600, 300));
	CU_ASSERT_TRUE(silent(s, "none", 600, 5, 3600, 300));
	CU_ASSERT_TRUE(silent(s, "less", 600, 5, 3600, 300));
	CU_ASSERT_TRUE(silent(s, "one", 600, 700, 3600, 300));
	CU_ASSERT_TRUE(silent(s, "ends", 700, 3600, 3600, 700));
	CU_ASSERT_TRUE(silent(s, "group", 600, 700, 3600, 300));
	CU_ASSERT_TRUE(silent(s, "l7", 700, 86400, 3600, 700));
	CU_ASSERT_EQUAL(ecs_service_idle_most(s), 86400);
	ecs_service_free(s);
}

CU_TestInfo ecs_base_tests[] = {
	{"the longest idle timeout", flows_can_be_silent},
	{"routes choose the flows of an analyzer", routes_choose_flows},
	{"tcp packets-out-of-order timeout", missing_segments_are_waited_for},
	{"SYN that is not seen", an_answer_says_where_bytes_begin},
	{"lines that need activation", lines_that_need_activation},
	{"lists of a rulebase do not mix", lists_do_not_mix},
	{"groups have an application", groups_have_an_application},
	{"packet filters", packet_filters},
	{"packet filters of activated rules", filters_of_activated_rules},
	{"system-limit l4-flows", limit_of_flows},
	{"tcp 2msl-timeout", closed_connections_linger},
	{"check-point accounting sync-timer", accounting_is_told_in_turns},
	CU_TEST_INFO_NULL,
};
