/* Timedefs: which times a line is in force, and what becomes of flows when it begins and ends. */
#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

#define DAY 86400u
#define AT(day, h, m, s) (ECS_DAY_##day * DAY + (h) * 3600u + (m) * 60u + (s))

/* --- times ------------------------------------------------------------------------------------ */

static struct ecs_service *with_slots(const char *slots)
{
	char text[2048];
	struct ecs_service *s;

	snprintf(text, sizeof(text), "ruledef a\n ip any-match = TRUE\n#exit\ncharging-action ca\n#exit\n%s"
	         "rulebase rb\n action priority 1 timedef t ruledef a charging-action ca\n#exit\n",
	         slots);
	s = ecs_rule_text(text, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static bool in_force(const char *slots, uint32_t week_s)
{
	struct ecs_service *s = with_slots(slots);
	struct ecs_matcher *m = ecs_matcher_new(s);
	struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 1, .dport = 2};
	struct ecs_match_in in = {.l34_only = true};
	struct ecs_packet p;
	uint8_t b[PK_CAP];
	bool is;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(ecs_packet_parse(b, pk_build(&k, b), ECS_UPLINK, &p), 0);
	in.pkt = &p;
	(void)ecs_matcher_time(m, week_s);
	is = ecs_match(m, 0, &in, NULL) == 0;
	CU_ASSERT_EQUAL(ecs_matcher_in_force(m, 0), is);
	CU_ASSERT_FALSE(ecs_matcher_time(m, week_s)); /* nothing changes */
	ecs_matcher_free(m);
	ecs_service_free(s);
	return is;
}

#define DAILY   "timedef t\n start time 8 0 0 end time 17 29 59\n#exit\n"
#define NIGHTLY "timedef t\n start time 22 0 0 end time 5 59 59\n#exit\n"
#define WEEKEND "timedef t\n start day friday time 18 0 0 end day sunday time 23 59 59\n#exit\n"
#define WORK    "timedef t\n start day monday time 0 0 0 end day friday time 17 59 59\n#exit\n"

static void when_it_is(void)
{
	static const struct {
		const char *slots;
		uint32_t at;
		bool is;
	} rows[] = {
		{DAILY, AT(SUNDAY, 7, 59, 59), false}, {DAILY, AT(SUNDAY, 8, 0, 0), true},
		{DAILY, AT(SATURDAY, 17, 29, 59), true}, {DAILY, AT(SATURDAY, 17, 30, 0), false},
		/* over midnight, and over that of the week */
		{NIGHTLY, AT(TUESDAY, 21, 59, 59), false}, {NIGHTLY, AT(TUESDAY, 22, 0, 0), true},
		{NIGHTLY, AT(WEDNESDAY, 0, 0, 0), true}, {NIGHTLY, AT(WEDNESDAY, 5, 59, 59), true},
		{NIGHTLY, AT(WEDNESDAY, 6, 0, 0), false}, {NIGHTLY, AT(SATURDAY, 23, 59, 59), true},
		{NIGHTLY, AT(SUNDAY, 0, 0, 0), true}, {NIGHTLY, AT(SUNDAY, 6, 0, 0), false},
		{WEEKEND, AT(FRIDAY, 17, 59, 59), false}, {WEEKEND, AT(FRIDAY, 18, 0, 0), true},
		{WEEKEND, AT(SATURDAY, 12, 0, 0), true}, {WEEKEND, AT(SUNDAY, 23, 59, 59), true},
		{WEEKEND, AT(MONDAY, 0, 0, 0), false}, {WEEKEND, AT(SATURDAY, 23, 59, 59), true},
		{WORK, AT(SUNDAY, 23, 59, 59), false}, {WORK, AT(MONDAY, 0, 0, 0), true},
		{WORK, AT(FRIDAY, 17, 59, 59), true}, {WORK, AT(FRIDAY, 18, 0, 0), false},
		/* one second; the whole day; a week that turns in a day */
		{"timedef t\n start time 1 2 3 end time 1 2 3\n#exit\n", AT(MONDAY, 1, 2, 3), true},
		{"timedef t\n start time 1 2 3 end time 1 2 3\n#exit\n", AT(MONDAY, 1, 2, 4), false},
		{"timedef t\n start time 0 0 0 end time 23 59 59\n#exit\n", AT(SUNDAY, 0, 0, 0), true},
		{"timedef t\n start day monday time 9 0 0 end day monday time 8 0 0\n#exit\n",
		 AT(MONDAY, 8, 0, 1), false},
		{"timedef t\n start day monday time 9 0 0 end day monday time 8 0 0\n#exit\n",
		 AT(MONDAY, 8, 0, 0), true},
		/* any of several */
		{"timedef t\n start time 1 0 0 end time 1 59 59\n start day friday time 2 0 0 end day "
		 "friday time 2 59 59\n#exit\n", AT(FRIDAY, 2, 30, 0), true},
		{"timedef t\n start time 1 0 0 end time 1 59 59\n start day friday time 2 0 0 end day "
		 "friday time 2 59 59\n#exit\n", AT(MONDAY, 2, 30, 0), false},
		/* nobody knows what time it is */
		{DAILY, ECS_WEEK_S, false},
		{"timedef t\n start day sunday time 0 0 0 end day saturday time 23 59 59\n#exit\n",
		 ECS_WEEK_S, false},
		/* without lines, and where there is none: at all times */
		{"timedef t\n#exit\n", ECS_WEEK_S, true}, {"", ECS_WEEK_S, true},
		{"timedef other\n start time 1 0 0 end time 2 0 0\n#exit\n", AT(MONDAY, 3, 0, 0), true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (in_force(rows[i].slots, rows[i].at) != rows[i].is) {
			printf("row %zu\n", i);
			CU_FAIL("in force, or not");
		}
}

/* Several lines and timedefs in two rulebases, in more than one word of a set. */
static void lines_of_their_own(void)
{
	char text[16384] = "timedef day\n start time 8 0 0 end time 19 59 59\n#exit\n"
			   "timedef night\n start time 20 0 0 end time 7 59 59\n#exit\n"
			   "charging-action ca\n#exit\n";
	struct ecs_service *s;
	struct ecs_matcher *m;
	uint16_t first;
	size_t n;

	for (unsigned i = 0; i < 70; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "ruledef r%u\n udp dst-port = %u\n#exit\n", i, i + 1);
	for (unsigned rb = 0; rb < 2; rb++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "rulebase rb%u\n", rb);
		for (unsigned i = 0; i < 70; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			         " action priority %u %sruledef r%u charging-action ca\n", i + 1,
			         (i + rb) % 3 == 0 ? "timedef day " : (i + rb) % 3 == 1 ? "timedef night " : "", i);
		strcat(text, "#exit\n");
	}
	s = ecs_rule_text(text, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	m = ecs_matcher_new(s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_TRUE(ecs_service_timed(s, 0) && ecs_service_timed(s, 1));
	CU_ASSERT_FALSE(ecs_service_timed(s, 2) || ecs_service_timed(s, -1));
	CU_ASSERT_TRUE(ecs_matcher_time(m, AT(MONDAY, 12, 0, 0)));
	CU_ASSERT_FALSE(ecs_matcher_time(m, AT(MONDAY, 19, 59, 59)));
	for (unsigned rb = 0; rb < 2; rb++) {
		first = ecs_service_first_line(s, (int)rb, &n);
		for (unsigned i = 0; i < n; i++)
			CU_ASSERT_EQUAL(ecs_matcher_in_force(m, (uint16_t)(first + i)), (i + rb) % 3 != 1);
	}
	CU_ASSERT_TRUE(ecs_matcher_time(m, AT(MONDAY, 20, 0, 0)));
	for (unsigned rb = 0; rb < 2; rb++) {
		struct ecs_match_in in = {.l34_only = true};

		first = ecs_service_first_line(s, (int)rb, &n);
		for (unsigned i = 0; i < n; i++) {
			struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 999,
			               .dport = (uint16_t)(i + 1)};
			struct ecs_packet p;
			uint8_t b[PK_CAP];

			CU_ASSERT_EQUAL(ecs_packet_parse(b, pk_build(&k, b), ECS_UPLINK, &p), 0);
			in.pkt = &p;
			CU_ASSERT_EQUAL(ecs_match(m, (int)rb, &in, NULL),
			                (i + rb) % 3 == 0 ? ECS_LINE_NONE : first + i);
		}
	}
	ecs_matcher_free(m);
	ecs_service_free(s);
}

/* --- configuration ---------------------------------------------------------------------------- */

static void limits(void)
{
	struct ecs_service *s = ecs_service_new("s1");
	struct ecs_timeslot t = {.to = 5};
	struct ecs_err e;
	char name[16];

	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_service_timedef(s, "t", false, &e), 0);
	for (t.from = 0; t.from < ECS_TIMESLOTS; t.from++)
		CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), SRP_EFULL);
	t.from = 3;
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), 0); /* is there */
	t.days = true;
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), SRP_EFULL); /* is another */
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", true, &t, &e), SRP_ENOENT);
	t.days = false;
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", true, &t, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", true, &t, &e), SRP_ENOENT);
	t = (struct ecs_timeslot){.from = DAY};
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), SRP_ERANGE);
	t = (struct ecs_timeslot){.to = DAY};
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), SRP_ERANGE);
	t = (struct ecs_timeslot){.days = true, .from = DAY, .to = ECS_WEEK_S};
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), SRP_ERANGE);
	t.to = ECS_WEEK_S - 1;
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), 0);
	for (unsigned i = 1; i < ECS_TIMEDEFS_MAX; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		CU_ASSERT_EQUAL(ecs_service_timedef(s, name, false, &e), 0);
	}
	CU_ASSERT_EQUAL(ecs_service_timedef(s, "more", false, &e), SRP_EFULL);
	CU_ASSERT_EQUAL(ecs_service_timedef(s, "t1", true, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_timedef(s, "t1", true, &e), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_timedef(s, "t1", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_timeslot(s, "t", false, &t, &e), SRP_ESTATE);
	ecs_service_free(s);
}

static void keep(void *arg, const char *line)
{
	char *out = arg;

	strcat(strcat(out, line), "\n");
}

static void prints_and_digests(void)
{
	static const char text[] = "timedef t\n  start day friday time 18 0 0 end day sunday time 23 59 59\n"
				   "  start time 22 5 0 end time 5 59 7\n#exit\n",
	                  split[] = "timedef t\n  start time 22 5 0 end time 23 0 0\n"
				    "  start time 23 0 1 end time 5 59 7\n"
				    "  start day friday time 18 0 0 end day sunday time 23 59 59\n#exit\n",
	                  other[] = "timedef t\n  start day friday time 18 0 1 end day sunday time 23 59 59\n"
				    "  start time 22 5 0 end time 5 59 7\n#exit\n";
	struct ecs_service *a = with_slots(text), *b, *c = with_slots(split), *d = with_slots(other),
	                   *none = with_slots("timedef t\n#exit\n"), *gone = with_slots("");
	char out[4096] = "";

	ecs_service_print(a, keep, out);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "    start day friday time 18 0 0 end day sunday time 23 59 59\n"
	                                   "    start time 22 5 0 end time 5 59 7\n  #exit\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "action priority 1 timedef t ruledef a charging-action ca"));
	b = with_slots(strstr(text, "timedef"));
	CU_ASSERT_EQUAL(ecs_service_digest(a), ecs_service_digest(b));
	CU_ASSERT_EQUAL(ecs_service_digest(a), ecs_service_digest(c)); /* the same times */
	CU_ASSERT_NOT_EQUAL(ecs_service_digest(a), ecs_service_digest(d));
	CU_ASSERT_NOT_EQUAL(ecs_service_digest(a), ecs_service_digest(none));
	CU_ASSERT_NOT_EQUAL(ecs_service_digest(none), ecs_service_digest(gone));
	CU_ASSERT_EQUAL(ecs_service_rulebase_says(a, 0), ecs_service_rulebase_says(c, 0));
	CU_ASSERT_NOT_EQUAL(ecs_service_rulebase_says(a, 0), ecs_service_rulebase_says(d, 0));
	CU_ASSERT_EQUAL(ecs_service_rulebase_says(none, 0), ecs_service_rulebase_says(gone, 0));
	ecs_service_free(a);
	ecs_service_free(b);
	ecs_service_free(c);
	ecs_service_free(d);
	ecs_service_free(none);
	ecs_service_free(gone);
}

/* --- flows ------------------------------------------------------------------------------------ */

#define NOON  AT(MONDAY, 12, 0, 0)
#define NIGHT AT(MONDAY, 23, 0, 0)

/* The rules, where `video` and `late` are in force by day alone. */
static const char *timed_rules(char text[8192])
{
	static const char day[] = "timedef day\n start time 8 0 0 end time 19 59 59\n#exit\n";
	const char *video = strstr(rules, "ruledef video charging"), *late = strstr(rules, "ruledef late charging");

	snprintf(text, 8192, "%s%.*stimedef day %.*stimedef day %s", day, (int)(video - rules), rules,
	         (int)(late - video), video, late);
	return text;
}

static void tell(struct rig *r, uint32_t week_s)
{
	ecs_engine_time(r->e, week_s);
	while (ecs_engine_tick(r->e, r->now, 1))
		;
}

static void begin_timed(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	char text[8192];

	setup(r, timed_rules(text), 0);
	ecs_engine_time(r->e, NOON);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

static void flows_change(void)
{
	struct conn c, v, u;
	struct rig r;

	begin_timed(&r);
	c = tcp(&r, 4000, 7777);
	handshake(&c);
	v = tcp(&r, 4001, 80);
	handshake(&v);
	say(&v, ECS_UPLINK, ACK, GET("video.example"));
	u = tcp(&r, 4002, 9000);
	handshake(&u);
	say(&u, ECS_UPLINK, ACK, "xxxxxxxxxxxxxxxxxxxx");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	CU_ASSERT_STRING_EQUAL(rule_of(&v), "video");
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 1);
	tell(&r, NOON + 1); /* nothing begins or ends */
	CU_ASSERT_FALSE(flow_of(&c)->stale || flow_of(&v)->stale);
	tell(&r, NIGHT);
	say(&c, ECS_UPLINK, ACK, "x");
	say(&v, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	say(&u, ECS_UPLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_STRING_EQUAL(rule_of(&v), "tcp-any");
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "tcp-any");
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 0);
	say(&v, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_FALSE(flow_of(&c)->stale || flow_of(&v)->stale);
	/* the next day: what the flow was found to be of is known */
	tell(&r, NOON + DAY);
	say(&c, ECS_UPLINK, ACK, "x");
	say(&v, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	CU_ASSERT_STRING_EQUAL(rule_of(&v), "video");
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 1);
	end(&r);
}

/* What begins while a line is not in force never has its rule; a commit knows what time it is. */
static void new_flows_and_commits(void)
{
	struct ecs_service *old;
	char text[8192];
	struct conn c, v;
	struct rig r;

	begin_timed(&r);
	tell(&r, NIGHT);
	c = tcp(&r, 4000, 7777);
	handshake(&c);
	v = tcp(&r, 4001, 80);
	handshake(&v);
	say(&v, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_STRING_EQUAL(rule_of(&v), "tcp-any");
	old = r.svc;
	r.svc = service(strcat((char *)(uintptr_t)timed_rules(text), "ruledef unused\n#exit\n"));
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, r.svc, r.now), 0);
	ecs_service_free(old);
	say(&c, ECS_UPLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_FALSE(flow_of(&c)->stale);
	/* without timedefs */
	old = r.svc;
	r.svc = service(rules);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, r.svc, r.now), 0);
	ecs_service_free(old);
	say(&c, ECS_UPLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	end(&r);
}

/* A recovered flow keeps the rule that it came with, whatever time it is. */
static void recovered_flows_keep(void)
{
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5, .down = 6};
	struct ecs_flow *f;
	char text[8192];
	struct rig r;

	f = standby_with(&r, &c, "video", timed_rules(text));
	tell(&r, NOON);
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_DOWNLINK, ACK, "x");
	tell(&r, NIGHT);
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_TRUE(f->flags & ECS_FLOW_F_CHECKPOINT);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_down, 2);
	end(&r);
}

