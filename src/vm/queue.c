/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/queue.c - the queues of a node's pages that may be reclaimed.
 *
 * 1. A page of an object is in no queue until the program puts it in one:
 *    active, inactive, laundry.  pageout.c moves it on from there.  A page
 *    without object is in none, so requests without object pay nothing.
 * 2. The queues of a node have a lock of their own, [q].  A page that is in a
 *    queue leaves its object only after it has left the queue; so under the
 *    lock the object of each page in a queue exists.
 * 3. What happens at each use of a page takes no lock: vm_page_reference
 *    writes its flag when it is not set yet, vm_page_activate of an active
 *    page its count.  Those that move a page take the lock, as the miss that
 *    brought the page in can afford.
 * 4. A wired page is in no queue, but for the moment between its first wiring
 *    and its leaving.
 *    Nor is one of a contiguous object: its memory is no use to others.
 * 5. act_count is a page's history: at each sweep over the active queue it is
 *    halved, and raised if the page was referenced since the last one; at 0
 *    the page goes.  A page that was just made active survives one sweep, one
 *    that was used all the time two after its last use.
 */
#include "vm/vm.h"

#include <sys/mman.h>

void
ns_vm_queue_init(struct ns_vm_node *n)
{
	ns_lock_init(&n->qlock, NS_RANK_QUEUE);
	for (unsigned i = 0; i < NS_VM_QUEUES; i++)
		ns_list_init(&n->queue[i]);
}

/* To the end of @queue, or its head; PQ_NONE: out.  [q] */
void
ns_vm_queue_move(struct vm_page *m, uint8_t queue, bool head)
{
	struct ns_vm_node *n = ns_vm_node_of(m);

	if (m->queue != PQ_NONE) {
		ns_list_remove(&m->link);
		ns_owner_add(&n->nqueue[m->queue], -1ul);
	}
	ns_store_relaxed(&m->queue, queue);
	if (queue == PQ_NONE)
		return;
	if (head)
		ns_list_push(&n->queue[queue], &m->link);
	else
		ns_list_append(&n->queue[queue], &m->link);
	ns_owner_add(&n->nqueue[queue], 1);
}

static void
count_active(struct vm_page *m)
{
	uint8_t count = ns_load_relaxed(&m->act_count);

	ns_store_relaxed(&m->act_count, ns_max(count, NS_VM_ACT_INIT));
}

void
ns_vm_enqueue(const char *call, struct vm_page *m, uint8_t queue, bool head)
{
	struct ns_vm_node *n = ns_vm_node_of(m);
	bool good;

	ns_vm_chunk_of(call, m);
	ns_lock(&n->qlock);
	good = ns_load_relaxed(&m->state) == NS_VM_ALLOCATED &&
	       ns_load_relaxed(&m->object) != NULL;
	if (good && !m->fixed && ns_load_relaxed(&m->wire_count) == 0) {
		if (queue == PQ_ACTIVE)
			count_active(m);
		ns_vm_queue_move(m, queue, head);
	}
	ns_unlock(&n->qlock);
	if (!good)
		ns_vm_die(call, m, "it is free, cached or in no object");
}

/* The caller has the page, or it was just wired. */
void
ns_vm_dequeue(struct vm_page *m)
{
	struct ns_vm_node *n = ns_vm_node_of(m);

	if (ns_load_relaxed(&m->queue) == PQ_NONE)
		return;
	ns_lock(&n->qlock);
	ns_vm_queue_move(m, PQ_NONE, false);
	ns_unlock(&n->qlock);
}

ns_export void
vm_page_activate(vm_page_t m)
{
	if (ns_load_relaxed(&m->queue) == PQ_ACTIVE)
		count_active(m);
	else
		ns_vm_enqueue("vm_page_activate", m, PQ_ACTIVE, false);
}

ns_export void
vm_page_deactivate(vm_page_t m)
{
	ns_vm_enqueue("vm_page_deactivate", m, PQ_INACTIVE, false);
}

ns_export void
vm_page_launder(vm_page_t m)
{
	ns_vm_enqueue("vm_page_launder", m, PQ_LAUNDRY, false);
}

ns_export void
vm_page_reference(vm_page_t m)
{
	ns_vm_assert_allocated("vm_page_reference", m);
	if ((ns_load_relaxed(&m->flags) & PG_REFERENCED) == 0)
		__atomic_fetch_or(&m->flags, PG_REFERENCED, __ATOMIC_RELAXED);
}

ns_export void
vm_page_advise(vm_page_t m, int advice)
{
	bool dirty;

	if (advice == MADV_WILLNEED)
		vm_page_activate(m);
	if (advice == MADV_FREE)
		vm_page_undirty(m);
	if (advice != MADV_FREE && advice != MADV_DONTNEED)
		return;
	__atomic_fetch_and(&m->flags, (uint16_t)~PG_REFERENCED,
			   __ATOMIC_RELAXED);
	dirty = (ns_load_relaxed(&m->flags) & PG_DIRTY) != 0;
	if (!dirty)
		ns_vm_enqueue("vm_page_advise", m, PQ_INACTIVE, true);
	else if (!vm_page_in_laundry(m))
		ns_vm_enqueue("vm_page_advise", m, PQ_LAUNDRY, false);
}

static bool
is_in(const char *call, const struct vm_page *m, uint8_t queue)
{
	ns_vm_assert_allocated(call, m);
	(void)call;
	return ns_load_relaxed(&m->queue) == queue;
}

ns_export bool
vm_page_active(vm_page_t m)
{
	return is_in("vm_page_active", m, PQ_ACTIVE);
}

ns_export bool
vm_page_inactive(vm_page_t m)
{
	return is_in("vm_page_inactive", m, PQ_INACTIVE);
}

ns_export bool
vm_page_in_laundry(vm_page_t m)
{
	return is_in("vm_page_in_laundry", m, PQ_LAUNDRY) ||
	       is_in("vm_page_in_laundry", m, NS_VM_PQ_UNSWAPPABLE);
}
