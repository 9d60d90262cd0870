/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_alone.c -- a thread that waits for one operation executes it
 *
 * Also a large one, and several; see test_help.c for those that were started
 * before.
 */

#include "held.h"

#define LARGE ((size_t)16 << 20) /* is cut into pieces */

static void
without_a_deadline(void)
{
	static const size_t sizes[] = {
		0, 1, 4096, 1 << 20, (8 << 20) - 1, 8 << 20, LARGE};
	struct held h;

	hold(&h, LARGE, 4096);
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		struct vdm_operation_future c = held_copy(&h, sizes[i]);

		runtime_wait(h.runtime, FUTURE_AS_RUNNABLE(&c));
		check_held_copy(&h, &c);
	}
	let_go(&h);
}

static void
with_a_deadline(void)
{
	struct vdm_operation_future c;
	struct held h;

	hold(&h, LARGE, 4096);
	/* far away: like none */
	c = held_copy(&h, LARGE);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), T_SECOND * 40), 0);
	check_held_copy(&h, &c);
	/* in the past: what is quick */
	c = held_copy(&h, 64 << 10);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 0), 0);
	check_held_copy(&h, &c);
	c = held_copy(&h, LARGE);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 0), ETIMEDOUT);
	t_open(&held_leave);
	poll_out(FUTURE_AS_RUNNABLE(&c));
	check_held_copy(&h, &c);
	let_go(&h);
}

static void
several(void)
{
	struct vdm_operation_future small;
	struct vdm_operation_future other;
	struct future *futs[2];
	struct held h;

	hold(&h, LARGE, 4096);
	small = vdm_memcpy(h.vdm, h.dst, h.src, 8 << 10, 0);
	other = vdm_memcpy(h.vdm, h.dst + (8 << 10), h.src + (8 << 10), 3 << 20,
		0);
	futs[0] = FUTURE_AS_RUNNABLE(&small);
	futs[1] = FUTURE_AS_RUNNABLE(&other);
	runtime_wait_multiple(h.runtime, futs, 2);
	CHECK_INT(FUTURE_STATE(&small), FUTURE_STATE_COMPLETE);
	check_held_copy(&h, &other);
	CHECK(memcmp(h.dst, h.src, (3 << 20) + (8 << 10)) == 0);
	let_go(&h);
}

static void
never_if_the_user_says_so(void)
{
	struct vdm_operation_future c;
	struct held h;

	hold(&h, LARGE, 0);
	CHECK_INT(data_mover_threads_get_inline_below(h.mover), 0);
	c = held_copy(&h, 1);
	CHECK_INT(wait_for(&h, FUTURE_AS_RUNNABLE(&c), 20 * T_MS), ETIMEDOUT);
	t_open(&held_leave);
	poll_out(FUTURE_AS_RUNNABLE(&c));
	let_go(&h);
}

T_MAIN(T_CASE(without_a_deadline), T_CASE(with_a_deadline), T_CASE(several),
	T_CASE(never_if_the_user_says_so))
