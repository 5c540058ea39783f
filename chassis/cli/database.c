#include <config.h>
#include "chassis/cli/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "srp/err.h"

/* --- files ---------------------------------------------------------------------------------- */

struct told {
	char *why;
	size_t cap, n;
};

static void keep(void *arg, unsigned line, const char *text)
{
	struct told *t = arg;
	int n;

	if (t->n + 1 >= t->cap)
		return;
	n = line ? snprintf(t->why + t->n, t->cap - t->n, "%sline %u: %s", t->n ? "; " : "", line, text)
	         : snprintf(t->why + t->n, t->cap - t->n, "%s%s", t->n ? "; " : "", text);
	t->n = n < 0 ? t->cap : t->n + (size_t)n;
}

static struct ecs_db *refuse(char *why, size_t cap, const char *text)
{
	snprintf(why, cap, "%s", text);
	return NULL;
}

static bool fill(int fd, char *text, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, text + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

struct ecs_db *chassis_database_read(enum ecs_db_kind kind, int fd, char *why, size_t cap)
{
	struct told t = {why, cap, 0};
	struct ecs_db *db = NULL;
	struct stat st;
	size_t len;
	char *text;

	why[0] = '\0';
	/* a pipe or a device could hold up who reads */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(why, cap, "it is no plain file");
	if (st.st_size > (off_t)ECS_DB_BYTES_MAX)
		return refuse(why, cap, "it is too long");
	len = (size_t)st.st_size;
	text = malloc(len + 1);
	if (!text)
		return refuse(why, cap, srp_strerror(SRP_ENOMEM));
	if (fill(fd, text, len))
		db = ecs_db_parse(kind, text, len, keep, &t);
	else
		refuse(why, cap, "it cannot be read");
	free(text);
	return db;
}

static struct ecs_db *open_and_read(enum ecs_db_kind kind, const char *path, char *why, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct ecs_db *db;

	if (fd < 0)
		return refuse(why, cap, strerror(errno));
	db = chassis_database_read(kind, fd, why, cap);
	close(fd);
	return db;
}

void chassis_database_load(struct chassis_config *c, chassis_config_error_fn *err, void *arg)
{
	struct ecs_service *s = c->service;
	char why[CHASSIS_DATABASE_WHY], text[CHASSIS_DATABASE_WHY + CHASSIS_PATH_MAX + 64];

	for (unsigned k = 0; s && k < ECS_DB__N; k++) {
		const char *path = ecs_service_db_path(s, (enum ecs_db_kind)k);
		struct ecs_db *db;

		if (!path[0] || ecs_service_db(s, (enum ecs_db_kind)k))
			continue;
		db = open_and_read((enum ecs_db_kind)k, path, why, sizeof(why));
		ecs_service_db_set(s, (enum ecs_db_kind)k, db);
		if (db)
			continue;
		snprintf(text, sizeof(text), "%s: the database stays empty: %s", path, why);
		err(arg, text);
	}
}

/* --- on their way to the tasks -------------------------------------------------------------- */

int chassis_database_save(const struct ecs_service *s,
                          int (*put)(void *arg, const void *p, size_t n), void *arg)
{
	int rc = SRP_OK;

	for (unsigned k = 0; s && k < ECS_DB__N && rc == SRP_OK; k++) {
		const struct ecs_db *db = ecs_service_db(s, (enum ecs_db_kind)k);
		size_t len;
		const char *text = ecs_db_text(db, &len);
		uint64_t head[2] = {db != NULL, len};

		rc = put(arg, head, sizeof(head));
		if (rc == SRP_OK && len)
			rc = put(arg, text, len);
	}
	return rc;
}

int chassis_database_take(struct ecs_service *s, const uint8_t *p, size_t len)
{
	for (unsigned k = 0; len && k < ECS_DB__N; k++) {
		struct ecs_db *db = NULL;
		uint64_t head[2];

		if (len < sizeof(head))
			return SRP_EFORMAT;
		memcpy(head, p, sizeof(head));
		p += sizeof(head);
		len -= sizeof(head);
		if (head[0] > 1 || head[1] > len || (!head[0] && head[1]))
			return SRP_EFORMAT;
		if (head[0]) {
			db = ecs_db_parse((enum ecs_db_kind)k, (const char *)p, (size_t)head[1], NULL,
			                  NULL);
			if (!db)
				return SRP_EFORMAT;
		}
		ecs_service_db_set(s, (enum ecs_db_kind)k, db);
		p += head[1];
		len -= (size_t)head[1];
	}
	return len ? SRP_EFORMAT : SRP_OK;
}
