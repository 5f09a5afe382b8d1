#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# This project itself, configured and built in parallel: the same object
# files with the compiler, the shell, make and the rest preloaded.
. "$(dirname "$0")/lib.sh"
need make gcc

# A tree that was configured in place cannot be built elsewhere: copy it.
[ -x "$top/configure" ] || fail "no configure: run ./autogen.sh"
source=$top
if [ -e "$top/config.status" ]; then
	mkdir "$work/source"
	(cd "$top" && tar -cf - --exclude=.git --exclude='*.o' \
		--exclude='*.lo' --exclude='*.la' --exclude=.libs \
		--exclude=config.status .) | tar -C "$work/source" -xf -
	source=$work/source
	rm -f "$source/Makefile"
fi

project() {
	rm -rf "$work/build"
	mkdir "$work/build"
	cd "$work/build"
	run "$1" "$source/configure" --disable-static >configure.out 2>&1
	run "$1" make -j2 >make.out 2>&1
	find . -name '*.o' | sort | xargs sha256sum
	sha256sum .libs/libnumaslab.so.*.*.* config.h
	cd "$work"
}

both project project
