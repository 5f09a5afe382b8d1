/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/shrinker.c - the program's own caches give memory back.
 *
 * 1. gfp.c calls ns_shrink with falling priority, 12 to 0, when a request has
 *    found no memory.  Of n objects a shrinker is asked for 4n / seeks shifted
 *    right by the priority, so one whose objects are dear gives up less.
 * 2. What is less than a batch is not asked for, but kept in mind by node, so
 *    that small caches have their turn later; at low priorities all of a small
 *    cache is a batch.  What was kept in mind never asks for more than twice
 *    what there is.
 * 3. The functions run with no lock held.  A shrinker that is being called is
 *    counted (calls), and stays in the list, so the walk goes on from there;
 *    shrinker_free forbids new calls and sleeps until there are none.
 * 4. A thread that is in a shrinker is known by `current`: its own requests
 *    may use the reserve, and shrink nothing (no recursion).
 * 5. fork()'s child has one thread; of its shrinkers, only the one it is in is
 *    being called.  One that another thread was about to free stays, unused.
 */
#include "numaslab/shrinker.h"

#include "slab/gfp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define DROP_PASSES 16u
#define COUNT_MAX   (1ul << 60) /* four times as many can be counted */

struct ns_shrinker {
	uint64_t spare[2];        /* where a freed block has link and mark */
	struct ns_tag tag;        /* [a] until it is freed */
	struct shrinker shrinker; /* the program's */
	struct ns_list link;      /* [s] */
	uint32_t calls;           /* [a] threads in it; written under [s] */
	bool listed, dead;        /* [s] */
	char name[32];            /* [I] */
	uint64_t deferred[];      /* [a] objects kept in mind, by slot */
};

static struct ns_lock lock = NS_LOCK_INIT(NS_RANK_SHRINKERS); /* [s] */
static struct ns_list shrinkers = { &shrinkers, &shrinkers }; /* [s] */
static __thread struct ns_shrinker *current ns_tls_model;

static struct ns_shrinker *
inside(struct shrinker *s)
{
	return ns_container_of(s, struct ns_shrinker, shrinker);
}

static void
check(const struct shrinker *s, const char *call)
{
	const ptrdiff_t before = offsetof(struct ns_shrinker, shrinker) -
				 offsetof(struct ns_shrinker, tag);

	ns_check_thing(s, -before, NS_SHRINKER, call);
}

bool
ns_is_shrinking(void)
{
	return current != NULL;
}

ns_export struct shrinker *
shrinker_alloc(unsigned int flags, const char *fmt, ...)
{
	struct ns_shrinker *s;
	va_list ap;

	if ((flags & ~SHRINKER_NUMA_AWARE) != 0 || fmt == NULL) {
		errno = EINVAL;
		return NULL;
	}
	if (ns_init() != 0) {
		errno = ENOMEM;
		return NULL;
	}
	s = kzalloc(sizeof(*s) + ns_topo.nslots * sizeof(s->deferred[0]),
		    GFP_KERNEL);
	if (s == NULL)
		return NULL;
	ns_tag_set(&s->tag, NS_SHRINKER);
	s->shrinker.flags = flags;
	s->shrinker.seeks = DEFAULT_SEEKS;
	ns_list_init(&s->link);
	va_start(ap, fmt);
	vsnprintf(s->name, sizeof(s->name), fmt, ap);
	va_end(ap);
	return &s->shrinker;
}

ns_export void
shrinker_register(struct shrinker *shrinker)
{
	struct ns_shrinker *s;
	const char *rule = NULL;

	check(shrinker, __func__);
	s = inside(shrinker);
	if (shrinker->count_objects == NULL)
		rule = "count_objects is NULL";
	else if (shrinker->scan_objects == NULL)
		rule = "scan_objects is NULL";
	else if (shrinker->seeks < 0 || shrinker->batch < 0)
		rule = "seeks or batch is negative";
	ns_lock(&lock);
	if (s->listed)
		rule = "registered already";
	if (rule == NULL) {
		s->listed = true;
		ns_list_append(&shrinkers, &s->link);
	}
	ns_unlock(&lock);
	if (rule != NULL)
		ns_broken(__func__, s->name, NULL, rule);
}

ns_export void
shrinker_free(struct shrinker *shrinker)
{
	struct ns_shrinker *s;
	uint32_t calls;

	if (shrinker == NULL)
		return;
	check(shrinker, __func__);
	s = inside(shrinker);
	if (s == current)
		ns_broken(__func__, s->name, NULL,
			  "called from its own functions");
	ns_lock(&lock);
	s->dead = true;
	while ((calls = s->calls) != 0) {
		ns_unlock(&lock);
		ns_os_sleep_on(&s->calls, calls, UINT64_MAX);
		ns_lock(&lock);
	}
	ns_list_remove(&s->link);
	ns_tag_end(&s->tag, NS_SHRINKER);
	ns_unlock(&lock);
	kfree(s);
}

