/* Blacklist, content filtering, requests that are held for a verdict: of fresh flows and of recovered ones. */
#include "config.h"
#include "suites.h"

#include "ecs/content.h"
#include "ecs/enforce.h"
#include "ecs_rig.h"

#define ROOM 4096u

static const char base[] =
	"ruledef web\n tcp either-port = 80\n#exit\n"
	"ruledef other\n tcp either-port = 81\n#exit\n"
	"ruledef any\n ip any-match = TRUE\n#exit\n"
	"charging-action count\n content-id 1\n#exit\n"
	"charging-action shown\n content-id 2\n content-filtering processing server-group\n#exit\n"
	"rulebase rb\n"
	" action priority 2 ruledef web charging-action shown\n"
	" action priority 3 ruledef other charging-action count\n"
	" action priority 9 ruledef any charging-action count\n";

#define STATIC \
	" content-filtering category policy-id 7\n url-blacklisting action terminate-flow\n#exit\n"
#define GROUP   " content-filtering mode server-group g\n#exit\n"
#define DYNAMIC " content-filtering category policy-id 7\n" \
	" content-filtering mode category static-and-dynamic server-group g\n#exit\n"

static struct {
	unsigned n, sent, released;
	uint64_t id[64];
	char host[64][64], uri[64][64];
	int rc;
	char out[65536]; /* payload that was released */
	size_t len;
	char reply[2048];
	enum ecs_dir reply_dir;
} seen;

static int on_rate(void *owner, const struct ecs_rate_ask *q)
{
	(void)owner;
	if (seen.rc)
		return seen.rc;
	seen.id[seen.n] = q->id;
	snprintf(seen.host[seen.n], 64, "%s", q->host);
	snprintf(seen.uri[seen.n++], 64, "%s", q->uri);
	return 0;
}

static void on_release(void *owner, struct ecs_raw *r, enum ecs_dir dir)
{
	struct ecs_packet p;

	(void)owner;
	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(r->ip, r->len, dir, &p), 0);
	seen.released++;
	memcpy(seen.out + seen.len, p.payload, p.payload_len);
	seen.len += p.payload_len;
	seen.out[seen.len] = '\0';
}

static void on_send(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
{
	struct ecs_packet p;

	(void)owner;
	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(pkt, len, dir, &p), 0);
	seen.sent++;
	if (dir == ECS_DOWNLINK && p.payload_len) {
		memcpy(seen.reply, p.payload, p.payload_len);
		seen.reply[p.payload_len] = '\0';
	}
}

static const struct ecs_engine_ops acting = {.session_up = on_up, .session_down = on_down,
	.send = on_send, .rate = on_rate, .release = on_release};

static void add_line(struct ecs_service *s, unsigned prio, const char *cat, enum ecs_cf_act act,
                     const char *text, unsigned code)
{
	struct ecs_cf_action a = {.act = act, .code = (uint16_t)code};

	snprintf(a.text, sizeof(a.text), "%s", text);
	CU_ASSERT_EQUAL(ecs_service_cf_line(s, 7, false, prio, cat, &a, NULL), 0);
}

static struct ecs_service *services(const char *more)
{
	static const char urls[] = "games.test g\nads.test/b a\ndrop.test d\nend.test e\ntext.test t\n",
	                  black[] = "black.test\n";
	struct ecs_cf_action failure = {.act = ECS_CF_REPLY, .code = 503};
	struct ecs_rater_server sv = {.port = 1344, .priority = 1, .max = 1};
	char text[4096];
	struct ecs_service *s;

