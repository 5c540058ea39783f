/* fill: the sessions of a view, built by the kinds of the registry. */
#include "config.h"
#include "recovery/fill.h"

#include <stdlib.h>

#include "recovery/store_impl.h"
#include "srp/err.h"

#define SESSION_MAX 16384u /* records of one session: more than any kind allows are damage */
#define AHEAD       8u     /* sessions whose memory is asked for before they are built */
#define STRIDES     2u     /* of their entries, for each record that is built */

enum phase { PHASE_RULES, PHASE_WITH, PHASE_IDLE, PHASE_TOMBS, PHASE_DONE };

/* Entries of one session, in the order in which they are built. */
struct batch {
	recovery_ref ref[SESSION_MAX];
	uint8_t place[SESSION_MAX]; /* of the kind, in the order of ranks */
	recovery_ref sorted[SESSION_MAX];
	uint32_t count[RECOVERY_KINDS_MAX];
};

/* Numbers of sessions that were looked at. */
struct seen {
	uint64_t *key;
	uint8_t *state; /* enum mark */
	uint32_t mask, n, max;
};
enum mark { MARK_NONE, MARK_BUILT, MARK_OUT };

struct recovery_fill {
	struct recovery_fill_config conf;
	const struct recovery_view *v;
	struct recovery_fill_stats stats;
	struct srp_time now;
	uint8_t place[RECOVERY_KINDS_MAX]; /* by index of the kind */
	enum phase phase;
	recovery_ref at;    /* where the list of this phase goes on */
	recovery_ref ahead; /* the same list, some sessions further */
	recovery_ref coming[AHEAD]; /* entries of the sessions before that, asked for one by one */
	unsigned came, turn;
	uint64_t bound;     /* steps that the list can still have */
	uint32_t tomb;
	struct seen seen;
	struct batch batch;
	uint8_t record[RECOVERY_KEY_MAX + SRP_CKPT_RECORD_MAX];
};

/* --- which were looked at --------------------------------------------------------------------- */

static int seen_init(struct seen *s, uint32_t groups)
{
	uint64_t cap = 64;

	while (cap < 2 * (uint64_t)groups)
		cap *= 2;
	s->mask = (uint32_t)(cap - 1);
	s->max = groups;
	s->key = calloc(cap, sizeof(*s->key));
	s->state = calloc(cap, sizeof(*s->state));
	return s->key && s->state ? SRP_OK : SRP_ENOMEM;
}

/* The place of @p key, or the free one where it would be. */
static uint32_t seen_at(const struct seen *s, uint64_t key)
{
	uint32_t i = (uint32_t)recovery_num_hash(0, key) & s->mask;

	while (s->state[i] != MARK_NONE && s->key[i] != key)
		i = (i + 1) & s->mask;
	return i;
}

/* --- one record ------------------------------------------------------------------------------- */

static void refused(struct recovery_fill *f, int rc, uint64_t n)
{
	f->stats.refused += n;
	f->stats.fetched += n;
	if (!f->stats.why)
		f->stats.why = rc;
}

/* What was built is as it was in the process that is gone, for every replica. */
static void adopt(struct recovery_fill *f, struct srp_ckpt_obj *o, const struct recovery_seen *e)
{
	uint64_t hkey = f->v->h.hkey;

	o->term = e->term;
	o->version = e->version;
	for (int i = 0; f->conf.sink && i < SRP_REPLICA__N; i++) {
		struct recovery_replica *r = f->conf.sink->replica[i];

		if (r)
			recovery_replica_adopt(r, o, r->hkey == hkey ? e->hash : 0);
	}
}

/* Gives one entry to its kind. 0, the refusal, or SRP_EAGAIN: it makes no sense. */
static int give(struct recovery_fill *f, recovery_ref ref, const uint64_t *session)
{
	const struct srp_ckpt_kind *k;
	struct srp_ckpt_key key;
	struct srp_ckpt_obj *o;
	struct recovery_seen e;
	struct srp_ckpt_ctx ctx;
	struct srp_mp_r r;
	int rc;

	if (!recovery_view_entry(f->v, ref, &e))
		return SRP_EAGAIN;
	k = f->conf.kinds[e.kind];
	memcpy(f->record, e.record, e.len);
	r = srp_mp_r_init(f->record, e.len);
	recovery_r_key(&r, k, &key);
	if (r.err || (session && key.k[0] != *session) || (!session && k->rank))
		return SRP_EAGAIN;
	if (e.when.us > f->now.us)
		e.when = f->now;
	ctx = (struct srp_ckpt_ctx){.now = e.when, .owner = f->conf.ckpt_owner,
	                            .replica = SRP_REPLICA_SR, .ver = k->ver_max, .kind = k,
	                            .term = e.term, .version = e.version};
	rc = k->apply(&ctx, &key, &r, k->nfields, &o);
	if (rc) {
		refused(f, rc, 1);
		return rc == SRP_EAGAIN ? SRP_EFORMAT : rc;
	}
	if (k->arrived)
		k->arrived(o, &ctx, false);
	adopt(f, o, &e);
	f->stats.fetched++;
	f->stats.applied++;
	f->stats.rules += !session;
	f->stats.flows += k->limited;
	return SRP_OK;
}

