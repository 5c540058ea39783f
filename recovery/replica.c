#include "config.h"
#include "recovery/replica_impl.h"

#include <stdlib.h>

#include "srp/err.h"

#define RECORD_BYTES 64u /* taken for a record of a kind of which none was sent yet */
#define RATE_US      SRP_SEC(1)

uint64_t recovery_random(struct recovery_replica *r)
{
	uint64_t z = r->rnd += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return z ? z : 1;
}

void recovery_stream_new(struct recovery_replica *r)
{
	recovery_return(r);
	r->stream = recovery_random(r);
	r->sent = r->acked = r->returned = 0;
	r->synced = false;
	recovery_generation(r);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool goes_before(const struct srp_ckpt_kind *a, const struct srp_ckpt_kind *b)
{
	return a->first != b->first ? a->first : a->rank < b->rank;
}

static void kind_init(struct recovery_replica *r, uint32_t i)
{
	struct recovery_kind *rk = &r->kind[i];
	struct srp_list *all[] = {&rk->settled, &rk->fresh, &rk->walk, &rk->dirty, &rk->lim,
	                          &rk->held, &rk->refused, &rk->paced, &rk->tdirty, &rk->tlim, &rk->theld};
	uint32_t at = i;

	rk->k = r->conf.kinds[i];
	rk->idx = (uint8_t)i;
	rk->ver = rk->hver = rk->k->ver_max;
	rk->active = true;
	rk->lo = r->cur;
	rk->void_below = 1;
	for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++)
		recovery_list_init(all[j]);
	r->by_id[rk->k->id] = (uint8_t)(i + 1);
	if (rk->k->del_id)
		r->by_del[rk->k->del_id] = (uint8_t)(i + 1);
	for (; at && goes_before(rk->k, r->kind[r->order[at - 1]].k); at--)
		r->order[at] = r->order[at - 1];
	r->order[at] = (uint8_t)i;
}

/* What a process that went had in flight is lost; what it had waiting was never taken. */
static void carry_on(struct recovery_kind_counters *row)
{
	row->lost += row->inflight;
	row->cancelled += row->waiting;
	row->inflight = row->waiting = 0;
}

static int take_in(struct srp_ckpt_obj *o, void *arg)
{
	recovery_adopt(arg, o);
	return 0;
}

struct recovery_replica *recovery_replica_new(const struct recovery_config *conf)
{
	struct recovery_replica *r;

	if (conf->nkinds == 0 || conf->nkinds > RECOVERY_KINDS_MAX ||
	    srp_ckpt_check(conf->kinds, conf->nkinds))
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->conf = *conf;
	if (!r->conf.inflight_max)
		r->conf.inflight_max = RECOVERY_INFLIGHT_DFLT;
	r->rnd = conf->random;
	r->slot = conf->sole_link ? 0 : (uint8_t)conf->id;
	r->hkey = conf->hkey ? conf->hkey : recovery_random(r);
	r->stream = recovery_random(r);
	r->cur = 2;
	r->run_cap = 1024;
	r->run = malloc(r->run_cap * sizeof(*r->run));
	r->orphan = malloc(RECOVERY_ORPHAN_HEADS * sizeof(*r->orphan));
	if (!r->run || !r->orphan) {
		recovery_replica_free(r);
		return NULL;
	}
	for (size_t i = 0; i < RECOVERY_ORPHAN_HEADS; i++)
		recovery_list_init(&r->orphan[i]);
	recovery_list_init(&r->inflight);
	recovery_list_init(&r->look);
	for (uint32_t i = 0; i < conf->nkinds; i++)
		kind_init(r, i);
	for (size_t i = 0; i < recovery_rows(conf->nkinds); i++)
		carry_on(&conf->counters[i]);
	for (uint32_t i = 0; i < conf->nkinds; i++) {
		const struct srp_ckpt_ctx ctx =
			recovery_ctx(r, &r->kind[i], (struct srp_time){0}, false);

		r->kind[i].k->walk(&ctx, take_in, r);
	}
	srp_bucket_init(&r->limiter, conf->rate, conf->burst, (struct srp_time){1});
	return r;
}

