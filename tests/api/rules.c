/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What calls ask of their arguments: for each call, and for each pointer that
 * is not what it should be, one line that names the call, the pointer and the
 * rule, then abort.  In every build for calls that take a while; a debug build
 * (NS_DEBUG) checks all the others as well.
 */
#include <numaslab/account.h>
#include <numaslab/mempool.h>
#include <numaslab/numaslab.h>
#include <numaslab/shrinker.h>

#include "tests/test.h"

#ifdef NS_DEBUG
#define CHECKS_FAST 1
#else
#define CHECKS_FAST 0
#endif

/* A call, of @p instead of what it wants. */
struct call {
	const char *name;
	void (*fn)(void *p);
	int is_fast; /* checked in a debug build only */
	int null_ok;
};

static struct kmem_cache *cache;
static struct slab_sheaf *sheaf; /* of it */
static void *object;             /* of it */
static void *out[4];

/* --- caches --- */

static void
destroy(void *p)
{
	kmem_cache_destroy(p);
}

static void
shrink(void *p)
{
	kmem_cache_shrink(p);
}

static void
size_of(void *p)
{
	CHECK_EQ(kmem_cache_size(p), 0);
}

static void
name_of(void *p)
{
	CHECK_STR(kmem_cache_name(p), "");
}

static void
stat_of(void *p)
{
	struct kmem_cache_stat st;

	kmem_cache_stat(p, NUMA_NO_NODE, &st);
}

static void
alloc(void *p)
{
	out[0] = kmem_cache_alloc(p, GFP_KERNEL);
}

static void
alloc_node(void *p)
{
	out[0] = kmem_cache_alloc_node(p, GFP_KERNEL, 0);
}

static void
zalloc(void *p)
{
	out[0] = kmem_cache_zalloc(p, GFP_KERNEL);
}

static void
free_object(void *p)
{
	kmem_cache_free(p, object);
}

static void
alloc_bulk(void *p)
{
	kmem_cache_alloc_bulk(p, GFP_KERNEL, 4, out);
}

static void
free_bulk(void *p)
{
	kmem_cache_free_bulk(p, 1, &object);
}

static void
prefill(void *p)
{
	sheaf = kmem_cache_prefill_sheaf(p, GFP_KERNEL, 4);
}

static void
from_sheaf(void *p)
{
	out[0] = kmem_cache_alloc_from_sheaf(p, GFP_KERNEL, sheaf);
}

static void
refill(void *p)
{
	kmem_cache_refill_sheaf(p, GFP_KERNEL, &sheaf, 8);
}

static void
return_sheaf(void *p)
{
	kmem_cache_return_sheaf(p, GFP_KERNEL, sheaf);
}

static void
slab_pool(void *p)
{
	mempool_create_slab_pool(2, p);
}

static void
init_slab_pool(void *p)
{
	mempool_t m;

	mempool_init_slab_pool(&m, 2, p);
}

static void
element(void *p)
{
	out[0] = mempool_alloc_slab(GFP_KERNEL, p);
}

static void
free_element(void *p)
{
	mempool_free_slab(object, p);
}

static const struct call of_caches[] = {
	{ "kmem_cache_destroy", destroy, 0, 1 },
	{ "kmem_cache_shrink", shrink, 0, 0 },
	{ "kmem_cache_size", size_of, 1, 0 },
	{ "kmem_cache_name", name_of, 1, 0 },
	{ "kmem_cache_stat", stat_of, 0, 0 },
	{ "kmem_cache_alloc", alloc, 1, 0 },
	{ "kmem_cache_alloc_node", alloc_node, 1, 0 },
	{ "kmem_cache_zalloc", zalloc, 1, 0 },
	{ "kmem_cache_free", free_object, 1, 0 },
	{ "kmem_cache_alloc_bulk", alloc_bulk, 1, 0 },
	{ "kmem_cache_free_bulk", free_bulk, 1, 1 },
	{ "kmem_cache_prefill_sheaf", prefill, 0, 0 },
	{ "kmem_cache_alloc_from_sheaf", from_sheaf, 0, 0 },
	{ "kmem_cache_refill_sheaf", refill, 0, 0 },
	{ "kmem_cache_return_sheaf", return_sheaf, 0, 0 },
	{ "mempool_create_slab_pool", slab_pool, 0, 0 },
	{ "mempool_init_slab_pool", init_slab_pool, 0, 0 },
	{ "kmem_cache_alloc", element, 1, 0 },
	{ "kmem_cache_free", free_element, 1, 0 },
};

