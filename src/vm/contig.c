/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/contig.c - pages at consecutive addresses.
 *
 * 1. Each of them is a page like any other, to be freed alone.  Only how they
 *    are found is different: as a gap of free pages in a chunk; else as a run
 *    from the pool, which becomes a chunk for each extent.
 * 2. The first chunks that have as many free pages are searched for a gap, and
 *    only when the pool has no run either, all of them, after magazines have
 *    given theirs back.  No cached page is taken for such a request: it would
 *    have to be a row of them.
 * 3. Classes: the node must hold the class's watermark without the pages of a
 *    gap, and above it when the pages are the pool's.  INTERRUPT searches, if
 * it gets the lock without waiting, and never asks the pool.
 * 4. What it gives up: a search takes a time that grows with the chunks, under
 *    the node's lock, when the node is nearly full.
 */
#include "vm/vm.h"

#include <errno.h>
#include <limits.h>

#define TRIES 8u /* chunks that are searched before the pool is asked */
#define NONE  UINT32_MAX

/* Would pages of @size at @addr be as asked for? */
bool
ns_vm_run_fits(const struct ns_vm_run *run, uintptr_t addr, size_t size)
{
	uintptr_t last = addr + run->count * size - 1;

	return addr % run->align == 0 &&
	       (run->boundary == 0 ||
		addr / run->boundary == last / run->boundary);
}

/* 0, or why no pages of @size could be so. */
int
ns_vm_run_error(const struct ns_vm_run *run, size_t size)
{
	size_t bytes;

	if (run->count == 0 || !ns_is_pow2(run->align) ||
	    (run->boundary != 0 && !ns_is_pow2(run->boundary)))
		return EINVAL;
	if (__builtin_mul_overflow(run->count, size, &bytes))
		return ENOMEM;
	return run->boundary != 0 && bytes > run->boundary ? EINVAL : 0;
}

struct vm_page *
ns_vm_page_of(const void *addr)
{
	struct ns_unit *u = ns_run_of(addr);
	struct ns_vm_chunk *c;
	size_t i;

	if (u == NULL || u->kind != NS_KIND_VM)
		return NULL;
	c = (struct ns_vm_chunk *)u->body;
	if (c->role != NS_VM_CHUNK)
		return NULL;
	i = (size_t)((const char *)addr - ns_unit_addr(u)) >>
	    (ns_page_shift + c->order);
	/* Pairs with the release in ns_vm_carve. */
	return i < ns_load_acquire(&c->carved) ? &c->pages[i] : NULL;
}

/* Gaps. */

/* The first index from @i on at which a gap may begin. */
static uint32_t
next_start(const struct ns_vm_node *n, const char *base,
	   const struct ns_vm_run *run, uint32_t i)
{
	uintptr_t addr = (uintptr_t)base + i * n->page_size;

	addr = ns_round_up(addr, run->align);
	if (!ns_vm_run_fits(run, addr, n->page_size))
		addr = ns_round_up(addr, ns_max(run->align, run->boundary));
	return (uint32_t)((addr - (uintptr_t)base) / n->page_size);
}

static bool
is_free(const struct ns_vm_chunk *c, uint32_t i)
{
	return i >= c->carved ||
	       ns_load_relaxed(&c->pages[i].state) == NS_VM_FREE;
}

static uint32_t
find_gap(const struct ns_vm_node *n, struct ns_vm_chunk *c,
	 const struct ns_vm_run *run)
{
	const char *base =
	    ns_unit_addr(ns_container_of(c, struct ns_unit, body));
	uint32_t first = next_start(n, base, run, 0), i = first;

	while (first + run->count <= c->npages) {
		if (i == first + run->count)
			return first;
		if (!is_free(c, i))
			first = i = next_start(n, base, run, i + 1);
		else
			i++;
	}
	return NONE;
}

/* The first page of a gap in one of @tries chunks, taken.  [v] */
static struct vm_page *
take_gap(struct ns_vm_node *n, uint32_t mark, const struct ns_vm_run *run,
	 unsigned tries)
{
	struct vm_page *m = NULL;
	struct ns_list *l;
	uint32_t first;

	if (n->nfree < run->count || ns_vm_held(n) < mark + run->count)
		return NULL;
	ns_list_for_each (l, &n->chunks) {
		struct ns_vm_chunk *c =
		    ns_container_of(l, struct ns_vm_chunk, link);

		if (c->nfree < run->count || c == n->nofree)
			continue;
		first = find_gap(n, c, run);
		if (first != NONE) {
			ns_vm_take_at(n, c, first, (uint32_t)run->count);
			m = &c->pages[first];
			break;
		}
		if (--tries == 0)
			break;
	}
	ns_vm_note_tight(n);
	return m;
}

/* Runs from the pool.  All without the node's lock. */

