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

struct ns_extent {
	struct ns_list link;       /* [p] partial list or free range list */
	struct ns_list dirty_link; /* [p] valid while dirty != 0 */
	uint32_t used;             /* [p] a bit a unit */
	uint32_t dirty;            /* [p] free units that are not zero */
	uint32_t range;            /* [p] length, at a free range's ends */
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
	uint32_t partial_map;      /* [p] which partial lists have members */
	uint32_t range_map;        /* [p] which range lists have members */
	struct ns_list partial[NS_EXTENT_UNITS]; /* [p] */
	struct ns_list free[NS_RANGE_BINS];      /* [p] */
	struct ns_list dirty;                    /* [p] oldest first */
} __attribute__((aligned(NS_CACHELINE)));

extern struct ns_pool ns_pools[NS_MAX_SLOTS];
extern struct ns_extent *ns_extents;
extern uint64_t ns_clock_ms; /* [a] now, to within a purge's period */

void ns_pool_init(unsigned slot, size_t span);

/*
 * A purge claims the oldest dirty units, drops the lock, tells the kernel,
 * and frees them as clean (purge.c).  Both need the pool's lock.
 */
#define NS_CLAIM_MAX 32u /* extents: some milliseconds in the kernel */

struct ns_claim {
	struct ns_extent *first;
	size_t len;    /* extents */
	uint32_t bits; /* of each extent */
	size_t dirty;  /* units among them that are not zero */
};

bool ns_pool_claim(struct ns_pool *p, struct ns_claim *c);
void ns_pool_unclaim(struct ns_pool *p, const struct ns_claim *c, bool purged);

/* All that is committed, over all nodes, in bytes: maint.c's threshold. */
uint64_t ns_pools_committed(void);

#pragma GCC visibility pop
#endif
