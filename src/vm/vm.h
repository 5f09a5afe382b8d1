/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/vm.h - the inside of the vm layer: pages, chunks and nodes.
 *
 * A page is taken from a node in this order:
 *  0. the CPU's magazine (NORMAL and SYSTEM): a dirty page, or for
 *     VM_ALLOC_ZERO a zero one;
 *  1. the node's chunks: a dirty page, or for VM_ALLOC_ZERO a zeroed or
 *     fresh one, else one of the other kind;
 *  2. a new chunk from the node's page pool (NORMAL and SYSTEM only);
 *  3. the page that was cached first, whose contents are lost;
 *  4. the node's reserve (INTERRUPT only);
 *  and then from the next node in distance order, the same way.
 *
 *	chunk: a run of 1 to 32 units, cut into system pages
 *	|page|page|page|....... never handed out: fresh if zero ......|
 *	0              carved                                    npages
 *	   ^ m->addr
 *	   |
 *	struct vm_page: 64 blocks, one for each of 64 units of chunks,
 *	in a meta run of their own on the same node
 *	|m m m m|m m m m|.......|
 *	   ^ chunk->pages + (addr - chunk's start) / page size
 *
 * The descriptor of a run's first unit holds the struct ns_vm_chunk or the
 * struct ns_vm_meta: page to struct and back is arithmetic and two loads.
 */
#ifndef NS_VM_H
#define NS_VM_H

#include "numaslab/vm_object.h"
#include "numaslab/vm_page.h"
#include "numaslab/vm_pager.h"

#include "base/rwlock.h"
#include "page/page.h"

/*
 * Key: [I] immutable once set up, [a] atomic, [v] the node's lock,
 * [q] the lock of the node's queues, [w] the page's wiring lock (wire.c),
 * [O] only who owns the page, [o] the object's lock, for writing,
 * [d] the leading daemon (daemon.c).
 */

enum ns_vm_state {
	NS_VM_FREE,      /* in its chunk, for anyone */
	NS_VM_SPARE,     /* free, but in a magazine or in somebody's hand */
	NS_VM_RESERVE,   /* in the node's reserve, or on its way there */
	NS_VM_ALLOCATED, /* somebody's */
	NS_VM_CACHED,    /* its object's, and anybody's who needs a page */
};

/* One for each page, out of band.  A line, so that neighbours do not share. */
struct vm_page {
	union {
		struct vm_page *next; /* [v] the chunk's list of dirty pages */
		struct ns_list link;  /* [v] node->cached; [q] a queue */
	};
	struct vm_object *object; /* [a] written [o] and [O]; NULL: none */
	vm_pindex_t pindex;       /* [a] likewise */
	char *addr;               /* [I] */
	uint32_t busy;            /* [a] busy.c */
	uint32_t wire_count;      /* [w] */
	uint16_t lock_epoch;      /* [w] the epoch in which mlock was granted */
	uint16_t flags;           /* [a] NS_VM_FLAGS, _WRITING, _CHANGED */
	uint8_t state;            /* [a] enum ns_vm_state; written [v] or [O] */
	uint8_t zero;             /* [O] was zero when taken; free: is zero */
	uint8_t order;            /* [I] 2^order system pages */
	uint8_t fixed;            /* [I] of a contiguous object, for ever */
	uint8_t nodump;           /* [O] left out of core dumps */
	uint8_t queue;            /* [a] PQ_*; written [q] */
	uint8_t act_count;        /* [a] how active: queue.c */
	char pad[5];
};
_Static_assert(sizeof(struct vm_page) == NS_CACHELINE, "one line each");

/* What vm_page_flags tells of vm_page.flags. */
#define NS_VM_FLAGS   (PG_VALID | PG_DIRTY | PG_REFERENCED | PG_NOFREE)
#define NS_VM_WRITING 0x8000 /* its pager writes it */
#define NS_VM_CHANGED 0x4000 /* and somebody has made it dirty since */
/* PG_VALID and PG_DIRTY as they were before its pager reads it. */
#define NS_VM_WAS      10
#define NS_VM_WAS_MASK ((PG_VALID | PG_DIRTY) << NS_VM_WAS)

/* Dirty pages of objects without pager: they wait to be clean. */
#define NS_VM_PQ_UNSWAPPABLE 3
#define NS_VM_QUEUES         4
#define NS_VM_ACT_INIT       2 /* see queue.c, 5 */
#define NS_VM_ACT_USED       4 /* added to act_count when referenced */

enum ns_vm_role { NS_VM_CHUNK = 1, NS_VM_META, NS_VM_RECORDS };

/*
 * In the first unit's descriptor of a run that pages are cut from, or of a
 * part of one (segment.c).
 */
struct ns_vm_chunk {
	uint8_t role;             /* [I] NS_VM_CHUNK */
	uint8_t order;            /* [I] of its pages */
	bool nodump;              /* [a] a page may be left out of dumps */
	uint32_t npages;          /* [I] */
	uint32_t carved;          /* [a] pages that were ever handed out; [v] */
	uint32_t nfree;           /* [v] */
	uint32_t cpu;             /* [v] CPU + 1 that took some last; 0 */
	struct vm_page *pages;    /* [I] */
	struct vm_page *dirty;    /* [v] freed pages, the last one first */
	struct vm_page *zeroed;   /* [v] those known to be zero, likewise */
	struct ns_list link;      /* [v] node->chunks: all of them */
	struct ns_list free_link; /* [v] node->dirty, or self: not in it */
	struct ns_list fresh_link; /* [v] node->fresh, or self: not in it */
};
_Static_assert(sizeof(struct ns_vm_chunk) <= NS_UNIT_BODY, "fits");

/*
 * In the first unit's descriptor of a run of page structs.  A block is what
 * one unit of 4 KiB pages needs; a map of 64 bits says which are in use.
 * Chunks have a power of two of units and take as many blocks, aligned so.
 */
#define NS_VM_BLOCK       (sizeof(struct vm_page) * (NS_UNIT >> 12))
#define NS_VM_META_BLOCKS 64u
#define NS_VM_META_UNITS  (NS_VM_META_BLOCKS * NS_VM_BLOCK / NS_UNIT)

struct ns_vm_meta {
	uint32_t role;       /* [I] NS_VM_META */
	uint64_t used;       /* [v] a bit a block */
	struct ns_list link; /* [v] node->metas */
};
_Static_assert(sizeof(struct ns_vm_meta) <= NS_UNIT_BODY, "fits");

/*
 * Watermarks.  A cluster is what a writer puts out in one go, FreeBSD's
 * vm_pageout_page_count: 32 pages of 4 KiB.  INTERRUPT keeps one for itself;
 * SYSTEM two more, one being written and one being filled.  On a node with a
 * limit a cluster is at most 1/64 of it, so that the reserves of a small one
 * stay under a twentieth.
 */
#define NS_VM_CLUSTER       (128ul << 10)
#define NS_VM_CLUSTER_SHARE 64u
#define NS_VM_RESERVE_MAX   (NS_VM_CLUSTER >> 12) /* pages of 4 KiB */

/* Pages are a system page long or a power of two of them, up to 1 MiB. */
#define NS_VM_PAGE_MAX (1ul << 20)
#define NS_VM_ORDERS   9u /* with system pages of 4 KiB */

/*
 * Records of one size and one kind for ever: who reads one that was given
 * back still finds a record of the kind.  Runs of them never go back.
 */
#define NS_VM_RECORD 576u /* bytes: a tree node, or an object */

struct ns_vm_record {
	struct ns_vm_record *next; /* [v] in a free list */
};

enum ns_vm_kind { NS_VM_TREE, NS_VM_OBJECT, NS_VM_KINDS };

/* May pages be in magazines: magazine.c, 3 and 5. */
enum ns_vm_tight {
	NS_VM_EASY,      /* yes */
	NS_VM_TIGHT,     /* no: all are needed */
	NS_VM_DRAINED,   /* no, and they are drained since */
	NS_VM_SLACK_NEW, /* no: chunks shall go back; drain them */
	NS_VM_SLACK,     /* no, and they are drained */
};

/* What was done with pages in queues, ever. */
struct ns_vm_work {
	uint64_t scanned;     /* looks at an inactive page */
	uint64_t reactivated; /* inactive or in the laundry, but referenced */
	uint64_t deactivated; /* active, but not referenced */
	uint64_t reclaimed;   /* inactive, and then cached or free */
	uint64_t laundered;   /* written, and clean then */
	uint64_t failed;      /* not written */
};

/*
 * The pages of one size on a node: in what follows, a node.  Nothing but the
 * pool that chunks come from is common to the sizes.
 */
struct ns_vm_node {
	uint32_t slot;      /* [I] */
	uint32_t order;     /* [I] of its pages */
	size_t page_size;   /* [I] bytes */
	uint32_t intr;      /* [I] interrupt watermark, in pages */
	uint32_t low;       /* [I] low watermark */
	uint32_t keep;      /* [I] above low: see chunk.c */
	uint32_t max_units; /* [I] of a chunk: an extent, or 1/16 node */
	uint32_t used;      /* [a] set by the first request */
	uint32_t tight;     /* [a] enum ns_vm_tight */
	bool dry;           /* [a] no page here is known to be zero */
	bool zero_missed;   /* [a] a ZERO request got another since; [v] */
	/* What is above is read for every page, what is below written. */
	struct ns_lock lock __attribute__((aligned(NS_CACHELINE)));
	/* NS_RANK_VM: [v] */
	uint64_t eased;        /* [v] how often tight has become easy */
	uint64_t nfree;        /* [v] free pages in chunks */
	uint64_t npages;       /* [v] pages in chunks, all states */
	uint64_t nzeroed;      /* [v] free pages that are zero and not fresh */
	uint64_t zero_want;    /* [v] as many shall be: zero.c */
	uint64_t zero_seen;    /* [v] zero_asked, at zero.c's last visit */
	uint32_t zeroing;      /* [a] pages being zeroed; written [v] */
	struct ns_list dirty;  /* [v] chunks with free pages to use first */
	struct ns_list fresh;  /* [v] chunks with pages known to be zero */
	struct ns_list chunks; /* [v] */
	struct ns_list metas;  /* [v] */
	struct ns_vm_chunk *nofree; /* [v] pages for VM_ALLOC_NOFREE, or NULL */
	uint64_t nnofree;           /* [v] pages in all such chunks */
	struct ns_list cached;      /* [v] cached pages, the first one first */
	uint64_t ncached;           /* [v] */
	uint64_t reclaimed; /* [v] cached pages that lost their contents */
	bool stuck;         /* [v] the pool had nothing, when last asked */
	bool earned;        /* [v] a magazine may hold more than at first */
	bool behind;        /* [d] see pageout.c */
	struct ns_vm_record *records[NS_VM_KINDS]; /* [v] free ones */
	uint64_t zero_asked;   /* [a] written under [v], as the next */
	uint64_t zero_given;   /* [a] */
	uint64_t zero_made;    /* [a] pages that zero.c zeroed; written [v] */
	uint64_t spilled;      /* [a] pages from here asked of another node */
	uint64_t denied;       /* [a] requests that found nothing here */
	uint64_t from_reserve; /* [a] */
	struct ns_lock qlock;  /* NS_RANK_QUEUE: [q] */
	struct ns_list queue[NS_VM_QUEUES]; /* [q] the page to go first first */
	uint64_t nqueue[NS_VM_QUEUES];      /* [a] their pages; written [q] */
	struct ns_vm_work work;             /* [q] */
	uint32_t nreserve; /* [a] reserve's pages, and tickets for more */
	/* [a] a page or NULL; the first intr are in use */
	struct vm_page *reserve[NS_VM_RESERVE_MAX];
} __attribute__((aligned(NS_CACHELINE)));

/* System pages first: a slot's number is also that of its node of these. */
extern struct ns_vm_node ns_vm_nodes[NS_VM_ORDERS * NS_MAX_SLOTS];

ns_inline struct ns_vm_node *
ns_vm_node(unsigned slot, unsigned order)
{
	return &ns_vm_nodes[order * NS_MAX_SLOTS + slot];
}

/* Whose page it is, or will be again. */
ns_inline struct ns_vm_node *
ns_vm_node_of(const struct vm_page *m)
{
	return ns_vm_node(ns_slot_of(m), m->order);
}

ns_inline size_t
ns_vm_bytes(const struct vm_page *m)
{
	return ns_page_size << m->order;
}

/* The @i-th of all nodes; NULL: there are not so many. */
struct ns_vm_node *ns_vm_nth(unsigned i);
#define ns_vm_for_each(n) \
	for (unsigned i_ = 0; ((n) = ns_vm_nth(i_)) != NULL; i_++)

/* Sets everything up, once.  Returns 0 or -ENOMEM. */
int ns_vm_init(void);

/* Pages at consecutive addresses (contig.c): what is asked for. */
struct ns_vm_run {
	size_t count;    /* pages, at least 1 */
	size_t align;    /* of the first one, in bytes */
	size_t boundary; /* in bytes: none lies within; 0: no matter */
};

/* contig.c: the first of them, all allocated; or NULL */
struct vm_page *ns_vm_alloc_run(struct ns_vm_node *n, int req,
				const struct ns_vm_run *run);
bool ns_vm_run_fits(const struct ns_vm_run *run, uintptr_t addr, size_t size);
int ns_vm_run_error(const struct ns_vm_run *run, size_t size);
/* The page of this memory, or NULL. */
struct vm_page *ns_vm_page_of(const void *addr);

/* segment.c: the memory of contiguous objects */
int ns_vm_segment_create(vm_object_t object, unsigned slot);
void ns_vm_segment_destroy(vm_object_t object);
struct vm_page *ns_vm_segment_take(vm_object_t object, vm_pindex_t pindex);
char *ns_vm_segment_addr(vm_object_t object, vm_pindex_t pindex);

/* May a page be freed whose chunk is known? */
ns_inline bool
ns_vm_may_free(const struct vm_page *m)
{
	return ns_load_relaxed(&m->state) == NS_VM_ALLOCATED &&
	       ns_load_relaxed(&m->wire_count) == 0 &&
	       (ns_load_relaxed(&m->flags) & PG_NOFREE) == 0;
}

/* node.c */
void ns_vm_free_cached(struct ns_vm_node *n, uint64_t goal);
struct vm_page *ns_vm_alloc(struct ns_vm_node *n, int req);
void ns_vm_set_up(struct ns_vm_node *n);     /* if it is not used yet */
void ns_vm_note_tight(struct ns_vm_node *n); /* who changed what it holds */
/* For @call; @zero: it is zero. */
void ns_vm_free(const char *call, struct vm_page *m, bool zero);
/* Pages that were free already go back into their chunks. */
void ns_vm_put_all(struct ns_vm_node *n, struct vm_page **page, unsigned count);

/* check.c: one line, and abort: @call was given @m, which broke @rule. */
_Noreturn void ns_vm_die(const char *call, const void *m, const char *rule);
_Noreturn void ns_vm_die_object(const char *call, const void *object,
				const char *rule);

/* The chunk of a page that was handed out; dies if @m is no such thing. */
struct ns_vm_chunk *ns_vm_chunk_of(const char *call, const struct vm_page *m);

/*
 * chunk.c - without the node's lock: a chunk of the pool's memory for the node,
 * @missing pages if they are to be had.
 */
bool ns_vm_grow(struct ns_vm_node *n, bool zero, size_t missing);
bool ns_vm_grow_nofree(struct ns_vm_node *n);
/* Likewise: the structs of as many units' pages; and back, with the lock. */
struct vm_page *ns_vm_structs(struct ns_vm_node *n, size_t units);
void ns_vm_put_structs(struct ns_vm_node *n, struct vm_page *pages,
		       size_t units);
struct ns_vm_chunk *ns_vm_chunk_init(struct ns_unit *u, struct vm_page *pages,
				     unsigned order, size_t units);
/* With the lock from here on: the chunk's next page; it joins the node. */
struct vm_page *ns_vm_carve(struct ns_vm_chunk *c);
void ns_vm_chunk_add(struct ns_vm_node *n, struct ns_vm_chunk *c);
struct vm_page *ns_vm_take_nofree(struct ns_vm_node *n);
/* @count pages of @c from @first on, free ones, leave it. */
void ns_vm_take_at(struct ns_vm_node *n, struct ns_vm_chunk *c, uint32_t first,
		   uint32_t count);
struct vm_page *ns_vm_take(struct ns_vm_node *n, bool zero);
/* What CPU @cpu takes many of next shall be of a chunk of its own, if any. */
void ns_vm_prefer(struct ns_vm_node *n, bool zero, uint32_t cpu);
/* m->zero tells which list. */
void ns_vm_put(struct ns_vm_node *n, struct ns_vm_chunk *c, struct vm_page *m);
/* A run to give back, once the lock is dropped; NULL: none. */
struct ns_unit *ns_vm_shrink(struct ns_vm_node *n, struct ns_vm_chunk *c);
void ns_vm_give_back(struct ns_unit *u);

/* record.c: NS_VM_RECORD zero bytes, or NULL.  Without the node's lock. */
void *ns_vm_record_get(unsigned slot, enum ns_vm_kind kind);
void ns_vm_record_put(void *record, enum ns_vm_kind kind);

/* busy.c */
void ns_vm_busy_set(struct vm_page *m, int req);
void ns_vm_busy_end(struct vm_page *m);
bool ns_vm_busy_try(struct vm_page *m, int req);
bool ns_vm_is_xbusy(const struct vm_page *m);
bool ns_vm_is_busy(const struct vm_page *m); /* in any way */
void ns_vm_busy_undo(struct vm_page *m, int req);

/*
 * tree.c - an object's pages by their index.  An entry is a page, a cached
 * page, or NULL; only entries that the caller has the right to change are
 * changed: [o], but for ns_vm_tree_steal.
 */
#define NS_VM_TREE_BITS 6u
#define NS_VM_TREE_WAYS (1u << NS_VM_TREE_BITS)

struct ns_vm_tree {
	uintptr_t root;  /* [a] an entry, as in a node */
	unsigned levels; /* [I] */
	unsigned slot;   /* [I] whose records it takes */
};

struct ns_vm_entry {
	struct vm_page *page;
	bool cached;
};

void ns_vm_tree_init(struct ns_vm_tree *t, vm_pindex_t size, unsigned slot);
struct ns_vm_entry ns_vm_tree_get(const struct ns_vm_tree *t, vm_pindex_t at);
bool ns_vm_tree_prepare(struct ns_vm_tree *t, vm_pindex_t at);
void ns_vm_tree_set(struct ns_vm_tree *t, vm_pindex_t at, struct ns_vm_entry e);
void ns_vm_tree_clear(struct ns_vm_tree *t, vm_pindex_t at);
void ns_vm_tree_steal(struct ns_vm_tree *t, vm_pindex_t at);
/* The first entry at @at or after it, and where; its page NULL: none. */
struct ns_vm_entry ns_vm_tree_next(const struct ns_vm_tree *t, vm_pindex_t *at);
void ns_vm_tree_trim(struct ns_vm_tree *t, vm_pindex_t at);
void ns_vm_tree_free(struct ns_vm_tree *t); /* its nodes; no page is left */

/* object.c */
struct vm_object {
	struct ns_rwlock lock;
	struct ns_vm_tree tree;
	vm_pindex_t size; /* [I] pages */
	unsigned home;    /* [I] slot, or NS_NO_SLOT: the asking thread's */
	const struct ns_policy *policy; /* [I] its own, or NULL */
	unsigned order;                 /* [I] of its pages */
	struct ns_unit *segment;        /* [I] contiguous: its run; else NULL */
	struct ns_list parts;           /* [o] contiguous: its chunks */
	uint64_t resident;              /* [o] pages, cached ones not counted */
	void *handle;                   /* [I] */
	const struct pagerops *pager;   /* [I] or NULL */
	uint64_t launder_at; /* [a] ms: not before; in a write: UINT64_MAX */
	uint32_t failures;   /* [a] writes that failed, one after the other */
	struct ns_list link; /* the list of all objects, under its lock */
};
_Static_assert(sizeof(struct vm_object) <= NS_VM_RECORD, "fits");

void ns_vm_objects_lock(void);
void ns_vm_objects_unlock(void);
void ns_vm_objects_fork_child(void);
/* The lock, which @call may not have already. */
void ns_vm_wlock(const char *call, vm_object_t object);
void ns_vm_rlock(const char *call, vm_object_t object);

/* Is the page there, or was it when it was cached? */
ns_inline bool
ns_vm_is_at(const struct vm_page *m, vm_object_t object, vm_pindex_t pindex)
{
	return ns_load_relaxed(&m->object) == object &&
	       ns_load_relaxed(&m->pindex) == pindex;
}

/* resident.c */
vm_page_t ns_vm_object_alloc(const char *call, vm_object_t object,
			     vm_pindex_t pindex, unsigned slot, int req);
vm_page_t ns_vm_object_run(const char *call, vm_object_t object,
			   vm_pindex_t pindex, unsigned slot, int req,
			   const struct ns_vm_run *run);
void ns_vm_leave(const char *call, struct vm_page *m);
void ns_vm_drop_cached(vm_object_t object, vm_pindex_t pindex,
		       struct vm_page *m);

/* page.c; @run: so many pages in a row, or NULL: one */
unsigned ns_vm_home(void);
bool ns_vm_is_pager(void);
unsigned ns_vm_slot_of(int domain); /* NS_NO_SLOT: none, or not allowed */
/* Where a page shall come from. */
struct ns_vm_place {
	unsigned order;                 /* of the page */
	unsigned slot;                  /* NS_NO_SLOT: the thread's home */
	bool strict;                    /* that slot only */
	const struct ns_policy *policy; /* for other slots; or NULL: the
					   process's */
};
struct vm_page *ns_vm_from(const struct ns_vm_place *place, int req,
			   const struct ns_vm_run *run);
/* For a page at @pindex of an object, from @slot or, NS_NO_SLOT, by policy. */
struct ns_vm_place ns_vm_place_in(vm_object_t object, vm_pindex_t pindex,
				  unsigned slot);
/* Where an object with a slot, a policy, or neither has its first page. */
unsigned ns_vm_first_slot(unsigned slot, const struct ns_policy *policy);
/* The slots of a place, in the order to be asked; returns how many. */
unsigned ns_vm_order(const struct ns_vm_place *place, unsigned home,
		     uint8_t order[NS_MAX_SLOTS]);
int ns_vm_request_error(vm_object_t object, int req);
struct vm_page *ns_vm_finish(struct vm_page *m, int req);
void ns_vm_free_page(const char *call, struct vm_page *m, bool zero);
void ns_vm_set_flags(struct vm_page *m, int set, int clear);
void ns_vm_undirty(struct vm_page *m);

/* grab.c */
vm_page_t ns_vm_grab(const char *call, vm_object_t object, vm_pindex_t pindex,
		     int req);
/* Somebody may sleep until a page is free */
extern uint32_t ns_vm_waiters; /* [a] */
void ns_vm_wake_waiters(void);

ns_inline void
ns_vm_freed(void)
{
	if (ns_unlikely(ns_load_relaxed(&ns_vm_waiters) != 0))
		ns_vm_wake_waiters();
}

/* queue.c */
void ns_vm_queue_init(struct ns_vm_node *n);
void ns_vm_queue_move(struct vm_page *m, uint8_t queue, bool head); /* [q] */
void ns_vm_queue_again(struct vm_page *m, uint8_t queue);
void ns_vm_enqueue(const char *call, struct vm_page *m, uint8_t queue,
		   bool head);
void ns_vm_dequeue(struct vm_page *m);

/* Pages of one object, one index after the other, shared busy, to write. */
struct ns_vm_writer {
	uint32_t used;           /* [a] somebody's */
	unsigned n;              /* [O] */
	struct ns_vm_node *node; /* whose laundry they were picked from */
	vm_object_t object;
	struct vm_page *page[NS_VM_RESERVE_MAX];
};

/* pager.c: @w's pages are written, or not, and are its no more. */
bool ns_vm_write(struct ns_vm_writer *w);
bool ns_vm_write_begin(struct vm_page *m);
void ns_vm_write_undo(struct ns_vm_writer *w); /* in a fork's child */

/* pageout.c */
enum ns_vm_verdict {
	NS_VM_DONE,   /* there is nothing to do */
	NS_VM_BEHIND, /* there is, and it cannot be done now */
	NS_VM_WRITE,  /* the pages of the writer are to be written */
};
bool ns_vm_is_short(const struct ns_vm_node *n); /* [v] */
enum ns_vm_verdict ns_vm_pageout(struct ns_vm_node *n, struct ns_vm_writer *w);
unsigned ns_vm_reclaim(struct ns_vm_node *n);
bool ns_vm_pick(struct ns_vm_node *n, struct ns_vm_writer *w, bool hard);

/* daemon.c */
bool ns_vm_daemon_call(bool must);
bool ns_vm_help(const struct ns_vm_place *place);
void ns_vm_daemon_fork_child(void);

/* cache.c */
struct vm_page *ns_vm_steal(struct ns_vm_node *n);
void ns_vm_to_cache(vm_object_t object, struct vm_page *m);
int ns_vm_reactivate(struct vm_page *m, vm_object_t object, vm_pindex_t pindex,
		     int req);
bool ns_vm_uncache(struct vm_page *m, vm_object_t object, vm_pindex_t pindex);

/*
 * What a node shall hold; below it the daemon works.  It is above what opens
 * the magazines by what one of them takes, and by 1/128 of the node's pages.
 */
ns_inline uint64_t
ns_vm_target(const struct ns_vm_node *n)
{
	return n->low + 2 * (uint64_t)n->keep +
	       ns_load_relaxed(&n->npages) / 128;
}

/* The node's watermark for a class. */
ns_inline uint32_t
ns_vm_mark(const struct ns_vm_node *n, int req)
{
	return (req & VM_ALLOC_NORMAL) != 0   ? n->low
	       : (req & VM_ALLOC_SYSTEM) != 0 ? n->intr
					      : 0;
}

/* How many more pages VM_ALLOC_COUNT says are wanted. */
ns_inline uint32_t
ns_vm_count(int req)
{
	return (uint32_t)req >> VM_ALLOC_COUNT_SHIFT;
}

/* magazine.c */
void ns_vm_mag_init(void);
struct vm_page *ns_vm_mag_get(unsigned order, bool zero);
bool ns_vm_mag_put(struct vm_page *m, bool zero);
bool ns_vm_mag_fill(struct ns_vm_node *n, bool zero);
void ns_vm_mag_drain(struct ns_vm_node *n);
void ns_vm_drain_slot(unsigned slot); /* node.c: of all sizes */
void ns_vm_drain(void);               /* and on all nodes */
void ns_vm_mag_retire(struct ns_vm_node *n);
void ns_vm_mag_slacken(struct ns_vm_node *n);
struct vm_page *ns_vm_mag_rob(const struct ns_vm_node *n);
bool ns_vm_mag_idle(void);
uint64_t ns_vm_mag_pages(const struct ns_vm_node *n);
uint64_t ns_vm_mag_zero_given(const struct ns_vm_node *n);
uint64_t ns_vm_mag_zero_missed(const struct ns_vm_node *n);
void ns_vm_mag_fork_child(void);

/* reserve.c */
bool ns_vm_reserve_ticket(struct ns_vm_node *n);
void ns_vm_reserve_push(struct ns_vm_node *n, struct vm_page *m);
struct vm_page *ns_vm_reserve_pop(struct ns_vm_node *n);
void ns_vm_reserve_fork_child(struct ns_vm_node *n);

/* zero.c */
bool ns_vm_zero_note(struct ns_vm_node *n, const struct vm_page *m);
void ns_vm_zero_visit(void);
void ns_vm_zero_if_due(uint64_t *at);

/* wire.c */
void ns_vm_wire_new(struct vm_page *m, bool lock);
void ns_vm_wire(const char *call, struct vm_page *m);
bool ns_vm_unwire(const char *call, struct vm_page *m, uint8_t queue);
bool ns_vm_mlocked(const struct vm_page *m);
void ns_vm_wire_lock_all(void);
void ns_vm_wire_unlock_all(void);
void ns_vm_wire_fork_child(void);

/* What the node can give: pages in chunks and in the reserve.  [v] */
ns_inline uint64_t
ns_vm_held(const struct ns_vm_node *n)
{
	return n->nfree + ns_load_relaxed(&n->nreserve);
}

struct ns_vm_stat {
	uint64_t pages, free, reserve; /* free: without the reserve */
	uint64_t low, interrupt;       /* watermarks, in pages */
	uint64_t target;
	uint64_t cached, reclaimed;
	uint64_t queued[NS_VM_QUEUES];
	struct ns_vm_work work;
	uint64_t zero_asked, zero_given, zero_made, zero_want, zeroed;
	uint64_t spilled, denied, from_reserve;
};
void ns_vm_stat(unsigned node, struct ns_vm_stat *st);

/* books.c: are they right?  Dies if not.  Others may go on meanwhile. */
void ns_vm_check(unsigned node);

/* fork, through ns_fork_vm: all vm locks, in slot order. */
void ns_vm_lock_all(void);
void ns_vm_unlock_all(void);
void ns_vm_fork_child(void);

#endif
