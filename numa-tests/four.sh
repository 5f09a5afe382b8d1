#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# four.sh - exact placement on four nodes, all distances different.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 four guest-exact
