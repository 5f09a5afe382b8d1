/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gfp.h: which flags go together, and what each of them does when the nodes
 * are full.  Four nodes of 8 MiB, 512 KiB of each in reserve.
 */
#include "tests/api/full.h"

#include <pthread.h>

static void
no_ctor(void *obj)
{
	(void)obj;
}

/* --- which go together --- */

static const gfp_t good[] = {
	0,
	GFP_KERNEL,
	GFP_KERNEL_ACCOUNT,
	GFP_NOWAIT,
	GFP_ATOMIC,
	GFP_NOIO,
	GFP_NOFS,
	GFP_USER,
	GFP_HIGHUSER,
	__GFP_DIRECT_RECLAIM,
	__GFP_KSWAPD_RECLAIM,
	__GFP_RECLAIM,
	__GFP_IO,
	__GFP_FS,
	__GFP_THISNODE,
	__GFP_ACCOUNT,
	__GFP_NOWARN,
	__GFP_NORETRY,
	__GFP_RETRY_MAYFAIL,
	GFP_KERNEL | __GFP_NOFAIL,
	GFP_NOIO | __GFP_NOFAIL,
	__GFP_HIGH,
	__GFP_MEMALLOC,
	__GFP_NOMEMALLOC,
	__GFP_HIGH | __GFP_NOMEMALLOC,
	__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM | __GFP_MOVABLE,
	__GFP_RECLAIMABLE | __GFP_WRITE | __GFP_HARDWALL | __GFP_COMP,
};

static const gfp_t bad[] = {
	GFP_KERNEL | __GFP_NOFAIL | __GFP_NORETRY,
	GFP_KERNEL | __GFP_NOFAIL | __GFP_RETRY_MAYFAIL,
	GFP_KERNEL | __GFP_NORETRY | __GFP_RETRY_MAYFAIL,
	__GFP_NOFAIL,
	GFP_ATOMIC | __GFP_NOFAIL,
	GFP_NOWAIT | __GFP_NOFAIL,
	__GFP_MEMALLOC | __GFP_NOMEMALLOC,
	0x80000000u,
	GFP_KERNEL | 0x10u,
};

static void
test_good(void)
{
	struct kmem_cache *c = kmem_cache_create("g", 100, 0, 0, no_ctor);
	void *p;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		p = kmem_cache_alloc(c, good[i]);
		CHECK_MSG(p != NULL, "flags 0x%x", good[i]);
		kmem_cache_free(c, p);
		p = kmem_cache_alloc_node(c, good[i], 1);
		CHECK_EQ(numaslab_node_of(p), 1);
		kmem_cache_free(c, p);
		p = kmalloc(100, good[i]);
		CHECK_MSG(p != NULL, "flags 0x%x", good[i]);
		kfree(p);
		p = kzalloc(100000, good[i]);
		CHECK_MSG(p != NULL, "flags 0x%x", good[i]);
		kfree(p);
	}
	kmem_cache_destroy(c);
}

static void
test_bad(void)
{
	struct kmem_cache *c = kmem_cache_create("b", 100, 0, 0, NULL);
	void *p = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, p); /* one is at hand: an error all the same */
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_ERRNO(kmem_cache_alloc(c, bad[i]), NULL, EINVAL);
		CHECK_ERRNO(kmem_cache_zalloc(c, bad[i]), NULL, EINVAL);
		CHECK_ERRNO(kmem_cache_alloc_node(c, bad[i], 0), NULL, EINVAL);
		CHECK_ERRNO(kmem_cache_alloc_bulk(c, bad[i], 1, &p), 0, EINVAL);
		CHECK_ERRNO(kmalloc(100, bad[i]), NULL, EINVAL);
		CHECK_ERRNO(kmalloc(10000, bad[i]), NULL, EINVAL);
		CHECK_ERRNO(kmalloc(100000, bad[i]), NULL, EINVAL);
		CHECK_ERRNO(kmalloc_node(100, bad[i], 0), NULL, EINVAL);
	}
	CHECK_EQ(kmem_cache_shrink(c), 0); /* none of them allocated */
	kmem_cache_destroy(c);
}

