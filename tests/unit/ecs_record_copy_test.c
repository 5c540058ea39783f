/* Copies of records that wait for a file: from the chassis that made them to its peer, which writes them
 * where the maker is lost. */
#include "config.h"
#include "suites.h"

#include "ecs/record_copy_impl.h"
#include "ecs_kit.h"
#include "ecs_rule_text.h"
#include "srp/err.h"

#define GIVEN_MAX 8
#define HEADER    "#sn-flow-id,sn-rating-group"

/* What an owner was given. */
struct owner {
	struct kit k;
	uint64_t place;               /* of the next record */
	bool full, alone;             /* takes none; has no peer */
	unsigned n;
	struct {
		char format[64], header[256], line[ECS_COPY_LINE_MAX + 2];
		uint32_t callid, flow_id;
		enum ecs_record_stream stream;
		bool last;
	} given[GIVEN_MAX];
};

static bool on_record(void *arg, const struct ecs_record *r, uint64_t *place)
{
	struct owner *o = arg;

	if (o->full)
		return false;
	CU_ASSERT_FATAL(o->n < GIVEN_MAX);
	snprintf(o->given[o->n].format, sizeof(o->given[0].format), "%s", r->format);
	snprintf(o->given[o->n].header, sizeof(o->given[0].header), "%.*s", (int)r->header_len, r->header);
	snprintf(o->given[o->n].line, sizeof(o->given[0].line), "%.*s", (int)r->line_len, r->line);
	o->given[o->n].callid = r->callid;
	o->given[o->n].flow_id = r->flow_id;
	o->given[o->n].stream = r->stream;
	o->given[o->n++].last = r->last;
	if (!o->alone)
		*place = o->place;
	o->place += 100;
	return true;
}

static const struct ecs_engine_ops takes = {.record = on_record};

static const char service[] =
	"edr-format e1\n attribute sn-flow-id priority 1\n attribute sn-rating-group priority 2\n#exit\n"
	"udr-format u1\n attribute sn-flow-id priority 1\n attribute sn-rating-group priority 2\n#exit\n"
	"ruledef web\n tcp either-port = 80\n#exit\ncharging-action ca\n content-id 1\n#exit\n"
	"rulebase rb\n action priority 1 ruledef web charging-action ca\n#exit\n";

static struct owner *start(uint8_t bit, bool active)
{
	struct owner *o = calloc(1, sizeof(*o));
	struct ecs_service *svc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	kit_init(&o->k, bit, active);
	svc = ecs_rule_text(service, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(svc);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(o->k.e, svc, o->k.now), 0);
	ecs_service_free(o->k.svc);
	o->k.svc = svc;
	o->k.e->conf.ops = &takes;
	o->k.e->conf.owner = o;
	return o;
}

static void stop(struct owner *o)
{
	kit_fini(&o->k);
	free(o);
}

static bool give(struct owner *o, enum ecs_record_stream stream, const char *line, uint32_t flow)
{
	struct ecs_record r = {.stream = stream, .format = stream == ECS_STREAM_UDR ? "u1" : "e1",
	                       .header = HEADER, .header_len = strlen(HEADER), .line = line,
	                       .line_len = strlen(line), .callid = 5, .flow_id = flow, .last = true};

	return ecs_record_give(o->k.e, &r, o->k.now);
}

static struct srp_ckpt_obj *copy_of(struct owner *o, uint8_t bit, uint64_t place)
{
	struct ecs_record_copy *c = ecs_copy_find(o->k.e, bit, place);

	return c ? &c->ckpt : NULL;
}

/* Hands a copy to the other side. */
static int tell(struct owner *from, struct owner *to, uint64_t place)
{
	struct srp_ckpt_obj *out;

	return kit_send(&from->k, &to->k, copy_of(from, from->k.e->conf.chassis_bit, place), &out);
}

static void answer(struct owner *o, uint64_t place, enum srp_ckpt_passing what)
{
	struct srp_ckpt_obj *c = copy_of(o, o->k.e->conf.chassis_bit, place);
	struct srp_ckpt_pass p = {.what = what, .owner = o->k.e};
	struct srp_ckpt_key key;

	ecs_kind_record.key(c, &key);
	ecs_kind_record.passed(c, &key, &p);
}

