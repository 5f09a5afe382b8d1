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

/* Where an object of a cache with a policy of its own is to lie. */
static unsigned
place(struct kmem_cache *c)
{
	unsigned cpu = 0;

	ns_os_getcpu(&cpu, NULL);
	return ns_policy_pick(c->policy, ns_topo_slot_of_cpu(cpu), &c->turn);
}

/* Of a cache whose objects are watched or counted. */
static void *
try_special(struct kmem_cache *c, unsigned slot, gfp_t gfp)
{
	if (c->policy != NULL && slot == NS_NO_SLOT)
		slot = place(c);
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

/* The rule that a debug build sees to: no call after kmem_cache_destroy. */
static void
check_named(const struct kmem_cache *c)
{
#ifdef NS_DEBUG
	if (!c->named && c->id >= NS_NCLASS)
		ns_fatal("kmem_cache_alloc(%s): the cache was destroyed",
			 c->name);
#else
	(void)c;
#endif
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
	check_named(c);
	return ns_unlikely(ns_is_special(c)) ? alloc_special(c, slot, flags)
					     : try_hard(c, slot, flags);
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

	if (ns_likely((flags & ~NS_GFP_PLAIN) == 0))
		obj = pop_from(ns_heap_on(node), c);
	return ns_likely(obj != NULL) ? obj : alloc_node_slow(c, flags, node);
}

ns_export void *
kmem_cache_zalloc(struct kmem_cache *c, gfp_t flags)
{
	return kmem_cache_alloc(c, flags | __GFP_ZERO);
}

/* No object of the cache at all, free already, or past the magazines. */
static void
free_slow(const struct kmem_cache *c, void *obj)
{
	const struct ns_slab *s;
	struct ns_unit *u;

	if (obj == NULL)
		return;
	u = ns_run_of(obj);
	if (u == NULL || u->kind != NS_KIND_SLAB)
		ns_bad_free(obj, "not an object of a cache");
	s = (const struct ns_slab *)(const void *)u;
	if (s->cache != c->root && s->cache->original != c->root) {
		ns_debug_about(s, obj);
		ns_fatal("invalid free of %p: freed to cache %s (cache %s, "
			 "node %d)",
			 obj, c->name, s->cache->name, numaslab_node_of(obj));
	}
	ns_slab_free(obj);
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
	uint32_t bin = c->bin;

	/* A bin that the heap never used is zero, and full. */
	if (ns_likely(ns_is_object_of(s, bin, obj)))
		ns_free_into(h, s, bin, obj, c->link_off);
	else
		free_elsewhere(c, obj);
}
