/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Merged caches: which are, what they share and what each keeps, and how they
 * end.  With NUMASLAB_SLAB_MERGE=0 none is: tests/api/kmem_args.c.
 */
#include <numaslab/account.h>
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#include <pthread.h>

#define MANY 1000u

static void *objs[MANY];

static struct kmem_cache *
create(const char *name, unsigned size, unsigned align, slab_flags_t flags)
{
	struct kmem_cache *c =
	    kmem_cache_create(name, size, align, flags, NULL);

	REQUIRE(c != NULL);
	return c;
}

static struct kmem_cache_stat
stat_of(struct kmem_cache *c)
{
	struct kmem_cache_stat st;

	REQUIRE(kmem_cache_stat(c, NUMA_NO_NODE, &st) == 0);
	return st;
}

/* An object that one of them frees is the next that the other gets. */
static int
are_merged(struct kmem_cache *a, struct kmem_cache *b)
{
	void *p = kmem_cache_alloc(a, GFP_KERNEL), *q;

	REQUIRE(p != NULL);
	kmem_cache_free(a, p);
	q = kmem_cache_alloc(b, GFP_KERNEL);
	REQUIRE(q != NULL);
	kmem_cache_free(b, q);
	return p == q;
}

static void
construct(void *p)
{
	memset(p, 1, 8);
}

static void
test_which(void)
{
	static const struct {
		unsigned size, align;
		slab_flags_t flags;
		int merged;
	} with[] = {
		{ 100, 0, 0, 1 },
		{ 104, 0, 0, 1 },
		{ 97, 0, 0, 1 }, /* the same number of words */
		{ 100, 8, SLAB_PANIC, 1 },
		{ 96, 0, 0, 0 },
		{ 105, 0, 0, 0 },
		{ 100, 16, 0, 0 },
		{ 100, 0, SLAB_HWCACHE_ALIGN, 0 },
		{ 100, 0, SLAB_NO_MERGE, 0 },
		{ 100, 0, SLAB_NO_COLOR, 0 },
		{ 100, 0, SLAB_RECLAIM_ACCOUNT, 0 },
		{ 100, 0, SLAB_ACCOUNT, 0 },
		{ 100, 0, SLAB_RED_ZONE, 0 },
		{ 100, 0, SLAB_POISON, 0 },
		{ 100, 0, SLAB_STORE_USER, 0 },
		{ 100, 0, SLAB_CONSISTENCY_CHECKS, 0 },
		{ 100, 0, SLAB_TRACE, 0 },
		{ 100, 0, SLAB_FAILSLAB, 0 },
	};
	struct kmem_cache *root = create("root", 100, 0, 0), *c;

	for (unsigned i = 0; i < sizeof(with) / sizeof(*with); i++) {
		if ((with[i].flags & SLAB_TRACE) != 0)
			continue; /* it would write lines */
		c = create("other", with[i].size, with[i].align, with[i].flags);
		CHECK_MSG(stat_of(root).aliases == (unsigned)with[i].merged,
			  "case %u", i);
		CHECK_EQ(stat_of(c).aliases, with[i].merged);
		CHECK_MSG(are_merged(root, c) == with[i].merged, "case %u", i);
		kmem_cache_destroy(c);
	}
	kmem_cache_destroy(root);
	/* Two of a kind that is not merged at all. */
	root = create("one", 100, 0, SLAB_NO_MERGE);
	c = create("two", 100, 0, 0);
	CHECK_EQ(are_merged(root, c), 0);
	kmem_cache_destroy(root);
	kmem_cache_destroy(c);
	/* An alignment that the other's objects happen to have. */
	root = create("lines", 128, 0, 0);
	c = create("aligned", 128, 64, SLAB_HWCACHE_ALIGN);
	CHECK_EQ(are_merged(root, c), 1);
	kmem_cache_destroy(root);
	for (unsigned i = 0; i < MANY; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		CHECK_EQ((uintptr_t)objs[i] % 64, 0);
	}
	kmem_cache_free_bulk(c, MANY, objs);
	kmem_cache_destroy(c);
	/* One that they may happen not to have. */
	root = create("anywhere", 256, 0, 0);
	c = create("aligned", 256, 256, 0);
	CHECK_EQ(are_merged(root, c), 0);
	kmem_cache_destroy(root);
	root = create("anywhere", 256, 0, 0);
	CHECK_EQ(are_merged(root, c), 1);
	kmem_cache_destroy(root);
	kmem_cache_destroy(c);
}

