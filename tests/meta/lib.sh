# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Sourced by the tests of the project itself.
set -eu
: "${top_srcdir:?is set by make check}"
: "${top_builddir:?is set by make check}"
export LC_ALL=C

failed=0
fail() {
	echo "FAIL: $*"
	failed=1
}
