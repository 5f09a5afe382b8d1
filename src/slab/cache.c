/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/cache.c - kmem_cache: making and unmaking caches, and their objects.
 *
 * A cache's descriptor and its depots come from one run and are reused for
 * later caches, never given back: a thread that freed the last object of a
 * slab may still look at the depot's lock (slab.c, 4).  Ids are reused with
 * the descriptor; destroying drains the cache's bins in every heap.
 *
 * With a constructor an object keeps its state while it is free, as it does
 * for readers under RCU, so its link is behind it; otherwise the link is in it.
 */
#include "slab/debug.h"
#include "slab/fast.h"
#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define OBJECT_MIN 16u /* a link and a mark */

struct ns_lock ns_caches_lock = NS_LOCK_INIT(NS_RANK_CACHES);
struct ns_list ns_cache_list = { &ns_cache_list, &ns_cache_list };

static struct ns_list unused = { &unused, &unused }; /* [c] descriptors */
static uint32_t next_id = NS_NCLASS;                 /* [c] */

void
ns_depots_each(void (*fn)(struct ns_depot *))
{
	struct ns_list *l;
	unsigned c, s;

	for (c = 1; c < NS_NCLASS; c++)
		for (s = 0; s < ns_topo.nslots; s++)
			fn(&ns_caches[c].depots[s]);
	ns_list_for_each (l, &ns_cache_list) {
		struct kmem_cache *cache =
		    ns_container_of(l, struct kmem_cache, link);

		for (s = 0; s < ns_topo.nslots; s++)
			fn(&cache->depots[s]);
	}
}

/* A run's worth of descriptors, each with its depots behind it. */
static bool
more_descriptors(void)
{
	size_t head = ns_round_up(sizeof(struct kmem_cache), NS_CACHELINE);
	size_t size = head + ns_topo.nslots * sizeof(struct ns_depot);
	struct ns_heap *home = ns_heap_home();
	struct ns_unit *u = NULL;
	char *p, *end;

	if (home != NULL && next_id < NS_MAX_CACHES)
		u = ns_run_alloc(home->slot, 1, 1, NS_RUN_ZERO);

	if (u == NULL)
		return false;
	p = ns_unit_addr(u);
	end = p + NS_UNIT;
	for (; p + size <= end && next_id < NS_MAX_CACHES; p += size) {
		struct kmem_cache *c = (struct kmem_cache *)(void *)p;

		memset(p, 0, size);
		ns_cache_name_bin(c, next_id++);
		c->depots = (struct ns_depot *)(void *)(p + head);
		for (unsigned s = 0; s < ns_topo.nslots; s++)
			ns_lock_init(&c->depots[s].lock, NS_RANK_DEPOT);
		ns_list_append(&unused, &c->link);
	}
	ns_run_publish(u, NS_KIND_HEAP);
	return !ns_list_empty(&unused);
}

/* The distance of objects, and where a free one keeps its link. */
static int
lay_out(struct kmem_cache *c, unsigned size, const struct kmem_cache_args *args,
	slab_flags_t flags)
{
	unsigned align = args->align, s;

	if (align < sizeof(void *))
		align = sizeof(void *);
	if ((flags & SLAB_HWCACHE_ALIGN) != 0) {
		unsigned line = NS_CACHELINE;

		while (line / 2 >= size && line > align)
			line /= 2; /* as Linux: small objects share lines */
		align = (unsigned)ns_max(align, line);
	}
	s = (unsigned)ns_max(ns_round_up(size, sizeof(void *)), OBJECT_MIN);
	c->link_off = 0;
	if (args->use_freeptr_offset) {
		c->link_off = args->freeptr_offset;
	} else if (args->ctor != NULL || (flags & SLAB_TYPESAFE_BY_RCU) != 0) {
		c->link_off = (unsigned)ns_round_up(size, sizeof(void *));
		s = c->link_off + (unsigned)sizeof(struct ns_free);
	}
	c->ctor = c->user_ctor = args->ctor;
	c->limit = args->limit;
	c->taken = c->requests = 0;
	c->use = c->limit != 0 ? NS_USE_SPECIAL : NS_USE_CACHE;
	s = ns_debug_lay_out(c, size, align, flags, s);
	return ns_cache_setup(c, (unsigned)ns_round_up(s, align), size, align,
			      flags);
}

static bool
args_fit(unsigned size, const struct kmem_cache_args *args)
{
	if ((args->align != 0 && !ns_is_pow2(args->align)) ||
	    args->align > 4096 || args->use_freeptr_offset > 1 ||
	    args->no_color > 1)
		return false;
	return !args->use_freeptr_offset ||
	       (args->freeptr_offset % sizeof(void *) == 0 &&
		args->freeptr_offset <= size &&
		size - args->freeptr_offset >= sizeof(struct ns_free));
}

