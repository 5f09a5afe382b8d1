/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/stress/stress.h - marked objects, and queues to hand them over.
 *
 * Every object is filled with a pattern of its own when it is allocated and
 * verified before it is freed, whoever frees it: two owners of one byte, or
 * an allocator that writes into a live object, cannot go unseen.
 *
 * How long a test runs is a number of operations, never a time.
 */
#ifndef STRESS_H
#define STRESS_H

#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#include <pthread.h>

#define NODES   4
#define THREADS 4

/* Sanitizers make everything some twenty times slower. */
#ifdef TEST_SANITIZED
#define OPERATIONS(n) ((n) / 10)
#else
#define OPERATIONS(n) (n)
#endif

#define WATCHDOG_S 900 /* a hang dies by SIGALRM instead */

struct object {
	unsigned char *p;
	size_t size;
	uint64_t tag;
	struct kmem_cache *cache; /* NULL: kmalloc'ed */
};

#define EDGE 1024u /* of larger objects only this much at either end */

static inline unsigned char
mark(uint64_t tag, size_t i)
{
	return (unsigned char)((tag >> (8 * (i % 7))) + i);
}

static inline void
fill(const struct object *o)
{
	for (size_t i = 0; i < o->size; i++) {
		if (i == EDGE && o->size > 2 * EDGE)
			i = o->size - EDGE;
		o->p[i] = mark(o->tag, i);
	}
}

static inline void
verify(const struct object *o)
{
	for (size_t i = 0; i < o->size; i++) {
		if (i == EDGE && o->size > 2 * EDGE)
			i = o->size - EDGE;
		if (o->p[i] != mark(o->tag, i)) {
			CHECK_MSG(0,
				  "object %p of %zu bytes: byte %zu is 0x%02x",
				  (void *)o->p, o->size, i, o->p[i]);
			return;
		}
	}
}

static inline void
release(struct object *o)
{
	verify(o);
	if (o->cache != NULL)
		kmem_cache_free(o->cache, o->p);
	else
		kfree(o->p);
	o->p = NULL;
}

/* Mostly small, some up to @most. */
static inline size_t
random_size(uint64_t *seed, size_t most)
{
	uint64_t r = test_random(seed);
	size_t bound = r % 64 == 0 ? most : r % 8 == 0 ? 9000 : 300;

	return 1 + (r >> 8) % bound;
}

/* A bounded stack of objects that any thread may push and pop. */
#define QUEUE 256

struct queue {
	pthread_mutex_t lock;
	unsigned n;
	struct object objects[QUEUE];
};

static inline int
push(struct queue *q, const struct object *o)
{
	int ok;

	pthread_mutex_lock(&q->lock);
	ok = q->n < QUEUE;
	if (ok)
		q->objects[q->n++] = *o;
	pthread_mutex_unlock(&q->lock);
	return ok;
}

static inline int
pop(struct queue *q, struct object *o)
{
	int ok;

	pthread_mutex_lock(&q->lock);
	ok = q->n > 0;
	if (ok)
		*o = q->objects[--q->n];
	pthread_mutex_unlock(&q->lock);
	return ok;
}

static inline void
run_threads(unsigned n, void *(*fn)(void *))
{
	pthread_t threads[64];

	REQUIRE(n <= 64);
	for (uintptr_t i = 0; i < n; i++)
		REQUIRE(pthread_create(&threads[i], NULL, fn, (void *)i) == 0);
	for (unsigned i = 0; i < n; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static inline uint64_t
sum_stats(uint64_t (*of)(const struct numaslab_node_stat *))
{
	struct numaslab_node_stat st;
	uint64_t sum = 0;

	for (int n = 0; n < NODES; n++) {
		REQUIRE(numaslab_node_stat(n, &st) == 0);
		sum += of(&st);
	}
	return sum;
}

static inline uint64_t
live_of(const struct numaslab_node_stat *st)
{
	return st->live;
}

static inline uint64_t
used_of(const struct numaslab_node_stat *st)
{
	return st->used;
}

static inline void
stress_start(char **argv)
{
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	alarm(WATCHDOG_S);
}

#endif
