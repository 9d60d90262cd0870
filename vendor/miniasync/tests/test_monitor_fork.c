/* SPDX-License-Identifier: BSD-3-Clause */
/* test_monitor_fork.c -- monitors in forked children, and what parents notice */

#include "forked.h"
#include "probe.h"
#include "watching.h"

static struct future_monitor *monitor;
static struct probe probes[3];

static void
add_all(void)
{
	for (size_t i = 0; i < T_COUNT(probes); i++) {
		probe_init(&probes[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(monitor, probe_future(&probes[i]),
				  &probes[i]),
			0);
	}
}

static void
child_that_deletes_a_monitor(void *arg)
{
	const int fd = future_monitor_fd(monitor);

	(void)arg;
	future_monitor_delete(monitor);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	/* and has monitors of its own */
	monitor = new_monitor();
	add_all();
	probe_finish(&probes[1]);
	CHECK(next_woken(monitor) == &probes[1]);
	future_monitor_delete(monitor);
}

/* What it wakes stays in the child, also when it must not run but does. */
static void
child_that_wakes(void *arg)
{
	void *done[3];

	(void)arg;
	for (size_t i = 0; i < T_COUNT(probes); i++)
		probe_finish(&probes[i]);
	(void)future_monitor_run(monitor, done, 3);
	future_monitor_delete(monitor);
}

static void
a_child_is_not_noticed(void)
{
	monitor = new_monitor();
	add_all();
	CHECK_CHILD(child_that_deletes_a_monitor, NULL, CHILD_SECONDS);
	CHECK_CHILD(child_that_wakes, NULL, CHILD_SECONDS);
	CHECK_INT(readable(monitor, 0), 0);
	CHECK_INT(future_monitor_count(monitor), 3);
	/* nor does it take away what the parent has rung */
	probe_finish(&probes[2]);
	CHECK_CHILD(child_that_wakes, NULL, CHILD_SECONDS);
	CHECK_CHILD(child_that_deletes_a_monitor, NULL, CHILD_SECONDS);
	CHECK_INT(readable(monitor, 0), 1);
	CHECK(next_woken(monitor) == &probes[2]);
	probe_finish(&probes[0]);
	CHECK(next_woken(monitor) == &probes[0]);
	future_monitor_delete(monitor);
}

static enum how how;

/* The operation that a thread of the parent executes, and one that waits. */
static void
child_of_a_running_copy(void *arg)
{
	(void)arg;
	future_monitor_delete(monitor);
	/* so that the gate does not hold what this thread copies itself */
	t_open(&gate);
	for (int i = 0; i < 2; i++) {
		finish(how, copy_future(&copies[i]));
		if (i == 0)
			CHECK_INT(copies[i].fut.output.result,
				VDM_ERROR_JOB_CORRUPTED);
		else
			copy_check(&copies[i]);
	}
	teardown();
	t_end_child_unchecked();
}

static void
with_running_copies(void)
{
	for (int i = 0; i < HOWS; i++) {
		how = (enum how)i;
		setup(1, FUTURE_NOTIFIER_WAKER);
		monitor = new_monitor();
		for (int j = 0; j < 2; j++) {
			copy_init(&copies[j], data_mover_threads_get_vdm(mover),
				(uint64_t)j);
			CHECK_INT(future_monitor_add(monitor,
					  copy_future(&copies[j]), &copies[j]),
				0);
		}
		t_pass(&gate_entered);
		CHECK_CHILD(child_of_a_running_copy, NULL, CHILD_SECONDS);
		CHECK_INT(readable(monitor, 0), 0);
		for (int j = 0; j < 2; j++) {
			t_open(&gate);
			CHECK(next_woken(monitor) == &copies[j]);
			copy_check(&copies[j]);
		}
		future_monitor_delete(monitor);
		teardown();
	}
}

/* Its place in a program that is started: none. */
static void
closed_by_exec(void)
{
	char command[64];

	monitor = new_monitor();
	snprintf(command, sizeof(command), "[ ! -e /dev/fd/%d ]",
		future_monitor_fd(monitor));
	CHECK_INT(system(command), 0);
	future_monitor_delete(monitor);
}

T_MAIN(T_CASE(a_child_is_not_noticed), T_CASE(with_running_copies),
	T_CASE(closed_by_exec))
