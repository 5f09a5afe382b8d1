/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/run.c - runs of units: found, taken, given back, and resized.
 */
#include "page/pool.h"

#include "base/options.h"

#include <string.h>

/* Calls @fn for each extent that units [at, at + n) of the pool touch. */
#define ns_for_each_extent(p, e, bits, at, n)                                 \
	for (size_t i_ = (at), end_ = i_ + (n), k_ = 0;                       \
	     i_ < end_ &&                                                     \
	     (k_ = ns_min(end_ - i_, NS_EXTENT_UNITS - i_ % NS_EXTENT_UNITS), \
	     e = ns_extent_at(p, i_ / NS_EXTENT_UNITS),                       \
	     bits = ns_bits_from(i_ % NS_EXTENT_UNITS, (unsigned)k_), true);  \
	     i_ += k_)

/* Marks units used wherever they are; returns true if all were zero. */
static bool
take(struct ns_pool *p, size_t at, size_t n)
{
	struct ns_extent *e;
	uint32_t bits, dirty = 0;

	ns_for_each_extent(p, e, bits, at, n)
	{
		if (e->used != 0)
			ns_partial_remove(p, e);
		dirty |= e->dirty & bits;
		ns_extent_use(p, e, bits);
	}
	return dirty == 0;
}

/* The first unit of a new run, or SIZE_MAX. */
static size_t
find(struct ns_pool *p, size_t n, size_t align, unsigned flags)
{
	size_t len = (n + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;
	size_t step = ns_max(align / NS_EXTENT_UNITS, 1), at;
	struct ns_extent *e;
	unsigned bit;

	if (len == 1 && step == 1 && (flags & NS_RUN_ROOM) == 0) {
		e = ns_partial_find(p, (unsigned)n, (unsigned)align,
				    (flags & NS_RUN_ZERO) != 0, &bit);
		if (e != NULL)
			return ns_extent_index(p, e) * NS_EXTENT_UNITS + bit;
	}
	if (!ns_range_take(p, len, step, flags, &at))
		return SIZE_MAX;
	return at * NS_EXTENT_UNITS;
}

/*
 * Tells a run's other units where its head is, or that they have none.  Runs
 * longer than an extent are only ever asked about at their head.
 */
static void
mark_tails(struct ns_unit *u, bool in_run)
{
	if (u->nunits > NS_EXTENT_UNITS)
		return;
	for (uint32_t i = 1; i < u->nunits; i++)
		ns_store_relaxed(&u[i].back,
				 in_run ? i * (uint32_t)sizeof(*u) : 0u);
}

void
ns_run_set_up(struct ns_unit *u, size_t n, bool zero)
{
	memset(u, 0, sizeof(*u));
	u->slot = (uint16_t)ns_slot_of(ns_unit_addr(u));
	u->nunits = (uint32_t)n;
	u->zero = zero;
	mark_tails(u, true);
}

void
ns_run_set_length(struct ns_unit *u, size_t n)
{
	mark_tails(u, false);
	u->nunits = (uint32_t)n;
	mark_tails(u, n != 0);
}

static struct ns_unit *
pool_alloc(struct ns_pool *p, size_t n, size_t align, unsigned flags, bool over)
{
	struct ns_unit *u = NULL;
	size_t at, need = (flags & NS_RUN_KEEP) != 0 ? p->reserve : 0;
	bool zero;

	need += (flags & NS_RUN_SPREAD) != 0
		    ? ns_spread_share(&ns_policy_large, p->slot, n)
		    : n;
	ns_lock(&p->lock);
	if ((ns_pool_use(p) + need <= p->limit || over) &&
	    (at = find(p, n, align, flags)) != SIZE_MAX) {
		zero = take(p, at, n);
		u = ns_units + p->first * NS_EXTENT_UNITS + at;
		ns_run_set_up(u, n, zero);
	}
	ns_unlock(&p->lock);
	return u;
}

/* The slots at [at, end) of @order; @over: past a limit nobody asked for. */
static struct ns_unit *
try_slots(const uint8_t *order, unsigned at, unsigned end, size_t n,
	  size_t align, unsigned flags, bool over)
{
	struct ns_unit *u;
	struct ns_pool *p;

	for (unsigned i = at; i < end; i++) {
		p = &ns_pools[order[i]];
		if (over && p->hard && (flags & NS_RUN_OWN) == 0)
			continue;
		u = pool_alloc(p, n, align, flags, over);
		if (u == NULL)
			continue;
		if (i > 0)
			ns_pool_count_spill(order[i], n << NS_UNIT_SHIFT);
		return u;
	}
	return NULL;
}

/*
 * A limit that is only the node's size may be passed in a second round: a
 * process may ask for what it never touches.
 */
struct ns_unit *
ns_run_alloc(unsigned slot, size_t n, size_t align, unsigned flags)
{
	const struct ns_policy *policy =
	    (flags & NS_RUN_LARGE) != 0 ? &ns_policy_large : &ns_policy;
	bool strict = (flags & NS_RUN_STRICT) != 0;
	uint8_t order[NS_MAX_SLOTS];
	unsigned nslots = 1;
	struct ns_unit *u;

	if (n == 0 || n > UINT32_MAX || align > UINT32_MAX)
		return NULL;
	order[0] = (uint8_t)slot;
	u = try_slots(order, 0, 1, n, align, flags, false);
	if (u == NULL && !strict) {
		nslots = ns_policy_order(policy, slot, order);
		u = try_slots(order, 1, nslots, n, align, flags, false);
	}
	if (u == NULL && (!strict || (flags & (NS_RUN_OWN | NS_RUN_OVER)) != 0))
		u = try_slots(order, 0, nslots, n, align, flags, true);
	return u;
}

/*
 * Before dirty units come back: true if they are the first.  The thread that
 * purges keeps the time, unless it sleeps.
 */
static bool
begin_retaining(struct ns_pool *p)
{
	if (p->retained != 0)
		return false;
	ns_store_relaxed(&ns_clock_ms, ns_os_now_ms());
	return true;
}

/* Returns units [at, at + n) of a pool; true when it began to retain. */
static bool
give(struct ns_pool *p, size_t at, size_t n, bool clean)
{
	bool began = !clean && begin_retaining(p);
	uint64_t now = ns_load_relaxed(&ns_clock_ms);
	struct ns_extent *e;
	uint32_t bits;

	ns_for_each_extent(p, e, bits, at, n)
	{
		ns_extent_unuse(p, e, bits, clean, now);
	}
	return began;
}

static void
after_free(struct ns_pool *p, bool began)
{
	if (ns_options.purge_ms == 0)
		ns_pool_purge(p->slot, 0);
	else if (began)
		ns_maint_dirty();
}

void
ns_run_free(struct ns_unit *u, bool clean)
{
	struct ns_pool *p = &ns_pools[u->slot];
	size_t at = (size_t)(u - ns_units) - p->first * NS_EXTENT_UNITS;
	bool began;

	ns_lock(&p->lock);
	ns_store_release(&u->kind, NS_KIND_FREE);
	began = give(p, at, u->nunits, clean);
	ns_run_set_length(u, 0);
	ns_unlock(&p->lock);
	after_free(p, began);
}

void
ns_units_return(size_t extent, uint32_t bits)
{
	struct ns_pool *p = &ns_pools[extent / ns_pools[0].span];
	bool began;

	ns_lock(&p->lock);
	began = begin_retaining(p);
	ns_extent_unuse(p, &ns_extents[extent], bits, false,
			ns_load_relaxed(&ns_clock_ms));
	ns_unlock(&p->lock);
	after_free(p, began);
}

/* Are units [at, at + n) all free?  They may not be committed at all. */
static bool
all_free(struct ns_pool *p, size_t at, size_t n)
{
	struct ns_extent *e;
	uint32_t bits;

	if (at + n > p->committed * NS_EXTENT_UNITS)
		return false;
	ns_for_each_extent(p, e, bits, at,
			   n) if ((e->used & bits) != 0) return false;
	return true;
}

/* Takes the whole extents among free units [at, at + n) off their ranges. */
static void
carve_all(struct ns_pool *p, size_t at, size_t n)
{
	size_t first = (at + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;
	size_t end = (at + n + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;

	while (first < end && ns_extent_at(p, first)->used == 0) {
		size_t len = ns_min(ns_extent_at(p, first)->range, end - first);

		ns_range_carve(p, first, first, len);
		first += len;
	}
}

bool
ns_run_grow(struct ns_unit *u, size_t n)
{
	struct ns_pool *p = &ns_pools[u->slot];
	size_t at = (size_t)(u - ns_units) - p->first * NS_EXTENT_UNITS;
	size_t more = n - u->nunits, beyond;
	bool ok;

	if (n > UINT32_MAX || n <= u->nunits)
		return n == u->nunits;
	ns_lock(&p->lock);
	beyond = (at + n + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;
	if (beyond > p->committed && beyond <= p->span &&
	    all_free(p, at + u->nunits,
		     p->committed * NS_EXTENT_UNITS - at - u->nunits))
		ns_pool_commit(p, beyond - p->committed);
	ok = ns_pool_use(p) + more <= p->limit &&
	     all_free(p, at + u->nunits, more);
	if (ok) {
		carve_all(p, at + u->nunits, more);
		if (!take(p, at + u->nunits, more))
			u->zero = 0;
		ns_run_set_length(u, n);
	}
	ns_unlock(&p->lock);
	return ok;
}

struct ns_unit *
ns_run_split(struct ns_unit *u, size_t n)
{
	struct ns_pool *p = &ns_pools[u->slot];
	struct ns_unit *rest = u + n;

	ns_lock(&p->lock);
	mark_tails(u, false);
	memset(rest, 0, sizeof(*rest));
	rest->nunits = u->nunits - (uint32_t)n;
	rest->slot = u->slot;
	rest->zero = u->zero;
	u->nunits = (uint32_t)n;
	mark_tails(u, true);
	mark_tails(rest, true);
	ns_unlock(&p->lock);
	return rest;
}

/* The pool does not look into a run: no lock. */
struct ns_unit *
ns_run_part(struct ns_unit *u, size_t at, size_t n)
{
	struct ns_unit *part = u + at;

	if (at > 0) {
		memset(part, 0, sizeof(*part));
		part->slot = u->slot;
		part->zero = u->zero;
	}
	for (uint32_t i = 1; i < n; i++)
		ns_store_relaxed(&part[i].back, i * (uint32_t)sizeof(*part));
	return part;
}

void
ns_run_unpart(struct ns_unit *part, size_t n)
{
	ns_store_release(&part->kind, NS_KIND_FREE);
	for (size_t i = 1; i < n; i++)
		ns_store_relaxed(&part[i].back, 0u);
}

void
ns_run_shrink(struct ns_unit *u, size_t n)
{
	struct ns_pool *p = &ns_pools[u->slot];
	size_t at = (size_t)(u - ns_units) - p->first * NS_EXTENT_UNITS;
	uint32_t old = u->nunits;
	bool began;

	ns_lock(&p->lock);
	ns_run_set_length(u, n);
	began = give(p, at + n, old - n, false);
	ns_unlock(&p->lock);
	after_free(p, began);
}
