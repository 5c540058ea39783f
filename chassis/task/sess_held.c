#include "config.h"
#include "chassis/task/sess_held.h"

#include <stdlib.h>
#include <string.h>

void sess_held_init(struct sess_held *h)
{
	STAILQ_INIT(&h->head);
	h->n = h->bytes = 0;
}

struct sess_held_pkt *sess_held_add(struct sess_held *h, enum ecs_dir dir,
                                    const struct chassis_tun_pkt *p)
{
	struct sess_held_pkt *k;

	if (h->n >= SESS_HELD_MAX || p->len > SESS_HELD_BYTES - h->bytes)
		return NULL;
	k = malloc(sizeof(*k) + p->len);
	if (!k)
		return NULL;
	k->dir = dir;
	k->p = *p;
	k->p.ip = k->ip;
	k->p.headed = false;
	if (p->len)
		memcpy(k->ip, p->ip, p->len);
	sess_held_back(h, k);
	return k;
}

bool sess_held_put(struct sess_held *h, enum ecs_dir dir, const struct chassis_tun_pkt *p)
{
	return sess_held_add(h, dir, p) != NULL;
}

struct sess_held_pkt *sess_held_first(struct sess_held *h)
{
	return STAILQ_FIRST(&h->head);
}

struct sess_held_pkt *sess_held_take(struct sess_held *h)
{
	struct sess_held_pkt *k = STAILQ_FIRST(&h->head);

	if (!k)
		return NULL;
	STAILQ_REMOVE_HEAD(&h->head, link);
	h->n--;
	h->bytes -= k->p.len;
	return k;
}

void sess_held_back(struct sess_held *h, struct sess_held_pkt *k)
{
	STAILQ_INSERT_TAIL(&h->head, k, link);
	h->n++;
	h->bytes += k->p.len;
}
