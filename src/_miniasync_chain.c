/* SPDX-License-Identifier: BSD-3-Clause */
/* _miniasync_chain.c -- futures one after another, until one fails */

#include "_miniasync_chain.h"

#include <assert.h>
#include <stdbool.h>

#include "_miniasync_shim.h"

/* async_chain_impl() walks the entries as if they were an array. */
static_assert(sizeof(struct ma_chain_entry) ==
		sizeof(struct future_chain_entry) +
			sizeof(struct ma_link_data) +
			sizeof(struct ma_link_output),
	"the entries of a chain lie one behind another");

static enum future_state
link_task(struct future_context *context, struct future_notifier *n)
{
	const struct ma_link_data *data = future_context_get_data(context);
	struct ma_link_output *output = future_context_get_output(context);
	struct ma_chain *chain = data->chain;
	const bool is_new = context->state == FUTURE_STATE_IDLE;

	/* An earlier one failed. */
	if (chain->code != MA_RUNNING)
		return FUTURE_STATE_COMPLETE;
	/* Relaxed: nothing else is read that the other thread wrote. */
	if (is_new &&
		atomic_load_explicit(&chain->is_stopped,
			memory_order_relaxed)) {
		output->code = MA_CHAIN_STOPPED;
		return FUTURE_STATE_COMPLETE;
	}
	if (future_poll(data->target, n) != FUTURE_STATE_COMPLETE)
		return FUTURE_STATE_RUNNING;
	output->code = data->result != NULL ? *data->result : 0;
	return FUTURE_STATE_COMPLETE;
}

static int
link_has_property(void *future, enum future_property property)
{
	const struct ma_link *link = future;

	return future_has_property(link->data.target, property);
}

/* A link is complete: its failure, or the success of the last, is the chain's. */
static void
conclude(struct future_context *lhs, struct future_context *rhs, void *arg)
{
	const struct ma_link_data *data = future_context_get_data(lhs);
	const struct ma_link_output *output = future_context_get_output(lhs);
	struct ma_chain *chain = arg;

	if (chain->code == MA_RUNNING &&
		(output->code != 0 || rhs == &chain->base.context)) {
		chain->code = output->code;
		chain->index = data->index;
	}
}

void
ma_chain_init(struct ma_chain *chain, struct future *const targets[],
	const int *const results[], size_t n)
{
	chain->code = n != 0 ? MA_RUNNING : 0;
	chain->index = 0;
	atomic_init(&chain->is_stopped, 0);
	chain->base = (struct future){
		.task = async_chain_impl,
		.has_property = future_chain_has_property,
		.context = {.data_size = n * sizeof(chain->entries[0]),
			.state = FUTURE_STATE_IDLE},
	};
	for (size_t i = 0; i < n; i++) {
		struct ma_link link = {
			.data = {.chain = chain,
				.target = targets[i],
				.result = results[i],
				.index = i},
		};

		FUTURE_INIT_EXT(&link, link_task, link_has_property);
		FUTURE_CHAIN_ENTRY_INIT(&chain->entries[i].step, link, conclude,
			chain);
	}
}

void
ma_chain_stop(struct ma_chain *chain)
{
	atomic_store_explicit(&chain->is_stopped, 1, memory_order_relaxed);
}
