#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes configure and its company from configure.ac.
set -eu
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --install --force
