/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a cache's descriptor says: notes, zones, colors and objects of a slab
 * do not touch one another, whatever the size, the alignment and the flags.
 */
#include "slab/account.h"
#include "slab/debug.h"

#include "tests/test.h"

static void
ctor(void *p)
{
	(void)p;
}

static void
check_layout(const struct kmem_cache *c, unsigned size, unsigned align)
{
	size_t bytes = (size_t)c->units << NS_UNIT_SHIFT;
	size_t notes = 0, end;

	if ((c->flags & SLAB_ACCOUNT) != 0)
		notes = c->nobj * sizeof(struct numaslab_account *);
	if ((c->flags & SLAB_RED_ZONE) != 0)
		notes += 16;
	CHECK_MSG(c->lead >= notes, "size %u: %u bytes before, not %zu", size,
		  c->lead, notes);
	CHECK_EQ(c->lead % align, 0);
	CHECK_EQ(c->size % align, 0);
	CHECK_EQ(c->color_step % align, 0);
	CHECK(c->size >= size);
	CHECK(c->nobj >= 6);
	end = c->lead + (c->ncolors - 1) * (size_t)c->color_step +
	      (size_t)c->nobj * c->size;
	CHECK_MSG(end <= bytes, "size %u, flags 0x%x: %zu bytes of %zu", size,
		  c->flags, end, bytes);
	/* What is left over is no room for an object and its note. */
	CHECK_MSG(bytes - end < 2ul * c->size + bytes / 64 + 4096,
		  "size %u, flags 0x%x: %zu bytes of %zu", size, c->flags, end,
		  bytes);
	CHECK(c->magazine >= 2 && c->magazine <= NS_MAGAZINE_MAX);
	CHECK(c->start < c->magazine);
}

static void
try(unsigned size, unsigned align, slab_flags_t flags, void (*make)(void *))
{
	struct kmem_cache_args args = { .align = align, .ctor = make };
	struct kmem_cache *c = kmem_cache_create("c", size, &args, flags);

	REQUIRE(c != NULL);
	check_layout(c, size, align);
	kmem_cache_destroy(c);
}

static void
test_layouts(void)
{
	static const slab_flags_t flags[] = {
		0,
		SLAB_NO_COLOR,
		SLAB_ACCOUNT,
		SLAB_RED_ZONE,
		SLAB_ACCOUNT | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER,
	};
	uint64_t seed = 1;

	for (unsigned i = 0; i < 4000; i++) {
		uint64_t r = test_random(&seed);
		unsigned size = 1 + (unsigned)(r >> 20) %
					(i % 3 ? 300 : KMALLOC_MAX_CACHE_SIZE);

		try(size, 8u << r % 10, flags[r >> 8 & 3],
		    r >> 16 & 1 ? ctor : NULL);
		try(size, 8, flags[4], NULL);
	}
}

/* A note is where no other is, and where no object is. */
static void
test_notes(void)
{
	struct numaslab_account *a =
	    numaslab_account_create("a", SIZE_MAX, NULL, NULL);
	struct kmem_cache *c =
	    kmem_cache_create("noted", 24, 0, SLAB_ACCOUNT, NULL);
	static char *objs[10000];
	struct numaslab_account **note;

	numaslab_account_use(a);
	for (unsigned i = 0; i < 10000; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		REQUIRE(objs[i] != NULL);
		memset(objs[i], 0xff, 24);
	}
	for (unsigned i = 0; i < 10000; i++) {
		struct ns_slab *s = ns_slab_of(objs[i]);

		note = ns_account_of(s, objs[i]);
		CHECK_EQ(*note, a);
		CHECK((char *)(note + 1) <= s->first);
		CHECK_EQ(note, ns_account_of(s, objs[i] + 23));
		*note = NULL;
	}
	for (unsigned i = 0; i < 10000; i++)
		*ns_account_of(ns_slab_of(objs[i]), objs[i]) = a;
	kmem_cache_free_bulk(c, 10000, (void **)objs);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
	kmem_cache_destroy(c);
}

/* Rules that only a debug build sees to. */
static void
alloc_destroyed(void *flags)
{
	struct kmem_cache *c =
	    kmem_cache_create("gone", 64, 0, *(slab_flags_t *)flags, NULL);

	kmem_cache_destroy(c);
	(void)!kmem_cache_alloc(c, GFP_KERNEL);
}

static void
test_debug_rules(void)
{
#ifdef NS_DEBUG
	slab_flags_t flags[] = { 0, SLAB_NO_MERGE, SLAB_ACCOUNT };

	for (unsigned i = 0; i < 3; i++)
		CHECK_ABORTS(alloc_destroyed, &flags[i],
			     "kmem_cache_alloc(gone): the cache was destroyed");
#else
	(void)alloc_destroyed;
#endif
}

int
main(void)
{
	test_layouts();
	test_notes();
	test_debug_rules();
	return test_done();
}
