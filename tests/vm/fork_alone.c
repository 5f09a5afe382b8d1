/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork() in a process with busy threads that uses pages and nothing else of
 * numaslab: its malloc is libc's.  The child can allocate.
 */
#include <numaslab/vm_page.h>

#include "tests/test.h"

#include <pthread.h>

#define NORMAL (VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ)

static uint32_t stop;

static void *
busy(void *arg)
{
	vm_page_t m[64];
	int i, n;

	while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0) {
		for (n = 0; n < 64; n++)
			m[n] = vm_page_alloc(NULL, 0, NORMAL);
		for (i = 0; i < n; i++)
			if (m[i] != NULL)
				vm_page_free(m[i]);
	}
	return arg;
}

int
main(void)
{
	pthread_t thread[2];
	int i, status;
	vm_page_t m;
	pid_t pid;

	for (i = 0; i < 2; i++)
		REQUIRE(pthread_create(&thread[i], NULL, busy, NULL) == 0);
	for (i = 0; i < 100; i++) {
		pid = fork();
		REQUIRE(pid >= 0);
		if (pid == 0) {
			alarm(20);
			m = vm_page_alloc(NULL, 0, NORMAL);
			if (m == NULL)
				_exit(1);
			vm_page_free(m);
			_exit(0);
		}
		REQUIRE(waitpid(pid, &status, 0) == pid);
		if (status != 0) {
			test_fail(__FILE__, __LINE__,
				  "child %d: wait status 0x%x", i,
				  (unsigned)status);
			break;
		}
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	return test_done();
}
