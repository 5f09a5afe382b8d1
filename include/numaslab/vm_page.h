/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page requests with the semantics of FreeBSD's vm_page_alloc(9).
 *
 * Names, signatures and meaning are those of FreeBSD's vm/vm_page.h; where
 * FreeBSD's releases differ, the one that tells more is followed.  Flag
 * values are this library's own.  Node numbers are the operating system's.
 *
 * This first layer serves pages without an object (VM_ALLOC_NOOBJ).  A page
 * is owned by who allocated it until vm_page_free; a call on a page that is
 * not allocated, or a violated rule named below, aborts with one line on
 * standard error.  All functions are safe from any thread and never sleep.
 * None changes errno, except that a failed allocation sets it.
 */
#ifndef NUMASLAB_VM_PAGE_H
#define NUMASLAB_VM_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vm_page;
struct vm_object;
typedef struct vm_page *vm_page_t;
typedef struct vm_object *vm_object_t;
typedef uint64_t vm_pindex_t;

/* Exactly one class.  One bit each, so that two can be told from one. */
#define VM_ALLOC_NORMAL     0x0001 /* stops at the low watermark */
#define VM_ALLOC_SYSTEM     0x0002 /* stops at the interrupt watermark */
#define VM_ALLOC_INTERRUPT  0x0004 /* fails only when nothing is left */
#define VM_ALLOC_CLASS_MASK 0x0007

/* Any of these. */
#define VM_ALLOC_ZERO        0x0010 /* prefer a zeroed page; see PG_ZERO */
#define VM_ALLOC_NOOBJ       0x0020 /* no object; required for now */
#define VM_ALLOC_WIRED       0x0040 /* the page is returned wired */
#define VM_ALLOC_NOBUSY      0x0080 /* pages without object never are */
#define VM_ALLOC_IFCACHED    0x0100 /* only if cached: never without object */
#define VM_ALLOC_IFNOTCACHED 0x0200 /* only if not cached: always, then */

/* vm_page_flags() */
#define PG_ZERO    0x0001 /* the page was all zero when it was allocated */
#define PG_MLOCKED 0x0002 /* wired, and the kernel granted mlock(2) */

/* For vm_page_unwire(): the page goes on no queue. */
#define PQ_NONE 255

/*
 * vm_page_alloc - allocate a page.
 * @object: ignored with VM_ALLOC_NOOBJ, which must be given.
 * @pindex: ignored with VM_ALLOC_NOOBJ.
 * @req:    exactly one class, and any flags.
 *
 * The page comes from the calling thread's home node, or when that is at the
 * class's watermark, from the nearest that is not and that the process's
 * policy permits.  Its contents are undefined unless PG_ZERO is set.
 *
 * VM_ALLOC_INTERRUPT waits for no lock and makes no system call for memory,
 * except in the first request of all to a node; a page that is VM_ALLOC_WIRED
 * as well is wired in the books only (PG_MLOCKED clear).
 *
 * Returns the page, or NULL with errno
 *   ENOMEM  every permitted node is at the class's watermark;
 *   EINVAL  not exactly one class, unknown flags, or no VM_ALLOC_NOOBJ;
 *   ENOENT  VM_ALLOC_IFCACHED: a page without object is never cached.
 */
vm_page_t vm_page_alloc(vm_object_t object, vm_pindex_t pindex, int req);

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
 * vm_page_free - free a page, from any thread: it goes back to its node.
 * The page must not be wired.
 */
void vm_page_free(vm_page_t m);

/* vm_page_addr - the page's memory: vm_page_size() bytes, aligned so. */
void *vm_page_addr(vm_page_t m);

/* vm_page_size - the system's page size in bytes. */
size_t vm_page_size(void);

/* vm_page_domain - the node the page is on. */
int vm_page_domain(vm_page_t m);

/* vm_page_flags - the PG_* that are set. */
int vm_page_flags(vm_page_t m);

/* vm_page_wired - is the page wired?  A moment's answer. */
bool vm_page_wired(vm_page_t m);

/*
 * vm_page_wire - add a wiring.
 *
 * A page whose memory is not locked yet is locked now, if the kernel allows
 * (RLIMIT_MEMLOCK); PG_MLOCKED tells.  It is wired in either case.
 */
void vm_page_wire(vm_page_t m);

/*
 * vm_page_unwire - release a wiring; the last one unlocks the memory.
 * @queue: PQ_NONE, since a page without object is on no queue.
 *
 * Returns true when the last wiring was released.  The page must be wired.
 */
bool vm_page_unwire(vm_page_t m, uint8_t queue);

#ifdef __cplusplus
}
#endif
#endif
