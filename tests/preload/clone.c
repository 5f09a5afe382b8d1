/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A child made without fork()'s handlers, as launchers of containers do: its
 * thread is not known under its new id.  It starts many threads, and none
 * of them may get what another has.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 140
#define BLOCKS  500

static int bad;

static void
work(long id, int rounds)
{
	long *p[BLOCKS];

	while (rounds-- > 0) {
		for (int i = 0; i < BLOCKS; i++) {
			p[i] = malloc(48);
			p[i][0] = p[i][5] = id;
		}
		for (int i = 0; i < BLOCKS; i++) {
			if (p[i][0] != id || p[i][5] != id)
				__atomic_store_n(&bad, 1, __ATOMIC_RELAXED);
			free(p[i]);
		}
	}
}

static void *
run(void *id)
{
	work((long)id, 300);
	return NULL;
}

static int
child(void)
{
	static pthread_t t[THREADS];

	alarm(100);
	for (long i = 0; i < THREADS; i++) {
		if (pthread_create(&t[i], NULL, run, (void *)(i + 2)) != 0)
			return 1;
		work(1, 10);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return bad;
}

int
main(void)
{
	int status = -1;
	long pid;

	free(malloc(48));
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(child());
	if (pid < 0 || waitpid((pid_t)pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "clone: status 0x%x\n", (unsigned)status);
		return 1;
	}
	puts("nothing shared");
	return 0;
}
