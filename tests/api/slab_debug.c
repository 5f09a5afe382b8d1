/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debug flags of caches.  Each planted bug is found, in a child of its
 * own, in lines that name the cache, the object, its node and the call stacks
 * of who allocated and who freed it.  The program is linked so that the
 * dynamic symbol table has its functions.
 */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/api/planted.h"

#define NODE 2
#define ALL                                                      \
	(SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | \
	 SLAB_STORE_USER)

void *allocator_of_it(struct kmem_cache *c);
void freer_of_it(struct kmem_cache *c, void *obj);

__attribute__((noinline)) void *
allocator_of_it(struct kmem_cache *c)
{
	void *p = kmem_cache_alloc_node(c, GFP_KERNEL, NODE);

	REQUIRE(p != NULL);
	return p;
}

__attribute__((noinline)) void
freer_of_it(struct kmem_cache *c, void *p)
{
	kmem_cache_free(c, p);
	__asm__ volatile("" ::: "memory"); /* no tail call: a frame */
}

static struct kmem_cache *cache, *other;
static void *bulk[16]; /* live */

static void
free_one(void *p)
{
	freer_of_it(cache, p);
}

static void
free_obj(void)
{
	free_one((void *)obj);
}

static void
until_it_comes(void)
{
	for (int i = 0; i < 100; i++)
		allocator_of_it(cache);
}

static void
construct(void *p)
{
	memset(p, 0x11, 8);
}

/* --- the bugs --- */

static void
overflow_by_zero(void)
{
	obj[size] = 0;
	kfree((char *)obj);
}

static void
overflow_bulk(void)
{
	((char *)bulk[9])[size] = 1;
	kmem_cache_free_bulk(cache, 16, bulk);
}

static void
free_all(void)
{
	free_obj();
	kmem_cache_free_bulk(cache, 16, bulk);
}

static void
late_write_shrink(void)
{
	free_all();
	freed[size / 2] = 1;
	kmem_cache_shrink(cache);
}

static void
late_write_destroy(void)
{
	free_all();
	freed[size / 3] = 1;
	kmem_cache_destroy(cache);
}

static void
double_free(void)
{
	free_one((void *)freed);
}

static void
double_kfree(void)
{
	kfree((void *)freed);
}

static void
double_free_bulk(void)
{
	bulk[5] = bulk[3];
	freer_of_it(cache, bulk[3]);
	kmem_cache_free_bulk(cache, 3, bulk + 4);
}

static void
wrong_cache(void)
{
	kmem_cache_free(other, (void *)obj);
}

static void
wrong_cache_bulk(void)
{
	kmem_cache_free_bulk(other, 16, bulk);
}

static void
interior_8(void)
{
	free_one((char *)obj + 8);
}

static void
interior_1(void)
{
	kfree((char *)obj + 1);
}

static void
interior_of_zone(void)
{
	kfree((char *)obj + size + 1);
}

static void
interior_bulk(void)
{
	bulk[2] = (char *)bulk[2] + 4;
	kmem_cache_free_bulk(cache, 16, bulk);
}

struct bug {
	const char *name;
	void (*plant)(void);
	const char *says;
	volatile char **about;
	unsigned size;
	slab_flags_t flags;
	void (*ctor)(void *);
	enum finder by;
};

static volatile char *in_bulk[3], *first_in_bulk; /* 9, 3, 2 */

