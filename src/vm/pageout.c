/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/pageout.c - what moves a node's pages on, until they are free.
 *
 *	active -> inactive -> cached -> free
 *	   \          \                ^
 *	    `-> laundry <--            |
 *	            `-> written -> inactive's head
 *
 * 1. A node is *short* when it holds less than its target, the pool has
 *    nothing for it, and there are pages in queues or cached.  Then it is
 *    *behind*, until it holds the target and a quarter more, and as much again
 *    in cached pages and twice as much in clean inactive ones.  The order:
 *    active pages that were not used of late become inactive, or go to the
 *    laundry; clean inactive ones are cached; those cached first are freed;
 *    and if too few clean ones are left the laundry is washed, a cluster at a
 *    time.
 * 2. A page that was referenced since the last look becomes active, wherever
 *    it is found.  That is its second chance.  Where all pages are used all the
 *    time there would be no room for any other: so a thread that waits, and
 *    finds nothing else, looks *hard*, which is without regard to references;
 *    and so does the daemon in the laundry.
 * 3. A page leaves its object under the object's lock, which is the
 *    program's.  So it is tried, under [q], where the object exists for sure
 *    (queue.c, 2), and a page whose object is locked, or which is busy, goes
 *    to the end of its queue.  Nobody who holds such a lock is waited for.
 * 4. A dirty page is busied, shared, under its object's lock; then the lock
 *    is dropped and the page kept by that.  A program that holds the lock and
 *    finds a page not busy can rely on it.
 * 5. One write an object at a time, and none for a while after some that
 *    failed: so a pager that hangs or fails costs one thread (daemon.c) or
 *    little, whatever the number of its pages.  What fails is active again.
 *    Dirty pages of objects without pager are laid aside until they are clean.
 * 6. [q] is held for BATCH pages at most.
 */
#include "vm/vm.h"

#define BATCH  32u
#define SWEEPS 4u      /* from the highest act_count to 0, which is 7 */
#define LOOKS  65536ul /* of a thread that waits: a millisecond or two */

/* A look at some pages, under [q]. */
struct scan {
	struct ns_vm_node *n;
	bool hard;          /* see 2 */
	vm_object_t object; /* that the scan has locked, or NULL */
};

static void
scan_begin(struct scan *s, struct ns_vm_node *n, bool hard)
{
	s->n = n;
	s->hard = hard;
	s->object = NULL;
	ns_lock(&n->qlock);
}

static void
let_go(struct scan *s)
{
	if (s->object != NULL)
		VM_OBJECT_WUNLOCK(s->object);
	s->object = NULL;
}

static void
scan_end(struct scan *s)
{
	let_go(s);
	ns_unlock(&s->n->qlock);
}

/* Locks the object of a page in a queue, if that needs no waiting. */
static bool
lock_object(struct scan *s, const struct vm_page *m)
{
	vm_object_t object = ns_load_relaxed(&m->object);

	if (s->object == object)
		return true;
	let_go(s);
	if (!VM_OBJECT_TRYWLOCK(object))
		return false;
	s->object = object;
	return true;
}

static bool
has(const struct vm_page *m, int flag)
{
	return (ns_load_acquire(&m->flags) & flag) != 0;
}

static void
clear_reference(struct vm_page *m)
{
	__atomic_fetch_and(&m->flags, (uint16_t)~PG_REFERENCED,
			   __ATOMIC_RELAXED);
}

/*
 * What is done with a page wherever it is found, apart from where it should
 * go: true, if that was all.
 */
static bool
is_no_candidate(struct scan *s, struct vm_page *m)
{
	if (ns_load_relaxed(&m->wire_count) != 0) {
		ns_vm_queue_move(m, PQ_NONE, false);
		return true;
	}
	if (s->hard || !has(m, PG_REFERENCED))
		return false;
	clear_reference(m);
	ns_store_relaxed(&m->act_count, NS_VM_ACT_INIT + NS_VM_ACT_USED);
	ns_vm_queue_move(m, PQ_ACTIVE, false);
	ns_owner_add(&s->n->work.reactivated, 1);
	return true;
}

/* The first page of the active queue: see queue.c, 5. */
static void
age(struct scan *s, struct vm_page *m)
{
	unsigned count = ns_load_relaxed(&m->act_count) / 2;

	if (ns_load_relaxed(&m->wire_count) != 0) {
		ns_vm_queue_move(m, PQ_NONE, false);
		return;
	}
	if (has(m, PG_REFERENCED)) {
		clear_reference(m);
		count += NS_VM_ACT_USED;
	}
	if (s->hard)
		count = 0;
	ns_store_relaxed(&m->act_count, (uint8_t)count);
	if (count > 0) {
		ns_vm_queue_move(m, PQ_ACTIVE, false);
		return;
	}
	ns_owner_add(&s->n->work.deactivated, 1);
	ns_vm_queue_move(m, has(m, PG_DIRTY) ? PQ_LAUNDRY : PQ_INACTIVE, false);
}

