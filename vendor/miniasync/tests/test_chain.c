/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_chain.c -- chains: what runs when, and where they end
 *
 * Built a second time with -O3 -flto, where a walk that broke the aliasing
 * rules would read stale entries.
 */

#include "steps.h"

/* The entry as the library sees it. */
static struct future_chain_entry
untyped(const void *entry)
{
	struct future_chain_entry e;

	memset(&e, 0, sizeof(e));
	memcpy(&e, entry, offsetof(struct future_chain_entry, future));
	return e;
}

static void
entry_macros(void)
{
	struct chain3 chain;
	struct future_chain_entry e;
	int yes = 1;

	init3(&chain, 1);
	CHECK(chain.base.task == async_chain_impl);
	CHECK(chain.base.has_property == future_chain_has_property);
	e = untyped(&chain.data.a);
	CHECK(e.map == to_step && e.map_arg == &ids[0]);
	CHECK(e.init == NULL);
	CHECK(e.flags == 0);
	CHECK(!FUTURE_CHAIN_ENTRY_IS_LAST(&e));
	CHECK(!FUTURE_CHAIN_ENTRY_IS_PROCESSED(&e));
	CHECK(FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&e));
	CHECK(FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&chain.data.a));
	e = untyped(&chain.data.c);
	CHECK(e.flags == FUTURE_CHAIN_FLAG_ENTRY_LAST);
	CHECK(FUTURE_CHAIN_ENTRY_IS_LAST(&e));
	CHECK(FUTURE_CHAIN_ENTRY_HAS_FLAG(&e, FUTURE_CHAIN_FLAG_ENTRY_LAST));
	CHECK(!FUTURE_CHAIN_ENTRY_HAS_FLAG(&e,
		FUTURE_CHAIN_FLAG_ENTRY_PROCESSED));

	memset(&chain.data.b.fut, 0x5a, sizeof(chain.data.b.fut));
	if (yes)
		FUTURE_CHAIN_ENTRY_LAZY_INIT(&chain.data.b, lazy_step, &ids[1],
			to_step, &ids[1]);
	else
		FUTURE_CHAIN_ENTRY_INIT(&chain.data.b, make_step(9, 9), NULL,
			NULL);
	e = untyped(&chain.data.b);
	CHECK(e.init == lazy_step && e.init_arg == &ids[1]);
	CHECK(!FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&chain.data.b));
	for (size_t i = 0; i < sizeof(chain.data.b.fut); i++)
		CHECK(((unsigned char *)&chain.data.b.fut)[i] == 0x5a);
}

static void
one_poll_runs_what_it_can(void)
{
	struct chain3 chain;

	init3(&chain, 1);
	expected_rhs = &chain.base.context;
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 m0 t1 m1 t2 m2 ");
	CHECK_INT(chain.output.out, 3);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("");
}

static void
goes_on_where_it_stopped(void)
{
	struct chain3 chain;
	struct future_chain_entry e;

	init3(&chain, 2);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_LOG("t0 ");
	e = untyped(&chain.data.a);
	CHECK(!FUTURE_CHAIN_ENTRY_IS_PROCESSED(&e));
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_LOG("t0 m0 t1 ");
	e = untyped(&chain.data.a);
	CHECK(e.flags == FUTURE_CHAIN_FLAG_ENTRY_PROCESSED);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_LOG("t1 m1 t2 ");
	e = untyped(&chain.data.c);
	CHECK(e.flags == FUTURE_CHAIN_FLAG_ENTRY_LAST);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t2 m2 ");
	e = untyped(&chain.data.c);
	CHECK(e.flags == FUTURE_CHAIN_VALID_FLAGS);
	CHECK_INT(chain.output.out, 3);
}

static enum future_state
idle_task(struct future_context *context, struct future_notifier *notifier)
{
	(void)context;
	(void)notifier;
	return FUTURE_STATE_IDLE;
}

static void
an_idle_entry_makes_a_running_chain(void)
{
	struct chain3 chain;

	init3(&chain, 1);
	chain.data.a.fut.base.task = idle_task;
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_INT(chain.data.a.fut.base.context.state, FUTURE_STATE_IDLE);
	CHECK_LOG("");
}