/* --- sheaves --- */

static void
take(void *p)
{
	out[0] = kmem_cache_alloc_from_sheaf(cache, GFP_KERNEL, p);
}

static void
fill_up(void *p)
{
	struct slab_sheaf *s = p;

	kmem_cache_refill_sheaf(cache, GFP_KERNEL, &s, 8);
}

static void
give_back(void *p)
{
	kmem_cache_return_sheaf(cache, GFP_KERNEL, p);
}

static void
left_in(void *p)
{
	CHECK_EQ(kmem_cache_sheaf_size(p), 77);
}

static const struct call of_sheaves[] = {
	{ "kmem_cache_alloc_from_sheaf", take, 0, 0 },
	{ "kmem_cache_refill_sheaf", fill_up, 0, 0 },
	{ "kmem_cache_return_sheaf", give_back, 0, 1 },
	{ "kmem_cache_sheaf_size", left_in, 0, 0 },
};

/* --- pools --- */

static void
pool_alloc(void *p)
{
	out[0] = mempool_alloc(p, GFP_KERNEL);
}

static void
pool_preallocated(void *p)
{
	out[0] = mempool_alloc_preallocated(p);
}

static void
pool_free(void *p)
{
	mempool_free(object, p);
}

static void
pool_resize(void *p)
{
	mempool_resize(p, 3);
}

static void
pool_saturated(void *p)
{
	CHECK(mempool_is_saturated(p));
}

static void
pool_destroy(void *p)
{
	mempool_destroy(p);
}

static const struct call of_pools[] = {
	{ "mempool_alloc", pool_alloc, 0, 0 },
	{ "mempool_alloc_preallocated", pool_preallocated, 0, 0 },
	{ "mempool_free", pool_free, 0, 0 },
	{ "mempool_resize", pool_resize, 0, 0 },
	{ "mempool_is_saturated", pool_saturated, 0, 0 },
	{ "mempool_destroy", pool_destroy, 0, 1 },
};

/* --- accounts and shrinkers --- */

static void
account_destroy(void *p)
{
	numaslab_account_destroy(p);
}

static void
account_use(void *p)
{
	numaslab_account_use(p);
}

static void
account_limit(void *p)
{
	numaslab_account_set_limit(p, 1);
}

static void
account_stat(void *p)
{
	struct numaslab_account_stat st;

	numaslab_account_stat(p, &st);
}

static void
account_of_cache(void *p)
{
	kmem_cache_create("c", 8, &(struct kmem_cache_args){ .account = p }, 0);
}

static const struct call of_accounts[] = {
	{ "numaslab_account_destroy", account_destroy, 0, 1 },
	{ "numaslab_account_use", account_use, 0, 1 },
	{ "numaslab_account_set_limit", account_limit, 0, 0 },
	{ "numaslab_account_stat", account_stat, 0, 1 }, /* EINVAL */
	{ "kmem_cache_create", account_of_cache, 0, 1 },
};

static void
register_it(void *p)
{
	shrinker_register(p);
}

static void
free_it(void *p)
{
	shrinker_free(p);
}

static const struct call of_shrinkers[] = {
	{ "shrinker_register", register_it, 0, 0 },
	{ "shrinker_free", free_it, 0, 1 },
};

/* --- each with each --- */