	snprintf(text, sizeof(text), "%s%s%s", base, more, eligible);
	s = ecs_rule_text(text, false);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	sv.addr = addr("192.0.2.7");
	CU_ASSERT_EQUAL(ecs_service_cf_policy(s, 7, false, NULL), 0);
	add_line(s, 5, "G", ECS_CF_REDIRECT, "http://p.test/", 0);
	add_line(s, 4, "a", ECS_CF_REPLY, "", 451);
	add_line(s, 3, "d", ECS_CF_DISCARD, "", 0);
	add_line(s, 2, "e", ECS_CF_TERMINATE, "", 0);
	add_line(s, 1, "t", ECS_CF_INSERT, "not now", 0);
	CU_ASSERT_EQUAL(ecs_service_rater(s, "g", false, NULL), 0);
	CU_ASSERT_EQUAL(ecs_service_rater_server(s, "g", false, &sv, NULL), 0);
	CU_ASSERT_EQUAL(ecs_service_rater_failure(s, "g", &failure, NULL), 0);
	CU_ASSERT_EQUAL(ecs_service_rater_deny(s, "g", "denied", NULL), 0);
	ecs_service_db_set(s, ECS_DB_CATEGORIES, ecs_db_parse(ECS_DB_CATEGORIES, urls, strlen(urls), NULL, NULL));
	ecs_service_db_set(s, ECS_DB_BLACKLIST, ecs_db_parse(ECS_DB_BLACKLIST, black, strlen(black), NULL, NULL));
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(s, NULL), 0);
	return s;
}

static void start(struct rig *r, const char *more)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	struct ecs_service *s;

	setup(r, rules, 0);
	r->e->conf.ops = &acting;
	s = services(more);
	CU_ASSERT_EQUAL_FATAL(ecs_engine_reconfigure(r->e, s, r->now), 0);
	ecs_service_free(r->svc);
	r->svc = s;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	memset(&seen, 0, sizeof(seen));
}

/* A packet that can be held or answered. */
static enum ecs_verdict forward(struct conn *c, enum ecs_dir dir, uint8_t flags, const char *text)
{
	bool up = dir == ECS_UPLINK;
	struct pk k = {.src = up ? UE : SERVER, .dst = up ? SERVER : UE, .proto = c->proto,
	               .sport = up ? c->sport : c->dport, .dport = up ? c->dport : c->sport,
	               .flags = flags, .seq = up ? c->up : c->down, .ack = up ? c->down : c->up,
	               .text = text ? text : ""};
	uint8_t b[ROOM];
	struct ecs_raw raw = {.ip = b, .room = sizeof(b)};

	raw.len = pk_build(&k, b);
	*(up ? &c->up : &c->down) += (uint32_t)strlen(k.text) + (flags & (SYN | FIN) ? 1 : 0);
	return ecs_engine_forward(c->r->e, &raw, dir, c->r->now);
}

static struct conn opened(struct rig *r, uint16_t sport, uint16_t dport)
{
	struct conn c = {.r = r, .proto = 6, .sport = sport, .dport = dport, .up = 1000, .down = 9000};

	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, SYN, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(forward(&c, ECS_DOWNLINK, SYN | ACK, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, NULL), ECS_FORWARD);
	return c;
}

static enum ecs_verdict get(struct conn *c, const char *host, const char *uri)
{
	char text[400];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", uri, host);
	return forward(c, ECS_UPLINK, ACK, text);
}

/* --- by lists ------------------------------------------------------------------------------------ */

