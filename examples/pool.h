/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * examples/pool.h - a buffer pool: a file of blocks, cached in memory.
 *
 * A block is POOL_BLOCK bytes and begins with a struct pool_head, which the
 * pool keeps; the rest is the program's.  A block that was never written is
 * zero.  How much memory the pool has is the library's matter: as much as the
 * node's limit allows (NUMASLAB_NODE_LIMIT).
 *
 * What the file is.  A process that has it open may be killed at any moment.
 * After pool_open each block is whole, and as some pool_write_done left it:
 *   - not older than when pool_sync last returned true, and
 *   - not older than it was ever seen in the file before.
 * Nothing is promised about the order of two blocks.  Against a crash of the
 * machine the same holds with POOL_DURABLE.
 *
 * How.  A block is written twice: into the journal, and when that is done, in
 * place.  Its place in the journal is not used again before.  So of a block
 * that is torn in place, the journal has the whole.
 */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stdint.h>

#define POOL_BLOCK 8192u

struct pool_head {
	uint64_t sum;     /* of the rest, in the file */
	uint64_t number;  /* the block's own */
	uint64_t version; /* 0: never written */
};

struct pool_stat {
	uint64_t reads, writes; /* blocks, from and to the file */
	uint64_t resident;      /* blocks */
};

#define POOL_DIRECT   0x1 /* past the page cache, where the file can */
#define POOL_DURABLE  0x2 /* each write is on the medium when it is done */
#define POOL_VOLATILE 0x4 /* no journal: blocks may be torn by a kill */

struct pool;

/*
 * pool_open - the file is made if there is none, and mended if its process was
 * killed.  NULL: errno.  One process at a time.
 * pool_close - writes everything; false: errno, and something was not.
 */
struct pool *pool_open(const char *path, uint64_t blocks, int flags);
bool pool_close(struct pool *p);

/*
 * The block for reading, together with others, or for writing, alone; NULL:
 * errno EIO, or ENOMEM.  They sleep for it.  Any thread.  A thread may have
 * several blocks, in an order of its own.
 */
void *pool_read(struct pool *p, uint64_t number);
void pool_read_done(void *block);
void *pool_write(struct pool *p, uint64_t number);
void pool_write_done(void *block); /* a new version */

/* All versions that were done before are in the file; false: errno EIO. */
bool pool_sync(struct pool *p);

void pool_stat(struct pool *p, struct pool_stat *st);

#endif
