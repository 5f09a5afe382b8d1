/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/class.c - malloc's size classes, and the geometry of a slab.
 *
 * A class whose size is a multiple of 2^k has all its objects aligned to
 * 2^k: slabs start on unit boundaries and color offsets are multiples of the
 * cache's alignment, here the size's lowest set bit.  So a power-of-two size is
 * aligned to itself, and an aligned request is served by the first class its
 * alignment divides.
 *
 * But blocks whole pages apart lie in the same few sets of the processor's
 * caches, where 12 of them evict each other, and loads from one wait for
 * stores to another.  So objects of a multiple of NS_SPREAD_STEP bytes lie a
 * cache line further apart than that, unless they have to be aligned to more
 * than a line.  malloc's classes of such sizes exist twice: spread, and, behind
 * all others, exact for requests that ask for an alignment.
 *
 * Coloring: successive slabs start their first object at successive offsets,
 * in steps of a cache line or of the cache's alignment, whichever is more.
 * The room is what division leaves over; where objects are small enough that
 * 1/64 of the slab holds one, at least that much.
 */
#include "slab/account.h"
#include "slab/debug.h"

#include "base/options.h"

#include <errno.h>

#define OBJECTS_WANTED 8u /* a slab's slow paths are shared by its objects */
/*
 * What a full-size magazine may hold.  More makes in-order bursts faster and
 * those freed at random slower, for malloc then goes from page to page; below
 * SMALL bytes that costs nothing, and of large objects it has to be a hundred.
 */
#define MAGAZINE_BYTES (256u * 1024)
#define SMALL          128u
#define SMALL_BYTES    (512u * 1024)
#define LARGE_COUNT    127u
#define LARGE_BYTES    (1024u * 1024)
/* And one that has earned nothing. */
#define START_BYTES (32u * 1024)
#define START_MIN   4u
#define START_MAX   64u

#define COLOR_SHIFT 6u    /* at most 1/64 of a slab is given up for color */
#define COLOR_SPAN  4096u /* offsets beyond a page hit the same sets again */

struct kmem_cache ns_caches[NS_NCLASS];

static unsigned
class_size(unsigned c)
{
	unsigned group, step;

	if (c >= NS_NSIZES)
		return NS_SPREAD_STEP * (c - NS_NSIZES + 1);
	if (c <= 8)
		return 16 * c;
	group = (c - 9) / 8;
	step = (c - 9) % 8 + 1;
	return (128u << group) + (16u << group) * step;
}

unsigned
ns_exact_class(unsigned c)
{
	return NS_NSIZES + class_size(c) / NS_SPREAD_STEP - 1;
}

static bool
is_spread(unsigned size, unsigned align, slab_flags_t flags)
{
	return size % NS_SPREAD_STEP == 0 &&
	       size <= NS_NEXACT * NS_SPREAD_STEP && align <= NS_CACHELINE &&
	       ns_options.color != 0 && (flags & SLAB_NO_COLOR) == 0;
}

static void
set_colors(struct kmem_cache *c, unsigned bytes)
{
	unsigned step = (unsigned)ns_max(NS_CACHELINE, c->align);
	unsigned budget = bytes >> COLOR_SHIFT, room;

	c->nobj = bytes / c->size;
	c->ncolors = 1;
	c->color_step = step;
	if (ns_options.color == 0 || (c->flags & SLAB_NO_COLOR) != 0 ||
	    step >= COLOR_SPAN)
		return;
	if (bytes % c->size < budget && c->size <= budget)
		c->nobj = (bytes - (budget - step)) / c->size;
	room = (unsigned)ns_min(bytes - c->nobj * c->size, COLOR_SPAN - step);
	c->ncolors = room / step + 1;
}

unsigned
ns_slab_units(unsigned size)
{
	unsigned n;

	for (n = 1; n < NS_SLAB_UNITS; n *= 2)
		if ((n << NS_UNIT_SHIFT) / size >= OBJECTS_WANTED)
			break;
	return n;
}

