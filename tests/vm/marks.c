/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The watermarks, by every call that allocates: each class at each state of a
 * full node, and a pager's thread, which counts as SYSTEM.  A cached page
 * counts as a free one, where the call may take it.
 */
#include "tests/vm/disk.h"

static vm_object_t o, c; /* where pages come, and where a cached one is */
static int class;

#define NOW (class | VM_ALLOC_NOWAIT)
#define CALL(name, expr)            \
	static vm_page_t name(void) \
	{                           \
		vm_page_t m = NULL; \
		(void)m;            \
		return (expr);      \
	}

CALL(alloc_noobj, vm_page_alloc(NULL, 0, class | VM_ALLOC_NOOBJ))
CALL(alloc_zero, vm_page_alloc(NULL, 0, class | VM_ALLOC_NOOBJ | VM_ALLOC_ZERO))
CALL(alloc_count,
     vm_page_alloc(NULL, 0, class | VM_ALLOC_NOOBJ | VM_ALLOC_COUNT(9)))
CALL(alloc_nodump, vm_page_alloc(o, 1, class | VM_ALLOC_NODUMP))
CALL(alloc, vm_page_alloc(o, 1, class))
CALL(alloc_wired, vm_page_alloc(o, 1, class | VM_ALLOC_WIRED))
CALL(alloc_ifnotcached, vm_page_alloc(o, 1, class | VM_ALLOC_IFNOTCACHED))
CALL(alloc_nobusy, vm_page_alloc(o, 1, class | VM_ALLOC_NOBUSY))
CALL(alloc_sbusy, vm_page_alloc(o, 1, class | VM_ALLOC_SBUSY))
CALL(alloc_nowait, vm_page_alloc(o, 1, class | VM_ALLOC_NOWAIT))
CALL(alloc_nofree,
     vm_page_alloc(NULL, 0, class | VM_ALLOC_NOOBJ | VM_ALLOC_NOFREE))
CALL(alloc_ifcached, vm_page_alloc(c, 1, class | VM_ALLOC_IFCACHED))
CALL(alloc_back, vm_page_alloc(c, 1, class))
CALL(grab_back, vm_page_grab(c, 1, NOW))
CALL(alloc_after, vm_page_alloc_after(o, 1, class, NULL))
CALL(alloc_domain, vm_page_alloc_domain(NULL, 0, 0, class | VM_ALLOC_NOOBJ))
CALL(alloc_domain_obj, vm_page_alloc_domain(o, 1, 0, class))
CALL(noobj, vm_page_alloc_noobj(class))
CALL(noobj_domain, vm_page_alloc_noobj_domain(0, class))
CALL(grab, vm_page_grab(o, 1, NOW))
CALL(grab_sbusy, vm_page_grab(o, 1, NOW | VM_ALLOC_SBUSY))
CALL(grab_pages, vm_page_grab_pages(o, 1, NOW, &m, 1) == 1 ? m : NULL)
CALL(grab_unlocked, (VM_OBJECT_WUNLOCK(o), m = vm_page_grab_unlocked(o, 1, NOW),
		     VM_OBJECT_WLOCK(o), m))
CALL(grab_valid,
     (VM_OBJECT_WUNLOCK(o), vm_page_grab_valid_unlocked(&m, o, 1, NOW),
      VM_OBJECT_WLOCK(o), m))
CALL(noreclaim,
     vm_page_alloc(NULL, 0, class | VM_ALLOC_NOOBJ | VM_ALLOC_NORECLAIM))
CALL(contig, vm_page_alloc_contig(o, 1, class, 1, 1, 0))
CALL(contig_domain, vm_page_alloc_contig_domain(o, 1, 0, class, 1, 1, 0))
CALL(noobj_contig, vm_page_alloc_noobj_contig(class, 1, 1, 0))
CALL(noobj_contig_domain, vm_page_alloc_noobj_contig_domain(0, class, 1, 1, 0))

enum kind {
	PLAIN,
	NO_CACHED, /* it takes no cached page */
	IFCACHED,  /* it takes that one only */
	ROW        /* nor one of the reserve: a row is looked for in chunks */
};

static const struct {
	const char *name;
	vm_page_t (*fn)(void);
	enum kind kind;
} calls[] = {
	{ "alloc, NOOBJ", alloc_noobj, PLAIN },
	{ "alloc, NOOBJ, ZERO", alloc_zero, PLAIN },
	{ "alloc, NOOBJ, COUNT", alloc_count, PLAIN },
	{ "alloc, NODUMP", alloc_nodump, PLAIN },
	{ "alloc", alloc, PLAIN },
	{ "alloc, WIRED", alloc_wired, PLAIN },
	{ "alloc, NOBUSY", alloc_nobusy, PLAIN },
	{ "alloc, SBUSY", alloc_sbusy, PLAIN },
	{ "alloc, NOWAIT", alloc_nowait, PLAIN },
	{ "alloc, NOFREE", alloc_nofree, PLAIN },
	{ "alloc, IFCACHED", alloc_ifcached, IFCACHED },
	{ "alloc, perhaps cached", alloc_back, PLAIN },
	{ "grab, perhaps cached", grab_back, PLAIN },
	{ "alloc, IFNOTCACHED", alloc_ifnotcached, PLAIN },
	{ "alloc_after", alloc_after, PLAIN },
	{ "alloc_domain, NOOBJ", alloc_domain, PLAIN },
	{ "alloc_domain", alloc_domain_obj, PLAIN },
	{ "alloc_noobj", noobj, PLAIN },
	{ "alloc_noobj_domain", noobj_domain, PLAIN },
	{ "grab", grab, PLAIN },
	{ "grab, SBUSY", grab_sbusy, PLAIN },
	{ "grab_pages", grab_pages, PLAIN },
	{ "grab_unlocked", grab_unlocked, PLAIN },
	{ "grab_valid_unlocked", grab_valid, PLAIN },
	{ "alloc, NORECLAIM", noreclaim, NO_CACHED },
	{ "alloc_contig", contig, ROW },
	{ "alloc_contig_domain", contig_domain, ROW },
	{ "alloc_noobj_contig", noobj_contig, ROW },
	{ "alloc_noobj_contig_domain", noobj_contig_domain, ROW },
};

