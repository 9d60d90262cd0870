/* SPDX-License-Identifier: BSD-3-Clause */
/* double_commands.c -- what tests tell the double, and ask it */

#include "double_state.h"

void
double_reset(void)
{
	lock();
	if (the.in_flight_count != 0)
		double_die("reset with jobs in flight");
	the.no_device = false;
	the.refusals = 0;
	the.failures = 0;
	the.limit = UINT32_MAX;
	the.refuse_hints = false;
	the.holds = 0;
	the.keep_off = false;
	the.records = DOUBLE_RECORDS;
	the.init_failures = 0;
	the.size_failures = 0;
	the.submissions = 0;
	the.nops = 0;
	the.checks = 0;
	unlock();
}

void
double_set_device(bool there)
{
	lock();
	the.no_device = !there;
	unlock();
}

void
double_refuse(dml_status_t status, uint64_t times)
{
	lock();
	the.refusal = status;
	the.refusals = times;
	unlock();
}

void
double_fail(dml_status_t status, size_t done, uint64_t times)
{
	lock();
	the.failure = status;
	the.failure_done = done;
	the.failures = times;
	unlock();
}

void
double_limit(size_t length)
{
	lock();
	the.limit = length;
	unlock();
}

void
double_refuse_hints(void)
{
	lock();
	the.refuse_hints = true;
	unlock();
}

void
double_hold(uint64_t checks)
{
	lock();
	the.holds = checks;
	for (struct inner *at = the.in_flight; at != NULL; at = at->next)
		at->holds = checks;
	unlock();
}

void
double_keep_off(void)
{
	lock();
	the.keep_off = true;
	unlock();
}

void
double_set_records(enum double_records records)
{
	lock();
	the.records = records;
	unlock();
}

void
double_fail_init(uint64_t times)
{
	lock();
	the.init_failures = times;
	unlock();
}

void
double_fail_size(uint64_t times)
{
	lock();
	the.size_failures = times;
	unlock();
}

/* The last one in flight that is not done: the first to have come. */
static struct inner *
next_job(void)
{
	struct inner *found = NULL;

	for (struct inner *at = the.in_flight; at != NULL; at = at->next)
		if (!at->ended)
			found = at;
	return found;
}

static void *
run_engine(void *arg)
{
	lock();
	while (the.engine_runs) {
		struct inner *inner = next_job();

		if (inner != NULL)
			double_end(inner);
		else
			pthread_cond_wait(&the.change, &the.lock);
	}
	unlock();
	return arg;
}

void
double_start(void)
{
	lock();
	the.engine_runs = true;
	unlock();
	if (pthread_create(&the.engine, NULL, run_engine, NULL) != 0)
		double_die("no thread");
}

void
double_stop(void)
{
	lock();
	the.engine_runs = false;
	pthread_cond_signal(&the.change);
	unlock();
	pthread_join(the.engine, NULL);
}

struct double_descriptor
double_submitted(size_t n)
{
	struct double_descriptor entry;

	lock();
	if (n >= the.submissions || n >= DOUBLE_LOGGED)
		double_die("no such submission");
	entry = the.log[n];
	unlock();
	return entry;
}

size_t
double_submissions(void)
{
	size_t n;

	lock();
	n = the.submissions;
	unlock();
	return n;
}

void
double_forget(void)
{
	lock();
	the.submissions = 0;
	unlock();
}

size_t
double_nops(void)
{
	size_t n;

	lock();
	n = the.nops;
	unlock();
	return n;
}

size_t
double_in_flight(void)
{
	size_t n;

	lock();
	n = the.in_flight_count;
	unlock();
	return n;
}

uint64_t
double_checks(void)
{
	uint64_t n;

	lock();
	n = the.checks;
	unlock();
	return n;
}
