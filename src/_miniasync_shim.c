/* SPDX-License-Identifier: BSD-3-Clause */
/* _miniasync_shim.c -- making, starting and waiting in one call */

/* clock_gettime; the file is compiled as plain C11. */
#define _POSIX_C_SOURCE 200809L

#include "_miniasync_shim.h"

#include <errno.h>
#include <time.h>

/* The time of CLOCK_MONOTONIC `timeout_ns` from now. */
static uint64_t
deadline_after(uint64_t timeout_ns)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	return timeout_ns < FUTURE_WAITER_FOREVER - ns ? ns + timeout_ns
						       : FUTURE_WAITER_FOREVER;
}

static void
make(struct vdm_operation_future *slot, struct vdm *vdm,
	enum vdm_operation_type type, void *dst, void *src, int c, size_t n,
	uint64_t flags)
{
	switch (type) {
	case VDM_OPERATION_MEMCPY:
		*slot = vdm_memcpy(vdm, dst, src, n, flags);
		break;
	case VDM_OPERATION_MEMMOVE:
		*slot = vdm_memmove(vdm, dst, src, n, flags);
		break;
	case VDM_OPERATION_MEMSET:
		*slot = vdm_memset(vdm, dst, c, n, flags);
		break;
	case VDM_OPERATION_FLUSH:
		*slot = vdm_flush(vdm, dst, n, flags);
		break;
	}
}

int
ma_shim_run(struct vdm_operation_future *slot, struct vdm *vdm,
	enum vdm_operation_type type, void *dst, void *src, int c, size_t n,
	uint64_t flags, struct future_waiter *waiter, uint64_t timeout_ns)
{
	struct future *fut = FUTURE_AS_RUNNABLE(slot);

	/* One that failed when it was made is complete and has no task. */
	if (fut->task == NULL && fut->context.state == FUTURE_STATE_IDLE)
		make(slot, vdm, type, dst, src, c, n, flags);
	if (waiter != NULL || timeout_ns != MA_MAKE_ONLY)
		(void)ma_shim_run_future(fut, waiter, timeout_ns);
	return FUTURE_STATE(slot) == FUTURE_STATE_COMPLETE
		? (int)FUTURE_OUTPUT(slot)->result
		: MA_RUNNING;
}

int
ma_shim_run_future(struct future *fut, struct future_waiter *waiter,
	uint64_t timeout_ns)
{
	/*
	 * The outcome of the wait says nothing that the state does not: Python
	 * looks at its own clock and at its signals either way.
	 */
	if (waiter != NULL)
		(void)future_waiter_wait(waiter, &fut, 1, 1,
			deadline_after(timeout_ns),
			FUTURE_WAITER_F_INTERRUPTIBLE);
	else
		(void)future_poll(fut, NULL);
	return fut->context.state == FUTURE_STATE_COMPLETE;
}

size_t
ma_shim_wait(struct future_waiter *waiter, struct future *futs[], size_t nfuts,
	size_t nwanted, uint64_t timeout_ns)
{
	size_t ncomplete = 0;

	(void)future_waiter_wait(waiter, futs, nfuts, nwanted,
		deadline_after(timeout_ns), FUTURE_WAITER_F_INTERRUPTIBLE);
	for (size_t i = 0; i < nfuts; i++)
		ncomplete += futs[i]->context.state == FUTURE_STATE_COMPLETE;
	return ncomplete;
}

#ifdef MINIASYNC_PROVIDER_IS_UPSTREAM
void
ma_shim_no_set_inline_below(struct data_mover_threads *dmt, size_t nbytes)
{
	(void)dmt;
	(void)nbytes;
}

size_t
ma_shim_no_number(const struct data_mover_threads *dmt)
{
	(void)dmt;
	return 0;
}

int
ma_shim_no_stats(struct data_mover_threads *dmt,
	struct data_mover_threads_stats *stats)
{
	(void)dmt;
	(void)stats;
	return ENOTSUP;
}
#endif
