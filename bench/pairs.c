/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/pairs.c - one thread's (and two independent threads') malloc.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	pair	  malloc and free of one block: the shortest path
 *	batch	  n blocks, then all freed: first in first out, last in first
 *		  out, or in random order; time is for one malloc and free
 *	churn	  free a random one of 4096 blocks and allocate another, of a
 *		  size as servers ask for: mostly small, now and then big
 *	calloc	  the same as pair, zeroed; each page is written to, so that
 *		  fresh zero pages from the kernel are no free lunch
 *	grow	  realloc from 16 bytes to 4 KiB by steps, or by doubling to
 *		  the size given
 *	large	  malloc, touch each page, free
 */
#include <stdlib.h>
#include <string.h>

#include "gbench.h"

enum order { FIFO, LIFO, RANDOM };

static void
pair(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];

	gbench_loop(b) {
		char *p = malloc(size);

		*p = 1;
		gbench_use(p);
		free(p);
	}
	gbench_set_items(b, b->iterations);
}

static size_t *
make_order(size_t n, enum order order, uint64_t seed)
{
	size_t *index = malloc(n * sizeof(*index));

	for (size_t i = 0; i < n; i++)
		index[i] = order == LIFO ? n - 1 - i : i;
	for (size_t i = n - 1; order == RANDOM && i > 0; i--) {
		size_t j = gbench_below(&seed, i + 1);
		size_t t = index[i];

		index[i] = index[j];
		index[j] = t;
	}
	return index;
}

static void
batch(struct gbench *b)
{
	size_t size = (size_t)b->arg[0], n = (size_t)b->arg[1];
	size_t *index = make_order(n, (enum order)b->arg[2], gbench_seed(b));
	char **p = malloc(n * sizeof(*p));

	gbench_loop_batch(b, (int64_t)n) {
		for (size_t i = 0; i < n; i++) {
			p[i] = malloc(size);
			*p[i] = 1;
		}
		gbench_use(p);
		for (size_t i = 0; i < n; i++)
			free(p[index[i]]);
	}
	gbench_set_items(b, b->iterations);
	free(p);
	free(index);
}

/* Half up to 64 bytes, a tenth over 1 KiB, one in 64 up to 32 KiB. */
static size_t
server_size(uint64_t *rng)
{
	uint64_t r = gbench_random(rng);
	unsigned kind = (unsigned)(r >> 58);
	size_t low = (r >> 8) & 0xffff;

	if (kind < 32)
		return 16 + low % 48;
	if (kind < 58)
		return 64 + low % 960;
	if (kind < 63)
		return 1024 + low % 7168;
	return 8192 + low % 24576;
}

#define CHURN_SLOTS 4096

static void
churn(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	char **slot = calloc(CHURN_SLOTS, sizeof(*slot));

	for (size_t i = 0; i < CHURN_SLOTS; i++)
		slot[i] = malloc(server_size(&rng));
	gbench_loop(b) {
		size_t i = gbench_below(&rng, CHURN_SLOTS);

		free(slot[i]);
		slot[i] = malloc(server_size(&rng));
		*slot[i] = 1;
	}
	gbench_set_items(b, b->iterations);
	for (size_t i = 0; i < CHURN_SLOTS; i++)
		free(slot[i]);
	free(slot);
}

static void
zeroed(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];

	gbench_loop(b) {
		char *p = calloc(1, size);

		gbench_use(p);
		for (size_t i = 0; i < size; i += 4096)
			p[i] = 1;
		gbench_use(p);
		free(p);
	}
	gbench_set_items(b, b->iterations);
}

static void
grow_by_steps(struct gbench *b)
{
	size_t step = (size_t)b->arg[0];

	gbench_loop(b) {
		char *p = NULL;

		for (size_t n = step; n <= 4096; n += step) {
			p = realloc(p, n);
			p[n - 1] = 1;
		}
		gbench_use(p);
		free(p);
	}
}

static void
grow_by_doubling(struct gbench *b)
{
	size_t max = (size_t)b->arg[0];

	gbench_loop(b) {
		char *p = NULL;

		for (size_t n = 16; n <= max; n *= 2) {
			p = realloc(p, n);
			memset(p + n / 2, 1, n / 2);
		}
		gbench_use(p);
		free(p);
	}
}

static void
large(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];

	gbench_loop(b) {
		char *p = malloc(size);

		for (size_t i = 0; i < size; i += 4096)
			p[i] = 1;
		gbench_use(p);
		free(p);
	}
	gbench_set_bytes(b, b->iterations * (int64_t)size);
}

static const struct gbench_case cases[] = {
	{ .name = "pair",
	  .run = pair,
	  .args = { GBENCH_RANGE("size", 16, 65536, 2) } },
	{ .name = "pair_2t",
	  .run = pair,
	  .threads = { 2 },
	  .args = { GBENCH_LIST("size", 64, 1024, 16384) } },
	{ .name = "batch",
	  .run = batch,
	  .args = { GBENCH_LIST("size", 16, 64, 256, 1024, 8192),
		    GBENCH_LIST("n", 100, 10000),
		    GBENCH_LIST("order", FIFO, LIFO, RANDOM) } },
	{ .name = "batch_2t",
	  .run = batch,
	  .threads = { 2 },
	  .args = { GBENCH_LIST("size", 64), GBENCH_LIST("n", 1000),
		    GBENCH_LIST("order", FIFO, LIFO, RANDOM) } },
	{ .name = "churn", .run = churn, .threads = { 1, 2, 8 } },
	{ .name = "calloc",
	  .run = zeroed,
	  .args = { GBENCH_LIST("size", 16, 64, 256, 1024, 4096, 16384, 65536,
				1048576) } },
	{ .name = "grow_by_steps",
	  .run = grow_by_steps,
	  .args = { GBENCH_LIST("step", 16, 128) } },
	{ .name = "grow_by_doubling",
	  .run = grow_by_doubling,
	  .args = { GBENCH_LIST("max", 4096, 65536, 1048576) } },
	{ .name = "large",
	  .run = large,
	  .args = { GBENCH_LIST("size", 131072, 1048576, 8388608) } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
