/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocates so many bytes, says "ready", and waits until it is killed.  With
 * BY_THREAD in its environment a second thread waits, and the first ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 1000

static void *volatile keep;

static void *
wait_for_ever(void *unused)
{
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		_exit(1);
	for (;;)
		pause();
	return unused;
}

int
main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) / BLOCK : 0;

	while (n-- > 0) {
		void **p = malloc(BLOCK);

		if (p == NULL)
			return 1;
		memset(p, 1, BLOCK);
		*p = keep;
		keep = p;
	}
	if (getenv("BY_THREAD") != NULL) {
		pthread_t t;

		if (pthread_create(&t, NULL, wait_for_ever, NULL) != 0)
			return 1;
		pthread_exit(NULL);
	}
	wait_for_ever(NULL);
	return 0;
}
