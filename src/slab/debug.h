/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/debug.h - caches whose objects are watched (debug.c, report.c).
 *
 * An object of one, from its address on:
 *
 *	|<- object ->|<- right zone ->|link|mark|alloc|free|    |left zone|
 *	0            objsize          zone      track           size - 16
 *
 * The left zone is the next object's; the first of a slab has its own in the
 * slab's lead.
 */
#ifndef NS_DEBUG_H
#define NS_DEBUG_H

#include "slab/slab.h"

#pragma GCC visibility push(hidden)

#define NS_DEBUG_FLAGS                                           \
	(SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | \
	 SLAB_STORE_USER | SLAB_TRACE | SLAB_FAILSLAB)

#define NS_STACK 11u

/* Who allocated an object, or freed it last. */
struct ns_track {
	uint32_t thread; /* 0: nobody did */
	uint32_t depth;
	void *at[NS_STACK];
};

/* Before a cache is made: what NUMASLAB_SLAB_DEBUG asks for by its name. */
slab_flags_t ns_debug_flags_of(const char *name);
/* Whatever loading the watching needs, which may allocate; no lock held. */
void ns_debug_prepare(slab_flags_t flags);

/*
 * Lays out what is behind an object if @flags ask for any: the distance of
 * objects, @plain when they do not.  Sets what of @c depends on it.
 */
unsigned ns_debug_lay_out(struct kmem_cache *c, unsigned size, unsigned align,
			  slab_flags_t flags, unsigned plain);

/* Is this request one that SLAB_FAILSLAB lets fail? */
bool ns_debug_fails(struct kmem_cache *c, gfp_t gfp);
/* One more object is in use, unless that is above the limit; one less is. */
bool ns_debug_charge(struct kmem_cache *c);
void ns_debug_uncharge(struct kmem_cache *c);

/*
 * At each allocation, before each free, and when the slab goes: they die of
 * what they find.  ns_debug_free leaves bad pointers to its caller, and tells
 * what it knows of them.
 */
void ns_debug_alloc(const struct kmem_cache *c, void *obj);
void ns_debug_free(const struct ns_slab *s, void *obj);
void ns_debug_slab_gone(const struct ns_slab *s);

/* report.c: lines about the object that @p lies in; about all live ones. */
void ns_debug_about(const struct ns_slab *s, const void *p);
void ns_debug_leaks(const struct kmem_cache *c);
void ns_track_set(struct ns_track *t);

ns_inline struct ns_track *
ns_track_of(const struct kmem_cache *c, const void *obj)
{
	return (struct ns_track *)(void *)((char *)obj + c->track);
}

#pragma GCC visibility pop
#endif