/* --- calling them --- */

/*
 * Objects of one node to look at this time.  What is left of them, and what
 * others keep in mind meanwhile, is for the next.
 */
static unsigned long
share(struct ns_shrinker *s, unsigned slot, unsigned long n, unsigned priority,
      unsigned long *due)
{
	unsigned long seeks = (unsigned long)s->shrinker.seeks, part = n / 2;
	unsigned long old = ns_xchg_acquire(&s->deferred[slot], 0ul);

	if (seeks != 0)
		part = (n >> priority) * 4 / seeks;
	*due = old + part;
	return ns_min((old >> priority) + part, 2 * n);
}

static unsigned long
shrink_node(struct ns_shrinker *s, gfp_t gfp, unsigned slot, unsigned priority)
{
	struct shrink_control sc = { .gfp_mask = gfp,
				     .nid = ns_topo.node_of_slot[slot] };
	unsigned long n, todo, due, got, freed = 0, scanned = 0;
	unsigned long batch = (unsigned long)s->shrinker.batch;

	n = s->shrinker.count_objects(&s->shrinker, &sc);
	if (n == 0 || n == SHRINK_EMPTY)
		return 0;
	if (batch == 0)
		batch = SHRINK_BATCH;
	n = ns_min(n, COUNT_MAX);
	todo = share(s, slot, n, priority, &due);
	while (todo != 0 && (todo >= batch || todo >= n)) {
		sc.nr_to_scan = sc.nr_scanned = ns_min(batch, todo);
		got = s->shrinker.scan_objects(&s->shrinker, &sc);
		if (got == SHRINK_STOP)
			break;
		freed += got;
		scanned += sc.nr_scanned;
		if (sc.nr_scanned == 0)
			break;
		todo -= ns_min(todo, sc.nr_scanned);
	}
	due -= ns_min(due, scanned);
	ns_add_relaxed(&s->deferred[slot], ns_min(due, 2 * n));
	return freed;
}

/* On @slot, or on all nodes: once, if the shrinker does not tell them apart. */
static unsigned long
shrink_one(struct ns_shrinker *s, gfp_t gfp, unsigned slot, unsigned priority)
{
	unsigned long freed = 0;

	if (slot != NS_NO_SLOT)
		return shrink_node(s, gfp, slot, priority);
	for (slot = 0; slot < ns_topo.nslots; slot++) {
		if (!ns_topo.allowed[slot])
			continue;
		freed += shrink_node(s, gfp, slot, priority);
		if ((s->shrinker.flags & SHRINKER_NUMA_AWARE) == 0)
			break;
	}
	return freed;
}

/* The lock is held again at the end. */
static unsigned long
call(struct ns_shrinker *s, gfp_t gfp, unsigned slot, unsigned priority)
{
	unsigned long freed;

	ns_store_relaxed(&s->calls, s->calls + 1);
	ns_unlock(&lock);
	current = s;
	freed = shrink_one(s, gfp, slot, priority);
	current = NULL;
	ns_lock(&lock);
	ns_store_relaxed(&s->calls, s->calls - 1);
	if (s->dead)
		ns_os_wake(&s->calls);
	return freed;
}

unsigned long
ns_shrink(gfp_t gfp, unsigned slot, unsigned priority)
{
	unsigned long freed = 0;
	struct ns_list *l;
	int saved = errno;

	if (current != NULL)
		return 0;
	ns_lock(&lock);
	ns_list_for_each (l, &shrinkers) {
		struct ns_shrinker *s =
		    ns_container_of(l, struct ns_shrinker, link);

		if (!s->dead)
			freed += call(s, gfp, slot, priority);
	}
	ns_unlock(&lock);
	errno = saved;
	return freed;
}

/* A pass may make more freeable: what was used a moment ago, for one. */
ns_export unsigned long
drop_slab(void)
{
	unsigned long freed = 0, now = 1;

	if (current != NULL || ns_init() != 0)
		return 0;
	for (unsigned i = 0; i < DROP_PASSES && now != 0; i++)
		freed += now = ns_shrink(GFP_KERNEL, NS_NO_SLOT, 0);
	ns_thread_abandon(ns_home->thread, NULL);
	ns_caches_settle();
	return freed;
}

/* --- fork --- */

void
ns_shrinkers_lock(void)
{
	ns_lock(&lock);
}

void
ns_shrinkers_unlock(void)
{
	ns_unlock(&lock);
}

void
ns_shrinkers_fork_child(void)
{
	struct ns_list *l;

	ns_lock_init(&lock, NS_RANK_SHRINKERS);
	ns_list_for_each (l, &shrinkers) {
		struct ns_shrinker *s =
		    ns_container_of(l, struct ns_shrinker, link);

		ns_store_relaxed(&s->calls, s == current ? 1u : 0u);
	}
}
