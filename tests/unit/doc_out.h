/* doc_out: where a test puts a document to look at it. */
#ifndef TESTS_UNIT_DOC_OUT_H
#define TESTS_UNIT_DOC_OUT_H

#include <string.h>

#include "stats/doc.h"
#include "suites.h"

struct out {
	char text[65536];
	size_t n;
};

static inline void put(void *arg, const char *p, size_t n)
{
	struct out *o = arg;

	CU_ASSERT_FATAL(o->n + n < sizeof(o->text));
	memcpy(o->text + o->n, p, n);
	o->n += n;
	o->text[o->n] = '\0';
}

#endif
