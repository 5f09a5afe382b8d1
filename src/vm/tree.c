/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/tree.c - pages by index, found without a lock.
 *
 * 1. A radix tree of 64 ways, as high as the object's size asks for, of which
 *    only the nodes with entries exist.  An entry's low bits say what it is:
 *    a node, a page, or a cached page.
 * 2. Who changes it holds the object's lock for writing; there is one
 *    exception, 4.  A node is linked when it is ready (release), and leaves
 *    when its last entry has.
 * 3. Who reads it holds nothing.  Nodes are records (vm.h): one that left
 *    while a reader was in it is empty, or a node of another tree by now, and
 *    what the reader finds there is a node or a page in any case, told apart
 *    by their bits, for as many steps as its own tree is high.  So a reader
 *    always ends up with a page or nothing, and then asks the page for its
 *    object and index (resident.c).  A page that is there during the whole
 *    lookup is found: all nodes above it have an entry, so none leaves.
 * 4. Stealing a cached page clears its entry under its memory node's lock
 *    only.  Its tree node has that entry until then and stays; afterwards the
 *    thief does not touch it any more.  A node that is empty by theft stays
 *    until an entry beside it leaves or the object is destroyed.
 * 5. What it gives up: a lookup in an object of many pages takes a step for
 *    each factor of 64, however few of them exist.
 */
#include "vm/vm.h"

#include <string.h>

#define IS_NODE   2ul
#define IS_CACHED 1ul
#define BITS      3ul

struct tnode {
	struct ns_vm_record free; /* [v] while in a free list */
	uint64_t present;         /* [a] a bit for each entry that is not 0 */
	uint64_t pad[6];
	uintptr_t entry[NS_VM_TREE_WAYS]; /* [a] */
};
_Static_assert(sizeof(struct tnode) == NS_VM_RECORD, "a record");

static unsigned
way(vm_pindex_t at, unsigned level)
{
	return (unsigned)(at >> (NS_VM_TREE_BITS * level)) % NS_VM_TREE_WAYS;
}

static struct tnode *
node_of(uintptr_t entry)
{
	return (struct tnode *)(entry & ~BITS);
}

static struct ns_vm_entry
decode(uintptr_t entry)
{
	return (struct ns_vm_entry){
		.page = (struct vm_page *)(entry & ~BITS),
		.cached = (entry & IS_CACHED) != 0,
	};
}

void
ns_vm_tree_init(struct ns_vm_tree *t, vm_pindex_t size, unsigned slot)
{
	t->root = 0;
	t->slot = slot;
	t->levels = 1;
	for (size = (size - 1) >> NS_VM_TREE_BITS; size != 0;
	     size >>= NS_VM_TREE_BITS)
		t->levels++;
}

/* The last node on the way to @at, or NULL. */
static struct tnode *
leaf_of(const struct ns_vm_tree *t, vm_pindex_t at)
{
	uintptr_t entry = ns_load_acquire(&t->root);
	unsigned level;

	for (level = t->levels - 1; level > 0; level--) {
		if ((entry & IS_NODE) == 0)
			return NULL;
		/* Pairs with the releases in prepare and put. */
		entry = ns_load_acquire(&node_of(entry)->entry[way(at, level)]);
	}
	return (entry & IS_NODE) != 0 ? node_of(entry) : NULL;
}

struct ns_vm_entry
ns_vm_tree_get(const struct ns_vm_tree *t, vm_pindex_t at)
{
	struct tnode *leaf = leaf_of(t, at);
	uintptr_t entry =
	    leaf != NULL ? ns_load_acquire(&leaf->entry[way(at, 0)]) : 0;

	return decode((entry & IS_NODE) != 0 ? 0 : entry);
}

static void
put(struct tnode *n, unsigned i, uintptr_t entry)
{
	/* In this order, so that a fork's child has no entry without its bit.
	 */
	__atomic_fetch_or(&n->present, 1ul << i, __ATOMIC_ACQ_REL);
	/* Pairs with the acquires in leaf_of and ns_vm_tree_get. */
	ns_store_release(&n->entry[i], entry);
}

/* Returns what is present afterwards. */
static uint64_t
drop(struct tnode *n, unsigned i)
{
	ns_store_release(&n->entry[i], 0);
	return __atomic_and_fetch(&n->present, ~(1ul << i), __ATOMIC_ACQ_REL);
}

