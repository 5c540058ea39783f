#include "config.h"
#include "ecs/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"
#include "srp/err.h"

#define CRC_POLYNOMIAL 0xedb88320u
#define CRC_STEP       8u
#define HELD_MAX       64u /* packets of a handshake that have a row of their own when they are charged */

/* The packet at hand. */
struct at_hand {
	const uint8_t *ip;
	size_t len;
	enum ecs_dir dir;
	uint64_t packet;          /* row in which it was held; 0 */
	bool begun;               /* it is traced: row is filled in as far as it can be */
	bool written;
	bool held;                /* by a stage */
	uint8_t refused;          /* enum ecs_trace_by */
	struct ecs_trace_row row;
};

struct ecs_trace {
	struct ecs_trace_kept *kept, own; /* kept: own, or what outlives the process */
	struct ecs_trace_row *ring; /* [size]; row seq is at seq % size */
	uint32_t size;
	struct at_hand at;
	uint32_t crc[CRC_STEP][256];
};

/* --- texts ------------------------------------------------------------------------------------ */

const char *ecs_trace_fate_text(uint8_t fate)
{
	static const char *const text[] = {
#define ECS_TRACE_FATE(sym, text_, help) [ECS_TRACE_##sym] = (text_),
#include "ecs/trace.def"
	};

	return fate < ECS_TRACE_FATE__N ? text[fate] : "?";
}

const char *ecs_trace_ends_text(uint8_t ends)
{
	switch (ends) {
	case ECS_ENDS_FLOW:
		return "flow";
	case ECS_ENDS_SESSION:
		return "session";
	case ECS_ENDS_RULEBASE:
		return "rulebase";
	default:
		return "";
	}
}

static const char *const stage_text[] = {
#define ECS_STAGE(sym, fn, when, recovered, counter, help) [ECS_STAGE_##sym] = #fn,
#include "ecs/enforce.def"
#undef ECS_STAGE
};
#define STAGES (sizeof(stage_text) / sizeof(stage_text[0]))

const char *ecs_trace_by_text(uint8_t by)
{
	static const char *const text[] = {
#define ECS_TRACE_BY(sym, text_, help) [ECS_TRACE_BY_##sym] = (text_),
#include "ecs/trace.def"
	};

	if (by < ECS_TRACE_STAGES)
		return text[by];
	return by - ECS_TRACE_STAGES < (int)STAGES ? stage_text[by - ECS_TRACE_STAGES] : "?";
}

const char *ecs_trace_did_text(uint32_t did, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < STAGES && n < cap; i++)
		if (did >> i & 1)
			n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? "," : "", stage_text[i]);
	return out;
}

/* --- CRC-32, eight bytes at a time ---------------------------------------------------------------- */

static void crc_init(struct ecs_trace *t)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ CRC_POLYNOMIAL : c >> 1;
		t->crc[0][i] = c;
	}
	for (size_t s = 1; s < CRC_STEP; s++)
		for (size_t i = 0; i < 256; i++)
			t->crc[s][i] = t->crc[s - 1][i] >> 8 ^ t->crc[0][t->crc[s - 1][i] & 0xff];
}

static uint32_t crc_of(const struct ecs_trace *t, const uint8_t *p, size_t n)
{
	uint32_t c = UINT32_MAX;

	for (; n >= CRC_STEP; p += CRC_STEP, n -= CRC_STEP)
		c = t->crc[7][(c ^ p[0]) & 0xff] ^ t->crc[6][(c >> 8 ^ p[1]) & 0xff] ^
		    t->crc[5][(c >> 16 ^ p[2]) & 0xff] ^ t->crc[4][c >> 24 ^ p[3]] ^
		    t->crc[3][p[4]] ^ t->crc[2][p[5]] ^ t->crc[1][p[6]] ^ t->crc[0][p[7]];
	for (; n; p++, n--)
		c = c >> 8 ^ t->crc[0][(c ^ *p) & 0xff];
	return ~c;
}

/* --- the ring --------------------------------------------------------------------------------- */