/* --- one session ------------------------------------------------------------------------------ */

/* Puts the entries of @p g in order. @return how many; what is broken is counted */
static uint32_t collect(struct recovery_fill *f, const struct recovery_group *g)
{
	struct batch *b = &f->batch;
	uint32_t n = 0, limit = g->entries < SESSION_MAX ? g->entries : SESSION_MAX, at = 0;
	recovery_ref ref = g->head, next;
	unsigned kind;

	memset(b->count, 0, f->conf.nkinds * sizeof(b->count[0]));
	for (; ref && n < limit; ref = next) {
		if (!recovery_view_peek(f->v, ref, &kind, &next))
			break;
		b->ref[n] = ref;
		b->place[n] = f->place[kind];
		b->count[b->place[n++]]++;
	}
	f->stats.broken += ref || n < g->entries; /* goes on, breaks off, or ends too early */
	for (size_t i = 0; i < f->conf.nkinds; i++) {
		uint32_t here = b->count[i];

		b->count[i] = at;
		at += here;
	}
	for (uint32_t i = 0; i < n; i++)
		b->sorted[b->count[b->place[i]]++] = b->ref[i];
	return n;
}

/* The entries of a session lie anywhere, and only one leads to the next: to wait for the memory of each
 * would be a third of the whole. So those of the next sessions are walked in turns, and each has come
 * when it is looked at again. */
static void stride(struct recovery_fill *f)
{
	recovery_ref *ref = &f->coming[f->turn++ % AHEAD], next;
	unsigned kind;

	if (!*ref)
		return;
	*ref = recovery_view_peek(f->v, *ref, &kind, &next) ? next : 0;
	recovery_view_soon(f->v, *ref);
}

/* The first must be what the others go with, and be taken. @return true: nothing was left out */
static bool build(struct recovery_fill *f, const struct recovery_group *g, bool *built)
{
	uint64_t broken = f->stats.broken, was_refused = f->stats.refused;
	uint32_t n = collect(f, g);

	*built = false;
	for (uint32_t i = 0; i < n; i++) {
		int rc = give(f, f->batch.sorted[i], &g->k0);

		for (unsigned k = 0; k < STRIDES; k++)
			stride(f);
		f->stats.broken += rc == SRP_EAGAIN;
		*built |= i == 0 && rc == SRP_OK;
		if (!*built) {
			refused(f, SRP_ENOSESS, n - 1u);
			break;
		}
	}
	return *built && broken == f->stats.broken && was_refused == f->stats.refused;
}

/* One session, once. @return SRP_OK: it is there, or was; else it will not be */
static int session(struct recovery_fill *f, const struct recovery_group *g)
{
	uint32_t at = seen_at(&f->seen, g->k0);
	bool built, whole;

	if (f->seen.state[at] != MARK_NONE)
		return f->seen.state[at] == MARK_BUILT ? SRP_OK : SRP_ENOSESS;
	if (f->seen.n >= f->seen.max) {
		f->stats.broken++; /* more than the header knows of */
		return SRP_ENOSESS;
	}
	f->seen.n++;
	f->seen.key[at] = g->k0;
	f->seen.state[at] = MARK_OUT;
	if (f->conf.skip && f->conf.skip(f->conf.owner, g->k0)) {
		f->stats.skipped++;
		return SRP_ENOSESS;
	}
	whole = build(f, g, &built);
	if (!built) {
		f->stats.sessions_lost++;
		return SRP_ENOSESS;
	}
	f->seen.state[at] = MARK_BUILT;
	f->stats.sessions_built++;
	f->stats.passed_audit += whole;
	if (f->conf.built)
		f->conf.built(f->conf.owner, g->k0, whole);
	return SRP_OK;
}

/* --- the order -------------------------------------------------------------------------------- */

static void look_ahead(struct recovery_fill *f)
{
	struct recovery_group g;

	if (!f->ahead || !recovery_view_group(f->v, f->ahead, &g))
		return;
	recovery_view_soon(f->v, g.head);
	f->coming[f->came++ % AHEAD] = g.head;
	recovery_view_soon(f->v, g.next);
	f->ahead = g.next;
}

static void begin(struct recovery_fill *f, enum phase p)
{
	const struct recovery_region *h = &f->v->h;

	f->phase = p;
	f->at = p == PHASE_RULES ? h->rules.head : p == PHASE_WITH ? h->with.head
	      : p == PHASE_IDLE ? h->idle.head : 0;
	f->bound = p == PHASE_RULES ? h->entries : h->groups;
	f->ahead = p == PHASE_RULES ? 0 : f->at;
	for (unsigned i = 0; i < AHEAD; i++)
		look_ahead(f);
}

