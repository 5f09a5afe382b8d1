/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/stat.c - a node's figures, for tests and for programs. */
#include "vm/vm.h"

#include <errno.h>
#include <string.h>

void
ns_vm_stat(unsigned slot, struct ns_vm_stat *st)
{
	struct ns_vm_node *n = &ns_vm_nodes[slot];

	ns_lock(&n->qlock);
	ns_lock(&n->lock);
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
		.zero_asked = n->zero_asked + ns_vm_mag_zero_given(n),
		.zero_given = n->zero_given + ns_vm_mag_zero_given(n),
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

ns_export int
vm_domain_stat(int domain, struct vm_domain_stat *st)
{
	unsigned slot = ns_vm_init() == 0 ? ns_vm_slot_of(domain) : NS_NO_SLOT;
	struct ns_vm_stat s;

	if (slot == NS_NO_SLOT) {
		errno = EINVAL;
		return -1;
	}
	ns_vm_stat(slot, &s);
	*st = (struct vm_domain_stat){
		.domain = domain,
		.page_count = s.pages,
		.free_count = s.free + s.reserve,
		.cache_count = s.cached,
		.active_count = s.queued[PQ_ACTIVE],
		.inactive_count = s.queued[PQ_INACTIVE],
		.laundry_count =
		    s.queued[PQ_LAUNDRY] + s.queued[NS_VM_PQ_UNSWAPPABLE],
		.free_min = s.low,
		.interrupt_free_min = s.interrupt,
		.free_target = s.target,
		.denied = s.denied,
		.spilled = s.spilled,
		.zero_asked = s.zero_asked,
		.zero_given = s.zero_given,
		.zeroed = s.zero_made,
		.scanned = s.work.scanned,
		.deactivated = s.work.deactivated,
		.reactivated = s.work.reactivated,
		.reclaimed = s.work.reclaimed,
		.evicted = s.reclaimed,
		.laundered = s.work.laundered,
		.failed = s.work.failed,
	};
	return 0;
}
