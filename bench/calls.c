/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/calls.c - the program whose instructions bench/instructions counts.
 *
 *	calls CALLS[-nothing] ROUNDS SIZE BATCH
 *
 * Each round allocates BATCH blocks in count_alloc() and frees them in
 * count_free(), or their likes for other CALLS than malloc and free:
 *
 *	malloc	malloc and free
 *	kmem	kmem_cache_alloc and kmem_cache_free
 *	node	kmem_cache_alloc_node of the home node, and kmem_cache_free
 *	far	the same of another node, if there is one
 *	bulk	kmem_cache_alloc_bulk and _free_bulk, one call a batch
 *
 * A few (4) stay in a thread's cache of any allocator: what is counted is the
 * fast path.  Many (256) show how often slower paths are taken.  With
 * "-nothing" the same loops call a function that is one instruction, its
 * return.  Our own calls are found in the library that is preloaded.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *alloc_fn(size_t size);
typedef void free_fn(void *p);
typedef void *kmem_alloc_fn(void *cache, unsigned flags);
typedef void *node_alloc_fn(void *cache, unsigned flags, int node);
typedef void kmem_free_fn(void *cache, void *p);
typedef int bulk_alloc_fn(void *cache, unsigned flags, size_t n, void **p);
typedef void bulk_free_fn(void *cache, size_t n, void **p);
typedef void *create_fn(const char *name, unsigned size, unsigned align,
			unsigned flags, void (*ctor)(void *));
typedef int node_fn(void);

/* What is called, whichever of them is. */
static union {
	void *p;
	alloc_fn *alloc;
	kmem_alloc_fn *kmem;
	node_alloc_fn *node;
	bulk_alloc_fn *bulk;
} allocate;
static union {
	void *p;
	free_fn *free;
	kmem_free_fn *kmem;
	bulk_free_fn *bulk;
} release;

static void *cache;
static int home, far;

__attribute__((noinline)) static void
count_alloc(alloc_fn *alloc, void **p, size_t size, size_t batch)
{
	for (size_t i = 0; i < batch; i++)
		p[i] = alloc(size);
}

__attribute__((noinline)) static void
count_free(free_fn *dealloc, void **p, size_t batch)
{
	for (size_t i = 0; i < batch; i++)
		dealloc(p[i]);
}

__attribute__((noinline)) static void
count_kmem_alloc(kmem_alloc_fn *alloc, void **p, void *c, size_t batch)
{
	for (size_t i = 0; i < batch; i++)
		p[i] = alloc(c, 0);
}

__attribute__((noinline)) static void
count_node_alloc(node_alloc_fn *alloc, void **p, void *c, int node,
		 size_t batch)
{
	for (size_t i = 0; i < batch; i++)
		p[i] = alloc(c, 0, node);
}

__attribute__((noinline)) static void
count_kmem_free(kmem_free_fn *dealloc, void **p, void *c, size_t batch)
{
	for (size_t i = 0; i < batch; i++)
		dealloc(c, p[i]);
}

__attribute__((noinline)) static void
count_bulk_alloc(bulk_alloc_fn *alloc, void **p, void *c, size_t batch)
{
	alloc(c, 0, batch, p);
}

__attribute__((noinline)) static void
count_bulk_free(bulk_free_fn *dealloc, void **p, void *c, size_t batch)
{
	dealloc(c, batch, p);
}

/* All kinds of nothing; what they return is not looked at. */
void *nothing_alloc(size_t size);
void nothing_free(void *p);
__asm__(".text\n"
	"nothing_alloc: ret\n"
	"nothing_free: ret\n");

static void *
find(const char *name)
{
	void *p = dlsym(RTLD_DEFAULT, name);

	if (p == NULL) {
		fprintf(stderr, "calls: no %s: preload libnumaslab_malloc\n",
			name);
		exit(2);
	}
	return p;
}

static void
make_cache(unsigned size)
{
	union {
		void *p;
		create_fn *create;
		node_fn *node;
	} f;

	f.p = find("kmem_cache_create");
	cache = f.create("calls", size, 0, 0, NULL);
	f.p = find("numaslab_home_node");
	home = f.node();
	f.p = find("numaslab_max_node");
	far = f.node();
	if (far == home && home != 0)
		far--;
}

static void
run(char kind, void **p, size_t size, size_t batch)
{
	if (kind == 'm')
		count_alloc(allocate.alloc, p, size, batch);
	else if (kind == 'k')
		count_kmem_alloc(allocate.kmem, p, cache, batch);
	else if (kind == 'n')
		count_node_alloc(allocate.node, p, cache, home, batch);
	else if (kind == 'f')
		count_node_alloc(allocate.node, p, cache, far, batch);
	else
		count_bulk_alloc(allocate.bulk, p, cache, batch);
	if (kind == 'm')
		count_free(release.free, p, batch);
	else if (kind == 'b')
		count_bulk_free(release.bulk, p, cache, batch);
	else
		count_kmem_free(release.kmem, p, cache, batch);
}

static const struct {
	const char *calls, *allocate, *release;
} kinds[] = {
	{ "malloc", "malloc", "free" },
	{ "kmem", "kmem_cache_alloc", "kmem_cache_free" },
	{ "node", "kmem_cache_alloc_node", "kmem_cache_free" },
	{ "far", "kmem_cache_alloc_node", "kmem_cache_free" },
	{ "bulk", "kmem_cache_alloc_bulk", "kmem_cache_free_bulk" },
};

int
main(int argc, char **argv)
{
	const char *nothing = argc == 5 ? strchr(argv[1], '-') : NULL;
	size_t size, batch, kind = 0, n = sizeof(kinds) / sizeof(*kinds);
	long rounds;
	void **p;

	while (argc == 5 && kind < n &&
	       strncmp(argv[1], kinds[kind].calls, strlen(kinds[kind].calls)) !=
		   0)
		kind++;
	if (argc != 5 || kind == n) {
		fprintf(stderr,
			"usage: calls malloc|kmem|node|far|bulk[-nothing] "
			"ROUNDS SIZE BATCH\n");
		return 2;
	}
	rounds = strtol(argv[2], NULL, 10);
	size = strtoul(argv[3], NULL, 10);
	batch = strtoul(argv[4], NULL, 10);
	allocate.alloc = nothing_alloc;
	release.free = nothing_free;
	if (nothing == NULL) {
		allocate.p = find(kinds[kind].allocate);
		release.p = find(kinds[kind].release);
		if (kind != 0)
			make_cache((unsigned)size);
	}
	p = calloc(batch, sizeof(*p));
	for (long r = 0; r < rounds; r++)
		run(kinds[kind].calls[0], p, size, batch);
	free(p);
	return 0;
}
