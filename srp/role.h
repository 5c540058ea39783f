/* role: what a chassis is, and what each role may do. The second table is the only place that says
 * what is permitted. Source: session and flow chapters, ICSR; DESIGN section 5. */
#ifndef SRP_ROLE_H
#define SRP_ROLE_H

#include <stdbool.h>

/* Names as scripts read them after "Chassis State:": single words. */
#define SRP_ROLES(X)                    \
	X(INIT, "Init")                 \
	X(STANDBY, "Standby")           \
	X(PENDING_ACTIVE, "PendingActive") \
	X(ACTIVE, "Active")             \
	X(PENDING_STANDBY, "PendingStandby")
#define X(sym, text) SRP_ROLE_##sym,
enum srp_role { SRP_ROLES(X) SRP_ROLE__N };
#undef X

/** What a role may do; one row per role. */
struct srp_role_permit {
	bool forwards, owns_timers, accepts, final_flush_only, sends, answers_refill, sr_replica,
		new_sessions, announces;
};

extern const struct srp_role_permit srp_role_permit[SRP_ROLE__N];

/** The name of @p role; never NULL. */
const char *srp_role_name(enum srp_role role);

#endif
