/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/daemon.c - the threads that work for the vm layer, at idle priority.
 *
 * 1. Why threads of its own, and not the maintenance thread (page/maint.c):
 *    that one gives memory back and so must run on a busy machine, while
 *    zeroing and reclaiming ahead of need are for processors that have nothing
 *    else to do (SCHED_IDLE, if the kernel lets us; for good, since an
 *    unprivileged thread cannot go back).  And pagers are called here, which
 *    may sleep as long as they like.
 * 2. One thread *leads*: it zeroes (zero.c), works off what nodes are behind
 *    with (pageout.c), and writes.  If it is LATE_MS in a pager, who needs
 *    pages next takes the lead away and gives it to another thread; the late
 *    one follows when it returns.  So a pager that hangs holds one thread and
 *    one object; there are up to THREADS.  When all hang, nobody leads, and
 *    threads that wait for memory reclaim what is clean themselves.
 *    Giving the lead away before each write instead cost two thread switches a
 *    cluster, and waking who waits after each: a pager that copies wrote 0.2
 *    million pages a second so, and 0.77 million now.
 * 3. No thread before the first need: a node that is short and has pages in
 *    queues, or a missing zero page in a process of START_BYTES.  None in a
 *    signal handler, none with NUMASLAB_PURGE_THREAD=0.  A thread is started
 *    in an allocation by the program's own call, with no lock of the library
 *    held; libc never calls this layer.
 * 4. word: NONE (no thread leads or sleeps), BUSY, IDLE (asleep until called),
 *    CALLED (look again), PAUSED (asleep for a while, since nothing could be
 *    done: a call is for nothing).  tests/model/crew.pml plays it through.
 * 5. A thread that waits for memory does not wait for who runs at idle
 *    priority: it reclaims clean pages by itself.  Dirty pages are the
 *    daemon's, unless there is none and the thread is no pager's: then it
 *    writes a cluster, as the daemon would.
 * 6. fork(): the child has no such thread.  The pages that one of the parent's
 *    was writing are the child's again, dirty.  Locks of [q] and [v] that an
 *    idle thread holds are held for BATCH pages; that it loses its processor
 *    meanwhile to threads of other programs is the price of its priority.
 */
#include "vm/vm.h"

#include "base/options.h"
#include "page/pool.h"

#include <string.h>

#define THREADS     4u
#define WRITERS     16u /* they, and threads that wait for memory */
#define START_BYTES (16ul << 20)
#define STACK_BYTES (1ul << 20) /* a pager's code runs on it */
#define LAUNDER     64u         /* pages, before who waits for some is woken */
#define LATE_MS     10u
#define PAUSE_MS    10u
#define PAUSES_MS   100u
#define RETRY_MS    1000u /* after a thread could not be started */

enum { NONE, BUSY, IDLE, CALLED, PAUSED };

static struct {
	uint32_t word;      /* [a] see 4 */
	uint32_t led;       /* [a] 1: by a thread */
	uint32_t followers; /* [a] asleep until nobody leads */
	uint64_t writing;   /* [a] ms, since when the leader writes; or 0 */
} __attribute__((aligned(NS_CACHELINE))) crew;

/* The first ones are the crew's, the others for threads that wait. */
static struct ns_vm_writer writers[WRITERS];

static struct ns_vm_writer *
get_writer(unsigned from, unsigned to)
{
	uint32_t zero;

	for (unsigned i = from; i < to; i++) {
		zero = 0;
		if (ns_cas_acquire(&writers[i].used, &zero, 1u))
			return &writers[i];
	}
	return NULL;
}

static void
put_writer(struct ns_vm_writer *w)
{
	ns_store_release(&w->used, 0u); /* pairs with the CAS in get_writer */
}

static uint64_t
work_done(void)
{
	struct ns_vm_node *n;
	uint64_t sum = 0;

	ns_vm_for_each (n)
		sum += ns_load_relaxed(&n->work.reclaimed) +
		       ns_load_relaxed(&n->work.laundered);
	return sum;
}

/* The worst that a node says; WRITE at once. */
static enum ns_vm_verdict
visit_all(struct ns_vm_writer *w)
{
	enum ns_vm_verdict verdict = NS_VM_DONE, v;
	struct ns_vm_node *n;

	ns_vm_for_each (n) {
		if (ns_load_relaxed(&n->used) == 0)
			continue;
		v = ns_vm_pageout(n, w);
		verdict = ns_max(verdict, v);
		if (verdict == NS_VM_WRITE)
			break;
	}
	return verdict;
}

/* Until called, unless that has happened since the word was BUSY. */
static void
rest(void)
{
	uint32_t busy = BUSY;

	if (ns_cas_acq_rel(&crew.word, &busy, (uint32_t)IDLE))
		ns_os_sleep_on(&crew.word, IDLE, UINT64_MAX);
}

static void
pause_for(uint64_t ms)
{
	ns_store_relaxed(&crew.word, (uint32_t)PAUSED);
	ns_os_sleep_on(&crew.word, PAUSED, ms);
}

/* True: the thread leads still. */
static bool
write_leading(struct ns_vm_writer *w)
{
	uint64_t since = ns_max(ns_os_now_ms(), 1);

	/* Pairs with the CAS in depose_late: what is [d] is the next one's. */
	ns_store_release(&crew.writing, since);
	ns_vm_write(w);
	return ns_cas_acq_rel(&crew.writing, &since, 0ul);
}

/* The pages of @w, and more; false: the thread does not lead any more. */
static bool
launder(struct ns_vm_writer *w)
{
	unsigned pages = 0;

	do {
		pages += w->n;
		if (!write_leading(w))
			return false;
	} while (pages < LAUNDER && ns_vm_pick(w->node, w, false));
	return true;
}

