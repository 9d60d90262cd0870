/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_chain.h -- futures one after another, until one fails
 *
 * A chain of future.h has its futures in itself. The links of this one are
 * about futures that stand elsewhere and are somebody else's: operations,
 * batches, events, other chains. The memory is Python's, as with a batch.
 */

#ifndef MINIASYNC_CHAIN_H
#define MINIASYNC_CHAIN_H

#include <stdatomic.h>
#include <stddef.h>

#include <libminiasync/future.h>

/* The code of a chain that ended because it was told to stop. */
#define MA_CHAIN_STOPPED 17

struct ma_chain;

struct ma_link_data {
	struct ma_chain *chain;
	struct future *target;
	const int *result;
	size_t index;
};

struct ma_link_output {
	int code;
	int padding;
};

FUTURE(ma_link, struct ma_link_data, struct ma_link_output);

struct ma_chain_entry {
	FUTURE_CHAIN_ENTRY(struct ma_link, step);
};

struct ma_chain {
	/*
	 * MA_RUNNING before the end; then 0, or the result of the link `index`,
	 * which was the last one to be started; or MA_CHAIN_STOPPED and the
	 * first one that was not.
	 */
	int code;
	atomic_int is_stopped;
	size_t index;
	struct future base;
	struct ma_chain_entry entries[];
};

/*
 * Makes a chain of n futures; it has room for as many entries and stays where it
 * is until it is complete. Its base can be polled, waited for and put into other
 * chains. A poll goes on to the first future that is not complete, with the
 * notifier. When a future is complete, *results[i] says how it ended; a NULL
 * results[i], well. Unless that is 0, the later ones are not started.
 *
 * The futures may be complete or running, and belong to the caller still: those
 * not started have to be released, or are never seen by the chain again.
 */
void ma_chain_init(struct ma_chain *chain, struct future *const targets[],
	const int *const results[], size_t n);

/*
 * Has the chain end before its next link, if there is one left. Nobody is woken:
 * the link that runs goes on, and its end ends the chain. May be called from any
 * thread, also while another one polls.
 */
void ma_chain_stop(struct ma_chain *chain);

#endif /* MINIASYNC_CHAIN_H */
