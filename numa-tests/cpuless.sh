#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# cpuless.sh - exact placement with a CPU-less last node.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 cpuless guest-exact
