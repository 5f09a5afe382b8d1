/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/heap.c - bins: refilling one, and the frees that are not a push.
 *
 * 1. Allocation pops the free list of the bin's current slab; a free by the
 *    owner pushes there or onto another slab of the bin's list, each of which
 *    has free objects.  A slab with no free object at all is let go (slab.c:
 *    FULL), so that a thread's idleness holds nothing back.
 * 2. heap->lock is taken by the owner in every function here that moves a
 *    slab, and by fork() and the registry.  The fast paths take nothing:
 *    whoever else holds the lock may read the lists but not rely on them,
 *    unless the owner is gone.
 * 3. A full node: the request goes to the heaps of the other nodes in
 *    distance order, so a heap only ever has slabs of its own node, and the
 *    first allocation after room has come back is at home again.
 * 4. Constructors run with no lock held, on objects not yet in any list.
 */
#include "slab/fast.h"

#include <errno.h>
#include <string.h>

/*
 * Objects carved at a time.  Memory that was never touched costs nothing
 * until it is carved: a page's worth.  Resident memory is carved by the
 * dozen.  Never one: a list of one object is popped the slow way.
 */
#define CARVE_BYTES 4096u
#define CARVE_MIN   2u
#define CARVE_DIRTY 32u
#define STASH_UNITS 1u /* what a stashed object may keep from being freed */
#define KEEP_UNITS  4u /* an empty slab up to this long may stay in a bin */

const struct ns_free ns_none = { ~0ul, ~0ul };
struct ns_slab ns_slab_none = { .free = (void *)&ns_none };

void
ns_bad_free(const void *p, const char *why)
{
	struct ns_unit *u = ns_run_of(p);
	const struct kmem_cache *c = NULL;

	if (u != NULL && u->kind == NS_KIND_SLAB)
		c = ((struct ns_slab *)(void *)u)->cache;
	ns_fatal("invalid free of %p: %s (cache %s, node %d)", p, why,
		 c != NULL ? c->name : "none", numaslab_node_of(p));
}

void
ns_bad_link(const struct kmem_cache *c, const void *obj)
{
	ns_fatal("corrupted free list: %p was written to after it was freed "
		 "(cache %s, node %d)",
		 obj, c->name, numaslab_node_of(obj));
}

static void
bin_reset(struct ns_bin *bin, unsigned id)
{
	bin->current = id == 0 ? &ns_slab_none : &ns_cache_of_id[id]->empty;
	ns_list_init(&bin->slabs);
	bin->stash = NULL;
}

void
ns_heap_reset(struct ns_heap *h, unsigned slot)
{
	size_t i;

	ns_lock_init(&h->lock, NS_RANK_HEAP);
	h->slot = slot;
	h->cpu_word = &h->cpu;
	h->spare = NULL;
	h->frees = 0;
	memcpy(h->bin_of, ns_bin_map, sizeof(h->bin_of));
	for (i = 0; i < ns_max(h->nbins, NS_NCLASS); i++)
		bin_reset(&h->bin[i], (unsigned)i);
	h->nbins = (uint32_t)ns_max(h->nbins, NS_NCLASS);
}

/* The bin, fit for use: a heap knows only the bins it has touched. */
static struct ns_bin *
bin_of(struct ns_heap *h, const struct kmem_cache *c)
{
	while (ns_unlikely(h->nbins <= c->id)) {
		bin_reset(&h->bin[h->nbins], h->nbins);
		ns_owner_add(&h->nbins, 1);
	}
	return &h->bin[c->id];
}

/* As ns_bin_pop, but takes the last object too and says what is wrong. */
static void *
pop(struct ns_slab *s, const struct kmem_cache *c)
{
	void *obj = s->free;

	if (obj == ns_end(c))
		return NULL;
	s->free = ns_slab_next(s, obj);
	s->used++;
	ns_free_of(c, obj)->mark = 0;
	return obj;
}

static void
own(struct ns_heap *h, struct ns_slab *s)
{
	ns_store_relaxed(&s->owner, (uintptr_t)h + s->cache->owner_tag);
}

