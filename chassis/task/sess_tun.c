/* sess_tun: a packet's way through the session manager: queue, engine, other device. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "chassis/task/calls.h"
#include "srp/err.h"

#define PACKETS_PER_TURN 128   /* read from one queue before others have their turn */
#define UNKNOWN_PER_SEC  20000 /* packets of unknown subscribers handed to demuxmgr */
#define TUN_HEAD           64 /* before a packet that is read */
#define OWN_PACKET_MAX    1500 /* made by the engine */
#define CONFIRM_US  SRP_SEC(1) /* a packet waits for the peer: one that says nothing stops no traffic */
#define UNKNOWN_QUEUED   (1024u * 1024) /* bytes of them that may wait there */

static void write_out(struct sessmgr *s, int fd, const struct chassis_tun_pkt *p)
{
	if (chassis_tun_write(fd, p) == 0)
		s->ctx->slab->task_ctr.tun_written++;
	else
		s->ctx->slab->task_ctr.tun_write_failed++;
}

static int queue_fd(const struct sessmgr *s, enum ecs_dir dir)
{
	const struct chassis_shared *sh = s->ctx->shared;

	return dir == ECS_UPLINK ? sh->tun_acc[s->ctx->instance - 1] : sh->tun_core[s->ctx->instance - 1];
}

void sessmgr_tun_send(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
{
	static uint8_t copy[OWN_PACKET_MAX];
	struct sessmgr *s = owner;
	struct chassis_tun_pkt p = {.ip = copy, .len = len};

	s->ctx->slab->task_ctr.tun_made++;
	if (len > sizeof(copy)) {
		s->ctx->slab->task_ctr.tun_write_failed++;
		return;
	}
	memcpy(copy, pkt, len);
	write_out(s, queue_fd(s, dir == ECS_UPLINK ? ECS_DOWNLINK : ECS_UPLINK), &p);
}

/* --- what the peer is to know first ----------------------------------------------------------- */

void sessmgr_tun_confirmed(struct sessmgr *s)
{
	struct srp_time now = chassis_now();
	struct sess_held_pkt *k;

	while ((k = sess_held_first(&s->confirm)) != NULL) {
		bool stays = !srp_role_permit[s->role].forwards || s->stale;

		if (!stays && !recovery_replica_confirmed(s->gr, &k->mark)) {
			if (srp_time_since(k->at, now) < CONFIRM_US)
				return;
			s->ctx->slab->task_ctr.confirm_late++;
		}
		(void)sess_held_take(&s->confirm);
		/* another chassis may forward by now, and does not know what this one rests on */
		if (stays)
			s->ctx->slab->task_ctr.confirm_dropped++;
		else
			write_out(s, k->fd, &k->p);
		free(k);
	}
}

/* Whether a packet waits for the peer, or is dropped; then the subscriber sends it again. */
static bool waits(struct sessmgr *s, int fd, const struct chassis_tun_pkt *p)
{
	struct sess_held_pkt *k;
	uint64_t mark = 0;

	if (!s->gr)
		return false;
	sessmgr_tun_confirmed(s);
	if (recovery_replica_confirmed(s->gr, &mark))
		return false;
	k = sess_held_add(&s->confirm, ECS_UPLINK, p);
	if (!k) {
		s->ctx->slab->task_ctr.confirm_dropped++;
		return true;
	}
	k->fd = fd;
	k->mark = mark;
	k->at = chassis_now();
	s->ctx->slab->task_ctr.confirm_held++;
	return true;
}

/* A packet that was judged leaves. */
static void leave(struct sessmgr *s, int fd, const struct chassis_tun_pkt *p, bool confirm)
{
	sessmgr_sr_commit(s);
	if (!confirm || !waits(s, fd, p))
		write_out(s, fd, p);
}

/* --- demuxmgr --------------------------------------------------------------------------------- */

/* True when demuxmgr may be asked once more in this second. */
static bool may_ask(struct sessmgr *s, struct srp_time now)
{
	if (srp_time_since(s->unknown_at, now) >= SRP_SEC(1)) {
		s->unknown_at = now;
		s->unknown_tokens = UNKNOWN_PER_SEC;
	}
	if (!s->unknown_tokens) {
		s->ctx->slab->task_ctr.unknown_limited++;
		return false;
	}
	s->unknown_tokens--;
	return true;
}

static void ask_demuxmgr(struct sessmgr *s, enum ecs_dir dir, const struct chassis_tun_pkt *p,
                         struct srp_time now)
{
	static uint8_t buf[16384];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct ecs_packet parsed;

	if (p->len > 16000 || ecs_packet_parse(p->ip, p->len, dir, &parsed) < 0) {
		s->ctx->slab->task_ctr.foreign_too_long++;
		return;
	}
	/* Answers to demuxmgr's requests must always find room behind the packets of strangers. */
	if (chassis_task_queued(s->ctx, CHASSIS_TASK_DEMUXMGR, 0) > UNKNOWN_QUEUED) {
		s->ctx->slab->task_ctr.unknown_limited++;
		return;
	}
	if (!may_ask(s, now))
		return;
	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, dir);
	srp_mp_w_bin(&w, ecs_packet_subscriber(&parsed)->b, sizeof(struct ecs_addr));
	srp_mp_w_bin(&w, p->vnet, sizeof(p->vnet));
	srp_mp_w_bin(&w, p->ip, p->len);
	if (chassis_task_send(s->ctx, CHASSIS_TASK_DEMUXMGR, 0, CHASSIS_IPC_UNKNOWN, &w, -1) == 0)
		s->ctx->slab->task_ctr.unknown_asked++;
	else
		s->ctx->slab->ecs.drop_no_session++;
}

