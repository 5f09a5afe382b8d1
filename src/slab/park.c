/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/park.c - pages of slabs that few objects are left in.
 *
 * 1. What outlives its neighbours keeps their slab.  The maintenance thread
 *    looks at the slabs of depots that are as they were at its last visit,
 *    and at those of heaps that rest (idle.c).  Whole pages without an object
 *    in use are given back: their free objects are *parked*.  They are in no
 *    list, for their links and marks are gone; the slab's bits of such pages
 *    say that they are free.
 * 2. Whoever allocates from the slab next puts them back, which touches their
 *    pages; so do a few frees of its objects, for then it is not idle.
 * 3. A parked object has no mark, so the fast path could not tell that it is
 *    freed twice.  While a slab has such pages its bounds let nothing pass, and
 *    every free of its objects looks at the bits.  Who puts them back writes
 *    marks, then bits, then bounds, each store a release after the marks; who
 *    frees reads bounds or bits first, by an acquiring load, then the mark.  So
 *    bits or bounds that say nothing is parked come with the marks.  The other
 *    way, bits are set before marks go, and are looked at once more after the
 *    mark (ns_check_object); a fast path that read the bounds just before they
 *    let nothing pass may miss a second free at that moment.  A first free
 *    needs none of this: no page with an object in use is parked.
 * 4. In a depot, the slab is OWNED by the maintenance thread meanwhile, for as
 *    long as it holds the depot's lock: a few slabs at a time.
 * 5. Slabs of up to 32 pages, of malloc's classes.  In longer ones objects are
 *    few; a kmem_cache's user may rely on what a freed object holds.
 */
#include "slab/slab.h"

#include <string.h>

#define PAGES_MAX 32u
#define LOOKS     64u /* at slabs, and */
#define PARKS     4u  /* times given back, while holding a depot's lock */
#define VISIT_MAX 256u
#define KNOCKS    4u      /* frees that wake a parked slab up */
#define DONE      0x8000u /* in seen: nothing more to do at this count */

bool
ns_may_park(const struct ns_slab *s)
{
	return s->cache->use == NS_USE_MALLOC &&
	       ns_slab_bytes(s) <= PAGES_MAX * ns_page_size;
}

/* Adds what of [from, to) lies in each page; offsets in the slab. */
static void
add(size_t *fill, size_t from, size_t to)
{
	size_t page = ns_page_size, end;

	for (; from < to; from = end) {
		end = ns_min(to, ns_round_up(from + 1, page));
		fill[from / page] += end - from;
	}
}

/* The pages in which nothing is in use. */
static uint32_t
free_pages(const struct ns_slab *s)
{
	const char *base = ns_slab_base(s);
	size_t fill[PAGES_MAX] = { 0 }, at = (size_t)(s->first - base);
	uint32_t pages = 0;

	add(fill, 0, at);
	add(fill, at + (size_t)s->carved * s->size, ns_slab_bytes(s));
	for (void *p = s->free; p != NULL; p = ns_free_next(s->cache, p)) {
		at = (size_t)((char *)p - base);
		if (at > ns_slab_bytes(s) - s->size)
			ns_bad_link(s->cache, p);
		add(fill, at, at + s->size);
	}
	for (unsigned i = 0; i < ns_slab_bytes(s) / ns_page_size; i++)
		if (fill[i] == ns_page_size)
			pages |= 1u << i;
	return pages;
}

static void
purge(const struct ns_slab *s, uint32_t pages)
{
	char *base = ns_slab_base(s);
	unsigned n, i;

	for (i = 0; i < PAGES_MAX; i += n) {
		for (n = 0; i + n < PAGES_MAX && (pages >> (i + n) & 1) != 0;
		     n++)
			;
		/* One that cannot be given back keeps what it has. */
		if (n != 0)
			ns_os_purge(base + i * ns_page_size, n * ns_page_size);
		n += n == 0;
	}
}

