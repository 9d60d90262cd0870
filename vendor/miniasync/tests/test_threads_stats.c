/* SPDX-License-Identifier: BSD-3-Clause */
/* test_threads_stats.c -- who has executed what a mover was given */

#include "gated.h"

static unsigned char dst[1 << 20];
static unsigned char src[1 << 20];

static struct data_mover_threads_stats
stats_of(struct data_mover_threads *m)
{
	struct data_mover_threads_stats stats;

	memset(&stats, 0xff, sizeof(stats));
	stats.size = sizeof(stats);
	CHECK_INT(data_mover_threads_get_stats(m, &stats), 0);
	CHECK_INT(stats.size, sizeof(stats));
	return stats;
}

static void
arguments(void)
{
	struct data_mover_threads *m = new_queueing_mover(1);
	struct data_mover_threads_stats stats = {.size = sizeof(stats)};

	CHECK_INT(data_mover_threads_get_stats(NULL, &stats), EINVAL);
	CHECK_INT(data_mover_threads_get_stats(m, NULL), EINVAL);
	stats.size = sizeof(stats.size) - 1;
	CHECK_INT(data_mover_threads_get_stats(m, &stats), EINVAL);
	/* of an older program, and of a newer one */
	stats.queued = 7;
	stats.size = sizeof(stats.size);
	CHECK_INT(data_mover_threads_get_stats(m, &stats), 0);
	CHECK_INT(stats.size, sizeof(stats.size));
	CHECK_INT(stats.queued, 7);
	stats.size = sizeof(stats) + 8;
	CHECK_INT(data_mover_threads_get_stats(m, &stats), 0);
	CHECK_INT(stats.size, sizeof(stats));
	CHECK_INT(stats.queued, 0);
	data_mover_threads_delete(m);
}

/* What the poll that starts it executes is in none of the numbers. */
static void
by_the_starter(void)
{
	struct data_mover_threads *m =
		data_mover_threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
	struct vdm_operation_future fut;

	CHECK(m != NULL);
	fut = vdm_memcpy(data_mover_threads_get_vdm(m), dst, src, 100, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&fut), NULL),
		FUTURE_STATE_COMPLETE);
	CHECK_INT(stats_of(m).queued, 0);
	CHECK_INT(stats_of(m).worker_pieces + stats_of(m).waiter_pieces, 0);
	data_mover_threads_delete(m);
}

static void
by_a_worker(void)
{
	struct data_mover_threads *m = new_queueing_mover(1);
	struct vdm_operation_future fut = vdm_memcpy(
		data_mover_threads_get_vdm(m), dst, src, sizeof(dst), 0);

	poll_out(FUTURE_AS_RUNNABLE(&fut));
	CHECK_INT(stats_of(m).queued, 1);
	CHECK(stats_of(m).worker_pieces >= 1);
	CHECK_INT(stats_of(m).worker_bytes, sizeof(dst));
	CHECK_INT(stats_of(m).waiter_pieces, 0);
	CHECK_INT(stats_of(m).waiter_bytes, 0);
	data_mover_threads_delete(m);
}

/* The only worker is at something else. */
static void
by_who_waits(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct runtime *r = new_runtime();
	struct vdm_operation_future fut;
	struct copy c;

	data_mover_threads_set_inline_below(m, 1);
	copy_init(&c, data_mover_threads_get_vdm(m), 1);
	copy_poll(&c, NULL);
	t_pass(&gate_entered);
	CHECK_INT(stats_of(m).worker_pieces, 1);
	CHECK_INT(stats_of(m).worker_bytes, sizeof(c.dst));

	fut = vdm_memset(data_mover_threads_get_vdm(m), dst, 3, sizeof(dst), 0);
	future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
	runtime_wait(r, FUTURE_AS_RUNNABLE(&fut));
	CHECK_INT(stats_of(m).queued, 2);
	CHECK(stats_of(m).waiter_pieces >= 1);
	CHECK_INT(stats_of(m).waiter_bytes, sizeof(dst));
	CHECK_INT(stats_of(m).worker_pieces, 1);

	t_open(&gate);
	poll_out(copy_future(&c));
	runtime_delete(r);
	data_mover_threads_delete(m);
}

T_MAIN(T_CASE(arguments), T_CASE(by_the_starter), T_CASE(by_a_worker),
	T_CASE(by_who_waits))