static int hop_fd(struct sessmgr *s, const struct ecs_addr *a, int otherwise)
{
	const struct chassis_hop *h = chassis_hop_of(s->ctx->shared, a);

	if (h)
		return h->fd;
	s->ctx->slab->task_ctr.nexthop_unknown++;
	return otherwise;
}

/* How a packet leaves. */
struct out {
	int fd;
	bool confirm;
};

/* Judges a packet and changes it as the engine says. */
static enum ecs_verdict forward(struct sessmgr *s, enum ecs_dir dir, struct chassis_tun_pkt *p,
                                struct out *out, struct srp_time now)
{
	struct ecs_raw r = {.ip = p->ip, .len = p->len, .room = CHASSIS_TUN_PKT_MAX,
	                    .gso_size = p->gso_size, .partial = chassis_tun_partial(p->vnet)};
	enum ecs_verdict v;

	_Static_assert(sizeof(r.own) == sizeof(p->vnet), "a held packet keeps its header");
	memcpy(r.own, p->vnet, sizeof(r.own));
	v = ecs_engine_forward(s->engine, &r, dir, now);
	if (v != ECS_FORWARD)
		return v;
	p->len = r.len;
	if (r.remade)
		chassis_tun_remake(p, r.gso_size, r.l4, r.hdr_len);
	if (r.nexthop)
		out->fd = hop_fd(s, r.nexthop, out->fd);
	out->confirm = r.confirm;
	return v;
}

void sessmgr_tun_release(void *owner, struct ecs_raw *r, enum ecs_dir dir)
{
	struct sessmgr *s = owner;
	struct chassis_tun_pkt p = {.ip = r->ip, .len = r->len, .gso_size = r->gso_size};
	int out = queue_fd(s, dir == ECS_UPLINK ? ECS_DOWNLINK : ECS_UPLINK);

	memcpy(p.vnet, r->own, sizeof(p.vnet));
	if (r->remade)
		chassis_tun_remake(&p, r->gso_size, r->l4, r->hdr_len);
	if (r->nexthop)
		out = hop_fd(s, r->nexthop, out);
	leave(s, out, &p, r->confirm);
}

/* A session that is not rebuilt yet is rebuilt now. */
static enum ecs_verdict bring(struct sessmgr *s, enum ecs_dir dir, struct chassis_tun_pkt *p,
                              struct out *out, struct srp_time now)
{
	struct ecs_packet parsed;

	if (s->sr.phase != SESSMGR_FILLS || ecs_packet_parse(p->ip, p->len, dir, &parsed) < 0 ||
	    !sessmgr_recover_addr(s, ecs_packet_subscriber(&parsed), now))
		return ECS_NO_SESSION;
	return forward(s, dir, p, out, now);
}

/* False where there is no session for it. */
static bool deal_with(struct sessmgr *s, enum ecs_dir dir, struct chassis_tun_pkt *p,
                      struct srp_time now)
{
	enum ecs_verdict verdict;
	struct out out = {.fd = queue_fd(s, dir == ECS_UPLINK ? ECS_DOWNLINK : ECS_UPLINK)};

	if (!srp_role_permit[s->role].forwards) {
		/* Late packets of a planned switchover go back where they came from: the routes of that
		 * device lead to the active chassis now. */
		if (srp_time_since(now, s->relay_until)) {
			write_out(s, queue_fd(s, dir), p);
			s->ctx->slab->task_ctr.relayed++;
		} else {
			s->ctx->slab->task_ctr.drop_not_active++;
		}
		return true;
	}
	verdict = forward(s, dir, p, &out, now);
	if (verdict == ECS_NO_SESSION)
		verdict = bring(s, dir, p, &out, now);
	s->ctx->slab->handling = 0;
	if (verdict == ECS_FORWARD)
		leave(s, out.fd, p, out.confirm);
	return verdict != ECS_NO_SESSION;
}

