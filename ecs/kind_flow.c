#include "config.h"
#include "ecs/flow.h"

#include <string.h>

#include "ecs/call.h"
#include "ecs/enforce.h"
#include "ecs/kind.h"
#include "ecs/parent.h"
#include "ecs/tcp.h"
#include "ecs/unsent.h"

#define PROTO_TCP 6u
#define PROTO_UDP 17u

/* Flags as they travel: below 128, so that they take a byte. */
#define WIRE_FIN_UP    0x01u
#define WIRE_FIN_DOWN  0x02u
#define WIRE_FIRST_UP  0x04u
#define WIRE_MID       0x08u
#define WIRE_OPENER_UP 0x10u
#define WIRE_FRESH     0x20u /* of TCP: with the ISN, which tells what the first byte is */
#define WIRE_UNDECIDED 0x40u /* of TCP: in the middle of an analysis */
#define WIRE_ALL       0x7fu

#define FLOW_LEN (ECS_KIND_HEAD_MAX(2) + 2 + ECS_KIND_KEY_MAX + 19 + 1 + (1 + 1 + 5) + 1 + 5 + 3 + 3 + 18)

static const struct {
	uint16_t flag;
	uint8_t wire;
} flag_map[] = {
	{ECS_FLOW_F_FIN_UP, WIRE_FIN_UP},
	{ECS_FLOW_F_FIN_DOWN, WIRE_FIN_DOWN},
	{ECS_FLOW_F_FIRST_UP, WIRE_FIRST_UP},
	{ECS_FLOW_F_MID, WIRE_MID},
	{ECS_FLOW_F_OPENER_UP, WIRE_OPENER_UP},
	{ECS_FLOW_F_FRESH, WIRE_FRESH},
};
#define FLAGS_N (sizeof(flag_map) / sizeof(flag_map[0]))

/* What a record says. */
struct image {
	struct ecs_session *session;
	struct ecs_flow_key key;
	uint32_t id, idle_timeout, isn;
	bool own_timeout, undecided;
	uint16_t ref, back, flags, app, app_master;
	uint8_t bearer, tcp_state;
	uint64_t age_ms, idle_ms;
	uint32_t parent;
};

static const struct ecs_flow *of(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_flow *)(const void *)
	       ((const char *)o - offsetof(struct ecs_flow, ckpt));
}

static void flow_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	const struct ecs_flow *f = of(o);

	*out = (struct srp_ckpt_key){{f->session->spec.callid, f->id}};
}

