/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that readers without a lock may still look at (RCU).
 *
 * The library has no grace periods of its own: the program's RCU, liburcu for
 * one (urcu.h), is made known by kmem_rcu_set_ops.  Then there are caches with
 * SLAB_TYPESAFE_BY_RCU (kmem.h) and kfree_rcu.
 *
 * Thread safety: any thread that may call the engine's functions may call
 * these at any time.  No lock of the library is held while the engine is
 * called, and none of a grace period's readers may wait for the caller of a
 * function that waits.
 */
#ifndef NUMASLAB_RCU_H
#define NUMASLAB_RCU_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What waits for a grace period; from the call on until func the engine's. */
struct kmem_rcu_head {
	void *space[2];                           /* for the engine's use */
	void (*func)(struct kmem_rcu_head *head); /* the library's */
};

/*
 * An engine.
 * call: after a grace period, in any thread, call head->func(head), once.  Is
 *       called by kfree_rcu and by calls that allocate from, free to, shrink
 *       or destroy a cache with SLAB_TYPESAFE_BY_RCU; does not wait.  It may
 *       allocate, but not from such a cache.
 * synchronize: return after a grace period.
 * barrier: return when func has returned for each head that was passed to call
 *       before.
 */
struct kmem_rcu_ops {
	void (*call)(struct kmem_rcu_head *head);
	void (*synchronize)(void);
	void (*barrier)(void);
};

/*
 * kmem_rcu_set_ops - make the program's engine known, once and for all.
 * @ops is not copied and must stay.  Returns 0, also when it is set already,
 * or -1 with errno EINVAL (@ops or one of its functions is NULL) or EBUSY
 * (another is set).
 */
int kmem_rcu_set_ops(const struct kmem_rcu_ops *ops);

/*
 * kfree_rcu, kvfree_rcu - free @ptr after a grace period; never waits.
 * @ptr is what kmalloc or kmem_cache_alloc returned, and is now the library's;
 * NULL is ignored.  @field is a struct kmem_rcu_head in it, within its first
 * 4096 bytes.  Without an engine, and when @ptr is no live block, the process
 * aborts with one line.  After Linux's rcupdate.h.
 * kfree_rcu_at - the function behind them, @offset being the field's.
 */
void kfree_rcu_at(void *ptr, size_t offset);
#define kfree_rcu(ptr, field) \
	kfree_rcu_at((ptr), offsetof(__typeof__(*(ptr)), field))
#define kvfree_rcu(ptr, field) kfree_rcu((ptr), field)

/*
 * kfree_rcu_mightsleep, kvfree_rcu_mightsleep - wait for a grace period, then
 * free @ptr, which needs no field.  NULL is ignored.
 */
void kfree_rcu_mightsleep(void *ptr);
#define kvfree_rcu_mightsleep(ptr) kfree_rcu_mightsleep(ptr)

/*
 * kvfree_rcu_barrier - wait until all that was passed to kfree_rcu before is
 * free.
 */
void kvfree_rcu_barrier(void);

#ifdef __cplusplus
}
#endif
#endif
