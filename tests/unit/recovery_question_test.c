/* What one end asks the other, and what it is told. */
#include "config.h"
#include "suites.h"

#include "recovery_mirror.h"

static int ask(struct kit *k, int i, size_t len, uint32_t *id)
{
	static const uint8_t q[RECOVERY_QUESTION_MAX + 1] = {'q'};

	return recovery_replica_ask(k->s[i].r, q, len, k->now, id);
}

static void answered(void)
{
	struct kit k = {0};
	uint32_t first, second;

	kit_init(&k);
	CU_ASSERT_EQUAL(ask(&k, 0, 1, &first), SRP_ESTATE);
	kit_connect(&k);
	k.s[1].nsay = RECOVERY_ANSWER_MAX;
	memset(k.s[1].say, 'a', sizeof(k.s[1].say));
	CU_ASSERT_EQUAL(ask(&k, 0, RECOVERY_QUESTION_MAX, &first), SRP_OK);
	CU_ASSERT_EQUAL(ask(&k, 1, 1, &second), SRP_OK);
	CU_ASSERT_NOT_EQUAL(first, 0);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].nasked, RECOVERY_QUESTION_MAX);
	CU_ASSERT_EQUAL(k.s[0].answers, 1);
	CU_ASSERT_EQUAL(k.s[0].answered, first);
	CU_ASSERT_EQUAL(k.s[0].ntold, RECOVERY_ANSWER_MAX);
	CU_ASSERT_EQUAL(k.s[0].told[RECOVERY_ANSWER_MAX - 1], 'a');
	/* nothing to say is said */
	CU_ASSERT_EQUAL(k.s[1].answers, 1);
	CU_ASSERT_EQUAL(k.s[1].answered, second);
	CU_ASSERT_EQUAL(k.s[1].ntold, 0);
	CU_ASSERT_EQUAL(k.s[0].totals.questions_out, 1);
	CU_ASSERT_EQUAL(k.s[0].totals.questions_in, 1);
	CU_ASSERT_EQUAL(k.s[0].totals.answers_in, 1);
	kit_fini(&k);
}

static void limits(void)
{
	struct kit k = {0};
	uint32_t id = 0, last = 0;

	kit_init(&k);
	kit_connect(&k);
	CU_ASSERT_EQUAL(ask(&k, 0, 0, &id), SRP_ERANGE);
	CU_ASSERT_EQUAL(ask(&k, 0, RECOVERY_QUESTION_MAX + 1, &id), SRP_ERANGE);
	CU_ASSERT_EQUAL(id, 0);
	for (int i = 0; i < RECOVERY_QUESTIONS; i++)
		CU_ASSERT_EQUAL(ask(&k, 0, 1, &last), SRP_OK);
	CU_ASSERT_EQUAL(ask(&k, 0, 1, &id), SRP_EBUSY);
	/* a peer that never answers gives the places back after a while */
	k.now.us += SRP_SEC(5) - 1;
	CU_ASSERT_EQUAL(ask(&k, 0, 1, &id), SRP_EBUSY);
	k.now.us++;
	CU_ASSERT_EQUAL(ask(&k, 0, 1, &id), SRP_OK);
	CU_ASSERT_EQUAL(id, last + 1);
	kit_exchange(&k);
	/* all were answered; that whose place was taken has come too late */
	CU_ASSERT_EQUAL(k.s[0].totals.answers_in, RECOVERY_QUESTIONS);
	CU_ASSERT_EQUAL(k.s[0].totals.answers_void, 1);
	CU_ASSERT_EQUAL(k.s[0].answers, RECOVERY_QUESTIONS);
	for (int i = 0; i < RECOVERY_QUESTIONS; i++)
		CU_ASSERT_EQUAL(ask(&k, 0, 1, &id), SRP_OK);
	/* a connection takes its questions with it */
	kit_down(&k);
	CU_ASSERT_EQUAL(ask(&k, 0, 1, &id), SRP_ESTATE);
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[1].totals.questions_in, RECOVERY_QUESTIONS + 1);
	CU_ASSERT_EQUAL(ask(&k, 0, 1, &id), SRP_OK);
	kit_fini(&k);
}

static int give(struct kit *k, int i, enum recovery_frame t, const uint8_t *body, size_t len)
{
	const struct srp_frame_hdr h = {.type = (uint8_t)t, .len = (uint32_t)len};

	return recovery_replica_rx(k->s[i].r, &h, body, k->now);
}

