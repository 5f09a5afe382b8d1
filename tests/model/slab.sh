#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Exhausts the interleavings of slab.pml, and sees that it finds what is planted.
. "$(dirname "$0")/lib.sh"

check slab 6 -DOBJS=2 -DSTEPS=3
