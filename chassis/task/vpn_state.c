/* vpn_state: the term survives the chassis. Terms are reserved in blocks ahead of their use, so that
 * taking the role needs no write to a disk that may be full (R26); a reserved number is never used
 * twice because a restarted chassis goes on above the whole block. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"
#include "srp/hash.h"

#define STATE_MAGIC 0x53525031u /* "SRP1" */
#define BLOCK       64u

/* As it lies in the file: host order, the file never leaves its machine. */
struct state {
	uint32_t magic;
	uint32_t reserved; /* numbers up to this one may have been used */
	uint64_t sum;
};

static uint64_t sum(const struct state *st)
{
	return srp_hash64(STATE_MAGIC, st, offsetof(struct state, sum));
}

/* Reserves a block above the highest number seen. */
static void reserve(struct vpnmgr *v)
{
	struct state st = {.magic = STATE_MAGIC, .reserved = v->ctx->slab->role.highest_term + BLOCK};

	st.sum = sum(&st);
	if (v->ctx->shared->state_fd < 0)
		return;
	if (pwrite(v->ctx->shared->state_fd, &st, sizeof(st), 0) != sizeof(st) ||
	    fdatasync(v->ctx->shared->state_fd) < 0) {
		chassis_log(LOG_ALERT, "cannot persist the term: the role is taken all the same, but a restart "
		            "may repeat a term");
		return;
	}
	v->ctx->slab->role.reserved_term = st.reserved;
}

void vpn_state_load(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;
	struct state st;

	if (r->highest_term == 0 && v->ctx->shared->state_fd >= 0 &&
	    pread(v->ctx->shared->state_fd, &st, sizeof(st), 0) == sizeof(st) && st.magic != 0) {
		if (st.magic == STATE_MAGIC && st.sum == sum(&st) && st.reserved <= SRP_TERM_NUMBER_MAX - BLOCK)
			r->highest_term = st.reserved;
		else
			chassis_log(LOG_ALERT, "the state file is damaged: terms begin anew");
	}
	reserve(v);
}

void vpn_term_seen(struct vpnmgr *v, uint32_t number)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;

	if (number <= r->highest_term)
		return;
	r->highest_term = number;
	if (number >= r->reserved_term)
		reserve(v);
}

void vpn_term_take(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;
	uint32_t term;

	if (srp_term_next(r->highest_term, r->chassis_bit, &term) < 0) {
		chassis_log(LOG_ALERT, "the terms are used up: remove the state files of both chassis");
		return;
	}
	r->term = term;
	r->highest_term = srp_term_number(term);
	if (r->highest_term >= r->reserved_term)
		reserve(v);
}
