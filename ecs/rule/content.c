#include "config.h"
#include "ecs/rule/content.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

#define PRIORITY_MAX 65535u

static const char *const act_words[ECS_CF__N] = {
#define X(sym, text) [ECS_CF_##sym] = text,
	ECS_CF_ACTS(X)
#undef X
};

static const char *const db_words[ECS_DB__N] = {
#define X(sym, text, words) [ECS_DB_##sym] = words,
	ECS_DBS(X)
#undef X
};

/* --- actions ---------------------------------------------------------------------------------- */

static int check_action(const struct ecs_cf_action *a, struct ecs_err *e)
{
	switch (a->act) {
	case ECS_CF_REDIRECT:
		return ecs_url_check(a->text, e);
	case ECS_CF_INSERT:
		return ecs_text_check(a->text, "text", ECS_CF_TEXT_MAX, e);
	case ECS_CF_REPLY:
		if (a->code < 400 || a->code > 599)
			return ecs_refuse(e, SRP_ERANGE, "expected a reply code from 400 to 599");
		return 0;
	case ECS_CF_ALLOW:
	case ECS_CF_DISCARD:
	case ECS_CF_TERMINATE:
		return 0;
	case ECS_CF__N:
		break;
	}
	return ecs_refuse(e, SRP_EINVAL, "expected an action");
}

const char *ecs_cf_words(const struct ecs_cf_action *a, char *buf)
{
	const size_t cap = ECS_URL_MAX + 64;

	if (a->act == ECS_CF_REDIRECT)
		snprintf(buf, cap, "%s %s", act_words[a->act], a->text);
	else if (a->act == ECS_CF_INSERT)
		snprintf(buf, cap, "%s \"%s\"", act_words[a->act], a->text);
	else if (a->act == ECS_CF_REPLY)
		snprintf(buf, cap, "%s %u", act_words[a->act], a->code);
	else
		snprintf(buf, cap, "%s", act_words[a->act]);
	return buf;
}

/* --- policies --------------------------------------------------------------------------------- */

static const char *policy_name(uint32_t id, char buf[16])
{
	snprintf(buf, 16, "%" PRIu32, id);
	return buf;
}

static struct cf_policy *find_policy(const struct ecs_service *s, uint32_t id)
{
	char name[16];

	return (struct cf_policy *)(void *)ecs_obj_find(&s->cf_policies, policy_name(id, name));
}

static int need_policy(struct ecs_service *s, uint32_t id, struct cf_policy **out, struct ecs_err *e)
{
	char name[16];

	return cf_policy_edit(s, policy_name(id, name), out, e);
}

int ecs_service_cf_policy(struct ecs_service *s, uint32_t id, bool no, struct ecs_err *e)
{
	char name[16];
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc == 0 && id == 0)
		rc = ecs_refuse(e, SRP_ERANGE, "expected a policy-id from 1 to 4294967295");
	if (rc == 0)
		rc = ecs_obj_open(&s->cf_policies, policy_name(id, name), no, e, &o);
	if (rc == 0 && o)
		((struct cf_policy *)(void *)o)->pub.id = id;
	return rc;
}

void ecs_cf_policy_fini(struct obj *o)
{
	free(((struct cf_policy *)(void *)o)->pub.line);
}

static int remove_line(struct ecs_cf_policy *p, uint32_t priority, struct ecs_err *e)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->line[i].priority == priority) {
			memmove(p->line + i, p->line + i + 1, (p->n - i - 1) * sizeof(p->line[0]));
			p->n--;
			return 0;
		}
	return ecs_refuse(e, SRP_ENOENT, "the policy has no such line");
}

