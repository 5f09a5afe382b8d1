/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/resident.c - which page is where: into an object, out, found, moved.
 *
 * 1. A page that comes into an object is told its object and index before the
 *    tree has it; one that leaves is out of the tree before it forgets them.
 *    So a reader without the lock that finds a page in the tree, and finds
 *    the object and index it looked for in the page, has found the page that
 *    was there at some moment of the lookup.  If they differ the page was
 *    moving, and the reader looks again.
 * 2. That moment may be over when the caller has the page.  Who holds the
 *    object's lock, or has busied the page and then found its object and index
 *    unchanged, has it for longer.
 * 3. Pages leave an object exclusively busied, so a page that is busy or was
 *    found under the lock does not go.
 */
#include "vm/check.h"

#include <errno.h>

ns_export vm_page_t
vm_page_lookup(vm_object_t object, vm_pindex_t pindex)
{
	struct ns_vm_entry e;

	ns_vm_expect_object("vm_page_lookup", object, NS_VM_OBJ_ANY);
	if (ns_unlikely(pindex >= object->size))
		return NULL;
	do {
		e = ns_vm_tree_get(&object->tree, pindex);
		if (e.page == NULL || e.cached)
			return NULL;
	} while (ns_unlikely(!ns_vm_is_at(e.page, object, pindex)));
	return e.page;
}

/* The way in the tree is made, and the page busy as it shall be. */
static void
enter(struct vm_page *m, vm_object_t object, vm_pindex_t pindex)
{
	ns_store_relaxed(&m->pindex, pindex);
	ns_store_relaxed(&m->object, object);
	ns_vm_tree_set(&object->tree, pindex, (struct ns_vm_entry){ m, false });
	ns_owner_add(&object->resident, 1);
}

/* Out of the tree; the page is still busy, and whoever's it was. */
static void
leave(struct vm_page *m, vm_object_t object)
{
	ns_vm_dequeue(m);
	ns_vm_tree_clear(&object->tree, m->pindex);
	ns_owner_add(&object->resident, -1ul);
	ns_store_relaxed(&m->object, NULL);
}

void
ns_vm_leave(const char *call, struct vm_page *m)
{
	ns_vm_require(call, m, NS_VM_LEAVING | NS_VM_UNWIRED | NS_VM_FREEABLE);
	leave(m, ns_load_relaxed(&m->object));
	ns_vm_busy_end(m);
}

/* A cached page goes, unless it was stolen already. */
void
ns_vm_drop_cached(vm_object_t object, vm_pindex_t pindex, struct vm_page *m)
{
	if (!ns_vm_uncache(m, object, pindex))
		return;
	ns_vm_tree_clear(&object->tree, pindex);
	ns_store_relaxed(&m->object, NULL);
	ns_vm_free("vm_page_free", m, false);
	ns_vm_freed();
}

/*
 * Makes room for a page at @pindex, where only a cached one may be.  Returns
 * 0, -EEXIST or -ENOMEM.
 */
static int
make_room(const char *call, vm_object_t object, vm_pindex_t pindex)
{
	struct ns_vm_entry e;

	ns_vm_require_object(call, object, NS_VM_OBJ_WLOCKED);
	if (pindex >= object->size)
		return -EINVAL;
	e = ns_vm_tree_get(&object->tree, pindex);
	if (e.page != NULL && !e.cached)
		return -EEXIST;
	if (e.page != NULL)
		ns_vm_drop_cached(object, pindex, e.page);
	return ns_vm_tree_prepare(&object->tree, pindex) ? 0 : -ENOMEM;
}

/* Requests. */

static vm_page_t
refuse(int error)
{
	errno = error;
	return NULL;
}

/* The page of the object's cache; *error is -ENOENT when there is none. */
static vm_page_t
from_cache(vm_object_t object, vm_pindex_t pindex, int req, int *error)
{
	struct ns_vm_entry e = ns_vm_tree_get(&object->tree, pindex);

	*error = -ENOENT;
	if (e.page == NULL)
		return NULL;
	*error = -EEXIST;
	if (!e.cached || (req & VM_ALLOC_IFNOTCACHED) != 0)
		return NULL;
	*error = ns_vm_reactivate(e.page, object, pindex, req);
	if (*error != 0)
		return NULL;
	ns_vm_busy_set(e.page, req);
	enter(e.page, object, pindex);
	if ((req & VM_ALLOC_NOFREE) != 0)
		ns_vm_set_flags(e.page, PG_NOFREE, 0);
	return e.page;
}

static struct vm_page *
take_page(vm_object_t object, vm_pindex_t pindex, unsigned slot, int req,
	  const struct ns_vm_run *run)
{
	struct ns_vm_place place = ns_vm_place_in(object, pindex, slot);

	return ns_vm_from(&place, req, run);
}

