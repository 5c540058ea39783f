#include "config.h"
#include "ecs/rule/action_own.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

#define LINE_LEN (ECS_URL_MAX + 128)
#define BLOCK    "" /* of a label that has others below it */

static const char *const post_words[] = {
#define X(sym, text) [ECS_POST_##sym] = text,
	ECS_POST_REDIRECTS(X)
#undef X
};

static const char *const layer_words[] = {
#define X(sym, text) [ECS_VOLUME_##sym] = text,
	ECS_VOLUME_LAYERS(X)
#undef X
};

static const char *const unit_words[] = {
#define X(sym, text) [ECS_VOLUME_##sym] = text,
	ECS_VOLUME_UNITS(X)
#undef X
};

static const char *const way_words[] = {
	[ECS_WAY_BOTH] = "", [ECS_WAY_UPLINK] = "uplink", [ECS_WAY_DOWNLINK] = "downlink"};

static void tell_num(ecs_tell_fn *tell, void *arg, unsigned indent, const char *label, uint32_t v,
                     const char *unit)
{
	char text[40];

	snprintf(text, sizeof(text), "%" PRIu32 "%s%s", v, unit[0] ? " " : "", unit);
	tell(arg, indent, label, text);
}

/** Takes `uplink` or `downlink`, where one of them is next. */
static enum ecs_way_of take_way(struct ecs_words *w)
{
	if (ecs_words_take(w, "uplink"))
		return ECS_WAY_UPLINK;
	return ecs_words_take(w, "downlink") ? ECS_WAY_DOWNLINK : ECS_WAY_BOTH;
}

/** Takes one of @p n words; @p n where the next is none of them. */
static size_t take_one(struct ecs_words *w, const char *const *words, size_t n)
{
	size_t i = 0;

	while (i < n && (!words[i][0] || !ecs_words_take(w, words[i])))
		i++;
	return i;
}

/* --- billing-action --------------------------------------------------------------------------- */

static const char *const not_provided[] = {"egcdr", "radius", "rf"};

static int take_edrs(struct ecs_words *w, struct ecs_charging_action *a, struct ecs_err *e)
{
	int rc = ecs_words_edrs(w, a->charging_edr, a->reporting_edr, e);

	a->edr_at_end = ecs_words_take(w, "wait-until-flow-ends");
	return rc;
}

static int take_billing(struct ecs_words *w, struct ecs_charging_action *a, struct ecs_err *e)
{
	size_t k;

	if (ecs_words_take(w, "create-edrs"))
		return take_edrs(w, a, e);
	if (ecs_words_take(w, "exclude-from-udrs")) {
		a->exclude_udrs = true;
		return 0;
	}
	k = take_one(w, not_provided, 3);
	if (k < 3)
		return ecs_refuse(e, SRP_EINVAL, "expected a charging method that is provided: %s "
		                  "is not", not_provided[k]);
	return ecs_refuse(e, SRP_EINVAL, "expected create-edrs or exclude-from-udrs");
}

int own_BILLING_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj, to = *a;
	bool all = form != ECS_FORM_SET && !w.n;
	int rc = form == ECS_FORM_SET && !w.n ? take_billing(&w, &to, e) : 0;

	while (rc == 0 && form == ECS_FORM_SET && w.n)
		rc = take_billing(&w, &to, e);
	if (rc)
		return rc;
	if (form != ECS_FORM_SET && (all || ecs_words_take(&w, "create-edrs"))) {
		to.charging_edr[0] = to.reporting_edr[0] = '\0';
		to.edr_at_end = false;
	}
	if (form != ECS_FORM_SET && (all || ecs_words_take(&w, "exclude-from-udrs")))
		to.exclude_udrs = false;
	if (form != ECS_FORM_SET)
		take_one(&w, not_provided, 3);
	rc = ecs_words_end(&w, e);
	if (rc == 0)
		*a = to;
	return rc;
}

void own_BILLING_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[LINE_LEN], edrs[2 * ECS_NAME_MAX + 64];

	if (a->charging_edr[0] || a->reporting_edr[0]) {
		ecs_edrs_text(a->charging_edr, a->reporting_edr, edrs, sizeof(edrs));
		snprintf(line, sizeof(line), "billing-action create-edrs%s%s", edrs,
		         a->edr_at_end ? " wait-until-flow-ends" : "");
		put(arg, line);
	}
	if (a->exclude_udrs)
		put(arg, "billing-action exclude-from-udrs");
}

