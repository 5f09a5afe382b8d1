/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pointer that is not a live object of its cache: one line that names it,
 * then abort.  Each mistake is made in a child of its own.
 */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/test.h"

#include <pthread.h>

#define OBJECTS 300

static struct kmem_cache *cache, *other;
static char *obj[OBJECTS], *other_obj, *small, *medium, *large;
static char global[64];

static void
no_ctor(void *p)
{
	(void)p;
}

struct mistake {
	const char *name;
	char **at; /* the pointer */
	long offset;
	void (*make)(char *);
	int frees;        /* before the one that aborts */
	const char *call; /* as the line names it, up to the pointer */
	const char *rule;
};

static void
with_kfree(char *p)
{
	kfree(p);
}

static void
with_cache_free(char *p)
{
	kmem_cache_free(cache, p);
}

static void
with_wrong_cache(char *p)
{
	kmem_cache_free(other, p);
}

static void
with_bulk(char *p)
{
	void *objs[3] = { obj[7], p, obj[8] };

	kmem_cache_free_bulk(cache, 3, objs);
}

static void
with_ksize(char *p)
{
	if (ksize(p) == 12345)
		abort();
}

static void
with_krealloc(char *p)
{
	if (krealloc(p, 100000, GFP_KERNEL) == NULL)
		abort();
}

static void
with_krealloc_in_place(char *p)
{
	if (krealloc(p, 90, GFP_KERNEL) == NULL)
		abort();
}

static void
with_krealloc_array(char *p)
{
	if (krealloc_array(p, 100, 1000, GFP_KERNEL) == NULL)
		abort();
}

static void
with_kvrealloc(char *p)
{
	if (kvrealloc(p, 100000, GFP_KERNEL) == NULL)
		abort();
}

static void
with_krealloc_to_nothing(char *p)
{
	if (krealloc(p, 0, GFP_KERNEL) == NULL)
		abort();
}

static void
with_kfree_bulk(char *p)
{
	void *blocks[2] = { NULL, p };

	kfree_bulk(2, blocks);
}

static void
with_bulk_of_any(char *p)
{
	kmem_cache_free_bulk(NULL, 1, (void **)&p);
}

static void
with_sensitive(char *p)
{
	kfree_sensitive(p);
}

static void
with_kvfree(char *p)
{
	kvfree(p);
}

static void
with_kvfree_sensitive(char *p)
{
	kvfree_sensitive(p, 1);
}

static void *
free_in_thread(void *p)
{
	kfree(p);
	return NULL;
}

static void
with_thread(char *p)
{
	pthread_t t;

	REQUIRE(pthread_create(&t, NULL, free_in_thread, p) == 0);
	pthread_join(t, NULL);
}

static char *stack, *global_p = global, *middle_of_list, *unused, *newest;

#define FOREIGN      "not from this allocator"
#define NO_OBJECT    "not an object of a cache"
#define OTHERS       "an object of another cache"
#define INSIDE       "not the start of an object"
#define INSIDE_BLOCK "not the start of a block"
#define FREED        "already free"
#define SOME_RULE    "" /* never allocated, or free: as it was carved */
#define NOTHING      "not allocated"

