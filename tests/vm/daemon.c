/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page daemon's threads: when there are any, what they do for who waits,
 * and what they do not let a pager do that hangs or fails.
 */
#include "slab/slab.h"
#include "tests/vm/disk.h"

#include <dirent.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define N VM_ALLOC_NORMAL

/* Threads of this process, and how many of them run at idle priority. */
static unsigned
threads(unsigned *idle)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	unsigned n = 0;

	REQUIRE(dir != NULL);
	*idle = 0;
	while ((e = readdir(dir)) != NULL) {
		int tid = atoi(e->d_name);

		if (tid == 0)
			continue;
		n++;
		*idle += sched_getscheduler(tid) == SCHED_IDLE;
	}
	closedir(dir);
	return n;
}

#ifdef TEST_SANITIZED
#define MOST UINT_MAX /* a sanitizer has threads of its own, later */
#else
#define MOST 4u
#endif

static unsigned others; /* this thread, and a sanitizer's */

static void
begin(void *arg)
{
	unsigned idle;

	boot(arg);
	others = threads(&idle);
}

/* Of the library's. */
static void
expect_threads(unsigned least, unsigned most)
{
	unsigned idle, n = threads(&idle) - others;

	CHECK_MSG(n >= least && n <= most, "%u threads, not %u to %u", n, least,
		  most);
}

/* @count pages from @from on, dirty and in the laundry. */
static void
add_pages(vm_object_t o, vm_pindex_t from, vm_pindex_t count)
{
	for (vm_pindex_t at = from; at < from + count; at++) {
		vm_page_t m = vm_page_grab_unlocked(o, at, N);

		REQUIRE(m != NULL);
		*word_of(m) = 1000000 + at;
		vm_page_dirty(m);
		vm_page_launder(m);
		vm_page_xunbusy(m);
	}
}

/* More than the node has, and none of it lost. */
static void
check_all(vm_object_t o, struct disk *d, vm_pindex_t count)
{
	for (vm_pindex_t at = 0; at < count; at++) {
		vm_page_t m = vm_page_lookup(o, at);

		/* A page may go meanwhile; it was written by then. */
		if (m == NULL || (vm_page_flags(m) & PG_DIRTY) == 0)
			CHECK_EQ(ns_load_relaxed(&d->word[at]), 1000000 + at);
		CHECK_EQ(vm_page_grab_valid_unlocked(&m, o, at, N),
			 VM_PAGER_OK);
		CHECK_EQ(*word_of(m), 1000000 + at);
		vm_page_deactivate(m);
		vm_page_xunbusy(m);
	}
}

static void
starts_at_need(void *arg)
{
	struct disk *d = disk_new();
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	unsigned idle;
	vm_object_t o;

	begin(arg);
	expect_threads(0, 0);
	/* Not for pages without object, however full the node is. */
	drain(&s, 0, NORMAL);
	expect_threads(0, 0);
	set_free(&s);
	/* Not for some pages of an object. */
	o = disk_object(d, DISK_BLOCKS);
	add_pages(o, 0, 10);
	expect_threads(0, 0);
	/* But for more than the node has. */
	add_pages(o, 10, 4000);
	expect_threads(1, MOST);
	threads(&idle);
	CHECK(idle > 0);
	ns_vm_stat(0, &st);
	CHECK(st.work.laundered > 0);
	check_all(o, d, 4010);
	vm_object_destroy(o);
	ns_vm_check(0);
}

/* The kernel refuses idle priority, as a container's filter may. */
static void
refused(void *arg)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setscheduler, 0,
			 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { NS_ARRAY_LEN(filter), filter };
	struct disk *d = disk_new();
	unsigned idle;
	vm_object_t o;

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	begin(arg);
	o = disk_object(d, DISK_BLOCKS);
	add_pages(o, 0, 4000);
	expect_threads(1, MOST);
	threads(&idle);
	CHECK_EQ(idle, 0);
	check_all(o, d, 4000);
	vm_object_destroy(o);
	ns_vm_check(0);
}

