/* Files that the supervisor reads and writes while the chassis runs: configuration, feature keys. */
#include "config.h"
#include "suites.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "standby_kit.h"

static char dir[64];

static int text_fd(const char *text, size_t len)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)len), 0);
	CU_ASSERT_EQUAL(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return fd;
}

static const char *content(const char *name)
{
	static char buf[256];
	char path[128];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return "";
	buf[n] = '\0';
	return buf;
}

static void put_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	CU_ASSERT_EQUAL(fchmod(fd, mode), 0);
	close(fd);
}

static int save(const char *asked, const char *text)
{
	char why[400] = "";
	int fd = text_fd(text, strlen(text)), rc = sup_save_file(&shared, asked, fd, why, sizeof(why));

	close(fd);
	CU_ASSERT_EQUAL(rc == 0, why[0] == '\0');
	return rc;
}

/* The feature-key file, after it was read. */
static void keys(void)
{
	const struct srp_time at = {SRP_SEC(1000)};

	begin(false);
	snprintf(dir, sizeof(dir), "/tmp/chassis-keys-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	sup_keys_look(sup, at); /* none is configured */
	CU_ASSERT_EQUAL(sup->keys_looked.us, 0);
	snprintf(config.license_file, sizeof(config.license_file), "%s/keys", dir);
	put_file("keys", "session-recovery\n", 0600);
	sup_keys_look(sup, at);
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_READ);
	put_file("keys", "flow-recovery\n", 0600);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(SUP_KEYS_MS) - 1});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_READ);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(SUP_KEYS_MS)});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_CHANGED);
	CU_ASSERT_EQUAL(unlink(config.license_file), 0);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(2 * SUP_KEYS_MS)});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_GONE);
	put_file("keys", "session-recovery\n", 0600);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(3 * SUP_KEYS_MS)});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_CHANGED);
	CU_ASSERT_EQUAL(unlink(config.license_file), 0);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	config.license_file[0] = '\0';
	end();
}

static void saves(void)
{
	static const char *const outside[] = {"../x", "/etc/x", "a/../x", "./x", "x/", "a//x", "..", ".",
	                                      "/"};
	char path[256], why[400], file[256], d[PATH_MAX], n[PATH_MAX];
	struct stat st;
	int fd, p[2];

	snprintf(dir, sizeof(dir), "/tmp/chassis-save-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	put_file("real.conf", "old\n", 0640);
	snprintf(file, sizeof(file), "%s/link.conf", dir);
	CU_ASSERT_EQUAL(symlink("real.conf", file), 0);
	config = (struct chassis_config){.sessmgrs = 1};
	sup_shared_init(&shared, &config);
	shared.config_file = file;
	/* its own: what the link leads to, with its mode */
	CU_ASSERT_EQUAL(save("", "new\n"), 0);
	CU_ASSERT_STRING_EQUAL(content("real.conf"), "new\n");
	CU_ASSERT(lstat(file, &st) == 0 && S_ISLNK(st.st_mode));
	snprintf(path, sizeof(path), "%s/real.conf", dir);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
	/* another one beside it, by name or whole path; nothing elsewhere */
	CU_ASSERT_EQUAL(save("other.conf", "1\n"), 0);
	CU_ASSERT_STRING_EQUAL(content("other.conf"), "1\n");
	snprintf(path, sizeof(path), "%s/other.conf", dir);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CU_ASSERT_EQUAL(save(path, "2\n"), 0);
	CU_ASSERT_STRING_EQUAL(content("other.conf"), "2\n");
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		CU_ASSERT_EQUAL(save(outside[i], "x"), SRP_ERANGE);
	snprintf(path, sizeof(path), "%sx/y", dir); /* a directory whose name only begins so */
	CU_ASSERT_EQUAL(sup_save_path(file, path, d, n), SRP_ERANGE);
	CU_ASSERT_EQUAL(save("no/such", "x"), SRP_EIO);
	snprintf(path, sizeof(path), "%s/away", dir);
	CU_ASSERT_EQUAL(symlink("/tmp", path), 0);
	CU_ASSERT_EQUAL(save("away/x", "x"), SRP_EIO);
	/* neither through links nor over what is something else */
	CU_ASSERT_EQUAL(save("away", "x"), SRP_EBUSY);
	put_file("key.pem", "secret\n", 0600);
	snprintf(config.srp.key, sizeof(config.srp.key), "%s/key.pem", dir);
	CU_ASSERT_EQUAL(save("key.pem", "x"), SRP_EBUSY);
	CU_ASSERT_STRING_EQUAL(content("key.pem"), "secret\n");
	/* text that is too long, by one, and what could be waited for */
	fd = text_fd("a", SUP_CONFIG_MAX + 1u);
	CU_ASSERT_EQUAL(sup_save_file(&shared, "big", fd, why, sizeof(why)), SRP_ERANGE);
	CU_ASSERT_EQUAL(ftruncate(fd, SUP_CONFIG_MAX), 0);
	CU_ASSERT_EQUAL(sup_save_file(&shared, "big", fd, why, sizeof(why)), 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	CU_ASSERT_EQUAL(sup_save_file(&shared, "big", p[0], why, sizeof(why)), SRP_ERANGE);
	close(p[0]);
	close(p[1]);
	snprintf(path, sizeof(path), "rm -rf %s", dir);
	CU_ASSERT_EQUAL(system(path), 0);
}

static int reload_now(const uint8_t *body, size_t len)
{
	const struct srp_frame_hdr h = {.type = CHASSIS_IPC_RELOAD, .len = (uint32_t)len};

	return sup_reload(sup->slot[SCT].live, &h, body);
}

static void reloads(void)
{
	char file[128], cmd[128];

	snprintf(dir, sizeof(dir), "/tmp/chassis-reload-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/c.conf", dir);
	put_file("c.conf", "no such line\n", 0600);
	begin(true);
	shared.config_file = file;
	start_all();
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x90", 0), SRP_ESHORT);
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x91\x01", 2), SRP_ERANGE);
	/* a text that is not right changes nothing */
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x90", 1), 0);
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT(!sup->reload);
	put_file("c.conf", "config\n  system hostname again\nend\n", 0600);
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x90", 1), 0);
	CU_ASSERT(sup->reload);
	CU_ASSERT(until(none_left));
	CU_ASSERT_EQUAL(sup->status, 0);
	CU_ASSERT_EQUAL(notes->stopped[VPN], 1);
	end();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CU_ASSERT_EQUAL(system(cmd), 0);
}

CU_TestInfo chassis_save_tests[] = {
	{"the feature-key file changes", keys},
	{"save", saves},
	{"reload", reloads},
	CU_TEST_INFO_NULL,
};
