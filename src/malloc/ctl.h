/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/ctl.h - the rows of mallctl's table.
 */
#ifndef NS_MALLOC_CTL_H
#define NS_MALLOC_CTL_H

#include "base/base.h"

#define NS_CTL_ALL 4096u /* MALLCTL_ARENAS_ALL */

/* What is read and written; an action (NONE) is neither. */
enum ns_ctl_type {
	NS_CTL_NONE,
	NS_CTL_BOOL,
	NS_CTL_UNSIGNED,
	NS_CTL_U64,
	NS_CTL_SIZE,
	NS_CTL_SSIZE,
	NS_CTL_STRING
};

#define NS_CTL_SET_FIRST 0x1u /* what is read is the new state */
#define NS_CTL_POINTER   0x2u /* what is written is a pointer */

struct ns_ctl_call;

struct ns_ctl {
	const char *name; /* whole; '#' is an index */
	enum ns_ctl_type type;
	/* NULL: cannot be read, cannot be written.  Return 0 or an errno. */
	int (*get)(const struct ns_ctl_call *c, uint64_t *value);
	int (*set)(const struct ns_ctl_call *c, uint64_t value);
	uint64_t arg;     /* for get and set */
	const char *text; /* a constant string */
	unsigned flags;
};

struct ns_ctl_call {
	const struct ns_ctl *ctl;
	size_t index[2]; /* what the name's '#' are */
	void *oldp;
	size_t *oldlenp;
	const void *newp;
	size_t newlen;
};

/* Rows that share a prefix are together. */
extern const struct ns_ctl ns_ctl_table[];
extern const size_t ns_ctl_rows;

#endif
