/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy - is memory where the process's policy says?
 *
 *	policy bind NODE...		all of it on these nodes
 *	policy preferred NODE		all of it there (there is room)
 *	policy interleave NODE[@WEIGHT]...	on these by weight, 1 if none
 *	policy local			on the thread's own
 *	policy best FIGURE		on the node that sysfs says is best by
 *					read_latency or read_bandwidth, the
 *					nearest of several
 *	policy split NODE[@WEIGHT]...	blocks of 1 MiB or more, page by page,
 *					on these by weight; smaller ones local
 *
 * A plain malloc program, run under `numaslab run --policy`.  Threads on all
 * nodes allocate objects and blocks; move_pages(2) says where they are.
 */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 1000
#define PAGE  4096ul

#define PAGES_MAX 8192

extern int numaslab_node_of(const void *p) __attribute__((weak));

static const size_t sizes[] = { 40, 200, 900, 4000, 10000, 50000, 150000 };
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint64_t bytes_on[MAX_NODES], bytes;
static unsigned weight[MAX_NODES], total_weight;
static const char *figure; /* of best */
static bool local, split;
static int node_of_page[PAGES_MAX];

/* What sysfs says of a node's memory; larger is better. */
static long
figure_of(int node)
{
	char path[128];
	long value = 0;
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%d/access0/initiators/%s", node,
		 figure);
	f = fopen(path, "r");
	if (f == NULL || fscanf(f, "%ld", &value) != 1)
		die("policy: cannot read %s", path);
	fclose(f);
	return strcmp(figure, "read_latency") == 0 ? -value : value;
}

static int
best_node(int from)
{
	int order[MAX_NODES], n = by_distance(from, order), best = order[0], i;

	for (i = 1; i < n; i++)
		if (figure_of(order[i]) > figure_of(best))
			best = order[i];
	return best;
}

/* Of the pages at @p, @p + PAGE and so on. */
static void
nodes_of(char *p, size_t size)
{
	static void *page[PAGES_MAX];
	size_t i, n = (size + PAGE - 1) / PAGE;

	for (i = 0; i < n; i++)
		page[i] = p + i * PAGE;
	where(page, n, node_of_page);
	for (i = 0; i < n; i++)
		if (node_of_page[i] < 0)
			die("page of %p: %s", p, strerror(-node_of_page[i]));
}

static void
fill(void *arg)
{
	int from = *(int *)arg, at;
	int home = figure != NULL ? best_node(from) : nearest_memory(from);
	static void *obj[COUNT];
	size_t i, off, size;
	char *p;

	for (i = 0; i < COUNT; i++) {
		size = sizes[i % (i % 8 ? 5 : NSIZES)];
		p = obj[i] = malloc(size);
		if (p == NULL)
			die("no memory for %zu bytes", size);
		memset(p, 1, size);
		nodes_of(p, size);
		for (off = 0; off < size; off += PAGE) {
			at = node_of_page[off / PAGE];
			check(local ? at == home : weight[at] != 0,
			      "%zu bytes from node %d are on node %d", size,
			      from, at);
			bytes_on[at] += size - off < PAGE ? size - off : PAGE;
		}
		bytes += size;
	}
	for (i = 0; i < COUNT; i++)
		free(obj[i]);
}

/* Slabs are what is dealt out, so right to within a few of them. */
static void
check_shares(void)
{
	uint64_t share;
	int node;

	for (node = 0; node < MAX_NODES; node++) {
		share = bytes * weight[node] / total_weight;
		check(bytes_on[node] >= share / 2 &&
			  bytes_on[node] <= share * 2,
		      "node %d has %lu bytes, its share is %lu", node,
		      (unsigned long)bytes_on[node], (unsigned long)share);
	}
}

/* Its pages, to within an eighth of what each node should have. */
static void
check_spread(char *p, size_t size)
{
	unsigned long on[MAX_NODES] = { 0 }, pages = size / PAGE, share, i;
	int node;

	memset(p, 1, size);
	nodes_of(p, size);
	for (i = 0; i < pages; i++)
		on[node_of_page[i]]++;
	for (node = 0; node < MAX_NODES; node++) {
		share = pages * weight[node] / total_weight;
		check(on[node] + share / 8 + 1 >= share &&
			  on[node] <= share + share / 8 + 1,
		      "%zu bytes: %lu pages on node %d, its share is %lu", size,
		      on[node], node, share);
	}
}

/* Large blocks come and go, grow and shrink; what follows is local again. */
static void
fill_split(void *arg)
{
	static const size_t large[] = { 1ul << 20, 3ul << 20, 9ul << 20 };
	size_t i, size;
	char *p;

	fill(arg);
	for (i = 0; i < 9; i++) {
		size = large[i % 3];
		p = i % 2 ? calloc(1, size) : malloc(size);
		if (p == NULL)
			die("no memory for %zu bytes", size);
		check_spread(p, size);
		p = realloc(p, size * 2);
		if (p == NULL)
			die("no memory for %zu bytes", size * 2);
		check_spread(p, size * 2);
		free(p);
	}
	fill(arg);
}

static void
read_weights(char **args)
{
	char *end;
	long node;

	for (; *args != NULL; args++) {
		node = strtol(*args, &end, 10);
		if (node < 0 || node >= MAX_NODES || end == *args)
			die("policy: no node %s", *args);
		total_weight -= weight[node];
		weight[node] = *end == '@' ? (unsigned)atoi(end + 1) : 1;
		total_weight += weight[node];
	}
}

int
main(int argc, char **argv)
{
	struct worker *w;
	int i;

	if (argc < 2)
		die("usage: policy WORD NODE...");
	if (numaslab_node_of == NULL)
		die("policy: numaslab is not preloaded");
	machine_read();
	split = strcmp(argv[1], "split") == 0;
	if (strcmp(argv[1], "best") == 0 && argc > 2)
		figure = argv[2];
	else
		read_weights(argv + 2);
	local = strcmp(argv[1], "local") == 0 || split || figure != NULL;
	for (i = 0; i < machine.ncpu_nodes; i++) {
		w = worker_start(machine.cpu_node[i]);
		worker_do(w, split ? fill_split : fill, &machine.cpu_node[i]);
		worker_stop(w);
	}
	if (strcmp(argv[1], "interleave") == 0)
		check_shares();
	return done(argv[1]);
}
