/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The example's promise: however often its process is killed, each block of the
 * file is whole, no older than when pool_sync last returned and no newer than
 * what was written.  The pool has far less memory than the file has blocks, so
 * that blocks are written all the time.
 */
#include "examples/io.h"
#include "examples/pool.h"
#include "tests/test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#define BLOCKS  1200u
#define THREADS 3
#define ROUNDS  25
#define WORDS   (POOL_BLOCK / 8)
#define LIMIT   "6M" /* of memory: some 500 blocks */

/* Shared with the parent. */
static struct {
	uint64_t begun[BLOCKS];  /* versions that may be in the file */
	uint64_t synced[BLOCKS]; /* that are, at least */
	uint64_t syncs, torn;
} * book;

static char path[256];
static struct pool *pool;

/*
 * Between io.c and pool.c: of the last block of one write only the first half
 * gets into the file, and the process is gone.  With a kill alone that happens
 * once in a few hundred times.
 */
bool __real_io_run(struct io *io, bool write, const struct io_part *part,
		   unsigned n);
bool __wrap_io_run(struct io *io, bool write, const struct io_part *part,
		   unsigned n);

static uint32_t tear_in; /* [a] writes; 0: none */

bool
__wrap_io_run(struct io *io, bool write, const struct io_part *part, unsigned n)
{
	struct io_part half;

	if (!write || __atomic_load_n(&tear_in, __ATOMIC_RELAXED) == 0 ||
	    __atomic_sub_fetch(&tear_in, 1, __ATOMIC_RELAXED) != 0)
		return __real_io_run(io, write, part, n);
	half = part[n - 1];
	half.size /= 2;
	if (n > 1)
		__real_io_run(io, true, part, n - 1);
	__real_io_run(io, true, &half, 1);
	book->torn++;
	kill(getpid(), SIGKILL);
	return false;
}

/* A kernel without io_uring. */
static void
deny_rings(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

static uint64_t
word(uint64_t number, uint64_t version, unsigned i)
{
	return (number << 40 ^ version << 12 ^ i) * 0x9e3779b97f4a7c15u;
}

/* All of a block follows from its number and version. */
static void
check(const uint64_t *w, uint64_t number)
{
	const struct pool_head *head = (const void *)w;

	CHECK_EQ(head->number, number);
	for (unsigned i = sizeof(*head) / 8; i < WORDS; i++) {
		uint64_t want =
		    head->version == 0 ? 0 : word(number, head->version, i);

		if (w[i] != want) {
			CHECK_MSG(w[i] == want,
				  "block %lu of version %lu: word %u",
				  (unsigned long)number,
				  (unsigned long)head->version, i);
			return;
		}
	}
}

static void
change(uint64_t number)
{
	uint64_t *w = pool_write(pool, number), version;
	const struct pool_head *head = (void *)w;

	if (w == NULL) {
		perror("pool_write");
		abort();
	}
	check(w, number);
	version = head->version + 1;
	__atomic_store_n(&book->begun[number], version, __ATOMIC_RELEASE);
	for (unsigned i = sizeof(*head) / 8; i < WORDS; i++)
		w[i] = word(number, version, i);
	pool_write_done(w);
}

static void *
work(void *arg)
{
	uint64_t rnd = (uintptr_t)arg, number;

	for (;;) {
		rnd = rnd * 6364136223846793005u + 1442695040888963407u;
		number = (rnd >> 33) % BLOCKS;
		if ((rnd >> 20) % 4 != 0) {
			change(number);
		} else {
			void *block = pool_read(pool, number);

			if (block == NULL)
				abort();
			check(block, number);
			pool_read_done(block);
		}
	}
	return NULL;
}

static void
sync_once(void)
{
	static uint64_t seen[BLOCKS];

	/* What is done now, not only begun: so one version less. */
	for (unsigned i = 0; i < BLOCKS; i++) {
		seen[i] = __atomic_load_n(&book->begun[i], __ATOMIC_ACQUIRE);
		seen[i] -= seen[i] > 0;
	}
	if (!pool_sync(pool))
		abort();
	for (unsigned i = 0; i < BLOCKS; i++)
		if (seen[i] > book->synced[i])
			book->synced[i] = seen[i];
	book->syncs++;
}

static _Noreturn void
child(unsigned seed)
{
	pthread_t thread;

	if (seed % 3 == 0)
		deny_rings();
	tear_in = seed % 4 != 0 ? 1 + seed * 13 % 40 : 0;
	pool = pool_open(path, BLOCKS, seed % 2 != 0 ? POOL_DIRECT : 0);
	if (pool == NULL) {
		perror("pool_open");
		abort();
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, work,
			       (void *)(seed * THREADS + i + 1));
	for (;;)
		sync_once();
}

/* A new process, since a limit is read when one starts. */
static void
check_file(void)
{
	pool = pool_open(path, BLOCKS, 0);
	REQUIRE(pool != NULL);
	for (uint64_t i = 0; i < BLOCKS; i++) {
		const uint64_t *w = pool_read(pool, i);
		const struct pool_head *head = (const void *)w;

		REQUIRE(w != NULL);
		check(w, i);
		CHECK_MSG(head->version >= book->synced[i] &&
			      head->version <= book->begun[i],
			  "block %lu: version %lu is not in %lu to %lu",
			  (unsigned long)i, (unsigned long)head->version,
			  (unsigned long)book->synced[i],
			  (unsigned long)book->begun[i]);
		/* It must not go back from here. */
		book->synced[i] = book->begun[i] = head->version;
		pool_read_done((void *)w);
	}
	CHECK_EQ(pool_close(pool), true);
}

static void
kill_after(unsigned ms, unsigned seed)
{
	struct timespec t = { 0, (long)ms * 1000000 };
	int status;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0)
		child(seed);
	nanosleep(&t, NULL);
	kill(pid, SIGKILL);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
check_in_child(void *arg)
{
	(void)arg;
	check_file();
}

int
main(int argc, char **argv)
{
	struct test_output out;

	(void)argc;
	if (getenv("NUMASLAB_NODE_LIMIT") == NULL) {
		setenv("NUMASLAB_NODE_LIMIT", LIMIT, 1);
		execv("/proc/self/exe", argv);
	}
	book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(book != MAP_FAILED);
	snprintf(path, sizeof(path), "pool-test-%d", (int)getpid());
	for (unsigned i = 0; i < ROUNDS; i++) {
		kill_after(20 + i * 37 % 400, i + 1);
		if (run_child(check_in_child, NULL, &out) != 0)
			test_fail(__FILE__, __LINE__, "round %u: %s", i,
				  out.text);
	}
	CHECK(book->syncs > 0 && book->torn > ROUNDS / 4);
	unlink(path);
	strcat(path, ".journal");
	unlink(path);
	return test_done();
}
