/* SPDX-License-Identifier: BSD-2-Clause */
/* numaslab.h: facts about nodes and memory, on a machine of four nodes. */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>
#include <numaslab/vm_page.h>

#include "tests/test.h"

#define NODES 4

static int at_rest; /* static data */

static void
test_nodes(void)
{
	CHECK_EQ(numaslab_max_node(), NODES - 1);
	CHECK(numaslab_home_node() >= 0 && numaslab_home_node() < NODES);
	for (int n = 0; n < NODES; n++)
		CHECK_EQ(numaslab_node_allowed(n), 1);
	CHECK_EQ(numaslab_node_allowed(NODES), 0);
	CHECK_EQ(numaslab_node_allowed(-1), 0);
	CHECK_EQ(numaslab_node_allowed(1 << 30), 0);
	CHECK_STR(numaslab_version(), NUMASLAB_VERSION);
}

static void
test_distances(void)
{
	for (int a = 0; a < NODES; a++) {
		CHECK_EQ(numaslab_distance(a, a), 10);
		for (int b = 0; b < NODES; b++)
			if (a != b)
				CHECK(numaslab_distance(a, b) > 10);
	}
	CHECK_ERRNO(numaslab_distance(0, NODES), 0, EINVAL);
	CHECK_ERRNO(numaslab_distance(-1, 0), 0, EINVAL);
	CHECK_ERRNO(numaslab_distance(1 << 30, 1 << 30), 0, EINVAL);
}

static void
test_node_of_foreign(void)
{
	int on_stack;

	errno = EXDEV;
	CHECK_EQ(numaslab_node_of(NULL), NUMA_NO_NODE);
	CHECK_EQ(numaslab_node_of(&on_stack), NUMA_NO_NODE);
	CHECK_EQ(numaslab_node_of(&at_rest), NUMA_NO_NODE);
	CHECK_EQ(numaslab_node_of((void *)-1), NUMA_NO_NODE);
	CHECK_EQ(numaslab_node_of(ZERO_SIZE_PTR), NUMA_NO_NODE);
	CHECK_EQ(errno, EXDEV);
}

static void
test_node_of_every_kind(void)
{
	char *large, *small;
	vm_page_t page;

	for (int n = 0; n < NODES; n++) {
		small = kmalloc_node(40, GFP_KERNEL, n);
		large = kmalloc_node(10ul << 20, GFP_KERNEL, n);
		page = vm_page_alloc_domain(NULL, 0, n,
					    VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ);
		REQUIRE(small && large && page);
		CHECK_EQ(numaslab_node_of(small), n);
		CHECK_EQ(numaslab_node_of(small + 39), n);
		CHECK_EQ(numaslab_node_of(large), n);
		CHECK_EQ(numaslab_node_of(large + (10ul << 20) - 1), n);
		CHECK_EQ(numaslab_node_of(vm_page_addr(page)), n);
		CHECK_EQ(vm_page_domain(page), n);
		vm_page_free(page);
		kfree(large);
		kfree(small);
	}
}

static struct numaslab_node_stat
stat_of(int node)
{
	struct numaslab_node_stat st;

	memset(&st, 0xff, sizeof(st));
	REQUIRE(numaslab_node_stat(node, &st) == 0);
	CHECK_EQ(st.node, node);
	CHECK_EQ(st.resident, st.used + st.retained);
	CHECK(st.live <= st.used);
	CHECK(st.resident <= st.committed);
	return st;
}

/* A page or so of free objects may count as live, for each size in use. */
static int
about(uint64_t figure, uint64_t expected)
{
	return figure + 8192 >= expected && figure <= expected + 8192;
}

static void
test_figures(void)
{
	static char *p[1000];
	struct numaslab_node_stat before[NODES], st;

	for (int n = 0; n < NODES; n++)
		before[n] = stat_of(n);
	for (int i = 0; i < 1000; i++) {
		p[i] = kmalloc_node(1024, GFP_KERNEL, 2);
		REQUIRE(p[i] != NULL);
	}
	CHECK(about(stat_of(2).live, before[2].live + 1000 * 1024));
	CHECK(about(stat_of(1).live, before[1].live));
	CHECK_EQ(stat_of(2).spilled, before[2].spilled);
	for (int i = 0; i < 1000; i++)
		kfree(p[i]);
	st = stat_of(2);
	CHECK(about(st.live, before[2].live));
	CHECK_EQ(st.local_frees + st.remote_frees,
		 before[2].local_frees + before[2].remote_frees + 1000);
	CHECK_ERRNO(numaslab_node_stat(NODES, &st), -1, EINVAL);
	CHECK_ERRNO(numaslab_node_stat(-1, &st), -1, EINVAL);
}

static void
test_trim(void)
{
	char *p = kmalloc_node(64ul << 20, GFP_KERNEL, 1);
	size_t trimmed;

	REQUIRE(p != NULL);
	memset(p, 1, 64ul << 20);
	CHECK(stat_of(1).used >= 64ul << 20);
	kfree(p);
	CHECK(stat_of(1).retained >= 64ul << 20);
	trimmed = numaslab_trim(1ul << 20);
	CHECK(trimmed >= 63ul << 20);
	for (int n = 0; n < NODES; n++)
		CHECK(stat_of(n).retained <= 1ul << 20);
	numaslab_trim(0);
	for (int n = 0; n < NODES; n++)
		CHECK_EQ(stat_of(n).retained, 0);
	CHECK_EQ(numaslab_trim(0), 0);
	CHECK(stat_of(1).purged >= 64ul << 20);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_PURGE_THREAD", "0"); /* figures hold still */
	test_nodes();
	test_distances();
	test_node_of_foreign();
	test_node_of_every_kind();
	test_figures();
	test_trim();
	return test_done();
}
