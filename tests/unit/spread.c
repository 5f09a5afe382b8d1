/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large blocks under an interleave policy (page/spread.c): whose account they
 * are in as they grow, shrink, move and go, on four fake nodes; and what a
 * refused mbind leaves.  Where the pages are is asked in numa-tests.  Each case
 * is a child.
 */
#include "base/options.h"
#include "page/pool.h"
#include "slab/slab.h"
#include "tests/test.h"

#define MIB   1048576ul
#define UNITS (MIB / NS_UNIT)

static uint64_t used_before[4];

static void
start(const char *policy)
{
	ns_options.purge_thread = 0;
	ns_options.fake_nodes = 4;
	ns_options.policy = policy;
	kfree(kmalloc(8, GFP_KERNEL));
	for (unsigned s = 0; s < 4; s++)
		used_before[s] = ns_pool_use(&ns_pools[s]);
}

static int64_t
more_on(unsigned slot)
{
	return (int64_t)(ns_pool_use(&ns_pools[slot]) - used_before[slot]);
}

/* Each within a unit of what it should be, and in all exactly @sum. */
static void
check_use(int64_t a, int64_t b, int64_t c, int64_t d, int64_t sum)
{
	int64_t want[4] = { a, b, c, d }, is, all = 0;

	for (unsigned s = 0; s < 4; s++) {
		is = more_on(s);
		all += is;
		CHECK_MSG(is >= want[s] - 1 && is <= want[s] + 1,
			  "slot %u: %ld units more, not %ld", s, (long)is,
			  (long)want[s]);
	}
	CHECK_EQ(all, sum);
	for (unsigned s = 0; s < 4; s++)
		ns_pool_check(s);
}

static void
check_nothing_lent(void)
{
	for (unsigned s = 0; s < 4; s++)
		CHECK_EQ(ns_pools[s].lent, 0);
}

/* Three of the four nodes take turns. */
static void
thirds(void *arg)
{
	char *p, *q;

	(void)arg;
	start("small=local large=interleave:1-3 threshold=1M");
	p = kmalloc(12 * MIB, GFP_KERNEL);
	REQUIRE(p != NULL);
	CHECK(ns_slot_of(p) != 0);
	check_use(0, 4 * UNITS, 4 * UNITS, 4 * UNITS, 12 * UNITS);
	q = kzalloc(6 * MIB, GFP_KERNEL);
	for (size_t i = 0; i < 6 * MIB; i += 4096)
		CHECK_EQ(q[i], 0);
	check_use(0, 6 * UNITS, 6 * UNITS, 6 * UNITS, 18 * UNITS);
	kfree(p);
	check_use(0, 2 * UNITS, 2 * UNITS, 2 * UNITS, 6 * UNITS);
	kfree(q);
	check_use(0, 0, 0, 0, 0);
	check_nothing_lent();
}

/* A quarter of it on one node, the rest on another. */
static void
weighted(void *arg)
{
	char *p;

	(void)arg;
	start("large=weighted-interleave:0@1,2@3 threshold=1M");
	p = kmalloc(16 * MIB, GFP_KERNEL);
	REQUIRE(p != NULL);
	check_use(4 * UNITS, 0, 12 * UNITS, 0, 16 * UNITS);
	kfree(p);
	check_nothing_lent();
}

/* In odd pieces, which must add up. */
static void
resized(void *arg)
{
	size_t n = 16;
	char *p;

	(void)arg;
	start("large=interleave:1-3 small=local threshold=1M");
	p = kmalloc(n * NS_UNIT, GFP_KERNEL);
	REQUIRE(p != NULL);
	memset(p, 1, n * NS_UNIT);
	for (; n < 200; n += 7) {
		p = krealloc(p, n * NS_UNIT, GFP_KERNEL);
		REQUIRE(p != NULL);
		CHECK_EQ(p[16 * NS_UNIT - 1], 1);
	}
	for (; n > 100; n -= 11) {
		p = krealloc(p, n * NS_UNIT, GFP_KERNEL);
		CHECK_EQ(p[16 * NS_UNIT - 1], 1);
	}
	CHECK(ns_pools[ns_slot_of(p)].lent != 0);
	kfree(p);
	check_nothing_lent();
	for (unsigned s = 0; s < 4; s++)
		ns_pool_check(s);
}

/* A block that grows past the threshold is spread, though it had room. */
static void
grown(void *arg)
{
	char *p;

	(void)arg;
	start("small=local large=interleave threshold=2M");
	p = ns_alloc_growing(MIB);
	REQUIRE(p != NULL);
	memset(p, 1, MIB);
	p = ns_realloc(p, 2 * MIB - NS_UNIT, "realloc");
	check_nothing_lent();
	p = ns_realloc(p, 3 * MIB, "realloc");
	CHECK(ns_pools[ns_slot_of(p)].lent != 0);
	CHECK_EQ(p[MIB - 1], 1);
	ns_free_slow(p, "free");
	check_nothing_lent();
}

/* Whoever names a node gets it, whatever the size. */
static void
named(void *arg)
{
	char *p;

	(void)arg;
	start("interleave threshold=1M");
	p = kmalloc_node(4 * MIB, GFP_KERNEL, 2);
	REQUIRE(p != NULL);
	CHECK_EQ(ns_slot_of(p), 2);
	check_nothing_lent();
	kfree(p);
}

/* What is lent leaves room at home: a limit is about memory. */
static void
limits(void *arg)
{
	char *p, *q;

	(void)arg;
	ns_options.node_limit = 24 * MIB;
	start("small=local large=interleave threshold=4M");
	p = kmalloc(20 * MIB, GFP_KERNEL);
	q = kmalloc(20 * MIB, GFP_KERNEL);
	REQUIRE(p != NULL && q != NULL);
	check_use(10 * UNITS, 10 * UNITS, 10 * UNITS, 10 * UNITS, 40 * UNITS);
	for (unsigned s = 0; s < 4; s++)
		CHECK(kmalloc_node(MIB, __GFP_THISNODE, (int)s) != NULL);
	kfree(p);
	kfree(q);
	check_nothing_lent();
}

/* Locked memory cannot be dropped: the block is as any other. */
static void
locked(void *arg)
{
	char *p, *q;

	(void)arg;
	start("large=interleave threshold=1M");
	ns_os_inject(NS_OS_PURGE, EINVAL, 0, 1);
	p = kmalloc(4 * MIB, GFP_KERNEL);
	REQUIRE(p != NULL);
	check_nothing_lent();
	q = kmalloc(4 * MIB, GFP_KERNEL);
	REQUIRE(q != NULL);
	CHECK(ns_pools[ns_slot_of(q)].lent != 0);
	memset(q, 1, 4 * MIB);
	ns_os_inject(NS_OS_PURGE, EINVAL, 0, 1);
	kfree(q); /* not zero then */
	check_nothing_lent();
	q = kzalloc(4 * MIB, GFP_KERNEL);
	for (size_t i = 0; i < 4 * MIB; i += 4096)
		CHECK_EQ(q[i], 0);
	kfree(p);
	kfree(q);
}

int
main(void)
{
	void (*const cases[])(void *) = { thirds, weighted, resized, grown,
					  named,  limits,   locked };
	struct test_output out;

	for (size_t i = 0; i < NS_ARRAY_LEN(cases); i++) {
		int status = run_child(cases[i], NULL, &out);

		CHECK_MSG(status == 0 && out.len == 0, "case %zu: 0x%x: %s", i,
			  (unsigned)status, out.text);
	}
	return test_done();
}
