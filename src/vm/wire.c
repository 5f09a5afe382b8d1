/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/wire.c - wired pages: counted here, locked in memory by the kernel.
 *
 * 1. A page is wired while wire_count is not 0.  The first wiring asks for
 *    mlock(2), and the last one gone asks for munlock(2).  The kernel may
 *    refuse (RLIMIT_MEMLOCK): the page is wired all the same, only that its
 *    memory may be swapped out; PG_MLOCKED tells, and the next vm_page_wire
 *    asks again.
 * 2. The count and what the kernel was told change together under a lock
 *    chosen by the page's address from a few: two threads that wire and
 *    unwire one page must not have their system calls the wrong way round.
 *    A page that was just allocated has one user and needs no lock.
 * 3. fork: the kernel's locks are not inherited.  Each process has an epoch,
 *    and a page counts as locked only in the epoch in which it was.
 * 4. What it gives up: each locked page that has no locked neighbour costs
 *    the process two VMAs more.
 */
#include "vm/check.h"

#define NLOCKS 16 /* more than a few threads wire at once: never seen */

static struct {
	struct ns_lock lock;
} __attribute__((aligned(NS_CACHELINE))) wiring[NLOCKS] = {
	[0 ... NLOCKS - 1] = { NS_LOCK_INIT(NS_RANK_WIRE) },
};

static uint16_t epoch = 1; /* [a] 0: never locked */

static struct ns_lock *
lock_of(const struct vm_page *m)
{
	return &wiring[(uintptr_t)m / sizeof(*m) % NLOCKS].lock;
}

bool
ns_vm_mlocked(const struct vm_page *m)
{
	return ns_load_relaxed(&m->lock_epoch) == ns_load_relaxed(&epoch);
}

static void
kernel_lock(struct vm_page *m)
{
	if (ns_os_lock_memory(m->addr, ns_vm_bytes(m), true) == 0)
		ns_store_relaxed(&m->lock_epoch, ns_load_relaxed(&epoch));
}

/* A page stays locked if the kernel does not let go (it lacks a VMA). */
static void
kernel_unlock(struct vm_page *m)
{
	if (ns_os_lock_memory(m->addr, ns_vm_bytes(m), false) == 0)
		ns_store_relaxed(&m->lock_epoch, 0);
}

/* The first wiring of a page that nobody else knows. */
void
ns_vm_wire_new(struct vm_page *m, bool lock)
{
	ns_store_relaxed(&m->wire_count, 1);
	if (lock && !ns_vm_mlocked(m))
		kernel_lock(m);
}

void
ns_vm_wire(const char *call, struct vm_page *m)
{
	bool overflow;

	ns_vm_require(call, m, NS_VM_IN_USE);
	ns_vm_expect(call, m, NS_VM_KEPT);
	ns_lock(lock_of(m));
	overflow = m->wire_count == UINT32_MAX;
	if (!overflow) {
		ns_owner_add(&m->wire_count, 1);
		if (!ns_vm_mlocked(m))
			kernel_lock(m);
	}
	ns_unlock(lock_of(m));
	if (overflow)
		ns_vm_die(call, m, "it has too many wirings");
	ns_vm_dequeue(m);
}

ns_export void
vm_page_wire(vm_page_t m)
{
	ns_vm_wire("vm_page_wire", m);
}

bool
ns_vm_unwire(const char *call, struct vm_page *m, uint8_t queue)
{
	uint32_t before;

	ns_vm_require(call, m, NS_VM_IN_USE);
	if (queue > PQ_LAUNDRY && queue != PQ_NONE)
		ns_vm_die(call, m, "there is no such queue");
	if (queue != PQ_NONE && ns_load_relaxed(&m->object) == NULL)
		ns_vm_die(call, m,
			  "a page without object goes on PQ_NONE only");
	ns_lock(lock_of(m));
	before = m->wire_count;
	if (before > 0)
		ns_owner_add(&m->wire_count, -1u);
	if (before == 1 && ns_vm_mlocked(m))
		kernel_unlock(m);
	ns_unlock(lock_of(m));
	if (before == 0)
		ns_vm_die(call, m, "it is not wired");
	if (before == 1 && queue != PQ_NONE)
		ns_vm_enqueue(call, m, queue, false);
	return before == 1;
}

ns_export bool
vm_page_unwire(vm_page_t m, uint8_t queue)
{
	return ns_vm_unwire("vm_page_unwire", m, queue);
}

ns_export bool
vm_page_wired(vm_page_t m)
{
	ns_vm_expect("vm_page_wired", m, NS_VM_IN_USE);
	return ns_load_relaxed(&m->wire_count) != 0;
}

void
ns_vm_wire_lock_all(void)
{
	for (unsigned i = 0; i < NLOCKS; i++)
		ns_lock(&wiring[i].lock);
}

void
ns_vm_wire_unlock_all(void)
{
	for (unsigned i = NLOCKS; i-- > 0;)
		ns_unlock(&wiring[i].lock);
}

void
ns_vm_wire_fork_child(void)
{
	unsigned i;

	for (i = 0; i < NLOCKS; i++)
		ns_lock_init(&wiring[i].lock, NS_RANK_WIRE);
	ns_owner_add(&epoch, 1);
	if (epoch == 0)
		epoch = 1;
}
