#include "config.h"
#include "ecs/rule/db.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "srp/hash.h"

#define DIGEST_KEY 0x6462000000000001u
#define LINE_LEN_MAX 1024u
#define HOPS 32u

/* An entry of URLs, in the text: host, path, a blank, categories. */
struct url {
	uint32_t at;
	uint8_t host, path;
	uint16_t categories;
};

struct sig {
	char label[32];
	bool has_ttl, has_window, has_mss, has_scale, has_options, has_df;
	bool of_mss;          /* the window is a multiple of it */
	bool df;
	uint8_t ttl, scale;
	uint16_t window, mss;
	char options[41];
};

struct ecs_db {
	enum ecs_db_kind kind;
	atomic_uint refs;
	size_t n, len;
	uint64_t digest;
	char *text;
	struct url *urls;     /* by host, then path */
	struct sig *sigs;
};

static const char *const names[] = {
#define X(sym, text, words) [ECS_DB_##sym] = text,
	ECS_DBS(X)
#undef X
};

const char *ecs_db_name(enum ecs_db_kind kind)
{
	return kind < ECS_DB__N ? names[kind] : "";
}

/* --- reading a file --------------------------------------------------------------------------- */

struct reader {
	struct ecs_db *db;
	ecs_db_bad_fn *bad;
	void *arg;
	unsigned line, errors;
	size_t cap, max;
	const char *why;
};

static void refuse(struct reader *r, unsigned line, const char *text)
{
	if (r->errors++ < ECS_DB_ERRORS_MAX && r->bad)
		r->bad(r->arg, line, text);
}

static bool fail(struct reader *r, const char *why)
{
	r->why = why;
	return false;
}

/* Room for one more entry. */
static bool room(struct reader *r)
{
	struct ecs_db *db = r->db;
	size_t size = db->kind == ECS_DB_OS ? sizeof(struct sig) : sizeof(struct url);
	size_t cap = r->cap ? r->cap * 2 : 64;
	void *v;

	if (db->n == r->max)
		return fail(r, "there are too many entries");
	if (db->n < r->cap)
		return true;
	v = realloc(db->kind == ECS_DB_OS ? (void *)db->sigs : (void *)db->urls, cap * size);
	if (!v)
		return fail(r, "out of memory");
	r->cap = cap;
	if (db->kind == ECS_DB_OS)
		db->sigs = v;
	else
		db->urls = v;
	return true;
}

static size_t word_len(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != ' ' && p[i] != '\t')
		i++;
	return i;
}

