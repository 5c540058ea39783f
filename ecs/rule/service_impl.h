/* service_impl: the inside of a service, for the files of ecs/rule/ only. Objects as configured (by
 * name, in the order of entry), and beside them what ecs_service_commit() makes for matching. */
#ifndef ECS_RULE_SERVICE_IMPL_H
#define ECS_RULE_SERVICE_IMPL_H

#include <hs.h>

#include "ecs/rule/agents.h"
#include "ecs/rule/detect_impl.h"
#include "ecs/rule/option.h"
#include "ecs/rule/service.h"
#include "ecs/rule/timedef_impl.h"
#include "ecs/rule/trigger.h"
#include "srp/err.h"

#define RULEBASES_MAX   512  /**< and subscriber-bases, classes: no figure is published */
#define SMALL_MAX       1024 /**< trigger-actions, trigger-conditions */
#define SCHEMES_MAX     128  /**< a subscriber-base can bind 127 */
#define SUBS_LINES_MAX  32
#define PRIO_MAX        127  /**< in schemes and subscriber-bases */
#define VALUE_MAX       127  /**< characters of a string value */
#define NOT_ELIGIBLE    0xffffu
#define IDLE_MAX        86400u
#define ID_MAX          2147483647u /**< of content-id, service-identifier */

/** Types and layers of field.def. */
enum ecs_type {
	T_BOOL, T_ADDR, T_NUM8, T_PORT, T_TCPSTATE, T_STR, T_KEYSTR, T_APP, T_IPVER, T_CODE, T_ENUM,
	T__N
};
enum ecs_layer { L_L3, L_L4, L_L7 };

struct ecs_field_row {
	const char *words;
	enum ecs_type type;
	enum ecs_layer layer;
	bool reads_app;        /**< nDPI may still say otherwise */
	uint8_t who;           /**< ECS_WHO_* */
};
extern const struct ecs_field_row ecs_fields[ECS_F__N];
extern const char *const ecs_op_text[ECS_OP__N];

/** Fields as bits, for sets of fields. */
#define FIELD_BIT(f) (UINT64_C(1) << (f))
_Static_assert(ECS_F__N <= 64, "a set of fields is one word");

static inline bool is_string(unsigned field)
{
	return ecs_fields[field].type == T_STR || ecs_fields[field].type == T_KEYSTR;
}

/* --- objects as configured -------------------------------------------------------------------- */

/** A condition, made from a line by its setter: a range of numbers or addresses, a string, ... */
struct cond {
	uint8_t field;
	uint8_t op;
	bool neg;         /**< of a range or string: matches outside it, when the field is there */
	bool want;        /**< T_BOOL: the value asked for; T_STR: the operator is `present` */
	bool v4;          /**< T_ADDR: family of the range */
	bool pool;        /**< T_ADDR, T_PORT, an IMSI: in the ranges of @ref in */
	uint16_t lo, hi;  /**< T_PORT, T_NUM8, T_TCPSTATE, T_IPVER, T_APP, T_CODE, T_ENUM */
	uint16_t column;  /**< of its patterns: the field; of T_KEYSTR given at commit */
	uint16_t pattern; /**< index of its value in its column's set; given at commit */
	struct ecs_addr alo, ahi;
	const struct pool *in; /**< at commit; NULL unknown: matches nothing */
};

struct rule_line {
	struct cond c;
	bool case_sensitive;
	char *key;        /**< T_KEYSTR */
	char *a, *b;      /**< values in canonical text; b NULL where there is no range; of a pool a is
	                       its name */
};

/** A range of addresses, of ports (in the first two bytes), or of IMSIs (ecs_imsi_addr()). */
struct span {
	struct ecs_addr lo, hi;
	bool v4;
};

struct pool_line {
	char *a, *b;      /**< canonical text; b NULL where there is no range */
	struct span span;
};

