#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/app.h"

#define ALL_BEHAVIORS 1u /**< in ecs_detect.behaviors; no behaviour has the number 0 */

static struct detected *find(const struct detect *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcasecmp(d->v[i].name, name) == 0)
			return &d->v[i];
	return NULL;
}

static int add(struct detect *d, const char *name, struct ecs_err *e)
{
	struct detected *v;
	int id;

	if (d->n >= ECS_DETECT_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d applications", ECS_DETECT_MAX);
	v = ecs_array_more(d->v, d->n, sizeof(*v));
	if (!v)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	d->v = v;
	id = ecs_app_by_name(name);
	v[d->n] = (struct detected){.id = (uint16_t)(id > 0 ? id : 0)};
	ecs_name_copy(v[d->n].name, id > 0 ? ecs_app_name((uint16_t)id) : name);
	d->n++;
	return 0;
}

int ecs_service_detect(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	struct detect *d = &s->detect;
	struct detected *x;
	int rc = ecs_rule_open(s, e);

	if (rc == 0 && name)
		rc = ecs_name_check(name, "application", e);
	if (rc)
		return rc;
	if (!name) {
		d->all = !no;
		if (no)
			d->n = 0;
		return 0;
	}
	x = find(d, name);
	if (!no)
		return x ? 0 : add(d, name, e);
	if (!x)
		return ecs_refuse(e, SRP_ENOENT, "there is no p2p-detection protocol %s", name);
	memmove(x, x + 1, (size_t)(d->v + d->n - (x + 1)) * sizeof(*x));
	d->n--;
	return 0;
}

int ecs_service_detect_behavior(struct ecs_service *s, uint8_t behavior, bool no, struct ecs_err *e)
{
	uint32_t bit = behavior ? 1u << behavior : ALL_BEHAVIORS, *set = &s->detect.behaviors;
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (behavior >= ECS_BEHAVIOR__N)
		return ecs_refuse(e, SRP_EINVAL, "expected a behavior");
	if (no && behavior && !(*set & bit))
		return ecs_refuse(e, SRP_ENOENT, "there is no p2p-detection behavioral %s",
		                  ecs_enum_text(ECS_F_P2P_BEHAVIOR, behavior));
	*set = !no ? *set | bit : behavior ? *set & ~bit : 0;
	return 0;
}

bool ecs_detect_never(const struct ecs_service *s, const struct cond *c)
{
	const struct detect *d = &s->detect;

	if (c->field == ECS_F_P2P_BEHAVIOR && c->op == ECS_OP_EQ)
		return d->behaviors && !(d->behaviors & (ALL_BEHAVIORS | 1u << c->lo));
	if (c->field != ECS_F_P2P_PROTOCOL || d->all || !d->n)
		return false;
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].id == c->lo)
			return false;
	return true;
}

void ecs_detect_print(const struct ecs_service *s, void (*put)(void *arg, const char *line), void *arg)
{
	const struct detect *d = &s->detect;
	char line[ECS_NAME_MAX + 40];

	if (d->all)
		put(arg, "p2p-detection protocol all");
	for (size_t i = 0; i < d->n; i++) {
		snprintf(line, sizeof(line), "p2p-detection protocol %s", d->v[i].name);
		put(arg, line);
	}
	for (uint8_t b = 0; b < ECS_BEHAVIOR__N; b++)
		if (d->behaviors >> b & 1) {
			snprintf(line, sizeof(line), "p2p-detection behavioral %s",
			         b ? ecs_enum_text(ECS_F_P2P_BEHAVIOR, b) : "all");
			put(arg, line);
		}
}

void ecs_detect_free(struct ecs_service *s)
{
	free(s->detect.v);
}
