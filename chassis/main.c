#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chassis/task/supervisor_impl.h"
#include "chassis/task/title.h"

static const char usage[] =
	"usage: chassisd -c FILE [-s SOCKET] [-n SUFFIX] [-f]\n"
	"       chassisd -c FILE -t\n"
	"       chassisd -V\n"
	"  -c FILE    configuration\n"
	"  -s SOCKET  where chassisctl finds this chassis, default " CHASSIS_OPERATOR_PATH "\n"
	"  -n SUFFIX  appended to the names of the devices acc, core, svc\n"
	"  -f         stay in the foreground\n"
	"  -t         check the configuration and end\n"
	"  -V         print the version and end\n";

/* The daemon leaves its directory: what the operator named relative to it must stay found. */
static char *absolute(const char *path)
{
	char dir[PATH_MAX];
	char *out;
	size_t n;

	if (path[0] == '/' || !getcwd(dir, sizeof(dir)))
		return strdup(path);
	n = strlen(dir) + strlen(path) + 2;
	out = malloc(n);
	if (out)
		snprintf(out, n, "%s/%s", dir, path);
	return out;
}

static int check(const char *file)
{
	struct chassis_config *c = chassis_config_load(file);

	if (!c)
		return EXIT_FAILURE;
	chassis_config_free(c);
	printf("%s: the configuration is valid\n", file);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *config = NULL, *suffix = "", *operator = CHASSIS_OPERATOR_PATH;
	bool foreground = false, only_check = false;
	char *c, *o, *n;
	int opt, status = EXIT_FAILURE;

	while ((opt = getopt(argc, argv, "c:s:n:ftV")) != -1) {
		switch (opt) {
		case 'c': config = optarg; break;
		case 's': operator = optarg; break;
		case 'n': suffix = optarg; break;
		case 'f': foreground = true; break;
		case 't': only_check = true; break;
		case 'V': puts(PACKAGE_STRING); return EXIT_SUCCESS;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (!config || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (only_check)
		return check(config);
	/* Copies: the title is written where the arguments lie. */
	c = absolute(config);
	o = absolute(operator);
	n = strdup(suffix);
	if (c && o && n) {
		chassis_title_init(argc, argv);
		status = chassis_supervisor_run(c, o, n, foreground);
	}
	free(c);
	free(o);
	free(n);
	return status;
}
