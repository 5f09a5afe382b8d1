/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PG_ZERO is the truth: whenever it is set the page is zero, byte by byte,
 * whatever was allocated, written and freed before, the pool's purges
 * included; and who asks for zeroed pages gets them while there are any.
 */
#include "tests/vm/vm_test.h"

static size_t asked, given, unasked;

static vm_page_t
alloc_checked(int req)
{
	vm_page_t m = vm_page_alloc(NULL, 0, req);

	if (m == NULL)
		return NULL;
	if ((req & VM_ALLOC_ZERO) != 0)
		asked++;
	if ((vm_page_flags(m) & PG_ZERO) != 0) {
		CHECK_MSG(all_zero(vm_page_addr(m), ns_page_size),
			  "page %p has PG_ZERO and is not zero", (void *)m);
		if ((req & VM_ALLOC_ZERO) != 0)
			given++;
		else
			unasked++;
	}
	return m;
}

/* Rounds of growing and shrinking; what is freed is dirty to the last byte. */
static void
random_use(void *arg)
{
	static const int reqs[] = { NORMAL,    NORMAL | VM_ALLOC_ZERO,
				    SYSTEM,    SYSTEM | VM_ALLOC_ZERO,
				    INTERRUPT, INTERRUPT | VM_ALLOC_ZERO };
	struct set s = { NULL, 0, 0 };
	uint64_t rnd = 0x5eed;
	size_t i, round, goal;
	vm_page_t m;

	boot(arg);
	for (round = 0; round < 40; round++) {
		goal = test_random(&rnd) % 3000;
		while (s.n < goal) {
			m = alloc_checked(reqs[test_random(&rnd) % 6]);
			if (m == NULL)
				break;
			if (test_random(&rnd) % 8 != 0)
				memset(vm_page_addr(m), 0xdb, ns_page_size);
			set_add(&s, m);
		}
		while (s.n > goal) {
			i = test_random(&rnd) % s.n;
			m = s.page[i];
			s.page[i] = s.page[s.n - 1];
			s.page[s.n - 1] = m;
			set_free_last(&s);
		}
		if (round % 8 == 7)
			ns_pool_purge(0, 0);
		ns_vm_check(0);
	}
	CHECK(asked > 0 && given > 0);
	set_free(&s);
}

/* Fresh pages are zero and say so; freed ones do not. */
static void
first_and_second_use(void *arg)
{
	struct ns_vm_stat st;
	struct set s = { NULL, 0, 0 };
	vm_page_t m;
	int i;

	boot(arg);
	for (i = 0; i < 5000; i++) {
		m = alloc_checked(NORMAL | VM_ALLOC_ZERO);
		REQUIRE(m != NULL);
		CHECK_EQ(vm_page_flags(m), PG_ZERO);
		set_add(&s, m);
	}
	ns_vm_stat(0, &st);
	CHECK_EQ(st.zero_asked, 5000);
	CHECK_EQ(st.zero_given, 5000);

	/* The page freed last is the one to be used first. */
	m = s.page[s.n - 1];
	set_free_last(&s);
	CHECK_EQ(vm_page_alloc(NULL, 0, NORMAL), m);
	CHECK_EQ(vm_page_flags(m), 0);
	set_add(&s, m);
	set_free(&s);
}

/* Who does not ask for zeroed pages leaves them to those who do. */
static void
preference(void *arg)
{
	vm_page_t a, b, c;

	boot(arg);
	a = vm_page_alloc(NULL, 0, NORMAL);
	b = vm_page_alloc(NULL, 0, NORMAL);
	REQUIRE(a != NULL && b != NULL);
	vm_page_free(a);
	vm_page_free(b);
	c = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_ZERO);
	CHECK(c != a && c != b);
	CHECK_EQ(vm_page_flags(c), PG_ZERO);
	CHECK_EQ(vm_page_alloc(NULL, 0, NORMAL), b);
	CHECK_EQ(vm_page_alloc(NULL, 0, NORMAL), a);
}

/* ZERO alone does not make the node pile up dirty pages. */
static void
no_pile(void *arg)
{
	struct ns_vm_stat st;
	vm_page_t m;
	int i;

	boot(arg);
	for (i = 0; i < 100000; i++) {
		m = alloc_checked(NORMAL | VM_ALLOC_ZERO);
		REQUIRE(m != NULL);
		memset(vm_page_addr(m), 1, 64);
		vm_page_free(m);
	}
	ns_vm_stat(0, &st);
	CHECK_MSG(st.pages * ns_page_size <= 4 * NS_EXTENT,
		  "%lu pages for one in use", (unsigned long)st.pages);
	CHECK(st.zero_given > 0);
}

/*
 * A run that the pool knows to be dirty is cut into dirty pages; after a
 * purge it is zero again.
 */
static void
recycled_runs(void *arg)
{
	struct set s = { NULL, 0, 0 };
	int round, i;
	vm_page_t m;

	boot(arg);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 4000; i++) {
			m = alloc_checked(i % 2 ? NORMAL
						: NORMAL | VM_ALLOC_ZERO);
			REQUIRE(m != NULL);
			memset(vm_page_addr(m), 0x77, ns_page_size);
			set_add(&s, m);
		}
		set_free(&s);
		if (round == 2)
			ns_pool_purge(0, 0);
		ns_vm_check(0);
	}
}

int
main(void)
{
	static struct machine machines[] = {
		{ .limit = 0 },
		{ .limit = 6 << 20 },
		{ .limit = 9 << 20, .page_size = 16384 },
	};
	static struct machine purging = { .purge_now = true };
	static struct machine large = { .page_size = 65536 };

	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++)
		CASE(random_use, &machines[i]);
	CASE(random_use, &large);
	CASE(first_and_second_use, &machines[0]);
	CASE(preference, &machines[0]);
	CASE(no_pile, &machines[0]);
	CASE(recycled_runs, &machines[0]);
	CASE(random_use, &purging);
	CASE(recycled_runs, &purging);
	return test_done();
}
