/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/memory.c - what a program holds, and what it gives back.
 *
 *	memory [-i SECONDS] NAME
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 * The program runs in a child, whose resident set the parent reads every
 * 20 ms.  Written are, in MB of 2^20 bytes, the lines of bench/macro/lib.sh
 *
 *	metric NAME_peak_mb VALUE lower	  the most it ever held
 *	metric NAME_mean_mb VALUE lower	  the mean over its time
 *	metric NAME_STATE_mb VALUE lower  what it held in a state: see below
 *	live STATE VALUE		  what malloc was asked for then
 *	sample SECONDS MB		  for the plot of memory over time
 *
 * Before a state is looked at, every thread has slept for -i seconds, or as
 * long as is said here.
 *
 *	burst	  1 GiB of blocks of 16 to 512 bytes comes and goes; idle
 *		  after 15 s
 *	bursts	  the same by four threads, which then wait, not exit
 *	drift	  in six phases 100,000 blocks each come, larger each time,
 *		  and a random 90 % of them go; idle after 3 s, 22 MiB live
 *	fragment  64 MiB of long-lived blocks come one by one among a
 *		  hundred times as many short-lived ones; idle after 3 s,
 *		  then thinned: a random half of them is freed, 3 s
 *	threads	  1000 threads have used 1000 blocks of mixed sizes and keep
 *		  ten of them; idle after 3 s
 *	tide	  four threads hold 256 MiB, then 32 MiB, a second each, three
 *		  times; low is the last one
 *	blocks	  a hundred blocks of 64 KiB to 8 MiB are replaced at random,
 *		  500 times; idle when one in ten is left, 3 s
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gbench.h"

#define KIB 1024ul
#define MIB (1024 * KIB)

static const char *name;
static double idle_seconds; /* 0: as long as each program says */

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static void
wait_seconds(double s)
{
	struct timespec ts = { .tv_sec = (time_t)s,
			       .tv_nsec =
				   (long)((s - (double)(time_t)s) * 1e9) };

	while (nanosleep(&ts, &ts))
		;
}

static double
resident_mb(pid_t pid)
{
	char path[64];
	unsigned long pages = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (double)MIB;
}

/* Sleep, then say what is resident while @live bytes are in use. */
static void
look(const char *state, double seconds, size_t live)
{
	wait_seconds(idle_seconds > 0 ? idle_seconds : seconds);
	dprintf(STDOUT_FILENO, "live %s %.1f\nmetric %s_%s_mb %.2f lower\n",
		state, (double)live / (double)MIB, name, state,
		resident_mb(getpid()));
}

static void *
get(size_t size)
{
	void *p = malloc(size);

	if (!p)
		fail("malloc");
	memset(p, 1, size);
	return p;
}

/* burst, bursts */

struct block {
	struct block *next;
	size_t size;
};

static struct block *
fill(size_t bytes, uint64_t *rng)
{
	struct block *list = NULL, **tail = &list;

	for (size_t sum = 0; sum < bytes; sum += (*tail)->size) {
		size_t size = 16 + gbench_below(rng, 497);

		if (list)
			tail = &(*tail)->next;
		*tail = get(size);
		**tail = (struct block){ .size = size };
	}
	return list;
}

static void
drop(struct block *list)
{
	for (struct block *next; list; list = next) {
		next = list->next;
		free(list);
	}
}

static void
burst(void)
{
	uint64_t rng = 1;

	drop(fill(KIB * MIB, &rng));
	look("idle", 15, 0);
}

#define WORKERS 4

static pthread_barrier_t done, leave;

static void *
bursts_worker(void *arg)
{
	uint64_t rng = (uintptr_t)arg + 1;

	drop(fill(KIB * MIB / WORKERS, &rng));
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&leave);
	return NULL;
}

