/* license: feature keys. A feature-key file is plain text: a line per feature, its key word, and,
 * where the key ends some day, `expires` and the last day (UTC) that it is good for. Empty lines and
 * lines that begin with # are left out.
 *
 *   # delivered with order 4711
 *   session-recovery
 *   flow-recovery expires 2031-12-31
 *
 * A file is taken whole or refused whole. */
#ifndef CHASSIS_LICENSE_H
#define CHASSIS_LICENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHASSIS_LICENSE_BYTES_MAX 65536 /**< of a feature-key file */
#define CHASSIS_LICENSE_WHY       112   /**< text of a refusal */

/** The row of config.def that names the file: the shell opens it for the daemon. */
#define CHASSIS_LICENSE_COMMAND "license key-file <path>"

#define CHASSIS_LICENSE(sym, word, name, part, key) CHASSIS_LICENSE_##sym,
enum chassis_feature {
#include "chassis/license.def"
	CHASSIS_LICENSE__N
};
#undef CHASSIS_LICENSE

/** A row of license.def. */
struct chassis_feature_row {
	const char *word, *name, *part;
	bool needs_key;
};
extern const struct chassis_feature_row chassis_features[CHASSIS_LICENSE__N];

/** What a feature-key file says; all zero: no keys. Dates are year * 10000 + month * 100 + day. */
struct chassis_license {
	bool key[CHASSIS_LICENSE__N];
	uint32_t expires[CHASSIS_LICENSE__N]; /**< last day that the key is good for; 0: it has no end */
};

/** What a key is worth on a day. */
enum chassis_license_state { CHASSIS_LICENSE_ENABLED, CHASSIS_LICENSE_DISABLED, CHASSIS_LICENSE_EXPIRED };

/**
 * Parses a feature-key file.
 *
 * @param text  its bytes, @p len of them; borrowed
 * @param out   written on success only
 * @param why   receives "line N: ..." (cap bytes) when it is refused
 * @return 0 or SRP_EFORMAT
 */
int chassis_license_parse(const char *text, size_t len, struct chassis_license *out, char *why,
                          size_t cap);
/** Reads and parses the plain file that @p fd (borrowed) is open at; 0, SRP_EIO or SRP_EFORMAT with @p why. */
int chassis_license_read(int fd, struct chassis_license *out, char *why, size_t cap);

/** Gives the feature keys of the file at @p path: 0, or a negative code with @p why. */
typedef int chassis_license_source_fn(void *arg, const char *path, struct chassis_license *out,
                                      char *why, size_t cap);
/** The source that opens the file. */
chassis_license_source_fn chassis_license_load;
/** The source that opens nothing and gives every key: for who reads the configuration of a chassis
 *  elsewhere, where its keys are not. */
chassis_license_source_fn chassis_license_assume;

/** Today (UTC), as in chassis_license.expires. */
uint32_t chassis_license_today(void);
/** State of a feature on the day @p today. */
enum chassis_license_state chassis_license_state(const struct chassis_license *l,
                                                 enum chassis_feature feature, uint32_t today);

/** Why a feature is disabled today: "its key ..."; NULL: it is not. */
const char *chassis_license_lacks(const struct chassis_license *l, enum chassis_feature feature);

#endif
