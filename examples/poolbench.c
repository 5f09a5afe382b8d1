/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * examples/poolbench.c - the pool against its rivals, by the same workload.
 *
 *	poolbench [-b BLOCKS] [-f FRAMES] [-s SECONDS] [-t THREADS] [-w PERCENT]
 *		[-r ROUNDS] FILE
 *
 * FILE is made, and should be on a disk and not in memory.  Each thread reads
 * blocks, or changes PERCENT of them; few blocks are wanted often, as by
 * number * u^3 with u at random.  A block is latched meanwhile, eight of its
 * words are summed up or changed.
 *
 * Each contender runs in a process of its own that may use the memory of FRAMES
 * blocks and a little more: for the pool this is the limit of a node, for the
 * LRU list the number of frames, for mmap a memory cgroup, which only root can
 * make; without one it may use all of the machine's, which the output says.
 * They take turns, ROUNDS times.
 *
 *	pool		as pool.h promises: with the journal
 *	pool, no journal	what the rivals have: a kill may tear a block
 *
 * A hit is an operation whose block was in memory.  An eviction is a block that
 * was brought in beyond what the memory holds.
 */
#include "examples/pool.h"
#include "examples/rivals.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 64
#define WORDS       (POOL_BLOCK / 8)
#define SLACK       (16ul << 20) /* of a cgroup: the program itself */

static struct {
	uint64_t blocks, frames;
	double seconds;
	unsigned threads, write, rounds;
	const char *file;
} opt = { 32768, 8192, 5, 2, 20, 3, NULL };

/* The pool as a store. */

static struct pool *pool;

static bool
open_pool(const char *path, uint64_t blocks, uint64_t frames)
{
	(void)frames;
	pool = pool_open(path, blocks, POOL_DIRECT);
	return pool != NULL;
}

static bool
open_volatile(const char *path, uint64_t blocks, uint64_t frames)
{
	(void)frames;
	pool = pool_open(path, blocks, POOL_DIRECT | POOL_VOLATILE);
	return pool != NULL;
}

static void *
read_pool(uint64_t number)
{
	return pool_read(pool, number);
}

static void
read_pool_done(uint64_t number, void *block)
{
	(void)number;
	pool_read_done(block);
}

static void *
write_pool(uint64_t number)
{
	return pool_write(pool, number);
}

static void
write_pool_done(uint64_t number, void *block)
{
	(void)number;
	pool_write_done(block);
}

static uint64_t
pool_brought(void)
{
	struct pool_stat st;

	pool_stat(pool, &st);
	return st.reads;
}

static uint64_t
pool_resident(void)
{
	struct pool_stat st;

	pool_stat(pool, &st);
	return st.resident;
}

static const struct store store_pool = {
	"pool",     open_pool,       read_pool,    read_pool_done,
	write_pool, write_pool_done, pool_brought, pool_resident,
};
static const struct store store_volatile = {
	"pool, no journal", open_volatile,   read_pool,    read_pool_done,
	write_pool,         write_pool_done, pool_brought, pool_resident,
};

static const struct store *const stores[] = { &store_pool, &store_volatile,
					      &store_lru, &store_mmap };
#define NSTORES (sizeof(stores) / sizeof(stores[0]))

/* The workload, in a child. */

struct result {
	double ops, hits, evictions; /* a second */
};

static const struct store *store;
static uint32_t go; /* 1: run, 2: stop */

static uint64_t
next(uint64_t *rnd)
{
	*rnd = *rnd * 6364136223846793005u + 1442695040888963407u;
	return *rnd >> 33;
}

static uint64_t
choose(uint64_t *rnd)
{
	double u = (double)next(rnd) / 2147483648.0;
	uint64_t rank = (uint64_t)((double)opt.blocks * u * u * u);

	/* Neighbours in rank are not neighbours in the file. */
	return rank * 2654435761u % opt.blocks;
}

static void
use(uint64_t number, bool change, uint64_t *sum)
{
	uint64_t *w = change ? store->write(number) : store->read(number);

	if (w == NULL) {
		perror("poolbench");
		exit(1);
	}
	for (unsigned i = 8; i < WORDS; i += WORDS / 8) {
		*sum += w[i];
		if (change)
			w[i] = *sum;
	}
	if (change)
		store->write_done(number, w);
	else
		store->read_done(number, w);
}

static void *
work(void *arg)
{
	uint64_t rnd = (uintptr_t)arg * 2654435761u, ops = 0, sum = 0;

	while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) == 0)
		usleep(100);
	for (; __atomic_load_n(&go, __ATOMIC_RELAXED) == 1; ops++)
		use(choose(&rnd), next(&rnd) % 100 < opt.write, &sum);
	return (void *)(ops + (sum == 1));
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
run_threads(double seconds)
{
	pthread_t thread[MAX_THREADS];
	double ops = 0;
	void *n;

	go = 0;
	for (unsigned i = 0; i < opt.threads; i++)
		pthread_create(&thread[i], NULL, work,
			       (void *)(uintptr_t)(i + 1));
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	usleep((useconds_t)(seconds * 1e6));
	__atomic_store_n(&go, 2, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < opt.threads; i++) {
		pthread_join(thread[i], &n);
		ops += (double)(uintptr_t)n;
	}
	return ops;
}

