/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/options.c: every type well formed and malformed, each malformed value
 * named with its position while the default holds.
 *
 * The environment is read once a process, so each case is a child.
 */
#include "base/options.h"
#include "tests/test.h"

#include <sys/auxv.h>
#include <sys/stat.h>

static struct ns_options defaults;

struct size_case {
	const char *text;
	int error;
	uint64_t value; /* or, for -EINVAL, the position */
};

static const struct size_case sizes[] = {
	{ "0", 0, 0 },
	{ "1", 0, 1 },
	{ "64M", 0, 64ul << 20 },
	{ "64m", 0, 64ul << 20 },
	{ "3k", 0, 3072 },
	{ "2G", 0, 2ul << 30 },
	{ "1T", 0, 1ul << 40 },
	{ "007", 0, 7 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "99999999999999999999999", -ERANGE, 0 },
	{ "16777216T", -ERANGE, 0 }, /* 2^64 */
	{ "16777215T", 0, 16777215ul << 40 },
	{ "", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 1 },
	{ "M", -EINVAL, 0 },
	{ "64Q", -EINVAL, 2 },
	{ "64MB", -EINVAL, 3 },
	{ "64M ", -EINVAL, 3 },
	{ "6.4M", -EINVAL, 1 },
	{ "0x40", -EINVAL, 1 },
	{ "12\xc3\xa9", -EINVAL, 2 },
};

static void
test_parse_size(void)
{
	for (size_t i = 0; i < NS_ARRAY_LEN(sizes); i++) {
		const struct size_case *c = &sizes[i];
		uint64_t value = 12345;
		size_t pos = 999;
		int error = ns_parse_size(c->text, &value, &pos);

		CHECK_MSG(error == c->error, "\"%s\": %d, not %d", c->text,
			  error, c->error);
		if (error == 0)
			CHECK_MSG(value == c->value, "\"%s\": %lu", c->text,
				  value);
		else
			CHECK_EQ(value, 12345);
		if (error == -EINVAL)
			CHECK_MSG(pos == c->value, "\"%s\": position %zu",
				  c->text, pos);
	}
}

struct env_case {
	const char *env[4];
	uint64_t *field; /* of ns_options, in the child */
	uint64_t value;
	const char *message; /* standard error; "" is silence */
};

static struct env_case cases[] = {
	{ { "NUMASLAB_COLOR=0" }, &ns_options.color, 0, "" },
	{ { "NUMASLAB_COLOR=1" }, &ns_options.color, 1, "" },
	{ { "NUMASLAB_COLOR=yes" }, &ns_options.color, 1, "" },
	{ { "NUMASLAB_COLOR=on" }, &ns_options.color, 1, "" },
	{ { "NUMASLAB_COLOR=no" }, &ns_options.color, 0, "" },
	{ { "NUMASLAB_COLOR=off" }, &ns_options.color, 0, "" },
	{ { "NUMASLAB_COLOR=maybe" },
	  &ns_options.color,
	  1,
	  "numaslab: NUMASLAB_COLOR=maybe: unexpected 'maybe' at position 1; "
	  "the default holds\n" },
	{ { "NUMASLAB_COLOR=" },
	  &ns_options.color,
	  1,
	  "numaslab: NUMASLAB_COLOR=: unexpected '' at position 1; the "
	  "default holds\n" },
	{ { "NUMASLAB_PURGE_MS=250" }, &ns_options.purge_ms, 250, "" },
	{ { "NUMASLAB_PURGE_MS=3600000" }, &ns_options.purge_ms, 3600000, "" },
	{ { "NUMASLAB_PURGE_MS=3600001" },
	  &ns_options.purge_ms,
	  1000,
	  "numaslab: NUMASLAB_PURGE_MS=3600001: out of range at position 1; "
	  "the default "
	  "holds\n" },
	{ { "NUMASLAB_PURGE_MS=1K" },
	  &ns_options.purge_ms,
	  1000,
	  "numaslab: NUMASLAB_PURGE_MS=1K: unexpected 'K' at position 2; the "
	  "default holds\n" },
	{ { "NUMASLAB_PURGE_MS=-5" },
	  &ns_options.purge_ms,
	  1000,
	  "numaslab: NUMASLAB_PURGE_MS=-5: unexpected '-5' at position 1; "
	  "the default holds\n" },
	{ { "NUMASLAB_FAKE_NODES=64" }, &ns_options.fake_nodes, 64, "" },
	{ { "NUMASLAB_FAKE_NODES=65" },
	  &ns_options.fake_nodes,
	  0,
	  "numaslab: NUMASLAB_FAKE_NODES=65: out of range at position 1; the "
	  "default "
	  "holds\n" },
	{ { "NUMASLAB_NODE_LIMIT=512M" },
	  &ns_options.node_limit,
	  512ul << 20,
	  "" },
	{ { "NUMASLAB_NODE_LIMIT=512Mx" },
	  &ns_options.node_limit,
	  0,
	  "numaslab: NUMASLAB_NODE_LIMIT=512Mx: unexpected 'x' at position "
	  "5; the default holds\n" },
	{ { "NUMASLAB_SPAN=99999999999999999999" },
	  &ns_options.span,
	  0,
	  "numaslab: NUMASLAB_SPAN=99999999999999999999: out of range at "
	  "position 1; the "
	  "default holds\n" },
	/* names that only begin like one, and the neighbours of one */
	{ { "NUMASLAB_COLORX=0", "XNUMASLAB_COLOR=0", "NUMASLAB_COLOR" },
	  &ns_options.color,
	  1,
	  "" },
	{ { "PATH=/bin", "NUMASLAB_COLOR=0", "HOME=/" },
	  &ns_options.color,
	  0,
	  "" },
};

