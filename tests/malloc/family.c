/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each function of the malloc family by its standard, errors and errno
 * included.
 */
#include "tests/malloc/malloc_test.h"

#include <pthread.h>

static const size_t absurd[] = { (size_t)PTRDIFF_MAX,
				 (size_t)PTRDIFF_MAX + 1,
				 SIZE_MAX - 4096,
				 SIZE_MAX - 15,
				 SIZE_MAX,
				 SIZE_MAX / 2 - 65536 };

#define NABSURD (sizeof(absurd) / sizeof(absurd[0]))

static void
test_malloc(void)
{
	void *a = malloc(0), *b = malloc(0);
	size_t i;

	CHECK(a != NULL && b != NULL && a != b);
	CHECK(in_heap(a));
	free(a);
	free(b);
	for (i = 0; i < NABSURD; i++)
		CHECK_ERRNO(malloc(hide_size(absurd[i])), NULL, ENOMEM);
}

static void
test_calloc(void)
{
	void *p = calloc(0, 10), *q = calloc(10, 0);
	size_t i;

	CHECK(p != NULL && q != NULL && p != q);
	free(p);
	free(q);
	for (i = 0; i < NABSURD; i++) {
		CHECK_ERRNO(calloc(hide_size(absurd[i]), 1), NULL, ENOMEM);
		CHECK_ERRNO(calloc(1, hide_size(absurd[i])), NULL, ENOMEM);
	}
	CHECK_ERRNO(calloc(hide_size(1ul << 33), hide_size(1ul << 33)), NULL,
		    ENOMEM);
	CHECK_ERRNO(calloc(hide_size(SIZE_MAX / 2 + 1), 2), NULL, ENOMEM);
	CHECK_ERRNO(calloc(hide_size(SIZE_MAX / 16 + 2), 16), NULL, ENOMEM);
}

static void
test_realloc(void)
{
	static const size_t from[] = { 1, 24, 1000, 5000, 70000, 3000000 };
	char *p, *q;
	size_t i, j;

	p = realloc(NULL, 10);
	CHECK(p != NULL && in_heap(p));
	errno = 0;
	CHECK_EQ(realloc(p, hide_size(0)), NULL);
	CHECK_EQ(errno, 0);
	p = realloc(NULL, 0);
	CHECK(p != NULL);
	free(p);
	for (i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		p = malloc(from[i]);
		REQUIRE(p != NULL);
		fill(p, from[i], 3);
		for (j = 0; j < NABSURD; j++) {
			CHECK_ERRNO(realloc(hide(p), hide_size(absurd[j])),
				    NULL, ENOMEM);
			CHECK_EQ(filled(p, from[i], 3), from[i]);
		}
		CHECK_ERRNO(reallocarray(hide(p), hide_size(SIZE_MAX / 2), 3),
			    NULL, ENOMEM);
		CHECK_ERRNO(reallocarray(hide(p), hide_size(1ul << 32),
					 hide_size(1ul << 32)),
			    NULL, ENOMEM);
		CHECK_EQ(filled(p, from[i], 3), from[i]);
		q = reallocarray(p, from[i], 3);
		REQUIRE(q != NULL);
		CHECK_EQ(filled(q, from[i], 3), from[i]);
		CHECK_EQ(reallocarray(q, 3, hide_size(0)), NULL);
	}
	p = reallocarray(NULL, 3, 7);
	CHECK(p != NULL && malloc_usable_size(p) >= 21);
	free(p);
}

static void
test_memalign(void)
{
	char *p;
	size_t i;

	/* Rounded up to a power of two. */
	p = memalign(hide_size(3), 100);
	CHECK(p != NULL && (uintptr_t)p % 4 == 0);
	free(p);
	p = memalign(hide_size(48), 100);
	CHECK(p != NULL && (uintptr_t)p % 64 == 0);
	free(p);
	p = memalign(hide_size(4097), 1);
	CHECK(p != NULL && (uintptr_t)p % 8192 == 0);
	free(p);
	p = memalign(hide_size(0), 1);
	CHECK(p != NULL);
	free(p);
	p = memalign(64, 0);
	CHECK(p != NULL && (uintptr_t)p % 64 == 0);
	free(p);
	CHECK_ERRNO(memalign(hide_size(SIZE_MAX), 1), NULL, EINVAL);
	CHECK_ERRNO(memalign(hide_size(SIZE_MAX / 2 + 2), 1), NULL, EINVAL);
	CHECK_ERRNO(memalign(hide_size(SIZE_MAX / 2 + 1), 1), NULL, ENOMEM);
	CHECK_ERRNO(memalign(hide_size(1ul << 62), 1), NULL, ENOMEM);
	for (i = 0; i < NABSURD; i++)
		CHECK_ERRNO(memalign(64, hide_size(absurd[i])), NULL, ENOMEM);
}

