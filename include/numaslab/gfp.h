/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How hard an allocation may try: gfp_t, with the names of Linux's gfp.h.
 *
 * "The flags are only relevant if the cache has no available objects"
 * (kmem_cache_alloc(9)): a request that memory at hand can serve ignores all
 * of them but __GFP_ZERO and __GFP_ACCOUNT.  gfp(7) has the kernel's meaning
 * of each flag beside its meaning here.  The values are this library's own.
 *
 * A contradictory pair fails with EINVAL and allocates nothing:
 *   __GFP_NOFAIL with __GFP_NORETRY or __GFP_RETRY_MAYFAIL,
 *   __GFP_NORETRY with __GFP_RETRY_MAYFAIL,
 *   __GFP_NOFAIL without __GFP_DIRECT_RECLAIM (it has to wait),
 *   __GFP_MEMALLOC with __GFP_NOMEMALLOC,
 *   __GFP_ZERO of a cache with a constructor.
 * So does a bit that is none of these.
 */
#ifndef NUMASLAB_GFP_H
#define NUMASLAB_GFP_H

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned int gfp_t;

/* What the caller can stand. */
#define __GFP_DIRECT_RECLAIM ((gfp_t)0x0001u) /* may wait and reclaim */
#define __GFP_KSWAPD_RECLAIM ((gfp_t)0x0002u) /* no meaning here */
#define __GFP_IO             ((gfp_t)0x0004u) /* shrinkers, with both */
#define __GFP_FS             ((gfp_t)0x0008u) /* of these two */
#define __GFP_RECLAIM        (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)

/* What it wants. */
#define __GFP_ZERO     ((gfp_t)0x0100u) /* zeroed object */
#define __GFP_THISNODE ((gfp_t)0x0200u) /* this node or fail: no spill */
#define __GFP_ACCOUNT  ((gfp_t)0x0400u) /* charged: account.h */
#define __GFP_NOWARN   ((gfp_t)0x0800u) /* no failure is ever printed */

/* How often to try.  None of the three: reclaim once, as NORETRY. */
#define __GFP_NORETRY       ((gfp_t)0x1000u) /* reclaim once, then fail */
#define __GFP_RETRY_MAYFAIL ((gfp_t)0x2000u) /* wait for others, then fail */
#define __GFP_NOFAIL        ((gfp_t)0x4000u) /* wait for ever */

/* The reserve of a node. */
#define __GFP_HIGH     ((gfp_t)0x10000u) /* may use it */
#define __GFP_MEMALLOC ((gfp_t)0x20000u) /* may use it */
#define __GFP_NOMEMALLOC                                    \
	((gfp_t)0x40000u) /* may not, whatever else is said \
			   */

/* Accepted, without a meaning in user space. */
#define __GFP_DMA         ((gfp_t)0x100000u)
#define __GFP_DMA32       ((gfp_t)0x200000u)
#define __GFP_HIGHMEM     ((gfp_t)0x400000u)
#define __GFP_MOVABLE     ((gfp_t)0x800000u)
#define __GFP_RECLAIMABLE ((gfp_t)0x1000000u)
#define __GFP_WRITE       ((gfp_t)0x2000000u)
#define __GFP_HARDWALL    ((gfp_t)0x4000000u)
#define __GFP_COMP        ((gfp_t)0x8000000u)

/* The combinations that callers use. */
#define GFP_KERNEL         (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT         (__GFP_KSWAPD_RECLAIM | __GFP_NOWARN)
#define GFP_ATOMIC         (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_NOIO           __GFP_RECLAIM
#define GFP_NOFS           (__GFP_RECLAIM | __GFP_IO)
#define GFP_USER           (GFP_KERNEL | __GFP_HARDWALL)
#define GFP_HIGHUSER       (GFP_USER | __GFP_HIGHMEM)

#ifdef __cplusplus
}
#endif
#endif
