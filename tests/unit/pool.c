/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/: runs against a model of who owns each unit, spill, purge, limits,
 * and a kernel that refuses.  Each case is a child with its own options.
 */
#include "base/options.h"
#include "page/pool.h"
#include "tests/test.h"

#include <pthread.h>
#include <sys/mman.h>

#define NODES    4u
#define MAX_RUNS 400u

static void
start(const char *span, const char *limit)
{
	setenv("NUMASLAB_FAKE_NODES", "4", 1);
	setenv("NUMASLAB_PURGE_THREAD", "0", 1);
	setenv("NUMASLAB_SPAN", span, 1);
	if (limit != NULL)
		setenv("NUMASLAB_NODE_LIMIT", limit, 1);
	REQUIRE(ns_page_init() == 0);
	REQUIRE(ns_topo.nslots == NODES);
}

static void
check_pools(void)
{
	for (unsigned s = 0; s < NODES; s++)
		ns_pool_check(s);
}

static struct ns_pool_stat
stat_of(unsigned slot)
{
	struct ns_pool_stat st;

	ns_pool_stat(slot, &st);
	return st;
}

/* --- the model --- */

struct run {
	struct ns_unit *u;
	uint64_t tag;
	size_t n;
};

static struct run runs[MAX_RUNS];
static unsigned nruns;
static uint64_t next_tag = 1;

static uint64_t *
word_of(const struct ns_unit *u, size_t unit, size_t byte)
{
	return (uint64_t *)(void *)(ns_unit_addr(u) + (unit << NS_UNIT_SHIFT) +
				    byte);
}

/* Both ends of each of its units say whose they are. */
static void
tag_units(const struct run *r, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		*word_of(r->u, i, 0) = r->tag + i;
		*word_of(r->u, i, NS_UNIT - 8) = ~(r->tag + i);
	}
}

static void
check_tags(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		CHECK_EQ(*word_of(r->u, i, 0), r->tag + i);
		CHECK_EQ(*word_of(r->u, i, NS_UNIT - 8), ~(r->tag + i));
	}
}

static void
check_zero(const struct run *r, size_t from)
{
	static const char zeros[NS_UNIT];

	for (size_t i = from; i < r->n; i++)
		CHECK_MSG(memcmp(word_of(r->u, i, 0), zeros, NS_UNIT) == 0,
			  "unit %zu of %zu is not zero", i, r->n);
}

static void
check_descriptors(const struct run *r)
{
	const char *p = ns_unit_addr(r->u);

	CHECK_EQ(r->u->nunits, r->n);
	CHECK_EQ(r->u->slot, ns_slot_of(p));
	CHECK_EQ(ns_run_of(p), r->u);
	for (size_t i = 0; r->n <= NS_EXTENT_UNITS && i < r->n; i++)
		CHECK_EQ(ns_run_of(p + i * NS_UNIT + 123), r->u);
	for (unsigned i = 0; i < nruns; i++) {
		const struct run *o = &runs[i];

		CHECK_MSG(o->u == r->u || o->u + o->n <= r->u ||
			      r->u + r->n <= o->u,
			  "runs of %zu and %zu units overlap", o->n, r->n);
	}
}

static void
add_run(unsigned slot, size_t n, size_t align, unsigned flags)
{
	struct run *r = &runs[nruns];

	*r = (struct run){ ns_run_alloc(slot, n, align, flags), next_tag, n };
	REQUIRE(r->u != NULL);
	CHECK_EQ(r->u->slot, slot);
	CHECK_EQ(r->u->kind, NS_KIND_FREE);
	for (size_t i = 0; i < NS_UNIT_BODY; i++)
		CHECK_EQ(r->u->body[i], 0);
	CHECK_EQ((uintptr_t)ns_unit_addr(r->u) % (align * NS_UNIT), 0);
	if (n > NS_EXTENT_UNITS)
		CHECK_EQ((size_t)(r->u - ns_units) % NS_EXTENT_UNITS, 0);
	ns_run_publish(r->u, NS_KIND_LARGE);
	check_descriptors(r);
	if (r->u->zero)
		check_zero(r, 0);
	tag_units(r, 0, n);
	next_tag += 1u << 20;
	nruns++;
}

static void
drop_run(unsigned i, bool wipe)
{
	char *p = ns_unit_addr(runs[i].u);

	check_tags(&runs[i]);
	if (wipe) /* zero again: what the clean promise says */
		REQUIRE(madvise(p, runs[i].n << NS_UNIT_SHIFT, MADV_DONTNEED) ==
			0);
	ns_run_free(runs[i].u, wipe);
	CHECK_EQ(ns_run_of(p), NULL);
	runs[i] = runs[--nruns];
}

