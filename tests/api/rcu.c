/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SLAB_TYPESAFE_BY_RCU and kfree_rcu, with an engine whose grace periods end
 * when the test says so: what is freed is still there before, whole and
 * unchanged, and is gone afterwards.
 */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>
#include <numaslab/rcu.h>

#include "tests/test.h"

#include <pthread.h>

#define N    4000
#define SIZE 200

/* --- the engine --- */

static struct kmem_rcu_head *waiting; /* space[0] leads to the next */
static unsigned calls, synchronizes, barriers;
static size_t allocates; /* bytes, by each call */

static void
engine_call(struct kmem_rcu_head *head)
{
	void *p = allocates != 0 ? kmalloc(allocates, GFP_KERNEL) : NULL;

	REQUIRE(head->func != NULL);
	head->space[0] = waiting;
	head->space[1] = (void *)0x5555;
	waiting = head;
	calls++;
	kfree(p);
}

static void
grace_period(void)
{
	struct kmem_rcu_head *head, *next = waiting;

	waiting = NULL;
	while ((head = next) != NULL) {
		next = head->space[0];
		head->func(head);
	}
}

static void
engine_synchronize(void)
{
	synchronizes++;
	grace_period();
}

static void
engine_barrier(void)
{
	barriers++;
	while (waiting != NULL)
		grace_period();
}

static const struct kmem_rcu_ops engine = { engine_call, engine_synchronize,
					    engine_barrier };

static uint64_t
used_bytes(void)
{
	struct numaslab_node_stat st;
	uint64_t sum = 0;

	for (int n = 0; n <= numaslab_max_node(); n++)
		if (numaslab_node_stat(n, &st) == 0)
			sum += st.used;
	return sum;
}

static unsigned
slabs_of(struct kmem_cache *c)
{
	struct kmem_cache_stat st;

	REQUIRE(kmem_cache_stat(c, NUMA_NO_NODE, &st) == 0);
	return (unsigned)st.slabs;
}

/* --- which engine --- */

static void
create_in_panic(void *arg)
{
	(void)arg;
	kmem_cache_create("panic", 8, 0, SLAB_TYPESAFE_BY_RCU | SLAB_PANIC,
			  NULL);
}

static void
free_without(void *arg)
{
	kfree_rcu_at(arg, 0);
}

static void
sleep_without(void *arg)
{
	kfree_rcu_mightsleep(arg);
}

static void
test_no_engine(void)
{
	CHECK_ERRNO(kmem_cache_create("rcu", 8, 0, SLAB_TYPESAFE_BY_RCU, NULL),
		    NULL, EOPNOTSUPP);
	CHECK_ABORTS(create_in_panic, NULL, "without kmem_rcu_set_ops");
	CHECK_ABORTS(free_without, NULL, "kfree_rcu(NULL): no engine is set");
	CHECK_ABORTS(sleep_without, NULL,
		     "kfree_rcu_mightsleep(NULL): no engine is set");
	kvfree_rcu_barrier(); /* nothing was freed: nothing to wait for */
}

static void
test_set_ops(void)
{
	static const struct kmem_rcu_ops no_call = { NULL, engine_synchronize,
						     engine_barrier },
					 no_synchronize = { engine_call, NULL,
							    engine_barrier },
					 no_barrier = { engine_call,
							engine_synchronize,
							NULL };
	static struct kmem_rcu_ops another;

	another = engine;
	CHECK_ERRNO(kmem_rcu_set_ops(NULL), -1, EINVAL);
	CHECK_ERRNO(kmem_rcu_set_ops(&no_call), -1, EINVAL);
	CHECK_ERRNO(kmem_rcu_set_ops(&no_synchronize), -1, EINVAL);
	CHECK_ERRNO(kmem_rcu_set_ops(&no_barrier), -1, EINVAL);
	CHECK_ERRNO(kmem_rcu_set_ops(&engine), 0, 0);
	CHECK_ERRNO(kmem_rcu_set_ops(&engine), 0, 0);
	CHECK_ERRNO(kmem_rcu_set_ops(&another), -1, EBUSY);
}

/* --- caches --- */

static unsigned constructed; /* objects */

