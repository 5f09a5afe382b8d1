/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/cache.c - kmem_cache: making and unmaking caches.
 *
 * A cache's descriptor and its depots come from one run and are reused for
 * later caches, never given back: a thread that freed the last object of a
 * slab may still look at the depot's lock (slab.c, 4).  Ids are reused with
 * the descriptor; destroying drains the cache's bins in every heap.
 *
 * A destroyed cache has no bin, and so no fast path: slow ones look whether
 * the cache is one.  Nor are the descriptors of further names of a merged
 * cache given back: until it is used again, each is known to be destroyed.
 *
 * With a constructor an object keeps its state while it is free, as it does
 * for readers under RCU, so its link is behind it; otherwise the link is in it.
 */
#include "slab/account.h"
#include "slab/debug.h"

#include <errno.h>
#include <string.h>

#define OBJECT_MIN 16u /* a link and a mark */

struct ns_lock ns_caches_lock = NS_LOCK_INIT(NS_RANK_CACHES);
struct ns_list ns_cache_list = { &ns_cache_list, &ns_cache_list };

static struct ns_list unused = { &unused, &unused }; /* [c] descriptors */
static struct ns_list unused_names = { &unused_names, &unused_names }; /* [c] */
static uint32_t next_id = NS_NCLASS;                                   /* [c] */
uint64_t ns_caches_born;                                               /* [c] */

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

		for (s = 0; s < ns_topo.nslots && cache->root == cache; s++)
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
static void
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
	c->dtor = args->dtor;
	c->use =
	    c->limit != 0 || (flags & SLAB_ACCOUNT) != 0 || c->policy != NULL
		? NS_USE_SPECIAL
		: NS_USE_CACHE;
	s = ns_debug_lay_out(c, size, align, flags, s);
	c->bin = ns_cache_bin(c);
	ns_cache_setup(c, (unsigned)ns_round_up(s, align), size, align, flags);
	if (args->sheaf_capacity != 0) {
		c->magazine = (uint32_t)ns_min(args->sheaf_capacity + 1ul,
					       NS_MAGAZINE_MAX);
		c->start = (uint32_t)ns_min(c->start, c->magazine - 1);
	}
}

static bool
args_fit(unsigned size, const struct kmem_cache_args *args)
{
	if ((args->align != 0 && !ns_is_pow2(args->align)) ||
	    args->align > 4096 || args->use_freeptr_offset > 1 ||
	    args->no_color > 1 || (args->dtor != NULL && args->ctor == NULL))
		return false;
	return !args->use_freeptr_offset ||
	       (args->freeptr_offset % sizeof(void *) == 0 &&
		args->freeptr_offset <= size &&
		size - args->freeptr_offset >= sizeof(struct ns_free));
}

/* The list is in order of birth; caches locked. */
void
ns_cache_enlist(struct kmem_cache *c)
{
	c->born = ++ns_caches_born;
	c->settling = 0;
	ns_tag_set(&c->tag, NS_CACHE);
	ns_list_append(&ns_cache_list, &c->link);
}

/* A cache in the list of all; caches locked.  @policy may be NULL. */
static struct kmem_cache *
new_cache(const char *name, unsigned size, const struct kmem_cache_args *args,
	  slab_flags_t flags, const struct ns_policy *policy)
{
	struct kmem_cache *c;
	unsigned s;

	if (ns_list_empty(&unused) && !more_descriptors())
		return NULL;
	c = ns_list_first(&unused, struct kmem_cache, link);
	ns_list_remove(&c->link);
	ns_format(c->name, sizeof(c->name), "%s", name);
	c->args = *args;
	c->root = c;
	c->shares = 1;
	c->policy = policy;
	c->turn = 0;
	c->dead = NULL;
	c->twin = c->original = NULL;
	c->account = args->account;
	ns_account_attach(c->account);
	lay_out(c, size, args, flags);
	for (s = 0; s < ns_topo.nslots; s++)
		ns_depot_init(&c->depots[s], c, s);
	ns_cache_enlist(c);
	return c;
}

/* Of one more name for a cache; zero but for what tells that it is none. */
static struct kmem_cache *
get_name(void)
{
	struct kmem_cache *c = NULL;

	ns_lock(&ns_caches_lock);
	if (!ns_list_empty(&unused_names)) {
		c = ns_list_first(&unused_names, struct kmem_cache, link);
		ns_list_remove(&c->link);
	}
	ns_unlock(&ns_caches_lock);
	if (c == NULL)
		return kzalloc(sizeof(*c), GFP_NOWAIT);
	*c = (struct kmem_cache){ .tag = c->tag };
	return c;
}

