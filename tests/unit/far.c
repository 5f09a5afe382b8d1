/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/magazine.c: objects of other nodes than home.  What a thread allocates
 * there by name it has at hand again; what it only frees goes home, a few at a
 * time; and no object is ever handed out for another node than its own.
 * Threads are at home on node 0 of four.  Each case is a child.
 */
#include "slab/slab.h"
#include "tests/test.h"

#include <pthread.h>

#define NODES 4
#define FEW   32u /* what may wait to go home together */
#define N     2000

static struct kmem_cache *cache;
static void *objs[N];

static void
start(unsigned size)
{
	alarm(120);
	cache = kmem_cache_create("far", size, 0, SLAB_NO_MERGE, NULL);
	REQUIRE(cache != NULL);
	kfree(kmalloc(8, GFP_KERNEL)); /* the thread has a heap */
	REQUIRE(ns_home->slot == 0);
}

static void *
get(int node)
{
	void *p = kmem_cache_alloc_node(cache, GFP_KERNEL, node);

	REQUIRE(p != NULL);
	CHECK_EQ(numaslab_node_of(p), node);
	return p;
}

static void
get_all(int node)
{
	for (unsigned i = 0; i < N; i++)
		objs[i] = get(node);
}

static void
put_all(void)
{
	for (unsigned i = 0; i < N; i++)
		kmem_cache_free(cache, objs[i]);
}

static struct ns_heap *
heap(int node)
{
	return ns_home->thread->slot[ns_slot_of_node(node)].heap;
}

static struct ns_bin *
bin(int node)
{
	return ns_bin_of(heap(node), cache);
}

static size_t
at_hand(int node)
{
	return (size_t)(bin(node)->top - bin(node)->items);
}

static uint64_t
stat_of(int node, uint64_t (*of)(const struct numaslab_node_stat *))
{
	struct numaslab_node_stat st;

	REQUIRE(numaslab_node_stat(node, &st) == 0);
	return of(&st);
}

static uint64_t
remote_of(const struct numaslab_node_stat *st)
{
	return st->remote_frees;
}

static uint64_t
local_of(const struct numaslab_node_stat *st)
{
	return st->local_frees;
}

static uint64_t
used_of(const struct numaslab_node_stat *st)
{
	return st->used;
}

/* All that was allocated is free, and nobody's magazine has it. */
static void
check_gone(void)
{
	CHECK_EQ(kmem_cache_shrink(cache), 0);
	for (int node = 0; node < NODES; node++)
		CHECK_EQ(cache->depots[ns_slot_of_node(node)].total_slabs, 0);
	kmem_cache_destroy(cache);
}

/* Runs @fn in a thread of its own, to its end. */
static void
elsewhere(void *(*fn)(void *))
{
	pthread_t t;

	REQUIRE(pthread_create(&t, NULL, fn, NULL) == 0);
	REQUIRE(pthread_join(t, NULL) == 0);
}

/* No slow path: the same object again and again. */
static void
comes_back(void *arg)
{
	uint32_t ticks[NODES];
	void *first[NODES];
	int node;

	(void)arg;
	start(64);
	for (node = 0; node < NODES; node++) {
		for (int i = 0; i < 100; i++)
			kmem_cache_free(cache, get(node));
		first[node] = get(node);
		kmem_cache_free(cache, first[node]);
		ticks[node] = heap(node)->ticks;
	}
	for (int i = 0; i < 1000; i++)
		for (node = 0; node < NODES; node++) {
			void *p = get(node);

			CHECK_EQ(p, first[node]);
			kmem_cache_free(cache, p);
		}
	for (node = 0; node < NODES; node++)
		CHECK_EQ(heap(node)->ticks, ticks[node]);
	check_gone();
}

/* The same of kmalloc's classes. */
static void
kmalloc_comes_back(void *arg)
{
	void *first, *p;
	uint32_t ticks;

	(void)arg;
	start(64);
	for (int i = 0; i < 100; i++)
		kfree(kmalloc_node(200, GFP_KERNEL, 2));
	first = kmalloc_node(200, GFP_KERNEL, 2);
	kfree(first);
	ticks = heap(2)->ticks;
	for (int i = 0; i < 1000; i++) {
		p = kmalloc_node(200, GFP_KERNEL, 2);
		CHECK_EQ(p, first);
		kfree(p);
	}
	CHECK_EQ(heap(2)->ticks, ticks);
}

