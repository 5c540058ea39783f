/* eval: what a condition, a rule, a line says of a packet, by what is known of it. */
#include "config.h"
#include "ecs/rule/match_impl.h"

#include <string.h>

#include "ecs/app.h"

#define TCP    6
#define UDP    17
#define ICMP   1
#define ICMPV6 58

/* --- values of fields ------------------------------------------------------------------------- */

const char *ecs_field_string(const struct ecs_match_in *in, unsigned field)
{
	const struct ecs_l7 *l7 = in->l7;

	switch (field) {
	case ECS_F_IP_NAME:
		return in->server_name;
	case ECS_F_BEARER_APN:
		return in->apn && in->apn[0] ? in->apn : NULL;
	case ECS_F_BEARER_IMSI:
		return in->imsi && in->imsi[0] ? in->imsi : NULL;
	default:
		break;
	}
	if (!l7)
		return NULL;
	switch (field) {
	case ECS_F_HTTP_HOST:
	case ECS_F_WWW_HOST:
		return l7->http_host;
	case ECS_F_HTTP_DOMAIN:
	case ECS_F_WWW_DOMAIN:
		return l7->http_domain;
	case ECS_F_HTTP_URL:
	case ECS_F_WWW_URL:
		return l7->http_url;
	case ECS_F_HTTP_URI:
		return l7->http_uri;
	case ECS_F_HTTP_UA:
		return l7->http_user_agent;
	case ECS_F_HTTP_TYPE:
		return l7->http_type;
	case ECS_F_TLS_SNI:
	case ECS_F_P2P_TLS:
		return l7->tls_sni;
	case ECS_F_P2P_QUIC:
		return l7->quic_sni;
	case ECS_F_DNS_QUERY:
		return l7->dns_query;
	default:
		return NULL;
	}
}

uint16_t ecs_field_number(const struct ecs_match_in *in, unsigned field)
{
	const struct ecs_l7 *l7 = in->l7;

	switch (field) {
	case ECS_F_BEARER_RAT:
		return in->rat;
	case ECS_F_HTTP_METHOD:
		return l7->http_method;
	case ECS_F_HTTP_CODE:
		return l7->http_code;
	case ECS_F_P2P_TRAFFIC:
		return ecs_app_traffic(l7->app, l7->app_master, l7->final);
	case ECS_F_P2P_BEHAVIOR:
		return ecs_app_behavior(l7->app, l7->app_master);
	default:
		return 0;
	}
}

/* --- one condition ---------------------------------------------------------------------------- */

static enum verdict known(bool match)
{
	return match ? YES : NO;
}

static enum verdict in_range(const struct cond *c, uint16_t v)
{
	return known((v >= c->lo && v <= c->hi) != c->neg);
}

static enum verdict either(const struct cond *c, uint16_t a, uint16_t b)
{
	bool hit = (a >= c->lo && a <= c->hi) || (b >= c->lo && b <= c->hi);

	return known(hit != c->neg);
}

static enum verdict in_pool(const struct cond *c, bool hit)
{
	return known(c->in && hit != c->neg);
}

static enum verdict port(const struct cond *c, uint16_t v)
{
	const struct ecs_addr a = ecs_port_addr(v);

	return c->pool ? in_pool(c, c->in && ecs_hosts_has(c->in, &a, false)) : in_range(c, v);
}

static enum verdict either_port(const struct cond *c, uint16_t v, uint16_t w)
{
	const struct ecs_addr a = ecs_port_addr(v), b = ecs_port_addr(w);

	if (!c->pool)
		return either(c, v, w);
	return in_pool(c, c->in && (ecs_hosts_has(c->in, &a, false) ||
	                            ecs_hosts_has(c->in, &b, false)));
}

static enum verdict addr(const struct cond *c, const struct ecs_addr *a)
{
	bool is4 = ecs_addr_is4(a);

	if (c->pool)
		return in_pool(c, c->in && ecs_hosts_has(c->in, a, is4));
	return known((is4 == c->v4 && memcmp(a, &c->alo, sizeof(*a)) >= 0 &&
	              memcmp(a, &c->ahi, sizeof(*a)) <= 0) != c->neg);
}

static enum verdict imsi(const struct cond *c, const char *text)
{
	struct ecs_addr a;

	return text && ecs_imsi_addr(text, &a) ? in_pool(c, c->in && ecs_hosts_has(c->in, &a, false)) : NO;
}

static bool has_ports(const struct ecs_packet *p, uint8_t proto)
{
	return p->proto == proto && p->frag != ECS_FRAG_LATER;
}

static bool is_icmp(const struct ecs_packet *p)
{
	return p->proto == ICMP || p->proto == ICMPV6;
}

/** Whether what a boolean field of L7 asks for was seen. */
static bool seen(const struct ecs_l7 *l7, unsigned field)
{
	switch (field) {
	case ECS_F_HTTPS_ANY:
		return l7->tls;
	case ECS_F_DNS_ANY:
		return l7->dns_query;
	case ECS_F_RTSP_ANY:
		return l7->rtsp;
	case ECS_F_RTP_ANY:
		return l7->media;
	default:
		return l7->http_host || l7->http_url || l7->http_user_agent;
	}
}

/** Whether nothing more will be known of a field. */
static bool is_final(const struct ecs_l7 *l7, unsigned field)
{
	return l7->final || (l7->mute & ecs_fields[field].who);
}

/** @p final: nothing more will be known of the field. */
static enum verdict string_cond(const struct call *k, const struct cond *c, bool final)
{
	const struct hits *h = &k->m->hits[c->column];
	bool there = ecs_fields[c->field].type == T_KEYSTR ? h->call == k->m->call
	                                                   : ecs_field_string(k->in, c->field) != NULL;

