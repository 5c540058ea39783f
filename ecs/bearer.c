/* bearer: dedicated bearers of a call, what changes their QoS and TFT, and handoffs. */
#include "config.h"
#include "ecs/dynamic.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/call.h"
#include "ecs/engine_impl.h"
#include "ecs/tally.h"
#include "srp/err.h"

#define QCI_MAX        254u
#define ARP_MAX        15u

const char *ecs_rat_text(uint8_t rat)
{
	static const char *const text[ECS_RAT__N] = {
#define X(sym, n, name) [n] = (name),
		ECS_RATS(X)
#undef X
	};

	return rat < ECS_RAT__N ? text[rat] : "?";
}

/* --- life ------------------------------------------------------------------------------------- */

struct ecs_bearer *ecs_session_add_bearer(struct ecs_engine *e, struct ecs_session *s, uint8_t id)
{
	bool dedicated = id != ECS_BEARER_DEFAULT;
	struct ecs_bearer *b;

	if (dedicated)
		ecs_call_step(e, s, ECS_CALL_EV_REQ_SUB_SESSION);
	b = ecs_session_bearer(s, id, true);
	if (b && dedicated) {
		s->ndedicated++;
		ecs_call_step(e, s, ECS_CALL_EV_RSP_SUB_SESSION);
		ecs_call_step(e, s, ECS_CALL_EV_ADD_SUB_SESSION);
	}
	return b;
}

void ecs_bearer_untft(struct ecs_bearer *b)
{
	if (b->tft)
		b->session->ntfts--;
	free(b->tft);
	b->tft = NULL;
}

int ecs_bearer_set_tft(struct ecs_bearer *b, const struct ecs_sdfs *tft)
{
	if (!tft->n) {
		ecs_bearer_untft(b);
		return 0;
	}
	if (!b->tft) {
		b->tft = malloc(sizeof(*b->tft));
		if (!b->tft)
			return SRP_ENOMEM;
		b->session->ntfts++;
	}
	*b->tft = *tft;
	return 0;
}

void ecs_session_end_bearer(struct ecs_engine *e, struct ecs_session *s, struct ecs_bearer *b,
                            enum ecs_tell tell, struct srp_time now)
{
	if (b->updated)
		ecs_tell_deleted(e, &b->qos, tell, now);
	ecs_tell_deleted(e, &b->ckpt, tell, now);
	ecs_bearer_untft(b);
	b->used = b->updated = false;
	ecs_police_session(s);
	if (b->id != ECS_BEARER_DEFAULT) {
		s->ndedicated--;
		ecs_call_step(e, s, ECS_CALL_EV_DEL_SUB_SESSION);
	}
}

/* --- the session interface -------------------------------------------------------------------- */

static int bearer_of(struct ecs_engine *e, uint32_t callid, uint8_t ebi, bool dedicated,
                     struct ecs_session **out)
{
	if (!e->active)
		return SRP_EROLE;
	if (ebi < ECS_BEARER_DEFAULT + dedicated || ebi > ECS_BEARER_LAST)
		return SRP_ERANGE;
	*out = ecs_session_find(e, callid);
	return *out ? 0 : SRP_ENOSESS;
}

/* Its QoS as it was made: what was told by updates since is over. */
static void make_qos(struct ecs_engine *e, struct ecs_bearer *b, const struct ecs_qos *q,
                     struct srp_time now)
{
	if (b->updated) {
		ecs_tell_deleted(e, &b->qos, ECS_TELL, now);
		ecs_obj_anew(&b->qos);
		b->updated = false;
	}
	b->qci = q->qci;
	b->arp = q->arp;
	memcpy(b->mbr, q->mbr, sizeof(b->mbr));
	ecs_police_session(b->session);
}

static bool qos_same(const struct ecs_qos *a, const struct ecs_qos *b)
{
	return a->qci == b->qci && a->arp == b->arp && a->mbr[0] == b->mbr[0] &&
	       a->mbr[1] == b->mbr[1];
}

int ecs_bearer_make(struct ecs_engine *e, uint32_t callid, const struct ecs_bearer_spec *spec,
                    struct srp_time now)
{
	struct ecs_bearer *b;
	struct ecs_session *s;
	int rc = bearer_of(e, callid, spec->id, true, &s);

	if (rc == 0 && (spec->qos.qci == 0 || spec->qos.qci > QCI_MAX || spec->qos.arp > ARP_MAX))
		rc = SRP_ERANGE;
	if (rc)
		return rc;
	if (ecs_session_bearer(s, spec->id, false))
		return SRP_EDUP;
	b = ecs_session_add_bearer(e, s, spec->id);
	if (!b || (spec->has_tft && ecs_bearer_set_tft(b, &spec->tft) != 0))
		return SRP_ENOMEM;
	make_qos(e, b, &spec->qos, now);
	ecs_tell_changed(e, &b->ckpt, now);
	ecs_dyn_rejudge(e, s, now);
	ecs_trigger(e, s, ECS_TRIGGER_BEARER_CREATION, now);
	return 0;
}

int ecs_bearer_create(struct ecs_engine *e, uint32_t callid, uint8_t ebi, uint8_t qci, uint8_t arp,
                      struct srp_time now)
{
	return ecs_bearer_make(e, callid,
	                       &(struct ecs_bearer_spec){.id = ebi, .qos = {.qci = qci, .arp = arp}},
	                       now);
}

