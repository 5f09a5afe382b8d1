/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/api/kmem_test.h - what the tests of object caches share. */
#ifndef KMEM_TEST_H
#define KMEM_TEST_H

#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#define NODES 4
#define MANY  5000u

static void *objs[MANY];

TEST_INLINE struct kmem_cache *
create(const char *name, unsigned size, unsigned align, slab_flags_t flags,
       void (*ctor)(void *))
{
	struct kmem_cache *c =
	    kmem_cache_create(name, size, align, flags, ctor);

	REQUIRE(c != NULL);
	return c;
}

TEST_INLINE void *
alloc(struct kmem_cache *c)
{
	void *p = kmem_cache_alloc(c, GFP_KERNEL);

	REQUIRE(p != NULL);
	return p;
}

TEST_INLINE uint64_t
live_bytes(void)
{
	struct numaslab_node_stat st;
	uint64_t sum = 0;

	for (int n = 0; n < NODES; n++) {
		REQUIRE(numaslab_node_stat(n, &st) == 0);
		sum += st.live;
	}
	return sum;
}

/* A page or so of free objects may count as live, on each node. */
TEST_INLINE int
about(uint64_t figure, uint64_t expected)
{
	return figure + NODES * 8192 >= expected &&
	       figure <= expected + NODES * 8192;
}

TEST_INLINE int
by_address(const void *a, const void *b)
{
	const char *const *p = a, *const *q = b;

	return *p < *q ? -1 : *p > *q;
}

TEST_INLINE void
check_distinct(unsigned n, size_t size)
{
	qsort(objs, n, sizeof(*objs), by_address);
	for (unsigned i = 1; i < n; i++)
		CHECK_MSG((char *)objs[i] - (char *)objs[i - 1] >=
			      (ptrdiff_t)size,
			  "objects of %zu bytes overlap", size);
}

TEST_INLINE void
no_ctor(void *obj)
{
	(void)obj;
}

#endif
