/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/hold.c: what a heap keeps for its next runs.  Each case is a child with
 * its own options.
 */
#include "base/options.h"
#include "page/pool.h"
#include "slab/slab.h"
#include "tests/test.h"

#include <pthread.h>

static void
start(void)
{
	ns_options.purge_thread = 0;
	REQUIRE(ns_page_init() == 0);
}

static struct ns_pool_stat
stat_of(unsigned slot)
{
	struct ns_pool_stat st;

	ns_pool_stat(slot, &st);
	return st;
}

static struct ns_unit *
run(size_t n)
{
	struct ns_unit *u = ns_run_alloc(0, n, 1, 0);

	REQUIRE(u != NULL);
	ns_run_publish(u, NS_KIND_LARGE);
	return u;
}

static void
check_freed(const struct ns_unit *u, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(ns_run_of(ns_unit_addr(u + i)), NULL);
}

static void
comes_back_split_and_joined(void *arg)
{
	struct ns_hold h = { 0 };
	struct ns_unit *a, *b, *u;

	start();
	a = run(3);
	b = run(5);
	CHECK_EQ(b, a + 3);
	CHECK(ns_hold_free(&h, a));
	CHECK(ns_hold_free(&h, b));
	check_freed(a, 8);
	CHECK_EQ(h.units, 8);
	CHECK_EQ(stat_of(0).used, 8 * NS_UNIT);
	CHECK_EQ(stat_of(0).retained, 0);

	u = ns_hold_alloc(&h, 8, 1, false);
	CHECK_EQ(u, a);
	CHECK_EQ(u->nunits, 8);
	CHECK_EQ(u->zero, 0);
	CHECK_EQ(u->slot, 0);
	CHECK_EQ(u->kind, NS_KIND_FREE);
	ns_run_publish(u, NS_KIND_LARGE);
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(ns_run_of(ns_unit_addr(u + i) + 77), u);
	CHECK_EQ(ns_hold_alloc(&h, 1, 1, false), NULL);

	CHECK(ns_hold_free(&h, u));
	u = ns_hold_alloc(&h, 2, 4, false);
	REQUIRE(u != NULL);
	CHECK_EQ((uintptr_t)ns_unit_addr(u) % (4 * NS_UNIT), 0);
	CHECK_EQ(h.units, 6);
	ns_hold_release(&h);
	CHECK_EQ(h.units, 0);
	CHECK_EQ(stat_of(0).used, 2 * NS_UNIT);
	CHECK_EQ(stat_of(0).retained, 6 * NS_UNIT);
	ns_pool_check(0);
	(void)arg;
}

static void
grows_and_shrinks(void *arg)
{
	struct ns_hold h = { 0 };
	struct ns_unit *a, *b;

	start();
	a = run(2);
	b = run(6);
	CHECK_EQ(b, a + 2);
	CHECK(!ns_hold_grow(&h, a, 4));
	CHECK(ns_hold_free(&h, b));
	CHECK(ns_hold_grow(&h, a, 5));
	CHECK_EQ(a->nunits, 5);
	CHECK_EQ(ns_run_of(ns_unit_addr(a + 4)), a);
	CHECK_EQ(h.units, 3);
	CHECK(ns_hold_shrink(&h, a, 1));
	CHECK_EQ(a->nunits, 1);
	check_freed(a + 1, 4);
	CHECK_EQ(h.units, 7);

	/* More than is held: the pool gets it all, and has the rest. */
	CHECK(!ns_hold_grow(&h, a, 10));
	CHECK_EQ(h.units, 0);
	CHECK(ns_run_grow(a, 10));
	CHECK_EQ(stat_of(0).used, 10 * NS_UNIT);
	CHECK(!ns_hold_grow(&h, a, SIZE_MAX >> NS_UNIT_SHIFT));
	ns_pool_check(0);
	(void)arg;
}

static void
room_behind(void *arg)
{
	struct ns_hold h = { 0 };
	struct ns_unit *a, *u;

	start();
	a = run(NS_HOLD_RUN - 1);
	CHECK(ns_hold_free(&h, a));
	CHECK_EQ(ns_hold_alloc(&h, 2, 1, true), NULL);
	ns_hold_release(&h);
	CHECK(ns_hold_free(&h, run(NS_HOLD_RUN)));
	u = ns_hold_alloc(&h, 1, 1, true);
	REQUIRE(u != NULL);
	CHECK(ns_hold_grow(&h, u, NS_HOLD_RUN));
	CHECK_EQ(h.units, 0);
	(void)arg;
}

