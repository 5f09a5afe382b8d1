/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/lock.c - the contended half of the lock, and the rank checker.
 *
 * The protocol is Drepper's third mutex ("Futexes Are Tricky"): a waiter
 * always leaves the word at 2, so an unlock that finds 2 wakes one.  It
 * spins a little first, because the critical sections are short.
 */
#include "base/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPINS      64 /* about the length of a pool operation, in pauses */
#define PASSES_MAX 16 /* nested; there are fewer ranks */
#define YIELD_NS   200000l

const void *ns_forker;
static const struct ns_lock *passed[PASSES_MAX]; /* the forking thread's */
static unsigned npassed;

/* The same in fork()'s child. */
static const void *
self(void)
{
	return (const void *)pthread_self();
}

static bool
is_forker(void)
{
	return ns_load_relaxed(&ns_forker) == self();
}

/* The calling thread holds every lock that fork() takes. */
void
ns_lock_fork_begin(void)
{
	npassed = 0;
	ns_store_relaxed(&ns_forker, self());
}

void
ns_lock_fork_end(void)
{
	ns_store_relaxed(&ns_forker, NULL);
}

static bool
pass(const struct ns_lock *l)
{
	if (!is_forker() || npassed == PASSES_MAX)
		return false;
	passed[npassed++] = l;
	return true;
}

bool
ns_lock_passed(const struct ns_lock *l)
{
	unsigned i;

	if (!is_forker())
		return false;
	for (i = npassed; i > 0 && passed[i - 1] != l; i--)
		;
	if (i == 0)
		return false;
	passed[i - 1] = passed[--npassed];
	return true;
}

void
ns_futex(uint32_t *word, int op, uint32_t value)
{
	int saved = errno;

	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
	errno = saved;
}

static void
pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

void
ns_lock_init(struct ns_lock *l, enum ns_rank rank)
{
	*l = (struct ns_lock)NS_LOCK_INIT(rank);
	(void)rank;
}

ns_cold void
ns_lock_wait(struct ns_lock *l)
{
	uint32_t zero;
	int i;

	if (pass(l))
		return;
	for (i = 0; i < SPINS; i++) {
		zero = 0;
		if (ns_load_relaxed(&l->word) == 0 &&
		    ns_cas_acquire(&l->word, &zero, 1u))
			return;
		pause_cpu();
	}
	while (ns_xchg_acquire(&l->word, 2u) != 0)
		ns_futex(&l->word, FUTEX_WAIT, 2);
}

ns_cold void
ns_lock_wake(struct ns_lock *l)
{
	ns_futex(&l->word, FUTEX_WAKE, 1);
}

void
ns_lock_yield(struct ns_lock *l)
{
	const struct timespec while_it_wakes = { 0, YIELD_NS };
	bool wanted = ns_load_relaxed(&l->word) == 2;
	int saved = errno;

	ns_unlock(l);
	if (wanted)
		nanosleep(&while_it_wakes, NULL);
	errno = saved;
	ns_lock(l);
}

#ifdef NS_DEBUG
/*
 * The ranks this thread holds, one count each.  fork() holds every heap and
 * every pool at once, so equal ranks are allowed where lock.h says so.
 */
static __thread ns_tls_model uint16_t held[NS_RANK_MAX];

static bool
may_repeat(uint32_t rank)
{
	return rank == NS_RANK_HEAP || rank == NS_RANK_DEPOT ||
	       rank == NS_RANK_QUEUE || rank == NS_RANK_VM ||
	       rank == NS_RANK_WIRE || rank == NS_RANK_PURGE ||
	       rank == NS_RANK_POOL;
}

void
ns_rank_push(const struct ns_lock *l)
{
	uint32_t r;

	ns_assert(l->rank > 0 && l->rank < NS_RANK_MAX);
	if (is_forker())
		return; /* it holds them all */
	for (r = l->rank + (may_repeat(l->rank) ? 1 : 0); r < NS_RANK_MAX; r++)
		if (held[r] != 0)
			ns_fatal("lock order: rank %u taken with rank %u held",
				 l->rank, r);
	held[l->rank]++;
}

void
ns_rank_note(const struct ns_lock *l)
{
	if (is_forker())
		return;
	held[l->rank]++;
}

void
ns_rank_pop(const struct ns_lock *l)
{
	if (is_forker())
		return;
	ns_assert(held[l->rank] > 0);
	held[l->rank]--;
}

void
ns_rank_fork_child(void)
{
	for (uint32_t r = 0; r < NS_RANK_MAX; r++)
		held[r] = 0;
}
#endif
