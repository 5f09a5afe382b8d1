/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/alloc.c - allocation by size: the class, the run, and the way back
 * from a pointer.  What malloc, kmalloc and operator new are made of.
 */
#include "slab/debug.h"
#include "slab/fast.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

/* Which classes are watched is known once the library is awake. */
static bool
is_watched(const struct kmem_cache *c)
{
	return ns_init() == 0 && ns_unlikely(ns_is_special(c));
}

/* Past the magazine. */
static void *
take(struct kmem_cache *c, size_t size, unsigned slot, gfp_t gfp)
{
	return is_watched(c) ? ns_debug_take(c, size, slot, gfp)
			     : ns_cache_alloc(c, slot, gfp);
}

/* The same for malloc, whose requests may be made to fail, too. */
static void *
take_for_malloc(struct kmem_cache *c, size_t size)
{
	if (is_watched(c) && ns_debug_fails(c, 0))
		return NULL;
	return take(c, size, NS_NO_SLOT, 0);
}

/* What the home magazine of a class has. */
static void *
pop(const struct kmem_cache *c)
{
	struct ns_heap *h = ns_home;

	return ns_likely(ns_at_home(h)) ? ns_bin_pop(&h->bin[c->id], 0) : NULL;
}

/* An object of a malloc class. */
static void *
alloc_class(unsigned class, size_t size)
{
	struct kmem_cache *c = &ns_caches[class];
	void *p = pop(c);

	return ns_likely(p != NULL) ? p : take_for_malloc(c, size);
}

/* Every allocation the fast path did not finish. */
static ns_cold void *
alloc_slow(size_t size)
{
	if (size > NS_SLAB_MAX)
		return ns_large_alloc(size, 1, NS_NO_SLOT, 0);
	return take_for_malloc(&ns_caches[ns_class_of(ns_max(size, 1))], size);
}

/* Where the map of bins ends: the class by arithmetic, then a pop. */
void *
ns_alloc_mid(size_t size)
{
	if (ns_likely(size > NS_DIRECT_MAX && size <= NS_SLAB_MAX))
		return alloc_class(ns_class_of(size), size);
	return alloc_slow(size);
}

unsigned
ns_aligned_class(size_t align, size_t size)
{
	size_t n = ns_round_up(ns_max(size, 1), align);
	unsigned c;

	if (align > NS_SLAB_MAX || n > NS_SLAB_MAX)
		return 0;
	for (c = ns_class_of(n); ns_caches[c].align % align != 0; c++)
		if (ns_caches[c].objsize % align == 0)
			return ns_exact_class(c);
	return c;
}

