/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/latency.c - how long single calls take: the tail.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 * Every malloc and free is timed by itself and counted in a histogram whose
 * buckets are 1/16 wide.  The counters are nanoseconds: m_p50, m_p99,
 * m_p999, m_p9999, m_max for malloc, f_* for free, and none_* for timing
 * nothing at all.  Whatever none_p9999 and none_max show is the machine's
 * own (interrupts, other processes, the hypervisor), not the allocator's.
 *
 *	steady	as many blocks come as go
 *	tide	the number of live blocks falls to a tenth and rises again,
 *		so that there is always memory to give back: run it with an
 *		allocator's purging on and off (bench/compare --purge)
 *	give	a second thread fills and frees 64 MiB and calls malloc_trim,
 *		again and again, while blocks of 32 KiB to 400 KiB come and
 *		go; keep is the same without malloc_trim
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gbench.h"

#define SLOTS    20000
#define SUB_BITS 4
#define NBUCKETS (64 << SUB_BITS)

struct histogram {
	uint64_t count[NBUCKETS];
	uint64_t total, max;
};

#if defined(__x86_64__)
static inline uint64_t
ticks(void)
{
	unsigned aux;

	return __builtin_ia32_rdtscp(&aux);
}
#elif defined(__aarch64__)
static inline uint64_t
ticks(void)
{
	uint64_t t;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(t) : : "memory");
	return t;
}
#else
static inline uint64_t
ticks(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
#endif

static double ns_per_tick;

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
calibrate(void)
{
	struct timespec wait = { .tv_nsec = 20000000 };
	uint64_t ns = now_ns(), t = ticks();

	nanosleep(&wait, NULL);
	t = ticks() - t;
	ns_per_tick = (double)(now_ns() - ns) / (double)t;
}

/* 0 to 15 one by one, then 16 buckets for each doubling. */
static unsigned
bucket_of(uint64_t t)
{
	unsigned log;

	if (t < 1u << SUB_BITS)
		return (unsigned)t;
	log = 63u - (unsigned)__builtin_clzll(t);
	return ((log - SUB_BITS + 1) << SUB_BITS) +
	       (unsigned)((t >> (log - SUB_BITS)) & ((1u << SUB_BITS) - 1));
}

/* The largest value in a bucket. */
static uint64_t
bucket_top(unsigned i)
{
	unsigned log = (i >> SUB_BITS) + SUB_BITS - 1;
	uint64_t sub = i & ((1u << SUB_BITS) - 1);

	if (i < 1u << SUB_BITS)
		return i;
	return (((1ull << SUB_BITS) + sub + 1) << (log - SUB_BITS)) - 1;
}

static inline void
record(struct histogram *h, uint64_t from, uint64_t to)
{
	uint64_t t = to - from;

	h->count[bucket_of(t)]++;
	h->total++;
	if (t > h->max)
		h->max = t;
}

static double
percentile(const struct histogram *h, double part)
{
	uint64_t want = (uint64_t)((double)h->total * part), seen = 0;
	uint64_t top = h->max;

	for (unsigned i = 0; i < NBUCKETS; i++) {
		seen += h->count[i];
		if (seen > want) {
			top = bucket_top(i) < h->max ? bucket_top(i) : h->max;
			break;
		}
	}
	return (double)top * ns_per_tick;
}

static void
report(struct gbench *b, const char *what, const struct histogram *h)
{
	static const struct {
		const char *name;
		double part;
	} parts[] = { { "p50", 0.5 },
		      { "p99", 0.99 },
		      { "p999", 0.999 },
		      { "p9999", 0.9999 },
		      { "max", 1.0 } };
	char name[32];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(name, sizeof(name), "%s_%s", what, parts[i].name);
		gbench_set_counter(b, name, percentile(h, parts[i].part),
				   GBENCH_AVERAGE);
	}
}

struct run {
	struct histogram m, f, none;
	char *slot[SLOTS];
	uint64_t rng;
};

static size_t
mixed_size(uint64_t *rng)
{
	uint64_t r = gbench_random(rng);

	if ((r & 63) == 0)
		return 8192 + (r >> 8) % 122880;
	return 16 + ((r >> 8) & 1023) % ((r & 1) ? 1024 : 128);
}

