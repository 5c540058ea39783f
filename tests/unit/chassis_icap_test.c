/* The client of rating servers: what answers say, cut at every byte; servers that answer, hang, close,
 * lie, are not there; several of them, and connections that are used again. */
#include "config.h"
#include "suites.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chassis/io/icap.h"
#include "srp/err.h"

#define URL "http://a.test/x"

/* --- answers ------------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	int rc;
	enum ecs_rated said;
	bool keep;
	const char *categories, *url;
} answers[] = {
	{"ICAP/1.0 204 No Content\r\nISTag: x\r\n\r\n", 0, ECS_RATED_ALLOW, true, "", ""},
	{"ICAP/1.0 204\r\n\r\n", 0, ECS_RATED_ALLOW, true, "", ""},
	{"ICAP/1.0 204 x\r\nConnection: Close\r\n\r\n", 0, ECS_RATED_ALLOW, false, "", ""},
	{"ICAP/1.0 204 x\r\nX-Category: a,b-c\r\n\r\n", 0, ECS_RATED_ALLOW, true, "a,b-c", ""},
	{"ICAP/1.0 204 x\r\nX-Category: a b\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 204 x\r\nX-Category: \r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 204 x\r\n\r\nmore", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 404 x\r\n\r\n", 0, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 500 x\r\n\r\nbody", 0, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 100 Continue\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 200 OK\r\n\r\nHTTP/1.1 403 No\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=19\r\n\r\nHTTP/1.1 403 No\r\n\r\n", 0,
	 ECS_RATED_DENY, false, "", ""},
	{"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=40\r\n\r\nHTTP/1.1 302 F\r\n"
	 "Location: https://b.test/y\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", 0, ECS_RATED_DENY, false, "",
	 "https://b.test/y"},
	{"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=9\r\n\r\nHTTP/1.1 302 F\r\n"
	 "Location: ftp://b.test/y\r\n\r\n", SRP_EFORMAT, ECS_RATED_DENY, false, "", ""},
	{"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=9\r\n\r\nHTTP/1.1 200 F\r\n"
	 "Location: ftp://b.test/y\r\n\r\n", 0, ECS_RATED_DENY, false, "", ""},
	{"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, null-body=9\r\n\r\nGET " URL " HTTP/1.1\r\n\r\n", 0,
	 ECS_RATED_ALLOW, false, "", ""},
	{"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, null-body=9\r\n\r\nGET http://c.test/ HTTP/1.1\r\n\r\n",
	 0, ECS_RATED_DENY, false, "", "http://c.test/"},
	{"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, null-body=9\r\n\r\nGET /c HTTP/1.1\r\n\r\n",
	 SRP_EFORMAT, ECS_RATED_DENY, false, "", ""},
	{"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, null-body=9\r\n\r\nGET " URL "\r\n\r\n", SRP_EFORMAT,
	 ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 200 OK\r\nEncapsulated: opt-body=0\r\n\r\nx\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 2O4 x\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 2044 x\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 204 x\r\nno field\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 204 x\r\n: v\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"ICAP/1.0 204 x\r\nA\x01: v\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"HTTP/1.1 204 x\r\n\r\n", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
	{"X", SRP_EFORMAT, ECS_RATED_FAILED, false, "", ""},
};

static void test_answers(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct chassis_icap_said s;
		size_t n = strlen(answers[i].text);
		int rc = chassis_icap_read(answers[i].text, n, URL, false, &s);

		CU_ASSERT_EQUAL(rc, answers[i].rc);
		if (rc == 0) {
			CU_ASSERT_EQUAL(s.said, answers[i].said);
			CU_ASSERT_EQUAL(s.keep, answers[i].keep);
			CU_ASSERT_STRING_EQUAL(s.categories, answers[i].categories);
			CU_ASSERT_STRING_EQUAL(s.url, answers[i].url);
		}
		/* a part of it is waited for, or is none; at the end of the stream it is never an allowance
		 * that the whole is not */
		for (size_t k = 0; k < n; k++) {
			char *cut = malloc(k ? k : 1);

			memcpy(cut, answers[i].text, k);
			rc = chassis_icap_read(cut, k, URL, false, &s);
			CU_ASSERT_TRUE(rc == SRP_EAGAIN || rc == answers[i].rc ||
			               strstr(answers[i].text, "more") || strstr(answers[i].text, "body"));
			rc = chassis_icap_read(cut, k, URL, true, &s);
			CU_ASSERT_TRUE(rc != SRP_EAGAIN);
			CU_ASSERT_TRUE(rc != 0 || s.said == answers[i].said || strstr(answers[i].text, "more"));
			free(cut);
		}
	}
}

