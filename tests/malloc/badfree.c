/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pointer that is not the start of a live block aborts with one line,
 * through whichever function it comes and whatever size its block has.
 */
#include "tests/malloc/malloc_test.h"

#include <inttypes.h>
#include <sys/mman.h>

static const size_t sizes[] = { 1,    16,    48,    100,    1000,   1040,
				5000, 10000, 65536, 100000, 3000000 };

#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

/* How a bad pointer comes in. */
struct way {
	const char *name;
	void (*use)(void *p);
};

static void
by_free(void *p)
{
	free(hide(p));
}

static void
by_cfree(void *p)
{
	void (*fn)(void *);

	NEED(fn, "cfree");
	fn(p);
}

static void
by_sized(void *p)
{
	void (*fn)(void *, size_t);

	NEED(fn, "free_sized");
	fn(p, 1);
}

static void
by_realloc(void *p)
{
	p = realloc(hide(p), 200);
	fprintf(stderr, "realloc returned %p\n", p);
}

static void
by_usable(void *p)
{
	fprintf(stderr, "usable size %zu\n", malloc_usable_size(hide(p)));
}

static void
by_delete(void *p)
{
	void (*fn)(void *);

	NEED(fn, "_ZdlPv");
	fn(p);
}

static void
by_delete_sized(void *p)
{
	void (*fn)(void *, size_t);

	NEED(fn, "_ZdaPvm");
	fn(p, 1);
}

static void
by_dallocx(void *p)
{
	void (*fn)(void *, int);

	NEED(fn, "dallocx");
	fn(p, 0);
}

static void
by_rallocx(void *p)
{
	void *(*fn)(void *, size_t, int);

	NEED(fn, "rallocx");
	fprintf(stderr, "rallocx returned %p\n", fn(p, 100, 0));
}

static const struct way ways[] = {
	{ "free", by_free },
	{ "cfree", by_cfree },
	{ "free_sized", by_sized },
	{ "realloc", by_realloc },
	{ "delete", by_delete },
	{ "delete[] sized", by_delete_sized },
	{ "dallocx", by_dallocx },
	{ "rallocx", by_rallocx },
	{ "malloc_usable_size", by_usable }, /* last: does not end a life */
};

#define NWAYS (sizeof(ways) / sizeof(ways[0]))

static const struct way *way;

/* The pointer is made in the parent, so that the line can be compared. */
static void
check_bad(void *p, const char *what, size_t size)
{
	struct test_output out;
	char name[32];
	int status;

	status = run_child(way->use, p, &out);
	snprintf(name, sizeof(name), "%p", p);
	CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
		  "%s of %s (%zu): status 0x%x, said: %s", way->name, what,
		  size, (unsigned)status, out.text);
	CHECK_MSG(strncmp(out.text, "numaslab: ", 10) == 0 &&
		      strchr(out.text, '\n') == out.text + out.len - 1,
		  "%s of %s (%zu): not one line: %s", way->name, what, size,
		  out.text);
	CHECK_MSG(strstr(out.text, name) != NULL,
		  "%s of %s (%zu): %s is not in: %s", way->name, what, size,
		  name, out.text);
}

static void
test_foreign(void)
{
	static char here[256] __attribute__((aligned(64)));
	char stack[256] __attribute__((aligned(64)));
	char *map = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(map != MAP_FAILED);
	check_bad(here + 16, "a static object", 0);
	check_bad(hide(stack), "a stack object", 0);
	check_bad(map + 16, "a mapping", 0);
	check_bad((void *)(uintptr_t)by_free, "a function", 0);
	check_bad((void *)16, "a small number", 0);
	check_bad((void *)UINTPTR_MAX, "-1", 0);
	munmap(map, 65536);
}

/* Every other byte of a small block, and odd places of a large one. */
static void
test_interior(size_t size)
{
	char *p = malloc(size);
	size_t u = malloc_usable_size(p), off;

	REQUIRE(p != NULL);
	for (off = 1; off < u; off = off * 2 + (off < 8))
		check_bad(p + off, "the inside of a block", size);
	check_bad(p + u - 1, "the end of a block", size);
	free(p);
}

/* Its neighbours live, so that the slab stays. */
static void
test_double(size_t size)
{
	char *before = malloc(size), *p = malloc(size), *after = malloc(size);

	REQUIRE(before != NULL && p != NULL && after != NULL);
	free(p);
	check_bad(p, "a freed block", size);
	free(before);
	free(after);
}

static void
free_twice(void *p)
{
	free(hide(p));
	free(hide(p));
}

/* Nothing else is in the slab, or was between. */
static void
test_twice(size_t size)
{
	static const struct way twice = { "free twice", free_twice };
	void *p = malloc(size);

	way = &twice;
	check_bad(p, "a block", size);
	free(p);
}

/* Where no block was handed out yet. */
static void
test_behind(size_t size)
{
	char *p = malloc(size), *q = malloc(size);
	size_t u = malloc_usable_size(p);

	REQUIRE(p != NULL && q != NULL);
	check_bad((p > q ? p : q) + u, "what is behind the last", size);
	free(p);
	free(q);
}

/* The second free comes when its slab has gone and come back. */
static void
test_long_ago(size_t size)
{
	enum { N = 4000 };
	static char *first[N], *again[N / 4];
	size_t i, k;

	for (i = 0; i < N; i++)
		REQUIRE((first[i] = malloc(size)) != NULL);
	for (i = 0; i < N; i++)
		free(first[i]);
	malloc_trim(0);
	for (i = 0; i < N / 4; i++)
		REQUIRE((again[i] = malloc(size)) != NULL);
	for (k = 0; k < N; k += 97) {
		for (i = 0; i < N / 4 && again[i] != first[k]; i++)
			;
		if (i == N / 4)
			check_bad(first[k], "a block freed long ago", size);
	}
	for (i = 0; i < N / 4; i++)
		free(again[i]);
}

/*
 * A correct program: what it moves within a block includes bytes it has not
 * written, which some earlier block may have left there.
 */
static void
test_leftovers(size_t before, size_t size)
{
	enum { N = 20000 };
	static char *p[N];
	size_t i, step;

	for (i = 0; i < N; i++)
		REQUIRE((p[i] = malloc(before)) != NULL);
	for (i = 0; i < N; i++)
		free(p[i]);
	for (i = 0; i < N; i++)
		REQUIRE((p[i] = malloc(size)) != NULL);
	for (step = 8; step < size; step += 8)
		for (i = 0; i < N; i++)
			memmove(p[i], p[i] + 8, size - 8);
	for (i = 0; i < N; i++)
		free(p[i]);
}

int
main(void)
{
	size_t w, i;

	REQUIRE(is_ours());
	for (w = 0; w < NWAYS; w++) {
		way = &ways[w];
		test_foreign();
	}
	for (i = 0; i < NSIZES; i++) {
		way = &ways[0];
		test_interior(sizes[i]);
		test_double(sizes[i]);
		way = &ways[1 + i % (NWAYS - 1)];
		test_double(sizes[i]);
		way = &ways[1 + i % (NWAYS - 1)];
		test_interior(sizes[i]);
		test_twice(sizes[i]);
		way = &ways[i % NWAYS];
		test_behind(sizes[i]);
		if (sizes[i] <= 1000)
			test_long_ago(sizes[i]);
	}
	way = &ways[3]; /* realloc, in place if it could */
	test_double(190);
	test_leftovers(16, 64);
	test_leftovers(32, 48);
	test_leftovers(64, 16);
	return test_done();
}
