/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/stress/shadow.h - the program's own record of every object: appear
 * when one was handed out, vanish before it is freed.  An address that appears
 * twice, or vanishes unseen, is a fault.
 */
#ifndef SHADOW_H
#define SHADOW_H

#include "tests/stress/stress.h"

#define SHADOWS (1u << 16)
#define CACHES  4

static pthread_mutex_t shadow_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t shadow[SHADOWS]; /* [shadow_lock] an open hash of addresses */
static unsigned live[CACHES];     /* [shadow_lock] */

static inline size_t
place_of(uintptr_t p)
{
	size_t i = p * 0x9e3779b97f4a7c15ul >> 48;

	while (shadow[i] != 0 && shadow[i] != p)
		i = (i + 1) % SHADOWS;
	return i;
}

/* Linear probing without tombstones: what follows moves up. */
static inline void
forget(size_t i)
{
	uintptr_t p;

	shadow[i] = 0;
	for (i = (i + 1) % SHADOWS; shadow[i] != 0; i = (i + 1) % SHADOWS) {
		p = shadow[i];
		shadow[i] = 0;
		shadow[place_of(p)] = p;
	}
}

static inline void
appear(unsigned c, void *p)
{
	size_t i;

	pthread_mutex_lock(&shadow_lock);
	i = place_of((uintptr_t)p);
	CHECK_MSG(shadow[i] == 0, "%p is in use, and was handed out", p);
	shadow[i] = (uintptr_t)p;
	live[c]++;
	pthread_mutex_unlock(&shadow_lock);
}

static inline void
vanish(unsigned c, void *p)
{
	size_t i;

	pthread_mutex_lock(&shadow_lock);
	i = place_of((uintptr_t)p);
	CHECK_MSG(shadow[i] != 0, "%p is not in use", p);
	if (shadow[i] != 0)
		forget(i);
	live[c]--;
	pthread_mutex_unlock(&shadow_lock);
}

#endif