static void
test_args(void)
{
	struct numaslab_account *a =
	    numaslab_account_create("a", SIZE_MAX, NULL, NULL);
	const struct kmem_cache_args args[] = {
		{ .ctor = construct }, { .use_freeptr_offset = 1 },
		{ .no_color = 1 },     { .limit = 1000 },
		{ .policy = "local" }, { .sheaf_capacity = 10 },
		{ .account = a },
	};
	struct kmem_cache *root = create("root", 100, 0, 0), *c, *d;

	for (unsigned i = 0; i < sizeof(args) / sizeof(*args); i++) {
		c = kmem_cache_create("args", 100, &args[i], 0);
		d = kmem_cache_create("args", 100, &args[i], 0);
		REQUIRE(c != NULL && d != NULL);
		CHECK_MSG(are_merged(root, c) == 0, "case %u", i);
		/* Two without colors are equal, and are merged. */
		CHECK_MSG(are_merged(c, d) == (args[i].no_color == 1),
			  "case %u", i);
		kmem_cache_destroy(c);
		kmem_cache_destroy(d);
	}
	kmem_cache_destroy(root);
	numaslab_account_destroy(a);
}

/* Each keeps its name and its size. */

struct seen {
	unsigned a, b, c;
};

static int
look(struct kmem_cache *c, void *arg)
{
	struct seen *s = arg;

	s->a += strcmp(kmem_cache_name(c), "name a") == 0;
	s->b += strcmp(kmem_cache_name(c), "name b") == 0;
	s->c += strcmp(kmem_cache_name(c), "name c") == 0;
	return 0;
}

static void
check_names(unsigned na, unsigned nb, unsigned nc)
{
	struct seen s = { 0 };

	CHECK_EQ(kmem_cache_for_each(look, &s), 0);
	CHECK_EQ(s.a, na);
	CHECK_EQ(s.b, nb);
	CHECK_EQ(s.c, nc);
}

static void
test_names(void)
{
	struct kmem_cache *a = create("name a", 33, 0, 0);
	struct kmem_cache *b = create("name b", 40, 0, 0), *c;
	unsigned char *p;

	check_names(1, 1, 0);
	CHECK_EQ(kmem_cache_size(a), 33);
	CHECK_EQ(kmem_cache_size(b), 40);
	CHECK_EQ(stat_of(a).object_size, 33);
	CHECK_EQ(stat_of(b).object_size, 40);
	CHECK_STR(kmem_cache_name(b), "name b");
	/* Zeroed as far as its own size. */
	p = kmem_cache_alloc(b, GFP_KERNEL);
	memset(p, 0xff, 40);
	kmem_cache_free(b, p);
	p = kmem_cache_zalloc(b, GFP_KERNEL);
	for (unsigned i = 0; i < 40; i++)
		CHECK_EQ(p[i], 0);
	kmem_cache_free(b, p);
	/* The first name goes, and the others stay. */
	kmem_cache_destroy(a);
	check_names(0, 1, 0);
	CHECK_STR(kmem_cache_name(b), "name b");
	CHECK_EQ(stat_of(b).aliases, 0);
	c = create("name c", 36, 0, 0);
	CHECK_EQ(are_merged(b, c), 1);
	check_names(0, 1, 1);
	kmem_cache_destroy(b);
	kmem_cache_destroy(c);
	check_names(0, 0, 0);
}

static void
test_shared(void)
{
	struct kmem_cache *a = create("a", 200, 0, 0);
	struct kmem_cache *b = create("b", 200, 0, 0);

	CHECK_EQ(kmem_cache_alloc_bulk(a, GFP_KERNEL, MANY / 2, objs),
		 MANY / 2);
	for (unsigned i = MANY / 2; i < MANY; i++) {
		objs[i] = kmem_cache_alloc_node(b, GFP_KERNEL, (int)(i % 2));
		REQUIRE(objs[i] != NULL);
		CHECK_EQ(numaslab_node_of(objs[i]), i % 2);
	}
	CHECK_EQ(stat_of(a).active, MANY);
	CHECK_EQ(stat_of(b).active, MANY);
	CHECK_EQ(stat_of(b).slabs, stat_of(a).slabs);
	CHECK_EQ(kmem_cache_shrink(a), 1);
	kmem_cache_destroy(a); /* its objects stay, and it cannot tell */
	CHECK_EQ(stat_of(b).active, MANY);
	for (unsigned i = 0; i < MANY; i++)
		memset(objs[i], (int)i, 200);
	for (unsigned i = 0; i < MANY; i++)
		REQUIRE(*(unsigned char *)objs[i] == (i & 255));
	kmem_cache_free_bulk(b, MANY, objs);
	CHECK_EQ(stat_of(b).active, 0);
	CHECK_EQ(kmem_cache_shrink(b), 0);
	kmem_cache_destroy(b);
}