static void test_policy(void)
{
	struct rig r;
	struct conn c;

	start(&r, STATIC);
	c = opened(&r, 2000, 81);
	CU_ASSERT_EQUAL(get(&c, "plain.test", "/"), ECS_FORWARD);
	CU_ASSERT_EQUAL(get(&c, "ads.test", "/a"), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.cf_unlisted, 2);
	CU_ASSERT_EQUAL(get(&c, "ads.test", "/b1"), ECS_DROP);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "HTTP/1.1 451 "));
	CU_ASSERT_EQUAL(seen.sent, 2); /* the server hears of the end */
	CU_ASSERT_EQUAL(get(&c, "plain.test", "/"), ECS_DROP); /* of a connection that is over */
	c = opened(&r, 2001, 81);
	CU_ASSERT_EQUAL(get(&c, "www.games.test", "/"), ECS_DROP);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "302 Found\r\nLocation: http://p.test/\r\n"));
	c = opened(&r, 2002, 81);
	CU_ASSERT_EQUAL(get(&c, "text.test", "/"), ECS_DROP);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "Content-Length: 7\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "\r\n\r\nnot now"));
	c = opened(&r, 2003, 81);
	CU_ASSERT_EQUAL(get(&c, "end.test", "/"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.flows_terminated, 1);
	c = opened(&r, 2004, 81);
	CU_ASSERT_EQUAL(get(&c, "black.test", "/"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.flows_terminated, 2);
	CU_ASSERT_EQUAL(r.c.blacklist_hits, 1);
	CU_ASSERT_EQUAL(r.c.cf_redirected, 1);
	CU_ASSERT_EQUAL(r.c.cf_replied, 2);
	CU_ASSERT_EQUAL(r.c.cf_terminated, 2);
	CU_ASSERT_EQUAL(r.c.cf_stopped, 4);
	end(&r);
}

/* After a discard nothing of the subscriber passes, sent again or not; acknowledgements do. */
static void test_discard(void)
{
	struct rig r;
	struct conn c;
	uint32_t at;

	start(&r, STATIC);
	c = opened(&r, 2000, 81);
	at = c.up;
	CU_ASSERT_EQUAL(get(&c, "drop.test", "/"), ECS_DROP);
	c.up = at;
	CU_ASSERT_EQUAL(get(&c, "drop.test", "/"), ECS_DROP);
	CU_ASSERT_EQUAL(get(&c, "plain.test", "/"), ECS_DROP);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(forward(&c, ECS_DOWNLINK, ACK, "late"), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.cf_discarded, 1);
	CU_ASSERT_EQUAL(r.c.cf_kept_back, 2);
	CU_ASSERT_EQUAL(seen.sent, 0);
	end(&r);
}

/* Each of the requests of a segment counts; a header in parts is looked at when it is whole. */
static void test_pipeline(void)
{
	struct rig r;
	struct conn c;
	char text[1400];
	size_t n = 0;

	start(&r, STATIC);
	c = opened(&r, 2000, 81);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK,
	                        "GET / HTTP/1.1\r\nHost: games.test\r\n\r\n"
	                        "GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n"), ECS_DROP);
	c = opened(&r, 2001, 81);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHo"), ECS_FORWARD);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "st: games.test\r\n\r"), ECS_FORWARD);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "\n"), ECS_DROP);
	c = opened(&r, 2002, 81);
	for (unsigned i = 0; i <= ECS_CONTENT_REQUESTS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "GET /%u HTTP/1.1\r\nHost: plain.test\r\n\r\n",
		                      i);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, text), ECS_DROP); /* one of them could be blacklisted */
	CU_ASSERT_EQUAL(r.c.blacklist_hits, 1);
	CU_ASSERT_EQUAL(r.c.cf_redirected, 2);
	end(&r);
}

/* --- by a server --------------------------------------------------------------------------------- */

static void rate(struct rig *r, unsigned i, enum ecs_rated said, const char *text)
{
	struct ecs_rating a = {.said = said};

	if (said == ECS_RATED_ALLOW && text) {
		a.categories = text;
		a.len = strlen(text);
	}
	if (said == ECS_RATED_DENY)
		a.url = text;
	ecs_engine_rated(r->e, seen.id[i], &a, r->now);
}

static uint64_t charged(const struct rig *r)
{
	const struct ecs_usage *u = ecs_usage_find(r->e, 1, 0, ECS_USAGE_SESSION, 0);

	return u ? ecs_usage_sum(u).bytes[ECS_UPLINK] : 0;
}

static void test_hold(void)
{
	static const char post[] = "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n";
	struct rig r;
	struct conn c;
	uint64_t before;
	uint32_t at;

	start(&r, GROUP);
	c = opened(&r, 2000, 80);
	before = charged(&r);
	at = c.up;
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, post), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(seen.n, 1);
	CU_ASSERT_STRING_EQUAL(seen.host[0], "a.test");
	CU_ASSERT_STRING_EQUAL(seen.uri[0], "/x");
	CU_ASSERT_EQUAL(ecs_engine_holds(r.e), 1);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "body"), ECS_DROP);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(forward(&c, ECS_DOWNLINK, ACK, NULL), ECS_FORWARD);
	c.up = at; /* sent again while it waits: held once */
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, post), ECS_DROP);
	CU_ASSERT_EQUAL(seen.n, 1);
	CU_ASSERT_EQUAL(r.c.icap_held, 2);
	CU_ASSERT_EQUAL(charged(&r), before + 40); /* the acknowledgement */
	rate(&r, 0, ECS_RATED_ALLOW, NULL);
	CU_ASSERT_EQUAL(seen.released, 2);
	CU_ASSERT_STRING_EQUAL(seen.out, "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody");
	CU_ASSERT_EQUAL(charged(&r), before + 40 + 80 + strlen(seen.out));
	CU_ASSERT_EQUAL(ecs_engine_holds(r.e), 0);
	rate(&r, 0, ECS_RATED_DENY, NULL);
	CU_ASSERT_EQUAL(r.c.icap_late, 1);
	c.up += 4;
	CU_ASSERT_EQUAL(get(&c, "b.test", "/y"), ECS_DROP);
	rate(&r, 1, ECS_RATED_DENY, "http://w.test/");
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "Location: http://w.test/\r\n"));
	CU_ASSERT_EQUAL(get(&c, "c.test", "/"), ECS_DROP);
	CU_ASSERT_EQUAL(seen.n, 2);
	CU_ASSERT_EQUAL(seen.released, 2);
	c = opened(&r, 2001, 81); /* a rule without processing */
	CU_ASSERT_EQUAL(get(&c, "a.test", "/"), ECS_FORWARD);
	CU_ASSERT_EQUAL(seen.n, 2);
	end(&r);
}

