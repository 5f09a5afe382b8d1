/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/pool.c - one node's extents: taking runs and giving them back.
 *
 * 1. Filling.  A run of up to one extent goes into the fullest partial
 *    extent in which it fits, so that full extents stay full (and can be
 *    huge pages) and sparse ones drain.  Longer runs take whole extents; the
 *    unused end of their last one is a partial extent like any other.
 * 2. Free ranges of whole extents coalesce with their neighbours at once:
 *    an extent is free exactly when used == 0, so a neighbour's state is one
 *    load, and a range's length is at both of its ends.
 * 3. Growth is contiguous from the span's start, by an eighth of what is
 *    committed: a node has two VMAs for its span, whatever its size.
 * 4. What is known: a clear dirty bit of a free unit means its memory is
 *    zero and not resident.
 * 5. Locks: each pool has one, held for a few hundred instructions and never
 *    across a purge's system calls.  Only growing calls the kernel under it.
 * 6. What it gives up: a partial extent is examined only as one of the first
 *    few of its list, so a fit may be missed and an extent taken instead.
 */
#include "page/pool.h"

#include "base/options.h"

#include <errno.h>
#include <string.h>

#define TRIES         8  /* extents examined in one partial list */
#define RESERVE_UNITS 8u /* the longest slab */
/* Growth at a time: an eighth of what is there, between 2 and 64 MiB. */
#define GROW_SHIFT 3u
#define GROW_MAX   32u

struct ns_pool ns_pools[NS_MAX_SLOTS];
struct ns_fork_hooks ns_fork_vm;
uint64_t ns_clock_ms;

static struct ns_extent *
extent_at(const struct ns_pool *p, size_t i)
{
	return &ns_extents[p->first + i];
}

static size_t
extent_index(const struct ns_pool *p, const struct ns_extent *e)
{
	return (size_t)(e - ns_extents) - p->first;
}

static struct ns_unit *
extent_units(const struct ns_extent *e)
{
	return ns_units + (size_t)(e - ns_extents) * NS_EXTENT_UNITS;
}

