/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/kmem.c - object caches against malloc.
 *
 * The object is a connection as a server keeps it: a mutex, a condition, a
 * list head and a table of pointers, which take some work to set up and are
 * in their initial state again when the connection ends (Bonwick's case for
 * constructors).
 *
 *	obj_*	 one object allocated, used and freed:
 *		 ctor	from a cache whose constructor did the set-up
 *		 init	from a cache without, set up each time
 *		 malloc	from malloc, set up each time
 *		 raw	from malloc, not set up at all
 *		 list	from a free list by hand, set up each time
 *	batch_*	 the same, 256 objects at a time; time is for one object.
 *		 home and far: plain objects of a named node
 *	bulk_*	 plain objects: kmem_cache_alloc_bulk, one by one, malloc
 *	node_*	 kmem_cache_alloc_node of the home node, of another node (if
 *		 there is one: NUMASLAB_FAKE_NODES=2), kmem_cache_alloc
 *	knode_*	 kmalloc_node of 256 bytes, the same
 *	obj_charged, obj_limited, obj_placed
 *		 plain objects that are counted one by one
 *	zalloc_* zeroed objects: kmem_cache_zalloc, calloc
 *	kmalloc, malloc	 pairs by size
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <numaslab/account.h>
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "gbench.h"

#define NBATCH 256

struct link {
	struct link *next, *prev;
};

struct connection {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct link requests;
	void *buckets[32];
	uint64_t served;
};

static void
connection_init(void *p)
{
	struct connection *c = p;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	c->requests.next = c->requests.prev = &c->requests;
	memset(c->buckets, 0, sizeof(c->buckets));
	c->served = 0;
}

/* As little as a connection can do; leaves it in its initial state. */
static void
connection_use(struct connection *c)
{
	c->buckets[0] = c;
	c->served++;
	gbench_use(c);
	c->buckets[0] = NULL;
	c->served = 0;
}

enum source { CTOR, INIT, MALLOC, RAW, LIST };

static struct kmem_cache *cache[2]; /* by source: CTOR, INIT */

/* A thread's own list, as programs write it, of what malloc gave. */
static __thread struct link *list;

static void *
list_get(void)
{
	struct link *p = list;

	if (p == NULL)
		return malloc(sizeof(struct connection));
	list = p->next;
	return p;
}

static void
list_put(void *p)
{
	((struct link *)p)->next = list;
	list = p;
}

static void *
source_get(enum source source)
{
	void *p;

	if (source == MALLOC || source == RAW)
		p = malloc(sizeof(struct connection));
	else if (source == LIST)
		p = list_get();
	else
		p = kmem_cache_alloc(cache[source], GFP_KERNEL);
	if (source != CTOR && source != RAW)
		connection_init(p);
	return p;
}

static void
source_put(enum source source, void *p)
{
	if (source == MALLOC || source == RAW)
		free(p);
	else if (source == LIST)
		list_put(p);
	else
		kmem_cache_free(cache[source], p);
}

static inline __attribute__((always_inline)) void
obj(struct gbench *b, enum source source)
{
	gbench_loop(b) {
		struct connection *c = source_get(source);

		connection_use(c);
		source_put(source, c);
	}
	gbench_set_items(b, b->iterations);
}

static inline __attribute__((always_inline)) void
batch(struct gbench *b, enum source source)
{
	struct connection *c[NBATCH];

	gbench_loop_batch(b, NBATCH) {
		for (int i = 0; i < NBATCH; i++) {
			c[i] = source_get(source);
			connection_use(c[i]);
		}
		for (int i = 0; i < NBATCH; i++)
			source_put(source, c[i]);
	}
	gbench_set_items(b, b->iterations);
}

#define CASES_OF(name, source)                     \
	static void obj_##name(struct gbench *b)   \
	{                                          \
		obj(b, source);                    \
	}                                          \
	static void batch_##name(struct gbench *b) \
	{                                          \
		batch(b, source);                  \
	}
CASES_OF(ctor, CTOR)
CASES_OF(init, INIT)
CASES_OF(malloc, MALLOC)
CASES_OF(raw, RAW)
CASES_OF(list, LIST)

