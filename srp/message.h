/* message: what the codecs of hello.c and switch.c share. Not for use elsewhere. */
#ifndef SRP_MESSAGE_H
#define SRP_MESSAGE_H

#include <string.h>

#include "srp/hello.h"
#include "srp/mp.h"

#define SRP_MESSAGE_FIELDS_MAX 64u /**< of a newer peer, in one array */

/** Opens an array of at least @p need elements; gives how many more there are than that. */
static inline uint32_t srp_message_open(struct srp_mp_r *r, uint32_t need)
{
	uint32_t n = srp_mp_array(r, SRP_MESSAGE_FIELDS_MAX);

	if (n < need)
		srp_mp_fail(r, SRP_ESHORT);
	return r->err ? 0 : n - need;
}

/** Steps over what a newer peer has appended. */
static inline void srp_message_close(struct srp_mp_r *r, uint32_t more)
{
	while (more-- > 0 && !r->err)
		srp_mp_skip(r);
}

/** Printable ASCII only: texts of a peer reach terminals and logs. */
static inline bool srp_message_printable(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

/** Reads a printable string of at most cap-1 bytes. */
static inline void srp_message_text(struct srp_mp_r *r, char *out, size_t cap)
{
	srp_mp_str(r, out, cap);
	if (!srp_message_printable(out))
		srp_mp_fail(r, SRP_EFORMAT);
}

/** Length of what was written, or why it does not fit. */
static inline int srp_message_done(const struct srp_mp_w *w)
{
	return w->err ? w->err : (int)srp_mp_w_len(w);
}

#endif
