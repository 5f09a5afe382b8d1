/* SPDX-License-Identifier: BSD-2-Clause */
/* base/base.h: rounding and bit arithmetic, against their definitions. */
#include "base/base.h"
#include "tests/test.h"

static void
test_rounding(void)
{
	for (size_t align = 1; align <= 4096; align *= 2) {
		for (size_t n = 0; n < 3 * align; n += align / 16 + 1) {
			CHECK_EQ(ns_round_up(n, align),
				 (n + align - 1) / align * align);
			CHECK_EQ(ns_round_down(n, align), n / align * align);
		}
	}
}

static void
test_logarithms(void)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		size_t n = 1ul << bit;

		CHECK_EQ(ns_log2_floor(n), bit);
		CHECK_EQ(ns_log2_floor(n | (n - 1)), bit);
		CHECK_EQ(ns_ctz(n), bit);
		CHECK_EQ(ns_ctz(n | 1ul << 63), bit);
		CHECK(ns_is_pow2(n));
		CHECK_EQ(ns_is_pow2(n | 1), bit == 0);
	}
	CHECK(!ns_is_pow2(0));
	CHECK_EQ(ns_min(3, 5), 3);
	CHECK_EQ(ns_min(5, 3), 3);
	CHECK_EQ(ns_max(3, 5), 5);
	CHECK_EQ(ns_max(SIZE_MAX, 0), SIZE_MAX);
}

static void
test_container_of(void)
{
	struct outer {
		int before, member, after;
	} o;

	CHECK_EQ(ns_container_of(&o.member, struct outer, member), &o);
	CHECK_EQ(ns_container_of(&o.before, struct outer, before), &o);
}

int
main(void)
{
	test_rounding();
	test_logarithms();
	test_container_of();
	return test_done();
}
