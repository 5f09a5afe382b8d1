/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/target.c - another process's figures, read from outside.
 *
 * The kernel checks the permission, at each read.  The process runs on
 * meanwhile, so what is read may be in the middle of a change: a walk that
 * fails for that reason is made again, a few times.
 *
 * Which object holds numaslab_root: several may (a program linked with
 * libnumaslab, preloaded with libnumaslab_malloc), of which the dynamic
 * loader uses one.  It is the one whose heap is awake.
 */
#include "tools/tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOT_SYMBOL "numaslab_root"
#define TRIES       5
#define RETRY_US    2000

struct mapping {
	uintptr_t start, end;
	unsigned long offset;
	dev_t dev;
	ino_t inode;
	bool readable;
};

ns_printf(2, 3) static int fail(struct ns_target *t, const char *fmt, ...)
{
	char text[192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t->name[0] != '\0')
		snprintf(t->why, sizeof(t->why), "process %d (%s) %s",
			 (int)t->pid, t->name, text);
	else
		snprintf(t->why, sizeof(t->why), "process %d %s", (int)t->pid,
			 text);
	return -1;
}

static void
proc_path(const struct ns_target *t, const char *file, char path[64])
{
	snprintf(path, 64, "/proc/%d/%s", (int)t->tid, file);
}

/* --- what can go wrong --- */

static int
fail_refused(struct ns_target *t, int error)
{
	struct passwd *pw;
	struct stat st;
	char path[64];

	proc_path(t, "", path);
	if (stat(path, &st) != 0)
		return fail(t, "ended meanwhile");
	if (geteuid() == 0 || st.st_uid == geteuid())
		return fail(
		    t, "may not be read: %s%s", strerror(error),
		    access("/proc/sys/kernel/yama/ptrace_scope", F_OK) == 0
			? " (see kernel.yama.ptrace_scope)"
			: "");
	pw = getpwuid(st.st_uid);
	if (pw != NULL)
		return fail(t, "belongs to another user, %s", pw->pw_name);
	return fail(t, "belongs to another user, %u", st.st_uid);
}

static int
fail_with(struct ns_target *t, int error)
{
	switch (error) {
	case ENOENT:
	case ESRCH:
		return fail(t, "ended meanwhile");
	case EPERM:
	case EACCES:
		return fail_refused(t, error);
	default:
		return fail(t, "could not be read: %s", strerror(error));
	}
}

/* As /proc has it: 'Z' is a zombie; 0: it is not there any more. */
static char
state_of(const struct ns_target *t)
{
	char path[64], text[512], *end;

	proc_path(t, "stat", path);
	if (ns_os_read_file(path, text, sizeof(text)) <= 0)
		return 0;
	end = strrchr(text, ')');
	return end != NULL ? end[2] : '?';
}

/* It has no memory: a zombie, or the kernel's own. */
static int
fail_empty(struct ns_target *t)
{
	switch (state_of(t)) {
	case 0:
		return fail(t, "ended meanwhile");
	case 'Z':
	case 'X':
		return fail(t, "has ended");
	default:
		return fail(t, "is a thread of the kernel");
	}
}

/* --- reading --- */

int
ns_target_read(void *ctx, void *dst, const void *src, size_t n)
{
	const struct ns_target *t = ctx;
	struct iovec to = { dst, n };
	struct iovec from = { (void *)(uintptr_t)src, n };
	ssize_t got = process_vm_readv(t->tid, &to, 1, &from, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == n ? 0 : -EFAULT;
}

static FILE *
open_maps(struct ns_target *t)
{
	char path[64];

	proc_path(t, "maps", path);
	return fopen(path, "re");
}

static bool
next_mapping(FILE *f, struct mapping *m)
{
	char line[8192], mode[8];
	unsigned major, minor;
	unsigned long inode;

	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu", &m->start,
			   &m->end, mode, &m->offset, &major, &minor,
			   &inode) != 7)
			continue; /* the end of an overlong path */
		m->dev = makedev(major, minor);
		m->inode = inode;
		m->readable = mode[0] == 'r';
		return true;
	}
	return false;
}

/* --- where numaslab_root is --- */

enum verdict { ABSENT, OTHER_VERSION, ASLEEP, AWAKE };

static enum verdict
examine(struct ns_target *t, uintptr_t at, struct ns_root *root)
{
	size_t total;

	if (at == 0 ||
	    ns_target_read(t, root, (const void *)at, sizeof(*root)) != 0 ||
	    memcmp(root->magic, "numaslab", sizeof(root->magic)) != 0)
		return ABSENT;
	if (root->version != NS_ROOT_VERSION ||
	    root->root_size != sizeof(*root))
		return OTHER_VERSION;
	if (ns_target_read(t, &total, root->total, sizeof(total)) != 0)
		return ABSENT;
	return total != 0 ? AWAKE : ASLEEP;
}

static void
consider(struct ns_target *t, uintptr_t at, enum verdict *best)
{
	struct ns_root root;
	enum verdict v = examine(t, at, &root);

	if (v <= *best)
		return;
	*best = v;
	t->address = (const struct ns_root *)at;
	t->root = root;
}

/*
 * The device that maps names is not always the one that stat(2) tells
 * (btrfs, overlayfs), the inode is.
 */