static void test_long(void)
{
	static char text[CHASSIS_ICAP_HEAD_MAX];
	struct chassis_icap_said s;
	size_t n = (size_t)sprintf(text, "ICAP/1.0 204 x\r\n");

	while (n + 6 < sizeof(text))
		n += (size_t)sprintf(text + n, "X: y\r\n");
	CU_ASSERT_EQUAL(chassis_icap_read(text, n, URL, false, &s), SRP_EAGAIN);
	memset(text + n, 'a', sizeof(text) - n);
	CU_ASSERT_EQUAL(chassis_icap_read(text, sizeof(text), URL, false, &s), SRP_EFORMAT);
}

/* --- servers -------------------------------------------------------------------------------------- */

#define SERVERS 2
#define ASKED   16

static struct bed {
	struct ev_loop *loop;
	struct chassis_icap *icap;
	struct ecs_service *svc;
	int listener[SERVERS], conn[SERVERS][8];
	unsigned nconn[SERVERS];
	ev_io accepts[SERVERS], reads[SERVERS][8];
	const char *says[SERVERS]; /* NULL: nothing */
	bool closes[SERVERS];
	char got[8192];
	unsigned nasked[SERVERS], told;
	/* what was answered */
	unsigned n;
	uint64_t id[ASKED];
	enum ecs_rated said[ASKED];
	char categories[64], url[64];
} bed;

static void on_answer(void *owner, uint64_t id, const struct ecs_rating *r)
{
	(void)owner;
	bed.id[bed.n] = id;
	bed.said[bed.n++ % ASKED] = r->said;
	snprintf(bed.categories, sizeof(bed.categories), "%.*s", (int)r->len, r->categories ? r->categories : "");
	snprintf(bed.url, sizeof(bed.url), "%s", r->url ? r->url : "");
	ev_break(bed.loop, EVBREAK_ONE);
}

static void on_tell(void *owner, const char *text)
{
	(void)owner, (void)text;
	bed.told++;
}

static void on_read(struct ev_loop *loop, ev_io *w, int revents)
{
	unsigned s = (unsigned)(uintptr_t)w->data;
	ssize_t n = read(w->fd, bed.got, sizeof(bed.got) - 1);

	(void)revents;
	if (n <= 0) {
		ev_io_stop(loop, w);
		return;
	}
	bed.got[n] = '\0';
	bed.nasked[s]++;
	if (bed.says[s])
		CU_ASSERT_EQUAL(write(w->fd, bed.says[s], strlen(bed.says[s])), (ssize_t)strlen(bed.says[s]));
	if (bed.closes[s])
		shutdown(w->fd, SHUT_RDWR);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	unsigned s = (unsigned)(uintptr_t)w->data, i = bed.nconn[s];

	(void)revents;
	bed.conn[s][i] = accept(w->fd, NULL, NULL);
	if (bed.conn[s][i] < 0 || i == 7)
		return;
	bed.nconn[s]++;
	ev_io_init(&bed.reads[s][i], on_read, bed.conn[s][i], EV_READ);
	bed.reads[s][i].data = w->data;
	ev_io_start(loop, &bed.reads[s][i]);
}

static uint16_t serve(unsigned s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	bed.listener[s] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_FATAL(bind(bed.listener[s], (struct sockaddr *)&a, len) == 0);
	CU_ASSERT_FATAL(listen(bed.listener[s], 8) == 0);
	CU_ASSERT_FATAL(getsockname(bed.listener[s], (struct sockaddr *)&a, &len) == 0);
	ev_io_init(&bed.accepts[s], on_accept, bed.listener[s], EV_READ);
	bed.accepts[s].data = (void *)(uintptr_t)s;
	ev_io_start(bed.loop, &bed.accepts[s]);
	return ntohs(a.sin_port);
}

/* A group of servers; @p live of them are there. */
static struct ecs_service *group(const uint16_t *port, unsigned n, unsigned max)
{
	struct ecs_service *s = ecs_service_new("s1");

	CU_ASSERT_EQUAL(ecs_service_rater(s, "g", false, NULL), 0);
	CU_ASSERT_EQUAL(ecs_service_rater_times(s, "g", 1, 60, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		struct ecs_rater_server sv = {.port = port[i], .priority = (uint16_t)(i + 1), .max = (uint8_t)max};

		CU_ASSERT_EQUAL(ecs_addr_parse("127.0.0.1", &sv.addr), 0);
		CU_ASSERT_EQUAL(ecs_service_rater_server(s, "g", false, &sv, NULL), 0);
	}
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(s, NULL), 0);
	return s;
}