static const struct {
	const char *name;
	int class;
	bool pager;
} classes[] = {
	{ "NORMAL", VM_ALLOC_NORMAL, false },
	{ "SYSTEM", VM_ALLOC_SYSTEM, false },
	{ "INTERRUPT", VM_ALLOC_INTERRUPT, false },
	{ "a pager's NORMAL", VM_ALLOC_NORMAL, true },
	{ "a pager's SYSTEM", VM_ALLOC_SYSTEM, true },
	{ "a pager's INTERRUPT", VM_ALLOC_INTERRUPT, true },
};

static void
drop(vm_page_t m)
{
	if (vm_page_wired(m))
		vm_page_unwire(m, PQ_NONE);
	if (vm_page_sbusied(m))
		CHECK(vm_page_busy_tryupgrade(m));
	if (vm_page_object(m) != NULL && !vm_page_busied(m))
		vm_page_xbusy(m);
	m->flags &= (uint16_t)~PG_NOFREE;
	vm_page_free(m);
}

/* A cached page more, of the memory of a free one. */
static void
add_cached(void)
{
	vm_page_t m = vm_page_alloc(c, 1, VM_ALLOC_INTERRUPT);

	REQUIRE(m != NULL);
	vm_page_valid(m);
	vm_page_cache(m);
}

/* No cached page; what was one is free. */
static void
end_cached(void)
{
	vm_page_t m =
	    vm_page_alloc(c, 1, VM_ALLOC_INTERRUPT | VM_ALLOC_IFCACHED);

	if (m != NULL)
		vm_page_free(m);
}

/*
 * Of @nfree pages to be had, one is cached if so said.  Does call @i of class
 * @k get one?
 */
static void
try(size_t i, size_t k, uint64_t nfree, bool cached,
    const struct ns_vm_stat *st)
{
	bool normal = classes[k].class == VM_ALLOC_NORMAL && !classes[k].pager;
	bool intr = classes[k].class == VM_ALLOC_INTERRUPT;
	uint64_t mark = normal ? st->low : intr ? 0 : st->interrupt;
	uint64_t have = nfree;
	vm_page_t m;
	bool want;

	if (cached)
		add_cached();
	if (calls[i].kind == NO_CACHED || calls[i].kind == ROW)
		have -= cached;
	want = have > mark && (calls[i].kind != IFCACHED || cached);
	if (calls[i].kind == ROW && intr)
		want = have > st->interrupt;
	class = classes[k].class;
	vm_pager_thread(classes[k].pager);
	errno = 0;
	m = calls[i].fn();
	vm_pager_thread(false);
	CHECK_MSG((m != NULL) == want,
		  "%s of class %s with %lu pages free, of which %d cached: %s",
		  calls[i].name, classes[k].name, (unsigned long)nfree, cached,
		  m != NULL ? "got one" : "got none");
	CHECK_EQ(errno, m != NULL                              ? 0
			: calls[i].kind == IFCACHED && !cached ? ENOENT
							       : ENOMEM);
	if (m != NULL)
		drop(m);
	end_cached();
	CHECK_EQ(held(0), nfree);
}

static void
all(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	uint64_t states[7];

	boot(arg);
	o = disk_object(disk_new(), 100);
	c = disk_object(NULL, 100);
	VM_OBJECT_WLOCK(o);
	VM_OBJECT_WLOCK(c);
	/* Their indices' memory is there. */
	vm_page_alloc(o, 0, VM_ALLOC_NORMAL);
	vm_page_alloc(c, 0, VM_ALLOC_NORMAL);
	ns_vm_stat(0, &st);
	memcpy(states,
	       (uint64_t[]){ st.low + 2, st.low + 1, st.low, st.interrupt + 1,
			     st.interrupt, 1, 0 },
	       sizeof(states));
	for (size_t n = 0; n < NS_ARRAY_LEN(states); n++) {
		drain(&s, 0, NORMAL); /* which the pool is asked for, too */
		drain(&s, 0, INTERRUPT);
		while (held(0) < states[n])
			set_free_last(&s);
		for (size_t i = 0; i < NS_ARRAY_LEN(calls); i++)
			for (size_t k = 0; k < NS_ARRAY_LEN(classes); k++)
				for (int cached = 0; cached < 2; cached++)
					if (!cached || states[n] > 0)
						try(i, k, states[n], cached,
						    &st);
		ns_vm_check(0);
	}
}

int
main(void)
{
	static struct machine small = { .alone = true, .limit = 2 << 20 };
	static struct machine large = { .alone = true,
					.limit = 8 << 20,
					.page_size = 16384 };

	CASE(all, &small);
	CASE(all, &large);
	return test_done();
}
