/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/start.c - runs a command under libraries preloaded in turn.
 *
 *	start [-o FILE] RUNS NAME=LIBRARY... -- COMMAND ARG...
 *
 * Runs the command RUNS times under each library (an empty LIBRARY is none
 * at all), taking the libraries in turn.  Writes one line for each, to FILE
 * or standard output:
 *
 *	NAME MEDIAN P10 P90 CPU RSS STATUS
 *
 * wall time from spawn to exit in nanoseconds, then the median of user and
 * system time in microseconds, the largest peak resident set in KiB (the
 * largest single process of the command's) and the worst exit status.
 *
 * It is small and starts its children by posix_spawn, because the kernel
 * counts the parent's memory in a child's peak.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_LIBRARIES 32
#define MAX_ENV       1000

extern char **environ;

struct library {
	const char *name;
	char *preload; /* "LD_PRELOAD=...", or NULL */
	uint64_t *ns, *cpu_us;
	long rss;
	int status;
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

static void
usage(void)
{
	die("usage: start [-o FILE] RUNS NAME=LIBRARY... -- COMMAND ARG...");
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
microseconds(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000u + (uint64_t)tv->tv_usec;
}

static void
run_once(char **argv, struct library *l, size_t r)
{
	char **env = environment(l->preload);
	uint64_t begin = now();
	struct rusage ru;
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, env))
		die("cannot run the command");
	if (wait4(pid, &status, 0, &ru) != pid)
		die("wait4 failed");
	l->ns[r] = now() - begin;
	l->cpu_us[r] = microseconds(&ru.ru_utime) + microseconds(&ru.ru_stime);
	if (ru.ru_maxrss > l->rss)
		l->rss = ru.ru_maxrss;
	status =
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (status > l->status)
		l->status = status;
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
	struct library l = { .name = arg };
	char *eq = strchr(arg, '=');

	if (!eq)
		usage();
	*eq = '\0';
	l.ns = calloc(runs, sizeof(*l.ns));
	l.cpu_us = calloc(runs, sizeof(*l.cpu_us));
	if (!l.ns || !l.cpu_us ||
	    (eq[1] && asprintf(&l.preload, "LD_PRELOAD=%s", eq + 1) < 0))
		die("out of memory");
	return l;
}

static void
report(FILE *out, struct library *l, size_t runs)
{
	qsort(l->ns, runs, sizeof(*l->ns), by_value);
	qsort(l->cpu_us, runs, sizeof(*l->cpu_us), by_value);
	fprintf(out, "%s %llu %llu %llu %llu %ld %d\n", l->name,
		(unsigned long long)l->ns[runs / 2],
		(unsigned long long)l->ns[runs / 10],
		(unsigned long long)l->ns[runs * 9 / 10],
		(unsigned long long)l->cpu_us[runs / 2], l->rss, l->status);
	free(l->preload);
	free(l->ns);
	free(l->cpu_us);
}

int
main(int argc, char **argv)
{
	struct library lib[MAX_LIBRARIES];
	size_t runs, n = 0;
	FILE *out = stdout;
	int opt;

	while ((opt = getopt(argc, argv, "+o:")) != -1) {
		if (opt != 'o')
			usage();
		out = fopen(optarg, "we");
		if (!out)
			die("cannot write the output file");
	}
	runs = optind < argc ? strtoul(argv[optind++], NULL, 10) : 0;
	if (runs == 0)
		usage();
	for (; optind < argc && strcmp(argv[optind], "--") != 0; optind++) {
		if (n == MAX_LIBRARIES)
			die("too many libraries");
		lib[n++] = parse(argv[optind], runs);
	}
	if (++optind >= argc || n == 0)
		usage();
	for (size_t r = 0; r < runs; r++)
		for (size_t l = 0; l < n; l++)
			run_once(argv + optind, &lib[l], r);
	for (size_t l = 0; l < n; l++)
		report(out, &lib[l], runs);
	return fclose(out) ? 2 : 0;
}