/* Makes the node hold more than @mark pages, as for a single page. */
static bool
rise_above(struct ns_vm_node *n, uint32_t mark)
{
	bool above;

	do {
		ns_lock(&n->lock);
		above = ns_vm_held(n) > mark;
		ns_unlock(&n->lock);
	} while (!above && ns_vm_grow(n, false, 0));
	return above;
}

/* Chunks of which the first @count pages are in use; false: no memory. */
static bool
make_chunks(struct ns_vm_node *n, struct ns_unit *u, size_t count,
	    struct ns_list *chunks)
{
	struct ns_vm_chunk *c;
	struct vm_page *pages;
	struct ns_unit *rest;

	for (; u != NULL; u = rest) {
		rest = u->nunits > NS_EXTENT_UNITS
			   ? ns_run_split(u, NS_EXTENT_UNITS)
			   : NULL;
		pages = ns_vm_structs(n, u->nunits);
		if (pages == NULL) {
			ns_run_free(u, u->zero);
			if (rest != NULL)
				ns_run_free(rest, rest->zero);
			return false;
		}
		c = ns_vm_chunk_init(u, pages, n->order, u->nunits);
		for (; count > 0 && c->nfree > 0; count--, c->nfree--)
			ns_vm_carve(c);
		ns_list_append(chunks, &c->link);
	}
	return true;
}

/* All chunks of the list join the node, or go back to the pool. */
static void
settle(struct ns_vm_node *n, struct ns_list *chunks, bool join)
{
	struct ns_vm_chunk *c;
	struct ns_unit *u;

	while (!ns_list_empty(chunks)) {
		c = ns_list_first(chunks, struct ns_vm_chunk, link);
		u = ns_container_of(c, struct ns_unit, body);
		ns_list_remove(&c->link);
		ns_lock(&n->lock);
		if (join)
			ns_vm_chunk_add(n, c);
		else
			ns_vm_put_structs(n, c->pages, u->nunits);
		ns_unlock(&n->lock);
		if (!join)
			ns_run_free(u, u->zero);
	}
}

static struct vm_page *
new_run(struct ns_vm_node *n, int req, const struct ns_vm_run *run)
{
	size_t bytes = run->count * n->page_size, align = run->align;
	struct ns_list chunks;
	struct ns_unit *u;
	bool whole;

	if (run->boundary != 0) /* a run at a multiple of its size is in none */
		align = ns_max(align, 2ul << ns_log2_floor(bytes - 1));
	u = ns_run_alloc(n->slot, ns_round_up(bytes, NS_UNIT) / NS_UNIT,
			 ns_max(align / NS_UNIT, 1),
			 NS_RUN_STRICT |
			     ((req & VM_ALLOC_ZERO) != 0 ? NS_RUN_ZERO : 0));
	if (u == NULL)
		return NULL;
	ns_list_init(&chunks);
	whole = make_chunks(n, u, run->count, &chunks);
	settle(n, &chunks, whole);
	ns_maint_poke();
	return whole ? ns_vm_page_of(ns_unit_addr(u)) : NULL;
}

/* Both ways. */

static struct vm_page *
find_run(struct ns_vm_node *n, int req, const struct ns_vm_run *run)
{
	uint32_t mark = ns_vm_mark(n, req);
	struct vm_page *m;

	ns_lock(&n->lock);
	m = take_gap(n, mark, run, TRIES);
	ns_unlock(&n->lock);
	if (m == NULL && rise_above(n, mark))
		m = new_run(n, req, run);
	if (m != NULL)
		return m;
	ns_vm_drain_slot(n->slot);
	ns_lock(&n->lock);
	m = take_gap(n, mark, run, UINT_MAX);
	ns_unlock(&n->lock);
	return m;
}

static struct vm_page *
find_at_once(struct ns_vm_node *n, const struct ns_vm_run *run)
{
	struct vm_page *m;

	if (!ns_trylock(&n->lock))
		return NULL;
	m = take_gap(n, 0, run, UINT_MAX);
	ns_unlock(&n->lock);
	return m;
}

struct vm_page *
ns_vm_alloc_run(struct ns_vm_node *n, int req, const struct ns_vm_run *run)
{
	struct vm_page *m, *first;

	if (ns_unlikely(ns_load_relaxed(&n->used) == 0))
		ns_vm_set_up(n);
	first = (req & VM_ALLOC_INTERRUPT) != 0 ? find_at_once(n, run)
						: find_run(n, req, run);
	if (first == NULL) {
		ns_add_relaxed(&n->denied, 1);
		return NULL;
	}
	for (size_t i = 0; i < run->count; i++) {
		m = ns_vm_page_of(first->addr + i * n->page_size);
		ns_store_relaxed(&m->flags, 0);
		ns_store_relaxed(&m->state, NS_VM_ALLOCATED);
	}
	return first;
}
