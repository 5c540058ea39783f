/* show_debug: `show subscriber debug-info`. Blocks, labels and columns: the sample of the session recovery
 * chapter; that of its peer call line, where the columns of the counters have survived the print. */
#include <config.h>
#include "chassis/cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "chassis/task/call_line.h"

/* Two counters a line; a NULL label: none. For people and, with the keys, for programs. */
static void pair(struct stats_doc *d, const char *key1, const char *label1, uint64_t v1,
                 const char *key2, const char *label2, uint64_t v2)
{
	if (label2)
		stats_doc_line(d, "  %-28s %-10" PRIu64 " %-27s %" PRIu64, label1, v1, label2, v2);
	else
		stats_doc_line(d, "  %-28s %" PRIu64, label1, v1);
	stats_doc_item(d, key1, NULL, stats_uint(v1));
	if (label2)
		stats_doc_item(d, key2, NULL, stats_uint(v2));
}

static void ckpt_row(struct stats_doc *d, const char *key, const char *label,
                     const struct chassis_call_ckpt *c)
{
	char n[2][24], age[2][32];

	snprintf(n[0], sizeof(n[0]), "%" PRIu32, c->attempts);
	snprintf(n[1], sizeof(n[1]), "%" PRIu32, c->successes);
	snprintf(age[0], sizeof(age[0]), "%" PRIu64 "ms", c->attempt_ms);
	snprintf(age[1], sizeof(age[1]), "%" PRIu64 "ms", c->success_ms);
	stats_doc_line(d, "  %-16s %-12s %-12s %-17s %s", label, n[0], n[1], age[0], age[1]);
	stats_doc_open(d, key, NULL);
	stats_doc_item(d, "attempts", NULL, stats_uint(c->attempts));
	stats_doc_item(d, "success", NULL, stats_uint(c->successes));
	stats_doc_item(d, "last_attempt_ms", NULL, stats_uint(c->attempt_ms));
	stats_doc_item(d, "last_success_ms", NULL, stats_uint(c->success_ms));
	stats_doc_close(d);
}

/* Full and Micro are those to the peer chassis, where there is one, else those to the mirror; where there
 * are both, the mirror's follow. A mirror says what it holds. */
static void checkpoints(struct stats_doc *d, const struct chassis_call_line *l,
                        const struct chassis_call_show *c)
{
	bool gr = c->gr && l->copy != CHASSIS_COPY_MIRROR;
	const struct chassis_call_ckpt *first = l->ckpt[gr ? SRP_REPLICA_GR : SRP_REPLICA_SR];
	const struct chassis_call_ckpt *mirror = l->ckpt[SRP_REPLICA_SR];

	stats_doc_line(d, "  Checkpoints      Attempts      Success      Last-Attempt      Last-Success");
	ckpt_row(d, "full", "Full:", &first[ECS_CALL_FULL]);
	ckpt_row(d, "micro", "Micro:", &first[ECS_CALL_MICRO]);
	if (!gr || !c->sr)
		return;
	ckpt_row(d, "full_aaamgr", "Full (aaamgr):", &mirror[ECS_CALL_FULL]);
	ckpt_row(d, "micro_aaamgr", "Micro (aaamgr):", &mirror[ECS_CALL_MICRO]);
}

static void machine(struct stats_doc *d, const struct chassis_call_line *l)
{
	static const struct stats_col cols[] = {{"state", "State", 20, true}, {"event", "Event", 0, true}};
	static const struct stats_table t = {"trace", NULL, STATS_TABLE_BARE, cols, 2};

	stats_doc_line(d, "Current state: %s", ecs_call_state_name(l->state));
	stats_doc_item(d, "state", NULL, stats_string(ecs_call_state_name(l->state)));
	stats_doc_item(d, "events_refused", NULL, stats_uint(l->refused));
	stats_doc_line(d, "FSM Event trace:");
	stats_doc_line(d, "  %-20s %s", "State", "Event");
	stats_doc_table(d, &t);
	for (size_t i = 0; i < l->nsteps; i++) {
		const char *state = ecs_call_state_name(l->step[i].state);
		const char *event = ecs_call_event_name(l->step[i].event);
		char indented[48];

		snprintf(indented, sizeof(indented), "  %-20s", state);
		stats_doc_row(d, (const struct stats_value[]){
					 stats_string(d->format == STATS_DOC_JSON ? state : indented),
					 stats_string(event)});
	}
	stats_doc_table_end(d);
}

