/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/merge.c - caches of equal objects share their slabs.
 *
 * 1. A cache is merged into one that exists when nobody could tell but by
 *    their figures: the distance of objects is the same, the alignment fits,
 *    and nothing is to be done to an object when it comes, goes or is free.
 *    Fewer slabs are then half empty, and a heap has fewer bins.
 * 2. The other cache's descriptor, the *root*, has the slabs.  The new one is
 *    an *alias*: a copy with a name and an object size of its own, and the
 *    root's bin and depots.  So every fast path works on it as it is, and asks
 *    for the bin where it would ask for the cache.  In slabs and in lists is
 *    the root alone.
 * 3. The root counts its names, of which its own may be the first to go; then
 *    it stays, nameless, as long as it has an alias.  Whoever destroys the
 *    last name empties the slabs, and can tell whether objects are left.
 */
#include "slab/debug.h"

#include "base/options.h"

#include <string.h>

/* What caches may differ in. */
#define NO_MATTER (SLAB_PANIC | SLAB_HWCACHE_ALIGN)

bool
ns_cache_may_merge(const struct kmem_cache_args *args, slab_flags_t flags)
{
	return ns_options.slab_merge != 0 &&
	       (flags & (SLAB_NO_MERGE | SLAB_ACCOUNT | SLAB_MEM_SPREAD |
			 SLAB_TYPESAFE_BY_RCU | NS_DEBUG_FLAGS)) == 0 &&
	       args->ctor == NULL && !args->use_freeptr_offset &&
	       args->limit == 0 && args->sheaf_capacity == 0 &&
	       args->policy == NULL;
}

/* @c has objects as those of @probe are to be. */
static bool
is_equal(const struct kmem_cache *c, const struct kmem_cache *probe)
{
	return c->root == c && c->shares != 0 &&
	       ns_cache_may_merge(&c->args, c->flags) &&
	       ((c->flags ^ probe->flags) & ~NO_MATTER) == 0 &&
	       c->size == probe->size && c->color_step % probe->align == 0;
}

struct kmem_cache *
ns_cache_merge(struct kmem_cache *alias)
{
	struct kmem_cache probe = *alias, *c;
	struct ns_list *l;

	ns_list_for_each (l, &ns_cache_list) {
		c = ns_container_of(l, struct kmem_cache, link);
		if (!is_equal(c, &probe))
			continue;
		*alias = *c;
		memcpy(alias->name, probe.name, sizeof(alias->name));
		alias->objsize = probe.objsize;
		alias->flags = probe.flags;
		alias->bin = ns_cache_bin(c); /* whose own name may be gone */
		ns_store_relaxed(&c->shares, c->shares + 1);
		ns_cache_enlist(alias);
		return alias;
	}
	return NULL;
}
