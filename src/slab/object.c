/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/object.c - the objects of a kmem_cache, on their way out and back.
 *
 * 1. Out: the magazine of the home heap or of the named node's; else the slow
 *    path, where the flags matter (gfp.c).  Whoever asks for more than that,
 *    zeros or an account, takes one call more.
 * 2. An object of a special cache (slab.h) is never in a magazine.  In this
 *    order: is the request to fail, who pays for it, which node does the
 *    cache's policy say, is there room below its limit.
 * 3. Back: whose it is says the bin, so that merged caches' objects are one
 *    another's.  Everything odd goes to ns_slab_free.
 */
#include "slab/account.h"
#include "slab/counted.h"
#include "slab/debug.h"
#include "slab/fast.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

ns_inline void *
pop_from(struct ns_heap *h, const struct kmem_cache *c)
{
	uint32_t bin = c->bin;

	if (ns_unlikely(bin >= h->bins_end))
		return NULL;
	return ns_bin_pop(ns_bin_at(h, bin), c->link_off);
}

/* Constructors that this thread is in, the innermost first. */
struct making {
	const struct kmem_cache *cache;
	const struct making *outer;
};
static __thread const struct making *making ns_tls_model;

/* One that asks for what it is to make would never come to an end. */
void
ns_cache_construct(const struct kmem_cache *c, char *p, unsigned n)
{
	const struct making *m, self = { c, making };

	for (m = making; m != NULL; m = m->outer)
		if (m->cache == c)
			ns_broken("kmem_cache_alloc", c->name, NULL,
				  "called by the cache's own constructor");
	making = &self;
	for (; n > 0; n--, p += c->size)
		c->ctor(p);
	making = self.outer;
}

/* Of a cache whose objects are watched or counted. */
static void *
try_special(struct kmem_cache *c, unsigned slot, gfp_t gfp)
{
	if (c->policy != NULL && slot == NS_NO_SLOT)
		slot = ns_place(c);
	return ns_debug_take(c, c->objsize, slot, gfp);
}

/* No object at hand: here the flags matter. */
static void *
try_hard(struct kmem_cache *c, unsigned slot, gfp_t flags)
{
	struct ns_retry r = { .gfp = flags, .slot = slot };
	void *obj;

	do
		obj = ns_unlikely(ns_is_special(c))
			  ? try_special(c, slot, r.gfp)
			  : ns_cache_alloc(c, slot, r.gfp);
	while (ns_unlikely(obj == NULL) && ns_retry(&r));
	return obj;
}

