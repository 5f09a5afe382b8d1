/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/purge.c - giving free memory back to the kernel.
 *
 * A purge claims the oldest dirty units as if they were allocated, drops the
 * pool's lock, tells the kernel, and frees them as clean.  An allocation
 * never waits for the kernel; at worst it finds an extent claimed and takes
 * another.  purge_lock admits one purge a pool at a time, and lets fork()
 * wait until nothing is claimed.
 */
#include "page/pool.h"

#include "base/options.h"

#define CLAIM_MAX 8u /* extents: a millisecond in the kernel */

struct claim {
	struct ns_extent *first;
	size_t len;    /* extents */
	uint32_t bits; /* of each extent */
	size_t dirty;  /* units among them that are not zero */
};

/*
 * A claim is units taken for a purge.  They do not count as used, so that no
 * request is refused or spilled for their sake.
 */
static bool
claim(struct ns_pool *p, struct claim *c)
{
	struct ns_extent *e;
	size_t start, end, i;

	if (ns_list_empty(&p->dirty))
		return false;
	e = ns_list_first(&p->dirty, struct ns_extent, dirty_link);
	i = ns_extent_index(p, e);
	c->len = 1;
	c->bits = e->dirty;
	if (e->used == 0) {
		start = ns_range_start(p, i);
		end = start + ns_extent_at(p, start)->range;
		while (i + c->len < end && c->len < CLAIM_MAX &&
		       e[c->len].dirty != 0)
			c->len++;
		ns_range_carve(p, start, i, c->len);
		c->bits = NS_EXTENT_FULL;
	}
	c->first = e;
	c->dirty = 0;
	for (i = 0; i < c->len; i++, e++) {
		c->dirty += ns_bits(e->dirty);
		if (e->used != 0)
			ns_partial_remove(p, e);
		ns_extent_use(p, e, c->bits);
		ns_owner_add(&p->used, -(uint64_t)ns_bits(c->bits));
	}
	return true;
}

static void
unclaim(struct ns_pool *p, const struct claim *c, bool purged)
{
	struct ns_extent *e = c->first;
	size_t i;

	for (i = 0; i < c->len; i++, e++) {
		ns_owner_add(&p->used, ns_bits(c->bits));
		ns_extent_unuse(p, e, c->bits, purged, ns_os_now_ms());
	}
	if (purged)
		ns_owner_add(&p->purged, c->dirty);
}

static int
purge_units(const struct claim *c)
{
	uint32_t bits = c->bits, run;
	unsigned at, n;
	int error = 0;

	if (bits == NS_EXTENT_FULL)
		return ns_units_purge(c->first, 0, c->len * NS_EXTENT_UNITS);
	while (bits != 0 && error == 0) {
		at = ns_ctz(bits);
		run = ~(bits >> at);
		n = run != 0 ? ns_ctz(run) : NS_EXTENT_UNITS - at;
		error = ns_units_purge(c->first, at, n);
		bits &= bits + (1u << at); /* clears the lowest run */
	}
	return error;
}

/* Purges while @more says so; returns the bytes given back. */
static size_t
purge_while(struct ns_pool *p, bool (*more)(const struct ns_pool *, uint64_t),
	    uint64_t arg)
{
	uint64_t before = ns_load_relaxed(&p->purged);
	struct claim c;
	bool ok = true;

	ns_lock(&p->purge_lock);
	ns_lock(&p->lock);
	while (ok && more(p, arg) && claim(p, &c)) {
		ns_unlock(&p->lock);
		ok = purge_units(&c) == 0;
		ns_lock(&p->lock);
		unclaim(p, &c, ok);
	}
	ns_unlock(&p->lock);
	ns_unlock(&p->purge_lock);
	return (ns_load_relaxed(&p->purged) - before) << NS_UNIT_SHIFT;
}

static bool
above(const struct ns_pool *p, uint64_t units)
{
	return p->retained > units;
}

static bool
older(const struct ns_pool *p, uint64_t than)
{
	return !ns_list_empty(&p->dirty) &&
	       ns_list_first(&p->dirty, struct ns_extent, dirty_link)->stamp <=
		   than;
}

size_t
ns_pool_purge(unsigned slot, size_t keep)
{
	return purge_while(&ns_pools[slot], above, keep >> NS_UNIT_SHIFT);
}

size_t
ns_pool_decay(unsigned slot, uint64_t now)
{
	struct ns_pool *p = &ns_pools[slot];

	ns_store_relaxed(&ns_clock_ms, now);
	if (now >= ns_options.purge_ms)
		purge_while(p, older, now - ns_options.purge_ms);
	return ns_load_relaxed(&p->retained) << NS_UNIT_SHIFT;
}
