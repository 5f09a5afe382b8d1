/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/atomic.h - atomic operations with the memory order in the name.
 * A release store or CAS names its acquiring partner where it is used.
 */
#ifndef NS_ATOMIC_H
#define NS_ATOMIC_H

#include "base/base.h"

#define ns_load_relaxed(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
#define ns_load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define ns_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define ns_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define ns_add_relaxed(p, v)   __atomic_add_fetch((p), (v), __ATOMIC_RELAXED)
#define ns_sub_relaxed(p, v)   __atomic_sub_fetch((p), (v), __ATOMIC_RELAXED)
#define ns_xchg_acquire(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define ns_xchg_acq_rel(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

/* On failure *(expected) is the value found. */
#define ns_cas_acquire(p, expected, v)                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, \
				    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define ns_cas_release(p, expected, v)                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, \
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define ns_cas_acq_rel(p, expected, v)                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, \
				    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/*
 * A counter that only its owner writes and anybody reads: no locked
 * instruction, no torn value.  ns_owner_inc is one instruction where compilers
 * make three of the atomic form.
 */
#define ns_owner_add(p, v) ns_store_relaxed((p), ns_load_relaxed(p) + (v))

ns_inline void
ns_owner_inc(uint64_t *p)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	__asm__("incq %0" : "+m"(*p) : : "cc");
#else
	ns_owner_add(p, 1);
#endif
}

#endif
