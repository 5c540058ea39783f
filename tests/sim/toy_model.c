#include "config.h"
#include "tests/sim/sim.h"

#include <stdlib.h>

#include "tests/sim/toy.h"

static void *create(struct srp_ckpt_sink *sink, unsigned side)
{
	struct toy *t = malloc(sizeof(*t));

	(void)side;
	if (t)
		toy_init(t, sink);
	return t;
}

static void destroy(void *m)
{
	toy_fini(m);
	free(m);
}

static void start(void *m, struct sim_rng *g, struct srp_time now)
{
	(void)g;
	for (uint32_t i = 0; i < TOY_RULES; i++)
		toy_set_rule(m, i, i, now);
}

static void act(void *m, struct sim_rng *g, struct srp_time now)
{
	struct toy *t = m;
	uint32_t what = sim_below(g, 100), p = sim_below(g, TOY_PARENTS),
		 c = sim_below(g, TOY_CHILDREN);
	uint32_t value = sim_below(g, 100000);

	if (what < 15)
		toy_set_parent(t, p, value, now);
	else if (what < 20)
		toy_del_parent(t, p, now);
	else if (what < 30)
		toy_set_stat(t, p, value, now);
	else if (what < 75 && !t->rule[value % TOY_RULES])
		toy_set_rule(t, value % TOY_RULES, value, now); /* made when it is needed */
	else if (what < 75)
		toy_set_child(t, p, c, value, value % TOY_RULES, now);
	else if (what < 92)
		toy_del_child(t, p, c, now);
	else if (what < 95)
		toy_set_rule(t, value % TOY_RULES, value, now);
	else if (t->parent[p])
		t->parent[p]->young = what < 97; /* grown up, a change tells */
}

static int compare(void *a, void *b, char *why, size_t cap)
{
	return toy_compare(a, b, why, cap);
}

const struct sim_model sim_toy = {.name = "toy",
				  .kinds = toy_kinds,
				  .nkinds = TOY_KINDS,
				  .create = create,
				  .destroy = destroy,
				  .start = start,
				  .act = act,
				  .compare = compare};
