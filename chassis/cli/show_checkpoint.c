/* show_checkpoint: `show srp checkpoint ...`, `show session recovery checkpoint statistics`. Layout: the
 * sample of the flow recovery chapter. */
#include <config.h>
#include "chassis/cli/show.h"

#include <string.h>

#include "recovery/counters.h"
#include "recovery/replica.h"
#include "srp/role.h"

#define ROWS_MAX CHASSIS_KINDS_MAX

/* Sums over instances of one row. */
struct sum {
	struct recovery_kind_counters c; /* its rates are not used */
	uint64_t sent_now, sent_long, received_now, received_long;
};

/* Columns of the sent table: key, member of struct sum, title, width. */
#define SENT_COLUMNS(X)                                               \
	X(sent, c.sent, "Messages sent", 6)                                           \
	X(attempted, c.attempted, "Encoding attempted", 6)                            \
	X(rate_now, sent_now, "Checkpoint rate(now)", 4)                              \
	X(rate_30min, sent_long, "Checkpoint rate(last 30 min)", 3)                   \
	X(gate_first_fc, c.gate_first_fc, "Ignored as first FC never sent", 3)        \
	X(gate_invalidate, c.gate_invalidate, "Ignored as Invalidate CRR sent", 3)    \
	X(encode_failed, c.encode_failed, "Encoding failure", 3)                      \
	X(encode_ignored, c.encode_ignored, "Encoding failure ignored", 3)            \
	X(gate_not_ready, c.gate_not_ready, "Session not ready for recovery", 3)      \
	X(gate_gr_state, c.gate_gr_state, "Invalid GR state", 3)                      \
	X(gate_congested, c.gate_congested, "Write list congested", 3)                \
	X(gate_recovery, c.gate_recovery, "Recovery in progress", 3)                  \
	X(gate_audit, c.gate_audit, "External_audit_in_progress", 3)                  \
	X(bytes_sent, c.bytes_sent, "Bytes sent", 9)                                  \
	X(rate_limited, c.rate_limited, "Checkpoints Rate limited", 3)

/* The received one; ours, of like kind. */
#define RECEIVED_COLUMNS(X)                                           \
	X(received, c.received, "Messages received", 6)                               \
	X(rate_now, received_now, "Checkpoint rate(now)", 6)                          \
	X(rate_30min, received_long, "Checkpoint rate(last 30 min)", 4)               \
	X(decode_failed, c.decode_failed, "Decode failure", 3)                        \
	X(refused_session, c.refused_session, "No such session", 3)                   \
	X(refused_rule, c.refused_rule, "No such rule", 3)                            \
	X(refused_stale, c.refused_stale, "Ignored as older term", 3)                 \
	X(refused_full, c.refused_full, "Limit reached", 3)                           \
	X(refused_role, c.refused_role, "Invalid GR state", 3)                        \
	X(refused_other, c.refused_other, "Refused for another reason", 3)            \
	X(nacks, c.nacks, "NACK sent", 3)                                             \
	X(duplicates, c.duplicates, "Received again", 3)                              \
	X(older, c.older, "Ignored as older version", 3)                              \
	X(bytes_received, c.bytes_received, "Bytes received", 9)

/* Counters that stand in JSON only: where changes go, and what becomes of what was sent. */
#define MORE_COLUMNS(X)                                                                       \
	X(changes) X(coalesced) X(cancelled) X(waiting) X(taken) X(again_limiter) X(again_reset) \
	X(again_nack) X(again_audit) X(again_period) X(limit_exempt) X(acked) X(refused)         \
	X(inflight) X(returned) X(lost)

#define COL(key, member, title, width) {#key, title, width, false},
#define MORE(key) {#key, NULL, 0, false},
static const struct stats_col sent_cols[] = {
	{"checkpoint_type", "Checkpoint-type", 17, true}, SENT_COLUMNS(COL) MORE_COLUMNS(MORE)};
