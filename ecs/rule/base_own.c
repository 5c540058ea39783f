#include "config.h"
#include "ecs/rule/option.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

#define LINE_LEN           512
#define LINGER_DEFAULT_S   2u
#define ORDER_DEFAULT_MS   5000u

#define ECS_BASE_NUM(...)
#define ECS_BASE_FLAG(...)
#define ECS_BASE_OWN(sym, ...)                                                                \
	static ecs_option_set_fn base_##sym##_set;                                            \
	static ecs_option_print_fn base_##sym##_print;                                        \
	static ecs_option_tell_fn base_##sym##_tell;
#include "ecs/rule/rulebase.def"
#undef ECS_BASE_NUM
#undef ECS_BASE_FLAG
#undef ECS_BASE_OWN

static const struct ecs_option rows[] = {
#define ECS_BASE_NUM(sym, member, words_, least_, most_, none_, label_, help)                     \
	{.words = words_, .type = ECS_OPTION_NUM,                                                  \
	 .at = offsetof(struct ecs_rulebase_conf, member), .least = least_, .most = most_,         \
	 .none = none_, .label = label_},
#define ECS_BASE_FLAG(sym, member, words_, label_, help)                                          \
	{.words = words_, .type = ECS_OPTION_FLAG,                                                 \
	 .at = offsetof(struct ecs_rulebase_conf, member), .label = label_},
#define ECS_BASE_OWN(sym, members, words_, pattern, unset, help)                                  \
	{.words = words_, .type = ECS_OPTION_OWN, .set = base_##sym##_set,                         \
	 .print = base_##sym##_print, .tell = base_##sym##_tell},
#include "ecs/rule/rulebase.def"
#undef ECS_BASE_NUM
#undef ECS_BASE_FLAG
#undef ECS_BASE_OWN
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const end_words[] = {
#define X(sym, text) [ECS_FLOW_END_##sym] = text,
	ECS_FLOW_ENDS(X)
#undef X
};

static const char *enabled(bool on)
{
	return on ? "Enabled" : "Disabled";
}

/* --- dynamic-rule order ----------------------------------------------------------------------- */

static int base_DYNAMIC_ORDER_set(void *obj, enum ecs_form form, struct ecs_words w,
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

static void base_DYNAMIC_ORDER_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	if (c->first_if_tied)
		put(arg, "dynamic-rule order first-if-tied");
}

static void base_DYNAMIC_ORDER_tell(const void *obj, ecs_tell_fn *tell, void *arg)
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

static int base_HANDSHAKING_set(void *obj, enum ecs_form form, struct ecs_words w,
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

static void base_HANDSHAKING_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN], text[128];

	if (!c->handshaking)
		return;
	handshaking_text(c->handshaking, text, sizeof(text));
	snprintf(line, sizeof(line), "flow control-handshaking charge-to-application %s", text);
	put(arg, line);
}

static void base_HANDSHAKING_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[128];

	handshaking_text(c->handshaking, text, sizeof(text));
	tell(arg, 0, "Control Handshaking Charged To Application",
	     c->handshaking ? text : "Disabled");
}

/* --- formats of records ----------------------------------------------------------------------- */

static int take_pair(struct ecs_words *w, struct ecs_edr_pair *out, struct ecs_err *e)
{
	int rc = 0;

	*out = (struct ecs_edr_pair){{0}, {0}};
	while (rc == 0 && w->n) {
		if (ecs_words_take(w, "charging-edr"))
			rc = ecs_words_name(w, "edr-format", out->charging, e);
		else if (ecs_words_take(w, "reporting-edr"))
			rc = ecs_words_name(w, "edr-format", out->reporting, e);
		else
			break;
	}
	if (rc == 0 && !out->charging[0] && !out->reporting[0])
		rc = ecs_refuse(e, SRP_EINVAL, "expected charging-edr or reporting-edr");
	return rc;
}

static bool pair_set(const struct ecs_edr_pair *p)
{
	return p->charging[0] || p->reporting[0];
}

static bool pair_same(const struct ecs_edr_pair *a, const struct ecs_edr_pair *b)
{
	return strcmp(a->charging, b->charging) == 0 && strcmp(a->reporting, b->reporting) == 0;
}

