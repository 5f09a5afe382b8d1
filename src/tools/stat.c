/* SPDX-License-Identifier: BSD-2-Clause */
/* tools/stat.c - numaslab stat: where a running process's memory is. */
#include "tools/tools.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char help[] =
    "usage: numaslab stat [--interval S] [--bytes | --json] PID\n"
    "\n"
    "Prints, for each node, what a process that runs on numaslab has there.\n"
    "The process is neither stopped nor asked.\n"
    "\n"
    "  live          bytes in objects now allocated\n"
    "  resident      bytes kept from the operating system\n"
    "  retained      of these, bytes that are free and not yet given back\n"
    "  spilled       bytes here that were asked of another node\n"
    "  local_frees   objects freed by threads at home on the node\n"
    "  remote_frees  objects freed by threads at home elsewhere\n"
    "\n"
    "  --interval S  print again every S seconds, until the process ends\n"
    "  --bytes       exact sizes\n"
    "  --json        exact sizes, and a few more, as JSON: an object a line\n";

struct request {
	enum ns_table_style style;
	double interval; /* 0: once */
	pid_t pid;
};

static bool
parse_interval(const char *text, double *seconds)
{
	char *end;

	if (strspn(text, "0123456789.") != strlen(text))
		return false;
	errno = 0;
	*seconds = strtod(text, &end);
	return errno == 0 && end != text && *end == '\0' && *seconds >= 0.001 &&
	       *seconds <= 1e6;
}

static bool
parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    n <= 0 || n > INT_MAX)
		return false;
	*pid = (pid_t)n;
	return true;
}

static int
parse(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "bytes", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			if (!parse_interval(optarg, &r->interval))
				return ns_usage_error("--interval %s: "
						      "seconds are expected",
						      optarg);
			break;
		case 'b':
			r->style = NS_TABLE_BYTES;
			break;
		case 'j':
			r->style = NS_TABLE_JSON;
			break;
		case 'h':
			ns_help(help);
		case ':':
			return ns_usage_error("%s wants an argument",
					      argv[optind - 1]);
		default:
			return ns_unknown_option(argv);
		}
	}
	if (argc - optind != 1)
		return ns_usage_error("one process number is expected");
	if (!parse_pid(argv[optind], &r->pid))
		return ns_usage_error("'%s' is not a process number",
				      argv[optind]);
	return 0;
}

static void
sleep_for(double seconds)
{
	struct timespec ts = { (time_t)seconds, 0 };

	ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

int
ns_stat_main(int argc, char **argv)
{
	static struct ns_snapshot snapshot;
	struct request r = { NS_TABLE_HUMAN, 0, 0 };
	struct ns_target target;
	int status = parse(argc, argv, &r);

	if (status != 0)
		return status;
	status = ns_target_open(&target, r.pid);
	while (status == 0) {
		status = ns_target_snapshot(&target, &snapshot);
		if (status != 0)
			break;
		ns_table_print(stdout, &target, &snapshot, r.style);
		if (r.interval == 0 || fflush(stdout) != 0)
			return 0;
		sleep_for(r.interval);
	}
	ns_complain("%s", target.why);
	return 1;
}
