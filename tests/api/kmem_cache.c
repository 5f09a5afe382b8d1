/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem.h, object caches: every function and every documented error. */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#include <pthread.h>
#include <stddef.h>

#define NODES 4
#define MANY  5000u

static void *objs[MANY];

static struct kmem_cache *
create(const char *name, unsigned size, unsigned align, slab_flags_t flags,
       void (*ctor)(void *))
{
	struct kmem_cache *c =
	    kmem_cache_create(name, size, align, flags, ctor);

	REQUIRE(c != NULL);
	return c;
}

static void *
alloc(struct kmem_cache *c)
{
	void *p = kmem_cache_alloc(c, GFP_KERNEL);

	REQUIRE(p != NULL);
	return p;
}

static uint64_t
live_bytes(void)
{
	struct numaslab_node_stat st;
	uint64_t sum = 0;

	for (int n = 0; n < NODES; n++) {
		REQUIRE(numaslab_node_stat(n, &st) == 0);
		sum += st.live;
	}
	return sum;
}

/* A page or so of free objects may count as live, on each node. */
static int
about(uint64_t figure, uint64_t expected)
{
	return figure + NODES * 8192 >= expected &&
	       figure <= expected + NODES * 8192;
}

/* --- kmem_cache_create, _size, _name, _destroy --- */

static void
no_ctor(void *obj)
{
	(void)obj;
}

static void
test_create_errors(void)
{
	CHECK_ERRNO(kmem_cache_create(NULL, 8, 0, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 0, 0, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(
	    kmem_cache_create("c", KMALLOC_MAX_CACHE_SIZE + 1, 0, 0, NULL),
	    NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", ~0u, 0, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 3, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 8192, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 1u << 31, 0, NULL), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_create("c", 8, 0, 0x80000000u, NULL), NULL,
		    EINVAL);
}

static void
panic(void *arg)
{
	kmem_cache_create("impossible", 8, *(unsigned *)arg, SLAB_PANIC, NULL);
}

static void
test_panic(void)
{
	unsigned bad = 3, good = 8;
	struct test_output out;

	CHECK_ABORTS(panic, &bad, "impossible");
	CHECK_EQ(run_child(panic, &good, &out), 0);
}

static void
test_size_and_name(void)
{
	char name[] = "connection";
	struct kmem_cache *c = create(name, 123, 0, 0, NULL);

	name[0] = 'X';
	CHECK_STR(kmem_cache_name(c), "connection");
	CHECK_EQ(kmem_cache_size(c), 123);
	kmem_cache_destroy(c);
	kmem_cache_destroy(NULL);
}

static void
test_many_caches(void)
{
	struct kmem_cache *c[200];

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 200; i++) {
			c[i] = create("many", 8 * (i + 1), 0, 0, NULL);
			objs[i] = alloc(c[i]);
			memset(objs[i], (int)i, 8 * (i + 1));
		}
		for (unsigned i = 0; i < 200; i++) {
			CHECK_EQ(*(unsigned char *)objs[i], i);
			kmem_cache_free(c[i], objs[i]);
			kmem_cache_destroy(c[i]);
		}
	}
}

/* --- sizes and alignments --- */

static int
by_address(const void *a, const void *b)
{
	const char *const *p = a, *const *q = b;

	return *p < *q ? -1 : *p > *q;
}

static void
check_distinct(unsigned n, size_t size)
{
	qsort(objs, n, sizeof(*objs), by_address);
	for (unsigned i = 1; i < n; i++)
		CHECK_MSG((char *)objs[i] - (char *)objs[i - 1] >=
			      (ptrdiff_t)size,
			  "objects of %zu bytes overlap", size);
}

