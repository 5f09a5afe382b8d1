/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/busy.c - busy pages: one holder, or many sharers.
 *
 * 1. Whoever uses a page of an object holds it busy: shared to read it,
 *    exclusively to change what it is (contents, place, residency).  A busy
 *    page stays what and where it is, even without its object's lock.
 * 2. The word: 0 - the page is in no object, or cached, or free, and cannot
 *    be busied; EXCL; or OPEN with the number of sharers above.  With SLEEPS
 *    somebody sleeps until it changes.
 * 3. So who found a page without the object's lock may try to busy it however
 *    old that finding is: on a page out of use it fails, on one that is
 *    another's it is undone as soon as the page has been asked for its object
 *    and index.  The cost: a try of somebody else's may fail meanwhile.
 */
#include "vm/check.h"

#define SLEEPS 1u
#define EXCL   2u
#define OPEN   4u
#define SHARER 8u

static void
wake_if(struct vm_page *m, uint32_t before)
{
	if (ns_unlikely((before & SLEEPS) != 0))
		ns_os_wake(&m->busy);
}

/* A page that nobody can busy yet comes into an object, as the request says. */
void
ns_vm_busy_set(struct vm_page *m, int req)
{
	uint32_t word = (req & VM_ALLOC_NOBUSY) != 0  ? OPEN
			: (req & VM_ALLOC_SBUSY) != 0 ? OPEN + SHARER
						      : EXCL;

	/* Pairs with the acquiring CAS of who busies it next. */
	ns_store_release(&m->busy, word);
}

/* It leaves its object, exclusively busied by the caller. */
void
ns_vm_busy_end(struct vm_page *m)
{
	wake_if(m, ns_xchg_acq_rel(&m->busy, 0u));
}

bool
ns_vm_is_xbusy(const struct vm_page *m)
{
	return (ns_load_relaxed(&m->busy) & EXCL) != 0;
}

static bool
is_shared(const struct vm_page *m)
{
	return ns_load_relaxed(&m->busy) >= OPEN + SHARER;
}

bool
ns_vm_is_busy(const struct vm_page *m)
{
	return ns_vm_is_xbusy(m) || is_shared(m);
}

ns_export bool
vm_page_tryxbusy(vm_page_t m)
{
	uint32_t seen;

	ns_vm_expect("vm_page_tryxbusy", m, NS_VM_ANY);
	seen = ns_load_relaxed(&m->busy);
	while ((seen & ~SLEEPS) == OPEN)
		if (ns_cas_acquire(&m->busy, &seen, EXCL | (seen & SLEEPS)))
			return true;
	return false;
}

ns_export bool
vm_page_trysbusy(vm_page_t m)
{
	uint32_t seen;

	ns_vm_expect("vm_page_trysbusy", m, NS_VM_ANY);
	seen = ns_load_relaxed(&m->busy);
	while ((seen & OPEN) != 0)
		if (ns_cas_acquire(&m->busy, &seen, seen + SHARER))
			return true;
	return false;
}

#define ACQUIRE_FLAGS (VM_ALLOC_SBUSY | VM_ALLOC_NOWAIT | VM_ALLOC_WAITFAIL)

/*
 * Debug builds: the caller, who may sleep, has no flag but @flags, and has not
 * locked the page's object; @drops: for writing it may, for it is dropped.
 */
static void
expect_sleep(const char *call, struct vm_page *m, int req, int flags,
	     bool drops)
{
#ifdef NS_DEBUG
	vm_object_t object;

	ns_vm_require(call, m, NS_VM_ANY);
	if ((req & ~flags) != 0)
		ns_vm_die(call, m, "there is no such flag for it");
	object = ns_load_relaxed(&m->object);
	if (object != NULL && ns_rw_mine(&object->lock) &&
	    !(drops && ns_rw_wowned(&object->lock)))
		ns_vm_die(call, m, "the thread has locked its object");
#else
	(void)call, (void)m, (void)req, (void)flags, (void)drops;
#endif
}

/* While the page is busy, at most until that changes once. */
static void
busy_sleep(struct vm_page *m, int req)
{
	uint32_t seen = ns_load_relaxed(&m->busy), blocks;

	blocks = (req & VM_ALLOC_SBUSY) != 0 ? EXCL : ~(OPEN | SLEEPS);
	while ((seen & blocks) != 0)
		if ((seen & SLEEPS) != 0 ||
		    ns_cas_acquire(&m->busy, &seen, seen | SLEEPS)) {
			ns_os_sleep_on(&m->busy, seen | SLEEPS, UINT64_MAX);
			return;
		}
}