static void test_verdicts(void)
{
	struct rig r;
	struct conn c;

	start(&r, DYNAMIC);
	c = opened(&r, 2000, 81);
	CU_ASSERT_EQUAL(get(&c, "games.test", "/"), ECS_DROP); /* the database has it */
	CU_ASSERT_EQUAL(seen.n, 0);
	c = opened(&r, 2001, 81);
	(void)get(&c, "x.test", "/");
	rate(&r, 0, ECS_RATED_ALLOW, "none,G");
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "http://p.test/"));
	c = opened(&r, 2002, 81);
	(void)get(&c, "x.test", "/");
	rate(&r, 1, ECS_RATED_DENY, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "HTTP/1.1 403 Forbidden"));
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "\r\n\r\ndenied"));
	c = opened(&r, 2003, 81);
	(void)get(&c, "x.test", "/");
	rate(&r, 2, ECS_RATED_FAILED, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "HTTP/1.1 503 "));
	c = opened(&r, 2004, 81);
	(void)get(&c, "x.test", "/");
	rate(&r, 3, ECS_RATED_ALLOW, "e");
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 4); /* of a terminated one nothing is left */
	c = opened(&r, 2005, 81);
	(void)get(&c, "x.test", "/");
	(void)forward(&c, ECS_DOWNLINK, RST, NULL);
	rate(&r, 4, ECS_RATED_ALLOW, NULL);
	CU_ASSERT_EQUAL(r.c.icap_late, 1);
	seen.rc = -1;
	c = opened(&r, 2006, 81);
	(void)get(&c, "x.test", "/");
	CU_ASSERT_EQUAL(r.c.icap_failed, 2);
	CU_ASSERT_EQUAL(ecs_engine_holds(r.e), 0);
	CU_ASSERT_EQUAL(seen.released, 0);
	end(&r);
}

/* What waits for a verdict has a row that says so, and another when it goes on, or does not. */
static void test_traced(void)
{
	static const struct ecs_trace_ask everybody;
	static const struct { bool charged; const char *fate, *by; bool late; uint64_t packet; } want[] = {
		{false, "held", "rate", false, 4}, {false, "held", "rate", false, 5},
		{true, "forwarded", "", true, 4}, {true, "forwarded", "", true, 5},
		{true, "forwarded", "", false, 8}, {true, "forwarded", "", false, 9},
		{true, "forwarded", "", false, 10},
		{false, "held", "rate", false, 11}, {false, "held", "rate", false, 12},
		{false, "stopped", "rate", true, 11}, {false, "stopped", "rate", true, 12},
		{true, "forwarded", "", false, 15}, {true, "forwarded", "", false, 16},
		{true, "forwarded", "", false, 17}, {false, "stopped", "rate", false, 18},
	};
	const struct ecs_trace_row *w;
	struct rig r;
	struct conn c;

	start(&r, GROUP);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, 0), 0);
	c = opened(&r, 2000, 80);
	(void)get(&c, "a.test", "/");
	(void)forward(&c, ECS_UPLINK, ACK, "more");
	rate(&r, 0, ECS_RATED_ALLOW, NULL);
	c = opened(&r, 2001, 80);
	(void)get(&c, "a.test", "/");
	(void)forward(&c, ECS_UPLINK, ACK, "more");
	rate(&r, 1, ECS_RATED_DENY, NULL);
	seen.rc = -1; /* nobody can be asked: it is answered at once */
	c = opened(&r, 2002, 80);
	(void)get(&c, "a.test", "/");
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		w = ecs_trace_next(r.e, 3 + i, 0);
		CU_ASSERT_PTR_NOT_NULL_FATAL(w);
		CU_ASSERT_TRUE(w->seq == 4 + i && w->packet == want[i].packet);
		CU_ASSERT_STRING_EQUAL(ecs_trace_fate_text(w->fate), want[i].fate);
		CU_ASSERT_STRING_EQUAL(ecs_trace_by_text(w->by), want[i].by);
		CU_ASSERT_TRUE(w->charged == want[i].charged && w->late == want[i].late);
	}
	CU_ASSERT_PTR_NULL(ecs_trace_next(r.e, 18, 0));
	CU_ASSERT_EQUAL(ecs_trace_next(r.e, 5, 0)->payload_crc, ecs_trace_next(r.e, 3, 0)->payload_crc);
	CU_ASSERT_NOT_EQUAL(ecs_trace_next(r.e, 5, 0)->payload_crc, 0);
	end(&r);
}

