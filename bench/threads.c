/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/threads.c - what a thread costs.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	churn	create a thread that allocates n blocks of mixed sizes and
 *		frees them, and join it; CPU time of both
 *	idle	n threads that each did some allocations and now wait:
 *		rss_each is the resident memory of one, stack included;
 *		"blocks" is how many they allocated and freed, 0 being the
 *		floor to compare with.  Time is of no interest here.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gbench.h"

#define MAX_BLOCKS 4096
#define MAX_IDLE   1024
#define STACK      (128u * 1024)

static void
some_allocations(size_t n)
{
	static const size_t sizes[] = { 24, 64, 48, 200, 32, 1000, 128, 4000 };
	char **p = malloc(n * sizeof(*p));

	for (size_t i = 0; i < n; i++) {
		p[i] = malloc(sizes[i % 8]);
		*p[i] = 1;
	}
	for (size_t i = 0; i < n; i++)
		free(p[i]);
	free(p);
}

static void *
short_lived(void *n)
{
	if (n)
		some_allocations((size_t)n);
	return NULL;
}

static pthread_t
create(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	if (pthread_create(&t, &attr, fn, arg)) {
		perror("pthread_create");
		exit(1);
	}
	pthread_attr_destroy(&attr);
	return t;
}

static void
churn(struct gbench *b)
{
	gbench_loop(b)
		pthread_join(create(short_lived, (void *)b->arg[0]), NULL);
}

struct idlers {
	pthread_barrier_t ready, leave;
	size_t blocks;
};

static void *
idler(void *arg)
{
	struct idlers *s = arg;

	if (s->blocks)
		some_allocations(s->blocks);
	pthread_barrier_wait(&s->ready);
	pthread_barrier_wait(&s->leave);
	return NULL;
}

static double
rss_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double
idle_once(size_t n, size_t blocks)
{
	static pthread_t thread[MAX_IDLE];
	struct idlers s = { .blocks = blocks };
	double before = rss_bytes(), each;

	pthread_barrier_init(&s.ready, NULL, (unsigned)n + 1);
	pthread_barrier_init(&s.leave, NULL, (unsigned)n + 1);
	for (size_t i = 0; i < n; i++)
		thread[i] = create(idler, &s);
	pthread_barrier_wait(&s.ready);
	each = (rss_bytes() - before) / (double)n;
	pthread_barrier_wait(&s.leave);
	for (size_t i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&s.ready);
	pthread_barrier_destroy(&s.leave);
	return each;
}

/* In a child, so that nothing is left over from an earlier run. */
static double
idle_in_child(size_t n, size_t blocks)
{
	double each = -1;
	int fd[2];
	pid_t pid;

	if (pipe(fd) || (pid = fork()) < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0) {
		each = idle_once(n, blocks);
		_exit(write(fd[1], &each, sizeof(each)) != sizeof(each));
	}
	close(fd[1]);
	if (read(fd[0], &each, sizeof(each)) != sizeof(each))
		each = -1;
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return each;
}

static void
idle(struct gbench *b)
{
	double each = 0;

	gbench_loop(b)
		each = idle_in_child((size_t)b->arg[0], (size_t)b->arg[1]);
	gbench_set_counter(b, "rss_each", each, GBENCH_AVERAGE);
}

static const struct gbench_case cases[] = {
	{ .name = "idle",
	  .run = idle,
	  .iterations = 1,
	  .unit = GBENCH_MS,
	  .real_time = 1,
	  .args = { GBENCH_LIST("threads", 500),
		    GBENCH_LIST("blocks", 0, 8, 1000) } },
	{ .name = "churn",
	  .run = churn,
	  .unit = GBENCH_US,
	  .process_time = 1,
	  .args = { GBENCH_LIST("blocks", 0, 8, 1000) } },
	{ .name = "churn_2t",
	  .run = churn,
	  .unit = GBENCH_US,
	  .process_time = 1,
	  .threads = { 2 },
	  .args = { GBENCH_LIST("blocks", 8) } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
