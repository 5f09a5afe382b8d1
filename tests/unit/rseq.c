/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks of a CPU: more threads than CPUs push and pop at once, interrupted by
 * signals that do the same and by moves between CPUs, while another thread
 * empties stacks that are not its own.  No item is ever in two hands or lost.
 */
#include "tests/test.h"

#include "base/atomic.h"
#include "os/rseq.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

#define CPUS    64
#define MAX     100u /* more than there are items at work */
#define ITEMS   400
#define THREADS 6
#define ROUNDS  1000000

#if NS_RSEQ
static struct stack {
	uint32_t closed;
	uint64_t word;
	void *entry[MAX];
} stacks[CPUS];

static uint32_t open_gate;
static struct item {
	uint32_t held; /* [a] 1: in somebody's hand */
} items[ITEMS];
static uint32_t twice, done;
static uint64_t pops;

static bool
mine(struct ns_rseq_stack *at)
{
	at->area = ns_rseq_area();
	at->cpu = ns_load_relaxed(at->area);
	if (at->cpu >= CPUS)
		return false;
	at->gate[0] = &stacks[at->cpu].closed;
	at->gate[1] = &open_gate;
	at->word = &stacks[at->cpu].word;
	at->entry = stacks[at->cpu].entry;
	return true;
}

static struct item *
take(void)
{
	struct ns_rseq_stack at;
	struct item *it = mine(&at) ? ns_rseq_pop(&at) : NULL;

	if (it == NULL)
		return NULL;
	ns_add_relaxed(&pops, 1);
	if (ns_xchg_acq_rel(&it->held, 1u) != 0)
		ns_store_relaxed(&twice, 1u);
	return it;
}

static bool
give(struct item *it)
{
	struct ns_rseq_stack at;

	if (!mine(&at))
		return false;
	/* Free before others can see it; ours again if they cannot. */
	ns_store_release(&it->held, 0u);
	if (ns_rseq_push(&at, MAX, it))
		return true;
	ns_store_relaxed(&it->held, 1u);
	return false;
}

static void
on_signal(int sig)
{
	struct item *it = take();

	(void)sig;
	while (it != NULL && !give(it))
		;
}

static void
move(unsigned i)
{
	cpu_set_t set;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	CPU_ZERO(&set);
	CPU_SET(i % (unsigned)n, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *
work(void *arg)
{
	struct item *hand[8];
	unsigned n = 0, seed = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		seed = seed * 1103515245u + 12345u;
		if (n < 8 && (seed >> 16) % 2 == 0 &&
		    (hand[n] = take()) != NULL)
			n++;
		else if (n > 0 && give(hand[n - 1]))
			n--;
		if (i % 4096 == 0)
			move(seed >> 16);
		if (i % 256 == 0)
			sched_yield();
	}
	while (n > 0)
		n -= give(hand[n - 1]);
	return NULL;
}

/* Empties the stacks of all CPUs, one after the other, and fills them again. */
static void *
rob(void *arg)
{
	void *hand[MAX];

	while (ns_load_relaxed(&done) == 0) {
		for (unsigned cpu = 0; cpu < CPUS; cpu++) {
			struct stack *s = &stacks[cpu];
			unsigned n = NS_RSEQ_COUNT(ns_load_relaxed(&s->word));

			if (n == 0)
				continue;
			ns_store_release(&s->closed, 1u);
			ns_os_rseq_fence(cpu);
			n = NS_RSEQ_COUNT(ns_load_relaxed(&s->word));
			memcpy(hand, s->entry, n * sizeof(*hand));
			s->word += (uint64_t)n * NS_RSEQ_POP;
			if (NS_RSEQ_COUNT(s->word) != 0)
				ns_store_relaxed(&twice, 1u);
			sched_yield();
			/* The other way round. */
			for (unsigned i = 0; i < n; i++)
				s->entry[i] = hand[n - 1 - i];
			s->word += n;
			ns_store_release(&s->closed, 0u);
		}
		sched_yield();
	}
	return arg;
}

static unsigned
count_all(void)
{
	unsigned sum = 0, n;

	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		n = NS_RSEQ_COUNT(stacks[cpu].word);
		for (unsigned i = 0; i < n; i++) {
			struct item *it = stacks[cpu].entry[i];

			CHECK_EQ(ns_xchg_acq_rel(&it->held, 2u), 0);
		}
		sum += n;
	}
	return sum;
}

static void
stress(void)
{
	struct itimerval every = { { 0, 300 }, { 0, 300 } };
	pthread_t thread[THREADS], robber;
	unsigned in = 0, i;

	for (i = 0; i < ITEMS; i++)
		items[i].held = 1;
	for (unsigned cpu = 0; cpu < 2 && in < ITEMS; cpu++) {
		move(cpu);
		while (in < (cpu + 1) * 45 && give(&items[in]))
			in++;
	}
	CHECK(in > 0);
	signal(SIGALRM, on_signal);
	setitimer(ITIMER_REAL, &every, NULL);
	pthread_create(&robber, NULL, rob, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, work,
			       (void *)(uintptr_t)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ns_store_relaxed(&done, 1u);
	pthread_join(robber, NULL);
	every = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &every, NULL);
	CHECK_EQ(twice, 0);
	CHECK_EQ(count_all(), in);
	CHECK(pops > ROUNDS);
}

/* One thread: the order, the ends, the gates, the count of pops. */
static void
alone(void)
{
	struct ns_rseq_stack at;
	unsigned n;

	move(0);
	REQUIRE(mine(&at));
	CHECK_EQ(ns_rseq_pop(&at), NULL);
	for (n = 0; n < MAX; n++)
		while (!ns_rseq_push(&at, MAX, &items[n]))
			;
	for (unsigned i = 0; i < 1000; i++)
		CHECK_EQ(ns_rseq_push(&at, MAX, &items[n]), false);
	for (unsigned g = 0; g < 2; g++) {
		*at.gate[g] = 1;
		for (unsigned i = 0; i < 1000; i++) {
			CHECK_EQ(ns_rseq_pop(&at), NULL);
			CHECK_EQ(ns_rseq_push(&at, MAX + 1, at.word), false);
		}
		*at.gate[g] = 0;
	}
	while (n > 0) {
		struct item *it = ns_rseq_pop(&at);

		if (it == NULL)
			continue; /* interrupted */
		CHECK_EQ(it, &items[--n]);
	}
	CHECK_EQ(NS_RSEQ_COUNT(*at.word), 0);
	CHECK_EQ(NS_RSEQ_POPS(*at.word), MAX);
	/* A CPU that the thread is not on. */
	at.cpu++;
	CHECK_EQ(ns_rseq_push(&at, MAX, &items[0]), false);
	*at.word = 0;
}
#endif

int
main(void)
{
#if NS_RSEQ
	ns_os_init();
	if (ns_rseq_area() == NULL || ns_os_rseq_cpu() == NULL ||
	    ns_os_rseq_fences() != 0) {
		printf("no restartable sequences here\n");
		return 77;
	}
	alone();
	stress();
	return test_done();
#else
	return 77;
#endif
}
