/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/alloc.c - allocation by size: the class, the run, and the way back
 * from a pointer.  What malloc, kmalloc and operator new are made of.
 */
#include "slab/fast.h"

#include <errno.h>
#include <string.h>

/* An object of a malloc class. */
static void *
alloc_class(unsigned c, gfp_t gfp)
{
	struct ns_heap *h = ns_home;
	void *p = NULL;

	if (ns_likely(ns_at_home(h)))
		p = ns_bin_pop(&h->bin[c], 0);
	return ns_likely(p != NULL)
		   ? p
		   : ns_cache_alloc(&ns_caches[c], NS_NO_SLOT, gfp);
}

/* Every allocation the fast path did not finish. */
static ns_cold void *
alloc_slow(size_t size)
{
	if (size > NS_SLAB_MAX)
		return ns_large_alloc(size, 1, NS_NO_SLOT, 0);
	return ns_cache_alloc(&ns_caches[ns_class_of(ns_max(size, 1))],
			      NS_NO_SLOT, 0);
}

/* Where the map of bins ends: the class by arithmetic, then a pop. */
void *
ns_alloc_mid(size_t size)
{
	if (ns_likely(size > NS_DIRECT_MAX && size <= NS_SLAB_MAX))
		return alloc_class(ns_class_of(size), 0);
	return alloc_slow(size);
}

unsigned
ns_aligned_class(size_t align, size_t size)
{
	size_t n = ns_round_up(ns_max(size, 1), align);
	unsigned c;

	if (align > NS_SLAB_MAX || n > NS_SLAB_MAX)
		return 0;
	for (c = ns_class_of(n); ns_caches[c].size % align != 0; c++)
		if (ns_caches[c].objsize % align == 0)
			return ns_exact_class(c);
	return c;
}

void *
ns_alloc_on(size_t size, size_t align, unsigned slot, gfp_t gfp)
{
	unsigned c = ns_aligned_class(align, size);
	void *p;

	if (c == 0)
		return ns_large_alloc(size, align, slot, gfp);
	p = slot == NS_NO_SLOT ? alloc_class(c, gfp)
			       : ns_cache_alloc(&ns_caches[c], slot, gfp);
	/* All of it: krealloc may hand out the rest later. */
	if (p != NULL && (gfp & __GFP_ZERO) != 0)
		memset(p, 0, ns_caches[c].objsize);
	return p;
}

void *
ns_alloc_zero(size_t size)
{
	void *p;

	if (size > NS_SLAB_MAX)
		return ns_large_alloc(size, 1, NS_NO_SLOT, __GFP_ZERO);
	p = ns_malloc_fast(size);
	return p != NULL ? memset(p, 0, size) : NULL;
}

void *
ns_alloc_aligned(size_t align, size_t size)
{
	unsigned c;

	if (align <= 16)
		return ns_malloc_fast(size);
	if (size > PTRDIFF_MAX - align || ns_init() != 0) {
		errno = ENOMEM;
		return NULL;
	}
	c = ns_aligned_class(align, size);
	if (c == 0)
		return ns_large_alloc(size, align, NS_NO_SLOT, 0);
	return alloc_class(c, 0);
}

size_t
ns_good_size(size_t align, size_t size)
{
	unsigned c;

	if (size > PTRDIFF_MAX - NS_UNIT || align > PTRDIFF_MAX - size ||
	    ns_init() != 0)
		return 0;
	c = ns_aligned_class(ns_max(align, 16), size);
	return c != 0 ? ns_caches[c].objsize
		      : ns_round_up(ns_max(size, 1), ns_page_size);
}

/* The run of a live block, or death. */
static struct ns_unit *
run_of_block(const void *p)
{
	struct ns_unit *u = ns_run_of(p);

	if (ns_unlikely(u == NULL))
		ns_bad_free(p, ns_ours(p) ? "not allocated"
					  : "not from this allocator");
	return u;
}

ns_noinline void
ns_free_slow(void *p)
{
	struct ns_unit *u;

	if (p == NULL)
		return;
	u = run_of_block(p);
	if (u->kind == NS_KIND_SLAB)
		ns_slab_free(p);
	else if (u->kind == NS_KIND_LARGE)
		ns_large_free(u, p);
	else
		ns_bad_free(p, "not a malloc block");
}

static const struct ns_slab *
slab_of_block(struct ns_unit *u, const void *p)
{
	const struct ns_slab *s = (const struct ns_slab *)(const void *)u;

	if (u->kind != NS_KIND_SLAB)
		ns_bad_free(p, "not the start of a block");
	ns_check_object(s, p);
	return s;
}

/* The size of a live block of malloc's classes; 0: it is none. */
ns_inline size_t
size_in_class(const void *p)
{
	const struct ns_slab *s;

	if (ns_unlikely(!ns_ours(p)))
		return 0;
	s = (const struct ns_slab *)(void *)ns_unit_of(p);
	return ns_is_object(s, p) &&
		       ((const struct ns_free *)p)->mark != s->mark
		   ? (size_t)s->size - s->spare
		   : 0;
}

static size_t
usable_size_slow(const void *p)
{
	struct ns_unit *u;

	if (p == NULL)
		return 0;
	u = run_of_block(p);
	if (u->kind == NS_KIND_LARGE && p == ns_unit_addr(u))
		return ns_large_size(u);
	return slab_of_block(u, p)->cache->objsize;
}

size_t
ns_usable_size(const void *p)
{
	size_t size = size_in_class(p);

	return ns_likely(size != 0) ? size : usable_size_slow(p);
}

bool
ns_resize_in_place(void *p, size_t size)
{
	struct ns_unit *u = run_of_block(p);

	if (u->kind != NS_KIND_LARGE)
		return size <= ns_usable_size(p);
	return size > NS_SLAB_MAX && ns_large_resize(u, size);
}

/*
 * In place when the block stays at least half used; a large block when the
 * units behind it are free.  A block that grows by a small step will likely
 * grow again, and gets a quarter more.
 */
void *
ns_realloc(void *p, size_t size)
{
	size_t old = size_in_class(p);
	void *q = NULL;

	if (ns_likely(old - size <= old / 2 || (size <= old && old <= 64)))
		return p;
	if (old == 0)
		old = ns_usable_size(p);
	if (old > NS_SLAB_MAX && ns_resize_in_place(p, size))
		return p;
	if (size > old && size < old + old / 4)
		q = ns_malloc_fast(old + old / 4);
	if (q == NULL)
		q = ns_malloc_fast(size);
	if (q == NULL)
		return NULL;
	memcpy(q, p, ns_min(old, size));
	ns_free_fast(p);
	return q;
}
