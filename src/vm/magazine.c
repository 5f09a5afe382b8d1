/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/magazine.c - a few free pages for each CPU, in front of the node's lock.
 *
 * 1. A magazine has two stacks of free pages of its CPU's home node: dirty
 *    ones, and zero ones for VM_ALLOC_ZERO.  NORMAL and SYSTEM requests take
 *    the last one; frees add to it.
 * 2. A thread on that CPU does so in a restartable sequence (os/rseq.h): no
 *    atomic instruction, and a signal handler may do the same at any point.
 *    Who takes pages out of another CPU's magazine locks it, which closes it,
 *    and has a fence restart the sequence that is under way there.
 *    Where there are no such sequences, everybody locks.  A lock is tried,
 * never waited for, except by who drains; who finds it taken goes to the node.
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
#include "vm/magazine.h"

#include <sched.h>

#define BYTES (512ul << 10) /* in a stack, at most */
#define HALF  (NS_VM_MAG_PAGES / 2)
#define NONE  0xffffu

struct ns_vm_magazine ns_vm_magazines[NS_VM_MAG_MAX];

static uint32_t ncpus; /* [a] magazines from here on were never used */
static bool restarts;  /* [a] sequences are used, not locks */

static unsigned
count(const struct ns_vm_magazine *g, bool zero)
{
	return NS_RSEQ_COUNT(ns_load_relaxed(&g->word[zero]));
}

static unsigned
max_of(const struct ns_vm_magazine *g)
{
	return ns_load_relaxed(&g->max);
}

static bool
try_lock(struct ns_vm_magazine *g)
{
	uint32_t zero = 0;

	return ns_cas_acquire(&g->lock, &zero, 1u);
}

static void
unlock(struct ns_vm_magazine *g)
{
	ns_store_release(&g->lock, 0u); /* pairs with the next try_lock */
}

/* No sequence that saw the magazine open, or its node easy, is under way. */
static void
fence(const struct ns_vm_magazine *g)
{
	if (ns_load_relaxed(&restarts))
		ns_os_rseq_fence((unsigned)(g - ns_vm_magazines));
}

void
ns_vm_mag_init(void)
{
	ns_store_relaxed(&restarts, NS_RSEQ && ns_os_rseq_fences() == 0);
}

/* Whoever is there first; others write the same. */
static ns_cold void
find_home(struct ns_vm_magazine *g, uint32_t cpu)
{
	uint32_t seen = ns_load_relaxed(&ncpus);
	struct ns_window window;
	unsigned home;

	while (seen <= cpu && !ns_cas_acq_rel(&ncpus, &seen, cpu + 1))
		;
	if (ns_policy.mode == NS_POLICY_INTERLEAVE) {
		ns_store_relaxed(&g->home, NONE);
		return;
	}
	home = ns_policy_home(cpu);
	window = ns_window_of(home);
	ns_store_relaxed(
	    &g->max, (uint32_t)ns_min(NS_VM_MAG_PAGES, BYTES >> ns_page_shift));
	/* Pairs with the acquire in mine: max is known. */
	ns_store_release(&g->home, (uint16_t)(home + 1));
	if (!ns_load_relaxed(&restarts))
		return;
	ns_store_relaxed(&g->window.base, window.base);
	ns_store_relaxed(&g->window.units, window.units);
	ns_store_relaxed(&g->window.size, window.size);
	/* Sequences begin; a thread that reads it reads the rest as well. */
	ns_store_release(&g->tight, &ns_vm_node(home, 0)->tight);
}

/* This CPU's, or NULL: there is none to use. */
static struct ns_vm_magazine *
mine(struct ns_rseq_stack *at, bool zero)
{
	struct ns_vm_magazine *g = ns_vm_mag_mine(at, zero);
	unsigned home;

	if (g == NULL)
		return NULL;
	home = ns_load_acquire(&g->home);
	if (ns_unlikely(home == 0)) {
		find_home(g, at->cpu);
		home = ns_load_relaxed(&g->home);
	}
	if (home == NONE)
		return NULL;
	at->gate[1] = &ns_vm_node(home - 1, 0)->tight;
	return g;
}

