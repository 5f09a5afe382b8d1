/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/magazine.c - what a heap keeps at hand between a program and slabs.
 *
 * 1. A bin's magazine is an array of free objects that lie on the heap's
 *    node, in slabs of this heap or any other.  So blocks that threads of a
 *    node pass to and fro cost no atomic operation: the next allocation of
 *    the thread that freed them takes them.
 * 2. An empty magazine is refilled from slabs, with twice as many objects as
 *    the last time.  A full one gives its older half back, a run of objects of
 *    one slab at a time.  But when it was an object of an own slab that found
 *    it full, the program frees more than it will soon need: then the magazine
 *    is *closed*: it gives back everything, and frees pass it by, right into
 *    their slabs, until the next refill.  Mass frees leave whole slabs empty.
 *    One that may not grow lets as many pass as it holds before it is closed.
 *    When objects were lent (heap.c, 5) they are nobody's: then it goes on with
 *    room for a few, so that many go back at once.
 * 3. How much a magazine may hold is earned.  It starts with c->start objects,
 *    and twice as many each time it is refilled after it was closed, for then
 *    the program does come back.  So a thread that does something once and
 *    then waits holds little, and a loop has all that it uses at hand, up to
 *    ALLOWED_MAX bytes in all magazines of a heap.  Arrays
 *    lie in the heap, a short one or one of HEAP_WORDS, and stay with their
 *    bins; one for more than that is a unit, as long as it is used.
 *    A thread's first few frees of a class it never allocated go home, not
 *    into a magazine: it shall not share cache lines with whose they were.
 * 4. An object in a magazine keeps its slab from being freed.  So at every
 *    TICK_EVERYth slow path the heap looks at its next bin, and gives back all
 *    of one in which nothing has moved since the last look.
 * 5. The same holds on other nodes than home, where the thread has a heap
 *    because it asked for memory there by name, or home was there, or, after
 *    FAR_FREES frees, to send home together what it frees.  A fast path looks
 *    at the home heap and at heap->far, the other one used last; the next
 *    slower one makes another heap that.  But a thread shall not hoard memory
 *    of other nodes that only their own threads use: what lies in a bin with no
 *    current slab, from which nothing is allocated then, is FAR_FEW objects at
 *    most, of which all go home when there is one more; frees earn nothing in
 *    other bins either, and full slabs are for those who allocate (heap.c).
 * 6. top is moved by the owner without a lock, by one store, after the item;
 *    so fork()'s child finds every magazine whole.  Everything else is
 *    under the heap's lock.
 */
#include "slab/debug.h"
#include "slab/fast.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define REFILL_MAX  128u
#define TICK_EVERY  4u
#define HEAP_WORDS  1024u
#define NEAR_BYTES  512u
#define ALLOWED_MAX (8u << 20)
#define FEW_BYTES   1024u
#define FOREIGN_FEW 16u  /* frees before a bin that only frees has an array */
#define FAR_FREES   256u /* and before a thread that only frees has a heap */
#define FAR_FEW     32u  /* objects that go home together then */

static void *none[1]; /* an array without room */

/* Its CPU never matches and its window is empty: every use is a slow one. */
struct ns_heap ns_heap_none = {
	.cpu_word = &(const uint32_t){ 0 },
	.cpu = 1,
	.slot = NS_NO_SLOT,
	.node = NUMA_NO_NODE,
	.far = &ns_heap_none,
	.bin_of = { [0 ... NS_DIRECT_MAX / 16] = NS_HEAP_HEADER },
	.bin = { { .top = none, .limit = none, .items = none } },
};

void
ns_bad_link(const struct kmem_cache *c, const void *obj)
{
	ns_fatal("corrupted free list: %p was written to after it was freed "
		 "(cache %s, node %d)",
		 obj, c->name, numaslab_node_of(obj));
}

void
ns_bin_reset(struct ns_bin *bin)
{
	bin->items = bin->limit = none;
	ns_store_relaxed(&bin->top, none);
	bin->current = NULL;
	ns_list_init(&bin->slabs);
	bin->words = bin->seen = bin->allow = bin->batch = 0;
	bin->passes = bin->base = 0;
	bin->size = bin->lent = 0;
}

