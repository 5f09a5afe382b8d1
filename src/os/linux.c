/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os/linux.c - the contract of os.h, on Linux.
 *
 * libc's wrappers are used where they are thin; policy calls, which libc
 * does not wrap, go through syscall(2) with masks of full width: the kernel
 * reads maxnode - 1 bits, so one more than the width is passed and the top
 * node is never lost.
 */
#include "os/os.h"

#include "base/atomic.h"
#include "base/base.h"
#include "os/rseq.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <numaif.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FENCE          MEMBARRIER_CMD_PRIVATE_EXPEDITED
#define REGISTER_FENCE MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED

#define MASK_BITS (NS_MAX_NODES + 1ul)

size_t ns_page_size = 4096;
size_t ns_page_shift = 12;
ptrdiff_t ns_os_rseq_offset;

static int refused; /* [a] 0, or the -errno with which policy was refused */

/* [a] fault injection: successes left, then failures left */
static struct {
	unsigned skip, count;
	int error;
} inject[NS_OS_OPS];

void
ns_os_inject(enum ns_os_op op, int error, unsigned skip, unsigned count)
{
	ns_store_relaxed(&inject[op].error, error);
	ns_store_relaxed(&inject[op].skip, skip);
	ns_store_relaxed(&inject[op].count, count);
}

static int
injected(enum ns_os_op op)
{
	if (ns_likely(ns_load_relaxed(&inject[op].count) == 0))
		return 0;
	if (ns_load_relaxed(&inject[op].skip) > 0) {
		ns_sub_relaxed(&inject[op].skip, 1u);
		return 0;
	}
	ns_sub_relaxed(&inject[op].count, 1u);
	return -ns_load_relaxed(&inject[op].error);
}

/*
 * Weak: a libc without rseq leaves them undefined.  __rseq_size is 0 when
 * glibc was told not to register, or somebody else had.
 */
extern const unsigned int __rseq_size __attribute__((weak));
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static void
find_rseq(void)
{
	if (&__rseq_size != NULL && &__rseq_offset != NULL && __rseq_size != 0)
		ns_os_rseq_offset =
		    __rseq_offset + (ptrdiff_t)offsetof(struct rseq, cpu_id);
}

void
ns_os_init(void)
{
	unsigned long size = getauxval(AT_PAGESZ);

	find_rseq();
	if (size != 0) {
		ns_page_size = size;
		ns_page_shift = ns_log2_floor(size);
	}
}

/* The result of a call that sets errno, as 0 or -errno; errno is kept. */
static int
result(long rc, int saved)
{
	int error = rc < 0 ? -errno : 0;

	errno = saved;
	return error;
}

