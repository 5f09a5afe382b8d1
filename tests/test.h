/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/test.h - what every test program uses.  C and C++, no dependency.
 *
 *	int
 *	main(void)
 *	{
 *		CHECK_EQ(ksize(NULL), 0);
 *		return test_done();
 *	}
 *
 * A failed CHECK prints file:line, the expression and the values, and the
 * program goes on; a failed REQUIRE ends it.  All may be used by any thread.
 * The exit status is automake's: 0 pass, 1 fail, 77 skipped.
 */
#ifndef NUMASLAB_TEST_H
#define NUMASLAB_TEST_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef TEST_SANITIZED
/*
 * slab/stats.c reads other threads' records on purpose while they change, as
 * the numaslab command does from another process; it trusts nothing it reads.
 */
#ifdef __cplusplus
extern "C"
#endif
    __attribute__((weak, used, visibility("default"))) const char *
    __tsan_default_suppressions(void);
__attribute__((weak, used, visibility("default"))) const char *
__tsan_default_suppressions(void)
{
	return "race:^read_self$\n";
}
#endif

#define TEST_MAX_FAILURES 20 /* then give up: the rest says nothing new */

#define TEST_INLINE static inline __attribute__((unused))

static int test_failures;

__attribute__((format(printf, 3, 4))) TEST_INLINE void
test_fail(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s:%d: %s\n", file, line, text);
	if (__atomic_add_fetch(&test_failures, 1, __ATOMIC_RELAXED) >=
	    TEST_MAX_FAILURES) {
		fprintf(stderr, "%s:%d: giving up\n", file, line);
		_exit(1);
	}
}

TEST_INLINE void
test_check_eq(const char *file, int line, const char *what, intptr_t a,
	      intptr_t b)
{
	if (a != b)
		test_fail(file, line, "%s: %ld (0x%lx) is not %ld (0x%lx)",
			  what, (long)a, (unsigned long)a, (long)b,
			  (unsigned long)b);
}

TEST_INLINE void
test_check_str(const char *file, int line, const char *what, const char *a,
	       const char *b)
{
	if (a == NULL || b == NULL ? a != b : strcmp(a, b) != 0)
		test_fail(file, line, "%s: \"%s\" is not \"%s\"", what,
			  a ? a : "(null)", b ? b : "(null)");
}

#define CHECK(cond)                                                 \
	do {                                                        \
		if (!(cond))                                        \
			test_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

/* The same with words of one's own, as printf. */
#define CHECK_MSG(cond, ...)                                        \
	do {                                                        \
		if (!(cond))                                        \
			test_fail(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/* Integers or pointers of at most 64 bits. */
#define CHECK_EQ(a, b)                                                 \
	test_check_eq(__FILE__, __LINE__, #a " == " #b, (intptr_t)(a), \
		      (intptr_t)(b))

#define CHECK_STR(a, b) \
	test_check_str(__FILE__, __LINE__, #a " == " #b, (a), (b))

/* @expr is NULL (or -1, or whatever @value is) and errno is @error. */
#define CHECK_ERRNO(expr, value, error)    \
	do {                               \
		errno = 0;                 \
		CHECK_EQ((expr), (value)); \
		CHECK_EQ(errno, (error));  \
	} while (0)

#define REQUIRE(cond)                                               \
	do {                                                        \
		if (!(cond)) {                                      \
			test_fail(__FILE__, __LINE__, "%s", #cond); \
			_exit(1);                                   \
		}                                                   \
	} while (0)

TEST_INLINE int
test_done(void)
{
	return __atomic_load_n(&test_failures, __ATOMIC_RELAXED) ? 1 : 0;
}

/* Only for what this machine truly cannot do; @why is shown by ./check. */
TEST_INLINE void
test_skip(const char *why)
{
	printf("SKIP: %s\n", why);
	fflush(stdout);
	_exit(77);
}

/*
 * The environment is read before main(): a test that needs an option calls
 * this first, which runs the program again with it set.
 */
TEST_INLINE void
test_env(char **argv, const char *name, const char *value)
{
	const char *now = getenv(name);

	if (now != NULL && strcmp(now, value) == 0)
		return;
	REQUIRE(setenv(name, value, 1) == 0);
	execv("/proc/self/exe", argv);
	REQUIRE(!"exec of this program");
}

/* xorshift64: repeatable; @state must not be 0. */
TEST_INLINE uint64_t
test_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct test_output {
	size_t len;
	char text[8192]; /* always terminated */
};

/*
 * run_child - run fn(arg) in a child process and collect what it writes to
 * standard error.  A child that returns from @fn exits with the status of
 * test_done().  Returns the wait status.  The child leaves no core file.
 */
TEST_INLINE int
run_child(void (*fn)(void *), void *arg, struct test_output *out)
{
	struct rlimit no_core = { 0, 0 };
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	out->len = 0;
	fflush(NULL);
	REQUIRE(pipe(fd) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		test_failures = 0;
		alarm(300); /* a hang dies by SIGALRM instead */
		fn(arg);
		_exit(test_done());
	}
	close(fd[1]);
	while (out->len < sizeof(out->text) - 1) {
		n = read(fd[0], out->text + out->len,
			 sizeof(out->text) - 1 - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		out->len += (size_t)n;
	}
	out->text[out->len] = '\0';
	close(fd[0]);
	while (waitpid(pid, &status, 0) < 0)
		REQUIRE(errno == EINTR);
	return status;
}

/* Cases that each have a process of their own, and write nothing. */
struct test_one {
	const char *name;
	void (*fn)(void *);
};

TEST_INLINE void
test_each(const struct test_one *cases, size_t n)
{
	struct test_output out;

	for (size_t i = 0; i < n; i++) {
		int status = run_child(cases[i].fn, NULL, &out);

		CHECK_MSG(status == 0 && out.len == 0,
			  "%s: wait status 0x%x: %s", cases[i].name,
			  (unsigned)status, out.text);
	}
}

/*
 * fn(arg) dies by SIGABRT after exactly one line on standard error, which
 * begins with "numaslab: " and contains @needle.
 */
TEST_INLINE void
test_check_aborts(const char *file, int line, const char *what,
		  void (*fn)(void *), void *arg, const char *needle)
{
	struct test_output out;
	int status = run_child(fn, arg, &out);
	const char *end = strchr(out.text, '\n');

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		test_fail(file, line, "%s: no abort, wait status 0x%x: %s",
			  what, (unsigned)status, out.text);
	else if (end == NULL || end[1] != '\0' ||
		 strncmp(out.text, "numaslab: ", 10) != 0)
		test_fail(file, line, "%s: not one numaslab line: \"%s\"", what,
			  out.text);
	else if (strstr(out.text, needle) == NULL)
		test_fail(file, line, "%s: \"%s\" not in: %s", what, needle,
			  out.text);
}

#define CHECK_ABORTS(fn, arg, needle)                                        \
	test_check_aborts(__FILE__, __LINE__, #fn "(" #arg ")", (fn), (arg), \
			  (needle))

#endif
