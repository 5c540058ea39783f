#include "config.h"
#include "suites.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ecs/ledger.h"
#include "ecs_kit.h"

/* A process that charges into a ledger dies at any time; the next one finds what it had charged. */

#define DEATHS   400u
#define LIVES    5u /* call-ids */
#define VOLUMES  7u /* of each: session, rules 1 to 3, content-ids 1 to 3 */
#define OPS      1000000u

struct model {
	bool there[LIVES];
	struct ecs_volume v[LIVES][VOLUMES];
};

/* What both processes see. */
struct common {
	_Alignas(64) char region[ECS_LEDGER_MIN];
	uint64_t done; /* operations the child has finished */
};

enum what { CREATE, DELETE, PACKET };

struct op {
	enum what what;
	uint32_t call;
	enum ecs_dir dir;
	uint64_t rule, content, bytes;
};

static uint64_t draw(uint64_t *x)
{
	*x += 0x9e3779b97f4a7c15u;
	return ecs_hash_mix(*x ^ ECS_HASH_K0, *x ^ ECS_HASH_K1);
}

/* The next operation, as both sides draw it. */
static struct op op_next(uint64_t *rnd, const struct model *m)
{
	uint64_t x = draw(rnd);
	struct op o = {.call = (uint32_t)(x % LIVES), .dir = (enum ecs_dir)(x >> 8 & 1),
	               .rule = 1 + (x >> 16) % 3, .content = 1 + (x >> 24) % 3,
	               .bytes = 1 + (x >> 32) % 1500};

	o.what = !m->there[o.call] ? CREATE : x >> 56 < 32 ? DELETE : PACKET;
	return o;
}

static void add(struct ecs_volume *v, const struct op *o)
{
	v->pkts[o->dir]++;
	v->bytes[o->dir] += o->bytes;
}

static void model_do(struct model *m, const struct op *o)
{
	switch (o->what) {
	case CREATE:
		m->there[o->call] = true;
		break;
	case DELETE:
		m->there[o->call] = false;
		memset(m->v[o->call], 0, sizeof(m->v[o->call]));
		break;
	case PACKET:
		add(&m->v[o->call][0], o);
		add(&m->v[o->call][o->rule], o);
		add(&m->v[o->call][3 + o->content], o);
		break;
	}
}

static void charge(struct kit *k, struct ecs_session *s, enum ecs_usage_of of, uint64_t id,
                   const struct op *o)
{
	ecs_usage_charge(k->e, s, of == ECS_USAGE_SESSION ? 0 : 5, of, id, 0, o->dir, 1, o->bytes,
	                 k->now);
}

static void engine_do(struct kit *k, const struct op *o)
{
	struct ecs_session_spec spec = kit_spec(o->call + 1, o->call + 1);
	struct ecs_session *s = ecs_session_find(k->e, o->call + 1);

	switch (o->what) {
	case CREATE:
		ecs_session_create(k->e, &spec, k->now, &s);
		break;
	case DELETE:
		ecs_session_delete(k->e, o->call + 1, ECS_END_OPERATOR, k->now);
		break;
	case PACKET:
		charge(k, s, ECS_USAGE_SESSION, 0, o);
		charge(k, s, ECS_USAGE_RULE, o->rule, o);
		charge(k, s, ECS_USAGE_CONTENT, o->content, o);
		break;
	}
}

/* Takes the region over as a successor does. */
static void take_over(struct kit *k, struct common *c, const struct model *m)
{
	struct ecs_engine_identity id = {.counters = &k->ctr, .rule_stats = k->stats,
	                                 .ledger = c->region, .ledger_len = sizeof(c->region)};
	struct ecs_ledger_lost lost;
	struct ecs_session *s;

	ecs_engine_assume(k->e, &id);
	for (uint32_t i = 0; i < LIVES; i++) {
		struct ecs_session_spec spec = kit_spec(i + 1, i + 1);

		if (m->there[i] && ecs_session_build(k->e, &spec, k->now, &s) == 0)
			ecs_ledger_adopt(k->e, s);
	}
	ecs_engine_active(k->e, true, k->now);
	while (ecs_ledger_sweep(k->e, 3, k->now, &lost))
		;
}

