/* readdress: `flow action readdress`. A flow goes to another server than its subscriber named, and
 * what comes from there is shown in the name of the one that was. It is decided by the first packet
 * (of TCP: the SYN) and holds for the life of the flow; none of it is checkpointed: the first packet
 * of a recovered flow is not seen again (flow-recovery, Flow Actions). */
#include "config.h"
#include "ecs/enforce.h"

#include <string.h>

#include "ecs/rewrite.h"
#include "ecs/splice.h"

#define PROTO_TCP 6u
#define PROTO_UDP 17u

static uint64_t hash_more(const void *obj, uint64_t seed)
{
	return ecs_flow_key_hash(&((const struct ecs_flow_more *)obj)->alias, seed);
}

int ecs_aliases_init(struct ecs_engine *e)
{
	return ecs_chain_init(&e->aliases, 64, offsetof(struct ecs_flow_more, alias_next), hash_more,
	                      e->conf.seed);
}

struct ecs_flow *ecs_alias_find(const struct ecs_engine *e, const struct ecs_flow_key *k)
{
	const struct ecs_flow_more *m;

	if (e->aliases.count == 0)
		return NULL;
	m = *ecs_chain_head(&e->aliases, ecs_flow_key_hash(k, e->conf.seed));
	while (m && !ecs_flow_key_equal(&m->alias, k))
		m = m->alias_next;
	return m ? m->flow : NULL;
}

static bool readdressed(const struct ecs_flow *f)
{
	return f->more && (f->more->stages & ECS_STAGE_BIT(READDRESS));
}

const struct ecs_flow_key *ecs_alias_of(const struct ecs_flow *f)
{
	return readdressed(f) ? &f->more->alias : &f->key;
}

void ecs_alias_drop(struct ecs_engine *e, struct ecs_flow *f)
{
	if (!f->more)
		return;
	ecs_splice_drop(e, f);
	ecs_alias_remove(e, f);
}

void ecs_alias_remove(struct ecs_engine *e, struct ecs_flow *f)
{
	if (!ecs_alias_is(f))
		return;
	ecs_chain_remove(&e->aliases, f->more);
	f->more->aliased = false;
	f->more->stages &= ~ECS_STAGE_BIT(READDRESS);
}

bool ecs_alias_add(struct ecs_engine *e, struct ecs_flow *f, const struct ecs_addr *server,
                   uint16_t port)
{
	struct ecs_flow_key k = f->key;
	struct ecs_flow_more *m;

	if (ecs_addr_is4(server) != ecs_addr_is4(&k.server))
		return false;
	k.server = *server;
	if (port)
		k.server_port = port;
	if (ecs_flow_key_equal(&k, &f->key))
		return false;
	if (ecs_flow_find(e->flows, &k) || ecs_alias_find(e, &k) || !(m = ecs_flow_more(e, f))) {
		e->conf.counters->readdress_refused++;
		return false;
	}
	m->alias = k;
	m->aliased = true;
	ecs_chain_insert(&e->aliases, m);
	return true;
}

void ecs_alias_show(struct ecs_way *w)
{
	struct ecs_packet *p = w->own;

	if (!p || p->dir != ECS_DOWNLINK || !readdressed(w->f))
		return;
	p->src = w->f->key.server;
	if (p->frag != ECS_FRAG_LATER && (p->flow_proto == PROTO_TCP || p->flow_proto == PROTO_UDP))
		p->sport = w->f->key.server_port;
}

/* The first packet of a flow, from its subscriber. */
static bool opens(const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	const struct ecs_flow *f = w->f;

	if (p->dir != ECS_UPLINK || p->icmp_error || p->frag == ECS_FRAG_LATER ||
	    (p->flow_proto != PROTO_TCP && p->flow_proto != PROTO_UDP))
		return false;
	if (p->flow_proto == PROTO_TCP)
		return (p->tcp_flags & (ECS_TCP_SYN | ECS_TCP_ACK)) == ECS_TCP_SYN &&
		       f->pkts[ECS_DOWNLINK] == 0;
	return f->pkts[ECS_DOWNLINK] == 0 && f->pkts[ECS_UPLINK] == w->pkts;
}

/* The flow goes to the server of the action from here on. */
static bool begin(struct ecs_engine *e, struct ecs_way *w, const struct ecs_charging_action *a)
{
	if (!ecs_alias_add(e, w->f, &a->readdress, a->readdress_port))
		return false;
	w->f->more->stages |= ECS_STAGE_BIT(READDRESS);
	return true;
}

/* Whether the packet itself comes from the other server: an ICMP error may come from a router. */
static bool comes_from(const struct ecs_way *w, const struct ecs_addr *a)
{
	bool v4 = w->p->version == 4;

	return memcmp(w->raw->ip + (v4 ? 12 : 8), v4 ? a->b + 12 : a->b, v4 ? 4 : 16) == 0;
}

enum ecs_stage_did ecs_stage_readdress(struct ecs_engine *e, struct ecs_way *w,
                                       const struct ecs_charging_action *a)
{
	struct ecs_flow *f = w->f;
	const struct ecs_flow_key *k;
	bool up = w->p->dir == ECS_UPLINK;

	if (!f || !w->raw)
		return ECS_STAGE_PASSED;
	if (!readdressed(f) && (!a || a->flow_action != ECS_ACT_READDRESS || !opens(w) ||
	                        !begin(e, w, a)))
		return ECS_STAGE_PASSED;
	k = up ? &f->more->alias : &f->key;
	if (w->p->icmp_error) {
		/* it speaks of a packet of the other direction */
		ecs_rewrite_quoted(w->raw, w->p, up ? ECS_REWRITE_SRC : ECS_REWRITE_DST, &k->server,
		                   k->server_port);
		if (!up && !comes_from(w, &f->more->alias.server))
			return ECS_STAGE_ACTED;
	}
	ecs_rewrite_end(w->raw, w->p, up ? ECS_REWRITE_DST : ECS_REWRITE_SRC, &k->server,
	                k->server_port);
	return ECS_STAGE_ACTED;
}
