/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/debug.h - caches whose objects are watched (debug.c, watch.c,
 * report.c).
 *
 * An object of one, from its address on:
 *
 *	|<- object ->|<- right zone ->|link|mark|asked|alloc|free|   |left zone|
 *	0            objsize          zone            track          size - 16
 *
 * In a class of malloc's the object is a block, and its zone begins behind
 * what was asked for, which is kept; other caches have no such word.
 * The left zone is the next object's; the first of a slab has its own in the
 * slab's lead.
 */
#ifndef NS_DEBUG_H
#define NS_DEBUG_H

#include "slab/slab.h"

#pragma GCC visibility push(hidden)

/* L, of the environment alone: what is live at exit is told of. */
#define NS_SLAB_LEAKS ((slab_flags_t)0x4000u)

#define NS_DEBUG_FLAGS                                           \
	(SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | \
	 SLAB_STORE_USER | SLAB_TRACE | SLAB_FAILSLAB | NS_SLAB_LEAKS)

#define NS_STACK 11u

/* Who allocated an object, or freed it last. */
struct ns_track {
	uint32_t thread; /* 0: nobody did */
	uint32_t depth;
	void *at[NS_STACK];
};

/*
 * Before a cache is made (watch.c): its flags, and what NUMASLAB_SLAB_DEBUG
 * asks for by its name.  @id: NS_NCLASS if it is none of malloc's classes.
 */
slab_flags_t ns_debug_flags(const char *name, slab_flags_t flags, unsigned id,
			    unsigned size, unsigned align);
/*
 * Whatever loading the watching needs, which may allocate; no lock held.
 * Until then tracks have no call stacks.
 */
void ns_debug_prepare(slab_flags_t flags);

/*
 * Lays out what is behind an object if @flags ask for any: the distance of
 * objects, @plain when they do not.  Sets what of @c depends on it.
 */
unsigned ns_debug_lay_out(struct kmem_cache *c, unsigned size, unsigned align,
			  slab_flags_t flags, unsigned plain);

/* Is this request one that SLAB_FAILSLAB lets fail?  Then errno is ENOMEM. */
bool ns_debug_fails(struct kmem_cache *c, gfp_t gfp);

/*
 * An object of a special cache, of which @size bytes are asked for, counted
 * and painted; NULL with ENOMEM.
 */
void *ns_debug_take(struct kmem_cache *c, size_t size, unsigned slot,
		    gfp_t gfp);

/*
 * Before each free, and when the slab goes: they die of what they find.
 * ns_debug_free leaves bad pointers to its caller.
 */
void ns_debug_free(const struct ns_slab *s, void *obj, const char *call);
void ns_debug_slab_gone(const struct ns_slab *s);

/* report.c: lines about the object that @p lies in. */
void ns_debug_about(const struct ns_slab *s, const void *p);
/* About the first live objects of a special cache; returns how many live. */
uint64_t ns_debug_leaks(const struct kmem_cache *c);
/* The same of all caches that are to be told of when the process exits. */
void ns_debug_exit(void);
void ns_track_set(struct ns_track *t);

ns_inline struct ns_track *
ns_track_of(const struct kmem_cache *c, const void *obj)
{
	return (struct ns_track *)(void *)((char *)obj + c->track);
}

ns_inline size_t *
ns_asked_of(const struct kmem_cache *c, const void *obj)
{
	return (size_t *)(void *)((char *)obj + c->asked);
}

/* The bytes of an object that are the program's. */
ns_inline size_t
ns_debug_size(const struct kmem_cache *c, const void *obj)
{
	return c->asked != 0 ? ns_min(*ns_asked_of(c, obj), c->objsize)
			     : c->objsize;
}

#pragma GCC visibility pop
#endif