static struct ecs_trace_row *row_of(const struct ecs_trace *t, uint64_t seq)
{
	struct ecs_trace_row *r = t->size ? &t->ring[seq % t->size] : NULL;

	return seq && r && r->seq == seq ? r : NULL;
}

static void clear(struct ecs_trace *t)
{
	t->kept->start = t->kept->seq;
	t->kept->rows = 0;
	for (uint32_t i = 0; i < t->size; i++)
		t->ring[i].seq = 0;
}

static int resize(struct ecs_trace *t, uint32_t size)
{
	struct ecs_trace_kept *k = t->kept;
	struct ecs_trace_row *ring;

	if (size == t->size)
		return 0;
	ring = calloc(size, sizeof(*ring));
	if (!ring)
		return SRP_ENOMEM;
	if (k->rows > size)
		k->rows = size;
	for (uint64_t n = k->rows; n > 0; n--) {
		uint64_t seq = k->seq - n + 1;

		ring[seq % size] = t->ring[seq % t->size];
	}
	free(t->ring);
	t->ring = ring;
	t->size = k->size = size;
	return 0;
}

/* Takes the place of the oldest row; the number is set here. */
static uint64_t append(struct ecs_trace *t, const struct ecs_trace_row *row)
{
	struct ecs_trace_kept *k = t->kept;
	struct ecs_trace_row *to;

	if (!t->size)
		return 0;
	to = &t->ring[(k->seq + 1) % t->size];
	*to = *row;
	to->seq = ++k->seq;
	if (!to->late)
		to->packet = to->seq;
	k->rows += k->rows < t->size;
	return to->seq;
}

const struct ecs_trace_row *ecs_trace_next(const struct ecs_engine *e, uint64_t after,
                                           uint32_t callid)
{
	const struct ecs_trace *t = e->trace;
	uint64_t seq;

	if (!t || !t->kept->rows)
		return NULL;
	seq = t->kept->seq - t->kept->rows;
	for (seq = after > seq ? after : seq; seq < t->kept->seq; seq++) {
		const struct ecs_trace_row *r = row_of(t, seq + 1);

		if (r && (!callid || r->callid == callid))
			return r;
	}
	return NULL;
}

const struct ecs_trace_kept *ecs_trace_state(const struct ecs_engine *e)
{
	return e->trace ? e->trace->kept : NULL;
}

/* --- what is asked for ------------------------------------------------------------------------ */

static struct ecs_trace *trace_of(struct ecs_engine *e)
{
	struct ecs_trace *t = e->trace;

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->kept = &t->own;
	crc_init(t);
	e->trace = t;
	return t;
}

void ecs_trace_free(struct ecs_engine *e)
{
	if (e->trace)
		free(e->trace->ring);
	free(e->trace);
	e->trace = NULL;
	e->tracing = false;
}

static bool same(const struct ecs_trace_ask *a, const struct ecs_trace_ask *b)
{
	return a->callid == b->callid && (a->callid || strcmp(a->imsi, b->imsi) == 0);
}

static bool for_all(const struct ecs_trace_ask *a)
{
	return !a->callid && !a->imsi[0];
}

static uint32_t place_of(const struct ecs_trace_kept *k, const struct ecs_trace_ask *ask)
{
	uint32_t i = 0;

	while (i < k->n && !same(&k->ask[i], ask))
		i++;
	return i;
}

static void forget(struct ecs_trace_kept *k, uint32_t i)
{
	memmove(&k->ask[i], &k->ask[i + 1], (k->n - i - 1) * sizeof(k->ask[0]));
	k->n--;
}

/* Calls that are over make room. */
static void forget_gone(struct ecs_engine *e, struct ecs_trace_kept *k)
{
	for (uint32_t i = k->n; i-- > 0;)
		if (k->ask[i].callid && !ecs_session_find(e, k->ask[i].callid))
			forget(k, i);
}

