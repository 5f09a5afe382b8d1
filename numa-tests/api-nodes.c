/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api-nodes - the calls that name a node, on every node of the machine.
 *
 * From a thread on each node with CPUs, every node with memory is asked by
 * name, the CPU-less ones included, for cache objects, kmalloc blocks and
 * pages; move_pages(2) says where they are.  Then what must be refused is.
 */
#include "guest.h"

#include "numaslab/kmem.h"
#include "numaslab/numaslab.h"
#include "numaslab/topology.h"
#include "numaslab/vm_page.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define COUNT 300
#define PAGE  4096ul

#define SPREAD 20 /* objects of a spread cache on each node */

static const unsigned object_sizes[] = { 24, 192, 1000, 3000, 20000 };
static const size_t block_sizes[] = { 16,    100,   700,    4096,
				      10000, 65536, 200000, 3ul << 20 };
#define NOBJECT (sizeof(object_sizes) / sizeof(object_sizes[0]))
#define NBLOCK  (sizeof(block_sizes) / sizeof(block_sizes[0]))

static struct kmem_cache *caches[NOBJECT];
static int from; /* the node that the worker in turn runs on */

/* Every page of @p is on @node, and the pointer says so. */
static void
check_lies(const char *what, char *p, size_t size, int node)
{
	size_t off;
	int at;

	memset(p, 0x5a, size);
	for (off = 0; off < size; off += PAGE) {
		at = where_is(p + off);
		check(at == node,
		      "%s: %zu bytes for node %d from node %d: on %d", what,
		      size, node, from, at);
	}
	at = where_is(p + size - 1);
	check(at == node, "%s: end of %zu bytes for node %d is on %d", what,
	      size, node, at);
	at = numaslab_node_of(p + size / 2);
	check(at == node, "%s: numaslab_node_of says %d, not %d", what, at,
	      node);
}

static void
ask_caches(int node)
{
	void *obj[COUNT];
	size_t i, j;

	for (i = 0; i < NOBJECT; i++) {
		for (j = 0; j < COUNT; j++) {
			obj[j] = kmem_cache_alloc_node(
			    caches[i], j % 2 ? GFP_KERNEL : __GFP_THISNODE,
			    node);
			if (obj[j] == NULL)
				die("no object of %u on node %d: %s",
				    object_sizes[i], node, strerror(errno));
			if (j % 16 == 0)
				check_lies("kmem_cache_alloc_node", obj[j],
					   object_sizes[i], node);
		}
		for (j = 0; j < COUNT; j++)
			check(numaslab_node_of(obj[j]) == node,
			      "object %zu of %u bytes is for node %d", j,
			      object_sizes[i], numaslab_node_of(obj[j]));
		kmem_cache_free_bulk(caches[i], COUNT, obj);
	}
}

static void
ask_blocks(int node)
{
	void *p[8];
	size_t i, j, n;

	for (i = 0; i < NBLOCK; i++) {
		n = block_sizes[i] > 1ul << 20 ? 2 : 8;
		for (j = 0; j < n; j++) {
			p[j] =
			    kmalloc_node(block_sizes[i],
					 j % 2 ? __GFP_ZERO : GFP_KERNEL, node);
			if (p[j] == NULL)
				die("no block of %zu on node %d: %s",
				    block_sizes[i], node, strerror(errno));
			check_lies("kmalloc_node", p[j], block_sizes[i], node);
		}
		for (j = 0; j < n; j++)
			kfree(p[j]);
	}
}

static void
ask_pages(int node)
{
	static const char zero[PAGE];
	vm_page_t m[64];
	int i, req = VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ;

	for (i = 0; i < 64; i++) {
		m[i] = vm_page_alloc_domain(NULL, 0, node,
					    i % 2 ? req | VM_ALLOC_ZERO : req);
		if (m[i] == NULL)
			die("no page on node %d: %s", node, strerror(errno));
		check(vm_page_domain(m[i]) == node, "vm_page_domain says %d",
		      vm_page_domain(m[i]));
		if (vm_page_flags(m[i]) & PG_ZERO)
			check(memcmp(vm_page_addr(m[i]), zero, PAGE) == 0,
			      "a PG_ZERO page of node %d is not zero", node);
		check_lies("vm_page_alloc_domain", vm_page_addr(m[i]), PAGE,
			   node);
	}
	for (i = 0; i < 64; i++)
		vm_page_free(m[i]);
}

