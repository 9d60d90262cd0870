/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dml_record.c -- what the mover announces of a job that is in flight
 *
 * By polls as programs make them that were compiled with this version's headers:
 * each is given its notifier.
 */

#include "doubled.h"

static struct data_mover_dml *m;
static struct bytes b;

static void
set_up(size_t n)
{
	double_reset();
	m = new_dml(DATA_MOVER_DML_HARDWARE);
	bytes_init(&b, n, n);
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, n, 0);
}

static void
tear_down(void)
{
	double_hold(0);
	/* First: it waits for what is in flight. */
	data_mover_dml_delete(m);
	bytes_fini(&b);
}

/* The word that a poll announces, or NULL; the future is still running then. */
static const uint64_t *
announced(struct future *fut)
{
	struct future_notifier n;

	memset(&n, 0xa5, sizeof(n));
	n.notifier_used = FUTURE_NOTIFIER_WAKER;
	CHECK_INT(future_poll(fut, &n), FUTURE_STATE_RUNNING);
	if (n.notifier_used == FUTURE_NOTIFIER_NONE)
		return NULL;
	CHECK_INT(n.notifier_used, FUTURE_NOTIFIER_POLLER);
	CHECK(n.poller.ptr_to_monitor != NULL);
	return n.poller.ptr_to_monitor;
}

static void
try_once(void)
{
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, b.n, 0);
	finish_dml(&b.fut);
	bytes_check(&b);
}

/* Nothing by the first poll, as ever; nor before it has been right once. */
static void
a_word_that_was_right_is_announced(void)
{
	struct future *fut = FUTURE_AS_RUNNABLE(&b.fut);
	const uint64_t *word;

	set_up(5000);
	double_hold(DOUBLE_ALWAYS);
	for (int i = 0; i < 10; i++)
		CHECK(announced(fut) == NULL);
	double_hold(0);
	CHECK_INT(future_poll(fut, NULL), FUTURE_STATE_COMPLETE);
	bytes_check(&b);

	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
	double_hold(DOUBLE_ALWAYS);
	CHECK(announced(fut) == NULL);
	word = announced(fut);
	CHECK(word != NULL);
	CHECK(announced(fut) == word);
	CHECK_INT(*word, 0);
	/* A poll without a notifier, and one by an older program. */
	CHECK_INT(future_poll(fut, NULL), FUTURE_STATE_RUNNING);
	CHECK_INT(data_mover_dml_get_vdm(m)->op_check(b.fut.data.data,
			  &b.fut.data.operation),
		FUTURE_STATE_RUNNING);
	double_start();
	while (__atomic_load_n(word, __ATOMIC_RELAXED) == 0)
		;
	CHECK_INT(future_poll(fut, NULL), FUTURE_STATE_COMPLETE);
	double_stop();
	bytes_check(&b);
	tear_down();
}

/* One check a poll, whoever polls. */
static void
a_poll_looks_once(void)
{
	struct future *fut = FUTURE_AS_RUNNABLE(&b.fut);

	set_up(5000);
	double_hold(DOUBLE_ALWAYS);
	CHECK(announced(fut) == NULL);
	for (uint64_t i = double_checks(); i < 10; i++) {
		CHECK_INT(future_poll(fut, NULL), FUTURE_STATE_RUNNING);
		CHECK_INT(double_checks(), i + 1);
	}
	for (uint64_t i = double_checks(); i < 20; i++) {
		CHECK_INT(data_mover_dml_get_vdm(m)->op_check(b.fut.data.data,
				  &b.fut.data.operation),
			FUTURE_STATE_RUNNING);
		CHECK_INT(double_checks(), i + 1);
	}
	double_hold(0);
	finish_dml(&b.fut);
	tear_down();
}

/* Whichever job is still in flight. */
static void
of_several_one_is_announced(void)
{
	const size_t n = 16 * MIB;
	struct future *fut = FUTURE_AS_RUNNABLE(&b.fut);
	const uint64_t *first;
	const uint64_t *next;

	set_up(n);
	try_once();
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, n, 0);
	double_hold(2);
	CHECK(announced(fut) == NULL);
	CHECK_INT(double_in_flight(), 8 + 1);
	first = announced(fut);
	CHECK(first != NULL);
	finish_dml(&b.fut);
	bytes_check(&b);

	/* What is refused cannot end: no word, though there was one. */
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, MIB, 0);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, 2);
	double_hold(DOUBLE_ALWAYS);
	CHECK(announced(fut) == NULL);
	CHECK(announced(fut) == NULL);
	CHECK(announced(fut) != NULL);
	double_hold(0);
	finish_dml(&b.fut);

	/* The first is refused: the word of the second. */
	make_doubled(&b, m, VDM_OPERATION_MEMCPY, 4 * MIB, 0);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, 1);
	double_hold(DOUBLE_ALWAYS);
	CHECK(announced(fut) == NULL);
	double_refuse(DML_STATUS_WORK_QUEUES_NOT_AVAILABLE, 1);
	next = announced(fut);
	CHECK(next != NULL);
	CHECK_INT(*next, 0);
	tear_down();
}

