#include "config.h"
#include "ecs/rule/value.h"

#include <stdio.h>
#include <string.h>

#include "ecs/app.h"

#define OP(sym) (1u << ECS_OP_##sym)
#define STRING_OPS                                                                                \
	(OP(EQ) | OP(NE) | OP(CONTAINS) | OP(NCONTAINS) | OP(STARTS) | OP(NSTARTS) | OP(ENDS) |    \
	 OP(NENDS) | OP(REGEX) | OP(PRESENT) | OP(NPRESENT))

#define READS_APP_none    false
#define READS_APP_http    false
#define READS_APP_rtsp    false
#define READS_APP_headers false
#define READS_APP_reply   false
#define READS_APP_tls     false
#define READS_APP_quic    false
#define READS_APP_dns     false
#define READS_APP_names   false
#define READS_APP_app     true

#define WHO_none    0
#define WHO_http    ECS_WHO_HTTP
#define WHO_rtsp    0
#define WHO_headers ECS_WHO_HTTP
#define WHO_reply   ECS_WHO_REPLY
#define WHO_tls     ECS_WHO_TLS
#define WHO_quic    ECS_WHO_QUIC
#define WHO_dns     ECS_WHO_DNS
#define WHO_names   0
#define WHO_app     0

const struct ecs_field_row ecs_fields[ECS_F__N] = {
#define ECS_FIELD(sym, words, type, layer, reads, help) \
	[ECS_F_##sym] = {words, T_##type, L_##layer, READS_APP_##reads, WHO_##reads},
#include "ecs/rule/field.def"
#undef ECS_FIELD
};

const char *const ecs_op_text[ECS_OP__N] = {
#define X(sym, text) [ECS_OP_##sym] = text,
	ECS_OPS(X)
#undef X
};

static const char *const tcp_states[ECS_TCP_ST__N] = {
#define X(sym, text) [ECS_TCP_ST_##sym] = text,
	ECS_TCP_STATES(X)
#undef X
};

static const char *const methods[] = {
#define X(sym, text) [ECS_METHOD_##sym] = text,
	ECS_HTTP_METHODS(X)
#undef X
};
static const char *const rats[] = {
#define X(sym, n, text) [n] = text,
	ECS_RATS(X)
#undef X
};
static const char *const traffics[] = {
#define X(sym, text) [ECS_TRAFFIC_##sym] = text,
	ECS_TRAFFICS(X)
#undef X
};
static const char *const behaviors[] = {
#define X(sym, text) [ECS_BEHAVIOR_##sym] = text,
	ECS_BEHAVIORS(X)
#undef X
};

static const char *const *enum_texts(enum ecs_field f, size_t *n)
{
	switch (f) {
	case ECS_F_HTTP_METHOD:
		*n = ECS_METHOD__N;
		return methods;
	case ECS_F_BEARER_RAT:
		*n = ECS_RAT__N;
		return rats;
	case ECS_F_P2P_TRAFFIC:
		*n = ECS_TRAFFIC__N;
		return traffics;
	case ECS_F_P2P_BEHAVIOR:
		*n = ECS_BEHAVIOR__N;
		return behaviors;
	default:
		*n = 0;
		return NULL;
	}
}

uint8_t ecs_enum_value(enum ecs_field f, const char *text)
{
	size_t n;
	const char *const *v = enum_texts(f, &n);

	for (size_t i = 1; i < n; i++)
		if (strcasecmp(v[i], text) == 0)
			return (uint8_t)i;
	return 0;
}

const char *ecs_enum_text(enum ecs_field f, uint8_t value)
{
	size_t n;
	const char *const *v = enum_texts(f, &n);

	return value < n ? v[value] : NULL;
}

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = {
	{"icmp", 1}, {"igmp", 2}, {"ipip", 4}, {"tcp", 6}, {"udp", 17}, {"ipv6", 41}, {"gre", 47},
	{"esp", 50}, {"ah", 51}, {"icmpv6", 58}, {"ospf", 89}, {"sctp", 132},
};

static const char *proto_name(uint8_t proto)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return NULL;
}