static void
check_call(const struct call *c, void *p, const char *shown, const char *rule)
{
	char needle[128];

	if ((c->is_fast && !CHECKS_FAST) || (p == NULL && c->null_ok))
		return;
	snprintf(needle, sizeof(needle), "numaslab: %s(%s): %s", c->name, shown,
		 rule);
	test_check_aborts(__FILE__, __LINE__, c->name, c->fn, p, needle);
}

/* @dead was such a thing. */
static void
check_calls(const struct call *c, size_t n, const char *kind, void *dead,
	    const char *dead_name)
{
	char *block = kzalloc(4096, GFP_KERNEL), shown[32], rule[32], gone[48];
	void *bad[] = { NULL,      (void *)8,    (void *)0x1235,      block,
			block + 1, block + 2048, block + (1ul << 30), object };

	snprintf(rule, sizeof(rule), "no %s", kind);
	snprintf(gone, sizeof(gone), "the %s was destroyed", kind);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < sizeof(bad) / sizeof(*bad); j++) {
			snprintf(shown, sizeof(shown), "%p", bad[j]);
			check_call(&c[i], bad[j], j == 0 ? "NULL" : shown,
				   rule);
		}
		snprintf(shown, sizeof(shown), "%p", dead);
		if (dead != NULL)
			check_call(&c[i], dead,
				   dead_name != NULL ? dead_name : shown, gone);
	}
	kfree(block);
}

#define CHECK_CALLS(calls, kind, dead, name) \
	check_calls(calls, sizeof(calls) / sizeof(*calls), kind, dead, name)

static void
test_caches(void)
{
	static const slab_flags_t flags[] = { 0, SLAB_NO_MERGE };
	struct kmem_cache *dead;

	/* An alias of another, and a cache of its own. */
	for (int i = 0; i < 2; i++) {
		dead = kmem_cache_create("gone", 200, 0, flags[i], NULL);
		REQUIRE(dead != NULL);
		kmem_cache_destroy(dead);
		CHECK_CALLS(of_caches, "cache", dead, "gone");
	}
}

static void
test_sheaves(void)
{
	struct slab_sheaf *dead =
	    kmem_cache_prefill_sheaf(cache, GFP_KERNEL, 3);
	struct slab_sheaf *moved =
	    kmem_cache_prefill_sheaf(cache, GFP_KERNEL, 3);
	struct slab_sheaf *old = moved;

	REQUIRE(dead != NULL && moved != NULL);
	CHECK_EQ(kmem_cache_refill_sheaf(cache, GFP_KERNEL, &moved, 3000), 0);
	CHECK(moved != old);
	kmem_cache_return_sheaf(cache, GFP_KERNEL, dead);
	CHECK_CALLS(of_sheaves, "sheaf", dead, NULL);
	CHECK_CALLS(of_sheaves, "sheaf", old, NULL);
	kmem_cache_return_sheaf(cache, GFP_KERNEL, moved);
}

static void
leave(void *p)
{
	mempool_exit(p);
}

static void
no_pool(void *p)
{
	mempool_init(p, 1, mempool_kmalloc, mempool_kfree, (void *)8);
}

static void
is_initialized(void *p)
{
	CHECK(mempool_initialized(p));
}

static void
test_pools(void)
{
	static mempool_t exited, junk;

	CHECK_EQ(mempool_init_kmalloc_pool(&exited, 1, 100), 0);
	mempool_exit(&exited);
	mempool_exit(&exited);
	memset(&junk, 0x33, sizeof(junk));
	CHECK(!mempool_initialized(&junk));
	CHECK_CALLS(of_pools, "pool", NULL, NULL);
	for (size_t i = 0; i < sizeof(of_pools) / sizeof(*of_pools); i++) {
		char shown[2][32];

		snprintf(shown[0], sizeof(shown[0]), "%p", (void *)&exited);
		snprintf(shown[1], sizeof(shown[1]), "%p", (void *)&junk);
		check_call(&of_pools[i], &exited, shown[0], "no pool");
		check_call(&of_pools[i], &junk, shown[1], "no pool");
	}
	CHECK_ABORTS(leave, &junk, "mempool_exit(0x");
	CHECK_ABORTS(leave, NULL, "mempool_exit(NULL): no pool");
	CHECK_ABORTS(leave, (void *)0x1238, "mempool_exit(0x1238): no pool");
	CHECK_EQ(mempool_init_kmalloc_pool(&exited, 1, 100), 0);
	CHECK_ABORTS(pool_destroy, &exited, "mempool_destroy(0x");
	mempool_exit(&exited);
	CHECK_ABORTS(no_pool, NULL, "mempool_init_node(NULL): no pool");
	CHECK_ABORTS(is_initialized, NULL,
		     "mempool_initialized(NULL): no pool");
#ifdef NS_DEBUG
	/* Far from anything that is mapped. */
	CHECK_ABORTS(pool_alloc, (void *)0x5a5a5a5a5a58,
		     "mempool_alloc(0x5a5a5a5a5a58): no pool");
#endif
}