/* @n threads of small stacks, from the first malloc to barrier @leave. */
static void
with_threads(size_t n, void *(*worker)(void *), const char *state,
	     double seconds, size_t live)
{
	pthread_t *thread = get(n * sizeof(*thread));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * KIB);
	pthread_barrier_init(&done, NULL, (unsigned)n + 1);
	pthread_barrier_init(&leave, NULL, (unsigned)n + 1);
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&thread[i], &attr, worker, (void *)i))
			fail("pthread_create");
	pthread_barrier_wait(&done);
	look(state, seconds, live);
	pthread_barrier_wait(&leave);
	for (size_t i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	free(thread);
}

static void
bursts(void)
{
	with_threads(WORKERS, bursts_worker, "idle", 15, 0);
}

/* drift */

#define PHASES       6u
#define PHASE_BLOCKS 100000u

static void
drift(void)
{
	static const size_t sizes[PHASES] = { 64, 128, 256, 384, 512, 960 };
	void **block = get(PHASES * PHASE_BLOCKS * sizeof(*block));
	size_t live = PHASES * PHASE_BLOCKS * sizeof(*block);
	uint64_t rng = 1;

	for (size_t i = 0; i < PHASES * PHASE_BLOCKS; i++) {
		size_t phase = i / PHASE_BLOCKS;

		block[i] = get(sizes[phase]);
		live += sizes[phase];
		if ((i + 1) % PHASE_BLOCKS)
			continue;
		for (size_t j = phase * PHASE_BLOCKS; j <= i; j++) {
			if (gbench_below(&rng, 10) == 0)
				continue;
			free(block[j]);
			block[j] = NULL;
			live -= sizes[phase];
		}
	}
	look("idle", 3, live);
	for (size_t i = 0; i < PHASES * PHASE_BLOCKS; i++)
		free(block[i]);
	free(block);
}

/* fragment */

#define SHORT_LIVED 5000u

/* Half up to 128 bytes, one in a hundred up to 16 KiB. */
static size_t
server_size(uint64_t *rng)
{
	size_t kind = gbench_below(rng, 100);

	if (kind < 50)
		return 16 + gbench_below(rng, 112);
	if (kind < 99)
		return 128 + gbench_below(rng, 896);
	return KIB + gbench_below(rng, 15 * KIB);
}

static void
fragment(void)
{
	void **fleeting = calloc(SHORT_LIVED, sizeof(*fleeting));
	struct block *list = NULL, **at = &list;
	uint64_t rng = 1;
	size_t live = 0;

	while (live < 64 * MIB) {
		size_t size = server_size(&rng);

		for (int i = 0; i < 100; i++) {
			size_t j = gbench_below(&rng, SHORT_LIVED);

			free(fleeting[j]);
			fleeting[j] = malloc(server_size(&rng));
		}
		*at = get(size);
		**at = (struct block){ .size = size };
		at = &(*at)->next;
		live += size;
	}
	for (size_t i = 0; i < SHORT_LIVED; i++)
		free(fleeting[i]);
	free(fleeting);
	look("idle", 3, live);
	for (at = &list; *at;) {
		struct block *b = *at;

		if (gbench_below(&rng, 2)) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		live -= b->size;
		free(b);
	}
	look("thinned", 3, live);
	drop(list);
}

/* threads */

#define THREADS       1000u
#define THREAD_BLOCKS 1000u
#define THREAD_KEEPS  10u

static void *
idle_thread(void *arg)
{
	static const size_t sizes[] = { 24, 64, 48, 200, 32, 1000, 128, 4000 };
	void **block = get(THREAD_BLOCKS * sizeof(*block));
	void *kept[THREAD_KEEPS];

	(void)arg;
	for (size_t i = 0; i < THREAD_BLOCKS; i++)
		block[i] = get(sizes[i % 8]);
	for (size_t i = 0; i < THREAD_BLOCKS; i++)
		if (i % (THREAD_BLOCKS / THREAD_KEEPS))
			free(block[i]);
		else
			kept[i / (THREAD_BLOCKS / THREAD_KEEPS)] = block[i];
	free(block);
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&leave);
	for (size_t i = 0; i < THREAD_KEEPS; i++)
		free(kept[i]);
	return NULL;
}

