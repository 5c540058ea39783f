/* Compiled string sets on their way from the process that compiled them to those that only use them: a
 * head and a serialised database each, one behind the other. Both ends are the same program on the
 * same machine. A database is found by what it was compiled from. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 8u

struct set_head {
	uint64_t key, len; /**< len: of the database behind it, which is filled up to ALIGN */
};

static size_t filled(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

const uint8_t *ecs_sets_find(const struct ecs_sets *sets, uint64_t key, size_t *len)
{
	const uint8_t *p = sets->p;
	size_t left = sets->p ? sets->len : 0;
	struct set_head h;

	while (left > sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		left -= sizeof(h);
		if (h.len == 0 || h.len > left || filled(h.len) > left)
			return NULL;
		if (h.key == key) {
			*len = h.len;
			return p;
		}
		p += filled(h.len);
		left -= filled(h.len);
	}
	return NULL;
}

static int save_one(const struct patterns *set, int (*put)(void *arg, const void *p, size_t n),
                    void *arg)
{
	static const uint8_t fill[ALIGN];
	struct set_head h = {.key = set->key};
	char *bytes = NULL;
	size_t len = 0;
	int rc;

	if (hs_serialize_database(set->db, &bytes, &len) != HS_SUCCESS)
		return SRP_ENOMEM;
	h.len = len;
	rc = put(arg, &h, sizeof(h));
	if (rc == 0)
		rc = put(arg, bytes, len);
	if (rc == 0 && filled(len) > len)
		rc = put(arg, fill, filled(len) - len);
	free(bytes); /* of the default allocator */
	return rc;
}

int ecs_service_sets_save(const struct ecs_service *s,
                          int (*put)(void *arg, const void *p, size_t n), void *arg)
{
	int rc = s->frozen ? 0 : SRP_ESTATE;

	for (size_t k = 0; rc == 0 && k < s->ncolumns; k++)
		if (s->sets[k].db)
			rc = save_one(&s->sets[k], put, arg);
	return rc;
}

void ecs_service_trust(struct ecs_service *s, bool on)
{
	s->trusted = on;
}