static struct srp_ckpt_obj *flow_parent(const struct srp_ckpt_obj *o)
{
	return &of(o)->session->full;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* One rule; or two, where packets against the first direction have another. */
static void write_rule(struct ecs_engine *e, const struct ecs_flow *f,
                       const struct ecs_ruleref *ref, struct srp_mp_w *w)
{
	const struct ecs_ruleref *back = ecs_ruleref_get(e->refs, f->back);

	if (f->back == f->ref) {
		srp_mp_w_uint(w, ref->name_hash);
		return;
	}
	srp_mp_w_array(w, 2);
	srp_mp_w_uint(w, ref->name_hash);
	srp_mp_w_uint(w, back ? back->name_hash : 0); /* 0: `(no rule)` */
}

static void write_flags(const struct ecs_flow *f, struct srp_mp_w *w)
{
	bool tcp = f->key.proto == PROTO_TCP;
	uint8_t wire = 0;

	for (size_t i = 0; i < FLAGS_N; i++)
		if (f->flags & flag_map[i].flag)
			wire |= flag_map[i].wire;
	if (tcp && !(f->flags & (ECS_FLOW_F_FRESH | ECS_FLOW_F_FINAL)))
		wire |= WIRE_UNDECIDED;
	if (tcp && (wire & WIRE_FRESH)) {
		srp_mp_w_array(w, 2);
		srp_mp_w_uint(w, wire);
		srp_mp_w_uint(w, f->isn);
	} else {
		srp_mp_w_uint(w, wire);
	}
}

/* State of the connection. UDP has none: where the number of its parent is kept, that stands beside it. */
static void write_state(const struct ecs_flow *f, struct srp_mp_w *w)
{
	uint32_t parent = ecs_parent_kept(f);

	if (parent)
		srp_mp_w_array(w, 2);
	srp_mp_w_uint(w, f->tcp_state);
	if (parent)
		srp_mp_w_uint(w, parent);
}

static int flow_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                       struct srp_mp_w *w)
{
	const struct ecs_flow *f = of(o);
	struct ecs_engine *e = ctx->owner;
	const struct ecs_ruleref *ref = ecs_ruleref_get(e->refs, f->ref);

	if (!ref || !ecs_kind_owns(f->session, &f->key.subscriber))
		return SRP_ESTATE;
	ecs_kind_write_key(&f->key, w);
	write_rule(e, f, ref, w);
	srp_mp_w_uint(w, f->bearer);
	write_flags(f, w);
	write_state(f, w);
	/* what the rule implies depends on each side's configuration: not part of the hash */
	if (ctx->canonical || f->idle_timeout == ecs_flow_timeout(e, f))
		srp_mp_w_nil(w);
	else
		srp_mp_w_uint(w, f->idle_timeout);
	srp_mp_w_uint(w, f->app);
	srp_mp_w_uint(w, f->app_master);
	srp_mp_w_uint(w, ecs_kind_age(ctx, f->created));
	srp_mp_w_uint(w, ctx->canonical ? 0 : ecs_flow_idle_ms(e, f, ctx->now));
	return w->err;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Refs of the rule, or of both; ECS_REF_NONE for `(no rule)` is possible for the second only. */
static int read_rule(const struct ecs_engine *e, struct srp_mp_r *r, struct image *m)
{
	bool two = srp_mp_left(r) && *r->p == 0x92;
	uint64_t ref, back;

	if (two)
		(void)srp_mp_array(r, 2);
	ref = srp_mp_uint(r, UINT64_MAX);
	back = two ? srp_mp_uint(r, UINT64_MAX) : ref;
	m->ref = ecs_ruleref_by_hash(e->refs, ref);
	m->back = ecs_ruleref_by_hash(e->refs, back);
	if (m->ref == ECS_REF_NONE || (m->back == ECS_REF_NONE && back != 0))
		return SRP_ENORULE;
	return 0;
}

static void read_flags(struct srp_mp_r *r, struct image *m, uint8_t *wire)
{
	bool tcp = m->key.proto == PROTO_TCP, two = srp_mp_left(r) && *r->p == 0x92;

	if (two)
		(void)srp_mp_array(r, 2);
	*wire = (uint8_t)srp_mp_uint(r, WIRE_ALL);
	if (two)
		m->isn = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	m->undecided = *wire & WIRE_UNDECIDED;
	if (two != (tcp && (*wire & WIRE_FRESH)) ||
	    (m->undecided && (!tcp || (*wire & WIRE_FRESH))))
		srp_mp_fail(r, SRP_EINVAL);
	for (size_t i = 0; i < FLAGS_N; i++)
		if (*wire & flag_map[i].wire)
			m->flags |= flag_map[i].flag;
}

static void read_state(struct srp_mp_r *r, struct image *m)
{
	bool two = srp_mp_left(r) && *r->p == 0x92;

	if (two)
		(void)srp_mp_array(r, 2);
	m->tcp_state = (uint8_t)srp_mp_uint(r, ECS_TCP_ST__N - 1);
	if (two) {
		m->parent = (uint32_t)srp_mp_uint(r, UINT32_MAX);
		if (m->key.proto != PROTO_UDP || m->parent == 0 || m->parent == m->id ||
		    m->parent >> 1 >= ECS_FLOW_COUNTER_MAX)
			srp_mp_fail(r, SRP_EINVAL);
	}
}

static int read_image(struct ecs_engine *e, struct srp_mp_r *r, struct image *m)
{
	uint8_t wire;
	int rule;

	ecs_kind_read_key(r, m->session, &m->key);
	ecs_flow_expect_key(e->flows, &m->key);
	rule = read_rule(e, r, m);
	m->bearer = (uint8_t)srp_mp_uint(r, 15);
	read_flags(r, m, &wire);
	read_state(r, m);
	m->own_timeout = !srp_mp_nil(r);
	if (m->own_timeout)
		m->idle_timeout = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	m->app = (uint16_t)srp_mp_uint(r, UINT16_MAX);
	m->app_master = (uint16_t)srp_mp_uint(r, UINT16_MAX);
	m->age_ms = ecs_kind_read_age(r);
	m->idle_ms = ecs_kind_read_age(r);
	if (r->err)
		return r->err;
	if (m->bearer < 5)
		return SRP_ERANGE;
	if (m->key.proto != PROTO_TCP &&
	    (m->tcp_state != ECS_TCP_ST_NONE || (wire & (WIRE_FIN_UP | WIRE_FIN_DOWN))))
		return SRP_EINVAL;
	/* what has not begun has not ended either, and did not begin in mid-stream */
	if (m->key.proto == PROTO_TCP && (wire & WIRE_FRESH) &&
	    (m->tcp_state > ECS_TCP_ST_ESTABLISHED ||
	     (wire & (WIRE_FIN_UP | WIRE_FIN_DOWN | WIRE_MID))))
		return SRP_EINVAL;
	return rule;
}

static int flow_ids(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                    struct ecs_session **s)
{
	if (key->k[1] == 0 || key->k[1] >> 1 >= ECS_FLOW_COUNTER_MAX)
		return SRP_ERANGE;
	return ecs_kind_session(ctx, key, s);
}

/* Whether a flow more fits: the limits are the peer's as well as ours. */
static int room(const struct ecs_engine *e, const struct ecs_session *s, const struct ecs_flow *f,
                const struct ecs_flow *held)
{
	bool frees = held && (held->flags & ECS_FLOW_F_CHECKPOINT);

	if (f && (f->flags & ECS_FLOW_F_CHECKPOINT))
		return 0;
	if (s->slots >= ECS_CALL_FLOWS_MAX + (frees && held->session == s))
		return SRP_EFULL;
	return e->slots >= ECS_FLOW_CHKPT_PER_SESSMGR + frees ? SRP_EFULL : 0;
}

/* An idle timeout that is not what the rule implies here. */
static void set_timeout(struct ecs_engine *e, struct ecs_flow *f, const struct image *m)
{
	uint64_t limit = (uint64_t)m->idle_timeout * 1000;

	f->idle_timeout = m->idle_timeout;
	if (ecs_tcp_half_open(f->tcp_state) || (f->flags & ECS_FLOW_F_LINGER))
		return; /* armed for the handshake, or for the end */
	if (limit == 0)
		ecs_wheel_disarm(e->wheel, &f->idle);
	else
		ecs_wheel_arm(e->wheel, &f->idle, limit > m->idle_ms ? limit - m->idle_ms : 0);
}

/* Takes over what the record says; nothing here can fail. */
static void set(struct ecs_engine *e, struct ecs_flow *f, const struct image *m,
                struct srp_time now)
{
	bool open = m->undecided || (m->flags & ECS_FLOW_F_FRESH);
	uint16_t keep = f->flags;

	/* what was found out here of a flow of this name is of another life of it */
	ecs_flow_unanalyze(e, f);
	ecs_alias_drop(e, f);
	ecs_parent_apply(e, f, m->parent);
	for (size_t i = 0; i < FLAGS_N; i++)
		keep &= (uint16_t)~flag_map[i].flag;
	keep &= (uint16_t) ~(ECS_FLOW_F_WAITING | ECS_FLOW_F_RESTING | ECS_FLOW_F_FINAL |
	                    ECS_FLOW_F_SEEN);
	ecs_list_del(&f->waiting);
	ecs_flow_undelay(e, f);
	if (!(f->flags & ECS_FLOW_F_CHECKPOINT))
		ecs_flow_slot(e, f, true);
	f->flags = (uint16_t)(keep | m->flags | (open ? 0u : ECS_FLOW_F_FINAL) |
	                      ECS_FLOW_F_ELIGIBLE | ECS_FLOW_F_CHECKPOINT |
	                      (e->active ? ECS_FLOW_F_RECOVERED : 0u));
	ecs_flow_ref(e, f, m->ref);
	f->kpi = ecs_ruleref_get(e->refs, m->ref)->kpi;
	ecs_flow_back(e, f, m->back);
	if (m->flags & ECS_FLOW_F_FRESH)
		f->isn = m->isn;
	f->bearer = m->bearer;
	f->tcp_state = m->tcp_state;
	f->released = f->lost = f->moved = f->stale = false;
	ecs_flow_known(e, f, ECS_REF_NONE, ECS_REF_NONE);
	f->triggered = true;
	f->app = m->app;
	f->app_master = m->app_master;
	f->created = ecs_kind_ago(now, m->age_ms > m->idle_ms ? m->age_ms : m->idle_ms);
	ecs_flow_arm(e, f, m->idle_ms, now);
	if (m->own_timeout)
		set_timeout(e, f, m);
}

static int flow_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                      struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_engine *e = ctx->owner;
	struct image m = {.id = (uint32_t)key->k[1]};
	struct ecs_flow *f, *held;
	struct ecs_shift *t;
	int rc = flow_ids(ctx, key, &m.session);

	if (rc)
		return rc;
	ecs_flow_expect(e->flows, m.session->spec.callid, m.id);
	if (nfields < ecs_kind_flow.nfields)
		return SRP_ESHORT;
	rc = read_image(e, r, &m);
	if (rc)
		return rc;
	f = ecs_flow_of(e->flows, m.session, m.id);
	held = ecs_flow_held(e->flows, m.session, &m.key);
	rc = room(e, m.session, f, held);
	if (rc)
		return rc;
	if (held && held != f) {
		if (e->active)
			return SRP_EDUP; /* what carries traffic here is not replaced */
		e->conf.counters->flows_replaced++;
		ecs_flow_drop(e, held, ECS_TELL_LISTS, ctx->now);
	}
	if (!f) {
		rc = ecs_flow_build(e, m.session, &m.key, m.id, ctx->now, &f);
		if (rc)
			return rc;
		e->conf.counters->flows_applied++;
	} else if (held != f) {
		ecs_flow_remove(e->flows, f);
		f->key = m.key;
		ecs_flow_insert(e->flows, f);
	}
	if (m.id >> 1 > m.session->next_flow)
		m.session->next_flow = m.id >> 1;
	set(e, f, &m, ctx->now);
	t = e->active ? ecs_shift_waits(m.session, &m.key) : NULL;
	if (t && ecs_shift_attach(e, t, f) != 0) {
		ecs_flow_drop(e, f, ECS_TELL_LISTS, ctx->now);
		return SRP_ENOMEM;
	}
	ecs_kind_judge(e, m.session, f, ctx->now);
	*out = &f->ckpt;
	return 0;
}

