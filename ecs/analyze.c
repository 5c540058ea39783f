#include "config.h"
#include "ecs/analyze.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/dns.h"
#include "ecs/tls_hello.h"
#include "srp/err.h"

#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define TLS_HANDSHAKE 22u
#define DNS_PREFIX 2u /* length of a message over TCP */

bool ecs_analysis_init(struct ecs_analysis *a, struct ecs_needs needs, uint8_t proto,
                       uint16_t server_port, enum ecs_dir opener,
                       const struct ecs_crypto *crypto)
{
	a->needs = needs;
	a->proto = proto;
	a->opener = opener;
	a->dns_port = server_port == ECS_DNS_PORT;
	a->stage = ECS_STAGE_OVER;
	if (needs.dns && a->dns_port && (proto == PROTO_TCP || proto == PROTO_UDP))
		a->stage = ECS_STAGE_DNS;
	else if (proto == PROTO_TCP && (needs.http || needs.tls))
		a->stage = ECS_STAGE_OPEN;
	else if (proto == PROTO_UDP && needs.quic && crypto)
		a->stage = ECS_STAGE_OPEN;
	a->crypto = crypto;
	a->http.want_headers = needs.headers;
	a->http.every = needs.every;
	a->replied = !needs.reply || a->stage != ECS_STAGE_OPEN; /* only HTTP has responses */
	if (a->stage == ECS_STAGE_OVER)
		a->l7.mute = ECS_WHO_ALL;
	else if (a->stage == ECS_STAGE_DNS)
		a->l7.mute = ECS_WHO_ALL & ~ECS_WHO_DNS;
	else
		a->l7.mute = proto == PROTO_TCP ? ECS_WHO_DNS | ECS_WHO_QUIC
		                                : ECS_WHO_ALL & ~ECS_WHO_QUIC;
	if (needs.app)
		a->app = ecs_app_flow_new();
	if (needs.rtsp && proto == PROTO_TCP)
		a->rtsp = calloc(1, sizeof(*a->rtsp));
	return a->stage != ECS_STAGE_OVER || a->app || a->rtsp;
}

static void forget(struct ecs_analysis *a)
{
	free(a->buf);
	a->buf = NULL;
	a->len = a->cap = 0;
}

void ecs_analysis_fini(struct ecs_analysis *a)
{
	ecs_stream_fini(&a->stream);
	ecs_stream_fini(&a->back);
	ecs_http_fini(&a->http);
	ecs_response_fini(&a->response);
	ecs_quic_fini(&a->quic);
	forget(a);
	free(a->name);
	free(a->rtsp);
	a->rtsp = NULL;
	ecs_app_flow_free(a->app);
	a->app = NULL;
	a->name = NULL;
}

bool ecs_analysis_spoken(const struct ecs_analysis *a)
{
	return a->answered || a->l7.app || a->l7.app_master;
}

bool ecs_analysis_is_message(const struct ecs_analysis *a)
{
	return a->stage == ECS_STAGE_DNS && a->proto == PROTO_UDP && !a->app;
}

static void stage_over(struct ecs_analysis *a)
{
	if (a->stage == ECS_STAGE_OVER)
		return;
	forget(a);
	a->stage = ECS_STAGE_OVER;
	a->l7.mute = ECS_WHO_ALL;
	a->news = true;
}

/* Gathers bytes up to a limit; false when that is reached, or memory is short. */
static bool gather(struct ecs_analysis *a, const uint8_t *data, size_t len, size_t max)
{
	if (len > max - a->len)
		len = max - a->len;
	if (len == 0)
		return false;
	if (a->len + len > a->cap) {
		size_t cap = a->cap ? a->cap : 1024;
		uint8_t *b;

		while (cap < a->len + len)
			cap *= 2;
		b = realloc(a->buf, cap);
		if (!b)
			return false;
		a->buf = b;
		a->cap = cap;
	}
	memcpy(a->buf + a->len, data, len);
	a->len += len;
	return true;
}

static const char *keep_name(struct ecs_analysis *a, const char *text)
{
	char *copy = strdup(text);

	free(a->name);
	a->name = copy;
	a->answered = true;
	a->news = true;
	return copy;
}

