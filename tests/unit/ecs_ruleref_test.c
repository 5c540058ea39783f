#include "config.h"
#include "suites.h"

#include "ecs_kit.h"

static struct ecs_ruleref *ref(struct kit *k, const char *rule)
{
	return ecs_ruleref_get(k->e->refs, kit_ref(k, rule));
}

static void test_of_line(void)
{
	struct ecs_ruleref *r;
	struct kit a;
	size_t lines;

	kit_init(&a, 0, true);
	r = ref(&a, "web");
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_STRING_EQUAL(r->rulebase, "rb");
	CU_ASSERT_STRING_EQUAL(r->rule, "web");
	CU_ASSERT_EQUAL(r->bind, ECS_BIND_OK);
	CU_ASSERT_EQUAL(ecs_service_line(a.svc, r->line)->rule_digest, r->rule_digest);
	CU_ASSERT_TRUE(r->name_hash != 0 && r->name_hash <= UINT32_MAX); /* short on the wire */
	CU_ASSERT_EQUAL(a.rec.changed[241], 1);
	CU_ASSERT_PTR_EQUAL(ref(&a, "web"), r);
	CU_ASSERT_EQUAL(a.rec.changed[241], 1); /* told at first use */
	CU_ASSERT_EQUAL(ecs_ruleref_by_hash(a.e->refs, r->name_hash), r->id);
	CU_ASSERT_EQUAL(ecs_ruleref_by_hash(a.e->refs, 0), ECS_REF_NONE);
	CU_ASSERT_NOT_EQUAL(ref(&a, "dns")->name_hash, r->name_hash);
	CU_ASSERT_EQUAL(ecs_ruleref_count(a.e->refs), 2);
	lines = ecs_service_lines(a.svc);
	CU_ASSERT_EQUAL(ecs_ruleref_of_line(a.e->refs, (uint16_t)lines, a.now), ECS_REF_NONE);
	CU_ASSERT_EQUAL(ecs_ruleref_of_line(a.e->refs, ECS_LINE_NONE, a.now), ECS_REF_NONE);
	CU_ASSERT_PTR_NULL(ecs_ruleref_get(a.e->refs, ECS_REF_NONE));
	CU_ASSERT_PTR_NULL(ecs_ruleref_get(a.e->refs, 2));
	kit_fini(&a);
}

/* Equal digests bind; what differs has its reason and is never taken for it (R15). */
static void test_bind(void)
{
	static const struct {
		int variant;
		enum ecs_bind bind;
	} cases[] = {
		{0, ECS_BIND_OK}, {1, ECS_BIND_RULE_DIFFERS}, {2, ECS_BIND_ACTION_DIFFERS},
		{3, ECS_BIND_NO_RULE},
	};
	struct srp_ckpt_obj *out;
	struct kit a, b;

	kit_init(&a, 0, true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ecs_ruleref *r;

		kit_init_with(&b, 1, false, cases[i].variant, 0);
		CU_ASSERT_EQUAL(kit_send(&a, &b, &ref(&a, "web")->ckpt, &out), 0);
		r = ECS_CONTAINER(out, struct ecs_ruleref, ckpt);
		CU_ASSERT_EQUAL(r->bind, cases[i].bind);
		CU_ASSERT_EQUAL(r->line != ECS_LINE_NONE, cases[i].bind == ECS_BIND_OK);
		CU_ASSERT_TRUE(kit_same(&a, &ref(&a, "web")->ckpt, &b, out));
		CU_ASSERT_EQUAL(b.rec.changed[241], 0);
		/* the local rule of that name is a ref of its own where it differs */
		if (cases[i].variant == 1 || cases[i].variant == 2)
			CU_ASSERT_PTR_NOT_EQUAL(ref(&b, "web"), r);
		if (cases[i].variant == 0)
			CU_ASSERT_PTR_EQUAL(ref(&b, "web"), r);
		kit_fini(&b);
	}
	kit_fini(&a);
}

