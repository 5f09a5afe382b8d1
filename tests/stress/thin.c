/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slabs that few objects are left in: their free pages are given back, what
 * is left keeps its contents, a block freed twice is still found out, and
 * threads may do anything meanwhile.
 */
#include "tests/stress/stress.h"

#include <sys/mman.h>

#define BLOCKS 20000u
#define KEEP   10u /* one in so many */

static const size_t sizes[] = { 300, 960, 1500, 8192 };

static struct object block[4][BLOCKS];
static void *freed[4][BLOCKS];

static void
get(struct object *o, size_t size, uint64_t tag)
{
	o->cache = NULL;
	o->size = size;
	o->tag = tag;
	o->p = kmalloc(size, GFP_KERNEL);
	REQUIRE(o->p != NULL);
	fill(o);
}

/* The share of the pages that @n addresses lie in, in percent. */
static unsigned
resident(void **p, unsigned n)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	unsigned char in;
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++)
		if (mincore((void *)((uintptr_t)p[i] & -page), 1, &in) == 0)
			sum += in & 1;
	return sum * 100 / n;
}

static void
free_it(void *p)
{
	kfree(p);
}

/* The first freed whose page is gone. */
static void *
a_parked_one(void **p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (resident(p + i, 1) == 0)
			return p[i];
	return NULL;
}

static void
thin_out(unsigned s)
{
	unsigned n = 0, before, after;
	uint64_t seed = s + 1;
	void *gone;

	for (unsigned i = 0; i < BLOCKS; i++)
		get(&block[s][i], sizes[s], i);
	for (unsigned i = 0; i < BLOCKS; i++)
		if (test_random(&seed) % KEEP != 0) {
			freed[s][n++] = block[s][i].p;
			release(&block[s][i]);
		}
	before = resident(freed[s], n);
	numaslab_trim(0);
	after = resident(freed[s], n);
	CHECK_MSG(before > 95, "%zu bytes: %u %% resident", sizes[s], before);
	/* Of 4 KiB: 960 bytes are in 5 of a page, which 0.57 of the times are
	 * free. */
	CHECK_MSG(after < (sizes[s] < 500   ? 90
			   : sizes[s] < 900 ? 70
					    : 55),
		  "%zu bytes: %u %% resident after numaslab_trim", sizes[s],
		  after);
	gone = a_parked_one(freed[s], n);
	REQUIRE(gone != NULL);
	CHECK_ABORTS(free_it, gone,
		     sizes[s] < 8000 ? "already free" : "not allocated");
	/* Some are freed while they are parked, which wakes slabs up. */
	for (unsigned i = 0; i < BLOCKS / 4; i++)
		if (block[s][i].p != NULL)
			release(&block[s][i]);
	for (unsigned i = 0; i < BLOCKS; i++)
		if (block[s][i].p == NULL)
			get(&block[s][i], sizes[s], i + 7);
	for (unsigned i = 0; i < BLOCKS; i++)
		release(&block[s][i]);
}

/* At once. */

#define SHARED 3000u

static struct queue passed = { .lock = PTHREAD_MUTEX_INITIALIZER };
static int stop; /* [a] */

static void *
trim(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		numaslab_trim(0);
	return arg;
}

static void *
come_and_go(void *arg)
{
	struct object *mine = block[(uintptr_t)arg];
	uint64_t seed = (uintptr_t)arg + 99;
	struct object o;

	for (unsigned round = 0; round < OPERATIONS(60); round++) {
		for (unsigned i = 0; i < SHARED; i++)
			if (mine[i].p == NULL)
				get(&mine[i], sizes[round % 4],
				    test_random(&seed));
		for (unsigned i = 0; i < SHARED; i++) {
			if (test_random(&seed) % KEEP == 0)
				continue;
			if (test_random(&seed) % 8 == 0 &&
			    push(&passed, &mine[i]))
				mine[i].p = NULL;
			else
				release(&mine[i]);
			if (test_random(&seed) % 8 == 0 && pop(&passed, &o))
				release(&o);
		}
	}
	for (unsigned i = 0; i < SHARED; i++)
		if (mine[i].p != NULL)
			release(&mine[i]);
	return arg;
}

int
main(int argc, char **argv)
{
	pthread_t trimmer;
	struct object o;

	(void)argc;
	test_env(argv, "NUMASLAB_PURGE_THREAD", "0"); /* who trims is told */
	stress_start(argv);
	for (unsigned s = 0; s < 4; s++)
		thin_out(s);
	REQUIRE(pthread_create(&trimmer, NULL, trim, NULL) == 0);
	run_threads(4, come_and_go);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(trimmer, NULL);
	while (pop(&passed, &o))
		release(&o);
	numaslab_trim(0);
	CHECK_EQ(sum_stats(live_of), 0);
	return test_done();
}
