/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that runs the program's code at once, on nodes that are nearly full:
 * eight threads allocate from four shared caches, free what others allocated,
 * shrink, drop, and create and destroy caches of their own, merged ones too.
 *
 *  0  objects that a shrinker frees, which allocates meanwhile
 *  1  a constructor that allocates, and a destructor that frees
 *  2  charged to an account, whose callback frees
 *  3  merged with the threads' own, and asked for with and without
 *     __GFP_ACCOUNT
 *
 * Every object has a shadow; at the end nothing is in use, charged, or made
 * and not unmade.
 */
#include "tests/stress/shadow.h"

#include <numaslab/account.h>
#include <numaslab/shrinker.h>

#define WORKERS 8
#define ROUNDS  OPERATIONS(40000)
#define BULK    16

static struct kmem_cache *caches[CACHES], *inner;
static struct queue queues[CACHES];
static struct numaslab_account *account, *tenant;
static uint64_t made, unmade; /* [a] */
static uint64_t failed;       /* [a] requests that found no memory */
static uint64_t shrunk;       /* [a] objects that the shrinkers freed */

static void
drop(unsigned c, struct object *o)
{
	if (c == 1) /* only its first word is left to the program */
		CHECK_EQ(*(uint64_t *)o->p, o->tag);
	else
		verify(o);
	vanish(c, o->p);
	if (c == 1)
		*(uint64_t *)o->p = 0;
	kmem_cache_free(o->cache, o->p);
}

static void
hand_over(unsigned c, struct kmem_cache *cache, void *p, uint64_t *seed)
{
	struct object o = { p, kmem_cache_size(cache), test_random(seed),
			    cache };

	if (p == NULL) {
		__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
		return;
	}
	appear(c, p);
	if (c == 1) {
		CHECK_EQ(*(uint64_t *)o.p, 0); /* constructed */
		*(uint64_t *)o.p = o.tag;
	} else {
		fill(&o);
	}
	if (!push(&queues[c], &o))
		drop(c, &o);
}

/* --- the program's code that the library calls --- */

static void
make(void *p)
{
	void **words = p;

	words[0] = NULL;
	words[1] = kmem_cache_alloc(inner, GFP_KERNEL | __GFP_HIGH);
	__atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
}

static void
unmake(void *p)
{
	void **words = p;

	CHECK_EQ(words[0], NULL);
	kmem_cache_free(inner, words[1]);
	__atomic_add_fetch(&unmade, 1, __ATOMIC_RELAXED);
}

static unsigned long
count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n;

	(void)s;
	(void)sc;
	pthread_mutex_lock(&queues[0].lock);
	n = queues[0].n;
	pthread_mutex_unlock(&queues[0].lock);
	return n;
}

static unsigned long
scan(struct shrinker *s, struct shrink_control *sc)
{
	void *scratch = kmem_cache_alloc(inner, GFP_KERNEL);
	unsigned long freed = 0;
	struct object o;

	(void)s;
	for (; freed < sc->nr_to_scan && pop(&queues[0], &o); freed++)
		drop(0, &o);
	kmem_cache_free(inner, scratch);
	__atomic_add_fetch(&shrunk, freed, __ATOMIC_RELAXED);
	return freed;
}

static struct shrinker *
new_shrinker(void)
{
	struct shrinker *s = shrinker_alloc(SHRINKER_NUMA_AWARE, "pressure");

	if (s == NULL)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->batch = 8;
	shrinker_register(s);
	return s;
}

static int
evict(struct numaslab_account *a, size_t want, void *arg)
{
	struct object o;

	(void)a;
	(void)want;
	(void)arg;
	if (!pop(&queues[2], &o))
		return 0;
	drop(2, &o);
	return 1;
}

/* --- the threads --- */

static void
own_caches(uint64_t *seed)
{
	struct kmem_cache *c = kmem_cache_create("own", 200, 0, 0, NULL);
	struct shrinker *s = test_random(seed) % 4 ? NULL : new_shrinker();
	void *objs[BULK];

	if (c != NULL && kmem_cache_alloc_bulk(c, GFP_KERNEL, BULK, objs)) {
		for (unsigned i = 0; i < BULK; i++)
			appear(3, objs[i]);
		for (unsigned i = 0; i < BULK; i++)
			memset(objs[i], 0x77, 200);
		for (unsigned i = 0; i < BULK; i++)
			vanish(3, objs[i]);
		kmem_cache_free_bulk(c, BULK, objs);
	}
	shrinker_free(s);
	kmem_cache_destroy(c);
}

