/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vdm.c -- operations as futures, seen from a mover that is no mover
 *
 * The fake one does as it is told and counts what is asked of it.
 */

#include "t.h"

#include <libminiasync.h>

static struct fake {
	struct vdm vdm;
	int refuse_new;
	int refuse_starts; /* so many more op_start say "not now" */
	int idle_checks; /* so many more op_check say IDLE */
	int running_checks;
	int property; /* the answer to every question */
	int news, starts, checks, deletes, questions;
	enum vdm_operation_type new_type;
	struct future_notifier *notifier; /* of the last op_start */
	void *asked; /* the future last asked about */
	enum future_property asked_property;
	struct vdm_operation seen;
	int token; /* its address is the operation's memory */
} fake;

static void *
fake_new(struct vdm *vdm, const enum vdm_operation_type type)
{
	CHECK(vdm == &fake.vdm);
	fake.news++;
	fake.new_type = type;
	return fake.refuse_new ? NULL : &fake.token;
}

static int
fake_start(void *data, const struct vdm_operation *operation,
	struct future_notifier *notifier)
{
	CHECK(data == &fake.token);
	fake.starts++;
	fake.notifier = notifier;
	fake.seen = *operation;
	if (fake.refuse_starts > 0) {
		fake.refuse_starts--;
		return 1;
	}
	return 0;
}

static enum future_state
fake_check(void *data, const struct vdm_operation *operation)
{
	CHECK(data == &fake.token);
	/* Not as bytes: what its type does not need is not set. */
	CHECK_INT(operation->type, fake.seen.type);
	if (operation->type == VDM_OPERATION_MEMCPY)
		CHECK(memcmp(&operation->data.memcpy, &fake.seen.data.memcpy,
			      sizeof(operation->data.memcpy)) == 0);
	fake.checks++;
	if (fake.idle_checks > 0) {
		fake.idle_checks--;
		return FUTURE_STATE_IDLE;
	}
	if (fake.running_checks > 0) {
		fake.running_checks--;
		return FUTURE_STATE_RUNNING;
	}
	return FUTURE_STATE_COMPLETE;
}

static void
fake_delete(void *data, const struct vdm_operation *operation,
	struct vdm_operation_output *output)
{
	CHECK(data == &fake.token);
	fake.deletes++;
	output->type = operation->type;
	output->result = VDM_SUCCESS;
	output->output.memcpy.dest = operation->data.memcpy.dest;
}

static int
fake_property(void *future, enum future_property property)
{
	fake.questions++;
	fake.asked = future;
	fake.asked_property = property;
	return fake.property;
}

static char dst[64];
static char src[64];

static void
reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.vdm.op_new = fake_new;
	fake.vdm.op_start = fake_start;
	fake.vdm.op_check = fake_check;
	fake.vdm.op_delete = fake_delete;
}

static struct vdm_operation_future
make(void)
{
	return vdm_memcpy(&fake.vdm, dst, src, sizeof(dst), 3);
}

#define POLL_GIVES(f_, n_, state_)                                             \
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(f_), n_), state_)

static void
making_does_nothing_else(void)
{
	struct vdm_operation_future f;

	reset();
	f = make();
	CHECK_INT(fake.news, 1);
	CHECK_INT(fake.new_type, VDM_OPERATION_MEMCPY);
	CHECK_INT(fake.starts + fake.checks + fake.deletes, 0);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_IDLE);
	CHECK(f.base.task == vdm_operation_impl);
	CHECK_INT(f.base.context.data_size, 64);
	CHECK_INT(f.base.context.output_size, 16);
	CHECK(f.data.vdm == &fake.vdm);
	CHECK(f.data.data == &fake.token);
	CHECK_INT(f.output.type, VDM_OPERATION_MEMCPY);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK(f.output.output.memcpy.dest == NULL);
}

