/* SPDX-License-Identifier: BSD-2-Clause */
/* What must not be done ends the process with one line that says what. */
#include "tests/vm/vm_test.h"

static char needle[160];

static const char *
line(const char *call, vm_page_t m, const char *rule)
{
	snprintf(needle, sizeof(needle),
		 "%s: page %p (memory %p) of node %d: %s\n", call, (void *)m,
		 vm_page_addr(m), vm_page_domain(m), rule);
	return needle;
}

static void
do_free(void *m)
{
	vm_page_free(m);
}

static void
do_free_twice(void *m)
{
	vm_page_free(m);
	vm_page_free(m);
}

static void
do_unwire(void *m)
{
	vm_page_unwire(m, PQ_NONE);
}

static void
do_unwire_to_queue(void *m)
{
	vm_page_unwire(m, 1);
}

static void
do_wire(void *m)
{
	vm_page_wire(m);
}

static void
do_wire_free(void *m)
{
	vm_page_free(m);
	vm_page_wire(m);
}

static void
do_flags_of_free(void *m)
{
	vm_page_free(m);
	vm_page_flags(m);
}

static void
do_free_nonzero(void *m)
{
	((char *)vm_page_addr(m))[vm_page_size() - 1] = 1;
	vm_page_free_zero(m);
}

static void
wrong_states(int node)
{
	vm_page_t m = vm_page_alloc_domain(NULL, 0, node, NORMAL);

	REQUIRE(m != NULL);
	CHECK_ABORTS(do_free_twice, m, line("vm_page_free", m, "it is free"));
	CHECK_ABORTS(do_unwire, m,
		     line("vm_page_unwire", m, "it is not wired"));
	CHECK_ABORTS(do_wire_free, m, line("vm_page_wire", m, "it is free"));
	CHECK_ABORTS(do_unwire_to_queue, m,
		     line("vm_page_unwire", m,
			  "a page without object goes on PQ_NONE only"));
#ifdef NS_DEBUG
	CHECK_ABORTS(do_flags_of_free, m,
		     line("vm_page_flags", m, "it is free"));
	CHECK_ABORTS(do_free_nonzero, m,
		     line("vm_page_free_zero", m, "it is not zero"));
#else
	(void)do_flags_of_free;
	(void)do_free_nonzero;
#endif
	vm_page_wire(m);
	CHECK_ABORTS(do_free, m, line("vm_page_free", m, "it is wired"));
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), true);
	vm_page_free(m);
}

/* Pointers that are no pages, of every kind that is easily had. */
static void
no_pages(void)
{
	static char data[256];
	struct set s = { NULL, 0, 0 };
	vm_page_t m = vm_page_alloc(NULL, 0, NORMAL);
	char local[64], *p;

	REQUIRE(m != NULL);
	p = vm_page_addr(m);
	CHECK_ABORTS(do_free, NULL, "vm_page_free: ");
	CHECK_ABORTS(do_free, NULL, "is not a page");
	CHECK_ABORTS(do_free, data, "is not a page");
	CHECK_ABORTS(do_free, local, "is not a page");
	CHECK_ABORTS(do_free, p, "is not a page");
	CHECK_ABORTS(do_free, (char *)m + 1, "is not a page");
	CHECK_ABORTS(do_free, (char *)m + 32, "is not a page");
	CHECK_ABORTS(do_free, (void *)-1l, "is not a page");
	CHECK_ABORTS(do_free, ns_base + ns_total - 64, "is not a page");
	CHECK_ABORTS(do_wire, p, "vm_page_wire: ");
	CHECK_ABORTS(do_unwire, p, "vm_page_unwire: ");

	/* A page struct that was never in use. */
	CHECK_ABORTS(do_free, m + 4095, "is not ");
	/* One whose chunk has gone back to the pool. */
	for (int i = 0; i < 4096; i++)
		set_add(&s, vm_page_alloc(NULL, 0, NORMAL));
	m = s.page[2048];
	set_free(&s);
	CHECK_ABORTS(do_free, m, "is not ");
	free(s.page);
}

int
main(void)
{
	static struct machine two = { .nodes = 2 };

	boot(&two);
	wrong_states(0);
	wrong_states(1);
	no_pages();
	return test_done();
}
