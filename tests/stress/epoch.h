/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/stress/epoch.h - an engine of grace periods by counting epochs, with
 * the names of liburcu.  Small and slow, and all of it is atomics and locks
 * that ThreadSanitizer understands.
 *
 * A reader says which epoch it began in.  A grace period begins a new epoch
 * and waits for each reader that is still in an older one.
 */
#ifndef EPOCH_H
#define EPOCH_H

#include <numaslab/rcu.h>

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#define READERS_MAX 64

static uint64_t epoch = 1;             /* [a] */
static uint64_t in_epoch[READERS_MAX]; /* [a] 0: reads nothing */
static unsigned readers;               /* [a] */
static __thread unsigned me;

static pthread_mutex_t engine_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t engine_wake = PTHREAD_COND_INITIALIZER;
static struct kmem_rcu_head *called; /* engine_lock */

static inline void
rcu_register_thread(void)
{
	me = __atomic_fetch_add(&readers, 1, __ATOMIC_SEQ_CST) % READERS_MAX;
}

static inline void
rcu_unregister_thread(void)
{
}

static inline void
rcu_read_lock(void)
{
	__atomic_store_n(&in_epoch[me],
			 __atomic_load_n(&epoch, __ATOMIC_SEQ_CST),
			 __ATOMIC_SEQ_CST);
}

static inline void
rcu_read_unlock(void)
{
	__atomic_store_n(&in_epoch[me], 0, __ATOMIC_SEQ_CST);
}

/* Only who is between the two counts, so these have nothing to do. */
static inline void
rcu_quiescent_state(void)
{
}

static inline void
rcu_thread_offline(void)
{
}

static inline void
rcu_thread_online(void)
{
}

static void
synchronize_rcu(void)
{
	uint64_t now = __atomic_add_fetch(&epoch, 1, __ATOMIC_SEQ_CST), at;

	for (unsigned i = 0; i < READERS_MAX; i++)
		while ((at = __atomic_load_n(&in_epoch[i], __ATOMIC_SEQ_CST)) !=
			   0 &&
		       at < now)
			sched_yield();
}

static void
engine_call(struct kmem_rcu_head *head)
{
	pthread_mutex_lock(&engine_lock);
	head->space[0] = called;
	called = head;
	pthread_cond_broadcast(&engine_wake);
	pthread_mutex_unlock(&engine_lock);
}

static void *
engine_run(void *arg)
{
	struct kmem_rcu_head *head, *next;

	for (;;) {
		pthread_mutex_lock(&engine_lock);
		while (called == NULL)
			pthread_cond_wait(&engine_wake, &engine_lock);
		head = called;
		called = NULL;
		pthread_mutex_unlock(&engine_lock);
		synchronize_rcu();
		for (; head != NULL; head = next) {
			next = head->space[0];
			head->func(head);
		}
	}
	return arg;
}

/* Heads are run last in, first out: one that goes through twice is last. */
struct marker {
	struct kmem_rcu_head head;
	unsigned rounds, done; /* engine_lock */
};

static void
marker_done(struct kmem_rcu_head *head)
{
	struct marker *m = (struct marker *)(void *)head;

	if (m->rounds++ == 0) {
		engine_call(head);
		return;
	}
	pthread_mutex_lock(&engine_lock);
	m->done = 1;
	pthread_cond_broadcast(&engine_wake);
	pthread_mutex_unlock(&engine_lock);
}

static void
rcu_barrier(void)
{
	struct marker m = { .head.func = marker_done };

	engine_call(&m.head);
	pthread_mutex_lock(&engine_lock);
	while (!m.done)
		pthread_cond_wait(&engine_wake, &engine_lock);
	pthread_mutex_unlock(&engine_lock);
}

static const struct kmem_rcu_ops engine = { engine_call, synchronize_rcu,
					    rcu_barrier };

static void
engine_start(void)
{
	pthread_t t;

	REQUIRE(kmem_rcu_set_ops(&engine) == 0);
	REQUIRE(pthread_create(&t, NULL, engine_run, NULL) == 0);
	pthread_detach(t);
}

#endif
