/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/stats.c - the figures, by one walk, from inside or outside.
 *
 * What the slow paths count is in the pools and the threads' records.  What
 * they do not count, live bytes, is read off the unit descriptors: an owned
 * slab has used minus what others have freed into it, any other one carved
 * minus its shared list; and what lies in magazines and holds is free.
 * Everything goes through @read, so the numaslab command walks another process
 * with the same code.  Values move meanwhile; each is read once, and nothing
 * read is trusted as an address without a bound.
 */
#include "page/pool.h"
#include "slab/slab.h"

#include <errno.h>
#include <string.h>

#define THREADS_MAX (1u << 20) /* a list longer than this is being changed */
#define CHUNK       16u        /* descriptors at a time: stacks are small */

__attribute__((visibility("default"))) const struct ns_root numaslab_root = {
	.magic = { 'n', 'u', 'm', 'a', 's', 'l', 'a', 'b' },
	.version = NS_ROOT_VERSION,
	.root_size = sizeof(struct ns_root),
	.base = &ns_base,
	.total = &ns_total,
	.span_shift = &ns_span_shift,
	.units = &ns_units,
	.topo = &ns_topo,
	.pools = ns_pools,
	.threads = &ns_threads,
	.dead = &ns_dead,
};

/* A walk covers slots [first, end); out is for the first. */
struct walk {
	ns_read_fn read;
	void *ctx;
	const struct ns_root *root;
	struct ns_unit *units;
	unsigned first, end;
	const struct kmem_cache *only; /* of objects, those of one; or NULL */
	struct ns_node_figures *out;
};

#define READ(w, dst, src) (w)->read((w)->ctx, (dst), (src), sizeof(*(dst)))

static void
add_slab(struct ns_node_figures *f, const struct ns_slab *s)
{
	uint32_t in_use, pending;
	bool unowned;

	pending = ns_slab_pending(s, &unowned);
	in_use = unowned ? s->carved : s->used;
	if (in_use > s->nobj || pending > in_use)
		return; /* caught in the middle of a change */
	f->live += (uint64_t)(in_use - pending) * s->size;
	f->slabs++;
}

static bool
is_asked_for(const struct walk *w, const struct ns_unit *u)
{
	const struct ns_slab *s = (const void *)u;

	return w->only == NULL || s->cache == w->only;
}

static int
walk_units(struct walk *w, const struct ns_pool *p, struct ns_node_figures *f)
{
	size_t first = p->first * NS_EXTENT_UNITS;
	size_t n = p->committed * NS_EXTENT_UNITS, at = 0, got, i;
	struct ns_unit chunk[CHUNK];
	int error;

	while (at < n) {
		got = ns_min(n - at, CHUNK);
		error = w->read(w->ctx, chunk, w->units + first + at,
				got * sizeof(chunk[0]));
		if (error != 0)
			return error;
		for (i = 0; i < got; i++) {
			struct ns_unit *u = &chunk[i];

			if (u->kind == NS_KIND_SLAB && is_asked_for(w, u))
				add_slab(f, (const void *)u);
			if (u->kind != NS_KIND_LARGE || w->only != NULL)
				continue;
			f->live += ns_large_size(u);
			f->large_runs++;
		}
		at += got;
	}
	return 0;
}

static int
walk_pool(struct walk *w, unsigned slot)
{
	struct ns_node_figures *f = &w->out[slot - w->first];
	struct ns_pool p;
	uint16_t node;
	int64_t lent;
	int error;

	if ((error = READ(w, &p, &w->root->pools[slot])) != 0 ||
	    (error = READ(w, &node, &w->root->topo->node_of_slot[slot])) != 0)
		return error;
	if (p.committed > p.span)
		return -EPROTO;
	memset(f, 0, sizeof(*f));
	f->node = node;
	f->used = ns_pool_use(&p) << NS_UNIT_SHIFT;
	f->retained = p.retained << NS_UNIT_SHIFT;
	f->committed = p.committed << NS_EXTENT_SHIFT;
	f->span = p.span << NS_EXTENT_SHIFT;
	f->limit = p.limit << NS_UNIT_SHIFT;
	f->spilled = p.spilled;
	f->purged = p.purged << NS_UNIT_SHIFT;
	f->reclaimable = p.reclaimable << NS_UNIT_SHIFT;
	f->huge = p.full_extents << NS_EXTENT_SHIFT;
	error = walk_units(w, &p, f);
	lent = p.lent * (int64_t)NS_UNIT; /* less than 0: of others here */
	if (w->only == NULL && lent > (int64_t)f->live)
		f->live = 0;
	else if (w->only == NULL)
		f->live -= (uint64_t)lent;
	return error;
}

static int
walk_pools(struct walk *w)
{
	int error = 0;

	for (unsigned s = w->first; s < w->end && error == 0; s++)
		error = walk_pool(w, s);
	return error;
}

/* What lies in the magazines of a heap was counted as live with its slab. */
static int
sub_magazines(struct walk *w, const struct ns_heap *h, uint32_t nbins,
	      struct ns_node_figures *f)
{
	struct ns_bin chunk[CHUNK];
	uint32_t at = 1, got, i;
	uint64_t items, bytes;
	int error;

