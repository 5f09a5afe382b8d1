/* SPDX-License-Identifier: BSD-2-Clause */
/* mempool.h: sheaves and pools, on one node that can be filled. */
#include <numaslab/mempool.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#include <pthread.h>
#include <setjmp.h>

#define SIZE 2000u
#define MOST 20000u

static void *objs[MOST];
static unsigned n;
static struct kmem_cache *cache, *filler;

static void
fill_memory(void)
{
	while ((objs[n] = kmem_cache_alloc(filler, GFP_ATOMIC)) != NULL)
		REQUIRE(++n < MOST);
}

static void
empty_memory(void)
{
	kmem_cache_free_bulk(filler, n, objs);
	n = 0;
	kmem_cache_shrink(filler);
}

static void
construct(void *obj)
{
	memset(obj, 0x11, 8);
}

/* --- sheaves --- */

static void
test_sheaf(void)
{
	struct slab_sheaf *s = kmem_cache_prefill_sheaf(cache, GFP_KERNEL, 500);
	static char *p[500];

	REQUIRE(s != NULL);
	CHECK_EQ(kmem_cache_sheaf_size(s), 500);
	fill_memory();
	for (unsigned i = 0; i < 500; i++) {
		p[i] = kmem_cache_alloc_from_sheaf(cache, __GFP_ZERO, s);
		REQUIRE(p[i] != NULL);
		CHECK_EQ(p[i][SIZE - 1], 0);
		memset(p[i], 0xff, SIZE);
		CHECK_EQ(kmem_cache_sheaf_size(s), 499 - i);
	}
	CHECK_ERRNO(kmem_cache_alloc_from_sheaf(cache, 0, s), NULL, ENOMEM);
	CHECK_ERRNO(kmem_cache_refill_sheaf(cache, GFP_KERNEL, &s, 5000), -1,
		    ENOMEM);
	CHECK_EQ(kmem_cache_sheaf_size(s), 0);
	empty_memory();
	for (unsigned i = 0; i < 500; i++)
		kmem_cache_free(cache, p[i]);
	CHECK_EQ(kmem_cache_refill_sheaf(cache, GFP_KERNEL, &s, 700), 0);
	CHECK_EQ(kmem_cache_sheaf_size(s), 700);
	CHECK_EQ(kmem_cache_refill_sheaf(cache, GFP_KERNEL, &s, 10), 0);
	CHECK_EQ(kmem_cache_sheaf_size(s), 700);
	kmem_cache_return_sheaf(cache, GFP_KERNEL, s);
	kmem_cache_return_sheaf(cache, GFP_KERNEL, NULL);
	CHECK_EQ(kmem_cache_shrink(cache), 0); /* all are back */
}

/* What was used before is zero when that is asked for. */
static uint64_t
live(void)
{
	struct numaslab_node_stat st;

	REQUIRE(numaslab_node_stat(numaslab_home_node(), &st) == 0);
	return st.live;
}

/* A sheaf's own memory goes with it, and is not kept when it cannot be had. */
static void
test_sheaf_leaks(void)
{
	struct kmem_cache_args args = { .limit = 4 };
	struct kmem_cache *few = kmem_cache_create("few", 64, &args, 0);
	struct slab_sheaf *s;
	uint64_t before = live();

	REQUIRE(few != NULL);
	for (unsigned i = 0; i < 1000; i++) {
		CHECK_ERRNO(kmem_cache_prefill_sheaf(few, GFP_NOWAIT, 8), NULL,
			    ENOMEM);
		s = kmem_cache_prefill_sheaf(few, GFP_NOWAIT, 4);
		REQUIRE(s != NULL);
		kmem_cache_return_sheaf(few, GFP_KERNEL, s);
	}
	CHECK(live() < before + 32 * 1000);
	kmem_cache_destroy(few);
}

static void
test_sheaf_zero(void)
{
	struct slab_sheaf *s;
	char *p[64];

	for (unsigned i = 0; i < 64; i++)
		p[i] = memset(kmem_cache_alloc(cache, GFP_KERNEL), 0xff, SIZE);
	kmem_cache_free_bulk(cache, 64, (void **)p);
	s = kmem_cache_prefill_sheaf(cache, GFP_KERNEL, 64);
	REQUIRE(s != NULL);
	for (unsigned i = 0; i < 64; i++) {
		p[i] = kmem_cache_alloc_from_sheaf(cache, __GFP_ZERO, s);
		for (unsigned j = 0; j < SIZE; j++)
			CHECK_EQ(p[i][j], 0);
	}
	kmem_cache_free_bulk(cache, 64, (void **)p);
	kmem_cache_return_sheaf(cache, GFP_KERNEL, s);
}

