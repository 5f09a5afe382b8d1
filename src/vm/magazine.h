/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/magazine.h - the part of magazine.c that is fast: a page in and out.
 *
 * Nothing here locks, waits or calls.  Whatever is not as usual returns NULL or
 * false, and the caller goes the long way.
 */
#ifndef NS_VM_MAGAZINE_H
#define NS_VM_MAGAZINE_H

#include "os/rseq.h"
#include "vm/vm.h"

/* CPUs from here on have none: see magazine.c, 8. */
#define NS_VM_MAG_CPUS  512u
#define NS_VM_MAG_BYTES (4ul << 20) /* of pages in a stack, at most */

/*
 * A CPU's pages of one size.  [1] of what there are two of is for zero pages.
 * A stack's memory is long enough for any max.
 */
struct ns_vm_magazine {
	uint32_t lock;           /* [a] 0, or 1: taken, and closed */
	uint16_t home;           /* [a] its slot + 1; 0: not known; or NONE */
	bool shed[2];            /* [a] was full since it was filled last */
	uint32_t *tight;         /* [a] the node's; NULL: not for sequences */
	uint64_t word[2];        /* [a] os/rseq.h */
	void **page[2];          /* [a] by sequences, or under the lock */
	uint32_t max[2];         /* [a] pages; written [v], or under the lock */
	struct ns_window window; /* [a] the node's; size 0: not for sequences */
	uint64_t taken;          /* [a] zero pages popped but not given */
	uint64_t missed;         /* [a] dirty pages given for zero ones */
	uint64_t seen[2];        /* the maintenance thread's: the words */
} __attribute__((aligned(NS_CACHELINE)));
_Static_assert(sizeof(struct ns_vm_magazine) == 2 * NS_CACHELINE, "no hole");

extern struct ns_vm_magazine ns_vm_magazines[NS_VM_ORDERS * NS_VM_MAG_CPUS];

ns_inline struct ns_vm_magazine *
ns_vm_mag(uint32_t cpu, unsigned order)
{
	return &ns_vm_magazines[order * NS_VM_MAG_CPUS + cpu];
}

/* The CPU's that the thread is on just now, or NULL; *at but for the gates. */
ns_inline struct ns_vm_magazine *
ns_vm_mag_mine(struct ns_rseq_stack *at, unsigned order, bool zero)
{
	struct ns_vm_magazine *g;

	at->area = ns_rseq_area();
	if (ns_unlikely(at->area == NULL))
		return NULL;
	at->cpu = ns_load_relaxed(at->area);
	if (ns_unlikely(at->cpu >= NS_VM_MAG_CPUS))
		return NULL;
	g = ns_vm_mag(at->cpu, order);
	at->gate[0] = &g->lock;
	/* The rest of it was set before. */
	at->gate[1] = ns_load_acquire(&g->tight);
	at->word = &g->word[zero];
	at->entry = ns_load_relaxed(&g->page[zero]);
	return g;
}

#if NS_RSEQ
/* A page of the thread's home, allocated; or NULL. */
ns_inline struct vm_page *
ns_vm_mag_pop(bool zero)
{
	struct ns_rseq_stack at;
	struct vm_page *m;

	if (ns_unlikely(ns_vm_mag_mine(&at, 0, zero) == NULL ||
			at.gate[1] == NULL))
		return NULL;
	m = ns_rseq_pop(&at);
	if (ns_unlikely(m == NULL))
		return NULL;
	ns_store_relaxed(&m->flags, 0);
	ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	return m;
}

/* Is it a system page in use, without object, that may be freed? */
ns_inline bool
ns_vm_is_loose(const struct ns_unit *u, const struct vm_page *m)
{
	u = ns_unit_head((struct ns_unit *)u);
	return ns_load_relaxed(&u->kind) == NS_KIND_VM &&
	       ((const struct ns_vm_meta *)u->body)->role == NS_VM_META &&
	       (uintptr_t)m % sizeof(*m) == 0 && m->order == 0 &&
	       ns_load_relaxed(&m->object) == NULL && ns_vm_may_free(m);
}

/* Frees @m, if it is such a page, into the magazine, if that has room. */
ns_inline bool
ns_vm_mag_push(struct vm_page *m, bool zero)
{
	struct ns_rseq_stack at;
	struct ns_vm_magazine *g = ns_vm_mag_mine(&at, 0, zero);
	const struct ns_unit *u;
	uint8_t was;

	if (ns_unlikely(g == NULL || at.gate[1] == NULL) ||
	    ns_unlikely((u = ns_unit_in(&g->window, m)) == NULL) ||
	    ns_unlikely(!ns_vm_is_loose(u, m)))
		return false;
	was = m->zero;
	m->zero = zero;
	ns_store_relaxed(&m->state, NS_VM_SPARE);
	if (ns_likely(ns_rseq_push(&at, ns_load_relaxed(&g->max[zero]), m)))
		return true;
	m->zero = was;
	ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	return false;
}
#else
#define ns_vm_mag_pop(zero)     ((struct vm_page *)NULL)
#define ns_vm_mag_push(m, zero) false
#endif

#endif