/* Full, it gives up; asked for more after that, it may hold twice as much. */
static void
earns_its_size(void *arg)
{
	struct ns_hold h = { 0 };
	struct ns_unit *u[64];
	uint32_t first;

	start();
	for (unsigned i = 0; i < 64; i++)
		u[i] = run(8);
	for (unsigned i = 0; i < 32; i++) {
		CHECK(ns_hold_free(&h, u[i]));
		CHECK(h.units <= h.allow);
	}
	first = h.allow;
	CHECK_EQ(first, h.units);
	CHECK(first < 32 * 8);
	while (ns_hold_alloc(&h, 8, 1, false) != NULL)
		;
	CHECK_EQ(h.allow, 2 * first);
	CHECK_EQ(ns_hold_alloc(&h, 8, 1, false), NULL);
	CHECK_EQ(h.allow, 2 * first);
	ns_hold_release(&h);
	for (unsigned i = 32; i < 64; i++)
		CHECK(ns_hold_free(&h, u[i]));
	CHECK_EQ(h.units, first);
	ns_pool_check(0);
	(void)arg;
}

static void
long_runs_are_the_pools(void *arg)
{
	struct ns_hold h = { 0 };
	struct ns_unit *u;

	start();
	CHECK(!ns_hold_free(&h, run(NS_HOLD_RUN + 1)));
	u = run(2 * NS_EXTENT_UNITS);
	CHECK(!ns_hold_free(&h, u));
	CHECK(!ns_hold_shrink(&h, u, 2 * NS_EXTENT_UNITS - 1));
	CHECK_EQ(u->nunits, 2 * NS_EXTENT_UNITS);
	/* However much is held. */
	h.allow = 4 * NS_EXTENT_UNITS;
	for (unsigned i = 0; i < 6; i++)
		CHECK(ns_hold_free(&h, run(NS_HOLD_RUN)));
	for (size_t n = NS_HOLD_RUN + 1; n <= h.units; n++)
		CHECK_EQ(ns_hold_alloc(&h, n, 1, false), NULL);
	CHECK_EQ(ns_hold_alloc(&h, 1, 2 * NS_EXTENT_UNITS, false), NULL);
	(void)arg;
}

static void
not_under_a_limit(void *arg)
{
	struct ns_hold h = { 0 };

	ns_options.node_limit = 4ul << 20;
	start();
	CHECK(!ns_hold_free(&h, run(1)));
	CHECK_EQ(h.units, 0);
	(void)arg;
}

static void
not_when_all_goes_back(void *arg)
{
	struct ns_hold h = { 0 };

	ns_options.purge_ms = 0;
	start();
	CHECK(!ns_hold_free(&h, run(1)));
	(void)arg;
}

/* --- a heap's --- */

static struct ns_node_figures
figures_of(unsigned slot)
{
	struct ns_node_figures f;

	ns_figures_of(slot, &f);
	return f;
}

static void *
large(void)
{
	void *p = kmalloc_node(300000, GFP_KERNEL, numaslab_home_node());

	REQUIRE(p != NULL);
	memset(p, 1, 300000);
	return p;
}

static void
idle_heaps_lose_it(void *arg)
{
	unsigned slot;
	void *p;

	start();
	p = large();
	slot = ns_slot_of(p);
	kfree(p);
	CHECK_EQ(ns_home->hold.units, 5);
	CHECK(figures_of(slot).cached >= 5 * NS_UNIT);
	CHECK(ns_idle_trim());
	CHECK_EQ(ns_home->hold.units, 5);
	ns_idle_trim();
	CHECK_EQ(ns_home->hold.units, 0);
	CHECK(!ns_idle_trim());

	kfree(large());
	CHECK_EQ(ns_home->hold.units, 5);
	CHECK(numaslab_trim(0) >= 5 * NS_UNIT);
	CHECK_EQ(ns_home->hold.units, 0);
	ns_pool_check(slot);
	(void)arg;
}

static void *
free_and_exit(void *p)
{
	void *own = large();

	kfree(p);
	kfree(own);
	CHECK_EQ(ns_home->hold.units, 10);
	return NULL;
}