/* Of a slab that is the caller's. */
static bool
park(struct ns_slab *s)
{
	uint32_t pages = free_pages(s);
	void *p, *next;

	p = s->free;
	s->free = NULL;
	if (pages != 0) {
		ns_store_relaxed(&s->seen, (uint16_t)0);
		ns_store_relaxed(&s->parked, pages);
		ns_slab_hide(s);
	}
	for (; p != NULL; p = next) {
		next = ns_free_next(s->cache, p);
		if (ns_is_parked(s, p))
			continue;
		ns_free_link(s->cache, p, s->free);
		s->free = p;
	}
	purge(s, pages);
	return pages != 0;
}

/* Of a slab in which nobody else is.  True: pages were given back. */
bool
ns_park(struct ns_slab *s)
{
	if (!ns_may_park(s) || s->parked != 0 || s->used > s->carved / 2 ||
	    ns_load_relaxed(&s->seen) == (s->used | DONE))
		return false;
	ns_store_relaxed(&s->seen, (uint16_t)(s->used | DONE));
	return park(s);
}

/* The new owner puts back what was parked. */
void
ns_unpark(struct ns_slab *s)
{
	char *obj = s->first;

	if (s->parked == 0)
		return;
	for (uint32_t i = 0; i < s->carved; i++, obj += s->size) {
		if (!ns_is_parked(s, obj))
			continue;
		ns_free_of(s->cache, obj)->mark = s->mark;
		ns_free_link(s->cache, obj, s->free);
		s->free = obj;
	}
	ns_store_release(&s->parked, 0u);
	ns_slab_set_carved(s, s->carved);
}

/* An object of @s is freed: is that often enough to wake it up? */
bool
ns_park_knock(struct ns_slab *s)
{
	return ns_load_relaxed(&s->parked) != 0 &&
	       ns_add_relaxed(&s->seen, (uint16_t)1) >= KNOCKS;
}

/* Depot locked.  True: pages were given back, or all of @s is: it is @gone. */
static bool
look_at(struct ns_depot *d, struct ns_slab *s, bool *busy,
	struct ns_slab **gone)
{
	uint32_t count, seen;
	bool unowned, parked;

	if (s->parked != 0)
		return false;
	count = ns_slab_pending(s, &unowned);
	seen = ns_load_relaxed(&s->seen);
	if (seen == (count | DONE))
		return false;
	if (seen != count) {
		ns_store_relaxed(&s->seen, (uint16_t)count);
		*busy = true;
		return false;
	}
	ns_store_relaxed(&s->seen, (uint16_t)(count | DONE));
	if (count < s->carved / 2)
		return false;
	ns_depot_take(d, s);
	parked = park(s);
	if (ns_depot_put(d, s))
		*gone = s;
	return parked || *gone != NULL;
}

/* Looks at every slab once, the lock free in between.  How many it parked. */
static unsigned
visit(struct ns_depot *d, bool *busy)
{
	uint32_t left = ns_load_relaxed(&d->nslabs);
	unsigned parked = 0, n, held;

	if (left == 0)
		return 0;
	ns_lock(&d->lock);
	while (left > 0) {
		struct ns_slab *gone = NULL;

		for (n = held = 0;
		     n < LOOKS && held < PARKS && left > 0 && gone == NULL;
		     n++) {
			struct ns_slab *s;

			left--;
			if (ns_list_empty(&d->slabs))
				continue;
			s = ns_list_first(&d->slabs, struct ns_slab, link);
			if (!ns_may_park(s)) {
				left = 0;
				break;
			}
			ns_list_remove(&s->link);
			ns_list_append(&d->slabs, &s->link);
			held += look_at(d, s, busy, &gone);
		}
		parked += held;
		if (gone == NULL) {
			ns_lock_yield(&d->lock);
			continue;
		}
		ns_unlock(&d->lock);
		ns_depot_reap(gone);
		ns_lock(&d->lock);
	}
	ns_unlock(&d->lock);
	return parked;
}

bool
ns_depots_park(void)
{
	unsigned parked = 0;
	bool busy = false;

	for (unsigned c = 1; c < NS_NCLASS && parked < VISIT_MAX; c++)
		for (unsigned s = 0; s < ns_topo.nslots; s++)
			parked += visit(&ns_caches[c].depots[s], &busy);
	return busy || parked >= VISIT_MAX;
}
