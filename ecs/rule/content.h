/* content: content filtering, URL blacklisting and tethering detection as configured: policies
 * (`content-filtering category policy-id N`), groups of rating servers (`content-filtering server-group
 * NAME`), and what a rulebase says of them. Included by service.h. */
#ifndef ECS_RULE_CONTENT_H
#define ECS_RULE_CONTENT_H

#include "ecs/rule/action.h"
#include "ecs/rule/db.h"

#define ECS_CF_POLICIES_MAX     64  /**< of a service; no figure is published */
#define ECS_CF_LINES_MAX 128 /**< of one policy */
#define ECS_RATERS_MAX       32  /**< server groups */
#define ECS_RATER_SERVERS    8   /**< of one group */
#define ECS_CF_TEXT_MAX      127 /**< characters of a content-insert */
#define ECS_DB_FILE_MAX      255 /**< characters of the path of a database */

/** What is done with a request: X(symbol, words). */
#define ECS_CF_ACTS(X)                                                                        \
	X(ALLOW, "allow") X(DISCARD, "discard") X(REDIRECT, "redirect-url")                   \
	X(TERMINATE, "terminate-flow") X(REPLY, "www-reply-code-and-terminate-flow")          \
	X(INSERT, "content-insert")
#define X(sym, text) ECS_CF_##sym,
enum ecs_cf_act { ECS_CF_ACTS(X) ECS_CF__N };
#undef X

/** The same in a pattern of the grammar. */
#define ECS_CF_PATTERN                                                                        \
	"{allow|discard|redirect-url <url=text:511>|terminate-flow|"                          \
	"www-reply-code-and-terminate-flow <code=num:400..599>|content-insert <insert=text:127>}"

#define ECS_CF_BLACKLIST_PATTERN                                                              \
	"{discard|redirect-url <url=text:511>|terminate-flow|"                                \
	"www-reply-code-and-terminate-flow <code=num:400..599>}"

struct ecs_cf_action {
	enum ecs_cf_act act;
	uint16_t code;              /**< of REPLY */
	char text[ECS_URL_MAX + 1]; /**< of REDIRECT the URL, of INSERT the text */
};

/** `analyze priority`. */
struct ecs_cf_line {
	uint16_t priority;
	bool all;
	char category[ECS_DB_CATEGORY_MAX + 1]; /**< in small letters */
	struct ecs_cf_action action;
};

struct ecs_cf_policy {
	uint32_t id;
	size_t n;
	struct ecs_cf_line *line; /**< by priority */
	struct ecs_cf_action failure; /**< where a URL could not be rated; default allow */
};

/** `icap server`. */
struct ecs_rater_server {
	struct ecs_addr addr;
	uint16_t port;     /**< default 1344 */
	uint16_t priority; /**< the lowest is asked first; default 1 */
	uint8_t max;       /**< connections; default 4 */
};

struct ecs_rater {
	char name[ECS_NAME_MAX + 1];
	size_t n;
	struct ecs_rater_server server[ECS_RATER_SERVERS]; /**< by priority, then in the order of entry */
	char service[ECS_NAME_MAX + 1]; /**< path of the ICAP URI; default reqmod */
	uint32_t response_s;            /**< response-timeout, default 5 */
	uint32_t retry_s;               /**< connection retry-timeout, default 30 */
	struct ecs_cf_action failure;   /**< default allow */
	char deny[ECS_CF_TEXT_MAX + 1]; /**< deny-message; empty: none */
};

/** `content-filtering mode`. */
#define ECS_CF_MODES(X)                                                                       \
	X(STATIC, "category static-only") X(DYNAMIC, "category static-and-dynamic server-group") \
	X(GROUP, "server-group")
#define X(sym, text) ECS_CF_MODE_##sym,
enum ecs_cf_mode { ECS_CF_MODES(X) ECS_CF_MODE__N };
#undef X

/** Members of struct ecs_rulebase_conf. */
#define ECS_CF_MODE_MEMBERS                                                                   \
	uint8_t cf_mode; /* enum ecs_cf_mode */                                               \
	char cf_group[ECS_NAME_MAX + 1];
#define ECS_BLACKLIST_MEMBERS                                                                 \
	bool blacklisting;                                                                    \
	struct ecs_cf_action blacklist;
#define ECS_TTL_MEMBERS uint64_t tether_ttl[4]; /* a bit for each value */

struct ecs_service;
struct ecs_err;

/* As the other objects of a service: see service.h. */
int ecs_service_cf_policy(struct ecs_service *s, uint32_t id, bool no, struct ecs_err *e);
/** @p category NULL: `all`. A line of its priority is replaced; with @p no it is removed, whatever it
 *  says. */
int ecs_service_cf_line(struct ecs_service *s, uint32_t id, bool no, uint32_t priority,
                            const char *category, const struct ecs_cf_action *a, struct ecs_err *e);
int ecs_service_cf_failure(struct ecs_service *s, uint32_t id, const struct ecs_cf_action *a,
                               struct ecs_err *e);
const struct ecs_cf_policy *ecs_service_find_cf_policy(const struct ecs_service *s, uint32_t id);

int ecs_service_rater(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** A server that is there (address and port) takes over the rest of @p sv. */
int ecs_service_rater_server(struct ecs_service *s, const char *name, bool no,
                             const struct ecs_rater_server *sv, struct ecs_err *e);
/** What a group has beside servers: values out of range are refused. */
int ecs_service_rater_service(struct ecs_service *s, const char *name, const char *path,
                              struct ecs_err *e);
int ecs_service_rater_times(struct ecs_service *s, const char *name, uint32_t response_s,
                            uint32_t retry_s, struct ecs_err *e);
int ecs_service_rater_failure(struct ecs_service *s, const char *name, const struct ecs_cf_action *a,
                              struct ecs_err *e);
int ecs_service_rater_deny(struct ecs_service *s, const char *name, const char *text,
                           struct ecs_err *e);
const struct ecs_rater *ecs_service_find_rater(const struct ecs_service *s, const char *name);
const struct ecs_rater *ecs_service_rater_at(const struct ecs_service *s, size_t i);

/** An action as words of a line, in @p buf of ECS_URL_MAX + 64 bytes. */
const char *ecs_cf_words(const struct ecs_cf_action *a, char *buf);

/* --- databases -------------------------------------------------------------------------------- */

/** The file of a database; NULL or empty: none. What was read of another file is released. */
int ecs_service_db_file(struct ecs_service *s, enum ecs_db_kind kind, const char *path,
                        struct ecs_err *e);
const char *ecs_service_db_path(const struct ecs_service *s, enum ecs_db_kind kind);
/** What was read (taken); NULL: nothing. Before the service is used, frozen or not. */
void ecs_service_db_set(struct ecs_service *s, enum ecs_db_kind kind, struct ecs_db *db);
const struct ecs_db *ecs_service_db(const struct ecs_service *s, enum ecs_db_kind kind);
/** Shares what @p from has read, where both name the same file, and @p s has nothing. */
void ecs_service_db_share(struct ecs_service *s, const struct ecs_service *from);
/** Whether both (NULL: none) have read the same. */
bool ecs_service_db_same(const struct ecs_service *a, const struct ecs_service *b);

#endif
