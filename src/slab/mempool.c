/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/mempool.c - elements held ready for when memory is out.
 *
 * 1. What is ready lies in an array of words, each NULL or an element.  One
 *    is taken by an exchange with NULL and put back by a CAS: no lock, so
 *    fork()'s child finds the pool whole, whatever others did.
 * 2. Who waits reads the count of frees, tries everything, and sleeps until
 *    the count is another.  A free puts its element first and counts then, so
 *    no wake is lost.
 * 3. What it gives up: an element whose word is emptied just after a free
 *    looked goes to free_fn, and the pool is one short until the next free.
 *    Whoever waits then tries alloc_fn, which may have it.
 */
#include "numaslab/mempool.h"

#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define MIN_NR_MAX 65536
#define WAIT_MS    1000u /* memory may come back without a free here */

struct mempool {
	unsigned min_nr;        /* [I] */
	mempool_alloc_t *alloc; /* [I] */
	mempool_free_t *free;   /* [I] */
	void *data;             /* [I] */
	uint32_t missing;       /* [a] words that are NULL, about */
	uint32_t frees;         /* [a] */
	uint32_t waiters;       /* [a] */
	void *ready[];          /* [a] */
};

/* Elements of mempool_create_kmalloc_pool; its data is the size. */
static void *
alloc_block(gfp_t flags, void *size)
{
	return kmalloc((size_t)(uintptr_t)size, flags);
}

static void
free_block(void *p, void *size)
{
	(void)size;
	kfree(p);
}

static void *
alloc_object(gfp_t flags, void *cache)
{
	return kmem_cache_alloc(cache, flags);
}

static void
free_object(void *p, void *cache)
{
	kmem_cache_free(cache, p);
}

static void *
take(struct mempool *m)
{
	void *p;

	for (unsigned i = 0; i < m->min_nr; i++) {
		if (ns_load_relaxed(&m->ready[i]) == NULL)
			continue;
		/* Pairs with the CAS in put. */
		p = ns_xchg_acquire(&m->ready[i], NULL);
		if (p != NULL) {
			ns_add_relaxed(&m->missing, 1u);
			return p;
		}
	}
	return NULL;
}

static bool
put(struct mempool *m, void *p)
{
	void *none;

	if (ns_load_relaxed(&m->missing) == 0)
		return false;
	for (unsigned i = 0; i < m->min_nr; i++) {
		none = NULL;
		if (ns_load_relaxed(&m->ready[i]) == NULL &&
		    ns_cas_release(&m->ready[i], &none, p)) {
			ns_sub_relaxed(&m->missing, 1u);
			return true;
		}
	}
	return false;
}

ns_export mempool_t *
mempool_create_node(int min_nr, mempool_alloc_t *alloc_fn,
		    mempool_free_t *free_fn, void *data, gfp_t flags, int node)
{
	struct mempool *m;

	if (min_nr < 1 || min_nr > MIN_NR_MAX || alloc_fn == NULL ||
	    free_fn == NULL) {
		errno = EINVAL;
		return NULL;
	}
	m = kzalloc_node(sizeof(*m) + (size_t)min_nr * sizeof(void *), flags,
			 node);
	if (m == NULL)
		return NULL;
	m->min_nr = (unsigned)min_nr;
	m->alloc = alloc_fn;
	m->free = free_fn;
	m->data = data;
	for (int i = 0; i < min_nr; i++) {
		m->ready[i] = alloc_fn(flags, data);
		if (m->ready[i] == NULL) {
			mempool_destroy(m);
			errno = ENOMEM;
			return NULL;
		}
	}
	return m;
}

ns_export mempool_t *
mempool_create(int min_nr, mempool_alloc_t *alloc_fn, mempool_free_t *free_fn,
	       void *data)
{
	return mempool_create_node(min_nr, alloc_fn, free_fn, data, GFP_KERNEL,
				   NUMA_NO_NODE);
}

ns_export mempool_t *
mempool_create_slab_pool(int min_nr, struct kmem_cache *c)
{
	return mempool_create(min_nr, alloc_object, free_object, c);
}

ns_export mempool_t *
mempool_create_kmalloc_pool(int min_nr, size_t size)
{
	return mempool_create(min_nr, alloc_block, free_block,
			      (void *)(uintptr_t)size);
}

ns_export void
mempool_destroy(mempool_t *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->min_nr; i++)
		if (m->ready[i] != NULL)
			m->free(m->ready[i], m->data);
	kfree(m);
}

ns_export void *
mempool_alloc_preallocated(mempool_t *m)
{
	void *p = take(m);

	if (p == NULL)
		errno = ENOMEM;
	return p;
}

/* The first try is light: those that are ready come before any effort. */
static gfp_t
lightly(gfp_t flags)
{
	return (flags & (__GFP_THISNODE | __GFP_ACCOUNT)) | GFP_NOWAIT |
	       __GFP_NOMEMALLOC;
}

ns_export void *
mempool_alloc(mempool_t *m, gfp_t flags)
{
	gfp_t with = lightly(flags);
	uint32_t frees;
	void *p;

	if ((flags & __GFP_ZERO) != 0 || !ns_gfp_ok(flags)) {
		errno = EINVAL;
		return NULL;
	}
	for (;;) {
		frees = ns_load_acquire(&m->frees);
		p = m->alloc(with, m->data);
		if (p == NULL)
			p = take(m);
		if (p != NULL)
			return p;
		if ((flags & __GFP_DIRECT_RECLAIM) == 0) {
			errno = ENOMEM;
			return NULL;
		}
		if (with == lightly(flags)) {
			with = flags & ~__GFP_NOFAIL;
			continue;
		}
		__atomic_add_fetch(&m->waiters, 1u, __ATOMIC_SEQ_CST);
		ns_os_sleep_on(&m->frees, frees, WAIT_MS);
		ns_sub_relaxed(&m->waiters, 1u);
	}
}

ns_export void
mempool_free(void *p, mempool_t *m)
{
	if (p == NULL)
		return;
	if (!put(m, p))
		m->free(p, m->data);
	__atomic_add_fetch(&m->frees, 1u, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&m->waiters, __ATOMIC_SEQ_CST) != 0)
		ns_os_wake(&m->frees);
}
