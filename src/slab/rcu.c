/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/rcu.c - memory that goes back only after a grace period.
 *
 * 1. Grace periods are those of the program's engine (numaslab/rcu.h).  It is
 *    set once, before there is anything for it to do.
 * 2. The objects of a SLAB_TYPESAFE_BY_RCU cache are used again at once, as
 *    any others.  Only the run of a slab that empties waits: the slab is
 *    deleted, so that no list and no word leads to it, and buried (slab.c, 6).
 *    From there it goes to the engine, whose thread runs its destructors and
 *    frees its run.
 * 3. An engine may allocate, may hold locks of its own while it does, and may
 *    want to be called only by threads that it knows.  So it is called with no
 *    lock held, and only by calls about such a cache.
 * 4. Until the run is free its descriptor says "slab": a late free of an
 *    object there is found to be a double one.
 * 5. kfree_rcu needs no pointer beside its head: a block's start is arithmetic
 *    on any address in its first unit.
 */
#include "slab/fast.h"

#include <errno.h>

#define HEAD_END 4096u /* where kfree_rcu's field begins at the latest */

static const struct kmem_rcu_ops *engine; /* [a] set once */
static uint64_t pending; /* [a] blocks given to kfree_rcu, not yet free */

ns_export int
kmem_rcu_set_ops(const struct kmem_rcu_ops *ops)
{
	const struct kmem_rcu_ops *old = NULL;

	if (ops == NULL || ops->call == NULL || ops->synchronize == NULL ||
	    ops->barrier == NULL) {
		errno = EINVAL;
		return -1;
	}
	/* Releases what ops points at to the acquire in engine_for. */
	if (ns_cas_acq_rel(&engine, &old, ops) || old == ops)
		return 0;
	errno = EBUSY;
	return -1;
}

bool
ns_rcu_is_set(void)
{
	return ns_load_relaxed(&engine) != NULL;
}

static const struct kmem_rcu_ops *
engine_for(const char *call, const void *p)
{
	const struct kmem_rcu_ops *ops = ns_load_acquire(&engine);

	if (ops == NULL)
		ns_broken(call, NULL, p, "no engine is set (kmem_rcu_set_ops)");
	return ops;
}

/* Slabs. */

/* A grace period is over; in the engine's thread. */
static void
dissolve(struct kmem_rcu_head *head)
{
	ns_slab_dissolve(ns_container_of(head, struct ns_slab, rcu));
}

void
ns_rcu_defer(struct ns_slab *s)
{
	s->rcu.func = dissolve;
	engine_for("kmem_cache_free", s)->call(&s->rcu);
}

void
ns_rcu_barrier(void)
{
	engine_for("kmem_cache_destroy", NULL)->barrier();
}

/* Blocks. */

void
ns_rcu_wait(void)
{
	/* The frees it has seen are over: pairs with free_block. */
	if (ns_load_acquire(&pending) != 0)
		engine_for("kvfree_rcu_barrier", NULL)->barrier();
}

static void *
start_of(void *p)
{
	struct ns_slab *s = ns_slab_of(p);
	size_t off;

	if (s->kind != NS_KIND_SLAB)
		return ns_slab_base(s);
	off = (size_t)((char *)p - s->first);
	return s->first + off / s->size * s->size;
}

static void
free_block(struct kmem_rcu_head *head)
{
	ns_kfree(start_of(head), "kfree_rcu");
	__atomic_sub_fetch(&pending, 1, __ATOMIC_RELEASE);
}

static _Noreturn void
no_head(const void *p, size_t offset)
{
	char rule[48];

	ns_format(rule, sizeof(rule), "no head fits at offset %zu", offset);
	ns_broken("kfree_rcu", NULL, p, rule);
}

ns_export void
kfree_rcu_at(void *p, size_t offset)
{
	const struct kmem_rcu_ops *ops = engine_for("kfree_rcu", p);
	struct kmem_rcu_head *head;

	if (ZERO_OR_NULL_PTR(p))
		return;
	head = (void *)((char *)p + offset);
	if (offset >= HEAD_END || offset % sizeof(void *) != 0 ||
	    offset + sizeof(*head) > ns_usable_size(p, "kfree_rcu"))
		no_head(p, offset);
	ns_add_relaxed(&pending, 1ul);
	head->func = free_block;
	ops->call(head);
}

ns_export void
kfree_rcu_mightsleep(void *p)
{
	const struct kmem_rcu_ops *ops = engine_for("kfree_rcu_mightsleep", p);

	if (ZERO_OR_NULL_PTR(p))
		return;
	ops->synchronize();
	ns_kfree(p, "kfree_rcu_mightsleep");
}

ns_export void
kvfree_rcu_barrier(void)
{
	ns_rcu_wait();
}