static const struct bug bugs[] = {
	{ "overflow", overflow_1, "behind its end", &obj, 200, 0, NULL,
	  BY_ZONE },
	{ "overflow, odd", overflow_1, "behind its end", &obj, 13, 0, NULL,
	  BY_ZONE },
	{ "overflow, one", overflow_1, "behind its end", &obj, 1, 0, NULL,
	  BY_ZONE },
	{ "overflow, large", overflow_1, "behind its end", &obj, 20000, 0, NULL,
	  BY_ZONE },
	{ "overflow, constructed", overflow_1, "behind its end", &obj, 64, 0,
	  construct, BY_ZONE },
	{ "overflow, aligned", overflow_1, "behind its end", &obj, 64,
	  SLAB_HWCACHE_ALIGN, NULL, BY_ZONE },
	{ "overflow by 8", overflow_8, "behind its end", &obj, 96, 0, NULL,
	  BY_ZONE },
	{ "overflow by a 0", overflow_by_zero, "behind its end", &obj, 24, 0,
	  NULL, BY_ZONE },
	{ "overflow, bulk", overflow_bulk, "behind its end", &in_bulk[0], 40, 0,
	  NULL, BY_ZONE },
	{ "overflow, thread", overflow_elsewhere, "behind its end", &obj, 40, 0,
	  NULL, BY_ZONE },
	{ "underflow", underflow_1, "before its start", &obj, 200, 0, NULL,
	  BY_ZONE },
	{ "underflow, aligned", underflow_1, "before its start", &obj, 200,
	  SLAB_HWCACHE_ALIGN | SLAB_NO_COLOR, NULL, BY_ZONE },
	{ "underflow by 16", underflow_16, "before its start", &obj, 100, 0,
	  construct, BY_ZONE },
	{ "late write, first", late_write_first, "after it was freed", &freed,
	  100, 0, NULL, BY_POISON },
	{ "late write, last", late_write_last, "after it was freed", &freed,
	  100, 0, NULL, BY_POISON },
	{ "late write, only", late_write_last, "after it was freed", &freed, 1,
	  0, NULL, BY_POISON },
	{ "late write, behind", late_write_behind, "behind its end", &freed,
	  100, 0, NULL, BY_ZONE },
	{ "late write, before", late_write_before, "before its start", &freed,
	  100, 0, construct, BY_ZONE },
	{ "late write, shrink", late_write_shrink, "after it was freed", &freed,
	  100, 0, NULL, BY_POISON },
	{ "late write, destroy", late_write_destroy, "after it was freed",
	  &freed, 3000, 0, NULL, BY_POISON },
	{ "late zeros", late_zero, "after it was freed", &freed, 512, 0, NULL,
	  BY_POISON },
	{ "double free", double_free, "already free", &freed, 100, 0, NULL,
	  BY_CHECKS },
	{ "double free, constructed", double_free, "already free", &freed, 100,
	  0, construct, BY_CHECKS },
	{ "double free, kfree", double_kfree, "already free", &freed, 100, 0,
	  NULL, BY_CHECKS },
	{ "double free, bulk", double_free_bulk, "already free", &in_bulk[1],
	  100, 0, NULL, BY_CHECKS },
	{ "double free, thread", double_free_thread, "already free", &freed,
	  100, 0, NULL, BY_CHECKS },
	{ "wrong cache", wrong_cache, "(other, 0x", &obj, 100, 0, NULL,
	  BY_CHECKS },
	{ "wrong cache, bulk", wrong_cache_bulk, "(other, 0x", &first_in_bulk,
	  100, 0, NULL, BY_CHECKS },
	{ "interior", interior_8, "not the start", &obj, 100, 0, NULL,
	  BY_CHECKS },
	{ "interior, odd", interior_1, "not the start", &obj, 100, 0, NULL,
	  BY_CHECKS },
	{ "interior, zone", interior_of_zone, "not the start", &obj, 100, 0,
	  NULL, BY_CHECKS },
	{ "interior, bulk", interior_bulk, "not the start", &in_bulk[2], 100, 0,
	  NULL, BY_CHECKS },
};

/* Every object was allocated and freed once before. */
static void
set_up(const struct bug *b, slab_flags_t watch)
{
	size = b->size;
	cache =
	    kmem_cache_create("planted", b->size, 0, watch | b->flags, b->ctor);
	other = kmem_cache_create("other", b->size, 0, watch, NULL);
	REQUIRE(cache != NULL && other != NULL);
	for (int round = 0; round < 2; round++) {
		obj = allocator_of_it(cache);
		for (int i = 0; i < 16; i++)
			bulk[i] = allocator_of_it(cache);
		freed = allocator_of_it(cache);
		if (round > 0)
			break;
		free_one((void *)freed);
		for (int i = 16; i-- > 0;)
			freer_of_it(cache, bulk[i]);
		free_obj();
	}
	free_one((void *)freed);
	first_in_bulk = bulk[0];
	in_bulk[0] = bulk[9];
	in_bulk[1] = bulk[3];
	in_bulk[2] = bulk[2];
}