static void
check_geometry(unsigned size, unsigned align, slab_flags_t flags,
	       void (*ctor)(void *))
{
	struct kmem_cache *c = create("geometry", size, align, flags, ctor);
	size_t least = align > sizeof(void *) ? align : sizeof(void *);
	unsigned n = size > 4096 ? 40 : 500;

	for (unsigned i = 0; i < n; i++) {
		objs[i] = alloc(c);
		CHECK_MSG((uintptr_t)objs[i] % least == 0,
			  "size %u, align %u: %p", size, align, objs[i]);
		if (flags & SLAB_HWCACHE_ALIGN && size >= 64)
			CHECK_EQ((uintptr_t)objs[i] % 64, 0);
		else if (flags & SLAB_HWCACHE_ALIGN) /* within one line */
			CHECK((uintptr_t)objs[i] % 64 + size <= 64);
		memset(objs[i], 0x5a, size);
	}
	check_distinct(n, size);
	for (unsigned i = 0; i < n; i++)
		kmem_cache_free(c, objs[i]);
	kmem_cache_destroy(c);
}

static void
test_geometry(void)
{
	static const unsigned sizes[] = { 1,    7,    8,     9,     16,
					  24,   40,   64,    65,    100,
					  128,  200,  1000,  4096,  4097,
					  8192, 8193, 20000, 65535, 65536 };
	static const slab_flags_t flags[] = { 0, SLAB_HWCACHE_ALIGN,
					      SLAB_NO_COLOR };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		for (unsigned align = 1; align <= 4096; align *= 4)
			for (unsigned f = 0; f < 3; f++)
				check_geometry(sizes[s], align, flags[f], NULL);
		check_geometry(sizes[s], 0, 0, NULL);
		check_geometry(sizes[s], 0, 0, no_ctor);
		check_geometry(sizes[s], 4096, 0, no_ctor);
	}
}

/* --- struct kmem_cache_args, KMEM_CACHE --- */

struct with_links {
	uint64_t id;
	void *links[2];
	uint64_t check;
} __attribute__((aligned(32)));

static void
construct_with_links(void *obj)
{
	struct with_links *o = obj;

	o->id = 7;
	o->check = ~7ul;
}

static void
test_args(void)
{
	struct kmem_cache_args args = { .align = 32,
					.ctor = construct_with_links,
					.use_freeptr_offset = 1,
					.freeptr_offset = offsetof(
					    struct with_links, links) };
	unsigned size = sizeof(struct with_links);
	struct kmem_cache *c = kmem_cache_create("args", size, &args, 0);
	struct with_links *o;

	REQUIRE(c != NULL);
	for (unsigned round = 0; round < 3; round++) {
		CHECK_EQ(kmem_cache_alloc_bulk(c, GFP_KERNEL, 1000, objs),
			 1000);
		for (unsigned i = 0; i < 1000; i++) {
			o = objs[i];
			CHECK_EQ((uintptr_t)o % 32, 0);
			CHECK(o->id == 7 && o->check == ~7ul);
			o->links[0] = o->links[1] = o;
		}
		check_distinct(1000, size);
		kmem_cache_free_bulk(c, 1000, objs);
	}
	kmem_cache_destroy(c);
	args.freeptr_offset = 4;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args.freeptr_offset = size - 8;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args.freeptr_offset = ~7u;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args.use_freeptr_offset = 2;
	CHECK_ERRNO(kmem_cache_create("c", size, &args, 0), NULL, EINVAL);
	args = (struct kmem_cache_args){ .align = 24 };
	CHECK_ERRNO(kmem_cache_create("c", 8, &args, 0), NULL, EINVAL);
	c = kmem_cache_create("none", 24, NULL, 0);
	CHECK_EQ(kmem_cache_size(c), 24);
	kmem_cache_destroy(c);
	c = kmem_cache_create_args("none", 25, NULL, SLAB_HWCACHE_ALIGN);
	CHECK_EQ(kmem_cache_size(c), 25);
	kmem_cache_destroy(c);
}

static void
test_macro(void)
{
	struct kmem_cache *c = KMEM_CACHE(with_links, SLAB_PANIC);
	void *p = alloc(c);

	CHECK_STR(kmem_cache_name(c), "with_links");
	CHECK_EQ(kmem_cache_size(c), sizeof(struct with_links));
	CHECK_EQ((uintptr_t)p % __alignof__(struct with_links), 0);
	kmem_cache_free(c, p);
	kmem_cache_destroy(c);
}

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

