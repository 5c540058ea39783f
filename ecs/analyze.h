/* analyze: what the analyzers of one flow have found out, and their state. HTTP requests, TLS, QUIC
 * and DNS are read in the direction of the side that opened the flow, HTTP responses in the other, RTSP in
 * both. Each HTTP request and each DNS question of a flow is an answer of its own; a TLS name and an
 * application are given once. */
#ifndef ECS_ANALYZE_H
#define ECS_ANALYZE_H

#include "ecs/app.h"
#include "ecs/engine.h"
#include "ecs/http.h"
#include "ecs/quic.h"
#include "ecs/response.h"
#include "ecs/rtsp.h"
#include "ecs/stream.h"

/** Packets with payload, of either direction, after which an analyzer without an answer gives
 *  up. */
#define ECS_ANALYZE_PACKETS_MAX 64u

#define ECS_AN_NEWS 0x01u /**< what is known has changed, or is final now: match again */
#define ECS_AN_OVER 0x02u /**< nothing will ever be said again: the analysis can be freed */

enum ecs_analysis_stage {
	ECS_STAGE_OPEN,  /**< not known which protocol it is */
	ECS_STAGE_HTTP, ECS_STAGE_TLS, ECS_STAGE_DNS, ECS_STAGE_QUIC,
	ECS_STAGE_OVER   /**< none of them, or answered for good */
};

struct ecs_analysis {
	struct ecs_l7 l7;
	struct ecs_needs needs;
	enum ecs_analysis_stage stage;
	enum ecs_dir opener;
	uint8_t proto;
	bool dns_port;              /**< the server's port is that of DNS */
	bool answered;              /**< the stage has given its first answer */
	uint16_t packets;           /**< with payload */
	struct ecs_stream stream;   /**< TCP, of the opener */
	struct ecs_http http;
	struct ecs_stream back;     /**< TCP, of the other side: where responses are read */
	struct ecs_response response;
	bool acked;                 /**< ack is known */
	uint32_t ack;               /**< what the opener's first packet behind its SYN acknowledged */
	bool replied;               /**< to the last request; or nothing is waited for */
	struct ecs_rtsp *rtsp;      /**< beside the stage; NULL: not asked for, or over */
	struct ecs_quic quic;
	const struct ecs_crypto *crypto; /**< NULL: QUIC is not read */
	uint8_t *buf;               /**< beginning of a TLS hello or of a DNS message over TCP */
	size_t len, cap, need;
	size_t skip;                /**< DNS over TCP: bytes left of a message that was read */
	char *name;                 /**< what tls_sni or dns_query point at */
	struct ecs_app_flow *app;   /**< NULL: not asked for, or over */
	uint64_t held_pkts[2], held_bytes[2]; /**< of the handshake: to be charged by the verdict */
	struct srp_list in_held;    /**< in the engine, while anything is held */
	uint64_t held_row;          /**< of the trace: of the packet held last; 0 */
	struct ecs_flow *flow;      /**< whose analysis it is */
	struct ecs_wheel_node wait; /**< while the stream holds segments: for what is missing */
	struct ecs_counters *ctr;   /**< while a packet is being read */
	bool news;
	bool head_seen;             /**< of the last HTTP request: head_end is known */
	uint32_t head_end;          /**< sequence number behind its header */
	bool late;                  /**< found out between two packets */
};

/**
 * Begins the analysis of a flow in zeroed memory.
 *
 * @param needs   what the rulebase asks for
 * @param crypto  for QUIC; NULL: none
 * @param server_port  of UDP or TCP
 * @return false when nothing that is asked for can be found in such a flow: none is needed
 */
bool ecs_analysis_init(struct ecs_analysis *a, struct ecs_needs needs, uint8_t proto,
                       uint16_t server_port, enum ecs_dir opener,
                       const struct ecs_crypto *crypto);
void ecs_analysis_fini(struct ecs_analysis *a);
/** Reads one packet of the flow; @p app may be NULL. Returns ECS_AN_* bits. */
unsigned ecs_analyze(struct ecs_analysis *a, struct ecs_app *app, const struct ecs_packet *p,
                     struct ecs_counters *ctr, struct srp_time now);
/** The timer of its stream: as ecs_stream_timer(). What is found out then is news of the next
 *  packet. */
uint64_t ecs_analysis_timer(struct ecs_analysis *a, struct ecs_counters *ctr);
/** True where only DNS over UDP is looked for: a message is read by itself, and nothing is kept. */
bool ecs_analysis_is_message(const struct ecs_analysis *a);
/** True when anything was found out so far. */
bool ecs_analysis_spoken(const struct ecs_analysis *a);

#endif
