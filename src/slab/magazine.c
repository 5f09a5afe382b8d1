/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/magazine.c - what a heap keeps at hand between a program and slabs.
 *
 * 1. A bin's magazine is an array of free objects that lie on the heap's
 *    node, in slabs of this heap or any other.  So blocks that threads of a
 *    node pass to and fro cost no atomic operation: the next allocation of
 *    the thread that freed them takes them.  Blocks of other nodes go home
 *    at once.
 * 2. An empty magazine is refilled from slabs, to half.  A full one gives its
 *    older half back, a run of objects of one slab at a time.  But when it
 *    was an object of an own slab that found it full, the program frees more
 *    than it will soon need: then the magazine gives back everything, and
 *    frees go by it, right into their slabs, until the next refill.  So mass
 *    frees leave whole slabs empty.
 * 3. The array is small at first, and of its full size when that proves too
 *    small: threads that do little hold little.  Arrays lie in the heap and
 *    stay with their bins.
 * 4. An object in a magazine keeps its slab from being freed.  So at every
 *    TICK_EVERYth slow path the heap looks at its next bin, and gives back all
 *    of one in which nothing has moved since the last look.
 * 5. top is moved by the owner without a lock, by one store, after the item;
 *    so fork()'s child finds every magazine whole.  Everything else is
 *    under the heap's lock.
 */
#include "slab/debug.h"
#include "slab/fast.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define REFILL_MAX 128u
#define TICK_EVERY 4u

static void *none[1]; /* an array without room */

/* Its CPU and its tag never match: every use is a slow one. */
struct ns_heap ns_heap_none = {
	.cpu_word = &(const uint32_t){ 0 },
	.cpu = 1,
	.tag = UINT32_MAX,
	.bin_of = { [0 ... NS_DIRECT_MAX / 16 - 1] = NS_HEAP_HEADER },
	.bin = { { .top = none, .limit = none, .items = none } },
};

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

void
ns_bin_reset(struct ns_bin *bin)
{
	bin->items = bin->seen = bin->limit = none;
	ns_store_relaxed(&bin->top, none);
	bin->current = NULL;
	ns_list_init(&bin->slabs);
	bin->words = 0;
	bin->size = 0;
}

