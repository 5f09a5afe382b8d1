/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/debug.c - red zones, poison and tracks around the objects of a cache.
 *
 * 1. A cache with any of the flags is special (slab.h): its slabs' tag is no
 *    heap's and its magazines stay closed, so no fast path ever has one of its
 *    objects, and no fast path asks.  Its link is behind the object.
 * 2. A zone holds one value while its object is free and another while it is
 *    in use; poison fills a free object, unless a constructor made it or
 *    readers may look at it.  Both are painted first when the object is
 *    carved: the cache's constructor is ours, and calls the program's.
 * 3. What was overwritten is found when the object changes hands the next
 *    time, or when its slab is given back.  The report names the object, both
 *    tracks, and the first byte; then the process aborts.
 * 4. A cache with a limit, an account or a policy is special too, so that each
 *    call is counted, but not watched: it has magazines, which only counted.c
 *    uses.
 * 5. malloc's classes are watched by their names, kmalloc-64 for one, from the
 *    library's wake on; the zone of a block begins where what was asked for
 *    ends.  Call stacks are taken once the library's constructor has loaded
 *    what that needs.
 * 6. What it gives up: a write beyond the zones, and one that leaves the same
 *    values, go unseen; so does a read.
 */
#include "slab/debug.h"

#include "slab/account.h"
#include "slab/counted.h"

#include "base/options.h"

#include <errno.h>
#include <string.h>

#define LEFT         16u
#define RIGHT_LEAST  8u
#define ZONE_FREE    0xbb
#define ZONE_IN_USE  0xcc
#define POISON_FREE  0x6b
#define POISON_END   0xa5 /* of the last byte */
#define POISON_FRESH 0x5a

/* --- painting --- */

static bool
is_poisoned(const struct kmem_cache *c)
{
	return (c->flags & SLAB_POISON) != 0 && c->user_ctor == NULL &&
	       !ns_is_typesafe(c);
}

/* Where the zone behind an object in use begins. */
static size_t
end_of(const struct kmem_cache *c, const char *obj, int value)
{
	return value == ZONE_IN_USE ? ns_debug_size(c, obj) : c->objsize;
}

static void
paint_zones(const struct kmem_cache *c, char *obj, int value)
{
	size_t end = end_of(c, obj, value);

	if (c->zone == 0)
		return;
	memset(obj - LEFT, value, LEFT);
	memset(obj + end, value, c->zone - end);
}

static void
paint_free(const struct kmem_cache *c, char *obj)
{
	paint_zones(c, obj, ZONE_FREE);
	if (!is_poisoned(c))
		return;
	memset(obj, POISON_FREE, c->objsize - 1);
	obj[c->objsize - 1] = (char)POISON_END;
}

/* The constructor of every such cache. */
static void
construct(void *obj)
{
	const struct kmem_cache *c = ns_slab_of(obj)->cache;

	paint_free(c, obj);
	if (c->asked != 0)
		*ns_asked_of(c, obj) = 0;
	if (c->track != 0)
		memset(ns_track_of(c, obj), 0, 2 * sizeof(struct ns_track));
	if (c->user_ctor != NULL)
		c->user_ctor(obj);
}

unsigned
ns_debug_lay_out(struct kmem_cache *c, unsigned size, unsigned align,
		 slab_flags_t flags, unsigned plain)
{
	unsigned at = (unsigned)ns_round_up(size, sizeof(void *));

	c->lead = c->zone = c->track = c->asked = 0;
	if ((flags & NS_DEBUG_FLAGS) == 0)
		return plain;
	c->use = NS_USE_SPECIAL;
	c->ctor = construct;
	if ((flags & SLAB_RED_ZONE) != 0) {
		at = c->zone = at + RIGHT_LEAST;
		c->lead = (unsigned)ns_round_up(LEFT, align);
	}
	c->link_off = at;
	at += (unsigned)sizeof(struct ns_free);
	if (c->id < NS_NCLASS) {
		c->asked = at;
		at += (unsigned)sizeof(size_t);
	}
	if ((flags & SLAB_STORE_USER) != 0) {
		c->track = at;
		at += 2 * (unsigned)sizeof(struct ns_track);
	}
	return c->zone != 0 ? at + LEFT : at;
}

/* --- checking --- */

