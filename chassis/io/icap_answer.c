/* icap_answer: what a rating server says. It is not trusted to speak ICAP. */
#include "config.h"
#include "chassis/io/icap.h"

#include <string.h>
#include <strings.h>

#include "srp/err.h"

struct span {
	const char *p;
	size_t n;
};

/* --- headers -------------------------------------------------------------------------------- */

/* Bytes of a header with its empty line; 0: it is not whole. */
static size_t head_len(const char *p, size_t n)
{
	const char *end = n >= 4 ? memmem(p, n, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - p) + 4 : 0;
}

static bool take_line(struct span *rest, struct span *line)
{
	const char *nl = memmem(rest->p, rest->n, "\r\n", 2);

	if (!nl)
		return false;
	*line = (struct span){rest->p, (size_t)(nl - rest->p)};
	rest->p = nl + 2;
	rest->n -= line->n + 2;
	return true;
}

static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' && s.p[i] != '\t')
			return false;
	return true;
}

/* Cuts a field; false: it is none. */
static bool field(struct span line, struct span *name, struct span *value)
{
	const char *colon = memchr(line.p, ':', line.n);

	if (!colon || colon == line.p || !is_plain(line))
		return false;
	*name = (struct span){line.p, (size_t)(colon - line.p)};
	*value = (struct span){colon + 1, line.n - name->n - 1};
	for (size_t i = 0; i < name->n; i++)
		if (name->p[i] == ' ' || name->p[i] == '\t')
			return false;
	while (value->n && (value->p[0] == ' ' || value->p[0] == '\t')) {
		value->p++;
		value->n--;
	}
	while (value->n && (value->p[value->n - 1] == ' ' || value->p[value->n - 1] == '\t'))
		value->n--;
	return true;
}

