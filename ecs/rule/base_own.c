#include "config.h"
#include "ecs/rule/base_own.h"

#include <inttypes.h>
#include <stdio.h>

#include "ecs/rule/service_impl.h"

#define LINE_LEN         512
#define LINGER_DEFAULT_S 2u
#define ORDER_DEFAULT_MS 5000u

/* --- dynamic-rule order ----------------------------------------------------------------------- */

int base_DYNAMIC_ORDER_set(void *obj, enum ecs_form form, struct ecs_words w,
                           struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	bool tied = form == ECS_FORM_SET && ecs_words_take(&w, "first-if-tied");
	int rc;

	if (form == ECS_FORM_SET && !tied && !ecs_words_take(&w, "always-first"))
		return ecs_refuse(e, SRP_EINVAL, "expected always-first or first-if-tied");
	rc = ecs_words_end(&w, e);
	if (rc == 0)
		c->first_if_tied = tied;
	return rc;
}

void base_DYNAMIC_ORDER_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	if (c->first_if_tied)
		put(arg, "dynamic-rule order first-if-tied");
}

void base_DYNAMIC_ORDER_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "Dynamic Rule Order", c->first_if_tied ? "first-if-tied" : "always-first");
}

/* --- flow control-handshaking ----------------------------------------------------------------- */

static const struct {
	const char *word;
	unsigned bit;
} handshakes[] = {{"all-packets", ECS_HS_ALL_PACKETS},
                  {"initial-packets", ECS_HS_INITIAL},
                  {"mid-session-packets", ECS_HS_MID_SESSION},
                  {"tear-down-packets", ECS_HS_TEAR_DOWN}};

#define NHANDSHAKES (sizeof(handshakes) / sizeof(handshakes[0]))

int base_HANDSHAKING_set(void *obj, enum ecs_form form, struct ecs_words w,
                         struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	unsigned bits = 0, before = ~0u;
	int rc;

	if (form == ECS_FORM_SET && ecs_words_take(&w, "charge-to-application")) {
		while (bits != before) {
			before = bits;
			for (size_t i = 0; i < NHANDSHAKES; i++)
				if (ecs_words_take(&w, handshakes[i].word))
					bits |= handshakes[i].bit;
		}
		if (!bits)
			return ecs_refuse(e, SRP_EINVAL, "expected all-packets, initial-packets, "
			                  "mid-session-packets or tear-down-packets");
	} else if (form == ECS_FORM_SET && !ecs_words_take(&w, "charge-separate-from-application")) {
		return ecs_refuse(e, SRP_EINVAL, "expected charge-to-application or "
		                  "charge-separate-from-application");
	}
	rc = ecs_words_end(&w, e);
	if (rc == 0)
		c->handshaking = bits;
	return rc;
}

static void handshaking_text(unsigned bits, char *buf, size_t cap)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < NHANDSHAKES; i++)
		if (bits & handshakes[i].bit)
			n += (size_t)snprintf(buf + n, cap - n, "%s%s", n ? " " : "",
			                      handshakes[i].word);
}

void base_HANDSHAKING_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN], text[128];

	if (!c->handshaking)
		return;
	handshaking_text(c->handshaking, text, sizeof(text));
	snprintf(line, sizeof(line), "flow control-handshaking charge-to-application %s", text);
	put(arg, line);
}

void base_HANDSHAKING_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[128];

	handshaking_text(c->handshaking, text, sizeof(text));
	tell(arg, 0, "Control Handshaking Charged To Application",
	     c->handshaking ? text : "Disabled");
}

/* --- pending-traffic-treatment ---------------------------------------------------------------- */

int base_PENDING_TRAFFIC_set(void *obj, enum ecs_form form, struct ecs_words w,
                             struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	bool set = form == ECS_FORM_SET, none = ecs_words_take(&w, "noquota");
	bool used_up = !none && ecs_words_take(&w, "quota-exhausted"), drop = false;
	int rc;

	if (set && !none && !used_up)
		return ecs_refuse(e, SRP_EINVAL, "expected noquota or quota-exhausted");
	if (set) {
		drop = ecs_words_take(&w, "drop");
		if (!drop && !ecs_words_take(&w, "pass"))
			return ecs_refuse(e, SRP_EINVAL, "expected drop or pass");
	}
	rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	if (none || (!set && !used_up))
		c->noquota_drop = set && drop;
	if (used_up || (!set && !none))
		c->exhausted_pass = set && !drop;
	return 0;
}

