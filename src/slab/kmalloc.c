/* SPDX-License-Identifier: BSD-2-Clause */
/* slab/kmalloc.c - the kmalloc family, and the node facts of numaslab.h. */
#include "slab/fast.h"

#include "numaslab/numaslab.h"

#include <errno.h>
#include <string.h>

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
	slot = ns_slot_of_node(node);
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
	if (size <= old && size > old / 2)
		return (void *)p;
	if ((flags & (__GFP_ZERO | __GFP_THISNODE)) == 0)
		return ns_realloc((void *)p, size);
	q = kmalloc(size, flags);
	if (q != NULL) {
		memcpy(q, p, ns_min(old, size));
		kfree(p);
	}
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
	unsigned cpu = 0;

	if (ns_init() != 0)
		return 0;
	if (ns_policy.mode == NS_POLICY_INTERLEAVE && ns_home->thread != NULL)
		return ns_topo.node_of_slot[ns_policy_next(ns_home->slot)];
	ns_os_getcpu(&cpu, NULL);
	return ns_topo.node_of_slot[ns_policy_home(cpu)];
}

ns_export int
numaslab_node_stat(int node, struct numaslab_node_stat *st)
{
	unsigned slot = ns_slot_of_node(node);
	struct ns_node_figures f;

	if (slot == NS_NO_SLOT)
		return -1;
	ns_figures_of(slot, &f);
	*st = (struct numaslab_node_stat){
		.node = node,
		.live = f.live,
		.used = f.used,
		.resident = f.used + f.retained,
		.retained = f.retained,
		.committed = f.committed,
		.spilled = f.spilled,
		.local_frees = f.local_frees,
		.remote_frees = f.remote_frees,
		.purged = f.purged,
	};
	return 0;
}

ns_export size_t
numaslab_trim(size_t keep)
{
	size_t sum = 0;

	if (!ns_is_awake())
		return 0;
	ns_magazines_flush();
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		sum += ns_pool_purge(s, keep);
	return sum;
}

ns_export const char *
numaslab_version(void)
{
	return NUMASLAB_VERSION;
}
