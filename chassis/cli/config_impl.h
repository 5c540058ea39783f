/* config_impl: the state of a parse, for the files of the configuration only. */
#ifndef CHASSIS_CLI_CONFIG_IMPL_H
#define CHASSIS_CLI_CONFIG_IMPL_H

#include "chassis/cli/config.h"
#include "chassis/cli/grammar.h"

#define CHASSIS_CONFIG_ERRORS_MAX 20 /**< errors that are reported of one file */
#define CHASSIS_CONFIG_DEPTH      6
/* `session-recovery reserve` where nothing is said */
#define CFG_RESERVE_SESSIONS      20000
#define CFG_RESERVE_FLOWS         60000

#define CHASSIS_CLI_MODE(sym, prompt) CHASSIS_CLI_##sym,
enum chassis_cli_mode {
#include "chassis/cli/modes.def"
	CHASSIS_CLI_MODE__N
};
#undef CHASSIS_CLI_MODE

/** What `[no] NAME` of the active-charging service opens; see config_ecs.c. */
enum ecs_obj {
	ECS_OBJ_RULEDEF, ECS_OBJ_GROUP, ECS_OBJ_RULEBASE, ECS_OBJ_TRIGACT, ECS_OBJ_TRIGCOND,
	ECS_OBJ_SCHEME, ECS_OBJ_SUBSCLASS, ECS_OBJ_SUBSBASE, ECS_OBJ_HOSTPOOL, ECS_OBJ_PORTMAP, ECS_OBJ_IMSIPOOL, ECS_OBJ_TIMEDEF,
	ECS_OBJ_XHEADER, ECS_OBJ__N
};

/** An open block. */
struct cfg_block {
	unsigned mode;
	unsigned line;             /**< where it was opened */
	bool skip;                 /**< it could not be opened: its lines are not looked at */
	char name[80];             /**< of what it is about */
	const char *what;          /**< keyword that opened it */
};

struct cfg {
	struct chassis_config *conf;
	const char *file;
	unsigned line;
	struct cfg_block block[CHASSIS_CONFIG_DEPTH];
	size_t depth;              /**< blocks open; block[0] is the file itself */
	struct chassis_iface *iface;
	struct chassis_apn *apn;
	struct ecs_charging_action *charging;
	struct ecs_packet_filter *filter;
	struct ecs_bandwidth_policy *policy;
	struct ecs_qos_group *qos_group;
	struct ecs_record_format *record;
	struct chassis_record_conf *files; /**< of the module whose block is open */
	uint32_t cf_policy;        /**< whose block is open */
	int opened;                /**< what an operator's shell opened for this line; -1: nothing */
	bool has_opened;           /**< `opened` says something: an operator's line */
	struct chassis_bulk_file *bulk; /**< whose block is open */
	enum ecs_trigger trigger;  /**< of the scheme whose block is open */
	unsigned srp_line;         /**< where the interval was set that is checked in the end */
	bool priority_used[128];   /**< in the block that was opened last, where there are some */
	unsigned pool_line[CHASSIS_POOLS_MAX];
	unsigned nonlocal_line;    /**< of the first context other than `local`; 0: none yet */
	chassis_license_source_fn *source;
	void *source_arg;
	bool live;                 /**< lines of an operator, tried on a whole configuration */
	bool trusted;              /**< the text was printed by this program: nothing is licensed anew */
	chassis_config_error_fn *err;
	void *err_arg;
	unsigned errors;
	/* of the line that is handled */
	const struct chassis_match *m;
	bool stay;                 /**< the handler does not want the block opened (`no`) */
	const char *at; /**< key of the word that the handler refuses; NULL: the last word */
	struct ecs_err why;
};

/** Handles one line: 0, or a negative code with c->why and c->at. */
typedef int cfg_fn(struct cfg *c, const struct chassis_match *m, size_t arg);

/** Writes c->why and returns SRP_EINVAL; @p key names the word that is refused. */
int cfg_refuse(struct cfg *c, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** Reports an error at a line of the file; @p word NULL: the end of the line. */
void cfg_error(struct cfg *c, unsigned line, const char *word, const char *text);
/** What the block that a line stands in is about. */
const char *cfg_name(const struct cfg *c);
/** 0 where the key of a feature is there, or the text was printed here; else a refusal with the reason. */
int cfg_need_key(struct cfg *c, enum chassis_feature f);
/** 0, or a refusal of a path that does not begin with /. */
int cfg_absolute(struct cfg *c, const char *path);
/** The words of a matched line: keywords in full, values as typed; without `no` and `default`. */
struct cfg_words {
	char store[CHASSIS_LINE_MAX];
	const char *w[CHASSIS_WORDS_MAX];
	size_t n, used;
	enum ecs_form form;
};
void cfg_words_of(const struct chassis_match *m, struct cfg_words *ws);
/** What the service answered: its refusal as that of the word @p key. */
int cfg_told(struct cfg *c, int rc, const char *key);
/** Checks that need the whole of a block: @p mode is being left. */
void cfg_srp_check(struct cfg *c);
/** Checks that need the whole file. */
void cfg_file_check(struct cfg *c);
/** A configuration in which nothing is said; NULL: no memory. */
struct chassis_config *cfg_defaults(void);
/** One line of a file or of an operator; c->errors rises where it is refused. */
void cfg_line(struct cfg *c, struct chassis_grammar *g, const char *text, size_t len);
/** A whole file: its lines, then what is checked in the end. */
void cfg_parse(struct cfg *c, struct chassis_grammar *g, const char *text, size_t len);
/** Freezes the service. */
void cfg_commit(struct cfg *c);
/** The command table (config_table.c). */
const struct chassis_row *cfg_rows(size_t *n);
int cfg_run(struct cfg *c, size_t row, const struct chassis_match *m);

#define CHASSIS_CLI_REFUSED(sym, mode, pattern, enter, what, why) CFG_REFUSED_##sym,
/** Commands that are known and refused. */
enum cfg_refused {
#include "chassis/cli/refused.def"
	CFG_REFUSED__N
};
#undef CHASSIS_CLI_REFUSED
/** True for rows of those. */
bool cfg_row_refused(size_t row);

/* handlers, by the names of config.def */
#define CHASSIS_CLI_CONFIG(mode, pattern, fn, arg, enter, help) cfg_fn cfg_##fn;
#include "chassis/cli/config.def"
#undef CHASSIS_CLI_CONFIG

/** Default of chassis_srp_config. */
void cfg_srp_defaults(struct chassis_srp_config *s);

#endif