/* --- readers: each writes the canonical text and the condition ------------------------------- */

static bool number(const char *t, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (!*t)
		return false;
	for (; *t; t++) {
		if (*t < '0' || *t > '9')
			return false;
		v = v * 10 + (uint32_t)(*t - '0');
		if (v > max)
			return false;
	}
	*out = v;
	return true;
}

/** The range of numbers that an operator with value a (and b) stands for. */
static void number_range(struct value *v, uint32_t a, uint32_t b, uint32_t max)
{
	v->c.lo = (uint16_t)(v->op == ECS_OP_LE ? 0 : a);
	v->c.hi = (uint16_t)(v->op == ECS_OP_GE ? max : b);
}

static int read_bool(struct value *v, struct ecs_err *e)
{
	bool value = strcasecmp(v->a, "TRUE") == 0;

	if (!value && strcasecmp(v->a, "FALSE") != 0)
		return ecs_refuse(e, SRP_EINVAL, "expected TRUE or FALSE for %s, not %.40s",
				  ecs_fields[v->field].words, v->a);
	v->c.want = value == (v->op == ECS_OP_EQ);
	v->c.neg = false;
	snprintf(v->ta, sizeof(v->ta), "%s", value ? "TRUE" : "FALSE");
	return 0;
}

static int read_num8(struct value *v, struct ecs_err *e)
{
	uint32_t n = 0;
	bool proto = v->field == ECS_F_IP_PROTOCOL, found = false;

	for (size_t i = 0; proto && i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strcasecmp(protos[i].name, v->a) == 0) {
			n = protos[i].proto;
			found = true;
		}
	if (!found && !number(v->a, 255, &n))
		return ecs_refuse(e, SRP_ERANGE,
				  "expected a number from 0 to 255%s for %s, not %.40s",
				  proto ? " or the name of a protocol" : "",
				  ecs_fields[v->field].words, v->a);
	number_range(v, n, n, 255);
	if (proto && proto_name((uint8_t)n))
		snprintf(v->ta, sizeof(v->ta), "%s", proto_name((uint8_t)n));
	else
		snprintf(v->ta, sizeof(v->ta), "%u", n);
	return 0;
}

static int read_port(struct value *v, struct ecs_err *e)
{
	uint32_t a, b;

	if (!number(v->a, 65535, &a) || a < 1)
		return ecs_refuse(e, SRP_ERANGE, "expected a port from 1 to 65535, not %.40s",
				  v->a);
	b = a;
	if (v->b && (!number(v->b, 65535, &b) || b <= a))
		return ecs_refuse(e, SRP_ERANGE,
				  "expected the end of the range from %u to 65535, not %.40s",
				  a + 1, v->b);
	number_range(v, a, b, 65535);
	snprintf(v->ta, sizeof(v->ta), "%u", a);
	snprintf(v->tb, sizeof(v->tb), "%u", b);
	return 0;
}

static int read_tcp_state(struct value *v, struct ecs_err *e)
{
	for (unsigned i = ECS_TCP_ST_NONE + 1; i < ECS_TCP_ST__N; i++)
		if (strcasecmp(tcp_states[i], v->a) == 0) {
			v->c.lo = v->c.hi = (uint16_t)i;
			snprintf(v->ta, sizeof(v->ta), "%s", tcp_states[i]);
			return 0;
		}
	return ecs_refuse(
		e, SRP_EINVAL,
		"expected a TCP state (close, close-wait, closing, established, fin-wait1, "
		"fin-wait2, last-ack, listen, syn-received, syn-sent, time-wait)");
}

static int read_code(struct value *v, struct ecs_err *e)
{
	uint32_t n;

	if (!number(v->a, 599, &n) || n < 100)
		return ecs_refuse(e, SRP_ERANGE, "expected a status from 100 to 599, not %.40s",
		                  v->a);
	number_range(v, n, n, 599);
	snprintf(v->ta, sizeof(v->ta), "%u", n);
	return 0;
}

