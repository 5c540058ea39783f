#include "config.h"
#include "ecs/record_copy.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/record_copy_impl.h"
#include "srp/hash.h"

#define HEADER_KEY 0x6865616465723031u /* of hashes that travel: one for all */

/* --- copies ----------------------------------------------------------------------------------- */

static uint64_t hash_of(uint8_t bit, uint64_t place, uint64_t seed)
{
	return ecs_hash_mix(place ^ ECS_HASH_K0 ^ seed, bit ^ ECS_HASH_K1);
}

static uint64_t copy_hash(const void *obj, uint64_t seed)
{
	const struct ecs_record_copy *c = obj;

	return hash_of(c->bit, c->place, seed);
}

int ecs_copies_init(struct ecs_engine *e)
{
	ecs_list_init(&e->copies.own);
	ecs_list_init(&e->copies.held);
	e->copies.open = &e->copies.own;
	return ecs_chain_init(&e->copies.by_key, 64, offsetof(struct ecs_record_copy, by_key), copy_hash,
	                      ecs_hash_mix(e->conf.seed, ECS_HASH_K1));
}

static struct ecs_record_copy *copy_at(struct srp_list *l)
{
	return ECS_CONTAINER(l, struct ecs_record_copy, in_engine);
}

static void free_list(struct srp_list *head)
{
	while (head->next && !ecs_list_empty(head)) {
		struct ecs_record_copy *c = copy_at(head->next);

		ecs_list_del(&c->in_engine);
		free(c);
	}
}

void ecs_copies_fini(struct ecs_engine *e)
{
	free_list(&e->copies.own);
	free_list(&e->copies.held);
	ecs_chain_fini(&e->copies.by_key);
}

struct ecs_record_copy *ecs_copy_find(const struct ecs_engine *e, uint8_t bit, uint64_t place)
{
	struct ecs_record_copy *c =
		*ecs_chain_head(&e->copies.by_key, hash_of(bit, place, e->copies.by_key.seed));

	while (c && (c->place != place || c->bit != bit))
		c = c->by_key;
	return c;
}

static bool is_own(const struct ecs_engine *e, const struct ecs_record_copy *c)
{
	return c->bit == (e->conf.chassis_bit & 1u);
}

static size_t size_of(const struct ecs_record_copy *c)
{
	return sizeof(*c) + c->len + 1u;
}

int ecs_copy_make(const struct ecs_engine *e, const struct ecs_record_copy *like, const char *line,
                  struct ecs_record_copy **out)
{
	struct ecs_record_copy *c;

	if (e->copies.bytes + size_of(like) > ECS_COPY_BYTES_MAX)
		return SRP_EFULL;
	c = malloc(size_of(like));
	if (!c)
		return SRP_ENOMEM;
	*c = *like;
	c->ckpt = (struct srp_ckpt_obj){.kind = &ecs_kind_record};
	c->in_engine = (struct srp_list){0};
	memcpy(c->line, line, like->len);
	c->line[like->len] = '\0';
	*out = c;
	return 0;
}

void ecs_copy_enter(struct ecs_engine *e, struct ecs_record_copy *c)
{
	bool own = is_own(e, c);

	ecs_list_add_tail(own ? &e->copies.own : &e->copies.held, &c->in_engine);
	if (own && e->copies.open == &e->copies.own)
		e->copies.open = &c->in_engine;
	ecs_chain_insert(&e->copies.by_key, c);
	e->copies.bytes += size_of(c);
	e->copies.nheld += !own;
}

void ecs_copy_free(struct ecs_engine *e, struct ecs_record_copy *c, enum ecs_tell tell,
                   struct srp_time now)
{
	ecs_tell_deleted(e, &c->ckpt, tell, now);
	if (e->copies.open == &c->in_engine)
		e->copies.open = c->in_engine.next;
	ecs_list_del(&c->in_engine);
	ecs_chain_remove(&e->copies.by_key, c);
	e->copies.bytes -= size_of(c);
	e->copies.nheld -= !is_own(e, c);
	free(c);
}

/* --- the side that makes records -------------------------------------------------------------- */

/* What has no copy is lost with the chassis, if it is not in a file by then. */
static void copy(struct ecs_engine *e, const struct ecs_record *r, uint64_t place,
                 struct srp_time now)
{
	struct ecs_record_copy like = {
		.place = place, .header = srp_hash64(HEADER_KEY, r->header, r->header_len),
		.callid = r->callid, .flow_id = r->flow_id, .len = (uint32_t)r->line_len,
		.stream = (uint8_t)r->stream, .bit = e->conf.chassis_bit & 1u, .last = r->last};
	struct ecs_record_copy *c;
	size_t n = strlen(r->format);

