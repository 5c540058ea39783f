/* Records of a session manager whose chassis takes and loses the role: those of a lost peer are written, each
 * once, and none of a peer that serves. */
#include "config.h"
#include "suites.h"

#include "chassis/task/record_ring.h"
#include "chassis/task/sessmgr.h"
#include "ecs/record_copy_impl.h"
#include "ecs_kit.h"
#include "ecs_rule_text.h"

#define RING_LEN (CHASSIS_RECORD_KEYS * 8u + (4u << 20))
#define RECORDS  5000u /* more than are taken over in one turn */

static const char service[] =
	"edr-format e1\n attribute sn-flow-id priority 1\n#exit\n"
	"ruledef web\n tcp either-port = 80\n#exit\ncharging-action ca\n content-id 1\n#exit\n"
	"rulebase rb\n action priority 1 ruledef web charging-action ca\n#exit\n";
static const struct ecs_engine_ops takes = {.record = sessmgr_record};

/* A session manager of a standby that holds records of its peer; the peer. */
struct bed {
	struct kit own, peer;
	struct chassis_config *config;
	struct chassis_shared shared;
	struct chassis_slab *slab;
	struct chassis_task_ctx ctx;
	struct sessmgr s;
	void *mem;
};

static void engine(struct kit *k, uint8_t bit, bool active)
{
	struct ecs_service *svc = ecs_rule_text(service, true);

	CU_ASSERT_PTR_NOT_NULL_FATAL(svc);
	kit_init(k, bit, active);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(k->e, svc, k->now), 0);
	ecs_service_free(k->svc);
	k->svc = svc;
}

static bool on_record(void *owner, const struct ecs_record *r, uint64_t *place)
{
	(void)owner, (void)r;
	*place = 0;
	return true;
}

/* The peer makes a record; copies of it come, with the places from @p from on. */
static void hold(struct bed *b, uint64_t from, uint64_t n)
{
	static const struct ecs_engine_ops gives = {.record = on_record};
	struct ecs_record r = {.stream = ECS_STREAM_EDR, .format = "e1", .header = "#sn-flow-id",
	                       .header_len = 11, .line = "2", .line_len = 1, .callid = 5, .flow_id = 2};
	struct srp_ckpt_key key = {{0, from}};
	uint8_t buf[KIT_RECORD];
	struct srp_ckpt_obj *out;
	size_t len;

	b->peer.e->conf.ops = &gives;
	CU_ASSERT_TRUE_FATAL(ecs_record_give(b->peer.e, &r, b->peer.now));
	len = kit_encode(&b->peer, &ecs_copy_find(b->peer.e, 0, 0)->ckpt, false, buf);
	ecs_records_written(b->peer.e, 1, b->peer.now);
	for (; key.k[1] < from + n; key.k[1]++)
		CU_ASSERT_EQUAL_FATAL(kit_apply(&b->own, &ecs_kind_record, &key, buf, len, 6, &out), 0);
}

static struct bed *begin(void)
{
	struct bed *b = calloc(1, sizeof(*b));

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	engine(&b->own, 1, false);
	engine(&b->peer, 0, true);
	b->own.e->conf.ops = &takes;
	b->own.e->conf.owner = &b->s;
	b->config = calloc(1, sizeof(*b->config));
	b->slab = calloc(1, sizeof(*b->slab));
	CU_ASSERT_EQUAL_FATAL(posix_memalign(&b->mem, 64, RING_LEN), 0);
	memset(b->mem, 0, RING_LEN);
	b->config->records[CHASSIS_RECORDS_EDR].present = true;
	snprintf(b->config->records[CHASSIS_RECORDS_EDR].directory,
	         sizeof(b->config->records[CHASSIS_RECORDS_EDR].directory), "d");
	b->shared.config = b->config;
	b->ctx = (struct chassis_task_ctx){.shared = &b->shared, .slab = b->slab};
	b->s.ctx = &b->ctx;
	b->s.engine = b->own.e;
	b->s.role = SRP_ROLE_STANDBY;
	b->s.rec.ring = chassis_ring_open(b->mem, RING_LEN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->s.rec.ring);
	hold(b, 0, RECORDS);
	return b;
}

