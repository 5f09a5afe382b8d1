/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/sharing.c - blocks of different threads in one cache line.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	active	 each thread allocates a small block, writes to it often and
 *		 frees it: an allocator that hands neighbours of a line to
 *		 two threads makes them take the line from each other
 *	passive	 the same, but each thread first frees a block that one
 *		 thread allocated next to all others': an allocator that
 *		 lets a thread keep what it frees has made them share
 *
 * Time is the wall's, of all threads together, for one block and its writes.
 * Two threads that do not disturb each other show half the time of one.
 */
#include <stdlib.h>

#include "gbench.h"

#define MAX_THREADS 8
#define WRITES      200

static char *given[MAX_THREADS];

static void
passive_setup(struct gbench *b)
{
	for (int i = 0; i < b->threads; i++)
		given[i] = malloc((size_t)b->arg[0]);
}

static void
write_often(char *p)
{
	for (int i = 0; i < WRITES; i++) {
		*(volatile char *)p += 1;
		gbench_use(p);
	}
}

static void
sharing(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];

	free(given[b->thread]);
	given[b->thread] = NULL;
	gbench_loop(b) {
		char *p = malloc(size);

		*p = 0;
		write_often(p);
		free(p);
	}
}

static const struct gbench_case cases[] = {
	{ .name = "active",
	  .run = sharing,
	  .real_time = 1,
	  .threads = { 1, 2, 4, MAX_THREADS },
	  .args = { GBENCH_LIST("size", 8) } },
	{ .name = "passive",
	  .run = sharing,
	  .setup = passive_setup,
	  .real_time = 1,
	  .threads = { 1, 2, 4, MAX_THREADS },
	  .args = { GBENCH_LIST("size", 8) } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