void own_BILLING_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;

	tell(arg, 0, "Billing Action", BLOCK);
	tell(arg, 1, "Event Data Record", ecs_enabled_word(a->charging_edr[0] || a->reporting_edr[0]));
	if (a->charging_edr[0])
		tell(arg, 2, "Charging EDR", a->charging_edr);
	if (a->reporting_edr[0])
		tell(arg, 2, "Reporting EDR", a->reporting_edr);
	if (a->charging_edr[0] || a->reporting_edr[0])
		tell(arg, 2, "Wait until flow ends", ecs_enabled_word(a->edr_at_end));
	tell(arg, 1, "GGSN charging Data Record", ecs_enabled_word(false));
	tell(arg, 1, "Rf Accounting", ecs_enabled_word(false));
	tell(arg, 1, "User Data Record", ecs_enabled_word(!a->exclude_udrs));
	tell(arg, 1, "Radius Accounting Record", ecs_enabled_word(false));
}

/* --- cca charging credit ---------------------------------------------------------------------- */

int own_CCA_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	bool set = form == ECS_FORM_SET, preemptive = false;
	uint32_t group = 0;
	int rc = 0;

	while (set && rc == 0 && w.n) {
		if (ecs_words_take(&w, "rating-group"))
			rc = ecs_words_num(&w, "rating-group", 0, 65535, &group, e);
		else if (ecs_words_take(&w, "preemptively-request"))
			preemptive = true;
		else
			break;
	}
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	a->credit = set;
	a->credit_preemptive = preemptive;
	a->rating_group = group;
	return 0;
}

void own_CCA_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char group[32] = "", line[LINE_LEN];

	if (!a->credit && !a->rating_group)
		return;
	if (a->rating_group)
		snprintf(group, sizeof(group), " rating-group %" PRIu32, a->rating_group);
	snprintf(line, sizeof(line), "cca charging credit%s%s", group,
	         a->credit_preemptive ? " preemptively-request" : "");
	put(arg, line);
}

void own_CCA_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;

	tell(arg, 0, "Credit Control", ecs_enabled_word(a->credit));
	if (!a->credit)
		return;
	tell_num(tell, arg, 1, "Rating Group", ecs_action_rating_group(a), "");
	tell(arg, 1, "Preemptively Request", ecs_enabled_word(a->credit_preemptive));
}

/* --- charge-volume ---------------------------------------------------------------------------- */

int own_CHARGE_VOLUME_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	size_t layer = ECS_VOLUME_IP, unit = ECS_VOLUME_BYTES;
	enum ecs_way_of way = ECS_WAY_BOTH;
	uint32_t constant = 0;
	int rc = 0;

	if (form == ECS_FORM_SET) {
		layer = take_one(&w, layer_words, ECS_VOLUME_LAYER__N);
		if (layer == ECS_VOLUME_CONSTANT)
			rc = ecs_words_num(&w, "constant", 1, 65535, &constant, e);
		else
			unit = take_one(&w, unit_words, ECS_VOLUME_UNIT__N);
		if (layer == ECS_VOLUME_LAYER__N || unit == ECS_VOLUME_UNIT__N)
			rc = ecs_refuse(e, SRP_EINVAL, "expected what volume is of");
		if (layer < ECS_VOLUME_CONSTANT)
			way = take_way(&w);
	}
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	a->volume_layer = (uint8_t)layer;
	a->volume_unit = (uint8_t)unit;
	a->volume_way = (uint8_t)way;
	a->volume_constant = constant;
	return 0;
}

static void volume_text(const struct ecs_charging_action *a, char *buf, size_t cap)
{
	if (a->volume_layer == ECS_VOLUME_CONSTANT)
		snprintf(buf, cap, "constant %" PRIu32, a->volume_constant);
	else
		snprintf(buf, cap, "%s %s%s%s", layer_words[a->volume_layer],
		         unit_words[a->volume_unit], a->volume_way ? " " : "",
		         way_words[a->volume_way]);
}

void own_CHARGE_VOLUME_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char text[64], line[LINE_LEN];

	if (!a->volume_layer && !a->volume_unit && !a->volume_way)
		return;
	volume_text(a, text, sizeof(text));
	snprintf(line, sizeof(line), "charge-volume %s", text);
	put(arg, line);
}

void own_CHARGE_VOLUME_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	char text[64];

	volume_text(obj, text, sizeof(text));
	tell(arg, 0, "Charge Volume", text);
}

/* --- flow action ------------------------------------------------------------------------------ */

/** Bytes that can stand in a line of HTTP and in a quoted word of a configuration. */
static bool url_byte(char c)
{
	return c > 0x20 && c < 0x7f && !strchr("\"\\<>^`{|}", c);
}