static void
construct(void *p)
{
	memset(p, 0x11, 8);
	constructed++;
}

static unsigned char *objs[N];

static unsigned char
pattern(size_t i, size_t j)
{
	return (unsigned char)(j < 8 ? 0x11 : i + j);
}

static void
fill(struct kmem_cache *c)
{
	for (size_t i = 0; i < N; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		REQUIRE(objs[i] != NULL);
		for (size_t j = 0; j < SIZE; j++)
			objs[i][j] = pattern(i, j);
	}
}

/* What readers see: all bytes, but for those from @from to @to. */
static void
check_all(size_t from, size_t to)
{
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < SIZE; j++)
			if ((j < from || j >= to) &&
			    objs[i][j] != pattern(i, j)) {
				CHECK_MSG(0, "object %zu, byte %zu: 0x%x", i, j,
					  objs[i][j]);
				return;
			}
}

static void
free_all_of(struct kmem_cache *c)
{
	for (size_t i = 0; i < N; i++)
		kmem_cache_free(c, objs[i]);
}

struct kind {
	const char *name;
	slab_flags_t flags;
	struct kmem_cache_args args;
};

static const struct kind kinds[] = {
	{ "plain", 0, { 0 } },
	{ "constructed", 0, { .ctor = construct } },
	{ "limited", 0, { .limit = N } },
	{ "aligned", SLAB_HWCACHE_ALIGN | SLAB_NO_COLOR, { 0 } },
	{ "freeptr", 0, { .freeptr_offset = 104, .use_freeptr_offset = 1 } },
	{ "poisoned", SLAB_POISON | SLAB_RED_ZONE, { 0 } },
	{ "watched",
	  SLAB_POISON | SLAB_RED_ZONE | SLAB_STORE_USER |
	      SLAB_CONSISTENCY_CHECKS,
	  { .ctor = construct } },
};

static struct kmem_cache *
create(const struct kind *k)
{
	struct kmem_cache *c = kmem_cache_create(
	    k->name, SIZE, &k->args, k->flags | SLAB_TYPESAFE_BY_RCU);

	REQUIRE(c != NULL);
	return c;
}

/* Before the grace period all is there, after it the memory has gone back. */
static void
test_kind(const struct kind *k)
{
	size_t from = k->args.freeptr_offset, to = from != 0 ? from + 16 : 0;
	struct kmem_cache *c = create(k);
	unsigned slabs, objects, before = constructed;
	uint64_t used;

	kmem_cache_free(c, kmem_cache_alloc(c, GFP_KERNEL));
	kmem_cache_shrink(c);
	grace_period();
	used = used_bytes();
	/* More than once, so that the magazine grows and slabs are kept. */
	for (int round = 0; round < 4; round++) {
		fill(c);
		free_all_of(c);
		check_all(from, to);
	}
	slabs = slabs_of(c);
	CHECK(slabs >= N * SIZE >> 16);
	CHECK_EQ(kmem_cache_shrink(c), 0);
	check_all(from, to);
	CHECK_EQ(slabs_of(c), slabs);
	CHECK(used_bytes() >= used + ((uint64_t)slabs << 16));
	objects = constructed - before;
	CHECK(k->args.ctor == NULL ? objects == 0 : objects >= N);
	grace_period();
	CHECK_EQ(slabs_of(c), 0);
	CHECK_EQ(used_bytes(), used);
	kmem_cache_destroy(c);
}

static void
test_kinds(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		test_kind(&kinds[i]);
}

/* A freed object is the next one to be allocated: no grace period. */
static void
test_reuse(void)
{
	struct kmem_cache *c = create(&kinds[1]);
	unsigned char *p = kmem_cache_alloc(c, GFP_KERNEL);
	unsigned before = calls;

	p[0] = 0x22; /* the program's affair */
	kmem_cache_free(c, p);
	CHECK_EQ(kmem_cache_alloc(c, GFP_KERNEL), p);
	CHECK_EQ(p[0], 0x22);
	p[0] = 0x11;
	kmem_cache_free(c, p);
	CHECK_EQ(calls, before);
	CHECK_ERRNO(kmem_cache_zalloc(c, GFP_KERNEL), NULL, EINVAL);
	kmem_cache_destroy(c);
}