/* Whoever is to pay is asked before anything else is tried. */
static void *
alloc_special(struct kmem_cache *c, unsigned slot, gfp_t flags)
{
	bool charged = (c->flags & SLAB_ACCOUNT) != 0;
	struct numaslab_account *payer = charged ? ns_account_for(c) : NULL;
	size_t price = ns_account_price(c);
	void *obj;

	if (ns_debug_fails(c, flags) ||
	    !ns_account_charge(payer, price, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	obj = try_hard(c, slot, flags);
	if (obj == NULL)
		ns_account_uncharge(payer, price);
	else if (charged)
		*ns_account_of(ns_slab_of(obj), obj) = payer;
	return obj;
}

static ns_noinline void *
alloc_slow(struct kmem_cache *c, unsigned slot, gfp_t flags)
{
	void *obj;

	ns_check_cache(c,
		       "kmem_cache_alloc"); /* its fast path is gone if not */
	if (ns_likely(!ns_is_special(c)))
		return try_hard(c, slot, flags);
	if (c->policy != NULL && slot == NS_NO_SLOT)
		slot = ns_place(c);
	obj = ns_counted_alloc(c, slot);
	return obj != NULL ? obj : alloc_special(c, slot, flags);
}

/* Of the twin, whose objects may be said to be smaller, if somebody pays. */
static ns_cold void *
alloc_accounted(struct kmem_cache *c, unsigned slot, gfp_t flags)
{
	struct kmem_cache *from = ns_cache_accounted(c);
	void *obj = from != NULL ? alloc_slow(from, slot, flags) : NULL;

	if ((flags & __GFP_ZERO) != 0 && obj != NULL)
		memset(obj, 0, c->objsize);
	return obj;
}

ns_noinline void *
ns_cache_alloc_flagged(struct kmem_cache *c, struct ns_heap *h, unsigned slot,
		       gfp_t flags)
{
	void *obj;

	if (!ns_gfp_ok(flags))
		return NULL;
	if ((flags & __GFP_ZERO) != 0 && c->user_ctor != NULL) {
		errno = EINVAL;
		return NULL;
	}
	if ((flags & __GFP_ACCOUNT) != 0)
		return alloc_accounted(c, slot, flags);
	obj = h != NULL ? pop_from(h, c) : NULL;
	if (obj == NULL)
		obj = alloc_slow(c, slot, flags);
	if ((flags & __GFP_ZERO) != 0 && obj != NULL)
		memset(obj, 0, c->objsize);
	return obj;
}

static void *
alloc_at(struct kmem_cache *c, struct ns_heap *h, unsigned slot, gfp_t flags)
{
	void *obj = NULL;

	if (ns_unlikely((flags & ~NS_GFP_PLAIN) != 0))
		return ns_cache_alloc_flagged(c, h, slot, flags);
	if (ns_likely(h != NULL))
		obj = pop_from(h, c);
	return ns_likely(obj != NULL) ? obj : alloc_slow(c, slot, flags);
}

static ns_noinline void *
alloc_home_slow(struct kmem_cache *c, gfp_t flags)
{
	struct ns_heap *h = ns_home;

	return alloc_at(c, ns_at_home(h) ? h : NULL, NS_NO_SLOT, flags);
}

ns_export void *
kmem_cache_alloc(struct kmem_cache *c, gfp_t flags)
{
	struct ns_heap *h = ns_home;
	void *obj = NULL;

	ns_debug_check_cache(c, __func__);
	if (ns_likely((flags & ~NS_GFP_PLAIN) == 0 && ns_at_home(h)))
		obj = pop_from(h, c);
	return ns_likely(obj != NULL) ? obj : alloc_home_slow(c, flags);
}

static ns_noinline void *
alloc_node_slow(struct kmem_cache *c, gfp_t flags, int node)
{
	unsigned slot;

	if (node == NUMA_NO_NODE)
		return kmem_cache_alloc(c, flags);
	slot = ns_slot_of_node(node);
	return slot != NS_NO_SLOT
		   ? alloc_at(c, ns_heap_named(node), slot, flags)
		   : NULL;
}

ns_export void *
kmem_cache_alloc_node(struct kmem_cache *c, gfp_t flags, int node)
{
	void *obj = NULL;

	ns_debug_check_cache(c, __func__);
	if (ns_likely((flags & ~NS_GFP_PLAIN) == 0))
		obj = pop_from(ns_heap_on(node), c);
	return ns_likely(obj != NULL) ? obj : alloc_node_slow(c, flags, node);
}

ns_export void *
kmem_cache_zalloc(struct kmem_cache *c, gfp_t flags)
{
	ns_debug_check_cache(c, __func__);
	return kmem_cache_alloc(c, flags | __GFP_ZERO);
}

/* The slab of what should be an object of @c. */
static struct ns_slab *
slab_for(const struct kmem_cache *c, const void *obj, const char *call)
{
	struct ns_unit *u = ns_run_of(obj);
	struct ns_slab *s;

	if (u == NULL || u->kind != NS_KIND_SLAB)
		ns_broken(call, c->name, obj, "not an object of a cache");
	s = (struct ns_slab *)(void *)u;
	if (s->cache != c->root && s->cache->original != c->root)
		ns_broken(call, c->name, obj, "an object of another cache");
	return s;
}

/* Not of the home node, free already, or no object of the cache at all. */
void
ns_cache_free(const struct kmem_cache *c, void *obj, const char *call)
{
	struct ns_slab *s;

	if (obj == NULL)
		return;
	s = slab_for(c, obj, call);
	if (!ns_is_special(s->cache) || !ns_counted_free(s, obj, call))
		ns_slab_free(obj, call);
}

/* With the arguments where they are. */
static ns_noinline void
free_slow(const struct kmem_cache *c, void *obj)
{
	ns_check_cache(c, "kmem_cache_free");
	ns_cache_free(c, obj, "kmem_cache_free");
}

void
ns_cache_check(const struct kmem_cache *c, const void *obj, const char *call)
{
	ns_check_object(slab_for(c, obj, call), obj, call);
}

void
ns_check_not_free(const void *p, const char *call)
{
	const struct ns_unit *u = ns_run_of(p);
	const struct ns_slab *s = (const struct ns_slab *)(const void *)u;

	if (u == NULL && ns_ours(p))
		ns_broken(call, NULL, p, "not allocated");
	if (u != NULL && u->kind == NS_KIND_SLAB &&
	    s->first + (size_t)ns_index_of(s, p) * s->size == p)
		ns_check_object(s, p, call);
}

/* On neither of the two nodes. */
static ns_noinline void
free_elsewhere(struct kmem_cache *c, void *obj)
{
	if (ns_heap_turn_to(obj))
		kmem_cache_free(c, obj);
	else
		free_slow(c, obj);
}

ns_export void
kmem_cache_free(struct kmem_cache *c, void *obj)
{
	struct ns_heap *h = ns_home;
	struct ns_slab *s = ns_slab_in(&h, obj);
	uint32_t bin;

	ns_debug_check_cache(c, __func__);
	bin = c->bin;
	/* A bin that the heap never used is zero, and full. */
	if (ns_likely(ns_is_object_of(s, bin, obj)))
		ns_free_into(h, s, bin, obj, c->link_off, __func__);
	else
		free_elsewhere(c, obj);
}
