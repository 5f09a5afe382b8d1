#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sqlite3 builds a database of a million rows; its dump is the same.
. "$(dirname "$0")/lib.sh"
need sqlite3

build_db() {
	rm -f "$work/db"
	run "$1" sqlite3 "$work/db" <"$tests/million.sql"
	run "$1" sqlite3 "$work/db" .dump | sha256sum
	sqlite3 "$work/db" 'pragma integrity_check'
}

both million build_db