static void counters(struct stats_doc *d, const struct chassis_call_line *l)
{
	const struct {
		const char *key, *label;
		uint32_t count;
	} v[] = {
#define X(name, label, help) {#name, label ":", l->reorder.name},
		ECS_CALL_REORDERS(X)
#undef X
	};
	const size_t n = sizeof(v) / sizeof(v[0]);
	const struct ecs_call_reassembly *a = &l->reassembly;
	const struct ecs_call_redirect *e = &l->redirect;

	stats_doc_open(d, "reorder", "Data Reorder statistics");
	for (size_t i = 0; i < n; i += 2)
		pair(d, v[i].key, v[i].label, v[i].count, i + 1 < n ? v[i + 1].key : NULL,
		     i + 1 < n ? v[i + 1].label : NULL, i + 1 < n ? v[i + 1].count : 0);
	stats_doc_close(d);
	stats_doc_open(d, "reassembly", "IPv4 Reassembly Statistics:");
	pair(d, "success", "Success:", a->success, "in_progress", "In Progress:", a->in_progress);
	pair(d, "timeout", "Failure (timeout):", a->timeout,
	     "no_buffers", "Failure (no buffers):", a->no_buffers);
	pair(d, "other", "Failure (other reasons):", a->other, NULL, NULL, 0);
	stats_doc_close(d);
	stats_doc_open(d, "redirect", "Redirected Session Entries:");
	pair(d, "allowed", "Allowed:", e->allowed, "current", "Current:", e->current);
	pair(d, "added", "Added:", e->added, "deleted", "Deleted:", e->deleted);
	stats_doc_line(d, "  Revoked for use by different subscriber: %" PRIu32, e->revoked);
	stats_doc_item(d, "revoked", NULL, stats_uint(e->revoked));
	stats_doc_item(d, "refused", NULL, stats_uint(e->refused));
	stats_doc_close(d);
}

static void line(struct stats_doc *d, const struct chassis_call_line *l,
                 const struct chassis_call_show *c)
{
	const char *status = l->recreated ? "Recreated Session" : "Original Session";

	stats_doc_line(d, "Redundancy Status: %s", status);
	stats_doc_item(d, "redundancy_status", NULL, stats_string(status));
	checkpoints(d, l, c);
	machine(d, l);
	counters(d, l);
}

void chassis_show_call(struct stats_doc *d, const struct chassis_call_show *c)
{
	char key[32], callid[40];

	if (c->number > 1)
		stats_doc_line(d, "%s", "");
	snprintf(key, sizeof(key), c->number > 1 ? "call_%u" : "call", c->number);
	snprintf(callid, sizeof(callid), "%08" PRIx32, c->primary->callid);
	stats_doc_open(d, key, NULL);
	stats_doc_line(d, "username: %-20s callid: %-23s msid: %s", c->primary->username, callid,
	               c->primary->msid);
	stats_doc_line(d, "Card/Cpu: %s", CHASSIS_CARD_CPU);
	stats_doc_line(d, "Sessmgr Instance: %u", c->instance);
	stats_doc_item(d, "username", NULL, stats_string(c->primary->username));
	stats_doc_item(d, "callid", NULL, stats_string(callid));
	stats_doc_item(d, "msid", NULL, stats_string(c->primary->msid));
	stats_doc_item(d, "card_cpu", NULL, stats_string(CHASSIS_CARD_CPU));
	stats_doc_item(d, "instance", NULL, stats_uint(c->instance));
	stats_doc_open(d, "primary", "Primary callline:");
	line(d, c->primary, c);
	stats_doc_close(d);
	stats_doc_open(d, "peer", "Peer callline:");
	if (c->peer) {
		const char *holder = c->peer->copy == CHASSIS_COPY_MIRROR ? "aaamgr" : "peer chassis";

		line(d, c->peer, c);
		stats_doc_line(d, "Copy held by: %s", holder);
		stats_doc_item(d, "held_by", NULL, stats_string(holder));
	} else {
		stats_doc_line(d, "Redundancy Status: None (%s)", c->why);
		stats_doc_item(d, "redundancy_status", NULL, stats_string("None"));
		stats_doc_item(d, "why", NULL, stats_string(c->why));
	}
	stats_doc_close(d);
	stats_doc_close(d);
}
