/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Object caches with the semantics of Linux's slab.h.
 *
 * A cache hands out objects of one size.  Objects come from the node that
 * the calling thread runs on, or from a named node, and return there when
 * they are freed, whoever frees them.  A constructor runs once per object
 * when its slab is filled, not at each allocation: a freed object must be
 * in its constructed state (Bonwick 1994).
 *
 * Thread safety: every function may be called by any thread at any time,
 * except that kmem_cache_destroy must be the last use of its cache.
 * Errors: an allocation that fails returns NULL with errno ENOMEM (no
 * memory), or EINVAL (a node or size that can never be served).  A broken
 * rule aborts with one line on stderr that names the call, the object and the
 * rule: a pointer that is not a live object of the cache, in every build; no
 * cache, or one that was destroyed, in calls that take a while, and in a debug
 * build in all.
 */
#ifndef NUMASLAB_KMEM_H
#define NUMASLAB_KMEM_H

#include <numaslab/gfp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned int slab_flags_t;
struct kmem_cache;
struct numaslab_account; /* account.h */

/* cache flags */
#define SLAB_HWCACHE_ALIGN ((slab_flags_t)0x0001u) /* align to cache lines */
#define SLAB_PANIC         ((slab_flags_t)0x0002u) /* abort if create fails */
#define SLAB_NO_COLOR      ((slab_flags_t)0x0004u) /* no color offsets */
#define SLAB_NO_MERGE      ((slab_flags_t)0x0008u) /* own slabs: see below */
#define SLAB_ACCOUNT       ((slab_flags_t)0x0020u) /* charged: account.h */
#define SLAB_RECLAIM_ACCOUNT \
	((slab_flags_t)0x0010u) /* a shrinker frees them: counted as such */

/* As args.policy "interleave" without one: evenly on the allowed nodes. */
#define SLAB_MEM_SPREAD ((slab_flags_t)0x0040u)

/*
 * For readers without a lock (rcu.h): an object may be freed and used again
 * at any time, but what a reader looks at stays an object of this cache, in
 * its constructed state or in use, until a grace period is over.  Without
 * kmem_rcu_set_ops a cache with it cannot be created (EOPNOTSUPP).
 */
#define SLAB_TYPESAFE_BY_RCU ((slab_flags_t)0x10000u)

/*
 * Debugging: each call then takes the slow path.  NUMASLAB_SLAB_DEBUG sets
 * the same for caches by name.  Of the requests to a cache with SLAB_FAILSLAB
 * every NUMASLAB_FAILSLABth fails with ENOMEM, but none with __GFP_NOFAIL.
 */
#define SLAB_CONSISTENCY_CHECKS ((slab_flags_t)0x0100u) /* F: tell of both */
#define SLAB_RED_ZONE           ((slab_flags_t)0x0200u) /* Z: around objects */
#define SLAB_POISON             ((slab_flags_t)0x0400u) /* P: while free */
#define SLAB_STORE_USER         ((slab_flags_t)0x0800u) /* U: call stacks */
#define SLAB_TRACE              ((slab_flags_t)0x1000u) /* T: a line a call */
#define SLAB_FAILSLAB           ((slab_flags_t)0x2000u) /* A: made to fail */

/*
 * kmem_cache_create - create a cache of objects.
 * @name:  copied, of which 31 bytes are kept; shown in statistics and in error
 *         lines.  Not NULL.
 * @size:  object size in bytes, 1 to KMALLOC_MAX_CACHE_SIZE.
 * @align: 0 (pointer alignment at least) or a power of two up to 4096.
 * @flags: SLAB_*.
 * @ctor:  NULL, or called once for each object when its slab is filled;
 *         it may allocate, but not from this cache: that aborts.
 *
 * Caches whose objects nobody could tell apart are merged: they share slabs, so
 * that one's free objects serve the other, and a free to the wrong one of them
 * is not noticed.  Not with SLAB_NO_MERGE, debug flags, a constructor or
 * other such arguments, or when NUMASLAB_SLAB_MERGE=0.
 *
 * Returns the cache, which the caller owns until kmem_cache_destroy, or
 * NULL with errno EINVAL (size, align, flags, name), ENOMEM, or EOPNOTSUPP
 * (SLAB_TYPESAFE_BY_RCU without an engine).  After Linux's
 * kmem_cache_create(9).
 */
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, slab_flags_t flags,
				     void (*ctor)(void *));

/*
 * The same with what is optional by name; members that are 0 ask for nothing.
 * A program's call of kmem_cache_create may have one of these, or NULL, in
 * the place of @align: kmem_cache_create(name, size, &args, flags).
 */
