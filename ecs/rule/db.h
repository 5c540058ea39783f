/* db: files that a service reads beside its configuration, one entry a line; empty lines and lines with
 * # are left out. A database is read whole, or refused with its first bad lines; then it is read only,
 * and shared by reference.
 *
 * categories, blacklist: URLs.
 *
 *     www.example.com/games   games,ads
 *     example.org             news
 *
 * A host, with or without the beginning of a path, and in `categories` the names of its categories. A
 * host stands for those below it, too (example.org for www.example.org); a path ends where it likes
 * (/games for /games2). Of several entries the one with the longest host counts, then the one with the
 * longest path. Hosts are without port and user, in any case.
 *
 * os-signatures: first segments of TCP.
 *
 *     windows-10  ttl=128 window=64240 mss=1460 scale=8 options=MNWNNS df=1
 *
 * A label, and at least one field: ttl of the sender (that of the packet and up to 31 more), window
 * (N, or mss*N), mss and scale of the options, options in their order (M maximum segment size, W window
 * scale, S selective acknowledgements permitted, T time stamps, N no operation, E end, ? others), df
 * the bit of IPv4. What is not named is not looked at. */
#ifndef ECS_RULE_DB_H
#define ECS_RULE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECS_DB_BYTES_MAX    (16u * 1024 * 1024) /**< of a file */
#define ECS_DB_URLS_MAX     262144u
#define ECS_DB_SIGS_MAX     1024u
#define ECS_DB_HOST_MAX     253u
#define ECS_DB_PATH_MAX     255u
#define ECS_DB_CATEGORY_MAX 31u /**< characters of the name of a category */
#define ECS_DB_ERRORS_MAX   10u /**< bad lines that are told of one file */

/** X(symbol, what it is called, words of its command). */
#define ECS_DBS(X)                                                                            \
	X(CATEGORIES, "categories", "content-filtering category database")                    \
	X(BLACKLIST, "blacklist", "url-blacklisting database")                                \
	X(OS, "os-signatures", "tethering-detection database")
#define X(sym, text, words) ECS_DB_##sym,
enum ecs_db_kind { ECS_DBS(X) ECS_DB__N };
#undef X

struct ecs_db;

/** Receives what is wrong with a line of a file; 0: with the file. */
typedef void ecs_db_bad_fn(void *arg, unsigned line, const char *text);

/**
 * Reads a database.
 *
 * @param text  of @p len bytes; borrowed
 * @param bad   called for each bad line, ECS_DB_ERRORS_MAX at most; may be NULL
 * @return the database, to be released with ecs_db_unref(); NULL: refused, or no memory
 */
struct ecs_db *ecs_db_parse(enum ecs_db_kind kind, const char *text, size_t len, ecs_db_bad_fn *bad,
                            void *arg);
/** One more owner; from any thread. NULL gives NULL. */
struct ecs_db *ecs_db_ref(struct ecs_db *db);
void ecs_db_unref(struct ecs_db *db);
size_t ecs_db_entries(const struct ecs_db *db);
/** What it holds, as a file that reads back to the same; @p len bytes, borrowed. */
const char *ecs_db_text(const struct ecs_db *db, size_t *len);
/** Of that text; of NULL: 0. Equal where two databases say the same in the same order. */
uint64_t ecs_db_digest(const struct ecs_db *db);
const char *ecs_db_name(enum ecs_db_kind kind);

/**
 * Looks a URL up in a database of URLs (NULL: it has nothing).
 *
 * @param host, path  of a request; the path begins with /, or is empty
 * @param categories  of the entry, names with commas between; not ended by 0
 * @return whether there is an entry
 */
bool ecs_db_url(const struct ecs_db *db, const char *host, const char *path, const char **categories,
                size_t *len);
/** Whether @p name is among categories as given by ecs_db_url(), in any case. */
bool ecs_db_has_category(const char *categories, size_t len, const char *name);
/** 1 to ECS_DB_CATEGORY_MAX letters, digits, - and _. */
bool ecs_db_is_category(const char *s, size_t n);

/** What a SYN tells of who made it. */
struct ecs_syn {
	uint8_t ttl;
	uint16_t window, mss; /**< mss 0: none */
	bool has_scale, df;
	uint8_t scale;
	char options[41];     /**< a letter each */
};

/** The label of the first signature that a SYN has; NULL: none. */
const char *ecs_db_os(const struct ecs_db *db, const struct ecs_syn *syn);

#endif
