/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/rule.c - a rule was broken: which call, which object, which rule.
 *
 * 1. A tag is a word that depends on its own address, on what it is the tag
 *    of and on a random key: a copy is none, nor is what a program writes.
 *    A dead thing has another word, until its memory is used again.
 * 2. A pointer that may be anything is first looked for where things lie: in
 *    the library's own memory, most of them.  A pool may be in the program's;
 *    there a debug build asks the kernel whether it can be read.
 */
#include "slab/debug.h"

static const char *const kinds[] = { "cache", "sheaf", "pool", "account",
				     "shrinker" };

static uint64_t
word_of(const struct ns_tag *t, enum ns_thing kind)
{
	return ((uintptr_t)t ^ ns_key) + kind;
}

void
ns_tag_set(struct ns_tag *t, enum ns_thing kind)
{
	ns_store_relaxed(&t->word, word_of(t, kind));
}

void
ns_tag_end(struct ns_tag *t, enum ns_thing kind)
{
	ns_store_relaxed(&t->word, ~word_of(t, kind));
}

bool
ns_tag_is_set(const struct ns_tag *t, enum ns_thing kind)
{
	return ns_load_relaxed(&t->word) == word_of(t, kind);
}

static bool
may_read(const struct ns_tag *t, enum ns_thing kind)
{
	const char *p = (const char *)t;

	if ((uintptr_t)t % sizeof(t->word) != 0 || (uintptr_t)t < NS_UNIT)
		return false;
	if (ns_ours(t))
		return ns_run_of(t) != NULL;
	if (kind == NS_CACHE)
		return p >= (const char *)ns_caches &&
		       p < (const char *)(ns_caches + NS_NCLASS);
#ifdef NS_DEBUG
	return kind == NS_POOL && ns_os_can_read(t, sizeof(*t));
#else
	return kind == NS_POOL;
#endif
}

static ns_cold void
no_thing(const void *p, const struct ns_tag *t, enum ns_thing kind,
	 const char *call)
{
	bool dead =
	    may_read(t, kind) && ns_load_relaxed(&t->word) == ~word_of(t, kind);
	char rule[32];

	ns_format(rule, sizeof(rule), dead ? "the %s was destroyed" : "no %s",
		  kinds[kind]);
	if (dead && kind == NS_CACHE)
		ns_broken(call, ((const struct kmem_cache *)p)->name, NULL,
			  rule);
	ns_broken(call, NULL, p, rule);
}

static const struct ns_tag *
tag_at(const void *p, ptrdiff_t offset)
{
	return (const struct ns_tag *)((uintptr_t)p + (uintptr_t)offset);
}

void
ns_check_thing(const void *p, ptrdiff_t offset, enum ns_thing kind,
	       const char *call)
{
	const struct ns_tag *t = tag_at(p, offset);

	if (ns_unlikely(p == NULL || !may_read(t, kind) ||
			!ns_tag_is_set(t, kind)))
		no_thing(p, t, kind, call);
}

bool
ns_is_thing(const void *p, ptrdiff_t offset, enum ns_thing kind,
	    const char *call)
{
	const struct ns_tag *t = tag_at(p, offset);

	if (p == NULL || !may_read(t, kind))
		no_thing(p, t, kind, call);
	return ns_tag_is_set(t, kind);
}

_Noreturn ns_cold void
ns_broken(const char *call, const char *name, const void *p, const char *rule)
{
	struct ns_unit *u = ns_run_of(p);
	const char *in = "none", *comma = name != NULL ? ", " : "";

	if (p == NULL)
		ns_fatal("%s(%s): %s", call, name != NULL ? name : "NULL",
			 rule);
	if (u != NULL && u->kind == NS_KIND_SLAB) {
		in = ((const struct ns_slab *)(const void *)u)->cache->name;
		ns_debug_about((const struct ns_slab *)(const void *)u, p);
	}
	ns_fatal("%s(%s%s%p): %s (cache %s, node %d)", call,
		 name != NULL ? name : "", comma, p, rule, in,
		 numaslab_node_of(p));
}
