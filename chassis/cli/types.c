#include <config.h>
#include "chassis/cli/types.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "chassis/cli/grammar.h"
#include "srp/err.h"

static const struct {
	const char *name;
	uint64_t min, max;
} types[CHASSIS_TYPE__N] = {
#define X(sym, name_, least, most) [CHASSIS_TYPE_##sym] = {name_, least, most},
	CHASSIS_TYPES(X)
#undef X
};

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

bool chassis_addr_v6(const struct ecs_addr *a)
{
	return memcmp(a->b, v4_mapped, sizeof(v4_mapped)) != 0;
}

/* Decimal digits only: no sign, no blank, no other base. */
static bool number(const char *s, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 19)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*out = v;
	return true;
}

int chassis_addr_parse(const char *text, struct ecs_addr *a, uint8_t *len, bool *v6)
{
	char buf[CHASSIS_ADDR_TEXT];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct ecs_addr out;
	uint64_t plen;
	bool six;

	if (n >= sizeof(buf) || (slash && !len))
		return SRP_EFORMAT;
	memcpy(buf, text, n);
	buf[n] = '\0';
	six = strchr(buf, ':') != NULL;
	if (six) {
		/* the mapped range is our own form of IPv4: an address has one form */
		if (inet_pton(AF_INET6, buf, out.b) != 1 || !chassis_addr_v6(&out))
			return SRP_EFORMAT;
	} else {
		memcpy(out.b, v4_mapped, sizeof(v4_mapped));
		if (inet_pton(AF_INET, buf, out.b + 12) != 1)
			return SRP_EFORMAT;
	}
	plen = six ? 128 : 32;
	if (slash && (!number(slash + 1, strlen(slash + 1), &plen) || plen > (six ? 128u : 32u)))
		return SRP_EFORMAT;
	*a = out;
	if (len)
		*len = (uint8_t)plen;
	if (v6)
		*v6 = six;
	return SRP_OK;
}

const char *chassis_addr_text(const struct ecs_addr *a, char *buf)
{
	const char *s = chassis_addr_v6(a) ? inet_ntop(AF_INET6, a->b, buf, CHASSIS_ADDR_TEXT)
	                                   : inet_ntop(AF_INET, a->b + 12, buf, CHASSIS_ADDR_TEXT);

	if (!s)
		buf[0] = '\0';
	return buf;
}

bool chassis_type_find(const char *name, size_t len, struct chassis_type_spec *out)
{
	for (size_t i = 0; i < CHASSIS_TYPE__N; i++) {
		if (strlen(types[i].name) == len && memcmp(types[i].name, name, len) == 0) {
			*out = (struct chassis_type_spec){(enum chassis_type)i, types[i].min,
			                                  types[i].max};
			return true;
		}
	}
	return false;
}

/* What is printed can be read again: text stands in quotes, a name without. */
static bool printable(const char *s, bool blanks)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || (*s == ' ' && !blanks))
			return false;
	return true;
}

static bool callid(const char *s, uint64_t *num)
{
	uint64_t v = 0;
	size_t n = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	for (; s[n]; n++) {
		const char *digits = "0123456789abcdef";
		const char *d =
			strchr(digits, s[n] >= 'A' && s[n] <= 'F' ? s[n] + ('a' - 'A') : s[n]);

		if (!d || n == 8)
			return false;
		v = v << 4 | (uint64_t)(d - digits);
	}
	*num = v;
	return n > 0 && v != 0;
}

static bool mask4(const char *s, uint64_t *num)
{
	struct ecs_addr a;
	bool v6;
	uint32_t m, inverse;

	if (chassis_addr_parse(s, &a, NULL, &v6) != SRP_OK || v6)
		return false;
	m = (uint32_t)a.b[12] << 24 | (uint32_t)a.b[13] << 16 | (uint32_t)a.b[14] << 8 | a.b[15];
	inverse = ~m;
	if (inverse & (inverse + 1))
		return false;
	*num = 0;
	for (; m; m <<= 1)
		(*num)++;
	return true;
}

static bool address(enum chassis_type type, const char *s, uint64_t *num)
{
	bool slash = strchr(s, '/') != NULL, v6;
	bool plain = type == CHASSIS_TYPE_ADDR || type == CHASSIS_TYPE_ADDR4 ||
	             type == CHASSIS_TYPE_ADDR6;
	struct ecs_addr a;
	uint8_t len = 0;

	if (chassis_addr_parse(s, &a, plain ? NULL : &len, &v6) != SRP_OK)
		return false;
	if (!plain && type != CHASSIS_TYPE_PREFIX && !slash)
		return false;
	*num = len;
	if (type == CHASSIS_TYPE_ADDR4 || type == CHASSIS_TYPE_PREFIX4)
		return !v6;
	if (type == CHASSIS_TYPE_ADDR6 || type == CHASSIS_TYPE_PREFIX6)
		return v6;
	return true;
}

bool chassis_type_check(const struct chassis_type_spec *t, const char *text, uint64_t *num)
{
	size_t n = strlen(text);
	uint64_t digits;

	*num = 0;
	switch (t->type) {
	case CHASSIS_TYPE_NUM:
		return number(text, n, num) && *num >= t->min && *num <= t->max;
	case CHASSIS_TYPE_NAME:
		return n >= t->min && n <= t->max && printable(text, false);
	case CHASSIS_TYPE_WORD:
	case CHASSIS_TYPE_TEXT:
	case CHASSIS_TYPE_PATH:
		return n >= t->min && n <= t->max && printable(text, true);
	case CHASSIS_TYPE_DIGITS:
		return n >= t->min && n <= t->max && number(text, n, &digits);
	case CHASSIS_TYPE_CALLID:
		return callid(text, num);
	case CHASSIS_TYPE_MASK4:
		return mask4(text, num);
	default:
		return address(t->type, text, num);
	}
}

void chassis_type_describe(const struct chassis_type_spec *t, char *buf, size_t cap)
{
	static const char *const fixed[CHASSIS_TYPE__N] = {
		[CHASSIS_TYPE_CALLID] = "a call-id of 1 to 8 hex digits",
		[CHASSIS_TYPE_ADDR] = "an IPv4 or IPv6 address",
		[CHASSIS_TYPE_ADDR4] = "an IPv4 address",
		[CHASSIS_TYPE_ADDR6] = "an IPv6 address",
		[CHASSIS_TYPE_MASK4] = "an IPv4 mask",
		[CHASSIS_TYPE_PREFIX] = "an address or address/length",
		[CHASSIS_TYPE_PREFIX4] = "an IPv4 address/length",
		[CHASSIS_TYPE_PREFIX6] = "an IPv6 address/length",
	};
	static const char *const measured[CHASSIS_TYPE__N] = {
		[CHASSIS_TYPE_NUM] = "a number from",
		[CHASSIS_TYPE_NAME] = "a name of",
		[CHASSIS_TYPE_WORD] = "a word of",
		[CHASSIS_TYPE_TEXT] = "text of",
		[CHASSIS_TYPE_PATH] = "a path of",
		[CHASSIS_TYPE_DIGITS] = "decimal digits,",
	};

	if (fixed[t->type])
		snprintf(buf, cap, "%s", fixed[t->type]);
	else
		snprintf(buf, cap, "%s %" PRIu64 " to %" PRIu64 "%s", measured[t->type], t->min,
			 t->max,
			 t->type == CHASSIS_TYPE_NUM || t->type == CHASSIS_TYPE_DIGITS
				 ? ""
				 : " characters");
}
