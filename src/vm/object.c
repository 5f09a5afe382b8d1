/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/object.c - objects: what pages belong to.
 *
 * 1. An object is an index of pages (tree.c) with a lock.  The lock guards
 *    which page is where; what a page is, its holder's busy does (busy.c).
 * 2. The lock is the program's to hold, across its own code, and comes before
 *    all locks of the library.
 * 3. fork() does not take it: who holds it may be waiting for the forking
 *    thread.  Every change of an object is a row of stores of which any
 *    beginning is a whole object, with at most the page in hand lost.  In the
 *    child the lock is free, unless the forking thread has it for writing.
 */
#include "vm/check.h"

#include <errno.h>
#include <string.h>

static struct ns_lock list_lock = NS_LOCK_INIT(NS_RANK_OBJECTS);
static struct ns_list objects = { &objects, &objects };

/* Is it a page's size: 0, or a power of two that is not too small or large? */
static bool
is_page_size(size_t size)
{
	return size == 0 || (ns_is_pow2(size) && size >= ns_page_size &&
			     size <= NS_VM_PAGE_MAX);
}

static bool
is_good(const struct vm_object_attr *attr, unsigned slot)
{
	return (slot != NS_NO_SLOT || attr->domain == VM_DOMAIN_HOME) &&
	       attr->size != 0 && is_page_size(attr->page_size);
}

/* Its policy, or NULL. */
static int
read_policy(const struct vm_object_attr *attr, const struct ns_policy **policy)
{
	int error = 0;

	*policy = NULL;
	if (attr->policy == NULL)
		return 0;
	if (attr->domain != VM_DOMAIN_HOME)
		return -EINVAL;
	error = ns_policy_read(attr->policy, policy);
	if (error == 0 && attr->contiguous &&
	    (*policy)->mode == NS_POLICY_INTERLEAVE)
		return -EINVAL;
	return error;
}

/* @near: where what is taken now is to be. */
static int
set_up(vm_object_t object, const struct vm_object_attr *attr, unsigned slot,
       const struct ns_policy *policy, unsigned near)
{
	int error = 0;

	object->size = attr->size;
	object->home = slot;
	object->policy = policy;
	object->handle = attr->handle;
	object->pager = attr->pager;
	if (attr->page_size != 0)
		object->order = ns_log2_floor(attr->page_size / ns_page_size);
	ns_vm_tree_init(&object->tree, attr->size, near);
	if (attr->contiguous)
		error = ns_vm_segment_create(object, near);
	if (error != 0) {
		memset(object, 0, sizeof(*object));
		ns_vm_record_put(object, NS_VM_OBJECT);
	}
	return error;
}

ns_export vm_object_t
vm_object_create(const struct vm_object_attr *attr)
{
	const struct ns_policy *policy = NULL;
	vm_object_t object = NULL;
	unsigned slot = NS_NO_SLOT, near;
	int error = ns_vm_init();

	ns_vm_require_arg("vm_object_create", attr, "attr");
	if (error == 0) {
		slot = ns_vm_slot_of(attr->domain);
		error =
		    is_good(attr, slot) ? read_policy(attr, &policy) : -EINVAL;
	}
	if (error == 0) {
		near = ns_vm_first_slot(slot, policy);
		object = ns_vm_record_get(near, NS_VM_OBJECT);
		error = object != NULL
			    ? set_up(object, attr, slot, policy, near)
			    : -ENOMEM;
	}
	if (error != 0) {
		errno = -error;
		return NULL;
	}
	ns_lock(&list_lock);
	ns_list_append(&objects, &object->link);
	ns_unlock(&list_lock);
	return object;
}

/* The pages and cached pages go; they must not be wired, nor NOFREE's. */
static void
free_pages(const char *call, vm_object_t object)
{
	struct ns_vm_entry e;
	vm_pindex_t at = 0;

	while ((e = ns_vm_tree_next(&object->tree, &at)).page != NULL) {
		if (e.cached) {
			ns_vm_drop_cached(object, at, e.page);
			continue;
		}
		if (vm_page_tryxbusy(e.page)) {
			ns_vm_free_page(call, e.page, false);
			continue;
		}
		/* Who has it may need the lock: a pager, for one. */
		VM_OBJECT_WUNLOCK(object);
		vm_page_busy_sleep(e.page, 0);
		ns_vm_wlock(call, object);
	}
}

ns_export void
vm_object_destroy(vm_object_t object)
{
	const char *call = "vm_object_destroy";

	ns_vm_require_object(call, object, NS_VM_OBJ_UNLOCKED);
	ns_vm_wlock(call, object);
	free_pages(call, object);
	ns_vm_tree_free(&object->tree);
	if (object->segment != NULL)
		ns_vm_segment_destroy(object);
	ns_lock(&list_lock);
	ns_list_remove(&object->link);
	ns_unlock(&list_lock);
	VM_OBJECT_WUNLOCK(object);
	memset(object, 0, sizeof(*object));
	ns_vm_record_put(object, NS_VM_OBJECT);
}