int ecs_bearer_update(struct ecs_engine *e, uint32_t callid, const struct ecs_bearer_spec *spec,
                      unsigned what, struct srp_time now)
{
	struct ecs_bearer *b;
	struct ecs_session *s;
	struct ecs_qos was, q;
	int rc = bearer_of(e, callid, spec->id, what & ECS_BEARER_TFT, &s);

	if (rc)
		return rc;
	b = ecs_session_bearer(s, spec->id, false);
	if (!b)
		return SRP_ENOENT;
	q = was = ecs_bearer_qos(b);
	if (what & ECS_BEARER_QCI)
		q.qci = spec->qos.qci;
	if (what & ECS_BEARER_ARP)
		q.arp = spec->qos.arp;
	if (what & ECS_BEARER_UP)
		q.mbr[ECS_UPLINK] = spec->qos.mbr[ECS_UPLINK];
	if (what & ECS_BEARER_DOWN)
		q.mbr[ECS_DOWNLINK] = spec->qos.mbr[ECS_DOWNLINK];
	/* a default bearer may have been made without one */
	if ((q.qci == 0 && (what & ECS_BEARER_QCI)) || q.qci > QCI_MAX || q.arp > ARP_MAX)
		return SRP_ERANGE;
	if (what & ECS_BEARER_TFT) {
		if (ecs_bearer_set_tft(b, &spec->tft) != 0)
			return SRP_ENOMEM;
		ecs_tell_changed(e, &b->ckpt, now);
	}
	if (!qos_same(&was, &q)) {
		b->update = q;
		b->updated = true;
		ecs_police_session(s);
		ecs_tell_changed(e, &b->qos, now);
	}
	ecs_dyn_rejudge(e, s, now);
	return 0;
}

/* --- what hangs on bearers -------------------------------------------------------------------- */

/* A bearer has gone: rules that were bound to it by name go, and flows go to the default bearer. */
static void gone(struct ecs_engine *e, struct ecs_session *s, uint8_t id, struct srp_time now)
{
	struct srp_list *l, *next;

	for (l = s->dynrules.next; l != &s->dynrules; l = next) {
		struct ecs_dynrule *d = ECS_CONTAINER(l, struct ecs_dynrule, in_session);

		next = l->next;
		if (d->spec.bearer == id)
			ecs_dyn_drop(e, d, ECS_TELL, now);
	}
	for (l = s->flows.next; l != &s->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		next = l->next;
		if (f->bearer != id || !ecs_flow_adopt(e, f, now))
			continue;
		f->bearer = ECS_BEARER_DEFAULT;
		if ((s->pending & ECS_PENDING_HANDOFF) && s->rat == ECS_RAT_WLAN)
			ecs_flow_release(e, f, true, now);
		else
			f->moved = s->pending & ECS_PENDING_HANDOFF;
		ecs_recoverable_changed(e, f, now);
	}
	ecs_dyn_rejudge(e, s, now);
}

int ecs_bearer_delete(struct ecs_engine *e, uint32_t callid, uint8_t ebi, struct srp_time now)
{
	struct ecs_bearer *b;
	struct ecs_session *s;
	int rc = bearer_of(e, callid, ebi, true, &s);

	if (rc)
		return rc;
	b = ecs_session_bearer(s, ebi, false);
	if (!b)
		return SRP_ENOENT;
	ecs_session_end_bearer(e, s, b, ECS_TELL, now);
	gone(e, s, ebi, now);
	return 0;
}

/* Inter-technology handoff: dedicated bearers do not go along. */
static void to_wlan(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct srp_list *l, *next;
	struct ecs_bearer *b;

	for (l = s->flows.next; l != &s->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		next = l->next;
		if ((!f->moved && f->bearer == ECS_BEARER_DEFAULT) || !ecs_flow_adopt(e, f, now))
			continue;
		f->moved = false;
		f->bearer = ECS_BEARER_DEFAULT;
		ecs_flow_release(e, f, true, now);
	}
	for (unsigned i = 1; i < ECS_BEARERS_MAX; i++)
		if ((b = ecs_session_bearer_at(s, i)) != NULL) {
			uint8_t id = b->id;

			ecs_session_end_bearer(e, s, b, ECS_TELL, now);
			gone(e, s, id, now);
		}
}

int ecs_session_handoff(struct ecs_engine *e, uint32_t callid, uint8_t rat, struct srp_time now)
{
	struct ecs_session *s;
	uint8_t was;
	int rc = bearer_of(e, callid, ECS_BEARER_DEFAULT, false, &s);

	if (rc == 0 && rat >= ECS_RAT__N)
		rc = SRP_ERANGE;
	if (rc || s->rat == rat)
		return rc;
	if (s->records)
		ecs_records_handoff(e, s, now); /* of what was under the other radio access */
	was = s->rat;
	s->rat = rat;
	if (rat == ECS_RAT_WLAN && was != ECS_RAT_WLAN)
		to_wlan(e, s, now);
	ecs_tell_changed(e, &s->call, now);
	return 0;
}

int ecs_session_unsettle(struct ecs_engine *e, uint32_t callid, struct srp_time now)
{
	struct ecs_session *s = ecs_session_find(e, callid);

	if (!s)
		return SRP_ENOSESS;
	ecs_session_pending(e, s, ECS_PENDING_SWITCHOVER, 0, now);
	return 0;
}