/* Makes the nodes on the way to @at; false: no memory.  Then set cannot fail.
 */
bool
ns_vm_tree_prepare(struct ns_vm_tree *t, vm_pindex_t at)
{
	struct tnode *above = NULL, *n;
	uintptr_t entry = ns_load_relaxed(&t->root);
	unsigned level = t->levels;

	for (;;) {
		if (entry == 0) {
			n = ns_vm_record_get(t->slot, NS_VM_TREE);
			if (n == NULL) {
				ns_vm_tree_trim(t, at);
				return false;
			}
			entry = (uintptr_t)n | IS_NODE;
			if (above != NULL)
				put(above, way(at, level), entry);
			else
				ns_store_release(&t->root, entry);
		}
		if (--level == 0)
			return true;
		above = node_of(entry);
		entry = ns_load_relaxed(&above->entry[way(at, level)]);
	}
}

void
ns_vm_tree_set(struct ns_vm_tree *t, vm_pindex_t at, struct ns_vm_entry e)
{
	put(leaf_of(t, at), way(at, 0),
	    (uintptr_t)e.page | (e.cached ? IS_CACHED : 0));
}

/* Takes the empty nodes on the way to @at out, from below. */
void
ns_vm_tree_trim(struct ns_vm_tree *t, vm_pindex_t at)
{
	struct tnode *path[64 / NS_VM_TREE_BITS + 1];
	uintptr_t entry = ns_load_relaxed(&t->root);
	unsigned level = t->levels, depth = 0;

	while ((entry & IS_NODE) != 0 && level-- > 0) {
		path[depth++] = node_of(entry);
		entry =
		    ns_load_relaxed(&path[depth - 1]->entry[way(at, level)]);
	}
	while (depth > 0 && ns_load_acquire(&path[depth - 1]->present) == 0) {
		depth--;
		if (depth > 0)
			drop(path[depth - 1], way(at, t->levels - depth));
		else
			ns_store_release(&t->root, 0);
		ns_vm_record_put(path[depth], NS_VM_TREE);
	}
}

void
ns_vm_tree_clear(struct ns_vm_tree *t, vm_pindex_t at)
{
	if (drop(leaf_of(t, at), way(at, 0)) == 0)
		ns_vm_tree_trim(t, at);
}

void
ns_vm_tree_steal(struct ns_vm_tree *t, vm_pindex_t at)
{
	drop(leaf_of(t, at), way(at, 0));
}

static void
free_below(struct tnode *n, unsigned level)
{
	unsigned i;

	for (i = 0; level > 0 && i < NS_VM_TREE_WAYS; i++)
		if (n->entry[i] != 0)
			free_below(node_of(n->entry[i]), level - 1);
	memset(n, 0, sizeof(*n));
	ns_vm_record_put(n, NS_VM_TREE);
}

/* What thieves left. */
void
ns_vm_tree_free(struct ns_vm_tree *t)
{
	if (t->root != 0)
		free_below(node_of(t->root), t->levels - 1);
	t->root = 0;
}

/* In @n, which covers indices from @base on. */
static struct ns_vm_entry
next_in(const struct tnode *n, unsigned level, vm_pindex_t base,
	vm_pindex_t *at)
{
	unsigned from = *at > base ? way(*at, level) : 0;
	uint64_t map = ns_load_acquire(&n->present) >> from << from;
	struct ns_vm_entry e;

	for (; map != 0; map &= map - 1) {
		vm_pindex_t here = base + ((vm_pindex_t)ns_ctz(map)
					   << (NS_VM_TREE_BITS * level));
		uintptr_t entry = ns_load_acquire(&n->entry[ns_ctz(map)]);

		if (entry == 0)
			continue; /* stolen just now, or a fork's */
		if (*at < here)
			*at = here;
		e = level == 0 ? decode(entry)
			       : next_in(node_of(entry), level - 1, here, at);
		if (e.page != NULL)
			return e;
	}
	return decode(0);
}

struct ns_vm_entry
ns_vm_tree_next(const struct ns_vm_tree *t, vm_pindex_t *at)
{
	uintptr_t root = ns_load_acquire(&t->root);

	if (root == 0)
		return decode(0);
	return next_in(node_of(root), t->levels - 1, 0, at);
}