static void
consider_executable(struct ns_target *t, FILE *maps, enum verdict *best)
{
	struct mapping m;
	struct stat st;
	char path[64];
	int fd;

	proc_path(t, "exe", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		while (*best != AWAKE && next_mapping(maps, &m))
			if (m.inode == st.st_ino && m.offset == 0)
				consider(t,
					 ns_elf_find_static(t, m.start, fd,
							    ROOT_SYMBOL),
					 best);
	close(fd);
}

static unsigned
find_root(struct ns_target *t, FILE *maps, enum verdict *best)
{
	struct mapping m;
	unsigned n = 0;

	for (; next_mapping(maps, &m); n++)
		if (*best != AWAKE && m.inode != 0 && m.offset == 0 &&
		    m.readable)
			consider(t, ns_elf_find(t, m.start, ROOT_SYMBOL), best);
	if (n > 0 && *best != AWAKE) {
		rewind(maps);
		consider_executable(t, maps, best);
	}
	return n;
}

static bool
read_name(struct ns_target *t)
{
	char path[64];

	proc_path(t, "comm", path);
	if (ns_os_read_file(path, t->name, sizeof(t->name)) <= 0)
		return false;
	t->name[strcspn(t->name, "\n")] = '\0';
	return true;
}

/* A process whose first thread has ended has its memory by the others. */
static bool
ask_another_thread(struct ns_target *t)
{
	char path[64], state;
	struct dirent *e;
	pid_t tid = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)t->pid);
	tasks = opendir(path);
	while (tid == 0 && tasks != NULL && (e = readdir(tasks)) != NULL) {
		t->tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (t->tid <= 0 || t->tid == t->pid)
			continue;
		state = state_of(t);
		if (state != 0 && state != 'Z' && state != 'X')
			tid = t->tid;
	}
	if (tasks != NULL)
		closedir(tasks);
	t->tid = tid != 0 ? tid : t->pid;
	return tid != 0;
}

static int
fail_unknown(struct ns_target *t)
{
	if (access("/proc/self/stat", F_OK) != 0)
		return fail(t, "cannot be looked at: /proc is not there");
	return fail(t, "does not exist");
}

int
ns_target_open(struct ns_target *t, pid_t pid)
{
	enum verdict best = ABSENT;
	unsigned mappings;
	char probe;
	FILE *maps;
	int error;

	*t = (struct ns_target){ .pid = pid, .tid = pid };
	if (!read_name(t))
		return fail_unknown(t);
	do {
		maps = open_maps(t);
		if (maps == NULL)
			return fail_with(t, errno);
		mappings = find_root(t, maps, &best);
		error = ferror(maps) ? errno : 0;
		fclose(maps);
	} while (mappings == 0 && t->tid == pid && ask_another_thread(t));
	if (best == OTHER_VERSION)
		return fail(t, "runs on another version of numaslab");
	if (best != ABSENT)
		return 0;
	if (error != 0)
		return fail_with(t, error);
	if (mappings == 0)
		return fail_empty(t);
	/* Could nothing be found, or nothing be read?  No page at 0. */
	error = -ns_target_read(t, &probe, NULL, 1);
	if (error != EFAULT)
		return fail_with(t, error);
	return fail(t, "does not run on numaslab");
}

/* --- the figures --- */

static int
collect(struct ns_target *t, struct ns_snapshot *s)
{
	int n = -EFAULT;

	for (unsigned i = 0; i < TRIES; i++) {
		n = ns_figures_collect(ns_target_read, t, &t->root, s->node,
				       NS_MAX_SLOTS);
		if (n != -EFAULT && n != -EPROTO)
			break;
		usleep(RETRY_US);
	}
	if (n < 0)
		return fail_with(t, -n);
	s->nodes = (unsigned)n;
	return 0;
}

static void
add_up(struct ns_snapshot *s)
{
	struct ns_node_figures *sum = &s->total;

	*sum = (struct ns_node_figures){ .node = -1 };
	for (unsigned i = 0; i < s->nodes; i++) {
		const struct ns_node_figures *f = &s->node[i];

		sum->live += f->live;
		sum->used += f->used;
		sum->retained += f->retained;
		sum->committed += f->committed;
		sum->spilled += f->spilled;
		sum->purged += f->purged;
		sum->reclaimable += f->reclaimable;
		sum->local_frees += f->local_frees;
		sum->remote_frees += f->remote_frees;
	}
}

/* Ours are those of the spans, and of their descriptors. */
static int
count_mappings(struct ns_target *t, struct ns_snapshot *s)
{
	uintptr_t base = 0, units = 0;
	struct mapping m;
	size_t total = 0, described;
	FILE *maps;

	s->mappings = s->ours = 0;
	if (ns_target_read(t, &base, t->root.base, sizeof(base)) != 0 ||
	    ns_target_read(t, &units, t->root.units, sizeof(units)) != 0 ||
	    ns_target_read(t, &total, t->root.total, sizeof(total)) != 0)
		return fail(t, "ended meanwhile");
	described = (total >> NS_UNIT_SHIFT) * sizeof(struct ns_unit);
	maps = open_maps(t);
	if (maps == NULL)
		return fail_with(t, errno);
	while (next_mapping(maps, &m)) {
		s->mappings++;
		if ((m.start < base + total && m.end > base) ||
		    (m.start < units + described && m.end > units))
			s->ours++;
	}
	fclose(maps);
	return s->mappings > 0 ? 0 : fail(t, "ended meanwhile");
}

int
ns_target_snapshot(struct ns_target *t, struct ns_snapshot *s)
{
	if (collect(t, s) != 0)
		return -1;
	add_up(s);
	return count_mappings(t, s);
}