/* --- constructors --- */

struct constructed {
	uint64_t id; /* 1, 2, ... in the order of construction */
	char body[72];
	uint64_t check;
};

static uint64_t constructions;
static struct kmem_cache *inner;

static void
construct(void *obj)
{
	struct constructed *o = obj;

	o->id = ++constructions;
	memset(o->body, 0x42, sizeof(o->body));
	o->check = ~o->id;
}

static void
check_constructed(const struct constructed *o)
{
	CHECK(o->id >= 1 && o->id <= constructions);
	CHECK_EQ(o->check, ~o->id);
	for (size_t i = 0; i < sizeof(o->body); i++)
		CHECK_EQ(o->body[i], 0x42);
}

/*
 * Where objects were constructed: an open hash of addresses.  In memory that
 * holds a live object (by 64 KiB, the least a slab has) nothing may be
 * constructed twice; a slab that went and came again is another matter.
 */
#define SEEN 65536u

static uintptr_t seen[SEEN], held[SEEN];

static int
add_to(uintptr_t *set, uintptr_t key)
{
	size_t i = key * 0x9e3779b97f4a7c15ul >> 48;

	for (; set[i] != 0; i = (i + 1) % SEEN)
		if (set[i] == key)
			return 0;
	set[i] = key;
	return 1;
}

static int
is_in(const uintptr_t *set, uintptr_t key)
{
	size_t i = key * 0x9e3779b97f4a7c15ul >> 48;

	for (; set[i] != 0; i = (i + 1) % SEEN)
		if (set[i] == key)
			return 1;
	return 0;
}

static void
construct_once(void *obj)
{
	uintptr_t p = (uintptr_t)obj;

	if (!add_to(seen, p) && is_in(held, p >> 16))
		CHECK_MSG(0, "%p was constructed twice", obj);
	construct(obj);
}

static void
test_constructed_once(void)
{
	static uint64_t ids[MANY];
	struct kmem_cache *c;

	c = create("constructed", sizeof(struct constructed), 0, 0,
		   construct_once);
	for (unsigned i = 0; i < MANY; i++) {
		objs[i] = alloc(c);
		check_constructed(objs[i]);
		ids[i] = ((struct constructed *)objs[i])->id;
		if (i % 2 != 0)
			add_to(held, (uintptr_t)objs[i] >> 16);
	}
	CHECK(constructions >= MANY);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < MANY; i += 2)
			kmem_cache_free(c, objs[i]);
		for (unsigned i = 0; i < MANY; i += 2) {
			objs[i] = alloc(c);
			check_constructed(objs[i]);
		}
	}
	for (unsigned i = 1; i < MANY; i += 2)
		CHECK_EQ(((struct constructed *)objs[i])->id, ids[i]);
	check_distinct(MANY, sizeof(struct constructed));
	kmem_cache_free_bulk(c, MANY, objs);
	kmem_cache_destroy(c);
}

#define SMALL_OBJECTS 300
#define LARGE_OBJECTS 3000

static struct kmem_cache *reused;
static void *of_small[SMALL_OBJECTS], *of_large[LARGE_OBJECTS];
static pthread_barrier_t turn;

/* Frees of the second cache what it never allocated; then others of its own. */
static void *
use_two_caches(void *arg)
{
	void *p[100];

	for (unsigned i = 0; i < SMALL_OBJECTS; i++)
		of_small[i] = alloc(reused);
	for (unsigned i = 0; i < 20; i++)
		kmem_cache_free(reused, of_small[i]);
	for (unsigned i = 0; i < 100; i++)
		p[i] = kmalloc(64, GFP_KERNEL);
	kfree(p[0]);
	pthread_barrier_wait(&turn);
	pthread_barrier_wait(&turn);
	for (unsigned i = 0; i < LARGE_OBJECTS; i++)
		kmem_cache_free(reused, of_large[i]);
	for (unsigned i = 1; i < 100; i++)
		kfree(p[i]);
	for (unsigned i = 0; i < 100; i++) {
		p[i] = kmalloc(64, GFP_KERNEL);
		for (unsigned j = 0; j < LARGE_OBJECTS; j++)
			CHECK(p[i] != of_large[j]);
	}
	for (unsigned i = 0; i < 100; i++)
		kfree(p[i]);
	return arg;
}

