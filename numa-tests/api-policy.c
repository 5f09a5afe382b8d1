/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api-policy - caches and objects with policies of their own.
 *
 * The process's policy is local.  From a thread on each node with CPUs, objects
 * of caches and pages of vm_objects must be where their policies say, as
 * move_pages(2) tells; under an interleave policy as many on each node as it
 * weighs, and a page of an object by its index.
 */
#include "guest.h"

#include "numaslab/kmem.h"
#include "numaslab/numaslab.h"
#include "numaslab/vm_object.h"
#include "numaslab/vm_page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT 240
#define SIZE  3000
#define REQ   (VM_ALLOC_NORMAL | VM_ALLOC_NOBUSY)

static int first, last; /* nodes with memory */
static int from;        /* the node that the worker in turn runs on */

static int
touched(void *p, size_t size)
{
	memset(p, 1, size);
	check(numaslab_node_of(p) == where_is(p),
	      "%p is said to be on node %d, and is on %d", p,
	      numaslab_node_of(p), where_is(p));
	return where_is(p);
}

/* How many of COUNT objects of a cache under @policy are on each node. */
static void
count_objects(const char *policy, int *on)
{
	struct kmem_cache_args args = { .policy = policy };
	static void *obj[COUNT];
	struct kmem_cache *c;
	int i;

	memset(on, 0, MAX_NODES * sizeof(*on));
	c = kmem_cache_create("placed", SIZE, &args, 0);
	if (c == NULL)
		die("a cache with policy %s: %s", policy, strerror(errno));
	for (i = 0; i < COUNT; i++) {
		obj[i] = kmem_cache_alloc(c, GFP_KERNEL);
		if (obj[i] == NULL)
			die("no object under %s: %s", policy, strerror(errno));
		on[touched(obj[i], SIZE)]++;
	}
	kmem_cache_free_bulk(c, COUNT, obj);
	kmem_cache_destroy(c);
}

/* The same of an object's pages; @place gets the node of each. */
static void
count_pages(const char *policy, int *on, int *place)
{
	struct vm_object_attr attr = { .size = COUNT,
				       .domain = VM_DOMAIN_HOME,
				       .policy = policy };
	vm_object_t object = vm_object_create(&attr);
	vm_page_t m;
	int i;

	memset(on, 0, MAX_NODES * sizeof(*on));
	if (object == NULL)
		die("an object with policy %s: %s", policy, strerror(errno));
	VM_OBJECT_WLOCK(object);
	/* Backwards: it is the index that decides. */
	for (i = COUNT - 1; i >= 0; i--) {
		m = vm_page_alloc(object, (vm_pindex_t)i, REQ);
		if (m == NULL)
			die("no page under %s: %s", policy, strerror(errno));
		place[i] = touched(vm_page_addr(m), 4096);
		on[place[i]]++;
	}
	VM_OBJECT_WUNLOCK(object);
	vm_object_destroy(object);
}

static void
all_on(const char *policy, int node)
{
	int on[MAX_NODES], place[COUNT];

	count_objects(policy, on);
	check(on[node] == COUNT, "%s: %d of %d objects on node %d from %d",
	      policy, on[node], COUNT, node, from);
	count_pages(policy, on, place);
	check(on[node] == COUNT, "%s: %d of %d pages on node %d from %d",
	      policy, on[node], COUNT, node, from);
}

/* @share of COUNT on @node, give or take one round of turns. */
static void
check_share(const char *policy, const int *on, int node, int share)
{
	check(on[node] >= share - 4 && on[node] <= share + 4,
	      "%s: %d on node %d, not %d", policy, on[node], node, share);
}

static void
shared_out(void)
{
	int on[MAX_NODES], place[COUNT], again[COUNT], i, node;
	char policy[80];

	count_objects("interleave", on);
	for (i = 0; i < machine.nmem_nodes; i++)
		check_share("interleave", on, machine.mem_node[i],
			    COUNT / machine.nmem_nodes);
	count_pages("interleave", on, place);
	count_pages("interleave", on, again);
	for (i = 0; i < COUNT; i++) {
		node = machine.mem_node[i % machine.nmem_nodes];
		check(place[i] == node && again[i] == node,
		      "the page at %d is on node %d and then %d, not %d", i,
		      place[i], again[i], node);
	}
	if (first == last)
		return;
	snprintf(policy, sizeof(policy), "weighted-interleave=%d@1,%d@3", first,
		 last);
	count_objects(policy, on);
	check_share(policy, on, first, COUNT / 4);
	check_share(policy, on, last, COUNT * 3 / 4);
	count_pages(policy, on, place);
	check_share(policy, on, first, COUNT / 4);
	check_share(policy, on, last, COUNT * 3 / 4);
}

static void
ask_all(void *arg)
{
	char policy[80];

	(void)arg;
	all_on("local", nearest_memory(from));
	snprintf(policy, sizeof(policy), "bind=%d", last);
	all_on(policy, last);
	snprintf(policy, sizeof(policy), "preferred=%d", first);
	all_on(policy, first);
	all_on("preferred-many=all", nearest_memory(from));
	shared_out();
}

static void
check_refusals(void)
{
	struct vm_object_attr attr = { .size = 1, .domain = VM_DOMAIN_HOME };

	attr.policy = "bind=1023";
	errno = 0;
	check(vm_object_create(&attr) == NULL && errno == EINVAL,
	      "an object of no node: errno %d", errno);
	attr.policy = "local";
	attr.domain = first;
	errno = 0;
	check(vm_object_create(&attr) == NULL && errno == EINVAL,
	      "an object with a node and a policy: errno %d", errno);
}

int
main(void)
{
	struct worker *w;
	int c;

	machine_read();
	first = machine.mem_node[0];
	last = machine.mem_node[machine.nmem_nodes - 1];
	for (c = 0; c < machine.ncpu_nodes; c++) {
		from = machine.cpu_node[c];
		w = worker_start(from);
		worker_do(w, ask_all, NULL);
		worker_stop(w);
	}
	check_refusals();
	return done("api-policy");
}