static void pair_text(const struct ecs_edr_pair *p, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s%s%s%s", p->charging[0] ? " charging-edr " : "", p->charging,
	         p->reporting[0] ? " reporting-edr " : "", p->reporting);
}

/* --- flow end-condition ----------------------------------------------------------------------- */

static int base_END_CONDITION_set(void *obj, enum ecs_form form, struct ecs_words w,
                                  struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	struct ecs_edr_pair pair = {{0}, {0}};
	uint32_t ends = 0, before = ~0u;
	int rc = 0;

	while (ends != before) {
		before = ends;
		for (unsigned i = 0; i < ECS_FLOW_END__N; i++)
			if (ecs_words_take(&w, end_words[i]))
				ends |= 1u << i;
	}
	if (form == ECS_FORM_SET && !ends)
		return ecs_refuse(e, SRP_EINVAL, "expected an end condition");
	if (form == ECS_FORM_SET)
		rc = take_pair(&w, &pair, e);
	else if (!ends)
		ends = (1u << ECS_FLOW_END__N) - 1;
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	for (unsigned i = 0; rc == 0 && i < ECS_FLOW_END__N; i++)
		if (ends & 1u << i)
			c->end[i] = pair;
	return rc;
}

static void base_END_CONDITION_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN], pair[2 * ECS_NAME_MAX + 64];
	uint32_t done = 0;

	for (unsigned i = 0; i < ECS_FLOW_END__N; i++) {
		size_t n = (size_t)snprintf(line, sizeof(line), "flow end-condition");

		if (done & 1u << i || !pair_set(&c->end[i]))
			continue;
		for (unsigned k = i; k < ECS_FLOW_END__N; k++) /* those of the same formats in one line */
			if (pair_same(&c->end[i], &c->end[k])) {
				done |= 1u << k;
				n += (size_t)snprintf(line + n, sizeof(line) - n, " %s",
				                      end_words[k]);
			}
		pair_text(&c->end[i], pair, sizeof(pair));
		snprintf(line + n, sizeof(line) - n, "%s", pair);
		put(arg, line);
	}
}

static void base_END_CONDITION_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char pair[2 * ECS_NAME_MAX + 64];

	tell(arg, 0, "Flow End Condition", "");
	for (unsigned i = 0; i < ECS_FLOW_END__N; i++) {
		pair_text(&c->end[i], pair, sizeof(pair));
		tell(arg, 1, end_words[i], pair_set(&c->end[i]) ? pair + 1 : "Disabled");
	}
}

/* --- edr transaction-complete ----------------------------------------------------------------- */

static int base_EDR_TRANSACTION_set(void *obj, enum ecs_form form, struct ecs_words w,
                                    struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	struct ecs_edr_pair pair = {{0}, {0}};
	bool all = form != ECS_FORM_SET && !w.n, http = ecs_words_take(&w, "http"),
	     dns = !http && ecs_words_take(&w, "dns");
	int rc = form == ECS_FORM_SET ? take_pair(&w, &pair, e) : 0;

	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0 && !all && !http && !dns)
		rc = ecs_refuse(e, SRP_EINVAL, "expected http or dns");
	if (rc == 0 && (all || http))
		c->edr_http = pair;
	if (rc == 0 && (all || dns))
		c->edr_dns = pair;
	return rc;
}

static void print_transaction(const struct ecs_edr_pair *p, const char *what,
                              ecs_option_put_fn *put, void *arg)
{
	char line[LINE_LEN], pair[2 * ECS_NAME_MAX + 64];

	if (!pair_set(p))
		return;
	pair_text(p, pair, sizeof(pair));
	snprintf(line, sizeof(line), "edr transaction-complete %s%s", what, pair);
	put(arg, line);
}

static void base_EDR_TRANSACTION_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	print_transaction(&c->edr_http, "http", put, arg);
	print_transaction(&c->edr_dns, "dns", put, arg);
}

static void base_EDR_TRANSACTION_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char pair[2 * ECS_NAME_MAX + 64];

	tell(arg, 0, "EDR Transaction Complete", "");
	pair_text(&c->edr_http, pair, sizeof(pair));
	tell(arg, 1, "http", pair_set(&c->edr_http) ? pair + 1 : "Disabled");
	pair_text(&c->edr_dns, pair, sizeof(pair));
	tell(arg, 1, "dns", pair_set(&c->edr_dns) ? pair + 1 : "Disabled");
}

