/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork() while all other threads allocate and free.  The child, alone, must
 * find every lock usable, every object its parent gave it intact, the heaps
 * of the threads it does not have adopted, and be able to start threads.
 */
#include "tests/stress/stress.h"

#define FORKS OPERATIONS(1000)
#define KEPT  300

/*
 * fork() while a thread starts is not ours to test: a sanitizer's runtime
 * then leaves locks of its own behind.
 */
static pthread_barrier_t started;
static int stop; /* [a] */
static struct object mine[KEPT];

static void
allocate(struct object *o, uint64_t *seed)
{
	o->cache = NULL;
	o->size = random_size(seed, 100000);
	o->tag = test_random(seed);
	o->p =
	    kmalloc_node(o->size, GFP_KERNEL, (int)(test_random(seed) % NODES));
	REQUIRE(o->p != NULL);
	fill(o);
}

static void
replace_some(struct object *set, unsigned n, uint64_t *seed)
{
	for (unsigned i = 0; i < n; i++) {
		struct object *o = &set[test_random(seed) % KEPT];

		if (o->p != NULL)
			release(o);
		allocate(o, seed);
	}
}

static void *
load(void *arg)
{
	static __thread struct object kept[KEPT];
	uint64_t seed = (uintptr_t)arg + 31;

	pthread_barrier_wait(&started);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		replace_some(kept, 50, &seed);
		numaslab_trim(4ul << 20);
	}
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].p != NULL)
			release(&kept[i]);
	return NULL;
}

static void *
work_in_child(void *arg)
{
	static __thread struct object kept[KEPT];
	uint64_t seed = (uintptr_t)arg + 3;

	replace_some(kept, 100, &seed);
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].p != NULL)
			release(&kept[i]);
	return NULL;
}

static int
child(unsigned round)
{
	uint64_t seed = round + 1000;
	struct kmem_cache *c;

	alarm(WATCHDOG_S / 3);
	for (unsigned i = 0; i < KEPT; i++)
		if (mine[i].p != NULL)
			verify(&mine[i]);
	replace_some(mine, 100, &seed);
	c = kmem_cache_create("child", 100, 0, 0, NULL);
	REQUIRE(c != NULL);
	kmem_cache_free(c, kmem_cache_alloc(c, GFP_KERNEL));
	kmem_cache_destroy(c);
	numaslab_trim(0);
	if (round % 16 == 15)
		run_threads(2, work_in_child);
	return test_done();
}

static void
fork_once(unsigned round)
{
	int status = -1;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0)
		_exit(child(round));
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_MSG(status == 0, "child %u: wait status 0x%x", round,
		  (unsigned)status);
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS - 1];
	uint64_t seed = 2;

	(void)argc;
	stress_start(argv);
	pthread_barrier_init(&started, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS - 1; i++)
		REQUIRE(pthread_create(&threads[i], NULL, load, (void *)i) ==
			0);
	pthread_barrier_wait(&started);
	for (unsigned round = 0; round < FORKS; round++) {
		replace_some(mine, 20, &seed);
		fork_once(round);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS - 1; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < KEPT; i++)
		if (mine[i].p != NULL)
			release(&mine[i]);
	return test_done();
}