/* A destructor runs when no reader is left. */
static unsigned destructed;

static void
destruct(void *p)
{
	CHECK_EQ(*(unsigned char *)p, 0x11);
	destructed++;
}

static void
test_destructor(void)
{
	static const struct kind k = {
		"destructed", 0, { .ctor = construct, .dtor = destruct }
	};
	struct kmem_cache *c = create(&k);
	unsigned before = constructed;

	fill(c);
	free_all_of(c);
	kmem_cache_shrink(c);
	check_all(0, 0);
	CHECK_EQ(destructed, 0);
	kmem_cache_destroy(c);
	CHECK(constructed > before);
	CHECK_EQ(destructed, constructed - before);
}

static void
test_destroy(void)
{
	struct kmem_cache *c = create(&kinds[0]);
	unsigned before = barriers;
	uint64_t used;

	kmem_cache_free(c, kmem_cache_alloc(c, GFP_KERNEL));
	kmem_cache_shrink(c);
	grace_period();
	used = used_bytes();
	fill(c);
	free_all_of(c);
	kmem_cache_destroy(c);
	CHECK_EQ(barriers, before + 1);
	CHECK(waiting == NULL);
	CHECK_EQ(used_bytes(), used);
}

static void
leak_one(void *arg)
{
	struct kmem_cache *c = arg;
	unsigned char *p = kmem_cache_alloc(c, GFP_KERNEL);

	fill(c);
	free_all_of(c);
	memset(p, 1, SIZE);
	kmem_cache_destroy(c);
	CHECK(waiting == NULL);
	CHECK_EQ(p[SIZE - 1], 1); /* still valid */
	kfree(p);
	CHECK(waiting != NULL);
	grace_period();
	CHECK(waiting == NULL);
}

static void
test_leak(void)
{
	struct kmem_cache *c = create(&kinds[0]);
	struct test_output out;

	CHECK_EQ(run_child(leak_one, c, &out), 0);
	CHECK_STR(out.text, "numaslab: kmem_cache_destroy(plain): 1 objects "
			    "are still live\n");
	kmem_cache_destroy(c);
}

/* Objects of a slab that waits are free, and freeing them is found. */
static struct kmem_cache *late;

static void
free_late(void *arg)
{
	kmem_cache_free(late, arg);
}

static void
test_double_free(void)
{
	late = create(&kinds[0]);
	fill(late);
	free_all_of(late);
	kmem_cache_shrink(late);
	CHECK(waiting != NULL);
	CHECK_ABORTS(free_late, objs[N / 2], "already free (cache plain");
	kmem_cache_destroy(late);
}

/* A thread that ends calls no engine; the next call on the cache does. */
static void *
fill_and_end(void *c)
{
	fill(c);
	free_all_of(c);
	kmem_cache_free(c, kmem_cache_alloc(c, GFP_KERNEL)); /* at hand */
	return NULL;
}

static void
test_thread_end(void)
{
	struct kmem_cache *c = create(&kinds[0]);
	unsigned after;
	pthread_t t;

	REQUIRE(pthread_create(&t, NULL, fill_and_end, c) == 0);
	pthread_join(t, NULL);
	after = calls;
	kfree(kmalloc(SIZE, GFP_KERNEL));
	CHECK_EQ(calls, after);
	CHECK(slabs_of(c) > 0);
	check_all(0, 0);
	CHECK_EQ(kmem_cache_shrink(c), 0);
	CHECK(calls > after);
	grace_period();
	CHECK_EQ(slabs_of(c), 0);
	kmem_cache_destroy(c);
}

/* An engine that allocates, blocks with slow paths of their own included. */
static void
test_allocating_engine(void)
{
	static const size_t sizes[] = { 16, SIZE, 4096, 60000, 1 << 20 };
	struct kmem_cache *c = create(&kinds[0]);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		allocates = sizes[i];
		fill(c);
		kmem_cache_free_bulk(c, N, (void **)objs);
		check_all(0, 0);
		kmem_cache_shrink(c);
		grace_period();
	}
	allocates = 0;
	kmem_cache_destroy(c);
}

/* --- kfree_rcu --- */