/* Two requests in one segment: both must be allowed. */
static void test_two(void)
{
	static const char two[] = "GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: b.test\r\n\r\n";
	struct rig r;
	struct conn c;

	start(&r, GROUP);
	c = opened(&r, 2000, 80);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, two), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(seen.n, 2);
	rate(&r, 1, ECS_RATED_ALLOW, NULL);
	rate(&r, 1, ECS_RATED_ALLOW, NULL); /* once more is too late */
	CU_ASSERT_EQUAL(seen.released, 0);
	rate(&r, 0, ECS_RATED_ALLOW, NULL);
	CU_ASSERT_STRING_EQUAL(seen.out, two);
	c = opened(&r, 2001, 80);
	(void)forward(&c, ECS_UPLINK, ACK, two);
	rate(&r, 3, ECS_RATED_DENY, NULL);
	rate(&r, 2, ECS_RATED_ALLOW, NULL);
	CU_ASSERT_EQUAL(r.c.icap_late, 2);
	CU_ASSERT_EQUAL(seen.released, 1);
	end(&r);
}

static void test_bounds(void)
{
	struct rig r;
	struct conn c;

	start(&r, GROUP);
	c = opened(&r, 2000, 80);
	(void)get(&c, "a.test", "/");
	for (unsigned i = 1; i <= ECS_HOLD_PACKETS; i++)
		CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "more"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.icap_held, ECS_HOLD_PACKETS);
	CU_ASSERT_EQUAL(r.c.icap_hold_full, 1);
	/* the role is lost: what was held is dropped, its verdict is too late */
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_EQUAL(ecs_engine_holds(r.e), 0);
	rate(&r, 0, ECS_RATED_ALLOW, NULL);
	CU_ASSERT_EQUAL(seen.released, 0);
	CU_ASSERT_EQUAL(r.c.icap_late, 1);
	end(&r);
}

/* A flow that waits ends with its session, and with the engine. */
static void test_ends(void)
{
	struct rig r;
	struct conn c;

	start(&r, GROUP);
	c = opened(&r, 2000, 80);
	(void)get(&c, "a.test", "/");
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_ACTION, r.now), 0);
	CU_ASSERT_EQUAL(ecs_engine_holds(r.e), 0);
	end(&r);
	start(&r, GROUP);
	c = opened(&r, 2000, 80);
	(void)get(&c, "a.test", "/");
	CU_ASSERT_EQUAL(ecs_engine_holds(r.e), 1);
	end(&r);
}

/* --- recovered flows ----------------------------------------------------------------------------- */

/* A connection that has had a request, on a chassis that has just taken over; @p on: with the switch. */
static struct conn taken_over(struct rig *r, const char *more, uint16_t dport, bool on)
{
	struct conn c;
	char text[4096];

