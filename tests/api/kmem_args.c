/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmem_cache_args: destructors, node policies, sheaf capacity; and, merging
 * being off in this test, that caches are not merged then.
 */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>
#include <numaslab/shrinker.h>

#include "tests/test.h"

#include <pthread.h>

#define NODES 4
#define MANY  3000u
#define SIZE  120u

static void *objs[MANY];

static struct kmem_cache *
create(const char *name, unsigned size, const struct kmem_cache_args *args,
       slab_flags_t flags)
{
	struct kmem_cache *c = kmem_cache_create(name, size, args, flags);

	REQUIRE(c != NULL);
	return c;
}

/* --- destructors --- */

static uint64_t made, unmade; /* [a] */

static void
make(void *p)
{
	memset(p, 0x5c, SIZE);
	__atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
}

/* Each object is as it was made, and is not unmade twice. */
static void
unmake(void *p)
{
	const unsigned char *b = p;

	CHECK_MSG(b[0] == 0x5c && b[SIZE - 1] == 0x5c, "%p is not constructed",
		  p);
	memset(p, 0xdd, SIZE);
	__atomic_add_fetch(&unmade, 1, __ATOMIC_RELAXED);
}

static const struct kmem_cache_args both = { .ctor = make, .dtor = unmake };

static void
use(struct kmem_cache *c, int node)
{
	for (unsigned i = 0; i < MANY; i++) {
		objs[i] = kmem_cache_alloc_node(c, GFP_KERNEL, node);
		REQUIRE(objs[i] != NULL);
		CHECK_EQ(((unsigned char *)objs[i])[SIZE / 2], 0x5c);
	}
	for (unsigned i = 0; i < MANY; i++)
		kmem_cache_free(c, objs[i]);
}

static void
test_dtor_errors(void)
{
	const struct kmem_cache_args bad = { .dtor = unmake };

	CHECK_ERRNO(kmem_cache_create("bad", SIZE, &bad, 0), NULL, EINVAL);
}

static void
test_dtor(void)
{
	static const slab_flags_t flags[] = { 0, SLAB_RED_ZONE | SLAB_POISON,
					      SLAB_ACCOUNT };
	struct kmem_cache *c;

	for (unsigned i = 0; i < 3; i++) {
		made = unmade = 0;
		c = create("dtor", SIZE, &both, flags[i]);
		CHECK_EQ(made, 0);
		use(c, NUMA_NO_NODE);
		CHECK(made >= MANY);
		use(c, 2);
		CHECK_EQ(kmem_cache_shrink(c), 0);
		CHECK_EQ(unmade, made); /* before the memory goes back */
		use(c, 1);
		kmem_cache_destroy(c);
		CHECK_EQ(unmade, made);
	}
}

/* A live object keeps its slab's others from being destroyed. */
static void
test_dtor_live(void)
{
	struct kmem_cache *c = create("live", SIZE, &both, 0);
	void *p = kmem_cache_alloc(c, GFP_KERNEL);

	made = unmade = 0;
	CHECK_EQ(kmem_cache_shrink(c), 1);
	CHECK_EQ(unmade, 0);
	CHECK_EQ(*(unsigned char *)p, 0x5c);
	kmem_cache_free(c, p);
	kmem_cache_destroy(c);
	CHECK(unmade > 0);
}

/* The last free of a slab is another thread's. */
static void *
free_all(void *c)
{
	for (unsigned i = 0; i < MANY; i++)
		kmem_cache_free(c, objs[i]);
	return NULL;
}

static void
test_dtor_remote(void)
{
	struct kmem_cache *c = create("remote", SIZE, &both, 0);
	pthread_t t;

	made = unmade = 0;
	for (unsigned i = 0; i < MANY; i++)
		objs[i] =
		    kmem_cache_alloc_node(c, GFP_KERNEL, (int)(i % NODES));
	REQUIRE(pthread_create(&t, NULL, free_all, c) == 0);
	REQUIRE(pthread_join(t, NULL) == 0);
	kmem_cache_destroy(c);
	CHECK(made >= MANY);
	CHECK_EQ(unmade, made);
}

/* It may allocate and free of other caches, and take what the caller has. */
static struct kmem_cache *inner;

static void
make_outer(void *p)
{
	*(void **)p = kmem_cache_alloc(inner, GFP_KERNEL);
	REQUIRE(*(void **)p != NULL);
}

static void
unmake_outer(void *p)
{
	void *q = kmem_cache_alloc(inner, GFP_KERNEL);

	kmem_cache_free(inner, *(void **)p);
	kmem_cache_free(inner, q);
	CHECK_EQ(kmem_cache_shrink(inner) >= 0, 1);
}

static void
test_dtor_allocates(void)
{
	const struct kmem_cache_args args = { .ctor = make_outer,
					      .dtor = unmake_outer };
	struct kmem_cache *c = create("outer", 64, &args, 0);
	struct kmem_cache_stat st;

	inner = create("inner", SIZE, &both, 0);
	made = unmade = 0;
	for (unsigned i = 0; i < MANY; i++)
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
	kmem_cache_free_bulk(c, MANY, objs);
	kmem_cache_destroy(c);
	REQUIRE(kmem_cache_stat(inner, NUMA_NO_NODE, &st) == 0);
	CHECK_EQ(st.active, 0);
	kmem_cache_destroy(inner);
	CHECK_EQ(unmade, made);
}

