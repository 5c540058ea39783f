#include "config.h"
#include "ecs/rtsp.h"

#include <string.h>
#include <strings.h>

#define RTSP_VERSION     "RTSP/1.0"
#define VERSION_LEN 8u
#define FRAME_HEAD  4u /* '$', channel, length in two bytes (RFC 2326 10.12) */

/* --- text ------------------------------------------------------------------------------------- */

/* A number at the beginning of @p s, at most @p max; false: there is none. */
static bool number(const char **s, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;
	const char *p = *s;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return false;
	}
	*s = p;
	*out = (uint32_t)v;
	return true;
}

/* A field that is a number and nothing else. */
static bool only_number(const char *s, uint32_t max, uint32_t *out)
{
	if (!number(&s, max, out))
		return false;
	while (*s == ' ' || *s == '\t')
		s++;
	return *s == '\0';
}

/* `a` or `a-b`: b is next to a. */
static bool ports(const char *s, uint16_t out[2])
{
	uint32_t a, b = 0;

	if (!number(&s, UINT16_MAX, &a) || a == 0)
		return false;
	if (*s == '-') {
		s++;
		if (!number(&s, UINT16_MAX, &b) || b != a + 1)
			return false;
	}
	if (*s)
		return false;
	out[0] = (uint16_t)a;
	out[1] = (uint16_t)b;
	return true;
}

/* The value of a header field of this name; NULL: it is another one. */
static const char *field(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	while (*line == ' ' || *line == '\t')
		line++;
	return line;
}

/* --- Transport -------------------------------------------------------------------------------- */

