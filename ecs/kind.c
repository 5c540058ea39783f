#include "config.h"
#include "ecs/kind.h"

#include <stddef.h>
#include <string.h>

#include "ecs/call.h"

#define KEY4_LEN 9u

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

size_t ecs_kind_key_bytes(const struct ecs_flow_key *k, uint8_t out[ECS_KIND_KEY_MAX])
{
	out[0] = k->proto;
	put16(out + 1, k->subscriber_port);
	put16(out + 3, k->server_port);
	if (ecs_addr_is4(&k->server)) {
		memcpy(out + 5, k->server.b + 12, 4);
		return KEY4_LEN;
	}
	memcpy(out + 5, k->server.b, 16);
	memcpy(out + 21, k->subscriber.b + 8, 8);
	return ECS_KIND_KEY_MAX;
}

void ecs_kind_write_key(const struct ecs_flow_key *k, struct srp_mp_w *w)
{
	uint8_t b[ECS_KIND_KEY_MAX];

	srp_mp_w_bin(w, b, ecs_kind_key_bytes(k, b));
}

void ecs_kind_read_key(struct srp_mp_r *r, const struct ecs_session *s, struct ecs_flow_key *k)
{
	size_t n;
	const uint8_t *p = srp_mp_bin(r, KEY4_LEN, ECS_KIND_KEY_MAX, &n);

	if (!p)
		return;
	k->proto = p[0];
	k->subscriber_port = get16(p + 1);
	k->server_port = get16(p + 3);
	if (n == KEY4_LEN && s->spec.has4) {
		k->subscriber = s->spec.v4;
		k->server.b[10] = k->server.b[11] = 0xff;
		memcpy(k->server.b + 12, p + 5, 4);
	} else if (n == ECS_KIND_KEY_MAX && s->spec.has6) {
		memcpy(k->server.b, p + 5, 16);
		memcpy(k->subscriber.b, s->spec.v6.b, 8);
		memcpy(k->subscriber.b + 8, p + 21, 8);
		if (ecs_addr_is4(&k->server))
			srp_mp_fail(r, SRP_EINVAL);
	} else {
		/* neither length, or a family that the session has not */
		srp_mp_fail(r, SRP_EINVAL);
	}
}

uint64_t ecs_kind_age(const struct srp_ckpt_ctx *ctx, struct srp_time from)
{
	uint64_t ms = srp_time_since(from, ctx->now) / 1000;

	if (ctx->canonical)
		return 0;
	return ms < ECS_KIND_AGE_MAX_MS ? ms : ECS_KIND_AGE_MAX_MS;
}

struct srp_time ecs_kind_ago(struct srp_time now, uint64_t ms)
{
	return (struct srp_time){now.us > SRP_MS(ms) ? now.us - SRP_MS(ms) : 1};
}

uint64_t ecs_kind_read_age(struct srp_mp_r *r)
{
	return srp_mp_uint(r, ECS_KIND_AGE_MAX_MS);
}

