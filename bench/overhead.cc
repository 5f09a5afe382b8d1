/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/overhead.cc - what the C shim costs: loops through gbench.h beside
 * the same loops in Google Benchmark's own C++.
 */
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "gbench.h"

static void
c_empty(struct gbench *b)
{
	gbench_loop(b)
		gbench_use(b);
}

static void
c_batch(struct gbench *b)
{
	gbench_loop_batch(b, 16)
		gbench_use(b);
}

static void
c_pair(struct gbench *b)
{
	gbench_loop(b) {
		void *p = malloc(64);

		gbench_use(p);
		free(p);
	}
}

static void
native_empty(benchmark::State &state)
{
	for (auto _ : state)
		gbench_use(&state);
}

static void
native_batch(benchmark::State &state)
{
	while (state.KeepRunningBatch(16))
		gbench_use(&state);
}

static void
native_pair(benchmark::State &state)
{
	for (auto _ : state) {
		void *p = malloc(64);

		gbench_use(p);
		free(p);
	}
}

BENCHMARK(native_empty);
BENCHMARK(native_batch);
BENCHMARK(native_pair);

static const struct gbench_case *
cases()
{
	static struct gbench_case c[4];

	c[0].name = "c_empty";
	c[0].run = c_empty;
	c[1].name = "c_batch";
	c[1].run = c_batch;
	c[2].name = "c_pair";
	c[2].run = c_pair;
	return c;
}

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases());
}
