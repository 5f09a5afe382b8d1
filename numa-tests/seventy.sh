#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# seventy.sh - exact placement with node numbers above 63.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 seventy guest-exact
