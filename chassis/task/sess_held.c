#include "config.h"
#include "chassis/task/sess_held.h"

#include <stdlib.h>
#include <string.h>

void sess_held_init(struct sess_held *h)
{
	STAILQ_INIT(&h->head);
	h->n = h->bytes = 0;
}

bool sess_held_put(struct sess_held *h, enum ecs_dir dir, const struct chassis_tun_pkt *p)
{
	struct sess_held_pkt *k;

	if (h->n >= SESS_HELD_MAX || p->len > SESS_HELD_BYTES - h->bytes)
		return false;
	k = malloc(sizeof(*k) + p->len);
	if (!k)
		return false;
	k->dir = dir;
	k->p = *p;
	k->p.ip = k->ip;
	k->p.headed = false;
	if (p->len)
		memcpy(k->ip, p->ip, p->len);
	sess_held_back(h, k);
	return true;
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
