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

#define NS_VM_MAG_PAGES 120u /* in a stack: two fill 32 lines with the rest */
#define NS_VM_MAG_MAX   512u /* 1 MiB, untouched but for CPUs in use */

struct ns_vm_magazine {
	uint32_t lock;           /* [a] 0, or 1: taken, and closed */
	uint16_t home;           /* [a] its slot + 1; 0: not known; or NONE */
	uint32_t max;            /* [a] pages in a stack; set before home */
	uint32_t *tight;         /* [a] the node's; NULL: not for sequences */
	struct ns_window window; /* [a] the node's; size 0: likewise */
	uint64_t word[2];        /* [a] os/rseq.h; [1]: zero pages */
	uint64_t taken;          /* [a] zero pages popped but not given */
	void *page[2][NS_VM_MAG_PAGES]; /* by sequences, or under the lock */
} __attribute__((aligned(NS_CACHELINE)));
_Static_assert(sizeof(struct ns_vm_magazine) == 32 * NS_CACHELINE, "no hole");

extern struct ns_vm_magazine ns_vm_magazines[NS_VM_MAG_MAX];

/* The CPU's that the thread is on just now, or NULL; *at but for the gates. */
ns_inline struct ns_vm_magazine *
ns_vm_mag_mine(struct ns_rseq_stack *at, bool zero)
{
	struct ns_vm_magazine *g;

	at->area = ns_rseq_area();
	if (ns_unlikely(at->area == NULL))
		return NULL;
	at->cpu = ns_load_relaxed(at->area);
	if (ns_unlikely(at->cpu >= NS_VM_MAG_MAX))
		return NULL;
	g = &ns_vm_magazines[at->cpu];
	at->gate[0] = &g->lock;
	at->gate[1] = ns_load_relaxed(&g->tight);
	at->word = &g->word[zero];
	at->entry = g->page[zero];
	return g;
}

#if NS_RSEQ
/* A page of the thread's home, allocated; or NULL. */
ns_inline struct vm_page *
ns_vm_mag_pop(bool zero)
{
	struct ns_rseq_stack at;
	struct vm_page *m;

	if (ns_unlikely(ns_vm_mag_mine(&at, zero) == NULL ||
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
	struct ns_vm_magazine *g = ns_vm_mag_mine(&at, zero);
	const struct ns_unit *u;
	uint8_t was;

	if (ns_unlikely(g == NULL || at.gate[1] == NULL) ||
	    ns_unlikely((u = ns_unit_in(&g->window, m)) == NULL) ||
	    ns_unlikely(!ns_vm_is_loose(u, m)))
		return false;
	was = m->zero;
	m->zero = zero;
	ns_store_relaxed(&m->state, NS_VM_SPARE);
	if (ns_likely(ns_rseq_push(&at, ns_load_relaxed(&g->max), m)))
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