/* --- billing-records -------------------------------------------------------------------------- */

/* Charging methods that are refused by name. */
static const char *const not_provided[] = {
#define ECS_METHOD(sym, words, name, provided, what) words,
#include "ecs/rule/method.def"
#undef ECS_METHOD
};

#define NMETHODS (sizeof(not_provided) / sizeof(not_provided[0]))

/* Takes `udr` or `fdr` and the format behind it; false: neither is next. */
static bool take_records(struct ecs_words *w, bool set, bool *udr, bool *fdr, char *udr_format,
                         char *fdr_format, int *rc, struct ecs_err *e)
{
	bool is_udr = ecs_words_take(w, "udr");
	const char *format = is_udr ? "udr-format" : "edr-format";

	if (!is_udr && !ecs_words_take(w, "fdr"))
		return false;
	*(is_udr ? udr : fdr) = true;
	if (!set)
		return true;
	if (!ecs_words_take(w, format))
		*rc = ecs_refuse(e, SRP_EINVAL, "expected %s", format);
	else
		*rc = ecs_words_name(w, format, is_udr ? udr_format : fdr_format, e);
	return true;
}

static int base_BILLING_RECORDS_set(void *obj, enum ecs_form form, struct ecs_words w,
                                    struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	bool set = form == ECS_FORM_SET, udr = false, fdr = false, all = !set && !w.n;
	char u[ECS_NAME_MAX + 1] = "", f[ECS_NAME_MAX + 1] = "";
	int rc = 0;

	if (set && !w.n)
		return ecs_refuse(e, SRP_EINVAL, "expected udr or fdr");
	while (rc == 0 && w.n) {
		size_t k = 0;

		if (take_records(&w, set, &udr, &fdr, u, f, &rc, e))
			continue;
		while (k < NMETHODS && !ecs_words_take(&w, not_provided[k]))
			k++;
		if (k == NMETHODS)
			return ecs_words_end(&w, e);
		if (set)
			return ecs_refuse(e, SRP_EINVAL, "expected a charging method that is "
			                  "provided: %s is not", not_provided[k]);
	}
	if (rc)
		return rc;
	if (udr || all) {
		c->udr = set;
		ecs_name_copy(c->udr_format, u);
	}
	if (fdr || all) {
		c->fdr = set;
		ecs_name_copy(c->fdr_format, f);
	}
	return 0;
}

static void base_BILLING_RECORDS_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN];

	if (!c->udr && !c->fdr)
		return;
	snprintf(line, sizeof(line), "billing-records%s%s%s%s",
	         c->udr ? " udr udr-format " : "", c->udr_format,
	         c->fdr ? " fdr edr-format " : "", c->fdr_format);
	put(arg, line);
}

static void base_BILLING_RECORDS_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "Billing Records", "");
	tell(arg, 1, "UDR", enabled(c->udr));
	if (c->udr)
		tell(arg, 1, "UDR Format", c->udr_format);
	tell(arg, 1, "FDR", enabled(c->fdr));
	if (c->fdr)
		tell(arg, 1, "FDR Format", c->fdr_format);
}

/* --- pending-traffic-treatment ---------------------------------------------------------------- */

static int base_PENDING_TRAFFIC_set(void *obj, enum ecs_form form, struct ecs_words w,
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

static void base_PENDING_TRAFFIC_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	if (c->noquota_drop)
		put(arg, "pending-traffic-treatment noquota drop");
	if (c->exhausted_pass)
		put(arg, "pending-traffic-treatment quota-exhausted pass");
}

static void base_PENDING_TRAFFIC_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "Pending Traffic Treatment", "");
	tell(arg, 1, "No Quota", c->noquota_drop ? "Drop" : "Pass");
	tell(arg, 1, "Quota Exhausted", c->exhausted_pass ? "Pass" : "Drop");
}

/* --- bandwidth default-policy ------------------------------------------------------------------ */

static int base_BANDWIDTH_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
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

