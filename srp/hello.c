#include "config.h"
#include "srp/hello.h"

#include "srp/err.h"
#include "srp/message.h"

#define HELLO_FIELDS    20u
#define INSTANCE_FIELDS 7u

enum { F_HANDED = 0x01, F_UNFIT = 0x02, F_STALE = 0x04 };

static int check(const struct srp_hello *h)
{
	if (h->ver_min == 0 || h->ver_min > h->ver_max || h->ver_max > UINT16_MAX)
		return SRP_ERANGE;
	if (!srp_message_printable(h->name))
		return SRP_EFORMAT;
	if (h->incarnation == 0 || (unsigned)h->role >= SRP_ROLE__N ||
	    (h->handed && h->role != SRP_ROLE_PENDING_STANDBY))
		return SRP_ERANGE;
	if (h->highest > SRP_TERM_NUMBER_MAX || srp_term_number(h->term) > h->highest)
		return SRP_ERANGE;
	if ((unsigned)h->mode > SRP_MODE_PRIMARY || h->priority == 0 || h->bit > 1)
		return SRP_ERANGE;
	if (h->hello_ms == 0 || h->hello_ms > SRP_INTERVAL_MS_MAX || h->dead_ms == 0 ||
	    h->dead_ms > SRP_INTERVAL_MS_MAX)
		return SRP_ERANGE;
	return h->ninstances == 0 || h->ninstances > SRP_HELLO_INSTANCES_MAX ? SRP_ERANGE : 0;
}

static void put_addrs(struct srp_mp_w *w, const struct srp_hello *h)
{
	srp_mp_w_array(w, SRP_SIDE__N);
	for (int i = 0; i < SRP_SIDE__N; i++) {
		const struct srp_hello_addr *a = &h->addr[i];

		srp_mp_w_array(w, 2);
		srp_mp_w_bin(w, a->v4, a->has4 ? 4 : 0);
		srp_mp_w_bin(w, a->v6, a->has6 ? 16 : 0);
	}
}

static void put_instances(struct srp_mp_w *w, const struct srp_hello *h)
{
	srp_mp_w_array(w, h->ninstances);
	for (uint32_t i = 0; i < h->ninstances; i++) {
		const struct srp_hello_instance *n = &h->instance[i];

		srp_mp_w_array(w, INSTANCE_FIELDS);
		srp_mp_w_bool(w, n->complete);
		srp_mp_w_uint(w, n->link);
		srp_mp_w_uint(w, n->sessions);
		srp_mp_w_uint(w, n->backlog.objects);
		srp_mp_w_uint(w, n->backlog.bytes);
		srp_mp_w_uint(w, n->backlog.octets);
		srp_mp_w_uint(w, n->backlog.charged);
	}
}

int srp_hello_encode(const struct srp_hello *h, void *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);
	unsigned flags = (h->handed ? F_HANDED : 0) | (h->unfit ? F_UNFIT : 0) |
	                 (h->stale ? F_STALE : 0);

	if (check(h) != 0)
		return SRP_EINVAL;
	srp_mp_w_array(&w, HELLO_FIELDS);
	srp_mp_w_uint(&w, h->ver_min);
	srp_mp_w_uint(&w, h->ver_max);
	srp_mp_w_str(&w, h->name);
	srp_mp_w_uint(&w, h->incarnation);
	srp_mp_w_uint(&w, h->role);
	srp_mp_w_uint(&w, flags);
	srp_mp_w_uint(&w, h->term);
	srp_mp_w_uint(&w, h->highest);
	srp_mp_w_uint(&w, h->mode);
	srp_mp_w_uint(&w, h->priority);
	srp_mp_w_bin(&w, h->mac, sizeof(h->mac));
	srp_mp_w_uint(&w, h->bit);
	srp_mp_w_uint(&w, h->route_modifier);
	srp_mp_w_uint(&w, h->config_digest);
	srp_mp_w_uint(&w, h->hello_ms);
	srp_mp_w_uint(&w, h->dead_ms);
	srp_mp_w_uint(&w, h->caps);
	srp_mp_w_uint(&w, h->wall_us);
	put_addrs(&w, h);
	put_instances(&w, h);
	return srp_message_done(&w);
}

/* An address of exactly @p len bytes, or an empty one. */
static bool get_addr(struct srp_mp_r *r, uint8_t *out, size_t len)
{
	size_t n;
	const uint8_t *p = srp_mp_bin(r, 0, len, &n);

	if (!p || n == 0)
		return false;
	if (n != len) {
		srp_mp_fail(r, SRP_ERANGE);
		return false;
	}
	memcpy(out, p, len);
	return true;
}