void recovery_replica_free(struct recovery_replica *r)
{
	if (!r)
		return;
	recovery_tomb_fini(r);
	free(r->run);
	free(r->orphan);
	free(r->outq);
	free(r);
}

uint64_t recovery_replica_hkey(const struct recovery_replica *r)
{
	return r->hkey;
}

void recovery_replica_plain(struct recovery_replica *r)
{
	r->plain = true;
	r->conf.lz4 = false;
}

void recovery_replica_rekey(struct recovery_replica *r, uint64_t hkey)
{
	if (r->link != RECOVERY_LINK_DOWN || r->hkey == hkey || !hkey)
		return;
	r->hkey = hkey;
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		recovery_void_hashes(r, &r->kind[i], true);
}

void recovery_replica_rate(struct recovery_replica *r, uint32_t rate, uint32_t burst)
{
	srp_bucket_set(&r->limiter, rate, burst, r->limiter.at);
}

/* --- role and connection ---------------------------------------------------------------------- */

static void fail_end(struct recovery_replica *r, const char *why)
{
	if (!r->end_wanted)
		return;
	r->end_wanted = false;
	r->conf.totals->flushes_failed++;
	recovery_event(r, RECOVERY_EV_FLUSH_FAILED, why);
}

void recovery_replica_role(struct recovery_replica *r, enum srp_role role, uint32_t term,
                           bool complete, struct srp_time now)
{
	bool sent = recovery_role_sends(r, r->role), sends = recovery_role_sends(r, role);
	bool anew = sent != sends || term != r->term || complete != r->complete;

	(void)now;
	if (!anew && role == r->role)
		return;
	r->conf.totals->role_changes++;
	r->role = role;
	r->term = term;
	r->complete = complete;
	if (term > r->seen)
		r->seen = term;
	if (r->peer_known && recovery_direction(r) != r->dir)
		recovery_set_dir(r, RECOVERY_DIR_NONE);
	if (anew) {
		recovery_stream_new(r);
		recovery_compare_reset(r);
		r->sync = RECOVERY_SYNC_NONE;
		fail_end(r, "the role has changed");
	}
	if (sent && !sends) {
		recovery_demote(r);
	} else if (!sent && sends) {
		r->applied_stream = r->applied = 0;
		r->nrefusals = 0;
		r->ack_due = false;
	} else if (!sends) {
		(void)recovery_tomb_forget(r, true); /* taken in before there was a role */
	}
	if (r->link == RECOVERY_LINK_DOWN)
		return;
	r->hello_number++;
	r->hello_due = true;
	r->agreed = false;
	if (r->link == RECOVERY_LINK_READY)
		r->link = RECOVERY_LINK_SYNC;
}

void recovery_replica_up(struct recovery_replica *r, struct srp_time now)
{
	if (r->link != RECOVERY_LINK_DOWN)
		recovery_replica_down(r, now);
	r->conf.totals->connects++;
	r->link = RECOVERY_LINK_HELLO;
	r->peer = (struct recovery_hello){0};
	r->peer_known = r->agreed = false;
	r->fresh_conn = true;
	r->hello_number = 1;
	r->hello_acked = 0;
	r->hello_due = true;
}

void recovery_replica_down(struct recovery_replica *r, struct srp_time now)
{
	(void)now;
	if (r->link == RECOVERY_LINK_DOWN)
		return;
	r->conf.totals->disconnects++;
	r->link = RECOVERY_LINK_DOWN;
	r->full = false;
	recovery_return(r);
	recovery_set_dir(r, RECOVERY_DIR_NONE);
	recovery_pass_end(r);
	fail_end(r, "the connection was lost");
	r->agreed = r->peer_known = false;
	r->nrefusals = 0;
	r->ack_due = false;
	r->outq_len = r->outq_pos = 0;
	recovery_questions_forget(r);
}

