/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os/os.h - the operating system, behind one contract.
 *
 * Every call the library makes to the kernel for memory, placement, time
 * and threads is here.  All keep errno, none allocates.  They return 0 (or
 * a count) or -errno.  Addresses and lengths are page multiples.
 */
#ifndef NS_OS_H
#define NS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_MAX_NODES  1024 /* the kernel's MAX_NUMNODES on every distro */
#define NS_MASK_WORDS (NS_MAX_NODES / 64)

/* A set of operating-system node numbers, always of the full width. */
struct ns_nodemask {
	uint64_t word[NS_MASK_WORDS];
};

static inline void
ns_mask_set(struct ns_nodemask *m, unsigned node)
{
	m->word[node / 64] |= 1ul << (node % 64);
}

static inline bool
ns_mask_test(const struct ns_nodemask *m, unsigned node)
{
	return node < NS_MAX_NODES && (m->word[node / 64] >> (node % 64)) & 1;
}

extern size_t ns_page_size;  /* [I] set by ns_os_init */
extern size_t ns_page_shift; /* [I] */

void ns_os_init(void);

/* Address space.  Reserved memory is inaccessible and charged to nobody. */
void *ns_os_reserve(size_t size, size_t align); /* NULL: refused */
void ns_os_release(void *addr, size_t size);    /* undo a reservation */
int ns_os_commit(void *addr, size_t size);      /* readable, writable, zero */
int ns_os_readable(void *addr, size_t size);    /* zero, not charged */
int ns_os_purge(void *addr, size_t size);       /* contents gone, zero again */
int ns_os_renew(void *addr,
		size_t size); /* the same, and as if just committed */
/* The pages at @from, and their placement, go to @to; @from is zero then. */
int ns_os_move(void *from, void *to, size_t size);
int ns_os_thp(void *addr, size_t size, bool huge);

/* RLIMIT_AS in bytes, SIZE_MAX when there is none. */
size_t ns_os_address_limit(void);
size_t ns_os_physical_memory(void); /* bytes installed */

/*
 * Placement.  A refusal with EPERM or ENOSYS (a container's filter) is
 * remembered: later calls return it at once.  ns_os_placement() tells.
 */
int ns_os_bind(void *addr, size_t size, unsigned node); /* prefer @node */
int ns_os_interleave(void *addr, size_t size,
		     const struct ns_nodemask *nodes);     /* page by page */
int ns_os_where(void *const *pages, size_t n, int *nodes); /* move_pages */
int ns_os_allowed_nodes(struct ns_nodemask *mask); /* MPOL_F_MEMS_ALLOWED */
int ns_os_placement(void); /* 0: works or untried; -errno: refused */

/* Where the calling thread runs; either pointer may be NULL. */
int ns_os_getcpu(unsigned *cpu, unsigned *node);

/*
 * The calling thread's rseq cpu_id word, which the kernel keeps current,
 * or NULL when glibc has not registered rseq.
 */
const uint32_t *ns_os_rseq_cpu(void);
extern ptrdiff_t ns_os_rseq_offset; /* [I] of the word; 0: there is none */

/*
 * Restarts the sequences (os/rseq.h) of this process that CPU @cpu is in; a
 * full barrier there.  It works once ns_os_rseq_fences, called in each process,
 * has returned 0.
 */
int ns_os_rseq_fences(void);
void ns_os_rseq_fence(unsigned cpu);

/* May @size bytes at @p be read?  True when the kernel does not tell. */
bool ns_os_can_read(const void *p, size_t size);

uint64_t ns_os_now_ms(void); /* CLOCK_MONOTONIC_COARSE */
uint64_t ns_os_random(void); /* from the kernel, never 0 */
int ns_os_tid(void);
bool ns_os_thread_alive(int tid); /* in this process */
/* Every thread of the process has passed a fence; false: refused. */
bool ns_os_fence_all(void);
void ns_os_sleep_on(uint32_t *word, uint32_t value, uint64_t ms); /* futex */
void ns_os_wake(uint32_t *word);

/*
 * A detached thread with all signals blocked; @stack bytes, or libc's default
 * if that is too little.  Not while a lock is held: it allocates.
 */
int ns_os_thread(void *(*fn)(void *), void *arg, size_t stack);
void ns_os_idle_priority(void); /* the calling thread's; may be refused */

int ns_os_lock_memory(void *addr, size_t size, bool lock); /* mlock(2) */
int ns_os_dump(void *addr, size_t size, bool dump); /* in core dumps, or not */

/*
 * Reads a small file into @buf, always terminated.  Returns the length or
 * -errno.  Raw syscalls, so that it works before libc does.
 */
long ns_os_read_file(const char *path, char *buf, size_t size);

/*
 * Fault injection, for tests: the next calls of the named operation fail
 * with @error, @count times, after @skip successes.
 */
enum ns_os_op {
	NS_OS_RESERVE,
	NS_OS_COMMIT,
	NS_OS_PURGE,
	NS_OS_MOVE,
	NS_OS_BIND,
	NS_OS_ALLOWED,
	NS_OS_OPS
};
void ns_os_inject(enum ns_os_op op, int error, unsigned skip, unsigned count);

#endif
