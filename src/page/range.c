/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/range.c - ranges of whole free extents, and where more come from.
 *
 * Ranges coalesce with their neighbours at once: an extent is free exactly
 * when used == 0, so a neighbour's state is one load, and a range's length is
 * at both of its ends.  The span is committed from its start, by an eighth of
 * what is committed: a node has two VMAs for its span, whatever its size.
 * Everything here is under the pool's lock, commits included.
 */
#include "page/pool.h"

/* Growth at a time: an eighth of what is there, between 2 and 64 MiB. */
#define GROW_SHIFT 3u
#define GROW_MAX   32u

static void
range_insert(struct ns_pool *p, size_t first, size_t len)
{
	unsigned bin = ns_log2_floor(len);

	ns_extent_at(p, first)->range = (uint32_t)len;
	ns_extent_at(p, first + len - 1)->range = (uint32_t)len;
	ns_list_push(&p->free[bin], &ns_extent_at(p, first)->link);
	p->range_map |= 1u << bin;
}

static void
range_remove(struct ns_pool *p, size_t first)
{
	struct ns_extent *e = ns_extent_at(p, first);
	unsigned bin = ns_log2_floor(e->range);

	ns_list_remove(&e->link);
	if (ns_list_empty(&p->free[bin]))
		p->range_map &= ~(1u << bin);
}

/* Joins extents [first, first + len), all free, with free neighbours. */
void
ns_range_release(struct ns_pool *p, size_t first, size_t len)
{
	struct ns_extent *e;

	if (first > 0 && (e = ns_extent_at(p, first - 1))->used == 0) {
		first -= e->range;
		len += e->range;
		range_remove(p, first);
	}
	if (first + len < p->committed &&
	    (e = ns_extent_at(p, first + len))->used == 0) {
		size_t more = e->range;

		range_remove(p, first + len);
		len += more;
	}
	range_insert(p, first, len);
}

/* Takes [at, at + len) out of the free range that begins at @first. */
void
ns_range_carve(struct ns_pool *p, size_t first, size_t at, size_t len)
{
	size_t end = first + ns_extent_at(p, first)->range;

	range_remove(p, first);
	if (at > first)
		range_insert(p, first, at - first);
	if (end > at + len)
		range_insert(p, at + len, end - at - len);
}

/* The number of the pool's first extent, counted from address 0. */
static size_t
base_extent(const struct ns_pool *p)
{
	return ((uintptr_t)ns_base >> NS_EXTENT_SHIFT) + p->first;
}

static bool
range_fits(const struct ns_pool *p, size_t first, size_t len, size_t align,
	   size_t *at)
{
	size_t base = base_extent(p);

	*at = ns_round_up(base + first, align) - base;
	return *at + len <= first + ns_extent_at(p, first)->range;
}

/*
 * The first range that fits, shortest bin first.  Above the bin of the
 * length asked for any range is long enough, but for the alignment.
 */
static bool
range_find(const struct ns_pool *p, size_t len, size_t align, size_t *first,
	   size_t *at)
{
	unsigned bin = ns_log2_floor(len);
	uint32_t map = p->range_map & (NS_EXTENT_FULL << bin);
	const struct ns_list *l;

	for (; map != 0; map &= map - 1) {
		const struct ns_list *head = &p->free[ns_ctz(map)];

		ns_list_for_each (l, head) {
			*first = ns_extent_index(
			    p, ns_container_of(l, struct ns_extent, link));
			if (range_fits(p, *first, len, align, at))
				return true;
		}
	}
	return false;
}

/* Makes @n extents after the committed ones usable; all or nothing. */
static bool
commit_exactly(struct ns_pool *p, size_t n)
{
	size_t first = p->first + p->committed;
	struct ns_unit *u = ns_extent_units(&ns_extents[first]);
	uintptr_t a, b;

	a = ns_round_down((uintptr_t)u, ns_page_size);
	b = ns_round_up((uintptr_t)(u + n * NS_EXTENT_UNITS), ns_page_size);
	if (ns_os_commit((void *)a, b - a) != 0)
		return false;
	a = ns_round_down((uintptr_t)&ns_extents[first], ns_page_size);
	b = ns_round_up((uintptr_t)&ns_extents[first + n], ns_page_size);
	if (ns_os_commit((void *)a, b - a) != 0 ||
	    ns_os_commit(ns_base + (first << NS_EXTENT_SHIFT),
			 n << NS_EXTENT_SHIFT) != 0)
		return false;
	ns_store_relaxed(&p->committed, p->committed + n);
	ns_range_release(p, p->committed - n, n);
	return true;
}

/* At least @least extents more, and ahead of need where that is granted. */
bool
ns_pool_commit(struct ns_pool *p, size_t least)
{
	size_t n = ns_max(least, ns_min(p->committed >> GROW_SHIFT, GROW_MAX));

	n = ns_min(n, p->span - p->committed);
	return n >= least && (commit_exactly(p, n) ||
			      (n > least && commit_exactly(p, least)));
}

/* Commits enough for a run of @len; the free range at the end counts. */
static bool
grow(struct ns_pool *p, size_t len, size_t align)
{
	size_t end = base_extent(p) + p->committed, tail = 0;

	if (p->committed > 0 && ns_extent_at(p, p->committed - 1)->used == 0)
		tail = ns_extent_at(p, p->committed - 1)->range;
	return ns_pool_commit(p, ns_round_up(end - tail, align) + len - end);
}

/* One of the longest ranges, if that fits: what begins there can grow. */
static bool
range_longest(const struct ns_pool *p, size_t len, size_t align, size_t *first,
	      size_t *at)
{
	const struct ns_list *head;

	if (p->range_map == 0)
		return false;
	head = &p->free[ns_log2_floor(p->range_map)];
	*first =
	    ns_extent_index(p, ns_list_first(head, struct ns_extent, link));
	return range_fits(p, *first, len, align, at);
}

/* Takes @len extents, as the NS_RUN_ @flags say.  False: there are none. */
bool
ns_range_take(struct ns_pool *p, size_t len, size_t align, unsigned flags,
	      size_t *at)
{
	bool room = (flags & NS_RUN_ROOM) != 0;
	size_t first;

	if (!(room && range_longest(p, len, align, &first, at)) &&
	    !range_find(p, len, align, &first, at) &&
	    ((flags & NS_RUN_NOGROW) != 0 || !grow(p, len, align) ||
	     !range_find(p, len, align, &first, at)))
		return false;
	ns_range_carve(p, first, *at, len);
	return true;
}

/* The first extent of the free range that extent @i is in. */
size_t
ns_range_start(const struct ns_pool *p, size_t i)
{
	while (i > 0 && ns_extent_at(p, i - 1)->used == 0)
		i--;
	return i;
}