static void child(struct kit *k, struct common *c, struct model *m, uint64_t rnd)
{
	take_over(k, c, m);
	for (uint64_t i = 0; i < OPS; i++) {
		struct op o = op_next(&rnd, m);

		engine_do(k, &o);
		model_do(m, &o);
		__atomic_store_n(&c->done, i + 1, __ATOMIC_RELEASE);
	}
	_exit(0);
}

static bool either(uint64_t is, uint64_t old, uint64_t new)
{
	return is == old || is == new;
}

static struct ecs_volume found(struct kit *k, uint32_t call, unsigned i)
{
	enum ecs_usage_of of = i == 0  ? ECS_USAGE_SESSION
	                       : i < 4 ? ECS_USAGE_RULE
	                               : ECS_USAGE_CONTENT;
	const struct ecs_usage *u = ecs_usage_find(k->e, call + 1, i == 0 ? 0 : 5, of,
	                                           i < 4 ? i : i - 3);

	return u ? u->own[0] : (struct ecs_volume){0};
}

/* All that is found is as before or as after the operation in flight; it is what @p m is then. */
static bool compare(struct kit *k, struct model *m, const struct op *flight)
{
	struct model after = *m;
	bool right = true;

	model_do(&after, flight);
	for (uint32_t s = 0; s < LIVES; s++)
		for (unsigned i = 0; i < VOLUMES; i++) {
			struct ecs_volume v = found(k, s, i), *old = &m->v[s][i],
			                  *new = &after.v[s][i];

			for (int d = 0; d < 2; d++)
				right &= either(v.pkts[d], old->pkts[d], new->pkts[d]) &&
				         either(v.bytes[d], old->bytes[d], new->bytes[d]);
			*old = v;
		}
	return right;
}

static void run_until(struct common *c, uint64_t rnd)
{
	uint64_t target = rnd % 3 ? rnd >> 8 & 0x1ff : 0;

	while (__atomic_load_n(&c->done, __ATOMIC_ACQUIRE) < target)
		sched_yield();
	for (volatile uint64_t spin = rnd >> 20 & (target ? 0xfff : 0x1ffff); spin > 0;)
		spin = spin - 1;
}

static void a_death_at_any_time_loses_the_packet_in_flight(void)
{
	struct common *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct model m = {0};
	uint64_t rnd = 1, ops = 0;
	bool right = true;

	CU_ASSERT_TRUE_FATAL(c != MAP_FAILED);
	for (unsigned i = 0; i < DEATHS; i++) {
		uint64_t seed = draw(&rnd);
		struct ecs_ledger_stats st = {0};
		struct op o;
		struct kit k;
		pid_t pid;

		kit_init(&k, 0, false);
		c->done = 0;
		pid = fork();
		CU_ASSERT_TRUE_FATAL(pid >= 0);
		if (pid == 0)
			child(&k, c, &m, seed);
		run_until(c, draw(&rnd));
		kill(pid, SIGKILL);
		CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
		for (uint64_t n = 0; n < c->done; n++, ops++) {
			o = op_next(&seed, &m);
			model_do(&m, &o);
		}
		o = op_next(&seed, &m);
		take_over(&k, c, &m);
		right &= compare(&k, &m, &o);
		CU_ASSERT_TRUE(ecs_ledger_look(k.e, &st));
		CU_ASSERT_EQUAL(st.broken, 0);
		CU_ASSERT_EQUAL(st.full, 0);
		if (o.what == DELETE) {
			engine_do(&k, &o);
			model_do(&m, &o);
		}
		kit_fini(&k);
	}
	CU_ASSERT_TRUE(right);
	CU_ASSERT_TRUE(ops > DEATHS); /* they did live */
	munmap(c, sizeof(*c));
}

CU_TestInfo ecs_death_tests[] = {
	{"a death at any time loses the packet in flight",
	 a_death_at_any_time_loses_the_packet_in_flight},
	CU_TEST_INFO_NULL,
};
