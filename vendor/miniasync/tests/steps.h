/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steps.h -- the steps that the tests of chains are made of
 *
 * Each step appends to a log: i an init, t a poll, m a map, followed by the
 * step's number.
 */

#ifndef STEPS_H
#define STEPS_H

#include "t.h"

#include <libminiasync.h>

static char log_[256];

static inline void
note(char what, int id)
{
	size_t n = strlen(log_);

	CHECK(n + 4 < sizeof(log_));
	snprintf(log_ + n, sizeof(log_) - n, "%c%d ", what, id);
}

/* Compares the log with what was expected and empties it. */
#define CHECK_LOG(expected_)                                                   \
	do {                                                                   \
		if (strcmp(log_, expected_) != 0)                              \
			t_fail(__FILE__, __LINE__, log_);                      \
		log_[0] = '\0';                                                \
	} while (0)

struct step_data {
	int id;
	int polls_left;
	int in;
	struct future_notifier *seen;
};

/* Odd sizes, so that entries need padding behind them. */
struct step_output {
	int out;
	char odd[3];
};

FUTURE(step, struct step_data, struct step_output);

static inline enum future_state
step_task(struct future_context *context, struct future_notifier *notifier)
{
	struct step_data *data = future_context_get_data(context);
	struct step_output *output = future_context_get_output(context);

	note('t', data->id);
	data->seen = notifier;
	if (--data->polls_left > 0)
		return FUTURE_STATE_RUNNING;
	output->out = data->in + 1;
	return FUTURE_STATE_COMPLETE;
}

static inline int
step_property(void *future, enum future_property property)
{
	(void)property;
	return 100 + ((struct step *)future)->data.id;
}

static inline struct step
make_step(int id, int polls)
{
	struct step s;

	memset(&s, 0, sizeof(s));
	s.data.id = id;
	s.data.polls_left = polls;
	FUTURE_INIT_EXT(&s, step_task, step_property);
	return s;
}

struct chain_output {
	int out;
};

struct chain3_data {
	FUTURE_CHAIN_ENTRY(struct step, a);
	FUTURE_CHAIN_ENTRY(struct step, b);
	FUTURE_CHAIN_ENTRY_LAST(struct step, c);
};
FUTURE(chain3, struct chain3_data, struct chain_output);

static struct future_context *expected_rhs;

/* The argument is the number of the step on the left. */
static inline void
to_step(struct future_context *lhs, struct future_context *rhs, void *arg)
{
	struct step_output *from = future_context_get_output(lhs);
	struct step_data *to = future_context_get_data(rhs);

	note('m', *(int *)arg);
	to->in = from->out;
}

static inline void
to_chain(struct future_context *lhs, struct future_context *rhs, void *arg)
{
	struct step_output *from = future_context_get_output(lhs);
	struct chain_output *to = future_context_get_output(rhs);

	note('m', *(int *)arg);
	if (expected_rhs != NULL)
		CHECK(rhs == expected_rhs);
	to->out = from->out;
}

static int ids[] = {0, 1, 2, 3, 4};
static struct future_context *expected_chain;

/* The argument is the number of the step to make; it takes one poll. */
static inline void
lazy_step(void *future, struct future_context *chain, void *arg)
{
	struct step s = make_step(*(int *)arg, 1);

	note('i', *(int *)arg);
	if (expected_chain != NULL)
		CHECK(chain == expected_chain);
	memcpy(future, &s, sizeof(s));
}

/* Three steps that take so many polls each. */
static inline void
init3(struct chain3 *chain, int polls)
{
	memset(chain, 0xa5, sizeof(*chain));
	FUTURE_CHAIN_ENTRY_INIT(&chain->data.a, make_step(0, polls), to_step,
		&ids[0]);
	FUTURE_CHAIN_ENTRY_INIT(&chain->data.b, make_step(1, polls), to_step,
		&ids[1]);
	FUTURE_CHAIN_ENTRY_INIT(&chain->data.c, make_step(2, polls), to_chain,
		&ids[2]);
	chain->output.out = -1;
	FUTURE_CHAIN_INIT(chain);
	expected_rhs = NULL;
	expected_chain = NULL;
}

/* The same, made when they are reached. */
static inline void
init3_lazy(struct chain3 *chain, future_map_fn map)
{
	memset(chain, 0xa5, sizeof(*chain));
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&chain->data.a, lazy_step, &ids[0], map,
		&ids[0]);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&chain->data.b, lazy_step, &ids[1], map,
		&ids[1]);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&chain->data.c, lazy_step, &ids[2],
		map != NULL ? to_chain : NULL, &ids[2]);
	chain->output.out = -1;
	FUTURE_CHAIN_INIT(chain);
	expected_rhs = NULL;
	expected_chain = &chain->base.context;
}

#endif /* STEPS_H */