static int ask_end(struct ecs_engine *e, const struct ecs_trace_ask *ask)
{
	struct ecs_trace_kept *k = e->trace ? e->trace->kept : NULL;
	uint32_t i = k ? place_of(k, ask) : 0;

	if (for_all(ask)) {
		if (k)
			k->all = k->n = 0;
	} else if (!k || i == k->n) {
		return SRP_ENOENT;
	} else {
		forget(k, i);
	}
	e->tracing = k && (k->all || k->n);
	return 0;
}

int ecs_trace_ask(struct ecs_engine *e, const struct ecs_trace_ask *ask, bool on, uint32_t size)
{
	struct ecs_trace *t;
	struct ecs_trace_kept *k;
	uint32_t i;

	if (!on)
		return ask_end(e, ask);
	if (size && (size < ECS_TRACE_ROWS_MIN || size > ECS_TRACE_ROWS_MAX))
		return SRP_ERANGE;
	if (ask->callid && !ecs_session_find(e, ask->callid))
		return SRP_ENOSESS;
	t = trace_of(e);
	if (!t)
		return SRP_ENOMEM;
	k = t->kept;
	i = place_of(k, ask);
	if (!for_all(ask) && i == ECS_TRACE_ASKS_MAX) {
		forget_gone(e, k);
		i = k->n;
	}
	if (!for_all(ask) && i == ECS_TRACE_ASKS_MAX)
		return SRP_EFULL;
	if (resize(t, size ? size : t->size ? t->size : ECS_TRACE_ROWS) != 0)
		return SRP_ENOMEM;
	if (!e->tracing)
		clear(t);
	if (for_all(ask))
		k->all = true;
	else if (i == k->n)
		k->ask[k->n++] = *ask;
	e->tracing = true;
	return 0;
}

/* What a predecessor has left may have been written by one that was about to fail. */
static bool readable(const struct ecs_trace_kept *k)
{
	if ((!k->all && !k->n) || k->n > ECS_TRACE_ASKS_MAX || k->start > k->seq ||
	    k->size < ECS_TRACE_ROWS_MIN || k->size > ECS_TRACE_ROWS_MAX)
		return false;
	for (uint32_t i = 0; i < k->n; i++)
		if (!memchr(k->ask[i].imsi, '\0', sizeof(k->ask[i].imsi)) || for_all(&k->ask[i]))
			return false;
	return true;
}

int ecs_trace_keep(struct ecs_engine *e, struct ecs_trace_kept *kept)
{
	struct ecs_trace *t = trace_of(e);
	uint32_t size = kept->size;
	bool goes_on = t && readable(kept);

	kept->size = kept->rows = 0;
	if (t)
		t->kept = kept;
	if (goes_on && resize(t, size) == 0) {
		e->tracing = true;
		return 0;
	}
	*kept = (struct ecs_trace_kept){.seq = kept->seq, .start = kept->seq};
	return t && !goes_on ? 0 : SRP_ENOMEM;
}

static bool wanted(const struct ecs_trace *t, const struct ecs_session *s)
{
	const struct ecs_trace_kept *k = t->kept;

	if (k->all)
		return true;
	for (uint32_t i = 0; i < k->n; i++) {
		const struct ecs_trace_ask *a = &k->ask[i];

		if (a->callid ? a->callid == s->spec.callid : strcmp(a->imsi, s->spec.imsi) == 0)
			return true;
	}
	return false;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* What is read of the packet as it came. */
static void put_wire(const struct ecs_trace *t, struct ecs_trace_row *r, const struct ecs_packet *p)
{
	bool v4 = p->version == 4;
	size_t n = p->cap > p->hdr_len ? p->cap - p->hdr_len : 0;

	r->proto = p->proto;
	r->frag = (uint8_t)p->frag;
	r->len = p->len;
	r->ip_id = v4 ? (uint32_t)(p->data[4] << 8 | p->data[5]) : p->frag != ECS_FRAG_NONE ? p->frag_id : 0;
	r->tcp_seq = p->tcp_seq;
	r->tcp_ack = p->tcp_ack;
	r->tcp_flags = p->tcp_flags;
	r->payload_len = (uint32_t)(p->len > p->hdr_len ? p->len - p->hdr_len : 0);
	r->payload_crc = crc_of(t, p->data + p->hdr_len, n);
}

static void put_ends(struct ecs_trace_row *r, const struct ecs_packet *p)
{
	bool up = p->dir == ECS_UPLINK;

	r->dir = (uint8_t)p->dir;
	r->subscriber = up ? p->src : p->dst;
	r->server = up ? p->dst : p->src;
	r->subscriber_port = up ? p->sport : p->dport;
	r->server_port = up ? p->dport : p->sport;
}

/* What is known of session and flow. */
static void put_way(const struct ecs_engine *e, struct ecs_trace_row *r, const struct ecs_way *w)
{
	const struct ecs_flow *f = w->f;

	r->at = w->now;
	r->callid = w->s->spec.callid;
	r->pkts = w->pkts;
	r->bytes = w->bytes;
	r->bearer = w->bearer ? w->bearer : f ? f->bearer : ECS_BEARER_DEFAULT;
	if (!f)
		return;
	r->flow_id = f->id;
	r->recovered = ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH);
	r->subscriber = f->key.subscriber;
	r->server = f->key.server;
	r->subscriber_port = f->key.subscriber_port;
	r->server_port = f->key.server_port;
}

