/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/grab.c - the requests that may sleep.
 *
 * They try as the others do, and sleep between tries: for a busy page on its
 * busy word (busy.c), for memory on a word that every free changes while
 * somebody waits.  A waiter counts itself before it tries, and a try takes the
 * lock of each node it asks; so a page that is freed after the try is freed by
 * a thread that sees the waiter.  The same goes for pages that come back out of
 * a magazine, or out of somebody's hand (tests/model/wait.pml).  Memory that
 * the pool gets back wakes nobody: a sleep ends after some time in any case.
 * Instead of sleeping a thread makes pages available itself if it can
 * (ns_vm_help).
 */
#include "vm/check.h"

#include <errno.h>
#include <string.h>

#define SLEEP_MS   50u
#define WAIT_FLAGS (VM_ALLOC_WAITOK | VM_ALLOC_WAITFAIL | VM_ALLOC_NOWAIT)
#define GRAB_FLAGS (VM_ALLOC_WAITOK | VM_ALLOC_WAITFAIL | VM_ALLOC_NOCREAT)

uint32_t ns_vm_waiters;
static uint32_t frees; /* [a] changes while somebody waits */

void
ns_vm_wake_waiters(void)
{
	ns_add_relaxed(&frees, 1u);
	ns_os_wake(&frees);
}

/* A free after @seen ends it. */
static void
help_or_sleep(const struct ns_vm_place *place, int req, uint32_t seen)
{
	if ((req & VM_ALLOC_NORECLAIM) != 0 || !ns_vm_help(place))
		ns_os_sleep_on(&frees, seen, SLEEP_MS);
}

/* At most one of the flags that say whether to sleep. */
static bool
wait_flags_are_good(int req)
{
	unsigned wait = (unsigned)req & WAIT_FLAGS;

	return wait == 0 || ns_is_pow2(wait);
}

/* Without an object. */

/* One page, or @run of them: the first. */
static vm_page_t
alloc_noobj(int domain, int req, const struct ns_vm_run *run)
{
	int base =
	    (req & ~(VM_ALLOC_WAITOK | VM_ALLOC_WAITFAIL)) | VM_ALLOC_NOOBJ;

	if (run != NULL)
		return domain < 0
			   ? vm_page_alloc_contig(NULL, 0, base, run->count,
						  run->align, run->boundary)
			   : vm_page_alloc_contig_domain(NULL, 0, domain, base,
							 run->count, run->align,
							 run->boundary);
	return domain < 0 ? vm_page_alloc(NULL, 0, base)
			  : vm_page_alloc_domain(NULL, 0, domain, base);
}

/* @count pages in a row from @m on. */
static void
make_zero(struct vm_page *m, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct vm_page *k = ns_vm_page_of(m->addr + i * ns_page_size);

		if (k->zero)
			continue;
		memset(k->addr, 0, ns_page_size);
		k->zero = 1;
	}
}

static vm_page_t
noobj(int domain, int req, const struct ns_vm_run *run)
{
	bool sleeps = (req & (VM_ALLOC_WAITOK | VM_ALLOC_WAITFAIL)) != 0;
	struct ns_vm_place place = { .slot = NS_NO_SLOT };
	int saved = errno;
	uint32_t seen;
	vm_page_t m;

	if (!wait_flags_are_good(req)) {
		errno = EINVAL;
		return NULL;
	}
	m = alloc_noobj(domain, req, run);
	while (m == NULL && sleeps && errno == ENOMEM) {
		ns_add_relaxed(&ns_vm_waiters, 1u);
		seen = ns_load_relaxed(&frees);
		m = alloc_noobj(domain, req, run);
		if (m == NULL && errno == ENOMEM) {
			place.strict = domain >= 0;
			if (domain >= 0)
				place.slot = ns_topo.slot_of_node[domain];
			help_or_sleep(&place, req, seen);
		}
		ns_sub_relaxed(&ns_vm_waiters, 1u);
		if ((req & VM_ALLOC_WAITFAIL) != 0)
			break;
	}
	if (m == NULL)
		return NULL;
	if ((req & VM_ALLOC_ZERO) != 0)
		make_zero(m, run != NULL ? run->count : 1);
	errno = saved;
	return m;
}

