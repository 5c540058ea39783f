#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/ckpt.h"

static void key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out) { (void)o; (void)out; }
static int encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *c, struct srp_mp_w *w)
{
	(void)o; (void)c; (void)w;
	return 0;
}
static int apply(const struct srp_ckpt_ctx *c, const struct srp_ckpt_key *k, struct srp_mp_r *r,
                 unsigned n, struct srp_ckpt_obj **out)
{
	(void)c; (void)k; (void)r; (void)n; (void)out;
	return 0;
}
static int drop(const struct srp_ckpt_ctx *c, const struct srp_ckpt_key *k)
{
	(void)c; (void)k;
	return 0;
}
static struct srp_ckpt_obj *find(const struct srp_ckpt_ctx *c, const struct srp_ckpt_key *k)
{
	(void)c; (void)k;
	return NULL;
}
static void walk(const struct srp_ckpt_ctx *c, srp_ckpt_walk_fn *fn, void *arg)
{
	(void)c; (void)fn; (void)arg;
}

static struct srp_ckpt_kind kind(uint8_t id, uint8_t del, const char *name)
{
	return (struct srp_ckpt_kind){
		.id = id, .del_id = del, .name = name, .del_name = del ? "DEL" : NULL, .nkey = 1,
		.nfields = 3, .ver_min = 1, .ver_max = 2, .max_len = 100, .key = key,
		.encode = encode, .apply = apply, .remove = drop, .find = find, .walk = walk};
}

static int check2(struct srp_ckpt_kind a, struct srp_ckpt_kind b)
{
	const struct srp_ckpt_kind *const tab[] = {&a, &b};

	return srp_ckpt_check(tab, 2);
}

static int check1(struct srp_ckpt_kind a)
{
	const struct srp_ckpt_kind *const tab[] = {&a};

	return srp_ckpt_check(tab, 1);
}

static void test_identifiers(void)
{
	CU_ASSERT_EQUAL(srp_ckpt_check(NULL, 0), 0);
	CU_ASSERT_EQUAL(check2(kind(1, 2, "A"), kind(3, 4, "B")), 0);
	CU_ASSERT_EQUAL(check2(kind(1, 0, "A"), kind(3, 0, "B")), 0);
	CU_ASSERT_EQUAL(check2(kind(1, 2, "A"), kind(1, 4, "B")), SRP_EDUP);
	CU_ASSERT_EQUAL(check2(kind(1, 2, "A"), kind(2, 4, "B")), SRP_EDUP);
	CU_ASSERT_EQUAL(check2(kind(1, 2, "A"), kind(3, 1, "B")), SRP_EDUP);
	CU_ASSERT_EQUAL(check2(kind(1, 2, "A"), kind(3, 2, "B")), SRP_EDUP);
	CU_ASSERT_EQUAL(check2(kind(1, 2, "A"), kind(3, 4, "A")), SRP_EDUP);
}

#define BAD(field, value, code) \
	do { \
		struct srp_ckpt_kind k = kind(1, 2, "A"); \
		k.field = value; \
		CU_ASSERT_EQUAL(check1(k), code); \
	} while (0)

static struct srp_ckpt_obj *parent(const struct srp_ckpt_obj *o)
{
	(void)o;
	return NULL;
}
static int names(struct srp_mp_r *r, unsigned n, uint64_t *name)
{
	(void)r; (void)n; (void)name;
	return 0;
}

/* A field is left out in one way, and is there; names are those of what has no parent. */
static void test_fields(void)
{
	struct srp_ckpt_kind row = kind(1, 2, "A");

	BAD(left_out, 1u << 3, SRP_ERANGE);
	BAD(left_nil, 1u << 3, SRP_ERANGE);
	BAD(left_out, 1u << 2, 0);
	BAD(left_nil, 7, 0);
	row.left_out = 3;
	row.left_nil = 4;
	CU_ASSERT_EQUAL(check1(row), 0);
	row.left_nil = 6;
	CU_ASSERT_EQUAL(check1(row), SRP_ERANGE);
	row = kind(1, 2, "A");
	row.nfields = 64;
	row.left_out = ~(uint64_t)0;
	CU_ASSERT_EQUAL(check1(row), 0);
	row.nfields = 0;
	CU_ASSERT_EQUAL(check1(row), SRP_ERANGE);
	BAD(names, names, 0);
	row = kind(1, 2, "A");
	row.names = names;
	row.parent = parent;
	CU_ASSERT_EQUAL(check1(row), SRP_EINVAL);
}

static void test_rows(void)
{
	CU_ASSERT_EQUAL(check1(kind(1, 2, "A")), 0);
	BAD(id, 0, SRP_EINVAL);
	BAD(name, NULL, SRP_EINVAL);
	BAD(del_name, NULL, SRP_EINVAL);
	BAD(key, NULL, SRP_EINVAL);
	BAD(encode, NULL, SRP_EINVAL);
	BAD(apply, NULL, SRP_EINVAL);
	BAD(remove, NULL, SRP_EINVAL);
	BAD(find, NULL, SRP_EINVAL);
	BAD(walk, NULL, SRP_EINVAL);
	BAD(ver_min, 3, SRP_EINVAL);
	BAD(first, true, SRP_EINVAL); /* a mirror holds it */
	BAD(max_len, 0, SRP_ERANGE);
	BAD(max_len, SRP_CKPT_RECORD_MAX + 1, SRP_ERANGE);
	BAD(max_len, SRP_CKPT_RECORD_MAX, 0);
	BAD(nkey, 0, SRP_ERANGE);
	BAD(nkey, 4, SRP_ERANGE);
	BAD(nkey, 3, 0);
	BAD(nfields, 65, SRP_ERANGE);
	BAD(nfields, 64, 0);
}

CU_TestInfo srp_ckpt_tests[] = {
	{"identifiers and names are unique over both columns", test_identifiers},
	{"a row is complete and within its limits", test_rows},
	{"fields that are left out", test_fields},
	CU_TEST_INFO_NULL,
};
