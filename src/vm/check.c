/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/check.c - what a broken rule says, and what it is that a pointer names.
 *
 * 1. Each rule is a function that returns NULL, or the text for who broke it.
 *    Its place in the table is its bit in check.h.
 * 2. A rule looks at one moment.  A page that the caller keeps, as the rules
 *    ask for, does not change meanwhile; for one that nobody keeps the answer
 *    may be a false yes, never a false no.
 * 3. Who has busied a page is not recorded, so "busy" is by anybody.
 */
#include "vm/check.h"

_Noreturn void
ns_vm_die(const char *call, const void *m, const char *rule)
{
	const struct vm_page *page = m;
	int node = -1;

	if (ns_ours(m)) {
		node = ns_topo.node_of_slot[ns_slot_of(m)];
		ns_fatal("%s: page %p (memory %p) of node %d: %s", call, m,
			 page->addr, node, rule);
	}
	ns_fatal("%s: %p: %s", call, m, rule);
}

_Noreturn void
ns_vm_die_object(const char *call, const void *object, const char *rule)
{
	ns_fatal("%s: object %p: %s", call, object, rule);
}

/* What a run of the layer's is for, or 0: @p is in none. */
static enum ns_vm_role
role_of(const void *p)
{
	const struct ns_unit *u = ns_run_of(p);

	if (u == NULL || u->kind != NS_KIND_VM)
		return 0;
	return (enum ns_vm_role)((const struct ns_vm_meta *)u->body)->role;
}

static void
require_page(const char *call, const struct vm_page *m)
{
	if (role_of(m) != NS_VM_META || (uintptr_t)m % sizeof(*m) != 0)
		ns_fatal("%s: %p is not a page", call, (const void *)m);
}

/* Free pages pass as well: their state is the caller's business. */
struct ns_vm_chunk *
ns_vm_chunk_of(const char *call, const struct vm_page *m)
{
	struct ns_vm_chunk *c;
	struct ns_unit *u;

	require_page(call, m);
	u = ns_run_of(m->addr);
	if (u != NULL && u->kind == NS_KIND_VM) {
		c = (struct ns_vm_chunk *)u->body;
		/* Pairs with the release in carve: m is written. */
		if (c->role == NS_VM_CHUNK && m >= c->pages &&
		    m < c->pages + ns_load_acquire(&c->carved))
			return c;
	}
	ns_fatal("%s: %p on node %d is not an allocated page", call,
		 (const void *)m, ns_topo.node_of_slot[ns_slot_of(m)]);
}

/* The rules of pages. */

static bool
has(const struct vm_page *m, int flag)
{
	return (ns_load_relaxed(&m->flags) & flag) != 0;
}

static vm_object_t
object_of(const struct vm_page *m)
{
	return ns_load_relaxed(&m->object);
}

static bool
is_locked(const struct vm_page *m)
{
	vm_object_t object = object_of(m);

	return object != NULL && ns_rw_mine(&object->lock);
}

static const char *
in_use(const struct vm_page *m)
{
	switch (ns_load_relaxed(&m->state)) {
	case NS_VM_ALLOCATED:
		return NULL;
	case NS_VM_CACHED:
		return "it is cached";
	default:
		return "it is free";
	}
}

static const char *
loose(const struct vm_page *m)
{
	return object_of(m) == NULL ? NULL : "it is in an object";
}

static const char *
placed(const struct vm_page *m)
{
	return object_of(m) != NULL ? NULL : "it is in no object";
}

static const char *
wlocked(const struct vm_page *m)
{
	return ns_rw_wowned(&object_of(m)->lock)
		   ? NULL
		   : "the thread has not locked its object for writing";
}

static const char *
xbusy(const struct vm_page *m)
{
	return ns_vm_is_xbusy(m) ? NULL : "it is not exclusively busy";
}

static const char *
busy(const struct vm_page *m)
{
	return ns_vm_is_busy(m) ? NULL : "it is not busy";
}

