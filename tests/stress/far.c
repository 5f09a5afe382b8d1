/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects of named nodes, freed by threads that are at home elsewhere: one at
 * a time and in rows, as a consumer does.  Each object is on the node it was
 * asked for and nobody else's.  Caches come and go meanwhile, and are shrunk;
 * threads end with much of other nodes at hand.  Under the local policy, and
 * under interleave, where home moves with every refill.
 */
#include "tests/stress/stress.h"

#define MANY   8
#define KEPT   300
#define ROW    100
#define ROUNDS OPERATIONS(8000)
#define LIVES  4 /* of a thread */

static struct queue queues[MANY];
static struct kmem_cache *shared;

static void
allocate(struct object *o, struct kmem_cache *c, int node, uint64_t *seed)
{
	*o = (struct object){ NULL, 96, test_random(seed), c };
	o->p = c != NULL ? kmem_cache_alloc_node(c, GFP_KERNEL, node)
			 : kmalloc_node(o->size, GFP_KERNEL, node);
	REQUIRE(o->p != NULL);
	CHECK_EQ(numaslab_node_of(o->p), node);
	fill(o);
}

/* A cache of the thread's own, on all nodes, down to nothing. */
static void
use_own(uint64_t *seed)
{
	struct kmem_cache *c =
	    kmem_cache_create("own", 96, 0, SLAB_NO_MERGE, NULL);
	struct object o[ROW];

	REQUIRE(c != NULL);
	for (unsigned i = 0; i < ROW; i++)
		allocate(&o[i], c, (int)(test_random(seed) % NODES), seed);
	for (unsigned i = 0; i < ROW; i++)
		release(&o[i]);
	CHECK_EQ(kmem_cache_shrink(c), 0);
	kmem_cache_destroy(c);
}

/* A row of one node's to somebody else, who frees them all. */
static void
produce(struct queue *to, int node, uint64_t *seed)
{
	struct object o;

	for (unsigned i = 0; i < ROW; i++) {
		allocate(&o, shared, node, seed);
		if (!push(to, &o))
			release(&o);
	}
}

static void
replace(struct object *kept, uint64_t *seed)
{
	for (unsigned i = 0; i < ROW; i++) {
		uint64_t r = test_random(seed);
		struct object *o = &kept[r % KEPT];

		if (o->p != NULL)
			release(o);
		allocate(o, r & 1024 ? shared : NULL, (int)((r >> 16) % NODES),
			 seed);
	}
}

static void *
work(void *arg)
{
	static __thread struct object kept[KEPT];
	uintptr_t self = (uintptr_t)arg;
	uint64_t seed = self + 17, r;
	struct object o;

	for (unsigned i = 0; i < ROUNDS / MANY; i++) {
		r = test_random(&seed);
		produce(&queues[r % MANY], (int)((r >> 8) % NODES), &seed);
		while (pop(&queues[self], &o))
			release(&o);
		replace(kept, &seed);
		if (r % 8 == 0)
			use_own(&seed);
		if (r % 16 == 1)
			kmem_cache_shrink(shared);
		if (r % 64 == 2)
			numaslab_trim(0);
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

	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	if (argc == 1) {
		REQUIRE(system("NUMASLAB_POLICY=interleave "
			       "exec /proc/$PPID/exe once") == 0);
	}
	alarm(WATCHDOG_S);
	for (unsigned i = 0; i < MANY; i++)
		pthread_mutex_init(&queues[i].lock, NULL);
	shared = kmem_cache_create("shared", 96, 0, SLAB_NO_MERGE, NULL);
	REQUIRE(shared != NULL);
	for (unsigned life = 0; life < LIVES; life++)
		run_threads(MANY, work);
	for (unsigned i = 0; i < MANY; i++)
		while (pop(&queues[i], &o))
			release(&o);
	CHECK_EQ(kmem_cache_shrink(shared), 0);
	kmem_cache_destroy(shared);
	return test_done();
}