static void put_text(char *to, const char *from)
{
	snprintf(to, ECS_NAME_MAX + 1, "%s", from);
}

/* The rule and what it charges by. */
static void put_rule(const struct ecs_engine *e, struct ecs_trace_row *r, const struct ecs_way *w)
{
	const struct ecs_line *l = w->line == ECS_LINE_NONE
	                                   ? NULL : ecs_service_line(e->conf.service, w->line);
	const struct ecs_ruleref *ref = w->dyn ? ecs_ruleref_get(e->refs, w->ref) : NULL;
	const struct ecs_charging_action *a = l ? l->action : ref ? ref->action : NULL;

	put_text(r->rule, l ? l->rule_name : ref ? ref->rule : "(no rule)");
	put_text(r->action, a ? a->name : "");
	r->content_id = a ? a->content_id : 0;
	r->rating_group = a ? a->rating_group : 0;
}

/* --- the packet path -------------------------------------------------------------------------- */

void ecs_trace_arrives(struct ecs_engine *e, const uint8_t *ip, size_t len, enum ecs_dir dir,
                       uint64_t packet)
{
	struct at_hand *at = &e->trace->at;

	at->ip = ip;
	at->len = len;
	at->dir = dir;
	at->packet = packet;
	at->begun = at->written = at->held = false;
	at->refused = ECS_TRACE_BY_NO_MEMORY;
}

bool ecs_trace_begins(struct ecs_engine *e, const struct ecs_way *w)
{
	struct ecs_trace *t = e->trace;
	struct at_hand *at = &t->at;
	struct ecs_packet p;

	at->begun = false;
	if (!wanted(t, w->s) || ecs_packet_parse(at->ip, at->len, at->dir, &p) != 0)
		return false;
	memset(&at->row, 0, sizeof(at->row));
	put_wire(t, &at->row, &p);
	put_ends(&at->row, w->p);
	at->row.packet = at->packet;
	at->begun = true;
	return true;
}

void ecs_trace_did(struct ecs_engine *e, unsigned stage, bool stopped)
{
	struct at_hand *at = &e->trace->at;

	if (stopped)
		at->row.by = (uint8_t)(ECS_TRACE_STAGES + stage);
	else
		at->row.did |= UINT32_C(1) << stage;
}

uint64_t ecs_trace_keeps(struct ecs_engine *e, bool held)
{
	struct ecs_trace *t = e->trace;

	t->at.held = held;
	return t->at.begun ? t->kept->seq + 1 : 0;
}

void ecs_trace_refused(const struct ecs_engine *e, enum ecs_trace_by by)
{
	e->trace->at.refused = (uint8_t)by;
}

