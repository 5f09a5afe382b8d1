/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects of all sizes, from kmalloc and from caches, with and without a
 * constructor, on all nodes, handed over at random and freed by whoever has
 * them.  Purges and shrinks run in between.
 */
#include "tests/stress/stress.h"

#define KEPT  200
#define STEPS OPERATIONS(400000)

static struct queue queues[THREADS] = {
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
};

static const struct {
	unsigned size, align;
} kinds[] = { { 24, 0 }, { 64, 64 }, { 200, 0 }, { 1000, 8 }, { 10000, 0 } };

#define KINDS (sizeof(kinds) / sizeof(*kinds))

static struct kmem_cache *plain[KINDS], *constructed[KINDS];

static void
construct(void *obj)
{
	memset(obj, 0, 1);
}

static void
allocate(struct object *o, uint64_t *seed)
{
	uint64_t r = test_random(seed);
	int node = (int)((r >> 8) % (NODES * 2));

	if (node >= NODES)
		node = NUMA_NO_NODE;
	o->tag = test_random(seed);
	if (r % 2 == 0) {
		o->cache = NULL;
		o->size = random_size(seed, 300000);
		o->p = kmalloc_node(o->size, GFP_KERNEL, node);
	} else {
		unsigned kind = (unsigned)(r >> 16) % KINDS;

		o->cache = r & 2 ? plain[kind] : constructed[kind];
		o->size = kinds[kind].size;
		o->p = kmem_cache_alloc_node(o->cache, GFP_KERNEL, node);
	}
	REQUIRE(o->p != NULL);
	if (node != NUMA_NO_NODE)
		CHECK_EQ(numaslab_node_of(o->p), node);
	fill(o);
}

static void
grow_or_shrink(struct object *o, uint64_t *seed)
{
	size_t size = random_size(seed, 300000);

	if (o->cache != NULL)
		return;
	verify(o);
	o->p = krealloc(o->p, size, GFP_KERNEL);
	REQUIRE(o->p != NULL);
	o->size = size < o->size ? size : o->size;
	o->size = o->size < EDGE ? o->size : EDGE; /* was marked for sure */
	verify(o);
	o->size = size;
	fill(o);
}

static void *
work(void *arg)
{
	static __thread struct object kept[KEPT];
	uint64_t seed = (uintptr_t)arg + 1, r;

	for (unsigned i = 0; i < STEPS; i++) {
		struct object *o = &kept[test_random(&seed) % KEPT];

		r = test_random(&seed);
		if (o->p == NULL) {
			if (r % 3 != 0 || !pop(&queues[(r >> 8) % THREADS], o))
				allocate(o, &seed);
		} else if (r % 8 == 0) {
			grow_or_shrink(o, &seed);
		} else if (r % 2 != 0 ||
			   !push(&queues[(r >> 8) % THREADS], o)) {
			release(o);
		} else {
			o->p = NULL;
		}
		if (r % 5000 == 0)
			numaslab_trim(1ul << 20);
		if (r % 3000 == 0)
			kmem_cache_shrink(plain[(r >> 32) % KINDS]);
	}
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].p != NULL)
			release(&kept[i]);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct object o;
	uint64_t used;

	(void)argc;
	stress_start(argv);
	for (unsigned i = 0; i < KINDS; i++) {
		plain[i] = kmem_cache_create("plain", kinds[i].size,
					     kinds[i].align, 0, NULL);
		constructed[i] = kmem_cache_create(
		    "constructed", kinds[i].size, kinds[i].align, 0, construct);
		REQUIRE(plain[i] != NULL && constructed[i] != NULL);
	}
	for (unsigned round = 0; round < 3; round++)
		run_threads(THREADS, work);
	for (unsigned i = 0; i < THREADS; i++)
		while (pop(&queues[i], &o))
			release(&o);
	/* A cache that says nothing when it is destroyed has lost nothing. */
	for (unsigned i = 0; i < KINDS; i++) {
		CHECK_EQ(kmem_cache_shrink(plain[i]), 0);
		CHECK_EQ(kmem_cache_shrink(constructed[i]), 0);
		kmem_cache_destroy(plain[i]);
		kmem_cache_destroy(constructed[i]);
	}
	used = sum_stats(used_of);
	CHECK_MSG(used < 64ul << 20, "%lu bytes are left in use",
		  (unsigned long)used);
	return test_done();
}
