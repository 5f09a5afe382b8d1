/* SPDX-License-Identifier: BSD-2-Clause */
/* base/list.h, against an array that says what the list should hold. */
#include "base/list.h"
#include "tests/test.h"

#define ITEMS 64

struct item {
	unsigned value;
	struct ns_list link;
};

static struct item items[ITEMS];
static struct ns_list head;
static unsigned model[ITEMS], len; /* values, first to last */

static void
check_against_model(void)
{
	struct ns_list *pos;
	unsigned i = 0;

	ns_list_for_each (pos, &head) {
		REQUIRE(i < len);
		CHECK_EQ(ns_container_of(pos, struct item, link)->value,
			 model[i]);
		CHECK_EQ(pos->next->prev, pos);
		CHECK_EQ(pos->prev->next, pos);
		i++;
	}
	CHECK_EQ(i, len);
	CHECK_EQ(ns_list_empty(&head), len == 0);
	if (len > 0)
		CHECK_EQ(ns_list_first(&head, struct item, link)->value,
			 model[0]);
}

static int
find(unsigned value)
{
	for (unsigned i = 0; i < len; i++)
		if (model[i] == value)
			return (int)i;
	return -1;
}

static void
insert(unsigned value, bool front)
{
	if (front) {
		memmove(model + 1, model, len * sizeof(*model));
		model[0] = value;
		ns_list_push(&head, &items[value].link);
	} else {
		model[len] = value;
		ns_list_append(&head, &items[value].link);
	}
	len++;
}

static void
remove_at(unsigned i)
{
	struct item *it = &items[model[i]];

	ns_list_remove(&it->link);
	CHECK(ns_list_empty(&it->link));
	ns_list_remove(&it->link); /* twice is harmless */
	len--;
	memmove(model + i, model + i + 1, (len - i) * sizeof(*model));
}

static void
test_random_operations(void)
{
	uint64_t seed = 42;

	for (int round = 0; round < 20000; round++) {
		unsigned value = (unsigned)(test_random(&seed) % ITEMS);
		int at = find(value);

		if (at >= 0)
			remove_at((unsigned)at);
		else
			insert(value, test_random(&seed) & 1);
		if (round % 16 == 0)
			check_against_model();
	}
}

static void
test_removing_while_walking(void)
{
	struct ns_list *pos, *tmp;
	unsigned seen = 0;

	while (len > 0)
		remove_at(0);
	for (unsigned v = 0; v < ITEMS; v++)
		insert(v, false);
	ns_list_for_each_safe (pos, tmp, &head) {
		CHECK_EQ(ns_container_of(pos, struct item, link)->value, seen);
		seen++;
		ns_list_remove(pos);
	}
	CHECK_EQ(seen, ITEMS);
	CHECK(ns_list_empty(&head));
}

int
main(void)
{
	for (unsigned v = 0; v < ITEMS; v++) {
		items[v].value = v;
		ns_list_init(&items[v].link);
	}
	ns_list_init(&head);
	check_against_model();
	test_random_operations();
	test_removing_while_walking();
	return test_done();
}