struct kmem_cache_args {
	unsigned int align;               /* bytes, as @align */
	unsigned int freeptr_offset;      /* bytes; used with the next */
	unsigned int use_freeptr_offset;  /* 0 or 1 */
	unsigned int no_color;            /* 0, or 1: as SLAB_NO_COLOR */
	unsigned long limit;              /* objects in use; 0: no limit */
	struct numaslab_account *account; /* pays for all; or NULL */
	void (*ctor)(void *);
	void (*dtor)(void *); /* undoes it; or NULL */
	const char *policy;   /* one term of numaslab_policy(7), or NULL */
	unsigned int sheaf_capacity; /* objects; 0: the library decides */
};

/*
 * kmem_cache_create_args - create a cache from @args, which is only read.
 *
 * freeptr_offset is where in an object a free one may keep two words, though
 * a constructor made it or readers look at it: an object then needs no room
 * behind it.  A multiple of 8, and two words before the end of the object.
 *
 * With a limit a request fails as if there was no memory while so many objects
 * are in use; each call then takes the slow path, to be counted.
 *
 * With a destructor, which takes a constructor, each object that was
 * constructed is destroyed once, before its memory goes back to the node: in a
 * later call on the cache, or when memory is short, as shrinkers are called
 * (shrinker.h), with no lock held.  It may allocate and free, but not of this
 * cache.
 *
 * policy says which nodes the cache's objects come from, unless a request names
 * one, such as "bind=0,2-3" or "bandwidth" (numaslab_policy(7)), in the place
 * of the process's.  Each call then takes the slow path.  A process may have
 * 128 different ones; another is ENOMEM.
 *
 * sheaf_capacity is how many free objects a thread may keep at hand on a node;
 * 8191 is the most.
 *
 * With an account each object is charged to it, as under SLAB_ACCOUNT, whoever
 * allocates.
 *
 * @args may be NULL.  Errors and ownership as above; EINVAL also for a
 * freeptr_offset that does not fit, a no_color above 1, a dtor without a ctor,
 * and a policy that is malformed or that cannot be on this machine.
 * After Linux's kmem_cache_args; dtor is Solaris's, policy this library's.
 */
struct kmem_cache *kmem_cache_create_args(const char *name, unsigned int size,
					  const struct kmem_cache_args *args,
					  slab_flags_t flags);

/*
 * KMEM_CACHE - a cache of struct @type, with its name, size and alignment.
 */
#define KMEM_CACHE(type, flags)                       \
	kmem_cache_create(#type, sizeof(struct type), \
			  __alignof__(struct type), (flags), NULL)

/* kmem_cache_create - with &args: an overload in C++, by its type in C. */
#ifdef __cplusplus
extern "C++" {
static inline struct kmem_cache *
kmem_cache_create(const char *name, unsigned int size,
		  const struct kmem_cache_args *args, slab_flags_t flags)
{
	return kmem_cache_create_args(name, size, args, flags);
}
}
#else
#define kmem_cache_create(name, size, how, ...) \
	_Generic((how),                                             \
		 struct kmem_cache_args *: kmem_cache_create_args,  \
		 const struct kmem_cache_args *: kmem_cache_create_args, \
		 void *: kmem_cache_create_args,                    \
		 default: kmem_cache_create)(name, size, how, __VA_ARGS__)
#endif

/*
 * kmem_cache_destroy - give a cache's memory back and forget it.
 * NULL is ignored.  When objects are still live it says how many on
 * stderr, keeps them valid (kfree frees them), and the cache's name is
 * forgotten.  Of merged caches only the last to be destroyed can tell.  Waits
 * first for what kfree_rcu has not freed yet, and under SLAB_TYPESAFE_BY_RCU
 * for the slabs' grace periods.
 */
void kmem_cache_destroy(struct kmem_cache *cache);

/*
 * kmem_cache_shrink - release the cache's empty slabs, on every node.
 * A slab that another thread is allocating from stays.  Returns 0 when no
 * slab is left, else 1.
 */
int kmem_cache_shrink(struct kmem_cache *cache);

/* kmem_cache_size - the object size the cache was created with. */
unsigned int kmem_cache_size(struct kmem_cache *cache);

/* kmem_cache_name - the cache's name, valid as long as the cache is. */
const char *kmem_cache_name(struct kmem_cache *cache);

