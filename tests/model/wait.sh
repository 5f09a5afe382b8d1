#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Exhausts the interleavings of wait.pml and crew.pml, and sees that they find
# what is planted.
. "$(dirname "$0")/lib.sh"

check wait 7
check crew 6
