/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/color.c - what color offsets are for.
 *
 * Objects of a power-of-two size lie at multiples of that size, so the same
 * field of all of them falls into few sets of a cache: with 64 sets of
 * 64-byte lines, the first fields of 512-byte objects share 8 sets, and
 * only 8 * 12 of them fit in a 12-way cache that could hold 768.  When the
 * objects of successive slabs start at successive lines, they spread over
 * all sets.
 *
 * A case fills some slabs of a cache, takes 5 of each 8 objects (a
 * working set is never all objects of a few slabs), links them in random
 * order through their first field and walks the chain: each step needs the
 * load before it, so the time for one is the latency of the cache that the
 * field was found in.
 *
 *	off	cache with SLAB_NO_COLOR
 *	on	cache as usual
 *	malloc	malloc of the same size
 *
 * n is the number of objects walked.  With 640 the lines fit in an L1 cache
 * of 48 KiB and 768 lines, if they spread; 400 is for one of 32 KiB.  16000
 * is for the L2 cache.  Counters: l1_sets, how many sets of L1 the fields
 * fall in; l1_conflicts, how many lines there are beyond the ways of their
 * set, each of which misses on every round.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numaslab/kmem.h>

#include "gbench.h"

#define SPREAD_NUM 8 /* of the objects allocated, 5 of 8 are walked */
#define SPREAD_DEN 5
#define MAX_SETS   4096

struct object {
	struct object *next;
};

static struct {
	size_t line, sets, ways;
} l1;

static size_t
sysconf_or(int name, size_t otherwise)
{
	long n = sysconf(name);

	return n > 0 ? (size_t)n : otherwise;
}

static void
read_geometry(void)
{
	size_t size = sysconf_or(_SC_LEVEL1_DCACHE_SIZE, 32768);

	l1.line = sysconf_or(_SC_LEVEL1_DCACHE_LINESIZE, 64);
	l1.ways = sysconf_or(_SC_LEVEL1_DCACHE_ASSOC, 8);
	l1.sets = size / l1.line / l1.ways;
	if (l1.sets > MAX_SETS)
		l1.sets = MAX_SETS;
}

static void
count_conflicts(struct gbench *b, struct object **walked, size_t n)
{
	static unsigned count[MAX_SETS];
	size_t used = 0, beyond = 0;

	memset(count, 0, sizeof(count));
	for (size_t i = 0; i < n; i++)
		count[((uintptr_t)walked[i] / l1.line) % l1.sets]++;
	for (size_t i = 0; i < l1.sets; i++) {
		used += count[i] > 0;
		beyond += count[i] > l1.ways ? count[i] - l1.ways : 0;
	}
	gbench_set_counter(b, "l1_sets", (double)used, GBENCH_AVERAGE);
	gbench_set_counter(b, "l1_conflicts", (double)beyond, GBENCH_AVERAGE);
}

static int
by_address(const void *a, const void *b)
{
	const char *p = *(char *const *)a, *q = *(char *const *)b;

	return p < q ? -1 : p > q;
}

static void
shuffle(struct object **o, size_t n, uint64_t *rng)
{
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = gbench_below(rng, i + 1);
		struct object *t = o[i];

		o[i] = o[j];
		o[j] = t;
	}
}

/*
 * Links @n of the @total objects into a ring; they end up in @o[0..n-1].  Of
 * each 8 neighbours 5 are taken, which 5 is random.
 */
static struct object *
link_some(struct object **o, size_t total, size_t n)
{
	uint64_t rng = 42;
	size_t taken = 0;

	qsort(o, total, sizeof(*o), by_address);
	for (size_t i = 0; i + SPREAD_NUM <= total; i += SPREAD_NUM) {
		shuffle(o + i, SPREAD_NUM, &rng);
		for (size_t j = 0; j < SPREAD_DEN; j++) {
			struct object *t = o[taken];

			o[taken++] = o[i + j];
			o[i + j] = t;
		}
	}
	shuffle(o, n, &rng);
	for (size_t i = 0; i < n; i++)
		o[i]->next = o[(i + 1) % n];
	return o[0];
}

static void
walk(struct gbench *b, struct object **o, size_t total, size_t n)
{
	struct object *p = link_some(o, total, n);

	for (size_t i = 0; i < 4 * n; i++)
		p = p->next;
	gbench_loop(b) {
		p = p->next;
		gbench_use(p);
	}
	count_conflicts(b, o, n);
}

static void
color(struct gbench *b)
{
	unsigned size = (unsigned)b->arg[0];
	size_t n = (size_t)b->arg[1];
	size_t total = n * SPREAD_NUM / SPREAD_DEN;
	slab_flags_t flags = b->user ? *(const slab_flags_t *)b->user : 0;
	struct object **o = malloc(total * sizeof(struct object *));
	struct kmem_cache *cache = NULL;

	if (b->user)
		cache = kmem_cache_create("bench-color", size, 0, flags, NULL);
	for (size_t i = 0; i < total; i++)
		o[i] =
		    cache ? kmem_cache_alloc(cache, GFP_KERNEL) : malloc(size);
	walk(b, o, total, n);
	for (size_t i = 0; i < total; i++) {
		if (cache)
			kmem_cache_free(cache, o[i]);
		else
			free(o[i]);
	}
	kmem_cache_destroy(cache);
	free(o);
}

static const slab_flags_t flags_off = SLAB_NO_COLOR, flags_on = 0;

#define ARGS                                           \
	.args = { GBENCH_LIST("size", 256, 512, 1024), \
		  GBENCH_LIST("n", 400, 640, 16000) }

static const struct gbench_case cases[] = {
	{ .name = "off", .run = color, .user = &flags_off, ARGS },
	{ .name = "on", .run = color, .user = &flags_on, ARGS },
	{ .name = "malloc", .run = color, ARGS },
	{ 0 }
};

int
main(int argc, char **argv)
{
	read_geometry();
	return gbench_main(argc, argv, cases);
}