/** A host-pool, a port-map or an imsi-pool. */
struct pool {
	struct obj o;
	struct pool_line *lines;
	size_t n;
	/* made at commit */
	struct span *spans;    /**< disjoint, by family and address; before the first IPv6 one nv4 */
	size_t nspans, nv4;
	uint16_t pattern[ECS_F__N]; /**< in the set of each field that looks into it, + 1 */
	uint64_t digest;
	bool used;
};

/** Classes of upper layer protocols, to leave out rules that cannot match a packet. */
enum proto_class { PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_OTHER, PROTO__N };
#define PROTO_ALL ((1u << PROTO__N) - 1)

struct ruledef {
	struct obj o;
	struct rule_line *lines;
	size_t n;
	bool any;              /**< multi-line-or all-lines */
	enum ecs_application appl;
	/* made at commit */
	bool l34, used;
	uint8_t p2p;           /**< enum ecs_p2p */
	uint8_t protos;        /**< bit set of enum proto_class that it can match */
	uint64_t gates;        /**< fields one of whose patterns must hit; 0: not gated */
	const struct cond *conds;
	const struct cond *gate; /**< of an AND: the condition whose pattern must hit */
	uint16_t nconds;
	uint64_t digest;
};

struct member {
	uint32_t priority;
	char name[ECS_NAME_MAX + 1];
	struct ruledef *rule;  /**< at commit; NULL unknown */
};

struct group {
	struct obj o;
	enum ecs_application said; /**< ECS_APPL__N: that of its first member */
	struct member *members; /**< by priority */
	size_t n;
	/* made at commit */
	enum ecs_application appl; /**< of its members; ECS_APPL__N: it has none */
	bool l34, used;
	uint8_t p2p;               /**< enum ecs_p2p */
	uint8_t protos;
	uint64_t gates;
	uint64_t digest;
};

struct action {
	struct obj o;
	struct ecs_charging_action pub;
	bool used;
};

struct action_line {
	uint16_t priority;
	uint8_t kind;              /**< enum ecs_line_kind */
	bool adc, mute;
	bool group;
	uint32_t monitoring_key;
	uint8_t analyzer;          /**< of a route */
	bool advanced;
	char rule[ECS_NAME_MAX + 1], action[ECS_NAME_MAX + 1];
	char timedef[ECS_NAME_MAX + 1]; /**< empty: in force at all times */
	char description[ECS_NAME_MAX + 1];
};

struct rulebase {
	struct obj o;
	struct action_line *lines; /**< by priority */
	size_t n;
	struct ecs_rulebase_conf conf;
	struct rulebase *post, *route; /**< the other lists, as rulebases; NULL: no lines */
	/* made at commit */
	bool dynamic;              /**< some lines are not static, or not always in force */
	bool timed;                /**< some are not always in force */
	uint32_t off_at;           /**< its first word in ecs_times.off */
	uint16_t first;            /**< its lines are [first, first + n) of the service */
	uint16_t first_l7;         /**< the first line, of those, that looks at an L7 field */
	size_t words;              /**< 64-bit words of one bit set over its lines */
	uint64_t *sets;            /**< see index.c */
	uint64_t fields;           /**< that its rules look at */
	uint64_t says;             /**< digest of what its lines match, in their order */
	uint8_t records;           /**< ECS_RECORDS_* */
	uint32_t stages;           /**< ECS_STAGE_BIT: of the actions of its lines */
	uint32_t idle[PROTO__N];   /**< see idle.c */
};

struct trigger_action {
	struct obj o;
	bool flow_recovery;
	struct ecs_trigact_conf conf;
	bool used, activates;
};

struct cond_entry {
	enum ecs_op op;
	char name[ECS_NAME_MAX + 1];
};

struct trigger_condition {
	struct obj o;
	struct cond_entry entries[ECS_COND_ENTRIES];
	size_t n;
	uint32_t delay;
	bool has_any, any_equal, any_value;
	struct ecs_trigcond_conf conf;
	bool used;                 /**< with an action that recovers, or activates */
	uint64_t *hits;            /**< rule names that it holds for; while committing only */
};