/* --- when all is full --- */

static void
fill_with(gfp_t flags)
{
	while ((objs[n] = kmem_cache_alloc(cache, flags)) != NULL)
		REQUIRE(++n < MOST);
	CHECK_EQ(errno, ENOMEM);
}

static void
test_reserve(void)
{
	unsigned ordinary;
	void *p;

	fill_with(GFP_NOWAIT);
	fill_with(GFP_KERNEL);
	ordinary = n;
	CHECK_ERRNO(kmem_cache_alloc(cache, __GFP_HIGH | __GFP_NOMEMALLOC),
		    NULL, ENOMEM);
	CHECK_ERRNO(kmalloc(300000, GFP_KERNEL), NULL, ENOMEM);
	objs[n] = kmem_cache_alloc(cache, GFP_ATOMIC);
	CHECK(objs[n] != NULL);
	n++;
	p = kmalloc(10000, GFP_ATOMIC); /* blocks, and whole pages */
	CHECK(p != NULL);
	kfree(p);
	p = kmalloc(200000, GFP_ATOMIC);
	CHECK(p != NULL);
	kfree(p);
	fill_with(__GFP_MEMALLOC);
	CHECK_MSG(n - ordinary > 100 * NODES, "%u objects", n - ordinary);
	fill_with(GFP_ATOMIC);
}

static void
test_gives_up(void)
{
	CHECK_ERRNO(kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NORETRY), NULL,
		    ENOMEM);
	CHECK_ERRNO(kmalloc(300000, GFP_KERNEL | __GFP_RETRY_MAYFAIL), NULL,
		    ENOMEM);
}

/*
 * What a thread has at hand of one cache serves another, if it may wait: here
 * empty slabs that it kept.
 */
static void
test_reclaim(void)
{
	struct kmem_cache *c[40];
	void *p;
	int i;

	while (n > 0)
		kmem_cache_free(cache, objs[--n]);
	kmem_cache_shrink(cache);
	for (i = 0; i < 40; i++) { /* one slab each, all of it free */
		c[i] = kmem_cache_create("kept", 2000, 0, 0, no_ctor);
		REQUIRE(c[i] != NULL);
		p = kmem_cache_alloc_node(c[i], GFP_KERNEL, 1);
		REQUIRE(p != NULL);
		kmem_cache_free(c[i], p);
	}
	while ((objs[n] = kmem_cache_alloc_node(
		    cache, __GFP_THISNODE | GFP_NOWAIT, 1)) != NULL)
		n++;
	objs[n] = kmem_cache_alloc_node(cache, __GFP_THISNODE | GFP_NOIO, 1);
	CHECK_EQ(numaslab_node_of(objs[n]), 1);
	n += objs[n] != NULL;
	for (i = 0; i < 40; i++)
		kmem_cache_destroy(c[i]);
}

static pthread_barrier_t start;

/* Frees all while the other waits for memory. */
static void *
free_them(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&start);
	usleep(20000); /* it has tried */
	while (n > 0)
		kmem_cache_free(cache, objs[--n]);
	kmem_cache_shrink(cache);
	return NULL;
}

static void
test_nofail(int is_object)
{
	pthread_t t;
	void *p;

	fill_with(GFP_ATOMIC);
	pthread_barrier_init(&start, NULL, 2);
	REQUIRE(pthread_create(&t, NULL, free_them, NULL) == 0);
	pthread_barrier_wait(&start);
	p = is_object ? kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL)
		      : kmalloc(300000, GFP_KERNEL | __GFP_NOFAIL);
	CHECK(p != NULL);
	pthread_join(t, NULL);
	kfree(p);
}

int
main(int argc, char **argv)
{
	(void)argc;
	full_start(argv);
	test_good();
	test_bad();
	test_reserve();
	test_gives_up();
	test_reclaim();
	test_nofail(0);
	test_nofail(1);
	kmem_cache_destroy(cache);
	return test_done();
}
