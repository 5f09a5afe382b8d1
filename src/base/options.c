/* SPDX-License-Identifier: BSD-2-Clause */
/* base/options.c - reads the option table from the environment block. */
#include "base/options.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

struct ns_options ns_options = {
#define NS_OPTION(field, env, type, def, lo, hi) .field = def,
#include "base/options.def"
#undef NS_OPTION
};

__attribute__((weak)) bool ns_options_quiet = false;

static bool done;

int
ns_parse_size(const char *s, uint64_t *value, size_t *pos)
{
	static const char suffix[] = "KMGT";
	const char *p = s, *found;
	uint64_t n = 0;
	unsigned shift = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned)(*p - '0'), &n))
			return -ERANGE;
	*pos = (size_t)(p - s);
	if (p == s)
		return -EINVAL;
	if (*p != '\0') {
		found = memchr(suffix, *p & ~0x20, sizeof(suffix) - 1);
		if (found == NULL || p[1] != '\0') {
			*pos += found != NULL;
			return -EINVAL;
		}
		shift = 10u * (unsigned)(found - suffix + 1);
	}
	if (n > UINT64_MAX >> shift)
		return -ERANGE;
	*value = n << shift;
	return 0;
}

static int
parse_bool(const char *s, uint64_t *value, size_t *pos)
{
	static const char *const words[] = {
		"0", "1", "no", "yes", "off", "on"
	};

	*pos = 0;
	for (size_t i = 0, n; i < NS_ARRAY_LEN(words); i++) {
		if (strcmp(s, words[i]) == 0) {
			*value = i & 1;
			return 0;
		}
		for (n = 0; s[n] != '\0' && s[n] == words[i][n]; n++)
			;
		*pos = ns_max(*pos, n);
	}
	return -EINVAL;
}

static void
complain(const char *name, const char *s, int error, size_t pos)
{
	if (ns_options_quiet)
		return;
	if (error == -ERANGE)
		ns_warn("%s=%s: out of range at position 1; the default holds",
			name, s);
	else
		ns_warn("%s=%s: unexpected '%s' at position %zu; the default "
			"holds",
			name, s, s + pos, pos + 1);
}

/* The readers that the option table names, one a type. */
static void
read_number(const char *name, const char *s, uint64_t *field, uint64_t lo,
	    uint64_t hi, int (*parse)(const char *, uint64_t *, size_t *))
{
	uint64_t value;
	size_t pos = 0;
	int error = parse(s, &value, &pos);

	if (error == 0 && (value < lo || value > hi))
		error = -ERANGE;
	if (error == 0)
		*field = value;
	else
		complain(name, s, error, pos);
}

static int
parse_uint(const char *s, uint64_t *value, size_t *pos)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || s[n] != '\0') {
		*pos = n;
		return -EINVAL;
	}
	return ns_parse_size(s, value, pos);
}

#define READ_BOOL(n, s, f, lo, hi)   read_number(n, s, f, lo, hi, parse_bool)
#define READ_SIZE(n, s, f, lo, hi)   read_number(n, s, f, lo, hi, ns_parse_size)
#define READ_UINT(n, s, f, lo, hi)   read_number(n, s, f, lo, hi, parse_uint)
#define READ_STRING(n, s, f, lo, hi) ((void)(*(f) = (s)))

static void
read_one(const char *entry)
{
	size_t len;

#define NS_OPTION(field, env, type, def, lo, hi)                              \
	len = sizeof(env) - 1;                                                \
	if (strncmp(entry, env, len) == 0 && entry[len] == '=') {             \
		READ_##type(env, entry + len + 1, &ns_options.field, lo, hi); \
		return;                                                       \
	}
#include "base/options.def"
#undef NS_OPTION
}

bool
ns_options_read(char **envp)
{
	if (done || envp == NULL)
		return done;
	done = true;
	if (getauxval(AT_SECURE) != 0)
		return true;
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, "NUMASLAB_", 9) == 0)
			read_one(*envp);
	return true;
}

void
ns_options_complain(char **envp)
{
	ns_options_quiet = false;
	done = false;
	ns_options_read(envp);
}
