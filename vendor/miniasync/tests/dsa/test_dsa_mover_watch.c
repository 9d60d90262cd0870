/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dsa_mover_watch.c -- a wait whose processor watches for the device's end
 *
 * Both are emulated: the device, and the instruction umwait. Time stands still,
 * so that nothing but the device ends a wait.
 */

#include "waitpkg.h"

#include "dsa_mover.h"
#include "frozen.h"

static size_t watched; /* the descriptor's number */

static void
finish_it(void)
{
	const uint64_t record = dsa_seen(watched).record;

	CHECK_INT((uintptr_t)waitpkg.at, (uintptr_t)record);
	/* It may end for no reason before. */
	if (waitpkg.stops == 3)
		dsa_finish(watched);
}

static void
the_record_is_watched(void)
{
	static const enum vdm_operation_type types[] = {VDM_OPERATION_MEMCPY,
		VDM_OPERATION_MEMMOVE, VDM_OPERATION_MEMSET,
		VDM_OPERATION_FLUSH};
	struct runtime *r = new_runtime();

	mover_up();
	/* Then it is known where libdml has the record. */
	job_run(VDM_OPERATION_MEMCPY, 5000);
	dsa_hold();
	for (size_t i = 0; i < T_COUNT(types); i++) {
		struct job job;

		watched = dsa_accepted();
		waitpkg_reset();
		waitpkg.on_stop = finish_it;
		job_init(&job, types[i], 5000);
		runtime_wait(r, job_future(&job));
		job_end(&job);
		CHECK_INT(waitpkg.stops, 3);
		CHECK_INT(waitpkg.writes, 1);
		CHECK_INT(dsa_accepted(), watched + 1);
	}
	CHECK_INT(stats().hardware_jobs, 1 + T_COUNT(types));
	waitpkg_reset();
	mover_down();
	runtime_delete(r);
}

int
main(int argc, char *argv[])
{
	static const struct t_case cases[] = {T_CASE(the_record_is_watched)};
	const char *why = dsa_unusable();

	/* The device's own handler comes behind this one. */
	if (why == NULL)
		why = waitpkg_start();
	if (why != NULL)
		t_skip(why);
	return t_run(cases, T_COUNT(cases), argc, argv);
}
