/* SPDX-License-Identifier: BSD-2-Clause */
/* page/check.c - are a pool's books right?  For tests and debug builds. */
#include "page/pool.h"

struct sums {
	uint64_t used, dirty, full;
	size_t in_ranges;
};

static void
must(bool cond, const char *what, unsigned slot, size_t extent)
{
	if (!cond)
		ns_fatal("pool of slot %u: extent %zu: %s", slot, extent, what);
}

static void
check_range(struct ns_pool *p, size_t first, struct sums *sum)
{
	struct ns_extent *e = &ns_extents[p->first + first];
	size_t len = e->range;

	must(len > 0 && first + len <= p->committed, "bad range length",
	     p->slot, first);
	must(e[len - 1].range == len, "range ends differ", p->slot, first);
	must(first == 0 || e[-1].used != 0, "range not coalesced", p->slot,
	     first);
	for (size_t i = 0; i < len; i++)
		must(e[i].used == 0, "used extent in a range", p->slot,
		     first + i);
	sum->in_ranges += len;
}

static void
check_lists(struct ns_pool *p, struct sums *sum)
{
	const struct ns_list *l;
	unsigned i;

	for (i = 0; i < NS_RANGE_BINS; i++)
		ns_list_for_each (l, &p->free[i])
			check_range(p,
				    (size_t)(ns_container_of(
						 l, struct ns_extent, link) -
					     ns_extents) -
					p->first,
				    sum);
	for (i = 1; i < NS_EXTENT_UNITS; i++) {
		must(((p->partial_map >> i) & 1) ==
			 !ns_list_empty(&p->partial[i]),
		     "partial map", p->slot, i);
		ns_list_for_each (l, &p->partial[i]) {
			const struct ns_extent *e =
			    ns_container_of(l, struct ns_extent, link);

			must(NS_EXTENT_UNITS -
				     (unsigned)__builtin_popcount(e->used) ==
				 i,
			     "in the wrong partial list", p->slot,
			     (size_t)(e - ns_extents) - p->first);
		}
	}
}

void
ns_pool_check(unsigned slot)
{
	struct ns_pool *p = &ns_pools[slot];
	struct sums sum = { 0, 0, 0, 0 };
	size_t i, nfree = 0;

	ns_lock(&p->lock);
	for (i = 0; i < p->committed; i++) {
		struct ns_extent *e = &ns_extents[p->first + i];

		must((e->used & e->dirty) == 0, "used and dirty", slot, i);
		sum.used += (unsigned)__builtin_popcount(e->used);
		sum.dirty += (unsigned)__builtin_popcount(e->dirty);
		sum.full += e->used == NS_EXTENT_FULL;
		nfree += e->used == 0;
	}
	check_lists(p, &sum);
	must(sum.in_ranges == nfree, "free extents not in ranges", slot, i);
	must(sum.used == p->used, "used count", slot, i);
	must(sum.dirty == p->retained, "retained count", slot, i);
	must(sum.full == p->full_extents, "full count", slot, i);
	ns_unlock(&p->lock);
}
