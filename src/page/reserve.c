/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/reserve.c - the one reservation of address space, sized at run time.
 *
 * Three arrays, reserved together or not at all: the spans themselves, a
 * descriptor for each 64 KiB unit (1/512 of the spans) and one for each
 * 2 MiB extent (1/32768).  Spans are inaccessible until committed; the
 * descriptors are readable from the start, so that asking about any address
 * is safe, and writable as far as their span is committed.  Nothing here is
 * charged to the process under any overcommit mode.
 *
 * Each slot's share of all three prefers the slot's node: one mbind(2) each,
 * at start, so that the number of VMAs does not grow with the heap.
 */
#include "page/pool.h"

#include "base/options.h"

#include <errno.h>
#include <unistd.h>

/* 256 GiB a node, or four times what is installed: sparse use is common. */
#define SPAN_MIN    (1ul << 38)
#define SPAN_LEAST  (16ul << 20) /* of what is asked for */
#define SPAN_FACTOR 4u
#define SPAN_MAX    (1ul << 44)
/* Half of a 47-bit address space; larger ones are only given on request. */
#define TOTAL_MAX   (1ul << 46)
#define TOTAL_LEAST (2 * NS_EXTENT)

char *ns_base;
size_t ns_total;
unsigned ns_span_shift = 63;
struct ns_unit *ns_units;
struct ns_extent *ns_extents;

struct ns_lock ns_wake_lock = NS_LOCK_INIT(NS_RANK_WAKE);

static enum { ASLEEP, AWAKE, FAILED } state; /* under ns_wake_lock */
static size_t slot_span;                     /* [I] */

static size_t
pow2_floor(size_t n)
{
	return 1ul << ns_log2_floor(n);
}

/*
 * The span to try first.  Under RLIMIT_AS half the limit is left for
 * everything else: stacks, libraries, the program's own mappings.
 */
static size_t
first_span(unsigned nslots)
{
	size_t limit = ns_os_address_limit();
	size_t span = ns_options.span;

	if (span == 0)
		span = 2 * pow2_floor(ns_max(SPAN_MIN / 2,
					     SPAN_FACTOR *
						 ns_os_physical_memory() / 2));
	span = ns_max(ns_min(span, SPAN_MAX), SPAN_LEAST);
	span = ns_min(span, TOTAL_MAX / nslots);
	if (limit != SIZE_MAX)
		span = ns_min(span, limit / 2 / nslots);
	if (nslots > 1)
		span = pow2_floor(ns_max(span, NS_EXTENT));
	return ns_round_down(span, NS_EXTENT);
}

static bool
reserve(size_t span, unsigned nslots)
{
	size_t total = span * nslots;
	size_t units = (total >> NS_UNIT_SHIFT) * sizeof(struct ns_unit);
	size_t extents =
	    ns_round_up((total >> NS_EXTENT_SHIFT) * sizeof(struct ns_extent),
			ns_page_size);
	size_t meta = ns_round_up(units, ns_page_size) + extents;
	char *m, *base;

	m = ns_os_reserve(meta, ns_page_size);
	if (m == NULL)
		return false;
	base = ns_os_reserve(total, NS_EXTENT);
	if (base == NULL || ns_os_readable(m, meta) != 0) {
		if (base != NULL)
			ns_os_release(base, total);
		ns_os_release(m, meta);
		return false;
	}
	ns_units = (struct ns_unit *)m;
	ns_extents = (struct ns_extent *)(m + meta - extents);
	ns_base = base;
	ns_span_shift = nslots > 1 ? ns_log2_floor(span) : 63;
	slot_span = span;
	return true;
}

/* The whole pages of [p, p + size): neighbours share the others. */
static void
bind_inside(void *p, size_t size, unsigned node)
{
	uintptr_t a = ns_round_up((uintptr_t)p, ns_page_size);
	uintptr_t b = ns_round_down((uintptr_t)p + size, ns_page_size);

	if (a < b)
		ns_os_bind((void *)a, b - a, node);
}

static void
bind_spans(size_t span)
{
	size_t nunits = span >> NS_UNIT_SHIFT, next = span >> NS_EXTENT_SHIFT;
	unsigned s, node;

	if (ns_topo.fake || ns_topo.nslots == 1)
		return;
	for (s = 0; s < ns_topo.nslots; s++) {
		node = ns_topo.node_of_slot[s];
		bind_inside(ns_base + s * span, span, node);
		bind_inside(ns_units + s * nunits,
			    nunits * sizeof(struct ns_unit), node);
		bind_inside(ns_extents + s * next,
			    next * sizeof(struct ns_extent), node);
	}
}

void
ns_advise_huge(void *addr, size_t size)
{
	if (ns_options.huge_pages != 0)
		ns_os_thp(addr, size, true);
}

static void
small_pages_first(size_t span)
{
	size_t small = ns_min(span, NS_SMALL_EXTENTS * NS_EXTENT);
	char *p;

	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		p = ns_base + s * span;
		ns_os_thp(p, small, false);
		ns_advise_huge(p + small, span - small);
	}
}

static int
init(void)
{
	size_t span;

	ns_os_init();
	ns_options_read(environ);
	ns_topo_init();
	span = first_span(ns_topo.nslots);
	while (!reserve(span, ns_topo.nslots)) {
		span = ns_round_down(span / 2, NS_EXTENT);
		if (span * ns_topo.nslots < TOTAL_LEAST || span == 0)
			return -ENOMEM;
	}
	bind_spans(span);
	small_pages_first(span);
	ns_policy_init();
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		ns_pool_init(s, span);
	/* Last: ns_ours() is false for everything until here. */
	ns_store_release(&ns_total, span * ns_topo.nslots);
	return 0;
}

int
ns_page_init_locked(void)
{
	if (state == ASLEEP)
		state = init() == 0 ? AWAKE : FAILED;
	return state == AWAKE ? 0 : -ENOMEM;
}

int
ns_page_init(void)
{
	int error;

	ns_lock(&ns_wake_lock);
	error = ns_page_init_locked();
	ns_unlock(&ns_wake_lock);
	return error;
}

struct ns_window
ns_window_of(unsigned slot)
{
	return (struct ns_window){
		.base = (uintptr_t)ns_base + slot * slot_span,
		.size = slot_span,
		.units = ns_units + slot * (slot_span >> NS_UNIT_SHIFT),
	};
}