/* From made to written: told when it is made, confirmed when it is answered, deleted when it is in a file. */
static void test_life(void)
{
	struct owner *a = start(0, true), *b = start(1, false);

	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), ECS_RECORD_NOWHERE);
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "x,1", i + 1));
	CU_ASSERT_EQUAL(a->k.rec.changed[219], 3);
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), 0);
	answer(a, 100, SRP_CKPT_ACKED); /* those before it are not */
	answer(a, 0, SRP_CKPT_SENT);
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), 0);
	answer(a, 0, SRP_CKPT_ACKED);
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), 200);
	answer(a, 200, SRP_CKPT_REFUSED); /* the peer will not have it: it is not waited for */
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), ECS_RECORD_NOWHERE);
	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "x,1", 4));
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), 300);
	CU_ASSERT_EQUAL(tell(a, b, 0), 0);
	CU_ASSERT_EQUAL(tell(a, b, 100), 0);
	CU_ASSERT_EQUAL(ecs_records_held(b->k.e), 2);
	CU_ASSERT_TRUE(kit_same(&a->k, copy_of(a, 0, 0), &b->k, copy_of(b, 0, 0)));
	/* place 100 is not in a file while the next to be written is it */
	ecs_records_written(a->k.e, 100, a->k.now);
	CU_ASSERT_EQUAL(a->k.rec.told[220] + a->k.rec.told[219], 1);
	CU_ASSERT_PTR_NULL(copy_of(a, 0, 0));
	CU_ASSERT_PTR_NOT_NULL(copy_of(a, 0, 100));
	ecs_records_written(a->k.e, 400, a->k.now);
	CU_ASSERT_EQUAL(a->k.rec.told[219], 4);
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), ECS_RECORD_NOWHERE);
	CU_ASSERT_EQUAL(a->k.e->copies.bytes, 0);
	/* the peer is told to forget one, twice */
	CU_ASSERT_EQUAL(ecs_kind_record.remove(&(struct srp_ckpt_ctx){.owner = b->k.e},
	                                       &(struct srp_ckpt_key){{0, 100}}), 0);
	CU_ASSERT_EQUAL(ecs_kind_record.remove(&(struct srp_ckpt_ctx){.owner = b->k.e},
	                                       &(struct srp_ckpt_key){{0, 100}}), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_records_held(b->k.e), 1);
	/* without a peer, or a standby's: no copies */
	a->alone = true;
	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "x,1", 9));
	CU_ASSERT_TRUE(give(b, ECS_STREAM_EDR, "x,1", 9));
	CU_ASSERT_EQUAL(a->k.e->copies.bytes, 0);
	CU_ASSERT_EQUAL(b->k.rec.changed[219], 0);
	a->full = true;
	CU_ASSERT_FALSE(give(a, ECS_STREAM_EDR, "x,1", 9));
	stop(a);
	stop(b);
}

/* The maker is lost: what it had not said is in a file is written here, as it was. */
static void test_taken_over(void)
{
	struct owner *a = start(0, true), *b = start(1, false);

	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "5-1,\x01", 1));
	CU_ASSERT_TRUE(give(a, ECS_STREAM_UDR, ",77", 0));
	CU_ASSERT_TRUE(give(a, ECS_STREAM_FDR, "5-1,", 1));
	for (uint64_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(tell(a, b, 100 * i), 0);
	ecs_engine_active(b->k.e, true, b->k.now);
	CU_ASSERT_TRUE(ecs_records_take_over(b->k.e, true, 2, b->k.now));
	CU_ASSERT_EQUAL(b->n, 2);
	CU_ASSERT_FALSE(ecs_records_take_over(b->k.e, true, 2, b->k.now));
	CU_ASSERT_EQUAL_FATAL(b->n, 3);
	CU_ASSERT_EQUAL(b->k.ctr.records_taken_over, 3);
	CU_ASSERT_STRING_EQUAL(b->given[0].line, "5-1,\x01");
	CU_ASSERT_STRING_EQUAL(b->given[0].header, HEADER);
	CU_ASSERT_STRING_EQUAL(b->given[1].format, "u1");
	CU_ASSERT_EQUAL(b->given[1].stream, ECS_STREAM_UDR);
	CU_ASSERT_EQUAL(b->given[2].stream, ECS_STREAM_FDR);
	CU_ASSERT_EQUAL(b->given[2].callid, 5);
	CU_ASSERT_EQUAL(b->given[2].flow_id, 1);
	CU_ASSERT_TRUE(b->given[2].last);
	/* they are its own now: the next peer holds them until they are in a file */
	CU_ASSERT_EQUAL(b->k.rec.changed[219], 3);
	CU_ASSERT_EQUAL(ecs_records_held(b->k.e), 0);
	CU_ASSERT_EQUAL(b->k.rec.told[219], 0);
	CU_ASSERT_PTR_NOT_NULL(copy_of(b, 1, 0));
	stop(a);
	stop(b);
}

