/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mallctl: names, sizes, rights and errors.  The same program runs on the
 * real jemalloc 5.3, which must agree on all of it; what only we promise is
 * behind ours.
 */
#include "tests/malloc/malloc_test.h"

static int (*mallctl)(const char *, void *, size_t *, void *, size_t);
static int (*nametomib)(const char *, size_t *, size_t *);
static int (*bymib)(const size_t *, size_t, void *, size_t *, void *, size_t);
static void (*stats_print)(void (*)(void *, const char *), void *,
			   const char *);
static bool ours;

enum right { R, RW, W, ACT };

#define BOOL     sizeof(bool)
#define UNSIGNED sizeof(unsigned)
#define SIZE     sizeof(size_t)
#define U64      sizeof(uint64_t)
#define STRING   sizeof(char *)

static const struct {
	const char *name;
	size_t size;
	enum right right;
} names[] = {
	/* Read by Redis and Valkey (zmalloc.c, debug.c), and MariaDB. */
	{ "version", STRING, R },
	{ "epoch", U64, RW },
	{ "stats.allocated", SIZE, R },
	{ "stats.active", SIZE, R },
	{ "stats.resident", SIZE, R },
	{ "stats.retained", SIZE, R },
	{ "stats.metadata", SIZE, R },
	{ "stats.mapped", SIZE, R },
	{ "stats.arenas.4096.pmuzzy", SIZE, R },
	{ "stats.arenas.4096.pactive", SIZE, R },
	{ "stats.arenas.4096.pdirty", SIZE, R },
	{ "stats.arenas.4096.resident", SIZE, R },
	{ "stats.arenas.4096.small.allocated", SIZE, R },
	{ "stats.arenas.4096.large.allocated", SIZE, R },
	{ "stats.arenas.4096.bins.0.curregs", SIZE, R },
	{ "stats.arenas.4096.bins.0.curslabs", SIZE, R },
	{ "stats.arenas.4096.bins.0.nonfull_slabs", SIZE, R },
	{ "stats.arenas.0.bins.9.curregs", SIZE, R },
	{ "arenas.narenas", UNSIGNED, R },
	{ "arenas.nbins", UNSIGNED, R },
	{ "arenas.page", SIZE, R },
	{ "arenas.quantum", SIZE, R },
	{ "arenas.bin.0.size", SIZE, R },
	{ "arenas.bin.35.size", SIZE, R },
	{ "arenas.bin.35.nregs", sizeof(uint32_t), R },
	{ "arenas.bin.35.slab_size", SIZE, R },
	{ "arena.0.purge", 0, ACT },
	{ "arena.4096.purge", 0, ACT },
	{ "background_thread", BOOL, RW },
	{ "max_background_threads", SIZE, RW },
	{ "thread.tcache.flush", 0, ACT },
	{ "thread.tcache.enabled", BOOL, RW },
	/* The rest of what both have. */
	{ "thread.arena", UNSIGNED, RW },
	{ "thread.idle", 0, ACT },
	{ "config.cache_oblivious", BOOL, R },
	{ "config.debug", BOOL, R },
	{ "config.fill", BOOL, R },
	{ "config.lazy_lock", BOOL, R },
	{ "config.malloc_conf", STRING, R },
	{ "config.opt_safety_checks", BOOL, R },
	{ "config.prof", BOOL, R },
	{ "config.prof_libgcc", BOOL, R },
	{ "config.prof_libunwind", BOOL, R },
	{ "config.stats", BOOL, R },
	{ "config.utrace", BOOL, R },
	{ "config.xmalloc", BOOL, R },
	{ "opt.abort", BOOL, R },
	{ "opt.abort_conf", BOOL, R },
	{ "opt.background_thread", BOOL, R },
	{ "opt.cache_oblivious", BOOL, R },
	{ "opt.confirm_conf", BOOL, R },
	{ "opt.dirty_decay_ms", SIZE, R },
	{ "opt.dss", STRING, R },
	{ "opt.hpa", BOOL, R },
	{ "opt.junk", STRING, R },
	{ "opt.max_background_threads", SIZE, R },
	{ "opt.metadata_thp", STRING, R },
	{ "opt.muzzy_decay_ms", SIZE, R },
	{ "opt.narenas", UNSIGNED, R },
	{ "opt.oversize_threshold", SIZE, R },
	{ "opt.percpu_arena", STRING, R },
	{ "opt.retain", BOOL, R },
	{ "opt.stats_print", BOOL, R },
	{ "opt.stats_print_opts", STRING, R },
	{ "opt.tcache", BOOL, R },
	{ "opt.tcache_max", SIZE, R },
	{ "opt.thp", STRING, R },
	{ "opt.trust_madvise", BOOL, R },
	{ "opt.zero", BOOL, R },
	{ "opt.zero_realloc", STRING, R },
	{ "arena.0.initialized", BOOL, R },
	{ "arena.0.decay", 0, ACT },
	{ "arena.0.dss", STRING, RW },
	{ "arena.0.dirty_decay_ms", SIZE, RW },
	{ "arena.0.muzzy_decay_ms", SIZE, RW },
	{ "arenas.dirty_decay_ms", SIZE, RW },
	{ "arenas.muzzy_decay_ms", SIZE, RW },
	{ "arenas.tcache_max", SIZE, R },
	{ "arenas.nhbins", UNSIGNED, R },
	{ "arenas.nlextents", UNSIGNED, R },
	{ "arenas.bin.0.nshards", sizeof(uint32_t), R },
	{ "stats.metadata_thp", SIZE, R },
	{ "stats.arenas.0.dss", STRING, R },
	{ "stats.arenas.0.dirty_decay_ms", SIZE, R },
	{ "stats.arenas.0.muzzy_decay_ms", SIZE, R },
	{ "stats.arenas.0.mapped", SIZE, R },
	{ "stats.arenas.0.retained", SIZE, R },
	{ "stats.arenas.0.base", SIZE, R },
	{ "stats.arenas.0.internal", SIZE, R },
	{ "stats.arenas.0.metadata_thp", SIZE, R },
	{ "stats.arenas.0.tcache_bytes", SIZE, R },
	{ "stats.arenas.0.dirty_purged", U64, R },
	{ "stats.arenas.0.muzzy_purged", U64, R },
};

