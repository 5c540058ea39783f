/* Packets that wait for their session. */
#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "chassis/task/sess_held.h"

static bool put(struct sess_held *h, enum ecs_dir dir, uint8_t *ip, size_t len)
{
	const struct chassis_tun_pkt p = {.ip = ip, .len = len, .gso_size = 7, .vnet = {[11] = 3}, .headed = true};

	return sess_held_put(h, dir, &p);
}

static void drop_all(struct sess_held *h)
{
	struct sess_held_pkt *k;

	while ((k = sess_held_take(h)) != NULL)
		free(k);
	CU_ASSERT_EQUAL(h->n, 0);
	CU_ASSERT_EQUAL(h->bytes, 0);
}

static void test_in_order(void)
{
	struct sess_held h;
	struct sess_held_pkt *k;
	uint8_t ip[3] = {1, 2, 3};

	sess_held_init(&h);
	CU_ASSERT_PTR_NULL(sess_held_take(&h));
	CU_ASSERT_TRUE(put(&h, ECS_UPLINK, ip, 3));
	ip[0] = 9; /* it is a copy */
	CU_ASSERT_TRUE(put(&h, ECS_DOWNLINK, ip, 1));
	CU_ASSERT_EQUAL(h.n, 2);
	CU_ASSERT_EQUAL(h.bytes, 4);
	k = sess_held_take(&h);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_EQUAL(k->dir, ECS_UPLINK);
	CU_ASSERT_EQUAL(k->p.len, 3);
	CU_ASSERT_EQUAL(memcmp(k->p.ip, (uint8_t[]){1, 2, 3}, 3), 0);
	CU_ASSERT_EQUAL(k->p.gso_size, 7);
	CU_ASSERT_EQUAL(k->p.vnet[11], 3);
	CU_ASSERT_FALSE(k->p.headed); /* in front of the copy stands what is known of it */
	CU_ASSERT_EQUAL(h.bytes, 1);
	sess_held_back(&h, k);
	CU_ASSERT_EQUAL(h.bytes, 4);
	k = sess_held_take(&h);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_EQUAL(k->dir, ECS_DOWNLINK); /* the other one is behind it now */
	free(k);
	drop_all(&h);
}

static void test_bounded(void)
{
	static uint8_t ip[CHASSIS_TUN_PKT_MAX];
	struct sess_held h;
	size_t n = 0;

	sess_held_init(&h);
	for (uint32_t i = 0; i < SESS_HELD_MAX; i++)
		CU_ASSERT_TRUE_FATAL(put(&h, ECS_UPLINK, ip, 1));
	CU_ASSERT_FALSE(put(&h, ECS_UPLINK, ip, 1));
	free(sess_held_take(&h));
	CU_ASSERT_TRUE(put(&h, ECS_UPLINK, ip, 1));
	CU_ASSERT_FALSE(put(&h, ECS_UPLINK, ip, 1));
	drop_all(&h);
	while (put(&h, ECS_UPLINK, ip, sizeof(ip)))
		n += sizeof(ip);
	CU_ASSERT_EQUAL(n, SESS_HELD_BYTES); /* whole packets of that length fill it */
	CU_ASSERT_FALSE(put(&h, ECS_UPLINK, ip, 1));
	CU_ASSERT_TRUE(put(&h, ECS_UPLINK, ip, 0));
	drop_all(&h);
}

CU_TestInfo chassis_held_tests[] = {
	{"held packets: copies, in order", test_in_order},
	{"held packets: so many, so long", test_bounded},
	CU_TEST_INFO_NULL,
};
