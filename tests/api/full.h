/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/api/full.h - four nodes of 8 MiB, and a cache to fill them. */
#ifndef FULL_H
#define FULL_H

#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#define NODES 4
#define LIMIT (8ul << 20)
#define SIZE  4000u
#define MOST  20000u /* more than fit on all nodes */

static void *objs[MOST];
static unsigned n; /* of them are allocated */
static struct kmem_cache *cache;

TEST_INLINE void
full_start(char **argv)
{
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_NODE_LIMIT", "8M");
	cache = kmem_cache_create("full", SIZE, 0, 0, NULL);
	REQUIRE(cache != NULL);
}

#endif
