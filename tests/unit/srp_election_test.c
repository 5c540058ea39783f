#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/election.h"
#include "srp/err.h"

static const struct srp_candidate base = {
	.role = SRP_ROLE_INIT, .term = 0, .complete = 0, .mode = SRP_MODE_BACKUP, .priority = 125,
	.mac = {2, 0, 0, 0x10, 0x20, 0x30}, .route_modifier = 16, .bit = 0};

/* A candidate for every combination of what decides; i below COMBINATIONS. */
#define COMBINATIONS (2u * 2 * 3 * 2 * 2 * 3 * 2 * 3 * 2)
static struct srp_candidate nth(unsigned i, uint8_t bit)
{
	static const uint8_t mac[3][3] = {{0x02, 0x2c, 0x2b}, {0x03, 0x1c, 0x2b}, {0x03, 0x01, 0x3b}};
	struct srp_candidate c = base;

	c.role = i % 2 ? SRP_ROLE_PENDING_ACTIVE : SRP_ROLE_STANDBY;
	i /= 2;
	c.unfit = i % 2;
	i /= 2;
	c.complete = i % 3;
	i /= 3;
	c.term = 10 + i % 2;
	i /= 2;
	c.mode = i % 2 ? SRP_MODE_PRIMARY : SRP_MODE_BACKUP;
	i /= 2;
	c.priority = (uint8_t)(1 + i % 3);
	i /= 3;
	c.stale = i % 2;
	i /= 2;
	memcpy(c.mac + 3, mac[i % 3], 3);
	i /= 3;
	c.route_modifier = 8 + i % 2;
	c.bit = bit;
	return c;
}

typedef int order_fn(const struct srp_candidate *, const struct srp_candidate *);

/* Both sides, each with its own view, name the same winner, and there always is one. */
static void antisymmetric(order_fn *order)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < COMBINATIONS; i++)
		for (unsigned j = 0; j < COMBINATIONS; j++) {
			struct srp_candidate a = nth(i, 0), b = nth(j, 1);
			int ab = order(&a, &b), ba = order(&b, &a);

			bad += (ab < 0) != (ba > 0) || (ab > 0) != (ba < 0) || ab == 0;
		}
	CU_ASSERT_EQUAL(bad, 0);
}

static void test_both_sides_agree(void)
{
	antisymmetric(srp_election_start);
	antisymmetric(srp_election_dual);
}

/* An order: of any three with a before b and b before c, a is before c. */
static void transitive(order_fn *order)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < COMBINATIONS; i += 13)
		for (unsigned j = 0; j < COMBINATIONS; j += 17)
			for (unsigned k = 0; k < COMBINATIONS; k += 19) {
				struct srp_candidate a = nth(i, 0), b = nth(j, 1), c = nth(k, 0);

				bad += order(&a, &b) < 0 && order(&b, &c) < 0 && order(&a, &c) > 0;
			}
	CU_ASSERT_EQUAL(bad, 0);
}

static void test_transitive(void)
{
	transitive(srp_election_start);
	transitive(srp_election_dual);
}

#define WINS(order, set_a, set_b) \
	do { \
		struct srp_candidate a = base, b = base; \
		b.bit = 1; \
		set_a; \
		set_b; \
		CU_ASSERT_TRUE(order(&a, &b) < 0); \
		CU_ASSERT_TRUE(order(&b, &a) > 0); \
	} while (0)

/* Each step outranks all that follow it. In every row a wins the step, b all below. */
static void test_start_order(void)
{
	WINS(srp_election_start, (a.role = SRP_ROLE_PENDING_ACTIVE, a.unfit = true),
		(b.role = SRP_ROLE_STANDBY, b.complete = 2, b.term = 9));
	WINS(srp_election_start, (a.mode = SRP_MODE_BACKUP), (b.unfit = true, b.complete = 2, b.term = 9));
	WINS(srp_election_start, (a.complete = 1, a.term = 3),
		(b.mode = SRP_MODE_PRIMARY, b.priority = 1, b.term = 90));
	WINS(srp_election_start, (a.complete = 1, a.term = 5), (b.complete = 4, b.term = 4));
	WINS(srp_election_start, (a.complete = 2, a.term = 5),
		(b.complete = 1, b.term = 5, b.mode = SRP_MODE_PRIMARY));
	WINS(srp_election_start, (a.mode = SRP_MODE_PRIMARY, a.priority = 255), (b.priority = 1));
	WINS(srp_election_start, (a.priority = 1), (b.priority = 2, b.mac[3] = 0xff));
	WINS(srp_election_start, (a.mac[3] = 0x11, a.mac[4] = 0), (b.mac[0] = 0xff));
	WINS(srp_election_start, (a.mac[5] = 0x31), (b.mac[2] = 0xff));
	WINS(srp_election_start, (a.mac[0] = 0), (b.mac[0] = 0xff)); /* first three octets: no say */
	/* the published example: 1C beats 01 */
	WINS(srp_election_start, (memcpy(a.mac, "\x00\x02\x43\x03\x1c\x2b", 6)),
		(memcpy(b.mac, "\x00\x02\x43\x03\x01\x3b", 6)));
	/* a term without state is no state: it must not elect */
	WINS(srp_election_start, (a.mode = SRP_MODE_PRIMARY), (b.term = 77));
}

