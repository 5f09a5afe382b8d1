/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/gfp.c - what a request may do when there is no memory.
 *
 * 1. In this order: the reserve, which ordinary requests leave alone
 *    (NS_RUN_KEEP); then, if it may wait, rounds of reclaim.  In a round the
 *    thread gives back what it has at hand, in every heap of its own, so that
 *    empty slabs of one cache become another's.  Then, if that was not enough
 *    and the flags let the program's code run, the shrinkers free objects,
 *    more with each step, until they have nothing left.
 * 2. How many rounds the flags say: one, or some with a sleep before each in
 *    which other threads may free memory, or no end of them.
 * 3. Other threads' magazines are out of reach.  They give back what they do
 *    not use by themselves (magazine.c, 4), but only while they run.
 */
#include "slab/gfp.h"

#include <errno.h>

#define MAYFAIL_ROUNDS 16u
#define SLEEP_MAX_MS   64u

#define RETRIES (__GFP_NORETRY | __GFP_RETRY_MAYFAIL | __GFP_NOFAIL)
#define KNOWN                                                               \
	(NS_GFP_PLAIN | RETRIES | __GFP_ZERO | __GFP_ACCOUNT | __GFP_HIGH | \
	 __GFP_MEMALLOC | __GFP_NOMEMALLOC)

bool
ns_gfp_ok(gfp_t gfp)
{
	gfp_t retries = gfp & RETRIES;

	if ((gfp & ~KNOWN) == 0 && (retries == 0 || ns_is_pow2(retries)) &&
	    (retries != __GFP_NOFAIL || (gfp & __GFP_DIRECT_RECLAIM) != 0) &&
	    (~gfp & (__GFP_MEMALLOC | __GFP_NOMEMALLOC)) != 0)
		return true;
	errno = EINVAL;
	return false;
}

static bool
may_use_reserve(gfp_t gfp)
{
	return ((gfp & (__GFP_HIGH | __GFP_MEMALLOC)) != 0 ||
		ns_is_shrinking()) &&
	       (gfp & __GFP_NOMEMALLOC) == 0;
}

/* 1 ms, 2, 4, ...; others may free something meanwhile. */
static void
wait_a_little(unsigned round)
{
	uint32_t word = 0;

	ns_os_sleep_on(&word, 0, ns_min(1ul << ns_min(round, 6), SLEEP_MAX_MS));
}

/* What the thread holds back, and the layer of pages. */
static void
give_back(gfp_t gfp)
{
	void (*give_all)(void) = ns_load_acquire(&ns_vm_give_all);

	ns_thread_abandon(ns_home->thread, NULL);
	if (give_all != NULL)
		give_all();
	if (ns_gfp_may_call(gfp))
		ns_caches_settle();
}

/* The round's next step that frees something, if there is one. */
static bool
shrink(struct ns_retry *r)
{
	bool strict = (r->gfp & __GFP_THISNODE) != 0;
	unsigned slot = strict ? r->slot : NS_NO_SLOT;
	bool freed = false;

	if (!ns_gfp_may_call(r->gfp))
		return false;
	if (strict && slot == NS_NO_SLOT)
		slot = ns_home->slot;
	while (!freed && r->priority > 0)
		freed = ns_shrink(r->gfp, slot, --r->priority) != 0;
	if (freed)
		give_back(r->gfp);
	return freed;
}

bool
ns_retry(struct ns_retry *r)
{
	unsigned most = 1;

	if ((r->gfp & NS_GFP_RESERVE) == 0 && may_use_reserve(r->gfp)) {
		r->gfp |= NS_GFP_RESERVE;
		return true;
	}
	if ((r->gfp & __GFP_DIRECT_RECLAIM) == 0)
		return false;
	if (shrink(r))
		return true;
	if ((r->gfp & __GFP_RETRY_MAYFAIL) != 0)
		most = MAYFAIL_ROUNDS;
	if (r->rounds >= most && (r->gfp & __GFP_NOFAIL) == 0)
		return false;
	if (r->rounds > 0)
		wait_a_little(r->rounds);
	give_back(r->gfp);
	r->rounds++;
	r->priority = NS_SHRINK_PRIORITIES;
	return true;
}
