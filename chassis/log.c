#include "config.h"
#include "chassis/task/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN  1024
#define LINES_A_SECOND 200 /* of one task: a peer that connects in a loop must not fill the disk */

static const char *const severity_name[] = {"emergency", "alert", "critical", "error",
                                            "warning", "notice", "info", "debug"};

static struct {
	bool syslog;
	int severity;
	char who[32];
	time_t second;
	unsigned lines, left_out;
} conf = {.severity = LOG_INFO, .who = "chassisd"};

void chassis_log_init(const char *where, int severity, const char *task, unsigned instance)
{
	conf.syslog = where && !strcmp(where, "syslog");
	conf.severity = severity;
	if (instance)
		snprintf(conf.who, sizeof(conf.who), "%.20s:%u", task, instance);
	else
		snprintf(conf.who, sizeof(conf.who), "%.31s", task);
	if (conf.syslog)
		openlog("chassisd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

/* One line stays one line, whatever a peer, a file or an operator put into it. */
static void tame(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s == 0x7f)
			*s = '?';
}

static void emit(const struct timespec *ts, int severity, char *text)
{
	char line[LINE_MAX_LEN + 128], at[32];
	struct tm tm;
	int n;

	tame(text);
	if (conf.syslog) {
		syslog(severity, "%s: %s", conf.who, text);
		return;
	}
	gmtime_r(&ts->tv_sec, &tm);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line, sizeof(line), "%s.%06ldZ %s[%d] %s: %s\n", at, ts->tv_nsec / 1000,
		     conf.who, (int)getpid(), severity_name[severity & 7], text);
	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	(void)!write(STDERR_FILENO, line, (size_t)n); /* one write: lines of tasks do not mix */
}

static bool limited(const struct timespec *ts)
{
	char text[64];

	if (ts->tv_sec != conf.second) {
		unsigned n = conf.left_out;

		conf.second = ts->tv_sec;
		conf.lines = conf.left_out = 0;
		if (n) {
			snprintf(text, sizeof(text), "%u lines were left out: too many in a second",
				 n);
			emit(ts, LOG_WARNING, text);
		}
	}
	if (conf.lines++ < LINES_A_SECOND)
		return false;
	conf.left_out++;
	return true;
}

void chassis_log(int severity, const char *fmt, ...)
{
	char text[LINE_MAX_LEN];
	struct timespec ts;
	va_list ap;

	if (severity > conf.severity)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (limited(&ts))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	emit(&ts, severity, text);
}
