/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VM_ALLOC_INTERRUPT in a signal handler that interrupts the very functions
 * it calls, thousands of times, on a node that is nearly full.
 */
#include "tests/vm/vm_test.h"

#define BOXES   256
#define SIGNALS 1500

static vm_page_t box[BOXES]; /* [a] from the handler to the thread */
static uint32_t next, taken, failed, done; /* [a] */

static void
handler(int sig)
{
	int saved = errno;
	vm_page_t m, none = NULL;

	(void)sig;
	errno = 0;
	m = vm_page_alloc(NULL, 0, INTERRUPT);
	if (m == NULL) {
		ns_add_relaxed(&failed, 1u);
		if (errno != ENOMEM)
			abort();
	} else if (!ns_cas_acq_rel(&box[next % BOXES], &none, m)) {
		abort(); /* the boxes were emptied before the next signal */
	} else {
		*(vm_page_t *)vm_page_addr(m) = m;
		next++;
		ns_add_relaxed(&taken, 1u);
	}
	errno = saved;
}

static void
empty_boxes(void)
{
	for (size_t i = 0; i < BOXES; i++) {
		vm_page_t m = ns_xchg_acq_rel(&box[i], NULL);

		if (m == NULL)
			continue;
		CHECK_EQ(*(vm_page_t *)vm_page_addr(m), m);
		vm_page_free(m);
	}
}

static void *
send_signals(void *arg)
{
	pthread_t victim = *(pthread_t *)arg;
	uint32_t before;

	for (int i = 0; i < SIGNALS; i++) {
		before = ns_load_acquire(&taken) + ns_load_acquire(&failed);
		pthread_kill(victim, SIGUSR1);
		while (ns_load_acquire(&taken) + ns_load_acquire(&failed) ==
		       before)
			usleep(20);
	}
	ns_store_release(&done, 1u);
	return NULL;
}

static void
in_handler(void *arg)
{
	struct sigaction sa = { .sa_handler = handler };
	struct set s = { NULL, 0, 0 };
	pthread_t self = pthread_self(), sender;
	struct ns_vm_stat st;
	uint64_t rnd = 3;
	vm_page_t m;

	boot(arg);
	REQUIRE((m = vm_page_alloc(NULL, 0, NORMAL)) != NULL);
	vm_page_free(m);
	REQUIRE(sigaction(SIGUSR1, &sa, NULL) == 0);
	REQUIRE(pthread_create(&sender, NULL, send_signals, &self) == 0);
	while (ns_load_acquire(&done) == 0) {
		if (test_random(&rnd) % 2 == 0) {
			m = vm_page_alloc(NULL, 0,
					  test_random(&rnd) % 2
					      ? NORMAL
					      : NORMAL | VM_ALLOC_ZERO);
			if (m != NULL)
				set_add(&s, m);
		} else if (s.n > 0) {
			set_free_last(&s);
		}
		if (test_random(&rnd) % 4096 == 0)
			set_free(&s);
		empty_boxes();
	}
	pthread_join(sender, NULL);
	empty_boxes();
	set_free(&s);
	ns_vm_check(0);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.free + st.reserve, st.pages);
	CHECK_EQ(taken + failed, SIGNALS);
	CHECK(taken > 0);
}

int
main(void)
{
	static struct machine machines[] = { { .limit = 0 },
					     { .limit = 1 << 20 } };

	CASE(in_handler, &machines[0]);
	CASE(in_handler, &machines[1]);
	return test_done();
}