/* What a cache is and has on a node, or on all of them. */
struct kmem_cache_stat {
	int node;                  /* as asked for */
	unsigned int object_size;  /* bytes, as created */
	unsigned int stride;       /* bytes from an object to the next */
	unsigned int slab_size;    /* bytes of a slab */
	unsigned int slab_objects; /* objects of a slab */
	unsigned int color_offset; /* bytes a slab's start moves on by */
	unsigned int color_period; /* slabs until it is back; 1: no colors */
	unsigned int color_cost;   /* bytes of a slab without objects for it */
	unsigned int sheaf_capacity; /* objects a thread may keep at hand */
	unsigned int aliases; /* other caches that share its slabs, counted
				 in the figures below */
	uint64_t slabs;
	uint64_t objects; /* that the slabs have room for */
	uint64_t active;  /* in use by the program */
	uint64_t bytes;   /* of all the slabs */
	uint64_t spilled; /* objects ever taken from the node because the one
			     that was asked for was full */
};

/*
 * kmem_cache_stat - what @cache has on a node, into @st.
 * @node: the operating system's number, or NUMA_NO_NODE for the sum of all.
 * Each figure is right at some moment of the call, and all are exact while no
 * other thread uses the cache.  Walks the descriptors of the node's memory.
 * Returns 0, or -1 with errno EINVAL (a node that cannot serve).  After the
 * columns of Linux's slabinfo(5).
 */
int kmem_cache_stat(struct kmem_cache *cache, int node,
		    struct kmem_cache_stat *st);

/*
 * kmem_cache_for_each - call @fn for each cache, kmalloc's first, with @arg,
 * until it returns other than 0; returns that, or 0.  Aborts if @fn is NULL.
 * No lock is held: @fn may create caches, which are not shown, and destroy any.
 * Another thread's kmem_cache_destroy waits while @fn is shown the cache; so
 * two must not destroy each other's, and @fn must not keep one of others.
 */
int kmem_cache_for_each(int (*fn)(struct kmem_cache *cache, void *arg),
			void *arg);

/*
 * kmem_dump_obj - say on stderr which object @p points into.
 * Its cache, size, node, whether it is in use, and under SLAB_STORE_USER who
 * allocated it and who freed it last.  @p may be any address.  Returns true,
 * or false and says nothing: @p is in no slab of kmem_caches or kmalloc.  What
 * it says of an object that others use meanwhile may be out of date.
 */
bool kmem_dump_obj(void *p);

/*
 * kmem_cache_alloc - allocate an object on the calling thread's node.
 * @flags: relevant only if the cache has no available objects, except
 *         __GFP_ZERO, which is invalid with a constructor (EINVAL),
 *         __GFP_ACCOUNT (account.h), and contradictory ones (EINVAL): see
 *         gfp.h.
 * Returns the object, or NULL with errno set.  (Not __attribute__((malloc)):
 * a constructed object may hold pointers, to itself for one.)
 */
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags)
    __attribute__((warn_unused_result));

/*
 * kmem_cache_alloc_node - allocate an object on a named node.
 * @node: the operating system's number, or NUMA_NO_NODE (-1, numaslab.h) for
 *        the home node.
 * When the node is full the object comes from the nearest with room and is
 * counted as spilled, or NULL is returned under __GFP_THISNODE.
 * EINVAL: no such node, it has no memory, or the process may not use it.
 */
void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t flags, int node)
    __attribute__((warn_unused_result));

/* kmem_cache_zalloc - kmem_cache_alloc with __GFP_ZERO. */
void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags)
    __attribute__((malloc, warn_unused_result));

/* kmem_cache_free - free an object of this cache.  NULL is ignored. */
void kmem_cache_free(struct kmem_cache *cache, void *obj);

/*
 * kmem_cache_alloc_bulk - allocate @n objects into @objs.
 * All or nothing: returns @n, or 0 with errno set and nothing allocated
 * (EINVAL: @n above INT_MAX).
 */
int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t n,
			  void **objs);

/*
 * kmem_cache_free_bulk - free @n objects.  With @cache NULL they may be of
 * any caches or kmalloc'ed.
 */
void kmem_cache_free_bulk(struct kmem_cache *cache, size_t n, void **objs);

/* What kmalloc(0) returns: may be freed, must not be dereferenced. */
#define ZERO_SIZE_PTR          ((void *)16)
#define ZERO_OR_NULL_PTR(p)    ((unsigned long)(p) <= 16ul)
#define KMALLOC_MAX_CACHE_SIZE 65536u /* above this, whole pages */

/*
 * kmalloc - allocate @size bytes on the calling thread's node; kmalloc_node
 * on a named one (a number of the operating system's, or NUMA_NO_NODE).
 * Aligned to 16 bytes; a power-of-two size is aligned to itself, however
 * large, also after krealloc.  Zero gives ZERO_SIZE_PTR.  The caller owns the
 * block until kfree.  NULL with errno ENOMEM, or EINVAL: contradictory flags
 * (gfp.h), or a node that cannot serve.  All functions below are after Linux's
 * slab.h; any thread may call them at any time.
 */
