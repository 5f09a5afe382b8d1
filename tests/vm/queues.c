/* SPDX-License-Identifier: BSD-2-Clause */
/* The queues: which one a page is in after each call in each state. */
#include "tests/vm/disk.h"

#include <sys/mman.h>

#define N VM_ALLOC_NORMAL

static const uint8_t queues[] = { PQ_NONE, PQ_INACTIVE, PQ_ACTIVE, PQ_LAUNDRY };

static void
check_in(vm_page_t m, uint8_t queue)
{
	CHECK_EQ(m->queue, queue);
	CHECK_EQ(vm_page_active(m), queue == PQ_ACTIVE);
	CHECK_EQ(vm_page_inactive(m), queue == PQ_INACTIVE);
	CHECK_EQ(vm_page_in_laundry(m), queue == PQ_LAUNDRY);
}

static void
free_page(vm_page_t m)
{
	vm_object_t o = vm_page_object(m);

	VM_OBJECT_WLOCK(o);
	vm_page_free(m);
	VM_OBJECT_WUNLOCK(o);
}

static uint64_t
in_queues(void)
{
	struct ns_vm_stat st;
	uint64_t sum = 0;

	ns_vm_stat(0, &st);
	for (unsigned i = 0; i < NS_VM_QUEUES; i++)
		sum += st.queued[i];
	return sum;
}

/* Each move from each queue; and every way out of a queue. */
static void
moves(void *arg)
{
	vm_object_t o, p;
	vm_page_t m, k;

	boot(arg);
	o = disk_object(NULL, 100);
	p = disk_object(NULL, 100);
	for (size_t i = 0; i < NS_ARRAY_LEN(queues); i++) {
		for (size_t j = 1; j < NS_ARRAY_LEN(queues); j++) {
			m = disk_page(o, 0);
			check_in(m, PQ_NONE);
			disk_queue(m, queues[i]);
			check_in(m, queues[i]);
			disk_queue(m, queues[j]);
			check_in(m, queues[j]);
			CHECK_EQ(in_queues(), 1);
			free_page(m);
			CHECK_EQ(in_queues(), 0);
		}
		/* rename keeps the queue, remove and replace do not. */
		m = disk_page(o, 0);
		disk_queue(m, queues[i]);
		VM_OBJECT_WLOCK(o);
		VM_OBJECT_WLOCK(p);
		CHECK_EQ(vm_page_rename(m, p, 7), 0);
		check_in(m, queues[i]);
		CHECK(vm_page_remove(m));
		check_in(m, PQ_NONE);
		CHECK_EQ(vm_page_insert(m, p, 8), 0);
		check_in(m, PQ_NONE);
		disk_queue(m, queues[i]);
		vm_page_xbusy(m);
		k = vm_page_alloc(NULL, 0, NORMAL);
		vm_page_replace(k, p, 8, m);
		check_in(k, PQ_NONE);
		CHECK_EQ(in_queues(), 0);
		/* So does caching. */
		vm_page_valid(k);
		disk_queue(k, queues[i]);
		vm_page_cache(k);
		CHECK_EQ(in_queues(), 0);
		ns_vm_check(0);
		k = vm_page_alloc(p, 8, N | VM_ALLOC_IFCACHED);
		check_in(k, PQ_NONE);
		vm_page_free(k);
		VM_OBJECT_WUNLOCK(p);
		VM_OBJECT_WUNLOCK(o);
	}
	disk_queue(m = disk_page(o, 3), PQ_ACTIVE);
	vm_page_xunbusy(m);
	vm_object_destroy(o);
	vm_object_destroy(p);
	CHECK_EQ(in_queues(), 0);
	ns_vm_check(0);
}

/* A wired page is in no queue, and goes where its unwiring says. */
static void
wiring(void *arg)
{
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = disk_object(NULL, 100);
	for (size_t i = 0; i < NS_ARRAY_LEN(queues); i++)
		for (size_t j = 0; j < NS_ARRAY_LEN(queues); j++) {
			m = disk_page(o, 0);
			disk_queue(m, queues[i]);
			vm_page_wire(m);
			check_in(m, PQ_NONE);
			disk_queue(m, queues[i]);
			check_in(m, PQ_NONE);
			vm_page_wire(m);
			CHECK(!vm_page_unwire(m, queues[j]));
			check_in(m, PQ_NONE);
			CHECK(vm_page_unwire(m, queues[j]));
			check_in(m, queues[j]);
			free_page(m);
		}
	vm_object_destroy(o);
	ns_vm_check(0);
}