void *
ns_os_reserve(size_t size, size_t align)
{
	int saved = errno;
	char *p, *q;

	if (injected(NS_OS_RESERVE) != 0 || size + align < size)
		return NULL;
	p = mmap(NULL, size + align, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	errno = saved;
	if (p == MAP_FAILED)
		return NULL;
	q = (char *)ns_round_up((uintptr_t)p, align);
	if (q > p)
		ns_os_release(p, (size_t)(q - p));
	ns_os_release(q + size, align - (size_t)(q - p));
	return q;
}

void
ns_os_release(void *addr, size_t size)
{
	int saved = errno;

	if (size > 0)
		munmap(addr, size);
	errno = saved;
}

int
ns_os_commit(void *addr, size_t size)
{
	int saved = errno, error = injected(NS_OS_COMMIT);

	if (error != 0)
		return error;
	return result(mprotect(addr, size, PROT_READ | PROT_WRITE), saved);
}

int
ns_os_readable(void *addr, size_t size)
{
	int saved = errno;

	return result(mprotect(addr, size, PROT_READ), saved);
}

int
ns_os_purge(void *addr, size_t size)
{
	int saved = errno, error = injected(NS_OS_PURGE);

	if (error != 0)
		return error;
	return result(madvise(addr, size, MADV_DONTNEED), saved);
}

int
ns_os_renew(void *addr, size_t size)
{
	int saved = errno, error = injected(NS_OS_PURGE);
	void *p;

	if (error != 0)
		return error;
	p = mmap(addr, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0);
	return result(p == MAP_FAILED ? -1 : 0, saved);
}

/* MREMAP_DONTUNMAP: what lies at @from is never anybody else's to map. */
int
ns_os_move(void *from, void *to, size_t size)
{
	int saved = errno, error = injected(NS_OS_MOVE);
	void *p;

	if (error != 0)
		return error;
	/*
	 * Fails where memory is locked, which a move would undo for all of the
	 * mapping.
	 */
	if (madvise(from, ns_page_size, MADV_COLD) != 0)
		return result(-1, saved);
	/* Elsewhere first: that fails before anything was unmapped. */
	p = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (p != MAP_FAILED &&
	    mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		ns_fatal("mremap to %p failed", to);
	return result(p == MAP_FAILED ? -1 : 0, saved);
}

int
ns_os_thp(void *addr, size_t size, bool huge)
{
	int saved = errno;

	return result(
	    madvise(addr, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), saved);
}

size_t
ns_os_address_limit(void)
{
	struct rlimit rl;
	int saved = errno;

	if (result(getrlimit(RLIMIT_AS, &rl), saved) != 0 ||
	    rl.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return rl.rlim_cur;
}

size_t
ns_os_physical_memory(void)
{
	struct sysinfo si;
	int saved = errno;

	if (result(sysinfo(&si), saved) != 0)
		return 1ul << 30;
	return si.totalram * (size_t)si.mem_unit;
}

static int
policy_result(long rc, int saved)
{
	int error = result(rc, saved);

	if (error == -EPERM || error == -ENOSYS)
		ns_store_relaxed(&refused, error);
	return error;
}

int
ns_os_placement(void)
{
	return ns_load_relaxed(&refused);
}

static int
place(void *addr, size_t size, int mode, const struct ns_nodemask *nodes)
{
	int saved = errno, error = injected(NS_OS_BIND);

	if (error == 0)
		error = ns_load_relaxed(&refused);
	if (error != 0)
		return error;
	return policy_result(
	    syscall(SYS_mbind, addr, size, mode, nodes->word, MASK_BITS, 0),
	    saved);
}

int
ns_os_bind(void *addr, size_t size, unsigned node)
{
	struct ns_nodemask mask = { { 0 } };

	ns_mask_set(&mask, node);
	return place(addr, size, MPOL_PREFERRED, &mask);
}

int
ns_os_interleave(void *addr, size_t size, const struct ns_nodemask *nodes)
{
	return place(addr, size, MPOL_INTERLEAVE, nodes);
}

int
ns_os_where(void *const *pages, size_t n, int *nodes)
{
	int saved = errno;

	return policy_result(
	    syscall(SYS_move_pages, 0, n, pages, NULL, nodes, 0), saved);
}

int
ns_os_allowed_nodes(struct ns_nodemask *mask)
{
	int saved = errno, error = injected(NS_OS_ALLOWED);

	if (error != 0)
		return error;
	*mask = (struct ns_nodemask){ { 0 } };
	return policy_result(syscall(SYS_get_mempolicy, NULL, mask->word,
				     MASK_BITS - 1, NULL, MPOL_F_MEMS_ALLOWED),
			     saved);
}

int
ns_os_getcpu(unsigned *cpu, unsigned *node)
{
	int saved = errno;

	return result(getcpu(cpu, node), saved); /* through the vDSO */
}

const uint32_t *
ns_os_rseq_cpu(void)
{
	const uint32_t *word = ns_rseq_area();

	return word != NULL && (int32_t)*word >= 0 ? word : NULL;
}

int
ns_os_rseq_fences(void)
{
	int saved = errno;

	return result(
	    (int)syscall(SYS_membarrier,
			 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0),
	    saved);
}

void
ns_os_rseq_fence(unsigned cpu)
{
	int saved = errno;

	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
		MEMBARRIER_CMD_FLAG_CPU, cpu);
	errno = saved;
}

uint64_t
ns_os_now_ms(void)
{
	struct timespec ts;
	int saved = errno;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	errno = saved;
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* AT_RANDOM is fresh for each exec and needs no syscall. */
uint64_t
ns_os_random(void)
{
	const uint64_t *seed = (const uint64_t *)getauxval(AT_RANDOM);
	uint64_t r = 0x9e3779b97f4a7c15ul ^ (uintptr_t)&r;
	int saved = errno;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0 && seed != NULL)
		r ^= seed[1];
	errno = saved;
	return r != 0 ? r : 1;
}

int
ns_os_tid(void)
{
	return (int)syscall(SYS_gettid);
}

bool
ns_os_thread_alive(int tid)
{
	int saved = errno;

	return result(syscall(SYS_tgkill, getpid(), tid, 0), saved) != -ESRCH;
}

bool
ns_os_fence_all(void)
{
	int saved = errno;
	long r;

	r = result(syscall(SYS_membarrier, FENCE, 0, 0), saved);
	if (r == -EPERM) {
		syscall(SYS_membarrier, REGISTER_FENCE, 0, 0);
		r = result(syscall(SYS_membarrier, FENCE, 0, 0), saved);
	}
	return r == 0;
}

void
ns_os_sleep_on(uint32_t *word, uint32_t value, uint64_t ms)
{
	struct timespec ts = { (time_t)(ms / 1000),
			       (long)(ms % 1000) * 1000000 };
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		ms == UINT64_MAX ? NULL : &ts, NULL, 0);
	errno = saved;
}

void
ns_os_wake(uint32_t *word)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	errno = saved;
}

