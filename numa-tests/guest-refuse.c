/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest-refuse - run a program to which the kernel refuses placement.
 *
 *	guest-refuse COMMAND [ARGUMENT...]
 *
 * What a container's seccomp profile does: mbind, set_mempolicy,
 * get_mempolicy, migrate_pages, set_mempolicy_home_node and move_pages fail
 * with EPERM.  move_pages of a process named by its number is let through,
 * so that the tests inside can still ask where a page is.
 */
#include "guest.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

#define FIELD(member)                      \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		 offsetof(struct seccomp_data, member))
#define REFUSE_IF(number)                                    \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

int
main(int argc, char **argv)
{
	struct sock_filter code[] = {
		FIELD(nr),
		REFUSE_IF(SYS_mbind),
		REFUSE_IF(SYS_set_mempolicy),
		REFUSE_IF(SYS_get_mempolicy),
		REFUSE_IF(SYS_migrate_pages),
		REFUSE_IF(SYS_set_mempolicy_home_node),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_move_pages, 0, 3),
		FIELD(args[0]),
		REFUSE_IF(0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	if (argc < 2)
		die("usage: guest-refuse COMMAND [ARGUMENT...]");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		die("guest-refuse: %s", strerror(errno));
	if (syscall(SYS_mbind, NULL, 0, 0, NULL, 0, 0) != -1 || errno != EPERM)
		die("guest-refuse: the filter does not filter");
	execvp(argv[1], argv + 1);
	die("guest-refuse: %s: %s", argv[1], strerror(errno));
}