static void
test_aligned_alloc(void)
{
	char *p = aligned_alloc(64, 100); /* C17: any size */
	size_t i;

	CHECK(p != NULL && (uintptr_t)p % 64 == 0);
	free(p);
	p = aligned_alloc(1, 5);
	CHECK(p != NULL);
	free(p);
	CHECK_ERRNO(aligned_alloc(hide_size(0), 64), NULL, EINVAL);
	CHECK_ERRNO(aligned_alloc(hide_size(3), 64), NULL, EINVAL);
	CHECK_ERRNO(aligned_alloc(hide_size(48), 48), NULL, EINVAL);
	CHECK_ERRNO(aligned_alloc(hide_size(SIZE_MAX), 1), NULL, EINVAL);
	CHECK_ERRNO(aligned_alloc(hide_size(1ul << 63), 1), NULL, ENOMEM);
	for (i = 0; i < NABSURD; i++)
		CHECK_ERRNO(aligned_alloc(4096, hide_size(absurd[i])), NULL,
			    ENOMEM);
}

/* @align and @size must fail with @error, and nothing else may change. */
static void
posix_fails(size_t align, size_t size, int error)
{
	void *mark = &mark, *p = mark;

	errno = 4711;
	CHECK_EQ(posix_memalign(&p, hide_size(align), hide_size(size)), error);
	CHECK_EQ(errno, 4711);
	CHECK_EQ(p, mark);
}

static void
test_posix_memalign(void)
{
	void *p = NULL;
	size_t i;

	errno = 4711;
	CHECK_EQ(posix_memalign(&p, sizeof(void *), 1), 0);
	CHECK_EQ(errno, 4711);
	CHECK(p != NULL && in_heap(p));
	free(p);
	CHECK_EQ(posix_memalign(&p, 1024, 0), 0);
	CHECK(p != NULL && (uintptr_t)p % 1024 == 0);
	free(p);
	posix_fails(0, 1, EINVAL);
	posix_fails(1, 1, EINVAL);
	posix_fails(4, 1, EINVAL);
	posix_fails(12, 1, EINVAL);
	posix_fails(24, 1, EINVAL);
	posix_fails(SIZE_MAX, 1, EINVAL);
	posix_fails(SIZE_MAX - 7, 1, EINVAL);
	posix_fails(1ul << 63, 1, ENOMEM);
	posix_fails(1ul << 62, 1, ENOMEM);
	for (i = 0; i < NABSURD; i++) {
		posix_fails(8, absurd[i], ENOMEM);
		posix_fails(64, absurd[i], ENOMEM);
		posix_fails(1ul << 20, absurd[i], ENOMEM);
	}
}

static void
test_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n, i;
	char *p;

	for (n = 0; n < 4 * page; n += page / 2 + 1) {
		p = valloc(n);
		CHECK(p != NULL && (uintptr_t)p % page == 0);
		free(p);
		p = pvalloc(n);
		CHECK(p != NULL && (uintptr_t)p % page == 0);
		CHECK(malloc_usable_size(p) >= (n + page - 1) / page * page);
		free(p);
	}
	p = pvalloc(0);
	CHECK(p != NULL);
	free(p);
	for (i = 0; i < NABSURD; i++) {
		CHECK_ERRNO(valloc(hide_size(absurd[i])), NULL, ENOMEM);
		CHECK_ERRNO(pvalloc(hide_size(absurd[i])), NULL, ENOMEM);
	}
}

