/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocates so many bytes, says "ready", and waits until it is killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 1000

static void *volatile keep;

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
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	for (;;)
		pause();
}