/* What names no node goes home: to the nearest node with memory. */
static void
ask_home(void)
{
	int home = nearest_memory(from), i;
	void *obj[COUNT], *p;
	vm_page_t m;

	check(numaslab_home_node() == home, "home of node %d is %d, not %d",
	      from, numaslab_home_node(), home);
	if (kmem_cache_alloc_bulk(caches[0], GFP_KERNEL, COUNT, obj) != COUNT)
		die("no %d objects at home: %s", COUNT, strerror(errno));
	for (i = 0; i < COUNT; i++)
		check_lies("kmem_cache_alloc_bulk", obj[i], object_sizes[0],
			   home);
	kmem_cache_free_bulk(NULL, COUNT, obj);
	p = kmem_cache_alloc_node(caches[1], GFP_KERNEL, NUMA_NO_NODE);
	check_lies("NUMA_NO_NODE", p, object_sizes[1], home);
	kmem_cache_free(caches[1], p);
	p = kzalloc(5000, GFP_KERNEL);
	check_lies("kzalloc", p, 5000, home);
	p = krealloc(p, 300000, GFP_KERNEL);
	check_lies("krealloc", p, 300000, home);
	kfree(p);
	m = vm_page_alloc(NULL, 0, VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ);
	check_lies("vm_page_alloc", vm_page_addr(m), PAGE, home);
	vm_page_free(m);
}

/* SLAB_MEM_SPREAD: as many on each node as on any other. */
static void
ask_spread(void)
{
	static void *obj[MAX_NODES * SPREAD];
	struct kmem_cache *c =
	    kmem_cache_create("spread", 3000, 0, SLAB_MEM_SPREAD, NULL);
	int on[MAX_NODES] = { 0 }, n = machine.nmem_nodes * SPREAD, i;

	for (i = 0; i < n; i++) {
		obj[i] = kmem_cache_alloc(c, GFP_KERNEL);
		if (obj[i] == NULL)
			die("no spread object: %s", strerror(errno));
		memset(obj[i], 1, 3000);
		on[where_is(obj[i])]++;
	}
	for (i = 0; i < machine.nmem_nodes; i++)
		check(on[machine.mem_node[i]] == SPREAD,
		      "%d spread objects on node %d, not %d",
		      on[machine.mem_node[i]], machine.mem_node[i], SPREAD);
	kmem_cache_free_bulk(c, (size_t)n, obj);
	kmem_cache_destroy(c);
}

static void
ask_all(void *arg)
{
	int i;

	(void)arg;
	ask_home();
	ask_spread();
	for (i = 0; i < machine.nmem_nodes; i++) {
		ask_caches(machine.mem_node[i]);
		ask_blocks(machine.mem_node[i]);
		ask_pages(machine.mem_node[i]);
	}
	ask_home();
}

static bool
usable(int node)
{
	int i;

	for (i = 0; i < machine.nmem_nodes; i++)
		if (machine.mem_node[i] == node)
			return true;
	return false;
}

static void
refused(int node)
{
	errno = 0;
	check(kmem_cache_alloc_node(caches[0], GFP_KERNEL, node) == NULL &&
		  errno == EINVAL,
	      "kmem_cache_alloc_node on node %d: errno %d", node, errno);
	errno = 0;
	check(kmalloc_node(100, GFP_KERNEL, node) == NULL && errno == EINVAL,
	      "kmalloc_node on node %d: errno %d", node, errno);
	errno = 0;
	check(vm_page_alloc_domain(NULL, 0, node,
				   VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ) == NULL &&
		  errno == EINVAL,
	      "vm_page_alloc_domain on node %d: errno %d", node, errno);
}

/* A node outside the cpuset: a strict request fails, another goes elsewhere. */
static void
forbidden(int node)
{
	void *p;

	errno = 0;
	p = kmem_cache_alloc_node(caches[0], __GFP_THISNODE, node);
	check(p == NULL && errno != 0,
	      "a strict object of node %d, outside the cpuset: %p", node, p);
	p = kmalloc_node(100000, GFP_KERNEL, node);
	if (p == NULL)
		return;
	check(usable(numaslab_node_of(p)), "a block of node %d, %s on %d", node,
	      "outside the cpuset,", numaslab_node_of(p));
	check_lies("outside the cpuset", p, 100000, numaslab_node_of(p));
	kfree(p);
}

/* Every number up to a little above the top, and absurd ones. */
static void
check_refusals(void)
{
	static const int absurd[] = { -2, -1000, 1023, 1024, 4096, 1 << 30 };
	int node, top = machine.node[machine.nnodes - 1];
	size_t i;

	for (node = 0; node <= top + 2; node++) {
		if (node > top || !has_memory(node))
			refused(node);
		else if (!usable(node))
			forbidden(node);
		check(numaslab_node_allowed(node) == usable(node),
		      "numaslab_node_allowed(%d) is %d", node,
		      numaslab_node_allowed(node));
	}
	for (i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++)
		refused(absurd[i]);
	check(numaslab_node_of(&node) == NUMA_NO_NODE,
	      "the stack is on node %d", numaslab_node_of(&node));
}

