#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The table of numaslab(7) and src/base/options.def agree: names, types,
# defaults and ranges, in both directions; and no text names a variable that
# does not exist.
# shellcheck source=tests/docs/lib.sh
. "$(dirname "$0")/lib.sh"

page=$top_srcdir/man/numaslab.7

cat >"$tmp/show.c" <<'EOF'
#include <stdint.h>
#include <stdio.h>

#define NS_OPTION(field, env, type, def, lo, hi) \
	show_##type(env, def, lo, hi);

static void
number(const char *env, const char *type, uint64_t def, uint64_t lo,
       uint64_t hi)
{
	printf("%s %s %llu %llu %llu\n", env, type, (unsigned long long)def,
	       (unsigned long long)lo, (unsigned long long)hi);
}

#define show_BOOL(env, def, lo, hi) number(env, "bool", def, lo, hi)
#define show_UINT(env, def, lo, hi) number(env, "uint", def, lo, hi)
#define show_SIZE(env, def, lo, hi) number(env, "size", def, lo, hi)
#define show_STRING(env, def, lo, hi) printf("%s string %s - -\n", env, def)

int
main(void)
{
#include "base/options.def"
	return 0;
}
EOF
if ! $CC -I"$top_srcdir/src" "$tmp/show.c" -o "$tmp/show"; then
	bad "options.def has an entry that this test does not understand"
	finish 1
fi
"$tmp/show" | sort >"$tmp/code"

# K, M, G and T after a number become bytes.
sed -n 's/^\.It Ev \(NUMASLAB_[A-Z_]*\) Ta /\1 /p' "$page" |
	sed -e 's/ Ta / /g' -e 's/\\-/-/g' |
	awk '{
		for (i = 3; i <= NF; i++)
			if (match($i, /^[0-9]+[KMGT]$/))
				$i = sprintf("%.0f", $i * 1024 ^ \
				    index("KMGT", substr($i, length($i))))
		print
	}' | sort >"$tmp/table"
if ! diff -U0 "$tmp/code" "$tmp/table" >"$tmp/diff"; then
	grep '^[-+]N' "$tmp/diff" >&2
	bad "options.def (-) and the table of numaslab(7) (+) differ"
fi

# Each variable is described once, below the table.
sed -n 's/^\.It Ev \(NUMASLAB_[A-Z_]*\)$/\1/p' "$page" | sort >"$tmp/described"
cut -d' ' -f1 "$tmp/code" >"$tmp/names"
if ! diff -U0 "$tmp/names" "$tmp/described" >"$tmp/diff"; then
	grep '^[-+]N' "$tmp/diff" >&2
	bad "options.def (-) and the list below the table (+) differ"
fi

# What is spelt like a variable is one, or a macro of a public header.
looked=$(wc -l <"$tmp/code")
for text in "${pages[@]}" "${texts[@]}"; do
	grep -v '^\.Dt' "$text" | grep -o 'NUMASLAB_[A-Z_]*' | sort -u >"$tmp/used" || :
	while read -r name; do
		looked=$((looked + 1))
		grep -qx "$name" "$tmp/names" ||
			grep -qE "(define |^	)$name\>" "${headers[@]}" ||
			bad "${text##*/} names $name, which does not exist"
	done <"$tmp/used"
done
finish "$looked"
