/* Sessions that come and go, and their traffic. */
#include "config.h"
#include "tests/sim/ecs_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ecs_packets.h"

#define FIN 0x01u
#define SYN 0x02u
#define RST 0x04u
#define ACK 0x10u

/* --- sessions --------------------------------------------------------------------------------- */

static void call_begin(struct world *w, int i)
{
	struct ecs_session_spec spec = {.imsi = "001010000000001", .username = "sim", .apn = "net",
	                                .rulebase = "rb", .has4 = true, .qci = 9, .arp = 1};
	struct ecs_session *s;

	spec.callid = ++w->next_call | (uint32_t)w->p.active << 31;
	spec.v4 = world_address(i);
	PAIR_CHECK(&w->p, ecs_session_create(world_active(w), &spec, w->p.now, &s) == 0);
	w->call[i] = (struct call){.callid = spec.callid};
}

static void call_end(struct world *w, int i)
{
	uint32_t callid = w->call[i].callid;

	PAIR_CHECK(&w->p, ecs_session_delete(world_active(w), callid, ECS_END_OPERATOR, w->p.now) == 0);
	for (int t = 0; t < FLOWS; t++)
		if (w->talk[t].call == i)
			w->talk[t].used = false;
	w->call[i].callid = 0;
	if (w->ndead == w->cap_dead) {
		w->cap_dead = w->cap_dead ? 2 * w->cap_dead : 256;
		w->dead = realloc(w->dead, w->cap_dead * sizeof(*w->dead));
		PAIR_CHECK(&w->p, w->dead != NULL);
	}
	w->dead[w->ndead++] = callid;
}

/* --- packets ---------------------------------------------------------------------------------- */

static const char *request(int host)
{
	switch (host) {
	case VIDEO: return "GET / HTTP/1.1\r\nHost: video.example\r\n\r\n";
	case SLOW:  return "GET / HTTP/1.1\r\nHost: slow.example\r\n\r\n";
	default:    return "GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n";
	}
}

/* Which rules a packet may be counted by, and that it is one of them: never any other (invariant
 * 6). */
static void check_rule(struct world *w, struct talk *t, const struct ecs_session *s, int got,
                       bool empty)
{
	bool l34 = got == (t->proto == 17 ? DNS : WEB);

	w->recovered += t->recovered;
	w->middle += t->middle;
	w->pending += t->recovered && s->pending;
	PAIR_CHECK(&w->p, got < RULES);
	if (t->recovered && s->pending)
		PAIR_CHECK(&w->p, l34);
	else if (t->recovered)
		PAIR_CHECK(&w->p, got == t->rule);
	else if (t->middle || t->stage < 4 || (empty && t->proto == 6))
		PAIR_CHECK(&w->p, l34); /* without payload: by what the packet matches itself */
	else
		PAIR_CHECK(&w->p, got == t->host);
	if (!(t->recovered && s->pending))
		t->rule = got;
}

static void packet(struct world *w, struct talk *t, enum ecs_dir dir, uint8_t flags,
                   const char *text)
{
	static const uint8_t fill[1400];
	struct call *c = &w->call[t->call];
	const struct ecs_session *s = ecs_session_find(world_active(w), c->callid);
	char host[24];
	struct pk k = {.proto = t->proto, .flags = flags, .seq = 1, .ack = 1, .text = text};
	uint64_t before[RULES];
	uint8_t b[PK_CAP];
	int got = RULES;
	size_t len;

	PAIR_CHECK(&w->p, s != NULL);
	snprintf(host, sizeof(host), "10.0.0.%d", t->call + 1);
	k.src = dir == ECS_UPLINK ? host : "192.0.2.1";
	k.dst = dir == ECS_UPLINK ? "192.0.2.1" : host;
	k.sport = dir == ECS_UPLINK ? t->sport : t->proto == 17 ? 53 : 80;
	k.dport = dir == ECS_UPLINK ? (t->proto == 17 ? 53 : 80) : t->sport;
	if (!text) {
		k.data = fill;
		k.len = flags & (SYN | RST) || !pair_pick(&w->p, 4) ? 0
		                                                    : pair_pick(&w->p, sizeof(fill));
	}
	len = pk_build(&k, b);
	for (int r = 0; r < RULES; r++)
		before[r] = world_rule_bytes(w, r);
	PAIR_CHECK(&w->p, ecs_engine_packet(world_active(w), b, len, dir, 0, w->p.now) == ECS_FORWARD);
	w->packets++;
	c->low += len;
	c->high += len;
	for (int r = 0; r < RULES; r++) {
		uint64_t more = world_rule_bytes(w, r) - before[r];

		PAIR_CHECK(&w->p, more == 0 || (more == len && got == RULES)); /* once, whole */
		if (more)
			got = r;
	}
	check_rule(w, t, s, got, !k.len && !(text && *text));
}

static void talk_begin(struct world *w, struct talk *t)
{
	int call = (int)pair_pick(&w->p, CALLS);

	if (!w->call[call].callid)
		return;
	*t = (struct talk){.used = true, .call = call, .sport = w->next_port++, .rule = RULES};
	if (w->next_port < 1024)
		w->next_port = 1024;
	t->proto = pair_pick(&w->p, 4) ? 6 : 17;
	t->host = t->proto == 17 ? DNS : (int)(pair_pick(&w->p, 3));
	if (t->host == DNS && t->proto == 6)
		t->host = WEB;
	if (t->proto == 17)
		t->stage = 4;
}

static void talk_on(struct world *w, struct talk *t)
{
	if (t->stage >= 4 || t->middle || t->recovered) {
		enum ecs_dir dir = pair_pick(&w->p, 2) ? ECS_UPLINK : ECS_DOWNLINK;

		if (t->proto == 6 && pair_pick(&w->p, 25) == 0) {
			packet(w, t, dir, RST | ACK, NULL);
			t->used = false;
		} else if (t->proto == 6 && pair_pick(&w->p, 40) == 0) {
			packet(w, t, ECS_UPLINK, FIN | ACK, NULL);
			packet(w, t, ECS_DOWNLINK, FIN | ACK, NULL);
			t->used = false;
		} else {
			packet(w, t, dir, ACK, NULL);
		}
		return;
	}
	switch (t->stage++) {
	case 0: packet(w, t, ECS_UPLINK, SYN, NULL); break;
	case 1: packet(w, t, ECS_DOWNLINK, SYN | ACK, NULL); break;
	case 2: packet(w, t, ECS_UPLINK, ACK, ""); break;
	case 3: packet(w, t, ECS_UPLINK, ACK, request(t->host)); break;
	}
}

static void traffic(struct world *w)
{
	int i = (int)pair_pick(&w->p, CALLS);
	struct talk *t = &w->talk[pair_pick(&w->p, FLOWS)];

	if (w->p.active < 0)
		return;
	if (!w->call[i].callid)
		call_begin(w, i);
	else if (pair_pick(&w->p, 400) == 0)
		call_end(w, i);
	else if (pair_pick(&w->p, 200) == 0)
		ecs_session_control(world_active(w), w->call[i].callid, pair_pick(&w->p, 2), w->p.now);
	for (unsigned n = pair_pick(&w->p, 6); n > 0; n--) {
		t = &w->talk[pair_pick(&w->p, FLOWS)];
		if (t->used)
			talk_on(w, t);
		else
			talk_begin(w, t);
	}
}

void world_busy(struct world *w, uint32_t ms)
{
	w->p.doing = "traffic";
	for (uint32_t t = 0; t < ms; t += 10) {
		traffic(w);
		pair_run(&w->p, 10);
	}
}
