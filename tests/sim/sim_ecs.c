/* sim_ecs: a pair of real engines and replicas under random traffic, sessions, switchovers, deaths
 * and cuts. Its own model of what each flow is and what was forwarded is compared with what they
 * say.
 *
 *     sim_ecs [first seed [number of seeds [rounds]]]
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/ecs_model.h"
#include "tests/sim/ecs_pair.h"
#include "tests/unit/ecs_packets.h"

#define CALLS      24
#define FLOWS      160
#define NOTED      8192 /* of one snapshot */
#define FIN        0x01u
#define SYN        0x02u
#define RST        0x04u
#define ACK        0x10u

struct call {
	uint32_t callid; /* 0: none */
	uint64_t low, high; /* bytes that must, and may at most, have been counted */
};

struct talk {
	bool used;
	int call;
	uint8_t proto, stage; /* TCP: 0 nothing, 1 SYN, 2 SYN-ACK, 3 ACK, 4 request sent */
	uint16_t sport;
	int host;             /* VIDEO, SLOW, WEB: what its request asks for; DNS */
	int rule;             /* that it has, as counted */
	bool recovered;       /* was acknowledged, and has been taken over */
	bool middle;          /* was not: it is met in mid-stream */
	bool unheard;         /* was so once: its request was never heard where it was known */
};

/* An object that the peer had acknowledged when its source went. */
struct note {
	const struct srp_ckpt_kind *kind;
	struct srp_ckpt_key key;
	uint32_t version, term;
	int rule;       /* flows */
	uint64_t bytes; /* volumes of sessions */
};

struct world {
	struct pair p;
	struct call call[CALLS];
	struct talk talk[FLOWS];
	struct note note[NOTED];
	size_t notes;
	bool told;            /* whether the one that went had said what it owed: */
	uint64_t owed, live[CALLS]; /* that, and the volumes of its sessions */
	uint32_t *dead;  /* call-ids whose deletion was acknowledged */
	size_t ndead, cap_dead, sure_dead;
	uint32_t next_call;
	uint16_t next_port;
	uint64_t packets, recovered, middle, pending; /* of packets */
	uint64_t fresh, notes_seen; /* flows taken over before they began; objects compared */
	uint64_t planned, unplanned, isolated, cuts;
	uint64_t lost, lost_at_most; /* octets, by deaths */
};

/* --- what the engines say --------------------------------------------------------------------- */

static struct ecs_engine *active(struct world *w)
{
	return w->p.c[w->p.active].e;
}

static uint64_t bytes_of(const struct ecs_usage *u)
{
	struct ecs_volume v = ecs_usage_sum(u);

	return v.bytes[0] + v.bytes[1];
}

/* Volume of a session, as the engine would report it. */
static uint64_t volume(struct world *w, const struct ecs_session *s)
{
	for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next) {
		const struct ecs_usage *u = (const struct ecs_usage *)(const void *)
		        ((const char *)l - offsetof(struct ecs_usage, in_session));

		if (u->of == ECS_USAGE_SESSION)
			return bytes_of(u);
	}
	(void)w;
	return 0;
}

static int rule_of(struct ecs_engine *e, uint16_t ref)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(ecs_engine_refs(e), ref);

	for (int i = 0; r && i < RULES; i++)
		if (strcmp(r->rule, pair_rule[i]) == 0)
			return i;
	return RULES;
}

static uint64_t rule_bytes(struct world *w, int r)
{
	const struct ecs_rule_stats *st = w->p.c[w->p.active].stats;

	for (size_t i = 0; i < ecs_service_stats_count(w->p.svc); i++)
		if (strcmp(ecs_service_stats_name(w->p.svc, i), pair_rule[r]) == 0)
			return st[i].bytes_up + st[i].bytes_down;
	return 0;
}

