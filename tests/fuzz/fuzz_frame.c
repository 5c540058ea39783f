/* Bytes of a peer on the control connection. The first byte picks the state of the link, the rest
 * is a stream of frames. What a decoder accepts must survive being sent on: encode, decode,
 * encode. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "srp/beat.h"
#include "srp/hello.h"
#include "srp/link_machine.h"
#include "srp/mp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bodies of both passes; the second must be the first. */
static uint8_t first[SRP_FRAME_BODY_MAX], second[SRP_FRAME_BODY_MAX];

static void must(int fact)
{
	if (!fact)
		abort();
}

#define AGAIN(type, decode, encode) \
	do { \
		type m, again; \
		int n; \
		if (decode(body, len, &m) != 0) \
			break; \
		n = encode(&m, first, sizeof(first)); \
		must(n > 0); \
		must(decode(first, (size_t)n, &again) == 0); \
		must(encode(&again, second, sizeof(second)) == n); \
		must(memcmp(first, second, (size_t)n) == 0); \
	} while (0)

static void one_number(const uint8_t *body, size_t len,
                       int (*decode)(const void *, size_t, uint32_t *),
                       int (*encode)(uint32_t, void *, size_t))
{
	uint32_t v, again;
	int n;

	if (decode(body, len, &v) != 0)
		return;
	n = encode(v, first, sizeof(first));
	must(n > 0 && decode(first, (size_t)n, &again) == 0 && again == v);
}

static void one_abort(const uint8_t *body, size_t len)
{
	char text[SRP_MESSAGE_TEXT_MAX + 1], again[SRP_MESSAGE_TEXT_MAX + 1];
	int n;

	if (srp_switch_abort_decode(body, len, text) != 0)
		return;
	n = srp_switch_abort_encode(text, first, sizeof(first));
	must(n > 0 && srp_switch_abort_decode(first, (size_t)n, again) == 0);
	must(strcmp(text, again) == 0);
}

static void one_body(uint8_t type, const uint8_t *body, size_t len)
{
	switch (type) {
	case SRP_CONTROL_HELLO:
		AGAIN(struct srp_hello, srp_hello_decode, srp_hello_encode);
		break;
	case SRP_CONTROL_SWITCH_PREPARE:
		AGAIN(struct srp_switch_prepare, srp_switch_prepare_decode, srp_switch_prepare_encode);
		break;
	case SRP_CONTROL_SWITCH_READY:
		AGAIN(struct srp_status, srp_switch_ready_decode, srp_switch_ready_encode);
		break;
	case SRP_CONTROL_HANDOVER:
		one_number(body, len, srp_handover_decode, srp_handover_encode);
		break;
	case SRP_CONTROL_TAKEN:
		one_number(body, len, srp_taken_decode, srp_taken_encode);
		break;
	case SRP_CONTROL_SWITCH_ABORT:
		one_abort(body, len);
		break;
	case SRP_CONTROL_CONFIG_CHECK:
		AGAIN(struct srp_config_check, srp_config_check_decode, srp_config_check_encode);
		break;
	case SRP_CONTROL_CONFIG_RESULT:
		AGAIN(struct srp_config_check, srp_config_result_decode, srp_config_result_encode);
		break;
	case SRP_CONTROL_BYE:
		one_number(body, len, srp_bye_decode, srp_bye_encode);
		break;
	case SRP_CONTROL_ERROR:
		AGAIN(struct srp_status, srp_error_decode, srp_error_encode);
		break;
	default:
		abort(); /* a row without a decoder */
	}
}

/* A code that anybody can forge, so that the fields behind it are reached. */
static int no_mac(void *key, const uint8_t *msg, size_t len, uint8_t mac[SRP_BEAT_MAC_LEN])
{
	(void)key;
	(void)msg;
	(void)len;
	memset(mac, 0, SRP_BEAT_MAC_LEN);
	return 0;
}

static void one_beat(const uint8_t *data, size_t size)
{
	uint8_t out[SRP_BEAT_LEN];
	struct srp_beat b;

	if (srp_beat_decode(data, size, no_mac, NULL, &b) == 0) {
		must(srp_beat_encode(&b, no_mac, NULL, out) == 0);
		must(memcmp(out, data, sizeof(out)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct srp_frame_hdr h;
	struct srp_mp_r r;
	unsigned state;

	if (size == 0)
		return 0;
	state = data[0] % SRP_CONN__N;
	data++;
	size--;
	one_beat(data, size);
	r = srp_mp_r_init(data, size);
	while (srp_mp_left(&r))
		srp_mp_skip(&r);
	while (srp_frame_peek(&srp_control_frames, data, size, state, &h) == 0 &&
	       h.len <= size - SRP_FRAME_HDR_LEN) {
		must(h.len <= SRP_FRAME_BODY_MAX && srp_control_frames.row[h.type].name != NULL);
		one_body(h.type, data + SRP_FRAME_HDR_LEN, h.len);
		data += SRP_FRAME_HDR_LEN + h.len;
		size -= SRP_FRAME_HDR_LEN + h.len;
	}
	return 0;
}
