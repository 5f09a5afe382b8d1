// SPDX-License-Identifier: BSD-2-Clause
// Every operator new and delete of C++17, and what happens without memory.
#include "tests/malloc/malloc_test.h"

#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

static const std::size_t absurd[] = {
	std::size_t(PTRDIFF_MAX),
	std::size_t(PTRDIFF_MAX) + 1,
	SIZE_MAX - 4096,
	SIZE_MAX,
};

// By their names, so that no compiler leaves a pair of them out.
#define PLAIN(op, size) hide(::operator op(hide_size(size)))

static void
check_block(void *p, std::size_t size, std::size_t align, const char *what)
{
	CHECK_MSG(p != nullptr && in_heap(p) &&
		      (uintptr_t(p) & (align - 1)) == 0 &&
		      malloc_usable_size(p) >= size,
		  "%s(%zu), align %zu: %p", what, size, align, p);
	REQUIRE(p != nullptr);
	std::memset(p, 0x5a, size);
}

static void
test_plain(std::size_t n)
{
	void *p = PLAIN(new, n);

	check_block(p, n, 16, "new");
	::operator delete(p);
	p = PLAIN(new, n);
	check_block(p, n, 16, "new");
	::operator delete(p, n);
	p = PLAIN(new[], n);
	check_block(p, n, 16, "new[]");
	::operator delete[](p);
	p = PLAIN(new[], n);
	check_block(p, n, 16, "new[]");
	::operator delete[](p, n);
	p = hide(::operator new(n, std::nothrow));
	check_block(p, n, 16, "new nothrow");
	::operator delete(p, std::nothrow);
	p = hide(::operator new[](n, std::nothrow));
	check_block(p, n, 16, "new[] nothrow");
	::operator delete[](p, std::nothrow);
	// malloc's and new's are one heap.
	free(PLAIN(new, n));
	::operator delete(hide(malloc(n)));
}

static void
test_aligned(std::size_t n, std::size_t align)
{
	std::align_val_t a{ align };
	void *p = hide(::operator new(n, a));

	check_block(p, n, align, "new aligned");
	::operator delete(p, a);
	p = hide(::operator new(n, a));
	check_block(p, n, align, "new aligned");
	::operator delete(p, n, a);
	p = hide(::operator new[](n, a));
	check_block(p, n, align, "new[] aligned");
	::operator delete[](p, a);
	p = hide(::operator new[](n, a));
	check_block(p, n, align, "new[] aligned");
	::operator delete[](p, n, a);
	p = hide(::operator new(n, a, std::nothrow));
	check_block(p, n, align, "new aligned nothrow");
	::operator delete(p, a, std::nothrow);
	p = hide(::operator new[](n, a, std::nothrow));
	check_block(p, n, align, "new[] aligned nothrow");
	::operator delete[](p, a, std::nothrow);
}

