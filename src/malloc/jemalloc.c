/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/jemalloc.c - the non-standard half of jemalloc(3): allocation.
 *
 * A server that was linked with jemalloc calls these; left to jemalloc they
 * would open a second heap, and our free() would abort on its pointers.
 *
 * Flags: bits 0-5 lg(alignment); 6 zero; 8-19 a thread cache plus 2, which
 * is a hint that we have no use for; 20-31 an arena plus 1.  Arena i is the
 * node of slot i, so MALLOCX_ARENA is an allocation on a node.
 *
 * A block's real size is malloc_usable_size's.  MALLOCX_ZERO covers it
 * wholly, because a later rallocx that grows with MALLOCX_ZERO zeroes only
 * what lies beyond the real size before.
 */
#include <errno.h>
#include <string.h>

#include "malloc/aligned.h"

void *mallocx(size_t size, int flags);
void *rallocx(void *p, size_t size, int flags);
size_t xallocx(void *p, size_t size, size_t extra, int flags);
size_t sallocx(const void *p, int flags);
void dallocx(void *p, int flags);
void sdallocx(void *p, size_t size, int flags);
size_t nallocx(size_t size, int flags);

#define ALIGN_BITS  0x3f
#define ZERO_BIT    0x40
#define ARENA_SHIFT 20

static size_t
align_of(int flags)
{
	return 1ul << (flags & ALIGN_BITS);
}

/* Nothing but hints. */
static bool
plain(int flags)
{
	return (flags & (ALIGN_BITS | ZERO_BIT)) == 0 &&
	       (unsigned)flags >> ARENA_SHIFT == 0;
}

/* The slot asked for, NS_NO_SLOT: home; -1: there is no such arena. */
static int
slot_of(int flags)
{
	unsigned arena = (unsigned)flags >> ARENA_SHIFT;

	if (arena == 0)
		return NS_NO_SLOT;
	return arena <= ns_topo.nslots ? (int)arena - 1 : -1;
}

static ns_noinline void *
alloc_flags(size_t size, int flags)
{
	size_t good, align = align_of(flags);
	gfp_t gfp = (flags & ZERO_BIT) != 0 ? __GFP_ZERO : 0;
	int slot;

	good = ns_good_size(align, ns_max(size, 1));
	slot = slot_of(flags);
	if (good == 0 || slot < 0) {
		errno = good == 0 ? ENOMEM : EINVAL;
		return NULL;
	}
	if (slot == NS_NO_SLOT && gfp == 0)
		return ns_malloc_aligned(align, size);
	return ns_alloc_on(good, align, (unsigned)slot, gfp);
}

ns_export void *
mallocx(size_t size, int flags)
{
	if (ns_likely(plain(flags)))
		return ns_malloc_fast(size);
	return alloc_flags(size, flags);
}

static void
zero_from(char *p, size_t old)
{
	size_t now = ns_usable_size(p, "rallocx");

	if (now > old)
		memset(p + old, 0, now - old);
}

static bool
fits(const void *p, int flags)
{
	int slot = slot_of(flags);

	return ((uintptr_t)p & (align_of(flags) - 1)) == 0 &&
	       (slot == NS_NO_SLOT || slot == (int)ns_slot_of(p));
}

static ns_noinline void *
realloc_flags(void *p, size_t size, int flags)
{
	size_t old = ns_usable_size(p, "rallocx");
	void *q;

	if (fits(p, flags) && ns_resize_in_place(p, size, "rallocx")) {
		if ((flags & ZERO_BIT) != 0)
			zero_from(p, old);
		return p;
	}
	q = alloc_flags(size, flags & ~ZERO_BIT);
	if (q == NULL)
		return NULL;
	memcpy(q, p, ns_min(old, size));
	if ((flags & ZERO_BIT) != 0)
		zero_from(q, ns_min(old, size));
	ns_free_fast(p, "rallocx");
	return q;
}

ns_export void *
rallocx(void *p, size_t size, int flags)
{
	size = ns_max(size, 1);
	if (ns_likely(plain(flags)))
		return ns_realloc(p, size, __func__);
	return realloc_flags(p, size, flags);
}

/* In place or not at all; returns the real size that results. */
ns_export size_t
xallocx(void *p, size_t size, size_t extra, int flags)
{
	size_t old = ns_usable_size(p, __func__), most;

	size = ns_max(size, 1);
	if (__builtin_add_overflow(size, extra, &most))
		most = SIZE_MAX;
	if (((uintptr_t)p & (align_of(flags) - 1)) != 0)
		return old;
	if (!ns_resize_in_place(p, most, __func__) && most != size)
		ns_resize_in_place(p, size, __func__);
	if ((flags & ZERO_BIT) != 0)
		zero_from(p, old);
	return ns_usable_size(p, __func__);
}

ns_export size_t
sallocx(const void *p, int flags)
{
	(void)flags;
	return ns_usable_size(p, __func__);
}

ns_export void
dallocx(void *p, int flags)
{
	(void)flags;
	ns_free_fast(p, __func__);
}

ns_export void
sdallocx(void *p, size_t size, int flags)
{
	ns_assert(p == NULL || size <= ns_usable_size(p, __func__));
	(void)size;
	(void)flags;
	ns_free_fast(p, __func__);
}

ns_export size_t
nallocx(size_t size, int flags)
{
	return ns_good_size(align_of(flags), ns_max(size, 1));
}
