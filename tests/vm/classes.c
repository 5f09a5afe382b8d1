/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classes and watermarks: each class stops where it must, to the page, on
 * nodes of all sizes and with all page sizes, and goes on after a free.
 */
#include "tests/vm/vm_test.h"

#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* The node is full.  Who gets a page after @nfree were freed? */
static void
check_after_free(struct set *s, uint64_t nfree, const struct ns_vm_stat *st)
{
	vm_page_t m;

	for (uint64_t i = 0; i < nfree; i++)
		set_free_last(s);
	CHECK_EQ(held(0), nfree);
	if (nfree <= st->low)
		CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	if (nfree <= st->interrupt)
		CHECK_ERRNO(vm_page_alloc(NULL, 0, SYSTEM), NULL, ENOMEM);
	CHECK_EQ(held(0), nfree);
	if (nfree > 0) {
		m = vm_page_alloc(NULL, 0,
				  nfree > st->low         ? NORMAL
				  : nfree > st->interrupt ? SYSTEM
							  : INTERRUPT);
		REQUIRE(m != NULL);
		set_add(s, m);
	}
	CHECK_EQ(drain(s, 0, INTERRUPT), nfree > 0 ? nfree - 1 : 0);
	ns_vm_check(0);
}

/* To the last page, class by class; returns how many there were. */
static size_t
exhaust(struct set *s, const struct ns_vm_stat *st)
{
	size_t n = drain(s, 0, NORMAL);

	CHECK(n > 0);
	CHECK_EQ(held(0), st->low);
	CHECK_EQ(drain(s, 0, NORMAL | VM_ALLOC_ZERO), 0);
	CHECK_EQ(drain(s, 0, SYSTEM), st->low - st->interrupt);
	CHECK_EQ(held(0), st->interrupt);
	CHECK_EQ(drain(s, 0, NORMAL), 0);
	CHECK_EQ(drain(s, 0, INTERRUPT), st->interrupt);
	CHECK_EQ(held(0), 0);
	CHECK_EQ(drain(s, 0, SYSTEM | VM_ALLOC_ZERO), 0);
	CHECK_EQ(drain(s, 0, INTERRUPT | VM_ALLOC_ZERO), 0);
	ns_vm_check(0);
	check_distinct(s);
	return s->n;
}

static void
full_node(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_pool_stat pool;
	struct ns_vm_stat st;
	size_t n;

	boot(arg);
	ns_vm_stat(0, &st);
	CHECK(st.interrupt > 0 && st.interrupt < st.low);
	n = exhaust(&s, &st);
	ns_pool_stat(0, &pool);
	CHECK(n * ns_page_size <= pool.limit);
	/* Metadata is a unit for every 64; nothing else is lost. */
	CHECK_MSG(n * ns_page_size + pool.limit / 64 + 2 * NS_UNIT >=
		      pool.limit,
		  "%zu pages of a limit of %lu", n, (unsigned long)pool.limit);
	for (uint64_t k = 0; k <= ns_min(st.low + 2, n); k++)
		check_after_free(&s, k, &st);
	check_distinct(&s);
	set_free(&s);
	ns_vm_check(0);
	CHECK_EQ(exhaust(&s, &st), n);
	ns_vm_stat(0, &st);
	CHECK(st.denied > 0);
	CHECK_EQ(st.spilled, 0);
}

/* The kernel refuses more memory: the watermarks hold all the same. */
static void
kernel_refuses(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	vm_page_t m;

	boot(arg);
	ns_vm_stat(0, &st);
	m = vm_page_alloc(NULL, 0, NORMAL);
	REQUIRE(m != NULL);
	ns_os_inject(NS_OS_COMMIT, ENOMEM, 0, UINT_MAX);
	exhaust(&s, &st);
	CHECK(s.n < 1ul << 16); /* it did refuse */
	ns_os_inject(NS_OS_COMMIT, 0, 0, 0);
	CHECK(held(0) == 0);
	set_add(&s, vm_page_alloc(NULL, 0, NORMAL));
	CHECK(s.page[s.n - 1] != NULL);
	CHECK_EQ(held(0) > st.low, 1);
	set_free(&s);
	vm_page_free(m);
	ns_vm_check(0);
}

