/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/mempool.c - elements held ready for when memory is out.
 *
 * 1. What is ready lies in words, each NULL or an element.  One is taken by an
 *    exchange with NULL and put back by a CAS: no lock, so fork()'s child
 *    finds the pool whole, whatever others did.  Whoever puts one has counted
 *    it in ready first, which never passes min_nr, and so finds a word.
 * 2. Who waits reads the count of frees, tries everything, and sleeps until
 *    the count is another.  A free puts its element first and counts then, so
 *    no wake is lost.
 * 3. What it gives up: an element whose word is emptied just after a free
 *    looked goes to free_fn, and the pool is one short until the next free.
 *    Whoever waits then tries alloc_fn, which may have it.
 * 4. Words come in chunks, one more each time a pool grows beyond all it ever
 *    had.  They stay until the pool goes, for somebody may be looking.
 */
#include "numaslab/mempool.h"

#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define MIN_NR_MAX 65536
#define WAIT_MS    1000u /* memory may come back without a free here */

struct chunk {
	struct chunk *next; /* [I] */
	unsigned n;         /* [I] */
	void *words[];      /* [a] */
};

struct pool {
	mempool_alloc_t *alloc; /* [I] */
	mempool_free_t *free;   /* [I] */
	void *data;             /* [I] */
	struct chunk *chunks;   /* [a] */
	unsigned words;         /* of all chunks; who resizes */
	uint32_t min_nr;        /* [a] written by who resizes */
	uint32_t ready;         /* [a] elements in words, or about to be */
	uint32_t frees;         /* [a] */
	uint32_t waiters;       /* [a] */
};
_Static_assert(sizeof(struct pool) <= sizeof(mempool_t), "lies in it");

static struct pool *
pool_of(mempool_t *m)
{
	return (struct pool *)(void *)m;
}

ns_export void *
mempool_alloc_slab(gfp_t flags, void *cache)
{
	return kmem_cache_alloc(cache, flags);
}

ns_export void
mempool_free_slab(void *element, void *cache)
{
	kmem_cache_free(cache, element);
}

ns_export void *
mempool_kmalloc(gfp_t flags, void *size)
{
	return kmalloc((size_t)(uintptr_t)size, flags);
}

ns_export void
mempool_kfree(void *element, void *size)
{
	(void)size;
	kfree(element);
}

static void *
take(struct pool *m)
{
	struct chunk *c = ns_load_acquire(&m->chunks);
	void *p;

	if (ns_load_relaxed(&m->ready) == 0)
		return NULL;
	for (; c != NULL; c = c->next)
		for (unsigned i = 0; i < c->n; i++) {
			if (ns_load_relaxed(&c->words[i]) == NULL)
				continue;
			/* Pairs with the CAS in put. */
			p = ns_xchg_acquire(&c->words[i], NULL);
			if (p == NULL)
				continue;
			ns_sub_relaxed(&m->ready, 1u);
			return p;
		}
	return NULL;
}

/* One more is ready, unless that is above min_nr. */
static bool
count_ready(struct pool *m)
{
	uint32_t n = ns_load_relaxed(&m->ready);

	do
		if (n >= ns_load_relaxed(&m->min_nr))
			return false;
	while (!ns_cas_acquire(&m->ready, &n, n + 1));
	return true;
}

static bool
put(struct pool *m, void *p)
{
	void *none;

	if (!count_ready(m))
		return false;
	for (;;)
		for (struct chunk *c = ns_load_acquire(&m->chunks); c != NULL;
		     c = c->next)
			for (unsigned i = 0; i < c->n; i++) {
				none = NULL;
				if (ns_load_relaxed(&c->words[i]) == NULL &&
				    ns_cas_release(&c->words[i], &none, p))
					return true;
			}
}

/* Words for @n elements in all. */
static bool
make_words(struct pool *m, unsigned n, gfp_t flags, int node)
{
	struct chunk *c;

	if (n <= m->words)
		return true;
	n -= m->words;
	c = kzalloc_node(sizeof(*c) + n * sizeof(void *), flags, node);
	if (c == NULL)
		return false;
	c->n = n;
	c->next = m->chunks;
	ns_store_release(&m->chunks, c);
	m->words += n;
	return true;
}

static void
shrink(struct pool *m, unsigned n)
{
	void *p;

	ns_store_relaxed(&m->min_nr, n);
	while (ns_load_relaxed(&m->ready) > n && (p = take(m)) != NULL)
		m->free(p, m->data);
}