struct scheme_prio {
	char cond[ECS_NAME_MAX + 1], action[ECS_NAME_MAX + 1];
	bool set;
	/* made at commit */
	struct trigger_condition *c; /**< NULL: no effect */
	bool recovers;
};

struct exact_name {
	const char *name;
	uint16_t delay;
};

struct scheme {
	struct obj o;
	bool trigger;              /**< trigger flow-create */
	struct scheme_prio *prio;  /**< [PRIO_MAX + 1], NULL until the first */
	/** The triggers that do not act: [ECS_TRIGGER_FLOW_CREATE] is not used. */
	struct {
		bool on;
		struct scheme_prio *prio;
	} other[ECS_TRIGGER__N];
	/* made at commit */
	const char *activates[ECS_TRIGGER__N]; /**< the rule; NULL: none */
	bool bound;
	bool serves;                 /**< bound to a class that is there */
	uint16_t *delay;           /**< by rule name index; NOT_ELIGIBLE */
	struct exact_name *exact;  /**< `=` entries, sorted by name, for dynamic rules */
	size_t nexact;
};

struct subs_line {
	enum ecs_subs_field field;
	bool equal;
	char value[ECS_NAME_MAX + 1];
};

struct subs_class {
	struct obj o;
	struct subs_line lines[SUBS_LINES_MAX];
	size_t n;
	bool any;                  /**< multi-line-or */
	bool used;
};

struct subs_bind {
	char cls[ECS_NAME_MAX + 1], scheme[ECS_NAME_MAX + 1];
	bool set;
};

struct subs_base {
	struct obj o;
	struct subs_bind *prio;    /**< [PRIO_MAX + 1], NULL until the first */
};

struct xheader {
	struct obj o;
	struct ecs_xformat pub;
};

struct cf_policy {
	struct obj o;
	struct ecs_cf_policy pub;
};

struct rater {
	struct obj o;
	struct ecs_rater pub;
};

struct bandwidth_policy {
	struct obj o;
	struct ecs_bandwidth_policy pub;
};

struct qos_group {
	struct obj o;
	struct ecs_qos_group pub;
};

struct packet_filter {
	struct obj o;
	struct ecs_packet_filter pub;
};

struct record_format {
	struct obj o;
	struct ecs_record_format pub;
};

/** What find_scheme walks: bindings that resolve, in their order. */
struct binding {
	const struct subs_class *cls;
	const struct subs_base *base;
	uint16_t scheme;
	uint8_t priority;          /**< in its base */
};

/* --- made at commit --------------------------------------------------------------------------- */

struct literals;
struct exacts;
struct ranges;
struct keys;

/** The patterns of one column (a field, or one name of a T_KEYSTR field): strings (one index for those
 *  that say the same), exact values and ranges, or the numbers of applications and the like. */
struct patterns {
	size_t n;              /**< 0: no condition */
	uint32_t first;        /**< of them among those of all columns */
	struct literals *lit;  /**< = starts-with ends-with; NULL: none */
	hs_database_t *db;     /**< contains, regex: one database; NULL: none */
	uint64_t key;          /**< of what the database was compiled from */
};

