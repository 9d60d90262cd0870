/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_delegating.c -- a mover of the program's own passes operations on
 *
 * It starts them with a notifier of its own, and blocks in op_start until they are
 * complete. A wait that polls such a future must not rely on polling it again.
 */

#include "helpers.h"

enum { NFUTS = 3 };

struct outer {
	struct vdm base;
	struct vdm *inner;
};

struct outer_op {
	void *inner;
	struct vdm *vdm;
	sem_t called;
};

static void
wake(void *data)
{
	t_open((sem_t *)data);
}

static void *
outer_op_new(struct vdm *vdm, const enum vdm_operation_type type)
{
	struct outer *outer = (struct outer *)vdm;
	struct outer_op *op = t_malloc(sizeof(*op));

	op->vdm = outer->inner;
	op->inner = outer->inner->op_new(outer->inner, type);
	CHECK(op->inner != NULL);
	CHECK(sem_init(&op->called, 0, 0) == 0);
	return op;
}

static int
outer_op_start(void *data, const struct vdm_operation *operation,
	struct future_notifier *n)
{
	struct outer_op *op = data;
	struct future_notifier own;

	memset(&own, 0, sizeof(own));
	own.waker.data = &op->called;
	own.waker.wake = wake;
	if (n != NULL)
		n->notifier_used = FUTURE_NOTIFIER_NONE;
	CHECK_INT(op->vdm->op_start(op->inner, operation, &own), 0);
	while (op->vdm->op_check(op->inner, operation) != FUTURE_STATE_COMPLETE)
		t_pass(&op->called);
	return 0;
}

static enum future_state
outer_op_check(void *data, const struct vdm_operation *operation)
{
	(void)data;
	(void)operation;
	return FUTURE_STATE_COMPLETE;
}

static void
outer_op_delete(void *data, const struct vdm_operation *operation,
	struct vdm_operation_output *output)
{
	struct outer_op *op = data;

	op->vdm->op_delete(op->inner, operation, output);
	free(op);
}

static void
try_it(size_t n, size_t nfuts)
{
	struct data_mover_threads *mover =
		data_mover_threads_new(2, 1, FUTURE_NOTIFIER_WAKER);
	struct outer outer;
	struct vdm_operation_future copies[NFUTS];
	struct future *futs[NFUTS];
	struct runtime *r = new_runtime();
	unsigned char *src = t_malloc(n);
	unsigned char *dst = t_malloc(n * NFUTS);

	CHECK(mover != NULL);
	memset(&outer, 0, sizeof(outer));
	outer.inner = data_mover_threads_get_vdm(mover);
	outer.base.op_new = outer_op_new;
	outer.base.op_start = outer_op_start;
	outer.base.op_check = outer_op_check;
	outer.base.op_delete = outer_op_delete;
	outer.base.has_property = future_has_property_default;
	t_fill(src, n, 1);
	memset(dst, 0, n * NFUTS);
	for (size_t i = 0; i < nfuts; i++) {
		copies[i] = vdm_memcpy(&outer.base, dst + i * n, src, n, 0);
		futs[i] = FUTURE_AS_RUNNABLE(&copies[i]);
	}
	if (nfuts == 1)
		runtime_wait(r, futs[0]);
	else
		runtime_wait_multiple(r, futs, nfuts);
	for (size_t i = 0; i < nfuts; i++) {
		CHECK_INT(copies[i].output.result, VDM_SUCCESS);
		CHECK(memcmp(dst + i * n, src, n) == 0);
	}
	runtime_delete(r);
	data_mover_threads_delete(mover);
	free(dst);
	free(src);
}

static void
several(void)
{
	for (int i = 0; i < 20; i++) {
		try_it(65536, NFUTS);
		try_it(300000, 2);
	}
}

static void
alone(void)
{
	try_it(65536, 1);
	try_it(9 << 20, 1);
}

T_MAIN(T_CASE(several), T_CASE(alone))
