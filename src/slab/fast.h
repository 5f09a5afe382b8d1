/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/fast.h - the two paragraphs that every program spends its time in.
 *
 * Allocation pops the magazine of the home heap's bin: an array of free
 * objects, whose first item is NULL and stays.  Freeing finds the slab by
 * arithmetic, asks whether it is on the home heap's node or on the other one
 * used last, whether the address is an object's start, whether it is free
 * already, and pushes it on the magazine.
 *
 * Neither touches what another thread writes, nor the slab's own books: an
 * object in a magazine is in use as far as its slab knows.  Everything else,
 * every rare case and every error, is in one of the slow paths.
 */
#ifndef NS_FAST_H
#define NS_FAST_H

#include "slab/slab.h"

/* Where thread @h is running is where the heap was chosen for. */
ns_inline bool
ns_at_home(const struct ns_heap *h)
{
	return ns_load_relaxed(h->cpu_word) == h->cpu;
}

/* Pops @bin's magazine; NULL when it is empty. */
ns_inline void *
ns_bin_pop(struct ns_bin *bin, uint32_t link_off)
{
	void **top = bin->top;
	char *obj = *top;

	if (ns_unlikely(obj == NULL))
		return NULL;
	ns_store_relaxed(&bin->top, top - 1);
	((struct ns_free *)(void *)(obj + link_off))->mark = 0;
	return obj;
}

ns_inline struct ns_bin *
ns_bin_at(struct ns_heap *h, uint32_t offset)
{
	return (struct ns_bin *)(void *)((char *)h + offset);
}

/* The pop alone: NULL when it takes more than that. */
ns_inline void *
ns_malloc_try(size_t size)
{
	struct ns_heap *h = ns_home;

	if (ns_unlikely(size > NS_DIRECT_MAX || !ns_at_home(h)))
		return NULL;
	return ns_bin_pop(ns_bin_at(h, h->bin_of[(size + 15) / 16]), 0);
}

ns_inline void *
ns_malloc_fast(size_t size)
{
	void *p = ns_malloc_try(size);

	return ns_likely(p != NULL) ? p : ns_alloc_mid(size);
}

/*
 * Is @obj the start of an object of @s that was carved?  The inverse of size
 * d is 2^64 / d rounded up, and one more for a power of two, so that
 * e = inverse * d mod 2^64 is at least 1 and at most d.  At n * d + r the
 * product is n * e + r * inverse: less than the bound carved * e if and only
 * if r is 0 and n is 0 to carved - 1.  (After Lemire, Kaser and Kurz 2019.)
 */
ns_inline bool
ns_is_below(const struct ns_slab *s, const void *obj, uint64_t bound)
{
	return ((uint64_t)(uintptr_t)obj - (uintptr_t)s->first) * s->inverse <
	       bound;
}

/* The same of a malloc class: what free() may take. */
ns_inline bool
ns_is_object(const struct ns_slab *s, const void *obj)
{
	return ns_is_below(s, obj, ns_load_acquire(&s->bound)); /* park.c, 3 */
}

/* And of the caches with the bin at @bin: what kmem_cache_free() may take. */
ns_inline bool
ns_is_object_of(const struct ns_slab *s, uint32_t bin, const void *obj)
{
	return ns_likely(s != NULL) && ns_likely(s->bin == bin) &&
	       ns_is_below(s, obj, ns_load_acquire(&s->user_bound));
}

/*
 * One unit's copy of a slab's first line, if @obj is in a slab of the node of
 * the home heap *@h, or of the other one used last, which then is *@h.  NULL:
 * it is on neither.  A live object's slab was published before the object was
 * handed out, so nothing here is read while it is set up.
 */
ns_inline struct ns_slab *
ns_slab_in(struct ns_heap **h, const void *obj)
{
	size_t off = (uintptr_t)obj - (*h)->window.base;

	if (ns_unlikely(off >= (*h)->window.size)) {
		*h = (*h)->far;
		off = (uintptr_t)obj - (*h)->window.base;
		if (ns_unlikely(off >= (*h)->window.size))
			return NULL;
	}
	return (struct ns_slab *)(void *)ns_unit_at(&(*h)->window, off);
}

/*
 * Frees @obj of the slab that @s is a copy of, on the node of the thread's heap
 * @h, with its bin @at: into the magazine; or, when frees pass it by and the
 * slab is the heap's, there, unless idle.c is at work on the heap.  Stores are
 * atomic where two compilers would make one of them, which is slower.  @call is
 * the program's, for whoever finds a rule broken.
 */
ns_inline void
ns_free_into(struct ns_heap *h, struct ns_slab *s, uint32_t at, void *obj,
	     uint32_t link_off, const char *call)
{
	struct ns_free *f = (struct ns_free *)(void *)((char *)obj + link_off);
	struct ns_bin *bin = ns_bin_at(h, at);
	void **top = bin->top;
	uint64_t mark = s->mark;

	if (ns_unlikely(f->mark == mark)) {
		ns_slab_free(obj, call);
		return;
	}
	if (ns_likely(top != bin->limit)) {
		f->mark = mark;
		top[1] = obj;
		ns_store_release(&bin->top, top + 1); /* for fork's child */
		ns_owner_inc(&h->frees);
		return;
	}
	s = (struct ns_slab *)(void *)ns_unit_head((struct ns_unit *)(void *)s);
	ns_store_relaxed(&h->passing, 1u);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* idle.c has the other half */
	if (ns_unlikely(ns_load_relaxed(&s->owner) !=
			    ns_load_acquire(&h->self) ||
			--bin->passes < 0)) {
		if (bin->passes < 0)
			bin->passes = 0;
		ns_store_relaxed(&h->passing, 0u);
		ns_slab_free(obj, call);
		return;
	}
	ns_store_relaxed(&f->mark, mark);
	ns_store_relaxed(&f->link, ns_link(obj, (uintptr_t)s->free));
	ns_store_release(&s->free, obj); /* in order, for fork's child */
	ns_owner_inc(&h->frees);
	if (ns_unlikely(--s->used == 0))
		ns_heap_emptied(h, s);
	else
		ns_store_release(&h->passing, 0u);
}

ns_inline void
ns_free_fast(void *p, const char *call)
{
	struct ns_heap *h = ns_home;
	struct ns_slab *s = ns_slab_in(&h, p);

	if (ns_likely(s != NULL && ns_is_object(s, p)))
		ns_free_into(h, s, s->bin, p, 0, call);
	else
		ns_free_slow(p, call);
}

/* kfree(), for @call. */
ns_inline void
ns_kfree(const void *p, const char *call)
{
	if (!ZERO_OR_NULL_PTR(p))
		ns_free_fast((void *)(uintptr_t)p, call);
}

#endif
