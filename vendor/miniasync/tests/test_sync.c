/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sync.c -- the mover that works in the polling thread */

#include "bytes.h"

static struct data_mover_sync *
new_mover(void)
{
	struct data_mover_sync *m = data_mover_sync_new();

	CHECK(m != NULL);
	return m;
}

static void
lives_and_dies(void)
{
	data_mover_sync_delete(NULL);
	for (int i = 0; i < 100; i++) {
		struct data_mover_sync *m = new_mover();

		CHECK(data_mover_sync_get_vdm(m) != NULL);
		CHECK(data_mover_sync_get_vdm(m) == data_mover_sync_get_vdm(m));
		data_mover_sync_delete(m);
	}
}

/* One poll does it all, so the notifier is of no interest. */
static void
poll_once(struct vdm_operation_future *fut)
{
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(fut), NULL),
		FUTURE_STATE_COMPLETE);
}

static void
must_not_wake(void *data)
{
	(void)data;
	CHECK(!"woken");
}

static void
poll_once_with_a_notifier(struct vdm_operation_future *fut)
{
	struct future_notifier n;

	memset(&n, 0, sizeof(n));
	n.waker.wake = must_not_wake;
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(fut), &n),
		FUTURE_STATE_COMPLETE);
	CHECK_INT(n.notifier_used, FUTURE_NOTIFIER_NONE);
}

static struct runtime *runtime;

static void
wait_for(struct vdm_operation_future *fut)
{
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(fut));
}

static void
every_operation(void)
{
	struct data_mover_sync *m = new_mover();
	struct vdm *vdm = data_mover_sync_get_vdm(m);

	bytes_try_all(vdm, 3145733, poll_once);
	bytes_try_all(vdm, 65537, poll_once_with_a_notifier);
	runtime = new_runtime();
	bytes_try_all(vdm, 65537, wait_for);
	runtime_delete(runtime);
	data_mover_sync_delete(m);
}

/* Row 5: a flush is an operation like any other and leaves bytes alone. */
static void
flush(void)
{
	struct data_mover_sync *m = new_mover();
	struct vdm *vdm = data_mover_sync_get_vdm(m);
	unsigned char buf[1000];
	unsigned char copy[sizeof(buf)];

	t_fill(buf, sizeof(buf), 3);
	memcpy(copy, buf, sizeof(buf));
	for (size_t n = 0; n <= sizeof(buf); n += 37) {
		struct vdm_operation_future f =
			vdm_flush(vdm, buf + sizeof(buf) - n, n, 0);

		poll_once(&f);
		CHECK_INT(f.output.type, VDM_OPERATION_FLUSH);
		CHECK_INT(f.output.result, VDM_SUCCESS);
	}
	CHECK(memcmp(buf, copy, sizeof(buf)) == 0);
	data_mover_sync_delete(m);
}

static void
properties(void)
{
	struct data_mover_sync *m = new_mover();
	struct vdm *vdm = data_mover_sync_get_vdm(m);
	char buf[8];
	struct vdm_operation_future f = vdm_memset(vdm, buf, 1, 8, 0);

	CHECK_INT(vdm->capabilities, 0);
	CHECK(!vdm_is_supported(vdm, VDM_F_MEM_DURABLE));
	CHECK(!vdm_is_supported(vdm, VDM_F_NO_CACHE_HINT));
	CHECK(!vdm_is_supported(vdm, VDM_F_VALID_FLAGS));
	/* row 3: programs compiled long ago call it unasked */
	CHECK(vdm->has_property != NULL);
	CHECK(f.base.has_property != NULL);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
	poll_once(&f);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
	data_mover_sync_delete(m);
}

static void
never_polled(void)
{
	enum { N = 20000 };
	struct data_mover_sync *m = new_mover();
	struct vdm *vdm = data_mover_sync_get_vdm(m);
	struct vdm_operation_future *f = t_malloc(N * sizeof(*f));
	char buf[8] = {0};

	for (int i = 0; i < N; i++) {
		f[i] = vdm_memset(vdm, buf, 1, 8, 0);
		CHECK_INT(FUTURE_STATE(&f[i]), FUTURE_STATE_IDLE);
	}
	for (int i = 0; i < N / 2; i++) {
		CHECK_INT(vdm_operation_release(&f[i]), 0);
		CHECK_INT(FUTURE_STATE(&f[i]), FUTURE_STATE_COMPLETE);
		CHECK_INT(f[i].output.result, VDM_ERROR_JOB_CORRUPTED);
		CHECK_INT(f[i].output.type, VDM_OPERATION_MEMSET);
		CHECK(f[i].output.output.memset.str == NULL);
	}
	CHECK_INT(buf[0], 0);
	poll_once(&f[N - 1]);
	CHECK_INT(vdm_operation_release(&f[N - 1]), 0);
	CHECK_INT(f[N - 1].output.result, VDM_SUCCESS);
	CHECK_INT(buf[7], 1);
	/* the rest goes with the mover */
	data_mover_sync_delete(m);
	free(f);
}

/* Movers and operations know nothing of threads: each may use any. */
static void *
poll_in_a_thread(void *arg)
{
	poll_once(arg);
	return NULL;
}

static void
polled_in_another_thread(void)
{
	struct data_mover_sync *m = new_mover();
	pthread_t thread;
	struct bytes b;

	bytes_init(&b, 10000, 0);
	bytes_make(&b, data_mover_sync_get_vdm(m), VDM_OPERATION_MEMCPY, 10000,
		1, 2, 0);
	t_start(&thread, poll_in_a_thread, &b.fut);
	t_join(thread);
	bytes_check(&b);
	bytes_fini(&b);
	data_mover_sync_delete(m);
}

T_MAIN(T_CASE(lives_and_dies), T_CASE(every_operation), T_CASE(flush),
	T_CASE(properties), T_CASE(never_polled),
	T_CASE(polled_in_another_thread))