	snprintf(text, sizeof(text), "%s%s", more, on ? "flow-recovery content-filtering\n" : "");
	start(r, text);
	c = opened(r, 2000, dport);
	CU_ASSERT_EQUAL(get(&c, "kept.test", "/"), seen.n ? ECS_DROP : ECS_FORWARD);
	if (seen.n)
		rate(r, 0, ECS_RATED_ALLOW, NULL);
	ecs_flow_slot(r->e, flow_of(&c), true);
	flow_of(&c)->flags &= (uint16_t)~ECS_FLOW_F_FRESH;
	ecs_engine_active(r->e, false, r->now);
	ecs_engine_active(r->e, true, r->now);
	memset(&r->c, 0, sizeof(r->c));
	memset(&seen, 0, sizeof(seen));
	return c;
}

/* Requests of recovered flows are allowed, with the switch they are judged as others. */
static void test_lists_recovered(void)
{
	static const char *const hosts[] = {"games.test", "black.test", "end.test", "drop.test"};

	for (unsigned i = 0; i < 8; i++) {
		bool on = i & 1;
		struct rig r;
		struct conn c = taken_over(&r, STATIC, 81, on);

		CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "of a body"), ECS_FORWARD);
		CU_ASSERT_EQUAL(get(&c, "plain.test", "/"), ECS_FORWARD);
		CU_ASSERT_EQUAL(get(&c, hosts[i / 2], "/"), on ? ECS_DROP : ECS_FORWARD);
		CU_ASSERT_EQUAL(r.c.cf_recovered, on ? 0 : 2);
		CU_ASSERT_EQUAL(r.c.blacklist_recovered, on ? 0 : 2);
		CU_ASSERT_EQUAL(r.c.cf_stopped, on && i / 2 != 1);
		CU_ASSERT_EQUAL(r.c.blacklist_hits, on && i / 2 == 1);
		CU_ASSERT_EQUAL(strstr(seen.reply, "Location: http://p.test/\r\n") != NULL, i == 1);
		/* what is dropped stays dropped */
		CU_ASSERT_EQUAL(get(&c, "plain.test", "/"), i == 1 || i == 7 ? ECS_DROP : ECS_FORWARD);
		end(&r);
	}
}

/* A header that goes on in another packet is not waited for: allowed, and counted. */
static void test_parts_recovered(void)
{
	struct rig r;
	struct conn c = taken_over(&r, STATIC, 81, true);

	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHost: games"), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.cf_recovered, 1);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, ".test\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(get(&c, "games.test", "/"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.cf_recovered, 1);
	end(&r);
}

static void test_rated_recovered(void)
{
	struct rig r;
	struct conn c = taken_over(&r, GROUP, 80, false);

	CU_ASSERT_EQUAL(get(&c, "a.test", "/x"), ECS_FORWARD);
	CU_ASSERT_EQUAL(seen.n, 0);
	CU_ASSERT_EQUAL(r.c.icap_recovered, 1);
	end(&r);
	c = taken_over(&r, GROUP, 80, true);
	CU_ASSERT_EQUAL(get(&c, "a.test", "/x"), ECS_DROP);
	CU_ASSERT_EQUAL(forward(&c, ECS_UPLINK, ACK, "behind"), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(seen.n, 1);
	CU_ASSERT_STRING_EQUAL(seen.uri[0], "/x");
	CU_ASSERT_EQUAL(r.c.icap_recovered, 0);
	rate(&r, 0, ECS_RATED_ALLOW, NULL);
	CU_ASSERT_EQUAL(seen.released, 2);
	CU_ASSERT_STRING_EQUAL(seen.out, "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\nbehind");
	CU_ASSERT_EQUAL(get(&c, "b.test", "/y"), ECS_DROP);
	rate(&r, 1, ECS_RATED_DENY, "http://w.test/");
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.reply, "Location: http://w.test/\r\n"));
	end(&r);
}

CU_TestInfo ecs_content_tests[] = {
	{"blacklist and policy", test_policy},
	{"a discarded request", test_discard},
	{"several requests in a segment, one in several", test_pipeline},
	{"a request is held until its verdict", test_hold},
	{"verdicts, and those that come too late", test_verdicts},
	{"two requests, two verdicts", test_two},
	{"what the packet trace says of it", test_traced},
	{"what can be held", test_bounds},
	{"flows that wait end", test_ends},
	{"lists, of recovered flows", test_lists_recovered},
	{"a request in parts, of a recovered flow", test_parts_recovered},
	{"verdicts, of recovered flows", test_rated_recovered},
	CU_TEST_INFO_NULL};
