#include "config.h"
#include "chassis/task/demux_wait.h"

#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

void demux_wait_init(struct demux_wait *w)
{
	STAILQ_INIT(&w->head);
	w->n = 0;
}

int demux_wait_put(struct demux_wait *w, uint32_t id, const uint8_t *body, size_t len,
                   struct srp_time now)
{
	struct demux_waiting *q;

	if (w->n >= DEMUX_WAIT_MAX)
		return SRP_EFULL;
	q = malloc(sizeof(*q) + len);
	if (!q)
		return SRP_ENOMEM;
	q->id = id;
	q->since = now;
	q->len = len;
	if (len)
		memcpy(q->body, body, len);
	STAILQ_INSERT_TAIL(&w->head, q, link);
	w->n++;
	return SRP_OK;
}

const struct demux_waiting *demux_wait_first(const struct demux_wait *w)
{
	return STAILQ_FIRST(&w->head);
}

bool demux_wait_late(const struct demux_waiting *q, struct srp_time now)
{
	return srp_time_since(q->since, now) >= DEMUX_WAIT_US;
}

void demux_wait_pop(struct demux_wait *w)
{
	struct demux_waiting *q = STAILQ_FIRST(&w->head);

	if (!q)
		return;
	STAILQ_REMOVE_HEAD(&w->head, link);
	w->n--;
	free(q);
}