/* Another thread has the lock: INTERRUPT has the reserve, to the page. */
static void
lock_is_held(void *arg)
{
	struct ns_vm_node *n = &ns_vm_nodes[0];
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	vm_page_t m;
	size_t got;

	boot(arg);
	m = vm_page_alloc(NULL, 0, NORMAL);
	REQUIRE(m != NULL);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.reserve, st.interrupt);
	ns_lock(&n->lock);
	got = drain(&s, 0, INTERRUPT);
	ns_unlock(&n->lock);
	CHECK_EQ(got, st.interrupt);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.reserve, 0);
	CHECK_EQ(st.from_reserve, st.interrupt);
	ns_vm_check(0);

	/* Any other class fills it up again, and so does a free. */
	set_add(&s, vm_page_alloc(NULL, 0, SYSTEM));
	ns_vm_stat(0, &st);
	CHECK_EQ(st.reserve, st.interrupt);
	ns_lock(&n->lock);
	got = drain(&s, 0, INTERRUPT);
	ns_unlock(&n->lock);
	CHECK_EQ(got, st.interrupt);
	vm_page_free(m);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.reserve, st.interrupt);
	for (size_t i = 0; i < s.n; i++)
		CHECK_EQ(vm_page_flags(s.page[i]) & PG_MLOCKED, 0);
	set_free(&s);
	ns_vm_check(0);
}

#define DENY(nr)                                         \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void
deny_memory_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		DENY(SYS_mmap),
		DENY(SYS_munmap),
		DENY(SYS_mremap),
		DENY(SYS_mprotect),
		DENY(SYS_madvise),
		DENY(SYS_brk),
		DENY(SYS_mbind),
		DENY(SYS_mlock),
		DENY(SYS_futex),
		DENY(SYS_sched_yield),
		DENY(SYS_nanosleep),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { NS_ARRAY_LEN(code), code };

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

/* The process dies at the first call for memory, or to wait. */
static void
no_system_call(void *arg)
{
	static vm_page_t got[1 << 16];
	struct ns_vm_node *n = &ns_vm_nodes[0];
	struct ns_vm_stat st;
	size_t i = 0, from_reserve = 0;

	boot(arg);
	REQUIRE(vm_page_alloc(NULL, 0, NORMAL) != NULL);
	ns_vm_stat(0, &st);
	deny_memory_calls();
	ns_lock(&n->lock);
	while (vm_page_alloc(NULL, 0, INTERRUPT | VM_ALLOC_WIRED) != NULL)
		from_reserve++;
	ns_unlock(&n->lock);
	while (i < NS_ARRAY_LEN(got) &&
	       (got[i] = vm_page_alloc(NULL, 0, INTERRUPT)) != NULL)
		memset(vm_page_addr(got[i++]), 1, ns_page_size);
	CHECK_EQ(from_reserve, st.interrupt);
	CHECK_EQ(i, st.free);
}

/* The very first request of a process may be of any class. */
static void
first_request(void *arg)
{
	int req = *(int *)arg;
	vm_page_t m = vm_page_alloc(NULL, 0, req);

	REQUIRE(m != NULL);
	CHECK_EQ(vm_page_flags(m), PG_ZERO);
	CHECK(all_zero(vm_page_addr(m), ns_page_size));
	vm_page_free(m);
	ns_vm_check(ns_slot_of(m));
}

/* The watermarks' derivation, as vm.h has it. */
static void
derivation(void *arg)
{
	const struct machine *mc = arg;
	struct ns_vm_stat st;
	struct ns_pool_stat pool;
	uint64_t cluster;

	boot(mc);
	ns_vm_stat(0, &st);
	ns_pool_stat(0, &pool);
	cluster = ns_min(128 << 10, ns_min(pool.limit, pool.span) / 64);
	cluster = ns_max(cluster / ns_page_size, 1);
	CHECK_EQ(st.interrupt, cluster);
	CHECK_EQ(st.low, 3 * cluster);
}

int
main(void)
{
	static struct machine machines[] = {
		{ .limit = 1 << 20 },
		{ .limit = 1 << 20, .page_size = 16384 },
		{ .limit = 1 << 20, .page_size = 65536 },
		{ .limit = 2 << 20 },
		{ .limit = 2 << 20, .page_size = 65536 },
		{ .limit = 5 << 20, .page_size = 16384 },
		{ .limit = 8 << 20 },
		{ .limit = 33 << 20 },
		{ .limit = 33 << 20, .page_size = 65536 },
		{ .limit = 100 << 20, .page_size = 16384 },
		{ .limit = 256 << 10 },
		{ .limit = 320 << 10, .page_size = 65536 },
	};
	static struct machine unlimited[] = {
		{ .limit = 0 },
		{ .page_size = 16384 },
		{ .page_size = 65536 },
	};
	static int classes[] = { NORMAL, SYSTEM, INTERRUPT };

	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++) {
		CASE(derivation, &machines[i]);
		CASE(full_node, &machines[i]);
	}
	for (size_t i = 0; i < NS_ARRAY_LEN(unlimited); i++) {
		CASE(derivation, &unlimited[i]);
		CASE(kernel_refuses, &unlimited[i]);
		CASE(lock_is_held, &unlimited[i]);
		CASE(no_system_call, &unlimited[i]);
		CASE(first_request, &classes[i]);
	}
	CASE(lock_is_held, &machines[0]);
	CASE(no_system_call, &machines[0]);
	return test_done();
}