static bool is(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static bool begins(struct span s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && strncasecmp(s.p, word, n) == 0;
}

/* The code of `ICAP/1.0 NNN ...`, `HTTP/1.1 NNN ...`; 0: it is none. */
static unsigned status(struct span line, const char *protocol)
{
	size_t n = strlen(protocol);
	unsigned code = 0;

	if (line.n < n + 5 || memcmp(line.p, protocol, n) != 0 || line.p[n] < '0' ||
	    line.p[n] > '9' || line.p[n + 1] != ' ' || !is_plain(line))
		return 0;
	for (size_t i = n + 2; i < n + 5; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return 0;
		code = code * 10 + (unsigned)(line.p[i] - '0');
	}
	return line.n == n + 5 || line.p[n + 5] == ' ' ? code : 0;
}

/* --- the encapsulated header ---------------------------------------------------------------- */

/* A URL that may stand in a Location of ours. */
static bool take_url(struct span v, char out[ECS_URL_MAX + 1])
{
	if ((!begins(v, "http://") && !begins(v, "https://")) || v.n > ECS_URL_MAX || v.n < 8)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~' || v.p[i] == '"')
			return false;
	memcpy(out, v.p, v.n);
	out[v.n] = '\0';
	return true;
}

/* A response in the name of the web server: the request is denied. */
static int read_response(struct span rest, struct chassis_icap_said *out)
{
	struct span line, name, value;
	unsigned code;

	if (!take_line(&rest, &line))
		return SRP_EFORMAT;
	code = status(line, "HTTP/1.");
	if (!code)
		return SRP_EFORMAT;
	out->said = ECS_RATED_DENY;
	while (take_line(&rest, &line) && line.n) {
		if (!field(line, &name, &value))
			return SRP_EFORMAT;
		if (code >= 300 && code < 400 && is(name, "location") && !out->url[0] &&
		    !take_url(value, out->url))
			return SRP_EFORMAT;
	}
	return SRP_OK;
}

/* The request as it should be: another URL is a redirection. */
static int read_request(struct span rest, const char *url, struct chassis_icap_said *out)
{
	struct span line, target;
	const char *sp, *end;

	if (!take_line(&rest, &line) || !is_plain(line))
		return SRP_EFORMAT;
	sp = memchr(line.p, ' ', line.n);
	end = memrchr(line.p, ' ', line.n);
	if (!sp || end <= sp || (size_t)(line.p + line.n - end) != 9 ||
	    memcmp(end, " HTTP/1.", 8) != 0)
		return SRP_EFORMAT;
	target = (struct span){sp + 1, (size_t)(end - sp - 1)};
	if (target.n == strlen(url) && memcmp(target.p, url, target.n) == 0) {
		out->said = ECS_RATED_ALLOW;
		return SRP_OK;
	}
	out->said = ECS_RATED_DENY;
	return take_url(target, out->url) ? SRP_OK : SRP_EFORMAT;
}

/* --- the whole ------------------------------------------------------------------------------ */

struct head {
	unsigned code;
	bool close;
	struct span encapsulated;
};

static int read_categories(struct span v, struct chassis_icap_said *out)
{
	size_t from = 0;

	if (v.n >= sizeof(out->categories))
		return SRP_EFORMAT;
	for (size_t i = 0; i <= v.n; i++) {
		if (i < v.n && v.p[i] != ',')
			continue;
		if (!ecs_db_is_category(v.p + from, i - from))
			return SRP_EFORMAT;
		from = i + 1;
	}
	memcpy(out->categories, v.p, v.n);
	out->categories[v.n] = '\0';
	return SRP_OK;
}

static int read_head(struct span rest, struct head *h, struct chassis_icap_said *out)
{
	struct span line, name, value;

	if (!take_line(&rest, &line))
		return SRP_EFORMAT;
	h->code = status(line, "ICAP/1.");
	if (!h->code)
		return SRP_EFORMAT;
	while (take_line(&rest, &line) && line.n) {
		if (!field(line, &name, &value))
			return SRP_EFORMAT;
		if (is(name, "connection") && is(value, "close"))
			h->close = true;
		else if (is(name, "encapsulated"))
			h->encapsulated = value;
		else if (is(name, "x-category") && read_categories(value, out) < 0)
			return SRP_EFORMAT;
	}
	return SRP_OK;
}

/* What is behind the header of a 200. */
static int read_inner(const struct head *h, struct span inner, const char *url, bool eof,
                      struct chassis_icap_said *out)
{
	size_t n = head_len(inner.p, inner.n);

	if (!n)
		return eof ? SRP_EFORMAT : SRP_EAGAIN;
	inner.n = n;
	if (begins(h->encapsulated, "res-hdr=0"))
		return read_response(inner, out);
	if (begins(h->encapsulated, "req-hdr=0"))
		return read_request(inner, url, out);
	return SRP_EFORMAT;
}

int chassis_icap_read(const char *p, size_t len, const char *url, bool eof,
                      struct chassis_icap_said *out)
{
	static const char protocol[] = "ICAP/1.";
	struct head h = {0};
	size_t n = head_len(p, len);
	int rc;

	memset(out, 0, sizeof(*out));
	out->said = ECS_RATED_FAILED;
	/* what cannot become an answer is not waited for */
	if (memcmp(p, protocol, len < strlen(protocol) ? len : strlen(protocol)) != 0)
		return SRP_EFORMAT;
	if (!n)
		return eof || len >= CHASSIS_ICAP_HEAD_MAX ? SRP_EFORMAT : SRP_EAGAIN;
	rc = read_head((struct span){p, n}, &h, out);
	if (rc < 0)
		return rc;
	if (h.code == 204 || h.code >= 300) {
		/* neither has anything behind it that would be waited for */
		if (h.code == 204 && len > n)
			return SRP_EFORMAT;
		out->said = h.code == 204 ? ECS_RATED_ALLOW : ECS_RATED_FAILED;
		out->error = h.code != 204;
		out->keep = h.code == 204 && !h.close;
		return SRP_OK;
	}
	if (h.code != 200)
		return SRP_EFORMAT;
	rc = read_inner(&h, (struct span){p + n, len - n}, url, eof, out);
	return rc == SRP_EAGAIN && len >= CHASSIS_ICAP_HEAD_MAX ? SRP_EFORMAT : rc;
}
