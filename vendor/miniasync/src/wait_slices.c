/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait_slices.c -- one wait after the other for the same futures
 *
 * Who must not miss a signal waits in slices, and looks in between. If each began
 * anew, futures without a waker would be polled without a break in the first 5 ms
 * of every one: a tenth of a processor, with slices of 50 ms. So a wait that ends
 * by its deadline, or by a signal, leaves its pace with the waiter, and the next
 * one takes it up.
 *
 * It is the same if its first future is, there are as many, none is to be started,
 * and it begins soon. That the others are others goes unnoticed; then a few polls
 * come late, by a nap at most, 5 ms.
 */

#include "wait_state.h"

#define SOON (100 * MA__MS)

void
ma__wait_leave(const struct wait *wait)
{
	struct ma__waiter *const waiter = wait->waiter;

	waiter->left.first = wait->futs[0];
	waiter->left.nfuts = wait->nfuts;
	waiter->left.at = ma__now();
	waiter->left.pace = wait->pace;
}

void
ma__wait_resume(struct wait *wait)
{
	const struct ma__waiter *const waiter = wait->waiter;

	if (waiter->left.nfuts != wait->nfuts ||
		ma__now() - waiter->left.at > SOON)
		return;
	for (size_t i = 0; i < wait->nfuts; i++)
		if (wait->futs[i]->context.state == FUTURE_STATE_IDLE)
			return;
	wait->pace = waiter->left.pace;
}