/* A planned switchover: who made them writes them. */
static void test_given(void)
{
	struct owner *a = start(0, true), *b = start(1, false);

	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "5-1,1", 1));
	CU_ASSERT_EQUAL(tell(a, b, 0), 0);
	ecs_engine_active(a->k.e, false, a->k.now);
	CU_ASSERT_EQUAL(a->k.rec.deleted[219], 1);
	CU_ASSERT_EQUAL(a->k.rec.told[219], 0);
	CU_ASSERT_EQUAL(a->k.e->copies.bytes, 0);
	ecs_engine_active(b->k.e, true, b->k.now);
	CU_ASSERT_FALSE(ecs_records_take_over(b->k.e, false, 10, b->k.now));
	CU_ASSERT_EQUAL(b->n, 0);
	CU_ASSERT_EQUAL(ecs_records_held(b->k.e), 0);
	CU_ASSERT_EQUAL(b->k.ctr.records_taken_over + b->k.ctr.records_not_taken, 0);
	stop(a);
	stop(b);
}

struct seen {
	unsigned n, has;
};

static void on_forget(void *arg, uint64_t place, bool peer_has)
{
	struct seen *s = arg;

	CU_ASSERT_EQUAL(place, 100u * s->n);
	s->n++;
	s->has += peer_has;
}

/* The role is lost: what the peer holds, it writes. */
static void test_forgotten(void)
{
	struct owner *a = start(0, true);
	struct seen s = {0};

	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "x,1", i + 1));
	answer(a, 0, SRP_CKPT_ACKED);
	answer(a, 100, SRP_CKPT_REFUSED);
	ecs_records_forget(a->k.e, on_forget, &s, a->k.now);
	CU_ASSERT_EQUAL(s.n, 3);
	CU_ASSERT_EQUAL(s.has, 1);
	CU_ASSERT_EQUAL(a->k.rec.told[219], 0);
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), ECS_RECORD_NOWHERE);
	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "x,1", 4));
	CU_ASSERT_EQUAL(ecs_records_confirmed(a->k.e), 300);
	stop(a);
}

/* The end was not told: what goes on here will have its record from here. */
static void test_goes_on(void)
{
	struct owner *a = start(0, true), *b = start(1, true);
	struct ecs_session *s = kit_session(&b->k, 5, 1, false);
	struct ecs_flow *f = kit_flow(&b->k, s, 4000, false, "web"), *g = kit_flow(&b->k, s, 4001, false, "web");

	CU_ASSERT_PTR_NOT_NULL_FATAL(
		ecs_usage_build(b->k.e, s, 0, ECS_USAGE_FLOW, f->id));
	ecs_engine_active(b->k.e, false, b->k.now);
	CU_ASSERT_TRUE(give(a, ECS_STREAM_UDR, ",77", 0));
	CU_ASSERT_TRUE(give(a, ECS_STREAM_FDR, "f,", f->id)); /* its volume is kept */
	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "e,", f->id)); /* of what was since the one before */
	CU_ASSERT_TRUE(give(a, ECS_STREAM_FDR, "g,", g->id)); /* its volume is here no more */
	for (uint64_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(tell(a, b, 100 * i), 0);
	ecs_engine_active(b->k.e, true, b->k.now);
	CU_ASSERT_FALSE(ecs_records_take_over(b->k.e, true, 10, b->k.now));
	CU_ASSERT_EQUAL(b->k.ctr.records_again, 2);
	CU_ASSERT_EQUAL_FATAL(b->n, 2);
	CU_ASSERT_STRING_EQUAL(b->given[0].line, "e,");
	CU_ASSERT_FALSE(b->given[0].last);
	CU_ASSERT_STRING_EQUAL(b->given[1].line, "g,");
	CU_ASSERT_TRUE(b->given[1].last);
	s->records |= ECS_RECORDS_WHOLE; /* then the EDR of the rest would tell of this part again */
	ecs_engine_active(b->k.e, false, b->k.now);
	CU_ASSERT_EQUAL(tell(a, b, 200), 0);
	ecs_engine_active(b->k.e, true, b->k.now);
	CU_ASSERT_FALSE(ecs_records_take_over(b->k.e, true, 10, b->k.now));
	CU_ASSERT_EQUAL(b->n, 2);
	stop(a);
	stop(b);
}

