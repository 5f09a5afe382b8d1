/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse - run a command whose memory-policy syscalls are refused, as a
 * container's seccomp profile does.
 *
 *	refuse EPERM|ENOSYS COMMAND [ARGUMENT...]
 *
 * The filter is plain BPF, inherited by everything the command starts.
 * Before the command is executed, each call is made once, to prove that it
 * is refused.  Exit 125: no filter; 126, 127: as a shell.
 */
#include <err.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_set_mempolicy_home_node
#define __NR_set_mempolicy_home_node 450 /* on every architecture */
#endif

static const long refused[] = {
	__NR_mbind,      __NR_set_mempolicy, __NR_get_mempolicy,
	__NR_move_pages, __NR_migrate_pages, __NR_set_mempolicy_home_node,
};
#define CALLS (sizeof(refused) / sizeof(refused[0]))

static void
install(unsigned error)
{
	struct sock_filter code[CALLS + 3];
	struct sock_fprog prog = { .len = CALLS + 3, .filter = code };

	code[0] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALLS; i++) /* on a match go to the last */
		code[i + 1] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, (unsigned)refused[i],
		    (unsigned char)(CALLS - i), 0);
	code[CALLS + 1] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[CALLS + 2] = (struct sock_filter)BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		err(125, "seccomp");
}

int
main(int argc, char **argv)
{
	int error;

	if (argc < 3)
		errx(125, "usage: refuse EPERM|ENOSYS COMMAND [ARGUMENT...]");
	if (strcmp(argv[1], "EPERM") == 0)
		error = EPERM;
	else if (strcmp(argv[1], "ENOSYS") == 0)
		error = ENOSYS;
	else
		errx(125, "%s: not an error this refuses with", argv[1]);
	install((unsigned)error);
	for (size_t i = 0; i < CALLS; i++)
		if (syscall(refused[i], 0, 0, 0, 0, 0, 0) != -1 ||
		    errno != error)
			errx(125, "syscall %ld is not refused", refused[i]);
	execvp(argv[2], argv + 2);
	err(errno == ENOENT ? 127 : 126, "%s", argv[2]);
}
