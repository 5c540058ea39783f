/* path: a packet's way through an active engine. */
#ifndef ECS_PATH_H
#define ECS_PATH_H

#include "ecs/engine_impl.h"

/** Flows at once, of one session and of an engine; beyond them packets of new flows are charged by
 *  L3/L4 lines. */
#define ECS_SESSION_FLOWS_MAX 65536u
#define ECS_FLOWS_MAX         8388608u
/** Flows being analyzed at once, of one session and of an engine; beyond them new flows have L3/L4
 *  lines only. What one of them can hold is bounded by its analyzers: some 40 KiB. */
#define ECS_SESSION_ANALYSES_MAX 4096u
#define ECS_ANALYSES_MAX         524288u

/** One packet and what is known of it so far. */
struct ecs_way {
	const struct ecs_packet *p; /**< as the subscriber knows it */
	struct ecs_packet *own;  /**< the same, where it is to be seen in another light; NULL: nobody's */
	struct ecs_raw *raw;     /**< the packet to be forwarded; NULL: it is judged only */
	enum {
		ECS_ENDS_NOT, ECS_ENDS_FLOW, ECS_ENDS_SESSION,
		ECS_ENDS_RULEBASE, /**< of the session, for that of e->rebase */
		ECS_ENDS_HELD     /**< what was kept back of the flow goes on (splice.h) */
	} ends;                  /**< asked for by a stage */
	struct ecs_session *s;
	struct ecs_flow *f;      /**< NULL: charged without a flow */
	struct srp_time now;
	uint64_t pkts, bytes;    /**< of a super-packet: those of its segments */
	const struct ecs_charging_action *post; /**< of a line of post-processing; NULL: none */
	uint16_t post_line;      /**< of post-processing, where it is known */
	bool post_known;
	uint32_t also;           /**< ECS_STAGE_BIT: asked for by another stage */
	uint16_t line;           /**< verdict, ECS_LINE_NONE for `(no rule)` */
	uint16_t ref;            /**< of the line; ECS_REF_NONE: to be looked up */
	struct ecs_dynrule *dyn; /**< verdict: a dynamic rule of the call; then there is no line */
	uint8_t bearer;          /**< that carries it; 0: that of its flow */
	bool bypassed;           /**< by the cached verdict */
	bool open;               /**< what is still to be said of the flow may give it another verdict */
	bool pending;            /**< by the L3/L4 rule while control was pending */
	bool held;               /**< forwarded before, charged now: no discard any more */
	bool request;            /**< an HTTP request became complete with it */
	bool head_seen;          /**< the header of that request ends at a known place: */
	uint32_t head_end;       /**< sequence number behind it */
	uint8_t why;             /**< of ECS_ENDS_FLOW: enum ecs_flow_end + 1; 0: as any other end */
	bool content;            /**< e->content says something of its requests */
	bool again;              /**< it was held: a hit of its rule before */
	uint32_t done;           /**< ECS_STAGE_BIT: stages that it has been through */
	bool anew;               /**< a request of a recovered flow, by the rule that it matches itself */
	bool changed;            /**< something that the flow's checkpoint carries */
};

/** The key of the flow of a packet, of either direction. */
static inline struct ecs_flow_key ecs_path_key(const struct ecs_packet *p)
{
	struct ecs_flow_key k = {.proto = p->flow_proto};
	bool up = p->dir == ECS_UPLINK;

	k.subscriber = up ? p->src : p->dst;
	k.server = up ? p->dst : p->src;
	k.subscriber_port = up ? p->sport : p->dport;
	k.server_port = up ? p->dport : p->sport;
	return k;
}

/** Parses, classifies and charges one packet. */
enum ecs_verdict ecs_path(struct ecs_engine *e, const uint8_t *pkt, size_t len, enum ecs_dir dir,
                          uint16_t gso_size, struct ecs_raw *raw, struct srp_time now);
/** Packets and bytes of the segments of a super-packet (R14). */
void ecs_charge_segments(const struct ecs_packet *p, uint16_t gso_size, uint64_t *pkts,
                         uint64_t *bytes);
/**
 * Does to a packet what its line says (enforce.h) and charges it: per-rule counters, and volumes of
 * rule, content-id and session. What a stage stops counts as a hit and is not charged.
 */
enum ecs_verdict ecs_charge(struct ecs_engine *e, struct ecs_way *w);
/** The way of an uplink packet @p p of @p f that was held, as its flow is judged now, through the stages that
 *  are not among @p done. What is not of its flow is the caller's. */
