/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/rcu.c - memory that goes back only after a grace period.
 *
 * 1. Grace periods are those of the program's engine (numaslab/rcu.h).  It is
 *    set once, before there is anything for it to do.
 * 2. The objects of a SLAB_TYPESAFE_BY_RCU cache are used again at once, as
 *    any others.  Only the run of a slab that empties waits: the slab is
 *    deleted, so that no list and no word leads to it, but *buried* in its
 *    cache's stack and not freed.  The stack is passed on to the engine, slab
 *    by slab, and each slab's run is freed by the engine's thread.
 * 3. An engine may allocate, may hold locks of its own while it does, and may
 *    want to be called only by threads that it knows.  So it is called with no
 *    lock held, and only by calls about such a cache.  What dies otherwise
 *    (a thread ends, or another cache needs memory) waits in the stack for the
 *    next such call.
 * 4. A stack is pushed by CAS and taken as a whole, so there is no ABA.  What
 *    another thread has taken and not yet passed on is lost to fork()'s child.
 * 5. Until the run is free its descriptor says "slab": a late free of an
 *    object there is found to be a double one.
 * 6. kfree_rcu needs no pointer beside its head: a block's start is arithmetic
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
engine_for(const char *call)
{
	const struct kmem_rcu_ops *ops = ns_load_acquire(&engine);

	if (ops == NULL)
		ns_fatal("%s: no engine is set (kmem_rcu_set_ops)", call);
	return ops;
}

/* Slabs. */

void
ns_rcu_bury(struct kmem_cache *c, struct ns_slab *s)
{
	struct ns_slab *top = ns_load_relaxed(&c->dead);

	do
		s->rcu.space[0] = top;
	while (!ns_cas_release(&c->dead, &top, s));
}

/* A grace period is over; in the engine's thread. */
static void
free_run(struct kmem_rcu_head *head)
{
	struct ns_slab *s = ns_container_of(head, struct ns_slab, rcu);

	ns_run_free((struct ns_unit *)(void *)s, false);
}

void
ns_rcu_hand_over(struct kmem_cache *c)
{
	const struct kmem_rcu_ops *ops = engine_for(c->name);
	/* Pairs with the CAS of ns_rcu_bury. */
	struct ns_slab *s = ns_xchg_acquire(&c->dead, NULL), *next;

	for (; s != NULL; s = next) {
		next = s->rcu.space[0];
		s->rcu.func = free_run;
		ops->call(&s->rcu);
	}
}

void
ns_rcu_drain(struct kmem_cache *c)
{
	ns_rcu_settle(c);
	engine_for(c->name)->barrier();
}

/* Blocks. */

void
ns_rcu_wait(void)
{
	/* The frees it has seen are over: pairs with free_block. */
	if (ns_load_acquire(&pending) != 0)
		engine_for("kvfree_rcu_barrier")->barrier();
}

static void *
start_of(void *p)
{
	struct ns_slab *s = ns_slab_of(p);
	size_t off;

	if (s->kind != NS_KIND_SLAB)
		return ns_unit_addr((struct ns_unit *)(void *)s);
	off = (size_t)((char *)p - s->first);
	return s->first + off / s->size * s->size;
}

static void
free_block(struct kmem_rcu_head *head)
{
	kfree(start_of(head));
	__atomic_sub_fetch(&pending, 1, __ATOMIC_RELEASE);
}

ns_export void
kfree_rcu_at(void *p, size_t offset)
{
	const struct kmem_rcu_ops *ops = engine_for("kfree_rcu");
	struct kmem_rcu_head *head;

	if (ZERO_OR_NULL_PTR(p))
		return;
	head = (void *)((char *)p + offset);
	if (offset >= HEAD_END || offset % sizeof(void *) != 0 ||
	    offset + sizeof(*head) > ns_usable_size(p))
		ns_fatal("kfree_rcu of %p: no head fits at offset %zu", p,
			 offset);
	ns_add_relaxed(&pending, 1ul);
	head->func = free_block;
	ops->call(head);
}

ns_export void
kfree_rcu_mightsleep(void *p)
{
	const struct kmem_rcu_ops *ops = engine_for("kfree_rcu_mightsleep");

	if (ZERO_OR_NULL_PTR(p))
		return;
	ops->synchronize();
	kfree(p);
}

ns_export void
kvfree_rcu_barrier(void)
{
	ns_rcu_wait();
}
