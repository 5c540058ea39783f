#include "config.h"
#include "ecs/usage.h"

#include "ecs/engine_impl.h"
#include "ecs/ledger.h"
#include "ecs/quota.h"

#define TURN_S 1u
#define ALL_REPLICAS ((1u << SRP_REPLICA__N) - 1)
#define SCAN    6 /* volumes looked at before the index: a packet charges up to three */

static uint64_t hash_of(uint32_t callid, uint8_t bearer, unsigned of, uint64_t id, uint64_t seed)
{
	uint64_t a = ((uint64_t)callid << 16 | (uint64_t)bearer << 8 | of) ^ ECS_HASH_K0;

	return ecs_hash_mix(a ^ seed, id ^ ECS_HASH_K1);
}

static uint64_t usage_hash(const void *obj, uint64_t seed)
{
	const struct ecs_usage *u = obj;

	return hash_of(u->session->spec.callid, u->bearer, u->of, u->id, seed);
}

static bool is(const struct ecs_usage *u, uint8_t bearer, unsigned of, uint64_t id)
{
	return u->id == id && u->bearer == bearer && u->of == of;
}

int ecs_usages_init(struct ecs_engine *e)
{
	return ecs_chain_init(&e->usages, e->conf.sessions_expected,
	                      offsetof(struct ecs_usage, by_key), usage_hash,
	                      ecs_hash_mix(e->conf.seed, ECS_HASH_K2));
}

struct ecs_usage *ecs_usage_find(const struct ecs_engine *e, uint32_t callid, uint8_t bearer,
                                 enum ecs_usage_of of, uint64_t id)
{
	struct ecs_usage *u;

	u = *ecs_chain_head(&e->usages, hash_of(callid, bearer, of, id, e->usages.seed));
	while (u && (!is(u, bearer, of, id) || u->session->spec.callid != callid))
		u = u->by_key;
	return u;
}

struct ecs_usage *ecs_usage_of(const struct ecs_engine *e, const struct ecs_session *s,
                               uint8_t bearer, enum ecs_usage_of of, uint64_t id)
{
	if (s->nusages > SCAN)
		return ecs_usage_find(e, s->spec.callid, bearer, of, id);
	for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next) {
		struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

		if (is(u, bearer, of, id))
			return u;
	}
	return NULL;
}

void ecs_usage_expect(const struct ecs_engine *e, uint32_t callid, uint8_t bearer,
                      enum ecs_usage_of of, uint64_t id)
{
	ecs_chain_expect(&e->usages, hash_of(callid, bearer, of, id, e->usages.seed));
}

struct ecs_usage *ecs_usage_build(struct ecs_engine *e, struct ecs_session *s, uint8_t bearer,
                                  enum ecs_usage_of of, uint64_t id)
{
	struct ecs_usage *u = ecs_pool_get(&e->usage_pool);

	if (!u)
		return NULL;
	u->ckpt.kind = ecs_kind_of_usage(of);
	u->session = s;
	u->id = id;
	u->stats = ECS_LINE_NONE;
	u->bearer = bearer;
	u->of = (uint8_t)of;
	if (of == ECS_USAGE_QUOTA)
		s->stages |= ECS_STAGE_BIT(QUOTA);
	ecs_list_add_head(&s->usages, &u->in_session);
	ecs_chain_insert(&e->usages, u);
	s->nusages++;
	return u;
}

/* The volume to charge: among those charged last, else by the index; then it is the first. */
static struct ecs_usage *lookup(struct ecs_engine *e, struct ecs_session *s, uint8_t bearer,
                                enum ecs_usage_of of, uint64_t id)
{
	struct srp_list *l = s->usages.next;
	struct ecs_usage *u;

	for (int i = 0; i < SCAN && l != &s->usages; i++, l = l->next) {
		u = ECS_CONTAINER(l, struct ecs_usage, in_session);
		if (is(u, bearer, of, id))
			return u;
	}
	u = s->nusages > SCAN ? ecs_usage_find(e, s->spec.callid, bearer, of, id) : NULL;
	if (!u)
		return ecs_usage_build(e, s, bearer, of, id);
	ecs_list_del(&u->in_session);
	ecs_list_add_head(&s->usages, &u->in_session);
	return u;
}

void ecs_usages_await(const struct ecs_engine *e, const struct ecs_session *s)
{
	const char *u = (const char *)s->usages.next - offsetof(struct ecs_usage, in_session);

	/* those that the first packet has made stand in front of each other */
	for (int i = 0; i < 3; i++, u -= e->usage_pool.size) {
		__builtin_prefetch(u + offsetof(struct ecs_usage, in_session), 1);
		__builtin_prefetch(u + offsetof(struct ecs_usage, own), 1);
	}
	__asm__ volatile(""); /* gcc leaves out calls of what does nothing but ask for memory */
}

/* A place at the first charge; where there is no room the volume dies with the process. */
static void place(struct ecs_engine *e, struct ecs_usage *u, const struct ecs_volume *v)
{
	u->place = ecs_ledger_add(e->ledger, u, v);
	if (!u->place)
		u->place = ECS_LEDGER_NOWHERE;
	else if (!u->session->place)
		u->session->place = u->place;
}

static void keep(struct ecs_engine *e, struct ecs_usage *u, const struct ecs_volume *v,
                 enum ecs_dir dir)
{
	struct ecs_volume *to;

	if (u->place == 0) {
		place(e, u, v);
	} else if (u->place != ECS_LEDGER_NOWHERE) {
		to = ecs_ledger_at(e->ledger, u->place);
		to->pkts[dir] = v->pkts[dir];
		to->bytes[dir] = v->bytes[dir];
	}
}

