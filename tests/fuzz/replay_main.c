/* Runs a fuzz target over the seed files that are its arguments, so that `make check` needs no
 * libFuzzer. No argument, an unreadable or an oversized file is a failure: a seed that is not run
 * is no test. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED_MAX (1u << 20)

static int run(const char *file)
{
	static uint8_t buf[SEED_MAX + 1];
	FILE *f = fopen(file, "rb");
	uint8_t *exact;
	size_t n;

	if (!f) {
		perror(file);
		return -1;
	}
	n = fread(buf, 1, sizeof(buf), f);
	if (ferror(f) || n > SEED_MAX) {
		fprintf(stderr, "%s: unreadable, or longer than %u bytes\n", file, SEED_MAX);
		fclose(f);
		return -1;
	}
	fclose(f);
	/* In a block of its own size, so that a sanitizer sees a read beyond it. */
	exact = malloc(n ? n : 1);
	if (!exact)
		return -1;
	memcpy(exact, buf, n);
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s seed...\n", argv[0]);
		return EXIT_FAILURE;
	}
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		if (run(argv[i]) != 0)
			return EXIT_FAILURE;
	printf("%d seeds\n", argc - 1);
	return EXIT_SUCCESS;
}