static struct mistake mistakes[] = {
	{ "foreign, stack", &stack, 0, with_kfree, 0, "kfree(", FOREIGN },
	{ "foreign, stack, to a cache", &stack, 0, with_cache_free, 0,
	  "kmem_cache_free(mine, ", NO_OBJECT },
	{ "foreign, static", &global_p, 8, with_kfree, 0, "kfree(", FOREIGN },
	{ "foreign, static, to a cache", &global_p, 8, with_cache_free, 0,
	  "kmem_cache_free(mine, ", NO_OBJECT },
	{ "foreign, ksize", &global_p, 8, with_ksize, 0, "ksize(", FOREIGN },
	{ "foreign, krealloc", &global_p, 8, with_krealloc, 0, "krealloc(",
	  FOREIGN },
	{ "interior of an object", &obj[3], 8, with_kfree, 0, "kfree(",
	  INSIDE },
	{ "interior of an object, to its cache", &obj[3], 8, with_cache_free, 0,
	  "kmem_cache_free(", INSIDE },
	{ "interior, odd", &obj[3], 1, with_cache_free, 0, "kmem_cache_free(",
	  INSIDE },
	{ "interior, in bulk", &obj[3], 16, with_bulk, 0,
	  "kmem_cache_free_bulk(", INSIDE },
	{ "interior of a small block", &small, 16, with_kfree, 0, "kfree(",
	  INSIDE },
	{ "interior of a small block, krealloc", &small, 16, with_krealloc, 0,
	  "krealloc(", INSIDE },
	{ "interior of a medium block", &medium, 4096, with_kfree, 0, "kfree(",
	  INSIDE },
	{ "interior of a large block", &large, 65536, with_kfree, 0, "kfree(",
	  INSIDE_BLOCK },
	{ "interior of a large block, near", &large, 16, with_kfree, 0,
	  "kfree(", INSIDE_BLOCK },
	{ "freed, object", &obj[3], 0, with_cache_free, 1, "kmem_cache_free(",
	  FREED },
	{ "freed, object by kfree", &obj[3], 0, with_kfree, 1, "kfree(",
	  FREED },
	{ "freed, object in bulk", &obj[3], 0, with_bulk, 1,
	  "kmem_cache_free_bulk(", FREED },
	{ "freed, not the last freed", &middle_of_list, 0, with_kfree, 0,
	  "kfree(", FREED },
	{ "freed, small", &small, 0, with_kfree, 1, "kfree(", FREED },
	{ "freed, medium", &medium, 0, with_kfree, 1, "kfree(", FREED },
	{ "freed, large", &large, 0, with_kfree, 1, "kfree(", NOTHING },
	{ "freed, large, ksize", &large, 0, with_ksize, 1, "ksize(", NOTHING },
	{ "freed, in another thread", &small, 0, with_thread, 1, "kfree(",
	  FREED },
	{ "freed twice in another thread", &obj[3], 0, with_thread, 1, "kfree(",
	  FREED },
	{ "wrong cache", &obj[3], 0, with_wrong_cache, 0,
	  "kmem_cache_free(other, ", OTHERS },
	{ "wrong cache, other way", &other_obj, 0, with_cache_free, 0,
	  "kmem_cache_free(mine, ", OTHERS },
	{ "kmalloc'ed, to a cache", &small, 0, with_cache_free, 0,
	  "kmem_cache_free(mine, ", OTHERS },
	{ "large, to a cache", &large, 0, with_cache_free, 0,
	  "kmem_cache_free(mine, ", NO_OBJECT },
	{ "never allocated", &unused, 0, with_kfree, 0, "kfree(", NOTHING },
	{ "behind an object", &newest, 200, with_cache_free, 0,
	  "kmem_cache_free(", SOME_RULE },
	{ "behind an object with a constructor", &other_obj, 216, with_kfree, 0,
	  "kfree(", SOME_RULE },
	{ "freed, in place", &small, 0, with_krealloc_in_place, 1, "krealloc(",
	  FREED },
	{ "freed, ksize", &small, 0, with_ksize, 1, "ksize(", FREED },
	{ "freed, krealloc array", &small, 0, with_krealloc_array, 1,
	  "krealloc_array(", FREED },
	{ "foreign, krealloc array", &global_p, 8, with_krealloc_array, 0,
	  "krealloc_array(", FOREIGN },
	{ "interior, krealloc array", &obj[3], 8, with_krealloc_array, 0,
	  "krealloc_array(", INSIDE },
	{ "freed, kvrealloc", &small, 0, with_kvrealloc, 1, "kvrealloc(",
	  FREED },
	{ "foreign, kvrealloc", &global_p, 8, with_kvrealloc, 0, "kvrealloc(",
	  FOREIGN },
	{ "interior, kvrealloc", &obj[3], 8, with_kvrealloc, 0, "kvrealloc(",
	  INSIDE },
	{ "freed, krealloc to nothing", &small, 0, with_krealloc_to_nothing, 1,
	  "krealloc(", FREED },
	{ "foreign, krealloc to nothing", &global_p, 8,
	  with_krealloc_to_nothing, 0, "krealloc(", FOREIGN },
	{ "interior, krealloc to nothing", &obj[3], 8, with_krealloc_to_nothing,
	  0, "krealloc(", INSIDE },
	{ "freed, kfree bulk", &small, 0, with_kfree_bulk, 1, "kfree_bulk(",
	  FREED },
	{ "foreign, kfree bulk", &global_p, 8, with_kfree_bulk, 0,
	  "kfree_bulk(", FOREIGN },
	{ "interior, kfree bulk", &obj[3], 8, with_kfree_bulk, 0, "kfree_bulk(",
	  INSIDE },
	{ "freed, bulk of any", &small, 0, with_bulk_of_any, 1,
	  "kmem_cache_free_bulk(", FREED },
	{ "foreign, bulk of any", &global_p, 8, with_bulk_of_any, 0,
	  "kmem_cache_free_bulk(", FOREIGN },
	{ "interior, bulk of any", &obj[3], 8, with_bulk_of_any, 0,
	  "kmem_cache_free_bulk(", INSIDE },
	{ "freed, sensitive", &small, 0, with_sensitive, 1, "kfree_sensitive(",
	  FREED },
	{ "foreign, sensitive", &global_p, 8, with_sensitive, 0,
	  "kfree_sensitive(", FOREIGN },
	{ "interior, sensitive", &obj[3], 8, with_sensitive, 0,
	  "kfree_sensitive(", INSIDE },
	{ "freed, kvfree", &small, 0, with_kvfree, 1, "kvfree(", FREED },
	{ "foreign, kvfree", &global_p, 8, with_kvfree, 0, "kvfree(", FOREIGN },
	{ "interior, kvfree", &obj[3], 8, with_kvfree, 0, "kvfree(", INSIDE },
	{ "freed, kvfree sensitive", &small, 0, with_kvfree_sensitive, 1,
	  "kvfree_sensitive(", FREED },
	{ "foreign, kvfree sensitive", &global_p, 8, with_kvfree_sensitive, 0,
	  "kvfree_sensitive(", FOREIGN },
	{ "interior, kvfree sensitive", &obj[3], 8, with_kvfree_sensitive, 0,
	  "kvfree_sensitive(", INSIDE },
};

