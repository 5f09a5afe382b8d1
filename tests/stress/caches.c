/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caches created, filled, shrunk and destroyed by all threads at once, while
 * they share one cache that all of them shrink.  Descriptors and ids are
 * reused all the time.
 */
#include "tests/stress/stress.h"

#define ROUNDS  OPERATIONS(3000)
#define OBJECTS 300
#define SHARED  100

static struct kmem_cache *shared;
static unsigned foreign; /* [a] objects that came from the wrong cache */

static void
construct(void *obj)
{
	memset(obj, 0x11, 8);
}

static void
use_shared(struct object *o, uint64_t *seed)
{
	for (unsigned i = 0; i < SHARED; i++) {
		o[i] = (struct object){ kmem_cache_alloc(shared, GFP_KERNEL),
					72, test_random(seed), shared };
		REQUIRE(o[i].p != NULL);
		fill(&o[i]);
	}
	kmem_cache_shrink(shared);
	for (unsigned i = 0; i < SHARED; i++)
		release(&o[i]);
}

static void
use_own(struct object *o, uint64_t *seed)
{
	unsigned size = (unsigned)random_size(seed, 60000);
	unsigned n = size > 3000 ? OBJECTS / 10 : OBJECTS;
	uint64_t r = test_random(seed);
	struct kmem_cache *c;
	char name[32];

	snprintf(name, sizeof(name), "own-%u", size);
	c = kmem_cache_create(name, size, 0,
			      (r & 1 ? SLAB_HWCACHE_ALIGN : 0) |
				  (r & 4 ? SLAB_NO_MERGE : 0),
			      r & 2 && size >= 8 ? construct : NULL);
	REQUIRE(c != NULL);
	CHECK_EQ(kmem_cache_size(c), size);
	CHECK_STR(kmem_cache_name(c), name);
	for (unsigned i = 0; i < n; i++) {
		o[i] = (struct object){ kmem_cache_alloc_node(c, GFP_KERNEL,
							      (int)(i % NODES)),
					size, test_random(seed), c };
		REQUIRE(o[i].p != NULL);
		if (r & 2 && size >= 8 && o[i].p[7] != 0x11)
			__atomic_add_fetch(&foreign, 1, __ATOMIC_RELAXED);
		fill(&o[i]);
		if (i == n / 2)
			kmem_cache_shrink(c);
	}
	for (unsigned i = 0; i < n; i++) {
		verify(&o[i]);
		if (r & 2 && size >= 8)
			memset(o[i].p, 0x11, 8);
		kmem_cache_free(c, o[i].p);
	}
	/* A small one without a constructor may share others' slabs. */
	if (kmem_cache_shrink(c) != 0)
		CHECK((r & 4) == 0 && ((r & 2) == 0 || size < 8));
	kmem_cache_destroy(c);
}

static void *
work(void *arg)
{
	static __thread struct object objects[OBJECTS];
	uint64_t seed = (uintptr_t)arg + 5;

	for (unsigned i = 0; i < ROUNDS; i++) {
		use_own(objects, &seed);
		if (i % 4 == 0)
			use_shared(objects, &seed);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	(void)argc;
	stress_start(argv);
	shared = kmem_cache_create("shared", 72, 0, 0, NULL);
	REQUIRE(shared != NULL);
	run_threads(THREADS, work);
	CHECK_EQ(foreign, 0);
	CHECK_EQ(kmem_cache_shrink(shared), 0);
	kmem_cache_destroy(shared);
	return test_done();
}
