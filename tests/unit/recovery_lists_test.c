#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

static void one_record_for_many_changes(void)
{
	struct kit k = {0};

	kit_level(&k, 1);
	struct recovery_kind_counters *row = kit_row(&k, 0, TOY_PARENT, false), was = *row;

	for (uint32_t i = 0; i < 10; i++)
		toy_set_parent(&k.s[0].toy, 0, 100 + i, k.now);
	kit_check(&k);
	CU_ASSERT_EQUAL(row->changes - was.changes, 10);
	CU_ASSERT_EQUAL(row->coalesced - was.coalesced, 9);
	CU_ASSERT_EQUAL(row->waiting, 1);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->sent - was.sent, 1);
	CU_ASSERT_EQUAL(row->acked - was.acked, 1);
	CU_ASSERT_EQUAL(row->waiting + row->inflight, 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void changed_in_flight(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};
	size_t n;

	kit_level(&k, 1);
	toy_set_child(&k.s[0].toy, 0, 0, 7, 1, k.now);
	n = kit_take(&k, 0, buf, NULL);
	toy_set_child(&k.s[0].toy, 0, 0, 8, 1, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->inflight, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->waiting, 1);
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_OK);
	CU_ASSERT_EQUAL(k.s[1].toy.child[0][0]->value, 7);
	kit_send(&k, 1); /* the acknowledgement of 7 does not make 8 clean */
	CU_ASSERT_EQUAL(kit_status(&k, 0).dirty, 1);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.child[0][0]->value, 8);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void cancelled(void)
{
	struct kit k = {0};

	kit_level(&k, 1);
	toy_set_child(&k.s[0].toy, 0, 3, 1, 1, k.now);
	toy_del_child(&k.s[0].toy, 0, 3, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->cancelled, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->changes, 0); /* neither record */
	CU_ASSERT_EQUAL(kit_status(&k, 0).tombs, 0);
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* R12: create, change, delete, exchange, loss of the connection and silent delivery, in every order
 * of up to five: no deletion is ever forgotten, nothing comes back. */
static void every_sequence(void)
{
	static uint8_t buf[KIT_BUF];
	enum { SET, DEL, SEND, TAKE, DROP, N };

	for (uint32_t len = 1, codes = N; len <= 5; len++, codes *= N)
		for (uint32_t code = 0; code < codes; code++) {
			struct kit k = {0};
			uint32_t c = code, value = 1;

			kit_level(&k, 1);
			for (uint32_t i = 0; i < len; i++, c /= N) {
				k.now.us += 1000;
				switch (c % N) {
				case SET:
					toy_set_child(&k.s[0].toy, 0, 1, value++, 1, k.now);
					break;
				case DEL: toy_del_child(&k.s[0].toy, 0, 1, k.now); break;
				case SEND: kit_exchange(&k); break;
				case TAKE: (void)kit_take(&k, 0, buf, NULL); /* lost on the way, */
					kit_down(&k); /* so is the connection */
					kit_connect(&k);
					break;
				case DROP: kit_down(&k); break;
				}
				kit_check(&k);
				if (c % N == DROP && i + 1 < len)
					kit_up(&k);
			}
			kit_down(&k);
			kit_connect(&k);
			kit_exchange(&k);
			if (!kit_same(&k)) {
				CU_FAIL("sequence");
				printf("length %u code %u\n", len, code);
			}
			CU_ASSERT_EQUAL(kit_status(&k, 0).tombs, 0);
			kit_fini(&k);
		}
}

static void deletion_of_a_parent_takes_children_along(void)
{
	struct kit k = {0};

	kit_level(&k, 3);
	toy_set_stat(&k.s[0].toy, 1, 5, k.now);
	kit_exchange(&k);
	toy_del_parent(&k.s[0].toy, 1, k.now);
	CU_ASSERT_EQUAL(kit_status(&k, 0).tombs, 1);
	kit_exchange(&k);
	CU_ASSERT_PTR_NULL(k.s[1].toy.parent[1]);
	CU_ASSERT_PTR_NULL(k.s[1].toy.child[1][0]);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->sent, 0);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, true)->sent, 1);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 0);
	kit_fini(&k);
}