/* With a note of who pays for each object, of which there are no more. */
static unsigned
account_lead(const struct kmem_cache *c, unsigned bytes)
{
	unsigned n = bytes / (unsigned)ns_account_price(c) + 1;

	return (unsigned)ns_round_up(
	    c->lead + n * sizeof(struct numaslab_account *), c->align);
}

/*
 * @size is the distance of objects, of which they use @objsize; a cache line
 * more where that spreads them.  Returns 0 or -EINVAL.
 */
int
ns_cache_setup(struct kmem_cache *c, unsigned size, unsigned objsize,
	       unsigned align, slab_flags_t flags)
{
	if (size == 0 || size > 2 * NS_SLAB_MAX)
		return -EINVAL;
	if (is_spread(size, align, flags))
		size += NS_CACHELINE;
	c->size = size;
	c->objsize = objsize;
	c->align = align;
	c->flags = flags;
	c->units = ns_slab_units(size);
	c->magazine = (size < SMALL ? SMALL_BYTES : MAGAZINE_BYTES) / size;
	c->magazine = (uint32_t)ns_max(c->magazine, LARGE_COUNT);
	c->magazine = (uint32_t)ns_min(c->magazine, LARGE_BYTES / size);
	c->magazine = (uint32_t)ns_min(c->magazine, NS_MAGAZINE_MAX);
	c->start = (uint32_t)ns_min(START_BYTES / size, START_MAX);
	c->start = (uint32_t)ns_max(c->start, START_MIN);
	if ((flags & SLAB_ACCOUNT) != 0)
		c->lead = account_lead(c, c->units << NS_UNIT_SHIFT);
	c->inverse = UINT64_MAX / size + 1 + ns_is_pow2(size);
	set_colors(c, (c->units << NS_UNIT_SHIFT) - c->lead);
	return 0;
}

/* The descriptor gets its id, and with it a bin in every heap. */
void
ns_cache_name_bin(struct kmem_cache *c, unsigned id)
{
	c->id = id;
	c->bin = ns_bin_offset(id);
}

uint16_t ns_bin_map[NS_DIRECT_MAX / 16 + 1];

/* A class may be watched as any cache, by its name, and stays as aligned. */
static void
set_up_class(struct kmem_cache *c, unsigned id)
{
	unsigned size = class_size(id), align = size & -size, stride;
	slab_flags_t flags;

	if (id < NS_NSIZES && is_spread(size, 1, 0))
		align = NS_CACHELINE;
	c->root = c;
	c->shares = 1;
	c->args.align = (unsigned)ns_min(align, COLOR_SPAN);
	ns_cache_name_bin(c, id);
	ns_format(c->name, sizeof(c->name), "kmalloc-%u%s", size,
		  id < NS_NSIZES ? "" : "-aligned");
	ns_tag_set(&c->tag, NS_CACHE);
	flags = ns_debug_flags(c->name, 0, id, size, align);
	stride = ns_debug_lay_out(c, size, align, flags, size);
	ns_cache_setup(c, (unsigned)ns_round_up(stride, align), size, align,
		       flags);
}

void
ns_classes_init(struct ns_depot *depots, unsigned nslots)
{
	unsigned c, i, s;

	for (c = 1; c < NS_NCLASS; c++) {
		struct kmem_cache *cache = &ns_caches[c];

		set_up_class(cache, c);
		cache->depots = depots + c * nslots;
		for (s = 0; s < nslots; s++) {
			ns_lock_init(&cache->depots[s].lock, NS_RANK_DEPOT);
			ns_depot_init(&cache->depots[s], cache, s);
		}
	}
	for (i = 0; i <= NS_DIRECT_MAX / 16; i++)
		ns_bin_map[i] =
		    (uint16_t)ns_caches[ns_class_of(ns_max(16 * i, 1))].bin;
}
