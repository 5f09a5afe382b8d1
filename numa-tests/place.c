/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place - where does malloc put what a thread on node n asks for?
 *
 *	place [-x] [-m PERCENT] [-s] [-o OPERATIONS] CASE...
 *
 * Calls only malloc and its family, so that LD_PRELOAD decides what is
 * measured.  Prints a line for each case:
 *
 *	CASE  % of live objects  % of live bytes  mean distance  objects
 *
 * where an object counts if every page of it is on the node of the thread
 * that asked for it (nearest with memory, if that has none), and the mean
 * distance is the SLIT's, weighted by bytes; 10 is all local.
 *
 *   -x  exit 1 unless all is 100 %, and say what was where
 *   -m  with -x: so many percent of objects and bytes will do for where
 *       pages are; what numaslab_node_of says must still be right for all
 *   -s  after a thread has moved, let it allocate a while before measuring
 *       (for when rseq is off: moves are then noticed on slow paths only)
 *   -o  operations of each thread in the mixes (20000)
 *
 * Each object starts with a header that says who asked for it.  The header
 * is checked when it is freed, so that two live objects never overlap.
 */
#include "guest.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <unistd.h>

#define PAGE       4096ul
#define MAGIC      0x6e75u
#define SET_MAX    40000
#define SET_BYTES  (384ul << 10) /* of each size in a set */
#define SET_COUNT  1200          /* of a size, at most */
#define TABLE_SIZE 4096
#define PAGES_MAX  65536

struct header {
	uint32_t size;
	uint16_t asked; /* node whose memory it should be in */
	uint16_t magic;
};

struct set {
	int node; /* of the thread that fills it */
	size_t n;
	void *obj[SET_MAX];
};

struct tally {
	uint64_t objects, local_objects;
	uint64_t bytes, local_bytes;
	double distance; /* times bytes */
};

/* Present when the library under test is this project's. */
extern int numaslab_node_of(const void *p) __attribute__((weak));

static const size_t sizes[] = {
	16,   24,   32,   48,    64,    80,    112,    128,    192,
	256,  384,  512,  768,   1024,  1536,  2048,   3072,   4096,
	6144, 8192, 9000, 16384, 32768, 65536, 100000, 262144, 1048576,
};
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

static bool exact, settle, failed;
static double least = 100;
static long operations = 20000;
static int complaints;
static _Atomic(void *) table[TABLE_SIZE];

/* --- objects ------------------------------------------------------------- */

static void *
ask_raw(size_t size, unsigned how)
{
	void *p = NULL;

	switch (how % 16) {
	case 3:
		return calloc(1, size);
	case 7:
		return posix_memalign(&p, 64, size) == 0 ? p : NULL;
	case 11:
		return aligned_alloc(PAGE, (size + PAGE - 1) & ~(PAGE - 1));
	case 13:
		return realloc(malloc(size / 2), size);
	default:
		return malloc(size);
	}
}

static void *
ask(size_t size, unsigned how)
{
	void *p = ask_raw(size, how);

	if (p == NULL)
		die("place: no memory for %zu bytes", size);
	return p;
}

static void
touch(char *p, size_t size)
{
	size_t i;

	for (i = sizeof(struct header); i < size; i += 512)
		p[i] = 1;
	p[size - 1] = 1;
}

/* Who asked, on which node; and touches the rest. */
static void
stamp(void *p, size_t size, int node)
{
	struct header *h = p;

	h->size = (uint32_t)size;
	h->asked = (uint16_t)nearest_memory(node);
	h->magic = MAGIC;
	touch(p, size);
}

static void
give_back(void *p)
{
	struct header *h = p;

	if (h->magic != MAGIC)
		die("place: object %p is overwritten", p);
	h->magic = 0;
	free(p);
}

/* --- sets of objects of all sizes, in random order ------------------------ */

static void
fill_sizes(uint32_t *want, size_t *n)
{
	uint64_t seed = 88172645463325252ul;
	size_t i, j, count;
	uint32_t tmp;

	*n = 0;
	for (i = 0; i < NSIZES; i++) {
		count = SET_BYTES / sizes[i];
		count = count > SET_COUNT ? SET_COUNT : count < 2 ? 2 : count;
		for (j = 0; j < count; j++)
			want[(*n)++] = (uint32_t)sizes[i];
	}
	for (i = *n - 1; i > 0; i--) {
		j = rnd(&seed) % (i + 1);
		tmp = want[i];
		want[i] = want[j];
		want[j] = tmp;
	}
}

