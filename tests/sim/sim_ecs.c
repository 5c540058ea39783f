/* sim_ecs: a pair of real engines and replicas under random traffic, sessions, switchovers, deaths
 * and cuts. Its own model of what each flow is and what was forwarded is compared with what they
 * say.
 *
 *     sim_ecs [first seed [number of seeds [rounds]]]
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/ecs_model.h"
#include "tests/sim/ecs_world.h"

static void planned(struct world *w)
{
	world_quiet(w);
	world_busy(w, 200); /* and not quiet at all when it begins */
	w->p.doing = "planned switchover";
	pair_switch(&w->p);
	w->planned++;
	w->notes = 0;
	world_adopt(w, true);
}

static void death(struct world *w)
{
	int from = w->p.active;
	size_t sessions;

	w->p.doing = "death of the active";
	world_note(w);
	world_note_owed(w);
	pair_kill(&w->p, from);
	pair_take_over(&w->p, !from);
	w->unplanned++;
	world_check_survivors(w);
	world_check_owed(w);
	world_adopt(w, false);
	world_busy(w, pair_pick(&w->p, 1000));
	w->p.doing = "return of an empty one";
	pair_start(&w->p, from);
	sessions = ecs_engine_sessions(world_active(w));
	pair_connect(&w->p);
	pair_run(&w->p, 100);
	PAIR_CHECK(&w->p, ecs_engine_sessions(world_active(w)) == sessions); /* invariant 10 */
}

static void isolation(struct world *w)
{
	w->p.doing = "isolation of the active";
	world_note(w);
	pair_cut(&w->p);
	world_busy(w, pair_pick(&w->p, 300)); /* it goes on for a while, unheard */
	w->p.doing = "isolation of the active";
	pair_take_over(&w->p, !w->p.active);
	w->isolated++;
	world_check_survivors(w);
	world_adopt(w, false);
	world_busy(w, pair_pick(&w->p, 500));
	pair_connect(&w->p);
}

static void cut(struct world *w)
{
	pair_cut(&w->p);
	w->cuts++;
	world_busy(w, pair_pick(&w->p, 500));
	if (pair_pick(&w->p, 3) == 0) {
		w->p.doing = "death of the standby";
		pair_kill(&w->p, !w->p.active);
		world_busy(w, pair_pick(&w->p, 300));
		pair_start(&w->p, !w->p.active);
	}
	pair_connect(&w->p);
}

static void one(uint64_t seed, unsigned rounds, struct ecs_service *svc)
{
	struct world *w = calloc(1, sizeof(*w));

	pair_seed = seed;
	pair_init(&w->p, seed, svc, seed % 3 == 0 ? 1 : 0);
	w->next_port = 1024;
	pair_take_over(&w->p, (int)(seed & 1));
	pair_connect(&w->p);
	for (unsigned i = 0; i < rounds; i++) {
		world_busy(w, 200 + pair_pick(&w->p, 1500));
		switch (pair_pick(&w->p, 8)) {
		case 0: world_quiet(w); planned(w); break;
		case 1: planned(w); break;
		case 2: world_quiet(w); world_busy(w, 50); death(w); break;
		case 3: world_quiet(w); world_busy(w, 50); isolation(w); break;
		case 4: cut(w); break;
		case 5: world_quiet(w); break;
		case 6: death(w); break; /* level or not */
		case 7: isolation(w); break;
		}
	}
	world_quiet(w);
	w->p.doing = "end";
	pair_run(&w->p, 3000); /* what ended is forgotten as well */
	PAIR_CHECK(&w->p, world_owed(w) == 0);
	printf("seed %llu: %llu packets (%llu of recovered flows, %llu of them pending, %llu in "
	       "mid-stream; %llu flows had not begun), %zu sessions, %zu flows; %llu planned, "
	       "%llu deaths, %llu isolations, %llu cuts; %llu objects survived; "
	       "%llu octets lost of %llu at most\n",
	       (unsigned long long)seed, (unsigned long long)w->packets,
	       (unsigned long long)w->recovered, (unsigned long long)w->pending,
	       (unsigned long long)w->middle, (unsigned long long)w->fresh,
	       ecs_engine_sessions(world_active(w)),
	       ecs_engine_recoverable(world_active(w)), (unsigned long long)w->planned,
	       (unsigned long long)w->unplanned, (unsigned long long)w->isolated,
	       (unsigned long long)w->cuts, (unsigned long long)w->notes_seen,
	       (unsigned long long)w->lost, (unsigned long long)w->lost_at_most);
	pair_fini(&w->p);
	free(w->dead);
	free(w);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 0) : 20;
	unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 20;
	struct ecs_service *svc[2];
	int bad;

	setvbuf(stdout, NULL, _IOLBF, 0);
	bad = sim_ecs_common(first, 3 * n, 20 * rounds);
	for (int all = 0; all < 2; all++)
		svc[all] = pair_service(all);
	for (uint64_t s = first; s < first + n; s++)
		one(s, rounds, svc[s / 2 % 2]);
	for (int all = 0; all < 2; all++)
		ecs_service_free(svc[all]);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