void ecs_trace_charged(struct ecs_engine *e, const struct ecs_way *w, bool stopped)
{
	struct at_hand *at = &e->trace->at;
	struct ecs_trace_row *r = &at->row;

	put_way(e, r, w);
	put_rule(e, r, w);
	r->charged = !stopped;
	r->fate = !stopped ? ECS_TRACE_FORWARDED : at->held ? ECS_TRACE_HELD : ECS_TRACE_STOPPED;
	r->ends = (uint8_t)w->ends;
	r->bypassed = w->bypassed;
	r->pending = w->pending;
	r->late = w->again;
	r->anew = w->anew;
	append(e->trace, r);
	at->written = true;
}

uint64_t ecs_trace_held(struct ecs_engine *e, const struct ecs_way *w, uint64_t last)
{
	struct at_hand *at = &e->trace->at;

	put_way(e, &at->row, w);
	at->row.fate = ECS_TRACE_HELD;
	at->row.by = ECS_TRACE_BY_HANDSHAKING;
	at->row.held_before = last;
	at->written = true;
	return append(e->trace, &at->row);
}

/* A row of what was held, as it is charged. */
static void late(struct ecs_engine *e, struct ecs_trace_row *r, const struct ecs_way *w)
{
	put_rule(e, r, w);
	r->packet = r->seq;
	r->at = w->now;
	r->fate = ECS_TRACE_FORWARDED;
	r->by = ECS_TRACE_BY_NOTHING;
	r->held_before = 0;
	r->late = r->charged = true;
	append(e->trace, r);
}

void ecs_trace_released(struct ecs_engine *e, const struct ecs_way *w, uint64_t last)
{
	uint64_t seq[HELD_MAX], pkts[2] = {w[0].pkts, w[1].pkts}, bytes[2] = {w[0].bytes, w[1].bytes};
	const struct ecs_trace_row *held;
	struct ecs_trace_row r;
	size_t n = 0;

	if (!wanted(e->trace, w[0].s))
		return;
	for (; n < HELD_MAX && (held = row_of(e->trace, last)) != NULL; last = held->held_before)
		seq[n++] = last;
	while (n-- > 0) {
		held = row_of(e->trace, seq[n]);
		if (!held) /* it has just given way */
			continue;
		r = *held;
		pkts[r.dir] -= r.pkts;
		bytes[r.dir] -= r.bytes;
		late(e, &r, &w[r.dir]);
	}
	for (int d = ECS_UPLINK; d <= ECS_DOWNLINK; d++) {
		if (!pkts[d])
			continue;
		memset(&r, 0, sizeof(r));
		put_ends(&r, w[d].p);
		put_way(e, &r, &w[d]);
		r.proto = w[d].f->key.proto;
		r.pkts = pkts[d];
		r.bytes = bytes[d];
		late(e, &r, &w[d]);
	}
}

void ecs_trace_stopped(struct ecs_engine *e, const struct ecs_way *w, unsigned stage)
{
	if (!ecs_trace_begins(e, w))
		return;
	ecs_trace_did(e, stage, true);
	ecs_trace_charged(e, w, true);
}

void ecs_trace_done(struct ecs_engine *e)
{
	e->trace->at.written = true;
}

void ecs_trace_dropped(struct ecs_engine *e, struct srp_time now)
{
	struct ecs_trace *t = e->trace;
	struct at_hand *at = &t->at;
	struct ecs_trace_row r = {.at = now, .dir = (uint8_t)at->dir, .fate = ECS_TRACE_DROPPED};
	const struct ecs_session *s;
	struct ecs_packet p;

	if (at->written)
		return;
	if (ecs_packet_parse(at->ip, at->len, at->dir, &p) != 0) {
		if (!t->kept->all)
			return;
		r.by = ECS_TRACE_BY_MALFORMED;
		r.len = at->len;
	} else {
		s = ecs_session_by_addr(e, ecs_packet_subscriber(&p));
		if (!s || !wanted(t, s))
			return;
		r.callid = s->spec.callid;
		r.by = at->refused;
		put_wire(t, &r, &p);
		put_ends(&r, &p);
	}
	r.pkts = 1;
	r.bytes = r.len;
	append(t, &r);
	at->written = true;
}