void *kmalloc(size_t size, gfp_t flags) __attribute__((malloc));
void *kmalloc_node(size_t size, gfp_t flags, int node) __attribute__((malloc));

/* kzalloc, kzalloc_node - kmalloc and kmalloc_node, zeroed. */
void *kzalloc(size_t size, gfp_t flags) __attribute__((malloc));
void *kzalloc_node(size_t size, gfp_t flags, int node) __attribute__((malloc));

/*
 * kmalloc_array, kcalloc - kmalloc and kzalloc of @n times @size bytes; NULL
 * with ENOMEM if that overflows.  The _node forms: on a named node.
 */
void *kmalloc_array(size_t n, size_t size, gfp_t flags) __attribute__((malloc));
void *kmalloc_array_node(size_t n, size_t size, gfp_t flags, int node)
    __attribute__((malloc));
void *kcalloc(size_t n, size_t size, gfp_t flags) __attribute__((malloc));
void *kcalloc_node(size_t n, size_t size, gfp_t flags, int node)
    __attribute__((malloc));

/*
 * krealloc - resize; contents are kept up to the smaller size.  With
 * @size 0 frees @p and returns ZERO_SIZE_PTR; with @p NULL or ZERO_SIZE_PTR
 * is kmalloc.  On failure returns NULL and @p stays valid.  With __GFP_ZERO
 * in every call for a block, the first included, what it grows by is zero.
 * krealloc_array - to @n times @size bytes; an overflow fails with ENOMEM.
 */
void *krealloc(const void *p, size_t size, gfp_t flags)
    __attribute__((warn_unused_result));
void *krealloc_array(void *p, size_t n, size_t size, gfp_t flags)
    __attribute__((warn_unused_result));

/*
 * kfree - free what kmalloc, krealloc or kmem_cache_alloc returned, on the
 * node it came from.  NULL and ZERO_SIZE_PTR are ignored.
 * kfree_bulk - kfree each of @n blocks.
 * kfree_sensitive - wipe all ksize bytes of a block, then kfree it.
 */
void kfree(const void *p);
void kfree_bulk(size_t n, void **blocks);
void kfree_sensitive(const void *p);

/* ksize - usable bytes at @p, at least what was asked; 0 for NULL. */
size_t ksize(const void *p);

/*
 * kmalloc_size_roundup - the bytes that kmalloc(@size) makes usable, so that
 * a caller may ask for all of them; 0 for 0, @size if no block can be so large.
 */
size_t kmalloc_size_roundup(size_t size);

/*
 * kmemdup, kmemdup_array - a kmalloc'ed copy of @size, or @n times @size,
 * bytes.  kmemdup_nul - the same and a zero byte behind them.
 * kstrdup, kstrndup - of a string, of at most @most bytes of one; always
 * terminated.  The last three return NULL for NULL.
 */
void *kmemdup(const void *src, size_t size, gfp_t flags)
    __attribute__((malloc));
void *kmemdup_array(const void *src, size_t n, size_t size, gfp_t flags)
    __attribute__((malloc));
char *kmemdup_nul(const char *s, size_t size, gfp_t flags)
    __attribute__((malloc));
char *kstrdup(const char *s, gfp_t flags) __attribute__((malloc));
char *kstrndup(const char *s, size_t most, gfp_t flags) __attribute__((malloc));

/*
 * The kv names: in the kernel, blocks that may be made of scattered pages.
 * Here every block above KMALLOC_MAX_CACHE_SIZE is pages, so each is the
 * function of the same name without the v, and kfree and kvfree are one.
 * kvfree_sensitive wipes the whole block, whatever @size says.
 */
void *kvmalloc(size_t size, gfp_t flags) __attribute__((malloc));
void *kvmalloc_node(size_t size, gfp_t flags, int node) __attribute__((malloc));
void *kvzalloc(size_t size, gfp_t flags) __attribute__((malloc));
void *kvzalloc_node(size_t size, gfp_t flags, int node) __attribute__((malloc));
void *kvmalloc_array(size_t n, size_t size, gfp_t flags)
    __attribute__((malloc));
void *kvcalloc(size_t n, size_t size, gfp_t flags) __attribute__((malloc));
void *kvcalloc_node(size_t n, size_t size, gfp_t flags, int node)
    __attribute__((malloc));
void *kvrealloc(const void *p, size_t size, gfp_t flags)
    __attribute__((warn_unused_result));
void *kvmemdup(const void *src, size_t size, gfp_t flags)
    __attribute__((malloc));
void kvfree(const void *p);
void kvfree_sensitive(const void *p, size_t size);

#ifdef __cplusplus
}
#endif
#endif
