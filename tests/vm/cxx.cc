// SPDX-License-Identifier: BSD-2-Clause
// The header in C++: no cast, no warning, C linkage.
#include <numaslab/vm_page.h>

#include "tests/test.h"

#include <memory>

struct page_free {
	void operator()(vm_page_t m) const
	{
		vm_page_free(m);
	}
};

int
main()
{
	using page = std::unique_ptr<vm_page, page_free>;
	page m(vm_page_alloc(nullptr, 0,
			     VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ | VM_ALLOC_ZERO |
				 VM_ALLOC_WIRED));

	REQUIRE(m != nullptr);
	CHECK_EQ(vm_page_flags(m.get()) & PG_ZERO, PG_ZERO);
	CHECK(vm_page_wired(m.get()));
	CHECK(vm_page_unwire(m.get(), PQ_NONE));
	CHECK_EQ(vm_page_alloc(nullptr, 0, 0), nullptr);
	CHECK_EQ(errno, EINVAL);
	return test_done();
}
