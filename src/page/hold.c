/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/hold.c - free units that a heap keeps for its next runs.
 *
 * 1. A hold has a mask of units for each of some extents.  To the pool they
 *    are used, and all are dirty: only what was a run's comes in.  Nobody is
 *    a run's owner: whoever frees one that is on its node may hold it.
 * 2. Taking a run off a mask may split what came in as one, and what comes in
 *    joins its neighbours, by nature: it is one word.  So a thread that frees
 *    and allocates blocks of mixed sizes has little to do with the pool.
 * 3. How much may be held is earned: START_UNITS at first, and twice as much
 *    when the pool must be asked after a full hold gave something up.
 *    When full, it gives up one extent's units after the other.
 * 4. Nothing is held where it would be missed: on a node with a limit that
 *    was asked for, and when memory is to go back at each free.  A heap that
 *    sleeps is relieved of its hold by the maintenance thread (slab/idle.c).
 * 5. What it gives up: the first mask that has room is taken, not the best.
 */
#include "page/pool.h"

#include "base/options.h"

#define START_UNITS 16u  /* 1 MiB */
#define MAX_UNITS   128u /* 8 MiB */

static size_t
extent_of(const struct ns_unit *u)
{
	return (size_t)(u - ns_units) / NS_EXTENT_UNITS;
}

/* The units [from, to) of a run, as bits of its extent; 0: not in one. */
static uint32_t
bits_of(const struct ns_unit *u, size_t from, size_t to)
{
	size_t at = (size_t)(u - ns_units) % NS_EXTENT_UNITS;

	if (at + to > NS_EXTENT_UNITS)
		return 0;
	return ns_bits_from((unsigned)(at + from), (unsigned)(to - from));
}

/* The place of an extent, or NS_HOLD_EXTENTS. */
static unsigned
place_of(const struct ns_hold *h, size_t extent)
{
	for (uint32_t map = h->map; map != 0; map &= map - 1)
		if (h->extent[ns_ctz(map)] == extent)
			return ns_ctz(map);
	return NS_HOLD_EXTENTS;
}

static void
remove_bits(struct ns_hold *h, unsigned place, uint32_t bits)
{
	h->units -= ns_bits(bits);
	h->bits[place] &= ~bits;
	if (h->bits[place] == 0)
		h->map &= ~(1u << place);
}

static void
give_up(struct ns_hold *h, unsigned place)
{
	uint32_t bits = h->bits[place];

	remove_bits(h, place, bits);
	ns_units_return(h->extent[place], bits);
}

/* In turn; returns the place that is empty now. */
static unsigned
give_up_next(struct ns_hold *h)
{
	unsigned i;

	do
		i = h->victim++ % NS_HOLD_EXTENTS;
	while ((h->map >> i & 1) == 0);
	give_up(h, i);
	h->spilled = true;
	return i;
}

/* A place for units of @extent, by force if need be. */
static unsigned
make_place(struct ns_hold *h, size_t extent)
{
	unsigned i = place_of(h, extent);

	if (i < NS_HOLD_EXTENTS)
		return i;
	i = ~h->map != 0 ? ns_ctz(~h->map) : give_up_next(h);
	h->extent[i] = (uint32_t)extent;
	h->map |= 1u << i;
	return i;
}

static bool
may_hold(struct ns_hold *h, const struct ns_unit *u, size_t n)
{
	if (ns_options.purge_ms == 0 || ns_pools[u->slot].hard)
		return false;
	h->allow = (uint32_t)ns_max(h->allow, START_UNITS);
	return n <= NS_HOLD_RUN;
}

/* Units [from, to) of a run, which no longer has them. */
static void
put(struct ns_hold *h, const struct ns_unit *u, size_t from, size_t to)
{
	size_t n = to - from;
	unsigned i;

	while (h->units + n > h->allow)
		give_up_next(h);
	i = make_place(h, extent_of(u));
	h->bits[i] |= bits_of(u, from, to);
	h->units += (uint32_t)n;
	h->moves++;
	if (ns_unlikely(!h->told)) {
		h->told = true;
		ns_maint_dirty();
	}
}

bool
ns_hold_free(struct ns_hold *h, struct ns_unit *u)
{
	size_t n = u->nunits;

	if (bits_of(u, 0, n) == 0 || !may_hold(h, u, n))
		return false;
	ns_store_release(&u->kind, NS_KIND_FREE);
	ns_run_set_length(u, 0);
	put(h, u, 0, n);
	return true;
}

bool
ns_hold_shrink(struct ns_hold *h, struct ns_unit *u, size_t n)
{
	size_t old = u->nunits;

	if (bits_of(u, 0, old) == 0 || !may_hold(h, u, old - n))
		return false;
	ns_run_set_length(u, n);
	put(h, u, n, old);
	return true;
}

/* A miss: more would have been of use. */
static struct ns_unit *
miss(struct ns_hold *h)
{
	if (h->spilled) {
		h->spilled = false;
		h->allow = (uint32_t)ns_min(2 * h->allow, MAX_UNITS);
	}
	return NULL;
}

/* Where @n units are held: the place, and *at; or NS_HOLD_EXTENTS. */
static unsigned
find(const struct ns_hold *h, size_t n, size_t align, unsigned *at)
{
	uint32_t map = h->units >= n ? h->map : 0, good;

	for (; map != 0; map &= map - 1) {
		good = ns_starts(h->bits[ns_ctz(map)], (unsigned)n,
				 (unsigned)align);
		if (good != 0) {
			*at = ns_ctz(good);
			return ns_ctz(map);
		}
	}
	return NS_HOLD_EXTENTS;
}

struct ns_unit *
ns_hold_alloc(struct ns_hold *h, size_t n, size_t align, bool room)
{
	unsigned i = NS_HOLD_EXTENTS, at;
	struct ns_unit *u;

	if (n > NS_HOLD_RUN || align > NS_EXTENT_UNITS)
		return NULL;
	if (room)
		i = find(h, NS_HOLD_RUN, align, &at);
	if (i == NS_HOLD_EXTENTS && (!room || n == 1))
		i = find(h, n, align, &at);
	if (i == NS_HOLD_EXTENTS)
		return miss(h);
	u = ns_units + (size_t)h->extent[i] * NS_EXTENT_UNITS + at;
	remove_bits(h, i, ns_bits_from(at, (unsigned)n));
	ns_run_set_up(u, n, false);
	h->moves++;
	return u;
}

/*
 * Where only some of the units behind are held, the pool has the others
 * perhaps: it gets these, and is asked for all.
 */
bool
ns_hold_grow(struct ns_hold *h, struct ns_unit *u, size_t n)
{
	unsigned i = place_of(h, extent_of(u));
	uint32_t bits = n > u->nunits ? bits_of(u, u->nunits, n) : 0;

	if (i == NS_HOLD_EXTENTS)
		return false;
	if (bits == 0 || (h->bits[i] & bits) != bits) {
		give_up(h, i);
		return false;
	}
	remove_bits(h, i, bits);
	u->zero = 0;
	ns_run_set_length(u, n);
	h->moves++;
	return true;
}

void
ns_hold_release(struct ns_hold *h)
{
	while (h->map != 0)
		give_up(h, ns_ctz(h->map));
	h->allow = 0;
	h->spilled = h->told = false;
}