static const struct stats_col received_cols[] = {
	{"checkpoint_type", "Checkpoint-type", 17, true}, RECEIVED_COLUMNS(COL)};
#undef MORE
#undef COL
#define N(a) (sizeof(a) / sizeof(a[0]))

static const struct stats_table sent_table = {"sent", "SRP Session Checkpoint Sent Statistics",
					      STATS_TABLE_LADDER, sent_cols, N(sent_cols)};
static const struct stats_table received_table = {
	"received", "SRP Session Checkpoint Received Statistics", STATS_TABLE_LADDER, received_cols,
	N(received_cols)};
static const struct stats_table sr_sent_table = {
	"sent", "Session Recovery Checkpoint Sent Statistics", STATS_TABLE_LADDER, sent_cols,
	N(sent_cols)};
static const struct stats_table sr_received_table = {
	"received", "Session Recovery Checkpoint Received Statistics", STATS_TABLE_LADDER, received_cols,
	N(received_cols)};

static void add(struct sum *s, const struct recovery_kind_counters *c, uint64_t now)
{
	for (size_t i = 0; i < RECOVERY_KIND_COUNTERS; i++) {
		size_t at = recovery_kind_desc[i].offset;
		uint64_t to, from;

		memcpy(&to, (const char *)&s->c + at, sizeof(to));
		memcpy(&from, (const char *)c + at, sizeof(from));
		to += from;
		memcpy((char *)&s->c + at, &to, sizeof(to));
	}
	s->sent_now += stats_rate_now(&c->rate_sent, now);
	s->sent_long += stats_rate_long(&c->rate_sent, now);
	s->received_now += stats_rate_now(&c->rate_received, now);
	s->received_long += stats_rate_long(&c->rate_received, now);
}

/* A row is shown once anything was counted on that side of it. */
static bool sent_active(const struct sum *s)
{
	const struct recovery_kind_counters *c = &s->c;

	return c->sent | c->attempted | c->gate_first_fc | c->gate_invalidate | c->encode_failed |
	       c->encode_ignored | c->gate_not_ready | c->gate_gr_state | c->gate_congested |
	       c->gate_recovery | c->gate_audit | c->rate_limited;
}

static bool received_active(const struct sum *s)
{
	return s->c.received | s->c.decode_failed | s->c.duplicates | s->c.older;
}

static void sent_row(struct stats_doc *d, const char *name, const struct sum *s)
{
	const struct stats_value v[] = {
		stats_string(name),
#define COL(key, member, title, width) stats_uint(s->member),
#define MORE(key)                      stats_uint(s->c.key),
		SENT_COLUMNS(COL) MORE_COLUMNS(MORE)
#undef MORE
#undef COL
	};

	stats_doc_row(d, v);
}

static void received_row(struct stats_doc *d, const char *name, const struct sum *s)
{
	const struct stats_value v[] = {
		stats_string(name),
#define COL(key, member, title, width) stats_uint(s->member),
		RECEIVED_COLUMNS(COL)
#undef COL
	};

	stats_doc_row(d, v);
}

/* The CMD-ID of a row: rows are shown in the order of their ids, as in the chapter. */
static unsigned row_id(const struct chassis_view *v, size_t row)
{
	const struct srp_ckpt_kind *k = v->kinds[row / 2];

	if (!recovery_row_name(v->kinds, v->nkinds, row))
		return 0;
	return row % 2 ? k->del_id : k->id;
}

/* The Full Checkpoint is the last row, whatever its id. */
static bool full(const struct chassis_view *v, size_t row)
{
	return row % 2 == 0 && strcmp(v->kinds[row / 2]->name, "Full Checkpoint") == 0;
}