/* Does it hold the node's pages?  Only system pages are in magazines. */
static bool
is_of(const struct ns_vm_magazine *g, const struct ns_vm_node *n)
{
	return ns_load_relaxed(&g->home) == n->slot + 1 && n->order == 0;
}

/* The last page of a stack, or NULL.  The magazine is locked. */
static struct vm_page *
pop_locked(struct ns_vm_magazine *g, bool zero)
{
	uint64_t word = ns_load_relaxed(&g->word[zero]);
	struct vm_page *m;

	if (NS_RSEQ_COUNT(word) == 0)
		return NULL;
	m = g->page[zero][NS_RSEQ_COUNT(word) - 1];
	ns_store_release(&g->word[zero], word + NS_RSEQ_POP);
	return m;
}

static bool
push_locked(struct ns_vm_magazine *g, bool zero, struct vm_page *m)
{
	uint64_t word = ns_load_relaxed(&g->word[zero]);

	if (NS_RSEQ_COUNT(word) >= max_of(g))
		return false;
	g->page[zero][NS_RSEQ_COUNT(word)] = m;
	ns_store_release(&g->word[zero], word + 1);
	return true;
}

/* Locks it if both gates are open, as a sequence finds them. */
static bool
enter(struct ns_vm_magazine *g, const struct ns_rseq_stack *at)
{
	if (!try_lock(g))
		return false;
	if (ns_load_relaxed(at->gate[1]) == NS_VM_EASY)
		return true;
	unlock(g);
	return false;
}

/* A page of the stack, or NULL: none, or the magazine is closed. */
static struct vm_page *
pop(struct ns_vm_magazine *g, const struct ns_rseq_stack *at, bool zero)
{
	struct vm_page *m = NULL;

#if NS_RSEQ
	if (ns_load_relaxed(&restarts))
		return ns_rseq_pop(at);
#endif
	if (enter(g, at)) {
		m = pop_locked(g, zero);
		unlock(g);
	}
	return m;
}

/* False: the stack is full, or the magazine closed. */
static bool
push(struct ns_vm_magazine *g, const struct ns_rseq_stack *at, bool zero,
     struct vm_page *m)
{
	bool done = false;

#if NS_RSEQ
	if (ns_load_relaxed(&restarts))
		return ns_rseq_push(at, max_of(g), m);
#endif
	if (enter(g, at)) {
		done = push_locked(g, zero, m);
		unlock(g);
	}
	return done;
}

/* As ns_vm_mag_pop, wherever there are magazines. */
struct vm_page *
ns_vm_mag_get(bool zero)
{
	struct ns_rseq_stack at;
	struct ns_vm_magazine *g = mine(&at, zero);
	struct vm_page *m = g != NULL ? pop(g, &at, zero) : NULL;

	if (m != NULL) {
		ns_store_relaxed(&m->flags, 0);
		ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	}
	return m;
}

/* The older half of a full stack's pages goes back to the node. */
static void
shed(struct ns_vm_magazine *g, const struct ns_rseq_stack *at, bool zero)
{
	struct vm_page *page[HALF];
	struct ns_vm_node *n;
	unsigned i;

	for (i = 0; i < max_of(g) / 2 && (page[i] = pop(g, at, zero)) != NULL;
	     i++)
		;
	if (i == 0)
		return;
	if (zero)
		ns_add_relaxed(&g->taken, i);
	n = ns_vm_node_of(page[0]);
	ns_vm_put_all(n, page, i);
	ns_vm_mag_slacken(n);
}

/*
 * Frees @m, a system page in use, into the magazine, if it may have it; a full
 * one loses half.
 */