static uint32_t want[SET_MAX];
static size_t nwant;

static void
set_fill_untouched(void *arg)
{
	struct set *s = arg;
	size_t i;

	for (i = 0; i < nwant; i++)
		s->obj[i] = ask(want[i], (unsigned)i);
	s->n = nwant;
}

static void
set_stamp(void *arg)
{
	struct set *s = arg;
	size_t i;

	for (i = 0; i < s->n; i++)
		stamp(s->obj[i], want[i], s->node);
}

static void
set_fill(void *arg)
{
	set_fill_untouched(arg);
	set_stamp(arg);
}

static void
set_free(void *arg)
{
	struct set *s = arg;
	size_t i;

	for (i = 0; i < s->n; i++)
		give_back(s->obj[i]);
	s->n = 0;
}

static void
set_free_half(void *arg)
{
	struct set *s = arg;
	size_t i, kept = 0;

	for (i = 0; i < s->n; i++) {
		if (i % 2 == 0)
			give_back(s->obj[i]);
		else
			s->obj[kept++] = s->obj[i];
	}
	s->n = kept;
}

static struct set *
set_new(int node)
{
	struct set *s = map_pages(sizeof(*s));

	s->node = node;
	return s;
}

/* --- measuring ------------------------------------------------------------ */

static void *pages[PAGES_MAX];
static int status[PAGES_MAX];

static void
complain(const char *what, const void *p, const struct header *h, int at)
{
	if (exact && complaints++ < 12)
		printf("# %s: %p of %u bytes, asked on node %u, is on %d\n",
		       what, p, h->size, h->asked, at);
}

static void
judge(const char *what, void *obj, struct tally *t)
{
	struct header h = *(struct header *)obj;
	uintptr_t end = (uintptr_t)obj + h.size;
	uintptr_t page = (uintptr_t)obj & ~(PAGE - 1), from, to;
	size_t n = 0, i;
	bool local = true;
	int tries;

	for (; page < end; page += PAGE)
		pages[n++] = (void *)page;
	where(pages, n, status);
	for (i = 0; i < n; i++) {
		/* A page that the kernel is just moving is nowhere. */
		for (tries = 0; status[i] == -ENOENT && tries < 100; tries++) {
			usleep(10000);
			where(pages + i, 1, status + i);
		}
		from = (uintptr_t)pages[i];
		from = from < (uintptr_t)obj ? (uintptr_t)obj : from;
		to = (uintptr_t)pages[i] + PAGE;
		to = to > end ? end : to;
		if (status[i] < 0)
			die("place: page %p of object %p (%u bytes): %s",
			    pages[i], obj, h.size, strerror(-status[i]));
		t->bytes += to - from;
		if (status[i] == h.asked)
			t->local_bytes += to - from;
		else
			local = false;
		t->distance +=
		    (double)(to - from) * machine.distance[h.asked][status[i]];
	}
	t->objects++;
	t->local_objects += local;
	if (!local && least == 100)
		complain(what, obj, &h, status[0]);
	if (numaslab_node_of != NULL && numaslab_node_of(obj) != h.asked) {
		complain("numaslab_node_of", obj, &h, numaslab_node_of(obj));
		failed = true;
	}
}

static void
judge_set(const char *what, const struct set *s, struct tally *t)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		judge(what, s->obj[i], t);
}

static void
report(const char *what, const struct tally *t)
{
	double objects, bytes;

	if (t->objects == 0)
		die("place: case %s made no objects", what);
	objects = 100.0 * (double)t->local_objects / (double)t->objects;
	bytes = 100.0 * (double)t->local_bytes / (double)t->bytes;
	printf("%-10s %7.2f %7.2f %7.2f %9lu\n", what, objects, bytes,
	       t->distance / (double)t->bytes, (unsigned long)t->objects);
	fflush(stdout);
	failed |= objects < least || bytes < least;
}

/* --- the cases ------------------------------------------------------------ */

static int
node_after(int i, int steps)
{
	return machine.cpu_node[(i + steps) % machine.ncpu_nodes];
}

