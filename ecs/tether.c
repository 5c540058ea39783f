/* tether: whether a flow is of a device behind the subscriber's: by the TTL of its packets, and by how
 * its SYN was made.
 *
 * By the TTL a flow is judged once, by its first uplink packet. A recovered flow is judged anew, by its
 * first packet: if that is uplink it is taken as tethered, or with `recovered-flows check-ttl` by its
 * TTL; if it is downlink it is not. A SYN is looked at whenever there is one, of a recovered flow, too
 * (flow-recovery, Feature Interaction). */
#include "config.h"
#include "ecs/content.h"

#include <string.h>

#define TCP_HDR 20u

bool ecs_tether_of(const struct ecs_service *s, int rulebase)
{
	const struct ecs_rulebase_conf *c = ecs_service_rulebase_conf(s, rulebase);

	return c && (c->tether_os || c->tether_ttl[0] || c->tether_ttl[1] || c->tether_ttl[2] ||
	             c->tether_ttl[3]);
}

/* As on the link of the subscribers. */
static uint8_t ttl_of(const struct ecs_engine *e, const struct ecs_packet *p)
{
	unsigned ttl = p->data[p->version == 4 ? 8 : 7] + (unsigned)e->conf.hops;

	return ttl < 255 ? (uint8_t)ttl : 255;
}

/* --- the TTL ---------------------------------------------------------------------------------- */

static bool by_ttl(struct ecs_engine *e, struct ecs_way *w, const struct ecs_rulebase_conf *c,
                   bool recovered)
{
	struct ecs_flow *f = w->f;
	uint8_t ttl = ttl_of(e, w->p);
	bool listed = c->tether_ttl[ttl / 64] >> ttl % 64 & 1;

	if (f->tether_judged || !(c->tether_ttl[0] | c->tether_ttl[1] | c->tether_ttl[2] |
	                          c->tether_ttl[3]))
		return false;
	if (w->p->dir != ECS_UPLINK) {
		f->tether_judged = recovered;
		return false;
	}
	f->tether_judged = true;
	if (recovered && !c->tether_check) {
		e->conf.counters->tether_recovered++;
		return true;
	}
	e->conf.counters->tether_ttl += listed;
	return listed;
}

/* --- the SYN ---------------------------------------------------------------------------------- */

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The options of a SYN; false: they are not whole. */
static bool read_options(const uint8_t *o, size_t n, struct ecs_syn *y)
{
	size_t k = 0;

	for (size_t i = 0, len; i < n; i += len) {
		char c = '?';

		len = o[i] <= 1 ? 1 : i + 1 < n ? o[i + 1] : 0;
		if (!len || (o[i] > 1 && len < 2) || i + len > n || k + 1 >= sizeof(y->options))
			return false;
		if (o[i] == 0) {
			y->options[k++] = 'E';
			break;
		}
		if (o[i] == 1)
			c = 'N';
		if (o[i] == 2 && len == 4) {
			c = 'M';
			y->mss = (uint16_t)be16(o + i + 2);
		}
		if (o[i] == 3 && len == 3) {
			c = 'W';
			y->has_scale = true;
			y->scale = o[i + 2];
		}
		if (o[i] == 4 && len == 2)
			c = 'S';
		if (o[i] == 8 && len == 10)
			c = 'T';
		y->options[k++] = c;
	}
	return true;
}

static bool read_syn(const struct ecs_engine *e, const struct ecs_packet *p, struct ecs_syn *y)
{
	const uint8_t *t = p->data + p->l4;
	size_t hdr;

	if (p->frag != ECS_FRAG_NONE || p->cap < p->l4 + TCP_HDR)
		return false;
	hdr = (size_t)(t[12] >> 4) * 4;
	if (hdr < TCP_HDR || p->cap < p->l4 + hdr)
		return false;
	memset(y, 0, sizeof(*y));
	y->ttl = ttl_of(e, p);
	y->window = (uint16_t)be16(t + 14);
	y->df = p->version == 4 && (p->data[6] & 0x40);
	return read_options(t + TCP_HDR, hdr - TCP_HDR, y);
}

static bool by_syn(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	struct ecs_syn y;

	if (p->dir != ECS_UPLINK || w->f->key.proto != 6 || p->frag != ECS_FRAG_NONE ||
	    (p->tcp_flags & (ECS_TCP_SYN | ECS_TCP_ACK | ECS_TCP_RST)) != ECS_TCP_SYN ||
	    !read_syn(e, p, &y) || !ecs_db_os(ecs_service_db(e->conf.service, ECS_DB_OS), &y))
		return false;
	e->conf.counters->tether_os++;
	return true;
}

static bool by_l7(const struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

	return r && r->line != ECS_LINE_NONE && !ecs_service_line(e->conf.service, r->line)->l34;
}

void ecs_tether_look(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_rulebase_conf *c = ecs_service_rulebase_conf(e->conf.service, w->s->rulebase);
	struct ecs_flow *f = w->f;
	bool recovered = ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH);
	bool found;

	if (!c || w->p->icmp_error)
		return;
	found = by_ttl(e, w, c, recovered);
	if (c->tether_os && by_syn(e, w))
		found = true;
	if (!found || f->tethered)
		return;
	f->tethered = true;
	e->conf.counters->tethered_flows++;
	/* rules may say otherwise now, but for what analyzers said before they went */
	if (!recovered && (f->analysis || !by_l7(e, f)))
		f->flags &= (uint16_t)~ECS_FLOW_F_FINAL;
}