	if (n > ECS_NAME_MAX || r->line_len > ECS_COPY_LINE_MAX) {
		e->conf.counters->records_untold++;
		return;
	}
	memcpy(like.format, r->format, n);
	if (ecs_copy_find(e, like.bit, place) || ecs_copy_make(e, &like, r->line, &c) != 0) {
		e->conf.counters->records_untold++;
		return;
	}
	ecs_copy_enter(e, c);
	ecs_tell_changed(e, &c->ckpt, now);
}

bool ecs_record_give(struct ecs_engine *e, struct ecs_record *r, struct srp_time now)
{
	uint64_t place = ECS_RECORD_NOWHERE;

	if (!e->conf.ops->record(e->conf.owner, r, &place))
		return false;
	if (place != ECS_RECORD_NOWHERE && e->active && e->conf.sink)
		copy(e, r, place, now);
	return true;
}

uint64_t ecs_records_confirmed(const struct ecs_engine *e)
{
	return e->copies.open == &e->copies.own ? ECS_RECORD_NOWHERE : copy_at(e->copies.open)->place;
}

void ecs_copies_answered(struct ecs_engine *e)
{
	while (e->copies.open != &e->copies.own && copy_at(e->copies.open)->answered)
		e->copies.open = e->copies.open->next;
}

void ecs_records_written(struct ecs_engine *e, uint64_t place, struct srp_time now)
{
	while (!ecs_list_empty(&e->copies.own) && copy_at(e->copies.own.next)->place < place)
		ecs_copy_free(e, copy_at(e->copies.own.next), ECS_TELL, now);
	ecs_copies_answered(e);
}

void ecs_records_forget(struct ecs_engine *e, void (*fn)(void *arg, uint64_t place, bool peer_has),
                        void *arg, struct srp_time now)
{
	while (!ecs_list_empty(&e->copies.own)) {
		struct ecs_record_copy *c = copy_at(e->copies.own.next);

		if (fn)
			fn(arg, c->place, c->answered && !c->refused);
		ecs_copy_free(e, c, ECS_TELL_LISTS, now);
	}
}

/* --- the side that holds them ----------------------------------------------------------------- */

/* What a record ends goes on here: the peer did not live to tell of its end. It will make its record
 * itself, of all of it: a session; a flow, where that is kept. */
static bool goes_on(struct ecs_engine *e, struct ecs_record *r)
{
	const struct ecs_session *s = ecs_session_find(e, r->callid);
	const struct ecs_flow *f = s && r->flow_id ? ecs_flow_of(e->flows, s, r->flow_id) : NULL;

	if (r->stream == ECS_STREAM_UDR)
		return s != NULL;
	if (f && r->stream == ECS_STREAM_FDR) /* its volume goes with its record, also where the flow goes on */
		return ecs_usage_of(e, s, 0, ECS_USAGE_FLOW, r->flow_id) != NULL;
	if (!f || !r->last)
		return false;
	r->last = false; /* an EDR tells of a part: another one will tell of the rest */
	return s->records & ECS_RECORDS_WHOLE;
}

static void take(struct ecs_engine *e, const struct ecs_record_copy *c, struct srp_time now)
{
	const struct ecs_record_format *f = ecs_service_find_record(
		e->conf.service, c->stream == ECS_STREAM_UDR ? ECS_RECORD_UDR : ECS_RECORD_EDR, c->format);
	char *header = malloc(ECS_RECORD_HEADER_MAX);
	struct ecs_record r = {.stream = (enum ecs_record_stream)c->stream, .format = c->format,
	                       .header = header, .line = c->line, .line_len = c->len,
	                       .callid = c->callid, .flow_id = c->flow_id, .last = c->last};

	if (goes_on(e, &r)) {
		e->conf.counters->records_again++;
		free(header);
		return;
	}
	if (f && header)
		r.header_len = ecs_edr_header(f, header, ECS_RECORD_HEADER_MAX);
	if (r.header_len && srp_hash64(HEADER_KEY, header, r.header_len) == c->header &&
	    e->conf.ops && e->conf.ops->record && ecs_record_give(e, &r, now))
		e->conf.counters->records_taken_over++;
	else
		e->conf.counters->records_not_taken++;
	free(header);
}

bool ecs_records_take_over(struct ecs_engine *e, bool write, size_t budget, struct srp_time now)
{
	for (; budget && !ecs_list_empty(&e->copies.held); budget--) {
		struct ecs_record_copy *c = copy_at(e->copies.held.next);

		if (write)
			take(e, c, now);
		ecs_copy_free(e, c, ECS_TELL_LISTS, now);
	}
	return !ecs_list_empty(&e->copies.held);
}

size_t ecs_records_held(const struct ecs_engine *e)
{
	return e->copies.nheld;
}
