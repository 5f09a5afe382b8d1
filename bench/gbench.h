/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/gbench.h - Google Benchmark for benchmarks written in C.
 *
 * A program is a table of cases and a main:
 *
 *	static void
 *	pair(struct gbench *b)
 *	{
 *		size_t size = (size_t)b->arg[0];
 *
 *		gbench_loop(b) {
 *			void *p = malloc(size);
 *
 *			gbench_use(p);
 *			free(p);
 *		}
 *		gbench_set_items(b, b->iterations);
 *	}
 *
 *	static const struct gbench_case cases[] = {
 *		{ .name = "pair", .run = pair,
 *		  .args = { GBENCH_LIST("size", 16, 64, 256) },
 *		  .threads = { 1, 2 } },
 *		{ 0 }
 *	};
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		return gbench_main(argc, argv, cases);
 *	}
 *
 * It takes every --benchmark_* option and prints what Google Benchmark
 * prints.  Each case runs for every combination of its argument lists and
 * thread counts; its name is then "pair/size:16/threads:2".
 *
 * The timed loop is a counted loop in the caller: the shim is entered once
 * before the first iteration, where the threads meet and the clock starts,
 * and once after the last, where it stops.  So an empty gbench_loop costs
 * the same instructions as C++'s `for (auto _ : state)`; the overhead
 * program measures both.
 *
 * A loop must run to its end: no break, no return.  To give up, call
 * gbench_skip() before the loop and enter the loop all the same: its body
 * is then never executed.
 */
#ifndef GBENCH_H
#define GBENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GBENCH_MAX_ARGS    3
#define GBENCH_MAX_THREADS 6

/* One run of one case by one thread. */
struct gbench {
	int64_t arg[GBENCH_MAX_ARGS];
	int64_t iterations; /* that this thread will do */
	int threads;        /* running this case at once */
	int thread;         /* which of them this is, from 0 */
	const void *user;   /* the case's */
	void *state;        /* the shim's */
};

typedef void gbench_fn(struct gbench *b);

/* The values of one argument: a list, or a range multiplied up. */
struct gbench_arg {
	const char *name;
	const int64_t *values;
	size_t nvalues;
	int64_t low, high; /* used when values is NULL */
	int factor;
};

#define GBENCH_LIST(argname, ...)                                              \
	{                                                                      \
		.name = (argname), .values = (const int64_t[]){ __VA_ARGS__ }, \
		.nvalues =                                                     \
		    sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t) \
	}
#define GBENCH_RANGE(argname, lowest, highest, times)                  \
	{                                                              \
		.name = (argname), .low = (lowest), .high = (highest), \
		.factor = (times)                                      \
	}

enum gbench_unit { GBENCH_NS, GBENCH_US, GBENCH_MS };

struct gbench_case {
	const char *name;
	gbench_fn *run;
	/* Once a run, by the main thread, before and after all others. */
	gbench_fn *setup, *teardown;
	const void *user;
	struct gbench_arg args[GBENCH_MAX_ARGS]; /* up to the first unnamed */
	int threads[GBENCH_MAX_THREADS]; /* up to the first 0; none: one */
	int64_t iterations; /* exactly so many; 0: as many as take min_time */
	enum gbench_unit unit;
	int real_time;    /* rates and run length by the wall clock */
	int manual_time;  /* by gbench_set_time() */
	int process_time; /* CPU time of all threads, those it starts too */
};

/* Runs the cases up to the one without a name.  Returns main's status. */
int gbench_main(int argc, char **argv, const struct gbench_case *cases);

/* A line "key": "value" in the context that comes before the results. */
void gbench_context(const char *key, const char *value);

/* What the loops are made of. */
int64_t gbench_start(struct gbench *b); /* the iterations to do */
int gbench_stop(struct gbench *b);      /* always 0 */
int gbench_batch(struct gbench *b, int64_t n);

/* for each iteration */
#define gbench_loop(b)                           \
	for (int64_t gb_left_ = gbench_start(b); \
	     gb_left_ > 0 || gbench_stop(b); gb_left_--)

/* for each @n iterations, which the body does at one go */
#define gbench_loop_batch(b, n) while (gbench_batch((b), (n)))

/* Stop and restart the clock, inside a loop.  Costs about a microsecond. */
void gbench_pause(struct gbench *b);
void gbench_resume(struct gbench *b);

/* Before the loop: do not run it, and report @why as this run's error. */
void gbench_skip(struct gbench *b, const char *why);

/* In the loop of a manual_time case: what this iteration took. */
void gbench_set_time(struct gbench *b, double seconds);

/* After the loop. */
void gbench_set_items(struct gbench *b, int64_t items);
void gbench_set_bytes(struct gbench *b, int64_t bytes);
void gbench_set_label(struct gbench *b, const char *label);

/* How the counters of several threads become one. */
enum gbench_kind { GBENCH_SUM, GBENCH_AVERAGE, GBENCH_RATE };
void gbench_set_counter(struct gbench *b, const char *name, double value,
			enum gbench_kind kind);

/* The compiler must compute @p and cannot know what its memory holds. */
#define gbench_use(p) __asm__ volatile("" : : "g"(p) : "memory")

/* A generator for access patterns: xorshift64*, a few instructions. */
static inline uint64_t
gbench_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* An index below @n, which fits in 32 bits. */
static inline size_t
gbench_below(uint64_t *state, size_t n)
{
	return (size_t)(((gbench_random(state) >> 32) * n) >> 32);
}

static inline uint64_t
gbench_seed(const struct gbench *b)
{
	return 0x9e3779b97f4a7c15ull * (uint64_t)(b->thread + 1);
}

#ifdef __cplusplus
}
#endif
#endif
