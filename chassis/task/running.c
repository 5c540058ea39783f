#include "config.h"
#include "chassis/task/running.h"

#include "chassis/cli/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "srp/err.h"
#include "srp/hash.h"

#define MAGIC   0x32676e696e6e7572ull
#define TEXT_AT 4096u
#define ALIGN   64u
#define SEALS   (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

_Static_assert(CHASSIS_LICENSE__N <= 16, "room for the keys");

struct head {
	uint64_t magic, version, digest, wall_ms;
	uint64_t text_len, text_hash, sets_len, sets_hash, dbs_len, dbs_hash;
	uint32_t key[16];        /* of each feature: 0 none, 1 without end, else its last day */
	uint64_t hash;           /* of the head, where this is 0 */
};

static uint64_t hash_head(struct head h)
{
	h.hash = 0;
	return srp_hash64(MAGIC, &h, sizeof(h));
}

static uint64_t sets_at(uint64_t text_len)
{
	return TEXT_AT + (text_len + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t dbs_at(const struct head *h)
{
	return sets_at(h->text_len) + (h->sets_len + ALIGN - 1) / ALIGN * ALIGN;
}

/* --- writing -------------------------------------------------------------------------------- */

struct out {
	int fd;
	uint64_t at;
};

static int put(void *arg, const void *p, size_t n)
{
	struct out *o = arg;
	const char *from = p;

	while (n) {
		ssize_t done = pwrite(o->fd, from, n, (off_t)o->at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return SRP_ENOMEM;
		from += done;
		o->at += (uint64_t)done;
		n -= (size_t)done;
	}
	return SRP_OK;
}

static int hash_parts(int fd, struct head *h)
{
	uint64_t end = dbs_at(h) + h->dbs_len;
	uint8_t *p = mmap(NULL, end, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return SRP_ENOMEM;
	h->sets_hash = srp_hash64(MAGIC, p + sets_at(h->text_len), h->sets_len);
	h->dbs_hash = srp_hash64(MAGIC, p + dbs_at(h), h->dbs_len);
	(void)munmap(p, end);
	return SRP_OK;
}

static int fill(int fd, struct head *h, const char *text, const struct ecs_service *svc)
{
	struct out o = {fd, TEXT_AT};
	int rc = put(&o, text, h->text_len);

	o.at = sets_at(h->text_len);
	if (rc == SRP_OK && ftruncate(fd, (off_t)o.at) < 0)
		rc = SRP_ENOMEM;
	if (rc == SRP_OK && svc)
		rc = ecs_service_sets_save(svc, put, &o);
	h->sets_len = o.at - sets_at(h->text_len);
	if (rc == SRP_OK && h->sets_len > CHASSIS_RUNNING_SETS_MAX)
		rc = SRP_ERANGE;
	o.at = dbs_at(h);
	if (rc == SRP_OK && ftruncate(fd, (off_t)o.at) < 0)
		rc = SRP_ENOMEM;
	if (rc == SRP_OK)
		rc = chassis_database_save(svc, put, &o);
	h->dbs_len = o.at - dbs_at(h);
	if (rc == SRP_OK)
		rc = hash_parts(fd, h);
	h->hash = hash_head(*h);
	o.at = 0;
	if (rc == SRP_OK)
		rc = put(&o, h, sizeof(*h));
	if (rc == SRP_OK && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		rc = SRP_ENOMEM;
	return rc;
}

int chassis_running_write(const struct chassis_running *r, const char *text, size_t len,
                          const struct ecs_service *svc, const struct chassis_license *keys)
{
	struct head h = {.magic = MAGIC, .version = r->version, .digest = r->digest,
	                 .wall_ms = r->wall_ms, .text_len = len,
	                 .text_hash = srp_hash64(MAGIC, text, len)};
	int fd, rc;

	if (!len || len > CHASSIS_RUNNING_TEXT_MAX)
		return SRP_ERANGE;
	for (size_t f = 0; f < CHASSIS_LICENSE__N; f++)
		h.key[f] = !keys->key[f] ? 0 : keys->expires[f] ? keys->expires[f] : 1;
	fd = memfd_create("running", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return SRP_ENOMEM;
	rc = fill(fd, &h, text, svc);
	if (rc == SRP_OK)
		return fd;
	close(fd);
	return rc;
}

/* --- reading -------------------------------------------------------------------------------- */

static int refuse(char *why, size_t cap, const char *text)
{
	snprintf(why, cap, "%s", text);
	return SRP_EFORMAT;
}

/* Whether the parts are where they should be, and what was written. */
static int check(const uint8_t *p, size_t len, struct head *h, char *why, size_t cap)
{
	if (len < TEXT_AT)
		return refuse(why, cap, "it is too short");
	memcpy(h, p, sizeof(*h));
	if (h->magic != MAGIC || h->hash != hash_head(*h))
		return refuse(why, cap, "its head is damaged");
	if (!h->version || !h->text_len || h->text_len > CHASSIS_RUNNING_TEXT_MAX ||
	    h->sets_len > CHASSIS_RUNNING_SETS_MAX || h->dbs_len > CHASSIS_RUNNING_DBS_MAX ||
	    dbs_at(h) + h->dbs_len != len)
		return refuse(why, cap, "it is not as long as it says");
	if (srp_hash64(MAGIC, p + TEXT_AT, h->text_len) != h->text_hash)
		return refuse(why, cap, "its text is damaged");
	if (srp_hash64(MAGIC, p + sets_at(h->text_len), h->sets_len) != h->sets_hash)
		return refuse(why, cap, "its string sets are damaged");
	if (srp_hash64(MAGIC, p + dbs_at(h), h->dbs_len) != h->dbs_hash)
		return refuse(why, cap, "its databases are damaged");
	return SRP_OK;
}

int chassis_running_parse(const uint8_t *p, size_t len, struct chassis_running_file *out, char *why,
                          size_t cap)
{
	struct chassis_license keys = {{false}, {0}};
	struct chassis_config *c;
	struct ecs_sets sets;
	struct head h;
	int rc = check(p, len, &h, why, cap);

	if (rc < 0)
		return rc;
	for (size_t f = 0; f < CHASSIS_LICENSE__N; f++) {
		keys.key[f] = h.key[f] != 0;
		keys.expires[f] = h.key[f] > 1 ? h.key[f] : 0;
	}
	sets = (struct ecs_sets){p + sets_at(h.text_len), h.sets_len};
	c = chassis_config_parse_running((const char *)p + TEXT_AT, h.text_len, &keys, sets, why, cap);
	if (!c)
		return SRP_EFORMAT;
	if (c->service && chassis_database_take(c->service, p + dbs_at(&h), (size_t)h.dbs_len) < 0) {
		chassis_config_free(c);
		return refuse(why, cap, "its databases are no databases");
	}
	if (chassis_config_digest(c) != h.digest) {
		chassis_config_free(c);
		snprintf(why, cap, "what was built from it has another digest");
		return SRP_EMISMATCH;
	}
	*out = (struct chassis_running_file){{h.version, h.digest, h.wall_ms}, c};
	return SRP_OK;
}

int chassis_running_read(int fd, struct chassis_running_file *out, char *why, size_t cap)
{
	struct stat st;
	uint8_t *p;
	int rc;

	if (fd < 0 || fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &st) < 0)
		return refuse(why, cap, "it is no sealed memory");
	if (st.st_size <= 0 ||
	    (uint64_t)st.st_size > sets_at(CHASSIS_RUNNING_TEXT_MAX) + CHASSIS_RUNNING_SETS_MAX + CHASSIS_RUNNING_DBS_MAX)
		return refuse(why, cap, "it is too large");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		snprintf(why, cap, "%s", strerror(errno));
		return SRP_ENOMEM;
	}
	rc = chassis_running_parse(p, (size_t)st.st_size, out, why, cap);
	(void)munmap(p, (size_t)st.st_size);
	return rc;
}
