/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/slab.h - slabs, heaps, depots: what the objects of a cache live in.
 *
 * An allocation is satisfied in this order:
 *  1. the home heap's bin for the cache: pop its free list;
 *  2. the bin's current slab: what its owner or others freed meanwhile,
 *     then objects never used yet ("carved" from the slab's memory);
 *  3. another slab of the bin that has free objects;
 *  4. the node's depot for the cache: adopt a slab nobody owns;
 *  5. a new slab from the node's page pool.
 *
 *	thread ---- heap (node 0) -- bin[cache] -- current slab
 *	   |            ^                    \---- slabs with free objects
 *	   |          ns_home (TLS)
 *	    `------ heap (node 1) -- ...
 *
 *	cache ----- depot (node 0) -- slabs with free objects, owned by nobody
 *	   `------- depot (node 1) -- ...
 *
 * Who owns a slab is one atomic word, slab->remote; its protocol is at the
 * top of slab.c.  A full slab is owned by nobody and in no list.
 */
#ifndef NS_SLAB_H
#define NS_SLAB_H

#include "numaslab/kmem.h"
#include "page/page.h"

#define NS_SMALL_MAX	8192u  /* above: slabs of NS_MEDIUM_UNITS */
#define NS_SLAB_MAX	65536u /* above: a run of its own (large.c) */
#define NS_MEDIUM_UNITS 8u
#define NS_DIRECT_MAX	1024u /* sizes up to this use the class map */

/*
 * malloc's size classes: 0 is none; 16 to 128 by 16, then eight a doubling,
 * which wastes at most 12.5 %.
 */
#define NS_NCLASS (1 + 8 + 9 * 8)

/* A heap is one unit: header, then bins to its end. */
#define NS_HEAP_HEADER 1024u
#define NS_MAX_CACHES  ((NS_UNIT - NS_HEAP_HEADER) / sizeof(struct ns_bin))

struct ns_heap;
struct ns_thread;

/* Lives in its first unit's descriptor.  [o] owner thread only. */
struct ns_slab {
	struct ns_heap *owner;	/* [a] written by the owner; others compare */
	void *free;		/* [o] freed by the owner, not in the bin */
	uint64_t inverse;	/* [I] 2^64 / size rounded up: divides by size */
	char *first;		/* [I] object 0, after the color offset */
	uint64_t remote;	/* [a] state, list and count: see slab.c */
	struct kmem_cache *cache; /* [I] */
	uint32_t used;		/* [o] objects allocated or in the bin */
	uint32_t carved;	/* [o] objects that were ever in a free list */
	uint32_t nobj;		/* [I] */
	uint32_t size;		/* [I] distance of objects */
	/* second cache line: slow paths only */
	struct ns_list link;	/* [o] bin's list, or [d] depot's */
	struct ns_depot *depot; /* [a] written under the depot's lock */
};
_Static_assert(sizeof(struct ns_slab) <= NS_UNIT_BODY, "fits a descriptor");
_Static_assert(offsetof(struct ns_slab, link) == 64, "hot fields: one line");

struct ns_bin {
	void *free;		/* [o] the list malloc pops; ns_none: empty */
	struct ns_slab *current; /* [o] whose objects those are */
	struct ns_list slabs;	/* [o] others with free objects; NULL: none */
};

/*
 * One thread's view of one node.  Everything is the owner thread's; its
 * slow paths also hold the lock, so that fork and reapers can.
 */
struct ns_heap {
	const uint32_t *cpu_word; /* [o] rseq's cpu_id, or &cpu: no check */
	uint32_t cpu;		  /* [o] the CPU this heap was chosen for */
	uint32_t slot;		  /* [I] */
	struct ns_thread *thread; /* [I] NULL: ns_heap_none */
	struct ns_lock lock;	  /* NS_RANK_HEAP */
	uint8_t class_map[NS_DIRECT_MAX / 16 + 1]; /* [I] size to class */
	struct ns_list link;	  /* [r] registry's list of spare heaps */
	struct ns_bin bin[] __attribute__((aligned(NS_HEAP_HEADER)));
};
_Static_assert(offsetof(struct ns_heap, bin) == NS_HEAP_HEADER, "header");

/* Per thread: which heaps it has, and what it counted.  [o] unless noted. */
struct ns_thread {
	struct ns_list link; /* [r] the registry's list of all threads */
	int tid;	     /* [I] */
	uint32_t nslots;     /* [I] */
	struct ns_heap *heap[NS_MAX_SLOTS];	  /* [o] by slot, or NULL */
	uint64_t remote_frees[NS_MAX_SLOTS]; /* [a] by the object's slot */
	uint64_t adopted[NS_MAX_SLOTS];	     /* [a] full slabs taken by free */
};

/* A cache's slabs on one node that nobody owns and that have free objects. */
struct ns_depot {
	struct ns_lock lock;   /* NS_RANK_DEPOT */
	uint32_t nslabs;       /* [d] */
	struct ns_list slabs;  /* [d] */
	struct kmem_cache *cache; /* [I] */
	uint32_t slot;	       /* [I] */
	uint32_t next_color;   /* [a] */
	uint64_t total_slabs;  /* [a] of this cache on this node, any state */
} __attribute__((aligned(NS_CACHELINE)));

struct kmem_cache {
	uint32_t id;	   /* [I] index of its bins */
	uint32_t size;	   /* [I] distance of objects */
	uint32_t objsize;  /* [I] what was asked for */
	uint32_t align;	   /* [I] */
	uint32_t link_off; /* [I] where a free object's links are */
	uint32_t nobj;	   /* [I] in a slab */
	uint32_t units;	   /* [I] of a slab */
	uint32_t color_step, ncolors; /* [I] */
	slab_flags_t flags;	      /* [I] */
	uint64_t inverse;	      /* [I] */
	void (*ctor)(void *);	      /* [I] */
	struct ns_depot *depots;      /* [I] by slot */
	struct ns_list link;	      /* [c] the list of all caches */
	char name[32];		      /* [I] */
};

extern __thread struct ns_heap *ns_home ns_tls_model;
extern struct ns_heap ns_heap_none; /* every thread's first home: empty */
extern uint64_t ns_key;		    /* [I] encodes links; random */
extern struct kmem_cache ns_caches[NS_NCLASS];

/* The class of a size from 1 to NS_SLAB_MAX. */
unsigned ns_class_of(size_t size);

/*
 * What the layers above allocate with.  @slot: NS_NO_SLOT means home.
 * All return NULL with errno ENOMEM; a bad pointer aborts.
 */
void *ns_alloc_slow(size_t size); /* out of line: everything but a pop */
void *ns_alloc_on(size_t size, unsigned slot, gfp_t gfp);
void *ns_alloc_zero(size_t size);
void *ns_alloc_aligned(size_t align, size_t size); /* power of two */
void *ns_realloc(void *p, size_t size);		   /* neither NULL nor 0 */
bool ns_resize_in_place(void *p, size_t size);
void ns_free_slow(void *p);
size_t ns_usable_size(const void *p); /* 0 for NULL */
size_t ns_good_size(size_t align, size_t size); /* 0: not possible */

/* Wakes the library up; called by the first slow path.  0 or -ENOMEM. */
int ns_init(void);

/* slab/thread.c */
struct ns_heap *ns_heap_get(unsigned slot); /* own heap there, or NULL */
void ns_thread_exit(void *thread);

/*
 * Figures (slab/stats.c).  Collects with @read, so that the numaslab command
 * reads another process by the same code; in-process @read is a copy.
 */
typedef int (*ns_read_fn)(void *ctx, void *dst, const void *src, size_t n);

/* What a reader from outside starts from: the symbol numaslab_root. */
struct ns_root {
	char magic[8];	     /* "numaslab" */
	uint32_t version;    /* NS_ROOT_VERSION */
	uint32_t root_size;  /* sizeof(struct ns_root) */
	char **base;	     /* &ns_base, and so on: addresses in there */
	size_t *total;
	unsigned *span_shift;
	struct ns_unit **units;
	struct ns_topo *topo;
	struct ns_pool *pools; /* NS_MAX_SLOTS of them */
	struct ns_list *threads; /* the registry's list */
	struct ns_thread *dead;	 /* what exited threads counted */
};
#define NS_ROOT_VERSION 1u

struct ns_node_figures {
	int node;
	uint64_t live, used, retained, committed, span, limit, spilled, purged;
	uint64_t huge, frees, remote_frees, slabs, large_runs;
};

/*
 * Fills at most @max entries; returns the number of nodes, or -errno from
 * @read (-EPROTO: not a numaslab, or another version).
 */
int ns_figures_collect(ns_read_fn read, void *ctx, const struct ns_root *root,
		       struct ns_node_figures *out, unsigned max);
/* This process; never fails once initialised, 0 nodes before. */
unsigned ns_figures(struct ns_node_figures *out, unsigned max);

#endif