ns_export vm_page_t
vm_page_alloc_noobj(int req)
{
	return noobj(-1, req, NULL);
}

ns_export vm_page_t
vm_page_alloc_noobj_domain(int domain, int req)
{
	if (domain < 0) {
		errno = EINVAL;
		return NULL;
	}
	return noobj(domain, req, NULL);
}

ns_export vm_page_t
vm_page_alloc_noobj_contig(int req, unsigned long npages,
			   unsigned long alignment, unsigned long boundary)
{
	struct ns_vm_run run = { npages, alignment, boundary };

	return noobj(-1, req, &run);
}

ns_export vm_page_t
vm_page_alloc_noobj_contig_domain(int domain, int req, unsigned long npages,
				  unsigned long alignment,
				  unsigned long boundary)
{
	struct ns_vm_run run = { npages, alignment, boundary };

	if (domain < 0) {
		errno = EINVAL;
		return NULL;
	}
	return noobj(domain, req, &run);
}

/* With one. */

static vm_page_t
refuse(int error)
{
	errno = error;
	return NULL;
}

/*
 * A page at @pindex after all; or sleeps for memory for it without the object's
 * lock, and NULL.
 */
static vm_page_t
wait_for_memory(const char *call, vm_object_t object, vm_pindex_t pindex,
		int req)
{
	struct ns_vm_place place = ns_vm_place_in(object, pindex, NS_NO_SLOT);
	uint32_t seen;
	vm_page_t m;

	ns_add_relaxed(&ns_vm_waiters, 1u);
	seen = ns_load_relaxed(&frees);
	m = ns_vm_object_alloc(call, object, pindex, NS_NO_SLOT,
			       req & ~GRAB_FLAGS);
	if (m == NULL) {
		VM_OBJECT_WUNLOCK(object);
		help_or_sleep(&place, req, seen);
	}
	ns_sub_relaxed(&ns_vm_waiters, 1u);
	if (m == NULL)
		ns_vm_wlock(call, object);
	return m;
}

/* NULL with errno EAGAIN: look again. */
static vm_page_t
grab_resident(const char *call, vm_object_t object, vm_page_t m, int req)
{
	bool wants_busy = (req & VM_ALLOC_NOBUSY) == 0;

	if (wants_busy ? ns_vm_busy_try(m, req) : !vm_page_xbusied(m)) {
		if ((req & VM_ALLOC_WIRED) != 0)
			ns_vm_wire(call, m);
		return m;
	}
	if ((req & VM_ALLOC_NOWAIT) != 0)
		return refuse(EBUSY);
	VM_OBJECT_WUNLOCK(object);
	vm_page_busy_sleep(m,
			   wants_busy ? req & VM_ALLOC_SBUSY : VM_ALLOC_SBUSY);
	ns_vm_wlock(call, object);
	return refuse((req & VM_ALLOC_WAITFAIL) != 0 ? EBUSY : EAGAIN);
}

static vm_page_t
grab_new(const char *call, vm_object_t object, vm_pindex_t pindex, int req)
{
	vm_page_t m;

	if ((req & VM_ALLOC_NOCREAT) != 0)
		return refuse(ENOENT);
	m = ns_vm_object_alloc(call, object, pindex, NS_NO_SLOT,
			       req & ~GRAB_FLAGS);
	if (m == NULL && (errno != ENOMEM || (req & VM_ALLOC_NOWAIT) != 0))
		return NULL;
	if (m == NULL)
		m = wait_for_memory(call, object, pindex, req);
	if (m != NULL && (req & VM_ALLOC_ZERO) != 0 &&
	    (vm_page_flags(m) & (PG_ZERO | PG_VALID)) == 0)
		memset(m->addr, 0, ns_vm_bytes(m));
	if (m != NULL)
		return m;
	return refuse((req & VM_ALLOC_WAITFAIL) != 0 ? ENOMEM : EAGAIN);
}

/* Could @req be asked for a page of the object, there or not? */
static bool
is_good(vm_object_t object, vm_pindex_t pindex, int req)
{
	return wait_flags_are_good(req) && (req & VM_ALLOC_NOOBJ) == 0 &&
	       ns_vm_request_error(object, req & ~GRAB_FLAGS) == 0 &&
	       (object->segment == NULL || (req & VM_ALLOC_NOFREE) == 0) &&
	       pindex < object->size;
}