int ecs_url_check(const char *url, struct ecs_err *e)
{
	size_t n = url ? strlen(url) : 0, host;

	if (n < 1 || n > ECS_URL_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a URL of 1 to %d characters",
		                  ECS_URL_MAX);
	host = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
	if (!host || !url[host] || strchr("/?#", url[host]))
		return ecs_refuse(e, SRP_EFORMAT, "expected a URL that begins with http:// or "
		                                  "https:// and a host");
	for (size_t i = 0; i < n; i++)
		if (!url_byte(url[i]))
			return ecs_refuse(e, SRP_EFORMAT,
			                  "expected a URL without blanks, quotes and brackets");
	return 0;
}

/** Whether words say how requests are redirected: the other such words are kept beside. */
static bool is_redirection(struct ecs_words w)
{
	return ecs_words_take(&w, "redirect-url") || ecs_words_take(&w, "redirect-ocs-url") ||
	       ecs_words_take(&w, "conditional");
}

static int take_redirect(struct ecs_words *w, struct ecs_charging_action *a, struct ecs_err *e)
{
	const char *url = ecs_words_next(w);
	size_t post = ECS_POST_ALL;
	int rc = ecs_url_check(url, e);

	if (rc)
		return rc;
	if (ecs_words_take(w, "first-request-only")) {
		post = ECS_POST_ALLOW;
		if (ecs_words_take(w, "post-redirect"))
			post = take_one(w, post_words, ECS_POST__N);
		if (post == ECS_POST__N)
			return ecs_refuse(e, SRP_EINVAL, "expected allow, discard or terminate");
	}
	a->flow_action = ECS_ACT_REDIRECT;
	a->post_redirect = (uint8_t)post;
	memcpy(a->redirect_url, url, strlen(url) + 1);
	return 0;
}

static int take_readdress(struct ecs_words *w, enum ecs_flow_action what,
                          struct ecs_charging_action *a, struct ecs_err *e)
{
	uint32_t port = 0;
	int rc;

	if (!w->n && what == ECS_ACT_READDRESS)
		return 0; /* without a server there is nothing to do, and nothing to show */
	rc = ecs_words_take(w, "server") ? ecs_words_addr(w, &a->readdress, e)
	                                 : ecs_refuse(e, SRP_EINVAL, "expected server");
	if (rc == 0 && ecs_words_take(w, "port"))
		rc = ecs_words_num(w, "port", 1, 65535, &port, e);
	a->flow_action = what;
	a->readdress_port = (uint16_t)port;
	return rc;
}

static int take_action(struct ecs_words *w, struct ecs_charging_action *a, struct ecs_err *e)
{
	if (ecs_words_take(w, "discard")) {
		enum ecs_way_of way = take_way(w);

		a->flow_action = ECS_ACT_DISCARD;
		a->discard_up = way != ECS_WAY_DOWNLINK;
		a->discard_down = way != ECS_WAY_UPLINK;
		return 0;
	}
	if (ecs_words_take(w, "redirect-url"))
		return take_redirect(w, a, e);
	if (ecs_words_take(w, "readdress"))
		return take_readdress(w, ECS_ACT_READDRESS, a, e);
	if (ecs_words_take(w, "url-readdress"))
		return take_readdress(w, ECS_ACT_URL_READDRESS, a, e);
	if (ecs_words_take(w, "conditional"))
		return ecs_action_take_conditional(w, a, e);
	if (ecs_words_take(w, "random-drop"))
		return ecs_action_take_drop(w, a, e);
	if (ecs_words_take(w, "rulebase-change")) {
		a->flow_action = ECS_ACT_RULEBASE;
		return ecs_words_name(w, "rulebase-change", a->rulebase, e);
	}
	if (ecs_words_take(w, "redirect-ocs-url")) {
		a->flow_action = ECS_ACT_OCS_URL;
		return 0;
	}
	if (ecs_words_take(w, "terminate-flow"))
		a->flow_action = ECS_ACT_TERMINATE_FLOW;
	else if (ecs_words_take(w, "terminate-session"))
		a->flow_action = ECS_ACT_TERMINATE_SESSION;
	else
		return ecs_refuse(e, SRP_EINVAL, "expected a flow action");
	return 0;
}

int own_FLOW_ACTION_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj, to = *a;
	int rc;

	ecs_action_clear(&to, form == ECS_FORM_SET && is_redirection(w) && ecs_action_redirects(a));
	rc = form == ECS_FORM_SET ? take_action(&w, &to, e) : 0;
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		*a = to;
	return rc;
}