struct row {
	char before[24];
	struct kmem_rcu_head rcu;
	char behind[40];
};

static void
free_twice(void *arg)
{
	kfree_rcu((struct row *)arg, rcu);
	grace_period();
	kfree_rcu((struct row *)arg, rcu);
}

static void
free_beyond(void *arg)
{
	kfree_rcu_at(arg, sizeof(struct row));
}

static void
free_far(void *arg)
{
	kfree_rcu_at(arg, 4096);
}

static void
free_crooked(void *arg)
{
	kfree_rcu_at(arg, 4);
}

static void
test_kfree_rcu_misuse(void)
{
	struct row *r = kmalloc(sizeof(*r), GFP_KERNEL);
	void *large = kmalloc(100000, GFP_KERNEL);
	char local[128];

	CHECK_ABORTS(free_twice, r, "already free");
	CHECK_ABORTS(free_beyond, r, "no head fits at offset 88");
	CHECK_ABORTS(free_far, large, "no head fits at offset 4096");
	CHECK_ABORTS(free_crooked, r, "no head fits at offset 4");
	CHECK_ABORTS(free_twice, (char *)r + 16, "not the start");
	CHECK_ABORTS(free_twice, local, "not from this allocator");
	kfree(r);
	kfree(large);
}

static uint64_t
live_bytes(void)
{
	struct numaslab_node_stat st;

	REQUIRE(numaslab_node_stat(0, &st) == 0);
	return st.live;
}

static void
check_row(struct row *r)
{
	uint64_t live = live_bytes();

	memset(r->before, 1, sizeof(r->before));
	memset(r->behind, 2, sizeof(r->behind));
	kvfree_rcu(r, rcu);
	CHECK_EQ(live_bytes(), live);
	for (size_t i = 0; i < sizeof(r->before); i++)
		CHECK_EQ(r->before[i], 1);
	for (size_t i = 0; i < sizeof(r->behind); i++)
		CHECK_EQ(r->behind[i], 2);
	kvfree_rcu_barrier();
	CHECK(live_bytes() <= live - sizeof(*r));
}

static void
test_kfree_rcu(void)
{
	struct kmem_cache *c =
	    kmem_cache_create("row", sizeof(struct row), 0, 0, NULL);
	unsigned before = calls, waits = barriers;

	kfree_rcu((struct row *)NULL, rcu);
	CHECK_EQ(calls, before);
	check_row(kmalloc(sizeof(struct row), GFP_KERNEL));
	check_row(kmalloc(60000, GFP_KERNEL));
	check_row(kmalloc(3 << 20, GFP_KERNEL));
	check_row(kmem_cache_alloc(c, GFP_KERNEL));
	CHECK_EQ(calls, before + 4);
	CHECK_EQ(barriers, waits + 4);
	kvfree_rcu_barrier(); /* nothing is waiting */
	CHECK_EQ(barriers, waits + 4);
	/* destroying a cache waits for those of its objects */
	kfree_rcu((struct row *)kmem_cache_alloc(c, GFP_KERNEL), rcu);
	kmem_cache_destroy(c);
	CHECK_EQ(barriers, waits + 5);
	CHECK(waiting == NULL);
}

static void
test_mightsleep(void)
{
	unsigned before = synchronizes;
	uint64_t live;
	char *p = kmalloc(16, GFP_KERNEL);

	live = live_bytes();
	kfree_rcu_mightsleep(p);
	CHECK_EQ(live_bytes(), live - 16);
	CHECK_EQ(synchronizes, before + 1);
	kvfree_rcu_mightsleep(kmalloc(1 << 20, GFP_KERNEL));
	CHECK_EQ(synchronizes, before + 2);
	kfree_rcu_mightsleep(NULL);
	kfree_rcu_mightsleep(kmalloc(0, GFP_KERNEL));
	CHECK_EQ(synchronizes, before + 2);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_PURGE_MS", "0");
	test_no_engine();
	test_set_ops();
	test_kinds();
	test_reuse();
	test_destructor();
	test_destroy();
	test_leak();
	test_double_free();
	test_thread_end();
	test_allocating_engine();
	test_kfree_rcu_misuse();
	test_kfree_rcu();
	test_mightsleep();
	return test_done();
}
