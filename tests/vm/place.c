/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which node a page comes from: home, spill in distance order, the policy,
 * vm_page_alloc_domain; and that memory goes back to the pool it came from.
 */
#include "tests/vm/vm_test.h"

#define NODES 4
#define FULL  (1 << 16) /* more pages than the machines here have */

/* Pages until there is none, from wherever; the nodes they came from. */
static size_t
drain_all(struct set *s, unsigned *slots, int req)
{
	size_t n = 0;
	vm_page_t m;

	while (n < FULL && (m = vm_page_alloc(NULL, 0, req)) != NULL) {
		slots[n++] = ns_slot_of(vm_page_addr(m));
		set_add(s, m);
	}
	CHECK_EQ(errno, ENOMEM);
	return n;
}

/* One node after the other, in the order of @home's distances. */
static void
spill_order(void *arg)
{
	static unsigned slots[FULL];
	struct set s = { NULL, 0, 0 };
	size_t n, i, at = 0, count[NODES] = { 0 };
	struct ns_vm_stat st;
	const uint8_t *order;
	unsigned home;

	boot(arg);
	CHECK_EQ(ns_topo.nslots, NODES);
	home = pin_home();
	order = ns_topo_order(home);
	CHECK_EQ(order[0], home);
	n = drain_all(&s, slots, NORMAL);
	for (i = 0; i < n; i++) {
		while (at < NODES && slots[i] != order[at])
			at++;
		if (at == NODES) {
			CHECK_MSG(at < NODES, "page %zu from node %u again", i,
				  slots[i]);
			break;
		}
		count[slots[i]]++;
	}
	for (i = 0; i < NODES; i++) {
		ns_vm_stat((unsigned)i, &st);
		CHECK_EQ(st.free + st.reserve, st.low);
		CHECK(count[i] > 0);
		CHECK_EQ(st.spilled, i == home ? 0 : count[i]);
	}
	/* SYSTEM and INTERRUPT spill as well, down to their marks. */
	drain_all(&s, slots, SYSTEM);
	for (i = 0; i < NODES; i++) {
		ns_vm_stat((unsigned)i, &st);
		CHECK_EQ(st.free + st.reserve, st.interrupt);
	}
	drain_all(&s, slots, INTERRUPT);
	for (i = 0; i < NODES; i++)
		CHECK_EQ(held((unsigned)i), 0);
	set_free(&s);
	for (i = 0; i < NODES; i++)
		ns_vm_check((unsigned)i);
}

/* A full node: _domain fails there and nowhere else. */
static void
strict(void *arg)
{
	struct set s = { NULL, 0, 0 };
	vm_page_t m;

	boot(arg);
	for (int node = NODES - 1; node >= 0; node--) {
		unsigned slot = ns_topo.slot_of_node[node];

		CHECK(drain(&s, slot, NORMAL) > 0);
		for (size_t i = 0; i < s.n; i++)
			CHECK_EQ(vm_page_domain(s.page[i]), node);
		m = vm_page_alloc(NULL, 0, NORMAL);
		CHECK(m != NULL && vm_page_domain(m) != node);
		vm_page_free(m);
		set_free(&s);
	}
}

static void
bind_policy(void *arg)
{
	static unsigned slots[FULL];
	struct set s = { NULL, 0, 0 };
	size_t n, i;
	vm_page_t m;

	boot(arg);
	n = drain_all(&s, slots, NORMAL);
	CHECK(n > 0);
	for (i = 0; i < n; i++)
		CHECK(slots[i] == 1 || slots[i] == 3);
	CHECK(held(1) > 0 && held(3) > 0);
	/* Who names a node is not bound. */
	m = vm_page_alloc_domain(NULL, 0, 2, NORMAL);
	CHECK(m != NULL && vm_page_domain(m) == 2);
	set_free(&s);
}

static void
interleave_policy(void *arg)
{
	unsigned before, slot;
	vm_page_t m;
	int i;

	boot(arg);
	m = vm_page_alloc(NULL, 0, NORMAL);
	REQUIRE(m != NULL);
	before = ns_slot_of(vm_page_addr(m));
	for (i = 0; i < 100; i++) {
		m = vm_page_alloc(NULL, 0, NORMAL);
		REQUIRE(m != NULL);
		slot = ns_slot_of(vm_page_addr(m));
		CHECK_EQ(slot, (before + 1) % NODES);
		before = slot;
	}
}

static void
preferred_policy(void *arg)
{
	static unsigned slots[FULL];
	struct set s = { NULL, 0, 0 };
	size_t n, i = 0;

	boot(arg);
	n = drain_all(&s, slots, NORMAL);
	while (i < n && slots[i] == 2)
		i++;
	CHECK(i > 0 && i < n);
	for (; i < n; i++)
		CHECK(slots[i] != 2);
	set_free(&s);
}

/* What is free goes back to its node's pool, but for the reserves. */
static void
memory_returns(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_pool_stat pool;
	struct ns_vm_stat st;
	uint64_t rnd = 7;
	size_t i, j;
	vm_page_t m;
	int round;

	boot(arg);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < (100ul << 20) / ns_page_size; i++) {
			m = vm_page_alloc(NULL, 0, NORMAL);
			REQUIRE(m != NULL);
			set_add(&s, m);
		}
		ns_pool_stat(0, &pool);
		CHECK(pool.used >= 100ul << 20);
		CHECK(pool.used < 104ul << 20);
		for (i = 0; round > 0 && i < s.n; i++) { /* shuffled */
			j = test_random(&rnd) % s.n;
			m = s.page[i];
			s.page[i] = s.page[j];
			s.page[j] = m;
		}
		set_free(&s);
		ns_vm_check(0);
		ns_pool_check(0);
		ns_pool_stat(0, &pool);
		/* And but for the pages' descriptions. */
		CHECK_MSG(pool.used <= 3 * NS_EXTENT + (100ul << 20) / 64,
			  "%lu bytes still used", (unsigned long)pool.used);
		ns_vm_stat(0, &st);
		CHECK_EQ(st.free + st.reserve, st.pages);
	}
}

int
main(void)
{
	static struct machine four = { .limit = 3 << 20, .nodes = 4 };
	static struct machine four64 = { .limit = 9 << 20,
					 .nodes = 4,
					 .page_size = 65536 };
	static struct machine bind = { .limit = 2 << 20,
				       .nodes = 4,
				       .policy = "bind=1,3" };
	static struct machine inter = { .limit = 2 << 20,
					.nodes = 4,
					.policy = "interleave" };
	static struct machine pref = { .limit = 2 << 20,
				       .nodes = 4,
				       .policy = "preferred=2" };
	static struct machine one = { .limit = 0 };
	static struct machine one64 = { .page_size = 65536 };

	CASE(spill_order, &four);
	CASE(spill_order, &four64);
	CASE(strict, &four);
	CASE(strict, &four64);
	CASE(bind_policy, &bind);
	CASE(interleave_policy, &inter);
	CASE(preferred_policy, &pref);
	CASE(memory_returns, &one);
	CASE(memory_returns, &one64);
	return test_done();
}
