#include "config.h"
#include "chassis/license.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "srp/err.h"

#define LINE_MAX_LEN 255
#define WORDS        3 /* KEYWORD expires DATE */

const struct chassis_feature_row chassis_features[CHASSIS_LICENSE__N] = {
#define CHASSIS_LICENSE(sym, word_, name_, part_, key) \
	[CHASSIS_LICENSE_##sym] = {word_, name_, part_, key},
#include "chassis/license.def"
#undef CHASSIS_LICENSE
};

struct word {
	const char *p;
	size_t n;
};

static bool is(const struct word *w, const char *text)
{
	return w->n == strlen(text) && memcmp(w->p, text, w->n) == 0;
}

static bool digits(const char *p, size_t n, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = *out * 10 + (uint32_t)(p[i] - '0');
	}
	return true;
}

/* YYYY-MM-DD of a day that there is. */
static bool date(const struct word *w, uint32_t *out)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	uint32_t y, m, d, last;

	if (w->n != 10 || w->p[4] != '-' || w->p[7] != '-' || !digits(w->p, 4, &y) ||
	    !digits(w->p + 5, 2, &m) || !digits(w->p + 8, 2, &d))
		return false;
	if (y < 1970 || m < 1 || m > 12)
		return false;
	last = days[m - 1];
	if (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0))
		last = 29;
	if (d < 1 || d > last)
		return false;
	*out = y * 10000 + m * 100 + d;
	return true;
}

/* Cuts a line into words; more than there may be: WORDS + 1. */
static size_t cut(const char *p, size_t n, struct word *w)
{
	size_t words = 0;

	for (size_t i = 0; i < n;) {
		size_t begin;

		if (p[i] == ' ' || p[i] == '\t') {
			i++;
			continue;
		}
		for (begin = i; i < n && p[i] != ' ' && p[i] != '\t'; i++)
			;
		if (words == WORDS)
			return WORDS + 1;
		w[words++] = (struct word){p + begin, i - begin};
	}
	return words;
}

/* One line: NULL, or why it is refused. */
static const char *line(struct chassis_license *l, const char *p, size_t n)
{
	struct word w[WORDS];
	uint32_t last = 0;
	size_t words, f = 0;

	if (n > LINE_MAX_LEN)
		return "expected at most 255 characters";
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || (unsigned char)p[i] >= 0x7f)
			return "expected printable characters";
	words = cut(p, n, w);
	if (!words || w[0].p[0] == '#')
		return NULL;
	while (f < CHASSIS_LICENSE__N && !is(&w[0], chassis_features[f].word))
		f++;
	if (f == CHASSIS_LICENSE__N)
		return "expected the key word of a feature";
	if (l->key[f])
		return "expected each feature only once";
	if (words == 2 || words > WORDS || (words == 3 && !is(&w[1], "expires")))
		return "expected `expires` and a date, or the end of the line";
	if (words == 3 && !date(&w[2], &last))
		return "expected a date YYYY-MM-DD";
	l->key[f] = true;
	l->expires[f] = last;
	return NULL;
}

int chassis_license_parse(const char *text, size_t len, struct chassis_license *out, char *why,
                          size_t cap)
{
	struct chassis_license l = {{false}, {0}};
	const char *end = text + len;
	unsigned number = 0;

	if (len > CHASSIS_LICENSE_BYTES_MAX) {
		snprintf(why, cap, "expected at most %d bytes", CHASSIS_LICENSE_BYTES_MAX);
		return SRP_EFORMAT;
	}
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text)), *bad;
		size_t n = (size_t)((nl ? nl : end) - text);

		number++;
		bad = line(&l, text, n && text[n - 1] == '\r' ? n - 1 : n);
		if (bad) {
			snprintf(why, cap, "line %u: %s", number, bad);
			return SRP_EFORMAT;
		}
		text += n + (nl ? 1 : 0);
	}
	*out = l;
	return SRP_OK;
}

int chassis_license_read(int fd, struct chassis_license *out, char *why, size_t cap)
{
	struct stat st;
	size_t have = 0;
	char *text;
	int rc;

	/* a pipe or a device could hold up the reader */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, cap, "expected a plain file");
		return SRP_EIO;
	}
	text = malloc(CHASSIS_LICENSE_BYTES_MAX + 1);
	if (!text) {
		snprintf(why, cap, "%s", srp_strerror(SRP_ENOMEM));
		return SRP_EIO;
	}
	for (;;) {
		ssize_t n = pread(fd, text + have, CHASSIS_LICENSE_BYTES_MAX + 1 - have,
		                  (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			snprintf(why, cap, "%s", strerror(errno));
			free(text);
			return SRP_EIO;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	rc = chassis_license_parse(text, have, out, why, cap);
	free(text);
	return rc;
}

int chassis_license_load(void *arg, const char *path, struct chassis_license *out, char *why,
                         size_t cap)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	(void)arg;
	if (fd < 0) {
		snprintf(why, cap, "%s", strerror(errno));
		return SRP_EIO;
	}
	rc = chassis_license_read(fd, out, why, cap);
	close(fd);
	return rc;
}

int chassis_license_assume(void *arg, const char *path, struct chassis_license *out, char *why,
                           size_t cap)
{
	(void)arg;
	(void)path;
	(void)why;
	(void)cap;
	for (size_t f = 0; f < CHASSIS_LICENSE__N; f++) {
		out->key[f] = true;
		out->expires[f] = 0;
	}
	return SRP_OK;
}

uint32_t chassis_license_today(void)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		return UINT32_MAX; /* no day that a key with an end is good for */
	return (uint32_t)(tm.tm_year + 1900) * 10000 + (uint32_t)(tm.tm_mon + 1) * 100 +
	       (uint32_t)tm.tm_mday;
}

enum chassis_license_state chassis_license_state(const struct chassis_license *l,
                                                 enum chassis_feature feature, uint32_t today)
{
	if (!chassis_features[feature].needs_key)
		return CHASSIS_LICENSE_ENABLED;
	if (!l->key[feature])
		return CHASSIS_LICENSE_DISABLED;
	return l->expires[feature] && today > l->expires[feature] ? CHASSIS_LICENSE_EXPIRED
	                                                          : CHASSIS_LICENSE_ENABLED;
}

const char *chassis_license_lacks(const struct chassis_license *l, enum chassis_feature feature)
{
	switch (chassis_license_state(l, feature, chassis_license_today())) {
	case CHASSIS_LICENSE_ENABLED:
		return NULL;
	case CHASSIS_LICENSE_EXPIRED:
		return "its key has expired";
	default:
		return "its key is not installed";
	}
}
