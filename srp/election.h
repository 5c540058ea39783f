/* election: who of two chassis should be active. Pure functions of what both have told each other,
 * so that both sides come to the same winner. Source: design notes R1 and R4; PROTOCOL.md. */
#ifndef SRP_ELECTION_H
#define SRP_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "srp/role.h"

/** Configured chassis-mode; the numbers travel. */
enum srp_mode { SRP_MODE_BACKUP, SRP_MODE_PRIMARY };

/** What decides, of one side. Of the own side: as it was told to the peer last, not newer. */
struct srp_candidate {
	enum srp_role role;
	bool handed;             /**< PendingStandby that has sent HANDOVER: forwards no more */
	bool unfit;              /**< gave its role up: a task of it cannot be kept alive */
	bool stale;              /**< its own loop stood still for a dead-interval */
	uint32_t term;           /**< under which its state was written; 0 without state */
	uint32_t complete;       /**< how many instances hold a complete state; 0: it has no state */
	enum srp_mode mode;
	uint8_t priority;        /**< 1 to 255, the lower wins */
	uint8_t mac[6];          /**< the tiebreaker */
	uint32_t route_modifier; /**< the lower wins */
	uint8_t bit;             /**< chassis bit: always different between the two */
};

/**
 * Orders two of which none is active (start, dual standby, both taking over): one that is taking
 * over before one that is not, fit before unfit, state before none, the newer term of state, the
 * more complete state, primary before backup, the lower priority, the higher last three octets of
 * the MAC, chassis bit 0.
 *
 * @return negative: @p a wins; positive: @p b; 0 only for candidates that are equal in all of this
 */
int srp_election_start(const struct srp_candidate *a, const struct srp_candidate *b);
/**
 * Orders two that are both active after the link was lost: one whose loop did not stand still, fit
 * before unfit, the lower route modifier, the lower priority, the higher MAC, chassis bit 0.
 */
int srp_election_dual(const struct srp_candidate *a, const struct srp_candidate *b);

/* A term is number << 1 | chassis bit: unique, and ordered by number, then bit. 0 is no term. */
#define SRP_TERM_NUMBER_MAX 0x7fffffffu

static inline uint32_t srp_term(uint32_t number, unsigned bit) { return number << 1 | (bit & 1u); }
static inline uint32_t srp_term_number(uint32_t term) { return term >> 1; }
static inline unsigned srp_term_bit(uint32_t term) { return term & 1u; }
/** Negative: @p a is older; 0: the same; positive: newer. */
static inline int srp_term_cmp(uint32_t a, uint32_t b) { return (a > b) - (a < b); }
/**
 * The term to take after @p highest (the highest number seen from anybody, own ones included).
 * @return SRP_ERANGE when the numbers are used up; @p term is then not written
 */
int srp_term_next(uint32_t highest, unsigned bit, uint32_t *term);

/**
 * The chassis bit: 0 for the lower SRP bind address, 1 for the other.
 *
 * @param mine, peer  bind addresses in network order, IPv4 as ::ffff:a.b.c.d
 * @return 0 or 1; SRP_EDUP when they are the same
 */
int srp_chassis_bit(const uint8_t mine[16], const uint8_t peer[16]);

#endif
