/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/heap.c - the slabs of a bin: where magazines are filled from, and
 * where their objects go.
 *
 * 1. A bin has a current slab, which it takes objects from, and a list of
 *    others that have free objects.  A slab with no free object at all is
 *    let go (slab.c: FULL), so that a thread's idleness holds nothing back.
 * 2. Whatever moves a slab is done under the heap's lock: by the owner, or
 *    for an owner that is gone or, in fork()'s child, was left behind.  The
 *    owner alone pushes on its slabs' lists, without the lock, in an order
 *    that leaves fork()'s child a good list.
 * 3. A full node: the request goes to the heaps of the other nodes in
 *    distance order (magazine.c), so a heap only ever has slabs of its own
 *    node, and the first allocation after room has come back is at home.
 * 4. Constructors run with no lock held, on objects that no list holds.
 * 5. A bin's first objects are *lent*: taken of a slab that stays in the depot,
 *    where threads share it.  So a class of which a thread uses only a few
 *    costs it those, and not a slab with pages that nothing else can use.
 *    Large ones are lent one at a time, and go home when they are freed.
 */
#include "slab/fast.h"

#include <string.h>

#define CARVE_BYTES 4096u
#define CARVE_MIN   2u
#define KEEP_UNITS  4u /* an empty slab up to this long may stay in a bin */

void
ns_heap_reset(struct ns_heap *h, unsigned slot)
{
	unsigned i, n = (unsigned)ns_max(h->nbins, NS_NCLASS);

	ns_lock_init(&h->lock, NS_RANK_HEAP);
	h->slot = slot;
	h->node = ns_topo.node_of_slot[slot];
	h->window = ns_window_of(slot);
	h->cpu_word = &h->cpu;
	h->spare = NULL;
	h->frees = 0;
	h->far = &ns_heap_none;
	h->ticks = h->seen = h->allowed = 0;
	h->passing = 0;
	h->self = h;
	h->rest = NS_ACTIVE;
	h->young = 0;
	h->arrays = NS_UNIT;
	memcpy(h->bin_of, ns_bin_map, sizeof(h->bin_of));
	for (i = 0; i < n; i++)
		ns_bin_reset(&h->bin[i]);
	h->nbins = n;
	h->bins_end = ns_bin_offset(n);
}

/* Taking. */

/* Takes what others freed into slab->free. */
static bool
absorb(struct ns_slab *s)
{
	void *list, *last, *p;
	uint32_t n;

	list = ns_slab_collect(s, &n);
	if (n == 0)
		return false;
	if (s->free != NULL) {
		for (last = p = list; p != NULL; p = ns_free_next(s->cache, p))
			last = p;
		ns_free_link(s->cache, last, s->free);
	}
	s->free = list;
	s->used = (uint16_t)(s->used - n);
	return true;
}

/*
 * pop and carve put at most @want objects below @end, the first lowest in
 * address or last freed on top, as the magazine hands them out.
 */
static unsigned
pop(struct ns_slab *s, void **end, unsigned want)
{
	const struct kmem_cache *c = s->cache;
	void *p = s->free;
	unsigned n;

	for (n = 0; n < want && p != NULL; n++) {
		*--end = p;
		p = ns_free_next(c, p);
	}
	ns_store_release(&s->free, p);
	s->used = (uint16_t)(s->used + n);
	return n;
}

/*
 * Memory that was never touched costs nothing until it is: of that a page's
 * worth, and more than one, for the next allocation would be slow again.
 */
static unsigned
carve(struct ns_heap *h, struct ns_slab *s, void **end, unsigned want)
{
	struct kmem_cache *c = s->cache;
	char *p = s->first + (size_t)s->carved * s->size;
	unsigned i, n = (unsigned)ns_min(s->nobj - s->carved, want);
	uint64_t mark = s->mark;

	if ((s->zero && s->carved >= s->marked) || c->ctor != NULL)
		n = (unsigned)ns_min(n,
				     ns_max(CARVE_BYTES / s->size, CARVE_MIN));
	s->used = (uint16_t)(s->used + n);
	ns_slab_set_carved(s, s->carved + n);
	if (c->ctor != NULL) {
		ns_unlock(&h->lock);
		ns_cache_construct(c, p, n);
		ns_lock(&h->lock);
	}
	for (i = 0; i < n; i++, p += s->size) {
		ns_free_of(c, p)->mark = mark;
		*--end = p;
	}
	return n;
}

