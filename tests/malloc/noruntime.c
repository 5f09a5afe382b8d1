/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * operator new in a C program: it works; when memory is out it throws if a
 * C++ runtime has been loaded since, and else aborts with one line.
 */
#include "tests/malloc/malloc_test.h"

static void *(*new_plain)(size_t);
static void *(*new_nothrow)(size_t, const void *);
static void (*delete_plain)(void *);

static void
new_absurd(void *arg)
{
	void *p = new_plain(SIZE_MAX / 2);

	fprintf(stderr, "returned %p %p\n", p, arg);
}

static void
load_and_new(void *arg)
{
	REQUIRE(dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL) != NULL);
	new_absurd(arg);
}

int
main(void)
{
	struct test_output out;
	char tag = 0;
	int status;
	void *p;

	free(hide(malloc(1))); /* so that the library is linked at all */
	REQUIRE(is_ours());
	NEED(new_plain, "_Znwm");
	NEED(new_nothrow, "_ZnwmRKSt9nothrow_t");
	NEED(delete_plain, "_ZdlPv");
	REQUIRE(dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv") == NULL);
	p = new_plain(100);
	CHECK(p != NULL && in_heap(p));
	delete_plain(p);
	CHECK_EQ(new_nothrow(SIZE_MAX / 2, &tag), NULL);
	CHECK_ABORTS(new_absurd, NULL, "operator new");
	/* Nobody catches it, so that the runtime says what was thrown. */
	status = run_child(load_and_new, NULL, &out);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK_MSG(strstr(out.text, "std::bad_alloc") != NULL,
		  "no bad_alloc was thrown: %s", out.text);
	return test_done();
}