static void test_dual_order(void)
{
	WINS(srp_election_dual, (a.route_modifier = 99), (b.stale = true, b.route_modifier = 1));
	WINS(srp_election_dual, (a.route_modifier = 99), (b.unfit = true, b.route_modifier = 1));
	WINS(srp_election_dual, (a.unfit = true), (b.stale = true));
	WINS(srp_election_dual, (a.route_modifier = 7, a.priority = 255), (b.priority = 1));
	WINS(srp_election_dual, (a.priority = 3), (b.priority = 4, b.mac[3] = 0xff));
	WINS(srp_election_dual, (a.mac[4] = 0x21), (b.mode = SRP_MODE_PRIMARY));
	/* mode, term and state have no say here */
	WINS(srp_election_dual, (a.bit = 0), (b.mode = SRP_MODE_PRIMARY, b.term = 99, b.complete = 3));
}

static void test_identical_is_no_winner(void)
{
	struct srp_candidate a = base;

	CU_ASSERT_EQUAL(srp_election_start(&a, &a), 0);
	CU_ASSERT_EQUAL(srp_election_dual(&a, &a), 0);
}

static void test_terms(void)
{
	uint32_t t = 5;

	CU_ASSERT_EQUAL(srp_term_next(0, 0, &t), 0);
	CU_ASSERT_EQUAL(t, 2);
	CU_ASSERT_EQUAL(srp_term_next(5, 1, &t), 0);
	CU_ASSERT_EQUAL(srp_term_number(t), 6);
	CU_ASSERT_EQUAL(srp_term_bit(t), 1);
	CU_ASSERT_EQUAL(srp_term_next(SRP_TERM_NUMBER_MAX - 1, 1, &t), 0);
	CU_ASSERT_EQUAL(t, UINT32_MAX);
	t = 5;
	CU_ASSERT_EQUAL(srp_term_next(SRP_TERM_NUMBER_MAX, 0, &t), SRP_ERANGE);
	CU_ASSERT_EQUAL(t, 5);
	/* by number, then bit; never equal for two chassis */
	CU_ASSERT_TRUE(srp_term_cmp(srp_term(5, 1), srp_term(6, 0)) < 0);
	CU_ASSERT_TRUE(srp_term_cmp(srp_term(6, 1), srp_term(6, 0)) > 0);
	CU_ASSERT_TRUE(srp_term_cmp(srp_term(6, 1), srp_term(6, 1)) == 0);
	CU_ASSERT_TRUE(srp_term_cmp(UINT32_MAX, 1) > 0);
}

static void test_chassis_bit(void)
{
	uint8_t a[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, b[16];

	memcpy(b, a, sizeof(b));
	CU_ASSERT_EQUAL(srp_chassis_bit(a, b), SRP_EDUP);
	b[15] = 2;
	CU_ASSERT_EQUAL(srp_chassis_bit(a, b), 0);
	CU_ASSERT_EQUAL(srp_chassis_bit(b, a), 1);
	a[0] = 0x80; /* compared as unsigned bytes, from the left */
	CU_ASSERT_EQUAL(srp_chassis_bit(a, b), 1);
	CU_ASSERT_EQUAL(srp_chassis_bit(b, a), 0);
}

CU_TestInfo srp_election_tests[] = {
	{"both sides name the same winner, in every combination", test_both_sides_agree},
	{"it is an order", test_transitive},
	{"at start: each step outranks the next", test_start_order},
	{"both active: each step outranks the next", test_dual_order},
	{"identical candidates have no winner", test_identical_is_no_winner},
	{"terms", test_terms},
	{"the chassis bit", test_chassis_bit},
	CU_TEST_INFO_NULL,
};
