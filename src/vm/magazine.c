/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/magazine.c - a few free pages for each CPU, in front of the node's lock.
 *
 * 1. A magazine has two stacks of free pages of its CPU's home node: dirty
 *    ones, and zero ones for VM_ALLOC_ZERO.  NORMAL and SYSTEM requests take
 *    the last one; frees add to it.  The CPU is one load (rseq); a thread
 *    that moves in between uses another CPU's magazine, which is only slower.
 * 2. Its lock is tried, never waited for, except by who drains: who finds it
 *    taken, as a signal handler may, goes to the node.
 * 3. The watermarks are exact all the same.  Pages go in and out only while
 *    the node is not *tight*: while it holds more than the low watermark
 *    without them.  Whoever takes it there says so under the node's lock; then
 *    magazines refuse, and a request that would fail drains them first.  A
 *    node that holds low + keep again is not tight any more.
 * 4. Pages in magazines belong to no thread: none is lost when one ends.  After
 *    fork() a magazine is whole in the child: a page is in it before the
 *    number says so, and leaves after.
 * 5. A page in a magazine keeps its chunk from the pool.  So a node most of
 *    which is free, by more than two chunks, is *slack*: its magazines are
 *    drained once and refuse, until the chunks have gone back.
 * 6. What it gives up: where a few pages in use keep many chunks, the node
 *    stays slack and every request takes its lock.  CPUs from MAX on have no
 *    magazine: address space may be limited, and an array for all that a kernel
 *    can number would be 16 MiB of it.
 */
#include "vm/vm.h"

#include <sched.h>

#define PAGES 126u          /* in a stack: two fill 32 lines with the rest */
#define BYTES (512ul << 10) /* at most; as many as pages of 4 KiB need */
#define HALF  (PAGES / 2)
#define NONE  0xffffu
#define MAX   512u /* magazines: 1 MiB, untouched but for CPUs in use */

struct magazine {
	uint32_t lock; /* [a] 0, or 1: taken */
	uint16_t home; /* [a] its slot + 1; 0: not known yet; NONE: no use */
	uint16_t n[2]; /* [a] written under the lock; [1]: zero pages */
	uint64_t zero_given;            /* [a] likewise */
	struct vm_page *page[2][PAGES]; /* under the lock */
} __attribute__((aligned(NS_CACHELINE)));
_Static_assert(sizeof(struct magazine) == 32 * NS_CACHELINE, "no hole");

static struct magazine magazines[MAX];
static uint32_t ncpus; /* [a] magazines from here on were never used */

/* How many pages a magazine may have. */
static unsigned
capacity(void)
{
	return (unsigned)ns_min(PAGES, BYTES >> ns_page_shift);
}

static bool
try_lock(struct magazine *g)
{
	uint32_t zero = 0;

	return ns_cas_acquire(&g->lock, &zero, 1u);
}

static void
unlock(struct magazine *g)
{
	ns_store_release(&g->lock, 0u); /* pairs with the next try_lock */
}

static ns_cold void
find_home(struct magazine *g, uint32_t cpu)
{
	uint32_t seen = ns_load_relaxed(&ncpus);

	while (seen <= cpu && !ns_cas_acq_rel(&ncpus, &seen, cpu + 1))
		;
	ns_store_relaxed(&g->home, ns_policy.mode == NS_POLICY_INTERLEAVE
				       ? NONE
				       : (uint16_t)(ns_policy_home(cpu) + 1));
}

/* Does it hold the node's pages?  Only system pages are in magazines. */
static bool
is_of(const struct magazine *g, const struct ns_vm_node *n)
{
	return ns_load_relaxed(&g->home) == n->slot + 1 && n->order == 0;
}

/* This CPU's, locked, if it may be used now; else NULL. */
static struct magazine *
mine(void)
{
	const uint32_t *word = ns_os_rseq_cpu();
	uint32_t cpu = word != NULL ? ns_load_relaxed(word) : MAX;
	struct magazine *g;

	if (ns_unlikely(cpu >= MAX))
		return NULL;
	g = &magazines[cpu];
	if (ns_unlikely(ns_load_relaxed(&g->home) == 0))
		find_home(g, cpu);
	if (ns_unlikely(ns_load_relaxed(&g->home) == NONE) || !try_lock(g))
		return NULL;
	if (ns_load_relaxed(&ns_vm_nodes[g->home - 1].tight) == NS_VM_EASY)
		return g;
	unlock(g);
	return NULL;
}

/* The last page of a stack that has one.  The magazine is locked. */
static struct vm_page *
pop(struct magazine *g, bool zero)
{
	struct vm_page *m = g->page[zero][g->n[zero] - 1];

	ns_store_release(&g->n[zero], g->n[zero] - 1);
	return m;
}

