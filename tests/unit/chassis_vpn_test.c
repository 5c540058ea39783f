/* vpnmgr's dead timer. */
#include "config.h"
#include "suites.h"

#include <stdlib.h>

#include "chassis/task/vpn.h"
#include "recovery/replica.h"
#include "standby_kit.h"

static void on_timer(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
}

/* Who has no role waits for nobody's death: else the timer is due again at once, all the time. */
static void dead_timer(void)
{
	struct chassis_task_ctx ctx = {.shared = &shared};
	struct vpnmgr *v = calloc(1, sizeof(*v));

	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	begin(true);
	ctx.loop = loop;
	ctx.slab = shared.slab[VPN];
	v->ctx = &ctx;
	v->conf = &config;
	v->silence.dead_us = SRP_MS(1); /* over long ago */
	ev_init(&v->dead_timer, on_timer);
	for (int p = SRP_PHASE_DOWN; p <= SRP_PHASE_HANDED; p++) {
		v->role.phase = (enum srp_phase)p;
		vpn_dead_rearm(v);
		CU_ASSERT_EQUAL(ev_is_active(&v->dead_timer) != 0, p >= SRP_PHASE_STANDBY);
	}
	v->role.phase = SRP_PHASE_LISTEN;
	vpn_dead_rearm(v);
	CU_ASSERT(!ev_is_active(&v->dead_timer));
	free(v);
	end();
}

CU_TestInfo chassis_vpn_tests[] = {
	{"a chassis without a role does not wait for a death", dead_timer},
	CU_TEST_INFO_NULL,
};
