/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/run.c - numaslab run: a program on numaslab.
 *
 * The program takes this process's place.  Only with --stats does this one
 * stay, to read the figures as the program exits (child.c).
 */
#include "tools/tools.h"

#include "base/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <numa.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: numaslab run [--policy P] [--stats] [--] COMMAND [ARGUMENTS]\n"
    "\n"
    "Runs COMMAND with libnumaslab_malloc preloaded.\n"
    "\n"
    "  --policy P  where memory that names no node comes from:\n"
    "                local                 where the thread runs\n"
    "                bind=NODES            these nodes and no other\n"
    "                preferred=NODE        this node while it has room\n"
    "                preferred-many=NODES  these while they have room\n"
    "                interleave[=NODES]    these in turn\n"
    "                weighted-interleave[=NODES@WEIGHT]\n"
    "                latency, bandwidth, capacity  the best by that\n"
    "              NODES is a list such as 0,2-3, all, allowed, hbm or cxl;\n"
    "              \"small=P large=P threshold=SIZE\" for both sizes of "
    "blocks:\n"
    "              see numaslab_policy(7)\n"
    "  --stats     print the table of 'numaslab stat' on standard error as\n"
    "              COMMAND exits\n"
    "\n"
    "The exit status is COMMAND's; 128 and the signal's number when --stats\n"
    "saw a signal kill it, 127 when it is not found, 126 when it cannot be\n"
    "executed, 2 when the options are wrong.\n";

/* --- the policy --- */

static int
show(const char *text, size_t pos, const char *why)
{
	ns_complain("--policy %s: %s at position %zu", text, why, pos + 1);
	fprintf(stderr, "    %s\n    %*s^\n", text, (int)pos, "");
	return NS_EXIT_USAGE;
}

/*
 * Pretended nodes exist if there are so many; real ones if libnuma knows them,
 * and without sysfs it knows none.
 */
static bool
node_exists(unsigned node)
{
	if (ns_options.fake_nodes > 0)
		return node < ns_options.fake_nodes;
	if (numa_available() < 0 || numa_bitmask_weight(numa_nodes_ptr) == 0)
		return node == 0;
	return node < (unsigned)numa_num_possible_nodes() &&
	       numa_bitmask_isbitset(numa_nodes_ptr, node);
}

static bool
node_allowed(unsigned node)
{
	struct bitmask *allowed;
	bool yes;

	if (ns_options.fake_nodes > 0 || numa_available() < 0 ||
	    numa_bitmask_weight(numa_nodes_ptr) == 0)
		return true;
	allowed = numa_get_mems_allowed();
	yes = numa_bitmask_isbitset(allowed, node);
	numa_bitmask_free(allowed);
	return yes;
}

static const char *
check_node(unsigned node)
{
	if (!node_exists(node))
		return "there is no such node";
	return node_allowed(node) ? NULL : "this process may not use that node";
}

static int
check_policy(const char *text)
{
	const char *why;
	size_t pos;

	ns_topo_init();
	if (ns_policy_try(text, check_node, false, &pos, &why) != 0)
		return show(text, pos, why);
	return 0;
}

/* --- the environment --- */

static int
set_preload(void)
{
	const char *old = getenv("LD_PRELOAD");
	char library[PATH_MAX], *all;

	if (ns_library_path(library, sizeof(library)) != 0)
		return -1;
	if (old == NULL || old[0] == '\0')
		return setenv("LD_PRELOAD", library, 1);
	if (asprintf(&all, "%s:%s", library, old) < 0 ||
	    setenv("LD_PRELOAD", all, 1) != 0) {
		ns_complain("%m");
		return -1;
	}
	free(all);
	return 0;
}

/* Is there a file of that name in PATH, executable or not? */
static bool
in_path(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char file[PATH_MAX];

	for (; path != NULL && *path != '\0'; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(file, sizeof(file), "%.*s/%s", (int)(end - path), path,
			 name);
		if (access(file, F_OK) == 0)
			return true;
	}
	return false;
}

/* execvp says EACCES also when PATH has a directory we may not search. */
int
ns_exec_failed(const char *name, int error)
{
	if (error == EACCES && strchr(name, '/') == NULL && !in_path(name))
		error = ENOENT;
	ns_complain("%s: %s", name, strerror(error));
	return error == ENOENT ? 127 : 126;
}

static int
parse(int argc, char **argv, const char **policy, bool *stats)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "stats", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			*policy = optarg;
			break;
		case 's':
			*stats = true;
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
	if (optind == argc)
		return ns_usage_error("a command is expected");
	return 0;
}

int
ns_run_main(int argc, char **argv)
{
	const char *policy = NULL;
	bool stats = false;
	int status = parse(argc, argv, &policy, &stats);

	if (status == 0 && policy != NULL)
		status = check_policy(policy);
	if (status != 0)
		return status;
	if (set_preload() != 0 ||
	    (policy != NULL && setenv("NUMASLAB_POLICY", policy, 1) != 0))
		return 1;
	argv += optind;
	if (stats)
		return ns_child_run(argv);
	execvp(argv[0], argv);
	return ns_exec_failed(argv[0], errno);
}