/* __GFP_ACCOUNT of a merged cache that is larger than the first. */
static void
test_accounted(void)
{
	struct numaslab_account *acc =
	    numaslab_account_create("acc", SIZE_MAX, NULL, NULL);
	struct kmem_cache *a = create("a", 41, 0, 0);
	struct kmem_cache *b = create("b", 48, 0, 0);
	struct numaslab_account_stat st;
	unsigned char *p;

	numaslab_account_use(acc);
	p = kmem_cache_alloc(b, GFP_KERNEL_ACCOUNT);
	memset(p, 0xff, 48);
	kmem_cache_free(b, p);
	p = kmem_cache_alloc(b, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	for (unsigned i = 0; i < 48; i++)
		CHECK_EQ(p[i], 0);
	numaslab_account_stat(acc, &st);
	CHECK_EQ(st.bytes, 48 + sizeof(void *));
	kmem_cache_destroy(a);
	kmem_cache_free(b, p);
	numaslab_account_stat(acc, &st);
	CHECK_EQ(st.bytes, 0);
	kmem_cache_destroy(b);
	numaslab_account_use(NULL);
	numaslab_account_destroy(acc);
}

/* --- the last tells --- */

static void
leak(void *arg)
{
	struct kmem_cache *a = create("first", 300, 0, 0);
	struct kmem_cache *b = create("last", 300, 0, 0), *c;
	char *p = kmem_cache_alloc(*(int *)arg ? a : b, GFP_KERNEL);

	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
	memset(p, 1, 300);            /* stays valid */
	c = create("new", 300, 0, 0); /* not with those */
	CHECK_EQ(stat_of(c).active, 0);
	CHECK_EQ(stat_of(c).aliases, 0);
	kmem_cache_destroy(c);
}

static void
test_leak(void)
{
	struct test_output out;

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(run_child(leak, &i, &out), 0);
		CHECK_STR(out.text, "numaslab: kmem_cache_destroy(last): 1 "
				    "objects are still live\n");
	}
}

/* What is found of misuse, found through any of the names. */
static struct kmem_cache *one, *other, *third;

static void
free_twice(void *arg)
{
	void *p = kmem_cache_alloc(one, GFP_KERNEL);

	(void)arg;
	kmem_cache_free(one, p);
	kmem_cache_free(other, p);
}

static void
free_inside(void *arg)
{
	char *p = kmem_cache_alloc(other, GFP_KERNEL);

	(void)arg;
	kmem_cache_free(other, p + 8);
}

static void
free_to_third(void *arg)
{
	(void)arg;
	kmem_cache_free(third, kmem_cache_alloc(other, GFP_KERNEL));
}

static void
destroy_twice(void *arg)
{
	struct kmem_cache *c = create("twice", 500, 0, *(slab_flags_t *)arg);

	kmem_cache_destroy(c);
	kmem_cache_destroy(c);
}

static int
destroy_it(struct kmem_cache *c, void *arg)
{
	*(struct kmem_cache **)arg = c;
	return 1;
}

/* A cache of kmalloc's. */
static void
destroy_first(void *arg)
{
	struct kmem_cache *c;

	(void)arg;
	kmem_cache_for_each(destroy_it, &c);
	kmem_cache_destroy(c);
}

static void
test_destroy_misuse(void)
{
	slab_flags_t flags[] = { 0, SLAB_NO_MERGE };
	struct kmem_cache *c = create("root", 500, 0, 0);

	for (unsigned i = 0; i < 2; i++)
		CHECK_ABORTS(destroy_twice, &flags[i],
			     "kmem_cache_destroy(twice): the cache was "
			     "destroyed");
	CHECK_ABORTS(destroy_first, NULL, "kmem_cache_destroy(kmalloc-16)");
	kmem_cache_destroy(c);
}

static void
test_misuse(void)
{
	one = create("one", 64, 0, 0);
	other = create("other", 64, 0, 0);
	third = create("third", 64, 0, SLAB_NO_MERGE);
	CHECK_ABORTS(free_twice, NULL, "already free (cache one");
	CHECK_ABORTS(free_inside, NULL, "not the start of an object");
	CHECK_ABORTS(free_to_third, NULL,
		     "an object of another cache (cache one");
	kmem_cache_destroy(one);
	kmem_cache_destroy(other);
	kmem_cache_destroy(third);
}

/* --- fork --- */

static void
use_in_child(void *arg)
{
	void *p;

	(void)arg;
	p = kmem_cache_alloc(other, GFP_KERNEL);
	CHECK(p != NULL);
	kmem_cache_free(other, p);
	kmem_cache_destroy(one);
	kmem_cache_destroy(other);
	CHECK_EQ(kmem_cache_for_each(look, &(struct seen){ 0 }), 0);
}

static void
test_fork(void)
{
	struct test_output out;

	one = create("one", 72, 0, 0);
	other = create("other", 72, 0, 0);
	CHECK_EQ(run_child(use_in_child, NULL, &out), 0);
	kmem_cache_destroy(one);
	one = NULL;
	CHECK_EQ(run_child(use_in_child, NULL, &out), 0);
	kmem_cache_destroy(other);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "2");
	test_which();
	test_args();
	test_names();
	test_shared();
	test_accounted();
	test_leak();
	test_misuse();
	test_destroy_misuse();
	test_fork();
	return test_done();
}
