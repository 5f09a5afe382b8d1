/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/remote.c - memory that one thread allocates and another frees.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	ring	 each even thread allocates and sends its blocks through a
 *		 ring to the odd thread after it, which frees them; the
 *		 time is for half a block, its malloc or its free
 *	larson	 each thread replaces blocks at random places of a bundle
 *		 of 1024, and now and then swaps its bundle for one that
 *		 another thread left
 *	swap	 all threads exchange blocks at random places of one table:
 *		 nearly every free is of another thread's block
 *
 * One thread alone is the floor of larson and swap.  Only ring has threads
 * that wait, by sched_yield: its time is wall time, the others' CPU time.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "gbench.h"

#define MAX_THREADS 64
#define RING_SIZE   1024u
#define BUNDLE      1024u
#define SWAP_EVERY  1024u
#define TABLE       4096u

#define load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define exchange(p, v)      __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

/* One producer and one consumer; each keeps what it last saw of the other. */
struct ring {
	_Alignas(64) uint64_t head; /* written by the producer */
	uint64_t seen_tail;
	_Alignas(64) uint64_t tail; /* written by the consumer */
	uint64_t seen_head;
	_Alignas(64) void *slot[RING_SIZE];
};

static struct ring rings[MAX_THREADS / 2];

static void
ring_put(struct ring *r, void *p)
{
	while (r->head - r->seen_tail == RING_SIZE) {
		r->seen_tail = load_acquire(&r->tail);
		if (r->head - r->seen_tail == RING_SIZE)
			sched_yield();
	}
	r->slot[r->head % RING_SIZE] = p;
	store_release(&r->head, r->head + 1);
}

static void *
ring_get(struct ring *r)
{
	void *p;

	while (r->tail == r->seen_head) {
		r->seen_head = load_acquire(&r->head);
		if (r->tail == r->seen_head)
			sched_yield();
	}
	p = r->slot[r->tail % RING_SIZE];
	store_release(&r->tail, r->tail + 1);
	return p;
}

static void
ring(struct gbench *b)
{
	struct ring *r = &rings[b->thread / 2];
	size_t size = (size_t)b->arg[0];

	if (b->thread % 2 == 0) {
		gbench_loop(b) {
			char *p = malloc(size);

			*p = 1;
			ring_put(r, p);
		}
	} else {
		gbench_loop(b)
			free(ring_get(r));
	}
	gbench_set_items(b, b->iterations);
}

static char **bundles[MAX_THREADS];

static char **
bundle_make(size_t size)
{
	char **bundle = malloc(BUNDLE * sizeof(*bundle));

	for (size_t i = 0; i < BUNDLE; i++)
		bundle[i] = malloc(size);
	return bundle;
}

static void
larson_setup(struct gbench *b)
{
	for (int i = 0; i < b->threads; i++)
		bundles[i] = bundle_make((size_t)b->arg[0]);
}

static void
bundle_free(char **bundle)
{
	for (size_t i = 0; i < BUNDLE; i++)
		free(bundle[i]);
	free(bundle);
}

static void
larson_teardown(struct gbench *b)
{
	for (int i = 0; i < b->threads; i++)
		bundle_free(bundles[i]);
}

static void
larson(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];
	uint64_t rng = gbench_seed(b);
	char **bundle = bundle_make(size);
	unsigned ops = 0;

	gbench_loop(b) {
		size_t i = gbench_below(&rng, BUNDLE);

		free(bundle[i]);
		bundle[i] = malloc(size / 2 + gbench_below(&rng, size));
		*bundle[i] = 1;
		if (++ops % SWAP_EVERY == 0)
			bundle = exchange(
			    &bundles[gbench_below(&rng, (size_t)b->threads)],
			    bundle);
	}
	gbench_set_items(b, b->iterations);
	bundle_free(bundle);
}

static char *table[TABLE];

static void
swap_teardown(struct gbench *b)
{
	(void)b;
	for (size_t i = 0; i < TABLE; i++) {
		free(table[i]);
		table[i] = NULL;
	}
}

static void
swap(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];
	uint64_t rng = gbench_seed(b);

	gbench_loop(b) {
		char *p = malloc(size);

		*p = 1;
		free(exchange(&table[gbench_below(&rng, TABLE)], p));
	}
	gbench_set_items(b, b->iterations);
}

static const struct gbench_case cases[] = {
	{ .name = "ring",
	  .run = ring,
	  .real_time = 1,
	  .threads = { 2, 4, 8 },
	  .args = { GBENCH_LIST("size", 64, 1024) } },
	{ .name = "larson",
	  .run = larson,
	  .setup = larson_setup,
	  .teardown = larson_teardown,
	  .threads = { 1, 2, 4, 8 },
	  .args = { GBENCH_LIST("size", 64, 1024) } },
	{ .name = "swap",
	  .run = swap,
	  .teardown = swap_teardown,
	  .threads = { 1, 2, 4, 8 },
	  .args = { GBENCH_LIST("size", 64, 1024) } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
