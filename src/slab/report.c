/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/report.c - what is known of an object, in lines on standard error.
 *
 * Tracks are taken by glibc's unwinder, which once loaded allocates nothing
 * (ns_debug_prepare loads it).  Names of functions are looked up only here, on
 * the way to an abort, or for a leak at kmem_cache_destroy.
 */
#include "page/pool.h"
#include "slab/debug.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>

#define SKIPPED   2 /* frames: ns_track_set and its caller */
#define LEAKS_MAX 8u

ns_noinline void
ns_track_set(struct ns_track *t)
{
	void *at[NS_STACK + SKIPPED];
	int n = backtrace(at, NS_STACK + SKIPPED) - SKIPPED;

	t->thread = (uint32_t)ns_os_tid();
	t->depth = n > 0 ? (uint32_t)n : 0;
	memcpy(t->at, at + SKIPPED, t->depth * sizeof(void *));
}

static void
tell_track(const char *what, const struct ns_track *t)
{
	Dl_info info;

	if (t->thread == 0)
		return;
	ns_warn("  %s by thread %u:", what, t->thread);
	for (uint32_t i = 0; i < ns_min(t->depth, NS_STACK); i++) {
		const char *at = t->at[i];

		if (dladdr(at, &info) == 0)
			ns_warn("    %p", at);
		else if (info.dli_sname == NULL)
			ns_warn(
			    "    %p (%s+0x%lx)", at, info.dli_fname,
			    (unsigned long)(at - (const char *)info.dli_fbase));
		else
			ns_warn(
			    "    %p %s+0x%lx (%s)", at, info.dli_sname,
			    (unsigned long)(at - (const char *)info.dli_saddr),
			    info.dli_fname);
	}
}

static bool
is_free(const struct ns_slab *s, const char *obj)
{
	return ns_free_of(s->cache, (void *)obj)->mark == s->mark;
}

static void
tell(const struct ns_slab *s, const char *obj)
{
	const struct kmem_cache *c = s->cache;

	ns_warn("  object %p of %u bytes, cache %s, node %d: %s", obj,
		c->objsize, c->name, numaslab_node_of(obj),
		is_free(s, obj) ? "free" : "in use");
	if (c->track == 0)
		return;
	tell_track("allocated", ns_track_of(c, obj));
	tell_track("freed", ns_track_of(c, obj) + 1);
}

void
ns_debug_about(const struct ns_slab *s, const void *p)
{
	uint32_t i = ns_index_of(s, p);

	if (ns_is_special(s->cache) && i < ns_load_relaxed(&s->marked))
		tell(s, s->first + (size_t)i * s->size);
}

static void
tell_live(const struct ns_slab *s, unsigned *told)
{
	for (uint32_t i = 0; i < s->carved && *told < LEAKS_MAX; i++) {
		const char *obj = s->first + (size_t)i * s->size;

		if (is_free(s, obj))
			continue;
		tell(s, obj);
		++*told;
	}
}

/* Full slabs are in no list: the descriptors know them. */
void
ns_debug_leaks(const struct kmem_cache *c)
{
	unsigned told = 0;

	if (!ns_is_special(c))
		return;
	for (unsigned slot = 0; slot < ns_topo.nslots; slot++) {
		const struct ns_pool *p = &ns_pools[slot];
		struct ns_unit *u = ns_units + p->first * NS_EXTENT_UNITS;

		for (size_t n = p->committed * NS_EXTENT_UNITS; n > 0; n--, u++)
			if (ns_load_acquire(&u->kind) == NS_KIND_SLAB &&
			    ((struct ns_slab *)(void *)u)->cache == c)
				tell_live((struct ns_slab *)(void *)u, &told);
	}
}
