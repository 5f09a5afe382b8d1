/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/mallctl.c - jemalloc's mallctl: finds the row, moves the value.
 *
 * 1. In a MIB a word's number is the first row of the table (ctl.c) that has
 *    that prefix, and an index is itself; so a MIB is checked against the
 *    table as it was made from it.
 * 2. Errors are those of jemalloc(3): ENOENT no such name; EPERM reading what
 *    is write-only or writing what is read-only; EINVAL a length that does
 *    not fit (as much as fits is copied nevertheless), or a value; EFAULT a
 *    thing that cannot be done; EAGAIN no memory.
 */
#include <errno.h>
#include <string.h>

#include "malloc/ctl.h"
#include "malloc/figures.h"

int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
	    size_t newlen);
int mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp);
int mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
		 void *newp, size_t newlen);

extern const char *malloc_conf;

/* Programs may define it; what it says of jemalloc means nothing here. */
ns_export __attribute__((weak)) const char *malloc_conf;

#define MAX_DEPTH 7

/* Names. */

/* Word @n of @name (from 0) and its length; NULL: it has fewer. */
static const char *
word_of(const char *name, unsigned n, size_t *len)
{
	for (;; name += *len + 1, n--) {
		*len = strcspn(name, ".");
		if (n == 0)
			return name;
		if (name[*len] == '\0')
			return NULL;
	}
}

/* Do rows @a and @b begin with the same @n words? */
static bool
same_prefix(size_t a, size_t b, unsigned n)
{
	const char *x = ns_ctl_table[a].name, *end;
	size_t len;

	if (n == 0 || a == b)
		return true;
	end = word_of(x, n - 1, &len);
	if (end == NULL)
		return false;
	len += (size_t)(end - x);
	return strncmp(ns_ctl_table[b].name, x, len) == 0 &&
	       (ns_ctl_table[b].name[len] == '.' ||
		ns_ctl_table[b].name[len] == '\0');
}

/* Is @index good for the '#' that is word @depth of @row? */
static bool
index_ok(size_t row, unsigned depth, size_t index)
{
	size_t len;
	const char *of = word_of(ns_ctl_table[row].name, depth - 1, &len);

	if (strncmp(of, "bin", 3) == 0)
		return index < NS_NBINS;
	return index <= ns_topo.nslots || index == NS_CTL_ALL;
}

static bool
parse_index(const char *s, size_t len, size_t *index)
{
	*index = 0;
	if (len == 0 || len > 9)
		return false;
	for (; len > 0; len--, s++) {
		if (*s < '0' || *s > '9')
			return false;
		*index = *index * 10 + (size_t)(*s - '0');
	}
	return true;
}

/*
 * One step down: the first row that begins like @row up to @depth words and
 * goes on with @word.  Returns the row, or ns_ctl_rows.
 */
static size_t
descend(size_t row, unsigned depth, const char *word, size_t len, size_t *mib)
{
	const char *at;
	size_t n, index;

	for (; row < ns_ctl_rows; row++) {
		at = word_of(ns_ctl_table[row].name, depth, &n);
		if (at == NULL)
			continue;
		if (*at == '#') {
			if (!parse_index(word, len, &index) ||
			    !index_ok(row, depth, index))
				return ns_ctl_rows;
			*mib = index;
			return row;
		}
		if (n == len && strncmp(at, word, n) == 0) {
			*mib = row;
			return row;
		}
		if (row + 1 < ns_ctl_rows && !same_prefix(row, row + 1, depth))
			break;
	}
	return ns_ctl_rows;
}

/* Translates up to *@depth words; returns 0 or ENOENT. */
static int
translate(const char *name, size_t *mib, size_t *depth)
{
	const char *word = name;
	size_t row = 0, len;
	unsigned d;

	for (d = 0; d < *depth; d++) {
		len = strcspn(word, ".");
		row = descend(row, d, word, len, &mib[d]);
		if (row == ns_ctl_rows)
			return ENOENT;
		word += len;
		if (*word++ == '\0') {
			*depth = d + 1;
			return 0;
		}
	}
	return 0;
}