/* The object is locked. */
static vm_page_t
grab(const char *call, vm_object_t object, vm_pindex_t pindex, int req)
{
	int saved = errno;
	vm_page_t m;

	if (!is_good(object, pindex, req))
		return refuse(EINVAL);
	do {
		m = vm_page_lookup(object, pindex);
		m = m != NULL ? grab_resident(call, object, m, req)
			      : grab_new(call, object, pindex, req);
	} while (m == NULL && errno == EAGAIN);
	if (m != NULL)
		errno = saved;
	return m;
}

ns_export vm_page_t
vm_page_grab(vm_object_t object, vm_pindex_t pindex, int req)
{
	ns_vm_require_object("vm_page_grab", object, NS_VM_OBJ_WLOCKED);
	return grab("vm_page_grab", object, pindex, req);
}

ns_export int
vm_page_grab_pages(vm_object_t object, vm_pindex_t pindex, int req,
		   vm_page_t *ma, int count)
{
	const char *call = "vm_page_grab_pages";
	int n;

	ns_vm_require_object(call, object, NS_VM_OBJ_WLOCKED);
	ns_vm_require_arg(call, ma, "ma");
	for (n = 0; n < count; n++) {
		ma[n] = grab(call, object, pindex + (vm_pindex_t)n, req);
		if (ma[n] == NULL)
			break;
	}
	return n;
}

/* A resident page, busied, if that is to be had without the lock. */
static vm_page_t
busy_resident(vm_object_t object, vm_pindex_t pindex, int req)
{
	vm_page_t m = vm_page_lookup(object, pindex);

	if (m == NULL || !ns_vm_busy_try(m, req))
		return NULL;
	/* Busy, it cannot go any more; it may have gone before. */
	if (ns_likely(ns_vm_is_at(m, object, pindex)))
		return m;
	ns_vm_busy_undo(m, req);
	return NULL;
}

/* For @call: see vm_page_grab_unlocked. */
vm_page_t
ns_vm_grab(const char *call, vm_object_t object, vm_pindex_t pindex, int req)
{
	vm_page_t m = NULL;

	ns_vm_expect_object(call, object, NS_VM_OBJ_UNLOCKED);
	if ((req & VM_ALLOC_NOBUSY) != 0 || !is_good(object, pindex, req))
		return refuse(EINVAL);
	if ((req & VM_ALLOC_WIRED) == 0)
		m = busy_resident(object, pindex, req);
	if (m != NULL)
		return m;
	if ((req & VM_ALLOC_NOCREAT) != 0 &&
	    vm_page_lookup(object, pindex) == NULL)
		return refuse(ENOENT);
	ns_vm_wlock(call, object);
	m = grab(call, object, pindex, req);
	VM_OBJECT_WUNLOCK(object);
	return m;
}

ns_export vm_page_t
vm_page_grab_unlocked(vm_object_t object, vm_pindex_t pindex, int req)
{
	return ns_vm_grab("vm_page_grab_unlocked", object, pindex, req);
}

/* Would a NORMAL request be served?  Of the policy's nodes, one will do. */
static bool
can_be_had(const struct ns_vm_place *place)
{
	vm_page_t m = ns_vm_from(place, VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ, NULL);

	if (m == NULL)
		return false;
	ns_vm_free("vm_wait", m, m->zero != 0);
	ns_vm_freed();
	return true;
}

ns_export void
vm_wait(vm_object_t object)
{
	struct ns_vm_place place = { .slot = NS_NO_SLOT };
	uint32_t seen;

	if (object != NULL)
		ns_vm_require_object("vm_wait", object, NS_VM_OBJ_UNLOCKED);
	ns_vm_expect_no_lock("vm_wait");
	if (ns_vm_init() != 0)
		return;
	if (object != NULL)
		place = ns_vm_place_in(object, 0, NS_NO_SLOT);
	ns_add_relaxed(&ns_vm_waiters, 1u);
	seen = ns_load_relaxed(&frees);
	if (!can_be_had(&place))
		help_or_sleep(&place, 0, seen);
	ns_sub_relaxed(&ns_vm_waiters, 1u);
}
