/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/chunk.c - chunks: runs from the page pool, cut into pages.
 *
 * 1. A chunk's pages are carved in order: the struct of a page is written
 *    when the page is first handed out, so that a chunk costs nothing until
 *    used.  Pages beyond are zero if the run was; a freed page is dirty,
 *    unless who freed it said otherwise or zero.c zeroed it.
 * 2. A chunk with dirty pages, or with pages to carve that are not zero, is
 *    in node->dirty; one with zeroed pages, or zero ones to carve, is in
 *    node->fresh.  One
 *    that got its first dirty page goes to the head of the list and is used
 *    until it is full, so that the others drain.
 * 3. A chunk that is wholly free goes back to the pool when the node still
 *    holds low + keep pages without it.  keep is what makes the pair of
 *    growing and shrinking rare: at least that many requests lie between
 *    two of them, which makes some ns a request.
 * 4. A new chunk is as large as all those before it, up to one extent: a
 *    small process stays small, a large one has whole extents.
 * 5. Neither growing nor giving back holds the node's lock while it is in
 *    the pool.  Of two threads that grow at once, the later one drops its
 *    chunk if the earlier one's is enough.
 * 6. Metadata: blocks of page structs, see vm.h.  A meta run never goes back,
 *    so that a struct vm_page stays one: who looks a page up without a lock
 *    may try to busy a struct that is free by now, and fails, since the busy
 *    word of a struct out of use is 0 (busy.c).  This costs 1/64 of the most
 *    memory that the node ever had in chunks.
 */
#include "vm/vm.h"

#include <string.h>

static struct ns_vm_chunk *
chunk_in(struct ns_unit *u)
{
	return (struct ns_vm_chunk *)u->body;
}

static struct ns_unit *
chunk_unit(const struct ns_vm_chunk *c)
{
	return ns_container_of(c, struct ns_unit, body);
}

/* Page structs. */

static uint64_t
meta_bits(unsigned at, unsigned n)
{
	return (UINT64_MAX >> (NS_VM_META_BLOCKS - n)) << at;
}

static struct vm_page *
meta_block(struct ns_vm_meta *mt, unsigned at)
{
	struct ns_unit *u = ns_container_of(mt, struct ns_unit, body);

	return (struct vm_page *)(ns_unit_addr(u) + at * NS_VM_BLOCK);
}

/* @blocks, a power of two up to 32, of a meta run that has them; or NULL. */
static struct vm_page *
meta_take(struct ns_vm_node *n, unsigned blocks)
{
	struct ns_list *l;
	unsigned at;

	ns_list_for_each (l, &n->metas) {
		struct ns_vm_meta *mt =
		    ns_container_of(l, struct ns_vm_meta, link);

		for (at = 0; at < NS_VM_META_BLOCKS; at += blocks) {
			if ((mt->used & meta_bits(at, blocks)) != 0)
				continue;
			mt->used |= meta_bits(at, blocks);
			if (mt->used == UINT64_MAX)
				ns_list_remove(&mt->link);
			return meta_block(mt, at);
		}
	}
	return NULL;
}

static void
meta_put(struct ns_vm_node *n, struct vm_page *pages, unsigned blocks)
{
	struct ns_unit *u = ns_run_of(pages);
	struct ns_vm_meta *mt = (struct ns_vm_meta *)u->body;
	size_t offset = (size_t)((char *)pages - ns_unit_addr(u));
	unsigned at = (unsigned)(offset / NS_VM_BLOCK);

	ns_assert((~mt->used & meta_bits(at, blocks)) == 0);
	if (mt->used == UINT64_MAX)
		ns_list_push(&n->metas, &mt->link);
	mt->used &= ~meta_bits(at, blocks);
}

/* The same, with a new meta run if need be.  Called without the lock. */
static struct vm_page *
meta_get(struct ns_vm_node *n, unsigned blocks)
{
	struct vm_page *pages;
	struct ns_vm_meta *mt;
	struct ns_unit *u;

	ns_lock(&n->lock);
	pages = meta_take(n, blocks);
	ns_unlock(&n->lock);
	if (pages != NULL)
		return pages;
	u = ns_run_alloc(n->slot, NS_VM_META_UNITS, 1, NS_RUN_STRICT);
	if (u == NULL)
		return NULL;
	if (!u->zero)
		memset(ns_unit_addr(u), 0, NS_VM_META_UNITS * NS_UNIT);
	mt = (struct ns_vm_meta *)u->body;
	mt->role = NS_VM_META;
	ns_run_publish(u, NS_KIND_VM);
	ns_lock(&n->lock);
	ns_list_push(&n->metas, &mt->link);
	pages = meta_take(n, blocks);
	ns_unlock(&n->lock);
	return pages;
}

/* Growing. */

static unsigned
pow2_floor(size_t n)
{
	return 1u << ns_log2_floor(n);
}

/* Units of the next chunk: see 4; the first one covers the watermarks. */
static unsigned
next_units(const struct ns_vm_node *n)
{
	size_t room = ns_pool_available(n->slot), units;

	if (room == 0)
		return 0;
	units = ns_max(ns_load_relaxed(&n->npages), 2 * n->low) * ns_page_size /
		NS_UNIT;
	units = ns_min(units, n->max_units);
	return pow2_floor(ns_max(ns_min(units, room), 1));
}

/* A chunk of pages [0, npages) whose structs are @pages joins the node. */
static void
chunk_add(struct ns_vm_node *n, struct ns_unit *u, struct vm_page *pages)
{
	struct ns_vm_chunk *c = chunk_in(u);

	c->role = NS_VM_CHUNK;
	c->npages = (uint32_t)(u->nunits * (NS_UNIT / ns_page_size));
	c->nfree = c->npages;
	c->pages = pages;
	ns_list_push(&n->chunks, &c->link);
	ns_list_init(&c->free_link);
	ns_list_init(&c->fresh_link);
	if (u->zero)
		ns_list_append(&n->fresh, &c->fresh_link);
	else
		ns_list_append(&n->dirty, &c->free_link);
	n->nfree += c->npages;
	ns_owner_add(&n->npages, c->npages);
	ns_run_publish(u, NS_KIND_VM);
}

