/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/doctor.c - numaslab doctor: what works here.
 *
 * Everything is tried, in this process, not looked up in a table of kernel
 * versions: a container's filter or a limit may forbid what the kernel can.
 */
#include "tools/tools.h"

#include "base/options.h"

#include <errno.h>
#include <hwloc.h>
#include <numa.h>
#include <numaif.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#define RSEQ_WITH_NODE_ID 24ul /* up to and with the field node_id */

static const char help[] =
    "usage: numaslab doctor\n"
    "\n"
    "Tries what numaslab uses of this machine, kernel and container, and says\n"
    "what it must do without.  Exits with 0 also when something is missing:\n"
    "numaslab works then too.\n";

ns_printf(2, 3) static void say(const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("%-18s ", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* A file's first line, or @otherwise. */
static const char *
file(const char *path, const char *otherwise)
{
	static char text[512];

	if (ns_os_read_file(path, text, sizeof(text)) <= 0)
		return otherwise;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void
machine(void)
{
	struct utsname u;

	if (uname(&u) == 0)
		say("kernel", "%s %s %s", u.sysname, u.release, u.machine);
	say("CPUs", "%ld online, %ld configured", sysconf(_SC_NPROCESSORS_ONLN),
	    sysconf(_SC_NPROCESSORS_CONF));
	say("page size", "%zu", ns_page_size);
}

static void
nodes(void)
{
	unsigned allowed = 0;

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		allowed += ns_topo.allowed[s];
	if (ns_topo.fake)
		say("nodes", "%u, pretended (NUMASLAB_FAKE_NODES)",
		    ns_topo.nslots);
	else if (ns_topo.one_node)
		say("nodes", "this process may use one, node %u",
		    ns_topo.node_of_slot[0]);
	else
		say("nodes", "%u with memory, %u of them allowed",
		    ns_topo.nslots, allowed);
	say("policy", "%s", ns_options.policy);
	say("NUMA balancing", "%s",
	    file("/proc/sys/kernel/numa_balancing", "not in this kernel"));
}

/* --- system calls --- */

static void
verdict(const char *call, long rc, const char *without)
{
	if (rc >= 0)
		say(call, "works");
	else
		say(call, "%s: %s", strerror(errno), without);
}

static void
placement(void)
{
	unsigned long mask[NS_MAX_NODES / 64 + 1] = { 0 };
	unsigned node = ns_topo.fake ? 0 : ns_topo.node_of_slot[0];
	int mode, where = -1;
	void *p;

	p = mmap(NULL, ns_page_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		say("placement", "cannot be tried: %s", strerror(errno));
		return;
	}
	verdict(
	    "get_mempolicy",
	    get_mempolicy(&mode, mask, NS_MAX_NODES, NULL, MPOL_F_MEMS_ALLOWED),
	    "allowed nodes are read from /proc and /sys");
	memset(mask, 0, sizeof(mask));
	mask[node / 64] = 1ul << (node % 64);
	verdict(
	    "mbind",
	    mbind(p, ns_page_size, MPOL_PREFERRED, mask, NS_MAX_NODES + 1, 0),
	    "memory lies where it is touched first");
	*(volatile char *)p = 1;
	verdict("set_mempolicy", set_mempolicy(MPOL_DEFAULT, NULL, 0),
		"not used by numaslab");
	verdict("move_pages", move_pages(0, 1, &p, NULL, &where, 0),
		"placement cannot be audited");
	munmap(p, ns_page_size);
}

static void
current_cpu(void)
{
	unsigned cpu, node;

	if (ns_os_rseq_cpu() == NULL)
		say("rseq", "not registered by libc: the current CPU is asked "
			    "for by getcpu");
	else if (getauxval(AT_RSEQ_FEATURE_SIZE) >= RSEQ_WITH_NODE_ID)
		say("rseq", "works, with node_id");
	else
		say("rseq", "works, without node_id (Linux 6.3)");
	if (ns_os_getcpu(&cpu, &node) == 0)
		say("getcpu", "works: CPU %u, node %u", cpu, node);
	else
		say("getcpu", "refused: threads stay at home on one node");
}

/* As numaslab run --stats does it. */
static void
tracing(void)
{
	const char *scope = "/proc/sys/kernel/yama/ptrace_scope";
	pid_t pid = fork();
	int error = 0;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		error = errno;
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (error != 0)
		say("ptrace", "%s: no table from run --stats", strerror(error));
	else
		say("ptrace", "works (Yama's scope: %s)", file(scope, "none"));
}

/* --- memory --- */

static void
limits(void)
{
	size_t limit = ns_os_address_limit();
	char size[16];

	say("huge pages", "%s",
	    file("/sys/kernel/mm/transparent_hugepage/enabled",
		 "not in this kernel"));
	say("overcommit", "mode %s",
	    file("/proc/sys/vm/overcommit_memory", "unknown"));
	say("max_map_count", "%s",
	    file("/proc/sys/vm/max_map_count", "unknown"));
	say("RLIMIT_AS", "%s",
	    limit == SIZE_MAX ? "none" : ns_human(size, limit));
	if (ns_page_init() != 0)
		say("reservation", "refused: there is no room for a heap");
	else
		say("reservation", "%s for each node",
		    ns_human(size, ns_total / ns_topo.nslots));
}

static void
libraries(void)
{
	unsigned v = hwloc_get_api_version();
	char path[PATH_MAX];

	say("hwloc", "API %u.%u.%u; refining the spill order %s", v >> 16,
	    v >> 8 & 0xff, v & 0xff,
	    ns_topo.one_node        ? "is not needed"
	    : ns_topo_refine() == 0 ? "works"
				    : "fails: distances alone decide");
	say("libnuma", "%s", numa_available() < 0 ? "finds no NUMA" : "works");
	if (ns_library_path(path, sizeof(path)) == 0)
		say("library", "%s", path);
}

int
ns_doctor_main(int argc, char **argv)
{
	if (argc == 2 &&
	    (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		ns_help(help);
	if (argc > 1)
		return ns_usage_error("unexpected argument '%s'", argv[1]);
	ns_os_init();
	ns_topo_init();
	machine();
	nodes();
	placement();
	current_cpu();
	tracing();
	limits();
	libraries();
	return 0;
}
