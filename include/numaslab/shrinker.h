/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shrinkers: how a program's caches give memory back when it is short, after
 * Linux's shrinker.h.
 *
 * A program that keeps objects only because they may be of use again tells
 * how many there are (count_objects), and frees some when it is asked to
 * (scan_objects).  It is asked when a request that may wait, and has both
 * __GFP_IO and __GFP_FS (as GFP_KERNEL has), found no memory: first for a few
 * in a thousand, then ever more, until there is room or nothing is left.  And
 * by drop_slab.  malloc and vm_page_alloc never ask.
 *
 * Both functions run in the thread whose request it is, with no lock of this
 * library held.  They may allocate and free: what they ask for may use the
 * reserves (gfp.h) and calls no shrinker.  Several threads may be in them at
 * once.  The program must not hold a lock that they take while it makes such a
 * request; GFP_NOFS is for that.
 *
 * Thread safety: every function may be called by any thread at any time.
 * Errors: a shrinker that was freed aborts with one line on stderr.
 */
#ifndef NUMASLAB_SHRINKER_H
#define NUMASLAB_SHRINKER_H

#include <numaslab/gfp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the two functions are asked, and answer. */
struct shrink_control {
	gfp_t gfp_mask;           /* of the request */
	int nid;                  /* free objects of this node */
	unsigned long nr_to_scan; /* look at so many objects */
	unsigned long nr_scanned; /* looked at; nr_to_scan unless changed */
};

#define SHRINK_STOP  (~0ul)     /* scan_objects: no more this time */
#define SHRINK_EMPTY (~0ul - 1) /* count_objects: there is none at all */

/* shrinker_alloc's flag: called for each node, not once for all. */
#define SHRINKER_NUMA_AWARE 0x1u

#define DEFAULT_SEEKS 2   /* of an object that is as dear as most */
#define SHRINK_BATCH  128 /* objects scanned at a time */

/*
 * What the program sets between shrinker_alloc and shrinker_register.
 * count_objects returns the objects that could be freed, 0 for none now.
 * scan_objects looks at up to nr_to_scan of them, and returns how many it
 * freed, or SHRINK_STOP.
 */
struct shrinker {
	unsigned long (*count_objects)(struct shrinker *shrinker,
				       struct shrink_control *sc);
	unsigned long (*scan_objects)(struct shrinker *shrinker,
				      struct shrink_control *sc);
	long batch;         /* objects at a time; 0: SHRINK_BATCH */
	int seeks;          /* what it costs to make one again, from 1 on;
			       0: nothing, half of them go each time */
	unsigned int flags; /* shrinker_alloc's; do not change */
	void *private_data; /* the program's */
};

/*
 * shrinker_alloc - a shrinker that is not called yet.
 * @flags: 0 or SHRINKER_NUMA_AWARE.
 * @fmt:   as printf: its name, of which 31 bytes are kept.
 * The caller owns it until shrinker_free.  seeks is DEFAULT_SEEKS, all else 0.
 * NULL with errno EINVAL (an unknown flag, no name) or ENOMEM.
 */
struct shrinker *shrinker_alloc(unsigned int flags, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

/*
 * shrinker_register - call it from now on.  Aborts if one of its two functions
 * is NULL, if seeks or batch is negative, or if it is registered already.
 */
void shrinker_register(struct shrinker *shrinker);

/*
 * shrinker_free - never call it again, and free it; NULL is ignored.  Waits
 * for threads that are in its functions, so aborts when called from one.
 */
void shrinker_free(struct shrinker *shrinker);

/*
 * drop_slab - have all shrinkers free what they can, on every node, then give
 * back the empty slabs that the calling thread has at hand.  Returns how many
 * objects were freed.  Called from a shrinker it does nothing, and returns 0.
 * Pages go back to the system later, or at once with numaslab_trim.
 */
unsigned long drop_slab(void);

#ifdef __cplusplus
}
#endif
#endif