struct open_data {
	FUTURE_CHAIN_ENTRY(struct step, a);
	FUTURE_CHAIN_ENTRY(struct step, b);
};
FUTURE(open_chain, struct open_data, struct chain_output);

struct tail_data {
	FUTURE_CHAIN_ENTRY(struct step, a);
	FUTURE_CHAIN_ENTRY_LAST(struct step, b);
	unsigned char rest[200];
};
FUTURE(tail_chain, struct tail_data, struct chain_output);

static void
ends_by_flag_or_by_size(void)
{
	struct open_chain open;
	struct tail_chain tail;

	memset(&open, 0xa5, sizeof(open));
	FUTURE_CHAIN_ENTRY_INIT(&open.data.a, make_step(0, 1), to_step,
		&ids[0]);
	FUTURE_CHAIN_ENTRY_INIT(&open.data.b, make_step(1, 1), to_chain,
		&ids[1]);
	FUTURE_CHAIN_INIT(&open);
	expected_rhs = &open.base.context;
	CHECK_INT(future_poll(&open.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 m0 t1 m1 ");
	CHECK_INT(open.output.out, 2);
	CHECK_INT(future_has_property(&open.base, FUTURE_PROPERTY_ASYNC), -1);

	memset(&tail, 0xa5, sizeof(tail));
	FUTURE_CHAIN_ENTRY_INIT(&tail.data.a, make_step(0, 1), to_step,
		&ids[0]);
	FUTURE_CHAIN_ENTRY_INIT(&tail.data.b, make_step(1, 1), to_chain,
		&ids[1]);
	FUTURE_CHAIN_INIT(&tail);
	expected_rhs = &tail.base.context;
	CHECK_INT(future_poll(&tail.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 m0 t1 m1 ");
	CHECK_INT(tail.output.out, 2);
	for (size_t i = 0; i < sizeof(tail.data.rest); i++)
		CHECK_INT(tail.data.rest[i], 0xa5);
	CHECK_INT(future_has_property(&tail.base, FUTURE_PROPERTY_ASYNC), -1);
}

static void
notifier_is_handed_through(void)
{
	struct chain3 chain;
	struct future_notifier notifier;

	memset(&notifier, 0, sizeof(notifier));
	init3(&chain, 1);
	chain.data.c.fut.data.polls_left = 2;
	CHECK_INT(future_poll(&chain.base, &notifier), FUTURE_STATE_RUNNING);
	CHECK(chain.data.a.fut.data.seen == &notifier);
	CHECK(chain.data.b.fut.data.seen == &notifier);
	CHECK(chain.data.c.fut.data.seen == &notifier);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK(chain.data.c.fut.data.seen == NULL);
	CHECK_LOG("t0 m0 t1 m1 t2 t2 m2 ");
}

static void
complete_entries_are_mapped_unpolled(void)
{
	struct chain3 chain;

	init3(&chain, 1);
	FUTURE_INIT_COMPLETE(&chain.data.b.fut);
	chain.data.b.fut.output.out = 41;
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 m0 m1 t2 m2 ");
	CHECK_INT(chain.output.out, 42);
}

/* Entries written and walked in one go, which is where aliasing bites. */
static void
written_and_walked_at_once(void)
{
	for (int i = 0; i < 1000; i++) {
		struct chain3 chain;

		init3(&chain, 1 + i % 3);
		chain.data.a.fut.data.in = i;
		FUTURE_BUSY_POLL(&chain);
		CHECK_INT(chain.output.out, i + 3);
		CHECK_INT(chain.data.b.fut.output.out, i + 2);
		log_[0] = '\0';
		init3_lazy(&chain, to_step);
		FUTURE_BUSY_POLL(&chain);
		CHECK_LOG("i0 t0 i1 m0 t1 i2 m1 t2 m2 ");
	}
}

T_MAIN(T_CASE(entry_macros), T_CASE(one_poll_runs_what_it_can),
	T_CASE(goes_on_where_it_stopped),
	T_CASE(an_idle_entry_makes_a_running_chain),
	T_CASE(ends_by_flag_or_by_size), T_CASE(notifier_is_handed_through),
	T_CASE(complete_entries_are_mapped_unpolled),
	T_CASE(written_and_walked_at_once))
