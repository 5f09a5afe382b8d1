/* SPDX-License-Identifier: BSD-2-Clause */
/* slab/kmalloc.c - the kmalloc family, and the node facts of numaslab.h. */
#include "slab/fast.h"

#include "numaslab/numaslab.h"

#include <errno.h>
#include <string.h>

/* The slot of a node number, NS_NO_SLOT with errno EINVAL when there is none. */
static unsigned
slot_of_node(int node)
{
	unsigned slot = NS_NO_SLOT;

	if (ns_init() == 0 && node >= 0 && node < NS_MAX_NODES)
		slot = ns_topo.slot_of_node[node];
	if (slot == NS_NO_SLOT)
		errno = EINVAL;
	return slot;
}

ns_export void *
kmalloc(size_t size, gfp_t flags)
{
	if (size == 0)
		return ZERO_SIZE_PTR;
	if (ns_likely((flags & (__GFP_ZERO | __GFP_THISNODE)) == 0))
		return ns_malloc_fast(size);
	return ns_alloc_on(size, NS_NO_SLOT, flags);
}

ns_export void *
kmalloc_node(size_t size, gfp_t flags, int node)
{
	unsigned slot;

	if (node == NUMA_NO_NODE)
		return kmalloc(size, flags);
	slot = slot_of_node(node);
	if (slot == NS_NO_SLOT)
		return NULL;
	return size == 0 ? ZERO_SIZE_PTR : ns_alloc_on(size, slot, flags);
}

ns_export void *
kzalloc(size_t size, gfp_t flags)
{
	return kmalloc(size, flags | __GFP_ZERO);
}

ns_export void *
kmalloc_array(size_t n, size_t size, gfp_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return kmalloc(bytes, flags);
}

ns_export void *
krealloc(const void *p, size_t size, gfp_t flags)
{
	size_t old;
	void *q;

	if (ZERO_OR_NULL_PTR(p))
		return kmalloc(size, flags);
	if (size == 0) {
		kfree(p);
		return ZERO_SIZE_PTR;
	}
	old = ns_usable_size(p);
	q = ns_realloc((void *)p, size);
	/* As in Linux: with __GFP_ZERO, what the block grew by is zero. */
	if (q != NULL && (flags & __GFP_ZERO) != 0 && size > old)
		memset((char *)q + old, 0, size - old);
	return q;
}

ns_export void
kfree(const void *p)
{
	if (!ZERO_OR_NULL_PTR(p))
		ns_free_fast((void *)p);
}

ns_export size_t
ksize(const void *p)
{
	return ZERO_OR_NULL_PTR(p) ? 0 : ns_usable_size(p);
}

ns_export int
numaslab_node_of(const void *p)
{
	return ns_ours(p) ? ns_topo.node_of_slot[ns_slot_of(p)] : NUMA_NO_NODE;
}

ns_export int
numaslab_home_node(void)
{
	struct ns_heap *h = ns_heap_home();

	return h != NULL ? ns_topo.node_of_slot[h->slot] : 0;
}

ns_export int
numaslab_node_stat(int node, struct numaslab_node_stat *st)
{
	struct ns_node_figures f[NS_MAX_SLOTS];
	unsigned slot = slot_of_node(node);

	if (slot == NS_NO_SLOT)
		return -1;
	ns_figures(f, NS_MAX_SLOTS);
	*st = (struct numaslab_node_stat){
		.node = node,
		.live = f[slot].live,
		.used = f[slot].used,
		.resident = f[slot].used + f[slot].retained,
		.retained = f[slot].retained,
		.committed = f[slot].committed,
		.spilled = f[slot].spilled,
		.local_frees = f[slot].local_frees,
		.remote_frees = f[slot].remote_frees,
		.purged = f[slot].purged,
	};
	return 0;
}

ns_export size_t
numaslab_trim(size_t keep)
{
	size_t sum = 0;

	if (!ns_is_awake())
		return 0;
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		sum += ns_pool_purge(s, keep);
	return sum;
}

ns_export const char *
numaslab_version(void)
{
	return NUMASLAB_VERSION;
}
