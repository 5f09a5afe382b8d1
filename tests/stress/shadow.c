/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shadow of every object, kept by the program: eight threads allocate one by
 * one and in bulk, on any node, free what others allocated, shrink the shared
 * caches, ask for their figures, and create and destroy caches of their own,
 * some of which are merged.
 * An address that is handed out while its shadow says it is in use, or that is
 * not the object it was, is a fault.  At the end the figures are the shadow's.
 */
#include "tests/stress/shadow.h"

#define WORKERS 8
#define ROUNDS  OPERATIONS(40000)
#define BULK    24

static struct kmem_cache *caches[CACHES];
static struct queue queues[CACHES];

static void
drop(unsigned c, struct object *o)
{
	verify(o);
	vanish(c, o->p);
	kmem_cache_free(o->cache, o->p);
}

/* To whoever pops it next, or back at once. */
static void
hand_over(unsigned c, void *p, uint64_t *seed)
{
	struct object o = { p, kmem_cache_size(caches[c]), test_random(seed),
			    caches[c] };

	appear(c, p);
	fill(&o);
	if (!push(&queues[c], &o))
		drop(c, &o);
}

static void
allocate_bulk(unsigned c, uint64_t *seed)
{
	void *objs[BULK];

	REQUIRE(kmem_cache_alloc_bulk(caches[c], GFP_KERNEL, BULK, objs) ==
		BULK);
	for (unsigned i = 0; i < BULK; i++)
		hand_over(c, objs[i], seed);
}

static void
free_bulk(unsigned c)
{
	void *objs[BULK];
	struct object o;
	unsigned n;

	for (n = 0; n < BULK && pop(&queues[c], &o); n++) {
		verify(&o);
		vanish(c, objs[n] = o.p);
	}
	kmem_cache_free_bulk(n % 2 ? NULL : caches[c], n, objs);
}

static void
own_cache(uint64_t *seed)
{
	unsigned size = (unsigned)random_size(seed, 20000);
	slab_flags_t own = test_random(seed) & 1 ? SLAB_NO_MERGE : 0;
	struct kmem_cache *c = kmem_cache_create("own", size, 0, own, NULL);
	struct kmem_cache_stat st;
	void *objs[BULK];

	REQUIRE(c != NULL);
	REQUIRE(kmem_cache_alloc_bulk(c, GFP_KERNEL, BULK, objs) == BULK);
	for (unsigned i = 0; i < BULK; i++)
		memset(objs[i], 0x77, size);
	CHECK_EQ(kmem_cache_stat(c, NUMA_NO_NODE, &st), 0);
	CHECK_EQ(st.object_size, size);
	kmem_cache_free_bulk(c, BULK, objs);
	if (kmem_cache_shrink(c) != 0)
		CHECK_EQ(own, 0); /* another thread's, in the same slabs */
	kmem_cache_destroy(c);
}

static void
step(uint64_t *seed)
{
	uint64_t r = test_random(seed);
	unsigned c = (unsigned)(r >> 8) % CACHES;
	struct object o;
	void *p;

	switch (r % 64) {
	case 0:
		kmem_cache_shrink(caches[c]);
		return;
	case 1:
		own_cache(seed);
		return;
	case 2:
	case 3:
		allocate_bulk(c, seed);
		return;
	case 4:
	case 5:
		free_bulk(c);
		return;
	default:
		break;
	}
	if (r & 1 && pop(&queues[c], &o)) {
		drop(c, &o);
		return;
	}
	p = kmem_cache_alloc_node(caches[c], GFP_KERNEL,
				  (int)((r >> 16) % (NODES + 1)) - 1);
	REQUIRE(p != NULL);
	hand_over(c, p, seed);
}

static void *
work(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 11;

	for (unsigned i = 0; i < ROUNDS; i++)
		step(&seed);
	return NULL;
}

static void
check_figures(unsigned c)
{
	struct kmem_cache_stat st;

	REQUIRE(kmem_cache_stat(caches[c], NUMA_NO_NODE, &st) == 0);
	CHECK_EQ(st.active, live[c]);
}

int
main(int argc, char **argv)
{
	static const struct kmem_cache_args limited = { .limit = 100000 };
	static const unsigned sizes[CACHES] = { 24, 200, 3000, 64 };
	struct object o;

	(void)argc;
	stress_start(argv);
	for (unsigned c = 0; c < CACHES; c++) {
		pthread_mutex_init(&queues[c].lock, NULL);
		caches[c] = kmem_cache_create_args(
		    "shared", sizes[c], c == 3 ? &limited : NULL,
		    c == 2 ? SLAB_RED_ZONE | SLAB_POISON : SLAB_NO_MERGE);
		REQUIRE(caches[c] != NULL);
	}
	run_threads(WORKERS, work);
	for (unsigned c = 0; c < CACHES; c++) {
		check_figures(c);
		while (pop(&queues[c], &o))
			drop(c, &o);
		check_figures(c);
		CHECK_EQ(live[c], 0);
		CHECK_EQ(kmem_cache_shrink(caches[c]), 0);
		kmem_cache_destroy(caches[c]);
	}
	return test_done();
}
