/* SPDX-License-Identifier: BSD-3-Clause */
/* dml_helpers.h -- short ways to what the tests of the DML mover need */

#ifndef DML_HELPERS_H
#define DML_HELPERS_H

#include "bytes.h"

#include <libminiasync-vdm-dml.h>

static inline struct data_mover_dml *
new_dml(enum data_mover_dml_type type)
{
	struct data_mover_dml *m = data_mover_dml_new(type);

	CHECK(m != NULL);
	return m;
}

static inline struct data_mover_dml_stats
stats_of(const struct data_mover_dml *m)
{
	struct data_mover_dml_stats stats;

	memset(&stats, 0xa5, sizeof(stats));
	stats.size = sizeof(stats);
	CHECK_INT(data_mover_dml_get_stats(m, &stats), 0);
	CHECK_INT(stats.size, sizeof(stats));
	return stats;
}

static inline enum future_state
poll_dml(struct vdm_operation_future *fut)
{
	struct future_notifier n;

	memset(&n, 0, sizeof(n));
	n.notifier_used = FUTURE_NOTIFIER_WAKER;
	/* Announced by the poll that starts it; later ones are not asked. */
	if (FUTURE_STATE(fut) == FUTURE_STATE_IDLE) {
		future_poll(FUTURE_AS_RUNNABLE(fut), &n);
		CHECK_INT(n.notifier_used, FUTURE_NOTIFIER_NONE);
		return FUTURE_STATE(fut);
	}
	return future_poll(FUTURE_AS_RUNNABLE(fut), NULL);
}

static inline void
finish_dml(struct vdm_operation_future *fut)
{
	while (poll_dml(fut) != FUTURE_STATE_COMPLETE)
		;
}

static inline int
is_async(struct vdm_operation_future *fut)
{
	return future_has_property(FUTURE_AS_RUNNABLE(fut),
		FUTURE_PROPERTY_ASYNC);
}

/* The mover does not use libdml on other CPUs. */
static inline void
need_avx2(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2"))
		t_skip("this CPU has no AVX2, which libdml needs");
#endif
}

#endif /* DML_HELPERS_H */
