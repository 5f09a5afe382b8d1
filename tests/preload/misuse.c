/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * misuse - hand the allocator one pointer that it must refuse.
 *
 *	misuse CASE	prints the pointer, then misuses it; exits 0 if
 *			nothing stopped it
 *	misuse --list	prints the cases
 */
#include <err.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The compiler must not know what these do. */
static void (*volatile do_free)(void *) = free;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static void *(*volatile do_malloc)(size_t) = malloc;
static size_t (*volatile do_usable)(void *) = malloc_usable_size;

static void
announce(const void *p)
{
	char line[32];

	snprintf(line, sizeof(line), "%#" PRIxPTR "\n", (uintptr_t)p);
	if (fputs(line, stdout) == EOF || fflush(stdout) != 0)
		err(1, "stdout");
}

static void
foreign_stack(void)
{
	char here[64] = "";

	announce(here);
	do_free(here);
}

static void
foreign_static(void)
{
	static char here[64];

	announce(here);
	do_free(here);
}

static void
foreign_mapping(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	announce(p + 4096);
	do_free(p + 4096);
}

static void
foreign_wild(void)
{
	announce((void *)0x123450);
	do_free((void *)0x123450);
}

static void
foreign_kernel(void)
{
	announce((void *)0xffffffff81000000ul);
	do_free((void *)0xffffffff81000000ul);
}

static void
foreign_realloc(void)
{
	static char here[64];

	announce(here);
	do_realloc(here, 100);
}

static void
foreign_usable(void)
{
	static char here[64];

	announce(here);
	do_usable(here);
}

/* Of a block of @size bytes, @offset bytes in. */
static void
interior(size_t size, size_t offset)
{
	char *p = do_malloc(size);

	announce(p + offset);
	do_free(p + offset);
}

static void
interior_small(void)
{
	interior(48, 16);
}

static void
interior_odd(void)
{
	interior(48, 1);
}

static void
interior_medium(void)
{
	interior(20000, 4096);
}

static void
interior_large(void)
{
	interior(1 << 20, 65536);
}

static void
interior_large_page(void)
{
	interior(3 << 20, 4096);
}

static void
interior_realloc(void)
{
	char *p = do_malloc(200);

	announce(p + 32);
	do_realloc(p + 32, 400);
}

static void
twice(size_t size)
{
	char *p = do_malloc(size);

	announce(p);
	do_free(p);
	do_free(p);
}

static void
twice_small(void)
{
	twice(48);
}

static void
twice_medium(void)
{
	twice(20000);
}

static void
twice_large(void)
{
	twice(1 << 20);
}

static void
twice_huge(void)
{
	twice(64 << 20);
}

/* With others freed between the two. */
static void
twice_apart(void)
{
	char *p[5];

	for (int i = 0; i < 5; i++)
		p[i] = do_malloc(64);
	announce(p[2]);
	for (int i = 0; i < 5; i++)
		do_free(p[i]);
	do_free(p[2]);
}

static void *
free_it(void *p)
{
	do_free(p);
	return NULL;
}

static void
in_thread(void *p)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, free_it, p) != 0)
		errx(1, "pthread_create");
	pthread_join(thread, NULL);
}

static void
twice_here_there(void)
{
	char *p = do_malloc(64);

	announce(p);
	do_free(p);
	in_thread(p);
}

static void
twice_there_here(void)
{
	char *p = do_malloc(64);

	announce(p);
	in_thread(p);
	do_free(p);
}

static void
twice_there_there(void)
{
	char *p = do_malloc(64);

	announce(p);
	in_thread(p);
	in_thread(p);
}

static void
freed_realloc(void)
{
	char *p = do_malloc(300);

	announce(p);
	do_free(p);
	do_realloc(p, 600);
}

/* A slab in which nothing is left, long after. */
static void
freed_slab(void)
{
	static char *p[4096];

	for (int i = 0; i < 4096; i++)
		p[i] = do_malloc(1000);
	announce(p[2000]);
	for (int i = 0; i < 4096; i++)
		do_free(p[i]);
	malloc_trim(0);
	do_free(p[2000]);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "foreign_stack", foreign_stack },
	{ "foreign_static", foreign_static },
	{ "foreign_mapping", foreign_mapping },
	{ "foreign_wild", foreign_wild },
	{ "foreign_kernel", foreign_kernel },
	{ "foreign_realloc", foreign_realloc },
	{ "foreign_usable", foreign_usable },
	{ "interior_small", interior_small },
	{ "interior_odd", interior_odd },
	{ "interior_medium", interior_medium },
	{ "interior_large", interior_large },
	{ "interior_large_page", interior_large_page },
	{ "interior_realloc", interior_realloc },
	{ "twice_small", twice_small },
	{ "twice_medium", twice_medium },
	{ "twice_large", twice_large },
	{ "twice_huge", twice_huge },
	{ "twice_apart", twice_apart },
	{ "twice_here_there", twice_here_there },
	{ "twice_there_here", twice_there_here },
	{ "twice_there_there", twice_there_there },
	{ "freed_realloc", freed_realloc },
	{ "freed_slab", freed_slab },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

int
main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: misuse CASE | misuse --list");
	for (size_t i = 0; i < CASES; i++) {
		if (strcmp(argv[1], "--list") == 0)
			puts(cases[i].name);
		else if (strcmp(argv[1], cases[i].name) == 0)
			return cases[i].run(), 0;
	}
	return strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
