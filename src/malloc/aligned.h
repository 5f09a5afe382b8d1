/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/aligned.h - an aligned block by malloc's fast path.
 *
 * Slabs start on unit boundaries, and a class's objects are aligned to the
 * lowest set bit of its size (slab/class.c).  A size that is a multiple of a
 * power of two is in a class whose size is one too, because classes are
 * power-of-two steps apart.  So rounding the size up is all there is to it,
 * but for classes that are spread, whose objects are aligned to a cache line.
 */
#ifndef NS_MALLOC_ALIGNED_H
#define NS_MALLOC_ALIGNED_H

#include <errno.h>

#include "slab/fast.h"

/* @align is a power of two.  NULL: errno is ENOMEM. */
ns_inline void *
ns_malloc_aligned(size_t align, size_t size)
{
	size_t n = ns_round_up(ns_max(size, 1), align);

	if (ns_likely(
		size <= NS_SLAB_MAX &&
		n <= (align <= NS_CACHELINE ? NS_SLAB_MAX : NS_UNSPREAD_MAX)))
		return ns_malloc_fast(align <= 16 ? size : n);
	if (ns_unlikely(align > PTRDIFF_MAX || size > PTRDIFF_MAX - align)) {
		errno = ENOMEM;
		return NULL;
	}
	return ns_alloc_aligned(align, ns_max(size, 1));
}

#endif