enum recovery_link recovery_replica_link(const struct recovery_replica *r)
{
	return r->link;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void feed_rates(struct recovery_replica *r, struct srp_time now)
{
	if (now.us < r->next_rate.us)
		return;
	r->next_rate = srp_time_add(now, RATE_US);
	for (size_t i = 0; i < recovery_rows(r->conf.nkinds); i++) {
		struct recovery_kind_counters *row = &r->conf.counters[i];

		stats_rate_feed(&row->rate_sent, row->sent, now.us);
		stats_rate_feed(&row->rate_received, row->received, now.us);
	}
}

void recovery_replica_full(struct recovery_replica *r)
{
	r->full = r->link != RECOVERY_LINK_DOWN;
}

size_t recovery_replica_tx(struct recovery_replica *r, uint8_t *buf, size_t cap,
			   struct srp_time now, bool *more)
{
	struct recovery_out out = {.buf = buf, .cap = cap, .now = now, .work = RECOVERY_WORK};

	feed_rates(r, now);
	r->full = false;
	recovery_relieve(r);
	if (r->link != RECOVERY_LINK_DOWN && recovery_tx_hello(r, &out) &&
	    recovery_outq_tx(r, &out) && recovery_tx_ack(r, &out) && r->agreed) {
		recovery_audit_work(r, &out.work, now);
		if (recovery_is_source(r)) {
			(void)recovery_tx_source(r, &out);
		} else {
			if (!recovery_fresh(r, &out.work, now))
				out.more = true;
			(void)recovery_tx_extra(r, &out);
		}
		out.more |= r->audit_on;
	}
	if (more)
		*more = out.more;
	return out.len;
}

static void sooner(struct srp_time *due, struct srp_time at)
{
	if (at.us && (!due->us || at.us < due->us))
		*due = at;
}

/* A held object or tombstone, or one that waits for a token. */
static void due_waiting(const struct recovery_replica *r, struct srp_time *due)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		const struct recovery_kind *rk = &r->kind[i];

		if (!r->pass_on &&
		    (!recovery_list_empty(&rk->held) || !recovery_list_empty(&rk->theld)))
			sooner(due, r->next_pass.us ? r->next_pass : (struct srp_time){1});
		if (rk->active &&
		    (!recovery_list_empty(&rk->lim) || !recovery_list_empty(&rk->tlim)))
			sooner(due, r->flush ? (struct srp_time){1}
			                     : srp_bucket_due(&r->limiter, 1, r->limiter.at));
	}
}

struct srp_time recovery_replica_due(const struct recovery_replica *r)
{
	const struct srp_time at_once = {1};
	struct srp_time due = {0};
	bool room = r->sent - r->acked < r->conf.inflight_max;

	if (r->link == RECOVERY_LINK_DOWN)
		return due;
	if (r->hello_due || r->ack_due || r->outq_pos < r->outq_len)
		return at_once;
	if (!r->agreed)
		return due;
	if (r->audit_on || (r->sync != RECOVERY_SYNC_FULL && recovery_fresh_left(r)) ||
	    (r->cmp_on && r->cmp_extra && r->extra_out < RECOVERY_WINDOW))
		return at_once;
	if (!recovery_is_source(r))
		return due;
	if (room && (recovery_send_pending(r) || r->sync == RECOVERY_SYNC_FULL ||
	             r->sync == RECOVERY_SYNC_DRAIN || r->sync == RECOVERY_SYNC_RESET))
		return at_once;
	if (room && r->dir == RECOVERY_DIR_SOURCE)
		due_waiting(r, &due);
	if (r->audit_due && r->sync == RECOVERY_SYNC_DONE && r->round == RECOVERY_ROUND_IDLE &&
	    r->dir == RECOVERY_DIR_SOURCE)
		return at_once;
	sooner(&due, recovery_round_due(r));
	return due;
}

/* --- planned switchover, audit, figures ------------------------------------------------------- */

void recovery_replica_flush(struct recovery_replica *r, bool on)
{
	r->flush = on;
	r->pass_wanted |= on && r->dir == RECOVERY_DIR_SOURCE;
	if (on)
		return;
	/* The answer to an end mark that was given up must not be taken for one to the next. */
	r->end_wanted = false;
	r->round_flags &= ~RECOVERY_DIGEST_FINAL;
}