void ecs_usage_keep(struct ecs_engine *e, struct ecs_usage *u)
{
	if (u->place != 0 && u->place != ECS_LEDGER_NOWHERE)
		*ecs_ledger_at(e->ledger, u->place) = u->own[e->conf.chassis_bit & 1];
}

void ecs_usage_replace(struct ecs_engine *e, struct ecs_session *s)
{
	bool any = false;

	for (struct srp_list *l = s->usages.next; e->ledger && l != &s->usages; l = l->next) {
		struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);
		uint32_t was = u->place;

		if (was == 0 || was == ECS_LEDGER_NOWHERE)
			continue;
		/* first the new one: whoever comes after finds that of the name it knows */
		place(e, u, &u->own[e->conf.chassis_bit & 1]);
		ecs_ledger_kill(e->ledger, was);
		any = true;
	}
	if (any)
		ecs_ledger_prune(e->ledger, s->spec.callid);
}

void ecs_usage_charge(struct ecs_engine *e, struct ecs_session *s, uint8_t bearer,
                      enum ecs_usage_of of, uint64_t id, uint16_t stats, enum ecs_dir dir,
                      uint64_t pkts, uint64_t bytes, struct srp_time now)
{
	struct ecs_usage *u = lookup(e, s, bearer, of, id);
	struct ecs_volume *v;

	(void)now;
	if (!u) {
		e->conf.counters->usage_no_memory++;
		if (of == ECS_USAGE_SESSION)
			e->conf.owed->known += bytes; /* lost, but not with a switchover */
		return;
	}
	u->stats = stats;
	v = &u->own[e->conf.chassis_bit & 1];
	v->pkts[dir] += pkts;
	v->bytes[dir] += bytes;
	if (e->ledger)
		keep(e, u, v, dir);
	if (!ecs_list_on(&u->in_changed))
		ecs_list_add_tail(&e->changed, &u->in_changed);
}

void ecs_usage_tell(struct ecs_engine *e, struct ecs_usage *u, struct srp_time now)
{
	ecs_list_del(&u->in_changed);
	u->told = u->own[e->conf.chassis_bit & 1];
	ecs_tell_changed(e, &u->ckpt, now);
}

/* Tells of the volumes on a list, at most @p budget. */
static void tell_some(struct ecs_engine *e, struct srp_list *head, struct srp_time now,
                      size_t budget)
{
	for (; budget > 0 && !ecs_list_empty(head); budget--)
		ecs_usage_tell(e, ECS_CONTAINER(head->next, struct ecs_usage, in_changed), now);
}

void ecs_usage_turn(struct ecs_engine *e, struct srp_time now)
{
	e->usage_turn_of = ALL_REPLICAS;
	tell_some(e, &e->turning, now, SIZE_MAX);
	tell_some(e, &e->changed, now, SIZE_MAX);
	(void)ecs_police_turn(e, true, now, SIZE_MAX);
}

/* `check-point accounting sync-timer`, or each second. */
static uint64_t turn_us(const struct ecs_engine *e, int replica)
{
	uint32_t s = ecs_service_sync_time(e->conf.service, replica == SRP_REPLICA_GR);

	return SRP_SEC(s ? s : TURN_S);
}

/* The replicas whose turn it is, at most once in the time of each. */
static unsigned turn_of(struct ecs_engine *e, struct srp_time now)
{
	unsigned due = 0;

	for (int i = 0; i < SRP_REPLICA__N; i++) {
		uint64_t every = turn_us(e, i);

		/* a timer that was shortened meanwhile is looked at by what it is now */
		if (!srp_time_due(e->next_usage[i], now) &&
		    e->next_usage[i].us - now.us <= every)
			continue;
		due |= 1u << i;
		e->next_usage[i] = srp_time_add(now, every);
	}
	return due;
}

bool ecs_usage_paced(const struct ecs_engine *e, enum srp_replica_id replica)
{
	return e->active && !(e->usage_turn_of & 1u << replica);
}

bool ecs_usage_step(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	unsigned due = ecs_list_empty(&e->turning) ? turn_of(e, now) : 0;

	/* what changes while a turn goes on belongs to the next: one record a turn and volume */
	if (due) {
		e->usage_turn_of = due;
		if (ecs_list_empty(&e->changed))
			return false;
		e->turning = e->changed;
		e->turning.next->prev = e->turning.prev->next = &e->turning;
		ecs_list_init(&e->changed);
	}
	tell_some(e, &e->turning, now, budget);
	return !ecs_list_empty(&e->turning);
}

void ecs_usage_drop(struct ecs_engine *e, struct ecs_usage *u, enum ecs_tell tell,
                    struct srp_time now)
{
	ecs_tell_deleted(e, &u->ckpt, tell, now);
	ecs_owed_ends(e, u);
	if (u->place != 0 && u->place != ECS_LEDGER_NOWHERE)
		ecs_ledger_kill(e->ledger, u->place);
	ecs_list_del(&u->in_session);
	ecs_list_del(&u->in_changed);
	ecs_chain_remove(&e->usages, u);
	u->session->nusages--;
	(void)ecs_quota_set_url(e, u, "");
	ecs_pool_put(&e->usage_pool, u);
}

struct ecs_volume ecs_usage_sum(const struct ecs_usage *u)
{
	struct ecs_volume v = u->own[0];

	for (int d = 0; d < 2; d++) {
		v.pkts[d] += u->own[1].pkts[d];
		v.bytes[d] += u->own[1].bytes[d];
	}
	return v;
}