/* A commit binds by rule, not by flow; and takes it back. */
static void test_rebind(void)
{
	struct ecs_service *other = kit_service(1, 0), *same = kit_service(0, 0);
	struct ecs_service *none = kit_service(3, 0);
	struct ecs_ruleref *r;
	struct kit a;

	kit_init(&a, 0, true);
	r = ref(&a, "web");
	ecs_ruleref_rebind(a.e->refs, other);
	CU_ASSERT_EQUAL(r->bind, ECS_BIND_RULE_DIFFERS);
	CU_ASSERT_EQUAL(r->line, ECS_LINE_NONE);
	ecs_ruleref_rebind(a.e->refs, none);
	CU_ASSERT_EQUAL(r->bind, ECS_BIND_NO_RULE);
	ecs_ruleref_rebind(a.e->refs, same);
	CU_ASSERT_EQUAL(r->bind, ECS_BIND_OK);
	CU_ASSERT_STRING_EQUAL(ecs_service_line(same, r->line)->rule_name, "web");
	ecs_ruleref_rebind(a.e->refs, a.svc);
	CU_ASSERT_PTR_EQUAL(ref(&a, "web"), r);
	CU_ASSERT_EQUAL(a.rec.changed[241], 1);
	kit_fini(&a);
	ecs_service_free(other);
	ecs_service_free(same);
	ecs_service_free(none);
}

static void test_torture(void)
{
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	kit_torture(&a, &b, &ref(&a, "web")->ckpt);
	kit_torture(&a, &b, &ref(&a, "web")->ckpt);
	kit_fini(&a);
	kit_fini(&b);
}

