/* Bytes of a peer on an instance connection, read by a replica with a toy model. Bit 0 of the first
 * byte says which end reads (0: the standby, 1: the active), bit 1 offers compression, bit 2 makes
 * the reader incomplete; the rest is a stream of frames. Whatever comes, the equations hold, and
 * the stored hashes are those of the objects. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/counters.h"
#include "recovery/replica.h"
#include "srp/err.h"
#include "tests/sim/toy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECONNECTS 8u /* after a protocol error */

static void must(int fact)
{
	if (!fact)
		abort();
}

struct reader {
	struct toy toy;
	struct recovery_sink sink;
	struct recovery_kind_counters rows[2 * TOY_KINDS];
	struct recovery_counters totals;
	struct recovery_replica *r;
	struct srp_time now;
};

static void begin(struct reader *e, uint8_t how)
{
	const struct recovery_config conf = {.id = SRP_REPLICA_GR,
					     .kinds = toy_kinds,
					     .nkinds = TOY_KINDS,
					     .ckpt_owner = &e->toy,
					     .counters = e->rows,
					     .totals = &e->totals,
					     .random = how & 1 ? 1000077 : 1000078,
					     .lz4 = how >> 1 & 1,
					     .sink = &e->sink};

	recovery_sink_init(&e->sink);
	toy_init(&e->toy, &e->sink.sink);
	e->now = (struct srp_time){1000000};
	e->r = recovery_replica_new(&conf);
	must(e->r != NULL);
	e->sink.replica[SRP_REPLICA_GR] = e->r;
	e->sink.term = 2;
	recovery_replica_role(e->r, how & 1 ? SRP_ROLE_ACTIVE : SRP_ROLE_STANDBY, how & 1 ? 2 : 0,
	                      !(how >> 2 & 1), e->now);
	for (uint32_t i = 0; i < 4 && (how & 1); i++) {
		toy_set_rule(&e->toy, i, i, e->now);
		toy_set_parent(&e->toy, i, i, e->now);
		toy_set_child(&e->toy, i, 1, i, i, e->now);
	}
	if (!(how & 1)) {
		toy_set_parent(&e->toy, 9, 9, e->now);
		toy_set_parent(&e->toy, 1, 9, e->now);
		e->toy.full = 2;
	}
	recovery_replica_up(e->r, e->now);
}

static void turn(struct reader *e)
{
	static uint8_t buf[65536];
	char why[256];
	bool more = true;

	for (int i = 0; i < 4 && more; i++)
		must(recovery_replica_tx(e->r, buf, sizeof(buf), e->now, &more) <= sizeof(buf));
	must(recovery_replica_check(e->r, why, sizeof(why)) == SRP_OK);
	e->now.us += 10000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reader e;
	unsigned errors = 0;
	size_t pos = 1;

	if (size < 1)
		return 0;
	e = (struct reader){.r = NULL};
	begin(&e, data[0]);
	turn(&e);
	while (pos < size && errors < RECONNECTS) {
		struct srp_frame_hdr h;
		int rc = srp_frame_peek(&recovery_frames, data + pos, size - pos,
		                        recovery_replica_link(e.r), &h);

		if (rc == SRP_EAGAIN || (!rc && size - pos < SRP_FRAME_HDR_LEN + h.len))
			break;
		if (!rc)
			rc = recovery_replica_rx(e.r, &h, data + pos + SRP_FRAME_HDR_LEN, e.now);
		else
			h.len = 0;
		pos += SRP_FRAME_HDR_LEN + h.len;
		if (rc) {
			errors++;
			recovery_replica_down(e.r, e.now);
			recovery_replica_up(e.r, e.now);
		}
		turn(&e);
	}
	must(recovery_replica_digest(e.r, true, e.now) ==
		     recovery_replica_digest(e.r, false, e.now) ||
	     (data[0] & 1)); /* the active has changes that were not sent */
	recovery_replica_free(e.r);
	toy_fini(&e.toy);
	return 0;
}
