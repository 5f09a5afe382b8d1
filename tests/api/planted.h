/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/api/planted.h - bugs that are planted, and what is said of them. */
#ifndef PLANTED_H
#define PLANTED_H

#include "tests/test.h"

#include <pthread.h>

/* The flag that is to find a bug, alone or with others. */
enum finder { BY_CHECKS, BY_ZONE, BY_POISON };

static size_t size;                /* of both */
static volatile char *obj, *freed; /* live, and was freed once; free */

/* The test's own: the ways of what it tests. */
static void free_obj(void);
static void until_it_comes(void); /* freed is allocated again */
static void free_one(void *p);

/* fn(arg), in a child, aborts with lines that have all @needles (NULL ends). */
static void
check_planted(const char *name, void (*fn)(void *), void *arg,
	      const char *const *needles)
{
	struct test_output out;
	int status = run_child(fn, arg, &out);

	CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
		  "%s: not found, status 0x%x: %s", name, (unsigned)status,
		  out.text);
	for (; *needles != NULL; needles++)
		CHECK_MSG(strstr(out.text, *needles) != NULL,
			  "%s: \"%s\" is not in: %s", name, *needles, out.text);
}

/* --- bugs that objects and blocks have in common --- */

static void
overflow_1(void)
{
	obj[size] = 1;
	free_obj();
}

static void
overflow_8(void)
{
	memset((char *)obj + size, 1, 8);
	free_obj();
}

static void
underflow_1(void)
{
	obj[-1] = 1;
	free_obj();
}

static void
underflow_16(void)
{
	memset((char *)obj - 16, 0, 16);
	free_obj();
}

static void *
free_in_thread(void *p)
{
	free_one(p);
	return NULL;
}

static void
in_thread(volatile void *p)
{
	pthread_t t;

	REQUIRE(pthread_create(&t, NULL, free_in_thread, (void *)p) == 0);
	pthread_join(t, NULL);
}

static void
overflow_elsewhere(void)
{
	obj[size] = 1;
	in_thread(obj);
}

static void
double_free_thread(void)
{
	in_thread(freed);
}

static void
late_write_first(void)
{
	freed[0] = 1;
	until_it_comes();
}

static void
late_write_last(void)
{
	freed[size - 1] = 1;
	until_it_comes();
}

static void
late_write_behind(void)
{
	freed[size] = 1;
	until_it_comes();
}

static void
late_write_before(void)
{
	freed[-1] = 1;
	until_it_comes();
}

static void
late_zero(void)
{
	memset((char *)freed, 0, size);
	until_it_comes();
}

#endif
