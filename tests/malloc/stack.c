/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator is modest with its caller's stack: all of malloc works on the
 * smallest that a thread can have, and figures can be asked for on 128 KiB.
 */
#include "tests/malloc/malloc_test.h"

#include <limits.h>
#include <pthread.h>

static void *
allocate(void *arg)
{
	uint64_t state = 4711;
	void *p[200] = { NULL };
	size_t i, n;

	for (n = 0; n < 20000; n++) {
		i = test_random(&state) % 200;
		p[i] = realloc(p[i], test_random(&state) % 8 == 0
					 ? test_random(&state) % 3000000 + 1
					 : test_random(&state) % 9000 + 1);
		REQUIRE(p[i] != NULL);
		*(char *)p[i] = 1;
		if (n % 3 == 0) {
			free(p[i]);
			p[i] = NULL;
		}
	}
	for (i = 0; i < 200; i++)
		free(p[i]);
	free(aligned_alloc(1 << 20, 1));
	free(calloc(1000, 1000));
	malloc_trim(0);
	return arg;
}

static void *
ask(void *arg)
{
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	uint64_t epoch = 1;
	size_t value = 0, len = sizeof(value);

	NEED(mallctl, "mallctl");
	CHECK(mallinfo2().uordblks > 0);
	CHECK_EQ(mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)), 0);
	CHECK_EQ(
	    mallctl("stats.arenas.0.bins.3.curslabs", &value, &len, NULL, 0),
	    0);
	return arg;
}

/* On @size bytes, the thread's own storage in them not counted. */
static void
run_on(size_t size, void *(*fn)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	pthread_attr_init(&attr);
	REQUIRE(pthread_attr_setstacksize(&attr, size) == 0);
	error = pthread_create(&thread, &attr, fn, NULL);
	CHECK_MSG(error == 0, "no thread on %zu bytes: %s", size,
		  strerror(error));
	if (error == 0)
		pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
}

int
main(void)
{
	REQUIRE(is_ours());
	free(hide(malloc(1)));
	run_on((size_t)sysconf(_SC_THREAD_STACK_MIN), allocate);
	run_on(128 << 10, ask);
	return test_done();
}
