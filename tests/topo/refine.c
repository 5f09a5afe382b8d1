/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hwloc adds to distances and orders: on fake nodes 0 to N-1, with
 * HWLOC_XMLFILE or HWLOC_SYNTHETIC naming a machine of such nodes.
 */
#include "base/options.h"
#include "tests/test.h"
#include "topo/internal.h"

#include <pthread.h>

static void
machine(unsigned nodes, const char *xml, const char *synthetic)
{
	char path[512];

	unsetenv("HWLOC_XMLFILE");
	unsetenv("HWLOC_SYNTHETIC");
	if (xml != NULL) {
		snprintf(path, sizeof(path), "%s/tests/topo/machines/%s",
			 getenv("top_srcdir") ? getenv("top_srcdir") : ".",
			 xml);
		REQUIRE(access(path, R_OK) == 0);
		setenv("HWLOC_XMLFILE", path, 1);
	} else {
		setenv("HWLOC_SYNTHETIC", synthetic, 1);
	}
	ns_options.fake_nodes = nodes;
	ns_topo_discover();
	CHECK_EQ(ns_topo.nslots, nodes);
}

static void
check_order(const char *what, unsigned slot, const char *want)
{
	const uint8_t *order = ns_topo_order(slot);
	char is[NS_MAX_SLOTS * 4] = "";

	for (unsigned i = 0; i < ns_topo.nslots; i++)
		sprintf(is + strlen(is), i > 0 ? " %u" : "%u", order[i]);
	CHECK_MSG(strcmp(is, want) == 0, "%s: order of %u is %s, not %s", what,
		  slot, is, want);
}

static void
distances(void)
{
	machine(2, "two.xml", NULL);
	CHECK_EQ(ns_topo_distance(0, 1), 21);
	CHECK_EQ(ns_hwloc_refine(), 0);
	CHECK_EQ(ns_topo_distance(0, 1), 32);
	CHECK_EQ(ns_topo_distance(1, 0), 32);
	CHECK_EQ(ns_topo_distance(1, 1), 10);

	machine(8, "eight.xml", NULL);
	CHECK_EQ(ns_hwloc_refine(), 0);
	CHECK_EQ(ns_topo_distance(0, 3), 22);
	CHECK_EQ(ns_topo_distance(6, 4), 16);
	check_order("eight.xml", 0, "0 1 2 4 3 5 6 7");
	check_order("eight.xml", 5, "5 7 1 4 6 0 2 3");
	check_order("eight.xml", 7, "7 3 5 6 0 1 2 4");
}

static void
ties(void)
{
	machine(4, "four-latency.xml", NULL);
	CHECK_EQ(ns_hwloc_refine(), 0);
	CHECK_EQ(ns_topo_distance(0, 1), 20);
	check_order("four-latency.xml", 0, "0 2 3 1");
	check_order("four-latency.xml", 1, "1 3 0 2");
	check_order("four-latency.xml", 3, "3 1 2 0");

	machine(4, "cpuless.xml", NULL);
	CHECK_EQ(ns_hwloc_refine(), 0);
	check_order("cpuless.xml", 0, "0 3 1 2");
	check_order("cpuless.xml", 1, "1 3 2 0");
	check_order("cpuless.xml", 2, "2 3 1 0");
	check_order("cpuless.xml", 3, "3 0 1 2");

	machine(4, NULL, "group:2 numa:2 core:1 pu:1");
	check_order("fake", 1, "1 2 0 3");
	CHECK_EQ(ns_hwloc_refine(), 0);
	check_order("synthetic", 1, "1 0 2 3");
	check_order("synthetic", 2, "2 3 1 0");
}

/* Another machine's nodes change nothing. */
static void
mismatch(void)
{
	machine(4, "eight.xml", NULL);
	CHECK_EQ(ns_hwloc_refine(), -ENODEV);
	check_order("too many", 1, "1 2 0 3");
	CHECK_EQ(ns_topo_distance(0, 3), 23);

	machine(8, "four-latency.xml", NULL);
	CHECK_EQ(ns_hwloc_refine(), -ENODEV);
	CHECK_EQ(ns_topo_distance(0, 3), 23);

	machine(2, NULL, "numa:2(indexes=0,5) core:1 pu:1");
	CHECK_EQ(ns_hwloc_refine(), -ENODEV);
	CHECK_EQ(ns_topo_distance(0, 1), 21);
}

static int stop;

static void *
read_orders(void *arg)
{
	while (!ns_load_acquire(&stop)) {
		for (unsigned s = 0; s < 4; s++) {
			const uint8_t *order = ns_topo_order(s);
			unsigned seen = 0;

			for (unsigned i = 0; i < 4; i++)
				seen |= 1u << order[i];
			CHECK_EQ(seen, 15);
		}
		sched_yield();
	}
	return arg;
}

/* A reader sees the old orders or the new ones, never a mixture. */
static void
concurrent(void)
{
	pthread_t thread;

	machine(4, "four-latency.xml", NULL);
	REQUIRE(pthread_create(&thread, NULL, read_orders, NULL) == 0);
	CHECK_EQ(ns_topo_refine(), 0);
	check_order("once", 0, "0 2 3 1");
	ns_store_release(&stop, 1);
	pthread_join(thread, NULL);
	errno = 4711;
	CHECK_EQ(ns_topo_refine(), 0);
	CHECK_EQ(errno, 4711);
}

/* A process of one node does not load hwloc at all. */
static void
one_node(void)
{
	char maps[65536];

	machine(1, NULL, "numa:1 core:1 pu:1");
	CHECK_EQ(ns_topo_refine(), 0);
	REQUIRE(ns_os_read_file("/proc/self/maps", maps, sizeof(maps)) > 0);
	CHECK(strstr(maps, "libhwloc") == NULL);
}

int
main(void)
{
	ns_topo_init();
	one_node();
	distances();
	ties();
	mismatch();
	concurrent();
	return test_done();
}
