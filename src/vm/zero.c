/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/zero.c - zeroed pages, kept ready for VM_ALLOC_ZERO.
 *
 * 1. The daemon zeroes freed pages of a node, at idle priority, until it has as
 *    many as it wants.  It is called by the first ZERO request since its last
 *    visit that got a page which is not known to be zero.
 * 2. How many it wants is set by use: a visit after such a miss doubles it,
 *    from one cluster up to ZERO_BYTES; one without a single ZERO request
 *    since the last, some time ago, halves it.  A node that nobody asks for
 * zeros wants none.
 * 3. It zeroes a cluster at a time, without the node's lock, while the node
 *    holds low + keep pages.  What it has in hand is not to be had meanwhile:
 *    a request never waits for it.  Who sleeps is told when it is back.
 */
#include "vm/vm.h"

#include <string.h>

#define ZERO_BYTES (8ul << 20) /* what one core zeroes in a millisecond */
#define BATCH      (NS_VM_CLUSTER >> 12)
#define DUE_MS     250u /* between visits that nobody called for */

/* Counts a ZERO request that got @m.  True: the first miss, call.  [v] */
bool
ns_vm_zero_note(struct ns_vm_node *n, const struct vm_page *m)
{
	bool first = !m->zero && !n->zero_missed;

	ns_owner_add(&n->zero_asked, 1);
	ns_owner_add(&n->zero_given, m->zero);
	if (first)
		ns_store_relaxed(&n->zero_missed, true);
	return first;
}

/* See 2.  [v] */
static void
set_goal(struct ns_vm_node *n)
{
	uint64_t asked =
	    n->zero_asked + ns_vm_mag_zero_given(n) + ns_vm_mag_zero_missed(n);

	if (n->zero_missed)
		n->zero_want = ns_min(ns_max(2 * n->zero_want, n->intr),
				      ZERO_BYTES / n->page_size);
	else if (asked == n->zero_seen)
		n->zero_want /= 2;
	n->zero_seen = asked;
	ns_store_relaxed(&n->zero_missed, false);
}

/* Dirty pages to zero, as many as the node wants and can spare.  [v] */
static unsigned
next_pages(struct ns_vm_node *n, struct vm_page **page)
{
	unsigned most = (unsigned)ns_max(NS_VM_CLUSTER / n->page_size, 1), i;

	for (i = 0; i < ns_min(most, BATCH); i++) {
		if (n->nzeroed + i >= n->zero_want ||
		    ns_list_empty(&n->dirty) ||
		    ns_vm_held(n) <= n->low + n->keep)
			break;
		page[i] = ns_vm_take(n, false);
	}
	return i;
}

/* The lock is held, and dropped while the pages are zeroed. */
static void
zero_pages(struct ns_vm_node *n, struct vm_page **page, unsigned count)
{
	struct ns_unit *spare;
	struct ns_vm_chunk *c;
	unsigned i;

	ns_owner_add(&n->zeroing, count);
	ns_unlock(&n->lock);
	for (i = 0; i < count; i++) {
		memset(page[i]->addr, 0, n->page_size);
		page[i]->zero = 1;
	}
	ns_lock(&n->lock);
	ns_owner_add(&n->zeroing, -count);
	ns_owner_add(&n->zero_made, count);
	for (i = 0; i < count; i++) {
		c = ns_vm_chunk_of("zero", page[i]);
		ns_vm_put(n, c, page[i]);
		spare = ns_vm_shrink(n, c);
		if (spare == NULL)
			continue;
		ns_unlock(&n->lock);
		ns_vm_give_back(spare);
		ns_lock(&n->lock);
	}
	ns_vm_note_tight(n);
}

static void
visit(struct ns_vm_node *n)
{
	struct vm_page *page[BATCH];
	unsigned count;

	ns_lock(&n->lock);
	set_goal(n);
	while ((count = next_pages(n, page)) > 0)
		zero_pages(n, page, count);
	ns_unlock(&n->lock);
	ns_vm_freed();
}

void
ns_vm_zero_visit(void)
{
	struct ns_vm_node *n;

	ns_vm_for_each (n)
		if (ns_load_relaxed(&n->used) != 0)
			visit(n);
}

/* For the daemon: a visit, after a miss, or some time after the one at *@at. */
void
ns_vm_zero_if_due(uint64_t *at)
{
	uint64_t now = ns_os_now_ms();
	bool due = now - *at >= DUE_MS;
	struct ns_vm_node *n;

	ns_vm_for_each (n)
		due |= ns_load_relaxed(&n->zero_missed);
	if (!due)
		return;
	*at = now;
	ns_vm_zero_visit();
}
