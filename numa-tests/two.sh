#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# two.sh - exact placement on two nodes of two CPUs each.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 two guest-exact
