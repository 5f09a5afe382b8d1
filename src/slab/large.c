/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/large.c - blocks above NS_SLAB_MAX: a run each.
 *
 * 1. Only the first unit's descriptor tells of the block, so its start is the
 *    only pointer that can be freed.
 * 2. Runs come from what the thread's home heap holds (page/hold.c), and
 *    then from the pool; and go back the same way.
 * 3. A block that realloc made grow will likely grow again.  It gets a run
 *    with room behind it, and grows there in place.  Growth shows early: from
 *    NS_GROWING on such a block may have a run although a slab would do.  It
 *    is *young* then, until it is larger than any slab's object.  Each thread
 *    has YOUNG_MAX of them at most, for the rest of their unit is wasted.
 */
#include "slab/account.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define YOUNG_MAX 4u

struct large {
	size_t size; /* that it can be used to: whole system pages */
	struct numaslab_account *payer; /* or NULL */
	bool young;
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

/* From what the thread holds on its home node, or from the pools. */
static struct ns_unit *
take_run(unsigned slot, size_t size, size_t align, unsigned flags)
{
	size_t n = units_for(ns_max(size, 1));
	struct ns_heap *h = ns_heap_home();
	struct ns_unit *u = NULL;

	if (slot == NS_NO_SLOT)
		slot = h != NULL ? h->slot : 0;
	if (ns_init() != 0 || size > PTRDIFF_MAX || align > ns_total)
		return NULL;
	align = ns_max(units_for(align), 1);
	if (h != NULL && h->slot == slot) {
		ns_lock(&h->lock);
		u = ns_hold_alloc(&h->hold, n, align,
				  (flags & NS_RUN_ROOM) != 0);
		ns_unlock(&h->lock);
	}
	return u != NULL ? u : ns_run_alloc(slot, n, align, flags);
}

static void *
make(unsigned slot, size_t size, size_t align, unsigned flags)
{
	struct ns_unit *u = take_run(slot, size, align, flags);

	if (u == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*large_of(u) = (struct large){
		.size = ns_round_up(ns_max(size, 1), ns_page_size),
	};
	if ((flags & NS_RUN_ZERO) != 0 && !u->zero)
		memset(ns_unit_addr(u), 0, large_of(u)->size);
	ns_run_publish(u, NS_KIND_LARGE);
	ns_maint_poke();
	return ns_unit_addr(u);
}

void *
ns_large_alloc(size_t size, size_t align, unsigned slot, gfp_t gfp)
{
	unsigned flags = 0;

	if ((gfp & __GFP_THISNODE) != 0)
		flags |= NS_RUN_STRICT;
	if ((gfp & NS_GFP_RESERVE) == 0)
		flags |= NS_RUN_KEEP;
	if ((gfp & __GFP_ZERO) != 0)
		flags |= NS_RUN_ZERO;
	return make(slot, size, align, flags);
}

void *
ns_large_alloc_growing(size_t size)
{
	bool young = size <= NS_SLAB_MAX;
	void *p;

	if (young && (ns_home->thread == NULL || ns_home->young >= YOUNG_MAX))
		return NULL;
	p = make(NS_NO_SLOT, size, 1, NS_RUN_KEEP | NS_RUN_ROOM);
	if (p != NULL && young) {
		large_of(ns_unit_of(p))->young = true;
		ns_home->young++;
	}
	return p;
}

/* The block is large now, or gone.  Who allocated it may be another thread. */
static void
no_longer_young(struct ns_unit *u)
{
	if (!large_of(u)->young)
		return;
	large_of(u)->young = false;
	if (ns_home->young > 0)
		ns_home->young--;
}

void
ns_large_free(struct ns_unit *u, void *p, const char *call)
{
	struct ns_heap *h = ns_home;
	uint8_t large = NS_KIND_LARGE;
	bool held = false;

	if (p != ns_unit_addr(u))
		ns_broken(call, NULL, p, "not the start of a block");
	if (!ns_cas_acquire(&u->kind, &large, NS_KIND_FREE))
		ns_broken(call, NULL, p,
			  "already free"); /* two threads at once */
	ns_count_free(p);
	ns_account_uncharge(large_of(u)->payer, large_of(u)->size);
	no_longer_young(u);
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

/* In place, or not at all, as what was charged to somebody. */
bool
ns_large_resize(struct ns_unit *u, size_t size)
{
	size_t n = units_for(size);

	if (size > PTRDIFF_MAX || n > UINT32_MAX ||
	    large_of(u)->payer != NULL ||
	    size < (large_of(u)->young ? NS_GROWING : NS_SLAB_MAX + 1))
		return false;
	if (n != u->nunits && !resize_held(ns_home, u, n)) {
		if (n < u->nunits)
			ns_run_shrink(u, n);
		else if (!ns_run_grow(u, n))
			return false;
	}
	large_of(u)->size = ns_round_up(size, ns_page_size);
	if (size > NS_SLAB_MAX)
		no_longer_young(u);
	return true;
}

bool
ns_large_move(void *p, void *q)
{
	struct ns_unit *u = ns_run_of(p), *to = ns_run_of(q);

	if (u->kind != NS_KIND_LARGE || to->kind != NS_KIND_LARGE ||
	    large_of(u)->payer != NULL || !ns_run_move(u, to))
		return false;
	ns_count_free(p);
	no_longer_young(u);
	ns_run_free(u, true);
	return true;
}
