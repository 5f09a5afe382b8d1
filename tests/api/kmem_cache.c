/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem.h: caches, from their making to their end, and what errors there are. */
#include "tests/api/kmem_test.h"

#include <pthread.h>
#include <stddef.h>

/* --- kmem_cache_create, _size, _name, _destroy --- */

static void
test_create_errors(void)
{
	CHECK_ERRNO(kmem_cache_create(NULL, 8, 0, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 0, 0, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(
	    kmem_cache_create("c", KMALLOC_MAX_CACHE_SIZE + 1, 0, 0, NULL),
	    NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", ~0u, 0, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 3, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 8192, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 1u << 31, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 0, 0x80000000u, NULL), NULL,
		    EINVAL);
}

static void
panic(void *arg)
{
	kmem_cache_create("impossible", 8, *(unsigned *)arg, SLAB_PANIC, NULL);
}

static void
test_panic(void)
{
	unsigned bad = 3, good = 8;
	struct test_output out;

	CHECK_ABORTS(panic, &bad, "impossible");
	CHECK_EQ(run_child(panic, &good, &out), 0);
}

static void
test_size_and_name(void)
{
	char name[] = "connection";
	struct kmem_cache *c = create(name, 123, 0, 0, NULL);

	name[0] = 'X';
	CHECK_STR(kmem_cache_name(c), "connection");
	CHECK_EQ(kmem_cache_size(c), 123);
	kmem_cache_destroy(c);
	kmem_cache_destroy(NULL);
	c = create("a name that is longer than what is kept", 8, 0, 0, NULL);
	CHECK_STR(kmem_cache_name(c), "a name that is longer than what");
	kmem_cache_destroy(c);
}

static void
test_many_caches(void)
{
	struct kmem_cache *c[200];

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 200; i++) {
			c[i] = create("many", 8 * (i + 1), 0, 0, NULL);
			objs[i] = alloc(c[i]);
			memset(objs[i], (int)i, 8 * (i + 1));
		}
		for (unsigned i = 0; i < 200; i++) {
			CHECK_EQ(*(unsigned char *)objs[i], i);
			kmem_cache_free(c[i], objs[i]);
			kmem_cache_destroy(c[i]);
		}
	}
}

/* --- sizes and alignments --- */

static void
check_geometry(unsigned size, unsigned align, slab_flags_t flags,
	       void (*ctor)(void *))
{
	struct kmem_cache *c = create("geometry", size, align, flags, ctor);
	size_t least = align > sizeof(void *) ? align : sizeof(void *);
	unsigned n = size > 4096 ? 40 : 500;

	for (unsigned i = 0; i < n; i++) {
		objs[i] = alloc(c);
		CHECK_MSG((uintptr_t)objs[i] % least == 0,
			  "size %u, align %u: %p", size, align, objs[i]);
		if (flags & SLAB_HWCACHE_ALIGN && size >= 64)
			CHECK_EQ((uintptr_t)objs[i] % 64, 0);
		else if (flags & SLAB_HWCACHE_ALIGN) /* within one line */
			CHECK((uintptr_t)objs[i] % 64 + size <= 64);
		memset(objs[i], 0x5a, size);
	}
	check_distinct(n, size);
	for (unsigned i = 0; i < n; i++)
		kmem_cache_free(c, objs[i]);
	kmem_cache_destroy(c);
}

static void
test_geometry(void)
{
	static const unsigned sizes[] = { 1,    7,    8,     9,     16,
					  24,   40,   64,    65,    100,
					  128,  200,  1000,  4096,  4097,
					  8192, 8193, 20000, 65535, 65536 };
	static const slab_flags_t flags[] = { 0, SLAB_HWCACHE_ALIGN,
					      SLAB_NO_COLOR };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		for (unsigned align = 1; align <= 4096; align *= 4)
			for (unsigned f = 0; f < 3; f++)
				check_geometry(sizes[s], align, flags[f], NULL);
		check_geometry(sizes[s], 0, 0, NULL);
		check_geometry(sizes[s], 0, 0, no_ctor);
		check_geometry(sizes[s], 4096, 0, no_ctor);
	}
}

/* --- struct kmem_cache_args, KMEM_CACHE --- */

struct with_links {
	uint64_t id;
	void *links[2];
	uint64_t check;
} __attribute__((aligned(32)));

static void
construct_with_links(void *obj)
{
	struct with_links *o = obj;

	o->id = 7;
	o->check = ~7ul;
}

