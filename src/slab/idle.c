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
 *    owner has to be kept away: it says `passing' before it looks whether the
 *    slab is its `self', and the maintenance thread makes the heap nobody's
 *    `self' before it looks at `passing', with a fence in between that
 *    membarrier(2) makes the owner take.  Who finds the owner inside leaves
 *    it alone; an owner that is not itself takes the heap's lock.  Other fast
 *    paths touch only objects that are in use, or were.  What others freed
 *    into its slabs meanwhile is taken back in the same way: a slab of which
 *    nothing is left in use goes.
 * 4. The registry's lock keeps the heap; threads that start and fork() want it
 *    too.  So it does WORK_MAX things at most while it has that lock, and then
 *    lets others have it first.
 * 5. What it gives up: objects in magazines stay there, and their slabs.
 */
#include "slab/slab.h"

/* Done in one go, under the registry's lock. */
#define VISIT_MAX  64u  /* heaps */
#define WORK_MAX   32u  /* slabs whose pages are given back, some 20 us each */
#define ROUNDS_MAX 100u /* others may keep changing what there is to do */

/* Gives [from, the slab's end) back, as far as it is whole pages, if any. */
static bool
drop_from(struct ns_slab *s, char *from)
{
	char *p = (char *)ns_round_up((uintptr_t)from, ns_page_size);
	char *end = ns_slab_base(s) + ns_slab_bytes(s);

	if (p >= end || ns_os_purge(p, (size_t)(end - p)) != 0)
		return false;
	s->zero = 1;
	return true;
}

/* True: there was something to give back. */
static bool
trim_slab(struct ns_slab *s)
{
	if (s->carved == 0 && s->marked != 0) {
		/* Kept for later, and as if new from now on. */
		ns_store_relaxed(&s->marked, (uint16_t)0);
		return drop_from(s, s->first);
	}
	return !s->zero && s->marked < s->nobj &&
	       drop_from(s, s->first + (size_t)s->marked * s->size);
}

struct visits {
	bool first;             /* later ones go on where it stopped */
	unsigned trimmed, work; /* heaps, slabs */
	bool more, busy;        /* at once, in a while */
};

/* Does @fn to the slabs of all bins.  False: there is more of that. */
static bool
work_on(struct ns_heap *h, bool (*fn)(struct ns_slab *), struct visits *v)
{
	struct ns_list *l;

	for (unsigned i = 1; i < h->nbins; i++) {
		if (h->bin[i].current != NULL)
			v->work += fn(h->bin[i].current);
		ns_list_for_each (l, &h->bin[i].slabs) {
			if (v->work >= WORK_MAX)
				return false;
			v->work += fn(ns_container_of(l, struct ns_slab, link));
		}
	}
	return true;
}

void
ns_heap_go_on(struct ns_heap *h)
{
	ns_store_release(&h->self, h);
}

/* Keeps the owner out of its slabs; not if it is in one.  Heap locked. */
bool
ns_heap_halt(struct ns_heap *h)
{
	ns_store_relaxed(&h->self, &ns_heap_none);
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
	bool done;

	if (!work_on(h, trim_slab, v))
		return false;
	ns_hold_release(&h->hold);
	if (!ns_heap_halt(h))
		return true;
	/* Nobody else is in its slabs. */
	done = ns_heap_collect(h, &v->work, WORK_MAX) && work_on(h, ns_park, v);
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

/* Registry locked. */
static void
visit_all(struct visits *v)
{
	struct ns_list *l;
	struct ns_heap *h;

	ns_list_for_each (l, &ns_threads) {
		struct ns_thread *t =
		    ns_container_of(l, struct ns_thread, link);

		ns_heap_for_each (h, t)
			visit(h, v);
		if (v->trimmed >= VISIT_MAX || v->more)
			break;
	}
}

bool
ns_idle_trim(void)
{
	struct visits v = { .first = true };

	ns_lock(&ns_registry_lock);
	visit_all(&v);
	while (v.more) {
		ns_lock_yield(&ns_registry_lock);
		v.first = v.more = false;
		v.trimmed = v.work = 0;
		visit_all(&v);
	}
	ns_unlock(&ns_registry_lock);
	return ns_depots_park() || v.busy || v.trimmed >= VISIT_MAX;
}

/* The calling thread's heaps, and the depots: whatever can be parked. */
void
ns_park_mine(void)
{
	struct ns_thread *t = ns_home->thread;
	struct visits v;
	struct ns_heap *h;
	unsigned i;

	ns_heap_for_each (h, t) {
		ns_lock(&h->lock);
		do
			v.work = 0;
		while (!work_on(h, ns_park, &v));
		ns_unlock(&h->lock);
	}
	for (i = 0; i < ROUNDS_MAX && ns_depots_park(); i++)
		;
}