/* What a thread keeps at hand goes when another cache needs the memory. */
static void
test_dtor_short(void)
{
	static const gfp_t silent[] = { GFP_NOWAIT, GFP_NOFS };
	struct kmem_cache *c = create("short", SIZE, &both, 0);
	struct kmem_cache *d = create("plain", 4000, NULL, 0);
	static void *all[10000];
	unsigned n = 0, i;

	made = unmade = 0;
	for (i = 0; i < 10; i++)
		objs[i] = kmem_cache_alloc_node(c, GFP_KERNEL, 2);
	while (i > 0)
		kmem_cache_free(c, objs[--i]);
	for (i = 0; i < 2; i++)
		while ((all[n] = kmem_cache_alloc_node(
			    d, silent[i] | __GFP_THISNODE, 2)) != NULL)
			REQUIRE(++n < 10000);
	CHECK_EQ(unmade, 0);
	all[n] = kmem_cache_alloc_node(d, GFP_KERNEL | __GFP_THISNODE, 2);
	CHECK(all[n] != NULL);
	n += all[n] != NULL;
	CHECK(made > 0);
	CHECK_EQ(unmade, made);
	while (n > 0)
		kmem_cache_free(d, all[--n]);
	kmem_cache_destroy(c);
	kmem_cache_destroy(d);
}

/* --- policies --- */

static void
count_nodes(struct kmem_cache *c, unsigned *on)
{
	memset(on, 0, NODES * sizeof(*on));
	for (unsigned i = 0; i < MANY; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		REQUIRE(objs[i] != NULL);
		on[numaslab_node_of(objs[i])]++;
	}
	for (unsigned i = 0; i < MANY; i++)
		kmem_cache_free(c, objs[i]);
}

static void
test_policy_errors(void)
{
	static const char *const bad[] = { "",         "lokal",  "bind",
					   "bind=",    "bind=9", "preferred=99",
					   "local now" };
	struct kmem_cache_args args = { 0 };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		args.policy = bad[i];
		CHECK_ERRNO(kmem_cache_create("bad", SIZE, &args, 0), NULL,
			    EINVAL);
	}
}

static void
test_policies(void)
{
	static const struct {
		char policy[16];
		unsigned nodes; /* a bit each */
	} cases[] = {
		{ "bind=2", 1u << 2 },
		{ "bind=1,3", 1u << 1 | 1u << 3 },
		{ "preferred=3", 1u << 3 },
		{ "interleave", 15 },
	};
	struct kmem_cache_args args = { 0 };
	struct kmem_cache *c;
	unsigned on[NODES];
	char policy[16];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memcpy(policy, cases[i].policy, sizeof(policy));
		args.policy = policy;
		c = create("policy", SIZE, &args, 0);
		memset(policy, 'x', sizeof(policy)); /* it was only read */
		for (unsigned round = 0; round < 3; round++) {
			count_nodes(c, on);
			for (unsigned n = 0; n < NODES; n++)
				CHECK_MSG(on[n] == 0 ||
					      (cases[i].nodes >> n & 1) != 0,
					  "%s: %u on node %u", cases[i].policy,
					  on[n], n);
		}
		/* A request that names a node gets that one. */
		for (int n = 0; n < NODES; n++) {
			objs[n] = kmem_cache_alloc_node(c, GFP_KERNEL, n);
			CHECK_EQ(numaslab_node_of(objs[n]), n);
		}
		kmem_cache_free_bulk(c, NODES, objs);
		CHECK_EQ(kmem_cache_alloc_bulk(c, GFP_KERNEL, 100, objs), 100);
		for (unsigned j = 0; j < 100; j++)
			CHECK((cases[i].nodes >> numaslab_node_of(objs[j]) &
			       1) != 0);
		kmem_cache_free_bulk(c, 100, objs);
		CHECK_EQ(kmem_cache_shrink(c), 0);
		kmem_cache_destroy(c);
	}
}

/* Object by object, and evenly. */
static void
test_interleave(void)
{
	const struct kmem_cache_args args = { .policy = "interleave" };
	struct kmem_cache *c = create("spread", SIZE, &args, 0);
	unsigned on[NODES];

	for (unsigned round = 0; round < 3; round++) {
		count_nodes(c, on);
		for (unsigned n = 0; n < NODES; n++)
			CHECK_EQ(on[n], MANY / NODES);
	}
	kmem_cache_destroy(c);
}

