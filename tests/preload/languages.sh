#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Python and Perl programs print the same; threads, forks and ctypes included.
. "$(dirname "$0")/lib.sh"
need perl

python_malloc() {
	PYTHONMALLOC=malloc run "$1" "$python" -B "$tests/exercise.py" 3
}

python_own() {
	run "$1" "$python" -B "$tests/exercise.py" 2
}

perl_program() {
	run "$1" perl "$tests/exercise.pl" 100000
}

both "python over malloc" python_malloc
both "python with its own pools" python_own
both perl perl_program