static void feed_http(struct ecs_analysis *a, const uint8_t *data, size_t len)
{
	unsigned n = ecs_http_feed(&a->http, data, len);

	if (n) {
		a->l7.http_host = a->http.host;
		a->l7.http_url = a->http.url;
		a->l7.http_user_agent = a->http.user_agent;
		a->l7.http_domain = a->http.domain;
		a->l7.http_uri = a->http.uri;
		a->l7.http_headers = a->http.headers;
		a->l7.http_method = a->http.method;
		if (a->needs.reply) { /* what is known of an answer was of the request before */
			a->l7.http_code = 0;
			a->l7.http_type = NULL;
			a->response.head = a->http.is_head;
			a->replied = false;
			a->l7.mute &= (uint8_t)~ECS_WHO_REPLY;
		}
		a->l7.mute |= ECS_WHO_HTTP;
		a->ctr->http_requests += n;
		a->head_seen = a->http.behind <= len;
		a->head_end = a->stream.next - (uint32_t)a->http.behind;
		a->answered = true;
		a->news = true;
	}
	if (a->http.state == ECS_HTTP_OVER)
		stage_over(a);
}

static void feed_tls(struct ecs_analysis *a, const uint8_t *data, size_t len)
{
	char name[ECS_TLS_NAME_MAX + 1];
	int err;

	if (!data || !gather(a, data, len, ECS_TLS_HELLO_MAX)) {
		stage_over(a);
		return;
	}
	if (a->len < a->need)
		return;
	err = ecs_tls_server_name(a->buf, a->len, name, &a->need);
	if (err == SRP_EAGAIN)
		return;
	if (err == 0 || err == SRP_ENOENT) {
		a->ctr->tls_hellos++;
		a->l7.tls = true;
		a->answered = true;
	}
	if (err == 0)
		a->l7.tls_sni = keep_name(a, name);
	stage_over(a);
}

static void dns_message(struct ecs_analysis *a, const uint8_t *msg, size_t len)
{
	char name[ECS_DNS_NAME_MAX + 1];

	if (ecs_dns_question(msg, len, name) != 0)
		return;
	a->ctr->dns_queries++;
	a->l7.mute = ECS_WHO_ALL;
	if (!a->l7.dns_query || strcmp(a->l7.dns_query, name) != 0)
		a->l7.dns_query = keep_name(a, name);
}

/* Bytes to gather of a message over TCP: its length (RFC 1035 4.2.2), then as much as the question
 * can take. */
static size_t dns_want(const struct ecs_analysis *a, size_t *message)
{
	if (a->len < DNS_PREFIX)
		return DNS_PREFIX;
	*message = (size_t)a->buf[0] << 8 | a->buf[1];
	return DNS_PREFIX + (*message < ECS_DNS_HEAD_MAX ? *message : ECS_DNS_HEAD_MAX);
}

static void feed_dns(struct ecs_analysis *a, const uint8_t *data, size_t len)
{
	size_t n, want, message = 0;

	if (!data) {
		stage_over(a);
		return;
	}
	for (; len; data += n, len -= n) {
		if (a->skip) {
			n = a->skip < len ? a->skip : len;
			a->skip -= n;
			continue;
		}
		want = dns_want(a, &message);
		n = want - a->len < len ? want - a->len : len;
		if (!gather(a, data, n, DNS_PREFIX + ECS_DNS_HEAD_MAX)) {
			stage_over(a);
			return;
		}
		if (a->len < DNS_PREFIX || a->len < dns_want(a, &message))
			continue;
		want = a->len - DNS_PREFIX;
		dns_message(a, a->buf + DNS_PREFIX, want);
		a->skip = message - want;
		a->len = 0;
	}
}

/* RTSP is tried beside the others: what it is says the first line, and nothing else takes that for its
 * own. Who has found out what is set up takes it from here; after that nothing is left of it. */
static void feed_rtsp(struct ecs_analysis *a, bool back, const uint8_t *data, size_t len)
{
	bool goes_on = back ? ecs_rtsp_from(a->rtsp, data, len) : ecs_rtsp_to(a->rtsp, data, len);

	if (a->rtsp->known && !a->l7.rtsp) {
		a->ctr->rtsp_sessions++;
		a->l7.rtsp = a->answered = a->replied = a->news = true;
	}
	if (goes_on)
		return;
	a->rtsp->over = true;
	a->news |= !a->l7.rtsp;
}