/* Bound: another node does not help out.  Preferred: it does. */
static void
test_full(void)
{
	struct kmem_cache_args args = { .policy = "bind=1" };
	struct kmem_cache *c = create("bound", 4000, &args, 0), *d;
	static void *all[10000];
	unsigned n = 0;
	void *p;

	while ((all[n] = kmem_cache_alloc(c, GFP_NOWAIT)) != NULL) {
		CHECK_EQ(numaslab_node_of(all[n]), 1);
		REQUIRE(++n < 10000);
	}
	CHECK_EQ(errno, ENOMEM);
	CHECK(n > 1000);
	args.policy = "preferred=1";
	d = create("preferred", 4000, &args, 0);
	p = kmem_cache_alloc(d, GFP_NOWAIT);
	REQUIRE(p != NULL);
	CHECK(numaslab_node_of(p) != 1);
	kmem_cache_free(d, p);
	CHECK_ERRNO(kmem_cache_alloc(d, GFP_NOWAIT | __GFP_THISNODE), NULL,
		    ENOMEM);
	while (n > 0)
		kmem_cache_free(c, all[--n]);
	kmem_cache_shrink(c);
	p = kmem_cache_alloc(d, GFP_NOWAIT);
	CHECK_EQ(numaslab_node_of(p), 1);
	kmem_cache_free(d, p);
	kmem_cache_destroy(c);
	kmem_cache_destroy(d);
}

/* --- sheaf capacity --- */

static void
test_sheaf_capacity(void)
{
	static const unsigned capacities[] = { 1, 2, 3, 60, 8191, 100000 };
	struct kmem_cache_args args = { 0 };
	struct kmem_cache_stat st;
	struct kmem_cache *c;

	for (unsigned i = 0; i < 6; i++) {
		unsigned most = capacities[i] > 8191 ? 8191 : capacities[i];

		args.sheaf_capacity = capacities[i];
		c = create("sheaf", SIZE, &args, 0);
		REQUIRE(kmem_cache_stat(c, NUMA_NO_NODE, &st) == 0);
		CHECK_EQ(st.sheaf_capacity, most);
		for (unsigned round = 0; round < 3; round++) {
			for (unsigned j = 0; j < MANY; j++) {
				objs[j] = kmem_cache_alloc(c, GFP_KERNEL);
				memset(objs[j], 7, SIZE);
			}
			REQUIRE(kmem_cache_stat(c, NUMA_NO_NODE, &st) == 0);
			CHECK_EQ(st.active, MANY);
			for (unsigned j = 0; j < MANY; j++)
				kmem_cache_free(c, objs[j]);
			CHECK_EQ(
			    kmem_cache_alloc_bulk(c, GFP_KERNEL, MANY, objs),
			    MANY);
			kmem_cache_free_bulk(c, MANY, objs);
		}
		CHECK_EQ(kmem_cache_shrink(c), 0);
		kmem_cache_destroy(c);
	}
}

/*
 * A thread keeps no more than that of what others own: one object of each of
 * many slabs, freed by another thread, leaves all but so many slabs empty.
 */
static void *
free_few(void *c)
{
	struct kmem_cache_stat st;

	for (unsigned i = 0; i < 64; i++) {
		void *p = kmem_cache_alloc(c, GFP_KERNEL);

		kmem_cache_free(c, p);
	}
	for (unsigned i = 0; i < MANY; i++)
		kmem_cache_free(c, objs[i]);
	REQUIRE(kmem_cache_stat(c, NUMA_NO_NODE, &st) == 0);
	CHECK_EQ(st.active, 0);
	CHECK_MSG(st.slabs <= 8, "%lu slabs", (unsigned long)st.slabs);
	return NULL;
}

static void
test_sheaf_holds_little(void)
{
	const struct kmem_cache_args args = { .sheaf_capacity = 2 };
	struct kmem_cache *c = create("little", 7000, &args, 0);
	pthread_t t;

	for (unsigned i = 0; i < MANY; i++)
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
	kmem_cache_shrink(c); /* nobody's */
	REQUIRE(pthread_create(&t, NULL, free_few, c) == 0);
	REQUIRE(pthread_join(t, NULL) == 0);
	kmem_cache_destroy(c);
}

/* --- merging is off --- */

static void
test_not_merged(void)
{
	struct kmem_cache *a = kmem_cache_create("a", 100, 0, 0, NULL);
	struct kmem_cache *b = kmem_cache_create("b", 100, 0, 0, NULL);
	struct kmem_cache_stat st;
	void *p;

	REQUIRE(a != NULL && b != NULL);
	p = kmem_cache_alloc(a, GFP_KERNEL);
	REQUIRE(kmem_cache_stat(b, NUMA_NO_NODE, &st) == 0);
	CHECK_EQ(st.aliases, 0);
	CHECK_EQ(st.active, 0);
	kmem_cache_free(a, p);
	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_NODE_LIMIT", "32M");
	test_env(argv, "NUMASLAB_SLAB_MERGE", "0");
	test_dtor_errors();
	test_dtor();
	test_dtor_live();
	test_dtor_remote();
	test_dtor_allocates();
	test_dtor_short();
	test_policy_errors();
	test_policies();
	test_interleave();
	test_full();
	test_sheaf_capacity();
	test_sheaf_holds_little();
	test_not_merged();
	return test_done();
}
