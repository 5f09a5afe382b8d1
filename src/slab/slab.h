/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/slab.h - slabs, heaps, depots: what the objects of a cache live in.
 *
 * An allocation is satisfied in this order:
 *  1. the home heap's bin for the cache: pop its magazine, an array of free
 *     objects that lie on the heap's node, in whoever's slab;
 *  2. the bin's current slab refills the magazine: its free list, what other
 *     threads freed into it, then objects never used yet ("carved" from the
 *     slab's memory);
 *  3. another slab of the bin that has free objects;
 *  4. the node's depot for the cache: adopt a slab nobody owns, or, for the
 *     first few objects of a bin, leave it there and take only them;
 *  5. a new slab from the node's page pool.
 *
 * A named node's heap of the thread serves it in the same order.
 *
 *	thread ---- heap (node 0) -- bin[cache] -- magazine
 *	   |            ^                   |\---- current slab
 *	   |          ns_home (TLS)          \---- slabs with free objects
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
#include "numaslab/numaslab.h"
#include "numaslab/rcu.h"
#include "page/page.h"
#include "slab/rule.h"

#include <errno.h>

#pragma GCC visibility push(hidden)

#define NS_SLAB_MAX   65536u /* above: a run of its own (large.c) */
#define NS_SLAB_UNITS 8u     /* the longest slab */
#define NS_SLAB_SPAN  (NS_SLAB_UNITS << NS_UNIT_SHIFT)
#define NS_DIRECT_MAX 8192u /* sizes up to this find their bin in a map */
#define NS_GROWING    8192u /* what grows to this may have a run (large.c) */

/* The words of a magazine's array, item 0 included: a unit of its own. */
#define NS_MAGAZINE_MAX (NS_UNIT / 8u)

/*
 * malloc's size classes: 0 is none; 16 to 128 by 16, then eight a doubling,
 * which wastes at most 12.5 %.  Behind them the exact ones: see class.c.
 */
#define NS_NSIZES       (1 + 8 + 9 * 8)
#define NS_NEXACT       8
#define NS_SPREAD_STEP  4096u
#define NS_UNSPREAD_MAX 3584u /* the last class below */
#define NS_NCLASS       (NS_NSIZES + NS_NEXACT)

/* A heap is four units: header and bins, then the magazines' arrays. */
#define NS_HEAP_UNITS  4u
#define NS_HEAP_HEADER 2048u
#define NS_MAX_CACHES  ((NS_UNIT - NS_HEAP_HEADER) / sizeof(struct ns_bin))

struct ns_heap;
struct ns_thread;

/*
 * A slab is its first unit's descriptor.  The first cache line, all that a
 * fast free reads, changes only when objects are carved, and is the same, from
 * bound on, in the descriptors of the slab's other units: so a fast free need
 * not look for the first.  The second line is what slow paths write, and only
 * the first unit's counts.  [h] the owner, holding its heap's lock.
 *
 * bound is of objects that free() may take: 0 for those of kmem_caches, whose
 * marks may be elsewhere; user_bound of those that kmem_cache_free() may.
 */
struct ns_slab {
	uint32_t back; /* as in struct ns_unit */
	uint8_t kind, zero;
	uint16_t slot;
	uint64_t bound; /* [a] of ns_is_object; written with carved */
	uint32_t nunits;
	uint32_t user_bound; /* [a] the same */
	uint64_t inverse;    /* [I] see ns_is_object */
	char *first;         /* [I] object 0, after the color offset */
	uint64_t mark;       /* [I] of a free object; no slab had it before */
	struct kmem_cache *cache; /* [I] */
	uint16_t bin;             /* [I] offset of the cache's bin in a heap */
	uint16_t spare;           /* [I] of size, not the user's */
	uint32_t size;            /* [I] distance of objects */
	/* second cache line */
	uint64_t remote;       /* [a] state, list and count: see slab.c */
	struct ns_heap *owner; /* [a] written by the owner, others compare */
	uint32_t carved;       /* [h] objects that may be in use or free */
	uint32_t parked;       /* [d] pages given back; others look (park.c) */
	uint16_t used;         /* [o] objects not in free: allocated, or in
				  magazines, or freed by others and not
				  collected */
	uint16_t marked;       /* [h] objects that ever were carved; others
				  look */
	uint16_t nobj;         /* [I] */
	uint16_t seen;         /* [a] of park.c */
	union {
		struct {
			void *free;          /* [o] the last freed first */
			struct ns_list link; /* [h] bin's, or [d] depot's */
		};
		struct kmem_rcu_head rcu; /* of a deleted one: rcu.c */
	};
	struct ns_depot *depot; /* [a] written under the depot's lock */
};
_Static_assert(offsetof(struct ns_slab, remote) == NS_CACHELINE, "two lines");
_Static_assert(sizeof(struct ns_slab) <= sizeof(struct ns_unit), "overlays it");
_Static_assert(
    offsetof(struct ns_slab, slot) == offsetof(struct ns_unit, slot) &&
	offsetof(struct ns_slab, bound) == offsetof(struct ns_unit, gate) &&
	offsetof(struct ns_slab, nunits) == offsetof(struct ns_unit, nunits) &&
	offsetof(struct ns_slab, user_bound) == offsetof(struct ns_unit, gate2),
    "the same header");

/* What a cache's objects are: whose frees and magazines may take them. */
enum ns_use {
	NS_USE_MALLOC,  /* free() and kfree() */
	NS_USE_CACHE,   /* kmem_cache_free() */
	NS_USE_SPECIAL, /* neither's fast path, for something is to be done at
			   each call (debug.c): to fast paths the bin is bin 0,
			   which no object is ever in */
};

struct ns_bin {
	void **top;              /* [o] the next object to hand out, or items */
	void **limit;            /* [o] where top is when the array is full, or
				    items: it is closed */
	void **items;            /* [h] the array; items[0] is NULL for ever */
	struct ns_slab *current; /* [h] or NULL */
	struct ns_list slabs;    /* [h] others with free objects */
	uint32_t size : 20;      /* [h] of an object */
	uint32_t lent : 12;      /* [h] objects it had of slabs in depots */
	uint16_t base;  /* [h] word of the heap its array there is at */
	int16_t passes; /* [o] own objects to pass a full magazine by */
	uint16_t words; /* [h] of the array, items[0] included */
	uint16_t seen;  /* [h] objects when the tick came by last */
	uint16_t allow; /* [h] objects frees may leave in it */
	uint16_t batch; /* [h] objects of the last refill, or 0: frees
			   have filled it since; before there is an
			   array, frees seen */
} __attribute__((aligned(NS_CACHELINE)));
_Static_assert(sizeof(struct ns_bin) == NS_CACHELINE, "a line a bin");

/* What idle.c thinks of a heap. */
enum ns_rest { NS_ACTIVE, NS_RESTING, NS_TRIMMED };

/*
 * One thread's view of one node.  [o] the owner thread's, without a lock;
 * [h] under the lock, which the owner takes in every slow path, and fork
 * and reapers once the owner is gone or stopped.
 */
struct ns_heap {
	const uint32_t *cpu_word; /* [o] rseq's cpu_id, or &cpu: no check */
	uint32_t cpu;             /* [o] the CPU this heap was chosen for */
	uint32_t slot;            /* [I] */
	struct ns_window window;  /* [I] of the slot */
	uint64_t frees;           /* [o] frees that took the fast path since
				     home was last set to here, or from here */
	struct ns_thread *thread; /* [I] NULL: ns_heap_none */
	int32_t node;             /* [I] the slot's; of none -1 */
	uint32_t bins_end;        /* [o] where the bins never used begin */
	struct ns_heap *far;      /* [o] the thread's on another node, that it
				     used last from here; or ns_heap_none */
	uint32_t nbins;           /* [o] bins from here on are zero */
	struct ns_lock lock;      /* NS_RANK_HEAP */
	uint32_t ticks;           /* [h] slow paths taken */
	uint32_t seen;            /* [h] of idle.c, when it came by last */
	uint32_t rest;            /* [h] enum ns_rest */
	uint32_t arrays;          /* [h] where the next array can be */
	uint32_t allowed;         /* [h] bytes all its magazines may hold */
	struct ns_hold hold;      /* [h] runs for large blocks */
	uint32_t young;           /* [o] large blocks that are not yet large */
	struct ns_heap *spare;    /* [r] next in the list of spare heaps */
	struct ns_heap *self; /* [a] itself; else the owner shall not enter a
				 slab without a lock: see idle.c */
	uint32_t passing;     /* [a] it is in one */
	uint16_t bin_of[NS_DIRECT_MAX / 16 + 1]; /* [I] size / 16, rounded up,
						    to the offset of a bin */
	struct ns_bin bin[] __attribute__((aligned(NS_HEAP_HEADER)));
};
_Static_assert(offsetof(struct ns_heap, bin) == NS_HEAP_HEADER, "header");

/* A bin is young until that much was lent to it: heap.c, 5. */
#define NS_LENT_BYTES 16384u
#define NS_LENT_MAX   4095u /* that a bin can count */
#define NS_LENT_LARGE 1024u /* objects that are lent one at a time */

/* Where bin @id is in a heap. */
ns_inline uint32_t
ns_bin_offset(uint32_t id)
{
	return (uint32_t)(NS_HEAP_HEADER + id * sizeof(struct ns_bin));
}

/* What one thread has and did on one node. */
struct ns_thread_slot {
	struct ns_heap *heap; /* [o] or NULL */
	/* Without what the heap counts. */
	uint64_t local_frees;  /* [a] objects there, freed when at home there */
	uint64_t remote_frees; /* [a] objects there, freed when at home
				  elsewhere */
};

struct ns_thread {
	struct ns_list link;   /* [r] the registry's list of all threads */
	int tid;               /* [I] */
	uint32_t turn;         /* [o] under interleave */
	struct ns_heap *first; /* [I] the heap that this record lies in */
	uint32_t nslots;       /* [I] */
	uint32_t home;         /* [o] slot of the home heap */
	struct ns_thread_slot slot[]; /* [o] unless noted */
};

/* The first of a thread's heaps on the slots from *@slot on, which moves on. */
ns_inline struct ns_heap *
ns_heap_next(const struct ns_thread *t, unsigned *slot)
{
	struct ns_heap *h = NULL;

	while (t != NULL && h == NULL && *slot < t->nslots)
		h = ns_load_relaxed(&t->slot[(*slot)++].heap);
	return h;
}

/* All heaps of a thread, which may be NULL. */
#define ns_heap_for_each(h, t)      \
	for (unsigned next_##h = 0; \
	     ((h) = ns_heap_next((t), &next_##h)) != NULL;)

/* A cache's slabs on one node that nobody owns and that have free objects. */
struct ns_depot {
	struct ns_lock lock;      /* NS_RANK_DEPOT */
	uint32_t nslabs;          /* [d] */
	struct ns_list slabs;     /* [d] */
	struct kmem_cache *cache; /* [I] */
	uint32_t slot;            /* [I] */
	uint32_t next_color;      /* [a] */
	uint64_t total_slabs; /* [a] of this cache on this node, any state */
	uint64_t
	    spilled; /* [a] objects here that others were asked for, ever */
} __attribute__((aligned(NS_CACHELINE)));

struct kmem_cache {
	uint32_t id;       /* [I] index of its bins */
	uint32_t size;     /* [I] distance of objects */
	uint32_t objsize;  /* [I] what was asked for */
	uint32_t align;    /* [I] */
	uint32_t link_off; /* [I] where a free object's link is */
	uint32_t bin;  /* [c] ns_cache_bin for fast paths, until destroyed; read
			  by  whoever may use it */
	uint32_t use;  /* [I] enum ns_use */
	uint32_t nobj; /* [I] in a slab */
	uint32_t units;    /* [I] of a slab */
	uint32_t magazine; /* [I] words of a full-size array */
	uint32_t start;    /* [I] objects a magazine may hold at first */
	uint32_t color_step, ncolors; /* [I] */
	slab_flags_t flags;           /* [I] */
	uint64_t inverse;             /* [I] */
	void (*ctor)(void *);         /* [I] */
	void (*user_ctor)(void *);    /* [I] the program's */
	uint32_t lead;     /* [I] bytes before a slab's first object */
	uint32_t zone;     /* [I] end of the zone behind an object, or 0 */
	uint32_t track;    /* [I] offset of its two tracks, or 0 */
	uint32_t asked;    /* [I] and of the size a block was asked for */
	uint64_t limit;    /* [I] objects in use at most, or 0 */
	uint64_t taken;    /* [a] objects in use, if there is a limit */
	uint64_t requests; /* [a] under SLAB_FAILSLAB */
	struct numaslab_account *account; /* [I] its own, or NULL */
	struct kmem_cache *root; /* [I] itself, or what it is merged into */
	uint32_t shares;         /* [a] of a root: its names, written under
				    [c]; 0: it is being destroyed */
	uint32_t turn;           /* [a] where interleave is */
	const struct ns_policy *policy; /* [I] its own, or NULL */
	void (*dtor)(void *);           /* [I] or NULL */
	uint32_t settling;           /* [a] threads that run its destructor or
					look at it; written under [c] */
	uint64_t born;               /* [c] its place in the list */
	struct ns_slab *dead;        /* [a] a stack: slab.c, 6 */
	struct kmem_cache *twin;     /* [a] for __GFP_ACCOUNT, or NULL */
	struct kmem_cache *original; /* [I] whose twin it is, or NULL */
	struct kmem_cache_args args; /* [I] it was made with */
	struct ns_depot *depots;     /* [I] by slot */
	struct ns_list link;         /* [c] the list of all caches */
	struct ns_tag tag;           /* [a] until it is destroyed */
	char name[32];               /* [I] */
};

/*
 * A free object: in a free list its link, encoded; in a list or a magazine a
 * mark that tells it is free.
 */
struct ns_free {
	uint64_t link; /* next ^ this ^ ns_key */
	uint64_t mark; /* the slab's mark; 0 in an allocated object */
};

extern __thread struct ns_heap *ns_home ns_tls_model;
extern struct ns_heap ns_heap_none; /* every thread's first home: empty */
extern uint64_t ns_key;             /* [I] random */
extern struct kmem_cache ns_caches[NS_NCLASS];

ns_inline struct ns_free *
ns_free_of(const struct kmem_cache *c, void *obj)
{
	return (struct ns_free *)((char *)obj + c->link_off);
}

/*
 * Copies pointers to where no later ones are, one by one.  They were stored a
 * moment ago, behind stores to objects that are in no cache, and what loads
 * more than one of them at a time waits for all those.
 */
ns_inline void
ns_copy_pointers(void **to, void **from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ns_store_relaxed(&to[i], ns_load_relaxed(&from[i]));
}

ns_inline struct ns_slab *
ns_slab_of(const void *obj)
{
	return (struct ns_slab *)(void *)ns_unit_head(ns_unit_of(obj));
}

/* Where its memory begins, and how much it is. */
ns_inline char *
ns_slab_base(const struct ns_slab *s)
{
	return ns_unit_addr((const struct ns_unit *)(const void *)s);
}

ns_inline size_t
ns_slab_bytes(const struct ns_slab *s)
{
	return (size_t)s->nunits << NS_UNIT_SHIFT;
}

/* Does @obj's page say that it is free? */
ns_inline bool
ns_is_parked(const struct ns_slab *s, const void *obj)
{
	uint32_t pages = ns_load_acquire(&s->parked); /* park.c, 3 */
	size_t at =
	    (size_t)((const char *)obj - ns_slab_base(s)) + s->cache->link_off;

	return ns_unlikely(pages != 0) && (pages >> at / ns_page_size & 1) != 0;
}

/* The class of a size from 1 to NS_SLAB_MAX. */
ns_inline unsigned
ns_class_of(size_t size)
{
	size_t m = size - 1;
	unsigned l;

	if (size <= 128)
		return (unsigned)((size + 15) / 16);
	l = ns_log2_floor(m);
	/* Eight a doubling from 128 on: m >> (l - 3) is 8 to 15. */
	return 8 * l + (unsigned)(m >> (l - 3)) - 55;
}

/* Which object @p lies in; more than there are if it lies in none. */
ns_inline uint32_t
ns_index_of(const struct ns_slab *s, const void *p)
{
	uint32_t off = (uint32_t)((uintptr_t)p - (uintptr_t)s->first);

	/* off / s->size: what rounding inverse up adds is below 1 / size. */
	return (uint32_t)((unsigned __int128)s->inverse * off >> 64);
}

ns_inline bool
ns_is_special(const struct kmem_cache *c)
{
	return c->use == NS_USE_SPECIAL;
}

/* No magazine is ever open: what is free has to be looked at. */
ns_inline bool
ns_is_watched(const struct kmem_cache *c)
{
	return ns_is_special(c) && c->ctor != c->user_ctor;
}

ns_inline bool
ns_bin_has_slabs(const struct ns_bin *bin)
{
	return bin->current != NULL || !ns_list_empty(&bin->slabs);
}

/* Has a thread used so few objects of @c that they shall be lent ones? */
ns_inline bool
ns_bin_is_young(const struct ns_bin *bin, const struct kmem_cache *c)
{
	return (uint32_t)bin->lent * bin->size < NS_LENT_BYTES &&
	       c->ctor == NULL && !ns_is_special(c) && !ns_bin_has_slabs(bin);
}

/* Where its bin is in a heap; a watched one's is never open. */
ns_inline uint32_t
ns_cache_bin(const struct kmem_cache *c)
{
	return ns_bin_offset(ns_is_special(c) ? 0 : c->id);
}

/* Readers may look at a free object, and find it as it was. */
ns_inline bool
ns_is_typesafe(const struct kmem_cache *c)
{
	return (c->flags & SLAB_TYPESAFE_BY_RCU) != 0;
}

/* class.c: size classes and the geometry of slabs. */
extern uint16_t ns_bin_map[NS_DIRECT_MAX / 16 + 1]; /* [I] every heap's copy */
void ns_classes_init(struct ns_depot *depots, unsigned nslots);
unsigned ns_exact_class(unsigned c); /* of a spread one */
/* The class whose objects are aligned to @align and hold @size; 0: none. */
unsigned ns_aligned_class(size_t align, size_t size); /* alloc.c */
unsigned ns_slab_units(unsigned size); /* of a slab, for such a distance */
void ns_cache_name_bin(struct kmem_cache *c, unsigned id);
int ns_cache_setup(struct kmem_cache *c, unsigned size, unsigned objsize,
		   unsigned align, slab_flags_t flags);

/*
 * What the layers above allocate with (alloc.c).  @slot: NS_NO_SLOT means
 * home; ns_alloc_on tries as hard as @gfp says.  All return NULL with errno
 * ENOMEM; a bad pointer aborts, with the name of the program's @call.
 */
void *ns_alloc_mid(size_t size); /* sizes above NS_DIRECT_MAX */
void *ns_alloc_on(size_t size, size_t align, unsigned slot, gfp_t gfp);
void *ns_alloc_zero(size_t size);
void *ns_alloc_aligned(size_t align, size_t size);        /* power of two */
void *ns_realloc(void *p, size_t size, const char *call); /* not NULL, 0 */
void *ns_alloc_growing(size_t size);                      /* realloc's first */
bool ns_resize_in_place(void *p, size_t size, const char *call);
void ns_free_slow(void *p, const char *call);
size_t ns_usable_size(const void *p, const char *call); /* 0 for NULL */
size_t ns_good_size(size_t align, size_t size);         /* 0: not possible */

/*
 * Another of the thread's heaps than home's becomes the one used last, if there
 * is one there (thread.c).
 *
 * ns_heap_named - by node; that heap, or the home heap, or ns_heap_none.
 * ns_heap_turn_to - where @obj is; true: it was not before.
 */
struct ns_heap *ns_heap_named(int node);
bool ns_heap_turn_to(const void *obj);

/* Wakes the library up; called by the first slow path.  0 or -ENOMEM. */
int ns_init(void);
bool ns_is_awake(void);

/* The slot of a node the process may use, or NS_NO_SLOT and errno EINVAL. */
ns_inline unsigned
ns_slot_of_node(int node)
{
	unsigned slot = NS_NO_SLOT;

	if (ns_init() == 0 && node >= 0 && node < NS_MAX_NODES)
		slot = ns_topo.usable[node];
	if (slot == NS_NO_SLOT)
		errno = EINVAL;
	return slot;
}

/*
 * The thread's heap on a named node, if that is the home node or the one that
 * was used last; else ns_heap_none, and ns_heap_named may find it.
 */
ns_inline struct ns_heap *
ns_heap_on(int node)
{
	struct ns_heap *h = ns_home;

	if (node == h->node)
		return h;
	h = h->far;
	return ns_likely(node == h->node) ? h : &ns_heap_none;
}

/*
 * kmalloc.c, for @call:
 *
 * ns_krealloc - krealloc.
 * ns_kfree_sensitive - kfree_sensitive.
 */
void *ns_krealloc(const void *p, size_t size, gfp_t flags, const char *call);
void ns_kfree_sensitive(const void *p, const char *call);

/* large.c: blocks of their own run; @align a power of two. */
void *ns_large_alloc(size_t size, size_t align, unsigned slot, gfp_t gfp);
void *ns_large_alloc_growing(size_t size); /* or NULL: a slab shall do */
void ns_large_free(struct ns_unit *u, void *p, const char *call);
size_t ns_large_size(struct ns_unit *u);
bool ns_large_resize(struct ns_unit *u, size_t size);
void ns_large_charged(void *p, struct numaslab_account *payer);
bool ns_large_move(void *p, void *q); /* to a longer block, and p is freed */

/* magazine.c: the slow paths of the objects' way in and out of a heap. */
void *ns_cache_alloc(struct kmem_cache *c, unsigned slot, gfp_t gfp);
void ns_slab_free(void *obj, const char *call);
void ns_bin_reset(struct ns_bin *bin);
struct ns_bin *ns_bin_of(struct ns_heap *h, const struct kmem_cache *c);
void ns_bin_retire(struct ns_heap *h, struct ns_bin *bin);
void ns_magazines_flush(void); /* the calling thread's, all of them */
void ns_check_object(const struct ns_slab *s, const void *obj,
		     const char *call); /* or dies */
_Noreturn void ns_bad_link(const struct kmem_cache *c, const void *obj);

/*
 * heap.c: the slabs of a bin.  The caller holds the heap's lock.
 *
 * ns_heap_take - up to @want free objects, marked as such, to @out, the one to
 * be used first last.  With constructors to run the lock is given up for a
 * while.
 * ns_heap_give - marked objects to their slabs, whoever's those are.  @h may
 * be NULL: the caller has no heap on their node.
 * ns_heap_collect - from others, for an owner that sleeps and is halted.
 * ns_heap_emptied - nothing of @s is in use any more; takes the lock itself.
 */
unsigned ns_heap_take(struct ns_heap *h, struct kmem_cache *c, unsigned flags,
		      void **out, unsigned want);
void ns_heap_give(struct ns_heap *h, void **objs, unsigned n);
void ns_heap_wake(struct ns_heap *h, struct ns_slab *s);
void ns_heap_emptied(struct ns_heap *h, struct ns_slab *s);
bool ns_heap_collect(struct ns_heap *h, unsigned *work, unsigned most);
void ns_heap_reset(struct ns_heap *h, unsigned slot);
void ns_heap_abandon(struct ns_heap *h, const struct kmem_cache *c);

/* Encodes a link, and decodes it. */
ns_inline uintptr_t
ns_link(const void *obj, uintptr_t next)
{
	return (uintptr_t)obj ^ ns_key ^ next;
}

ns_inline void
ns_free_link(const struct kmem_cache *c, void *obj, const void *next)
{
	ns_free_of(c, obj)->link = ns_link(obj, (uintptr_t)next);
}

/*
 * The next object of a free list, or NULL.  A link that leaves the slab was
 * overwritten by somebody who wrote to a free object.
 */
ns_inline void *
ns_free_next(const struct kmem_cache *c, const void *obj)
{
	const struct ns_free *f = ns_free_of(c, (void *)obj);
	uintptr_t next = ns_link(obj, f->link);

	if (ns_unlikely(next - (uintptr_t)obj + NS_SLAB_SPAN >=
			    2 * NS_SLAB_SPAN &&
			next != 0))
		ns_bad_link(c, obj);
	return (void *)next;
}

/* slab.c: the protocol of slab->remote. */
enum ns_push { NS_PUSHED, NS_PUSHED_LAST, NS_WAS_FULL };
struct ns_slab *ns_slab_new(struct kmem_cache *c, unsigned slot,
			    unsigned flags);
void ns_slab_set_carved(struct ns_slab *s, uint32_t carved);
void ns_slab_delete(struct ns_slab *s);
enum ns_push ns_slab_push(struct ns_slab *s, void **objs, unsigned n);
void *ns_slab_collect(struct ns_slab *s, uint32_t *count);
bool ns_slab_let_go_full(struct ns_slab *s);
bool ns_slab_take_full(struct ns_slab *s);
bool ns_slab_full_to_depot(struct ns_slab *s, void **objs, unsigned n);
void ns_slab_own_to_depot(struct ns_slab *s);
bool ns_depot_put(struct ns_depot *d, struct ns_slab *s);
void ns_depot_take(struct ns_depot *d, struct ns_slab *s);
void ns_slab_hide(struct ns_slab *s);
bool ns_depot_adopt_this(struct ns_slab *s);
struct ns_slab *ns_depot_adopt(struct ns_depot *d);
void ns_depot_reap(struct ns_slab *s);
void ns_depot_clean(struct ns_depot *d);
uint32_t ns_slab_pending(const struct ns_slab *s, bool *unowned);
/* The depot of a new cache; its lock outlives caches and is the caller's. */
void ns_depot_init(struct ns_depot *d, struct kmem_cache *c, unsigned slot);

/*
 * What is left to be done for deleted slabs: destructors, and grace periods.
 *
 * ns_slabs_settle - after a call on @c, with no lock held: for all that have
 * been buried.
 * ns_slab_dissolve - for one, whose objects nobody looks at any more.
 */
void ns_slabs_finish(struct kmem_cache *c);
void ns_slab_dissolve(struct ns_slab *s);

ns_inline void
ns_slabs_settle(struct kmem_cache *c)
{
	if (ns_unlikely(ns_load_relaxed(&c->dead) != NULL))
		ns_slabs_finish(c);
}

/* thread.c: the registry of threads. */
extern struct ns_lock ns_registry_lock; /* NS_RANK_REGISTRY: [r] */
extern struct ns_list ns_threads;       /* [r] */
extern struct ns_thread *ns_dead;       /* [r] sums of threads gone */
int ns_registry_init(void);
struct ns_heap *ns_heap_home(void);         /* attaches, follows the CPU */
struct ns_heap *ns_heap_get(unsigned slot); /* own heap there, or NULL */
void ns_count_free(const void *obj);
void ns_registry_adopt_others(void); /* fork's child */
/* What its heaps have of @c, NULL: of all, goes to pools and depots. */
void ns_thread_abandon(struct ns_thread *t, const struct kmem_cache *c);

/* idle.c: what the maintenance thread calls; true: there is more to do. */
bool ns_idle_trim(void);
bool ns_heap_halt(struct ns_heap *h);
void ns_heap_go_on(struct ns_heap *h);
void ns_park_mine(void);

/* park.c: the free pages of slabs in depots. */
bool ns_may_park(const struct ns_slab *s);
bool ns_park(struct ns_slab *s);
void ns_unpark(struct ns_slab *s);
bool ns_park_knock(struct ns_slab *s);
bool ns_depots_park(void); /* true: look again in a while */

/*
 * rcu.c: memory that waits for a grace period.
 *
 * ns_rcu_defer - @s, which was deleted, is dissolved after one.
 * ns_rcu_barrier - until all that were deferred are; or, of blocks given to
 * kfree_rcu, ns_rcu_wait.
 */
bool ns_rcu_is_set(void);
void ns_rcu_defer(struct ns_slab *s);
void ns_rcu_barrier(void);
void ns_rcu_wait(void);

/*
 * cache.c
 *
 * ns_cache_accounted - for __GFP_ACCOUNT: @c, or its twin if somebody is to pay
 * for an object and @c's are not charged; NULL with ENOMEM: none can be made.
 * ns_cache_alloc_flagged - an object, with flags that are more than how hard
 * to try.
 */
void ns_caches_settle(void); /* every destructor's turn; no lock held */
void ns_caches_fork_child(void);
struct kmem_cache *ns_cache_accounted(struct kmem_cache *c);
void *ns_cache_alloc_flagged(struct kmem_cache *c, struct ns_heap *h,
			     unsigned slot, gfp_t flags);

/*
 * object.c
 *
 * ns_cache_free - kmem_cache_free for @call, by its slow path.
 * ns_cache_free_bulk - kmem_cache_free_bulk for @call.
 * ns_cache_check - dies unless @obj is a live object of @c.
 * ns_check_not_free - dies if @p is an object or memory that is free; it may
 * lie within one, or be none of the library's.
 * ns_cache_construct - @n fresh objects from @p on; no lock held.
 */
void ns_cache_free(const struct kmem_cache *c, void *obj, const char *call);
void ns_cache_free_bulk(struct kmem_cache *c, size_t n, void **objs,
			const char *call);
void ns_cache_check(const struct kmem_cache *c, const void *obj,
		    const char *call);
void ns_check_not_free(const void *p, const char *call);
void ns_cache_construct(const struct kmem_cache *c, char *p, unsigned n);

/*
 * merge.c.  ns_cache_merge - makes @alias, laid out as if it was a cache of
 * its own, an alias of one that exists; or NULL.  Caches locked.
 */
bool ns_cache_may_merge(const struct kmem_cache_args *args, slab_flags_t flags);
struct kmem_cache *ns_cache_merge(struct kmem_cache *alias);
extern struct ns_lock ns_caches_lock; /* NS_RANK_CACHES: [c] */
extern struct ns_list ns_cache_list;  /* [c] user caches, as they were made */
extern uint64_t ns_caches_born;       /* [c] so many so far */
void ns_cache_enlist(struct kmem_cache *c);
void ns_walks_leave(struct kmem_cache *c); /* inquire.c */
void ns_depots_each(void (*fn)(struct ns_depot *));

/* fork.c, called at the first wake and by the library's constructor */
void ns_fork_init(void);

/*
 * Figures (slab/stats.c).  Collects with @read, so that the numaslab command
 * reads another process by the same code; in-process @read is a copy.
 */
typedef int (*ns_read_fn)(void *ctx, void *dst, const void *src, size_t n);

/* What a reader from outside starts from: the symbol numaslab_root. */
struct ns_root {
	char magic[8];      /* "numaslab" */
	uint32_t version;   /* NS_ROOT_VERSION */
	uint32_t root_size; /* sizeof(struct ns_root) */
	char **base;        /* &ns_base, and so on: addresses in there */
	size_t *total;
	unsigned *span_shift;
	struct ns_unit **units;
	struct ns_topo *topo;
	struct ns_pool *pools;   /* NS_MAX_SLOTS of them */
	struct ns_list *threads; /* the registry's list */
	struct ns_thread **dead; /* what exited threads counted */
};
#define NS_ROOT_VERSION 3u

/* In bytes; cached is what lies in magazines, which live is without. */
struct ns_node_figures {
	int node;
	uint64_t live, cached, used, retained, committed, span, limit, spilled,
	    purged;
	uint64_t huge, local_frees, remote_frees, slabs, large_runs,
	    reclaimable;
};

/*
 * Fills at most @max entries; returns the number of nodes, or -errno from
 * @read (-EPROTO: not a numaslab, or another version).
 */
int ns_figures_collect(ns_read_fn read, void *ctx, const struct ns_root *root,
		       struct ns_node_figures *out, unsigned max);
/* This process; never fails once initialised, 0 nodes before. */
unsigned ns_figures(struct ns_node_figures *out, unsigned max);
void ns_figures_of(unsigned slot, struct ns_node_figures *out);
/* Of one cache: live, cached and slabs are its own. */
void ns_figures_of_cache(unsigned slot, const struct kmem_cache *c,
			 struct ns_node_figures *out);

#pragma GCC visibility pop
#endif
