/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/start.c - what preloading a library costs a short-lived process.
 *
 *	start RUNS NAME=LIBRARY... -- COMMAND ARG...
 *
 * Runs the command RUNS times under each library (an empty LIBRARY is none
 * at all), taking the libraries in turn, by posix_spawn, which does not
 * copy this process.  Prints for each: its name, the median, the tenth and
 * the ninetieth percentile of the wall time from spawn to exit, in
 * nanoseconds.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_LIBRARIES 32
#define MAX_ENV       1000

extern char **environ;

struct library {
	const char *name;
	char *preload; /* "LD_PRELOAD=...", or NULL */
	uint64_t *ns;
};

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
die(const char *what)
{
	fprintf(stderr, "start: %s\n", what);
	exit(2);
}

/* This process's environment, with LD_PRELOAD replaced. */
static char **
environment(char *preload)
{
	static char *env[MAX_ENV + 2];
	size_t n = 0;

	for (char **e = environ; *e && n < MAX_ENV; e++)
		if (strncmp(*e, "LD_PRELOAD=", 11) != 0)
			env[n++] = *e;
	if (preload)
		env[n++] = preload;
	env[n] = NULL;
	return env;
}

static uint64_t
run_once(char **argv, char *preload)
{
	char **env = environment(preload);
	uint64_t t = now();
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, env))
		die("cannot run the command");
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid failed");
	t = now() - t;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		die("the command failed");
	return t;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static struct library
parse(char *arg, size_t runs)
{
	char *eq = strchr(arg, '=');
	struct library l = { .name = arg, .ns = calloc(runs, sizeof(*l.ns)) };

	if (!eq)
		die("usage: start RUNS NAME=LIBRARY... -- COMMAND ARG...");
	*eq = '\0';
	if (eq[1] && asprintf(&l.preload, "LD_PRELOAD=%s", eq + 1) < 0)
		die("out of memory");
	return l;
}

int
main(int argc, char **argv)
{
	struct library lib[MAX_LIBRARIES];
	size_t runs, n = 0;
	int i = 2;

	runs = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	if (runs == 0)
		die("usage: start RUNS NAME=LIBRARY... -- COMMAND ARG...");
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (n == MAX_LIBRARIES)
			die("too many libraries");
		lib[n++] = parse(argv[i], runs);
	}
	if (i + 1 >= argc)
		die("no command");
	for (size_t r = 0; r < runs; r++)
		for (size_t l = 0; l < n; l++)
			lib[l].ns[r] = run_once(argv + i + 1, lib[l].preload);
	for (size_t l = 0; l < n; l++) {
		uint64_t *ns = lib[l].ns;

		qsort(ns, runs, sizeof(*ns), by_value);
		printf("%s %llu %llu %llu\n", lib[l].name,
		       (unsigned long long)ns[runs / 2],
		       (unsigned long long)ns[runs / 10],
		       (unsigned long long)ns[runs * 9 / 10]);
		free(lib[l].preload);
		free(ns);
	}
	return 0;
}
