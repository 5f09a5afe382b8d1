#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What the two libraries define, and need: nothing missing, nothing more.
. "$(dirname "$0")/lib.sh"

malloc_family="malloc free calloc realloc reallocarray memalign aligned_alloc
posix_memalign valloc pvalloc malloc_usable_size malloc_trim mallinfo mallinfo2
mallopt malloc_info malloc_stats cfree free_sized free_aligned_sized"

jemalloc_calls="mallocx rallocx xallocx sallocx dallocx sdallocx nallocx
mallctl mallctlnametomib mallctlbymib malloc_stats_print"

# May be exported besides: jemalloc's configuration, which programs define or
# set, and the names under which old libraries know glibc's.
may_export="malloc_conf malloc_message __libc_malloc __libc_calloc
__libc_realloc __libc_reallocarray __libc_free __libc_memalign __libc_valloc
__libc_pvalloc __libc_mallinfo __libc_mallopt __posix_memalign"

# Every replaceable operator of C++20; the compiler knows their names.
operators() {
	g++ -std=c++20 -O0 -x c++ -c -o "$work/operators.o" - <<-'END'
		#include <new>
		void use(void *p, std::size_t s, std::align_val_t a);
		void use(void *p, std::size_t s, std::align_val_t a)
		{
			const std::nothrow_t n = std::nothrow_t();
			(void)operator new(s);
			(void)operator new(s, n);
			(void)operator new(s, a);
			(void)operator new(s, a, n);
			(void)operator new[](s);
			(void)operator new[](s, n);
			(void)operator new[](s, a);
			(void)operator new[](s, a, n);
			operator delete(p);
			operator delete(p, n);
			operator delete(p, s);
			operator delete(p, a);
			operator delete(p, s, a);
			operator delete(p, a, n);
			operator delete[](p);
			operator delete[](p, n);
			operator delete[](p, s);
			operator delete[](p, a);
			operator delete[](p, s, a);
			operator delete[](p, a, n);
		}
	END
	nm -u "$work/operators.o" | awk '{ print $NF }' | grep '^_Z[nd]' |
		sort -u
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

core=$top_builddir/.libs/libnumaslab.so
full=$top_builddir/.libs/libnumaslab_malloc.so

defined() { # name@version or name, of functions and objects
	nm -D --defined-only --with-symbol-versions "$1" |
		awk '$2 != "A" { sub("@@", "@", $NF); print $NF }' | sort -u
}

# The public headers' functions.
declared() {
	cat "$top_srcdir"/include/numaslab/*.h |
		gcc -std=c11 -I"$top_srcdir/include" -E -P -x c - |
		tr '\n' ' ' | tr ';' '\n' | grep -v '^ *typedef' |
		grep -oE '\b(kmem_cache|vm_pager?|vm_wait|vm_domain|VM_OBJECT|vm_object|numaslab|k[a-z]*alloc|k[a-z]*free|k[a-z]*dup|ksize|mempool|shrinker|drop_slab)[A-Za-z_]* ?\(' |
		tr -d ' (' | sort -u
}

operators >"$work/operators"
[ "$(wc -l <"$work/operators")" -eq 20 ] ||
	fail "the compiler named $(wc -l <"$work/operators") operators, not 20"

declared | sed 's/$/@NUMASLAB_1.0/' >"$work/public"
[ "$(wc -l <"$work/public")" -ge 30 ] || fail "too few public functions seen"
sort -u "$work/public" - <<<"numaslab_root@NUMASLAB_PRIVATE" >"$work/core"
tr -s ' \n' '\n\n' <<<"$malloc_family $jemalloc_calls" |
	sort -u - "$work/operators" "$work/core" >"$work/full"
tr -s ' \n' '\n\n' <<<"$may_export" | sort -u - "$work/full" >"$work/full-at-most"

compare() { # what library, least, most
	defined "$2" >"$work/defined"
	comm -23 "$3" "$work/defined" >"$work/missing"
	comm -13 "$4" "$work/defined" >"$work/extra"
	[ ! -s "$work/missing" ] ||
		fail "$1 does not define:" "$(tr '\n' ' ' <"$work/missing")"
	[ ! -s "$work/extra" ] ||
		fail "$1 exports besides:" "$(tr '\n' ' ' <"$work/extra")"
}
compare libnumaslab "$core" "$work/core" "$work/core"
compare libnumaslab_malloc "$full" "$work/full" "$work/full-at-most"

# The symbol script names exactly the public functions.
sed -n 's/^\t\([A-Za-z_]*\);$/\1/p' "$top_srcdir/src/numaslab.sym" | sort -u \
	>"$work/script"
sed 's/@.*//' "$work/core" | sort -u >"$work/names"
cmp -s "$work/script" "$work/names" || {
	diff "$work/names" "$work/script" || true
	fail "headers (<) and src/numaslab.sym (>) differ"
}

# The static libraries define the same for those who link them.
for pair in "libnumaslab.a core" "libnumaslab_malloc.a full"; do
	set -- $pair
	nm --defined-only "$top_builddir/.libs/$1" 2>/dev/null |
		awk '$2 ~ /[TWDBRVi]/ { print $3 }' | sort -u >"$work/static"
	sed 's/@.*//' "$work/$2" | sort -u | comm -23 - "$work/static" \
		>"$work/missing"
	[ ! -s "$work/missing" ] ||
		fail "$1 does not define:" "$(tr '\n' ' ' <"$work/missing")"
done

# Nothing but libc is needed, so nothing allocates before we are there.
for library in "$core" "$full"; do
	needed=$(readelf -d "$library" |
		sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -vE '^(libc\.so\.6|ld-linux.*)$' || true)
	[ -z "$needed" ] || fail "$(basename "$library") needs $needed"
	soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
	[ "$soname" = "$(basename "$library").0" ] || fail "SONAME is $soname"
	# Thread-local storage is a few words, reachable by dlopen.
	tls=$(readelf -lW "$library" | awk '$1 == "TLS" { print $6 }')
	tls=$((${tls:-0}))
	[ $tls -le 256 ] || fail "$(basename "$library"): $tls bytes TLS"
	if readelf -rW "$library" | grep -E 'DTPMOD|TLSDESC'; then
		fail "$(basename "$library"): TLS is not initial-exec"
	fi
	# libc's memory comes from us: these would be somebody else's.
	if nm -D --undefined-only "$library" | awk '{ print $NF }' |
		grep -xE '(malloc|calloc|realloc|free|mmap64)(@.*)?' |
		grep -v mmap; then
		fail "$(basename "$library") calls libc's allocator"
	fi
done
exit $failed
