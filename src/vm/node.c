/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/node.c - one node's pages: classes, watermarks, the reserve's refill.
 *
 * 1. What a node *holds* are the free pages in its chunks and in its
 *    reserve.  NORMAL may take a page while the node holds more than low,
 *    SYSTEM while it holds more than intr, INTERRUPT while it holds any.  A
 *    request that may not makes the node grow first, and fails only when the
 *    pool has nothing left.  Cached pages count as if the node held them,
 *    and are taken when nothing else is left (cache.c).  So what lies below the
 * watermarks is not a share of a budget that malloc could eat meanwhile: it is
 * committed memory in the vm layer's hands.
 * 2. The interrupt watermark's pages are the reserve (reserve.c): populated,
 *    and to be had without the lock.  NORMAL and SYSTEM requests and frees
 *    refill it before anything else, so that more than intr held means a
 *    free page in a chunk.
 * 3. INTERRUPT takes a page of a chunk if it gets the lock without waiting,
 *    else one of the reserve; it never grows the node and never refills.  It
 *    may therefore be called in a signal handler that interrupted any of
 *    this.  One exception: the first request of all to a node sets the node
 *    up, whatever its class.
 * 4. Nobody sleeps: the lock is held for list operations only, never while
 *    in the pool or the kernel, so that who waits for it waits for some
 *    hundred instructions, or for one time slice when the holder loses its
 *    processor.  INTERRUPT does not wait even for that.
 * 5. VM_ALLOC_ZERO takes a fresh page while there is one and lets the node
 *    grow for more while it holds few others; beyond that it gets a dirty
 *    page without PG_ZERO, since it is a preference and not worth an endless
 *    pile of dirty pages.  Pages are zeroed by the maintenance thread only
 *    (zero.c).
 * 6. fork: the handlers hold every node's lock, so the lists are whole in
 *    the child.  A page or chunk that another thread had in hand between two
 *    critical sections is lost to the child: at most one of each a thread, and
 *    the cluster that is being zeroed.
 * 7. A node that was down at the low watermark grows at the next request,
 *    until its magazines open again, as long as the pool has something.  Else
 *    a program that needs just as many pages as there are, again and again,
 *    would take the lock for each of them, for good.
 * 8. What it gives up: an INTERRUPT request that finds the lock taken sees
 *    only the reserve, and one that finds a page on its way there (being
 *    populated) does not see that page.
 */
#include "vm/check.h"

#define FREE_BATCH 32u /* pages: a short time under the lock */

struct ns_vm_node ns_vm_nodes[NS_VM_ORDERS * NS_MAX_SLOTS];

static unsigned norders; /* [I] sizes of pages on this machine */

static uint32_t ready; /* [a] ns_vm_init is done; under ns_wake_lock */

struct ns_vm_node *
ns_vm_nth(unsigned i)
{
	unsigned order = i / ns_topo.nslots;

	return order < norders ? ns_vm_node(i % ns_topo.nslots, order) : NULL;
}

static void
node_init(struct ns_vm_node *n, unsigned slot, unsigned order)
{
	struct ns_pool_stat st;
	size_t limit, cluster;

	ns_pool_stat(slot, &st);
	limit = ns_min(st.limit, st.span);
	cluster = ns_min(NS_VM_CLUSTER, limit / NS_VM_CLUSTER_SHARE);
	ns_lock_init(&n->lock, NS_RANK_VM);
	n->slot = slot;
	n->order = order;
	n->page_size = ns_page_size << order;
	cluster = ns_max(cluster / n->page_size, 1);
	n->intr = (uint32_t)cluster;
	n->low = 3 * n->intr;
	n->keep = 2 * n->intr;
	n->max_units =
	    (uint32_t)ns_max(ns_min(NS_EXTENT_UNITS, limit / NS_UNIT / 16),
			     ns_max(n->page_size / NS_UNIT, 1));
	ns_list_init(&n->dirty);
	ns_list_init(&n->fresh);
	ns_list_init(&n->chunks);
	ns_list_init(&n->metas);
	ns_list_init(&n->cached);
	ns_vm_queue_init(n);
}

static ns_cold int
init(void)
{
	unsigned order, s;
	int error;

	ns_lock(&ns_wake_lock);
	error = ns_page_init_locked();
	if (error == 0 && ns_load_relaxed(&ready) == 0) {
		norders = ns_log2_floor(NS_VM_PAGE_MAX / ns_page_size) + 1;
		for (order = 0; order < norders; order++)
			for (s = 0; s < ns_topo.nslots; s++)
				node_init(ns_vm_node(s, order), s, order);
		ns_vm_mag_init();
		ns_fork_vm.unlock = ns_vm_unlock_all;
		ns_fork_vm.child = ns_vm_fork_child;
		ns_fork_vm.lock = ns_vm_lock_all;
		/* Pairs with the acquire in ns_vm_init. */
		ns_store_release(&ready, 1u);
	}
	ns_unlock(&ns_wake_lock);
	return error;
}

