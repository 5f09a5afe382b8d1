/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls wake the topology up themselves, whichever comes first
 * and from however many threads; and the once that they go through.
 */
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

	CHECK(ns_once_begin(&word));
	alone(orphan);
	ns_once_end(&word);
	CHECK(!ns_once_begin(&word));
	return test_done();
}