static int
create(const char *name, unsigned size, const struct kmem_cache_args *args,
       slab_flags_t flags, struct kmem_cache **cache)
{
	const slab_flags_t known =
	    SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_NO_COLOR | SLAB_NO_MERGE |
	    SLAB_TYPESAFE_BY_RCU | (NS_DEBUG_FLAGS & ~NS_SLAB_LEAKS);
	struct kmem_cache *c = NULL;
	unsigned s;

	if (name == NULL || size == 0 || size > KMALLOC_MAX_CACHE_SIZE ||
	    !args_fit(size, args) || (flags & ~known) != 0)
		return EINVAL;
	if ((flags & SLAB_TYPESAFE_BY_RCU) != 0 && !ns_rcu_is_set())
		return EOPNOTSUPP;
	if (ns_init() != 0)
		return ENOMEM;
	flags |= ns_debug_flags_of(name) | (args->no_color ? SLAB_NO_COLOR : 0);
	ns_debug_prepare(flags);
	ns_lock(&ns_caches_lock);
	if (!ns_list_empty(&unused) || more_descriptors()) {
		c = ns_list_first(&unused, struct kmem_cache, link);
		ns_list_remove(&c->link);
		ns_format(c->name, sizeof(c->name), "%s", name);
		lay_out(c, size, args, flags);
		for (s = 0; s < ns_topo.nslots; s++)
			ns_depot_init(&c->depots[s], c, s);
		ns_list_append(&ns_cache_list, &c->link);
	}
	ns_unlock(&ns_caches_lock);
	*cache = c;
	return c != NULL ? 0 : ENOMEM;
}

static const char *
reason(int error)
{
	switch (error) {
	case EINVAL:
		return "invalid argument";
	case EOPNOTSUPP:
		return "SLAB_TYPESAFE_BY_RCU without kmem_rcu_set_ops";
	default:
		return "out of memory";
	}
}

ns_export struct kmem_cache *
kmem_cache_create_args(const char *name, unsigned int size,
		       const struct kmem_cache_args *args, slab_flags_t flags)
{
	static const struct kmem_cache_args none;
	struct kmem_cache *c = NULL;
	int error = create(name, size, args != NULL ? args : &none, flags, &c);

	if (error == 0)
		return c;
	if ((flags & SLAB_PANIC) != 0)
		ns_fatal("kmem_cache_create(%s): %s, and SLAB_PANIC", name,
			 reason(error));
	errno = error;
	return NULL;
}

/* The function behind the macro. */
ns_export struct kmem_cache *(kmem_cache_create)(const char *name,
						 unsigned int size,
						 unsigned int align,
						 slab_flags_t flags,
						 void (*ctor)(void *))
{
	struct kmem_cache_args args = { .align = align, .ctor = ctor };

	return kmem_cache_create_args(name, size, &args, flags);
}

/* Every heap lets go of the cache.  Nobody else uses it, by contract. */
static void
drain_heaps(struct kmem_cache *c)
{
	struct ns_list *l;

	ns_lock(&ns_registry_lock);
	ns_list_for_each (l, &ns_threads)
		ns_thread_abandon(ns_container_of(l, struct ns_thread, link),
				  c);
	ns_unlock(&ns_registry_lock);
}

/* Objects in use, once no heap has a slab: full slabs and the depots'. */
static uint64_t
live_objects(struct kmem_cache *c)
{
	uint64_t live = 0;

	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		struct ns_depot *d = &c->depots[s];
		struct ns_list *l;
		bool unowned;

		ns_lock(&d->lock);
		live +=
		    (ns_load_relaxed(&d->total_slabs) - d->nslabs) * c->nobj;
		ns_list_for_each (l, &d->slabs) {
			struct ns_slab *slab =
			    ns_container_of(l, struct ns_slab, link);

			live += slab->carved - ns_slab_pending(slab, &unowned);
		}
		ns_unlock(&d->lock);
	}
	return live;
}

ns_export void
kmem_cache_destroy(struct kmem_cache *c)
{
	uint64_t live;

	if (c == NULL)
		return;
	ns_rcu_wait();
	drain_heaps(c);
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		ns_depot_clean(&c->depots[s]);
	if (ns_is_typesafe(c))
		ns_rcu_drain(c);
	live = live_objects(c);
	if (live != 0) {
		/* They stay valid, so the descriptor does. */
		ns_debug_leaks(c);
		ns_warn("kmem_cache_destroy(%s): %lu objects are still live",
			c->name, (unsigned long)live);
		return;
	}
	ns_lock(&ns_caches_lock);
	ns_list_remove(&c->link);
	ns_list_push(&unused, &c->link);
	ns_unlock(&ns_caches_lock);
}

