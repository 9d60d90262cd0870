/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_turns.c -- the worker of a mover goes by turns, small ones first
 *
 * A copy of the program's own holds the only worker while others are queued. Then
 * nobody polls until all are complete: their wakers note the order. Time is the test's
 * own, since bytes that take long count for more.
 */

#include "gated.h"
#include "passing.h"

#define MIB ((size_t)1 << 20)

enum { SMALL = 40 };

struct order {
	struct future_notifier notifier;
	const void *what;
};

static const void *ended[SMALL + 2];
static atomic_int endings;
static sem_t any_ended;

static void
note(void *data)
{
	const struct order *const order = (const struct order *)data;
	const int i = atomic_fetch_add(&endings, 1);

	if (i < (int)T_COUNT(ended))
		ended[i] = order->what;
	t_open(&any_ended);
}

static void
start(struct vdm_operation_future *fut, struct order *order,
	void (*wake)(void *data))
{
	memset(order, 0, sizeof(*order));
	order->notifier.waker.data = order;
	order->notifier.waker.wake = wake;
	order->what = fut;
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(fut), &order->notifier),
		FUTURE_STATE_RUNNING);
}

static void
dawdle(void *data)
{
	let_pass(50 * T_MS);
	note(data);
}

/* A waker's time is not that of the memory: it costs others nothing. */
static void
after_a_waker(void)
{
	enum { N = 65536 };
	static char bytes[2][N];
	struct vdm_operation_future small[2];
	struct vdm_operation_future large;
	struct order orders[3];
	struct counting by;
	struct copy copy;
	struct data_mover_threads *const mover =
		gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct vdm *const vdm = data_mover_threads_get_vdm(mover);
	char *const memory = malloc(32 * MIB);

	CHECK(memory != NULL);
	CHECK(sem_init(&any_ended, 0, 0) == 0);
	atomic_store(&endings, 0);
	counting_init(&by);
	copy_init(&copy, vdm, 1);
	CHECK_INT(copy_poll(&copy, &by.notifier), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);

	large = vdm_memset(vdm, memory, 7, 32 * MIB, 0);
	start(&large, &orders[2], note);
	for (int i = 0; i < 2; i++) {
		small[i] = vdm_memset(vdm, bytes[i], 7, N, 0);
		start(&small[i], &orders[i], dawdle);
	}
	t_open(&gate);
	for (int i = 0; i < 3; i++)
		t_pass(&any_ended);
	CHECK(ended[0] == &small[0]);
	CHECK(ended[1] == &small[1]);
	for (int i = 0; i < 2; i++)
		poll_out(FUTURE_AS_RUNNABLE(&small[i]));
	poll_out(FUTURE_AS_RUNNABLE(&large));
	copy_await(&copy, &by);
	data_mover_threads_delete(mover);
	free(memory);
}

static void
in_turns(void)
{
	static struct vdm_operation_future fills[SMALL];
	static struct order orders[SMALL + 1];
	struct vdm_operation_future large;
	struct counting by;
	struct copy copy;
	struct data_mover_threads *const mover =
		gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct vdm *const vdm = data_mover_threads_get_vdm(mover);
	char *const memory = malloc(32 * MIB);
	char *const bytes = malloc((size_t)SMALL * MIB);

	CHECK(memory != NULL && bytes != NULL);
	CHECK(sem_init(&any_ended, 0, 0) == 0);
	counting_init(&by);
	copy_init(&copy, vdm, 1);
	CHECK_INT(copy_poll(&copy, &by.notifier), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);

	large = vdm_memset(vdm, memory, 7, 32 * MIB, 0);
	start(&large, &orders[SMALL], note);
	for (int i = 0; i < SMALL; i++) {
		fills[i] =
			vdm_memset(vdm, bytes + (size_t)i * MIB, i + 1, MIB, 0);
		start(&fills[i], &orders[i], note);
	}
	t_open(&gate);
	for (int i = 0; i < SMALL + 1; i++)
		t_pass(&any_ended);

	/* The first of them passes; not all of them do. */
	CHECK(ended[0] == &fills[0]);
	CHECK(ended[SMALL] != &large);
	for (int i = 0, next = 0; i < SMALL + 1; i++)
		if (ended[i] != &large)
			CHECK(ended[i] == &fills[next++]);
	for (int i = 0; i < SMALL; i++) {
		/* Its waker may not have returned. */
		poll_out(FUTURE_AS_RUNNABLE(&fills[i]));
		CHECK(bytes[(size_t)i * MIB] == i + 1);
		CHECK(bytes[(size_t)i * MIB + MIB - 1] == i + 1);
	}
	poll_out(FUTURE_AS_RUNNABLE(&large));
	CHECK(memory[0] == 7 && memory[32 * MIB - 1] == 7);
	copy_await(&copy, &by);
	copy_check(&copy);
	data_mover_threads_delete(mover);
	free(bytes);
	free(memory);
}

T_MAIN(T_CASE(in_turns), T_CASE(after_a_waker))