/* What cannot be written here is counted. */
static void test_not_taken(void)
{
	struct owner *a = start(0, true), *b = start(1, false);
	struct ecs_record r = {.stream = ECS_STREAM_EDR, .format = "e2", .header = "#a", .header_len = 2,
	                       .line = "1", .line_len = 1, .callid = 5, .flow_id = 1, .last = true};

	CU_ASSERT_TRUE(ecs_record_give(a->k.e, &r, a->k.now)); /* no such format */
	r.format = "e1";
	CU_ASSERT_TRUE(ecs_record_give(a->k.e, &r, a->k.now)); /* other fields */
	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "x,1", 2));
	for (uint64_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(tell(a, b, 100 * i), 0);
	b->full = true;
	ecs_engine_active(b->k.e, true, b->k.now);
	CU_ASSERT_FALSE(ecs_records_take_over(b->k.e, true, 10, b->k.now));
	CU_ASSERT_EQUAL(b->k.ctr.records_not_taken, 3);
	CU_ASSERT_EQUAL(b->k.ctr.records_taken_over, 0);
	stop(a);
	stop(b);
}

/* The longest line, and one more; as many as fit, and one more. */
static void test_bounds(void)
{
	struct owner *a = start(0, true), *b = start(1, false);
	char *line = malloc(ECS_COPY_LINE_MAX + 2);
	struct srp_ckpt_obj *out, *one;
	struct srp_ckpt_key key;
	uint8_t buf[KIT_RECORD];
	uint64_t n = 1;
	size_t len;
	int rc;

	memset(line, 'x', ECS_COPY_LINE_MAX + 1);
	line[ECS_COPY_LINE_MAX + 1] = '\0';
	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, line, 1));
	CU_ASSERT_EQUAL(a->k.ctr.records_untold, 1);
	CU_ASSERT_PTR_NULL(copy_of(a, 0, 0));
	line[ECS_COPY_LINE_MAX] = '\0';
	CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, line, 1));
	one = copy_of(a, 0, 100);
	CU_ASSERT_PTR_NOT_NULL_FATAL(one);
	CU_ASSERT_TRUE(kit_record_len(&a->k, one) <= ecs_kind_record.max_len);
	len = kit_encode(&a->k, one, false, buf);
	do {
		key = (struct srp_ckpt_key){{0, 100 * n}};
		rc = kit_apply(&b->k, &ecs_kind_record, &key, buf, len, 6, &out);
	} while (rc == 0 && n++ < 10000);
	CU_ASSERT_EQUAL(rc, SRP_EFULL);
	CU_ASSERT_EQUAL(b->k.ctr.records_unheld, 1);
	CU_ASSERT_TRUE(b->k.e->copies.bytes <= ECS_COPY_BYTES_MAX);
	CU_ASSERT_TRUE(b->k.e->copies.bytes + 2 * ECS_COPY_LINE_MAX > ECS_COPY_BYTES_MAX);
	CU_ASSERT_EQUAL(ecs_records_held(b->k.e), n - 1);
	free(line);
	stop(a);
	stop(b);
}

