/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/crowd.c - the program whose costs bench/scale counts.
 *
 *	crowd own|swap|large THREADS OPERATIONS
 *
 * Each thread replaces blocks, one free and one malloc an operation:
 *
 *	own	 small ones of mixed sizes, in a table of its own
 *	swap	 the same in one table of all threads, so that nearly every
 *		 free is of another thread's block
 *	large	 of 32 KiB to 1 MiB, in a table of its own
 *
 * OPERATIONS are each thread's.  Before them it does some that do not count;
 * getpgid() says where the others begin and end, for strace's log, and
 * crowd_counted() holds them, for callgrind.  Every YIELD_EVERY operations a
 * thread gives the CPU away: so threads take turns on any number of cores,
 * and the blocks of all of them are alive at once.  Nothing in the counted
 * part waits, but for the allocator.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_THREADS 1024
#define SHARED      16384u
#define OWN         512u
#define LARGE       16u
#define WARM        4096
#define YIELD_EVERY 1024 /* bench/scale knows it */

#define exchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

struct workload {
	const char *name;
	size_t places; /* of the table */
	size_t least, most;
	int shared;
};

static const struct workload workloads[] = {
	{ "own", OWN, 16, 512, 0 },
	{ "swap", SHARED, 16, 512, 1 },
	{ "large", LARGE, 32 * 1024, 1024 * 1024, 0 },
};

struct thread {
	pthread_t id;
	uint64_t rng;
	char **table;
};

static const struct workload *work;
static long operations;
static char *shared_table[SHARED];
static struct thread threads[MAX_THREADS];
static pthread_barrier_t meet;

static size_t
below(uint64_t *rng, size_t n)
{
	*rng = *rng * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(((*rng >> 32) * n) >> 32);
}

static void
replace(struct thread *t)
{
	char **place = &t->table[below(&t->rng, work->places)];
	char *p =
	    malloc(work->least + below(&t->rng, work->most - work->least));

	*p = 1;
	free(exchange(place, p));
}

__attribute__((noinline)) static void
crowd_counted(struct thread *t)
{
	for (long i = 1; i <= operations; i++) {
		replace(t);
		if (i % YIELD_EVERY == 0)
			sched_yield();
	}
}

static void *
run(void *arg)
{
	struct thread *t = arg;

	if (!work->shared)
		t->table = calloc(work->places, sizeof(*t->table));
	for (int i = 0; i < WARM; i++)
		replace(t);
	pthread_barrier_wait(&meet);
	syscall(SYS_getpgid, 0);
	crowd_counted(t);
	syscall(SYS_getpgid, 0);
	pthread_barrier_wait(&meet);
	return NULL;
}

static const struct workload *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (strcmp(name, workloads[i].name) == 0)
			return &workloads[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	long n = argc == 4 ? strtol(argv[2], NULL, 10) : 0;

	if (n < 1 || n > MAX_THREADS || !(work = find(argv[1])) ||
	    (operations = strtol(argv[3], NULL, 10)) < 1) {
		fprintf(stderr,
			"usage: crowd own|swap|large THREADS OPERATIONS\n");
		return 2;
	}
	pthread_barrier_init(&meet, NULL, (unsigned)n);
	for (long i = 0; i < n; i++) {
		threads[i].rng = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
		threads[i].table = shared_table;
		if (pthread_create(&threads[i].id, NULL, run, &threads[i])) {
			perror("pthread_create");
			return 1;
		}
	}
	for (long i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	return 0;
}
