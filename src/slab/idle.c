/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/idle.c - what threads that sleep hold, and nobody needs.
 *
 * 1. Pages of a slab behind its last carved object were never used in the
 *    slab's life, but are resident when the run was taken dirty.  A slab that
 *    a bin keeps although nothing of it is in use is resident altogether.
 * 2. The maintenance thread gives both back, once for each time that a heap
 *    has taken no slow path between two of its visits.  It holds the heap's
 *    lock, under which alone objects are carved, so an owner that wakes up
 *    then waits for at most one heap's calls.
 * 3. The owner's fast paths, which hold no lock, do not meet this: they touch
 *    objects that are in use, or were.
 * 4. What it gives up: objects in magazines stay there, and their slabs.
 */
#include "slab/slab.h"

#define VISIT_MAX \
	64u /* heaps trimmed in one visit, under the registry's lock */

/* Gives [from, the slab's end) back, as far as it is whole pages. */
static void
drop_from(struct ns_slab *s, char *from)
{
	char *p = (char *)ns_round_up((uintptr_t)from, ns_page_size);
	char *end = ns_unit_addr((struct ns_unit *)(void *)s) +
		    ((size_t)s->nunits << NS_UNIT_SHIFT);

	if (p < end && ns_os_purge(p, (size_t)(end - p)) == 0)
		s->zero = 1;
}

static void
trim_slab(struct ns_slab *s)
{
	if (s->carved == 0) {
		/* Kept for later, and as if new from now on. */
		ns_store_relaxed(&s->marked, (uint16_t)0);
		drop_from(s, s->first);
	} else if (!s->zero && s->marked < s->nobj) {
		drop_from(s, s->first + (size_t)s->marked * s->size);
	}
}

static void
trim_heap(struct ns_heap *h)
{
	struct ns_list *l;

	for (unsigned i = 1; i < h->nbins; i++) {
		struct ns_bin *bin = &h->bin[i];

		if (bin->current != NULL)
			trim_slab(bin->current);
		ns_list_for_each (l, &bin->slabs)
			trim_slab(ns_container_of(l, struct ns_slab, link));
	}
}

struct visits {
	unsigned trimmed;
	bool busy; /* some heap is to be looked at again */
};

static void
visit(struct ns_heap *h, struct visits *v)
{
	/* Who holds it is not idle. */
	if (!ns_trylock(&h->lock)) {
		v->busy = true;
		return;
	}
	if (h->seen != h->ticks) {
		h->seen = h->ticks;
		h->trimmed = false;
		v->busy = true;
	} else if (!h->trimmed) {
		h->trimmed = true;
		trim_heap(h);
		v->trimmed++;
	}
	ns_unlock(&h->lock);
}

bool
ns_idle_trim(void)
{
	struct visits v = { 0 };
	struct ns_list *l;

	ns_lock(&ns_registry_lock);
	ns_list_for_each (l, &ns_threads) {
		struct ns_thread *t =
		    ns_container_of(l, struct ns_thread, link);

		for (unsigned s = 0; s < t->nslots; s++)
			if (t->slot[s].heap != NULL)
				visit(t->slot[s].heap, &v);
		if (v.trimmed >= VISIT_MAX)
			break;
	}
	ns_unlock(&ns_registry_lock);
	return ns_depots_park() || v.busy || v.trimmed >= VISIT_MAX;
}