/* Takes what others freed into slab->free. */
static bool
absorb(struct ns_slab *s)
{
	void *list, *last, *p;
	uint32_t n;

	list = ns_slab_collect(s, &n);
	if (n == 0)
		return false;
	if (s->free != ns_end(s->cache)) {
		for (last = p = list; p != ns_end(s->cache);
		     p = ns_slab_next(s, p))
			last = p;
		ns_free_of(s->cache, last)->link =
		    (uintptr_t)s->free ^ (uintptr_t)last ^ ns_key;
	}
	s->free = list;
	s->used -= n;
	return true;
}

static bool
carve(struct ns_heap *h, struct ns_slab *s)
{
	struct kmem_cache *c = s->cache;
	uint32_t least = s->zero ? CARVE_MIN : CARVE_DIRTY;
	uint32_t n = (uint32_t)ns_min(s->nobj - s->carved,
				      ns_max(CARVE_BYTES / s->size, least));

	if (n == 0)
		return false;
	if (c->ctor != NULL) {
		ns_unlock(&h->lock);
		for (uint32_t i = 0; i < n; i++)
			c->ctor(s->first + (size_t)(s->carved + i) * s->size);
		ns_lock(&h->lock);
	}
	ns_slab_carve(s, n);
	return true;
}

/* Gives the current slab free objects, or lets it go. */
static bool
feed(struct ns_heap *h, struct ns_bin *bin)
{
	struct ns_slab *s = bin->current;

	if (s->cache == NULL) /* the empty slab */
		return false;
	if (absorb(s) || carve(h, s))
		return true;
	if (!ns_slab_let_go_full(s))
		return absorb(s);
	bin->current = &s->cache->empty;
	return false;
}

/* The next slab to feed from: the bin's, the depot's, or a new one. */
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

static void *
alloc_from(struct ns_heap *h, struct kmem_cache *c, unsigned flags)
{
	struct ns_bin *bin;
	struct ns_slab *s;
	void *obj;

	ns_lock(&h->lock);
	bin = bin_of(h, c);
	while ((obj = pop(bin->current, c)) == NULL) {
		if (feed(h, bin))
			continue;
		s = next_slab(h, bin, c, flags);
		if (s == NULL)
			break;
		bin->current = s;
	}
	/* One more in the list, so that the next pair is a fast one. */
	s = bin->current;
	if (obj != NULL && s->free == ns_end(c) && !absorb(s))
		carve(h, s);
	ns_unlock(&h->lock);
	return obj;
}

/* From this heap and no other, even past its node's limit. */
void *
ns_heap_alloc(struct ns_heap *h, struct kmem_cache *c)
{
	void *obj = alloc_from(h, c, 0);

	return obj != NULL ? obj : alloc_from(h, c, NS_RUN_OWN);
}

/* Other nodes by distance; then past the limits that nobody asked for. */
static void *
alloc_spilled(struct ns_heap *home, struct kmem_cache *c)
{
	const uint8_t *order = ns_topo_order(home->slot);
	struct ns_heap *h;
	void *obj;
	unsigned i;

	for (i = 1; i < ns_topo.nslots; i++) {
		if (!ns_policy_permits(order[i]))
			continue;
		h = ns_heap_get(order[i]);
		obj = h != NULL ? alloc_from(h, c, 0) : NULL;
		if (obj != NULL) {
			ns_pool_count_spill(order[i], c->size);
			return obj;
		}
	}
	return alloc_from(home, c, NS_RUN_OVER);
}

static void *unstash(struct ns_heap *h, const struct kmem_cache *c);

/*
 * The slow path of every allocation from a cache.  @slot NS_NO_SLOT: home.
 */
void *
ns_cache_alloc(struct kmem_cache *c, unsigned slot, gfp_t gfp)
{
	struct ns_heap *h;
	void *obj = NULL;

	h = slot == NS_NO_SLOT ? ns_heap_home() : ns_heap_get(slot);
	if (h != NULL) {
		obj = unstash(h, c);
		if (obj != NULL)
			return obj;
		obj = alloc_from(h, c, 0);
		if (ns_unlikely(obj == NULL) && (gfp & __GFP_THISNODE) == 0)
			obj = alloc_spilled(h, c);
	}
	if (ns_unlikely(obj == NULL)) {
		errno = ENOMEM;
		return NULL;
	}
	ns_maint_poke();
	return obj;
}

