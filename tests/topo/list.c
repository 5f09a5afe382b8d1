/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of the kernel's lists, "0-3,8", which trusts nothing. */
#include "tests/test.h"
#include "topo/internal.h"

/* The ranges of @list as "a-b a-b ". */
static void
check(const char *list, const char *want)
{
	char is[256] = "";
	unsigned a, b;

	while ((list = ns_range_next(list, &a, &b)) != NULL)
		sprintf(is + strlen(is), "%u-%u ", a, b);
	CHECK_STR(is, want);
}

int
main(void)
{
	check("", "");
	check("\n", "");
	check("0", "0-0 ");
	check("0\n", "0-0 ");
	check("0-3,8\n", "0-3 8-8 ");
	check("0-3,8,10-10\n", "0-3 8-8 10-10 ");
	check("4294967295", "4294967295-4294967295 ");
	check("4294967296", "");
	check("0,4294967296", "0-0 ");
	check("99999999999999999999999", "");
	check("3-1", "");
	check("1-", "");
	check("-1", "");
	check("1,", "1-1 ");
	check("1,,2", "1-1 ");
	check("1 2", "");
	check("1-2-3", "");
	check("0-7:2/4", "");
	check("abc", "");
	check("1,abc", "1-1 ");
	return test_done();
}
