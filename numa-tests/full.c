/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * full - more malloc than a node has memory.
 *
 *	full [NODE]
 *
 * A thread on NODE (the first) allocates and touches half as much again as
 * the node has free.  It must neither fail nor be killed; the node is filled
 * first, and what does not fit is on the nearest node, whoever decided that:
 * the library by its books or the kernel in the end.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (512ul << 10)
#define MAX   4096

static char *block[MAX];
static size_t nblocks;
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

static void
look(void)
{
	size_t on[MAX_NODES] = { 0 }, room = nblocks * 2 / 3, i, there;
	int order[MAX_NODES], at;

	by_distance(node, order);
	for (i = 0; i < nblocks; i++) {
		at = where_is(block[i] + BLOCK / 2);
		if (at < 0)
			die("full: block %zu is nowhere: %d", i, at);
		on[at]++;
		check((unsigned char)block[i][BLOCK - 1] == (i & 0xff),
		      "block %zu holds %d", i, block[i][BLOCK - 1]);
	}
	there = on[order[0]] + on[order[1]];
	printf("blocks: %zu on node %d, %zu on node %d, %zu elsewhere\n",
	       on[order[0]], order[0], on[order[1]], order[1], nblocks - there);
	check(on[order[0]] >= room * 8 / 10,
	      "%zu blocks on node %d, room for %zu", on[order[0]], node, room);
	check(there == nblocks, "%zu blocks are neither here nor near",
	      nblocks - there);
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
	nblocks = free_on(node) / 2 * 3 / BLOCK;
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
