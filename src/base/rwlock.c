/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/rwlock.c - the word of the readers' and writers' lock.
 *
 * WRITER: it is held for writing.  WANTED: a writer sleeps, so no new reader
 * enters.  WAITERS: somebody sleeps.  Who makes the lock free clears both and
 * wakes all; each sleeper tries again, and sets them again if it must.
 *
 * Debug builds keep a list of the locks that the thread has.  When it is full
 * what comes is not in it, and until all is given back nothing is said about
 * locks that are not found there.
 */
#include "base/rwlock.h"

#include <linux/futex.h>
#include <limits.h>
#include <pthread.h>

#define WRITER  0x80000000u
#define WANTED  0x40000000u
#define WAITERS 0x20000000u
#define READERS 0x1fffffffu

static const void *
self(void)
{
	return (const void *)pthread_self();
}

#ifdef NS_DEBUG
#define HELD_MAX 8u /* thread-local storage is scarce */

static __thread const struct ns_rwlock *held[HELD_MAX];
static __thread unsigned nheld, nlost;

static void
note(const struct ns_rwlock *l)
{
	if (nheld < HELD_MAX)
		held[nheld++] = l;
	else
		nlost++;
}

static bool
is_noted(const struct ns_rwlock *l)
{
	for (unsigned i = nheld; i > 0; i--)
		if (held[i - 1] == l)
			return true;
	return false;
}

static void
forget(const struct ns_rwlock *l)
{
	unsigned i = nheld;

	while (i > 0 && held[i - 1] != l)
		i--;
	if (i > 0)
		held[i - 1] = held[--nheld];
	else if (nlost > 0)
		nlost--;
}

const struct ns_rwlock *
ns_rw_any(void)
{
	return nheld > 0 ? held[nheld - 1] : NULL;
}
#else
#define note(l)   ((void)(l))
#define forget(l) ((void)(l))
#endif

bool
ns_rw_mine(const struct ns_rwlock *l)
{
#ifdef NS_DEBUG
	if (is_noted(l))
		return true;
#endif
	return ns_rw_wowned(l);
}

bool
ns_rw_reads(const struct ns_rwlock *l)
{
#ifdef NS_DEBUG
	if (nlost == 0 && !is_noted(l))
		return false;
#endif
	return (ns_load_relaxed(&l->word) & READERS) != 0;
}

/* Sleeps until the word changes, with @bits in it. */
static void
sleep_with(struct ns_rwlock *l, uint32_t seen, uint32_t bits)
{
	if ((seen & bits) == bits ||
	    ns_cas_acquire(&l->word, &seen, seen | bits))
		ns_futex(&l->word, FUTEX_WAIT, seen | bits);
}

static void
wake_all(struct ns_rwlock *l)
{
	ns_futex(&l->word, FUTEX_WAKE, INT_MAX);
}

bool
ns_rw_trywlock(struct ns_rwlock *l)
{
	uint32_t seen = ns_load_relaxed(&l->word);

	while ((seen & (WRITER | READERS)) == 0)
		if (ns_cas_acquire(&l->word, &seen, seen | WRITER)) {
			ns_store_relaxed(&l->owner, self());
			note(l);
			return true;
		}
	return false;
}

bool
ns_rw_wlock(struct ns_rwlock *l)
{
	uint32_t seen;

	while (!ns_rw_trywlock(l)) {
		if (ns_rw_mine(l))
			return false;
		seen = ns_load_relaxed(&l->word);
		if ((seen & (WRITER | READERS)) != 0)
			sleep_with(l, seen, WANTED | WAITERS);
	}
	return true;
}

bool
ns_rw_wunlock(struct ns_rwlock *l)
{
	if (!ns_rw_wowned(l))
		return false;
	forget(l);
	ns_store_relaxed(&l->owner, NULL);
	/* Pairs with the acquiring CAS of who takes it next. */
	if ((ns_xchg_acq_rel(&l->word, 0u) & WAITERS) != 0)
		wake_all(l);
	return true;
}

bool
ns_rw_tryrlock(struct ns_rwlock *l)
{
	uint32_t seen = ns_load_relaxed(&l->word);

	while ((seen & (WRITER | WANTED)) == 0)
		if (ns_cas_acquire(&l->word, &seen, seen + 1)) {
			note(l);
			return true;
		}
	return false;
}

bool
ns_rw_rlock(struct ns_rwlock *l)
{
	uint32_t seen;

#ifdef NS_DEBUG /* it would hang only if a writer came between */
	if (is_noted(l))
		return false;
#endif
	while (!ns_rw_tryrlock(l)) {
		if (ns_rw_mine(l))
			return false;
		seen = ns_load_relaxed(&l->word);
		if ((seen & (WRITER | WANTED)) != 0)
			sleep_with(l, seen, WAITERS);
	}
	return true;
}

bool
ns_rw_runlock(struct ns_rwlock *l)
{
	uint32_t seen = ns_load_relaxed(&l->word), next;

	if (!ns_rw_reads(l))
		return false;
	forget(l);
	do {
		if ((seen & READERS) == 0)
			return false;
		next = (seen & READERS) == 1 ? 0 : seen - 1;
	} while (!ns_cas_acq_rel(&l->word, &seen, next));
	if (next == 0 && (seen & WAITERS) != 0)
		wake_all(l);
	return true;
}

void
ns_rw_downgrade(struct ns_rwlock *l)
{
	ns_store_relaxed(&l->owner, NULL);
	if ((ns_xchg_acq_rel(&l->word, 1u) & WAITERS) != 0)
		wake_all(l);
}

bool
ns_rw_tryupgrade(struct ns_rwlock *l)
{
	uint32_t seen = ns_load_relaxed(&l->word);

	while ((seen & READERS) == 1)
		if (ns_cas_acquire(&l->word, &seen, (seen - 1) | WRITER)) {
			ns_store_relaxed(&l->owner, self());
			return true;
		}
	return false;
}

bool
ns_rw_wowned(const struct ns_rwlock *l)
{
	return ns_load_relaxed(&l->owner) == self();
}

void
ns_rw_fork_child(struct ns_rwlock *l)
{
	if (ns_rw_wowned(l))
		ns_store_relaxed(&l->word, WRITER);
	else {
		forget(l);
		*l = (struct ns_rwlock){ 0, NULL };
	}
}
