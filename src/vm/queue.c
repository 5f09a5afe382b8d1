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
 *    Nor is one of a contiguous object, or one that is never freed: its memory
 *    is no use to others.
 * 5. act_count is a page's history: at each sweep over the active queue it is
 *    halved, and raised if the page was referenced since the last one; at 0
 *    the page goes.  A page that was just made active survives one sweep, one
 *    that was used all the time two after its last use.
 */
#include "vm/check.h"

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
	struct ns_vm_node *n;
	const char *broken;

	ns_vm_chunk_of(call, m);
	n = ns_vm_node_of(m);
	ns_lock(&n->qlock);
	broken = ns_vm_broken(m, NS_VM_IN_USE | NS_VM_PLACED);
	if (broken == NULL && ns_vm_broken(m, NS_VM_QUEUED) == NULL) {
		if (queue == PQ_ACTIVE)
			count_active(m);
		ns_vm_queue_move(m, queue, head);
	}
	ns_unlock(&n->qlock);
	if (ns_unlikely(broken != NULL))
		ns_vm_die(call, m, broken);
}

/* To @queue if it was laid aside, or is being laid aside right now. */
void
ns_vm_queue_again(struct vm_page *m, uint8_t queue)
{
	struct ns_vm_node *n = ns_vm_node_of(m);
	uint8_t now = ns_load_relaxed(&m->queue);

	if (now != PQ_LAUNDRY && now != NS_VM_PQ_UNSWAPPABLE)
		return;
	ns_lock(&n->qlock);
	if (m->queue == NS_VM_PQ_UNSWAPPABLE)
		ns_vm_queue_move(m, queue, false);
	ns_unlock(&n->qlock);
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

static void
activate(const char *call, struct vm_page *m)
{
	if (ns_load_relaxed(&m->queue) == PQ_ACTIVE)
		count_active(m);
	else
		ns_vm_enqueue(call, m, PQ_ACTIVE, false);
}

ns_export void
vm_page_activate(vm_page_t m)
{
	ns_vm_expect("vm_page_activate", m, NS_VM_QUEUEABLE);
	activate("vm_page_activate", m);
}

ns_export void
vm_page_deactivate(vm_page_t m)
{
	ns_vm_expect("vm_page_deactivate", m, NS_VM_QUEUEABLE);
	ns_vm_enqueue("vm_page_deactivate", m, PQ_INACTIVE, false);
}

ns_export void
vm_page_launder(vm_page_t m)
{
	ns_vm_expect("vm_page_launder", m, NS_VM_QUEUEABLE);
	ns_vm_enqueue("vm_page_launder", m, PQ_LAUNDRY, false);
}

ns_export void
vm_page_reference(vm_page_t m)
{
	ns_vm_expect("vm_page_reference", m, NS_VM_QUEUEABLE);
	if ((ns_load_relaxed(&m->flags) & PG_REFERENCED) == 0)
		__atomic_fetch_or(&m->flags, PG_REFERENCED, __ATOMIC_RELAXED);
}

static bool
is_in_laundry(const struct vm_page *m)
{
	uint8_t queue = ns_load_relaxed(&m->queue);

	return queue == PQ_LAUNDRY || queue == NS_VM_PQ_UNSWAPPABLE;
}

ns_export void
vm_page_advise(vm_page_t m, int advice)
{
	const char *call = "vm_page_advise";

	ns_vm_expect(call, m, NS_VM_IN_USE | NS_VM_PLACED | NS_VM_OWNED);
	if (advice == MADV_WILLNEED)
		activate(call, m);
	if (advice == MADV_FREE)
		ns_vm_undirty(m);
	if (advice != MADV_FREE && advice != MADV_DONTNEED)
		return;
	__atomic_fetch_and(&m->flags, (uint16_t)~PG_REFERENCED,
			   __ATOMIC_RELAXED);
	if ((ns_load_relaxed(&m->flags) & PG_DIRTY) == 0)
		ns_vm_enqueue(call, m, PQ_INACTIVE, true);
	else if (!is_in_laundry(m))
		ns_vm_enqueue(call, m, PQ_LAUNDRY, false);
}

ns_export bool
vm_page_active(vm_page_t m)
{
	ns_vm_expect("vm_page_active", m, NS_VM_IN_USE);
	return ns_load_relaxed(&m->queue) == PQ_ACTIVE;
}

ns_export bool
vm_page_inactive(vm_page_t m)
{
	ns_vm_expect("vm_page_inactive", m, NS_VM_IN_USE);
	return ns_load_relaxed(&m->queue) == PQ_INACTIVE;
}

ns_export bool
vm_page_in_laundry(vm_page_t m)
{
	ns_vm_expect("vm_page_in_laundry", m, NS_VM_IN_USE);
	return is_in_laundry(m);
}