/* Names the protocol by the first byte that the opener sent. */
static enum ecs_analysis_stage recognize(const struct ecs_analysis *a, uint8_t first)
{
	if (first == TLS_HANDSHAKE && a->needs.tls)
		return ECS_STAGE_TLS;
	if (a->needs.http && ((first >= 'A' && first <= 'Z') || first == '\r' || first == '\n'))
		return ECS_STAGE_HTTP;
	return ECS_STAGE_OVER;
}

static void in_order(void *arg, const uint8_t *data, size_t len)
{
	struct ecs_analysis *a = arg;

	if (a->rtsp && !a->rtsp->over)
		feed_rtsp(a, false, data, len);
	if (a->stage == ECS_STAGE_OPEN) {
		enum ecs_analysis_stage st = data ? recognize(a, data[0]) : ECS_STAGE_OVER;

		if (st == ECS_STAGE_OVER) {
			stage_over(a);
		} else {
			a->stage = st;
			a->l7.mute |= st == ECS_STAGE_TLS ? ECS_WHO_HTTP | ECS_WHO_REPLY
			                                  : ECS_WHO_TLS;
		}
	}
	switch (a->stage) {
	case ECS_STAGE_HTTP:
		feed_http(a, data, len);
		break;
	case ECS_STAGE_TLS:
		feed_tls(a, data, len);
		break;
	case ECS_STAGE_DNS:
		feed_dns(a, data, len);
		break;
	case ECS_STAGE_QUIC:
	case ECS_STAGE_OPEN:
	case ECS_STAGE_OVER:
		break;
	}
}

/* Bytes of the other side, in order. */
static void in_order_back(void *arg, const uint8_t *data, size_t len)
{
	struct ecs_analysis *a = arg;

	if (a->rtsp && !a->rtsp->over)
		feed_rtsp(a, true, data, len);
	if (a->needs.reply && a->stage != ECS_STAGE_OVER &&
	    ecs_response_feed(&a->response, data, len)) {
		a->ctr->http_responses++;
		a->l7.http_code = a->response.code;
		a->l7.http_type = a->response.type[0] ? a->response.type : NULL;
		a->replied = true;
		a->l7.mute |= ECS_WHO_REPLY;
		a->news = true;
	}
}

/* Where the other side's bytes begin whose SYN was not seen: where the opener says so, unless that cannot be. */
static uint32_t begin_of_back(const struct ecs_analysis *a, uint32_t seq)
{
	return a->acked && seq - a->ack < ECS_STREAM_RANGE ? a->ack : seq;
}

static void read_back(struct ecs_analysis *a, const struct ecs_packet *p)
{
	uint32_t seq = p->tcp_seq;

	if (!a->back.all)
		a->back.all = a->stream.all;
	a->back.wait_ms = a->stream.wait_ms;
	if (p->tcp_flags & ECS_TCP_SYN) {
		ecs_stream_syn(&a->back, seq);
		seq++;
	}
	if (p->payload_len == 0 || (a->response.state == ECS_RESPONSE_OVER && !a->rtsp))
		return;
	a->ctr->analyzer_bytes += p->payload_len;
	if (!a->back.started)
		ecs_stream_syn(&a->back, begin_of_back(a, seq) - 1);
	ecs_stream_push(&a->back, seq, p->payload, p->payload_len, in_order_back, a);
	if (p->frag == ECS_FRAG_FIRST || p->cap < p->len) {
		a->back.next += (uint32_t)(p->len - p->cap);
		in_order_back(a, NULL, 0);
	}
}

static void read_quic(struct ecs_analysis *a, const struct ecs_packet *p)
{
	char name[ECS_TLS_NAME_MAX + 1];
	int err;

	if (a->stage == ECS_STAGE_OPEN) {
		if (!ecs_quic_is_initial(p->payload, p->payload_len)) {
			stage_over(a);
			return;
		}
		a->stage = ECS_STAGE_QUIC;
	}
	a->ctr->analyzer_bytes += p->payload_len;
	err = ecs_quic_datagram(&a->quic, a->crypto, p->payload, p->payload_len, name);
	if (err == SRP_EAGAIN)
		return;
	if (err == 0 || err == SRP_ENOENT)
		a->ctr->quic_hellos++;
	if (err == 0)
		a->l7.quic_sni = keep_name(a, name);
	ecs_quic_fini(&a->quic);
	stage_over(a);
}

