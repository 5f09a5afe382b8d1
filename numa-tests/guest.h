/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - what the programs that run in a guest share: which nodes there
 * are, how to run on one, and where a page is.
 *
 * None of it calls malloc, which is what is being measured.  The topology
 * comes from sysfs, read by this code's own means: the library under test
 * is never asked about itself.  Failures end the program with one line.
 */
#ifndef NUMA_TESTS_GUEST_H
#define NUMA_TESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_NODES 128

/*
 * A check: a line on failure, counted.  done() ends main: 0 if all held and
 * there were any, else 1.
 */
#define check(cond, ...) \
	check_at(__FILE__, __LINE__, #cond, (cond), __VA_ARGS__)
bool check_at(const char *file, int line, const char *what, bool ok,
	      const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int done(const char *name);

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct machine {
	int nnodes;          /* entries in node[] */
	int node[MAX_NODES]; /* online nodes, ascending */
	int ncpu_nodes;
	int cpu_node[MAX_NODES]; /* those with CPUs */
	int nmem_nodes;
	int mem_node[MAX_NODES]; /* those with memory that we may use */
	int distance[MAX_NODES][MAX_NODES]; /* by node number */
};

extern struct machine machine;

/* What sysfs says of the nodes, and /proc/self/status of the cpuset. */
void machine_read(void);
bool has_memory(int node);
bool has_cpus(int node);

/* The node with memory nearest to @node: itself if it has some. */
int nearest_memory(int node);

/* Nodes with memory by distance from @node; returns how many. */
int by_distance(int node, int *order);

/* Restrict the calling thread to @node's CPUs, and check that it is there. */
void run_on_node(int node);

/* Memory that the allocator under test never sees. */
void *map_pages(size_t size);

/*
 * where - the node of each page, or -errno (-ENOENT: never touched).
 * The process is named by its number, not by 0: guest-refuse lets it pass.
 */
void where(void **pages, size_t n, int *status);
int where_is(const void *p);

/* xorshift64*: fast, and the same on every run. */
static inline uint64_t
rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dul;
}

/* A thread that runs one job at a time on one node. */
struct worker;
typedef void (*job_fn)(void *arg);

struct worker *worker_start(int node);
void worker_begin(struct worker *w, job_fn fn, void *arg);
void worker_wait(struct worker *w);
void worker_do(struct worker *w, job_fn fn, void *arg);
void worker_stop(struct worker *w);

#endif