/* libdml has another way to keep them: nothing is announced, all is well. */
static void
what_is_not_right_is_not_announced(void)
{
	for (int records = DOUBLE_RECORDS_UNWRITTEN;
		records <= DOUBLE_RECORDS_NONE; records++) {
		set_up(5000);
		double_set_records((enum double_records)records);
		for (int i = 0; i < 3; i++) {
			double_hold(3);
			make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
			CHECK(announced(FUTURE_AS_RUNNABLE(&b.fut)) == NULL);
			CHECK(announced(FUTURE_AS_RUNNABLE(&b.fut)) == NULL);
			finish_dml(&b.fut);
			bytes_check(&b);
		}
		tear_down();
	}
}

/* It was right before: what was found out is given up. */
static void
what_goes_wrong_is_forgotten(void)
{
	static const enum double_records wrong[] = {
		DOUBLE_RECORDS_UNWRITTEN, DOUBLE_RECORDS_WRITTEN};

	for (size_t i = 0; i < T_COUNT(wrong); i++) {
		struct future *fut = FUTURE_AS_RUNNABLE(&b.fut);

		set_up(5000);
		try_once();
		double_set_records(wrong[i]);
		double_hold(3);
		try_once();
		double_set_records(DOUBLE_RECORDS);
		make_doubled(&b, m, VDM_OPERATION_MEMCPY, 5000, 0);
		double_hold(DOUBLE_ALWAYS);
		CHECK(announced(fut) == NULL);
		CHECK(announced(fut) == NULL);
		tear_down();
	}
}

/* A mover that is made of ours, with an op_start of its own: called once. */
static int starts;
static vdm_operation_start op_start;

static int
count_start(void *data, const struct vdm_operation *operation,
	struct future_notifier *n)
{
	starts++;
	return op_start(data, operation, n);
}

static void
other_movers_start_once(void)
{
	struct vdm *vdm;

	set_up(5000);
	vdm = data_mover_dml_get_vdm(m);
	op_start = vdm->op_start;
	vdm->op_start = count_start;
	double_hold(3);
	finish_dml(&b.fut);
	bytes_check(&b);
	CHECK_INT(starts, 1);
	tear_down();
}

/* What is done needs nobody to tell. */
static void
nothing_is_announced_at_the_end(void)
{
	struct future_notifier n;
	struct vdm *vdm;

	set_up(0);
	vdm = data_mover_dml_get_vdm(m);
	for (int i = 0; i < 2; i++) {
		n.notifier_used = FUTURE_NOTIFIER_WAKER;
		CHECK_INT(vdm->op_start(b.fut.data.data, &b.fut.data.operation,
				  &n),
			0);
		CHECK_INT(n.notifier_used, FUTURE_NOTIFIER_NONE);
	}
	CHECK_INT(poll_dml(&b.fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(stats_of(m).operations, 1);
	tear_down();
}

/* It is asked of futures, whatever is in them. */
static void
an_unknown_operation_has_no_properties(void)
{
	set_up(5000);
	CHECK_INT(is_async(&b.fut), 1);
	b.fut.data.operation.type = (enum vdm_operation_type)99;
	CHECK_INT(is_async(&b.fut), 0);
	finish_dml(&b.fut);
	CHECK_INT(b.fut.output.result, VDM_ERROR_JOB_CORRUPTED);
	tear_down();
}

static void
libdml_can_run_here(void)
{
	need_avx2();
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(a_word_that_was_right_is_announced),
	T_CASE(a_poll_looks_once), T_CASE(of_several_one_is_announced),
	T_CASE(what_is_not_right_is_not_announced),
	T_CASE(what_goes_wrong_is_forgotten), T_CASE(other_movers_start_once),
	T_CASE(nothing_is_announced_at_the_end),
	T_CASE(an_unknown_operation_has_no_properties))
