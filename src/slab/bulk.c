/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/bulk.c - many objects at a time.
 *
 * 1. As many as the magazine has, or has room for, move in one loop that asks
 *    once what each single call asks again: whose heap and which bin.  The rest
 * comes from the slabs, and goes there, under the heap's lock, taken once: a
 * bulk that is larger than the magazine neither fills nor empties it for
 * nothing.
 * 2. Where that ends, one object takes the ordinary way, with every slow path
 *    and every error there is; then the loop goes on.
 * 3. For fork()'s child a magazine is whole at any moment: objects leave it by
 *    one store before they are unmarked, and are marked before one store puts
 *    them in.
 */
#include "slab/fast.h"
#include "slab/gfp.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define NO_ARRAY "no array of objects"

/* The home heap's bin; NULL: it was never used, or this is not home. */
ns_inline struct ns_bin *
home_bin(const struct kmem_cache *c)
{
	struct ns_heap *h = ns_home;

	if (ns_unlikely(c->bin >= h->bins_end || !ns_at_home(h)))
		return NULL;
	return ns_bin_at(h, c->bin);
}

/* Pops @n objects, which the magazine has. */
ns_inline void
pop_many(const struct kmem_cache *c, struct ns_bin *bin, size_t n, void **objs)
{
	const size_t mark = c->link_off + offsetof(struct ns_free, mark);
	void **top = bin->top;

	ns_store_relaxed(&bin->top, top - n);
	for (size_t i = 0; i < n; i++, top--) {
		char *obj = *top;

		objs[i] = obj;
		*(uint64_t *)(void *)(obj + mark) = 0;
	}
}

ns_inline size_t
ready_in(const struct ns_bin *bin)
{
	return (size_t)(bin->top - bin->items);
}

/* Objects of the home heap's slabs; 0: the ordinary way may find some. */
static size_t
take_many(struct kmem_cache *c, size_t n, void **objs)
{
	struct ns_bin *bin = home_bin(c);
	struct ns_heap *h = ns_home;

	/* A closed magazine is opened by the ordinary way. */
	if (n == 0 || bin == NULL || bin->limit == bin->items ||
	    ns_policy.mode == NS_POLICY_INTERLEAVE)
		return 0;
	ns_lock(&h->lock);
	h->ticks++; /* not idle: idle.c */
	n = ns_heap_take(h, c, NS_RUN_KEEP, objs, (unsigned)n);
	ns_unlock(&h->lock);
	for (size_t i = 0; i < n; i++)
		ns_free_of(c, objs[i])->mark = 0;
	return n;
}

static size_t
get_many(struct kmem_cache *c, size_t n, void **objs)
{
	struct ns_bin *bin = home_bin(c);
	size_t i = bin != NULL ? ns_min(n, ready_in(bin)) : 0, got;

	if (i != 0)
		pop_many(c, bin, i, objs);
	do
		i += got = take_many(c, n - i, objs + i);
	while (got != 0);
	return i;
}

static void
zero_many(const struct kmem_cache *c, size_t n, void **objs)
{
	for (size_t i = 0; i < n; i++)
		memset(objs[i], 0, c->objsize);
}

/* Of the twin, if somebody pays. */
static ns_cold int
alloc_accounted(struct kmem_cache *c, gfp_t flags, size_t n, void **objs)
{
	const gfp_t done = __GFP_ACCOUNT | __GFP_ZERO;
	struct kmem_cache *from = ns_cache_accounted(c);
	int got = 0;

	if (from != NULL)
		got = kmem_cache_alloc_bulk(from, flags & ~done, n, objs);
	if ((flags & __GFP_ZERO) != 0)
		zero_many(c, (size_t)got, objs);
	return got;
}

static ns_noinline int
alloc_bulk_slow(struct kmem_cache *c, gfp_t flags, size_t n, void **objs)
{
	gfp_t each = flags & ~__GFP_ZERO;
	size_t i;

	if (n > INT_MAX ||
	    ((flags & __GFP_ZERO) != 0 && c->user_ctor != NULL)) {
		errno = EINVAL;
		return 0;
	}
	if ((flags & ~NS_GFP_PLAIN) != 0) {
		if (!ns_gfp_ok(flags))
			return 0;
		if ((flags & __GFP_ACCOUNT) != 0)
			return alloc_accounted(c, flags, n, objs);
	}
	for (i = get_many(c, n, objs); i < n;
	     i += get_many(c, n - i, objs + i)) {
		objs[i] = kmem_cache_alloc(c, each);
		if (objs[i] == NULL) {
			int saved = errno;

			kmem_cache_free_bulk(c, i, objs);
			errno = saved;
			return 0;
		}
		i++;
	}
	if ((flags & __GFP_ZERO) != 0)
		zero_many(c, n, objs);
	return (int)n;
}

