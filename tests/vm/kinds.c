/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages that are never freed, left out of core dumps, or the first of many. */
#include "tests/vm/row.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define N VM_ALLOC_NORMAL

static void
never_freed(void *arg)
{
	struct ns_vm_node *n = &ns_vm_nodes[0];
	vm_page_t m[3000];

	boot(arg);
	for (size_t i = 0; i < NS_ARRAY_LEN(m); i++) {
		m[i] = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NOFREE);
		REQUIRE(m[i] != NULL);
		CHECK((vm_page_flags(m[i]) & PG_NOFREE) != 0);
		*(size_t *)vm_page_addr(m[i]) = i;
		/* Others come and go, elsewhere. */
		vm_page_free(vm_page_alloc(NULL, 0, NORMAL));
	}
	for (size_t i = 0; i < NS_ARRAY_LEN(m); i++)
		CHECK_EQ(*(size_t *)vm_page_addr(m[i]), i);
	CHECK_EQ(n->nnofree >= NS_ARRAY_LEN(m), true);
	CHECK_EQ(n->npages - n->nnofree < 1024, true);
	ns_vm_check(0);
}

/* From the object's cache, too; a contiguous object has none of that kind. */
static void
never_freed_of_objects(void *arg)
{
	vm_object_t o, p;
	vm_page_t m;

	boot(arg);
	o = make(10, 0, false);
	p = make(10, 0, true);
	VM_OBJECT_WLOCK(o);
	VM_OBJECT_WLOCK(p);
	m = vm_page_alloc(o, 3, N);
	vm_page_valid(m);
	vm_page_cache(m);
	CHECK_EQ(vm_page_alloc(o, 3, N | VM_ALLOC_NOFREE), m);
	CHECK((vm_page_flags(m) & PG_NOFREE) != 0);
	CHECK(vm_page_remove(m));
	m = vm_page_grab(o, 4, N | VM_ALLOC_NOFREE);
	CHECK((vm_page_flags(m) & PG_NOFREE) != 0);
	CHECK(vm_page_remove(m));
	CHECK_ERRNO(vm_page_alloc(p, 3, N | VM_ALLOC_NOFREE), NULL, EINVAL);
	CHECK_ERRNO(vm_page_grab(p, 3, N | VM_ALLOC_NOFREE), NULL, EINVAL);
	VM_OBJECT_WUNLOCK(p);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(p);
	vm_object_destroy(o);
	ns_vm_check(0);
}

/* A full node gives ordinary pages for it, and keeps its watermarks. */
static void
never_freed_when_full(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	vm_page_t m;

	boot(arg);
	drain(&s, 0, NORMAL);
	ns_vm_stat(0, &st);
	CHECK_EQ(held(0), st.low);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NOFREE), NULL,
		    ENOMEM);
	m = vm_page_alloc(NULL, 0, SYSTEM | VM_ALLOC_NOFREE);
	REQUIRE(m != NULL);
	CHECK((vm_page_flags(m) & PG_NOFREE) != 0);
	m = vm_page_alloc(NULL, 0, INTERRUPT | VM_ALLOC_NOFREE);
	REQUIRE(m != NULL);
	CHECK((vm_page_flags(m) & PG_NOFREE) != 0);
	ns_vm_check(0);
}

/* Has the kernel "dd" (do not dump) for this address in its VmFlags? */
static bool
is_left_out(const void *addr)
{
	char line[256];
	unsigned long from, to;
	bool here = false, dd = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)addr >= from && (uintptr_t)addr < to;
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			dd = strstr(line, " dd ") != NULL;
	}
	fclose(f);
	return dd;
}

/* The kernel may refuse: then the page says that it is not left out. */
static void
dumps_refused(void *arg)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { NS_ARRAY_LEN(filter), filter };
	vm_page_t m;

	boot(arg);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	m = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NODUMP);
	REQUIRE(m != NULL);
	CHECK((vm_page_flags(m) & PG_NODUMP) == 0);
	CHECK(!is_left_out(vm_page_addr(m)));
	*(char *)vm_page_addr(m) = 1;
	vm_page_free(m);
	ns_vm_check(0);
}

static void
dumps(void *arg)
{
	char *addr;
	vm_page_t m;
	vm_object_t o;

	boot(arg);
	m = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NODUMP);
	REQUIRE(m != NULL);
	addr = vm_page_addr(m);
	CHECK((vm_page_flags(m) & PG_NODUMP) != 0);
	CHECK(is_left_out(addr));
	vm_page_free(m);
	/* The same page, from the magazine. */
	m = vm_page_alloc(NULL, 0, NORMAL);
	CHECK_EQ(vm_page_addr(m), addr);
	CHECK((vm_page_flags(m) & PG_NODUMP) == 0);
	CHECK(!is_left_out(addr));
	vm_page_free(m);
	/* INTERRUPT does not ask the kernel, and says so. */
	m = vm_page_alloc(NULL, 0, INTERRUPT | VM_ALLOC_NODUMP);
	REQUIRE(m != NULL);
	CHECK((vm_page_flags(m) & PG_NODUMP) == 0);
	CHECK(!is_left_out(vm_page_addr(m)));
	vm_page_free(m);
	/* A row of them, and back to the pool; then malloc's or another's. */
	m = vm_page_alloc_contig(NULL, 0, NORMAL | VM_ALLOC_NODUMP, 2048,
				 vm_page_size(), 0);
	REQUIRE(m != NULL);
	addr = vm_page_addr(m);
	CHECK(is_left_out(addr + 2047 * vm_page_size()));
	free_row(m, 2048);
	CHECK(!is_left_out(addr + 100 * vm_page_size()));

	o = make(600, 0, true);
	addr = vm_object_addr(o);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 599, N | VM_ALLOC_NODUMP);
	vm_page_xunbusy(m);
	CHECK(is_left_out(vm_page_addr(m)));
	CHECK(!is_left_out(addr));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	CHECK(!is_left_out(addr + 599 * vm_page_size()));
}

/* The hint: one growth for all of them. */
static void
counts(void *arg)
{
	uint64_t pages;
	vm_page_t m[301];

	boot(arg);
	CHECK_EQ(ns_vm_count(VM_ALLOC_COUNT(0)), 0);
	CHECK_EQ(ns_vm_count(NORMAL | VM_ALLOC_COUNT(300)), 300);
	CHECK_EQ(ns_vm_count(NORMAL | VM_ALLOC_COUNT(100000)), 2047);
	m[0] = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_COUNT(300));
	REQUIRE(m[0] != NULL);
	pages = ns_vm_nodes[0].npages;
	CHECK(pages > 300);
	for (int i = 1; i <= 300; i++)
		m[i] = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_COUNT(300 - i));
	CHECK_EQ(ns_vm_nodes[0].npages, pages);
	for (int i = 0; i <= 300; i++)
		vm_page_free(m[i]);
	ns_vm_check(0);
}

int
main(void)
{
	static struct machine plain = { .purge_now = false };
	static struct machine small = { .limit = 32ul << 20 };

	CASE(never_freed, &plain);
	CASE(never_freed_when_full, &small);
	CASE(never_freed_of_objects, &plain);
	CASE(dumps, &plain);
	CASE(dumps_refused, &plain);
	CASE(counts, &plain);
	return test_done();
}
