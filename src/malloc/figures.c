/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/figures.c - sums of figures, and the snapshot behind mallctl.
 *
 * 1. jemalloc's callers write "epoch" and then read many figures, which must
 *    fit together: they come from one snapshot.  Classes are counted only
 *    when somebody asks for a class, by a walk of their own.
 * 2. A walk costs time in proportion to the heap, and servers ask ten times
 *    a second.  A refresh that took more than a millisecond is not repeated
 *    until SPACING times as long has passed: a large heap's figures may be
 *    some tens of milliseconds old, and asking costs at most 1/SPACING of a
 *    CPU.
 * 3. The lock is not in the lock order, because the walk takes the
 *    registry's lock.  Nothing that holds a lock of the library comes here.
 *    It holds the owner's process id: fork()'s child finds its parent's, and
 *    takes it over.
 */
#include "malloc/figures.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define SPACING  25u
#define CHEAP_NS 1000000u

static uint32_t owner; /* [a] process id of the holder, or 0 */

/* [s] the snapshot's lock. */
static uint64_t epoch;
static uint64_t taken_at, cost; /* ns */
static unsigned nnodes;
static bool classes_valid;
static struct ns_node_figures nodes[NS_MAX_SLOTS];
static struct ns_class_figures classes[NS_MAX_SLOTS][NS_NCLASS];

void
ns_figures_sum(const struct ns_node_figures *node, unsigned n,
	       struct ns_node_figures *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (; n > 0; n--, node++) {
		sum->live += node->live;
		sum->cached += node->cached;
		sum->used += node->used;
		sum->retained += node->retained;
		sum->committed += node->committed;
		sum->spilled += node->spilled;
		sum->purged += node->purged;
		sum->reclaimable += node->reclaimable;
		sum->huge += node->huge;
		sum->local_frees += node->local_frees;
		sum->remote_frees += node->remote_frees;
		sum->slabs += node->slabs;
		sum->large_runs += node->large_runs;
	}
}

uint64_t
ns_figures_metadata(const struct ns_node_figures *node)
{
	return (node->committed >> NS_UNIT_SHIFT) * sizeof(struct ns_unit);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
enter(void)
{
	uint32_t me = (uint32_t)getpid(), holder = 0;

	/* Pairs with the release in leave(). */
	while (!ns_cas_acquire(&owner, &holder, me)) {
		if (holder == me) {
			ns_os_sleep_on(&owner, me, 1);
			holder = 0;
		} else if (ns_cas_acquire(&owner, &holder, me)) {
			epoch = 0; /* our parent's, half written perhaps */
			return;
		}
	}
}

static void
leave(void)
{
	ns_store_release(&owner, 0u);
}

/*
 * Slabs are read while their owners change them: bounds, not trust.  As in
 * jemalloc, what a thread keeps at hand is in use for its slab.
 */
static void
count_slab(const struct ns_slab *s, struct ns_class_figures *of)
{
	const struct kmem_cache *c = ns_load_relaxed(&s->cache);
	uint32_t carved = ns_load_relaxed(&s->carved);
	uint32_t used = ns_load_relaxed(&s->used);
	uint32_t pending, live;
	bool unowned;

	if (c <= ns_caches || c >= ns_caches + NS_NCLASS)
		return;
	pending = ns_slab_pending(s, &unowned);
	live = unowned ? carved : used;
	live = live > pending ? live - pending : 0;
	if (carved > c->nobj || live > c->nobj)
		return;
	of += c - ns_caches;
	of->live += live;
	of->slabs++;
	of->nonfull += live < c->nobj;
}

static void
count_classes(void)
{
	struct ns_pool_stat st;
	struct ns_unit *u, *end;
	unsigned s;

	memset(classes, 0, sizeof(classes[0]) * nnodes);
	for (s = 0; s < nnodes; s++) {
		ns_pool_stat(s, &st);
		u = ns_unit_of(ns_base + ((size_t)s << ns_span_shift));
		end = u + (st.committed >> NS_UNIT_SHIFT);
		for (; u < end; u++)
			if (ns_load_acquire(&u->kind) == NS_KIND_SLAB)
				count_slab((const struct ns_slab *)(void *)u,
					   classes[s]);
	}
	classes_valid = true;
}

static void
take(void)
{
	uint64_t start = now_ns();

	nnodes = ns_figures(nodes, NS_MAX_SLOTS);
	classes_valid = false;
	epoch++;
	taken_at = now_ns();
	cost = taken_at - start;
}

void
ns_snapshot_refresh(void)
{
	enter();
	if (epoch == 0 || cost <= CHEAP_NS ||
	    now_ns() - taken_at >= cost * SPACING)
		take();
	else
		epoch++;
	leave();
}

static void
enter_valid(void)
{
	enter();
	if (epoch == 0)
		take();
}

uint64_t
ns_snapshot_epoch(void)
{
	uint64_t e;

	enter_valid();
	e = epoch;
	leave();
	return e;
}

void
ns_snapshot_node(unsigned slot, struct ns_node_figures *out)
{
	enter_valid();
	if (slot == NS_NO_SLOT)
		ns_figures_sum(nodes, nnodes, out);
	else
		*out = nodes[slot];
	leave();
}

void
ns_snapshot_class(unsigned slot, unsigned class, struct ns_class_figures *out)
{
	unsigned s;

	memset(out, 0, sizeof(*out));
	enter_valid();
	if (!classes_valid)
		count_classes();
	for (s = 0; s < nnodes; s++) {
		const struct ns_class_figures *c = &classes[s][class];

		if (slot != NS_NO_SLOT && slot != s)
			continue;
		out->live += c->live;
		out->slabs += c->slabs;
		out->nonfull += c->nonfull;
	}
	leave();
}
