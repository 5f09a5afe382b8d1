/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/page.h - the reservation, and each node's pool of page runs.
 *
 * A request for a run is satisfied in this order:
 *  1. a partly used 2 MiB extent, the fullest in which it fits;
 *  2. free whole extents, the smallest range that fits;
 *  3. fresh extents, by committing more of the node's span;
 *  4. the same on the next node in distance order (unless strict).
 *
 *	ns_base                                              ns_base + ns_total
 *	|<- span of slot 0 ->|<- span of slot 1 ->| ... |
 *	|unit|unit|unit|.....|                            64 KiB each
 *	|<- extent: 32 units ->|                          2 MiB
 *
 *	unit u = (p - ns_base) >> NS_UNIT_SHIFT,  node slot = u >> units_shift
 *	struct ns_unit ns_units[u]: out of band, demand-zero, on its node
 *
 * A *run* is a number of consecutive units; its first unit's descriptor
 * says what it is and how long, the others say how far back the first is
 * (in runs of up to an extent; nobody asks about the inside of longer ones).
 * What the kind-specific part of a descriptor means belongs to the layer
 * that took the run.
 */
#ifndef NS_PAGE_H
#define NS_PAGE_H

#include "base/base.h"
#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "topo/topo.h"

#pragma GCC visibility push(hidden)

#define NS_UNIT_SHIFT   16
#define NS_UNIT         (1ul << NS_UNIT_SHIFT)
#define NS_EXTENT_SHIFT 21
#define NS_EXTENT       (1ul << NS_EXTENT_SHIFT)
#define NS_EXTENT_UNITS 32u

enum ns_kind {
	NS_KIND_FREE = 0, /* not part of a run */
	NS_KIND_SLAB,     /* slab/: objects of one cache */
	NS_KIND_LARGE,    /* slab/large.c: one malloc block */
	NS_KIND_HEAP,     /* slab/: heaps and caches */
	NS_KIND_VM,       /* vm/: pages */
};

#define NS_UNIT_BODY 104

/* [p] the pool's lock, [h] a hold's; [k] the layer named by kind. */
struct ns_unit {
	uint32_t
	    back;     /* [p] or [h], bytes back to the run's first descriptor */
	uint8_t kind; /* [a] stored release once the body is ready */
	uint8_t zero; /* [k] the run was all zero when it was taken */
	uint16_t slot;   /* [k] whose span it lies in */
	uint64_t gate;   /* [k] 0 unless the layer sets it in any of a run's
			    units, and then 0 again: what free() looks at */
	uint32_t nunits; /* [p] or [h], first unit: length of the run */
	uint32_t gate2;  /* [k] the same, for kmem_cache_free() */
	union {
		char body[NS_UNIT_BODY]; /* [k] */
		uint64_t align;
	};
};
_Static_assert(sizeof(struct ns_unit) == 128, "two cache lines a unit");
_Static_assert(offsetof(struct ns_unit, back) == 0, "the fast path's load");

/* [I] all of them, once ns_page_init has returned. */
extern char *ns_base;
extern size_t ns_total;
extern unsigned ns_span_shift;
extern struct ns_unit *ns_units;

/*
 * Setting a layer up happens under this lock, which fork() takes too: so a
 * child never finds a layer half set up by a thread that it does not have.
 */
extern struct ns_lock ns_wake_lock; /* NS_RANK_WAKE */

/*
 * Reserves the address space.  Idempotent.  Returns 0 or -ENOMEM.  The second
 * is for a layer that holds ns_wake_lock.
 */
int ns_page_init(void);
int ns_page_init_locked(void);

ns_inline bool
ns_ours(const void *p)
{
	return (uintptr_t)p - (uintptr_t)ns_base < ns_total;
}

ns_inline unsigned
ns_slot_of(const void *p)
{
	return (unsigned)(((uintptr_t)p - (uintptr_t)ns_base) >> ns_span_shift);
}

/*
 * The first descriptor of the run that @u is in, and @u itself when it is in
 * none: one load, no branch.
 */
ns_inline struct ns_unit *
ns_unit_head(struct ns_unit *u)
{
	return (struct ns_unit *)(void *)((char *)u -
					  ns_load_relaxed(&u->back));
}

/*
 * A slot's part of the two, for whoever asks about it often.  ns_unit_in - the
 * descriptor of the unit that @p lies in, or NULL: elsewhere.
 * ns_unit_at - of the unit at @off in the window.
 */
struct ns_window {
	uintptr_t base;
	size_t size;
	struct ns_unit *units;
};

ns_inline struct ns_unit *
ns_unit_at(const struct ns_window *w, size_t off)
{
	struct ns_unit *u = w->units + (off >> NS_UNIT_SHIFT);

	if (u == NULL)
		__builtin_unreachable(); /* the caller need not test twice */
	return u;
}

