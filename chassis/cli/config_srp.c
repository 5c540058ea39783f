#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "srp/err.h"

#define DEFAULT_PORT     4711
#define DEFAULT_DURATION 60
#define DEFAULT_AUDIT    60
#define DEFAULT_PENDING  60
#define HELLOS_IN_DEAD   3

/* X(member, keyword, milliseconds) */
#define INTERVALS(X)                         \
	X(hello_ms, "hello-interval", 10000) \
	X(dead_ms, "dead-interval", 30000)   \
	X(delay_ms, "delay-interval", 0)     \
	X(relay_ms, "relay-time", 3000)

void cfg_srp_defaults(struct chassis_srp_config *s)
{
#define X(member, keyword, ms) s->member = ms;
	INTERVALS(X)
#undef X
	s->mode = CHASSIS_BACKUP;
	s->priority = 125;
	s->port = DEFAULT_PORT;
	s->session_duration = DEFAULT_DURATION;
	s->audit_minutes = DEFAULT_AUDIT;
	s->pending_s = DEFAULT_PENDING;
}

static struct chassis_srp_config *srp(struct cfg *c)
{
	return &c->conf->srp;
}

static uint32_t *member32(struct cfg *c, size_t offset)
{
	return (uint32_t *)(void *)((char *)srp(c) + offset);
}

int cfg_srp(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct chassis_srp_config *s = srp(c);

	(void)m, (void)arg;
	if (s->present && strcmp(s->context, cfg_name(c)) != 0)
		return cfg_refuse(c, NULL, "expected it in one context only: it is in context %s",
		                  s->context);
	s->present = true;
	snprintf(s->context, sizeof(s->context), "%s", cfg_name(c));
	return SRP_OK;
}

int cfg_srp_mode(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	srp(c)->mode = chassis_match_has(m, "primary") ? CHASSIS_PRIMARY : CHASSIS_BACKUP;
	return SRP_OK;
}

int cfg_srp_priority(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	srp(c)->priority = (uint8_t)chassis_match_num(m, "num", 125);
	return SRP_OK;
}

int cfg_srp_address(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *text = chassis_match_text(m, "addr");
	struct chassis_srp_config *s = srp(c);
	struct ecs_addr a = {{0}};

	if (text && chassis_addr_parse(text, &a, NULL, NULL) != SRP_OK)
		return cfg_refuse(c, "addr", "expected an address");
	if (arg) {
		s->has_bind = text != NULL;
		s->bind = a;
	} else {
		s->has_peer = text != NULL;
		s->peer = a;
	}
	return SRP_OK;
}

int cfg_srp_port(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	_Static_assert(65535 - CHASSIS_SESSMGRS_MAX == 65503, "the range stands in config.def");
	(void)arg;
	srp(c)->port = (uint16_t)chassis_match_num(m, "num", DEFAULT_PORT);
	return SRP_OK;
}

int cfg_srp_interval(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	c->srp_line = c->line;
	*member32(c, arg) = chassis_match_text(m, "num")
	                            ? (uint32_t)chassis_match_num(m, "num", 0) * 1000
	                            : (uint32_t)chassis_match_num(m, "msec", 0);
	return SRP_OK;
}

int cfg_srp_interval_default(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->srp_line = c->line;
#define X(member, keyword, ms)                 \
	if (chassis_match_has(m, keyword))     \
		srp(c)->member = ms;
	INTERVALS(X)
#undef X
	return SRP_OK;
}

int cfg_srp_u32(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	*member32(c, arg) = (uint32_t)chassis_match_num(m, "num", 0);
	return SRP_OK;
}

int cfg_srp_duration_default(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)m, (void)arg;
	srp(c)->session_duration = DEFAULT_DURATION;
	return SRP_OK;
}

int cfg_srp_audit_default(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)m, (void)arg;
	srp(c)->audit_minutes = DEFAULT_AUDIT;
	return SRP_OK;
}

int cfg_srp_compression(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	srp(c)->lz4 = chassis_match_has(m, "lz4");
	return SRP_OK;
}

int cfg_srp_rate(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	srp(c)->rate = (uint32_t)chassis_match_num(m, "num", 0);
	srp(c)->burst = (uint32_t)chassis_match_num(m, "burst", srp(c)->rate);
	return SRP_OK;
}

int cfg_srp_path(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *text = chassis_match_text(m, "path");

	if (!text)
		text = chassis_match_text(m, "name");
	snprintf((char *)srp(c) + arg, CHASSIS_PATH_MAX, "%s", text);
	return SRP_OK;
}

int cfg_state_file(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	snprintf(c->conf->state_file, sizeof(c->conf->state_file), "%s",
	         chassis_match_text(m, "path"));
	return SRP_OK;
}

void cfg_srp_check(struct cfg *c)
{
	const struct chassis_srp_config *s = srp(c);
	char text[160];

	if (s->dead_ms / HELLOS_IN_DEAD < s->hello_ms) {
		snprintf(text, sizeof(text),
			 "expected at least %d times the hello-interval of %u ms, not %u ms",
			 HELLOS_IN_DEAD, s->hello_ms, s->dead_ms);
		cfg_error(c, c->srp_line ? c->srp_line : c->line, "dead-interval", text);
	}
	if (s->has_peer && s->has_bind && chassis_addr_v6(&s->peer) != chassis_addr_v6(&s->bind))
		cfg_error(c, c->line, "bind address", "expected an address of the peer's family");
	if (s->has_peer && s->has_bind && memcmp(&s->peer, &s->bind, sizeof(s->peer)) == 0)
		cfg_error(c, c->line, "peer-ip-address",
			  "expected another address than the own one");
	if (!c->conf->srp.route_modifier)
		c->conf->srp.route_modifier = s->mode == CHASSIS_PRIMARY ? 8 : 16;
}