static int apply_raw(struct kit *b, uint64_t hash, const char *rulebase, const char *rule)
{
	uint8_t buf[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_ckpt_obj *out;

	srp_mp_w_str(&w, rulebase);
	srp_mp_w_str(&w, rule);
	srp_mp_w_uint(&w, 1);
	srp_mp_w_uint(&w, 2);
	return kit_apply(b, &ecs_kind_rule_map, &(struct srp_ckpt_key){{hash}}, buf,
	                 srp_mp_w_len(&w), ecs_kind_rule_map.nfields, &out);
}

static uint64_t full(const char *rulebase, const char *rule)
{
	return ecs_ruleref_full_hash(&(struct ecs_rule_name){rulebase, rule, 1, 2});
}

static void test_refusals(void)
{
	char longest[66];
	struct kit_state st;
	struct kit b;

	memset(longest, 'r', sizeof(longest));
	longest[64] = '\0';
	kit_init(&b, 1, false);
	st = kit_state(&b);
	CU_ASSERT_EQUAL(apply_raw(&b, 0, "rb", "x"), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_raw(&b, full("rb", "x") + 1, "rb", "x"), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_raw(&b, full("rb", "y"), "rb", "x"), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_raw(&b, full("rb", ""), "rb", ""), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_raw(&b, full("", "x"), "", "x"), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_raw(&b, full("rb", "a\nb"), "rb", "a\nb"), SRP_EFORMAT);
	CU_ASSERT_EQUAL(apply_raw(&b, full("rb", longest), "rb", longest), SRP_ERANGE);
	CU_ASSERT_TRUE(kit_unchanged(&b, &st));
	longest[63] = '\0';
	CU_ASSERT_EQUAL(apply_raw(&b, full(longest, longest), longest, longest), 0);
	/* short or whole, but one of them for one rule */
	CU_ASSERT_EQUAL(apply_raw(&b, full("rb", "x") & UINT32_MAX, "rb", "x"), 0);
	CU_ASSERT_EQUAL(ecs_ruleref_count(b.e->refs), 2);
	/* the boundary between the names counts */
	CU_ASSERT_NOT_EQUAL(full("ab", "c"), full("a", "bc"));
	kit_fini(&b);
}

/* A short hash that another name holds: what came first keeps it, the other has its whole hash. */
static void test_collision(void)
{
	struct ecs_ruleref *r;
	uint64_t whole, brief;
	struct kit k;

	kit_init(&k, 1, true);
	/* two names with one short hash are too rare to be searched for here: one is renamed */
	r = ref(&k, "web");
	brief = r->name_hash;
	strcpy(r->rule, "bew");
	ecs_ruleref_rebind(k.e->refs, k.svc); /* forgets which line has which ref */
	r = ref(&k, "web");
	whole = r->name_hash;
	CU_ASSERT_NOT_EQUAL(whole, brief);
	CU_ASSERT_EQUAL(whole & UINT32_MAX, brief);
	CU_ASSERT_STRING_EQUAL(r->rule, "web");
	CU_ASSERT_EQUAL(ecs_ruleref_count(k.e->refs), 2);
	ecs_ruleref_rebind(k.e->refs, k.svc);
	CU_ASSERT_PTR_EQUAL(ref(&k, "web"), r); /* found again, not made again */
	/* the same of a peer's */
	CU_ASSERT_EQUAL(apply_raw(&k, full("rb", "x") & UINT32_MAX, "rb", "x"), 0);
	r = ecs_ruleref_get(k.e->refs,
	                    ecs_ruleref_by_hash(k.e->refs, full("rb", "x") & UINT32_MAX));
	strcpy(r->rule, "y");
	CU_ASSERT_EQUAL(apply_raw(&k, full("rb", "x") & UINT32_MAX, "rb", "x"), SRP_EDUP);
	CU_ASSERT_EQUAL(apply_raw(&k, full("rb", "x"), "rb", "x"), 0);
	CU_ASSERT_EQUAL(ecs_ruleref_count(k.e->refs), 4);
	kit_fini(&k);
}

/* A full table: refs that nobody names and no line has give way; those in use do not. */
static void test_full_table(void)
{
	struct ecs_ruleref *kept;
	struct ecs_session *s;
	struct ecs_flow *f;
	unsigned ok = 0;
	char name[16];
	struct kit k;

	kit_init(&k, 0, true);
	s = kit_session(&k, 7, 1, false);
	f = kit_flow(&k, s, 1000, false, "web");
	for (unsigned i = 0; i < ECS_REFS_MAX - 1; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		ok += apply_raw(&k, full("rb", name), "rb", name) == 0;
	}
	CU_ASSERT_EQUAL(ok, ECS_REFS_MAX - 1);
	CU_ASSERT_EQUAL(ecs_ruleref_count(k.e->refs), ECS_REFS_MAX);
	CU_ASSERT_EQUAL(k.rec.deleted[241], 0);
	CU_ASSERT_EQUAL(apply_raw(&k, full("rb", "more"), "rb", "more"), 0);
	CU_ASSERT_EQUAL(k.rec.deleted[241], 1);
	CU_ASSERT_EQUAL(k.rec.told[241], 0);
	CU_ASSERT_EQUAL(ecs_ruleref_count(k.e->refs), ECS_REFS_MAX);
	/* a local rule gets its ref in spite of a peer's flood, and the flow keeps its own */
	CU_ASSERT_NOT_EQUAL(kit_ref(&k, "dns"), ECS_REF_NONE);
	CU_ASSERT_STRING_EQUAL(ecs_ruleref_get(k.e->refs, f->ref)->rule, "web");
	/* all in use: refused */
	for (uint16_t i = 0; i < ECS_REFS_MAX; i++)
		ecs_ruleref_get(k.e->refs, i)->flows++;
	CU_ASSERT_EQUAL(apply_raw(&k, full("rb", "even more"), "rb", "even more"), SRP_EFULL);
	CU_ASSERT_EQUAL(kit_ref(&k, "slow"), ECS_REF_NONE);
	kept = ecs_ruleref_get(k.e->refs, 4000);
	kept->flows--;
	for (int i = 0; i < 64 && kit_ref(&k, "slow") == ECS_REF_NONE; i++)
		continue;
	CU_ASSERT_EQUAL(kit_ref(&k, "slow"), 4000);
	kit_fini(&k);
}

/* Both rules of a flow stay what they are, however many others come. */
static void test_full_table_back(void)
{
	const struct ecs_ruleref *back;
	struct ecs_flow *f;
	char name[16];
	struct kit k;

	kit_init(&k, 0, true);
	f = kit_flow(&k, kit_session(&k, 7, 1, false), 1000, false, "web");
	CU_ASSERT_EQUAL(apply_raw(&k, full("rb", "back"), "rb", "back"), 0);
	ecs_flow_verdict(k.e, f, f->ref, ecs_ruleref_by_hash(k.e->refs, full("rb", "back")), k.now);
	for (unsigned i = 0; i < 2 * ECS_REFS_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		CU_ASSERT_EQUAL(apply_raw(&k, full("rb", name), "rb", name), 0);
	}
	CU_ASSERT_STRING_EQUAL(ecs_ruleref_get(k.e->refs, f->ref)->rule, "web");
	CU_ASSERT_STRING_EQUAL(ecs_ruleref_get(k.e->refs, f->back)->rule, "back");
	/* and are let go with it */
	back = ecs_ruleref_get(k.e->refs, f->back);
	ecs_flow_drop(k.e, f, ECS_TELL, k.now);
	CU_ASSERT_EQUAL(back->users, 0);
	kit_fini(&k);
}

/* An audit may find a rule too many: it goes; flows that name it keep it; it may come back. */
static void test_remove(void)
{
	struct srp_ckpt_key key;
	struct srp_ckpt_ctx ctx;
	struct srp_ckpt_obj *out;
	struct ecs_ruleref *r;
	struct ecs_flow *f, *g;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	f = kit_flow(&a, kit_session(&a, 7, 1, false), 1000, false, "web");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	g = ecs_flow_find_id(b.e->flows, 7, f->id);
	r = ecs_ruleref_get(b.e->refs, g->ref);
	ecs_kind_rule_map.key(&r->ckpt, &key);
	ctx = kit_ctx(&b, false);
	CU_ASSERT_PTR_EQUAL(ecs_kind_rule_map.find(&ctx, &key), &r->ckpt);
	CU_ASSERT_EQUAL(ecs_kind_rule_map.remove(&ctx, &(struct srp_ckpt_key){{1}}), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_kind_rule_map.remove(&ctx, &key), 0);
	CU_ASSERT_PTR_NULL(ecs_kind_rule_map.find(&ctx, &key));
	CU_ASSERT_EQUAL(ecs_ruleref_count(b.e->refs), 0);
	CU_ASSERT_EQUAL(b.rec.deleted[241], 1);
	CU_ASSERT_PTR_EQUAL(ecs_ruleref_get(b.e->refs, g->ref), r);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), SRP_ENORULE);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ref(&a, "web")->ckpt, &out), 0);
	CU_ASSERT_PTR_EQUAL(out, &r->ckpt); /* the same, so that flows need not be walked */
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(r->flows, 1);
	ecs_kind_rule_map.remove(&ctx, &key);
	ecs_flow_drop(b.e, g, ECS_TELL_LISTS, b.now);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ref(&a, "dns")->ckpt, &out), 0);
	CU_ASSERT_EQUAL(ecs_ruleref_count(b.e->refs), 1);
	kit_fini(&a);
	kit_fini(&b);
}

