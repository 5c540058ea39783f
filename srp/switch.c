/* Bodies of the messages of a planned switchover, of configuration validation, BYE and ERROR. */
#include "config.h"
#include "srp/hello.h"

#include "srp/err.h"
#include "srp/message.h"

#define STATUS_MAX 255u

/* Writes at most SRP_MESSAGE_TEXT_MAX bytes, and none that a decoder refuses. */
static void put_text(struct srp_mp_w *w, const char *text)
{
	char s[SRP_MESSAGE_TEXT_MAX + 1];
	size_t n = 0;

	for (; text[n] && n < SRP_MESSAGE_TEXT_MAX; n++)
		s[n] = text[n] < 0x20 || text[n] > 0x7e ? '?' : text[n];
	srp_mp_w_strn(w, s, n);
}

/* Codes travel as their magnitude. */
static void put_status(struct srp_mp_w *w, const struct srp_status *s)
{
	srp_mp_w_uint(w, s->status < 0 && s->status >= -(int)STATUS_MAX ? (unsigned)-s->status :
	                 s->status ? STATUS_MAX : 0u);
	put_text(w, s->text);
}

static void get_status(struct srp_mp_r *r, struct srp_status *s)
{
	s->status = -(int)srp_mp_uint(r, STATUS_MAX);
	srp_message_text(r, s->text, sizeof(s->text));
}

/* Ends a decode: what a newer peer appended, then nothing. */
static int finish(struct srp_mp_r *r, uint32_t more)
{
	srp_message_close(r, more);
	return srp_mp_finish(r);
}

int srp_switch_prepare_encode(const struct srp_switch_prepare *m, void *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	if (m->term == 0 || m->reason > UINT8_MAX || m->timeout_ms > SRP_INTERVAL_MS_MAX)
		return SRP_EINVAL;
	srp_mp_w_array(&w, 5);
	srp_mp_w_uint(&w, m->id);
	srp_mp_w_uint(&w, m->term);
	srp_mp_w_uint(&w, m->reason);
	srp_mp_w_uint(&w, m->timeout_ms);
	srp_mp_w_bool(&w, m->force);
	return srp_message_done(&w);
}

int srp_switch_prepare_decode(const void *body, size_t len, struct srp_switch_prepare *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t more = srp_message_open(&r, 5);
	struct srp_switch_prepare m;
	int err;

	m.id = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	m.term = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	m.reason = (uint32_t)srp_mp_uint(&r, UINT8_MAX);
	m.timeout_ms = (uint32_t)srp_mp_uint(&r, SRP_INTERVAL_MS_MAX);
	m.force = srp_mp_bool(&r);
	if (m.term == 0)
		srp_mp_fail(&r, SRP_ERANGE);
	err = finish(&r, more);
	if (err == 0)
		*out = m;
	return err;
}

int srp_switch_ready_encode(const struct srp_status *m, void *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, m->id);
	put_status(&w, m);
	return srp_message_done(&w);
}

int srp_switch_ready_decode(const void *body, size_t len, struct srp_status *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t more = srp_message_open(&r, 3);
	struct srp_status m = {.id = (uint32_t)srp_mp_uint(&r, UINT32_MAX)};
	int err;

	get_status(&r, &m);
	err = finish(&r, more);
	if (err == 0)
		*out = m;
	return err;
}

int srp_error_encode(const struct srp_status *m, void *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, 2);
	put_status(&w, m);
	return srp_message_done(&w);
}

int srp_error_decode(const void *body, size_t len, struct srp_status *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t more = srp_message_open(&r, 2);
	struct srp_status m = {.id = 0};
	int err;

	get_status(&r, &m);
	err = finish(&r, more);
	if (err == 0)
		*out = m;
	return err;
}

int srp_switch_abort_encode(const char *text, void *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, 1);
	put_text(&w, text);
	return srp_message_done(&w);
}

int srp_switch_abort_decode(const void *body, size_t len, char text[SRP_MESSAGE_TEXT_MAX + 1])
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t more = srp_message_open(&r, 1);
	char s[SRP_MESSAGE_TEXT_MAX + 1];
	int err;

	srp_message_text(&r, s, sizeof(s));
	err = finish(&r, more);
	if (err == 0)
		memcpy(text, s, strlen(s) + 1);
	return err;
}

/* One number from lo to hi. */
static int number_encode(uint32_t v, uint32_t lo, uint32_t hi, void *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	if (v < lo || v > hi)
		return SRP_EINVAL;
	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, v);
	return srp_message_done(&w);
}

static int number_decode(const void *body, size_t len, uint32_t lo, uint32_t hi, uint32_t *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t more = srp_message_open(&r, 1);
	uint32_t v = (uint32_t)srp_mp_uint(&r, hi);
	int err;

	if (v < lo)
		srp_mp_fail(&r, SRP_ERANGE);
	err = finish(&r, more);
	if (err == 0)
		*out = v;
	return err;
}

int srp_handover_encode(uint32_t term, void *buf, size_t cap)
{
	return number_encode(term, 1, UINT32_MAX, buf, cap);
}

int srp_handover_decode(const void *body, size_t len, uint32_t *term)
{
	return number_decode(body, len, 1, UINT32_MAX, term);
}

int srp_taken_encode(uint32_t term, void *buf, size_t cap)
{
	return number_encode(term, 1, UINT32_MAX, buf, cap);
}

int srp_taken_decode(const void *body, size_t len, uint32_t *term)
{
	return number_decode(body, len, 1, UINT32_MAX, term);
}

int srp_bye_encode(uint32_t reason, void *buf, size_t cap)
{
	return number_encode(reason, 0, UINT8_MAX, buf, cap);
}

int srp_bye_decode(const void *body, size_t len, uint32_t *reason)
{
	return number_decode(body, len, 0, UINT8_MAX, reason);
}

static int check_encode(const struct srp_config_check *m, bool result, void *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, result ? 4 : 2);
	srp_mp_w_uint(&w, m->id);
	srp_mp_w_uint(&w, m->digest);
	if (result)
		put_status(&w, &m->st);
	return srp_message_done(&w);
}

static int check_decode(const void *body, size_t len, bool result, struct srp_config_check *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t more = srp_message_open(&r, result ? 4 : 2);
	struct srp_config_check m = {0};
	int err;

	m.id = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	m.digest = srp_mp_uint(&r, UINT64_MAX);
	if (result)
		get_status(&r, &m.st);
	err = finish(&r, more);
	if (err == 0)
		*out = m;
	return err;
}

int srp_config_check_encode(const struct srp_config_check *m, void *buf, size_t cap)
{
	return check_encode(m, false, buf, cap);
}

int srp_config_check_decode(const void *body, size_t len, struct srp_config_check *out)
{
	return check_decode(body, len, false, out);
}

int srp_config_result_encode(const struct srp_config_check *m, void *buf, size_t cap)
{
	return check_encode(m, true, buf, cap);
}

int srp_config_result_decode(const void *body, size_t len, struct srp_config_check *out)
{
	return check_decode(body, len, true, out);
}
