/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem.h: objects, zeroed, of a node, in bulk, given back. */
#include "tests/api/kmem_test.h"

#include <numaslab/mempool.h>

#include <limits.h>
#include <pthread.h>

/* --- zeroed objects --- */

static int
all_zero(const void *p, size_t n)
{
	const char *c = p;

	while (n > 0 && *c == 0)
		c++, n--;
	return n == 0;
}

static void
test_zalloc(void)
{
	static const unsigned sizes[] = { 1, 24, 100, 5000, 65536 };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		struct kmem_cache *c = create("zero", sizes[s], 0, 0, NULL);

		for (unsigned round = 0; round < 3; round++) {
			for (unsigned i = 0; i < 100; i++) {
				objs[i] = round == 1
					      ? kmem_cache_alloc(c, __GFP_ZERO)
					      : kmem_cache_zalloc(c, 0);
				REQUIRE(objs[i] != NULL);
				CHECK(all_zero(objs[i], sizes[s]));
				memset(objs[i], 0xff, sizes[s]);
			}
			kmem_cache_free_bulk(c, 100, objs);
		}
		kmem_cache_destroy(c);
	}
}

/* --- nodes --- */

static void
test_nodes(void)
{
	struct kmem_cache *c = create("nodes", 96, 0, 0, NULL);
	void *p;

	for (unsigned i = 0; i < MANY; i++) {
		int node = (int)(i % NODES);

		objs[i] = kmem_cache_alloc_node(
		    c, i % 3 ? GFP_KERNEL : __GFP_THISNODE, node);
		REQUIRE(objs[i] != NULL);
		CHECK_EQ(numaslab_node_of(objs[i]), node);
		CHECK_EQ(numaslab_node_of((char *)objs[i] + 95), node);
	}
	for (unsigned i = 0; i < MANY; i++)
		kmem_cache_free(c, objs[i]);
	for (int node = 0; node < NODES; node++) { /* what was freed there */
		p = kmem_cache_alloc_node(c, GFP_KERNEL, node);
		CHECK_EQ(numaslab_node_of(p), node);
		kmem_cache_free(c, p);
	}
	p = kmem_cache_alloc_node(c, __GFP_ZERO, 2);
	REQUIRE(p != NULL);
	CHECK(all_zero(p, 96));
	kmem_cache_free(c, p);
	p = kmem_cache_alloc_node(c, GFP_KERNEL, NUMA_NO_NODE);
	CHECK(numaslab_node_of(p) >= 0 && numaslab_node_of(p) < NODES);
	kmem_cache_free(c, p);
	CHECK_ERRNO(kmem_cache_alloc_node(c, 0, NODES), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_alloc_node(c, 0, -2), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_alloc_node(c, 0, 1 << 20), NULL, EINVAL);
	kmem_cache_destroy(c);
}

/* --- bulk --- */

static void
test_bulk(void)
{
	struct kmem_cache *a = create("a", 56, 0, 0, NULL);
	struct kmem_cache *b = create("b", 700, 0, 0, no_ctor);
	uint64_t before = live_bytes();

	CHECK_EQ(kmem_cache_alloc_bulk(a, GFP_KERNEL, 0, objs), 0);
	CHECK_ERRNO(
	    kmem_cache_alloc_bulk(a, GFP_KERNEL, (size_t)INT_MAX + 1, objs), 0,
	    EINVAL);
	CHECK_EQ(kmem_cache_alloc_bulk(a, GFP_KERNEL, MANY, objs), MANY);
	check_distinct(MANY, 56);
	kmem_cache_free_bulk(a, MANY, objs);
	CHECK_EQ(kmem_cache_alloc_bulk(a, __GFP_ZERO, 10, objs), 10);
	CHECK(all_zero(objs[9], 56));
	CHECK_EQ(kmem_cache_alloc_bulk(b, GFP_KERNEL, 10, objs + 10), 10);
	for (unsigned i = 20; i < 30; i++)
		objs[i] = kmalloc(i * 8000, GFP_KERNEL);
	kmem_cache_free_bulk(NULL, 30, objs);
	CHECK(about(live_bytes(), before));
	kmem_cache_free_bulk(a, 0, NULL);
	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
}

/* --- shrink, destroy --- */