static void get_addrs(struct srp_mp_r *r, struct srp_hello *h)
{
	uint32_t more = srp_message_open(r, SRP_SIDE__N);

	for (int i = 0; i < SRP_SIDE__N; i++) {
		struct srp_hello_addr *a = &h->addr[i];
		uint32_t inner = srp_message_open(r, 2);

		a->has4 = get_addr(r, a->v4, sizeof(a->v4));
		a->has6 = get_addr(r, a->v6, sizeof(a->v6));
		srp_message_close(r, inner);
	}
	srp_message_close(r, more);
}

static void get_instances(struct srp_mp_r *r, struct srp_hello *h)
{
	h->ninstances = srp_mp_array(r, SRP_HELLO_INSTANCES_MAX);
	for (uint32_t i = 0; i < h->ninstances && !r->err; i++) {
		struct srp_hello_instance *n = &h->instance[i];
		uint32_t more = srp_message_open(r, INSTANCE_FIELDS);

		n->complete = srp_mp_bool(r);
		n->link = (uint8_t)srp_mp_uint(r, UINT8_MAX);
		n->sessions = srp_mp_uint(r, UINT64_MAX);
		n->backlog.objects = srp_mp_uint(r, UINT64_MAX);
		n->backlog.bytes = srp_mp_uint(r, UINT64_MAX);
		n->backlog.octets = srp_mp_uint(r, UINT64_MAX);
		n->backlog.charged = srp_mp_uint(r, UINT64_MAX);
		srp_message_close(r, more);
	}
}

int srp_hello_decode(const void *body, size_t len, struct srp_hello *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	struct srp_hello h = {0};
	uint32_t more = srp_message_open(&r, HELLO_FIELDS);
	uint64_t flags;
	const uint8_t *mac;
	size_t n;
	int err;

	h.ver_min = (uint32_t)srp_mp_uint(&r, UINT16_MAX);
	h.ver_max = (uint32_t)srp_mp_uint(&r, UINT16_MAX);
	srp_message_text(&r, h.name, sizeof(h.name));
	h.incarnation = srp_mp_uint(&r, UINT64_MAX);
	h.role = (enum srp_role)srp_mp_uint(&r, SRP_ROLE__N - 1);
	flags = srp_mp_uint(&r, UINT32_MAX);
	h.handed = flags & F_HANDED;
	h.unfit = flags & F_UNFIT;
	h.stale = flags & F_STALE;
	h.term = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	h.highest = (uint32_t)srp_mp_uint(&r, SRP_TERM_NUMBER_MAX);
	h.mode = (enum srp_mode)srp_mp_uint(&r, SRP_MODE_PRIMARY);
	h.priority = (uint8_t)srp_mp_uint(&r, UINT8_MAX);
	mac = srp_mp_bin(&r, sizeof(h.mac), sizeof(h.mac), &n);
	if (mac)
		memcpy(h.mac, mac, sizeof(h.mac));
	h.bit = (uint8_t)srp_mp_uint(&r, 1);
	h.route_modifier = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	h.config_digest = srp_mp_uint(&r, UINT64_MAX);
	h.hello_ms = (uint32_t)srp_mp_uint(&r, SRP_INTERVAL_MS_MAX);
	h.dead_ms = (uint32_t)srp_mp_uint(&r, SRP_INTERVAL_MS_MAX);
	h.caps = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	h.wall_us = srp_mp_uint(&r, UINT64_MAX);
	get_addrs(&r, &h);
	get_instances(&r, &h);
	srp_message_close(&r, more);
	err = srp_mp_finish(&r);
	if (err == 0)
		err = check(&h);
	if (err == 0)
		*out = h;
	return err;
}

int srp_hello_agree(const struct srp_hello *me, const struct srp_hello *peer, uint32_t *version)
{
	uint32_t lo = me->ver_min > peer->ver_min ? me->ver_min : peer->ver_min;
	uint32_t hi = me->ver_max < peer->ver_max ? me->ver_max : peer->ver_max;

	if (lo > hi)
		return SRP_EVERSION;
	if (me->ninstances != peer->ninstances)
		return SRP_EMISMATCH;
	if (me->bit == peer->bit || me->incarnation == peer->incarnation)
		return SRP_EDUP;
	*version = hi;
	return SRP_OK;
}

struct srp_candidate srp_hello_candidate(const struct srp_hello *h)
{
	struct srp_candidate c = {
		.role = h->role, .handed = h->handed, .unfit = h->unfit, .stale = h->stale,
		.term = h->term, .mode = h->mode, .priority = h->priority,
		.route_modifier = h->route_modifier, .bit = h->bit};

	memcpy(c.mac, h->mac, sizeof(c.mac));
	for (uint32_t i = 0; i < h->ninstances; i++)
		c.complete += h->instance[i].complete;
	return c;
}