static void
from_other(void *arg)
{
	CHECK_EQ(kmem_cache_alloc_from_sheaf(filler, __GFP_ZERO, arg), NULL);
}

static void
refill_other(void *arg)
{
	struct slab_sheaf *s = arg;

	CHECK_EQ(kmem_cache_refill_sheaf(filler, GFP_KERNEL, &s, 20), -1);
}

static void
return_other(void *arg)
{
	kmem_cache_return_sheaf(filler, GFP_KERNEL, arg);
}

static void
test_sheaf_of_other(void)
{
	struct slab_sheaf *s = kmem_cache_prefill_sheaf(cache, GFP_KERNEL, 10);

	REQUIRE(s != NULL);
	CHECK_ABORTS(from_other, s, "kmem_cache_alloc_from_sheaf(filler, 0x");
	CHECK_ABORTS(refill_other, s, "kmem_cache_refill_sheaf(filler, 0x");
	CHECK_ABORTS(return_other, s, "): a sheaf of another cache");
	kmem_cache_return_sheaf(cache, GFP_KERNEL, s);
}

static void
test_sheaf_errors(void)
{
	struct kmem_cache *c = kmem_cache_create("ctor", 64, 0, 0, construct);
	struct slab_sheaf *s = kmem_cache_prefill_sheaf(c, GFP_KERNEL, 1);

	REQUIRE(s != NULL);
	CHECK_ERRNO(kmem_cache_alloc_from_sheaf(c, __GFP_ZERO, s), NULL,
		    EINVAL);
	CHECK_ERRNO(kmem_cache_prefill_sheaf(c, GFP_KERNEL, 0), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_prefill_sheaf(c, GFP_KERNEL, ~0u), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_prefill_sheaf(c, __GFP_ZERO, 1), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_prefill_sheaf(c, __GFP_NOFAIL, 1), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_refill_sheaf(c, __GFP_NOFAIL, &s, 2), -1,
		    EINVAL);
	CHECK_EQ(kmem_cache_sheaf_size(s), 1);
	kmem_cache_return_sheaf(c, GFP_KERNEL, s);
	kmem_cache_destroy(c);
}

/* --- pools --- */

static unsigned allocated, freed;

static void *
counted_alloc(gfp_t flags, void *data)
{
	void *p = kmem_cache_alloc(data, flags);

	if (p != NULL)
		__atomic_add_fetch(&allocated, 1, __ATOMIC_RELAXED);
	return p;
}

static void
counted_free(void *p, void *data)
{
	__atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
	kmem_cache_free(data, p);
}

static gfp_t with_flags;

static void *
flagged_alloc(gfp_t flags, void *data)
{
	with_flags = flags;
	return counted_alloc(flags, data);
}

static void *
never(gfp_t flags, void *data)
{
	(void)flags;
	(void)data;
	return NULL;
}