struct ecs_way ecs_charge_again(struct ecs_engine *e, struct ecs_flow *f, struct ecs_raw *raw,
                                struct ecs_packet *p, uint32_t done, struct srp_time now);
/** Whether the charging of a packet of a flow waits for the application's rule (`flow
 *  control-handshaking charge-to-application initial-packets` or `all-packets`). */
bool ecs_charge_waits(const struct ecs_way *w);
/** Does to such a packet what its line says; what another rule may still allow, while the verdict is
 *  open, is not stopped. What goes on is kept to be charged by ecs_charge_release(). */
enum ecs_verdict ecs_charge_hold(struct ecs_engine *e, struct ecs_way *w);

/* --- classify.c ------------------------------------------------------------------------------- */

/**
 * The rule of a packet of a flow: matched, or what the flow has. Sets w->line, w->dyn, w->ref.
 *
 * @param whole  neither a later fragment nor an error of ICMP
 * @param moved  the state of the TCP connection is another than before this packet
 */
void ecs_classify(struct ecs_engine *e, struct ecs_way *w, bool whole, bool moved);
/** The L3/L4 rule of a packet (R16). */
void ecs_classify_l34(struct ecs_engine *e, struct ecs_way *w);
/** Notes why the flow of this packet, seen first in its middle, was not recovered with its session,
 *  if that was: its rule may be the L3/L4 one, or one that would have matched had its application
 *  been known. */
void ecs_classify_mid(struct ecs_engine *e, const struct ecs_way *w);
/** Fills in what rules read of the session, of the flow and of the server's address. */
void ecs_classify_about(const struct ecs_engine *e, const struct ecs_way *w,
                        struct ecs_match_in *in);
/**
 * The line that the packet of @p w matches with what @p l7 says, whatever its flow has.
 *
 * @param maybe  as ecs_match()
 * @return ECS_LINE_NONE: none, or a dynamic rule of the call comes first
 */
uint16_t ecs_classify_match(struct ecs_engine *e, const struct ecs_way *w, const struct ecs_l7 *l7,
                            bool *maybe);

/* --- inspect.c -------------------------------------------------------------------------------- */

struct ecs_analysis;

/** Begins the analysis of the packet's flow, if its rulebase asks for one; beyond ECS_ANALYSES_MAX
 *  the flow has L3/L4 lines only. */
void ecs_inspect_begin(struct ecs_engine *e, struct ecs_way *w, bool recovered);
/** Shows the packet to the analyzers of its flow; returns ECS_AN_* bits. */
unsigned ecs_inspect(struct ecs_engine *e, struct ecs_way *w);
/** Reads an answer of DNS that the subscriber has asked for: names of servers. */
void ecs_inspect_names(struct ecs_engine *e, const struct ecs_way *w);
/** A segment that an analyzer waits for has not come in time. */
void ecs_inspect_late(struct ecs_engine *e, struct ecs_analysis *a, struct srp_time now);

/* --- again.c ---------------------------------------------------------------------------------- */

#define ECS_AGAIN_REDIRECT 1u /**< `flow-recovery redirect` */
#define ECS_AGAIN_CONTENT  2u /**< `flow-recovery content-filtering`, where the rulebase has any */
/** What is done to requests of recovered flows of a session; @p content: ecs_session.content. */
uint8_t ecs_again_of(const struct ecs_service *s, bool content);
/** A packet of a recovered flow that has its verdict and may begin a request, of a session where something
 *  is done to such: if its own match redirects it, that is its verdict; what content filtering says of it
 *  is noted. */
void ecs_again(struct ecs_engine *e, struct ecs_way *w);

/* --- route.c ---------------------------------------------------------------------------------- */

/** What is to be found out of the flow of this packet, by its rulebase; of a recovered flow only what a
 *  route asks for. */
struct ecs_needs ecs_route_needs(struct ecs_engine *e, const struct ecs_way *w, bool recovered);
/** `tcp packets-out-of-order timeout` of the session's rulebase; 0: the usual one. */
uint32_t ecs_route_wait_ms(const struct ecs_engine *e, const struct ecs_session *s);
/** `system-limit l4-flows` is reached: packets that would begin a flow are dropped. */
bool ecs_flows_full(struct ecs_engine *e);
/** `flow limit-across-applications` of the rulebase is reached: another flow of the session of this
 *  protocol is not begun. */
bool ecs_session_flows_full(const struct ecs_engine *e, const struct ecs_session *s, uint8_t proto);

#endif