static void
threads(void)
{
	/* Those kept are alternately of 24 and of 32 bytes. */
	with_threads(THREADS, idle_thread, "idle", 3,
		     THREADS * THREAD_KEEPS * 28);
}

/* tide */

#define TIDES 3
#define HIGH  (256 * MIB / WORKERS)
#define LOW   (32 * MIB / WORKERS)

static void *
tide_worker(void *arg)
{
	uint64_t rng = (uintptr_t)arg + 1;
	struct block *rest = fill(LOW, &rng);

	for (int i = 0; i < TIDES; i++) {
		struct block *more = fill(HIGH - LOW, &rng);

		wait_seconds(1);
		drop(more);
		if (i < TIDES - 1)
			wait_seconds(1);
	}
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&leave);
	drop(rest);
	return NULL;
}

static void
tide(void)
{
	with_threads(WORKERS, tide_worker, "low", 1, WORKERS * LOW);
}

/* blocks */

#define NBLOCKS 100u

static void
blocks(void)
{
	struct block *block[NBLOCKS] = { NULL };
	uint64_t rng = 1;
	size_t live = 0;

	for (size_t i = 0; i < 6 * NBLOCKS; i++) {
		size_t at = i < NBLOCKS ? i : gbench_below(&rng, NBLOCKS);
		size_t low = 64 * KIB << gbench_below(&rng, 7);
		size_t size = low + gbench_below(&rng, low);

		free(block[at]);
		block[at] = get(size);
		block[at]->size = size;
	}
	for (size_t i = 0; i < NBLOCKS; i++) {
		if (i % 10 == 0)
			live += block[i]->size;
		else
			free(block[i]);
	}
	look("idle", 3, live);
	for (size_t i = 0; i < NBLOCKS; i += 10)
		free(block[i]);
}

/* The parent */

static double
seconds_since(const struct timespec *t0)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - t0->tv_sec) +
	       (double)(t.tv_nsec - t0->tv_nsec) / 1e9;
}

static int
watch(pid_t pid)
{
	struct timespec t0;
	double sum = 0;
	struct rusage ru;
	size_t n = 0;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	while (wait4(pid, &status, WNOHANG, &ru) == 0) {
		double mb = resident_mb(pid);

		sum += mb;
		n++;
		dprintf(STDOUT_FILENO, "sample %.2f %.2f\n", seconds_since(&t0),
			mb);
		wait_seconds(0.02);
	}
	dprintf(STDOUT_FILENO, "metric %s_peak_mb %.2f lower\n", name,
		(double)ru.ru_maxrss / 1024);
	dprintf(STDOUT_FILENO, "metric %s_mean_mb %.2f lower\n", name,
		sum / (double)n);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static const struct {
	const char *name;
	void (*run)(void);
} programs[] = { { "burst", burst },     { "bursts", bursts },
		 { "drift", drift },     { "fragment", fragment },
		 { "threads", threads }, { "tide", tide },
		 { "blocks", blocks } };

static void
usage(void)
{
	fprintf(stderr, "usage: memory [-i SECONDS] NAME\nwhich are:");
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		fprintf(stderr, " %s", programs[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	void (*run)(void) = NULL;
	pid_t pid;
	int opt;

	while ((opt = getopt(argc, argv, "i:")) != -1) {
		if (opt != 'i')
			usage();
		idle_seconds = strtod(optarg, NULL);
	}
	if (optind != argc - 1)
		usage();
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strcmp(argv[optind], programs[i].name) == 0) {
			name = programs[i].name;
			run = programs[i].run;
		}
	if (!run)
		usage();
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		run();
		exit(0);
	}
	return watch(pid);
}