static void packet(struct sessmgr *s, enum ecs_dir dir, struct chassis_tun_pkt *p, bool ask,
                   struct srp_time now)
{
	if (deal_with(s, dir, p, now))
		return;
	if (sessmgr_pulls(s) && sess_held_put(&s->held, dir, p))
		s->ctx->slab->task_ctr.held++;
	else if (ask)
		ask_demuxmgr(s, dir, p, now);
	else
		s->ctx->slab->ecs.drop_no_session++;
}

/* A copy in the buffer of this task, which has room for what an action puts in. */
static struct chassis_tun_pkt roomy(struct sessmgr *s, const struct sess_held_pkt *k)
{
	struct chassis_tun_pkt p = k->p;

	p.ip = s->buf + TUN_HEAD;
	memcpy(p.ip, k->ip, k->p.len);
	return p;
}

void sessmgr_tun_held(struct sessmgr *s)
{
	struct srp_time now = chassis_now();

	if (s->stale || s->frozen)
		return;
	for (size_t n = s->held.n; n; n--) {
		struct sess_held_pkt *k = sess_held_take(&s->held);
		struct chassis_tun_pkt p = roomy(s, k);

		if (!deal_with(s, k->dir, &p, now)) {
			if (sessmgr_pulls(s)) {
				sess_held_back(&s->held, k);
				continue;
			}
			ask_demuxmgr(s, k->dir, &p, now);
		}
		free(k);
	}
}

/* vpnmgr's decision is in its slab before it announces the addresses, and its message comes after that:
 * the packets that the announcements draw here wait in the device until this task is in its role. */
static bool role_comes(const struct sessmgr *s)
{
	const struct chassis_slab *vpn = s->ctx->shared->slab[chassis_slot(CHASSIS_TASK_VPNMGR, 0)];

	return !srp_role_permit[s->role].forwards && srp_role_permit[vpn->role.role].forwards;
}

static void on_tun(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sessmgr *s = w->data;
	enum ecs_dir dir = w == &s->tun[ECS_UPLINK] ? ECS_UPLINK : ECS_DOWNLINK;
	struct srp_time now = chassis_now();

	(void)loop;
	(void)revents;
	if (sessmgr_stood_still(s, now))
		return;
	if (role_comes(s)) {
		sessmgr_tun_reading(s, false);
		return;
	}
	for (int i = 0; i < PACKETS_PER_TURN; i++) {
		struct chassis_tun_pkt p;

		if (chassis_tun_read(w->fd, s->buf, &p) < 0)
			break;
		s->ctx->slab->task_ctr.tun_read++;
		packet(s, dir, &p, true, now);
	}
	sessmgr_link_kick(s);
}

int sessmgr_foreign(struct sessmgr *s, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8);
	uint64_t dir = srp_mp_uint(r, ECS_DOWNLINK);
	struct chassis_tun_pkt p = {0};
	const uint8_t *vnet, *ip;
	size_t nvnet;

	vnet = srp_mp_bin(r, sizeof(p.vnet), sizeof(p.vnet), &nvnet);
	ip = srp_mp_bin(r, 1, 16000, &p.len);
	if (n < 3 || r->err)
		return SRP_EFORMAT;
	memcpy(p.vnet, vnet, sizeof(p.vnet));
	memcpy(s->buf + 64, ip, p.len);
	p.ip = s->buf + 64;
	p.gso_size = chassis_tun_gso_size(p.vnet);
	if (s->stale || s->frozen)
		s->ctx->slab->task_ctr.drop_not_active++;
	else
		packet(s, (enum ecs_dir)dir, &p, false, chassis_now());
	sessmgr_link_kick(s);
	return SRP_OK;
}

void sessmgr_tun_reading(struct sessmgr *s, bool on)
{
	for (int i = 0; i < 2; i++) {
		if (on && !s->frozen && !s->stale && s->sr.phase != SESSMGR_WAITS && s->tun[i].fd >= 0)
			ev_io_start(s->ctx->loop, &s->tun[i]);
		else
			ev_io_stop(s->ctx->loop, &s->tun[i]);
	}
}

int sessmgr_tun_start(struct sessmgr *s)
{
	sess_held_init(&s->held);
	sess_held_init(&s->confirm);
	s->buf = malloc(TUN_HEAD + CHASSIS_TUN_PKT_MAX);
	if (!s->buf)
		return SRP_ENOMEM;
	for (int i = 0; i < 2; i++) {
		ev_io_init(&s->tun[i], on_tun, queue_fd(s, (enum ecs_dir)i), EV_READ);
		s->tun[i].data = s;
	}
	sessmgr_tun_reading(s, true);
	return SRP_OK;
}