static void
make(void *arg)
{
	const struct mistake *m = arg;

	for (int i = 0; i < m->frees; i++)
		kfree(*m->at);
	m->make(*m->at + m->offset);
}

static void
set_up(void)
{
	static char on_stack_stand_in[8];

	cache = kmem_cache_create("mine", 200, 0, 0, NULL);
	other = kmem_cache_create("other", 200, 0, 0, no_ctor);
	REQUIRE(cache != NULL && other != NULL);
	for (int i = 0; i < OBJECTS; i++)
		obj[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (int i = 0; i < OBJECTS; i++)
		newest = obj[i] > newest ? obj[i] : newest;
	other_obj = kmem_cache_alloc(other, GFP_KERNEL);
	small = kmalloc(100, GFP_KERNEL);
	medium = kmalloc(30000, GFP_KERNEL);
	REQUIRE(kmalloc(30000, GFP_KERNEL) != NULL); /* keeps its slab */
	large = kmalloc(1ul << 20, GFP_KERNEL);
	REQUIRE(other_obj && small && medium && large);
	kmem_cache_free(cache, obj[10]);
	middle_of_list = obj[11];
	kmem_cache_free(cache, obj[11]);
	kmem_cache_free(cache, obj[12]);
	unused = large + (1ul << 30); /* ours, but nothing is there */
	stack = on_stack_stand_in;
}

/*
 * An overwritten object of a slab's free list is noticed when it is allocated
 * again.  So many are freed that they do not all stay at hand.  From its node
 * by name: the child may run on another.
 */
static void
write_after_free(void *arg)
{
	int node = numaslab_node_of(obj[20]);
	void *p = NULL;

	for (int i = 20; i < OBJECTS; i++)
		kmem_cache_free(cache, obj[i]);
	memset(obj[20], 0x41, 64);
	for (int i = 0; i < OBJECTS; i++)
		p = kmem_cache_alloc_node(cache, GFP_KERNEL, node);
	CHECK_EQ(p, NULL); /* never got here */
	(void)arg;
}

int
main(int argc, char **argv)
{
	char on_stack[64], named[96];

	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	set_up();
	stack = on_stack + 16;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		const struct mistake *m = &mistakes[i];

		snprintf(named, sizeof(named), "numaslab: %s%p): %s", m->call,
			 (void *)(*m->at + m->offset), m->rule);
		test_check_aborts(__FILE__, __LINE__, m->name, make,
				  &mistakes[i], named);
	}
	snprintf(named, sizeof(named), " %p", (void *)obj[20]);
	CHECK_ABORTS(write_after_free, NULL, named);
	return test_done();
}
