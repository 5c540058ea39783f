#include "config.h"
#include "chassis/task/beats.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "chassis/io/conn.h"
#include "chassis/task/peer.h"
#include "srp/err.h"

#define KEY_LEN  32
#define PER_TURN 64 /* datagrams read before others have their turn */

struct chassis_beats {
	struct chassis_beats_config conf;
	ev_io io;
	ev_timer timer;
	bool keyed;
	uint8_t key[KEY_LEN];
	uint64_t incarnation;
	uint64_t seq;
	struct srp_beat_window window;
	struct sockaddr_storage peer;
	socklen_t peer_len;
};

bool chassis_beats_needed(const struct chassis_srp_config *srp)
{
	return srp->present && srp->dead_ms < 1000;
}

void chassis_backlog(const struct chassis_slab *slab, struct srp_backlog_figure *out)
{
	*out = (struct srp_backlog_figure){.objects = slab->backlog_objects, .bytes = slab->backlog_bytes};
	out->octets = ecs_owed_octets(&slab->owed, &out->charged);
}

static int mac(void *key, const uint8_t *msg, size_t len, uint8_t out[SRP_BEAT_MAC_LEN])
{
	uint8_t full[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!HMAC(EVP_sha256(), key, KEY_LEN, msg, len, full, &n) || n < SRP_BEAT_MAC_LEN)
		return SRP_EAUTH;
	memcpy(out, full, SRP_BEAT_MAC_LEN);
	return SRP_OK;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_beats *b = w->data;
	struct srp_beat beat = {.bit = (uint8_t)b->conf.chassis_bit,
	                        .instance = (uint16_t)b->conf.instance};
	uint8_t msg[SRP_BEAT_LEN];
	uint64_t now = chassis_now().us;

	(void)loop;
	(void)revents;
	if (!b->keyed)
		return;
	b->seq = now > b->seq ? now : b->seq + 1;
	beat.seq = b->seq;
	b->conf.fill(b->conf.owner, &beat);
	if (srp_beat_encode(&beat, mac, b->key, msg) == SRP_OK &&
	    sendto(b->conf.fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&b->peer, b->peer_len) > 0)
		b->conf.counters->beat_tx++;
}

static void one(struct chassis_beats *b, const uint8_t *msg, size_t len)
{
	struct srp_beat beat;
	int rc = b->keyed ? srp_beat_decode(msg, len, mac, b->key, &beat) : SRP_EAUTH;

	if (rc == SRP_EAUTH) {
		b->conf.counters->beat_auth++;
	} else if (rc < 0) {
		b->conf.counters->beat_bad++;
	} else {
		/* An instance learns its peer's incarnation from the first beat: the key vouches for it. */
		if (!b->window.incarnation)
			b->window.incarnation = beat.incarnation;
		rc = srp_beat_accept(&b->window, &beat);
		if (rc == SRP_ESTALE)
			b->conf.counters->beat_replay++;
		else if (rc < 0)
			b->conf.counters->beat_bad++;
		else
			b->conf.heard(b->conf.owner, &beat);
		b->conf.counters->beat_rx += rc == 0;
	}
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct chassis_beats *b = w->data;
	uint8_t msg[SRP_BEAT_LEN + 1];

	(void)loop;
	(void)revents;
	for (int i = 0; i < PER_TURN; i++) {
		ssize_t n = recv(w->fd, msg, sizeof(msg), MSG_DONTWAIT);

		if (n < 0)
			return;
		one(b, msg, (size_t)n);
	}
}

void chassis_beats_peer(struct chassis_beats *b, uint64_t incarnation)
{
	if (b->incarnation == incarnation)
		return;
	b->incarnation = incarnation;
	srp_beat_window_init(&b->window, incarnation, b->conf.chassis_bit ? 0 : 1,
	                     (uint16_t)b->conf.instance);
}

void chassis_beats_key(struct chassis_beats *b, const struct chassis_conn *conn)
{
	b->keyed = conn && chassis_conn_export(conn, "EXPORTER-srp-beat", b->key, KEY_LEN) == 0;
	if (!b->keyed)
		OPENSSL_cleanse(b->key, KEY_LEN);
	b->incarnation = 0;
	srp_beat_window_init(&b->window, 0, b->conf.chassis_bit ? 0 : 1, (uint16_t)b->conf.instance);
}

struct chassis_beats *chassis_beats_new(const struct chassis_beats_config *conf)
{
	struct chassis_beats *b = calloc(1, sizeof(*b));
	double every = conf->srp->hello_ms / 1000.;

	if (!b)
		return NULL;
	b->conf = *conf;
	b->peer_len = chassis_sockaddr(&conf->srp->peer, conf->port, &b->peer);
	srp_beat_window_init(&b->window, 0, conf->chassis_bit ? 0 : 1, (uint16_t)conf->instance);
	ev_io_init(&b->io, on_io, conf->fd, EV_READ);
	b->io.data = b;
	ev_io_start(conf->loop, &b->io);
	ev_timer_init(&b->timer, on_timer, every, every);
	b->timer.data = b;
	ev_timer_start(conf->loop, &b->timer);
	return b;
}