static int read_enum(struct value *v, struct ecs_err *e)
{
	uint8_t x = ecs_enum_value(v->field, v->a);
	char list[128] = "";
	size_t n, len = 0;
	const char *const *texts = enum_texts(v->field, &n);

	for (size_t i = 1; !x && i < n && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, " %s", texts[i]);
	if (!x)
		return ecs_refuse(e, SRP_EINVAL, "expected one of%s", list);
	v->c.lo = v->c.hi = x;
	snprintf(v->ta, sizeof(v->ta), "%s", ecs_enum_text(v->field, x));
	return 0;
}

static int read_ip_version(struct value *v, struct ecs_err *e)
{
	bool v6 = strcasecmp(v->a, "ipv6") == 0;

	if (!v6 && strcasecmp(v->a, "ipv4") != 0)
		return ecs_refuse(e, SRP_EINVAL, "expected ipv4 or ipv6, not %.40s", v->a);
	v->c.lo = v->c.hi = v6 ? 6 : 4;
	snprintf(v->ta, sizeof(v->ta), "%s", v6 ? "ipv6" : "ipv4");
	return 0;
}

static int read_app(struct value *v, struct ecs_err *e)
{
	int id = ecs_app_by_name(v->a);

	if (id <= 0 || id > UINT16_MAX) /* 0 is what nDPI calls unknown */
		return ecs_refuse(e, SRP_EINVAL, "expected the name of an application, not %.40s",
				  v->a);
	v->c.lo = v->c.hi = (uint16_t)id;
	snprintf(v->ta, sizeof(v->ta), "%s", ecs_app_name((uint16_t)id));
	return 0;
}

static int read_string(struct value *v, struct ecs_err *e)
{
	size_t n = strlen(v->a);

	if (n < 1 || n > VALUE_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected 1 to %d characters for %s, not %zu",
				  VALUE_MAX, ecs_fields[v->field].words, n);
	for (size_t i = 0; i < n; i++)
		if (v->a[i] < ' ' || v->a[i] > '~')
			return ecs_refuse(e, SRP_EINVAL, "expected printable characters for %s",
					  ecs_fields[v->field].words);
	if (v->op == ECS_OP_REGEX && !v->trusted) {
		int rc = ecs_stringset_check_regex(v->a, v->case_sensitive, e);

		if (rc)
			return rc;
	}
	snprintf(v->ta, sizeof(v->ta), "%s", v->a);
	return 0;
}

/** Sets (or with @p one clears) all bits of @p a after the first @p len. */
static void fill_after(struct ecs_addr *a, unsigned len, bool one)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = len >= 8 ? 8 : len;
		uint8_t host = (uint8_t)(0xffu >> keep);

		a->b[i] = (uint8_t)(one ? a->b[i] | host : a->b[i] & ~host);
		len -= keep;
	}
}

/** Reads A or A/len to its first and last address; @p full: no prefix was given, or all of it. */
static int read_prefix(const char *t, struct ecs_addr *first, struct ecs_addr *last, bool *v4,
                       bool *full, char *text, struct ecs_err *e)
{
	const char *slash = strchr(t, '/');
	size_t n = slash ? (size_t)(slash - t) : strlen(t);
	char buf[64];
	uint32_t len = 128, max;

	if (n >= sizeof(buf))
		return ecs_refuse(e, SRP_EFORMAT, "expected an IPv4 or IPv6 address");
	memcpy(buf, t, n);
	buf[n] = '\0';
	if (ecs_addr_parse(buf, first))
		return ecs_refuse(e, SRP_EFORMAT, "expected an IPv4 or IPv6 address, not %.46s",
				  buf);
	*v4 = ecs_addr_is4(first);
	max = *v4 && !strchr(buf, ':') ? 32 : 128;
	if (slash && !number(slash + 1, max, &len))
		return ecs_refuse(e, SRP_ERANGE, "expected a prefix length from 0 to %u, not %.40s",
				  max, slash + 1);
	if (slash && max == 32)
		len += 96;
	if (*v4 && len < 96)
		return ecs_refuse(e, SRP_ERANGE,
				  "expected a prefix length from 96 to 128 for an IPv4 "
				  "address in IPv6 form");
	*last = *first;
	fill_after(first, len, false);
	fill_after(last, len, true);
	*full = len == 128;
	ecs_addr_text(first, text, VALUE_MAX + 1);
	if (!*full) {
		n = strlen(text);
		snprintf(text + n, VALUE_MAX + 1 - n, "/%u", *v4 ? len - 96 : len);
	}
	return 0;
}

