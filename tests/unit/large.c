/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/large.c: blocks that grow, in place and by moving their pages.  Each
 * case is a child.
 */
#include "base/options.h"
#include "page/pool.h"
#include "slab/slab.h"
#include "tests/test.h"

#define MIB 1048576ul

static void
start(void)
{
	ns_options.purge_thread = 0;
	kfree(kmalloc(8, GFP_KERNEL)); /* the thread has a heap */
}

static bool
is_large(const void *p)
{
	return ns_run_of(p)->kind == NS_KIND_LARGE;
}

/* A word at each page's start says where it is. */
static void
stamp(char *p, size_t from, size_t to)
{
	for (size_t i = ns_round_up(from, ns_page_size); i < to;
	     i += ns_page_size)
		memcpy(p + i, &i, sizeof(i));
}

static void
check_stamp(const char *p, size_t to)
{
	size_t i, word;

	for (i = 0; i < to; i += ns_page_size) {
		memcpy(&word, p + i, sizeof(word));
		CHECK_EQ(word, i);
	}
}

static void
grows_in_place(void *arg)
{
	char *p, *first;
	size_t n;

	start();
	first = p = ns_alloc_growing(NS_GROWING);
	REQUIRE(p != NULL);
	CHECK(is_large(p));
	stamp(p, 0, NS_GROWING);
	for (n = NS_GROWING; n < MIB; n *= 2) {
		p = ns_realloc(p, 2 * n, __func__);
		REQUIRE(p == first);
		check_stamp(p, n);
		CHECK(ns_usable_size(p, __func__) >= 2 * n);
		stamp(p, n, 2 * n);
	}
	p = ns_realloc(p, 100, __func__);
	CHECK(p != first && !is_large(p));
	check_stamp(p, 8);
	ns_free_slow(p, __func__);
	(void)arg;
}

/* Few small blocks have a run, and those that have grown do not count. */
static void
few_are_young(void *arg)
{
	void *p[64];
	unsigned i, n = 0;

	start();
	for (i = 0; i < 64; i++) {
		p[i] = kmalloc(NS_GROWING / 2, GFP_KERNEL);
		REQUIRE(p[i] != NULL);
		p[i] = krealloc(p[i], 3 * NS_GROWING / 2, GFP_KERNEL);
		REQUIRE(p[i] != NULL);
		n += is_large(p[i]);
	}
	CHECK(n >= 1 && n <= 8);
	CHECK_EQ(ns_home->young, n);
	for (i = 0; i < 64; i++)
		if (is_large(p[i]))
			p[i] = krealloc(p[i], NS_SLAB_MAX + 1, GFP_KERNEL);
	CHECK_EQ(ns_home->young, 0);
	for (i = 0; i < 64; i++)
		kfree(p[i]);
	CHECK_EQ(ns_home->young, 0);
	for (i = 0; i < n; i++) {
		p[i] = ns_alloc_growing(NS_GROWING);
		CHECK(is_large(p[i]));
	}
	CHECK_EQ(ns_home->young, n);
	for (i = 0; i < n; i++)
		kfree(p[i]);
	CHECK_EQ(ns_home->young, 0);
	(void)arg;
}

/* --- moving --- */

static unsigned
mappings(void)
{
	char line[512];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		n++;
	fclose(f);
	return n;
}

static struct ns_unit *
run(size_t n)
{
	struct ns_unit *u = ns_run_alloc(0, n, 1, NS_RUN_ZERO);

	REQUIRE(u != NULL);
	ns_run_publish(u, NS_KIND_LARGE);
	return u;
}

/* Beyond the extents that do not take part. */
static void
start_behind(void)
{
	start();
	run(NS_SMALL_EXTENTS * NS_EXTENT_UNITS);
}