	if (w->only != NULL) {
		at = w->only->id;
		nbins = (uint32_t)ns_min(nbins, at + 1);
	}
	for (; at < ns_min(nbins, NS_MAX_CACHES); at += got) {
		got = (uint32_t)ns_min(nbins - at, CHUNK);
		error =
		    w->read(w->ctx, chunk, h->bin + at, got * sizeof(chunk[0]));
		if (error != 0)
			return error;
		for (i = 0; i < got; i++) {
			items = (uint64_t)(chunk[i].top - chunk[i].items);
			if (items > chunk[i].words)
				continue; /* caught in the middle */
			bytes = ns_min(items * chunk[i].size, f->live);
			f->live -= bytes;
			f->cached += bytes;
		}
	}
	return 0;
}

/* Adds what a thread, or all dead ones, counted. */
static int
add_thread(struct walk *w, const struct ns_thread *at)
{
	struct ns_node_figures *f = w->out;
	struct ns_thread_slot ts;
	uint32_t home;
	struct ns_heap h;
	unsigned s;
	int error;

	if ((error = READ(w, &home, &at->home)) != 0)
		return error;
	for (s = w->first; s < w->end; s++, f++) {
		if ((error = READ(w, &ts, &at->slot[s])) != 0)
			return error;
		f->local_frees += ts.local_frees;
		f->remote_frees += ts.remote_frees;
		if (ts.heap == NULL)
			continue;
		error = w->read(w->ctx, &h, ts.heap,
				offsetof(struct ns_heap, bin_of));
		if (error == 0)
			error = sub_magazines(w, ts.heap, h.nbins, f);
		if (error != 0)
			return error;
		if (s == home)
			f->local_frees += h.frees;
		else
			f->remote_frees += h.frees;
		f->cached += (uint64_t)h.hold.units << NS_UNIT_SHIFT;
	}
	return 0;
}

static int
walk_threads(struct walk *w)
{
	struct ns_list *head = w->root->threads, l;
	struct ns_thread *dead;
	unsigned n;
	int error;

	error = READ(w, &dead, w->root->dead);
	if (error == 0)
		error = add_thread(w, dead);
	if (error == 0)
		error = READ(w, &l, head);
	for (n = 0; error == 0 && l.next != head; n++) {
		const struct ns_list *at = l.next;

		if (n == THREADS_MAX)
			return -EPROTO;
		error =
		    add_thread(w, ns_container_of(at, struct ns_thread, link));
		if (error == 0)
			error = READ(w, &l, at);
	}
	return error;
}

int
ns_figures_collect(ns_read_fn read, void *ctx, const struct ns_root *root,
		   struct ns_node_figures *out, unsigned max)
{
	struct walk w = { .read = read, .ctx = ctx, .root = root, .out = out };
	unsigned nslots;
	size_t total;
	int error;

	if (memcmp(root->magic, "numaslab", 8) != 0 ||
	    root->version != NS_ROOT_VERSION ||
	    root->root_size != sizeof(*root))
		return -EPROTO;
	if ((error = READ(&w, &total, root->total)) != 0 ||
	    (error = READ(&w, &w.units, root->units)) != 0 ||
	    (error = READ(&w, &nslots, &root->topo->nslots)) != 0)
		return error;
	if (total == 0)
		return 0;
	if (nslots > NS_MAX_SLOTS)
		return -EPROTO;
	w.end = (unsigned)ns_min(nslots, max);
	error = walk_pools(&w);
	if (error == 0)
		error = walk_threads(&w);
	return error != 0 ? error : (int)nslots;
}

/* By words, for memcpy is one that ThreadSanitizer watches everywhere. */
__attribute__((no_sanitize("thread"))) static int
read_self(void *ctx, void *dst, const void *src, size_t n)
{
	const volatile uint64_t *words = src;
	const volatile char *bytes = src;
	size_t i;

	(void)ctx;
	for (i = 0; i < n / 8; i++)
		((uint64_t *)dst)[i] = words[i];
	for (i *= 8; i < n; i++)
		((char *)dst)[i] = bytes[i];
	return 0;
}

/* The registry's lock keeps the threads' records where they are. */
static void
figures(unsigned first, unsigned end, const struct kmem_cache *only,
	struct ns_node_figures *out)
{
	struct walk w = { .read = read_self,
			  .root = &numaslab_root,
			  .units = ns_units,
			  .first = first,
			  .end = end,
			  .only = only,
			  .out = out };

	walk_pools(&w);
	ns_lock(&ns_registry_lock);
	walk_threads(&w);
	ns_unlock(&ns_registry_lock);
}

unsigned
ns_figures(struct ns_node_figures *out, unsigned max)
{
	if (!ns_is_awake())
		return 0;
	figures(0, (unsigned)ns_min(ns_topo.nslots, max), NULL, out);
	return ns_topo.nslots;
}

void
ns_figures_of(unsigned slot, struct ns_node_figures *out)
{
	figures(slot, slot + 1, NULL, out);
}

void
ns_figures_of_cache(unsigned slot, const struct kmem_cache *c,
		    struct ns_node_figures *out)
{
	figures(slot, slot + 1, c, out);
}
