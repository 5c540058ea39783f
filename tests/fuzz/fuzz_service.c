/* fuzz_service: what services read that others wrote: files of databases (first byte: their kind), looked
 * up with the rest of the input as well; and (first byte 'i') answers of rating servers. A database that
 * is taken reads back to itself; an answer that is taken has nothing in it that would end a line. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/io/icap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void database(enum ecs_db_kind kind, const char *text, size_t len)
{
	struct ecs_db *db = ecs_db_parse(kind, text, len, NULL, NULL), *again;
	struct ecs_syn syn = {.ttl = 64, .options = "M"};
	char host[64] = "";
	const char *written;
	size_t n;

	if (!db)
		return;
	written = ecs_db_text(db, &n);
	again = ecs_db_parse(kind, written, n, NULL, NULL);
	if (!again || ecs_db_digest(again) != ecs_db_digest(db))
		abort();
	for (size_t i = 0; i < len && i < sizeof(host) - 1; i++)
		host[i] = text[i];
	if (ecs_db_url(db, host, "/a", &written, &n))
		(void)ecs_db_has_category(written, n, "a");
	(void)ecs_db_os(db, &syn);
	ecs_db_unref(db);
	ecs_db_unref(again);
}

static void answer(const char *p, size_t n, bool eof)
{
	struct chassis_icap_said s;

	if (chassis_icap_read(p, n, "http://a.test/", eof, &s) != 0)
		return;
	for (const char *c = s.url; *c; c++)
		if (*c <= ' ' || *c > '~')
			abort();
	if (s.url[0] && s.said != ECS_RATED_DENY)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (!size)
		return 0;
	if (data[0] == 'i') {
		answer(text, size - 1, false);
		answer(text, size - 1, true);
	} else {
		database((enum ecs_db_kind)(data[0] % ECS_DB__N), text, size - 1);
	}
	return 0;
}
