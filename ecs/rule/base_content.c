/* base_content: what a rulebase does with the content of flows, and with those of tethered devices. */
#include "config.h"
#include "ecs/rule/base_own.h"

#include <stdio.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

#define LINE_LEN 512

static const char *const cf_modes[] = {
#define X(sym, text) [ECS_CF_MODE_##sym] = text,
	ECS_CF_MODES(X)
#undef X
};

/* --- content-filtering mode ------------------------------------------------------------------- */

int base_CF_MODE_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
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

void base_CF_MODE_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[LINE_LEN];

	if (c->cf_mode == ECS_CF_MODE_STATIC)
		return;
	snprintf(line, sizeof(line), "content-filtering mode %s %s", cf_modes[c->cf_mode],
	         c->cf_group);
	put(arg, line);
}

void base_CF_MODE_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;

	tell(arg, 0, "CF Mode", cf_modes[c->cf_mode]);
	tell(arg, 0, "CF Server Group", c->cf_group[0] ? c->cf_group : "Not Configured");
}

/* --- url-blacklisting ------------------------------------------------------------------------- */

int base_URL_BLACKLISTING_set(void *obj, enum ecs_form form, struct ecs_words w,
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

void base_URL_BLACKLISTING_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char line[ECS_URL_MAX + 128], words[ECS_URL_MAX + 64];

	if (!c->blacklisting)
		return;
	snprintf(line, sizeof(line), "url-blacklisting action %s",
	         ecs_cf_words(&c->blacklist, words));
	put(arg, line);
}

void base_URL_BLACKLISTING_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char words[ECS_URL_MAX + 64];

	tell(arg, 0, "URL-Blacklisting Action",
	     c->blacklisting ? ecs_cf_words(&c->blacklist, words) : "Not Configured");
}

/* --- tethering-detection ip-ttl --------------------------------------------------------------- */

int base_TETHER_TTL_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
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

void base_TETHER_TTL_print(const void *obj, ecs_option_put_fn *put, void *arg)
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

void base_TETHER_TTL_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_rulebase_conf *c = obj;
	char text[1024] = "";
	size_t n = 0;

	for (unsigned ttl = 1; ttl < 256; ttl++)
		if (c->tether_ttl[ttl / 64] >> ttl % 64 & 1)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "", ttl);
	tell(arg, 0, "IP-TTL Tethering Detection", n ? text : "Not Configured");
}