static void
plant(void *arg)
{
	((const struct bug *)arg)->plant();
}

/* With all flags; then with the one alone, which keeps no call stacks. */
static void
check_bug(const struct bug *b, slab_flags_t watch)
{
	char about[64];
	const char *needles[] = { b->says,
				  about,
				  "cache planted",
				  "node 2",
				  watch == ALL ? "allocated by thread" : NULL,
				  "allocator_of_it",
				  "freed by thread",
				  "freer_of_it",
				  NULL };

	set_up(b, watch);
	snprintf(about, sizeof(about), "object %p of %u bytes",
		 (void *)*b->about, b->size);
	check_planted(b->name, plant, (void *)b, needles);
	free_all();
	kmem_cache_destroy(cache);
	kmem_cache_destroy(other);
}

static void
test_bugs(void)
{
	static const slab_flags_t alone[] = {
		[BY_CHECKS] = SLAB_CONSISTENCY_CHECKS,
		[BY_ZONE] = SLAB_RED_ZONE,
		[BY_POISON] = SLAB_POISON,
	};

	for (size_t i = 0; i < sizeof(bugs) / sizeof(*bugs); i++) {
		check_bug(&bugs[i], ALL);
		check_bug(&bugs[i], alone[bugs[i].by]);
	}
}

/* --- a leak, a trace, the environment --- */

static void
leak(void *arg)
{
	(void)arg;
	kmem_cache_destroy(cache);
	memset((char *)obj, 1, size); /* still valid */
}

static void
check_leak(slab_flags_t watch)
{
	static const struct bug b = { .size = 100 };
	struct test_output out;
	char about[64];

	set_up(&b, watch);
	kmem_cache_free_bulk(cache, 16, bulk);
	snprintf(about, sizeof(about), "object %p of 100 bytes", (void *)obj);
	CHECK_EQ(run_child(leak, NULL, &out), 0);
	CHECK(strstr(out.text, "1 objects are still live") != NULL);
	CHECK(strstr(out.text, about) != NULL);
	CHECK(strstr(out.text, "allocator_of_it") != NULL);
	CHECK(strstr(out.text, "(planted)") != NULL);
	CHECK(strstr(out.text, "cache planted, node 2: in use") != NULL);
	CHECK(strstr(out.text, "allocated by thread") != NULL);
	CHECK(strstr(out.text, "freed by thread") != NULL);
	CHECK(strstr(out.text, "freer_of_it") != NULL);
	free_obj();
	kmem_cache_destroy(cache);
	kmem_cache_destroy(other);
}

static void
traced(void *arg)
{
	struct kmem_cache *c =
	    kmem_cache_create("traced", 40, 0, SLAB_TRACE, NULL);
	char *p = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, p);
	kmem_cache_destroy(c);
	(void)arg;
}

static void
test_trace(void)
{
	struct test_output out;

	CHECK_EQ(run_child(traced, NULL, &out), 0);
	CHECK(strstr(out.text, "numaslab: trace traced: alloc 0x") != NULL);
	CHECK(strstr(out.text, "numaslab: trace traced: free 0x") != NULL);
}

static void
dump(void *p)
{
	CHECK(kmem_dump_obj(p));
}

static void
dump_nothing(void *p)
{
	CHECK(!kmem_dump_obj(p));
}

static void
check_dump(void *p, const char *const *needles)
{
	struct test_output out;

	CHECK_EQ(run_child(dump, p, &out), 0);
	for (; *needles != NULL; needles++)
		CHECK_MSG(strstr(out.text, *needles) != NULL,
			  "dump: \"%s\" is not in: %s", *needles, out.text);
}