/* The bin, fit for use: a heap knows only the bins it has touched. */
struct ns_bin *
ns_bin_of(struct ns_heap *h, const struct kmem_cache *c)
{
	while (ns_unlikely(h->nbins <= c->id)) {
		ns_bin_reset(&h->bin[h->nbins]);
		ns_owner_add(&h->nbins, 1);
		h->bins_end = ns_bin_offset(h->nbins);
	}
	h->bin[c->id].size = c->size; /* ids are used again */
	return &h->bin[c->id];
}

/* Gives the @n oldest objects back. */
static void
flush(struct ns_heap *h, struct ns_bin *bin, size_t n)
{
	size_t left = (size_t)(bin->top - bin->items) - n;

	ns_heap_give(h, bin->items + 1, (unsigned)n);
	memmove(bin->items + 1, bin->items + 1 + n, left * sizeof(void *));
	ns_store_relaxed(&bin->top, bin->items + left);
}

static void
flush_all(struct ns_heap *h, struct ns_bin *bin)
{
	flush(h, bin, (size_t)(bin->top - bin->items));
}

/* Gives all back, and closes. */
static void
shut(struct ns_heap *h, struct ns_bin *bin)
{
	flush_all(h, bin);
	bin->limit = bin->items;
	bin->passes = INT16_MAX;
}

void
ns_magazines_flush(void)
{
	struct ns_thread *t = ns_home->thread;
	struct ns_heap *h;

	ns_heap_for_each (h, t) {
		ns_lock(&h->lock);
		for (unsigned i = 1; i < h->nbins; i++)
			flush_all(h, &h->bin[i]);
		ns_hold_release(&h->hold);
		ns_unlock(&h->lock);
	}
}

static bool
has_unit(const struct ns_bin *bin)
{
	return bin->words > HEAP_WORDS;
}

/* Its objects are in @items from now on, in the same order. */
static void
move_to(struct ns_bin *bin, void **items, unsigned words)
{
	size_t n = (size_t)(bin->top - bin->items);

	memcpy(items, bin->items, (n + 1) * sizeof(void *));
	bin->items = items;
	bin->words = (uint16_t)words;
	ns_store_release(&bin->top, items + n);
}

/* Back into the heap's array.  At most one of HEAP_WORDS is in use. */
static void
leave_unit(struct ns_heap *h, struct ns_bin *bin)
{
	void **unit = bin->items;

	move_to(bin, (void **)(void *)h + bin->base, HEAP_WORDS);
	ns_run_free(ns_unit_of(unit), false);
}

/* Twice what it is, from @least to @most. */
static uint16_t
twice(uint16_t n, unsigned least, unsigned most)
{
	return (uint16_t)ns_min(ns_max(2u * n, least), ns_max(least, most));
}

static void
set_allow(struct ns_heap *h, struct ns_bin *bin, unsigned n)
{
	h->allowed += (n - bin->allow) * bin->size; /* modulo 2^32 */
	bin->allow = (uint16_t)n;
}

/* What it could be allowed next: twice what it is now. */
static unsigned
next_allow(const struct ns_heap *h, const struct ns_bin *bin,
	   const struct kmem_cache *c)
{
	unsigned n = twice(bin->allow, c->start, c->magazine - 1);

	if (bin->allow >= c->start &&
	    h->allowed + (n - bin->allow) * c->size > ALLOWED_MAX)
		n = bin->allow;
	return n;
}

/* Back to having earned nothing.  Heap locked. */
void
ns_bin_retire(struct ns_heap *h, struct ns_bin *bin)
{
	shut(h, bin);
	if (has_unit(bin))
		leave_unit(h, bin);
	bin->limit = bin->items;
	set_allow(h, bin, 0);
	bin->batch = 0;
	bin->lent = 0;
}

static bool
meets(size_t at, size_t bytes, size_t line, size_t length)
{
	return (line - at) % 4096 < bytes || (at - line) % 4096 < length;
}

/*
 * Where a new array is to lie.  A load waits for an earlier store whose address
 * has the same low 12 bits, so the items mostly used keep away from those of
 * the heap's first lines and of their bin.
 */
