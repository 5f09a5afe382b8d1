/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/vm/cell.h - tables of calls and states: a cell is a letter.
 *
 * A cell runs in a process of its own and says what it is by one letter on
 * standard error, or dies with a line that names the call and the rule that
 * was broken, which has a letter, too.  Whoever would sleep waits in futex(2),
 * and dies of that, where a lone thread could not be woken.
 */
#ifndef VM_CELL_H
#define VM_CELL_H

#include "tests/vm/vm_test.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ASLEEP 'Z'

struct cell_rule {
	char letter;
	const char *text; /* the end of the line */
};

/* From here on the calling thread dies when it goes to sleep. */
TEST_INLINE void
die_asleep(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FUTEX_CMD_MASK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAIT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { NS_ARRAY_LEN(code), code };

	signal(SIGSYS, SIG_DFL);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

/* The letter of a cell in which @call was made; '?' if it has none. */
TEST_INLINE char
cell_letter(const char *call, int status, const char *text,
	    const struct cell_rule *rules, size_t n)
{
	char head[64];
	size_t len = strlen(text), end;

	if (status == 0)
		return len == 1 ? text[0] : '?';
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return ASLEEP;
	snprintf(head, sizeof(head), "numaslab: %s: ", call);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
	    strncmp(text, head, strlen(head)) != 0)
		return '?';
	for (size_t i = 0; i < n; i++) {
		end = strlen(rules[i].text);
		if (len > end + 3 && text[len - 1] == '\n' &&
		    strncmp(text + len - end - 3, ": ", 2) == 0 &&
		    strncmp(text + len - end - 1, rules[i].text, end) == 0)
			return rules[i].letter;
	}
	return '?';
}

/* One more cell of a row, compared with what it should be. */
TEST_INLINE void
check_cell(const char *call, const char *state, void (*fn)(void *), void *arg,
	   const struct cell_rule *rules, size_t n, char want)
{
	struct test_output out;
	int status = run_child(fn, arg, &out);
	char got = cell_letter(call, status, out.text, rules, n);

	CHECK_MSG(got == want, "%s, %s: %c, not %c; wait status 0x%x: %s", call,
		  state, got, want, (unsigned)status, out.text);
}

#endif
