/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/blocks.c - medium and large blocks, zeroed and aligned ones.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	mixed	 a random one of n blocks goes and another comes, of a size
 *		 between low and high KiB, each doubling as often; each of
 *		 its pages is written to
 *	buffer	 one buffer grows by halves from 32 KiB to max, is filled as
 *		 it grows, and is cut to half of it in the end
 *	vectors	 64 arrays of 64-byte items grow in turn, by doubling, to
 *		 random lengths of up to 64 KiB, and start anew
 *	zeroed	 as mixed for small blocks, by calloc; a byte in each page
 *		 is written to
 *	table	 calloc of a large table of which one page in 16 is used
 *	aligned	 as zeroed, by aligned_alloc; some to 64 bytes, some to 4 KiB
 *
 * Time is for one block, or for one buffer from its first byte to its free.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gbench.h"

#define PAGE 4096u
#define KIB  1024u

static void
touch(char *p, size_t from, size_t to, size_t step)
{
	for (size_t i = from; i < to; i += step)
		p[i] = 1;
	gbench_use(p);
}

/* From @low up to @high, the same number of each doubling. */
static size_t
log_uniform(size_t low, size_t high, uint64_t *rng)
{
	unsigned doublings = (unsigned)__builtin_ctzll(high / low);
	size_t at = low << gbench_below(rng, doublings);

	return at + gbench_below(rng, at);
}

static void
mixed(struct gbench *b)
{
	size_t low = (size_t)b->arg[0] * KIB, high = (size_t)b->arg[1] * KIB;
	size_t n = (size_t)b->arg[2];
	uint64_t rng = gbench_seed(b);
	char **slot = calloc(n, sizeof(*slot));

	gbench_loop(b) {
		size_t i = gbench_below(&rng, n);
		size_t size = log_uniform(low, high, &rng);

		free(slot[i]);
		slot[i] = malloc(size);
		touch(slot[i], 0, size, PAGE);
	}
	for (size_t i = 0; i < n; i++)
		free(slot[i]);
	free(slot);
}

static void
buffer(struct gbench *b)
{
	size_t max = (size_t)b->arg[0] * KIB;

	gbench_loop(b) {
		char *p = NULL;
		size_t had = 0;

		for (size_t n = 32u * KIB; n <= max; n += n / 2) {
			p = realloc(p, n);
			touch(p, had, n, PAGE);
			had = n;
		}
		p = realloc(p, max / 2);
		gbench_use(p);
		free(p);
	}
}

#define VECTORS 64u

struct item {
	char byte[64];
};

struct vector {
	struct item *item;
	size_t n, room, limit;
};

static void
vector_push(struct vector *v, uint64_t *rng)
{
	if (v->n == v->limit) {
		free(v->item);
		*v = (struct vector){ .limit = log_uniform(4, KIB, rng) };
	}
	if (v->n == v->room) {
		v->room = v->room ? v->room * 2 : 4;
		v->item = realloc(v->item, v->room * sizeof(*v->item));
	}
	v->item[v->n++].byte[0] = 1;
}

static void
vectors(struct gbench *b)
{
	struct vector *v = calloc(VECTORS, sizeof(*v));
	uint64_t rng = gbench_seed(b);

	gbench_loop_batch(b, VECTORS) {
		for (size_t i = 0; i < VECTORS; i++)
			vector_push(&v[i], &rng);
	}
	for (size_t i = 0; i < VECTORS; i++)
		free(v[i].item);
	free(v);
}

#define SLOTS 2048u

static void *
get_zeroed(size_t size, uint64_t *rng)
{
	(void)rng;
	return calloc(1, size);
}

static void *
get_aligned(size_t size, uint64_t *rng)
{
	size_t align = gbench_below(rng, 16) ? 64 : PAGE;

	return aligned_alloc(align, (size + align - 1) & -align);
}

static void
slots(struct gbench *b, void *(*get)(size_t, uint64_t *))
{
	uint64_t rng = gbench_seed(b);
	char **slot = calloc(SLOTS, sizeof(*slot));

	gbench_loop(b) {
		size_t i = gbench_below(&rng, SLOTS);
		size_t size = log_uniform(32, 16u * KIB, &rng);

		free(slot[i]);
		slot[i] = get(size, &rng);
		touch(slot[i], 0, size, PAGE);
	}
	for (size_t i = 0; i < SLOTS; i++)
		free(slot[i]);
	free(slot);
}

static void
zeroed(struct gbench *b)
{
	slots(b, get_zeroed);
}

static void
aligned(struct gbench *b)
{
	slots(b, get_aligned);
}

static void
table(struct gbench *b)
{
	size_t size = (size_t)b->arg[0] * KIB;

	gbench_loop(b) {
		char *p = calloc(size / 8, 8);

		touch(p, 0, size, 16u * PAGE);
		free(p);
	}
}

static const struct gbench_case cases[] = {
	{ .name = "mixed_medium",
	  .run = mixed,
	  .threads = { 1, 2, 8 },
	  .args = { GBENCH_LIST("low", 32), GBENCH_LIST("high", 512),
		    GBENCH_LIST("n", 8, 64) } },
	{ .name = "mixed_large",
	  .run = mixed,
	  .unit = GBENCH_US,
	  .threads = { 1, 2 },
	  .args = { GBENCH_LIST("low", 512), GBENCH_LIST("high", 8192),
		    GBENCH_LIST("n", 16) } },
	{ .name = "mixed_huge",
	  .run = mixed,
	  .unit = GBENCH_US,
	  .args = { GBENCH_LIST("low", 8192), GBENCH_LIST("high", 65536),
		    GBENCH_LIST("n", 4) } },
	{ .name = "buffer",
	  .run = buffer,
	  .unit = GBENCH_US,
	  .args = { GBENCH_LIST("max", 1024, 65536) } },
	{ .name = "vectors", .run = vectors, .threads = { 1, 2 } },
	{ .name = "zeroed", .run = zeroed, .threads = { 1, 2 } },
	{ .name = "table",
	  .run = table,
	  .args = { GBENCH_LIST("KiB", 256, 16384) } },
	{ .name = "aligned", .run = aligned, .threads = { 1, 2 } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