ns_export int
kmem_cache_shrink(struct kmem_cache *c)
{
	uint64_t slabs = 0;
	unsigned s;

	ns_thread_abandon(ns_home->thread, c);
	for (s = 0; s < ns_topo.nslots; s++) {
		ns_depot_clean(&c->depots[s]);
		slabs += ns_load_relaxed(&c->depots[s].total_slabs);
	}
	ns_rcu_settle(c);
	return slabs != 0;
}

ns_export unsigned int
kmem_cache_size(struct kmem_cache *c)
{
	return c->objsize;
}

ns_export const char *
kmem_cache_name(struct kmem_cache *c)
{
	return c->name;
}

/* Objects. */

ns_inline void *
pop_from(struct ns_heap *h, const struct kmem_cache *c)
{
	if (ns_unlikely(c->id >= h->nbins))
		return NULL;
	return ns_bin_pop(&h->bin[c->id], c->link_off);
}

/* No object at hand: here the flags matter. */
static ns_noinline void *
alloc_slow(struct kmem_cache *c, unsigned slot, gfp_t flags)
{
	struct ns_retry r = { .gfp = flags };
	void *obj;

	if (ns_unlikely(ns_is_special(c)) && ns_debug_fails(c, flags))
		return NULL;
	do
		obj = ns_unlikely(ns_is_special(c))
			  ? ns_debug_take(c, c->objsize, slot, r.gfp)
			  : ns_cache_alloc(c, slot, r.gfp);
	while (ns_unlikely(obj == NULL) && ns_retry(&r));
	return obj;
}

/* With flags that are more than how hard to try. */
static ns_noinline void *
alloc_flagged(struct kmem_cache *c, struct ns_heap *h, unsigned slot,
	      gfp_t flags)
{
	void *obj;

	if (!ns_gfp_ok(flags))
		return NULL;
	if ((flags & __GFP_ZERO) != 0 && c->user_ctor != NULL) {
		errno = EINVAL;
		return NULL;
	}
	obj = h != NULL ? pop_from(h, c) : NULL;
	if (obj == NULL)
		obj = alloc_slow(c, slot, flags);
	if ((flags & __GFP_ZERO) != 0 && obj != NULL)
		memset(obj, 0, c->objsize);
	return obj;
}

ns_inline void *
alloc_at(struct kmem_cache *c, struct ns_heap *h, unsigned slot, gfp_t flags)
{
	void *obj = NULL;

	if (ns_unlikely((flags & ~NS_GFP_PLAIN) != 0))
		return alloc_flagged(c, h, slot, flags);
	if (ns_likely(h != NULL))
		obj = pop_from(h, c);
	return ns_likely(obj != NULL) ? obj : alloc_slow(c, slot, flags);
}

ns_export void *
kmem_cache_alloc(struct kmem_cache *c, gfp_t flags)
{
	struct ns_heap *h = ns_home;

	return alloc_at(c, ns_at_home(h) ? h : NULL, NS_NO_SLOT, flags);
}

static ns_noinline void *
alloc_node_slow(struct kmem_cache *c, gfp_t flags, int node)
{
	unsigned slot;

	if (node == NUMA_NO_NODE)
		return kmem_cache_alloc(c, flags);
	slot = ns_slot_of_node(node);
	return slot != NS_NO_SLOT ? alloc_at(c, NULL, slot, flags) : NULL;
}

ns_export void *
kmem_cache_alloc_node(struct kmem_cache *c, gfp_t flags, int node)
{
	void *obj = NULL;

	if (ns_likely((flags & ~NS_GFP_PLAIN) == 0))
		obj = pop_from(ns_heap_on(node), c);
	return ns_likely(obj != NULL) ? obj : alloc_node_slow(c, flags, node);
}

ns_export void *
kmem_cache_zalloc(struct kmem_cache *c, gfp_t flags)
{
	return kmem_cache_alloc(c, flags | __GFP_ZERO);
}

ns_export void
kmem_cache_free(struct kmem_cache *c, void *obj)
{
	struct ns_heap *h = ns_home;
	struct ns_slab *s = ns_slab_in(&h->window, obj);
	struct ns_unit *u;

	if (ns_likely(ns_is_object_of(s, c, obj) && c->id < h->nbins)) {
		ns_free_home(h, s, obj, c->link_off);
		return;
	}
	if (obj == NULL)
		return;
	u = ns_run_of(obj);
	if (u == NULL || u->kind != NS_KIND_SLAB)
		ns_bad_free(obj, "not an object of a cache");
	s = (struct ns_slab *)(void *)u;
	if (s->cache != c) {
		ns_debug_about(s, obj);
		ns_fatal("invalid free of %p: freed to cache %s (cache %s, "
			 "node %d)",
			 obj, c->name, s->cache->name, numaslab_node_of(obj));
	}
	ns_slab_free(obj);
}