ns_export vm_pindex_t
vm_object_size(vm_object_t object)
{
	ns_vm_expect_object("vm_object_size", object, NS_VM_OBJ_ANY);
	return object->size;
}

ns_export size_t
vm_object_page_size(vm_object_t object)
{
	ns_vm_expect_object("vm_object_page_size", object, NS_VM_OBJ_ANY);
	return ns_page_size << object->order;
}

ns_export void *
vm_object_addr(vm_object_t object)
{
	ns_vm_expect_object("vm_object_addr", object, NS_VM_OBJ_ANY);
	return object->segment != NULL ? ns_vm_segment_addr(object, 0) : NULL;
}

ns_export void *
vm_object_handle(vm_object_t object)
{
	ns_vm_expect_object("vm_object_handle", object, NS_VM_OBJ_ANY);
	return object->handle;
}

ns_export uint64_t
vm_object_resident(vm_object_t object)
{
	ns_vm_expect_object("vm_object_resident", object, NS_VM_OBJ_ANY);
	return ns_load_relaxed(&object->resident);
}

static const char twice[] = "the thread has locked it already";
static const char not_writer[] = "the thread has not locked it for writing";
static const char not_reader[] = "the thread has not locked it for reading";

void
ns_vm_wlock(const char *call, vm_object_t object)
{
	if (ns_unlikely(!ns_rw_wlock(&object->lock)))
		ns_vm_die_object(call, object, twice);
}

void
ns_vm_rlock(const char *call, vm_object_t object)
{
	if (ns_unlikely(!ns_rw_rlock(&object->lock)))
		ns_vm_die_object(call, object, twice);
}

ns_export void
VM_OBJECT_WLOCK(vm_object_t object)
{
	ns_vm_expect_object("VM_OBJECT_WLOCK", object, NS_VM_OBJ_ANY);
	ns_vm_wlock("VM_OBJECT_WLOCK", object);
}

ns_export bool
VM_OBJECT_TRYWLOCK(vm_object_t object)
{
	ns_vm_expect_object("VM_OBJECT_TRYWLOCK", object, NS_VM_OBJ_ANY);
	return ns_rw_trywlock(&object->lock);
}

ns_export void
VM_OBJECT_WUNLOCK(vm_object_t object)
{
	ns_vm_expect_object("VM_OBJECT_WUNLOCK", object, NS_VM_OBJ_ANY);
	if (!ns_rw_wunlock(&object->lock))
		ns_vm_die_object("VM_OBJECT_WUNLOCK", object, not_writer);
}

ns_export void
VM_OBJECT_RLOCK(vm_object_t object)
{
	ns_vm_expect_object("VM_OBJECT_RLOCK", object, NS_VM_OBJ_ANY);
	ns_vm_rlock("VM_OBJECT_RLOCK", object);
}

ns_export bool
VM_OBJECT_TRYRLOCK(vm_object_t object)
{
	ns_vm_expect_object("VM_OBJECT_TRYRLOCK", object, NS_VM_OBJ_ANY);
	return ns_rw_tryrlock(&object->lock);
}

ns_export void
VM_OBJECT_RUNLOCK(vm_object_t object)
{
	ns_vm_expect_object("VM_OBJECT_RUNLOCK", object, NS_VM_OBJ_ANY);
	if (!ns_rw_runlock(&object->lock))
		ns_vm_die_object("VM_OBJECT_RUNLOCK", object, not_reader);
}

ns_export void
VM_OBJECT_LOCK_DOWNGRADE(vm_object_t object)
{
	ns_vm_require_object("VM_OBJECT_LOCK_DOWNGRADE", object,
			     NS_VM_OBJ_WLOCKED);
	ns_rw_downgrade(&object->lock);
}

ns_export bool
VM_OBJECT_TRYUPGRADE(vm_object_t object)
{
	ns_vm_require_object("VM_OBJECT_TRYUPGRADE", object, NS_VM_OBJ_RLOCKED);
	return ns_rw_tryupgrade(&object->lock);
}

ns_export bool
VM_OBJECT_WOWNED(vm_object_t object)
{
	ns_vm_expect_object("VM_OBJECT_WOWNED", object, NS_VM_OBJ_ANY);
	return ns_rw_wowned(&object->lock);
}

void
ns_vm_objects_lock(void)
{
	ns_lock(&list_lock);
}

void
ns_vm_objects_unlock(void)
{
	ns_unlock(&list_lock);
}

void
ns_vm_objects_fork_child(void)
{
	struct ns_list *l;

	ns_lock_init(&list_lock, NS_RANK_OBJECTS);
	ns_list_for_each (l, &objects)
		ns_rw_fork_child(
		    &ns_container_of(l, struct vm_object, link)->lock);
}
