/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/watch.c - NUMASLAB_SLAB_DEBUG: which caches are watched, and how.
 *
 *	FLAGS[,NAME]...[;FLAGS[,NAME]...]...
 *
 * 1. As the kernel reads slab_debug.  Flags are letters of either case, of
 *    which `-' forgets those before it; before a comma none at all are FZPU,
 *    and so is an empty value.  Empty blocks are skipped.  Of a name, what is
 *    in front of `*' has to match.
 * 2. The first block that names a cache decides for it, in addition to what
 *    the program asks for; if none does, the last block without names.
 * 3. O, in any block, takes the flags that keep something beside an object
 *    from caches whose slabs would be longer for it, whoever asked for them.
 * 4. What cannot be meant is said once, with its position from 1 on, when the
 *    first cache is looked up; all else holds.
 */
#include "slab/debug.h"

#include "base/options.h"

#include <string.h>

#define DEFAULTS                                                 \
	(SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | \
	 SLAB_STORE_USER)
#define BESIDE (SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER)

/* Inside only: O. */
#define SHORT_ONLY ((slab_flags_t)0x80000000u)

struct block {
	slab_flags_t flags;
	const char *names; /* behind the comma, or NULL */
};

static const struct {
	char letter;
	slab_flags_t flag;
} letters[] = {
	{ 'f', SLAB_CONSISTENCY_CHECKS },
	{ 'z', SLAB_RED_ZONE },
	{ 'p', SLAB_POISON },
	{ 'u', SLAB_STORE_USER },
	{ 't', SLAB_TRACE },
	{ 'a', SLAB_FAILSLAB },
	{ 'l', NS_SLAB_LEAKS },
	{ 'o', SHORT_ONLY },
};

static slab_flags_t
flag_of(char letter)
{
	for (size_t i = 0; i < NS_ARRAY_LEN(letters); i++)
		if (letters[i].letter == (letter | 0x20))
			return letters[i].flag;
	return 0;
}

/* The block at @s; returns where the next begins, or the end. */
static const char *
read_block(const char *s, struct block *b)
{
	s += strspn(s, ";");
	b->flags = *s == ',' ? DEFAULTS : 0;
	for (; *s != '\0' && *s != ',' && *s != ';'; s++)
		b->flags = *s == '-' ? 0 : b->flags | flag_of(*s);
	b->names = *s == ',' ? s + 1 : NULL;
	s += strcspn(s, ";");
	return s + strspn(s, ";");
}

static bool
names(const struct block *b, const char *name)
{
	const char *s = b->names;
	size_t n, before;

	for (;; s += n + 1) {
		n = strcspn(s, ",;");
		before = strcspn(s, "*,;");
		if (strncmp(s, name, before) == 0 &&
		    (before < n || (n > 0 && name[n] == '\0')))
			return true;
		if (s[n] != ',')
			return false;
	}
}

/* --- what cannot be meant --- */

static void
complain(const char *what, const char *at)
{
	const char *s = ns_options.slab_debug;

	ns_warn("NUMASLAB_SLAB_DEBUG=%s: %s at position %zu; the rest holds", s,
		what, (size_t)(at - s) + 1);
}

/* Of a block's names, from the comma on; returns its end. */
static const char *
check_names(const char *s)
{
	while (*s == ',') {
		size_t n = strcspn(++s, ",;"), before = strcspn(s, "*,;");

		if (n == 0)
			complain("no name", s);
		else if (before + 1 < n)
			complain("something behind '*'", s + before + 1);
		s += n;
	}
	return s;
}

static void
check(const char *s)
{
	char what[] = "unknown flag '?'";

	while (*s != '\0') {
		if (*s == ',') {
			s = check_names(s);
			continue;
		}
		if (*s != ';' && *s != '-' && flag_of(*s) == 0) {
			what[sizeof(what) - 3] = *s;
			complain(what, s);
		}
		s++;
	}
}

/* The value, looked at once. */
static const char *
value(void)
{
	static const char *checked; /* [a] */
	const char *s = ns_options.slab_debug, *old = ns_load_relaxed(&checked);

	if (s != old && ns_cas_acquire(&checked, &old, s))
		check(s);
	return s;
}

/* --- what it comes to --- */

static slab_flags_t
of_value(const char *name)
{
	const char *s = value();
	slab_flags_t all = *s == '\0' ? DEFAULTS : 0, own = 0, any = 0;
	bool found = false;
	struct block b;

	while (*s != '\0') {
		s = read_block(s, &b);
		any |= b.flags & SHORT_ONLY;
		if (b.names == NULL) {
			all = b.flags;
		} else if (!found && names(&b, name)) {
			own = b.flags;
			found = true;
		}
	}
	return (found ? own : all) | any;
}

slab_flags_t
ns_debug_flags(const char *name, slab_flags_t flags, unsigned id, unsigned size,
	       unsigned align)
{
	struct kmem_cache probe = { .id = id };
	unsigned stride;

	flags |= of_value(name);
	if ((flags & SHORT_ONLY) == 0)
		return flags;
	flags &= ~SHORT_ONLY;
	align = (unsigned)ns_max(align, sizeof(void *));
	stride = ns_debug_lay_out(&probe, size, align, flags, size);
	stride = (unsigned)ns_round_up(stride, align);
	return ns_slab_units(stride) > ns_slab_units(size) ? flags & ~BESIDE
							   : flags;
}