static int add_line(struct ecs_cf_policy *p, const struct ecs_cf_line *l, struct ecs_err *e)
{
	struct ecs_cf_line *v;
	size_t i = 0;

	while (i < p->n && p->line[i].priority < l->priority)
		i++;
	if (i < p->n && p->line[i].priority == l->priority) {
		p->line[i] = *l;
		return 0;
	}
	if (p->n == ECS_CF_LINES_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d lines of a policy",
		                  ECS_CF_LINES_MAX);
	v = ecs_array_more(p->line, p->n, sizeof(*v));
	if (!v)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	p->line = v;
	memmove(v + i + 1, v + i, (p->n - i) * sizeof(*v));
	v[i] = *l;
	p->n++;
	return 0;
}

int ecs_service_cf_line(struct ecs_service *s, uint32_t id, bool no, uint32_t priority,
                            const char *category, const struct ecs_cf_action *a, struct ecs_err *e)
{
	struct ecs_cf_line l = {.priority = (uint16_t)priority, .all = !category};
	struct cf_policy *p;
	int rc = need_policy(s, id, &p, e);

	if (rc)
		return rc;
	if (priority < 1 || priority > PRIORITY_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a priority from 1 to %u", PRIORITY_MAX);
	if (no)
		return remove_line(&p->pub, priority, e);
	if (category && !ecs_db_is_category(category, strlen(category)))
		return ecs_refuse(e, SRP_EINVAL, "expected a category of at most %u letters, digits, "
		                  "- and _", ECS_DB_CATEGORY_MAX);
	for (size_t i = 0; category && category[i]; i++)
		l.category[i] = (char)(category[i] >= 'A' && category[i] <= 'Z' ? category[i] | 0x20
		                                                                : category[i]);
	rc = check_action(a, e);
	l.action = *a;
	return rc ? rc : add_line(&p->pub, &l, e);
}

int ecs_service_cf_failure(struct ecs_service *s, uint32_t id, const struct ecs_cf_action *a,
                               struct ecs_err *e)
{
	struct cf_policy *p;
	int rc = need_policy(s, id, &p, e);

	if (rc == 0)
		rc = check_action(a, e);
	if (rc == 0)
		p->pub.failure = *a;
	return rc;
}

const struct ecs_cf_policy *ecs_service_find_cf_policy(const struct ecs_service *s, uint32_t id)
{
	const struct cf_policy *p = id ? find_policy(s, id) : NULL;

	return p ? &p->pub : NULL;
}

/* --- server groups ---------------------------------------------------------------------------- */

static int need_rater(struct ecs_service *s, const char *name, struct ecs_rater **out,
                      struct ecs_err *e)
{
	struct rater *r;
	int rc = rater_edit(s, name, &r, e);

	if (rc == 0)
		*out = &r->pub;
	return rc;
}

int ecs_service_rater(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	struct ecs_rater *r;
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc == 0)
		rc = ecs_obj_open(&s->raters, name, no, e, &o);
	if (rc || !o)
		return rc;
	r = &((struct rater *)(void *)o)->pub;
	if (r->name[0])
		return 0;
	ecs_name_copy(r->name, name);
	ecs_name_copy(r->service, ECS_RATER_SERVICE);
	r->response_s = ECS_RATER_RESPONSE_S;
	r->retry_s = ECS_RATER_RETRY_S;
	return 0;
}

static void take_server(struct ecs_rater *r, size_t i)
{
	memmove(r->server + i, r->server + i + 1, (r->n - i - 1) * sizeof(r->server[0]));
	r->n--;
}

int ecs_service_rater_server(struct ecs_service *s, const char *name, bool no,
                             const struct ecs_rater_server *sv, struct ecs_err *e)
{
	struct ecs_rater *r;
	size_t i = 0;
	int rc = need_rater(s, name, &r, e);

	if (rc)
		return rc;
	while (i < r->n && (memcmp(&r->server[i].addr, &sv->addr, sizeof(sv->addr)) != 0 ||
	                    r->server[i].port != sv->port))
		i++;
	if (no && i == r->n)
		return ecs_refuse(e, SRP_ENOENT, "the group has no such server");
	if (!no && (!sv->port || !sv->priority || !sv->max || ecs_addr_none(&sv->addr)))
		return ecs_refuse(e, SRP_EINVAL, "expected a server");
	if (!no && i == r->n && r->n == ECS_RATER_SERVERS)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d servers of a group",
		                  ECS_RATER_SERVERS);
	if (i < r->n)
		take_server(r, i);
	if (no)
		return 0;
	for (i = 0; i < r->n && r->server[i].priority <= sv->priority; i++)
		;
	memmove(r->server + i + 1, r->server + i, (r->n - i) * sizeof(r->server[0]));
	r->server[i] = *sv;
	r->n++;
	return 0;
}

