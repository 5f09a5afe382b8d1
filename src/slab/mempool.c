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
 * 3. An element that is freed must not be ready already, or two would get it.
 *    So that a free need not look at all words, these are in buckets of a
 *    cache line, a third of which is in use at most, and an element lies in
 *    its home bucket.  Where that is full it lies elsewhere in the chunk, and
 *    the home counts it.  Nor must it be free where it comes from, as far as
 *    the library knows.
 * 4. What it gives up: an element whose word is emptied just after a free
 *    looked goes to free_fn, and the pool is one short until the next free.
 *    Whoever waits then tries alloc_fn, which may have it.  And two threads
 *    that free one element at the same moment are not found out.
 * 5. Buckets come in chunks, one more each time a pool grows beyond all it
 *    ever had.  They stay until the pool goes, for somebody may be looking.
 */
#include "numaslab/mempool.h"

#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define MIN_NR_MAX 65536
#define WAIT_MS    1000u /* memory may come back without a free here */

#define BUCKET_WORDS 7u
#define BUCKET_USED  3u /* of them, on average, of a pool that is full */

struct bucket {
	uint32_t away;             /* [a] elements of it that lie in others */
	void *words[BUCKET_WORDS]; /* [a] */
};
_Static_assert(sizeof(struct bucket) == NS_CACHELINE, "a line each");

struct chunk {
	struct chunk *next; /* [I] */
	unsigned n;         /* [I] buckets */
	uint32_t taken;     /* [a] the bucket one was taken from last */
	struct bucket buckets[] __attribute__((aligned(NS_CACHELINE)));
};

