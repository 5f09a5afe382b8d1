/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects that are sure to be had: reserves of a cache, with the semantics of
 * Linux's sheaves (slab.h) and memory pools (mempool.h).
 *
 * A sheaf is one caller's: so many objects taken beforehand that what must not
 * fail later cannot.  A pool is everybody's: when memory is out, elements that
 * are freed go to those who wait, so that each who holds one gets on.
 *
 * Thread safety: a sheaf is used by one thread at a time.  A pool may be used
 * by all at any time; mempool_destroy or mempool_exit is its last use.
 */
#ifndef NUMASLAB_MEMPOOL_H
#define NUMASLAB_MEMPOOL_H

#include <numaslab/kmem.h>

#ifdef __cplusplus
extern "C" {
#endif

struct slab_sheaf;

/*
 * kmem_cache_prefill_sheaf - a sheaf of @size objects of @cache.
 * The caller owns it until kmem_cache_return_sheaf.  NULL with errno ENOMEM,
 * or EINVAL: @size is 0 or above INT_MAX, or the flags contradict each other
 * or have __GFP_ZERO.
 */
struct slab_sheaf *kmem_cache_prefill_sheaf(struct kmem_cache *cache,
					    gfp_t flags, unsigned int size)
    __attribute__((warn_unused_result));

/*
 * kmem_cache_alloc_from_sheaf - take one of a sheaf's objects; never waits.
 * Of @flags only __GFP_ZERO matters (EINVAL with a constructor).  NULL with
 * ENOMEM only when the sheaf is empty.  Free it with kmem_cache_free.
 */
void *kmem_cache_alloc_from_sheaf(struct kmem_cache *cache, gfp_t flags,
				  struct slab_sheaf *sheaf)
    __attribute__((warn_unused_result));

/*
 * kmem_cache_refill_sheaf - fill *@sheaf up to at least @size objects.
 * *@sheaf may move.  Returns 0, or -1 with errno as kmem_cache_prefill_sheaf
 * has it: then the sheaf is what it was.
 */
int kmem_cache_refill_sheaf(struct kmem_cache *cache, gfp_t flags,
			    struct slab_sheaf **sheaf, unsigned int size);

/*
 * kmem_cache_return_sheaf - free a sheaf and the objects that it still has.
 * NULL is ignored.  @flags are the kernel's: nothing is allocated here.
 */
void kmem_cache_return_sheaf(struct kmem_cache *cache, gfp_t flags,
			     struct slab_sheaf *sheaf);

/* kmem_cache_sheaf_size - objects that a sheaf still has. */
unsigned int kmem_cache_sheaf_size(const struct slab_sheaf *sheaf);

/* A pool; its contents are the library's. */
typedef struct mempool {
	void *opaque[8];
} mempool_t;
typedef void *mempool_alloc_t(gfp_t flags, void *pool_data);
typedef void mempool_free_t(void *element, void *pool_data);

/*
 * mempool_create - a pool that holds @min_nr elements ready.
 * @alloc_fn may fail with NULL; @free_fn gets what it returned.  Either may be
 * called by any thread that uses the pool, at any time.  @min_nr is 1 to
 * 65536.  mempool_create_node - the same, the pool and its first elements
 * with @flags; the pool lies on @node (or NUMA_NO_NODE).
 * The caller owns the pool until mempool_destroy.  NULL with errno ENOMEM, or
 * EINVAL: @min_nr, a NULL function, flags or node.
 * A broken rule aborts with one line on stderr, in every build: no pool, no
 * cache or no sheaf, or one that is gone, and what mempool_free says.
 */
mempool_t *mempool_create(int min_nr, mempool_alloc_t *alloc_fn,
			  mempool_free_t *free_fn, void *pool_data);
mempool_t *mempool_create_node(int min_nr, mempool_alloc_t *alloc_fn,
			       mempool_free_t *free_fn, void *pool_data,
			       gfp_t flags, int node);

/* mempool_create_slab_pool - a pool of objects of @cache. */
mempool_t *mempool_create_slab_pool(int min_nr, struct kmem_cache *cache);

/*
 * mempool_create_kmalloc_pool - a pool of kmalloc'ed blocks of @size bytes, not
 * 0 (EINVAL).
 */
mempool_t *mempool_create_kmalloc_pool(int min_nr, size_t size);

/*
 * mempool_destroy - free the pool and the elements it holds.  Those that are
 * in use must have been freed.  NULL is ignored.
 */
void mempool_destroy(mempool_t *pool);

/*
 * mempool_init and so on - the same in a mempool_t of the caller's, whatever
 * was in it.  0, or -1 with errno as above: then there is nothing to exit.
 */
int mempool_init(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn,
		 mempool_free_t *free_fn, void *pool_data);
int mempool_init_node(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn,
		      mempool_free_t *free_fn, void *pool_data, gfp_t flags,
		      int node);
int mempool_init_slab_pool(mempool_t *pool, int min_nr,
			   struct kmem_cache *cache);
int mempool_init_kmalloc_pool(mempool_t *pool, int min_nr, size_t size);

/*
 * mempool_exit - mempool_destroy for a pool that mempool_init made; for one
 * that is all zero, or exited already, does nothing.
 */
void mempool_exit(mempool_t *pool);

/*
 * mempool_alloc_slab, mempool_free_slab - elements that are objects of the
 * cache that @pool_data is.  mempool_kmalloc, mempool_kfree - that are blocks
 * of as many bytes as @pool_data says, a size_t in a pointer's type.
 */
void *mempool_alloc_slab(gfp_t flags, void *pool_data);
void mempool_free_slab(void *element, void *pool_data);
void *mempool_kmalloc(gfp_t flags, void *pool_data);
void mempool_kfree(void *element, void *pool_data);

/*
 * mempool_resize - hold @min_nr elements ready from now on, 1 to 65536.
 * More of them are allocated with GFP_KERNEL; those that are too many go to
 * free_fn.  Others may use the pool meanwhile, but not resize it.  Returns 0,
 * or -1 with errno EINVAL (@min_nr), or ENOMEM: the pool is what it was.
 */
int mempool_resize(mempool_t *pool, int min_nr);

/* mempool_initialized - is it a pool, and not all zero or exited? */
bool mempool_initialized(mempool_t *pool);

/* mempool_is_saturated - does it hold all it is to hold?  At some moment. */
bool mempool_is_saturated(mempool_t *pool);

/*
 * mempool_alloc - an element: from alloc_fn, or one of those held ready.
 * With __GFP_DIRECT_RECLAIM never fails: it waits until one is freed.  Else
 * NULL with ENOMEM.  EINVAL: contradictory flags, or __GFP_ZERO.
 * mempool_alloc_preallocated - one of those held ready, or NULL with ENOMEM.
 */
void *mempool_alloc(mempool_t *pool, gfp_t flags)
    __attribute__((warn_unused_result));
void *mempool_alloc_preallocated(mempool_t *pool)
    __attribute__((warn_unused_result));

/*
 * mempool_free - to the pool if it is short of one, else to free_fn.  NULL is
 * ignored.  Aborts when the element is held ready already, or is free.
 */
void mempool_free(void *element, mempool_t *pool);

#ifdef __cplusplus
}
#endif
#endif
