/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/fork.c - fork(): every lock, in the one order, and a child that works.
 *
 * prepare takes all locks in rank order (base/lock.h).  Then no slab is
 * between lists and no extent is claimed; other threads may at most be
 * inside a fast path, whose stores are ordered so that a copy made at any
 * moment has well-formed lists.  The first lock is the one that layers are
 * set up under: which of them are does not change before parent or child
 * has run, and of two forks one waits.  The child re-initialises the locks,
 * keeps its own thread's heaps and abandons everybody else's.
 *
 * Handlers that were registered before ours run in between, and may allocate:
 * the forking thread passes the locks, which it holds (base/lock.c).
 */
#include "slab/gfp.h"

#include <pthread.h>

static uint32_t registered; /* [a] */

static void
each_heap(void (*fn)(struct ns_heap *))
{
	struct ns_list *l;
	struct ns_heap *h;

	ns_list_for_each (l, &ns_threads) {
		struct ns_thread *t =
		    ns_container_of(l, struct ns_thread, link);

		ns_heap_for_each (h, t)
			fn(h);
	}
}

static void
lock_heap(struct ns_heap *h)
{
	ns_lock(&h->lock);
}

static void
unlock_heap(struct ns_heap *h)
{
	ns_unlock(&h->lock);
}

static void
reset_heap(struct ns_heap *h)
{
	ns_lock_init(&h->lock, NS_RANK_HEAP);
}

static void
lock_depot(struct ns_depot *d)
{
	ns_lock(&d->lock);
}

static void
unlock_depot(struct ns_depot *d)
{
	ns_unlock(&d->lock);
}

static void
reset_depot(struct ns_depot *d)
{
	ns_lock_init(&d->lock, NS_RANK_DEPOT);
}

/* A process may use pages only: then slab/ sleeps, and pools are in use. */
static void
prepare(void)
{
	ns_lock(&ns_wake_lock);
	if (ns_is_awake()) {
		ns_lock(&ns_caches_lock);
		ns_shrinkers_lock();
		ns_lock(&ns_registry_lock);
		each_heap(lock_heap);
		ns_depots_each(lock_depot);
	}
	if (ns_fork_vm.lock != NULL)
		ns_fork_vm.lock();
	if (ns_total != 0)
		ns_pools_lock();
	ns_lock_fork_begin();
}

static void
parent(void)
{
	ns_lock_fork_end();
	if (ns_total != 0)
		ns_pools_unlock();
	if (ns_fork_vm.unlock != NULL)
		ns_fork_vm.unlock();
	if (ns_is_awake()) {
		ns_depots_each(unlock_depot);
		each_heap(unlock_heap);
		ns_unlock(&ns_registry_lock);
		ns_shrinkers_unlock();
		ns_unlock(&ns_caches_lock);
	}
	ns_unlock(&ns_wake_lock);
}

static void
child(void)
{
	ns_lock_fork_end();
	ns_rank_fork_child();
	ns_lock_init(&ns_wake_lock, NS_RANK_WAKE);
	if (ns_total != 0) {
		ns_pools_fork_child();
		ns_maint_fork_child();
	}
	if (ns_fork_vm.child != NULL)
		ns_fork_vm.child();
	if (ns_is_awake()) {
		ns_depots_each(reset_depot);
		each_heap(reset_heap);
		ns_lock_init(&ns_registry_lock, NS_RANK_REGISTRY);
		ns_shrinkers_fork_child();
		ns_caches_fork_child();
		ns_registry_adopt_others();
	}
}

void
ns_fork_init(void)
{
	uint32_t zero = 0;

	if (ns_cas_acq_rel(&registered, &zero, 1u))
		pthread_atfork(prepare, parent, child);
}