static void
test_pool(void)
{
	mempool_t *m = mempool_create(10, counted_alloc, counted_free, cache);
	void *p[20];

	REQUIRE(m != NULL);
	CHECK_EQ(allocated, 10);
	for (unsigned i = 0; i < 20; i++) {
		p[i] = i < 10 ? mempool_alloc_preallocated(m)
			      : mempool_alloc(m, GFP_KERNEL);
		REQUIRE(p[i] != NULL);
	}
	CHECK_ERRNO(mempool_alloc_preallocated(m), NULL, ENOMEM);
	CHECK_EQ(allocated, 20);
	for (unsigned i = 0; i < 20; i++)
		mempool_free(p[i], m);
	mempool_free(NULL, m);
	CHECK_EQ(freed, 10);
	CHECK_ERRNO(mempool_alloc(m, __GFP_ZERO), NULL, EINVAL);
	CHECK_ERRNO(mempool_alloc(m, __GFP_NOFAIL), NULL, EINVAL);
	mempool_destroy(m);
	mempool_destroy(NULL);
	CHECK_EQ(freed, 20);
	CHECK_ERRNO(mempool_create(0, counted_alloc, counted_free, cache), NULL,
		    EINVAL);
	CHECK_ERRNO(mempool_create(65537, counted_alloc, counted_free, cache),
		    NULL, EINVAL);
	CHECK_ERRNO(mempool_create(1, NULL, counted_free, cache), NULL, EINVAL);
	CHECK_ERRNO(mempool_create(1, counted_alloc, NULL, cache), NULL,
		    EINVAL);
	CHECK_ERRNO(mempool_create_node(1, counted_alloc, counted_free, cache,
					GFP_KERNEL, 77),
		    NULL, EINVAL);
	CHECK_ERRNO(mempool_create(4, never, counted_free, cache), NULL,
		    ENOMEM);
	CHECK_ERRNO(mempool_create_node(1, counted_alloc, counted_free, cache,
					__GFP_NOFAIL, NUMA_NO_NODE),
		    NULL, EINVAL);
	m = mempool_create_node(2, flagged_alloc, counted_free, cache,
				GFP_NOWAIT, NUMA_NO_NODE);
	REQUIRE(m != NULL);
	CHECK_EQ(with_flags, GFP_NOWAIT);
	mempool_destroy(m);
}

static void
test_kinds(void)
{
	mempool_t *m = mempool_create_slab_pool(4, cache);
	mempool_t *k = mempool_create_kmalloc_pool(4, 300);
	void *p = mempool_alloc(m, GFP_NOIO), *q = mempool_alloc(k, GFP_NOWAIT);

	REQUIRE(p != NULL && q != NULL);
	CHECK_EQ(ksize(p) >= SIZE, 1);
	CHECK_EQ(ksize(q) >= 300, 1);
	mempool_free(p, m);
	mempool_free(q, k);
	mempool_destroy(m);
	mempool_destroy(k);
	CHECK_EQ(kmem_cache_shrink(cache), 0);
}

static void
test_init(void)
{
	mempool_t m, zero;

	memset(&zero, 0, sizeof(zero));
	memset(&m, 0xff, sizeof(m));
	allocated = freed = 0;
	CHECK_EQ(mempool_init(&m, 6, counted_alloc, counted_free, cache), 0);
	CHECK_EQ(allocated, 6);
	CHECK(mempool_initialized(&m));
	CHECK(mempool_is_saturated(&m));
	mempool_free(mempool_alloc_preallocated(&m), &m);
	mempool_exit(&m);
	CHECK_EQ(freed, 6);
	CHECK(!mempool_initialized(&m));
	mempool_exit(&m);
	mempool_exit(&zero);
	CHECK(!mempool_initialized(&zero));
	CHECK_EQ(freed, 6);

	CHECK_EQ(mempool_init_slab_pool(&m, 3, cache), 0);
	mempool_exit(&m);
	CHECK_EQ(mempool_init_kmalloc_pool(&m, 3, 5000), 0);
	CHECK(ksize(mempool_alloc_preallocated(&m)) >= 5000);
	mempool_exit(&m);
	CHECK_EQ(mempool_init_node(&m, 3, mempool_alloc_slab, mempool_free_slab,
				   cache, GFP_NOWAIT, 0),
		 0);
	mempool_exit(&m);

	CHECK_ERRNO(mempool_init(&m, 0, counted_alloc, counted_free, cache), -1,
		    EINVAL);
	CHECK_ERRNO(mempool_init(&m, 1, counted_alloc, NULL, cache), -1,
		    EINVAL);
	CHECK_ERRNO(mempool_init(&m, 1, NULL, counted_free, cache), -1, EINVAL);
	CHECK_ERRNO(mempool_init_node(&m, 1, counted_alloc, counted_free, cache,
				      GFP_KERNEL, 77),
		    -1, EINVAL);
	CHECK_ERRNO(mempool_init(&m, 4, never, counted_free, cache), -1,
		    ENOMEM);
	CHECK(!mempool_initialized(&m));
}

