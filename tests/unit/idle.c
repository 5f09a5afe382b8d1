/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/idle.c: what an idle heap gives back.  A slab that a bin keeps although
 * nothing of it is in use goes back to the kernel, but not when readers under
 * RCU may look at its objects.
 */
#include "slab/slab.h"
#include "tests/test.h"

#define SIZE 200u
#define N    20000

static void
engine_call(struct kmem_rcu_head *head)
{
	head->func(head);
}

static void
engine_wait(void)
{
}

static const struct kmem_rcu_ops engine = { engine_call, engine_wait,
					    engine_wait };

static unsigned char *objs[N];

/* Often enough that the bin keeps its current slab. */
static void
come_and_go(struct kmem_cache *c)
{
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < N; i++) {
			objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
			REQUIRE(objs[i] != NULL);
			memset(objs[i], 0x77, SIZE);
		}
		for (int i = 0; i < N; i++)
			kmem_cache_free(c, objs[i]);
	}
}

static void
idle(void)
{
	while (ns_idle_trim())
		;
}

/* Objects of slabs that are still there whose last byte is no longer so. */
static unsigned
gone(const struct kmem_cache *c)
{
	const struct ns_slab *s;
	unsigned n = 0;

	for (int i = 0; i < N; i++) {
		s = ns_slab_of(objs[i]);
		n += s->kind == NS_KIND_SLAB && s->cache == c &&
		     objs[i][SIZE - 1] != 0x77;
	}
	return n;
}

static unsigned
kept(const struct kmem_cache *c)
{
	return (unsigned)ns_load_relaxed(&c->depots[ns_home->slot].total_slabs);
}

static void
test_kept_slab(slab_flags_t flags, bool goes)
{
	struct kmem_cache *c = kmem_cache_create("idle", SIZE, 0, flags, NULL);

	REQUIRE(c != NULL);
	come_and_go(c);
	REQUIRE(kept(c) > 0);
	CHECK_EQ(gone(c), 0);
	idle();
	CHECK(goes ? gone(c) > 0 : gone(c) == 0);
	come_and_go(c);
	kmem_cache_destroy(c);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_PURGE_THREAD", "0");
	REQUIRE(kmem_rcu_set_ops(&engine) == 0);
	test_kept_slab(0, true);
	test_kept_slab(SLAB_TYPESAFE_BY_RCU, false);
	return test_done();
}
