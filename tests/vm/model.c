/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations against a model: which pages are whose, wired how often,
 * on which node.  No page is ever two things at once, every answer is what
 * the model says, and a request fails only at its class's watermark.
 */
#include "tests/vm/vm_test.h"

/* Pages that were being zeroed when a request failed may be back by now. */
#define IN_HAND (NS_VM_CLUSTER / vm_page_size())

#define NODES 4
#define PAGES 4096
#define STEPS 200000

struct entry {
	vm_page_t m;
	unsigned slot, wired;
	uint64_t stamp;
};

static struct entry model[PAGES];
static size_t npages, per_slot[NODES], spilled;
static uint64_t rnd = 0xfeedface, stamps;

static void
stamp(struct entry *e)
{
	uint64_t *w = vm_page_addr(e->m);

	e->stamp = ++stamps;
	for (size_t i = 0; i < ns_page_size / sizeof(*w); i += 64)
		w[i] = e->stamp;
	w[ns_page_size / sizeof(*w) - 1] = e->stamp;
}

static void
check_entry(const struct entry *e)
{
	const uint64_t *w = vm_page_addr(e->m);

	for (size_t i = 0; i < ns_page_size / sizeof(*w); i += 64)
		CHECK_EQ(w[i], e->stamp);
	CHECK_EQ(w[ns_page_size / sizeof(*w) - 1], e->stamp);
	CHECK_EQ(vm_page_wired(e->m), e->wired > 0);
	CHECK_EQ(vm_page_domain(e->m), ns_topo.node_of_slot[e->slot]);
	CHECK_EQ((uintptr_t)w % ns_page_size, 0);
}

static int
random_request(void)
{
	static const int class[] = { VM_ALLOC_NORMAL, VM_ALLOC_NORMAL,
				     VM_ALLOC_NORMAL, VM_ALLOC_SYSTEM,
				     VM_ALLOC_INTERRUPT };
	static const int flag[] = { VM_ALLOC_ZERO, VM_ALLOC_WIRED,
				    VM_ALLOC_NOBUSY, VM_ALLOC_IFNOTCACHED };
	int req = VM_ALLOC_NOOBJ | class[test_random(&rnd) % 5];

	for (size_t i = 0; i < NS_ARRAY_LEN(flag); i++)
		if (test_random(&rnd) % 4 == 0)
			req |= flag[i];
	return req;
}

static uint64_t
mark_of(unsigned slot, int req)
{
	struct ns_vm_stat st;

	ns_vm_stat(slot, &st);
	return (req & VM_ALLOC_NORMAL) != 0   ? st.low
	       : (req & VM_ALLOC_SYSTEM) != 0 ? st.interrupt
					      : 0;
}

static void
add(vm_page_t m, int req)
{
	struct entry *e = &model[npages++];

	e->m = m;
	e->slot = ns_slot_of(vm_page_addr(m));
	e->wired = (req & VM_ALLOC_WIRED) != 0;
	per_slot[e->slot]++;
	if ((vm_page_flags(m) & PG_ZERO) != 0)
		CHECK(all_zero(vm_page_addr(m), ns_page_size));
	stamp(e);
	check_entry(e);
}

static void
op_alloc(unsigned home)
{
	int req = random_request();
	vm_page_t m = vm_page_alloc(NULL, test_random(&rnd), req);

	if (m == NULL) {
		for (unsigned s = 0; s < ns_topo.nslots; s++)
			CHECK(held(s) <= mark_of(s, req) + IN_HAND);
		return;
	}
	add(m, req);
	if (model[npages - 1].slot != home) {
		spilled++;
		/* The others were at the watermark, this one no farther. */
		for (unsigned i = 0; i < ns_topo.nslots; i++) {
			unsigned s = ns_topo_order(home)[i];

			if (s == model[npages - 1].slot)
				break;
			CHECK(held(s) <= mark_of(s, req) + IN_HAND);
		}
	}
}

static void
op_alloc_domain(void)
{
	unsigned slot = (unsigned)(test_random(&rnd) % ns_topo.nslots);
	int req = random_request();
	vm_page_t m =
	    vm_page_alloc_domain(NULL, 0, ns_topo.node_of_slot[slot], req);

	if (m == NULL) {
		CHECK(held(slot) <= mark_of(slot, req) + IN_HAND);
		return;
	}
	add(m, req);
	CHECK_EQ(model[npages - 1].slot, slot);
}

static void
op_free(size_t i)
{
	struct entry *e = &model[i];

	check_entry(e);
	for (; e->wired > 0; e->wired--)
		CHECK_EQ(vm_page_unwire(e->m, PQ_NONE), e->wired == 1);
	CHECK_EQ(vm_page_flags(e->m) & PG_MLOCKED, 0);
	vm_page_free(e->m);
	per_slot[e->slot]--;
	*e = model[--npages];
}

static void
op_wire(struct entry *e)
{
	if (test_random(&rnd) % 2 == 0 || e->wired == 0) {
		vm_page_wire(e->m);
		e->wired++;
	} else {
		CHECK_EQ(vm_page_unwire(e->m, PQ_NONE), e->wired == 1);
		e->wired--;
	}
	check_entry(e);
}

static void
check_books(void)
{
	struct ns_vm_stat st;

	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		ns_vm_check(s);
		ns_pool_check(s);
		ns_vm_stat(s, &st);
		CHECK_EQ(st.pages, st.free + st.reserve + per_slot[s]);
	}
}

static void
random_steps(void *arg)
{
	unsigned home;
	size_t step, goal = PAGES / 2;
	uint64_t r;

	boot(arg);
	home = pin_home();
	for (step = 0; step < STEPS; step++) {
		if (step % 1000 == 0) {
			check_books();
			goal = test_random(&rnd) % PAGES;
		}
		r = test_random(&rnd) % 100;
		if (npages > 0 && r < 10)
			op_wire(&model[test_random(&rnd) % npages]);
		else if (npages > 0 && (r < 35 || npages >= goal))
			op_free(test_random(&rnd) % npages);
		else if (r < 60)
			op_alloc_domain();
		else
			op_alloc(home);
	}
	while (npages > 0)
		op_free(npages - 1);
	check_books();
	if (ns_topo.nslots > 1)
		CHECK(spilled > 0);
}

int
main(void)
{
	static struct machine machines[] = {
		{ .limit = 0 },
		{ .limit = 2 << 20, .nodes = 4 },
		{ .limit = 7 << 20, .nodes = 4, .page_size = 16384 },
		{ .limit = 20 << 20, .nodes = 4, .page_size = 65536 },
		{ .limit = 1 << 20 },
	};

	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++)
		CASE(random_steps, &machines[i]);
	return test_done();
}