ns_export int
kmem_cache_alloc_bulk(struct kmem_cache *c, gfp_t flags, size_t n, void **objs)
{
	struct ns_bin *bin;

	ns_debug_check_cache(c, __func__);
	ns_debug_rule(objs != NULL || n == 0, __func__, c->name, NO_ARRAY);
	bin = home_bin(c);
	if (ns_unlikely((flags & ~NS_GFP_PLAIN) != 0 || bin == NULL ||
			n > ready_in(bin)))
		return alloc_bulk_slow(c, flags, n, objs);
	pop_many(c, bin, n, objs);
	return (int)n;
}

/*
 * Marks the first of @objs as free, as far as nothing about them is out of the
 * ordinary, and copies them behind @top unless that is NULL.  Objects that
 * follow one another are mostly of one slab, which is then looked at once.
 * Returns how many they are.
 */
ns_inline size_t
mark_many(const struct ns_heap *h, const struct kmem_cache *c, size_t n,
	  void **objs, void **top)
{
	size_t i = 0;

	while (i < n) {
		const struct ns_slab *s =
		    (const void *)ns_unit_in(&h->window, objs[i]);
		uint64_t bound, mark,
		    unit = (uintptr_t)objs[i] >> NS_UNIT_SHIFT;

		if (ns_unlikely(s == NULL || s->bin != c->bin))
			return i;
		bound = ns_load_acquire(&s->user_bound);
		mark = s->mark;
		do {
			struct ns_free *f = ns_free_of(c, objs[i]);

			if (ns_unlikely(!ns_is_below(s, objs[i], bound) ||
					f->mark == mark))
				return i;
			f->mark = mark;
			if (top != NULL)
				*++top = objs[i];
			i++;
		} while (i < n && (uintptr_t)objs[i] >> NS_UNIT_SHIFT == unit);
	}
	return i;
}

/* How many of the first @n, which there is room for, went on the magazine. */
static ns_noinline size_t
push_many(struct ns_heap *h, const struct kmem_cache *c, size_t n, void **objs)
{
	struct ns_bin *bin = ns_bin_at(h, c->bin);
	void **top = bin->top;

	n = mark_many(h, c, n, objs, top);
	ns_store_release(&bin->top, top + n);
	ns_owner_add(&h->frees, n);
	return n;
}

/* The same past the magazine: to the slabs. */
static size_t
give_many(struct ns_heap *h, struct kmem_cache *c, size_t n, void **objs)
{
	n = mark_many(h, c, n, objs, NULL);
	ns_lock(&h->lock);
	h->ticks++;
	ns_heap_give(h, objs, (unsigned)n);
	ns_unlock(&h->lock);
	ns_slabs_settle(c);
	ns_owner_add(&h->frees, n);
	return n;
}

/* Pushes the first of @objs on the magazine, then gives others to slabs. */
static size_t
put_many(struct kmem_cache *c, size_t n, void **objs)
{
	struct ns_heap *h = ns_home;
	struct ns_bin *bin;
	size_t i, room;

	if (n == 0 || c->bin >= h->bins_end)
		return 0;
	bin = ns_bin_at(h, c->bin);
	room = ns_min(n, (size_t)(bin->limit - bin->top));
	i = push_many(h, c, room, objs);
	/* One that may still grow or close does so in the ordinary way. */
	if (i == room && n > room && bin->words != 0 &&
	    (bin->limit == bin->items || bin->words >= c->magazine))
		i += give_many(h, c, n - i, objs + i);
	return i;
}

static ns_noinline void
free_bulk_slow(struct kmem_cache *c, size_t n, void **objs, const char *call)
{
	size_t i, many;

	ns_check_cache(c, call);
	for (i = 0; i < n;) {
		many = ns_min(n - i, INT_MAX);
		i += put_many(c, many, objs + i);
		if (i < n)
			ns_cache_free(c, objs[i++], call);
	}
}

ns_inline void
free_bulk(struct kmem_cache *c, size_t n, void **objs, const char *call)
{
	struct ns_heap *h = ns_home;
	struct ns_bin *bin;
	size_t i = 0;

	bin = ns_bin_at(h, c->bin);
	if (ns_likely(c->bin < h->bins_end &&
		      n <= (size_t)(bin->limit - bin->top)))
		i = push_many(h, c, n, objs);
	if (ns_unlikely(i < n))
		free_bulk_slow(c, n - i, objs + i, call);
}

ns_export void
kmem_cache_free_bulk(struct kmem_cache *c, size_t n, void **objs)
{
	ns_debug_rule(objs != NULL || n == 0, __func__, NULL, NO_ARRAY);
	if (ns_unlikely(c == NULL)) {
		for (size_t i = 0; i < n; i++)
			ns_kfree(objs[i], __func__);
		return;
	}
	ns_debug_check_cache(c, __func__);
	free_bulk(c, n, objs, __func__);
}

void
ns_cache_free_bulk(struct kmem_cache *c, size_t n, void **objs,
		   const char *call)
{
	free_bulk(c, n, objs, call);
}
