/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/api/planted.h - bugs that are planted, and what is said of them. */
#ifndef PLANTED_H
#define PLANTED_H

#include "tests/test.h"

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

#endif
