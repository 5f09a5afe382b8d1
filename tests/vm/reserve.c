/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reserve alone: threads pop and push its pages as fast as they can, the
 * same pages again and again, which is what ABA would need.  Every page has
 * one owner at a time, none is lost and none appears.
 */
#include "tests/vm/vm_test.h"

#define THREADS 4
#define ROUNDS  200000

static struct ns_vm_node node;
static uint32_t owned[NS_VM_RESERVE_MAX]; /* [a] by somebody */
static struct vm_page page[NS_VM_RESERVE_MAX];

/* Whoever has it is alone. */
static void
own(struct vm_page *m)
{
	CHECK_EQ(ns_add_relaxed(&owned[m - page], 1u), 1);
}

static void
push(struct vm_page *m)
{
	bool ticket;

	CHECK_EQ(ns_sub_relaxed(&owned[m - page], 1u), 0);
	do {
		ns_lock(&node.lock);
		ticket = ns_vm_reserve_ticket(&node);
		ns_unlock(&node.lock);
	} while (!ticket);
	ns_vm_reserve_push(&node, m);
}

static void *
pop_and_push(void *arg)
{
	uint64_t rnd = (uintptr_t)arg;
	struct vm_page *m[4];
	size_t n = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (n < 4 && (test_random(&rnd) & 1) != 0) {
			m[n] = ns_vm_reserve_pop(&node);
			if (m[n] != NULL)
				own(m[n++]);
		} else if (n > 0) {
			push(m[--n]);
		}
	}
	while (n > 0)
		push(m[--n]);
	return NULL;
}

static void
run(uint32_t size)
{
	pthread_t thread[THREADS];
	struct vm_page *m;
	uint32_t i;

	memset(&node, 0, sizeof(node));
	ns_lock_init(&node.lock, NS_RANK_VM);
	node.intr = size;
	CHECK_EQ(ns_vm_reserve_pop(&node), NULL);
	for (i = 0; i < size; i++) {
		ns_add_relaxed(&owned[i], 1u);
		push(&page[i]);
	}
	ns_lock(&node.lock);
	CHECK(!ns_vm_reserve_ticket(&node));
	ns_unlock(&node.lock);
	for (uintptr_t t = 0; t < THREADS; t++)
		REQUIRE(pthread_create(&thread[t], NULL, pop_and_push,
				       (void *)(t + 1)) == 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(node.nreserve, size);
	for (i = 0; i < size; i++) {
		m = ns_vm_reserve_pop(&node);
		REQUIRE(m != NULL);
		own(m);
	}
	CHECK_EQ(ns_vm_reserve_pop(&node), NULL);
	CHECK_EQ(node.nreserve, 0);
	for (i = 0; i < size; i++)
		CHECK_EQ(ns_sub_relaxed(&owned[i], 1u), 0);

	/* A ticket whose holder is gone is void in the child of a fork. */
	ns_lock(&node.lock);
	CHECK(ns_vm_reserve_ticket(&node));
	ns_unlock(&node.lock);
	ns_vm_reserve_fork_child(&node);
	CHECK_EQ(node.nreserve, 0);
}

int
main(void)
{
	run(1);
	run(2);
	run(NS_VM_RESERVE_MAX);
	return test_done();
}
