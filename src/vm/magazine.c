/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/magazine.c - free pages for each CPU, in front of the node's lock.
 *
 * 1. A CPU has a magazine for each size of page, and that has two stacks of
 *    free pages of the CPU's home node: dirty ones, and zero ones for
 *    VM_ALLOC_ZERO.  NORMAL and SYSTEM requests take the last one; frees add
 *    to it.
 * 2. A thread on that CPU does so in a restartable sequence (os/rseq.h): no
 *    atomic instruction, and a signal handler may do the same at any point.
 *    Who takes pages out of another CPU's magazine locks it, which closes it,
 *    and has a fence restart the sequence that is under way there.
 *    Where there are no such sequences, everybody locks.  A lock is tried,
 *    never waited for, except by who drains; who finds it taken goes to the
 *    node.
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
 * 6. How many pages a stack may hold is earned: START bytes at first, and twice
 *    as many when it is empty after it was full, for then the program comes
 *    back for what it freed.  Pages that stay with their CPU are neither asked
 *    of the node, whose lock others want too, nor were they in another's cache
 *    meanwhile.  What was earned is lost when the node is short of pages that
 *    the pool has not, and when the stack was not used between two visits of
 *    the maintenance thread, which then gives all its pages back.
 * 7. Where the node knows of no zero page, or somebody has its lock, ZERO
 *    requests get dirty ones from here, and are counted.  But the first after
 *    each visit of zero.c's goes to the node, which calls that.
 * 8. What it gives up: where a few pages in use keep many chunks, the node
 *    stays slack and every request takes its lock.  CPUs from MAG_CPUS on have
 *    no magazine: address space may be limited, and an array for all that a
 *    kernel can number would be 9 MiB of it.
 */
#include "vm/magazine.h"

#include <sched.h>

#define START (512ul << 10) /* bytes */
#define NONE  0xffffu
#define TAKE  64u /* pages from a magazine to its node at once */

#define STACK(bytes) (NS_VM_MAG_BYTES / (bytes)) /* pages, at most */

struct ns_vm_magazine ns_vm_magazines[NS_VM_ORDERS * NS_VM_MAG_CPUS];

static char *stacks;   /* [I] of all CPUs, reserved; NULL: refused */
static uint32_t ncpus; /* [a] magazines from here on were never used */
static bool restarts;  /* [a] sequences are used, not locks */

static unsigned
count(const struct ns_vm_magazine *g, bool zero)
{
	return NS_RSEQ_COUNT(ns_load_relaxed(&g->word[zero]));
}

static unsigned
max_of(const struct ns_vm_magazine *g, bool zero)
{
	return ns_load_relaxed(&g->max[zero]);
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
		ns_os_rseq_fence((unsigned)(g - ns_vm_magazines) %
				 NS_VM_MAG_CPUS);
}

/* Setting up. */

/* Of a CPU: those of each size take half of what those of the next one do. */
static size_t
stacks_size(void)
{
	return ns_round_up(4 * STACK(ns_page_size) * sizeof(void *),
			   ns_page_size);
}

void
ns_vm_mag_init(void)
{
	if (stacks == NULL)
		stacks =
		    ns_os_reserve(NS_VM_MAG_CPUS * stacks_size(), ns_page_size);
	ns_store_relaxed(&restarts, NS_RSEQ && ns_os_rseq_fences() == 0);
	ns_store_release(&ns_maint_idle[NS_MAINT_VM], ns_vm_mag_idle);
	ns_store_release(&ns_vm_give_all, ns_vm_drain);
}

static uint32_t
first_max(unsigned order)
{
	return (uint32_t)ns_max(START >> (ns_page_shift + order), 1);
}

