/* SPDX-License-Identifier: BSD-2-Clause */
/* tools/main.c - the numaslab command: which subcommand, and its errors. */
#include "tools/tools.h"

#include "numaslab/numaslab.h"

#include "base/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: numaslab COMMAND [ARGUMENTS]\n"
    "\n"
    "  run [--policy P] [--stats] -- COMMAND [ARGUMENTS]\n"
    "            run a program on numaslab\n"
    "  stat [--interval S] [--bytes | --json] PID\n"
    "            where a running program's memory is, a line for each node\n"
    "  topology  the nodes of this machine, and which are near\n"
    "  doctor    what works here, and what numaslab must do without\n"
    "\n"
    "numaslab COMMAND --help tells more.\n";

static const struct command {
	const char *name;
	int (*main)(int, char **);
} commands[] = {
	{ "run", ns_run_main },
	{ "stat", ns_stat_main },
	{ "topology", ns_topology_main },
	{ "doctor", ns_doctor_main },
};

const char *ns_command;

bool ns_options_quiet = true; /* numaslab run leaves it to the program */

static void
line(const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (ns_command != NULL)
		fprintf(stderr, "numaslab %s: %s\n", ns_command, text);
	else
		fprintf(stderr, "numaslab: %s\n", text);
}

void
ns_complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}

int
ns_usage_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
	return NS_EXIT_USAGE;
}

int
ns_unknown_option(char **argv)
{
	const char *word = argv[optind - 1];

	/* Inside a word of short options optind is not beyond it yet. */
	if (optopt == 0 || (strncmp(word, "--", 2) == 0 && strchr(word, '=')))
		return ns_usage_error("unknown option %s", word);
	return ns_usage_error("unknown option -%c", optopt);
}

/* A full disk or a closed pipe must not look like success. */
static int
finish(int status)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
		ns_complain("standard output: %m");
		return 1;
	}
	return status;
}

void
ns_help(const char *text)
{
	fputs(text, stdout);
	exit(finish(0));
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (name == NULL) {
		fputs(usage, stderr);
		return NS_EXIT_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
	    strcmp(name, "help") == 0)
		ns_help(usage);
	if (strcmp(name, "--version") == 0)
		ns_help("numaslab " NUMASLAB_VERSION "\n");
	for (size_t i = 0; i < NS_ARRAY_LEN(commands); i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		ns_command = name;
		if (commands[i].main != ns_run_main)
			ns_options_complain(environ);
		return finish(commands[i].main(argc - 1, argv + 1));
	}
	return ns_usage_error("unknown command '%s' (numaslab --help)", name);
}
