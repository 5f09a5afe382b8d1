/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api-spill - a full node spills onto the nearest that is not.
 *
 * Run with NUMASLAB_NODE_LIMIT set to what each node may hold.  A thread on
 * each node fills the machine with blocks, and the nodes must fill one after
 * the other in the order of their distance from it; what was spilled is
 * counted; strict requests fail instead; nothing is left when all is full.
 * Then all is freed, and the next objects are at home again.
 */
#include "guest.h"

#include "numaslab/kmem.h"
#include "numaslab/numaslab.h"
#include "numaslab/vm_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK     (256ul << 10)
#define MAX       100000
#define VM_STRICT (VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ)

static char **block;
static size_t nblocks, limit;
static struct kmem_cache *cache;

static uint64_t
spilled_on(int node)
{
	struct numaslab_node_stat st;

	if (numaslab_node_stat(node, &st) != 0)
		die("numaslab_node_stat(%d): %s", node, strerror(errno));
	return st.spilled;
}

/* Allocate until all is full; @seen gets the nodes as they come. */
static int
fill_machine(int *seen, uint64_t *bytes)
{
	int nseen = 0, node;
	char *p;

	for (nblocks = 0; nblocks < MAX; nblocks++) {
		errno = 0;
		p = kmalloc(BLOCK, GFP_KERNEL);
		if (p == NULL)
			break;
		memset(p, 1, BLOCK);
		block[nblocks] = p;
		node = numaslab_node_of(p);
		if (nseen == 0 || seen[nseen - 1] != node) {
			if (nseen == MAX_NODES)
				die("the node changes at every block");
			seen[nseen++] = node;
		}
		bytes[node] += BLOCK;
	}
	check(nblocks < MAX && errno == ENOMEM,
	      "%zu blocks and no end: errno %d", nblocks, errno);
	return nseen;
}

static void
check_order(int from, const int *seen, int nseen)
{
	int order[MAX_NODES], n = by_distance(from, order), i;

	check(nseen == n, "from node %d: %d changes of node, %d nodes", from,
	      nseen - 1, n);
	for (i = 0; i < n && i < nseen; i++)
		/* Nodes at the same distance may come in any order. */
		check(machine.distance[from][seen[i]] ==
			  machine.distance[from][order[i]],
		      "from node %d: node %d is number %d to fill, not %d",
		      from, seen[i], i, order[i]);
}

static void
check_places(void)
{
	size_t i;
	int at;

	for (i = 0; i < nblocks; i++) {
		at = where_is(block[i] + BLOCK / 2);
		check(at == numaslab_node_of(block[i]),
		      "block %zu of node %d is on %d", i,
		      numaslab_node_of(block[i]), at);
	}
}

/* The home node has no room left: a strict request must not wander off. */
static void
check_strict(int node)
{
	struct kmem_cache_stat st;
	vm_page_t m;
	void *p;
	int i;

	for (i = 0; i < MAX; i++) {
		errno = 0;
		p = kmalloc_node(BLOCK, __GFP_THISNODE, node);
		if (p == NULL)
			break;
		check(numaslab_node_of(p) == node, "strict block on node %d",
		      numaslab_node_of(p));
		block[nblocks++] = p;
	}
	check(errno == ENOMEM, "strict kmalloc_node: errno %d", errno);
	for (i = 0; i < MAX; i++) {
		errno = 0;
		p = kmem_cache_alloc_node(cache, __GFP_THISNODE, node);
		if (p == NULL)
			break;
		check(numaslab_node_of(p) == node, "strict object on node %d",
		      numaslab_node_of(p));
	}
	check(errno == ENOMEM, "strict kmem_cache_alloc_node: errno %d", errno);
	for (i = 0; i < MAX; i++) {
		errno = 0;
		m = vm_page_alloc_domain(NULL, 0, node, VM_STRICT);
		if (m == NULL)
			break;
		check(vm_page_domain(m) == node, "strict page on node %d",
		      vm_page_domain(m));
	}
	check(errno == ENOMEM, "vm_page_alloc_domain: errno %d", errno);
	/* The same without the flag is served, by a neighbour. */
	p = kmem_cache_alloc_node(cache, GFP_KERNEL, node);
	check(p != NULL && numaslab_node_of(p) != node,
	      "a lenient object with node %d full: %p, on node %d", node, p,
	      numaslab_node_of(p));
	check(kmem_cache_stat(cache, numaslab_node_of(p), &st) == 0 &&
		  st.spilled == 1,
	      "the cache counts %lu objects spilled to node %d",
	      (unsigned long)st.spilled, numaslab_node_of(p));
}