static void
resize_run(struct run *r, size_t n)
{
	size_t old = r->n;

	if (n < old) {
		ns_run_shrink(r->u, n);
		r->n = n;
		CHECK_EQ(ns_run_of(ns_unit_addr(r->u + n)), NULL);
	} else if (n > old) {
		if (!ns_run_grow(r->u, n)) {
			CHECK_EQ(r->u->nunits, old);
			return;
		}
		r->n = n;
		if (r->u->zero)
			check_zero(r, old);
		tag_units(r, old, n);
	}
	check_descriptors(r);
	check_tags(r);
}

static size_t
random_length(uint64_t *seed)
{
	uint64_t r = test_random(seed);

	if (r % 16 == 0) /* longer than an extent */
		return 33 + (r >> 8) % 100;
	if (r % 4 == 0)
		return 1 + (r >> 8) % NS_EXTENT_UNITS;
	return 1 + (r >> 8) % 4;
}

static void
step(uint64_t *seed)
{
	uint64_t r = test_random(seed);
	unsigned i = nruns > 0 ? (unsigned)((r >> 16) % nruns) : 0;
	unsigned slot = (unsigned)(r >> 8) % NODES;

	if (nruns == 0 || (nruns < MAX_RUNS && r % 100 < 48))
		add_run(slot, random_length(seed),
			1ul << ((r >> 40) % 64 == 0 ? 6 : (r >> 32) % 4),
			r & 128 ? NS_RUN_ZERO : 0);
	else if (r % 100 < 88)
		drop_run(i, (r >> 48) % 8 == 0);
	else if (r % 100 < 98)
		resize_run(&runs[i], random_length(seed));
	else
		ns_pool_purge(slot, (r >> 48) % 64 * NS_UNIT);
}

static void
random_runs(void *arg)
{
	uint64_t seed = 7;

	start("4G", NULL);
	for (int i = 0; i < 20000; i++) {
		step(&seed);
		if (i % 100 == 0)
			check_pools();
	}
	while (nruns > 0)
		drop_run(0, false);
	check_pools();
	for (unsigned s = 0; s < NODES; s++) {
		CHECK_EQ(stat_of(s).used, 0);
		CHECK_EQ(stat_of(s).spilled, 0);
		CHECK_EQ(stat_of(s).huge, 0);
	}
	(void)arg;
}

/* --- spill --- */

#define LIMIT_UNITS 64u /* 4M */

static void
spill_in_distance_order(void *arg)
{
	const uint8_t *order;
	struct ns_unit *u, *first = NULL;

	start("64M", "4M");
	order = ns_topo_order(1);
	CHECK_EQ(order[0], 1);
	for (unsigned k = 0; k < NODES; k++) {
		CHECK_EQ(ns_pool_available(order[k]), LIMIT_UNITS);
		for (unsigned i = 0; i < LIMIT_UNITS; i++) {
			u = ns_run_alloc(1, 1, 1, 0);
			REQUIRE(u != NULL);
			CHECK_EQ(u->slot, order[k]);
			ns_run_publish(u, NS_KIND_LARGE);
			if (first == NULL)
				first = u;
		}
		CHECK_EQ(stat_of(order[k]).spilled,
			 k == 0 ? 0 : LIMIT_UNITS * NS_UNIT);
		CHECK_EQ(ns_pool_available(order[k]), 0);
		CHECK_EQ(ns_run_alloc(1, 1, 1, NS_RUN_STRICT), NULL);
	}
	CHECK_EQ(ns_run_alloc(1, 1, 1, 0), NULL);
	CHECK_EQ(ns_run_alloc(1, 1, 1, NS_RUN_OVER), NULL);

	ns_run_free(first, false);
	u = ns_run_alloc(1, 1, 1, NS_RUN_STRICT);
	CHECK_EQ(u, first);
	check_pools();
	(void)arg;
}

/* --- purge --- */

static void
purge_keeps_what_is_used(void *arg)
{
	uint64_t seed = 3, retained;
	size_t purged;

	start("256M", NULL);
	for (unsigned i = 0; i < MAX_RUNS; i++)
		add_run(2, 1 + test_random(&seed) % 3, 1, 0);
	for (unsigned i = 0; i < MAX_RUNS / 2; i++)
		drop_run((unsigned)(test_random(&seed) % nruns), false);
	retained = stat_of(2).retained;
	CHECK(retained > 64 * NS_UNIT);

	purged = ns_pool_purge(2, 32 * NS_UNIT);
	CHECK(purged >= retained - 32 * NS_UNIT);
	CHECK_EQ(stat_of(2).purged, purged);
	CHECK_EQ(stat_of(2).retained, retained - purged);
	check_pools();
	CHECK_EQ(ns_pool_purge(2, 0), retained - purged);
	CHECK_EQ(stat_of(2).retained, 0);
	CHECK_EQ(ns_pool_purge(2, 0), 0);
	for (unsigned i = 0; i < nruns; i++)
		check_tags(&runs[i]);

	/* All that is free is now zero, and known to be. */
	while (nruns < MAX_RUNS) {
		add_run(2, 1, 1, 0);
		CHECK_EQ(runs[nruns - 1].u->zero, 1);
	}
	(void)arg;
}

