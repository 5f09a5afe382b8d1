/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a node is full: spill to the nearest with room, or fail when strict;
 * when all are full NULL and ENOMEM, all or nothing, and room again later.
 * Four nodes of 8 MiB.
 */
#include "tests/api/full.h"

#define BULK (LIMIT / SIZE)

static void *bulk[BULK];

static struct numaslab_node_stat
stat_of(int node)
{
	struct numaslab_node_stat st;

	REQUIRE(numaslab_node_stat(node, &st) == 0);
	return st;
}

static uint64_t
spilled(int node)
{
	struct kmem_cache_stat st;

	REQUIRE(kmem_cache_stat(cache, node, &st) == 0);
	return st.spilled;
}

/* Allocates on node 1 until an object comes from elsewhere. */
static void
test_strict_fails_when_full(void)
{
	while ((objs[n] = kmem_cache_alloc_node(cache, __GFP_THISNODE, 1)) !=
	       NULL) {
		CHECK_EQ(numaslab_node_of(objs[n]), 1);
		n++;
		REQUIRE(n < MOST);
	}
	CHECK(n >= LIMIT / SIZE * 3 / 4);
	CHECK_ERRNO(kmem_cache_alloc_node(cache, __GFP_THISNODE, 1), NULL,
		    ENOMEM);
	CHECK_ERRNO(kmalloc_node(100000, __GFP_THISNODE, 1), NULL, ENOMEM);
	CHECK_EQ(stat_of(0).spilled + stat_of(2).spilled + stat_of(3).spilled,
		 0);
}

static void
test_spill_to_the_nearest(void)
{
	int nearest = 0, node;

	for (node = 0; node < NODES; node++)
		if (node != 1 &&
		    (nearest == 1 || numaslab_distance(1, node) <
					 numaslab_distance(1, nearest)))
			nearest = node;
	CHECK_EQ(spilled(NUMA_NO_NODE), 0);
	objs[n] = kmem_cache_alloc_node(cache, GFP_KERNEL, 1);
	REQUIRE(objs[n] != NULL);
	node = numaslab_node_of(objs[n++]);
	CHECK_EQ(spilled(node), 1);
	CHECK_EQ(spilled(NUMA_NO_NODE), 1);
	CHECK_EQ(spilled(1), 0);
	CHECK_EQ(numaslab_distance(1, node), numaslab_distance(1, nearest));
	CHECK(stat_of(node).spilled >= SIZE);
}

static void
test_all_full(void)
{
	unsigned before;

	while ((objs[n] = kmem_cache_alloc_node(cache, GFP_KERNEL, 1)) !=
	       NULL) {
		n++;
		REQUIRE(n < MOST);
	}
	CHECK_ERRNO(kmem_cache_alloc_node(cache, GFP_KERNEL, 0), NULL, ENOMEM);
	CHECK_ERRNO(kmem_cache_alloc(cache, GFP_KERNEL), NULL, ENOMEM);
	CHECK_ERRNO(kmalloc(100000, GFP_KERNEL), NULL, ENOMEM);
	CHECK_ERRNO(kmem_cache_alloc_bulk(cache, 0, 1, bulk), 0, ENOMEM);

	/* Room for some, not for all: none. */
	for (before = n; n > before - BULK / 2;)
		kmem_cache_free(cache, objs[--n]);
	CHECK_ERRNO(kmem_cache_alloc_bulk(cache, 0, BULK, bulk), 0, ENOMEM);
	CHECK_EQ(kmem_cache_alloc_bulk(cache, 0, BULK / 2, bulk), BULK / 2);
	kmem_cache_free_bulk(cache, BULK / 2, bulk);
}

static void
test_room_again(void)
{
	void *p;

	while (n > 0)
		kmem_cache_free(cache, objs[--n]);
	CHECK_EQ(kmem_cache_shrink(cache), 0);
	for (int node = 0; node < NODES; node++) {
		p = kmem_cache_alloc_node(cache, __GFP_THISNODE, node);
		CHECK_EQ(numaslab_node_of(p), node);
		kmem_cache_free(cache, p);
		p = kmalloc_node(LIMIT / 2, __GFP_THISNODE, node);
		CHECK_EQ(numaslab_node_of(p), node);
		kfree(p);
	}
	kmem_cache_destroy(cache);
}

int
main(int argc, char **argv)
{
	(void)argc;
	full_start(argv);
	test_strict_fails_when_full();
	test_spill_to_the_nearest();
	test_all_full();
	test_room_again();
	return test_done();
}
