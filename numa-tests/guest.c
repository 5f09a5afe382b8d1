/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYSFS "/sys/devices/system/node/"
#define BATCH 1024

struct machine machine;
static bool memory_at[MAX_NODES];
static cpu_set_t cpus_of[MAX_NODES];

void
die(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(2, line, (size_t)n) < 0)
		_exit(2);
	_exit(1);
}

static unsigned long checks, failures;

bool
check_at(const char *file, int line, const char *what, bool ok, const char *fmt,
	 ...)
{
	va_list ap;

	__atomic_add_fetch(&checks, 1, __ATOMIC_RELAXED);
	if (ok || __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED) > 10)
		return ok;
	printf("not ok: %s:%d: %s: ",
	       strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return ok;
}

int
done(const char *name)
{
	if (checks == 0)
		printf("not ok: %s checked nothing\n", name);
	printf("%s %s: %lu checks, %lu failed\n", failures ? "not ok" : "ok",
	       name, checks, failures);
	return failures != 0 || checks == 0;
}

static void
read_small(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		die("cannot read %s: %s", path, strerror(errno));
	buf[n] = '\0';
	close(fd);
}

/* "0-2,5": calls @each for 0, 1, 2 and 5. */
static void
each_of(const char *list, void (*each)(int id, void *ctx), void *ctx)
{
	char *end;
	long first, last;

	while (isdigit((unsigned char)*list)) {
		first = last = strtol(list, &end, 10);
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		for (; first <= last; first++)
			each((int)first, ctx);
		list = *end == ',' ? end + 1 : end;
	}
}

static void
add_node(int id, void *ctx)
{
	(void)ctx;
	if (id >= MAX_NODES)
		die("node %d is above the test's maximum", id);
	machine.node[machine.nnodes++] = id;
}

static void
add_memory(int id, void *ctx)
{
	(void)ctx;
	memory_at[id] = true;
}

static void
add_allowed(int id, void *ctx)
{
	(void)ctx;
	if (id < MAX_NODES && memory_at[id])
		machine.mem_node[machine.nmem_nodes++] = id;
}

static void
add_cpu(int id, void *ctx)
{
	CPU_SET(id, (cpu_set_t *)ctx);
}

/* One row of the distance table: a column for each node that is online. */
static void
read_distances(int node)
{
	char path[80], buf[8 * MAX_NODES], *s = buf;
	int i;

	snprintf(path, sizeof(path), SYSFS "node%d/distance", node);
	read_small(path, buf, sizeof(buf));
	for (i = 0; i < machine.nnodes; i++)
		machine.distance[node][machine.node[i]] =
		    (int)strtol(s, &s, 10);
}

void
machine_read(void)
{
	char buf[8192], path[80], *list;
	int i, node;

	read_small(SYSFS "online", buf, sizeof(buf));
	each_of(buf, add_node, NULL);
	read_small(SYSFS "has_memory", buf, sizeof(buf));
	each_of(buf, add_memory, NULL);
	read_small("/proc/self/status", buf, sizeof(buf));
	list = strstr(buf, "Mems_allowed_list:");
	if (list == NULL)
		die("/proc/self/status has no Mems_allowed_list");
	each_of(list + strcspn(list, "0123456789"), add_allowed, NULL);
	for (i = 0; i < machine.nnodes; i++) {
		node = machine.node[i];
		snprintf(path, sizeof(path), SYSFS "node%d/cpulist", node);
		read_small(path, buf, sizeof(buf));
		each_of(buf, add_cpu, &cpus_of[node]);
		if (CPU_COUNT(&cpus_of[node]) != 0)
			machine.cpu_node[machine.ncpu_nodes++] = node;
		read_distances(node);
	}
}

bool
has_memory(int node)
{
	return memory_at[node];
}

bool
has_cpus(int node)
{
	return CPU_COUNT(&cpus_of[node]) != 0;
}

int
by_distance(int node, int *order)
{
	int i, j, n, id;

	for (n = 0; n < machine.nmem_nodes; n++) {
		id = machine.mem_node[n];
		for (i = 0; i < n; i++)
			if (machine.distance[node][id] <
			    machine.distance[node][order[i]])
				break;
		for (j = n; j > i; j--)
			order[j] = order[j - 1];
		order[i] = id;
	}
	return n;
}

int
nearest_memory(int node)
{
	int order[MAX_NODES];

	by_distance(node, order);
	return order[0];
}

void
run_on_node(int node)
{
	unsigned at;

	if (sched_setaffinity(0, sizeof(cpu_set_t), &cpus_of[node]) != 0)
		die("cannot run on node %d: %s", node, strerror(errno));
	if (syscall(SYS_getcpu, NULL, &at, NULL) != 0 || (int)at != node)
		die("asked to run on node %d, but run on %u", node, at);
}

void *
map_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for the test's own tables");
	return p;
}

void
where(void **pages, size_t n, int *status)
{
	size_t done, part;

	for (done = 0; done < n; done += part) {
		part = n - done < BATCH ? n - done : BATCH;
		if (syscall(SYS_move_pages, getpid(), part, pages + done, NULL,
			    status + done, 0) != 0)
			die("move_pages: %s", strerror(errno));
	}
}

int
where_is(const void *p)
{
	void *page = (void *)(uintptr_t)p;
	int status;

	where(&page, 1, &status);
	return status;
}

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	job_fn fn; /* the job in hand; NULL: none */
	void *arg;
	bool stop;
};

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->fn == NULL && !w->stop)
			pthread_cond_wait(&w->change, &w->lock);
		if (w->fn == NULL)
			break;
		pthread_mutex_unlock(&w->lock);
		w->fn(w->arg);
		pthread_mutex_lock(&w->lock);
		w->fn = NULL;
		pthread_cond_broadcast(&w->change);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* It starts on its node: no allocator sees it anywhere else before. */
struct worker *
worker_start(int node)
{
	struct worker *w = map_pages(sizeof(*w));
	pthread_attr_t attr;
	int error;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->change, NULL);
	pthread_attr_init(&attr);
	error = pthread_attr_setaffinity_np(&attr, sizeof(cpu_set_t),
					    &cpus_of[node]);
	if (error == 0)
		error = pthread_create(&w->thread, &attr, worker_main, w);
	if (error != 0)
		die("no thread on node %d: %s", node, strerror(error));
	pthread_attr_destroy(&attr);
	return w;
}

void
worker_begin(struct worker *w, job_fn fn, void *arg)
{
	worker_wait(w);
	pthread_mutex_lock(&w->lock);
	w->arg = arg;
	w->fn = fn;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
}

void
worker_wait(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->fn != NULL)
		pthread_cond_wait(&w->change, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void
worker_do(struct worker *w, job_fn fn, void *arg)
{
	worker_begin(w, fn, arg);
	worker_wait(w);
}

void
worker_stop(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	munmap(w, sizeof(*w));
}