static struct kmem_cache *plain, *counted[3]; /* 256 bytes */

static void
bulk_kmem(struct gbench *b)
{
	size_t n = (size_t)b->arg[0];
	void *p[NBATCH];

	gbench_loop_batch(b, (int64_t)n) {
		if (!kmem_cache_alloc_bulk(plain, GFP_KERNEL, n, p))
			abort();
		gbench_use(p);
		kmem_cache_free_bulk(plain, n, p);
	}
	gbench_set_items(b, b->iterations);
}

static void
bulk_single(struct gbench *b)
{
	size_t n = (size_t)b->arg[0];
	void *p[NBATCH];

	gbench_loop_batch(b, (int64_t)n) {
		for (size_t i = 0; i < n; i++)
			p[i] = kmem_cache_alloc(plain, GFP_KERNEL);
		gbench_use(p);
		for (size_t i = 0; i < n; i++)
			kmem_cache_free(plain, p[i]);
	}
	gbench_set_items(b, b->iterations);
}

static void
bulk_malloc(struct gbench *b)
{
	size_t n = (size_t)b->arg[0];
	void *p[NBATCH];

	gbench_loop_batch(b, (int64_t)n) {
		for (size_t i = 0; i < n; i++)
			p[i] = malloc(256);
		gbench_use(p);
		for (size_t i = 0; i < n; i++)
			free(p[i]);
	}
	gbench_set_items(b, b->iterations);
}

/* One that is not home's, or home's where that is the only one. */
static int
other_node(void)
{
	int home = numaslab_home_node(), node = numaslab_max_node();

	while (node > 0 && (node == home || !numaslab_node_allowed(node)))
		node--;
	return numaslab_node_allowed(node) ? node : home;
}

static inline __attribute__((always_inline)) void
pair_node(struct gbench *b, int node)
{
	gbench_loop(b) {
		void *p = kmem_cache_alloc_node(plain, GFP_KERNEL, node);

		gbench_use(p);
		kmem_cache_free(plain, p);
	}
}

static void
node_home(struct gbench *b)
{
	pair_node(b, numaslab_home_node());
}

static void
node_far(struct gbench *b)
{
	pair_node(b, other_node());
}

static inline __attribute__((always_inline)) void
pair_knode(struct gbench *b, int node)
{
	gbench_loop(b) {
		void *p = kmalloc_node(256, GFP_KERNEL, node);

		gbench_use(p);
		kfree(p);
	}
}

static void
knode_home(struct gbench *b)
{
	pair_knode(b, numaslab_home_node());
}

static void
knode_far(struct gbench *b)
{
	pair_knode(b, other_node());
}

static inline __attribute__((always_inline)) void
batch_node(struct gbench *b, int node)
{
	void *p[NBATCH];

	gbench_loop_batch(b, NBATCH) {
		for (int i = 0; i < NBATCH; i++)
			p[i] = kmem_cache_alloc_node(plain, GFP_KERNEL, node);
		gbench_use(p);
		for (int i = 0; i < NBATCH; i++)
			kmem_cache_free(plain, p[i]);
	}
	gbench_set_items(b, b->iterations);
}

static void
batch_home(struct gbench *b)
{
	batch_node(b, numaslab_home_node());
}

static void
batch_far(struct gbench *b)
{
	batch_node(b, other_node());
}

static void
node_any(struct gbench *b)
{
	gbench_loop(b) {
		void *p = kmem_cache_alloc(plain, GFP_KERNEL);

		gbench_use(p);
		kmem_cache_free(plain, p);
	}
}

/* Objects that are counted one by one: account, limit, policy. */
static void
pair_of(struct gbench *b, struct kmem_cache *c)
{
	gbench_loop(b) {
		void *p = kmem_cache_alloc(c, GFP_KERNEL);

		gbench_use(p);
		kmem_cache_free(c, p);
	}
}

static void
obj_charged(struct gbench *b)
{
	pair_of(b, counted[0]);
}

static void
obj_limited(struct gbench *b)
{
	pair_of(b, counted[1]);
}

static void
obj_placed(struct gbench *b)
{
	pair_of(b, counted[2]);
}