static void
purge_by_age(void *arg)
{
	uint64_t now = ns_os_now_ms();

	start("256M", NULL);
	add_run(0, 5, 1, 0);
	drop_run(0, false);
	CHECK_EQ(ns_pool_decay(0, now), 5 * NS_UNIT);
	CHECK_EQ(ns_pool_decay(0, now + ns_options.purge_ms + 60000), 0);
	CHECK_EQ(stat_of(0).purged, 5 * NS_UNIT);
	check_pools();
	(void)arg;
}

static void
purge_at_once(void *arg)
{
	setenv("NUMASLAB_PURGE_MS", "0", 1);
	start("256M", NULL);
	add_run(0, 7, 1, 0);
	add_run(0, 40, 1, 0);
	drop_run(1, false);
	CHECK_EQ(stat_of(0).retained, 0);
	resize_run(&runs[0], 3);
	CHECK_EQ(stat_of(0).retained, 0);
	CHECK_EQ(stat_of(0).purged, 44 * NS_UNIT);
	check_pools();
	(void)arg;
}

/* --- a kernel that refuses --- */

static void
purge_refused(void *arg)
{
	start("256M", NULL);
	add_run(3, 32, 1, 0);
	drop_run(0, false);
	errno = EXDEV;
	ns_os_inject(NS_OS_PURGE, EINVAL, 0, 1);
	CHECK_EQ(ns_pool_purge(3, 0), 0);
	CHECK_EQ(errno, EXDEV);
	CHECK_EQ(stat_of(3).retained, 32 * NS_UNIT);
	CHECK_EQ(stat_of(3).used, 0);
	check_pools();
	CHECK_EQ(ns_pool_purge(3, 0), 32 * NS_UNIT);
	check_pools();
	(void)arg;
}

/* Growing fails at each of its steps in turn, and works the next time. */
static void
commit_refused(void *arg)
{
	struct ns_unit *u;

	start("256M", NULL);
	for (unsigned skip = 0; skip < 3; skip++) {
		ns_os_inject(NS_OS_COMMIT, ENOMEM, skip, 100);
		CHECK_EQ(ns_run_alloc(0, 33, 1, NS_RUN_STRICT), NULL);
		ns_os_inject(NS_OS_COMMIT, 0, 0, 0);
		check_pools();
		CHECK_EQ(stat_of(0).used, 0);
	}
	/* A refusal for one node's span: the request spills. */
	ns_os_inject(NS_OS_COMMIT, ENOMEM, 0, 1);
	u = ns_run_alloc(0, 1, 1, 0);
	REQUIRE(u != NULL);
	CHECK_EQ(u->slot, ns_topo_order(0)[1]);
	u = ns_run_alloc(0, 33, 1, NS_RUN_STRICT);
	REQUIRE(u != NULL);
	CHECK_EQ(u->slot, 0);
	check_pools();
	(void)arg;
}

static void
reserve_refused_at_first(void *arg)
{
	ns_os_inject(NS_OS_RESERVE, ENOMEM, 0, 5);
	start("1G", NULL);
	CHECK(ns_total < 4ul << 30);
	CHECK(ns_total >= 4ul << 20);
	add_run(0, 1, 1, 0);
	(void)arg;
}

static void
reserve_refused_for_good(void *arg)
{
	ns_os_inject(NS_OS_RESERVE, ENOMEM, 0, 1000);
	CHECK_EQ(ns_page_init(), -ENOMEM);
	CHECK_EQ(ns_page_init(), -ENOMEM);
	CHECK(!ns_ours(&arg));
	CHECK(!ns_ours(NULL));
}

#ifndef TEST_SANITIZED /* whose shadow memory is above any such limit */
static void
address_space_limited(void *arg)
{
	struct rlimit rl = { 256ul << 20, 256ul << 20 };

	REQUIRE(setrlimit(RLIMIT_AS, &rl) == 0);
	start("64G", NULL);
	CHECK(ns_total <= 128ul << 20);
	for (unsigned s = 0; s < NODES; s++)
		add_run(s, 4, 1, 0);
	check_pools();
	(void)arg;
}
#endif

/* Is @flag among the VmFlags of the mapping that @p lies in? */
static bool
has_flag(const char *p, const char *flag)
{
	bool inside = false, found = false;
	unsigned long from, to;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(f);
	return found;
}

