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
	struct ns_tag tag; /* behind where a freed block has its mark */
	void *objs[];
};
_Static_assert(offsetof(struct slab_sheaf, tag) >= sizeof(struct ns_free),
	       "the tag of a returned sheaf is still there");

static void
check_sheaf(const struct slab_sheaf *s, const char *call)
{
	ns_check_thing(s, offsetof(struct slab_sheaf, tag), NS_SHEAF, call);
}

/* Another cache's objects would be cleared, or mixed, by the wrong size. */
static void
check(const struct kmem_cache *c, const struct slab_sheaf *s, const char *call)
{
	ns_check_cache(c, call);
	check_sheaf(s, call);
	if (ns_unlikely(s->cache != c))
		ns_broken(call, c->name, s, "a sheaf of another cache");
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

	ns_check_cache(c, __func__);
	if (!arguments_ok(flags, size))
		return NULL;
	s = kmalloc(sizeof(*s) + size * sizeof(void *), flags);
	if (s == NULL)
		return NULL;
	s->cache = c;
	ns_tag_set(&s->tag, NS_SHEAF);
	s->capacity = s->n = size;
	if (kmem_cache_alloc_bulk(c, flags, size, s->objs) != 0)
		return s;
	ns_tag_end(&s->tag, NS_SHEAF);
	kfree(s);
	return NULL;
}

ns_export void *
kmem_cache_alloc_from_sheaf(struct kmem_cache *c, gfp_t flags,
			    struct slab_sheaf *s)
{
	void *obj;

	check(c, s, __func__);
	if ((flags & __GFP_ZERO) != 0 && c->user_ctor != NULL) {
		errno = EINVAL;
		return NULL;
	}
	if (s->n == 0) {
		errno = ENOMEM;
		return NULL;
	}
	obj = s->objs[--s->n];
	if ((flags & __GFP_ZERO) != 0)
		memset(obj, 0, c->objsize);
	return obj;
}

/* It may move; what was its tag is none then. */
static struct slab_sheaf *
enlarge(struct slab_sheaf *s, gfp_t flags, unsigned capacity)
{
	struct slab_sheaf *to;

	ns_tag_end(&s->tag, NS_SHEAF);
	to = krealloc(s, sizeof(*s) + capacity * sizeof(void *), flags);
	if (to != NULL)
		to->capacity = capacity;
	ns_tag_set(&(to != NULL ? to : s)->tag, NS_SHEAF);
	return to;
}

ns_export int
kmem_cache_refill_sheaf(struct kmem_cache *c, gfp_t flags,
			struct slab_sheaf **sheaf, unsigned size)
{
	struct slab_sheaf *s = sheaf != NULL ? *sheaf : NULL;
	unsigned more;

	check(c, s, __func__);
	more = size > s->n ? size - s->n : 0;
	if (!arguments_ok(flags, size))
		return -1;
	if (size > s->capacity) {
		s = enlarge(s, flags, size);
		if (s == NULL)
			return -1;
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
	check(c, s, __func__);
	ns_tag_end(&s->tag, NS_SHEAF);
	ns_cache_free_bulk(c, s->n, s->objs, __func__);
	kfree(s);
}

ns_export unsigned
kmem_cache_sheaf_size(const struct slab_sheaf *s)
{
	check_sheaf(s, __func__);
	return s->n;
}
