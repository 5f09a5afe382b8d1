/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy - is memory where the process's policy says?
 *
 *	policy bind NODE...		all of it on these nodes
 *	policy preferred NODE		all of it there (there is room)
 *	policy interleave NODE...	evenly on these
 *	policy local			on the thread's own
 *
 * A plain malloc program, run under `numaslab run --policy`.  Threads on all
 * nodes allocate objects and blocks; move_pages(2) says where they are.
 */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 6000
#define PAGE  4096ul

extern int numaslab_node_of(const void *p) __attribute__((weak));

static const size_t sizes[] = { 40, 200, 900, 4000, 10000, 50000, 150000 };
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint64_t bytes_on[MAX_NODES], bytes;
static bool wanted[MAX_NODES];
static int nwanted;
static bool local;

static void
fill(void *arg)
{
	int from = *(int *)arg, home = nearest_memory(from), at;
	static void *obj[COUNT];
	size_t i, off, size;
	char *p;

	for (i = 0; i < COUNT; i++) {
		size = sizes[i % (i % 8 ? 5 : NSIZES)];
		p = obj[i] = malloc(size);
		if (p == NULL)
			die("no memory for %zu bytes", size);
		memset(p, 1, size);
		for (off = 0; off < size; off += PAGE) {
			at = where_is(p + off);
			if (at < 0)
				die("page of %p: %s", p, strerror(-at));
			check(local ? at == home : wanted[at],
			      "%zu bytes from node %d are on node %d", size,
			      from, at);
			bytes_on[at] += size - off < PAGE ? size - off : PAGE;
		}
		bytes += size;
	}
	for (i = 0; i < COUNT; i++)
		free(obj[i]);
}

/* Slabs are what is dealt out, so equal to within a few of them. */
static void
check_even(void)
{
	uint64_t share = bytes / (uint64_t)nwanted;
	int node;

	for (node = 0; node < MAX_NODES; node++)
		if (wanted[node])
			check(bytes_on[node] > share / 2 &&
				  bytes_on[node] < share * 2,
			      "node %d has %lu bytes, an equal share is %lu",
			      node, (unsigned long)bytes_on[node],
			      (unsigned long)share);
}

int
main(int argc, char **argv)
{
	struct worker *w;
	int i, node;

	if (argc < 2)
		die("usage: policy WORD NODE...");
	if (numaslab_node_of == NULL)
		die("policy: numaslab is not preloaded");
	machine_read();
	local = strcmp(argv[1], "local") == 0;
	for (i = 2; i < argc; i++) {
		node = atoi(argv[i]);
		if (node < 0 || node >= MAX_NODES)
			die("policy: no node %s", argv[i]);
		wanted[node] = true;
		nwanted++;
	}
	for (i = 0; i < machine.ncpu_nodes; i++) {
		w = worker_start(machine.cpu_node[i]);
		worker_do(w, fill, &machine.cpu_node[i]);
		worker_stop(w);
	}
	if (strcmp(argv[1], "interleave") == 0)
		check_even();
	return done(argv[1]);
}
