/* hello: bodies of the frames of the control connection (srp/control.def). Each is one msgpack
 * array; elements behind the known ones are skipped, so a newer peer may append; a missing one is
 * refused. Encoders give the length of the body or SRP_ENOSPC; decoders validate all, then write. */
#ifndef SRP_HELLO_H
#define SRP_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srp/backlog.h"
#include "srp/election.h"

#define SRP_HELLO_NAME_MAX      63u
#define SRP_HELLO_INSTANCES_MAX 32u
#define SRP_MESSAGE_TEXT_MAX    200u
#define SRP_INTERVAL_MS_MAX     65535000u /**< longest interval that may be configured */
#define SRP_PROTOCOL_MIN        1u   /**< oldest version that this program speaks */
#define SRP_PROTOCOL_MAX        1u

/** Capabilities; a bit that the peer does not set is not used. */
#define SRP_CAP_LZ4   0x01u /**< wants and understands lz4 frames on instance connections */
#define SRP_CAP_BEATS 0x02u /**< sends datagram beats */

/** Links of an instance, as its task sees them. */
struct srp_hello_instance {
	bool complete;            /**< it holds a complete state */
	uint8_t link;             /**< enum recovery_link: 0 down, 1 hello, 2 sync, 3 ready */
	uint64_t sessions;
	struct srp_backlog_figure backlog; /**< not acknowledged by the peer */
};

enum srp_side { SRP_SIDE_ACCESS, SRP_SIDE_CORE, SRP_SIDE__N };

/** The chassis' own (not the service) address of a side: where the peer relays late packets to. */
struct srp_hello_addr {
	bool has4, has6;
	uint8_t v4[4], v6[16];
};

struct srp_hello {
	uint32_t ver_min, ver_max;          /**< protocol versions that the sender speaks */
	char name[SRP_HELLO_NAME_MAX + 1];  /**< of the chassis, for display only */
	uint64_t incarnation;               /**< random at each start of the chassis, not 0 */
	enum srp_role role;
	bool handed, unfit, stale;          /**< as in struct srp_candidate */
	uint32_t term;                      /**< in force; of the state it holds; 0 none */
	uint32_t highest;                   /**< highest term number seen from anybody */
	enum srp_mode mode;
	uint8_t priority;
	uint8_t mac[6];
	uint8_t bit;                        /**< chassis bit */
	uint32_t route_modifier;
	uint64_t config_digest;
	uint32_t ninstances;                /**< number of sessmgrs; equal on both chassis */
	struct srp_hello_instance instance[SRP_HELLO_INSTANCES_MAX];
	uint32_t hello_ms, dead_ms;
	struct srp_hello_addr addr[SRP_SIDE__N];
	uint32_t caps;                      /**< SRP_CAP_* */
	uint64_t wall_us;                   /**< wall clock of the sender, for display and skew alarms */
};

/** Bytes written to @p buf, or SRP_ENOSPC, or SRP_EINVAL for a hello that no decoder would take. */
int srp_hello_encode(const struct srp_hello *h, void *buf, size_t cap);
/** 0; SRP_ESHORT, SRP_EFORMAT, SRP_ERANGE, SRP_EDEPTH: then @p out is untouched. */
int srp_hello_decode(const void *body, size_t len, struct srp_hello *out);
/**
 * Whether the two can work together.
 * @return 0 with the version to speak in @p version; SRP_EVERSION, SRP_EMISMATCH (number of sessmgrs),
 *         SRP_EDUP (same chassis bit or same incarnation: a misconfigured or looped address)
 */
int srp_hello_agree(const struct srp_hello *me, const struct srp_hello *peer, uint32_t *version);
/** What the election looks at. */
struct srp_candidate srp_hello_candidate(const struct srp_hello *h);

/** SWITCH_PREPARE. */
struct srp_switch_prepare {
	uint32_t id;          /**< of this attempt; SWITCH_READY repeats it, see srp_role_rx */
	uint32_t term;        /**< of the active that asks */
	uint32_t reason;      /**< enum srp_switch_reason; newer numbers are passed on */
	uint32_t timeout_ms;  /**< how long the flush may take, at most SRP_INTERVAL_MS_MAX */
	bool force;           /**< the operator overrides the checks of the standby too */
};
int srp_switch_prepare_encode(const struct srp_switch_prepare *m, void *buf, size_t cap);
int srp_switch_prepare_decode(const void *body, size_t len, struct srp_switch_prepare *out);

/** SWITCH_READY and ERROR: status 0, or a code of srp/err.def, with a text. Texts are printable
 *  ASCII: an encoder replaces other bytes by '?' and cuts at SRP_MESSAGE_TEXT_MAX, a decoder
 *  refuses them. */
struct srp_status {
	uint32_t id;                         /**< SWITCH_READY: of the SWITCH_PREPARE; else 0, not sent */
	int status;                          /**< 0 or negative, as enum srp_err */
	char text[SRP_MESSAGE_TEXT_MAX + 1];
};
int srp_switch_ready_encode(const struct srp_status *m, void *buf, size_t cap);
int srp_switch_ready_decode(const void *body, size_t len, struct srp_status *out);
int srp_error_encode(const struct srp_status *m, void *buf, size_t cap);
int srp_error_decode(const void *body, size_t len, struct srp_status *out);

/** SWITCH_ABORT: why; at most SRP_MESSAGE_TEXT_MAX bytes of @p text are sent. */
int srp_switch_abort_encode(const char *text, void *buf, size_t cap);
int srp_switch_abort_decode(const void *body, size_t len, char text[SRP_MESSAGE_TEXT_MAX + 1]);

/** HANDOVER and TAKEN: the term of the sender (of TAKEN: the new one). 0 is refused. */
int srp_handover_encode(uint32_t term, void *buf, size_t cap);
int srp_handover_decode(const void *body, size_t len, uint32_t *term);
int srp_taken_encode(uint32_t term, void *buf, size_t cap);
int srp_taken_decode(const void *body, size_t len, uint32_t *term);

/** BYE: enum srp_switch_reason; a number above 255 is refused. */
int srp_bye_encode(uint32_t reason, void *buf, size_t cap);
int srp_bye_decode(const void *body, size_t len, uint32_t *reason);

/** CONFIG_CHECK, and CONFIG_RESULT with status and text. */
struct srp_config_check {
	uint32_t id;          /**< drawn by who asks; repeated in the result */
	uint64_t digest;      /**< of the sender's committed configuration */
	struct srp_status st; /**< CONFIG_RESULT only: 0 equal and ready for a switchover */
};
int srp_config_check_encode(const struct srp_config_check *m, void *buf, size_t cap);
int srp_config_check_decode(const void *body, size_t len, struct srp_config_check *out);
int srp_config_result_encode(const struct srp_config_check *m, void *buf, size_t cap);
int srp_config_result_decode(const void *body, size_t len, struct srp_config_check *out);

#endif
