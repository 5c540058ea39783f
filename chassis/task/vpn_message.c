/* vpn_message: the messages of the control link behind its hellos, and what they do. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "srp/err.h"

int vpn_config_check(struct vpnmgr *v)
{
	struct srp_config_check m = {.id = arc4random(), .digest = v->ctx->shared->running.digest};
	uint8_t body[64];
	int rc = vpn_send(v, SRP_CONTROL_CONFIG_CHECK, body, srp_config_check_encode(&m, body, sizeof(body)));

	if (rc == 0) {
		v->check_id = m.id;
		v->ctx->slab->srp.config_checks_tx++;
	}
	return rc;
}

static int rx_prepare(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_switch_prepare m;
	int rc = srp_switch_prepare_decode(body, len, &m);

	if (rc < 0)
		return rc;
	if (m.term < v->ctx->slab->role.peer_term)
		return SRP_ESTALE;
	v->flush_ms = m.timeout_ms;
	return vpn_event_rx(v, SRP_ROLE_EV_RX_PREPARE, m.id, (enum srp_switch_reason)m.reason);
}

static int rx_switch_ready(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_status m;
	int rc = srp_switch_ready_decode(body, len, &m);

	if (rc < 0)
		return rc;
	if (m.status < 0)
		chassis_log(LOG_WARNING, "the peer refuses the switchover: %s", m.text);
	return vpn_event_rx(v, m.status == 0 ? SRP_ROLE_EV_RX_READY : SRP_ROLE_EV_RX_REFUSED, m.id, 0);
}

static int rx_abort(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	char text[SRP_MESSAGE_TEXT_MAX + 1];
	int rc = srp_switch_abort_decode(body, len, text);

	if (rc < 0)
		return rc;
	chassis_log(LOG_WARNING, "the peer aborted the switchover: %s", text);
	vpn_event(v, SRP_ROLE_EV_RX_ABORT, 0);
	return SRP_OK;
}

static int rx_term(struct vpnmgr *v, const uint8_t *body, size_t len, enum srp_role_event ev,
                   int (*decode)(const void *, size_t, uint32_t *))
{
	uint32_t term;
	int rc = decode(body, len, &term);

	if (rc < 0)
		return rc;
	/* A message of a term that was superseded meanwhile is history. */
	if (srp_term_number(term) < v->ctx->slab->role.highest_term && ev == SRP_ROLE_EV_RX_HANDOVER &&
	    term < v->ctx->slab->role.peer_term)
		return SRP_ESTALE;
	vpn_term_seen(v, srp_term_number(term));
	vpn_event(v, ev, 0);
	return SRP_OK;
}

static int rx_config_check(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_config_check m;
	uint8_t out[256];
	int rc = srp_config_check_decode(body, len, &m);
	char why[120];

	if (rc < 0)
		return rc;
	v->ctx->slab->srp.config_checks_rx++;
	if (m.digest != v->ctx->shared->running.digest) {
		m.st.status = SRP_EMISMATCH;
		snprintf(m.st.text, sizeof(m.st.text), "the configuration differs");
	} else if (v->role.phase == SRP_PHASE_STANDBY && !vpn_ready(v, why, sizeof(why))) {
		m.st.status = SRP_ESTATE;
		snprintf(m.st.text, sizeof(m.st.text), "%s", why);
	} else {
		m.st.status = SRP_OK;
		m.st.text[0] = '\0';
	}
	m.digest = v->ctx->shared->running.digest;
	vpn_send(v, SRP_CONTROL_CONFIG_RESULT, out, srp_config_result_encode(&m, out, sizeof(out)));
	return SRP_OK;
}

static int rx_config_result(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_config_check m;
	int rc = srp_config_result_decode(body, len, &m);

	if (rc < 0)
		return rc;
	if (m.id != v->check_id)
		return SRP_OK; /* of an older question */
	v->validate_at = chassis_now();
	if (m.st.status == 0)
		snprintf(v->validate_status, sizeof(v->validate_status), "Remote Chassis - Ready for Switchover");
	else
		snprintf(v->validate_status, sizeof(v->validate_status), "Remote Chassis - %.60s", m.st.text);
	vpn_reply(v, &v->validate_id, m.st.status, m.st.status ? m.st.text : v->validate_status);
	return SRP_OK;
}

static int rx_bye(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	uint32_t reason;
	int rc = srp_bye_decode(body, len, &reason);

	if (rc < 0)
		return rc;
	chassis_log(LOG_NOTICE, "the peer leaves: %s", srp_switch_reason_name(reason));
	vpn_link_event(v, SRP_CONN_EV_RX_BYE);
	vpn_event(v, SRP_ROLE_EV_PEER_BYE, 0);
	return SRP_EPEER;
}

static int rx_error(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_status m;
	int rc = srp_error_decode(body, len, &m);

	if (rc < 0)
		return rc;
	chassis_log(LOG_ERR, "the peer refuses: %s", m.text);
	snprintf(v->config_error, sizeof(v->config_error), "%.90s", m.text);
	vpn_link_event(v, SRP_CONN_EV_RX_ERROR);
	return SRP_EPEER; /* it lives, and speaks: this end of the connection says nothing else */
}

int vpn_message(struct vpnmgr *v, uint8_t type, const uint8_t *body, size_t len)
{
	switch (type) {
	case SRP_CONTROL_HELLO:          return vpn_hello_rx(v, body, len);
	case SRP_CONTROL_SWITCH_PREPARE: return rx_prepare(v, body, len);
	case SRP_CONTROL_SWITCH_READY:   return rx_switch_ready(v, body, len);
	case SRP_CONTROL_HANDOVER:       return rx_term(v, body, len, SRP_ROLE_EV_RX_HANDOVER, srp_handover_decode);
	case SRP_CONTROL_TAKEN:          return rx_term(v, body, len, SRP_ROLE_EV_RX_TAKEN, srp_taken_decode);
	case SRP_CONTROL_SWITCH_ABORT:   return rx_abort(v, body, len);
	case SRP_CONTROL_CONFIG_CHECK:   return rx_config_check(v, body, len);
	case SRP_CONTROL_CONFIG_RESULT:  return rx_config_result(v, body, len);
	case SRP_CONTROL_BYE:            return rx_bye(v, body, len);
	case SRP_CONTROL_ERROR:          return rx_error(v, body, len);
	}
	return SRP_ETYPE;
}
