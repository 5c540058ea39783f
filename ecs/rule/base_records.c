/* base_records: which records a rulebase gives, and in which formats. */
#include "config.h"
#include "ecs/rule/base_own.h"

#include <stdio.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

#define LINE_LEN 512
#define PAIR_LEN (2 * ECS_NAME_MAX + 64)

static const char *const end_words[] = {
#define X(sym, text) [ECS_FLOW_END_##sym] = text,
	ECS_FLOW_ENDS(X)
#undef X
};

/* --- formats of records ----------------------------------------------------------------------- */

static int take_pair(struct ecs_words *w, struct ecs_edr_pair *out, struct ecs_err *e)
{
	return ecs_words_edrs(w, out->charging, out->reporting, e);
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
	ecs_edrs_text(p->charging, p->reporting, buf, cap);
}

/* --- flow end-condition ----------------------------------------------------------------------- */

int base_END_CONDITION_set(void *obj, enum ecs_form form, struct ecs_words w,
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

void base_END_CONDITION_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN], pair[PAIR_LEN];
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

void base_END_CONDITION_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char pair[PAIR_LEN];

	tell(arg, 0, "Flow End Condition", "");
	for (unsigned i = 0; i < ECS_FLOW_END__N; i++) {
		pair_text(&c->end[i], pair, sizeof(pair));
		tell(arg, 1, end_words[i], pair_set(&c->end[i]) ? pair + 1 : "Disabled");
	}
}

/* --- edr transaction-complete ----------------------------------------------------------------- */

int base_EDR_TRANSACTION_set(void *obj, enum ecs_form form, struct ecs_words w,
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
	char line[LINE_LEN], pair[PAIR_LEN];

	if (!pair_set(p))
		return;
	pair_text(p, pair, sizeof(pair));
	snprintf(line, sizeof(line), "edr transaction-complete %s%s", what, pair);
	put(arg, line);
}

void base_EDR_TRANSACTION_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	print_transaction(&c->edr_http, "http", put, arg);
	print_transaction(&c->edr_dns, "dns", put, arg);
}

void base_EDR_TRANSACTION_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char pair[PAIR_LEN];

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

int base_BILLING_RECORDS_set(void *obj, enum ecs_form form, struct ecs_words w,
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

void base_BILLING_RECORDS_print(const void *obj, ecs_option_put_fn *put, void *arg)
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

void base_BILLING_RECORDS_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "Billing Records", "");
	tell(arg, 1, "UDR", ecs_enabled_word(c->udr));
	if (c->udr)
		tell(arg, 1, "UDR Format", c->udr_format);
	tell(arg, 1, "FDR", ecs_enabled_word(c->fdr));
	if (c->fdr)
		tell(arg, 1, "FDR Format", c->fdr_format);
}