void *
ns_alloc_on(size_t size, size_t align, unsigned slot, gfp_t gfp)
{
	struct ns_retry r = { .gfp = gfp, .slot = slot };
	unsigned class = ns_init() == 0 ? ns_aligned_class(align, size) : 0;
	struct kmem_cache *c = class != 0 ? &ns_caches[class] : NULL;
	void *p = NULL;

	if (c != NULL && slot == NS_NO_SLOT)
		p = pop(c);
	if (p == NULL && c != NULL && is_watched(c) && ns_debug_fails(c, gfp))
		return NULL;
	while (p == NULL) {
		p = c != NULL ? take(c, size, slot, r.gfp)
			      : ns_large_alloc(size, align, slot, r.gfp);
		if (p == NULL && !ns_retry(&r))
			return NULL;
	}
	/* All of it: krealloc may hand out the rest later. */
	if ((gfp & __GFP_ZERO) != 0 && c != NULL)
		memset(p, 0, ns_usable_size(p, __func__));
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
	return alloc_class(c, size);
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
run_of_block(const void *p, const char *call)
{
	struct ns_unit *u = ns_run_of(p);

	if (ns_unlikely(u == NULL))
		ns_broken(call, NULL, p,
			  ns_ours(p) ? "not allocated"
				     : "not from this allocator");
	return u;
}

static void
free_other(void *p, const char *call)
{
	struct ns_unit *u;

	if (p == NULL)
		return;
	u = run_of_block(p, call);
	if (u->kind == NS_KIND_SLAB)
		ns_slab_free(p, call);
	else if (u->kind == NS_KIND_LARGE)
		ns_large_free(u, p, call);
	else
		ns_broken(call, NULL, p, "not a malloc block");
}

ns_noinline void
ns_free_slow(void *p, const char *call)
{
	if (ns_heap_turn_to(p))
		ns_free_fast(p, call);
	else
		free_other(p, call);
}

static const struct ns_slab *
slab_of_block(struct ns_unit *u, const void *p, const char *call)
{
	const struct ns_slab *s = (const struct ns_slab *)(const void *)u;

	if (u->kind != NS_KIND_SLAB)
		ns_broken(call, NULL, p, "not the start of a block");
	ns_check_object(s, p, call);
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
usable_size_slow(const void *p, const char *call)
{
	struct ns_unit *u;

	if (p == NULL)
		return 0;
	u = run_of_block(p, call);
	if (u->kind == NS_KIND_LARGE && p == ns_unit_addr(u))
		return ns_large_size(u);
	return ns_debug_size(slab_of_block(u, p, call)->cache, p);
}

size_t
ns_usable_size(const void *p, const char *call)
{
	size_t size = size_in_class(p);

	return ns_likely(size != 0) ? size : usable_size_slow(p, call);
}

bool
ns_resize_in_place(void *p, size_t size, const char *call)
{
	struct ns_unit *u = run_of_block(p, call);

	if (u->kind != NS_KIND_LARGE)
		return size <= ns_usable_size(p, call);
	return ns_large_resize(u, size);
}

/* A large block, or one that may have a run with room behind it. */
static ns_noinline void *
realloc_large(void *p, size_t old, size_t size, const char *call)
{
	struct ns_unit *u = ns_run_of(p);
	size_t want = size;
	void *q = NULL;

	if (old == 0 && ns_likely(u != NULL && u->kind == NS_KIND_LARGE &&
				  p == ns_unit_addr(u))) {
		old = ns_large_size(u);
		if (old - size < ns_page_size || ns_large_resize(u, size))
			return p;
	}
	if (old == 0)
		old = ns_usable_size(p, call);
	if (size > old && size < old + old / 4)
		want = old + old / 4;
	if (size > old && size >= NS_GROWING)
		q = ns_large_alloc_growing(want);
	if (q == NULL)
		q = ns_malloc_fast(size);
	if (q == NULL)
		return NULL;
	if (old > NS_SLAB_MAX && size > old && ns_large_move(p, q))
		return q;
	memcpy(q, p, ns_min(old, size));
	ns_free_fast(p, call);
	return q;
}

/*
 * In place when the block stays at least half used.  A block that grows by a
 * small step will likely grow again, and gets a quarter more.
 */
void *
ns_realloc(void *p, size_t size, const char *call)
{
	size_t old = size_in_class(p), n;
	void *q = NULL;

	if (ns_likely(old - size <= old / 2 || (size <= old && old <= 64)))
		return p;
	if (ns_unlikely(old == 0 || size >= NS_GROWING))
		return realloc_large(p, old, size, call);
	if (size > old && size < old + old / 4)
		q = ns_malloc_fast(old + old / 4);
	if (q == NULL)
		q = ns_malloc_fast(size);
	if (ns_unlikely(q == NULL))
		return NULL;
	n = ns_min(old, size);
	__asm__("" : "+r"(n)); /* if gcc knows a bound it copies by words */
	memcpy(q, p, n);
	ns_free_fast(p, call);
	return q;
}

void *
ns_alloc_growing(size_t size)
{
	void *p = ns_large_alloc_growing(size);

	return p != NULL ? p : ns_malloc_fast(size);
}
