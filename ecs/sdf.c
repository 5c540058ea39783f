#include "config.h"
#include "ecs/sdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

#define WORDS_MAX 12
#define V4_BITS   96u

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmpv6", 58}};
#define PROTOS_N (sizeof(protos) / sizeof(protos[0]))

/* --- matching --------------------------------------------------------------------------------- */

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

static bool addr_in(const struct ecs_sdf *f, const struct ecs_addr *a)
{
	size_t whole = f->prefix / 8u;
	unsigned rest = f->prefix % 8u;

	if (f->prefix == ECS_SDF_ANY)
		return true;
	if (ecs_addr_is4(a) != ecs_addr_is4(&f->addr) || memcmp(a->b, f->addr.b, whole) != 0)
		return false;
	return !rest || ((a->b[whole] ^ f->addr.b[whole]) >> (8u - rest)) == 0;
}

static bool looks_at_ports(const struct ecs_sdf *f)
{
	return f->local_lo || f->remote_lo || f->local_hi != UINT16_MAX ||
	       f->remote_hi != UINT16_MAX;
}

bool ecs_sdf_match(const struct ecs_sdf *f, const struct ecs_flow_key *k, enum ecs_dir dir)
{
	if (!(f->dirs & (dir == ECS_UPLINK ? ECS_SDF_UP : ECS_SDF_DOWN)))
		return false;
	if ((f->has_proto && f->proto != k->proto) || !addr_in(f, &k->server))
		return false;
	if (!looks_at_ports(f))
		return true;
	return has_ports(k->proto) && k->subscriber_port >= f->local_lo &&
	       k->subscriber_port <= f->local_hi && k->server_port >= f->remote_lo &&
	       k->server_port <= f->remote_hi;
}

bool ecs_sdfs_match(const struct ecs_sdfs *f, const struct ecs_flow_key *k, enum ecs_dir dir)
{
	for (unsigned i = 0; i < f->n; i++)
		if (ecs_sdf_match(&f->v[i], k, dir))
			return true;
	return false;
}

/* --- text ------------------------------------------------------------------------------------- */

/* The words of one filter, one after the other. */
struct words {
	char store[ECS_SDF_TEXT_MAX];
	const char *v[WORDS_MAX];
	size_t n, at;
	char *why;
	size_t cap;
};

static int refuse(struct words *w, int code, const char *expected)
{
	(void)snprintf(w->why, w->cap, "expected %s, not %s", expected,
	               w->at < w->n ? w->v[w->at] : "the end of a filter");
	return code;
}

static bool take(struct words *w, const char *word)
{
	if (w->at >= w->n || strcmp(w->v[w->at], word) != 0)
		return false;
	w->at++;
	return true;
}

/* A decimal number at @p s up to @p end; false: it is none, or above @p max. */
static bool number(const char *s, const char *end, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (s == end)
		return false;
	for (; s < end; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint32_t)(*s - '0');
		if (v > max)
			return false;
	}
	*out = v;
	return true;
}

static bool take_number(struct words *w, uint32_t max, uint32_t *out)
{
	const char *s = w->at < w->n ? w->v[w->at] : "";

	if (!number(s, s + strlen(s), max, out))
		return false;
	w->at++;
	return true;
}

static bool take_range(struct words *w, uint16_t *lo, uint16_t *hi)
{
	const char *s = w->at < w->n ? w->v[w->at] : "", *dash = strchr(s, '-');
	uint32_t a, b;

	if (!number(s, dash ? dash : s + strlen(s), UINT16_MAX, &a))
		return false;
	b = a;
	if (dash && !number(dash + 1, dash + strlen(dash), UINT16_MAX, &b))
		return false;
	if (b < a)
		return false;
	*lo = (uint16_t)a;
	*hi = (uint16_t)b;
	w->at++;
	return true;
}

static bool take_proto(struct words *w, struct ecs_sdf *f)
{
	uint32_t n;

	if (take(w, "ip"))
		return true;
	f->has_proto = true;
	for (size_t i = 0; i < PROTOS_N; i++)
		if (take(w, protos[i].name)) {
			f->proto = protos[i].proto;
			return true;
		}
	if (!take_number(w, UINT8_MAX, &n))
		return false;
	f->proto = (uint8_t)n;
	return true;
}

