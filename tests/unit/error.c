/* SPDX-License-Identifier: BSD-2-Clause */
/* base/error.c: the formatter against printf, and the one line it writes. */
#include "base/base.h"
#include "tests/test.h"

#include <limits.h>

/* The same format and arguments must give what snprintf gives. */
#define CHECK_FORMAT(...)                                              \
	do {                                                           \
		char ours[256], theirs[256];                           \
		size_t n = ns_format(ours, sizeof(ours), __VA_ARGS__); \
		int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		CHECK_STR(ours, theirs);                               \
		CHECK_EQ(n, m);                                        \
	} while (0)

static void
test_conversions(void)
{
	CHECK_FORMAT("%s", "");
	CHECK_FORMAT("plain");
	CHECK_FORMAT("%s and %s", "one", "two");
	CHECK_FORMAT("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
	CHECK_FORMAT("%u %u", 0u, UINT_MAX);
	CHECK_FORMAT("%x %x", 0u, 0xdeadbeefu);
	CHECK_FORMAT("%zu %zu", (size_t)0, SIZE_MAX);
	CHECK_FORMAT("%lu %lx", ULONG_MAX, ULONG_MAX);
	CHECK_FORMAT("%llu", ULLONG_MAX);
	CHECK_FORMAT("%ld %ld", LONG_MIN, LONG_MAX);
	CHECK_FORMAT("%p", (void *)0x1234);
	CHECK_FORMAT("%c%c", 'a', 'z');
	CHECK_FORMAT("100%%, %d", 7);
}

static void
test_null_string(void)
{
	char buf[32], *volatile null = NULL;

	ns_format(buf, sizeof(buf), "[%s]", null);
	CHECK_STR(buf, "[(null)]");
}

static void
test_truncation(void)
{
	char buf[16];

	for (size_t size = 1; size <= 8; size++) {
		memset(buf, 'x', sizeof(buf));
		CHECK_EQ(ns_format(buf, size, "%d", 12345678), size - 1);
		CHECK_EQ(strlen(buf), size - 1);
		CHECK_EQ(strncmp(buf, "12345678", size - 1), 0);
		for (size_t i = size; i < sizeof(buf); i++)
			CHECK_EQ(buf[i], 'x');
	}
	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(ns_format(buf, 0, "%d", 1), 0);
	CHECK_EQ(buf[0], 'x');
}

static void
warn(void *arg)
{
	errno = EXDEV;
	ns_warn("about %s", (const char *)arg);
	CHECK_EQ(errno, EXDEV);
}

static void
fatal(void *arg)
{
	ns_fatal("last words: %p", arg);
}

static void
test_lines(void)
{
	static char longer_than_a_line[2000];
	struct test_output out;

	CHECK_EQ(run_child(warn, (void *)"this", &out), 0);
	CHECK_STR(out.text, "numaslab: about this\n");

	memset(longer_than_a_line, 'y', sizeof(longer_than_a_line) - 1);
	CHECK_EQ(run_child(warn, longer_than_a_line, &out), 0);
	CHECK(out.len > 100 && out.len < sizeof(longer_than_a_line));
	CHECK_EQ(strchr(out.text, '\n'), out.text + out.len - 1);

	CHECK_ABORTS(fatal, (void *)0xabc, "last words: 0xabc\n");
}

int
main(void)
{
	test_conversions();
	test_null_string();
	test_truncation();
	test_lines();
	return test_done();
}
