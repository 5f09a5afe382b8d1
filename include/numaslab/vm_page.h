/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page requests with the semantics of FreeBSD's vm_page_alloc(9).
 *
 * Names, signatures and meaning are those of FreeBSD's vm/vm_page.h; where
 * FreeBSD's releases differ, the one that tells more is followed.  Flag
 * values are this library's own, and so are vm_page_addr, _length, _size,
 * _of, _object, _pindex and _flags, which stand for members and macros, and
 * vm_domain_stat and vm_pager_thread, for a sysctl and for curproc ==
 * pageproc.  Node numbers are the operating system's.
 *
 * A page belongs to an object (vm_object.h), at an index, or to who allocated
 * it without one (VM_ALLOC_NOOBJ), until vm_page_free.  A page of an object is
 * used busied: shared to read it, exclusively to change it or what it is.  A
 * violated rule named below aborts with one line on standard error, which has
 * the call, the page or object, and the rule: always where it would corrupt
 * something, else in a debug build.
 *
 * Who has busied a page, in any way, or wired it, or locked its object, in any
 * way, *keeps* it: it stays what and where it is.
 *
 * All functions are safe from any thread.  None sleeps unless it says so, and
 * none changes errno, except that a failed one sets it.  "Locked" means the
 * object's lock, held by the caller for writing.
 */
#ifndef NUMASLAB_VM_PAGE_H
#define NUMASLAB_VM_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaslab/vm_object.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vm_page;
typedef struct vm_page *vm_page_t;

/* Exactly one class.  One bit each, so that two can be told from one. */
#define VM_ALLOC_NORMAL     0x0001 /* stops at the low watermark */
#define VM_ALLOC_SYSTEM     0x0002 /* stops at the interrupt watermark */
#define VM_ALLOC_INTERRUPT  0x0004 /* fails only when nothing is left */
#define VM_ALLOC_CLASS_MASK 0x0007

/* Any of these. */
#define VM_ALLOC_ZERO        0x0010  /* prefer a zeroed page; see PG_ZERO */
#define VM_ALLOC_NOOBJ       0x0020  /* no object */
#define VM_ALLOC_WIRED       0x0040  /* the page is returned wired */
#define VM_ALLOC_NOBUSY      0x0080  /* not busy; without object, never is */
#define VM_ALLOC_IFCACHED    0x0100  /* only if cached */
#define VM_ALLOC_IFNOTCACHED 0x0200  /* only if not cached */
#define VM_ALLOC_SBUSY       0x0400  /* shared, not exclusively busy */
#define VM_ALLOC_NORECLAIM   0x0800  /* no cached page is taken for it */
#define VM_ALLOC_NOWAIT      0x1000  /* do not sleep */
#define VM_ALLOC_WAITOK      0x2000  /* sleep until it can be had */
#define VM_ALLOC_WAITFAIL    0x4000  /* sleep once, and fail then */
#define VM_ALLOC_NOCREAT     0x8000  /* only a page that is there already */
#define VM_ALLOC_NODUMP      0x10000 /* left out of core dumps */
#define VM_ALLOC_NOFREE      0x20000 /* never freed, cached or queued */

/* A hint: @n more pages will be wanted after this one; 2047 is the most. */
#define VM_ALLOC_COUNT(n)    ((int)((n) < 2047 ? (n) : 2047) << 20)
#define VM_ALLOC_COUNT_SHIFT 20
#define VM_ALLOC_COUNT_MASK  0x7ff00000

/* vm_page_flags() */
#define PG_ZERO       0x0001 /* the page was all zero when it was allocated */
#define PG_MLOCKED    0x0002 /* wired, and the kernel granted mlock(2) */
#define PG_VALID      0x0004 /* its contents are the object's */
#define PG_DIRTY      0x0008 /* and newer than what they were read from */
#define PG_REFERENCED 0x0010 /* used since the daemon last looked at it */
#define PG_NOFREE     0x0100 /* allocated with VM_ALLOC_NOFREE */
#define PG_NODUMP     0x0200 /* left out of core dumps, see madvise(2) */