/* The first page of the inactive queue; true: it was reclaimed. */
static bool
reclaim(struct scan *s, struct vm_page *m)
{
	ns_owner_add(&s->n->work.scanned, 1);
	if (is_no_candidate(s, m))
		return false;
	if (has(m, PG_DIRTY)) {
		ns_vm_queue_move(m, PQ_LAUNDRY, false);
		return false;
	}
	if (!lock_object(s, m) || !vm_page_tryxbusy(m)) {
		ns_vm_queue_move(m, PQ_INACTIVE, false);
		return false;
	}
	/* Nobody uses it now, nor finds it; but somebody may have before. */
	if (has(m, s->hard ? PG_DIRTY : PG_DIRTY | PG_REFERENCED) ||
	    ns_load_relaxed(&m->wire_count) != 0) {
		vm_page_xunbusy(m);
		return false;
	}
	ns_vm_queue_move(m, PQ_NONE, false);
	if (has(m, PG_VALID)) {
		ns_vm_to_cache(s->object, m);
	} else {
		ns_vm_leave("pageout", m);
		ns_vm_free("pageout", m, false);
	}
	ns_owner_add(&s->n->work.reclaimed, 1);
	return true;
}

static uint64_t
queued(const struct ns_vm_node *n, uint8_t queue)
{
	return ns_load_relaxed(&n->nqueue[queue]);
}

/* The first page of a queue; it has one.  [q] */
static struct vm_page *
first(struct ns_vm_node *n, uint8_t queue)
{
	return ns_list_first(&n->queue[queue], struct vm_page, link);
}

/* Looks at active pages: all of them have aged then, if nobody used them. */
static uint64_t
sweeps(const struct ns_vm_node *n)
{
	return SWEEPS * queued(n, PQ_ACTIVE);
}

/* At most @max active pages are looked at, until @goal are inactive. */
static void
age_active(struct ns_vm_node *n, uint64_t goal, uint64_t max, bool hard)
{
	struct scan s;
	unsigned i;

	while (max > 0 && queued(n, PQ_INACTIVE) < goal) {
		scan_begin(&s, n, hard);
		max = ns_min(max, sweeps(n));
		for (i = 0; i < BATCH && max > 0 && queued(n, PQ_ACTIVE) > 0;
		     i++, max--)
			age(&s, first(n, PQ_ACTIVE));
		scan_end(&s);
	}
}

/* What requests can have, cached pages included. */
static uint64_t
available(struct ns_vm_node *n)
{
	uint64_t sum;

	ns_lock(&n->lock);
	sum = ns_vm_held(n) + n->ncached;
	ns_unlock(&n->lock);
	return sum;
}

/*
 * At most @max inactive pages are looked at, until @goal are available.
 * Returns how many were reclaimed.
 */
static unsigned
scan_inactive(struct ns_vm_node *n, uint64_t goal, uint64_t max, bool hard)
{
	unsigned i, got = 0;
	struct scan s;

	while (max > 0 && available(n) < goal) {
		scan_begin(&s, n, hard);
		max = ns_min(max, queued(n, PQ_INACTIVE));
		for (i = 0; i < BATCH && max > 0 && queued(n, PQ_INACTIVE) > 0;
		     i++, max--)
			got += reclaim(&s, first(n, PQ_INACTIVE));
		scan_end(&s);
	}
	if (got > 0)
		ns_vm_freed();
	return got;
}

/* Inactive pages to have: what the next times take, and a fair look. */
static uint64_t
inactive_goal(const struct ns_vm_node *n)
{
	uint64_t all = queued(n, PQ_ACTIVE) + queued(n, PQ_INACTIVE);

	return ns_max(2 * ns_vm_target(n), all / 4);
}

/*
 * For a thread that waits for memory: some pages are cached, without sleeping
 * or calling a pager.  Returns how many.
 */
unsigned
ns_vm_reclaim(struct ns_vm_node *n)
{
	uint64_t goal = available(n) + BATCH;
	unsigned got = scan_inactive(n, goal, LOOKS, false);

	for (int hard = 0; hard < 2 && got == 0; hard++) {
		age_active(n, 2 * BATCH, LOOKS, hard != 0);
		got = scan_inactive(n, goal, LOOKS, hard != 0);
	}
	return got;
}

/* The laundry. */

static uint64_t
pages_of_cluster(const struct vm_page *m)
{
	return ns_max(NS_VM_CLUSTER / ns_vm_bytes(m), 1);
}

/* Unless somebody writes it already.  [o] */
static bool
busy_to_write(struct vm_page *m)
{
	if (!vm_page_trysbusy(m))
		return false;
	if (ns_vm_write_begin(m))
		return true;
	vm_page_sunbusy(m);
	return false;
}

