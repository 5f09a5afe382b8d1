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

/* What is freed as zero comes back to who asks for zeros, and is counted. */
static void
freed_as_zero(void *arg)
{
	struct set s = { NULL, 0, 0 }, kept = { NULL, 0, 0 };
	struct ns_vm_stat before, st;
	size_t i, n = 500;
	vm_page_t m;

	boot(arg);
	pin_home();
	/* Every other page stays, and so no chunk goes back to the pool. */
	for (i = 0; i < 2 * n; i++) {
		m = vm_page_alloc(NULL, 0, NORMAL);
		REQUIRE(m != NULL);
		memset(vm_page_addr(m), 0, ns_page_size);
		set_add(i % 2 == 0 ? &s : &kept, m);
	}
	ns_vm_stat(0, &before);
	while (s.n > 0)
		vm_page_free_zero(s.page[--s.n]);
	ns_vm_check(0);
	for (i = 0; i < n; i++) {
		m = alloc_checked(NORMAL | VM_ALLOC_ZERO);
		REQUIRE(m != NULL);
		CHECK_EQ(vm_page_flags(m), PG_ZERO);
		set_add(&s, m);
	}
	ns_vm_stat(0, &st);
	CHECK_EQ(st.zero_asked - before.zero_asked, n);
	CHECK_EQ(st.zero_given - before.zero_given, n);

	/* The last one of them is the next one's. */
	m = s.page[--s.n];
	vm_page_free_zero(m);
	CHECK_EQ(vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_ZERO), m);
	vm_page_free(m);
	set_free(&s);
	set_free(&kept);
	ns_vm_check(0);
}

/* All pages of the node, written to; then free. */
static void
dirty_all(void)
{
	struct set s = { NULL, 0, 0 };

	drain(&s, 0, NORMAL);
	for (size_t i = 0; i < s.n; i++)
		memset(vm_page_addr(s.page[i]), 0xab, ns_page_size);
	set_free(&s);
	free(s.page);
}

/* As many pages as are zero, of @count asked for and kept. */
static size_t
ask(struct set *s, size_t count)
{
	size_t zero = 0;
	vm_page_t m;

	while (count-- > 0) {
		m = alloc_checked(NORMAL | VM_ALLOC_ZERO);
		REQUIRE(m != NULL);
		zero += (vm_page_flags(m) & PG_ZERO) != 0;
		memset(vm_page_addr(m), 0xcd, ns_page_size);
		set_add(s, m);
	}
	return zero;
}

/* Zeroed pages are kept for who asks, more for who asks more, and no others. */
static void
kept_ready(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	uint64_t want;

	boot(arg);
	pin_home();
	dirty_all();
	ns_vm_zero_visit();
	ns_vm_stat(0, &st);
	CHECK_EQ(st.zero_made, 0);

	/* Fresh pages may be left in a chunk that came back. */
	while (ask(&s, 1) != 0)
		;
	ns_vm_zero_visit();
	ns_vm_check(0);
	ns_vm_stat(0, &st);
	want = st.zero_want;
	CHECK(want > 0);
	CHECK_EQ(st.zeroed, want);
	CHECK_EQ(st.zero_made, want);
	CHECK_EQ(ask(&s, want), want);
	CHECK_EQ(ask(&s, 1), 0);

	ns_vm_zero_visit();
	ns_vm_stat(0, &st);
	CHECK_EQ(st.zero_want, 2 * want);
	CHECK_EQ(ask(&s, 2 * want), 2 * want);
	set_free(&s);

	/* Asked and served: as before.  Not asked at all: less, in the end 0.
	 */
	ns_vm_zero_visit();
	ns_vm_stat(0, &st);
	CHECK_EQ(st.zero_want, 2 * want);
	while (st.zero_want > 0) {
		want = st.zero_want;
		ns_vm_zero_visit();
		ns_vm_stat(0, &st);
		CHECK_EQ(st.zero_want, want / 2);
	}
	ns_vm_check(0);
}

/* Each node for itself: who asks one for zeros has them there, nowhere else. */
static void
on_the_node_asked(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st[2];
	vm_page_t m;
	int node;

	boot(arg);
	node = ns_topo.node_of_slot[1];
	drain(&s, 1, NORMAL);
	for (size_t i = 0; i < s.n; i++)
		memset(vm_page_addr(s.page[i]), 0xab, ns_page_size);
	set_free(&s);
	do {
		m = vm_page_alloc_domain(NULL, 0, node, NORMAL | VM_ALLOC_ZERO);
		REQUIRE(m != NULL);
		memset(vm_page_addr(m), 0xcd, ns_page_size);
	} while ((vm_page_flags(m) & PG_ZERO) != 0);
	ns_vm_zero_visit();
	for (unsigned i = 0; i < 2; i++) {
		ns_vm_check(i);
		ns_vm_stat(i, &st[i]);
	}
	CHECK(st[1].zero_want > 0);
	CHECK_EQ(st[1].zero_made, st[1].zero_want);
	CHECK_EQ(st[1].zeroed, st[1].zero_want);
	CHECK_EQ(st[0].zero_want, 0);
	CHECK_EQ(st[0].zero_made, 0);
	CHECK_EQ(st[0].zero_asked, 0);
	m = vm_page_alloc_domain(NULL, 0, node, NORMAL | VM_ALLOC_ZERO);
	CHECK_EQ(vm_page_flags(m), PG_ZERO);
	CHECK(all_zero(vm_page_addr(m), ns_page_size));
}