static void base_BANDWIDTH_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[ECS_NAME_MAX + 32];

	if (!c->bandwidth_policy[0])
		return;
	snprintf(line, sizeof(line), "bandwidth default-policy %s", c->bandwidth_policy);
	put(arg, line);
}

static void base_BANDWIDTH_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "Bandwidth Policy",
	     c->bandwidth_policy[0] ? c->bandwidth_policy : "Not Configured");
}

/* --- tcp -------------------------------------------------------------------------------------- */

static int base_TCP_2MSL_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
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

static void base_TCP_2MSL_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[64];

	if (c->tcp_linger_s == LINGER_DEFAULT_S && !c->tcp_port_reuse)
		return;
	snprintf(line, sizeof(line), "tcp 2msl-timeout %" PRIu32 "%s", c->tcp_linger_s,
	         c->tcp_port_reuse ? " port-reuse" : "");
	put(arg, c->tcp_linger_s ? line : "no tcp 2msl-timeout");
}

static void base_TCP_2MSL_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[48];

	snprintf(text, sizeof(text), "%" PRIu32 " (secs)%s", c->tcp_linger_s,
	         c->tcp_port_reuse ? ", port reuse" : "");
	tell(arg, 0, "TCP 2MSL Timeout", c->tcp_linger_s ? text : "Disabled");
}

static int base_TCP_ORDER_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
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

static void base_TCP_ORDER_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[64];

	if (c->tcp_order_ms == ORDER_DEFAULT_MS)
		return;
	snprintf(line, sizeof(line), "tcp packets-out-of-order timeout %" PRIu32, c->tcp_order_ms);
	put(arg, line);
}

static void base_TCP_ORDER_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu32 " (msecs)", c->tcp_order_ms);
	tell(arg, 0, "TCP Out Of Order Timeout", text);
}

static int base_TCP_TRANSMIT_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
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
static void base_TCP_TRANSMIT_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	(void)obj, (void)put, (void)arg;
}

static void base_TCP_TRANSMIT_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	(void)obj;
	tell(arg, 0, "TCP Out Of Order Transmit", "immediately");
}

/* --- the rows --------------------------------------------------------------------------------- */

void ecs_rulebase_init(struct ecs_rulebase_conf *c)
{
	ecs_options_init(rows, NROWS, c);
}

int ecs_rulebase_set(struct ecs_rulebase_conf *c, enum ecs_form form, const char *const *w,
                     size_t n, struct ecs_err *e)
{
	return ecs_options_set(rows, NROWS, c, form, w, n, e);
}

void ecs_rulebase_print(const struct ecs_rulebase_conf *c, void (*put)(void *arg, const char *line),
                        void *arg)
{
	ecs_options_print(rows, NROWS, c, false, put, arg);
}

void ecs_rulebase_tell(const struct ecs_rulebase_conf *c, ecs_tell_fn *tell, void *arg)
{
	ecs_options_tell(rows, NROWS, c, tell, arg);
}

/* --- content-filtering mode ------------------------------------------------------------------- */

static int base_CF_MODE_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	char name[ECS_NAME_MAX + 1] = "";
	bool category = form == ECS_FORM_SET && ecs_words_take(&w, "category");
	enum ecs_cf_mode mode = ECS_CF_MODE_STATIC;
	int rc = 0;

	if (category && ecs_words_take(&w, "static-and-dynamic"))
		mode = ECS_CF_MODE_DYNAMIC;
	else if (category && !ecs_words_take(&w, "static-only"))
		return ecs_refuse(e, SRP_EINVAL, "expected static-only or static-and-dynamic");
	else if (form == ECS_FORM_SET && !category)
		mode = ECS_CF_MODE_GROUP;
	if (mode != ECS_CF_MODE_STATIC)
		rc = ecs_words_take(&w, "server-group")
		             ? ecs_words_name(&w, "server-group", name, e)
		             : ecs_refuse(e, SRP_EINVAL, "expected server-group");
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	c->cf_mode = (uint8_t)mode;
	memcpy(c->cf_group, name, sizeof(name));
	return 0;
}

static const char *const cf_modes[] = {
#define X(sym, text) [ECS_CF_MODE_##sym] = text,
	ECS_CF_MODES(X)
#undef X
};

