/* config: what the configuration file says, parsed by the rows of chassis/cli/config.def. Nothing
 * is half read: a file gives a whole configuration, or errors with file, line, word and what was
 * expected. The files beside this one write <config.h> for the results of configure: "config.h"
 * would be this. */
#ifndef CHASSIS_CLI_CONFIG_H
#define CHASSIS_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "chassis/cli/bulk.h"
#include "chassis/license.h"
#include "ecs/rule/service.h"

#define CHASSIS_SESSMGRS_MAX 32
#define CHASSIS_IFACES_MAX   16
#define CHASSIS_POOLS_MAX    64
#define CHASSIS_APNS_MAX     64
#define CHASSIS_ADDRS_MAX    16
#define CHASSIS_PATH_MAX     256

enum chassis_mode { CHASSIS_BACKUP, CHASSIS_PRIMARY };
enum chassis_side { CHASSIS_SIDE_NONE, CHASSIS_SIDE_ACCESS, CHASSIS_SIDE_CORE };

/** One address of an interface; activate: owned by the active chassis only (`srp-activate`). */
struct chassis_if_addr {
	struct ecs_addr addr;
	uint8_t len;              /**< prefix length within its own family */
	bool activate;
};

/** `interface NAME` of a context; the name is that of the Linux device. */
struct chassis_iface {
	char name[16];            /**< IFNAMSIZ */
	char context[80];
	enum chassis_side side;   /**< `side access|core` (ours): which TUN its packets go by */
	bool loopback;            /**< `interface NAME loopback`: no device, its addresses only */
	struct chassis_if_addr addr[CHASSIS_ADDRS_MAX];
	size_t naddr;
};

/** `ip pool` or `ipv6 pool`: subscriber addresses. */
struct chassis_pool {
	char name[32];
	char context[80];
	struct ecs_addr prefix;
	uint8_t len;              /**< within its own family; IPv6: subscribers have /64 */
	bool v6, activate;
	char kind[12];            /**< public, private, static as written; empty: not written */
	int kind_class;           /**< `public N`, `private N`; -1: not written */
	char first_packet_apn[64];/**< not empty: a subscriber's first packet creates its session */
};

/** `apn NAME`: what a session of it gets. */
struct chassis_apn {
	char name[64];
	char context[80];
	char rulebase[ECS_NAME_MAX + 1];
	uint32_t idle_timeout;
};

/** The `service-redundancy-protocol` mode. Times in milliseconds. */
struct chassis_srp_config {
	bool present;
	char context[80];
	enum chassis_mode mode;   /**< default backup */
	uint8_t priority;         /**< 1 to 255, default 125, lowest wins */
	struct ecs_addr peer, bind;
	bool has_peer, has_bind;
	uint16_t port;            /**< default 4711 (ours); instance i is at port + i */
	uint32_t hello_ms;        /**< default 10 000; `msec` for less than a second */
	uint32_t dead_ms;         /**< default 30 000, at least 3 hellos */
	uint32_t delay_ms;        /**< delay-interval: start of the dead-interval after load */
	uint32_t session_duration;/**< checkpoint session duration, seconds, default 60 */
	bool lz4;                 /**< checkpoint session compression lz4; default none (R26) */
	uint32_t rate, burst;     /**< checkpoint rate-limit, records a second; 0 none */
	uint32_t audit_minutes;   /**< audit periodicity, 60 to 43200, default 60 */
	uint32_t relay_ms;        /**< relay-time after a planned switchover, default 3000 */
	uint32_t pending_s;       /**< control-pending timeout, default 60 */
	uint32_t route_modifier;  /**< initial, default 16 for backup, 8 for primary */
	char cert[CHASSIS_PATH_MAX], key[CHASSIS_PATH_MAX], ca[CHASSIS_PATH_MAX];
	char peer_name[256];      /**< DNS name that the peer's certificate must carry */
};

/** Files of records: `edr-module` (EDRs, reporting EDRs, FDRs), `udr-module`. */
enum chassis_record_module { CHASSIS_RECORDS_EDR, CHASSIS_RECORDS_UDR, CHASSIS_RECORDS__N };
struct chassis_record_conf {
	bool present;
	char context[80];
	char directory[CHASSIS_PATH_MAX]; /**< where a directory `edr` or `udr` is made */
	char name[32];            /**< that file names begin with; default the host's */
	char current[16];         /**< in front of the name of a file that is being written */
	uint32_t rotate_records;  /**< a file is complete with so many records, */
	uint32_t rotate_s;        /**< or so long after it was begun, */
	uint64_t rotate_bytes;    /**< or before it would be longer */
	bool headers;             /**< a first line with the names of the fields */
};

struct chassis_config {
	char hostname[64];        /**< `system hostname`, default "chassis" */
	uint32_t sessmgrs;        /**< `task facility sessmgr max N`, 1 to CHASSIS_SESSMGRS_MAX */
	char license_file[CHASSIS_PATH_MAX]; /**< `license key-file`; empty: no keys */
	struct chassis_license license;      /**< what that file said when the line was read */
	bool session_recovery;    /**< `require session recovery`, and its feature key is there */
	uint32_t reserve_sessions, reserve_flows; /**< `session-recovery reserve`, for a standby sessmgr */
	char logging[16];         /**< `logging stderr|syslog` (ours) */
	int severity;             /**< syslog number, default 6 */
	char state_file[CHASSIS_PATH_MAX]; /**< `srp state-file` (ours): the persisted term */
	bool crash_cores;         /**< `crash enable` (ours): tasks that crash leave core files */
	char crash_dir[CHASSIS_PATH_MAX]; /**< where; empty: CHASSIS_CRASH_DIR */
	struct chassis_bulk bulk; /**< bulk statistics */
	char bulk_dir[CHASSIS_PATH_MAX]; /**< `directory` (ours) of their files; empty: none is written */
	struct chassis_srp_config srp;
	struct chassis_record_conf records[CHASSIS_RECORDS__N];
	struct chassis_iface iface[CHASSIS_IFACES_MAX];
	size_t niface;
	struct chassis_pool pool[CHASSIS_POOLS_MAX];
	size_t npool;
	struct chassis_apn apn[CHASSIS_APNS_MAX];
	size_t napn;
	bool require_active_charging;
	struct ecs_service *service; /**< owned; NULL where none is configured */
};