static struct srp_ckpt_obj *flow_find(const struct srp_ckpt_ctx *ctx,
                                      const struct srp_ckpt_key *key)
{
	struct ecs_engine *e = ctx->owner;
	struct ecs_flow *f;

	if (key->k[0] > UINT32_MAX || key->k[1] > UINT32_MAX)
		return NULL;
	f = ecs_flow_find_id(e->flows, (uint32_t)key->k[0], (uint32_t)key->k[1]);
	return f ? &f->ckpt : NULL;
}

static int flow_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct srp_ckpt_obj *o = flow_find(ctx, key);

	if (!o)
		return SRP_ENOENT;
	ecs_flow_drop(ctx->owner, ECS_CONTAINER(o, struct ecs_flow, ckpt), ECS_TELL_LISTS,
	              ctx->now);
	return 0;
}

/* Those that are at the peer, or should be. */
static bool flow_told(const struct srp_ckpt_obj *o)
{
	return of(o)->flags & ECS_FLOW_F_CHECKPOINT;
}

static void flow_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	static const struct ecs_kind_list flows = {
		.list = offsetof(struct ecs_session, flows), .told = flow_told,
		.link = offsetof(struct ecs_flow, in_session),
		.member = offsetof(struct ecs_flow, ckpt)};

	ecs_kind_walk_list(ctx, &flows, fn, arg);
}