#define NNAMES (sizeof(names) / sizeof(names[0]))

#define EXPECT(name, call, error)                                        \
	do {                                                             \
		int got_ = (call);                                       \
		CHECK_MSG(got_ == (error), "%s, %s: %s, not %s", (name), \
			  #call, strerror(got_), strerror(error));       \
	} while (0)

static void
test_value(const char *name, size_t size, enum right right)
{
	char value[64], again[64], small[64];
	size_t mib[8], depth = 8, len = size, wrong;

	memset(value, 0x77, sizeof(value));
	memset(again, 0x77, sizeof(again));
	EXPECT(name, mallctl(name, value, &len, NULL, 0), 0);
	CHECK_MSG(len == size, "%s: length %zu, not %zu", name, len, size);
	CHECK_MSG(value[size] == 0x77, "%s wrote beyond its size", name);
	/* The same by number. */
	EXPECT(name, nametomib(name, mib, &depth), 0);
	EXPECT(name, bymib(mib, depth, again, &len, NULL, 0), 0);
	CHECK_MSG(memcmp(value, again, size) == 0 ||
		      strncmp(name, "stats", 5) == 0,
		  "%s is not the same by its MIB", name);
	EXPECT(name, bymib(mib, depth - 1, again, &len, NULL, 0), ENOENT);
	/* Half a question is fine, and asks nothing. */
	EXPECT(name, mallctl(name, NULL, &len, NULL, 0), 0);
	EXPECT(name, mallctl(name, again, NULL, NULL, 0), 0);
	EXPECT(name, mallctl(name, NULL, NULL, NULL, 0), 0);
	/* A wrong length: what fits is copied. */
	memset(small, 0x55, sizeof(small));
	len = wrong = size - 1;
	EXPECT(name, mallctl(name, small, &len, NULL, 0), EINVAL);
	CHECK_EQ(len, wrong);
	CHECK_MSG(small[wrong] == 0x55, "%s: wrote beyond *oldlenp", name);
	len = size + 1;
	EXPECT(name, mallctl(name, small, &len, NULL, 0), EINVAL);
	CHECK_EQ(len, size);
	if (right == R) {
		EXPECT(name, mallctl(name, NULL, NULL, value, size), EPERM);
		len = size;
		EXPECT(name, mallctl(name, again, &len, value, size), EPERM);
	} else {
		EXPECT(name, mallctl(name, NULL, NULL, value, size + 1),
		       EINVAL);
	}
}

static void
test_names(void)
{
	uint64_t any = 1;
	size_t i, len = 8;

	for (i = 0; i < NNAMES; i++) {
		const char *name = names[i].name;

		/* jemalloc counts its reads of these as it goes. */
		if (names[i].right != ACT) {
			test_value(name, names[i].size, names[i].right);
			continue;
		}
		EXPECT(name, mallctl(name, NULL, NULL, NULL, 0), 0);
		EXPECT(name, mallctl(name, &any, &len, NULL, 0), EPERM);
		EXPECT(name, mallctl(name, NULL, &len, NULL, 0), EPERM);
		EXPECT(name, mallctl(name, NULL, NULL, &any, 8), EPERM);
	}
}

static void
test_no_such_name(void)
{
	static const char *const bad[] = {
		"",
		".",
		"nonsense",
		"stats",
		"stats.",
		".stats",
		"stats..allocated",
		"stats.allocated.",
		"stats.allocated.x",
		"stats.allocate",
		"stats.allocatedx",
		"Stats.allocated",
		"arenas.bin",
		"arenas.bin.0",
		"arenas.bin.x.size",
		"arenas.bin.-1.size",
		"arenas.bin..size",
		"arenas.bin.100000.size",
		"arenas.bin.99999999999999999999999.size",
		"arenas.bin.0.sizes",
		"stats.arenas.0.bins.0",
		"stats.arenas.0.bins.5000.curregs",
		"stats.arenas.3999.pactive",
		"stats.arenas.4097.pactive",
		"arena.3999.purge",
		"arena.0",
		"opt.nonsense",
		"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p",
	};
	size_t i, mib[16], depth, len;
	uint64_t value[16];

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = sizeof(value[0]);
		EXPECT(bad[i], mallctl(bad[i], value, &len, NULL, 0), ENOENT);
		EXPECT(bad[i], mallctl(bad[i], NULL, NULL, NULL, 0), ENOENT);
	}
	depth = 16;
	EXPECT("MIB", nametomib("nonsense", mib, &depth), ENOENT);
	depth = 16;
	EXPECT("MIB", nametomib("stats.nonsense", mib, &depth), ENOENT);
}