/* Without threads the same is done by who waits. */
static void
no_threads(void *arg)
{
	struct disk *d = disk_new();
	vm_object_t o;

	begin(arg);
	o = disk_object(d, DISK_BLOCKS);
	add_pages(o, 0, 4000);
	check_all(o, d, 4000);
	expect_threads(0, 0);
	vm_object_destroy(o);
	ns_vm_check(0);
}

static void
wait_until(const uint32_t *word, uint32_t value)
{
	while (ns_load_relaxed(word) != value)
		sched_yield();
}

/*
 * A pager hangs: others' pages are written and reclaimed meanwhile, the page
 * it writes can be read, and in the end nothing is lost.
 */
static void
hanging(void *arg)
{
	struct disk *slow = disk_new(), *quick = disk_new();
	vm_object_t o, p;
	vm_page_t m;

	boot(arg);
	o = disk_object(slow, DISK_BLOCKS);
	p = disk_object(quick, DISK_BLOCKS);
	slow->gate = 1;
	add_pages(o, 0, 100);
	add_pages(p, 0, 3000);
	wait_until(&slow->waiting, 1);
	add_pages(p, 3000, 3000);
	CHECK_EQ(ns_load_relaxed(&slow->calls), 1);
	CHECK_EQ(ns_load_relaxed(&slow->writes), 0);
	CHECK(ns_load_relaxed(&quick->writes) > 0);
	CHECK_EQ(vm_object_resident(o), 100);
	for (vm_pindex_t at = 0; at < 100; at++) {
		m = vm_page_grab_unlocked(
		    o, at,
		    N | VM_ALLOC_SBUSY | VM_ALLOC_NOCREAT | VM_ALLOC_NOWAIT);
		REQUIRE(m != NULL);
		CHECK_EQ(*word_of(m), 1000000 + at);
		vm_page_sunbusy(m);
	}
	check_all(p, quick, 6000);
	disk_open_gate(slow);
	check_all(o, slow, 100);
	vm_object_destroy(o);
	vm_object_destroy(p);
	ns_vm_check(0);
}

/*
 * All that there is is dirty and cannot be written: NORMAL requests fail, the
 * writer, who is a pager's thread, goes on, and INTERRUPT after it.
 */
static void
writer_goes_on(void *arg)
{
	struct disk *d = disk_new();
	struct ns_vm_stat st;
	struct set s = { NULL, 0, 0 };
	vm_pindex_t at;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	d->fails = VM_PAGER_ERROR;
	o = disk_object(d, DISK_BLOCKS);
	VM_OBJECT_WLOCK(o);
	for (at = 0; (m = vm_page_alloc(o, at, N)) != NULL; at++) {
		*word_of(m) = 1000000 + at;
		vm_page_dirty(m);
		vm_page_launder(m);
		vm_page_xunbusy(m);
	}
	VM_OBJECT_WUNLOCK(o);
	ns_vm_stat(0, &st);
	for (int i = 0; i < 20; i++) {
		CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
		CHECK_ERRNO(vm_page_alloc_noobj(N | VM_ALLOC_WAITFAIL), NULL,
			    ENOMEM);
	}
	CHECK(ns_load_relaxed(&d->calls) > 0);
	vm_pager_thread(true);
	for (uint64_t i = st.interrupt; i < st.low; i++) {
		m = vm_page_alloc(NULL, 0, NORMAL);
		REQUIRE(m != NULL);
		set_add(&s, m);
	}
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	vm_pager_thread(false);
	CHECK_EQ(drain(&s, 0, INTERRUPT), st.interrupt);
	CHECK_EQ(vm_object_resident(o), at);
	/* The device is well again: who waits is woken. */
	set_free(&s);
	ns_store_relaxed(&d->fails, VM_PAGER_OK);
	for (int i = 0; i < 200; i++) {
		m = vm_page_alloc_noobj(N | VM_ALLOC_WAITOK);
		REQUIRE(m != NULL);
		set_add(&s, m);
	}
	set_free(&s);
	check_all(o, d, at);
	vm_object_destroy(o);
	ns_vm_check(0);
}

