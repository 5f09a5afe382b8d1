/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * examples/io.c - several blocks at once by io_uring, if there is one.
 *
 * A single block is read by pread(2) in any case: there is nothing that a ring
 * could do besides.  Each of a few rings serves one thread at a time; who finds
 * them all taken, or whose kernel has none, reads and writes one block after
 * the other.
 */
#include "examples/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#define RINGS 4
#define DEPTH 64 /* parts in flight */

struct io {
	int fd;
#ifdef HAVE_LIBURING
	struct {
		pthread_mutex_t lock;
		struct io_uring uring;
	} ring[RINGS];
	int nrings;
#endif
};

struct io *
io_open(int fd)
{
	struct io *io = calloc(1, sizeof(*io));

	if (io == NULL)
		return NULL;
	io->fd = fd;
#ifdef HAVE_LIBURING
	for (; io->nrings < RINGS; io->nrings++) {
		if (io_uring_queue_init(DEPTH, &io->ring[io->nrings].uring,
					0) != 0)
			break;
		pthread_mutex_init(&io->ring[io->nrings].lock, NULL);
	}
#endif
	return io;
}

void
io_close(struct io *io)
{
#ifdef HAVE_LIBURING
	while (io->nrings > 0)
		io_uring_queue_exit(&io->ring[--io->nrings].uring);
#endif
	free(io);
}

static bool
one(int fd, bool write, const struct io_part *part)
{
	size_t done = 0;
	ssize_t n;

	while (done < part->size) {
		char *addr = (char *)part->addr + done;
		off_t at = (off_t)(part->at + done);

		n = write ? pwrite(fd, addr, part->size - done, at)
			  : pread(fd, addr, part->size - done, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EIO; /* beyond the file's end */
			return false;
		}
		done += (size_t)n;
	}
	return true;
}

#ifdef HAVE_LIBURING
/* Waits for one; what came short or failed is done again the plain way. */
static bool
reap(struct io *io, struct io_uring *ring, bool write)
{
	const struct io_part *part;
	struct io_uring_cqe *cqe;
	bool short_of;

	while (io_uring_wait_cqe(ring, &cqe) != 0)
		;
	part = io_uring_cqe_get_data(cqe);
	short_of = cqe->res < 0 || (size_t)cqe->res != part->size;
	io_uring_cqe_seen(ring, cqe);
	return !short_of || one(io->fd, write, part);
}

static bool
by_ring(struct io *io, struct io_uring *ring, bool write,
	const struct io_part *part, unsigned n)
{
	struct io_uring_sqe *sqe;
	unsigned i, flying = 0;
	bool good = true;

	for (i = 0; i < n; i++) {
		if (flying == DEPTH) {
			io_uring_submit(ring);
			good &= reap(io, ring, write);
			flying--;
		}
		sqe = io_uring_get_sqe(ring);
		if (write)
			io_uring_prep_write(sqe, io->fd, part[i].addr,
					    (unsigned)part[i].size, part[i].at);
		else
			io_uring_prep_read(sqe, io->fd, part[i].addr,
					   (unsigned)part[i].size, part[i].at);
		io_uring_sqe_set_data(sqe, (void *)&part[i]);
		flying++;
	}
	io_uring_submit(ring);
	for (; flying > 0; flying--)
		good &= reap(io, ring, write);
	return good;
}
#endif

bool
io_run(struct io *io, bool write, const struct io_part *part, unsigned n)
{
	bool good = true;

#ifdef HAVE_LIBURING
	for (int r = 0; n > 1 && r < io->nrings; r++) {
		if (pthread_mutex_trylock(&io->ring[r].lock) != 0)
			continue;
		good = by_ring(io, &io->ring[r].uring, write, part, n);
		pthread_mutex_unlock(&io->ring[r].lock);
		return good;
	}
#endif
	for (unsigned i = 0; i < n; i++)
		good &= one(io->fd, write, &part[i]);
	return good;
}
