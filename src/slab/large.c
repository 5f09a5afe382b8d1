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
 * 4. From a threshold on the policy for large blocks says where one comes from,
 *    and if that is interleave the block is *spread*: page/spread.c.  Such runs
 *    are not held.
 */
#include "slab/account.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define YOUNG_MAX 4u

struct large {
	size_t size; /* that it can be used to: whole system pages */
	struct numaslab_account *payer; /* or NULL */
	const struct ns_policy *spread; /* by it; or NULL */
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

/*
 * Where a block of @n units that names no node is to be, for a thread that is
 * at home on @home.
 */
static unsigned
large_slot(unsigned home, size_t n, unsigned *flags)
{
	unsigned cpu = 0, slot;

	if (ns_policy_large.mode == NS_POLICY_INTERLEAVE) {
		slot = ns_spread_slot(&ns_policy_large, n);
		if (slot != NS_NO_SLOT) {
			*flags |= NS_RUN_SPREAD;
			return slot;
		}
	}
	if (ns_policy_large.mode == NS_POLICY_LOCAL &&
	    ns_policy.mode == NS_POLICY_LOCAL)
		return home;
	ns_os_getcpu(&cpu, NULL);
	return ns_policy_large.home[ns_topo_slot_of_cpu(cpu)];
}

/* From what the thread holds on its home node, or from the pools. */
static struct ns_unit *
take_run(unsigned slot, size_t size, size_t align, unsigned *flags)
{
	size_t n = units_for(ns_max(size, 1));
	struct ns_heap *h = ns_heap_home();
	struct ns_unit *u = NULL;

	if (slot == NS_NO_SLOT)
		slot = h != NULL ? h->slot : 0;
	if (ns_init() != 0 || size > PTRDIFF_MAX || align > ns_total)
		return NULL;
	if ((*flags & NS_RUN_LARGE) != 0)
		slot = large_slot(slot, n, flags);
	align = ns_max(units_for(align), 1);
	if (h != NULL && h->slot == slot) {
		ns_lock(&h->lock);
		u = ns_hold_alloc(&h->hold, n, align,
				  (*flags & NS_RUN_ROOM) != 0);
		ns_unlock(&h->lock);
	}
	return u != NULL ? u : ns_run_alloc(slot, n, align, *flags);
}

static void
spread(struct ns_unit *u)
{
	if (!ns_run_spread(u, 0, u->nunits, &ns_policy_large))
		return;
	large_of(u)->spread = &ns_policy_large;
	u->zero = true;
}

static void *
make(unsigned slot, size_t size, size_t align, unsigned flags)
{
	struct ns_unit *u;

	if (ns_init() != 0) {
		errno = ENOMEM;
		return NULL;
	}
	if (slot == NS_NO_SLOT &&
	    size >= ns_load_relaxed(&ns_policy_threshold) && !ns_topo.one_node)
		flags |= NS_RUN_LARGE;
	u = take_run(slot, size, align, &flags);
	if (u == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*large_of(u) = (struct large){
		.size = ns_round_up(ns_max(size, 1), ns_page_size),
	};
	if ((flags & NS_RUN_SPREAD) != 0)
		spread(u);
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

/* @clean: its memory is zero. */
static void
give_back(struct ns_unit *u, bool clean)
{
	const struct ns_policy *spread = large_of(u)->spread;
	struct ns_heap *h = ns_home;
	bool held = false;

	no_longer_young(u);
	if (spread != NULL) {
		clean = ns_run_gather(u, 0, u->nunits, spread);
	} else if (h->slot == u->slot && !clean) {
		ns_lock(&h->lock);
		held = ns_hold_free(&h->hold, u);
		ns_unlock(&h->lock);
	}
	if (!held)
		ns_run_free(u, clean);
}

void
ns_large_free(struct ns_unit *u, void *p, const char *call)
{
	uint8_t large = NS_KIND_LARGE;

	if (p != ns_unit_addr(u))
		ns_broken(call, NULL, p, "not the start of a block");
	if (!ns_cas_acquire(&u->kind, &large, NS_KIND_FREE))
		ns_broken(call, NULL, p,
			  "already free"); /* two threads at once */
	ns_count_free(p);
	ns_account_uncharge(large_of(u)->payer, large_of(u)->size);
	give_back(u, false);
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

/* To @n units, in place, and spread like the others. */
static bool
resize_spread(struct ns_unit *u, size_t n)
{
	const struct ns_policy *spread = large_of(u)->spread;
	size_t old = u->nunits;

	if (n < old) {
		ns_run_gather(u, n, old - n, spread);
	} else {
		if (!ns_spread_fits(spread, n - old) || !ns_run_grow(u, n))
			return false;
		if (ns_run_spread(u, old, n - old, spread))
			return true;
	}
	ns_run_shrink(u, ns_min(n, old));
	return n < old;
}

static bool
resize_run(struct ns_unit *u, size_t n)
{
	if (n == u->nunits)
		return true;
	if (large_of(u)->spread != NULL)
		return resize_spread(u, n);
	if (resize_held(ns_home, u, n))
		return true;
	if (n > u->nunits)
		return ns_run_grow(u, n);
	ns_run_shrink(u, n);
	return true;
}

/* Does it become one of those that have a policy of their own? */
static bool
passes_threshold(struct ns_unit *u, size_t size)
{
	uint64_t threshold = ns_load_relaxed(&ns_policy_threshold);

	return ns_unlikely(size >= threshold) &&
	       large_of(u)->size < threshold &&
	       ns_policy_large.mode != NS_POLICY_LOCAL;
}

/* In place, or not at all, as what was charged to somebody. */
bool
ns_large_resize(struct ns_unit *u, size_t size)
{
	size_t n = units_for(size);

	if (size > PTRDIFF_MAX || n > UINT32_MAX ||
	    large_of(u)->payer != NULL ||
	    size < (large_of(u)->young ? NS_GROWING : NS_SLAB_MAX + 1) ||
	    passes_threshold(u, size) || !resize_run(u, n))
		return false;
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
	    large_of(u)->payer != NULL ||
	    large_of(u)->spread != large_of(to)->spread || !ns_run_move(u, to))
		return false;
	ns_count_free(p);
	give_back(u, true);
	return true;
}