static void
start_all(struct worker **w)
{
	int i;

	for (i = 0; i < machine.ncpu_nodes; i++)
		w[i] = worker_start(machine.cpu_node[i]);
}

static void
stop_all(struct worker **w)
{
	int i;

	for (i = 0; i < machine.ncpu_nodes; i++)
		worker_stop(w[i]);
}

/* Worker i does @fn on set i + @shift, all at once. */
static void
all_do(struct worker **w, job_fn fn, struct set **s, int shift)
{
	int i, n = machine.ncpu_nodes;

	for (i = 0; i < n; i++)
		worker_begin(w[i], fn, s[(i + shift) % n]);
	for (i = 0; i < n; i++)
		worker_wait(w[i]);
}

static void
judge_all(const char *what, struct set **s, struct tally *t)
{
	int i;

	for (i = 0; i < machine.ncpu_nodes; i++)
		judge_set(what, s[i], t);
}

static struct set *sets[MAX_NODES];

/* Threads on all nodes at once allocate and touch. */
static void
case_fresh(const char *name, struct tally *t)
{
	struct worker *w[MAX_NODES] = { NULL };

	start_all(w);
	all_do(w, set_fill, sets, 0);
	judge_all(name, sets, t);
	all_do(w, set_free, sets, 0);
	stop_all(w);
}

/* A thread of the next node touches first what was asked for here. */
static void
case_lent(const char *name, struct tally *t)
{
	struct worker *w[MAX_NODES] = { NULL };

	start_all(w);
	all_do(w, set_fill_untouched, sets, 0);
	all_do(w, set_stamp, sets, 1);
	judge_all(name, sets, t);
	all_do(w, set_free, sets, 0);
	stop_all(w);
}

/* Another node's threads free everything and exit; new threads reuse it. */
static void
case_recycled(const char *name, struct tally *t)
{
	struct worker *w[MAX_NODES] = { NULL };
	int round;

	for (round = 1; round <= 3; round++) {
		start_all(w);
		all_do(w, set_fill, sets, 0);
		stop_all(w);
		start_all(w);
		all_do(w, set_free, sets, round);
		stop_all(w);
		start_all(w);
		all_do(w, set_fill, sets, 0);
		judge_all(name, sets, t);
		stop_all(w);
		start_all(w);
		all_do(w, set_free, sets, 0);
		stop_all(w);
	}
}

/* A allocates, B on the next node frees it and allocates, round the ring. */
static void
case_handover(const char *name, struct tally *t)
{
	struct worker *w[MAX_NODES] = { NULL };
	int i, n = machine.ncpu_nodes;

	start_all(w);
	worker_do(w[0], set_fill, sets[0]);
	for (i = 1; i <= 2 * n; i++) {
		worker_do(w[i % n], set_free, sets[(i - 1) % n]);
		worker_do(w[i % n], set_fill, sets[i % n]);
		judge_set(name, sets[i % n], t);
	}
	set_free(sets[(i - 1) % n]);
	stop_all(w);
}

struct move {
	int from, to;
	struct set *s, *warm;
	job_fn free_old; /* all of them or every second */
};

static void
move_and_fill(void *arg)
{
	struct move *m = arg;

	set_fill(m->s);
	m->free_old(m->s);
	run_on_node(m->to);
	m->warm->node = m->to;
	if (settle)
		set_fill(m->warm);
	/* What is left goes home, and must not come back to us. */
	if (m->s->n != 0)
		set_free(m->s);
	m->s->node = m->to;
	set_fill(m->s);
}

static void
migrate(const char *name, struct move *m, struct tally *t)
{
	struct worker *w = worker_start(m->from);

	m->s->node = m->from;
	worker_do(w, move_and_fill, m);
	judge_set(name, m->s, t);
	worker_do(w, set_free, m->s);
	worker_do(w, set_free, m->warm);
	worker_stop(w);
}

/* A thread moves to another node, its old heap full of free objects. */
static void
case_migrated(const char *name, struct tally *t)
{
	static const job_fn how[] = { set_free, set_free_half };
	int i, step, n = machine.ncpu_nodes;
	struct move m = { .s = set_new(0), .warm = set_new(0) };

	for (i = 0; i < n; i++) {
		for (step = 1; step <= 2 && step < n; step++) {
			m.from = node_after(i, 0);
			m.to = node_after(i, step);
			m.free_old = how[(i + step) % 2];
			migrate(name, &m, t);
		}
	}
}