/* The functions of the ready-made pools, by themselves. */
static void
test_element_functions(void)
{
	void *p = mempool_alloc_slab(GFP_KERNEL, cache);
	void *q = mempool_kmalloc(GFP_KERNEL, (void *)700);

	CHECK(ksize(p) >= SIZE);
	CHECK(ksize(q) >= 700);
	mempool_free_slab(p, cache);
	mempool_kfree(q, (void *)700);
	CHECK_EQ(kmem_cache_shrink(cache), 0);
}

static unsigned left; /* elements that few has */

static void *
few(gfp_t flags, void *data)
{
	if (left == 0)
		return NULL;
	left--;
	return counted_alloc(flags, data);
}

/* How many there are ready, which are taken and put back. */
static unsigned
ready_in(mempool_t *m)
{
	void *p[64];
	unsigned i, ready = 0;

	while (ready < 64 && (p[ready] = mempool_alloc_preallocated(m)) != NULL)
		ready++;
	for (i = 0; i < ready; i++)
		mempool_free(p[i], m);
	return ready;
}

static void
test_resize(void)
{
	mempool_t *m;
	void *p[3];

	allocated = freed = 0;
	left = 20;
	m = mempool_create(4, few, counted_free, cache);
	REQUIRE(m != NULL);
	CHECK_EQ(mempool_resize(m, 4), 0);
	CHECK_EQ(ready_in(m), 4);
	CHECK_EQ(mempool_resize(m, 14), 0);
	CHECK_EQ(ready_in(m), 14);
	CHECK(mempool_is_saturated(m));
	CHECK_EQ(freed, 0);
	/* all or nothing */
	CHECK_EQ(left, 6);
	CHECK_ERRNO(mempool_resize(m, 21), -1, ENOMEM);
	CHECK_EQ(ready_in(m), 14);
	CHECK_EQ(freed, 6);
	/* down, with some in use, and up again into the same words */
	for (int i = 0; i < 3; i++)
		p[i] = mempool_alloc_preallocated(m);
	CHECK_EQ(mempool_resize(m, 2), 0);
	CHECK_EQ(freed, 6 + 9);
	for (int i = 0; i < 3; i++)
		mempool_free(p[i], m);
	CHECK_EQ(freed, 6 + 12);
	CHECK_EQ(ready_in(m), 2);
	/* Nothing ready, nothing to be had, and it may not wait. */
	left = 0;
	for (int i = 0; i < 2; i++) {
		p[i] = mempool_alloc(m, GFP_NOWAIT);
		CHECK(p[i] != NULL);
	}
	CHECK(!mempool_is_saturated(m));
	alarm(60);
	CHECK_ERRNO(mempool_alloc(m, GFP_NOWAIT), NULL, ENOMEM);
	CHECK_ERRNO(mempool_alloc(m, GFP_ATOMIC), NULL, ENOMEM);
	alarm(0);
	mempool_free(p[0], m);
	mempool_free(p[1], m);
	CHECK(mempool_is_saturated(m));
	left = 3;
	CHECK_EQ(mempool_resize(m, 5), 0);
	CHECK_EQ(ready_in(m), 5);
	CHECK_ERRNO(mempool_resize(m, 0), -1, EINVAL);
	CHECK_ERRNO(mempool_resize(m, -1), -1, EINVAL);
	CHECK_ERRNO(mempool_resize(m, 65537), -1, EINVAL);
	CHECK_EQ(ready_in(m), 5);
	mempool_destroy(m);
	CHECK_EQ(allocated, freed);
}

/* --- an element that is freed twice, or is none --- */

static void *element;

/* @arg's reserve is short of one, and gets it twice. */
static void
free_twice(void *arg)
{
	mempool_free(element, arg);
	mempool_free(element, arg);
}

/* It is full: the first goes to where elements come from. */
static void
free_twice_of_full(void *arg)
{
	void *p = mempool_alloc(arg, GFP_KERNEL);

	mempool_free(p, arg);
	mempool_free(p, arg);
}

/* First there, and then into the reserve. */
static void
free_to_both(void *arg)
{
	void *p = mempool_alloc(arg, GFP_KERNEL);

	mempool_free(p, arg);
	(void)!mempool_alloc_preallocated(arg);
	mempool_free(p, arg);
}

/* In the reserve, and then to where elements come from. */
static void
free_ready_of_full(void *arg)
{
	mempool_free(element, arg);
	CHECK(mempool_is_saturated(arg));
	mempool_free(element, arg);
}

