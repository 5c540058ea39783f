/* Names of T_KEYSTR fields (attributes of URLs, header fields): each has patterns of its own, found by
 * the hash of the name, so that a request costs what it has of names that rules look at. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct key {
	const char *name; /**< of a line of a ruledef; borrowed */
	size_t len;
	uint8_t field;
	uint16_t column;
};

struct keys {
	struct key *v;
	size_t n;
	uint32_t *slot; /**< index + 1 into v; 0 free */
	size_t mask;
};

static size_t slot_of(const struct keys *k, unsigned field, const char *name, size_t len)
{
	uint32_t h = 2166136261u ^ field;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)name[i];

		h = (h ^ (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c)) * 16777619u;
	}
	return (h ^ (h >> 15)) & k->mask;
}

static size_t find(const struct keys *k, unsigned field, const char *name, size_t len)
{
	size_t i = slot_of(k, field, name, len);

	for (; k->slot[i]; i = (i + 1) & k->mask) {
		const struct key *x = &k->v[k->slot[i] - 1];

		if (x->field == field && x->len == len && strncasecmp(x->name, name, len) == 0)
			break;
	}
	return i;
}

uint16_t ecs_keys_find(const struct keys *k, unsigned field, const char *name, size_t len)
{
	size_t i;

	if (!k || !k->n)
		return 0;
	i = find(k, field, name, len);
	return k->slot[i] ? k->v[k->slot[i] - 1].column : 0;
}

/** The column of a line's name, which gets one at its first appearance; 0: there are too many. */
static uint16_t column_of(struct ecs_service *s, struct keys *k, const struct rule_line *l)
{
	size_t len = strlen(l->key), i = find(k, l->c.field, l->key, len);

	if (!k->slot[i]) {
		if (k->n == ECS_KEYS_MAX)
			return 0;
		k->v[k->n++] = (struct key){l->key, len, l->c.field, (uint16_t)s->ncolumns++};
		k->slot[i] = (uint32_t)k->n;
	}
	return k->v[k->slot[i] - 1].column;
}

int ecs_keys_build(struct ecs_service *s, struct ecs_err *e)
{
	size_t n = 0, slots = 16;
	struct keys *k;

	s->ncolumns = ECS_F__N;
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++)
			n += r->lines[i].key != NULL;
	if (n > ECS_KEYS_MAX)
		n = ECS_KEYS_MAX;
	while (slots < n * 2)
		slots *= 2;
	s->keys = k = calloc(1, sizeof(*k));
	if (!k)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	k->mask = slots - 1;
	k->v = calloc(n ? n : 1, sizeof(*k->v));
	k->slot = calloc(slots, sizeof(*k->slot));
	if (!k->v || !k->slot)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++) {
			struct rule_line *l = &r->lines[i];

			l->c.column = l->key ? column_of(s, k, l) : l->c.field;
			if (l->key && !l->c.column)
				return ecs_refuse(e, SRP_EFULL,
				                  "expected at most %d different names of URL "
				                  "attributes and header fields", ECS_KEYS_MAX);
		}
	s->sets = calloc(s->ncolumns, sizeof(*s->sets));
	return s->sets ? 0 : ecs_refuse(e, SRP_ENOMEM, "out of memory");
}

void ecs_keys_free(struct keys *k)
{
	if (!k)
		return;
	free(k->v);
	free(k->slot);
	free(k);
}