static void
own(struct ns_heap *h, struct ns_slab *s)
{
	ns_store_relaxed(&s->owner, h);
}

/* The next slab to take from: the bin's, the depot's, or a new one. */
static struct ns_slab *
next_slab(struct ns_heap *h, struct ns_bin *bin, struct kmem_cache *c,
	  unsigned flags)
{
	struct ns_slab *s;

	if (!ns_list_empty(&bin->slabs)) {
		s = ns_list_first(&bin->slabs, struct ns_slab, link);
		ns_list_remove(&s->link);
		return s;
	}
	s = ns_depot_adopt(&c->depots[h->slot]);
	if (s == NULL)
		s = ns_slab_new(c, h->slot, flags | NS_RUN_STRICT);
	if (s != NULL)
		own(h, s);
	return s;
}

/* Takes objects of a slab that is the caller's while the depot is locked. */
static unsigned
borrow(struct ns_depot *d, struct ns_slab *s, void **out, unsigned want)
{
	unsigned n = pop(s, out + want, want);

	if (n < want && s->carved < s->nobj)
		n += carve(NULL, s, out + want - n, want - n);
	if (s->free != NULL || s->carved < s->nobj || !ns_slab_let_go_full(s)) {
		ns_depot_put(d, s); /* what is borrowed is in use */
		ns_list_remove(&s->link);
		ns_list_push(&d->slabs, &s->link);
	}
	return n;
}

/* For a bin that has no slab: of one in the depot, and of the same again. */
static unsigned
lend(struct ns_heap *h, struct kmem_cache *c, unsigned flags, void **out,
     unsigned want)
{
	struct ns_depot *d = &c->depots[h->slot];
	struct ns_slab *s = NULL;
	unsigned n;

	if (ns_load_relaxed(&d->nslabs) == 0) {
		s = ns_slab_new(c, h->slot, flags | NS_RUN_STRICT);
		if (s == NULL)
			return 0;
	}
	ns_lock(&d->lock);
	if (s == NULL && !ns_list_empty(&d->slabs)) {
		s = ns_list_first(&d->slabs, struct ns_slab, link);
		ns_depot_take(d, s);
		ns_unpark(s);
	}
	n = s != NULL ? borrow(d, s, out, want) : 0;
	ns_unlock(&d->lock);
	return n;
}

/* More than the bin has is asked of others only for the first object. */
unsigned
ns_heap_take(struct ns_heap *h, struct kmem_cache *c, unsigned flags,
	     void **out, unsigned want)
{
	struct ns_bin *bin = ns_bin_of(h, c);
	struct ns_slab *s;
	unsigned n = 0;

	if (ns_bin_is_young(bin, c) &&
	    (n = lend(h, c, flags, out, want)) != 0) {
		bin->lent = ns_min(bin->lent + n, NS_LENT_MAX) & NS_LENT_MAX;
		ns_copy_pointers(out, out + want - n, n);
		return n;
	}
	while (n < want) {
		s = bin->current;
		if (s == NULL) {
			if (n > 0 && ns_list_empty(&bin->slabs))
				break;
			s = bin->current = next_slab(h, bin, c, flags);
			if (s == NULL)
				break;
		}
		ns_unpark(s);
		n += pop(s, out + want - n, want - n);
		if (n == want || absorb(s))
			continue;
		if (s->carved < s->nobj) {
			n += carve(h, s, out + want - n, want - n);
			break;
		}
		if (ns_slab_let_go_full(s))
			bin->current = NULL;
	}
	if (n < want)
		ns_copy_pointers(out, out + want - n, n);
	return n;
}

/* Giving. */

/* As if new: carving is faster than a list in random order. */
static void
renew(struct ns_slab *s)
{
	if (s->cache->ctor != NULL || ns_is_typesafe(s->cache))
		return;
	ns_store_release(&s->free, NULL);
	ns_store_relaxed(&s->parked, 0u);
	ns_slab_set_carved(s, 0);
}

/*
 * Nothing of the slab is in use.  In a bin whose magazine has earned more than
 * it had at first (magazine.c, 3), the current slab stays, and one short slab
 * behind it, so that a program that goes back and forth over a slab's edge
 * makes none.  In a watched cache as well, for its free objects are evidence.
 */
