#include "config.h"
#include "ecs/wheel.h"

#include <stdlib.h>

#include "ecs/engine_impl.h"

/* Four levels of 256 slots: at 100 ms a tick the first holds 25 s, the second 1.8 h, the third 19
 * days. A node beyond the last waits in the farthest slot and is placed anew when its turn
 * comes. */
#define BITS   8u
#define SLOTS  (1u << BITS)
#define LEVELS 4u
#define DUE    LEVELS /* level of a node that is on the due list */
#define FAR    (((uint64_t)1 << (BITS * LEVELS)) - 1)

struct ecs_wheel {
	uint64_t tick_us;
	uint64_t cursor;         /* ticks up to here have been fired */
	uint64_t base_us;        /* real time of tick 0, while running */
	bool running;
	size_t armed[LEVELS];    /* nodes per level, so that empty time is skipped, not walked */
	struct srp_list due;     /* of the tick being fired: what a budget left over stays here */
	struct srp_list slot[LEVELS][SLOTS];
};

struct ecs_wheel *ecs_wheel_new(uint32_t tick_ms, struct srp_time now)
{
	struct ecs_wheel *w;

	if (tick_ms == 0)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->tick_us = SRP_MS(tick_ms);
	w->base_us = now.us;
	w->running = true;
	ecs_list_init(&w->due);
	for (unsigned l = 0; l < LEVELS; l++)
		for (unsigned i = 0; i < SLOTS; i++)
			ecs_list_init(&w->slot[l][i]);
	return w;
}

void ecs_wheel_free(struct ecs_wheel *w)
{
	free(w);
}

static void place(struct ecs_wheel *w, struct ecs_wheel_node *n)
{
	uint64_t at = n->at, left = at - w->cursor;
	unsigned level = 0;

	if (left > FAR) {
		at = w->cursor + FAR;
		left = FAR;
	}
	while (level + 1 < LEVELS && left >= (uint64_t)1 << (BITS * (level + 1)))
		level++;
	ecs_list_add_tail(&w->slot[level][(at >> (BITS * level)) & (SLOTS - 1)], &n->node);
	n->level = (uint8_t)level;
	w->armed[level]++;
}

static void take_off(struct ecs_wheel *w, struct ecs_wheel_node *n)
{
	if (!ecs_list_on(&n->node))
		return;
	ecs_list_del(&n->node);
	if (n->level < LEVELS)
		w->armed[n->level]--;
}

void ecs_wheel_arm(struct ecs_wheel *w, struct ecs_wheel_node *n, uint64_t after_ms)
{
	uint64_t tick_ms = w->tick_us / 1000;
	uint64_t ticks;

	if (after_ms > (uint64_t)1 << 48)
		after_ms = (uint64_t)1 << 48;
	ticks = (after_ms + tick_ms - 1) / tick_ms;
	take_off(w, n);
	/* the tick under the cursor has begun already: one more, so that nothing fires early */
	n->at = w->cursor + ticks + 1;
	place(w, n);
}

void ecs_wheel_disarm(struct ecs_wheel *w, struct ecs_wheel_node *n)
{
	take_off(w, n);
}

bool ecs_wheel_armed(const struct ecs_wheel_node *n)
{
	return ecs_list_on(&n->node);
}

uint64_t ecs_wheel_left(const struct ecs_wheel *w, const struct ecs_wheel_node *n)
{
	if (!ecs_wheel_armed(n) || n->at <= w->cursor + 1)
		return 0;
	return (n->at - w->cursor - 1) * (w->tick_us / 1000);
}

void ecs_wheel_start(struct ecs_wheel *w, struct srp_time now)
{
	if (w->running)
		return;
	w->base_us = now.us - w->cursor * w->tick_us; /* may wrap: only differences are used */
	w->running = true;
}

void ecs_wheel_stop(struct ecs_wheel *w, struct srp_time now)
{
	(void)now;
	w->running = false;
}

/* Takes the nodes of a slot of a higher level to where they belong now. */
static void cascade(struct ecs_wheel *w, unsigned level)
{
	struct srp_list *head = &w->slot[level][(w->cursor >> (BITS * level)) & (SLOTS - 1)];
	struct srp_list work = *head;

	if (ecs_list_empty(head))
		return;
	work.next->prev = work.prev->next = &work;
	ecs_list_init(head);
	while (!ecs_list_empty(&work)) {
		struct ecs_wheel_node *n = ECS_CONTAINER(work.next, struct ecs_wheel_node, node);

		take_off(w, n);
		place(w, n);
	}
}

/* Goes on to the next tick and moves its nodes to the due list. */
static void advance(struct ecs_wheel *w)
{
	struct srp_list *head;

	w->cursor++;
	for (unsigned l = 1; l < LEVELS; l++) {
		if ((w->cursor & (((uint64_t)1 << (BITS * l)) - 1)) != 0)
			break;
		cascade(w, l);
	}
	head = &w->slot[0][w->cursor & (SLOTS - 1)];
	while (!ecs_list_empty(head)) {
		struct ecs_wheel_node *n = ECS_CONTAINER(head->next, struct ecs_wheel_node, node);

		take_off(w, n);
		n->level = DUE;
		ecs_list_add_tail(&w->due, &n->node);
	}
}

/* Skips ticks in which nothing can be due: up to the border where the first level that holds a node
 * is looked at. */
static void skip(struct ecs_wheel *w, uint64_t target)
{
	uint64_t to = w->cursor;
	unsigned l = 0;

	while (l < LEVELS && w->armed[l] == 0)
		l++;
	if (l == 0)
		return;
	to = l == LEVELS ? target : to | (((uint64_t)1 << (BITS * l)) - 1);
	w->cursor = to < target ? to : target;
}

size_t ecs_wheel_run(struct ecs_wheel *w, struct srp_time now, size_t budget, ecs_wheel_fn *fn,
                     void *owner)
{
	uint64_t target;
	size_t n = 0;

	if (!w->running)
		return 0;
	target = (now.us - w->base_us) / w->tick_us;
	if ((int64_t)(now.us - w->base_us) < 0)
		target = w->cursor;
	for (;;) {
		while (!ecs_list_empty(&w->due)) {
			struct ecs_wheel_node *due =
				ECS_CONTAINER(w->due.next, struct ecs_wheel_node, node);

			if (n == budget)
				return n;
			n++;
			take_off(w, due);
			fn(owner, due, now);
		}
		skip(w, target);
		if (w->cursor >= target)
			return n;
		advance(w);
	}
}