static size_t
place(const struct ns_heap *h, const struct ns_bin *bin, size_t bytes)
{
	size_t at = h->arrays,
	       off = (size_t)((const char *)bin - (const char *)h);

	bytes = ns_min(bytes, NEAR_BYTES);
	while (meets(at, bytes, 0, 2 * NS_CACHELINE) ||
	       meets(at, bytes, off, NS_CACHELINE))
		at += NS_CACHELINE;
	return at;
}

/* A larger array, if there is one to be had. */
static void
grow(struct ns_heap *h, struct ns_bin *bin, unsigned words)
{
	size_t bytes = words * sizeof(void *), at;
	struct ns_unit *u;

	if (words > HEAP_WORDS && bin->words == HEAP_WORDS) {
		u = ns_run_alloc(h->slot, 1, 1, NS_RUN_STRICT | NS_RUN_KEEP);
		if (u == NULL)
			return;
		ns_run_publish(u, NS_KIND_HEAP);
		move_to(bin, (void **)(void *)ns_unit_addr(u), words);
		return;
	}
	at = place(h, bin, bytes);
	if (at + bytes <= NS_HEAP_UNITS * NS_UNIT) {
		bin->base = (uint16_t)(at / sizeof(void *));
		h->arrays = (uint32_t)(at + bytes);
		move_to(bin, (void **)(void *)h + bin->base, words);
	}
}

/*
 * An array for what allow and batch ask for.  When there is no room for a
 * larger one they are cut to the one there is.
 */
static void
fit(struct ns_heap *h, struct ns_bin *bin, const struct kmem_cache *c)
{
	unsigned most = (unsigned)ns_max(bin->allow, bin->batch);
	unsigned words = c->start + 1;

	if (most >= HEAP_WORDS && bin->words >= HEAP_WORDS)
		words = c->magazine;
	else if (most > c->start)
		words = (unsigned)ns_min(c->magazine, HEAP_WORDS);
	if (most >= bin->words && words > bin->words)
		grow(h, bin, words);
	most = (unsigned)ns_min(most, ns_max(bin->words, 1) - 1);
	set_allow(h, bin, (unsigned)ns_min(bin->allow, most));
	bin->batch = (uint16_t)ns_min(bin->batch, most);
	bin->limit = bin->items + ns_max(most, (size_t)(bin->top - bin->items));
}

/* The objects of a first refill. */
static unsigned
few_of(const struct kmem_cache *c)
{
	return (unsigned)ns_max(ns_min(c->start / 4, FEW_BYTES / c->size), 1);
}

/* More is allocated than the magazine has. */
static void
before_refill(struct ns_heap *h, struct ns_bin *bin, const struct kmem_cache *c)
{
	if (c->size > NS_LENT_LARGE && ns_bin_is_young(bin, c)) {
		bin->batch = 0;
		return;
	}
	if (bin->limit == bin->items || bin->allow < c->start ||
	    bin->limit < bin->items + bin->allow)
		set_allow(h, bin, next_allow(h, bin, c));
	bin->passes = 0;
	bin->batch =
	    twice(bin->batch, few_of(c), ns_max(c->start, bin->allow / 2));
	fit(h, bin, c);
}

/* What waits to go home together where a thread does not allocate. */
static unsigned
few_to_send(const struct kmem_cache *c)
{
	return (unsigned)ns_min(c->start, FAR_FEW);
}

/*
 * A free finds the magazine full.  False: the object goes back to its slab,
 * which this heap has then if @owner, whose it is, was nobody.
 */
