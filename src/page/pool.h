/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/pool.h - inside the page layer: extents and pools.
 *
 * An extent is 32 units.  It is in one of three states:
 *   free     used == 0: member of a free range, whose first and last extent
 *            hold the range's length; the first is in free[log2(length)]
 *   partial  some units used: in partial[number of free units]
 *   full     in no list
 * Free units that were written since they were last zero are dirty: their
 * sum is what the pool retains.  An extent with dirty units is in the dirty
 * list, which is in the order of the last free, and is purged from its head.
 */
#ifndef NS_POOL_H
#define NS_POOL_H

#include "page/page.h"

#pragma GCC visibility push(hidden)

#define NS_RANGE_BINS  24 /* 2^23 extents: the 16 TiB of the largest span */
#define NS_EXTENT_FULL 0xffffffffu

enum ns_moved { NS_MOVED_NOT = 0, NS_MOVED, NS_MOVED_FIRST };

struct ns_extent {
	struct ns_list link;       /* [p] partial list or free range list */
	struct ns_list dirty_link; /* [p] valid while dirty != 0 */
	uint32_t used;             /* [p] a bit a unit */
	uint32_t dirty;            /* [p] free units that are not zero */
	uint32_t range;            /* [p] length, at a free range's ends */
	uint32_t moved;            /* [a] enum ns_moved: see move.c */
	uint64_t stamp;            /* [p] when a unit was last freed, ms */
} __attribute__((aligned(NS_CACHELINE)));
_Static_assert(sizeof(struct ns_extent) == NS_CACHELINE, "one line each");

struct ns_pool {
	struct ns_lock lock;       /* NS_RANK_POOL: [p] */
	struct ns_lock purge_lock; /* NS_RANK_PURGE: held across a purge */
	unsigned slot;             /* [I] */
	bool hard;                 /* [I] the limit was asked for by option */
	size_t first;              /* [I] index of the span's first extent */
	size_t span;               /* [I] extents */
	size_t limit;              /* [I] units that may be used */
	size_t reserve;            /* [I] units of these not for NS_RUN_KEEP */
	size_t committed;          /* [p] extents, from the span's start */
	uint64_t used;             /* [a] units; written under [p] */
	uint64_t retained;         /* [a] dirty units; written under [p] */
	uint64_t spilled;          /* [a] bytes here asked for elsewhere */
	uint64_t purged;           /* [a] units given back, ever */
	uint64_t full_extents;     /* [a] written under [p] */
	uint64_t reclaimable;      /* [a] units that shrinkers may empty */
	int64_t lent;              /* [a] units of used that lie on other
				      nodes, less those of others here */
	uint32_t partial_map;      /* [p] which partial lists have members */
	uint32_t range_map;        /* [p] which range lists have members */
	struct ns_list partial[NS_EXTENT_UNITS]; /* [p] */
	struct ns_list free[NS_RANGE_BINS];      /* [p] */
	struct ns_list dirty;                    /* [p] oldest first */
} __attribute__((aligned(NS_CACHELINE)));

extern struct ns_pool ns_pools[NS_MAX_SLOTS];
extern struct ns_extent *ns_extents;
extern uint64_t ns_clock_ms; /* [a] now, to within a purge's period */

/* Units of the node's memory that are used, wherever their addresses are. */
ns_inline uint64_t
ns_pool_use(const struct ns_pool *p)
{
	int64_t use =
	    (int64_t)ns_load_relaxed(&p->used) - ns_load_relaxed(&p->lent);

	return use > 0 ? (uint64_t)use : 0;
}

void ns_pool_init(unsigned slot, size_t span);

/*
 * Where the system gives huge pages to everybody, a process that touches a
 * page here and there would have 2 MiB resident for each.  So the first of
 * a span are small pages, and what grows beyond obeys the system.
 */
#define NS_SMALL_EXTENTS 16u                  /* 32 MiB a node */
void ns_advise_huge(void *addr, size_t size); /* if that is asked for */

ns_inline struct ns_extent *
ns_extent_at(const struct ns_pool *p, size_t i)
{
	return &ns_extents[p->first + i];
}

ns_inline size_t
ns_extent_index(const struct ns_pool *p, const struct ns_extent *e)
{
	return (size_t)(e - ns_extents) - p->first;
}

ns_inline struct ns_unit *
ns_extent_units(const struct ns_extent *e)
{
	return ns_units + (size_t)(e - ns_extents) * NS_EXTENT_UNITS;
}

/* Bits set.  Without -mpopcnt the builtin is a call. */
ns_inline unsigned
ns_bits(uint32_t x)
{
	x -= (x >> 1) & 0x55555555u;
	x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
	return (((x + (x >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24;
}

/* @n bits from bit @at on; n is 1 to 32. */
ns_inline uint32_t
ns_bits_from(unsigned at, unsigned n)
{
	return (NS_EXTENT_FULL >> (NS_EXTENT_UNITS - n)) << at;
}

/* extent.c: one extent's units.  @e is in no range. */
void ns_extent_use(struct ns_pool *p, struct ns_extent *e, uint32_t bits);
void ns_extent_unuse(struct ns_pool *p, struct ns_extent *e, uint32_t bits,
		     bool clean, uint64_t now);
void ns_partial_remove(struct ns_pool *p, struct ns_extent *e);
struct ns_extent *ns_partial_find(const struct ns_pool *p, unsigned n,
				  unsigned align, bool want_zero, unsigned *at);

/* Bit i set: @n of the @free units from i on, a multiple of @align. */
uint32_t ns_starts(uint32_t free, unsigned n, unsigned align);

/*
 * run.c: a descriptor for units that are the caller's, and units that no run
 * has back to the pool, none of them zero.
 */
void ns_run_set_up(struct ns_unit *u, size_t n, bool zero);
void ns_run_set_length(struct ns_unit *u, size_t n);
void ns_units_return(size_t extent, uint32_t bits);

/* move.c: gives units back, and undoes what a move left of traces. */
int ns_units_purge(struct ns_extent *e, size_t at, size_t n);

/* range.c: whole free extents, by index in the pool. */
bool ns_range_take(struct ns_pool *p, size_t len, size_t align, unsigned flags,
		   size_t *at);
void ns_range_carve(struct ns_pool *p, size_t first, size_t at, size_t len);
void ns_range_release(struct ns_pool *p, size_t first, size_t len);
size_t ns_range_start(const struct ns_pool *p, size_t i);
bool ns_pool_commit(struct ns_pool *p, size_t least);

/* All that is committed, over all nodes, in bytes: maint.c's threshold. */
uint64_t ns_pools_committed(void);

#pragma GCC visibility pop
#endif
