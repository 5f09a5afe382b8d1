/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/lifetimes.c - programs, by how long their objects live.
 *
 * Uses libc's names only, so that any allocator can be preloaded under it.
 *
 *	bignum	 arithmetic on numbers of a few words, each in a block of
 *		 its own: nearly every block is freed by the next operation
 *	symbols	 derivatives of expressions, as trees of small nodes, of
 *		 which most are copies that are simplified away at once
 *	shell	 blocks of 1 to 1000 bytes: some freed at once, some in the
 *		 order they came, some against it, some much later
 *	request	 a server's requests: each allocates 100 blocks and frees
 *		 them at its end, but for one that a cache keeps
 *	stress	 blocks of random life and size; one of eight is freed by
 *		 whichever thread meets it.  Each is stamped and the stamp
 *		 looked at when it goes
 *	drift	 the size in use changes from phase to phase, and a tenth of
 *		 each phase's blocks stay until the last
 *
 * Time is for one block's malloc and free, with what is done to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gbench.h"

#define MAX_THREADS 8

/* bignum: convergents of a continued fraction, h = a * h1 + h2 */

#define MAX_LIMBS 8

struct bignum {
	uint32_t n;
	uint32_t limb[];
};

static struct bignum *
bignum_make(uint32_t n)
{
	struct bignum *x = malloc(sizeof(*x) + n * sizeof(x->limb[0]));

	x->n = n;
	return x;
}

static struct bignum *
bignum_of(uint32_t value)
{
	struct bignum *x = bignum_make(1);

	x->limb[0] = value;
	return x;
}

/* A new block of the size that the result of @x needs; @x is freed. */
static struct bignum *
bignum_fit(struct bignum *x)
{
	uint32_t n = x->n;
	struct bignum *fit;

	while (n > 1 && x->limb[n - 1] == 0)
		n--;
	if (n == x->n)
		return x;
	fit = bignum_make(n);
	memcpy(fit->limb, x->limb, n * sizeof(x->limb[0]));
	free(x);
	return fit;
}

