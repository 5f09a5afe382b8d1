/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * liburcu as the engine of rcu.h: kmem_rcu_set_ops(&kmem_urcu_ops).
 *
 * Include the flavor's header first, urcu-qsbr.h for one; without any this
 * includes urcu.h.  The program links that flavor's library; numaslab's do not
 * need it.  A thread must be registered with liburcu, if its flavor asks that,
 * before it calls what rcu.h says may call the engine.
 */
#ifndef NUMASLAB_URCU_H
#define NUMASLAB_URCU_H

#include <numaslab/rcu.h>

#ifndef call_rcu
#include <urcu.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* liburcu's head fits into the space of ours, and is its first member. */
typedef char kmem_urcu_head_fits
    [sizeof(struct rcu_head) <= offsetof(struct kmem_rcu_head, func) ? 1 : -1];

/* What call_rcu's thread runs; for kmem_urcu_call. */
static inline void
kmem_urcu_done(struct rcu_head *head)
{
	struct kmem_rcu_head *h = (struct kmem_rcu_head *)(void *)head;

	h->func(h);
}

/* The engine's call: any thread, does not wait. */
static inline void
kmem_urcu_call(struct kmem_rcu_head *head)
{
	call_rcu((struct rcu_head *)(void *)head, kmem_urcu_done);
}

/* The engine's synchronize: waits, so not for a reader. */
static inline void
kmem_urcu_synchronize(void)
{
	synchronize_rcu();
}

/* The engine's barrier: waits likewise. */
static inline void
kmem_urcu_barrier(void)
{
	rcu_barrier();
}

/* The engine, for kmem_rcu_set_ops. */
static const struct kmem_rcu_ops kmem_urcu_ops
    __attribute__((unused)) = { kmem_urcu_call, kmem_urcu_synchronize,
				kmem_urcu_barrier };

#ifdef __cplusplus
}
#endif
#endif
