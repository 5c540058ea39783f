#include "config.h"
#include "chassis/task/record_ring.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC  0x72696e6764726563u
#define LAYOUT 1u
#define SKIP   0xffu /* stream of what fills the end of the ring */
#define ALIGN  8u

/* Counts of bytes since the beginning; where they are is the count modulo the size. */
struct head {
	uint64_t magic, layout, size;
	uint64_t nkeys;      /* ever; the last CHASSIS_RECORD_KEYS are there */
	uint64_t paused;     /* the writer's: nothing is to be read now */
	uint64_t unused[3];
	uint64_t head, released;
	uint64_t unused2[6];
	uint64_t tail;       /* the reader's */
	uint64_t unused3[7];
	uint64_t key[CHASSIS_RECORD_KEYS];
};

/* In front of a record: format, header, line follow. */
struct item {
	uint32_t len;        /* of all, a multiple of ALIGN */
	uint8_t stream, format_len;
	uint16_t header_len;
	uint32_t line_len;
	uint32_t withdrawn;  /* the reader passes it by */
};

struct chassis_ring {
	struct head *h;
	char *data;
	uint64_t size;
	uint64_t *keys;      /* sorted: what was remembered when they were read */
	size_t nkeys;
};

#define GET(what)        __atomic_load_n(&(what), __ATOMIC_ACQUIRE)
#define PUT(where, what) __atomic_store_n(&(where), (what), __ATOMIC_RELEASE)

static bool readable(const struct head *h, uint64_t size)
{
	return h->magic == MAGIC && h->layout == LAYOUT && h->size == size && h->tail <= h->released &&
	       h->released <= h->head && h->head - h->tail <= size && h->head % ALIGN == 0 &&
	       h->tail % ALIGN == 0;
}

struct chassis_ring *chassis_ring_open(void *mem, size_t len)
{
	struct chassis_ring *r;
	struct head *h = mem;

	if (!mem || len < sizeof(*h) + 4096 || ((uintptr_t)mem & 63))
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->h = h;
	r->data = (char *)(h + 1);
	r->size = (len - sizeof(*h)) / ALIGN * ALIGN;
	if (!readable(h, r->size)) {
		h->magic = 0;
		h->nkeys = h->head = h->released = h->tail = h->paused = 0;
		h->layout = LAYOUT;
		h->size = r->size;
		PUT(h->magic, MAGIC);
	}
	return r;
}

void chassis_ring_close(struct chassis_ring *r)
{
	if (r)
		free(r->keys);
	free(r);
}

struct chassis_ring_look chassis_ring_look(const struct chassis_ring *r)
{
	uint64_t tail = GET(r->h->tail), released = GET(r->h->released), head = GET(r->h->head);

	return (struct chassis_ring_look){.held = head - released, .waiting = released - tail,
	                                  .room = r->size};
}

/* --- the writer ----------------------------------------------------------------------------- */

static struct item *item_at(const struct chassis_ring *r, uint64_t at)
{
	return (struct item *)(void *)(r->data + at % r->size);
}

static void remember(struct chassis_ring *r, uint32_t callid, uint32_t flow_id)
{
	struct head *h = r->h;

	PUT(h->key[h->nkeys % CHASSIS_RECORD_KEYS], (uint64_t)callid << 32 | flow_id);
	PUT(h->nkeys, h->nkeys + 1);
}

bool chassis_ring_put(struct chassis_ring *r, const struct ecs_record *rec)
{
	struct head *h = r->h;
	size_t format_len = strlen(rec->format);
	size_t len = sizeof(struct item) + format_len + rec->header_len + rec->line_len;
	uint64_t at = h->head, used = at - GET(h->tail), end = r->size - at % r->size;
	struct item *i;
	char *p;

	if (format_len > ECS_NAME_MAX || rec->header_len > UINT16_MAX || rec->line_len > UINT32_MAX / 2)
		return false;
	len = (len + ALIGN - 1) / ALIGN * ALIGN;
	if (used > r->size || len + (len > end ? end : 0) > r->size - used)
		return false;
	if (len > end) {
		/* it lies in one piece; an end that is too short for an item is known to be skipped */
		if (end >= sizeof(*i))
			*item_at(r, at) = (struct item){.len = (uint32_t)end, .stream = SKIP};
		at += end;
	}
	i = item_at(r, at);
	*i = (struct item){.len = (uint32_t)len, .stream = (uint8_t)rec->stream,
	                   .format_len = (uint8_t)format_len, .header_len = (uint16_t)rec->header_len,
	                   .line_len = (uint32_t)rec->line_len};
	p = (char *)(i + 1);
	memcpy(p, rec->format, format_len);
	memcpy(p + format_len, rec->header, rec->header_len);
	memcpy(p + format_len + rec->header_len, rec->line, rec->line_len);
	/* dying between the two leaves a record that is not remembered: better than the reverse */
	PUT(h->head, at + len);
	if (rec->last)
		remember(r, rec->callid, rec->flow_id);
	return true;
}

uint64_t chassis_ring_head(const struct chassis_ring *r)
{
	return r->h->head;
}

