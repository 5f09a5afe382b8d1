/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/thread.c - threads: which heaps they have, and what becomes of them.
 *
 * 1. A thread's first allocation attaches it: a heap on its home node, a
 *    record in the registry, a destructor by pthread_key.  ns_home, the only
 *    thread-local variable, points at the heap; before and after it points
 *    at ns_heap_none, which is always empty.
 * 2. Home follows the CPU.  The fast path compares rseq's cpu_id with the
 *    CPU the heap was chosen for; ns_heap_home() maps a new CPU to a slot
 *    and switches heaps only when the slot differs; the slabs of the heap
 *    it leaves go to their depots.  Where one node is all
 *    there is, or rseq is not registered, cpu_word points at the heap's own
 *    copy: the compare never fails, and ns_heap_home() asks getcpu(2).
 * 3. A thread that exits abandons its heaps: slabs go to their depots, the
 *    heaps to the spares.  The destructor may run before others that
 *    allocate; then the thread attaches again and is destroyed in the next
 *    round.  What even that misses, and threads that end without
 *    destructors, is found by its thread id: every REAP_EVERY attachments.
 * 4. The registry's lock guards the list, the spares and the sums of the
 *    dead.  Heaps stay in the registry until they are abandoned.
 */
#include "numaslab/account.h"
#include "slab/slab.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define REAP_EVERY 64u
#define SPARES_MAX 64u /* of a node: about 8 KiB resident each */

__thread struct ns_heap *ns_home ns_tls_model = &ns_heap_none;

struct ns_lock ns_registry_lock = NS_LOCK_INIT(NS_RANK_REGISTRY);
struct ns_list ns_threads = { &ns_threads, &ns_threads };

static union {
	struct ns_thread t;
	char room[sizeof(struct ns_thread) +
		  NS_MAX_SLOTS * sizeof(struct ns_thread_slot)];
} dead;
struct ns_thread *ns_dead = &dead.t;

static struct {
	struct ns_heap *first;
	unsigned n;
} spares[NS_MAX_SLOTS]; /* [r] */

static pthread_key_t key;
static uint32_t attached; /* [r] */
static pid_t process;     /* [r] whose threads these are */

static struct ns_unit *
unit_of_heap(struct ns_heap *h)
{
	return ns_unit_of(h);
}

static struct ns_heap *
heap_new(unsigned slot)
{
	struct ns_heap *h;
	struct ns_unit *u;

	ns_lock(&ns_registry_lock);
	h = spares[slot].first;
	if (h != NULL) {
		spares[slot].first = h->spare;
		spares[slot].n--;
	}
	ns_unlock(&ns_registry_lock);
	if (h == NULL) {
		u = ns_run_alloc(slot, NS_HEAP_UNITS, 1,
				 NS_RUN_STRICT | NS_RUN_ZERO);
		if (u == NULL)
			u = ns_run_alloc(slot, NS_HEAP_UNITS, 1, 0);
		if (u == NULL)
			return NULL;
		h = (struct ns_heap *)(void *)ns_unit_addr(u);
		/* Most of it will never be used. */
		if (!u->zero && ns_os_purge(h, NS_HEAP_UNITS * NS_UNIT) != 0)
			memset(h, 0, NS_UNIT);
		ns_run_publish(u, NS_KIND_HEAP);
	}
	ns_heap_reset(h, slot);
	return h;
}

static void
heap_delete(struct ns_heap *h)
{
	unsigned slot = h->slot;

	ns_store_relaxed(&h->thread, NULL);
	ns_lock(&ns_registry_lock);
	if (spares[slot].n < SPARES_MAX) {
		h->spare = spares[slot].first;
		spares[slot].first = h;
		spares[slot].n++;
		h = NULL;
	}
	ns_unlock(&ns_registry_lock);
	if (h != NULL)
		ns_run_free(unit_of_heap(h), false);
}

static void
follow_cpu(struct ns_heap *h)
{
	const uint32_t *word = NULL;

	if (!ns_topo.one_node)
		word = ns_os_rseq_cpu();
	h->cpu_word = word != NULL ? word : &h->cpu;
}