/* Clears the host bits. */
static void mask(struct ecs_sdf *f)
{
	for (unsigned i = 0; i < 128; i++)
		if (i >= f->prefix)
			f->addr.b[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
}

static bool take_addr(struct words *w, struct ecs_sdf *f)
{
	char text[64];
	const char *s = w->at < w->n ? w->v[w->at] : "", *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	uint32_t len;
	bool v4;

	if (take(w, "any"))
		return true;
	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (ecs_addr_parse(text, &f->addr) != 0)
		return false;
	v4 = ecs_addr_is4(&f->addr);
	len = v4 ? 32 : 128;
	if (slash && !number(slash + 1, slash + strlen(slash), len, &len))
		return false;
	f->prefix = (uint8_t)(v4 ? len + V4_BITS : len);
	mask(f);
	w->at++;
	return true;
}

static int read_one(struct words *w, struct ecs_sdf *f)
{
	uint32_t n;

	*f = (struct ecs_sdf){.dirs = ECS_SDF_BOTH, .prefix = ECS_SDF_ANY,
	                         .precedence = UINT8_MAX, .local_hi = UINT16_MAX,
	                         .remote_hi = UINT16_MAX};
	if (take(w, "uplink"))
		f->dirs = ECS_SDF_UP;
	else if (take(w, "downlink"))
		f->dirs = ECS_SDF_DOWN;
	else
		(void)take(w, "both");
	if (take(w, "precedence")) {
		if (!take_number(w, UINT8_MAX, &n))
			return refuse(w, SRP_ERANGE, "a precedence from 0 to 255");
		f->precedence = (uint8_t)n;
	}
	if (!take_proto(w, f))
		return refuse(w, SRP_EINVAL, "ip, tcp, udp, icmp, icmpv6 or 0 to 255");
	if (!take_addr(w, f))
		return refuse(w, SRP_EINVAL, "any or an address of the server");
	if (take(w, "port") && !take_range(w, &f->remote_lo, &f->remote_hi))
		return refuse(w, SRP_ERANGE, "a port or a range of them");
	if (take(w, "local") && !take_range(w, &f->local_lo, &f->local_hi))
		return refuse(w, SRP_ERANGE, "a port or a range of them");
	if (w->at < w->n)
		return refuse(w, SRP_EINVAL, "port, local or the end of the filter");
	if (f->has_proto && looks_at_ports(f) && !has_ports(f->proto))
		return refuse(w, SRP_EINVAL, "tcp, udp or ip where there are ports");
	return 0;
}

/* Cuts one filter into words; false: too long. */
static bool cut(struct words *w, const char *s, size_t n)
{
	char *p = w->store;

	w->n = w->at = 0;
	if (n >= sizeof(w->store))
		return false;
	memcpy(w->store, s, n);
	w->store[n] = '\0';
	for (;;) {
		p += strspn(p, " \t");
		if (!*p)
			return true;
		if (w->n == WORDS_MAX)
			return false;
		w->v[w->n++] = p;
		p += strcspn(p, " \t");
		if (*p)
			*p++ = '\0';
	}
}

int ecs_sdfs_parse(const char *text, struct ecs_sdfs *out, char *why, size_t cap)
{
	struct ecs_sdfs f = {0};
	struct words w = {.why = why, .cap = cap};

	for (;;) {
		size_t n = strcspn(text, ";");
		int rc;

		if (!cut(&w, text, n))
			return refuse(&w, SRP_EINVAL, "a shorter filter");
		if (f.n == ECS_SDFS_MAX)
			return refuse(&w, SRP_EFULL, "at most 16 filters");
		rc = read_one(&w, &f.v[f.n]);
		if (rc)
			return rc;
		f.n++;
		if (!text[n])
			break;
		text += n + 1;
	}
	*out = f;
	return 0;
}

static void put_range(char *out, size_t cap, const char *word, uint16_t lo, uint16_t hi)
{
	out[0] = '\0';
	if (lo == 0 && hi == UINT16_MAX)
		return;
	if (lo == hi)
		(void)snprintf(out, cap, " %s %u", word, lo);
	else
		(void)snprintf(out, cap, " %s %u-%u", word, lo, hi);
}

static void put_one(const struct ecs_sdf *f, char *out, size_t cap)
{
	static const char *const dirs[] = {"", "uplink ", "downlink ", ""};
	char proto[8] = "ip", addr[64] = "any", prec[24] = "", port[24], local[24];

	if (f->has_proto)
		(void)snprintf(proto, sizeof(proto), "%u", f->proto);
	for (size_t i = 0; f->has_proto && i < PROTOS_N; i++)
		if (protos[i].proto == f->proto)
			(void)snprintf(proto, sizeof(proto), "%s", protos[i].name);
	if (f->prefix != ECS_SDF_ANY) {
		size_t n = strlen(ecs_addr_text(&f->addr, addr, 48));

		(void)snprintf(addr + n, sizeof(addr) - n, "/%u",
		               f->prefix - (ecs_addr_is4(&f->addr) ? V4_BITS : 0u));
	}
	if (f->precedence != UINT8_MAX)
		(void)snprintf(prec, sizeof(prec), "precedence %u ", f->precedence);
	put_range(port, sizeof(port), "port", f->remote_lo, f->remote_hi);
	put_range(local, sizeof(local), "local", f->local_lo, f->local_hi);
	(void)snprintf(out, cap, "%s%s%s %s%s%s", dirs[f->dirs & ECS_SDF_BOTH], prec, proto,
	               addr, port, local);
}

const char *ecs_sdfs_text(const struct ecs_sdfs *f, char *out, size_t cap)
{
	size_t n = 0;

	if (cap)
		out[0] = '\0';
	for (unsigned i = 0; i < f->n && n < cap; i++) {
		char one[ECS_SDF_TEXT_MAX];

		put_one(&f->v[i], one, sizeof(one));
		n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? "; " : "", one);
	}
	return out;
}

