/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/fork.c - fork(): every lock, in the one order, and a child that works.
 *
 * prepare takes all locks in rank order (base/lock.h).  Then no slab is
 * between lists and no extent is claimed; other threads may at most be
 * inside a fast path, whose stores are ordered so that a copy made at any
 * moment has well-formed lists.  The child re-initialises the locks, keeps
 * its own thread's heaps and abandons everybody else's.
 *
 * Our handlers are registered by the library's constructor, before the
 * program's: so prepare runs after theirs, and the others before.
 */
#include "slab/slab.h"

#include <pthread.h>

static uint32_t registered; /* [a] */
static bool armed;          /* slab/'s locks are held; written with them */
static bool paged;          /* vm/ is in use and its locks are held */

static void
each_heap(void (*fn)(struct ns_heap *))
{
	struct ns_list *l;

	ns_list_for_each (l, &ns_threads) {
		struct ns_thread *t =
		    ns_container_of(l, struct ns_thread, link);

		for (unsigned s = 0; s < t->nslots; s++)
			if (t->slot[s].heap != NULL)
				fn(t->slot[s].heap);
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
	bool awake = ns_is_awake();

	if (awake) {
		ns_lock(&ns_caches_lock);
		ns_lock(&ns_registry_lock);
		each_heap(lock_heap);
		ns_depots_each(lock_depot);
		armed = true;
	}
	if (ns_fork_vm.lock != NULL) {
		ns_fork_vm.lock();
		paged = true;
	}
	if (armed || paged)
		ns_pools_lock();
}

static void
parent(void)
{
	bool slabs = armed, pages = paged;

	armed = paged = false;
	if (slabs || pages)
		ns_pools_unlock();
	if (pages)
		ns_fork_vm.unlock();
	if (slabs) {
		ns_depots_each(unlock_depot);
		each_heap(unlock_heap);
		ns_unlock(&ns_registry_lock);
		ns_unlock(&ns_caches_lock);
	}
}

static void
child(void)
{
	bool slabs = armed, pages = paged;

	armed = paged = false;
	ns_rank_fork_child();
	if (slabs || pages) {
		ns_pools_fork_child();
		ns_maint_fork_child();
	}
	if (pages)
		ns_fork_vm.child();
	if (slabs) {
		ns_depots_each(reset_depot);
		each_heap(reset_heap);
		ns_lock_init(&ns_registry_lock, NS_RANK_REGISTRY);
		ns_lock_init(&ns_caches_lock, NS_RANK_CACHES);
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
