/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/stat.c - a node's figures, for tests and for programs. */
#include "vm/check.h"

#include <errno.h>
#include <string.h>

void
ns_vm_stat(unsigned node, struct ns_vm_stat *st)
{
	struct ns_vm_node *n = &ns_vm_nodes[node];
	uint64_t given;

	ns_lock(&n->qlock);
	ns_lock(&n->lock);
	given = ns_vm_mag_zero_given(n);
	*st = (struct ns_vm_stat){
		.pages = n->npages,
		.free = n->nfree + ns_vm_mag_pages(n) + n->zeroing,
		.reserve = ns_load_relaxed(&n->nreserve),
		.cached = n->ncached,
		.reclaimed = n->reclaimed,
		.work = n->work,
		.low = n->low,
		.interrupt = n->intr,
		.target = ns_vm_target(n),
		.zero_asked = n->zero_asked + given + ns_vm_mag_zero_missed(n),
		.zero_given = n->zero_given + given,
		.zero_made = n->zero_made,
		.zero_want = n->zero_want,
		.zeroed = n->nzeroed,
		.spilled = ns_load_relaxed(&n->spilled),
		.denied = ns_load_relaxed(&n->denied),
		.from_reserve = ns_load_relaxed(&n->from_reserve),
	};
	memcpy(st->queued, n->nqueue, sizeof(st->queued));
	ns_unlock(&n->lock);
	ns_unlock(&n->qlock);
}

/* Pages of 2^order system pages each are as many system pages. */
static void
add(struct vm_domain_stat *st, const struct ns_vm_stat *s, unsigned order)
{
	st->page_count += s->pages << order;
	st->free_count += (s->free + s->reserve) << order;
	st->cache_count += s->cached << order;
	st->active_count += s->queued[PQ_ACTIVE] << order;
	st->inactive_count += s->queued[PQ_INACTIVE] << order;
	st->laundry_count +=
	    (s->queued[PQ_LAUNDRY] + s->queued[NS_VM_PQ_UNSWAPPABLE]) << order;
	st->free_min += s->low << order;
	st->interrupt_free_min += s->interrupt << order;
	st->free_target += s->target << order;
	st->denied += s->denied;
	st->spilled += s->spilled;
	st->zero_asked += s->zero_asked;
	st->zero_given += s->zero_given;
	st->zeroed += s->zero_made;
	st->scanned += s->work.scanned;
	st->deactivated += s->work.deactivated;
	st->reactivated += s->work.reactivated;
	st->reclaimed += s->work.reclaimed;
	st->evicted += s->reclaimed;
	st->laundered += s->work.laundered;
	st->failed += s->work.failed;
}

ns_export int
vm_domain_stat(int domain, struct vm_domain_stat *st)
{
	unsigned slot = ns_vm_init() == 0 ? ns_vm_slot_of(domain) : NS_NO_SLOT;
	struct ns_vm_node *n;
	struct ns_vm_stat s;

	ns_vm_require_arg("vm_domain_stat", st, "st");
	if (slot == NS_NO_SLOT) {
		errno = EINVAL;
		return -1;
	}
	*st = (struct vm_domain_stat){ .domain = domain };
	ns_vm_for_each (n) {
		/* Of another size, if there ever were any. */
		if (n->slot != slot ||
		    (n->order != 0 && ns_load_relaxed(&n->used) == 0))
			continue;
		ns_vm_stat((unsigned)(n - ns_vm_nodes), &s);
		add(st, &s, n->order);
	}
	return 0;
}
