/* SPDX-License-Identifier: BSD-3-Clause */
/* test_help_fork.c -- forks while a thread that waits executes an operation */

#include "forked.h"

/*
 * Number 0 was being executed by the worker, 1 by a thread that waited; 2 stood
 * behind them.
 */
static void
child_of_a_helper(void *arg)
{
	enum how how = *(enum how *)arg;

	for (int i = 0; i < 2; i++) {
		finish(how, copy_future(&copies[i]));
		CHECK_INT(copies[i].fut.output.result, VDM_ERROR_JOB_CORRUPTED);
	}
	t_open(&gate);
	finish(how, copy_future(&copies[2]));
	copy_check(&copies[2]);
	use_inherited_mover();
	use_new_things();
	teardown();
	t_end_child_unchecked();
}

static void *
wait_for_one(void *arg)
{
	runtime_wait(runtime, copy_future(arg));
	return NULL;
}

static void
in_a_function(void)
{
	for (int how = 0; how < HOWS; how++) {
		pthread_t thread;

		setup(1, FUTURE_NOTIFIER_WAKER);
		data_mover_threads_set_inline_below(mover, 1);
		for (int i = 0; i < 3; i++) {
			copy_init(&copies[i], data_mover_threads_get_vdm(mover),
				(uint64_t)i);
			CHECK_INT(copy_poll(&copies[i], NULL),
				FUTURE_STATE_RUNNING);
		}
		t_pass(&gate_entered);
		t_start(&thread, wait_for_one, &copies[1]);
		t_pass(&gate_entered);
		CHECK_INT(atomic_load(&gate_calls), 2);
		CHECK_CHILD(child_of_a_helper, &how, CHILD_SECONDS);
		for (int i = 0; i < 3; i++)
			t_open(&gate);
		t_join(thread);
		for (int i = 0; i < 3; i++) {
			poll_out(copy_future(&copies[i]));
			copy_check(&copies[i]);
		}
		teardown();
	}
}

/*
 * What a thread has helped with before the fork is done, the rest is not: of a
 * copy, and of a move onto itself, which goes from the end down.
 */
enum { PART = 64 << 20 };

static unsigned char *part_src;
static unsigned char *part_dst;
static unsigned char *part_right;
static struct vdm_operation_future part;

static void
finish_part(enum how how)
{
	finish(how, FUTURE_AS_RUNNABLE(&part));
	CHECK_INT(part.output.result, VDM_SUCCESS);
	CHECK(memcmp(part_dst, part_right, PART) == 0);
}

static void
child_with_a_part(void *arg)
{
	finish_part(*(enum how *)arg);
	teardown();
}

static void
in_between(void)
{
	unsigned char *bytes = t_malloc(2 * PART);
	struct future_waiter *w = new_waiter();
	struct future *fut = FUTURE_AS_RUNNABLE(&part);

	part_src = bytes;
	part_right = t_malloc(PART);
	for (int i = 0; i < 2 * HOWS; i++) {
		enum how how = (enum how)(i % HOWS);

		t_fill(part_src, PART, 3);
		memcpy(part_right, part_src, PART);
		part_dst = bytes + (i < HOWS ? PART : 64);
		setup(1, FUTURE_NOTIFIER_WAKER);
		data_mover_threads_set_inline_below(mover, 1);
		copy_init(&copies[0], data_mover_threads_get_vdm(mover), 1);
		CHECK_INT(copy_poll(&copies[0], NULL), FUTURE_STATE_RUNNING);
		t_pass(&gate_entered);
		part = vdm_memmove(data_mover_threads_get_vdm(mover), part_dst,
			part_src, PART, 0);
		CHECK_INT(future_waiter_wait(w, &fut, 1, 1, t_now() + T_MS / 5,
				  0),
			ETIMEDOUT);
		CHECK_CHILD(child_with_a_part, &how, CHILD_SECONDS);
		/* the worker is held: by polling it would not end */
		finish_part(how == BY_POLLING ? BY_RUNTIME : how);
		t_open(&gate);
		poll_out(copy_future(&copies[0]));
		teardown();
	}
	free(bytes);
	free(part_right);
	future_waiter_delete(w);
}

enum { LARGE = 4 << 20 };

static unsigned char *src;
static unsigned char *dst;
static struct vdm_operation_future large;
static atomic_int stop;

static void *
copy_all_the_time(void *arg)
{
	while (!atomic_load(&stop)) {
		large = vdm_memcpy(data_mover_threads_get_vdm(mover), dst, src,
			LARGE, 0);
		future_poll(FUTURE_AS_RUNNABLE(&large), NULL);
		runtime_wait(runtime, FUTURE_AS_RUNNABLE(&large));
	}
	return arg;
}

/* Another thread may have been anywhere in it: the child gets on without. */
static void
child_of_a_copier(void *arg)
{
	(void)arg;
	use_inherited_mover();
	teardown();
	t_end_child_unchecked();
}

static void
in_the_middle_of_a_large_one(void)
{
	pthread_t thread;

	setup(2, FUTURE_NOTIFIER_WAKER);
	data_mover_threads_set_memcpy_fn(mover, NULL);
	data_mover_threads_set_inline_below(mover, 1);
	src = t_malloc(LARGE);
	dst = t_malloc(LARGE);
	t_fill(src, LARGE, 1);
	atomic_store(&stop, 0);
	t_start(&thread, copy_all_the_time, NULL);
	for (int i = 0; i < 30; i++)
		CHECK_CHILD(child_of_a_copier, NULL, CHILD_SECONDS);
	atomic_store(&stop, 1);
	t_join(thread);
	CHECK(memcmp(dst, src, LARGE) == 0);
	free(src);
	free(dst);
	teardown();
}

T_MAIN(T_CASE(in_a_function), T_CASE(in_between),
	T_CASE(in_the_middle_of_a_large_one))