/* The next of the words that @p by separates, cut out in place, without blanks around it. */
static char *next_word(char **rest, char by)
{
	char *w = *rest, *end;

	if (!w)
		return NULL;
	end = strchr(w, by);
	*rest = end ? end + 1 : NULL;
	if (!end)
		end = w + strlen(w);
	while (*w == ' ' || *w == '\t')
		w++;
	while (end > w && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return w;
}

static bool value_of(const char *w, const char *name, const char **v)
{
	size_t n = strlen(name);

	if (strncasecmp(w, name, n) != 0 || w[n] != '=')
		return false;
	*v = w + n + 1;
	return true;
}

/* One transport: `RTP/AVP;unicast;client_port=a-b;...`. False: something of it is wrong. */
static bool transport(char *text, struct ecs_rtsp_transport *t)
{
	char *w = next_word(&text, ';');
	const char *v;
	bool good = true;

	*t = (struct ecs_rtsp_transport){0};
	t->udp = strcasecmp(w, "RTP/AVP") == 0 || strcasecmp(w, "RTP/AVP/UDP") == 0;
	while (good && (w = next_word(&text, ';')) != NULL) {
		if (strcasecmp(w, "multicast") == 0)
			t->udp = false;
		else if (value_of(w, "client_port", &v))
			good = t->client = ports(v, t->media.client);
		else if (value_of(w, "server_port", &v))
			good = t->server = ports(v, t->media.server);
		else if (value_of(w, "source", &v))
			good = t->media.has_source = ecs_addr_parse(v, &t->media.source) == 0;
		else if (value_of(w, "destination", &v))
			good = t->media.has_destination =
				ecs_addr_parse(v, &t->media.destination) == 0;
	}
	return good && t->udp;
}

/* Of several that are offered the first over UDP. */
static void transports(const char *value, struct ecs_rtsp_transport *out)
{
	char copy[ECS_RTSP_LINE_MAX + 1], *rest = copy, *one;

	strcpy(copy, value); /* a piece of a line */
	while (!out->udp && (one = next_word(&rest, ',')) != NULL)
		if (!transport(one, out))
			*out = (struct ecs_rtsp_transport){0};
}

/* --- messages --------------------------------------------------------------------------------- */

static void put_setup(struct ecs_rtsp *r, const struct ecs_rtsp_side *s)
{
	if (r->nsetups == ECS_RTSP_SETUPS_MAX) {
		r->nsetups--;
		memmove(r->setup, r->setup + 1, r->nsetups * sizeof(r->setup[0]));
	}
	r->setup[r->nsetups].cseq = s->cseq;
	r->setup[r->nsetups].ports = s->transport.client;
	memcpy(r->setup[r->nsetups].client, s->transport.media.client,
	       sizeof(s->transport.media.client));
	r->nsetups++;
}

/* The answer to a SETUP; ports that it does not name are those that were asked for. */
static void answered(struct ecs_rtsp *r, const struct ecs_rtsp_side *s)
{
	struct ecs_rtsp_media m = s->transport.media;
	bool client = s->transport.client;
	size_t i = 0;

	while (i < r->nsetups && r->setup[i].cseq != s->cseq)
		i++;
	if (i == r->nsetups)
		return;
	if (!client && r->setup[i].ports) {
		memcpy(m.client, r->setup[i].client, sizeof(m.client));
		client = true;
	}
	r->nsetups--;
	memmove(r->setup + i, r->setup + i + 1, (r->nsetups - i) * sizeof(r->setup[0]));
	if (!s->ok || !s->transport.udp || !client || !s->transport.server)
		return;
	if (!m.client[1] || !m.server[1])
		m.client[1] = m.server[1] = 0;
	if (r->nmedia < ECS_RTSP_MEDIA_MAX)
		r->media[r->nmedia++] = m;
	else
		r->missed++;
}

/* `RTSP/1.0 200 OK`, or `SETUP rtsp://host/ RTSP/1.0`. */
static bool start_line(struct ecs_rtsp_side *s)
{
	const char *l = s->line, *status = l + VERSION_LEN + 1, *end;
	uint32_t code;

	s->reply = s->setup = s->ok = s->has_cseq = false;
	s->cseq = s->length = 0;
	s->transport = (struct ecs_rtsp_transport){0};
	if (strncmp(l, RTSP_VERSION " ", VERSION_LEN + 1) == 0) {
		s->reply = true;
		s->ok = number(&status, 999, &code) && code == 200;
		return true;
	}
	end = strrchr(l, ' ');
	if (!end || strcmp(end + 1, RTSP_VERSION) != 0 || strchr(l, ' ') == end)
		return false;
	s->setup = strncmp(l, "SETUP ", 6) == 0;
	return true;
}

static bool header(struct ecs_rtsp_side *s)
{
	const char *v = field(s->line, "CSeq");

	if (v)
		s->has_cseq = only_number(v, UINT32_MAX, &s->cseq);
	v = field(s->line, "Content-Length");
	if (v)
		return only_number(v, ECS_RTSP_BODY_MAX, &s->length);
	v = field(s->line, "Transport");
	if (v)
		transports(v, &s->transport);
	return true;
}

/* A whole line, without its end. */
static bool line(struct ecs_rtsp *r, struct ecs_rtsp_side *s)
{
	bool cut = s->cut;

	while (s->n && s->line[s->n - 1] == '\r')
		s->n--;
	s->line[s->n] = '\0';
	if (strlen(s->line) != s->n)
		return false;
	if (s->at == ECS_RTSP_START) {
		if (s->n == 0 && !cut)
			return true;
		if (cut || !start_line(s) || (s == &r->to && !r->known && s->reply))
			return false;
		s->at = ECS_RTSP_HEAD;
		r->known |= s == &r->to;
		return true;
	}
	if (s->n || cut)
		return cut || header(s);
	s->at = ECS_RTSP_START;
	s->skip = s->length;
	if (s->has_cseq && s == &r->to && !s->reply && s->setup)
		put_setup(r, s);
	else if (s->has_cseq && s == &r->from && s->reply)
		answered(r, s);
	return true;
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* One byte that is not passed over. */
static bool byte(struct ecs_rtsp *r, struct ecs_rtsp_side *s, uint8_t b)
{
	bool good;

	/* nothing that is something else is gathered */
	if (!r->known && s == &r->to && s->n == 0 && (b < 'A' || b > 'Z'))
		return false;
	if (s->at == ECS_RTSP_START && s->n == 0 && b == '$' && r->known)
		s->at = ECS_RTSP_FRAME;
	if (s->at == ECS_RTSP_FRAME) {
		s->line[s->n++] = (char)b;
		if (s->n < FRAME_HEAD)
			return true;
		s->skip = (uint32_t)(uint8_t)s->line[2] << 8 | (uint8_t)s->line[3];
		s->at = ECS_RTSP_START;
		s->n = 0;
		return true;
	}
	if (b != '\n') {
		if (s->n < ECS_RTSP_LINE_MAX)
			s->line[s->n++] = (char)b;
		else
			s->cut = true;
		/* what is no text is no request */
		return s->at != ECS_RTSP_START || (!s->cut && ((b >= ' ' && b < 0x7f) || b == '\r'));
	}
	good = line(r, s);
	s->n = 0;
	s->cut = false;
	return good;
}

static bool feed(struct ecs_rtsp *r, struct ecs_rtsp_side *s, const uint8_t *data, size_t len)
{
	if (!data)
		return false;
	while (len) {
		size_t n = s->skip < len ? s->skip : len;

		s->skip -= (uint32_t)n;
		data += n;
		len -= n;
		if (len == 0)
			break;
		if (!byte(r, s, *data))
			return false;
		data++;
		len--;
	}
	return true;
}

bool ecs_rtsp_to(struct ecs_rtsp *r, const uint8_t *data, size_t len)
{
	return feed(r, &r->to, data, len);
}

bool ecs_rtsp_from(struct ecs_rtsp *r, const uint8_t *data, size_t len)
{
	return feed(r, &r->from, data, len);
}