/* The calling thread's heap on @slot, made when there is none. */
struct ns_heap *
ns_heap_get(unsigned slot)
{
	struct ns_heap *h = ns_home;
	struct ns_thread *t = h->thread;

	if (ns_unlikely(t == NULL)) {
		h = ns_heap_home();
		if (h == NULL)
			return NULL;
		t = h->thread;
	}
	h = t->slot[slot].heap;
	if (ns_likely(h != NULL))
		return h;
	h = heap_new(slot);
	if (h == NULL)
		return NULL;
	ns_store_relaxed(&h->thread, t);
	follow_cpu(h);
	/* fork() and the figures walk the registry. */
	ns_lock(&ns_registry_lock);
	ns_store_relaxed(&t->slot[slot].heap, h);
	ns_unlock(&ns_registry_lock);
	return h;
}

static struct ns_heap *
heap_on(unsigned slot)
{
	struct ns_heap *home = ns_home, *h;
	struct ns_thread *t = home->thread;

	if (t == NULL || slot >= t->nslots || t->slot[slot].heap == NULL)
		return &ns_heap_none;
	h = t->slot[slot].heap;
	if (h != home)
		home->far = h;
	return h;
}

struct ns_heap *
ns_heap_named(int node)
{
	if ((unsigned)node >= NS_MAX_NODES)
		return &ns_heap_none;
	return heap_on(ns_load_relaxed(&ns_topo.usable[node]));
}

bool
ns_heap_turn_to(const void *obj)
{
	struct ns_heap *home = ns_home, *far = home->far;

	if (ns_ours(obj))
		heap_on(ns_slot_of(obj));
	return home->far != far;
}

void
ns_thread_abandon(struct ns_thread *t, const struct kmem_cache *c)
{
	struct ns_heap *h;

	ns_heap_for_each (h, t) {
		if (c != NULL && ns_load_relaxed(&h->nbins) <= c->id)
			continue;
		ns_lock(&h->lock);
		ns_heap_abandon(h, c);
		ns_unlock(&h->lock);
	}
}

/* What a heap has counted is local or remote, as home is now. */
static void
count_frees(struct ns_heap *h)
{
	struct ns_thread *t = h->thread;
	struct ns_thread_slot *there = &t->slot[h->slot];

	if (h->slot == t->home)
		ns_owner_add(&there->local_frees, h->frees);
	else
		ns_owner_add(&there->remote_frees, h->frees);
	ns_store_relaxed(&h->frees, 0ul);
}

static void
set_home(struct ns_heap *h)
{
	struct ns_thread *t = h->thread;

	count_frees(ns_home);
	count_frees(h);
	ns_store_relaxed(&t->home, h->slot);
	ns_home = h;
}

/* Registry locked. */
static void
unregister(struct ns_thread *t)
{
	struct ns_heap *h;

	ns_list_remove(&t->link);
	ns_heap_for_each (h, t)
		count_frees(h);
	for (unsigned s = 0; s < t->nslots; s++) {
		ns_add_relaxed(&ns_dead->slot[s].local_frees,
			       t->slot[s].local_frees);
		ns_add_relaxed(&ns_dead->slot[s].remote_frees,
			       t->slot[s].remote_frees);
	}
}

/* The heap that the record lies in goes last. */
static void
bury(struct ns_thread *t)
{
	struct ns_heap *last = t->first, *h;

	ns_heap_for_each (h, t)
		if (h != last)
			heap_delete(h);
	heap_delete(last);
}

static void
thread_exit(void *arg)
{
	struct ns_thread *t = arg;

	numaslab_account_use(NULL);
	ns_home = &ns_heap_none;
	ns_thread_abandon(t, NULL);
	ns_lock(&ns_registry_lock);
	unregister(t);
	ns_unlock(&ns_registry_lock);
	bury(t);
}

/*
 * Threads that ended without their destructors.  In a child that was made
 * past fork()'s handlers no thread has the id it had: there nobody is gone.
 */
static void
reap(void)
{
	struct ns_list gone, *l, *tmp;
	struct ns_thread *t;

	ns_list_init(&gone);
	ns_lock(&ns_registry_lock);
	ns_list_for_each_safe (l, tmp, &ns_threads) {
		t = ns_container_of(l, struct ns_thread, link);
		if (process != getpid() || ns_os_thread_alive(t->tid))
			continue;
		ns_thread_abandon(t, NULL);
		unregister(t);
		ns_list_push(&gone, &t->link);
	}
	ns_unlock(&ns_registry_lock);
	ns_list_for_each_safe (l, tmp, &gone)
		bury(ns_container_of(l, struct ns_thread, link));
}