static struct result
measure(void)
{
	struct result r = { 0, 0, 0 };
	double began, took, ops, brought, resident;

	if (!store->open(opt.file, opt.blocks, opt.frames)) {
		perror(opt.file);
		return r;
	}
	run_threads(opt.seconds); /* until its memory is full */
	brought = (double)store->brought();
	resident = (double)store->resident();
	began = now();
	ops = run_threads(opt.seconds);
	took = now() - began;
	brought = (double)store->brought() - brought;
	resident = (double)store->resident() - resident;
	r.ops = ops / took;
	r.hits = (ops - brought) / took;
	r.evictions = (brought - resident) / took;
	return r;
}

/* Memory for a child. */

static char group[128];

static bool
put_text(const char *file, unsigned long value)
{
	char path[192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	f = fopen(path, "w");
	if (f == NULL)
		return false;
	fprintf(f, "%lu", value);
	return fclose(f) == 0;
}

static bool
make_group(void)
{
	const char *parent = access("/sys/fs/cgroup/memory", F_OK) == 0
				 ? "/sys/fs/cgroup/memory"
				 : "/sys/fs/cgroup";

	snprintf(group, sizeof(group), "%s/poolbench-%d", parent,
		 (int)getpid());
	if (mkdir(group, 0755) != 0)
		return false;
	return put_text("memory.limit_in_bytes",
			opt.frames * POOL_BLOCK + SLACK) ||
	       put_text("memory.max", opt.frames * POOL_BLOCK + SLACK);
}

static struct result
in_child(unsigned i, bool grouped, char **argv)
{
	struct result r = { 0, 0, 0 };
	char limit[32], which[32];
	int fd[2];

	/* The limit is read when a process starts. */
	snprintf(limit, sizeof(limit), "%lu", opt.frames * POOL_BLOCK);
	snprintf(which, sizeof(which), "%u", i);
	if (pipe(fd) != 0)
		return r;
	if (fork() == 0) {
		if (grouped && stores[i] == &store_mmap)
			put_text("cgroup.procs", (unsigned long)getpid());
		setenv("NUMASLAB_NODE_LIMIT", limit, 1);
		setenv("POOLBENCH", which, 1);
		dup2(fd[1], 3);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	close(fd[1]);
	if (read(fd[0], &r, sizeof(r)) != sizeof(r))
		fprintf(stderr, "%s failed\n", stores[i]->name);
	close(fd[0]);
	wait(NULL);
	return r;
}

static bool
make_file(void)
{
	static char zero[1 << 20];
	int fd = open(opt.file, O_RDWR | O_CREAT | O_TRUNC, 0666);
	bool good = fd >= 0;

	for (uint64_t at = 0; good && at < opt.blocks * POOL_BLOCK;
	     at += sizeof(zero))
		good = write(fd, zero, sizeof(zero)) == sizeof(zero);
	good = good && fsync(fd) == 0;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return good;
}

static int
usage(void)
{
	fprintf(stderr, "usage: poolbench [-b blocks] [-f frames] "
			"[-s seconds] [-t threads] [-w percent] [-r rounds] "
			"file\n");
	return 2;
}

static bool
read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "b:f:s:t:w:r:")) != -1)
		switch (c) {
		case 'b':
			opt.blocks = strtoul(optarg, NULL, 0);
			break;
		case 'f':
			opt.frames = strtoul(optarg, NULL, 0);
			break;
		case 's':
			opt.seconds = strtod(optarg, NULL);
			break;
		case 't':
			opt.threads = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'w':
			opt.write = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'r':
			opt.rounds = (unsigned)strtoul(optarg, NULL, 0);
			break;
		default:
			return false;
		}
	opt.file = argv[optind];
	return opt.file != NULL && opt.blocks > 0 && opt.threads > 0 &&
	       opt.threads <= MAX_THREADS;
}

int
main(int argc, char **argv)
{
	const char *which = getenv("POOLBENCH");
	struct result r;
	bool grouped;

	if (!read_options(argc, argv))
		return usage();
	if (which != NULL) {
		store = stores[strtoul(which, NULL, 0) % NSTORES];
		r = measure();
		if (write(3, &r, sizeof(r)) != sizeof(r))
			return 1;
		_exit(0); /* what is dirty does not matter */
	}
	grouped = make_group();
	if (!grouped)
		printf("no memory cgroup: mmap has all of the memory\n");
	printf("%-18s %12s %12s %12s\n", "", "operations/s", "hits/s",
	       "evictions/s");
	for (unsigned round = 0; round < opt.rounds; round++)
		for (unsigned i = 0; i < NSTORES; i++) {
			if (!make_file()) {
				perror(opt.file);
				return 1;
			}
			r = in_child(i, grouped, argv);
			printf("%-18s %12.0f %12.0f %12.0f\n", stores[i]->name,
			       r.ops, r.hits, r.evictions);
			fflush(stdout);
		}
	if (grouped)
		rmdir(group);
	return 0;
}
