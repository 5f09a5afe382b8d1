/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/move.c - a run's pages move to another address without a copy.
 *
 * 1. mremap(2) hands page tables over: some 10 us for a megabyte, and 50 for a
 *    gigabyte.  Copying to memory that was never touched takes 30 to 600 times
 *    as long, for each page has to be faulted in first.  But to memory that is
 *    there already a copy is the cheaper way, as what the pages leave behind
 *    would have to be faulted in again.  So only a run that is all zero is
 *    moved to.
 * 2. Moved pages keep the offset that their mapping was made with, so that the
 *    kernel cannot merge it with its neighbours: a move costs two mappings.
 *    The extents are marked, and when they are purged they are mapped anew,
 *    which costs as much as the purge and lets neighbours merge.  No
 *    more than MOVES_MAX moves are left like that; then blocks are copied.
 * 3. A span's first extents have a mapping with other properties, and each
 *    node's placement is its mapping's: runs do not move from or to those, nor
 *    between nodes, and a new mapping is bound and advised again.
 */
#include "page/pool.h"

#define LEAST_UNITS 2u   /* smaller ones are copied in less time */
#define MOVES_MAX   256u /* some 500 of 65530 mappings */

static uint32_t moves; /* [a] extents marked NS_MOVED_FIRST */

static struct ns_extent *
extent_of(const struct ns_unit *u)
{
	return &ns_extents[(size_t)(u - ns_units) / NS_EXTENT_UNITS];
}

static bool
is_ordinary(const struct ns_unit *u)
{
	return extent_of(u) - ns_extents >=
	       (ptrdiff_t)(ns_pools[u->slot].first + NS_SMALL_EXTENTS);
}

static void
mark_moved(const struct ns_unit *u, size_t n)
{
	struct ns_extent *e = extent_of(u), *last = extent_of(u + n - 1);

	if (ns_load_relaxed(&e->moved) != NS_MOVED_FIRST) {
		ns_store_relaxed(&e->moved, (uint32_t)NS_MOVED_FIRST);
		ns_add_relaxed(&moves, 1u);
	}
	while (++e <= last)
		if (ns_load_relaxed(&e->moved) == NS_MOVED_NOT)
			ns_store_relaxed(&e->moved, (uint32_t)NS_MOVED);
}

bool
ns_run_move(struct ns_unit *from, struct ns_unit *to)
{
	size_t n = from->nunits;

	if (n < LEAST_UNITS || n > to->nunits || !to->zero ||
	    from->slot != to->slot || !is_ordinary(from) || !is_ordinary(to) ||
	    ns_load_relaxed(&moves) >= MOVES_MAX ||
	    ns_os_move(ns_unit_addr(from), ns_unit_addr(to),
		       n << NS_UNIT_SHIFT) != 0)
		return false;
	to->zero = 0;
	mark_moved(to, n);
	return true;
}

/* Units [at, at + n) of @e and the extents behind it; all are claimed. */
int
ns_units_purge(struct ns_extent *e, size_t at, size_t n)
{
	char *p = ns_base + ((size_t)(e - ns_extents) << NS_EXTENT_SHIFT) +
		  (at << NS_UNIT_SHIFT);
	bool whole = at == 0 && n % NS_EXTENT_UNITS == 0, found = false;
	size_t i, len = (at + n + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;
	unsigned slot = ns_slot_of(p);
	int error;

	for (i = 0; i < len; i++)
		found |= ns_load_relaxed(&e[i].moved) != NS_MOVED_NOT;
	if (!found)
		return ns_os_purge(p, n << NS_UNIT_SHIFT);
	error = ns_os_renew(p, n << NS_UNIT_SHIFT);
	if (error != 0)
		return error;
	if (ns_topo.nslots > 1 && !ns_topo.fake)
		ns_os_bind(p, n << NS_UNIT_SHIFT, ns_topo.node_of_slot[slot]);
	ns_advise_huge(p, n << NS_UNIT_SHIFT);
	for (i = 0; whole && i < len; i++) {
		if (ns_load_relaxed(&e[i].moved) == NS_MOVED_FIRST)
			ns_sub_relaxed(&moves, 1u);
		ns_store_relaxed(&e[i].moved, (uint32_t)NS_MOVED_NOT);
	}
	return 0;
}
