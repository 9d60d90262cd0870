/* SPDX-License-Identifier: BSD-3-Clause */
/* test_future.c -- the future macros and polling, without any library code */

#include "t.h"

#include <libminiasync.h>

struct count_data {
	int target;
	int polls;
	struct future_notifier *seen;
};

struct count_output {
	int polls;
};

FUTURE(count_future, struct count_data, struct count_output);

/* Completes at poll number `target`; IDLE until then if target is negative. */
static enum future_state
count_task(struct future_context *context, struct future_notifier *notifier)
{
	struct count_data *data = future_context_get_data(context);
	struct count_output *output = future_context_get_output(context);

	data->seen = notifier;
	data->polls++;
	output->polls = data->polls;
	if (data->target < 0)
		return FUTURE_STATE_IDLE;
	return data->polls >= data->target ? FUTURE_STATE_COMPLETE
					   : FUTURE_STATE_RUNNING;
}

static int
echo_property(void *future, enum future_property property)
{
	struct count_future *f = future;

	return f->data.target + (int)property;
}

static struct count_future
make_count(int target)
{
	struct count_future f;

	memset(&f, 0xa5, sizeof(f));
	f.data.target = target;
	f.data.polls = 0;
	f.data.seen = NULL;
	f.output.polls = 0;
	FUTURE_INIT(&f, count_task);
	return f;
}

static void
init(void)
{
	struct count_future f = make_count(1);

	CHECK(f.base.task == count_task);
	CHECK_INT(f.base.context.state, FUTURE_STATE_IDLE);
	CHECK_INT(f.base.context.data_size, sizeof(struct count_data));
	CHECK_INT(f.base.context.output_size, sizeof(struct count_output));
	CHECK_INT(future_context_get_size(&f.base.context),
		sizeof(struct count_data) + sizeof(struct count_output));
	CHECK(FUTURE_AS_RUNNABLE(&f) == &f.base);
	CHECK(FUTURE_DATA(&f) == &f.data);
	CHECK(FUTURE_OUTPUT(&f) == &f.output);
	CHECK(future_context_get_data(&f.base.context) == (void *)&f.data);
	CHECK(future_context_get_output(&f.base.context) == (void *)&f.output);
	/* the initialisation leaves the data alone */
	CHECK_INT(f.data.target, 1);
	FUTURE_STATE(&f) = FUTURE_STATE_RUNNING;
	CHECK_INT(f.base.context.state, FUTURE_STATE_RUNNING);
}

static void
init_is_one_statement(void)
{
	struct count_future f[2] = {make_count(1), make_count(1)};
	int yes = 1;

	if (yes)
		FUTURE_INIT(&f[yes], yes ? count_task : NULL);
	else
		FUTURE_INIT_COMPLETE(&f[yes]);
	CHECK(f[1].base.task == count_task);
	if (!yes)
		FUTURE_INIT_EXT(&f[0], count_task, echo_property);
	else
		FUTURE_INIT_COMPLETE(&f[0]);
	CHECK_INT(FUTURE_STATE(&f[0]), FUTURE_STATE_COMPLETE);
	if (yes)
		FUTURE_BUSY_POLL(&f[1]);
	else
		CHECK(0);
	CHECK_INT(f[1].data.polls, 1);
}