/* A parent that dies and comes back before its deletion was sent: its old children must go. */
static void parent_born_again(void)
{
	struct kit k = {0};

	kit_level(&k, 2);
	toy_del_parent(&k.s[0].toy, 1, k.now);
	toy_set_parent(&k.s[0].toy, 1, 55, k.now);
	toy_set_child(&k.s[0].toy, 1, 4, 66, 2, k.now);
	kit_exchange(&k);
	CU_ASSERT_PTR_NULL(k.s[1].toy.child[1][0]);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.child[1][4]);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 0);
	kit_fini(&k);
}

static void takeover_walks_nothing(void)
{
	struct recovery_status st;
	struct kit k = {0};

	kit_level(&k, TOY_PARENTS);
	st = kit_status(&k, 1);
	CU_ASSERT_EQUAL(st.unknown, 0);
	kit_down(&k);
	kit_role(&k, 1, SRP_ROLE_ACTIVE, 5, true);
	CU_ASSERT_NOT_EQUAL(kit_status(&k, 1).stream, st.stream);
	st = kit_status(&k, 1);
	CU_ASSERT_EQUAL(st.objects, 2 * TOY_PARENTS + TOY_RULES);
	CU_ASSERT_EQUAL(st.unknown, st.objects);
	CU_ASSERT_EQUAL(st.dirty, 0);
	/* the old active is back as standby: nothing differs, nothing is sent */
	kit_role(&k, 0, SRP_ROLE_STANDBY, 2, true);
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[1].totals.syncs_digest, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_PARENT, false)->sent, 0);
	CU_ASSERT_EQUAL(kit_status(&k, 1).unknown, 0);
	CU_ASSERT_EQUAL(kit_status(&k, 1).link, RECOVERY_LINK_READY);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void counters_of_a_dead_process(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};
	struct recovery_kind_counters *row;

	kit_level(&k, 4);
	row = kit_row(&k, 0, TOY_PARENT, false);
	toy_set_parent(&k.s[0].toy, 0, 9, k.now);
	toy_set_parent(&k.s[0].toy, 1, 9, k.now);
	(void)kit_take(&k, 0, buf, NULL);
	toy_set_parent(&k.s[0].toy, 2, 9, k.now);
	CU_ASSERT_EQUAL(row->inflight, 2);
	CU_ASSERT_EQUAL(row->waiting, 1);
	kit_death(&k, 0);
	kit_birth(&k, 0);
	CU_ASSERT_EQUAL(row->lost, 2);
	CU_ASSERT_EQUAL(row->cancelled, 1);
	CU_ASSERT_EQUAL(row->inflight + row->waiting, 0);
	kit_check(&k);
	kit_fini(&k);
}