void chassis_ring_release(struct chassis_ring *r, uint64_t upto)
{
	if (upto > r->h->released && upto <= r->h->head)
		PUT(r->h->released, upto);
}

/* Where the item is that begins at @p at, or behind what is skipped there. */
static uint64_t begins(const struct chassis_ring *r, uint64_t at)
{
	uint64_t end = r->size - at % r->size;

	return end < sizeof(struct item) || item_at(r, at)->stream == SKIP ? at + end : at;
}

bool chassis_ring_withdraw(struct chassis_ring *r, uint64_t at)
{
	at = begins(r, at);
	if (at < GET(r->h->tail) || at >= r->h->head)
		return false;
	PUT(item_at(r, at)->withdrawn, 1u);
	return true;
}

size_t chassis_ring_withdraw_held(struct chassis_ring *r)
{
	uint64_t at = r->h->released;
	size_t n = 0;

	while (at < r->h->head) {
		at = begins(r, at);
		n += chassis_ring_withdraw(r, at);
		at += item_at(r, at)->len;
	}
	return n;
}

void chassis_ring_pause(struct chassis_ring *r, bool on)
{
	if (r->h->paused != on)
		PUT(r->h->paused, (uint64_t)on);
}

void chassis_ring_keys_forget(struct chassis_ring *r)
{
	PUT(r->h->nkeys, 0u);
	chassis_ring_keys_read(r);
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void chassis_ring_keys_read(struct chassis_ring *r)
{
	size_t n = r->h->nkeys < CHASSIS_RECORD_KEYS ? (size_t)r->h->nkeys : CHASSIS_RECORD_KEYS;

	free(r->keys);
	r->nkeys = 0;
	r->keys = n ? malloc(n * sizeof(*r->keys)) : NULL;
	if (!r->keys)
		return;
	memcpy(r->keys, r->h->key, n * sizeof(*r->keys));
	qsort(r->keys, n, sizeof(*r->keys), by_key);
	r->nkeys = n;
}

bool chassis_ring_has_key(struct chassis_ring *r, uint32_t callid, uint32_t flow_id)
{
	uint64_t key = (uint64_t)callid << 32 | flow_id;

	return r->nkeys && bsearch(&key, r->keys, r->nkeys, sizeof(key), by_key) != NULL;
}

/* --- the reader ----------------------------------------------------------------------------- */

uint64_t chassis_ring_tail(const struct chassis_ring *r)
{
	return GET(r->h->tail);
}

void chassis_ring_done(struct chassis_ring *r, uint64_t upto)
{
	uint64_t released = GET(r->h->released);

	PUT(r->h->tail, upto < released ? upto : released);
}

static bool takes(const struct item *i, uint64_t end, uint64_t left)
{
	uint64_t need = sizeof(*i) + (uint64_t)i->format_len + i->header_len + i->line_len;

	return i->len % ALIGN == 0 && i->len <= end && i->len <= left && need <= i->len &&
	       i->stream < ECS_STREAM__N && i->format_len > 0 && i->format_len <= ECS_NAME_MAX &&
	       i->line_len > 0;
}

static bool is_text(const char *s, size_t n, bool seq)
{
	for (size_t k = 0; k < n; k++)
		if ((unsigned char)s[k] < 0x20 && s[k] != '\t' && !(seq && s[k] == ECS_RECORD_SEQ))
			return false;
	return true;
}

/* The item at @p at, or the first one behind it that is wanted: 1, 0 or -1 as chassis_ring_read(). */
static int next_item(const struct chassis_ring *r, uint64_t released, uint64_t *at, struct item *i)
{
	while (*at < released) {
		uint64_t end = r->size - *at % r->size, left = released - *at;

		if (left > r->size || *at % ALIGN)
			return -1;
		if (end < sizeof(*i)) {
			*at += end;
			continue;
		}
		memcpy(i, item_at(r, *at), sizeof(*i)); /* it may change under us */
		if (i->stream == SKIP && i->len == end && end <= left) {
			*at += end;
			continue;
		}
		if (!takes(i, end, left))
			return -1;
		if (!i->withdrawn)
			return 1;
		*at += i->len;
	}
	return *at == released ? 0 : -1;
}

int chassis_ring_read(const struct chassis_ring *r, uint64_t at, struct chassis_ring_record *out)
{
	uint64_t released = GET(r->h->released);
	struct item i;
	const char *p;
	int rc;

	out->next = at;
	if (GET(r->h->paused))
		return 0;
	rc = next_item(r, released, &at, &i);
	out->next = released;
	if (rc <= 0)
		return rc;
	p = r->data + at % r->size + sizeof(i);
	out->stream = (enum ecs_record_stream)i.stream;
	memcpy(out->format, p, i.format_len);
	out->format[i.format_len] = '\0';
	out->header = p + i.format_len;
	out->header_len = i.header_len;
	out->line = out->header + i.header_len;
	out->line_len = i.line_len;
	out->next = at + i.len;
	return strlen(out->format) == i.format_len && is_text(out->format, i.format_len, false) &&
	       is_text(out->header, out->header_len, false) && is_text(out->line, out->line_len, true)
		? 1 : -1;
}
