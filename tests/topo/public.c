/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls wake the topology up themselves, whichever comes first
 * and from however many threads; and the once that they go through.
 */
#include "numaslab/topology.h"

#include "numaslab/numaslab.h"
#include "tests/test.h"
#include "topo/internal.h"

#include <pthread.h>

static void *
ask(void *arg)
{
	CHECK_EQ(numaslab_distance(3, 0), 23);
	CHECK_EQ(numaslab_max_node(), 3);
	return arg;
}

static void
ask_many(void *arg)
{
	pthread_t thread[8];
	unsigned i;

	(void)arg;
	for (i = 0; i < NS_ARRAY_LEN(thread); i++)
		REQUIRE(pthread_create(&thread[i], NULL, ask, NULL) == 0);
	for (i = 0; i < NS_ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
}

static void
max_first(void *arg)
{
	(void)arg;
	CHECK_EQ(numaslab_max_node(), 3);
}

static void
allowed_first(void *arg)
{
	(void)arg;
	CHECK_EQ(numaslab_node_allowed(3), 1);
	CHECK_EQ(numaslab_node_allowed(4), 0);
	CHECK_EQ(numaslab_node_allowed(-1), 0);
	CHECK_EQ(numaslab_node_allowed(INT32_MAX), 0);
}

static void
distance_first(void *arg)
{
	(void)arg;
	errno = 4711;
	CHECK_EQ(numaslab_distance(0, 1), 21);
	CHECK_EQ(numaslab_distance(2, 2), 10);
	CHECK_EQ(errno, 4711);
	CHECK_ERRNO(numaslab_distance(0, 4), 0, EINVAL);
	CHECK_ERRNO(numaslab_distance(-1, 0), 0, EINVAL);
	CHECK_ERRNO(numaslab_distance(100000, 0), 0, EINVAL);
}

static void
check_topology_order(enum numaslab_topology_by by, int from, const char *want)
{
	int nodes[4], tiers[4], n;
	char is[64] = "";

	n = numaslab_topology_order(by, from, nodes, tiers, 4);
	CHECK_EQ(n, 4);
	for (int i = 0; i < n && i < 4; i++)
		sprintf(is + strlen(is), "%d:%d ", nodes[i], tiers[i]);
	CHECK_STR(is, want);
}

static void
nodes_first(void *arg)
{
	int nodes[5] = { -5, -5, -5, -5, -5 };
	struct numaslab_topology_node info;

	(void)arg;
	CHECK_EQ(numaslab_topology_nodes(NULL, 0), 4);
	CHECK_EQ(numaslab_topology_nodes(nodes, 2), 4);
	CHECK_EQ(nodes[1], 1);
	CHECK_EQ(nodes[2], -5);
	CHECK_EQ(numaslab_topology_nodes(nodes, 5), 4);
	CHECK_EQ(nodes[3], 3);
	CHECK_EQ(nodes[4], -5);
	CHECK_EQ(numaslab_topology_node(3, &info), 0);
	CHECK_EQ(info.node, 3);
	CHECK(info.allowed && info.has_cpus);
	CHECK_EQ(info.kind, NUMASLAB_MEMORY_DRAM);
	CHECK_EQ(info.latency, 0);
	CHECK_ERRNO(numaslab_topology_node(4, &info), -1, EINVAL);
	CHECK_ERRNO(numaslab_topology_node(-1, &info), -1, EINVAL);
	CHECK_EQ(numaslab_topology_home(0), 0);
	CHECK_ERRNO(numaslab_topology_home(-1), NUMA_NO_NODE, EINVAL);
	CHECK_ERRNO(numaslab_topology_home(100000), NUMA_NO_NODE, EINVAL);
	check_topology_order(NUMASLAB_BY_DISTANCE, 1, "1:0 2:1 0:1 3:2 ");
	check_topology_order(NUMASLAB_BY_CAPACITY, 1, "1:0 2:0 0:0 3:0 ");
	CHECK_ERRNO(
	    numaslab_topology_order(NUMASLAB_BY_LATENCY, 0, nodes, NULL, 5), -1,
	    ENODATA);
	CHECK_ERRNO(
	    numaslab_topology_order(NUMASLAB_BY_CAPACITY, 4, nodes, NULL, 5),
	    -1, EINVAL);
	CHECK_ERRNO(numaslab_topology_order((enum numaslab_topology_by)4, 0,
					    nodes, NULL, 5),
		    -1, EINVAL);
	nodes[1] = -5;
	CHECK_EQ(
	    numaslab_topology_order(NUMASLAB_BY_DISTANCE, 2, nodes, NULL, 1),
	    4);
	CHECK_EQ(nodes[0], 2);
	CHECK_EQ(nodes[1], -5);
}

/* A machine whose memory differs, as hwloc describes it. */
static void
described(void *arg)
{
	struct numaslab_topology_node info;
	char command[1024], path[300];

	(void)arg;
	snprintf(path, sizeof(path), "%s/hbm-%d.xml",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (int)getpid());
	snprintf(command, sizeof(command), "%s/numa-tests/machine xml hbm >%s",
		 getenv("top_srcdir") ? getenv("top_srcdir") : ".", path);
	REQUIRE(system(command) == 0);
	unsetenv("HWLOC_SYNTHETIC");
	setenv("HWLOC_XMLFILE", path, 1);
	check_topology_order(NUMASLAB_BY_BANDWIDTH, 1, "3:0 2:0 1:1 0:1 ");
	check_topology_order(NUMASLAB_BY_LATENCY, 3, "1:0 0:0 3:1 2:1 ");
	check_topology_order(NUMASLAB_BY_CAPACITY, 0, "0:0 1:0 2:1 3:1 ");
	check_topology_order(NUMASLAB_BY_DISTANCE, 0, "0:0 2:1 1:2 3:3 ");
	CHECK_EQ(numaslab_topology_node(2, &info), 0);
	CHECK_EQ(info.kind, NUMASLAB_MEMORY_HBM);
	CHECK_EQ(info.bandwidth, 409600);
	CHECK_EQ(info.latency, 120);
	CHECK_EQ(info.capacity, 256ul << 20);
	unlink(path);
}

/* Each in a process of its own, since it happens only once. */
static void
alone(void (*fn)(void *))
{
	struct test_output out;
	int status = run_child(fn, NULL, &out);

	CHECK_MSG(status == 0 && out.len == 0, "status 0x%x: %s",
		  (unsigned)status, out.text);
}

static uint32_t word;

/* The parent was at it when the child was forked: the child does it. */
static void
orphan(void *arg)
{
	(void)arg;
	CHECK(ns_once_begin(&word));
	ns_once_end(&word);
	CHECK(!ns_once_begin(&word));
}

int
main(void)
{
	setenv("NUMASLAB_FAKE_NODES", "4", 1);
	/* Another machine's XML: distances stay those of the fake nodes. */
	setenv("HWLOC_SYNTHETIC", "numa:2 core:1 pu:1", 1);
	alone(ask_many);
	alone(max_first);
	alone(allowed_first);
	alone(distance_first);
	alone(nodes_first);
	alone(described);

	CHECK(ns_once_begin(&word));
	alone(orphan);
	ns_once_end(&word);
	CHECK(!ns_once_begin(&word));
	return test_done();
}
