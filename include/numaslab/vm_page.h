/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page requests with the semantics of FreeBSD's vm_page_alloc(9).
 *
 * This first layer serves pages without an object (VM_ALLOC_NOOBJ).  Flag
 * values are this library's own.  All functions are safe from any thread;
 * vm_page_alloc and vm_page_alloc_domain never sleep.
 */
#ifndef NUMASLAB_VM_PAGE_H
#define NUMASLAB_VM_PAGE_H

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

/* Exactly one class. */
#define VM_ALLOC_NORMAL	   0x0001 /* stops at the low watermark */
#define VM_ALLOC_SYSTEM	   0x0002 /* may use the system reserve */
#define VM_ALLOC_INTERRUPT 0x0003 /* fails only when nothing is left */
#define VM_ALLOC_CLASS_MASK 0x0003

/* Any of these. */
#define VM_ALLOC_ZERO	0x0010 /* prefer a zeroed page; see PG_ZERO */
#define VM_ALLOC_NOOBJ	0x0020 /* no object; required in this release */
#define VM_ALLOC_WIRED	0x0040 /* wired: locked in memory */
#define VM_ALLOC_NOBUSY 0x0080 /* accepted: NOOBJ pages are not busy */

/* vm_page_flags() */
#define PG_ZERO	   0x0001 /* the page was zeroed when it was allocated */
#define PG_WIRED   0x0002 /* the page is wired */
#define PG_MLOCKED 0x0004 /* ... and the kernel granted mlock(2) */

/* Queues for vm_page_unwire(). */
#define PQ_NONE 255

/*
 * vm_page_alloc - allocate a page.
 * @object: ignored with VM_ALLOC_NOOBJ, which must be given.
 * @pindex: ignored with VM_ALLOC_NOOBJ.
 * @req:    one class, and flags.
 *
 * The page comes from the calling thread's node, or when that is at the
 * class's watermark from the nearest that is not.  Returns the page, owned
 * by the caller until vm_page_free, or NULL with errno ENOMEM (watermark),
 * or EINVAL (no class, unknown flags, no VM_ALLOC_NOOBJ).
 */
vm_page_t vm_page_alloc(vm_object_t object, vm_pindex_t pindex, int req);

/*
 * vm_page_alloc_domain - the same from one node only (a FreeBSD domain is
 * a NUMA node).  EINVAL: no such node or it has no memory.
 */
vm_page_t vm_page_alloc_domain(vm_object_t object, vm_pindex_t pindex,
			       int domain, int req);

/*
 * vm_page_free - free a page.  A wired page must be unwired first; a page
 * that is wired or already free aborts with one line on stderr.
 */
void vm_page_free(vm_page_t m);

/* vm_page_addr - the page's memory: vm_page_size() bytes, aligned so. */
void *vm_page_addr(vm_page_t m);

/* vm_page_size - the system's page size in bytes. */
size_t vm_page_size(void);

/* vm_page_domain - the node the page is on. */
int vm_page_domain(vm_page_t m);

/* vm_page_flags - PG_* of the page, as of its allocation or last change. */
int vm_page_flags(vm_page_t m);

/* vm_page_wire - add a wiring; the page is locked in memory if allowed. */
void vm_page_wire(vm_page_t m);

/*
 * vm_page_unwire - release a wiring.
 * @queue: PQ_NONE (pages without an object are on no queue).
 * Returns 1 when the last wiring was released, else 0.  A page that is not
 * wired aborts with one line on stderr.
 */
int vm_page_unwire(vm_page_t m, uint8_t queue);

#ifdef __cplusplus
}
#endif
#endif
