/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem.h, the kmalloc family: every function and every documented error. */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#define NODES 4

static void
fill(void *p, size_t n, unsigned seed)
{
	unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		c[i] = (unsigned char)(seed + i * 7);
}

static int
filled(const void *p, size_t n, unsigned seed)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		if (c[i] != (unsigned char)(seed + i * 7))
			return 0;
	return 1;
}

static int
all_zero(const void *p, size_t n)
{
	const char *c = p;

	while (n > 0 && *c == 0)
		c++, n--;
	return n == 0;
}

static void
check_size(size_t size)
{
	void *p = kmalloc(size, GFP_KERNEL), *q = kmalloc(size, GFP_KERNEL);
	size_t usable = ksize(p);

	REQUIRE(p != NULL && q != NULL);
	CHECK_EQ((uintptr_t)p % 16, 0);
	CHECK_MSG(usable >= size, "%zu: %zu usable", size, usable);
	if (size > 128 && size <= KMALLOC_MAX_CACHE_SIZE)
		CHECK_MSG(usable - size <= size / 8, "%zu: %zu usable", size,
			  usable);
	if ((size & (size - 1)) == 0)
		CHECK_MSG((uintptr_t)p % size == 0, "%zu: %p", size, p);
	fill(p, usable, 1); /* all of it may be used */
	fill(q, usable, 2);
	CHECK(filled(p, usable, 1));
	kfree(p);
	CHECK(filled(q, usable, 2));
	kfree(q);
}

static void
test_sizes(void)
{
	for (size_t size = 1; size <= 2100; size++)
		check_size(size);
	for (size_t size = 2100; size < 200000; size += 997)
		check_size(size);
	for (unsigned bit = 0; bit <= 26; bit++)
		for (long delta = -1; delta <= 1; delta++)
			if ((1l << bit) + delta > 0)
				check_size((size_t)((1l << bit) + delta));
}

static void
test_zero_size(void)
{
	CHECK_EQ(kmalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	CHECK_EQ(kzalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	CHECK_EQ(kmalloc_node(0, GFP_KERNEL, 1), ZERO_SIZE_PTR);
	CHECK_EQ(kmalloc_array(0, 8, GFP_KERNEL), ZERO_SIZE_PTR);
	CHECK_EQ(kmalloc_array(8, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	CHECK(ZERO_OR_NULL_PTR(NULL));
	CHECK(ZERO_OR_NULL_PTR(ZERO_SIZE_PTR));
	errno = EXDEV;
	kfree(NULL);
	kfree(ZERO_SIZE_PTR);
	CHECK_EQ(errno, EXDEV);
	CHECK_EQ(ksize(NULL), 0);
	CHECK_EQ(ksize(ZERO_SIZE_PTR), 0);
}

static void
test_zeroed(void)
{
	static const size_t sizes[] = { 1,    16,   100,   1024,  1025,
					5000, 9000, 65536, 65537, 3ul << 20 };

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			void *p = round == 1 ? kmalloc(sizes[i], __GFP_ZERO)
					     : kzalloc(sizes[i], GFP_KERNEL);
			void *q = kmalloc_node(sizes[i], __GFP_ZERO, 3);

			REQUIRE(p != NULL && q != NULL);
			CHECK(all_zero(p, sizes[i]));
			CHECK(all_zero(q, sizes[i]));
			fill(p, sizes[i], 0xff);
			fill(q, sizes[i], 0xff);
			kfree(p);
			kfree(q);
		}
	}
}

static void
test_absurd_sizes(void)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 4096, PTRDIFF_MAX,
					(size_t)PTRDIFF_MAX + 1, 1ul << 60 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		volatile size_t size = sizes[i];

		CHECK_ERRNO(kmalloc(size, GFP_KERNEL), NULL, ENOMEM);
		CHECK_ERRNO(kzalloc(size, GFP_KERNEL), NULL, ENOMEM);
		CHECK_ERRNO(kmalloc_node(size, GFP_KERNEL, 0), NULL, ENOMEM);
	}
	CHECK_ERRNO(kmalloc_array(1ul << 33, 1ul << 33, 0), NULL, ENOMEM);
	CHECK_ERRNO(kmalloc_array(SIZE_MAX, 2, 0), NULL, ENOMEM);
}