/* To @n elements, or back to what it was. */
static bool
grow(mempool_t *pool, unsigned n, gfp_t flags, int node)
{
	struct pool *m = pool_of(pool);
	unsigned old = m->min_nr;
	void *p;

	if (!make_words(m, n, flags, node))
		return false;
	while (m->min_nr < n) {
		p = m->alloc(flags, m->data);
		if (p == NULL) {
			shrink(m, old);
			errno = ENOMEM;
			return false;
		}
		ns_store_relaxed(&m->min_nr, m->min_nr + 1);
		mempool_free(p, pool);
	}
	return true;
}

static bool
is_min_nr(int n)
{
	if (n >= 1 && n <= MIN_NR_MAX)
		return true;
	errno = EINVAL;
	return false;
}

ns_export int
mempool_init_node(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn,
		  mempool_free_t *free_fn, void *data, gfp_t flags, int node)
{
	struct pool *m = pool_of(pool);
	int error;

	memset(pool, 0, sizeof(*pool));
	if (!is_min_nr(min_nr))
		return -1;
	if (alloc_fn == NULL || free_fn == NULL) {
		errno = EINVAL;
		return -1;
	}
	m->alloc = alloc_fn;
	m->free = free_fn;
	m->data = data;
	if (grow(pool, (unsigned)min_nr, flags, node))
		return 0;
	error = errno;
	mempool_exit(pool);
	errno = error;
	return -1;
}

ns_export int
mempool_init(mempool_t *m, int min_nr, mempool_alloc_t *alloc_fn,
	     mempool_free_t *free_fn, void *data)
{
	return mempool_init_node(m, min_nr, alloc_fn, free_fn, data, GFP_KERNEL,
				 NUMA_NO_NODE);
}

ns_export int
mempool_init_slab_pool(mempool_t *m, int min_nr, struct kmem_cache *c)
{
	return mempool_init(m, min_nr, mempool_alloc_slab, mempool_free_slab,
			    c);
}

ns_export int
mempool_init_kmalloc_pool(mempool_t *m, int min_nr, size_t size)
{
	return mempool_init(m, min_nr, mempool_kmalloc, mempool_kfree,
			    (void *)(uintptr_t)size);
}

ns_export void
mempool_exit(mempool_t *pool)
{
	struct pool *m = pool_of(pool);
	struct chunk *c;

	shrink(m, 0);
	while ((c = m->chunks) != NULL) {
		m->chunks = c->next;
		kfree(c);
	}
	memset(pool, 0, sizeof(*pool));
}

ns_export mempool_t *
mempool_create_node(int min_nr, mempool_alloc_t *alloc_fn,
		    mempool_free_t *free_fn, void *data, gfp_t flags, int node)
{
	mempool_t *m = kmalloc_node(sizeof(*m), flags, node);
	int error;

	if (m == NULL)
		return NULL;
	if (mempool_init_node(m, min_nr, alloc_fn, free_fn, data, flags,
			      node) == 0)
		return m;
	error = errno;
	kfree(m);
	errno = error;
	return NULL;
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
	return mempool_create(min_nr, mempool_alloc_slab, mempool_free_slab, c);
}

ns_export mempool_t *
mempool_create_kmalloc_pool(int min_nr, size_t size)
{
	return mempool_create(min_nr, mempool_kmalloc, mempool_kfree,
			      (void *)(uintptr_t)size);
}

ns_export void
mempool_destroy(mempool_t *m)
{
	if (m == NULL)
		return;
	mempool_exit(m);
	kfree(m);
}

ns_export int
mempool_resize(mempool_t *pool, int min_nr)
{
	struct pool *m = pool_of(pool);

	if (!is_min_nr(min_nr))
		return -1;
	if ((unsigned)min_nr > m->min_nr)
		return grow(pool, (unsigned)min_nr, GFP_KERNEL, NUMA_NO_NODE)
			   ? 0
			   : -1;
	shrink(m, (unsigned)min_nr);
	return 0;
}

ns_export bool
mempool_initialized(mempool_t *m)
{
	return pool_of(m)->chunks != NULL;
}

ns_export bool
mempool_is_saturated(mempool_t *pool)
{
	struct pool *m = pool_of(pool);

	return ns_load_relaxed(&m->ready) >= ns_load_relaxed(&m->min_nr);
}

ns_export void *
mempool_alloc_preallocated(mempool_t *pool)
{
	void *p = take(pool_of(pool));

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
mempool_alloc(mempool_t *pool, gfp_t flags)
{
	struct pool *m = pool_of(pool);
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
mempool_free(void *p, mempool_t *pool)
{
	struct pool *m = pool_of(pool);

	if (p == NULL)
		return;
	if (!put(m, p))
		m->free(p, m->data);
	__atomic_add_fetch(&m->frees, 1u, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&m->waiters, __ATOMIC_SEQ_CST) != 0)
		ns_os_wake(&m->frees);
}