static void
put_name(struct kmem_cache *c)
{
	if (c == NULL)
		return;
	ns_lock(&ns_caches_lock);
	ns_list_append(&unused_names, &c->link);
	ns_unlock(&ns_caches_lock);
}

/* For ns_cache_merge; NULL: a cache of its own, or no memory to merge it. */
static struct kmem_cache *
prepare_alias(const char *name, unsigned size,
	      const struct kmem_cache_args *args, slab_flags_t flags)
{
	struct kmem_cache *alias;

	if (!ns_cache_may_merge(args, flags))
		return NULL;
	alias = get_name();
	if (alias == NULL)
		return NULL;
	ns_format(alias->name, sizeof(alias->name), "%s", name);
	lay_out(alias, size, args, flags);
	return alias;
}

static int
create(const char *name, unsigned size, const struct kmem_cache_args *args,
       slab_flags_t flags, struct kmem_cache **cache)
{
	const slab_flags_t known =
	    SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_NO_COLOR | SLAB_NO_MERGE |
	    SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT | SLAB_MEM_SPREAD |
	    SLAB_TYPESAFE_BY_RCU | (NS_DEBUG_FLAGS & ~NS_SLAB_LEAKS);
	const char *placed = args->policy;
	const struct ns_policy *policy = NULL;
	struct kmem_cache *alias;
	int error;

	if (name == NULL || size == 0 || size > KMALLOC_MAX_CACHE_SIZE ||
	    !args_fit(size, args) || (flags & ~known) != 0)
		return EINVAL;
	if ((flags & SLAB_TYPESAFE_BY_RCU) != 0 && !ns_rcu_is_set())
		return EOPNOTSUPP;
	if (ns_init() != 0)
		return ENOMEM;
	flags = ns_debug_flags(name, flags, NS_NCLASS, size, args->align);
	if (args->no_color != 0)
		flags |= SLAB_NO_COLOR;
	if (args->account != NULL)
		flags |= SLAB_ACCOUNT;
	if (placed == NULL && (flags & SLAB_MEM_SPREAD) != 0)
		placed = "interleave";
	error = placed != NULL ? ns_policy_read(placed, &policy) : 0;
	if (error != 0)
		return -error;
	ns_debug_prepare(flags);
	*cache = alias = prepare_alias(name, size, args, flags);
	ns_lock(&ns_caches_lock);
	if (alias != NULL)
		*cache = ns_cache_merge(alias);
	if (*cache == NULL)
		*cache = new_cache(name, size, args, flags, policy);
	ns_unlock(&ns_caches_lock);
	if (*cache != alias)
		put_name(alias);
	return *cache != NULL ? 0 : ENOMEM;
}

/* The same cache with SLAB_ACCOUNT; it goes when @c goes. */
static struct kmem_cache *
make_twin(struct kmem_cache *c)
{
	struct kmem_cache *twin;
	char name[sizeof(c->name)];

	ns_lock(&ns_caches_lock);
	twin = c->twin;
	if (twin == NULL) {
		ns_format(name, sizeof(name), "%s-cg", c->name);
		twin = new_cache(name, c->objsize, &c->args,
				 c->flags | SLAB_ACCOUNT, c->policy);
		if (twin != NULL)
			twin->original = c;
		/* Pairs with the acquire in ns_cache_accounted. */
		ns_store_release(&c->twin, twin);
	}
	ns_unlock(&ns_caches_lock);
	return twin;
}

