/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * full - more malloc than a node has memory.
 *
 *	full [NODE]
 *
 * A thread on NODE (the first) allocates and touches half as much again as
 * the node has free, up to most of the machine.  It must neither fail nor be
 * killed; the node is filled first, and what does not fit is on the nearest
 * node that has room, whoever decided that: the library by its books or the
 * kernel in the end.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (512ul << 10)
#define MAX   4096

static char *block[MAX];
static size_t nblocks, room[MAX_NODES]; /* in blocks */
static int node;

/* Bytes free on a node. */
static size_t
free_on(int id)
{
	char path[80], line[128];
	unsigned long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo",
		 id);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Node %*d MemFree: %lu", &kib) == 1)
			break;
	if (f == NULL || kib == 0)
		die("full: cannot read MemFree in %s", path);
	fclose(f);
	return kib << 10;
}

static void
fill(void *arg)
{
	size_t i;

	(void)arg;
	for (i = 0; i < nblocks; i++) {
		block[i] = malloc(BLOCK);
		if (block[i] == NULL)
			die("full: no memory after %zu of %zu blocks", i,
			    nblocks);
		memset(block[i], (int)(i & 0xff), BLOCK);
	}
}

/* Nodes fill one after the other, and a farther one only when all nearer are
 * full. */
static void
check_filling(const size_t *on, const int *order, int n)
{
	bool full = true;
	int i, id;

	for (i = 0; i < n; i++) {
		id = order[i];
		check(on[id] == 0 || full,
		      "%zu blocks on node %d, and room on a nearer one", on[id],
		      id);
		if (i + 1 == n || machine.distance[node][order[i + 1]] !=
				      machine.distance[node][id])
			full = full && on[id] >= room[id] * 8 / 10;
	}
	check(on[order[0]] >= room[order[0]] * 8 / 10,
	      "%zu blocks on node %d, room for %zu", on[order[0]], node,
	      room[order[0]]);
}

static void
look(void)
{
	int order[MAX_NODES], n = by_distance(node, order), at, j;
	size_t on[MAX_NODES] = { 0 }, i;

	for (i = 0; i < nblocks; i++) {
		at = where_is(block[i] + BLOCK / 2);
		if (at < 0)
			die("full: block %zu is nowhere: %d", i, at);
		on[at]++;
		check((unsigned char)block[i][BLOCK - 1] == (i & 0xff),
		      "block %zu holds %d", i, block[i][BLOCK - 1]);
	}
	for (j = 0; j < n; j++)
		printf("node %d: %zu blocks, room for %zu\n", order[j],
		       on[order[j]], room[order[j]]);
	check_filling(on, order, n);
}

/* Half as much again as the node has, but not all that there is. */
static size_t
blocks_to_ask(void)
{
	size_t all = 0;
	int i;

	for (i = 0; i < machine.nmem_nodes; i++) {
		room[machine.mem_node[i]] =
		    free_on(machine.mem_node[i]) / BLOCK;
		all += room[machine.mem_node[i]];
	}
	i = (int)room[nearest_memory(node)];
	return (size_t)i * 3 / 2 < all * 8 / 10 ? (size_t)i * 3 / 2
						: all * 8 / 10;
}

int
main(int argc, char **argv)
{
	struct worker *w;
	size_t i;

	machine_read();
	node = argc > 1 ? atoi(argv[1]) : machine.cpu_node[0];
	if (node < 0 || node >= MAX_NODES || !has_cpus(node) ||
	    machine.nmem_nodes < 2)
		die("full: no CPUs on node %d, or no other node", node);
	nblocks = blocks_to_ask();
	if (nblocks > MAX)
		die("full: node %d is too large", node);
	w = worker_start(node);
	worker_do(w, fill, NULL);
	look();
	for (i = 0; i < nblocks; i++)
		free(block[i]);
	worker_stop(w);
	return done("full");
}