static const char *
shared(const struct vm_page *m)
{
	return ns_vm_is_busy(m) && !ns_vm_is_xbusy(m) ? NULL
						      : "it is not shared";
}

static const char *
kept(const struct vm_page *m)
{
	return object_of(m) == NULL || ns_vm_is_busy(m) ||
		       ns_load_relaxed(&m->wire_count) != 0 || is_locked(m)
		   ? NULL
		   : "it is neither busy nor wired, nor its object locked";
}

static const char *
owned(const struct vm_page *m)
{
	return ns_vm_is_xbusy(m) || is_locked(m)
		   ? NULL
		   : "it is not exclusively busy, nor its object locked";
}

static const char *
clean(const struct vm_page *m)
{
	return has(m, PG_DIRTY) ? "it is dirty" : NULL;
}

static const char *
unwired(const struct vm_page *m)
{
	return ns_load_relaxed(&m->wire_count) != 0 ? "it is wired" : NULL;
}

static const char *
freeable(const struct vm_page *m)
{
	return has(m, PG_NOFREE) ? "it was allocated never to be freed" : NULL;
}

static const char *
movable(const struct vm_page *m)
{
	return m->fixed ? "its object is contiguous" : NULL;
}

static const char *(*const page_rules[])(const struct vm_page *) = {
	in_use, loose, placed, wlocked, xbusy,    busy,    shared,
	kept,   owned, clean,  unwired, freeable, movable,
};

const char *
ns_vm_broken(const struct vm_page *m, unsigned rules)
{
	const char *broken = NULL;

	for (; rules != 0 && broken == NULL; rules &= rules - 1)
		broken = page_rules[__builtin_ctz(rules)](m);
	return broken;
}

void
ns_vm_require(const char *call, const struct vm_page *m, unsigned rules)
{
	const char *broken;

	if (rules == NS_VM_ANY)
		require_page(call, m);
	else
		ns_vm_chunk_of(call, m);
	broken = ns_vm_broken(m, rules);
	if (ns_unlikely(broken != NULL))
		ns_vm_die(call, m, broken);
}

/* The rules of objects. */

static const char *
object_rule(const struct vm_object *object, unsigned rules)
{
	const struct ns_rwlock *l = &object->lock;

	if ((rules & NS_VM_OBJ_WLOCKED) != 0 && !ns_rw_wowned(l))
		return "the thread has not locked it for writing";
	if ((rules & NS_VM_OBJ_RLOCKED) != 0 && !ns_rw_reads(l))
		return "the thread has not locked it for reading";
	if ((rules & NS_VM_OBJ_LOCKED) != 0 && !ns_rw_wowned(l) &&
	    !ns_rw_reads(l))
		return "the thread has not locked it";
	if ((rules & NS_VM_OBJ_UNLOCKED) != 0 && ns_rw_mine(l))
		return "the thread has locked it";
	return NULL;
}

void
ns_vm_require_object(const char *call, vm_object_t object, unsigned rules)
{
	const char *broken = NULL;

	if (ns_unlikely(role_of(object) != NS_VM_RECORDS || object->size == 0))
		ns_fatal("%s: %p is not an object", call, (void *)object);
	if (rules != NS_VM_OBJ_ANY)
		broken = object_rule(object, rules);
	if (ns_unlikely(broken != NULL))
		ns_vm_die_object(call, object, broken);
}

#ifdef NS_DEBUG
void
ns_vm_expect_no_lock(const char *call)
{
	const struct ns_rwlock *l = ns_rw_any();

	if (l != NULL)
		ns_vm_die_object(call,
				 ns_container_of(l, struct vm_object, lock),
				 "the thread has locked it");
}
#endif

void
ns_vm_require_arg(const char *call, const void *arg, const char *name)
{
	if (ns_unlikely(arg == NULL))
		ns_fatal("%s: %s is NULL", call, name);
}