/* The queues of a node's pages, for vm_page_unwire(). */
#define PQ_INACTIVE 0   /* not used for a while: reclaimed, if clean */
#define PQ_ACTIVE   1   /* in use */
#define PQ_LAUNDRY  2   /* not used, and dirty: to be written */
#define PQ_NONE     255 /* no queue: left alone */

/*
 * vm_page_alloc - allocate a page.
 * @object: locked; ignored with VM_ALLOC_NOOBJ.
 * @pindex: below the object's size, with no page yet; ignored likewise.
 * @req:    exactly one class, and flags: not both of NOBUSY and SBUSY, nor
 *          of IFCACHED and IFNOTCACHED; none of WAITOK, WAITFAIL and NOCREAT;
 *          not NOFREE for a contiguous object.
 *
 * A page that is cached at @pindex comes back with its contents (PG_VALID).
 * Else the page comes from the object's node or the calling thread's home, or
 * when that is at the class's watermark, from the nearest that is not and
 * that the process's policy permits; its contents are undefined unless
 * PG_ZERO is set, and it is not valid.  A page of an object is returned
 * exclusively busy unless VM_ALLOC_SBUSY or _NOBUSY says otherwise.
 * VM_ALLOC_NORMAL of a pager's thread counts as VM_ALLOC_SYSTEM.
 *
 * VM_ALLOC_INTERRUPT without object waits for no lock and makes no system
 * call for memory, except in the first request of all to a node; a page that
 * is VM_ALLOC_WIRED as well is wired in the books only (PG_MLOCKED clear).
 * With an object it may wait for, and map, memory for the object's index.
 *
 * Returns the page, or NULL with errno
 *   ENOMEM  every permitted node is at the class's watermark;
 *   EINVAL  not exactly one class, flags as above, no object, or @pindex;
 *   ENOENT  VM_ALLOC_IFCACHED, and no page is cached there;
 *   EEXIST  VM_ALLOC_IFNOTCACHED, and one is; or a page is there that is
 *           not cached (a debug build aborts).
 */
vm_page_t vm_page_alloc(vm_object_t object, vm_pindex_t pindex, int req);

/*
 * vm_page_alloc_after - the same, always with an object.
 * @mpred: NULL, or a page of the object at a lower index: the kernel saves a
 *         search by it.  Here only checked; another page aborts.
 */
vm_page_t vm_page_alloc_after(vm_object_t object, vm_pindex_t pindex, int req,
			      vm_page_t mpred);

/*
 * vm_page_alloc_domain - the same, from one node only, whatever the policy.
 * @domain: a node; FreeBSD's name for it.
 *
 * errno EINVAL also means: no such node, it has no memory, or the process
 * may not use it.
 */
vm_page_t vm_page_alloc_domain(vm_object_t object, vm_pindex_t pindex,
			       int domain, int req);

/*
 * vm_page_alloc_contig, vm_page_alloc_contig_domain - @npages pages at
 * consecutive addresses, for indices of @object from @pindex on.
 * @alignment: of the first page's address in bytes, a power of two.
 * @boundary:  in bytes, a power of two, or 0: the pages do not cross a
 *             multiple of it.
 * @req:       as for vm_page_alloc, without IFCACHED, IFNOTCACHED and NOFREE.
 *
 * All or none.  Each is a page of its own, which is freed alone.  What is
 * cached at these indices is freed; no other cached page is taken.  For a
 * contiguous object the addresses are given: EINVAL if they are not as asked
 * for. INTERRUPT finds only what is free in a row already.
 *
 * Returns the first page (vm_page_of finds the others by their addresses), or
 * NULL with errno as vm_page_alloc or _domain; ENOMEM also means that there are
 * not as many free pages in a row, EEXIST that one of the indices has a page,
 * and EINVAL: @npages is 0, @alignment, or @boundary or shorter than the pages.
 */
