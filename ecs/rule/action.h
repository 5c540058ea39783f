/* action: what a charging-action says. The members are those of action.def. Included by service.h. */
#ifndef ECS_RULE_ACTION_H
#define ECS_RULE_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "ecs/packet.h"

#define ECS_NAME_MAX 63  /**< of rules, groups, rulebases, actions, conditions, schemes */
#define ECS_URL_MAX  511 /**< characters of a redirect-url */
#define ECS_TFT_MAX  16  /**< packet filters of one action */
#define ECS_TOKEN_MAX 32 /**< characters of an end-token, and of a `redirect user-agent` */
#define ECS_DROP_INTERVAL_MAX 999u /**< seconds, of random-drop */
#define ECS_DROP_PKTS_MAX     100u

/** Flow action of a charging-action. */
#define ECS_FLOW_ACTIONS(X)                                                                   \
	X(NONE, "none") X(DISCARD, "discard") X(REDIRECT, "redirect-url")                     \
	X(READDRESS, "readdress") X(TERMINATE_FLOW, "terminate-flow")                         \
	X(TERMINATE_SESSION, "terminate-session") X(OCS_URL, "redirect-ocs-url")              \
	X(RANDOM_DROP, "random-drop") X(RULEBASE, "rulebase-change")                  \
	X(URL_READDRESS, "url-readdress")
#define X(sym, text) ECS_ACT_##sym,
enum ecs_flow_action { ECS_FLOW_ACTIONS(X) ECS_ACT__N };
#undef X

/** What follows the first redirected request of a flow: `first-request-only post-redirect`. */
#define ECS_POST_REDIRECTS(X)                                                                 \
	X(ALL, "") X(ALLOW, "allow") X(DISCARD, "discard") X(TERMINATE, "terminate")
#define X(sym, text) ECS_POST_##sym,
enum ecs_post_redirect { ECS_POST_REDIRECTS(X) ECS_POST__N }; /**< ALL: each is redirected */
#undef X

/** What is done with packets over a limit. */
#define ECS_OVER_ACTIONS(X)                                                                   \
	X(NONE, "") X(DISCARD, "discard") X(LOWER, "lower-ip-precedence")
#define X(sym, text) ECS_OVER_##sym,
enum ecs_over { ECS_OVER_ACTIONS(X) ECS_OVER__N };
#undef X

/** `flow limit-for-bandwidth` of a direction: bits a second, bytes. */
struct ecs_bandwidth {
	bool on;
	uint32_t peak, peak_burst;           /**< default 256000, 3000 */
	uint32_t committed, committed_burst; /**< default 144000, 3000; where has_committed */
	bool has_committed;
	uint8_t violate;                     /**< enum ecs_over: over the peak; default discard */
	uint8_t exceed;                      /**< over the committed rate; NONE: forwarded */
};

/** `ip tos` of a direction: byte = (byte & ~mask) | value; mask 0: not marked. */
struct ecs_tos {
	uint8_t value, mask;
};

/** `charge-volume`: whose bytes, and which of their counts. */
#define ECS_VOLUME_LAYERS(X) X(IP, "ip") X(TCP, "tcp") X(UDP, "udp") X(CONSTANT, "constant")
#define X(sym, text) ECS_VOLUME_##sym,
enum ecs_volume_layer { ECS_VOLUME_LAYERS(X) ECS_VOLUME_LAYER__N };
#undef X
#define ECS_VOLUME_UNITS(X) X(BYTES, "bytes") X(PACKETS, "packets") X(LENGTH, "packet-length")
#define X(sym, text) ECS_VOLUME_##sym,
enum ecs_volume_unit { ECS_VOLUME_UNITS(X) ECS_VOLUME_UNIT__N };
#undef X
enum ecs_way_of { ECS_WAY_BOTH, ECS_WAY_UPLINK, ECS_WAY_DOWNLINK };

/* Members of the rows of type OWN. */
#define ECS_BILLING_MEMBERS                                                                   \
	char charging_edr[ECS_NAME_MAX + 1];  /* edr-formats; empty: none */                  \
	char reporting_edr[ECS_NAME_MAX + 1];                                                 \
	bool edr_at_end;                      /* wait-until-flow-ends; else at each hit */    \
	bool exclude_udrs;
#define ECS_CCA_MEMBERS                                                                       \
	bool credit;                          /* cca charging credit */                       \
	bool credit_preemptive;                                                               \
	uint32_t rating_group;                /* 0: content_id serves */
#define ECS_VOLUME_MEMBERS                                                                    \
	uint8_t volume_layer, volume_unit, volume_way; /* enums above */                      \
	uint32_t volume_constant;
#define ECS_FLOW_ACTION_MEMBERS                                                               \
	enum ecs_flow_action flow_action;                                                     \
	bool discard_up, discard_down;                                                        \
	uint8_t post_redirect;                /* enum ecs_post_redirect */                    \
	uint16_t readdress_port;              /* 0: as it is */                               \
	struct ecs_addr readdress;                                                            \
	char redirect_url[ECS_URL_MAX + 1];   /* of ECS_ACT_REDIRECT */                       \
	char end_token[ECS_TOKEN_MAX + 1];    /* of both redirections: conditional; empty: not */ \
	uint16_t drop_interval[2];            /* of ECS_ACT_RANDOM_DROP: from, to; seconds */ \
	uint16_t drop_pkts[2];                                                                \
	char rulebase[ECS_NAME_MAX + 1];      /* of ECS_ACT_RULEBASE */
#define ECS_IDLE_MEMBERS                                                                      \
	int32_t idle_timeout;                 /* seconds; -1 not set: the service's value */
#define ECS_LIMIT_MEMBERS                                                                     \
	struct ecs_bandwidth limit_up, limit_down;                                            \
	uint32_t bandwidth_id;                /* of the bandwidth-policy; 0 none */
#define ECS_TOS_MEMBERS struct ecs_tos tos_up, tos_down;
#define ECS_NEXTHOP_MEMBERS struct ecs_addr nexthop; /* all zero: none */
#define ECS_QCI_MEMBERS uint8_t qci; /* 0: none */
#define ECS_ARP_MEMBERS uint8_t arp, arp_pci, arp_pvi; /* arp 0: none */
#define ECS_TFT_MEMBERS                                                                       \
	char tft[ECS_TFT_MAX][ECS_NAME_MAX + 1]; /* packet filters, in the order of entry */  \
	size_t ntft;

struct ecs_charging_action {
	char name[ECS_NAME_MAX + 1];
#define ECS_ACTION_NUM(sym, member, ...) uint32_t member;
#define ECS_ACTION_FLAG(sym, member, ...) bool member;
#define ECS_ACTION_NAME(sym, member, ...) char member[ECS_NAME_MAX + 1];
#define ECS_ACTION_OWN(sym, members, ...) members
#include "ecs/rule/action.def"
#undef ECS_ACTION_NUM
#undef ECS_ACTION_FLAG
#undef ECS_ACTION_NAME
#undef ECS_ACTION_OWN
	uint64_t charging_digest; /**< of the rows that charge; made at commit */
	uint16_t index;           /**< among the charging-actions of the service; made at commit */
};

/** Whether an action answers requests with a redirection. */
static inline bool ecs_action_redirects(const struct ecs_charging_action *a)
{
	return a->flow_action == ECS_ACT_REDIRECT || a->flow_action == ECS_ACT_OCS_URL;
}

/** The rating group that quota is asked for. */
static inline uint32_t ecs_action_rating_group(const struct ecs_charging_action *a)
{
	return a->rating_group ? a->rating_group : a->content_id;
}

#endif