static void
push(struct magazine *g, bool zero, struct vm_page *m)
{
	g->page[zero][g->n[zero]] = m;
	ns_store_release(&g->n[zero], g->n[zero] + 1);
}

/* A page of the thread's home, allocated; or NULL. */
struct vm_page *
ns_vm_mag_pop(bool zero)
{
	struct magazine *g = mine();
	struct vm_page *m = NULL;

	if (g == NULL)
		return NULL;
	if (g->n[zero] > 0) {
		m = pop(g, zero);
		if (zero)
			ns_owner_add(&g->zero_given, 1);
		ns_store_relaxed(&m->flags, 0);
		ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	}
	unlock(g);
	return m;
}

/* Takes the last @count pages of a stack out. */
static unsigned
take(struct magazine *g, bool zero, struct vm_page **page, unsigned count)
{
	unsigned i;

	for (i = 0; i < count && g->n[zero] > 0; i++)
		page[i] = pop(g, zero);
	return i;
}

/* Frees @m into the magazine, if it may have it; a full one loses half. */
bool
ns_vm_mag_push(struct vm_page *m, bool zero)
{
	struct vm_page *over[HALF];
	struct magazine *g = mine();
	unsigned n = 0;

	if (g == NULL)
		return false;
	if (g->home - 1u != ns_slot_of(m)) {
		unlock(g);
		return false;
	}
	if (g->n[zero] >= capacity())
		n = take(g, zero, over, capacity() / 2);
	m->zero = zero;
	ns_store_relaxed(&m->state, NS_VM_SPARE);
	push(g, zero, m);
	unlock(g);
	if (n > 0) {
		ns_vm_put_all(ns_vm_node_of(m), over, n);
		ns_vm_mag_slacken(ns_vm_node_of(m));
	}
	return true;
}

/* Pages of the node for an empty stack of this CPU.  [v] */
void
ns_vm_mag_fill(struct ns_vm_node *n, bool zero)
{
	struct ns_list *list = zero ? &n->fresh : &n->dirty;
	struct magazine *g;

	if (ns_list_empty(list) || (g = mine()) == NULL)
		return;
	while (is_of(g, n) && g->n[zero] < capacity() / 2 &&
	       !ns_list_empty(list) && ns_vm_held(n) > n->low + n->keep)
		push(g, zero, ns_vm_take(n, zero));
	unlock(g);
}

/* All pages of the node's magazines go back to it.  Without its lock. */
void
ns_vm_mag_drain(struct ns_vm_node *n)
{
	struct vm_page *page[2 * PAGES];
	struct magazine *g;
	unsigned count;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++) {
		g = &magazines[cpu];
		if (!is_of(g, n))
			continue;
		while (!try_lock(g))
			sched_yield();
		count = take(g, false, page, PAGES);
		count += take(g, true, page + count, PAGES);
		unlock(g);
		if (count > 0)
			ns_vm_put_all(n, page, count);
	}
}

/* If the node just became slack: see 5.  Without its lock. */
void
ns_vm_mag_slacken(struct ns_vm_node *n)
{
	uint32_t is_new = NS_VM_SLACK_NEW;

	if (ns_unlikely(ns_load_relaxed(&n->tight) == NS_VM_SLACK_NEW) &&
	    ns_cas_acq_rel(&n->tight, &is_new, (uint32_t)NS_VM_SLACK))
		ns_vm_mag_drain(n);
}

/* A page of any of the node's magazines that is not in use, for INTERRUPT. */
struct vm_page *
ns_vm_mag_rob(const struct ns_vm_node *n)
{
	struct vm_page *m = NULL;
	struct magazine *g;

	for (uint32_t cpu = 0; m == NULL && cpu < ns_load_relaxed(&ncpus);
	     cpu++) {
		g = &magazines[cpu];
		if (!is_of(g, n) || !try_lock(g))
			continue;
		if (take(g, false, &m, 1) == 0)
			take(g, true, &m, 1);
		unlock(g);
	}
	return m;
}

uint64_t
ns_vm_mag_pages(const struct ns_vm_node *n)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++)
		if (is_of(&magazines[cpu], n))
			sum += ns_load_relaxed(&magazines[cpu].n[0]) +
			       ns_load_relaxed(&magazines[cpu].n[1]);
	return sum;
}

/* ZERO requests to the node's magazines: each got a zero page. */
uint64_t
ns_vm_mag_zero_given(const struct ns_vm_node *n)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++)
		if (is_of(&magazines[cpu], n))
			sum += ns_load_relaxed(&magazines[cpu].zero_given);
	return sum;
}

void
ns_vm_mag_fork_child(void)
{
	for (uint32_t cpu = 0; cpu < ncpus; cpu++)
		magazines[cpu].lock = 0;
}