template <typename F>
static bool
throws(F f)
{
	try {
		hide(f());
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

static void
test_bad_alloc()
{
	const std::align_val_t a{ hide_size(256) };
	const std::align_val_t big{ hide_size(std::size_t(1) << 62) };

	for (std::size_t i : absurd) {
		std::size_t n = hide_size(i);

		CHECK(throws([n] { return ::operator new(n); }));
		CHECK(throws([n] { return ::operator new[](n); }));
		CHECK(throws([n, a] { return ::operator new(n, a); }));
		CHECK(throws([n, a] { return ::operator new[](n, a); }));
		CHECK_EQ(::operator new(n, std::nothrow), nullptr);
		CHECK_EQ(::operator new[](n, std::nothrow), nullptr);
		CHECK_EQ(::operator new(n, a, std::nothrow), nullptr);
		CHECK_EQ(::operator new[](n, a, std::nothrow), nullptr);
	}
	CHECK(throws([big] { return ::operator new(1, big); }));
	CHECK_EQ(::operator new(1, big, std::nothrow), nullptr);
	CHECK(throws([] {
		std::vector<char> v;
		v.reserve(hide_size(PTRDIFF_MAX));
		hide(v.data());
		return nullptr;
	}));
}

// Destructors between throw and catch run: the frames are unwound.
struct Counted {
	int *n;
	explicit Counted(int *to) : n(to)
	{
	}
	~Counted()
	{
		++*n;
	}
};

static __attribute__((noinline)) void *
three_deep(int depth, int *n)
{
	Counted c(n);

	return depth == 0 ? ::operator new(hide_size(SIZE_MAX))
			  : three_deep(depth - 1, n);
}

static void
test_unwinding()
{
	int n = 0;

	CHECK(throws([&n] { return three_deep(2, &n); }));
	CHECK_EQ(n, 3);
}

static int calls;

static void
give_up_after_three()
{
	if (++calls == 3)
		std::set_new_handler(nullptr);
}

static void
throwing_handler()
{
	++calls;
	throw std::bad_alloc();
}

static rlimit data_limit;

// Makes room: what the handler is for.
static void
raise_limit()
{
	++calls;
	setrlimit(RLIMIT_DATA, &data_limit);
}

static void
test_handlers()
{
	const std::size_t n = hide_size(SIZE_MAX - 64);
	const std::align_val_t a{ hide_size(64) };

	calls = 0;
	std::set_new_handler(give_up_after_three);
	CHECK(throws([n] { return ::operator new(n); }));
	CHECK_EQ(calls, 3);
	calls = 0;
	std::set_new_handler(give_up_after_three);
	CHECK(throws([n, a] { return ::operator new[](n, a); }));
	CHECK_EQ(calls, 3);
	calls = 0;
	std::set_new_handler(give_up_after_three);
	CHECK_EQ(::operator new(n, std::nothrow), nullptr);
	CHECK_EQ(calls, 3);
	calls = 0;
	std::set_new_handler(throwing_handler);
	CHECK(throws([n] { return ::operator new(n); }));
	CHECK_EQ(calls, 1);
	CHECK_EQ(::operator new(n, std::nothrow), nullptr);
	CHECK_EQ(::operator new[](n, std::nothrow), nullptr);
	CHECK_EQ(::operator new(n, a, std::nothrow), nullptr);
	CHECK_EQ(::operator new[](n, a, std::nothrow), nullptr);
	CHECK_EQ(calls, 5);
	// A handler is nobody's business while there is memory.
	::operator delete(PLAIN(new, 100));
	::operator delete(PLAIN(new, 1000000));
	CHECK_EQ(calls, 5);
	std::set_new_handler(nullptr);
}

static void
test_handler_helps()
{
	const std::size_t big = 256 << 20;
	rlimit low;
	void *p;

	REQUIRE(getrlimit(RLIMIT_DATA, &data_limit) == 0);
	low = data_limit;
	low.rlim_cur = 64 << 20;
	REQUIRE(setrlimit(RLIMIT_DATA, &low) == 0);
	CHECK(throws([] { return ::operator new(hide_size(big)); }));
	calls = 0;
	std::set_new_handler(raise_limit);
	p = hide(::operator new(big));
	check_block(p, 1, 16, "new after the handler helped");
	CHECK_EQ(calls, 1);
	::operator delete(p);
	std::set_new_handler(nullptr);
}

struct alignas(128) Line {
	char c[128];
};

struct alignas(8192) Page {
	char c[8192];
};

// What programs write, by many threads.
static void
use_library(unsigned seed)
{
	std::vector<std::string> strings;
	std::vector<Line> lines;
	uint64_t state = seed;

	for (unsigned i = 0; i < 3000; i++) {
		strings.emplace_back(test_random(&state) % 500,
				     char('a' + i % 26));
		if (i % 7 == 0)
			strings.erase(
			    strings.begin() +
			    long(test_random(&state) % strings.size()));
		lines.emplace_back();
		CHECK_EQ(uintptr_t(&lines.back()) % 128, 0);
	}
	for (const std::string &s : strings)
		for (char c : s)
			REQUIRE(c == s[0]);
	Page *p = new Page[3];
	CHECK_EQ(uintptr_t(p) % 8192, 0);
	delete[] p;
}

int
main()
{
	std::vector<std::thread> threads;
	std::size_t n, align;

	REQUIRE(is_ours());
	for (n = 0; n <= 2000; n += n < 300 ? 1 : 17)
		test_plain(n);
	for (n = 4096; n <= 4 << 20; n *= 2)
		test_plain(n + 1);
	for (align = 1; align <= 2 << 20; align *= 2)
		for (n = 0; n <= 3 * align && n < 1 << 20; n += align / 2 + 1)
			test_aligned(n, align < 16 ? 16 : align);
	test_bad_alloc();
	test_unwinding();
	test_handlers();
	test_handler_helps();
	for (unsigned i = 1; i <= 4; i++)
		threads.emplace_back(use_library, i);
	for (std::thread &t : threads)
		t.join();
	return test_done();
}
