/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/library.c - which libnumaslab_malloc to preload: the build tree's
 * when the command was not installed, else the one that was installed with
 * it, wherever the two were moved; last, the one the dynamic loader knows.
 */
#include "tools/tools.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define SONAME "libnumaslab_malloc.so.0"

static bool
try(char *buf, size_t size, const char *directory, const char *below)
{
	int n = snprintf(buf, size, "%s/%s" SONAME, directory, below);

	return n > 0 && (size_t)n < size && access(buf, R_OK) == 0;
}

static bool
own_directory(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	const char *name = (const char *)getauxval(AT_EXECFN);
	char *slash;

	if (n > 0)
		buf[n] = '\0';
	else if (name == NULL || size < PATH_MAX || !realpath(name, buf))
		return false;
	slash = strrchr(buf, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static bool
ask_loader(char *buf, size_t size)
{
	void *handle = dlopen(SONAME, RTLD_LAZY | RTLD_LOCAL);
	struct link_map *map;

	return handle != NULL && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 &&
	       strlen(map->l_name) < size && strcpy(buf, map->l_name) != NULL;
}

int
ns_library_path(char *buf, size_t size)
{
	char own[PATH_MAX];

	if (!(own_directory(own, sizeof(own)) &&
	      (try(buf, size, own, ".libs/") || try(buf, size, own, "") ||
	       try(buf, size, own, "../lib/"))) &&
	    !try(buf, size, NUMASLAB_LIBDIR, "") && !ask_loader(buf, size)) {
		ns_complain(SONAME " is neither in " NUMASLAB_LIBDIR
				   " nor known to the dynamic loader");
		return -1;
	}
	/* LD_PRELOAD is a list, and knows no quoting. */
	if (strpbrk(buf, " :") != NULL) {
		ns_complain("%s cannot be preloaded: its path has a space or "
			    "a colon",
			    buf);
		return -1;
	}
	return 0;
}