/* Nothing of a peer's record is trusted. */
static void test_hostile(void)
{
	struct owner *a = start(0, true), *b = start(1, false);
	static const struct srp_ckpt_key wrong[] = {
		{{1, 100}}, {{2, 100}}, {{UINT64_MAX, 100}}, {{0, ECS_RECORD_NOWHERE}}};
	static const uint8_t stream[] = {2 * ECS_STREAM__N}, empty[] = {0xa0}, control[] = {0xa2, 'a', '\n'};
	struct srp_ckpt_obj *out, *one;
	struct srp_ckpt_key key;
	uint8_t buf[KIT_RECORD];
	size_t len;

	CU_ASSERT_TRUE(give(a, ECS_STREAM_UDR, "a,\tb,\x01", 0));
	one = copy_of(a, 0, 0);
	kit_torture(&a->k, &b->k, one);
	len = kit_encode(&a->k, one, false, buf);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CU_ASSERT_NOT_EQUAL(kit_apply(&b->k, &ecs_kind_record, &wrong[i], buf, len, 6, &out), 0);
	CU_ASSERT_NOT_EQUAL(kit_apply_twisted(&b->k, one, buf, len, 2, stream, 1), 0);
	CU_ASSERT_NOT_EQUAL(kit_apply_twisted(&b->k, one, buf, len, 3, empty, 1), 0);
	CU_ASSERT_NOT_EQUAL(kit_apply_twisted(&b->k, one, buf, len, 3, control, 3), 0);
	CU_ASSERT_NOT_EQUAL(kit_apply_twisted(&b->k, one, buf, len, 5, empty, 1), 0);
	CU_ASSERT_NOT_EQUAL(kit_apply_twisted(&b->k, one, buf, len, 5, control, 3), 0);
	CU_ASSERT_EQUAL(ecs_records_held(b->k.e), 1);
	/* the same place once more, in another life of the peer */
	CU_ASSERT_EQUAL(kit_apply_twisted(&b->k, one, buf, len, 5, (const uint8_t *)"\xa1y", 2), 0);
	CU_ASSERT_EQUAL(ecs_records_held(b->k.e), 1);
	CU_ASSERT_STRING_EQUAL(ecs_copy_find(b->k.e, 0, 0)->line, "y");
	/* who has the role holds nobody's */
	ecs_engine_active(b->k.e, true, b->k.now);
	ecs_kind_record.key(one, &key);
	CU_ASSERT_EQUAL(kit_apply(&b->k, &ecs_kind_record, &key, buf, len, 6, &out), SRP_EROLE);
	stop(a);
	stop(b);
}

static unsigned walked;

static int count(struct srp_ckpt_obj *o, void *arg)
{
	(void)o, (void)arg;
	return ++walked == 2;
}

/* Walks reach both sides' copies, and none for the mirror; a walk can be ended. */
static void test_walk(void)
{
	struct owner *a = start(0, true), *b = start(1, false);
	struct srp_ckpt_ctx ctx = kit_ctx(&b->k, false);

	for (uint32_t i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(give(a, ECS_STREAM_EDR, "x,1", i + 1));
		CU_ASSERT_EQUAL(tell(a, b, 100 * i), 0);
	}
	walked = 0;
	ecs_kind_record.walk(&ctx, count, NULL);
	CU_ASSERT_EQUAL(walked, 2);
	ctx.owner = a->k.e;
	ecs_kind_record.walk(&ctx, count, NULL);
	CU_ASSERT_EQUAL(walked, 5);
	ctx.replica = SRP_REPLICA_SR;
	ecs_kind_record.walk(&ctx, count, NULL);
	CU_ASSERT_EQUAL(walked, 5);
	stop(a);
	stop(b);
}

CU_TestInfo ecs_record_copy_tests[] = {
	{"from made to written", test_life},
	{"of a peer that is lost", test_taken_over},
	{"of a peer that gave the role", test_given},
	{"the role is lost", test_forgotten},
	{"what goes on", test_goes_on},
	{"what cannot be written", test_not_taken},
	{"bounds", test_bounds},
	{"hostile records", test_hostile},
	{"walks", test_walk},
	CU_TEST_INFO_NULL,
};
