/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that live briefly: each frees what earlier ones left, leaves
 * objects of its own behind, and exits.  Nothing may be lost in a dead
 * thread's heap: memory in use stops growing.
 */
#include "tests/stress/stress.h"

#define GENERATIONS OPERATIONS(4000)
#define LEFT        60

static struct queue left[2] = {
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
};
static uint64_t lives; /* [a] threads so far */

static void *
live_briefly(void *arg)
{
	uint64_t seed = __atomic_add_fetch(&lives, 1, __ATOMIC_RELAXED) + 77;
	struct object o;

	for (unsigned i = 0; i < LEFT; i++)
		if (pop(&left[test_random(&seed) % 2], &o))
			release(&o);
	for (unsigned i = 0; i < LEFT; i++) {
		o.cache = NULL;
		o.size = random_size(&seed, 20000);
		o.tag = test_random(&seed);
		o.p = kmalloc_node(o.size, GFP_KERNEL,
				   (int)(test_random(&seed) % NODES));
		REQUIRE(o.p != NULL);
		fill(&o);
		if (!push(&left[test_random(&seed) % 2], &o))
			release(&o);
	}
	return arg;
}

int
main(int argc, char **argv)
{
	uint64_t early = 0, late;
	struct object o;

	(void)argc;
	stress_start(argv);
	for (unsigned g = 0; g < GENERATIONS; g++) {
		run_threads(THREADS, live_briefly);
		if (g == GENERATIONS / 4)
			early = sum_stats(used_of);
	}
	late = sum_stats(used_of);
	CHECK_MSG(late < early + early / 2 + (8ul << 20),
		  "in use: %lu bytes early, %lu late", (unsigned long)early,
		  (unsigned long)late);
	for (unsigned q = 0; q < 2; q++)
		while (pop(&left[q], &o))
			release(&o);
	return test_done();
}
