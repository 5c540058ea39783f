/* edr: records of flows and sessions as lines of text: the fields of a format (rule/record.def), by
 * comma or tab. Which records are made, and when, is in tally.h. */
#ifndef ECS_EDR_H
#define ECS_EDR_H

#include <stddef.h>

#include "ecs/rule/record.h"
#include "ecs/usage.h"

struct ecs_flow;
struct ecs_session;

/** Streams of records: each has files of its own. */
#define ECS_RECORD_STREAMS(X) \
	X(EDR, "edr") X(REPORTING, "reporting-edr") X(UDR, "udr") X(FDR, "fdr")
#define X(sym, text) ECS_STREAM_##sym,
enum ecs_record_stream { ECS_RECORD_STREAMS(X) ECS_STREAM__N };
#undef X
const char *ecs_stream_name(enum ecs_record_stream s);

/** Why a record was made: sn-closure-reason. The numbers are ours. */
#define ECS_CLOSURES(X)                                                                       \
	X(NORMAL, 0, "connection ended") X(HANDOFF, 1, "handoff") X(SESSION, 2, "session ended") \
	X(HAGR, 3, "planned switchover") X(TIMEOUT, 4, "flow idle timeout")                   \
	X(CF, 5, "content filtering") X(BLACKLISTING, 6, "URL blacklisting")                  \
	X(OVERFLOW, 7, "too many flows") X(HIT, 8, "rule hit") X(TRANSACTION, 9, "transaction complete") \
	X(REMAINS, 10, "flow that was not recovered")
#define X(sym, n, text) ECS_CLOSURE_##sym = (n),
enum ecs_closure { ECS_CLOSURES(X) };
#undef X

/** sn-app-protocol; the numbers are ours. */
#define ECS_APP_PROTOCOLS(X) X(UNKNOWN, 0) X(HTTP, 5) X(DNS, 7) X(SECURE_HTTP, 8) X(RTSP, 10) X(P2P, 23)
#define X(sym, n) ECS_PROTO_##sym = (n),
enum ecs_app_protocol { ECS_APP_PROTOCOLS(X) };
#undef X

#define ECS_RECORD_HEADER_MAX 8192u  /**< characters of a header line */
#define ECS_RECORD_LINE_MAX   40960u /**< of a record */
#define ECS_RECORD_SEQ        '\x01' /**< stands where the number of the record in its file goes */

/** What is known beside the model: told by the owner of the engine now and then. */
struct ecs_edr_env {
	uint64_t wall_us;    /**< time of day at @c at */
	struct srp_time at;
	int32_t local_s;     /**< local time less UTC */
	char nas[48];        /**< address of this chassis; empty: none */
};

/** What a flow's analyzers have said, kept for its records. */
struct ecs_said {
	char host[256], url[1024], agent[256], type[128], query[256], sni[256];
	uint16_t code;
	uint8_t method;
	bool open;           /**< an HTTP request or a DNS question that no record tells of yet */
	enum ecs_app_protocol proto;
};

/** What a record tells of. */
struct ecs_edr_in {
	const struct ecs_session *s;
	const struct ecs_flow *f;     /**< NULL: of a session, or of a flow that is not there any more */
	const struct ecs_said *said;  /**< NULL: nothing */
	uint32_t flow_id;             /**< 0: of a session */
	struct srp_time first, last;  /**< packets */
	struct ecs_volume ip, tcp;
	uint64_t charged[2];
	bool child;                   /**< an RTSP session has set the flow up */
	bool unknown;                 /**< which side sent the first packet */
	uint8_t bearer, qci;
	uint32_t content_id, rating_group, service_id;
	const char *rule, *action;    /**< never NULL */
	enum ecs_closure why;
};

/** Writes the names of the fields, behind a `#`; returns the length. @p cap: ECS_RECORD_HEADER_MAX. */
size_t ecs_edr_header(const struct ecs_record_format *r, char *out, size_t cap);
/** Writes the fields; returns the length, 0 where there is no room. @p cap: ECS_RECORD_LINE_MAX. */
size_t ecs_edr_line(const struct ecs_record_format *r, const struct ecs_edr_env *env,
                    const struct ecs_edr_in *in, char *out, size_t cap);

#endif
