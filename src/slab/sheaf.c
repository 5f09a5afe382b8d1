/* SPDX-License-Identifier: BSD-2-Clause */
/* slab/sheaf.c - objects of a cache that one caller has set aside. */
#include "numaslab/mempool.h"

#include "slab/gfp.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct slab_sheaf {
	struct kmem_cache *cache;
	unsigned capacity, n;
	void *objs[];
};

/* Another cache's objects would be cleared, or mixed, by the wrong size. */
static void
check(const struct kmem_cache *c, const struct slab_sheaf *s, const char *call)
{
	if (ns_unlikely(s->cache != c))
		ns_fatal("%s: sheaf %p is not of cache %s", call,
			 (const void *)s, c->name);
}

static bool
arguments_ok(gfp_t flags, unsigned size)
{
	if (size != 0 && size <= INT_MAX && (flags & __GFP_ZERO) == 0)
		return ns_gfp_ok(flags);
	errno = EINVAL;
	return false;
}

ns_export struct slab_sheaf *
kmem_cache_prefill_sheaf(struct kmem_cache *c, gfp_t flags, unsigned size)
{
	struct slab_sheaf *s;

	if (!arguments_ok(flags, size))
		return NULL;
	s = kmalloc(sizeof(*s) + size * sizeof(void *), flags);
	if (s == NULL)
		return NULL;
	s->cache = c;
	s->capacity = s->n = size;
	if (kmem_cache_alloc_bulk(c, flags, size, s->objs) != 0)
		return s;
	kfree(s);
	return NULL;
}

ns_export void *
kmem_cache_alloc_from_sheaf(struct kmem_cache *c, gfp_t flags,
			    struct slab_sheaf *s)
{
	void *obj;

	if ((flags & __GFP_ZERO) != 0 && c->user_ctor != NULL) {
		errno = EINVAL;
		return NULL;
	}
	check(c, s, "kmem_cache_alloc_from_sheaf");
	if (s->n == 0) {
		errno = ENOMEM;
		return NULL;
	}
	obj = s->objs[--s->n];
	if ((flags & __GFP_ZERO) != 0)
		memset(obj, 0, c->objsize);
	return obj;
}

ns_export int
kmem_cache_refill_sheaf(struct kmem_cache *c, gfp_t flags,
			struct slab_sheaf **sheaf, unsigned size)
{
	struct slab_sheaf *s = *sheaf;
	unsigned more = size > s->n ? size - s->n : 0;

	check(c, s, "kmem_cache_refill_sheaf");
	if (!arguments_ok(flags, size))
		return -1;
	if (size > s->capacity) {
		s = krealloc(s, sizeof(*s) + size * sizeof(void *), flags);
		if (s == NULL)
			return -1;
		s->capacity = size;
		*sheaf = s;
	}
	if (more != 0 &&
	    kmem_cache_alloc_bulk(c, flags, more, s->objs + s->n) == 0)
		return -1;
	s->n += more;
	return 0;
}

ns_export void
kmem_cache_return_sheaf(struct kmem_cache *c, gfp_t flags, struct slab_sheaf *s)
{
	(void)flags;
	if (s == NULL)
		return;
	check(c, s, "kmem_cache_return_sheaf");
	kmem_cache_free_bulk(c, s->n, s->objs);
	kfree(s);
}

ns_export unsigned
kmem_cache_sheaf_size(const struct slab_sheaf *s)
{
	return s->n;
}
