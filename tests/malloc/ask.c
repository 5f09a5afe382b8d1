/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads ask for figures in every way while others allocate and the process
 * forks: nothing hangs, and children can ask as well.
 */
#include "tests/malloc/malloc_test.h"

#include <pthread.h>

#define ASKERS   3
#define WORKERS  2
#define CHILDREN 150

static int (*mallctl)(const char *, void *, size_t *, void *, size_t);
static void (*stats_print)(void (*)(void *, const char *), void *,
			   const char *);
static bool stop;

static void
nowhere(void *ctx, const char *s)
{
	*(size_t *)ctx += strlen(s);
}

static void
ask(void)
{
	size_t value = 0, len = sizeof(value), printed = 0;
	uint64_t epoch = 1;
	struct mallinfo2 m;

	CHECK_EQ(mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)), 0);
	CHECK_EQ(mallctl("stats.allocated", &value, &len, NULL, 0), 0);
	CHECK(value > 0);
	CHECK_EQ(
	    mallctl("stats.arenas.4096.bins.3.curregs", &value, &len, NULL, 0),
	    0);
	m = mallinfo2();
	CHECK_EQ(m.arena, m.uordblks + m.fordblks);
	stats_print(nowhere, &printed, "J");
	CHECK(printed > 100);
	CHECK_EQ(mallctl("arena.0.purge", NULL, NULL, NULL, 0), 0);
}

static void *
asker(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		ask();
		usleep(200);
	}
	return arg;
}

static void *
worker(void *arg)
{
	uint64_t state = 77 + (uintptr_t)arg;
	void *p[64] = { NULL };
	size_t i;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		i = test_random(&state) % 64;
		free(p[i]);
		p[i] = malloc(test_random(&state) % 150000);
		REQUIRE(p[i] != NULL);
		if (i == 0)
			usleep(100);
	}
	for (i = 0; i < 64; i++)
		free(p[i]);
	return arg;
}

static void
check_child(void)
{
	pid_t pid = fork();
	int status;

	REQUIRE(pid >= 0);
	if (pid == 0) {
		alarm(60);
		ask();
		free(hide(malloc(100)));
		_exit(test_done());
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_MSG(status == 0, "the child's wait status is 0x%x",
		  (unsigned)status);
}

int
main(void)
{
	pthread_t thread[ASKERS + WORKERS];
	intptr_t i;

	REQUIRE(is_ours());
	NEED(mallctl, "mallctl");
	NEED(stats_print, "malloc_stats_print");
	free(hide(malloc(1)));
	alarm(300); /* hung: fails the test, never slow */
	for (i = 0; i < ASKERS + WORKERS; i++)
		REQUIRE(pthread_create(&thread[i], NULL,
				       i < ASKERS ? asker : worker,
				       (void *)i) == 0);
	for (i = 0; i < CHILDREN; i++)
		check_child();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ASKERS + WORKERS; i++)
		pthread_join(thread[i], NULL);
	return test_done();
}
