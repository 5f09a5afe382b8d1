/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/slab.c - who owns a slab: one word, and what may happen to it.
 *
 * 1. slab->remote holds the state, the number of objects in the slab's
 *    shared free list, and the list's first object:
 *
 *	OWNED  a heap has it: its current slab, or one in its bin's list.
 *	       The shared list is what other threads freed; what the owner
 *	       frees goes to slab->free without atomics.
 *	FULL   nobody has it and no list holds it: every object is in use
 *	       (allocated, or in a magazine), the shared list is empty,
 *	       nothing is uncarved.
 *	DEPOT  nobody has it; it is in its node's depot for the cache, and
 *	       the shared list holds *all* its free objects.
 *
 * 2. Transitions, each one CAS on the word:
 *
 *	OWNED -> OWNED  any thread pushes objects; the owner takes the list
 *	OWNED -> FULL   the owner, if the shared list is empty
 *	OWNED -> DEPOT  the owner, under the depot's lock, adding its own list
 *	FULL  -> OWNED  a thread at home on the slab's node, or that allocates
 *			from the cache there, freeing the first objects: it has
 *			the slab from then on
 *	FULL  -> DEPOT  any other thread freeing the first objects, under the
 *			depot's lock
 *	DEPOT -> DEPOT  any thread pushes objects
 *	DEPOT -> OWNED  under the depot's lock: a heap adopts the slab, or a
 *			thread that saw it become all free takes it to delete
 *
 * 3. Invariants.  DEPOT if and only if the slab is in the depot's list, for
 *    both change under the depot's lock, and slab->depot is set before the
 *    word, so that whoever sees DEPOT sees it.  slab->owner is not NULL only
 *    while OWNED, and written only by the owner: before it lets go (release
 *    CAS) and after it took (acquire CAS); so a thread that compares it with
 *    its own heap is right whenever they are equal.  free, used and carved
 *    are the owner's; an acquiring CAS to OWNED makes them the new owner's.
 *
 * 4. A slab all of whose objects are free is deleted by its owner when it
 *    counts used == 0, or by the thread whose push made the shared list
 *    complete.  The latter holds nothing that keeps the slab alive between
 *    its push and the depot's lock: under the lock it believes only
 *    slab->depot, which equals a depot exactly while that depot lists the
 *    slab, and then the word.
 *
 * 5. The count includes objects that are in no list: those of parked pages
 *    (park.c), which whoever adopts the slab puts back.
 *
 * 6. A destructor runs without a lock, and so does what rcu.c calls, but slabs
 *    are deleted under some.  So a slab that waits for either is buried first,
 *    and goes in the next call on its cache that holds none; one that waits for
 *    its destructor also when memory is short.  What died otherwise (a thread
 *    ended, malloc looked after its heap) waits for that.  fork()'s child loses
 *    what another thread was just about to do.
 *
 * 7. ABA: a push is a CAS of the whole word.  If the word returned to the
 *    same state, head and count, then the list again begins with that head,
 *    so the link that the pusher wrote is right.
 *
 * tests/model holds the same protocol for spin, which exhausts it; the stress
 * tests run it under ThreadSanitizer.
 */
#include "slab/debug.h"

#include <errno.h>
#include <string.h>

/* remote: state in bits 0-1, head in 2-31 (0: none), count in 32-63. */
enum state { OWNED = 0, FULL = 1, DEPOT = 2 };

#define HEAD_SHIFT 3u /* objects are at least 8-byte aligned */

/* What all units of a slab have the same, up to the end of the line. */
#define COPIED offsetof(struct ns_slab, inverse)

static enum state
state_of(uint64_t word)
{
	return (enum state)(word & 3);
}