static void end(struct bed *b)
{
	chassis_ring_close(b->s.rec.ring);
	kit_fini(&b->own);
	kit_fini(&b->peer);
	free(b->mem);
	free(b->slab);
	free(b->config);
	free(b);
}

/* As sessmgr_role_rx() does it. */
static void become(struct bed *b, enum srp_role role, enum srp_switch_reason why)
{
	enum srp_role before = b->s.role;

	sessmgr_records_leave(&b->s, role, why, b->own.now);
	ecs_engine_active(b->own.e, srp_role_permit[role].forwards, b->own.now);
	b->s.role = role;
	sessmgr_records_take(&b->s, before, why);
}

static uint64_t written(const struct bed *b)
{
	return b->own.ctr.records_taken_over;
}

static size_t held(const struct bed *b)
{
	return ecs_records_held(b->own.e);
}

/* What comes as a standby is kept. */
static void stands_by(struct bed *b, uint64_t had)
{
	size_t n = held(b);

	hold(b, 2 * RECORDS, 1);
	sessmgr_records_turn(&b->s);
	sessmgr_records_turn(&b->s);
	CU_ASSERT_EQUAL(held(b), n + 1);
	CU_ASSERT_EQUAL(written(b), had);
}

static void test_lost(void)
{
	struct bed *b = begin();

	become(b, SRP_ROLE_ACTIVE, SRP_SWITCH_DEAD_TIMER);
	CU_ASSERT(written(b) > 0 && written(b) < RECORDS);
	sessmgr_records_turn(&b->s);
	CU_ASSERT_EQUAL(written(b), RECORDS);
	CU_ASSERT_EQUAL(held(b), 0);
	become(b, SRP_ROLE_STANDBY, SRP_SWITCH_STALE);
	stands_by(b, RECORDS);
	end(b);
}

/* It was not lost: it writes its own. */
static void test_dual(void)
{
	struct bed *b = begin();
	uint64_t n;

	become(b, SRP_ROLE_ACTIVE, SRP_SWITCH_DEAD_TIMER);
	n = written(b);
	become(b, SRP_ROLE_STANDBY, SRP_SWITCH_DUAL_ACTIVE);
	CU_ASSERT_EQUAL(held(b), RECORDS - n);
	stands_by(b, n);
	end(b);
}

/* The role goes on before all was written: nobody else has them. */
static void test_given_on(void)
{
	struct bed *b = begin();
	uint64_t n;

	become(b, SRP_ROLE_ACTIVE, SRP_SWITCH_DEAD_TIMER);
	n = written(b);
	become(b, SRP_ROLE_PENDING_STANDBY, SRP_SWITCH_MANUAL);
	b->s.frozen = true; /* nothing follows what ends the stream */
	sessmgr_records_turn(&b->s);
	CU_ASSERT_EQUAL(written(b), n);
	become(b, SRP_ROLE_STANDBY, SRP_SWITCH_MANUAL);
	b->s.frozen = false;
	CU_ASSERT_EQUAL(written(b), RECORDS);
	CU_ASSERT_EQUAL(held(b), 0);
	stands_by(b, RECORDS);
	CU_ASSERT_EQUAL(chassis_ring_look(b->s.rec.ring).held, 0);
	end(b);
}

/* The process ends. */
static void test_stop(void)
{
	struct bed *b = begin();

	become(b, SRP_ROLE_ACTIVE, SRP_SWITCH_DEAD_TIMER);
	sessmgr_records_stop(&b->s);
	CU_ASSERT_EQUAL(written(b), RECORDS);
	CU_ASSERT_EQUAL(chassis_ring_look(b->s.rec.ring).held, 0);
	end(b);
}

CU_TestInfo chassis_sess_record_tests[] = {
	{"records of a lost peer", test_lost},
	{"records of a peer that was not lost", test_dual},
	{"records of a lost peer, and the role goes on", test_given_on},
	{"records of a lost peer, and the process ends", test_stop},
	CU_TEST_INFO_NULL,
};
