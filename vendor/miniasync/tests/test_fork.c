/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fork.c -- row 15: movers, operations and runtimes in a forked child
 *
 * Forks while other threads poll and wake: test_fork_threads.c.
 */

#include "forked.h"

static struct vdm_operation_future fill;
static unsigned char filled[1000];

static void
nothing_pending(void)
{
	for (int type = 0; type <= FUTURE_NOTIFIER_POLLER; type++) {
		setup(2, (enum future_notifier_type)type);
		use_inherited_mover();
		CHECK_CHILD(child_of_an_idle_mover, NULL, CHILD_SECONDS);
		use_inherited_mover();
		CHECK_CHILD(child_of_an_idle_mover, NULL, CHILD_SECONDS);
		teardown();
	}
}

/* A copy in the child passes the gate at once. */
static void
child_of_unpolled_ones(void *arg)
{
	(void)arg;
	for (int i = 0; i < 8; i++)
		t_open(&gate);
	poll_out(copy_future(&copies[0]));
	copy_check(&copies[0]);
	runtime_wait(runtime, copy_future(&copies[1]));
	copy_check(&copies[1]);
	CHECK_INT(vdm_operation_release(&copies[2].fut), 0);
	CHECK_INT(FUTURE_STATE(&copies[2].fut), FUTURE_STATE_COMPLETE);
	teardown();
}

static void
never_polled(void)
{
	setup(2, FUTURE_NOTIFIER_WAKER);
	for (int i = 0; i < 8; i++)
		copy_init(&copies[i], data_mover_threads_get_vdm(mover), 1);
	CHECK_CHILD(child_of_unpolled_ones, NULL, CHILD_SECONDS);
	CHECK_CHILD(child_that_deletes, NULL, CHILD_SECONDS);
	/* the child's copies did not happen here */
	for (int i = 0; i < 8; i++) {
		CHECK_INT(FUTURE_STATE(&copies[i].fut), FUTURE_STATE_IDLE);
		CHECK_INT(copies[i].dst[0] | copies[i].dst[1], 0);
		t_open(&gate);
	}
	for (int i = 0; i < 8; i++) {
		poll_out(copy_future(&copies[i]));
		copy_check(&copies[i]);
	}
	teardown();
}

/* Number 0 was being executed, 1 and the fill stood behind it. */
static void
child_of_a_busy_worker(void *arg)
{
	enum how how = *(enum how *)arg;

	/* begun by a worker that is not here: nobody knows how far it got */
	finish(how, copy_future(&copies[0]));
	CHECK_INT(copies[0].fut.output.type, VDM_OPERATION_MEMCPY);
	CHECK_INT(copies[0].fut.output.result, VDM_ERROR_JOB_CORRUPTED);
	CHECK(copies[0].fut.output.output.memcpy.dest == NULL);
	/* not begun: it runs in this thread, through the gate and all */
	finish(how, FUTURE_AS_RUNNABLE(&fill));
	CHECK_INT(fill.output.result, VDM_SUCCESS);
	CHECK(fill.output.output.memset.str == filled);
	for (size_t i = 0; i < sizeof(filled); i++)
		CHECK_INT(filled[i], 'f');
	t_open(&gate);
	finish(how, copy_future(&copies[1]));
	copy_check(&copies[1]);
	use_inherited_mover();
	use_new_things();
	teardown();
}

static void
busy_and_queued(void)
{
	for (int type = 0; type <= FUTURE_NOTIFIER_POLLER; type++) {
		for (int how = 0; how < HOWS; how++) {
			struct vdm *vdm;

			setup(1, (enum future_notifier_type)type);
			vdm = data_mover_threads_get_vdm(mover);
			for (int i = 0; i < 2; i++)
				copy_init(&copies[i], vdm, (uint64_t)i);
			memset(filled, 0, sizeof(filled));
			fill = vdm_memset(vdm, filled, 'f', sizeof(filled), 0);
			CHECK_INT(copy_poll(&copies[0], NULL),
				FUTURE_STATE_RUNNING);
			t_pass(&gate_entered);
			CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&fill), NULL),
				FUTURE_STATE_RUNNING);
			CHECK_INT(copy_poll(&copies[1], NULL),
				FUTURE_STATE_RUNNING);
			CHECK_CHILD(child_of_a_busy_worker, &how,
				CHILD_SECONDS);
			CHECK_CHILD(child_that_deletes, NULL, CHILD_SECONDS);
			/* here everything goes its way */
			for (int i = 0; i < 2; i++)
				t_open(&gate);
			poll_out(copy_future(&copies[0]));
			copy_check(&copies[0]);
			runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fill));
			CHECK_INT(fill.output.result, VDM_SUCCESS);
			CHECK_INT(filled[999], 'f');
			poll_out(copy_future(&copies[1]));
			copy_check(&copies[1]);
			teardown();
		}
	}
}

static void
child_of_a_finished_one(void *arg)
{
	finish(*(enum how *)arg, copy_future(&copies[0]));
	copy_check(&copies[0]);
	teardown();
}

/* Done before the fork, though nobody had looked. */
static void
complete_but_unpolled(void)
{
	for (int how = 0; how < HOWS; how++) {
		struct counting by;

		counting_init(&by);
		setup(1, FUTURE_NOTIFIER_WAKER);
		for (int i = 0; i < 2; i++)
			copy_init(&copies[i], data_mover_threads_get_vdm(mover),
				(uint64_t)i);
		CHECK_INT(copy_poll(&copies[0], &by.notifier),
			FUTURE_STATE_RUNNING);
		CHECK_INT(copy_poll(&copies[1], NULL), FUTURE_STATE_RUNNING);
		t_pass(&gate_entered);
		t_open(&gate);
		t_pass(&by.called);
		/* the only worker is in the second: it has left the first */
		t_pass(&gate_entered);
		CHECK_CHILD(child_of_a_finished_one, &how, CHILD_SECONDS);
		t_open(&gate);
		for (int i = 0; i < 2; i++) {
			poll_out(copy_future(&copies[i]));
			copy_check(&copies[i]);
		}
		teardown();
	}
}

/* A child's mover is one like any other, so its children are, too. */
static void
child_that_forks(void *arg)
{
	int depth = *(int *)arg + 1;

	use_inherited_mover();
	if (depth < 3)
		CHECK_CHILD(child_that_forks, &depth, CHILD_SECONDS);
	child_of_an_idle_mover(NULL);
}

static void
grandchildren(void)
{
	int depth = 0;

	setup(2, FUTURE_NOTIFIER_WAKER);
	CHECK_CHILD(child_that_forks, &depth, CHILD_SECONDS);
	use_inherited_mover();
	teardown();
}

T_MAIN(T_CASE(nothing_pending), T_CASE(never_polled), T_CASE(busy_and_queued),
	T_CASE(complete_but_unpolled), T_CASE(grandchildren))