/** Called with each error: "FILE:LINE: at 'WORD': expected ...". */
typedef void chassis_config_error_fn(void *arg, const char *text);

/**
 * Parses a whole file. Of the files that it names it opens none but that of the feature keys.
 *
 * @param text   its bytes, @p len of them; borrowed
 * @param file   its name, for errors
 * @return a configuration whose service is committed, to be freed with chassis_config_free; NULL
 *         after at least one error
 */
struct chassis_config *chassis_config_parse(const char *text, size_t len, const char *file,
                                            chassis_config_error_fn *err, void *arg);
/** The same, with feature keys from @p source. */
struct chassis_config *chassis_config_parse_with(const char *text, size_t len, const char *file,
                                                 chassis_license_source_fn *source,
                                                 void *source_arg, chassis_config_error_fn *err,
                                                 void *arg);
void chassis_config_free(struct chassis_config *c);

/* --- lines of an operator ------------------------------------------------------------------- */

struct chassis_config_edit;

/**
 * Opens a copy of @p base for lines, in configuration mode.
 *
 * @return an edit, to be freed with chassis_config_edit_free; NULL: no memory
 */
struct chassis_config_edit *chassis_config_edit_new(const struct chassis_config *base);
void chassis_config_edit_free(struct chassis_config_edit *e);
/**
 * Tries one line on the copy.
 *
 * @param source  asked for feature keys where the line names a file of them
 * @param why     receives "at 'WORD': expected ..." (cap bytes) when it is refused; then nothing
 *                has changed
 * @return 0 or SRP_EINVAL
 */
int chassis_config_edit_line(struct chassis_config_edit *e, const char *text, size_t len,
                             chassis_license_source_fn *source, void *source_arg, char *why,
                             size_t cap);
/** The file that the shell opened for the next line (borrowed), or -1: it opened none. */
void chassis_config_edit_file(struct chassis_config_edit *e, int fd);
/** True after `end`, and after the `exit` that leaves configuration mode. */
bool chassis_config_edit_left(const struct chassis_config_edit *e);
/**
 * Ends the edit; what needs the whole configuration is checked now.
 * @return the new configuration, its service committed, to be freed with chassis_config_free; NULL
 *         with @p why
 */
struct chassis_config *chassis_config_edit_end(struct chassis_config_edit *e, char *why,
                                               size_t cap);
/** As chassis_config_edit_end, but the service is not committed yet: compiling it takes time. */
struct chassis_config *chassis_config_edit_take(struct chassis_config_edit *e, char *why,
                                                size_t cap);
/** What stands in brackets of the prompt: the mode that the next line is read in, and in which
 *  context. */
const char *chassis_config_edit_mode(const struct chassis_config_edit *e, const char **context);
/** Called for each thing that can follow, as by chassis_grammar_next. */
typedef void chassis_config_next_fn(void *arg, const char *word, bool keyword, const char *help);
/** What may follow @p text in this mode; 0, or SRP_EINVAL with @p why where the text does not fit. */
int chassis_config_edit_help(struct chassis_config_edit *e, const char *text, size_t len,
                             chassis_config_next_fn *fn, void *arg, char *why, size_t cap);
/** Prints it as a file that parses back to itself. */
void chassis_config_print(const struct chassis_config *c, FILE *out);
/** Prints what runs when @p next (its service need not be committed) was entered where @p running
 *  runs: the active-charging service, APNs, feature keys and some values of
 *  service-redundancy-protocol are those of @p next; the rest waits for a reload. */
void chassis_config_print_running(const struct chassis_config *running,
                                  const struct chassis_config *next, FILE *out);
/** The digest of that; @p next is committed. */
uint64_t chassis_config_digest_running(const struct chassis_config *running,
                                       const struct chassis_config *next);
/** Commits the service of an edit's result; 0, or a negative code with @p why. */
int chassis_config_commit(struct chassis_config *c, char *why, size_t cap);
/**
 * Reads what was printed so.
 *
 * @param keys  feature keys that were known where it was printed
 * @param sets  string sets that need not be compiled again; borrowed
 * @return a configuration whose service is committed, or NULL with @p why
 */
struct chassis_config *chassis_config_parse_running(const char *text, size_t len,
                                                    const struct chassis_license *keys,
                                                    struct ecs_sets sets, char *why, size_t cap);
/** Digest of what both chassis must have equal (not addresses of one side, mode, priority, paths);
 * 0 without memory. */
uint64_t chassis_config_digest(const struct chassis_config *c);
/** The pool that holds @p a, or NULL. */
const struct chassis_pool *chassis_config_pool(const struct chassis_config *c,
                                               const struct ecs_addr *a);
const struct chassis_apn *chassis_config_apn(const struct chassis_config *c, const char *name);

#endif