/* Frees. */

/*
 * The owner's free made used 0: nothing of the slab is in use.  The current
 * slab stays, and one short slab behind it, so that a program that goes back
 * and forth over a slab's edge makes none.
 */
void
ns_slab_emptied(struct ns_slab *s)
{
	struct ns_heap *h = (struct ns_heap *)(s->owner - s->cache->owner_tag);

	if (h->bin[s->cache->id].current == s ||
	    (s->link.next == s->link.prev && s->nunits <= KEEP_UNITS))
		return;
	ns_lock(&h->lock);
	ns_list_remove(&s->link);
	ns_slab_delete(s);
	ns_unlock(&h->lock);
}

static void
push_own(struct ns_slab *s, void *obj)
{
	if (!ns_slab_push_own(s, obj, s->cache->link_off))
		ns_bad_free(obj, "already free");
	if (--s->used == 0)
		ns_slab_emptied(s);
}

/*
 * Owner, locked: the slab leaves the heap for good.  The count is made anew:
 * the owner may have ended, or been left behind by fork(), inside a push or
 * a pop, which at worst has lost that object.
 */
static void
give_up(struct ns_slab *s)
{
	void *p, *end = ns_end(s->cache);

	do {
		absorb(s);
		s->used = s->carved;
		for (p = s->free; p != end; p = ns_slab_next(s, p))
			s->used--;
		if (s->used == 0) {
			ns_slab_delete(s);
			return;
		}
		if (s->free != end || s->carved < s->nobj) {
			ns_slab_own_to_depot(s);
			return;
		}
	} while (!ns_slab_let_go_full(s));
}

/*
 * At each slab a heap adopts it looks at its two oldest: one that others
 * have emptied meanwhile is deleted, and a thread that frees but does not
 * allocate from this cache passes them on.  So what a consumer holds stays
 * bounded although nobody wakes it.
 */
static void
sweep(struct ns_bin *bin)
{
	struct ns_slab *s;

	for (int i = 0; i < 2; i++) {
		if (bin->slabs.prev == bin->slabs.next)
			return;
		s = ns_container_of(bin->slabs.prev, struct ns_slab, link);
		ns_list_remove(&s->link);
		absorb(s);
		if (s->used == 0 || bin->current->cache == NULL)
			give_up(s);
		else
			ns_list_push(&bin->slabs, &s->link);
	}
}

/* The first free into a full slab: it becomes ours, or its depot's. */
static bool
free_into_full(struct ns_heap *h, struct ns_slab *s, void *obj)
{
	struct ns_bin *bin;

	if (h->thread == NULL || h->slot != ns_slot_of(obj))
		return ns_slab_full_to_depot(s, obj);
	ns_lock(&h->lock);
	if (!ns_slab_take_full(s)) {
		ns_unlock(&h->lock);
		return false;
	}
	own(h, s);
	bin = bin_of(h, s->cache);
	sweep(bin);
	ns_list_push(&bin->slabs, &s->link);
	ns_unlock(&h->lock);
	push_own(s, obj);
	return true;
}

static bool
is_mine(const struct ns_heap *h, const struct ns_slab *s)
{
	const struct ns_heap *owner;

	owner = (const struct ns_heap *)(ns_load_relaxed(&s->owner) & ~1ul);
	return owner != NULL && h->thread != NULL &&
	       ns_load_relaxed(&owner->thread) == h->thread;
}

/* Puts an unmarked object into a free list, whoever's that is. */
static void
release(struct ns_heap *h, struct ns_slab *s, void *obj)
{
	if (is_mine(h, s)) {
		push_own(s, obj);
		return;
	}
	for (;;) {
		switch (ns_slab_push(s, obj)) {
		case NS_PUSHED_LAST:
			ns_depot_reap(s);
			return;
		case NS_PUSHED:
			return;
		case NS_WAS_FULL:
			if (free_into_full(h, s, obj))
				return;
		}
	}
}