static uint32_t stop; /* [a] */

static void *
visitor(void *arg)
{
	while (ns_load_relaxed(&stop) == 0) {
		ns_vm_zero_visit();
		sched_yield();
	}
	return arg;
}

static void *
churn(void *arg)
{
	uint64_t rnd = (uintptr_t)arg;
	vm_page_t m[64] = { NULL };

	for (int i = 0; i < 20000; i++) {
		size_t at = test_random(&rnd) % NS_ARRAY_LEN(m);

		if (m[at] == NULL) {
			m[at] = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_ZERO);
			REQUIRE(m[at] != NULL);
			if ((vm_page_flags(m[at]) & PG_ZERO) != 0)
				CHECK(all_zero(vm_page_addr(m[at]),
					       ns_page_size));
			memset(vm_page_addr(m[at]), i, 128);
		} else if (test_random(&rnd) % 4 == 0) {
			memset(vm_page_addr(m[at]), 0, ns_page_size);
			vm_page_free_zero(m[at]);
			m[at] = NULL;
		} else {
			vm_page_free(m[at]);
			m[at] = NULL;
		}
	}
	for (size_t at = 0; at < NS_ARRAY_LEN(m); at++)
		if (m[at] != NULL)
			vm_page_free(m[at]);
	return NULL;
}

/* Zeroing against four threads that allocate and free. */
static void
zeroing_at_once(void *arg)
{
	pthread_t t[5];
	struct ns_vm_stat st;

	boot(arg);
	dirty_all();
	for (uintptr_t i = 0; i < 5; i++)
		REQUIRE(pthread_create(&t[i], NULL, i < 4 ? churn : visitor,
				       (void *)(i + 1)) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ns_store_relaxed(&stop, 1u);
	pthread_join(t[4], NULL);
	ns_vm_check(0);
	ns_vm_stat(0, &st);
	CHECK(st.zero_asked > 0 && st.zero_given > 0);
}

/* No request fails for a page that is being zeroed. */
static void
none_missing(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	size_t got, round;
	pthread_t t;

	boot(arg);
	pin_home();
	drain(&s, 0, NORMAL);
	set_free(&s);
	REQUIRE(pthread_create(&t, NULL, visitor, NULL) == 0);
	for (round = 0; round < 50; round++) {
		got = drain(&s, 0, NORMAL | VM_ALLOC_ZERO);
		ns_vm_stat(0, &st);
		/* How much goes into descriptions depends on the chunks. */
		CHECK_EQ(got + st.low, st.pages);
		CHECK_EQ(ns_pool_available(0), 0);
		check_distinct(&s);
		set_free(&s);
	}
	ns_store_relaxed(&stop, 1u);
	pthread_join(t, NULL);
	ns_vm_check(0);
}

/* The maintenance thread, once a process has one, zeroes for who asks. */
static void
thread_zeroes(void *arg)
{
	struct set s = { NULL, 0, 0 }, kept = { NULL, 0, 0 };
	size_t count;
	struct ns_vm_stat st;
	vm_page_t m;

	boot(arg);
	pin_home();
	count = (32ul << 20) / ns_page_size;
	for (size_t i = 0; i < count; i++) {
		m = vm_page_alloc(NULL, 0, NORMAL);
		REQUIRE(m != NULL);
		memset(vm_page_addr(m), 0xef, ns_page_size);
		set_add(i % 2 == 0 ? &s : &kept, m);
	}
	set_free(&s);
	do {
		m = alloc_checked(NORMAL | VM_ALLOC_ZERO);
		REQUIRE(m != NULL);
		memset(vm_page_addr(m), 0xef, ns_page_size);
		vm_page_free(m);
		sched_yield();
		ns_vm_stat(0, &st);
	} while (st.zero_made == 0);
	CHECK(st.zero_given < st.zero_asked);
	set_free(&kept);
	ns_vm_check(0);
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
	static struct machine two = { .limit = 6 << 20, .nodes = 2 };
	static struct machine large = { .page_size = 65536 };

	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++)
		CASE(random_use, &machines[i]);
	CASE(random_use, &large);
	CASE(first_and_second_use, &machines[0]);
	CASE(preference, &machines[0]);
	CASE(no_pile, &machines[0]);
	CASE(recycled_runs, &machines[0]);
	CASE(freed_as_zero, &machines[0]);
	CASE(thread_zeroes, &machines[0]);
	for (size_t i = 1; i < NS_ARRAY_LEN(machines); i++) {
		CASE(kept_ready, &machines[i]);
		CASE(zeroing_at_once, &machines[i]);
		CASE(none_missing, &machines[i]);
	}
	CASE(on_the_node_asked, &two);
	CASE(random_use, &purging);
	CASE(recycled_runs, &purging);
	return test_done();
}
