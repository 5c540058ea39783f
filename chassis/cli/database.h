/* database: files that an active-charging service reads beside its configuration (ecs/rule/db.h). */
#ifndef CHASSIS_CLI_DATABASE_H
#define CHASSIS_CLI_DATABASE_H

#include "chassis/cli/config.h"

#define CHASSIS_DATABASE_WHY 600 /**< characters of what is wrong with a file */

/** Lines of configuration mode, and the commands, for which a shell opens the file that they name. */
#define CHASSIS_DATABASE_COMMANDS(X)                                                          \
	X("content-filtering category database <path>")                                       \
	X("url-blacklisting database <path>")                                                 \
	X("tethering-detection database <path>")

/**
 * Reads the plain file that @p fd (borrowed) is open at.
 * @return the database, or NULL with @p why: the first bad lines, by their numbers
 */
struct ecs_db *chassis_database_read(enum ecs_db_kind kind, int fd, char *why, size_t cap);
/**
 * Reads the files that a configuration names and that were not read yet. One that cannot be read is
 * told; its database stays empty.
 */
void chassis_database_load(struct chassis_config *c, chassis_config_error_fn *err, void *arg);
/** Writes the databases of a service (NULL: none) so that chassis_database_take() reads them; @p put
 *  as of ecs_service_sets_save(). */
int chassis_database_save(const struct ecs_service *s,
                          int (*put)(void *arg, const void *p, size_t n), void *arg);
/** Without any bytes: none. 0, or SRP_EFORMAT: it is not whole; then some may have been taken. */
int chassis_database_take(struct ecs_service *s, const uint8_t *p, size_t len);

#endif