static void
arguments_arrive(void)
{
	const uint64_t flags = UINT64_C(0xf000000000000005);
	struct vdm_operation_future f;
	struct vdm_operation *op = &f.data.operation;

	reset();
	f = vdm_memcpy(&fake.vdm, dst, src, 60, flags);
	CHECK_INT(op->type, VDM_OPERATION_MEMCPY);
	CHECK(op->data.memcpy.dest == dst && op->data.memcpy.src == src);
	CHECK(op->data.memcpy.n == 60 && op->data.memcpy.flags == flags);
	CHECK_INT(f.output.type, VDM_OPERATION_MEMCPY);

	f = vdm_memmove(&fake.vdm, dst + 1, dst, 59, flags);
	CHECK_INT(op->type, VDM_OPERATION_MEMMOVE);
	CHECK(op->data.memmove.dest == dst + 1 && op->data.memmove.src == dst);
	CHECK(op->data.memmove.n == 59 && op->data.memmove.flags == flags);
	CHECK_INT(f.output.type, VDM_OPERATION_MEMMOVE);

	f = vdm_memset(&fake.vdm, dst, -3, 58, flags);
	CHECK_INT(op->type, VDM_OPERATION_MEMSET);
	CHECK(op->data.memset.str == dst && op->data.memset.c == -3);
	CHECK(op->data.memset.n == 58 && op->data.memset.flags == flags);
	CHECK_INT(f.output.type, VDM_OPERATION_MEMSET);

	f = vdm_flush(&fake.vdm, dst, 57, flags);
	CHECK_INT(op->type, VDM_OPERATION_FLUSH);
	CHECK(op->data.flush.dest == dst);
	CHECK(op->data.flush.n == 57 && op->data.flush.flags == flags);
	CHECK_INT(f.output.type, VDM_OPERATION_FLUSH);
	CHECK_INT(fake.new_type, VDM_OPERATION_FLUSH);
	CHECK_INT(fake.news, 4);
}

static void
no_memory(void)
{
	struct vdm_operation_future f;

	reset();
	fake.refuse_new = 1;
	f = make();
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_COMPLETE);
	CHECK_INT(f.output.type, VDM_OPERATION_MEMCPY);
	CHECK_INT(f.output.result, VDM_ERROR_OUT_OF_MEMORY);
	CHECK(f.output.output.memcpy.dest == NULL);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
	CHECK_INT(fake.starts + fake.checks + fake.deletes, 0);
	CHECK_INT(vdm_operation_release(&f), 0);
	CHECK_INT(f.output.result, VDM_ERROR_OUT_OF_MEMORY);
	CHECK_INT(fake.deletes, 0);
}

static void
runs_to_completion(void)
{
	struct vdm_operation_future f;
	struct future_notifier n;

	reset();
	memset(&n, 0, sizeof(n));
	fake.running_checks = 2;
	f = make();
	POLL_GIVES(&f, &n, FUTURE_STATE_RUNNING);
	CHECK(fake.notifier == &n);
	CHECK_INT(fake.starts, 1);
	CHECK_INT(fake.checks, 1);
	POLL_GIVES(&f, NULL, FUTURE_STATE_RUNNING);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK(f.output.output.memcpy.dest == NULL);
	CHECK_INT(fake.deletes, 0);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	/* a mover without properties is started once */
	CHECK_INT(fake.starts, 1);
	CHECK_INT(fake.checks, 3);
	CHECK_INT(fake.deletes, 1);
	CHECK(f.output.output.memcpy.dest == dst);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	CHECK_INT(fake.checks, 3);
	CHECK_INT(fake.deletes, 1);
}

static void
a_refused_start_is_tried_again(void)
{
	struct vdm_operation_future f;

	reset();
	fake.refuse_starts = 2;
	f = make();
	POLL_GIVES(&f, NULL, FUTURE_STATE_IDLE);
	POLL_GIVES(&f, NULL, FUTURE_STATE_IDLE);
	CHECK_INT(fake.starts, 2);
	CHECK_INT(fake.checks, 0);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	CHECK_INT(fake.starts, 3);
	CHECK_INT(fake.deletes, 1);
}

static void
an_idle_check_is_started_again(void)
{
	struct vdm_operation_future f;

	reset();
	fake.idle_checks = 2;
	fake.running_checks = 1;
	f = make();
	POLL_GIVES(&f, NULL, FUTURE_STATE_IDLE);
	POLL_GIVES(&f, NULL, FUTURE_STATE_IDLE);
	CHECK_INT(fake.starts, 2);
	CHECK_INT(fake.checks, 2);
	POLL_GIVES(&f, NULL, FUTURE_STATE_RUNNING);
	CHECK_INT(fake.starts, 3);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	CHECK_INT(fake.starts, 3);
	CHECK_INT(fake.deletes, 1);
}