static void read_tcp(struct ecs_analysis *a, const struct ecs_packet *p)
{
	uint32_t seq = p->tcp_seq;

	if (p->tcp_flags & ECS_TCP_SYN) {
		ecs_stream_syn(&a->stream, seq);
		seq++;
	} else if (!a->acked && (p->tcp_flags & ECS_TCP_ACK)) {
		a->acked = true;
		a->ack = p->tcp_ack;
	}
	if (p->payload_len == 0)
		return;
	a->ctr->analyzer_bytes += p->payload_len;
	ecs_stream_push(&a->stream, seq, p->payload, p->payload_len, in_order, a);
	if (p->frag == ECS_FRAG_FIRST || p->cap < p->len) {
		/* the rest of the segment is not here: what follows is not in order */
		a->stream.next += (uint32_t)(p->len - p->cap);
		in_order(a, NULL, 0);
	}
}

static void read_app(struct ecs_analysis *a, struct ecs_app *app, const struct ecs_packet *p,
                     struct srp_time now)
{
	uint16_t was = a->l7.app, master = a->l7.app_master;
	bool over = !app || ecs_app_packet(app, a->app, p, now, &a->l7);

	a->ctr->analyzer_bytes += p->payload_len;
	if (over) {
		ecs_app_flow_free(a->app);
		a->app = NULL;
	}
	if (over || was != a->l7.app || master != a->l7.app_master)
		a->news = true;
}

/* Whether nothing more can be said before something new begins (the next request or question). */
static bool is_final(const struct ecs_analysis *a)
{
	if (a->rtsp && !a->l7.rtsp && !a->rtsp->over)
		return false;
	return !a->app && (a->stage == ECS_STAGE_OVER || (a->answered && a->replied));
}

uint64_t ecs_analysis_timer(struct ecs_analysis *a, struct ecs_counters *ctr)
{
	uint64_t again;

	a->ctr = ctr;
	a->news = false;
	again = ecs_stream_timer(&a->stream, in_order, a);
	a->late |= a->news;
	a->ctr = NULL;
	return again;
}

unsigned ecs_analyze(struct ecs_analysis *a, struct ecs_app *app, const struct ecs_packet *p,
                     struct ecs_counters *ctr, struct srp_time now)
{
	unsigned r = 0;

	a->ctr = ctr;
	a->news = a->late;
	if (a->http.now)
		ecs_http_packet(&a->http);
	a->late = false;
	if (a->app && p->frag != ECS_FRAG_LATER && !p->icmp_error)
		read_app(a, app, p, now);
	if ((a->stage != ECS_STAGE_OVER || a->rtsp) && p->dir == a->opener) {
		if (a->proto == PROTO_TCP)
			read_tcp(a, p);
		else if (a->stage != ECS_STAGE_DNS && p->payload_len)
			read_quic(a, p);
		else if (p->payload_len) {
			a->ctr->analyzer_bytes += p->payload_len;
			dns_message(a, p->payload, p->payload_len);
		}
	}
	if (a->proto == PROTO_TCP && p->dir != a->opener &&
	    ((a->needs.reply && a->stage != ECS_STAGE_OVER) || a->rtsp))
		read_back(a, p);
	if (p->payload_len && !is_final(a) && ++a->packets >= ECS_ANALYZE_PACKETS_MAX) {
		ctr->analyses_given_up++;
		a->replied = true;
		a->l7.mute |= ECS_WHO_REPLY;
		a->packets = 0;
		if (!a->answered)
			stage_over(a);
		if (a->rtsp && !a->l7.rtsp)
			a->rtsp->over = true;
		ecs_app_flow_free(a->app);
		a->app = NULL;
		a->news = true;
	}
	a->l7.final = is_final(a);
	a->ctr = NULL;
	if (a->news)
		r |= ECS_AN_NEWS;
	if (a->rtsp && a->rtsp->over && !a->rtsp->nmedia) {
		free(a->rtsp);
		a->rtsp = NULL;
	}
	if (a->stage == ECS_STAGE_OVER && !a->app && !a->rtsp)
		r |= ECS_AN_OVER;
	return r;
}