static void
test_accounts(void)
{
	struct numaslab_account *used =
	    numaslab_account_create("a", 1, NULL, NULL);

	/* It is still there as long as the thread uses it. */
	numaslab_account_use(used);
	numaslab_account_destroy(used);
	CHECK_CALLS(of_accounts, "account", used, NULL);
	numaslab_account_use(NULL);
	CHECK_CALLS(of_accounts, "account", used, NULL);
}

static void
test_shrinkers(void)
{
	struct shrinker *dead = shrinker_alloc(0, "dead");

	REQUIRE(dead != NULL);
	shrinker_free(dead);
	CHECK_CALLS(of_shrinkers, "shrinker", dead, NULL);
}

static void
use_after_another(void *p)
{
	REQUIRE(kmem_cache_create("new", 64, 0, SLAB_NO_MERGE, NULL) != NULL);
	out[0] = kmem_cache_alloc(p, GFP_KERNEL);
}

/* Its descriptor is not the next cache's. */
static void
test_stale(void)
{
	struct kmem_cache *dead =
	    kmem_cache_create("stale", 4000, 0, SLAB_NO_MERGE, NULL);

	kmem_cache_destroy(dead);
	CHECK_ABORTS(use_after_another, dead,
		     "kmem_cache_alloc(stale): the cache was destroyed");
}

static void
alloc_of(void *c)
{
	out[0] = kmem_cache_alloc(c, GFP_KERNEL);
}

static void
alloc_node_of(void *c)
{
	out[0] = kmem_cache_alloc_node(c, GFP_KERNEL, numaslab_home_node());
}

static void
alloc_bulk_of(void *c)
{
	REQUIRE(kmem_cache_alloc_bulk(c, GFP_KERNEL, 2, out) == 2);
}

static void
free_of(void *c)
{
	kmem_cache_free(c, object);
}

static void
free_bulk_of(void *c)
{
	kmem_cache_free_bulk(c, 1, &object);
}