static void
emptied(struct ns_heap *h, struct ns_slab *s)
{
	struct ns_bin *bin = &h->bin[s->cache->id];
	bool current = bin->current == s;

	if ((bin->allow > s->cache->start || ns_is_special(s->cache)) &&
	    (current ||
	     (s->link.next == s->link.prev && s->nunits <= KEEP_UNITS))) {
		renew(s);
		return;
	}
	if (current)
		bin->current = NULL;
	else
		ns_list_remove(&s->link);
	ns_slab_delete(s);
}

/*
 * The slab leaves the heap for good.  The count is made anew: an owner that
 * fork() left behind may have lost an object on its way.
 */
static void
give_up(struct ns_slab *s)
{
	void *p;

	ns_unpark(s);
	do {
		absorb(s);
		s->used = (uint16_t)s->carved;
		for (p = s->free; p != NULL; p = ns_free_next(s->cache, p))
			s->used--;
		if (s->used == 0) {
			ns_slab_delete(s);
			return;
		}
		if (s->free != NULL || s->carved < s->nobj) {
			ns_slab_own_to_depot(s);
			return;
		}
	} while (!ns_slab_let_go_full(s));
}

/* From the owner's fast path, which holds no lock, and is passing. */
void
ns_heap_emptied(struct ns_heap *h, struct ns_slab *s)
{
	struct kmem_cache *c = s->cache;

	ns_store_release(&h->passing, 0u);
	ns_lock(&h->lock);
	emptied(h, s);
	ns_unlock(&h->lock);
	ns_slabs_settle(c);
}

/*
 * At each slab a heap adopts it looks at its two oldest: one that others
 * have emptied meanwhile is deleted, and a thread that frees but does not
 * allocate from this cache, or its magazine had earned more, passes them on. So
 * what a consumer holds stays bounded although nobody wakes it.
 */
static void
sweep(struct ns_heap *h, struct ns_bin *bin)
{
	bool passing_on = h != ns_home || bin->current == NULL;

	struct ns_slab *s;

	for (int i = 0; i < 2; i++) {
		if (bin->slabs.prev == bin->slabs.next)
			return;
		s = ns_container_of(bin->slabs.prev, struct ns_slab, link);
		ns_list_remove(&s->link);
		absorb(s);
		if (s->used == 0 ||
		    (passing_on && bin->allow <= s->cache->start))
			give_up(s);
		else
			ns_list_push(&bin->slabs, &s->link);
	}
}

/*
 * May a heap have full slabs?  The home heap; and another of the thread's that
 * it allocates such objects from.
 */
static bool
may_have_full(struct ns_heap *h, const struct ns_slab *s)
{
	return h != NULL &&
	       (h == ns_home || (h->thread == ns_home->thread &&
				 ns_bin_of(h, s->cache)->current != NULL));
}

/* The first free into a full slab of the node: the heap has it now. */
static bool
adopt_full(struct ns_heap *h, struct ns_slab *s)
{
	struct ns_bin *bin;

	if (!ns_slab_take_full(s))
		return false;
	own(h, s);
	bin = ns_bin_of(h, s->cache);
	sweep(h, bin);
	ns_list_push(&bin->slabs, &s->link);
	return true;
}

/*
 * The caller frees objects of a slab that has pages parked, and keeps it by
 * one of them: it shall not be idle any more, whosever it is.  No lock held.
 */
void
ns_heap_wake(struct ns_heap *h, struct ns_slab *s)
{
	struct ns_heap *owner;

	/* It keeps the owner's heap; who holds it may trim for long. */
	if (!ns_trylock(&ns_registry_lock))
		return;
	owner = ns_load_relaxed(&s->owner);
	if (owner != NULL) {
		ns_lock(&owner->lock);
		if (ns_load_relaxed(&s->owner) == owner &&
		    (owner == h || ns_heap_halt(owner))) {
			ns_unpark(s);
			ns_heap_go_on(owner);
		}
		ns_unlock(&owner->lock);
	} else if (h == ns_home && ns_depot_adopt_this(s)) {
		ns_lock(&h->lock);
		own(h, s);
		ns_list_push(&ns_bin_of(h, s->cache)->slabs, &s->link);
		ns_unlock(&h->lock);
	}
	ns_unlock(&ns_registry_lock);
}