static void
exit_gives_it_back(void *arg)
{
	uint64_t used;
	pthread_t t;
	void *p;
	unsigned slot;

	start();
	p = large();
	slot = ns_slot_of(p);
	used = figures_of(slot).used;
	REQUIRE(pthread_create(&t, NULL, free_and_exit, p) == 0);
	pthread_join(t, NULL);
	/* But the heap, which is kept for the next thread. */
	CHECK_EQ(figures_of(slot).used,
		 used - 5 * NS_UNIT + NS_HEAP_UNITS * NS_UNIT);
	CHECK_EQ(figures_of(slot).large_runs, 0);
	(void)arg;
}

/* --- many threads: whose is each unit? --- */

#define THREADS 4
#define SHARED  64u

static struct ns_unit *shared[SHARED]; /* [a] */

static uint64_t *
word_of(const struct ns_unit *u, size_t unit)
{
	return (uint64_t *)(void *)(ns_unit_addr(u) + unit * NS_UNIT);
}

static void
stamp(const struct ns_unit *u, size_t from, uint64_t tag)
{
	for (size_t i = from; i < u->nunits; i++)
		*word_of(u, i) = tag + i;
}

static void
check_stamp(const struct ns_unit *u, size_t n)
{
	for (size_t i = 1; i < n; i++)
		CHECK_EQ(*word_of(u, i), *word_of(u, 0) + i);
}

static void
resize(struct ns_hold *h, struct ns_unit *u, size_t n)
{
	size_t old = u->nunits;

	if (n < old && !ns_hold_shrink(h, u, n))
		ns_run_shrink(u, n);
	if (n > old && !ns_hold_grow(h, u, n))
		ns_run_grow(u, n);
	check_stamp(u, ns_min(old, u->nunits));
	stamp(u, ns_min(old, u->nunits), *word_of(u, 0));
}

static void
drop(struct ns_hold *h, struct ns_unit *u)
{
	if (u == NULL)
		return;
	check_stamp(u, u->nunits);
	if (!ns_hold_free(h, u))
		ns_run_free(u, false);
}

static void *
work(void *arg)
{
	struct ns_hold h = { 0 };
	uint64_t seed = (uintptr_t)arg + 5, r;
	struct ns_unit *u;
	size_t n;

	for (int i = 0; i < 20000; i++) {
		r = test_random(&seed);
		n = 1 + (r >> 8) % (r % 16 == 0 ? 100 : 12);
		u = ns_hold_alloc(&h, n, 1, r % 8 == 0);
		if (u == NULL)
			u = run(n);
		ns_run_publish(u, NS_KIND_LARGE);
		stamp(u, 0, r);
		if (r % 4 == 0)
			resize(&h, u, 1 + (r >> 16) % 40);
		u = ns_xchg_acq_rel(&shared[(r >> 24) % SHARED], u);
		drop(&h, u);
		if (r % 512 == 0)
			ns_hold_release(&h);
		if (r % 256 == 1)
			ns_pool_purge(0, 0);
	}
	ns_hold_release(&h);
	return NULL;
}

static void
threads_at_once(void *arg)
{
	struct ns_hold h = { 0 };
	pthread_t threads[THREADS];

	start();
	for (uintptr_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, work, (void *)i) ==
			0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ns_pool_check(0);
	for (unsigned i = 0; i < SHARED; i++)
		drop(&h, shared[i]);
	ns_hold_release(&h);
	CHECK_EQ(stat_of(0).used, 0);
	ns_pool_check(0);
	(void)arg;
}

static const struct test_one cases[] = {
	{ "comes_back_split_and_joined", comes_back_split_and_joined },
	{ "grows_and_shrinks", grows_and_shrinks },
	{ "room_behind", room_behind },
	{ "earns_its_size", earns_its_size },
	{ "long_runs_are_the_pools", long_runs_are_the_pools },
	{ "not_under_a_limit", not_under_a_limit },
	{ "not_when_all_goes_back", not_when_all_goes_back },
	{ "idle_heaps_lose_it", idle_heaps_lose_it },
	{ "exit_gives_it_back", exit_gives_it_back },
	{ "threads_at_once", threads_at_once },
};

int
main(void)
{
	test_each(cases, NS_ARRAY_LEN(cases));
	return test_done();
}