/* --- records ---------------------------------------------------------------------------------- */

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

size_t ecs_sdfs_put(const struct ecs_sdfs *f, uint8_t *out)
{
	uint8_t *p = out;

	for (unsigned i = 0; i < f->n; i++) {
		const struct ecs_sdf *v = &f->v[i];

		*p++ = (uint8_t)(v->dirs | (v->has_proto ? 0x4u : 0u));
		*p++ = v->precedence;
		*p++ = v->proto;
		*p++ = v->prefix;
		memcpy(p, v->addr.b, sizeof(v->addr.b));
		p += sizeof(v->addr.b);
		p = put16(p, v->local_lo);
		p = put16(p, v->local_hi);
		p = put16(p, v->remote_lo);
		p = put16(p, v->remote_hi);
	}
	return (size_t)(p - out);
}

static bool get_one(const uint8_t *p, struct ecs_sdf *v)
{
	struct ecs_sdf f = {.dirs = p[0] & ECS_SDF_BOTH, .has_proto = p[0] & 0x4u,
	                       .precedence = p[1], .proto = p[2], .prefix = p[3],
	                       .local_lo = get16(p + 20), .local_hi = get16(p + 22),
	                       .remote_lo = get16(p + 24), .remote_hi = get16(p + 26)};
	struct ecs_addr whole;

	memcpy(f.addr.b, p + 4, sizeof(f.addr.b));
	whole = f.addr;
	if (p[0] > 0x7u || !f.dirs || (!f.has_proto && f.proto) ||
	    f.local_lo > f.local_hi || f.remote_lo > f.remote_hi)
		return false;
	if (f.prefix == ECS_SDF_ANY) {
		f.addr = (struct ecs_addr){{0}};
	} else {
		if (f.prefix > 128 || (ecs_addr_is4(&f.addr) && f.prefix < V4_BITS))
			return false;
		mask(&f);
	}
	*v = f;
	return memcmp(&whole, &f.addr, sizeof(whole)) == 0;
}

bool ecs_sdfs_get(const uint8_t *p, size_t len, struct ecs_sdfs *out)
{
	struct ecs_sdfs f = {0};

	if (len % ECS_SDF_LEN || len / ECS_SDF_LEN > ECS_SDFS_MAX)
		return false;
	for (; f.n < len / ECS_SDF_LEN; f.n++)
		if (!get_one(p + f.n * ECS_SDF_LEN, &f.v[f.n]))
			return false;
	*out = f;
	return true;
}