/* Where an object is looked at, and by which call. */
struct look {
	const struct ns_slab *slab;
	const char *obj, *call;
};

static _Noreturn void
die(const struct look *l, const char *what, const unsigned char *at, int wanted)
{
	char rule[128];

	ns_format(rule, sizeof(rule), "%s: the byte at %p is 0x%x, not 0x%x",
		  what, at, *at, (unsigned)wanted);
	ns_broken(l->call, NULL, l->obj, rule);
}

static void
check_bytes(const struct look *l, const char *what, const char *from, size_t n,
	    int value)
{
	const unsigned char *p = (const unsigned char *)from;

	for (size_t i = 0; i < n; i++)
		if (ns_unlikely(p[i] != value))
			die(l, what, p + i, value);
}

static void
check_zones(const struct look *l, int value)
{
	const struct kmem_cache *c = l->slab->cache;
	size_t end = end_of(c, l->obj, value);

	if (c->zone == 0)
		return;
	check_bytes(l, "written to before its start", l->obj - LEFT, LEFT,
		    value);
	check_bytes(l, "written to behind its end", l->obj + end, c->zone - end,
		    value);
}

static void
check_free(const struct ns_slab *s, const char *obj, const char *call)
{
	static const char what[] = "written to after it was freed";
	const struct look l = { s, obj, call };
	const struct kmem_cache *c = s->cache;

	check_zones(&l, ZONE_FREE);
	if (!is_poisoned(c))
		return;
	check_bytes(&l, what, obj, c->objsize - 1, POISON_FREE);
	check_bytes(&l, what, obj + c->objsize - 1, 1, POISON_END);
}

static void
trace(const struct kmem_cache *c, const char *what, const void *obj)
{
	if ((c->flags & SLAB_TRACE) != 0)
		ns_warn("trace %s: %s %p, node %d, thread %d", c->name, what,
			obj, numaslab_node_of(obj), ns_os_tid());
}

bool
ns_debug_fails(struct kmem_cache *c, gfp_t gfp)
{
	if ((c->flags & SLAB_FAILSLAB) == 0 || ns_options.failslab == 0 ||
	    (gfp & __GFP_NOFAIL) != 0 ||
	    ns_add_relaxed(&c->requests, 1ul) % ns_options.failslab != 0)
		return false;
	errno = ENOMEM;
	return true;
}

static ns_noinline void
hand_out(const struct kmem_cache *c, char *obj, size_t size)
{
	check_free(ns_slab_of(obj), obj,
		   c->id < NS_NCLASS ? "kmalloc" : "kmem_cache_alloc");
	if (c->asked != 0)
		*ns_asked_of(c, obj) = size;
	paint_zones(c, obj, ZONE_IN_USE);
	if (is_poisoned(c))
		memset(obj, POISON_FRESH, size);
	if (c->track != 0)
		ns_track_set(ns_track_of(c, obj));
	trace(c, "alloc", obj);
}

void *
ns_debug_take(struct kmem_cache *c, size_t size, unsigned slot, gfp_t gfp)
{
	void *obj;

	if (!ns_limit_charge(c)) {
		errno = ENOMEM;
		return NULL;
	}
	obj = ns_cache_alloc(c, slot, gfp);
	if (obj == NULL)
		ns_limit_uncharge(c);
	else if (ns_is_watched(c))
		hand_out(c, obj, size);
	return obj;
}

void
ns_debug_free(const struct ns_slab *s, void *obj, const char *call)
{
	struct kmem_cache *c = s->cache;
	uint32_t i = ns_index_of(s, obj);

	if (s->first + (size_t)i * s->size != (char *)obj ||
	    i >= ns_load_relaxed(&s->marked) ||
	    ns_free_of(c, obj)->mark == s->mark)
		return;
	if (ns_is_watched(c)) {
		check_zones(&(const struct look){ s, obj, call }, ZONE_IN_USE);
		paint_free(c, obj);
		if (c->track != 0)
			ns_track_set(ns_track_of(c, obj) + 1);
		trace(c, "free", obj);
	}
	ns_limit_uncharge(c);
	ns_account_return(s, obj);
}

void
ns_debug_slab_gone(const struct ns_slab *s)
{
	for (uint32_t i = 0; i < s->carved; i++)
		check_free(s, s->first + (size_t)i * s->size, "slab release");
}