static const struct ecs_flow *flow_of(struct world *w, const struct talk *t)
{
	const struct ecs_session *s = ecs_session_find(active(w), w->call[t->call].callid);

	for (struct srp_list *l = s ? s->flows.next : NULL; s && l != &s->flows; l = l->next) {
		const struct ecs_flow *f = (const struct ecs_flow *)(const void *)
		        ((const char *)l - offsetof(struct ecs_flow, in_session));

		if (f->key.subscriber_port == t->sport && f->key.proto == t->proto)
			return f;
	}
	return NULL;
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct ecs_addr address(int call)
{
	return (struct ecs_addr){{[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(call + 1)}};
}

static void call_begin(struct world *w, int i)
{
	struct ecs_session_spec spec = {.imsi = "001010000000001", .username = "sim", .apn = "net",
	                                .rulebase = "rb", .has4 = true, .qci = 9, .arp = 1};
	struct ecs_session *s;

	spec.callid = ++w->next_call | (uint32_t)w->p.active << 31;
	spec.v4 = address(i);
	PAIR_CHECK(&w->p, ecs_session_create(active(w), &spec, w->p.now, &s) == 0);
	w->call[i] = (struct call){.callid = spec.callid};
}

static void call_end(struct world *w, int i)
{
	uint32_t callid = w->call[i].callid;

	PAIR_CHECK(&w->p, ecs_session_delete(active(w), callid, ECS_END_OPERATOR, w->p.now) == 0);
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
	const struct ecs_session *s = ecs_session_find(active(w), c->callid);
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
		before[r] = rule_bytes(w, r);
	PAIR_CHECK(&w->p, ecs_engine_packet(active(w), b, len, dir, 0, w->p.now) == ECS_FORWARD);
	w->packets++;
	c->low += len;
	c->high += len;
	for (int r = 0; r < RULES; r++) {
		uint64_t more = rule_bytes(w, r) - before[r];

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
		ecs_session_control(active(w), w->call[i].callid, pair_pick(&w->p, 2), w->p.now);
	for (unsigned n = pair_pick(&w->p, 6); n > 0; n--) {
		t = &w->talk[pair_pick(&w->p, FLOWS)];
		if (t->used)
			talk_on(w, t);
		else
			talk_begin(w, t);
	}
}

/* --- what must survive ------------------------------------------------------------------------ */

static bool acknowledged(const struct srp_ckpt_obj *o)
{
	return o->link[SRP_REPLICA_GR].state == SRP_LINK_SETTLED;
}

static int take_note(struct srp_ckpt_obj *o, void *arg)
{
	struct world *w = arg;
	struct note *n = &w->note[w->notes];

	if (!acknowledged(o))
		return 0;
	PAIR_CHECK(&w->p, w->notes < NOTED);
	*n = (struct note){.kind = o->kind, .version = o->version, .term = o->term, .rule = RULES};
	o->kind->key(o, &n->key);
	if (o->kind == &ecs_kind_flow)
		n->rule = rule_of(active(w), ((const struct ecs_flow *)(const void *)o)->ref);
	if (o->kind == &ecs_kind_usage && (n->key.k[1] & 3) == ECS_USAGE_SESSION) {
		const struct ecs_usage *u = (const struct ecs_usage *)(const void *)o;
		const struct ecs_volume *other = &u->own[!w->p.active];

		n->bytes = u->told.bytes[0] + u->told.bytes[1] + other->bytes[0] + other->bytes[1];
	}
	w->notes++;
	return 0;
}

static struct srp_ckpt_ctx context(struct world *w, int i)
{
	return (struct srp_ckpt_ctx){.now = w->p.now, .owner = w->p.c[i].e,
	                             .replica = SRP_REPLICA_GR, .ver = 1};
}

/* Notes what the one in service has had acknowledged, before it goes. */
static void note_all(struct world *w)
{
	struct srp_ckpt_ctx ctx = context(w, w->p.active);
	struct recovery_status st;

	w->notes = 0;
	recovery_replica_status(w->p.c[w->p.active].gr, &st);
	if (st.link != RECOVERY_LINK_READY)
		return; /* settled is not acknowledged before both are level */
	for (size_t k = 0; k < chassis_nkinds; k++)
		chassis_kinds[k]->walk(&ctx, take_note, w);
	if (st.tombs == 0 && st.inflight == 0)
		w->sure_dead = w->ndead;
}

static uint64_t owed(struct world *w)
{
	uint64_t charged;

	return ecs_owed_octets(&w->p.c[w->p.active].owed, &charged);
}

/* What the one in service would have said in a beat, before it goes: true of a level peer. */
static void note_owed(struct world *w)
{
	struct recovery_status st;

	recovery_replica_status(w->p.c[w->p.active].gr, &st);
	w->told = st.link == RECOVERY_LINK_READY;
	w->owed = owed(w);
	for (int i = 0; i < CALLS; i++) {
		const struct ecs_session *s =
		        w->call[i].callid ? ecs_session_find(active(w), w->call[i].callid) : NULL;

		w->live[i] = s ? volume(w, s) : 0;
	}
}

/* No more was lost of volumes than it owed. */
static void check_owed(struct world *w)
{
	uint64_t lost = 0;

	for (int i = 0; i < CALLS; i++) {
		const struct ecs_session *s =
		        w->call[i].callid ? ecs_session_find(active(w), w->call[i].callid) : NULL;
		uint64_t v = s ? volume(w, s) : 0;

		lost += w->live[i] > v ? w->live[i] - v : 0;
	}
	if (!w->told)
		return;
	PAIR_CHECK(&w->p, lost <= w->owed);
	w->lost += lost;
	w->lost_at_most += w->owed;
}

/* Invariants 2 and 3, at the one that has taken over. */
static void check_survivors(struct world *w)
{
	struct srp_ckpt_ctx ctx = context(w, w->p.active);

	w->notes_seen += w->notes;
	for (size_t i = 0; i < w->notes; i++) {
		const struct note *n = &w->note[i];
		const struct srp_ckpt_obj *o = n->kind->find(&ctx, &n->key);

		PAIR_CHECK(&w->p, o != NULL);
		PAIR_CHECK(&w->p,
		           o->term > n->term || (o->term == n->term && o->version >= n->version));
		if (n->kind == &ecs_kind_flow && o->version == n->version)
			PAIR_CHECK(&w->p, n->rule == rule_of(active(w),
			           ((const struct ecs_flow *)(const void *)o)->ref));
		if (n->bytes)
			PAIR_CHECK(&w->p,
			           bytes_of((const struct ecs_usage *)(const void *)o) >= n->bytes);
	}
	for (size_t i = 0; i < w->sure_dead; i++)
		PAIR_CHECK(&w->p, ecs_session_find(active(w), w->dead[i]) == NULL);
}

/* Ends that were not acknowledged may be undone by a takeover: these sessions go on. */
static void undo_ends(struct world *w)
{
	size_t n = w->sure_dead;

	for (size_t i = n; i < w->ndead; i++)
		if (!ecs_session_find(active(w), w->dead[i]))
			w->dead[n++] = w->dead[i];
	w->ndead = n;
}

/* The model follows: what was not acknowledged is gone or met in mid-stream. @p exact: nothing may
 * be. */
static void adopt(struct world *w, bool exact)
{
	undo_ends(w);
	for (int i = 0; i < CALLS; i++) {
		struct call *c = &w->call[i];
		const struct ecs_session *s =
		        c->callid ? ecs_session_find(active(w), c->callid) : NULL;
		struct ecs_addr a = address(i);
		uint64_t v;

		if (!s && exact)
			PAIR_CHECK(&w->p, c->callid == 0);
		if (!s) {
			/* one whose end was not acknowledged may be there still: it goes on */
			const struct ecs_session *old = ecs_session_by_addr(active(w), &a);

			*c = (struct call){0};
			if (old) {
				c->callid = old->spec.callid;
				c->low = volume(w, old);
				c->high = UINT64_MAX / 2;
			}
			for (int t = 0; t < FLOWS; t++)
				w->talk[t].used &= w->talk[t].call != i;
			continue;
		}
		v = volume(w, s);
		PAIR_CHECK(&w->p, v <= c->high);
		if (exact)
			PAIR_CHECK(&w->p, v >= c->low);
		c->low = v;
	}
	for (int i = 0; i < FLOWS; i++) {
		struct talk *t = &w->talk[i];
		const struct ecs_flow *f;

		if (!t->used || t->rule == RULES || !w->call[t->call].callid)
			continue;
		/* by its 5-tuple: a chassis that comes back may know it under another id than the
		 * one that went, and from an earlier time */
		f = flow_of(w, t);
		t->unheard |= t->middle;
		t->recovered = f != NULL && ecs_flow_recovered(active(w), f) &&
		               (f->flags & ECS_FLOW_F_CHECKPOINT);
		t->middle = !t->recovered;
		if (!t->recovered)
			continue;
		/* not begun: its request decides, unless that went by */
		if (f->flags & ECS_FLOW_F_FRESH) {
			PAIR_CHECK(&w->p, !exact || t->stage < 4 || t->unheard);
			w->fresh += t->stage < 4;
			t->recovered = false;
			t->middle = t->stage >= 4;
			continue;
		}
		t->rule = rule_of(active(w), f->ref);
		/* what is eligible has the rule of its request, or never could be asked for it */
		PAIR_CHECK(&w->p, t->rule == t->host || (t->unheard && t->rule == WEB));
	}
}

/* At rest both hold the same by stored, recomputed, and our own hashes (invariant 5). */
static void quiet(struct world *w)
{
	uint64_t d;

	w->p.doing = "quiet";
	ecs_engine_flush(active(w),
	                 w->p.now); /* no session is too young, no flow inside its delay */
	pair_settle(&w->p);
	d = recovery_replica_digest(w->p.c[0].gr, false, w->p.now);
	PAIR_CHECK(&w->p, d == recovery_replica_digest(w->p.c[1].gr, false, w->p.now));
	PAIR_CHECK(&w->p, d == recovery_replica_digest(w->p.c[0].gr, true, w->p.now));
	PAIR_CHECK(&w->p, d == recovery_replica_digest(w->p.c[1].gr, true, w->p.now));
	PAIR_CHECK(&w->p, pair_digest(&w->p, 0) == pair_digest(&w->p, 1));
	PAIR_CHECK(&w->p, ecs_engine_sessions(w->p.c[0].e) == ecs_engine_sessions(w->p.c[1].e));
	PAIR_CHECK(&w->p, ecs_engine_recoverable(w->p.c[0].e) ==
	                  ecs_engine_recoverable(w->p.c[1].e));
	for (int i = 0; i < CALLS; i++) {
		const struct call *c = &w->call[i];
		const struct ecs_session *s =
		        c->callid ? ecs_session_find(active(w), c->callid) : NULL;

		PAIR_CHECK(&w->p, !c->callid == !s);
		if (s)
			PAIR_CHECK(&w->p, volume(w, s) >= c->low && volume(w, s) <= c->high);
	}
}

/* --- events ----------------------------------------------------------------------------------- */

static void busy(struct world *w, uint32_t ms)
{
	w->p.doing = "traffic";
	for (uint32_t t = 0; t < ms; t += 10) {
		traffic(w);
		pair_run(&w->p, 10);
	}
}

static void planned(struct world *w)
{
	quiet(w);
	busy(w, 200); /* and not quiet at all when it begins */
	w->p.doing = "planned switchover";
	pair_switch(&w->p);
	w->planned++;
	w->notes = 0;
	adopt(w, true);
}

static void death(struct world *w)
{
	int from = w->p.active;
	size_t sessions;

	w->p.doing = "death of the active";
	note_all(w);
	note_owed(w);
	pair_kill(&w->p, from);
	pair_take_over(&w->p, !from);
	w->unplanned++;
	check_survivors(w);
	check_owed(w);
	adopt(w, false);
	busy(w, pair_pick(&w->p, 1000));
	w->p.doing = "return of an empty one";
	pair_start(&w->p, from);
	sessions = ecs_engine_sessions(active(w));
	pair_connect(&w->p);
	pair_run(&w->p, 100);
	PAIR_CHECK(&w->p, ecs_engine_sessions(active(w)) == sessions); /* invariant 10 */
}

static void isolation(struct world *w)
{
	w->p.doing = "isolation of the active";
	note_all(w);
	pair_cut(&w->p);
	busy(w, pair_pick(&w->p, 300)); /* it goes on for a while, unheard */
	w->p.doing = "isolation of the active";
	pair_take_over(&w->p, !w->p.active);
	w->isolated++;
	check_survivors(w);
	adopt(w, false);
	busy(w, pair_pick(&w->p, 500));
	pair_connect(&w->p);
}

static void cut(struct world *w)
{
	pair_cut(&w->p);
	w->cuts++;
	busy(w, pair_pick(&w->p, 500));
	if (pair_pick(&w->p, 3) == 0) {
		w->p.doing = "death of the standby";
		pair_kill(&w->p, !w->p.active);
		busy(w, pair_pick(&w->p, 300));
		pair_start(&w->p, !w->p.active);
	}
	pair_connect(&w->p);
}

static void one(uint64_t seed, unsigned rounds, struct ecs_service *svc)
{
	struct world *w = calloc(1, sizeof(*w));

	pair_seed = seed;
	pair_init(&w->p, seed, svc, seed % 3 == 0 ? 1 : 0);
	w->next_port = 1024;
	pair_take_over(&w->p, (int)(seed & 1));
	pair_connect(&w->p);
	for (unsigned i = 0; i < rounds; i++) {
		busy(w, 200 + pair_pick(&w->p, 1500));
		switch (pair_pick(&w->p, 8)) {
		case 0: quiet(w); planned(w); break;
		case 1: planned(w); break;
		case 2: quiet(w); busy(w, 50); death(w); break;
		case 3: quiet(w); busy(w, 50); isolation(w); break;
		case 4: cut(w); break;
		case 5: quiet(w); break;
		case 6: death(w); break; /* level or not */
		case 7: isolation(w); break;
		}
	}
	quiet(w);
	w->p.doing = "end";
	pair_run(&w->p, 3000); /* what ended is forgotten as well */
	PAIR_CHECK(&w->p, owed(w) == 0);
	printf("seed %llu: %llu packets (%llu of recovered flows, %llu of them pending, %llu in "
	       "mid-stream; %llu flows had not begun), %zu sessions, %zu flows; %llu planned, "
	       "%llu deaths, %llu isolations, %llu cuts; %llu objects survived; "
	       "%llu octets lost of %llu at most\n",
	       (unsigned long long)seed, (unsigned long long)w->packets,
	       (unsigned long long)w->recovered, (unsigned long long)w->pending,
	       (unsigned long long)w->middle, (unsigned long long)w->fresh,
	       ecs_engine_sessions(active(w)),
	       ecs_engine_recoverable(active(w)), (unsigned long long)w->planned,
	       (unsigned long long)w->unplanned, (unsigned long long)w->isolated,
	       (unsigned long long)w->cuts, (unsigned long long)w->notes_seen,
	       (unsigned long long)w->lost, (unsigned long long)w->lost_at_most);
	pair_fini(&w->p);
	free(w->dead);
	free(w);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 0) : 20;
	unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 20;
	struct ecs_service *svc[2];
	int bad;

	setvbuf(stdout, NULL, _IOLBF, 0);
	bad = sim_ecs_common(first, 3 * n, 20 * rounds);
	for (int all = 0; all < 2; all++)
		svc[all] = pair_service(all);
	for (uint64_t s = first; s < first + n; s++)
		one(s, rounds, svc[s / 2 % 2]);
	for (int all = 0; all < 2; all++)
		ecs_service_free(svc[all]);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