static bool step_rule(struct recovery_fill *f)
{
	recovery_ref next;
	unsigned kind;

	if (!f->at || !f->bound) {
		f->stats.broken += f->at != 0;
		return false;
	}
	f->bound--;
	if (!recovery_view_peek(f->v, f->at, &kind, &next)) {
		f->stats.broken++;
		return false;
	}
	f->stats.broken += give(f, f->at, NULL) == SRP_EAGAIN;
	f->at = next;
	return true;
}

static bool step_session(struct recovery_fill *f)
{
	struct recovery_group g;

	if (!f->at || !f->bound || !recovery_view_group(f->v, f->at, &g)) {
		f->stats.broken += f->at != 0;
		return false;
	}
	f->bound--;
	look_ahead(f);
	(void)session(f, &g);
	f->at = g.next;
	return true;
}

static bool step_tomb(struct recovery_fill *f)
{
	struct recovery_replica *gr =
		f->conf.sink ? f->conf.sink->replica[SRP_REPLICA_GR] : NULL;
	struct recovery_mark m;

	if (f->tomb == f->v->h.tombs)
		return false;
	if (!recovery_view_mark(f->v, f->tomb++, &m)) {
		f->stats.broken++;
		return true;
	}
	f->stats.tombs++;
	f->stats.buried += gr && recovery_replica_bury(gr, m.kind, &m.key, m.term, m.version);
	return true;
}

/* One record, session or deletion. @return false: all is done */
static bool step(struct recovery_fill *f)
{
	static bool (*const one[])(struct recovery_fill *) = {
		[PHASE_RULES] = step_rule, [PHASE_WITH] = step_session,
		[PHASE_IDLE] = step_session, [PHASE_TOMBS] = step_tomb};

	while (f->phase != PHASE_DONE) {
		if (one[f->phase](f))
			return true;
		begin(f, (enum phase)(f->phase + 1));
	}
	return false;
}

bool recovery_fill_step(struct recovery_fill *f, struct srp_time now, size_t n)
{
	uint64_t end = f->stats.fetched + n;
	bool more = true;

	f->now = now;
	if (f->conf.sink)
		f->conf.sink->filling = true;
	/* a session without records, and a deletion, count as one */
	for (size_t i = 0; more && i < n && f->stats.fetched < end; i++)
		more = step(f);
	if (f->conf.sink)
		f->conf.sink->filling = false;
	return more;
}

static int out_of_turn(struct recovery_fill *f, recovery_ref ref, const struct recovery_group *g)
{
	uint64_t built = f->stats.sessions_built;
	int rc;

	if (!ref)
		return SRP_ENOENT;
	if (f->conf.sink)
		f->conf.sink->filling = true;
	while (f->phase == PHASE_RULES)
		if (!step_rule(f))
			begin(f, PHASE_WITH);
	rc = session(f, g);
	f->stats.named += built != f->stats.sessions_built;
	if (f->conf.sink)
		f->conf.sink->filling = false;
	return rc;
}

int recovery_fill_name(struct recovery_fill *f, uint64_t name, struct srp_time now)
{
	struct recovery_group g;
	recovery_ref ref = recovery_view_name(f->v, name, &g);

	f->now = now;
	return out_of_turn(f, ref, &g);
}

int recovery_fill_key(struct recovery_fill *f, uint64_t k0, struct srp_time now)
{
	struct recovery_group g;
	recovery_ref ref = recovery_view_session(f->v, k0, &g);

	f->now = now;
	return out_of_turn(f, ref, &g);
}

/* --- life ------------------------------------------------------------------------------------- */

struct recovery_fill *recovery_fill_new(const struct recovery_fill_config *conf)
{
	struct recovery_fill *f;
	uint8_t at = 0;
	int root;

	if (!conf->view || conf->nkinds != conf->view->n)
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->conf = *conf;
	f->v = conf->view;
	root = recovery_root_kind(conf->kinds, conf->nkinds);
	if (seen_init(&f->seen, f->v->h.groups)) {
		recovery_fill_free(f);
		return NULL;
	}
	/* what the others go with comes first, then by rank, and by the order of the registry */
	if (root >= 0)
		f->place[root] = at++;
	for (unsigned rank = 0; rank <= UINT8_MAX; rank++)
		for (size_t i = 0; i < conf->nkinds; i++)
			if (conf->kinds[i]->rank == rank && (int)i != root)
				f->place[i] = at++;
	f->stats.records = f->v->h.entries;
	f->stats.sessions_total = f->v->h.groups;
	begin(f, PHASE_RULES);
	return f;
}

void recovery_fill_free(struct recovery_fill *f)
{
	if (!f)
		return;
	free(f->seen.key);
	free(f->seen.state);
	free(f);
}

void recovery_fill_stats(const struct recovery_fill *f, struct recovery_fill_stats *out)
{
	*out = f->stats;
}