static void
test_dump(void)
{
	static const struct bug b = { .size = 100 };
	static const char *const watched[] = { " is 7 bytes into\n",
					       "of 100 bytes, cache planted, "
					       "node 2: in use\n",
					       "allocated by thread",
					       "allocator_of_it",
					       "freer_of_it",
					       NULL };
	static const char *const is_free[] = { " is 0 bytes into\n",
					       "cache planted, node 2: free\n",
					       "freer_of_it", NULL };
	static const char *const small[] = { "of 64 bytes, cache kmalloc-64, "
					     "node ",
					     ": in use\n", NULL };
	char *p = kmalloc(64, GFP_KERNEL), *large = kmalloc(1 << 20, 0);
	struct test_output out;
	int local;

	set_up(&b, ALL);
	check_dump((char *)obj + 7, watched);
	check_dump((void *)freed, is_free);
	check_dump(p, small);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(run_child(dump_nothing,
				   i == 0   ? (void *)&local
				   : i == 1 ? large
					    : NULL,
				   &out),
			 0);
		CHECK_STR(out.text, "");
	}
	kfree(p);
	kfree(large);
	free_all();
	kmem_cache_destroy(cache);
	kmem_cache_destroy(other);
}

/* NUMASLAB_SLAB_DEBUG, as main sets it. */
static void
overflow_of(void *arg)
{
	struct kmem_cache *c = kmem_cache_create(arg, 40, 0, 0, NULL);
	char *p = kmem_cache_alloc(c, GFP_KERNEL);

	p[40] = 1;
	kmem_cache_free(c, p);
	kmem_cache_destroy(c);
}

static void
test_environment(void)
{
	struct test_output out;

	CHECK_EQ(run_child(overflow_of, "plain", &out), 0);
	CHECK_EQ(run_child(overflow_of, "rows", &out), 0);
	CHECK_EQ(WTERMSIG(run_child(overflow_of, "zoned", &out)), SIGABRT);
	CHECK(strstr(out.text, "(cache zoned, node") != NULL);
	CHECK(strstr(out.text, "allocated by thread") == NULL);
	CHECK_EQ(WTERMSIG(run_child(overflow_of, "row", &out)), SIGABRT);
	CHECK_EQ(WTERMSIG(run_child(overflow_of, "index-7", &out)), SIGABRT);
	CHECK(strstr(out.text, "allocated by thread") != NULL);
}

/* --- and without a bug nothing is found --- */

static void
test_right_use(void)
{
	static const unsigned sizes[] = { 1, 8, 100, 4096, 65536 };
	void *p[64];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct kmem_cache *c = kmem_cache_create(
		    "right", sizes[i], sizes[i] == 4096 ? 4096 : 0, ALL, NULL);

		REQUIRE(c != NULL);
		for (int round = 0; round < 5; round++) {
			CHECK_EQ(kmem_cache_alloc_bulk(c, GFP_KERNEL, 64, p),
				 64);
			for (int j = 0; j < 64; j++) {
				memset(p[j], j, sizes[i]);
				if (sizes[i] == 4096)
					CHECK_EQ((uintptr_t)p[j] % 4096, 0);
				CHECK(ksize(p[j]) >= sizes[i]);
			}
			kmem_cache_free_bulk(c, 64, p);
			p[0] = kmem_cache_zalloc(c, GFP_KERNEL);
			CHECK_EQ(((char *)p[0])[sizes[i] - 1], 0);
			kfree(p[0]);
		}
		CHECK_EQ(kmem_cache_shrink(c), 0);
		kmem_cache_destroy(c);
	}
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_SLAB_DEBUG",
		 "Z,zoned,row;FZPU,index-*;-,plain");
	test_bugs();
	check_leak(ALL);
	check_leak(SLAB_STORE_USER);
	test_trace();
	test_dump();
	test_environment();
	test_right_use();
	return test_done();
}