/* The rows in the order in which they are shown; returns how many. */
static size_t order(const struct chassis_view *v, size_t *row)
{
	size_t n = 0, last = SIZE_MAX, rows = recovery_rows(v->nkinds);

	for (unsigned id = 1; id < 256; id++) {
		for (size_t r = 0; r < rows && r < ROWS_MAX; r++) {
			if (row_id(v, r) != id)
				continue;
			if (full(v, r))
				last = r;
			else
				row[n++] = r;
		}
	}
	if (last != SIZE_MAX)
		row[n++] = last;
	return n;
}

static const struct chassis_slab *sessmgr(const struct chassis_view *v, unsigned i)
{
	return v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);
}

/* Adds up what the tasks of a kind, of one instance or of all, count of a replica. */
static void add_all(struct sum *sums, const struct chassis_view *v, enum chassis_task task,
                    enum srp_replica_id replica, unsigned instance)
{
	memset(sums, 0, ROWS_MAX * sizeof(*sums));
	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *s = instance && i != instance ? NULL : v->slab(v->arg, task, i);

		for (size_t r = 0; s && r < ROWS_MAX; r++)
			add(&sums[r], &s->kind[replica][r], v->now_us);
	}
}

/* What is sent is counted by the session managers, what is received by @p receiver. */
static void tables(const struct chassis_view *v, struct stats_doc *d, enum srp_replica_id replica,
                   enum chassis_task receiver, unsigned instance)
{
	static struct sum sums[ROWS_MAX]; /* one thread: too large for a stack */
	size_t row[ROWS_MAX], n = order(v, row);
	bool sr = replica == SRP_REPLICA_SR;

	add_all(sums, v, CHASSIS_TASK_SESSMGR, replica, instance);
	stats_doc_table(d, sr ? &sr_sent_table : &sent_table);
	for (size_t i = 0; i < n; i++)
		if (sent_active(&sums[row[i]]))
			sent_row(d, recovery_row_name(v->kinds, v->nkinds, row[i]), &sums[row[i]]);
	stats_doc_table_end(d);
	stats_doc_line(d, "%s", "");
	add_all(sums, v, receiver, replica, instance);
	stats_doc_table(d, sr ? &sr_received_table : &received_table);
	for (size_t i = 0; i < n; i++)
		if (received_active(&sums[row[i]]))
			received_row(d, recovery_row_name(v->kinds, v->nkinds, row[i]),
				     &sums[row[i]]);
	stats_doc_table_end(d);
}

static void upper(const struct chassis_view *v, struct stats_doc *d)
{
	uint64_t active = 0, standby = 0, pending = 0, records = 0;

	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *s = sessmgr(v, i);

		if (!s)
			continue;
		active += s->applied_role == SRP_ROLE_ACTIVE && s->link == RECOVERY_LINK_READY;
		standby += s->applied_role == SRP_ROLE_STANDBY && s->link == RECOVERY_LINK_READY;
		pending += s->applied_role == SRP_ROLE_PENDING_ACTIVE;
		records += s->applied_role == SRP_ROLE_STANDBY ? s->sessions : 0;
	}
	stats_doc_layout(d, 56, true);
	stats_doc_item(d, "sessmgrs", "Number of Sessmgrs", stats_uint(v->nsessmgr));
	stats_doc_item(d, "active_connected", "  Sessmgrs in Active-Connected state",
		       stats_uint(active));
	stats_doc_item(d, "standby_connected", "  Sessmgrs in Standby-Connected state",
	               stats_uint(standby));
	stats_doc_item(d, "pending_active", "  Sessmgrs in Pending-Active state",
		       stats_uint(pending));
	/* the standby builds the sessions as it receives them: a record is a call */
	stats_doc_item(d, "call_recovery_records", "Current call recovery records",
		       stats_uint(records));
	stats_doc_item(d, "pre_allocated_calls", "  Current pre-allocated calls",
		       stats_uint(records));
	stats_doc_line(d, "%s", "");
}

