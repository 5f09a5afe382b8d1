/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/account.h - who pays for an object (account.c).
 *
 * A slab of a cache with SLAB_ACCOUNT begins with a pointer for each of its
 * objects, in the slab's lead: the account it is charged to, or NULL.
 */
#ifndef NS_ACCOUNT_H
#define NS_ACCOUNT_H

#include "numaslab/account.h"

#include "slab/slab.h"

#pragma GCC visibility push(hidden)

/* The account that a request of @c is charged to, or NULL. */
struct numaslab_account *ns_account_for(const struct kmem_cache *c);

/* @bytes more, or false: that is above the limit.  NULL pays everything. */
bool ns_account_charge(struct numaslab_account *a, size_t bytes, gfp_t gfp);
void ns_account_uncharge(struct numaslab_account *a, size_t bytes);
/* The same only if it is below the limit: nobody is called, nothing counted. */
bool ns_account_try(struct numaslab_account *a, size_t bytes);

/* A cache, or a thread, has it. */
void ns_account_get(struct numaslab_account *a);
void ns_account_attach(struct numaslab_account *a); /* dies of a dead one */
void ns_account_put(struct numaslab_account *a);

/* What an object of @c costs. */
ns_inline size_t
ns_account_price(const struct kmem_cache *c)
{
	return c->size + sizeof(struct numaslab_account *);
}

/* Where it is noted for an object of an accounted cache. */
ns_inline struct numaslab_account **
ns_account_of(const struct ns_slab *s, const void *obj)
{
	void *base = ns_slab_base(s);

	return (struct numaslab_account **)base + ns_index_of(s, obj);
}

/* An object is freed, of a cache that may be accounted. */
ns_inline void
ns_account_return(const struct ns_slab *s, const void *obj)
{
	if ((s->cache->flags & SLAB_ACCOUNT) != 0)
		ns_account_uncharge(*ns_account_of(s, obj),
				    ns_account_price(s->cache));
}

#pragma GCC visibility pop
#endif
