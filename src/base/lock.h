/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/lock.h - a 4-byte futex lock, and the one lock order.
 *
 * A thread takes locks in rising rank, at most one lock of a rank except
 * where the rank says so.  Debug builds check every acquisition.  fork()
 * takes them all in the same order (slab/fork.c).
 *
 * After fork() the child re-initialises every lock it holds; a lock word is
 * never left owned by a thread that does not exist.  Other libraries' handlers
 * may run, and allocate, while the forking thread holds every lock there is:
 * between ns_lock_fork_begin() and _end() a lock that it would wait for is
 * its own, and it passes.
 */
#ifndef NS_LOCK_H
#define NS_LOCK_H

#include "base/base.h"
#include "base/atomic.h"

#pragma GCC visibility push(hidden)

enum ns_rank {
	NS_RANK_WAKE = 1,  /* page/reserve.c: who sets the library up */
	NS_RANK_CACHES,    /* slab/cache.c: the list of all caches */
	NS_RANK_SHRINKERS, /* slab/shrinker.c: the list of all shrinkers */
	NS_RANK_REGISTRY,  /* slab/thread.c: the list of all threads */
	NS_RANK_HEAP,      /* slab/heap.c: a thread's slow paths; fork takes
			      all of them, in registry order */
	NS_RANK_DEPOT,     /* slab/slab.c: one cache's slabs on one node */
	NS_RANK_OBJECTS,   /* vm/object.c: the list of all objects */
	NS_RANK_QUEUE,     /* vm/queue.c: one node's queues; fork takes all */
	NS_RANK_VM,        /* vm/: one node's free and cached pages; likewise */
	NS_RANK_WIRE,      /* vm/wire.c: a page's wiring; fork takes all */
	NS_RANK_PURGE,     /* page/purge.c: who purges a node; fork too */
	NS_RANK_POOL,      /* page/pool.c: one node's extents; fork takes
			      all of them, in slot order */
	NS_RANK_MAX
};

struct ns_lock {
	uint32_t word; /* [a] 0 free, 1 held, 2 held and waited for */
#ifdef NS_DEBUG
	uint32_t rank; /* [I] */
#endif
};

/* clang-format off */
#ifdef NS_DEBUG
#define NS_LOCK_INIT(r) { 0, (r) }
#else
#define NS_LOCK_INIT(r) { 0 }
#endif
/* clang-format on */

void ns_lock_init(struct ns_lock *l, enum ns_rank rank);
void ns_lock_wait(struct ns_lock *l); /* the slow path of ns_lock */
void ns_lock_wake(struct ns_lock *l); /* the slow path of ns_unlock */

/* futex(2), private, without timeout; errno is kept. */
void ns_futex(uint32_t *word, int op, uint32_t value);

extern const void *ns_forker; /* [a] the thread that forks, or NULL */
void ns_lock_fork_begin(void);
void ns_lock_fork_end(void);
bool ns_lock_passed(const struct ns_lock *l); /* and no longer */

#ifdef NS_DEBUG
void ns_rank_push(const struct ns_lock *l);
void ns_rank_note(const struct ns_lock *l); /* the same, unchecked */
void ns_rank_pop(const struct ns_lock *l);
void ns_rank_fork_child(void);
#else
#define ns_rank_push(l)      ((void)0)
#define ns_rank_note(l)      ((void)0)
#define ns_rank_pop(l)       ((void)0)
#define ns_rank_fork_child() ((void)0)
#endif

ns_inline void
ns_lock(struct ns_lock *l)
{
	uint32_t zero = 0;

	ns_rank_push(l);
	if (ns_unlikely(!ns_cas_acquire(&l->word, &zero, 1u)))
		ns_lock_wait(l);
}

/* Takes the lock only if nobody holds it.  Not ranked: it cannot deadlock. */
ns_inline bool
ns_trylock(struct ns_lock *l)
{
	uint32_t zero = 0;

	if (!ns_cas_acquire(&l->word, &zero, 1u))
		return false;
	ns_rank_note(l);
	return true;
}

/* Pairs with the acquiring CAS of the next ns_lock. */
ns_inline void
ns_unlock(struct ns_lock *l)
{
	if (ns_unlikely(ns_load_relaxed(&ns_forker) != NULL) &&
	    ns_lock_passed(l))
		return;
	ns_rank_pop(l);
	if (ns_unlikely(ns_xchg_acq_rel(&l->word, 0u) == 2))
		ns_lock_wake(l);
}

/*
 * Lets go of @l for a moment, in which whoever waits for it gets it: a thread
 * that takes a lock again at once is mostly there before one that has to wake.
 */
void ns_lock_yield(struct ns_lock *l);

#pragma GCC visibility pop
#endif
