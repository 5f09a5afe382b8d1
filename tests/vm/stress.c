/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eight threads allocate, hand to each other, wire and free pages of four
 * nodes, near their limits and far from them.  A page that were two
 * thread's at once would lose a stamp; and in the end everything is free.
 */
#include "tests/vm/vm_test.h"

#define THREADS 8
#define NODES   4
#define OWN     600
#define POST    64

static vm_page_t post[POST]; /* [a] on their way from thread to thread */
static uint64_t given;       /* [a] */

struct thread {
	pthread_t id;
	uint64_t rnd, wired;
	size_t n;
	vm_page_t own[OWN];
};

static void
stamp(vm_page_t m)
{
	uint64_t *w = vm_page_addr(m);

	w[0] = (uintptr_t)m;
	w[1] = ~(uintptr_t)m;
	w[ns_page_size / sizeof(*w) - 1] = (uintptr_t)m;
}

static void
check_stamp(vm_page_t m)
{
	const uint64_t *w = vm_page_addr(m);

	CHECK_EQ(w[0], (uintptr_t)m);
	CHECK_EQ(w[1], ~(uintptr_t)m);
	CHECK_EQ(w[ns_page_size / sizeof(*w) - 1], (uintptr_t)m);
}

/* While a page is ours nobody else's stamp can be on it. */
static void
release(vm_page_t m)
{
	uint64_t *w = vm_page_addr(m);

	check_stamp(m);
	w[0] = w[1] = 0;
	vm_page_free(m);
}

static void
take(struct thread *t)
{
	static const int class[] = { NORMAL, NORMAL, NORMAL, SYSTEM,
				     INTERRUPT };
	uint64_t r = test_random(&t->rnd);
	int req = class[r % 5] | (r & 64 ? VM_ALLOC_ZERO : 0);
	vm_page_t m;

	if ((r & 128) != 0)
		m = vm_page_alloc(NULL, 0, req);
	else
		m = vm_page_alloc_domain(NULL, 0, (int)(r >> 32) & (NODES - 1),
					 req);
	if (m == NULL)
		return;
	if ((vm_page_flags(m) & PG_ZERO) != 0)
		CHECK(all_zero(vm_page_addr(m), ns_page_size));
	CHECK(*(uint64_t *)vm_page_addr(m) != (uintptr_t)m);
	stamp(m);
	t->own[t->n++] = m;
}

/* Puts a page in the post, and has what lay there instead. */
static void
swap(struct thread *t)
{
	vm_page_t *box = &post[test_random(&t->rnd) % POST];
	vm_page_t m = ns_xchg_acq_rel(box, t->own[t->n - 1]);

	ns_add_relaxed(&given, 1);
	t->n--;
	if (m != NULL) {
		check_stamp(m);
		t->own[t->n++] = m;
	}
}

static void
wire(struct thread *t)
{
	vm_page_t m = t->own[test_random(&t->rnd) % t->n];

	vm_page_wire(m);
	CHECK(vm_page_wired(m));
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), true);
	t->wired++;
}

static void *
work(void *arg)
{
	struct thread *t = arg;
	size_t i, step;
	uint64_t r;

	for (step = 0; step < 40000; step++) {
		r = test_random(&t->rnd) % 100;
		if (t->n == 0 || (r < 48 && t->n < OWN)) {
			take(t);
		} else if (r < 50) {
			wire(t);
		} else if (r < 70) {
			swap(t);
		} else {
			i = test_random(&t->rnd) % t->n;
			release(t->own[i]);
			t->own[i] = t->own[--t->n];
		}
		if (step % 4000 == 0)
			ns_vm_check((unsigned)(r % NODES));
	}
	while (t->n > 0)
		release(t->own[--t->n]);
	return NULL;
}

static void
check_all_free(void)
{
	struct ns_pool_stat pool;
	struct ns_vm_stat st;

	for (unsigned s = 0; s < NODES; s++) {
		ns_vm_check(s);
		ns_pool_check(s);
		ns_vm_stat(s, &st);
		CHECK_EQ(st.free + st.reserve, st.pages);
		CHECK_EQ(st.reserve, st.interrupt);
		ns_pool_stat(s, &pool);
		CHECK(pool.used >= st.pages * ns_page_size);
	}
}

static void
threads(void *arg)
{
	static struct thread t[THREADS];
	uint64_t wired = 0;

	boot(arg);
	for (size_t i = 0; i < THREADS; i++) {
		t[i].rnd = i + 1;
		REQUIRE(pthread_create(&t[i].id, NULL, work, &t[i]) == 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(t[i].id, NULL);
		wired += t[i].wired;
	}
	for (size_t i = 0; i < POST; i++)
		if (post[i] != NULL)
			release(post[i]);
	CHECK(given > 0 && wired > 0);
	check_all_free();
}

int
main(void)
{
	static struct machine machines[] = {
		{ .nodes = NODES },
		{ .nodes = NODES, .limit = 2 << 20 },
		{ .nodes = NODES, .limit = 6 << 20, .page_size = 16384 },
		{ .nodes = NODES, .limit = 1 << 20, .purge_now = true },
	};

	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++)
		CASE(threads, &machines[i]);
	return test_done();
}
