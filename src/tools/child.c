/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/child.c - numaslab run --stats: a child whose figures are read as
 * it exits.
 *
 * A process's memory is gone once its parent hears of its end.  So the child
 * is traced with one option, PTRACE_O_TRACEEXIT: the kernel stops it on its
 * way out, its memory still there, and process_vm_readv(2) reads it.  This
 * is the only stop of its life, signals aside: while traced, each signal for
 * its first thread passes through here, and is delivered unchanged.
 *
 * Only the first thread is traced.  When another thread ends the process, or
 * SIGKILL does, there is no stop; then there is no table, and a line says so.
 * The same when ptrace(2) is refused: the program runs all the same.
 *
 * Signals sent to this process are meant for the program, and passed on;
 * except those the terminal sends, which the program has got by itself.
 */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = { SIGINT,  SIGTERM, SIGHUP, SIGQUIT,
				 SIGUSR1, SIGUSR2, SIGALRM };

struct child {
	pid_t pid;
	bool traced;
	int refused; /* errno of ptrace */
	int result;  /* pipe: errno of a failed exec, else nothing */
	bool seen;   /* the snapshot was taken */
	char why[320];
	struct ns_target target;
	struct ns_snapshot snapshot;
};

/* The child waits for the pipe to close; a failed exec sends its errno. */
_Noreturn static void
become(char **argv, const sigset_t *mask, int go, int result)
{
	char word;
	int error;

	while (read(go, &word, 1) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	error = errno;
	if (write(result, &error, sizeof(error)) < 0)
		_exit(1);
	_exit(1);
}

/* Returns 0, or errno.  Nothing is waited for here: the child may stop. */
static int
start(struct child *c, char **argv, const sigset_t *mask)
{
	int go[2], result[2];

	if (pipe2(go, O_CLOEXEC) != 0 || pipe2(result, O_CLOEXEC) != 0)
		return errno;
	c->pid = fork();
	if (c->pid < 0)
		return errno;
	if (c->pid == 0) {
		close(go[1]);
		become(argv, mask, go[0], result[1]);
	}
	/* An inherited SIG_IGN would reap the child before it can be asked. */
	signal(SIGCHLD, SIG_DFL);
	close(go[0]);
	close(result[1]);
	c->result = result[0];
	c->traced = ptrace(PTRACE_SEIZE, c->pid, NULL,
			   (void *)(long)PTRACE_O_TRACEEXIT) == 0;
	c->refused = errno;
	close(go[1]);
	return 0;
}

static void
take_snapshot(struct child *c)
{
	c->seen = ns_target_open(&c->target, c->pid) == 0 &&
		  ns_target_snapshot(&c->target, &c->snapshot) == 0;
	memcpy(c->why, c->target.why, sizeof(c->why));
}

/* A stop of the traced child. */
static void
handle_stop(struct child *c, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);

	if (event == PTRACE_EVENT_EXIT) {
		take_snapshot(c);
		sig = 0;
	} else if (event == PTRACE_EVENT_STOP) {
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		    sig == SIGTTOU) {
			/* Stopped, and stays so until SIGCONT. */
			ptrace(PTRACE_LISTEN, c->pid, NULL, NULL);
			return;
		}
		sig = 0;
	} else if (event != 0) {
		sig = 0;
	}
	ptrace(PTRACE_CONT, c->pid, NULL, (void *)(long)sig);
}

/* All that has happened to the child; true once it has ended. */
static bool
reap(struct child *c, int *status)
{
	pid_t pid;

	while ((pid = waitpid(c->pid, status, WNOHANG | __WALL)) == c->pid) {
		if (!WIFSTOPPED(*status))
			return true;
		handle_stop(c, *status);
	}
	return pid < 0 && errno == ECHILD;
}

static int
attend(struct child *c, const sigset_t *waited)
{
	siginfo_t info;
	int sig, status = 0;

	while (!reap(c, &status)) {
		sig = sigwaitinfo(waited, &info);
		if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
			kill(c->pid, sig);
	}
	return status;
}

static void
report(const struct child *c)
{
	if (c->seen && c->snapshot.nodes > 0)
		ns_table_print(stderr, &c->target, &c->snapshot,
			       NS_TABLE_HUMAN);
	else if (c->seen)
		ns_complain("--stats: process %d (%s) has allocated nothing",
			    (int)c->pid, c->target.name);
	else if (!c->traced)
		ns_complain("--stats: no table, since ptrace is refused: %s",
			    strerror(c->refused));
	else if (c->why[0] != '\0')
		ns_complain("--stats: no table: %s", c->why);
	else
		ns_complain("--stats: no table: the process ended without "
			    "passing through its first thread's exit");
}

int
ns_child_run(char **argv)
{
	static struct child c;
	sigset_t waited, old;
	int error, status;

	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	for (size_t i = 0; i < NS_ARRAY_LEN(forwarded); i++)
		sigaddset(&waited, forwarded[i]);
	sigprocmask(SIG_BLOCK, &waited, &old);
	error = start(&c, argv, &old);
	if (error != 0) {
		ns_complain("%s", strerror(error));
		return 1;
	}
	status = attend(&c, &waited);
	if (read(c.result, &error, sizeof(error)) == sizeof(error))
		return ns_exec_failed(argv[0], error);
	report(&c);
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}
