/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/maint.c - the maintenance thread: purges what nobody used for a while.
 *
 * 1. It starts when the process has committed enough that giving back is
 *    worth a thread; a short-lived child never has one.
 * 2. It is started only from the slow path of an *allocation* that holds no
 *    lock of ours, never from free: libc calls free with its own locks held
 *    (the thread-stack cache's, for one) that pthread_create needs too.
 * 3. It sleeps without a timeout while nothing is retained; the free that
 *    makes a pool retain memory, or a heap hold some, wakes it.  While
 *    something is retained it wakes four times per decay period.
 * 4. All its signals are blocked.  After fork() the child has none; the same
 *    rule starts another.
 * 5. word: IDLE (asleep until woken), BUSY (maybe asleep for a while), or NONE.
 *    A wake that finds BUSY is seen by the next look at the pools, because the
 *    retained counters were written before it.
 */
#include "page/pool.h"

#include "base/options.h"

#define START_BYTES (16ul << 20) /* committed, before a thread is worth it */
#define STACK_BYTES (128ul << 10)
#define LEAST_MS    20u

enum { NONE, BUSY, IDLE };

static uint32_t word; /* [a] */
bool (*ns_maint_idle[NS_MAINT_LAYERS])(void);
void (*ns_vm_give_all)(void);

static size_t
decay_all(void)
{
	uint64_t now = ns_os_now_ms();
	size_t retained = 0;

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		retained += ns_pool_decay(s, now);
	return retained;
}

/* What is left to do, in some measure. */
static size_t
look_after(void)
{
	bool (*idle)(void);
	size_t more = 0;

	for (unsigned i = 0; i < NS_MAINT_LAYERS; i++) {
		idle = ns_load_acquire(&ns_maint_idle[i]);
		more += idle != NULL && idle();
	}
	return decay_all() + more;
}

static void *
maintain(void *arg)
{
	for (;;) {
		ns_store_relaxed(&word, (uint32_t)BUSY);
		if (look_after() != 0) {
			ns_os_sleep_on(
			    &word, BUSY,
			    ns_max(ns_options.purge_ms / 4, LEAST_MS));
			continue;
		}
		/*
		 * Announce the sleep, then look once more: pairs with the
		 * fence in ns_maint_dirty, so that one of the two sees the
		 * other.
		 */
		ns_store_relaxed(&word, (uint32_t)IDLE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (look_after() == 0)
			ns_os_sleep_on(&word, IDLE, UINT64_MAX);
	}
	return arg;
}

void
ns_maint_dirty(void)
{
	uint32_t idle = IDLE;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ns_load_relaxed(&word) == IDLE &&
	    ns_cas_acq_rel(&word, &idle, (uint32_t)BUSY))
		ns_os_wake(&word);
}

void
ns_maint_poke(void)
{
	static uint64_t retry_at; /* [a] committed bytes of the next try */
	uint64_t committed;
	uint32_t none = NONE;

	if (ns_likely(ns_load_relaxed(&word) != NONE))
		return;
	committed = ns_pools_committed();
	if (committed < START_BYTES || ns_options.purge_thread == 0 ||
	    ns_options.purge_ms == 0 ||
	    committed < ns_load_relaxed(&retry_at) ||
	    !ns_cas_acq_rel(&word, &none, (uint32_t)BUSY))
		return;
	if (ns_os_thread(maintain, NULL, STACK_BYTES) != 0) {
		ns_store_relaxed(&retry_at, 2 * committed);
		ns_store_relaxed(&word, NONE);
	}
}

void
ns_maint_fork_child(void)
{
	ns_store_relaxed(&word, NONE);
}