	if (!there) /* absent: only !present can match */
		return final ? known(c->op == ECS_OP_NPRESENT) : MAYBE;
	if (c->op == ECS_OP_PRESENT || c->op == ECS_OP_NPRESENT)
		return known(c->want);
	return known((h->bits[c->pattern / 64] >> (c->pattern % 64) & 1) != c->neg);
}

static enum verdict l7_cond(const struct call *k, const struct cond *c)
{
	const struct ecs_l7 *l7 = k->in->l7;
	uint16_t v;

	if (!l7)
		return NO;
	switch (ecs_fields[c->field].type) {
	case T_BOOL:
		return seen(l7, c->field) || is_final(l7, c->field)
		               ? known(seen(l7, c->field) == c->want)
		               : MAYBE;
	case T_APP:
		if ((l7->app && l7->app == c->lo) || (l7->app_master && l7->app_master == c->lo))
			return YES;
		return l7->final ? NO : MAYBE; /* nDPI may still refine what it has said */
	case T_CODE:
	case T_ENUM:
		v = ecs_field_number(k->in, c->field);
		if (ecs_fields[c->field].reads_app && !l7->final)
			return v && !c->neg && v == c->lo ? YES : MAYBE;
		return v ? in_range(c, v) : is_final(l7, c->field) ? NO : MAYBE;
	default:
		return string_cond(k, c, is_final(l7, c->field));
	}
}

static enum verdict cond_eval(const struct call *k, const struct cond *c)
{
	const struct ecs_packet *p = k->in->pkt;
	bool up = p->dir == ECS_UPLINK;

	switch ((enum ecs_field)c->field) {
	case ECS_F_IP_ANY:
		return known(c->want);
	case ECS_F_IP_SRC:
		return addr(c, &p->src);
	case ECS_F_IP_DST:
		return addr(c, &p->dst);
	case ECS_F_IP_SERVER:
		return addr(c, up ? &p->dst : &p->src);
	case ECS_F_IP_SUBSCRIBER:
		return addr(c, up ? &p->src : &p->dst);
	case ECS_F_IP_PROTOCOL:
		return in_range(c, p->proto);
	case ECS_F_IP_VERSION:
		return in_range(c, p->version);
	case ECS_F_IP_UPLINK:
		return known(up == c->want);
	case ECS_F_IP_DOWNLINK:
		return known(!up == c->want);
	case ECS_F_TCP_ANY:
		return known((p->proto == TCP) == c->want);
	case ECS_F_TCP_SPORT:
		return has_ports(p, TCP) ? port(c, p->sport) : NO;
	case ECS_F_TCP_DPORT:
		return has_ports(p, TCP) ? port(c, p->dport) : NO;
	case ECS_F_TCP_EPORT:
		return has_ports(p, TCP) ? either_port(c, p->sport, p->dport) : NO;
	case ECS_F_TCP_STATE:
		return p->proto == TCP && k->in->tcp_state ? in_range(c, k->in->tcp_state) : NO;
	case ECS_F_UDP_ANY:
		return known((p->proto == UDP) == c->want);
	case ECS_F_UDP_SPORT:
		return has_ports(p, UDP) ? port(c, p->sport) : NO;
	case ECS_F_UDP_DPORT:
		return has_ports(p, UDP) ? port(c, p->dport) : NO;
	case ECS_F_UDP_EPORT:
		return has_ports(p, UDP) ? either_port(c, p->sport, p->dport) : NO;
	case ECS_F_ICMP_ANY:
		return known(is_icmp(p) == c->want);
	case ECS_F_ICMP_TYPE:
		return is_icmp(p) && p->frag != ECS_FRAG_LATER ? in_range(c, p->icmp_type) : NO;
	case ECS_F_ICMP_CODE:
		return is_icmp(p) && p->frag != ECS_FRAG_LATER ? in_range(c, p->icmp_code) : NO;
	case ECS_F_IP_NAME:
	case ECS_F_BEARER_APN:
	case ECS_F_BEARER_IMSI:
		return c->pool ? imsi(c, k->in->imsi) : string_cond(k, c, true);
	case ECS_F_BEARER_RAT:
		return k->in->rat ? in_range(c, k->in->rat) : NO;
	case ECS_F_TETHERED:
		return known(k->in->tethered == c->want);
	default:
		return l7_cond(k, c);
	}
}

/* --- rules and lines -------------------------------------------------------------------------- */

static enum verdict rule_eval(const struct call *k, struct rule r)
{
	enum verdict stop = r.any ? YES : NO, v = r.any || !r.n ? NO : YES;

	for (size_t i = 0; i < r.n; i++) {
		enum verdict t = cond_eval(k, &r.conds[i]);

		if (t == stop)
			return t;
		if (t == MAYBE)
			v = MAYBE;
	}
	return v;
}

enum verdict ecs_eval_line(const struct call *k, uint16_t line)
{
	const struct ecs_service *s = k->m->s;
	const struct group *g;
	enum verdict v = NO;

	if (k->m->rules[line].conds)
		return rule_eval(k, k->m->rules[line]);
	g = (const struct group *)(const void *)s->groups.v[s->lines[line].stats - s->ruledefs.n];
	for (size_t i = 0; i < g->n; i++) {
		const struct ruledef *r = g->members[i].rule;
		enum verdict t = r ? rule_eval(k, rule_of(r)) : NO;

		if (t > v)
			v = t;
		if (v == YES)
			break;
	}
	return v;
}