/* The leader's work, until it has lost the lead. */
static void
lead(struct ns_vm_writer *w)
{
	uint64_t pause = PAUSE_MS, done = 0, zero_at = 0, now;
	enum ns_vm_verdict verdict;

	for (;;) {
		/* Pairs with the CAS in ns_vm_daemon_call. */
		ns_xchg_acquire(&crew.word, (uint32_t)BUSY);
		ns_vm_zero_if_due(&zero_at);
		verdict = visit_all(w);
		if (verdict == NS_VM_WRITE) {
			if (!launder(w))
				return;
			continue;
		}
		now = work_done();
		pause = now != done ? PAUSE_MS : ns_min(2 * pause, PAUSES_MS);
		done = now;
		if (verdict == NS_VM_DONE)
			rest();
		else
			pause_for(pause);
	}
}

static void *serve(void *arg);

static bool
start(void)
{
	struct ns_vm_writer *w = get_writer(0, THREADS);

	if (w == NULL)
		return false;
	if (ns_os_thread(serve, w, STACK_BYTES) == 0)
		return true;
	put_writer(w);
	return false;
}

/* Somebody else leads if the leader is late: a follower, or a new thread. */
static void
depose_late(void)
{
	uint64_t since = ns_load_relaxed(&crew.writing);

	if (ns_likely(since == 0 || ns_os_now_ms() < since + LATE_MS) ||
	    !ns_cas_acq_rel(&crew.writing, &since, 0ul))
		return;
	ns_xchg_acq_rel(&crew.led, 0u); /* pairs with the CAS in take_lead */
	if (ns_load_relaxed(&crew.followers) != 0)
		ns_os_wake(&crew.led);
	else
		start();
}

static void
take_lead(void)
{
	uint32_t zero = 0;

	ns_add_relaxed(&crew.followers, 1u);
	while (!ns_cas_acquire(&crew.led, &zero, 1u)) {
		ns_os_sleep_on(&crew.led, 1, UINT64_MAX);
		zero = 0;
	}
	ns_sub_relaxed(&crew.followers, 1u);
}

static void *
serve(void *arg)
{
	struct ns_vm_writer *w = arg;

	ns_os_idle_priority();
	vm_pager_thread(true);
	for (;;) {
		take_lead();
		lead(w);
	}
	return arg;
}

/* Starts the crew, if that is allowed and was not refused just now. */
static bool
found(bool must)
{
	static uint64_t retry_at; /* [a] ms */
	uint32_t none = NONE;
	uint64_t now;

	if (ns_options.purge_thread == 0 ||
	    (!must && ns_pools_committed() < START_BYTES))
		return false;
	now = ns_os_now_ms();
	if (now < ns_load_relaxed(&retry_at))
		return false;
	if (!ns_cas_acq_rel(&crew.word, &none, (uint32_t)BUSY))
		return true;
	if (start())
		return true;
	ns_store_relaxed(&retry_at, now + RETRY_MS);
	ns_store_relaxed(&crew.word, (uint32_t)NONE);
	return false;
}

/*
 * Has the daemon look at the nodes; @must: for more than zeroes.  Without a
 * lock of the library.  False: there is none, and may be none.
 */
bool
ns_vm_daemon_call(bool must)
{
	uint32_t seen = ns_load_relaxed(&crew.word);

	if (ns_unlikely(seen == NONE))
		return found(must);
	while (seen == BUSY || seen == IDLE)
		if (ns_cas_acq_rel(&crew.word, &seen, (uint32_t)CALLED)) {
			if (seen == IDLE)
				ns_os_wake(&crew.word);
			break;
		}
	depose_late();
	return true;
}

/* Threads that wait for memory. */

/* fn(node, arg) for the nodes that a page may come from, until true. */
static bool
any_node(const struct ns_vm_place *place,
	 bool (*fn)(struct ns_vm_node *, void *), void *arg)
{
	unsigned home = place->slot != NS_NO_SLOT ? place->slot : ns_vm_home();
	uint8_t order[NS_MAX_SLOTS];
	unsigned i, count = ns_vm_order(place, home, order);
	struct ns_vm_node *n;

	for (i = 0; i < count; i++) {
		n = ns_vm_node(order[i], place->order);
		if (ns_load_relaxed(&n->used) != 0 && fn(n, arg))
			return true;
	}
	return false;
}

static bool
reclaim(struct ns_vm_node *n, void *arg)
{
	(void)arg;
	return ns_vm_reclaim(n) > 0;
}

static bool
has_work(struct ns_vm_node *n, void *arg)
{
	bool is_short;

	(void)arg;
	ns_lock(&n->lock);
	is_short = ns_vm_is_short(n);
	ns_unlock(&n->lock);
	return is_short;
}

static bool
pick(struct ns_vm_node *n, void *arg)
{
	return ns_vm_pick(n, arg, true);
}

/*
 * For a thread that waits for pages: see 5.  True: there are some now, so it
 * need not sleep.
 */
bool
ns_vm_help(const struct ns_vm_place *place)
{
	struct ns_vm_writer *w;
	bool wrote;

	if (any_node(place, reclaim, NULL))
		return true;
	if (!any_node(place, has_work, NULL) || ns_vm_daemon_call(true) ||
	    ns_vm_is_pager())
		return false;
	w = get_writer(THREADS, WRITERS);
	if (w == NULL)
		return false;
	wrote = any_node(place, pick, w) && ns_vm_write(w);
	put_writer(w);
	return wrote && any_node(place, reclaim, NULL);
}

void
ns_vm_daemon_fork_child(void)
{
	memset(&crew, 0, sizeof(crew));
	for (unsigned i = 0; i < WRITERS; i++)
		if (writers[i].used != 0) {
			ns_vm_write_undo(&writers[i]);
			put_writer(&writers[i]);
		}
}