/* @slot: that node only, or NS_NO_SLOT: as the object has it. */
vm_page_t
ns_vm_object_alloc(const char *call, vm_object_t object, vm_pindex_t pindex,
		   unsigned slot, int req)
{
	struct vm_page *m;
	int error;

	ns_vm_require_object(call, object, NS_VM_OBJ_WLOCKED);
	if (pindex >= object->size ||
	    (object->segment != NULL &&
	     ((req & VM_ALLOC_NOFREE) != 0 ||
	      (slot != NS_NO_SLOT && slot != object->segment->slot))))
		return refuse(EINVAL);
	m = from_cache(object, pindex, req, &error);
	if (m != NULL)
		return ns_vm_finish(m, req);
#ifdef NS_DEBUG
	if (error == -EEXIST && vm_page_lookup(object, pindex) != NULL)
		ns_vm_die(call, vm_page_lookup(object, pindex),
			  "it is at that index already");
#endif
	if (error != -ENOENT || (req & VM_ALLOC_IFCACHED) != 0)
		return refuse(-error);
	if (!ns_vm_tree_prepare(&object->tree, pindex))
		return refuse(ENOMEM);
	if (object->segment != NULL)
		m = ns_vm_segment_take(object, pindex);
	else
		m = take_page(object, pindex, slot, req, NULL);
	if (m == NULL) {
		ns_vm_tree_trim(&object->tree, pindex);
		return refuse(ENOMEM);
	}
	ns_vm_busy_set(m, req);
	enter(m, object, pindex);
	return ns_vm_finish(m, req);
}

/* Undoes what make_room did for indices [pindex, pindex + count). */
static void
give_up_room(vm_object_t object, vm_pindex_t pindex, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ns_vm_tree_trim(&object->tree, pindex + i);
}

/* Memory for pages in a row; of a contiguous object, if it is as asked for. */
static struct vm_page *
take_run(vm_object_t object, vm_pindex_t pindex, unsigned slot, int req,
	 const struct ns_vm_run *run)
{
	struct vm_page *m, *first = NULL;

	if (object->segment == NULL)
		return take_page(object, pindex, slot, req, run);
	for (size_t i = 0; i < run->count; i++) {
		m = ns_vm_segment_take(object, pindex + i);
		if (m == NULL) {
			while (i-- > 0)
				ns_vm_free("vm_page_alloc_contig",
					   ns_vm_page_of(ns_vm_segment_addr(
					       object, pindex + i)),
					   false);
			ns_vm_freed();
			return NULL;
		}
		first = i == 0 ? m : first;
	}
	return first;
}

/* 0, or why no such pages can be had at @pindex. */
static int
run_error(vm_object_t object, vm_pindex_t pindex, unsigned slot,
	  const struct ns_vm_run *run)
{
	size_t size = vm_object_page_size(object);
	int error = ns_vm_run_error(run, size);

	if (error != 0)
		return error;
	if (pindex >= object->size || run->count > object->size - pindex)
		return EINVAL;
	if (object->segment == NULL)
		return 0;
	if (slot != NS_NO_SLOT && slot != object->segment->slot)
		return EINVAL;
	return ns_vm_run_fits(
		   run, (uintptr_t)ns_vm_segment_addr(object, pindex), size)
		   ? 0
		   : EINVAL;
}

/* As ns_vm_object_alloc, for pages at indices and addresses in a row. */
vm_page_t
ns_vm_object_run(const char *call, vm_object_t object, vm_pindex_t pindex,
		 unsigned slot, int req, const struct ns_vm_run *run)
{
	struct vm_page *first, *m;
	int error;
	size_t i;

	ns_vm_require_object(call, object, NS_VM_OBJ_WLOCKED);
	error = run_error(object, pindex, slot, run);
	if (error != 0)
		return refuse(error);
	for (i = 0; i < run->count; i++) {
		error = make_room(call, object, pindex + i);
		if (error != 0) {
			give_up_room(object, pindex, i);
			return refuse(-error);
		}
	}
	first = take_run(object, pindex, slot, req, run);
	if (first == NULL) {
		give_up_room(object, pindex, run->count);
		return refuse(ENOMEM);
	}
	for (i = 0; i < run->count; i++) {
		m = ns_vm_page_of(first->addr + i * ns_vm_bytes(first));
		ns_vm_busy_set(m, req);
		enter(m, object, pindex + i);
		ns_vm_finish(m, req);
	}
	return first;
}

/* Neighbours. */