struct ecs_service {
	char name[ECS_NAME_MAX + 1];
	bool frozen;
	bool trusted;                /**< expressions were tried before: not again, line by line */
	struct ecs_sets given;       /**< databases that need not be compiled; while committing only */
	struct obj_table ruledefs, groups, rulebases, actions, trigger_actions, conditions, schemes,
		classes, bases, xheaders, host_pools, port_maps, imsi_pools, timedefs, filters, policies, qos_groups,
		cf_policies, raters,
		records[ECS_RECORD_KIND__N];
	size_t nlines;               /**< action lines over all rulebases */
	size_t nposts, nroutes;      /**< lines of the other lists; they stand behind those */
	struct detect detect;
	struct ecs_timeouts timeouts;
	uint32_t idle[PROTO__N];     /**< see idle.c; made at commit, as idle_most */
	uint32_t idle_most;
	uint32_t flow_chkpt;
	uint32_t l4_flows;           /**< 0: no limit */
	char agents[ECS_USER_AGENTS_MAX][ECS_TOKEN_MAX + 1]; /**< redirect user-agent */
	size_t nagents;
	uint32_t lifetimes[ECS_LIFETIMES]; /**< seconds at which the buckets begin */
	uint32_t sync_icsr_s, sync_sr_s; /**< 0: each second */
	uint32_t recover;            /**< bit of each enum ecs_recover that is on */
	struct {
		char path[ECS_DB_FILE_MAX + 1]; /* empty: none */
		struct ecs_db *db;              /* NULL: not read */
	} db[ECS_DB__N];
	/* made at commit */
	uint64_t digest;
	struct ecs_line *lines;
	struct cond *conds;          /**< of all ruledefs, cheap ones first in each */
	struct patterns *sets;       /**< [ncolumns] */
	size_t ncolumns;             /**< ECS_F__N, and one for each name of a T_KEYSTR field */
	size_t npatterns;            /**< of all columns */
	struct keys *keys;           /**< those names */
	uint32_t *gate_at;           /**< ruledefs gated by pattern i of set k are gate[gate_at[k.first
	                                  + i]..] */
	uint16_t *gate;
	struct exacts *exacts;       /**< values of the T_ADDR and T_PORT fields */
	struct ranges *ranges;       /**< ranges of the same */
	uint32_t *lines_at;          /**< ruledef i: lines lines_of[lines_at[i]..], ascending */
	uint16_t *lines_of;
	struct binding *bindings;
	size_t nbindings;
};

