/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem.h: kmem_cache_stat, kmem_cache_for_each, limits, SLAB_FAILSLAB. */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#include <pthread.h>
#include <sched.h>

#define NODES 4
#define MANY  3000u
#define LIMIT 100u

static void *objs[MANY];

static struct kmem_cache *
create(const char *name, unsigned size, slab_flags_t flags,
       const struct kmem_cache_args *args)
{
	struct kmem_cache *c = kmem_cache_create(name, size, args, flags);

	REQUIRE(c != NULL);
	return c;
}

static struct kmem_cache_stat
stat_of(struct kmem_cache *c, int node)
{
	struct kmem_cache_stat st;

	memset(&st, 0xff, sizeof(st));
	REQUIRE(kmem_cache_stat(c, node, &st) == 0);
	CHECK_EQ(st.node, node);
	CHECK_EQ(st.object_size, kmem_cache_size(c));
	CHECK(st.stride >= st.object_size && st.slab_objects >= 1);
	CHECK(st.active <= st.objects);
	CHECK_EQ(st.objects, st.slabs * st.slab_objects);
	CHECK_EQ(st.bytes, st.slabs * st.slab_size);
	return st;
}

/* --- kmem_cache_stat --- */

/* Each node has some more objects than the one before. */
static void
count_on_nodes(struct kmem_cache *c)
{
	unsigned at = 0, n = 0;

	for (int node = 0; node < NODES; node++) {
		for (n = 0; n < 300 + 200 * (unsigned)node; n++) {
			objs[at] = kmem_cache_alloc_node(c, GFP_KERNEL, node);
			REQUIRE(objs[at++] != NULL);
		}
		CHECK_EQ(stat_of(c, node).active, n);
		CHECK(stat_of(c, node).slabs >= 1);
		CHECK_EQ(stat_of(c, NUMA_NO_NODE).active, at);
	}
	while (at > 0) {
		kmem_cache_free(c, objs[--at]);
		if (at % 100 == 0)
			CHECK_EQ(stat_of(c, NUMA_NO_NODE).active, at);
	}
}

static void
no_ctor(void *obj)
{
	(void)obj;
}

static void
test_counts(void)
{
	static const struct kmem_cache_args ctor = { .ctor = no_ctor };
	static const slab_flags_t flags[] = { 0, SLAB_RED_ZONE | SLAB_POISON,
					      SLAB_NO_MERGE };
	struct kmem_cache *c;

	for (unsigned i = 0; i < 3; i++) {
		c = create("counted", 200, flags[i], i == 1 ? NULL : &ctor);
		CHECK_EQ(stat_of(c, NUMA_NO_NODE).slabs, 0);
		for (unsigned round = 0; round < 3; round++)
			count_on_nodes(c);
		CHECK_EQ(kmem_cache_shrink(c), 0);
		CHECK_EQ(stat_of(c, NUMA_NO_NODE).bytes, 0);
		kmem_cache_destroy(c);
	}
}

static void *
free_half(void *arg)
{
	for (unsigned i = 0; i < MANY; i += 2)
		kmem_cache_free(arg, objs[i]);
	return NULL;
}

/* What another thread freed, and holds in its magazines, is not in use. */
static void
test_counts_across_threads(void)
{
	struct kmem_cache *c = create("across", 64, 0, NULL);
	pthread_t t;

	CHECK_EQ(kmem_cache_alloc_bulk(c, GFP_KERNEL, MANY, objs), MANY);
	REQUIRE(pthread_create(&t, NULL, free_half, c) == 0);
	pthread_join(t, NULL);
	CHECK_EQ(stat_of(c, NUMA_NO_NODE).active, MANY / 2);
	for (unsigned i = 1; i < MANY; i += 2)
		kmem_cache_free(c, objs[i]);
	CHECK_EQ(stat_of(c, NUMA_NO_NODE).active, 0);
	kmem_cache_destroy(c);
}

static void
test_errors(void)
{
	struct kmem_cache *c = create("errors", 8, 0, NULL);
	struct kmem_cache_args args = { .no_color = 2 };
	struct kmem_cache_stat st;

	CHECK_ERRNO(kmem_cache_stat(c, NODES, &st), -1, EINVAL);
	CHECK_ERRNO(kmem_cache_stat(c, -2, &st), -1, EINVAL);
	CHECK_ERRNO(kmem_cache_stat(c, 1 << 20, &st), -1, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, &args, 0), NULL, EINVAL);
	kmem_cache_destroy(c);
}

/* --- colors --- */

