/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * without CALL[,CALL...] COMMAND [ARGUMENTS]: runs COMMAND where the kernel
 * refuses these system calls with EPERM, as a container's filter does.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name)                \
	{                         \
#name, SYS_##name \
	}

static const struct {
	const char *name;
	long number;
} calls[] = {
	CALL(ptrace),        CALL(process_vm_readv),
	CALL(get_mempolicy), CALL(set_mempolicy),
	CALL(mbind),         CALL(move_pages),
	CALL(getcpu),
};

static void
refuse(const char *name)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	size_t i = 0, n = sizeof(calls) / sizeof(calls[0]);

	while (i < n && strcmp(name, calls[i].name) != 0)
		i++;
	if (i == n) {
		fprintf(stderr, "without: no call %s\n", name);
		exit(125);
	}
	code[1].k = (unsigned)calls[i].number;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		perror("without: seccomp");
		exit(125);
	}
}

int
main(int argc, char **argv)
{
	char *name, *rest;

	if (argc < 3)
		return 125;
	rest = argv[1];
	while ((name = strsep(&rest, ",")) != NULL)
		refuse(name);
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 125;
}