/*
 * A program that keeps the number of its objects frees into one full slab
 * after another, and allocates in between.  Its slabs need not change hands
 * for that: the object waits in the bin's stash for the next allocation.
 * Returns the object to release instead, or NULL.
 */
static void *
stash(struct ns_heap *h, struct ns_slab *s, void *obj)
{
	struct ns_bin *bin;
	void *old;

	if (h->slot != ns_slot_of(obj) || s->nunits > STASH_UNITS ||
	    s->cache->id >= h->nbins || !ns_slab_is_full(s))
		return obj;
	bin = &h->bin[s->cache->id];
	old = bin->stash;
	ns_free_of(s->cache, obj)->mark = (uintptr_t)s;
	bin->stash = obj;
	if (old != NULL)
		ns_free_of(s->cache, old)->mark = 0;
	return old;
}

static void *
unstash(struct ns_heap *h, const struct kmem_cache *c)
{
	struct ns_bin *bin = &h->bin[c->id];
	void *obj;

	if (c->id >= h->nbins || bin->stash == NULL)
		return NULL;
	obj = bin->stash;
	bin->stash = NULL;
	ns_free_of(c, obj)->mark = 0;
	return obj;
}

static void
check_object(const struct ns_slab *s, void *obj)
{
	if (!ns_is_object(s, obj) || (char *)obj < s->first ||
	    (char *)obj >= s->first + (size_t)s->nobj * s->size)
		ns_bad_free(obj, "not the start of an object");
	if (ns_free_of(s->cache, obj)->mark == (uintptr_t)s)
		ns_bad_free(obj, "already free");
}

/* Frees an object of @s, whoever owns it. */
void
ns_slab_free(struct ns_slab *s, void *obj)
{
	struct ns_heap *h = ns_home;

	check_object(s, obj);
	ns_count_free(obj);
	obj = stash(h, s, obj);
	if (obj != NULL)
		release(h, ns_slab_of(obj), obj);
}

/* The stash goes where it would have gone; the heap adopts nothing now. */
static void
drain_stash(struct ns_heap *h, struct ns_bin *bin)
{
	void *obj = bin->stash;
	struct ns_slab *s;

	if (obj == NULL)
		return;
	bin->stash = NULL;
	s = ns_slab_of(obj);
	ns_free_of(s->cache, obj)->mark = 0;
	if (s->owner == (uintptr_t)h + s->cache->owner_tag) {
		ns_slab_push_own(s, obj, s->cache->link_off);
		s->used--; /* its slab is about to be given up */
		return;
	}
	for (;;) {
		switch (ns_slab_push(s, obj)) {
		case NS_PUSHED_LAST:
			ns_depot_reap(s);
			return;
		case NS_PUSHED:
			return;
		case NS_WAS_FULL:
			if (ns_slab_full_to_depot(s, obj))
				return;
		}
	}
}

/* Gives up all slabs of a bin. */
static void
drain(struct ns_heap *h, struct ns_bin *bin)
{
	struct ns_slab *s;

	drain_stash(h, bin);
	s = bin->current;
	if (s->cache != NULL)
		give_up(s);
	while (!ns_list_empty(&bin->slabs)) {
		s = ns_list_first(&bin->slabs, struct ns_slab, link);
		ns_list_remove(&s->link);
		give_up(s);
	}
	bin_reset(bin, (unsigned)(bin - h->bin));
}

/*
 * Everything a heap has of @c, or of every cache when it is NULL, goes to
 * nobody: empty slabs to the pool, others to their depots.  The caller holds
 * the lock and is the owner, or knows that the owner is gone or keeps away.
 */
void
ns_heap_abandon(struct ns_heap *h, const struct kmem_cache *c)
{
	struct ns_bin *bin;

	if (c != NULL) {
		drain(h, bin_of(h, c));
		return;
	}
	for (bin = h->bin; bin < h->bin + h->nbins; bin++)
		drain(h, bin);
}
