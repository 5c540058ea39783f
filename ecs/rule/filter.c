#include "config.h"
#include "ecs/rule/filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/flow.h"
#include "ecs/rule/option.h"
#include "ecs/rule/service_impl.h"

#define LINE_LEN 128
#define TCP      6
#define UDP      17

#define ECS_FILTER(sym, ...)                                                                  \
	static ecs_option_set_fn filter_##sym##_set;                                          \
	static ecs_option_print_fn filter_##sym##_print;
#include "ecs/rule/filter.def"
#undef ECS_FILTER

static const struct ecs_option rows[] = {
#define ECS_FILTER(sym, words_, pattern, help)                                                    \
	{.words = words_, .type = ECS_OPTION_OWN, .set = filter_##sym##_set,                       \
	 .print = filter_##sym##_print},
#include "ecs/rule/filter.def"
#undef ECS_FILTER
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const dir_words[] = {
#define X(sym, text) [ECS_FILTER_##sym] = text,
	ECS_FILTER_DIRS(X)
#undef X
};

/* --- commands --------------------------------------------------------------------------------- */

static int filter_DIRECTION_set(void *obj, enum ecs_form form, struct ecs_words w,
                                struct ecs_err *e)
{
	struct ecs_packet_filter *f = obj;
	unsigned dir = ECS_FILTER_BOTH;
	int rc;

	while (form == ECS_FORM_SET && dir < ECS_FILTER_DIR__N && !ecs_words_take(&w, dir_words[dir]))
		dir++;
	if (dir == ECS_FILTER_DIR__N)
		return ecs_refuse(e, SRP_EINVAL, "expected a direction");
	rc = ecs_words_end(&w, e);
	if (rc == 0)
		f->dir = (enum ecs_filter_dir)dir;
	return rc;
}

static void filter_DIRECTION_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_packet_filter *f = obj;
	char line[LINE_LEN];

	if (f->dir == ECS_FILTER_BOTH)
		return;
	snprintf(line, sizeof(line), "direction %s", dir_words[f->dir]);
	put(arg, line);
}

static int take_ports(struct ecs_words *w, enum ecs_form form, struct ecs_port_range *out,
                      struct ecs_err *e)
{
	uint32_t lo = 0, hi = 0;
	bool range = false;
	int rc = 0;

	if (form == ECS_FORM_SET) {
		range = ecs_words_take(w, "range");
		if (!range && !ecs_words_take(w, "="))
			return ecs_refuse(e, SRP_EINVAL, "expected = or range");
		rc = ecs_words_num(w, "port", 1, 65535, &lo, e);
		hi = lo;
	}
	if (rc == 0 && range) {
		if (!ecs_words_take(w, "to"))
			return ecs_refuse(e, SRP_EINVAL, "expected to");
		rc = ecs_words_num(w, "port", 1, 65535, &hi, e);
		if (rc == 0 && hi <= lo)
			rc = ecs_refuse(e, SRP_ERANGE, "expected an end greater than %" PRIu32, lo);
	}
	if (rc == 0)
		rc = ecs_words_end(w, e);
	if (rc == 0)
		*out = (struct ecs_port_range){(uint16_t)lo, (uint16_t)hi};
	return rc;
}

static void print_ports(const struct ecs_port_range *r, const char *words, ecs_option_put_fn *put,
                        void *arg)
{
	char line[LINE_LEN];

	if (!r->hi)
		return;
	if (r->lo == r->hi)
		snprintf(line, sizeof(line), "%s = %u", words, r->lo);
	else
		snprintf(line, sizeof(line), "%s range %u to %u", words, r->lo, r->hi);
	put(arg, line);
}

static int filter_LOCAL_PORT_set(void *obj, enum ecs_form form, struct ecs_words w,
                                 struct ecs_err *e)
{
	return take_ports(&w, form, &((struct ecs_packet_filter *)obj)->local, e);
}

static void filter_LOCAL_PORT_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	print_ports(&((const struct ecs_packet_filter *)obj)->local, "ip local-port", put, arg);
}

static int filter_REMOTE_PORT_set(void *obj, enum ecs_form form, struct ecs_words w,
                                  struct ecs_err *e)
{
	return take_ports(&w, form, &((struct ecs_packet_filter *)obj)->remote, e);
}

