/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api-remote - what another node's thread frees goes home.
 *
 * For every pair of nodes: A allocates objects of a cache on its node, B on
 * another node frees them.  Then B's next objects are on B's node, none of
 * them A's; A's next objects reuse what B freed instead of new memory; the
 * counters tell what happened.  And whoever frees, a constructed object
 * comes back constructed.
 */
#include "guest.h"

#include "numaslab/kmem.h"
#include "numaslab/numaslab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 6000u
#define SIZE  240u
#define SEAL  0x5ea15ea1u

struct object {
	unsigned seal;
	char rest[SIZE - sizeof(unsigned)];
};

static struct kmem_cache *cache;
static uint64_t freed_objects;

static void
construct(void *p)
{
	((struct object *)p)->seal = SEAL;
}

static void
fill(void *arg)
{
	struct object **obj = arg;
	unsigned i;

	for (i = 0; i < COUNT; i++) {
		obj[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		if (obj[i] == NULL)
			die("no memory for object %u: %s", i, strerror(errno));
		check(obj[i]->seal == SEAL, "object %u is not constructed", i);
		memset(obj[i]->rest, 1, sizeof(obj[i]->rest));
	}
}

static void
empty(void *arg)
{
	struct object **obj = arg;
	unsigned i;

	for (i = 0; i < COUNT; i++)
		kmem_cache_free(cache, obj[i]);
	freed_objects += COUNT;
}

/* Half singly and half in bulk. */
static void
empty_bulk(void *arg)
{
	void **obj = arg;
	unsigned i;

	for (i = 0; i < COUNT / 2; i++)
		kmem_cache_free(cache, obj[i]);
	kmem_cache_free_bulk(cache, COUNT - i, obj + i);
	freed_objects += COUNT;
}

static void
check_on(const char *who, struct object **obj, int node)
{
	static int at[COUNT];
	static void *page[COUNT];
	unsigned i;

	memcpy(page, obj, sizeof(page));
	where(page, COUNT, at);
	for (i = 0; i < COUNT; i++)
		check(at[i] == node && numaslab_node_of(obj[i]) == node,
		      "%s: object of node %d is on %d, said to be on %d", who,
		      node, at[i], numaslab_node_of(obj[i]));
}

static struct numaslab_node_stat
stat_of(int node)
{
	struct numaslab_node_stat st;

	if (numaslab_node_stat(node, &st) != 0)
		die("numaslab_node_stat(%d): %s", node, strerror(errno));
	return st;
}

/* Each free was counted once; the library frees a little of its own. */
static void
check_count(void)
{
	struct numaslab_node_stat st;
	uint64_t n = 0;
	int i;

	for (i = 0; i < machine.nmem_nodes; i++) {
		st = stat_of(machine.mem_node[i]);
		n += st.local_frees + st.remote_frees;
		check(st.spilled == 0, "%lu bytes spilled onto node %d",
		      (unsigned long)st.spilled, machine.mem_node[i]);
	}
	check(n >= freed_objects && n < freed_objects + 1000,
	      "%lu objects were freed, %lu counted",
	      (unsigned long)freed_objects, (unsigned long)n);
}

static void
pair(int a, int b, job_fn free_fn)
{
	static struct object *mine[COUNT], *theirs[COUNT];
	struct worker *wa = worker_start(a), *wb = worker_start(b);
	struct numaslab_node_stat full, freed, again;
	uint64_t fell;

	a = nearest_memory(a);
	b = nearest_memory(b);
	worker_do(wa, fill, mine);
	check_on("A", mine, a);
	full = stat_of(a);
	worker_do(wb, free_fn, mine);
	freed = stat_of(a);
	check(a == b || freed.remote_frees - full.remote_frees == COUNT,
	      "%lu remote frees were counted on node %d, not %u",
	      (unsigned long)(freed.remote_frees - full.remote_frees), a,
	      COUNT);
	/* An object occupies its size, a link and what alignment adds. */
	fell = full.live - freed.live;
	check(fell % COUNT == 0 && fell / COUNT >= SIZE &&
		  fell / COUNT <= SIZE + 16,
	      "node %d: live bytes fell by %ld for %u objects of %u", a,
	      (long)fell, COUNT, SIZE);
	worker_do(wb, fill, theirs);
	check_on("B", theirs, b);
	worker_do(wa, fill, mine);
	check_on("A again", mine, a);
	again = stat_of(a);
	/* Two slabs' leeway: a current one, and one half given back. */
	if (a != b)
		check(again.used <= full.used + (128 << 10),
		      "node %d: used grew from %lu to %lu", a,
		      (unsigned long)full.used, (unsigned long)again.used);
	worker_do(wa, empty, theirs);
	worker_do(wb, empty, mine);
	worker_stop(wa);
	worker_stop(wb);
}

int
main(void)
{
	int i, j, n;

	machine_read();
	n = machine.ncpu_nodes;
	if (n < 2)
		die("api-remote needs two nodes with CPUs");
	cache = kmem_cache_create("remote", SIZE, 0, 0, construct);
	if (cache == NULL)
		die("kmem_cache_create: %s", strerror(errno));
	for (i = 0; i < n; i++)
		for (j = 1; j < n && j <= 2; j++)
			pair(machine.cpu_node[i], machine.cpu_node[(i + j) % n],
			     j == 1 ? empty : empty_bulk);
	kmem_cache_shrink(cache);
	kmem_cache_destroy(cache);
	check_count();
	return done("api-remote");
}
