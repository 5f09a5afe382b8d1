/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/inquire.c - what a cache has, and which caches there are.
 *
 * The figures are the walk's of stats.c, of one cache.  What colors cost is
 * told as the objects that a slab would have without them.
 */
#include "slab/slab.h"

#include <errno.h>

static unsigned
color_cost(const struct kmem_cache *c)
{
	unsigned bytes = (c->units << NS_UNIT_SHIFT) - c->lead;

	return (bytes / c->size - c->nobj) * c->size;
}

static void
add_slot(const struct kmem_cache *c, unsigned slot, struct kmem_cache_stat *st)
{
	struct ns_node_figures f;

	ns_figures_of_cache(slot, c->root, &f);
	st->slabs += f.slabs;
	st->active += f.live / c->size;
	st->spilled += ns_load_relaxed(&c->root->depots[slot].spilled);
}

ns_export int
kmem_cache_stat(struct kmem_cache *c, int node, struct kmem_cache_stat *st)
{
	unsigned slot = 0, end = ns_topo.nslots;

	ns_check_cache(c, __func__);
	if (st == NULL)
		ns_broken(__func__, c->name, NULL, "no struct to fill");
	if (node != NUMA_NO_NODE) {
		slot = ns_slot_of_node(node);
		end = slot + 1;
	}
	if (slot == NS_NO_SLOT)
		return -1;
	*st = (struct kmem_cache_stat){
		.node = node,
		.object_size = c->objsize,
		.stride = c->size,
		.slab_size = c->units << NS_UNIT_SHIFT,
		.slab_objects = c->nobj,
		.color_offset = c->ncolors > 1 ? c->color_step : 0,
		.color_period = c->ncolors,
		.color_cost = color_cost(c),
		.sheaf_capacity = c->magazine - 1,
		.aliases = ns_load_relaxed(&c->root->shares) - 1,
	};
	for (; slot < end; slot++)
		add_slot(c, slot, st);
	st->objects = st->slabs * c->nobj;
	st->bytes = st->slabs * st->slab_size;
	return 0;
}

/* --- kmem_cache_for_each --- */

/*
 * The cache that a walk is at stays in the list: who destroys it waits, but
 * for the thread whose walk it is.  That one's walk finds its way by births.
 */
struct walk {
	struct kmem_cache *at; /* [c] or NULL: none, or destroyed meanwhile */
	uint64_t born;         /* its birth */
	uint64_t end;          /* younger caches than this are not shown */
	struct walk *outer;
};

static __thread struct walk *walks ns_tls_model; /* the innermost */

static void
unpin(struct kmem_cache *c)
{
	if (c->settling != 0) /* else this is fork()'s child */
		ns_store_relaxed(&c->settling, c->settling - 1);
	ns_os_wake(&c->settling);
}

/* This thread destroys @c; caches locked. */
void
ns_walks_leave(struct kmem_cache *c)
{
	for (struct walk *w = walks; w != NULL; w = w->outer)
		if (w->at == c) {
			w->at = NULL;
			unpin(c);
		}
}

/* To the next cache that has a name; caches locked. */
static bool
step(struct walk *w)
{
	struct ns_list *l =
	    w->at != NULL ? w->at->link.next : ns_cache_list.next;
	struct kmem_cache *c;

	if (w->at != NULL)
		unpin(w->at);
	w->at = NULL;
	for (; l != &ns_cache_list; l = l->next) {
		c = ns_container_of(l, struct kmem_cache, link);
		if (c->born > w->end)
			break;
		if (c->born <= w->born || !ns_tag_is_set(&c->tag, NS_CACHE))
			continue;
		ns_store_relaxed(&c->settling, c->settling + 1);
		w->at = c;
		w->born = c->born;
		return true;
	}
	return false;
}

/* The program's caches. */
static int
walk(int (*fn)(struct kmem_cache *cache, void *arg), void *arg)
{
	struct walk w = { .outer = walks };
	int stop = 0;

	walks = &w;
	ns_lock(&ns_caches_lock);
	w.end = ns_caches_born;
	while (stop == 0 && step(&w)) {
		ns_unlock(&ns_caches_lock);
		stop = fn(w.at, arg);
		ns_lock(&ns_caches_lock);
	}
	if (w.at != NULL)
		unpin(w.at);
	ns_unlock(&ns_caches_lock);
	walks = w.outer;
	return stop;
}

ns_export int
kmem_cache_for_each(int (*fn)(struct kmem_cache *cache, void *arg), void *arg)
{
	int stop = 0;

	if (fn == NULL)
		ns_broken(__func__, NULL, NULL, "no function");
	if (ns_init() != 0)
		return 0;
	for (unsigned i = 1; i < NS_NCLASS && stop == 0; i++)
		stop = fn(&ns_caches[i], arg);
	return stop != 0 ? stop : walk(fn, arg);
}
