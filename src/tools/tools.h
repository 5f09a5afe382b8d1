/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/tools.h - what the subcommands of numaslab share.
 *
 * Every subcommand is a main() of its own.  What it asks for goes to
 * standard output; what is wrong is one line on standard error, and the
 * exit status 1, or 2 when the command line is.
 */
#ifndef NS_TOOLS_H
#define NS_TOOLS_H

#include "slab/slab.h"

#include <stdio.h>
#include <sys/types.h>

#define NS_EXIT_USAGE 2

int ns_run_main(int argc, char **argv);
int ns_stat_main(int argc, char **argv);
int ns_topology_main(int argc, char **argv);
int ns_doctor_main(int argc, char **argv);

/* main.c: "numaslab COMMAND: ...", a line on standard error. */
extern const char *ns_command;
void ns_complain(const char *fmt, ...) ns_printf(1, 2);
int ns_usage_error(const char *fmt, ...) ns_printf(1, 2);
int ns_unknown_option(char **argv);       /* the one getopt_long stopped at */
_Noreturn void ns_help(const char *text); /* to standard output, exit 0 */

/*
 * target.c: another process that runs on numaslab, read from outside with
 * process_vm_readv(2).  Nothing in it runs for it, and it is not stopped.
 */
struct ns_target {
	pid_t pid;
	pid_t tid;                     /* the thread that is asked about it */
	char name[64];                 /* what the kernel calls it */
	const struct ns_root *address; /* of its numaslab_root */
	struct ns_root root;
	char why[320]; /* what is wrong, after a failure */
};

struct ns_snapshot {
	unsigned nodes; /* 0: nothing was allocated yet */
	struct ns_node_figures node[NS_MAX_SLOTS];
	struct ns_node_figures total;
	size_t mappings; /* of the whole process */
	size_t ours;     /* of the address space numaslab reserved */
};

/* 0, or -1 with why. */
int ns_target_open(struct ns_target *t, pid_t pid);
int ns_target_snapshot(struct ns_target *t, struct ns_snapshot *s);

/* An ns_read_fn over process_vm_readv; @ctx is the struct ns_target. */
int ns_target_read(void *ctx, void *dst, const void *src, size_t n);

/*
 * elf.c: the address of an exported symbol in the object whose image begins
 * at @start in the target, or 0.
 */
uintptr_t ns_elf_find(struct ns_target *t, uintptr_t start, const char *name);
/* The same from the symbol table of the file @fd, when nothing exports it. */
uintptr_t ns_elf_find_static(struct ns_target *t, uintptr_t start, int fd,
			     const char *name);

/* table.c */
enum ns_table_style { NS_TABLE_HUMAN, NS_TABLE_BYTES, NS_TABLE_JSON };
void ns_table_print(FILE *out, const struct ns_target *t,
		    const struct ns_snapshot *s, enum ns_table_style style);
/* "21.3M"; @buf of at least 16 bytes, which it returns. */
const char *ns_human(char *buf, uint64_t bytes);

/* library.c: the path of the library to preload; 0, or -1 after complaint. */
int ns_library_path(char *buf, size_t size);

/*
 * run.c: says why @name was not executed, and returns a shell's exit status:
 * 127 when there is no such program, else 126.
 */
int ns_exec_failed(const char *name, int error);

/* child.c: runs @argv watched, and prints its figures as it exits. */
int ns_child_run(char **argv);

#endif