static void begin(unsigned live, unsigned max)
{
	uint16_t port[SERVERS] = {1, 1}; /* nobody listens at port 1 */

	memset(&bed, 0, sizeof(bed));
	bed.loop = ev_loop_new(EVFLAG_AUTO);
	for (unsigned i = 0; i < SERVERS; i++) {
		bed.listener[i] = -1;
		if (i >= SERVERS - live)
			port[i] = serve(i);
	}
	bed.svc = group(port, SERVERS, max);
	bed.icap = chassis_icap_new(bed.loop, on_answer, on_tell, NULL);
	chassis_icap_configure(bed.icap, bed.svc);
}

static void finish(void)
{
	chassis_icap_free(bed.icap);
	for (unsigned i = 0; i < SERVERS; i++) {
		for (unsigned k = 0; k < bed.nconn[i]; k++)
			close(bed.conn[i][k]);
		if (bed.listener[i] >= 0)
			close(bed.listener[i]);
	}
	ev_loop_destroy(bed.loop);
	ecs_service_free(bed.svc);
}

static int ask(uint64_t id, const char *host, const char *uri)
{
	static struct ecs_addr subscriber;
	struct ecs_rate_ask q = {.id = id, .group = ecs_service_find_rater(bed.svc, "g"), .method = "GET",
	                         .host = host, .uri = uri, .user_agent = "ua\x01z", .subscriber = &subscriber};

	(void)ecs_addr_parse("10.0.0.9", &subscriber);
	return chassis_icap_ask(bed.icap, &q);
}

/* Until so many answers have come. */
static void until(unsigned n)
{
	while (bed.n < n)
		ev_run(bed.loop, 0);
	CU_ASSERT_EQUAL(bed.n, n);
}

static const struct chassis_icap_counters *ctr(void)
{
	return chassis_icap_counted(bed.icap);
}

static void test_asks(void)
{
	char want[96];

	begin(2, 2);
	bed.says[0] = "ICAP/1.0 204 No\r\nX-Category: a,b\r\n\r\n";
	CU_ASSERT_EQUAL(ask(7, "a.test", "/x y\r\nEvil: 1"), 0);
	CU_ASSERT_EQUAL(bed.n, 0); /* never at once */
	until(1);
	CU_ASSERT_EQUAL(bed.id[0], 7);
	CU_ASSERT_EQUAL(bed.said[0], ECS_RATED_ALLOW);
	CU_ASSERT_STRING_EQUAL(bed.categories, "a,b");
	CU_ASSERT_PTR_NOT_NULL(strstr(bed.got, "REQMOD icap://127.0.0.1:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(bed.got, "/reqmod ICAP/1.0\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(bed.got, "\r\nX-Client-IP: 10.0.0.9\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(bed.got, "\r\n\r\nGET http://a.test/x%20y%0D%0AEvil:%201 HTTP/1.1\r\n"
	                                       "Host: a.test\r\nUser-Agent: ua?z\r\n\r\n"));
	snprintf(want, sizeof(want), "\r\nEncapsulated: req-hdr=0, null-body=%zu\r\n\r\nGET ",
	         strlen(strstr(bed.got, "\r\n\r\nGET ") + 4));
	CU_ASSERT_PTR_NOT_NULL(strstr(bed.got, want));
	/* again by the same connection */
	CU_ASSERT_EQUAL(ask(8, "b.test", ""), 0);
	until(2);
	CU_ASSERT_EQUAL(bed.nconn[0], 1);
	CU_ASSERT_EQUAL(ctr()->connects, 1);
	/* which the server closes meanwhile: the question goes by another one */
	shutdown(bed.conn[0][0], SHUT_RDWR);
	CU_ASSERT_EQUAL(ask(9, "c.test", "/"), 0);
	until(3);
	CU_ASSERT_EQUAL(bed.said[2], ECS_RATED_ALLOW);
	CU_ASSERT_EQUAL(bed.nconn[0], 2);
	CU_ASSERT_EQUAL(bed.nasked[1], 0);
	CU_ASSERT_EQUAL(bed.told, 0);
	finish();
}

/* More questions than connections: they wait for one. */
static void test_queue(void)
{
	begin(2, 1);
	bed.says[0] = "ICAP/1.0 204 No\r\n\r\n";
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(ask(i, "a.test", "/"), 0);
	until(10);
	CU_ASSERT_EQUAL(bed.nconn[0], 1);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(bed.id[i], i);
	bed.says[0] = NULL;
	for (unsigned i = 0; i < CHASSIS_ICAP_QUEUE_MAX; i++)
		CU_ASSERT_EQUAL(ask(i, "a.test", "/"), 0);
	CU_ASSERT_EQUAL(ask(1, "a.test", "/"), SRP_EFULL);
	finish(); /* forgets them */
}

static void test_next_server(void)
{
	begin(1, 2); /* the first is not there */
	bed.says[1] = "ICAP/1.0 204 No\r\n\r\n";
	CU_ASSERT_EQUAL(ask(1, "a.test", "/"), 0);
	until(1);
	CU_ASSERT_EQUAL(bed.said[0], ECS_RATED_ALLOW);
	CU_ASSERT_EQUAL(bed.told, 1);
	CU_ASSERT_EQUAL(ctr()->connect_failed, 1);
	CU_ASSERT_EQUAL(ask(2, "a.test", "/"), 0);
	until(2);
	CU_ASSERT_EQUAL(ctr()->connect_failed, 1); /* left alone meanwhile */
	finish();
	begin(2, 2);
	bed.closes[0] = true;
	bed.says[1] = "ICAP/1.0 204 No\r\n\r\n";
	CU_ASSERT_EQUAL(ask(1, "a.test", "/"), 0);
	until(1);
	CU_ASSERT_EQUAL(bed.said[0], ECS_RATED_ALLOW);
	CU_ASSERT_EQUAL(bed.nasked[0], 1);
	CU_ASSERT_EQUAL(bed.nasked[1], 1);
	finish();
	begin(0, 2);
	CU_ASSERT_EQUAL(ask(1, "a.test", "/"), 0);
	until(1);
	CU_ASSERT_EQUAL(bed.said[0], ECS_RATED_FAILED);
	finish();
}

static void test_bad_servers(void)
{
	static const char *const lies[] = {"SMTP\r\n\r\n", "ICAP/1.0 204 x\r\n\r\nICAP/1.0 204 x\r\n\r\n",
	                                   "ICAP/1.0 200 x\r\nEncapsulated: res-hdr=0\r\n\r\nnope\r\n\r\n"};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		begin(2, 2);
		bed.says[0] = lies[i];
		CU_ASSERT_EQUAL(ask(1, "a.test", "/"), 0);
		until(1);
		CU_ASSERT_EQUAL(bed.said[0], ECS_RATED_FAILED);
		CU_ASSERT_EQUAL(ctr()->refused, 1);
		CU_ASSERT_EQUAL(bed.told, 1);
		bed.says[1] = "ICAP/1.0 204 x\r\n\r\n";
		CU_ASSERT_EQUAL(ask(2, "a.test", "/"), 0);
		until(2);
		CU_ASSERT_EQUAL(bed.nasked[1], 1);
		finish();
	}
	begin(2, 2); /* one that hangs */
	CU_ASSERT_EQUAL(ask(1, "a.test", "/"), 0);
	until(1);
	CU_ASSERT_EQUAL(bed.said[0], ECS_RATED_FAILED);
	CU_ASSERT_EQUAL(ctr()->timeouts, 1);
	finish();
	begin(2, 2); /* one that speaks unasked */
	bed.says[0] = "ICAP/1.0 204 x\r\n\r\n";
	CU_ASSERT_EQUAL(ask(1, "a.test", "/"), 0);
	until(1);
	CU_ASSERT_EQUAL(write(bed.conn[0][0], "x", 1), 1);
	for (unsigned i = 0; i < 100 && !ctr()->refused; i++)
		ev_run(bed.loop, EVRUN_ONCE);
	CU_ASSERT_EQUAL(ctr()->refused, 1);
	finish();
}