struct kmem_cache *
ns_cache_accounted(struct kmem_cache *c)
{
	struct kmem_cache *twin;

	if ((c->flags & SLAB_ACCOUNT) != 0 || ns_account_for(NULL) == NULL)
		return c;
	c = c->root;
	twin = ns_load_acquire(&c->twin);
	if (twin == NULL)
		twin = make_twin(c);
	if (twin == NULL)
		errno = ENOMEM;
	return twin;
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

/* Gives back all it can; the objects that are left, which it tells of. */
static uint64_t
drain(struct kmem_cache *c)
{
	uint64_t live;

	if (c == NULL)
		return 0;
	drain_heaps(c);
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		ns_depot_clean(&c->depots[s]);
	ns_slabs_settle(c);
	if (ns_is_typesafe(c))
		ns_rcu_barrier();
	live = live_objects(c);
	if (live != 0)
		ns_debug_leaks(c);
	return live;
}

void
ns_caches_settle(void)
{
	struct ns_list *l;

	ns_lock(&ns_caches_lock);
	ns_list_for_each (l, &ns_cache_list) {
		struct kmem_cache *c =
		    ns_container_of(l, struct kmem_cache, link);

		/* This is no thread that an engine need know (rcu.c, 3). */
		if (ns_load_relaxed(&c->dead) == NULL || ns_is_typesafe(c))
			continue;
		ns_store_relaxed(&c->settling, c->settling + 1);
		ns_unlock(&ns_caches_lock);
		ns_slabs_settle(c);
		ns_lock(&ns_caches_lock);
		if (c->settling != 0) /* else this is fork()'s child */
			ns_store_relaxed(&c->settling, c->settling - 1);
		ns_os_wake(&c->settling);
	}
	ns_unlock(&ns_caches_lock);
}

void
ns_caches_fork_child(void)
{
	struct ns_list *l;

	ns_lock_init(&ns_caches_lock, NS_RANK_CACHES);
	ns_list_for_each (l, &ns_cache_list)
		ns_container_of(l, struct kmem_cache, link)->settling = 0;
}

/*
 * Out of the list, once no thread is in its destructor or looks at it; caches
 * locked, and not meanwhile.
 */
static void
delist(struct kmem_cache *c)
{
	uint32_t n;

	ns_walks_leave(c);
	while ((n = c->settling) != 0) {
		ns_unlock(&ns_caches_lock);
		ns_os_sleep_on(&c->settling, n, UINT64_MAX);
		ns_lock(&ns_caches_lock);
	}
	ns_list_remove(&c->link);
}

static void
forget(struct kmem_cache *c)
{
	if (c == NULL)
		return;
	ns_account_put(c->account);
	ns_lock(&ns_caches_lock);
	ns_tag_end(&c->tag, NS_CACHE);
	delist(c);
	/* Last, so that a pointer to it is no cache's for long. */
	ns_list_append(&unused, &c->link);
	ns_unlock(&ns_caches_lock);
}

/* No call takes it for a cache any more. */
static void
end_name(struct kmem_cache *c)
{
	ns_tag_end(&c->tag, NS_CACHE);
	c->bin = UINT32_MAX;
}

/* One name less; true: it was the last. */
static bool
unname(struct kmem_cache *c, const char *call)
{
	struct kmem_cache *root = c->root;
	bool last;

	ns_lock(&ns_caches_lock);
	ns_check_cache(c, call); /* again: two threads at once */
	if (c->original != NULL || c->id < NS_NCLASS)
		ns_broken(call, c->name, NULL, "not made by kmem_cache_create");
	end_name(c);
	ns_store_relaxed(&root->shares, root->shares - 1);
	last = root->shares == 0;
	if (last && root->twin != NULL)
		end_name(root->twin);
	if (c != root)
		delist(c);
	ns_unlock(&ns_caches_lock);
	return last;
}

static void
destroy_root(struct kmem_cache *c, const char *name)
{
	uint64_t live;

	ns_rcu_wait();
	live = drain(c) + drain(c->twin);
	if (live != 0) {
		/* They stay valid, so the descriptors do. */
		ns_warn("kmem_cache_destroy(%s): %lu objects are still live",
			name, (unsigned long)live);
		return;
	}
	forget(c->twin);
	forget(c);
}

ns_export void
kmem_cache_destroy(struct kmem_cache *c)
{
	bool alias;

	if (c == NULL)
		return;
	ns_check_cache(c, __func__);
	alias = c != c->root;
	if (unname(c, __func__))
		destroy_root(c->root, c->name);
	if (alias)
		put_name(c);
}

static bool
shrink(struct kmem_cache *c)
{
	struct kmem_cache *twin = ns_load_acquire(&c->root->twin);
	uint64_t slabs = 0;
	unsigned s;

	if (twin != NULL)
		slabs = shrink(twin);
	ns_thread_abandon(ns_home->thread, c);
	for (s = 0; s < ns_topo.nslots; s++) {
		ns_depot_clean(&c->depots[s]);
		slabs += ns_load_relaxed(&c->depots[s].total_slabs);
	}
	ns_slabs_settle(c);
	return slabs != 0;
}

ns_export int
kmem_cache_shrink(struct kmem_cache *c)
{
	ns_check_cache(c, __func__);
	return shrink(c);
}

ns_export unsigned int
kmem_cache_size(struct kmem_cache *c)
{
	ns_debug_check_cache(c, __func__);
	return c->objsize;
}

ns_export const char *
kmem_cache_name(struct kmem_cache *c)
{
	ns_debug_check_cache(c, __func__);
	return c->name;
}