/* Whoever is there first; others write the same. */
static ns_cold void
find_home(struct ns_vm_magazine *g, uint32_t cpu, unsigned order)
{
	size_t most = STACK(ns_page_size), own = STACK(ns_page_size << order);
	uint32_t seen = ns_load_relaxed(&ncpus);
	unsigned home = ns_policy_home(cpu);
	struct ns_window window = ns_window_of(home);
	char *mine = stacks + cpu * stacks_size();
	void **at = (void **)(void *)mine;

	if (ns_policy.mode == NS_POLICY_INTERLEAVE || stacks == NULL ||
	    ns_os_commit(mine, stacks_size()) != 0) {
		ns_store_relaxed(&g->home, NONE);
		return;
	}
	at += 4 * (most - own);
	for (unsigned zero = 0; zero < 2; zero++) {
		ns_store_relaxed(&g->page[zero], at + zero * own);
		ns_store_relaxed(&g->max[zero], first_max(order));
	}
	while (seen <= cpu && !ns_cas_acq_rel(&ncpus, &seen, cpu + 1))
		;
	/* Pairs with the acquire in mine: what is above is known. */
	ns_store_release(&g->home, (uint16_t)(home + 1));
	if (!ns_load_relaxed(&restarts))
		return;
	ns_store_relaxed(&g->window.base, window.base);
	ns_store_relaxed(&g->window.units, window.units);
	ns_store_relaxed(&g->window.size, window.size);
	/* Sequences begin; a thread that reads it reads the rest as well. */
	ns_store_release(&g->tight, &ns_vm_node(home, order)->tight);
}

/* This CPU's, or NULL: there is none to use. */
static struct ns_vm_magazine *
mine(struct ns_rseq_stack *at, unsigned order, bool zero)
{
	struct ns_vm_magazine *g = ns_vm_mag_mine(at, order, zero);
	unsigned home;

	if (g == NULL)
		return NULL;
	home = ns_load_acquire(&g->home);
	if (ns_unlikely(home == 0)) {
		find_home(g, at->cpu, order);
		home = ns_load_acquire(&g->home);
	}
	if (home == NONE)
		return NULL;
	at->gate[1] = &ns_vm_node(home - 1, order)->tight;
	at->entry = ns_load_relaxed(&g->page[zero]);
	return g;
}

/* Does it hold the node's pages? */
static bool
is_of(const struct ns_vm_magazine *g, const struct ns_vm_node *n)
{
	return ns_load_acquire(&g->home) == n->slot + 1;
}

/* One page. */

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

	if (NS_RSEQ_COUNT(word) >= max_of(g, zero))
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
		return ns_rseq_push(at, max_of(g, zero), m);
#endif
	if (enter(g, at)) {
		done = push_locked(g, zero, m);
		unlock(g);
	}
	return done;
}

/* For a ZERO request that finds no zero page: see 7. */
static struct vm_page *
pop_dirty(struct ns_vm_magazine *g, struct ns_rseq_stack *at)
{
	const struct ns_vm_node *n =
	    ns_container_of(at->gate[1], struct ns_vm_node, tight);
	struct vm_page *m;

	if (!ns_load_relaxed(&n->zero_missed) ||
	    (!ns_load_relaxed(&n->dry) && ns_load_relaxed(&n->lock.word) == 0))
		return NULL;
	at->word = &g->word[false];
	at->entry = ns_load_relaxed(&g->page[false]);
	m = pop(g, at, false);
	if (m != NULL)
		ns_add_relaxed(&g->missed, 1);
	return m;
}

/* As ns_vm_mag_pop, wherever there are magazines. */
struct vm_page *
ns_vm_mag_get(unsigned order, bool zero)
{
	struct ns_rseq_stack at;
	struct ns_vm_magazine *g = mine(&at, order, zero);
	struct vm_page *m = g != NULL ? pop(g, &at, zero) : NULL;

	if (m == NULL && zero && g != NULL)
		m = pop_dirty(g, &at);
	if (m != NULL) {
		ns_store_relaxed(&m->flags, 0);
		ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	}
	return m;
}