/* 16 bytes to 16 KiB, each doubling as likely; now and then 256 KiB. */
static size_t
mix_size(uint64_t *seed)
{
	uint64_t r = rnd(seed);
	unsigned shift = 4 + (unsigned)(r >> 60) * 10 / 15;
	size_t size = (1ul << shift) + (r & ((1ul << shift) - 1));

	return r >> 20 & 511 ? size : size << 4;
}

struct mix {
	int node;
	bool roam;
};

static void
mix_job(void *arg)
{
	const struct mix *m = arg;
	int node = m->node;
	uint64_t seed = 0x9e3779b97f4a7c15ul * (unsigned)(node + 1);
	void *p, *old;
	size_t size;
	long i;

	for (i = 0; i < operations; i++) {
		if (m->roam && i % 500 == 499) {
			node = node_after((int)(rnd(&seed) >> 40), 0);
			run_on_node(node);
		}
		size = mix_size(&seed);
		p = ask(size, (unsigned)i);
		stamp(p, size, node);
		old = atomic_exchange(&table[rnd(&seed) % TABLE_SIZE], p);
		if (old != NULL)
			give_back(old);
	}
}

/* Two threads a node hand objects over through one table, at random. */
static void
mix(const char *name, struct tally *t, bool roam)
{
	struct worker *w[2][MAX_NODES] = { { NULL } };
	struct mix m[MAX_NODES];
	int i, j;

	for (j = 0; j < 2; j++)
		start_all(w[j]);
	for (i = 0; i < machine.ncpu_nodes; i++) {
		m[i] = (struct mix){ machine.cpu_node[i], roam };
		for (j = 0; j < 2; j++)
			worker_begin(w[j][i], mix_job, &m[i]);
	}
	for (j = 0; j < 2; j++)
		for (i = 0; i < machine.ncpu_nodes; i++)
			worker_wait(w[j][i]);
	for (i = 0; i < TABLE_SIZE; i++)
		if (table[i] != NULL)
			judge(name, table[i], t);
	for (j = 0; j < 2; j++)
		stop_all(w[j]);
	for (i = 0; i < TABLE_SIZE; i++)
		if (table[i] != NULL)
			give_back(table[i]);
	memset(table, 0, sizeof(table));
}

static void
case_mixed(const char *name, struct tally *t)
{
	mix(name, t, false);
}

/* The same by threads that change their node every 500 operations. */
static void
case_roaming(const char *name, struct tally *t)
{
	mix(name, t, true);
}

static const struct {
	const char *name;
	void (*run)(const char *name, struct tally *t);
} cases[] = {
	{ "fresh", case_fresh },       { "recycled", case_recycled },
	{ "handover", case_handover }, { "migrated", case_migrated },
	{ "mixed", case_mixed },       { "roaming", case_roaming },
	{ "lent", case_lent },
};
#define NCASES (sizeof(cases) / sizeof(cases[0]))

static void
run_case(const char *name)
{
	struct tally t = { 0 };
	size_t i;

	for (i = 0; i < NCASES; i++) {
		if (strcmp(cases[i].name, name) != 0)
			continue;
		complaints = 0;
		cases[i].run(name, &t);
		report(name, &t);
		return;
	}
	die("place: no case %s", name);
}

int
main(int argc, char **argv)
{
	int opt, i;

	while ((opt = getopt(argc, argv, "xm:so:")) != -1) {
		switch (opt) {
		case 'x':
			exact = true;
			break;
		case 'm':
			least = strtod(optarg, NULL);
			break;
		case 's':
			settle = true;
			break;
		case 'o':
			operations = strtol(optarg, NULL, 10);
			break;
		default:
			die("usage: place [-x] [-m PERCENT] [-s] [-o N] "
			    "CASE...");
		}
	}
	if (exact && numaslab_node_of == NULL)
		die("place: numaslab is not preloaded");
	if (settle && __rseq_size != 0)
		die("place: -s, but rseq is on");
	machine_read();
	fill_sizes(want, &nwant);
	for (i = 0; i < machine.ncpu_nodes; i++)
		sets[i] = set_new(machine.cpu_node[i]);
	if (optind == argc)
		die("place: which case?");
	for (; optind < argc; optind++)
		run_case(argv[optind]);
	return exact && failed;
}
