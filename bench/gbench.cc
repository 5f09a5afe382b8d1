/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/gbench.cc - Google Benchmark behind the C interface of gbench.h.
 */
#include "gbench.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <utility>
#include <vector>

using benchmark::Counter;
using benchmark::State;

static State *
state_of(struct gbench *b)
{
	return static_cast<State *>(b->state);
}

static void
call(gbench_fn *fn, const struct gbench_case *c, State *state)
{
	struct gbench b = {};

	for (int i = 0; i < GBENCH_MAX_ARGS && c->args[i].name; i++)
		b.arg[i] = state->range(static_cast<size_t>(i));
	b.iterations = state->max_iterations;
	b.threads = state->threads();
	b.thread = state->thread_index();
	b.user = c->user;
	b.state = state;
	fn(&b);
}

/*
 * Google Benchmark takes setup and teardown as plain function pointers and
 * does not tell them which benchmark they are for.  So case i gets the i-th
 * of a family of functions.
 */
constexpr size_t max_cases = 64;
static const struct gbench_case *all_cases;
using hook = void (*)(const State &);

template <size_t I>
static void
setup(const State &state)
{
	call(all_cases[I].setup, &all_cases[I], const_cast<State *>(&state));
}

template <size_t I>
static void
teardown(const State &state)
{
	call(all_cases[I].teardown, &all_cases[I], const_cast<State *>(&state));
}

template <size_t... I>
static hook
nth_hook(bool is_setup, size_t n, std::index_sequence<I...>)
{
	static const hook setups[] = { setup<I>... };
	static const hook teardowns[] = { teardown<I>... };

	return is_setup ? setups[n] : teardowns[n];
}

static hook
hook_of(bool is_setup, size_t n)
{
	return nth_hook(is_setup, n, std::make_index_sequence<max_cases>());
}

static std::vector<int64_t>
values_of(const struct gbench_arg *a)
{
	if (a->values)
		return std::vector<int64_t>(a->values, a->values + a->nvalues);
	return benchmark::CreateRange(a->low, a->high, a->factor);
}

static void
add_arguments(benchmark::internal::Benchmark *bm, const struct gbench_case *c)
{
	std::vector<std::string> names;
	std::vector<std::vector<int64_t>> lists;

	for (int i = 0; i < GBENCH_MAX_ARGS && c->args[i].name; i++) {
		names.push_back(c->args[i].name);
		lists.push_back(values_of(&c->args[i]));
	}
	if (names.empty())
		return;
	bm->ArgNames(names);
	bm->ArgsProduct(lists);
}

static void
add_case(const struct gbench_case *c, size_t n)
{
	static const benchmark::TimeUnit units[] = { benchmark::kNanosecond,
						     benchmark::kMicrosecond,
						     benchmark::kMillisecond };
	auto run = [c](State &state) { call(c->run, c, &state); };
	auto *bm = benchmark::RegisterBenchmark(c->name, run);

	add_arguments(bm, c);
	for (int i = 0; i < GBENCH_MAX_THREADS && c->threads[i]; i++)
		bm->Threads(c->threads[i]);
	if (c->setup)
		bm->Setup(hook_of(true, n));
	if (c->teardown)
		bm->Teardown(hook_of(false, n));
	if (c->iterations)
		bm->Iterations(c->iterations);
	if (c->process_time)
		bm->MeasureProcessCPUTime();
	if (c->manual_time)
		bm->UseManualTime();
	else if (c->real_time)
		bm->UseRealTime();
	bm->Unit(units[c->unit]);
}

extern "C" int
gbench_main(int argc, char **argv, const struct gbench_case *cases)
{
	all_cases = cases;
	for (size_t n = 0; cases[n].name; n++) {
		if (n >= max_cases) {
			std::fprintf(stderr, "%s: over %zu cases\n", argv[0],
				     max_cases);
			return 1;
		}
		add_case(&cases[n], n);
	}
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}

extern "C" void
gbench_context(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

/*
 * KeepRunningBatch(all) begins the run at its first call and ends it at its
 * second; after an error the first one ends it.
 */
extern "C" int64_t
gbench_start(struct gbench *b)
{
	State *state = state_of(b);

	if (state->KeepRunningBatch(state->max_iterations))
		return state->max_iterations;
	b->state = nullptr;
	return 0;
}

extern "C" int
gbench_stop(struct gbench *b)
{
	State *state = state_of(b);

	if (state)
		(void)state->KeepRunningBatch(state->max_iterations);
	return 0;
}

extern "C" int
gbench_batch(struct gbench *b, int64_t n)
{
	return state_of(b)->KeepRunningBatch(n);
}

extern "C" void
gbench_pause(struct gbench *b)
{
	state_of(b)->PauseTiming();
}

extern "C" void
gbench_resume(struct gbench *b)
{
	state_of(b)->ResumeTiming();
}

extern "C" void
gbench_skip(struct gbench *b, const char *why)
{
	state_of(b)->SkipWithError(why);
}

extern "C" void
gbench_set_time(struct gbench *b, double seconds)
{
	state_of(b)->SetIterationTime(seconds);
}

extern "C" void
gbench_set_items(struct gbench *b, int64_t items)
{
	if (b->state)
		state_of(b)->SetItemsProcessed(items);
}

extern "C" void
gbench_set_bytes(struct gbench *b, int64_t bytes)
{
	if (b->state)
		state_of(b)->SetBytesProcessed(bytes);
}

extern "C" void
gbench_set_label(struct gbench *b, const char *label)
{
	if (b->state)
		state_of(b)->SetLabel(label);
}

extern "C" void
gbench_set_counter(struct gbench *b, const char *name, double value,
		   enum gbench_kind kind)
{
	Counter::Flags flags = kind == GBENCH_AVERAGE ? Counter::kAvgThreads
			       : kind == GBENCH_RATE  ? Counter::kIsRate
						      : Counter::kDefaults;

	if (b->state)
		state_of(b)->counters[name] = Counter(value, flags);
}