static void
moves_and_heals(void *arg)
{
	struct ns_unit *a, *b, *wall, *c;
	unsigned before, n;

	start_behind();
	a = run(40);
	wall = run(1);
	b = run(100);
	before = mappings();
	stamp(ns_unit_addr(a), 0, 40 * NS_UNIT);
	REQUIRE(ns_run_move(a, b));
	check_stamp(ns_unit_addr(b), 40 * NS_UNIT);
	for (size_t i = 0; i < 40 * NS_UNIT; i += 512)
		CHECK_EQ(ns_unit_addr(a)[i], 0);
	n = mappings();
	CHECK(n > before && n <= before + 2);
	ns_run_free(a, true);

	/* Its memory is as any other's. */
	CHECK(ns_run_grow(b, 150));
	stamp(ns_unit_addr(b), 40 * NS_UNIT, 150 * NS_UNIT);
	check_stamp(ns_unit_addr(b), 150 * NS_UNIT);
	c = run(50);
	CHECK(!ns_run_move(b, c)); /* too short */

	ns_run_free(b, false);
	CHECK(ns_pool_purge(0, 0) >= 150 * NS_UNIT);
	CHECK_EQ(mappings(), before);
	b = run(150);
	CHECK_EQ(b->zero, 1);
	for (size_t i = 0; i < 150 * NS_UNIT; i += 512)
		CHECK_EQ(ns_unit_addr(b)[i], 0);
	ns_run_free(wall, false);
	ns_pool_check(0);
	(void)arg;
}

static void
is_refused(void *arg)
{
	struct ns_unit *a, *b, *dirty, *one;

	start();
	a = run(3); /* among the first extents */
	run(NS_SMALL_EXTENTS * NS_EXTENT_UNITS);
	b = run(64);
	one = run(1);
	CHECK(!ns_run_move(a, b));
	CHECK(!ns_run_move(b, a));
	CHECK(!ns_run_move(one, b)); /* a copy is cheaper */
	dirty = run(64);
	stamp(ns_unit_addr(dirty), 0, 64 * NS_UNIT);
	ns_run_free(dirty, false);
	dirty = run(64);
	if (dirty->zero)
		dirty->zero = 0;
	stamp(ns_unit_addr(b), 0, 64 * NS_UNIT);
	CHECK(!ns_run_move(b, dirty));
	dirty->zero = 1;
	ns_os_inject(NS_OS_MOVE, EINVAL, 0, 1);
	errno = EXDEV;
	CHECK(!ns_run_move(b, dirty));
	CHECK_EQ(errno, EXDEV);
	check_stamp(ns_unit_addr(b), 64 * NS_UNIT);
	(void)arg;
}

/* Mappings do not add up, however often blocks move. */
static void
mappings_are_bounded(void *arg)
{
	struct ns_unit *u[2000], *to;
	unsigned before, i, moved = 0;

	start_behind();
	before = mappings();
	for (i = 0; i < 2000; i++) {
		u[i] = run(2);
		*ns_unit_addr(u[i]) = 1;
		to = run(33);
		moved += ns_run_move(u[i], to);
	}
	CHECK(moved > 0 && moved < 1000);
	CHECK(mappings() < before + 1000);
	(void)arg;
}

/* By the front door: no page is copied, and what is left behind is zero. */
static void
realloc_moves(void *arg)
{
	struct ns_pool_stat st;
	uint64_t purged;
	char *p, *q, *wall;

	start_behind();
	p = kmalloc(8 * MIB, GFP_KERNEL);
	wall = kmalloc(8 * MIB, GFP_KERNEL);
	REQUIRE(p != NULL && wall == p + 8 * MIB);
	stamp(p, 0, 8 * MIB);
	q = krealloc(p, 64 * MIB, GFP_KERNEL);
	REQUIRE(q != NULL && q != p);
	check_stamp(q, 8 * MIB);
	ns_pool_stat(0, &st);
	CHECK_EQ(st.retained, 0);
	purged = st.purged;
	kfree(q);
	ns_pool_stat(0, &st);
	CHECK_EQ(st.retained, 64 * MIB);
	CHECK_EQ(st.purged, purged);
	kfree(wall);
	ns_pool_check(0);
	(void)arg;
}

static const struct test_one cases[] = {
	{ "grows_in_place", grows_in_place },
	{ "few_are_young", few_are_young },
	{ "moves_and_heals", moves_and_heals },
	{ "is_refused", is_refused },
	{ "mappings_are_bounded", mappings_are_bounded },
	{ "realloc_moves", realloc_moves },
};

int
main(void)
{
	test_each(cases, NS_ARRAY_LEN(cases));
	return test_done();
}
