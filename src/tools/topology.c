/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/topology.c - numaslab topology: the nodes, and which are near.
 *
 * hwloc describes the machine; what the library makes of it, slots and spill
 * orders, comes from the library's own code.  HWLOC_SYNTHETIC, HWLOC_XMLFILE
 * and HWLOC_FSROOT let hwloc describe another machine: then the library's
 * code is given that one's nodes, so that the orders shown are those it
 * would use there.
 */
#include "tools/tools.h"

#include "base/options.h"
#include "topo/internal.h"

#include <hwloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: numaslab topology\n"
    "\n"
    "Prints the nodes, their CPUs and memory, whether this process may use\n"
    "them, the distances, the order in which a full node spills onto the\n"
    "others, what their memory is like, and which of them NUMASLAB_POLICY\n"
    "prefers.  HWLOC_XMLFILE and HWLOC_SYNTHETIC describe another machine:\n"
    "see hwloc(7).\n";

struct machine {
	hwloc_topology_t topology;
	bool here; /* it is this machine, not a description */
	unsigned nodes;
};

static hwloc_obj_t
node(const struct machine *m, unsigned i)
{
	return hwloc_get_obj_by_type(m->topology, HWLOC_OBJ_NUMANODE, i);
}

static int
load(struct machine *m)
{
	unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;

	if (hwloc_topology_init(&m->topology) != 0)
		return -1;
	if (hwloc_topology_set_flags(m->topology, flags) != 0 ||
	    hwloc_topology_load(m->topology) != 0)
		return -1;
	m->here = hwloc_topology_is_thissystem(m->topology);
	m->nodes =
	    (unsigned)hwloc_get_nbobjs_by_type(m->topology, HWLOC_OBJ_NUMANODE);
	return 0;
}

/*
 * What the library makes of the machine.  A description that leaves memory
 * sizes out (an old XML) is taken to have memory everywhere.
 */
static void
adopt(const struct machine *m)
{
	struct ns_nodemask memory = { { 0 } }, all = { { 0 } };
	bool any = false;

	for (unsigned i = 0; i < m->nodes; i++) {
		hwloc_obj_t n = node(m, i);

		if (n->os_index >= NS_MAX_NODES)
			continue;
		ns_mask_set(&all, n->os_index);
		if (n->attr->numanode.local_memory == 0)
			continue;
		ns_mask_set(&memory, n->os_index);
		any = true;
	}
	ns_topo_assume(any ? &memory : &all);
	ns_hwloc_refine();
}

static const char *
source(const struct machine *m)
{
	static char text[160];
	unsigned v = hwloc_get_api_version();
	const char *from = "the kernel";

	if (ns_topo.fake)
		return "NUMASLAB_FAKE_NODES: counted apart, bound to nothing";
	if (!m->here && getenv("HWLOC_XMLFILE") != NULL)
		from = "HWLOC_XMLFILE, not this machine";
	else if (!m->here && getenv("HWLOC_SYNTHETIC") != NULL)
		from = "HWLOC_SYNTHETIC, not this machine";
	else if (!m->here)
		from = "a description, not this machine";
	snprintf(text, sizeof(text), "hwloc %u.%u.%u, from %s", v >> 16,
		 v >> 8 & 0xff, v & 0xff, from);
	return text;
}

/*
 * hwloc gives a node without CPUs those that are nearest to it.  Of this
 * machine the kernel knows better.
 */
static void
print_cpus(const struct machine *m, hwloc_obj_t n)
{
	char path[256], list[4096], *near = NULL;

	ns_format(path, sizeof(path), "%s/node%u/cpulist", ns_topo_sysfs,
		  n->os_index);
	if (m->here && ns_os_read_file(path, list, sizeof(list)) >= 0) {
		list[strcspn(list, "\n")] = '\0';
		puts(list[0] != '\0' ? list : "none");
		return;
	}
	if (hwloc_bitmap_list_asprintf(&near, n->cpuset) < 0)
		near = NULL;
	puts(near != NULL && near[0] != '\0' ? near : "none");
	free(near);
}

static void
print_node(const struct machine *m, hwloc_obj_t n)
{
	const char *allowed = "no memory";
	unsigned slot = NS_NO_SLOT;
	char size[16];

	if (n->os_index < NS_MAX_NODES)
		slot = ns_topo.slot_of_node[n->os_index];
	if (slot != NS_NO_SLOT)
		allowed = ns_topo.allowed[slot] ? "yes" : "no";
	else if (n->attr->numanode.local_memory > 0)
		allowed = "no"; /* one node is allowed, and it is another */
	printf("%-5u %9s %-10s ", n->os_index,
	       ns_human(size, n->attr->numanode.local_memory), allowed);
	print_cpus(m, n);
}