static void
test_args(void)
{
	struct kmem_cache_args args = { .align = 32,
					.ctor = construct_with_links,
					.use_freeptr_offset = 1,
					.freeptr_offset = offsetof(
					    struct with_links, links) };
	unsigned size = sizeof(struct with_links);
	struct kmem_cache *c = kmem_cache_create("args", size, &args, 0);
	struct kmem_cache_stat st;
	struct with_links *o;

	REQUIRE(c != NULL);
	REQUIRE(kmem_cache_stat(c, NUMA_NO_NODE, &st) == 0);
	CHECK_EQ(st.stride, size); /* no room behind it */
	for (unsigned round = 0; round < 3; round++) {
		CHECK_EQ(kmem_cache_alloc_bulk(c, GFP_KERNEL, 1000, objs),
			 1000);
		for (unsigned i = 0; i < 1000; i++) {
			o = objs[i];
			CHECK_EQ((uintptr_t)o % 32, 0);
			CHECK(o->id == 7 && o->check == ~7ul);
			o->links[0] = o->links[1] = o;
		}
		check_distinct(1000, size);
		kmem_cache_free_bulk(c, 1000, objs);
	}
	kmem_cache_destroy(c);
	args.freeptr_offset = 4;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args.freeptr_offset = size - 8;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args.freeptr_offset = ~7u;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args.use_freeptr_offset = 2;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args = (struct kmem_cache_args){ .align = 24 };
	CHECK_ERRNO(kmem_cache_create("c", 8, &args, 0), NULL, EINVAL);
	c = kmem_cache_create("none", 24, NULL, 0);
	CHECK_EQ(kmem_cache_size(c), 24);
	kmem_cache_destroy(c);
	c = kmem_cache_create_args("none", 25, NULL, SLAB_HWCACHE_ALIGN);
	CHECK_EQ(kmem_cache_size(c), 25);
	kmem_cache_destroy(c);
}

static void
test_macro(void)
{
	struct kmem_cache *c = KMEM_CACHE(with_links, SLAB_PANIC);
	void *p = alloc(c);

	CHECK_STR(kmem_cache_name(c), "with_links");
	CHECK_EQ(kmem_cache_size(c), sizeof(struct with_links));
	CHECK_EQ((uintptr_t)p % __alignof__(struct with_links), 0);
	kmem_cache_free(c, p);
	kmem_cache_destroy(c);
}

#define SMALL_OBJECTS 300
#define LARGE_OBJECTS 3000

static struct kmem_cache *reused;
static void *of_small[SMALL_OBJECTS], *of_large[LARGE_OBJECTS];
static pthread_barrier_t turn;

/* Frees of the second cache what it never allocated; then others of its own. */
static void *
use_two_caches(void *arg)
{
	void *p[100];

	for (unsigned i = 0; i < SMALL_OBJECTS; i++)
		of_small[i] = alloc(reused);
	for (unsigned i = 0; i < 20; i++)
		kmem_cache_free(reused, of_small[i]);
	for (unsigned i = 0; i < 100; i++)
		p[i] = kmalloc(64, GFP_KERNEL);
	kfree(p[0]);
	pthread_barrier_wait(&turn);
	pthread_barrier_wait(&turn);
	for (unsigned i = 0; i < LARGE_OBJECTS; i++)
		kmem_cache_free(reused, of_large[i]);
	for (unsigned i = 1; i < 100; i++)
		kfree(p[i]);
	for (unsigned i = 0; i < 100; i++) {
		p[i] = kmalloc(64, GFP_KERNEL);
		CHECK_EQ(ksize(p[i]), 64);
	}
	for (unsigned i = 0; i < 100; i++)
		kfree(p[i]);
	return arg;
}

/* What a thread has for a cache does not fit the next one with its id. */
static void
test_reused_id(void)
{
	pthread_t t;

	reused = create("small", 64, 0, 0, NULL);
	pthread_barrier_init(&turn, NULL, 2);
	REQUIRE(pthread_create(&t, NULL, use_two_caches, NULL) == 0);
	pthread_barrier_wait(&turn);
	for (unsigned i = 20; i < SMALL_OBJECTS; i++)
		kmem_cache_free(reused, of_small[i]);
	kmem_cache_destroy(reused);
	reused = create("large", 16384, 0, 0, NULL);
	for (unsigned i = 0; i < LARGE_OBJECTS; i++)
		of_large[i] = alloc(reused);
	pthread_barrier_wait(&turn);
	pthread_join(t, NULL);
	kmem_cache_destroy(reused);
	pthread_barrier_destroy(&turn);
}

/* More caches than there can be: refused, at no cost. */
static void
test_too_many(void)
{
	static struct kmem_cache *caches[2000];
	struct numaslab_node_stat before, after;
	unsigned n = 0;

	while (n < 2000 &&
	       (caches[n] = kmem_cache_create("one of many", 64, 0,
					      SLAB_NO_MERGE, NULL)) != NULL)
		n++;
	CHECK(n > 800 && n < 2000 && errno == ENOMEM);
	REQUIRE(numaslab_node_stat(0, &before) == 0);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(kmem_cache_create("more", 64, 0, SLAB_NO_MERGE, NULL),
			 NULL);
	REQUIRE(numaslab_node_stat(0, &after) == 0);
	CHECK_EQ(after.used, before.used);
	while (n > 0)
		kmem_cache_destroy(caches[--n]);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_create_errors();
	test_panic();
	test_size_and_name();
	test_args();
	test_macro();
	test_many_caches();
	test_geometry();
	test_reused_id();
	test_too_many();
	return test_done();
}
