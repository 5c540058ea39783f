#include "config.h"
#include "srp/role.h"

/* Of PendingStandby: forwards until frozen, then relays; owns timers and announces until the
 * handover. Of Standby: relays late packets to the active for relay-time, which is no forwarding. */
const struct srp_role_permit srp_role_permit[SRP_ROLE__N] = {
	[SRP_ROLE_INIT] = {.forwards = false},
	[SRP_ROLE_STANDBY] = {.accepts = true, .answers_refill = true},
	[SRP_ROLE_PENDING_ACTIVE] = {
		.accepts = true, .final_flush_only = true, .answers_refill = true},
	[SRP_ROLE_ACTIVE] = {
		.forwards = true, .owns_timers = true, .sends = true, .answers_refill = true,
		.sr_replica = true, .new_sessions = true, .announces = true},
	[SRP_ROLE_PENDING_STANDBY] = {
		.forwards = true, .owns_timers = true, .sends = true, .answers_refill = true,
		.sr_replica = true, .announces = true},
};

const char *srp_role_name(enum srp_role role)
{
#define X(sym, text) [SRP_ROLE_##sym] = text,
	static const char *const name[SRP_ROLE__N] = {SRP_ROLES(X)};
#undef X

	return (unsigned)role < SRP_ROLE__N ? name[role] : "unknown";
}