/* Whatever is at hand: no fast path takes a destroyed cache, in any build. */
static void
check_destroyed(struct kmem_cache *dead)
{
	static void (*const calls[])(void *) = {
		alloc_of, alloc_node_of, alloc_bulk_of, free_of, free_bulk_of,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		CHECK_ABORTS(calls[i], dead, ": the cache was destroyed");
}

static void
test_destroyed(void)
{
	struct kmem_cache *own, *first, *second;
	void *p;

	own = kmem_cache_create("own", 200, 0, SLAB_NO_MERGE, NULL);
	p = kmem_cache_alloc(own, GFP_KERNEL);
	kmem_cache_free(own, p);
	kmem_cache_destroy(own);
	check_destroyed(own);
	/* One descriptor for both, and one more for the second's name. */
	first = kmem_cache_create("first", 200, 0, 0, NULL);
	second = kmem_cache_create("second", 200, 0, 0, NULL);
	p = kmem_cache_alloc(second, GFP_KERNEL);
	kmem_cache_destroy(second);
	check_destroyed(second);
	kmem_cache_free(first, p);
	kmem_cache_destroy(first);
	check_destroyed(first);
	/* A name that is gone leaves the others as they were. */
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	CHECK(p != NULL);
	kmem_cache_free(cache, p);
}

/* --- what else may be NULL and must not --- */

static void
stat_nowhere(void *p)
{
	kmem_cache_stat(cache, NUMA_NO_NODE, p);
}

static void
account_stat_nowhere(void *p)
{
	struct numaslab_account *a =
	    numaslab_account_create("a", 1, NULL, NULL);

	numaslab_account_stat(a, p);
}

static void
for_each_nothing(void *p)
{
	(void)p;
	kmem_cache_for_each(NULL, NULL);
}

static void
copy_nothing(void *p)
{
	out[0] = kmemdup(p, 8, GFP_KERNEL);
}

static void
copy_no_array(void *p)
{
	out[0] = kmemdup_array(p, 2, 8, GFP_KERNEL);
}

static void
kv_copy_nothing(void *p)
{
	out[0] = kvmemdup(p, 8, GFP_KERNEL);
}

static void
bulk_to_nowhere(void *p)
{
	kmem_cache_alloc_bulk(cache, GFP_KERNEL, 3, p);
}

static void
bulk_from_nowhere(void *p)
{
	kmem_cache_free_bulk(cache, 3, p);
}

static void
blocks_from_nowhere(void *p)
{
	kfree_bulk(3, p);
}

static void
refill_nothing(void *p)
{
	kmem_cache_refill_sheaf(cache, GFP_KERNEL, p, 3);
}

static void
destroy_class(void *p)
{
	(void)p;
	kmem_cache_destroy(p);
}

static int
find_class(struct kmem_cache *c, void *arg)
{
	*(struct kmem_cache **)arg = c;
	return 1;
}

static void
test_null_arguments(void)
{
	struct kmem_cache *class = NULL;

	CHECK_ABORTS(stat_nowhere, NULL,
		     "kmem_cache_stat(rules): no struct to fill");
	CHECK_ABORTS(account_stat_nowhere, NULL,
		     "numaslab_account_stat(a): no struct to fill");
	CHECK_ABORTS(for_each_nothing, NULL,
		     "kmem_cache_for_each(NULL): no function");
	CHECK_ABORTS(copy_nothing, NULL, "kmemdup(NULL): nothing to copy");
	CHECK_ABORTS(copy_no_array, NULL,
		     "kmemdup_array(NULL): nothing to copy");
	CHECK_ABORTS(kv_copy_nothing, NULL, "kvmemdup(NULL): nothing to copy");
	CHECK_ABORTS(refill_nothing, NULL,
		     "kmem_cache_refill_sheaf(NULL): no sheaf");
	kmem_cache_for_each(find_class, &class);
	CHECK_ABORTS(destroy_class, class,
		     "kmem_cache_destroy(kmalloc-16): not made by "
		     "kmem_cache_create");
#ifdef NS_DEBUG
	CHECK_ABORTS(bulk_to_nowhere, NULL,
		     "kmem_cache_alloc_bulk(rules): no array of objects");
	CHECK_ABORTS(bulk_from_nowhere, NULL, "kmem_cache_free_bulk(");
	CHECK_ABORTS(blocks_from_nowhere, NULL,
		     "kfree_bulk(NULL): no array of blocks");
#else
	(void)bulk_to_nowhere;
	(void)bulk_from_nowhere;
	(void)blocks_from_nowhere;
#endif
}

int
main(void)
{
	cache = kmem_cache_create("rules", 200, 0, 0, NULL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	sheaf = kmem_cache_prefill_sheaf(cache, GFP_KERNEL, 4);
	REQUIRE(object != NULL && sheaf != NULL);
	test_caches();
	test_sheaves();
	test_pools();
	test_accounts();
	test_shrinkers();
	test_null_arguments();
	test_stale();
	test_destroyed();
	kmem_cache_return_sheaf(cache, GFP_KERNEL, sheaf);
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	return test_done();
}
