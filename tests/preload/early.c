/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * early - a library whose constructor runs before the allocator's: so its
 * handlers are called while the allocator is ready for fork().  They
 * allocate, more than what is at hand.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MANY 2000

static void
allocate(void)
{
	static char *p[MANY];
	size_t i;

	for (i = 0; i < MANY; i++) {
		p[i] = malloc(i % 700 + i % 50 * 2000);
		if (p[i] == NULL)
			abort();
		*p[i] = 1;
	}
	for (i = 0; i < MANY; i++)
		free(p[i]);
}

__attribute__((constructor)) static void
arrive(void)
{
	if (pthread_atfork(allocate, allocate, allocate) != 0)
		abort();
}