static bool
make_room(struct ns_heap *h, struct ns_bin *bin, const struct kmem_cache *c,
	  const struct ns_heap *owner)
{
	bool may_pass = owner == h || owner == NULL, far = h != ns_home;
	bool lent = owner == NULL && bin->lent != 0 && bin->allow <= c->start;

	if (bin->words == 0) {
		if (++bin->batch < FOREIGN_FEW)
			return false;
		bin->batch = 0;
		set_allow(h, bin, far ? few_to_send(c) : c->start);
		fit(h, bin, c);
		if (bin->words == 0) /* there is no room for an array */
			bin->passes = INT16_MAX;
	} else if (far && bin->current == NULL) {
		flush_all(h, bin);
		/* The array may be another cache's, that had the bin before. */
		set_allow(h, bin,
			  (unsigned)ns_min(few_to_send(c), bin->words - 1u));
		bin->limit = bin->items + bin->allow;
		bin->passes = 0;
	} else if (bin->limit == bin->items) {
		bin->passes = INT16_MAX;
	} else if (may_pass && bin->passes != 0) {
		return false;
	} else if (may_pass && bin->batch != 0 &&
		   next_allow(h, bin, c) == bin->allow) {
		bin->passes = (int16_t)bin->allow;
		bin->batch = 0;
	} else if (owner == h || (lent && ns_bin_has_slabs(bin))) {
		shut(h, bin);
	} else if (lent) {
		flush_all(h, bin);
		bin->limit = bin->items + ns_min(few_of(c), bin->allow);
	} else if ((!far || bin->batch != 0) &&
		   next_allow(h, bin, c) > bin->allow &&
		   bin->allow + 1u < bin->words) {
		set_allow(h, bin, next_allow(h, bin, c));
		fit(h, bin, c);
		bin->batch = far ? 0 : bin->batch;
	} else {
		flush(h, bin, (size_t)(bin->top - bin->items + 1) / 2);
	}
	ns_assert((size_t)(bin->limit - bin->items) < ns_max(bin->words, 1));
	return bin->top < bin->limit;
}

/* Gives back what a bin has not used since the last time round. */
static void
tick(struct ns_heap *h)
{
	struct ns_bin *bin;
	bool closed;

	if (++h->ticks % TICK_EVERY != 0)
		return;
	bin = &h->bin[h->ticks / TICK_EVERY % h->nbins];
	if (bin->top == bin->items + bin->seen && bin->seen != 0) {
		closed = bin->limit == bin->items;
		flush_all(h, bin);
		set_allow(h, bin, bin->allow / 2);
		if (has_unit(bin) && bin->allow < HEAP_WORDS)
			leave_unit(h, bin);
		bin->limit = bin->items + (closed ? 0 : bin->allow);
	}
	bin->seen = (uint16_t)(bin->top - bin->items);
}

/*
 * Fills the magazine; one more object, or NULL.  A constructor may fill it,
 * too, meanwhile: what it makes waits outside.
 */
static void *
fill(struct ns_heap *h, struct ns_bin *bin, struct kmem_cache *c,
     unsigned flags)
{
	unsigned want = (unsigned)ns_max(ns_min(bin->batch, REFILL_MAX), 1), n;
	void *got[REFILL_MAX], **to = bin->top + 1, *obj;
	size_t room;

	if (c->ctor != NULL || bin->limit - bin->top < (ptrdiff_t)want)
		to = got;
	n = ns_heap_take(h, c, flags, to, want);
	if (n == 0)
		return NULL;
	obj = to[--n];
	ns_free_of(c, obj)->mark = 0;
	room = n;
	if (to == got) {
		room = ns_min(n, (size_t)(bin->limit - bin->top));
		ns_copy_pointers(bin->top + 1, got + n - room, room);
	}
	ns_store_release(&bin->top, bin->top + room);
	ns_heap_give(h, got, (unsigned)(n - room));
	return obj;
}

/* An object, and more of them for the next times. */
static void *
refill(struct ns_heap *h, struct kmem_cache *c, unsigned flags)
{
	struct ns_bin *bin;
	void *obj;

	ns_lock(&h->lock);
	bin = ns_bin_of(h, c);
	obj = ns_bin_pop(bin, c->link_off);
	if (obj == NULL) {
		if (!ns_is_watched(c))
			before_refill(h, bin, c);
		obj = fill(h, bin, c, flags);
		tick(h);
	}
	ns_unlock(&h->lock);
	return obj;
}

/* Other nodes as the policy has them; then past the limits that nobody asked
 * for. */
static void *
alloc_spilled(struct ns_heap *home, struct kmem_cache *c, unsigned flags)
{
	const struct ns_policy *policy =
	    c->policy != NULL ? c->policy : &ns_policy;
	uint8_t order[NS_MAX_SLOTS];
	unsigned i, n = ns_policy_order(policy, home->slot, order);
	struct ns_heap *h;
	void *obj;

	for (i = 1; i < n; i++) {
		h = ns_heap_get(order[i]);
		obj = h != NULL ? refill(h, c, flags) : NULL;
		if (obj != NULL) {
			ns_pool_count_spill(order[i], c->size);
			ns_add_relaxed(&c->root->depots[order[i]].spilled, 1ul);
			return obj;
		}
	}
	return refill(home, c, flags | NS_RUN_OVER);
}