vm_page_t vm_page_alloc_contig(vm_object_t object, vm_pindex_t pindex, int req,
			       unsigned long npages, unsigned long alignment,
			       unsigned long boundary);
vm_page_t vm_page_alloc_contig_domain(vm_object_t object, vm_pindex_t pindex,
				      int domain, int req, unsigned long npages,
				      unsigned long alignment,
				      unsigned long boundary);

/*
 * vm_page_alloc_noobj, vm_page_alloc_noobj_domain - a page without object,
 * which VM_ALLOC_ZERO makes zero in any case.
 *
 * With VM_ALLOC_WAITOK they sleep until there is a page, with _WAITFAIL at
 * most once, before they fail; with neither, never.  At most one of _WAITOK,
 * _WAITFAIL and _NOWAIT.  errno as for vm_page_alloc and _domain.
 */
vm_page_t vm_page_alloc_noobj(int req);
vm_page_t vm_page_alloc_noobj_domain(int domain, int req);

/* The same for @npages pages in a row, as vm_page_alloc_contig has them. */
vm_page_t vm_page_alloc_noobj_contig(int req, unsigned long npages,
				     unsigned long alignment,
				     unsigned long boundary);
vm_page_t vm_page_alloc_noobj_contig_domain(int domain, int req,
					    unsigned long npages,
					    unsigned long alignment,
					    unsigned long boundary);

/*
 * vm_page_grab - the page at @pindex, which is made if there is none.
 * @req: as for vm_page_alloc, without VM_ALLOC_NOOBJ; at most one of WAITOK
 *       (which is what happens without them), WAITFAIL and NOWAIT.
 *
 * The object is locked; the lock is dropped while the call sleeps, for the
 * page to be no longer busy or for memory.  VM_ALLOC_ZERO makes a new page
 * zero; valid is for the caller to set.  Returns the page, or NULL with errno
 *   EBUSY   NOWAIT or WAITFAIL: the page was busy;
 *   ENOMEM  NOWAIT or WAITFAIL: there was no memory;
 *   ENOENT  VM_ALLOC_NOCREAT, and there is no page; VM_ALLOC_IFCACHED, and
 *           none is there nor cached;
 *   EEXIST  VM_ALLOC_IFNOTCACHED, and one is cached;
 *   EINVAL  as for vm_page_alloc, whether there is a page or not.
 */
vm_page_t vm_page_grab(vm_object_t object, vm_pindex_t pindex, int req);

/*
 * vm_page_grab_pages - grab @count pages from @pindex on, into @ma.
 *
 * Returns how many were grabbed, in order; if not all, errno is that of the
 * first that was not.  The lock may be dropped between any two.
 */
int vm_page_grab_pages(vm_object_t object, vm_pindex_t pindex, int req,
		       vm_page_t *ma, int count);

/*
 * vm_page_grab_unlocked - the same for an object that the caller has not
 * locked.  A page that is there and free to be busied costs no lock.
 * VM_ALLOC_NOBUSY: EINVAL, since nothing would keep the page.
 */
vm_page_t vm_page_grab_unlocked(vm_object_t object, vm_pindex_t pindex,
				int req);

/*
 * vm_page_lookup - the page at @pindex, or NULL: none, or a cached one.
 *
 * Takes no lock and writes nothing.  Under the object's lock (of either kind)
 * the answer holds as long as the lock.  Without it, the page was there at
 * some moment during the call, and a page that is there all the while is
 * found; the caller busies it and then asks for its object and pindex again,
 * as vm_page_grab_unlocked does.
 */
vm_page_t vm_page_lookup(vm_object_t object, vm_pindex_t pindex);

