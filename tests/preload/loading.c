/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loading - libraries that come and go while threads allocate.
 *
 *	loading COUNT LIBRARY FUNCTION [LIBRARY]...
 *
 * Loads and unloads the first library COUNT times, from four threads, and
 * frees what its FUNCTION allocated after it has gone.  The other libraries
 * are loaded and unloaded along with it.  A name that starts with "keep:" is
 * loaded once, first, with RTLD_NOW | RTLD_LOCAL, and stays.
 */
#include <dlfcn.h>
#include <err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4

static unsigned count;
static char **names;
static const char *function;

static void *
load(const char *name)
{
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		errx(1, "%s", dlerror());
	return library;
}

static void *
loader(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	char *(*make)(size_t), *block;
	void *library, *other;
	size_t size;

	for (unsigned i = id; i < count; i += THREADS) {
		library = load(names[0]);
		*(void **)&make = dlsym(library, function);
		if (make == NULL)
			errx(1, "%s", dlerror());
		size = (size_t)i * 37 % 100000 + 1;
		block = make(size);
		for (char **name = names + 1; *name != NULL; name++) {
			if (strncmp(*name, "keep:", 5) == 0)
				continue;
			other = load(*name);
			dlclose(other);
		}
		dlclose(library);
		if (block == NULL || block[0] != 7 || block[size - 1] != 7)
			errx(1, "the block is damaged");
		free(block);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	if (argc < 4)
		errx(2, "usage: loading COUNT LIBRARY FUNCTION [LIBRARY]...");
	alarm(120);
	count = (unsigned)atoi(argv[1]);
	function = argv[3];
	names = argv + 3;
	names[0] = argv[2];
	for (char **name = names + 1; *name != NULL; name++)
		if (strncmp(*name, "keep:", 5) == 0)
			load(*name + 5);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, loader, (void *)i) != 0)
			errx(1, "pthread_create");
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%u loads\n", count);
	return 0;
}