/* Answers to nothing, twice, to the other end's question; frames before the hello. */
static void unasked(void)
{
	static const uint8_t answer[] = {0x92, 0x01, 0xc4, 0x01, 'x'}, zero[] = {0x92, 0x00, 0xc4, 0x00};
	struct kit k = {0};
	uint32_t id;

	kit_init(&k);
	CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_ANSWER, answer, sizeof(answer)), SRP_ESTATE);
	kit_up(&k);
	CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_QUESTION, answer, sizeof(answer)), SRP_ESTATE);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_ANSWER, answer, sizeof(answer)), SRP_OK);
	CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_ANSWER, zero, sizeof(zero)), SRP_OK);
	CU_ASSERT_EQUAL(k.s[0].answers, 0);
	CU_ASSERT_EQUAL(k.s[0].totals.answers_void, 2);
	CU_ASSERT_EQUAL(ask(&k, 0, 1, &id), SRP_OK);
	CU_ASSERT_EQUAL(id, 1);
	CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_ANSWER, answer, sizeof(answer)), SRP_OK);
	CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_ANSWER, answer, sizeof(answer)), SRP_OK);
	CU_ASSERT_EQUAL(k.s[0].answers, 1);
	CU_ASSERT_EQUAL(k.s[0].totals.answers_void, 3);
	/* an empty question, and one that is too long for its bin, break the protocol */
	CU_ASSERT(give(&k, 0, RECOVERY_FT_QUESTION, zero, sizeof(zero)) < 0);
	kit_fini(&k);
}

/* Who asks and does not read gets no answers, and cannot fill the memory. */
static void flood(void)
{
	static const uint8_t question[] = {0x92, 0x01, 0xc4, 0x01, 'q'};
	struct kit k = {0};
	uint64_t n = 0;

	kit_init(&k);
	kit_connect(&k);
	k.s[0].nsay = RECOVERY_ANSWER_MAX;
	for (; !k.s[0].totals.questions_refused && n < 100000; n++)
		CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_QUESTION, question, sizeof(question)), SRP_OK);
	CU_ASSERT(k.s[0].totals.questions_refused > 0);
	CU_ASSERT(k.s[0].r->outq_cap <= RECOVERY_OUTQ_MAX);
	/* answered again when it has read */
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].totals.answers_void, n - k.s[0].totals.questions_refused);
	CU_ASSERT_EQUAL(give(&k, 0, RECOVERY_FT_QUESTION, question, sizeof(question)), SRP_OK);
	CU_ASSERT_EQUAL(k.s[0].totals.questions_refused, 1);
	kit_fini(&k);
}

/* What a store says that it holds of a session. */
static void of_a_store(void)
{
	struct recovery_store_session st = {.others = 99};
	struct toy *toy;
	struct mirror m;
	uint64_t at;

	mirror_init(&m);
	toy = &m.k.s[0].toy;
	CU_ASSERT(!recovery_store_session(m.store, 3, &st));
	toy_set_rule(toy, 1, 1, m.k.now);
	toy_set_parent(toy, 3, 7, m.k.now);
	toy_set_child(toy, 3, 1, 5, 1, m.k.now);
	toy_set_child(toy, 3, 2, 5, 1, m.k.now);
	toy_set_parent(toy, 4, 7, m.k.now);
	mirror_join(&m);
	CU_ASSERT(recovery_store_session(m.store, 3, &st));
	CU_ASSERT_EQUAL(st.roots, 1);
	CU_ASSERT_EQUAL(st.others, 2);
	CU_ASSERT(st.root_last.us && st.root_last.us <= m.k.now.us);
	at = st.root_last.us;
	/* a change of a flow is newer than its session */
	m.k.now.us += SRP_SEC(3);
	toy_set_child(toy, 3, 2, 6, 1, m.k.now);
	mirror_exchange(&m);
	CU_ASSERT(recovery_store_session(m.store, 3, &st));
	CU_ASSERT_EQUAL(st.root_last.us, at);
	CU_ASSERT_EQUAL(st.last.us, m.k.now.us / 1000 * 1000);
	CU_ASSERT(recovery_store_session(m.store, 4, &st));
	CU_ASSERT_EQUAL(st.others, 0);
	CU_ASSERT_EQUAL(st.last.us, 0);
	toy_del_parent(toy, 3, m.k.now);
	mirror_exchange(&m);
	st.others = 99;
	CU_ASSERT(!recovery_store_session(m.store, 3, &st));
	CU_ASSERT_EQUAL(st.others, 99);
	mirror_fini(&m);
}

CU_TestInfo recovery_question_tests[] = {
	{"asked and answered", answered},
	{"limits, and a peer that never answers", limits},
	{"answers that nobody asked for", unasked},
	{"questions of one who does not read", flood},
	{"what a store holds of a session", of_a_store},
	CU_TEST_INFO_NULL,
};