/* Is it a neighbour that is to be written as well?  Then it is busied.  [o] */
static bool
joins(struct vm_page *m)
{
	return m != NULL && ns_load_relaxed(&m->queue) == PQ_LAUNDRY &&
	       has(m, PG_DIRTY) && !has(m, PG_REFERENCED) &&
	       ns_load_relaxed(&m->wire_count) == 0 && busy_to_write(m);
}

/* @m, which is busied, and what is to be written beside it.  [o] */
static void
gather(struct ns_vm_writer *w, vm_object_t object, struct vm_page *m)
{
	unsigned max = (unsigned)pages_of_cluster(m), before = 0;
	vm_pindex_t at = m->pindex;
	struct vm_page *p;

	while (before + 1 < max && at > before &&
	       joins(p = vm_page_lookup(object, at - before - 1)))
		w->page[max - 1 - before++] = p;
	/* In front, the right way round: the last one is the first index. */
	for (unsigned i = 0; i < before; i++)
		w->page[i] = w->page[max - before + i];
	w->object = object;
	w->n = before;
	w->page[w->n++] = m;
	while (w->n < max &&
	       joins(p = vm_page_lookup(object, at + w->n - before)))
		w->page[w->n++] = p;
}

static bool
may_write(const struct vm_object *object, uint64_t now)
{
	return ns_load_relaxed(&object->launder_at) <= now;
}

/* The first page of the laundry; true: it is the writer's. */
static bool
wash(struct scan *s, struct vm_page *m, uint64_t now, struct ns_vm_writer *w)
{
	vm_object_t object = ns_load_relaxed(&m->object);

	if (is_no_candidate(s, m))
		return false;
	if (!has(m, PG_DIRTY)) {
		ns_vm_queue_move(m, PQ_INACTIVE, true);
		return false;
	}
	if (object->pager == NULL) {
		ns_vm_queue_move(m, NS_VM_PQ_UNSWAPPABLE, false);
		return false;
	}
	ns_vm_queue_move(m, PQ_LAUNDRY, false);
	if (!may_write(object, now) || !lock_object(s, m) ||
	    !may_write(object, now) || !busy_to_write(m))
		return false;
	ns_store_relaxed(&object->launder_at, UINT64_MAX);
	gather(w, object, m);
	return true;
}

/* Pages of the laundry to write, into @w; false: there are none for now. */
bool
ns_vm_pick(struct ns_vm_node *n, struct ns_vm_writer *w, bool hard)
{
	uint64_t max = queued(n, PQ_LAUNDRY), now = ns_os_now_ms();
	bool picked = false;
	struct scan s;
	unsigned i;

	w->node = n;
	while (max > 0 && !picked) {
		scan_begin(&s, n, hard);
		max = ns_min(max, queued(n, PQ_LAUNDRY));
		for (i = 0; i < BATCH && max > 0 && !picked; i++, max--)
			picked = wash(&s, first(n, PQ_LAUNDRY), now, w);
		scan_end(&s);
	}
	return picked;
}

/* The daemon's. */

/* See 1.  [v] */
bool
ns_vm_is_short(const struct ns_vm_node *n)
{
	return ns_unlikely(ns_vm_held(n) < ns_vm_target(n)) &&
	       (n->ncached > 0 || queued(n, PQ_ACTIVE) +
					  queued(n, PQ_INACTIVE) +
					  queued(n, PQ_LAUNDRY) >
				      0) &&
	       (n->stuck || ns_pool_available(n->slot) == 0);
}

static bool
look(struct ns_vm_node *n)
{
	bool is_short;

	ns_lock(&n->lock);
	is_short = ns_vm_is_short(n);
	ns_unlock(&n->lock);
	return is_short;
}

/* The pool may have something again, after it was found empty. */
static void
try_grow(struct ns_vm_node *n)
{
	if (ns_pool_available(n->slot) == 0 || !ns_vm_grow(n, false, 0))
		return;
	ns_lock(&n->lock);
	n->stuck = false;
	ns_unlock(&n->lock);
	ns_vm_freed();
}

/* Works off what a node is behind with, but for what must be written.  [d] */
enum ns_vm_verdict
ns_vm_pageout(struct ns_vm_node *n, struct ns_vm_writer *w)
{
	uint64_t target;
	bool hard;

	if (look(n)) {
		n->behind = true;
		try_grow(n);
	}
	if (!n->behind)
		return NS_VM_DONE;
	target = ns_vm_target(n);
	age_active(n, inactive_goal(n), UINT64_MAX, false);
	hard =
	    scan_inactive(n, 9 * target / 4, UINT64_MAX, false) == 0 && look(n);
	ns_vm_free_cached(n, 5 * target / 4);
	n->behind = available(n) + queued(n, PQ_INACTIVE) < 4 * target &&
		    queued(n, PQ_LAUNDRY) > 0;
	if (n->behind && ns_vm_pick(n, w, hard))
		return NS_VM_WRITE;
	return n->behind || look(n) ? NS_VM_BEHIND : NS_VM_DONE;
}
