/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/books.c - are a node's books right?  For tests and debug builds. */
#include "vm/vm.h"

struct sums {
	uint64_t free, pages, allocated, away, cached, zeroed;
};

static void
must(bool cond, const char *what, unsigned slot)
{
	if (!cond)
		ns_fatal("pages of slot %u: %s", slot, what);
}

static void
check_page(const struct ns_vm_chunk *c, uint32_t i, struct sums *sum,
	   unsigned slot)
{
	const struct vm_page *m = &c->pages[i];
	struct ns_unit *u = ns_container_of(c, struct ns_unit, body);

	must(m->addr == ns_unit_addr(u) + i * ns_vm_bytes(m) &&
		 m->order == c->order,
	     "address", slot);
	must(ns_vm_chunk_of("check", m) == c, "page of another chunk", slot);
	switch (ns_load_relaxed(&m->state)) {
	case NS_VM_FREE:
	case NS_VM_SPARE:
		break;
	case NS_VM_RESERVE:
		sum->away++;
		break;
	case NS_VM_CACHED:
		must(m->object != NULL, "cached page without object", slot);
		sum->cached++;
		break;
	default:
		sum->allocated++;
	}
}

static uint32_t
count_list(const struct ns_vm_chunk *c, const struct vm_page *m, bool zero,
	   unsigned slot)
{
	uint32_t count = 0;

	for (; m != NULL; m = m->next, count++) {
		must(m >= c->pages && m < c->pages + c->carved,
		     "free list leaves its chunk", slot);
		must(ns_load_relaxed(&m->state) == NS_VM_FREE,
		     "page of a free list is not free", slot);
		must(m->zero == zero, "page in the list of others", slot);
		must(count < c->npages, "free list has a loop", slot);
	}
	return count;
}

static void
check_chunk(struct ns_vm_node *n, struct ns_vm_chunk *c, struct sums *sum)
{
	struct ns_unit *u = ns_container_of(c, struct ns_unit, body);
	uint32_t i, uncarved = c->npages - c->carved;
	uint32_t dirty = count_list(c, c->dirty, false, n->slot);
	uint32_t zeroed = count_list(c, c->zeroed, true, n->slot);

	must(c->role == NS_VM_CHUNK && u->slot == n->slot &&
		 c->order == n->order,
	     "chunk", n->slot);
	must(c->npages == u->nunits * NS_UNIT / n->page_size &&
		 c->carved <= c->npages,
	     "size of a chunk", n->slot);
	must(c->nfree == dirty + zeroed + uncarved, "free pages of a chunk",
	     n->slot);
	sum->pages += c->npages;
	for (i = 0; i < c->carved; i++)
		check_page(c, i, sum, n->slot);
	if (c == n->nofree) {
		must(ns_list_empty(&c->free_link) &&
			 ns_list_empty(&c->fresh_link),
		     "pages never freed are listed", n->slot);
		return;
	}
	must(ns_list_empty(&c->free_link) ==
		 (dirty == 0 && (u->zero || uncarved == 0)),
	     "dirty list", n->slot);
	must(ns_list_empty(&c->fresh_link) ==
		 (zeroed == 0 && (!u->zero || uncarved == 0)),
	     "fresh list", n->slot);
	sum->free += c->nfree;
	sum->zeroed += zeroed;
}

static void
check_queue(const struct ns_vm_node *n, uint8_t queue)
{
	const struct ns_list *l;
	uint64_t count = 0;

	ns_list_for_each (l, &n->queue[queue]) {
		const struct vm_page *m =
		    ns_container_of(l, struct vm_page, link);

		must(m->queue == queue && ns_vm_node_of(m) == n,
		     "page in another queue", n->slot);
		must(ns_load_relaxed(&m->state) == NS_VM_ALLOCATED &&
			 ns_load_relaxed(&m->object) != NULL,
		     "page in a queue and in no object", n->slot);
		must(count++ < n->nqueue[queue], "queue has a loop", n->slot);
	}
	must(count == n->nqueue[queue], "pages in a queue", n->slot);
}

static uint64_t
in_reserve(const struct ns_vm_node *n)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < n->intr; i++)
		pages += ns_load_relaxed(&n->reserve[i]) != NULL;
	return pages;
}

void
ns_vm_check(unsigned node)
{
	struct ns_vm_node *n = &ns_vm_nodes[node];
	unsigned slot = n->slot;
	struct sums sum = { 0, 0, 0, 0, 0, 0 };
	struct ns_list *l;

	ns_lock(&n->qlock);
	for (uint8_t queue = 0; queue < NS_VM_QUEUES; queue++)
		check_queue(n, queue);
	ns_lock(&n->lock);
	ns_list_for_each (l, &n->chunks)
		check_chunk(n, ns_container_of(l, struct ns_vm_chunk, link),
			    &sum);
	must(sum.free == n->nfree, "free pages", slot);
	must(sum.pages == n->npages, "all pages", slot);
	must(sum.zeroed == n->nzeroed, "zeroed pages", slot);
	must(ns_load_relaxed(&n->nreserve) <= n->intr, "reserve", slot);
	must(in_reserve(n) <= n->intr, "words of the reserve", slot);
	/* A page between two owners' hands is in no sum. */
	must(sum.free + sum.allocated + sum.away + sum.cached <= sum.pages,
	     "states", slot);
	must(sum.cached == n->ncached, "cached pages", slot);
	ns_unlock(&n->lock);
	ns_unlock(&n->qlock);
}
