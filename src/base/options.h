/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/options.h - the options, read once from the environment.
 *
 * ns_options_read() is called first when the allocator wakes up, which may
 * be before libc has set environ, and again from the library's constructor.
 * It allocates nothing.  A process with raised privileges (AT_SECURE) reads
 * none.  A malformed value is named once, with its position, and the
 * default holds.  STRING values point into the environment block.
 */
#ifndef NS_OPTIONS_H
#define NS_OPTIONS_H

#include "base/base.h"

#pragma GCC visibility push(hidden)

#define NS_TYPE_BOOL   uint64_t
#define NS_TYPE_SIZE   uint64_t
#define NS_TYPE_UINT   uint64_t
#define NS_TYPE_STRING const char *

struct ns_options {
#define NS_OPTION(field, env, type, def, lo, hi) NS_TYPE_##type field;
#include "base/options.def"
#undef NS_OPTION
};

extern struct ns_options ns_options;

/*
 * A program that may only hand the environment on, to one that will complain
 * itself, defines this as true; ns_options_complain() makes up for it.
 */
extern bool ns_options_quiet;
void ns_options_complain(char **envp);

/* Returns true once the environment has been read. */
bool ns_options_read(char **envp);

/*
 * ns_parse_size - "64M" to bytes.  Returns 0, or -EINVAL with *pos at the
 * first character that does not fit, or -ERANGE.
 */
int ns_parse_size(const char *s, uint64_t *value, size_t *pos);

#pragma GCC visibility pop
#endif