static void
test_array(void)
{
	int *p = kmalloc_array(1000, sizeof(int), __GFP_ZERO);

	REQUIRE(p != NULL);
	CHECK(ksize(p) >= 1000 * sizeof(int));
	CHECK(all_zero(p, 1000 * sizeof(int)));
	kfree(p);
}

static void
test_nodes(void)
{
	static const size_t sizes[] = { 1, 100, 1024, 5000, 60000, 100000 };

	for (int node = 0; node < NODES; node++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			void *p = kmalloc_node(sizes[i], GFP_KERNEL, node);

			REQUIRE(p != NULL);
			CHECK_EQ(numaslab_node_of(p), node);
			CHECK(ksize(p) >= sizes[i]);
			kfree(p);
			p = kmalloc_node(sizes[i], __GFP_THISNODE, node);
			CHECK_EQ(numaslab_node_of(p), node);
			kfree(p);
		}
	}
	for (int node = 0; node < NODES; node++)
		for (size_t size = 1; size <= 4ul << 20; size *= 2)
			for (int i = 0; i < 12; i++) {
				void *p;

				/* What a like size leaves is not aligned. */
				kfree(kmalloc_node(size - size / 64, 0, node));
				p = i % 3 == 0   ? kmalloc_node(size, 0, node)
				    : i % 3 == 1 ? kzalloc_node(size, 0, node)
						 : kvmalloc_node(size, 0, node);
				REQUIRE(p != NULL);
				CHECK_MSG((uintptr_t)p % size == 0, "%zu: %p",
					  size, p);
				kfree(p);
			}
	CHECK_ERRNO(kmalloc_node(8, GFP_KERNEL, NODES), NULL, EINVAL);
	CHECK_ERRNO(kmalloc_node(8, GFP_KERNEL, -2), NULL, EINVAL);
	CHECK_ERRNO(kmalloc_node(8, GFP_KERNEL, 1 << 20), NULL, EINVAL);
	kfree(kmalloc_node(8, GFP_KERNEL, NUMA_NO_NODE));
}

static void
test_krealloc_keeps_contents(void)
{
	uint64_t seed = 11;
	size_t size = 50, next, kept;
	void *p = kmalloc(size, GFP_KERNEL), *q;

	REQUIRE(p != NULL);
	fill(p, size, 0);
	for (unsigned i = 1; i < 3000; i++) {
		next = 1 + test_random(&seed) %
			       (1ul << (4 + test_random(&seed) % 18));
		q = krealloc(p, next, GFP_KERNEL);
		REQUIRE(q != NULL);
		p = q;
		kept = size < next ? size : next;
		CHECK_MSG(filled(p, kept, i - 1), "%zu to %zu bytes", size,
			  next);
		CHECK(ksize(p) >= next);
		size = next;
		fill(p, size, i);
	}
	kfree(p);
}