/* Writes that are left pending, and done by another thread. */
static void *
complete(void *arg)
{
	struct disk *d = arg;
	uint32_t done = 0;

	while (ns_load_acquire(&d->gate) != 2) {
		disk_complete(d, &done);
		sched_yield();
	}
	return NULL;
}

static void
pending(void *arg)
{
	struct disk *d = disk_new();
	pthread_t thread;
	vm_object_t o;

	boot(arg);
	d->pends = 1;
	o = disk_object(d, DISK_BLOCKS);
	REQUIRE(pthread_create(&thread, NULL, complete, d) == 0);
	add_pages(o, 0, 3000);
	CHECK(ns_load_relaxed(&d->npending) > 0);
	check_all(o, d, 3000);
	vm_object_destroy(o);
	ns_store_release(&d->gate, 2u);
	pthread_join(thread, NULL);
	ns_vm_check(0);
}

/* What the daemon was writing when the process forked is the child's again. */
static void
in_child(void *arg)
{
	vm_object_t o = arg;
	struct disk *d = disk_of(o);
	unsigned idle;

	others = threads(&idle);
	CHECK_EQ(idle, 0);
	for (vm_pindex_t at = 0; at < 100; at++) {
		vm_page_t m = vm_page_lookup(o, at);

		REQUIRE(m != NULL);
		CHECK(!vm_page_busied(m));
		CHECK(vm_page_flags(m) & PG_DIRTY);
	}
	ns_vm_check(0);
	d->gate = 0;
	CHECK(vm_object_page_clean(o, 0, 100));
#ifndef TEST_SANITIZED /* after fork() a sanitizer allows no threads */
	add_pages(o, 5000, 3000);
	expect_threads(1, MOST);
#endif
	vm_object_destroy(o);
	ns_vm_check(0);
}

static void
forking(void *arg)
{
	struct disk *d = disk_new(), *quick = disk_new();
	struct test_output out;
	vm_object_t o, p;

	boot(arg);
	REQUIRE(ns_init() == 0);
	ns_fork_init();
	d->gate = 1;
	o = disk_object(d, DISK_BLOCKS);
	p = disk_object(quick, DISK_BLOCKS);
	add_pages(o, 0, 100);
	add_pages(p, 0, 3000);
	wait_until(&d->waiting, 1);
	CHECK_MSG(run_child(in_child, o, &out) == 0, "%s", out.text);
	disk_open_gate(d);
	check_all(o, d, 100);
	vm_object_destroy(o);
	vm_object_destroy(p);
	ns_vm_check(0);
}

/* An object that is destroyed while its pages are written. */
static void *
open_later(void *arg)
{
	usleep(20000);
	disk_open_gate(arg);
	return NULL;
}

static void
destroyed(void *arg)
{
	struct disk *d = disk_new(), *quick = disk_new();
	pthread_t thread;
	vm_object_t o, p;

	boot(arg);
	d->gate = 1;
	o = disk_object(d, DISK_BLOCKS);
	p = disk_object(quick, DISK_BLOCKS);
	add_pages(o, 0, 100);
	add_pages(p, 0, 3000);
	wait_until(&d->waiting, 1);
	REQUIRE(pthread_create(&thread, NULL, open_later, d) == 0);
	vm_object_destroy(o);
	CHECK_EQ(ns_load_relaxed(&d->waiting), 0);
	CHECK(ns_load_relaxed(&d->writes) > 0);
	pthread_join(thread, NULL);
	vm_object_destroy(p);
	ns_vm_check(0);
}

int
main(void)
{
	static struct machine small = { .limit = 4 << 20 };
	static struct machine alone = { .limit = 4 << 20, .alone = true };
	static struct machine large = { .limit = 16 << 20, .page_size = 16384 };

	CASE(starts_at_need, &small);
	CASE(refused, &small);
	CASE(no_threads, &alone);
	CASE(hanging, &small);
	CASE(hanging, &large);
	CASE(writer_goes_on, &small);
	CASE(writer_goes_on, &large);
	CASE(pending, &small);
	CASE(forking, &small);
	CASE(destroyed, &small);
	return test_done();
}