/* It allocates from the cache, but so little that it shall have no slab. */
static bool
borrows(struct ns_heap *h, const struct ns_slab *s)
{
	const struct ns_bin *bin = ns_bin_of(h, s->cache);

	return bin->lent != 0 && ns_bin_is_young(bin, s->cache);
}

/* Objects of one slab that was not the heap's a moment ago. */
static void
give_others(struct ns_heap *h, struct ns_slab *s, void **objs, unsigned n)
{
	for (;;) {
		switch (ns_slab_push(s, objs, n)) {
		case NS_PUSHED_LAST:
			ns_depot_reap(s);
			return;
		case NS_PUSHED:
			return;
		case NS_WAS_FULL:
			if (!may_have_full(h, s) || borrows(h, s)) {
				if (ns_slab_full_to_depot(s, objs, n))
					return;
			} else if (adopt_full(h, s)) {
				ns_heap_give(h, objs, n);
				return;
			}
		}
	}
}

/* The first @n that are of the heap's own slab @s: how many those were. */
static unsigned
give_own(struct ns_heap *h, struct ns_slab *s, void **objs, unsigned n)
{
	const struct kmem_cache *c = s->cache;
	void *head = s->free;
	unsigned i = 0;

	do {
		ns_free_link(c, objs[i], head);
		head = objs[i];
	} while (++i < n && ns_slab_of(objs[i]) == s);
	ns_store_release(&s->free, head); /* in order, for fork's child */
	s->used = (uint16_t)(s->used - i);
	if (s->used == 0)
		emptied(h, s);
	return i;
}

void
ns_heap_give(struct ns_heap *h, void **objs, unsigned n)
{
	struct ns_slab *s;
	unsigned i;

	for (; n > 0; objs += i, n -= i) {
		s = ns_slab_of(objs[0]);
		if (h != NULL && ns_load_relaxed(&s->owner) == h) {
			i = give_own(h, s, objs, n);
			continue;
		}
		for (i = 1; i < n && ns_slab_of(objs[i]) == s; i++)
			;
		give_others(h, s, objs, i);
	}
}

static bool
may_go(const struct ns_slab *s)
{
	return s->used == 0 && !ns_is_special(s->cache);
}

/*
 * Takes back what others freed into the slabs of an owner that sleeps, and
 * deletes those that are all free, unless they are watched.  Heap locked, and
 * the owner kept out.  False: *@work, which counts these, is @most.
 */
bool
ns_heap_collect(struct ns_heap *h, unsigned *work, unsigned most)
{
	struct ns_list *l, *next;

	for (unsigned i = 1; i < h->nbins; i++) {
		struct ns_bin *bin = &h->bin[i];
		struct ns_slab *s = bin->current;

		if (s != NULL && absorb(s) && may_go(s)) {
			bin->current = NULL;
			ns_slab_delete(s);
			(*work)++;
		}
		ns_list_for_each_safe (l, next, &bin->slabs) {
			if (*work >= most)
				return false;
			s = ns_container_of(l, struct ns_slab, link);
			if (!absorb(s) || !may_go(s))
				continue;
			ns_list_remove(&s->link);
			ns_slab_delete(s);
			(*work)++;
		}
	}
	return true;
}

/* Gives up all of a bin. */
static void
drain(struct ns_heap *h, struct ns_bin *bin)
{
	struct ns_slab *s;

	ns_bin_retire(h, bin); /* it may be another cache's soon */
	s = bin->current;
	if (s != NULL)
		give_up(s);
	while (!ns_list_empty(&bin->slabs)) {
		s = ns_list_first(&bin->slabs, struct ns_slab, link);
		ns_list_remove(&s->link);
		give_up(s);
	}
	bin->current = NULL;
}

/*
 * Everything a heap has of @c, or of every cache when it is NULL, goes to
 * nobody: empty slabs to the pool, others to their depots.  The caller holds
 * the lock and is the owner, or knows that the owner is gone or keeps away.
 */
void
ns_heap_abandon(struct ns_heap *h, const struct kmem_cache *c)
{
	if (c != NULL) {
		drain(h, ns_bin_of(h, c));
		return;
	}
	for (unsigned i = 1; i < h->nbins; i++)
		drain(h, &h->bin[i]);
	ns_hold_release(&h->hold);
}