static int read_addr(struct value *v, struct ecs_err *e)
{
	struct ecs_addr bfirst, blast;
	bool v4, full;
	int rc = read_prefix(v->a, &v->c.alo, &v->c.ahi, &v->c.v4, &full, v->ta, e);

	if (rc)
		return rc;
	if (!full && v->op != ECS_OP_EQ && v->op != ECS_OP_NE)
		return ecs_refuse(e, SRP_EINVAL,
				  "expected an address without prefix length after %s",
				  ecs_op_text[v->op]);
	if (v->op == ECS_OP_LE) /* the whole family below */
		fill_after(&v->c.alo, v->c.v4 ? 96 : 0, false);
	if (v->op == ECS_OP_GE)
		fill_after(&v->c.ahi, v->c.v4 ? 96 : 0, true);
	if (!v->b)
		return 0;
	rc = read_prefix(v->b, &bfirst, &blast, &v4, &full, v->tb, e);
	if (rc)
		return rc;
	if (!full || v4 != v->c.v4 || memcmp(&bfirst, &v->c.alo, sizeof(bfirst)) <= 0)
		return ecs_refuse(e, SRP_ERANGE,
				  "expected the end of the range: an address of the same family, "
				  "above %s",
				  v->ta);
	v->c.ahi = bfirst;
	return 0;
}

static int read_pool(struct value *v, struct ecs_err *e)
{
	int rc = ecs_name_check(v->a, ecs_pool_word(v->field), e);

	if (rc == 0)
		snprintf(v->ta, sizeof(v->ta), "%s", v->a);
	return rc;
}

/* --- types ------------------------------------------------------------------------------------ */

static const struct {
	uint32_t ops;
	int (*read)(struct value *v, struct ecs_err *e);
} types[T__N] = {
	[T_BOOL] = {OP(EQ) | OP(NE), read_bool},
	[T_ADDR] = {OP(EQ) | OP(NE) | OP(LE) | OP(GE) | OP(RANGE) | OP(NRANGE), read_addr},
	[T_NUM8] = {OP(EQ) | OP(NE) | OP(LE) | OP(GE), read_num8},
	[T_PORT] = {OP(EQ) | OP(NE) | OP(LE) | OP(GE) | OP(RANGE) | OP(NRANGE), read_port},
	[T_TCPSTATE] = {OP(EQ) | OP(NE), read_tcp_state},
	[T_STR] = {STRING_OPS, read_string},
	[T_KEYSTR] = {STRING_OPS, read_string},
	[T_APP] = {OP(EQ), read_app},
	[T_IPVER] = {OP(EQ) | OP(NE), read_ip_version},
	[T_CODE] = {OP(EQ) | OP(NE) | OP(LE) | OP(GE), read_code},
	[T_ENUM] = {OP(EQ) | OP(NE), read_enum},
};

static const uint32_t negated = OP(NE) | OP(NCONTAINS) | OP(NSTARTS) | OP(NENDS) | OP(NRANGE);

