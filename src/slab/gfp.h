/* SPDX-License-Identifier: BSD-2-Clause */
/* slab/gfp.h - what a request's flags allow when memory is short. */
#ifndef NS_GFP_H
#define NS_GFP_H

#include "slab/slab.h"

#pragma GCC visibility push(hidden)

/* Flags that a request with memory at hand need not look at. */
#define NS_GFP_PLAIN                                                           \
	(GFP_KERNEL | __GFP_HIGH | __GFP_THISNODE | __GFP_NOWARN | __GFP_DMA | \
	 __GFP_DMA32 | __GFP_HIGHMEM | __GFP_MOVABLE | __GFP_RECLAIMABLE |     \
	 __GFP_WRITE | __GFP_HARDWALL | __GFP_COMP)

/* Inside only: the reserve of a node may be used. */
#define NS_GFP_RESERVE ((gfp_t)0x80000000u)

/* No flag contradicts another, and none is unknown; else errno is EINVAL. */
bool ns_gfp_ok(gfp_t gfp);

/* A request that failed, and what was done about it so far. */
struct ns_retry {
	gfp_t gfp;       /* what to try with the next time */
	unsigned rounds; /* of reclaim */
};

/*
 * Does what the flags allow, which may be to sleep: true when the request is
 * to be tried again.  The caller holds no lock.
 */
bool ns_retry(struct ns_retry *r);

#pragma GCC visibility pop
#endif