static uint64_t bytes_of(const struct recovery_replica *r, uint32_t kind, bool del)
{
	const struct recovery_kind_counters *row = &r->conf.counters[recovery_row(kind, del)];

	return row->sent ? row->bytes_sent / row->sent : RECORD_BYTES;
}

void recovery_replica_backlog(const struct recovery_replica *r, uint64_t *objects, uint64_t *bytes)
{
	uint64_t n = 0, b = 0;

	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		for (int del = 0; del < 2; del++) {
			const struct recovery_kind *rk = &r->kind[i];
			uint64_t k = r->conf.counters[recovery_row(i, del)].inflight +
			             (del ? rk->ntombs : rk->n[SRP_LINK_DIRTY]);

			n += k;
			b += k * bytes_of(r, i, del);
		}
	*objects = n;
	*bytes = b;
}

void recovery_replica_end(struct recovery_replica *r, struct srp_time now)
{
	(void)now;
	r->end_wanted = true;
	r->round_after = (struct srp_time){0};
	r->pass_wanted |= r->dir == RECOVERY_DIR_SOURCE;
	if (r->link == RECOVERY_LINK_DOWN || !recovery_role_sends(r, r->role))
		fail_end(r, "not connected as the source");
}

void recovery_replica_audit(struct recovery_replica *r, struct srp_time now)
{
	static const uint8_t wish[] = {0x91, 0x00};

	(void)now;
	if (r->dir == RECOVERY_DIR_SOURCE)
		r->audit_due = true;
	else if (r->dir == RECOVERY_DIR_RECEIVE && r->agreed)
		(void)recovery_outq_put(r, RECOVERY_FT_AUDIT, wish, sizeof(wish));
	else
		recovery_event(r, RECOVERY_EV_AUDIT, "nobody to compare with");
}

void recovery_replica_status(const struct recovery_replica *r, struct recovery_status *out)
{
	struct recovery_status s = {.link = r->link,
				    .stream = r->stream,
				    .sent_seq = r->sent,
				    .acked_seq = r->acked,
				    .peer_stream = r->applied_stream,
				    .applied_seq = r->applied,
				    .peer_term = r->peer.term,
				    .peer_complete = r->peer_known && r->peer.complete,
				    .source = recovery_is_source(r),
				    .inflight = r->sent - r->acked,
				    .tombs = r->ntombs,
				    .verified = r->verified};

	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		const struct recovery_kind *rk = &r->kind[i];

		s.dirty += rk->n[SRP_LINK_DIRTY];
		s.refused += rk->n[SRP_LINK_REFUSED];
		if (recovery_role_sends(r, r->role) || s.source)
			s.unknown += rk->n[SRP_LINK_SETTLED] - rk->nclean;
	}
	s.objects = recovery_objects(r);
	s.digest = recovery_root(r);
	*out = s;
}

/* --- digest over the objects ------------------------------------------------------------------ */

struct recompute {
	struct recovery_replica *r;
	struct recovery_kind *rk;
	struct srp_time now;
	uint64_t root, count;
};

static int add_hash(struct srp_ckpt_obj *o, void *arg)
{
	struct recompute *c = arg;

	if (recovery_counted(c->rk, &o->link[c->r->slot])) {
		c->root ^= recovery_obj_hash(c->r, c->rk, o, c->now);
		c->count++;
	}
	return 0;
}

uint64_t recovery_replica_digest(struct recovery_replica *r, bool recompute, struct srp_time now)
{
	struct {
		uint64_t root, count;
	} stored[RECOVERY_KINDS_MAX];
	uint64_t root;

	if (!recompute)
		return recovery_root(r);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];
		const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, true);
		struct recompute c = {.r = r, .rk = rk, .now = now};

		rk->k->walk(&ctx, add_hash, &c);
		stored[i].root = rk->root;
		stored[i].count = rk->count;
		rk->root = c.root;
		rk->count = c.count;
	}
	root = recovery_root(r);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		r->kind[i].root = stored[i].root;
		r->kind[i].count = stored[i].count;
	}
	return root;
}
