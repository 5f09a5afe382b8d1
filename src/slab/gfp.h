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

/* May the program's code run for it: shrinkers, an account's over()? */
ns_inline bool
ns_gfp_may_call(gfp_t gfp)
{
	const gfp_t all = __GFP_DIRECT_RECLAIM | __GFP_IO | __GFP_FS;

	return (gfp & all) == all;
}

/* A request that failed, and what was done about it so far. */
struct ns_retry {
	gfp_t gfp;         /* what to try with the next time */
	unsigned slot;     /* asked for, or NS_NO_SLOT: home */
	unsigned rounds;   /* of reclaim */
	unsigned priority; /* what the round's shrinking is down to */
};

/*
 * Does what the flags allow, which may be to sleep: true when the request is
 * to be tried again.  The caller holds no lock.
 */
bool ns_retry(struct ns_retry *r);

/*
 * shrinker.c: asks all shrinkers for objects of @slot, or of all nodes
 * (NS_NO_SLOT): the more, the lower @priority is, from 12 to 0.  Returns how
 * many they freed; 0 inside a shrinker.  No lock held.
 */
#define NS_SHRINK_PRIORITIES 13u
unsigned long ns_shrink(gfp_t gfp, unsigned slot, unsigned priority);
bool ns_is_shrinking(void);   /* this thread is in a shrinker */
void ns_shrinkers_lock(void); /* fork.c */
void ns_shrinkers_unlock(void);
void ns_shrinkers_fork_child(void);

#pragma GCC visibility pop
#endif
