#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# eight.sh - exact placement on a ring of eight nodes.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 eight guest-exact