int
ns_vm_init(void)
{
	return ns_likely(ns_load_acquire(&ready) != 0) ? 0 : init();
}

/*
 * Fills the reserve from the chunks.  The lock is held, and dropped while a
 * page is populated: writing a zero byte keeps a zero page zero.
 */
static void
refill(struct ns_vm_node *n)
{
	struct vm_page *m;
	size_t at;

	while (n->nfree > 0 && ns_vm_reserve_ticket(n)) {
		m = ns_vm_take(n, false);
		ns_store_relaxed(&m->state, NS_VM_RESERVE);
		ns_unlock(&n->lock);
		for (at = 0; at < n->page_size; at += ns_page_size)
			*(volatile char *)(m->addr + at) = 0;
		ns_vm_reserve_push(n, m);
		ns_lock(&n->lock);
	}
}

/* The first request to a node: pages up to the watermark, a full reserve. */
ns_cold void
ns_vm_set_up(struct ns_vm_node *n)
{
	ns_lock(&n->lock);
	while (ns_vm_held(n) <= n->low) {
		bool grown;

		ns_unlock(&n->lock);
		grown = ns_vm_grow(n, true, 0);
		ns_lock(&n->lock);
		if (!grown)
			break;
	}
	refill(n);
	ns_unlock(&n->lock);
	ns_store_relaxed(&n->used, 1u);
}

/* Would it serve VM_ALLOC_ZERO to grow: see 5? */
static bool
wants_fresh(const struct ns_vm_node *n)
{
	return ns_list_empty(&n->fresh) && n->nfree <= n->low + n->keep;
}

/* What magazines for any size of page keep of the node's memory comes back. */
void
ns_vm_drain_slot(unsigned slot)
{
	struct ns_vm_node *n;

	for (unsigned order = 0; order < norders; order++) {
		n = ns_vm_node(slot, order);
		if (ns_vm_mag_pages(n) > 0)
			ns_vm_mag_drain(n);
	}
}

void
ns_vm_drain(void)
{
	for (unsigned slot = 0; slot < ns_topo.nslots; slot++)
		ns_vm_drain_slot(slot);
}

/*
 * Free pages that are not in chunks come back: those in magazines, which
 * refuse from now on.  The lock is dropped.
 */
static void
gather(struct ns_vm_node *n)
{
	bool is_drained = ns_load_relaxed(&n->tight) == NS_VM_DRAINED;
	uint64_t eased = n->eased;

	if (!is_drained)
		ns_store_relaxed(&n->tight, NS_VM_TIGHT);
	ns_unlock(&n->lock);
	if (!is_drained)
		ns_vm_mag_drain(n);
	ns_vm_drain_slot(n->slot);
	ns_lock(&n->lock);
	if (ns_load_relaxed(&n->tight) == NS_VM_TIGHT && n->eased == eased)
		ns_store_relaxed(&n->tight, NS_VM_DRAINED);
}

/* Do magazines refuse for want of pages that may be had: see 7? */
static bool
is_cramped(const struct ns_vm_node *n)
{
	uint32_t tight = ns_load_relaxed(&n->tight);

	return (tight == NS_VM_TIGHT || tight == NS_VM_DRAINED) && !n->stuck;
}

/*
 * NORMAL and SYSTEM: a page while the node holds more than @mark.  The lock
 * is held, and dropped for growing; *grew tells.
 */
static struct vm_page *
take_above(struct ns_vm_node *n, uint32_t mark, int req, bool *grew)
{
	bool zero = (req & VM_ALLOC_ZERO) != 0;
	bool want_fresh = zero, room = true, drained = false;
	uint64_t more = ns_vm_count(req), lacks; /* wanted after this one */

	if (ns_unlikely(is_cramped(n)))
		more = ns_max(more, n->low + n->keep - mark);

	for (;;) {
		if (ns_unlikely(ns_load_relaxed(&n->nreserve) < n->intr))
			refill(n);
		if (ns_vm_held(n) > mark + more &&
		    !(want_fresh && wants_fresh(n)))
			return ns_vm_take(n, zero);
		if (!room && ns_vm_held(n) <= mark && !drained) {
			gather(n);
			drained = room = true; /* chunks may have gone */
			continue;
		}
		if (!room && ns_vm_held(n) + n->ncached <= mark)
			return NULL;
		if (!room && ns_vm_held(n) <= mark)
			return (req & VM_ALLOC_NORECLAIM) != 0 ? NULL
							       : ns_vm_steal(n);
		lacks = mark + more - ns_min(mark + more, ns_vm_held(n));
		ns_unlock(&n->lock);
		room = ns_vm_grow(n, zero, lacks + 1);
		want_fresh = false; /* once is enough */
		more = 0;
		*grew |= room;
		ns_lock(&n->lock);
		n->stuck = !room;
	}
}