/*
 * vm_page_find_least - the page of the least index not below @pindex, cached
 * ones left out, or NULL.  The object is locked, reading suffices.
 * vm_page_next, vm_page_prev - the page at the index after or before @m's, or
 * NULL: none, cached, or @m has no object.  As vm_page_lookup.
 */
vm_page_t vm_page_find_least(vm_object_t object, vm_pindex_t pindex);
vm_page_t vm_page_next(vm_page_t m);
vm_page_t vm_page_prev(vm_page_t m);

/*
 * vm_page_insert - put a page without object into one; it is not busy then.
 *
 * The object is locked.  A page cached at @pindex is freed.  Returns 0, or -1
 * with errno EEXIST (a page is there), ENOMEM or EINVAL: @pindex, or the page
 * is not as long as the object's are, or the object is contiguous.
 */
int vm_page_insert(vm_page_t m, vm_object_t object, vm_pindex_t pindex);

/*
 * vm_page_remove - take a page out of its object, which is locked.
 *
 * The page is exclusively busy; afterwards it is the caller's, without
 * object.  Returns true if it is not wired: it may be freed.  A page of a
 * contiguous object aborts.
 */
bool vm_page_remove(vm_page_t m);

/*
 * vm_page_rename - move a page to another index or object.
 *
 * Both objects are locked, the page is exclusively busy and stays so, and is
 * dirty afterwards.  Returns and errno as vm_page_insert.
 */
int vm_page_rename(vm_page_t m, vm_object_t object, vm_pindex_t pindex);

/*
 * vm_page_replace - put @mnew, a page without object, where @mold is.
 *
 * The object is locked and @mold exclusively busy; @mnew is, afterwards.
 * Both are as long, and the object is not contiguous.
 * @mold is freed, unless it is wired: then it is the caller's.  It must not be
 * VM_ALLOC_NOFREE's, unless it is wired.  A reader
 * without the lock finds one of the two at any moment.
 */
void vm_page_replace(vm_page_t mnew, vm_object_t object, vm_pindex_t pindex,
		     vm_page_t mold);

/*
 * vm_page_cache - leave a page to whoever needs one, with its contents.
 *
 * Its object is locked; the page is exclusively busy, not dirty, not wired and
 * not VM_ALLOC_NOFREE's.  It cannot be looked up any more; vm_page_alloc or
 * _grab at its index brings it back, unless it was taken for another request
 * meanwhile: those take the page that was cached first when no free one is
 * left.  A page that is not valid is freed instead.
 */
void vm_page_cache(vm_page_t m);

/*
 * vm_page_free - free a page, from any thread: it goes back to its node.
 *
 * The page must not be wired.  If it has an object, that is locked, and the
 * page exclusively busy.  It is not VM_ALLOC_NOFREE's.
 */
void vm_page_free(vm_page_t m);

/*
 * vm_page_free_zero - the same for a page that is all zero: it is kept for a
 * VM_ALLOC_ZERO request.  A debug build aborts if it is not zero.
 */
void vm_page_free_zero(vm_page_t m);

/* vm_page_addr - the page's memory: vm_page_length() bytes, aligned so. */
void *vm_page_addr(vm_page_t m);

/*
 * vm_page_length - how long the page is: as its object's page size says, or
 * vm_page_size() when it was allocated without one.  vm_page_size - the
 * system's page size.  Both in bytes.
 */
size_t vm_page_length(vm_page_t m);
size_t vm_page_size(void);

/*
 * vm_page_of - the page whose memory @addr lies in; NULL: none that is in use.
 * For any address, without a lock; a moment's answer unless the page is the
 * caller's.  The kernel's PHYS_TO_VM_PAGE.
 */
vm_page_t vm_page_of(const void *addr);

/* vm_page_domain - the node the page is on. */
int vm_page_domain(vm_page_t m);

/*
 * The page's object, NULL without one, and its index there.  Without the
 * object's lock a moment's answer, unless the page is busy.
 */