void base_PENDING_TRAFFIC_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	if (c->noquota_drop)
		put(arg, "pending-traffic-treatment noquota drop");
	if (c->exhausted_pass)
		put(arg, "pending-traffic-treatment quota-exhausted pass");
}

void base_PENDING_TRAFFIC_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "Pending Traffic Treatment", "");
	tell(arg, 1, "No Quota", c->noquota_drop ? "Drop" : "Pass");
	tell(arg, 1, "Quota Exhausted", c->exhausted_pass ? "Pass" : "Drop");
}

/* --- bandwidth default-policy ------------------------------------------------------------------ */

int base_BANDWIDTH_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	char name[ECS_NAME_MAX + 1] = "";
	int rc = 0;

	if (form == ECS_FORM_SET)
		rc = ecs_words_name(&w, "bandwidth-policy", name, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		ecs_name_copy(c->bandwidth_policy, name);
	return rc;
}

void base_BANDWIDTH_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[ECS_NAME_MAX + 32];

	if (!c->bandwidth_policy[0])
		return;
	snprintf(line, sizeof(line), "bandwidth default-policy %s", c->bandwidth_policy);
	put(arg, line);
}

void base_BANDWIDTH_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "Bandwidth Policy",
	     c->bandwidth_policy[0] ? c->bandwidth_policy : "Not Configured");
}

/* --- tcp -------------------------------------------------------------------------------------- */

int base_TCP_2MSL_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	uint32_t v = form == ECS_FORM_DEFAULT ? LINGER_DEFAULT_S : 0;
	bool reuse = false;
	int rc = 0;

	if (form == ECS_FORM_SET) {
		rc = ecs_words_num(&w, "2msl-timeout", 1, 20, &v, e);
		reuse = ecs_words_take(&w, "port-reuse");
	}
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	c->tcp_linger_s = v;
	c->tcp_port_reuse = reuse;
	return 0;
}

void base_TCP_2MSL_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[64];

	if (c->tcp_linger_s == LINGER_DEFAULT_S && !c->tcp_port_reuse)
		return;
	snprintf(line, sizeof(line), "tcp 2msl-timeout %" PRIu32 "%s", c->tcp_linger_s,
	         c->tcp_port_reuse ? " port-reuse" : "");
	put(arg, c->tcp_linger_s ? line : "no tcp 2msl-timeout");
}

void base_TCP_2MSL_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[48];

	snprintf(text, sizeof(text), "%" PRIu32 " (secs)%s", c->tcp_linger_s,
	         c->tcp_port_reuse ? ", port reuse" : "");
	tell(arg, 0, "TCP 2MSL Timeout", c->tcp_linger_s ? text : "Disabled");
}

int base_TCP_ORDER_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	uint32_t v = ORDER_DEFAULT_MS;
	int rc = 0;

	if (form == ECS_FORM_SET)
		rc = ecs_words_num(&w, "timeout", 100, 30000, &v, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		c->tcp_order_ms = v;
	return rc;
}

void base_TCP_ORDER_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[64];

	if (c->tcp_order_ms == ORDER_DEFAULT_MS)
		return;
	snprintf(line, sizeof(line), "tcp packets-out-of-order timeout %" PRIu32, c->tcp_order_ms);
	put(arg, line);
}

void base_TCP_ORDER_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu32 " (msecs)", c->tcp_order_ms);
	tell(arg, 0, "TCP Out Of Order Timeout", text);
}

int base_TCP_TRANSMIT_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	(void)obj;
	if (form == ECS_FORM_SET && ecs_words_take(&w, "after-reordering"))
		return ecs_refuse(e, SRP_EINVAL, "expected immediately: after-reordering is not "
		                  "provided, packets are forwarded as they come");
	if (form == ECS_FORM_SET && !ecs_words_take(&w, "immediately"))
		return ecs_refuse(e, SRP_EINVAL, "expected immediately");
	return ecs_words_end(&w, e);
}

/* There is one way, which needs no line. */
void base_TCP_TRANSMIT_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	(void)obj, (void)put, (void)arg;
}

void base_TCP_TRANSMIT_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	(void)obj;
	tell(arg, 0, "TCP Out Of Order Transmit", "immediately");
}