/* A MIB whose numbers are filled in afterwards. */
static void
test_mib(void)
{
	size_t mib[8], depth = 3, len, size, i, last = 0;
	unsigned nbins;
	uint64_t value;

	/* As much of the name as there is room for. */
	EXPECT("MIB", nametomib("stats.arenas.0.bins.3.curregs", mib, &depth),
	       0);
	CHECK_EQ(depth, 3);
	depth = 8;
	EXPECT("MIB", nametomib("arenas.bin", mib, &depth), 0);
	CHECK_EQ(depth, 2);
	depth = 8;
	EXPECT("MIB", nametomib("arenas.bin.0.size", mib, &depth), 0);
	CHECK_EQ(depth, 4);
	CHECK_EQ(mib[2], 0);
	len = sizeof(nbins);
	EXPECT("nbins", mallctl("arenas.nbins", &nbins, &len, NULL, 0), 0);
	CHECK(nbins > 30);
	for (i = 0; i < nbins; i++) {
		mib[2] = i;
		len = sizeof(size);
		EXPECT("MIB", bymib(mib, depth, &size, &len, NULL, 0), 0);
		/* Those that are aligned to pages come last. */
		CHECK(size > last || size % 4096 == 0);
		last = size;
	}
	mib[2] = 100000;
	EXPECT("MIB", bymib(mib, depth, &size, &len, NULL, 0), ENOENT);
	mib[2] = 0;
	mib[0] = 100000;
	EXPECT("MIB", bymib(mib, depth, &size, &len, NULL, 0), ENOENT);
	for (i = 0; ours && i < 100000; i++) {
		uint64_t state = i + 1;

		/* Whatever the numbers: an answer or ENOENT. */
		for (len = 0; len < 8; len++)
			mib[len] = test_random(&state) % 130;
		mib[0] = i % 130;
		len = sizeof(value);
		switch (bymib(mib, 1 + i % 7, &value, &len, NULL, 0)) {
		case 0:
		case ENOENT:
		case EPERM:
		case EINVAL:
		case EAGAIN:
			break;
		default:
			test_fail(__FILE__, __LINE__, "MIB %zu: a surprise", i);
		}
	}
}