/* The row that a complete MIB names, its indices in @c. */
static int
resolve(const size_t *mib, size_t depth, struct ns_ctl_call *c)
{
	size_t row = 0, len;
	unsigned d, n = 0;
	const char *at;

	for (d = 0; d < depth; d++) {
		at = word_of(ns_ctl_table[row].name, d, &len);
		if (at != NULL && *at == '#') {
			if (n == 2 || !index_ok(row, d, mib[d]))
				return ENOENT;
			c->index[n++] = mib[d];
			continue;
		}
		if (mib[d] >= ns_ctl_rows || !same_prefix(mib[d], row, d))
			return ENOENT;
		row = mib[d];
		if (word_of(ns_ctl_table[row].name, d, &len) == NULL ||
		    (row > 0 && same_prefix(row, row - 1, d + 1)))
			return ENOENT;
	}
	if (depth == 0 ||
	    word_of(ns_ctl_table[row].name, d - 1, &len)[len] != '\0')
		return ENOENT;
	c->ctl = &ns_ctl_table[row];
	return 0;
}

/* Values in and out. */

static size_t
size_of(enum ns_ctl_type type)
{
	switch (type) {
	case NS_CTL_BOOL:
		return sizeof(bool);
	case NS_CTL_UNSIGNED:
		return sizeof(unsigned);
	default:
		return sizeof(uint64_t);
	}
}

static int
copy_out(const struct ns_ctl_call *c, uint64_t value)
{
	size_t size = size_of(c->ctl->type), n;
	const void *from = &value;
	unsigned u = (unsigned)value;
	bool b = value != 0;

	if (c->oldp == NULL || c->oldlenp == NULL)
		return 0;
	if (size == sizeof(u))
		from = &u;
	else if (size == sizeof(b))
		from = &b;
	n = ns_min(size, *c->oldlenp);
	memcpy(c->oldp, from, n);
	if (*c->oldlenp == size)
		return 0;
	*c->oldlenp = n;
	return EINVAL;
}

static uint64_t
copy_in(const struct ns_ctl_call *c)
{
	uint64_t value;
	unsigned char b;
	unsigned u;

	switch (c->newlen) {
	case sizeof(b):
		memcpy(&b, c->newp, sizeof(b));
		return b != 0;
	case sizeof(u):
		memcpy(&u, c->newp, sizeof(u));
		return u;
	default:
		memcpy(&value, c->newp, sizeof(value));
		return value;
	}
}

static int
write_value(const struct ns_ctl_call *c)
{
	size_t size = (c->ctl->flags & NS_CTL_POINTER) != 0
			  ? sizeof(void *)
			  : size_of(c->ctl->type);

	if (c->newp == NULL)
		return c->ctl->get == NULL ? EINVAL : 0;
	if (c->newlen != size)
		return EINVAL;
	return c->ctl->set(c, copy_in(c));
}

static int
read_value(const struct ns_ctl_call *c)
{
	uint64_t value = 0;
	int error;

	if (c->ctl->get == NULL)
		return 0;
	error = c->ctl->get(c, &value);
	return error != 0 ? error : copy_out(c, value);
}

/* The old value is read before the new one is set, except for SET_FIRST. */
static int
run(const struct ns_ctl_call *c)
{
	bool reads = c->oldp != NULL || c->oldlenp != NULL;
	bool writes = c->newp != NULL || c->newlen != 0;
	int error;

	if (c->ctl->type == NS_CTL_NONE)
		return reads || writes ? EPERM : c->ctl->set(c, 0);
	if ((reads && c->ctl->get == NULL) || (writes && c->ctl->set == NULL))
		return EPERM;
	if ((c->ctl->flags & NS_CTL_SET_FIRST) != 0) {
		error = write_value(c);
		return error != 0 ? error : read_value(c);
	}
	error = read_value(c);
	return error != 0 || c->ctl->set == NULL ? error : write_value(c);
}

ns_export int
mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
	     void *newp, size_t newlen)
{
	struct ns_ctl_call c = { NULL, { 0, 0 }, oldp, oldlenp, newp, newlen };
	int saved = errno, error = EAGAIN;

	if (ns_init() == 0)
		error = resolve(mib, miblen, &c);
	if (error == 0)
		error = run(&c);
	errno = saved;
	return error;
}

ns_export int
mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	return ns_init() == 0 ? translate(name, mibp, miblenp) : EAGAIN;
}

ns_export int
mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
	size_t newlen)
{
	size_t mib[MAX_DEPTH], depth = MAX_DEPTH;
	int error = mallctlnametomib(name, mib, &depth);

	return error != 0
		   ? error
		   : mallctlbymib(mib, depth, oldp, oldlenp, newp, newlen);
}