static void
test_usable_size(void)
{
	size_t n, u;
	char *p;

	CHECK_EQ(malloc_usable_size(NULL), 0);
	for (n = 0; n < 300000; n += n / 16 + 1) {
		p = malloc(n);
		REQUIRE(p != NULL);
		u = malloc_usable_size(p);
		CHECK_MSG(u >= n, "malloc_usable_size %zu of %zu", u, n);
		if (n > 128 && n <= 65536)
			CHECK_MSG(u <= n + n / 8 + 1,
				  "malloc(%zu) takes %zu bytes", n, u);
		/* A program may use all of it, and grow into it. */
		fill(p, u, 9);
		p = realloc(p, u);
		REQUIRE(p != NULL);
		CHECK_EQ(filled(p, u, 9), u);
		CHECK(malloc_usable_size(p) >= u);
		free(p);
	}
}

static void *
free_all(void *arg)
{
	void **p = arg;

	errno = 4711;
	for (; *p != NULL; p++)
		free(*p);
	return (void *)(intptr_t)errno;
}

/* By its own thread, by another, and when memory goes back to the system. */
static void
test_free_errno(void)
{
	static const size_t size[] = { 1, 100, 3000, 20000, 100000, 8 << 20 };
	void *p[1201], *result;
	pthread_t thread;
	size_t i, n = sizeof(p) / sizeof(p[0]) - 1;
	int round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < n; i++) {
			p[i] = malloc(size[i % 6]);
			REQUIRE(p[i] != NULL);
			*(char *)p[i] = 1;
		}
		p[n] = NULL;
		result = NULL;
		if (round == 0)
			result = free_all(p);
		else
			REQUIRE(pthread_create(&thread, NULL, free_all, p) ==
				    0 &&
				pthread_join(thread, &result) == 0);
		CHECK_EQ(result, 4711);
	}
	errno = 4711;
	free(NULL);
	CHECK_EQ(errno, 4711);
}

static void
test_other_names(void)
{
	static const char *const same[][2] = {
		{ "__libc_malloc", "malloc" },
		{ "__libc_free", "free" },
		{ "cfree", "free" },
		{ "__libc_calloc", "calloc" },
		{ "__libc_realloc", "realloc" },
		{ "__libc_reallocarray", "reallocarray" },
		{ "__libc_memalign", "memalign" },
		{ "__libc_valloc", "valloc" },
		{ "__libc_pvalloc", "pvalloc" },
		{ "__posix_memalign", "posix_memalign" },
		{ "__libc_mallopt", "mallopt" },
	};
	void (*sized)(void *, size_t);
	void (*aligned_sized)(void *, size_t, size_t);
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		CHECK_MSG(need(same[i][0]) == need(same[i][1]), "%s is not %s",
			  same[i][0], same[i][1]);
	NEED(sized, "free_sized");
	NEED(aligned_sized, "free_aligned_sized");
	errno = 4711;
	sized(malloc(100), 100);
	sized(malloc(1 << 20), 1 << 20);
	sized(NULL, 0);
	aligned_sized(aligned_alloc(256, 512), 256, 512);
	aligned_sized(NULL, 64, 0);
	CHECK_EQ(errno, 4711);
}

/* What libc itself allocates, and we are told to free, is ours as well. */
static void
test_libc_inside(void)
{
	char *line = NULL, *s = strdup("strdup");
	size_t n = 0;
	FILE *f;

	CHECK(s != NULL && in_heap(s));
	free(s);
	REQUIRE(asprintf(&s, "%d", 12) == 2);
	CHECK(in_heap(s));
	free(s);
	f = open_memstream(&s, &n);
	REQUIRE(f != NULL && fprintf(f, "one line\n") > 0 && fclose(f) == 0);
	CHECK(in_heap(s) && n == 9);
	f = fmemopen(s, n, "r");
	n = 0;
	REQUIRE(f != NULL && getline(&line, &n, f) == 9 && fclose(f) == 0);
	CHECK(in_heap(line));
	CHECK_STR(line, "one line\n");
	free(line);
	free(s);
	s = realpath("/proc/self/../self/exe", NULL);
	CHECK(s != NULL && in_heap(s));
	free(s);
}

int
main(void)
{
	REQUIRE(is_ours());
	test_malloc();
	test_calloc();
	test_realloc();
	test_memalign();
	test_aligned_alloc();
	test_posix_memalign();
	test_pages();
	test_usable_size();
	test_free_errno();
	test_other_names();
	test_libc_inside();
	return test_done();
}