static void
read_env(void *arg)
{
	static char seven[] = "NUMASLAB_PURGE_MS=77";
	char *later[] = { seven, NULL };
	struct env_case *c = arg;
	struct ns_options expected = defaults;
	size_t offset = (size_t)((char *)c->field - (char *)&ns_options);

	CHECK(!ns_options_read(NULL)); /* too early: environ is not set */
	errno = EXDEV;
	CHECK(ns_options_read((char **)c->env));
	CHECK_EQ(errno, EXDEV);
	*(uint64_t *)(void *)((char *)&expected + offset) = c->value;
	CHECK_EQ(memcmp(&expected, &ns_options, sizeof(expected)), 0);

	/* Once only: later environments are not looked at. */
	CHECK(ns_options_read(later));
	CHECK_EQ(memcmp(&expected, &ns_options, sizeof(expected)), 0);
}

static void
test_environment(void)
{
	struct test_output out;

	for (size_t i = 0; i < NS_ARRAY_LEN(cases); i++) {
		int status = run_child(read_env, &cases[i], &out);

		CHECK_MSG(status == 0, "%s: wait status 0x%x: %s",
			  cases[i].env[0], (unsigned)status, out.text);
		CHECK_STR(out.text, cases[i].message);
	}
}

static char policy_env[] = "NUMASLAB_POLICY=bind=0,2-3";

static void
read_policy(void *arg)
{
	char *env[] = { policy_env, NULL };

	CHECK(ns_options_read(env));
	CHECK_EQ(ns_options.policy, policy_env + sizeof("NUMASLAB_POLICY"));
	(void)arg;
}

static void
test_strings_point_into_the_environment(void)
{
	struct test_output out;

	CHECK_STR(defaults.policy, "local");
	CHECK_EQ(run_child(read_policy, NULL, &out), 0);
	CHECK_STR(out.text, "");
}

/*
 * Raised privileges: the kernel sets AT_SECURE when it runs a set-user-ID
 * copy of this very program.  Needs root to make one.
 */
static int
privileged_child(void)
{
	extern char **environ;

	if (getauxval(AT_SECURE) == 0)
		return 2; /* mounted nosuid */
	CHECK(ns_options_read(environ));
	CHECK_EQ(ns_options.purge_ms, defaults.purge_ms);
	_exit(test_done()); /* LeakSanitizer cannot look at a set-ID program */
}

static void
exec_copy(void *arg)
{
	setenv("NUMASLAB_PURGE_MS", "77", 1);
	execl(arg, arg, "privileged", (char *)NULL);
}

static void
copy_self(const char *to)
{
	char buf[65536];
	FILE *in = fopen("/proc/self/exe", "r"), *out = fopen(to, "w");
	size_t n;

	REQUIRE(in != NULL && out != NULL);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		REQUIRE(fwrite(buf, 1, n, out) == n);
	fclose(in);
	REQUIRE(fclose(out) == 0);
}

static void
test_raised_privileges(void)
{
	char path[] = "numaslab-secure-XXXXXX";
	struct test_output out;
	int fd, status;

	if (geteuid() != 0) {
		printf("not root: AT_SECURE was not tried\n");
		return;
	}
	fd = mkstemp(path);
	REQUIRE(fd >= 0);
	close(fd);
	copy_self(path);
	REQUIRE(chown(path, 65534, 65534) == 0);
	REQUIRE(chmod(path, 04755) == 0);
	status = run_child(exec_copy, path, &out);
	unlink(path);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		printf("nosuid file system: AT_SECURE was not tried\n");
	else
		CHECK_MSG(status == 0, "wait status 0x%x: %s", (unsigned)status,
			  out.text);
}

int
main(int argc, char **argv)
{
	defaults = ns_options;
	if (argc > 1 && strcmp(argv[1], "privileged") == 0)
		return privileged_child();
	test_parse_size();
	test_environment();
	test_strings_point_into_the_environment();
	test_raised_privileges();
	return test_done();
}