ns_export vm_page_t
vm_page_find_least(vm_object_t object, vm_pindex_t pindex)
{
	struct ns_vm_entry e;

	ns_vm_expect_object("vm_page_find_least", object, NS_VM_OBJ_LOCKED);
	while (pindex < object->size) {
		e = ns_vm_tree_next(&object->tree, &pindex);
		if (e.page == NULL || !e.cached)
			return e.page;
		pindex++;
	}
	return NULL;
}

ns_export vm_page_t
vm_page_next(vm_page_t m)
{
	vm_object_t object;

	ns_vm_expect("vm_page_next", m, NS_VM_IN_USE);
	object = ns_load_relaxed(&m->object);
	if (object == NULL)
		return NULL;
	return vm_page_lookup(object, ns_load_relaxed(&m->pindex) + 1);
}

ns_export vm_page_t
vm_page_prev(vm_page_t m)
{
	vm_object_t object;

	ns_vm_expect("vm_page_prev", m, NS_VM_IN_USE);
	object = ns_load_relaxed(&m->object);
	if (object == NULL || ns_load_relaxed(&m->pindex) == 0)
		return NULL;
	return vm_page_lookup(object, ns_load_relaxed(&m->pindex) - 1);
}

/* Moves. */

/* Could the page be one of the object's: is it as long, and free to move? */
static bool
is_like(const struct vm_page *m, vm_object_t object)
{
	return m->order == object->order && !m->fixed &&
	       object->segment == NULL;
}

static int
result(int error)
{
	if (error == 0)
		return 0;
	errno = -error;
	return -1;
}

ns_export int
vm_page_insert(vm_page_t m, vm_object_t object, vm_pindex_t pindex)
{
	int error;

	ns_vm_require("vm_page_insert", m, NS_VM_IN_USE | NS_VM_LOOSE);
	ns_vm_require_object("vm_page_insert", object, NS_VM_OBJ_WLOCKED);
	error = is_like(m, object) ? make_room("vm_page_insert", object, pindex)
				   : -EINVAL;
	if (error == 0) {
		ns_vm_busy_set(m, VM_ALLOC_NOBUSY);
		enter(m, object, pindex);
	}
	return result(error);
}

ns_export bool
vm_page_remove(vm_page_t m)
{
	ns_vm_require("vm_page_remove", m, NS_VM_LEAVING | NS_VM_MOVABLE);
	leave(m, ns_load_relaxed(&m->object));
	ns_vm_busy_end(m);
	return ns_load_relaxed(&m->wire_count) == 0;
}

ns_export int
vm_page_rename(vm_page_t m, vm_object_t object, vm_pindex_t pindex)
{
	vm_object_t old;
	vm_pindex_t was;
	int error;

	ns_vm_require("vm_page_rename", m, NS_VM_LEAVING);
	ns_vm_require_object("vm_page_rename", object, NS_VM_OBJ_WLOCKED);
	old = ns_load_relaxed(&m->object);
	error = is_like(m, object) ? make_room("vm_page_rename", object, pindex)
				   : -EINVAL;
	if (error != 0)
		return result(error);
	/* The nodes on both ways stay until the page is at its new place. */
	was = m->pindex;
	ns_vm_tree_steal(&old->tree, was);
	ns_owner_add(&old->resident, -1ul);
	enter(m, object, pindex);
	ns_vm_tree_trim(&old->tree, was);
	ns_vm_set_flags(m, PG_DIRTY | PG_VALID | NS_VM_CHANGED, 0);
	/* Who had no pager may have one now. */
	ns_vm_queue_again(m, PQ_LAUNDRY);
	return 0;
}

ns_export void
vm_page_replace(vm_page_t mnew, vm_object_t object, vm_pindex_t pindex,
		vm_page_t mold)
{
	const char *call = "vm_page_replace";

	ns_vm_require(call, mnew, NS_VM_IN_USE | NS_VM_LOOSE);
	ns_vm_require(call, mold, NS_VM_LEAVING | NS_VM_MOVABLE);
	if (!ns_vm_is_at(mold, object, pindex))
		ns_vm_die(call, mold, "it is not at that index");
	if (mnew->order != mold->order)
		ns_vm_die(call, mnew, "it is of another size");
	if (ns_load_relaxed(&mold->wire_count) == 0)
		ns_vm_require(call, mold, NS_VM_FREEABLE);
	ns_vm_dequeue(mold);
	ns_vm_busy_set(mnew, 0);
	enter(mnew, object, pindex);
	ns_owner_add(&object->resident, -1ul);
	ns_store_relaxed(&mold->object, NULL);
	ns_vm_busy_end(mold);
	if (ns_load_relaxed(&mold->wire_count) == 0)
		ns_vm_free_page(call, mold, false);
}