static void
timed_free(struct run *r, size_t i)
{
	uint64_t t = ticks();

	free(r->slot[i]);
	record(&r->f, t, ticks());
	r->slot[i] = NULL;
}

static void
timed_malloc(struct run *r, size_t i)
{
	size_t size = mixed_size(&r->rng);
	uint64_t t = ticks();

	r->slot[i] = malloc(size);
	record(&r->m, t, ticks());
	memset(r->slot[i], 1, size < 64 ? size : 64);
}

static void
timed_nothing(struct run *r)
{
	uint64_t t = ticks();

	gbench_use(r);
	record(&r->none, t, ticks());
}

static void
steady_step(struct run *r)
{
	size_t i = gbench_below(&r->rng, SLOTS);

	if (r->slot[i])
		timed_free(r, i);
	timed_malloc(r, i);
	timed_nothing(r);
}

/* A slot is emptied or filled, with odds that change every 64 Ki steps. */
static void
tide_step(struct run *r, uint64_t step)
{
	size_t i = gbench_below(&r->rng, SLOTS);
	int ebb = (step >> 16) & 1;

	if (r->slot[i] && gbench_below(&r->rng, 10) < (ebb ? 9u : 1u))
		timed_free(r, i);
	else if (!r->slot[i] && gbench_below(&r->rng, 10) < (ebb ? 1u : 9u))
		timed_malloc(r, i);
	timed_nothing(r);
}

#define GIVEN      64u /* blocks of 1 MiB */
#define FEW_SLOTS  512u
#define PAUSE_STEP 64u

struct giver {
	pthread_t thread;
	int trims, stop;
};

static void *
give_back(void *arg)
{
	struct giver *g = arg;
	char *p[GIVEN];

	while (!__atomic_load_n(&g->stop, __ATOMIC_RELAXED)) {
		for (size_t i = 0; i < GIVEN; i++) {
			p[i] = malloc(1u << 20);
			memset(p[i], 1, 1u << 20);
		}
		for (size_t i = 0; i < GIVEN; i++)
			free(p[i]);
		if (g->trims)
			malloc_trim(0);
	}
	return NULL;
}

static void
give_step(struct run *r)
{
	size_t i = gbench_below(&r->rng, FEW_SLOTS);
	size_t size = 32768 + gbench_below(&r->rng, 376832);
	uint64_t t;

	timed_free(r, i);
	t = ticks();
	r->slot[i] = malloc(size);
	record(&r->m, t, ticks());
	*r->slot[i] = 1;
	for (t = 0; t < PAUSE_STEP; t++)
		timed_nothing(r);
}

static void
giving(struct gbench *b)
{
	struct run *r = calloc(1, sizeof(*r));
	struct giver g = { .trims = b->user != NULL };

	r->rng = gbench_seed(b);
	if (pthread_create(&g.thread, NULL, give_back, &g)) {
		perror("pthread_create");
		exit(1);
	}
	gbench_loop(b)
		give_step(r);
	__atomic_store_n(&g.stop, 1, __ATOMIC_RELAXED);
	pthread_join(g.thread, NULL);
	report(b, "m", &r->m);
	report(b, "f", &r->f);
	report(b, "none", &r->none);
	for (size_t i = 0; i < FEW_SLOTS; i++)
		free(r->slot[i]);
	free(r);
}

static void
latency(struct gbench *b)
{
	struct run *r = calloc(1, sizeof(*r));
	int tide = b->user != NULL;
	uint64_t step = 0;

	r->rng = gbench_seed(b);
	for (size_t i = 0; i < SLOTS; i++)
		r->slot[i] = malloc(mixed_size(&r->rng));
	gbench_loop(b) {
		if (tide)
			tide_step(r, step++);
		else
			steady_step(r);
	}
	report(b, "m", &r->m);
	report(b, "f", &r->f);
	report(b, "none", &r->none);
	for (size_t i = 0; i < SLOTS; i++)
		free(r->slot[i]);
	free(r);
}

static const struct gbench_case cases[] = {
	{ .name = "steady", .run = latency, .threads = { 1, 2 } },
	{ .name = "tide", .run = latency, .user = "tide", .threads = { 1, 2 } },
	{ .name = "give", .run = giving, .user = "trim" },
	{ .name = "keep", .run = giving },
	{ 0 }
};

int
main(int argc, char **argv)
{
	calibrate();
	return gbench_main(argc, argv, cases);
}
