#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The programs still run with 256 MiB of address space.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"

within=(bash -c 'ulimit -v 262144; exec "$@"' --)
[ "$("${within[@]}" bash -c 'ulimit -v')" = 262144 ] || fail "no limit"
small_all