int ecs_service_rater_service(struct ecs_service *s, const char *name, const char *path,
                              struct ecs_err *e)
{
	struct ecs_rater *r;
	size_t n = strlen(path);
	int rc = need_rater(s, name, &r, e);

	if (rc)
		return rc;
	if (n < 1 || n > ECS_NAME_MAX || path[0] == '/')
		return ecs_refuse(e, SRP_ERANGE, "expected the path of a service, of 1 to %d "
		                  "characters, without its first /", ECS_NAME_MAX);
	for (size_t i = 0; i < n; i++)
		if (path[i] <= ' ' || path[i] > '~' || strchr("\"\\|?#", path[i]))
			return ecs_refuse(e, SRP_EINVAL, "expected a path of printable characters "
			                  "without \" \\ | ? #");
	ecs_name_copy(r->service, path);
	return 0;
}

int ecs_service_rater_times(struct ecs_service *s, const char *name, uint32_t response_s,
                            uint32_t retry_s, struct ecs_err *e)
{
	struct ecs_rater *r;
	int rc = need_rater(s, name, &r, e);

	if (rc)
		return rc;
	if (response_s > 300 || retry_s > 3600)
		return ecs_refuse(e, SRP_ERANGE, "expected at most 300 and 3600 seconds");
	if (response_s)
		r->response_s = response_s;
	if (retry_s)
		r->retry_s = retry_s;
	return 0;
}

int ecs_service_rater_failure(struct ecs_service *s, const char *name, const struct ecs_cf_action *a,
                              struct ecs_err *e)
{
	struct ecs_rater *r;
	int rc = need_rater(s, name, &r, e);

	if (rc == 0)
		rc = check_action(a, e);
	if (rc == 0)
		r->failure = *a;
	return rc;
}

int ecs_service_rater_deny(struct ecs_service *s, const char *name, const char *text,
                           struct ecs_err *e)
{
	struct ecs_rater *r;
	int rc = need_rater(s, name, &r, e);

	if (rc == 0 && text && text[0])
		rc = ecs_text_check(text, "text", ECS_CF_TEXT_MAX, e);
	if (rc == 0)
		snprintf(r->deny, sizeof(r->deny), "%s", text ? text : "");
	return rc;
}

const struct ecs_rater *ecs_service_find_rater(const struct ecs_service *s, const char *name)
{
	const struct obj *o = ecs_obj_find(&s->raters, name);

	return o ? &((const struct rater *)(const void *)o)->pub : NULL;
}

const struct ecs_rater *ecs_service_rater_at(const struct ecs_service *s, size_t i)
{
	return i < s->raters.n ? &((const struct rater *)(const void *)s->raters.v[i])->pub : NULL;
}

/* --- databases -------------------------------------------------------------------------------- */

int ecs_service_db_file(struct ecs_service *s, enum ecs_db_kind kind, const char *path,
                        struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (!path)
		path = "";
	if (strlen(path) > ECS_DB_FILE_MAX || (path[0] && path[0] != '/'))
		return ecs_refuse(e, SRP_EINVAL, "expected a path that begins with /, of at most %d "
		                  "characters", ECS_DB_FILE_MAX);
	for (const char *p = path; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"\\|", *p))
			return ecs_refuse(e, SRP_EINVAL, "expected a path of printable characters "
			                  "without blank, \" \\ and |");
	if (strcmp(s->db[kind].path, path) == 0)
		return 0;
	snprintf(s->db[kind].path, sizeof(s->db[kind].path), "%s", path);
	ecs_service_db_set(s, kind, NULL);
	return 0;
}

