/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/cache.c - cached pages: their object's contents, anybody's memory.
 *
 * 1. A cached page stays in its object's tree, marked, so that a request at
 *    its index brings it back with its contents; and it is in its node's list,
 *    whence a request that finds no free page takes the one that has been in
 *    it longest.  That is the eviction of a buffer cache.
 * 2. Both go by the node's lock: under it a page in the list is in its
 *    object's tree, and the other way round.  The object's lock is needed to
 *    put a page in and to bring it back, not to steal it; so stealing waits
 *    for no object, and INTERRUPT may do it.
 * 3. An object has its cached pages taken out of the list before it goes.
 * 4. The cached pages of a contiguous object are nobody else's to take, and in
 *    no list.
 */
#include "vm/check.h"

#include <errno.h>

/* The page that was cached first loses its contents; or NULL.  [v] */
struct vm_page *
ns_vm_steal(struct ns_vm_node *n)
{
	struct vm_page *m;

	if (ns_list_empty(&n->cached))
		return NULL;
	m = ns_list_first(&n->cached, struct vm_page, link);
	ns_list_remove(&m->link);
	n->ncached--;
	n->reclaimed++;
	ns_vm_tree_steal(&m->object->tree, m->pindex);
	ns_store_relaxed(&m->object, NULL);
	ns_store_relaxed(&m->state, NS_VM_SPARE);
	m->zero = 0;
	return m;
}

/* Is it still the cached page of that object and index?  [v] */
static bool
is_cached_at(const struct vm_page *m, vm_object_t object, vm_pindex_t pindex)
{
	return ns_load_relaxed(&m->state) == NS_VM_CACHED &&
	       ns_vm_is_at(m, object, pindex);
}

static void
unlist(struct ns_vm_node *n, struct vm_page *m)
{
	if (!m->fixed) {
		ns_list_remove(&m->link);
		n->ncached--;
	}
	m->zero = 0;
	ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
}

/*
 * A page that the tree has as cached becomes the caller's, if the class may
 * have one.  Returns 0, -ENOENT when it was stolen meanwhile, or -ENOMEM.
 */
int
ns_vm_reactivate(struct vm_page *m, vm_object_t object, vm_pindex_t pindex,
		 int req)
{
	struct ns_vm_node *n = ns_vm_node(ns_slot_of(m), object->order);
	uint32_t mark;
	bool again = (req & VM_ALLOC_INTERRUPT) == 0;
	int error;

	if (ns_vm_is_pager() && (req & VM_ALLOC_NORMAL) != 0)
		req ^= VM_ALLOC_NORMAL | VM_ALLOC_SYSTEM;
	mark = ns_vm_mark(n, req);
	for (;;) {
		ns_lock(&n->lock);
		error = !is_cached_at(m, object, pindex) ? -ENOENT
			: m->fixed || ns_vm_held(n) + n->ncached > mark
			    ? 0
			    : -ENOMEM;
		if (error == 0)
			unlist(n, m);
		ns_unlock(&n->lock);
		if (error != -ENOMEM || !again)
			return error;
		again = ns_vm_grow(n, false, 0);
		if (!again)
			ns_vm_drain_slot(n->slot);
	}
}

/* The same whatever the class, to be freed.  False: it was stolen. */
bool
ns_vm_uncache(struct vm_page *m, vm_object_t object, vm_pindex_t pindex)
{
	struct ns_vm_node *n = ns_vm_node(ns_slot_of(m), object->order);
	bool is;

	ns_lock(&n->lock);
	is = is_cached_at(m, object, pindex);
	if (is)
		unlist(n, m);
	ns_unlock(&n->lock);
	return is;
}

/* A page that is in no queue, not dirty and not wired.  [o] */
void
ns_vm_to_cache(vm_object_t object, struct vm_page *m)
{
	struct ns_vm_node *n = ns_vm_node_of(m);

	ns_owner_add(&object->resident, -1ul);
	ns_lock(&n->lock);
	ns_vm_tree_set(&object->tree, m->pindex,
		       (struct ns_vm_entry){ m, true });
	ns_store_relaxed(&m->state, NS_VM_CACHED);
	if (!m->fixed) {
		ns_list_append(&n->cached, &m->link);
		n->ncached++;
	}
	ns_vm_busy_end(m);
	ns_unlock(&n->lock);
}

ns_export void
vm_page_cache(vm_page_t m)
{
	const char *call = "vm_page_cache";

	ns_vm_require(call, m,
		      NS_VM_LEAVING | NS_VM_CLEAN | NS_VM_UNWIRED |
			  NS_VM_FREEABLE);
	if ((ns_load_relaxed(&m->flags) & PG_VALID) == 0) {
		ns_vm_free_page(call, m, false);
		return;
	}
	ns_vm_dequeue(m);
	ns_vm_to_cache(ns_load_relaxed(&m->object), m);
	ns_vm_freed();
}
