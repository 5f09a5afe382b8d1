/* SPDX-License-Identifier: BSD-2-Clause */
/* examples/io.h - blocks of a file, read and written: io_uring, or pread. */
#ifndef IO_H
#define IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io;

struct io_part {
	void *addr;
	size_t size;
	uint64_t at; /* bytes, in the file */
};

struct io *io_open(int fd); /* the caller's; NULL: no memory */
void io_close(struct io *io);

/* All parts, or false with errno.  Any thread; waits until all are done. */
bool io_run(struct io *io, bool write, const struct io_part *part, unsigned n);

#endif
