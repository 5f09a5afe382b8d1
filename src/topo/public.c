/* SPDX-License-Identifier: BSD-2-Clause */
/* topo/public.c - numaslab.h and topology.h, of nodes and distances. */
#include "numaslab/topology.h"

#include "numaslab/numaslab.h"

#include "topo/internal.h"

#include <errno.h>
#include <string.h>

static bool
served(int node)
{
	return node >= 0 && node < NS_MAX_NODES &&
	       ns_topo.slot_of_node[node] != NS_NO_SLOT;
}

/* All that is known, not only what the first malloc needed. */
static void
wake(void)
{
	ns_topo_init();
	if (!ns_topo.one_node)
		ns_topo_refine();
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
	wake();
	if (!served(from) || !served(to)) {
		errno = EINVAL;
		return 0;
	}
	return (int)ns_topo_distance(ns_topo.slot_of_node[from],
				     ns_topo.slot_of_node[to]);
}

ns_export int
numaslab_topology_nodes(int *nodes, int n)
{
	wake();
	for (int i = 0; i < n && i < (int)ns_topo.nslots; i++)
		nodes[i] = ns_topo.node_of_slot[i];
	return (int)ns_topo.nslots;
}

static enum numaslab_memory_kind
public_kind(uint8_t kind)
{
	switch (kind) {
	case NS_MEMORY_HBM:
		return NUMASLAB_MEMORY_HBM;
	case NS_MEMORY_CXL:
		return NUMASLAB_MEMORY_CXL;
	default:
		return NUMASLAB_MEMORY_DRAM;
	}
}

ns_export int
numaslab_topology_node(int node, struct numaslab_topology_node *info)
{
	const struct ns_memory *m;
	unsigned slot;

	wake();
	if (!served(node)) {
		errno = EINVAL;
		return -1;
	}
	slot = ns_topo.slot_of_node[node];
	m = ns_topo_memory(slot);
	*info = (struct numaslab_topology_node){
		.node = node,
		.kind = public_kind(m->kind),
		.allowed = ns_topo.allowed[slot],
		.has_cpus = ns_topo.cpus[slot],
		.capacity = m->capacity,
		.latency = m->latency,
		.bandwidth = m->bandwidth,
	};
	return 0;
}

ns_export int
numaslab_topology_home(int cpu)
{
	unsigned slot = NS_NO_SLOT;

	wake();
	if (cpu >= 0)
		slot = ns_topo_slot_of_known_cpu((unsigned)cpu);
	if (slot == NS_NO_SLOT) {
		errno = EINVAL;
		return NUMA_NO_NODE;
	}
	return ns_topo.node_of_slot[slot];
}

/* What is asked for, as a policy that would do it. */
static bool
rule_of(enum numaslab_topology_by by, struct ns_rule *rule)
{
	static const enum ns_policy_word words[] = {
		[NUMASLAB_BY_DISTANCE] = NS_WORD_LOCAL,
		[NUMASLAB_BY_LATENCY] = NS_WORD_LATENCY,
		[NUMASLAB_BY_BANDWIDTH] = NS_WORD_BANDWIDTH,
		[NUMASLAB_BY_CAPACITY] = NS_WORD_CAPACITY,
	};

	if ((unsigned)by >= NS_ARRAY_LEN(words))
		return false;
	*rule = (struct ns_rule){ .word = words[by] };
	memset(rule->weight, 1, ns_topo.nslots);
	return true;
}

/* By distance, each distance is a tier. */
static bool
same_tier(const struct ns_policy *policy, const uint8_t *order, unsigned i)
{
	if (policy->mode == NS_POLICY_LOCAL)
		return ns_topo_distance(order[0], order[i]) ==
		       ns_topo_distance(order[0], order[i - 1]);
	return policy->rank[order[i]] == policy->rank[order[i - 1]];
}

ns_export int
numaslab_topology_order(enum numaslab_topology_by by, int from, int *nodes,
			int *tiers, int n)
{
	uint8_t order[NS_MAX_SLOTS];
	struct ns_policy policy;
	struct ns_rule rule;
	const char *why;
	unsigned i, count;
	int tier = 0;

	wake();
	if (!served(from) || !rule_of(by, &rule)) {
		errno = EINVAL;
		return -1;
	}
	if (ns_policy_make(&rule, &policy, &why) != 0) {
		errno = ENODATA;
		return -1;
	}
	count = ns_policy_order(&policy,
				policy.home[ns_topo.slot_of_node[from]], order);
	for (i = 0; i < count && (int)i < n; i++) {
		nodes[i] = ns_topo.node_of_slot[order[i]];
		tier += i > 0 && !same_tier(&policy, order, i);
		if (tiers != NULL)
			tiers[i] = tier;
	}
	return (int)count;
}