static void
zalloc_kmem(struct gbench *b)
{
	gbench_loop(b) {
		void *p = kmem_cache_zalloc(plain, GFP_KERNEL);

		gbench_use(p);
		kmem_cache_free(plain, p);
	}
}

static void
zalloc_calloc(struct gbench *b)
{
	gbench_loop(b) {
		void *p = calloc(1, 256);

		gbench_use(p);
		free(p);
	}
}

static void
pair_kmalloc(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];

	gbench_loop(b) {
		void *p = kmalloc(size, GFP_KERNEL);

		gbench_use(p);
		kfree(p);
	}
}

static void
pair_malloc(struct gbench *b)
{
	size_t size = (size_t)b->arg[0];

	gbench_loop(b) {
		void *p = malloc(size);

		gbench_use(p);
		free(p);
	}
}

#define THREADS    .threads = { 1, 2 }
#define BULK_SIZES .args = { GBENCH_LIST("n", 16, 256) }
#define PAIR_SIZES .args = { GBENCH_LIST("size", 64, 1024, 16384) }

static const struct gbench_case cases[] = {
	{ .name = "obj_ctor", .run = obj_ctor, THREADS },
	{ .name = "obj_init", .run = obj_init, THREADS },
	{ .name = "obj_malloc", .run = obj_malloc, THREADS },
	{ .name = "obj_raw", .run = obj_raw, THREADS },
	{ .name = "obj_list", .run = obj_list, THREADS },
	{ .name = "batch_ctor", .run = batch_ctor, THREADS },
	{ .name = "batch_init", .run = batch_init, THREADS },
	{ .name = "batch_malloc", .run = batch_malloc, THREADS },
	{ .name = "batch_raw", .run = batch_raw, THREADS },
	{ .name = "batch_list", .run = batch_list, THREADS },
	{ .name = "bulk_kmem", .run = bulk_kmem, BULK_SIZES },
	{ .name = "bulk_single", .run = bulk_single, BULK_SIZES },
	{ .name = "bulk_malloc", .run = bulk_malloc, BULK_SIZES },
	{ .name = "node_home", .run = node_home },
	{ .name = "node_far", .run = node_far },
	{ .name = "node_any", .run = node_any },
	{ .name = "knode_home", .run = knode_home },
	{ .name = "knode_far", .run = knode_far },
	{ .name = "batch_home", .run = batch_home },
	{ .name = "batch_far", .run = batch_far },
	{ .name = "obj_charged", .run = obj_charged },
	{ .name = "obj_limited", .run = obj_limited },
	{ .name = "obj_placed", .run = obj_placed },
	{ .name = "zalloc_kmem", .run = zalloc_kmem },
	{ .name = "zalloc_calloc", .run = zalloc_calloc },
	{ .name = "kmalloc", .run = pair_kmalloc, PAIR_SIZES },
	{ .name = "malloc", .run = pair_malloc, PAIR_SIZES },
	{ 0 }
};

int
main(int argc, char **argv)
{
	unsigned size = sizeof(struct connection);
	struct kmem_cache_args how[3] = {
		{ .account =
		      numaslab_account_create("bench", SIZE_MAX, NULL, NULL) },
		{ .limit = 1000000 },
		{ .policy = "interleave" },
	};
	int rc;

	cache[CTOR] = kmem_cache_create("bench-ctor", size, 0, SLAB_PANIC,
					connection_init);
	cache[INIT] =
	    kmem_cache_create("bench-init", size, 0, SLAB_PANIC, NULL);
	plain = kmem_cache_create("bench-plain", 256, 0, SLAB_PANIC, NULL);
	for (int i = 0; i < 3; i++) {
		counted[i] =
		    kmem_cache_create("bench-counted", 256, &how[i], 0);
		if (counted[i] == NULL)
			return 1;
	}
	rc = gbench_main(argc, argv, cases);
	for (int i = 0; i < 3; i++)
		kmem_cache_destroy(counted[i]);
	numaslab_account_destroy(how[0].account);
	kmem_cache_destroy(cache[CTOR]);
	kmem_cache_destroy(cache[INIT]);
	kmem_cache_destroy(plain);
	return rc;
}
