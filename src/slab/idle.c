/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/idle.c - what threads that sleep hold, and nobody needs.
 *
 * 1. Pages of a slab behind its last carved object were never used in the
 *    slab's life, but are resident when the run was taken dirty.  A slab that
 *    a bin keeps although nothing of it is in use is resident altogether.
 *    So are the units in a heap's hold (page/hold.c).
 * 2. The maintenance thread gives all this back, once for each time that a heap
 *    has taken no slow path between two of its visits.  It holds the heap's
 *    lock, under which alone objects are carved, so an owner that wakes up
 *    then waits for at most one heap's calls.
 * 3. Slabs with few objects in use have whole free pages, which are given
 *    back too (park.c).  The owner's frees go into slabs without a lock, so the
 *    owner has to be kept away: it says `passing' before it looks at `halted',
 *    and the maintenance thread says `halted' before it looks at `passing',
 *    with a fence in between that membarrier(2) makes the owner take.  Who
 *    finds the owner inside leaves it alone; an owner that finds itself
 *    halted takes the heap's lock.  Other fast paths touch only objects that
 *    are in use, or were.  What others freed into its slabs meanwhile is taken
 *    back in the same way: a slab of which nothing is left in use goes.
 * 4. What it gives up: objects in magazines stay there, and their slabs.
 */
#include "slab/slab.h"

/* Done in one go, under the registry's lock. */
#define VISIT_MAX  64u  /* heaps */
#define PARKS      64u  /* slabs, under a heap's lock */
#define ROUNDS_MAX 100u /* others may keep changing what there is to do */

/* Gives [from, the slab's end) back, as far as it is whole pages. */
static void
drop_from(struct ns_slab *s, char *from)
{
	char *p = (char *)ns_round_up((uintptr_t)from, ns_page_size);
	char *end = ns_slab_base(s) + ns_slab_bytes(s);

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

struct visits {
	bool first;               /* later ones go on where it stopped */
	unsigned trimmed, parked; /* heaps, slabs */
	bool more, busy;          /* at once, in a while */
};

/*
 * Parks what may be in the bins' slabs, in which nobody else is.  False: there
 * is more.
 */
static bool
park_some(struct ns_heap *h, struct visits *v)
{
	struct ns_list *l;

	for (unsigned i = 1; i < h->nbins; i++) {
		if (h->bin[i].current != NULL)
			v->parked += ns_park(h->bin[i].current);
		ns_list_for_each (l, &h->bin[i].slabs) {
			if (v->parked >= PARKS)
				return false;
			v->parked +=
			    ns_park(ns_container_of(l, struct ns_slab, link));
		}
	}
	return true;
}

void
ns_heap_go_on(struct ns_heap *h)
{
	ns_store_release(&h->halted, 0u);
}

/* Keeps the owner out of its slabs; not if it is in one.  Heap locked. */
bool
ns_heap_halt(struct ns_heap *h)
{
	ns_store_relaxed(&h->halted, 1u);
	if (ns_os_fence_all() && ns_load_acquire(&h->passing) == 0)
		return true;
	ns_heap_go_on(h);
	return false;
}

/* Slow paths taken, and large blocks. */
static uint32_t
ticks_of(const struct ns_heap *h)
{
	return h->ticks + h->hold.moves;
}

/* True: nothing is left to do. */
static bool
trim_heap(struct ns_heap *h, struct visits *v)
{
	struct ns_list *l;
	bool done;

	for (unsigned i = 1; i < h->nbins; i++) {
		struct ns_bin *bin = &h->bin[i];

		if (bin->current != NULL)
			trim_slab(bin->current);
		ns_list_for_each (l, &bin->slabs)
			trim_slab(ns_container_of(l, struct ns_slab, link));
	}
	ns_hold_release(&h->hold);
	if (!ns_heap_halt(h))
		return true;
	ns_heap_collect(h);
	done = park_some(h, v);
	ns_heap_go_on(h);
	return done;
}

static void
visit(struct ns_heap *h, struct visits *v)
{
	/* Who holds it is not idle. */
	if (!ns_trylock(&h->lock)) {
		v->busy = true;
		return;
	}
	if (h->seen != ticks_of(h)) {
		if (v->first) {
			h->seen = ticks_of(h);
			h->rest = NS_ACTIVE;
		}
		v->busy = true;
	} else if (h->rest == NS_RESTING ||
		   (v->first && h->rest == NS_ACTIVE)) {
		v->trimmed++;
		h->rest = trim_heap(h, v) ? NS_TRIMMED : NS_RESTING;
		v->more |= h->rest == NS_RESTING;
	} else if (h->rest == NS_ACTIVE) {
		v->busy = true; /* its turn is the next call's */
	}
	ns_unlock(&h->lock);
}

static void
visit_all(struct visits *v)
{
	struct ns_list *l;

	ns_lock(&ns_registry_lock);
	ns_list_for_each (l, &ns_threads) {
		struct ns_thread *t =
		    ns_container_of(l, struct ns_thread, link);

		for (unsigned s = 0; s < t->nslots; s++)
			if (t->slot[s].heap != NULL)
				visit(t->slot[s].heap, v);
		if (v->trimmed >= VISIT_MAX || v->more)
			break;
	}
	ns_unlock(&ns_registry_lock);
}

bool
ns_idle_trim(void)
{
	struct visits v = { .first = true };

	do {
		v.more = false;
		v.trimmed = v.parked = 0;
		visit_all(&v);
		v.first = false;
	} while (v.more);
	return ns_depots_park() || v.busy || v.trimmed >= VISIT_MAX;
}

/* The calling thread's heaps, and the depots: whatever can be parked. */
void
ns_park_mine(void)
{
	struct ns_thread *t = ns_home->thread;
	struct visits v;
	struct ns_heap *h;
	unsigned s, i;

	for (s = 0; t != NULL && s < t->nslots; s++) {
		h = t->slot[s].heap;
		if (h == NULL)
			continue;
		ns_lock(&h->lock);
		do
			v.parked = 0;
		while (!park_some(h, &v));
		ns_unlock(&h->lock);
	}
	for (i = 0; i < ROUNDS_MAX && ns_depots_park(); i++)
		;
}