bool
ns_vm_mag_put(struct vm_page *m, bool zero)
{
	struct ns_rseq_stack at;
	struct ns_vm_magazine *g = mine(&at, zero);
	uint8_t was = m->zero;

	if (g == NULL || ns_load_relaxed(&g->home) != ns_slot_of(m) + 1)
		return false;
	if (count(g, zero) >= max_of(g))
		shed(g, &at, zero);
	m->zero = zero;
	ns_store_relaxed(&m->state, NS_VM_SPARE);
	if (push(g, &at, zero, m))
		return true;
	m->zero = was;
	ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	return false;
}

/* Pages of the node for an empty stack of this CPU.  [v] */
void
ns_vm_mag_fill(struct ns_vm_node *n, bool zero)
{
	struct ns_list *list = zero ? &n->fresh : &n->dirty;
	struct ns_vm_magazine *g;
	struct ns_rseq_stack at;
	struct vm_page *m;

	if (ns_list_empty(list) || (g = mine(&at, zero)) == NULL ||
	    !is_of(g, n))
		return;
	while (count(g, zero) < max_of(g) / 2 && !ns_list_empty(list) &&
	       ns_vm_held(n) > n->low + n->keep) {
		m = ns_vm_take(n, zero);
		if (push(g, &at, zero, m))
			continue;
		ns_vm_put(n, ns_vm_chunk_of("vm_page_alloc", m), m);
		break;
	}
}

/* Takes up to @max pages out of a magazine that is locked. */
static unsigned
take(struct ns_vm_magazine *g, struct vm_page **page, unsigned max)
{
	unsigned n = 0, zeroed;

	fence(g);
	while (n < max && (page[n] = pop_locked(g, false)) != NULL)
		n++;
	zeroed = n;
	while (n < max && (page[n] = pop_locked(g, true)) != NULL)
		n++;
	ns_add_relaxed(&g->taken, n - zeroed);
	return n;
}

/* All pages of the node's magazines go back to it.  Without its lock. */
void
ns_vm_mag_drain(struct ns_vm_node *n)
{
	struct vm_page *page[2 * NS_VM_MAG_PAGES];
	struct ns_vm_magazine *g;
	unsigned taken;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++) {
		g = &ns_vm_magazines[cpu];
		if (!is_of(g, n))
			continue;
		while (!try_lock(g))
			sched_yield();
		taken = take(g, page, 2 * NS_VM_MAG_PAGES);
		unlock(g);
		if (taken > 0)
			ns_vm_put_all(n, page, taken);
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
	struct ns_vm_magazine *g;

	for (uint32_t cpu = 0; m == NULL && cpu < ns_load_relaxed(&ncpus);
	     cpu++) {
		g = &ns_vm_magazines[cpu];
		if (!is_of(g, n) || count(g, false) + count(g, true) == 0 ||
		    !try_lock(g))
			continue;
		if (take(g, &m, 1) == 0)
			m = NULL;
		unlock(g);
	}
	return m;
}

uint64_t
ns_vm_mag_pages(const struct ns_vm_node *n)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++)
		if (is_of(&ns_vm_magazines[cpu], n))
			sum += count(&ns_vm_magazines[cpu], false) +
			       count(&ns_vm_magazines[cpu], true);
	return sum;
}

static uint64_t
zero_given(const struct ns_vm_magazine *g)
{
	return NS_RSEQ_POPS(ns_load_relaxed(&g->word[true])) -
	       ns_load_relaxed(&g->taken);
}

/* ZERO requests to the node's magazines: each got a zero page. */
uint64_t
ns_vm_mag_zero_given(const struct ns_vm_node *n)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++)
		if (is_of(&ns_vm_magazines[cpu], n))
			sum += zero_given(&ns_vm_magazines[cpu]);
	return sum;
}

void
ns_vm_mag_fork_child(void)
{
	ns_vm_mag_init();
	for (uint32_t cpu = 0; cpu < ncpus; cpu++)
		ns_vm_magazines[cpu].lock = 0;
}
