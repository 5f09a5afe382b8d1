/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/rule.h - what a call asks of its arguments, and what is said when that
 * is not so (rule.c): one line that names the call, the object and the rule.
 *
 * What a program holds by pointer carries a *tag*, which no other memory has.
 * Calls that take a while check it in every build, fast ones in debug builds.
 */
#ifndef NS_RULE_H
#define NS_RULE_H

#include "base/base.h"

#pragma GCC visibility push(hidden)

enum ns_thing { NS_CACHE, NS_SHEAF, NS_POOL, NS_ACCOUNT, NS_SHRINKER };

struct ns_tag {
	uint64_t word; /* [a] of its address and kind; another one when dead */
};

void ns_tag_set(struct ns_tag *t, enum ns_thing kind);
void ns_tag_end(struct ns_tag *t, enum ns_thing kind);
bool ns_tag_is_set(const struct ns_tag *t, enum ns_thing kind);

/*
 * ns_check_thing - dies unless there is such a thing at @p, whose tag is at
 * @offset.
 * ns_is_thing - the same of memory that may hold something else; dies only if
 * it cannot be read.
 */
void ns_check_thing(const void *p, ptrdiff_t offset, enum ns_thing kind,
		    const char *call);
bool ns_is_thing(const void *p, ptrdiff_t offset, enum ns_thing kind,
		 const char *call);

#define ns_check_cache(c, call)                                          \
	ns_check_thing((c), (ptrdiff_t)offsetof(struct kmem_cache, tag), \
		       NS_CACHE, (call))

/* The same where it would cost something. */
#ifdef NS_DEBUG
#define ns_debug_check_cache(c, call) ns_check_cache((c), (call))
#define ns_debug_rule(ok, call, name, rule)                      \
	do {                                                     \
		if (ns_unlikely(!(ok)))                          \
			ns_broken((call), (name), NULL, (rule)); \
	} while (0)
#else
#define ns_debug_check_cache(c, call)       ((void)0)
#define ns_debug_rule(ok, call, name, rule) ((void)0)
#endif

/*
 * ns_broken - "CALL(NAME, P): RULE (cache C, node N)", and abort.
 * @name: of the cache or other thing that the call is about, or NULL.
 * @p:    the object, whose slab tells C, or NULL.
 */
_Noreturn void ns_broken(const char *call, const char *name, const void *p,
			 const char *rule);

#pragma GCC visibility pop
#endif
