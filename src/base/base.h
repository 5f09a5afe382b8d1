/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/base.h - what every module may use: compiler words, bits, errors.
 */
#ifndef NS_BASE_H
#define NS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ns_likely(x)    __builtin_expect(!!(x), 1)
#define ns_unlikely(x)  __builtin_expect(!!(x), 0)
#define ns_noinline     __attribute__((noinline))
#define ns_cold         __attribute__((noinline, cold))
#define ns_inline       static inline __attribute__((always_inline))
#define ns_export       __attribute__((visibility("default")))
#define ns_printf(a, b) __attribute__((format(printf, a, b)))
#define ns_tls_model    __attribute__((tls_model("initial-exec")))

#define NS_CACHELINE 64

/* clang-format off */
#define ns_container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))
/* clang-format on */
#define NS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

ns_inline size_t
ns_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

ns_inline size_t
ns_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* @align is a power of two.  The sum must not overflow. */
ns_inline size_t
ns_round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

ns_inline size_t
ns_round_down(size_t n, size_t align)
{
	return n & ~(align - 1);
}

ns_inline bool
ns_is_pow2(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* Index of the highest set bit; @n is not 0. */
ns_inline unsigned
ns_log2_floor(size_t n)
{
	return 63u - (unsigned)__builtin_clzl(n);
}

ns_inline unsigned
ns_ctz(uint64_t n)
{
	return (unsigned)__builtin_ctzll(n);
}

/*
 * Errors (base/error.c).  The writer allocates nothing and takes no lock;
 * the format knows %s %d %u %x %zu %lu %lx %llu %p %c only, and writes one
 * line, "numaslab: ...", to standard error with a single write(2).
 */
void ns_warn(const char *fmt, ...) ns_printf(1, 2);
_Noreturn void ns_fatal(const char *fmt, ...) ns_printf(1, 2);

/* The same formatter into a buffer; returns the length, always terminated. */
size_t ns_format(char *buf, size_t size, const char *fmt, ...) ns_printf(3, 4);

/* Checked in --enable-debug builds only. */
#ifdef NS_DEBUG
#define ns_assert(cond)                                                   \
	do {                                                              \
		if (ns_unlikely(!(cond)))                                 \
			ns_fatal("%s:%d: assertion failed: %s", __FILE__, \
				 __LINE__, #cond);                        \
	} while (0)
#else
#define ns_assert(cond) ((void)sizeof(!(cond)))
#endif

#endif
