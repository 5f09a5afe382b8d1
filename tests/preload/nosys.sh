#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The programs still run without /sys: no topology to be read.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"

within=(unshare -m)
[ "$(id -u)" = 0 ] || within=(unshare -c --keep-caps -m)
within+=(bash -c 'mount -t tmpfs none /sys && exec "$@"' --)
[ -z "$("${within[@]}" ls -A /sys)" ] || fail "/sys is not empty"
small_all