/* Half of a full stack's pages, the last ones, go back to the node. */
static void
shed(struct ns_vm_magazine *g, const struct ns_rseq_stack *at, bool zero)
{
	unsigned left = max_of(g, zero) / 2, i;
	struct vm_page *page[TAKE];
	struct ns_vm_node *n =
	    ns_container_of(at->gate[1], struct ns_vm_node, tight);

	ns_store_relaxed(&g->shed[zero], true);
	do {
		for (i = 0; i < ns_min(left, TAKE); i++)
			if ((page[i] = pop(g, at, zero)) == NULL)
				break;
		if (zero)
			ns_add_relaxed(&g->taken, i);
		ns_vm_put_all(n, page, i);
		left -= i;
	} while (left > 0 && i == TAKE);
	ns_vm_mag_slacken(n);
}

/*
 * Frees @m, a page in use, into the magazine, if it may have it; a full one
 * loses half.
 */
bool
ns_vm_mag_put(struct vm_page *m, bool zero)
{
	struct ns_rseq_stack at;
	struct ns_vm_magazine *g = mine(&at, m->order, zero);
	uint8_t was = m->zero;

	if (g == NULL || ns_load_relaxed(&g->home) != ns_slot_of(m) + 1)
		return false;
	if (count(g, zero) >= max_of(g, zero))
		shed(g, &at, zero);
	m->zero = zero;
	ns_store_relaxed(&m->state, NS_VM_SPARE);
	if (push(g, &at, zero, m))
		return true;
	m->zero = was;
	ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	return false;
}

/* Many pages. */

/* Twice as many pages are allowed, if that was earned: see 6.  [v] */
static bool
earn(struct ns_vm_node *n, struct ns_vm_magazine *g, bool zero)
{
	uint32_t max = max_of(g, zero);

	if (!ns_load_relaxed(&g->shed[zero]))
		return false;
	ns_store_relaxed(&g->shed[zero], false);
	if (n->stuck || 2 * max > STACK(n->page_size))
		return false;
	ns_store_relaxed(&g->max[zero], 2 * max);
	return n->earned = true;
}

/*
 * Pages of the node for an empty stack of this CPU, the other one if it has no
 * zero pages.  True: there is something new for the maintenance thread.  [v]
 */
bool
ns_vm_mag_fill(struct ns_vm_node *n, bool zero)
{
	struct ns_vm_magazine *g;
	struct ns_rseq_stack at;
	struct ns_list *list;
	struct vm_page *m;
	bool earned;

	zero = zero && !ns_list_empty(&n->fresh);
	list = zero ? &n->fresh : &n->dirty;
	g = ns_vm_mag_mine(&at, n->order, zero);
	if (g == NULL || !is_of(g, n))
		return false;
	at.entry = ns_load_relaxed(&g->page[zero]); /* known since it has one */
	at.gate[1] = &n->tight;
	earned = earn(n, g, zero);
	ns_vm_prefer(n, zero, at.cpu);
	while (count(g, zero) < ns_min(max_of(g, zero) / 2, n->keep) &&
	       !ns_list_empty(list) && ns_vm_held(n) > n->low + n->keep) {
		m = ns_vm_take(n, zero);
		if (push(g, &at, zero, m))
			continue;
		ns_vm_put(n, ns_vm_chunk_of("vm_page_alloc", m), m);
		break;
	}
	return earned;
}

/* Takes up to @max pages out of a magazine that is locked, after a fence. */
static unsigned
take(struct ns_vm_magazine *g, struct vm_page **page, unsigned max)
{
	unsigned n = 0, zeroed;

	while (n < max && (page[n] = pop_locked(g, false)) != NULL)
		n++;
	zeroed = n;
	while (n < max && (page[n] = pop_locked(g, true)) != NULL)
		n++;
	ns_add_relaxed(&g->taken, n - zeroed);
	return n;
}

