/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_one_cpu.c -- all threads on one processor
 *
 * Who waits must not keep it from those who are to complete what is waited for.
 * The library finds out once how many processors there are, hence a program.
 */

#include "gated.h"
#include "probe.h"

static void *
finish_when_polled(void *arg)
{
	struct probe *p = arg;

	probe_await(p, 3);
	probe_finish(p);
	return NULL;
}

/* It polls all the time at first, and later naps in between. */
static void
polled_ones(void)
{
	struct runtime *r = new_runtime();

	for (int i = 0; i < 100; i++) {
		const enum probe_kind kind = i % 2 ? PROBE_NONE : PROBE_POLLER;
		pthread_t other;
		struct probe p;

		probe_init(&p, kind);
		t_start(&other, finish_when_polled, &p);
		runtime_wait(r, probe_future(&p));
		t_join(other);
		probe_fini(&p);
	}
	runtime_delete(r);
}

/* Polled once, by the wait, and woken when it has. */
static void *
open_the_gate(void *arg)
{
	(void)arg;
	t_pass(&gate_entered);
	t_open(&gate);
	return NULL;
}

static void
woken_ones(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct future_waiter *w = new_waiter();

	for (int i = 0; i < 100; i++) {
		pthread_t opener;
		struct copy c;

		copy_init(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		t_start(&opener, open_the_gate, NULL);
		wait_with(w, copy_future(&c));
		t_join(opener);
		copy_check(&c);
	}
	future_waiter_delete(w);
	data_mover_threads_delete(m);
}

static void
the_default_mover(void)
{
	struct data_mover_threads *m = data_mover_threads_default();

	CHECK(m != NULL);
#if defined(__linux__) && !defined(MA_PORTABLE)
	/* elsewhere the library does not know what a process may use */
	CHECK_INT(data_mover_threads_get_nthreads(m), 1);
#endif
	data_mover_threads_delete(m);
}

int
main(int argc, char *argv[])
{
	static const struct t_case cases[] = {
		T_CASE(polled_ones),
		T_CASE(woken_ones),
		T_CASE(the_default_mover),
	};
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		t_skip("the processors of this process are not known");
	for (cpu = 0; !CPU_ISSET(cpu, &set); cpu++)
		;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		t_skip("the processors of this process cannot be chosen");
	return t_run(cases, T_COUNT(cases), argc, argv);
}
