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
	uint8_t queue;            /* [a] PQ_*; written [q] */
	uint8_t act_count;        /* [a] how active: queue.c */
	char pad[8];
};
_Static_assert(sizeof(struct vm_page) == NS_CACHELINE, "one line each");

/* What vm_page_flags tells of vm_page.flags. */
#define NS_VM_FLAGS   (PG_VALID | PG_DIRTY | PG_REFERENCED)
#define NS_VM_WRITING 0x8000 /* its pager writes it */
#define NS_VM_CHANGED 0x4000 /* and somebody has made it dirty since */

/* Dirty pages of objects without pager: they wait to be clean. */
#define NS_VM_PQ_UNSWAPPABLE 3
#define NS_VM_QUEUES         4
#define NS_VM_ACT_INIT       2 /* see queue.c, 5 */
#define NS_VM_ACT_USED       4 /* added to act_count when referenced */

enum ns_vm_role { NS_VM_CHUNK = 1, NS_VM_META, NS_VM_RECORDS };

/* In the first unit's descriptor of a run that pages are cut from. */
struct ns_vm_chunk {
	uint32_t role;            /* [I] NS_VM_CHUNK */
	uint32_t npages;          /* [I] */
	uint32_t carved;          /* [a] pages that were ever handed out; [v] */
	uint32_t nfree;           /* [v] */
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

struct ns_vm_node {
	struct ns_lock lock;   /* NS_RANK_VM: [v] */
	uint32_t slot;         /* [I] */
	uint32_t intr;         /* [I] interrupt watermark, in pages */
	uint32_t low;          /* [I] low watermark */
	uint32_t keep;         /* [I] above low: see chunk.c */
	uint32_t max_units;    /* [I] of a chunk: an extent, or 1/16 node */
	uint32_t used;         /* [a] set by the first request */
	uint32_t tight;        /* [a] enum ns_vm_tight */
	uint64_t nfree;        /* [v] free pages in chunks */
	uint64_t npages;       /* [v] pages in chunks, all states */
	uint64_t nzeroed;      /* [v] free pages that are zero and not fresh */
	uint64_t zero_want;    /* [v] as many shall be: zero.c */
	uint64_t zero_seen;    /* [v] zero_asked, at zero.c's last visit */
	bool zero_missed;      /* [a] a ZERO request got another since; [v] */
	uint32_t zeroing;      /* [a] pages being zeroed; written [v] */
	struct ns_list dirty;  /* [v] chunks with free pages to use first */
	struct ns_list fresh;  /* [v] chunks with pages known to be zero */
	struct ns_list chunks; /* [v] */
	struct ns_list metas;  /* [v] */
	struct ns_list cached; /* [v] cached pages, the first one first */
	uint64_t ncached;      /* [v] */
	uint64_t reclaimed;    /* [v] cached pages that lost their contents */
	bool stuck;            /* [v] the pool had nothing, when last asked */
	bool behind;           /* [d] see pageout.c */
	struct ns_vm_record *records[NS_VM_KINDS]; /* [v] free ones */
	uint64_t zero_asked;   /* [a] written under [v], as the next */
	uint64_t zero_given;   /* [a] */
	uint64_t zero_made;    /* [v] pages that zero.c zeroed */
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

extern struct ns_vm_node ns_vm_nodes[NS_MAX_SLOTS];

/* Sets everything up, once.  Returns 0 or -ENOMEM. */
int ns_vm_init(void);

/* node.c */
void ns_vm_free_cached(struct ns_vm_node *n, uint64_t goal);
struct vm_page *ns_vm_alloc(struct ns_vm_node *n, int req);
void ns_vm_free(struct vm_page *m, bool zero); /* @zero: it is zero */
/* Pages that were free already go back into their chunks. */
void ns_vm_put_all(struct ns_vm_node *n, struct vm_page **page, unsigned count);

/* One line, and abort: @call was given @m, which broke @rule. */
_Noreturn void ns_vm_die(const char *call, const void *m, const char *rule);

/* The chunk of a page that was handed out; dies if @m is no such thing. */
struct ns_vm_chunk *ns_vm_chunk_of(const char *call, const struct vm_page *m);

/* Debug builds: dies unless @m is somebody's. */
#ifdef NS_DEBUG
void ns_vm_assert_allocated(const char *call, const struct vm_page *m);
#else
#define ns_vm_assert_allocated(call, m) ((void)0)
#endif

/* chunk.c; the node's lock is held, except by ns_vm_grow's caller */
bool ns_vm_grow(struct ns_vm_node *n, bool zero);
struct vm_page *ns_vm_take(struct ns_vm_node *n, bool zero);
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
	vm_pindex_t size;  /* [I] pages */
	unsigned home;     /* [I] slot, or NS_NO_SLOT: the asking thread's */
	uint64_t resident; /* [o] pages, cached ones not counted */
	void *handle;      /* [I] */
	const struct pagerops *pager; /* [I] or NULL */
	uint64_t launder_at; /* [a] ms: not before; in a write: UINT64_MAX */
	uint32_t failures;   /* [a] writes that failed, one after the other */
	struct ns_list link; /* the list of all objects, under its lock */
};
_Static_assert(sizeof(struct vm_object) <= NS_VM_RECORD, "fits");

void ns_vm_objects_lock(void);
void ns_vm_objects_unlock(void);
void ns_vm_objects_fork_child(void);
#ifdef NS_DEBUG
void ns_vm_assert_wlocked(const char *call, vm_object_t object);
void ns_vm_assert_locked(const char *call, vm_object_t object);
#else
#define ns_vm_assert_wlocked(call, object) ((void)(call))
#define ns_vm_assert_locked(call, object)  ((void)0)
#endif

_Noreturn void ns_vm_die_object(const char *call, const void *object,
				const char *rule);

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
vm_object_t ns_vm_assert_leaving(const char *call, struct vm_page *m);
void ns_vm_leave(const char *call, struct vm_page *m);
void ns_vm_drop_cached(vm_object_t object, vm_pindex_t pindex,
		       struct vm_page *m);

/* page.c */
unsigned ns_vm_home(void);
bool ns_vm_is_pager(void);
unsigned ns_vm_slot_of(int domain); /* NS_NO_SLOT: none, or not allowed */
/* A page from @slot only, or nearest to it; NS_NO_SLOT: to the thread. */
struct vm_page *ns_vm_from(unsigned slot, bool strict, int req);
struct vm_page *ns_vm_finish(struct vm_page *m, int req);

/* grab.c: somebody may sleep until a page is free */
void ns_vm_wake_waiters(void);

/* queue.c */
void ns_vm_queue_init(struct ns_vm_node *n);
void ns_vm_queue_move(struct vm_page *m, uint8_t queue, bool head); /* [q] */
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
bool ns_vm_help(unsigned slot, bool strict);
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

/* magazine.c */
struct vm_page *ns_vm_mag_pop(bool zero);
bool ns_vm_mag_push(struct vm_page *m, bool zero);
void ns_vm_mag_fill(struct ns_vm_node *n, bool zero);
void ns_vm_mag_drain(struct ns_vm_node *n);
void ns_vm_mag_slacken(struct ns_vm_node *n);
struct vm_page *ns_vm_mag_rob(const struct ns_vm_node *n);
uint64_t ns_vm_mag_pages(const struct ns_vm_node *n);
uint64_t ns_vm_mag_zero_given(const struct ns_vm_node *n);
void ns_vm_mag_fork_child(void);

/* reserve.c */
bool ns_vm_reserve_ticket(struct ns_vm_node *n);
void ns_vm_reserve_push(struct ns_vm_node *n, struct vm_page *m);
struct vm_page *ns_vm_reserve_pop(struct ns_vm_node *n);
void ns_vm_reserve_fork_child(struct ns_vm_node *n);

/* zero.c */
bool ns_vm_zero_note(struct ns_vm_node *n, const struct vm_page *m);
void ns_vm_zero_wait(struct ns_vm_node *n);
void ns_vm_zero_visit(void);
void ns_vm_zero_if_due(uint64_t *at);

/* wire.c */
void ns_vm_wire_new(struct vm_page *m, bool lock);
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
void ns_vm_stat(unsigned slot, struct ns_vm_stat *st);

/* Are the node's books right?  Dies if not.  Others may go on meanwhile. */
void ns_vm_check(unsigned slot);

/* fork, through ns_fork_vm: all vm locks, in slot order. */
void ns_vm_lock_all(void);
void ns_vm_unlock_all(void);
void ns_vm_fork_child(void);

#endif
