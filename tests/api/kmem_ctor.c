/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem.h: constructors, which run once for each object. */
#include "tests/api/kmem_test.h"

#include <stddef.h>

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

/* --- a constructor that allocates what it is to make --- */

static struct kmem_cache *own, *via;

static void
allocate_own(void *obj)
{
	*(void **)obj = kmem_cache_alloc(own, GFP_KERNEL);
}

static void
allocate_own_bulk(void *obj)
{
	(void)obj;
	CHECK_EQ(kmem_cache_alloc_bulk(own, GFP_KERNEL, 1, objs), 1);
}

static void
allocate_via(void *obj)
{
	*(void **)obj = kmem_cache_alloc(via, GFP_KERNEL);
}

static void
use_recursive(void *flags)
{
	own = create("own", 64, 0, *(slab_flags_t *)flags, allocate_own);
	CHECK(kmem_cache_alloc_node(own, GFP_KERNEL, 1) != NULL);
}

static void
use_recursive_bulk(void *flags)
{
	own = create("own", 64, 0, *(slab_flags_t *)flags, allocate_own_bulk);
	CHECK(kmem_cache_alloc(own, GFP_KERNEL) != NULL);
}

/* One's constructor allocates from the other, whose does so from the one. */
static void
use_mutual(void *flags)
{
	own = create("own", 64, 0, *(slab_flags_t *)flags, allocate_via);
	via = create("via", 64, 0, 0, allocate_own);
	CHECK(kmem_cache_alloc(own, GFP_KERNEL) != NULL);
}

static void
test_recursion(void)
{
	static const char line[] = "numaslab: kmem_cache_alloc(own): called by "
				   "the cache's own constructor\n";
	slab_flags_t flags[] = { 0, SLAB_POISON };

	for (int i = 0; i < 2; i++) {
		CHECK_ABORTS(use_recursive, &flags[i], line);
		CHECK_ABORTS(use_recursive_bulk, &flags[i], line);
		CHECK_ABORTS(use_mutual, &flags[i], line);
	}
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_constructed_once();
	test_constructor_may_allocate();
	test_no_zero_with_constructor();
	test_recursion();
	return test_done();
}