/* Would it not go back at once, once free: see 3? */
static bool
is_needed(const struct ns_vm_node *n, const struct ns_unit *u)
{
	return ns_vm_held(n) < (uint64_t)n->low + n->keep +
				   u->nunits * (NS_UNIT / ns_page_size);
}

/*
 * Adds a chunk to the node; @zero: known to be zero, if there is a choice.
 * False: the pool has nothing left.  Called without the lock.
 */
bool
ns_vm_grow(struct ns_vm_node *n, bool zero)
{
	unsigned want = next_units(n), units = want;
	unsigned flags = NS_RUN_STRICT | (zero ? NS_RUN_ZERO : 0);
	struct ns_unit *u = NULL, *spare = NULL;
	struct vm_page *pages;

	if (want == 0 || (pages = meta_get(n, want)) == NULL)
		return false;
	while (units > 0 &&
	       (u = ns_run_alloc(n->slot, units, 1, flags)) == NULL)
		units /= 2;
	ns_lock(&n->lock);
	if (units < want) /* the blocks beyond @units; all of them, if 0 */
		meta_put(
		    n, (struct vm_page *)((char *)pages + units * NS_VM_BLOCK),
		    want - units);
	if (u != NULL && is_needed(n, u)) {
		chunk_add(n, u, pages);
	} else if (u != NULL) {
		meta_put(n, pages, units);
		spare = u;
	}
	ns_unlock(&n->lock);
	ns_vm_give_back(spare);
	return u != NULL;
}

/* Pages. */

static bool
has_fresh(const struct ns_vm_chunk *c)
{
	return c->zeroed != NULL ||
	       (chunk_unit(c)->zero && c->carved < c->npages);
}

static struct vm_page *
carve(struct ns_vm_chunk *c)
{
	struct ns_unit *u = chunk_unit(c);
	struct vm_page *m = &c->pages[c->carved];

	m->addr = ns_unit_addr(u) + c->carved * ns_page_size;
	m->zero = u->zero;
	m->lock_epoch = 0;
	ns_store_relaxed(&m->queue, PQ_NONE);
	/* Pairs with the acquire in ns_vm_chunk_of. */
	ns_store_release(&c->carved, c->carved + 1);
	return m;
}

static struct vm_page *
take_fresh(struct ns_vm_node *n)
{
	struct ns_vm_chunk *c;
	struct vm_page *m;

	if (ns_list_empty(&n->fresh))
		return NULL;
	c = ns_list_first(&n->fresh, struct ns_vm_chunk, fresh_link);
	m = c->zeroed;
	if (m != NULL) {
		c->zeroed = m->next;
		n->nzeroed--;
	} else {
		m = carve(c);
	}
	if (!has_fresh(c))
		ns_list_remove(&c->fresh_link);
	c->nfree--;
	return m;
}

static struct vm_page *
take_dirty(struct ns_vm_node *n)
{
	struct ns_vm_chunk *c;
	struct vm_page *m;

	if (ns_list_empty(&n->dirty))
		return NULL;
	c = ns_list_first(&n->dirty, struct ns_vm_chunk, free_link);
	m = c->dirty;
	if (m != NULL)
		c->dirty = m->next;
	else
		m = carve(c);
	if (c->dirty == NULL && (chunk_unit(c)->zero || c->carved == c->npages))
		ns_list_remove(&c->free_link);
	c->nfree--;
	return m;
}

/* A page out of the chunks, fresh or dirty if there is a choice; or NULL. */
struct vm_page *
ns_vm_take(struct ns_vm_node *n, bool zero)
{
	struct vm_page *m = zero ? take_fresh(n) : take_dirty(n);

	if (m == NULL)
		m = zero ? take_dirty(n) : take_fresh(n);
	if (m != NULL)
		n->nfree--;
	return m;
}

void
ns_vm_put(struct ns_vm_node *n, struct ns_vm_chunk *c, struct vm_page *m)
{
	struct vm_page **list = m->zero ? &c->zeroed : &c->dirty;

	m->next = *list;
	*list = m;
	if (m->zero) {
		n->nzeroed++;
		if (ns_list_empty(&c->fresh_link))
			ns_list_push(&n->fresh, &c->fresh_link);
	} else if (ns_list_empty(&c->free_link)) {
		ns_list_push(&n->dirty, &c->free_link);
	}
	c->nfree++;
	n->nfree++;
}

/* Takes @c out of the node if it is free and not needed: see 3. */
struct ns_unit *
ns_vm_shrink(struct ns_vm_node *n, struct ns_vm_chunk *c)
{
	const struct vm_page *m;

	if (c->nfree < c->npages ||
	    ns_vm_held(n) < (uint64_t)n->low + n->keep + c->npages)
		return NULL;
	ns_list_remove(&c->link);
	ns_list_remove(&c->free_link);
	if (has_fresh(c))
		ns_list_remove(&c->fresh_link);
	for (m = c->zeroed; m != NULL; m = m->next)
		n->nzeroed--;
	n->nfree -= c->npages;
	ns_owner_add(&n->npages, -(uint64_t)c->npages);
	meta_put(n, c->pages, chunk_unit(c)->nunits);
	return chunk_unit(c);
}

void
ns_vm_give_back(struct ns_unit *u)
{
	if (u != NULL)
		ns_run_free(u, u->zero && chunk_in(u)->carved == 0);
}