/*
 * The slow path of every allocation from a cache.  @slot NS_NO_SLOT: home.
 */
void *
ns_cache_alloc(struct kmem_cache *c, unsigned slot, gfp_t gfp)
{
	unsigned flags = (gfp & NS_GFP_RESERVE) != 0 ? 0 : NS_RUN_KEEP;
	struct ns_heap *h;
	void *obj = NULL;

	h = slot == NS_NO_SLOT ? ns_heap_home() : ns_heap_get(slot);
	if (h != NULL) {
		obj = refill(h, c, flags);
		if (ns_unlikely(obj == NULL) && (gfp & __GFP_THISNODE) == 0)
			obj = alloc_spilled(h, c, flags);
	}
	ns_slabs_settle(c);
	if (ns_unlikely(obj == NULL)) {
		errno = ENOMEM;
		return NULL;
	}
	ns_maint_poke();
	return obj;
}

/* Puts @obj in its bin's magazine, making room, or gives it back. */
static void
keep(struct ns_heap *h, struct ns_slab *s, void *obj)
{
	const struct ns_heap *owner = ns_load_relaxed(&s->owner);
	struct ns_bin *bin;

	/* One that nobody owns is taken by a heap at home only. */
	if (ns_unlikely((owner != NULL || h == ns_home) && ns_park_knock(s)))
		ns_heap_wake(h, s);
	ns_lock(&h->lock);
	bin = ns_bin_of(h, s->cache);
	if (bin->top < bin->limit || make_room(h, bin, s->cache, owner)) {
		bin->top[1] = obj;
		ns_store_release(&bin->top, bin->top + 1);
	} else {
		ns_heap_give(h, &obj, 1);
	}
	tick(h);
	ns_unlock(&h->lock);
}

/* Gives @obj back right away; @h is NULL, or the thread's heap on its node. */
static void
give_home(struct ns_heap *h, void *obj)
{
	if (h != NULL)
		ns_lock(&h->lock);
	ns_heap_give(h, &obj, 1);
	if (h != NULL)
		ns_unlock(&h->lock);
}

/*
 * The thread's heap on @slot, or NULL.  A thread that frees much of what comes
 * from another node gets one there, to send it home together.
 */
static struct ns_heap *
heap_for(unsigned slot)
{
	struct ns_heap *h = ns_home;
	struct ns_thread_slot *there;

	if (h->thread == NULL)
		return NULL;
	there = &h->thread->slot[slot];
	if (there->heap == NULL && there->remote_frees % FAR_FREES == 0)
		return ns_heap_get(slot);
	return there->heap;
}

/* What is looked at next is as late as the mark, or later. */
static bool
has_mark(const struct ns_slab *s, const void *obj)
{
	return ns_load_acquire(&ns_free_of(s->cache, (void *)obj)->mark) ==
	       s->mark;
}

void
ns_check_object(const struct ns_slab *s, const void *obj, const char *call)
{
	uint32_t i = ns_index_of(s, obj);

	if (s->first + (size_t)i * s->size != (const char *)obj)
		ns_broken(call, NULL, obj, "not the start of an object");
	if (i < ns_load_relaxed(&s->marked) &&
	    (ns_is_parked(s, obj) || has_mark(s, obj) || ns_is_parked(s, obj)))
		ns_broken(call, NULL, obj, "already free");
	if (i >= ns_load_relaxed(&s->carved))
		ns_broken(call, NULL, obj, "never allocated");
}

/* Frees an object of a slab, if it is one: whatever the fast path does not. */
void
ns_slab_free(void *obj, const char *call)
{
	struct ns_slab *s = ns_slab_of(obj);
	struct kmem_cache *c = s->cache;
	bool watched = ns_is_watched(c);
	struct ns_heap *h;

	if (ns_is_special(c))
		ns_debug_free(s, obj, call);
	ns_check_object(s, obj, call);
	ns_count_free(obj);
	ns_free_of(c, obj)->mark = s->mark;
	h = heap_for(s->slot);
	if (h != NULL && !watched)
		keep(h, s, obj);
	else
		give_home(h, obj);
	ns_slabs_settle(c);
}
