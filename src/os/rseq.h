/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os/rseq.h - stacks that belong to a CPU, without atomic instructions.
 *
 * 1. A restartable sequence (rseq(2)) is a few instructions that the kernel
 *    sends to their abort handler when the thread is preempted, migrated or
 *    interrupted by a signal among them.  So what they read is still true when
 *    their last one, a store, commits.
 * 2. A stack is an array and a word: the number of its entries in the low 16
 *    bits, and above, how many were ever popped.  Pushing and popping commit by
 *    one store of the word; an entry beyond the number means nothing.
 * 3. Both look at two gates first, in the sequence, and do nothing unless both
 *    are 0.  Who wants a stack of another CPU's closes a gate and calls
 *    ns_os_rseq_fence: afterwards no sequence that saw it open can commit.
 * 4. The sequences are of x86-64.  Elsewhere, and under ThreadSanitizer, which
 *    does not see into them, NS_RSEQ is 0 and the caller has to lock.
 */
#ifndef NS_RSEQ_H
#define NS_RSEQ_H

#include "base/base.h"
#include "os/os.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define NS_RSEQ 1
#else
#define NS_RSEQ 0
#endif

#define NS_RSEQ_COUNT(word) ((unsigned)((word)&0xffff))
#define NS_RSEQ_POPS(word)  ((word) >> 16)
#define NS_RSEQ_POP         0xffff /* one entry less, one pop more */

/* The stack of CPU @cpu, for a thread that was there just now. */
struct ns_rseq_stack {
	uint32_t *area; /* ns_rseq_area() */
	uint32_t cpu;
	uint32_t *gate[2];
	uint64_t *word;
	void **entry;
};

/* The thread's cpu_id word, or NULL: it has none.  In line, for fast paths. */
ns_inline uint32_t *
ns_rseq_area(void)
{
	if (ns_unlikely(ns_os_rseq_offset == 0))
		return NULL;
	return (uint32_t *)(void *)((char *)__builtin_thread_pointer() +
				    ns_os_rseq_offset);
}

#if NS_RSEQ
/*
 * The sequence is from 1 to 2; 4 is its abort handler, preceded by the
 * signature that glibc registers, and 6 where it goes when it gives up.
 */
#define NS_RSEQ_BEGIN                        \
	".pushsection __rseq_cs, \"aw\"\n\t" \
	".balign 32\n"                       \
	"3:\n\t"                             \
	".long 0, 0\n\t"                     \
	".quad 1f, 2f - 1f, 4f\n\t"          \
	".popsection\n\t"                    \
	"leaq 3b(%%rip), %[tmp]\n\t"         \
	"movq %[tmp], 4(%[area])\n"          \
	"1:\n\t"                             \
	"cmpl %[cpu], (%[area])\n\t"         \
	"jne 6f\n\t"                         \
	"cmpl $0, %[gate0]\n\t"              \
	"jne 6f\n\t"                         \
	"cmpl $0, %[gate1]\n\t"              \
	"jne 6f\n\t"                         \
	"movq %[word], %[tmp]\n\t"           \
	"movzwl %w[tmp], %k[got]\n\t"
#define NS_RSEQ_END                               \
	"movq %[tmp], %[word]\n"                  \
	"2:\n\t"                                  \
	"movq $0, 4(%[area])\n\t"                 \
	".pushsection __rseq_failure, \"ax\"\n\t" \
	".byte 0x0f, 0xb9, 0x3d\n\t"              \
	".long 0x53053053\n"                      \
	"4:\n"                                    \
	"6:\n\t"                                  \
	"xorl %k[got], %k[got]\n\t"               \
	"jmp 2b\n\t"                              \
	".popsection\n"
#define NS_RSEQ_IN(s)                                               \
	[area] "r"((s)->area), [cpu] "r"((s)->cpu),                 \
	    [gate0] "m"(*(s)->gate[0]), [gate1] "m"(*(s)->gate[1]), \
	    [entry] "r"((s)->entry)

/* The last entry; NULL: there is none, or the sequence could not be. */
ns_inline void *
ns_rseq_pop(const struct ns_rseq_stack *s)
{
	uintptr_t got, tmp;

	__asm__ volatile(
	    NS_RSEQ_BEGIN "testl %k[got], %k[got]\n\t"
			  "jz 6f\n\t"
			  "movq -8(%[entry], %[got], 8), %[got]\n\t"
			  "addq $0xffff, %[tmp]\n\t" NS_RSEQ_END
	    : [got] "=&r"(got), [tmp] "=&r"(tmp), [word] "+m"(*s->word)
	    : NS_RSEQ_IN(s)
	    : "memory", "cc");
	return (void *)got;
}

/* False: it has @max entries, or the sequence could not be. */
ns_inline bool
ns_rseq_push(const struct ns_rseq_stack *s, uint32_t max, void *item)
{
	uintptr_t got, tmp;

	__asm__ volatile(
	    NS_RSEQ_BEGIN "cmpl %[max], %k[got]\n\t"
			  "jae 6f\n\t"
			  "movq %[item], (%[entry], %[got], 8)\n\t"
			  "incq %[got]\n\t"
			  "incq %[tmp]\n\t" NS_RSEQ_END
	    : [got] "=&r"(got), [tmp] "=&r"(tmp), [word] "+m"(*s->word)
	    : NS_RSEQ_IN(s), [max] "r"(max), [item] "r"(item)
	    : "memory", "cc");
	return got != 0;
}
#endif

#endif
