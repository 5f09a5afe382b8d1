/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects that pages belong to, with the semantics of FreeBSD's vm_object.
 *
 * An object is a table file or a segment of a buffer pool, and its index,
 * vm_pindex_t, counts its blocks from 0; each index has no page, a page, or
 * a cached page (vm_page_cache).  An index costs nothing until it is used.
 *
 * Each object has a lock for many readers or one writer, which the program
 * takes and holds.  A thread that has it must not take it again, and takes
 * the locks of several objects in an order of the program's own.  A
 * thread that calls fork(2) may hold it for writing, not for reading; in the
 * child it is held by no other thread.
 *
 * Names and meaning of the locks are those of FreeBSD's vm/vm_object.h, where
 * vm_object_allocate and _terminate are what is _create and _destroy here; the
 * calls that ask stand for members.  Who
 * breaks a rule named below aborts with one line on standard error; where
 * nothing is corrupted and it would cost something, in a debug build only.
 */
#ifndef NUMASLAB_VM_OBJECT_H
#define NUMASLAB_VM_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vm_object;
struct pagerops; /* vm_pager.h */
typedef struct vm_object *vm_object_t;
typedef uint64_t vm_pindex_t;

#define VM_DOMAIN_HOME (-1) /* each page near the thread that asks for it */

struct vm_object_attr {
	vm_pindex_t size; /* in pages, at least 1 */
	int domain;   /* the node its pages shall be on, or VM_DOMAIN_HOME */
	void *handle; /* the caller's own */
	size_t page_size; /* bytes: a power of two; 0: the system's page */
	bool contiguous;  /* its pages lie in a row, in the order of indices */
	const struct pagerops *pager; /* or NULL: nobody reads or writes it */
	const char *policy; /* one term of numaslab_policy(7), or NULL */
};

/*
 * vm_object_create - a new object, without pages.  Never sleeps; any thread.
 *
 * Pages come from the domain, or when it has none for the request from the
 * nearest node that the process's policy permits.
 * @attr->policy: where pages come from instead, with VM_DOMAIN_HOME.  Under an
 * interleave policy the index decides, so that each is where it was before.  A
 * contiguous object, which is on one node, cannot be interleaved.
 * @attr->page_size: from the system's page to 1 MiB; each page of the object
 * is as long.
 * @attr->contiguous: the page at index i is at vm_object_addr() plus i pages,
 * as long as the object exists.  All are on one node, the domain or the calling
 * thread's home, from which the whole range is taken now; it must be there
 * at once, below the node's limit, though it is in memory only as far as it is
 * used.  Its pages stay in it, free or cached: nobody else gets them, so they
 * are put in no queue.
 *
 * The caller owns the object, until vm_object_destroy, and the pager's
 * operations, which must outlive it.
 * Returns NULL with errno EINVAL (size 0; no such node, or not allowed; page
 * size; policy) or ENOMEM, which 128 different policies in use are as well.
 */
vm_object_t vm_object_create(const struct vm_object_attr *attr);

/*
 * vm_object_destroy - free all its pages, cached ones too, and the object.
 *
 * The caller does not hold its lock, and nobody else uses the object any
 * more, in lookups neither.  Sleeps for pages that are busy still, as those
 * are that the daemon writes.  A page that is wired, or allocated with
 * VM_ALLOC_NOFREE, aborts: vm_page_remove takes it out before.  What is dirty
 * is lost: write it before.
 */
void vm_object_destroy(vm_object_t object);

/*
 * What the object was created with, where a contiguous one begins (NULL:
 * it is not), and the number of its pages now, cached ones not counted (a
 * moment's answer).  Any thread, without a lock.
 */
vm_pindex_t vm_object_size(vm_object_t object);
size_t vm_object_page_size(vm_object_t object); /* bytes */
void *vm_object_handle(vm_object_t object);
void *vm_object_addr(vm_object_t object);
uint64_t vm_object_resident(vm_object_t object);

/*
 * The lock: _WLOCK and _RLOCK sleep until they have it, _TRYWLOCK and
 * _TRYRLOCK return false instead.  _TRYUPGRADE makes the only reader, the
 * calling thread, the writer, or returns false and changes nothing;
 * _LOCK_DOWNGRADE makes the writer a reader.  The thread that locked it unlocks
 * it.  _WOWNED: has the calling thread locked it for writing?
 *
 * Which threads read is known to a debug build only: another one does not see
 * that a reader locks again, and waits, or ends or upgrades another's reading.
 */
void VM_OBJECT_WLOCK(vm_object_t object);
bool VM_OBJECT_TRYWLOCK(vm_object_t object);
void VM_OBJECT_WUNLOCK(vm_object_t object);
void VM_OBJECT_RLOCK(vm_object_t object);
bool VM_OBJECT_TRYRLOCK(vm_object_t object);
void VM_OBJECT_RUNLOCK(vm_object_t object);
bool VM_OBJECT_TRYUPGRADE(vm_object_t object);
void VM_OBJECT_LOCK_DOWNGRADE(vm_object_t object);
bool VM_OBJECT_WOWNED(vm_object_t object);

#ifdef __cplusplus
}
#endif
#endif