static void
print_fake_nodes(void)
{
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);

	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		printf("%-5u %9s %-10s", ns_topo.node_of_slot[s], "-", "yes");
		for (unsigned c = s; c < (unsigned)ncpus; c += ns_topo.nslots)
			printf("%c%u", c == s ? ' ' : ',', c);
		puts(s < (unsigned)ncpus ? "" : " none");
	}
}

static void
print_distances(void)
{
	unsigned n = ns_topo.nslots, i, j;

	printf("\ndistances\n%-5s", "node");
	for (j = 0; j < n; j++)
		printf(" %4u", ns_topo.node_of_slot[j]);
	for (i = 0; i < n; i++) {
		printf("\n%-5u", ns_topo.node_of_slot[i]);
		for (j = 0; j < n; j++)
			printf(" %4u", ns_topo_distance(i, j));
	}
	printf("\n\nspill order\n");
	for (i = 0; i < n; i++) {
		const uint8_t *order = ns_topo_order(i);

		printf("%-5u", ns_topo.node_of_slot[i]);
		for (j = 0; j < n; j++)
			printf(" %4u", ns_topo.node_of_slot[order[j]]);
		putchar('\n');
	}
}

static void
print_memory(void)
{
	static const char *const kinds[] = { "DRAM", "HBM", "CXL" };
	const struct ns_memory *m;
	char size[16];

	printf("\n%-5s %-5s %9s %8s %15s\n", "node", "kind", "capacity",
	       "latency", "bandwidth");
	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		m = ns_topo_memory(s);
		printf("%-5u %-5s %9s ", ns_topo.node_of_slot[s],
		       kinds[m->kind],
		       m->capacity != 0 ? ns_human(size, m->capacity) : "-");
		if (m->latency != 0)
			printf("%5u ns ", m->latency);
		else
			printf("%8s ", "-");
		if (m->bandwidth != 0)
			printf("%9u MiB/s\n", m->bandwidth);
		else
			printf("%15s\n", "-");
	}
}

/*
 * By the node that the thread is near to: where memory comes from, best first.
 * What is equally good is joined by =, and the nearer comes first.
 */
static void
print_preferences(const struct ns_policy *p)
{
	uint8_t order[NS_MAX_SLOTS];
	unsigned s, i, n;

	for (s = 0; s < ns_topo.nslots; s++) {
		printf("%-5u", ns_topo.node_of_slot[s]);
		n = ns_policy_order(p, p->home[s], order);
		for (i = 0; i < n; i++)
			printf("%s%u",
			       i > 0 && p->rank[order[i]] ==
					    p->rank[order[i - 1]]
				   ? "="
				   : " ",
			       ns_topo.node_of_slot[order[i]]);
		putchar('\n');
	}
	if (p->mode != NS_POLICY_INTERLEAVE)
		return;
	printf("turns");
	for (i = 0; i < p->turns; i++)
		printf(" %u", ns_topo.node_of_slot[p->turn[i]]);
	putchar('\n');
}

static void
print_policy(void)
{
	char size[16];

	printf("\npreference, by the node of the thread; = is a tie\n");
	print_preferences(&ns_policy);
	if (memcmp(&ns_policy, &ns_policy_large, sizeof(ns_policy)) == 0)
		return;
	printf("\npreference of blocks of %s or more\n",
	       ns_human(size, ns_policy_threshold));
	print_preferences(&ns_policy_large);
}

static void
print_machine(const struct machine *m)
{
	printf("source: %s\n", source(m));
	printf("policy: %s\n", ns_options.policy);
	printf("\n%-5s %9s %-10s %s\n", "node", "memory", "allowed", "CPUs");
	if (ns_topo.fake)
		print_fake_nodes();
	else
		for (unsigned i = 0; i < m->nodes; i++)
			print_node(m, node(m, i));
	if (ns_topo.nslots > 1) {
		print_distances();
		print_memory();
		print_policy();
	} else if (m->nodes > 1)
		printf("\nThis process may use one node: the others are not "
		       "looked at.\n");
}

int
ns_topology_main(int argc, char **argv)
{
	struct machine m = { 0 };

	if (argc == 2 &&
	    (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		ns_help(help);
	if (argc > 1)
		return ns_usage_error("unexpected argument '%s'", argv[1]);
	setenv("HWLOC_HIDE_ERRORS", "2", 0); /* ours will do */
	if (load(&m) != 0) {
		ns_complain("hwloc cannot load the topology: %m");
		return 1;
	}
	ns_topo_init();
	if (m.here || ns_topo.fake)
		ns_topo_refine();
	else
		adopt(&m);
	ns_policy_init();
	print_machine(&m);
	hwloc_topology_destroy(m.topology);
	return 0;
}