struct pool {
	struct ns_tag tag;      /* [a] until it is exited; then 0 */
	mempool_alloc_t *alloc; /* [I] */
	mempool_free_t *free;   /* [I] */
	void *data;             /* [I] */
	struct chunk *chunks;   /* [a] */
	unsigned room;          /* of all chunks; who resizes */
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

static bool
is_pool(const mempool_t *m, const char *call)
{
	return ns_is_thing(m, offsetof(struct pool, tag), NS_POOL, call);
}

/* The same of a pool that is one, or death. */
static struct pool *
check(mempool_t *m, const char *call)
{
	ns_check_thing(m, offsetof(struct pool, tag), NS_POOL, call);
	return pool_of(m);
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

static struct bucket *
home_of(struct chunk *c, const void *p)
{
	uint64_t hash = ((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15;

	return &c->buckets[(uint32_t)(hash >> 32) % c->n];
}

static void *
take_from(struct chunk *c, struct bucket *b)
{
	for (unsigned i = 0; i < BUCKET_WORDS; i++) {
		void *p = ns_load_relaxed(&b->words[i]);

		/* Pairs with the CAS in put_into. */
		if (p == NULL ||
		    (p = ns_xchg_acquire(&b->words[i], NULL)) == NULL)
			continue;
		if (home_of(c, p) != b)
			ns_sub_relaxed(&home_of(c, p)->away, 1u);
		return p;
	}
	return NULL;
}

static void *
take(struct pool *m)
{
	struct chunk *c = ns_load_acquire(&m->chunks);
	void *p;

	if (ns_load_relaxed(&m->ready) == 0)
		return NULL;
	for (; c != NULL; c = c->next) {
		unsigned first = ns_load_relaxed(&c->taken);

		for (unsigned i = 0; i < c->n; i++) {
			unsigned at = (first + i) % c->n;

			p = take_from(c, &c->buckets[at]);
			if (p == NULL)
				continue;
			ns_store_relaxed(&c->taken, at);
			ns_sub_relaxed(&m->ready, 1u);
			return p;
		}
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
put_into(struct bucket *b, void *p)
{
	void *none;

	for (unsigned i = 0; i < BUCKET_WORDS; i++) {
		none = NULL;
		if (ns_load_relaxed(&b->words[i]) == NULL &&
		    ns_cas_release(&b->words[i], &none, p))
			return true;
	}
	return false;
}

static bool
put_in_chunk(struct chunk *c, void *p)
{
	struct bucket *home = home_of(c, p);

	if (put_into(home, p))
		return true;
	ns_add_relaxed(&home->away, 1u);
	for (unsigned i = 0; i < c->n; i++)
		if (&c->buckets[i] != home && put_into(&c->buckets[i], p))
			return true;
	ns_sub_relaxed(&home->away, 1u);
	return false;
}

static bool
put(struct pool *m, void *p)
{
	struct chunk *c = NULL;

	if (!count_ready(m))
		return false;
	do
		c = c != NULL ? c->next : ns_load_acquire(&m->chunks);
	while (c == NULL || !put_in_chunk(c, p));
	return true;
}

static bool
is_in(const struct bucket *b, const void *p)
{
	for (unsigned i = 0; i < BUCKET_WORDS; i++)
		if (ns_load_relaxed(&b->words[i]) == p)
			return true;
	return false;
}

/* Nobody else may put it there, or take it, while the caller has it. */
static bool
is_ready(struct pool *m, const void *p)
{
	struct chunk *c = ns_load_acquire(&m->chunks);

	for (; c != NULL; c = c->next) {
		const struct bucket *home = home_of(c, p);

		if (is_in(home, p))
			return true;
		if (ns_load_relaxed(&home->away) == 0)
			continue;
		for (unsigned i = 0; i < c->n; i++)
			if (is_in(&c->buckets[i], p))
				return true;
	}
	return false;
}

/* Room for @n elements in all. */
static bool
make_room(struct pool *m, unsigned n, gfp_t flags, int node)
{
	struct chunk *c;
	unsigned buckets;

	if (n <= m->room)
		return true;
	buckets = (n - m->room) / BUCKET_USED + 1;
	c = kzalloc_node(sizeof(*c) + buckets * sizeof(struct bucket), flags,
			 node);
	if (c == NULL)
		return false;
	c->n = buckets;
	c->next = m->chunks;
	ns_store_release(&m->chunks, c);
	m->room = n;
	return true;
}

static void
give(struct pool *m, void *p)
{
	if (!put(m, p))
		m->free(p, m->data);
	__atomic_add_fetch(&m->frees, 1u, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&m->waiters, __ATOMIC_SEQ_CST) != 0)
		ns_os_wake(&m->frees);
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
grow(struct pool *m, unsigned n, gfp_t flags, int node)
{
	unsigned old = m->min_nr;
	void *p;

	if (!make_room(m, n, flags, node))
		return false;
	while (m->min_nr < n) {
		p = m->alloc(flags, m->data);
		if (p == NULL) {
			shrink(m, old);
			errno = ENOMEM;
			return false;
		}
		ns_store_relaxed(&m->min_nr, m->min_nr + 1);
		give(m, p);
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

static void
empty(struct pool *m)
{
	struct chunk *c;

	shrink(m, 0);
	while ((c = m->chunks) != NULL) {
		m->chunks = c->next;
		kfree(c);
	}
	memset(m, 0, sizeof(*m));
}

ns_export int
mempool_init_node(mempool_t *pool, int min_nr, mempool_alloc_t *alloc_fn,
		  mempool_free_t *free_fn, void *data, gfp_t flags, int node)
{
	struct pool *m = pool_of(pool);
	int error;

	if (pool == NULL)
		ns_broken(__func__, NULL, NULL, "no pool");
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
	if (grow(m, (unsigned)min_nr, flags, node)) {
		ns_tag_set(&m->tag, NS_POOL);
		return 0;
	}
	error = errno;
	empty(m);
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
	ns_check_cache(c, __func__);
	return mempool_init(m, min_nr, mempool_alloc_slab, mempool_free_slab,
			    c);
}

/* Blocks of no bytes are all the same. */
static bool
is_size(size_t size)
{
	if (size != 0)
		return true;
	errno = EINVAL;
	return false;
}

ns_export int
mempool_init_kmalloc_pool(mempool_t *m, int min_nr, size_t size)
{
	if (!is_size(size))
		return -1;
	return mempool_init(m, min_nr, mempool_kmalloc, mempool_kfree,
			    (void *)(uintptr_t)size);
}

ns_export void
mempool_exit(mempool_t *pool)
{
	/* One that is all zero, or exited, has no word for a tag. */
	if (is_pool(pool, __func__) || pool_of(pool)->tag.word != 0)
		empty(check(pool, __func__));
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
	ns_check_cache(c, __func__);
	return mempool_create(min_nr, mempool_alloc_slab, mempool_free_slab, c);
}

ns_export mempool_t *
mempool_create_kmalloc_pool(int min_nr, size_t size)
{
	if (!is_size(size))
		return NULL;
	return mempool_create(min_nr, mempool_kmalloc, mempool_kfree,
			      (void *)(uintptr_t)size);
}

ns_export void
mempool_destroy(mempool_t *m)
{
	if (m == NULL)
		return;
	check(m, __func__);
	(void)ns_usable_size(m, __func__); /* not one of mempool_init's */
	empty(pool_of(m));
	kfree(m);
}

ns_export int
mempool_resize(mempool_t *pool, int min_nr)
{
	struct pool *m = check(pool, __func__);

	if (!is_min_nr(min_nr))
		return -1;
	if ((unsigned)min_nr > m->min_nr)
		return grow(m, (unsigned)min_nr, GFP_KERNEL, NUMA_NO_NODE) ? 0
									   : -1;
	shrink(m, (unsigned)min_nr);
	return 0;
}

ns_export bool
mempool_initialized(mempool_t *m)
{
	return is_pool(m, __func__);
}

ns_export bool
mempool_is_saturated(mempool_t *pool)
{
	struct pool *m = check(pool, __func__);

	return ns_load_relaxed(&m->ready) >= ns_load_relaxed(&m->min_nr);
}

ns_export void *
mempool_alloc_preallocated(mempool_t *pool)
{
	void *p = take(check(pool, __func__));

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
	struct pool *m = check(pool, __func__);
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

/* What is known of an element: that it is in use, and one of this pool's. */
static void
check_element(struct pool *m, const void *p, const char *call)
{
	if (is_ready(m, p))
		ns_broken(call, NULL, p, "in the pool's reserve already");
	if (m->alloc == mempool_alloc_slab)
		ns_cache_check(m->data, p, call);
	else if (m->alloc != mempool_kmalloc)
		ns_check_not_free(p, call);
	else if (ns_usable_size(p, call) < (size_t)(uintptr_t)m->data)
		ns_broken(call, NULL, p, "smaller than the pool's elements");
}

ns_export void
mempool_free(void *p, mempool_t *pool)
{
	struct pool *m;

	if (p == NULL)
		return;
	m = check(pool, __func__);
	check_element(m, p, __func__);
	give(m, p);
}
