/* json_check: says whether bytes are one JSON value (RFC 8259), for tests of what prints JSON. */
#ifndef TESTS_UNIT_JSON_CHECK_H
#define TESTS_UNIT_JSON_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char *json_value_end(const char *s, const char *end, int depth);

static inline const char *json_blank(const char *s, const char *end)
{
	while (s && s < end && (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r'))
		s++;
	return s;
}

static inline const char *json_string_end(const char *s, const char *end)
{
	if (s >= end || *s++ != '"')
		return NULL;
	while (s < end && *s != '"') {
		unsigned char c = (unsigned char)*s++;
		size_t more = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : 3;

		if (c < 0x20 || (c >= 0x80 && c < 0xc2) || c > 0xf4)
			return NULL;
		for (; more; more--, s++)
			if (s >= end || ((unsigned char)*s & 0xc0) != 0x80)
				return NULL;
		if (c != '\\')
			continue;
		if (s >= end || !strchr("\"\\/bfnrtu", *s))
			return NULL;
		if (*s++ == 'u')
			for (int i = 0; i < 4; i++, s++)
				if (s >= end || !isxdigit((unsigned char)*s))
					return NULL;
	}
	return s < end ? s + 1 : NULL;
}

static inline const char *json_members_end(const char *s, const char *end, int depth, bool object)
{
	char close = object ? '}' : ']';

	s = json_blank(s + 1, end);
	if (s < end && *s == close)
		return s + 1;
	for (;;) {
		if (object) {
			s = json_blank(json_string_end(s, end), end);
			if (!s || s >= end || *s != ':')
				return NULL;
			s = json_blank(s + 1, end);
		}
		s = json_blank(json_value_end(s, end, depth + 1), end);
		if (!s || s >= end || (*s != ',' && *s != close))
			return NULL;
		if (*s++ == close)
			return s;
		s = json_blank(s, end);
	}
}

static inline const char *json_value_end(const char *s, const char *end, int depth)
{
	static const char *const words[] = {"true", "false", "null"};

	if (!s || s >= end || depth > 16)
		return NULL;
	if (*s == '{' || *s == '[')
		return json_members_end(s, end, depth, *s == '{');
	if (*s == '"')
		return json_string_end(s, end);
	for (size_t i = 0; i < 3; i++)
		if ((size_t)(end - s) >= strlen(words[i]) && !memcmp(s, words[i], strlen(words[i])))
			return s + strlen(words[i]);
	if (!isdigit((unsigned char)*s))
		return NULL;
	while (s < end && isdigit((unsigned char)*s))
		s++;
	return s;
}

/** True when the @p len bytes are one value with nothing but blanks around. */
static inline bool json_valid(const char *s, size_t len)
{
	const char *end = s + len;

	s = json_blank(json_value_end(json_blank(s, end), end, 0), end);
	return s == end;
}

#endif
