#include "config.h"
#include "ecs/edr.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ecs/app.h"
#include "ecs/session.h"

#define DAY_S 86400

static const char *const stream_names[] = {
#define X(sym, text) [ECS_STREAM_##sym] = (text),
	ECS_RECORD_STREAMS(X)
#undef X
};

const char *ecs_stream_name(enum ecs_record_stream s)
{
	return s < ECS_STREAM__N ? stream_names[s] : "";
}

/* --- text ------------------------------------------------------------------------------------- */

struct out {
	char *p;
	size_t n, cap;
	bool full;
	char delimiter;
};

static void put(struct out *o, const char *s, size_t n)
{
	if (n >= o->cap - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, s, n);
	o->n += n;
}

static void put_char(struct out *o, char c)
{
	put(o, &c, 1);
}

/* A field as RFC 4180 has it: in quotes where it must be. What packets bring is not trusted: a
 * control character would end the line, or be taken for one of ours. */
static void put_text(struct out *o, const char *s)
{
	bool quotes = strchr(s, '"') || strchr(s, o->delimiter) || s[0] == '#';

	if (quotes)
		put_char(o, '"');
	for (; *s; s++) {
		if (*s == '"')
			put_char(o, '"');
		put_char(o, (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
	}
	if (quotes)
		put_char(o, '"');
}

static void put_fmt(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put_fmt(struct out *o, const char *fmt, ...)
{
	char buf[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put(o, buf, strlen(buf));
}

static void put_num(struct out *o, uint64_t v)
{
	put_fmt(o, "%" PRIu64, v);
}

static void put_addr(struct out *o, const struct ecs_addr *a)
{
	char text[64];

	put_text(o, ecs_addr_text(a, text, sizeof(text)));
}

/* --- times ------------------------------------------------------------------------------------ */

struct date {
	unsigned year, month, day, h, m, s, ms;
};

/* The civil date of a time of day. */
static struct date date_of(int64_t s, unsigned ms)
{
	int64_t days = s / DAY_S, left = s % DAY_S, era, y;
	unsigned doe, yoe, doy, mp;
	struct date d = {.ms = ms};

	if (left < 0) {
		left += DAY_S;
		days--;
	}
	d.h = (unsigned)(left / 3600);
	d.m = (unsigned)(left / 60 % 60);
	d.s = (unsigned)(left % 60);
	days += 719468; /* from the first of March of year 0 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = (unsigned)(days - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	d.day = doy - (153 * mp + 2) / 5 + 1;
	d.month = mp < 10 ? mp + 3 : mp - 9;
	y = (int64_t)yoe + era * 400 + (d.month <= 2);
	d.year = (unsigned)y;
	return d;
}

static void put_time(struct out *o, const struct ecs_edr_env *env, const struct ecs_record_field *f,
                     struct srp_time t)
{
	uint64_t ago = srp_time_since(t, env->at), on = srp_time_since(env->at, t);
	uint64_t us = env->wall_us > ago ? env->wall_us - ago + on : on;
	struct date d;

	if (!t.us)
		return;
	d = date_of((int64_t)(us / 1000000) + (f->local ? env->local_s : 0),
	            (unsigned)(us / 1000 % 1000));
	switch ((enum ecs_time_format)f->time) {
	case ECS_TIME_MDY2:
	case ECS_TIME_MDY2_MS:
		put_fmt(o, "%02u/%02u/%02u-%02u:%02u:%02u", d.month, d.day, d.year % 100, d.h, d.m,
		        d.s);
		break;
	case ECS_TIME_MDY4:
	case ECS_TIME_MDY4_MS:
		put_fmt(o, "%02u/%02u/%04u-%02u:%02u:%02u", d.month, d.day, d.year, d.h, d.m, d.s);
		break;
	case ECS_TIME_YMD:
	case ECS_TIME_YMD_MS:
		put_fmt(o, "%04u/%02u/%02u-%02u:%02u:%02u", d.year, d.month, d.day, d.h, d.m, d.s);
		break;
	case ECS_TIME_PLAIN:
	case ECS_TIME_PLAIN_MS:
		put_fmt(o, "%04u%02u%02u%02u%02u%02u", d.year, d.month, d.day, d.h, d.m, d.s);
		break;
	default:
		put_num(o, us / 1000000);
		return;
	}
	if (f->time == ECS_TIME_PLAIN_MS)
		put_fmt(o, "%03u", d.ms);
	else if (f->time == ECS_TIME_MDY2_MS || f->time == ECS_TIME_MDY4_MS ||
	         f->time == ECS_TIME_YMD_MS)
		put_fmt(o, ":%03u", d.ms);
}

static uint64_t seconds(struct srp_time from, struct srp_time to)
{
	return from.us ? srp_time_since(from, to) / 1000000u : 0;
}

/* Attributes of each direction. X(symbol without the direction, volume) */
#define VOLUMES(X)                                                                            \
	X(IP_BYTES, ip.bytes) X(IP_PKTS, ip.pkts) X(TCP_BYTES, tcp.bytes) X(TCP_PKTS, tcp.pkts)   \
	X(CHARGE_IP_BYTES, ip.bytes) X(CHARGE_IP_PKTS, ip.pkts)                               \
	X(CHARGE_TCP_BYTES, tcp.bytes) X(CHARGE_TCP_PKTS, tcp.pkts) X(CHARGE_VOLUME, charged)

/* --- attributes ------------------------------------------------------------------------------- */

static const char *traffic(const struct ecs_flow *f)
{
	const char *text = f ? ecs_enum_text(ECS_F_P2P_TRAFFIC,
	                                     ecs_app_traffic(f->app, f->app_master, false))
	                     : NULL;

	return text ? text : "";
}

/* Applications that carry speech. */
static bool speaks(const struct ecs_flow *f)
{
	uint8_t t = f ? ecs_app_traffic(f->app, f->app_master, false) : ECS_TRAFFIC_NONE;

	return t == ECS_TRAFFIC_AUDIO || t == ECS_TRAFFIC_VOIPOUT ||
	       (f && ecs_app_behavior(f->app, f->app_master) == ECS_BEHAVIOR_VOIP);
}

static unsigned app_protocol(const struct ecs_edr_in *in)
{
	if (in->said && in->said->proto)
		return in->said->proto;
	return in->f && ecs_app_shares_files(in->f->app) ? ECS_PROTO_P2P : ECS_PROTO_UNKNOWN;
}

static const char *direction(const struct ecs_edr_in *in)
{
	if (!in->flow_id)
		return "";
	if (in->unknown || !in->f)
		return "Unknown";
	return in->f->flags & ECS_FLOW_F_FIRST_UP ? "FromMobile" : "ToMobile";
}

static const char *application(const struct ecs_flow *f)
{
	const char *name = f && f->app ? ecs_app_name(f->app) : NULL;

	return name ? name : "";
}

static uint64_t volume(enum ecs_attribute a, const struct ecs_edr_in *in)
{
	switch (a) {
#define X(sym, of)                                                                            \
	case ECS_ATTR_##sym##_UP:                                                             \
		return in->of[0];                                                             \
	case ECS_ATTR_##sym##_DOWN:                                                           \
		return in->of[1];
	VOLUMES(X)
#undef X
	default:
		return in->charged[0] + in->charged[1];
	}
}

static struct srp_time time_of(enum ecs_attribute a, const struct ecs_edr_in *in)
{
	switch (a) {
	case ECS_ATTR_FLOW_START_TIME:
		return in->f ? in->f->created : in->first;
	case ECS_ATTR_FLOW_END_TIME:
		return in->f ? in->f->last : in->last;
	case ECS_ATTR_START_TIME:
		return in->first;
	default:
		return in->last;
	}
}

/* Attributes that are words; NULL: it is none of them. */
static const char *text_of(enum ecs_attribute a, const struct ecs_edr_env *env,
                           const struct ecs_edr_in *in)
{
	switch (a) {
	case ECS_ATTR_CALLING:
		return in->s->spec.imsi;
	case ECS_ATTR_CALLED:
		return in->s->spec.apn;
	case ECS_ATTR_USER_NAME:
		return in->s->spec.username;
	case ECS_ATTR_RULEDEF:
		return in->rule;
	case ECS_ATTR_RULEBASE:
		return in->s->spec.rulebase[0] ? in->s->spec.rulebase : "default";
	case ECS_ATTR_ACTION:
		return in->action;
	case ECS_ATTR_DIRECTION:
		return direction(in);
	case ECS_ATTR_TRAFFIC_TYPE:
		return traffic(in->f);
	case ECS_ATTR_P2P_PROTOCOL:
		return application(in->f);
	case ECS_ATTR_NAS_ADDRESS:
		return env->nas;
	default:
		return NULL;
	}
}

/* Attributes that are numbers; of the others, volumes. */
static uint64_t number_of(enum ecs_attribute a, const struct ecs_edr_in *in)
{
	switch (a) {
	case ECS_ATTR_DURATION:
		return seconds(in->first, in->last);
	case ECS_ATTR_VOIP_DURATION:
		return speaks(in->f) ? seconds(in->first, in->last) : 0;
	case ECS_ATTR_CONTENT_ID:
		return in->content_id;
	case ECS_ATTR_RATING_GROUP:
		return in->rating_group;
	case ECS_ATTR_SERVICE_ID:
		return in->service_id;
	case ECS_ATTR_APP_PROTOCOL:
		return app_protocol(in);
	case ECS_ATTR_PARENT_PROTOCOL:
		return in->child ? ECS_PROTO_RTSP : ECS_PROTO_UNKNOWN;
	case ECS_ATTR_CLOSURE_REASON:
		return in->why;
	default:
		return volume(a, in);
	}
}

static void put_attribute(struct out *o, const struct ecs_record_field *f,
                          const struct ecs_edr_env *env, const struct ecs_edr_in *in)
{
	enum ecs_attribute a = (enum ecs_attribute)f->id;
	const char *text = text_of(a, env, in);

	if (text) {
		put_text(o, text);
		return;
	}
	switch (a) {
	case ECS_ATTR_START_TIME:
	case ECS_ATTR_END_TIME:
	case ECS_ATTR_FLOW_START_TIME:
	case ECS_ATTR_FLOW_END_TIME:
		put_time(o, env, f, time_of(a, in));
		break;
	case ECS_ATTR_SUBSCRIBER_PORT:
		if (in->f)
			put_num(o, in->f->key.subscriber_port);
		break;
	case ECS_ATTR_SERVER_PORT:
		if (in->f)
			put_num(o, in->f->key.server_port);
		break;
	case ECS_ATTR_FLOW_ID:
		if (in->flow_id)
			put_fmt(o, "%08" PRIx32 "-%" PRIu32, in->s->spec.callid, in->flow_id);
		break;
	case ECS_ATTR_SEQUENCE:
		put_char(o, ECS_RECORD_SEQ);
		break;
	default:
		put_num(o, number_of(a, in));
	}
}

/* --- rule-variables --------------------------------------------------------------------------- */

static void put_subscriber(struct out *o, const struct ecs_edr_in *in)
{
	if (in->f)
		put_addr(o, &in->f->key.subscriber);
	else if (in->s->spec.has4)
		put_addr(o, &in->s->spec.v4);
	else
		put_addr(o, &in->s->spec.v6);
}

/* What analyzers have said; NULL: nothing, or a number. */
static const char *said_of(enum ecs_variable v, const struct ecs_said *d)
{
	switch (v) {
	case ECS_VAR_HTTP_HOST:
		return d->host;
	case ECS_VAR_HTTP_URL:
		return d->url;
	case ECS_VAR_HTTP_UA:
		return d->agent;
	case ECS_VAR_HTTP_TYPE:
		return d->type;
	case ECS_VAR_HTTP_METHOD:
		return ecs_enum_text(ECS_F_HTTP_METHOD, d->method);
	case ECS_VAR_DNS_QUERY:
		return d->query;
	case ECS_VAR_TLS_SNI:
		return d->sni;
	default:
		return NULL;
	}
}

static void put_said(struct out *o, enum ecs_variable v, const struct ecs_said *d)
{
	const char *text = said_of(v, d);

	if (text)
		put_text(o, text);
	else if (v == ECS_VAR_HTTP_REPLY && d->code)
		put_num(o, d->code);
}

static void put_variable(struct out *o, enum ecs_variable v, const struct ecs_edr_in *in)
{
	switch (v) {
	case ECS_VAR_IMSI:
		put_text(o, in->s->spec.imsi);
		break;
	case ECS_VAR_RAT_TYPE:
		put_text(o, ecs_rat_text(in->s->rat));
		break;
	case ECS_VAR_QCI:
		put_num(o, in->qci);
		break;
	case ECS_VAR_CHARGING_ID: /* the call's, and which of its bearers */
		put_fmt(o, "%08" PRIx32 "-%u", in->s->spec.callid, in->bearer);
		break;
	case ECS_VAR_SUBSCRIBER:
		put_subscriber(o, in);
		break;
	case ECS_VAR_DST:
		if (in->f && !in->unknown)
			put_addr(o, in->f->flags & ECS_FLOW_F_FIRST_UP ? &in->f->key.server
			                                              : &in->f->key.subscriber);
		break;
	case ECS_VAR_SERVER:
		if (in->f)
			put_addr(o, &in->f->key.server);
		break;
	case ECS_VAR_PROTOCOL:
		if (in->f)
			put_num(o, in->f->key.proto);
		break;
	default: /* IMEI, location and SGSN are not told to us: empty */
		if (in->said)
			put_said(o, v, in->said);
	}
}

/* --- lines ------------------------------------------------------------------------------------ */

size_t ecs_edr_line(const struct ecs_record_format *r, const struct ecs_edr_env *env,
                    const struct ecs_edr_in *in, char *out, size_t cap)
{
	struct out o = {.p = out, .cap = cap, .delimiter = r->tab ? '\t' : ','};

	for (size_t i = 0; i < r->n; i++) {
		const struct ecs_record_field *f = &r->field[i];

		if (i)
			put_char(&o, o.delimiter);
		if (f->what == ECS_RECORD_LABEL)
			put_text(&o, f->label);
		else if (f->what == ECS_RECORD_VARIABLE)
			put_variable(&o, (enum ecs_variable)f->id, in);
		else
			put_attribute(&o, f, env, in);
	}
	if (o.full)
		return 0;
	out[o.n] = '\0';
	return o.n;
}

/* `sn-volume-amt ip bytes uplink` is sn-volume-amt-ip-bytes-uplink, `bearer 3gpp imsi` bearer-3gpp
 * imsi. */
static void put_name(struct out *o, const char *words, bool all)
{
	bool done = false;

	for (; *words; words++) {
		put_char(o, *words == ' ' && (all || !done) ? '-' : *words);
		done = done || *words == ' ';
	}
}

size_t ecs_edr_header(const struct ecs_record_format *r, char *out, size_t cap)
{
	struct out o = {.p = out, .cap = cap, .delimiter = r->tab ? '\t' : ','};

	put_char(&o, '#');
	for (size_t i = 0; i < r->n; i++) {
		const struct ecs_record_field *f = &r->field[i];

		if (i)
			put_char(&o, o.delimiter);
		if (f->what == ECS_RECORD_LABEL)
			put_text(&o, f->label);
		else if (f->what == ECS_RECORD_VARIABLE)
			put_name(&o, ecs_variable_words((enum ecs_variable)f->id), false);
		else
			put_name(&o, ecs_attribute_words((enum ecs_attribute)f->id), true);
	}
	out[o.n] = '\0';
	return o.n;
}