/* What a thread has for a cache does not fit the next one with its id. */
static void
test_reused_id(void)
{
	pthread_t t;

	reused = create("small", 64, 0, 0, NULL);
	pthread_barrier_init(&turn, NULL, 2);
	REQUIRE(pthread_create(&t, NULL, use_two_caches, NULL) == 0);
	pthread_barrier_wait(&turn);
	for (unsigned i = 20; i < SMALL_OBJECTS; i++)
		kmem_cache_free(reused, of_small[i]);
	kmem_cache_destroy(reused);
	reused = create("large", 16384, 0, 0, NULL);
	for (unsigned i = 0; i < LARGE_OBJECTS; i++)
		of_large[i] = alloc(reused);
	pthread_barrier_wait(&turn);
	pthread_join(t, NULL);
	kmem_cache_destroy(reused);
	pthread_barrier_destroy(&turn);
}

/* More caches than there can be: refused, at no cost. */
static void
test_too_many(void)
{
	static struct kmem_cache *caches[2000];
	struct numaslab_node_stat before, after;
	unsigned n = 0;

	while (n < 2000 &&
	       (caches[n] = kmem_cache_create("one of many", 64, 0,
					      SLAB_NO_MERGE, NULL)) != NULL)
		n++;
	CHECK(n > 800 && n < 2000 && errno == ENOMEM);
	REQUIRE(numaslab_node_stat(0, &before) == 0);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(kmem_cache_create("more", 64, 0, SLAB_NO_MERGE, NULL),
			 NULL);
	REQUIRE(numaslab_node_stat(0, &after) == 0);
	CHECK_EQ(after.used, before.used);
	while (n > 0)
		kmem_cache_destroy(caches[--n]);
}

static void
construct_with_inner(void *obj)
{
	void **p = obj;

	*p = kmem_cache_alloc(inner, GFP_KERNEL);
	REQUIRE(*p != NULL);
	kfree(kmalloc(300, GFP_KERNEL));
}

static void
test_constructor_may_allocate(void)
{
	struct kmem_cache *c;

	inner = create("inner", 48, 0, 0, NULL);
	c = create("outer", 64, 0, 0, construct_with_inner);
	for (unsigned i = 0; i < 2000; i++) {
		objs[i] = alloc(c);
		CHECK_EQ(*(void **)objs[i] != NULL, 1);
		memset(*(void **)objs[i], 1, 48);
	}
	kmem_cache_free_bulk(c, 2000, objs);
	kmem_cache_destroy(c);
}

static void
test_no_zero_with_constructor(void)
{
	struct kmem_cache *c = create("ctor", 64, 0, 0, no_ctor);

	CHECK_ERRNO(kmem_cache_zalloc(c, 0), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_alloc(c, __GFP_ZERO), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_alloc_node(c, __GFP_ZERO, 0), NULL, EINVAL);
	CHECK_ERRNO(kmem_cache_alloc_bulk(c, __GFP_ZERO, 3, objs), 0, EINVAL);
	kmem_cache_destroy(c);
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
	test_create_errors();
	test_panic();
	test_size_and_name();
	test_args();
	test_macro();
	test_many_caches();
	test_geometry();
	test_zalloc();
	test_constructed_once();
	test_reused_id();
	test_too_many();
	test_constructor_may_allocate();
	test_no_zero_with_constructor();
	test_nodes();
	test_bulk();
	test_shrink();
	test_destroy_with_live_objects();
	test_freed_by_another_thread();
	test_null_and_errno();
	return test_done();
}