static size_t
get(const char *name)
{
	size_t value = 0, len = sizeof(value);

	EXPECT(name, mallctl(name, &value, &len, NULL, 0), 0);
	return value;
}

static uint64_t
refresh(void)
{
	uint64_t epoch = 1;
	size_t len = sizeof(epoch);

	EXPECT("epoch", mallctl("epoch", &epoch, &len, &epoch, len), 0);
	return epoch;
}

#define MANY 2000
#define BIG  (48ul << 20)

static void
test_figures(void)
{
	size_t allocated, active, resident, now, i;
	static void *small[MANY];
	char *big, *one = malloc(100);
	uint64_t epoch = refresh();

	REQUIRE(one != NULL);
	CHECK_EQ(refresh(), epoch + 1);
	allocated = get("stats.allocated");
	active = get("stats.active");
	resident = get("stats.resident");
	CHECK(allocated > 0);
	CHECK_MSG(allocated <= active, "%zu allocated, %zu active", allocated,
		  active);
	CHECK_MSG(active <= resident, "%zu active, %zu resident", active,
		  resident);
	big = malloc(BIG);
	REQUIRE(big != NULL);
	memset(big, 1, BIG);
	for (i = 0; i < MANY; i++) {
		small[i] = malloc(500);
		REQUIRE(small[i] != NULL);
		memset(small[i], 1, 500);
	}
	/* Nothing is seen before the next epoch. */
	CHECK_EQ(get("stats.allocated"), allocated);
	CHECK_EQ(get("stats.active"), active);
	refresh();
	now = get("stats.allocated") - allocated;
	CHECK_MSG(now >= BIG + MANY * 500 && now <= BIG + MANY * 500 * 2,
		  "%zu more allocated after %lu", now, BIG + MANY * 500);
	CHECK(get("stats.active") - active >= BIG + MANY * 500);
	CHECK(get("stats.resident") - resident >= BIG + MANY * 500);
	CHECK(get("stats.arenas.4096.large.allocated") >= BIG);
	CHECK(get("stats.arenas.4096.small.allocated") >= MANY * 500);
	CHECK_EQ(get("stats.arenas.4096.pactive") * get("arenas.page"),
		 get("stats.active"));
	free(big);
	for (i = 0; i < MANY; i++)
		free(small[i]);
	EXPECT("flush", mallctl("thread.tcache.flush", NULL, NULL, NULL, 0), 0);
	EXPECT("purge", mallctl("arena.4096.purge", NULL, NULL, NULL, 0), 0);
	refresh();
	CHECK(get("stats.allocated") < allocated + BIG / 4);
	CHECK_MSG(get("stats.resident") < resident + BIG / 4,
		  "%zu resident before, %zu after purge", resident,
		  get("stats.resident"));
	CHECK_EQ(get("stats.arenas.4096.pdirty"), 0);
	free(one);
}

/* What only we promise. */

static size_t
bin_figure(unsigned bin, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "stats.arenas.4096.bins.%u.%s", bin, what);
	return get(name);
}

