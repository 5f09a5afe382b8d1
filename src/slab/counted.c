/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/counted.c - caches with a limit, an account or a policy of their own.
 *
 * 1. They are special (slab.h), since something is to be done for each object:
 *    fast paths see bin 0 in the place of theirs, and find nothing in it.  But
 *    nobody looks at what is free, so they have magazines as others do.
 * 2. Limits and accounts are exact, object by object, whichever thread asks:
 *    one atomic operation each way for each of them.  A magazine's objects are
 *    free, and nobody's.
 * 3. A policy spreads a thread's objects over nodes, so the thread keeps those
 *    of every node that it frees, in the heap it has there.
 * 4. What is not at hand, is above a limit or watched takes the way of
 *    object.c, where flags matter and the program may be called.
 */
#include "slab/counted.h"

#include "slab/account.h"
#include "slab/fast.h"

/* A limit is one for a cache and its twin. */
static struct kmem_cache *
counted_by(struct kmem_cache *c)
{
	return c->original != NULL ? c->original : c;
}

bool
ns_limit_charge(struct kmem_cache *c)
{
	uint64_t taken;

	if (c->limit == 0)
		return true;
	c = counted_by(c);
	taken = ns_load_relaxed(&c->taken);
	do
		if (taken >= c->limit)
			return false;
	while (!ns_cas_acquire(&c->taken, &taken, taken + 1));
	return true;
}

void
ns_limit_uncharge(struct kmem_cache *c)
{
	if (c->limit != 0)
		ns_sub_relaxed(&counted_by(c)->taken, 1ul);
}

unsigned
ns_place(struct kmem_cache *c)
{
	const struct ns_heap *h = ns_home;
	unsigned cpu = ns_load_relaxed(h->cpu_word);

	if (ns_topo.nslots == 1)
		return 0;
	if (h->cpu_word == &h->cpu || h->thread == NULL)
		ns_os_getcpu(&cpu, NULL);
	return ns_policy_pick(c->policy, ns_topo_slot_of_cpu(cpu), &c->turn);
}

/* The thread's bin on @slot, or at home; NULL: it has none, or is not there. */
static struct ns_bin *
bin_on(const struct kmem_cache *c, unsigned slot)
{
	struct ns_heap *h = ns_home;

	if (slot == NS_NO_SLOT ? !ns_at_home(h) : h->thread == NULL)
		return NULL;
	if (slot != NS_NO_SLOT && slot != h->slot)
		h = h->thread->slot[slot].heap;
	return h != NULL && c->id < h->nbins ? &h->bin[c->id] : NULL;
}

void *
ns_counted_alloc(struct kmem_cache *c, unsigned slot)
{
	struct numaslab_account *payer = NULL;
	struct ns_bin *bin = bin_on(c, slot);
	bool charged = (c->flags & SLAB_ACCOUNT) != 0;
	void *obj;

	if (bin == NULL || *bin->top == NULL || !ns_limit_charge(c))
		return NULL; /* the magazine of a watched cache is empty */
	if (charged) {
		payer = ns_account_for(c);
		if (!ns_account_try(payer, ns_account_price(c))) {
			ns_limit_uncharge(c);
			return NULL;
		}
	}
	obj = ns_bin_pop(bin, c->link_off);
	if (charged)
		*ns_account_of(ns_slab_of(obj), obj) = payer;
	return obj;
}

bool
ns_counted_free(struct ns_slab *s, void *obj, const char *call)
{
	struct kmem_cache *c = s->cache;
	struct ns_bin *bin;

	if (ns_is_watched(c) || (c->policy == NULL && s->slot != ns_home->slot))
		return false;
	bin = bin_on(c, s->slot);
	if (bin == NULL || bin->top >= bin->limit)
		return false;
	ns_check_object(s, obj, call);
	ns_count_free(obj);
	ns_free_of(c, obj)->mark = s->mark;
	bin->top[1] = obj;
	ns_store_release(&bin->top, bin->top + 1); /* for fork's child */
	ns_limit_uncharge(c);
	ns_account_return(s, obj); /* last: it may free the account */
	return true;
}