static size_t blank_len(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool ecs_db_is_category(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return n >= 1 && n <= ECS_DB_CATEGORY_MAX;
}

static bool are_categories(const char *s, size_t n)
{
	for (size_t from = 0, i = 0; i <= n; i++) {
		if (i < n && s[i] != ',')
			continue;
		if (!ecs_db_is_category(s + from, i - from))
			return false;
		from = i + 1;
	}
	return n <= 255;
}

static bool is_host(const char *s, size_t n)
{
	if (n < 1 || n > ECS_DB_HOST_MAX || s[0] == '.' || s[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!s[i] || (!is_alnum(s[i]) && !strchr("-_.:[]", s[i])))
			return false;
		if (i && s[i] == '.' && s[i - 1] == '.')
			return false;
	}
	return !memchr(s, ':', n) || s[0] == '['; /* a port is no part of it */
}

static bool is_path(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return n <= ECS_DB_PATH_MAX;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool take_url(struct reader *r, const char *p, size_t n)
{
	struct ecs_db *db = r->db;
	size_t url = word_len(p, n), skip = blank_len(p + url, n - url), host = 0, rest;
	const char *cat = p + url + skip;
	struct url u = {.at = (uint32_t)db->len};
	char *to = db->text + db->len;

	while (host < url && p[host] != '/')
		host++;
	rest = n - url - skip;
	if (!is_host(p, host))
		return fail(r, "expected a host, without http://, port and user");
	if (!is_path(p + host, url - host))
		return fail(r, "expected a path of at most 255 printable characters");
	if (db->kind == ECS_DB_CATEGORIES && !are_categories(cat, rest))
		return fail(r, "expected categories with commas between, each of at most 31 letters, "
		               "digits, - and _");
	if (db->kind == ECS_DB_BLACKLIST && rest)
		return fail(r, "expected nothing behind the URL");
	if (!room(r))
		return false;
	u.host = (uint8_t)host;
	u.path = (uint8_t)(url - host);
	u.categories = (uint16_t)rest;
	for (size_t i = 0; i < url; i++)
		*to++ = i < host ? lower(p[i]) : p[i];
	*to++ = ' ';
	for (size_t i = 0; i < rest; i++)
		*to++ = lower(cat[i]);
	*to++ = '\n';
	db->len = (size_t)(to - db->text);
	db->urls[db->n++] = u;
	return true;
}

/* --- signatures ------------------------------------------------------------------------------- */

static bool number(const char *p, size_t n, unsigned least, unsigned most, uint16_t *out)
{
	unsigned v = 0;

	if (n < 1 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	*out = (uint16_t)v;
	return v >= least && v <= most;
}

static bool sig_options(struct sig *s, const char *v, size_t n)
{
	if (n >= sizeof(s->options))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!v[i] || !strchr("MWSTNE?", v[i]))
			return false;
	memcpy(s->options, v, n);
	s->options[n] = '\0';
	s->has_options = true;
	return true;
}

static bool sig_window(struct sig *s, const char *v, size_t n)
{
	s->has_window = true;
	s->of_mss = n > 4 && memcmp(v, "mss*", 4) == 0;
	return s->of_mss ? number(v + 4, n - 4, 1, 1000, &s->window)
	                 : number(v, n, 0, 65535, &s->window);
}

static bool is(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(p, word, n) == 0;
}

static bool sig_field(struct sig *s, const char *p, size_t n)
{
	const char *eq = memchr(p, '=', n), *v = eq ? eq + 1 : p;
	size_t k = eq ? (size_t)(eq - p) : 0, nv = n - (size_t)(v - p);
	uint16_t num = 0;
	bool good;

	if (!eq)
		return false;
	if (is(p, k, "options") && !s->has_options)
		return sig_options(s, v, nv);
	if (is(p, k, "window") && !s->has_window)
		return sig_window(s, v, nv);
	if (is(p, k, "mss") && !s->has_mss) {
		s->has_mss = true;
		return number(v, nv, 0, 65535, &s->mss);
	}
	if (is(p, k, "ttl") && !s->has_ttl) {
		s->has_ttl = true;
		good = number(v, nv, 1, 255, &num);
		s->ttl = (uint8_t)num;
	} else if (is(p, k, "scale") && !s->has_scale) {
		s->has_scale = true;
		good = number(v, nv, 0, 14, &num);
		s->scale = (uint8_t)num;
	} else {
		good = is(p, k, "df") && !s->has_df && number(v, nv, 0, 1, &num);
		s->has_df = true;
		s->df = num;
	}
	return good;
}

static bool take_sig(struct reader *r, const char *p, size_t n)
{
	struct ecs_db *db = r->db;
	const char *line = p;
	size_t all = n, w = word_len(p, n);
	struct sig s = {.label = ""};
	bool any = false;

	if (!ecs_db_is_category(p, w))
		return fail(r, "expected a label of at most 31 letters, digits, - and _");
	memcpy(s.label, p, w);
	for (;;) {
		p += w;
		n -= w;
		w = blank_len(p, n);
		p += w;
		n -= w;
		w = word_len(p, n);
		if (!w)
			break;
		if (!sig_field(&s, p, w))
			return fail(r, "expected ttl=1..255, window=0..65535 or window=mss*N, "
			               "mss=N, scale=0..14, options=MWSTNE? or df=0..1, each once");
		any = true;
	}
	if (!any)
		return fail(r, "expected a field behind the label");
	if (!room(r))
		return false;
	db->sigs[db->n++] = s;
	memcpy(db->text + db->len, line, all);
	db->len += all;
	db->text[db->len++] = '\n';
	return true;
}

static bool compare_numbers(const struct sig *s, const struct ecs_syn *y)
{
	if (s->has_ttl && (y->ttl > s->ttl || s->ttl - y->ttl >= (int)HOPS))
		return false;
	if (s->has_window && y->window != (s->of_mss ? (unsigned)s->window * y->mss : s->window))
		return false;
	if (s->has_mss && s->mss != y->mss)
		return false;
	if (s->has_scale && (!y->has_scale || s->scale != y->scale))
		return false;
	return !s->has_df || s->df == y->df;
}

const char *ecs_db_os(const struct ecs_db *db, const struct ecs_syn *syn)
{
	for (size_t i = 0; db && db->kind == ECS_DB_OS && i < db->n; i++) {
		const struct sig *s = &db->sigs[i];

		if (compare_numbers(s, syn) &&
		    (!s->has_options || strcmp(s->options, syn->options) == 0))
			return s->label;
	}
	return NULL;
}

/* --- the order of URLs ------------------------------------------------------------------------ */

static int compare(const char *a, size_t na, const char *b, size_t nb)
{
	int c = memcmp(a, b, na < nb ? na : nb);

	return c ? c : na < nb ? -1 : na > nb;
}

/* Where @p u stands towards a URL. */
static int order(const struct ecs_db *db, const struct url *u, const char *host, size_t nhost,
                 const char *path, size_t npath)
{
	const char *t = db->text + u->at;
	int c = compare(t, u->host, host, nhost);

	return c ? c : compare(t + u->host, u->path, path, npath);
}

static int by_url(const void *a, const void *b, void *arg)
{
	const struct ecs_db *db = arg;
	const struct url *u = b;

	return order(db, a, db->text + u->at, u->host, db->text + u->at + u->host, u->path);
}

static void check_twice(struct reader *r)
{
	const struct ecs_db *db = r->db;
	char text[160];

	for (size_t i = 1; i < db->n; i++) {
		const struct url *u = &db->urls[i];
		int n = u->host + u->path;

		if (by_url(u - 1, u, r->db) != 0)
			continue;
		snprintf(text, sizeof(text), "%.*s is there twice", n < 100 ? n : 100,
		         db->text + u->at);
		refuse(r, 0, text);
	}
}

/* The last entry that is not behind the URL; NULL: all are. */
static const struct url *last_before(const struct ecs_db *db, const char *host, size_t nhost,
                                     const char *path, size_t npath)
{
	size_t lo = 0, hi = db->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (order(db, &db->urls[mid], host, nhost, path, npath) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &db->urls[lo - 1] : NULL;
}

/* The entry of a host with the longest path that @p path begins with. */
static const struct url *find_path(const struct ecs_db *db, const char *host, size_t nhost,
                                   const char *path, size_t npath)
{
	for (;;) {
		const struct url *u = last_before(db, host, nhost, path, npath);
		const char *t;
		size_t n = 0;

		if (!u || u->host != nhost || memcmp(db->text + u->at, host, nhost) != 0)
			return NULL;
		t = db->text + u->at + u->host;
		while (n < u->path && n < npath && t[n] == path[n])
			n++;
		if (n == u->path)
			return u;
		npath = n; /* what begins with more than they share stands between them: nothing does */
	}
}

bool ecs_db_url(const struct ecs_db *db, const char *host, const char *path, const char **categories,
                size_t *len)
{
	char h[ECS_DB_HOST_MAX + 1];
	size_t n = strlen(host), npath = strnlen(path, ECS_DB_PATH_MAX);

	if (!db || db->kind == ECS_DB_OS)
		return false;
	while (n && host[n - 1] == '.')
		n--; /* the root may be written */
	if (n < 1 || n > ECS_DB_HOST_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		h[i] = lower(host[i]);
	for (size_t from = 0; from < n;) {
		const struct url *u = find_path(db, h + from, n - from, path, npath);
		const char *dot;

		if (u) {
			*categories = db->text + u->at + u->host + u->path + 1;
			*len = u->categories;
			return true;
		}
		dot = memchr(h + from, '.', n - from);
		if (!dot)
			break;
		from = (size_t)(dot + 1 - h);
	}
	return false;
}

bool ecs_db_has_category(const char *categories, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (size_t from = 0, i = 0; i <= len; i++) {
		if (i < len && categories[i] != ',')
			continue;
		if (i - from == n && strncasecmp(categories + from, name, n) == 0)
			return true;
		from = i + 1;
	}
	return false;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void read_lines(struct reader *r, const char *text, size_t len)
{
	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len, from = blank_len(text, n), all = n;

		r->line++;
		while (n > from && strchr(" \t\r", text[n - 1]) && text[n - 1])
			n--;
		if (n > from && text[from] != '#') {
			bool good = n - from <= LINE_LEN_MAX ? r->db->kind == ECS_DB_OS
			                    ? take_sig(r, text + from, n - from)
			                    : take_url(r, text + from, n - from)
			                    : fail(r, "the line is too long");

			if (!good)
				refuse(r, r->line, r->why);
			if (r->errors >= ECS_DB_ERRORS_MAX)
				return;
		}
		text += nl ? all + 1 : all;
		len -= nl ? all + 1 : all;
	}
}

struct ecs_db *ecs_db_parse(enum ecs_db_kind kind, const char *text, size_t len, ecs_db_bad_fn *bad,
                            void *arg)
{
	struct ecs_db *db = calloc(1, sizeof(*db));
	struct reader r = {.db = db, .bad = bad, .arg = arg,
	                   .max = kind == ECS_DB_OS ? ECS_DB_SIGS_MAX : ECS_DB_URLS_MAX};

	if (!db)
		return NULL;
	db->kind = kind;
	atomic_init(&db->refs, 1);
	/* an entry is as long as its line, but for one blank and one line end */
	db->text = len <= ECS_DB_BYTES_MAX ? malloc(2 * len + 2) : NULL;
	if (!db->text)
		refuse(&r, 0, len > ECS_DB_BYTES_MAX ? "the file is too long" : "out of memory");
	else
		read_lines(&r, text, len);
	if (!r.errors && kind != ECS_DB_OS && db->n) {
		qsort_r(db->urls, db->n, sizeof(*db->urls), by_url, db);
		check_twice(&r);
	}
	if (r.errors) {
		ecs_db_unref(db);
		return NULL;
	}
	db->digest = srp_hash64(DIGEST_KEY, db->text, db->len);
	return db;
}

struct ecs_db *ecs_db_ref(struct ecs_db *db)
{
	if (db)
		atomic_fetch_add(&db->refs, 1);
	return db;
}

void ecs_db_unref(struct ecs_db *db)
{
	if (!db || atomic_fetch_sub(&db->refs, 1) != 1)
		return;
	free(db->text);
	free(db->urls);
	free(db->sigs);
	free(db);
}

size_t ecs_db_entries(const struct ecs_db *db)
{
	return db ? db->n : 0;
}

const char *ecs_db_text(const struct ecs_db *db, size_t *len)
{
	*len = db ? db->len : 0;
	return db ? db->text : "";
}

uint64_t ecs_db_digest(const struct ecs_db *db)
{
	return db ? db->digest : 0;
}
