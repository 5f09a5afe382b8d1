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

/* Pops up to @n objects of the home heap's magazine. */
static size_t
pop_many(const struct kmem_cache *c, size_t n, void **objs)
{
	struct ns_heap *h = ns_home;
	struct ns_bin *bin;
	void **top;

	if (c->id >= h->nbins || !ns_at_home(h))
		return 0;
	bin = &h->bin[c->id];
	top = bin->top;
	n = ns_min(n, (size_t)(top - bin->items));
	ns_store_relaxed(&bin->top, top - n);
	for (size_t i = 0; i < n; i++, top--) {
		objs[i] = *top;
		ns_free_of(c, *top)->mark = 0;
	}
	return n;
}

/* Objects of the home heap's slabs; 0: the ordinary way may find some. */
static size_t
take_many(struct kmem_cache *c, size_t n, void **objs)
{
	struct ns_heap *h = ns_home;

	/* A closed magazine is opened by the ordinary way. */
	if (n == 0 || c->id >= h->nbins || !ns_at_home(h) ||
	    h->bin[c->id].limit == h->bin[c->id].items ||
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
	size_t i = pop_many(c, n, objs), got;

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

ns_export int
kmem_cache_alloc_bulk(struct kmem_cache *c, gfp_t flags, size_t n, void **objs)
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

/*
 * Marks the first of @objs as free, as far as nothing about them is out of the
 * ordinary, and copies them behind @top when that is not NULL.
 */
ns_inline size_t
mark_many(const struct ns_heap *h, const struct kmem_cache *c, size_t n,
	  void **objs, void **top)
{
	const uint32_t bin = c->bin;
	const struct ns_slab *s;
	struct ns_free *f;
	size_t i;

	for (i = 0; i < n; i++) {
		s = ns_slab_in(&h->window, objs[i]);
		f = ns_free_of(c, objs[i]);
		if (ns_unlikely(!ns_is_object_of(s, bin, objs[i]) ||
				f->mark == s->mark))
			break;
		f->mark = s->mark;
		if (top != NULL)
			*++top = objs[i];
	}
	return i;
}

/* Pushes the first of @objs on the magazine, then gives others to slabs. */
static size_t
put_many(struct kmem_cache *c, size_t n, void **objs)
{
	struct ns_heap *h = ns_home;
	struct ns_bin *bin;
	size_t i, given, room;

	if (n == 0 || c->id >= h->nbins)
		return 0;
	bin = &h->bin[c->id];
	room = ns_min(n, (size_t)(bin->limit - bin->top));
	i = mark_many(h, c, room, objs, bin->top);
	ns_store_release(&bin->top, bin->top + i);
	/* A magazine that may still grow or close does so in the ordinary way.
	 */
	if (i == room && n > room && bin->words != 0 &&
	    (bin->limit == bin->items || bin->words >= c->magazine)) {
		given = mark_many(h, c, n - i, objs + i, NULL);
		ns_lock(&h->lock);
		h->ticks++;
		ns_heap_give(h, objs + i, (unsigned)given);
		ns_unlock(&h->lock);
		ns_slabs_settle(c);
		i += given;
	}
	ns_owner_add(&h->frees, i);
	return i;
}

ns_export void
kmem_cache_free_bulk(struct kmem_cache *c, size_t n, void **objs)
{
	size_t i, many;

	if (c == NULL) {
		kfree_bulk(n, objs);
		return;
	}
	for (i = 0; i < n;) {
		many = ns_min(n - i, INT_MAX);
		i += put_many(c, many, objs + i);
		if (i < n)
			kmem_cache_free(c, objs[i++]);
	}
}
