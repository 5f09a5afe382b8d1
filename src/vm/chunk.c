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
 * 7. Pages that are never freed (VM_ALLOC_NOFREE) have chunks of their own,
 *    so that no other chunk is kept by one.  Their free pages are in no list
 *    and no count of the node: they are not to be had for anything else.
 * 8. CPUs take from chunks of their own, if there are such among the first FEW:
 *    two threads with bursts of 1024 pages were slower where neighbouring
 *    pages were different CPUs'.
 */
#include "vm/vm.h"

#include <string.h>

#define FEW 8u

static size_t
pow2_floor(size_t n)
{
	return 1ul << ns_log2_floor(n);
}

static size_t
pow2_ceil(size_t n)
{
	return n > 1 ? 2 * pow2_floor(n - 1) : 1;
}

/* Blocks of structs for a chunk of as many units: a power of two, for 6. */
static unsigned
blocks_of(const struct ns_vm_node *n, size_t units)
{
	return (unsigned)ns_max(pow2_ceil(units) >> n->order, 1);
}

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

void
ns_vm_put_structs(struct ns_vm_node *n, struct vm_page *pages, size_t units)
{
	unsigned blocks = blocks_of(n, units);
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
struct vm_page *
ns_vm_structs(struct ns_vm_node *n, size_t units)
{
	unsigned blocks = blocks_of(n, units);
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

/* Units of a page: 1, if a unit has several. */
static size_t
page_units(const struct ns_vm_node *n)
{
	return ns_max(n->page_size / NS_UNIT, 1);
}

/*
 * Units of the next chunk: see 4; the first one covers the watermarks, and any
 * one the @missing pages.
 */
static size_t
next_units(const struct ns_vm_node *n, size_t missing)
{
	size_t room = ns_pool_available(n->slot);
	size_t pages = ns_max(ns_load_relaxed(&n->npages), 2 * n->low);
	size_t units = pow2_floor(ns_max(pages * n->page_size / NS_UNIT, 1));

	if (room < page_units(n))
		return 0;
	pages = ns_max(missing, 1);
	units =
	    ns_max(units, pow2_ceil(ns_round_up(pages * n->page_size, NS_UNIT) /
				    NS_UNIT));
	return ns_min(ns_min(units, n->max_units), pow2_floor(room));
}

struct ns_vm_chunk *
ns_vm_chunk_init(struct ns_unit *u, struct vm_page *pages, unsigned order,
		 size_t units)
{
	struct ns_vm_chunk *c = chunk_in(u);

	c->role = NS_VM_CHUNK;
	c->order = (uint8_t)order;
	c->npages = (uint32_t)(units * NS_UNIT / (ns_page_size << order));
	c->nfree = c->npages;
	c->pages = pages;
	ns_list_init(&c->free_link);
	ns_list_init(&c->fresh_link);
	return c;
}

/* A chunk that is nobody's yet; NULL: no memory.  Without the lock. */
static struct ns_vm_chunk *
chunk_new(struct ns_vm_node *n, size_t units, unsigned flags)
{
	struct vm_page *pages = ns_vm_structs(n, units);
	struct ns_unit *u;

	if (pages == NULL)
		return NULL;
	u = ns_run_alloc(n->slot, units, page_units(n), NS_RUN_STRICT | flags);
	if (u != NULL)
		return ns_vm_chunk_init(u, pages, n->order, units);
	ns_lock(&n->lock);
	ns_vm_put_structs(n, pages, units);
	ns_unlock(&n->lock);
	return NULL;
}

/* What the node knows of any chunk. */
static void
join(struct ns_vm_node *n, struct ns_vm_chunk *c)
{
	ns_list_push(&n->chunks, &c->link);
	ns_owner_add(&n->npages, c->npages);
	ns_run_publish(chunk_unit(c), NS_KIND_VM);
}

/* A chunk of which none or the first pages are in use joins the node. */
void
ns_vm_chunk_add(struct ns_vm_node *n, struct ns_vm_chunk *c)
{
	if (c->nfree > 0 && chunk_unit(c)->zero)
		ns_list_append(&n->fresh, &c->fresh_link);
	else if (c->nfree > 0)
		ns_list_append(&n->dirty, &c->free_link);
	n->nfree += c->nfree;
	join(n, c);
}

/* Would it not go back at once, once free: see 3? */
static bool
is_needed(const struct ns_vm_node *n, const struct ns_vm_chunk *c)
{
	return ns_vm_held(n) < (uint64_t)n->low + n->keep + c->npages;
}

/*
 * Adds a chunk to the node; @zero: known to be zero, if there is a choice.
 * False: the pool has nothing left.
 */
bool
ns_vm_grow(struct ns_vm_node *n, bool zero, size_t missing)
{
	size_t units = next_units(n, missing);
	struct ns_vm_chunk *c = NULL;
	struct ns_unit *spare = NULL;

	for (; c == NULL && units >= page_units(n); units /= 2)
		c = chunk_new(n, units, zero ? NS_RUN_ZERO : 0);
	if (c == NULL)
		return false;
	ns_lock(&n->lock);
	if (is_needed(n, c) || missing > n->keep) {
		ns_vm_chunk_add(n, c);
	} else {
		spare = chunk_unit(c);
		ns_vm_put_structs(n, c->pages, spare->nunits);
	}
	ns_unlock(&n->lock);
	ns_vm_give_back(spare);
	return true;
}

/* Pages that are never freed: see 7. */

bool
ns_vm_grow_nofree(struct ns_vm_node *n)
{
	size_t units = ns_load_relaxed(&n->nnofree) * n->page_size / NS_UNIT;
	struct ns_unit *spare = NULL;
	struct ns_vm_chunk *c;

	units = ns_max(ns_min(units, n->max_units), page_units(n));
	c = chunk_new(n, units, NS_RUN_ZERO);
	if (c == NULL)
		return false;
	ns_lock(&n->lock);
	if (n->nofree == NULL || n->nofree->nfree == 0) {
		join(n, c);
		n->nofree = c;
		ns_owner_add(&n->nnofree, c->npages);
	} else {
		spare = chunk_unit(c);
		ns_vm_put_structs(n, c->pages, spare->nunits);
	}
	ns_unlock(&n->lock);
	ns_vm_give_back(spare);
	return true;
}

struct vm_page *
ns_vm_take_nofree(struct ns_vm_node *n)
{
	struct ns_vm_chunk *c = n->nofree;

	if (c == NULL || c->nfree == 0)
		return NULL;
	c->nfree--;
	return ns_vm_carve(c);
}

/* Pages. */

static bool
has_dirty(const struct ns_vm_chunk *c)
{
	return c->dirty != NULL ||
	       (!chunk_unit(c)->zero && c->carved < c->npages);
}

static bool
has_fresh(const struct ns_vm_chunk *c)
{
	return c->zeroed != NULL ||
	       (chunk_unit(c)->zero && c->carved < c->npages);
}

struct vm_page *
ns_vm_carve(struct ns_vm_chunk *c)
{
	struct ns_unit *u = chunk_unit(c);
	struct vm_page *m = &c->pages[c->carved];

	m->addr = ns_unit_addr(u) + c->carved * (ns_page_size << c->order);
	m->order = c->order;
	m->fixed = 0;
	m->nodump = 0;
	m->zero = u->zero;
	m->lock_epoch = 0;
	ns_store_relaxed(&m->state, NS_VM_SPARE);
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
		m = ns_vm_carve(c);
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
		m = ns_vm_carve(c);
	if (!has_dirty(c))
		ns_list_remove(&c->free_link);
	c->nfree--;
	return m;
}

static struct ns_vm_chunk *
chunk_of_link(struct ns_list *l, bool fresh)
{
	return fresh ? ns_container_of(l, struct ns_vm_chunk, fresh_link)
		     : ns_container_of(l, struct ns_vm_chunk, free_link);
}

/* See 8. */
void
ns_vm_prefer(struct ns_vm_node *n, bool zero, uint32_t cpu)
{
	struct ns_list *list = zero ? &n->fresh : &n->dirty, *l, *free = NULL;
	struct ns_vm_chunk *c;
	unsigned looks = 0;

	ns_list_for_each (l, list) {
		c = chunk_of_link(l, zero);
		if (c->cpu == cpu + 1)
			break;
		if (c->cpu == 0 && free == NULL)
			free = l;
		if (++looks == FEW) {
			l = list;
			break;
		}
	}
	if (l == list && free == NULL)
		return;
	if (l == list) {
		l = free;
		chunk_of_link(l, zero)->cpu = cpu + 1;
	}
	ns_list_remove(l);
	ns_list_push(list, l);
}

/* A page out of the chunks, fresh or dirty if there is a choice; or NULL. */
struct vm_page *
ns_vm_take(struct ns_vm_node *n, bool zero)
{
	struct vm_page *m = zero ? take_fresh(n) : take_dirty(n);

	if (m == NULL)
		m = zero ? take_dirty(n) : take_fresh(n);
	if (m != NULL) {
		n->nfree--;
		ns_store_relaxed(&m->state, NS_VM_SPARE);
	}
	return m;
}

/* Takes what lies in [first, end) out of a list; how many. */
static uint32_t
unlist(struct vm_page **list, const struct vm_page *first,
       const struct vm_page *end)
{
	uint32_t count = 0;

	while (*list != NULL) {
		if (*list < first || *list >= end) {
			list = &(*list)->next;
			continue;
		}
		*list = (*list)->next;
		count++;
	}
	return count;
}

void
ns_vm_take_at(struct ns_vm_node *n, struct ns_vm_chunk *c, uint32_t first,
	      uint32_t count)
{
	struct vm_page *from = &c->pages[first], *m;

	/* What is carved on the way there is free, too. */
	while (c->carved < first + count) {
		m = ns_vm_carve(c);
		c->nfree--;
		n->nfree--;
		ns_vm_put(n, c, m);
	}
	unlist(&c->dirty, from, from + count);
	n->nzeroed -= unlist(&c->zeroed, from, from + count);
	if (!has_dirty(c))
		ns_list_remove(&c->free_link);
	if (!has_fresh(c))
		ns_list_remove(&c->fresh_link);
	c->nfree -= count;
	n->nfree -= count;
	for (m = from; m < from + count; m++)
		ns_store_relaxed(&m->state, NS_VM_SPARE);
}

void
ns_vm_put(struct ns_vm_node *n, struct ns_vm_chunk *c, struct vm_page *m)
{
	struct vm_page **list = m->zero ? &c->zeroed : &c->dirty;

	ns_store_relaxed(&m->state, NS_VM_FREE);
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
	ns_vm_put_structs(n, c->pages, chunk_unit(c)->nunits);
	return chunk_unit(c);
}

void
ns_vm_give_back(struct ns_unit *u)
{
	if (u == NULL)
		return;
	if (chunk_in(u)->nodump)
		ns_os_dump(ns_unit_addr(u), u->nunits * NS_UNIT, true);
	ns_run_free(u, u->zero && chunk_in(u)->carved == 0);
}