static void
free_foreign(void *arg)
{
	mempool_free(objs, arg);
}

static void
free_inside(void *arg)
{
	mempool_free((char *)element + 8, arg);
}

static void
free_small(void *arg)
{
	mempool_free(kmalloc(16, GFP_KERNEL), arg);
}

static void
free_of_filler(void *arg)
{
	mempool_free(kmem_cache_alloc(filler, GFP_KERNEL), arg);
}

/* Elements that are no objects: within one array. */
static char array[40][64];

static void *
of_array(gfp_t flags, void *data)
{
	static unsigned next;

	(void)flags;
	(void)data;
	return next < 40 ? array[next++] : NULL;
}

static void
to_nowhere(void *p, void *data)
{
	(void)p;
	(void)data;
}

static void
test_freed_twice(void)
{
	static const char ready[] = "): in the pool's reserve already (";
	mempool_t *slab = mempool_create_slab_pool(40, cache);
	mempool_t *block = mempool_create_kmalloc_pool(40, 700);
	mempool_t *own = mempool_create(40, counted_alloc, counted_free, cache);
	mempool_t *of = mempool_create(40, of_array, to_nowhere, NULL);
	mempool_t *all[] = { slab, block, own, of };
	void *out[4][20];

	for (size_t i = 0; i < 4; i++) {
		REQUIRE(all[i] != NULL);
		for (unsigned j = 0; j < 20; j++)
			element = out[i][j] =
			    mempool_alloc_preallocated(all[i]);
		CHECK_ABORTS(free_twice, all[i], ready);
		CHECK_ABORTS(free_twice, all[i], "mempool_free(0x");
		mempool_resize(all[i], 21);
		CHECK_ABORTS(free_ready_of_full, all[i], ready);
		mempool_resize(all[i], 20);
		if (i == 3)
			break;
		CHECK_ABORTS(free_twice_of_full, all[i],
			     "): already free (cache ");
		CHECK_ABORTS(free_to_both, all[i], "): already free (cache ");
	}
	CHECK_ABORTS(free_foreign, slab, "): not an object of a cache (");
	CHECK_ABORTS(free_foreign, block, "): not from this allocator (");
	CHECK_ABORTS(free_of_filler, slab,
		     "): an object of another cache (cache filler");
	CHECK_ABORTS(free_small, block, "): smaller than the pool's elements");
	element = mempool_alloc(slab, GFP_KERNEL);
	CHECK_ABORTS(free_inside, slab, "): not the start of an object (");
	CHECK_ERRNO(mempool_create_kmalloc_pool(1, 0), NULL, EINVAL);
	CHECK_ERRNO(mempool_init_kmalloc_pool(own, 1, 0), -1, EINVAL);
	mempool_free(element, slab);
	for (size_t i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 20; j++)
			mempool_free(out[i][j], all[i]);
		mempool_destroy(all[i]);
	}
}

enum { MOST_READY = 3000 };
static void *all_ready[MOST_READY];
static sigjmp_buf found;

static void
on_abort(int sig)
{
	(void)sig;
	siglongjmp(found, 1);
}

/* At no two distances alike, so that some buckets are full. */
static void *
noted(gfp_t flags, void *count)
{
	static char area[MOST_READY * 2048];
	static uint64_t seed = 9;
	unsigned i = (*(unsigned *)count)++;

	(void)flags;
	all_ready[i] = area + i * 2048ul + test_random(&seed) % 127 * 16;
	return all_ready[i];
}

/* Each is found where it lies, in its own bucket or elsewhere. */
static void
free_each_again(void *pool)
{
	static volatile unsigned i, caught;

	REQUIRE(freopen("/dev/null", "w", stderr) != NULL);
	for (i = 0; i < MOST_READY; i++) {
		signal(SIGABRT, on_abort);
		if (sigsetjmp(found, 1) == 0)
			mempool_free(all_ready[i], pool);
		else
			caught++;
	}
	_exit(caught == MOST_READY ? 0 : 3);
}

/*
 * Every element of a large pool goes and comes back again and again, in any
 * order: none is lost, none is there twice, whatever bucket it lies in.
 */
