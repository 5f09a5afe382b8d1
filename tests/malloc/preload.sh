#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The tests of the malloc layer again, in programs that know nothing of the
# library and have it preloaded.
set -eu

here=${top_builddir:-.}
lib=$here/.libs/libnumaslab_malloc.so
status=0

[ -f "$lib" ] || { echo "there is no $lib"; exit 1; }
for test in family align zero walk badfree operators noruntime jemalloc \
	    mallctl control ask stack; do
	code=0
	LD_PRELOAD=$lib "$here/tests/malloc/p-$test" || code=$?
	echo "$test preloaded: status $code"
	[ $code = 0 ] || status=1
done
exit $status