static void filter_REMOTE_PORT_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	print_ports(&((const struct ecs_packet_filter *)obj)->remote, "ip remote-port", put, arg);
}

/** `= N`, and nothing behind it; 0 where the command is unset. */
static int take_equal(struct ecs_words *w, enum ecs_form form, const char *what, uint32_t most,
                      uint32_t *out, struct ecs_err *e)
{
	*out = 0;
	if (form != ECS_FORM_SET)
		return 0;
	if (!ecs_words_take(w, "="))
		return ecs_refuse(e, SRP_EINVAL, "expected =");
	return ecs_words_num(w, what, 0, most, out, e);
}

static int filter_PROTOCOL_set(void *obj, enum ecs_form form, struct ecs_words w,
                               struct ecs_err *e)
{
	struct ecs_packet_filter *f = obj;
	uint32_t v;
	int rc = take_equal(&w, form, "protocol", 255, &v, e);

	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	f->has_proto = form == ECS_FORM_SET;
	f->proto = (uint8_t)v;
	return 0;
}

static void filter_PROTOCOL_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_packet_filter *f = obj;
	char line[LINE_LEN];

	if (!f->has_proto)
		return;
	snprintf(line, sizeof(line), "ip protocol = %u", f->proto);
	put(arg, line);
}

/** Clears what is behind the prefix; @p len within the family. */
static void mask_host(struct ecs_addr *a, unsigned len)
{
	unsigned bits = ecs_addr_is4(a) ? 96 + len : len;

	for (unsigned i = 0; i < 16; i++) {
		if (bits >= 8) {
			bits -= 8;
			continue;
		}
		a->b[i] = (uint8_t)(a->b[i] & (0xff00u >> bits));
		bits = 0;
	}
}

static int take_prefix(const char *t, struct ecs_packet_filter *f, struct ecs_err *e)
{
	char text[64];
	const char *slash = t ? strchr(t, '/') : NULL;
	const char *word = text;
	struct ecs_words w = {&word, 1}, length = {NULL, 1};
	size_t n = slash ? (size_t)(slash - t) : t ? strlen(t) : sizeof(text);
	struct ecs_addr a;
	uint32_t len, most;
	int rc;

	if (n >= sizeof(text))
		return ecs_refuse(e, SRP_EINVAL, "expected an address or prefix");
	memcpy(text, t, n);
	text[n] = '\0';
	rc = ecs_words_addr(&w, &a, e);
	if (rc)
		return rc;
	len = most = ecs_addr_is4(&a) ? 32 : 128;
	if (slash) {
		const char *digits = slash + 1;

		length.w = &digits;
		rc = ecs_words_num(&length, "prefix length", 0, most, &len, e);
	}
	if (rc)
		return rc;
	mask_host(&a, len);
	f->remote_addr = a;
	f->remote_len = (uint8_t)len;
	f->has_remote_addr = true;
	return 0;
}

static int filter_REMOTE_ADDRESS_set(void *obj, enum ecs_form form, struct ecs_words w,
                                     struct ecs_err *e)
{
	struct ecs_packet_filter *f = obj, to = *f;
	int rc = 0;

	to.has_remote_addr = false;
	to.remote_addr = (struct ecs_addr){{0}};
	to.remote_len = 0;
	if (form == ECS_FORM_SET && !ecs_words_take(&w, "="))
		return ecs_refuse(e, SRP_EINVAL, "expected =");
	if (form == ECS_FORM_SET)
		rc = take_prefix(ecs_words_next(&w), &to, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		*f = to;
	return rc;
}

static void filter_REMOTE_ADDRESS_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_packet_filter *f = obj;
	char line[LINE_LEN], text[48];

	if (!f->has_remote_addr)
		return;
	snprintf(line, sizeof(line), "ip remote-address = %s/%u",
	         ecs_addr_word(&f->remote_addr, text), f->remote_len);
	put(arg, line);
}

