/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/large.c - blocks above NS_SLAB_MAX: a run each.
 *
 * Only the first unit's descriptor tells of the block, so its start is the
 * only pointer that can be freed.  A block grows in place when the units
 * behind it are free, which at the end of a node's span they mostly are.
 */
#include "slab/account.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

struct large {
	size_t size; /* a block can be used to: whole system pages */
	struct numaslab_account *payer; /* or NULL */
};

static struct large *
large_of(struct ns_unit *u)
{
	return (struct large *)(void *)u->body;
}

size_t
ns_large_size(struct ns_unit *u)
{
	return large_of(u)->size;
}

/* @payer was charged with the block's size. */
void
ns_large_charged(void *p, struct numaslab_account *payer)
{
	large_of(ns_unit_of(p))->payer = payer;
}

static size_t
units_for(size_t size)
{
	return (size + NS_UNIT - 1) >> NS_UNIT_SHIFT;
}

void *
ns_large_alloc(size_t size, size_t align, unsigned slot, gfp_t gfp)
{
	unsigned flags = (gfp & __GFP_THISNODE) != 0 ? NS_RUN_STRICT : 0;
	struct ns_heap *h;
	struct ns_unit *u = NULL;

	if ((gfp & NS_GFP_RESERVE) == 0)
		flags |= NS_RUN_KEEP;

	if (slot == NS_NO_SLOT) {
		h = ns_heap_home();
		slot = h != NULL ? h->slot : 0;
	}
	if ((gfp & __GFP_ZERO) != 0)
		flags |= NS_RUN_ZERO;
	if (ns_init() == 0 && size <= PTRDIFF_MAX && align <= ns_total)
		u = ns_run_alloc(slot, units_for(ns_max(size, 1)),
				 ns_max(units_for(align), 1), flags);
	if (u == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	large_of(u)->size = ns_round_up(ns_max(size, 1), ns_page_size);
	if ((gfp & __GFP_ZERO) != 0 && !u->zero)
		memset(ns_unit_addr(u), 0, (size_t)u->nunits << NS_UNIT_SHIFT);
	ns_run_publish(u, NS_KIND_LARGE);
	ns_maint_poke();
	return ns_unit_addr(u);
}

void
ns_large_free(struct ns_unit *u, void *p)
{
	if (p != ns_unit_addr(u))
		ns_bad_free(p, "not the start of a block");
	ns_count_free(p);
	ns_account_uncharge(large_of(u)->payer, large_of(u)->size);
	ns_run_free(u, false);
}

/* In place, or not at all, as what was charged to somebody. */
bool
ns_large_resize(struct ns_unit *u, size_t size)
{
	size_t n = units_for(size);

	if (size > PTRDIFF_MAX || n > UINT32_MAX || large_of(u)->payer != NULL)
		return false;
	if (n < u->nunits)
		ns_run_shrink(u, n);
	else if (n > u->nunits && !ns_run_grow(u, n))
		return false;
	large_of(u)->size = ns_round_up(size, ns_page_size);
	return true;
}
