/* SPDX-License-Identifier: BSD-2-Clause */
/* plugin - a library for loading.c: allocates when it comes and goes. */
#include <stdlib.h>
#include <string.h>

char *plugin_make(size_t size);

static __thread char *per_thread;
static char *kept;

__attribute__((constructor)) static void
arrive(void)
{
	kept = malloc(5000);
	if (kept == NULL)
		abort();
	memset(kept, 1, 5000);
}

__attribute__((destructor)) static void
leave(void)
{
	free(kept);
}

/* The block outlives the library. */
char *
plugin_make(size_t size)
{
	char *p = malloc(size);

	free(per_thread);
	per_thread = NULL;
	if (size % 2 == 0)
		per_thread = strdup("something of this thread's");
	free(per_thread);
	per_thread = NULL;
	if (p != NULL)
		memset(p, 7, size);
	return p;
}
