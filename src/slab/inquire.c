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

ns_export int
kmem_cache_for_each(int (*fn)(struct kmem_cache *cache, void *arg), void *arg)
{
	struct kmem_cache *c;
	struct ns_list *l;
	int stop = 0;

	if (ns_init() != 0)
		return 0;
	ns_lock(&ns_caches_lock);
	for (unsigned i = 1; i < NS_NCLASS && stop == 0; i++)
		stop = fn(&ns_caches[i], arg);
	ns_list_for_each (l, &ns_cache_list) {
		if (stop != 0)
			break;
		c = ns_container_of(l, struct kmem_cache, link);
		if (c->named)
			stop = fn(c, arg);
	}
	ns_unlock(&ns_caches_lock);
	return stop;
}
