/* mp: bounded msgpack. Writing is msgpack-c into a caller's buffer; reading is a cursor over peer
 * bytes that allocates nothing, checks every length against the bytes left, and whose first failure
 * sticks: reads after it return 0 or NULL, and srp_mp_left() is 0, so that no loop on it can spin. */
#ifndef SRP_MP_H
#define SRP_MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srp/err.h"

#define SRP_MP_DEPTH_MAX 8 /**< deepest nesting that srp_mp_skip follows */

/** A bounded writer; what does not fit sets @c err and is not written in part beyond the end. */
struct srp_mp_w {
	uint8_t *start, *p, *end;
	int err; /**< 0 or SRP_ENOSPC */
};

/** A writer over @p cap bytes at @p buf; borrowed until the writer is dropped. */
struct srp_mp_w srp_mp_w_init(void *buf, size_t cap);
/** Bytes written so far. */
static inline size_t srp_mp_w_len(const struct srp_mp_w *w) { return (size_t)(w->p - w->start); }
void srp_mp_w_array(struct srp_mp_w *w, uint32_t n);
void srp_mp_w_uint(struct srp_mp_w *w, uint64_t v);
void srp_mp_w_int(struct srp_mp_w *w, int64_t v);
void srp_mp_w_bool(struct srp_mp_w *w, bool v);
void srp_mp_w_nil(struct srp_mp_w *w);
void srp_mp_w_bin(struct srp_mp_w *w, const void *p, size_t n);
/** A string of @p n bytes; no terminator is written. */
void srp_mp_w_strn(struct srp_mp_w *w, const char *s, size_t n);
void srp_mp_w_str(struct srp_mp_w *w, const char *s);
/** Bytes that are msgpack already (a kept unknown tail). */
void srp_mp_w_raw(struct srp_mp_w *w, const void *p, size_t n);

/** A cursor over peer bytes; borrowed. */
struct srp_mp_r {
	const uint8_t *p, *end;
	int err; /**< 0 or the first failure: SRP_ESHORT, SRP_EFORMAT, SRP_ERANGE, SRP_EDEPTH */
};

static inline struct srp_mp_r srp_mp_r_init(const void *buf, size_t len)
{
	const uint8_t *b = buf;

	return (struct srp_mp_r){.p = b, .end = b + len, .err = 0};
}
/** Bytes left; 0 after a failure. */
static inline size_t srp_mp_left(const struct srp_mp_r *r)
{
	return r->err ? 0 : (size_t)(r->end - r->p);
}
/** Number of elements of the array that begins here; at most @p max, and at most the bytes left. */
uint32_t srp_mp_array(struct srp_mp_r *r, uint32_t max);
/** An unsigned integer of at most @p max; else SRP_ERANGE sticks. */
uint64_t srp_mp_uint(struct srp_mp_r *r, uint64_t max);
int64_t srp_mp_int(struct srp_mp_r *r);
bool srp_mp_bool(struct srp_mp_r *r);
/** Bytes of a bin (or str) of @p min to @p max bytes; NULL after a failure. Borrowed from the buffer. */
const uint8_t *srp_mp_bin(struct srp_mp_r *r, size_t min, size_t max, size_t *len);
/** Copies a str of at most cap-1 bytes without NUL inside to @p out and terminates it. */
void srp_mp_str(struct srp_mp_r *r, char *out, size_t cap);
/** True, and consumed, when the next element is nil. */
bool srp_mp_nil(struct srp_mp_r *r);
/** Steps over one element of any type, to SRP_MP_DEPTH_MAX deep. */
void srp_mp_skip(struct srp_mp_r *r);
/** Marks the cursor failed with @p err unless it has failed already. */
static inline void srp_mp_fail(struct srp_mp_r *r, int err)
{
	if (!r->err)
		r->err = err;
}
/** Result of a whole decode: the sticky error, or SRP_EFORMAT where bytes are left over. */
static inline int srp_mp_finish(const struct srp_mp_r *r)
{
	return r->err ? r->err : r->p == r->end ? 0 : SRP_EFORMAT;
}

#endif
