/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/check.h - the rules that the calls of vm_page.h have for their callers.
 *
 * A call says in its first line what it asks of a page or an object:
 * ns_vm_require in every build, where something would be corrupted else, and
 * ns_vm_expect in debug builds.  A broken rule is one line with the public
 * call, the page or object and the rule, and the end (check.c).
 */
#ifndef NS_VM_CHECK_H
#define NS_VM_CHECK_H

#include "vm/vm.h"

/* Of a page, checked in this order.  More than ANY: who calls keeps it. */
#define NS_VM_ANY      0x0000u /* a page, whatever it is now */
#define NS_VM_IN_USE   0x0001u /* neither free nor cached */
#define NS_VM_LOOSE    0x0002u /* in no object */
#define NS_VM_PLACED   0x0004u /* in one */
#define NS_VM_WLOCKED  0x0008u /* which the thread has locked for writing */
#define NS_VM_XBUSY    0x0010u
#define NS_VM_BUSY     0x0020u
#define NS_VM_SHARED   0x0040u /* shared busy */
#define NS_VM_KEPT     0x0080u /* busy, wired, or its object locked */
#define NS_VM_OWNED    0x0100u /* exclusively busy, or its object locked */
#define NS_VM_CLEAN    0x0200u
#define NS_VM_UNWIRED  0x0400u
#define NS_VM_FREEABLE 0x0800u /* not VM_ALLOC_NOFREE's */
#define NS_VM_MOVABLE  0x1000u /* not of a contiguous object */

/* May it leave its object? */
#define NS_VM_LEAVING \
	(NS_VM_IN_USE | NS_VM_PLACED | NS_VM_WLOCKED | NS_VM_XBUSY)
/* May it be put in a queue? */
#define NS_VM_QUEUEABLE (NS_VM_IN_USE | NS_VM_PLACED | NS_VM_KEPT)
/* Is it put there, and not left out without a word? */
#define NS_VM_QUEUED (NS_VM_UNWIRED | NS_VM_FREEABLE | NS_VM_MOVABLE)

/* Of an object, by the calling thread; readers are known to debug builds. */
#define NS_VM_OBJ_ANY      0x0u /* an object */
#define NS_VM_OBJ_WLOCKED  0x1u
#define NS_VM_OBJ_RLOCKED  0x2u
#define NS_VM_OBJ_LOCKED   0x4u /* in any way */
#define NS_VM_OBJ_UNLOCKED 0x8u /* in no way */

void ns_vm_require(const char *call, const struct vm_page *m, unsigned rules);
/* The rule that the page breaks, or NULL; it is one for sure. */
const char *ns_vm_broken(const struct vm_page *m, unsigned rules);
void ns_vm_require_object(const char *call, vm_object_t object, unsigned rules);
/* An argument that must not be NULL; @name is its name. */
void ns_vm_require_arg(const char *call, const void *arg, const char *name);

#ifdef NS_DEBUG
#define ns_vm_expect(call, m, rules)        ns_vm_require(call, m, rules)
#define ns_vm_expect_object(call, o, rules) ns_vm_require_object(call, o, rules)
/* The thread has locked no object that it knows of. */
void ns_vm_expect_no_lock(const char *call);
#else
#define ns_vm_expect(call, m, rules)        ((void)(call))
#define ns_vm_expect_object(call, o, rules) ((void)(call))
#define ns_vm_expect_no_lock(call)          ((void)(call))
#endif

#endif
