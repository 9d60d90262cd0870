/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workers_overdue.c -- a worker that does not come back from a piece
 *
 * A piece is what about 100 us suffice for, if the memory is there. A page that
 * comes from a slow disk, from swap, or from the program itself (userfaultfd) takes
 * milliseconds, and there are 256 in a large piece. Meanwhile the worker is awake,
 * but does not look at the queue, and what is left there waits behind it while
 * others sleep.
 *
 * So a worker with a piece that has not looked for LATE is *overdue*: who notices
 * counts it as inside (workers.c), until it looks again, and wakes another one, if
 * need be. A worker looks when it begins not to be idle, and when it has ended a
 * piece. Of ends of small pieces it notes the time of one in 16: a look at the clock
 * takes as long as such a piece. What it has noted is earlier than it looked, then,
 * by microseconds; or by more if one of these pieces took long, and it may be called
 * overdue wrongly, once, because thereupon it notes the time.
 *
 * Who notices. Nobody watches the clock, but those who come by do, and leave something
 * in the queue to others:
 *
 *   who queues an operation, and does not owe a wake for it, as the first of its line
 *   (queue.c) that has not been begun, or as the 16th of any; who settles what it
 *   owes; a worker that goes inside; one that gets idle, as one too many, though there
 *   is something to take; and a poll that finds its operation QUEUED, with nobody at
 *   it, is not the one that queued it, and does not help. The library's own waits and
 *   monitors poll so after 4 ms, 8 ms, ... (pace.h).
 *
 * What is left: an operation that is queued within LATE of the last look, or behind
 * one that was, is not polled, and is followed by less than 16 others, has to wait for
 * the end of the piece; and so has one behind a worker that goes into a piece of
 * another and is stuck there, too. To watch for that would cost those whose memory is
 * there: the start of a second operation would have to wake a worker, or an idle one
 * tick while others work.
 *
 * The other worker goes on with what the overdue one is at, when there is nothing else,
 * and would be stuck as well. So that operation is cut finely from then on (pieces.c).
 *
 * Interleavings. W is overdue, V is idle, S starts an operation. All is under the
 * lock, so these are all that there are.
 *
 * - S finds W overdue: W is inside, and if no other awake worker looks, S wakes V. V
 *   counts as looking until it has a piece, and LATE beyond that: of many that are
 *   started in a row the first wakes V, the others nobody.
 * - W comes back before V: it is not inside any more, and takes the operation. V
 *   finds nothing and gets idle: a wake too many, no more.
 * - W comes back before S: it has noted the time, and looks.
 * - W comes back, and calls a waker of the program: it goes inside, if it is not by
 *   then, and summons, as ever. That is the end of its piece: the time that the waker
 *   takes does not count.
 * - W is stuck, and nobody has noticed, because X was looking when S came. X takes a
 *   function of the program, or calls a waker: it notices, and wakes V for what S has
 *   started. Or it is one executor too many beside a helper: it notices, and stays.
 * - The same with a wait that starts an operation, owes the wake, and ends: it
 *   notices when it settles.
 * - V, too, goes into a piece and stays there: it is overdue for who comes by after
 *   that, and so on, until there is no idle worker.
 * - W was taken off the list and has not run yet: it counts as looking however long
 *   that takes. The system would hardly let another one run instead.
 *
 * So an operation that is left to a worker which is not overdue is left to one that
 * looks, or has LATE to do so; (I) holds but for what is said above. A worker
 * that loses its processor in the middle of a piece is overdue, too. Then, beside busy
 * processes, there may be a wake too many each LATE.
 */

#include "clock.h"
#include "workers.h"

/* 20 times as long as a piece takes, and less than people notice. */
#define LATE (2 * MA__MS)

/* From so many bytes on the time is worth a look at the clock. */
#define EXECUTED_MOST ((size_t)64 << 10)

/* Polls that are no further apart remind once; nanoseconds. */
#define REMINDERS (100 * MA__US)

void
ma__worker_set_inside(struct ma__worker *worker, bool inside)
{
	if (worker->inside == inside)
		return;
	worker->inside = inside;
	if (inside)
		worker->workers->inside++;
	else
		worker->workers->inside--;
}

/* Is it time to look at the clock, after so many bytes? */
static bool
is_worth_a_look(struct ma__worker *worker, size_t n)
{
	if (n < EXECUTED_MOST)
		worker->executed += n + EXECUTED_MOST / 16;
	else
		worker->executed = EXECUTED_MOST;
	return worker->executed >= EXECUTED_MOST;
}

void
ma__worker_has_executed(struct ma__worker *worker, uint64_t now)
{
	struct ma__op *const op = worker->op;
	const uint64_t before = worker->looked_at;
	uint64_t ns;

	worker->op = NULL;
	if (now == 0 && op->pieces.most == MA__PIECE_MAX &&
		!is_worth_a_look(worker, op->function ? op->weight : worker->n))
		return;
	if (now == 0)
		now = ma__now();
	ma__worker_looks(worker, now);
	if (op->function)
		return;
	ns = now - before;
	ma__pieces_took(&op->pieces, worker->n, ns);
	ma__queue_lasted(&worker->workers->queue, op, worker->n, ns);
}

bool
ma__workers_note_overdue(struct ma__workers *workers,
	const struct ma__worker *but)
{
	uint64_t now;

	if (workers->awake == workers->inside)
		return true;
	now = ma__now();
	for (size_t i = 0; i < workers->count; i++) {
		struct ma__worker *const worker = &workers->threads[i];

		/* Relaxed: changed under the lock. */
		if (worker == but || worker->inside ||
			atomic_load_explicit(&worker->idle,
				memory_order_relaxed))
			continue;
		/* The others do not matter, as long as this one looks. */
		if (worker->op == NULL ||
			ma__after(worker->looked_at, LATE) > now)
			return false;
		ma__worker_set_inside(worker, true);
		/* What it is about may have taken long, however small it is. */
		worker->executed = EXECUTED_MOST;
		ma__pieces_took(&worker->op->pieces, 0, 0);
	}
	return true;
}

void
ma__workers_remind(struct ma__workers *workers, struct ma__op *op)
{
	const unsigned now = (unsigned)(ma__now() / REMINDERS);
	struct ma__worker *worker = NULL;

	/* Or a thread that polls all the time would have the lock as often. */
	if (op->reminded == now ||
		atomic_load_explicit(&workers->reminded,
			memory_order_relaxed) == now)
		return;
	op->reminded = now;
	pthread_mutex_lock(&workers->lock);
	/* Who executes a piece of it is enough: one more was not worth it. */
	if (op->executors == 0 && workers->idle != NULL) {
		/* Whoever is woken looks at the other operations, too. */
		atomic_store_explicit(&workers->reminded, now,
			memory_order_relaxed);
		if (ma__workers_note_overdue(workers, NULL))
			worker = ma__workers_summon(workers, 0, -1);
	}
	pthread_mutex_unlock(&workers->lock);
	ma__worker_wake(worker);
}
