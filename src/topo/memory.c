/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/memory.c - how large, how near and how fast each node's memory is.
 *
 * 1. The kernel tells, where the firmware has an HMAT, of each node what its
 *    nearest CPUs see: nodeN/access0/initiators.  It is not needed to allocate,
 *    so it is read when somebody asks first; until then the first view
 *    (topo.c) has nothing.  hwloc may know more, and fills the second view.
 * 2. The kind is what the tiers are called by.  A node without CPUs is high
 *    bandwidth memory if more than all nodes with CPUs have is known of it,
 *    and otherwise an expander.  hwloc's name for it, if it has one, counts
 *    more.
 */
#include "topo/internal.h"

#include <string.h>

static uint32_t once; /* [a] */

uint64_t
ns_topo_capacity(unsigned node)
{
	char text[256];
	const char *s;

	if (ns_topo_read(node, "meminfo", text, sizeof(text)) <= 0)
		return 0;
	s = strstr(text, "MemTotal:");
	return s != NULL ? ns_topo_number(s + sizeof("MemTotal:") - 1) << 10
			 : 0;
}

static uint32_t
initiators(unsigned node, const char *name)
{
	char path[64], text[32];
	uint64_t value;

	ns_format(path, sizeof(path), "access0/initiators/%s", name);
	if (ns_topo_read(node, path, text, sizeof(text)) <= 0)
		return 0;
	value = ns_topo_number(text);
	return value <= UINT32_MAX ? (uint32_t)value : 0;
}

void
ns_memory_kinds(struct ns_memory *memory, const bool *cpus)
{
	uint32_t most = 0;
	unsigned s;

	for (s = 0; s < ns_topo.nslots; s++)
		if (cpus[s])
			most = ns_max(most, memory[s].bandwidth);
	for (s = 0; s < ns_topo.nslots; s++) {
		memory[s].kind = NS_MEMORY_DRAM;
		if (!cpus[s])
			memory[s].kind = most != 0 && memory[s].bandwidth > most
					     ? NS_MEMORY_HBM
					     : NS_MEMORY_CXL;
	}
}

void
ns_memory_read(struct ns_memory *memory)
{
	unsigned s, node;

	if (ns_topo.fake || !ns_once_begin(&once))
		return;
	for (s = 0; s < ns_topo.nslots; s++) {
		node = ns_topo.node_of_slot[s];
		memory[s].capacity = ns_topo_capacity(node);
		memory[s].latency = initiators(node, "read_latency");
		memory[s].bandwidth = initiators(node, "read_bandwidth");
	}
	ns_memory_kinds(memory, ns_topo.cpus);
	ns_once_end(&once);
}

void
ns_memory_forget(void)
{
	ns_store_relaxed(&once, 0u);
}