/* 0 and 1 are what movers say that never heard of the question. */
static void
renotify_only_where_accepted(void)
{
	static const int answers[] = {0, 1, -1, FUTURE_PROPERTY_RENOTIFY};
	struct vdm_operation_future f;
	struct future_notifier n;

	memset(&n, 0, sizeof(n));
	for (size_t i = 0; i < T_COUNT(answers); i++) {
		reset();
		fake.vdm.has_property = fake_property;
		fake.property = answers[i];
		fake.running_checks = 3;
		f = make();
		POLL_GIVES(&f, NULL, FUTURE_STATE_RUNNING);
		POLL_GIVES(&f, &n, FUTURE_STATE_RUNNING);
		CHECK_INT(fake.starts, 1);
		CHECK(fake.asked == &f);
		CHECK_INT(fake.asked_property, FUTURE_PROPERTY_RENOTIFY);
	}

	reset();
	fake.vdm.has_property = fake_property;
	fake.property = FUTURE_PROPERTY_RENOTIFY_YES;
	fake.running_checks = 4;
	f = make();
	/* the future's own property function has no say */
	vdm_set_has_property_fn(&f, future_has_property_default);
	POLL_GIVES(&f, NULL, FUTURE_STATE_RUNNING);
	CHECK_INT(fake.starts, 1);
	POLL_GIVES(&f, &n, FUTURE_STATE_RUNNING);
	CHECK_INT(fake.starts, 2);
	CHECK(fake.notifier == &n);
	POLL_GIVES(&f, NULL, FUTURE_STATE_RUNNING);
	CHECK_INT(fake.starts, 3);
	CHECK(fake.notifier == NULL);
	/* refusing the new notifier does not unstart the operation */
	fake.refuse_starts = 1;
	POLL_GIVES(&f, &n, FUTURE_STATE_RUNNING);
	CHECK_INT(fake.starts, 4);
	CHECK_INT(fake.checks, 4);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	CHECK_INT(fake.deletes, 1);
}

static void
properties(void)
{
	struct vdm_operation_future f;

	reset();
	f = make();
	CHECK(f.base.has_property == future_has_property_default);
	fake.vdm.has_property = fake_property;
	fake.property = 17;
	f = make();
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 17);
	CHECK(fake.asked == &f);
	vdm_set_has_property_fn(&f, future_has_property_default);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
	vdm_set_has_property_fn(&f, NULL);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
}

/* Row 4: all bits asked for, and no other way. */
static void
is_supported(void)
{
	reset();
	for (unsigned have = 0; have < 8; have++) {
		fake.vdm.capabilities = have;
		for (unsigned ask = 0; ask < 8; ask++)
			CHECK_INT(!!vdm_is_supported(&fake.vdm, ask),
				(have & ask) == ask);
	}
}

static void
generic_operation(void)
{
	struct vdm_operation_future f;

	reset();
	memset(&f, 0xa5, sizeof(f));
	memset(f.data.operation.data.data, 0, VDM_OPERATION_DATA_MAX_SIZE);
	f.data.operation.type = VDM_OPERATION_MEMSET;
	f.data.operation.data.memset.str = dst;
	vdm_generic_operation(&fake.vdm, &f);
	CHECK_INT(fake.new_type, VDM_OPERATION_MEMSET);
	CHECK_INT(f.output.type, VDM_OPERATION_MEMSET);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK(f.output.output.memset.str == NULL);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	CHECK(f.output.output.memset.str == dst);
}

static void
release(void)
{
	struct vdm_operation_future f;

	reset();
	f = make();
	CHECK_INT(vdm_operation_release(&f), 0);
	CHECK_INT(fake.deletes, 1);
	CHECK_INT(fake.starts + fake.checks, 0);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_COMPLETE);
	/* whatever the mover wrote there: nothing was copied */
	CHECK_INT(f.output.type, VDM_OPERATION_MEMCPY);
	CHECK_INT(f.output.result, VDM_ERROR_JOB_CORRUPTED);
	CHECK(f.output.output.memcpy.dest == NULL);
	CHECK_INT(vdm_operation_release(&f), 0);
	CHECK_INT(fake.deletes, 1);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);

	fake.running_checks = 1;
	f = make();
	POLL_GIVES(&f, NULL, FUTURE_STATE_RUNNING);
	CHECK_INT(vdm_operation_release(&f), EBUSY);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_RUNNING);
	CHECK_INT(fake.deletes, 1);
	POLL_GIVES(&f, NULL, FUTURE_STATE_COMPLETE);
	CHECK_INT(fake.deletes, 2);
	CHECK_INT(vdm_operation_release(&f), 0);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK(f.output.output.memcpy.dest == dst);
	CHECK_INT(fake.deletes, 2);
}

T_MAIN(T_CASE(making_does_nothing_else), T_CASE(arguments_arrive),
	T_CASE(no_memory), T_CASE(runs_to_completion),
	T_CASE(a_refused_start_is_tried_again),
	T_CASE(an_idle_check_is_started_again),
	T_CASE(renotify_only_where_accepted), T_CASE(properties),
	T_CASE(is_supported), T_CASE(generic_operation), T_CASE(release))