static struct bignum *
bignum_times(const struct bignum *x, uint32_t by)
{
	struct bignum *r = bignum_make(x->n + 1);
	uint64_t carry = 0;

	for (uint32_t i = 0; i < x->n; i++) {
		carry += (uint64_t)x->limb[i] * by;
		r->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	r->limb[x->n] = (uint32_t)carry;
	return bignum_fit(r);
}

static struct bignum *
bignum_plus(const struct bignum *x, const struct bignum *y)
{
	uint32_t n = x->n > y->n ? x->n : y->n;
	struct bignum *r = bignum_make(n + 1);
	uint64_t carry = 0;

	for (uint32_t i = 0; i < n; i++) {
		carry += i < x->n ? x->limb[i] : 0;
		carry += i < y->n ? y->limb[i] : 0;
		r->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	r->limb[n] = (uint32_t)carry;
	return bignum_fit(r);
}

static void
bignum(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	struct bignum *h1 = bignum_of(1), *h2 = bignum_of(0);

	gbench_loop(b) {
		struct bignum *t =
		    bignum_times(h1, 1 + (uint32_t)gbench_below(&rng, 1000));
		struct bignum *h = bignum_plus(t, h2);

		free(t);
		free(h2);
		h2 = h1;
		h1 = h;
		if (h1->n > MAX_LIMBS) {
			free(h1);
			free(h2);
			h1 = bignum_of(1);
			h2 = bignum_of(0);
		}
	}
	free(h1);
	free(h2);
}

/* symbols: the expressions are sums and products of x and constants */

enum op { CONSTANT, VARIABLE, SUM, PRODUCT };

struct expr {
	enum op op;
	int value;
	struct expr *left, *right;
};

static struct expr *
leaf(enum op op, int value)
{
	struct expr *e = malloc(sizeof(*e));

	*e = (struct expr){ .op = op, .value = value };
	return e;
}

static void
expr_drop(struct expr *e)
{
	if (e->op == SUM || e->op == PRODUCT) {
		expr_drop(e->left);
		expr_drop(e->right);
	}
	free(e);
}

static int
is_constant(const struct expr *e, int value)
{
	return e->op == CONSTANT && e->value == value;
}

/* Takes both over.  0 + x and 1 * x are x, 0 * x is 0. */
static struct expr *
join(enum op op, struct expr *l, struct expr *r)
{
	struct expr *e;

	if (op == PRODUCT && (is_constant(l, 0) || is_constant(r, 0))) {
		expr_drop(l);
		expr_drop(r);
		return leaf(CONSTANT, 0);
	}
	if (is_constant(l, op == PRODUCT)) {
		expr_drop(l);
		return r;
	}
	if (is_constant(r, op == PRODUCT)) {
		expr_drop(r);
		return l;
	}
	e = malloc(sizeof(*e));
	*e = (struct expr){ .op = op, .left = l, .right = r };
	return e;
}

static struct expr *
copy(const struct expr *e)
{
	if (e->op == CONSTANT || e->op == VARIABLE)
		return leaf(e->op, e->value);
	return join(e->op, copy(e->left), copy(e->right));
}

static struct expr *
derive(const struct expr *e)
{
	switch (e->op) {
	case CONSTANT:
		return leaf(CONSTANT, 0);
	case VARIABLE:
		return leaf(CONSTANT, 1);
	case SUM:
		return join(SUM, derive(e->left), derive(e->right));
	case PRODUCT:
		break;
	}
	return join(SUM, join(PRODUCT, derive(e->left), copy(e->right)),
		    join(PRODUCT, copy(e->left), derive(e->right)));
}

static struct expr *
random_expr(int depth, uint64_t *rng)
{
	struct expr *l;
	enum op op;

	if (depth == 0)
		return gbench_below(rng, 3)
			   ? leaf(VARIABLE, 0)
			   : leaf(CONSTANT, 2 + (int)gbench_below(rng, 9));
	op = gbench_below(rng, 3) ? PRODUCT : SUM;
	l = random_expr(depth - 1, rng);
	return join(op, l, random_expr(depth - 1, rng));
}

static void
symbols(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);

	gbench_loop_batch(b, 1000) {
		struct expr *e = random_expr(6, &rng);

		for (int i = 0; i < 2; i++) {
			struct expr *d = derive(e);

			expr_drop(e);
			e = d;
		}
		gbench_use(e);
		expr_drop(e);
	}
}

/* shell */

#define GROUP 60u
#define KEPT  4000u

/* Half are up to 32 bytes, few are near 1000. */
static size_t
shell_size(uint64_t *rng)
{
	size_t r = gbench_below(rng, 1000);

	return 1 + (r < 500 ? r % 32 : r < 900 ? r % 200 : r);
}

static void
shell_group(char **block, char **kept, uint64_t *rng)
{
	for (size_t i = 0; i < GROUP; i++) {
		block[i] = malloc(shell_size(rng));
		*block[i] = 1;
		if (i % 6 == 5) {
			free(block[i]);
			block[i] = NULL;
		}
	}
	for (size_t i = 0; i < GROUP / 3; i++)
		free(block[i]);
	for (size_t i = GROUP - 1; i >= GROUP * 5 / 6; i--)
		free(block[i]);
	for (size_t i = GROUP / 3; i < GROUP * 5 / 6; i++) {
		size_t k = gbench_below(rng, KEPT);

		free(kept[k]);
		kept[k] = block[i];
	}
}

static void
shell(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	char **kept = calloc(KEPT, sizeof(*kept));
	char *block[GROUP];

	gbench_loop_batch(b, GROUP)
		shell_group(block, kept, &rng);
	for (size_t i = 0; i < KEPT; i++)
		free(kept[i]);
	free(kept);
}

/* request */

#define REQUEST_BLOCKS 100u
#define CACHED         20000u

static size_t
request_size(uint64_t *rng)
{
	size_t kind = gbench_below(rng, 100);

	if (kind < 70)
		return 16 + gbench_below(rng, 112);
	if (kind < 95)
		return 128 + gbench_below(rng, 896);
	return 1024 + gbench_below(rng, 15360);
}

static void
request(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	char **cache = calloc(CACHED, sizeof(*cache));
	char *block[REQUEST_BLOCKS];
	size_t oldest = 0;

	gbench_loop_batch(b, REQUEST_BLOCKS) {
		size_t keep = gbench_below(&rng, REQUEST_BLOCKS);

		for (size_t i = 0; i < REQUEST_BLOCKS; i++) {
			size_t size = request_size(&rng);

			block[i] = malloc(size);
			memset(block[i], 1, size < 256 ? size : 256);
		}
		free(cache[oldest]);
		cache[oldest] = block[keep];
		oldest = (oldest + 1) % CACHED;
		block[keep] = NULL;
		for (size_t i = 0; i < REQUEST_BLOCKS; i++)
			free(block[i]);
	}
	for (size_t i = 0; i < CACHED; i++)
		free(cache[i]);
	free(cache);
}

/* stress */

#define OWN    8192u
#define SHARED 1024u

struct stamp {
	size_t size;
	uint64_t check;
};

static struct stamp *shared[SHARED];

/* 16 to 64 KiB: each doubling half as often as the one before. */
static struct stamp *
stamped(uint64_t *rng)
{
	unsigned log = (unsigned)__builtin_ctzll(gbench_random(rng) | 1u << 12);
	size_t size = 16 + gbench_below(rng, 16ul << log);
	struct stamp *s = malloc(size);

	*s = (struct stamp){ size, (uintptr_t)s ^ size };
	return s;
}

static void
stamped_free(struct stamp *s)
{
	if (s && s->check != ((uintptr_t)s ^ s->size)) {
		fprintf(stderr, "stress: a block was overwritten\n");
		abort();
	}
	free(s);
}

static void
stress(struct gbench *b)
{
	uint64_t rng = gbench_seed(b);
	struct stamp **own = calloc(OWN, sizeof(struct stamp *));

	gbench_loop(b) {
		size_t i = gbench_below(&rng, OWN);
		struct stamp *s = own[i];

		own[i] = stamped(&rng);
		if (i % 8 == 0)
			s = __atomic_exchange_n(
			    &shared[gbench_below(&rng, SHARED)], s,
			    __ATOMIC_ACQ_REL);
		stamped_free(s);
	}
	for (size_t i = 0; i < OWN; i++)
		stamped_free(own[i]);
	free(own);
}

static void
stress_teardown(struct gbench *b)
{
	(void)b;
	for (size_t i = 0; i < SHARED; i++) {
		stamped_free(shared[i]);
		shared[i] = NULL;
	}
}

/* drift */

#define PHASES       6
#define PHASE_BLOCKS 20000u

static void
drift(struct gbench *b)
{
	static const size_t sizes[PHASES] = { 32, 80, 200, 48, 500, 130 };
	size_t n = PHASES * PHASE_BLOCKS;
	char **block = malloc(n * sizeof(*block));

	gbench_loop_batch(b, (int64_t)n) {
		for (size_t i = 0; i < n; i++) {
			block[i] = malloc(sizes[i / PHASE_BLOCKS]);
			*block[i] = 1;
			if ((i + 1) % PHASE_BLOCKS)
				continue;
			for (size_t j = i + 1 - PHASE_BLOCKS; j <= i; j++) {
				if (j % 10 == 0)
					continue;
				free(block[j]);
				block[j] = NULL;
			}
		}
		for (size_t i = 0; i < n; i += 10)
			free(block[i]);
	}
	free(block);
}

static const struct gbench_case cases[] = {
	{ .name = "bignum", .run = bignum, .threads = { 1, 2 } },
	{ .name = "symbols", .run = symbols, .threads = { 1, 2 } },
	{ .name = "shell", .run = shell, .threads = { 1, 2, MAX_THREADS } },
	{ .name = "request", .run = request, .threads = { 1, 2, MAX_THREADS } },
	{ .name = "stress",
	  .run = stress,
	  .teardown = stress_teardown,
	  .threads = { 1, 2, 4, MAX_THREADS } },
	{ .name = "drift", .run = drift, .threads = { 1, 2 } },
	{ 0 }
};

int
main(int argc, char **argv)
{
	return gbench_main(argc, argv, cases);
}
