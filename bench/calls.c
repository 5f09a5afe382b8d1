/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/calls.c - the program whose instructions bench/instructions counts.
 *
 *	calls malloc|nothing ROUNDS SIZE BATCH
 *
 * Each round allocates BATCH blocks in count_alloc() and frees them in
 * count_free().  A few (4) stay in a thread's cache of any allocator: what
 * is counted is the fast path.  Many (256) show how often slower paths are
 * taken.  With "nothing" the same loops call a function that is one
 * instruction, its return.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *alloc_fn(size_t size);
typedef void free_fn(void *p);

__attribute__((noinline)) static void
count_alloc(alloc_fn *alloc, void **p, size_t size, size_t batch)
{
	for (size_t i = 0; i < batch; i++)
		p[i] = alloc(size);
}

__attribute__((noinline)) static void
count_free(free_fn *dealloc, void **p, size_t batch)
{
	for (size_t i = 0; i < batch; i++)
		dealloc(p[i]);
}

/* Both kinds of nothing; what they return is not looked at. */
void *nothing_alloc(size_t size);
void nothing_free(void *p);
__asm__(".text\n"
	"nothing_alloc: ret\n"
	"nothing_free: ret\n");

int
main(int argc, char **argv)
{
	void **p;
	alloc_fn *volatile alloc = malloc;
	free_fn *volatile dealloc = free;
	size_t size, batch;
	long rounds;

	if (argc != 5) {
		fprintf(stderr,
			"usage: calls malloc|nothing ROUNDS SIZE BATCH\n");
		return 2;
	}
	if (strcmp(argv[1], "nothing") == 0) {
		alloc = nothing_alloc;
		dealloc = nothing_free;
	}
	rounds = strtol(argv[2], NULL, 10);
	size = strtoul(argv[3], NULL, 10);
	batch = strtoul(argv[4], NULL, 10);
	p = calloc(batch, sizeof(*p));
	for (long r = 0; r < rounds; r++) {
		count_alloc(alloc, p, size, batch);
		count_free(dealloc, p, batch);
	}
	free(p);
	return 0;
}