/* More than a magazine holds, at once: every object has its node. */
static void
many(void *arg)
{
	(void)arg;
	start(256);
	for (int round = 0; round < 20; round++) {
		for (unsigned i = 0; i < N; i++)
			objs[i] = get((int)(i * 7 + i / 5) % NODES);
		put_all();
	}
	get_all(3);
	put_all();
	CHECK(at_hand(3) <= cache->magazine);
	check_gone();
}

static void *
allocate_on_1(void *arg)
{
	get_all(1);
	return arg;
}

/* A thread that only frees keeps few, of no slab, and none of them stays. */
static void
only_frees(void *arg)
{
	uint64_t used = 0;

	(void)arg;
	start(256);
	for (int round = 0; round < 50; round++) {
		elsewhere(allocate_on_1);
		put_all();
		REQUIRE(heap(1) != NULL);
		CHECK(at_hand(1) <= FEW);
		CHECK(bin(1)->allow <= FEW);
		CHECK(bin(1)->current == NULL);
		CHECK(ns_list_empty(&bin(1)->slabs));
		if (round == 4)
			used = stat_of(1, used_of);
	}
	CHECK_MSG(stat_of(1, used_of) <= used + (1ul << 20),
		  "%lu bytes are in use after 50 rounds, %lu after 5",
		  (unsigned long)stat_of(1, used_of), (unsigned long)used);
	check_gone();
}

static void *
free_all(void *arg)
{
	kfree(kmalloc(8, GFP_KERNEL));
	put_all();
	CHECK(at_hand(1) <= FEW);
	return arg;
}

/* And not beyond its end. */
static void
thread_ends(void *arg)
{
	(void)arg;
	start(512);
	for (int round = 0; round < 10; round++) {
		get_all(1);
		elsewhere(free_all);
	}
	check_gone();
}

/* Frees earn nothing: a thread that also allocates a little stays small. */
static void
earns_by_allocating(void *arg)
{
	unsigned after;

	(void)arg;
	start(64);
	for (int round = 0; round < 8; round++) {
		get_all(1);
		put_all();
	}
	REQUIRE(bin(1)->words > N / 4); /* there is room to grow */
	CHECK_EQ(kmem_cache_shrink(cache), 0);
	for (int i = 0; i < 20; i++)
		kmem_cache_free(cache, get(1));
	after = bin(1)->allow;
	elsewhere(allocate_on_1);
	put_all();
	CHECK_MSG(bin(1)->allow <= 2 * after, "%u objects allowed, after %u",
		  bin(1)->allow, after);
	check_gone();
}

/* Home moves on: what the thread left goes home, and so do frees there. */
static void
migrates(void *arg)
{
	static uint32_t cpu;
	unsigned slot;

	(void)arg;
	start(128);
	ns_policy.mode = NS_POLICY_LOCAL;
	get_all(0);
	ns_home->cpu = cpu = 0;
	ns_home->cpu_word = &cpu;
	while (ns_topo_slot_of_cpu(cpu) == 0 && cpu < 64)
		cpu++;
	slot = ns_topo_slot_of_cpu(cpu);
	if (slot == 0)
		test_skip("one CPU is of one node");
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	REQUIRE(ns_home->slot == slot);
	CHECK(bin(0)->current == NULL);
	put_all();
	CHECK(bin(0)->allow > 0); /* they go together */
	CHECK(at_hand(0) <= FEW);
	check_gone();
}

/* What is at hand on other nodes goes back when asked. */
static void
trims(void *arg)
{
	(void)arg;
	start(64);
	get_all(2);
	for (int i = 0; i < 3; i++) {
		put_all();
		get_all(2);
	}
	put_all();
	for (int i = 0; i < 20; i++)
		kmem_cache_free(cache, get(2));
	CHECK(at_hand(2) > 0);
	numaslab_trim(0);
	CHECK_EQ(at_hand(2), 0);
	check_gone();
}

#ifndef TEST_SANITIZED
static void *
free_and_stay(void *arg)
{
	pthread_barrier_t *meet = arg;

	kfree(kmalloc(8, GFP_KERNEL));
	put_all();
	pthread_barrier_wait(meet);
	pthread_barrier_wait(meet);
	return NULL;
}

