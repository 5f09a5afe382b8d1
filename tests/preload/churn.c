/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn - threads that come, allocate, leave blocks behind, and go.
 *
 *	churn THREADS
 *
 * A tenth of the way in, and at the end, it reads its resident size and its
 * number of mappings: neither may have grown.  What a thread leaves is freed
 * by a later one, so that most blocks die far from where they were born.
 */
#include <err.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH  8
#define LEFT   100
#define GROWTH (4u << 10) /* kB that the resident size may vary by */

struct figures {
	unsigned long rss_kb, maps;
};

static void *left[BATCH][LEFT];

static struct figures
measure(void)
{
	struct figures f = { 0, 0 };
	char line[512];
	FILE *in;

	malloc_trim(0); /* what waits to be given back is no growth */
	in = fopen("/proc/self/smaps_rollup", "r");
	if (in == NULL)
		err(1, "smaps_rollup");
	while (fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, "Rss:", 4) == 0)
			f.rss_kb = strtoul(line + 4, NULL, 10);
	fclose(in);
	in = fopen("/proc/self/maps", "r");
	if (in == NULL)
		err(1, "maps");
	while (fgets(line, sizeof(line), in) != NULL)
		f.maps += strchr(line, '\n') != NULL;
	fclose(in);
	return f;
}

static void *
visitor(void *arg)
{
	void **mine = arg;
	uint64_t rng = (uintptr_t)mine ^ 0x9e3779b97f4a7c15ull;
	size_t size;
	char *p;

	for (unsigned i = 0; i < LEFT; i++) {
		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		size = rng >> 60 == 0 ? rng >> 48 : (rng >> 40) % 600 + 1;
		p = malloc(size + 1);
		if (p == NULL)
			err(1, "malloc");
		p[0] = p[size] = 1;
		free(mine[i]);
		mine[i] = NULL;
		if (i % 4 == 0)
			free(p);
		else
			mine[i] = p;
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	unsigned long n = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct figures early = { 0, 0 }, late;
	pthread_t threads[BATCH];

	if (n < 10 * BATCH)
		errx(2, "usage: churn THREADS (at least %d)", 10 * BATCH);
	alarm(300);
	for (unsigned long i = 0; i < n; i += BATCH) {
		if (early.maps == 0 && i >= n / 10)
			early = measure();
		for (unsigned k = 0; k < BATCH; k++)
			if (pthread_create(&threads[k], NULL, visitor,
					   left[(i / BATCH + k) % BATCH]) != 0)
				errx(1, "pthread_create %lu", i + k);
		for (unsigned k = 0; k < BATCH; k++)
			pthread_join(threads[k], NULL);
	}
	late = measure();
	printf("%lu threads: %lu kB in %lu mappings, then %lu kB in %lu\n", n,
	       early.rss_kb, early.maps, late.rss_kb, late.maps);
	if (late.rss_kb > early.rss_kb + GROWTH)
		errx(1, "the resident size grew");
	if (late.maps > early.maps + 16)
		errx(1, "the number of mappings grew");
	return 0;
}