/* The offsets of the first objects of slabs repeat after color_period. */
static void
check_colors(unsigned size)
{
	struct kmem_cache *c = create("colored", size, 0, NULL);
	struct kmem_cache *d = create("plain", size, SLAB_NO_COLOR, NULL);
	struct kmem_cache_stat st = stat_of(c, NUMA_NO_NODE);
	unsigned offsets[64] = { 0 }, distinct = 0, at;
	uintptr_t slab = 0;

	CHECK_EQ(st.color_cost,
		 (stat_of(d, 0).slab_objects - st.slab_objects) * st.stride);
	kmem_cache_destroy(d);
	CHECK(st.color_offset >= 64 && st.color_period > 1);
	CHECK(st.color_cost < st.slab_size / 32);
	CHECK_EQ(st.color_cost % st.stride, 0);
	CHECK(st.slab_objects * st.stride + st.color_cost <= st.slab_size);
	for (unsigned i = 0; i < MANY; i++) {
		objs[i] = kmem_cache_alloc_node(c, GFP_KERNEL, 0);
		REQUIRE(objs[i] != NULL);
		slab = (uintptr_t)objs[i] / st.slab_size * st.slab_size;
		at = (unsigned)((uintptr_t)objs[i] - slab) % st.stride;
		CHECK_EQ(at % st.color_offset, 0);
		distinct += offsets[at / 64]++ == 0;
	}
	CHECK(distinct > 1 && distinct <= st.color_period);
	/* All are seen where none is longer than an object. */
	if (st.color_offset * st.color_period <= st.stride) {
		CHECK(stat_of(c, 0).slabs >= st.color_period);
		CHECK_EQ(distinct, st.color_period);
	}
	kmem_cache_free_bulk(c, MANY, objs);
	kmem_cache_destroy(c);
}

static void
test_colors(void)
{
	check_colors(256);  /* which costs objects */
	check_colors(2000); /* many slabs */
}

static void
test_no_color(void)
{
	static const struct kmem_cache_args off = { .no_color = 1 };

	for (unsigned i = 0; i < 2; i++) {
		struct kmem_cache *c = create(
		    "plain", 256, i ? SLAB_NO_COLOR : 0, i ? NULL : &off);
		struct kmem_cache_stat st = stat_of(c, 0);

		CHECK_EQ(st.color_offset, 0);
		CHECK_EQ(st.color_period, 1);
		CHECK_EQ(st.color_cost, 0);
		kmem_cache_destroy(c);
	}
}

/* --- kmem_cache_for_each --- */

struct search {
	struct kmem_cache *a, *b;
	unsigned seen_a, seen_b, kmallocs, all, stop_at;
};

static int
look(struct kmem_cache *c, void *arg)
{
	struct search *s = arg;

	s->seen_a += c == s->a;
	s->seen_b += c == s->b;
	s->kmallocs += strncmp(kmem_cache_name(c), "kmalloc-", 8) == 0;
	stat_of(c, NUMA_NO_NODE);
	return ++s->all == s->stop_at ? 7 : 0;
}

static void
test_for_each(void)
{
	struct search s = { 0 };
	struct kmem_cache_stat st;

	CHECK_EQ(kmem_cache_for_each(look, &s), 0);
	CHECK(s.all >= s.kmallocs && s.kmallocs > 10);
	s = (struct search){ .a = create("a", 40, 0, NULL),
			     .b = create("b", 40, SLAB_NO_MERGE, NULL) };
	CHECK(s.a != s.b);
	CHECK_EQ(kmem_cache_for_each(look, &s), 0);
	CHECK(s.seen_a == 1 && s.seen_b == 1);
	kmem_cache_destroy(s.a);
	s.seen_a = s.seen_b = s.all = 0;
	CHECK_EQ(kmem_cache_for_each(look, &s), 0);
	CHECK(s.seen_a == 0 && s.seen_b == 1);
	s.all = 0;
	s.stop_at = 3;
	CHECK_EQ(kmem_cache_for_each(look, &s), 7);
	CHECK_EQ(s.all, 3);
	st = stat_of(s.b, 1);
	CHECK(st.slabs == 0 && st.active == 0);
	kmem_cache_destroy(s.b);
}

/* What the function does to the caches it is shown, and to others. */
struct changes {
	struct kmem_cache *first, *second, *last, *fresh;
	int shown, nested, kinds;
};

static int
count_named(struct kmem_cache *c, void *arg)
{
	*(int *)arg += strncmp(kmem_cache_name(c), "walk", 4) == 0;
	return 0;
}