/* Has it chunks to give back, if nothing keeps them? */
static bool
is_slack(const struct ns_vm_node *n)
{
	uint64_t chunk = n->max_units * NS_UNIT / n->page_size;

	return n->nfree > n->low + n->keep + 2 * chunk &&
	       n->nfree > n->npages / 4 * 3;
}

/* Whoever changed what the node holds; the lock is held. */
void
ns_vm_note_tight(struct ns_vm_node *n)
{
	uint32_t was = ns_load_relaxed(&n->tight), now = was;
	bool dry = ns_list_empty(&n->fresh);

	if (dry != ns_load_relaxed(&n->dry))
		ns_store_relaxed(&n->dry, dry);
	if (ns_vm_held(n) <= n->low)
		now = was == NS_VM_DRAINED ? was : NS_VM_TIGHT;
	else if (is_slack(n))
		now = was == NS_VM_SLACK ? was : NS_VM_SLACK_NEW;
	else if ((was != NS_VM_TIGHT && was != NS_VM_DRAINED) ||
		 ns_vm_held(n) > n->low + n->keep)
		now = NS_VM_EASY;
	if (now == was)
		return;
	if (now == NS_VM_EASY)
		n->eased++;
	ns_store_relaxed(&n->tight, now);
}

/* A page that is never freed, of a chunk of such; NULL: any other will do. */
static struct vm_page *
take_nofree(struct ns_vm_node *n, uint32_t mark, bool *grew)
{
	struct vm_page *m = NULL;
	bool room = true;

	while (m == NULL && room && ns_vm_held(n) > mark) {
		m = ns_vm_take_nofree(n);
		if (m != NULL)
			break;
		ns_unlock(&n->lock);
		room = ns_vm_grow_nofree(n);
		*grew |= room;
		ns_lock(&n->lock);
	}
	return m;
}

static struct vm_page *
alloc_above(struct ns_vm_node *n, uint32_t mark, int req)
{
	bool zero = (req & VM_ALLOC_ZERO) != 0;
	bool grew = false, missed = false, earns = false, is_short, retire;
	struct vm_page *m = NULL;

	ns_lock(&n->lock);
	if (ns_unlikely((req & VM_ALLOC_NOFREE) != 0))
		m = take_nofree(n, mark, &grew);
	if (m == NULL)
		m = take_above(n, mark, req, &grew);
	ns_vm_note_tight(n);
	if (m != NULL) {
		earns = ns_vm_mag_fill(n, zero);
		missed = zero && ns_vm_zero_note(n, m);
	}
	is_short = ns_vm_is_short(n);
	retire = is_short && n->earned;
	ns_unlock(&n->lock);
	if (ns_unlikely(earns)) {
		ns_maint_poke();
		ns_maint_dirty();
	}
	if (ns_unlikely(retire))
		ns_vm_mag_retire(n);
	if (ns_unlikely(grew)) {
		ns_maint_poke();
		/* Missed when the process was too small for a daemon. */
		missed |= ns_load_relaxed(&n->zero_missed);
	}
	if (ns_unlikely(missed || is_short))
		ns_vm_daemon_call(is_short);
	return m;
}

static struct vm_page *
alloc_interrupt(struct ns_vm_node *n, int req)
{
	struct vm_page *m = NULL;

	if (ns_trylock(&n->lock)) {
		m = ns_vm_take(n, (req & VM_ALLOC_ZERO) != 0);
		if (m == NULL && (req & VM_ALLOC_NORECLAIM) == 0)
			m = ns_vm_steal(n);
		if (m == NULL)
			m = ns_vm_mag_rob(n);
		ns_vm_note_tight(n);
		ns_unlock(&n->lock);
	}
	if (m == NULL) {
		m = ns_vm_reserve_pop(n);
		/* Perhaps: who has the lock next will see. */
		ns_store_relaxed(&n->tight, NS_VM_TIGHT);
	}
	return m;
}