static void
test_bins(void)
{
	size_t size, live, slabs, sum = 0, before = 0, len;
	unsigned nbins = 0, bin, nregs, mine = 0;
	static void *p[MANY];
	char name[64];
	int round, i;

	len = sizeof(nbins);
	mallctl("arenas.nbins", &nbins, &len, NULL, 0);
	for (round = 0; round < 2; round++) {
		refresh();
		sum = 0;
		for (bin = 0; bin < nbins; bin++) {
			snprintf(name, sizeof(name), "arenas.bin.%u.size", bin);
			size = get(name);
			snprintf(name, sizeof(name), "arenas.bin.%u.nregs",
				 bin);
			len = sizeof(nregs);
			EXPECT(name, mallctl(name, &nregs, &len, NULL, 0), 0);
			live = bin_figure(bin, "curregs");
			slabs = bin_figure(bin, "curslabs");
			CHECK(live <= slabs * nregs);
			CHECK(bin_figure(bin, "nonfull_slabs") <= slabs);
			CHECK(bin_figure(bin, "nonfull_slabs") * nregs + live >=
			      slabs * nregs);
			sum += live * size;
			if (size != 1280)
				continue;
			mine = bin;
			if (round == 0)
				before = live;
			else
				CHECK(live >= before + MANY &&
				      live <= before + MANY + nregs);
		}
		CHECK_EQ(get("stats.arenas.4096.small.allocated"), sum);
		CHECK_EQ(sum + get("stats.arenas.4096.large.allocated"),
			 get("stats.allocated"));
		for (i = 0; round == 0 && i < MANY; i++)
			REQUIRE((p[i] = malloc(1280)) != NULL);
	}
	CHECK(mine != 0);
	for (i = 0; i < MANY; i++)
		free(p[i]);
}

static void
test_switches(void)
{
	char off = 0, on = 1, was = 9;
	const char *disabled = "disabled", *primary = "primary";
	ssize_t ms = 250, before = 0;
	unsigned arena = 0, other = 4000;
	size_t len = 1;
	char name[32];

	/* As Redis sets it: a char, and no interest in the old value. */
	EXPECT("on", mallctl("background_thread", NULL, NULL, &on, 1), 0);
	EXPECT("off", mallctl("background_thread", &was, &len, &off, 1), 0);
	CHECK_EQ(was, 1);
	EXPECT("on", mallctl("background_thread", &was, &len, &on, 1), 0);
	CHECK_EQ(was, 0);
	len = sizeof(before);
	EXPECT("decay",
	       mallctl("arenas.dirty_decay_ms", &before, &len, &ms, len), 0);
	CHECK_EQ(before, 1000);
	CHECK_EQ(get("arena.0.dirty_decay_ms"), 250);
	ms = -1;
	EXPECT("decay",
	       mallctl("arena.0.dirty_decay_ms", NULL, NULL, &ms, sizeof(ms)),
	       0);
	CHECK_EQ(get("opt.dirty_decay_ms"), -1);
	ms = -2;
	EXPECT("decay",
	       mallctl("arenas.dirty_decay_ms", NULL, NULL, &ms, sizeof(ms)),
	       EFAULT);
	EXPECT("decay",
	       mallctl("arenas.dirty_decay_ms", NULL, NULL, &before,
		       sizeof(before)),
	       0);
	EXPECT("dss", mallctl("arena.0.dss", NULL, NULL, &disabled, 8), 0);
	EXPECT("dss", mallctl("arena.0.dss", NULL, NULL, &primary, 8), EFAULT);
	EXPECT("arena", mallctl("thread.arena", NULL, NULL, &arena, 4), EPERM);
	EXPECT("arena", mallctl("thread.arena", NULL, NULL, &other, 4), EFAULT);
	EXPECT("reset", mallctl("arena.0.reset", NULL, NULL, NULL, 0), EFAULT);
	EXPECT("destroy", mallctl("arena.0.destroy", NULL, NULL, NULL, 0),
	       EFAULT);
	len = sizeof(arena);
	EXPECT("create", mallctl("arenas.create", &arena, &len, NULL, 0),
	       EAGAIN);
	EXPECT("lookup", mallctl("arenas.lookup", &arena, &len, NULL, 0),
	       EINVAL);
	/* As Redis purges: the arena after the last is all of them. */
	EXPECT("narenas", mallctl("arenas.narenas", &arena, &len, NULL, 0), 0);
	snprintf(name, sizeof(name), "arena.%u.purge", arena);
	EXPECT(name, mallctl(name, NULL, NULL, NULL, 0), 0);
	snprintf(name, sizeof(name), "arena.%u.purge", arena + 1);
	EXPECT(name, mallctl(name, NULL, NULL, NULL, 0), ENOENT);
	/* Its answers would make Valkey move objects by jemalloc's slabs. */
	EXPECT("hint",
	       mallctl("experimental.utilization.batch_query", NULL, NULL, NULL,
		       0),
	       ENOENT);
	EXPECT("tcache", mallctl("tcache.create", &arena, &len, NULL, 0), 0);
	EXPECT("tcache", mallctl("tcache.flush", NULL, NULL, &arena, 4), 0);
	EXPECT("tcache", mallctl("tcache.destroy", NULL, NULL, &arena, 4), 0);
	EXPECT("tcache", mallctl("tcache.destroy", &arena, &len, NULL, 0),
	       EPERM);
	EXPECT("tcache", mallctl("tcache.destroy", NULL, NULL, NULL, 0),
	       EINVAL);
}