static uint32_t flow_tag(const struct srp_ckpt_obj *o)
{
	return of(o)->kpi;
}

static void flow_arrived(struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx, bool del)
{
	ecs_kpi_arrived(ECS_CONTAINER(o, struct ecs_flow, ckpt), ctx, del);
}

static void flow_passed(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
                        const struct srp_ckpt_pass *p)
{
	if (o && p->what == SRP_CKPT_ACKED)
		ecs_unsent_acked(p->owner, ECS_CONTAINER(o, struct ecs_flow, ckpt));
	ecs_kpi_passed(o ? ECS_CONTAINER(o, struct ecs_flow, ckpt) : NULL, p);
	ecs_kind_passed(o, key, p);
}

const struct srp_ckpt_kind ecs_kind_flow = {
	.id = 210, .del_id = 211, .name = "ACS_FLOW_INFO", .del_name = "DEL_ACS_FLOW_INFO",
	.rank = 3, .limited = true, .nkey = 2, .nfields = 10, .ver_min = 1, .ver_max = 1,
	.max_len = FLOW_LEN,
	.left_nil = 1u << 5, .left_out = 1u << 8 | 1u << 9, /* idle timeout; age, idleness */
	.key = flow_key, .parent = flow_parent, .gate = ecs_kind_gate, .encode = flow_encode,
	.apply = flow_apply, .remove = flow_remove, .find = flow_find, .walk = flow_walk,
	.passed = flow_passed, .tag = flow_tag, .arrived = flow_arrived,
};