static uint32_t
count_of(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static void *
head_of(const struct ns_slab *s, uint64_t word)
{
	uint64_t head = (uint32_t)word >> 2;

	return head == 0 ? NULL : ns_slab_base(s) + ((head - 1) << HEAD_SHIFT);
}

static uint64_t
make_word(const struct ns_slab *s, enum state state, const void *head,
	  uint32_t n)
{
	uint64_t index = 0;

	if (head != NULL)
		index = ((uint64_t)((const char *)head - ns_slab_base(s)) >>
			 HEAD_SHIFT) +
			1;
	return (uint64_t)n << 32 | index << 2 | (uint64_t)state;
}

/* Links @objs in their order; the last one ends the list. */
static void
chain(const struct ns_slab *s, void **objs, unsigned n)
{
	for (unsigned i = 0; i + 1 < n; i++)
		ns_free_link(s->cache, objs[i], objs[i + 1]);
	ns_free_link(s->cache, objs[n - 1], NULL);
}

static unsigned
slot_of(const struct ns_slab *s)
{
	return s->slot;
}

static struct ns_depot *
depot_of(const struct ns_slab *s)
{
	return &s->cache->depots[slot_of(s)];
}

/* Never twice the same: multiplying by an odd number loses nothing. */
static uint64_t
new_mark(void)
{
	static uint64_t born; /* [a] */
	uint64_t mark;

	do
		mark = ns_key ^ ns_add_relaxed(&born, 1ul) * 0x9e3779b97f4a7c15;
	while (mark == 0);
	return mark;
}

/* In every unit.  @bound is that of ns_is_object, or 0: nothing passes. */
static void
set_bounds(struct ns_slab *s, uint64_t bound)
{
	uint32_t use = s->cache->use;
	uint32_t user = use == NS_USE_CACHE ? (uint32_t)bound : 0;

	bound = use == NS_USE_MALLOC ? bound : 0;
	for (uint32_t i = 0; i < s->cache->units; i++) {
		ns_store_release(&s[i].bound, bound); /* park.c, 3 */
		ns_store_release(&s[i].user_bound, user);
	}
}

/* The first @carved objects may be in use, or are free and marked. */
void
ns_slab_set_carved(struct ns_slab *s, uint32_t carved)
{
	ns_store_relaxed(&s->marked, (uint16_t)ns_max(s->marked, carved));
	ns_store_relaxed(&s->carved, carved);
	set_bounds(s, carved * (s->inverse * s->size));
}

/* No fast path takes its objects until its bounds are set again. */
void
ns_slab_hide(struct ns_slab *s)
{
	set_bounds(s, 0);
}

/* A new slab, owned by nobody yet but private to the caller. */
struct ns_slab *
ns_slab_new(struct kmem_cache *c, unsigned slot, unsigned flags)
{
	struct ns_depot *d = &c->depots[slot];
	struct ns_unit *u = ns_run_alloc(slot, c->units, 1, flags);
	struct ns_slab *s = (struct ns_slab *)(void *)u;
	uint32_t color, i;

	if (u == NULL)
		return NULL;
	color = ns_add_relaxed(&d->next_color, 1u) % c->ncolors;
	s->cache = c->root;
	s->size = c->size;
	s->nobj = (uint16_t)c->nobj;
	s->parked = 0;
	s->seen = 0;
	s->inverse = c->inverse;
	s->mark = new_mark();
	s->bin = (uint16_t)ns_cache_bin(c);
	s->spare = (uint16_t)(c->size - c->objsize);
	s->first = ns_unit_addr(u) + c->lead + color * c->color_step;
	ns_add_relaxed(&d->total_slabs, 1ul);
	if ((c->flags & SLAB_RECLAIM_ACCOUNT) != 0)
		ns_pool_count_reclaimable(slot, c->units);
	for (i = 1; i < c->units; i++)
		memcpy((char *)(s + i) + COPIED, (char *)s + COPIED,
		       NS_CACHELINE - COPIED);
	ns_run_publish(u, NS_KIND_SLAB);
	return s;
}

/* Deleted but for its run.  A stack that is taken as a whole: no ABA. */
static void
bury(struct ns_slab *s)
{
	struct kmem_cache *c = s->cache;
	struct ns_slab *top = ns_load_relaxed(&c->dead);

	do
		s->free = top;
	while (!ns_cas_release(&c->dead, &top, s));
}

/* All objects are free and the slab is the caller's. */
void
ns_slab_delete(struct ns_slab *s)
{
	if (ns_unlikely(ns_is_special(s->cache)))
		ns_debug_slab_gone(s);
	ns_store_relaxed(&s->owner, NULL);
	ns_store_relaxed(&s->parked, 0u);
	set_bounds(s, 0);
	ns_sub_relaxed(&depot_of(s)->total_slabs, 1ul);
	if ((s->cache->flags & SLAB_RECLAIM_ACCOUNT) != 0)
		ns_pool_count_reclaimable(s->slot, -(int64_t)s->cache->units);
	if (s->cache->dtor != NULL || ns_is_typesafe(s->cache))
		bury(s);
	else
		ns_run_free((struct ns_unit *)(void *)s, false);
}

void
ns_slab_dissolve(struct ns_slab *s)
{
	const struct kmem_cache *c = s->cache;

	for (uint32_t i = 0; c->dtor != NULL && i < s->carved; i++)
		c->dtor(s->first + (size_t)i * s->size);
	ns_run_free((struct ns_unit *)(void *)s, false);
}

void
ns_slabs_finish(struct kmem_cache *c)
{
	/* Pairs with the CAS in bury. */
	struct ns_slab *s = ns_xchg_acquire(&c->dead, NULL), *next;

	for (; s != NULL; s = next) {
		next = s->free;
		if (ns_is_typesafe(c))
			ns_rcu_defer(s);
		else
			ns_slab_dissolve(s);
	}
}

/*
 * Frees @n marked objects of a slab that is not the caller's.  NS_WAS_FULL:
 * the slab is FULL and nothing was done.
 */
enum ns_push
ns_slab_push(struct ns_slab *s, void **objs, unsigned n)
{
	uint64_t old = ns_load_relaxed(&s->remote), new;

	chain(s, objs, n);
	do {
		if (state_of(old) == FULL)
			return NS_WAS_FULL;
		ns_free_link(s->cache, objs[n - 1], head_of(s, old));
		new = make_word(s, state_of(old), objs[0], count_of(old) + n);
		/*
		 * Releases the links to collect, adopt and reap; acquires
		 * slab->depot from whoever made the state DEPOT.
		 */
	} while (!ns_cas_acq_rel(&s->remote, &old, new));
	/* A hint: by now the slab may be gone.  ns_depot_reap looks again. */
	return state_of(new) == DEPOT &&
		       count_of(new) == ns_load_relaxed(&s->carved)
		   ? NS_PUSHED_LAST
		   : NS_PUSHED;
}

/* Owner: takes the shared list, of *count objects. */
void *
ns_slab_collect(struct ns_slab *s, uint32_t *count)
{
	uint64_t word = ns_load_relaxed(&s->remote);

	*count = 0;
	if (count_of(word) == 0)
		return NULL;
	word = ns_xchg_acquire(&s->remote, make_word(s, OWNED, NULL, 0));
	ns_assert(state_of(word) == OWNED);
	*count = count_of(word);
	return head_of(s, word);
}

/* Owner: OWNED -> FULL.  False: somebody has freed an object meanwhile. */
bool
ns_slab_let_go_full(struct ns_slab *s)
{
	uint64_t empty = make_word(s, OWNED, NULL, 0);
	struct ns_heap *owner = s->owner;

	ns_assert(s->free == NULL && s->carved == s->nobj);
	ns_store_relaxed(&s->owner, NULL);
	if (ns_cas_release(&s->remote, &empty, make_word(s, FULL, NULL, 0)))
		return true;
	ns_store_relaxed(&s->owner, owner);
	return false;
}

/* FULL -> OWNED by the caller, who then sets slab->owner. */
bool
ns_slab_take_full(struct ns_slab *s)
{
	uint64_t full = make_word(s, FULL, NULL, 0);

	return ns_cas_acquire(&s->remote, &full, make_word(s, OWNED, NULL, 0));
}

static void
depot_insert(struct ns_depot *d, struct ns_slab *s)
{
	ns_list_append(&d->slabs, &s->link); /* adopted in order of age */
	ns_store_relaxed(&d->nslabs, d->nslabs + 1);
	ns_store_relaxed(&s->depot, d);
}

static void
depot_remove(struct ns_depot *d, struct ns_slab *s)
{
	ns_list_remove(&s->link);
	ns_store_relaxed(&d->nslabs, d->nslabs - 1);
	ns_store_relaxed(&s->depot, NULL);
}

void
ns_depot_init(struct ns_depot *d, struct kmem_cache *c, unsigned slot)
{
	ns_list_init(&d->slabs);
	d->cache = c;
	d->slot = slot;
	d->nslabs = 0;
	d->next_color = 0;
	d->total_slabs = 0;
	d->spilled = 0;
}

/* FULL -> DEPOT with @objs its only free objects.  False: no longer FULL. */
bool
ns_slab_full_to_depot(struct ns_slab *s, void **objs, unsigned n)
{
	uint64_t full = make_word(s, FULL, NULL, 0);
	struct ns_depot *d = depot_of(s);
	bool ok = false, last = s->nobj == n;

	chain(s, objs, n);
	ns_lock(&d->lock);
	if (state_of(ns_load_relaxed(&s->remote)) == FULL) {
		/* @objs keep the slab alive; the lock keeps depot ours. */
		ns_store_relaxed(&s->depot, d);
		ok = ns_cas_acq_rel(&s->remote, &full,
				    make_word(s, DEPOT, objs[0], n));
		if (ok)
			depot_insert(d, s);
		else
			ns_store_relaxed(&s->depot, NULL);
	}
	ns_unlock(&d->lock);
	if (ok && last)
		ns_depot_reap(s);
	return ok;
}

static void *
last_of(const struct ns_slab *s, void *list)
{
	void *next;

	while ((next = ns_free_next(s->cache, list)) != NULL)
		list = next;
	return list;
}

/*
 * Owner: OWNED -> DEPOT, what is free in front of the shared list, which
 * mostly is empty.  Depot locked.  True: all of it is free, and somebody is to
 * reap it.
 */
bool
ns_depot_put(struct ns_depot *d, struct ns_slab *s)
{
	uint64_t old = ns_load_relaxed(&s->remote), new;
	uint32_t carved = s->carved, mine = carved - s->used;
	void *head = s->free, *last = NULL, *rest;

	s->free = NULL;
	depot_insert(d, s);
	do {
		ns_assert(state_of(old) == OWNED);
		rest = head_of(s, old);
		if (head != NULL && last == NULL && rest != NULL)
			last = last_of(s, head);
		if (last != NULL)
			ns_free_link(s->cache, last, rest);
		new = make_word(s, DEPOT, head != NULL ? head : rest,
				count_of(old) + mine);
	} while (!ns_cas_acq_rel(&s->remote, &old, new));
	return count_of(new) == carved;
}

/* Owner: gives up a slab with free objects, uncarved ones included. */
void
ns_slab_own_to_depot(struct ns_slab *s)
{
	struct ns_depot *d = depot_of(s);
	bool all_free;

	ns_store_relaxed(&s->owner, NULL);
	ns_lock(&d->lock);
	all_free = ns_depot_put(d, s);
	ns_unlock(&d->lock);
	if (all_free)
		ns_depot_reap(s);
}

/* DEPOT -> OWNED; depot locked and listing the slab. */
void
ns_depot_take(struct ns_depot *d, struct ns_slab *s)
{
	uint64_t word;

	depot_remove(d, s);
	word = ns_xchg_acquire(&s->remote, make_word(s, OWNED, NULL, 0));
	s->free = head_of(s, word);
	s->used = (uint16_t)(s->carved - count_of(word));
}

/* A slab with free objects for the caller, who then sets its owner. */
struct ns_slab *
ns_depot_adopt(struct ns_depot *d)
{
	struct ns_slab *s = NULL;

	if (ns_load_relaxed(&d->nslabs) == 0)
		return NULL;
	ns_lock(&d->lock);
	if (!ns_list_empty(&d->slabs)) {
		s = ns_list_first(&d->slabs, struct ns_slab, link);
		ns_depot_take(d, s);
	}
	ns_unlock(&d->lock);
	if (s != NULL)
		ns_unpark(s);
	return s;
}

/* The same of @s, which an object of the caller's keeps.  False: too late. */
bool
ns_depot_adopt_this(struct ns_slab *s)
{
	struct ns_depot *d = depot_of(s);
	bool mine;

	ns_lock(&d->lock);
	mine = ns_load_relaxed(&s->depot) == d;
	if (mine)
		ns_depot_take(d, s);
	ns_unlock(&d->lock);
	if (mine)
		ns_unpark(s);
	return mine;
}

/* The caller saw the slab become all free.  Deletes it if that still holds. */
void
ns_depot_reap(struct ns_slab *s)
{
	struct ns_depot *d = ns_load_relaxed(&s->depot);
	bool mine = false;

	if (d == NULL)
		return;
	ns_lock(&d->lock);
	if (ns_load_relaxed(&s->depot) == d &&
	    count_of(ns_load_acquire(&s->remote)) == s->carved) {
		ns_depot_take(d, s);
		mine = true;
	}
	ns_unlock(&d->lock);
	if (mine)
		ns_slab_delete(s);
}

/* Deletes what nobody did: a fork()'s parent was about to, perhaps. */
void
ns_depot_clean(struct ns_depot *d)
{
	struct ns_list *l, *next, gone;
	struct ns_slab *s;

	ns_list_init(&gone);
	ns_lock(&d->lock);
	ns_list_for_each_safe (l, next, &d->slabs) {
		s = ns_container_of(l, struct ns_slab, link);
		if (count_of(ns_load_acquire(&s->remote)) != s->carved)
			continue;
		ns_depot_take(d, s);
		ns_list_push(&gone, &s->link);
	}
	ns_unlock(&d->lock);
	ns_list_for_each_safe (l, next, &gone)
		ns_slab_delete(ns_container_of(l, struct ns_slab, link));
}

/* Objects in the shared list: a moment's figure, for statistics. */
uint32_t
ns_slab_pending(const struct ns_slab *s, bool *unowned)
{
	uint64_t word = ns_load_relaxed(&s->remote);

	*unowned = state_of(word) != OWNED;
	return count_of(word);
}