/* Takes most of a node for a moment. */
static void
squeeze(uint64_t *seed)
{
	void *p = kmalloc_node(3ul << 20, GFP_KERNEL | __GFP_THISNODE,
			       (int)(test_random(seed) % NODES));
	struct object o;

	if (pop(&queues[3], &o))
		drop(3, &o);
	kfree(p);
}

static void
step(uint64_t *seed)
{
	uint64_t r = test_random(seed);
	unsigned c = (unsigned)(r >> 8) % CACHES;
	gfp_t flags = r >> 40 & 1 ? GFP_KERNEL : GFP_NOWAIT;
	struct object o;

	switch (r % 128) {
	case 0:
		kmem_cache_shrink(caches[c]);
		return;
	case 1:
		own_caches(seed);
		return;
	case 2:
		drop_slab();
		return;
	case 3:
	case 4:
		squeeze(seed);
		return;
	default:
		break;
	}
	if (r & 1 && pop(&queues[c], &o)) {
		drop(c, &o);
		return;
	}
	if (c == 3 && r >> 41 & 1)
		flags |= __GFP_ACCOUNT;
	hand_over(c, caches[c],
		  kmem_cache_alloc_node(caches[c], flags,
					(int)((r >> 16) % (NODES + 1)) - 1),
		  seed);
}

static void *
work(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 17;

	numaslab_account_use(tenant);
	for (unsigned i = 0; i < ROUNDS; i++)
		step(&seed);
	return NULL;
}

static void
create_caches(void)
{
	const struct kmem_cache_args paired = { .ctor = make, .dtor = unmake };
	const struct kmem_cache_args charged = { .account = account };

	inner = kmem_cache_create("inner", 48, 0, SLAB_NO_MERGE, NULL);
	caches[0] =
	    kmem_cache_create("kept", 3000, 0, SLAB_RECLAIM_ACCOUNT, NULL);
	caches[1] = kmem_cache_create("made", 64, &paired, 0);
	caches[2] = kmem_cache_create("charged", 300, &charged, 0);
	caches[3] = kmem_cache_create("merged", 200, 0, 0, NULL);
	for (unsigned c = 0; c < CACHES; c++) {
		pthread_mutex_init(&queues[c].lock, NULL);
		REQUIRE(caches[c] != NULL);
	}
}

static void
check_end(struct shrinker *s)
{
	struct numaslab_account_stat st;
	struct object o;

	for (unsigned c = 0; c < CACHES; c++) {
		while (pop(&queues[c], &o))
			drop(c, &o);
		CHECK_EQ(live[c], 0);
		CHECK_EQ(kmem_cache_shrink(caches[c]), 0);
		kmem_cache_destroy(caches[c]);
	}
	shrinker_free(s);
	CHECK_EQ(made, unmade);
	CHECK_EQ(kmem_cache_shrink(inner), 0);
	kmem_cache_destroy(inner);
	REQUIRE(numaslab_account_stat(account, &st) == 0);
	CHECK_EQ(st.bytes, 0);
	CHECK(st.peak > 0);
	REQUIRE(numaslab_account_stat(tenant, &st) == 0);
	CHECK_EQ(st.bytes, 0);
	CHECK(st.peak > 0);
	/* It was what it says it is. */
	CHECK(failed > 0);
	CHECK(shrunk > 0);
	CHECK(made > 0);
}

int
main(int argc, char **argv)
{
	struct shrinker *s;

	(void)argc;
	test_env(argv, "NUMASLAB_NODE_LIMIT", "4M");
	stress_start(argv);
	account = numaslab_account_create("account", 40 * 308, evict, NULL);
	tenant = numaslab_account_create("tenant", SIZE_MAX, NULL, NULL);
	REQUIRE(account != NULL && tenant != NULL);
	create_caches();
	s = new_shrinker();
	REQUIRE(s != NULL);
	run_threads(WORKERS, work);
	check_end(s);
	numaslab_account_destroy(account);
	numaslab_account_destroy(tenant);
	return test_done();
}
