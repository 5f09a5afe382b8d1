/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What numaslab knows of the machine: its nodes and their memory, which are
 * near and which are fast, and where each CPU is at home.
 *
 * Nodes are those with memory, by the operating system's numbers.  The first
 * call of any of these on a machine of many nodes may load hwloc: milliseconds,
 * and it allocates.  Later calls do neither.  All may be called from any thread
 * at any time; none sleeps.  What they tell does not change after that.
 */
#ifndef NUMASLAB_TOPOLOGY_H
#define NUMASLAB_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum numaslab_memory_kind {
	NUMASLAB_MEMORY_DRAM,
	NUMASLAB_MEMORY_HBM, /* no CPUs, and more bandwidth than nodes with */
	NUMASLAB_MEMORY_CXL  /* no CPUs, otherwise */
};

struct numaslab_topology_node {
	int node;                       /* operating system's number */
	enum numaslab_memory_kind kind; /* of its memory */
	bool allowed;                   /* this process may allocate there */
	bool has_cpus;
	uint64_t capacity; /* bytes; 0: not known */
	uint32_t latency;  /* ns, of a read by the nearest CPUs; 0: not known */
	uint32_t bandwidth; /* MiB/s, of the same; 0: not known */
	uint64_t spare[4];  /* 0 */
};

/*
 * numaslab_topology_nodes - the nodes, in rising order, into @nodes[0] to
 * @nodes[@n - 1] as far as they fit.  @nodes may be NULL if @n is 0.
 * Returns how many there are, at least 1.
 */
int numaslab_topology_nodes(int *nodes, int n);

/*
 * numaslab_topology_node - fill *@info for @node.
 * Returns 0, or -1 with errno EINVAL when the node is not served.
 */
int numaslab_topology_node(int node, struct numaslab_topology_node *info);

/*
 * numaslab_topology_home - the node that a thread on @cpu is at home on under
 * the local policy: the CPU's own, or the nearest to it that has memory and
 * that this process may use. Returns NUMA_NO_NODE with errno EINVAL for a CPU
 * that the machine does not have, or that was not there yet when the process
 * started.
 */
int numaslab_topology_home(int cpu);

enum numaslab_topology_by {
	NUMASLAB_BY_DISTANCE,  /* the order in which a full node spills */
	NUMASLAB_BY_LATENCY,   /* lowest first */
	NUMASLAB_BY_BANDWIDTH, /* highest first */
	NUMASLAB_BY_CAPACITY   /* largest first */
};

/*
 * numaslab_topology_order - the nodes that this process may use, the best for
 * a thread near @from first, into @nodes; and into @tiers, which may be NULL,
 * which tier each is of, from 0 on.  Nodes of one tier are equally good, and
 * the nearest of them is first.  Both arrays have @n entries, of which no more
 * are written.
 *
 * Capacities that differ by less than a sixteenth or so of the largest are
 * equal.
 * Returns how many nodes there are, or -1 with errno EINVAL (@from is not
 * served; no such @by) or ENODATA (the machine does not tell).
 */
int numaslab_topology_order(enum numaslab_topology_by by, int from, int *nodes,
			    int *tiers, int n);

#ifdef __cplusplus
}
#endif
#endif
