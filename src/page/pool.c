/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/pool.c - one node's extents, and who may use how much of them.
 *
 * 1. Filling (run.c).  A run of up to one extent goes into the fullest
 *    partial extent in which it fits (extent.c), so that full extents stay
 *    full (and can be huge pages) and sparse ones drain.  Longer runs take
 *    whole extents (range.c); the unused end of their last one is a partial
 *    extent like any other.
 * 2. What is known: a clear dirty bit of a free unit means its memory is
 *    zero and not resident.
 * 3. Locks: each pool has one, held for a few hundred instructions and never
 *    across a purge's system calls (purge.c).  Only growing calls the kernel
 *    under it.
 * 4. What it gives up: a partial extent is examined only as one of the first
 *    few of its list, so a fit may be missed and an extent taken instead.
 */
#include "page/pool.h"

#include "base/options.h"

#include <string.h>

#define RESERVE_UNITS 8u /* the longest slab */

struct ns_pool ns_pools[NS_MAX_SLOTS];
struct ns_fork_hooks ns_fork_vm;
uint64_t ns_clock_ms;

void
ns_pool_init(unsigned slot, size_t span)
{
	struct ns_pool *p = &ns_pools[slot];
	size_t limit = ns_options.node_limit;
	unsigned i;

	ns_lock_init(&p->lock, NS_RANK_POOL);
	ns_lock_init(&p->purge_lock, NS_RANK_PURGE);
	p->slot = slot;
	p->first = slot * (span >> NS_EXTENT_SHIFT);
	p->span = span >> NS_EXTENT_SHIFT;
	p->hard = limit != 0;
	if (limit == 0 && ns_topo.nslots > 1 && !ns_topo.fake)
		limit = ns_topo_capacity(ns_topo.node_of_slot[slot]);
	p->limit = ns_min(limit != 0 ? limit : span, span) >> NS_UNIT_SHIFT;
	if (p->hard)
		p->reserve = ns_min(p->limit / 16, RESERVE_UNITS);
	for (i = 0; i < NS_EXTENT_UNITS; i++)
		ns_list_init(&p->partial[i]);
	for (i = 0; i < NS_RANGE_BINS; i++)
		ns_list_init(&p->free[i]);
	ns_list_init(&p->dirty);
}

void
ns_pool_count_spill(unsigned slot, size_t bytes)
{
	ns_add_relaxed(&ns_pools[slot].spilled, bytes);
}

void
ns_pool_count_reclaimable(unsigned slot, int64_t units)
{
	ns_add_relaxed(&ns_pools[slot].reclaimable, (uint64_t)units);
}

void
ns_pool_stat(unsigned slot, struct ns_pool_stat *st)
{
	struct ns_pool *p = &ns_pools[slot];

	ns_lock(&p->lock);
	st->used = ns_pool_use(p) << NS_UNIT_SHIFT;
	st->retained = p->retained << NS_UNIT_SHIFT;
	st->committed = p->committed << NS_EXTENT_SHIFT;
	st->span = p->span << NS_EXTENT_SHIFT;
	st->limit = p->limit << NS_UNIT_SHIFT;
	st->spilled = ns_load_relaxed(&p->spilled);
	st->purged = p->purged << NS_UNIT_SHIFT;
	st->huge = p->full_extents << NS_EXTENT_SHIFT;
	ns_unlock(&p->lock);
}

size_t
ns_pool_available(unsigned slot)
{
	struct ns_pool *p = &ns_pools[slot];
	uint64_t used = ns_pool_use(p);

	return used < p->limit ? p->limit - used : 0;
}

uint64_t
ns_pools_committed(void)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		sum += ns_load_relaxed(&ns_pools[s].committed);
	return sum << NS_EXTENT_SHIFT;
}

void
ns_pools_lock(void)
{
	unsigned s;

	for (s = 0; s < ns_topo.nslots; s++)
		ns_lock(&ns_pools[s].purge_lock);
	for (s = 0; s < ns_topo.nslots; s++)
		ns_lock(&ns_pools[s].lock);
}

void
ns_pools_unlock(void)
{
	for (unsigned s = ns_topo.nslots; s-- > 0;) {
		ns_unlock(&ns_pools[s].lock);
		ns_unlock(&ns_pools[s].purge_lock);
	}
}

void
ns_pools_fork_child(void)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		ns_lock_init(&ns_pools[s].lock, NS_RANK_POOL);
		ns_lock_init(&ns_pools[s].purge_lock, NS_RANK_PURGE);
	}
}