vm_object_t vm_page_object(vm_page_t m);
vm_pindex_t vm_page_pindex(vm_page_t m);

/*
 * Busy: tryxbusy takes a page exclusively, trysbusy shared with others; both
 * return false if they cannot, and always for a page without object.  xbusy
 * and sbusy abort instead: they are for pages that nobody else can have busied,
 * no reader without the lock nor the page daemon; for others there is
 * vm_page_busy_acquire.  xunbusy and sunbusy end it and may be called by
 * another thread; who ends what is not so aborts.  busy_downgrade makes
 * exclusive shared; busy_tryupgrade makes the only sharer exclusive, or
 * returns false.  xbusied, sbusied and busied (either) are a moment's answer.
 */
bool vm_page_tryxbusy(vm_page_t m);
bool vm_page_trysbusy(vm_page_t m);
void vm_page_xbusy(vm_page_t m);
void vm_page_sbusy(vm_page_t m);
void vm_page_xunbusy(vm_page_t m);
void vm_page_sunbusy(vm_page_t m);
void vm_page_busy_downgrade(vm_page_t m);
bool vm_page_busy_tryupgrade(vm_page_t m);
bool vm_page_xbusied(vm_page_t m);
bool vm_page_sbusied(vm_page_t m);
bool vm_page_busied(vm_page_t m);

/*
 * vm_page_busy_acquire - busy a page, and sleep until that can be done.
 * @req: VM_ALLOC_SBUSY: shared, else exclusively; VM_ALLOC_NOWAIT: do not
 *       sleep; VM_ALLOC_WAITFAIL: sleep once, and fail then; no other.
 *
 * If the caller has locked the page's object for writing, the lock is dropped
 * while the call sleeps; it has not locked it for reading.  Nobody may destroy
 * the object meanwhile, and the caller must not have busied the page.  Returns
 * false if the page was not busied, or is not where it was when the call began:
 * look it up again.
 */
bool vm_page_busy_acquire(vm_page_t m, int req);

/*
 * vm_page_busy_sleep - sleep while the page is busy, at most until that
 * changes once.  @req: VM_ALLOC_SBUSY: only while it is exclusively so; else
 * 0.  The page may be another's afterwards.  The caller has not locked the
 * page's object, which who holds the page may need.
 */
void vm_page_busy_sleep(vm_page_t m, int req);

/*
 * vm_page_valid - the contents are the object's.  vm_page_dirty - and have to
 * be written (it is valid, too).  vm_page_undirty - and have been.  The page
 * is busied by the caller.  One that is written meanwhile stays dirty.
 */
void vm_page_valid(vm_page_t m);
void vm_page_dirty(vm_page_t m);
void vm_page_undirty(vm_page_t m);

/*
 * vm_page_activate, vm_page_deactivate, vm_page_launder - put a page of an
 * object at the end of its node's active, inactive or laundry queue, whatever
 * queue it is in; one that is active already stays where it is.
 *
 * A page is in no queue until one of these is called, and the page daemon
 * takes only pages that are in one: it reclaims clean inactive ones, as
 * vm_page_cache does, and writes those of the laundry by their object's pager.
 * The caller keeps the page, which has an object.  A page that is wired, never
 * freed, or of a contiguous object stays in no queue.
 */
void vm_page_activate(vm_page_t m);
void vm_page_deactivate(vm_page_t m);
void vm_page_launder(vm_page_t m);

/*
 * vm_page_reference - the page was used: the daemon, when it finds it
 * inactive, makes it active instead.  No lock, and a store at most once
 * between two of the daemon's looks.  The caller keeps the page, which has an
 * object.
 */
void vm_page_reference(vm_page_t m);

/*
 * vm_page_advise - what will be done with the page, as madvise(2).
 * @advice: MADV_WILLNEED makes it active; MADV_DONTNEED puts it at the head of
 *          the inactive queue, to go first, or in the laundry if it is dirty;
 *          MADV_FREE makes it clean first, so that changes may be lost; any
 *          other value does nothing.
 *
 * The page is exclusively busied by the caller, or its object locked by it, in
 * any way.
 */