/** Each of the lists of rules of a rulebase, as a rulebase. */
#define LIST_EACH(rb, var)                                                                   \
	for (struct rulebase *var##_v[] = {(rb), (rb)->post, (rb)->route}, **var##_p = var##_v; \
	     var##_p < var##_v + 3; var##_p++)                                               \
		for (struct rulebase *var = *var##_p; var; var = NULL)

#define TABLE_EACH(t, type, var)                                                             \
	for (size_t var##_i = 0; var##_i < (t)->n; var##_i++)                                \
		for (struct type *var = (struct type *)(void *)(t)->v[var##_i]; var; var = NULL)

/* --- shared helpers --------------------------------------------------------------------------- */

/** Finds out which records the rulebases give; lines are compiled. */
void ecs_recorded_build(struct ecs_service *s);
/** Writes @p fmt into @p e (may be NULL) and returns @p code. */
int ecs_refuse(struct ecs_err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** SRP_ESTATE with a text once the service is frozen, else 0. */
int ecs_rule_open(const struct ecs_service *s, struct ecs_err *e);
/** 0 or SRP_EINVAL: 1 to 63 printable characters that can stand in a line without quotes. */
int ecs_name_check(const char *name, const char *what, struct ecs_err *e);
/** 0, SRP_ERANGE or SRP_EINVAL: 1 to @p max characters that can stand in quotes. */
int ecs_text_check(const char *text, const char *what, size_t max, struct ecs_err *e);
/** Opens or removes; with @p out the object (NULL after a removal). */
int ecs_obj_open(struct obj_table *t, const char *name, bool no, struct ecs_err *e,
                 struct obj **out);
/** The object, or NULL with SRP_ENOENT's text in @p e. */
struct obj *ecs_obj_need(const struct obj_table *t, const char *name, struct ecs_err *e);
/** The object, to be changed: 0; SRP_ESTATE or SRP_ENOENT with a text, then @p out is NULL. */
int ecs_obj_edit(const struct ecs_service *s, const struct obj_table *t, const char *name,
                 struct obj **out, struct ecs_err *e);
/** The same of each table: TYPE_edit(). */
#define OBJ_EDIT(type, table)                                                                \
	static inline int type##_edit(const struct ecs_service *s, const char *name,         \
	                              struct type **out, struct ecs_err *e)                  \
	{                                                                                    \
		struct obj *o;                                                               \
		int rc = ecs_obj_edit(s, &s->table, name, &o, e);                            \
                                                                                             \
		*out = (struct type *)(void *)o;                                             \
		return rc;                                                                   \
	}
OBJ_EDIT(ruledef, ruledefs)
OBJ_EDIT(group, groups)
OBJ_EDIT(rulebase, rulebases)
OBJ_EDIT(trigger_action, trigger_actions)
OBJ_EDIT(trigger_condition, conditions)
OBJ_EDIT(scheme, schemes)
OBJ_EDIT(subs_class, classes)
OBJ_EDIT(subs_base, bases)
OBJ_EDIT(xheader, xheaders)
OBJ_EDIT(cf_policy, cf_policies)
OBJ_EDIT(rater, raters)
#undef OBJ_EDIT
/** Copies a checked name. */
void ecs_name_copy(char out[ECS_NAME_MAX + 1], const char *name);
/** The array @p v of @p n elements with room for one more; NULL without memory, then @p v stays. */
void *ecs_array_more(void *v, size_t n, size_t size);


/** Classes for which the protocol of a packet is looked at. */
enum proto_class ecs_proto_class(uint8_t proto);

/** Bytes in canonical form, to be hashed once. */
struct canon {
	uint8_t *p;
	size_t n, cap;
	bool failed;
};
void ecs_canon_u64(struct canon *c, uint64_t v);
void ecs_canon_str(struct canon *c, const char *s, bool fold);
/** Sorts the 64-bit values that were put since @p from: where order says nothing. */
void ecs_canon_sort(struct canon *c, size_t from);
/** The digest of what is in @p c, which is emptied; never 0. */
uint64_t ecs_canon_digest(struct canon *c);
void ecs_canon_free(struct canon *c);

/** Finds how long flows can be silent (idle.c). */
void ecs_idle_build(struct ecs_service *s);

/** Digests of rules, actions and of the whole (digest.c); 0 or SRP_ENOMEM. */
int ecs_digest_rules(struct ecs_service *s);
int ecs_digest_service(struct ecs_service *s);

/** Compiles the sets of all fields (stringset.c). */
int ecs_stringset_build(struct ecs_service *s, struct ecs_err *e);
void ecs_stringset_free(struct patterns *set);
/** Calls @p fn once or more for each pattern that @p text has. */
typedef void literal_hit_fn(void *arg, uint16_t pattern);
void ecs_stringset_find(const struct patterns *set, const char *text, size_t len,
                        hs_scratch_t *scratch, literal_hit_fn *fn, void *arg);
/** SRP_EINVAL with Hyperscan's words when @p regex is not an expression it can compile. */
int ecs_stringset_check_regex(const char *regex, bool case_sensitive, struct ecs_err *e);

/** The serialised database of @p key (sets.c), @p len bytes; NULL: it is not there. */
const uint8_t *ecs_sets_find(const struct ecs_sets *sets, uint64_t key, size_t *len);

/** Anchored literals (literal.c): room for @p n; the texts added are borrowed. */
struct literals *ecs_literals_new(size_t n);
void ecs_literals_free(struct literals *l);
bool ecs_literal_is(enum ecs_op op);
void ecs_literals_add(struct literals *l, enum ecs_op op, bool case_sensitive, const char *text,
                  uint16_t pattern);
void ecs_literals_find(const struct literals *l, const char *text, size_t len, literal_hit_fn *fn,
                   void *arg);

/** Whether a name is free for a new object of @p t: ruledefs, groups, pools and maps share one space
 *  (hosts.c). 0 or SRP_EDUP. */
int ecs_name_free(const struct ecs_service *s, const struct obj_table *t, const char *name,
                  struct ecs_err *e);
void ecs_hosts_fini(struct obj *o);
/** Merges the ranges of all pools, and binds conditions to them; 0 or SRP_ENOMEM. */
int ecs_hosts_build(struct ecs_service *s);
void ecs_hosts_drop(struct ecs_service *s);
/** The pools that lines of a field name. */
const struct obj_table *ecs_pools_of(const struct ecs_service *s, unsigned field);
/** What they are called. */
const char *ecs_pool_word(unsigned field);
bool ecs_hosts_has(const struct pool *p, const struct ecs_addr *a, bool v4);
/** A port as a span has it. */
struct ecs_addr ecs_port_addr(uint16_t port);
/** An IMSI as a span has it: those of as many digits are in their order. False: it is none. */
bool ecs_imsi_addr(const char *imsi, struct ecs_addr *out);
/** Reads the two values of a line of a pool of @p field, or the one, to canonical texts (at least
 *  VALUE_MAX + 1 bytes each) and the span (value.c). */
int ecs_span_read(unsigned field, const char *a, const char *b, struct span *out, char *ta, char *tb,
                  struct ecs_err *e);

/** Names of T_KEYSTR fields (keys.c): gives each its column; 0, SRP_ENOMEM, SRP_EFULL with @p e. */
int ecs_keys_build(struct ecs_service *s, struct ecs_err *e);
void ecs_keys_free(struct keys *k);
/** The column of a name in any case; 0: no condition looks at it. */
uint16_t ecs_keys_find(const struct keys *k, unsigned field, const char *name, size_t len);

/** Ranges of L3/L4 conditions (range.c): gives each its pattern; 0 or SRP_ENOMEM. */
int ecs_ranges_build(struct ecs_service *s);
void ecs_ranges_free(struct ranges *r);
bool ecs_range_is(const struct cond *c);

/** Exact values of L3/L4 conditions (exact.c): gives each its pattern; 0 or SRP_ENOMEM. */
int ecs_exacts_build(struct ecs_service *s);
void ecs_exacts_free(struct exacts *x);
bool ecs_exact_is(const struct cond *c);
/** Fields of addresses and ports. */
#define ADDR_PORT_BITS                                                                       \
	(FIELD_BIT(ECS_F_IP_SRC) | FIELD_BIT(ECS_F_IP_DST) | FIELD_BIT(ECS_F_IP_SERVER) |     \
	 FIELD_BIT(ECS_F_IP_SUBSCRIBER) | FIELD_BIT(ECS_F_TCP_SPORT) |                        \
	 FIELD_BIT(ECS_F_TCP_DPORT) | FIELD_BIT(ECS_F_TCP_EPORT) |                            \
	 FIELD_BIT(ECS_F_UDP_SPORT) | FIELD_BIT(ECS_F_UDP_DPORT) | FIELD_BIT(ECS_F_UDP_EPORT))
/** Calls @p fn for each pattern of @p fields that the packet has. */
typedef void exact_hit_fn(void *arg, unsigned field, uint16_t pattern);
void ecs_ranges_find(const struct ecs_service *s, const struct ecs_packet *p, uint64_t fields,
                     exact_hit_fn *fn, void *arg);
/** The same of the IMSI of a session, which imsi-pools hold. */
void ecs_ranges_find_imsi(const struct ecs_service *s, const char *imsi, exact_hit_fn *fn, void *arg);
void ecs_exacts_find(const struct ecs_service *s, const struct ecs_packet *p, uint64_t fields,
                     exact_hit_fn *fn, void *arg);

/** Prints the commands of a rulebase that are no lists, as they differ from its beginning. */
void ecs_rulebase_print(const struct ecs_rulebase_conf *c, void (*put)(void *arg, const char *line),
                        void *arg);
/** Its lists, line by line. */
void ecs_rulebase_print_lists(const struct rulebase *rb, void (*put)(void *arg, const char *line),
                              void *arg);
void ecs_rulebase_free_lists(struct rulebase *rb);
/** The commands of rulebase.def (base.c). */
void ecs_rulebase_init(struct ecs_rulebase_conf *c);
int ecs_rulebase_set(struct ecs_rulebase_conf *c, enum ecs_form form, const char *const *w,
                     size_t n, struct ecs_err *e);
void ecs_rulebase_tell(const struct ecs_rulebase_conf *c, ecs_tell_fn *tell, void *arg);

/** Bandwidth-policies and QoS groups (limit.c, limit_bind.c): printing, what a line has of them. */
void ecs_policy_print(const struct ecs_bandwidth_policy *p,
                      void (*put)(void *arg, const char *line), void *arg);
void ecs_qos_group_print(const struct ecs_qos_group *g,
                         void (*put)(void *arg, const char *line), void *arg);
void ecs_policy_fini(struct obj *o);
void ecs_qos_group_fini(struct obj *o);
/** Gives QoS groups their ids; before ecs_limits_compile() of the lines. */
void ecs_limits_name(struct ecs_service *s);
void ecs_limits_compile(struct ecs_service *s, const struct rulebase *rb, struct ecs_line *l);

void ecs_filter_print(const struct ecs_packet_filter *f, void (*put)(void *arg, const char *line),
                      void *arg);
/** What a group of rating servers is while nothing is said. */
#define ECS_RATER_SERVICE    "reqmod"
#define ECS_RATER_RESPONSE_S 5u
#define ECS_RATER_RETRY_S    30u
void ecs_cf_policy_fini(struct obj *o);
void ecs_cf_policy_print(const struct ecs_cf_policy *p, void (*put)(void *arg, const char *line), void *arg);
/** @p servers: with what may differ between the two chassis: where the servers are. */
void ecs_rater_print(const struct ecs_rater *r, bool servers, void (*put)(void *arg, const char *line),
                     void *arg);
/** The files of databases. */
void ecs_dbs_print(const struct ecs_service *s, void (*put)(void *arg, const char *line), void *arg);
void ecs_record_print(const struct ecs_record_format *r, void (*put)(void *arg, const char *line),
                      void *arg);

/** Indexes from patterns to lines, and the sets of lines (index.c); rules and lines are compiled. 0 or
 *  SRP_ENOMEM. */
int ecs_indexes_build(struct ecs_service *s);
/** Frees what a commit has made (compile.c). */
void ecs_compiled_drop(struct ecs_service *s);

/** Stages that packets of an action need (stages.c); of NULL: none. */
uint32_t ecs_action_stages(const struct ecs_charging_action *a);

/** Resolves schemes and bindings, and which rule names each makes eligible (eligible.c). */
int ecs_eligible_build(struct ecs_service *s);
/** Whether an entry names @p rule. */
bool ecs_cond_entry_hits(const struct cond_entry *x, const char *rule);
/** True when the condition's any-match holds. */
bool ecs_cond_any_holds(const struct trigger_condition *c);
/** Index among rule names (ruledefs, then groups), or -1. */
int ecs_rule_index(const struct ecs_service *s, const char *name);

/** Per-rulebase bit sets over its lines: how many, and which. */
enum { SET_ALWAYS, SET_L34, SET_DYNAMIC, SET_POLICY, SET_PROTO, SET_GATED = SET_PROTO + PROTO__N };
/** L7 fields are ECS_F_HTTP_ANY and after. */
#define L7_FIELDS  (ECS_F__N - ECS_F_HTTP_ANY)
#define L7_BITS    (~(FIELD_BIT(ECS_F_HTTP_ANY) - 1))
#define SETS__N    (SET_GATED + L7_FIELDS)
static inline uint64_t *rulebase_set(const struct rulebase *rb, unsigned which)
{
	return rb->sets + which * (rb->words + 1);
}
/** Its words that are not empty, each a bit. */
static inline uint64_t rulebase_words(const struct rulebase *rb, unsigned which)
{
	return rulebase_set(rb, which)[rb->words];
}
static inline unsigned set_gated(unsigned field)
{
	return SET_GATED + field - ECS_F_HTTP_ANY;
}

#endif
