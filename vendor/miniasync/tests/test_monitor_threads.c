/* SPDX-License-Identifier: BSD-3-Clause */
/* test_monitor_threads.c -- a monitor and the operations of the movers */

#include "gated.h"
#include "watching.h"

#define MANY 3000

static struct future_monitor *monitor;

static void
add_copy(struct copy *c, struct vdm *vdm, uint64_t seed)
{
	copy_init(c, vdm, seed);
	CHECK_INT(future_monitor_add(monitor, copy_future(c), c), 0);
}

/* The worker wakes the descriptor, and the first poll after it is the last. */
static void
a_worker_makes_it_readable(void)
{
	static const enum future_notifier_type types[] = {FUTURE_NOTIFIER_NONE,
		FUTURE_NOTIFIER_WAKER, FUTURE_NOTIFIER_POLLER};
	struct copy c;

	monitor = new_monitor();
	for (size_t i = 0; i < T_COUNT(types); i++) {
		struct data_mover_threads *m = gated_new(1, types[i]);
		void *done[1];

		for (int j = 0; j < 50; j++) {
			add_copy(&c, data_mover_threads_get_vdm(m),
				(uint64_t)j);
			t_pass(&gate_entered);
			CHECK_INT(readable(monitor, 0), 0);
			run_in_vain(monitor);
			t_open(&gate);
			/* in those without a waker, too: a cell was offered */
			CHECK_INT(readable(monitor, -1), 1);
			CHECK_INT(future_monitor_run(monitor, done, 1), 1);
			CHECK(done[0] == &c);
			copy_check(&c);
		}
		data_mover_threads_delete(m);
	}
	future_monitor_delete(monitor);
}

/* The event loop's thread copies what is small, and nothing else. */
static void
who_executes(void)
{
	static unsigned char to[2][1 << 20];
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	struct vdm_operation_future f;
	struct copy c;

	monitor = new_monitor();
	data_mover_threads_set_inline_below(m, 1);
	add_copy(&c, vdm, 1);
	t_pass(&gate_entered);
	/* the one worker is held at the gate */
	f = vdm_memset(vdm, to[0], 1, 8 << 10, 0);
	CHECK_INT(future_monitor_add(monitor, FUTURE_AS_RUNNABLE(&f), NULL),
		EALREADY);
	CHECK_INT(to[0][(8 << 10) - 1], 1);
	f = vdm_memset(vdm, to[1], 1, sizeof(to[1]), 0);
	CHECK_INT(future_monitor_add(monitor, FUTURE_AS_RUNNABLE(&f), &f), 0);
	CHECK_INT(to[1][0], 0);
	t_open(&gate);
	CHECK(next_woken(monitor) == &c);
	CHECK(next_woken(monitor) == &f);
	CHECK_INT(to[1][sizeof(to[1]) - 1], 1);
	future_monitor_delete(monitor);
	data_mover_threads_delete(m);
}

static void
the_synchronous_mover(void)
{
	struct data_mover_sync *m = data_mover_sync_new();
	struct copy c;

	CHECK(m != NULL);
	monitor = new_monitor();
	copy_init(&c, data_mover_sync_get_vdm(m), 1);
	CHECK_INT(future_monitor_add(monitor, copy_future(&c), NULL), EALREADY);
	copy_check(&c);
	future_monitor_delete(monitor);
	data_mover_sync_delete(m);
}

static void
many(void)
{
	struct data_mover_threads *m = new_queueing_mover(2);
	struct copy *c = t_malloc(MANY * sizeof(*c));
	int watched = 0;

	monitor = new_monitor();
	for (int i = 0; i < MANY; i++) {
		int rc;

		copy_init(&c[i], data_mover_threads_get_vdm(m), (uint64_t)i);
		rc = future_monitor_add(monitor, copy_future(&c[i]), &c[i]);
		CHECK(rc == 0 || rc == EALREADY);
		watched += rc == 0;
	}
	while (watched > 0) {
		void *done[50];
		size_t n = future_monitor_run(monitor, done, T_COUNT(done));

		for (size_t i = 0; i < n; i++)
			copy_check(done[i]);
		watched -= (int)n;
		CHECK_INT(future_monitor_count(monitor), watched);
		if (watched > 0)
			CHECK_INT(readable(monitor, -1), 1);
	}
	for (int i = 0; i < MANY; i++)
		copy_check(&c[i]);
	future_monitor_delete(monitor);
	data_mover_threads_delete(m);
	free(c);
}

