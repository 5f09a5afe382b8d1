#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memless.sh - exact placement with a node that has CPUs only.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 memless guest-exact