/* A child has what other threads' far magazines had. */
static void
forks(void *arg)
{
	pthread_barrier_t meet;
	pthread_t t;
	int status;
	pid_t pid;

	(void)arg;
	start(128);
	get_all(1);
	REQUIRE(pthread_barrier_init(&meet, NULL, 2) == 0);
	REQUIRE(pthread_create(&t, NULL, free_and_stay, &meet) == 0);
	pthread_barrier_wait(&meet);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		check_gone();
		_exit(test_done());
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	pthread_barrier_wait(&meet);
	REQUIRE(pthread_join(t, NULL) == 0);
	check_gone();
}

#endif

static void
counts(void *arg)
{
	uint64_t remote, local;

	(void)arg;
	start(64);
	remote = stat_of(1, remote_of);
	local = stat_of(0, local_of);
	get_all(1);
	put_all();
	CHECK_EQ(stat_of(1, remote_of) - remote, N);
	CHECK_EQ(stat_of(0, local_of) - local, 0);
	remote = stat_of(0, remote_of);
	get_all(0);
	put_all();
	CHECK_EQ(stat_of(0, local_of) - local, N);
	CHECK_EQ(stat_of(0, remote_of) - remote, 0);
	check_gone();
}

static void
free_twice(void *arg)
{
	void *p;

	(void)arg;
	start(64);
	for (int i = 0; i < 20; i++)
		kmem_cache_free(cache, get(1));
	p = get(1);
	kmem_cache_free(cache, p);
	kmem_cache_free(cache, p);
}

static void
free_inside(void *arg)
{
	(void)arg;
	start(64);
	kmem_cache_free(cache, (char *)get(1) + 16);
}

static void
free_to_wrong(void *arg)
{
	struct kmem_cache *other;
	void *p;

	(void)arg;
	start(64);
	other = kmem_cache_create("other", 64, 0, SLAB_NO_MERGE, NULL);
	REQUIRE(other != NULL);
	p = kmem_cache_alloc_node(other, GFP_KERNEL, 1);
	kmem_cache_free(other, p);
	kmem_cache_free(other, get(1));
}

static void
kfree_twice(void *arg)
{
	void *p;

	(void)arg;
	start(64);
	p = kmalloc_node(100, GFP_KERNEL, 3);
	kfree(p);
	kfree(p);
}

static void *
make_some(void *arg)
{
	for (unsigned i = 0; i < 100; i++)
		objs[i] = get(1);
	return arg;
}

static void
free_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		kmem_cache_free(cache, objs[i]);
}

/* A bin keeps its array, a short one, for the next cache with its id. */
static void
short_array(void *arg)
{
	void *p[20];

	(void)arg;
	start(3000);
	kfree(kmalloc_node(64, GFP_KERNEL, 1)); /* a heap there */
	elsewhere(make_some);
	free_some(100);
	kmem_cache_destroy(cache);
	for (unsigned i = 0; i < 20; i++) /* behind it another's */
		p[i] = kmalloc_node(48, GFP_KERNEL, 1);
	kfree_bulk(20, p);
	start(16);
	elsewhere(make_some);
	free_some(FEW + 1);
	for (unsigned i = 0; i < 60; i++) {
		void *q = kmalloc_node(48, GFP_KERNEL, 1);

		for (unsigned k = 0; k < 100; k++)
			REQUIRE(q != objs[k]);
	}
}

int
main(int argc, char **argv)
{
	static const struct test_one cases[] = {
		{ "comes_back", comes_back },
		{ "kmalloc_comes_back", kmalloc_comes_back },
		{ "many", many },
		{ "only_frees", only_frees },
		{ "thread_ends", thread_ends },
		{ "earns_by_allocating", earns_by_allocating },
		{ "trims", trims },
#ifndef TEST_SANITIZED
		{ "forks", forks },
#endif
		{ "counts", counts },
		{ "migrates", migrates },
		{ "short_array", short_array },
	};

	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_POLICY", "preferred=0");
	test_env(argv, "NUMASLAB_PURGE_THREAD", "0");
	test_each(cases, sizeof(cases) / sizeof(*cases));
	CHECK_ABORTS(free_twice, NULL, "already free");
	CHECK_ABORTS(free_inside, NULL, "not the start of an object");
	CHECK_ABORTS(free_to_wrong, NULL, "an object of another cache");
	CHECK_ABORTS(kfree_twice, NULL, "already free");
	return test_done();
}
