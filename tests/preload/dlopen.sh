#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Libraries that come and go; the allocator itself loaded by dlopen.
. "$(dirname "$0")/lib.sh"

loading=$(helper loading)
plugin=$build/tests/preload/.libs/plugin.so
[ -e "$plugin" ] || plugin=$build/tests/preload/plugin.so
others=(libsqlite3.so.0 libz.so.1 libcrypto.so.3)

# The process's own malloc throughout.
[ "$(run ours "$loading" 2000 "$plugin" plugin_make "${others[@]}" \
	2>"$work/loading.err")" = "2000 loads" ] ||
	fail "preloaded: $(cat "$work/loading.err")"
silent "$work/loading.err"

# Not preloaded but loaded later: its thread-local words still fit, and the
# process keeps the malloc it started with.
[ "$(run plain "$loading" 200 "$plugin" plugin_make "keep:$lib" \
	2>"$work/loading.err")" = "200 loads" ] ||
	fail "loaded late: $(cat "$work/loading.err")"
# Loaded and unloaded again and again.
[ "$(run plain "$loading" 200 "$plugin" plugin_make "$lib" \
	2>"$work/loading.err")" = "200 loads" ] ||
	fail "loaded and unloaded: $(cat "$work/loading.err")"
silent "$work/loading.err"