static void
test_shrink(void)
{
	struct kmem_cache *c = create("shrink", 1000, 0, 0, NULL);
	struct numaslab_node_stat st;
	uint64_t used = 0;

	for (unsigned i = 0; i < MANY; i++) {
		objs[i] = kmem_cache_alloc_node(c, 0, (int)(i % NODES));
		REQUIRE(objs[i] != NULL);
	}
	for (int n = 0; n < NODES; n++) {
		numaslab_node_stat(n, &st);
		used += st.used;
	}
	CHECK(used >= MANY * 1000ul);
	for (unsigned i = 1; i < MANY; i++)
		kmem_cache_free(c, objs[i]);
	kmem_cache_shrink(c);
	kmem_cache_free(c, objs[0]);
	CHECK_EQ(kmem_cache_shrink(c), 0);
	for (int n = 0; n < NODES; n++) {
		numaslab_node_stat(n, &st);
		used -= st.used;
	}
	CHECK(used >= MANY * 1000ul);
	objs[0] = alloc(c); /* and it still works */
	kmem_cache_free(c, objs[0]);
	kmem_cache_destroy(c);
}

struct leak {
	unsigned allocate, free;
};

static void
leak(void *arg)
{
	const struct leak *l = arg;
	struct kmem_cache *c = create("leaky", 200, 0, 0, NULL);

	for (unsigned i = 0; i < l->allocate; i++) {
		objs[i] = alloc(c);
		memset(objs[i], (int)i, 200);
	}
	for (unsigned i = 0; i < l->free; i++)
		kmem_cache_free(c, objs[i]);
	kmem_cache_destroy(c);
	for (unsigned i = l->free; i < l->allocate; i++) { /* still valid */
		CHECK_EQ(*(unsigned char *)objs[i], (unsigned char)i);
		memset(objs[i], 0, 200);
	}
	for (unsigned i = 0; i < 100; i++) {
		struct kmem_cache *d = create("other", 200, 0, 0, NULL);

		memset(alloc(d), 0xff, 200);
	}
	for (unsigned i = l->free; i < l->allocate; i++)
		CHECK(all_zero(objs[i], 200));
}

static void
test_destroy_with_live_objects(void)
{
	static struct leak leaks[] = { { 1, 0 },    { 5, 2 },    { 1000, 999 },
				       { 5000, 1 }, { 3000, 0 }, { 400, 400 } };
	struct test_output out;
	char expected[128];

	for (size_t i = 0; i < sizeof(leaks) / sizeof(*leaks); i++) {
		unsigned live = leaks[i].allocate - leaks[i].free;
		int status = run_child(leak, &leaks[i], &out);

		CHECK_MSG(status == 0, "status 0x%x: %s", (unsigned)status,
			  out.text);
		snprintf(expected, sizeof(expected),
			 "numaslab: kmem_cache_destroy(leaky): %u objects are "
			 "still live\n",
			 live);
		CHECK_STR(out.text, live != 0 ? expected : "");
	}
}

/* --- other threads --- */

static void *
free_all(void *arg)
{
	errno = EXDEV;
	for (unsigned i = 0; i < MANY; i++)
		kmem_cache_free(arg, objs[i]);
	CHECK_EQ(errno, EXDEV);
	return NULL;
}

static void
test_freed_by_another_thread(void)
{
	struct kmem_cache *c = create("remote", 128, 0, 0, NULL);
	uint64_t before = live_bytes();
	pthread_t t;

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < MANY; i++)
			objs[i] = kmem_cache_alloc_node(c, 0, (int)(i % NODES));
		REQUIRE(pthread_create(&t, NULL, free_all, c) == 0);
		pthread_join(t, NULL);
		CHECK(about(live_bytes(), before));
	}
	CHECK_EQ(kmem_cache_shrink(c), 0);
	kmem_cache_destroy(c);
}

/* A pool lies on its node. */
static void
test_pool_on_node(void)
{
	mempool_t *m;

	for (int node = 0; node < NODES; node++) {
		m = mempool_create_node(2, mempool_kmalloc, mempool_kfree,
					(void *)100, GFP_KERNEL, node);
		REQUIRE(m != NULL);
		CHECK_EQ(numaslab_node_of(m), node);
		mempool_destroy(m);
	}
}

static void
test_null_and_errno(void)
{
	struct kmem_cache *c = create("null", 32, 0, 0, NULL);
	void *p = alloc(c);

	errno = EXDEV;
	kmem_cache_free(c, NULL);
	kmem_cache_free(c, p);
	CHECK_EQ(errno, EXDEV);
	kmem_cache_destroy(c);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_zalloc();
	test_nodes();
	test_bulk();
	test_shrink();
	test_destroy_with_live_objects();
	test_freed_by_another_thread();
	test_pool_on_node();
	test_null_and_errno();
	return test_done();
}