static void base_CF_MODE_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN];

	if (c->cf_mode == ECS_CF_MODE_STATIC)
		return;
	snprintf(line, sizeof(line), "content-filtering mode %s %s", cf_modes[c->cf_mode],
	         c->cf_group);
	put(arg, line);
}

static void base_CF_MODE_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "CF Mode", cf_modes[c->cf_mode]);
	tell(arg, 0, "CF Server Group", c->cf_group[0] ? c->cf_group : "Not Configured");
}

/* --- url-blacklisting ------------------------------------------------------------------------- */

static int base_URL_BLACKLISTING_set(void *obj, enum ecs_form form, struct ecs_words w,
                                     struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	struct ecs_cf_action a = {.act = ECS_CF_ALLOW};
	const char *url = NULL;
	uint32_t code = 0;
	int rc = 0;

	if (form != ECS_FORM_SET)
		a.act = ECS_CF_ALLOW;
	else if (ecs_words_take(&w, "discard"))
		a.act = ECS_CF_DISCARD;
	else if (ecs_words_take(&w, "terminate-flow"))
		a.act = ECS_CF_TERMINATE;
	else if (ecs_words_take(&w, "redirect-url"))
		a.act = ECS_CF_REDIRECT;
	else if (ecs_words_take(&w, "www-reply-code-and-terminate-flow"))
		a.act = ECS_CF_REPLY;
	else
		return ecs_refuse(e, SRP_EINVAL, "expected discard, redirect-url, terminate-flow or "
		                  "www-reply-code-and-terminate-flow");
	if (a.act == ECS_CF_REDIRECT) {
		url = ecs_words_next(&w);
		rc = ecs_url_check(url, e);
	} else if (a.act == ECS_CF_REPLY) {
		rc = ecs_words_num(&w, "reply code", 400, 599, &code, e);
	}
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	a.code = (uint16_t)code;
	snprintf(a.text, sizeof(a.text), "%s", url ? url : "");
	c->blacklisting = form == ECS_FORM_SET;
	c->blacklist = a;
	return 0;
}

static void base_URL_BLACKLISTING_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[ECS_URL_MAX + 128], words[ECS_URL_MAX + 64];

	if (!c->blacklisting)
		return;
	snprintf(line, sizeof(line), "url-blacklisting action %s",
	         ecs_cf_words(&c->blacklist, words));
	put(arg, line);
}

static void base_URL_BLACKLISTING_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char words[ECS_URL_MAX + 64];

	tell(arg, 0, "URL-Blacklisting Action",
	     c->blacklisting ? ecs_cf_words(&c->blacklist, words) : "Not Configured");
}

/* --- tethering-detection ip-ttl --------------------------------------------------------------- */

static int base_TETHER_TTL_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_rulebase_conf *c = obj;
	bool one = ecs_words_take(&w, "value");
	uint32_t ttl = 0;
	int rc = 0;

	if (form == ECS_FORM_SET && !one)
		return ecs_refuse(e, SRP_EINVAL, "expected value");
	if (one)
		rc = ecs_words_num(&w, "TTL", 1, 255, &ttl, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	if (form == ECS_FORM_SET)
		c->tether_ttl[ttl / 64] |= UINT64_C(1) << ttl % 64;
	else if (one)
		c->tether_ttl[ttl / 64] &= ~(UINT64_C(1) << ttl % 64);
	else
		memset(c->tether_ttl, 0, sizeof(c->tether_ttl));
	return 0;
}

static void base_TETHER_TTL_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN];

	for (unsigned ttl = 1; ttl < 256; ttl++) {
		if (!(c->tether_ttl[ttl / 64] >> ttl % 64 & 1))
			continue;
		snprintf(line, sizeof(line), "tethering-detection ip-ttl value %u", ttl);
		put(arg, line);
	}
}

static void base_TETHER_TTL_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[1024] = "";
	size_t n = 0;

	for (unsigned ttl = 1; ttl < 256; ttl++)
		if (c->tether_ttl[ttl / 64] >> ttl % 64 & 1)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "", ttl);
	tell(arg, 0, "IP-TTL Tethering Detection", n ? text : "Not Configured");
}
