/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/large.c - blocks above NS_SLAB_MAX: a run each.
 *
 * Only the first unit's descriptor tells of the block, so its start is the
 * only pointer that can be freed.  A block grows in place when the units
 * behind it are free, which at the end of a node's span they mostly are.
 */
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

/* The size a block can be used to: whole system pages. */
static size_t *
size_of(struct ns_unit *u)
{
	return (size_t *)(void *)u->body;
}

size_t
ns_large_size(struct ns_unit *u)
{
	return *size_of(u);
}

static size_t
units_for(size_t size)
{
	return (size + NS_UNIT - 1) >> NS_UNIT_SHIFT;
}

/* From what the thread holds on its home node, or from the pools. */
static struct ns_unit *
take_run(struct ns_heap *h, unsigned slot, size_t n, size_t align,
	 unsigned flags)
{
	struct ns_unit *u = NULL;

	if (h != NULL && h->slot == slot) {
		ns_lock(&h->lock);
		u = ns_hold_alloc(&h->hold, n, align, false);
		ns_unlock(&h->lock);
	}
	return u != NULL ? u : ns_run_alloc(slot, n, align, flags);
}

void *
ns_large_alloc(size_t size, size_t align, unsigned slot, gfp_t gfp)
{
	unsigned flags = (gfp & __GFP_THISNODE) != 0 ? NS_RUN_STRICT : 0;
	struct ns_heap *h = ns_heap_home();
	struct ns_unit *u = NULL;

	if ((gfp & NS_GFP_RESERVE) == 0)
		flags |= NS_RUN_KEEP;
	if (slot == NS_NO_SLOT)
		slot = h != NULL ? h->slot : 0;
	if ((gfp & __GFP_ZERO) != 0)
		flags |= NS_RUN_ZERO;
	if (ns_init() == 0 && size <= PTRDIFF_MAX && align <= ns_total)
		u = take_run(h, slot, units_for(ns_max(size, 1)),
			     ns_max(units_for(align), 1), flags);
	if (u == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*size_of(u) = ns_round_up(ns_max(size, 1), ns_page_size);
	if ((gfp & __GFP_ZERO) != 0 && !u->zero)
		memset(ns_unit_addr(u), 0, *size_of(u));
	ns_run_publish(u, NS_KIND_LARGE);
	ns_maint_poke();
	return ns_unit_addr(u);
}

void
ns_large_free(struct ns_unit *u, void *p)
{
	struct ns_heap *h = ns_home;
	bool held = false;

	if (p != ns_unit_addr(u))
		ns_bad_free(p, "not the start of a block");
	ns_count_free(p);
	if (h->slot == u->slot) {
		ns_lock(&h->lock);
		held = ns_hold_free(&h->hold, u);
		ns_unlock(&h->lock);
	}
	if (!held)
		ns_run_free(u, false);
}

/* To @n units, by what the heap holds or can. */
static bool
resize_held(struct ns_heap *h, struct ns_unit *u, size_t n)
{
	bool done;

	if (h->slot != u->slot)
		return false;
	ns_lock(&h->lock);
	done = n < u->nunits ? ns_hold_shrink(&h->hold, u, n)
			     : ns_hold_grow(&h->hold, u, n);
	ns_unlock(&h->lock);
	return done;
}

/* In place, or not at all. */
bool
ns_large_resize(struct ns_unit *u, size_t size)
{
	size_t n = units_for(size);

	if (size > PTRDIFF_MAX || n > UINT32_MAX)
		return false;
	if (n != u->nunits && !resize_held(ns_home, u, n)) {
		if (n < u->nunits)
			ns_run_shrink(u, n);
		else if (!ns_run_grow(u, n))
			return false;
	}
	*size_of(u) = ns_round_up(size, ns_page_size);
	return true;
}