/* The record lies in the first heap, before the magazines' arrays. */
static struct ns_thread *
thread_new(struct ns_heap *h)
{
	unsigned nslots = ns_topo.nslots;
	size_t size =
	    sizeof(struct ns_thread) + nslots * sizeof(struct ns_thread_slot);
	struct ns_thread *t = (void *)((char *)h + NS_UNIT);

	memset(t, 0, size);
	h->arrays += (uint32_t)ns_round_up(size, NS_CACHELINE);
	t->tid = ns_os_tid();
	t->nslots = nslots;
	t->home = h->slot;
	t->first = h;
	t->slot[h->slot].heap = h;
	ns_store_relaxed(&h->thread, t);
	return t;
}

static ns_cold struct ns_heap *
attach(void)
{
	struct ns_thread *t;
	struct ns_heap *h;
	bool due;
	unsigned cpu = 0;

	if (ns_init() != 0)
		return NULL;
	ns_os_getcpu(&cpu, NULL);
	h = heap_new(ns_policy_home(cpu));
	if (h == NULL)
		return NULL;
	t = thread_new(h);
	if (ns_policy.mode == NS_POLICY_INTERLEAVE)
		t->turn = ns_policy_first(&ns_policy, h->slot);
	follow_cpu(h);
	h->cpu = cpu;
	ns_lock(&ns_registry_lock);
	ns_list_append(&ns_threads, &t->link);
	due = ++attached % REAP_EVERY == 0;
	ns_unlock(&ns_registry_lock);
	ns_home = h;
	/* May allocate, now that it can. */
	pthread_setspecific(key, t);
	if (due)
		reap();
	return h;
}

/*
 * The heap to allocate from now: attaches the thread, follows it to where it
 * runs, and under the interleave policy moves on with every refill.
 */
struct ns_heap *
ns_heap_home(void)
{
	struct ns_heap *h = ns_home, *there;
	unsigned cpu, slot;

	if (ns_unlikely(h->thread == NULL))
		return attach();
	if (ns_topo.one_node)
		return h;
	cpu = ns_load_relaxed(h->cpu_word);
	if (h->cpu_word == &h->cpu)
		ns_os_getcpu(&cpu, NULL);
	slot = h->slot;
	if (ns_policy.mode == NS_POLICY_INTERLEAVE)
		slot = ns_policy_turn(&ns_policy, ++h->thread->turn);
	else if (cpu != h->cpu)
		slot = ns_policy_home(cpu);
	h->cpu = cpu;
	if (slot == h->slot)
		return h;
	there = ns_heap_get(slot);
	if (there == NULL)
		return h;
	there->cpu = cpu;
	set_home(there);
	if (ns_policy.mode != NS_POLICY_INTERLEAVE) {
		/* What it leaves behind serves the threads of that node. */
		ns_lock(&h->lock);
		ns_heap_abandon(h, NULL);
		ns_unlock(&h->lock);
	}
	return there;
}

/* One object at @obj is freed by a thread that does not own its slab. */
void
ns_count_free(const void *obj)
{
	const struct ns_heap *h = ns_home;
	unsigned slot = ns_slot_of(obj);

	if (h->thread == NULL)
		ns_add_relaxed(&ns_dead->slot[slot].remote_frees, 1ul);
	else if (h->slot == slot)
		ns_owner_add(&h->thread->slot[slot].local_frees, 1ul);
	else
		ns_owner_add(&h->thread->slot[slot].remote_frees, 1ul);
}

int
ns_registry_init(void)
{
	ns_dead->nslots = ns_topo.nslots;
	process = getpid();
	return -pthread_key_create(&key, thread_exit);
}

/* fork()'s child: only the calling thread is left. */
void
ns_registry_adopt_others(void)
{
	struct ns_list *l, *tmp;
	struct ns_thread *t, *self = ns_home->thread;

	process = getpid();
	ns_list_for_each_safe (l, tmp, &ns_threads) {
		t = ns_container_of(l, struct ns_thread, link);
		if (t == self) {
			t->tid = ns_os_tid();
			continue;
		}
		ns_lock(&ns_registry_lock);
		ns_thread_abandon(t, NULL);
		unregister(t);
		ns_unlock(&ns_registry_lock);
		bury(t);
	}
}
