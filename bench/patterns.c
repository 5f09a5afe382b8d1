/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/patterns.c - ways of many threads to use blocks.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	queue	 even threads allocate batches of 64 blocks, each batch in a
 *		 block of its own, and put them into one queue of all
 *		 threads, from which odd threads take and free them
 *	rounds	 each thread fills 500 places, empties a random half, fills
 *		 it with other sizes, and empties all; every 16th block it
 *		 swaps for one that any thread left in a shared place
 *	server	 each thread replaces blocks in 1024 places of its own; sizes
 *		 from 16 to 32768, half as often each time they double
 *	orders	 each thread allocates 1000 blocks, of sizes that repeat, and
 *		 frees them in the order they came, then against it, then
 *		 every other one first
 *
 * Time is for a batch, a round, a block and three rows; of queue, wall time,
 * for its threads wait for each other, by sched_yield.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "gbench.h"

#define MAX_THREADS 8

#define exchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

/* queue */

#define BATCH     64u
#define QUEUE_MAX 64u

struct batch {
	struct batch *next;
	char *block[BATCH];
};

static struct {
	pthread_mutex_t lock;
	struct batch *first, **tail;
	unsigned n;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .tail = &queue.first };

static void
put(struct batch *b)
{
	for (;;) {
		pthread_mutex_lock(&queue.lock);
		if (queue.n < QUEUE_MAX)
			break;
		pthread_mutex_unlock(&queue.lock);
		sched_yield();
	}
	b->next = NULL;
	*queue.tail = b;
	queue.tail = &b->next;
	queue.n++;
	pthread_mutex_unlock(&queue.lock);
}

static struct batch *
get(void)
{
	struct batch *b;

	for (;;) {
		pthread_mutex_lock(&queue.lock);
		b = queue.first;
		if (b != NULL)
			break;
		pthread_mutex_unlock(&queue.lock);
		sched_yield();
	}
	queue.first = b->next;
	if (queue.first == NULL)
		queue.tail = &queue.first;
	queue.n--;
	pthread_mutex_unlock(&queue.lock);
	return b;
}

static void
produce(struct gbench *b)
{
	static const size_t sizes[] = { 24, 48, 64, 100, 200, 32, 400, 1000 };
	size_t max = (size_t)b->arg[0], i = 0;

	gbench_loop(b) {
		struct batch *out = malloc(sizeof(*out));

		for (unsigned k = 0; k < BATCH; k++) {
			size_t size = sizes[i++ % 8];

			out->block[k] = malloc(size < max ? size : max);
			*out->block[k] = 1;
		}
		put(out);
	}
}

static void
consume(struct gbench *b)
{
	gbench_loop(b) {
		struct batch *in = get();

		for (unsigned k = 0; k < BATCH; k++)
			free(in->block[k]);
		free(in);
	}
}

static void
through_queue(struct gbench *b)
{
	if (b->thread % 2 == 0)
		produce(b);
	else
		consume(b);
	gbench_set_items(b, b->iterations * BATCH);
}

/* rounds */

#define PLACES 500u
#define SHARED 64u

static char *shared[SHARED];

static void
shared_teardown(struct gbench *b)
{
	(void)b;
	for (unsigned i = 0; i < SHARED; i++) {
		free(shared[i]);
		shared[i] = NULL;
	}
}

static char *
some_block(uint64_t *rng, size_t max)
{
	char *p = malloc(16 + gbench_below(rng, max));

	*p = 1;
	return p;
}

/* The blocks that it allocated. */
static unsigned
one_round(char **place, uint64_t *rng, size_t max)
{
	unsigned n = PLACES;

	for (unsigned i = 0; i < PLACES; i++) {
		place[i] = some_block(rng, max);
		if (i % 16 == 0)
			place[i] = exchange(&shared[gbench_below(rng, SHARED)],
					    place[i]);
	}
	for (unsigned i = 0; i < PLACES; i++)
		if (gbench_below(rng, 2)) {
			free(place[i]);
			place[i] = NULL;
		}
	for (unsigned i = 0; i < PLACES; i++)
		if (place[i] == NULL) {
			place[i] = some_block(rng, max / 2);
			n++;
		}
	for (unsigned i = 0; i < PLACES; i++)
		free(place[i]);
	return n;
}

static void
rounds(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	char *place[PLACES];
	int64_t n = 0;

	gbench_loop(b)
		n += one_round(place, &rng, (size_t)b->arg[0]);
	gbench_set_items(b, n);
}

/* server */

#define OWN 1024u

static size_t
doubling_size(uint64_t *rng)
{
	unsigned doublings =
	    (unsigned)__builtin_ctzll((gbench_random(rng) >> 16) | 1u << 10);
	size_t low = (size_t)16 << doublings;

	return low + gbench_below(rng, low);
}

static void
server(struct gbench *b)
{
	char **place = calloc(OWN, sizeof(*place));
	uint64_t rng = gbench_seed(b);

	gbench_loop(b) {
		size_t i = gbench_below(&rng, OWN);

		free(place[i]);
		place[i] = malloc(doubling_size(&rng));
		*place[i] = 1;
	}
	gbench_set_items(b, b->iterations);
	for (size_t i = 0; i < OWN; i++)
		free(place[i]);
	free(place);
}

/* orders */

#define ROW 1000u

static void
fill_row(char **row, size_t max)
{
	for (size_t i = 0; i < ROW; i++) {
		row[i] = malloc(1 + i * 37 % max);
		*row[i] = 1;
	}
}

static void
orders(struct gbench *b)
{
	size_t max = (size_t)b->arg[0];
	static __thread char *row[ROW];

	gbench_loop(b) {
		fill_row(row, max);
		for (size_t i = 0; i < ROW; i++)
			free(row[i]);
		fill_row(row, max);
		for (size_t i = ROW; i-- > 0;)
			free(row[i]);
		fill_row(row, max);
		for (size_t i = 0; i < ROW; i++)
			free(row[i * 2 % ROW + (i >= ROW / 2)]);
	}
	gbench_set_items(b, b->iterations * 3 * ROW);
}

static const struct gbench_case cases[] = {
	{ .name = "queue",
	  .run = through_queue,
	  .unit = GBENCH_US,
	  .real_time = 1,
	  .threads = { 2, 4, MAX_THREADS },
	  .args = { GBENCH_LIST("max", 64, 1000) } },
	{ .name = "rounds",
	  .run = rounds,
	  .unit = GBENCH_US,
	  .teardown = shared_teardown,
	  .threads = { 1, 2, 4 },
	  .args = { GBENCH_LIST("max", 1000, 16000) } },
	{ .name = "server", .run = server, .threads = { 1, 2, 4 } },
	{ .name = "orders",
	  .run = orders,
	  .unit = GBENCH_US,
	  .threads = { 1, 2, 4 },
	  .args = { GBENCH_LIST("max", 100, 1000) } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
