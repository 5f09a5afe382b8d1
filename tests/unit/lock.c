/* SPDX-License-Identifier: BSD-2-Clause */
/* base/lock.c: mutual exclusion, no lost wake-up, and the rank checker. */
#include "base/lock.h"
#include "tests/test.h"

#include <pthread.h>
#include <sched.h>

#define THREADS    4
#define ROUNDS     50000
#define WATCHDOG_S 300 /* a lost wake-up would hang: die by SIGALRM instead */

static struct ns_lock lock = NS_LOCK_INIT(NS_RANK_REGISTRY);
static unsigned long counter; /* under lock */
static unsigned inside;       /* [a] threads in the critical section */
static unsigned through;      /* [a] threads that got the lock */

static void
critical_section(uint64_t *seed)
{
	CHECK_EQ(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
	counter++;
	if (test_random(seed) % 256 == 0)
		sched_yield(); /* lets the others find it held, and sleep */
	CHECK_EQ(__atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED), 1);
}

static void *
contend(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 1;

	for (int i = 0; i < ROUNDS; i++) {
		errno = EXDEV;
		if (i % 8 != 0)
			ns_lock(&lock);
		else
			while (!ns_trylock(&lock))
				sched_yield();
		CHECK_EQ(errno, EXDEV);
		critical_section(&seed);
		ns_unlock(&lock);
		CHECK_EQ(errno, EXDEV);
	}
	return NULL;
}

static void *
pass_through(void *arg)
{
	ns_lock(&lock);
	__atomic_add_fetch(&through, 1, __ATOMIC_RELAXED);
	ns_unlock(&lock);
	return arg;
}

static void
run(void *(*fn)(void *), pthread_t *threads)
{
	for (uintptr_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, fn, (void *)i) == 0);
}

static void
join(const pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void
test_mutual_exclusion(void)
{
	pthread_t threads[THREADS];

	run(contend, threads);
	join(threads);
	CHECK_EQ(counter, (unsigned long)THREADS * ROUNDS);
	CHECK_EQ(lock.word, 0);
}

/* All sleep in the kernel before the one unlock; each must wake the next. */
static void
test_every_sleeper_wakes(void)
{
	pthread_t threads[THREADS];

	for (int round = 0; round < 200; round++) {
		through = 0;
		ns_lock(&lock);
		run(pass_through, threads);
		while (ns_load_relaxed(&lock.word) != 2)
			sched_yield();
		CHECK_EQ(ns_load_relaxed(&through), 0);
		ns_unlock(&lock);
		join(threads);
		CHECK_EQ(through, THREADS);
		CHECK_EQ(lock.word, 0);
	}
}

static void
test_trylock(void)
{
	CHECK(ns_trylock(&lock));
	CHECK(!ns_trylock(&lock));
	ns_unlock(&lock);
	CHECK(ns_trylock(&lock));
	ns_unlock(&lock);
	ns_lock_init(&lock, NS_RANK_REGISTRY);
	CHECK_EQ(lock.word, 0);
}

#ifdef NS_DEBUG
static struct ns_lock high = NS_LOCK_INIT(NS_RANK_POOL);
static struct ns_lock low = NS_LOCK_INIT(NS_RANK_CACHES);
static struct ns_lock same = NS_LOCK_INIT(NS_RANK_REGISTRY);

static void
wrong_order(void *arg)
{
	ns_lock(&high);
	ns_lock(&low);
	(void)arg;
}

static void
same_rank_twice(void *arg)
{
	ns_lock(&lock);
	ns_lock(&same);
	(void)arg;
}

static void
test_ranks(void)
{
	ns_lock(&low);
	ns_lock(&high);
	ns_unlock(&low); /* in any order */
	ns_unlock(&high);
	ns_lock(&low);
	ns_unlock(&low);
	CHECK_ABORTS(wrong_order, NULL, "lock order: rank 2 taken");
	CHECK_ABORTS(same_rank_twice, NULL, "lock order:");
}
#else
static void
test_ranks(void)
{
}
#endif

int
main(void)
{
	alarm(WATCHDOG_S);
	test_trylock();
	test_ranks();
	test_mutual_exclusion();
	test_every_sleeper_wakes();
	return test_done();
}