void ecs_kind_read_name(struct srp_mp_r *r, char *out, size_t cap, bool empty)
{
	srp_mp_str(r, out, cap);
	if (!out[0] && !empty)
		srp_mp_fail(r, SRP_EINVAL);
	for (const char *p = out; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			srp_mp_fail(r, SRP_EFORMAT);
}

int ecs_kind_session(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                     struct ecs_session **out)
{
	struct ecs_session *s;

	if (key->k[0] == 0 || key->k[0] > UINT32_MAX)
		return SRP_ERANGE;
	s = ecs_session_find(ctx->owner, (uint32_t)key->k[0]);
	if (!s)
		return SRP_ENOSESS;
	*out = s;
	return 0;
}

struct ecs_bearer *ecs_kind_bearer_of(const struct srp_ckpt_ctx *ctx,
                                      const struct srp_ckpt_key *key)
{
	struct ecs_session *s;

	if (key->k[1] > ECS_BEARER_LAST || ecs_kind_session(ctx, key, &s) != 0)
		return NULL;
	return ecs_session_bearer(s, (uint8_t)key->k[1], false);
}

/* False while the replica does not hold what is of this session: the peer chassis gets it when it is old
 * enough, the mirror on this one from the start. */
static bool covered(const struct ecs_session *s, const struct srp_ckpt_ctx *ctx)
{
	return s->ready_for_recovery || ctx->replica == SRP_REPLICA_SR;
}

/* The session that an object belongs to: the full checkpoint is what has no parent. */
static struct ecs_session *session_of(const struct srp_ckpt_obj *o)
{
	while (o->kind->parent)
		o = o->kind->parent(o);
	return (struct ecs_session *)((uintptr_t)o - offsetof(struct ecs_session, full));
}

enum srp_gate ecs_kind_gate(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx)
{
	return covered(session_of(o), ctx) ? SRP_GATE_OPEN : SRP_GATE_NOT_READY;
}

void ecs_kind_passed(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
                     const struct srp_ckpt_pass *p)
{
	if (o)
		ecs_call_passed(session_of(o), ECS_CALL_MICRO, p);
	else
		ecs_call_passed_key(ECS_CALL_MICRO, key, p);
}

static bool resolves(struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

	if (!(f->flags & ECS_FLOW_F_CHECKPOINT))
		return true;
	if (r && r->dynamic)
		return ecs_dyn_of_ref(e, f->session, f->ref) != NULL;
	return r && r->bind == ECS_BIND_OK;
}

void ecs_kind_judge(struct ecs_engine *e, struct ecs_session *s, const struct ecs_flow *f,
                    struct srp_time now)
{
	bool ok = s->rulebase >= 0;

	/* One new flow cannot mend a session, only break it; else all flows are looked at: those of
	 * an inconsistent session, which are few. */
	if (f && s->consistent) {
		ok = ok && resolves(e, f);
	} else {
		for (struct srp_list *l = s->flows.next; ok && l != &s->flows; l = l->next)
			ok = resolves(e, ECS_CONTAINER(l, struct ecs_flow, in_session));
	}
	s->consistent = ok;
	if (ok && (s->pending & ECS_PENDING_SWITCHOVER))
		ecs_session_pending(e, s, 0, ECS_PENDING_SWITCHOVER, now);
	else if (!ok && !(s->pending & ECS_PENDING_SWITCHOVER) && !e->active)
		ecs_session_pending(e, s, ECS_PENDING_SWITCHOVER, 0, now);
}

bool ecs_kind_owns(const struct ecs_session *s, const struct ecs_addr *a)
{
	if (ecs_addr_is4(a))
		return s->spec.has4 && memcmp(a, &s->spec.v4, sizeof(*a)) == 0;
	return s->spec.has6 && memcmp(a->b, s->spec.v6.b, 8) == 0;
}

uint64_t ecs_kind_idle(const struct srp_ckpt_ctx *ctx, const struct ecs_session *s)
{
	const struct ecs_engine *e = ctx->owner;
	uint64_t limit = (uint64_t)s->spec.idle_timeout * 1000, left;

	if (ctx->canonical)
		return 0;
	if (e->active && s->last.us >= e->active_since.us)
		return ecs_kind_age(ctx, s->last);
	if (!ecs_wheel_armed(&s->idle))
		return e->active ? ecs_kind_age(ctx, s->last) : 0;
	left = ecs_wheel_left(e->wheel, &s->idle);
	return limit > left ? limit - left : 0;
}

void ecs_kind_set_ages(struct ecs_engine *e, struct ecs_session *s, struct srp_time now,
                       uint64_t age_ms, uint64_t idle)
{
	uint64_t limit = (uint64_t)s->spec.idle_timeout * 1000;

	s->created = ecs_kind_ago(now, age_ms > idle ? age_ms : idle);
	s->last = ecs_kind_ago(now, idle);
	if (limit == 0) {
		ecs_wheel_disarm(e->wheel, &s->idle);
		return;
	}
	s->idle.what = ECS_TIMER_SESSION;
	ecs_wheel_arm(e->wheel, &s->idle, limit > idle ? limit - idle : 0);
}

/* Tells fn() of an object, unless it is one that is not told of; other than 0: enough. */
static int visit(struct srp_ckpt_obj *o, bool (*told)(const struct srp_ckpt_obj *o),
                 srp_ckpt_walk_fn *fn, void *arg)
{
	return told && !told(o) ? 0 : fn(o, arg);
}

/* The first session, from @p l on, that the replica holds; NULL: there is none. What is found may go
 * away while it is visited: @p l is behind it. */
static struct ecs_session *next_covered(const struct srp_ckpt_ctx *ctx, struct srp_list **l)
{
	struct ecs_engine *e = ctx->owner;

	while (*l != &e->all) {
		struct ecs_session *s = ECS_CONTAINER(*l, struct ecs_session, all);

		*l = (*l)->next;
		if (covered(s, ctx))
			return s;
	}
	return NULL;
}

void ecs_kind_walk(const struct srp_ckpt_ctx *ctx, size_t member, srp_ckpt_walk_fn *fn, void *arg)
{
	struct ecs_engine *e = ctx->owner;
	struct srp_list *l = e->all.next;
	struct ecs_session *s;

	while ((s = next_covered(ctx, &l)) != NULL)
		if (fn((struct srp_ckpt_obj *)(void *)((char *)s + member), arg) != 0)
			return;
}

void ecs_kind_walk_list(const struct srp_ckpt_ctx *ctx, const struct ecs_kind_list *of,
                        srp_ckpt_walk_fn *fn, void *arg)
{
	struct ecs_engine *e = ctx->owner;
	struct srp_list *ls = e->all.next, *head, *l, *next;
	struct ecs_session *s;

	while ((s = next_covered(ctx, &ls)) != NULL) {
		head = (struct srp_list *)(void *)((char *)s + of->list);
		for (l = head->next; l != head; l = next) {
			char *element = (char *)l - of->link;

			next = l->next;
			if (visit((struct srp_ckpt_obj *)(void *)(element + of->member), of->told, fn,
			          arg) != 0)
				return;
		}
	}
}

void ecs_kind_walk_bearers(const struct srp_ckpt_ctx *ctx, size_t member,
                           bool (*told)(const struct srp_ckpt_obj *o), srp_ckpt_walk_fn *fn,
                           void *arg)
{
	struct ecs_engine *e = ctx->owner;
	struct srp_list *l = e->all.next;
	struct ecs_session *s;

	while ((s = next_covered(ctx, &l)) != NULL)
		for (unsigned i = 0; i < ECS_BEARERS_MAX; i++) {
			struct ecs_bearer *b = ecs_session_bearer_at(s, i);

			if (b && visit((struct srp_ckpt_obj *)(void *)((char *)b + member), told, fn,
			               arg) != 0)
				return;
		}
}