/* Groups come, change and go. */
static void test_configure(void)
{
	struct ecs_service *none = ecs_service_new("s1");

	begin(2, 2);
	CU_ASSERT_EQUAL(ask(1, "a.test", "/"), 0);
	while (!bed.nasked[0])
		ev_run(bed.loop, EVRUN_ONCE);
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(none, NULL), 0);
	chassis_icap_configure(bed.icap, none);
	CU_ASSERT_EQUAL(bed.n, 1);
	CU_ASSERT_EQUAL(bed.said[0], ECS_RATED_FAILED);
	CU_ASSERT_EQUAL(ask(2, "a.test", "/"), SRP_ENOENT);
	chassis_icap_configure(bed.icap, bed.svc);
	bed.says[0] = "ICAP/1.0 200 x\r\nEncapsulated: res-hdr=0\r\n\r\nHTTP/1.1 302 x\r\n"
	              "Location: http://w.test/\r\n\r\n";
	CU_ASSERT_EQUAL(ask(3, "a.test", "/"), 0);
	until(2);
	CU_ASSERT_EQUAL(bed.said[1], ECS_RATED_DENY);
	CU_ASSERT_STRING_EQUAL(bed.url, "http://w.test/");
	finish();
	ecs_service_free(none);
}

CU_TestInfo chassis_icap_tests[] = {
	{"what answers say, cut at every byte", test_answers},
	{"an answer without an end", test_long},
	{"questions and connections", test_asks},
	{"questions wait for a connection", test_queue},
	{"another server", test_next_server},
	{"servers that lie, hang, speak unasked", test_bad_servers},
	{"groups come and go", test_configure},
	CU_TEST_INFO_NULL};
