/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/rwlock.h - a futex lock for many readers or one writer.
 *
 * It is held by programs, across their own code (an object's lock), so it has
 * no rank: it comes before every lock of the library.  A waiting writer
 * holds new readers back, so a thread must not take it for reading twice.
 *
 * Who takes a lock that the thread has already is told so instead of waiting
 * for itself: a writer always, a reader in debug builds, which know what each
 * thread holds.
 */
#ifndef NS_RWLOCK_H
#define NS_RWLOCK_H

#include "base/lock.h"

#pragma GCC visibility push(hidden)

struct ns_rwlock {
	uint32_t word;     /* [a] readers, and the bits of rwlock.c */
	const void *owner; /* [a] the writer; only itself can find itself */
};

bool ns_rw_wlock(struct ns_rwlock *l); /* false: the caller's already */
bool ns_rw_trywlock(struct ns_rwlock *l);
bool ns_rw_wunlock(struct ns_rwlock *l); /* false: not the caller's */
bool ns_rw_rlock(struct ns_rwlock *l);   /* likewise */
bool ns_rw_tryrlock(struct ns_rwlock *l);
bool ns_rw_runlock(struct ns_rwlock *l); /* false: no reader's */
void ns_rw_downgrade(struct ns_rwlock *l);
bool ns_rw_tryupgrade(struct ns_rwlock *l);
bool ns_rw_wowned(const struct ns_rwlock *l); /* by the calling thread */
bool ns_rw_reads(const struct ns_rwlock *l);  /* likewise, or by anybody */
bool ns_rw_mine(const struct ns_rwlock *l);   /* in any way that is known */
#ifdef NS_DEBUG
const struct ns_rwlock *ns_rw_any(void); /* that the thread has, or NULL */
#endif

/* In a fork's child: nobody has it but the calling thread as a writer. */
void ns_rw_fork_child(struct ns_rwlock *l);

#pragma GCC visibility pop
#endif
