/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/control.c - what glibc's malloc can be asked and told.
 *
 * What the old interfaces call an arena or a heap is a node here.  Bytes
 * "from the system" are those in use or retained: address space that was
 * never touched is nobody's.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include "numaslab/numaslab.h"
#include "malloc/alias.h"
#include "malloc/figures.h"

ns_export int
malloc_trim(size_t pad)
{
	int saved = errno;
	int released = numaslab_trim(pad) > 0;

	errno = saved;
	return released;
}

/*
 * The tunables of another design.  Those that only move glibc's thresholds
 * are accepted, because a program cannot see the difference; a debugging
 * aid that we do not have is refused.
 */
ns_export int
mallopt(int param, int value)
{
	switch (param) {
	case M_MXFAST:
		return value >= 0 && value <= 160;
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	case M_MMAP_THRESHOLD:
		return value <= 32 << 20;
	case M_PERTURB:
		return value == 0;
	default:
		return 0;
	}
}

struct mallinfo __libc_mallinfo(void);
NS_ALIAS(mallopt) int __libc_mallopt(int param, int value);

static void
all_nodes(struct ns_node_figures *sum)
{
	struct ns_node_figures node[NS_MAX_SLOTS];

	ns_figures_sum(node, ns_figures(node, NS_MAX_SLOTS), sum);
}

ns_export struct mallinfo2
mallinfo2(void)
{
	struct mallinfo2 m = { 0 };
	struct ns_node_figures f;
	int saved = errno;

	all_nodes(&f);
	m.arena = f.used + f.retained;
	m.uordblks = ns_min(f.live, m.arena);
	m.fordblks = m.arena - m.uordblks;
	m.keepcost = f.retained;
	errno = saved;
	return m;
}

static int
to_int(size_t n)
{
	return (int)ns_min(n, INT_MAX);
}

/* The same, as far as an int can count. */
static struct mallinfo
old_mallinfo(void)
{
	struct mallinfo2 m = mallinfo2();
	struct mallinfo old = { 0 };

	old.arena = to_int(m.arena);
	old.uordblks = to_int(m.uordblks);
	old.fordblks = to_int(m.fordblks);
	old.keepcost = to_int(m.keepcost);
	return old;
}

ns_export struct mallinfo
mallinfo(void)
{
	return old_mallinfo();
}

ns_export struct mallinfo
__libc_mallinfo(void)
{
	return old_mallinfo();
}

static void
info_lines(FILE *to, const struct ns_node_figures *f)
{
	fprintf(to,
		"<total type=\"used\" count=\"%lu\" size=\"%lu\"/>\n"
		"<total type=\"retained\" count=\"0\" size=\"%lu\"/>\n"
		"<system type=\"current\" size=\"%lu\"/>\n"
		"<aspace type=\"total\" size=\"%lu\"/>\n",
		f->slabs + f->large_runs, f->live, f->retained,
		f->used + f->retained, f->committed);
}

ns_export int
malloc_info(int options, FILE *to)
{
	struct ns_node_figures node[NS_MAX_SLOTS], sum;
	unsigned i, n;

	if (options != 0)
		return errno = EINVAL;
	n = ns_figures(node, NS_MAX_SLOTS);
	fputs("<malloc version=\"1\">\n", to);
	for (i = 0; i < n; i++) {
		fprintf(to, "<heap nr=\"%u\" node=\"%d\">\n", i, node[i].node);
		info_lines(to, &node[i]);
		fputs("</heap>\n", to);
	}
	ns_figures_sum(node, n, &sum);
	info_lines(to, &sum);
	fputs("</malloc>\n", to);
	return 0;
}

static void
stats_lines(const struct ns_node_figures *f)
{
	fprintf(stderr,
		"system bytes     = %10lu\n"
		"in use bytes     = %10lu\n"
		"retained bytes   = %10lu\n",
		f->used + f->retained, f->live, f->retained);
}

ns_export void
malloc_stats(void)
{
	struct ns_node_figures node[NS_MAX_SLOTS], sum;
	unsigned i, n = ns_figures(node, NS_MAX_SLOTS);
	int saved = errno;

	for (i = 0; i < n; i++) {
		fprintf(stderr, "Node %d:\n", node[i].node);
		stats_lines(&node[i]);
	}
	ns_figures_sum(node, n, &sum);
	fputs("Total:\n", stderr);
	stats_lines(&sum);
	errno = saved;
}