int
ns_os_thread(void *(*fn)(void *), void *arg, size_t stack)
{
	int error, saved = errno;
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;

	sigfillset(&all);
	error = pthread_attr_init(&attr);
	if (error != 0)
		return -error;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, stack);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, &attr, fn, arg);
	if (error == EINVAL) { /* much static TLS */
		error = pthread_create(&thread, NULL, fn, arg);
		if (error == 0)
			pthread_detach(thread);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	errno = saved;
	return -error;
}

void
ns_os_idle_priority(void)
{
	struct sched_param none = { .sched_priority = 0 };
	int saved = errno;

	syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &none);
	errno = saved;
}

int
ns_os_lock_memory(void *addr, size_t size, bool lock)
{
	int saved = errno;

	return result(lock ? mlock(addr, size) : munlock(addr, size), saved);
}

int
ns_os_dump(void *addr, size_t size, bool dump)
{
	int saved = errno;

	return result(madvise(addr, size, dump ? MADV_DODUMP : MADV_DONTDUMP),
		      saved);
}

bool
ns_os_can_read(const void *p, size_t size)
{
	struct iovec from = { (void *)(uintptr_t)p, size };
	char buf[64];
	struct iovec to = { buf, ns_min(size, sizeof(buf)) };
	int saved = errno;
	bool ok;

	from.iov_len = to.iov_len;
	ok = process_vm_readv(getpid(), &to, 1, &from, 1, 0) >= 0 ||
	     errno != EFAULT;
	errno = saved;
	return ok;
}

long
ns_os_read_file(const char *path, char *buf, size_t size)
{
	int saved = errno;
	size_t len = 0;
	long n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		n = -errno;
		errno = saved;
		return n;
	}
	do {
		n = read(fd, buf + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < size - 1) || (n < 0 && errno == EINTR));
	if (n < 0)
		n = -errno;
	else
		n = (long)len;
	buf[len] = '\0';
	close(fd);
	errno = saved;
	return n;
}