/* Operations go on without the monitor, and end in its memory. */
static void
the_monitor_may_go_first(void)
{
	struct data_mover_threads *m = gated_new(2, FUTURE_NOTIFIER_WAKER);
	struct future_waiter *w = new_waiter();
	struct copy c[2];

	for (int i = 0; i < 50; i++) {
		int fd;

		monitor = new_monitor();
		fd = future_monitor_fd(monitor);
		for (int j = 0; j < 2; j++) {
			add_copy(&c[j], data_mover_threads_get_vdm(m),
				(uint64_t)i);
			t_pass(&gate_entered);
		}
		if (i % 3 == 0)
			CHECK_INT(future_monitor_remove(monitor,
					  copy_future(&c[i % 2])),
				0);
		future_monitor_delete(monitor);
		/* kept, so that a wake hits nothing else */
		CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		t_open(&gate);
		t_open(&gate);
		for (int j = 0; j < 2; j++) {
			if (i % 2 == 0)
				wait_with(w, copy_future(&c[j]));
			else
				poll_out(copy_future(&c[j]));
			copy_check(&c[j]);
		}
	}
	future_waiter_delete(w);
	data_mover_threads_delete(m);
}

/* When the last operation is through, the descriptor is closed. */
static void
the_descriptor_goes_with_the_last(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct copy c;
	int fd;

	monitor = new_monitor();
	fd = future_monitor_fd(monitor);
	add_copy(&c, data_mover_threads_get_vdm(m), 1);
	future_monitor_delete(monitor);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	t_open(&gate);
	poll_out(copy_future(&c));
	/* ends the worker */
	data_mover_threads_delete(m);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

/* From the monitor into a wait, and back into a monitor. */
static void
moves_around(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct future_waiter *w = new_waiter();
	struct future_monitor *other = new_monitor();
	struct copy c;
	struct future *fut = copy_future(&c);

	monitor = new_monitor();
	for (int i = 0; i < 50; i++) {
		add_copy(&c, data_mover_threads_get_vdm(m), (uint64_t)i);
		t_pass(&gate_entered);
		CHECK_INT(future_monitor_remove(monitor, fut), 0);
		CHECK_INT(future_waiter_wait(w, &fut, 1, 1, 0, 0), ETIMEDOUT);
		CHECK_INT(future_monitor_add(other, fut, &c), 0);
		t_open(&gate);
		CHECK(next_woken(other) == &c);
		copy_check(&c);
		/* its first waker is forgotten */
		CHECK_INT(readable(monitor, 0), 0);
	}
	future_monitor_delete(monitor);
	future_monitor_delete(other);
	future_waiter_delete(w);
	data_mover_threads_delete(m);
}

struct two_copies_data {
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, first);
	FUTURE_CHAIN_ENTRY_LAST(struct vdm_operation_future, second);
};
struct two_copies_output {
	int unused;
};
FUTURE(two_copies, struct two_copies_data, struct two_copies_output);

/* Each step is started by the run that sees the end of the one before. */
static void
chains(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	unsigned char a[64];
	unsigned char b[64];
	unsigned char c[64];

	monitor = new_monitor();
	for (int i = 0; i < 50; i++) {
		struct two_copies chain;

		t_fill(a, sizeof(a), (uint64_t)i);
		FUTURE_CHAIN_ENTRY_INIT(&chain.data.first,
			vdm_memcpy(vdm, b, a, sizeof(a), 0), NULL, NULL);
		FUTURE_CHAIN_ENTRY_INIT(&chain.data.second,
			vdm_memcpy(vdm, c, b, sizeof(a), 0), NULL, NULL);
		FUTURE_CHAIN_INIT(&chain);
		CHECK_INT(future_monitor_add(monitor,
				  FUTURE_AS_RUNNABLE(&chain), &chain),
			0);
		t_pass(&gate_entered);
		t_open(&gate);
		/* more than once if the last ring of all came late */
		while (FUTURE_STATE(&chain.data.first.fut) !=
			FUTURE_STATE_COMPLETE) {
			CHECK_INT(readable(monitor, -1), 1);
			run_in_vain(monitor);
		}
		t_pass(&gate_entered);
		CHECK(memcmp(a, b, sizeof(a)) == 0);
		t_open(&gate);
		CHECK(next_woken(monitor) == &chain);
		CHECK(memcmp(a, c, sizeof(a)) == 0);
	}
	future_monitor_delete(monitor);
	data_mover_threads_delete(m);
}

T_MAIN(T_CASE(a_worker_makes_it_readable), T_CASE(who_executes),
	T_CASE(the_synchronous_mover), T_CASE(many),
	T_CASE(the_monitor_may_go_first),
	T_CASE(the_descriptor_goes_with_the_last), T_CASE(moves_around),
	T_CASE(chains))