static const struct stats_col instance_cols[] = {
	{"instance", "smgr inst", 9, false}, {"state", "state", 7, true},
	{"peer_conn", "peer conn", 9, true}, {"recovery_records", "recovery records", 16, false},
	{"pre_allocated_calls", "pre-alloc calls", 15, false},
	{"received_full", "rcvd full", 9, false}, {"received_micro", "rcvd micro", 10, false},
	{"sent_full", "sent full", 9, false}, {"sent_micro", "sent micro", 10, false},
};

static void instance_row(const struct chassis_view *v, struct stats_doc *d, unsigned i,
                         const struct chassis_slab *s)
{
	static const char *const link[] = {"Down", "Hello", "Sync", "Ready"};
	static const char *const role[SRP_ROLE__N] = {"Init", "Stby", "PActv", "Actv", "PStby"};
	uint64_t sent[2] = {0}, received[2] = {0};
	uint64_t records = s->applied_role == SRP_ROLE_STANDBY ? s->sessions : 0;

	for (size_t r = 0; r < recovery_rows(v->nkinds) && r < ROWS_MAX; r++) {
		sent[full(v, r)] += s->kind[SRP_REPLICA_GR][r].sent;
		received[full(v, r)] += s->kind[SRP_REPLICA_GR][r].received;
	}
	stats_doc_row(
		d,
		(const struct stats_value[]){
			stats_uint(i),
			stats_string(s->applied_role < SRP_ROLE__N ? role[s->applied_role] : "?"),
			stats_string(s->link < N(link) ? link[s->link] : "?"), stats_uint(records),
			stats_uint(records), stats_uint(received[1]), stats_uint(received[0]),
			stats_uint(sent[1]), stats_uint(sent[0])});
}

static void per_instance(const struct chassis_view *v, struct stats_doc *d, unsigned instance)
{
	static const struct stats_table t = {"instances", NULL, STATS_TABLE_PLAIN, instance_cols,
	                                     N(instance_cols)};

	stats_doc_table(d, &t);
	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *s = instance && i != instance ? NULL : sessmgr(v, i);

		if (s)
			instance_row(v, d, i, s);
	}
	stats_doc_table_end(d);
	stats_doc_line(d, "%s", "");
}

void chassis_show_checkpoint(const struct chassis_view *v, struct stats_doc *d, unsigned instance,
                             bool verbose)
{
	upper(v, d);
	if (verbose)
		per_instance(v, d, instance);
	tables(v, d, SRP_REPLICA_GR, CHASSIS_TASK_SESSMGR, instance);
}

void chassis_show_sr_checkpoint(const struct chassis_view *v, struct stats_doc *d, unsigned instance)
{
	tables(v, d, SRP_REPLICA_SR, CHASSIS_TASK_AAAMGR, instance);
}

void chassis_show_kinds(const struct chassis_view *v, struct stats_doc *d)
{
	static const struct stats_col cols[] = {
		{"cmd_id", "CMD-ID", 6, false}, {"name", "Checkpoint-type", 24, true},
		{"deletes", "Deletes", 7, true}, {"rate_limited", "Rate-limited", 12, true},
		{"max_bytes", "Max-bytes", 9, false}, {"versions", "Versions", 8, true}};
	static const struct stats_table t = {"kinds", NULL, STATS_TABLE_PLAIN, cols, N(cols)};
	char versions[16];

	stats_doc_table(d, &t);
	for (unsigned id = 1; id < 256; id++) {
		for (size_t r = 0; r < recovery_rows(v->nkinds); r++) {
			const struct srp_ckpt_kind *k = v->kinds[r / 2];

			if (row_id(v, r) != id)
				continue;
			snprintf(versions, sizeof(versions), "%u-%u", k->ver_min, k->ver_max);
			stats_doc_row(
				d, (const struct stats_value[]){
					   stats_uint(id),
					   stats_string(recovery_row_name(v->kinds, v->nkinds, r)),
					   stats_bool(r % 2), stats_bool(k->limited),
					   stats_uint(k->max_len), stats_string(versions)});
		}
	}
	stats_doc_table_end(d);
}
