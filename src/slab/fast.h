/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/fast.h - the two paragraphs that every program spends its time in.
 *
 * Allocation pops the current slab of the home heap's bin.  A free object
 * holds the exclusive or of its own address, the next object's and a secret;
 * so one decode gives the *distance bits* of the next object, and one
 * compare tells that it lies in the same slab, that the list goes on (the
 * last object's decode is far away), and that nobody has overwritten it.
 *
 * Freeing finds the slab by arithmetic, asks whether this heap owns it,
 * whether the address is an object's start (n is a multiple of d if and only
 * if n * ceil(2^64/d) mod 2^64 is less than ceil(2^64/d); Lemire, Kaser and
 * Kurz 2019), whether it is free already, and pushes it.
 *
 * Everything else, every rare case and every error, is in one of the slow
 * paths.
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

/* Pops @bin if it has at least two objects. */
ns_inline void *
ns_bin_pop(struct ns_bin *bin, uint32_t link_off)
{
	struct ns_slab *s = bin->current;
	char *obj = s->free;
	struct ns_free *f = (struct ns_free *)(void *)(obj + link_off);
	uint64_t distance = f->link ^ ns_key;

	if (ns_unlikely(distance >= NS_SLAB_SPAN))
		return NULL;
	s->free = (void *)((uintptr_t)obj ^ distance);
	s->used++;
	f->mark = 0;
	return obj;
}

/* The pop alone: NULL when it takes more than that. */
ns_inline void *
ns_malloc_try(size_t size)
{
	struct ns_heap *h = ns_home;
	size_t i = (size - 1) / 16; /* size 0 wraps: not here */

	if (ns_unlikely(i >= NS_DIRECT_MAX / 16 || !ns_at_home(h)))
		return NULL;
	return ns_bin_pop((struct ns_bin *)(void *)((char *)h + h->bin_of[i]),
			  0);
}

ns_inline void *
ns_malloc_fast(size_t size)
{
	void *p = ns_malloc_try(size);

	return ns_likely(p != NULL) ? p : ns_alloc_mid(size);
}

/* Is @obj the start of an object of @s (or beyond its last one)? */
ns_inline bool
ns_is_object(const struct ns_slab *s, const void *obj)
{
	return ((uint64_t)(uintptr_t)obj - (uintptr_t)s->first) * s->inverse <
	       s->inverse;
}

/* The owner's push; false when the object is free already or misplaced. */
ns_inline bool
ns_slab_push_own(struct ns_slab *s, void *obj, uint32_t link_off)
{
	struct ns_free *f = (struct ns_free *)(void *)((char *)obj + link_off);

	if (ns_unlikely(!ns_is_object(s, obj) || f->mark == (uintptr_t)s))
		return false;
	f->mark = (uintptr_t)s;
	f->link = ((uintptr_t)obj ^ ns_key) ^ (uintptr_t)s->free;
	ns_store_release(&s->free, obj); /* in order, for fork()'s child */
	return true;
}

/* @s is owned by @home, the home heap; false as above. */
ns_inline bool
ns_free_home(struct ns_heap *home, struct ns_slab *s, void *obj,
	     uint32_t link_off)
{
	if (ns_unlikely(!ns_slab_push_own(s, obj, link_off)))
		return false;
	ns_owner_add(&home->frees, 1);
	if (ns_unlikely(--s->used == 0))
		ns_slab_emptied(s);
	return true;
}

ns_inline void
ns_free_fast(void *p)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)ns_base;
	struct ns_heap *h = ns_home;
	struct ns_slab *s;

	if (ns_unlikely(off >= ns_total)) {
		ns_free_slow(p);
		return;
	}
	s = (struct ns_slab *)(void *)ns_unit_head(ns_units +
						   (off >> NS_UNIT_SHIFT));
	if (ns_unlikely(ns_load_relaxed(&s->owner) != (uintptr_t)h ||
			!ns_free_home(h, s, p, 0)))
		ns_free_slow(p);
}

#endif