static int
change(struct kmem_cache *c, void *arg)
{
	struct changes *w = arg;
	void *p;

	if (strncmp(kmem_cache_name(c), "walk", 4) != 0)
		return 0;
	w->shown++;
	w->kinds += kmem_cache_name(c)[4] - '0';
	p = kmem_cache_alloc(c, GFP_KERNEL);
	CHECK(p != NULL);
	kmem_cache_free(c, p);
	if (c == w->first) {
		kmem_cache_destroy(w->second); /* the next one */
		w->fresh = create("walk7", 100, SLAB_NO_MERGE, NULL);
		kmem_cache_for_each(count_named, &w->nested);
		kmem_cache_destroy(c); /* itself */
	} else if (c == w->last) {
		kmem_cache_destroy(c);
	}
	return 0;
}

/* It creates and destroys caches, also what it is shown, and walks itself. */
static void
test_for_each_changes(slab_flags_t flags)
{
	struct changes w = { 0 };
	struct kmem_cache *kept;

	w.first = create("walk1", 72, flags, NULL);
	w.second = create("walk2", 72, flags, NULL);
	kept = create("walk3", 72, flags, NULL);
	w.last = create("walk4", 72, flags, NULL);
	CHECK_EQ(kmem_cache_for_each(change, &w), 0);
	CHECK_EQ(w.shown, 3);
	CHECK_EQ(w.kinds, 1 + 3 + 4); /* not what was made meanwhile */
	CHECK_EQ(w.nested, 4);        /* 1, 3, 4 and 7 */
	w.shown = 0;
	kmem_cache_for_each(count_named, &w.shown);
	CHECK_EQ(w.shown, 2);
	kmem_cache_destroy(kept);
	kmem_cache_destroy(w.fresh);
}

static uint32_t destroyed, in_fn; /* [a] */

/* The child destroys a cache of its own, which it is not shown. */
static int
fork_in_fn(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		kmem_cache_destroy(create("childs", 40, SLAB_NO_MERGE, NULL));
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		REQUIRE(errno == EINTR);
	return status;
}