ns_inline struct ns_unit *
ns_unit_in(const struct ns_window *w, const void *p)
{
	size_t off = (uintptr_t)p - w->base;

	return ns_likely(off < w->size) ? ns_unit_at(w, off) : NULL;
}

struct ns_window ns_window_of(unsigned slot); /* page/reserve.c */

/* The descriptor of the unit that @p lies in; @p must be ours. */
ns_inline struct ns_unit *
ns_unit_of(const void *p)
{
	return ns_units +
	       (((uintptr_t)p - (uintptr_t)ns_base) >> NS_UNIT_SHIFT);
}

ns_inline char *
ns_unit_addr(const struct ns_unit *u)
{
	return ns_base + ((uintptr_t)(u - ns_units) << NS_UNIT_SHIFT);
}

/*
 * Every descriptor is readable from the start (the zero page, kind FREE) and
 * becomes writable as its node's span is committed.
 *
 * ns_run_of - the head descriptor of the run that @p is in, or NULL: not in a
 * run.
 */
ns_inline struct ns_unit *
ns_run_of(const void *p)
{
	struct ns_unit *u;

	if (!ns_ours(p))
		return NULL;
	u = ns_unit_head(ns_unit_of(p));
	return ns_load_acquire(&u->kind) != NS_KIND_FREE ? u : NULL;
}

#define NS_RUN_STRICT 0x1u   /* this slot or fail */
#define NS_RUN_ZERO   0x2u   /* prefer units known to be zero */
#define NS_RUN_NOGROW 0x4u   /* no system call: what is committed, or fail */
#define NS_RUN_OVER   0x8u   /* past a limit that was not asked for */
#define NS_RUN_OWN    0x10u  /* the library's own records: past any limit */
#define NS_RUN_KEEP   0x20u  /* leave the node's reserve alone */
#define NS_RUN_ROOM   0x40u  /* with much room behind it, to grow */
#define NS_RUN_LARGE  0x80u  /* spills as the policy for large blocks says */
#define NS_RUN_SPREAD 0x100u /* will be spread by it */

/*
 * ns_run_alloc - take a run of @nunits units near @slot.
 * @align: in units, a power of two; runs above one extent start an extent.
 *
 * Returns the head descriptor: body all zero, kind NS_KIND_FREE until the
 * caller publishes it with ns_run_publish, nunits, back, slot and zero set.
 * NULL: no memory.  Takes pool locks one at a time.
 */
struct ns_unit *ns_run_alloc(unsigned slot, size_t nunits, size_t align,
			     unsigned flags);

ns_inline void
ns_run_publish(struct ns_unit *u, enum ns_kind kind)
{
	/* Pairs with the acquire in ns_run_of. */
	ns_store_release(&u->kind, (uint8_t)kind);
}

/* Give a run back.  @clean: its memory is zero again (never written). */
void ns_run_free(struct ns_unit *u, bool clean);

/*
 * ns_run_grow - extend a run in place to @nunits.  Returns true if the units
 * behind it were free and now belong to it.  They may be dirty: u->zero is
 * cleared unless they were zero too.
 */
bool ns_run_grow(struct ns_unit *u, size_t nunits);

/*
 * ns_run_move - the contents of @from become @to's, which is at least as long,
 * without a copy; then @from's memory is zero.  False: nothing was done, for
 * it is not worth it, or not possible.
 */
bool ns_run_move(struct ns_unit *from, struct ns_unit *to);

/*
 * A run whose pages lie where interleave has them (page/spread.c), not all on
 * its slot.  It is taken with NS_RUN_LARGE and NS_RUN_SPREAD.
 * ns_spread_slot - from where; NS_NO_SLOT: its @n units cannot be spread, for
 * that is refused, or passes a node's limit.
 * ns_spread_share - how many of them are on @slot, to within one.
 * ns_run_spread - units [at, at + n) of @u, which are zero then.  False:
 * nothing was done, but that they may be zero. ns_run_gather - undoes it,
 * before those units go back; the memory is dropped. True: they are zero.  The
 * caller remembers which units are spread, by which policy.
 */
bool ns_spread_fits(const struct ns_policy *policy, size_t n);
unsigned ns_spread_slot(const struct ns_policy *policy, size_t n);
size_t ns_spread_share(const struct ns_policy *policy, unsigned slot, size_t n);
bool ns_run_spread(struct ns_unit *u, size_t at, size_t n,
		   const struct ns_policy *policy);
bool ns_run_gather(struct ns_unit *u, size_t at, size_t n,
		   const struct ns_policy *policy);

/*
 * ns_run_split - of a run that nobody knows yet, or no more, make two: the
 * first @nunits, and the rest, whose head is returned.
 */
struct ns_unit *ns_run_split(struct ns_unit *u, size_t nunits);

