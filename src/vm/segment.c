/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/segment.c - contiguous objects: one run of memory, a page for each index.
 *
 * 1. The run is taken from its node's pool when the object is created, so that
 *    the addresses are its own; its memory is there only as far as it is used.
 * 2. The structs of its pages are made for one extent of it at a time, when the
 *    first of these pages is: the extent becomes a *part* of the run, which is
 *    described as a chunk is.  It is in no list of the node, since nobody else
 *    gets its pages; a page that is free is only marked so.
 * 3. All of it is the object's, and guarded by its lock for writing.
 * 4. What it gives up: freed and cached pages of such an object stay in memory
 *    until it is destroyed.
 */
#include "vm/vm.h"

#include <errno.h>

int
ns_vm_segment_create(vm_object_t object, unsigned slot)
{
	size_t page = ns_page_size << object->order, bytes;

	if (__builtin_mul_overflow(object->size, page, &bytes) ||
	    bytes > SIZE_MAX - NS_UNIT)
		return -ENOMEM;
	object->segment = ns_run_alloc(
	    slot, ns_round_up(bytes, NS_UNIT) / NS_UNIT,
	    ns_max(page / NS_UNIT, 1), NS_RUN_STRICT | NS_RUN_ZERO);
	if (object->segment == NULL)
		return -ENOMEM;
	ns_list_init(&object->parts);
	return 0;
}

char *
ns_vm_segment_addr(vm_object_t object, vm_pindex_t pindex)
{
	return ns_unit_addr(object->segment) +
	       pindex * (ns_page_size << object->order);
}

/* How many units the part that begins at the @at-th unit has. */
static size_t
part_units(const struct ns_unit *segment, size_t at)
{
	return ns_min(segment->nunits - at, NS_EXTENT_UNITS);
}

/* The part at the @at-th unit is made; NULL: no memory for its structs. */
static struct ns_vm_chunk *
make_part(vm_object_t object, size_t at)
{
	struct ns_unit *segment = object->segment, *u;
	size_t units = part_units(segment, at);
	struct vm_page *pages =
	    ns_vm_structs(ns_vm_node(segment->slot, object->order), units);
	struct ns_vm_chunk *c;

	if (pages == NULL)
		return NULL;
	u = ns_run_part(segment, at, units);
	c = ns_vm_chunk_init(u, pages, object->order, units);
	for (uint32_t i = 0; i < c->npages; i++) {
		ns_vm_carve(c)->fixed = 1;
		ns_store_relaxed(&pages[i].state, NS_VM_FREE);
	}
	ns_list_append(&object->parts, &c->link);
	ns_run_publish(u, NS_KIND_VM);
	return c;
}

/* The page of @pindex, which is free, allocated; or NULL. */
struct vm_page *
ns_vm_segment_take(vm_object_t object, vm_pindex_t pindex)
{
	const char *addr = ns_vm_segment_addr(object, pindex);
	struct vm_page *m = ns_vm_page_of(addr);
	size_t at = (size_t)(addr - ns_unit_addr(object->segment)) / NS_EXTENT *
		    NS_EXTENT_UNITS;

	if (m == NULL && make_part(object, at) != NULL)
		m = ns_vm_page_of(addr);
	if (m == NULL)
		return NULL;
	ns_store_relaxed(&m->flags, 0);
	ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	return m;
}

/* No page of the object is left. */
void
ns_vm_segment_destroy(vm_object_t object)
{
	struct ns_unit *segment = object->segment, *u;
	struct ns_vm_node *n = ns_vm_node(segment->slot, object->order);
	struct ns_vm_chunk *c;
	bool clean = segment->zero, nodump = false;
	size_t units;

	clean = clean && ns_list_empty(&object->parts);
	while (!ns_list_empty(&object->parts)) {
		c = ns_list_first(&object->parts, struct ns_vm_chunk, link);
		u = ns_container_of(c, struct ns_unit, body);
		units = part_units(segment, (size_t)(u - segment));
		nodump |= c->nodump;
		ns_list_remove(&c->link);
		ns_lock(&n->lock);
		ns_vm_put_structs(n, c->pages, units);
		ns_unlock(&n->lock);
		ns_run_unpart(u, units);
	}
	if (nodump)
		ns_os_dump(ns_unit_addr(segment),
			   (size_t)segment->nunits * NS_UNIT, true);
	ns_run_free(segment, clean);
}