/* The peer took a rule away and died before it could say what becomes of its flows: they are ours now, and who
 * is filled from here can read them. */
static void test_return(void)
{
	struct srp_ckpt_key key;
	struct srp_ckpt_obj *out;
	struct srp_ckpt_ctx ctx;
	struct ecs_ruleref *r;
	struct ecs_flow *f, *g;
	struct kit a, b, c;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	kit_init(&c, 0, false);
	f = kit_flow(&a, kit_session(&a, 7, 1, false), 1000, false, "web");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ref(&a, "dns")->ckpt, &out), 0);
	g = ecs_flow_find_id(b.e->flows, 7, f->id);
	r = ecs_ruleref_get(b.e->refs, g->ref);
	ctx = kit_ctx(&b, false);
	ecs_kind_rule_map.key(&r->ckpt, &key);
	CU_ASSERT_EQUAL(ecs_kind_rule_map.remove(&ctx, &key), 0);
	ecs_kind_rule_map.key(out, &key);
	CU_ASSERT_EQUAL(ecs_kind_rule_map.remove(&ctx, &key), 0); /* nobody names it: it is gone */
	b.rec.changed[241] = 0;
	ecs_engine_active(b.e, true, b.now);
	CU_ASSERT_EQUAL(b.rec.changed[241], 1);
	CU_ASSERT_EQUAL(ecs_ruleref_count(b.e->refs), 1);
	CU_ASSERT_PTR_EQUAL(ecs_ruleref_get(b.e->refs, ecs_ruleref_by_hash(b.e->refs, r->name_hash)), r);
	CU_ASSERT_EQUAL(kit_sync(&b, &c), 0);
	CU_ASSERT_PTR_NOT_NULL(ecs_flow_find_id(c.e->flows, 7, f->id));
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
}

static void test_longest(void)
{
	struct ecs_ruleref *r;
	struct kit a;

	kit_init(&a, 0, true);
	r = ref(&a, "web");
	memset(r->rule, 'r', 63);
	memset(r->rulebase, 'b', 63);
	r->rule_digest = r->action_digest = UINT64_MAX;
	r->ckpt.term = r->ckpt.version = UINT32_MAX;
	CU_ASSERT_TRUE(kit_record_len(&a, &r->ckpt) <= ecs_kind_rule_map.max_len);
	CU_ASSERT_EQUAL(ecs_kind_rule_map.rank, 0);
	CU_ASSERT_PTR_NULL(ecs_kind_rule_map.parent);
	kit_fini(&a);
}

CU_TestInfo ecs_ruleref_tests[] = {
	{"refs of local lines", test_of_line},
	{"binding", test_bind},
	{"a commit binds anew", test_rebind},
	{"cut and twisted records are refused whole", test_torture},
	{"refusals", test_refusals},
	{"hashes that are equal", test_collision},
	{"a full table", test_full_table},
	{"a full table, and a flow with two rules", test_full_table_back},
	{"removal and return", test_remove},
	{"a rule without which its flows could not be told comes back", test_return},
	{"the longest record", test_longest},
	CU_TEST_INFO_NULL,
};
