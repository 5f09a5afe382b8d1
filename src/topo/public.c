/* SPDX-License-Identifier: BSD-2-Clause */
/* topo/public.c - what numaslab.h says of nodes and distances. */
#include "numaslab/numaslab.h"

#include "topo/internal.h"

#include <errno.h>

static bool
served(int node)
{
	return node >= 0 && node < NS_MAX_NODES &&
	       ns_topo.slot_of_node[node] != NS_NO_SLOT;
}

/* Slots are in rising node order. */
ns_export int
numaslab_max_node(void)
{
	ns_topo_init();
	return ns_topo.node_of_slot[ns_topo.nslots - 1];
}

ns_export int
numaslab_node_allowed(int node)
{
	ns_topo_init();
	return served(node) && ns_topo.allowed[ns_topo.slot_of_node[node]];
}

ns_export int
numaslab_distance(int from, int to)
{
	ns_topo_init();
	if (!served(from) || !served(to)) {
		errno = EINVAL;
		return 0;
	}
	if (!ns_topo.one_node)
		ns_topo_refine();
	return (int)ns_topo_distance(ns_topo.slot_of_node[from],
				     ns_topo.slot_of_node[to]);
}