ns_export bool
vm_page_busy_acquire(vm_page_t m, int req)
{
	vm_object_t object;
	vm_pindex_t pindex;
	bool locked;

	expect_sleep("vm_page_busy_acquire", m, req, ACQUIRE_FLAGS, true);
	object = ns_load_relaxed(&m->object);
	pindex = ns_load_relaxed(&m->pindex);
	locked = object != NULL && ns_rw_wowned(&object->lock);
	/* A cached page is where it was, but cannot be busied. */
	while (object != NULL && ns_vm_is_at(m, object, pindex) &&
	       ns_load_relaxed(&m->state) == NS_VM_ALLOCATED) {
		if (ns_vm_busy_try(m, req)) {
			if (ns_likely(ns_vm_is_at(m, object, pindex)))
				return true;
			ns_vm_busy_undo(m, req);
			return false;
		}
		if ((req & VM_ALLOC_NOWAIT) != 0)
			return false;
		if (locked)
			VM_OBJECT_WUNLOCK(object);
		busy_sleep(m, req);
		if (locked)
			VM_OBJECT_WLOCK(object);
		if ((req & VM_ALLOC_WAITFAIL) != 0)
			return false;
	}
	return false;
}

static _Noreturn void
refuse(const char *call, const struct vm_page *m, const char *rule)
{
	ns_vm_require(call, m, NS_VM_IN_USE | NS_VM_PLACED);
	ns_vm_die(call, m, rule);
}

ns_export void
vm_page_xbusy(vm_page_t m)
{
	ns_vm_expect("vm_page_xbusy", m, NS_VM_ANY);
	if (!vm_page_tryxbusy(m))
		refuse("vm_page_xbusy", m, "it is busy");
}

ns_export void
vm_page_sbusy(vm_page_t m)
{
	ns_vm_expect("vm_page_sbusy", m, NS_VM_ANY);
	if (!vm_page_trysbusy(m))
		refuse("vm_page_sbusy", m, "it is exclusively busy");
}

/* Leaves the exclusive state for @word. */
static void
leave_excl(const char *call, struct vm_page *m, uint32_t word)
{
	ns_vm_expect(call, m, NS_VM_XBUSY);
	if (ns_unlikely(!ns_vm_is_xbusy(m)))
		ns_vm_die(call, m, "it is not exclusively busy");
	wake_if(m, ns_xchg_acq_rel(&m->busy, word));
}

ns_export void
vm_page_xunbusy(vm_page_t m)
{
	leave_excl("vm_page_xunbusy", m, OPEN);
}

ns_export void
vm_page_busy_downgrade(vm_page_t m)
{
	leave_excl("vm_page_busy_downgrade", m, OPEN + SHARER);
}

ns_export void
vm_page_sunbusy(vm_page_t m)
{
	uint32_t seen, next;

	ns_vm_expect("vm_page_sunbusy", m, NS_VM_SHARED);
	seen = ns_load_relaxed(&m->busy);
	do {
		if (ns_unlikely(seen < OPEN + SHARER))
			ns_vm_die("vm_page_sunbusy", m, "it is not shared");
		next = seen - SHARER;
		if (next < OPEN + SHARER)
			next &= ~SLEEPS;
	} while (!ns_cas_acq_rel(&m->busy, &seen, next));
	if (next == OPEN)
		wake_if(m, seen);
}

ns_export bool
vm_page_busy_tryupgrade(vm_page_t m)
{
	uint32_t seen;

	ns_vm_expect("vm_page_busy_tryupgrade", m, NS_VM_SHARED);
	seen = ns_load_relaxed(&m->busy);
	if (ns_unlikely(seen < OPEN + SHARER))
		ns_vm_die("vm_page_busy_tryupgrade", m, "it is not shared");
	while ((seen & ~SLEEPS) == OPEN + SHARER)
		if (ns_cas_acq_rel(&m->busy, &seen, EXCL | (seen & SLEEPS)))
			return true;
	return false;
}

ns_export bool
vm_page_xbusied(vm_page_t m)
{
	ns_vm_expect("vm_page_xbusied", m, NS_VM_ANY);
	return ns_vm_is_xbusy(m);
}

ns_export bool
vm_page_sbusied(vm_page_t m)
{
	ns_vm_expect("vm_page_sbusied", m, NS_VM_ANY);
	return is_shared(m);
}

ns_export bool
vm_page_busied(vm_page_t m)
{
	ns_vm_expect("vm_page_busied", m, NS_VM_ANY);
	return ns_vm_is_busy(m);
}

bool
ns_vm_busy_try(struct vm_page *m, int req)
{
	return (req & VM_ALLOC_SBUSY) != 0 ? vm_page_trysbusy(m)
					   : vm_page_tryxbusy(m);
}

/* What a try that succeeded did, undone. */
void
ns_vm_busy_undo(struct vm_page *m, int req)
{
	if ((req & VM_ALLOC_SBUSY) != 0)
		vm_page_sunbusy(m);
	else
		vm_page_xunbusy(m);
}

ns_export void
vm_page_busy_sleep(vm_page_t m, int req)
{
	expect_sleep("vm_page_busy_sleep", m, req, VM_ALLOC_SBUSY, false);
	busy_sleep(m, req);
}
