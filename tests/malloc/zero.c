/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calloc's memory is zero, however dirty what it is made of: blocks that
 * were filled and freed, by this thread or another, before and after memory
 * went back to the system.
 */
#include "tests/malloc/malloc_test.h"

#include <pthread.h>

#define BATCH 12
#define MOST  (5ul << 20)

static void *block[BATCH];

static void *
free_batch(void *arg)
{
	size_t i;

	for (i = 0; i < BATCH; i++)
		free(block[i]);
	return arg;
}

static void
dirty(size_t size, size_t batch)
{
	size_t i;

	for (i = 0; i < BATCH; i++)
		block[i] = NULL;
	for (i = 0; i < batch; i++) {
		block[i] = malloc(size);
		REQUIRE(block[i] != NULL);
		memset(block[i], 0xa5, malloc_usable_size(block[i]));
	}
}

static void
check_zero(size_t size, size_t batch, const char *after)
{
	size_t i, bad;

	for (i = 0; i < batch; i++) {
		block[i] = calloc(size % 3 == 0 ? size / 3 : size,
				  size % 3 == 0 ? 3 : 1);
		REQUIRE(block[i] != NULL);
		bad = zeroed(block[i], size);
		CHECK_MSG(bad == size,
			  "calloc(%zu) after %s: byte %zu of block %zu is 0x%x",
			  size, after, bad, i,
			  ((unsigned char *)block[i])[bad]);
		memset(block[i], 0x5a, size);
	}
	free_batch(NULL);
}

static void
test_size(size_t size)
{
	size_t batch = size > 100000 ? 3 : BATCH;
	pthread_t thread;

	dirty(size, batch);
	free_batch(NULL);
	check_zero(size, batch, "own frees");
	dirty(size, batch);
	REQUIRE(pthread_create(&thread, NULL, free_batch, NULL) == 0);
	REQUIRE(pthread_join(thread, NULL) == 0);
	check_zero(size, batch, "another thread's frees");
	dirty(size, batch);
	free_batch(NULL);
	malloc_trim(0);
	check_zero(size, batch, "malloc_trim");
}

int
main(void)
{
	size_t n;

	REQUIRE(is_ours());
	for (n = 1; n <= 1100; n += n < 160 ? 1 : 13)
		test_size(n);
	for (; n <= MOST; n += n / 9)
		test_size(n);
	for (n = 4096; n <= MOST; n *= 2) {
		test_size(n - 1);
		test_size(n);
		test_size(n + 1);
	}
	return test_done();
}