/*
 * A part of a run that is longer than an extent: @nunits units from its
 * @at-th on, within one extent, whose holder shall be found by an address in
 * it.  ns_run_part returns the part's descriptor, which is the run's own for
 * the first part, and else to be published; ns_run_unpart undoes it, before
 * the run is given back.
 */
struct ns_unit *ns_run_part(struct ns_unit *u, size_t at, size_t nunits);
void ns_run_unpart(struct ns_unit *part, size_t nunits);

/* Give back the units of a run beyond the first @nunits. */
void ns_run_shrink(struct ns_unit *u, size_t nunits);

/*
 * A hold is the free units that one heap keeps for its next runs, out of the
 * pool's reach but in its account as used (page/hold.c).  All of it is under
 * the lock of whoever embeds it: [h].  All zero, it is empty.
 */
#define NS_HOLD_EXTENTS 32u /* bits of map */
#define NS_HOLD_RUN     16u /* units of the longest run it takes in: 1 MiB */

struct ns_hold {
	uint32_t units;                   /* [h] held */
	uint32_t allow;                   /* [h] the most that may be */
	uint32_t moves;                   /* [h] runs in and out */
	uint32_t map;                     /* [h] places with units */
	uint16_t victim;                  /* [h] place that goes next */
	bool spilled;                     /* [h] some went, for it was full */
	bool told;                        /* [h] maint.c knows of it */
	uint32_t extent[NS_HOLD_EXTENTS]; /* [h] index in ns_extents */
	uint32_t bits[NS_HOLD_EXTENTS];   /* [h] which of its units; 0: none */
};

/*
 * ns_hold_alloc - as ns_run_alloc, from what is held: NULL is a miss, after
 * which the pool may be asked.  The run's memory is not zero.  @room: with
 * NS_HOLD_RUN units from its start on, unless it is but one unit.
 * ns_hold_free, _shrink, _grow - as ns_run_free and so on; false: nothing was
 * done, and the pool has to.
 * ns_hold_release - everything goes back to the pool.
 */
struct ns_unit *ns_hold_alloc(struct ns_hold *h, size_t nunits, size_t align,
			      bool room);
bool ns_hold_free(struct ns_hold *h, struct ns_unit *u);
bool ns_hold_shrink(struct ns_hold *h, struct ns_unit *u, size_t nunits);
bool ns_hold_grow(struct ns_hold *h, struct ns_unit *u, size_t nunits);
void ns_hold_release(struct ns_hold *h);

/* One node's figures, in bytes (page/pool.c). */
struct ns_pool_stat {
	uint64_t used, retained, committed, span, limit, spilled, purged;
	uint64_t huge; /* bytes in fully used extents */
};

void ns_pool_stat(unsigned slot, struct ns_pool_stat *st);

/* Count @bytes on @slot that were asked of another node. */
void ns_pool_count_spill(unsigned slot, size_t bytes);

/* @units more (or less) of @slot hold objects that a shrinker may free. */
void ns_pool_count_reclaimable(unsigned slot, int64_t units);

/* Units that could still be given out by @slot without spilling. */
size_t ns_pool_available(unsigned slot);

/* Purge until at most @keep bytes are retained on @slot; bytes purged. */
size_t ns_pool_purge(unsigned slot, size_t keep);

/* Purge what has been free for the decay time; bytes still retained. */
size_t ns_pool_decay(unsigned slot, uint64_t now_ms);

/* Maintenance (page/maint.c): one thread, started when it is worth it. */
void ns_maint_poke(void); /* from slow paths that hold no lock */
void ns_maint_fork_child(void);
void ns_maint_dirty(void); /* there is something new to look after */

/*
 * [a] Called while memory is retained: a layer above gives back what only it
 * knows of.  True: there is more to do.  NULL until that layer wakes up.
 */
enum ns_maint_layer { NS_MAINT_SLAB, NS_MAINT_VM, NS_MAINT_LAYERS };
extern bool (*ns_maint_idle[NS_MAINT_LAYERS])(void);

/* [a] The same when memory is short: what vm keeps at hand.  No lock held. */
extern void (*ns_vm_give_all)(void);

/*
 * fork: slab/fork.c takes every lock.  A sibling layer that it must not know
 * registers here: lock, unlock (parent), and child, which re-initialises.
 */
struct ns_fork_hooks {
	void (*lock)(void);
	void (*unlock)(void);
	void (*child)(void);
};
extern struct ns_fork_hooks ns_fork_vm; /* NULL until vm/ is used */

/* fork (slab/fork.c calls): all pool locks, in slot order. */
void ns_pools_lock(void);
void ns_pools_unlock(void);
void ns_pools_fork_child(void);

/* Debug builds: every pool's books are right (tests call it too). */
void ns_pool_check(unsigned slot);

#pragma GCC visibility pop
#endif
