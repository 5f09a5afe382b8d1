/* SPDX-License-Identifier: BSD-2-Clause */
/* slab/watch.c: what NUMASLAB_SLAB_DEBUG says, and what is said of it. */
#include "base/options.h"
#include "slab/debug.h"

#include "tests/test.h"

#define F    SLAB_CONSISTENCY_CHECKS
#define Z    SLAB_RED_ZONE
#define P    SLAB_POISON
#define U    SLAB_STORE_USER
#define T    SLAB_TRACE
#define A    SLAB_FAILSLAB
#define L    NS_SLAB_LEAKS
#define FZPU (F | Z | P | U)

static slab_flags_t
flags_of(const char *option, const char *name, slab_flags_t own, unsigned size)
{
	ns_options.slab_debug = option;
	return ns_debug_flags(name, own, NS_NCLASS, size, 0);
}

struct value {
	const char *option, *name;
	slab_flags_t flags;
};

static const struct value values[] = {
	/* letters */
	{ "-", "row", 0 },
	{ "", "row", FZPU },
	{ "F", "row", F },
	{ "ZPUTAL", "row", Z | P | U | T | A | L },
	{ "fzputal", "row", FZPU | T | A | L },
	{ "fZpU", "row", FZPU },
	{ "FZ-P", "row", P },
	{ "FZ-", "row", 0 },
	{ "-F", "row", F },
	{ "FF", "row", F },
	/* names */
	{ "Z,row", "row", Z },
	{ "Z,row", "rows", 0 },
	{ "Z,row", "ro", 0 },
	{ "Z,row", "", 0 },
	{ "Z,a,row,b", "row", Z },
	{ "Z,a,row,b", "b", Z },
	{ "Z,a,row,b", "a,row", 0 },
	{ ",row", "row", FZPU },
	{ ",row", "rows", 0 },
	{ "-,row", "row", 0 },
	/* patterns */
	{ "Z,row*", "row", Z },
	{ "Z,row*", "rows", Z },
	{ "Z,row*", "ro", 0 },
	{ "Z,*", "row", Z },
	{ "Z,*", "", Z },
	{ "Z,x,row-*,y", "row-7", Z },
	{ "Z,x,row-*,y", "y", Z },
	{ "Z,x,row-*,y", "row", 0 },
	{ ",kmalloc-*", "kmalloc-64", FZPU },
	/* blocks */
	{ "Z,row;P,index", "row", Z },
	{ "Z,row;P,index", "index", P },
	{ "Z,row;P,index", "other", 0 },
	{ "Z,row;P,row", "row", Z },
	{ "Z,row;P", "row", Z },
	{ "Z,row;P", "other", P },
	{ "P;Z,row", "row", Z },
	{ "P;Z,row", "other", P },
	{ "P;U", "row", U },
	{ "FZPU;-,row", "row", 0 },
	{ "FZPU;-,row", "other", FZPU },
	{ "Z,row*;P,rows", "rows", Z },
	{ ";;Z,row;;P,index;", "index", P },
	{ ";;Z,row;;P,index;", "other", 0 },
	{ ";", "row", 0 },
	{ ";U;", "row", U },
	{ "Z,row;,index", "index", FZPU },
	/* what is wrong is passed by */
	{ "ZxP", "row", Z | P },
	{ "Z,,row", "row", Z },
	{ "Z,,row", "", 0 },
	{ "Z,", "", 0 },
	{ "Z,r*w", "row", Z },
	{ "Z,r*w", "rest", Z },
};

static void
check_value(void *arg)
{
	const struct value *v = arg;

	CHECK_EQ(flags_of(v->option, v->name, 0, 100), v->flags);
	CHECK_EQ(flags_of(v->option, v->name, T | SLAB_NO_MERGE, 100),
		 v->flags | T | SLAB_NO_MERGE);
}

static void
test_values(void)
{
	struct test_output out;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		const struct value *v = &values[i];

		CHECK_MSG(run_child(check_value, (void *)v, &out) == 0,
			  "%s for %s: %s", v->option, v->name, out.text);
	}
}

/*
 * O: 8 objects of 8000 bytes are a slab of 64 KiB, but not with anything
 * beside them; of 7000 they are anyway.
 */
static void
test_short_only(void)
{
	static const char *const with[] = { "OFZPUT", "FZPUTo", "FZPUT;o,other",
					    "O;FZPUT", "FZPUT,row;O,x" };
	struct kmem_cache *c;

	CHECK_EQ(flags_of("FZPUT", "row", 0, 8100), FZPU | T);
	for (size_t i = 0; i < sizeof(with) / sizeof(*with); i++) {
		CHECK_EQ(flags_of(with[i], "row", 0, 8100), F | T);
		CHECK_EQ(flags_of(with[i], "row", 0, 7000), FZPU | T);
		CHECK_EQ(flags_of(with[i], "row", 0, 100), FZPU | T);
	}
	CHECK_EQ(flags_of("O", "row", FZPU, 8100), F);
	CHECK_EQ(flags_of("O", "row", 0, 8100), 0);
	CHECK_EQ(flags_of("O-FZ", "row", 0, 8100), F | Z); /* forgotten */
	/* And that is so for the cache that is made. */
	for (int o = 0; o < 2; o++) {
		ns_options.slab_debug = o ? "FZPUO" : "FZPU";
		c = kmem_cache_create("c", 8100, 0, 0, NULL);
		REQUIRE(c != NULL);
		CHECK_EQ(c->units, o ? 1 : 2);
		kmem_cache_destroy(c);
	}
	ns_options.slab_debug = "-";
}

/* --- what is said --- */

struct fault {
	const char *option, *said;
};

static const struct fault faults[] = {
	{ "-", NULL },
	{ "", NULL },
	{ "fzputalo,a,b*;;-,c;", NULL },
	{ "FxZ", "unknown flag 'x' at position 2" },
	{ "F Z", "unknown flag ' ' at position 2" },
	{ "F,a;Z,b;7", "unknown flag '7' at position 9" },
	{ "F,", "no name at position 3" },
	{ "F,a,,b", "no name at position 5" },
	{ "F,a,;Z", "no name at position 5" },
	{ "F,ab*c", "something behind '*' at position 6" },
	{ "F,a*;Z,x,*y", "something behind '*' at position 11" },
};

/* Twice, and said once. */
static void
look_up(void *option)
{
	flags_of(option, "row", 0, 100);
	flags_of(option, "index", 0, 100);
}

static void
test_faults(void)
{
	struct test_output out;
	char line[256];

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const struct fault *f = &faults[i];

		CHECK_EQ(run_child(look_up, (void *)f->option, &out), 0);
		snprintf(line, sizeof(line),
			 "numaslab: NUMASLAB_SLAB_DEBUG=%s: %s; the rest "
			 "holds\n",
			 f->option, f->said);
		CHECK_STR(out.text, f->said != NULL ? line : "");
	}
	/* Two faults are two lines. */
	CHECK_EQ(run_child(look_up, "x,a,,b", &out), 0);
	CHECK(strstr(out.text, "flag 'x' at position 1;") != NULL);
	CHECK(strstr(out.text, "no name at position 5;") != NULL);
}

int
main(void)
{
	REQUIRE(ns_init() == 0);
	test_values();
	test_short_only();
	test_faults();
	return test_done();
}