int ecs_value_check(const struct value *v, struct ecs_err *e)
{
	const char *words = ecs_fields[v->field].words;
	uint32_t ops = types[ecs_fields[v->field].type].ops;
	bool range = v->op == ECS_OP_RANGE || v->op == ECS_OP_NRANGE;
	bool none = v->op == ECS_OP_PRESENT || v->op == ECS_OP_NPRESENT;
	char list[128] = "";

	if (v->field == ECS_F_BEARER_IMSI && v->c.pool)
		ops = OP(RANGE) | OP(NRANGE);
	for (unsigned i = 0, n = 0; i < ECS_OP__N; i++)
		if (ops & (1u << i))
			n += (unsigned)snprintf(list + n, sizeof(list) - n, " %s", ecs_op_text[i]);
	if (v->op >= ECS_OP__N || !(ops & (1u << v->op)))
		return ecs_refuse(e, SRP_EINVAL, "expected one of%s after %s", list, words);
	if (v->c.pool && (!range || (v->field != ECS_F_BEARER_IMSI &&
	                             ecs_fields[v->field].type != T_ADDR &&
	                             ecs_fields[v->field].type != T_PORT)))
		return ecs_refuse(e, SRP_EINVAL,
		                  "expected a pool after a range of addresses, ports or IMSIs");
	if ((ecs_fields[v->field].type == T_KEYSTR) != (v->key != NULL))
		return ecs_refuse(e, SRP_EINVAL, "expected %s after %s",
		                  v->key ? "no name" : "a name", words);
	if (v->case_sensitive && (!is_string(v->field) || none || v->c.pool))
		return ecs_refuse(e, SRP_EINVAL, "expected case-sensitive with a string only");
	if (none ? v->a || v->b : !v->a)
		return ecs_refuse(e, SRP_EINVAL, "expected %s value after %s %s", none ? "no" : "a",
				  words, ecs_op_text[v->op]);
	if ((range && !v->c.pool) != (v->b != NULL))
		return ecs_refuse(e, SRP_EINVAL, "expected %s after %s %s",
				  range ? "the end of the range" : "one value only", words,
				  ecs_op_text[v->op]);
	return 0;
}

int ecs_value_read(struct value *v, struct ecs_err *e)
{
	v->c = (struct cond){.field = (uint8_t)v->field, .op = (uint8_t)v->op, .pool = v->c.pool,
	                     .neg = (negated >> v->op) & 1, .want = v->op == ECS_OP_PRESENT};
	if (!v->a)
		return 0;
	return v->c.pool ? read_pool(v, e) : types[ecs_fields[v->field].type].read(v, e);
}

/** IMSIs stand for themselves. */
static int read_imsis(const char *a, const char *b, struct span *out, char *ta, char *tb,
                      struct ecs_err *e)
{
	struct span x = {.v4 = false};

	if (!ecs_imsi_addr(a, &x.lo) || (b && !ecs_imsi_addr(b, &x.hi)))
		return ecs_refuse(e, SRP_EFORMAT, "expected an IMSI of 1 to 15 digits");
	if (b && (strlen(a) != strlen(b) || memcmp(&x.hi, &x.lo, sizeof(x.lo)) <= 0))
		return ecs_refuse(e, SRP_ERANGE, "expected the end of the range: an IMSI of as many "
		                                 "digits, above %s", a);
	if (!b)
		x.hi = x.lo;
	*out = x;
	snprintf(ta, VALUE_MAX + 1, "%s", a);
	snprintf(tb, VALUE_MAX + 1, "%s", b ? b : "");
	return 0;
}

int ecs_span_read(unsigned field, const char *a, const char *b, struct span *out, char *ta, char *tb,
                  struct ecs_err *e)
{
	struct value v = {.field = field, .op = b ? ECS_OP_RANGE : ECS_OP_EQ, .a = a, .b = b};
	bool port = ecs_fields[field].type == T_PORT;
	int rc;

	if (field == ECS_F_BEARER_IMSI)
		return read_imsis(a, b, out, ta, tb, e);
	rc = port ? read_port(&v, e) : read_addr(&v, e);
	if (rc)
		return rc;
	if (port)
		*out = (struct span){ecs_port_addr(v.c.lo), ecs_port_addr(v.c.hi), false};
	else
		*out = (struct span){v.c.alo, v.c.ahi, v.c.v4};
	snprintf(ta, VALUE_MAX + 1, "%s", v.ta);
	snprintf(tb, VALUE_MAX + 1, "%s", b ? v.tb : "");
	return 0;
}