/* malloc_stats_print */

static char text[200000];
static size_t text_len;

static void
collect(void *ctx, const char *s)
{
	size_t n = strlen(s);

	CHECK_EQ(ctx, text);
	REQUIRE(text_len + n < sizeof(text));
	memcpy(text + text_len, s, n + 1);
	text_len += n;
}

static void
print(const char *opts)
{
	text_len = 0;
	stats_print(collect, text, opts);
	CHECK(text_len > 0 && text[text_len - 1] == '\n');
}

/* Braces, brackets and quotes of a JSON text close as they opened. */
static bool
balanced(const char *s)
{
	char stack[64];
	size_t depth = 0;
	bool quoted = false;

	for (; *s != '\0'; s++) {
		if (*s == '"')
			quoted = !quoted;
		if (quoted)
			continue;
		if (*s == '{' || *s == '[') {
			if (depth == sizeof(stack))
				return false;
			stack[depth++] = *s == '{' ? '}' : ']';
		}
		if ((*s == '}' || *s == ']') &&
		    (depth == 0 || stack[--depth] != *s))
			return false;
		if (*s == ',' && (s[1] == '}' || s[1] == ']' || s[1] == ','))
			return false;
	}
	return depth == 0 && !quoted;
}

static void
test_print(void)
{
	static const char *const json[] = {
		"J", "Jg", "Jm", "Ja", "Jb", "Jgmab"
	};
	size_t i;

	print(NULL);
	CHECK(strstr(text, "llocated: ") != NULL);
	for (i = 0; i < sizeof(json) / sizeof(json[0]); i++) {
		print(json[i]);
		CHECK_MSG(text[0] == '{' && balanced(text),
			  "not JSON with %s: %s", json[i], text);
	}
	print("J");
	CHECK(strstr(text, "\"allocated\":") != NULL);
}

static void
print_to_stderr(void *arg)
{
	(void)arg;
	stats_print(NULL, NULL, "ab");
}

static char *said;

static void
say(void *ctx, const char *s)
{
	(void)ctx;
	if (said == NULL)
		said = strdup(s);
}

static void
test_message(void)
{
	void (**message)(void *, const char *) = need("malloc_message");
	struct test_output out;

	CHECK_EQ(run_child(print_to_stderr, NULL, &out), 0);
	CHECK(strstr(out.text, "numaslab") != NULL);
	*message = say;
	stats_print(NULL, NULL, NULL);
	CHECK(said != NULL && strstr(said, "numaslab") != NULL);
	*message = NULL;
}

int
main(void)
{
	NEED(mallctl, "mallctl");
	NEED(nametomib, "mallctlnametomib");
	NEED(bymib, "mallctlbymib");
	NEED(stats_print, "malloc_stats_print");
	ours = is_ours();
	free(malloc(1));
	test_names();
	test_no_such_name();
	test_mib();
	test_figures();
	if (ours) {
		test_bins();
		test_switches();
		test_print();
		test_message();
	}
	return test_done();
}
