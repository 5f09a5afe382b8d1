/* SPDX-License-Identifier: BSD-2-Clause */
/* slab/counted.h - objects that are counted one by one (counted.c). */
#ifndef NS_COUNTED_H
#define NS_COUNTED_H

#include "slab/slab.h"

#pragma GCC visibility push(hidden)

/* One object more is in use, or false: that is above the cache's limit. */
bool ns_limit_charge(struct kmem_cache *c);
void ns_limit_uncharge(struct kmem_cache *c);

/* Where the policy of a placed cache has its next object lie. */
unsigned ns_place(struct kmem_cache *c);

/*
 * The quick ways of a special cache's objects, out of the thread's magazine on
 * @slot and back; a bad pointer dies.  NULL or false: nothing was done, for it
 * takes more than that.
 */
void *ns_counted_alloc(struct kmem_cache *c, unsigned slot);
bool ns_counted_free(struct ns_slab *s, void *obj, const char *call);

#pragma GCC visibility pop
#endif