/* The generation is 16 bits wide, and does not run out. */
static void many_roles(void)
{
	struct kit k = {0};

	kit_level(&k, 2);
	for (uint32_t i = 0; i < 70000; i++)
		kit_role(&k, 0, SRP_ROLE_ACTIVE, 4 + 2 * i, true);
	CU_ASSERT(k.s[0].r->cur < 10000);
	CU_ASSERT_EQUAL(kit_status(&k, 0).unknown, 4 + TOY_RULES);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(kit_status(&k, 0).unknown, 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* Ids of the records of the first frame of them that side 0 sends now, in their order. @return how many */
static uint32_t sent_ids(struct kit *k, unsigned id[], uint32_t cap)
{
	static uint8_t buf[KIT_BUF];
	size_t len = kit_take(k, 0, buf, NULL);
	struct srp_frame_hdr h = {0};
	struct srp_mp_r r;
	size_t at = 0;
	uint32_t n;

	for (; h.type != RECOVERY_FT_RECORDS; at += SRP_FRAME_HDR_LEN + h.len)
		CU_ASSERT_EQUAL_FATAL(srp_frame_peek(&recovery_frames, buf + at, len - at,
		                                     recovery_replica_link(k->s[1].r), &h), SRP_OK);
	r = srp_mp_r_init(buf + at - h.len, h.len);
	CU_ASSERT_EQUAL(srp_mp_array(&r, 4), 4);
	for (unsigned i = 0; i < 3; i++)
		srp_mp_skip(&r); /* term, stream, first number */
	n = (uint32_t)srp_mp_uint(&r, cap);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t items = srp_mp_array(&r, 16);

		id[i] = (unsigned)srp_mp_uint(&r, UINT8_MAX);
		while (items-- > 1)
			srp_mp_skip(&r);
	}
	CU_ASSERT_EQUAL(r.err, 0);
	CU_ASSERT_EQUAL(kit_feed(k, 1, buf, len), SRP_OK);
	return n;
}

/* Deletions go first, and each before that of what it belongs to: wherever the connection ends, a store
 * of records has none without its parent. */
static void deletions_of_children_first(void)
{
	unsigned id[8];
	struct kit k = {0};

	kit_level(&k, 3);
	toy_set_parent(&k.s[0].toy, 1, 50, k.now);
	toy_del_rule(&k.s[0].toy, TOY_RULES - 1, k.now);
	toy_del_parent(&k.s[0].toy, 2, k.now);
	toy_del_child(&k.s[0].toy, 0, 0, k.now);
	CU_ASSERT_EQUAL_FATAL(sent_ids(&k, id, 8), 4);
	CU_ASSERT_EQUAL(id[0], toy_kinds[TOY_CHILD]->del_id);
	CU_ASSERT_EQUAL(id[1], toy_kinds[TOY_PARENT]->del_id);
	CU_ASSERT_EQUAL(id[2], toy_kinds[TOY_RULE]->del_id);
	CU_ASSERT_EQUAL(id[3], toy_kinds[TOY_PARENT]->id);
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* Each hears the HELLO of the other: what is sent next is what waited. */
static void greet(struct kit *k)
{
	static uint8_t buf[KIT_BUF];

	kit_up(k);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(kit_feed(k, !i, buf, kit_take(k, i, buf, NULL)), SRP_OK);
}

/* A kind that goes first: before the deletions of others, whatever its rank; also of what a gate held while
 * there was no connection. */
static void first_of_all(void)
{
	struct srp_ckpt_kind rule = *toy_kinds[TOY_RULE];
	const struct srp_ckpt_kind *kinds[TOY_KINDS];

	memcpy(kinds, toy_kinds, sizeof(kinds));
	kinds[TOY_RULE] = &rule;
	rule.first = rule.peer_only = true;
	rule.rank = UINT8_MAX;
	for (int held = 0; held < 2; held++) {
		struct kit k = {.kinds = kinds};
		unsigned id[8];

		kit_level(&k, 3);
		if (held)
			kit_down(&k);
		toy_del_child(&k.s[0].toy, 0, 0, k.now);
		toy_del_parent(&k.s[0].toy, 2, k.now);
		toy_set_parent(&k.s[0].toy, 1, 50, k.now);
		toy_set_rule(&k.s[0].toy, 1, 7, k.now);
		if (held)
			greet(&k);
		CU_ASSERT_EQUAL_FATAL(sent_ids(&k, id, 8), 4);
		CU_ASSERT_EQUAL(id[0], toy_kinds[TOY_RULE]->id);
		CU_ASSERT_EQUAL(id[1], toy_kinds[TOY_CHILD]->del_id);
		CU_ASSERT_EQUAL(id[2], toy_kinds[TOY_PARENT]->del_id);
		CU_ASSERT_EQUAL(id[3], toy_kinds[TOY_PARENT]->id);
		kit_exchange(&k);
		CU_ASSERT(kit_same(&k));
		kit_fini(&k);
	}
}

CU_TestInfo recovery_lists_tests[] = {
	{"many changes, one record", one_record_for_many_changes},
	{"a change while in flight", changed_in_flight},
	{"deleted before it was sent", cancelled},
	{"every sequence of five events", every_sequence},
	{"children go with their parent", deletion_of_a_parent_takes_children_along},
	{"deletions of children first", deletions_of_children_first},
	{"what goes first of all", first_of_all},
	{"a parent born again", parent_born_again},
	{"takeover walks nothing", takeover_walks_nothing},
	{"counters of a dead process", counters_of_a_dead_process},
	{"seventy thousand roles", many_roles},
	CU_TEST_INFO_NULL,
};