const char *ecs_service_db_path(const struct ecs_service *s, enum ecs_db_kind kind)
{
	return s->db[kind].path;
}

void ecs_service_db_set(struct ecs_service *s, enum ecs_db_kind kind, struct ecs_db *db)
{
	ecs_db_unref(s->db[kind].db);
	s->db[kind].db = db;
}

const struct ecs_db *ecs_service_db(const struct ecs_service *s, enum ecs_db_kind kind)
{
	return s->db[kind].db;
}

void ecs_service_db_share(struct ecs_service *s, const struct ecs_service *from)
{
	for (unsigned k = 0; from && k < ECS_DB__N; k++)
		if (!s->db[k].db && s->db[k].path[0] && strcmp(s->db[k].path, from->db[k].path) == 0)
			s->db[k].db = ecs_db_ref(from->db[k].db);
}

bool ecs_service_db_same(const struct ecs_service *a, const struct ecs_service *b)
{
	for (unsigned k = 0; k < ECS_DB__N; k++)
		if (ecs_db_digest(a ? a->db[k].db : NULL) != ecs_db_digest(b ? b->db[k].db : NULL))
			return false;
	return true;
}

/* --- printing --------------------------------------------------------------------------------- */

static void put_action(const char *words, const struct ecs_cf_action *a, ecs_option_put_fn *put,
                       void *arg)
{
	char line[ECS_URL_MAX + 192], action[ECS_URL_MAX + 64];

	snprintf(line, sizeof(line), "%s%s", words, ecs_cf_words(a, action));
	put(arg, line);
}

void ecs_cf_policy_print(const struct ecs_cf_policy *p, ecs_option_put_fn *put, void *arg)
{
	char words[96];

	for (size_t i = 0; i < p->n; i++) {
		const struct ecs_cf_line *l = &p->line[i];

		snprintf(words, sizeof(words), "analyze priority %u %s%s action ", l->priority,
		         l->all ? "all" : "category ", l->category);
		put_action(words, &l->action, put, arg);
	}
	if (p->failure.act != ECS_CF_ALLOW)
		put_action("failure-action ", &p->failure, put, arg);
}

void ecs_rater_print(const struct ecs_rater *r, bool servers, ecs_option_put_fn *put, void *arg)
{
	char line[ECS_CF_TEXT_MAX + 96], addr[48];

	for (size_t i = 0; servers && i < r->n; i++) {
		const struct ecs_rater_server *sv = &r->server[i];

		snprintf(line, sizeof(line), "icap server %s port %u max %u priority %u",
		         ecs_addr_word(&sv->addr, addr), sv->port, sv->max, sv->priority);
		put(arg, line);
	}
	if (servers && strcmp(r->service, ECS_RATER_SERVICE) != 0) {
		snprintf(line, sizeof(line), "icap service %s", r->service);
		put(arg, line);
	}
	if (r->response_s != ECS_RATER_RESPONSE_S) {
		snprintf(line, sizeof(line), "response-timeout %" PRIu32, r->response_s);
		put(arg, line);
	}
	if (r->retry_s != ECS_RATER_RETRY_S) {
		snprintf(line, sizeof(line), "connection retry-timeout %" PRIu32, r->retry_s);
		put(arg, line);
	}
	if (r->failure.act != ECS_CF_ALLOW)
		put_action("failure-action ", &r->failure, put, arg);
	if (r->deny[0]) {
		snprintf(line, sizeof(line), "deny-message \"%s\"", r->deny);
		put(arg, line);
	}
}

void ecs_dbs_print(const struct ecs_service *s, ecs_option_put_fn *put, void *arg)
{
	char line[ECS_DB_FILE_MAX + 64];

	for (unsigned k = 0; k < ECS_DB__N; k++) {
		if (!s->db[k].path[0])
			continue;
		snprintf(line, sizeof(line), "%s %s", db_words[k], s->db[k].path);
		put(arg, line);
	}
}
