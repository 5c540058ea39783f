#include "config.h"
#include "srp/election.h"

#include <string.h>

#include "srp/err.h"

/* Each step: negative when a wins it, positive when b does. */

static int lower_wins(uint32_t a, uint32_t b) { return (a > b) - (a < b); }
static int higher_wins(uint32_t a, uint32_t b) { return lower_wins(b, a); }

static int mac_wins(const struct srp_candidate *a, const struct srp_candidate *b)
{
	int c = memcmp(b->mac + 3, a->mac + 3, 3);

	return (c > 0) - (c < 0);
}

static int first_won(const int *step, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (step[i])
			return step[i];
	return 0;
}

int srp_election_start(const struct srp_candidate *a, const struct srp_candidate *b)
{
	const int step[] = {
		higher_wins(a->role == SRP_ROLE_PENDING_ACTIVE, b->role == SRP_ROLE_PENDING_ACTIVE),
		lower_wins(a->unfit, b->unfit),
		higher_wins(a->complete > 0, b->complete > 0),
		a->complete > 0 ? -srp_term_cmp(a->term, b->term) : 0,
		higher_wins(a->complete, b->complete),
		higher_wins(a->mode == SRP_MODE_PRIMARY, b->mode == SRP_MODE_PRIMARY),
		lower_wins(a->priority, b->priority),
		mac_wins(a, b),
		lower_wins(a->bit, b->bit),
	};

	return first_won(step, sizeof(step) / sizeof(step[0]));
}

int srp_election_dual(const struct srp_candidate *a, const struct srp_candidate *b)
{
	const int step[] = {
		lower_wins(a->stale, b->stale),
		lower_wins(a->unfit, b->unfit),
		lower_wins(a->route_modifier, b->route_modifier),
		lower_wins(a->priority, b->priority),
		mac_wins(a, b),
		lower_wins(a->bit, b->bit),
	};

	return first_won(step, sizeof(step) / sizeof(step[0]));
}

int srp_term_next(uint32_t highest, unsigned bit, uint32_t *term)
{
	if (highest >= SRP_TERM_NUMBER_MAX)
		return SRP_ERANGE;
	*term = srp_term(highest + 1, bit);
	return SRP_OK;
}

int srp_chassis_bit(const uint8_t mine[16], const uint8_t peer[16])
{
	int c = memcmp(mine, peer, 16);

	return c == 0 ? SRP_EDUP : c > 0;
}