static void
advice(void *arg)
{
	static const struct {
		int advice, dirty;
		uint8_t from, to;
	} want[] = {
		{ MADV_WILLNEED, 0, PQ_INACTIVE, PQ_ACTIVE },
		{ MADV_WILLNEED, 1, PQ_NONE, PQ_ACTIVE },
		{ MADV_DONTNEED, 0, PQ_ACTIVE, PQ_INACTIVE },
		{ MADV_DONTNEED, 1, PQ_ACTIVE, PQ_LAUNDRY },
		{ MADV_DONTNEED, 1, PQ_LAUNDRY, PQ_LAUNDRY },
		{ MADV_FREE, 1, PQ_ACTIVE, PQ_INACTIVE },
		{ MADV_FREE, 1, PQ_LAUNDRY, PQ_INACTIVE },
		{ MADV_NORMAL, 1, PQ_LAUNDRY, PQ_LAUNDRY },
		{ MADV_SEQUENTIAL, 0, PQ_NONE, PQ_NONE },
	};
	vm_object_t o;
	vm_page_t m, k;

	boot(arg);
	o = disk_object(NULL, 100);
	k = disk_page(o, 1);
	vm_page_deactivate(k);
	for (size_t i = 0; i < NS_ARRAY_LEN(want); i++) {
		int advised = want[i].advice, flags;

		m = disk_page(o, 0);
		if (want[i].dirty)
			vm_page_dirty(m);
		disk_queue(m, want[i].from);
		vm_page_reference(m);
		CHECK(vm_page_flags(m) & PG_REFERENCED);
		vm_page_advise(m, advised);
		check_in(m, want[i].to);
		flags = vm_page_flags(m);
		CHECK_EQ((flags & PG_REFERENCED) != 0,
			 advised != MADV_DONTNEED && advised != MADV_FREE);
		CHECK_EQ((flags & PG_DIRTY) != 0,
			 want[i].dirty && advised != MADV_FREE);
		if (advised == MADV_FREE) /* the first to go */
			CHECK_EQ(m->link.next, &k->link);
		free_page(m);
	}
	vm_page_xunbusy(k);
	vm_object_destroy(o);
	ns_vm_check(0);
}

/* Each node has queues of its own, and a cache. */
static void
of_the_node(void *arg)
{
	struct vm_object_attr attr = { .size = 10, .domain = VM_DOMAIN_HOME };
	struct vm_domain_stat st;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = vm_object_create(&attr);
	for (size_t i = 1; i < NS_ARRAY_LEN(queues) + 1; i++)
		for (int on = 0; on < 2; on++) {
			VM_OBJECT_WLOCK(o);
			m = vm_page_alloc_domain(o, 1, on, N);
			REQUIRE(m != NULL);
			vm_page_valid(m);
			if (i < NS_ARRAY_LEN(queues))
				disk_queue(m, queues[i]);
			else
				vm_page_cache(m);
			for (int node = 0; node < 2; node++) {
				ns_vm_check((unsigned)node);
				CHECK_EQ(vm_domain_stat(node, &st), 0);
				CHECK_EQ(st.active_count + st.inactive_count +
					     st.laundry_count + st.cache_count,
					 node == on);
			}
			if (i == NS_ARRAY_LEN(queues))
				m = vm_page_alloc(o, 1, N);
			vm_page_free(m);
			VM_OBJECT_WUNLOCK(o);
		}
	vm_object_destroy(o);
}

int
main(void)
{
	static struct machine two = { .alone = true, .nodes = 2 };

	static struct machine one = { .alone = true };

	CASE(moves, &one);
	CASE(wiring, &one);
	CASE(advice, &one);
	CASE(of_the_node, &two);
	return test_done();
}