/* A page of the node, not wired; or NULL: see 1. */
struct vm_page *
ns_vm_alloc(struct ns_vm_node *n, int req)
{
	struct vm_page *m;

	if (ns_unlikely(ns_load_relaxed(&n->used) == 0))
		ns_vm_set_up(n);
	if ((req & VM_ALLOC_INTERRUPT) == 0)
		m = alloc_above(n, ns_vm_mark(n, req), req);
	else
		m = alloc_interrupt(n, req);
	if (m == NULL) {
		ns_add_relaxed(&n->denied, 1);
		return NULL;
	}
	ns_store_relaxed(&m->flags,
			 (req & VM_ALLOC_NOFREE) != 0 ? PG_NOFREE : 0);
	ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	return m;
}

void
ns_vm_free(const char *call, struct vm_page *m, bool zero)
{
	struct ns_vm_chunk *c = ns_vm_chunk_of(call, m);
	struct ns_vm_node *n = ns_vm_node_of(m);
	struct ns_unit *spare = NULL;
	const char *broken;

	ns_lock(&n->lock);
	broken = ns_vm_broken(m, NS_VM_IN_USE | NS_VM_UNWIRED | NS_VM_FREEABLE);
	if (ns_unlikely(broken != NULL)) {
		ns_unlock(&n->lock);
		ns_vm_die(call, m, broken);
	}
	m->zero = zero;
	if (m->fixed) {
		ns_store_relaxed(&m->state, NS_VM_FREE);
	} else {
		ns_vm_put(n, c, m);
		spare = ns_vm_shrink(n, c);
		ns_vm_note_tight(n);
	}
	if (ns_unlikely(ns_load_relaxed(&n->nreserve) < n->intr))
		refill(n);
	ns_unlock(&n->lock);
	ns_vm_give_back(spare);
	ns_vm_mag_slacken(n);
}

/*
 * The pages that were cached first are free, until the node holds @goal or
 * none is left.  They are for requests to come: no chunk goes back.
 */
void
ns_vm_free_cached(struct ns_vm_node *n, uint64_t goal)
{
	struct vm_page *m = NULL;
	unsigned left;

	do {
		ns_lock(&n->lock);
		for (left = FREE_BATCH; left > 0; left--) {
			if (ns_vm_held(n) >= goal ||
			    (m = ns_vm_steal(n)) == NULL)
				break;
			ns_store_relaxed(&m->state, NS_VM_FREE);
			ns_vm_put(n, ns_vm_chunk_of("pageout", m), m);
		}
		ns_vm_note_tight(n);
		if (ns_unlikely(ns_load_relaxed(&n->nreserve) < n->intr))
			refill(n);
		ns_unlock(&n->lock);
		ns_vm_freed();
	} while (left == 0);
}

void
ns_vm_put_all(struct ns_vm_node *n, struct vm_page **page, unsigned count)
{
	struct ns_unit *spare;
	struct ns_vm_chunk *c;

	for (unsigned i = 0; i < count;) {
		ns_lock(&n->lock);
		for (spare = NULL; i < count && spare == NULL; i++) {
			c = ns_vm_chunk_of("vm_page_free", page[i]);
			ns_vm_put(n, c, page[i]);
			spare = ns_vm_shrink(n, c);
		}
		ns_vm_note_tight(n);
		ns_unlock(&n->lock);
		ns_vm_give_back(spare);
	}
	/* Who found none meanwhile may sleep already. */
	if (count > 0)
		ns_vm_freed();
}

void
ns_vm_lock_all(void)
{
	struct ns_vm_node *n;

	ns_vm_objects_lock();
	ns_vm_for_each (n)
		ns_lock(&n->qlock);
	ns_vm_for_each (n)
		ns_lock(&n->lock);
	ns_vm_wire_lock_all();
}

void
ns_vm_unlock_all(void)
{
	struct ns_vm_node *n;

	ns_vm_wire_unlock_all();
	ns_vm_for_each (n) {
		ns_unlock(&n->lock);
		ns_unlock(&n->qlock);
	}
	ns_vm_objects_unlock();
}

void
ns_vm_fork_child(void)
{
	struct ns_vm_node *n;

	ns_vm_for_each (n) {
		ns_lock_init(&n->qlock, NS_RANK_QUEUE);
		ns_lock_init(&n->lock, NS_RANK_VM);
		ns_vm_reserve_fork_child(n);
		n->zeroing = 0;
	}
	ns_vm_wire_fork_child();
	ns_vm_mag_fork_child();
	ns_vm_objects_fork_child();
	ns_vm_daemon_fork_child();
}