/* Bits set.  Without -mpopcnt the builtin is a call. */
static unsigned
count(uint32_t x)
{
	x -= (x >> 1) & 0x55555555u;
	x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
	return (((x + (x >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24;
}

/* @n bits from bit @at on; n is 1 to 32. */
static uint32_t
bits_from(unsigned at, unsigned n)
{
	return (NS_EXTENT_FULL >> (NS_EXTENT_UNITS - n)) << at;
}

/* The node's memory, as far as the kernel tells; SIZE_MAX when it does not. */
static size_t
node_memory(unsigned node)
{
	char path[64], text[256];
	const char *p;
	size_t kib = 0;

	ns_format(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo",
		  node);
	if (ns_os_read_file(path, text, sizeof(text)) <= 0)
		return SIZE_MAX;
	p = strstr(text, "MemTotal:");
	if (p == NULL)
		return SIZE_MAX;
	for (p += 9; *p == ' '; p++)
		;
	for (; *p >= '0' && *p <= '9'; p++)
		kib = kib * 10 + (size_t)(*p - '0');
	return kib << 10;
}

void
ns_pool_init(unsigned slot, size_t span)
{
	struct ns_pool *p = &ns_pools[slot];
	size_t limit = ns_options.node_limit;
	unsigned i;

	ns_lock_init(&p->lock, NS_RANK_POOL);
	ns_lock_init(&p->purge_lock, NS_RANK_PURGE);
	p->slot = slot;
	p->first = slot * (span >> NS_EXTENT_SHIFT);
	p->span = span >> NS_EXTENT_SHIFT;
	p->hard = limit != 0;
	if (limit == 0 && ns_topo.nslots > 1 && !ns_topo.fake)
		limit = node_memory(ns_topo.node_of_slot[slot]);
	p->limit = ns_min(limit != 0 ? limit : span, span) >> NS_UNIT_SHIFT;
	if (p->hard)
		p->reserve = ns_min(p->limit / 16, RESERVE_UNITS);
	for (i = 0; i < NS_EXTENT_UNITS; i++)
		ns_list_init(&p->partial[i]);
	for (i = 0; i < NS_RANGE_BINS; i++)
		ns_list_init(&p->free[i]);
	ns_list_init(&p->dirty);
}

/* Partial extents. */

static void
partial_insert(struct ns_pool *p, struct ns_extent *e)
{
	unsigned nfree = NS_EXTENT_UNITS - count(e->used);

	if (nfree == 0) {
		ns_list_init(&e->link);
		ns_owner_add(&p->full_extents, 1);
		return;
	}
	ns_list_push(&p->partial[nfree], &e->link);
	p->partial_map |= 1u << nfree;
}

static void
partial_remove(struct ns_pool *p, struct ns_extent *e)
{
	unsigned nfree = NS_EXTENT_UNITS - count(e->used);

	if (nfree == 0) {
		ns_owner_add(&p->full_extents, -1ul);
		return;
	}
	ns_list_remove(&e->link);
	if (ns_list_empty(&p->partial[nfree]))
		p->partial_map &= ~(1u << nfree);
}

/* Free ranges. */

static void
range_insert(struct ns_pool *p, size_t first, size_t len)
{
	unsigned bin = ns_log2_floor(len);

	extent_at(p, first)->range = (uint32_t)len;
	extent_at(p, first + len - 1)->range = (uint32_t)len;
	ns_list_push(&p->free[bin], &extent_at(p, first)->link);
	p->range_map |= 1u << bin;
}

static void
range_remove(struct ns_pool *p, size_t first)
{
	struct ns_extent *e = extent_at(p, first);
	unsigned bin = ns_log2_floor(e->range);

	ns_list_remove(&e->link);
	if (ns_list_empty(&p->free[bin]))
		p->range_map &= ~(1u << bin);
}

/* Joins extents [first, first + len), all free, with free neighbours. */
static void
range_release(struct ns_pool *p, size_t first, size_t len)
{
	struct ns_extent *e;

	if (first > 0 && (e = extent_at(p, first - 1))->used == 0) {
		first -= e->range;
		len += e->range;
		range_remove(p, first);
	}
	if (first + len < p->committed &&
	    (e = extent_at(p, first + len))->used == 0) {
		size_t more = e->range;

		range_remove(p, first + len);
		len += more;
	}
	range_insert(p, first, len);
}

/* Takes [at, at + len) out of the free range that begins at @first. */
static void
range_carve(struct ns_pool *p, size_t first, size_t at, size_t len)
{
	size_t end = first + extent_at(p, first)->range;

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
	return *at + len <= first + extent_at(p, first)->range;
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
			*first = extent_index(
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
	struct ns_unit *u = extent_units(&ns_extents[first]);
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
	range_release(p, p->committed - n, n);
	return true;
}

/* At least @least extents more, and ahead of need where that is granted. */
static bool
commit(struct ns_pool *p, size_t least)
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

	if (p->committed > 0 && extent_at(p, p->committed - 1)->used == 0)
		tail = extent_at(p, p->committed - 1)->range;
	return commit(p, ns_round_up(end - tail, align) + len - end);
}

/* Units change hands.  Extents here are in no list. */

static void
mark_used(struct ns_pool *p, struct ns_extent *e, uint32_t bits)
{
	ns_assert((e->used & bits) == 0);
	e->used |= bits;
	if ((e->dirty & bits) != 0) {
		ns_owner_add(&p->retained, -(uint64_t)count(e->dirty & bits));
		e->dirty &= ~bits;
		if (e->dirty == 0)
			ns_list_remove(&e->dirty_link);
	}
	ns_owner_add(&p->used, count(bits));
	partial_insert(p, e);
}

static void
mark_free(struct ns_pool *p, struct ns_extent *e, uint32_t bits, bool clean,
	  uint64_t now)
{
	ns_assert((e->used & bits) == bits);
	partial_remove(p, e);
	e->used &= ~bits;
	ns_owner_add(&p->used, -(uint64_t)count(bits));
	if (!clean) {
		if (e->dirty != 0)
			ns_list_remove(&e->dirty_link);
		e->dirty |= bits;
		e->stamp = now;
		ns_list_append(&p->dirty, &e->dirty_link);
		ns_owner_add(&p->retained, count(bits));
	}
	if (e->used == 0)
		range_release(p, extent_index(p, e), 1);
	else
		partial_insert(p, e);
}

/* Calls @fn for each extent that units [at, at + n) of the pool touch. */
#define for_each_extent(p, e, bits, at, n)                                    \
	for (size_t i_ = (at), end_ = i_ + (n), k_ = 0;                       \
	     i_ < end_ &&                                                     \
	     (k_ = ns_min(end_ - i_, NS_EXTENT_UNITS - i_ % NS_EXTENT_UNITS), \
	     e = extent_at(p, i_ / NS_EXTENT_UNITS),                          \
	     bits = bits_from(i_ % NS_EXTENT_UNITS, (unsigned)k_), true);     \
	     i_ += k_)

/* Bit i set: a run of @n units starting at a multiple of @align fits there. */
static uint32_t
starts(uint32_t free, unsigned n, unsigned align)
{
	static const uint32_t aligned[] = { 0xffffffff, 0x55555555, 0x11111111,
					    0x01010101, 0x00010001, 1 };
	unsigned have = 1, step;

	for (; have < n; have += step) {
		step = (unsigned)ns_min(have, n - have);
		free &= free >> step;
	}
	return free & aligned[ns_ctz(align)];
}

static bool
fits(const struct ns_extent *e, unsigned n, unsigned align, bool want_zero,
     unsigned *at)
{
	uint32_t free = ~e->used;
	uint32_t good =
	    starts(want_zero ? free & ~e->dirty : e->dirty, n, align);

	if (good == 0)
		good = starts(free, n, align);
	if (good == 0)
		return false;
	*at = ns_ctz(good);
	return true;
}

static struct ns_extent *
partial_find(const struct ns_pool *p, unsigned n, unsigned align,
	     bool want_zero, unsigned *at)
{
	uint32_t map = n < NS_EXTENT_UNITS ? p->partial_map >> n << n : 0;

	for (; map != 0; map &= map - 1) {
		const struct ns_list *l, *head = &p->partial[ns_ctz(map)];
		int tries = TRIES;

		ns_list_for_each (l, head) {
			struct ns_extent *e =
			    ns_container_of(l, struct ns_extent, link);

			if (fits(e, n, align, want_zero, at))
				return e;
			if (--tries == 0)
				break;
		}
	}
	return NULL;
}

/* Marks units used wherever they are; returns true if all were zero. */
static bool
take(struct ns_pool *p, size_t at, size_t n)
{
	struct ns_extent *e;
	uint32_t bits, dirty = 0;

	for_each_extent(p, e, bits, at, n)
	{
		if (e->used != 0)
			partial_remove(p, e);
		dirty |= e->dirty & bits;
		mark_used(p, e, bits);
	}
	return dirty == 0;
}

/* The first unit of a new run, or SIZE_MAX. */
static size_t
find(struct ns_pool *p, size_t n, size_t align, unsigned flags)
{
	size_t len = (n + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;
	size_t step = ns_max(align / NS_EXTENT_UNITS, 1), first, at;
	struct ns_extent *e;
	unsigned bit;

	if (len == 1 && step == 1) {
		e = partial_find(p, (unsigned)n, (unsigned)align,
				 (flags & NS_RUN_ZERO) != 0, &bit);
		if (e != NULL)
			return extent_index(p, e) * NS_EXTENT_UNITS + bit;
	}
	if (!range_find(p, len, step, &first, &at) &&
	    ((flags & NS_RUN_NOGROW) != 0 || !grow(p, len, step) ||
	     !range_find(p, len, step, &first, &at)))
		return SIZE_MAX;
	range_carve(p, first, at, len);
	return at * NS_EXTENT_UNITS;
}

/*
 * Tells a run's other units where its head is, or that they have none.  Runs
 * longer than an extent are only ever asked about at their head.
 */
static void
mark_tails(struct ns_unit *u, bool in_run)
{
	if (u->nunits > NS_EXTENT_UNITS)
		return;
	for (uint32_t i = 1; i < u->nunits; i++)
		ns_store_relaxed(&u[i].back,
				 in_run ? i * (uint32_t)sizeof(*u) : 0u);
}

static struct ns_unit *
pool_alloc(struct ns_pool *p, size_t n, size_t align, unsigned flags, bool over)
{
	struct ns_unit *u = NULL;
	size_t at, kept = (flags & NS_RUN_KEEP) != 0 ? p->reserve : 0;
	bool zero;

	ns_lock(&p->lock);
	if ((p->used + n + kept <= p->limit || over) &&
	    (at = find(p, n, align, flags)) != SIZE_MAX) {
		zero = take(p, at, n);
		u = ns_units + p->first * NS_EXTENT_UNITS + at;
		memset(u, 0, sizeof(*u));
		u->nunits = (uint32_t)n;
		u->slot = (uint16_t)p->slot;
		u->zero = zero;
		mark_tails(u, true);
	}
	ns_unlock(&p->lock);
	return u;
}

struct ns_unit *
ns_run_alloc(unsigned slot, size_t n, size_t align, unsigned flags)
{
	const uint8_t *order = ns_topo_order(slot);
	bool strict = (flags & NS_RUN_STRICT) != 0, over = false;
	bool own = (flags & NS_RUN_OWN) != 0;
	unsigned i, nslots = strict ? 1 : ns_topo.nslots;
	struct ns_unit *u;
	struct ns_pool *p;

	if (n == 0 || n > UINT32_MAX || align > UINT32_MAX)
		return NULL;
	for (;; over = true) {
		for (i = 0; i < nslots; i++) {
			p = &ns_pools[order[i]];
			if ((i > 0 && !ns_policy_permits(order[i])) ||
			    (over && p->hard && !own))
				continue;
			u = pool_alloc(p, n, align, flags, over);
			if (u == NULL)
				continue;
			if (i > 0)
				ns_pool_count_spill(order[i],
						    n << NS_UNIT_SHIFT);
			return u;
		}
		/*
		 * A limit that is only the node's size may be passed in a
		 * second round: a process may ask for what it never touches.
		 */
		if (over || (strict && !own && (flags & NS_RUN_OVER) == 0))
			return NULL;
	}
}

void
ns_pool_count_spill(unsigned slot, size_t bytes)
{
	ns_add_relaxed(&ns_pools[slot].spilled, bytes);
}

void
ns_pool_count_reclaimable(unsigned slot, int64_t units)
{
	ns_add_relaxed(&ns_pools[slot].reclaimable, (uint64_t)units);
}

/* Returns units [at, at + n) of a pool; true when it began to retain. */
static bool
give(struct ns_pool *p, size_t at, size_t n, bool clean)
{
	bool was_clean = p->retained == 0;
	uint64_t now;
	struct ns_extent *e;
	uint32_t bits;

	/* The thread that purges keeps the time, unless it sleeps. */
	if (was_clean && !clean)
		ns_store_relaxed(&ns_clock_ms, ns_os_now_ms());
	now = ns_load_relaxed(&ns_clock_ms);
	for_each_extent(p, e, bits, at, n) mark_free(p, e, bits, clean, now);
	return was_clean && !clean;
}

static void
after_free(struct ns_pool *p, bool began)
{
	if (ns_options.purge_ms == 0)
		ns_pool_purge(p->slot, 0);
	else if (began)
		ns_maint_dirty();
}

void
ns_run_free(struct ns_unit *u, bool clean)
{
	struct ns_pool *p = &ns_pools[u->slot];
	size_t at = (size_t)(u - ns_units) - p->first * NS_EXTENT_UNITS;
	bool began;

	ns_lock(&p->lock);
	ns_store_release(&u->kind, NS_KIND_FREE);
	mark_tails(u, false);
	began = give(p, at, u->nunits, clean);
	ns_unlock(&p->lock);
	after_free(p, began);
}

/* Are units [at, at + n) all free?  They may not be committed at all. */
static bool
all_free(struct ns_pool *p, size_t at, size_t n)
{
	struct ns_extent *e;
	uint32_t bits;

	if (at + n > p->committed * NS_EXTENT_UNITS)
		return false;
	for_each_extent(p, e, bits, at,
			n) if ((e->used & bits) != 0) return false;
	return true;
}

/* Takes the whole extents among free units [at, at + n) off their ranges. */
static void
carve_all(struct ns_pool *p, size_t at, size_t n)
{
	size_t first = (at + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;
	size_t end = (at + n + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;

	while (first < end && extent_at(p, first)->used == 0) {
		size_t len = ns_min(extent_at(p, first)->range, end - first);

		range_carve(p, first, first, len);
		first += len;
	}
}

bool
ns_run_grow(struct ns_unit *u, size_t n)
{
	struct ns_pool *p = &ns_pools[u->slot];
	size_t at = (size_t)(u - ns_units) - p->first * NS_EXTENT_UNITS;
	size_t more = n - u->nunits, beyond;
	bool ok;

	if (n > UINT32_MAX || n <= u->nunits)
		return n == u->nunits;
	ns_lock(&p->lock);
	beyond = (at + n + NS_EXTENT_UNITS - 1) / NS_EXTENT_UNITS;
	if (beyond > p->committed && beyond <= p->span &&
	    all_free(p, at + u->nunits,
		     p->committed * NS_EXTENT_UNITS - at - u->nunits))
		commit(p, beyond - p->committed);
	ok = p->used + more <= p->limit && all_free(p, at + u->nunits, more);
	if (ok) {
		carve_all(p, at + u->nunits, more);
		if (!take(p, at + u->nunits, more))
			u->zero = 0;
		mark_tails(u, false);
		u->nunits = (uint32_t)n;
		mark_tails(u, true);
	}
	ns_unlock(&p->lock);
	return ok;
}

struct ns_unit *
ns_run_split(struct ns_unit *u, size_t n)
{
	struct ns_pool *p = &ns_pools[u->slot];
	struct ns_unit *rest = u + n;

	ns_lock(&p->lock);
	mark_tails(u, false);
	memset(rest, 0, sizeof(*rest));
	rest->nunits = u->nunits - (uint32_t)n;
	rest->slot = u->slot;
	rest->zero = u->zero;
	u->nunits = (uint32_t)n;
	mark_tails(u, true);
	mark_tails(rest, true);
	ns_unlock(&p->lock);
	return rest;
}

/* The pool does not look into a run: no lock. */
struct ns_unit *
ns_run_part(struct ns_unit *u, size_t at, size_t n)
{
	struct ns_unit *part = u + at;

	if (at > 0) {
		memset(part, 0, sizeof(*part));
		part->slot = u->slot;
		part->zero = u->zero;
	}
	for (uint32_t i = 1; i < n; i++)
		ns_store_relaxed(&part[i].back, i * (uint32_t)sizeof(*part));
	return part;
}

void
ns_run_unpart(struct ns_unit *part, size_t n)
{
	ns_store_release(&part->kind, NS_KIND_FREE);
	for (size_t i = 1; i < n; i++)
		ns_store_relaxed(&part[i].back, 0u);
}

void
ns_run_shrink(struct ns_unit *u, size_t n)
{
	struct ns_pool *p = &ns_pools[u->slot];
	size_t at = (size_t)(u - ns_units) - p->first * NS_EXTENT_UNITS;
	uint32_t old = u->nunits;
	bool began;

	ns_lock(&p->lock);
	mark_tails(u, false);
	u->nunits = (uint32_t)n;
	mark_tails(u, true);
	began = give(p, at + n, old - n, false);
	ns_unlock(&p->lock);
	after_free(p, began);
}

void
ns_pool_stat(unsigned slot, struct ns_pool_stat *st)
{
	struct ns_pool *p = &ns_pools[slot];

	ns_lock(&p->lock);
	st->used = p->used << NS_UNIT_SHIFT;
	st->retained = p->retained << NS_UNIT_SHIFT;
	st->committed = p->committed << NS_EXTENT_SHIFT;
	st->span = p->span << NS_EXTENT_SHIFT;
	st->limit = p->limit << NS_UNIT_SHIFT;
	st->spilled = ns_load_relaxed(&p->spilled);
	st->purged = p->purged << NS_UNIT_SHIFT;
	st->huge = p->full_extents << NS_EXTENT_SHIFT;
	ns_unlock(&p->lock);
}

/* The first extent of the free range that extent @i is in. */
static size_t
range_start(const struct ns_pool *p, size_t i)
{
	while (i > 0 && extent_at(p, i - 1)->used == 0)
		i--;
	return i;
}

/*
 * A claim is units taken for a purge.  They do not count as used, so that no
 * request is refused or spilled for their sake.
 */
bool
ns_pool_claim(struct ns_pool *p, struct ns_claim *c)
{
	struct ns_extent *e;
	size_t start, end, i;

	if (ns_list_empty(&p->dirty))
		return false;
	e = ns_list_first(&p->dirty, struct ns_extent, dirty_link);
	i = extent_index(p, e);
	c->len = 1;
	c->bits = e->dirty;
	if (e->used == 0) {
		start = range_start(p, i);
		end = start + extent_at(p, start)->range;
		while (i + c->len < end && c->len < NS_CLAIM_MAX &&
		       e[c->len].dirty != 0)
			c->len++;
		range_carve(p, start, i, c->len);
		c->bits = NS_EXTENT_FULL;
	}
	c->first = e;
	c->dirty = 0;
	for (i = 0; i < c->len; i++, e++) {
		c->dirty += count(e->dirty);
		if (e->used != 0)
			partial_remove(p, e);
		mark_used(p, e, c->bits);
		ns_owner_add(&p->used, -(uint64_t)count(c->bits));
	}
	return true;
}

void
ns_pool_unclaim(struct ns_pool *p, const struct ns_claim *c, bool purged)
{
	struct ns_extent *e = c->first;
	size_t i;

	for (i = 0; i < c->len; i++, e++) {
		ns_owner_add(&p->used, count(c->bits));
		mark_free(p, e, c->bits, purged, ns_os_now_ms());
	}
	if (purged)
		ns_owner_add(&p->purged, c->dirty);
}

size_t
ns_pool_available(unsigned slot)
{
	struct ns_pool *p = &ns_pools[slot];
	uint64_t used = ns_load_relaxed(&p->used);

	return used < p->limit ? p->limit - used : 0;
}

uint64_t
ns_pools_committed(void)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		sum += ns_load_relaxed(&ns_pools[s].committed);
	return sum << NS_EXTENT_SHIFT;
}

void
ns_pools_lock(void)
{
	unsigned s;

	for (s = 0; s < ns_topo.nslots; s++)
		ns_lock(&ns_pools[s].purge_lock);
	for (s = 0; s < ns_topo.nslots; s++)
		ns_lock(&ns_pools[s].lock);
}

void
ns_pools_unlock(void)
{
	for (unsigned s = ns_topo.nslots; s-- > 0;) {
		ns_unlock(&ns_pools[s].lock);
		ns_unlock(&ns_pools[s].purge_lock);
	}
}

void
ns_pools_fork_child(void)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		ns_lock_init(&ns_pools[s].lock, NS_RANK_POOL);
		ns_lock_init(&ns_pools[s].purge_lock, NS_RANK_PURGE);
	}
}