static int filter_TOS_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_packet_filter *f = obj;
	uint32_t v, mask = 0;
	int rc = take_equal(&w, form, "tos-traffic-class", 255, &v, e);

	if (rc == 0 && form == ECS_FORM_SET && !ecs_words_take(&w, "mask"))
		rc = ecs_refuse(e, SRP_EINVAL, "expected mask");
	if (rc == 0)
		rc = take_equal(&w, form, "mask", 255, &mask, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	f->has_tos = form == ECS_FORM_SET;
	f->tos = (uint8_t)v;
	f->tos_mask = (uint8_t)mask;
	return 0;
}

static void filter_TOS_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_packet_filter *f = obj;
	char line[LINE_LEN];

	if (!f->has_tos)
		return;
	snprintf(line, sizeof(line), "ip tos-traffic-class = %u mask = %u", f->tos, f->tos_mask);
	put(arg, line);
}

static int filter_PRIORITY_set(void *obj, enum ecs_form form, struct ecs_words w,
                               struct ecs_err *e)
{
	struct ecs_packet_filter *f = obj;
	uint32_t v = 0;
	int rc = form == ECS_FORM_SET ? ecs_words_num(&w, "priority", 0, 255, &v, e) : 0;

	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		f->priority = form == ECS_FORM_SET ? (int)v : -1;
	return rc;
}

static void filter_PRIORITY_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_packet_filter *f = obj;
	char line[LINE_LEN];

	if (f->priority < 0)
		return;
	snprintf(line, sizeof(line), "priority %d", f->priority);
	put(arg, line);
}

/* --- the objects ------------------------------------------------------------------------------ */

struct ecs_packet_filter *ecs_service_packet_filter(struct ecs_service *s, const char *name,
                                                    bool no, struct ecs_err *e)
{
	struct packet_filter *f;
	struct obj *o;

	if (e)
		e->text[0] = '\0';
	if (ecs_rule_open(s, e) || ecs_obj_open(&s->filters, name, no, e, &o) || !o)
		return NULL;
	f = (struct packet_filter *)(void *)o;
	if (!f->pub.name[0]) {
		ecs_options_init(rows, NROWS, &f->pub);
		ecs_name_copy(f->pub.name, name);
	}
	return &f->pub;
}

int ecs_packet_filter_set(struct ecs_packet_filter *f, enum ecs_form form, const char *const *w,
                          size_t n, struct ecs_err *e)
{
	return ecs_options_set(rows, NROWS, f, form, w, n, e);
}

void ecs_filter_print(const struct ecs_packet_filter *f, void (*put)(void *arg, const char *line),
                      void *arg)
{
	ecs_options_print(rows, NROWS, f, false, put, arg);
}

const struct ecs_packet_filter *ecs_service_find_filter(const struct ecs_service *s,
                                                        const char *name)
{
	const struct obj *o = ecs_obj_find(&s->filters, name);

	return o ? &((const struct packet_filter *)(const void *)o)->pub : NULL;
}

/* --- matching --------------------------------------------------------------------------------- */

static bool in_prefix(const struct ecs_addr *a, const struct ecs_addr *prefix, unsigned len)
{
	struct ecs_addr m = *a;

	if (ecs_addr_is4(a) != ecs_addr_is4(prefix))
		return false;
	mask_host(&m, len);
	return memcmp(&m, prefix, sizeof(m)) == 0;
}

static bool in_ports(const struct ecs_port_range *r, uint16_t port, bool has_ports)
{
	return !r->hi || (has_ports && port >= r->lo && port <= r->hi);
}

bool ecs_filter_means(const struct ecs_packet_filter *f, const struct ecs_flow_key *k,
                      enum ecs_dir dir, int tos)
{
	bool ports = k->proto == TCP || k->proto == UDP;

	if (f->dir != ECS_FILTER_BOTH && (f->dir == ECS_FILTER_UPLINK) != (dir == ECS_UPLINK))
		return false;
	if (f->has_proto && f->proto != k->proto)
		return false;
	if (f->has_remote_addr && !in_prefix(&k->server, &f->remote_addr, f->remote_len))
		return false;
	if (f->has_tos && (tos < 0 || ((tos ^ f->tos) & f->tos_mask)))
		return false;
	return in_ports(&f->local, k->subscriber_port, ports) &&
	       in_ports(&f->remote, k->server_port, ports);
}