/* Outputs that do not begin right where the data ends. */
#define PADDED(n_)                                                             \
	struct in_##n_ {                                                       \
		char bytes[n_];                                                \
	};                                                                     \
	FUTURE(padded_##n_, struct in_##n_, uint64_t);                         \
	static void check_##n_(void)                                           \
	{                                                                      \
		struct padded_##n_ f;                                          \
		memset(&f, 0, sizeof(f));                                      \
		FUTURE_INIT(&f, padded_task);                                  \
		memset(f.data.bytes, 7, n_);                                   \
		CHECK(future_context_get_data(&f.base.context) ==              \
			(void *)&f.data);                                      \
		CHECK(future_context_get_output(&f.base.context) ==            \
			(void *)&f.output);                                    \
		CHECK_INT(future_poll(&f.base, NULL), FUTURE_STATE_COMPLETE);  \
		CHECK(f.output == UINT64_C(0x0102030405060708));               \
		for (int i = 0; i < n_; i++)                                   \
			CHECK_INT(f.data.bytes[i], 7);                         \
	}

static enum future_state
padded_task(struct future_context *context, struct future_notifier *notifier)
{
	uint64_t *output = future_context_get_output(context);

	(void)notifier;
	*output = UINT64_C(0x0102030405060708);
	return FUTURE_STATE_COMPLETE;
}

PADDED(1)
PADDED(3)
PADDED(7)
PADDED(8)
PADDED(9)
PADDED(12)

static void
output_behind_padding(void)
{
	check_1();
	check_3();
	check_7();
	check_8();
	check_9();
	check_12();
}

static void
poll_stores_the_state(void)
{
	struct count_future f = make_count(3);
	struct future_notifier notifier;

	memset(&notifier, 0, sizeof(notifier));
	CHECK_INT(future_poll(&f.base, &notifier), FUTURE_STATE_RUNNING);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_RUNNING);
	CHECK(f.data.seen == &notifier);
	CHECK_INT(future_poll(&f.base, NULL), FUTURE_STATE_RUNNING);
	CHECK(f.data.seen == NULL);
	CHECK_INT(future_poll(&f.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_COMPLETE);
	CHECK_INT(f.output.polls, 3);
}

static void
a_task_may_stay_idle(void)
{
	struct count_future f = make_count(-1);

	for (int i = 1; i <= 3; i++) {
		CHECK_INT(future_poll(&f.base, NULL), FUTURE_STATE_IDLE);
		CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_IDLE);
		CHECK_INT(f.data.polls, i);
	}
}

static void
complete_is_not_polled_again(void)
{
	struct count_future f = make_count(1);

	for (int i = 0; i < 5; i++)
		CHECK_INT(future_poll(&f.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_INT(f.data.polls, 1);
	FUTURE_BUSY_POLL(&f);
	CHECK_INT(f.data.polls, 1);
}

static void
init_complete(void)
{
	struct count_future f = make_count(5);

	FUTURE_INIT_COMPLETE(&f);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_COMPLETE);
	CHECK(f.base.task == NULL);
	CHECK(f.base.has_property == NULL);
	CHECK_INT(f.base.context.data_size, sizeof(struct count_data));
	CHECK_INT(f.base.context.output_size, sizeof(struct count_output));
	/* a NULL task would crash */
	CHECK_INT(future_poll(&f.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
}

static void
moves_between_polls(void)
{
	struct count_future first = make_count(3);
	struct count_future *second = t_malloc(sizeof(*second));
	struct count_future third;

	CHECK_INT(future_poll(&first.base, NULL), FUTURE_STATE_RUNNING);
	memcpy(second, &first, sizeof(first));
	memset(&first, 0xff, sizeof(first));
	CHECK_INT(future_poll(&second->base, NULL), FUTURE_STATE_RUNNING);
	third = *second;
	free(second);
	CHECK_INT(future_poll(&third.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_INT(third.output.polls, 3);
}

static void
busy_poll(void)
{
	struct count_future f = make_count(1000);

	f.data.seen = (struct future_notifier *)&f;
	FUTURE_BUSY_POLL(&f);
	CHECK_INT(f.data.polls, 1000);
	CHECK(f.data.seen == NULL);
}

static void
properties(void)
{
	struct count_future f = make_count(5);

	CHECK(f.base.has_property == future_has_property_default);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_RENOTIFY), 0);
	FUTURE_INIT_EXT(&f, count_task, echo_property);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 5);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_RENOTIFY),
		5 + FUTURE_PROPERTY_RENOTIFY);
	FUTURE_INIT_EXT(&f, count_task, NULL);
	CHECK_INT(future_has_property(&f.base, FUTURE_PROPERTY_ASYNC), 0);
	CHECK_INT(f.data.polls, 0);
}

static void
add_one(void *data)
{
	++*(int *)data;
}

static void
waker_macro(void)
{
	int calls = 0;
	struct future_waker waker[2] = {{NULL, NULL}, {&calls, add_one}};
	struct future_waker *at = waker;

	FUTURE_WAKER_WAKE(at + 1);
	CHECK_INT(calls, 1);
	if (calls == 1)
		FUTURE_WAKER_WAKE(&waker[1]);
	else
		CHECK(0);
	CHECK_INT(calls, 2);
}

T_MAIN(T_CASE(init), T_CASE(init_is_one_statement),
	T_CASE(output_behind_padding), T_CASE(poll_stores_the_state),
	T_CASE(a_task_may_stay_idle), T_CASE(complete_is_not_polled_again),
	T_CASE(init_complete), T_CASE(moves_between_polls), T_CASE(busy_poll),
	T_CASE(properties), T_CASE(waker_macro))