static void
test_krealloc_edges(void)
{
	void *p = krealloc(NULL, 100, GFP_KERNEL), *q;

	REQUIRE(p != NULL);
	fill(p, 100, 5);
	CHECK_ERRNO(krealloc(p, SIZE_MAX, GFP_KERNEL), NULL, ENOMEM);
	CHECK_ERRNO(krealloc(p, 1ul << 60, GFP_KERNEL), NULL, ENOMEM);
	CHECK(filled(p, 100, 5));
	CHECK_EQ(krealloc(p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	p = krealloc(ZERO_SIZE_PTR, 3000, GFP_KERNEL);
	REQUIRE(p != NULL);
	fill(p, 3000, 6);
	q = krealloc(p, 300000, GFP_KERNEL);
	REQUIRE(q != NULL);
	CHECK(filled(q, 3000, 6));
	fill(q, 300000, 7);
	CHECK_ERRNO(krealloc(q, SIZE_MAX / 2, GFP_KERNEL), NULL, ENOMEM);
	CHECK(filled(q, 300000, 7));
	kfree(q);
	CHECK_EQ(krealloc(NULL, 0, GFP_KERNEL), ZERO_SIZE_PTR);
}

/*
 * With __GFP_ZERO from the first call on, what a block grows by is zero,
 * whatever it held when it was larger.
 */
static void
check_zeroed_growth(uint64_t seed, unsigned bits)
{
	size_t size = 40, next, kept;
	char *p = kzalloc(size, GFP_KERNEL);

	REQUIRE(p != NULL);
	fill(p, size, 0);
	for (unsigned i = 1; i < 2000; i++) {
		/* Mostly a little more or less: in place. */
		next = test_random(&seed) % 4 != 0
			   ? size - size / 3 + test_random(&seed) % (size + 8)
			   : 1 + test_random(&seed) % (1ul << bits);
		if (next > 1ul << bits)
			next = size / 2 + 1;
		p = krealloc(p, next, GFP_KERNEL | __GFP_ZERO);
		REQUIRE(p != NULL);
		kept = size < next ? size : next;
		CHECK(filled(p, kept, i - 1));
		CHECK_MSG(all_zero(p + kept, next - kept), "%zu to %zu", size,
			  next);
		size = next;
		fill(p, size, i);
	}
	kfree(p);
}

static void
test_krealloc_zero(void)
{
	char *p = kmalloc(100, GFP_KERNEL), *q;

	check_zeroed_growth(7, 8);
	check_zeroed_growth(8, 13);
	check_zeroed_growth(9, 18);
	REQUIRE(p != NULL); /* what is new is zero, at the least */
	fill(p, ksize(p), 1);
	q = krealloc(p, 5000, GFP_KERNEL | __GFP_ZERO);
	REQUIRE(q != NULL);
	CHECK(all_zero(q + 112, 5000 - 112));
	p = krealloc(q, 3000, GFP_KERNEL | __GFP_ZERO); /* in place */
	CHECK(p == q);
	CHECK(all_zero(p + 3000, ksize(p) - 3000));
	kfree(p);
}

/* A power of two is aligned to itself however the block came to its size. */
static void
test_krealloc_aligns(void)
{
	static const gfp_t flags[] = { GFP_KERNEL, GFP_KERNEL | __GFP_ZERO };
	uint64_t seed = 3;
	size_t size, old;
	char *p;

	for (unsigned f = 0; f < 2; f++)
		for (unsigned i = 0; i < 600; i++) {
			old = 1 + test_random(&seed) %
				      (1ul << (4 + test_random(&seed) % 18));
			size = 1ul << test_random(&seed) % 22;
			if (i % 2) /* from just above it, in place mostly */
				old = size + 1 + size / 8;
			p = kmalloc(old, flags[f]);
			REQUIRE(p != NULL);
			fill(p, old, i);
			p = krealloc(p, size, flags[f]);
			REQUIRE(p != NULL);
			CHECK_MSG((uintptr_t)p % size == 0, "%zu to %zu: %p",
				  old, size, (void *)p);
			CHECK(filled(p, old < size ? old : size, i));
			CHECK(ksize(p) >= size);
			kfree(p);
		}
	/* And a large one, which could grow in place. */
	p = kmalloc(1ul << 20, GFP_KERNEL);
	for (size = 1ul << 21; size <= 1ul << 25; size *= 2) {
		REQUIRE(p != NULL);
		fill(p, size / 2, 1);
		p = krealloc(p, size, GFP_KERNEL);
		CHECK_EQ((uintptr_t)p % size, 0);
		CHECK(filled(p, size / 2, 1));
	}
	kfree(p);
}

/* --- the rest of the family --- */

static void
test_arrays_on_nodes(void)
{
	char *p;

	for (int node = 0; node < NODES; node++) {
		p = kcalloc_node(30, 30, GFP_KERNEL, node);
		REQUIRE(p != NULL);
		CHECK_EQ(numaslab_node_of(p), node);
		CHECK(all_zero(p, 900));
		fill(p, 900, 1);
		kfree(p);
		p = kzalloc_node(900, GFP_KERNEL, node);
		REQUIRE(p != NULL);
		CHECK_EQ(numaslab_node_of(p), node);
		CHECK(all_zero(p, 900));
		kfree(p);
		p = kmalloc_array_node(30, 30, GFP_KERNEL, node);
		CHECK_EQ(numaslab_node_of(p), node);
		kfree(p);
	}
	p = kcalloc(100, 7, GFP_KERNEL);
	REQUIRE(p != NULL);
	CHECK(all_zero(p, 700));
	kfree(p);
	CHECK_ERRNO(kcalloc(SIZE_MAX, 2, 0), NULL, ENOMEM);
	CHECK_ERRNO(kcalloc_node(SIZE_MAX, 2, 0, 1), NULL, ENOMEM);
	CHECK_ERRNO(kmalloc_array_node(SIZE_MAX, 2, 0, 1), NULL, ENOMEM);
	CHECK_ERRNO(kcalloc_node(1, 8, 0, NODES), NULL, EINVAL);
	CHECK_ERRNO(kzalloc_node(8, 0, -7), NULL, EINVAL);
	CHECK_EQ(kcalloc(0, 8, GFP_KERNEL), ZERO_SIZE_PTR);
}

static void
test_krealloc_array(void)
{
	char *p = krealloc_array(NULL, 10, 10, GFP_KERNEL), *q;

	REQUIRE(p != NULL);
	fill(p, 100, 3);
	CHECK_ERRNO(krealloc_array(p, SIZE_MAX / 2, 3, 0), NULL, ENOMEM);
	CHECK_ERRNO(krealloc(p, 8, __GFP_NOFAIL), NULL, EINVAL);
	CHECK_ERRNO(krealloc(p, 0, __GFP_NOFAIL), NULL, EINVAL);
	q = krealloc_array(p, 10, 1000, GFP_KERNEL);
	REQUIRE(q != NULL);
	CHECK(filled(q, 100, 3));
	CHECK_EQ(krealloc_array(q, 0, 10, GFP_KERNEL), ZERO_SIZE_PTR);
}

static void
test_size_roundup(void)
{
	static const size_t sizes[] = { 1,    17,    100,   129,  1000,
					8191, 40000, 65536, 65537 };
	void *p;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		p = kmalloc(sizes[i], GFP_KERNEL);
		CHECK_EQ(kmalloc_size_roundup(sizes[i]), ksize(p));
		kfree(p);
		p = kmalloc(kmalloc_size_roundup(sizes[i]), GFP_KERNEL);
		CHECK_EQ(kmalloc_size_roundup(sizes[i]), ksize(p));
		kfree(p);
	}
	CHECK_EQ(kmalloc_size_roundup(0), 0);
	CHECK_EQ(kmalloc_size_roundup(SIZE_MAX), SIZE_MAX);
}

/* What was wiped is seen in the block when it comes again. */
static void
test_free_sensitive(void)
{
	char *p, *q;

	for (int v = 0; v < 2; v++) {
		p = kmalloc_node(400, GFP_KERNEL, 2);
		REQUIRE(p != NULL);
		fill(p, ksize(p), 9);
		v == 0 ? kfree_sensitive(p) : kvfree_sensitive(p, 1);
		do { /* all of the memory at hand, until it is there */
			q = kmalloc_node(400, GFP_KERNEL, 2);
			REQUIRE(q != NULL);
		} while (q != p);
		CHECK(all_zero(q + 16, ksize(q) - 16)); /* links before */
	}
	errno = EXDEV;
	kfree_sensitive(NULL);
	kfree_sensitive(ZERO_SIZE_PTR);
	kvfree_sensitive(NULL, 0);
	CHECK_EQ(errno, EXDEV);
}

static void
test_free_bulk(void)
{
	void *p[8] = { NULL, ZERO_SIZE_PTR };

	for (size_t i = 2; i < 8; i++)
		p[i] = kmalloc(100 << i * 2, GFP_KERNEL);
	errno = EXDEV;
	kfree_bulk(8, p);
	kfree_bulk(0, NULL);
	CHECK_EQ(errno, EXDEV);
}

static void
test_copies(void)
{
	static const char text[] = "one text";
	char *p = kmemdup(text, 4, GFP_KERNEL), *q;

	REQUIRE(p != NULL);
	CHECK_EQ(memcmp(p, text, 4), 0);
	kfree(p);
	p = kmemdup_array(text, 2, 3, GFP_KERNEL);
	CHECK_EQ(memcmp(p, text, 6), 0);
	kfree(p);
	CHECK_ERRNO(kmemdup_array(text, SIZE_MAX, 3, 0), NULL, ENOMEM);
	p = kmemdup_nul(text, 3, GFP_KERNEL);
	CHECK_STR(p, "one");
	kfree(p);
	p = kstrdup(text, GFP_KERNEL);
	q = kstrndup(text, 5, GFP_KERNEL);
	CHECK_STR(p, text);
	CHECK_STR(q, "one t");
	kfree(p);
	kfree(q);
	q = kstrndup("ab", SIZE_MAX, GFP_KERNEL);
	CHECK_STR(q, "ab");
	kfree(q);
	CHECK_EQ(kstrdup(NULL, 0), NULL);
	CHECK_EQ(kstrndup(NULL, 4, 0), NULL);
	CHECK_EQ(kmemdup_nul(NULL, 4, 0), NULL);
	CHECK_EQ(kmemdup(text, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	CHECK_ERRNO(kstrdup(text, __GFP_NOFAIL), NULL, EINVAL);
}

static void
test_kv(void)
{
	char *p = kvmalloc(1ul << 20, GFP_KERNEL), *q;

	REQUIRE(p != NULL);
	fill(p, 1ul << 20, 4);
	p = kvrealloc(p, 3ul << 20, GFP_KERNEL);
	REQUIRE(p != NULL);
	CHECK(filled(p, 1ul << 20, 4));
	kvfree(p);
	for (int i = 0; i < 4; i++) {
		p = i == 0   ? kvzalloc(5000, GFP_KERNEL)
		    : i == 1 ? kvcalloc(50, 100, GFP_KERNEL)
		    : i == 2 ? kvcalloc_node(50, 100, GFP_KERNEL, 3)
			     : kvzalloc_node(5000, GFP_KERNEL, 3);
		REQUIRE(p != NULL);
		CHECK(all_zero(p, 5000));
		CHECK(i < 2 || numaslab_node_of(p) == 3);
		fill(p, 5000, 8);
		kvfree(p);
	}
	p = kvmalloc_node(70000, GFP_KERNEL, 1);
	CHECK_EQ(numaslab_node_of(p), 1);
	q = kvmalloc_array(7, 100, GFP_KERNEL);
	CHECK(ksize(q) >= 700);
	kfree(p);
	kfree(q);
	p = kvmemdup("abc", 4, GFP_KERNEL);
	CHECK_STR(p, "abc");
	kvfree(p);
	kvfree(NULL);
	CHECK_ERRNO(kvmalloc_array(SIZE_MAX, 2, 0), NULL, ENOMEM);
	CHECK_ERRNO(kvcalloc(SIZE_MAX, 2, 0), NULL, ENOMEM);
	CHECK_ERRNO(kvcalloc_node(SIZE_MAX, 2, 0, 1), NULL, ENOMEM);
	CHECK_ERRNO(kvcalloc_node(1, 2, 0, NODES), NULL, EINVAL);
}

/* kfree also takes objects of caches, as in Linux. */
static void
test_kfree_of_cache_objects(void)
{
	struct kmem_cache *c = kmem_cache_create("kfree", 77, 0, 0, NULL);
	void *p;

	REQUIRE(c != NULL);
	for (int i = 0; i < 1000; i++) {
		p = kmem_cache_alloc(c, GFP_KERNEL);
		REQUIRE(p != NULL);
		CHECK(ksize(p) >= 77);
		kfree(p);
	}
	CHECK_EQ(kmem_cache_shrink(c), 0);
	kmem_cache_destroy(c);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_sizes();
	test_zero_size();
	test_zeroed();
	test_absurd_sizes();
	test_array();
	test_nodes();
	test_krealloc_keeps_contents();
	test_krealloc_edges();
	test_krealloc_zero();
	test_krealloc_aligns();
	test_kfree_of_cache_objects();
	test_arrays_on_nodes();
	test_krealloc_array();
	test_size_roundup();
	test_free_sensitive();
	test_free_bulk();
	test_copies();
	test_kv();
	return test_done();
}
