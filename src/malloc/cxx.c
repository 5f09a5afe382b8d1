/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/cxx.c - C++'s operators new and delete, in C by their mangled names.
 *
 * 1. All twenty are here, so that none of them reaches another allocator and
 *    new costs what malloc costs.
 * 2. When memory is out, new calls the new-handler until it succeeds or
 *    there is no handler; then it throws std::bad_alloc.  Handler and throw
 *    are the C++ runtime's: weak references, so that C programs need none.
 *    A runtime that came later, with a dlopen'ed library, is looked up among
 *    what is loaded.  Without any there is nobody to throw to: abort.
 * 3. A handler may itself throw bad_alloc, and then the nothrow forms return
 *    NULL.  C cannot catch; the runtime's own nothrow operators can.  They
 *    call back our throwing ones.
 * 4. Compiled with -fexceptions: exceptions pass through these functions.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#include "malloc/aligned.h"

typedef void (*handler_fn)(void);
typedef void *(*nothrow_fn)(size_t size, const void *tag);
typedef void *(*aligned_nothrow_fn)(size_t size, size_t align, const void *tag);

__attribute__((weak)) handler_fn _ZSt15get_new_handlerv(void);
__attribute__((weak)) void _ZSt17__throw_bad_allocv(void);

/* @name in the C++ runtime that is loaded, wherever; NULL: none is. */
static ns_cold void *
runtime(const char *name)
{
	static const char *const lib[] = { "libstdc++.so.6", "libc++abi.so.1" };
	void *handle, *sym = NULL;
	unsigned i;

	for (i = 0; i < NS_ARRAY_LEN(lib) && sym == NULL; i++) {
		handle = dlopen(lib[i], RTLD_LAZY | RTLD_NOLOAD);
		if (handle == NULL)
			continue;
		sym = dlsym(handle, name);
		dlclose(handle); /* ours: the runtime stays for its users */
	}
	return sym;
}

static handler_fn
new_handler(void)
{
	handler_fn (*get)(void) = _ZSt15get_new_handlerv;

	if (get == NULL)
		get = (handler_fn(*)(void))runtime("_ZSt15get_new_handlerv");
	return get != NULL ? get() : NULL;
}

static _Noreturn void
throw_bad_alloc(size_t size)
{
	void (*throw_it)(void) = _ZSt17__throw_bad_allocv;

	if (throw_it == NULL)
		throw_it = (void (*)(void))runtime("_ZSt17__throw_bad_allocv");
	if (throw_it != NULL)
		throw_it();
	ns_fatal("operator new: no memory for %zu bytes, and no C++ runtime "
		 "to throw bad_alloc",
		 size);
}

ns_inline void *
try(size_t size, size_t align)
{
	if (ns_unlikely(!ns_is_pow2(align))) {
		errno = ENOMEM;
		return NULL;
	}
	return ns_malloc_aligned(align, size);
}

static ns_noinline void *
new_slow(size_t size, size_t align)
{
	handler_fn handler;
	void *p;

	while ((p = try(size, align)) == NULL) {
		handler = new_handler();
		if (handler == NULL)
			throw_bad_alloc(size);
		handler();
	}
	return p;
}

static ns_cold void *
by_runtime(size_t size, size_t align, const void *tag)
{
	aligned_nothrow_fn aligned;
	nothrow_fn fn;

	if (align > 1) {
		aligned = (aligned_nothrow_fn)runtime(
		    "_ZnwmSt11align_val_tRKSt9nothrow_t");
		return aligned != NULL ? aligned(size, align, tag) : NULL;
	}
	fn = (nothrow_fn)runtime("_ZnwmRKSt9nothrow_t");
	return fn != NULL ? fn(size, tag) : NULL;
}

static ns_noinline void *
nothrow_slow(size_t size, size_t align, const void *tag)
{
	void *p = try(size, align);

	if (ns_likely(p != NULL) || new_handler() == NULL)
		return p;
	return by_runtime(size, align, tag);
}

/* new and new[] do the same, and so do all the deletes. */

#define NEW(name)                                                    \
	ns_export void *name(size_t size);                           \
	void *name(size_t size)                                      \
	{                                                            \
		void *p = ns_malloc_try(size);                       \
                                                                     \
		return ns_likely(p != NULL) ? p : new_slow(size, 1); \
	}

#define NEW_NOTHROW(name)                                                     \
	ns_export void *name(size_t size, const void *tag);                   \
	void *name(size_t size, const void *tag)                              \
	{                                                                     \
		void *p = ns_malloc_try(size);                                \
                                                                              \
		return ns_likely(p != NULL) ? p : nothrow_slow(size, 1, tag); \
	}

#define NEW_ALIGNED(name)                                \
	ns_export void *name(size_t size, size_t align); \
	void *name(size_t size, size_t align)            \
	{                                                \
		return new_slow(size, align);            \
	}

#define NEW_ALIGNED_NOTHROW(name)                                         \
	ns_export void *name(size_t size, size_t align, const void *tag); \
	void *name(size_t size, size_t align, const void *tag)            \
	{                                                                 \
		return nothrow_slow(size, align, tag);                    \
	}

#define DELETE(name)                                \
	ns_export void name(void *p);               \
	void name(void *p)                          \
	{                                           \
		ns_free_fast(p, "operator delete"); \
	}

/* @unused: size, alignment, or std::nothrow; the slab knows it all. */
#define DELETE1(name)                                \
	ns_export void name(void *p, size_t unused); \
	void name(void *p, size_t unused)            \
	{                                            \
		(void)unused;                        \
		ns_free_fast(p, "operator delete");  \
	}

#define DELETE2(name)                                                \
	ns_export void name(void *p, size_t unused, size_t unused2); \
	void name(void *p, size_t unused, size_t unused2)            \
	{                                                            \
		(void)unused;                                        \
		(void)unused2;                                       \
		ns_free_fast(p, "operator delete");                  \
	}

NEW(_Znwm)
NEW(_Znam)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

DELETE(_ZdlPv)
DELETE(_ZdaPv)
DELETE1(_ZdlPvm)
DELETE1(_ZdaPvm)
DELETE1(_ZdlPvRKSt9nothrow_t)
DELETE1(_ZdaPvRKSt9nothrow_t)
DELETE1(_ZdlPvSt11align_val_t)
DELETE1(_ZdaPvSt11align_val_t)
DELETE2(_ZdlPvmSt11align_val_t)
DELETE2(_ZdaPvmSt11align_val_t)
DELETE2(_ZdlPvSt11align_val_tRKSt9nothrow_t)
DELETE2(_ZdaPvSt11align_val_tRKSt9nothrow_t)