static void
check_distances(void)
{
	int i, j, a, b;

	for (i = 0; i < machine.nmem_nodes; i++) {
		for (j = 0; j < machine.nmem_nodes; j++) {
			a = machine.mem_node[i];
			b = machine.mem_node[j];
			check(numaslab_distance(a, b) == machine.distance[a][b],
			      "distance %d to %d is %d, not %d", a, b,
			      numaslab_distance(a, b), machine.distance[a][b]);
		}
	}
	check(numaslab_max_node() >= machine.mem_node[machine.nmem_nodes - 1] &&
		  has_memory(numaslab_max_node()),
	      "numaslab_max_node is %d", numaslab_max_node());
}

/* Of @node's memory, what sysfs says; 0: nothing. */
static unsigned long
sysfs_figure(int node, const char *name)
{
	unsigned long value = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%d/access0/initiators/%s", node,
		 name);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

static void
check_node(int node)
{
	struct numaslab_topology_node info;

	check(numaslab_topology_node(node, &info) == 0, "no node %d: %s", node,
	      strerror(errno));
	check(info.node == node && info.has_cpus == has_cpus(node) &&
		  info.allowed == usable(node),
	      "node %d: %d, CPUs %d, allowed %d", node, info.node,
	      info.has_cpus, info.allowed);
	check(info.latency == sysfs_figure(node, "read_latency") &&
		  info.bandwidth == sysfs_figure(node, "read_bandwidth"),
	      "node %d: %u ns, %u MiB/s", node, info.latency, info.bandwidth);
	check(info.capacity > 0, "node %d has no capacity", node);
	check((info.kind == NUMASLAB_MEMORY_DRAM) == has_cpus(node),
	      "node %d is of kind %d", node, (int)info.kind);
}

/* The order is that of distances, and the tiers change where these do. */
static void
check_order(int node)
{
	int nodes[MAX_NODES], tiers[MAX_NODES], order[MAX_NODES], i, d, last;
	int n = numaslab_topology_order(NUMASLAB_BY_DISTANCE, node, nodes,
					tiers, MAX_NODES);

	check(n == by_distance(node, order), "%d nodes in the order of %d", n,
	      node);
	for (i = 0; i < n; i++) {
		d = machine.distance[node][nodes[i]];
		check(d == machine.distance[node][order[i]],
		      "node %d is number %d from %d", nodes[i], i, node);
		last = i > 0 ? machine.distance[node][nodes[i - 1]] : d;
		check(tiers[i] == (i > 0 ? tiers[i - 1] + (d != last) : 0),
		      "node %d is of tier %d", nodes[i], tiers[i]);
	}
}

static void
check_homes(void *arg)
{
	unsigned cpu = 0;

	(void)arg;
	getcpu(&cpu, NULL);
	check(numaslab_topology_home((int)cpu) == nearest_memory(from),
	      "CPU %u of node %d is at home on %d", cpu, from,
	      numaslab_topology_home((int)cpu));
}

static void
check_topology(void)
{
	int nodes[MAX_NODES], i, n = numaslab_topology_nodes(nodes, MAX_NODES);

	/* A process of one node looks at no other. */
	check(n == 1 || n >= machine.nmem_nodes, "%d nodes", n);
	for (i = 0; i < n; i++) {
		check_node(nodes[i]);
		if (usable(nodes[i]))
			check_order(nodes[i]);
	}
	check(numaslab_topology_home(4095) == NUMA_NO_NODE,
	      "CPU 4095 is at home");
}

int
main(void)
{
	struct worker *w;
	char name[32];
	size_t i;
	int c;

	machine_read();
	for (i = 0; i < NOBJECT; i++) {
		snprintf(name, sizeof(name), "test-%u", object_sizes[i]);
		caches[i] =
		    kmem_cache_create(name, object_sizes[i], 0, 0, NULL);
		if (caches[i] == NULL)
			die("kmem_cache_create: %s", strerror(errno));
	}
	for (c = 0; c < machine.ncpu_nodes; c++) {
		from = machine.cpu_node[c];
		w = worker_start(from);
		worker_do(w, ask_all, NULL);
		worker_do(w, check_homes, NULL);
		worker_stop(w);
	}
	check_refusals();
	check_distances();
	check_topology();
	for (i = 0; i < NOBJECT; i++)
		kmem_cache_destroy(caches[i]);
	return done("api-nodes");
}