void vm_page_advise(vm_page_t m, int advice);

/* Is it in that queue?  A moment's answer, for a page that is in use. */
bool vm_page_active(vm_page_t m);
bool vm_page_inactive(vm_page_t m);
bool vm_page_in_laundry(vm_page_t m);

/*
 * vm_wait - sleep until a VM_ALLOC_NORMAL request may succeed, at most once.
 * @object: for its pages; NULL: for pages without object.
 *
 * For who was refused by vm_page_alloc.  The caller may hold no object's lock.
 * The thread reclaims clean pages itself if it can; if no page daemon may run
 * (numaslab(7)), it also writes dirty ones, and sleeps as their pager does.
 */
void vm_wait(vm_object_t object);

/*
 * A node's figures: in system pages, the pages of all sizes together, and in
 * events since the process started.
 */
struct vm_domain_stat {
	int domain;
	uint64_t page_count;   /* pages here, free ones too */
	uint64_t free_count;   /* free, in the reserve too */
	uint64_t cache_count;  /* cached */
	uint64_t active_count; /* in the queues */
	uint64_t inactive_count;
	uint64_t laundry_count;      /* those without pager too */
	uint64_t free_min;           /* the low watermark */
	uint64_t interrupt_free_min; /* the interrupt watermark */
	uint64_t free_target;        /* below it the node is short */
	uint64_t denied;             /* requests that found nothing here */
	uint64_t spilled;            /* pages asked of another node */
	uint64_t zero_asked;         /* VM_ALLOC_ZERO requests */
	uint64_t zero_given;         /* that got a page with PG_ZERO */
	uint64_t zeroed;             /* pages zeroed ahead of need */
	uint64_t scanned;            /* looks at inactive pages */
	uint64_t deactivated;        /* active ones not used of late */
	uint64_t reactivated;        /* others that were used */
	uint64_t reclaimed;          /* inactive ones cached or freed */
	uint64_t evicted;            /* cached ones that lost their contents */
	uint64_t laundered;          /* written */
	uint64_t failed;             /* not written, though tried */
	uint64_t spare[6];           /* 0 */
};

/*
 * vm_domain_stat - fill *@st for a node.  Takes locks of the node for a moment.
 * Returns 0, or -1 with errno EINVAL if the node is not served.
 */
int vm_domain_stat(int domain, struct vm_domain_stat *st);

/*
 * vm_pager_thread - mark the calling thread as a pager's, or not: its
 * VM_ALLOC_NORMAL requests count as VM_ALLOC_SYSTEM.  Returns what was.
 */
bool vm_pager_thread(bool on);

/* vm_page_flags - the PG_* that are set. */
int vm_page_flags(vm_page_t m);

/* vm_page_wired - is the page wired?  A moment's answer. */
bool vm_page_wired(vm_page_t m);

/*
 * vm_page_wire - add a wiring.
 *
 * A page whose memory is not locked yet is locked now, if the kernel allows
 * (RLIMIT_MEMLOCK); PG_MLOCKED tells.  It is wired in either case, and leaves
 * its queue.  The caller keeps a page that has an object.
 */
void vm_page_wire(vm_page_t m);

/*
 * vm_page_unwire - release a wiring; the last one unlocks the memory.
 * @queue: where the page goes then: PQ_ACTIVE, PQ_INACTIVE, PQ_LAUNDRY or
 *         PQ_NONE.  With another one than PQ_NONE it must have an object, and
 *         the caller keeps it, as for vm_page_activate.
 *
 * Returns true when the last wiring was released.  The page must be wired.
 */
bool vm_page_unwire(vm_page_t m, uint8_t queue);

#ifdef __cplusplus
}
#endif
#endif