static void *
destroy_it(void *c)
{
	while (!__atomic_load_n(&in_fn, __ATOMIC_ACQUIRE))
		sched_yield();
	kmem_cache_destroy(c);
	__atomic_store_n(&destroyed, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Another thread's kmem_cache_destroy waits for the function's return. */
static int
look_long(struct kmem_cache *c, void *arg)
{
	if (c != arg)
		return 0;
	__atomic_store_n(&in_fn, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 20000; i++) {
		CHECK(!__atomic_load_n(&destroyed, __ATOMIC_ACQUIRE));
		sched_yield();
	}
	CHECK_EQ(fork_in_fn(), 0);
	return 0;
}

static void
test_for_each_against_destroy(void)
{
	struct kmem_cache *c;
	pthread_t t;

	for (int i = 0; i < 2; i++) { /* its own, and an alias */
		destroyed = in_fn = 0;
		c = create("watched by one", 72, i ? 0 : SLAB_NO_MERGE, NULL);
		REQUIRE(pthread_create(&t, NULL, destroy_it, c) == 0);
		CHECK_EQ(kmem_cache_for_each(look_long, c), 0);
		pthread_join(t, NULL);
		CHECK_EQ(destroyed, 1);
	}
}

/* --- names --- */

struct names {
	char name[256][32];
	unsigned n;
};

static int
note_name(struct kmem_cache *c, void *arg)
{
	struct names *w = arg;

	REQUIRE(w->n < 256);
	snprintf(w->name[w->n++], sizeof(w->name[0]), "%s", kmem_cache_name(c));
	return 0;
}

/* No two classes have one name. */
static void
test_class_names(void)
{
	static struct names w;
	unsigned aligned = 0;

	kmem_cache_for_each(note_name, &w);
	for (unsigned i = 0; i < w.n; i++) {
		for (unsigned j = 0; j < i; j++)
			CHECK_MSG(strcmp(w.name[i], w.name[j]) != 0,
				  "%s is there twice", w.name[i]);
		aligned += strcmp(w.name[i], "kmalloc-4096-aligned") == 0;
	}
	CHECK_EQ(aligned, 1);
}

/* --- limits --- */

static void *
take_and_give(void *arg)
{
	for (unsigned i = 0; i < 2000; i++) {
		void *p = kmem_cache_alloc(arg, GFP_NOWAIT);

		if (p != NULL) {
			CHECK(stat_of(arg, NUMA_NO_NODE).node < 0);
			kmem_cache_free(arg, p);
		} else {
			CHECK_EQ(errno, ENOMEM);
		}
	}
	return NULL;
}

static void
test_limit(void)
{
	static const struct kmem_cache_args args = { .limit = LIMIT };
	struct kmem_cache *c = create("limited", 72, 0, &args);
	pthread_t t[2];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < LIMIT; i++) {
			objs[i] = kmem_cache_alloc_node(c, GFP_KERNEL,
							(int)i % NODES);
			REQUIRE(objs[i] != NULL);
		}
		CHECK_ERRNO(kmem_cache_alloc(c, GFP_KERNEL), NULL, ENOMEM);
		CHECK_ERRNO(kmem_cache_zalloc(c, GFP_ATOMIC), NULL, ENOMEM);
		CHECK_ERRNO(kmem_cache_alloc_node(c, 0, 1), NULL, ENOMEM);
		kmem_cache_free(c, objs[7]);
		objs[7] = kmem_cache_alloc(c, 0);
		CHECK(objs[7] != NULL);
		CHECK_EQ(stat_of(c, NUMA_NO_NODE).active, LIMIT);
		kmem_cache_free_bulk(c, LIMIT, objs);
	}
	CHECK_ERRNO(kmem_cache_alloc_bulk(c, 0, LIMIT + 1, objs), 0, ENOMEM);
	CHECK_EQ(kmem_cache_alloc_bulk(c, 0, LIMIT - 1, objs), LIMIT - 1);
	for (unsigned i = 0; i < 2; i++)
		REQUIRE(pthread_create(&t[i], NULL, take_and_give, c) == 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	objs[LIMIT - 1] = kmem_cache_alloc(c, 0);
	CHECK(objs[LIMIT - 1] != NULL);
	CHECK_ERRNO(kmem_cache_alloc(c, 0), NULL, ENOMEM);
	kmem_cache_free_bulk(c, LIMIT, objs);
	kmem_cache_destroy(c);
}

/* --- SLAB_FAILSLAB: every third request --- */

static void
check_fails(struct kmem_cache *c, int does)
{
	unsigned failed = 0;
	void *p;

	for (unsigned i = 0; i < 300; i++) {
		errno = 0;
		p = i % 2 ? kmem_cache_alloc(c, GFP_KERNEL)
			  : kmem_cache_alloc_node(c, GFP_KERNEL, 1);
		CHECK_EQ(p == NULL, does && i % 3 == 2);
		CHECK_EQ(errno == ENOMEM, p == NULL);
		failed += p == NULL;
		kmem_cache_free(c, p);
	}
	CHECK_EQ(failed, does ? 100 : 0);
	for (unsigned i = 0; i < 30; i++) {
		p = kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOFAIL);
		CHECK(p != NULL);
		kmem_cache_free(c, p);
	}
	if (does) {
		CHECK_ERRNO(kmem_cache_alloc_bulk(c, 0, 3, objs), 0, ENOMEM);
		CHECK_EQ(kmem_cache_alloc_bulk(c, 0, 2, objs), 2);
		kmem_cache_free_bulk(c, 2, objs);
		CHECK_EQ(stat_of(c, NUMA_NO_NODE).active, 0);
	}
	kmem_cache_destroy(c);
}

/* At the limit: who may not fail waits until another thread frees one. */
static void *
free_one_soon(void *c)
{
	usleep(20000);
	kmem_cache_free(c, objs[0]);
	return NULL;
}

static void
test_limit_waits(void)
{
	static const struct kmem_cache_args args = { .limit = 1 };
	struct kmem_cache *c = create("waits", 72, 0, &args);
	pthread_t t;
	void *p;

	objs[0] = kmem_cache_alloc(c, GFP_KERNEL);
	REQUIRE(objs[0] != NULL);
	REQUIRE(pthread_create(&t, NULL, free_one_soon, c) == 0);
	p = kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOFAIL);
	CHECK(p != NULL);
	pthread_join(t, NULL);
	kmem_cache_free(c, p);
	kmem_cache_destroy(c);
}

static void
test_failslab(void)
{
	check_fails(create("flagged", 50, SLAB_FAILSLAB, NULL), 1);
	check_fails(create("by_name", 50, 0, NULL), 1);
	check_fails(create("watched", 50, SLAB_POISON, NULL), 0);
	check_fails(create("ordinary", 50, 0, NULL), 0);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_SLAB_DEBUG", "A,by_name");
	test_env(argv, "NUMASLAB_FAILSLAB", "3");
	test_counts();
	test_counts_across_threads();
	test_errors();
	test_colors();
	test_no_color();
	test_for_each();
	test_for_each_changes(0);
	test_for_each_changes(SLAB_NO_MERGE);
	test_for_each_against_destroy();
	test_class_names();
	test_limit();
	test_limit_waits();
	test_failslab();
	return test_done();
}