/* Of many calls, some at a time; the role can go meanwhile. */
static void in_steps(void)
{
	struct conn c;
	struct rig r;
	unsigned n = 0;

	begin_timed(&r);
	for (uint32_t i = 0; i < 8; i++) {
		struct ecs_session_spec sp = spec_of(100 + i, NULL, NULL);
		struct ecs_session *s;

		sp.has4 = true;
		sp.v4 = addr("10.0.1.0");
		sp.v4.b[15] = (uint8_t)i;
		CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), 0);
	}
	c = tcp(&r, 4000, 7777);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, "xxxxxxxxxxxxxxxxxxxx");
	ecs_engine_time(r.e, NIGHT);
	while (ecs_times_turn(r.e, 1))
		n++;
	CU_ASSERT_EQUAL(n, 9);
	CU_ASSERT_TRUE(flow_of(&c)->stale);
	ecs_engine_time(r.e, NOON);
	CU_ASSERT_TRUE(ecs_times_turn(r.e, 2));
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_FALSE(ecs_times_turn(r.e, 2));
	ecs_engine_time(r.e, NIGHT); /* a standby matches nothing */
	CU_ASSERT_FALSE(ecs_times_turn(r.e, 2));
	end(&r);
}

CU_TestInfo ecs_timedef_tests[] = {
	{"when it is", when_it_is},
	{"lines of their own", lines_of_their_own},
	{"limits", limits},
	{"prints and digests", prints_and_digests},
	{"flows change", flows_change},
	{"new flows and commits", new_flows_and_commits},
	{"recovered flows keep their rule", recovered_flows_keep},
	{"in steps", in_steps},
	CU_TEST_INFO_NULL,
};
