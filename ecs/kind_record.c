/* Key: the chassis that made the record, its place there. Fields: call-id, flow id (0: of a session),
 * stream << 1 | last, name of the format, hash of the header, line. */
#include "config.h"
#include "ecs/record_copy.h"

#include <string.h>

#include "ecs/record_copy_impl.h"

#define RECORD_LEN (ECS_KIND_HEAD_MAX(2) + 5 + 5 + 1 + 2 + ECS_NAME_MAX + 9 + 3 + ECS_COPY_LINE_MAX)

static struct ecs_record_copy *of(const struct srp_ckpt_obj *o)
{
	return (struct ecs_record_copy *)((uintptr_t)o - offsetof(struct ecs_record_copy, ckpt));
}

static void record_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of(o)->bit, of(o)->place}};
}

static int record_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                         struct srp_mp_w *w)
{
	const struct ecs_record_copy *c = of(o);

	(void)ctx;
	srp_mp_w_uint(w, c->callid);
	srp_mp_w_uint(w, c->flow_id);
	srp_mp_w_uint(w, (unsigned)c->stream << 1 | c->last);
	srp_mp_w_str(w, c->format);
	srp_mp_w_uint(w, c->header);
	srp_mp_w_strn(w, c->line, c->len);
	return w->err;
}

static struct ecs_record_copy *find(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	return key->k[0] > 1 ? NULL : ecs_copy_find(ctx->owner, (uint8_t)key->k[0], key->k[1]);
}

/* A line as a record's is: it goes into a file. */
static bool is_line(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 && s[i] != '\t' && s[i] != ECS_RECORD_SEQ)
			return false;
	return n > 0;
}

/* Only of the peer, and not while records are made here: whose is the role writes its own. */
static int record_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                        struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_engine *e = ctx->owner;
	struct ecs_record_copy like = {.place = key->k[1], .bit = !(e->conf.chassis_bit & 1u)}, *c;
	struct ecs_record_copy *old;
	uint64_t stream;
	const char *line;
	size_t len;
	int rc;

	if (nfields < ecs_kind_record.nfields)
		return SRP_ESHORT;
	if (key->k[0] > 1 || key->k[1] == ECS_RECORD_NOWHERE)
		return SRP_ERANGE;
	if (key->k[0] != like.bit || e->active)
		return SRP_EROLE;
	like.callid = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	like.flow_id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	stream = srp_mp_uint(r, 2u * ECS_STREAM__N - 1u);
	ecs_kind_read_name(r, like.format, sizeof(like.format), false);
	like.header = srp_mp_uint(r, UINT64_MAX);
	line = (const char *)srp_mp_bin(r, 1, ECS_COPY_LINE_MAX, &len);
	if (r->err)
		return r->err;
	if (!is_line(line, len))
		return SRP_EFORMAT;
	like.stream = (uint8_t)(stream >> 1);
	like.last = stream & 1u;
	like.len = (uint32_t)len;
	old = find(ctx, key);
	rc = ecs_copy_make(e, &like, line, &c);
	if (rc) {
		e->conf.counters->records_unheld++;
		return rc;
	}
	if (old) /* another life of the peer counts its places from the beginning */
		ecs_copy_free(e, old, ECS_TELL_LISTS, ctx->now);
	ecs_copy_enter(e, c);
	*out = &c->ckpt;
	return 0;
}

static int record_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_record_copy *c = find(ctx, key);

	if (!c)
		return SRP_ENOENT;
	ecs_copy_free(ctx->owner, c, ECS_TELL_LISTS, ctx->now);
	return 0;
}

static struct srp_ckpt_obj *record_find(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_record_copy *c = find(ctx, key);

	return c ? &c->ckpt : NULL;
}

static void record_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	struct ecs_engine *e = ctx->owner;
	struct srp_list *of_both[] = {&e->copies.own, &e->copies.held};

	for (int i = 0; i < 2 && ctx->replica == SRP_REPLICA_GR; i++)
		for (struct srp_list *l = of_both[i]->next, *next; l != of_both[i]; l = next) {
			struct ecs_record_copy *c = ECS_CONTAINER(l, struct ecs_record_copy, in_engine);

			next = l->next;
			if (fn(&c->ckpt, arg) != 0)
				return;
		}
}

static void record_passed(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
                          const struct srp_ckpt_pass *p)
{
	(void)key;
	if (!o || p->what == SRP_CKPT_SENT)
		return;
	of(o)->answered = true;
	of(o)->refused = p->what == SRP_CKPT_REFUSED;
	ecs_copies_answered(p->owner);
}

const struct srp_ckpt_kind ecs_kind_record = {
	.id = 219, .del_id = 220, .name = "ACS_RECORD_INFO", .del_name = "DEL_ACS_RECORD_INFO",
	.rank = 1, .peer_only = true, .first = true, .nkey = 2, .nfields = 6, .ver_min = 1, .ver_max = 1,
	.max_len = RECORD_LEN,
	.key = record_key, .encode = record_encode, .apply = record_apply, .remove = record_remove,
	.find = record_find, .walk = record_walk, .passed = record_passed,
};
