/* running: the configuration that runs, on its way from sct, which compiled it, to the tasks: its text
 * and its string sets in sealed memory. Both ends are the same program on the same machine; what is
 * read is nevertheless looked at whole before any of it is used. */
#ifndef CHASSIS_TASK_RUNNING_H
#define CHASSIS_TASK_RUNNING_H

#include "chassis/cli/config.h"

#define CHASSIS_RUNNING_TEXT_MAX (16u * 1024 * 1024)
#define CHASSIS_RUNNING_SETS_MAX (256u * 1024 * 1024)
#define CHASSIS_RUNNING_DBS_MAX  (ECS_DB__N * (2u * ECS_DB_BYTES_MAX + 64))

/** Which configuration runs. */
struct chassis_running {
	uint64_t version; /**< 1 is that of the start */
	uint64_t digest;  /**< chassis_config_digest of it: the peer's must be equal */
	uint64_t wall_ms; /**< since when */
};

/** What is read back. */
struct chassis_running_file {
	struct chassis_running is;
	struct chassis_config *config; /**< its service is committed; owned by who reads */
};

/**
 * Writes @p text and the sets of @p svc (NULL: there is no service) to sealed memory.
 *
 * @param keys  feature keys of the configuration
 * @return a descriptor, or SRP_ENOMEM, SRP_ERANGE (too large)
 */
int chassis_running_write(const struct chassis_running *r, const char *text, size_t len,
                          const struct ecs_service *svc, const struct chassis_license *keys);
/**
 * Reads it from @p fd (borrowed), which must be sealed.
 * @return 0; SRP_EFORMAT: it is not whole, or does not parse; SRP_EMISMATCH: what was built has
 *         another digest than what was compiled; SRP_ENOMEM; all with @p why
 */
int chassis_running_read(int fd, struct chassis_running_file *out, char *why, size_t cap);
/** The same from @p len bytes at @p p. */
int chassis_running_parse(const uint8_t *p, size_t len, struct chassis_running_file *out, char *why,
                          size_t cap);

#endif
