/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operation.c -- completion, wake-up and lifetime of an operation
 *
 * Two parties share an operation: the poller, which is whoever polls its future
 * (one thread at a time, ordered by the program), and the executor, the worker
 * that finished its last byte. What is promised:
 *
 *   1. When a poll says COMPLETE, the bytes are there, and the waker is not
 *      being called and never will be: the program may free it.
 *   2. When a poll says RUNNING and the notifier was taken, the waker will be
 *      called after that, or is being called and will be once more. (After it was
 *      taken, that is: the call may come before the poll has returned.)
 *   3. A poll does not wait until a waker returns. (The waker may wait for the
 *      polling thread: think of a lock around the poll and in the waker.) It
 *      waits a bounded time.
 *   4. Of the wakers, that of the latest poll is called. No new call of an
 *      earlier one is decided upon; but by 3, one that was may still be going on,
 *      or not have reached the waker's first instruction.
 *   5. A runtime that waits is woken whatever the program gave to earlier polls.
 *
 * 1 and 2 seem to exclude each other: if the waker is called before COMPLETE
 * can be seen, a thread that it wakes may poll too early, see RUNNING and sleep
 * for ever; if after, the waker may be gone. The way out is that the executor
 * learns of such a poll and calls again.
 *
 * States
 *
 *   NEW      not started. The poller's alone.
 *   INLINE   being executed by the poll that starts it.
 *   PENDING  queued or being executed.
 *   WAKING   the work is done, the executor calls the waker.
 *   POLLED   the same, and a poll has said RUNNING during the call.
 *   REARMED  the same, and a poll has given another notifier during the call.
 *   RESTING  a poll missed the call; the executor is about to call again.
 *   DONE     a poll says COMPLETE. Final.
 *   LOCKED   instead of any from PENDING to RESTING for the few instructions in
 *            which a party reads or writes waker and cell.
 *
 *   NEW -> INLINE -> DONE         poller: small operations
 *   NEW -> PENDING                poller, then the mover's queue
 *   PENDING -> PENDING            poller, LOCKED in between: another notifier
 *   WAKING, POLLED, REARMED -> REARMED         the same, during a call
 *   WAKING -> POLLED              poller
 *   RESTING -> DONE               poller
 *   PENDING -> WAKING, or DONE    executor; DONE if there is no waker to call
 *   WAKING -> DONE                executor
 *   WAKING, POLLED, REARMED -> RESTING -> WAKING              executor
 *   REARMED -> DONE               executor, if there is no waker any more
 *   WAKING, POLLED, REARMED -> DONE            poller, from within the waker
 *
 * All of these are compare-and-swap where two parties could be at it.
 *
 * Why no wake is lost: the executor leaves WAKING for DONE only by a
 * compare-and-swap that fails if a poll has said RUNNING since the call of the
 * waker began; then it calls again. Either the poll gave no notifier (POLLED):
 * the same waker; or it gave another (REARMED): that one, or none if it
 * disarmed. A poll that comes after DONE says COMPLETE. One that finds LOCKED
 * says RUNNING: the executor only takes the lock on the way to a call, or to
 * DONE without one, when nobody counts on being called.
 *
 * Why it ends: a poll during the call is likely if the waker is slow, and then
 * again during the repeated call, and so on. There are two reasons for it, and
 * each of them needs its remedy.
 *
 * The poll is there because of the call: the woken thread polls before the waker
 * has returned, perhaps in its place, on its processor. So a poll that finds the
 * waker being called waits for the executor, spinning at first, then yielding:
 * 50 us for the first call, which spares nearly all repeated ones, and twice as
 * long for each further call, 65 ms at most.
 *
 * The waker is slow because of the poll: it waits for a lock that is held around
 * polls. So the executor rests before it calls again, twice as long each time, up
 * to 1 s. Nobody is in the waker then, and a poll that comes while it rests
 * completes the operation itself.
 *
 * What is left is a lock held for longer than a second at a time, and a waker
 * that does not return before a poll has said COMPLETE, which promise 1 rules
 * out.
 *
 * The waker may itself poll, in the executor's thread. The executor remembers
 * which operation it is waking for (`waking`, thread-local), and such a poll
 * completes at once: the waker is being called, but it is the program's own
 * code that learns of it. It may then free the future. (That no other poll is
 * going on then is the program's affair, as always.)
 *
 * Cells (wait.h) are our own waiters'. They are counted and may be woken at any
 * time, so they need none of this: the executor wakes a cell after DONE, and a
 * runtime that wakes up finds the operation complete at its first poll.
 *
 * Promise 5: op_check is not given the notifier, and programs compiled with
 * upstream's headers call op_start only once. So if a poll comes without its
 * notifier (`told`), within a wait of ours, the wait's cell is registered,
 * beside the waker, which stays: it is still the one the program gave last. (It
 * is woken after DONE, so a waker that never returns keeps that wait waiting.)
 *
 * Who may free what when: an operation has one reference of its future and one
 * of each worker that holds it. The future's ends in op_delete, a worker's when
 * it has left ma__op_finish(). So the executor may touch the operation after
 * DONE, though the future be gone.
 *
 * Memory orderings. Locking acquires, unlocking releases: waker and cell. The
 * executor reads the cell once more after DONE, when nobody writes it any more.
 * WAKING -> DONE releases the bytes and the result; the poller's load acquires
 * them. The bytes of other workers reach the executor through `left`,
 * decremented with acquire and release.
 */

#include "operation.h"

#include <sched.h>
#include <time.h>

#include "backoff.h"
#include "clock.h"

/* How long the executor rests before it calls again: 4 us ... 1 s. */
#define REST_MIN (2 * MA__US)
#define REST_DOUBLINGS 19

/* How long a poll that finds the waker being called spins, and then yields: at
 * the first call, and how often that is doubled, once a call. */
#define POLL_SPIN MA__US
#define POLL_YIELD (50 * MA__US)
#define POLL_DOUBLINGS 10

/* The operation whose waker this thread is calling. */
static _Thread_local struct ma__op *waking;

static bool
advance(struct ma__op *op, unsigned from, unsigned to)
{
	return atomic_compare_exchange_strong_explicit(&op->state, &from, to,
		memory_order_acq_rel, memory_order_acquire);
}

/*
 * Replaces the cell. The old one, or NULL, is returned: its reference may be the
 * last one of its waiter, which is not to be freed under the lock.
 */
static struct ma__cell *
swap_cell(struct ma__op *op, struct ma__cell *cell)
{
	struct ma__cell *const old = op->cell;

	if (cell == old)
		return NULL;
	if (cell != NULL)
		ma__cell_ref(cell);
	op->cell = cell;
	return old;
}

static void
unref(struct ma__cell *cell)
{
	if (cell != NULL)
		ma__cell_unref(cell);
}

/*
 * Stores a notifier, and answers in it. Returns the cell that it replaces, to be
 * unreferenced.
 */
static struct ma__cell *
take_notifier(struct ma__op *op, struct future_notifier *n,
	enum future_notifier_type desired)
{
	/* A cell is woken even if the mover was made without wakers. */
	struct ma__cell *const old = swap_cell(op, ma__cell_of(n));

	op->waker.wake = NULL;
	if (n == NULL)
		return old;
	if (desired == FUTURE_NOTIFIER_POLLER) {
		n->poller.ptr_to_monitor = &op->monitor;
		n->notifier_used = FUTURE_NOTIFIER_POLLER;
	} else if (desired == FUTURE_NOTIFIER_WAKER && n->waker.wake != NULL) {
		if (op->cell == NULL)
			op->waker = n->waker;
		n->notifier_used = FUTURE_NOTIFIER_WAKER;
	}
	return old;
}

void
ma__op_start(struct ma__op *op, struct future_notifier *n,
	enum future_notifier_type desired)
{
	op->told = true;
	atomic_store_explicit(&op->calls, 0, memory_order_relaxed);
	op->cell = NULL;
	(void)take_notifier(op, n, desired);
	/* Release, for an executor; the queue's lock would do as well. */
	atomic_store_explicit(&op->state, MA__OP_PENDING, memory_order_release);
}

/* Takes the lock and returns the state it was in; DONE cannot be locked. */
static unsigned
lock(struct ma__op *op)
{
	for (unsigned tries = 0;; tries++) {
		const unsigned state =
			atomic_load_explicit(&op->state, memory_order_acquire);

		if (state == MA__OP_DONE ||
			(state != MA__OP_LOCKED &&
				advance(op, state, MA__OP_LOCKED)))
			return state;
		ma__back_off(tries);
	}
}

static void
unlock(struct ma__op *op, unsigned state)
{
	atomic_store_explicit(&op->state, state, memory_order_release);
}

void
ma__op_renotify(struct ma__op *op, struct future_notifier *n,
	enum future_notifier_type desired)
{
	struct ma__cell *old;
	unsigned state;

	op->told = true;
	/* Within the waker it is about to be complete. */
	if (waking == op)
		return;
	/*
	 * Nothing to take away either, and only polls write these two. Without the
	 * lock, or a thread that polls all the time would have it most of the time,
	 * and the executor hardly get it.
	 */
	if (n == NULL && op->waker.wake == NULL && op->cell == NULL)
		return;
	state = lock(op);
	if (state == MA__OP_DONE)
		return;
	old = take_notifier(op, n, desired);
	if (state == MA__OP_WAKING || state == MA__OP_POLLED)
		state = MA__OP_REARMED;
	unlock(op, state);
	unref(old);
}

/*
 * A poll that was not given its notifier: finds the wait it belongs to. That the
 * wait may rely on being woken is only said if what it polls is this operation's
 * future. It may also be a composite task that is waiting for other things.
 */
static void
register_wait(struct ma__op *op, const struct vdm_operation *operation,
	enum future_notifier_type desired)
{
	struct ma__cell *old;
	unsigned state;

	if (ma__polling == NULL || waking == op)
		return;
	state = lock(op);
	if (state == MA__OP_DONE)
		return;
	old = swap_cell(op, ma__polling->cell);
	unlock(op, state);
	unref(old);
	ma__polling->registered =
		desired == FUTURE_NOTIFIER_WAKER && ma__polling_is(operation);
}

/* Stays RESTING for a while, unless a poll completes the operation. */
static void
rest(struct ma__op *op, unsigned calls)
{
	const struct timespec nap = {.tv_sec = 0, .tv_nsec = 100 * MA__US};
	const uint64_t ns = REST_MIN
		<< (calls < REST_DOUBLINGS ? calls : REST_DOUBLINGS);
	const uint64_t until = ma__now() + ns;

	while (atomic_load_explicit(&op->state, memory_order_relaxed) !=
			MA__OP_DONE &&
		ma__now() < until) {
		if (ns < (uint64_t)nap.tv_nsec)
			future_cpu_pause();
		else
			nanosleep(&nap, NULL);
	}
}

/* Calls the waker, until no poll has missed the call; then DONE. */
static void
wake_and_complete(struct ma__op *op, void (*blocks)(void *arg), void *arg)
{
	unsigned state = lock(op);

	for (unsigned calls = 0; state != MA__OP_DONE; calls++) {
		struct future_waker waker = op->waker;

		if (calls > 0 && waker.wake != NULL) {
			unlock(op, MA__OP_RESTING);
			rest(op, calls);
			if (lock(op) == MA__OP_DONE)
				break;
			waker = op->waker;
		}
		if (waker.wake == NULL) {
			unlock(op, MA__OP_DONE);
			break;
		}
		atomic_store_explicit(&op->calls, calls, memory_order_relaxed);
		unlock(op, MA__OP_WAKING);
		if (calls == 0)
			blocks(arg);
		waking = op;
		waker.wake(waker.data);
		waking = NULL;
		if (advance(op, MA__OP_WAKING, MA__OP_DONE))
			break;
		state = lock(op);
	}
}

void
ma__op_finish(struct ma__op *op, void (*blocks)(void *arg), void *arg)
{
	wake_and_complete(op, blocks, arg);
	/* After DONE, or who sees it change would poll too early. */
	__atomic_store_n(&op->monitor, 1, __ATOMIC_RELEASE);
	if (op->cell != NULL) {
		ma__cell_wake(op->cell);
		ma__cell_unref(op->cell);
	}
}

void
ma__op_complete_polled(struct ma__op *op)
{
	struct ma__cell *const cell = swap_cell(op, NULL);

	atomic_store_explicit(&op->state, MA__OP_DONE, memory_order_release);
	__atomic_store_n(&op->monitor, 1, __ATOMIC_RELEASE);
	if (cell != NULL) {
		if (cell != ma__polling->cell)
			ma__cell_wake(cell);
		ma__cell_unref(cell);
	}
}

/*
 * A poll during the call of the waker, by another thread. Often it is the thread
 * just woken, which runs in the place of the executor, on its processor: so it
 * lets the executor go on before it answers.
 */
static bool
poll_while_waking(struct ma__op *op)
{
	const unsigned calls =
		atomic_load_explicit(&op->calls, memory_order_relaxed);
	const uint64_t patience = POLL_YIELD
		<< (calls < POLL_DOUBLINGS ? calls : POLL_DOUBLINGS);
	const uint64_t start = ma__now();
	uint64_t now = start;

	do {
		const unsigned state =
			atomic_load_explicit(&op->state, memory_order_acquire);

		if (state == MA__OP_DONE ||
			(state == MA__OP_RESTING &&
				advance(op, MA__OP_RESTING, MA__OP_DONE)))
			return true;
		if (now - start < POLL_SPIN)
			future_cpu_pause();
		else
			sched_yield();
		now = ma__now();
	} while (now - start < patience);
	/* If it is another state, the executor is on its way as it is. */
	advance(op, MA__OP_WAKING, MA__OP_POLLED);
	return atomic_load_explicit(&op->state, memory_order_acquire) ==
		MA__OP_DONE;
}

bool
ma__op_poll(struct ma__op *op, const struct vdm_operation *operation,
	enum future_notifier_type desired)
{
	const bool told = op->told;

	op->told = false;
	/*
	 * Acquire: who has seen the word change by a plain load, and polls
	 * therefore, is to see DONE, too.
	 */
	if (__atomic_load_n(&op->monitor, __ATOMIC_ACQUIRE) == 1)
		return true;
	/*
	 * A read-modify-write, so that what the program did before the poll
	 * (resetting its event) comes before what the waker does: the executor's
	 * lock acquires it.
	 */
	if (!told &&
		atomic_fetch_or_explicit(&op->state, 0, memory_order_acq_rel) !=
			MA__OP_DONE)
		register_wait(op, operation, desired);

	switch (atomic_load_explicit(&op->state, memory_order_acquire)) {
	case MA__OP_DONE:
		return true;
	case MA__OP_WAKING:
	case MA__OP_POLLED:
	case MA__OP_REARMED:
	case MA__OP_RESTING:
		if (waking != op)
			return poll_while_waking(op);
		atomic_store_explicit(&op->state, MA__OP_DONE,
			memory_order_release);
		return true;
	default:
		return false;
	}
}

bool
ma__op_take_over(struct ma__op *op)
{
	const unsigned state =
		atomic_load_explicit(&op->state, memory_order_relaxed);

	if (state == MA__OP_INLINE || op->executors != 0)
		return false;
	/* In later states an executor may have dropped the cell. */
	if (state == MA__OP_PENDING)
		unref(swap_cell(op, NULL));
	atomic_store_explicit(&op->state, MA__OP_INLINE, memory_order_relaxed);
	return true;
}

void
ma__op_complete_alone(struct ma__op *op)
{
	__atomic_store_n(&op->monitor, 1, __ATOMIC_RELAXED);
	atomic_store_explicit(&op->state, MA__OP_DONE, memory_order_release);
}