/* The bin, fit for use: a heap knows only the bins it has touched. */
struct ns_bin *
ns_bin_of(struct ns_heap *h, const struct kmem_cache *c)
{
	while (ns_unlikely(h->nbins <= c->id)) {
		ns_bin_reset(&h->bin[h->nbins]);
		ns_owner_add(&h->nbins, 1);
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

/* Gives all back, and frees pass the magazine by.  Heap locked. */
void
ns_bin_close(struct ns_heap *h, struct ns_bin *bin)
{
	flush_all(h, bin);
	bin->limit = bin->items;
}

void
ns_magazines_flush(void)
{
	struct ns_thread *t = ns_home->thread;
	struct ns_heap *h;

	for (unsigned s = 0; t != NULL && s < t->nslots; s++) {
		h = t->slot[s].heap;
		if (h == NULL)
			continue;
		ns_lock(&h->lock);
		for (unsigned i = 1; i < h->nbins; i++)
			flush_all(h, &h->bin[i]);
		ns_unlock(&h->lock);
	}
}

/*
 * A larger array, up to the full size and if there is room; either way frees
 * go into it from now on.  False: it is no larger.
 */
static bool
grow(struct ns_heap *h, struct ns_bin *bin, const struct kmem_cache *c)
{
	uint32_t words = bin->words == 0 ? NS_MAGAZINE_MIN : c->magazine;
	size_t n = (size_t)(bin->top - bin->items) + 1;
	size_t end = h->arrays + words * sizeof(void *);
	void **items = (void **)(void *)((char *)h + h->arrays);
	bool larger = words > bin->words && end <= NS_HEAP_UNITS * NS_UNIT;

	if (larger) {
		memcpy(items, bin->items, n * sizeof(void *));
		h->arrays = (uint32_t)end;
		bin->items = items;
		bin->words = words;
		ns_store_release(&bin->top, items + n - 1);
	}
	if (bin->words != 0)
		bin->limit = bin->items + ns_min(bin->words, c->magazine) - 1;
	ns_assert(bin->top <= bin->limit);
	return larger;
}

/* Gives back what a bin has not used since the last time round. */
static void
tick(struct ns_heap *h)
{
	struct ns_bin *bin;

	if (++h->ticks % TICK_EVERY != 0)
		return;
	bin = &h->bin[h->ticks / TICK_EVERY % h->nbins];
	if (bin->top == bin->seen && bin->top != bin->items)
		flush_all(h, bin);
	bin->seen = bin->top;
}

/* An object, and more of them for the next times. */
static void *
refill(struct ns_heap *h, struct kmem_cache *c, unsigned flags)
{
	void *got[REFILL_MAX], *obj;
	struct ns_bin *bin;
	size_t n, room;

	ns_lock(&h->lock);
	bin = ns_bin_of(h, c);
	obj = ns_bin_pop(bin, c->link_off);
	if (obj == NULL) {
		if (!ns_is_special(c))
			grow(h, bin, c);
		n = ns_is_special(c) ? 1 : ns_min(bin->words / 2, REFILL_MAX);
		n = ns_heap_take(h, c, flags, got, (unsigned)ns_max(n, 1));
		if (n > 0) {
			obj = got[--n];
			ns_free_of(c, obj)->mark = 0;
		}
		/* A constructor may have filled it meanwhile. */
		room = ns_min(n, (size_t)(bin->limit - bin->top));
		memcpy(bin->top + 1, got + n - room, room * sizeof(void *));
		ns_store_release(&bin->top, bin->top + room);
		ns_heap_give(h, got, (unsigned)(n - room));
		tick(h);
	}
	ns_unlock(&h->lock);
	return obj;
}

/* Other nodes by distance; then past the limits that nobody asked for. */
static void *
alloc_spilled(struct ns_heap *home, struct kmem_cache *c, unsigned flags)
{
	const uint8_t *order = ns_topo_order(home->slot);
	struct ns_heap *h;
	void *obj;
	unsigned i;

	for (i = 1; i < ns_topo.nslots; i++) {
		if (!ns_policy_permits(order[i]))
			continue;
		h = ns_heap_get(order[i]);
		obj = h != NULL ? refill(h, c, flags) : NULL;
		if (obj != NULL) {
			ns_pool_count_spill(order[i], c->size);
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
	bool own = ns_load_relaxed(&s->owner) == h;
	struct ns_bin *bin;

	ns_lock(&h->lock);
	bin = ns_bin_of(h, s->cache);
	if (bin->top == bin->limit) {
		if (own || (bin->words != 0 && bin->limit == bin->items)) {
			ns_bin_close(h, bin);
		} else if (!grow(h, bin, s->cache)) {
			flush(h, bin, (size_t)(bin->top - bin->items + 1) / 2);
		}
		tick(h);
	}
	if (bin->top < bin->limit) {
		bin->top[1] = obj;
		ns_store_release(&bin->top, bin->top + 1);
	} else {
		ns_heap_give(h, &obj, 1);
	}
	ns_unlock(&h->lock);
}

void
ns_check_object(const struct ns_slab *s, const void *obj)
{
	size_t off = (size_t)((const char *)obj - s->first);

	if (off % s->size != 0)
		ns_bad_free(obj, "not the start of an object");
	if (off / s->size < ns_load_relaxed(&s->marked) &&
	    ns_free_of(s->cache, (void *)obj)->mark == s->mark)
		ns_bad_free(obj, "already free");
	if (!ns_is_object(s, obj))
		ns_bad_free(obj, "never allocated");
}

/* Frees an object of @s: whatever is not a push on a magazine with room. */
void
ns_slab_free(struct ns_slab *s, void *obj)
{
	struct ns_heap *h = ns_home;
	bool special = ns_is_special(s->cache);

	if (ns_unlikely(special))
		ns_debug_free(s, obj);
	ns_check_object(s, obj);
	ns_count_free(obj);
	ns_free_of(s->cache, obj)->mark = s->mark;
	if (h->tag == ns_tag(s->slot, 0) && !special) {
		keep(h, s, obj);
		return;
	}
	h = h->thread != NULL ? h->thread->slot[s->slot].heap : NULL;
	if (h != NULL)
		ns_lock(&h->lock);
	ns_heap_give(h, &obj, 1);
	if (h != NULL)
		ns_unlock(&h->lock);
}
