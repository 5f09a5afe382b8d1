/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forks - fork from a process whose threads all allocate.
 *
 *	forks COUNT
 *
 * Each child uses the heap that it inherited: it allocates in every size,
 * frees what its parent's threads had allocated, starts a thread of its own
 * and now and then a child of its own, and leaves by _exit or by exit.  A
 * hang anywhere is ended by SIGALRM.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS  4
#define SHARED   512
#define TOO_LONG 120 /* seconds */

static _Atomic(unsigned char *) shared[SHARED];
static atomic_bool done;
static atomic_ulong rounds;

static uint32_t
draw(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (uint32_t)(*rng >> 32);
}

static size_t
draw_size(uint64_t *rng)
{
	uint32_t kind = draw(rng) % 64;

	if (kind == 0)
		return draw(rng) % (1u << 20);
	return draw(rng) % (kind < 8 ? 20000 : 400) + 1;
}

/* A block says its own length in its first bytes and ends in a mark. */
static unsigned char *
make(uint64_t *rng)
{
	size_t size = draw_size(rng) + 16;
	unsigned char *p = malloc(size);

	if (p == NULL)
		err(1, "malloc(%zu)", size);
	memcpy(p, &size, sizeof(size));
	p[size - 1] = 0x5a;
	return p;
}

static void
unmake(unsigned char *p)
{
	size_t size;

	if (p == NULL)
		return;
	memcpy(&size, p, sizeof(size));
	if (p[size - 1] != 0x5a)
		errx(1, "a block of %zu bytes is damaged", size);
	memset(p, 0xee, size < 64 ? size : 64);
	free(p);
}

/* Blocks go from thread to thread through the shared slots. */
static void
trade(uint64_t *rng, unsigned n)
{
	while (n-- > 0)
		unmake(atomic_exchange(&shared[draw(rng) % SHARED], make(rng)));
}

static void *
trader(void *arg)
{
	uint64_t rng = (uintptr_t)arg * 0x9e3779b97f4a7c15ull + 1;

	while (!atomic_load(&done)) {
		trade(&rng, 20);
		atomic_fetch_add(&rounds, 1);
	}
	return NULL;
}

static void *
one_trade(void *arg)
{
	uint64_t rng = (uintptr_t)arg;

	trade(&rng, 200);
	return NULL;
}

static int
wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	return status;
}

static void
child(unsigned i)
{
	uint64_t rng = i * 0x2545f4914f6cdd1dull + 1;
	pthread_t thread;
	pid_t pid;

	alarm(TOO_LONG);
	trade(&rng, 300);
	if (i % 4 == 0) {
		if (pthread_create(&thread, NULL, one_trade,
				   (void *)(uintptr_t)(i + 1)) != 0)
			errx(1, "pthread_create in a child");
		pthread_join(thread, NULL);
	}
	if (i % 16 == 0) {
		pid = fork();
		if (pid == 0) {
			trade(&rng, 100);
			_exit(0);
		}
		if (pid < 0 || wait_for(pid) != 0)
			errx(1, "a grandchild failed");
	}
	for (unsigned k = 0; k < SHARED; k++)
		unmake(atomic_exchange(&shared[k], NULL));
	if (i % 2 == 0)
		exit(0);
	_exit(0);
}

int
main(int argc, char **argv)
{
	unsigned count = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
	pthread_t threads[THREADS];
	int status;
	pid_t pid;

	if (count == 0)
		errx(2, "usage: forks COUNT");
	alarm(TOO_LONG);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, trader, (void *)i) != 0)
			errx(1, "pthread_create");
	for (unsigned i = 0; i < count; i++) {
		alarm(TOO_LONG); /* for each: slow is no hang */
		pid = fork();
		if (pid < 0)
			err(1, "fork %u", i);
		if (pid == 0)
			child(i);
		status = wait_for(pid);
		if (status != 0)
			errx(1, "child %u: status %#x%s", i, status,
			     status == SIGALRM ? " (a hang)" : "");
	}
	alarm(TOO_LONG);
	atomic_store(&done, 1);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (atomic_load(&rounds) == 0)
		errx(1, "the threads did nothing");
	printf("%u forks\n", count);
	return 0;
}
