/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/gfp.c: how often a request that finds no memory is tried again, and
 * what it waits before.  The program is linked so that its sleeps come here:
 * they are counted, and take no time.
 */
#include "numaslab/shrinker.h"

#include "slab/gfp.h"

#include "tests/test.h"

#define ROUNDS 16 /* of __GFP_RETRY_MAYFAIL, as gfp(7) has it */

static uint64_t slept[64]; /* ms, of each sleep */
static unsigned sleeps;

void __wrap_ns_os_sleep_on(uint32_t *word, uint32_t value, uint64_t ms);

void
__wrap_ns_os_sleep_on(uint32_t *word, uint32_t value, uint64_t ms)
{
	CHECK_EQ(*word, value);
	if (sleeps < 64)
		slept[sleeps] = ms;
	sleeps++;
}

/* How often the request is to be tried again, at most @most times. */
static unsigned
rounds(gfp_t flags, unsigned most)
{
	struct ns_retry r = { .gfp = flags, .slot = NS_NO_SLOT };
	unsigned n = 0;

	sleeps = 0;
	while (n < most && ns_retry(&r))
		n++;
	return n;
}

/* Before each round but the first: 2 ms, 4, 8, ..., and 64 from then on. */
static void
check_sleeps(unsigned n)
{
	CHECK_EQ(sleeps, n);
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(slept[i], i < 5 ? 2ul << i : 64);
}

static void
test_rounds(void)
{
	CHECK_EQ(rounds(0, 100), 0);
	check_sleeps(0);
	CHECK_EQ(rounds(GFP_NOWAIT, 100), 0);
	CHECK_EQ(rounds(GFP_NOWAIT | __GFP_RETRY_MAYFAIL, 100), 0);
	CHECK_EQ(rounds(GFP_ATOMIC, 100), 1); /* of the reserve */
	CHECK_EQ(rounds(GFP_ATOMIC | __GFP_NOMEMALLOC, 100), 0);
	check_sleeps(0);
	CHECK_EQ(rounds(GFP_NOIO, 100), 1);
	CHECK_EQ(rounds(GFP_KERNEL, 100), 1);
	CHECK_EQ(rounds(GFP_KERNEL | __GFP_NORETRY, 100), 1);
	CHECK_EQ(rounds(GFP_KERNEL | __GFP_HIGH, 100), 2);
	check_sleeps(0);
	CHECK_EQ(rounds(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 100), ROUNDS);
	check_sleeps(ROUNDS - 1);
	CHECK_EQ(rounds(GFP_NOFS | __GFP_RETRY_MAYFAIL, 100), ROUNDS);
	check_sleeps(ROUNDS - 1);
	CHECK_EQ(rounds(GFP_KERNEL | __GFP_NOFAIL, 60), 60);
	check_sleeps(59);
}

/* Each round but the last asks shrinkers at every priority, once. */
static unsigned asked;

static unsigned long
count(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	(void)sc;
	asked++;
	return 0;
}

static unsigned long
scan(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	(void)sc;
	return SHRINK_STOP;
}

static void
test_shrinkers(void)
{
	struct shrinker *s = shrinker_alloc(0, "counts");

	REQUIRE(s != NULL);
	s->count_objects = count;
	s->scan_objects = scan;
	shrinker_register(s);
	CHECK_EQ(rounds(GFP_KERNEL, 100), 1);
	CHECK_EQ(asked, NS_SHRINK_PRIORITIES);
	asked = 0;
	CHECK_EQ(rounds(GFP_KERNEL | __GFP_RETRY_MAYFAIL, 100), ROUNDS);
	CHECK_EQ(asked, ROUNDS * NS_SHRINK_PRIORITIES);
	asked = 0;
	CHECK_EQ(rounds(GFP_NOFS | __GFP_RETRY_MAYFAIL, 100), ROUNDS);
	CHECK_EQ(rounds(GFP_NOIO, 100), 1);
	CHECK_EQ(asked, 0);
	shrinker_free(s);
}

int
main(void)
{
	REQUIRE(ns_init() == 0);
	test_rounds();
	test_shrinkers();
	return test_done();
}
