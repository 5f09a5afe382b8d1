/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads hand blocks to each other and walk them up and down in size; what
 * is in a block stays, up to the smaller size, and every byte of the usable
 * size is the program's.
 */
#include "tests/malloc/malloc_test.h"

#include <pthread.h>

#define THREADS 4
#define SLOTS   257
#define STEPS   20000

struct slot {
	pthread_mutex_t lock;
	unsigned char *p;
	size_t size; /* filled */
	unsigned seed;
};

static struct slot slots[SLOTS];

static size_t
random_size(uint64_t *state)
{
	uint64_t r = test_random(state);

	switch (r % 16) {
	case 0:
		return r / 16 % (1 << 20) + 1;
	case 1:
	case 2:
		return r / 16 % 70000 + 1;
	case 3:
	case 4:
	case 5:
		return r / 16 % 9000 + 1;
	default:
		return r / 16 % 600 + 1;
	}
}

static void
check_slot(const struct slot *s, size_t n, const char *what)
{
	size_t bad = filled(s->p, n, s->seed);

	CHECK_MSG(bad == n, "%s: byte %zu of %zu at %p is wrong", what, bad, n,
		  (void *)s->p);
}

/* Fills it all, or for long blocks a length that still crosses pages. */
static void
refill(struct slot *s, uint64_t *state)
{
	s->size = malloc_usable_size(s->p);
	if (s->size > 40000)
		s->size = 40000 + test_random(state) % (s->size - 40000) / 8;
	s->seed = (unsigned)test_random(state);
	fill(s->p, s->size, s->seed);
}

static void
step(struct slot *s, uint64_t *state)
{
	size_t size = random_size(state), old = s->size;
	void *p;

	if (s->p == NULL) {
		s->p = malloc(size);
	} else if (test_random(state) % 8 == 0) {
		check_slot(s, s->size, "before free");
		free(s->p);
		s->p = NULL;
		return;
	} else {
		p = realloc(s->p, size);
		REQUIRE(p != NULL);
		s->p = p;
		check_slot(s, old < size ? old : size, "realloc");
	}
	REQUIRE(s->p != NULL);
	CHECK_MSG(malloc_usable_size(s->p) >= size, "%zu usable of %zu",
		  malloc_usable_size(s->p), size);
	refill(s, state);
}

static void *
walk(void *arg)
{
	uint64_t state = 88172645463325252ul + (uintptr_t)arg;
	struct slot *s;
	int i;

	for (i = 0; i < STEPS; i++) {
		s = &slots[test_random(&state) % SLOTS];
		pthread_mutex_lock(&s->lock);
		step(s, &state);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

/* One block from small to very large and back, over all that lies between. */
static void
test_growth(void)
{
	size_t n, old = 1;
	char *p = malloc(1);

	REQUIRE(p != NULL);
	fill(p, 1, 5);
	for (n = 1; n < 96ul << 20; n += n / 5 + 1) {
		p = realloc(p, n);
		REQUIRE(p != NULL);
		CHECK_EQ(filled(p, old, 5), old);
		old = n < 1 << 20 ? n : 1 << 20;
		fill(p, old, 5);
	}
	for (; n > 0; n -= n / 5 + 1) {
		p = realloc(p, n);
		REQUIRE(p != NULL);
		old = n < old ? n : old;
		CHECK_EQ(filled(p, old, 5), old);
	}
	free(p);
}

int
main(void)
{
	pthread_t thread[THREADS];
	size_t i;

	REQUIRE(is_ours());
	test_growth();
	for (i = 0; i < SLOTS; i++)
		pthread_mutex_init(&slots[i].lock, NULL);
	for (i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, walk, (void *)i) == 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < SLOTS; i++) {
		if (slots[i].p != NULL)
			check_slot(&slots[i], slots[i].size, "at the end");
		free(slots[i].p);
	}
	return test_done();
}