void own_FLOW_ACTION_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[LINE_LEN], addr[48], port[16] = "";

	if (a->readdress_port)
		snprintf(port, sizeof(port), " port %u", a->readdress_port);
	if (a->end_token[0]) {
		snprintf(line, sizeof(line), "flow action conditional user-agent end-token %s",
		         a->end_token);
		put(arg, line);
	}
	switch (a->flow_action) {
	case ECS_ACT_DISCARD:
		snprintf(line, sizeof(line), "flow action discard%s",
		         a->discard_up == a->discard_down ? ""
		         : a->discard_up                  ? " uplink"
		                                          : " downlink");
		break;
	case ECS_ACT_REDIRECT:
		snprintf(line, sizeof(line), "flow action redirect-url \"%s\"%s%s",
		         a->redirect_url,
		         a->post_redirect ? " first-request-only post-redirect " : "",
		         post_words[a->post_redirect]);
		break;
	case ECS_ACT_READDRESS:
	case ECS_ACT_URL_READDRESS:
		snprintf(line, sizeof(line), "flow action %sreaddress server %s%s",
		         a->flow_action == ECS_ACT_READDRESS ? "" : "url-",
		         ecs_addr_word(&a->readdress, addr), port);
		break;
	case ECS_ACT_TERMINATE_FLOW:
		snprintf(line, sizeof(line), "flow action terminate-flow");
		break;
	case ECS_ACT_TERMINATE_SESSION:
		snprintf(line, sizeof(line), "flow action terminate-session");
		break;
	case ECS_ACT_OCS_URL:
		if (a->end_token[0])
			return; /* it is what that means alone */
		snprintf(line, sizeof(line), "flow action redirect-ocs-url");
		break;
	case ECS_ACT_RANDOM_DROP:
		snprintf(line, sizeof(line), "flow action random-drop interval %u to %u "
		         "pkts-to-drop %u to %u", a->drop_interval[0], a->drop_interval[1],
		         a->drop_pkts[0], a->drop_pkts[1]);
		break;
	case ECS_ACT_RULEBASE:
		snprintf(line, sizeof(line), "flow action rulebase-change %s", a->rulebase);
		break;
	default:
		return;
	}
	put(arg, line);
}

void own_FLOW_ACTION_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char text[64] = "Disabled", addr[48];

	tell(arg, 0, "Flow Action", BLOCK);
	tell(arg, 1, "Redirect URL", a->flow_action == ECS_ACT_REDIRECT ? a->redirect_url : text);
	if (a->flow_action == ECS_ACT_REDIRECT && a->post_redirect)
		tell(arg, 2, "First Request Only, Post-Redirect", post_words[a->post_redirect]);
	if (a->flow_action == ECS_ACT_READDRESS)
		snprintf(text, sizeof(text), "%s port %u", ecs_addr_word(&a->readdress, addr),
		         a->readdress_port);
	tell(arg, 1, "Readdress", text);
	if (a->flow_action == ECS_ACT_URL_READDRESS) {
		snprintf(text, sizeof(text), "%s port %u", ecs_addr_word(&a->readdress, addr),
		         a->readdress_port);
		tell(arg, 1, "URL Readdress", text);
	}
	tell(arg, 1, "Discard",
	     a->flow_action != ECS_ACT_DISCARD      ? "Disabled"
	     : a->discard_up == a->discard_down     ? "Enabled"
	     : a->discard_up                        ? "Enabled (uplink)"
	                                            : "Enabled (downlink)");
	tell(arg, 1, "Terminate-Flow", ecs_enabled_word(a->flow_action == ECS_ACT_TERMINATE_FLOW));
	tell(arg, 1, "Terminate-Session", ecs_enabled_word(a->flow_action == ECS_ACT_TERMINATE_SESSION));
	ecs_action_tell_others(a, tell, arg);
}

/* --- flow idle-timeout ------------------------------------------------------------------------ */

int own_IDLE_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	uint32_t v = 0;
	int rc = form == ECS_FORM_SET ? ecs_words_num(&w, "flow idle-timeout", 0, IDLE_MAX, &v, e)
	                              : 0;

	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		a->idle_timeout = form == ECS_FORM_DEFAULT ? -1 : (int32_t)v;
	return rc;
}

void own_IDLE_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[64];

	if (a->idle_timeout < 0)
		return;
	snprintf(line, sizeof(line), "flow idle-timeout %" PRId32, a->idle_timeout);
	put(arg, line);
}

void own_IDLE_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;

	if (a->idle_timeout < 0)
		tell(arg, 0, "Flow Idle Timeout", "300 (secs)"); /* as shown elsewhere; the service's counts */
	else
		tell_num(tell, arg, 0, "Flow Idle Timeout", (uint32_t)a->idle_timeout, "(secs)");
}
