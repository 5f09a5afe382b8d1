/* SPDX-License-Identifier: BSD-2-Clause */
/* slab/kmalloc.c - the kmalloc family, and the node facts of numaslab.h. */
#include "slab/account.h"
#include "slab/fast.h"
#include "slab/gfp.h"

#include "numaslab/numaslab.h"

#include <errno.h>
#include <string.h>

/* A power of two is aligned to itself. */
static size_t
alignment(size_t size)
{
	return ns_is_pow2(size) ? size : 1;
}

/* For the thread's account: an object of the class's twin, or a run. */
static void *
alloc_charged(size_t size, unsigned slot, gfp_t flags)
{
	struct numaslab_account *payer = ns_account_for(NULL);
	unsigned class = ns_aligned_class(alignment(size), size);
	size_t bytes = ns_round_up(size, ns_page_size);
	void *p;

	if (class != 0)
		return ns_cache_alloc_flagged(&ns_caches[class], NULL, slot,
					      flags);
	if (!ns_account_charge(payer, bytes, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	p = ns_alloc_on(size, alignment(size), slot, flags);
	if (p != NULL)
		ns_large_charged(p, payer);
	else
		ns_account_uncharge(payer, bytes);
	return p;
}

/* The block itself, on @slot or at home. */
static ns_noinline void *
alloc_slow(size_t size, unsigned slot, gfp_t flags)
{
	if ((flags & ~NS_GFP_PLAIN) != 0 && !ns_gfp_ok(flags))
		return NULL;
	if (size == 0)
		return ZERO_SIZE_PTR;
	if (size > PTRDIFF_MAX || ns_init() != 0) { /* no waiting helps */
		errno = ENOMEM;
		return NULL;
	}
	if ((flags & __GFP_ACCOUNT) != 0 && ns_account_for(NULL) != NULL)
		return alloc_charged(size, slot, flags);
	return ns_alloc_on(size, alignment(size), slot, flags);
}

ns_export void *
kmalloc(size_t size, gfp_t flags)
{
	void *p = NULL;

	/* A page or two are to be aligned, which malloc's are not. */
	if (ns_likely((flags & ~NS_GFP_PLAIN) == 0 &&
		      size % NS_SPREAD_STEP != 0))
		p = ns_malloc_try(size);
	return ns_likely(p != NULL) ? p : alloc_slow(size, NS_NO_SLOT, flags);
}

/* What the magazine of one of the thread's heaps has. */
ns_inline void *
pop_from(struct ns_heap *h, size_t size, gfp_t flags)
{
	if (ns_unlikely((flags & ~NS_GFP_PLAIN) != 0 || size > NS_DIRECT_MAX ||
			size % NS_SPREAD_STEP == 0))
		return NULL;
	return ns_bin_pop(ns_bin_at(h, h->bin_of[(size + 15) / 16]), 0);
}

static ns_noinline void *
alloc_node_slow(size_t size, gfp_t flags, int node)
{
	unsigned slot;
	void *p;

	if (node == NUMA_NO_NODE)
		return kmalloc(size, flags);
	slot = ns_slot_of_node(node);
	if (slot == NS_NO_SLOT)
		return NULL;
	p = pop_from(ns_heap_named(node), size, flags);
	return p != NULL ? p : alloc_slow(size, slot, flags);
}

ns_export void *
kmalloc_node(size_t size, gfp_t flags, int node)
{
	void *p = pop_from(ns_heap_on(node), size, flags);

	return ns_likely(p != NULL) ? p : alloc_node_slow(size, flags, node);
}

ns_export void *
kzalloc(size_t size, gfp_t flags)
{
	return kmalloc(size, flags | __GFP_ZERO);
}

ns_export void *
kzalloc_node(size_t size, gfp_t flags, int node)
{
	return kmalloc_node(size, flags | __GFP_ZERO, node);
}

/* @n times @size, or more than there can be: that fails by itself. */
static size_t
product(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes;
}

ns_export void *
kmalloc_array(size_t n, size_t size, gfp_t flags)
{
	return kmalloc(product(n, size), flags);
}

ns_export void *
kmalloc_array_node(size_t n, size_t size, gfp_t flags, int node)
{
	return kmalloc_node(product(n, size), flags, node);
}

ns_export void *
kcalloc(size_t n, size_t size, gfp_t flags)
{
	return kzalloc(product(n, size), flags);
}

ns_export void *
kcalloc_node(size_t n, size_t size, gfp_t flags, int node)
{
	return kzalloc_node(product(n, size), flags, node);
}

/* To a new place, without a copy if that can be. */
static void *
move(void *p, size_t old, size_t size, gfp_t flags, const char *call)
{
	void *q = kmalloc(size, flags);

	if (q == NULL || (old > NS_SLAB_MAX && size > old &&
			  (flags & __GFP_ZERO) == 0 && ns_large_move(p, q)))
		return q;
	memcpy(q, p, ns_min(old, size));
	ns_free_fast(p, call);
	return q;
}

static bool
is_aligned(const void *p, size_t size)
{
	return (uintptr_t)p % alignment(size) == 0;
}

/* In place: none of what a block had beyond @size is seen again. */
static bool
fits(void *p, size_t old, size_t size, gfp_t flags)
{
	if (size > old || size <= old / 2 || !is_aligned(p, size))
		return false;
	if ((flags & __GFP_ZERO) != 0)
		memset((char *)p + size, 0, old - size);
	return true;
}

void *
ns_krealloc(const void *block, size_t size, gfp_t flags, const char *call)
{
	const gfp_t special = __GFP_ZERO | __GFP_THISNODE | __GFP_ACCOUNT;
	void *p = (void *)(uintptr_t)block, *q = NULL;
	size_t old;

	if (ZERO_OR_NULL_PTR(p))
		return kmalloc(size, flags);
	if ((flags & ~NS_GFP_PLAIN) != 0 && !ns_gfp_ok(flags))
		return NULL;
	if (size == 0) {
		ns_free_fast(p, call);
		return ZERO_SIZE_PTR;
	}
	old = ns_usable_size(p, call);
	if (fits(p, old, size, flags))
		return p;
	if ((flags & special) != 0)
		return move(p, old, size, flags, call);
	if (!ns_is_pow2(size))
		q = ns_realloc(p, size, call);
	else if (old > NS_SLAB_MAX && is_aligned(p, size) &&
		 ns_resize_in_place(p, size, call))
		q = p;
	return q != NULL ? q : move(p, old, size, flags, call);
}

ns_export void *
krealloc(const void *p, size_t size, gfp_t flags)
{
	return ns_krealloc(p, size, flags, __func__);
}

ns_export void *
krealloc_array(void *p, size_t n, size_t size, gfp_t flags)
{
	return ns_krealloc(p, product(n, size), flags, __func__);
}

ns_export void
kfree(const void *p)
{
	ns_kfree(p, __func__);
}

ns_export void
kfree_bulk(size_t n, void **blocks)
{
	ns_debug_rule(blocks != NULL || n == 0, __func__, NULL,
		      "no array of blocks");
	for (size_t i = 0; i < n; i++)
		ns_kfree(blocks[i], __func__);
}

void
ns_kfree_sensitive(const void *p, const char *call)
{
	if (ZERO_OR_NULL_PTR(p))
		return;
	explicit_bzero((void *)(uintptr_t)p, ns_usable_size(p, call));
	ns_kfree(p, call);
}

ns_export void
kfree_sensitive(const void *p)
{
	ns_kfree_sensitive(p, __func__);
}

ns_export size_t
ksize(const void *p)
{
	return ZERO_OR_NULL_PTR(p) ? 0 : ns_usable_size(p, __func__);
}

ns_export size_t
kmalloc_size_roundup(size_t size)
{
	size_t good = size != 0 ? ns_good_size(1, size) : 0;

	return good != 0 ? good : size;
}

ns_export int
numaslab_node_of(const void *p)
{
	return ns_ours(p) ? ns_topo.node_of_slot[ns_slot_of(p)] : NUMA_NO_NODE;
}

ns_export int
numaslab_home_node(void)
{
	unsigned cpu = 0;

	if (ns_init() != 0)
		return 0;
	if (ns_policy.mode == NS_POLICY_INTERLEAVE && ns_home->thread != NULL)
		return ns_topo.node_of_slot[ns_policy_turn(
		    &ns_policy, ns_home->thread->turn + 1)];
	ns_os_getcpu(&cpu, NULL);
	return ns_topo.node_of_slot[ns_policy_home(cpu)];
}

ns_export int
numaslab_node_stat(int node, struct numaslab_node_stat *st)
{
	unsigned slot = ns_slot_of_node(node);
	struct ns_node_figures f;

	if (slot == NS_NO_SLOT)
		return -1;
	ns_figures_of(slot, &f);
	*st = (struct numaslab_node_stat){
		.node = node,
		.live = f.live,
		.used = f.used,
		.resident = f.used + f.retained,
		.retained = f.retained,
		.committed = f.committed,
		.spilled = f.spilled,
		.local_frees = f.local_frees,
		.remote_frees = f.remote_frees,
		.purged = f.purged,
		.reclaimable = f.reclaimable,
	};
	return 0;
}

ns_export size_t
numaslab_trim(size_t keep)
{
	size_t sum = 0;

	if (!ns_is_awake())
		return 0;
	ns_magazines_flush();
	ns_park_mine();
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		sum += ns_pool_purge(s, keep);
	return sum;
}

ns_export const char *
numaslab_version(void)
{
	return NUMASLAB_VERSION;
}