/* Its pages go back to the node; @retire: and what it has earned is lost. */
static void
empty(struct ns_vm_node *n, struct ns_vm_magazine *g, bool retire)
{
	struct vm_page *page[TAKE];
	unsigned taken;

	while (!try_lock(g))
		sched_yield();
	fence(g);
	do {
		taken = take(g, page, TAKE);
		ns_vm_put_all(n, page, taken);
	} while (taken > 0);
	if (retire) {
		ns_store_relaxed(&g->max[false], first_max(n->order));
		ns_store_relaxed(&g->max[true], first_max(n->order));
	}
	unlock(g);
}

static void
empty_all(struct ns_vm_node *n, bool retire)
{
	struct ns_vm_magazine *g;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++) {
		g = ns_vm_mag(cpu, n->order);
		if (is_of(g, n))
			empty(n, g, retire);
	}
}

/* All pages of the node's magazines go back to it.  Without its lock. */
void
ns_vm_mag_drain(struct ns_vm_node *n)
{
	empty_all(n, false);
}

/* Likewise, and they begin anew. */
void
ns_vm_mag_retire(struct ns_vm_node *n)
{
	ns_lock(&n->lock);
	n->earned = false;
	ns_unlock(&n->lock);
	empty_all(n, true);
}

/* Nothing has moved in it since the last visit of the maintenance thread. */
static bool
is_idle(struct ns_vm_magazine *g)
{
	bool idle = true;
	uint64_t word;

	for (unsigned i = 0; i < 2; i++) {
		word = ns_load_relaxed(&g->word[i]);
		idle = idle && word == g->seen[i];
		g->seen[i] = word;
	}
	return idle;
}

/* For the maintenance thread, see 6.  True: some have earned more. */
static bool
look_after(struct ns_vm_node *n)
{
	bool more = false, earned;
	struct ns_vm_magazine *g;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++) {
		g = ns_vm_mag(cpu, n->order);
		if (!is_of(g, n))
			continue;
		earned = ns_max(max_of(g, false), max_of(g, true)) >
			 first_max(n->order);
		if (!is_idle(g))
			more |= earned;
		else if (earned || count(g, false) + count(g, true) > 0)
			empty(n, g, true);
	}
	return more;
}

bool
ns_vm_mag_idle(void)
{
	struct ns_vm_node *n;
	bool more = false;

	ns_vm_for_each (n)
		more |= look_after(n);
	return more;
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
		g = ns_vm_mag(cpu, n->order);
		if (!is_of(g, n) || count(g, false) + count(g, true) == 0 ||
		    !try_lock(g))
			continue;
		fence(g);
		if (take(g, &m, 1) == 0)
			m = NULL;
		unlock(g);
	}
	return m;
}

/* Of the node's magazines. */
struct sums {
	uint64_t pages, given, missed;
};

static struct sums
sum_up(const struct ns_vm_node *n)
{
	struct sums sum = { 0, 0, 0 };
	const struct ns_vm_magazine *g;

	for (uint32_t cpu = 0; cpu < ns_load_relaxed(&ncpus); cpu++) {
		g = ns_vm_mag(cpu, n->order);
		if (!is_of(g, n))
			continue;
		sum.pages += count(g, false) + count(g, true);
		sum.given += NS_RSEQ_POPS(ns_load_relaxed(&g->word[true])) -
			     ns_load_relaxed(&g->taken);
		sum.missed += ns_load_relaxed(&g->missed);
	}
	return sum;
}

uint64_t
ns_vm_mag_pages(const struct ns_vm_node *n)
{
	return sum_up(n).pages;
}

/* ZERO requests to the node's magazines that got a zero page, and others. */
uint64_t
ns_vm_mag_zero_given(const struct ns_vm_node *n)
{
	return sum_up(n).given;
}

uint64_t
ns_vm_mag_zero_missed(const struct ns_vm_node *n)
{
	return sum_up(n).missed;
}

void
ns_vm_mag_fork_child(void)
{
	ns_vm_mag_init();
	for (unsigned order = 0; order < NS_VM_ORDERS; order++)
		for (uint32_t cpu = 0; cpu < ncpus; cpu++)
			ns_vm_mag(cpu, order)->lock = 0;
}
