/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/reserve.c - pages that INTERRUPT can take when it cannot have the lock.
 *
 * 1. The reserve is an array of words, each NULL or a page that is free,
 *    populated (it was written to) and nobody else's.  As many words are in
 *    use as the interrupt watermark has pages.
 * 2. Taking is one atomic exchange of a word with NULL: who gets the page
 *    owns it.  There is no list, so no next pointer is read from a page that
 *    may have been taken, and a page that leaves and comes back between two
 *    steps of another thread (ABA) changes nothing: the exchange takes
 *    whatever page is in the word at that moment.
 * 3. Adding needs a ticket first: nreserve counts the pages in words and the
 *    tickets for more, never above the watermark.  With a ticket there is an
 *    empty word: at most intr - 1 others are full, and words are filled only
 *    by holders of tickets.
 * 4. Every step is done by whoever does it in a bounded number of its own
 *    instructions, except that the holder of a ticket may have to look again
 *    at words that others filled, as often as there are others.
 *
 *	may run at once	pop	push	ticket
 *	pop		yes	yes	yes
 *	push		yes	yes	yes
 *	ticket		yes	yes	no: the node's lock
 *
 * What it gives up: nreserve is lowered after the word was emptied, so that
 * for some ns the node seems to hold one page more than it does, and a
 * NORMAL request may go one page below the watermark.
 */
#include "vm/vm.h"

/* The caller holds the node's lock: only pops run meanwhile. */
bool
ns_vm_reserve_ticket(struct ns_vm_node *n)
{
	if (ns_load_relaxed(&n->nreserve) >= n->intr)
		return false;
	ns_add_relaxed(&n->nreserve, 1u);
	return true;
}

/* The caller holds a ticket, and no lock. */
void
ns_vm_reserve_push(struct ns_vm_node *n, struct vm_page *m)
{
	struct vm_page *none;
	unsigned i;

	for (i = 0;; i = (i + 1) % n->intr) {
		none = NULL;
		/* Pairs with the exchange in ns_vm_reserve_pop. */
		if (ns_load_relaxed(&n->reserve[i]) == NULL &&
		    ns_cas_release(&n->reserve[i], &none, m))
			return;
	}
}

/* In a fork's child: the tickets of threads that are gone are void. */
void
ns_vm_reserve_fork_child(struct ns_vm_node *n)
{
	uint32_t i, pages = 0;

	for (i = 0; i < n->intr; i++)
		if (ns_load_relaxed(&n->reserve[i]) != NULL)
			pages++;
	ns_store_relaxed(&n->nreserve, pages);
}

struct vm_page *
ns_vm_reserve_pop(struct ns_vm_node *n)
{
	struct vm_page *m;
	unsigned i;

	for (i = 0; i < n->intr; i++) {
		if (ns_load_relaxed(&n->reserve[i]) == NULL)
			continue;
		m = ns_xchg_acquire(&n->reserve[i], NULL);
		if (m != NULL) {
			ns_sub_relaxed(&n->nreserve, 1u);
			ns_add_relaxed(&n->from_reserve, 1);
			return m;
		}
	}
	return NULL;
}