static void
test_all_words(void)
{
	void **p = all_ready;
	struct test_output out;
	unsigned made = 0;
	mempool_t *m = mempool_create(MOST_READY, noted, to_nowhere, &made);
	uint64_t seed = 5;

	REQUIRE(m != NULL);
	CHECK_EQ(run_child(free_each_again, m, &out), 0);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < MOST_READY; i++) {
			p[i] = mempool_alloc_preallocated(m);
			REQUIRE(p[i] != NULL);
			memset(p[i], 0, 16);
		}
		for (unsigned i = 0; i < MOST_READY; i++)
			CHECK_EQ((*(uint64_t *)p[i])++, 0);
		CHECK_ERRNO(mempool_alloc_preallocated(m), NULL, ENOMEM);
		for (unsigned i = MOST_READY; i > 0; i--) {
			unsigned j = (unsigned)(test_random(&seed) % i);
			void *q = p[j];

			p[j] = p[i - 1];
			p[i - 1] = q;
			mempool_free(q, m);
		}
		CHECK(mempool_is_saturated(m));
	}
	CHECK_EQ(run_child(free_each_again, m, &out), 0);
	mempool_destroy(m);
}

/* Eight threads, four elements, and no other memory: all get on. */
#define THREADS 8
#define ROUNDS  300

static mempool_t *shared;
static unsigned in_use, most;

static void *
use_pool(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		char *p = mempool_alloc(shared, GFP_KERNEL);
		unsigned now;

		REQUIRE(p != NULL);
		now = __atomic_add_fetch(&in_use, 1, __ATOMIC_RELAXED);
		if (now > most)
			__atomic_store_n(&most, now, __ATOMIC_RELAXED);
		memset(p, (int)(uintptr_t)arg, SIZE);
		if (i % 16 == 0)
			usleep(100);
		CHECK_EQ((unsigned char)p[SIZE - 1], (uintptr_t)arg);
		__atomic_sub_fetch(&in_use, 1, __ATOMIC_RELAXED);
		mempool_free(p, shared);
	}
	return NULL;
}

static void *
four_only(gfp_t flags, void *data)
{
	static unsigned given;

	if (__atomic_fetch_add(&given, 1, __ATOMIC_RELAXED) >= 4)
		return NULL;
	return kmem_cache_alloc(data, flags);
}

static void
test_waiting(void)
{
	pthread_t t[THREADS];
	void *p;

	freed = 0;
	shared = mempool_create(4, four_only, counted_free, cache);
	REQUIRE(shared != NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t[i], NULL, use_pool, (void *)i) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK_MSG(most <= 4, "%u of 4 elements in use", most);
	p = mempool_alloc(shared, GFP_NOWAIT);
	CHECK(p != NULL);
	mempool_free(p, shared);
	CHECK_EQ(freed, 0);
	mempool_destroy(shared);
}

/* A pool that is resized while others use it loses no element. */
static void
test_resize_in_use(void)
{
	pthread_t t[THREADS];

	allocated = freed = 0;
	shared = mempool_create(4, counted_alloc, counted_free, cache);
	REQUIRE(shared != NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t[i], NULL, use_pool, (void *)i) == 0);
	for (int i = 0; i < 300; i++)
		CHECK_EQ(mempool_resize(shared, 1 + i * 7 % 50), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(mempool_resize(shared, 60), 0);
	CHECK_EQ(mempool_resize(shared, 10), 0);
	CHECK_EQ(ready_in(shared), 10);
	CHECK_EQ(allocated - freed, 10);
	mempool_destroy(shared);
	CHECK_EQ(allocated, freed);
	CHECK_EQ(kmem_cache_shrink(cache), 0);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "1");
	test_env(argv, "NUMASLAB_NODE_LIMIT", "8M");
	cache = kmem_cache_create("pooled", SIZE, 0, 0, NULL);
	filler = kmem_cache_create("filler", 4000, 0, 0, NULL);
	REQUIRE(cache != NULL && filler != NULL);
	test_sheaf();
	test_sheaf_zero();
	test_sheaf_leaks();
	test_sheaf_of_other();
	test_sheaf_errors();
	test_pool();
	test_kinds();
	test_init();
	test_element_functions();
	test_resize();
	test_freed_twice();
	test_all_words();
	test_waiting();
	test_resize_in_use();
	return test_done();
}
