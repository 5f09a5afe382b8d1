/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/extent.c - which units of an extent are used, and which to use next.
 *
 * A partial extent is in the list of those with as many free units; an extent
 * with dirty units is in the pool's dirty list as well.  Everything here is
 * under the pool's lock.
 */
#include "page/pool.h"

#define TRIES 8 /* extents examined in one partial list */

static void
partial_insert(struct ns_pool *p, struct ns_extent *e)
{
	unsigned nfree = NS_EXTENT_UNITS - ns_bits(e->used);

	if (nfree == 0) {
		ns_list_init(&e->link);
		ns_owner_add(&p->full_extents, 1);
		return;
	}
	ns_list_push(&p->partial[nfree], &e->link);
	p->partial_map |= 1u << nfree;
}

void
ns_partial_remove(struct ns_pool *p, struct ns_extent *e)
{
	unsigned nfree = NS_EXTENT_UNITS - ns_bits(e->used);

	if (nfree == 0) {
		ns_owner_add(&p->full_extents, -1ul);
		return;
	}
	ns_list_remove(&e->link);
	if (ns_list_empty(&p->partial[nfree]))
		p->partial_map &= ~(1u << nfree);
}

/* Units change hands.  Extents here are in no list. */

void
ns_extent_use(struct ns_pool *p, struct ns_extent *e, uint32_t bits)
{
	ns_assert((e->used & bits) == 0);
	e->used |= bits;
	if ((e->dirty & bits) != 0) {
		ns_owner_add(&p->retained, -(uint64_t)ns_bits(e->dirty & bits));
		e->dirty &= ~bits;
		if (e->dirty == 0)
			ns_list_remove(&e->dirty_link);
	}
	ns_owner_add(&p->used, ns_bits(bits));
	partial_insert(p, e);
}

void
ns_extent_unuse(struct ns_pool *p, struct ns_extent *e, uint32_t bits,
		bool clean, uint64_t now)
{
	ns_assert((e->used & bits) == bits);
	ns_partial_remove(p, e);
	e->used &= ~bits;
	ns_owner_add(&p->used, -(uint64_t)ns_bits(bits));
	if (!clean) {
		if (e->dirty != 0)
			ns_list_remove(&e->dirty_link);
		e->dirty |= bits;
		e->stamp = now;
		ns_list_append(&p->dirty, &e->dirty_link);
		ns_owner_add(&p->retained, ns_bits(bits));
	}
	if (e->used == 0)
		ns_range_release(p, ns_extent_index(p, e), 1);
	else
		partial_insert(p, e);
}

/* Bit i set: a run of @n units starting at a multiple of @align fits there. */
uint32_t
ns_starts(uint32_t free, unsigned n, unsigned align)
{
	static const uint32_t aligned[] = { 0xffffffff, 0x55555555, 0x11111111,
					    0x01010101, 0x00010001, 1 };
	unsigned have = 1, step;

	for (; have < n; have += step) {
		step = (unsigned)ns_min(have, n - have);
		free &= free >> step;
	}
	return free & aligned[ns_ctz(align)];
}

static bool
fits(const struct ns_extent *e, unsigned n, unsigned align, bool want_zero,
     unsigned *at)
{
	uint32_t free = ~e->used;
	uint32_t good =
	    ns_starts(want_zero ? free & ~e->dirty : e->dirty, n, align);

	if (good == 0)
		good = ns_starts(free, n, align);
	if (good == 0)
		return false;
	*at = ns_ctz(good);
	return true;
}

struct ns_extent *
ns_partial_find(const struct ns_pool *p, unsigned n, unsigned align,
		bool want_zero, unsigned *at)
{
	uint32_t map = n < NS_EXTENT_UNITS ? p->partial_map >> n << n : 0;

	for (; map != 0; map &= map - 1) {
		const struct ns_list *l, *head = &p->partial[ns_ctz(map)];
		int tries = TRIES;

		ns_list_for_each (l, head) {
			struct ns_extent *e =
			    ns_container_of(l, struct ns_extent, link);

			if (fits(e, n, align, want_zero, at))
				return e;
			if (--tries == 0)
				break;
		}
	}
	return NULL;
}