static void
huge_pages(void *arg)
{
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
		return;
	if (arg != NULL)
		setenv("NUMASLAB_HUGE_PAGES", "1", 1);
	start("1G", NULL);
	add_run(1, NS_EXTENT_UNITS, 1, 0);
	add_run(1, 20 * NS_EXTENT_UNITS, 1, 0);
	CHECK(has_flag(ns_unit_addr(runs[0].u), " nh"));
	CHECK_EQ(has_flag(ns_unit_addr(runs[1].u) + 16 * NS_EXTENT, " hg"),
		 arg != NULL);
	CHECK_EQ(stat_of(1).huge, 21 * NS_EXTENT);
}

static void
huge_pages_asked_for(void *arg)
{
	(void)arg;
	huge_pages("yes");
}

static void
no_system_call_asked_for(void *arg)
{
	struct ns_unit *u;

	start("256M", NULL);
	CHECK_EQ(ns_run_alloc(0, 1, 1, NS_RUN_NOGROW), NULL);
	CHECK_EQ(stat_of(0).committed, 0);
	u = ns_run_alloc(0, 1, 1, 0);
	REQUIRE(u != NULL);
	ns_os_inject(NS_OS_COMMIT, ENOMEM, 0, 1000);
	CHECK(ns_run_alloc(0, 1, 1, NS_RUN_NOGROW) != NULL);
	(void)arg;
}

static void
absurd_sizes(void *arg)
{
	start("256M", NULL);
	CHECK_EQ(ns_run_alloc(0, 0, 1, 0), NULL);
	CHECK_EQ(ns_run_alloc(0, SIZE_MAX >> NS_UNIT_SHIFT, 1, 0), NULL);
	CHECK_EQ(ns_run_alloc(0, 1ul << 33, 1, 0), NULL);
	CHECK_EQ(ns_run_alloc(0, 1, 1ul << 40, 0), NULL);
	add_run(0, 1, 1, 0);
	CHECK(!ns_run_grow(runs[0].u, SIZE_MAX));
	CHECK(!ns_run_grow(runs[0].u, 1ul << 31));
	CHECK(ns_run_grow(runs[0].u, 1));
	check_pools();
	(void)arg;
}

/* --- many threads --- */

#define THREADS 4
#define MINE    32u

static void *
work(void *arg)
{
	struct run mine[MINE] = { { NULL, 0, 0 } };
	uint64_t seed = (uintptr_t)arg + 99;

	for (int i = 0; i < 20000; i++) {
		uint64_t r = test_random(&seed);
		struct run *m = &mine[r % MINE];

		if (m->u != NULL) {
			check_tags(m);
			ns_run_free(m->u, false);
			m->u = NULL;
			continue;
		}
		m->n = 1 + (r >> 8) % ((r >> 16) % 16 == 0 ? 70 : 5);
		m->tag = r & ~0xffful;
		m->u = ns_run_alloc((unsigned)(r >> 32) % NODES, m->n, 1, 0);
		REQUIRE(m->u != NULL);
		ns_run_publish(m->u, NS_KIND_LARGE);
		tag_units(m, 0, m->n);
		if (i % 64 == 0)
			ns_pool_purge((unsigned)(r >> 40) % NODES, 1ul << 20);
	}
	for (unsigned i = 0; i < MINE; i++)
		if (mine[i].u != NULL)
			ns_run_free(mine[i].u, false);
	return NULL;
}

static void
threads_at_once(void *arg)
{
	pthread_t threads[THREADS];

	start("4G", NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, work, (void *)i) ==
			0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_pools();
	for (unsigned s = 0; s < NODES; s++)
		CHECK_EQ(stat_of(s).used, 0);
	(void)arg;
}

static const struct test_one cases[] = {
	{ "random_runs", random_runs },
	{ "spill_in_distance_order", spill_in_distance_order },
	{ "purge_keeps_what_is_used", purge_keeps_what_is_used },
	{ "purge_by_age", purge_by_age },
	{ "purge_at_once", purge_at_once },
	{ "purge_refused", purge_refused },
	{ "commit_refused", commit_refused },
	{ "reserve_refused_at_first", reserve_refused_at_first },
	{ "reserve_refused_for_good", reserve_refused_for_good },
#ifndef TEST_SANITIZED
	{ "address_space_limited", address_space_limited },
#endif
	{ "huge_pages", huge_pages },
	{ "huge_pages_asked_for", huge_pages_asked_for },
	{ "no_system_call_asked_for", no_system_call_asked_for },
	{ "absurd_sizes", absurd_sizes },
	{ "threads_at_once", threads_at_once },
};

int
main(void)
{
	test_each(cases, NS_ARRAY_LEN(cases));
	return test_done();
}
