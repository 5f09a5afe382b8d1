/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What glibc's malloc can be asked and told: mallinfo and its like are true,
 * malloc_trim gives memory back, mallopt says what it does not do.
 */
#include "tests/malloc/malloc_test.h"

#include <limits.h>
#include <pthread.h>

#define BIG (32ul << 20)

static size_t
resident_kib(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	REQUIRE(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void
test_mallinfo(void)
{
	struct mallinfo2 before = mallinfo2(), now;
	char *p = malloc(BIG);

	REQUIRE(p != NULL);
	memset(p, 1, BIG);
	now = mallinfo2();
	CHECK(now.uordblks >= before.uordblks + BIG);
	CHECK(now.uordblks < before.uordblks + BIG + BIG / 8);
	CHECK(now.arena >= before.arena + BIG - before.keepcost);
	CHECK_EQ(now.arena, now.uordblks + now.fordblks);
	free(p);
	now = mallinfo2();
	CHECK(now.uordblks < before.uordblks + BIG / 8);
	CHECK_EQ(now.arena, now.uordblks + now.fordblks);
	CHECK(now.keepcost <= now.fordblks);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	{
		struct mallinfo old = mallinfo();

		CHECK(old.arena > 0 && old.uordblks > 0);
		CHECK_EQ(old.arena, old.uordblks + old.fordblks);
		/* More than an int can say is the most that it can. */
		p = malloc(5ul << 30);
		REQUIRE(p != NULL);
		CHECK_EQ(mallinfo().uordblks, INT_MAX);
		free(p);
	}
#pragma GCC diagnostic pop
}

static void
test_trim(void)
{
	size_t held, trimmed;
	char *p;

	malloc_trim(0);
	p = malloc(BIG);
	REQUIRE(p != NULL);
	memset(p, 1, BIG);
	free(hide(p));
	held = resident_kib();
	errno = 4711;
	CHECK_EQ(malloc_trim(0), 1);
	CHECK_EQ(errno, 4711);
	trimmed = resident_kib();
	CHECK_MSG(held - trimmed >= BIG / 1024 * 3 / 4,
		  "%zu KiB before malloc_trim, %zu after", held, trimmed);
	malloc_trim(0); /* what looking at the figure left */
	CHECK_EQ(mallinfo2().keepcost, 0);
	CHECK_EQ(malloc_trim(0), 0);
	CHECK_EQ(errno, 4711);
}

#define SMALL 200000

static void *small[SMALL];

static void *
free_small(void *arg)
{
	size_t i;

	for (i = 0; i < SMALL; i++)
		free(small[i]);
	return arg;
}

/* Small blocks too, whoever frees them and in whatever order. */
static void
test_trim_small(void)
{
	size_t before, full, after, i, j;
	uint64_t state = 99;
	pthread_t thread;
	int round;

	for (round = 0; round < 3; round++) {
		malloc_trim(0);
		before = resident_kib();
		for (i = 0; i < SMALL; i++) {
			small[i] = malloc(100 + i % 1000);
			REQUIRE(small[i] != NULL);
			memset(small[i], 1, 100);
		}
		full = resident_kib();
		for (i = SMALL - 1; round == 1 && i > 0; i--) {
			void *p = small[i];

			j = test_random(&state) % i;
			small[i] = small[j];
			small[j] = p;
		}
		if (round == 2)
			REQUIRE(pthread_create(&thread, NULL, free_small,
					       NULL) == 0 &&
				pthread_join(thread, NULL) == 0);
		else
			free_small(NULL);
		malloc_trim(0);
		after = resident_kib();
		CHECK_MSG(after < before + (full - before) / 20,
			  "round %d: %zu KiB before, %zu full, %zu trimmed",
			  round, before, full, after);
	}
}

static void
test_mallopt(void)
{
	CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 128 << 10), 1);
	CHECK_EQ(mallopt(M_TOP_PAD, 1 << 20), 1);
	CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
	CHECK_EQ(mallopt(M_MMAP_THRESHOLD, INT_MAX), 0);
	CHECK_EQ(mallopt(M_MMAP_MAX, 0), 1);
	CHECK_EQ(mallopt(M_MXFAST, 64), 1);
	CHECK_EQ(mallopt(M_MXFAST, 1 << 20), 0);
	CHECK_EQ(mallopt(M_ARENA_MAX, 2), 1);
	CHECK_EQ(mallopt(M_ARENA_TEST, 8), 1);
	CHECK_EQ(mallopt(M_CHECK_ACTION, 3), 1);
	CHECK_EQ(mallopt(M_PERTURB, 0), 1);
	CHECK_EQ(mallopt(M_PERTURB, 0xaa), 0);
	CHECK_EQ(mallopt(4711, 1), 0);
	CHECK_EQ(mallopt(-4711, 1), 0);
}

static size_t
occurrences(const char *text, const char *of)
{
	size_t n = 0;

	for (; (text = strstr(text, of)) != NULL; text++)
		n++;
	return n;
}

static void
test_info(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	REQUIRE(f != NULL);
	CHECK_EQ(malloc_info(0, f), 0);
	fclose(f);
	CHECK(strncmp(text, "<malloc version=\"1\">\n", 21) == 0);
	CHECK(n > 10 && strcmp(text + n - 10, "</malloc>\n") == 0);
	CHECK(occurrences(text, "<heap nr=") >= 1);
	CHECK_EQ(occurrences(text, "<heap nr="), occurrences(text, "</heap>"));
	CHECK_EQ(occurrences(text, "<system type=\"current\" size="),
		 occurrences(text, "<heap nr=") + 1);
	CHECK_EQ(occurrences(text, "\"") % 2, 0);
	free(text);
	f = open_memstream(&text, &n);
	CHECK(malloc_info(1, f) != 0);
	fclose(f);
	CHECK_EQ(n, 0);
	free(text);
}

static void
print_stats(void *arg)
{
	(void)arg;
	malloc_stats();
}

static void
test_stats(void)
{
	struct test_output out;

	CHECK_EQ(run_child(print_stats, NULL, &out), 0);
	CHECK(strstr(out.text, "Node 0:\n") == out.text);
	CHECK(strstr(out.text, "Total:\n") != NULL);
	CHECK(strstr(out.text, "in use bytes     = ") != NULL);
}

int
main(void)
{
	REQUIRE(is_ours());
	free(hide(malloc(1)));
	test_mallinfo();
	test_trim();
	test_trim_small();
	test_mallopt();
	test_info();
	test_stats();
	return test_done();
}
