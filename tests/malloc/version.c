/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints what mallctl says of its version. */
#include "tests/malloc/malloc_test.h"

int
main(void)
{
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	const char *version = NULL;
	size_t len = sizeof(version);

	NEED(mallctl, "mallctl");
	CHECK_EQ(mallctl("version", &version, &len, NULL, 0), 0);
	puts(version);
	return test_done();
}