static void
fill_and_free(void *arg)
{
	int from = *(int *)arg, home = nearest_memory(from);
	int seen[MAX_NODES], nseen, i, node;
	uint64_t bytes[MAX_NODES] = { 0 }, before[MAX_NODES];
	void *p;

	for (i = 0; i < machine.nmem_nodes; i++)
		before[machine.mem_node[i]] = spilled_on(machine.mem_node[i]);
	nseen = fill_machine(seen, bytes);
	check_order(from, seen, nseen);
	check_places();
	for (i = 0; i < machine.nmem_nodes; i++) {
		node = machine.mem_node[i];
		check(bytes[node] <= limit && bytes[node] >= limit / 2,
		      "node %d took %lu bytes, its limit is %zu", node,
		      (unsigned long)bytes[node], limit);
		check(node == home
			  ? spilled_on(node) == before[node]
			  : spilled_on(node) - before[node] >= bytes[node],
		      "node %d: %lu bytes of node %d, %lu counted as spilled",
		      node, (unsigned long)bytes[node], from,
		      (unsigned long)(spilled_on(node) - before[node]));
	}
	while (nblocks > 0)
		kfree(block[--nblocks]);
	p = kmalloc(BLOCK, GFP_KERNEL);
	check(p != NULL && numaslab_node_of(p) == home,
	      "after all was freed: %p is on node %d, not %d", p,
	      numaslab_node_of(p), home);
	kfree(p);
}

/* Not a byte is left in any class; what this takes it keeps. */
static void
use_up(void *arg)
{
	int node = nearest_memory(*(int *)arg);
	size_t size;

	check_strict(node);
	for (size = 1024; size > 0; size -= 16)
		while (kmalloc_node(size, __GFP_THISNODE, node) != NULL)
			;
	check(errno == ENOMEM, "strict kmalloc_node: errno %d", errno);
}

/* A thread that is born on a full node. */
static void
newcomer(void *arg)
{
	int node = nearest_memory(*(int *)arg);
	char *p;

	errno = 0;
	p = kmalloc(100, GFP_KERNEL);
	check(p != NULL && numaslab_node_of(p) != node,
	      "a new thread's block with node %d full: %p, errno %d, node %d",
	      node, p, errno, numaslab_node_of(p));
}

static size_t
limit_from_environment(void)
{
	const char *s = getenv("NUMASLAB_NODE_LIMIT");
	char *end;
	size_t n;

	if (s == NULL)
		die("api-spill: set NUMASLAB_NODE_LIMIT");
	n = strtoul(s, &end, 10);
	if (strcmp(end, "M") != 0)
		die("api-spill: NUMASLAB_NODE_LIMIT in M, please");
	return n << 20;
}

int
main(void)
{
	struct worker *w, *late;
	int i, last;

	limit = limit_from_environment();
	machine_read();
	block = map_pages(2 * MAX * sizeof(*block));
	cache = kmem_cache_create("spill", 1000, 0, 0, NULL);
	if (cache == NULL)
		die("kmem_cache_create: %s", strerror(errno));
	for (i = 0; i < machine.ncpu_nodes; i++) {
		w = worker_start(machine.cpu_node[i]);
		worker_do(w, fill_and_free, &machine.cpu_node[i]);
		worker_stop(w);
	}
	/* Last: what this leaves allocated stays so. */
	last = machine.cpu_node[machine.ncpu_nodes - 1];
	w = worker_start(last);
	worker_do(w, use_up, &last);
	late = worker_start(last);
	worker_do(late, newcomer, &last);
	worker_stop(late);
	worker_stop(w);
	return done("api-spill");
}
