/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_chain_lazy.c -- chains whose entries are made when they are reached,
 * nested ones, ones built by hand, and what they answer when asked
 */

#include "steps.h"

static void
lazy_entries(void)
{
	struct chain3 chain;

	init3_lazy(&chain, to_step);
	CHECK_LOG("");
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	/* the init on the right comes before the map that writes there */
	CHECK_LOG("i0 t0 i1 m0 t1 i2 m1 t2 m2 ");
	CHECK_INT(chain.output.out, 3);
	CHECK(FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&chain.data.b));

	init3_lazy(&chain, NULL);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("i0 t0 i1 t1 i2 t2 ");
	CHECK_INT(chain.output.out, -1);
}

static void
lazy_inits_run_once_and_not_early(void)
{
	struct chain3 chain;

	init3_lazy(&chain, to_step);
	FUTURE_CHAIN_ENTRY_INIT(&chain.data.a, make_step(0, 3), to_step,
		&ids[0]);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_LOG("t0 ");
	CHECK(!FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&chain.data.b));
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_LOG("t0 ");
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 i1 m0 t1 i2 m1 t2 m2 ");
}

static void
lazy_entry_that_takes_its_time(void)
{
	struct chain3 chain;

	init3_lazy(&chain, to_step);
	CHECK_INT(future_has_property(&chain.base, FUTURE_PROPERTY_ASYNC), 100);
	CHECK_LOG("i0 ");
	chain.data.a.fut.data.polls_left = 3;
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_LOG("t0 t0 ");
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 i1 m0 t1 i2 m1 t2 m2 ");
}

/* Inlined, gcc 12 once warned of an overflow that is not there. */
static inline __attribute__((always_inline)) void
run_untyped(struct future *chain)
{
	CHECK_INT(future_has_property(chain, FUTURE_PROPERTY_ASYNC), 100);
	CHECK_INT(future_poll(chain, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 m0 t1 m1 ");
}

/* Built by hand in plain memory, with nothing typed about it. */
static void
untyped_entries(void)
{
	const size_t head = offsetof(struct future_chain_entry, future);
	const size_t stride = (sizeof(struct future_chain_entry) +
				      sizeof(struct step_data) + 7 + 7) /
		8 * 8;
	unsigned char *at;
	struct future *chain = t_malloc(sizeof(*chain) + 2 * stride + 8);
	struct future_chain_entry e = {to_step, &ids[0], NULL, NULL, 0,
		{NULL, NULL, {0, 0, FUTURE_STATE_IDLE, 0}}};
	struct step s = make_step(0, 1);
	struct chain_output out;

	chain->task = async_chain_impl;
	chain->has_property = future_chain_has_property;
	chain->context.data_size = 2 * stride;
	chain->context.output_size = sizeof(struct chain_output);
	chain->context.state = FUTURE_STATE_IDLE;
	at = (unsigned char *)chain + sizeof(*chain);
	/* an output of 7 bytes: the next entry begins behind padding */
	s.base.context.output_size = 7;
	memcpy(at, &e, head);
	memcpy(at + head, &s, sizeof(s.base) + sizeof(s.data) + 7);
	s.data.id = 1;
	e.map = to_chain;
	e.map_arg = &ids[1];
	memcpy(at + stride, &e, head);
	memcpy(at + stride + head, &s, sizeof(s.base) + sizeof(s.data) + 7);
	expected_rhs = &chain->context;
	run_untyped(chain);
	memcpy(&out, at + 2 * stride, sizeof(out));
	CHECK_INT(out.out, 2);
	free(chain);
}

static void
properties(void)
{
	struct chain3 chain;

	init3(&chain, 1);
	chain.data.b.fut.data.polls_left = 2;
	CHECK_INT(future_has_property(&chain.base, FUTURE_PROPERTY_ASYNC), 100);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_INT(future_has_property(&chain.base, FUTURE_PROPERTY_ASYNC), 101);
	chain.data.b.fut.base.has_property = NULL;
	CHECK_INT(future_has_property(&chain.base, FUTURE_PROPERTY_ASYNC), 0);
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_INT(future_has_property(&chain.base, FUTURE_PROPERTY_ASYNC), -1);
	CHECK_LOG("t0 m0 t1 t1 m1 t2 m2 ");

	/* asking counts as reaching, once, and only the first */
	init3_lazy(&chain, to_step);
	for (int i = 0; i < 3; i++)
		CHECK_INT(future_has_property(&chain.base,
				  FUTURE_PROPERTY_ASYNC),
			100);
	CHECK_LOG("i0 ");
	CHECK(FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&chain.data.a));
	CHECK(!FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&chain.data.b));
	CHECK_INT(future_poll(&chain.base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t0 i1 m0 t1 i2 m1 t2 m2 ");
}

struct outer_data {
	FUTURE_CHAIN_ENTRY(struct chain3, inner);
	FUTURE_CHAIN_ENTRY_LAST(struct step, last);
};
FUTURE(outer_chain, struct outer_data, struct chain_output);

static void
inner_to_step(struct future_context *lhs, struct future_context *rhs, void *arg)
{
	struct chain_output *from = future_context_get_output(lhs);
	struct step_data *to = future_context_get_data(rhs);

	note('m', *(int *)arg);
	to->in = from->out;
}

static void
nested_chains(void)
{
	struct chain3 inner;
	struct outer_chain outer;
	struct outer_chain *moved = t_malloc(sizeof(*moved));

	init3(&inner, 1);
	inner.data.b.fut.data.polls_left = 2;
	memset(&outer, 0xa5, sizeof(outer));
	FUTURE_CHAIN_ENTRY_INIT(&outer.data.inner, inner, inner_to_step,
		&ids[3]);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&outer.data.last, lazy_step, &ids[4],
		to_chain, &ids[4]);
	FUTURE_CHAIN_INIT(&outer);
	CHECK_INT(future_has_property(&outer.base, FUTURE_PROPERTY_ASYNC), 100);
	CHECK_INT(future_poll(&outer.base, NULL), FUTURE_STATE_RUNNING);
	CHECK_LOG("t0 m0 t1 ");
	CHECK_INT(future_has_property(&outer.base, FUTURE_PROPERTY_ASYNC), 101);
	memcpy(moved, &outer, sizeof(outer));
	memset(&outer, 0xff, sizeof(outer));
	CHECK_INT(future_poll(&moved->base, NULL), FUTURE_STATE_COMPLETE);
	CHECK_LOG("t1 m1 t2 m2 i4 m3 t4 m4 ");
	CHECK_INT(moved->output.out, 4);
	free(moved);
}

T_MAIN(T_CASE(lazy_entries), T_CASE(lazy_inits_run_once_and_not_early),
	T_CASE(lazy_entry_that_takes_its_time), T_CASE(untyped_entries),
	T_CASE(properties), T_CASE(nested_chains))
